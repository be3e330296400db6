"""F7: the log has lost what the view still needs."""

import json
import signal

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from frame import EACH, fault, harness


@fault(7, "records deleted beyond the progress", promises=(2, 10), stores=EACH, events=(600, 8000))
def history_that_is_gone_stops_its_partition_and_says_so(scene):
    """Records are deleted from a partition: those that all views have taken in, while the process is idle, which nobody need notice;
    then others that are still needed, while the process sleeps; then more of another partition, while none runs. Each time the views
    that need them are degraded, in `status` and in the log, with what to do; their other partitions, and the other views, go on; and
    what they have is the fold of what they have taken in."""
    (store,) = scene.stores
    process = scene.fleet.start()
    scene.produce(scene.records())
    scene.fleet.wait_caught_up(stores=scene.stores)
    orders, accounts = scene.own("shop.orders"), scene.own("bank.accounts")
    for topic in (orders, accounts):
        delete_before(topic, 0, scene.produced[topic, 0])  # all of it is in the views
    scene.inject("nothing needed deleted", 2)
    scene.produce(scene.records())
    scene.fleet.wait_caught_up(stores=scene.stores)
    scene.check(not degraded(scene, store), "degraded, though nothing that it needs is gone")

    process.signal(signal.SIGSTOP)
    cut(scene, orders)
    process.signal(signal.SIGCONT)
    expect(scene, store, "customer_orders", orders)

    process.terminate()
    cut(scene, accounts)
    scene.fleet.start()
    expect(scene, store, "customer_bank_view", accounts)
    expect(scene, store, "customer_orders", orders)
    scene.wait("the other partitions do not go on", lambda: goes_on(scene, store, {(orders, 0), (accounts, 0)}))
    scene.catches_up = False


def cut(scene, topic):
    """More than the process has ever fetched comes into the log, and half of it goes again. A process that sleeps has asked for what
    comes next, so Kafka sends it that at once, and may send all that it has by then: what is to be missed must come later."""
    scene.produce(scene.records(scene.events // 6))
    before = scene.produced[topic, 0]
    scene.produce(scene.records())
    middle = (before + scene.produced[topic, 0]) // 2
    scene.check(middle > before, "too few events for this")
    delete_before(topic, 0, middle)
    scene.inject("needed records deleted", middle - before)


def delete_before(topic, partition, offset):
    admin = AdminClient(harness.kafka())
    for done in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        done.result(30)


def degraded(scene, store):
    """(view, topic, partition) -> the error, as `viewfold status` shows it"""
    done = scene.ask("status", "--json")
    rows = json.loads(done.stdout)["projections"]
    return {
        (row["view"], part["topic"], part["partition"]): part["error"]["error"]
        for row in rows
        if row["store"] == store and row["state"] == "degraded"
        for part in row["partitions"]
        if part["error"] and part["error"]["degraded"]
    }


def expect(scene, store, view, topic):
    at = (view, topic, 0)
    scene.wait(f"{view} is not degraded by the loss in {topic}", lambda: at in degraded(scene, store))
    error = degraded(scene, store)[at]
    for words in ("begins at offset", "are gone", "Restore the log", "generations drop"):
        scene.check(words in error, f"an operator is not told {words!r}: {error}")
    done = scene.ask("status", "--check")
    scene.check(done.returncode == 1, f"status --check ended with {done.returncode}")
    said = [line for process in scene.fleet.processes for line in process.lines("level=error", "degraded", f"{topic}/0")]
    scene.check(said, "the log has no line about it")


def goes_on(scene, store, stopped):
    have = scene.progress(store)
    return all(have.get(at, 0) >= end for at, end in scene.produced.items() if at not in stopped)
