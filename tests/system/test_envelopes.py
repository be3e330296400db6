"""Events as frameworks and a stranger put them on the wire, mapped by hand and by name, folded into both stores, against models that never saw
the wire."""

import email.utils
import json
import os
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
        check(again.wait() == 0, "run --once did not end with 0, and what cannot be read had been parked")
        said = "the header axon-message-type (type) is missing, a string is wanted; there is a header Axon-Message-Type"
        for store in harness.STORES:
            check(again.lines("level=error", f"store={store} ", said), f"{store}: the log does not say: {said}")


PRESET_SCRIPT = """local function note(doc, e)
  doc.kind = e.kind
  doc.events[#doc.events + 1] = { type = e.type, at = e.time, id = e.event_id, data = e.data }
end

return {
  name = "presets", version = 1, topics = { "accounts", "cards", "loans" },
  key = { account = own, ["org.example.Card"] = own, loan = own },
  initial = { events = array {} },
  on = { Opened = note, ["org.example.Moved"] = note, Gone = note },
}
"""
SOURCES = ["/branch/1", "https://example.org/branch/2"]


class Presets(Wires):
    """The same world, whose topics are in the built-in envelopes."""

    NAMES = {"accounts": "cloudevents", "cards": "eventuate-tram", "loans": "debezium-outbox"}

    def __init__(self):
        self.kafka_topics = {}
        World.__init__(self, "presets", workers=2, script=PRESET_SCRIPT, view="presets")

    def _create_topics(self):
        self.kafka_topics = {name: f"{self.name}.{name}" for name in self.NAMES}
        self.partitions = {topic: 3 for topic in self.kafka_topics.values()}
        World._create_topics(self)

    def write_config(self, file="viewfold.yaml", workers=2, settings=None):
        path = World.write_config(self, file, workers, settings)
        with open(path, encoding="utf-8") as text:
            config = json.load(text)
        config["topics"] = {name: {"topic": self.kafka_topics[name], "envelope": envelope} for name, envelope in self.NAMES.items()}
        config["topics"]["accounts"]["kind"], config["topics"]["loans"]["kind"] = "account", "loan"  # a card's is in each record
        with open(path, "w", encoding="utf-8") as out:
            json.dump(config, out, indent=1)
        return path

    # each event as its specification has it, in a form that a producer may choose

    def account(self, event):
        attributes = {"specversion": "1.0", "id": event["event_id"], "source": event["source"], "type": event["type"], "subject": event["id"]}
        if event["time_ms"] is not None:
            attributes["time"] = iso(event["time_ms"])
        record = {"topic": self.kafka_topics["accounts"], "key": event["id"]}
        mode = random.choice(["binary", "structured", "bare"])
        if mode == "binary":
            value = None if event["data"] is None else json.dumps(event["data"]).encode()
            headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
            return {**record, "value": value, "headers": [*headers, ("content-type", b"application/json")]}
        if event["data"] is not None:
            attributes["data"] = event["data"]
        headers = {"content-type": b"application/cloudevents+json; charset=UTF-8"} if mode == "structured" else {}
        return {**record, "value": json.dumps(attributes).encode(), "headers": headers}

    def card(self, event):
        headers = {
            "PARTITION_ID": event["id"],
            "ID": event["event_id"],
            "DESTINATION": "org.example.Card",
            "event-aggregate-type": "org.example.Card",
            "event-aggregate-id": event["id"],
            "event-type": event["type"],
        }
        if event["time_ms"] is not None:
            headers["DATE"] = email.utils.formatdate(event["time_ms"] / 1000, usegmt=True)
        payload = None if event["data"] is None else json.dumps(event["data"])
        value = json.dumps({"payload": payload, "headers": headers}).encode()
        return {"topic": self.kafka_topics["cards"], "key": event["id"], "value": value}

    def loan(self, event):
        def connect(schema, payload):
            return json.dumps({"schema": {"type": schema, "optional": False}, "payload": payload})

        # A key's form decides its partition, so an aggregate keeps to one, as a connector does.
        form = sum(event["id"].encode()) % 3
        key = [event["id"], json.dumps(event["id"]), connect("string", event["id"])][form]
        headers = {"id": event["event_id"].encode(), "eventType": event["type"].encode()}
        value = None
        if event["data"] is not None:
            text = json.dumps(event["data"])
            value = random.choice([text, json.dumps(text), connect("string", text), connect("struct", event["data"])]).encode()
        record = {"topic": self.kafka_topics["loans"], "key": key, "value": value, "headers": headers}
        return {**record, "timestamp": event["time_ms"]} if event["time_ms"] else record

    def record(self, event):
        return {"account": self.account, "card": self.card, "loan": self.loan}[event["kind"]](event)


def make_preset_events(count):
    ids = {"account": ["a", "ä/1", '"q"', "b@2"], "card": ["c~1", "42", "{}"], "loan": ["1001", "-7", "l 1", "ö"]}
    events = []
    for number in range(count):
        kind = random.choice(list(ids))
        gone = random.random() < 0.1
        events.append(
            {
                "kind": kind,
                "id": random.choice(ids[kind]),
                "source": random.choice(SOURCES),
                # Of CloudEvents two sources give the same ids; all else tells its events apart by the id alone.
                "event_id": f"e-{number // 2 if kind == 'account' else number}",
                "type": "Gone" if gone else random.choice(["Opened", "org.example.Moved"]),
                "time_ms": 1772359200000 + 1000 * random.randrange(10**6),
                "data": None if gone else {"amount": random.randrange(-(1 << 53), 1 << 53), "n": number, "text": 'x"\\ {ü}'},
            }
        )
    return events


def fold_presets(records):
    """id -> document: what was sent, without what an aggregate had before, by the id that its specification gives an event."""
    documents, seen = {}, set()
    for event in records:
        identity = (event["kind"], event["id"], event["event_id"], event["source"] if event["kind"] == "account" else None)
        if identity in seen:
            continue
        seen.add(identity)
        entry = {"type": event["type"], "at": iso(event["time_ms"]), "id": event["event_id"]}
        if event["data"] is not None:
            entry["data"] = event["data"]
        elif event["kind"] == "card":
            entry["data"] = None  # a payload of null is there
        kind = "org.example.Card" if event["kind"] == "card" else event["kind"]
        document = documents.setdefault(event["id"], {"kind": kind, "events": []})
        document["events"].append(entry)
    return documents


STRANGERS = {
    "accounts": ({"value": b'{"kind": "account", "id": "a", "version": 1, "type": "Opened", "data": {}}'}, "cloudevents: this is no CloudEvent: "),
    "cards": ({"value": b'{"before": null, "after": {"id": 1}, "op": "c"}'}, "eventuate-tram: this is no message of Eventuate Tram: "),
    "loans": (
        {"value": b"\x00\x00\x00\x00\x2a\x02x", "headers": {"id": b"1", "eventType": b"Opened"}},
        "debezium-outbox: the value is framed by Confluent's schema registry (it begins with the byte 0 and the schema id 42). ",
    ),
}


def three_built_in_envelopes_fold_into_what_their_events_say():
    with Presets() as world:
        events = make_preset_events(900)
        sent = []
        for at, event in enumerate(events):
            sent.append(event)
            if random.random() < 0.15:  # a relay that sends again, in another form if its producer has several
                sent.append(events[random.randrange(max(0, at - 20), at + 1)])
        world.send([world.record(event) for event in sent])
        fleet = Fleet(world)
        process = fleet.once()
        wanted = fold_presets(sent)
        taken_in = sum(len(document["events"]) for document in wanted.values())
        for store in harness.STORES:
            found = {one: document["document"] for one, document in world.documents(store).items()}
            check(found == wanted, f"{store}: {difference(wanted, found)}")
            total = world.events_in(store)
            check(total == taken_in, f"{store}: {total} events taken in, and {taken_in} were meant")
            counts = process.counts(store)
            check(counts["duplicates"] == len(sent) - taken_in, f"{store}: {counts}, and {len(sent) - taken_in} were sent again")
        print(f"     {taken_in} events in {len(sent)} records, in three forms")

        # What is not in its topic's form stops its partition; `lint --sample` says the same of it beforehand.
        samples = os.path.join(world.folder, "strangers")
        with open(samples, "w", encoding="utf-8") as out:
            for name, (record, _) in STRANGERS.items():
                headers = {header: value.decode() for header, value in record.get("headers", {}).items()}
                sample = {"topic": name, "key": "k", "headers": headers, "payload": record["value"].decode()}
                out.write(json.dumps(sample) + "\n")
        lint = harness.run_viewfold("lint", "-c", world.config, "--sample", samples)
        check(lint.returncode == 1, f"lint ended with {lint.returncode}")
        world.send([{"topic": world.kafka_topics[name], "key": "k", **record} for name, (record, _) in STRANGERS.items()])
        again = fleet.start("--once")
        check(again.wait() == 1, "run --once did not end with 1, and three partitions had stopped")
        for name, (_, said) in STRANGERS.items():
            told = [line for line in lint.stdout.splitlines() if said in line]
            check(len(told) == 1, f"lint does not say: {said}\n{lint.stdout}")
            message = told[0][told[0].index(said) :]
            for store in harness.STORES:
                check(again.lines("level=error", f"store={store} ", f"{world.kafka_topics[name]}/", message), f"{store}: the log does not say: {message}")


if __name__ == "__main__":
    harness.main(four_wires_fold_into_what_their_events_say, three_built_in_envelopes_fold_into_what_their_events_say)
