"""F15: somebody removes the functions that viewfold has loaded into Redis."""

import contextlib

import redis
from frame import REDIS, fault, harness


@fault(15, "functions flushed", promises=(1, 2), stores=REDIS, events=(800, 9000), servers=("redis",))
def functions_that_are_flushed_are_loaded_again_and_nobody_notices(scene):
    """Under load, and where nothing is written: there readers would miss theirs."""
    process = scene.fleet.start()
    with contextlib.closing(redis.from_url(harness.address("VIEWFOLD_REDIS"), decode_responses=True)) as client:
        for _ in range(scene.pick(2, 20)):
            with scene.flow(scene.records(scene.events // scene.pick(2, 20)), rate=400) as flowing:
                while flowing():
                    client.function_flush()
                    client.script_flush()
                    scene.inject("flushed under load")
                    harness.pause(scene.chance.uniform(0.02, 0.3))
            scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
            client.function_flush()
            scene.inject("flushed while idle")
            scene.wait("readers' function does not come back", lambda: client.function_list("viewfold_get"))
    # That Kafka keeps the fault's topics for some days only is said at the start, and has nothing to do with it.
    said = [line for line in process.lines("level=warn") + process.lines("level=error") if "retention_ms=" not in line]
    harness.check(not said, f"an error has surfaced: {said[:3]}")
