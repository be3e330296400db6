"""A proxy between viewfold and a Kafka broker (proxy.py), which can make the broker's answers to Fetch say that a gigabyte comes."""

import struct

import proxy

GIGABYTE = 1 << 30
BATCH_HEAD = 61  # bytes of a record batch in front of its records
SIZE = 4  # bytes in front of an answer, which say how long it is
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


class BrokerProxy(proxy.Proxy):
    """`told` counts the answers that it has changed."""

    def __init__(self, broker):
        self.lie = None  # "frame": the answer announces a gigabyte; bytes: the record with this value does
        self.told = 0
        super().__init__(broker, proxy.KAFKA)

    def edit(self, name, reply):
        reply = super().edit(name, reply)
        if name != "Fetch" or self.lie is None:
            return reply
        if self.lie == "frame":
            self.told += 1
            return struct.pack(">i", GIGABYTE) + reply[SIZE:]
        if self.lie in reply:
            self.told += 1
            return reply[:SIZE] + swell(reply[SIZE:], self.lie)
        return reply


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
