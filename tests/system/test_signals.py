"""SIGTERM drains, a second signal ends at once, and --once ends by itself."""

import os
import random
import signal

import harness
from harness import Fleet, World, check, wait_until
from harness import generate


def sigterm_under_load_drains_and_ends_with_0():
    with World("drain", settings={"defaults": {"batch": {"events": 60}, "drain": "15s"}}, slow=50_000) as world:
        world.produce(generate.Shop(random.randrange(1 << 30), customers=150, events=6_000, hot=0.5, repeats=0.05))
        fleet = Fleet(world)
        drained = 0
        for _ in range(3):
            process = fleet.start()
            begun = dict(world.progress("cache"))
            wait_until("nothing is taken in", 120, lambda b=begun: world.progress("cache") != b)
            harness.pause(random.uniform(0.0, 0.6))
            process.signal(random.choice((signal.SIGTERM, signal.SIGINT)))
            status = process.wait(15 + 60)
            check(status == 0, f"ended with {status}")
            check(process.lines("draining"), "the log does not say that it drains")
            check(process.lines("msg=ended"), "the workers do not say what they have done")
            drained += not all(world.caught_up(store) for store in harness.STORES)
            # Drained means settled: what the group has committed is what the store holds.
            for store in harness.STORES:
                progress = world.progress(store)
                for at, committed in world.committed(store).items():
                    check(
                        committed == progress.get(at, 0),
                        f"{store} {at}: committed {committed}, progress {progress.get(at)}",
                    )
        fleet.once()
        fleet.summary()
        documents, _ = world.compare()
        print(f"     drained {drained} times under load; {documents} documents, equal to the model")
        check(drained > 0, "no process was under load when it was told to end")


def a_second_signal_ends_at_once_with_128_and_its_number():
    # The drain has something to wait for: a store that does not answer.
    with harness.own_servers("signals", "redis"), World("abort", workers=1) as world:
        redis_server = int(harness.address("VIEWFOLD_REDIS_PID"))
        world.produce(generate.Shop(random.randrange(1 << 30), customers=50, events=500))
        fleet = Fleet(world)
        for number in (signal.SIGTERM, signal.SIGINT):
            process = fleet.start()
            wait_until(
                "the fleet does not catch up", 120, lambda: all(world.caught_up(store) for store in harness.STORES)
            )
            os.kill(redis_server, signal.SIGSTOP)
            try:
                world.produce(generate.Shop(random.randrange(1 << 30), customers=9, events=30, prefix=f"s{number}-"))
                wait_until("MongoDB's view does not go on", 120, lambda: world.caught_up("documents"))
                process.signal(signal.SIGTERM)
                wait_until("the log does not say that it drains", 120, lambda p=process: p.lines("draining"))
                process.signal(number)
                status = process.wait(60)
                check(status == 128 + number, f"ended with {status}")
                fleet.processes.remove(process)
            finally:
                os.kill(redis_server, signal.SIGCONT)
        fleet.once()
        documents, _ = world.compare()
        print(f"     2 aborted; {documents} documents, equal to the model")


def once_ends_by_itself_at_the_end_and_a_second_time_has_nothing_to_do():
    with World("once") as world:
        world.produce(generate.Shop(random.randrange(1 << 30), customers=100, events=3_000, repeats=0.05))
        fleet = Fleet(world)
        first = fleet.once()
        counts = fleet.summary()
        documents, events = world.compare()
        second = fleet.once()
        world.compare()
        print(
            f"     {documents} documents, {events} events; the second process took in {second.counts().get('events', 0)}"
        )
        check(first.counts().get("events", 0) == 2 * events, "not every event was taken in by the first process")
        check(second.counts().get("events", 0) == 0, "the second process took something in again")
        check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")


if __name__ == "__main__":
    harness.main(
        sigterm_under_load_drains_and_ends_with_0,
        a_second_signal_ends_at_once_with_128_and_its_number,
        once_ends_by_itself_at_the_end_and_a_second_time_has_nothing_to_do,
    )
