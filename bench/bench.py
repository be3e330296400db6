#!/usr/bin/env python3
"""What viewfold costs: events a second and CPU-seconds a million events, for each store, with one and two workers, beside
librdkafka consuming the same records and dropping them. Side by side in one run on one machine: read the ratios.

    ./dev bench [--events 1000000] [--orders 100000] [--customers 10000] [--store cache|documents] [--runs N] [--json]

Every view is first held against what the events say; a wrong one voids the figure.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile

import pymongo
import redis
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.dirname(os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold")))
PARTITIONS = {"customers": 2, "orders": 4}
WORKLOADS = {"order_documents": ["orders"], "customer_join": ["customers", "orders"]}


def cpu_of(pid):
    """CPU seconds of a process that lives, its threads included; 0 where it is not ours."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, TypeError, ValueError):
        return 0.0


def run(command, stderr=None):
    """Runs a command; (stdout, user+system CPU seconds, peak resident MiB)."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL) as process:
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        if stderr:
            stderr.seek(0)
            sys.stderr.write(stderr.read().decode(errors="replace")[-3000:])
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return out.decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, options):
        self.options = options
        self.brokers = os.environ["VIEWFOLD_KAFKA"]
        self.prefix = f"bench{os.getpid()}."
        self.folder = tempfile.mkdtemp(prefix="viewfold-bench-")
        self.rows = []
        self.number = 0

    def produce(self):
        admin = AdminClient({"bootstrap.servers": self.brokers})
        topics = [NewTopic(self.prefix + name, count, 1) for name, count in PARTITIONS.items()]
        for future in admin.create_topics(topics).values():
            future.result(30)
        o = self.options
        events = subprocess.Popen(
            [f"{BUILD}/bench-events", self.prefix, str(o.orders), str(o.customers), str(o.events)], stdout=subprocess.PIPE
        )
        subprocess.run(
            [f"{BUILD}/vf-produce", "--brokers", self.brokers, "-X", "compression.codec=lz4"],
            stdin=events.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        if events.wait() != 0:
            raise SystemExit("bench-events failed")

    def records(self, workload):
        return self.options.events + (self.options.customers if "customers" in WORKLOADS[workload] else 0)

    def ceiling(self, workload):
        self.number += 1
        topics = [self.prefix + name for name in WORKLOADS[workload]]
        wanted = self.records(workload)
        out, cpu, rss = run(
            [f"{BUILD}/bench-consume", self.brokers, f"{self.prefix}c{self.number}", str(wanted), *topics]
        )
        seconds = json.loads(out)["seconds"]
        return {"events_s": wanted / seconds, "cpu_s_per_million": cpu / wanted * 1e6, "rss_mib": rss}

    def config(self, workload, store, workers):
        self.number += 1
        base, _, query = os.environ["VIEWFOLD_MONGODB"].partition("?")
        database = f"bench{os.getpid()}n{self.number}"
        config = {
            "kafka": {"brokers": [self.brokers], "group": f"{self.prefix}g{self.number}"},
            "stores": {
                "cache": {"redis": os.environ["VIEWFOLD_REDIS"], "prefix": f"{database}:"},
                "documents": {"mongodb": f"{base.rstrip('/')}/{database}" + (f"?{query}" if query else "")},
            },
            "topics": {name: {"topic": self.prefix + name} for name in WORKLOADS[workload]},
            "projections": [
                {"script": os.path.join(ROOT, "bench", workload + ".lua"), "stores": [store], "workers": workers}
            ],
        }
        path = os.path.join(self.folder, f"{self.number}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path, database

    def viewfold(self, workload, store, workers):
        path, database = self.config(workload, store, workers)
        pid = os.environ.get("VIEWFOLD_REDIS_PID" if store == "cache" else "VIEWFOLD_MONGODB_PID")
        before = cpu_of(pid)
        with open(path + ".log", "w+b") as log:
            _, cpu, rss = run([f"{BUILD}/viewfold", "run", "--once", "-c", path], stderr=log)
            server = cpu_of(pid) - before
            log.seek(0)
            text = log.read().decode()
        wanted = self.records(workload)
        times = [_milliseconds(m) for m in re.findall(r"time=\S+T(\S+)Z .*msg=assigned", text)]
        end = _milliseconds(re.search(r'time=\S+T(\S+)Z .*msg="caught up"', text).group(1))
        seconds = (end - min(times)) / 1000
        counts = {}
        for line in text.splitlines():
            if "msg=ended" in line:
                for key, value in re.findall(r"(\w+)=(\d+)\b", line):
                    counts[key] = counts.get(key, 0) + int(value)
        self.check(workload, store, database)
        return {
            "events_s": wanted / seconds,
            "cpu_s_per_million": cpu / wanted * 1e6,
            "server_cpu_s_per_million": server / wanted * 1e6,
            "rss_mib": rss,
            "writes_per_event": counts.get("documents", 0) / wanted,
            "conflicts": counts.get("conflicts", 0),
            "refolds": counts.get("refolds", 0),
        }

    def check(self, workload, store, database):
        """The view against the events' meaning, by the store's plain client; then the view is removed."""
        o = self.options
        each = o.events // o.orders
        revisions = 0
        documents = 0
        if store == "cache":
            client = redis.from_url(os.environ["VIEWFOLD_REDIS"], decode_responses=True)
            keys = list(client.scan_iter(match=f"{database}:{workload}:1:*", count=5000))
            for start in range(0, len(keys), 5000):
                pipeline = client.pipeline(transaction=False)
                for key in keys[start : start + 5000]:
                    pipeline.hmget(key, "_rev", "step", "steps", "orders")
                for rev, step, steps, orders in pipeline.execute():
                    documents += 1
                    revisions += int(rev)
                    self._check_document(workload, step, steps, orders, each)
            for start in range(0, len(keys), 5000):
                client.delete(*keys[start : start + 5000])
            for key in client.scan_iter(match=f"{database}:*", count=5000):
                client.unlink(key)
        else:
            client = pymongo.MongoClient(os.environ["VIEWFOLD_MONGODB"])
            for found in client[database][workload].find({}, {"_view.rev": 1, "step": 1, "steps": 1, "orders": 1}):
                documents += 1
                revisions += found["_view"]["rev"]
                self._check_document(workload, found.get("step"), found.get("steps"), found.get("orders"), each)
            client.drop_database(database)
        wanted = o.orders if workload == "order_documents" else o.customers
        if documents != wanted or revisions != self.records(workload):
            raise SystemExit(
                f"VOID: {workload} in {store}: {documents} documents of {wanted}, {revisions} events of "
                f"{self.records(workload)}"
            )

    def _check_document(self, workload, step, steps, orders, each):
        if workload == "order_documents":
            right = int(step) == each
        else:
            right = int(steps) == int(orders) * (each - 1)
        if not right:
            raise SystemExit(f"VOID: {workload}: a document is wrong: {step} {steps} {orders}")

    def measure(self):
        o = self.options
        for workload in WORKLOADS:
            if o.workload and workload not in o.workload:
                continue
            setups = [("consume and drop", None, 1)]
            setups += [(f"viewfold, {store}", store, workers) for store in o.store for workers in o.workers]
            results = {setup: [] for setup in setups}
            for _ in range(o.runs):  # in turn, so that drift of the machine touches all alike
                for setup in setups:
                    _, store, workers = setup
                    results[setup].append(self.viewfold(workload, store, workers) if store else self.ceiling(workload))
            top = statistics.median(r["events_s"] for r in results[setups[0]])
            for setup, runs in results.items():
                row = {"workload": workload, "what": setup[0], "workers": setup[2], "runs": o.runs}
                for key in runs[0]:
                    values = [r[key] for r in runs]
                    row[key] = statistics.median(values)
                    row[key + "_range"] = [min(values), max(values)]
                row["of_ceiling"] = row["events_s"] / top
                self.rows.append(row)
                self.show(row)

    def show(self, row):
        if self.options.json:
            print(json.dumps(row, sort_keys=True), flush=True)
            return
        low, high = row["events_s_range"]
        print(
            f"{row['workload']:16} {row['what']:20} {row['workers']} worker{'s' if row['workers'] > 1 else ' '} "
            f"{row['events_s']:>9,.0f} events/s ({low:,.0f}-{high:,.0f}), {row['of_ceiling']:.2f} of the ceiling; "
            f"CPU s/M {row['cpu_s_per_million']:.2f} + server {row.get('server_cpu_s_per_million', 0):.2f}; "
            f"{row['rss_mib']:.0f} MiB; {row.get('writes_per_event', 0):.3f} writes/event; "
            f"{row.get('conflicts', 0):.0f} conflicts",
            flush=True,
        )


def _milliseconds(clock):
    hours, minutes, seconds = clock.split(":")
    return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--store", action="append", choices=["cache", "documents"])
    parser.add_argument("--workload", action="append", choices=list(WORKLOADS))
    parser.add_argument("--workers", type=int, action="append")
    parser.add_argument("--runs", type=int, default=1, help="runs of each, in turn; medians are shown (default 1)")
    parser.add_argument("--json", action="store_true", help="a JSON line for each row")
    options = parser.parse_args()
    options.store = options.store or ["cache", "documents"]
    options.workers = options.workers or [1, 2]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bench = Bench(options)
    bench.produce()
    bench.measure()


if __name__ == "__main__":
    main()
