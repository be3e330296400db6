"""F13: Redis has acknowledged writes, and loses them: its replica did not have them yet when it took over."""

import contextlib
import os
import re
import signal
import socket

import proxy
import redis
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from frame import REDIS, fault, harness


class Replicated:
    """The fault's own Redis, and at each fail-over a replica that takes its place, at the same address."""

    def __init__(self, scene):
        self.scene = scene
        self.master = int(harness.address("VIEWFOLD_REDIS_PID"))
        self.port = int(re.search(r":(\d+)/", harness.address("VIEWFOLD_REDIS"))[1])
        self.replicas = 0

    def client(self, port=None):
        return contextlib.closing(redis.Redis(port=port or self.port, decode_responses=True, socket_timeout=20))

    def begin(self):
        """A new replica that has all, behind a link that can be cut."""
        with socket.create_server(("127.0.0.1", 0)) as one:
            self.aside = one.getsockname()[1]
        self.replicas += 1
        folder = os.path.join(self.scene.folder, f"replica{self.replicas}")
        os.makedirs(folder)
        self.link = proxy.Proxy(f"127.0.0.1:{self.port}", proxy.RAW)
        self.replica = self.scene.server(
            harness.address("VIEWFOLD_REDIS_SERVER"), "--port", str(self.aside), "--bind", "127.0.0.1", "--dir", folder, "--save", "",
            "--replicaof", f"127.0.0.1 {self.link.port}", "--repl-diskless-sync-delay", "0",
        )  # fmt: skip
        self.wait_for_all()

    def wait_for_all(self):
        def has_all():
            try:
                with self.client() as master, self.client(self.aside) as replica:
                    told = replica.info("replication")
                    return told["master_link_status"] == "up" and told["slave_repl_offset"] >= master.info("replication")["master_repl_offset"]
            except redis.RedisError:
                return False

        self.scene.wait("the replica does not follow", has_all)

    def cut(self):
        self.link.refuse(1e9)

    def fail_over(self):
        """The master dies, and the replica answers in its place, with what it has."""
        os.kill(self.master, signal.SIGKILL)
        self.link.close()
        with self.client(self.aside) as replica:
            replica.replicaof("NO", "ONE")
            harness.wait_until("the address is not free", 30, lambda: takes(replica, self.port))
        self.master = self.replica.pid


def takes(client, port):
    try:
        return client.config_set("port", port)
    except redis.ResponseError:
        return False


def rewinds(process):
    """What was said: (view, topic/partition) -> [(from, to)]"""
    found = {}
    for line in process.lines("lost its tail"):
        said = dict(re.findall(r"(\w+)=(\S+)", line))
        found.setdefault((said["projection"], said["at"]), []).append((int(said["from"]), int(said["to"])))
    return found


def committed(scene):
    """As progress_of: what the views' groups have committed."""
    found = {}
    for sample in scene.samples:
        with contextlib.closing(Consumer(harness.kafka(**{"group.id": f"{scene.group}.{sample}.cache.g1"}))) as consumer:
            partitions = [
                TopicPartition(topic, number) for topic in scene.topics_of(sample) for number in range(scene.partitions[topic])
            ]
            found[sample] = {f"{one.topic}/{one.partition}": max(0, one.offset) for one in consumer.committed(partitions, 20)}
    return found


@fault(13, "tail lost in a fail-over", promises=(2, 3, 12), stores=REDIS, events=(1200, 12_000), servers=("redis",), goes_back=True)
def what_redis_lost_in_a_fail_over_is_told_and_taken_in_again(scene):
    """In turn: while nothing flows, while much does, and while no process runs, so that the one that comes next has to tell."""
    servers = Replicated(scene)
    rounds = scene.pick(3, 24)
    part = scene.events // (3 * rounds)
    process = scene.fleet.start()
    for turn in range(rounds):
        servers.begin()
        scene.produce(scene.records(part))
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
        servers.wait_for_all()
        servers.cut()
        kept = scene.progress_of("cache")
        scene.produce(scene.records(part))
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
        had = scene.progress_of("cache")
        told = {key: len(pairs) for key, pairs in rewinds(process).items()}
        way = ("idle", "flowing", "at start")[turn % 3]
        if way == "at start":
            # Nobody else knows how far the view had come.
            scene.wait("the offsets are not committed", lambda had=had: committed(scene) == had)
            scene.fleet.kill(process)
            servers.fail_over()
            process, told = scene.fleet.start(), {}
        elif way == "idle":
            servers.fail_over()
        else:
            with scene.flow(scene.records(part), rate=400):
                harness.pause(0.2)
                servers.fail_over()
        for sample in scene.samples:
            for at in kept[sample]:
                low, high = kept[sample][at], had[sample][at]
                if low == high:
                    continue
                key = (sample, at)
                scene.wait(f"{way}: nobody tells that {key} has gone back", lambda key=key: len(rewinds(process).get(key, [])) > told.get(key, 0))
                first, last = rewinds(process)[key][-1]
                harness.check(last == low, f"{key}: it went back to {low}, and {last} was said")
                harness.check(first == high or (way != "idle" and first >= high), f"{key}: it came from {high}, and {first} was said")
                scene.inject(f"tail lost, {way}")
        scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)


@fault(13, "tail lost, log gone", promises=(10, 12), stores=REDIS, events=(600, 4000), servers=("redis",), goes_back=True)
def a_tail_that_the_log_has_no_more_is_told_and_not_skipped(scene):
    """Retention was faster: what the store has lost cannot be taken in again. Nothing behind the hole may be."""
    servers = Replicated(scene)
    process = scene.fleet.start()
    servers.begin()
    scene.produce(scene.records(scene.events // 3))
    scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
    servers.wait_for_all()
    servers.cut()
    kept = scene.progress_of("cache")
    scene.produce(scene.records(scene.events // 3))
    scene.fleet.wait_caught_up(seconds=300, stores=scene.stores)
    had = scene.progress_of("cache")
    ends = {at: end for of in had.values() for at, end in of.items()}
    admin = AdminClient(harness.kafka())
    holes = [TopicPartition(at.rpartition("/")[0], int(at.rpartition("/")[2]), end) for at, end in ends.items()]
    for one in admin.delete_records(holes).values():
        one.result(60)
    servers.fail_over()
    scene.produce(scene.records(scene.events // 3))

    def states():
        status = harness.json.loads(harness.run_viewfold("status", "--json", "-c", scene.direct).stdout)
        return {row["projection"]: row for row in status["projections"]}

    def all_told():
        rows = states()
        return all(
            any(f"{part['topic']}/{part['partition']}" == at and part["error"] and part["error"]["degraded"] for part in rows[sample]["partitions"])
            for sample in scene.samples for at in kept[sample] if kept[sample][at] < had[sample][at]
        )  # fmt: skip

    scene.wait("not every partition that has a hole stops", all_told)
    for sample in scene.samples:
        harness.check(states()[sample]["state"] == "degraded", f"{sample} is {states()[sample]['state']}")
        for at in kept[sample]:
            if kept[sample][at] < had[sample][at]:
                now = scene.progress_of("cache")[sample][at]
                harness.check(now == kept[sample][at], f"{sample}: {at} went on from {kept[sample][at]} to {now}")
                scene.inject("tail lost, log gone")
    checked = harness.run_viewfold("status", "--check", "-c", scene.direct)
    harness.check(checked.returncode == 1 and "degraded" in checked.stderr, f"status --check: {checked.returncode}, {checked.stderr}")
    harness.check(process.lines("level=error", "the view is degraded"), "the log does not say so")
    scene.catches_up = False
