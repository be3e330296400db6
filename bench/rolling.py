#!/usr/bin/env python3
"""How long views stand still while processes are restarted one by one under a steady load.

    eval "$(tests/servers/servers.sh env)"; "$VIEWFOLD_PYTHON" bench/rolling.py [--rounds 3] [--rate 500] [--store redis] [--json FILE]

Four processes of one worker each, eight partitions. Each process is told to end (SIGTERM), waited for, and started again; when all
partitions move again comes the next. A partition stands still from the moment when there is an event that its view has not taken in
until its progress moves: the longest such time is what a reader may have to wait for his own write. Progress is looked at every few
milliseconds. In the end both stores are held against the sample's model: nothing may be lost.

Three fleets are compared: as configured by default, with librdkafka's own heartbeats instead, and with kafka.instance (static
membership), where the group keeps a member's partitions for it until it is back, or its session is over.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "system"))

import harness
from harness import Fleet, World, generate, wait_until

PROCESSES = 4
PARTITIONS = (4, 8)
STORES = {"redis": "cache", "mongodb": "documents"}
FLEETS = {
    "as by default": {},
    "heartbeat.interval.ms 3000": {"heartbeat.interval.ms": 3000},  # librdkafka's own
    "kafka.instance": None,
}


class Watch(threading.Thread):
    """Follows each partition's progress, and what has been produced, and notes the times in which it stood still."""

    def __init__(self, world, store):
        super().__init__(daemon=True)
        self.world, self.store = world, store
        self.ending = threading.Event()
        self.since = {}  # partition -> when the oldest event that is not taken in was produced, as far as was seen
        self.at = {}
        self.longest = {}

    def run(self):
        while not self.ending.is_set():
            produced = dict(self.world.produced)
            progress = self.world.progress(self.store)
            now = time.monotonic()
            for at, end in produced.items():
                have = progress.get(at, 0)
                if have != self.at.get(at) or have >= end:
                    self.at[at] = have
                    self.since[at] = now
                self.longest[at] = max(self.longest.get(at, 0.0), now - self.since.setdefault(at, now))
            self.ending.wait(0.005)

    def take(self):
        """The longest since the last call, over all partitions."""
        longest, self.longest = max(self.longest.values(), default=0.0), {}
        return longest

    def moves(self):
        """All partitions have taken in what there was a moment ago."""
        now = time.monotonic()
        return all(now - since < 1.0 for since in list(self.since.values()))


def settings_of(properties, store, instance=None):
    # The first one changes nothing: it is in the place of what the tests set.
    kafka = {"properties": {"socket.keepalive.enable": True, **(properties or {})}}
    if instance:
        kafka["instance"] = instance
    return {
        "kafka": kafka,
        "projections": [{"script": "customer_orders.lua", "stores": [store], "workers": 1}],
    }


def measure(name, properties, options):
    store = STORES[options.store]
    with World("rolling", partitions=PARTITIONS, workers=1) as world:
        fleet, configs = Fleet(world), []
        for number in range(PROCESSES):
            instance = f"host-{number}" if properties is None else None
            configs.append(world.write_config(f"host{number}.yaml", workers=1, settings=settings_of(properties, store, instance)))
        world.produce(generate.Shop(1, customers=500, events=2000, prefix="first-"))
        living = [fleet.start(config=config) for config in configs]
        wait_until("the fleet does not begin", 120, lambda: fleet.check_living() or world.caught_up(store))
        events = int(options.rate * (options.rounds * PROCESSES * 8 + 20))
        shop = generate.Shop(random.randrange(1 << 30), customers=500, events=events, hot=0.1, repeats=0.02)
        watch, stalls, steady = Watch(world, store), [], 0.0
        stop = threading.Event()

        def records():
            for record in shop.records():
                if stop.is_set():
                    return
                yield record

        class Flow:
            pass

        flow = Flow()
        flow.records = records
        with contextlib.ExitStack() as stack:
            stack.enter_context(world.flow(flow, options.rate))
            stack.callback(stop.set)
            watch.start()
            wait_until("the flow does not begin", 60, lambda: len(watch.at) == sum(PARTITIONS) and watch.moves())
            watch.take()
            time.sleep(5)
            steady = watch.take()
            for _ in range(options.rounds):
                for number in range(PROCESSES):
                    status = living[number].terminate()
                    harness.check(status == 0, f"SIGTERM ended with {status}")
                    living[number] = fleet.start(config=configs[number])
                    wait_until("it does not come back", 120, lambda n=number: living[n].lines("msg=assigned"))
                    time.sleep(1)
                    wait_until("a partition stands still", 120, lambda: fleet.check_living() or watch.moves())
                    stalls.append(watch.take())
        fleet.wait_caught_up(stores=[store])
        watch.ending.set()
        watch.join()
        fleet.stop()
        documents, taken = world.compare([store])
    row = {
        "fleet": name, "store": options.store, "rate": options.rate, "restarts": len(stalls), "events": taken, "lost": 0,
        "steady_s": round(steady, 3), "median_s": round(statistics.median(stalls), 3), "longest_s": round(max(stalls), 3),
    }  # fmt: skip
    print(
        f"{name:28} {options.store:8} {row['restarts']:3} restarts: a partition stood still for {row['longest_s']:.2f} s at most, "
        f"{row['median_s']:.2f} s as a rule, {row['steady_s']:.2f} s without any; {taken} events, {documents} documents, none wrong",
        flush=True,
    )
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each process is restarted")
    parser.add_argument("--rate", type=float, default=500, help="events a second")
    parser.add_argument("--store", choices=sorted(STORES), default="redis")
    parser.add_argument("--fleet", choices=sorted(FLEETS), action="append", help="only these")
    parser.add_argument("--json", help="writes the rows to this file")
    options = parser.parse_args()
    harness.print_versions()
    rows = [measure(name, FLEETS[name], options) for name in options.fleet or FLEETS]
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)


if __name__ == "__main__":
    main()
