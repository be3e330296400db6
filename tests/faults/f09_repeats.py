"""F9: producers repeat themselves, events come in another order, and some never come."""

import collections
import json

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


@fault(9, "events out of order", promises=(1, 2, 7), stores=EACH, events=(600, 6000), minutes=25)
def what_comes_out_of_order_is_taken_in_in_order(scene):
    """One record in ten comes later than it should, behind up to two hundred others: behind later ones of its own aggregate, too, which
    wait for it. A process dies now and then, with some of them waiting."""
    records = [{**record, "happened": place} for place, record in enumerate(scene.records())]
    late = {place: place + scene.chance.randrange(2, 200) for place in range(len(records)) if scene.chance.random() < 0.1}
    records = [records[place] for place in sorted(range(len(records)), key=lambda place: late.get(place, place))]
    scene.disordered = True
    scene.inject("came before an earlier one", overtaken(records))
    scene.fleet.start()
    with scene.flow(records, rate=scene.pick(400, 100)) as flowing:
        while flowing():
            scene.moment(0.5, 2.0)
            scene.fleet.kill(scene.chance.choice(scene.fleet.living()))
            scene.fleet.start()


def overtaken(records):
    """How many events stand behind a gap when they come."""
    last, count = collections.Counter(), 0
    waiting = collections.defaultdict(set)
    for record in records:
        event = json.loads(record["value"])
        aggregate = event["kind"], event["id"]
        if event["version"] > last[aggregate] + 1 and event["version"] not in waiting[aggregate]:
            waiting[aggregate].add(event["version"])
            count += 1
        elif event["version"] == last[aggregate] + 1:
            last[aggregate] += 1
            while last[aggregate] + 1 in waiting[aggregate]:
                last[aggregate] += 1
    return count


@fault(9, "lost events", promises=(2, 7), stores=EACH, events=(600, 6000), minutes=25)
def a_gap_is_told_and_stops_only_its_aggregate(scene):
    """Of some aggregates one event never comes. All behind it lies aside and is listed; everything else is as if those aggregates had
    ended there."""
    records = scene.records()
    versions = collections.defaultdict(set)
    for record in records:
        event = json.loads(record["value"])
        versions[event["kind"], event["id"]].add(event["version"])
    several = sorted(aggregate for aggregate, numbers in versions.items() if len(numbers) > 1)
    lost = {}
    for kind in sorted({kind for kind, _ in several}):
        victims = [one for one in several if one[0] == kind]
        for one in scene.chance.sample(victims, min(len(victims), scene.pick(3, 30))):
            lost[one] = scene.chance.randrange(1, max(versions[one]))
    for (kind, identity), version in lost.items():
        scene.leave_out(f"{kind}/{identity}", version)
    scene.inject("lost", len(lost))
    scene.fleet.start()
    scene.produce([one for one in records if not is_lost(one, lost)])
    scene.catch_up()
    scene.check_parked({f"{kind}/{identity}" for kind, identity in lost})


def is_lost(record, lost):
    event = json.loads(record["value"])
    return lost.get((event["kind"], event["id"])) == event["version"]
