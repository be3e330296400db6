"""The group's committed offsets are for lag tools: whoever moves them changes nothing in the view."""

import random

from confluent_kafka import Consumer, TopicPartition

import harness
from harness import Fleet, World, check
from harness import generate


def move_committed_offsets(world, offset_of):
    """To offset_of(end) in every partition of both stores' groups."""
    moved = 0
    for store in harness.STORES:
        consumer = Consumer(harness.kafka(**{"group.id": world.group_of(store)}))
        try:
            where = [TopicPartition(topic, number, offset_of(end)) for (topic, number), end in world.produced.items()]
            for done in consumer.commit(offsets=where, asynchronous=False):
                check(done.error is None, f"cannot move the committed offset: {done.error}")
                moved += 1
        finally:
            consumer.close()
    return moved


def committed_offsets_moved_while_down_change_nothing(offset_of):
    with World("offsets", partitions=(3, 5)) as world:
        fleet = Fleet(world)
        world.produce(generate.Shop(random.randrange(1 << 30), customers=120, events=3_000, hot=0.5, repeats=0.05))
        fleet.once()
        produced = sum(world.produced.values())
        # What is produced now lies before the end that the offsets are moved to.
        world.produce(
            generate.Shop(random.randrange(1 << 30), customers=120, events=3_000, repeats=0.05, prefix="later-")
        )
        new = sum(world.produced.values()) - produced
        moved = move_committed_offsets(world, offset_of)
        second = fleet.once()
        counts = fleet.summary()
        documents, events = world.compare()
        records = second.counts()["records"]
        print(
            f"     {moved} offsets moved; {records} records read for {new} new ones in two stores; {documents} documents"
        )
        check(moved > 0, "no offset was moved")
        check(records == 2 * new, f"{records} records were dealt with, and {new} were new")
        check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")


def committed_offsets_moved_to_the_end_skip_nothing():
    committed_offsets_moved_while_down_change_nothing(lambda end: end)


def committed_offsets_moved_to_the_beginning_repeat_nothing():
    committed_offsets_moved_while_down_change_nothing(lambda end: 0)


if __name__ == "__main__":
    harness.main(
        committed_offsets_moved_to_the_end_skip_nothing, committed_offsets_moved_to_the_beginning_repeat_nothing
    )
