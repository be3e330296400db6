"""The suite's own judgement: what is lost, doubled or wrong is counted as such, and a fault that did not happen proves nothing. And its
proxy does what it is told."""

import contextlib
import copy
import socket
import subprocess
import sys
import threading

import frame
import run
from frame import harness, proxy
from harness import check, wait_until

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
    listed = subprocess.run([sys.executable, run.__file__, "--list"], capture_output=True, text=True, check=True).stdout
    for one in faults:
        check(one.test in listed, f"--list leaves {one.test} out")


PING = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n"
COMMIT = b"*2\r\n$5\r\nFCALL\r\n$24\r\nviewfold_commit_1_abcdef\r\n"


class Server:
    """Answers each request that it sees with +OK."""

    def __init__(self):
        self.seen = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()

    def _serve(self, one):
        with contextlib.suppress(OSError):
            for message in proxy.messages(one, proxy.REDIS):
                self.seen.append(message)
                one.sendall(b"+OK\r\n")
        one.close()


@contextlib.contextmanager
def connected():
    server = Server()
    with proxy.Proxy(server.address, proxy.REDIS) as through:
        client = socket.create_connection(("127.0.0.1", through.port), timeout=60)
        yield server, through, client
        client.close()
    server.listener.close()


def a_message_passes_whole_however_it_comes():
    with connected() as (server, _, client):
        message = PING % (60_000, b"\r\n*3\r\n" * 10_000)
        for begin in range(0, len(message), 30_000):
            client.sendall(message[begin : begin + 30_000])
        client.sendall(PING % (1, b"x") + PING % (0, b""))
        wait_until("not all three have come", 60, lambda: len(server.seen) == 3)
        check(server.seen == [message, PING % (1, b"x"), PING % (0, b"")], "they have changed on their way")


def what_is_lost_was_seen_by_the_server_or_not_as_one_wants():
    for what, seen in (("reply", 1), ("request", 0)):
        with connected() as (server, through, client):
            called = []
            through.at(what, after=1, act=lambda c=called: c.append(1), wanted=proxy.REDIS.is_commit)
            client.sendall(PING % (1, b"x"))
            check(client.recv(100) == b"+OK\r\n", "what was not meant is lost")
            client.sendall(COMMIT)
            check(client.recv(100) == b"+OK\r\n", "the first commit is lost, and the second was meant")
            check(through.armed() and not called, "it has happened too early")
            client.sendall(COMMIT)
            check(client.recv(100) == b"", "something has come back")
            check(not through.armed() and called == [1], "it is not said to have happened")
            check(server.seen.count(COMMIT) == 1 + seen, f"{what}: the server has seen {len(server.seen)}")
            check(through.lost[what] == 1 and through.commits == 2, f"{through.lost}, {through.commits} commits")


def one_direction_stalls_or_ends_and_the_other_goes_on():
    with connected() as (server, through, client):
        through.stall("replies")
        client.sendall(PING % (1, b"x"))
        wait_until("the request does not arrive", 60, lambda: len(server.seen) == 1)
        client.settimeout(0.2)
        try:
            check(not client.recv(100), "the reply has come, though replies stall")
        except TimeoutError:
            pass
        client.settimeout(60)
        through.pass_on()
        check(client.recv(100) == b"+OK\r\n", "the reply does not come")
        check(through.half_close("replies") == 1, "there is one connection")
        check(client.recv(100) == b"", "the client sees no end")
        client.sendall(PING % (1, b"y"))
        wait_until("the other direction has ended, too", 60, lambda: len(server.seen) == 2)


def who_is_refused_or_cut_sees_the_end():
    with connected() as (_, through, client):
        client.sendall(PING % (1, b"x"))
        check(client.recv(100) == b"+OK\r\n", "what was not meant is lost")
        check(through.refuse(60) == 1, "there is one connection")
        check(client.recv(100) == b"", "it was not cut")
        with socket.create_connection(("127.0.0.1", through.port), timeout=60) as other:
            check(other.recv(100) == b"", "it was let in")
        through.pass_on()
        with socket.create_connection(("127.0.0.1", through.port), timeout=60) as other:
            other.sendall(PING % (1, b"x"))
            check(other.recv(100) == b"+OK\r\n", "it is not let in again")


if __name__ == "__main__":
    harness.main(
        what_is_lost_doubled_or_wrong_is_counted_as_such,
        a_row_in_which_nothing_happened_fails,
        every_fault_has_a_name_and_a_promise_of_its_own,
        a_message_passes_whole_however_it_comes,
        what_is_lost_was_seen_by_the_server_or_not_as_one_wants,
        one_direction_stalls_or_ends_and_the_other_goes_on,
        who_is_refused_or_cut_sees_the_end,
        servers_too=False,
    )
