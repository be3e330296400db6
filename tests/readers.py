"""Views read by the stores' own clients, as docs/formats.md says that anyone can: documents, indexes, progress, what is set
aside. The demo and the samples' system tests hold these against the models; nothing here knows viewfold.

Both classes answer in the same form: a document is {"revision", "versions", "document"}, dates are RFC 3339 text, an index is a list
of (sort value, id) with dates as Unix milliseconds.
"""

import datetime
import json
import time

import pymongo
import redis

TITLES = {"cache": "Redis", "documents": "MongoDB"}


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def milliseconds(moment):
    return round(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def now_ms():
    return int(time.time() * 1000)


class Redis:
    """A pointer to the active generation, a hash a document, a sorted set an index."""

    def __init__(self, url, prefix):
        self.client = redis.from_url(url, decode_responses=True, socket_timeout=20)
        self.prefix = prefix

    def close(self):
        self.client.close()

    def generation(self, view):
        return self.client.get(f"{self.prefix}{view}")

    def is_empty(self, view):
        return self.generation(view) is None

    def progress(self, view, field="next"):
        """"orders/3" -> the next offset; or another field of its progress"""
        fields = self.client.hgetall(f"{self.prefix}{view}@1:progress")
        return {name: json.loads(text)[field] for name, text in fields.items() if "/" in name}

    def get(self, view, identity, *fields):
        """What the readers' function answers: one round trip. The body, or those of its fields; None where it is absent."""
        found = self.client.fcall_ro("viewfold_get", 1, f"{self.prefix}{view}", identity, *fields, *("_types",) * bool(fields))
        if not found:
            return None
        if not fields:
            fields = found[::2]
            found = found[1::2]
        else:
            fields = (*fields, "_types")
        pairs = dict(zip(fields, found, strict=True))
        types = json.loads(pairs.pop("_types", None) or "{}")
        return {
            name: json.loads(text) if types.get(name) == "json" else text
            for name, text in pairs.items()
            if name != "id" and not name.startswith("_") and text is not None
        }

    def hashes(self, view):
        """Every document's hash, the expired ones too."""
        start = f"{self.prefix}{view}:{self.generation(view)}:"
        keys = list(self.client.scan_iter(match=_literal(start) + "*", count=2000))
        for chunk in range(0, len(keys), 1000):
            pipeline = self.client.pipeline(transaction=False)
            for key in keys[chunk : chunk + 1000]:
                pipeline.hgetall(key)
            yield from (fields for fields in pipeline.execute() if fields)

    def documents(self, view):
        found = {}
        for fields in self.hashes(view):
            if "_expires" in fields and int(fields["_expires"]) <= now_ms():
                continue
            types = json.loads(fields.get("_types", "{}"))
            found[fields["id"]] = {
                "revision": int(fields["_rev"]),
                "versions": json.loads(fields.get("_versions", "{}")),
                "document": {
                    name: json.loads(text) if types.get(name) == "json" else text
                    for name, text in fields.items()
                    if name != "id" and not name.startswith("_")
                },
            }
        return found

    def index(self, view, name, by=None):
        key = f"{self.prefix}{view}#{name}:{self.generation(view)}" + ("" if by is None else f":{by}")
        return [(int(score), member) for member, score in self.client.zrange(key, 0, -1, withscores=True)]

    def held(self, view):
        """How many events are set aside: each has its offset in its partition's set."""
        partitions = self.client.scan_iter(match=_literal(f"{self.prefix}{view}@1:aside@") + "*", count=2000)
        return sum(self.client.zcard(key) for key in partitions)

    def aside(self, view):
        """("topic/partition", offset) of each of them."""
        start = f"{self.prefix}{view}@1:aside@"
        for key in self.client.scan_iter(match=_literal(start) + "*", count=2000):
            for member in self.client.zrange(key, 0, -1):
                yield key.removeprefix(start), int(member.split(" ", 1)[0])

    def draining(self, view):
        """How many lists of such events are being taken in."""
        return self.client.zcard(f"{self.prefix}{view}@1:draining")


def _literal(text):
    return "".join("\\" + letter if letter in "*?[]\\^" else letter for letter in text)


class MongoDB:
    """A read-only view over the active generation's collection."""

    def __init__(self, url):
        self.client = pymongo.MongoClient(url, serverSelectionTimeoutMS=10_000)
        # What a majority has, so that no fail-over takes back what was seen.
        self.database = self.client.get_default_database(read_concern=pymongo.read_concern.ReadConcern("majority"))

    def close(self):
        self.client.close()

    def is_empty(self, view):
        return self.database["viewfold.generations"].find_one({"_id": f"{view}.g1"}) is None

    def progress(self, view, field="next"):
        start = f"{view}.g1 "
        rows = self.database["viewfold.progress"].find({"_id": {"$gte": start, "$lt": f"{view}.g1!"}})
        return {row["_id"].removeprefix(start): row[field] for row in rows if "next" in row}

    def get(self, view, identity, *fields):
        found = self.database[view].find_one({"_id": identity}, dict.fromkeys(fields, 1) if fields else {"_view": 0})
        return None if found is None else _body(found)

    def documents(self, view):
        found = {}
        for document in self.database[view].find():
            view_fields = document["_view"]
            found[document["_id"]] = {
                "revision": view_fields["rev"],
                "versions": {entry["a"]: entry["v"] for entry in view_fields.get("versions", [])},
                "document": _body(document),
            }
        return found

    def index(self, view, sort, where):
        """What an index has to answer: the documents that `where` takes and that have the field, in its order."""
        found = self.database[view].find({sort: {"$ne": None}, **where}, {sort: 1}).sort([(sort, 1), ("_id", 1)])
        return [(_sort_value(document[sort]), document["_id"]) for document in found]

    def plan(self, view, where, sort, direction):
        """How the server answers a question in the order of a field: the stages of its plan, with the index that one uses."""
        order = {"$sort": {sort: direction, "_id": direction}}
        question = {"aggregate": view, "pipeline": [{"$match": where}, order, {"$limit": 5}], "cursor": {}}
        return _stages(self.database.command({"explain": question, "verbosity": "queryPlanner"}))

    def held(self, view):
        return self.database[f"{view}.g1.aside"].count_documents({})

    def aside(self, view):
        for one in self.database[f"{view}.g1.aside"].find({}, {"tp": 1, "offset": 1}):
            yield one["tp"], one["offset"]

    def draining(self, view):
        return self.database[f"{view}.g1.aggregates"].count_documents({"draining": True})


def _body(document):
    return {
        name: rfc3339(value) if isinstance(value, datetime.datetime) else value
        for name, value in document.items()
        if not name.startswith("_")
    }


def _stages(plan):
    if isinstance(plan, list):
        return [stage for part in plan for stage in _stages(part)]
    if not isinstance(plan, dict):
        return []
    own = [" ".join(filter(None, (plan["stage"], plan.get("indexName"))))] if "stage" in plan else []
    return own + [stage for name, part in plan.items() if name != "rejectedPlans" for stage in _stages(part)]


def _sort_value(value):
    return milliseconds(value) if isinstance(value, datetime.datetime) else value


def first_difference(wanted, found, path=""):
    """The first place where two values differ, in few words."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key) or (key in wanted) != (key in found):
                return first_difference(wanted.get(key), found.get(key), f"{path}/{key}")
    said = ["nothing" if value is None else json.dumps(value, ensure_ascii=False)[:300] for value in (wanted, found)]
    return f"{path}: the model has {said[0]}, the view {said[1]}"
