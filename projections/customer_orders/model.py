#!/usr/bin/env python3
"""What the view customer_orders has to be, given the records that were produced: a fold written by hand from the events'
meaning. It shares nothing with the engine and its Lua; the tests and the demo hold both stores against it.

    model.py LOG.jsonl [ID ...]      prints the documents as JSON lines, as `viewfold get --json` shows them
"""

import json
import sys


class Customer:
    """One document: a customer with all orders."""

    def __init__(self):
        self.revision = 0
        self.versions = {}
        self.body = {"orders": {}}

    def as_document(self):
        return {"revision": self.revision, "versions": self.versions, "document": self.body}


STATES = {
    "OrderApproved": "APPROVED",
    "OrderRejected": "REJECTED",
    "OrderShipped": "SHIPPED",
    "OrderCancelled": "CANCELLED",
}


def fold(records):
    """records: dicts with "value", the event as JSON text, in the order they were produced in.
    Returns customer id -> {"revision", "versions", "document"}."""
    customers = {}
    owner = {}  # order id -> customer id
    seen = {}  # aggregate -> last version
    for record in records:
        event = json.loads(record["value"])
        aggregate = f"{event['kind']}/{event['id']}"
        last = seen.get(aggregate, 0)
        if event["version"] <= last:
            continue  # produced twice
        if event["version"] != last + 1:
            raise ValueError(f"{aggregate}: version {event['version']} after {last}: the generator left a hole")
        seen[aggregate] = event["version"]

        if event["kind"] == "customer":
            customer = customers.setdefault(event["id"], Customer())
            if event["type"] == "CustomerCreated":
                customer.body["name"] = event["data"]["name"]
                customer.body["creditLimit"] = event["data"]["creditLimit"]
        else:
            if event["type"] == "OrderCreated":
                owner[event["id"]] = event["data"]["customerId"]
            customer = customers.setdefault(owner[event["id"]], Customer())
            if event["type"] == "OrderCreated":
                customer.body["orders"][event["id"]] = {
                    "orderId": event["id"],
                    "orderTotal": event["data"]["orderTotal"],
                    "state": "PENDING",
                }
            else:
                customer.body["orders"][event["id"]]["state"] = STATES[event["type"]]
        customer.revision += 1
        customer.versions[aggregate] = event["version"]
    return {identity: customer.as_document() for identity, customer in customers.items()}


def read_log(path):
    with open(path, encoding="utf-8") as log:
        for line in log:
            yield json.loads(line)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    documents = fold(read_log(sys.argv[1]))
    for identity in sys.argv[2:] or sorted(documents):
        print(json.dumps({"id": identity, **documents[identity]}, sort_keys=True, ensure_ascii=False))


if __name__ == "__main__":
    main()
