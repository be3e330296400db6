"""F5: the group's offsets cannot be committed."""

import struct

from frame import EACH, fault

# What a coordinator says: it is not the one, it is loading, the group is being rebalanced, the generation is another one, who are you?
CODES = (14, 15, 16, 22, 25, 27, 29, 28)


@fault(5, "commit fails", promises=(1, 2, 4), stores=EACH, events=(900, 20_000), through=("kafka",), minutes=20)
def a_commit_of_offsets_that_fails_costs_nothing(scene):
    """From the beginning on no commit of offsets succeeds: it does not arrive, its answer does not, or the answer is an error of the
    coordinator. Meanwhile processes die and others take over, whose committed offsets are of the past, or of nobody: each goes on
    from where its store is. (Of a refused one the coordinator has in truth taken note: the worker is not to mind either way.)"""
    through = scene.proxies["kafka"]
    refusing = Refusing(through)
    scene.fleet.start()
    with scene.flow(scene.records(), rate=scene.pick(250, 400)) as flowing:
        while flowing() or refusing.count == 0:
            through.at(scene.chance.choice(("request", "reply")), wanted=lambda name: name == "OffsetCommit")
            refusing.code = scene.chance.choice(CODES)
            scene.moment(0.3, 1.5)
            if scene.chance.random() < 0.4:
                scene.fleet.kill(scene.chance.choice(scene.fleet.living()))
                scene.fleet.start()
    scene.catch_up()
    scene.inject("commit refused", refusing.count)
    scene.inject("commit or its answer lost", through.lost["request"] + through.lost["reply"])
    refusing.code = None
    through.disarm()


class Refusing:
    """Puts an error in the place of each partition's success, while `code` says which."""

    def __init__(self, through):
        self.code = None
        self.count = 0
        self.plain = through.edit
        through.edit = self.edit

    def edit(self, name, reply):
        if name == "OffsetCommit" and self.code is not None:
            out = bytearray(reply)
            places = plain_places(reply) or compact_places(reply)
            for place in places:
                struct.pack_into(">h", out, place, self.code)
            self.count += bool(places)
            reply = bytes(out)
        return self.plain(name, reply)


def plain_places(reply):
    """Where the error codes of an answer to OffsetCommit are, versions 3 to 7: throttle time, [topic, [partition, error code]]"""
    places = []
    try:
        (topics,) = struct.unpack_from(">i", reply, 12)
        at = 16
        for _ in range(topics):
            at += 2 + struct.unpack_from(">h", reply, at)[0]
            (partitions,) = struct.unpack_from(">i", reply, at)
            places += range(at + 8, at + 8 + 6 * partitions, 6)
            at += 4 + 6 * partitions
    except struct.error:
        return None
    return places if at == len(reply) else None


def compact_places(reply):
    """The same, versions 8 and 9: compact arrays, and an empty field of tags behind everything."""
    places = []
    at = 13
    topics, at = reply[at] - 1, at + 1
    for _ in range(topics):
        length, at = varint(reply, at)
        at += length - 1
        partitions, at = varint(reply, at)
        for _ in range(partitions - 1):
            places.append(at + 4)
            at += 7
        at += 1
    return places if at + 1 == len(reply) else None


def varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number, at
