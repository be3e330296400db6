#!/usr/bin/env python3
"""Makes events of orders that three services carry out together: checkouts (the order itself), payments, reservations of stock.
A payment and a reservation name their order once, in their first event. Most orders go well; some reservations fail, are
tried again or given up, and then the payment is refunded and the order cancelled; some orders stop somewhere and are stuck.
The services' records come in no common order.

As a program: writes them as JSON lines, {"topic", "key", "value"}, one a record, for model.py.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

CHECKOUTS = "shop.checkouts"
PAYMENTS = "shop.payments"
RESERVATIONS = "shop.reservations"
TOPICS = {CHECKOUTS: 4, PAYMENTS: 3, RESERVATIONS: 3}  # partitions, where produce.py makes them

REASONS = ["out of stock", "warehouse closed", "not deliverable"]


def story(random, number, prefix):
    """All that happens to one order, in the order in which it happens: (topic, kind, id, type, data)."""
    order, payment, reservation = f"{prefix}s{number}", f"{prefix}p{number}", f"{prefix}r{number}"
    total = {"amount": str(random.randrange(100, 100_000))}
    created = {"customerId": f"{prefix}c{random.randrange(1000)}", "orderTotal": total}
    yield CHECKOUTS, "order", order, "OrderCreated", created
    paid = random.random() < 0.95
    if paid:
        yield PAYMENTS, "payment", payment, "PaymentProcessed", {"orderId": order, "amount": total["amount"]}
    while random.random() < 0.3:
        failed = {"orderId": order, "reason": random.choice(REASONS)}
        yield RESERVATIONS, "reservation", reservation, "InventoryReservationFailed", failed
        if random.random() < 0.5:
            break  # given up: what was done is taken back
    else:
        yield RESERVATIONS, "reservation", reservation, "InventoryReserved", {"orderId": order}
        return
    if paid:
        yield PAYMENTS, "payment", payment, "PaymentRefunded", {"amount": total["amount"]}
    yield CHECKOUTS, "order", order, "OrderCancelled", None


def records(events=10_000, seed=1, prefix="", repeats=0.02, days=10):
    """Yields `events` records that differ, and the repeats among them."""
    step_ms = max(1, days * common.DAY_MS // max(1, events))
    history = common.History(seed, common.days_ago(days + 2), step_ms, lag=max(2, events // 10), repeats=repeats)
    random, number, under_way = history.random, 0, []
    for _ in range(events):
        if not under_way or random.random() < 0.28:
            number += 1
            steps = list(story(random, number, prefix))
            if random.random() < 0.05:
                del steps[random.randrange(1, len(steps) + 1) :]  # a service has stopped: nothing comes any more
            under_way.append(steps)
        place = random.randrange(len(under_way))
        history.happen(*under_way[place].pop(0))
        if not under_way[place]:
            under_way[place] = under_way[-1]
            under_way.pop()
    yield from history.records()


if __name__ == "__main__":
    common.generator_main(__doc__, records, repeats=0.02)
