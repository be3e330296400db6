#!/usr/bin/env python3
"""What the view order_saga has to be, given the records that were produced, and the answers that its indexes have to give. It
shares nothing with the engine and its Lua: it gathers each order's events first, and says what they mean when all are there.

    model.py LOG.jsonl [ID ...]      prints the documents as JSON lines, as `viewfold get --json` shows them
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

KINDS = ("order", "payment", "reservation")
OVER = ("COMPLETED", "CANCELLED")


def meaning(story):
    """story: one order's events, each aggregate's in order. Returns the body."""
    last = {event["type"]: event for event in story}
    at = {kind: event["time"] for kind, event in last.items()}
    reserving = [event for event in story if event["kind"] == "reservation"][-1:]
    failed = {event["type"]: event for event in reserving}.get("InventoryReservationFailed")

    done = {"order": at.get("OrderCreated"), "payment": at.get("PaymentProcessed"), "inventory": at.get("InventoryReserved")}
    undone = {"payment": at.get("PaymentRefunded"), "order": at.get("OrderCancelled")}
    if failed or undone["order"]:
        waits_for = [("REFUND", done["payment"] and not undone["payment"]), ("CANCELLATION", not undone["order"])]
    else:
        waits_for = [(part.upper(), not when) for part, when in done.items()]
    missing = [f"AWAITING_{part}" for part, waits in waits_for if waits]
    body = {
        "step": missing[0] if missing else "CANCELLED" if undone["order"] else "COMPLETED",
        "done": {part: when for part, when in done.items() if when},
        "failed": {"inventory": {"at": failed["time"], "reason": failed["data"]["reason"]}} if failed else {},
        "compensations": {part: when for part, when in undone.items() if when},
        "changed": max(at.values()),
    }
    if "OrderCreated" in last:
        body["customer"] = last["OrderCreated"]["data"]["customerId"]
        body["total"] = last["OrderCreated"]["data"]["orderTotal"]
    if body["step"] not in OVER:
        body["stuck_since"] = body["changed"]
    return body


def fold(records):
    """Returns order id -> {"revision", "versions", "document"}; dates are as RFC 3339 text."""
    order_of, orders, stories = {}, {}, {}
    for event in common.events(records, KINDS):
        if event["kind"] == "order":
            order_of[event["aggregate"]] = event["id"]
        elif event["aggregate"] not in order_of:
            order_of[event["aggregate"]] = event["data"]["orderId"]
        order = order_of[event["aggregate"]]
        orders.setdefault(order, common.Document(None)).enter(event)
        stories.setdefault(order, []).append(event)
    for order, story in stories.items():
        orders[order].body = meaning(story)
    return {order: document.seen() for order, document in orders.items()}


def index(documents, name, by=None):
    """What lies in an index, in its order: (sort value, id). `by`: the step, for stuck_at."""
    entries = [
        (common.time_ms(document["document"]["stuck_since"]), identity)
        for identity, document in documents.items()
        if "stuck_since" in document["document"] and (name == "stuck" or document["document"]["step"] == by)
    ]
    return sorted(entries, key=lambda entry: (entry[0], entry[1].encode()))


def longest_stuck(documents, count):
    """The ids of the orders that have waited longest, the oldest first."""
    return [identity for _, identity in index(documents, "stuck")[:count]]


if __name__ == "__main__":
    common.model_main(__doc__, fold)
