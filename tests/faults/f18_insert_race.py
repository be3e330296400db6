"""F18: two workers make the same documents in the same moment."""

import threading

from frame import EACH, fault, samples

SERVER = {"cache": "redis", "documents": "mongodb"}
# The first request of a write that makes documents.
WRITES = {
    "redis": lambda name: name.startswith("FCALL viewfold_commit_"),
    "mongodb": lambda name: name in ("insert", "update"),
}
NEW = 12  # documents a race


@fault(
    18,
    "insert race",
    promises=(1, 2, 14),
    stores=EACH,
    events=(600, 6000),
    through=("redis", "mongodb"),
    samples=("customer_orders",),
)
def of_two_who_insert_one_document_one_wins_and_both_are_right(scene):
    """Customers lie in one partition and their first orders in another, so that two processes have to do with each new customer's
    document. Both have folded it, each as a new one, and their writes wait for each other at a barrier before they go on."""
    (store,) = scene.stores
    through = scene.proxies[SERVER[store]]
    customers, orders = scene.own("shop.customers"), scene.own("shop.orders")
    for _ in range(2):
        scene.fleet.start()
    scene.produce(scene.records())
    scene.wait("not caught up", lambda: scene.caught_up(store))
    for turn in range(scene.pick(6, 120)):
        barrier = threading.Barrier(2)
        scene.wait("the two have not one partition each", lambda: both_work(scene))
        for _ in range(2):
            through.at("late", act=lambda b=barrier: meet(scene, b), wanted=WRITES[SERVER[store]])
        ids = [f"race{turn}-{n}" for n in range(NEW)]
        met = scene.injected["two writes let go at once"]
        scene.send(
            [created(customers, "customer", one, {"name": one, "creditLimit": {"amount": "1"}}, 0) for one in ids]
            + [created(orders, "order", one, {"customerId": one, "orderTotal": {"amount": "1"}}, 1) for one in ids]
        )
        scene.wait("not caught up", lambda: scene.caught_up(store))
        through.disarm()
        scene.check(scene.injected["two writes let go at once"] <= met + 1, "more than two met")
    scene.wait("no conflict was met", lambda: scene.counts("conflicts") > 0)


def created(topic, kind, identity, data, partition):
    title = {"customer": "CustomerCreated", "order": "OrderCreated"}[kind]
    at = samples.common.days_ago(1)
    return {**samples.common.record(topic, kind, identity, 1, title, at, data), "partition": partition}


def meet(scene, barrier):
    """In the proxy's threads, one of each process' connection. Where nobody comes, nothing has happened."""
    try:
        if barrier.wait(10) == 0:
            scene.inject("two writes let go at once")
    except threading.BrokenBarrierError:
        pass


def both_work(scene):
    """Each has one of the two partitions of each topic: one alone would wait for itself."""
    last = [process.lines("msg=assigned") for process in scene.fleet.living()]
    return all(lines and "partitions=2" in lines[-1] for lines in last)
