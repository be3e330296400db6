"""A world with the samples of projections/ in it: topics of its own for what their generators produce, one configuration for all,
and both stores held against the samples' models: documents, indexes, and what is held."""

import contextlib
import datetime
import os
import sys

import harness
from harness import ROOT, STORES, World, address, check

sys.path.insert(0, os.path.join(ROOT, "projections"))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import common  # noqa: E402
import readers  # noqa: E402

# A view's index -> how MongoDB is asked the same: the field to sort by, and what else has to hold.
INDEXES = {
    "recent_customers": {
        "recent": ("created", {}),
        "valuable": ("created", {"valuable": True}),
        "biggest": ("biggest_shipped", {}),
    },
    "order_saga": {"stuck": ("stuck_since", {})},
}
STEPS = [f"AWAITING_{what}" for what in ("ORDER", "PAYMENT", "INVENTORY", "REFUND", "CANCELLATION")]
TOPICS = {
    "customers": ("shop.customers", "customer"),
    "orders": ("shop.orders", "order"),
    "accounts": ("bank.accounts", "account"),
    "loans": ("bank.loans", "loan"),
    "cards": ("bank.cards", "card"),
    "checkouts": ("shop.checkouts", "order"),
    "payments": ("shop.payments", "payment"),
    "reservations": ("shop.reservations", "reservation"),
}


class Samples(World):
    """Some samples, all of them over one log."""

    def __init__(self, name, samples=common.SAMPLES, workers=1, settings=None):
        self.samples = samples
        self.generators = {sample: common.load(sample, "generate") for sample in samples}
        self.models = {sample: common.load(sample, "model") for sample in samples}
        super().__init__(name, workers=workers, settings=settings)
        self.readers = {
            "cache": readers.Redis(address("VIEWFOLD_REDIS"), self.prefix),
            "documents": readers.MongoDB(self.mongodb_url()),
        }

    def own(self, topic):
        """A generator's topic, by the name that it has here."""
        return f"{self.name}.{topic}"

    def _create_topics(self):
        theirs = {topic for generator in self.generators.values() for topic in generator.TOPICS}
        self.partitions = {self.own(topic): 2 for topic in sorted(theirs)}
        super()._create_topics()

    def write_config(self, file="viewfold.yaml", workers=1, settings=None):
        projections = os.path.join(ROOT, "projections")
        more = {
            "topics": {name: {"topic": self.own(topic), "kind": kind} for name, (topic, kind) in TOPICS.items()},
            "projections": [
                {"script": os.path.join(projections, one, f"{one}.lua"), "stores": list(STORES), "workers": workers}
                for one in self.samples
            ],
        }
        return super().write_config(file, workers, {**more, **(settings or {})})

    def produce(self, records, rate=None):
        self.send(({**one, "topic": self.own(one["topic"])} for one in records), rate)

    def topics_of(self, sample):
        return {self.own(topic) for topic in self.generators[sample].TOPICS}

    def progress(self, store):
        """The least of all views that read a partition."""
        least = {}
        for sample in self.samples:
            have = self.readers[store].progress(sample)
            for topic, partition in self.produced:
                if topic in self.topics_of(sample):
                    at = have.get(f"{topic}/{partition}", 0)
                    least[topic, partition] = min(least.get((topic, partition), at), at)
        return least

    def close(self):
        for reader in self.readers.values():
            with contextlib.suppress(Exception):
                reader.close()
        super().close()

    # judging

    def check_documents(self, sample, store, wanted):
        found = self.readers[store].documents(sample)
        for identity in sorted(wanted.keys() | found.keys()):
            check(identity in found, f"{sample} in {store}: document {identity} is missing")
            check(identity in wanted, f"{sample} in {store}: document {identity} should not be there")
            if found[identity] != wanted[identity]:
                where = harness.difference(wanted[identity], found[identity])
                raise harness.Failure(f"{sample} in {store}: document {identity} differs: {where}")

    def check_index(self, sample, name, by, wanted):
        """The same entries in the same order: in Redis' sorted set, and where MongoDB is asked in words."""
        answer = self.models[sample].index(wanted, name, by) if by else self.models[sample].index(wanted, name)
        sort, where = ("stuck_since", {"step": by}) if by else INDEXES[sample][name]
        title = f"{sample}'s index {name}" + (f" of {by}" if by else "")
        for store, found in (
            ("cache", self.readers["cache"].index(sample, name, by)),
            ("documents", self.readers["documents"].index(sample, sort, where)),
        ):
            check(found == answer, f"{title} in {store}: {_first(answer, found)}")
        return len(answer)

    def expired(self, store):
        """How many days lie in a store with their body, though they are over: viewfold's sweep takes them away."""
        now, view = readers.now_ms(), "orders_per_day"
        if store == "cache":
            return sum(int(fields["_expires"]) <= now for fields in self.readers[store].hashes(view))
        past = {"$lte": datetime.datetime.now(datetime.timezone.utc)}
        collection = self.readers[store].database[f"{view}.g1"]
        return collection.count_documents({"_view.expires": past, "_view.husk": {"$exists": False}})

    def compare(self, stores=STORES):
        """Holds both stores against the models. Returns how many documents and index entries there are, and how many events
        are held."""
        documents = entries = 0
        waiting = {}
        for sample in self.samples:
            log = common.meant_for(sample, self.log)
            wanted = self.models[sample].fold(log)
            documents += len(wanted)
            waiting[sample] = self.models[sample].held(log) if hasattr(self.models[sample], "held") else 0
            for store in stores:
                self.check_documents(sample, store, wanted)
                held = self.readers[store].held(sample)
                check(held == waiting[sample], f"{sample} in {store}: {held} events are held, and not {waiting[sample]}")
            for name in INDEXES.get(sample, ()):
                entries += self.check_index(sample, name, None, wanted)
            if sample == "order_saga":
                entries += sum(self.check_index(sample, "stuck_at", step, wanted) for step in STEPS)
        return documents, entries, sum(waiting.values())


def _first(wanted, found):
    for place, (one, other) in enumerate(zip(wanted, found, strict=False)):
        if one != other:
            return f"at {place} is {other}, and not {one}"
    return f"{len(found)} entries, and not {len(wanted)}"
