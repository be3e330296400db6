"""F11: events that mean no good, or happen to look like it."""

import json
import re

from frame import EACH, fault

# What means something to Redis, MongoDB, Lua, a shell, a terminal, a path, or viewfold's own keys and tokens.
NASTY = [
    "$where", "$", "a.b.c", ".", "..", "{}", "{a}", "}{", "*", "?", "[a-z]", "\\", "'", '"', "`", ";", "\n", "\r\n", "\t", " ", "\x1b[31m",
    "\x7f", "\u202e", "\u0000x"[1:], "é", "e\u0301", "李", "😀", "%00", "%s%n", "../../etc/passwd", "$(reboot)", "@1:progress", ":1:",
    "#recent:1", "@generations", "viewfold.progress", "system.indexes", "__proto__", "_id", "_view", "_stamp", "null", "true", "0", "01",
    "1e3", "~", "/", "//", "@", "@7", "return 1", "]]--[[", "x" * 900,
]  # fmt: skip
ID = re.compile(r"r\d+-[a-z]+\d+")


@fault(11, "ids that look like something else", promises=(2, 19), stores=EACH, events=(400, 6000))
def ids_and_texts_stay_ids_and_texts(scene):
    """Every id, of aggregates and documents, in keys, envelopes and data, is put between texts that mean something elsewhere, and so
    are the names of people and places. A document of that id is found, with a field of that name in it, and no other is touched."""
    scene.fleet.start()
    records = [nasty(one) for one in scene.records()]
    scene.produce(records)
    scene.inject("such ids", len({one["key"] for one in records}))


def nasty(record):
    value = _changed(json.loads(record["value"]))
    return {**record, "key": _changed(record["key"]), "value": json.dumps(value, ensure_ascii=False)}


def _changed(value):
    if isinstance(value, dict):
        return {name: _changed(part) for name, part in value.items()}
    if not isinstance(value, str) or not ID.fullmatch(value):
        return value
    place = sum(value.encode())
    return f"{NASTY[place % len(NASTY)]}{value}{NASTY[place // 3 % len(NASTY)][:60]}"


# What no handler can take in, by the events' types; a view that has no handler for a type takes it in.
POISON = {
    "CustomerCreated": None,
    "OrderCreated": {"customerId": None},
    "OrderReassigned": {"customerId": ""},
    "CustomerProfileUpdated": {"motto": "x" * 100_000},
    "AccountTransactionPerformed": {"amount": "much"},
    "AccountOpened": {"customerId": {"$ne": 1}},
    "LoanRequested": {},
    "LoanStatusChanged": None,
    "CardIssued": {"accountId": {"a": 1}},
    "CardTransactionProcessed": None,
}


@fault(
    11,
    "poisonous events",
    promises=(2, 8),
    stores=EACH,
    events=(600, 6000),
    settings={"defaults": {"limits": {"document": "64KiB"}, "errors": {"backoff": "1ms"}}},
    minutes=25,
)
def a_bad_event_parks_its_aggregate_and_no_other(scene):
    """Events on which a handler or a route fails, or whose document becomes too large, are put in the place of good ones. They and what
    comes behind them of their aggregate lie aside and are listed with their error; everything else goes on, while processes die."""
    records = scene.records()
    poisoned = {}
    for record in records:
        event = json.loads(record["value"])
        aggregate = f"{event['kind']}/{event['id']}"
        if event["type"] in POISON and aggregate not in poisoned and scene.chance.random() < 0.03:
            poisoned[aggregate] = (event["version"], event["type"])
    for aggregate, (version, kind) in poisoned.items():
        scene.leave_out(aggregate, version, VIEWS_THAT_FAIL[kind])
    scene.inject("poison", len(poisoned))
    scene.fleet.start()
    with scene.flow([with_poison(one, poisoned) for one in records], rate=scene.pick(400, 100)) as flowing:
        while flowing():
            scene.moment(0.5, 2.0)
            scene.fleet.kill(scene.chance.choice(scene.fleet.living()))
            scene.fleet.start()
    scene.catch_up()
    scene.check_parked(set(poisoned))


VIEWS_THAT_FAIL = {
    name: ["customer_orders"] if name.startswith(("Order", "CustomerC")) else ["customer_bank_view"] for name in POISON
}


def with_poison(record, poisoned):
    event = json.loads(record["value"])
    version, _ = poisoned.get(f"{event['kind']}/{event['id']}", (None, None))
    if event["version"] != version:
        return record
    event["data"] = POISON[event["type"]]
    return {**record, "value": json.dumps(event)}
