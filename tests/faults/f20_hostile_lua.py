"""F20: handlers that do their worst."""

import json
import os

from frame import fault, harness

EVIL = {
    "an endless loop": "while true do end",
    "pcall around it": "while true do pcall(function() while true do end end) end",
    "a pattern bomb": "local x = ('a'):rep(400):find('.-.-.-.-.-b')",
    "a rep bomb": "local s = ('x'):rep(1 << 40)",
    "a text that doubles": "local s = 'x' while true do s = s .. s end",
    "tables without end": "local t = {} for i = 1, math.huge do t[i] = { i } end",
    "recursion": "local function f() return 1 + f() end f()",
    "a document too large": "doc.big = ('x'):rep(9 << 20)",
    "a metatable": "getmetatable('').__index.len = nil",
    "bytecode": "load('\\27Lua')()",
    "a sort that lies": "table.sort({ 3, 1, 2 }, function() while true do end end)",
    "the globals": "_G.string = nil",
}
PARKED = "parked"  # in the log, where an event is set aside instead of its partition being stopped
STOPPED = "cannot be taken in"


def write_script(path, evil):
    """The sample's script, with a handler more; without one for None."""
    text = harness.sample_script()
    if evil:
        text = text.replace("  on = {\n", f"  on = {{\n    CustomerTempted = function(doc, e) {evil} end,\n", 1)
        harness.check("CustomerTempted" in text, "the sample has changed")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def adopt(config):
    said = harness.run_viewfold("generations", "adopt", "customer_orders", "-c", config)
    harness.check(said.returncode == 0, f"adopt ended with {said.returncode}: {said.stderr}")


@fault(20, "hostile Lua", promises=(8, 18), events=(600, 6000))
def a_hostile_handler_hurts_only_who_feeds_it(scene):
    """A running view is given a handler that loops, grows, bombs or breaks in, and an event for it. Its neighbours go on: the other
    partitions of the view, the other view of the process. Then the script is mended and adopted, and the event is taken in."""
    (store,) = scene.stores
    script = os.path.join(scene.folder, "customer_orders.lua")
    bank = os.path.join(harness.ROOT, "projections", "customer_bank_view", "customer_bank_view.lua")
    write_script(script, None)
    projections = [{"script": one, "stores": [store], "workers": 1} for one in (script, bank)]
    config = scene.write_config("hostile.yaml", settings={"projections": projections})
    process = scene.fleet.start(config=config)
    scene.produce(scene.records(100))
    scene.wait("it does not begin", lambda: scene.caught_up(store))
    names = list(EVIL) if not scene.short else scene.chance.sample(list(EVIL), 3)
    for turn, name in enumerate(names):
        write_script(script, EVIL[name])
        adopt(config)
        before = len(process.lines(STOPPED)) + len(process.lines(PARKED))
        tempted = f"tempted{turn}"
        event = {"kind": "customer", "id": tempted, "version": 1, "type": "CustomerTempted", "event_id": tempted, "time": "2026-03-01T10:00:00Z"}
        scene.produce([{"topic": "shop.customers", "key": tempted, "value": json.dumps(event), "partition": 0}])
        scene.wait(f"nothing is said of {name}", lambda b=before: len(process.lines(STOPPED)) + len(process.lines(PARKED)) > b)
        scene.produce(scene.records(scene.events // len(names)))
        scene.wait(f"its neighbours do not go on after {name}", lambda: caught_up_but(scene, store, "customers", 0))
        scene.inject(name)
        write_script(script, None)
        adopt(config)
        if process.lines(PARKED):
            said = harness.run_viewfold("parked", "retry", "--all", "--projection", "customer_orders", "-c", config)
            harness.check(said.returncode == 0, f"retry ended with {said.returncode}: {said.stderr}")
        scene.wait(f"it does not get over {name}", lambda: scene.caught_up(store))


def caught_up_but(scene, store, topic, partition):
    """All but one partition are where the log ends: that one may have stopped in one of the views."""
    progress = scene.progress(store)
    return all(
        progress.get(at, 0) >= end
        for at, end in dict(scene.produced).items()
        if at != (scene.own(f"shop.{topic}"), partition)
    )
