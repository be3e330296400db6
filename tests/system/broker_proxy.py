"""A TCP proxy between viewfold and a Kafka broker, which can make the broker's answers to Fetch say that a gigabyte comes.

It passes on whole frames, and puts its own port in the place of the broker's wherever an answer names that, so that clients
stay with it. Nothing else of Kafka's protocol is looked at: a frame's size, a request's kind, a record batch's checksum.
"""

import collections
import socket
import struct
import threading

GIGABYTE = 1 << 30
FETCH = 1  # a request's kind
BATCH_HEAD = 61  # bytes of a record batch in front of its records
CRC_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82F63B78 if _byte & 1 else 0)
    CRC_TABLE.append(_byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(number):
    number = number << 1 ^ number >> 63
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


class BrokerProxy:
    """Listens on a port of its own until closed. `told` counts the answers that it has changed."""

    def __init__(self, broker):
        host, _, port = broker.rpartition(":")
        self.target = (host, int(port))
        self.lie = None  # "frame": the answer announces a gigabyte; bytes: the record with this value does
        self.told = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        name = host.encode()
        self.theirs = name + struct.pack(">i", self.target[1])
        self.ours = name + struct.pack(">i", self.port)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
            except OSError:
                return
            kinds = collections.deque()  # of the requests that wait for their answers, which come in this order
            for work in (self._requests, self._answers):
                threading.Thread(target=work, args=(client, server, kinds), daemon=True).start()

    def _requests(self, client, server, kinds):
        try:
            while (frame := read_frame(client)) is not None:
                kinds.append(struct.unpack(">h", frame[:2])[0])
                server.sendall(struct.pack(">i", len(frame)) + frame)
        except OSError:
            pass
        cut(client, server)

    def _answers(self, client, server, kinds):
        try:
            while (frame := read_frame(server)) is not None:
                frame = frame.replace(self.theirs, self.ours)
                size = len(frame)
                if kinds.popleft() == FETCH and self.lie is not None:
                    if self.lie == "frame":
                        size = GIGABYTE
                        self.told += 1
                    elif self.lie in frame:
                        frame = swell(frame, self.lie)
                        self.told += 1
                client.sendall(struct.pack(">i", size) + frame)
        except OSError:
            pass
        cut(client, server)


def swell(frame, value):
    """The record with this value announces a gigabyte of it; the batch around it keeps its size, and its checksum fits."""
    frame = bytearray(frame)
    at = frame.index(value)
    length = at - len(varint(len(value)))
    batch = next(i for i in range(length) if is_batch(frame, i, length))
    end = batch + 12 + struct.unpack_from(">i", frame, batch + 8)[0]
    announced = varint(GIGABYTE)
    frame[length : length + len(announced)] = announced
    struct.pack_into(">I", frame, batch + 17, crc32c(frame[batch + 21 : end]))
    return bytes(frame)


def is_batch(frame, at, inside):
    """Whether a record batch begins here that holds the byte at `inside`."""
    if at + BATCH_HEAD > inside or frame[at + 16] != 2:
        return False
    end = at + 12 + struct.unpack_from(">i", frame, at + 8)[0]
    return inside < end <= len(frame) and struct.unpack_from(">I", frame, at + 17)[0] == crc32c(frame[at + 21 : end])


def read_frame(one):
    head = read_bytes(one, 4)
    return head and read_bytes(one, struct.unpack(">i", head)[0])


def read_bytes(one, count):
    """None: the other side has ended."""
    data = bytearray()
    while len(data) < count:
        part = one.recv(count - len(data))
        if not part:
            return None
        data += part
    return bytes(data)


def cut(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()
