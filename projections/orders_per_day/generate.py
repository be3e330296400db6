#!/usr/bin/env python3
"""Events for orders_per_day: the orders of customer_orders' shop over forty days. One event in fifty happened 500 days before, so
that there are days which the view has forgotten (its ttl is 400 days).

As a program: writes them as JSON lines, {"topic", "key", "value"}, one a record, for model.py.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

shop = common.load("customer_orders", "generate")
TOPICS = {shop.ORDERS: shop.TOPICS[shop.ORDERS]}


def records(**options):
    """The orders' part of what the shop's generator yields."""
    return (one for one in shop.records(**options) if one["topic"] == shop.ORDERS)



if __name__ == "__main__":
    common.generator_main(__doc__, records, days=40, old=0.02)
