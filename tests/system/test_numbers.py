"""Numbers that are no plain sequence, from the configuration to both stores, while workers are killed: transactions whose events
share a revision, strings that only grow, and no numbers but event ids. Producers send much of it again."""

import json
import random

import harness
from harness import Fleet, World, check

# What a document has seen, an event id after another: nothing lost, nothing twice, everything in order.
SCRIPT = """
local function take(doc, e)
  doc.seen[e.aggregate] = (doc.seen[e.aggregate] or "") .. e.event_id .. " "
end
return {
  name = "numbers", topics = { "customers", "orders" },
  key = { customer = own, order = link { Opened = "customer" } },
  initial = { seen = {} },
  on = { Opened = take, Changed = take },
}
"""


class Log:
    """Aggregates of one kind, each with what has been sent of it, in order."""

    def __init__(self, chance, kind, topic, numbers, repeats):
        self.chance, self.kind, self.topic, self.numbers, self.repeats = chance, kind, topic, numbers, repeats
        self.events = {}  # aggregate id -> [record value]

    def record(self, value):
        return {"topic": self.topic, "key": value["id"], "value": json.dumps(value)}

    def next(self, identity):
        """A record: the aggregate's next event, or one of its last ones again."""
        sent = self.events.setdefault(identity, [])
        if sent and self.chance.random() < 0.25:
            return self.record(self.chance.choice(sent[-self.repeats :]))
        value = {
            "kind": self.kind,
            "id": identity,
            "event_id": f"{identity}-{len(sent)}",
            "type": "Changed" if sent or self.kind == "customer" else "Opened",
            "data": {"customer": f"c{int(identity[1:]) % 20}"},
        }
        last = sent[-1]["version"] if sent and self.numbers != "offset" else None
        if self.numbers == "revision":
            siblings = sum(1 for past in sent if past["version"] == last)
            value["version"] = 1 if last is None else last if siblings < 4 and self.chance.random() < 0.6 else last + 1
        elif self.numbers == "ordered":
            value["version"] = f"{int(last or '0', 16) + self.chance.randrange(1, 5000):08x}"
        sent.append(value)
        return self.record(value)

    def version(self, identity):
        """What lies in the stores as its last version; of offsets only the ids, as the offset is Kafka's."""
        sent = self.events[identity]
        if self.numbers == "revision":
            last = sent[-1]["version"]
            return [last, *(value["event_id"] for value in sent if value["version"] == last)]
        if self.numbers == "offset":
            return [value["event_id"] for value in sent[-self.repeats :]]
        return sent[-1]["version"]


def wanted_documents(logs):
    documents = {}
    for log in logs:
        for identity, sent in log.events.items():
            document = documents.setdefault(sent[0]["data"]["customer"] if log.kind == "order" else identity, {})
            document[f"{log.kind}/{identity}"] = ("".join(v["event_id"] + " " for v in sent), log.version(identity))
    return documents


def compare(world, logs):
    wanted = wanted_documents(logs)
    for store in harness.STORES:
        found = world.documents(store)
        check(found.keys() == wanted.keys(), f"{store}: other documents: {found.keys() ^ wanted.keys()}")
        for identity, aggregates in wanted.items():
            there = found[identity]
            count = sum(seen.count(" ") for seen, _ in aggregates.values())
            check(there["revision"] == count, f"{store}: {identity}: {there['revision']} events, wanted {count}")
            seen = {aggregate: seen for aggregate, (seen, _) in aggregates.items()}
            check(there["document"] == {"seen": seen}, f"{store}: {identity}: {there['document']}, wanted {seen}")
            check(there["versions"].keys() == aggregates.keys(), f"{store}: {identity}: {there['versions']}")
            for aggregate, (_, version) in aggregates.items():
                last = there["versions"][aggregate]
                if isinstance(last, list) and isinstance(last[1], list):
                    last = last[1]
                check(last == version, f"{store}: {aggregate} is at {last}, wanted {version}")


def run(name, customers, orders):
    """(numbers, override) of two topics."""
    repeats = 5
    kinds = {"customers": ("customer", customers), "orders": ("order", orders)}
    with World(
        name, partitions=(2, 3), script=SCRIPT, view="numbers", settings={"defaults": {"batch": {"events": 40}}}
    ) as world:
        names = {"customers": world.customers_topic, "orders": world.orders_topic}
        topics = {
            topic: {"topic": names[topic], "kind": kind, "override": override} for topic, (kind, (_, override)) in kinds.items()
        }
        world.config = world.write_config(settings={"topics": topics, "defaults": {"batch": {"events": 40}}})
        chance = random.Random(random.randrange(1 << 30))
        logs = [
            Log(chance, kind, names[topic], numbers, repeats if numbers == "offset" else 1000)
            for topic, (kind, (numbers, _)) in kinds.items()
        ]
        fleet = Fleet(world)
        fleet.start()
        for _ in range(3):
            world.send(log.next(f"{log.kind[0]}{chance.randrange(20 if log.kind == 'customer' else 60)}")
                       for log in (chance.choice(logs) for _ in range(1000)))  # fmt: skip
            fleet.kill(fleet.living()[0])
            fleet.start()
        fleet.wait_caught_up()
        fleet.stop()
        counts = fleet.summary()
        compare(world, logs)
        check(counts["kills"] >= 3, "nothing was killed")
        events = sum(len(sent) for log in logs for sent in log.events.values())
        print(f"     {events} events of 3000 records, in both stores equal to the model", flush=True)


def siblings_of_a_revision_and_growing_strings_survive_kills():
    run(
        "revisions",
        ("revision", {"version": {"numbers": "revision"}}),
        ("ordered", {"version": {"value": "/version", "as": "utf8", "numbers": "ordered"}}),
    )


def a_window_of_event_ids_tells_what_was_sent_again():
    run(
        "windows",
        ("offset", {"version": {"numbers": "offset"}, "repeats": 5}),
        ("offset", {"version": {"numbers": "offset"}, "repeats": 5}),
    )


if __name__ == "__main__":
    harness.main(
        siblings_of_a_revision_and_growing_strings_survive_kills, a_window_of_event_ids_tells_what_was_sent_again
    )
