#!/usr/bin/env python3
"""Produces the sample's events to Kafka, for working by hand after `./dev up` and eval "$(tests/servers/servers.sh env)":

    "$VIEWFOLD_PYTHON" projections/customer_orders/produce.py --events 1000

Makes the two topics where they are missing. The events come from generate.py. A later run invents customers and orders of its
own (other ids); with --prefix "" it sends those of the first run once more, which changes nothing in the view.
"""

import argparse
import os
import sys
import time

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import generate

PARTITIONS = {generate.CUSTOMERS: 4, generate.ORDERS: 6}


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
    """Sends generate.Shop's records in order, `rate` a second at most. told(topic, partition, offset) for each that Kafka has."""
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
    parser.add_argument("--events", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--customers", type=int, default=100)
    parser.add_argument("--rate", type=float, help="events a second (default: as fast as it goes)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefix", help="put before every id (default: none in the first run)")
    parser.add_argument("--brokers", default=os.environ.get("VIEWFOLD_KAFKA"), help="default: VIEWFOLD_KAFKA")
    options = parser.parse_args()
    if not options.brokers:
        sys.exit('produce.py: VIEWFOLD_KAFKA is not set: ./dev up, then eval "$(tests/servers/servers.sh env)"')
    try:
        before = create_topics(options.brokers)
        prefix = options.prefix if options.prefix is not None else f"{before}-" if before else ""
        shop = generate.Shop(options.seed, options.customers, options.events, prefix=prefix)
        sent = produce(options.brokers, shop.records(), options.rate)
    except KafkaException as failure:
        sys.exit(f"produce.py: Kafka at {options.brokers}: {failure}")
    topics = " and ".join(PARTITIONS)
    print(f"{sent} records to {topics}: {options.events} events, and {sent - options.events} of them once more")
    print(f"customers {prefix}c0 to {prefix}c{options.customers - 1}, orders from {prefix}o1 on")


if __name__ == "__main__":
    main()
