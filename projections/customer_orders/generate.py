#!/usr/bin/env python3
"""Makes events of a small shop: customers, and orders that later events of theirs do not name the customer of.

As a module: Shop(...).records() yields what a command side would produce, in its order. As a program: writes them as JSON
lines, {"topic", "key", "value"}, one a record, for `produce.py` and for the model.

The generator keeps each aggregate's numbers without holes, beginning at 1, as an outbox does; it repeats some records, as
an outbox relay does after a crash; and orders may come before their customer.
"""

import argparse
import json
import random
import sys

CUSTOMERS = "shop.customers"
ORDERS = "shop.orders"

# What may follow what. An order that is in a last state gets no more events.
NEXT = {
    "OrderCreated": ["OrderApproved", "OrderApproved", "OrderApproved", "OrderRejected"],
    "OrderApproved": ["OrderShipped", "OrderShipped", "OrderCancelled"],
}

NAMES = ["Fred", "Ada", "Grace", "Linus", "Barbara", "Edsger", "Donald", "Margaret", "Zoë", "Søren", "李雷", "Ngọc"]


class Shop:
    """hot: the share of orders that go to the first customer. repeats: the share of records produced once more."""

    def __init__(self, seed=1, customers=200, events=10_000, hot=0.0, repeats=0.02, prefix=""):
        self.random = random.Random(seed)
        self.customers = customers
        self.events = events
        self.hot = hot
        self.repeats = repeats
        self.prefix = prefix
        self.versions = {}
        self.last_type = {}
        self.open_orders = []
        self.orders = 0
        self.clock_ms = 1_772_359_200_000  # 2026-03-01T10:00:00Z
        self.sent = []

    def _record(self, topic, kind, identity, event_type, data):
        aggregate = f"{kind}/{identity}"
        version = self.versions.get(aggregate, 0) + 1
        self.versions[aggregate] = version
        self.clock_ms += self.random.randrange(1, 2000)
        seconds, milliseconds = divmod(self.clock_ms, 1000)
        value = {
            "kind": kind,
            "id": identity,
            "version": version,
            "event_id": f"{identity}-{version}",
            "type": event_type,
            "time": _rfc3339(seconds, milliseconds),
        }
        if data is not None:
            value["data"] = data
        return {"topic": topic, "key": identity, "value": json.dumps(value, ensure_ascii=False, separators=(",", ":"))}

    def _customer(self, number):
        return f"{self.prefix}c{number}"

    def _new_customer(self, number):
        return self._record(
            CUSTOMERS,
            "customer",
            self._customer(number),
            "CustomerCreated",
            {"name": self.random.choice(NAMES), "creditLimit": {"amount": str(self.random.randrange(1, 100) * 100)}},
        )

    def _new_order(self):
        self.orders += 1
        identity = f"{self.prefix}o{self.orders}"
        number = 0 if self.random.random() < self.hot else self.random.randrange(self.customers)
        self.open_orders.append(identity)
        self.last_type[identity] = "OrderCreated"
        total = {"amount": str(self.random.randrange(100, 100_000))}
        return self._record(
            ORDERS, "order", identity, "OrderCreated", {"customerId": self._customer(number), "orderTotal": total}
        )

    def _next_of_order(self):
        place = self.random.randrange(len(self.open_orders))
        identity = self.open_orders[place]
        event_type = self.random.choice(NEXT[self.last_type[identity]])
        self.last_type[identity] = event_type
        if event_type not in NEXT:
            self.open_orders[place] = self.open_orders[-1]
            self.open_orders.pop()
        return self._record(ORDERS, "order", identity, event_type, None)

    def records(self):
        """Yields `events` records that differ, and the repeats among them."""
        waiting = list(range(self.customers))  # customers that have not been created yet
        self.random.shuffle(waiting)
        for made in range(self.events):
            if waiting and self.random.random() < max(0.02, len(waiting) / max(1, self.events - made)):
                record = self._new_customer(waiting.pop())
            elif not self.open_orders or self.random.random() < 0.4:
                record = self._new_order()
            else:
                record = self._next_of_order()
            yield record
            self.sent.append(record)
            if len(self.sent) > 1000:
                del self.sent[:500]
            if self.random.random() < self.repeats:
                yield self.random.choice(self.sent)


def _rfc3339(seconds, milliseconds):
    import datetime

    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}Z"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="records that differ (default 10000)")
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--hot", type=float, default=0.0, help="share of orders on one customer")
    parser.add_argument("--repeats", type=float, default=0.02, help="share of records produced once more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefix", default="", help="put before every id")
    options = parser.parse_args()
    shop = Shop(options.seed, options.customers, options.events, options.hot, options.repeats, options.prefix)
    for record in shop.records():
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
