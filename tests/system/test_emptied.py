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


def lost(world, store, client):
    """(topic, partition) -> next and had, of the partitions that the store has begun to hold again."""
    found = {}
    if store == "cache":
        for at, text in client.hgetall(f"{world.prefix}{world.view}@1:progress").items():
            if "/" in at and "had" in json.loads(text):
                found[at] = json.loads(text)
    else:
        for one in client[world.database]["viewfold.progress"].find({"had": {"$exists": True}}):
            found[one["_id"].split(" ", 1)[1]] = one
    return {(at.rsplit("/", 1)[0], int(at.rsplit("/", 1)[1])): (one["next"], one["had"]) for at, one in found.items()}


def row_of(world, store):
    status = json.loads(harness.run_viewfold("status", "--json", "-c", world.config).stdout)
    (row,) = [one for one in status["projections"] if one["store"] == store]
    return row


def stop_while_it_is_filled(world, store, process):
    """Answers what the store then says to have lost, which is what `status` shows."""
    shown = {}

    def agree():  # what was on its way when the process was stopped arrives a moment later
        begun = lost(world, store, client)
        row = row_of(world, store)
        shown.update(row=row, begun=begun)
        sums = {"at": sum(one[0] for one in begun.values()), "of": sum(one[1] for one in begun.values())}
        return row["state"] == "rebuilding" and row["rebuilding"] == sums

    with contextlib.closing(world.redis_client() if store == "cache" else world.mongo_client()) as client:
        harness.wait_until("it is not filled again", 120, lambda: lost(world, store, client), every=0.001)
        process.signal(signal.SIGSTOP)
        try:
            harness.wait_until("`status` does not say what the store says", 20, agree)
        except harness.Failure as failure:
            raise harness.Failure(f"{failure}: {shown}") from None
    for at, (following, had) in shown["begun"].items():
        check(following < had == world.produced[at], f"{at} is at {following} of {had}, of {world.produced[at]}")
    return shown["begun"]


def an_emptied_store_is_said_to_be_rebuilt(store):
    # Stopped, the process stays a member of its group.
    settings = {
        "kafka": {"properties": {"session.timeout.ms": 45000, "heartbeat.interval.ms": 500}},
        "defaults": {"batch": {"events": 20}},
    }
    with World(f"rebuilding-{store}", partitions=(2, 3), settings=settings) as world:
        world.produce(generate.Shop(random.randrange(1 << 30), customers=150, events=2_500, hot=0.5))
        fleet = Fleet(world)
        fleet.once()
        check(row_of(world, store)["rebuilding"] is None, "it is said to be rebuilt, and nothing was lost")
        world.empty(store)
        process = fleet.start()
        begun = stop_while_it_is_filled(world, store, process)
        other = next(name for name in harness.STORES if name != store)
        check(row_of(world, other)["state"] == "running", "the other store is said to be rebuilt")
        check(harness.run_viewfold("status", "--check", "-c", world.config).returncode == 1, "--check minds nothing")

        # Readers hear of it: with the token of something that is lost, and with none.
        topic, partition = next(iter(begun))
        last = next(one for one in world.log if one["at"] == (topic, partition, world.produced[topic, partition] - 1))
        event = json.loads(last["value"])
        kind = "order" if topic == world.orders_topic else "customer"
        offset, version = f"o:{topic}/{partition}@{last['at'][2]}", f"v:{kind}/{event['id']}@{event['version']}"
        read = [world.view, "nobody", "--store", store, "-c", world.config]
        for token in (offset, version):
            told = harness.run_viewfold("get", *read, "--min", token)
            check(told.returncode == 75, f"get --min {token}: {told.returncode}, {told.stderr}")
            check(told.stderr.startswith(f"viewfold: rebuilding {token}: "), f"get --min {token} says {told.stderr}")
        told = harness.run_viewfold("get", *read)
        check(told.returncode == 66 and "is being rebuilt" in told.stderr, f"get says {told.stderr}")

        process.signal(signal.SIGCONT)
        waited = harness.run_viewfold("get", *read, "--min", offset, "--min", version, "--wait", "90s")
        check(waited.returncode == 66 and "rebuilding" not in waited.stderr, f"the wait ended with {waited.stderr}")
        fleet.wait_caught_up()
        # A partition's end is noted with its last records, or a moment later.
        harness.wait_until("it is rebuilt for ever", 120, lambda: row_of(world, store)["state"] == "running")
        row = row_of(world, store)
        check(row["rebuilding"] is None, f"it is rebuilt still: {row['rebuilding']}")
        check(not harness.run_viewfold("get", *read).stderr.count("rebuilt"), "get says so still")
        fleet.stop()
        documents, _ = world.compare()
        print(f"     {harness.TITLES[store]} emptied, and said to be rebuilt: {begun}; {documents} documents")


def redis_emptied_is_said_to_be_rebuilt():
    an_emptied_store_is_said_to_be_rebuilt("cache")


def mongodb_emptied_is_said_to_be_rebuilt():
    an_emptied_store_is_said_to_be_rebuilt("documents")


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
        redis_emptied_is_said_to_be_rebuilt,
        mongodb_emptied_is_said_to_be_rebuilt,
        redis_emptied_is_left_alone_where_its_owner_wants_to_be_asked,
        mongodb_emptied_is_left_alone_where_its_owner_wants_to_be_asked,
        a_first_start_of_many_is_not_taken_for_an_emptied_store,
    )
