"""An operator meets events that fail: `viewfold parked` on real servers. Each order's document lists what it has taken in, in order,
so it says by itself what was lost, doubled, or taken in out of turn. The model is that list, made from what was produced and from
what was dropped."""

import contextlib
import json
import os
import pty
import random
import signal
import subprocess
import threading

import harness
from harness import STORES, Fleet, World, check, run_viewfold, wait_until

VIEW = "sums"

# Fails at what is marked, until it is mended; all orders of a group share nothing, so one that fails stops only itself.
SCRIPT = """
return {
  name = "sums", topics = { "orders" },
  key = { order = own },
  initial = { taken = array {} },
  on = { Counted = function(doc, e)
      if e.data.poison and not MENDED then error("poison in " .. e.id) end
      doc.taken[#doc.taken + 1] = e.version
    end },
}
"""


def script(mended):
    return SCRIPT.replace("MENDED", "true" if mended else "false")


class Orders:
    """Events of some orders, numbered on from call to call; those of `poison` fail: {order: versions}."""

    def __init__(self, world, count, poison):
        self.world = world
        self.poison = poison
        self.versions = {f"o{i}": 0 for i in range(count)}

    def records(self, rounds, names=None):
        for _ in range(rounds):
            for name in names or self.versions:
                self.versions[name] += 1
                version = self.versions[name]
                event = {"id": name, "version": version, "type": "Counted", "event_id": f"{name}-{version}",
                         "time": "2026-01-01T00:00:00Z",
                         "data": {"poison": version in self.poison.get(name, ())}}  # fmt: skip
                yield {"topic": self.world.orders_topic, "key": name, "value": json.dumps(event)}


def world_of(name, **defaults):
    # Little patience, so that what fails is parked soon.
    settings = {"defaults": {"errors": {"retries": 1, "backoff": "10ms"}, **defaults}}
    return World(name, partitions=(1, 3), script=script(False), view=VIEW, settings=settings)


def parked(world, *arguments, status=0):
    done = run_viewfold("parked", *arguments, "-c", world.config)
    check(done.returncode == status,
          f"parked {' '.join(arguments)} ended with {done.returncode}, not {status}: {done.stdout[-3000:]}{done.stderr}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def save(world, mended, name=None):
    path = os.path.join(world.folder, name) if name else world.script
    with open(path, "w", encoding="utf-8") as file:
        file.write(script(mended))
    return path


def adopt(world):
    save(world, True)
    done = run_viewfold("generations", "adopt", VIEW, "-c", world.config)
    check(done.returncode == 0, f"adopt ended with {done.returncode}: {done.stdout}{done.stderr}")


def status_of(world):
    done = run_viewfold("status", "--json", "-c", world.config)
    check(done.returncode == 0, f"status ended with {done.returncode}: {done.stderr}")
    return {one["store"]: one for one in json.loads(done.stdout)["projections"]}


def compare(world, wanted):
    """Every document of both stores: {order: versions, in the order in which they were taken in}."""
    for store in STORES:
        found = {name: one["document"]["taken"] for name, one in world.documents(store).items()}
        if found != wanted:
            raise harness.Failure(f"{store}: {harness.difference(wanted, found)}")


def up_to_the_first_failure(orders):
    return {name: list(range(1, min(orders.poison.get(name, [last + 1])))) for name, last in orders.versions.items()}


def all_but(orders, dropped):
    return {name: [version for version in range(1, last + 1) if version not in dropped.get(name, ())]
            for name, last in orders.versions.items()}  # fmt: skip


def wait_parked(world, count):
    """Until so many orders are parked in each store."""
    def there():
        return all(one["parked"] == count for one in status_of(world).values())

    wait_until(f"not {count} orders are parked", 90, there, every=0.3)


def check_nothing_aside(world):
    for store, one in status_of(world).items():
        left = {name: one[name] for name in ("aside", "parked", "gap", "held", "draining")}
        check(not any(left.values()), f"{store}: {left} is left")
    check(parked(world, "list", "--json") == "", "parked list still shows something")


# --- the tests ---------------------------------------------------------------------------------------------------------


def check_listed(world, orders):
    """The list against what was produced: which orders, from which version to which, and where the first one lies."""
    where = {(event["id"], event["version"]): "{}/{}@{}".format(*record["at"])
             for record in world.log for event in [json.loads(record["value"])]}  # fmt: skip
    wanted = sorted((store, f"order/{name}", min(versions), orders.versions[name],
                     orders.versions[name] - min(versions) + 1, where[name, min(versions)])
                    for store in STORES for name, versions in orders.poison.items())  # fmt: skip
    listed = lines(parked(world, "list", "--json"))
    found = sorted((one["store"], one["aggregate"], one["first"], one["last"], one["count"], one["at"]) for one in listed)
    check(found == wanted, f"listed {found}, and not {wanted}")
    for one in listed:
        check(one["state"] == "parked" and one["error"].endswith(f"poison in {one['aggregate'][6:]}"), f"listed: {one}")
        check("sums.lua:" in one["error"] and "traceback" in one["traceback"], f"no place and no traceback: {one}")
    check(lines(parked(world, "list", "--error", "no such text", "--json")) == [], "--error does not choose")


def check_shown(world, orders, name):
    sent = [json.loads(record["value"]) for record in world.log if record["key"] == name]
    for one in lines(parked(world, "show", f"order/{name}", "--json", "-v")):
        events = [event["value"] for event in one["events"]]
        check(events == sent[min(orders.poison[name]) - 1 :], f"show has {events}")


def check_rehearsed(world, orders, name):
    """What would be, by the mended script, is what is afterwards; by the one that runs, nothing would change."""
    mended = save(world, True, "mended.lua")
    before = {store: world.documents(store) for store in STORES}
    for one in lines(parked(world, "retry", f"order/{name}", "--dry-run", "--script", mended, "--json")):
        then = list(range(1, orders.versions[name] + 1))
        wanted = [{"after": {"taken": then}, "before": {"taken": then[: min(orders.poison[name]) - 1]}, "id": name}]
        check(one["documents"] == wanted and one["result"] == "released", f"the rehearsal shows {one}")
    parked(world, "retry", "--all", "--dry-run", status=1)
    check({store: world.documents(store) for store in STORES} == before, "a rehearsal has written")


def poison_is_parked_shown_mended_and_taken_in_while_events_arrive():
    with world_of("parked") as world:
        poison = {f"o{i}": [3, 5] for i in range(0, 40, 5)}
        fleet, orders = Fleet(world), Orders(world, 40, poison)
        fleet.start()
        world.send(orders.records(8))
        fleet.wait_caught_up()
        wait_parked(world, len(poison))
        compare(world, up_to_the_first_failure(orders))
        check_listed(world, orders)
        check_shown(world, orders, "o5")
        check_rehearsed(world, orders, "o5")
        check(run_viewfold("status", "--check", "-c", world.config).returncode == 1, "--check does not mind what is parked")
        parked(world, "retry", "order/o5", status=1)  # nothing has changed: it fails again

        stream = threading.Thread(target=lambda: world.send(orders.records(25), rate=600), daemon=True)
        stream.start()
        adopt(world)
        rivals = [subprocess.Popen([harness.VIEWFOLD, "parked", "retry", "--all", "-q", "-c", world.config],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]  # fmt: skip
        for rival in rivals:
            said = rival.communicate(timeout=100)[0]
            check(rival.returncode == 0, f"a retry beside another ended with {rival.returncode}: {said}")
        stream.join(100)
        fleet.wait_caught_up()
        compare(world, all_but(orders, {}))
        check_nothing_aside(world)
        fleet.stop()
        print(f"     {len(poison)} orders of 40 parked, {len(world.log)} events")


def counted_on_terminal(world, *arguments, status):
    """What it shows on stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    text = b""
    command = [harness.VIEWFOLD, "parked", *arguments, "-c", world.config]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while chunk := os.read(ours, 4096):
                text += chunk
    os.close(ours)
    check(process.returncode == status, f"parked {arguments[0]} ended with {process.returncode}: {text!r}")
    return text.decode()


def what_is_dropped_is_left_out_and_nothing_else():
    with world_of("dropped") as world:
        poison = {f"o{i}": [2, 4] for i in range(6)}
        fleet, orders = Fleet(world), Orders(world, 12, poison)
        world.send(orders.records(6))
        fleet.start()
        fleet.wait_caught_up()
        wait_parked(world, len(poison))
        text = run_viewfold("parked", "drop", "order/o0", "-c", world.config)
        check(text.returncode == 64 and "say --yes" in text.stderr, f"two stores at once are dropped in: {text.stderr}")
        one_by_one = lines(parked(world, "drop", "order/o0", "--store", "cache", "--json", status=1))
        check([(one["dropped"], one["taken"], one["result"]) for one in one_by_one] == [(1, 1, "parked")], f"{one_by_one}")
        parked(world, "drop", "order/o0", "--store", "documents", status=1)
        shown = counted_on_terminal(world, "drop", "--all", "--yes", status=1)  # o0's second, and the first of the others
        check(" of 12 aggregates done" in shown and "\r" in shown, f"no counter on a terminal: {shown!r}")
        check(len(lines(parked(world, "list", "--json"))) == 2 * (len(poison) - 1), "not all but one wait for their second")
        parked(world, "drop", "--error", "poison", "--yes")
        world.send(orders.records(2))
        fleet.wait_caught_up()
        compare(world, all_but(orders, poison))
        check_nothing_aside(world)
        fleet.stop()
        # Copies of all events in all partitions: a rebuild meets some of them before those that the decisions were about.
        sent = list(world.log)
        world.send({**record, "partition": partition} for partition in range(3) for record in sent)
        done = run_viewfold("generations", "drop", VIEW, "--yes", "-c", world.config)
        check(done.returncode == 0, f"generations drop ended with {done.returncode}: {done.stderr}")
        fleet.once()
        compare(world, all_but(orders, poison))
        check_nothing_aside(world)


def what_is_missing_is_waited_for_or_given_up():
    with world_of("gaps") as world:
        fleet, orders = Fleet(world), Orders(world, 4, {})
        sent = list(orders.records(6))
        late = [record for record in sent if json.loads(record["value"])["event_id"] in ("o1-3", "o2-2", "o2-3")]
        world.send(record for record in sent if record not in late)
        fleet.start()
        fleet.wait_caught_up()
        wanted = all_but(orders, {"o1": range(3, 7), "o2": range(2, 7)})
        compare(world, wanted)
        listed = lines(parked(world, "list", "--json"))
        found = sorted((one["store"], one["aggregate"], one["state"], one["missing_before"], one["count"]) for one in listed)
        check(found == sorted((store, *one) for store in STORES for one in
              (("order/o1", "gap", 4, 3), ("order/o2", "gap", 4, 3))), f"listed {found}")  # fmt: skip
        done = run_viewfold("status", "--check", "-c", world.config)
        check(done.returncode == 1 and "missing" in done.stderr, f"--check does not mind a gap: {done.stderr}")
        parked(world, "retry", "order/o1", status=75)
        parked(world, "drop", "order/o2", "--yes")
        world.send(record for record in late if record["key"] == "o1")
        fleet.wait_caught_up()
        harness.wait_until("what came late has not filled the gap", 60,
                           lambda: world.documents("cache")["o1"]["revision"] == world.documents("documents")["o1"]["revision"] == 6)  # fmt: skip
        world.send(orders.records(1))
        fleet.wait_caught_up()
        compare(world, all_but(orders, {"o2": (2, 3)}))
        check_nothing_aside(world)
        fleet.stop()


def of_revisions(world, name, revisions):
    """Two events of each, in order."""
    for revision in revisions:
        for event in "ab":
            value = {"id": name, "version": revision, "type": "Counted", "event_id": f"{name}-{revision}{event}", "data": {}}
            yield {"topic": world.orders_topic, "key": name, "value": json.dumps(value)}


def what_is_missing_of_a_revision_is_waited_for_until_somebody_says_that_it_is_there():
    def twice(*revisions):
        return sorted(2 * revisions)

    with world_of("revisions") as world:
        world.write_config(settings={
            "topics": {"orders": {"topic": world.orders_topic, "kind": "order", "override": {"version": {"numbers": "revision"}}}}})  # fmt: skip
        fleet = Fleet(world)
        for name in ("o1", "o2"):
            world.send(of_revisions(world, name, (1, 2, 4, 5)))
        fleet.start()
        fleet.wait_caught_up()
        compare(world, {"o1": twice(1, 2), "o2": twice(1, 2)})
        found = sorted((one["store"], one["aggregate"], one["state"], one["missing_before"], one["count"])
                       for one in lines(parked(world, "list", "--json")))  # fmt: skip
        check(found == [(store, f"order/{name}", "gap", 4, 4) for store in STORES for name in ("o1", "o2")], f"listed {found}")
        parked(world, "retry", "order/o1", status=75)
        for record in of_revisions(world, "o1", (3,)):
            world.send([record])
            fleet.wait_caught_up()
        world.send(of_revisions(world, "o1", (4,)))  # again
        compare(world, {"o1": twice(1, 2, 3), "o2": twice(1, 2)})
        parked(world, "retry", "order/o1", "--dry-run")
        parked(world, "retry", "order/o1")
        parked(world, "drop", "order/o2", "--yes")
        wanted = {"o1": twice(1, 2, 3, 4, 5), "o2": twice(1, 2, 4, 5)}
        compare(world, wanted)
        check_nothing_aside(world)
        fleet.stop()
        # Built anew, o1's events come in the same order, and o2's number stays given up.
        done = run_viewfold("generations", "drop", VIEW, "--yes", "-c", world.config)
        check(done.returncode == 0, f"generations drop ended with {done.returncode}: {done.stderr}")
        fleet.once()
        parked(world, "retry", "order/o1")
        compare(world, wanted)
        check_nothing_aside(world)


def where_gaps_are_allowed_what_comes_late_is_left_out():
    with world_of("allowed") as world:
        world.write_config(settings={
            "topics": {"orders": {"topic": world.orders_topic, "kind": "order", "override": {"version": {"gaps": "allow"}}}}})  # fmt: skip
        fleet, orders = Fleet(world), Orders(world, 4, {})
        sent = list(orders.records(6))
        late = [record for record in sent if json.loads(record["value"])["event_id"] == "o1-3"]
        world.send(record for record in sent if record not in late)
        fleet.start()
        fleet.wait_caught_up()
        world.send(late)
        world.send(orders.records(1))
        fleet.wait_caught_up()
        compare(world, all_but(orders, {"o1": (3,)}))
        check_nothing_aside(world)
        fleet.stop()


def kill_while_it_works(world, store, name, before):
    """A retry that has taken some of a long list in, and dies there."""
    retry = subprocess.Popen([harness.VIEWFOLD, "parked", "retry", f"order/{name}", "--store", store, "-q", "-c", world.config],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    wait_until("the retry has taken nothing in", 90,
               lambda: retry.poll() is not None or world.documents(store)[name]["revision"] > before, every=0.01)  # fmt: skip
    harness.pause(random.random() * 0.02)
    retry.send_signal(signal.SIGKILL)
    retry.wait()
    return world.documents(store)[name]["revision"]


def a_retry_that_is_killed_again_and_again_is_finished_by_the_next_one():
    """With no worker running: what a retry leaves is the next one's."""
    with world_of("kills", batch={"events": 20}) as world:
        fleet, orders = Fleet(world), Orders(world, 2, {"o1": [2]})
        world.send(orders.records(400))
        fleet.start()
        fleet.wait_caught_up()
        wait_parked(world, 1)
        fleet.stop()
        adopt(world)
        kills = 0
        for store in STORES:
            reached = 1
            for _ in range(2):
                reached = kill_while_it_works(world, store, "o1", reached)
                taken = world.documents(store)["o1"]["document"]["taken"]
                check(taken == list(range(1, reached + 1)), f"{store}: a killed retry leaves {taken}")
                kills += reached < 400
        check(kills > 0, "no retry was killed in the middle")
        for store in STORES:
            run_viewfold("parked", "retry", "order/o1", "--store", store, "-c", world.config)
        compare(world, all_but(orders, {}))
        check_nothing_aside(world)
        print(f"     {kills} retries killed in the middle")


if __name__ == "__main__":
    harness.main(
        poison_is_parked_shown_mended_and_taken_in_while_events_arrive,
        what_is_dropped_is_left_out_and_nothing_else,
        what_is_missing_is_waited_for_or_given_up,
        what_is_missing_of_a_revision_is_waited_for_until_somebody_says_that_it_is_there,
        where_gaps_are_allowed_what_comes_late_is_left_out,
        a_retry_that_is_killed_again_and_again_is_finished_by_the_next_one,
    )
