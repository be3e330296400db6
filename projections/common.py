"""What the samples' generators and models share: how an event is written as JSON, in which order records come, and how a fold
reads them. Nothing here knows viewfold.

A sample's folder has generate.py with records(events, seed, prefix, ...), which yields {"topic", "key", "value"}, and model.py with
fold(records), which returns document id -> {"revision", "versions", "document"}. load("order_saga", "model") is that module.
"""

import argparse
import datetime
import importlib.util
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = ("customer_orders", "customer_bank_view", "recent_customers", "orders_per_day", "order_saga")
DAY_MS = 86_400_000


def load(sample, part):
    """A sample's generator or model. They are all called the same, so the module's name has the sample's before it."""
    name = f"{sample}_{part}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, os.path.join(HERE, sample, f"{part}.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


# --- events -----------------------------------------------------------------------------------------------------------


def rfc3339(time_ms):
    seconds, milliseconds = divmod(time_ms, 1000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds:03d}Z"


def time_ms(text):
    """What rfc3339 wrote, as Unix milliseconds."""
    moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return round(moment.timestamp() * 1000)


def days_ago(days):
    """Midnight, that many days ago: where a sample's events begin that are to look fresh."""
    return int(time.time() * 1000) // DAY_MS * DAY_MS - days * DAY_MS


def record(topic, kind, identity, version, event_type, at_ms, data=None):
    value = {
        "kind": kind,
        "id": identity,
        "version": version,
        "event_id": f"{identity}-{version}",
        "type": event_type,
        "time": rfc3339(at_ms),
    }
    if data is not None:
        value["data"] = data
    return {"topic": topic, "key": identity, "value": json.dumps(value, ensure_ascii=False, separators=(",", ":"))}


class History:
    """What happens in several services, and the order in which Kafka gets to know it.

    Events happen one after another: happen() numbers them within their aggregate, from 1 and without holes, as an outbox does. Their
    records come in another order: those of a late aggregate (its service's relay lags) come after up to `lag` records
    that happened later, so an account can come after its cards; an aggregate's own records always keep their order. Those
    of a lost aggregate never come. Some records come once more, as a relay sends them after a crash.
    """

    def __init__(self, seed, begin_ms, step_ms, late=0.2, lag=400, repeats=0.02):
        self.random = random.Random(seed)
        self.now_ms = begin_ms
        self.step_ms = step_ms  # between two events, on average
        self.late = late
        self.lag = lag
        self.repeats = repeats
        self.versions = {}
        self.lags = {}
        self.lost = set()
        self.happened = []  # (when its record comes, record)

    def happen(self, topic, kind, identity, event_type, data=None):
        aggregate = f"{kind}/{identity}"
        version = self.versions[aggregate] = self.versions.get(aggregate, 0) + 1
        if version == 1:
            is_late = self.random.random() < self.late
            self.lags[aggregate] = self.random.randrange(1, self.lag) if is_late else 0
        self.now_ms += self.random.randrange(1, 2 * self.step_ms)
        if aggregate not in self.lost:
            one = record(topic, kind, identity, version, event_type, self.now_ms, data)
            self.happened.append((len(self.happened) + self.lags[aggregate], one))

    def lose(self, kind, identity):
        """No record of this aggregate comes, ever. Said before anything has happened to it."""
        self.lost.add(f"{kind}/{identity}")

    def records(self):
        """In the order of coming, with the repeats."""
        come = [one for _, one in sorted(self.happened, key=lambda entry: entry[0])]
        for place, one in enumerate(come):
            yield one
            if self.random.random() < self.repeats:
                yield come[self.random.randrange(max(0, place - 500), place + 1)]


def mixed(seed, *streams):
    """Several generators' records, as they would come side by side: each in its own order."""
    chance = random.Random(seed)
    queues = [list(reversed(list(stream))) for stream in streams]
    left = [len(queue) for queue in queues]
    while any(left):
        place = chance.choices(range(len(queues)), left)[0]
        left[place] -= 1
        yield queues[place].pop()


def meant_for(sample, records):
    """Of a log in which several samples' events lie: the records of the topics that one sample reads, under whatever prefix."""
    topics = tuple(load(sample, "generate").TOPICS)
    return [one for one in records if one["topic"].endswith(topics)]


# --- folding ----------------------------------------------------------------------------------------------------------


def events(records, kinds):
    """The events of these kinds, each once, in the order of their records. A repeat is one whose number was there before."""
    last = {}
    for one in records:
        event = json.loads(one["value"])
        if event["kind"] not in kinds:
            continue
        event["aggregate"] = f"{event['kind']}/{event['id']}"
        before = last.get(event["aggregate"], 0)
        if event["version"] <= before:
            continue
        if event["version"] != before + 1:
            raise ValueError(f"{event['aggregate']}: {event['version']} after {before}: the generator left a hole")
        last[event["aggregate"]] = event["version"]
        yield event


class Document:
    """One document as a model builds it: what has been counted into it, and its body. It is nothing that a reader sees until
    an event that means something to the view has come (`shown`), nor after its end."""

    def __init__(self, body):
        self.revision = 0
        self.versions = {}
        self.body = body
        self.shown = False

    def enter(self, event):
        self.revision += 1
        self.versions[event["aggregate"]] = event["version"]

    def seen(self):
        return {"revision": self.revision, "versions": self.versions, "document": self.body}


def read_log(path):
    with open(path, encoding="utf-8") as log:
        for line in log:
            yield json.loads(line)


# --- as programs ------------------------------------------------------------------------------------------------------


def generator_main(about, records, **more):
    """generate.py as a program: JSON lines on stdout. `more`: further numbers that records() takes, with their defaults."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="records that differ (default 10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prefix", default="", help="put before every id")
    for name, value in more.items():
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value}")
    for one in records(**vars(parser.parse_args())):
        sys.stdout.write(json.dumps(one, ensure_ascii=False) + "\n")


def model_main(about, fold):
    """model.py as a program: the documents of a log as JSON lines, as `viewfold get --json` shows them."""
    if len(sys.argv) < 2:
        sys.exit(about)
    documents = fold(read_log(sys.argv[1]))
    for identity in sys.argv[2:] or sorted(documents):
        print(json.dumps({"id": identity, **documents[identity]}, sort_keys=True, ensure_ascii=False))
