"""The connection to a store is cut after a commit was sent and before its reply arrives: progress tells what happened."""

import random
import urllib.parse

import harness
import proxy
from harness import Fleet, World, check
from harness import generate

ROUNDS = 8


def lose_replies(store, wire, target, settings_of, dark):
    """Every second time what is lost is the commit itself, so that both answers have to be told apart. dark: for how long
    nobody gets through afterwards, in turn."""
    through = proxy.Proxy(f"{target.hostname}:{target.port}", wire)
    try:
        with World(
            f"lost-{store}", partitions=(2, 3), workers=1, settings={"defaults": {"batch": {"events": 50}}}
        ) as world:
            other = next(name for name in harness.STORES if name != store)
            config = world.write_config("proxied.yaml", workers=1, settings=settings_of(world, through.port))
            fleet = Fleet(world)
            fleet.start(config=config)
            for armed in range(ROUNDS):
                through.lose("reply" if armed % 2 == 0 else "request", after=random.randrange(12), dark=dark[armed % 4])
                # Enough events for that many batches, however fast the machine is.
                world.produce(
                    generate.Shop(
                        random.randrange(1 << 30), customers=100, events=750, hot=0.5, repeats=0.03, prefix=f"r{armed}-"
                    )
                )
                harness.wait_until("no commit has passed the proxy", 120, lambda: not through.armed())
            fleet.wait_caught_up()
            fleet.stop()
            counts = fleet.summary()
            documents, events = world.compare()
            print(
                f"     cut: {through.lost}, {through.commits} commits; {documents} documents equal to the model; {other} undisturbed"
            )
            check(through.lost["reply"] >= 3, "too few replies were lost")
            check(through.lost["request"] >= 3, "too few requests were lost")
            check(counts["unknown"] > 0, "no worker found a commit's outcome unknown")
            check(counts["lost_replies"] > 0, "no lost reply was found to have been a commit that took hold")
            check(counts["lost_replies"] < counts["unknown"], "commits that never arrived were counted as held")
            check(counts["rewinds"] == 0, "a worker believed in a commit that had not taken hold")
            check(counts["duplicates"] > 0, "no duplicate was skipped, though the log has repeats")
    finally:
        through.close()


def a_reply_of_redis_that_is_lost_neither_loses_nor_repeats_its_batch():
    target = urllib.parse.urlsplit(harness.address("VIEWFOLD_REDIS"))
    lose_replies(
        "cache",
        proxy.REDIS,
        target,
        lambda world, port: {
            "stores": {"cache": {"redis": f"redis://127.0.0.1:{port}{target.path}", "prefix": world.prefix}},
            "defaults": {"batch": {"events": 50}},
        },
        dark=(0.0, 0.0, 0.3, 0.3),
    )


def a_reply_of_mongodb_that_is_lost_neither_loses_nor_repeats_its_batch():
    target = urllib.parse.urlsplit(harness.address("VIEWFOLD_MONGODB"))
    lose_replies(
        "documents",
        proxy.MONGODB,
        target,
        lambda world, port: {
            # directConnection: the driver would leave the proxy for the address that the replica set gives of itself.
            "stores": {
                "documents": {"mongodb": world.mongodb_url(f"mongodb://127.0.0.1:{port}/?directConnection=true")}
            },
            "defaults": {"batch": {"events": 50}},
        },
        # MongoDB can be asked again for the outcome of a commit, and is; in the longer dark that comes to nothing.
        dark=(0.0, 0.0, 2.0, 2.0),
    )


if __name__ == "__main__":
    harness.main(
        a_reply_of_redis_that_is_lost_neither_loses_nor_repeats_its_batch,
        a_reply_of_mongodb_that_is_lost_neither_loses_nor_repeats_its_batch,
    )
