"""F17: MongoDB refuses, gives up, forgets to say so, and changes its primary."""

import contextlib

import pymongo
import replica_set
from frame import MONGODB, fault, harness

TRANSIENT = ["TransientTransactionError"]
# What the server's failCommand makes of a command of ours, and which one.
ERRORS = {
    "not the primary: update": ("update", {"errorCode": 10107}),
    "not the primary: insert": ("insert", {"errorCode": 10107}),
    "not the primary: commit": ("commitTransaction", {"errorCode": 10107}),
    "not the primary: read": ("find", {"errorCode": 10107}),
    "stepped down: commit": ("commitTransaction", {"errorCode": 11602}),
    "no write concern": ("commitTransaction", {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}}),
    "shutting down after the commit": ("commitTransaction", {"writeConcernError": {"code": 91, "errmsg": "shutdown"}}),
    "write conflict": ("update", {"errorCode": 112, "errorLabels": TRANSIENT}),
    "no such transaction": ("commitTransaction", {"errorCode": 251, "errorLabels": TRANSIENT}),
    "time limit": ("insert", {"errorCode": 50}),
    "disk full": ("update", {"errorCode": 14031}),
    "connection cut: update": ("update", {"closeConnection": True}),
    "connection cut: commit": ("commitTransaction", {"closeConnection": True}),
    "slow: insert": ("insert", {"blockConnection": True, "blockTimeMS": 1500}),
    "no answer: commit": ("commitTransaction", {"blockConnection": True, "blockTimeMS": 7000}),  # viewfold waits for 5 s
}
SHORT = ("not the primary: update", "no write concern", "write conflict", "connection cut: commit", "not the primary: commit")


def run(client, **data):
    return client.admin.command({"configureFailPoint": "failCommand", **data})


def entered(client, times):
    """Whether as many commands have failed, ever."""
    try:
        client.admin.command({"waitForFailPoint": "failCommand", "timesEntered": times, "maxTimeMS": 50})
        return True
    except pymongo.errors.ExecutionTimeout:
        return False


@contextlib.contextmanager
def failing(command, how, times):
    """The next so many of viewfold's commands fail. Gives a function that tells whether they have; the tests' own clients have other names."""
    with contextlib.closing(pymongo.MongoClient(harness.address("VIEWFOLD_MONGODB"), appname="test")) as client:
        before = run(client, mode="off")["count"]
        run(client, mode={"times": times}, data={"failCommands": [command], "appName": "viewfold", **how})
        try:
            yield lambda: entered(client, before + times)
        finally:
            run(client, mode="off")


@fault(17, "MongoDB errors", promises=(1, 2, 14), stores=MONGODB, events=(1200, 15_000), servers=("mongodb",), minutes=25)
def every_error_of_mongodb_is_waited_out_or_asked_about(scene):
    """One error after the other, from once to several times in a row, while events come: so long that a driver's own second try, a
    commit that is repeated and a connection made anew meet it too."""
    begin(scene)
    names = list(SHORT) if scene.short else list(ERRORS) * 3
    scene.chance.shuffle(names)
    for name in names:
        command, how = ERRORS[name]
        times = scene.chance.choice((1, 2, 6) if "no answer" not in name else (1, 3))
        with failing(command, how, times) as happened:
            scene.produce(scene.records(scene.events // len(names)))
            while not happened():
                scene.produce(scene.records(40))
                scene.wait("nobody goes on", lambda h=happened: h() or scene.caught_up("documents"))
            scene.inject(name, times)
    scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
    if not scene.short:
        scene.wait("no worker found a commit's outcome unknown", lambda: scene.counts("unknown") > 0)
        scene.wait("no conflict was met", lambda: scene.counts("conflicts") > 0)
    harness.check(scene.counts("rewinds") == 0, "a worker believed in a commit that had not taken hold")


def begin(scene):
    """Two processes that have begun: who finds no store when it starts ends at once."""
    for _ in range(2):
        scene.fleet.start()
    scene.produce(scene.records(60))
    scene.wait("not caught up", lambda: scene.caught_up("documents"))
    scene.wait("a process has not begun", lambda: all(one.lines("msg=assigned") for one in scene.fleet.processes))


@fault(17, "MongoDB steps down", promises=(1, 2, 14), stores=MONGODB, events=(600, 6000), servers=("mongodb",))
def a_primary_that_steps_down_loses_nothing(scene):
    """The only member of a set, so that nobody is the primary for a second; in the midst of what is under way."""
    begin(scene)
    turns = scene.pick(1, 20)
    with contextlib.closing(pymongo.MongoClient(harness.address("VIEWFOLD_MONGODB"))) as client:
        for _ in range(turns):
            with scene.flow(scene.records(scene.events // turns), rate=400) as flowing:
                scene.moment(0.1, 1.0)
                client.admin.command({"replSetStepDown": 1, "force": True})
                scene.inject("stepped down")
                scene.wait("nobody goes on", lambda f=flowing: not f())
            scene.wait("not caught up", lambda: scene.caught_up("documents"))
    scene.wait("nobody noticed", lambda: scene.counts("store_losses") > 0)
    harness.check(scene.counts("rewinds") == 0, "a worker believed in a commit that had not taken hold")


@fault(17, "MongoDB fails over", promises=(1, 2, 4, 14), stores=MONGODB, events=(600, 8000), short=False)
def a_primary_that_is_killed_takes_nothing_with_it(scene):
    """Of three members, the primary, in the midst of what is under way: a majority has what was said to be committed."""
    members = replica_set.ReplicaSet(scene)
    begin(scene)
    turns = scene.pick(1, 8)
    for _ in range(turns):
        with scene.flow(scene.records(scene.events // turns), rate=300):
            scene.moment(0.2, 2.0)
            old = members.wait_primary()
            old.kill()
            scene.inject("primary killed")
            members.wait_primary(members.others(old))
        scene.wait("not caught up", lambda: scene.caught_up("documents"))
        old.start()
        members.wait_whole()
    harness.check(scene.counts("rewinds") == 0, "a worker believed in a commit that a majority never had")


@fault(17, "MongoDB rolls back", promises=(1, 2, 4, 14), stores=MONGODB, events=(400, 3000), short=False)
def a_primary_without_its_majority_is_not_believed(scene):
    """The others die, and the primary, which does not know yet, takes commits that no majority will ever have; its word
    that they are there is not to be relied on. Then it dies, the others come back and go on without it, and it rolls back."""
    members = replica_set.ReplicaSet(scene, election_ms=30_000)
    begin(scene)
    turns = scene.pick(1, 4)
    for _ in range(turns):
        old = members.wait_primary()
        others = members.others(old)
        lost = scene.counts("unknown")
        for one in others:
            one.kill()
        scene.produce(scene.records(scene.events // turns))
        scene.wait("no commit's outcome is unknown", lambda before=lost: scene.counts("unknown") > before)
        scene.moment(3.0, 10.0)  # a worker that believes what it reads goes on by it, and commits its offsets
        harness.check(old.is_primary(), "the primary has stepped down too early: this says nothing")
        old.kill()
        scene.inject("primary lost its majority")
        for one in others:
            one.start()
        harness.wait_until("nobody is elected", 60, lambda o=others: o[0].ask({"replSetStepUp": 1}) or o[1].ask({"replSetStepUp": 1}))
        members.wait_primary(others)
        scene.wait("not caught up", lambda: scene.caught_up("documents"))
        old.start()
        members.wait_whole()
    harness.check(scene.counts("rewinds") == 0, "a worker believed in a commit that a majority never had")


@fault(
    17,
    "MongoDB, a dead client",
    promises=(1, 2, 14),
    stores=MONGODB,
    events=(300, 1500),
    servers=("mongodb",),
    through=("mongodb",),
    short=False,
)
def what_a_dead_workers_transaction_holds_is_waited_for(scene):
    """A process dies as its commit is on the way: the server holds what it has written until a time limit, here 12 s, and nobody else
    gets by. The others say so, and so does `status`; nothing is lost."""
    through = scene.proxies["mongodb"]
    with contextlib.closing(pymongo.MongoClient(harness.address("VIEWFOLD_MONGODB"))) as client:
        client.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 12})
    for _ in range(scene.pick(1, 4)):
        scene.fleet.stop()
        victim = scene.fleet.start()
        scene.produce(scene.records(60))
        scene.wait("not caught up", lambda: scene.caught_up("documents"))
        through.at("request", act=lambda v=victim: v.kill(), wanted=lambda name: name == "commitTransaction")
        scene.produce(scene.records(scene.events))
        scene.wait("nobody has died", lambda: not through.armed())
        victim.process.wait()
        scene.inject("died inside a transaction")
        heirs = [scene.fleet.start() for _ in range(2)]
        scene.wait("status does not say what is waited for", lambda: held_up(scene))
        scene.wait("no worker says what it waits for", lambda h=heirs: any(one.lines("a dead worker's transaction") for one in h))
        scene.wait("not caught up", lambda: scene.caught_up("documents"))
        scene.wait("status still says that it waits", lambda: not held_up(scene))


def held_up(scene):
    said = harness.run_viewfold("status", "--json", "-c", scene.direct)
    rows = harness.json.loads(said.stdout)["projections"] if said.returncode == 0 else []
    return any("a dead worker's transaction" in (row["held_up"] or "") for row in rows)
