"""Asks Kafka, Redis and MongoDB whether they are ready, and which version they are.

    ask.py wait SECONDS SERVER=ADDRESS[,PID] ...   until all are ready; gives up when time is over or a process has ended
    ask.py version SERVER=ADDRESS                  prints the version ("?" where the server does not tell)

SERVER is kafka (host:port), redis (redis://...), mongodb (mongodb://...). With a PID the server is one of ours: a MongoDB that
has no replica set yet is made one, and one whose port has changed is told so.
Exit code 0: ready. 1: not ready in time. 4: its process ended. What is wrong goes to standard error.
"""

import re
import sys
import time


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Kafka:
    def __init__(self, address, ours):
        import logging

        from confluent_kafka.admin import AdminClient

        quiet = logging.getLogger("librdkafka")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        self.admin = AdminClient(
            {
                "bootstrap.servers": address,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 200,
                "socket.connection.setup.timeout.ms": 2000,
            },
            logger=quiet,
        )

    def ready(self):
        """None when ready, otherwise why not."""
        metadata = self.admin.list_topics(timeout=1)
        if not metadata.brokers or metadata.controller_id < 0:
            return "no broker is registered yet"
        for topic in metadata.topics.values():
            for partition in topic.partitions.values():
                if partition.leader not in metadata.brokers:
                    return f"{topic.topic}/{partition.id} has no leader yet"
        return None

    def version(self):
        self.admin.list_topics(timeout=10)
        return "?"  # the protocol does not tell a broker's release


class Redis:
    def __init__(self, address, ours):
        import redis

        self.client = redis.Redis.from_url(address, socket_connect_timeout=1, socket_timeout=2)

    def ready(self):
        self.client.ping()
        return None

    def version(self):
        return self.client.info("server")["redis_version"]


class MongoDB:
    def __init__(self, address, ours):
        import pymongo

        self.ours = ours
        options = {"serverSelectionTimeoutMS": 1000, "connectTimeoutMS": 1000}
        if ours:  # one node of ours; also before it is a replica set
            self.host = address.partition("://")[2].partition("/")[0]
            address = f"mongodb://{self.host}/?directConnection=true"
        self.client = pymongo.MongoClient(address, **options)

    def ready(self):
        if self.client.admin.command("hello").get("isWritablePrimary"):
            return None
        if self.ours:
            self.initiate()
        return "no primary yet"

    def initiate(self):
        from pymongo.errors import OperationFailure

        members = [{"_id": 0, "host": self.host}]
        try:
            config = self.client.admin.command("replSetGetConfig")["config"]
            if config["members"][0]["host"] != self.host:  # the port is another one than when its data was made
                config.update(members=members, version=config["version"] + 1)
                self.client.admin.command("replSetReconfig", config, force=True)
        except OperationFailure as error:
            if error.code != 94:  # NotYetInitialized
                raise
            self.client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})

    def version(self):
        return self.client.server_info()["version"]


SERVERS = {"kafka": Kafka, "redis": Redis, "mongodb": MongoDB}


def masked(address):
    """The address as people may see it: without the user's name and password, which end at the last '@'."""
    scheme, mark, rest = address.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if mark and "@" in rest else address


def connected(name, address):
    """The server; an address that cannot be read is refused without what the client says, who may quote the password."""
    rest = address.partition("://")[2]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    unreadable = "its address cannot be read: percent-encode the user's name and password"
    if authority.count("@") > 1 or "@" in rest[len(authority) :]:
        raise ValueError(unreadable)
    try:
        return SERVERS[name](address, False)
    except Exception as error:
        raise (ValueError(unreadable) if "@" in rest else error) from None


def wait_for(name, address, pid, deadline):
    server, why = SERVERS[name](address, bool(pid)), "no answer"
    while True:
        try:
            why = server.ready()
            if why is None:
                return 0
        except Exception as error:  # whatever it is: not ready, and the last reason is told
            why = str(error).splitlines()[0]
        if pid and not alive(pid):
            print(f"{name} at {masked(address)} ended before it was ready", file=sys.stderr)
            return 4
        if time.monotonic() > deadline:
            print(f"{name} at {masked(address)} is not ready: {why[:300]}", file=sys.stderr)
            return 1
        time.sleep(0.05)


def main(arguments):
    if arguments[0] == "version":
        name, _, address = arguments[1].partition("=")
        try:
            print(connected(name, address).version())
        except Exception as error:
            print(f"{name} at {masked(address)} does not answer: {str(error).splitlines()[0][:300]}", file=sys.stderr)
            return 1
        return 0
    deadline = time.monotonic() + float(arguments[1])
    for argument in arguments[2:]:
        name, _, rest = argument.partition("=")
        address, _, pid = rest.partition(",")
        code = wait_for(name, address, pid, deadline)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
