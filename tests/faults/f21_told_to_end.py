"""F21: processes are told to end while they work, and while a server stands still."""

import signal

from frame import EACH, TOGETHER, fault, harness

SERVER = {"cache": "redis", "documents": "mongodb"}
DRAIN_SECONDS = 2  # less than a call to a store may take
HANGS_SECONDS = 120  # beyond the deadline: a limit for hanging, on a machine that may be busy


@fault(21, "SIGTERM under load", promises=(2, 4, 21), stores=TOGETHER, events=(1500, 20_000))
def who_is_told_to_end_under_load_settles_and_ends_with_0(scene):
    """Two processes work off what there is; one of them is told to end, another one takes its place, again and again. Drained means
    settled: the frame's onlooker compares offsets with progress meanwhile."""
    scene.produce(scene.records())
    scene.fleet.start()
    scene.fleet.start()
    for _ in range(scene.pick(4, 40)):
        at = sum(scene.progress("cache").values())
        scene.wait("nothing is taken in", lambda at=at: sum(scene.progress("cache").values()) > at or all(map(scene.caught_up, scene.stores)))
        harness.pause(scene.chance.uniform(0.0, 0.3))
        scene.produce(scene.records(100))
        process = scene.chance.choice(scene.fleet.living())
        harness.wait_until("it does not begin", HANGS_SECONDS, lambda p=process: p.lines("msg=\"running "))  # till then there is nothing to end well
        process.signal(scene.chance.choice((signal.SIGTERM, signal.SIGINT)))
        status = process.ended(HANGS_SECONDS)
        harness.check(status == 0, f"a process that was told to end ended with {status}: {process.tail()}")
        harness.check(not process.text() or process.lines("draining"), "it does not say that it drains")
        scene.inject("told to end")
        scene.fleet.start()


@fault(
    21,
    "SIGTERM while a server stands still",
    promises=(2, 21),
    stores=EACH,
    events=(600, 6000),
    through=("redis", "mongodb", "kafka"),
    settings={"defaults": {"drain": f"{DRAIN_SECONDS}s"}},
)
def who_is_told_to_end_waits_for_no_server_beyond_the_deadline(scene):
    """The store, or Kafka, stands still: its connections stay, and no answer comes. Whoever is told to end then ends within the
    deadline: with 0 if all was settled, else with 75; at once with a second signal. What it had sent arrives when it is gone."""
    (store,) = scene.stores
    late = 0
    for turn in range(scene.pick(2, 12)):
        process = scene.fleet.start()
        at = sum(scene.progress(store).values())
        scene.produce(scene.records(scene.events // scene.pick(2, 12)))
        scene.wait("nothing is taken in", lambda at=at: sum(scene.progress(store).values()) > at)
        server = SERVER[store] if turn % 3 else "kafka"
        through = scene.proxies[server]
        scene.produce(scene.records(60))
        through.stall()
        if turn % 2:  # in the middle of what it does; else when it has noticed
            scene.wait("nobody notices", lambda p=process, s=server: s == "kafka" or p.lines("the store is gone"))
        number = scene.chance.choice((signal.SIGTERM, signal.SIGINT))
        process.signal(number)
        wanted = {0, 75}
        if turn % 4 == 3:
            harness.wait_until("it does not say that it drains", HANGS_SECONDS, lambda p=process: p.lines("draining") or not p.alive())
            process.signal(number)
            wanted = {0, 128 + number}
        status = process.wait(DRAIN_SECONDS + HANGS_SECONDS)
        harness.check(status in wanted, f"it ended with {status} where {server} stood still: {process.tail()}")
        harness.check(status != 75 or process.lines("not drained within"), "it ended with 75, and does not say why")
        late += status == 75
        scene.fleet.processes.remove(process)
        scene.inject(f"{server} stood still, ended with {status}")
        through.pass_on()
        scene.compare_now(store)
    harness.check(late > 0, "nobody was under way when he was told to end, or the deadline is not kept")
