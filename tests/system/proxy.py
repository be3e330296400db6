"""A proxy between viewfold and one server (Redis, MongoDB, Kafka), which does to the connections what networks do: it delays, stalls,
cuts, half-closes and refuses, each direction by itself, while it runs; it loses a request before the server has seen it, or a
reply after the server has done what was asked; and it calls somebody at a chosen request, before, while or after it is done.

    with Proxy("127.0.0.1:6379", REDIS) as through: ... through.address ... through.lose("reply")

It knows of the three protocols where a message ends and what a request is called, and nothing else. With Kafka it puts its own port
in the place of the broker's wherever an answer names that, so that clients stay with it.
"""

import collections
import re
import socket
import struct
import threading
import time

READ_BYTES = 1 << 16
DIRECTIONS = ("requests", "replies")


# --- where a message ends, and what it is called ----------------------------------------------------------------------


class Redis:
    """Requests are arrays of strings: what they are called is the command, and the function of an FCALL behind it."""

    NUMBER = re.compile(rb"([*$:+\-_#,(~%>])([^\r\n]*)\r\n")

    def end(self, data, at=0):
        """Where the message that begins at `at` ends; None: more is to come."""
        left = 1
        while left:
            head = self.NUMBER.match(data, at)
            if not head:
                return None
            at, left = head.end(), left - 1
            if head[1] in b"*~>%":
                left += max(0, int(head[2])) * (2 if head[1] == b"%" else 1)
            elif head[1] == b"$" and int(head[2]) >= 0:
                at += int(head[2]) + 2
                if at > len(data):
                    return None
        return at

    def name(self, message):
        words = re.findall(rb"\r\n\$\d+\r\n([^\r\n]{0,80})", message[:400])[:2]
        if words and words[0].upper().startswith(b"FCALL"):
            return b" ".join(words).decode(errors="replace")
        return words[0].decode(errors="replace").upper() if words else ""

    def is_commit(self, name):
        return name.startswith("FCALL viewfold_commit_")

    def is_work(self, name):
        """Whether a request is more than a greeting or a look whether somebody is there."""
        return name not in ("PING", "HELLO", "AUTH", "CLIENT", "SELECT")


class MongoDB:
    def end(self, data, at=0):
        if len(data) < at + 4:
            return None
        end = at + struct.unpack_from("<i", data, at)[0]
        return end if end <= len(data) else None

    def name(self, message):
        """The first field of a command's document (OP_MSG's first section)."""
        if struct.unpack_from("<i", message, 12)[0] != 2013 or message[20] != 0:
            return "hello"
        return bytes(message[26 : message.index(b"\0", 26)]).decode(errors="replace")

    def is_commit(self, name):
        return name == "commitTransaction"

    def is_work(self, name):
        return name.lower() not in ("hello", "ismaster", "ping", "endsessions")


class Kafka:
    NAMES = {
        0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch", 10: "FindCoordinator",
        11: "JoinGroup", 12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup", 18: "ApiVersions",
    }  # fmt: skip

    def end(self, data, at=0):
        if len(data) < at + 4:
            return None
        end = at + 4 + struct.unpack_from(">i", data, at)[0]
        return end if end <= len(data) else None

    def name(self, message):
        kind = struct.unpack_from(">h", message, 4)[0]
        return self.NAMES.get(kind, str(kind))

    def is_commit(self, name):
        return name == "OffsetCommit"

    def is_work(self, name):
        return name in ("OffsetCommit", "JoinGroup", "SyncGroup", "LeaveGroup")


class Raw:
    """Whatever passes, as it comes: a replica's link to its master."""

    def end(self, data, at=0):
        return len(data) if at < len(data) else None

    def name(self, message):
        return ""

    def is_commit(self, name):
        return False

    def is_work(self, name):
        return False


REDIS, MONGODB, KAFKA, RAW = Redis(), MongoDB(), Kafka(), Raw()


# --- the proxy --------------------------------------------------------------------------------------------------------


class Plan:
    """What is to happen once, at one request to come."""

    def __init__(self, what, after, dark, act, wanted):
        self.what = what  # as at() says
        self.after = after  # so many of those that are wanted pass before
        self.dark = dark
        self.act = act
        self.wanted = wanted


class Proxy:
    """Listens on a port of its own until closed. All of it can be told to do something else at any time, from any thread.

    commits, lost: how many commits have come in, and what was lost of them. names: how often each request came."""

    def __init__(self, server, wire):
        host, _, port = server.rpartition(":")
        self.target = (host, int(port))
        self.wire = wire
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.plans = []
        self.dark_until = 0.0
        self.delays = dict.fromkeys(DIRECTIONS, 0.0)
        self.stalled = dict.fromkeys(DIRECTIONS, False)
        self.closed = False
        self.commits = 0
        self.lost = {"request": 0, "reply": 0, "answered": 0, "late": 0}
        self.names = collections.Counter()
        self.connections = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.rename = None
        if isinstance(wire, Kafka):
            self.rename = tuple(host.encode() + struct.pack(">i", number) for number in (self.target[1], self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.listener.close()
        with self.lock:
            self.closed = True
            self.changed.notify_all()
        self.cut()

    # what it can be told

    def lose(self, what, after=0, dark=0.0):
        """what: "request" or "reply", of the commit after the next `after` ones; the connection is cut with it. dark: for so long
        nobody gets through afterwards, and all others are cut, too."""
        self.at(what, after=after, dark=dark, wanted=self.wire.is_commit)

    def at(self, what, after=0, act=None, dark=0.0, wanted=None):
        """As lose, of any request whose name `wanted` takes (else all that do work). act: called in that moment, before the
        connection is cut: with "request" the server has not seen it; with "reply" it has answered, and the answer is dropped; with
        "answered" the answer was passed on. "late": nothing is cut; the request goes on when act has returned and nothing is stalled.
        Told several times, they come one after the other."""
        with self.lock:
            self.plans.append(Plan(what, after, dark, act, wanted or self.wire.is_work))

    def armed(self):
        with self.lock:
            return bool(self.plans)

    def disarm(self):
        """Whether it was armed."""
        with self.lock:
            armed = bool(self.plans)
            self.plans.clear()
            return armed

    def delay(self, requests=0.0, replies=0.0):
        """Each message of a direction waits for so many seconds, from now on."""
        with self.lock:
            self.delays = {"requests": requests, "replies": replies}

    def stall(self, *directions):
        """Nothing goes this way any more (none given: either), and the connections stay. pass_on() ends it."""
        with self.lock:
            for direction in directions or DIRECTIONS:
                self.stalled[direction] = True

    def pass_on(self):
        with self.lock:
            self.stalled = dict.fromkeys(DIRECTIONS, False)
            self.dark_until = 0.0
            self.changed.notify_all()

    def cut(self):
        """Ends all connections. Returns how many there were."""
        with self.lock:
            connections = list(self.connections)
        for one in connections:
            one.end()
        return len(connections)

    def half_close(self, direction):
        """All connections: whoever receives in this direction sees its end; the other one stays open. Returns how many there were."""
        with self.lock:
            connections = list(self.connections)
        for one in connections:
            half_close(one.server if direction == "requests" else one.client)
        return len(connections)

    def refuse(self, seconds):
        """Cuts all, and lets nobody in for so long."""
        with self.lock:
            self.dark_until = time.monotonic() + seconds
        return self.cut()

    # for those who know more of a protocol

    def edit(self, name, reply):
        """What is passed on in the place of a reply to a request of this name."""
        return reply.replace(*self.rename) if self.rename else reply

    # how it works

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if time.monotonic() < self.dark_until:
                client.close()
                continue
            try:
                server = socket.create_connection(self.target, timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(self, client, server).start()

    def wait(self, direction):
        """Until a message of this direction may go on."""
        with self.lock:
            while self.stalled[direction] and not self.closed:
                self.changed.wait()
            delay = self.delays[direction]
        if delay:
            time.sleep(delay)

    def take(self, name):
        """The plan that this request is the one of; None: none."""
        with self.lock:
            self.names[name] += 1
            self.commits += self.wire.is_commit(name)
            if not self.plans or not self.plans[0].wanted(name):
                return None
            if self.plans[0].after > 0:
                self.plans[0].after -= 1
                return None
            return self.plans.pop(0)

    def happens(self, plan):
        with self.lock:
            self.lost[plan.what] += 1
            self.dark_until = time.monotonic() + plan.dark
        if plan.act:
            plan.act()
        if plan.dark:
            self.cut()


class Connection:
    """One connection: a thread a direction. Requests are answered in their order."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client
        self.server = server
        self.waiting = collections.deque()  # (name, plan) of the requests that have no reply yet

    def start(self):
        with self.proxy.lock:
            self.proxy.connections.add(self)
        threading.Thread(target=self._run, args=(self._requests, self.server), daemon=True).start()
        threading.Thread(target=self._run, args=(self._replies, self.client), daemon=True).start()

    def end(self):
        cut(self.client, self.server)
        with self.proxy.lock:
            self.proxy.connections.discard(self)

    def _run(self, work, receiver):
        try:
            if work():
                half_close(receiver)  # this side has said all; the other one may still answer
                return
        except OSError:
            pass
        self.end()

    def _requests(self):
        """Whether the client has ended in peace."""
        for message in messages(self.client, self.proxy.wire):
            name = self.proxy.wire.name(message)
            self.proxy.wait("requests")
            plan = self.proxy.take(name)
            if plan and plan.what == "request":
                self.proxy.happens(plan)
                return False
            if plan and plan.what == "late":
                self.proxy.happens(plan)
                self.proxy.wait("requests")
                plan = None
            self.waiting.append((name, plan))
            self.server.sendall(message)
        return True

    def _replies(self):
        for message in messages(self.server, self.proxy.wire):
            name, plan = self.waiting.popleft() if self.waiting else ("", None)
            self.proxy.wait("replies")
            if plan and plan.what == "reply":
                self.proxy.happens(plan)
                return False
            self.client.sendall(self.proxy.edit(name, message))
            if plan:
                self.proxy.happens(plan)
                return False
        return False  # a server that goes takes its connections with it


def messages(one, wire):
    """What comes in, message by message."""
    data = bytearray()
    while part := one.recv(READ_BYTES):
        data += part
        begin = 0
        while begin < len(data) and (end := wire.end(data, begin)) is not None:
            yield bytes(data[begin:end])
            begin = end
        del data[:begin]


def half_close(one):
    try:
        one.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def cut(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
