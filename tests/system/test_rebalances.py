"""The group's members change while events flow: they join, they leave, they come back from the dead."""

import random
import signal

import harness
from harness import Fleet, Watcher, World, check, wait_until
from harness import generate


def processes_that_join_and_leave_in_a_loop_change_nothing():
    with World("rebalances", partitions=(3, 5), settings={"defaults": {"batch": {"events": 60}}}) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=150, events=7_200, hot=0.5, repeats=0.05)
        fleet = Fleet(world)
        watchers = [Watcher(world, store) for store in harness.STORES]
        fleet.start()
        joined = left = 0
        for watcher in watchers:
            watcher.start()
        with world.flow(shop, rate=600) as flowing:
            # On a busy machine a few turns take longer than all events.
            while flowing() or joined < 2 or left < 2:
                harness.pause(random.uniform(0.1, 1.5))
                if len(fleet.living()) < 2 or (len(fleet.living()) < 4 and random.random() < 0.5):
                    fleet.start()
                    joined += 1
                else:
                    process = random.choice(fleet.living())
                    status = process.terminate()
                    check(status == 0, f"SIGTERM ended with {status}")
                    left += 1
        fleet.wait_caught_up()
        fleet.stop()
        counts = fleet.summary()
        for watcher in watchers:
            watcher.finish()
        documents, events = world.compare()
        print(f"     joined {joined}, left {left}; {documents} documents, {events} events, equal to the model")
        check(joined > 1 and left > 1, f"joined {joined}, left {left}: too few")
        # Each process that joins has four members, and each of them is given an assignment at least once.
        check(counts["rebalances"] > 4 * (joined + 1), f"only {counts['rebalances']} rebalances")


def what_a_zombie_writes_late_does_not_count():
    # Customers only, each in one partition of its own topic: no two workers share a document, so a conflict of the zombie's
    # is with its successor's progress. Handlers are slow, so that there is always a batch under way.
    settings = {"defaults": {"batch": {"events": 20}}}
    with World("zombies", partitions=(4, 1), workers=1, settings=settings, slow=100_000) as world:
        world.produce(generate.Shop(random.randrange(1 << 30), customers=6_000, events=6_000, repeats=0.02))
        fleet = Fleet(world)
        zombies, late = 0, {store: 0 for store in harness.STORES}
        sleeper = fleet.start()
        wait_until("the first one does not begin", 120, lambda: world.progress("cache") and world.progress("documents"))
        while not all(world.caught_up(store) for store in harness.STORES) and (zombies < 2 or not late["cache"]):
            harness.pause(random.uniform(0.1, 0.4))
            sleeper.signal(signal.SIGSTOP)
            at = {store: sum(world.progress(store).values()) for store in harness.STORES}
            before = len(sleeper.lines("msg=assigned"))
            successor = fleet.start()
            wait_until(
                "nobody takes over from the one that sleeps",
                120,
                lambda at=at: all(sum(world.progress(store).values()) > at[store] for store in harness.STORES),
            )
            sleeper.signal(signal.SIGCONT)
            zombies += 1
            wait_until(
                "the zombie does not come back", 120, lambda n=before: len(sleeper.lines("msg=assigned")) >= n + 2
            )  # one for each store
            harness.pause(1.2)  # its counts are said once a second
            late = {store: sleeper.counts(store).get("conflicts", 0) for store in harness.STORES}
            fleet.kill(successor)
        fleet.wait_caught_up()
        fleet.stop()
        counts = fleet.summary()
        documents, events = world.compare()
        print(f"     zombies {zombies}, late writes refused {late}; {documents} documents, equal to the model")
        check(zombies > 0, "nobody was stopped")
        # MongoDB's conflicts may also come from the transaction that a process was killed or stopped in.
        check(late["cache"] > 0, "no late write was refused")
        check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")


def a_restart_with_kafka_instance_disturbs_nobody_else():
    """Static membership: the group keeps the partitions of who has ended for him, and the others hear nothing of it."""
    with World("instance", partitions=(2, 4), workers=1) as world:
        fleet, processes = Fleet(world), []
        for number in range(2):
            kafka = {"instance": f"host-{number}", "properties": {"session.timeout.ms": 120_000, "heartbeat.interval.ms": 500}}
            processes.append([world.write_config(f"host{number}.yaml", workers=1, settings={"kafka": kafka})])
        for one in processes:
            one.append(fleet.start(config=one[0]))
        world.produce(generate.Shop(random.randrange(1 << 30), customers=40, events=400, repeats=0.05))
        fleet.wait_caught_up()
        wait_until("they do not share", 60, lambda: all(len(one[1].lines("msg=assigned", "partitions=3")) >= 2 for one in processes))
        (_, stays), (config, leaves) = processes
        before = len(stays.lines("msg=assigned")) + len(stays.lines("msg=revoked"))
        for turn in range(2):
            check(leaves.terminate() == 0, "SIGTERM did not end with 0")
            world.produce(generate.Shop(random.randrange(1 << 30), customers=40, events=400, prefix=f"r{turn}-"))
            leaves = fleet.start(config=config)
            fleet.wait_caught_up()
            check(len(leaves.lines("msg=assigned", "partitions=3")) == 2, "it has other partitions than before")
        after = len(stays.lines("msg=assigned")) + len(stays.lines("msg=revoked"))
        check(after == before, f"the other process heard {after - before} times of partitions that come or go")
        fleet.stop()
        documents, _ = world.compare()
        print(f"     {documents} documents, equal to the model")


if __name__ == "__main__":
    harness.main(
        processes_that_join_and_leave_in_a_loop_change_nothing,
        what_a_zombie_writes_late_does_not_count,
        a_restart_with_kafka_instance_disturbs_nobody_else,
    )
