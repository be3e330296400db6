"""F8: transactions of producers, many of them aborted."""

import contextlib
import json

from confluent_kafka import Producer

from frame import TOGETHER, fault, harness


@fault(8, "aborted transactions", promises=(2, 9), stores=TOGETHER, events=(400, 12_000))
def what_a_producer_aborts_is_never_seen(scene):
    """Events come in transactions, from two producers side by side in the same partitions. One of them aborts: events of customers,
    orders and accounts that nobody else knows, and first versions of what the other one then commits, with other amounts. Or it is
    fenced in the middle by the next one of its name. The other one commits, late at times. Processes die meanwhile. Nothing that was
    aborted is in any view, all else is, and progress gets past the markers that both leave in the log."""
    scene.fleet.start()
    plain, scene.producer = scene.producer, transactional(scene, "commits")
    never = scene.records(repeats=0)
    rounds = scene.pick(5, 60)
    aborting = transactional(scene, "aborts")
    for turn in range(rounds):
        records = scene.records(scene.events // rounds)
        aborting.begin_transaction()
        send(scene, aborting, never[turn::rounds] + [changed(record) for record in records])
        scene.producer.begin_transaction()
        scene.produce(records)
        if turn % 2:
            scene.moment(0.0, 1.0)  # what lies behind an open transaction cannot be read
            scene.fleet.kill(scene.chance.choice(scene.fleet.living()))
            scene.fleet.start()
        if turn % 3 == 2:
            aborting = transactional(scene, "aborts")  # that of the same name before it is aborted
            scene.inject("transaction fenced")
        else:
            aborting.abort_transaction(60)
            scene.inject("transaction aborted")
        scene.producer.commit_transaction(60)
    scene.producer = plain
    scene.catch_up()
    customers = {record["key"] for record in never if record["topic"].endswith("shop.customers")}
    scene.check(customers, "nothing was aborted")
    for store in scene.stores:
        seen = customers & scene.readers[store].documents("customer_orders").keys()
        scene.check(not seen, f"{store}: documents of what was aborted: {sorted(seen)[:3]}")


def changed(record):
    """The same event with other amounts: taken in, it would keep the right one out as a repeat."""
    event = json.loads(record["value"])
    if isinstance(event.get("data"), dict):
        event["data"] = {
            name: value + 1 if isinstance(value, (int, float)) and not isinstance(value, bool) else value
            for name, value in event["data"].items()
        }
    return {**record, "value": json.dumps(event)}


def transactional(scene, name):
    producer = Producer(
        harness.kafka(**{"linger.ms": 5, "transactional.id": f"{scene.name}-{name}", "transaction.timeout.ms": 60_000})
    )
    producer.init_transactions(90)
    return producer


def send(scene, producer, records):
    """As they are, past what the models know of."""
    for record in records:
        while True:
            with contextlib.suppress(BufferError):
                producer.produce(scene.own(record["topic"]), key=record["key"], value=record["value"])
                break
            producer.poll(0.1)
    harness.check(producer.flush(90) == 0, "not all records were delivered")
