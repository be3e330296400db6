"""F4: members join and leave all the time."""

import signal

from frame import TOGETHER, fault


@fault(4, "rebalance storm", promises=(1, 2, 4, 6), stores=TOGETHER, events=(2500, 18_000), partitions=4, minutes=25)
def a_storm_of_rebalances_neither_loses_nor_reorders(scene):
    """Up to four processes, with one to three workers for each view; one joins, leaves by SIGTERM, dies, or sleeps for a moment, about
    every second, while events flow. The views of cards keep each card's last payments in their order, and balances add up, so that an
    event taken in out of order, or twice, is seen."""
    configs = [scene.write_config(f"workers{n}.yaml", workers=n) for n in (1, 2, 3)]
    scene.fleet.start()
    least = scene.pick(6, 60)
    with scene.flow(scene.records(), rate=scene.pick(300, 100)) as flowing:
        while flowing() or sum(scene.injected.values()) < least:
            happens(scene, configs)
            scene.moment(0.2, 1.2)
    scene.catch_up()
    scene.wait("too few rebalances", lambda: scene.counts("rebalances") > 2 * scene.injected["joined"])


def happens(scene, configs):
    living = scene.fleet.living()
    if len(living) < 2 or (len(living) < 4 and scene.chance.random() < 0.5):
        scene.fleet.start(config=scene.chance.choice(configs))
        scene.inject("joined")
        return
    process = scene.chance.choice(living)
    what = scene.chance.choice(("left", "left", "killed", "slept"))
    if what == "left":
        status = process.terminate()
        scene.check(status == 0, f"SIGTERM ended with {status}")
    elif what == "killed":
        scene.fleet.kill(process)
    else:
        process.signal(signal.SIGSTOP)
        scene.moment(0.5, 3.0)  # the session lasts 2 s: some are expelled meanwhile
        process.signal(signal.SIGCONT)
    scene.inject(what)
