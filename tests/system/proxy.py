"""A TCP proxy between viewfold and a store, which can lose a commit's reply, or the commit itself.

It looks at nothing but bytes: a request that holds `marker` is a commit (Redis: an FCALL of the commit function; MongoDB: the
command commitTransaction). When told to, it passes the commit on, waits for the store's reply, throws that away and cuts
the connection: the store has done it, and viewfold does not know. Or it cuts before the store has seen it.
"""

import re
import socket
import threading
import time

REDIS_COMMIT = re.compile(rb"\$5\r\nFCALL\r\n\$\d+\r\nviewfold_commit_")
MONGODB_COMMIT = re.compile(rb"commitTransaction\0")
MARKER_BYTES_MAX = 40


class Proxy:
    """Listens on a port of its own until closed. Counts what it has cut."""

    def __init__(self, host, port, marker):
        self.target = (host, port)
        self.marker = marker
        self.lock = threading.Lock()
        self.plan = None  # ("reply" | "request", commits to let pass before, seconds to stay dark afterwards)
        self.dark_until = 0.0
        self.commits = 0
        self.lost = {"reply": 0, "request": 0}
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, what, after=0, dark=0.0):
        """what: "reply" or "request", of the commit after the next `after` ones. dark: for so long nobody gets through."""
        with self.lock:
            self.plan = (what, after, dark)

    def armed(self):
        with self.lock:
            return self.plan is not None

    def close(self):
        self.listener.close()
        with self.lock:
            sockets = list(self.sockets)
        for one in sockets:
            _cut(one)

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
            with self.lock:
                self.sockets |= {client, server}
            Connection(self, client, server).start()

    def take(self, is_commit):
        """What is to be lost of the commit that has just come in, and how long to be dark; None: nothing."""
        with self.lock:
            if not is_commit:
                return None
            self.commits += 1
            if self.plan is None:
                return None
            what, after, dark = self.plan
            if after > 0:
                self.plan = (what, after - 1, dark)
                return None
            self.plan = None
            return what, dark

    def lost_it(self, what, dark):
        with self.lock:
            self.lost[what] += 1
            self.dark_until = time.monotonic() + dark
            others = list(self.sockets) if dark else []
        for one in others:
            _cut(one)


class Connection:
    """One connection: a thread a direction."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client = client
        self.server = server
        self.losing = None  # what of the commit that is under way

    def start(self):
        threading.Thread(target=self._requests, daemon=True).start()
        threading.Thread(target=self._replies, daemon=True).start()

    def _end(self):
        _cut(self.client)
        _cut(self.server)
        with self.proxy.lock:
            self.proxy.sockets -= {self.client, self.server}

    def _requests(self):
        before = b""  # the marker may lie across two reads
        try:
            while data := self.client.recv(1 << 16):
                seen = before + data
                found = self.proxy.marker.search(seen)
                losing = self.proxy.take(found)
                before = b"" if found else seen[-MARKER_BYTES_MAX:]
                if losing and losing[0] == "request":
                    self.proxy.lost_it(*losing)
                    break
                if losing:
                    self.losing = losing
                self.server.sendall(data)
        except OSError:
            pass
        self._end()

    def _replies(self):
        try:
            while data := self.server.recv(1 << 16):
                if self.losing:  # the reply has come, so the commit is done
                    self.proxy.lost_it(*self.losing)
                    break
                self.client.sendall(data)
        except OSError:
            pass
        self._end()


def _cut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
