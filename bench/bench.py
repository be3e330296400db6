#!/usr/bin/env python3
"""What viewfold costs: events a second, CPU and memory, and how long an event takes to be visible, for each store, with one
and two workers, beside the ceilings of the same run: librdkafka consuming the same records and dropping them, and the store
taking the same batches from a bare C loop. All on one machine, in turn: read the ratios.

    ./dev bench                       all of it, five runs of each: half an hour on two quiet cores
    ./dev bench --workload a --store redis --workers 1 --runs 1 --no-latency --no-memory
    ./dev bench --smoke               a few seconds: does the bench still work
    bench/report.py FILE              the tables of docs/performance.md and its plots, from a FILE of results

Workloads: a: every event writes a document of its own; b: customers and orders joined, with hot customers; c: few documents
that fold many events. Every view is held against what the events say; a wrong one voids the figure and ends the bench.
"""

import argparse
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
import time

import pymongo
import redis
from confluent_kafka.admin import AdminClient, NewTopic

import model

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.dirname(os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold")))
PARTITIONS = {"customers": 2, "orders": 4, "accounts": 4}
TOPICS = {"order_documents": ["orders"], "customer_join": ["customers", "orders"], "hot_accounts": ["accounts"]}
LETTERS = {"a": "order_documents", "b": "customer_join", "c": "hot_accounts"}
# events, keys, customers: (a) is 100,000 orders of 10 events; in (b) a hot customer has 150 orders, any other 1 or 2.
SIZES = {
    "order_documents": (1_000_000, 100_000, 0),
    "customer_join": (300_000, 30_000, 10_000),
    "hot_accounts": (1_000_000, 100, 0),
}
BATCH = 1000
SHARES = [0.25, 0.5, 0.75]


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
        wanted = [NewTopic(self.prefix + topic, PARTITIONS[topic], 1) for topic in TOPICS[name]]
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

    def remove(self):
        for future in self.admin.delete_topics(self.topics).values():
            future.result(30)


class View:
    """Where one run's documents lie: a Redis key prefix or a MongoDB database of its own, removed when it was looked at."""

    def __init__(self, bench, workload, store):
        self.workload, self.store = workload, store
        self.place = f"bench{os.getpid()}n{bench.next()}"
        self.where = self.place + ":" if store == "redis" else self.place
        self.url = os.environ["VIEWFOLD_REDIS"] if store == "redis" else mongodb_url(self.place)

    def config(self, folder, group, workers, **more):
        config = {
            "kafka": {"brokers": [self.workload.brokers], "group": group},
            "stores": {"redis": {"redis": self.url, "prefix": self.where}} if self.store == "redis" else {"mongodb": {"mongodb": self.url}},
            "topics": {topic: {"topic": self.workload.prefix + topic} for topic in TOPICS[self.workload.name]},
            "projections": [
                {
                    "script": os.path.join(ROOT, "bench", self.workload.name + ".lua"),
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

    def check(self):
        """The view against the events' meaning, read by the store's plain client."""
        w = self.workload
        found = self._redis_documents() if self.store == "redis" else self._mongodb_documents()
        there = {identity: (revision, fields) for identity, revision, fields in found}
        for identity, revision, fields in model.documents(w.name, w.events, w.keys, w.customers):
            if there.pop(identity, None) != (revision, fields):
                raise Void(f"VOID: {w.name} in {self.store}: {identity} is not what the events say")
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


class Bench:
    def __init__(self, options):
        self.options = options
        self.brokers = os.environ["VIEWFOLD_KAFKA"]
        self.prefix = f"bench{os.getpid()}."
        self.folder = tempfile.mkdtemp(prefix="viewfold-bench-")
        self.number = 0
        self.results = {"machine": machine(), "command": " ".join(["./dev", "bench", *sys.argv[1:]]), "rows": [], "latency": [], "memory": []}

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
        view.check()
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
        }

    # --- throughput ---

    def measure(self, name):
        o = self.options
        events, keys, customers = (max(1, int(size * o.scale)) if size else 0 for size in SIZES[name])
        if name == "hot_accounts":
            keys = SIZES[name][1]
        workload = Workload(self, name, events, keys, customers)
        workload.produce()
        setups = [("consume", None, 1)]
        setups += [(what, store, n) for store in o.store for n in o.workers for what in ("store", "viewfold")]
        results = {setup: [] for setup in setups}
        for _ in range(o.runs):  # in turn, so that drift of the machine touches all alike
            for what, store, n in setups:
                if what == "consume":
                    result = self.consume(workload)
                elif what == "store":
                    result = self.store_alone(workload, store, n)
                else:
                    result = self.viewfold(workload, store, n)
                results[what, store, n].append(result)
        workload.remove()
        medians = {setup: statistics.median(r["events_s"] for r in runs) for setup, runs in results.items()}
        for (what, store, n), runs in results.items():
            row = {"workload": name, "what": what, "store": store, "workers": n, "runs": o.runs, "events": events + customers}
            for key in runs[0]:
                values = [r[key] for r in runs]
                row[key] = statistics.median(values)
                row[key + "_range"] = [min(values), max(values)]
            if what == "viewfold":
                row["of_consume"] = row["events_s"] / medians["consume", None, 1]
                row["of_store"] = row["events_s"] / medians["store", store, n]
                row["of_lower"] = max(row["of_consume"], row["of_store"])
            self.results["rows"].append(row)
            show(row)
        return {(store, n): m for (what, store, n), m in medians.items() if what == "viewfold"}

    # --- latency ---

    def latency(self, name, store, workers, share, peak):
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
        with open(path + ".log", "a+b") as log:
            run([f"{BUILD}/viewfold", "run", "--once", "-c", path], stderr=log)  # what was not reached in time
        view.check()
        view.remove()
        workload.remove()
        said = json.loads(out)
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

    def memory(self, store):
        """What is resident while a backlog of 20 times the budget is worked off. docs/performance.md says what the budget is."""
        cache, queue, batch = 16, 12, 4  # MiB; the last is batch.bytes, and batch.written
        budget = cache + queue + 2 * (batch + batch)
        backlog = 20 * budget * self.options.scale
        workload = Workload(self, "order_documents", int(backlog * 2**20 / 250), 100_000, 0)
        workload.produce()
        more = {"defaults": {"cache": f"{cache}MiB", "batch": {"bytes": f"{batch}MiB", "written": f"{batch}MiB"}}}
        result = self.viewfold(workload, store, 1, **more)
        workload.remove()
        row = {"store": store, "workers": 1, "backlog_mib": backlog, "budget_mib": budget, **result}
        self.results["memory"].append(row)
        say(f"{store}: {row['rss_mib']:.0f} MiB resident at most, with a budget of {budget} MiB and a backlog of {backlog:,.0f} MiB")

    # --- all of it ---

    def all(self):
        o = self.options
        began = time.monotonic()
        for name in o.workload:
            peaks = self.measure(name)
            for (store, n), peak in peaks.items() if o.latency else ():
                for share in o.shares if name in o.latency_workload else ():
                    self.latency(name, store, n, share, peak)
            self.save()
        for store in o.store if o.memory else ():
            self.memory(store)
        self.results["minutes"] = round((time.monotonic() - began) / 60, 1)
        self.save()

    def save(self):
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as file:
                json.dump(self.results, file, indent=1, sort_keys=True)
                file.write("\n")


def show(row):
    low, high = row["events_s_range"]
    what = {"consume": "librdkafka alone", "store": f"{row['store']} alone", "viewfold": f"viewfold, {row['store']}"}[row["what"]]
    line = (
        f"{row['workload']:16} {what:18} {row['workers']} worker{'s' if row['workers'] > 1 else ' '} "
        f"{row['events_s']:>9,.0f} events/s ({low:,.0f}-{high:,.0f}); "
        f"CPU s/M {row['cpu_s_per_million']:.2f} + server {row.get('server_cpu_s_per_million', 0):.2f}; {row['rss_mib']:.0f} MiB"
    )
    if row["what"] == "viewfold":
        line += (
            f"; {row['writes_per_event']:.3f} writes/event; {row['conflicts_per_write']:.3f} conflicts/write; "
            f"{row['of_store']:.2f} of the store alone, {row['of_consume']:.2f} of librdkafka alone"
        )
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
    parser.add_argument("--workload", type=several(str, [*LETTERS, *TOPICS]), default=list(LETTERS), metavar="a,b,c")
    parser.add_argument("--store", type=several(str, ["redis", "mongodb"]), default=["redis", "mongodb"], metavar="redis,mongodb")
    parser.add_argument("--workers", type=several(int, [1, 2, 4]), default=[1, 2], metavar="1,2")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turn; medians are shown (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the workloads' sizes (default 1)")
    parser.add_argument("--latency-seconds", type=float, default=10, help="of each load, in five windows (default 10)")
    parser.add_argument("--warm-seconds", type=float, default=3, help="before these (default 3)")
    parser.add_argument("--shares", type=several(float), default=SHARES, help="of the peak, for latency (default 0.25,0.5,0.75)")
    parser.add_argument("--no-latency", dest="latency", action="store_false")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--json", metavar="FILE", help="where the results go as JSON, for report.py")
    parser.add_argument("--smoke", action="store_true", help="tiny: says whether the bench works, and nothing about speed")
    chosen = parser.parse_args()
    chosen.latency_workload = list(TOPICS)
    if chosen.smoke:
        chosen.latency_workload = ["order_documents"]
        chosen.workload, chosen.runs, chosen.scale, chosen.workers = ["a", "b"], 1, 0.005, [1]
        chosen.warm_seconds, chosen.latency_seconds, chosen.shares = 0.2, 0.5, [0.1]
    chosen.workload = [LETTERS.get(name, name) for name in chosen.workload if name]
    return chosen


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Bench(options()).all()


if __name__ == "__main__":
    main()
