"""Processes that die at any moment: kill -9 while events flow, with half of the orders on one customer."""

import random

import harness
from harness import Fleet, Watcher, World, check
from harness import generate


def kill_minus_nine_at_random_points_loses_nothing_and_takes_nothing_in_twice():
    # Small batches, so that a kill has many moments to fall into.
    with World("kills", partitions=(3, 5), settings={"defaults": {"batch": {"events": 60}}}) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=150, events=7_200, hot=0.5, repeats=0.05)
        fleet = Fleet(world)
        watchers = [Watcher(world, store) for store in harness.STORES]
        for _ in range(3):
            fleet.start()
        for watcher in watchers:
            watcher.start()
        with world.flow(shop, rate=600) as flowing:
            while flowing():
                harness.pause(random.uniform(0.2, 3.0))
                fleet.kill(random.choice(fleet.living()))
                fleet.start()
        fleet.wait_caught_up()
        fleet.stop()
        counts = fleet.summary()
        for watcher in watchers:
            watcher.finish()
        documents, events = world.compare()
        print(f"     {documents} documents, {events} events, in both stores equal to the model")
        check(counts["kills"] >= 3, f"only {counts['kills']} kills")
        check(counts["rebalances"] > 0, "no rebalance was seen")
        check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")
        check(counts["conflicts"] > 0, "no conflict was met, though half of the orders go to one customer")


if __name__ == "__main__":
    harness.main(kill_minus_nine_at_random_points_loses_nothing_and_takes_nothing_in_twice)
