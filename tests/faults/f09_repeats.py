"""F9: producers repeat themselves."""

from frame import EACH, fault


@fault(9, "repeats", promises=(1, 2), stores=EACH, events=(400, 6000), minutes=25)
def what_is_produced_again_changes_nothing(scene):
    """Half of all records come twice; then a relay that has lost its place sends all of them again, in their order, while processes
    die; and once more after that."""
    records = scene.records(repeats=0.5)
    scene.fleet.start()
    scene.produce(records)
    scene.inject("repeats", len(records) - len({one["value"] for one in records}))
    for _ in range(2):
        scene.fleet.start()
        with scene.flow(records, rate=scene.pick(600, 300)) as flowing:
            while flowing():
                scene.moment(0.3, 1.5)
                scene.fleet.kill(scene.chance.choice(scene.fleet.living()))
                scene.fleet.start()
        scene.inject("repeats", len(records))
    scene.catch_up()
    scene.wait("no repeat was skipped", lambda: scene.counts("duplicates") > 0)
