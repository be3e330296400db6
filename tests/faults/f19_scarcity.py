"""F19: no memory, no room for what it says, and a wrong clock."""

import os
import signal
import struct

from frame import TOGETHER, fault, harness

PRELOAD = os.path.join(os.path.dirname(harness.VIEWFOLD), "tests", "fault_preload.so")
DAY = 24 * 3600
# With what a process may end that could not have an allocation: viewfold's own word is 70; a library of its ends it by an assertion, or
# by going on without looking, which is a bug of that library, and as good as kill -9.
OUT_OF_MEMORY = 70
LIBRARY = {-signal.SIGABRT, -signal.SIGSEGV}


class Number:
    """8 bytes of a file that a process shares."""

    def __init__(self, scene, name):
        self.path = os.path.join(scene.folder, name)
        with open(self.path, "xb") as file:
            file.write(bytes(8))

    def set(self, number):
        with open(self.path, "r+b") as file:  # in place: a process has it in its memory
            file.write(struct.pack("=q", number))

    def get(self):
        with open(self.path, "rb") as file:
            return struct.unpack("=q", file.read(8))[0]


def asked_by_a_library(process):
    """Whether it was not viewfold's own code, or its scripts' Lua, that wanted the memory: by the frame that called malloc."""
    lines = process.text().splitlines()
    callers = [lines[at + 3] for at, line in enumerate(lines[:-3]) if line == "no memory for"]
    return any(not caller.startswith(harness.VIEWFOLD) for caller in callers)


@fault(19, "an allocation fails", promises=(1, 2), stores=TOGETHER, events=(600, 3000))
def an_allocation_that_fails_leaves_nothing_half_done(scene):
    """The nth allocation of a process fails, of viewfold or of one of its libraries, or a whole row of them, while it works. It ends,
    and says so, or goes on; at that moment the views are what their progress says, and the next process goes on from there."""
    count = Number(scene, "count")
    environment = {"LD_PRELOAD": PRELOAD, "FAULT_COUNT": count.path, "FAULT_ALLOCATION": "-1"}
    scene.produce(scene.records())
    needs = {}
    for whose in ({}, {"FAULT_OWN": "1"}):
        count.set(0)
        probe = scene.fleet.start(environment={**environment, **whose})
        scene.wait("the log does not say that it runs", lambda p=probe: p.lines("running"))
        started = count.get()
        scene.produce(scene.records(scene.events // 3))
        scene.wait("it does not work all off", lambda: all(map(scene.caught_up, scene.stores)))
        scene.fleet.kill(probe)
        needs[len(whose)] = started, count.get() - started
        harness.check(min(needs[len(whose)]) > 100, f"only {needs} allocations: the preloaded library does not count")
    for turn in range(scene.pick(6, 60)):
        count.set(0)
        started, worked = needs[turn % 2]
        environment.pop("FAULT_OWN", None)
        if turn % 2:  # of viewfold's own code alone: it asks for less than its libraries do
            environment["FAULT_OWN"] = "1"
        number = int(started + scene.chance.random() ** 2 * worked)  # at work, more often at its beginning
        if scene.chance.random() < 0.2:
            number = scene.chance.randrange(1, started)
        environment["FAULT_ALLOCATION"] = str(number)
        environment["FAULT_ALLOCATIONS"] = str(scene.chance.choice((1, 1, 1, 20)))
        scene.produce(scene.records(scene.events // 3))
        process = scene.fleet.start(environment=environment)
        scene.fleet.processes.remove(process)  # how it ends is looked at here
        harness.wait_until(
            "it neither ends nor gets on", 180, lambda p=process, n=number: not p.alive() or count.get() > n and all(map(scene.caught_up, scene.stores))
        )
        if process.alive():
            status = process.terminate()
            harness.check(status == 0, f"it went on without the memory, and ended with {status}: {process.tail()}")
            harness.check(not process.lines("msg=stopped") and not process.lines("cannot be taken in"), f"an event was blamed: {process.tail()}")
            scene.inject("went on", count.get() >= number)
        else:
            status = process.wait()
            wanted = LIBRARY | {OUT_OF_MEMORY, 69, 78} if asked_by_a_library(process) else {OUT_OF_MEMORY}
            harness.check(status in wanted, f"ended with {status}: {process.tail()}")
            harness.check(status != OUT_OF_MEMORY or process.lines("out of memory"), f"it does not say why it ends: {process.tail()}")
            scene.inject("a library ended it" if status in LIBRARY else "ended with a word")
        for store in scene.stores:
            scene.compare_now(store)


@fault(19, "no room for what it says", promises=(1, 2, 21), stores=TOGETHER, events=(600, 4000))
def a_log_that_cannot_be_written_holds_nothing_up(scene):
    """stdout and stderr are a full disk, a pipe that nobody reads, and one whose reader has gone. Views get on, and SIGTERM ends it."""
    for turn in range(scene.pick(3, 12)):
        reading, writing = os.pipe()
        full = os.open("/dev/full", os.O_WRONLY)
        output = full if turn % 3 == 0 else writing
        if turn % 3 == 2:
            os.close(reading)
        else:  # to the brim
            os.set_blocking(writing, False)
            try:
                while turn % 3 == 1:
                    os.write(writing, bytes(1 << 16))
            except BlockingIOError:
                pass
            os.set_blocking(writing, True)
        process = scene.fleet.start(output=output)
        scene.produce(scene.records(scene.events // scene.pick(3, 12)))
        scene.wait("it does not get on", lambda: all(map(scene.caught_up, scene.stores)))
        harness.check(process.terminate() == 0, "it was not drained")
        scene.inject(("a full disk", "nobody reads", "the reader has gone")[turn % 3])
        for one in (full, writing, *([] if turn % 3 == 2 else [reading])):
            os.close(one)


@fault(19, "a wrong clock", promises=(1, 2), stores=TOGETHER, events=(600, 6000))
def a_clock_that_is_wrong_changes_nothing(scene):
    """Two processes, one of them a day ahead, the other a day behind; and their clocks jump about while they work."""
    clocks = [Number(scene, f"clock{number}") for number in range(2)]
    for number, clock in enumerate(clocks):
        clock.set((DAY, -DAY)[number])
        scene.fleet.start(environment={"LD_PRELOAD": PRELOAD, "FAULT_CLOCK": clock.path})
    with scene.flow(scene.records(), rate=scene.pick(150, 300)) as flowing:
        while flowing():
            harness.pause(scene.chance.uniform(0.2, 0.8))
            scene.chance.choice(clocks).set(scene.chance.choice((-DAY, 0, DAY, -3600, 60, 365 * DAY)))
            scene.inject("a clock jumps")
    scene.wait("it does not get on", lambda: all(map(scene.caught_up, scene.stores)))
    for clock in clocks:
        clock.set(0)
