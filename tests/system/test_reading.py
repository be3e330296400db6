"""`viewfold get`: the same document from either store, and as fresh as the reader asks."""

import json
import random
import urllib.parse

import harness
from harness import Fleet, World, check, run_viewfold, wait_until
from harness import generate, model


def get(world, *arguments):
    return run_viewfold("get", "-c", world.config, "--json", world.view, *arguments)


def documents_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def both_stores_give_the_same_json():
    # Ids of every kind of character that means something somewhere.
    with World("get") as world:
        strange = "Zoë/ @%:{}[]*$.x#\"'\\-"
        world.produce(generate.Shop(random.randrange(1 << 30), customers=30, events=900, repeats=0.05, prefix=strange))
        fleet = Fleet(world)
        fleet.once()
        fleet.summary()
        documents, events = world.compare()
        wanted = model.fold(world.log)
        ids = sorted(wanted)
        found = {}
        for store in harness.STORES:
            done = get(world, "--store", store, *ids)
            check(done.returncode == 0, f"get ended with {done.returncode}: {done.stderr}")
            found[store] = documents_of(done)
            lines = done.stdout.splitlines()
            check(
                all(
                    line == json.dumps(json.loads(line), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
                    for line in lines
                ),
                f"{store}: not in canonical form: {lines[0]}",
            )
            for identity, document in zip(ids, found[store], strict=True):
                check(document.pop("store") == store, "the wrong store")
                check(
                    document == {"view": "customer_orders", "generation": 1, "id": identity, **wanted[identity]},
                    f"{store}: {identity}: {document}",
                )
        check(found["cache"] == found["documents"], "the stores differ")
        print(f"     {documents} documents of {events} events, the same from both stores and the model")


def what_is_not_there_ends_with_66_after_what_is():
    with World("unknown") as world:
        world.produce(generate.Shop(random.randrange(1 << 30), customers=5, events=100))
        nothing = get(world, "c0")
        check(nothing.returncode == 66, f"a view that was never made: {nothing.returncode} {nothing.stderr}")
        Fleet(world).once()
        for store in harness.STORES:
            some = get(world, "--store", store, "nobody", "c0", "no one", "c1")
            check(some.returncode == 66, f"{store}: ended with {some.returncode}")
            check([one["id"] for one in documents_of(some)] == ["c0", "c1"], f"{store}: {some.stdout}")
            check("nobody" in some.stderr and "no one" in some.stderr, f"{store}: {some.stderr}")
        other = run_viewfold("get", "-c", world.config, "no_such_view", "c0")
        check(
            other.returncode == 66 and "no_such_view" in other.stderr, f"ended with {other.returncode}: {other.stderr}"
        )
        other = get(world, "--store", "nowhere", "c0")
        check(other.returncode == 66 and "nowhere" in other.stderr, f"ended with {other.returncode}: {other.stderr}")


def a_read_with_a_token_is_fresh_or_says_why_not():
    with World("tokens", partitions=(2, 3)) as world:
        fleet = Fleet(world)
        process = fleet.start()
        shop = generate.Shop(random.randrange(1 << 30), customers=10, events=300, prefix="t@")
        world.produce(shop)
        order = min(shop.last_type)  # whatever has become of it: the view goes by the last event
        quoted = urllib.parse.quote(order, safe="")
        wanted = model.fold(world.log)
        customer = next(i for i in wanted if order in wanted[i]["document"]["orders"])
        fresh = 0
        for store in harness.STORES:
            # Right after producing: the reader waits, and then sees it.
            for event_type, state in (("OrderApproved", "APPROVED"), ("OrderShipped", "SHIPPED")):
                record = shop._record(generate.ORDERS, "order", order, event_type, None)
                world.send([{**record, "topic": world.orders_topic}])
                version = shop.versions[f"order/{order}"]
                done = get(world, "--store", store, "--min", f"v:order/{quoted}@{version}", "--wait", "60s", customer)
                check(done.returncode == 0, f"{store}: ended with {done.returncode}: {done.stderr}")
                (document,) = documents_of(done)
                check(document["versions"][f"order/{order}"] == version, f"{store}: not fresh: {document['versions']}")
                check(document["document"]["orders"][order]["state"] == state, f"{store}: not fresh")
                fresh += 1
            at = max(world.produced.items(), key=lambda item: item[1])
            token = f"o:{at[0][0]}/{at[0][1]}@{at[1] - 1}"
            done = get(world, "--store", store, "--min", token, "--wait", "60s", customer)
            check(done.returncode == 0, f"{store}: {token} ended with {done.returncode}: {done.stderr}")
            fresh += 1
            # What has not been produced does not come in time.
            for late in (f"v:order/{quoted}@{version + 1}", "v:order/never@1", f"o:{at[0][0]}/{at[0][1]}@{at[1]}"):
                done = get(world, "--store", store, "--min", late, "--wait", "300ms", customer)
                check(done.returncode == 75, f"{store}: {late} ended with {done.returncode}: {done.stderr}")
                check(done.stdout == "" and "pending" in done.stderr, f"{store}: {done.stdout}{done.stderr}")
                done = get(world, "--store", store, "--min", late, "--stale-ok", customer)
                check(done.returncode == 0 and documents_of(done), f"{store}: --stale-ok ended with {done.returncode}")
        # What cannot come by itself: the record cannot be read, and is parked.
        bad = (world.orders_topic, 0)
        world.send([{"topic": bad[0], "partition": bad[1], "key": "x", "value": b"{"}])
        offset = world.produced[bad] - 1
        for store in harness.STORES:
            wait_until("the record is not parked", 120, lambda s=store: process.lines("level=error", f"store={s}"))
            done = get(world, "--store", store, "--min", f"o:{bad[0]}/{bad[1]}@{offset}", "--wait", "60s", customer)
            check(done.returncode == 1, f"{store}: what is parked: {done.returncode}: {done.stderr}")
            check(f"{bad[0]}/{bad[1]}" in done.stderr, f"{store}: it does not say where: {done.stderr}")
        done = get(world, "--min", "v:order@x", customer)
        check(done.returncode == 64, f"not a token: ended with {done.returncode}: {done.stderr}")
        fleet.stop()
        print(f"     {fresh} fresh reads, each of what had just been produced")


if __name__ == "__main__":
    harness.main(
        both_stores_give_the_same_json,
        what_is_not_there_ends_with_66_after_what_is,
        a_read_with_a_token_is_fresh_or_says_why_not,
    )
