"""A replica set of a fault's own: members to kill and to start again. Its processes end with the scene."""

import contextlib
import os
import socket

import harness
import pymongo

NAME = "rs0"


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


class Member:
    def __init__(self, scene, number):
        self.scene = scene
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.data = os.path.join(scene.folder, f"member{number}")
        self.process = None
        os.mkdir(self.data)

    def start(self):
        self.process = self.scene.server(
            harness.address("VIEWFOLD_MONGODB_SERVER"), "--dbpath", self.data, "--bind_ip", "127.0.0.1", "--port", str(self.port),
            "--nounixsocket", "--replSet", NAME, "--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25",
            "--setParameter", "transactionLifetimeLimitSeconds=3", "--setParameter", "diagnosticDataCollectionEnabled=false",
        )  # fmt: skip

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, command, **more):
        """What a command answers; None where nobody does."""
        try:
            with contextlib.closing(
                pymongo.MongoClient(self.host, directConnection=True, serverSelectionTimeoutMS=2000, socketTimeoutMS=5000)
            ) as client:
                return client.admin.command(command, **more)
        except pymongo.errors.PyMongoError:
            return None

    def is_primary(self):
        return (self.ask("hello") or {}).get("isWritablePrimary", False)

    def is_secondary(self):
        return (self.ask("hello") or {}).get("secondary", False)


class ReplicaSet:
    """Three members. From here on the scene, its configuration and all its readers are about this set."""

    def __init__(self, scene, election_ms=2000):
        self.members = [Member(scene, number) for number in range(3)]
        for one in self.members:
            one.start()
        harness.wait_until("a member does not answer", 60, lambda: all(one.ask("ping") for one in self.members))
        self.members[0].ask(
            {
                "replSetInitiate": {
                    "_id": NAME,
                    "members": [{"_id": number, "host": one.host} for number, one in enumerate(self.members)],
                    "settings": {"electionTimeoutMillis": election_ms, "heartbeatIntervalMillis": 500},
                }
            }
        )
        self.wait_whole()
        self.url = f"mongodb://{','.join(one.host for one in self.members)}/?replicaSet={NAME}"
        os.environ["VIEWFOLD_MONGODB"] = self.url  # each fault is a process of its own
        scene.config = scene.write_config()
        scene.direct = scene.write_config("direct.yaml", through=False)
        scene.readers["documents"].close()
        scene.readers["documents"] = scene.reader("documents")

    def primary(self, among=None):
        return next((one for one in among or self.members if one.is_primary()), None)

    def wait_primary(self, among=None):
        return harness.wait_until("no member becomes the primary", 90, lambda: self.primary(among), every=0.1)

    def wait_whole(self):
        self.wait_primary()
        harness.wait_until(
            "not every member follows", 90, lambda: sum(one.is_secondary() for one in self.members) == 2, every=0.2
        )

    def others(self, member):
        return [one for one in self.members if one is not member]
