"""F1: a process dies at any step: before a request leaves, when the server has done it and has not been heard, and when it has been heard."""

import signal
import threading

from frame import EACH, fault

SERVER = {"cache": "redis", "documents": "mongodb"}
MOMENTS = ("request", "reply", "answered")
STEPS_MAX = 250  # more requests than one life of a process makes in a round

# Either a dead member's partitions wait for the end of its session, or its successor says that it is the same and is let in at once.
SESSION = {"kafka": {"properties": {"session.timeout.ms": 1000, "heartbeat.interval.ms": 300}}}
INSTANCE = {"kafka": {"instance": "f1"}}


@fault(
    1,
    "kill -9 at every step",
    promises=(1, 2, 4),
    stores=EACH,
    events=(20, 40),
    through=("redis", "mongodb", "kafka"),
    settings={"defaults": {"batch": {"events": 15}}},
    minutes=40,
)
def a_crash_at_any_step_loses_nothing_and_repeats_nothing(scene):
    """A process is killed at its nth request to the store, for n = 1, 2, ... up to those of a life that takes in a round of events
    and is told to end; each n three times: before the request leaves, after it is done but before its answer is heard, and after.
    Likewise at each request to Kafka that has to do with the group: joining, committing offsets, leaving. After each kill nobody
    writes, and the views are what progress says. The short run takes some n of these."""
    (store,) = scene.stores
    session, instance = (scene.write_config(f"{n}.yaml", settings=one) for n, one in enumerate((SESSION, INSTANCE)))
    compared = 0
    for server, title in ((SERVER[store], "the store"), ("kafka", "Kafka")):
        for moment in MOMENTS:
            config = session if moment == "request" and not scene.short else instance
            for step in steps(scene, server):
                if not dies(scene, store, scene.proxies[server], moment, step, config):
                    break
                scene.inject(f"{moment} to {title}")
                compared += scene.compare_now(store)
    scene.fleet.start(config=instance)
    scene.check(compared > 0, "the views could never be compared while nobody wrote")


def steps(scene, server):
    """The n of this turn: all, or some."""
    if scene.short:
        return sorted(scene.chance.sample(range(30), 3)) if server != "kafka" else [scene.chance.randrange(4)]
    return range(STEPS_MAX)


def dies(scene, store, through, moment, step, config):
    """Whether a process was killed at its request number `step`; False: it has done all there was, and ended, with fewer."""
    scene.produce(scene.records())
    started = threading.Event()

    def kill():
        started.wait()
        process.signal(signal.SIGKILL)

    through.at(moment, after=step, act=kill)
    process = scene.fleet.start(config=config)
    started.set()
    scene.wait("neither killed nor caught up", lambda: not process.alive() or scene.caught_up(store))
    process.terminate()
    return not through.disarm()
