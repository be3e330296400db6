"""F13: somebody puts an older backup of MongoDB back, under a fleet that had gone on."""

import contextlib
import os
import re
import shutil

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from frame import MONGODB, fault, harness


class Backup:
    """A copy of the files of the fault's own MongoDB, made while it does not run."""

    def __init__(self, scene):
        self.data = os.path.join(os.path.dirname(harness.address("VIEWFOLD_MONGODB_SERVER")), "data")
        self.copy = os.path.join(scene.folder, "backup")

    def make(self):
        with stopped():
            shutil.rmtree(self.copy, ignore_errors=True)
            shutil.copytree(self.data, self.copy)

    def put_back(self):
        with stopped():
            shutil.rmtree(self.data)
            shutil.copytree(self.copy, self.data)


@contextlib.contextmanager
def stopped():
    harness.servers("stop", "mongodb")
    try:
        yield
    finally:
        harness.servers("start", "mongodb")


def rewinds(processes):
    """What was said: {(view, "topic/partition", from, to)}"""
    found = set()
    for process in processes:
        for line in process.lines("lost its tail"):
            said = dict(re.findall(r"(\w+)=(\S+)", line))
            found.add((said["projection"], said["at"], int(said["from"]), int(said["to"])))
    return found


def caught_up(scene):
    scene.wait("not caught up", lambda: scene.caught_up("documents"))


def go_on(scene, backup):
    """A backup, and then more than it has in every partition: sample -> progress, of the backup and of afterwards."""
    old = scene.progress_of("documents")
    backup.make()
    while not all(
        scene.progress_of("documents")[sample].get(at, 0) > next_one for sample in scene.samples for at, next_one in old[sample].items()
    ):
        scene.produce(scene.records(scene.events // 6))
        caught_up(scene)
    return old, scene.progress_of("documents")


def check_said(processes, old, new):
    """Every partition of every view was said to have gone back, from where it was to where the backup has it."""
    said = rewinds(processes)
    for sample, progress in old.items():
        for at, to in progress.items():
            found = [one for one in said if one[:2] == (sample, at) and one[3] == to]
            harness.check(found, f"nobody said that {sample} has gone back in {at}, to {to}: {sorted(said)}")
            harness.check(all(one[2] <= new[sample][at] for one in found), f"{sample} never was where it is said to come from: {found}")


@fault(
    13, "MongoDB, older backup", promises=(2, 12), stores=MONGODB, events=(600, 4000), servers=("mongodb",), goes_back=True, short=False
)  # fmt: skip
def a_backup_that_is_put_back_is_said_and_healed(scene):
    """Under an idle fleet; under one with events on the way; and while nobody runs, so that only what the group has committed tells how
    far the view had come."""
    backup = Backup(scene)
    fleet = [scene.fleet.start() for _ in range(2)]
    scene.produce(scene.records(scene.events // 6))
    caught_up(scene)
    for _ in range(scene.pick(1, 2)):
        old, new = go_on(scene, backup)
        backup.put_back()
        scene.inject("backup put back under an idle fleet")
        caught_up(scene)
        check_said(fleet, old, new)

        old, new = go_on(scene, backup)
        with scene.flow(scene.records(scene.events // 6), rate=200):
            backup.put_back()
            scene.inject("backup put back under load")
        caught_up(scene)
        scene.wait("it was not said", lambda o=old: all(any(one[0] == s and one[3] == to for one in rewinds(fleet)) for s in o for to in o[s].values()))

        old, new = go_on(scene, backup)
        scene.fleet.stop()
        backup.put_back()
        scene.inject("backup put back while nobody ran")
        fleet = [scene.fleet.start() for _ in range(2)]
        caught_up(scene)
        check_said(fleet, old, new)


@fault(
    13, "MongoDB, backup too old", promises=(10, 12), stores=MONGODB, events=(300, 600), servers=("mongodb",), goes_back=True, short=False
)  # fmt: skip
def a_backup_that_the_log_does_not_reach_back_to_is_degraded(scene):
    """What came between the backup and what Kafka still has can never be taken in: the view says so, and skips nothing."""
    scene.catches_up = False
    backup = Backup(scene)
    scene.fleet.start()
    scene.produce(scene.records(scene.events))
    caught_up(scene)
    old, _ = go_on(scene, backup)
    scene.produce(scene.records(scene.events // 6))
    caught_up(scene)
    gone = [TopicPartition(topic, number, scene.produced[topic, number]) for topic, number in scene.produced]
    admin = AdminClient(harness.kafka())  # which has to live until the answer comes
    for future in admin.delete_records(gone).values():
        future.result(30)
    backup.put_back()
    scene.inject("backup older than the log")

    def all_degraded():
        said = harness.run_viewfold("status", "--json", "-c", scene.direct)
        rows = harness.json.loads(said.stdout)["projections"] if said.returncode == 0 else []
        return rows and all(row["state"] == "degraded" for row in rows)

    scene.wait("status does not say that the views are degraded", all_degraded)
    check = harness.run_viewfold("status", "--check", "-c", scene.direct)
    harness.check(check.returncode == 1 and "degraded" in check.stdout, f"status --check: {check.returncode} {check.stdout[:300]}")
    now = scene.progress_of("documents")
    for sample, progress in old.items():
        for at, to in progress.items():
            harness.check(now[sample].get(at) == to, f"{sample} went on in {at} from {to} to {now[sample].get(at)}")
