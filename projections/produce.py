#!/usr/bin/env python3
"""Produces the samples' events to Kafka, for working by hand after `./dev up` and eval "$(tests/servers/servers.sh env)":

    "$VIEWFOLD_PYTHON" projections/produce.py --events 1000
    "$VIEWFOLD_PYTHON" projections/produce.py order_saga --events 1000

Makes the topics where they are missing, all that viewfold.yaml names. The events come from the samples' generate.py; without a
name, from those of the shop, the bank and the saga side by side. A later run invents customers, orders and so on of its own
(other ids); with --prefix "" it sends those of the first run once more, which changes nothing in the views.
"""

import argparse
import os
import sys
import time

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import common

# What happens, and which samples show it. The share is of all events, where everything is produced.
STREAMS = {
    "customer_orders": (0.5, ("customer_orders", "recent_customers", "orders_per_day")),
    "customer_bank_view": (0.3, ("customer_bank_view",)),
    "order_saga": (0.2, ("order_saga",)),
}
PARTITIONS = {
    topic: count for stream in STREAMS for topic, count in common.load(stream, "generate").TOPICS.items()
}


def all_records(events, seed=1, prefix=""):
    """The shop, the bank and the saga side by side, about `events` events in all."""
    return common.mixed(
        seed,
        *(
            common.load(stream, "generate").records(events=max(1, round(events * share)), seed=seed, prefix=prefix)
            for stream, (share, _) in STREAMS.items()
        ),
    )


def create_topics(brokers, seconds=20):
    """Makes what is missing. Returns how many records the topics hold already."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 2})
    there = admin.list_topics(timeout=seconds).topics
    missing = [NewTopic(topic, count, 1) for topic, count in PARTITIONS.items() if topic not in there]
    for made in (admin.create_topics(missing) if missing else {}).values():
        made.result(seconds)
    return sum(_records(brokers, topic, there[topic].partitions) for topic in PARTITIONS if topic in there)


def _records(brokers, topic, partitions):
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "none", "log_level": 2})
    try:
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, number), 20)[1] for number in partitions)
    finally:
        consumer.close()


def produce(brokers, records, rate=None, told=None):
    """Sends records in order, `rate` a second at most. told(topic, partition, offset) for each that Kafka has."""
    # Idempotent: the order of an aggregate's events holds whatever the connection does.
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5, "log_level": 2})
    failures = []

    def delivered(error, message):
        if error:
            failures.append(error)
        elif told:
            told(message.topic(), message.partition(), message.offset())

    started, sent = time.monotonic(), 0
    for record in records:
        while True:
            try:
                producer.produce(record["topic"], key=record["key"], value=record["value"], on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        sent += 1
        producer.poll(0)
        if rate and sent % 20 == 0:
            time.sleep(max(0.0, started + sent / rate - time.monotonic()))
    if producer.flush(60) or failures:
        raise KafkaException(failures[0] if failures else "not all records were delivered within 60 s")
    return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sample", nargs="?", choices=common.SAMPLES, help="whose events (default: everything)")
    parser.add_argument("--events", type=int, default=1000, help="about how many (default 1000)")
    parser.add_argument("--rate", type=float, help="events a second (default: as fast as it goes)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefix", help="put before every id (default: none in the first run)")
    parser.add_argument("--brokers", default=os.environ.get("VIEWFOLD_KAFKA"), help="default: VIEWFOLD_KAFKA")
    options = parser.parse_args()
    if not options.brokers:
        sys.exit('produce.py: VIEWFOLD_KAFKA is not set: ./dev up, then eval "$(tests/servers/servers.sh env)"')
    records = common.load(options.sample, "generate").records if options.sample else all_records
    try:
        before = create_topics(options.brokers)
        prefix = options.prefix if options.prefix is not None else f"{before}-" if before else ""
        log = list(records(events=options.events, seed=options.seed, prefix=prefix))
        sent = produce(options.brokers, log, options.rate)
    except KafkaException as failure:
        sys.exit(f"produce.py: Kafka at {options.brokers}: {failure}")
    events = len({(record["topic"], record["value"]) for record in log})
    topics = ", ".join(sorted({record["topic"] for record in log}))
    print(f"{sent} records to {topics}: {events} events, and {sent - events} of them once more")
    for stream, (_, samples) in STREAMS.items():
        if not options.sample or options.sample in samples:
            view = common.load(stream, "model").fold(common.meant_for(stream, log))
            print(f"for example {stream} {min(view, key=lambda one: (len(one), one), default='(nothing)')}")


if __name__ == "__main__":
    main()
