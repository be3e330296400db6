"""F2: a process is stopped for longer than its session, another one takes over, and the first one wakes up."""

import signal

from frame import EACH, fault

SERVER = {"cache": "redis", "documents": "mongodb"}
# What belongs to one conditional write, which is in MongoDB several requests.
WRITES = {
    "redis": lambda name: name.startswith("FCALL viewfold_commit_"),
    "mongodb": lambda name: name in ("update", "insert", "commitTransaction"),
}


@fault(
    2,
    "a stopped process comes back",
    promises=(1, 2, 5),
    stores=EACH,
    events=(600, 6000),
    through=("redis", "mongodb"),
    settings={"kafka": {"properties": {"session.timeout.ms": 1500, "heartbeat.interval.ms": 300}}},
)
def what_a_zombie_writes_late_does_not_count(scene):
    """The process is stopped in the moment when a write of its is under way, and the write is kept back. When its successor has
    taken in what it had in hand and more, the write arrives at the store after all, and the process wakes up and goes on as if nothing
    had happened, with all that it had folded ahead."""
    (store,) = scene.stores
    through = scene.proxies[SERVER[store]]
    zombie = scene.start()  # through the proxy; the successors go past it
    rounds = scene.pick(3, 24)
    for turn in range(rounds):

        def stop():
            zombie.signal(signal.SIGSTOP)
            through.stall("requests")

        scene.produce(scene.records(scene.events // rounds // 2))
        scene.wait("the zombie does not go on", lambda: scene.caught_up(store))
        before = nothing_came_of(zombie, store)
        through.at("late", after=scene.chance.randrange(3), act=stop, wanted=WRITES[SERVER[store]])
        while through.armed():
            scene.produce(scene.records(scene.events // rounds // 2))
            scene.wait("no write comes", lambda: not through.armed() or scene.caught_up(store))
        at = sum(scene.progress(store).values())
        successor = scene.fleet.start(config=scene.direct)
        scene.wait("nobody takes over", lambda: sum(scene.progress(store).values()) > at and scene.caught_up(store))
        through.pass_on()
        zombie.signal(signal.SIGCONT)
        scene.inject("stopped in the middle of a write")
        if turn % 2:
            scene.fleet.kill(successor)
        else:
            successor.terminate()
        scene.produce(scene.records(40))
        scene.wait("the zombie does not live again", lambda: scene.caught_up(store))
        if store == "cache":  # MongoDB's transaction may have ended by its own limit before, and is then not heard of again
            scene.wait("the late write has not been refused", lambda b=before: nothing_came_of(zombie, store) > b)


def nothing_came_of(process, store):
    """How many of its writes that is."""
    counts = process.counts(store)
    return counts.get("conflicts", 0) + counts.get("unknown", 0)
