"""F11: events that look like something else."""

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
