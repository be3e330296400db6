#!/usr/bin/env python3
"""Makes events of a small shop: customers, and orders that later events of theirs do not name the customer of.

As a module: Shop(...).records() yields what a command side would produce, in its order. As a program: writes them as JSON
lines, {"topic", "key", "value"}, one a record, for model.py.

The generator keeps each aggregate's numbers without holes, beginning at 1, as an outbox does; it repeats some records, as
an outbox relay does after a crash; and orders may come before their customer. Orders are reassigned to other customers (now and
then to the one whose they are), and customers leave. What a view shows in the end must not hang on the order in which customers
and orders are heard of, so no order is taken from a customer who leaves; one may be given to him, and is gone with him.
"""

import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

CUSTOMERS = "shop.customers"
ORDERS = "shop.orders"
TOPICS = {CUSTOMERS: 4, ORDERS: 6}  # partitions, where produce.py makes them

# What may follow what. An order that is in a last state gets no more events, unless it is reassigned.
NEXT = {
    "OrderCreated": ["OrderApproved", "OrderApproved", "OrderApproved", "OrderRejected"],
    "OrderApproved": ["OrderShipped", "OrderShipped", "OrderCancelled"],
}

NAMES = ["Fred", "Ada", "Grace", "Linus", "Barbara", "Edsger", "Donald", "Margaret", "Zoë", "Søren", "李雷", "Ngọc"]


class Shop:
    """hot: the share of orders that go to the first customer. repeats: the share of records produced once more. moves: the
    share of events that reassign an order. leaving: the share of customers who leave. big: the share of orders above 100000.
    begin_ms, step_ms: when the first event happens, and the time between two, on average. old: how many of the first events
    happened 500 days before the others."""

    def __init__(
        self,
        seed=1,
        customers=200,
        events=10_000,
        hot=0.0,
        repeats=0.02,
        prefix="",
        moves=0.0,
        leaving=0.0,
        big=0.0,
        begin_ms=1_772_359_200_000,  # 2026-03-01T10:00:00Z
        step_ms=1000,
        old=0,
    ):
        self.random = random.Random(seed)
        self.customers = customers
        self.events = events
        self.hot = hot
        self.repeats = repeats
        self.prefix = prefix
        self.moves = moves
        self.big = big
        self.old = old
        self.begin_ms = begin_ms
        self.clock_ms = begin_ms - 500 * common.DAY_MS if old else begin_ms
        self.step_ms = step_ms
        self.versions = {}
        self.last_type = {}
        self.owner = {}  # order -> number of its customer
        self.movable = []
        self.open_orders = []
        self.orders = 0
        self.leaving = {number for number in range(1, customers) if leaving and self.random.random() < leaving}
        self.to_leave = []  # those of them who have come
        self.sent = []

    def _record(self, topic, kind, identity, event_type, data):
        aggregate = f"{kind}/{identity}"
        version = self.versions[aggregate] = self.versions.get(aggregate, 0) + 1
        self.clock_ms += self.random.randrange(1, 2 * self.step_ms)
        return common.record(topic, kind, identity, version, event_type, self.clock_ms, data)

    def _customer(self, number):
        return f"{self.prefix}c{number}"

    def _new_customer(self, number):
        if number in self.leaving:
            self.to_leave.append(number)
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
        self._belongs(identity, number)
        amount = self.random.randrange(100, 100_000)
        if self.big and self.random.random() < self.big:
            amount += 100_000
        return self._record(
            ORDERS,
            "order",
            identity,
            "OrderCreated",
            {"customerId": self._customer(number), "orderTotal": {"amount": str(amount)}},
        )

    def _belongs(self, order, number):
        self.owner[order] = number
        if self.moves and number not in self.leaving:
            self.movable.append(order)

    def _reassigned(self):
        place = self.random.randrange(len(self.movable))
        self.movable[place], self.movable[-1] = self.movable[-1], self.movable[place]
        order = self.movable.pop()
        number = self.owner[order] if self.random.random() < 0.1 else self.random.randrange(self.customers)
        self._belongs(order, number)
        return self._record(ORDERS, "order", order, "OrderReassigned", {"customerId": self._customer(number)})

    def _next_of_order(self):
        place = self.random.randrange(len(self.open_orders))
        identity = self.open_orders[place]
        event_type = self.random.choice(NEXT[self.last_type[identity]])
        self.last_type[identity] = event_type
        if event_type not in NEXT:
            self.open_orders[place] = self.open_orders[-1]
            self.open_orders.pop()
        return self._record(ORDERS, "order", identity, event_type, None)

    def _next(self, made, waiting):
        if made == self.old:
            self.clock_ms = max(self.clock_ms, self.begin_ms)
        if waiting and self.random.random() < max(0.02, len(waiting) / max(1, self.events - made)):
            return self._new_customer(waiting.pop())
        if self.to_leave and self.random.random() < 0.02:
            number = self.to_leave.pop()
            return self._record(CUSTOMERS, "customer", self._customer(number), "CustomerDeleted", None)
        if self.movable and self.random.random() < self.moves:
            return self._reassigned()
        if not self.open_orders or self.random.random() < 0.4:
            return self._new_order()
        return self._next_of_order()

    def records(self):
        """Yields `events` records that differ, and the repeats among them."""
        waiting = list(range(self.customers))  # customers that have not been created yet
        self.random.shuffle(waiting)
        for made in range(self.events):
            record = self._next(made, waiting)
            yield record
            self.sent.append(record)
            if len(self.sent) > 1000:
                del self.sent[:500]
            if self.random.random() < self.repeats:
                yield self.random.choice(self.sent)


def records(events=10_000, seed=1, prefix="", hot=0.0, customers=0, repeats=0.02, days=40, old=0.02):
    """A shop with everything: the last `days` days, and a share `old` of the events from 500 days before, which views with a
    ttl have forgotten. This is what the demo and the samples over customers and orders use."""
    return Shop(
        seed,
        customers or max(1, events // 15),
        events,
        hot,
        repeats,
        prefix,
        moves=0.06,
        leaving=0.1,
        big=0.1,
        begin_ms=common.days_ago(days + 2),
        step_ms=max(1, days * common.DAY_MS // max(1, events)),
        old=round(events * old),
    ).records()


if __name__ == "__main__":
    common.generator_main(__doc__, records, customers=0, hot=0.0, repeats=0.02)
