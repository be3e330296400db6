"""What the system tests and the demo share: the real servers, records produced to Kafka, a fleet of viewfold processes, and
both stores read by their plain clients. Nothing here knows the engine: documents are read as docs/formats.md says anyone can.

The servers' addresses come from the environment (./dev test sets it; by hand: eval "$(tests/servers/servers.sh env)"), and the
program is VIEWFOLD_PROGRAM, else build/viewfold. VIEWFOLD_SEED repeats a run's random choices, as far as a run can be repeated.
"""

import contextlib
import functools
import json
import os
import random
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

try:
    import pymongo
    import redis
    from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic
except ImportError as error:
    sys.exit(f'{error}: this Python has not the tests\' clients. ./dev test has one; by hand, "$VIEWFOLD_PYTHON" is one, after '
             './dev up and eval "$(tests/servers/servers.sh env)"')

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VIEWFOLD = os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold"))
STORES = ("cache", "documents")
TITLES = {"cache": "Redis", "documents": "MongoDB"}

sys.path.insert(0, os.path.join(ROOT, "projections", "customer_orders"))
import generate  # noqa: E402
import model  # noqa: E402


class Failure(Exception):
    """What a test found wrong, in a sentence."""


def check(condition, text):
    if not condition:
        raise Failure(text)


def wait_until(what, seconds, condition, every=0.05):
    """Asks until `condition` gives something true, and returns it. The limit is for hanging, not for speed."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(every)


def pause(seconds):
    """Lets time pass where a test is about moments: which one is random, and nothing is expected of it."""
    time.sleep(seconds)


def address(name):
    value = os.environ.get(name)
    if not value:
        raise Failure(f'{name} is not set: start the servers (./dev up) and eval "$(tests/servers/servers.sh env)"')
    return value


def kafka(**properties):
    """A client's properties. Its own log stays silent: brokers that go away are what some tests are about."""
    return {"bootstrap.servers": address("VIEWFOLD_KAFKA"), "log_level": 2, **properties}


# --- servers ----------------------------------------------------------------------------------------------------------


def servers(*arguments):
    """tests/servers/servers.sh for the instance that the environment names: kill, start, wipe."""
    subprocess.run(
        [address("VIEWFOLD_SERVERS"), "--instance", address("VIEWFOLD_INSTANCE"), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def own_servers(purpose, *names):
    """Servers of this test alone (all three, or those named), which it may kill, change and wipe. Their instance is named as
    ./dev wants it, to sweep it up. Inside, the environment gives their addresses, and servers() is about them."""
    before = dict(os.environ)
    theirs = re.compile(f"VIEWFOLD_({'|'.join(names or ('kafka', 'redis', 'mongodb'))})(_PID)?", re.IGNORECASE)
    program = os.environ.get("VIEWFOLD_SERVERS", os.path.join(ROOT, "tests", "servers", "servers.sh"))
    instance = f"{os.environ.get('VIEWFOLD_INSTANCE', 'test')}-{purpose}"
    for name in list(os.environ):
        if theirs.fullmatch(name):
            del os.environ[name]  # the user's own servers are not ours to kill
    environment = dict(os.environ)
    try:
        run = [program, "--instance", instance]
        subprocess.run([*run, "--quiet", "--fresh", "--brief", "up", *names], check=True)
        text = subprocess.run([*run, "env", *names], check=True, capture_output=True, text=True).stdout
        for word in shlex.split(text):
            name, equals, value = word.partition("=")
            if equals:
                os.environ[name] = value
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        subprocess.run([program, "--instance", instance, "--quiet", "--fresh", "down"], check=True, env=environment)


@contextlib.contextmanager
def down(server):
    """kill -9, and its start again, whatever happens in between."""
    servers("kill", server)
    try:
        yield
    finally:
        servers("start", server)


def print_versions():
    admin = AdminClient(kafka())
    brokers = admin.list_topics(timeout=20).brokers
    info = redis.from_url(address("VIEWFOLD_REDIS")).info("server")
    mongo = pymongo.MongoClient(address("VIEWFOLD_MONGODB")).server_info()
    version = os.environ.get("VIEWFOLD_KAFKA_VERSION", "3.9.1")
    print(
        f"servers: Kafka {version} ({len(brokers)} broker), Redis {info['redis_version']}, MongoDB {mongo['version']}"
    )


def sample_script(slow=0):
    """The sample's projection; `slow`: each event costs that many turns of an empty loop more."""
    with open(os.path.join(ROOT, "projections", "customer_orders", "customer_orders.lua"), encoding="utf-8") as file:
        text = file.read()
    if not slow:
        return text
    check(text.count("function(doc, e)\n") == 3, "the sample has changed: it cannot be made slow in this way")
    text = text.replace("function(doc, e)\n", "function(doc, e)\n      work()\n")
    return f"local function work() for _ = 1, {slow} do end end\n" + text


# --- a world of its own for each test ---------------------------------------------------------------------------------


def mongo_version(entry):
    """An entry of a document's versions as Redis' _versions has it."""
    if "ids" in entry:
        return [entry["v"], *entry["ids"]]
    return [entry["v"], entry["recent"]] if "recent" in entry else entry["v"]


class World:
    """Topics, a group, a Redis prefix and a MongoDB database of its own, and the records that were produced there. Leaving it
    ends its processes and removes all of it; after a failure the logs' last lines are printed and the folder stays."""

    def __init__(
        self,
        name,
        partitions=(3, 5),
        workers=2,
        settings=None,
        script=None,
        view="customer_orders",
        slow=0,
        kinds=True,
        more_topics=(),
    ):
        self.name = f"{name}-{os.getpid()}-{secrets.token_hex(3)}"
        self.brokers = address("VIEWFOLD_KAFKA")
        self.folder = tempfile.mkdtemp(prefix=f"viewfold-{name}-")
        self.prefix = f"{self.name}:"
        self.database = self.name
        self.group = self.name
        self.customers_topic = f"{self.name}.customers"
        self.orders_topic = f"{self.name}.orders"
        self.partitions = {self.customers_topic: partitions[0], self.orders_topic: partitions[1]}
        self.partitions.update({f"{self.name}.{topic}": 1 for topic in more_topics})
        self.log = []  # every record, in the order of producing
        self.produced = {}  # (topic, partition) -> next offset
        self.view = view
        self.kinds = kinds  # fixed by the topic; else each event says its own
        self.processes = []
        self.script = os.path.join(self.folder, f"{view}.lua")
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(script or sample_script(slow))
        self._create_topics()
        # Idempotent, so that the log keeps the order of producing also when the broker goes away meanwhile.
        self.producer = Producer(kafka(**{"linger.ms": 5, "enable.idempotence": True}))
        self.config = self.write_config(workers=workers, settings=settings)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in self.processes:
            if process.alive():
                process.kill()
        if kind is None:
            self.close()
            return
        for process in self.processes[-6:]:
            print(f"--- the end of {process.log_path}\n{process.tail()}")
        print(f"--- kept: {self.folder}", flush=True)

    def _create_topics(self):
        admin = AdminClient(kafka())
        topics = [NewTopic(topic, count, 1) for topic, count in self.partitions.items()]
        for future in admin.create_topics(topics).values():
            future.result(60)

        def all_known():  # a broker hears of what its controller has made a moment later
            known = admin.list_topics(timeout=60).topics
            return all(topic in known and len(known[topic].partitions) == count for topic, count in self.partitions.items())

        wait_until("the broker does not know the topics that were made", 60, all_known)

    def mongodb_url(self, base=None):
        base, _, query = (base or address("VIEWFOLD_MONGODB")).partition("?")
        return f"{base.rstrip('/')}/{self.database}" + (f"?{query}" if query else "")

    def write_config(self, file="viewfold.yaml", workers=2, settings=None):
        """JSON is YAML. `settings` go over the sections that they name; returns the path."""
        config = {
            "kafka": {
                "brokers": [self.brokers],
                "group": self.group,
                "properties": {"session.timeout.ms": 2000, "heartbeat.interval.ms": 500},
            },
            "stores": {
                "cache": {"redis": address("VIEWFOLD_REDIS"), "prefix": self.prefix},
                "documents": {"mongodb": self.mongodb_url()},
            },
            "topics": {
                "customers": {"topic": self.customers_topic, **({"kind": "customer"} if self.kinds else {})},
                "orders": {"topic": self.orders_topic, **({"kind": "order"} if self.kinds else {})},
            },
            "projections": [{"script": os.path.basename(self.script), "stores": list(STORES), "workers": workers}],
        }
        for key, value in (settings or {}).items():
            config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        path = os.path.join(self.folder, file)
        with open(path, "w", encoding="utf-8") as out:
            json.dump(config, out, indent=1)
        return path

    # producing

    def produce(self, shop, rate=None):
        """Sends a generator's records, `rate` a second at most, and remembers them in order."""
        rename = {generate.CUSTOMERS: self.customers_topic, generate.ORDERS: self.orders_topic}
        self.send(({**record, "topic": rename[record["topic"]]} for record in shop.records()), rate)

    def send(self, records, rate=None):
        """records: {"topic", "key", "value"} or also {"partition", "headers", "timestamp"}, to the topics by their own names. What is not JSON text
        is not remembered for the model. Returns when Kafka has taken them all."""
        failures = []

        def delivered(error, message, record=None):
            if error:
                failures.append(error)
            else:
                at = (message.topic(), message.partition())
                self.produced[at] = max(self.produced.get(at, 0), message.offset() + 1)
                if record:
                    record["at"] = (*at, message.offset())

        started, sent = time.monotonic(), 0
        for record in records:
            more = {name: record[name] for name in ("partition", "headers", "timestamp") if name in record}
            told = delivered
            if isinstance(record["value"], str):
                mine = dict(record)  # "at", where it lies, is told when Kafka has it
                self.log.append(mine)
                told = functools.partial(delivered, record=mine)
            while True:
                try:
                    self.producer.produce(
                        record["topic"], key=record["key"], value=record["value"], on_delivery=told, **more
                    )
                    break
                except BufferError:
                    self.producer.poll(0.1)
            sent += 1
            self.producer.poll(0)
            if rate and sent % 20 == 0:
                time.sleep(max(0.0, started + sent / rate - time.monotonic()))
        check(self.producer.flush(90) == 0, "not all records were delivered")
        check(not failures, f"a record was not delivered: {failures[:1]}")

    @contextlib.contextmanager
    def flow(self, shop, rate):
        """Produces beside the test. Gives a function that says whether events still flow; leaving waits for their end."""
        failures = []

        def run():
            try:
                self.produce(shop, rate)
            except Exception as error:  # told to the test, whatever it is
                failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield thread.is_alive
        thread.join(180)
        check(not thread.is_alive(), "the events have not all been produced within 180 s")
        if failures:
            raise failures[0]

    # reading the stores, by their plain clients

    def redis_client(self):
        return redis.from_url(address("VIEWFOLD_REDIS"), decode_responses=True, socket_timeout=10)

    def mongo_client(self):
        return pymongo.MongoClient(self.mongodb_url(), serverSelectionTimeoutMS=10_000)

    def redis_documents(self):
        """id -> {"revision", "versions", "document"}, by SCAN and HGETALL (docs/formats.md)."""
        documents = {}
        with contextlib.closing(self.redis_client()) as client:
            generation = client.get(f"{self.prefix}{self.view}")
            start = f"{self.prefix}{self.view}:{generation}:"
            keys = list(client.scan_iter(match=start + "*", count=1000))
            for chunk in range(0, len(keys), 1000):
                pipeline = client.pipeline(transaction=False)
                for key in keys[chunk : chunk + 1000]:
                    pipeline.hgetall(key)
                for fields in pipeline.execute():
                    types = json.loads(fields.pop("_types", "{}"))
                    identity = fields.pop("id")
                    document = {
                        "revision": int(fields.pop("_rev")),
                        "versions": json.loads(fields.pop("_versions", "{}")),
                    }
                    fields.pop("_stamp")
                    document["document"] = {
                        name: json.loads(text) if types.get(name) == "json" else text for name, text in fields.items()
                    }
                    documents[identity] = document
        return documents

    def mongo_documents(self):
        """The same, by find on the read-only view."""
        documents = {}
        with contextlib.closing(self.mongo_client()) as client:
            for found in client[self.database][self.view].find():
                view = found.pop("_view")
                identity = found.pop("_id")
                documents[identity] = {
                    "revision": view["rev"],
                    "versions": {entry["a"]: mongo_version(entry) for entry in view.get("versions", [])},
                    "document": found,
                }
        return documents

    def documents(self, store):
        return self.redis_documents() if store == "cache" else self.mongo_documents()

    def redis_progress(self):
        """(topic, partition) -> next"""
        with contextlib.closing(self.redis_client()) as client:
            fields = client.hgetall(f"{self.prefix}{self.view}@1:progress")
        progress = {}
        for name, text in fields.items():
            if "/" in name:
                topic, partition = name.rsplit("/", 1)
                progress[topic, int(partition)] = json.loads(text)["next"]
        return progress

    def mongo_progress(self):
        progress = {}
        with contextlib.closing(self.mongo_client()) as client:
            for found in client[self.database]["viewfold.progress"].find():
                if "next" in found:
                    topic, partition = found["_id"].split(" ", 1)[1].rsplit("/", 1)
                    progress[topic, int(partition)] = found["next"]
        return progress

    def progress(self, store):
        return self.redis_progress() if store == "cache" else self.mongo_progress()

    def caught_up(self, store):
        """Whether a store's progress has reached everything that was produced."""
        try:
            progress = self.progress(store)
        except (redis.RedisError, pymongo.errors.PyMongoError):
            return False
        return all(progress.get(at, 0) >= end for at, end in dict(self.produced).items())

    def events_in(self, store):
        """How many events a store's documents have taken in."""
        return sum(document["revision"] for document in self.documents(store).values())

    def group_of(self, store):
        return f"{self.group}.{self.view}.{store}.g1"

    def committed(self, store):
        """(topic, partition) -> the group's committed offset, where there is one."""
        consumer = Consumer(kafka(**{"group.id": self.group_of(store)}))
        partitions = [TopicPartition(t, p) for t, count in self.partitions.items() for p in range(count)]
        try:
            return {
                (one.topic, one.partition): one.offset for one in consumer.committed(partitions, 20) if one.offset >= 0
            }
        finally:
            consumer.close()

    # emptying a store: what a flush, or a server without persistence, leaves of it. In one step, as those do.

    def empty(self, store):
        if store == "cache":
            with contextlib.closing(self.redis_client()) as client:
                gone = client.eval(
                    "local keys = redis.call('KEYS', ARGV[1] .. '*') "
                    "for i = 1, #keys do redis.call('DEL', keys[i]) end return #keys",
                    0,
                    self.prefix,
                )
            check(gone > 0, "there was nothing to empty in Redis")
        else:
            with contextlib.closing(self.mongo_client()) as client:
                check(self.database in client.list_database_names(), "there was nothing to empty in MongoDB")
                client.drop_database(self.database)

    # judging

    def compare(self, stores=STORES):
        """Holds stores against the model: every document, every version, every revision. Returns documents and events."""
        wanted = model.fold(self.log)
        distinct = len({json.loads(record["value"])["event_id"] for record in self.log})
        for store in stores:
            found = self.documents(store)
            check(len(found) >= len(wanted), f"{store}: {len(found)} documents, and the model has {len(wanted)}")
            for identity in sorted(wanted.keys() | found.keys()):
                check(identity in found, f"{store}: document {identity} is missing")
                check(identity in wanted, f"{store}: document {identity} should not be there")
                if found[identity] != wanted[identity]:
                    raise Failure(
                        f"{store}: document {identity} differs: {difference(wanted[identity], found[identity])}"
                    )
            events = sum(document["revision"] for document in found.values())
            check(events == distinct, f"{store}: {events} events taken in, and {distinct} were produced")
        return len(wanted), distinct

    def close(self):
        with contextlib.suppress(Exception), contextlib.closing(self.redis_client()) as client:
            for key in client.scan_iter(match=self.prefix + "*", count=1000):
                client.delete(key)
        with contextlib.suppress(Exception), contextlib.closing(self.mongo_client()) as client:
            client.drop_database(self.database)
        with contextlib.suppress(Exception):
            futures = AdminClient(kafka()).delete_topics(list(self.partitions))
            for future in futures.values():
                future.result(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def difference(wanted, found, path=""):
    """The first place where two values differ, in few words."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if key not in found:
                return f"{path}/{key} is missing (wanted {json.dumps(wanted[key])[:200]})"
            if key not in wanted:
                return f"{path}/{key} should not be there (found {json.dumps(found[key])[:200]})"
            if wanted[key] != found[key]:
                return difference(wanted[key], found[key], f"{path}/{key}")
    return f"{path or '/'}: wanted {json.dumps(wanted)[:300]}, found {json.dumps(found)[:300]}"


# --- processes --------------------------------------------------------------------------------------------------------


def run_viewfold(*arguments, seconds=100, env=None):
    """One command to its end: exit status, stdout, stderr."""
    try:
        return subprocess.run(
            [VIEWFOLD, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, **(env or {})},
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode(errors="replace")[-2000:]
        raise Failure(f"viewfold {' '.join(arguments)} has not ended within {seconds} s: {said}") from None


class Process:
    """One `viewfold run`, its log in a file. environment: over the tests' own; output: instead of the log."""

    def __init__(self, world, arguments=(), config=None, environment=None, output=None):
        self.log_path = os.path.join(world.folder, f"run{len(world.processes)}.log")
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [VIEWFOLD, "run", "-v", "-c", config or world.config, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output or self.log,
            stderr=output or self.log,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        world.processes.append(self)

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def wait(self, seconds=60):
        """The exit status of one that ends by itself, or was told to."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"not ended within {seconds} s") from None
        self.log.close()
        return status

    def terminate(self, seconds=100):
        """SIGTERM, and the exit status."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def ended(self, seconds=100):
        """The exit status after SIGTERM. A process that has not said a word yet may not have reached its handlers, and
        then dies of the signal as any program does: nothing had begun, which is as good as 0."""
        status = self.wait(seconds)
        return 0 if status == -signal.SIGTERM and not self.text() else status

    def text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def lines(self, *words):
        """The log's lines that hold all of these words."""
        return [line for line in self.text().splitlines() if all(word in line for word in words)]

    def tail(self):
        lines = [line for line in self.text().splitlines() if "msg=counts" not in line]
        return "\n".join(lines[-25:])

    def counts(self, store=""):
        """Sum of what its workers (of one store) said last: {"events": ..., "conflicts": ...}."""
        last, total = {}, {}
        for line in self.lines(f" store={store}"):
            if "msg=counts" in line or "msg=ended" in line:
                pairs = dict(re.findall(r"(\w+)=(\S+)", line))
                last[pairs["worker"]] = pairs
        for pairs in last.values():
            for key, value in pairs.items():
                if value.isdigit() and key != "partitions":
                    total[key] = total.get(key, 0) + int(value)
        return total


class Fleet:
    """Any number of processes over one world. Dead ones count too: their last counts are in their logs."""

    def __init__(self, world):
        self.world = world
        self.processes = []
        self.kills = 0

    def start(self, *arguments, config=None, environment=None, output=None):
        process = Process(self.world, arguments, config, environment, output)
        self.processes.append(process)
        return process

    def living(self):
        return [process for process in self.processes if process.alive()]

    def kill(self, process):
        process.kill()
        self.kills += 1

    def check_living(self):
        """No process has ended but those that were killed or told to."""
        for process in self.processes:
            if not process.alive():
                status = process.ended()
                check(status in (0, -signal.SIGKILL), f"a process ended with {status}")

    def wait_caught_up(self, seconds=120, stores=STORES):
        def done():
            self.check_living()
            return all(self.world.caught_up(store) for store in stores)

        try:
            wait_until("the fleet has not caught up", seconds, done, every=0.1)
        except Failure as failure:
            produced = dict(sorted(self.world.produced.items()))
            behind = {store: dict(sorted(self.world.progress(store).items())) for store in stores}
            raise Failure(f"{failure}\nproduced {produced}\nprogress {behind}") from None

    def stop(self):
        """Drains all that live; each must end with 0."""
        living = self.living()
        for process in living:
            process.signal(signal.SIGTERM)
        for process in living:
            status = process.ended()
            check(status == 0, f"SIGTERM ended with {status}")

    def once(self, *arguments, seconds=120, config=None):
        """A process that catches up and ends by itself with 0."""
        process = self.start("--once", *arguments, config=config)
        status = process.wait(seconds)
        check(status == 0, f"run --once ended with {status}")
        return process

    def summary(self):
        """What happened, for printing, and for checking that what the test is about did happen."""
        total = {}
        for process in self.processes:
            for key, value in process.counts().items():
                total[key] = total.get(key, 0) + value
        names = (
            "rebalances",
            "conflicts",
            "refolds",
            "duplicates",
            "unknown",
            "lost_replies",
            "rewinds",
            "store_losses",
        )
        counts = {"kills": self.kills, **{name: total.get(name, 0) for name in names}}
        print("     " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()), flush=True)
        return counts


# --- a watcher --------------------------------------------------------------------------------------------------------


class Watcher(threading.Thread):
    """Reads the group's committed offset, then the store's progress, again and again: an offset that is committed before
    the store holds what it covers would be seen."""

    def __init__(self, world, store):
        super().__init__(daemon=True)
        self.world = world
        self.store = store
        self.stopping = threading.Event()
        self.looks = 0
        self.found = None

    def run(self):
        consumer = Consumer(kafka(**{"group.id": self.world.group_of(self.store)}))
        partitions = [TopicPartition(t, p) for t, count in self.world.partitions.items() for p in range(count)]
        try:
            while not self.stopping.is_set():
                try:
                    committed = consumer.committed(partitions, timeout=5)
                    progress = self.world.progress(self.store)
                except (KafkaException, redis.RedisError, pymongo.errors.PyMongoError):
                    continue
                for one in committed:
                    if one.offset > 0:
                        self.looks += 1
                        have = progress.get((one.topic, one.partition), 0)
                        if one.offset > have and not self.found:
                            self.found = f"{one.topic}/{one.partition}: committed {one.offset}, progress {have}"
                self.stopping.wait(0.02)
        finally:
            consumer.close()

    def finish(self):
        self.stopping.set()
        self.join(30)
        check(self.looks > 0, f"the watcher of {self.store} has seen no committed offset")
        check(not self.found, f"{self.store}: an offset was committed before the view held it: {self.found}")


# --- running a test ---------------------------------------------------------------------------------------------------


def main(*tests, servers_too=True):
    """Runs the functions one by one, or those that the arguments name; ends with what failed."""
    seed = int(os.environ.get("VIEWFOLD_SEED") or secrets.randbelow(1 << 31))
    print(f"seed: {seed} (VIEWFOLD_SEED={seed} makes the same choices)")
    if servers_too:
        print_versions()
    wanted = sys.argv[1:]
    failed = ran = 0
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        random.seed(f"{seed} {test.__name__}")
        ran += 1
        started = time.monotonic()
        try:
            test()
            print(f"ok   {test.__name__} ({time.monotonic() - started:.1f} s)", flush=True)
        except Exception as failure:
            failed += 1
            if not isinstance(failure, Failure):
                traceback.print_exc(file=sys.stdout)
            print(f"FAIL {test.__name__}: {failure}", flush=True)
    if not ran:
        sys.exit(f"no such test: {' '.join(wanted)}")
    sys.exit(1 if failed else 0)
