"""What a broker's answer announces is not believed: a gigabyte that does not come takes no memory and ends nothing."""

import json
import random

import harness
from broker_proxy import BrokerProxy
from harness import Fleet, World, check, generate, run_viewfold, wait_until

LIES = 4  # so many answers, at least, before the truth is told again
MEMORY_MORE = 200 << 20  # bytes: far below a gigabyte, far above what a few events take


def memory_most(process):
    """The most memory that the process has ever had, in bytes."""
    with open(f"/proc/{process.process.pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


def a_gigabyte_is_announced(name, lie, record, while_it_lasts):
    """while_it_lasts(world, fleet, process, before) looks at what the lie has done. `record`: produced first."""
    with BrokerProxy(harness.address("VIEWFOLD_KAFKA")) as proxy, World(name, (1, 2), workers=1) as world:
        config = world.write_config("proxied.yaml", workers=1, settings={"kafka": {"brokers": [proxy.address]}})
        fleet = Fleet(world)
        process = fleet.start(config=config)
        world.produce(generate.Shop(random.randrange(1 << 30), customers=5, events=60, prefix="before"))
        fleet.wait_caught_up()
        memory = memory_most(process)

        before = dict(world.produced)
        proxy.lie = lie
        if record:
            world.send([{"topic": world.customers_topic, "key": "swollen", "value": record}])
        world.produce(generate.Shop(random.randrange(1 << 30), customers=5, events=60, prefix="behind"))
        wait_until("nothing is asked for again", 120, lambda: fleet.check_living() or proxy.told >= LIES)
        while_it_lasts(world, fleet, process, before)
        status = run_viewfold("status", "-c", config)
        check(status.returncode == 0, f"status ended with {status.returncode}: {status.stderr}")
        more = memory_most(process) - memory
        check(more < MEMORY_MORE, f"{more} bytes more than before")

        proxy.lie = None
        fleet.wait_caught_up()
        wait_until(
            "not every warning ends with the word that all is well",
            60,
            lambda: len(process.lines("Kafka cannot be reached")) == len(process.lines("Kafka is back")),
        )
        fleet.stop()
        documents, events = world.compare()
        print(
            f"     {proxy.told} answers announced a gigabyte, {more >> 20} MB were used; then {events} events, "
            f"{documents} documents"
        )


def an_answer_that_announces_a_gigabyte_is_told_once_and_takes_no_memory():
    words = ["level=warn", "a broker's answer cannot be read", "1073741824", "receive.message.max.bytes"]

    def is_told(world, fleet, process, before):
        for store in harness.STORES:
            lines = wait_until(
                f"{store}: nobody says it", 120, lambda s=store: fleet.check_living() or process.lines(f"store={s}", *words)
            )
            check(len(lines) == 1, f"{store}: {len(lines)} lines say it: {lines[:3]}")

    a_gigabyte_is_announced("frame", "frame", None, is_told)


def a_record_that_announces_a_gigabyte_is_waited_for_and_takes_no_memory():
    """librdkafka takes it for one that was cut off, and asks again without a word: nothing is lost or passed over."""
    value = {"kind": "customer", "id": "swollen", "version": 1, "event_id": "swollen-1", "type": "CustomerCreated"}
    value = {**value, "time": "2026-03-01T10:00:00Z", "data": {"name": "x" * 300, "creditLimit": {"amount": "1"}}}
    record = json.dumps(value)

    def only_its_partition_waits(world, fleet, process, before):
        lying = (world.customers_topic, 0)
        for store in harness.STORES:
            wait_until(
                f"{store}: the other partitions do not go on",
                120,
                lambda s=store: fleet.check_living()
                or all(world.progress(s).get(at) == end for at, end in world.produced.items() if at != lying),
            )
            check(world.progress(store)[lying] == before[lying], f"{store}: {world.progress(store)}, before {before}")

    a_gigabyte_is_announced("record", record.encode(), record, only_its_partition_waits)


if __name__ == "__main__":
    harness.main(
        an_answer_that_announces_a_gigabyte_is_told_once_and_takes_no_memory,
        a_record_that_announces_a_gigabyte_is_waited_for_and_takes_no_memory,
    )
