"""F10: topics get more partitions while they are in use."""

import json
import zlib

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

import samples
from frame import EACH, TOGETHER, fault, harness


@fault(10, "partitions added", promises=(2, 6, 11), stores=TOGETHER, events=(500, 12_000))
def a_sequence_keeps_its_order_through_partitions_that_are_added(scene):
    """All topics get another partition, and another: keys move to other partitions, by Kafka's own rule. The workers go on by
    themselves, and find the new partitions within seconds."""
    quick = {"kafka": {"properties": {"topic.metadata.refresh.interval.ms": 1000}}}
    scene.fleet.start(config=scene.write_config("quick.yaml", settings=quick) if scene.short else scene.config)
    for turn, records in enumerate(parts(scene.records(), scene.pick(3, 8))):
        if turn:
            grow(scene, list(scene.partitions), 2 + turn)
        scene.produce(records)
        # What moved must not overtake what it left behind: until events can be set aside behind a gap, that would stop the partition.
        scene.fleet.wait_caught_up(stores=scene.stores)
    scene.check(moved(scene) > 10, f"{moved(scene)} keys have moved")
    for process in scene.fleet.processes:
        scene.check(not process.lines("level=error"), f"an error was said: {process.lines('level=error')[:1]}")


@fault(
    10, "partitions added, order unknown", promises=(2, 11), stores=EACH, events=(400, 8000), samples=("customer_orders",)
)
def other_numbers_stop_until_an_operator_vouches_for_the_keys(scene):
    """Numbers that only grow do not tell what is missing. Producers choose the partition by themselves here, so no key moves, but
    viewfold cannot know: it stops all of the topic, says why and what there is to decide; status --check ends with 1. The other
    topic goes on. Then the operator says keys_stay, and the view is whole. When that is taken out again, it stays decided."""
    (store,) = scene.stores
    stop = scene.write_config("stop.yaml", settings={"topics": ordered(scene)})
    vouched = scene.write_config("vouched.yaml", settings={"topics": ordered(scene, partitions_added="keys_stay")})
    orders = scene.own("shop.orders")
    process = scene.fleet.start(config=stop)
    first, second, third = parts(kept(scene.records()), 3)
    scene.produce(first)
    scene.fleet.wait_caught_up(stores=scene.stores)
    grow(scene, [orders], 4)
    scene.produce(second)
    if scene.short:
        process.terminate()
        process = scene.fleet.start(config=stop)
    scene.wait("the partitions have not stopped", lambda: len(stopped(scene, store, orders)) == 4)
    for error in stopped(scene, store, orders).values():
        for words in ("has 4 partitions, and had 2", "partitions_added: keys_stay", "copy the topic"):
            scene.check(words in error, f"an operator is not told {words!r}: {error}")
    done = scene.ask("status", "--check")
    scene.check(done.returncode == 1, f"status --check ended with {done.returncode}")
    customers = [at for at in scene.produced if at[0] != orders]
    scene.wait("the other topic does not go on", lambda: all(scene.progress(store)[at] >= scene.produced[at] for at in customers))

    process.terminate()
    process = scene.fleet.start(config=vouched)
    scene.fleet.wait_caught_up(stores=scene.stores)
    scene.wait("the decision is not kept", lambda: has_count(scene, store, 4))
    process.terminate()
    scene.produce(third)
    scene.fleet.start(config=stop)
    scene.fleet.wait_caught_up(stores=scene.stores)


def parts(records, count):
    """One after the other: aggregates of the first go on in the next ones."""
    size = -(-len(records) // count)
    return [records[at : at + size] for at in range(0, len(records), size)]


def moved(scene):
    """How many keys have been in several partitions."""
    places = {}
    for record in scene.log:
        topic, partition, _ = record["at"]
        places.setdefault((topic, record["key"]), set()).add(partition)
    return sum(len(of) > 1 for of in places.values())


def grow(scene, topics, count):
    admin = AdminClient(harness.kafka())
    for done in admin.create_partitions([NewPartitions(topic, count) for topic in topics]).values():
        done.result(30)
    for topic in topics:
        scene.partitions[topic] = count
    scene.inject("partition added", len(topics))
    harness.wait_until("the partitions are not there", 60, lambda: all(len(seen(admin, topic)) == count for topic in topics))
    scene.producer = Producer(harness.kafka(**{"linger.ms": 5, "enable.idempotence": True}))


def seen(admin, topic):
    return admin.list_topics(topic, timeout=20).topics[topic].partitions


def ordered(scene, **more):
    """The configuration's topics, orders with numbers that only grow."""
    topics = {name: {"topic": scene.own(topic), "kind": kind} for name, (topic, kind) in samples.TOPICS.items()}
    topics["orders"].update(override={"version": {"numbers": "ordered"}}, **more)
    return topics


def kept(records):
    """With the partition that each aggregate has had from the beginning."""
    return [{**record, "partition": zlib.crc32(record["key"].encode()) % 2} for record in records]


def stopped(scene, store, topic):
    """partition -> why, as `viewfold status` shows it"""
    done = scene.ask("status", "--json")
    return {
        part["partition"]: part["error"]["error"]
        for row in json.loads(done.stdout)["projections"]
        if row["store"] == store and row["state"] == "degraded"
        for part in row["partitions"]
        if part["topic"] == topic and part["error"]
    }


def has_count(scene, store, count):
    """Each of the topic's partitions has progress that knows of so many."""
    have = scene.readers[store].progress("customer_orders", "of")
    return all(have.get(f"{scene.own('shop.orders')}/{number}") == count for number in range(count))
