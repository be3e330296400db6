"""What a process takes is bounded by its configuration, however much waits for it and whatever stands still.

The backlog is VIEWFOLD_BACKLOG_TIMES the budget (8), in events with VIEWFOLD_BACKLOG_TEXT bytes of text (60000). With the default limits
instead of small ones, VIEWFOLD_BACKLOG_BUDGET=large: then 64 times is 10 GB.
"""

import contextlib
import json
import os
import random
import signal

import harness
import proxy
from confluent_kafka.admin import AdminClient
from harness import Fleet, World, check, wait_until

MIB = 1 << 20
BESIDE = 64 * MIB  # the program and its libraries, as docs/operations.md says
CLIENT = 16 * MIB  # a Kafka client: 4 MiB of payload prefetched, and what librdkafka has around it

# A document a customer: how many events, what they were worth, and some text, so that the documents fill a cache.
LEDGER = """return { name = "ledger", topics = { "orders" }, key = { customer = own }, initial = { n = 0, sum = 0 },
  on = { Noted = function(doc, e)
    doc.n = doc.n + 1
    doc.sum = doc.sum + e.data.amount
    doc.text = e.data.text:sub(1, 4000)
  end } }
"""

SMALL = {"cache": 4, "lua_memory": 4, "bytes": 1, "written": 1}  # MiB
LARGE = {"cache": 64, "lua_memory": 64, "bytes": 4, "written": 4}  # the defaults
BUDGETS = {"small": SMALL, "large": LARGE}


def budget_of(sizes):
    """What a worker may take, in bytes, as docs/operations.md has it: one batch is folded while another is being written."""
    return CLIENT + MIB * (sizes["cache"] + sizes["lua_memory"] + 2 * (sizes["bytes"] + sizes["written"]))


def settings_of(sizes):
    return {
        "cache": f"{sizes['cache']}MiB",
        "limits": {"lua_memory": f"{sizes['lua_memory']}MiB"},
        "batch": {"bytes": f"{sizes['bytes']}MiB", "written": f"{sizes['written']}MiB"},
    }


def memory_of(process, what="VmHWM"):
    """VmHWM: the most that was ever resident; VmRSS: what is now. Bytes."""
    with open(f"/proc/{process.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(what))


class Ledger(World):
    """Events of customers with long texts, in both stores. Knows what their documents have to be, by sums."""

    def __init__(self, name, sizes, partitions=4, workers=1, stores=harness.STORES):
        super().__init__(name, (1, partitions), workers=workers, script=LEDGER, view="ledger", kinds=False)
        self.count = partitions
        self.config = self.write_config(
            workers=workers,
            settings={
                "defaults": settings_of(sizes),
                "projections": [{"script": "ledger.lua", "stores": list(stores), "workers": workers}],
            },
        )
        self.versions, self.sums = {}, {}
        # Packed well, as events are: a fetch is counted when it is unpacked, and is several times larger then.
        self.producer = harness.Producer(
            harness.kafka(**{"linger.ms": 20, "enable.idempotence": True, "compression.type": "zstd"})
        )

    def note(self, events, customers, text_bytes, partition=None):
        """So many events; what was produced before goes on. Not remembered one by one: they are many."""
        texts = [random.randbytes(text_bytes // 4 + 1).hex()[: text_bytes // 2] * 2 for _ in range(50)]

        def records():
            for _ in range(events):
                number = random.randrange(customers)
                amount = random.randrange(1000)
                version = self.versions[number] = self.versions.get(number, 0) + 1
                self.sums[number] = self.sums.get(number, 0) + amount
                head = json.dumps({"kind": "customer", "id": f"c{number}", "version": version, "type": "Noted"})
                data = f'"data": {{"amount": {amount}, "text": "{random.choice(texts)}"}}'
                value = f"{head[:-1]}, {data}}}".encode()
                yield {"topic": self.orders_topic, "key": f"c{number}", "value": value, "partition": number % self.count}

        self.send(records())

    def compare(self, stores=harness.STORES):
        for store in stores:
            found = self.documents(store)
            check(len(found) == len(self.versions), f"{store}: {len(found)} documents of {len(self.versions)}")
            for number, version in self.versions.items():
                one = found.get(f"c{number}", {"document": {}, "revision": None})
                have = (one["revision"], int(one["document"].get("n", -1)), int(one["document"].get("sum", -1)))
                wanted = (version, version, self.sums[number])
                check(have == wanted, f"{store}: c{number} has revision, n, sum {have}, and should have {wanted}")
        return len(self.versions), sum(self.versions.values())


def a_backlog_of_many_times_the_budget_is_worked_off_within_it():
    sizes = BUDGETS[os.environ.get("VIEWFOLD_BACKLOG_BUDGET", "small")]
    budget = budget_of(sizes)
    backlog = int(os.environ.get("VIEWFOLD_BACKLOG_TIMES", "8")) * budget
    text = int(os.environ.get("VIEWFOLD_BACKLOG_TEXT", "60000"))
    with Ledger("backlog", sizes) as world:
        world.note(backlog // text + 1, customers=20_000, text_bytes=text)
        fleet = Fleet(world)
        process = fleet.start()
        wait_until(
            "the backlog is not worked off", 3600, lambda: fleet.check_living() or all(map(world.caught_up, harness.STORES))
        )
        most, within = memory_of(process), 2 * budget + BESIDE
        evicted = process.counts().get("evicted", 0)
        fleet.stop()
        documents, events = world.compare()
        print(
            f"     {most / MIB:.0f} MiB resident at most, with two workers of {budget / MIB:.0f} MiB each and a backlog of "
            f"{backlog / MIB:.0f} MiB; {documents} documents, {events} events, equal to the model"
        )
        check(most <= within, f"{most / MIB:.0f} MiB were resident, and it should stay within {within / MIB:.0f}")
        check(evicted > 0, "the documents never filled the cache: the test proves little")


def members_of(world, store):
    """The consumer group's members, as the broker names them, with what they are assigned."""
    group = world.group_of(store)
    admin = AdminClient(harness.kafka())  # lives until it has answered
    found = admin.describe_consumer_groups([group])[group].result(20)
    return {
        one.member_id: sorted((at.topic, at.partition) for at in one.assignment.topic_partitions) for one in found.members
    }


@contextlib.contextmanager
def standing_still(*servers):
    """Stopped processes: their connections stay, and nothing answers."""
    pids = [int(harness.address(f"VIEWFOLD_{server.upper()}_PID")) for server in servers]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def stores_that_stand_still_stop_the_fetching_and_keep_the_membership():
    sizes = SMALL
    with (
        harness.own_servers("bounds", "redis", "mongodb"),
        contextlib.closing(proxy.Proxy(harness.address("VIEWFOLD_KAFKA"), proxy.KAFKA)) as through,
        Ledger("stall", sizes) as world,
    ):
        world.note(4_000, customers=1000, text_bytes=20_000)
        fleet = Fleet(world)
        # A session as long as a busy machine may need, and shorter than the stores stand still.
        kafka = {"brokers": [through.address], "properties": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}}
        more = {"kafka": kafka, "defaults": {**settings_of(sizes), "batch": {"events": 20}}}
        more["projections"] = [{"script": "ledger.lua", "stores": list(harness.STORES), "workers": 1}]
        process = fleet.start(config=world.write_config("proxied.yaml", workers=1, settings=more))
        wait_until("nothing is taken in", 60, lambda: fleet.check_living() or all(map(world.progress, harness.STORES)))
        members = {store: members_of(world, store) for store in harness.STORES}

        def beats(count):
            """So many heartbeats later: each of the two workers sends one every half second."""
            wanted = through.names["Heartbeat"] + count
            wait_until("no heartbeats", 60, lambda: fleet.check_living() or through.names["Heartbeat"] >= wanted)

        with standing_still("redis", "mongodb"):
            wait_until(
                "nobody says that a store is gone", 60, lambda: all(process.lines("the store is gone", s) for s in harness.STORES)
            )
            beats(4)  # what was asked for before may still come
            fetches = through.names["Fetch"]
            beats(16)  # with the five seconds that a call of a store may take, longer than a session
            check(through.names["Fetch"] == fetches, f"{through.names['Fetch'] - fetches} fetches while no store took anything")
            for store in harness.STORES:
                check(members_of(world, store) == members[store], f"{store}: the group has other members, or others' partitions")
        wait_until("it does not go on", 120, lambda: fleet.check_living() or all(map(world.caught_up, harness.STORES)))
        check(not process.lines("msg=revoked"), "a member lost its partitions")
        check(len(process.lines("msg=assigned")) == 2, "a member was assigned anew")
        check(len(process.lines("the store is back")) == 2, "nobody says that the stores are back")
        most, within = memory_of(process), 2 * budget_of(sizes) + BESIDE
        fleet.stop()
        documents, events = world.compare()
        print(f"     {most / MIB:.0f} MiB resident at most; {documents} documents, {events} events, equal to the model")
        check(most <= within, f"{most / MIB:.0f} MiB were resident, and it should stay within {within / MIB:.0f}")


if __name__ == "__main__":
    harness.main(
        a_backlog_of_many_times_the_budget_is_worked_off_within_it,
        stores_that_stand_still_stop_the_fetching_and_keep_the_membership,
    )
