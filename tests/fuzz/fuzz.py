#!/usr/bin/env python3
"""Runs the fuzzers that ./dev fuzz has built, and measures which lines of their modules the kept seeds reach.

What is reached is measured over tests/fuzz/seeds alone, so it is the same however long one fuzzes. What a run finds new lies in
.dev/fuzz/TARGET/corpus, and the next run begins with it; --keep takes of it into the seeds what reaches more of the code."""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILT = os.path.join(ROOT, "build-fuzz", "tests")
SEEDS = os.path.join(ROOT, "tests", "fuzz", "seeds")
STATE = os.path.join(ROOT, ".dev", "fuzz")

REACHED_MIN = 80  # per cent of each module's lines
SEEDS_BYTES_MAX = 1 << 20  # of all targets together
INPUT_SECONDS_MAX = 20  # one input, on a busy machine
SHOWN_BYTES = 4096

# Target -> the modules that it is about, and the longest input that is tried.
TARGETS = {
    "config": (
        [
            "engine/cli/config_check.c",
            "engine/cli/config_envelope.c",
            "engine/cli/config_keys.c",
            "engine/cli/config_print.c",
            "engine/cli/config_read.c",
            "engine/cli/config_show.c",
            "engine/cli/config_tree.c",
            "engine/cli/findings.c",
        ],
        4000,
    ),
    "envelope": (
        [
            "engine/core/envelope.c",
            "engine/core/envelope_plan.c",
            "engine/core/envelope_preset.c",
            "engine/core/event_data.c",
            "engine/core/event.c",
            "engine/core/framing.c",
            "engine/core/json.cc",
        ],
        2000,
    ),
    "pattern": (["lua/pattern.c"], 260),
    "stored": (
        [
            "connectors/mongodb/mongodb_bson.c",
            "connectors/redis/load.c",
            "connectors/redis/progress.c",
            "engine/core/document.c",
            "engine/core/event.c",
            "engine/core/version_more.c",
        ],
        2000,
    ),
    "testfile": (["engine/cli/test_event.c", "engine/cli/test_file.c", "engine/cli/test_yaml.c"], 3000),
    "token": (["engine/core/token.c"], 600),
    "values": (
        [
            "engine/core/body.c",
            "lua/convert.c",
            "lua/encode.c",
            "lua/json_text.c",
        ],
        3000,
    ),
}


class Failed(Exception):
    pass


def program(target):
    return os.path.join(BUILT, f"fuzz_{target}")


def environment(profile):
    return dict(
        os.environ,
        LLVM_PROFILE_FILE=profile,
        ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=0",
        UBSAN_OPTIONS="print_stacktrace=1",
    )


def found(target, output, why):
    """What a fuzzer that has stopped says, and the input, as somebody needs them who was not there."""
    text = [output[-12000:], f"fuzz {target}: {why}"]
    artifacts = re.findall(r"Test unit written to (\S+)", output)  # before the last, slow ones
    if artifacts:
        path = artifacts[-1]
        with open(path, "rb") as file:
            data = file.read()
        rest = "" if len(data) <= SHOWN_BYTES else f"... ({len(data)} bytes)"
        text += [
            f"the input: {path}",
            f"in hex:    {data[:SHOWN_BYTES].hex()}{rest}",
            f"again:     {os.path.relpath(program(target), ROOT)} {path}",
            "smaller:   the same with -minimize_crash=1 -max_total_time=60",
            f"Once it is mended, it belongs into tests/fuzz/seeds/{target}.",
        ]
    return Failed("\n".join(text))


def run(target, arguments, profile=os.devnull):
    command = [program(target), f"-artifact_prefix={STATE}/{target}/", f"-timeout={INPUT_SECONDS_MAX}", "-rss_limit_mb=2048", "-verbosity=1"]
    if not os.path.exists(program(target)):
        raise Failed(f"fuzz {target}: there is no {program(target)}: ./dev fuzz builds it")
    done = subprocess.run(
        command + arguments, env=environment(profile), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise found(target, output, f"stopped with status {done.returncode}")
    return output


def ranges(lines):
    parts = []
    for line in lines:
        if parts and parts[-1][1] == line - 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def reached(target):
    """Of each of the target's modules: how many lines there are to reach, and those that the seeds don't."""
    modules = TARGETS[target][0]
    raw, merged = (os.path.join(STATE, target, f"seeds.{end}") for end in ("profraw", "profdata"))
    run(target, ["-runs=0", os.path.join(SEEDS, target)], raw)
    subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", merged], check=True)
    export = ["llvm-cov", "export", "-format=lcov", f"-instr-profile={merged}", program(target)]
    lcov = subprocess.run(export + [os.path.join(ROOT, module) for module in modules], check=True, stdout=subprocess.PIPE).stdout.decode()
    result, path = {}, None
    for line in lcov.splitlines():
        if line.startswith("SF:"):
            path = os.path.relpath(line[3:], ROOT)
        elif line.startswith("DA:") and path in modules:
            number, count = line[3:].split(",")[:2]
            result.setdefault(path, {})[int(number)] = int(count)
    for module in modules:
        if module not in result:
            raise Failed(f"fuzz {target}: its program does not hold {module}: mend the table in tests/fuzz/fuzz.py")
    return {module: (len(lines), sorted(n for n, count in lines.items() if count == 0)) for module, lines in result.items()}


def fuzz(target, seconds, seed):
    """Executions."""
    folder = os.path.join(STATE, target, "corpus")
    os.makedirs(folder, exist_ok=True)
    dictionary = os.path.join(ROOT, "tests", "fuzz", f"{target}.dict")
    # Looking for leaks after each input takes nearly all the time of targets that keep a Lua state. What is lost is told at the
    # end, and of the seeds one by one.
    arguments = [f"-max_total_time={seconds}", f"-seed={seed}", "-print_final_stats=1", f"-max_len={TARGETS[target][1]}", "-detect_leaks=0"]
    if os.path.exists(dictionary):
        arguments.append(f"-dict={dictionary}")
    output = run(target, arguments + [folder, os.path.join(SEEDS, target)])
    count = re.search(r"number_of_executed_units: (\d+)", output)
    if not count:
        raise found(target, output, "did not say how much it has tried")
    return int(count.group(1))


def keep(target):
    """Takes into the seeds what was found and reaches other branches than they do."""
    run(target, ["-set_cover_merge=1", "-use_counters=0", f"-max_len={TARGETS[target][1]}", os.path.join(SEEDS, target), os.path.join(STATE, target, "corpus")])


def one(target, options):
    os.makedirs(os.path.join(STATE, target), exist_ok=True)
    executions = fuzz(target, options.seconds, options.seed) if options.seconds > 0 else 0
    if options.keep:
        keep(target)
    return executions, reached(target)


def tell(target, executions, modules):
    """A target's lines of the table; what is not reached of modules that are below."""
    below = []
    print(f"{target:10} {len(os.listdir(os.path.join(SEEDS, target))):6} {executions:12,}", end="")
    for i, (module, (count, missed)) in enumerate(sorted(modules.items())):
        share = 100 * (count - len(missed)) / count
        print(f"{'' if i == 0 else ' ' * 30}  {share:5.1f} %  of {count:4}  {module}")
        if share < REACHED_MIN:
            below.append(f"fuzz {target}: the seeds reach {share:.1f} % of {module}, {REACHED_MIN} % is wanted. Not reached: lines {ranges(missed)}")
    return below


def seeds_bytes():
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(SEEDS) for name in names)


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", metavar="TARGET", nargs="*", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="how long each one runs (60); 0: only the seeds")
    parser.add_argument("--seed", type=int, default=0, help="of the random inputs: with the same one, about the same are tried; 0: another one each time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many run at once (one a core)")
    parser.add_argument("--keep", action="store_true", help="take what reaches more into the seeds")
    parser.add_argument("--lines", action="store_true", help="name the lines that are not reached, of every module")
    options = parser.parse_args()
    targets = options.targets or list(TARGETS)
    for target in targets:
        if target not in TARGETS:
            parser.error(f"there is no target {target}: there are {', '.join(TARGETS)}")
    for tool in ("llvm-profdata", "llvm-cov"):
        if not shutil.which(tool):
            parser.error(f"{tool} is missing: install llvm")
    wrong, results = [], {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = {target: pool.submit(one, target, options) for target in targets}
    print(f"{'target':10} {'seeds':>6} {'executions':>12}  reached by the seeds")
    for target in targets:
        try:
            results[target] = runs[target].result()
            wrong += tell(target, *results[target])
        except Failed as failed:
            print(f"{target:10} FAILED")
            wrong.append(str(failed))
        if options.lines and target in results:
            for module, (_, missed) in sorted(results[target][1].items()):
                print(f"  {module}: {ranges(missed)}")
    size = seeds_bytes()
    print(f"the seeds: {size:,} bytes")
    if size > SEEDS_BYTES_MAX:
        wrong.append(f"the seeds have {size:,} bytes, {SEEDS_BYTES_MAX:,} at most are wanted")
    for text in wrong:
        print(f"\n{text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
