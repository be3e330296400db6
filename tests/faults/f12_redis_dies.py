"""F12: Redis stands still, cuts its clients off, or dies."""

import contextlib
import os
import signal

import redis
from frame import REDIS, fault, harness


def ask(*command, seconds=30):
    """Of the fault's own server, over a connection of its own."""
    with contextlib.closing(redis.from_url(harness.address("VIEWFOLD_REDIS"), socket_timeout=seconds)) as client:
        return client.execute_command(*command)


def keep_busy(milliseconds):
    """A script of somebody else that leaves no room for anything."""
    ask("EVAL", "local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end local to = now() + ARGV[1] "
        "while now() < to do end", "0", str(milliseconds))  # fmt: skip


@contextlib.contextmanager
def standing_still():
    pid = int(harness.address("VIEWFOLD_REDIS_PID"))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@fault(12, "Redis stalls, cuts off", promises=(1, 2, 12), stores=REDIS, events=(800, 12_000), servers=("redis",))
def a_redis_that_stands_still_or_cuts_its_clients_off_costs_nothing_but_time(scene):
    """For less than a call may take, nobody is to notice; for longer, the outcome of what was sent is unknown."""
    process = scene.fleet.start()
    scene.wait("it does not begin", lambda: process.lines("msg=assigned"))  # who starts wants a store that answers
    rounds = scene.pick(1, 10)
    with scene.flow(scene.records(), rate=scene.pick(400, 300)):
        for _ in range(rounds):
            keep_busy(scene.chance.randrange(200, 2000))
            scene.inject("busy")
            with standing_still():
                harness.pause(scene.chance.uniform(0.2, 2))
            scene.inject("stopped for a moment")
            for _ in range(5):
                ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                harness.pause(scene.chance.uniform(0.05, 0.3))
                scene.inject("clients killed")
            scene.wait("it does not come back", lambda: len(process.lines("the store is back")) >= len(process.lines("the store is gone")))
            lost = len(process.lines("the store is gone"))
            with standing_still():
                scene.wait("nobody notices that the store is silent", lambda lost=lost: len(process.lines("the store is gone")) > lost)
            scene.inject("stopped for too long")


@fault(12, "Redis dies", promises=(1, 2, 12), stores=REDIS, events=(800, 8000), servers=("redis",), goes_back=True)
def a_redis_that_is_killed_is_filled_again(scene):
    """It keeps nothing, or what it had saved some time before."""
    process = scene.fleet.start()
    rounds = scene.pick(2, 8)
    for turn in range(rounds):
        scene.produce(scene.records(scene.events // (2 * rounds)))
        scene.wait("nothing is written", lambda: scene.caught_up("cache"))
        if turn % 2:
            ask("SAVE")
        with scene.flow(scene.records(scene.events // (2 * rounds)), rate=500):
            harness.pause(scene.chance.uniform(0.1, 0.6))
            with harness.down("redis"):
                scene.inject("killed, what was saved is left" if turn % 2 else "killed, nothing is left")
                scene.wait("nobody notices", lambda turn=turn: len(process.lines("the store is gone")) > turn)
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
    harness.check(process.lines("the store has been emptied"), "that the store had been emptied was not said")
