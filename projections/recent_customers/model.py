#!/usr/bin/env python3
"""What the view recent_customers has to be, given the records that were produced: a fold written by hand from the events'
meaning, and the answers that its indexes have to give. It shares nothing with the engine and its Lua.

    model.py LOG.jsonl [ID ...]      prints the documents as JSON lines, as `viewfold get --json` shows them
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

VALUABLE_FROM = 100_000


def fold(records):
    """Returns customer id -> {"revision", "versions", "document"}; dates are as RFC 3339 text."""
    customers, owner, amounts = {}, {}, {}
    for event in common.events(records, ("customer", "order")):
        kind, identity = event["type"], event["id"]
        if kind == "OrderCreated":
            owner[identity], amounts[identity] = event["data"]["customerId"], event["data"]["orderTotal"]["amount"]
        whose = identity if event["kind"] == "customer" else owner[identity]
        empty = {"biggest_shipped": 0, "valuable": False, "open": {}}
        customer = customers.setdefault(whose, common.Document(empty))
        customer.enter(event)
        body = customer.body
        if kind == "CustomerCreated":
            body.update(name=event["data"]["name"], created=event["time"])
        elif kind == "OrderCreated":
            body["open"][identity] = amounts[identity]
        elif kind in ("OrderShipped", "OrderRejected", "OrderCancelled"):
            del body["open"][identity]
            if kind == "OrderShipped" and int(amounts[identity]) > body["biggest_shipped"]:
                body["biggest_shipped"] = int(amounts[identity])
                body["valuable"] = body["biggest_shipped"] > VALUABLE_FROM
        else:
            continue  # it means nothing here, and shows no document
        customer.shown = True
    return {identity: customer.seen() for identity, customer in customers.items() if customer.shown}


def index(documents, name):
    """What lies in an index, in its order: (sort value, id). Dates are Unix milliseconds."""
    entries = []
    for identity, document in documents.items():
        body = document["document"]
        if name == "biggest":
            entries.append((body["biggest_shipped"], identity))
        elif "created" in body and (name == "recent" or body["valuable"]):
            entries.append((common.time_ms(body["created"]), identity))
    return sorted(entries, key=lambda entry: (entry[0], entry[1].encode()))


def newest_valuable(documents, count):
    """The ids of the newest customers who had an order above 100000 shipped, the newest first."""
    return [identity for _, identity in reversed(index(documents, "valuable")[-count:])]


if __name__ == "__main__":
    common.model_main(__doc__, fold)
