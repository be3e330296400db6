"""Events as three frameworks and a stranger put them on the wire, folded into both stores, against a model that never saw the wire."""

import json
import random
import struct
from datetime import datetime, timezone

import harness
from harness import Fleet, World, check, difference

SCRIPT = """local function note(doc, e)
  doc.events[#doc.events + 1] = { type = e.type, at = e.time, id = e.event_id, schema = e.schema, data = e.data }
end

return {
  name = "wires", version = 1, topics = { "accounts", "cards", "loans", "items" },
  key = { account = own, card = own, loan = own, item = own },
  initial = { events = array {} },
  on = { Opened = note, Moved = note, Gone = note },
}
"""

ENVELOPES = {
    # Headers and the key, binary numbers from 0.
    "from-axon": {
        "kind": {"header": "axon-message-aggregate-type"},
        "id": {"key": "utf8"},
        "version": {"header": "axon-message-aggregate-seq", "as": "be64", "first": 0},
        "event_id": {"header": "axon-message-id"},
        "type": {"header": "axon-message-type"},
        "schema": {"header": "axon-message-revision", "as": "int", "missing": 1},
        "time": {"header": "axon-message-timestamp", "as": "be64"},
        "data": {"value": ""},
        "tombstone": "Gone",
    },
    # Everything in the value, numbers as strings.
    "from-tram": {
        "kind": {"value": "/headers/event-aggregate-type"},
        "id": {"value": "/headers/event-aggregate-id"},
        "version": {"value": "/headers/version", "as": "int"},
        "event_id": {"value": "/headers/ID"},
        "type": {"value": "/headers/event-type"},
        "time": {"value": "/headers/at~1ms", "as": "unix_ms"},
        "data": {"value": "/payload"},
    },
    # As docs/envelopes.md lets somebody map what he finds: a binary key, digits with zeros in front, odd names, a list.
    "from-wms": {
        "id": {"key": "be64"},
        "version": {"header": "Seq", "as": "int", "first": 0},
        "event_id": {"value": "/m~1e~0ta/ids/1"},
        "type": {"header": "msg-type"},
        "time": {"value": "/m~1e~0ta/when"},
        "data": {"value": "/evt/0/body"},
        "tombstone": "ignore",
    },
}
# The first one's, but revisions that siblings share, and an integer for an id.
OVERRIDE = {
    "id": {"value": "/loan/no"},
    "version": {"value": "/revision", "as": "int", "numbers": "revision", "first": 1},
    "event_id": {"value": "/eventId"},
    "time": {"value": "/at", "as": "rfc3339", "missing": "timestamp"},
    "data": {"value": "/loan"},
    "tombstone": "ignore",
}
IDS = {"account": ["a", "ä/1", "{}", "$x.y", "b@2"], "card": ["c~1", "c#%", "42"], "loan": ["1001", "-7"], "item": ["0", "-5", "1099511627776"]}


def iso(time_ms):
    moment = datetime.fromtimestamp(time_ms // 1000, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


class Wires(World):
    def __init__(self):
        self.kafka_topics = {}
        super().__init__("envelopes", workers=2, script=SCRIPT, view="wires")

    def _create_topics(self):
        self.kafka_topics = {name: f"{self.name}.{name}" for name in ("accounts", "cards", "loans", "items")}
        self.partitions = {topic: 3 for topic in self.kafka_topics.values()}
        super()._create_topics()

    def write_config(self, file="viewfold.yaml", workers=2, settings=None):
        topics = {
            "accounts": {"topic": self.kafka_topics["accounts"], "envelope": "from-axon"},
            "cards": {"topic": self.kafka_topics["cards"], "envelope": "from-tram"},
            "loans": {"topic": self.kafka_topics["loans"], "envelope": "from-axon", "kind": "loan", "override": OVERRIDE},
            "items": {"topic": self.kafka_topics["items"], "envelope": "from-wms", "kind": "item"},
        }
        path = super().write_config(file, workers, settings)
        with open(path, encoding="utf-8") as text:
            config = json.load(text)
        config["topics"], config["envelopes"] = topics, ENVELOPES
        with open(path, "w", encoding="utf-8") as out:
            json.dump(config, out, indent=1)
        return path

    # events on the wire. None of it is remembered for the harness' model, which is another view's

    def account(self, event):
        headers = [
            ("axon-message-type", b"overruled"),
            ("axon-message-aggregate-type", b"account"),
            ("Axon-Message-Id", b"another case is another header"),
            ("axon-message-id", event["event_id"].encode()),
            ("axon-message-aggregate-seq", struct.pack(">q", event["number"])),
            ("axon-message-timestamp", struct.pack(">q", event["time_ms"])),
            ("axon-message-type", event["type"].encode()),
        ]
        if event["schema"] != 1:
            headers.append(("axon-message-revision", str(event["schema"]).encode()))
        value = None if event["data"] is None else json.dumps(event["data"]).encode()
        return {"topic": self.kafka_topics["accounts"], "key": event["id"], "value": value, "headers": headers}

    def card(self, event):
        headers = {
            "event-aggregate-type": "card",
            "event-aggregate-id": event["id"],
            "version": str(event["number"]),
            "ID": event["event_id"],
            "event-type": event["type"],
            "at/ms": str(event["time_ms"]) if event["number"] % 2 else event["time_ms"],
        }
        value = json.dumps({"payload": event["data"], "headers": headers}).encode()
        return {"topic": self.kafka_topics["cards"], "key": event["id"], "value": value}

    def loan(self, event):
        value = {"revision": event["number"], "eventId": event["event_id"], "loan": event["data"]}
        if event["time_ms"] % 2:
            value["at"] = iso(event["time_ms"])
        return {
            "topic": self.kafka_topics["loans"],
            "key": event["id"],
            "value": json.dumps(value).encode(),
            "headers": {"axon-message-type": event["type"].encode()},
            "timestamp": event["time_ms"],
        }

    def item(self, event):
        east = datetime.fromtimestamp(event["time_ms"] // 1000 + 5 * 3600 + 1800, timezone.utc)
        when = f"{east:%Y-%m-%dT%H:%M:%S}.{event['time_ms'] % 1000:03d}999999+05:30"
        value = {"m/e~ta": {"when": when, "ids": ["x", event["event_id"]]}, "evt": [{"body": event["data"]}, {"body": 0}]}
        return {
            "topic": self.kafka_topics["items"],
            "key": struct.pack(">q", int(event["id"])),
            "value": b"\xef\xbb\xbf" + json.dumps(value).encode(),
            "headers": [("msg-type", b"old"), ("Seq", b"%06d" % event["number"]), ("msg-type", event["type"].encode())],
        }

    def record(self, event):
        wires = {"account": self.account, "card": self.card, "loan": self.loan, "item": self.item}
        return wires[event["kind"]](event)


def make_events(count):
    """Events in an order that keeps each aggregate's own; as a producer means them, without the wire."""
    last = {(kind, one): -1 if kind in ("account", "item") else 0 for kind, ids in IDS.items() for one in ids}
    events = []
    for number in range(count):
        kind = random.choice(list(IDS))
        identity = random.choice(IDS[kind])
        sibling = kind == "loan" and last[kind, identity] > 0 and random.random() < 0.4
        last[kind, identity] += 0 if sibling else 1
        data = {"amount": random.randrange(-(1 << 53), 1 << 53), "n": number}
        if kind == "loan":
            data["no"] = int(identity)
        gone = kind == "account" and random.random() < 0.1
        events.append(
            {
                "kind": kind,
                "id": identity,
                "number": last[kind, identity],
                "event_id": f"e-{number}",
                "type": "Gone" if gone else random.choice(["Opened", "Moved"]),
                "schema": random.randrange(1, 4) if kind == "account" else 1,
                "time_ms": 1772359200000 + random.randrange(10**9),
                "data": None if gone else data,
            }
        )
    return events


def fold(events):
    """id -> document, each event once."""
    documents = {}
    for event in events:
        entry = {"type": event["type"], "at": iso(event["time_ms"]), "id": event["event_id"], "schema": event["schema"]}
        if event["data"] is not None:
            entry["data"] = event["data"]
        documents.setdefault(event["id"], {"events": []})["events"].append(entry)
    return documents


def four_wires_fold_into_what_their_events_say():
    with Wires() as world:
        events = make_events(1200)
        records = []
        for at, event in enumerate(events):
            records.append(world.record(event))
            if random.random() < 0.1:  # an outbox relay that sends again, right away or a little later
                records.append(world.record(events[random.randrange(max(0, at - 20), at + 1)]))
            if random.random() < 0.02:
                records.append({"topic": world.kafka_topics["loans"], "key": random.choice(IDS["loan"]), "value": None})
        world.send(records)
        fleet = Fleet(world)
        process = fleet.once()
        wanted = fold(events)
        for store in harness.STORES:
            found = {one: document["document"] for one, document in world.documents(store).items()}
            check(found == wanted, f"{store}: {difference(wanted, found)}")
            total = world.events_in(store)
            check(total == len(events), f"{store}: {total} events taken in, and {len(events)} were produced")
            counts = process.counts(store)
            ignored = sum(1 for one in records if one["value"] is None and "headers" not in one)
            repeats = len(records) - len(events) - ignored
            check(counts["duplicates"] == repeats, f"{store}: {counts}, and {repeats} were sent again")
            check(counts["not_for_view"] == ignored, f"{store}: {counts}, and {ignored} tombstones hold no event")
        print(f"     {len(events)} events in {len(records)} records, {repeats} sent again, {ignored} tombstones ignored")

        # A header that is there in another case only: the line says which one is.
        bad = world.account({**events[0], "kind": "account", "id": "odd", "number": 0, "data": {}})
        bad["headers"] = [(name.title() if name == "axon-message-type" else name, value) for name, value in bad["headers"]]
        world.send([bad])
        again = fleet.start("--once")
        check(again.wait() == 1, "run --once did not end with 1, and a partition had stopped")
        said = "the header axon-message-type (type) is missing, a string is wanted; there is a header Axon-Message-Type"
        for store in harness.STORES:
            check(again.lines("level=error", f"store={store} ", said), f"{store}: the log does not say: {said}")


if __name__ == "__main__":
    harness.main(four_wires_fold_into_what_their_events_say)
