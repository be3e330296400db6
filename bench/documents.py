#!/usr/bin/env python3
"""What large and hot documents cost, for docs/large-documents.md: a line for each measurement, in both stores.

    ./dev bench documents                       all parts; a few minutes
    ./dev bench documents --part customer       a customer of customer_orders with ever more orders: what a write of it costs,
                                                one event at a time, and 1,000 events at a time
    ./dev bench documents --part limit          until it is larger than limits.document
    ./dev bench documents --part day            a day of orders_per_day with ever more orders
    ./dev bench documents --part counter        16 partitions that count into one document: what helps
    ./dev bench documents --part fields         Redis: an upper bound of what sending only the changed fields could save

Times and CPU are those of this machine at this moment: its load is printed; read the ratios. Bytes and counts are exact.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pymongo
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

import bench

AT = "2026-03-01T10:00:00.000Z"
PARTS = ["customer", "limit", "day", "counter", "fields"]
SIZES = [100, 1000, 2500, 5000, 10_000]
COUNTER = """return {
  name = "orders_per_day", topics = { "orders" }, versions = "%s", key = { order = function(e) return e.time:sub(1, 10)%s end },
  initial = { created = 0, shipped = 0 }, on = { OrderCreated = function(doc) doc.created = doc.created + 1 end,
  OrderShipped = function(doc) doc.shipped = doc.shipped + 1 end },
}"""


def event(kind, identity, version, type_name, data):
    aggregate = {"kind": kind, "id": identity, "version": version, "event_id": f"{identity}-{version}", "type": type_name, "time": AT, "data": data}
    return json.dumps(aggregate, separators=(",", ":"))


class Log:
    """Topics of their own, and what is produced to them."""

    def __init__(self, topics):
        self.brokers = os.environ["VIEWFOLD_KAFKA"]
        self.prefix = f"documents{os.getpid()}n{time.monotonic_ns()}."
        self.topics = topics
        self.admin = AdminClient({"bootstrap.servers": self.brokers})
        self.producer = Producer({"bootstrap.servers": self.brokers, "linger.ms": "5", "compression.codec": "lz4", "queue.buffering.max.messages": "2000000"})
        for future in self.admin.create_topics([NewTopic(self.prefix + t, count, 1) for t, count in topics.items()]).values():
            future.result(30)
        self.produced = 0

    def put(self, topic, key, value):
        self.producer.produce(self.prefix + topic, value, key)
        self.produced += 1
        if self.produced % 1000 == 0:
            self.producer.poll(0)

    def flush(self):
        self.producer.flush(120)

    def remove(self):
        for future in self.admin.delete_topics([self.prefix + t for t in self.topics]).values():
            future.result(30)


class Store:
    """A place of its own in a store, and what the server has had to do."""

    def __init__(self, kind, name):
        self.kind, self.name, self.place = kind, name, f"documents{os.getpid()}n{time.monotonic_ns()}"
        if kind == "redis":
            self.url, self.client = os.environ["VIEWFOLD_REDIS"], redis.from_url(os.environ["VIEWFOLD_REDIS"], decode_responses=True)
            self.config = {"redis": self.url, "prefix": self.place + ":"}
        else:
            self.url = bench.mongodb_url(self.place)
            self.client = pymongo.MongoClient(self.url)
            self.config = {"mongodb": self.url}
        self.pid = os.environ.get(f"VIEWFOLD_{kind.upper()}_PID")

    def dealt_with(self):
        if self.kind == "redis":
            found = self.client.hgetall(f"{self.place}:{self.name}@1:progress")
            return sum(json.loads(text)["next"] for tp, text in found.items() if "/" in tp)
        return sum(one.get("next", 0) for one in self.client[self.place]["viewfold.progress"].find({}, {"next": 1}))

    def bytes_in(self):
        if self.kind == "redis":
            return self.client.info("stats")["total_net_input_bytes"]
        return self.client.admin.command("serverStatus")["network"]["bytesIn"]

    def documents(self):
        """id -> (revision, what the document takes in the store: bytes)."""
        if self.kind == "redis":
            start = f"{self.place}:{self.name}:1:"
            hashes = {key[len(start) :]: self.client.hgetall(key) for key in self.client.scan_iter(match=start + "*", count=1000)}
            return {i: (int(h["_rev"]), sum(len(f) + len(v.encode()) for f, v in h.items()), h) for i, h in hashes.items()}
        found = self.client[self.place][self.name + ".g1"].aggregate([{"$set": {"bytes": {"$bsonSize": "$$ROOT"}}}])
        return {one["_id"]: (one["_view"]["rev"], one.pop("bytes"), one) for one in found}

    def used(self):
        """Bytes that all of it takes."""
        if self.kind == "redis":
            return self.client.info("memory")["used_memory"]
        return self.client[self.place].command("dbStats")["storageSize"]

    def remove(self):
        if self.kind == "mongodb":
            self.client.drop_database(self.place)
            return
        keys = list(self.client.scan_iter(match=f"{self.place}:*", count=5000))
        for at in range(0, len(keys), 5000):
            self.client.unlink(*keys[at : at + 5000])


class Viewfold:
    """A process that keeps one view up to date."""

    def __init__(self, folder, log, store, script, workers=1, once=False, **defaults):
        name = os.path.join(folder, f"{time.monotonic_ns()}")
        config = {
            "kafka": {"brokers": [log.brokers], "group": store.place, "properties": {"heartbeat.interval.ms": "200"}},
            "stores": {"s": store.config},
            "topics": {topic: {"topic": log.prefix + topic} for topic in log.topics},
            "projections": [{"script": script, "stores": ["s"], "workers": workers}],
            "defaults": defaults,
        }
        with open(name + ".yaml", "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.store, self.log_path = store, name + ".log"
        with open(self.log_path, "wb") as out:
            command = [f"{bench.BUILD}/viewfold", "run", *(["--once"] if once else []), "-c", name + ".yaml"]
            self.process = subprocess.Popen(command, stderr=out, stdin=subprocess.DEVNULL)

    def text(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def wait_for(self, dealt_with, seconds=600):
        deadline = time.monotonic() + seconds
        while self.store.dealt_with() < dealt_with:
            if self.process.poll() is not None or "level=error" in self.text() or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def now(self):
        return time.monotonic(), bench.cpu_of(self.process.pid), bench.cpu_of(self.store.pid), self.store.bytes_in()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        ended = [line for line in self.text().splitlines() if line.endswith("msg=ended")]
        counts = ("batches", "documents", "aggregates", "conflicts", "refolds")
        return {key: sum(int(n) for line in ended for n in re.findall(rf" {key}=(\d+)", line)) for key in counts}

    def need(self, condition):
        if not condition:
            raise SystemExit(f"viewfold did not get there:\n{self.text()[-3000:]}")


def script_of(name):
    return os.path.join(bench.ROOT, "projections", name, name + ".lua")


# --- a customer with many orders ----------------------------------------------------------------------------------------


class Customer:
    """One customer whose orders become more, as the events of two topics."""

    def __init__(self):
        self.log = Log({"customers": 1, "orders": 1})
        self.log.put("customers", "c1", event("customer", "c1", 1, "CustomerCreated", {"name": "Fred", "creditLimit": {"amount": "2000"}}))
        self.orders, self.versions = 0, {}

    def grow(self, to):
        for number in range(self.orders, to):
            self.log.put("orders", f"o{number}", event("order", f"o{number}", 1, "OrderCreated", {"customerId": "c1", "orderTotal": {"amount": "1234"}}))
            self.versions[number] = 1
        self.orders = max(self.orders, to)
        self.log.flush()

    def change(self, count):
        """That many events of orders that are there, spread over all of them."""
        for n in range(count):
            number = n * 7919 % self.orders
            self.versions[number] += 1
            state = ("OrderApproved", "OrderShipped")[self.versions[number] % 2]
            self.log.put("orders", f"o{number}", event("order", f"o{number}", self.versions[number], state, {}))
        self.log.flush()

    def check(self, store):
        """The document against what was said above."""
        revision, size, document = store.documents()["c1"]
        orders = json.loads(document["orders"]) if store.kind == "redis" else document["orders"]
        states = {1: "PENDING"} | {v: ("APPROVED", "SHIPPED")[v % 2] for v in range(2, 10_000)}
        expected = {f"o{n}": {"orderId": f"o{n}", "orderTotal": {"amount": "1234"}, "state": states[v]} for n, v in self.versions.items()}
        if revision != self.log.produced or orders != expected:
            raise SystemExit(f"VOID: {store.kind}: the customer's document is not what the events say (revision {revision})")
        return size


def measure(viewfold, customer, events):
    """What `events` events cost, beyond the first one, which loads the document."""
    customer.change(1)
    viewfold.need(viewfold.wait_for(customer.log.produced))
    before = viewfold.now()
    customer.change(events)
    viewfold.need(viewfold.wait_for(customer.log.produced))
    return [after - earlier for after, earlier in zip(viewfold.now(), before)]


def customer_part(folder, kind, options, say):
    customer, store = Customer(), Store(kind, "customer_orders")
    for orders in (size for size in SIZES if size <= options.orders and "customer" in options.part):
        customer.grow(orders)
        filling = Viewfold(folder, customer.log, store, script_of("customer_orders"), once=True)
        filling.need(filling.wait_for(customer.log.produced))
        filling.process.wait(60)
        for batch, events in ((1, options.events), (1000, 4000)):
            viewfold = Viewfold(folder, customer.log, store, script_of("customer_orders"), batch={"events": batch, "wait": "2s" if batch > 1 else "0ms"})
            seconds, own, server, sent = measure(viewfold, customer, events)
            viewfold.end()
            writes = -(-events // batch)
            row = {"part": "customer", "store": kind, "orders": orders, "batch": batch, "document_bytes": customer.check(store), "bytes_a_write": sent / writes}
            row |= {"ms_a_write": seconds / writes * 1000, "own_ms_a_write": own / writes * 1000, "server_ms_a_write": server / writes * 1000, "events_s": events / seconds}
            say(row)
    if "limit" in options.part:
        limit_of(folder, kind, customer, store, options, say)
    store.remove()
    customer.log.remove()


def limit_of(folder, kind, customer, store, options, say):
    """Larger and larger, until it is refused."""
    customer.grow(options.most)
    began = time.monotonic()
    viewfold = Viewfold(folder, customer.log, store, script_of("customer_orders"), batch={"events": 5000, "wait": "2s", "written": "48MiB"})
    reached = viewfold.wait_for(customer.log.produced)
    there = store.documents()["c1"]
    error = re.search(r'level=error .*error="((?:[^"\\]|\\.)*)"', viewfold.text())
    viewfold.end()
    row = {"part": "limit", "store": kind, "orders": len(json.loads(there[2]["orders"]) if kind == "redis" else there[2]["orders"]), "document_bytes": there[1]}
    say(row | {"seconds": time.monotonic() - began, "reached": reached, "said": error.group(1) if error else viewfold.text()[-300:]})


# --- a day with many orders ---------------------------------------------------------------------------------------------


class Samples(threading.Thread):
    """When how much had been dealt with, and what it had cost until then."""

    def __init__(self, viewfold):
        super().__init__(daemon=True)
        self.viewfold, self.over, self.seen = viewfold, threading.Event(), []

    def run(self):
        while not self.over.wait(0.1):
            self.seen.append((self.viewfold.store.dealt_with(), *self.viewfold.now()))

    def until(self, events):
        return next(one for one in self.seen if one[0] >= events)


def produce_orders(log, orders, per_order):
    made = subprocess.Popen([f"{bench.BUILD}/bench-events", log.prefix, "orders_per_day", str(orders * per_order), str(orders), "0"], stdout=subprocess.PIPE)
    subprocess.run([f"{bench.BUILD}/vf-produce", "--brokers", log.brokers, "-X", "compression.codec=lz4"], stdin=made.stdout, stdout=subprocess.DEVNULL, check=True)
    log.produced = orders * per_order


def day_part(folder, kind, options, say):
    log, store = Log({"orders": 16}), Store(kind, "orders_per_day")
    produce_orders(log, options.day, 1)
    used = store.used()
    viewfold = Viewfold(folder, log, store, script_of("orders_per_day"))
    samples = Samples(viewfold)
    viewfold.need(viewfold.wait_for(1))
    samples.start()
    viewfold.need(viewfold.wait_for(log.produced, 1800))
    time.sleep(0.3)
    samples.over.set()
    samples.join()
    counts = viewfold.end()
    (revision, size, document) = store.documents()["2026-03-01"]
    if (revision, int(document["created"])) != (options.day, options.day):
        raise SystemExit(f"VOID: {kind}: the day counts {document['created']} at revision {revision}, not {options.day}")
    parts = [samples.until(options.day * quarter / 4 or 1) for quarter in range(5)]
    for quarter, (first, last) in enumerate(zip(parts, parts[1:]), 1):
        events = last[0] - first[0]
        seconds, own, server, sent = (b - a for a, b in zip(first[1:], last[1:]))
        row = {"part": "day", "store": kind, "quarter": quarter, "events": events, "events_s": events / seconds, "bytes_an_event": sent / events}
        say(row | {"own_s_a_million": own / events * 1e6, "server_s_a_million": server / events * 1e6})
    say({"part": "day", "store": kind, "orders": options.day, "document_bytes": size, "store_bytes_an_order": (store.used() - used) / options.day, **counts})
    store.remove()
    log.remove()


# --- sixteen partitions, one document -----------------------------------------------------------------------------------


def counter_part(folder, kind, options, say):
    logs = {}
    for keyed in ("order", "day"):
        logs[keyed] = Log({"orders": 16})
    produce_orders(logs["order"], options.counter // 2, 2)
    for version, type_name in ((1, "OrderCreated"), (2, "OrderShipped")):
        for number in range(options.counter // 2):
            logs["day"].put("orders", "2026-03-01", event("order", f"o{number}", version, type_name, {"note": "x" * 120}))
    logs["day"].flush()
    ways = [
        ("1 worker", 1, "record", "", "order", {}),
        ("2 workers", 2, "record", "", "order", {}),
        ("4 workers", 4, "record", "", "order", {}),
        ("1 worker, batches of 5,000", 1, "record", "", "order", {"events": 5000, "wait": "50ms"}),
        ("2 workers, batches of 5,000", 2, "record", "", "order", {"events": 5000, "wait": "50ms"}),
        ("2 workers, a document for each partition and day", 2, "record", ' .. "/" .. e.partition', "order", {}),
        ("4 workers, a document for each partition and day", 4, "record", ' .. "/" .. e.partition', "order", {}),
        ("2 workers, keyed by the day: one partition a day", 2, "record", "", "day", {}),
        ("1 worker, versions = none", 1, "none", "", "order", {}),
        ("2 workers, versions = none", 2, "none", "", "order", {}),
        ("2 workers, versions = none, a document for each partition and day", 2, "none", ' .. "/" .. e.partition', "order", {}),
    ]
    for number in range(options.runs):
        for label, workers, versions, shard, keyed, batch in ways:
            store = Store(kind, "orders_per_day")
            script = os.path.join(folder, f"{time.monotonic_ns()}.lua")
            with open(script, "w", encoding="utf-8") as file:
                file.write(COUNTER % (versions, shard))
            log = logs[keyed]
            server = bench.cpu_of(store.pid)
            viewfold = Viewfold(folder, log, store, script, workers, batch=batch)
            viewfold.need(viewfold.wait_for(1))
            began, first = time.monotonic(), store.dealt_with()
            viewfold.need(viewfold.wait_for(log.produced))
            seconds, own = time.monotonic() - began, bench.cpu_of(viewfold.process.pid)
            server = bench.cpu_of(store.pid) - server
            counts = viewfold.end()
            created = sum(int(document["created"]) for _, _, document in store.documents().values())
            shipped = sum(int(document["shipped"]) for _, _, document in store.documents().values())
            if created != options.counter // 2 or shipped != options.counter // 2:
                raise SystemExit(f"VOID: {kind}: {label}: {created} created, {shipped} shipped of {options.counter // 2} each")
            row = {"part": "counter", "store": kind, "run": number + 1, "way": label, "events_s": (log.produced - first) / seconds}
            row |= {"own_s_a_million": own / log.produced * 1e6, "server_s_a_million": server / log.produced * 1e6}
            row |= {"conflicts_a_write": counts["conflicts"] / counts["batches"], "refolds_a_write": counts["refolds"] / counts["batches"]}
            say(row)
            store.remove()
    for log in logs.values():
        log.remove()


# --- only what changed --------------------------------------------------------------------------------------------------


FIELDS_LIBRARY = """#!lua name=bench_fields
redis.register_function('bench_whole', function(keys, args)
  redis.call('UNLINK', keys[1])
  for at = 1, #args, 2000 do redis.call('HSET', keys[1], unpack(args, at, math.min(at + 1999, #args))) end
end)
redis.register_function('bench_changed', function(keys, args) redis.call('HSET', keys[1], unpack(args)) end)
"""


def fields_part(_folder, kind, options, say):
    """Not viewfold: the same hash replaced whole, as a commit does, and only the fields that changed, in Redis' own time."""
    if kind != "redis":
        return
    client = redis.from_url(os.environ["VIEWFOLD_REDIS"])
    client.function_load(FIELDS_LIBRARY, replace=True)
    # fields, bytes each; how many of them change. A customer's: orders and _versions (both change), name and credit limit.
    shapes = [
        ("customer_orders, 10,000 orders", {"orders": 850_000, "_versions": 170_000, "name": 5, "creditLimit": 20}, ["orders", "_versions", "_rev"]),
        ("bank view, a customer with a little of each", {"profile": 250, "accounts": 300, "loans": 80, "cards": 500, "_versions": 250}, ["accounts", "_versions", "_rev"]),
        ("20 fields of 50 bytes, one changes", {f"field{n}": 50 for n in range(20)}, ["field7", "_rev"]),
        ("1,000 fields of 50 bytes, one changes", {f"field{n}": 50 for n in range(1000)}, ["field7", "_rev"]),
        ("10,000 fields of 50 bytes, one changes", {f"field{n}": 50 for n in range(10_000)}, ["field7", "_rev"]),
        ("one field of 1 MB beside one of 10 bytes that changes", {"blob": 1_000_000, "count": 10}, ["count", "_rev"]),
    ]
    key = f"documents{os.getpid()}:fields"
    for label, sizes, changed in shapes:
        whole = [part for name, size in ({**sizes, "_rev": 4, "_stamp": 16}).items() for part in (name, "x" * size)]
        some = [part for name in [*changed, "_stamp"] for part in (name, "x" * {**sizes, "_rev": 4, "_stamp": 16}[name])]
        row = {"part": "fields", "store": kind, "shape": label}
        for name, arguments in (("whole", whole), ("changed", some)):
            times = max(20, min(2000, 20_000_000 // sum(map(len, arguments))))
            client.config_resetstat()
            before = bench.cpu_of(os.environ.get("VIEWFOLD_REDIS_PID"))
            for _ in range(times):
                client.fcall("bench_" + name, 1, key, *arguments)
            spent = client.info("commandstats")["cmdstat_fcall"]["usec"]
            row |= {f"{name}_bytes": sum(map(len, arguments)), f"{name}_call_us": spent / times}
            row |= {f"{name}_server_us": (bench.cpu_of(os.environ.get("VIEWFOLD_REDIS_PID")) - before) / times * 1e6}
        say(row)
    client.unlink(key)
    client.function_delete("bench_fields")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=lambda text: text.split(","), default=PARTS, metavar=",".join(PARTS))
    parser.add_argument("--store", type=lambda text: text.split(","), default=["redis", "mongodb"], metavar="redis,mongodb")
    parser.add_argument("--orders", type=int, default=SIZES[-1], help="of the largest customer (default 10,000)")
    parser.add_argument("--most", type=int, default=150_000, help="part limit: orders that are tried (default 150,000)")
    parser.add_argument("--events", type=int, default=100, help="part customer: events one by one (default 100)")
    parser.add_argument("--day", type=int, default=1_000_000, help="part day: its orders (default 1,000,000)")
    parser.add_argument("--counter", type=int, default=200_000, help="part counter: events (default 200,000)")
    parser.add_argument("--runs", type=int, default=1, help="part counter: runs of each, in turn (default 1)")
    parser.add_argument("--json", metavar="FILE", help="where the lines go, too")
    options = parser.parse_args()
    if not set(options.part) <= set(PARTS):
        parser.error(f"the parts are {', '.join(PARTS)}")

    def say(row):
        line = json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} | {"load": round(os.getloadavg()[0], 1)}, ensure_ascii=False)
        print(line, flush=True)
        if options.json:
            with open(options.json, "a", encoding="utf-8") as file:
                file.write(line + "\n")

    run = {"customer": customer_part, "day": day_part, "counter": counter_part, "fields": fields_part}
    with tempfile.TemporaryDirectory(prefix="viewfold-documents-") as folder:
        for part in run:
            for kind in options.store:
                if part in options.part or (part == "customer" and "limit" in options.part):
                    run[part](folder, kind, options, say)


if __name__ == "__main__":
    sys.exit(main())
