"""What is large, or not ours, or slow: each was found by a review that made a worker spin, stop at a good event, or grow."""

import contextlib
import json

import harness
from harness import Fleet, World, check, run_viewfold, wait_until

COUNTING = """return { name = "ledger", topics = { "orders" }, key = { customer = own }, initial = { n = 0 },
  on = { Noted = function(doc, e) doc.n = doc.n + 1 end } }
"""

# A document of 1,440 tables: a thousand of them fill the script's memory.
LARGE = """local minutes = {}
for m = 0, 1439 do minutes[string.format("%02d:%02d", m // 60, m % 60)] = { count = 0, sum = 0 } end
return { name = "ledger", topics = { "orders" }, key = { customer = own }, initial = { minutes = minutes },
  on = { Noted = function(doc, e) doc.minutes["10:00"].count = doc.minutes["10:00"].count + 1 end } }
"""

ROUTE_WITHOUT_END = """return { name = "ledger", topics = { "orders" },
  key = { customer = function(e) if e.data.loop then while true do end end return e.id end },
  on = { Noted = function(doc, e) doc.n = (doc.n or 0) + 1 end } }
"""

GROWING = """return { name = "ledger", topics = { "orders" }, key = { customer = own }, initial = { text = "" },
  on = { Noted = function(doc, e) doc.text = doc.text .. ("x"):rep(e.data.bytes) end } }
"""



class Counters(World):
    """Events of customers, in Redis only, or in `stores`."""

    def __init__(self, name, script, partitions=1, stores=("cache",), limits=None):
        super().__init__(name, (1, partitions), workers=1, script=script, view="ledger", kinds=False)
        with open(self.config, encoding="utf-8") as file:
            config = json.load(file)
        config["projections"][0]["stores"] = list(stores)
        config["defaults"] = {"limits": limits or {"lua_memory": "64MiB"}}
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def note(self, identities, version=1, partition=0, **data):
        self.send(
            {
                "topic": self.orders_topic,
                "key": identity,
                "partition": partition,
                "value": json.dumps(
                    {"kind": "customer", "id": identity, "version": version, "type": "Noted", "data": data}
                ),
            }
            for identity in identities
        )


def a_batch_that_fills_the_scripts_memory_is_cut_and_no_event_is_blamed():
    with Counters("fullheap", LARGE) as world:
        world.note([f"c{number}" for number in range(1000)])
        fleet = Fleet(world)
        fleet.once()
        counts = fleet.processes[-1].counts()
        print(f"     refolds {counts.get('refolds', 0)}, events {counts.get('events', 0)}")
        check(counts.get("refolds", 0) > 0, "the script's memory was never full: the test proves nothing")
        check(counts.get("stops", 0) == 0, "a good event was blamed")
        found = world.redis_documents()
        check(len(found) == 1000, f"{len(found)} documents of 1000")
        for identity, one in found.items():
            check(one["document"]["minutes"]["10:00"]["count"] == 1, f"{identity} counts wrong")


def what_is_not_ours_in_the_store_stops_only_the_event_that_needs_it():
    with Counters("foreign", COUNTING, partitions=2) as world:
        world.note(["good"], partition=0)
        fleet = Fleet(world)
        process = fleet.start()
        wait_until("the view has not begun", 60, lambda: world.caught_up("cache"))
        with contextlib.closing(world.redis_client()) as client:
            client.set(f"{world.prefix}ledger:1:bad", "not a hash")
        world.note(["bad"], partition=1)
        wait_until("nothing was said", 60, lambda: "cannot be taken in" in process.text())
        world.note(["good"], version=2, partition=0)
        wait_until("the other partition does not go on", 60, lambda: world.progress("cache").get((world.orders_topic, 0)) == 2)
        check(process.text().count("the store is gone") == 0, "the store was thought gone")
        check(process.text().count("cannot be taken in") == 1, "said more than once")
        check(run_viewfold("status", "--check", "-c", world.config).returncode == 1, "status --check finds nothing")
        fleet.stop()
        check(world.redis_client().get(f"{world.prefix}ledger:1:bad") == "not a hash", "it was written over")


def a_route_without_end_is_parked_and_others_go_on():
    with Counters("route", ROUTE_WITHOUT_END, partitions=2) as world:
        world.note([f"c{number}" for number in range(8)], partition=0, loop=True)
        world.note(["good"], partition=1)
        fleet = Fleet(world)
        process = fleet.start()
        wait_until("nothing was said", 60, lambda: "cannot be taken in" in process.text())
        wait_until("the other partition does not go on", 60, lambda: world.progress("cache").get((world.orders_topic, 1)) == 1)
        check("ledger.lua:2" in process.text(), "the message does not name the script's line")
        fleet.stop()


def a_document_that_grows_over_its_limit_is_blamed_on_the_event_that_did_it():
    # One batch: what is before the event is taken in, whatever it was in one write with; nothing of the document is sent.
    with Counters("growing", GROWING, partitions=2, stores=harness.STORES, limits={"document": "64KiB"}) as world:
        world.note([f"c{number}" for number in range(40)], bytes=1000)
        for version in range(1, 4):
            world.note(["big"], version=version, bytes=30_000)  # the third is too much
        world.note([f"d{number}" for number in range(40)], bytes=1000)
        fleet = Fleet(world)
        process = fleet.start()
        for store in harness.STORES:
            wait_until(f"{store}: nothing was said", 60, lambda s=store: process.lines("cannot be taken in", f"store={s}"))
            (line,) = process.lines("cannot be taken in", f"store={store}")
            check("aggregate=customer/big" in line and "limits.document" in line, f"another event is blamed: {line}")
            check(f"at={world.orders_topic}/0@42" in line, f"another event is blamed: {line}")
        world.note(["other"], partition=1, bytes=1)
        at = (world.orders_topic, 1)
        for store in harness.STORES:
            wait_until("the other partition does not go on", 60, lambda s=store: world.progress(s).get(at) == 1)
            found = world.documents(store)
            wanted = {f"c{number}": 1000 for number in range(40)} | {"big": 60_000, "other": 1}
            wanted |= {f"d{number}": 1000 for number in range(40)}
            check({name: len(one["document"]["text"]) for name, one in found.items()} == wanted, f"{store} holds other documents")
        fleet.stop()


if __name__ == "__main__":
    harness.main(
        a_batch_that_fills_the_scripts_memory_is_cut_and_no_event_is_blamed,
        what_is_not_ours_in_the_store_stops_only_the_event_that_needs_it,
        a_route_without_end_is_parked_and_others_go_on,
        a_document_that_grows_over_its_limit_is_blamed_on_the_event_that_did_it,
    )
