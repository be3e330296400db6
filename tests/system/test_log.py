"""What operators do to the log under a view: topics that are deleted and made again while they are read, topics that are gone, logs
without their beginning; and what is said of how long a log is kept."""

import json

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

import harness
from harness import Fleet, World, check, run_viewfold, wait_until

# What a document has seen, one number after another.
SCRIPT = """
return {
  name = "log", topics = { "customers", "orders" }, key = { customer = own, order = own },
  on = { Changed = function(doc, e) doc.seen = (doc.seen or "") .. e.version .. " " end },
}
"""
QUICK = {"topic.metadata.refresh.interval.ms": 500}  # so soon a topic that is gone is missed


def log_world(name, **topics):
    """Each topic has one partition. topics: more of its configuration, by its name there."""
    world = World(name, partitions=(1, 1), workers=1, script=SCRIPT, view="log")
    world.config = configure(world, "log.yaml", **topics)
    return world


def configure(world, file, **topics):
    names = {"customers": ("customer", world.customers_topic), "orders": ("order", world.orders_topic)}
    return world.write_config(
        file,
        workers=1,
        settings={
            "kafka": {"properties": {"session.timeout.ms": 2000, "heartbeat.interval.ms": 500, **QUICK}},
            "topics": {name: {"topic": topic, "kind": kind, **topics.get(name, {})} for name, (kind, topic) in names.items()},
        },
    )


def send(world, kind, *events):
    """events: (id, version)"""
    topic = world.customers_topic if kind == "customer" else world.orders_topic
    world.send(
        {
            "topic": topic,
            "key": identity,
            "value": json.dumps(
                {"kind": kind, "id": identity, "version": version, "event_id": f"{identity}-{version}", "type": "Changed", "data": {}}
            ),
        }
        for identity, version in events
    )


def seen(world, store):
    return {identity: document["document"].get("seen") for identity, document in world.documents(store).items()}


def wait_seen(world, identity, versions):
    for store in harness.STORES:
        wait_until(f"{store}: {identity} has not come", 120, lambda: seen(world, store).get(identity) == versions)  # noqa: B023


def stops(world, store):
    """topic -> why its partition is degraded, as `viewfold status` shows it"""
    status = json.loads(run_viewfold("status", "--json", "-c", world.config).stdout)
    (row,) = [one for one in status["projections"] if one["store"] == store]
    if row["state"] != "degraded":
        return {}
    return {one["topic"]: one["error"]["error"] for one in row["partitions"] if one["error"] and one["error"]["degraded"]}


def wait_degraded(world, topic, *words):
    for store in harness.STORES:
        wait_until(f"{store}: {topic} does not stop", 120, lambda: topic in stops(world, store))  # noqa: B023
        error = stops(world, store)[topic]
        check(all(word in error for word in words), f"{store}: an operator is not told {words}: {error}")
    check(run_viewfold("status", "--check", "-c", world.config).returncode == 1, "status --check finds nothing")


def wait_committed(world):
    wait_until(
        "no offset is committed",
        120,
        lambda: all(world.committed(store).get(at) == end for store in harness.STORES for at, end in world.produced.items()),
    )


def delete_topic(world, topic):
    admin = AdminClient(harness.kafka())
    admin.delete_topics([topic])[topic].result(30)
    del world.produced[topic, 0]
    return admin


def make_topic(admin, topic):
    def made():
        try:
            admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
            return True
        except Exception:  # the old one is still being deleted
            return False

    wait_until(f"{topic} cannot be made", 60, made)


def a_topic_that_is_made_anew_while_it_is_read_is_noticed():
    # The new log is longer than the old one at once: whoever reads on in it is in its middle, and no broker says a word.
    with log_world("anew") as world:
        fleet = Fleet(world)
        process = fleet.start()
        for version in range(1, 4):
            send(world, "order", ("o1", version))
            fleet.wait_caught_up()
            wait_committed(world)  # the worker looks before it commits: by now it has seen what was committed
        make_topic(delete_topic(world, world.orders_topic), world.orders_topic)
        send(world, "order", *((f"n{number}", 1) for number in range(12)))
        wait_degraded(world, world.orders_topic, "is not the one that the view has taken in", "generations drop log --yes")
        send(world, "customer", ("c1", 1))
        wait_seen(world, "c1", "1 ")
        process.terminate()
        again = fleet.start()
        wait_until("a restart hides it", 120, lambda: len(again.lines("level=error", "is not the one")) == 2)
        again.terminate()
        # As the message says.
        check(run_viewfold("generations", "drop", "log", "--yes", "-c", world.config).returncode == 0, "it cannot be dropped")
        fleet.once()
        for store in harness.STORES:
            wanted = {"c1": "1 ", **{f"n{number}": "1 " for number in range(12)}}
            check(seen(world, store) == wanted, f"{store}: built anew it is {seen(world, store)}")


def a_topic_that_is_gone_is_said_and_the_others_go_on():
    with log_world("gone") as world:
        fleet = Fleet(world)
        process = fleet.start()
        send(world, "order", ("o1", 1), ("o1", 2), ("o1", 3))
        fleet.wait_caught_up()
        admin = delete_topic(world, world.orders_topic)
        wait_until("nobody says so", 120, lambda: len(process.lines("level=error", "a topic is gone", world.orders_topic)) == 2)
        send(world, "customer", ("c1", 1))
        wait_seen(world, "c1", "1 ")
        make_topic(admin, world.orders_topic)
        send(world, "order", ("n1", 1))
        wait_degraded(world, world.orders_topic, "ends at offset 1", "before 3", "re-created or truncated", "generations drop")
        check("n1" not in seen(world, "cache"), "the new log was read as if it were the old one")
        fleet.stop()


def a_log_without_its_beginning_is_a_decision_and_retention_is_said():
    with log_world("beginning") as world:
        send(world, "order", ("o1", 1), ("o1", 2), ("o2", 1))
        send(world, "customer", ("c1", 1))
        admin = AdminClient(harness.kafka())
        for done in admin.delete_records([TopicPartition(world.orders_topic, 0, 2)]).values():
            done.result(30)
        for topic, key, value in (
            (world.customers_topic, "retention.ms", "-1"),
            (world.orders_topic, "cleanup.policy", "compact"),
        ):
            entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
            for done in admin.incremental_alter_configs([resource]).values():
                done.result(30)
        fleet = Fleet(world)
        process = fleet.start("--once")
        check(process.wait(120) == 1, "run --once has not ended with 1")
        wait_degraded(world, world.orders_topic, "begins at offset 2", "history: partial")
        check(process.lines("level=info", f"topic={world.customers_topic}", "Kafka keeps all records"), "retention is not said")
        check(process.lines("level=warn", f"topic={world.orders_topic}", "only the last record of each key"), "nor compaction")
        check(seen(world, "cache") == {"c1": "1 "}, f"it has {seen(world, 'cache')}")
        world.config = configure(world, "partial.yaml", orders={"history": "partial"})
        process = fleet.once()
        check(process.lines("level=info", f"topic={world.orders_topic}", "only the last record"), "a warning of what was decided")
        for store in harness.STORES:
            check(seen(world, store) == {"c1": "1 ", "o2": "1 "}, f"{store}: it has {seen(world, store)}")


def a_partition_in_which_nothing_happens_shows_no_lag():
    with log_world("idle") as world:
        fleet = Fleet(world)
        send(world, "order", ("o1", 1), ("o1", 2))
        fleet.once()
        at = TopicPartition(world.orders_topic, 0, 0)
        for store in harness.STORES:
            consumer = Consumer(harness.kafka(**{"group.id": world.group_of(store)}))
            consumer.commit(offsets=[at], asynchronous=False)
            consumer.close()
            check(world.committed(store)[at.topic, 0] == 0, "the committed offset cannot be moved")
        fleet.start()
        wait_committed(world)
        fleet.stop()


if __name__ == "__main__":
    harness.main(
        a_topic_that_is_made_anew_while_it_is_read_is_noticed,
        a_topic_that_is_gone_is_said_and_the_others_go_on,
        a_log_without_its_beginning_is_a_decision_and_retention_is_said,
        a_partition_in_which_nothing_happens_shows_no_lag,
    )
