"""What is wrong at the start ends `viewfold run` within its time limit, with its own exit status, and says what, where
and what to do."""

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pymongo
import redis

import harness
from harness import Fleet, World, check, run_viewfold
from harness import generate

HANG_SECONDS = 30  # the limit is 10 s for a connection; the rest is for a busy machine


def ends_with(status, words, config, *arguments, env=None):
    done = run_viewfold("run", "-c", config, *arguments, seconds=HANG_SECONDS, env=env)
    text = done.stderr
    check(done.returncode == status, f"ended with {done.returncode}, not {status}: {text}")
    check(done.stdout == "", f"messages belong to stderr: {done.stdout}")
    for word in words:
        check(word.lower() in text.lower(), f"the message does not say {word!r}: {text}")
    check(len(text.splitlines()) <= 4, f"more than a message: {text}")
    print(f"     {status}: {text.strip().splitlines()[-1][:150]}")
    return text


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def with_store(world, name, store):
    return world.write_config(f"{name}.yaml", workers=1, settings={"stores": store})


def an_unreachable_server_is_named():
    nobody = f"127.0.0.1:{free_port()}"
    with World("unreachable", workers=1) as world:
        config = world.write_config("kafka.yaml", settings={"kafka": {"brokers": [nobody], "group": "g"}})
        ends_with(69, ["kafka", nobody], config)
        ends_with(
            69,
            ["cache", nobody, "stores.cache.redis"],
            with_store(world, "redis", {"cache": {"redis": f"redis://{nobody}/0"}}),
        )
        ends_with(
            69,
            ["documents", nobody, "stores.documents.mongodb"],
            with_store(world, "mongodb", {"documents": {"mongodb": f"mongodb://{nobody}/shop"}}),
        )


@contextlib.contextmanager
def a_server_that_answers(answer):
    """To whatever it is sent, with these bytes; its port. It ends with the process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)

        def talk(connection):
            with contextlib.suppress(OSError), connection:
                while connection.recv(65536):
                    connection.sendall(answer)

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def a_server_that_announces_a_gigabyte_is_named():
    gigabyte = 1 << 30
    with (
        World("giant", workers=1) as world,
        a_server_that_answers(gigabyte.to_bytes(4, "big") + b"\0" * 100) as kafka,
        a_server_that_answers(b"$1073741824\r\nabc") as cache,
        a_server_that_answers(gigabyte.to_bytes(4, "little") + b"\0" * 100) as documents,
        ThreadPoolExecutor() as pool,  # two of them are waited for as long as there might be another answer
    ):
        settings = {"kafka": {"brokers": [kafka], "group": "g"}}
        ends = [
            pool.submit(
                ends_with,
                69,
                ["kafka", kafka, str(gigabyte), "receive.message.max.bytes"],
                world.write_config("kafka.yaml", settings=settings),
            ),
            pool.submit(
                ends_with,
                69,
                ["cache", cache, "stores.cache.redis"],
                with_store(world, "redis", {"cache": {"redis": f"redis://{cache}/0"}}),
            ),
            pool.submit(
                ends_with,
                69,
                ["documents", documents, "stores.documents.mongodb"],
                with_store(world, "mongodb", {"documents": {"mongodb": f"mongodb://{documents}/shop"}}),
            ),
        ]
        for end in ends:
            end.result()


def a_redis_that_refuses_or_would_evict_is_refused():
    with harness.own_servers("starting", "redis"), World("redis-refused", workers=1) as world:
        url = harness.address("VIEWFOLD_REDIS")
        host = url.partition("://")[2].partition("/")[0]
        with contextlib.closing(redis.from_url(url)) as client:
            client.config_set("requirepass", "right one")
            text = ends_with(
                77,
                ["cache", host, "password"],
                with_store(world, "wrong", {"cache": {"redis": url, "password": "wrong-word"}}),
            )
            check("wrong-word" not in text, f"the message tells the password: {text}")
            ends_with(77, ["cache", host, "password"], with_store(world, "none", {"cache": {"redis": url}}))
            client.config_set("maxmemory-policy", "allkeys-lru")
            words = ["cache", host, "allkeys-lru", "noeviction"]
            ends_with(78, words, with_store(world, "evicting", {"cache": {"redis": url, "password": "right one"}}))


@contextlib.contextmanager
def mongod(*arguments):
    """Another mongod, of the same program as the tests' own. Gives its address."""
    with contextlib.ExitStack() as stack:
        if "VIEWFOLD_MONGODB_PID" not in os.environ:  # a server of the user's
            stack.enter_context(harness.own_servers("starting", "mongodb"))
        program = os.readlink(f"/proc/{harness.address('VIEWFOLD_MONGODB_PID')}/exe")
    folder = tempfile.mkdtemp(prefix="viewfold-mongod-")
    port = free_port()
    server = subprocess.Popen(
        [program, "--dbpath", folder, "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
        + ["--setParameter", "diagnosticDataCollectionEnabled=false", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        client = pymongo.MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=30_000)
        client.admin.command("ping")
        client.close()
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def a_standalone_mongod_is_refused():
    with mongod() as host, World("standalone", workers=1) as world:
        config = with_store(world, "standalone", {"documents": {"mongodb": f"mongodb://{host}/shop"}})
        ends_with(78, ["documents", host, "standalone", "--replSet"], config)


def a_url_of_mongodb_without_a_database_is_refused():
    with World("no-database", workers=1) as world:
        url = f"mongodb://{harness.address('VIEWFOLD_MONGODB').partition('://')[2].partition('/')[0]}"
        ends_with(78, ["documents", "database"], with_store(world, "bare", {"documents": {"mongodb": url}}))


def a_missing_topic_is_named():
    with World("no-topic", workers=1) as world:
        topics = {"customers": {"topic": f"{world.name}.nowhere", "kind": "customer"}}
        config = world.write_config("topic.yaml", settings={"topics": topics})
        ends_with(66, [f"{world.name}.nowhere", "topic"], config)
        # Nothing was begun, so that a script that is mended next is not another one than some store's.
        done = harness.run_viewfold("generations", "list", "--json", "-c", config)
        check(done.stdout == '{"generations":[]}\n', f"a run that could not begin left a generation: {done.stdout}")


def a_script_that_is_missing_or_wrong_is_named_with_its_line():
    with World("script", workers=1) as world:
        script = os.path.basename(world.script)
        os.rename(world.script, world.script + ".away")
        ends_with(78, [script, "no such file"], world.config)
        write(world.script, "return {\n  name = 'customer_orders',,\n}\n")
        ends_with(78, [f"{script}:2"], world.config)
        write(
            world.script,
            "return { name = 'customer_orders', topics = { 'orders' }, key = { order = own }, onn = {} }\n",
        )
        ends_with(78, [script, "onn"], world.config)


def a_changed_script_of_the_same_version_is_refused():
    with World("changed", workers=1) as world:
        world.produce(generate.Shop(random.randrange(1 << 30), customers=20, events=200))
        fleet = Fleet(world)
        fleet.once()
        text = harness.sample_script()
        write(world.script, text.replace('"PENDING"', '"NEW"'))
        ends_with(78, ["customer_orders", "version", "1"], world.config)
        write(world.script, text)
        fleet.once()
        world.compare()


def a_wrong_configuration_is_named_with_its_place():
    with World("config", workers=1) as world:
        ends_with(66, ["viewfold.yaml.not"], os.path.join(world.folder, "viewfold.yaml.not"))
        config = os.path.join(world.folder, "wrong.yaml")
        write(config, "kafka:\n  brokers: [127.0.0.1:1]\n  gruop: shop\n")
        ends_with(78, ["wrong.yaml:3:3", "gruop", "group"], config)
        write(config, "kafka: {brokers: ['${env:VIEWFOLD_NOT_SET}']}\n")
        ends_with(78, ["wrong.yaml:1:", "VIEWFOLD_NOT_SET"], config)
        ends_with(66, ["nosuch"], world.config, "nosuch")
        done = run_viewfold("run", "--onec")
        check(done.returncode == 64 and "--once" in done.stderr, f"ended with {done.returncode}: {done.stderr}")
        done = run_viewfold("serve", "-c", world.config)
        check(done.returncode == 64 and re.search("serve", done.stderr), f"ended with {done.returncode}: {done.stderr}")


def a_signal_while_starting_ends_with_0():
    # Nothing is under way yet. The second worker's store does not answer, so that starting takes its time.
    with World("early", workers=1) as world, socket.create_server(("127.0.0.1", 0)) as silent:
        config = with_store(world, "silent", {"cache": {"redis": f"redis://127.0.0.1:{silent.getsockname()[1]}/0"}})
        process = harness.Process(world, config=config)
        silent.settimeout(HANG_SECONDS)
        connection, _ = silent.accept()
        status = process.terminate(HANG_SECONDS)
        connection.close()
        check(status in (0, 69), f"ended with {status}")


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    harness.main(
        an_unreachable_server_is_named,
        a_server_that_announces_a_gigabyte_is_named,
        a_redis_that_refuses_or_would_evict_is_refused,
        a_standalone_mongod_is_refused,
        a_url_of_mongodb_without_a_database_is_refused,
        a_missing_topic_is_named,
        a_script_that_is_missing_or_wrong_is_named_with_its_line,
        a_changed_script_of_the_same_version_is_refused,
        a_wrong_configuration_is_named_with_its_place,
        a_signal_while_starting_ends_with_0,
    )
