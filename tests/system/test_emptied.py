"""A store loses everything: while the fleet is down, and while it runs."""

import contextlib
import json
import random
import signal

import harness
from harness import Fleet, World, check
from harness import generate


def said_emptied(process):
    return process.lines("level=warn", "worker=", "emptied")  # a topic's name says it too


def a_store_emptied_while_the_fleet_is_down_is_filled_again(store):
    with World(f"emptied-{store}", partitions=(2, 3)) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=120, events=4_000, hot=0.5, repeats=0.05)
        fleet = Fleet(world)
        world.produce(shop)
        fleet.once()
        world.compare()
        world.empty(store)
        check(world.documents(store) == {}, f"{store} still has documents")
        world.produce(generate.Shop(random.randrange(1 << 30), customers=50, events=500, prefix="later-"))
        second = fleet.once()
        counts = fleet.summary()
        documents, events = world.compare()
        print(f"     {harness.TITLES[store]} emptied; {documents} documents, {events} events, equal to the model")
        check(said_emptied(second), "the process did not say that the store had been emptied")
        check(
            all(f"store={store}" in line for line in said_emptied(second)),
            "it was said of the other store, which had lost nothing",
        )
        # What was emptied is read again from the log's beginning, the other one is not.
        check(second.counts()["records"] >= len(world.log), "the log was not read again")
        check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")


def redis_emptied_while_down_is_filled_again():
    a_store_emptied_while_the_fleet_is_down_is_filled_again("cache")


def mongodb_emptied_while_down_is_filled_again():
    a_store_emptied_while_the_fleet_is_down_is_filled_again("documents")


def a_store_emptied_while_the_fleet_runs_is_filled_again(store):
    with World(f"emptied-{store}", partitions=(2, 3), settings={"defaults": {"batch": {"events": 60}}}) as world:
        shop = generate.Shop(random.randrange(1 << 30), customers=120, events=6_000, hot=0.5, repeats=0.05)
        fleet = Fleet(world)
        emptied = 0
        # It has begun before the flow: on a busy machine starting may take longer than that.
        world.produce(generate.Shop(random.randrange(1 << 30), customers=40, events=300, prefix="first-"))
        for _ in range(2):
            fleet.start()
        with world.flow(shop, rate=1000):
            while emptied < 2:
                harness.wait_until("the fleet does not begin", 120, lambda: len(world.documents(store)) > 20)
                harness.pause(random.uniform(0.2, 1.0))
                world.empty(store)
                emptied += 1
        fleet.wait_caught_up()
        # Once more, with nothing flowing: an idle worker notices by looking.
        world.empty(store)
        fleet.wait_caught_up()
        fleet.stop()
        counts = fleet.summary()
        documents, events = world.compare()
        print(f"     {harness.TITLES[store]} emptied {emptied + 1} times; {documents} documents, equal to the model")
        check(counts["rewinds"] > emptied, "no worker has noticed that progress had gone back")


def redis_emptied_while_running_is_filled_again():
    a_store_emptied_while_the_fleet_runs_is_filled_again("cache")


def mongodb_emptied_while_running_is_filled_again():
    a_store_emptied_while_the_fleet_runs_is_filled_again("documents")


def with_emptied(world, what):
    stores = {
        "cache": {"redis": harness.address("VIEWFOLD_REDIS"), "prefix": world.prefix, "emptied": what},
        "documents": {"mongodb": world.mongodb_url(), "emptied": what},
    }
    return world.write_config(f"{what}.yaml", workers=2, settings={"stores": stores})


def an_emptied_store_is_left_alone_where_its_owner_wants_to_be_asked(store):
    with World(f"ask-{store}", partitions=(2, 3)) as world:
        config = with_emptied(world, "stop")
        world.produce(generate.Shop(random.randrange(1 << 30), customers=60, events=1_500, repeats=0.05))
        fleet = Fleet(world)
        fleet.once(config=config)
        world.empty(store)
        other = next(name for name in harness.STORES if name != store)
        world.produce(generate.Shop(random.randrange(1 << 30), customers=20, events=300, prefix="later-"))
        for _ in range(2):
            fleet.start(config=config)
        fleet.wait_caught_up(stores=(other,))

        def all_stopped():
            status = json.loads(harness.run_viewfold("status", "--json", "-c", config).stdout)
            (row,) = [one for one in status["projections"] if one["store"] == store]
            return row["state"] == "degraded" and all(part["error"] for part in row["partitions"])

        harness.wait_until("not every partition has stopped", 120, all_stopped)
        check(world.documents(store) == {}, f"{store} was filled again, though its owner wanted to be asked")
        fleet.stop()
        fleet.once(config=with_emptied(world, "rebuild"))
        fleet.summary()
        documents, _ = world.compare()
        print(
            f"     {harness.TITLES[store]} emptied, asked, and filled again; {documents} documents, equal to the model"
        )


def redis_emptied_is_left_alone_where_its_owner_wants_to_be_asked():
    an_emptied_store_is_left_alone_where_its_owner_wants_to_be_asked("cache")


def mongodb_emptied_is_left_alone_where_its_owner_wants_to_be_asked():
    an_emptied_store_is_left_alone_where_its_owner_wants_to_be_asked("documents")


def a_first_start_of_many_is_not_taken_for_an_emptied_store():
    # The process that makes the registry's entry comes late to the group: the others have committed offsets by then.
    with World("first", partitions=(2, 3)) as world:
        config = with_emptied(world, "stop")
        world.produce(generate.Shop(random.randrange(1 << 30), customers=60, events=1_500, repeats=0.05))
        fleet = Fleet(world)
        late = fleet.start(config=config)
        with contextlib.closing(world.redis_client()) as client:
            pointer = f"{world.prefix}{world.view}"
            harness.wait_until("no registry is made", 120, lambda: client.exists(pointer), every=0.001)
        late.signal(signal.SIGSTOP)
        check(not late.lines("msg=assigned"), "the late one was not stopped in time: this says nothing, try again")
        early = fleet.start(config=config)
        fleet.wait_caught_up()
        harness.wait_until(
            "no offset is committed", 120, lambda: all(world.committed(store) for store in harness.STORES)
        )
        late.signal(signal.SIGCONT)
        harness.wait_until("the late one gets no partitions", 120, lambda: len(late.lines("msg=assigned")) >= 2)
        world.produce(generate.Shop(random.randrange(1 << 30), customers=20, events=300, prefix="later-"))
        fleet.wait_caught_up()
        fleet.stop()
        fleet.summary()
        documents, _ = world.compare()
        print(f"     {documents} documents, equal to the model")
        for process in (late, early):
            check(
                not process.lines("emptied"),
                f"a first start was taken for an emptied store: {process.lines('emptied')[:1]}",
            )


if __name__ == "__main__":
    harness.main(
        redis_emptied_while_down_is_filled_again,
        mongodb_emptied_while_down_is_filled_again,
        redis_emptied_while_running_is_filled_again,
        mongodb_emptied_while_running_is_filled_again,
        redis_emptied_is_left_alone_where_its_owner_wants_to_be_asked,
        mongodb_emptied_is_left_alone_where_its_owner_wants_to_be_asked,
        a_first_start_of_many_is_not_taken_for_an_emptied_store,
    )
