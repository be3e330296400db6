#!/usr/bin/env python3
"""What the view orders_per_day has to be, given the records that were produced: counted by hand from the events' meaning. It
shares nothing with the engine and its Lua.

    model.py LOG.jsonl [ID ...]      prints the documents as JSON lines, as `viewfold get --json` shows them
"""

import collections
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402

KEPT_MS = 400 * common.DAY_MS


def fold(records, now_ms=None):
    """Returns day -> {"revision", "versions", "document"}, as a reader sees them at a time: days whose newest event lies more
    than 400 days back are gone. A day names no orders, so there are no versions."""
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    counts = collections.defaultdict(collections.Counter)
    newest = collections.defaultdict(str)
    for event in common.events(records, ("order",)):
        day = event["time"][:10]
        counts[day][event["type"]] += 1
        newest[day] = max(newest[day], event["time"])
    return {
        day: {
            "revision": types.total(),
            "versions": {},
            "document": {"created": types["OrderCreated"], "shipped": types["OrderShipped"]},
        }
        for day, types in counts.items()
        if (types["OrderCreated"] or types["OrderShipped"]) and common.time_ms(newest[day]) + KEPT_MS > now_ms
    }


def busiest(documents):
    """The day on which most orders came."""
    return max(documents, key=lambda day: (documents[day]["document"]["created"], day))


if __name__ == "__main__":
    common.model_main(__doc__, fold)
