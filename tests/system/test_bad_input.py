"""What cannot be taken in stops its partition, for that projection and store; everything else goes on, and all can see it."""

import json

import harness
from harness import Fleet, World, check, run_viewfold, wait_until

SCRIPT = """local function room(doc, e)
  if #doc.notes >= 3 then error("no room for " .. e.id) end
end

return {
  name = "ledger", version = 1, topics = { "orders" },
  key = { customer = own, order = link { Opened = "customerId" } },
  initial = { notes = array {} },
  on = {
    Noted  = function(doc, e) doc.notes[#doc.notes + 1] = e.data.text end,
    Full   = function(doc, e) doc.notes[1] = "half done" room(doc, e) end,
    Count  = function(doc, e) local n = 0 for i = 1, e.data.turns do n = n + i end doc.sum = n end,
    Opened = function(doc, e) doc.opened = e.id end,
  },
}
"""
FAILING_LINE = 2  # of the script: where error() is called
BAD = 1  # the partition that bad things come to
PARTITIONS = 3


GAP = ["gap", "version 3 ", "after 1"]
JSON = object()  # the value of an ordinary event


class Ledger(World):
    """Small hand-made events, each to the partition that the test wants."""

    def __init__(self, name, settings=None):
        super().__init__(name, (1, PARTITIONS), workers=1, settings=settings, script=SCRIPT, view="ledger", kinds=False)
        self.versions = {}
        self.wanted = {}  # customer -> notes that are taken in

    def event(self, partition, identity, event_type, data=None, kind="customer", version=None, raw=JSON):
        """Produces one event, and returns where it lies."""
        aggregate = f"{kind}/{identity}"
        self.versions[aggregate] = version or self.versions.get(aggregate, 0) + 1
        value = {
            "kind": kind,
            "id": identity,
            "version": self.versions[aggregate],
            "event_id": f"{aggregate}-{self.versions[aggregate]}",
            "type": event_type,
            "time": "2026-03-01T10:00:00Z",
            "data": data or {},
        }
        text = json.dumps(value) if raw is JSON else raw
        self.send([{"topic": self.orders_topic, "key": identity, "value": text, "partition": partition}])
        return f"{self.orders_topic}/{partition}@{self.produced[self.orders_topic, partition] - 1}"

    def note(self, partition, customer, text, counts=True):
        at = self.event(partition, customer, "Noted", {"text": text})
        if counts:
            self.wanted.setdefault(customer, []).append(text)
        return at

    def reached(self, store, but_for=None):
        """Every partition at its end, and the bad one at the offset that it stops at."""
        progress = self.progress(store)
        for (topic, partition), end in self.produced.items():
            if partition == BAD and but_for is not None:
                end = but_for
            if progress.get((topic, partition), 0) != end:
                return False
        return True

    def check_documents(self):
        for store in harness.STORES:
            notes = {identity: found["document"]["notes"] for identity, found in self.documents(store).items()}
            check(notes == self.wanted, f"{store}: wanted {self.wanted}, found {notes}")

    def status(self):
        return run_viewfold("status", "--json", "-c", self.config)


def the_partition_stops_and_all_else_goes_on(name, bad, words, aggregate, settings=None, mended=None, mend_counts=None):
    """bad(world) produces the bad event and says where it lies. `words`: what the log line's error has to name."""
    with Ledger(f"bad-{name}", settings) as world:
        fleet = Fleet(world)
        process = fleet.start()
        for partition in range(PARTITIONS):
            world.note(partition, f"c{partition}", "before")
        wait_until("the fleet does not begin", 60, lambda: all(world.reached(store) for store in harness.STORES))
        fine = run_viewfold("status", "--check", "-c", world.config)
        check(
            fine.returncode == 0,
            f"status --check ended with {fine.returncode} before anything bad: {fine.stdout}{fine.stderr}",
        )

        at = bad(world)
        stops_at = int(at.rpartition("@")[2])
        behind = [(BAD, f"c{BAD}", "behind"), (BAD, "late", "behind too")]
        for partition, customer, text in behind:
            world.note(partition, customer, text, counts=False)
        for partition in (0, 2):
            world.note(partition, f"c{partition}", "after")
        wait_until(
            "the other partitions do not go on",
            60,
            lambda: fleet.check_living() or all(world.reached(store, but_for=stops_at) for store in harness.STORES),
        )

        # One clear line a store: where, whose, why.
        for store in harness.STORES:
            lines = wait_until(
                f"{store}: no line of the log says so",
                30,
                lambda s=store: process.lines("level=error", f"at={at}", f"store={s}"),
            )
            check(len(lines) == 1, f"{store}: {len(lines)} lines say it: {lines[:3]}")
            for word in [*words, *([f"aggregate={aggregate}"] if aggregate else [])]:
                check(word in lines[0], f"{store}: the line does not say {word!r}: {lines[0]}")
        errors = process.lines("level=error")
        check(len(errors) == 2, f"{len(errors)} errors were logged, and two partitions have stopped: {errors}")

        # status says so, from any host, in both forms.
        def both_noted():
            status = json.loads(world.status().stdout)
            errors = [
                (one["store"], row["error"])
                for one in status["projections"]
                for row in one["partitions"]
                if row["error"]
            ]
            return errors if len(errors) == 2 else None

        for store, error in wait_until("status does not show both stops", 30, both_noted):
            check(error["at"] == at, f"{store}: status says {error}")
            check(not aggregate or error["aggregate"] == aggregate, f"{store}: status says {error}")
            check(all(word in error["error"] for word in words), f"{store}: status says {error}")
        minds = run_viewfold("status", "--check", "-c", world.config)
        check(minds.returncode == 1, f"status --check ended with {minds.returncode}")
        check(at in minds.stdout + minds.stderr, f"status --check does not say where: {minds.stdout}{minds.stderr}")

        # It goes on with the others, drains as ever, and stops at the same place again.
        world.note(0, "c0", "much later")
        wait_until(
            "the others have stopped too", 60, lambda: all(world.reached(s, but_for=stops_at) for s in harness.STORES)
        )
        fleet.stop()
        again = fleet.start("--once")
        check(again.wait() == 1, f"run --once ended with {again.wait()}, and a partition had stopped")
        check(len(again.lines("level=error", f"at={at}")) == 2, "run --once does not say where it stopped")
        world.check_documents()
        print(f"     {at} stops 2 workers: {errors[0].partition('error=')[2][:100]}")

        if mended:
            config = world.write_config("mended.yaml", workers=1, settings=mended)
            if mend_counts:
                world.wanted.setdefault(mend_counts[0], []).append(mend_counts[1])
            for _, customer, text in behind:
                world.wanted.setdefault(customer, []).append(text)
            fleet.once(config=config)
            world.check_documents()
            status = json.loads(world.status().stdout)
            left = [row["error"] for one in status["projections"] for row in one["partitions"] if row["error"]]
            check(not left, f"status still says {left}")


def an_unreadable_record_stops_its_partition():
    the_partition_stops_and_all_else_goes_on(
        "unreadable",
        lambda world: world.event(BAD, "c1", "", raw=b'{"kind":"customer","id":"c1","version":'),
        ["JSON"],
        None,
    )


def a_record_without_a_value_stops_its_partition():
    the_partition_stops_and_all_else_goes_on("tombstone", lambda world: world.event(BAD, "c1", "", raw=None), [], None)


def a_failing_handler_stops_its_partition_and_leaves_no_trace():
    def bad(world):
        world.note(BAD, "full", "1")
        world.note(BAD, "full", "2")
        world.note(BAD, "full", "3")
        return world.event(BAD, "full", "Full")

    words = ["no room for full", f"ledger.lua:{FAILING_LINE}", "traceback"]
    the_partition_stops_and_all_else_goes_on("handler", bad, words, "customer/full")


def a_document_over_its_limit_stops_its_partition_until_the_limit_is_raised():
    text = "x" * 3000
    the_partition_stops_and_all_else_goes_on(
        "large",
        lambda world: world.event(BAD, "c1", "Noted", {"text": text}),
        ["limit"],
        "customer/c1",
        settings={"defaults": {"limits": {"document": "2KiB"}}},
        mended={"defaults": {"limits": {"document": "1MiB"}}},
        mend_counts=("c1", text),
    )


def a_handler_without_end_stops_its_partition():
    the_partition_stops_and_all_else_goes_on(
        "endless",
        lambda world: world.event(BAD, "c1", "Count", {"turns": 1 << 40}),
        ["instructions", "ledger.lua:"],
        "customer/c1",
    )


def a_gap_stops_its_partition():
    the_partition_stops_and_all_else_goes_on(
        "gap", lambda world: world.event(BAD, "c1", "Noted", {"text": "too early"}, version=3), GAP, "customer/c1"
    )


def an_event_whose_link_is_unknown_stops_its_partition():
    the_partition_stops_and_all_else_goes_on(
        "link",
        lambda world: world.event(BAD, "o1", "Noted", {"text": "whose?"}, kind="order"),
        ["order/o1", "link"],
        "order/o1",
    )


if __name__ == "__main__":
    harness.main(
        an_unreadable_record_stops_its_partition,
        a_record_without_a_value_stops_its_partition,
        a_failing_handler_stops_its_partition_and_leaves_no_trace,
        a_document_over_its_limit_stops_its_partition_until_the_limit_is_raised,
        a_handler_without_end_stops_its_partition,
        a_gap_stops_its_partition,
        an_event_whose_link_is_unknown_stops_its_partition,
    )
