"""A user edits a projection and gets on: `viewfold generations` on real servers. The projection writes beside each event which
script has folded it, so the documents themselves say whether the script changed where the registry says that it did, and nowhere
else. The model reads the log, and knows of the engine only the recorded positions."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import threading

from confluent_kafka import Consumer, TopicPartition

import harness
from harness import STORES, Fleet, World, check, generate, run_viewfold, wait_until

PARTITIONS = 3  # fewer than workers of a store: one of them has none
VIEW = "marks"

SCRIPT = """
return {
  name = "marks", version = 1, topics = { "orders" },
  key = { order = own },
  initial = { marks = {} },
  on = { Marked = function(doc, e) doc.marks[e.partition .. "@" .. e.offset] = "LETTER" end },
}
"""


def script(letter):
    return SCRIPT.replace("LETTER", letter)


class Orders:
    """Events of some aggregates, numbered on from call to call."""

    def __init__(self, world, aggregates):
        self.world = world
        self.versions = {f"o{i}": 0 for i in range(aggregates)}

    def records(self, rounds=1):
        for _ in range(rounds):
            for name in self.versions:
                self.versions[name] += 1
                event = {"id": name, "version": self.versions[name], "type": "Marked", "data": {},
                         "event_id": f"{name}-{self.versions[name]}", "time": "2026-01-01T00:00:00Z"}  # fmt: skip
                yield {"topic": self.world.orders_topic, "key": name, "value": json.dumps(event)}


def world_of(name, **more):
    return World(name, partitions=(1, PARTITIONS), script=script("A"), view=VIEW, **more)


def save(world, letter, change=lambda text: text):
    with open(world.script, "w", encoding="utf-8") as file:
        file.write(change(script(letter)))


def generations(world, *arguments, status=0):
    done = run_viewfold("generations", *arguments, "-c", world.config)
    said = f"generations {' '.join(arguments)}: {done.stdout}{done.stderr}"
    check(done.returncode == status, f"ended with {done.returncode}, not {status}: {said}")
    return done


def listed(world):
    """store -> its generation, as `list --json` has it."""
    return {one["store"]: one for one in json.loads(generations(world, "list", "--json").stdout)["generations"]}


def status_of(world):
    done = run_viewfold("status", "--json", "-c", world.config)
    check(done.returncode == 0, f"status ended with {done.returncode}: {done.stderr}")
    return {one["store"]: one for one in json.loads(done.stdout)["projections"]}


def log_of(world):
    """(partition, offset, aggregate) of every event, from Kafka itself."""
    consumer = Consumer(harness.kafka(**{"group.id": f"{world.name}-model", "auto.offset.reset": "earliest",
                                         "enable.auto.commit": False}))  # fmt: skip
    try:
        consumer.assign([TopicPartition(world.orders_topic, p, 0) for p in range(PARTITIONS)])
        found = []

        def all_read():
            for message in consumer.consume(10_000, timeout=0.5):
                check(not message.error(), f"the model cannot read the log: {message.error()}")
                found.append((message.partition(), message.offset(), json.loads(message.value())["id"]))
            return len(found) == len(world.log)

        wait_until("the model has not read the log", 60, all_read)
        return found
    finally:
        consumer.close()


def letter_at(adoptions, letters, partition, offset):
    """Which script had to fold this event: `letters` are those of the scripts, in the order of their adoptions."""
    passed = sum(offset >= adopted.get(partition, 0) for adopted in adoptions)
    return letters[passed]


def compare(world, letters):
    """Every document of both stores against the log and the recorded adoptions. Gives how many events each script folded."""
    log, entries, counts = log_of(world), listed(world), {}
    for store in STORES:
        adopted = entries[store]["adopted"]
        check(len(adopted) == len(letters) - 1, f"{store}: {len(adopted)} adoptions are recorded: {adopted}")
        adoptions = [{int(name.rpartition("/")[2]): at for name, at in one["positions"].items()} for one in adopted]
        wanted, counts[store] = {}, dict.fromkeys(letters, 0)
        for partition, offset, aggregate in log:
            letter = letter_at(adoptions, letters, partition, offset)
            counts[store][letter] += 1
            wanted.setdefault(aggregate, {})[f"{partition}@{offset}"] = letter
        found = {identity: one["document"]["marks"] for identity, one in world.documents(store).items()}
        if found != wanted:
            raise harness.Failure(f"{store}: {harness.difference(wanted, found)}")
    return counts


# --- judged by plain clients -------------------------------------------------------------------------------------------


def check_gone(world):
    """Nothing of the view but its entry, which says that it was dropped."""
    with contextlib.closing(world.redis_client()) as client:
        keys = sorted(client.scan_iter(match=world.prefix + "*", count=1000))
        registry = f"{world.prefix}{VIEW}@generations"
        check(keys == [registry], f"Redis still has {keys}")
        check(json.loads(client.hget(registry, "1"))["state"] == "dropped", "Redis' entry is not a dropped one's")
    with contextlib.closing(world.mongo_client()) as client:
        database = client[world.database]
        names = database.list_collection_names()
        check(VIEW not in names, f"readers still have their view: {names}")
        left = {name: database[name].estimated_document_count() for name in names if name != "viewfold.generations"}
        check(not any(left.values()), f"MongoDB still has {left}")
        entry = database["viewfold.generations"].find_one({"_id": f"{VIEW}.g1"})
        check(entry["state"] == "dropped" and "files" not in entry["script"], f"the entry is no dropped one's: {entry}")


# --- the tests -----------------------------------------------------------------------------------------------------------


def refuse_run(world, *words):
    done = run_viewfold("run", "--once", "-c", world.config)
    check(done.returncode == 78, f"run ended with {done.returncode}, not 78: {done.stderr}")
    for word in words:
        check(word in done.stderr, f"run's refusal does not say {word!r}: {done.stderr}")


def look_without_the_script(world):
    """A script that cannot be read here hides nothing that its stores can tell by a name."""
    save(world, "B", lambda text: text[: len(text) // 2])
    for one in status_of(world).values():
        check(one["state"] == "unknown" and ".lua:" in one["script_error"], f"status of a broken script: {one}")
    done = run_viewfold("status", "--check", "-c", world.config)
    check(done.returncode == 1 and "cannot be read" in done.stderr, f"--check: {done.returncode}: {done.stderr}")
    found = json.loads(generations(world, "list", VIEW, "--json").stdout)["generations"]
    check([one["generation"] for one in found] == [1, 1], f"list of a view whose script is broken: {found}")
    check(".lua:" in generations(world, "list", status=78).stderr, "list names no broken script")
    for store in STORES:
        done = run_viewfold("get", VIEW, "o1", "--store", store, "-c", world.config)
        check(done.returncode == 0, f"get in {store} ended with {done.returncode}: {done.stderr}")


def an_edited_script_is_refused_then_adopted_then_dropped():
    with world_of("changing") as world:
        fleet, orders = Fleet(world), Orders(world, 30)
        world.send(orders.records(5))
        fleet.once()
        before = {store: (world.documents(store), world.progress(store)) for store in STORES}
        save(world, "B")
        refuse_run(world, "differs from the script that generation 1 runs", "\n  adopt    ",
                   f"viewfold generations adopt {VIEW}", "\n  rebuild  ", "not built yet", "\n  drop     ",
                   f"viewfold generations drop {VIEW}")  # fmt: skip
        for store, one in listed(world).items():
            check(one["here"] != one["script_hash"] and one["served"], f"list does not tell the difference: {one}")
            check((world.documents(store), world.progress(store)) == before[store], f"{store}: a refused run wrote")

        save(world, "B", lambda text: text.replace("version = 1", "version = 2"))
        done = generations(world, "adopt", VIEW, status=78)
        check(done.stderr.count("the script says version 2") == 2, f"adopt refuses in other words: {done.stderr}")
        refuse_run(world, "says version 2, and generation 1 was built with version 1", "not built yet")

        save(world, "B")
        done = generations(world, "adopt", VIEW)
        check(len(done.stdout.splitlines()) == 2, f"adopt says what it did in each store: {done.stdout}")
        for store in STORES:
            check((world.documents(store), world.progress(store)) == before[store], f"{store}: adopting changed the view")
            positions = {f"{topic}/{partition}": at for (topic, partition), at in before[store][1].items()}
            adopted = status_of(world)[store]["adopted"]
            check(adopted["positions"] == positions, f"status: adopted {adopted}, and progress was {positions}")
        check("nothing to adopt" in generations(world, "adopt", VIEW).stdout, "adopting again is not told")
        world.send(orders.records(5))
        fleet.once()
        counts = compare(world, "AB")
        check(all(one == {"A": 150, "B": 150} for one in counts.values()), f"not half and half: {counts}")

        look_without_the_script(world)
        save(world, "B")
        done = generations(world, "drop", VIEW, status=64)
        check("--yes" in done.stderr and compare(world, "AB"), "drop without --yes")
        generations(world, "drop", VIEW, "--yes")
        check_gone(world)
        check(run_viewfold("get", VIEW, "o1", "-c", world.config).returncode == 66, "get still finds the view")
        # emptied: stop would stop a view that was lost. This one was not.
        world.config = world.write_config(settings={"stores": {
            "cache": {"redis": harness.address("VIEWFOLD_REDIS"), "prefix": world.prefix, "emptied": "stop"},
            "documents": {"mongodb": world.mongodb_url(), "emptied": "stop"}}})  # fmt: skip
        save(world, "C")
        fleet.once()
        compare(world, "C")


def adopting_and_dropping_under_running_workers():
    with world_of("changing-running") as world:
        fleet, orders = Fleet(world), Orders(world, 40)
        world.send(orders.records(2))
        fleet.start(), fleet.start()
        fleet.wait_caught_up()
        for letter in "BC":
            save(world, letter)
            with flowing(world, orders):
                done = generations(world, "adopt", VIEW)
            check(done.stderr.count("take it over by themselves") == 2, f"workers are not mentioned: {done.stderr}")
        fleet.wait_caught_up()
        counts = compare(world, "ABC")
        print(f"     folded by each script: {counts}; superseded: {superseded(fleet)}")
        check(all(min(one.values()) > 0 for one in counts.values()), f"a script folded nothing: {counts}")

        save(world, "D")
        with flowing(world, orders):
            generations(world, "drop", VIEW, "--yes")
            check_gone(world)
        for process in fleet.processes:
            wait_until("a worker does not say that it waits", 60,
                       lambda process=process: len(process.lines("the generation was dropped")) == 4)  # fmt: skip
        check_gone(world)
        check({one["state"] for one in status_of(world).values()} == {"waiting"}, "status does not say that they wait")
        started = fleet.start()
        fleet.wait_caught_up()
        compare(world, "D")
        check(started.terminate() == 0, "SIGTERM")
        world.send(orders.records(2))
        fleet.wait_caught_up()  # by those that had waited
        compare(world, "D")
        fleet.stop()


class Stream:
    """Orders' events without end, until it is stopped; as World.flow takes them, under the generator's name of the topic."""

    def __init__(self, orders):
        self.orders = orders
        self.stopping = threading.Event()

    def records(self):
        while not self.stopping.is_set():
            yield from ({**record, "topic": generate.ORDERS} for record in self.orders.records())


@contextlib.contextmanager
def flowing(world, orders):
    """Events flow, and go on to flow until the end of this, and a little longer."""
    stream, sent = Stream(orders), len(world.log)
    with world.flow(stream, rate=1500) as flows:
        try:
            wait_until("no event flows", 60, lambda: len(world.log) > sent + 400)
            yield
            sent = len(world.log)
            wait_until("no event flows any more", 60, lambda: len(world.log) > sent + 400)
            check(flows(), "the events have ended")
        finally:
            stream.stopping.set()


def superseded(fleet):
    return sum(process.counts().get("superseded", 0) for process in fleet.processes)


def state_in_redis(world):
    with contextlib.closing(world.redis_client()) as client:
        return json.loads(client.hget(f"{world.prefix}{VIEW}@generations", "1"))["state"]


def a_drop_that_was_killed_is_finished_by_the_next():
    with world_of("changing-killed") as world:
        fleet, orders = Fleet(world), Orders(world, 1500)
        world.send(orders.records())
        fleet.once()
        command = [harness.VIEWFOLD, "generations", "drop", VIEW, "--yes", "-c", world.config]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
            wait_until("the drop does not begin", 60, lambda: state_in_redis(world) != "active", every=0.001)
            first.send_signal(signal.SIGKILL)
        states = {one["state"] for one in listed(world).values()}
        print(f"     killed: {sorted(states)}")
        if "dropping" in states:
            refuse_run(world, "is being dropped, and that was not finished", f"generations drop {VIEW}")
        on_terminal = counted_on_terminal(command)
        check(re.search(rf"\r{VIEW} in documents: \d+ removed", on_terminal), f"no counter: {on_terminal!r}")
        check_gone(world)
        save(world, "B")
        fleet.once()
        compare(world, "B")


def counted_on_terminal(command):
    """What it shows on stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    text = b""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while chunk := os.read(ours, 4096):
                text += chunk
    os.close(ours)
    check(process.returncode == 0, f"drop ended with {process.returncode}: {text!r}")
    return text.decode()


if __name__ == "__main__":
    harness.main(
        an_edited_script_is_refused_then_adopted_then_dropped,
        adopting_and_dropping_under_running_workers,
        a_drop_that_was_killed_is_finished_by_the_next,
    )
