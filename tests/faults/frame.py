"""What a fault of the suite is written with: fault() registers it, a Scene is what it works on. README.md beside this says how to add one.

A scene has topics, a group and views of its own: customer_orders and customer_bank_view, with several aggregates a document, links,
moves, deletes and events that are held; their generators and their models in Python, which share nothing with the engine. Both are
read by the stores' plain clients and held against the models.
"""

import collections
import contextlib
import dataclasses
import glob
import importlib
import json
import os
import random
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system"), os.path.dirname(HERE)]

import harness  # noqa: E402
import onlookers  # noqa: E402
import proxy  # noqa: E402
import readers  # noqa: E402
import samples  # noqa: E402
import verdict  # noqa: E402

SAMPLES = ("customer_orders", "customer_bank_view")
STORE_NAMES = {"redis": "cache", "mongodb": "documents"}
EACH = (("cache",), ("documents",))  # a run for each store by itself
TOGETHER = (("cache", "documents"),)  # one run with both
REDIS = (("cache",),)
MONGODB = (("documents",),)
STANDS_STILL_SECONDS = 120  # far longer than any session, time limit or wait of viewfold's


# --- the register -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Fault:
    number: int
    name: str  # what happens, as the table shows it
    test: str  # the function's name: what holds
    promises: tuple  # numbers of docs/reliability.md
    run: object
    stores: tuple
    events: tuple  # (short, long): about how many events flow
    through: tuple  # the servers that viewfold's processes reach through a proxy
    servers: tuple  # those that this fault has for itself, to kill, change and wipe
    settings: dict
    partitions: int
    goes_back: bool  # the store loses what it had: revisions may go back
    short: bool  # whether there is a short run of it
    samples: tuple  # whose views there are
    minutes: int  # how long one run may take at most, on a busy machine


FAULTS = []


def fault(
    number,
    name,
    promises,
    stores=EACH,
    events=(300, 3000),
    through=(),
    servers=(),
    settings=None,
    partitions=2,
    goes_back=False,
    short=True,
    samples=SAMPLES,
    minutes=15,
):
    """Registers a function of a Scene. Promise 15 need not be named: readers with tokens run during all."""

    def register(function):
        promised = tuple(sorted({*promises, 15}))
        FAULTS.append(
            Fault(
                number, name, function.__name__, promised, function, stores, events, through, servers, settings or {}, partitions,
                goes_back, short, samples, minutes,
            )
        )  # fmt: skip
        return function

    return register


def load_all():
    """All faults, from the files f01_*.py … of this folder, by number."""
    for path in sorted(glob.glob(os.path.join(HERE, "f[0-9][0-9]_*.py"))):
        importlib.import_module(os.path.splitext(os.path.basename(path))[0])
    FAULTS.sort(key=lambda one: one.number)
    return FAULTS


# --- a scene ----------------------------------------------------------------------------------------------------------


def merged(base, more):
    """`more` over `base`, at any depth."""
    out = dict(base)
    for key, value in more.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


class Scene(samples.Samples):
    """What a fault works on. README.md has a table of what it offers."""

    def __init__(self, fault, stores, short):
        self.fault = fault
        self.stores = stores
        self.short = short
        self.events = fault.events[0 if short else 1]
        self.chance = random.Random(random.random())
        self.injected = collections.Counter()
        self.left_out = {view: {} for view in fault.samples}  # aggregate -> the first of its versions that is not to be taken in
        self.catches_up = True  # False: partitions have stopped, and what they have is held against the model
        self.disordered = False  # records are produced in another order than that of "happened", a number in each
        self.rounds = 0
        self.begun = False
        self.onlookers = []
        self.helpers = []
        self.proxies = {}
        for server in fault.through:
            self.proxies[server] = proxy.Proxy(server_address(server), getattr(proxy, server.upper()))
        super().__init__(f"f{fault.number}", fault.samples)
        # The producers and readers of the tests, and these readers, reach the servers directly.
        self.direct = self.write_config("direct.yaml", through=False)
        self.fleet = harness.Fleet(self)

    def _create_topics(self):
        theirs = {topic for generator in self.generators.values() for topic in generator.TOPICS}
        self.partitions = {self.own(topic): self.fault.partitions for topic in sorted(theirs)}
        harness.World._create_topics(self)

    def write_config(self, file="viewfold.yaml", workers=1, settings=None, through=True):
        """The fault's settings over the frame's, `settings` over both. Returns the path."""
        projections = os.path.join(harness.ROOT, "projections")
        ours = {
            "projections": [
                {"script": os.path.join(projections, one, f"{one}.lua"), "stores": list(self.stores), "workers": workers}
                for one in self.samples
            ],
            "defaults": {"batch": {"events": 40}},
            "stores": {},
        }
        if through and "kafka" in self.proxies:
            ours["kafka"] = {"brokers": [self.proxies["kafka"].address]}
        if through and "redis" in self.proxies:
            path = urllib.parse.urlsplit(harness.address("VIEWFOLD_REDIS")).path
            ours["stores"]["cache"] = {"redis": f"redis://{self.proxies['redis'].address}{path}", "prefix": self.prefix}
        if through and "mongodb" in self.proxies:
            # directConnection: the driver would leave the proxy for the address that the replica set gives of itself.
            url = f"mongodb://{self.proxies['mongodb'].address}/?directConnection=true"
            ours["stores"]["documents"] = {"mongodb": self.mongodb_url(url)}
        ours = merged(merged(ours, self.fault.settings), settings or {})
        if "kafka" in ours:  # the sections themselves are merged one level deep only
            ours["kafka"] = merged({"properties": {"session.timeout.ms": 2000, "heartbeat.interval.ms": 500}}, ours["kafka"])
        return super().write_config(file, workers, ours)

    def __exit__(self, kind, error, trace):
        for one in self.onlookers:
            one.ending.set()
        for one in self.helpers:
            if one.poll() is None:
                one.kill()
                one.wait()
        for through in self.proxies.values():
            through.close()
        super().__exit__(kind, error, trace)

    # events

    def records(self, events=None, repeats=0.05):
        """About so many new ones (else the fault's size), of a shop and a bank side by side, of customers of their own."""
        self.rounds += 1
        events = events or self.events
        seed = self.chance.randrange(1 << 30)
        of = {"events": max(2, events // len(self.samples)), "seed": seed, "prefix": f"r{self.rounds}-", "repeats": repeats}
        more = {"customer_orders": {"hot": 0.1}}
        return list(
            samples.common.mixed(
                seed, *(generator.records(**of, **more.get(name, {})) for name, generator in self.generators.items())
            )
        )

    def produce(self, records, rate=None):
        """Also begins what looks on. `rate`: so many a second at most."""
        self.look_on()
        super().produce(records, rate)

    def distinct(self):
        """How many events have been produced, repeats not counted."""
        return len({(record["topic"], record["key"], record["value"]) for record in self.log})

    # what happens to them

    def pick(self, short, long):
        """How often, how many: in a short run, and in a long one."""
        return short if self.short else long

    def check(self, condition, text):
        harness.check(condition, text)

    def wait(self, what, condition, seconds=180):
        """Until the condition holds; `what` is said where it does not come. A process that ends by itself meanwhile is a failure."""
        harness.wait_until(what, seconds, lambda: self.fleet.check_living() or condition())

    def start(self, config=None):
        """A process that has begun: what goes wrong before that ends a process, as it should."""
        process = self.fleet.start(config=config)
        self.wait("a process does not begin", lambda: process.lines('msg="running '))
        return process

    def inject(self, what, times=1):
        """Counts a fault that has happened. A run in which none has fails."""
        self.injected[what] += times

    def server(self, *command, **more):
        """Starts a further server or helper, which is killed with the scene. Its output goes to a file in the scene's folder."""
        with open(os.path.join(self.folder, f"server{len(self.helpers)}.log"), "wb") as out:
            one = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **more)
        self.helpers.append(one)
        return one

    def moment(self, least, most):
        """Lets some time pass, where a fault is about moments: which one is random, and nothing is expected of it."""
        harness.pause(self.chance.uniform(least, most))

    def counts(self, name):
        """What all processes say they have counted; once a second."""
        return sum(process.counts().get(name, 0) for process in self.fleet.processes)

    def leave_out(self, aggregate, version, views=None):
        """From this version on, an aggregate's events are to lie aside (parked) in these views, and not to be taken in."""
        for view in views or self.samples:
            self.left_out[view][aggregate] = version

    # looking on

    def look_on(self):
        if self.begun:
            return
        self.begun = True
        for store in self.stores:
            self.onlookers.append(onlookers.TokenReader(self, store, self.direct))
            if not self.fault.goes_back:
                self.onlookers.append(onlookers.Committed(self, store, self.reader(store)))
                self.onlookers.append(onlookers.NeverBack(self, store, self.reader(store)))
        for one in self.onlookers:
            one.start()

    def reader(self, store):
        """A plain client of one's own."""
        if store == "cache":
            return readers.Redis(harness.address("VIEWFOLD_REDIS"), self.prefix)
        return readers.MongoDB(self.mongodb_url())

    # judging

    def wanted_log(self, sample, progress=None):
        """The records that a view is to have taken in, in the order in which they happened: all, or those below a progress
        ("topic/partition" -> next)."""
        log = samples.common.meant_for(sample, self.log)
        for record in sorted(log, key=lambda one: one.get("happened", 0)) if self.disordered else log:
            if progress is not None:
                if "at" not in record:
                    continue
                topic, partition, offset = record["at"]
                if offset >= progress.get(f"{topic}/{partition}", 0):
                    continue
            if not self.is_left_out(sample, record):
                yield record

    def is_left_out(self, sample, record):
        if not self.left_out[sample]:
            return False
        event = json.loads(record["value"])
        return event["version"] >= self.left_out[sample].get(f"{event['kind']}/{event['id']}", 1 << 62)

    def judge(self, store, found=None, progress=None):
        """Counts what a store has against the models into a verdict. progress: sample -> that of a view; else all must be there."""
        found = found or verdict.Verdict()
        for sample in self.samples:
            log = list(self.wanted_log(sample, progress and progress[sample]))
            wanted = self.models[sample].fold(log)
            title = f"{sample} in {readers.TITLES[store]}"
            verdict.compare(found, title, wanted, self.readers[store].documents(sample), harness.difference)
            if progress is None:
                self.judge_aside(found, sample, store, title)
        return found

    def judge_aside(self, found, sample, store, title):
        """What waits for a link that never comes, or was to be left out, lies aside, each event once, and nothing else does."""
        at = {(f"{topic}/{number}", offset): one["value"] for one in self.log for topic, number, offset in [one["at"]]}
        aside = collections.Counter(at[place] for place in self.readers[store].aside(sample))
        parked = {one["value"] for one in samples.common.meant_for(sample, self.log) if self.is_left_out(sample, one)}
        found.lost += len(parked - aside.keys())
        found.doubled += sum(aside.values()) - len(aside)
        for value in sorted(parked - aside.keys()):
            found.note(f"{title}: is not set aside: {value[:200]}")
        for value, times in aside.items():
            if times > 1:
                found.note(f"{title}: is set aside {times} times: {value[:200]}")
        if len(aside) != self.should_be_aside(sample):
            found.wrong += 1
            found.note(f"{title}: {len(aside)} events are aside, and not {self.should_be_aside(sample)}")

    def should_be_aside(self, sample):
        """How many."""
        model = self.models[sample]
        parked = {one["value"] for one in samples.common.meant_for(sample, self.log) if self.is_left_out(sample, one)}
        return len(parked) + (model.held(list(self.wanted_log(sample))) if hasattr(model, "held") else 0)

    def progress_of(self, store):
        return {sample: self.readers[store].progress(sample) for sample in self.samples}

    def compare_now(self, store):
        """At this moment the views are the fold of the log up to their progress: to be called where no process writes them. What a
        process that was killed has sent may still arrive: then it looks again. Fails where they are not; whether it could be told."""
        while True:
            before = self.progress_of(store)
            if any(self.readers[store].is_empty(one) or self.readers[store].draining(one) for one in self.samples):
                return False  # nothing was begun; or a list is being taken in part by part, which progress does not tell
            found = self.judge(store, progress=before)
            if self.progress_of(store) == before:
                break
        harness.check(found.is_clean(), f"{store}, while nobody wrote: {found.notes}")
        return True

    def ask(self, *arguments):
        """A verb of viewfold to its end. On a busy machine a server may not answer within a verb's limit: then it is asked again."""

        def answer():
            done = harness.run_viewfold(*arguments, "-c", self.direct)
            return done if done.returncode != 69 else None

        return harness.wait_until(f"viewfold {' '.join(arguments)} reaches no server", 300, answer)

    def parked(self, store):
        """The lines of `viewfold parked list`: what is parked, stands behind a gap, or waits for a link."""
        done = self.ask("parked", "list", "--json", "--store", store)
        harness.check(done.returncode == 0, f"parked list ended with {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check_parked(self, aggregates):
        """An operator is shown these aggregates, and why, and no other but those that only wait for a link (one of these may wait for
        one, too, and has not been tried then)."""
        for store in self.stores:
            lines = self.parked(store)
            missing = aggregates - {line["aggregate"] for line in lines}
            others = {line["aggregate"] for line in lines if line["state"] != "held"} - aggregates
            harness.check(not missing, f"{store}: parked list does not show {sorted(missing)}")
            harness.check(not others, f"{store}: parked list shows {sorted(others)}, which can be taken in")
            silent = [line["aggregate"] for line in lines if line["state"] == "parked" and not line["error"]]
            harness.check(not silent, f"{store}: parked list does not say why {silent} are parked")

    def catch_up(self):
        """Until all that was produced is in every store's progress. It may take as long as it goes on."""
        at, since = None, time.monotonic()
        while not all(self.caught_up(store) for store in self.stores):
            self.fleet.check_living()
            try:
                now = {store: self.progress(store) for store in self.stores}
            except onlookers.UNREACHABLE:
                now = at
            if now != at:
                at, since = now, time.monotonic()
            harness.check(
                time.monotonic() < since + STANDS_STILL_SECONDS,
                f"nothing goes on since {STANDS_STILL_SECONDS} s, and not all is taken in: produced {self.produced}, progress {at}",
            )
            time.sleep(0.1)

    def finish(self):
        """After the fault: all is taken in, the processes drain, and the stores are held against the models. store -> Verdict"""
        if self.catches_up:
            if not self.fleet.living():
                self.fleet.start(config=self.direct)
            self.catch_up()
            harness.wait_until("what was held is not all taken in", 120, self.nothing_drains)
        self.fleet.stop()
        verdicts = {store: verdict.Verdict() for store in self.stores}
        for one in self.onlookers:
            one.finish(verdicts[one.store])
        for store, found in verdicts.items():
            self.judge(store, found, None if self.catches_up else self.progress_of(store))
        return verdicts

    def nothing_drains(self):
        self.fleet.check_living()
        return all(
            self.readers[store].held(sample) <= self.should_be_aside(sample) and not self.readers[store].draining(sample)
            for store in self.stores for sample in self.samples
        )

    def reads(self, store):
        """(answered with a fresh document, told why not), by readers with tokens."""
        of = [one for one in self.onlookers if isinstance(one, onlookers.TokenReader) and one.store == store]
        return sum(one.fresh for one in of), sum(one.told for one in of)


def server_address(server):
    """host:port"""
    value = harness.address(f"VIEWFOLD_{server.upper()}")
    if server == "kafka":
        return value
    split = urllib.parse.urlsplit(value)
    return f"{split.hostname}:{split.port}"


# --- one run ----------------------------------------------------------------------------------------------------------


def run(fault, stores, short):
    """Runs a fault on these stores; a row of the table for each."""
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        if fault.servers:
            stack.enter_context(harness.own_servers(f"{fault.number}-{os.getpid()}", *fault.servers))
        scene = stack.enter_context(Scene(fault, stores, short))
        fault.run(scene)
        verdicts = scene.finish()
        scene.fleet.summary()
        return [
            {
                "fault": f"F{fault.number}",
                "name": fault.name,
                "test": fault.test,
                "promises": fault.promises,
                "store": readers.TITLES[store],
                "events": scene.distinct(),
                "injected": dict(scene.injected),
                "reads_fresh": scene.reads(store)[0],
                "reads_told": scene.reads(store)[1],
                "lost": found.lost,
                "doubled": found.doubled,
                "wrong": found.wrong,
                "notes": found.notes,
                "seconds": round(time.monotonic() - started, 1),
            }
            for store, found in verdicts.items()
        ]
