"""Those who look on while a fault happens, each in a thread of its own: readers with tokens, who want to read their own writes; one who
reads documents again and again and wants none to go back; one who compares the committed offsets with what the view holds.

Each has finish(verdict), which ends it and puts what it has seen there. A server that does not answer them is no finding: they ask
again.
"""

import json
import random
import subprocess
import threading
import urllib.parse

import pymongo
import redis
from confluent_kafka import Consumer, KafkaException, TopicPartition

import harness

UNREACHABLE = (redis.RedisError, pymongo.errors.PyMongoError, KafkaException, OSError)
# What `get --min` may say instead of a document: stopped or parked, no such document (it was deleted), a server that is away, not yet, a
# server that cannot serve, a right that is missing.
TOLD = {1, 66, 69, 75, 77, 78}
HANGS_SECONDS = 120
RECENT = 2000  # of the last so many records, the latest ones that Kafka has acknowledged: their readers come before the view has them
LATEST = 12


class Onlooker(threading.Thread):
    every = 0.1  # seconds between two looks

    def __init__(self, scene, store):
        super().__init__(daemon=True)
        self.scene = scene
        self.store = store
        self.ending = threading.Event()
        self.looks = 0
        self.wrong = []
        self.broken = None

    def run(self):
        try:
            while not self.ending.is_set():
                try:
                    self.look()
                except UNREACHABLE:
                    pass
                self.ending.wait(self.every)
        except Exception as error:  # told in the end: an onlooker who has gone has seen nothing
            self.broken = error
        finally:
            self.leave()

    def leave(self):
        pass

    def finish(self, verdict):
        self.ending.set()
        self.join(2 * HANGS_SECONDS)
        name = type(self).__name__
        if self.broken or self.is_alive():
            raise harness.Failure(f"{name} of {self.store} has not looked on to the end: {self.broken or 'it hangs'}")
        verdict.wrong += len(self.wrong)
        for text in self.wrong:
            verdict.note(f"{self.store}: {text}")


class Whose:
    """To which document an aggregate's events go, by the events' meaning."""

    def __init__(self):
        self.read = 0
        self.owner = {}  # aggregate -> document id
        self.since = {}  # aggregate -> the version that said so

    def follow(self, log):
        end = len(log)
        for record in log[self.read : end]:
            event = json.loads(record["value"])
            aggregate, data = f"{event['kind']}/{event['id']}", event.get("data")
            data = data if isinstance(data, dict) else {}
            owner = None
            if event["kind"] == "customer":
                owner = event["id"]
            elif event["type"] in ("OrderCreated", "OrderReassigned", "AccountOpened", "LoanRequested"):
                owner = data.get("customerId")
            elif event["type"] == "CardIssued":
                owner = self.owner.get(f"account/{data.get('accountId')}")
            if owner and isinstance(owner, str) and event["version"] >= self.since.get(aggregate, 0):
                self.owner[aggregate], self.since[aggregate] = owner, event["version"]
        self.read = end


class TokenReader(Onlooker):
    """Promise 15: a read with a token is fresh, or says within its limit why not. It reads with `viewfold get`, and judges what it
    gets by the versions in the document."""

    def __init__(self, scene, store, config):
        super().__init__(scene, store)
        self.config = config
        self.chance = random.Random(f"{scene.name} {store}")
        self.whose = Whose()
        self.fresh = self.told = 0

    def look(self):
        self.whose.follow(self.scene.log)
        recent = [record for record in self.scene.log[-RECENT:] if "at" in record][-LATEST:]
        for record in self.chance.sample(recent, len(recent)):
            event = json.loads(record["value"])
            aggregate = f"{event['kind']}/{event['id']}"
            owner = self.whose.owner.get(aggregate)
            # Where it has moved since, its new document need not have this version.
            if owner and event["version"] >= self.whose.since[aggregate]:
                topic, partition, offset = record["at"]
                version = f"v:{urllib.parse.quote(aggregate)}@{event['version']}"
                # An offset token of a repeat says nothing while the event itself, at another offset, is set aside (docs/reliability.md).
                token = version if self.is_repeat(record) else self.chance.choice((version, f"o:{topic}/{partition}@{offset}"))
                views = [name for name in self.scene.samples if topic in self.scene.topics_of(name)]
                self.ask(self.chance.choice(views), owner, token, aggregate, event["version"])
                return

    def is_repeat(self, record):
        return next(one for one in self.scene.log if one["topic"] == record["topic"] and one["value"] == record["value"]) is not record

    def ask(self, view, document, token, aggregate, version):
        asked = ("get", view, document, "--min", token, "--wait", "1s", "--store", self.store, "--json", "-c", self.config)
        try:
            done = subprocess.run(
                [harness.VIEWFOLD, *asked], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=HANGS_SECONDS
            )
        except subprocess.TimeoutExpired:
            self.wrong.append(f"{view} {document} --min {token}: no answer, though it may wait for 1 s only")
            return
        self.looks += 1
        if done.returncode != 0:
            self.told += 1
            if done.returncode not in TOLD or not done.stderr.strip():
                self.wrong.append(f"{view} {document} --min {token}: exit {done.returncode}: {done.stderr.strip()[:300]}")
            return
        self.fresh += 1
        have = json.loads(done.stdout)["versions"].get(aggregate)
        if have is None or have < version:
            self.wrong.append(f"{view} {document} --min {token}: called fresh, and has {aggregate} at {have}")


class NeverBack(Onlooker):
    """Promise 3: no document's revision, and none of its versions, goes back."""

    every = 0.4

    def __init__(self, scene, store, readers):
        super().__init__(scene, store)
        self.readers = readers
        self.last = {}

    def look(self):
        for view in self.scene.samples:
            if self.readers.is_empty(view):
                continue
            for identity, document in self.readers.documents(view).items():
                self.looks += 1
                before = self.last.get((view, identity))
                if before:
                    back = [one for one, number in before["versions"].items() if document["versions"].get(one, 0) < number]
                    if document["revision"] < before["revision"] or back:
                        self.wrong.append(
                            f"{view}: {identity} went back from revision {before['revision']} to {document['revision']} {back[:3]}"
                        )
                self.last[view, identity] = document

    def leave(self):
        self.readers.close()


class Committed(Onlooker):
    """Promise 4: an offset is committed only when the view holds what it covers. The committed offsets are read first."""

    def __init__(self, scene, store, readers):
        super().__init__(scene, store)
        self.readers = readers
        self.consumers = {
            view: Consumer(harness.kafka(**{"group.id": f"{scene.group}.{view}.{store}.g1"})) for view in scene.samples
        }

    def look(self):
        for view, consumer in self.consumers.items():
            topics = self.scene.topics_of(view)
            partitions = [
                TopicPartition(topic, number)
                for topic, count in self.scene.partitions.items()
                for number in range(count)
                if topic in topics
            ]
            committed = consumer.committed(partitions, timeout=5)
            progress = self.readers.progress(view)
            for one in committed:
                if one.offset > 0:
                    self.looks += 1
                    have = progress.get(f"{one.topic}/{one.partition}", 0)
                    if one.offset > have:
                        self.wrong.append(f"{view}: {one.topic}/{one.partition}: committed {one.offset}, progress {have}")

    def leave(self):
        self.readers.close()
        for consumer in self.consumers.values():
            consumer.close()
