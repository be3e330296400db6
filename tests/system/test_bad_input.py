"""What cannot be taken in stops its partition, for that projection and store; everything else goes on, and all can see it."""

import json
from datetime import datetime

import harness
from harness import Fleet, World, check, run_viewfold, wait_until

SCRIPT = """local function room(doc, e)
  if #doc.notes >= 3 then error("no room for " .. e.id) end
end

return {
  name = "ledger", version = 1, topics = { "orders" },
  key = { customer = own, order = link { Opened = "customerId" } },
  unlinked = "park",
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


def stopping(settings):
    """What fails stops its partition, whatever it is. That it is parked otherwise: test_parked.py."""
    defaults = dict((settings or {}).get("defaults", {}))
    defaults["errors"] = {**defaults.get("errors", {}), "then": "stop"}
    return {**(settings or {}), "defaults": defaults}


class Ledger(World):
    """Small hand-made events, each to the partition that the test wants."""

    def __init__(self, name, settings=None):
        super().__init__(name, (1, PARTITIONS), workers=1, settings=stopping(settings), script=SCRIPT, view="ledger", kinds=False)
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
            config = world.write_config("mended.yaml", workers=1, settings=stopping(mended))
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


def an_event_that_is_not_to_wait_for_its_link_stops_its_partition():
    the_partition_stops_and_all_else_goes_on(
        "link",
        lambda world: world.event(BAD, "o1", "Noted", {"text": "whose?"}, kind="order"),
        ["order/o1", "link"],
        "order/o1",
    )


# --- every nasty thing at once, each in a partition of its own --------------------------------------------------------

NASTY = """local function deeper(n) return 1 + deeper(n + 1) end

local unkept = { -- what a document cannot hold
  ["a function"]    = function(doc) doc.x = { y = pairs } end,
  ["a closure"]     = function(doc) local n = 0 doc.x = function() n = n + 1 return n end end,
  ["the event"]     = function(doc, e) doc.x = e end,
  ["a marker"]      = function(doc) doc.x = own end,
  ["a library"]     = function(doc) doc.x = string end,
  ["a hole"]        = function(doc) doc.x = array { 1, 2 } doc.x[4] = 4 end,
  ["a mixed list"]  = function(doc) doc.x = array { 1, 2 } doc.x.y = 3 end,
  ["a mixed table"] = function(doc) doc.x = { 1, 2, y = 3 } end,
  ["no list"]       = function(doc) doc.x = { 1, 2 } end,
  ["a float key"]   = function(doc) doc.x = { [1.5] = 1 } end,
  ["a table key"]   = function(doc) doc.x = { [{}] = 1 } end,
  ["a NUL in a key"] = function(doc) doc.x = { ["a\\0b"] = 1 } end,
  ["itself"]        = function(doc) doc.x = { y = doc } end,
  ["a circle"]      = function(doc) local a, b = {}, {} a.b, b.a, doc.x = b, a, array { a } end,
  ["a date inside"] = function(doc, e) doc.x = { y = date(e.time) } end,
  ["a far date"]    = function(doc) doc.x = date("10000-01-01T00:00:00Z") end,
  ["its id"]        = function(doc) doc.id = 1 end,
}

return {
  name = "nasty", version = 1, topics = { "orders" },
  key = { customer = own, route = function(e) return e.data.to end, field = "to" },
  on = {
    Kept   = function(doc, e) doc.data, doc.name = e.data.value, e.id end,
    Fields = function(doc, e) for name, value in pairs(e.data) do doc[name] = value end end,
    Again  = function(doc) doc.again = true end,
    Dates  = function(doc, e) for name, text in pairs(e.data) do doc[name] = date(text) end end,
    Unkept = function(doc, e) unkept[e.data.what](doc, e) end,
    Huge   = function(doc) doc.text = ("x"):rep(1 << 30) end,
    Deep   = function(doc) doc.n = deeper(1) end,
    NaN    = function(doc) doc.list = array { 1, 0/0 } end,
    Bytes  = function(doc) doc.text = ("\\xc3\\xa4"):sub(1, 1) end,
    Saying = function(doc) error("level=error \\xff\\0 \\27[31m\\n" .. ("long"):rep(100000)) end,
    Object = function(doc) error({ code = 7 }) end,
    Nested = function(doc) local t = doc for _ = 1, 101 do t.x = {} t = t.x end end,
  },
}
"""
NASTY_LINE = "nasty.lua:"
SPECIAL = "/{}$.:#@~%"
MEGABYTES_8 = 8 << 20


def nested(depth):
    value = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"x": value}
    return value


def legal_ids():
    """Ids that mean something to a store, a URL, a path, a shell or a terminal, and are only ids."""
    ids = [*SPECIAL, SPECIAL, "a/b", "{tag}x", "$where", "a.b", "..", "a:b", "#1", "x@1:y", "%2F", "%00", "*", "[a]", "\\"]
    ids += ["0", "-1", "00", " ", "\t", "\r\n", "\x1b[31m", "\x7f", '"', "'", "`", "é", "e\u0301", "\u202e", "💩", "_id", "id"]
    ids += ["x" * 1024, "é" * 512, "a" * 1023 + "/", "{" * 1024, "null", "true", "--help", "-"]
    return ids


def legal_values():
    """Text of JSON: what becomes of it is json.loads's matter."""
    values = ["0", "-0", "-0.0", "1", "1.0", "9223372036854775807", "-9223372036854775808", "9007199254740993", "1e308", "5e-324"]
    values += ["0.1", "1E2", "1.7976931348623157e308", "2.2250738585072011e-308", "1e-400", "1e23", "9007199254740993.0"]
    values += ["-1.7976931348623157e308", "123456789012345678901234567890.0", "-9007199254740993", "4294967296", "true", "null", '""', '"a\\u0000b"', '"\\u0000"', '"\\ud83d\\ude00"', "[]", "{}"]
    values += ["[null]", "[[[[]]]]", "[{},[],{}]", '{"a":null,"b":{"c":null}}', '[null,[null,{"a":null}]]', '{"1":1,"2":2}']
    values += ['{"$oid":"5f43a1f5e1b2c3d4e5f6a7b8"}', '{"$numberLong":"5"}', '{"$date":"2026-01-01T00:00:00Z"}', '{"$where":1}']
    values += ["[[],{},null]", '{"":1}', '{"$set":{"a.b":1}}', '{"a":1,"a":2}', '{"a":{"b":1},"a":{"c":2}}', '{"_id":1,"id":2,"__proto__":3}']
    values += [json.dumps({"n" * 100_000: 1, "\u0001": 2, "a\nb": 3, "💩": 4}), json.dumps(nested(99))]
    values += [json.dumps(nested(60)), json.dumps("x" * 1_000_000), json.dumps({f"k{n}": n for n in range(2000)})]
    values += [json.dumps("\x7f\u0085\u2028\ufeff\uffff")]
    return values


class Nasty(Ledger):
    """Partition 0 takes what is legal; each of the others takes one thing that is not, and something behind it."""

    def __init__(self, partitions):
        settings = stopping({"defaults": {"errors": {"retries": 0}}})
        World.__init__(
            self, "nasty", (1, partitions), workers=1, settings=settings, script=NASTY, view="nasty", kinds=False
        )
        self.versions, self.wanted = {}, {}

    def _create_topics(self):
        sizes = {"max.message.bytes": "20000000"}
        topics = [harness.NewTopic(topic, count, 1, config=sizes) for topic, count in self.partitions.items()]
        admin = harness.AdminClient(harness.kafka())
        for future in admin.create_topics(topics).values():
            future.result(30)
        self.big = harness.Producer(harness.kafka(**{"message.max.bytes": 20_000_000, "enable.idempotence": True}))

    def put(self, partition, value):
        """Bytes as they are; returns where they lie."""
        at = []
        self.big.produce(
            self.orders_topic, value=value, partition=partition, on_delivery=lambda error, message: at.append((error, message))
        )
        check(self.big.flush(60) == 0 and not at[0][0], f"not delivered: {at}")
        offset = at[0][1].offset()
        self.produced[self.orders_topic, partition] = offset + 1
        return f"{self.orders_topic}/{partition}@{offset}"


def envelope(identity, event_type="Kept", data="{}", kind="customer", version=1):
    """An event's text around data's."""
    head = {"kind": kind, "id": identity, "version": version, "type": event_type, "time": "2026-03-01T10:00:00Z"}
    return (json.dumps(head)[:-1] + f', "data": {data}}}').encode()


UNKEPT = {
    "a function": "`x.y` is a function",
    "a closure": "`x` is a function",
    "the event": "`x` is the event or a link",
    "a marker": "`x` is `own` or `delete`",
    "a library": "`x` is a library",
    "a hole": "`x` is a list with a hole at [3]",
    "a mixed list": "`x` is a list, and has a key that is no integer",
    "a mixed table": "has the integer key 1: use array {...}",
    "no list": "has the integer key 1: use array {...}",
    "a float key": "has a number as key",
    "a table key": "has a table, a function or the like as key",
    "a NUL in a key": "holds a NUL",
    "itself": "`x.y` is a table that holds itself",
    "a circle": "is a table that holds itself",
    "a date inside": "`x.y` is a date",
    "a far date": "date wants RFC 3339",
    "its id": "`id` has a name that belongs to viewfold",
}


def illegal():
    """name -> (record, what the error says, aggregate or None)."""
    kept = lambda value: envelope("bad", data=f'{{"value": {value}}}')  # noqa: E731
    text = "x" * MEGABYTES_8
    route = {"kind": "route", "data": '{"to": "' + "y" * 1025 + '"}'}
    field = {"kind": "field", "data": '{"to": ""}'}
    whose = "customer/bad"
    return {
        "an integer between 63 and 64 bits": (kept("9223372036854775808"), ["beyond 64 bits", NASTY_LINE], whose),
        "an integer beyond 64 bits": (kept("18446744073709551616"), ["JSON"], None),
        "1e400": (kept("1e400"), ["JSON"], None),
        "NaN": (kept("NaN"), ["JSON"], None),
        "no UTF-8": (kept('"\x00"').replace(b"\x00", b"\xff"), ["JSON"], None),
        "a lone surrogate": (kept('"\\ud800"'), ["JSON"], None),
        "nesting of 10,000": (kept("[" * 10_000 + "]" * 10_000), ["nested deeper than 128"], None),
        "nesting of 100": (kept(json.dumps(nested(100))), ["nests too deep"], whose),
        "below -2^63": (kept("-9223372036854775809"), ["JSON"], None),
        "-1e400": (kept("-1e400"), ["JSON"], None),
        "an empty value": (b"", ["JSON"], None),
        "a list": (b"[1]", ["object"], None),
        "a text": (b'"text"', ["object"], None),
        "null": (b"null", ["object"], None),
        "an empty id": (envelope(""), ["/id"], None),
        "an id with a NUL": (envelope("a\x00b"), ["/id"], None),
        "an id of 1,025 bytes": (envelope("x" * 1025), ["/id", "1024"], None),
        "an id that is an object": (envelope({}), ["/id"], None),
        "a document id of 1,025 bytes": (envelope("bad", **route), ["longer than 1024 bytes", NASTY_LINE], "route/bad"),
        "an empty document id": (envelope("bad", **field), ["is empty", NASTY_LINE], "field/bad"),
        "a document beyond its limit": (kept(json.dumps(text)), ["limits.document"], whose),
        "a text of 1 GB": (envelope("bad", "Huge"), ["limits.lua_", NASTY_LINE], whose),
        "a handler that calls itself for ever": (envelope("bad", "Deep"), [NASTY_LINE, "stack traceback"], whose),
        "NaN in a document": (envelope("bad", "NaN"), ["list[2]", "not a number"], whose),
        "no UTF-8 in a document": (envelope("bad", "Bytes"), ["`text` is a string that is not UTF-8"], whose),
        "a document that nests too deep": (envelope("bad", "Nested"), ["nests too deep"], whose),
        "a field that is viewfold's": (envelope("bad", "Fields", '{"_x": 1}'), ["`_x`", "belongs to viewfold"], whose),
        "an error that is no text": (envelope("bad", "Object"), ["no text but a table", NASTY_LINE], whose),
        "an error of wild bytes": (envelope("bad", "Saying"), [NASTY_LINE, "level=error"], whose),
        **{
            what: (envelope("bad", "Unkept", json.dumps({"what": what})), [said, NASTY_LINE if what == "a far date" else "after Unkept: "], whose)
            for what, said in UNKEPT.items()
        },
    }


def plain(document):
    """MongoDB's dates as RFC 3339."""
    return {
        name: f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z".rjust(24, "0") if isinstance(value, datetime) else value
        for name, value in document.items()
    }


def exact(value):
    """Numbers told apart by their kind, too: 1 is not 1.0, and 0.0 is not -0.0."""
    return json.dumps(value, sort_keys=True)


def what_is_legal_is_kept_exactly_and_what_is_not_stops_its_own_partition():
    bad = illegal()
    with Nasty(len(bad) + 1) as world:
        wanted = {}
        for identity in legal_ids():
            world.put(0, envelope(identity, data='{"value": "mine"}'))
            wanted[identity] = {"data": "mine", "name": identity}
        for number, text in enumerate(legal_values()):
            world.put(0, envelope(f"value {number}", data=f'{{"value": {text}}}'))
            wanted[f"value {number}"] = {"data": json.loads(text), "name": f"value {number}"}
        names = '{"": 0, "0": 0.5, "a.b": 1, "$set": {"$x": 2}, "é": 3, "name with space": 4, "types": 5, "k\\u0001": 6, "a": 7, "a": 8}'
        world.put(0, envelope("fields", "Fields", names))
        wanted["fields"] = json.loads(names)
        dates = {"first": "0001-01-01T00:00:00.000Z", "last": "9999-12-31T23:59:59.999Z", "before": "1969-12-31T23:59:59.999Z"}
        world.put(0, envelope("dates", "Dates", json.dumps(dates)))
        wanted["dates"] = dates
        large = "y" * (MEGABYTES_8 - 4096)
        world.put(0, envelope(7, data=json.dumps({"value": large})))  # an id that is a number
        wanted["7"] = {"data": large, "name": "7"}
        fleet = Fleet(world)
        fleet.once()
        # Each once more, in a process that has to read it: what is written then has been through the store.
        for identity, document in wanted.items():
            world.put(0, envelope(int(identity) if identity == "7" else identity, "Again", version=2))
            document["again"] = True
        places = {}
        for partition, (name, (record, _, _)) in enumerate(bad.items(), start=1):
            world.put(partition, envelope(f"before {partition}", data='{"value": 1}'))
            places[name] = world.put(partition, record)
            world.put(partition, envelope(f"behind {partition}", data='{"value": 1}'))
            wanted[f"before {partition}"] = {"data": 1, "name": f"before {partition}"}

        process = fleet.start("--once")
        check(process.wait(120) == 1, "run --once has not said with 1 that partitions stopped")
        for store in harness.STORES:
            found = {identity: plain(one["document"]) for identity, one in world.documents(store).items()}
            check(found.keys() == wanted.keys(), f"{store}: {sorted(found.keys() ^ wanted.keys())} differ")
            for identity, document in wanted.items():
                check(
                    exact(found[identity]) == exact(document),
                    f"{store}: {identity!r}: wanted {exact(document)[:200]}, found {exact(found[identity])[:200]}",
                )
            done = run_viewfold("get", "--json", "--store", store, "-c", world.config, "nasty", "--", *wanted)
            check(done.returncode == 0, f"get ended with {done.returncode}: {done.stderr[:500]}")
            for identity, line in zip(wanted, done.stdout.removesuffix("\n").split("\n"), strict=True):
                one = json.loads(line)
                check(
                    one["id"] == identity and exact(one["document"]) == exact(wanted[identity]),
                    f"get from {store}: {identity!r}: wanted {exact(wanted[identity])[:200]}, found {line[:200]}",
                )

        status = json.loads(world.status().stdout)
        errors = {
            (one["store"], row["error"]["at"]): row["error"]
            for one in status["projections"]
            for row in one["partitions"]
            if row["error"]
        }
        check(len(errors) == 2 * len(bad), f"{len(errors)} stops, and {2 * len(bad)} were wanted: {sorted(errors)}")
        unsaid = []
        for name, (_, words, aggregate) in bad.items():
            for store in harness.STORES:
                lines = process.lines("level=error", f"at={places[name]} ", f"store={store}")
                check(len(lines) == 1, f"{name}: {len(lines)} lines of the log say where, for {store}: {lines}")
                error = errors.get((store, places[name]))
                check(error, f"{name}: status does not say it for {store}")
                check(not aggregate or error["aggregate"] == aggregate, f"{name}: {store}: {error}")
                for word in words:
                    if word not in lines[0] or word not in error["error"]:
                        unsaid.append(f"{name}: {word!r} is not in the log or status: {error['error'][:300]}")
                check(len(lines[0]) < 12_000, f"{name}: a line of {len(lines[0])} bytes")
                check(lines[0].isprintable(), f"{name}: the log obeys the bytes of an error: {lines[0][:300]!r}")
        check(not unsaid, "\n".join(unsaid))
        check(len(process.lines("level=error")) == len(errors), "more errors were logged than partitions have stopped")
        print(f"     {len(wanted)} documents exact in both stores, {len(bad)} bad records named in log and status")


if __name__ == "__main__":
    harness.main(
        an_unreadable_record_stops_its_partition,
        a_record_without_a_value_stops_its_partition,
        a_failing_handler_stops_its_partition_and_leaves_no_trace,
        a_document_over_its_limit_stops_its_partition_until_the_limit_is_raised,
        a_handler_without_end_stops_its_partition,
        a_gap_stops_its_partition,
        an_event_that_is_not_to_wait_for_its_link_stops_its_partition,
        what_is_legal_is_kept_exactly_and_what_is_not_stops_its_own_partition,
    )
