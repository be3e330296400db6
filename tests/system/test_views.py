"""The samples on real servers: moves, deletes, holds, indexes and expiry under kill -9 and rebalances, both stores compared
with the Python models by plain clients."""

import json
import random

import harness
from harness import Fleet, check
from samples import Samples, common

SMALL = {"defaults": {"batch": {"events": 60}}}  # so that a kill has many moments to fall into


def every_sample_is_right_under_kills_and_rebalances():
    with Samples("views", settings=SMALL) as world:
        seed = random.randrange(1 << 30)
        log = common.mixed(
            seed,
            world.generators["customer_orders"].records(events=1_000, seed=seed, repeats=0.05),
            world.generators["customer_bank_view"].records(events=1_000, seed=seed, repeats=0.05),
            world.generators["order_saga"].records(events=600, seed=seed, repeats=0.05),
        )
        fleet = Fleet(world)
        fleet.start()
        fleet.start()
        with world.flow(list(log), rate=600) as flowing:
            while flowing():
                harness.pause(random.uniform(1.0, 2.5))
                fleet.kill(random.choice(fleet.living()))
                fleet.start()
        fleet.wait_caught_up()
        harness.wait_until("what has expired is not swept", 60, lambda: not any(map(world.expired, harness.STORES)))
        fleet.stop()
        counts = fleet.summary()
        documents, entries, held = world.compare()
        check_questions(world)
        check_plans(world)
        print(f"     {documents} documents, {entries} index entries: in both stores as the models have them; {held} events held")
        check(counts["kills"] >= 2, f"only {counts['kills']} kills")
        check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")
        check(held > 0, "no event is held, though an account never comes")
        happened = {json.loads(record["value"])["type"] for record in world.log}
        check({"OrderReassigned", "CustomerDeleted"} <= happened, "no order moved, or no customer left")


def check_questions(world):
    """What is not asked by id, by `viewfold find`: from either store the model's answer."""
    recent, saga = (world.models[sample] for sample in ("recent_customers", "order_saga"))
    customers = recent.fold(common.meant_for("recent_customers", world.log))
    orders = saga.fold(common.meant_for("order_saga", world.log))
    refunds = [order for _, order in saga.index(orders, "stuck_at", "AWAITING_REFUND")]
    for store in harness.STORES:
        for wanted, view, *question in (
            (recent.newest_valuable(customers, 5), "recent_customers", "valuable", "--reverse", "--limit", "5"),
            (saga.longest_stuck(orders, 3), "order_saga", "stuck", "--limit", "3"),
            (refunds, "order_saga", "stuck_at", "--by", "AWAITING_REFUND", "--limit", "0"),
        ):
            done = harness.run_viewfold("find", view, *question, "--json", "--store", store, "-c", world.config)
            check(done.returncode == 0, f"find {view} {' '.join(question)} ended with {done.returncode}: {done.stderr}")
            found = [json.loads(line)["id"] for line in done.stdout.splitlines()]
            check(found == wanted, f"{store}: find {view} {' '.join(question)} gives {found}, and not {wanted}")


def check_plans(world):
    """MongoDB answers the same questions, put to the view in words, from the indexes, without sorting."""
    reader = world.readers["documents"]
    for view, index, where, sort, direction in (
        ("recent_customers", "valuable", {"valuable": True, "created": {"$ne": None}}, "created", -1),
        ("order_saga", "stuck", {"stuck_since": {"$ne": None}}, "stuck_since", 1),
        ("order_saga", "stuck_at", {"step": "AWAITING_REFUND", "stuck_since": {"$ne": None}}, "stuck_since", 1),
    ):
        plan = reader.plan(view, where, sort, direction)
        check(f"IXSCAN {index}" in plan and "SORT" not in plan, f"{view} by {index}: MongoDB's plan is {plan}")


def event(topic, kind, identity, version, event_type, data=None):
    return common.record(topic, kind, identity, version, event_type, common.days_ago(1) + version, data)


def shown_as_held(world):
    """store -> how many events `viewfold status` says are set aside; nothing but links is waited for here"""
    done = harness.run_viewfold("status", "--json", "-c", world.config)
    check(done.returncode == 0, f"status ended with {done.returncode}: {done.stderr}")
    return {one["store"]: one["aside"] for one in json.loads(done.stdout)["projections"]}


def held_in(world):
    return [reader.held("customer_bank_view") for reader in world.readers.values()]


def what_waits_for_its_link_is_held_shown_and_taken_in_when_the_link_comes():
    """A card with more events than a batch holds waits for its account; another one's account never comes. The process that
    has held them is killed, and so is the one that has begun to take them in."""
    waits = [event("bank.cards", "card", "k1", 1, "CardIssued", {"accountId": "a1", "maskedNumber": "1"})]
    waits += [
        event("bank.cards", "card", "k1", version, "CardTransactionProcessed", {"merchant": "m", "amount": version})
        for version in range(2, 301)
    ]
    never = [event("bank.cards", "card", "k2", 1, "CardIssued", {"accountId": "a2", "maskedNumber": "2"})]
    opened = {"customerId": "b1", "type": "CURRENT", "currency": "EUR"}
    with Samples("holds", ("customer_bank_view",), settings={"defaults": {"batch": {"events": 20}}}) as world:
        fleet = Fleet(world)
        first = fleet.start()
        world.produce(waits + never)
        fleet.wait_caught_up()
        check(shown_as_held(world) == {"cache": 301, "documents": 301}, f"status shows {shown_as_held(world)} as held")
        world.compare()
        fleet.kill(first)

        second = fleet.start()
        world.produce([event("bank.accounts", "account", "a1", 1, "AccountOpened", opened)])
        harness.wait_until("nothing of what was held is taken in", 60, lambda: min(held_in(world)) < 301, every=0.001)
        fleet.kill(second)
        fleet.start()
        more = [event("bank.cards", "card", "k1", 301, "CardTransactionProcessed", {"merchant": "m", "amount": 301})]
        world.produce(more)  # behind what is still held, if anything is
        fleet.wait_caught_up()
        harness.wait_until("what was held is not all taken in", 60, lambda: held_in(world) == [1, 1])
        check(shown_as_held(world) == {"cache": 1, "documents": 1}, f"status shows {shown_as_held(world)} as held")
        fleet.stop()
        world.compare()


if __name__ == "__main__":
    harness.main(
        every_sample_is_right_under_kills_and_rebalances,
        what_waits_for_its_link_is_held_shown_and_taken_in_when_the_link_comes,
    )
