"""Somebody gives a view's collection a rule of his own, which some documents break: MongoDB never takes them. The events that make
them are parked with their aggregates, as those that fail, and nothing else waits. Redis has no such rule, and has it all. Each
document lists what it has taken in, in order; the model is that list, made from what was produced and what breaks the rule."""

import json

import harness
import pymongo
from harness import STORES, Fleet, World, check, run_viewfold, wait_until

VIEW = "sums"
SCRIPT = """
local function take(doc, e)
  local name = e.kind .. "/" .. e.id
  doc.taken[name] = doc.taken[name] or array {}
  doc.taken[name][#doc.taken[name] + 1] = e.version
  if e.data.bad then doc.bad = true end
end
return {
  name = "sums", topics = { "customers", "orders" },
  key = { customer = own, order = link { Placed = "customer" } },
  initial = { taken = {} },
  on = { Counted = take, Placed = take },
}
"""
CUSTOMERS, ORDERS = 5, 42
# What breaks the rule, by how it comes: alone, from a list, behind what was in one, with the link, before others or behind them.
BAD = {"customer/1": 2, "order/3": 2, "order/7": 4, "order/20": 7, "order/11": 6, "order/40": 1}


def placed_at(number):
    """The version that says an order's customer: those before it are held."""
    return 6 if number < 40 else 1


def record(world, kind, number, version, more=None):
    name = f"{kind}/{number}"
    event = {"id": str(number), "version": version, "type": "Counted", "event_id": f"{name}-{version}",
             "time": "2026-01-01T00:00:00Z", "data": {"bad": BAD.get(name) == version}, **(more or {})}  # fmt: skip
    topic = world.customers_topic if kind == "customer" else world.orders_topic
    return {"topic": topic, "key": str(number), "value": json.dumps(event)}


def orders(world, versions):
    for version in versions:
        for number in range(ORDERS):
            placed = {"type": "Placed", "data": {"customer": str(number % CUSTOMERS), "bad": BAD.get(f"order/{number}") == version}}
            yield record(world, "order", number, version, placed if version == placed_at(number) else None)


def customers(world, versions):
    return (record(world, "customer", number, version) for version in versions for number in range(CUSTOMERS))


def model(last_order, last_customer, stops):
    """The documents' lists; `stops`: each aggregate ends before what breaks the rule."""
    documents = {str(number): {} for number in range(CUSTOMERS)}
    for kind, count in (("customer", CUSTOMERS), ("order", ORDERS)):
        for number in range(count):
            name = f"{kind}/{number}"
            taken = list(range(1, last_customer + 1))
            if kind == "order":  # the event that says where the others go is the first one
                placed = placed_at(number)
                taken = [placed, *range(1, placed), *range(placed + 1, last_order + 1)]
            if stops and BAD.get(name) in taken:
                taken = taken[: taken.index(BAD[name])]
            if taken:
                documents[str(number % CUSTOMERS)][name] = taken
    return documents


def compare(world, store, wanted):
    found = {name: one["document"]["taken"] for name, one in world.documents(store).items()}
    if found != wanted:
        raise harness.Failure(f"{store}: {harness.difference(wanted, found)}")


def status_of(world):
    done = run_viewfold("status", "--json", "-c", world.config)
    check(done.returncode == 0, f"status ended with {done.returncode}: {done.stderr}")
    return {one["store"]: one for one in json.loads(done.stdout)["projections"]}


def set_rule(world, rule):
    with pymongo.MongoClient(harness.address("VIEWFOLD_MONGODB")) as client:
        client[world.database].command({"collMod": f"{VIEW}.g1", "validator": rule})


def retry(world, *which):
    return run_viewfold("parked", "retry", *which, "--store", "documents", "--json", "-c", world.config)


def check_parked(world):
    """Those and no others, with what the server said; and every partition reads on."""
    listed = run_viewfold("parked", "list", "--json", "-c", world.config)
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    found = sorted((one["store"], one["aggregate"], one["state"]) for one in rows)
    wanted = sorted(("documents", name, "parked") for name in BAD)
    check(found == wanted, f"parked are {found}")
    check(all("validation" in one["error"] for one in rows), f"why is not said: {rows}")
    for store, one in status_of(world).items():
        stopped = [part for part in one["partitions"] if part["error"]]
        check(not stopped, f"{store}: partitions have stopped: {stopped}")


def what_mongodb_never_takes_is_parked_with_its_aggregate_alone():
    settings = {"defaults": {"errors": {"retries": 1, "backoff": "10ms"}}}
    with World("refused", partitions=(1, 2), script=SCRIPT, view=VIEW, settings=settings) as world:
        fleet = Fleet(world)
        fleet.start()
        world.send(customers(world, [1]))
        fleet.wait_caught_up()
        set_rule(world, {"bad": {"$exists": False}})
        world.send(orders(world, range(1, 6)))
        fleet.wait_caught_up()
        world.send(orders(world, [6, 7]))
        world.send(customers(world, [2, 3]))
        fleet.wait_caught_up()
        wait_until("not all are parked, or something is left to be taken in", 60,
                   lambda: (status_of(world)["documents"]["parked"], status_of(world)["documents"]["draining"]) == (len(BAD), 0))  # fmt: skip
        compare(world, "documents", model(7, 3, stops=True))
        compare(world, "cache", model(7, 3, stops=False))
        check_parked(world)

        world.send(orders(world, [8]))
        fleet.wait_caught_up()
        compare(world, "documents", model(8, 3, stops=True))
        for name in BAD:
            done = retry(world, name)
            check(done.returncode == 1 and '"parked"' in done.stdout, f"{name}, still against the rule: {done.stdout}{done.stderr}")
        compare(world, "documents", model(8, 3, stops=True))
        check_parked(world)

        set_rule(world, {})
        done = retry(world, "--all")
        check(done.returncode == 0, f"retry --all ended with {done.returncode}: {done.stdout}{done.stderr}")
        for store in STORES:
            compare(world, store, model(8, 3, stops=False))
        for store, one in status_of(world).items():
            left = {name: one[name] for name in ("aside", "parked", "gap", "held", "draining")}
            check(not any(left.values()), f"{store}: {left} is left")
        fleet.stop()
        print(f"     {len(BAD)} aggregates of {CUSTOMERS + ORDERS} parked, {len(world.log)} events")


if __name__ == "__main__":
    harness.main(what_mongodb_never_takes_is_parked_with_its_aggregate_alone)
