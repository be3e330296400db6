"""Reading one's own writes, with both forms of token, every kind of numbers and both stores: a reader who waits with the token of
what was just produced sees it; what was never produced is pending."""

import itertools
import json
import os

import harness
from harness import STORES, Fleet, World, check, run_viewfold

# For each kind of numbers: the topic's override; the versions of four steps, of which the last two are of one transaction where
# that can be; a version that never comes.
NUMBERS = {
    "sequence": ({"version": {"numbers": "sequence"}}, [1, 2, 3, 4], 5),
    "revision": ({"version": {"numbers": "revision"}}, [1, 2, 3, 3], 4),
    "ordered": ({"version": {"numbers": "ordered"}}, [-5, 0, 70, 7000], 7001),
    "strings": (
        {"version": {"value": "/version", "as": "utf8", "numbers": "ordered"}},
        ["00a0", "00a1", "00b0", "0a00"],
        "0a01",
    ),
    "offset": ({"version": {"numbers": "offset"}}, [None] * 4, None),
    "window": ({"version": {"numbers": "offset"}, "repeats": 8}, [None] * 4, None),
}
STEPS = 4

# Last versions lie in an aggregate's own document and in the one that it is linked to; or in records, with a link and without.
WAYS = ("alone", "linked")
ROUTES = {
    "in_documents": {"alone": "own", "linked": 'link { Opened = "customer" }'},
    "in_records": {"alone": '"customers"', "linked": 'link { Opened = "customer" }'},
}
SCRIPT = """
local function take(doc, e) doc[e.kind] = (doc[e.kind] or "") .. e.data.step .. " " end
return {
  name = "%s", topics = { %s },
  key = { %s },
  on = { Opened = take, Changed = take },
}
"""


class Writer:
    """One aggregate: produces its next step, and knows the tokens of that."""

    def __init__(self, world, numbers, way):
        self.world, self.numbers = world, numbers
        self.kind = f"{numbers}_{way}"
        self.topic = f"{world.name}.{self.kind}"
        self.document = "a" if way == "alone" else "c"
        self.step = 0

    def record(self):
        version = NUMBERS[self.numbers][1][self.step - 1]
        value = {
            "kind": self.kind,
            "id": "a",
            "event_id": f"e@{self.step}",
            "type": "Opened" if self.step == 1 else "Changed",
            "data": {"step": self.step, "customer": "c", "customers": ["a", "b"]},
            **({} if version is None else {"version": version}),
        }
        return {"topic": self.topic, "key": "a", "value": json.dumps(value)}

    def next(self):
        self.step += 1
        return self.record()

    def tokens(self):
        version = NUMBERS[self.numbers][1][self.step - 1]
        offset = self.world.produced[self.topic, 0] - 1
        if self.numbers == "revision":
            version = f"{version}~e%40{self.step}"
        elif version is None:
            version = offset + 1
        return [f"v:{self.kind}/a@{version}", f"o:{self.topic}/0@{offset}"]

    def late_tokens(self):
        """Of what was never produced."""
        end = self.world.produced[self.topic, 0]
        version = NUMBERS[self.numbers][2]
        tokens = [f"o:{self.topic}/0@{end}", f"v:{self.kind}/a@{end + 1 if version is None else version}"]
        tokens.append(f"v:{self.kind}/never@1")
        return [*tokens, f"v:{self.kind}/a@3", f"v:{self.kind}/a@3~another"] if self.numbers == "revision" else tokens


def make_world():
    kinds = [f"{numbers}_{way}" for numbers, way in itertools.product(NUMBERS, WAYS)]
    world = World("tokens", workers=1, more_topics=kinds)
    topics = {
        kind: {"topic": f"{world.name}.{kind}", "kind": kind, "override": NUMBERS[kind.split("_")[0]][0]} for kind in kinds
    }
    projections = []
    for view, routes in ROUTES.items():
        names = ", ".join(f'"{kind}"' for kind in kinds)
        keys = ", ".join(f"{kind} = {routes[kind.split('_')[1]]}" for kind in kinds)
        with open(os.path.join(world.folder, f"{view}.lua"), "w", encoding="utf-8") as file:
            file.write(SCRIPT % (view, names, keys))
        projections.append({"script": f"{view}.lua", "stores": list(STORES), "workers": 1})
    world.config = world.write_config(settings={"topics": topics, "projections": projections})
    return world, [Writer(world, numbers, way) for numbers, way in itertools.product(NUMBERS, WAYS)]


def get(world, view, store, token, document, wait):
    return run_viewfold(
        *("get", "-c", world.config, "--json", "--store", store, "--min", token, "--wait", wait, view, document), seconds=100
    )


def expect_fresh(world, view, store, writer, token):
    done = get(world, view, store, token, writer.document, "60s")
    check(done.returncode == 0, f"{view} in {store}: {token} ended with {done.returncode}: {done.stderr}")
    seen = json.loads(done.stdout)["document"].get(writer.kind)
    wanted = "".join(f"{step} " for step in range(1, writer.step + 1))
    check(seen == wanted, f"{view} in {store}: {token} is said to be fresh, and there is {seen!r}")


def expect_pending(world, view, store, writer, token):
    done = get(world, view, store, token, writer.document, "0s")
    check(done.returncode == 75, f"{view} in {store}: {token} ended with {done.returncode}: {done.stderr}")
    check(done.stdout == "" and "pending" in done.stderr, f"{view} in {store}: {done.stdout}{done.stderr}")


def a_read_with_a_token_includes_the_write():
    world, writers = make_world()
    with world:
        fleet = Fleet(world)
        process = fleet.start()
        # A view that has never been there is an error at once, whatever the token.
        members = len(ROUTES) * len(STORES)
        harness.wait_until("not all have begun", 120, lambda: len(process.lines("msg=assigned")) >= members)
        fresh = pending = 0
        for step in range(STEPS):
            world.send(writer.next() for writer in writers)
            # Both forms of token in turns in both stores.
            for writer, view in itertools.product(writers, ROUTES):
                for form, token in enumerate(writer.tokens()):
                    expect_fresh(world, view, STORES[(step + form) % 2], writer, token)
                    fresh += 1
        for number, (writer, view) in enumerate(itertools.product(writers, ROUTES)):
            for place, token in enumerate(writer.late_tokens()):
                expect_pending(world, view, STORES[(number + place) % 2], writer, token)
                pending += 1
        # What is sent again changes nothing, and what it was sent for stays fresh.
        again = [writer for writer in writers if writer.numbers != "offset"]  # there, a record is an event
        world.send(writer.record() for writer in again)
        for writer, view in itertools.product(again, ROUTES):
            for store in STORES:
                expect_fresh(world, view, store, writer, f"o:{writer.topic}/0@{world.produced[writer.topic, 0] - 1}")
        fleet.stop()
        print(f"     {fresh} fresh reads, each of what had just been produced; {pending} pending", flush=True)


if __name__ == "__main__":
    harness.main(a_read_with_a_token_includes_the_write)
