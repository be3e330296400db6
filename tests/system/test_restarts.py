"""Kafka, Redis or MongoDB is killed and comes back while events flow. That server is the test's own."""

import functools
import random

import harness
from harness import Fleet, World, check, wait_until
from harness import generate

SETTINGS = {"defaults": {"batch": {"events": 60}}}


def with_its_own(server):
    def wrap(test):
        @functools.wraps(test)
        def run():
            with harness.own_servers(f"restarts-{server}", server):
                test()

        return run

    return wrap


def lines_in(fleet, *words):
    return sum(len(process.lines(*words)) for process in fleet.processes)


def begin(world, fleet):
    """A fleet that has begun, before the flow that it is about: on a busy machine starting may take longer than that."""
    world.produce(generate.Shop(random.randrange(1 << 30), customers=20, events=200, prefix="first-"))
    for _ in range(2):
        fleet.start()
    wait_until(
        "the fleet does not begin",
        120,
        lambda: fleet.check_living() or all(world.progress(store) for store in harness.STORES),
    )


def goes_on(world, store, at, flowing):
    """The other store's view does not wait for the one that is down."""
    wait_until(
        f"{store}: the view waits for the other store",
        120,
        lambda: sum(world.progress(store).values()) > at or not flowing(),
    )


def finish(world, fleet, loses_data=False):
    """Everything came through, nobody died, and a change of a server's state was one line a worker, not one a try."""
    fleet.wait_caught_up()
    fleet.stop()
    counts = fleet.summary()
    documents, events = world.compare()
    print(f"     {documents} documents, {events} events, in both stores equal to the model")
    check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")
    emptied = lines_in(fleet, "emptied")
    check(emptied == 0 or loses_data, "a store was taken for an emptied one, and had lost nothing")
    check(emptied > 0 or not loses_data, "nobody said that the store had been emptied")
    return counts


@with_its_own("redis")
def redis_that_loses_everything_gets_its_view_again_from_the_log():
    with World("redis-restart", settings=SETTINGS) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=150, events=6_000, hot=0.3, repeats=0.05)
        fleet = Fleet(world)
        restarts = 0
        begin(world, fleet)
        with world.flow(shop, rate=600) as flowing:
            while restarts < 1 or (flowing() and restarts < 2):
                harness.pause(random.uniform(1.0, 3.0))
                at = sum(world.progress("documents").values())
                with harness.down("redis"):
                    goes_on(world, "documents", at, flowing)
                    harness.pause(random.uniform(0.0, 2.0))
                restarts += 1
        counts = finish(world, fleet, loses_data=True)
        check(restarts > 0, "Redis was never restarted")
        check(counts["store_losses"] >= restarts, f"{counts['store_losses']} losses of a store were noticed")
        gone = lines_in(fleet, "the store is gone")
        check(
            0 < gone <= 4 * restarts,
            f"{gone} lines say that a store is gone, for {restarts} restarts of 4 workers' store",
        )


@with_its_own("mongodb")
def mongodb_that_is_killed_comes_back_with_its_data():
    with World("mongodb-restart", settings=SETTINGS) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=150, events=6_000, hot=0.3, repeats=0.05)
        fleet = Fleet(world)
        restarts = 0
        begin(world, fleet)
        with world.flow(shop, rate=600) as flowing:
            while restarts < 1 or (flowing() and restarts < 2):
                harness.pause(random.uniform(1.0, 3.0))
                at = sum(world.progress("cache").values())
                with harness.down("mongodb"):
                    goes_on(world, "cache", at, flowing)
                    harness.pause(random.uniform(0.0, 1.0))
                restarts += 1
        counts = finish(world, fleet)
        check(restarts > 0, "MongoDB was never restarted")
        check(counts["store_losses"] >= restarts, f"{counts['store_losses']} losses of a store were noticed")
        gone = lines_in(fleet, "the store is gone")
        check(
            0 < gone <= 4 * restarts,
            f"{gone} lines say that a store is gone, for {restarts} restarts of 4 workers' store",
        )


@with_its_own("kafka")
def kafka_that_is_killed_comes_back_with_its_data():
    with World("kafka-restart", settings=SETTINGS) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=150, events=6_000, hot=0.3, repeats=0.05)
        fleet = Fleet(world)
        restarts = 0
        begin(world, fleet)
        with world.flow(shop, rate=600) as flowing:
            while restarts < 1 or (flowing() and restarts < 2):
                harness.pause(random.uniform(1.0, 3.0))
                with harness.down("kafka"):
                    harness.pause(random.uniform(0.5, 3.0))
                restarts += 1
        finish(world, fleet)
        check(restarts > 0, "Kafka was never restarted")
        check(lines_in(fleet, "Kafka cannot be reached") > 0, "nobody said that Kafka could not be reached")
        said = lines_in(fleet, "Kafka cannot be reached")
        check(said <= 8 * restarts, f"{said} lines say that Kafka is gone, for {restarts} restarts and 8 workers")


if __name__ == "__main__":
    harness.main(
        redis_that_loses_everything_gets_its_view_again_from_the_log,
        mongodb_that_is_killed_comes_back_with_its_data,
        kafka_that_is_killed_comes_back_with_its_data,
    )
