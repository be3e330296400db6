"""F16: the store has done what was asked, and nobody hears of it."""

from frame import EACH, fault, harness

SERVER = {"cache": "redis", "documents": "mongodb"}
# MongoDB can be asked again for the outcome of a commit, and is; in a longer dark that comes to nothing.
DARK = {"cache": 0.4, "documents": 2.5}


@fault(16, "reply lost", promises=(1, 2, 14), stores=EACH, events=(900, 12_000), through=("redis", "mongodb"))
def a_commit_whose_reply_is_lost_counts_once(scene):
    """Every third time what is lost is the commit itself, so that both answers have to be told apart; every second time nobody gets
    through for a while afterwards."""
    (store,) = scene.stores
    through = scene.proxies[SERVER[store]]
    process = scene.fleet.start()
    rounds = scene.pick(6, 60)
    for turn in range(rounds):
        what = "request" if turn % 3 == 2 else "reply"
        through.lose(what, after=scene.chance.randrange(4), dark=DARK[store] * (turn % 2))
        while through.armed():
            scene.produce(scene.records(scene.events // rounds))
            scene.wait("nobody goes on", lambda: not through.armed() or scene.caught_up(store))
        scene.inject(f"{what} lost")
    scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
    scene.wait("no worker found a commit's outcome unknown", lambda: process.counts().get("unknown", 0) > 0)
    scene.wait("no lost reply was found to be a commit that took hold", lambda: process.counts().get("lost_replies", 0) > 0)
