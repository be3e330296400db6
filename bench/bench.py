#!/usr/bin/env python3
"""What viewfold costs: events a second, CPU and memory, and how long an event takes to be visible, for each store, with one
and two workers, beside the ceilings of the same run: librdkafka consuming the same records and dropping them, and the store
taking the same batches from a bare C loop. All on one machine, in turn: read the ratios.

    ./dev bench --json FILE           all of it, five runs of each: half an hour on two quiet cores. FILE grows as it goes
    ./dev bench --json FILE --resume  what FILE does not have yet: after an interrupted bench
    ./dev bench --plan                what would be done, and how long it may take
    ./dev bench --workload a --store redis --workers 1 --runs 1 --no-latency --no-memory
    ./dev bench --smoke               a few seconds: does the bench still work
    bench/report.py FILE...           the tables of docs/performance.md and its plots, from FILEs of results

Workloads: a: every event writes a document of its own; b: customers and orders joined, with hot customers; c: few documents
that fold many events; d: the bank view, four topics joined by links and through one another; e: a counter, 16 partitions
into one document (d and e are the samples' scripts, without the store's ceiling and without latencies; --workers may be
1,2,4). Every view is held against what the events say; a wrong one voids the figure and ends the bench.
"""

import argparse
import collections
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import pymongo
import redis
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

import model

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.dirname(os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold")))
# The partitions of each workload's topics.
TOPICS = {
    "order_documents": {"orders": 4},
    "customer_join": {"customers": 2, "orders": 4},
    "hot_accounts": {"accounts": 4},
    "customer_bank_view": {"customers": 2, "accounts": 4, "loans": 4, "cards": 4},
    "orders_per_day": {"orders": 16},
}
LETTERS = {"a": "order_documents", "b": "customer_join", "c": "hot_accounts", "d": "customer_bank_view", "e": "orders_per_day"}
# Those that bench/*.lua are for; the others are the samples' own scripts, without a store's ceiling and without latencies.
PLAIN = list(TOPICS)[:3]
# events, keys, customers: (a) is 100,000 orders of 10 events; in (b) a hot customer has 150 orders, any other 1 or 2.
SIZES = {
    "order_documents": (1_000_000, 100_000, 0),
    "customer_join": (300_000, 30_000, 10_000),
    "hot_accounts": (600_000, 100, 0),
    "customer_bank_view": (300_000, 20_000, 10_000),
    "orders_per_day": (400_000, 200_000, 0),
}
BATCH = 1000
SHARES = [0.25, 0.5, 0.75]


# For the plan only: events a second on two quiet cores, and what a run takes besides (starting, joining the group, checking).
EXPECTED = {"order_documents": {"redis": 130_000, "mongodb": 38_000}, "customer_join": {"redis": 130_000, "mongodb": 50_000}, "hot_accounts": {"redis": 180_000, "mongodb": 170_000}, "customer_bank_view": {"redis": 50_000, "mongodb": 12_000}, "orders_per_day": {"redis": 60_000, "mongodb": 15_000}}
EXPECTED_CONSUME, EXPECTED_PRODUCE, EXPECTED_CHECK = 600_000, 150_000, 30_000
EXPECTED_START_S = 2.0

# One thing to do: how many seconds it may take, what it is, and how.
Step = collections.namedtuple("Step", "seconds label run")


class Void(SystemExit):
    pass


def cpu_of(pid):
    """CPU seconds of a process that lives, its threads included; 0 where it is not ours."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, TypeError, ValueError):
        return 0.0


def peak_mib(pid, before):
    """What a process has had resident at most (not wait4's figure, which knows the time before exec, too)."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return max(before, int(re.search(r"VmHWM:\s*(\d+)", file.read()).group(1)) / 1024)
    except (OSError, AttributeError):
        return before


def run(command, stderr=None):
    """Runs a command; (stdout, user+system CPU seconds, peak resident MiB)."""
    with tempfile.TemporaryFile() as out:
        with subprocess.Popen(command, stdout=out, stderr=stderr, stdin=subprocess.DEVNULL) as process:
            pid, rss = 0, 0
            while pid == 0:
                rss = peak_mib(process.pid, rss)
                time.sleep(0.02)
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if process.returncode != 0:
        if stderr:
            stderr.seek(0)
            sys.stderr.write(stderr.read().decode(errors="replace")[-3000:])
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return text, usage.ru_utime + usage.ru_stime, rss


def say(text):
    print(text, file=sys.stderr, flush=True)


def mongodb_url(database):
    base, _, query = os.environ["VIEWFOLD_MONGODB"].partition("?")
    return f"{base.rstrip('/')}/{database}" + (f"?{query}" if query else "")


class Workload:
    """One workload's records in Kafka."""

    def __init__(self, bench, name, events, keys, customers):
        self.name, self.events, self.keys, self.customers = name, events, keys, customers
        self.brokers = bench.brokers
        self.prefix = f"{bench.prefix}{bench.next()}."
        self.topics = [self.prefix + topic for topic in TOPICS[name]]
        self.admin = AdminClient({"bootstrap.servers": self.brokers})
        wanted = [NewTopic(self.prefix + topic, partitions, 1) for topic, partitions in TOPICS[name].items()]
        for future in self.admin.create_topics(wanted).values():
            future.result(30)

    @property
    def arguments(self):
        return [self.name, str(self.events), str(self.keys), str(self.customers)]

    @property
    def records(self):
        return self.events + self.customers

    def produce(self):
        events = subprocess.Popen([f"{BUILD}/bench-events", self.prefix, *self.arguments], stdout=subprocess.PIPE)
        subprocess.run(
            [f"{BUILD}/vf-produce", "--brokers", self.brokers, "-X", "compression.codec=lz4"],
            stdin=events.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        if events.wait() != 0:
            raise SystemExit("bench-events failed")

    def ends(self):
        """topic/partition -> the end of its log, of those that have anything."""
        asked = {TopicPartition(self.prefix + topic, p): OffsetSpec.latest() for topic, count in TOPICS[self.name].items() for p in range(count)}
        ends = {f"{tp.topic}/{tp.partition}": future.result(30).offset for tp, future in self.admin.list_offsets(asked).items()}
        return {tp: end for tp, end in ends.items() if end > 0}

    def remove(self):
        for future in self.admin.delete_topics(self.topics).values():
            future.result(30)


def script_of(name):
    return os.path.join(ROOT, "bench", name + ".lua") if name in PLAIN else os.path.join(ROOT, "projections", name, name + ".lua")


class View:
    """Where one run's documents lie: a Redis key prefix or a MongoDB database of its own, removed when it was looked at."""

    def __init__(self, bench, workload, store):
        self.workload, self.store, self.client = workload, store, None
        self.place = f"bench{os.getpid()}n{bench.next()}"
        self.where = self.place + ":" if store == "redis" else self.place
        self.url = os.environ["VIEWFOLD_REDIS"] if store == "redis" else mongodb_url(self.place)

    def config(self, folder, group, workers, **more):
        config = {
            # The second worker joins a moment after the first, which is told so at its next heartbeat: by default after up to
            # three seconds, a third of a run.
            "kafka": {"brokers": [self.workload.brokers], "group": group, "properties": {"heartbeat.interval.ms": "200"}},
            "stores": {"redis": {"redis": self.url, "prefix": self.where}} if self.store == "redis" else {"mongodb": {"mongodb": self.url}},
            "topics": {topic: {"topic": self.workload.prefix + topic} for topic in TOPICS[self.workload.name]},
            "projections": [
                {
                    "script": script_of(self.workload.name),
                    "stores": [self.store],
                    "workers": workers,
                }
            ],
            **more,
        }
        path = os.path.join(folder, self.place + ".yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def _redis_documents(self):
        client = redis.from_url(self.url, decode_responses=True)
        start = f"{self.where}{self.workload.name}:1:"
        keys = list(client.scan_iter(match=f"{start}*", count=5000))
        for at in range(0, len(keys), 5000):
            pipeline = client.pipeline(transaction=False)
            for key in keys[at : at + 5000]:
                pipeline.hgetall(key)
            for key, found in zip(keys[at : at + 5000], pipeline.execute()):
                types = json.loads(found.pop("_types", "{}"))
                fields = {k: json.loads(v) if types.get(k) == "json" else v for k, v in found.items() if k[0] != "_" and k != "id"}
                yield key[len(start) :], int(found["_rev"]), fields

    def _mongodb_documents(self):
        client = pymongo.MongoClient(self.url)
        for found in client[self.place][self.workload.name].find({}):
            identity, view = found.pop("_id"), found.pop("_view")
            yield identity, view["rev"], found

    def progress(self):
        """How many records of each partition have been dealt with: topic/partition -> next offset."""
        name = self.workload.name
        if self.store == "redis":
            found = self._client().hgetall(f"{self.where}{name}@1:progress")
            return {tp: json.loads(text)["next"] for tp, text in found.items() if "/" in tp}
        found = self._client()[self.place]["viewfold.progress"].find({}, {"next": 1})
        return {one["_id"].split(" ", 1)[1]: one["next"] for one in found if "next" in one}

    def _client(self):
        if self.client is None:
            self.client = redis.from_url(self.url, decode_responses=True) if self.store == "redis" else pymongo.MongoClient(self.url)
        return self.client

    def check(self):
        """The view against the events' meaning, read by the store's plain client."""
        w = self.workload
        found = self._redis_documents() if self.store == "redis" else self._mongodb_documents()
        there = {identity: (revision, fields) for identity, revision, fields in found}
        for identity, revision, fields in model.documents(w.name, w.events, w.keys, w.customers):
            seen = there.pop(identity, None)
            if seen != (revision, fields):
                raise Void(f"VOID: {w.name} in {self.store}: {identity} is not what the events say\nseen:     {seen}\nexpected: {(revision, fields)}"[:4000])
        if there:
            raise Void(f"VOID: {w.name} in {self.store}: {len(there)} documents too many, such as {next(iter(there))}")

    def remove(self):
        if self.store == "mongodb":
            pymongo.MongoClient(self.url).drop_database(self.place)
            return
        client = redis.from_url(self.url)
        keys = list(client.scan_iter(match=f"{self.where}*", count=5000))
        for at in range(0, len(keys), 5000):
            client.delete(*keys[at : at + 5000])


class Shares(threading.Thread):
    """How even the workers and partitions get on: looks at the progress of a view while every worker has something left, as it
    was when the first one had done its part. A share is the part of its own backlog that was done, over the part that all
    together had done: 1 is even, 0 has got nothing."""

    def __init__(self, view, workers):
        super().__init__(daemon=True)
        self.view, self.over, self.seen = view, threading.Event(), {}
        self.ends = view.workload.ends()
        self.groups = [[] for _ in range(workers)]
        for topic, partitions in TOPICS[view.workload.name].items():
            for worker, group in enumerate(self.groups):  # as the assignor `range` deals them out
                first = worker * (partitions // workers) + min(worker, partitions % workers)
                count = partitions // workers + (worker < partitions % workers)
                group += [tp for tp in (f"{view.workload.prefix}{topic}/{p}" for p in range(first, first + count)) if tp in self.ends]

    def run(self):
        while not self.over.wait(0.02):
            progress = self.view.progress()
            if any(all(progress.get(tp, 0) >= self.ends[tp] for tp in group) for group in self.groups):
                return
            self.seen = progress

    def result(self):
        self.over.set()
        self.join()
        done = sum(self.seen.values()) / sum(self.ends.values())
        result = {"shares_at": done}
        for what, groups in (("worker", self.groups), ("partition", [[tp] for tp in self.ends])):
            if done:
                shares = [sum(self.seen.get(tp, 0) for tp in tps) / sum(self.ends[tp] for tp in tps) / done for tps in groups]
                result |= {f"{what}_least": min(shares), f"{what}_most": max(shares)}
        return result


class Bench:
    def __init__(self, options):
        self.options = options
        self.brokers = os.environ["VIEWFOLD_KAFKA"]
        self.prefix = f"bench{os.getpid()}."
        self.folder = tempfile.mkdtemp(prefix="viewfold-bench-")
        self.number = 0
        self.results = {"machine": machine(), "commands": [], "minutes": 0.0, "runs": [], "rows": [], "latency": [], "memory": []}
        if options.resume:
            self.take_up()
        self.results["commands"].append(" ".join(["./dev", "bench", *sys.argv[1:]]))
        self.minutes_before = self.results["minutes"]

    def next(self):
        self.number += 1
        return self.number

    def server_cpu(self, store):
        return cpu_of(os.environ.get({"redis": "VIEWFOLD_REDIS_PID", "mongodb": "VIEWFOLD_MONGODB_PID"}[store]))

    # --- one run of each kind ---

    def consume(self, workload):
        out, cpu, rss = run(
            [f"{BUILD}/bench-consume", self.brokers, f"{self.prefix}c{self.next()}", str(workload.records), *workload.topics]
        )
        return {
            "events_s": workload.records / json.loads(out)["seconds"],
            "cpu_s_per_million": cpu / workload.records * 1e6,
            "rss_mib": rss,
        }

    def store_alone(self, workload, store, workers):
        view = View(self, workload, store)
        before = self.server_cpu(store)
        out, cpu, rss = run(
            [f"{BUILD}/bench-ceiling", store, view.url, view.where, str(workers), str(BATCH), *workload.arguments]
        )
        server = self.server_cpu(store) - before
        said = json.loads(out)
        if not self.done(workload.name, ("store", store, workers)):
            view.check()  # once: it is the same loop each time
        view.remove()
        return {
            "events_s": workload.records / said["seconds"],
            "cpu_s_per_million": cpu / workload.records * 1e6,
            "server_cpu_s_per_million": server / workload.records * 1e6,
            "rss_mib": rss,
            "writes_per_event": said["documents"] / workload.records,
        }

    def viewfold(self, workload, store, workers, **more):
        view = View(self, workload, store)
        path = view.config(self.folder, f"{self.prefix}g{self.next()}", workers, **more)
        before = self.server_cpu(store)
        shares = Shares(view, workers)
        shares.start()
        with open(path + ".log", "w+b") as log:
            _, cpu, rss = run([f"{BUILD}/viewfold", "run", "--once", "-c", path], stderr=log)
            server = self.server_cpu(store) - before
            log.seek(0)
            text = log.read().decode()
        times = [_milliseconds(m) for m in re.findall(r"time=\S+T(\S+)Z .*msg=assigned", text)]
        end = _milliseconds(re.search(r'time=\S+T(\S+)Z .*msg="caught up"', text).group(1))
        counts = {"documents": 0, "conflicts": 0, "refolds": 0, "batches": 0, "loaded": 0}
        for line in text.splitlines():
            if "msg=ended" in line:
                for key, value in re.findall(r"(\w+)=(\d+)\b", line):
                    counts[key] = counts.get(key, 0) + int(value)
        view.check()
        view.remove()
        return {
            "events_s": workload.records / ((end - min(times)) / 1000),
            "cpu_s_per_million": cpu / workload.records * 1e6,
            "server_cpu_s_per_million": server / workload.records * 1e6,
            "rss_mib": rss,
            "writes_per_event": counts["documents"] / workload.records,
            "conflicts_per_write": counts["conflicts"] / max(1, counts["batches"]),
            "conflicts": counts["conflicts"],
            "refolds": counts["refolds"],
            "refolds_per_write": counts["refolds"] / max(1, counts["batches"]),
            "held_per_event": counts.get("held", 0) / workload.records,
            "load": os.getloadavg()[0],
            **shares.result(),
        }

    # --- throughput ---

    def size_of(self, name):
        events, keys, customers = (max(1, int(size * self.options.scale)) if size else 0 for size in SIZES[name])
        if name == "customer_bank_view":
            events = 15 * keys  # five of each card, account and loan: no card's account may be missing
        return events, SIZES[name][1] if name == "hot_accounts" else keys, customers

    def setups(self, name):
        o = self.options
        kinds = ("store", "viewfold") if name in PLAIN else ("viewfold",)
        return [("consume", None, 1)] + [(what, store, n) for store in o.store for n in o.workers for what in kinds]

    def done(self, name, setup):
        """The runs of one kind that are there."""
        return [run for run in self.results["runs"] if (run["workload"], run["what"], run["store"], run["workers"]) == (name, *setup)]

    def measure(self, workload, setup):
        what, store, n = setup
        if what == "consume":
            result = self.consume(workload)
        elif what == "store":
            result = self.store_alone(workload, store, n)
        else:
            result = self.viewfold(workload, store, n)
        self.results["runs"].append({"workload": workload.name, "what": what, "store": store, "workers": n, "events": workload.records, **result})

    def throughput_steps(self, name):
        """In turn, so that drift of the machine touches all alike."""
        size = self.size_of(name)
        records, documents = size[0] + size[2], size[2] or size[1]
        rounds = [[s for s in self.setups(name) if len(self.done(name, s)) <= number] for number in range(self.options.runs)]
        if not any(rounds):
            return
        made = []
        yield Step(EXPECTED_START_S + records / EXPECTED_PRODUCE, f"{name}: {records:,} events into Kafka", lambda: made.append(self.produced(name, *size)))
        for number, setups in enumerate(rounds, 1):
            for setup in setups:
                what, store, n = setup
                seconds = EXPECTED_START_S + records / (EXPECTED[name][store] if store else EXPECTED_CONSUME) + (documents / EXPECTED_CHECK if store else 0)
                label = f"{name}: run {number} of {self.options.runs}: {called(what, store)}, {n} worker{'s' if n > 1 else ''}"
                yield Step(seconds, label, lambda setup=setup: self.measure(made[0], setup))
        yield Step(0.5, f"{name}: the medians", lambda: (made[0].remove(), [show(row) for row in self.rows() if row["workload"] == name]))

    def produced(self, *what):
        workload = Workload(self, *what)
        workload.produce()
        return workload

    def rows(self):
        """Medians and ranges of the runs that are there."""
        kinds, rows = {}, []
        for run in self.results["runs"]:
            kinds.setdefault((run["workload"], run["what"], run["store"], run["workers"]), []).append(run)
        order = list(TOPICS)
        medians = {kind: statistics.median(run["events_s"] for run in runs) for kind, runs in kinds.items()}
        place = lambda kind: (order.index(kind[0]), kind[1] != "consume", kind[2] != "redis", kind[3], kind[1] == "viewfold")
        for (name, what, store, n), runs in sorted(kinds.items(), key=lambda item: place(item[0])):
            row = {"workload": name, "what": what, "store": store, "workers": n, "runs": len(runs), "events": runs[0]["events"]}
            for key in sorted(set.union(*map(set, runs)) - set(row)):
                values = [run[key] for run in runs if key in run]
                row[key] = statistics.median(values)
                row[key + "_range"] = [min(values), max(values)]
            if n > 1 and (name, what, store, 1) in medians:
                row["times_one"] = row["events_s"] / medians[name, what, store, 1]
            ceilings = [medians.get((name, "consume", None, 1)), medians.get((name, "store", store, n))]
            if what == "viewfold" and ceilings[0]:
                row["of_consume"] = row["events_s"] / ceilings[0]
            if what == "viewfold" and all(ceilings):
                row["of_consume"], row["of_store"] = (row["events_s"] / ceiling for ceiling in ceilings)
                row["of_lower"] = max(row["of_consume"], row["of_store"])
            rows.append(row)
        return rows

    # --- latency ---

    def latency_steps(self):
        o = self.options
        for name in o.workload:
            for store in o.store if name in o.latency_workload else ():
                for n in o.workers:
                    for share in o.shares:
                        if any((row["workload"], row["store"], row["workers"], row["share"]) == (name, store, n, share) for row in self.results["latency"]):
                            continue
                        label = f"{name}: event to visible: {store}, {n} worker{'s' if n > 1 else ''}, at {share:.0%} of the peak"
                        run = lambda point=(name, store, n, share): self.latency(*point)
                        yield Step(2 * EXPECTED_START_S + o.warm_seconds + o.latency_seconds, label, run)

    def latency(self, name, store, workers, share):
        peak = statistics.median(run["events_s"] for run in self.done(name, ("viewfold", store, workers)))
        rate = max(100.0, peak * share)
        events = int(rate * (self.options.warm_seconds + self.options.latency_seconds))
        keys, customers = {"order_documents": (20_000, 0), "customer_join": (events // 10, events // 30), "hot_accounts": (100, 0)}[name]
        workload = Workload(self, name, events - customers, keys, customers)
        view = View(self, workload, store)
        path = view.config(self.folder, f"{self.prefix}g{self.next()}", workers)
        with open(path + ".log", "w+b") as log:
            process = subprocess.Popen([f"{BUILD}/viewfold", "run", "-c", path], stderr=log, stdin=subprocess.DEVNULL)
            try:
                self.wait_for_assignments(process, path + ".log", workers)
                out, _, _ = run(
                    [f"{BUILD}/bench-latency", self.brokers, workload.prefix, store, view.url, view.where, f"{rate:.3f}", str(self.options.warm_seconds)]
                    + workload.arguments
                )
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        said = json.loads(out)
        if said["unseen"]:
            with open(path + ".log", "a+b") as log:
                run([f"{BUILD}/viewfold", "run", "--once", "-c", path], stderr=log)  # what was not reached in time
        view.check()
        view.remove()
        workload.remove()
        row = {"workload": name, "store": store, "workers": workers, "share": share, "rate": rate, "late_ms": said["late_ms"], "unseen": said["unseen"]}
        for key in ("p50", "p99", "p999"):
            values = [window[key] for window in said["windows"]]
            row[key + "_ms"] = statistics.median(values)
            row[key + "_ms_range"] = [min(values), max(values)]
        self.results["latency"].append(row)
        say(
            f"{name:16} {store:8} {workers} worker{'s' if workers > 1 else ' '} at {share:.0%} of peak ({rate:,.0f}/s): "
            f"p50 {row['p50_ms']:.1f} p99 {row['p99_ms']:.1f} p99.9 {row['p999_ms']:.1f} ms; "
            f"{row['unseen']} not seen; producer late {row['late_ms']:.1f} ms at most"
        )

    @staticmethod
    def wait_for_assignments(process, path, workers):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with open(path, encoding="utf-8") as file:
                if len(set(re.findall(r"worker=(\S+) .*msg=assigned", file.read()))) >= workers:
                    return
            time.sleep(0.05)
        with open(path, encoding="utf-8") as file:
            raise SystemExit(f"viewfold did not start:\n{file.read()[-2000:]}")

    # --- memory ---

    def memory_steps(self):
        """What is resident while a backlog of 20 times the budget is worked off. docs/performance.md says what the budget is."""
        cache, queue, batch = 16, 4, 4  # MiB; the last is batch.bytes, and batch.written
        budget = cache + queue + 2 * (batch + batch)
        backlog = 20 * budget * self.options.scale
        events = int(backlog * 2**20 / 250)
        stores = [store for store in self.options.store if not any(row["store"] == store for row in self.results["memory"])]
        if not stores:
            return
        made = []
        more = {"defaults": {"cache": f"{cache}MiB", "batch": {"bytes": f"{batch}MiB", "written": f"{batch}MiB"}}}

        def one(store):
            row = {"store": store, "workers": 1, "backlog_mib": backlog, "budget_mib": budget, **self.viewfold(made[0], store, 1, **more)}
            self.results["memory"].append(row)
            say(f"{store}: {row['rss_mib']:.0f} MiB resident at most, with a budget of {budget} MiB and a backlog of {backlog:,.0f} MiB")

        seconds = EXPECTED_START_S + events / EXPECTED_PRODUCE
        yield Step(seconds, f"memory: a backlog of {backlog:,.0f} MiB into Kafka", lambda: made.append(self.produced("order_documents", events, 100_000, 0)))
        for store in stores:
            yield Step(EXPECTED_START_S + events / EXPECTED["order_documents"][store], f"memory: {store} works it off", lambda store=store: one(store))
        yield Step(0.1, "memory: done", lambda: made[0].remove())

    # --- all of it ---

    def steps(self):
        o = self.options
        for name in o.workload:
            yield from self.throughput_steps(name)
        if o.memory:
            yield from self.memory_steps()
        if o.latency:
            yield from self.latency_steps()

    def all(self):
        """Every step is in the file when the next one begins, so that an interrupted bench has not been for nothing."""
        steps, began, expected = list(self.steps()), time.monotonic(), 0.0
        whole = sum(step.seconds for step in steps)
        say(f"{len(steps)} steps, about {whole / 60:.0f} minutes on two quiet cores like those that docs/performance.md names")
        for number, step in enumerate(steps, 1):
            passed = time.monotonic() - began
            pace = passed / expected if expected > 60 else max(1.0, passed / expected if expected else 1.0)
            left = (whole - expected) * pace
            clock = f"{passed // 60:.0f}:{passed % 60:02.0f}, {left / 60:.0f} min to go"
            say(f"[{number}/{len(steps)}, {clock}] {step.label}" if not self.options.plan else f"{step.seconds:6.1f} s  {step.label}")
            if self.options.plan:
                continue
            step.run()
            expected += step.seconds
            self.results["minutes"] = round(self.minutes_before + (time.monotonic() - began) / 60, 1)
            self.save()

    def take_up(self):
        """The results of an interrupted bench, of the same sources on the same machine."""
        if not os.path.exists(self.options.json):
            return
        with open(self.options.json, encoding="utf-8") as file:
            there = json.load(file)
        for key in ("commit", "cpu", "cores"):
            if there["machine"][key] != self.results["machine"][key]:
                raise SystemExit(f"{self.options.json} has the {key} {there['machine'][key]}, and this is {self.results['machine'][key]}: not to be mixed")
        self.results = there

    def save(self):
        self.results["rows"] = self.rows()
        if self.options.json:
            with open(self.options.json + ".part", "w", encoding="utf-8") as file:
                json.dump(self.results, file, indent=1, sort_keys=True)
                file.write("\n")
            os.replace(self.options.json + ".part", self.options.json)


def called(what, store):
    return {"consume": "librdkafka alone", "store": f"{store} alone", "viewfold": f"viewfold, {store}"}[what]


def show(row):
    low, high = row["events_s_range"]
    line = (
        f"{row['workload']:16} {called(row['what'], row['store']):18} {row['workers']} worker{'s' if row['workers'] > 1 else ' '} "
        f"{row['events_s']:>9,.0f} events/s ({low:,.0f}-{high:,.0f}); "
        f"CPU s/M {row['cpu_s_per_million']:.2f} + server {row.get('server_cpu_s_per_million', 0):.2f}; {row['rss_mib']:.0f} MiB"
    )
    if "times_one" in row:
        line += f"; {row['times_one']:.2f} times one worker"
    if row["what"] == "viewfold":
        line += f"; {row['writes_per_event']:.3f} writes/event; {row['conflicts_per_write']:.3f} conflicts/write; {row['refolds_per_write']:.3f} refolds/write"
    if row.get("held_per_event"):
        line += f"; {row['held_per_event']:.2f} of the events held"
    if "worker_least" in row:
        line += f"; shares: workers {row['worker_least']:.2f}-{row['worker_most']:.2f}, partitions {row['partition_least']:.2f}-{row['partition_most']:.2f}"
    if "of_store" in row:
        line += f"; {row['of_store']:.2f} of the store alone, {row['of_consume']:.2f} of librdkafka alone"
    say(line)


def _commit():
    """Of the sources; nothing where they came without their history, or there is no git."""
    git = shutil.which("git")
    if not git:
        return ""
    return subprocess.run([git, "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = re.search(r"model name\s*: (.*)", file.read())
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read()).group(1)) // 1024
    clients = {
        "redis": lambda: redis.from_url(os.environ["VIEWFOLD_REDIS"]).info()["redis_version"],
        "mongodb": lambda: pymongo.MongoClient(os.environ["VIEWFOLD_MONGODB"]).server_info()["version"],
    }
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": memory,
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        **{name: ask() for name, ask in clients.items()},
    }


def _milliseconds(clock):
    hours, minutes, seconds = clock.split(":")
    return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000


def options():
    def several(kind, allowed=None):
        def read(text):
            values = [kind(part) for part in text.split(",") if part]
            for value in values:
                if allowed and value not in allowed:
                    raise argparse.ArgumentTypeError(f"{value} is none of {', '.join(map(str, allowed))}")
            return values

        return read

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", type=several(str, [*LETTERS, *TOPICS]), default=list(LETTERS), metavar="a,b,c,d,e")
    parser.add_argument("--store", type=several(str, ["redis", "mongodb"]), default=["redis", "mongodb"], metavar="redis,mongodb")
    parser.add_argument("--workers", type=several(int, [1, 2, 4]), default=[1, 2], metavar="1,2")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turn; medians are shown (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the workloads' sizes (default 1)")
    parser.add_argument("--latency-seconds", type=float, default=4, help="of each load, in five windows (default 4)")
    parser.add_argument("--warm-seconds", type=float, default=1.5, help="before these (default 1.5)")
    parser.add_argument("--shares", type=several(float), default=SHARES, help="of the peak, for latency (default 0.25,0.5,0.75)")
    parser.add_argument("--no-latency", dest="latency", action="store_false")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--json", metavar="FILE", help="where the results go as JSON, for report.py")
    parser.add_argument("--resume", action="store_true", help="go on with what FILE does not have")
    parser.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--smoke", action="store_true", help="tiny: says whether the bench works, and nothing about speed")
    chosen = parser.parse_args()
    if chosen.resume and not chosen.json:
        parser.error("--resume goes on with the FILE of --json")
    chosen.latency_workload = PLAIN
    if chosen.smoke:
        chosen.latency_workload = ["order_documents"]
        chosen.workload, chosen.runs, chosen.scale, chosen.workers = ["a", "b", "d", "e"], 1, 0.005, [1]
        chosen.warm_seconds, chosen.latency_seconds, chosen.shares = 0.2, 0.5, [0.1]
    chosen.workload = [LETTERS.get(name, name) for name in chosen.workload if name]
    return chosen


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Bench(options()).all()


if __name__ == "__main__":
    main()
