#!/usr/bin/env python3
"""The fault suite: ./dev faults [F1 F2 ...] [--short] [--json]. It runs the faults side by side, each in a process of its own, and
prints a table: which promises, which fault, how many events, how often the fault happened, and what was lost, doubled or wrong. It
ends with 1 where anything is not 0, where a fault did not happen, or where a run could not be judged.
"""

import argparse
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import frame

TITLES = ("promise", "fault", "", "store", "events in", "injected", "reads", "lost", "doubled", "wrong")
STORES = {"redis": "cache", "mongodb": "documents"}


def arguments():
    parser = argparse.ArgumentParser(prog="./dev faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="F1", help="only these: by number, or by a test's name")
    parser.add_argument("--short", action="store_true", help="the short run of each, as in CI")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    parser.add_argument("--store", choices=sorted(STORES), help="only the runs with this store")
    parser.add_argument("--jobs", type=int, default=3, help="how many run side by side (default 3)")
    parser.add_argument("--seed", type=int, help="makes the same random choices")
    parser.add_argument("--list", action="store_true", help="the faults, and nothing else")
    parser.add_argument("--child", nargs=2, metavar=("STORES", "FILE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen(options):
    """[(fault, stores)]"""
    everything = frame.load_all()
    wanted = {name.lower() for name in options.faults}
    known = {f"f{one.number}" for one in everything} | {one.test for one in everything}
    if wanted - known:
        sys.exit(f"there is no fault {', '.join(sorted(wanted - known))}: ./dev faults --list")
    runs = []
    for one in everything:
        if wanted and not wanted & {f"f{one.number}", one.test} or options.short and not one.short:
            continue
        for stores in one.stores:
            if not options.store or STORES[options.store] in stores:
                runs.append((one, stores))
    return runs


# --- one run, in a process of its own ---------------------------------------------------------------------------------


def child(options):
    """Runs one fault on the stores named, and leaves its rows in a file."""

    def told_to_end(*_):
        raise frame.harness.Failure("it was told to end, as it took too long or the suite was interrupted")

    signal.signal(signal.SIGTERM, told_to_end)
    stores, file = options.child
    ((fault, _),) = [(one, of) for one, of in chosen(options) if ",".join(of) == stores]
    random.seed(f"{options.seed} {fault.test} {stores}")
    try:
        rows = frame.run(fault, tuple(stores.split(",")), options.short)
    except Exception as failure:
        if not isinstance(failure, frame.harness.Failure):
            traceback.print_exc(file=sys.stdout)
        print(f"FAIL {fault.test}: {failure}", flush=True)
        sys.exit(1)
    with open(file, "w", encoding="utf-8") as out:
        json.dump(rows, out)


class Run(threading.Thread):
    """A child, from here."""

    def __init__(self, fault, stores, options, folder):
        super().__init__(daemon=True)
        self.fault = fault
        self.stores = stores
        self.rows = None
        self.result = os.path.join(folder, f"{fault.test}-{'-'.join(stores)}.json")
        self.log = os.path.join(folder, f"{fault.test}-{'-'.join(stores)}.log")
        self.command = [sys.executable, os.path.abspath(__file__), fault.test, "--seed", str(options.seed)]
        self.command += ["--child", ",".join(stores), self.result] + ["--short"] * options.short
        self.process = None

    def run(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            for limit, number in ((self.fault.minutes * 60, signal.SIGTERM), (60, signal.SIGKILL), (None, None)):
                try:
                    self.process.wait(limit)
                    break
                except subprocess.TimeoutExpired:
                    self.process.send_signal(number)
        try:
            with open(self.result, encoding="utf-8") as file:
                self.rows = json.load(file)
        except FileNotFoundError:
            self.rows = [failed_row(self.fault, store) for store in self.stores]

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


def failed_row(fault, store):
    return {
        "fault": f"F{fault.number}", "name": fault.name, "test": fault.test, "promises": fault.promises,
        "store": frame.readers.TITLES[store], "events": None, "injected": {}, "reads_fresh": None, "reads_told": None,
        "lost": None, "doubled": None, "wrong": None, "notes": ["the run failed: it could not be judged"], "seconds": None,
    }  # fmt: skip


# --- the table --------------------------------------------------------------------------------------------------------


def is_clean(row):
    """Nothing lost, doubled or wrong, where something was done and the fault did happen."""
    return (
        row["lost"] == 0
        and row["doubled"] == 0
        and row["wrong"] == 0
        and row["events"] > 0
        and sum(row["injected"].values()) > 0
        and row["reads_fresh"] + row["reads_told"] > 0
    )


def cells(row):
    def number(value):
        return "failed" if value is None else str(value)

    reads = "failed" if row["reads_fresh"] is None else f"{row['reads_fresh']}+{row['reads_told']}"
    return (
        " ".join(map(str, row["promises"])), row["fault"], row["name"], row["store"], number(row["events"]),
        str(sum(row["injected"].values())), reads, number(row["lost"]), number(row["doubled"]), number(row["wrong"]),
    )  # fmt: skip


def table(rows):
    lines = [TITLES, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(TITLES))]
    for place, line in enumerate(lines):
        words = [word.rjust(width) if i > 3 else word.ljust(width) for i, (word, width) in enumerate(zip(line, widths, strict=True))]
        mark = "" if place == 0 or is_clean(rows[place - 1]) else "   FAILED"
        yield "  ".join(words).rstrip() + mark


def tell(run, options):
    """What one run has shown, as it ends. With --json a line for each row."""
    said = sys.stderr if options.json else sys.stdout
    for row in run.rows:
        clean = is_clean(row)
        what = ", ".join(f"{name} {count}" for name, count in sorted(row["injected"].items())) or "nothing happened"
        print(f"{'ok  ' if clean else 'FAIL'} {row['fault']} {row['test']} ({row['store']}, {row['seconds']} s): {what}", file=said)
        for note in row["notes"]:
            print(f"     {note}", file=said)
        if options.json:
            print(json.dumps({**row, "ok": clean}, sort_keys=True), flush=True)
    if not all(map(is_clean, run.rows)):
        print(run.said(), file=said)
    said.flush()


def main():
    options = arguments()
    if options.child:
        child(options)
        return
    runs = chosen(options)
    if options.list:
        for one in {id(fault): fault for fault, _ in runs}.values():
            print(f"F{one.number:<3} {one.test}\n     {one.name}; promises {' '.join(map(str, one.promises))}")
        return
    if not runs:
        sys.exit("none of these faults has a short run" if options.short else "no fault is chosen")
    if options.seed is None:
        options.seed = int(os.environ.get("VIEWFOLD_SEED") or secrets.randbelow(1 << 31))
    said = sys.stderr if options.json else sys.stdout
    print(f"seed: {options.seed} (--seed {options.seed} makes the same choices); {len(runs)} runs", file=said, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through `finally`, so that no child stays behind
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="viewfold-faults-") as folder:
        waiting = [Run(fault, stores, options, folder) for fault, stores in runs]
        at_work, done = [], []
        try:
            while waiting or at_work:
                while waiting and len(at_work) < max(1, options.jobs):
                    at_work.append(waiting.pop(0))
                    at_work[-1].start()
                for one in [one for one in at_work if not one.is_alive()]:
                    at_work.remove(one)
                    done.append(one)
                    tell(one, options)
                time.sleep(0.1)
        finally:
            for one in at_work:
                if one.process:
                    one.process.terminate()
            for one in at_work:
                one.join(90)
    rows = [row for one in sorted(done, key=lambda one: (one.fault.number, one.fault.test)) for row in one.rows]
    if not options.json:
        print("\n" + "\n".join(table(rows)))
        print(f"\n{len(rows)} rows, {sum(not is_clean(row) for row in rows)} failed, {time.monotonic() - started:.0f} s")
    sys.exit(0 if all(map(is_clean, rows)) else 1)


if __name__ == "__main__":
    main()
