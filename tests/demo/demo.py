"""`./dev demo`: events of a shop, a bank and a saga flow through Kafka into five views in Redis and MongoDB, a process is killed
half-way, each view answers the question that it is for by one read in each store, and all of it is held against the models'
folds of what was produced. Uses projections/ as it lies there: change a sample, and the next demo shows it.

    demo.py [--keep]      --keep leaves the servers and a process running

Ends with 0 only when all views are right. ./dev starts the servers before, and stops what is left.
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

import pymongo
import redis
from confluent_kafka import KafkaException

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "projections"))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import common  # noqa: E402
import produce  # noqa: E402
import questions  # noqa: E402
import readers  # noqa: E402
from readers import TITLES  # noqa: E402

CONFIG = os.path.join("projections", "viewfold.yaml")
PREFIX = "shop:"  # of Redis' keys, as viewfold.yaml has it
EVENTS = 24_000
RATE = 2_000
SECONDS_MAX = 150  # for hanging only


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


# --- the parts of the demo --------------------------------------------------------------------------------------------


def topics(view):
    return common.load(view, "generate").TOPICS


def models(log):
    """What each view has to be, and how many events it has to hold."""
    wanted, held = {}, {}
    for view in common.SAMPLES:
        model, records = common.load(view, "model"), common.meant_for(view, log.records)
        wanted[view] = model.fold(records)
        held[view] = model.held(records) if hasattr(model, "held") else 0
    return wanted, held


class Log:
    """What was produced, and how far Kafka has taken it. Produces in a thread of its own."""

    def __init__(self):
        self.to_come = list(produce.all_records(EVENTS, seed=random.randrange(1 << 30)))
        self.records = []
        self.ends = {}
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        def kept():
            for record in self.to_come:
                self.records.append(record)
                yield record

        def told(topic, partition, offset):
            name = f"{topic}/{partition}"
            self.ends[name] = max(self.ends.get(name, 0), offset + 1)

        try:
            produce.produce(os.environ["VIEWFOLD_KAFKA"], kept(), RATE, told)
        except Exception as failure:  # told by whoever waits
            self.failure = failure

    def of_view(self, view):
        """How many records will have come in all in the view's topics."""
        return sum(record["topic"] in topics(view) for record in self.to_come)

    def lag(self, view, progress):
        ends = {name: end for name, end in dict(self.ends).items() if name.rsplit("/", 1)[0] in topics(view)}
        return sum(max(0, end - progress.get(name, 0)) for name, end in ends.items())


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


def check_surroundings():
    for name in ("VIEWFOLD_KAFKA", "VIEWFOLD_REDIS", "VIEWFOLD_MONGODB_URL"):
        if not os.environ.get(name):
            raise Wrong(f'{name} is not set. ./dev demo sets it; by hand: eval "$(tests/servers/servers.sh env)"')
    if not os.access(program(), os.X_OK):
        raise Wrong(f"there is no {program()}: ./dev build")


def begin(stores):
    """Makes the topics. The demo begins at the beginning: nothing may be there."""
    try:
        there = produce.create_topics(os.environ["VIEWFOLD_KAFKA"])
    except KafkaException as failure:
        raise Wrong(f"Kafka at {os.environ['VIEWFOLD_KAFKA']}: {failure}") from None
    if there:
        raise Wrong(
            f"the topics {', '.join(produce.PARTITIONS)} hold {there} records already, and the demo begins at the beginning"
        )
    for store, client in stores.items():
        for view in common.SAMPLES:
            if not client.is_empty(view):
                raise Wrong(f"{TITLES[store]} holds a view {view} already, and the demo begins at the beginning")


class Filling:
    """The views while they fill: the live lines, and the kill half-way."""

    def __init__(self, screen, stores, log, workers):
        self.screen = screen
        self.stores = stores
        self.log = log
        self.workers = workers
        self.began = time.monotonic()
        self.totals = {view: log.of_view(view) for view in common.SAMPLES}
        self.least = {}  # store -> the share that its slowest view has dealt with

    def _cell(self, store, done, view, lag):
        share = done / max(1, self.totals[view])
        bar = "█" * int(10 * share) + "·" * (10 - int(10 * share))
        bar = self.screen.paint("32", bar) if self.screen.terminal else f"{share:4.0%}"
        return f"{TITLES[store]:<7} {bar} {done:>6,}  lag {lag:>5,}"

    def look(self, last=False):
        """One look at both stores. True when everything that was produced is in both."""
        finished, lines = not self.log.thread.is_alive(), []
        least = dict.fromkeys(self.stores, 1.0)
        for view in common.SAMPLES:
            cells = []
            for store, client in self.stores.items():
                progress = client.progress(view)
                done, lag = sum(progress.values()), self.log.lag(view, progress)
                finished = finished and lag == 0
                least[store] = min(least[store], done / max(1, self.totals[view]))
                cells.append(self._cell(store, done, view, lag))
            lines.append(f"  {view:<18} " + "   ".join(cells))
        self.least = least
        if not self.screen.terminal and not (last or finished):
            slowest = "   ".join(f"{TITLES[store]} {share:4.0%}" for store, share in least.items())
            lines = [f"  {time.monotonic() - self.began:5.1f} s   the slowest view has dealt with: {slowest}"]
        self.screen.step(lines, last or finished)
        return finished

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


def ask(screen, stores, wanted):
    """Each view's question, answered by one read in each store. True when every answer is the model's."""
    right, reads = True, 0
    for view, question in questions.QUESTIONS:
        answers = question(stores["cache"], stores["documents"], wanted[view])
        screen.head(f"{view}: " + question.__doc__.format(id=next(answers)))
        for command, found, answer in answers:
            screen.command(command)
            screen.say(short("  " + json.dumps(found, ensure_ascii=False, sort_keys=True), 118))
            reads += 1
            if found != answer:
                right = False
                screen.say("  " + screen.paint("31", "the model says: ") + short(json.dumps(answer, sort_keys=True), 100))
    if right:
        screen.say()
        screen.say(f"  {reads} reads: {screen.paint('32', 'each answer is the one that the model gives')}")
    return right


def compare(screen, stores, log, wanted, waiting):
    """All documents of all views, and what is held."""
    screen.head("Held against the models' folds of what was produced")
    right = True
    for view in common.SAMPLES:
        for store, client in stores.items():
            found, held = client.documents(view), client.held(view)
            line = f"  {view:<18} {TITLES[store]:<7} {len(found):>5,} documents"
            if found == wanted[view] and held == waiting[view]:
                screen.say(f"{line}: {screen.paint('32', 'equal to the model')}" + (f"; {held} events held" if held else ""))
                continue
            right = False
            screen.say(f"{line}: {screen.paint('31', 'not what the model says')}")
            wrong = [one for one in wanted[view].keys() | found.keys() if wanted[view].get(one) != found.get(one)]
            screen.say(f"    the model: {len(wanted[view]):,} documents; {len(wrong):,} differ")
            for identity in sorted(wrong)[:3]:
                said = readers.first_difference(wanted[view].get(identity), found.get(identity))
                screen.say("    " + short(identity + said, 110))
            if held != waiting[view]:
                screen.say(f"    {held} events are held, and {waiting[view]} should be")
    distinct = len({(record["topic"], record["value"]) for record in log.records})
    repeats = len(log.records) - distinct
    screen.say(screen.dim(f"  {len(log.records):,} records were produced; {repeats:,} are repeats, and changed nothing."))
    screen.say(screen.dim(f"  {sum(waiting.values())} events are of cards whose account was never opened: held, and shown by `viewfold status`."))
    if not right:
        screen.say("  If you have changed a sample: model.py beside it says what the view has to be, and wants")
        screen.say("  the same change.")
    return right


def say_next(screen, keep):
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
    screen.say("  cd projections")
    screen.say('  "$VIEWFOLD_PYTHON" produce.py --events 1000')
    if not keep:
        screen.say("  ../build/viewfold run --once")
    screen.say("  ../build/viewfold status")
    screen.say("  ../build/viewfold find recent_customers valuable --reverse --limit 5")
    screen.say()
    screen.say("  The projections are in that folder, docs/samples.md has a page for each: change what a document")
    screen.say("  keeps, in model.py beside it too (the model that this demo holds the view against; else it shows")
    screen.say("  you where they differ), and run ./dev demo again.")


# --- all of it --------------------------------------------------------------------------------------------------------


def demo(screen, keep, workers):
    check_surroundings()
    stores = {
        "cache": readers.Redis(os.environ["VIEWFOLD_REDIS"], PREFIX),
        "documents": readers.MongoDB(os.environ["VIEWFOLD_MONGODB_URL"]),
    }
    begin(stores)
    folder = os.path.join(ROOT, ".dev", os.environ.get("VIEWFOLD_INSTANCE", "demo"))
    folder = folder if os.path.isdir(folder) else tempfile.mkdtemp(prefix="viewfold-demo-")
    log = Log()
    screen.say(screen.bold("Five views, kept up to date in Redis and MongoDB"))
    screen.say()
    screen.say(f"  Events       about {EVENTS:,} of a shop, a bank and a saga, {RATE:,} a second, to {len(produce.PARTITIONS)} topics of Kafka")
    screen.say("  Projections  projections/*/*.lua")
    screen.say("  Workers      2 processes of one consumer group a view and store")
    screen.say(screen.dim(f"  Logs         {os.path.relpath(folder, ROOT)}/viewfold-*.log"))
    screen.head("The views fill")

    workers += [Worker(1, folder), Worker(2, folder)]
    filling = Filling(screen, stores, log, list(workers))
    log.thread.start()
    filling.until(lambda: filling.look() or min(filling.least.values()) >= 0.5)
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

    wanted, waiting = models(log)
    answered = ask(screen, stores, wanted)
    right = compare(screen, stores, log, wanted, waiting) and answered
    if not keep:
        for worker in filling.workers:
            status = worker.end(signal.SIGTERM)
            if status:
                raise Wrong(f"a process that was told to end has ended with {status}:\n{worker.tail()}")
    say_next(screen, keep and right)
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
