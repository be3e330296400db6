"""F6: the broker is gone, and comes back."""

from frame import TOGETHER, fault, harness


@fault(6, "broker lost", promises=(1, 2, 4), stores=TOGETHER, events=(1200, 25_000), servers=("kafka",), minutes=25)
def a_broker_that_dies_and_comes_back_is_gone_on_with(scene):
    """kill -9 at random moments while events flow, for up to some seconds, now and then longer than a session lasts. The producer
    repeats what was not acknowledged, in order."""
    processes = [scene.fleet.start(), scene.fleet.start()]
    scene.wait("the processes do not begin", lambda: all(one.lines("running") for one in processes))
    times = scene.pick(2, 15)
    with scene.flow(scene.records(), rate=scene.pick(250, 400)) as flowing:
        while scene.injected["kill -9"] < 1 or (flowing() and scene.injected["kill -9"] < times):
            scene.moment(0.5, 3.0)
            with harness.down("kafka"):
                scene.inject("kill -9")
                scene.moment(0.0, scene.pick(2.5, 6.0))
    scene.catch_up()
    said = sum(len(process.lines("Kafka cannot be reached")) for process in scene.fleet.processes)
    scene.check(said > 0, "nobody said that Kafka could not be reached")
