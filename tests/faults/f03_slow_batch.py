"""F3: a batch takes longer than a member of the group may be silent (max.poll.interval.ms): the group gives its partitions to others, and
it does not know yet."""

import os

from frame import fault, harness

SERVER = {"cache": "redis", "documents": "mongodb"}
KAFKA = {"properties": {"session.timeout.ms": 1500, "heartbeat.interval.ms": 300, "max.poll.interval.ms": 1500}}
BANK = os.path.join(harness.ROOT, "projections", "customer_bank_view", "customer_bank_view.lua")


def expelled(scene):
    return sum(len(process.lines("the group has expelled this member")) for process in scene.fleet.processes)


@fault(
    3, "a store slower than max.poll.interval", promises=(1, 2, 5), events=(400, 4000), through=("redis", "mongodb"), settings={"kafka": KAFKA}
)
def a_store_that_takes_longer_than_the_group_waits_changes_nothing(scene):
    """Each reply of the store comes late, so that a batch takes longer than the group waits for a member; then it is quick again, and what
    was under way in the members that were expelled arrives beside what their successors write."""
    (store,) = scene.stores
    through = scene.proxies[SERVER[store]]
    scene.start()
    scene.start()
    for _ in range(scene.pick(2, 14)):
        scene.produce(scene.records(scene.events // scene.pick(2, 14)))
        before = expelled(scene)
        through.delay(replies=2.5 if store == "cache" else 0.9)  # a transaction is several requests
        scene.wait("nobody is expelled", lambda b=before: expelled(scene) > b or scene.caught_up(store), seconds=600)
        through.delay()
        scene.inject("expelled", expelled(scene) - before)
        scene.wait("it does not go on", lambda: scene.caught_up(store))


@fault(
    3,
    "a handler slower than max.poll.interval",
    promises=(1, 2, 5),
    events=(300, 1200),
    settings={"kafka": KAFKA, "defaults": {"limits": {"lua_instructions": 4_000_000_000, "handler": "30s"}}},
    short=False,
)
def a_handler_that_takes_longer_than_the_group_waits_changes_nothing(scene):
    """Some events take their handler about three seconds. Who is expelled meanwhile writes what his successor has written, or is about
    to."""
    (store,) = scene.stores
    slow = os.path.join(scene.folder, "customer_orders.lua")
    with open(slow, "w", encoding="utf-8") as file:
        text = harness.sample_script(slow=1).replace(
            "function work() for _ = 1, 1 do end end", "function work(e) if e.version == 2 and e.id:find('7$') then for _ = 1, 120000000 do end end end"
        )
        file.write(text.replace("work()\n", "work(e)\n"))
    projections = [{"script": one, "stores": [store], "workers": 1} for one in (slow, BANK)]
    config = scene.write_config("slow.yaml", settings={"projections": projections})
    scene.start(config=config)
    scene.start(config=config)
    for _ in range(scene.pick(2, 4)):
        before = expelled(scene)
        scene.produce(scene.records(scene.events // scene.pick(2, 4)))
        scene.wait("it does not go on", lambda: scene.caught_up(store), seconds=600)
        scene.inject("expelled", expelled(scene) - before)
