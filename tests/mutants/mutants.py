#!/usr/bin/env python3
"""Takes the guards of the protocol out, one by one, and names the test that noticed.

A guard is a statement or a condition without which a view could become wrong. It carries a mark in the source, on the line
above: `GUARD name: what it prevents` in a comment. guards.py says how each is taken out, and which tests are tried. A guard
that nobody misses is not proven, and fails the run; so do a mark without an entry, an entry without a mark, a text that is not
found exactly once, and a test that fails without any mutation.

Everything happens in a copy of the checkout's tracked files, .dev/mutated. ./dev mutants gives the servers.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from guards import GUARDS

CHECKOUT = Path(__file__).resolve().parents[2]
TREE = CHECKOUT / ".dev" / "mutated"  # not in .dev/mutants, which ./dev removes with the servers
BUILD = TREE / "build"
FILTER = BUILD / "test_filter.so"
NOTICED = CHECKOUT / ".dev" / "mutants.json"  # what the last run has found, and on which sources, for --resume

# Preloaded, it lets a cmocka program run one of its tests. What that starts in turn is left alone.
FILTER_SOURCE = """
#include <stdlib.h>
void cmocka_set_test_filter(const char *) __attribute__((weak));
__attribute__((constructor)) static void set(void)
{
    unsetenv("LD_PRELOAD");
    if (cmocka_set_test_filter)
        cmocka_set_test_filter(getenv("MUTANTS_TEST"));
}
"""

MARK = re.compile(r"(?:/\*|--)\s*GUARD\s+([^\s:]+):\s*(.*?)\s*(?:\*/)?\s*$")
MARKED = (".c", ".cc", ".h", ".lua")
NEAR_LINES = 12  # a guard's text begins within these many lines below its mark

BUILD_SECONDS_MAX = 600
TEST_SECONDS_MAX = 240  # without mutation
HANG_FACTOR = 8  # a mutated test that takes these many times as long as without does not end at all
HANG_SECONDS_MIN = 15


def fail(text):
    print(f"mutants: {text}", file=sys.stderr)
    sys.exit(1)


# --- marks and entries ------------------------------------------------------------------------------------------------


@dataclass
class Mark:
    file: str
    line: int
    prevents: str


def tracked_files():
    if not (CHECKOUT / ".git").exists() or not shutil.which("git"):  # sources without their history
        rooms = ("engine", "lua", "connectors", "projections", "bench", "tests")
        paths = (path.relative_to(CHECKOUT) for room in rooms for path in (CHECKOUT / room).rglob("*") if path.is_file())
        return [*map(str, paths), "CMakeLists.txt"]
    names = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, check=True, capture_output=True).stdout
    return [name for name in names.decode().split("\0") if name and (CHECKOUT / name).is_file()]


def find_marks(files):
    marks = {}
    for name in files:
        if name.startswith("tests/") or not name.endswith(MARKED):
            continue
        for number, line in enumerate((CHECKOUT / name).read_text(encoding="utf-8").splitlines(), 1):
            found = MARK.search(line)
            if not found:
                continue
            if found[1] in marks:
                other = marks[found[1]]
                fail(f"{name}:{number}: the guard {found[1]} has a mark at {other.file}:{other.line} already")
            marks[found[1]] = Mark(name, number, found[2])
    return marks


def places_of(old, text, begin=0, end=None):
    """Where a text begins, from `begin` to before `end`."""
    places = []
    at = text.find(old, begin)
    while at >= 0 and (end is None or at < end):
        places.append(at)
        at = text.find(old, at + 1)
    return places


def mutate(guard, mark, text):
    """The file's text without the guard."""
    lines = text.splitlines(keepends=True)
    begin = sum(map(len, lines[: mark.line]))
    end = begin + sum(map(len, lines[mark.line : mark.line + NEAR_LINES]))
    for old, new in guard.replace:
        places = places_of(old, text, begin, end)
        where = f"below {mark.file}:{mark.line}"
        if len(places) != 1:
            fail(f"{guard.name}: this is found {len(places)} times, and not once, {where}:\n{old}")
        text = text[: places[0]] + new + text[places[0] + len(old) :]
        begin, end = 0, None  # what else has to go may be anywhere
        where = f"in {mark.file}"
    return text


def check_entries(marks, chosen):
    """Marks and entries are the same guards (with --only, those), and each text is there."""
    names = [guard.name for guard in GUARDS]
    problems = [
        f"{name}: {marks[name].file}:{marks[name].line} has its mark, guards.py no entry"
        for name in marks
        if name not in names
    ]
    problems += [f"{name}: guards.py has its entry, no source its mark" for name in names if name not in marks]
    problems += [
        f"{name}: guards.py has {names.count(name)} entries" for name in sorted(set(names)) if names.count(name) > 1
    ]
    problems += [f"{guard.name}: guards.py names no test" for guard in GUARDS if not guard.tests]
    if len(chosen) < len(GUARDS):
        problems = [f"{guard.name}: no source has its mark" for guard in chosen if guard.name not in marks]
    if problems:
        fail("\n         ".join(problems))
    for guard in chosen:
        mark = marks[guard.name]
        mutate(guard, mark, (CHECKOUT / mark.file).read_text(encoding="utf-8"))


# --- the copy ---------------------------------------------------------------------------------------------------------


def copy_checkout(files):
    """Brings the copy up to date; what has not changed keeps its time, so that little is built again."""
    for name in files:
        source, copy = CHECKOUT / name, TREE / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)
        shutil.copymode(source, copy)
    wanted = set(files)
    for path in sorted(TREE.rglob("*"), reverse=True):
        if path.is_relative_to(BUILD) or path.is_dir():
            continue
        if str(path.relative_to(TREE)) not in wanted:
            path.unlink()


class Noticed:
    """Which guards were noticed on these very sources, and by what: kept after each, so that a run can be gone on with."""

    def __init__(self, files, resume):
        digest = hashlib.sha256()
        for name in sorted(files):
            if not name.endswith(".md"):
                digest.update(name.encode() + b"\0" + (CHECKOUT / name).read_bytes() + b"\0")
        self.sources = digest.hexdigest()
        self.by = {}
        if resume and NOTICED.exists():
            kept = json.loads(NOTICED.read_text(encoding="utf-8"))
            if kept["sources"] == self.sources:
                self.by = kept["by"]
            else:
                print("the sources have changed since: all guards are tried")

    def add(self, name, by):
        self.by[name] = by
        NOTICED.write_text(json.dumps({"sources": self.sources, "by": self.by}, indent=1), encoding="utf-8")


def configure():
    # Each guard is built for a test or two: half of the compiler's time would go into optimizing and into debugging.
    arguments = ["cmake", "-S", TREE, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Mutants"]
    arguments += ["-DCMAKE_C_FLAGS=-O1", "-DCMAKE_CXX_FLAGS=-O1"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"the copy cannot be configured:\n{done.stdout}{done.stderr}")
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", FILTER], input=FILTER_SOURCE, text=True, check=True)


def build(targets):
    """What the compiler said where it did not build; None where it did."""
    command = ["ninja", "-C", BUILD, *sorted(set(targets))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return f"not built within {BUILD_SECONDS_MAX} s"
    return done.stdout + done.stderr if done.returncode else None


# --- tests ------------------------------------------------------------------------------------------------------------


class Test:
    """One entry of a guard's `tests`: `PROGRAM ARGUMENT...`, `PROGRAM :FUNCTION` for one test of a cmocka program, or
    `system/FILE.py FUNCTION`."""

    def __init__(self, text):
        self.text = text
        program, *arguments = text.split()
        self.environment = {}
        if program.endswith(".py"):
            self.targets = ["viewfold", "vf-produce"]
            self.command = [sys.executable, str(TREE / "tests" / program), *arguments]
            self.environment["VIEWFOLD_PROGRAM"] = str(BUILD / "viewfold")
            return
        self.targets = [program]
        if arguments and arguments[0].startswith(":"):
            self.environment |= {"LD_PRELOAD": str(FILTER), "MUTANTS_TEST": arguments.pop(0)[1:]}
        self.command = [str(BUILD / "tests" / program), *arguments]

    def run(self, seconds_max):
        """(None, seconds) where it passed; otherwise (what noticed, seconds). Whatever it started has ended."""
        stamp = f"mutants-{os.getpid()}-{time.monotonic_ns()}"
        environment = os.environ | self.environment | {"MUTANTS_STAMP": stamp, "PYTHONDONTWRITEBYTECODE": "1"}
        started = time.monotonic()
        process = subprocess.Popen(
            self.command,
            cwd=TREE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.set_blocking(process.stdout.fileno(), False)
        output = b""
        noticed = None
        try:
            while True:
                output += process.stdout.read() or b""
                failed = first_failed(output)
                seconds = time.monotonic() - started
                if failed or seconds > seconds_max or process.poll() is not None:
                    output += process.stdout.read() or b""
                    break
                time.sleep(0.01)
            if failed or process.returncode:
                noticed = first_failed(output) or self.how_it_ended(process.returncode, output)
            elif process.returncode is None:
                noticed = "it does not end"
            elif not self.did_something(output):
                noticed = "it ran no test"
        finally:
            end_all(stamp, process)
        self.output = output.decode(errors="replace")
        return noticed, seconds

    def how_it_ended(self, code, output):
        """Where no test of it has said that it failed: in which it died, or what it said."""
        lines = [line for line in output.decode(errors="replace").split("\n") if line.strip()]
        ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        running = [line.split("]")[1].strip() for line in lines if line.startswith("[ RUN ")]
        if running:
            return f"{running[-1]}: {ended}"
        said = [line for line in lines if line.startswith(("seed", "FAIL"))] or lines
        return said[-1][:120] if said else ended

    def did_something(self, output):
        """A cmocka program says how many passed; with a wrong name, none."""
        counts = re.findall(rb"\[  PASSED  \] (\d+) test", output)
        return not counts or any(int(count) for count in counts)


def first_failed(output):
    found = re.search(rb"^\[  FAILED  \] ([A-Za-z_]\w+)$", output, re.M)
    return found[1].decode() if found else None


def end_all(stamp, process):
    """Ends the test and all that it started, wherever they have gone."""
    mark = f"MUTANTS_STAMP={stamp}".encode()
    for _ in range(200):
        left = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    left.append(int(folder.name))
            except OSError:
                continue
        process.poll()
        left = [pid for pid in left if pid != process.pid or process.returncode is None]
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    process.stdout.close()
    process.wait()


def check_sanity(tests):
    """Every test passes without mutation; how long each takes."""
    problem = build([target for test in tests for target in test.targets])
    if problem:
        fail(f"without mutation, it does not build:\n{problem[-4000:]}")
    seconds = {}
    for test in tests:
        noticed, seconds[test.text] = test.run(TEST_SECONDS_MAX)
        if noticed is not None:
            fail(f"without mutation, {test.text} fails: {noticed}\n{test.output[-4000:]}")
    return seconds


class NoBuild(Exception):
    """A mutant that the compiler does not take says nothing about the tests."""


# --- one guard --------------------------------------------------------------------------------------------------------


def try_guard(guard, mark, tests, seconds_without):
    """Who noticed that the guard was gone: (test, what it said, seconds), or None where nobody did."""
    copy = TREE / mark.file
    whole = copy.read_text(encoding="utf-8")
    copy.write_text(mutate(guard, mark, whole), encoding="utf-8")
    try:
        for text in guard.tests:
            test = tests[text]
            problem = build(test.targets)
            if problem:
                raise NoBuild(problem)
            limit = max(HANG_SECONDS_MIN, HANG_FACTOR * seconds_without[text])
            noticed, seconds = test.run(limit)
            if noticed is not None:
                return test, noticed, seconds
    finally:
        copy.write_text(whole, encoding="utf-8")
    return None


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="./dev mutants", description="Takes the guards out one by one, and names the test that noticed."
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="this guard only; may be given again; * stands for anything",
    )
    parser.add_argument(
        "--list", action="store_true", help="the guards, where they are, and the tests that are tried; nothing is run"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on where the last run ended, if the sources are the same to the letter"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the copy (.dev/mutated) with the last of them taken out"
    )
    return parser.parse_args()


def choose(patterns):
    if not patterns:
        return GUARDS
    wanted = [re.compile(re.escape(pattern).replace(r"\*", ".*")) for pattern in patterns]
    for pattern, expression in zip(patterns, wanted):
        if not any(expression.fullmatch(guard.name) for guard in GUARDS):
            fail(f"there is no guard {pattern} (--list shows them)")
    return [guard for guard in GUARDS if any(expression.fullmatch(guard.name) for expression in wanted)]


def main():
    arguments = read_arguments()
    sys.stdout.reconfigure(line_buffering=True)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # a test that runs is ended on the way out
    files = tracked_files()
    marks = find_marks(files)
    chosen = choose(arguments.only)
    check_entries(marks, chosen)
    if arguments.list:
        for guard in chosen:
            mark = marks[guard.name]
            print(f"{guard.name}\n    {mark.file}:{mark.line}: {mark.prevents}\n    " + "\n    ".join(guard.tests))
        print(f"{len(chosen)} guards")
        return 0

    before = Noticed(files, arguments.resume)
    tests = {text: Test(text) for guard in chosen if guard.name not in before.by for text in guard.tests}
    started = time.monotonic()
    copy_checkout(files)
    configure()
    seconds = check_sanity(list(tests.values())) if tests else {}
    print(f"without mutation {len(tests)} tests pass, in {sum(seconds.values()):.0f} s")
    noticed, survived = 0, []
    for guard in chosen:
        print(f"{guard.name}: {marks[guard.name].prevents}")
        if guard.name in before.by:
            noticed += 1
            print(f"    noticed before by {before.by[guard.name]}")
            continue
        try:
            found = try_guard(guard, marks[guard.name], tests, seconds)
        except NoBuild as problem:
            survived.append(guard.name)
            print(f"    DOES NOT BUILD without it, so nothing is shown:\n{str(problem)[-3000:]}")
            continue
        if found:
            test, what, took = found
            noticed += 1
            by = f"{test.text}{'' if what in test.text else ': ' + what} ({took:.1f} s)"
            before.add(guard.name, by)
            print(f"    noticed by {by}")
        else:
            survived.append(guard.name)
            print(f"    SURVIVED: {', '.join(guard.tests)} noticed nothing")
    if arguments.keep and chosen:
        mark = marks[chosen[-1].name]
        copy = TREE / mark.file
        copy.write_text(mutate(chosen[-1], mark, copy.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"kept, without {chosen[-1].name}: {TREE}")
    print(f"{len(chosen)} guards, {noticed} noticed, {len(survived)} survived ({time.monotonic() - started:.0f} s)")
    if survived:
        print("survived: " + " ".join(survived))
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
