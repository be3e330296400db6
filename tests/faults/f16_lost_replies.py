"""F16: the store has done what was asked, and nobody hears of it; and whatever else a network does to connections."""

from frame import EACH, TOGETHER, fault

SERVER = {"cache": "redis", "documents": "mongodb"}
# MongoDB can be asked again for the outcome of a commit, and is; in a longer dark that comes to nothing.
DARK = {"cache": 0.4, "documents": 2.5}


@fault(16, "reply lost", promises=(1, 2, 14), stores=EACH, events=(900, 12_000), through=("redis", "mongodb"))
def a_commit_whose_reply_is_lost_counts_once(scene):
    """Every third time what is lost is the commit itself, so that both answers have to be told apart; every second time nobody gets
    through for a while afterwards."""
    (store,) = scene.stores
    through = scene.proxies[SERVER[store]]
    process = scene.start()
    rounds = scene.pick(6, 60)
    for turn in range(rounds):
        what = "request" if turn % 3 == 2 else "reply"
        through.lose(what, after=scene.chance.randrange(4), dark=DARK[store] * (turn % 2))
        while through.armed():
            scene.produce(scene.records(scene.events // rounds))
            scene.wait("nobody goes on", lambda: not through.armed() or scene.caught_up(store))
        scene.inject(f"{what} lost")
    scene.catch_up()
    scene.wait("no worker found a commit's outcome unknown", lambda: process.counts().get("unknown", 0) > 0)
    scene.wait("no lost reply was found to be a commit that took hold", lambda: process.counts().get("lost_replies", 0) > 0)


@fault(
    16,
    "a bad network",
    promises=(1, 2, 4, 6, 14),
    stores=TOGETHER,
    events=(1200, 12_000),
    through=("redis", "mongodb", "kafka"),
    minutes=25,
)
def connections_that_are_cut_delayed_or_half_closed_change_nothing(scene):
    """Of the connections of two processes to all three servers: some or all are cut, nobody gets in for some seconds, one direction
    ends or stalls while the other one goes on, messages are slow, the answer to a commit is lost; one thing about every second."""
    for _ in range(2):
        scene.start()
    least = scene.pick(8, 120)
    with scene.flow(scene.records(), rate=scene.pick(200, 100)) as flowing:
        while flowing() or sum(scene.injected.values()) < least:
            name, through = scene.chance.choice(sorted(scene.proxies.items()))
            happens(scene, name, through)
            scene.moment(0.1, 1.0)
            through.delay()
            through.pass_on()
    for name, through in scene.proxies.items():
        through.disarm()
        for what, count in through.lost.items():
            if count:
                scene.inject(f"{name}: {what} lost", count)


def happens(scene, name, through):
    what = scene.chance.choice(("cut", "refused", "half-closed", "stalled", "delayed", "reply lost", "request lost"))
    direction = scene.chance.choice(("requests", "replies"))
    if what == "cut":
        through.cut()
    elif what == "refused":
        through.refuse(scene.chance.uniform(0.5, 2.5))
        scene.moment(0.5, 2.5)
    elif what == "half-closed":
        through.half_close(direction)
    elif what == "stalled":
        through.stall(*scene.chance.choice(((direction,), ())))
        scene.moment(0.5, 6.0)  # a call of a store may take 5 s
    elif what == "delayed":
        through.delay(**{direction: scene.chance.uniform(0.01, 0.3)})
        scene.moment(0.2, 1.5)
    else:
        through.lose(what.split()[0], after=scene.chance.randrange(5))
        return  # counted when it has happened
    scene.inject(f"{name}: {what}")
