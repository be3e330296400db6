"""F14: Redis is full, or would make room by throwing away what it was given."""

import contextlib

import redis
from frame import REDIS, fault, harness


def configure(name, value):
    with contextlib.closing(redis.from_url(harness.address("VIEWFOLD_REDIS"))) as client:
        client.config_set(name, value)


@contextlib.contextmanager
def configured(name, value, before):
    configure(name, value)
    try:
        yield
    finally:
        configure(name, before)


def assert_nothing_moves(scene, records):
    """While it lasts nothing is written, however much comes."""
    before = scene.progress_of("cache")
    scene.produce(records)
    harness.pause(0.5)
    harness.check(scene.progress_of("cache") == before, "progress has moved")


@fault(14, "Redis full", promises=(2, 13), stores=REDIS, events=(600, 9000), servers=("redis",))
def a_full_redis_is_waited_for(scene):
    """Redis has no room for anything more, and then it has, again and again: nothing is written meanwhile, the log says why, and
    then all goes on by itself."""
    process = scene.fleet.start()
    rounds = scene.pick(2, 12)
    part = scene.events // (2 * rounds)
    for turn in range(rounds):
        scene.produce(scene.records(part))
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
        with configured("maxmemory", 1, 0):
            scene.produce(scene.records(part))
            scene.wait("it is not said", lambda turn=turn: len(process.lines("the store refuses to write", "OOM")) > turn)
            scene.inject("full")
            assert_nothing_moves(scene, [])
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
        scene.wait("it is not said that it is over", lambda turn=turn: len(process.lines("the store is back")) > turn)


@fault(14, "Redis evicting", promises=(2, 13), stores=REDIS, events=(600, 9000), servers=("redis",))
def a_redis_that_begins_to_evict_gets_nothing_until_it_does_not(scene):
    """Noticed within seconds, with nothing to write and with much. Who starts meanwhile is refused."""
    process = scene.fleet.start()
    rounds = scene.pick(2, 12)
    part = scene.events // (2 * rounds)
    scene.produce(scene.records(part))
    scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
    for turn in range(rounds):
        flow = scene.flow(scene.records(part), rate=200) if turn % 2 else contextlib.nullcontext()
        with configured("maxmemory-policy", "allkeys-lru", "noeviction"), flow:
            for words in (("the store cannot be used as it is", "maxmemory-policy is allkeys-lru"),):
                # Each worker looks for itself.
                scene.wait("it is not said", lambda words=words, turn=turn: len(process.lines(*words)) >= len(scene.samples) * (turn + 1))
            scene.inject("evicting")
            assert_nothing_moves(scene, scene.records(part))
            refused = harness.run_viewfold("run", "-c", scene.direct)
            harness.check(refused.returncode == 78, f"who starts meanwhile ends with {refused.returncode}")
            harness.check("noeviction" in refused.stderr, f"who starts meanwhile says: {refused.stderr}")
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
