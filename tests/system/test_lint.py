"""`viewfold lint --online` looks at what the configuration names, on real servers, and changes nothing there."""

import contextlib
import json
import os
import socket
import tempfile

import pymongo
import redis
from confluent_kafka.admin import (
    AclBinding, AclOperation, AclPermissionType, AdminClient, NewTopic, ResourcePatternType, ResourceType,
)  # fmt: skip

import harness
from harness import World, check, run_viewfold, wait_until
from test_starting import mongod

HANG_SECONDS = 60


def lint(config, *flags):
    done = run_viewfold("lint", "--online", "--json", *flags, "-c", config, seconds=HANG_SECONDS)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for finding in found:
        print(f"     {done.returncode}: {finding['level']}: {finding['message'][:140]}")
    return done.returncode, found, done.stderr


def errors(found):
    return [finding for finding in found if finding["level"] == "error"]


def has(found, *words):
    return any(all(word in finding["message"] for word in words) for finding in found)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def stores(world, name, store):
    return world.write_config(f"{name}.yaml", workers=1, settings={"stores": store})


def make_topic(name, **config):
    admin = AdminClient(harness.kafka())
    for future in admin.create_topics([NewTopic(name, 2, 1, config=config)]).values():
        future.result(30)


def servers_that_are_fine_have_no_findings():
    with World("lint-fine", workers=1) as world:
        status, found, text = lint(world.config)
        check(status == 0 and not errors(found), f"{status}: {found} {text}")
        week = f"{world.customers_topic} (7 days), {world.orders_topic} (7 days)"
        check(len(found) == 1 and has(found, week), f"not one note of the broker's week: {found}")


def topics_are_looked_at():
    with World("lint-topics", workers=1) as world:
        compacted = f"{world.name}.latest"
        make_topic(compacted, **{"cleanup.policy": "compact"})
        topics = {
            "customers": {"topic": f"{world.name}.nowhere", "kind": "customer"},
            "orders": {"topic": compacted, "kind": "order"},
        }
        config = world.write_config("topics.yaml", settings={"topics": topics})
        seen = lambda: has(lint(config)[1], compacted, "is compacted")  # noqa: E731
        wait_until("the new topic to be known to the broker", 60, seen)
        status, found, _ = lint(config)
        check(status == 1, f"ended with {status}")
        check(len(errors(found)) == 2, f"not two errors: {found}")
        check(has(found, f"{world.name}.nowhere"), f"the missing topic is not named: {found}")
        check(has(found, compacted, "is compacted"), f"the compacted topic is not named: {found}")
        check(all(finding["line"] > 1 for finding in found), f"a topic has no place: {found}")
        topics["customers"] = {"topic": world.customers_topic, "kind": "customer", "history": "partial"}
        topics["orders"]["history"] = "partial"
        status, found, _ = lint(world.write_config("partial.yaml", settings={"topics": topics}))
        check(status == 0 and not found, f"history: partial is an answer: {status} {found}")


def grant(kind, prefix, operation):
    """To `limited`, who comes through the broker's other listener (tests/servers/server.properties.in)."""
    pattern, allow = ResourcePatternType.PREFIXED, AclPermissionType.ALLOW
    binding = AclBinding(kind, prefix, pattern, "User:limited", "*", operation, allow)
    admin = AdminClient(harness.kafka())
    for future in admin.create_acls([binding]).values():
        future.result(30)


def a_kafka_login_without_a_right_is_told_which():
    with contextlib.ExitStack() as stack:
        if "VIEWFOLD_KAFKA_LOGIN" not in os.environ:  # a server of the user's
            stack.enter_context(harness.own_servers("lint", "kafka"))
        world = stack.enter_context(World("lint-acl", workers=1))
        kafka = {
            "brokers": harness.address("VIEWFOLD_KAFKA_LOGIN"),
            "group": world.name,
            "properties": {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "limited",
                "sasl.password": "pass-word",
            },
        }
        config = world.write_config("login.yaml", settings={"kafka": kafka})
        status, found, text = lint(config)
        said = [world.customers_topic, world.orders_topic, f"{world.name}."]
        check(status == 1 and all(has(errors(found), one, "uthoriz") for one in said), f"no right: {status} {found} {text}")

        def after(kind, operation, *wanted):
            """Grants it and waits for the broker to know; then these errors are left, and no other."""
            grant(kind, world.name, operation)
            state = {}

            def left():
                state["last"] = lint(config)
                lines = errors(state["last"][1])
                return len(lines) == len(wanted) and all(has(lines, *words) for words in wanted)

            wait_until(f"{wanted} to be what is left: {state}", 60, left)
            return state["last"]

        topics = (world.customers_topic, world.orders_topic)
        group = (f"{world.name}.", "uthoriz")
        reads = tuple(("reading of topic", topic, "uthoriz") for topic in topics)
        after(ResourceType.TOPIC, AclOperation.DESCRIBE, group, group, *reads)
        after(ResourceType.GROUP, AclOperation.READ, *reads)
        status, found, text = after(ResourceType.TOPIC, AclOperation.READ)
        check(status == 0 and has(found, "don't show", *topics), f"a right for each: {status} {found} {text}")
        status, found, text = after(ResourceType.TOPIC, AclOperation.DESCRIBE_CONFIGS)
        check(status == 0 and has(found, *topics), f"{status} {found} {text}")
        check("pass-word" not in json.dumps(found) + text, "the password was told")


def a_redis_user_without_a_right_is_told_which():
    # +function|list is enough for open where the functions are loaded already, as they are after the first look.
    rights = [
        "+fcall", "+fcall_ro", "+function|load", "+function|list", "+info", "+select", "+time", "+get", "+set", "+exists",
        "+unlink", "+hget", "+hmget", "+hset", "+hdel", "+hlen", "+hgetall", "+zadd", "+zrem",
        "+zremrangebylex", "+zcard", "+zcount", "+zlexcount", "+zrange", "+zrandmember", "+llen", "+lrange", "+rpush", "+publish",
    ]  # fmt: skip
    with World("lint-rights", workers=1) as world:
        url = harness.address("VIEWFOLD_REDIS")
        user = f"lint{os.getpid()}"
        with contextlib.closing(redis.from_url(url)) as client:
            try:
                store = {"redis": url, "username": user, "password": "pass-word", "prefix": world.prefix}
                config = stores(world, "rights", {"cache": store, "documents": {"mongodb": world.mongodb_url()}})
                keys = [f"~{world.prefix}*", f"&{world.prefix}*"]
                client.execute_command("ACL", "SETUSER", user, "reset", "on", ">pass-word", *keys, *rights)
                mine = lambda: set(client.scan_iter(f"{world.prefix}*"))  # others write there, too
                before = mine()
                status, found, text = lint(config)
                check(status == 0, f"the rights that viewfold asks for are enough: {status} {found} {text}")
                check(mine() == before, "lint wrote something")
                for right in ("hset", "unlink", "get", "fcall", "hgetall", "zadd", "zrandmember"):
                    client.execute_command("ACL", "SETUSER", user, f"-{right}")
                    status, found, text = lint(config)
                    check(status == 1 and has(found, "cache", right), f"-{right}: {status} {found} {text}")
                    client.execute_command("ACL", "SETUSER", user, f"+{right}")
                client.execute_command("ACL", "SETUSER", user, "resetkeys", "~other:*")
                status, found, text = lint(config)
                check(status == 1 and has(found, "cache", world.prefix), f"another prefix: {status} {found} {text}")
                check("pass-word" not in json.dumps(found) + text, "the password was told")
            finally:
                client.execute_command("ACL", "DELUSER", user)


@contextlib.contextmanager
def mongod_with_logins():
    """A replica set of one that wants logins: `reader` may only read the database shop, `worker` may write it, too."""
    with tempfile.TemporaryDirectory(prefix="viewfold-lint-") as folder:
        key = os.path.join(folder, "key")
        with open(key, "w", encoding="ascii") as file:
            file.write("0123456789abcdef")
        os.chmod(key, 0o600)
        with mongod("--replSet", "rs0", "--auth", "--keyFile", key) as host:
            port = int(host.rpartition(":")[2])
            at = {"host": "127.0.0.1", "port": port, "directConnection": True}
            client = pymongo.MongoClient(**at)
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": host}]})
            wait_until("a primary", 60, lambda: client.admin.command("hello")["isWritablePrimary"])
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
            client.close()
            client = pymongo.MongoClient(**at, username="root", password="root")
            for user, role in (("reader", "read"), ("worker", "readWrite")):
                roles = [{"role": role, "db": "shop"}]
                client.admin.command("createUser", user, pwd="pass-word", roles=roles)
            client.close()
            yield host


def a_mongodb_user_without_a_right_is_told_which():
    with mongod_with_logins() as host, World("lint-logins", workers=1) as world:
        url = f"mongodb://{host}/shop?replicaSet=rs0&authSource=admin"
        login = {"mongodb": url, "password": "pass-word"}
        status, found, text = lint(stores(world, "worker", {"documents": {**login, "username": "worker"}}))
        check(status == 0, f"readWrite is enough: {status} {found} {text}")
        status, found, text = lint(stores(world, "reader", {"documents": {**login, "username": "reader"}}))
        check(status == 1 and has(found, "documents", "insert, update, remove", "shop"), f"{status} {found} {text}")
        check("pass-word" not in json.dumps(found) + text, "the password was told")


def a_store_that_cannot_serve_is_a_finding_one_that_is_not_there_is_69():
    with World("lint-stores", workers=1) as world:
        nobody = f"127.0.0.1:{free_port()}"
        status, found, _ = lint(stores(world, "gone", {"cache": {"redis": f"redis://{nobody}/0"}}))
        check(status == 69 and has(errors(found), "cache", nobody), f"{status} {found}")
        with mongod() as host:
            status, found, _ = lint(stores(world, "alone", {"documents": {"mongodb": f"mongodb://{host}/shop"}}))
            check(status == 1 and has(found, "documents", "standalone"), f"{status} {found}")


if __name__ == "__main__":
    harness.main(
        servers_that_are_fine_have_no_findings,
        topics_are_looked_at,
        a_kafka_login_without_a_right_is_told_which,
        a_redis_user_without_a_right_is_told_which,
        a_mongodb_user_without_a_right_is_told_which,
        a_store_that_cannot_serve_is_a_finding_one_that_is_not_there_is_69,
    )
