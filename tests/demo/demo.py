"""`./dev demo`: events of a small shop flow through Kafka into views in Redis and MongoDB, a process is killed half-way, and
both views are held against the model's fold of what was produced. Uses projections/customer_orders as it lies there: change
the sample, and the next demo shows it.

    demo.py [--keep]      --keep leaves the servers and a process running

Ends with 0 only when both views are right. ./dev starts the servers before, and stops what is left.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import pymongo
import redis
from confluent_kafka import KafkaException

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLE = os.path.join(ROOT, "projections", "customer_orders")
sys.path.insert(0, SAMPLE)
import generate  # noqa: E402
import model  # noqa: E402
import produce  # noqa: E402

CONFIG = os.path.join("projections", "customer_orders", "viewfold.yaml")
PREFIX = "shop:"  # of Redis' keys, as viewfold.yaml has it
VIEW = "customer_orders"
CUSTOMERS = 2_000
EVENTS = 30_000
RATE = 2_500
SECONDS_MAX = 90  # for hanging only
TITLES = {"cache": "Redis", "documents": "MongoDB"}


class Wrong(Exception):
    """What went wrong, for the reader."""


# --- showing ----------------------------------------------------------------------------------------------------------


class Screen:
    """Paragraphs, and a few lines that are redrawn in place where the output is a terminal."""

    def __init__(self):
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.color = self.terminal and not os.environ.get("NO_COLOR")
        self.live = 0  # lines that the next ones replace
        self.shown_at = 0.0

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.color else text

    def bold(self, text):
        return self.paint("1", text)

    def dim(self, text):
        return self.paint("2", text)

    def say(self, text=""):
        self.live = 0
        print(text, flush=True)

    def head(self, text):
        self.say()
        self.say(self.bold(text))

    def step(self, lines, last=False):
        """Shows the live lines: in place on a terminal, otherwise once a second."""
        now = time.monotonic()
        if not self.terminal and not last and now - self.shown_at < 1.0:
            return
        self.shown_at = now
        if self.terminal and self.live:
            sys.stdout.write(f"\033[{self.live}A")
        for line in lines:
            sys.stdout.write(("\033[K" if self.terminal else "") + line + "\n")
        sys.stdout.flush()
        self.live = len(lines)

    def command(self, text):
        self.say(self.dim("$ ") + self.bold(text))


def short(text, width=78):
    return text if len(text) <= width else text[: width - 1] + "…"


# --- the stores, by their plain clients -------------------------------------------------------------------------------


class Redis:
    """docs/formats.md: a pointer to the active generation, a hash a document, and progress."""

    def __init__(self):
        self.client = redis.from_url(os.environ["VIEWFOLD_REDIS"], decode_responses=True, socket_timeout=10)

    def _hashes(self, commands):
        generation = self.client.get(f"{PREFIX}{VIEW}")
        keys = list(self.client.scan_iter(match=f"{PREFIX}{VIEW}:{generation}:*", count=2000)) if generation else []
        pipeline = self.client.pipeline(transaction=False)
        for key in keys:
            commands(pipeline, key)
        return pipeline.execute()

    def is_empty(self):
        return self.client.get(f"{PREFIX}{VIEW}") is None

    def look(self):
        """Documents, and the events that they have taken in."""
        revisions = self._hashes(lambda pipeline, key: pipeline.hget(key, "_rev"))
        return len(revisions), sum(int(revision or 0) for revision in revisions)

    def progress(self):
        fields = self.client.hgetall(f"{PREFIX}{VIEW}@1:progress")
        return {name: json.loads(text)["next"] for name, text in fields.items() if "/" in name}

    def documents(self):
        found = {}
        for fields in self._hashes(lambda pipeline, key: pipeline.hgetall(key)):
            types = json.loads(fields.get("_types", "{}"))
            found[fields["id"]] = {
                "revision": int(fields["_rev"]),
                "versions": json.loads(fields["_versions"]),
                "document": {
                    name: json.loads(text) if types.get(name) == "json" else text
                    for name, text in fields.items()
                    if name != "id" and not name.startswith("_")
                },
            }
        return found


class MongoDB:
    """docs/formats.md: a read-only view over the active generation's collection, and progress."""

    def __init__(self):
        self.client = pymongo.MongoClient(os.environ["VIEWFOLD_MONGODB_URL"], serverSelectionTimeoutMS=10_000)
        self.database = self.client.get_default_database()

    def is_empty(self):
        return self.database["viewfold.generations"].find_one({"_id": f"{VIEW}.g1"}) is None

    def look(self):
        sums = {"$group": {"_id": None, "documents": {"$sum": 1}, "events": {"$sum": "$_view.rev"}}}
        for found in self.database[VIEW].aggregate([sums]):
            return found["documents"], found["events"]
        return 0, 0

    def progress(self):
        rows = self.database["viewfold.progress"].find({"next": {"$exists": True}})
        return {row["_id"].split(" ", 1)[1]: row["next"] for row in rows}

    def documents(self):
        found = {}
        for document in self.database[VIEW].find():
            view, identity = document.pop("_view"), document.pop("_id")
            versions = {entry["a"]: entry["v"] for entry in view["versions"]}
            found[identity] = {"revision": view["rev"], "versions": versions, "document": document}
        return found


# --- the parts of the demo --------------------------------------------------------------------------------------------


class Log:
    """What was produced, and how far Kafka has taken it. Produces in a thread of its own."""

    def __init__(self):
        self.shop = generate.Shop(seed=random.randrange(1 << 30), customers=CUSTOMERS, events=EVENTS, repeats=0.02)
        self.records = []
        self.ends = {}
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        def kept():
            for record in self.shop.records():
                self.records.append(record)
                yield record

        def told(topic, partition, offset):
            name = f"{topic}/{partition}"
            self.ends[name] = max(self.ends.get(name, 0), offset + 1)

        try:
            produce.produce(os.environ["VIEWFOLD_KAFKA"], kept(), RATE, told)
        except Exception as failure:  # told by whoever waits
            self.failure = failure

    def lag(self, progress):
        return sum(max(0, end - progress.get(name, 0)) for name, end in dict(self.ends).items())


class Worker:
    """One `viewfold run`, its log in a file."""

    def __init__(self, number, folder):
        self.path = os.path.join(folder, f"viewfold-{number}.log")
        self.log = open(self.path, "wb")
        self.process = subprocess.Popen(
            [program(), "run", "-c", CONFIG],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            cwd=ROOT,
            start_new_session=True,
        )

    def alive(self):
        return self.process.poll() is None

    def tail(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-8:])

    def end(self, number):
        if self.alive():
            self.process.send_signal(number)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def program():
    return os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold"))


def check_surroundings(stores):
    for name in ("VIEWFOLD_KAFKA", "VIEWFOLD_REDIS", "VIEWFOLD_MONGODB_URL"):
        if not os.environ.get(name):
            raise Wrong(f'{name} is not set. ./dev demo sets it; by hand: eval "$(tests/servers/servers.sh env)"')
    if not os.access(program(), os.X_OK):
        raise Wrong(f"there is no {program()}: ./dev build")
    try:
        there = produce.create_topics(os.environ["VIEWFOLD_KAFKA"])
    except KafkaException as failure:
        raise Wrong(f"Kafka at {os.environ['VIEWFOLD_KAFKA']}: {failure}") from None
    if there:
        raise Wrong(
            f"the topics {' and '.join(produce.PARTITIONS)} hold {there} records already, and the demo begins at the beginning"
        )
    for store, client in stores.items():
        if not client.is_empty():
            raise Wrong(f"{TITLES[store]} holds a view {VIEW} already, and the demo begins at the beginning")


def live_line(screen, store, look, was, lag, seconds):
    documents, events = look
    rate = (events - was) / seconds if seconds > 0 else 0
    line = f"  {TITLES[store]:<7} {events:>7,} events {rate:>6,.0f}/s   lag {lag:>6,}   {documents:>5,} documents"
    return line + ("  " + screen.paint("32", "█" * (14 * events // EVENTS)) if screen.terminal else "")


class Filling:
    """The views while they fill: the live lines, and the kill half-way."""

    def __init__(self, screen, stores, log, workers):
        self.screen = screen
        self.stores = stores
        self.log = log
        self.workers = workers
        self.began = time.monotonic()
        self.history = {store: [] for store in stores}  # (time, events), of the last two seconds

    def look(self, last=False):
        """One look at both stores. True when everything that was produced is in both."""
        lines, done = [], not self.log.thread.is_alive()
        for store, client in self.stores.items():
            lag = self.log.lag(client.progress())
            look = client.look()
            now = time.monotonic()
            history = self.history[store]
            history.append((now, look[1]))
            while now - history[0][0] > 2.0:
                history.pop(0)
            lines.append(live_line(self.screen, store, look, history[0][1], lag, now - history[0][0]))
            done = done and lag == 0
        if not self.screen.terminal:
            lines = [f"{now - self.began:5.1f} s{line}" for line in lines]
        self.screen.step(lines, last or done)
        return done

    def until(self, condition):
        while not condition():
            if self.log.failure:
                raise Wrong(f"the events could not be produced: {self.log.failure}")
            for worker in self.workers:
                if not worker.alive():
                    raise Wrong(f"a process has ended with {worker.process.returncode}:\n{worker.tail()}")
            if time.monotonic() - self.began > SECONDS_MAX:
                raise Wrong(
                    f"the views have not caught up within {SECONDS_MAX} s; the logs end with:\n"
                    + "".join(w.tail() for w in self.workers)
                )
            time.sleep(0.1)

    def events(self):
        return min((history[-1][1] for history in self.history.values() if history), default=0)


def show_documents(screen, wanted):
    """Two small documents, as a reader gets them."""
    small = [identity for identity in sorted(wanted) if 2 <= len(wanted[identity]["document"]["orders"]) <= 3]
    if len(small) < 2:
        small = sorted(wanted, key=lambda identity: wanted[identity]["revision"])
    first, second = small[0], small[1]
    screen.head("What a reader gets")
    for identity, store in ((first, "cache"), (second, "documents")):
        screen.command(f"viewfold get {VIEW} {identity} --store {store}")
        done = subprocess.run(
            [program(), "get", "-c", CONFIG, VIEW, identity, "--store", store], capture_output=True, text=True, cwd=ROOT
        )
        if done.returncode:
            raise Wrong(f"viewfold get ended with {done.returncode}: {done.stderr}")
        for line in done.stdout.splitlines():
            screen.say("  " + short(line, 76))
    screen.head("The same documents without viewfold, by the stores' own clients")
    at = urllib.parse.urlsplit(os.environ["VIEWFOLD_REDIS"])
    screen.command(f"redis-cli -p {at.port or 6379} HGETALL {PREFIX}{VIEW}:1:{first}")
    client = redis.from_url(os.environ["VIEWFOLD_REDIS"], decode_responses=True)
    for name, text in client.hgetall(f"{PREFIX}{VIEW}:1:{first}").items():
        screen.say(short(f"  {name:<12} {text}"))
    screen.command(f'db.{VIEW}.findOne({{_id: "{second}"}})')
    mongo = MongoDB()
    for name, value in (mongo.database[VIEW].find_one({"_id": second}) or {}).items():
        screen.say(short(f"  {name:<12} {json.dumps(value, ensure_ascii=False)}"))
    return first


def first_difference(wanted, found, path=""):
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key) or (key in wanted) != (key in found):
                return first_difference(wanted.get(key), found.get(key), f"{path}/{key}")
    said = ["nothing" if value is None else json.dumps(value, ensure_ascii=False) for value in (wanted, found)]
    return f"{path}: the model has {said[0]}, the view {said[1]}"


def compare(screen, stores, log, wanted):
    screen.head("Held against the model's fold of what was produced")
    right = True
    for store, client in stores.items():
        found = client.documents()
        events = sum(document["revision"] for document in found.values())
        counted = f"{len(found):,} documents, {events:,} events"
        if found == wanted and events == EVENTS:
            screen.say(f"  {TITLES[store]}: {counted}: {screen.paint('32', 'equal to the model')}")
            continue
        right = False
        wrong = [identity for identity in wanted.keys() | found.keys() if wanted.get(identity) != found.get(identity)]
        screen.say(f"  {TITLES[store]}: {counted}: {screen.paint('31', 'not what the model says')}")
        screen.say(f"    the model: {len(wanted):,} documents, {EVENTS:,} events; {len(wrong):,} documents differ")
        for identity in sorted(wrong)[:3]:
            screen.say("    " + short(f"{identity}{first_difference(wanted.get(identity), found.get(identity))}", 74))
    repeats = len(log.records) - EVENTS
    screen.say(
        screen.dim(
            f"  {len(log.records):,} records were produced; {repeats:,} of them are repeats, and changed nothing."
        )
    )
    if not right:
        screen.say("  If you have changed customer_orders.lua: model.py beside it says what the view")
        screen.say("  has to be, and wants the same change.")
    return right


def say_next(screen, keep, identity):
    screen.head("What to try next")
    if keep:
        screen.say("  The servers and one viewfold process are still running; this works right away:")
        screen.say()
        screen.say('  eval "$(tests/servers/servers.sh --instance demo env)"')
    else:
        screen.say("  ./dev demo --keep does the same and leaves it running. Or by hand:")
        screen.say()
        screen.say("  ./dev up")
        screen.say('  eval "$(tests/servers/servers.sh env)"')
    screen.say("  cd projections/customer_orders")
    screen.say('  "$VIEWFOLD_PYTHON" produce.py --events 1000')
    if not keep:
        screen.say("  ../../build/viewfold run --once")
    screen.say("  ../../build/viewfold status")
    screen.say(f"  ../../build/viewfold get {VIEW} {identity if keep else 'c1'}")
    screen.say()
    screen.say("  The projection is customer_orders.lua in that folder: change what a document")
    screen.say("  keeps, in model.py beside it too (the model that this demo holds the view against;")
    screen.say("  else it shows you where they differ), and run ./dev demo again.")


# --- all of it --------------------------------------------------------------------------------------------------------


def demo(screen, keep, workers):
    if not os.environ.get("VIEWFOLD_REDIS") or not os.environ.get("VIEWFOLD_MONGODB_URL"):
        check_surroundings({})
    stores = {"cache": Redis(), "documents": MongoDB()}
    check_surroundings(stores)
    folder = os.path.join(ROOT, ".dev", os.environ.get("VIEWFOLD_INSTANCE", "demo"))
    folder = folder if os.path.isdir(folder) else tempfile.mkdtemp(prefix="viewfold-demo-")
    parts = " and ".join(f"{topic} ({count} partitions)" for topic, count in produce.PARTITIONS.items())
    screen.say(screen.bold("A customer with all orders, kept up to date in Redis and MongoDB"))
    screen.say()
    screen.say(f"  Events      {EVENTS:,} of a small shop, {RATE:,} a second, to Kafka's topics")
    screen.say(f"              {parts}")
    screen.say("  Projection  projections/customer_orders/customer_orders.lua")
    screen.say("  Workers     2 processes of one consumer group; 2 threads a store in each")
    screen.say(screen.dim(f"  Logs        {os.path.relpath(folder, ROOT)}/viewfold-*.log"))
    screen.head("The views fill")

    log = Log()
    workers += [Worker(1, folder), Worker(2, folder)]
    filling = Filling(screen, stores, log, list(workers))
    log.thread.start()
    filling.until(lambda: filling.look() or filling.events() >= EVENTS // 2)
    filling.look(last=True)
    victim = random.choice(workers)
    victim.process.kill()
    victim.process.wait()
    filling.workers.remove(victim)
    screen.say()
    screen.say(
        f"  {screen.bold(f'kill -9 {victim.process.pid}')}: one of the two is gone, in the middle of its work. Kafka gives"
    )
    screen.say("  its partitions to the other one when it has not been heard of for 6 s.")
    screen.say()
    filling.until(filling.look)

    wanted = model.fold(log.records)
    identity = show_documents(screen, wanted)
    right = compare(screen, stores, log, wanted)
    if not keep:
        for worker in filling.workers:
            status = worker.end(signal.SIGTERM)
            if status:
                raise Wrong(f"a process that was told to end has ended with {status}:\n{worker.tail()}")
    say_next(screen, keep and right, identity)
    return 0 if right else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the servers and a process running")
    options = parser.parse_args()
    screen, workers, code = Screen(), [], 1
    try:
        code = demo(screen, options.keep, workers)
    except Wrong as wrong:
        screen.say()
        print(f"demo: {wrong}", file=sys.stderr)
    except (redis.RedisError, pymongo.errors.PyMongoError) as failure:
        screen.say()
        print(f"demo: a store does not answer: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        screen.say()
        code = 130
    finally:
        if code or not options.keep:
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
    sys.exit(code)


if __name__ == "__main__":
    main()
