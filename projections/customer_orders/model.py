#!/usr/bin/env python3
"""What the view customer_orders has to be, given the records that were produced: a fold written by hand from the events'
meaning. It shares nothing with the engine and its Lua; the tests and the demo hold both stores against it.

    model.py LOG.jsonl [ID ...]      prints the documents as JSON lines, as `viewfold get --json` shows them
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

STATES = {
    "OrderApproved": "APPROVED",
    "OrderRejected": "REJECTED",
    "OrderShipped": "SHIPPED",
    "OrderCancelled": "CANCELLED",
}


class Shop:
    """Whose each order is, and a document for each customer with all orders."""

    def __init__(self):
        self.customers = {}
        self.gone = set()
        self.owner = {}  # order id -> customer id

    def document(self, identity):
        return self.customers.setdefault(identity, common.Document({"orders": {}}))

    def of_customer(self, event):
        identity, data = event["id"], event.get("data")
        document = self.document(identity)
        document.enter(event)
        if event["type"] == "CustomerCreated":
            document.body.update(name=data["name"], creditLimit=data["creditLimit"])
            document.shown = True
        elif event["type"] == "CustomerDeleted":
            self.gone.add(identity)

    def of_order(self, event):
        order, data = event["id"], event.get("data")
        if event["type"] == "OrderCreated":
            self.owner[order] = data["customerId"]
        elif event["type"] == "OrderReassigned" and data["customerId"] != self.owner[order]:
            left = self.document(self.owner[order])
            self.owner[order] = data["customerId"]
            left.enter(event)  # both have taken it in
            self.document(self.owner[order]).body["orders"][order] = left.body["orders"].pop(order)
        document = self.document(self.owner[order])
        document.enter(event)
        document.shown = document.shown or event["type"] in ("OrderCreated", "OrderReassigned")
        orders = document.body["orders"]
        if event["type"] == "OrderCreated":
            orders[order] = {"orderId": order, "orderTotal": data["orderTotal"], "state": "PENDING"}
        elif event["type"] in STATES:
            orders[order]["state"] = STATES[event["type"]]


def fold(records):
    """records: dicts with "value", the event as JSON text, in the order they were produced in.
    Returns customer id -> {"revision", "versions", "document"}."""
    shop = Shop()
    for event in common.events(records, ("customer", "order")):
        (shop.of_customer if event["kind"] == "customer" else shop.of_order)(event)
    # What came of a customer who has left is not seen any more, whether it came before that or after.
    return {
        identity: document.seen()
        for identity, document in shop.customers.items()
        if document.shown and identity not in shop.gone
    }


def orders_of(documents, identity):
    """findOrdersForCustomer()"""
    return documents[identity]["document"]["orders"]


if __name__ == "__main__":
    common.model_main(__doc__, fold)
