"""What the demo asks of each view: a question of its readers, answered by one read in Redis and one in MongoDB with plain
clients, and by the model. A question yields, for each store, the command as one would type it, the answer, and the model's."""

import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "projections"))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import common  # noqa: E402
import readers  # noqa: E402


def by_id(cache, documents, view, identity, answer, *fields):
    """One document, or some of its fields, from either store."""
    wanted = {name: value for name, value in answer.items() if not fields or name in fields}
    typed = " ".join((f"redis-cli FCALL_RO viewfold_get 1 {cache.prefix}{view} {identity}", *fields))
    yield typed, cache.get(view, identity, *fields), wanted
    shown = "{" + ", ".join(f"{field}: 1" for field in fields) + "}"
    typed = f'db.{view}.findOne({{_id: "{identity}"}}' + (f", {shown})" if fields else ")")
    yield typed, documents.get(view, identity, *fields), wanted


def find_orders_for_customer(cache, documents, wanted):
    """findOrdersForCustomer("{id}")"""
    some = [one for one in sorted(wanted) if 2 <= len(wanted[one]["document"]["orders"]) <= 3] or sorted(wanted)
    identity = some[0]
    yield identity
    yield from by_id(cache, documents, "customer_orders", identity, wanted[identity]["document"], "orders")


def portal_page(cache, documents, wanted):
    """The portal page of {id}: profile, accounts, loans and cards, from four services"""
    complete = [one for one in sorted(wanted) if all(wanted[one]["document"].values())] or sorted(wanted)
    identity = min(complete, key=lambda one: (len(json.dumps(wanted[one]["document"])), one))
    yield identity
    yield from by_id(cache, documents, "customer_bank_view", identity, wanted[identity]["document"])


def newest_valuable_customers(cache, documents, wanted):
    """The {id} newest customers who had an order above 100000 shipped"""
    count = 5
    yield count
    answer = common.load("recent_customers", "model").newest_valuable(wanted, count)
    key = f"{cache.prefix}recent_customers#valuable:1"
    yield f'redis-cli ZREVRANGE "{key}" 0 {count - 1}', cache.client.zrevrange(key, 0, count - 1), answer
    found = documents.database["recent_customers"].find({"valuable": True, "created": {"$ne": None}}, {"_id": 1})
    found = found.sort([("created", -1), ("_id", -1)]).limit(count)
    typed = f"db.recent_customers.find({{valuable: true, created: {{$ne: null}}}}).sort({{created: -1, _id: -1}}).limit({count})"
    yield typed, [document["_id"] for document in found], answer


def orders_of_a_day(cache, documents, wanted):
    """How many orders came and were shipped on {id}?"""
    day = common.load("orders_per_day", "model").busiest(wanted)
    yield day
    yield from by_id(cache, documents, "orders_per_day", day, wanted[day]["document"], "created", "shipped")


def where_is_order(cache, documents, wanted):
    """Where is order {id}?"""
    refunds = common.load("order_saga", "model").index(wanted, "stuck_at", "AWAITING_REFUND")
    identity = refunds[0][1] if refunds else sorted(wanted)[0]
    yield identity
    yield from by_id(cache, documents, "order_saga", identity, wanted[identity]["document"])


def longest_waiting(cache, documents, wanted):
    """Which {id} orders have been stuck longest?"""
    count = 3
    yield count
    answer = common.load("order_saga", "model").longest_stuck(wanted, count)
    key = f"{cache.prefix}order_saga#stuck:1"
    yield f'redis-cli ZRANGE "{key}" 0 {count - 1}', cache.client.zrange(key, 0, count - 1), answer
    found = documents.database["order_saga"].find({"stuck_since": {"$ne": None}}, {"_id": 1})
    found = found.sort([("stuck_since", 1), ("_id", 1)]).limit(count)
    typed = f"db.order_saga.find({{stuck_since: {{$ne: null}}}}).sort({{stuck_since: 1, _id: 1}}).limit({count})"
    yield typed, [document["_id"] for document in found], answer


QUESTIONS = (
    ("customer_orders", find_orders_for_customer),
    ("customer_bank_view", portal_page),
    ("recent_customers", newest_valuable_customers),
    ("orders_per_day", orders_of_a_day),
    ("order_saga", where_is_order),
    ("order_saga", longest_waiting),
)
