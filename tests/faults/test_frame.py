"""The suite's own judgement: what is lost, doubled or wrong is counted as such, and a fault that did not happen proves nothing."""

import copy

import frame
import run
from frame import harness
from harness import check

WANTED = {
    "c1": {"revision": 5, "versions": {"customer/c1": 1, "order/o1": 3, "order/o2": 1}, "document": {"n": 3}},
    "c2": {"revision": 1, "versions": {"customer/c2": 1}, "document": {}},
}


def judged(change):
    found = copy.deepcopy(WANTED)
    change(found)
    seen = frame.verdict.Verdict()
    frame.verdict.compare(seen, "view", WANTED, found, harness.difference)
    return seen.lost, seen.doubled, seen.wrong


def what_is_lost_doubled_or_wrong_is_counted_as_such():
    def lose_two(found):
        found["c1"].update(revision=3, versions={"customer/c1": 1, "order/o1": 1, "order/o2": 1})

    def another_body(found):
        found["c1"]["document"]["n"] = 4

    for change, wanted in (
        (lambda found: None, (0, 0, 0)),
        (lose_two, (2, 0, 1)),
        (lambda found: found["c1"].update(revision=4), (1, 0, 1)),
        (lambda found: found["c1"].update(revision=6), (0, 1, 1)),
        (lambda found: (lose_two(found), found["c1"].update(revision=4)), (2, 1, 1)),
        (another_body, (0, 0, 1)),
        (lambda found: found.pop("c1"), (5, 0, 1)),
        (lambda found: found.update(c3=found["c2"]), (0, 0, 1)),
    ):
        check(judged(change) == wanted, f"{judged(change)}, and not {wanted}")


def a_row_in_which_nothing_happened_fails():
    row = {
        "events": 10, "injected": {"kill -9": 1}, "reads_fresh": 1, "reads_told": 0, "lost": 0, "doubled": 0, "wrong": 0,
    }  # fmt: skip
    check(run.is_clean(row), "a clean row is refused")
    for change in (
        {"injected": {}},
        {"injected": {"kill -9": 0}},
        {"events": 0},
        {"reads_fresh": 0},
        {"lost": 1},
        {"doubled": 1},
        {"wrong": 1},
    ):
        check(not run.is_clean({**row, **change}), f"{change} is taken for clean")


def every_fault_has_a_name_and_a_promise_of_its_own():
    faults = frame.load_all()
    check(len({one.test for one in faults}) == len(faults), "two faults have one name")
    for one in faults:
        check(set(one.promises) - {15}, f"{one.test} proves no promise")
        check(one.run.__doc__, f"{one.test} does not say what it does")


if __name__ == "__main__":
    harness.main(
        what_is_lost_doubled_or_wrong_is_counted_as_such,
        a_row_in_which_nothing_happened_fails,
        every_fault_has_a_name_and_a_promise_of_its_own,
        servers_too=False,
    )
