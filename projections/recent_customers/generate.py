#!/usr/bin/env python3
"""Events for recent_customers: the shop of customer_orders, where one order in ten is above 100000. Orders come before their
customers, or the customer never comes; customers leave, and orders are reassigned, which this view has no use for.

As a program: writes them as JSON lines, {"topic", "key", "value"}, one a record, for model.py.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

shop = common.load("customer_orders", "generate")
TOPICS = shop.TOPICS
records = shop.records

if __name__ == "__main__":
    common.generator_main(__doc__, records, customers=0)
