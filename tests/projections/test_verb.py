#!/usr/bin/env python3
"""`viewfold test` as it is used: over the projections in fixtures/, whole outputs compared with expected/. No server.

test_verb.py [CASE...]; VIEWFOLD_PROGRAM is the program, default build/viewfold. What expected/ holds was read and found right
by a person: a test that fails here shows the difference, and nothing writes these files.
"""

import difflib
import json
import os
import pty
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "projections", "customer_orders"))
import model  # noqa: E402

PROGRAM = os.path.abspath(os.environ.get("VIEWFOLD_PROGRAM", os.path.join(ROOT, "build", "viewfold")))
CASES = []


def case(function):
    CASES.append(function)
    return function


def run(*arguments, cwd=os.path.join(HERE, "fixtures"), environment=None):
    done = subprocess.run(
        [PROGRAM, "test", *arguments],
        cwd=cwd,
        capture_output=True,
        timeout=120,
        # libmongoc, which the program is linked with, warns where a killed process of the same number left its counters.
        env={"PATH": "/usr/bin:/bin", "MONGOC_DISABLE_SHM": "1", **(environment or {})},
    )
    # What libmongoc says where a process that was killed had the same number, before main runs.
    err = [line for line in done.stderr.decode().splitlines(True) if "mongoc: Falling back to malloc" not in line]
    return done.returncode, done.stdout.decode(), "".join(err)


def steady(text):
    """Without what a run's speed decides, and without the ends of messages that are the engine's own."""
    for begins in (
        r": a gap: version \d+ came after \d+",
        r"`count` is assigned to",
        r"more than 10000000 instructions",
    ):
        text = re.sub(f"({begins}).*", r"\1...", text)
    text = re.sub(r"\b\d+ ms\b", "N ms", text)
    text = re.sub(r'time="[\d.]+"', 'time="N"', text)
    return re.sub(r"\b\d+\.\d{3} s\b", "N s", text)


def same(name, got):
    with open(os.path.join(HERE, "expected", name), encoding="utf-8") as file:
        wanted = file.read()
    if got != wanted:
        diff = difflib.unified_diff(wanted.splitlines(), got.splitlines(), f"expected/{name}", "got", lineterm="")
        raise AssertionError("\n" + "\n".join(diff))


def output(name, status, *arguments, **how):
    """The whole output, stderr behind stdout, is what expected/NAME has."""
    code, out, err = run(*arguments, **how)
    same(name, steady(out) + ("--- stderr\n" + steady(err) if err else ""))
    assert code == status, f"exit {code}, expected {status}"


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


PLAIN = 'return { name = "plain", topics = { "things" }, key = { thing = own }, on = { Set = function(doc, e) doc.n = e.data.n end } }\n'
GOOD = "- name: set\n  given: [{event: thing/1@1 Set, data: {n: 1}}]\n  expect: {1: {n: 1}}\n"


@case
def good_tests_pass():
    output("values.txt", 0, "values.lua", "no_versions.lua")


@case
def numbers_are_what_tokens_say():
    output("numbers.txt", 1, "numbers.lua")


@case
def failures_are_shown_as_differences_with_types():
    output("reports.txt", 1, "reports.lua", "--coverage")


@case
def coverage_tells_handlers_of_a_kind_links_and_upcasts_apart():
    output("covered.txt", 0, "covered.lua", "--coverage")


@case
def what_moves_is_shared_with_nobody():
    output("moves.txt", 0, "moves.lua", "--coverage")


@case
def differences_are_told_where_they_are():
    output("differences.txt", 1, "differences.lua")


@case
def an_aggregate_that_has_to_come_wholly_first_is_found():
    output("one_before_all.txt", 1, "one_before_all.lua")


@case
def of_a_pairs_history_only_what_it_needs_is_shown():
    output("after_some.txt", 1, "after_some.lua")


@case
def sums_that_round_otherwise_are_told_apart_from_other_faults():
    output("rounding.txt", 1, "rounding.lua")


@case
def a_view_that_depends_on_an_order_is_shown_the_smallest_pair():
    output("last_wins.txt", 1, "last_wins.lua")


@case
def a_pair_far_apart_is_found_and_made_small():
    output("far_apart.txt", 1, "far_apart.lua")


@case
def without_other_orders_it_is_not_found():
    code, out, _ = run("far_apart.lua", "--interleavings", "0")
    assert code == 0, out


@case
def an_order_that_fails_is_shown_with_its_error():
    output("needs_customer.txt", 1, "needs_customer.lua")


@case
def a_table_in_two_places_is_found_by_cutting_batches():
    output("shared_table.txt", 1, "shared_table.lua")


@case
def a_handler_that_never_ends_meets_its_limit():
    output("endless.txt", 1, "endless.lua")


@case
def a_script_that_is_refused_is_no_reason_to_leave_out_the_others():
    output("refused.txt", 78, "counts_in_a_local.lua", "no_versions.lua")


@case
def another_event_with_a_version_that_is_taken_is_no_repeat():
    output("bad_repeats.txt", 78, os.path.join("..", "bad", "repeats.test.yaml"))


@case
def a_bad_test_file_is_told_line_by_line():
    output("bad.txt", 78, os.path.join("..", "bad", "reports.test.yaml"))
    output("bad_values.txt", 78, os.path.join("..", "bad", "values.test.yaml"))


@case
def a_test_file_that_is_no_yaml_says_where():
    for text, message in (
        ("", "x.test.yaml: the file is empty"),
        ("[]", "x.test.yaml:1:1: there is no test in this file"),
        ("name: x", "x.test.yaml:1:1: this is no list of tests"),
        ("- name: [", "x.test.yaml:2:1: this is not YAML"),
        ("- {name: a, given: [], expect: {}}\n- {name: a, given: [], expect: {}}", "x.test.yaml:2:3: a test of this name"),
        ("--- \n- {name: a, given: [], expect: {}}\n---\n[]", "x.test.yaml:3:1: one YAML document is taken"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "x.lua", PLAIN)
            write(folder, "x.test.yaml", text)
            code, _, err = run(cwd=folder)
            assert code == 78 and err.startswith(message), (text, code, err)


CARDS = """
return { name = "c", topics = { "cards", "accounts" },
  key = { account = link { Opened = "to" }, card = link { Issued = through("account", "account") } },
  on = { Issued = function(doc) doc.n = 1 end, Used = function(doc) doc.n = doc.n + 1 end } }
"""
HELD = """
- name: a card
  given:
    - card/1@1 Issued: {account: "9"}
    - card/1@2 Used
    - card/2@1 Used
    - card/2@2 Used
  expect: {x: {n: 2}}
"""


@case
def an_event_that_is_held_to_the_end_is_named():
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "c.lua", CARDS)
        write(folder, "c.test.yaml", HELD)
        code, out, _ = run(cwd=folder)
        assert code == 1 and (
            "Not taken in, as a link is not known: card/1@1 Issued (c.test.yaml:4), which waits for that of account/9; "
            "card/1@2 Used (c.test.yaml:5); card/2@1 Used (c.test.yaml:6); and 1 more."
        ) in " ".join(out.split()), out
        linked = HELD.replace("given:", "given:\n    - account/9@1 Opened: {to: x}").replace("    - card/2@1 Used\n    - card/2@2 Used\n", "")
        write(folder, "c.test.yaml", linked)
        code, out, _ = run(cwd=folder)
        assert code == 0, out


@case
def tap_is_tap():
    files = ("values.lua", "last_wins.lua", "reports.lua", "counts_in_a_local.lua")
    output("tap.txt", 78, "--format", "tap", *files)
    points = read_tap(run("--format", "tap", *files)[1])
    assert [point["ok"] for point in points].count(True) == 7 and len(points) == 14
    fails = next(point for point in points if point["name"] == "reports: a handler that fails")
    assert fails["message"].startswith("an event cannot be taken in\npart/1@2 Failed (reports.test.yaml:14)\n  reports.lua:10: no 1\n")


def read_tap(text):
    """TAP 14, strictly: the points, each with its YAML block's message or None, and its comments. No subtests, no pragmas."""
    lines = text.split("\n")
    assert lines[0] == "TAP version 14" and lines.pop() == "", lines[:1]
    plans = [line for line in lines if re.fullmatch(r"1\.\.\d+", line)]
    assert len(plans) == 1 and lines[-1] == plans[0], plans
    points, at = [], 1
    while at < len(lines) - 1:
        if lines[at].startswith("# "):
            points[-1]["comments"].append(lines[at][2:])
            at += 1
            continue
        point = re.fullmatch(r"(not )?ok (\d+) - ((?:[^\\#]|\\[\\#])+)", lines[at])
        assert point and int(point[2]) == len(points) + 1, lines[at]
        name = re.sub(r"\\([\\#])", r"\1", point[3])
        points.append({"ok": not point[1], "name": name, "message": None, "comments": []})
        at += 1
        if lines[at] == "  ---":
            end = lines.index("  ...", at)
            assert lines[at + 1] == "  message: |" and end > at + 2, lines[at:end]
            assert re.match(r"    [^ ]", lines[at + 2]), lines[at + 2]  # this line says how far the block is indented
            assert all(line.startswith("    ") for line in lines[at + 2 : end]), lines[at:end]
            assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", "".join(lines[at:end])), lines[at:end]
            points[-1]["message"] = "".join(line[4:] + "\n" for line in lines[at + 2 : end])
            at = end + 1
    assert plans[0] == f"1..{len(points)}", plans
    return points


NASTY_LUA = (
    'return { name = "nasty", topics = { "t" }, key = { thing = own }, on = { Set = function(doc, e)'
    ' doc.text = e.data.text; log(e.data.text); if e.data.fail then error(e.data.text) end end } }\n'
)
NASTY_TEXTS = (
    "# TODO not at all", "ok 1 - x\nnot ok 2\n1..7", "]]>&<b a='\"'>&#0;", "\x01\x1b[31m\x7f\x85", "\ufffe\uffff\U0001f600",
    "\n\n  ---\n  ...\n", "back\\slash # hash", " leads", "",
)  # fmt: skip


def quoted(text):
    """As YAML, whose escapes know no surrogates."""
    escaped = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", escaped)


@case
def every_report_holds_every_text():
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "nasty & <x>/nasty.lua", NASTY_LUA)
        tests = []
        for i, text in enumerate(NASTY_TEXTS):
            for fail in ("false", "true"):
                name, data = quoted(f"{i} {text} {fail}"), f"{{text: {quoted(text)}, fail: {fail}}}"
                tests.append(f"- {{name: {name}, given: [thing/{i}@1 Set: {data}], expect: {{{i}: {{text: other}}}}}}\n")
        write(folder, "nasty & <x>/nasty.test.yaml", "".join(tests))
        code, out, err = run("--format", "tap", cwd=folder)
        points = read_tap(out)
        assert code == 1 and len(points) == len(tests) and not any(point["ok"] for point in points), (out, err)
        assert points[0]["name"] == "nasty: 0 # TODO not at all false", points[0]
        assert points[12]["name"] == "nasty: 6 back\\slash # hash false", points[12]
        assert points[0]["comments"] == ["log thing/0@1 Set: # TODO not at all"], points[0]
        assert '+ got       "# TODO not at all"' in points[0]["message"], points[0]
        assert all(point["message"] for point in points)
        code, out, _ = run("--format", "junit", cwd=folder)
        root = xml.etree.ElementTree.fromstring(out)
        cases = root.findall("testsuite/testcase")
        assert code == 1 and len(cases) == len(tests) == int(root.get("failures"))
        assert cases[4].get("name") == "2 ]]>&<b a='\"'>&#0; false" and cases[2].get("name") == "1 ok 1 - x\nnot ok 2\n1..7 false"
        assert {one.get("type") for one in root.iter("failure")} == {"unexpected", "not_taken"}
        assert len({(one.get("classname"), one.get("name")) for one in cases}) == len(cases)
        code, out, _ = run("--json", cwd=folder)
        lines = [json.loads(line) for line in out.split("\n")[:-1]]
        assert code == 1 and [line["name"] for line in lines[::2]] == [f"{i} {text} false" for i, text in enumerate(NASTY_TEXTS)]
        assert [line["failure"]["differences"][0]["right"] for line in lines[::2]] == list(NASTY_TEXTS)


@case
def no_test_at_all_is_still_a_report():
    code, out, _ = run("--format", "tap", "values.lua", "--filter", "no such test")
    assert code == 66 and out == "TAP version 14\n1..0\n", out
    code, out, _ = run("--format", "junit", "values.lua", "--filter", "no such test")
    assert code == 66 and len(xml.etree.ElementTree.fromstring(out)) == 0, out


@case
def junit_counts_what_it_holds():
    code, out, err = run("--format", "junit", "values.lua", "last_wins.lua", "reports.lua", "counts_in_a_local.lua")
    assert code == 78
    root = xml.etree.ElementTree.fromstring(out)
    cases = root.findall("testsuite/testcase")
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("14", "6", "1"), root.attrib
    assert len(cases) == 14 and len(root.findall("testsuite/testcase/failure")) == 6
    assert [suite.get("name") for suite in root] == [
        "values.test.yaml", "last_wins.test.yaml", "reports.test.yaml", "counts_in_a_local.test.yaml",
    ]  # fmt: skip
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase")), suite.attrib
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure")), suite.attrib
    fails = next(one for one in cases if one.get("name") == "a handler that fails")
    assert "reports.lua:10: no 1\n" in fails.find("failure").text
    assert fails.find("system-out").text == "log part/1@2 Failed: before it fails\n"
    assert "7 tests passed, 6 failed, 1 file could not be run" in err


@case
def json_is_a_line_a_test_with_sorted_keys():
    def in_order(pairs):
        assert [key for key, _ in pairs] == sorted(key for key, _ in pairs), pairs
        return dict(pairs)

    for flags in (("--json",), ("--format", "json")):
        code, out, _ = run(*flags, "--coverage", "last_wins.lua", "reports.lua", "counts_in_a_local.lua")
        lines = [json.loads(line, object_pairs_hook=in_order) for line in out.splitlines()]
        assert code == 78 and len(lines) == 2 + 1 + 5 + 1 + 1
    order = lines[0]
    assert order["name"] == "two orders of one customer" and order["line"] == 1 and not order["ok"]
    assert order["failure"]["kind"] == "unordered"
    assert order["failure"]["order_left"] == ["order/o1@1 OrderCreated", "order/o2@1 OrderCreated"]
    assert order["failure"]["order_right"] == ["order/o2@1 OrderCreated", "order/o1@1 OrderCreated"]
    assert order["failure"]["differences"] == [{"document": "c1", "path": "last", "left": "o2", "right": "o1"}]
    assert lines[1]["ok"] and lines[1]["failure"] is None and lines[1]["orders"] == 0 and lines[1]["all_orders"]
    fails = next(line for line in lines if line.get("name") == "a handler that fails")
    assert fails["failure"]["event"] == "part/1@2 Failed" and fails["failure"]["kind"] == "not_taken"
    assert fails["log"] == [{"event": "part/1@2 Failed", "text": "before it fails"}]
    never = [part["name"] for part in lines[-2]["coverage"] if not part["met"]]
    assert never == ["Never"], lines[-2]
    assert lines[-1]["file"] == "counts_in_a_local.test.yaml" and "`count` is assigned to" in lines[-1]["message"]
    code, out, _ = run("--json", os.path.join("..", "bad", "reports.test.yaml"))
    first = json.loads(out.splitlines()[0])
    assert code == 78 and (first["line"], first["column"], first["hint"]) == (2, 3, "did you mean given?"), first


def random_test(random, name):
    """A test of customer_orders as YAML: events in some order, and what its model makes of them."""
    streams, records, versions, given = [], [], {}, []
    customers = [f"c{i}" for i in range(random.randint(1, 3))]
    for customer in customers:
        if random.random() < 0.8:
            data = {"name": customer.upper(), "creditLimit": {"amount": str(random.randint(1, 99))}}
            streams.append([("customer", customer, "CustomerCreated", data)])
    for order in range(random.randint(1, 5)):
        data = {"customerId": random.choice(customers), "orderTotal": {"amount": str(random.randint(1, 999))}}
        later = random.sample(["OrderApproved", "OrderRejected", "OrderShipped", "OrderCancelled"], random.randint(0, 3))
        streams.append([("order", f"o{order}", "OrderCreated", data), *(("order", f"o{order}", one, None) for one in later)])
    while streams:
        kind, id, type, data = random.choice(streams).pop(0)
        streams = [stream for stream in streams if stream]
        version = versions[kind, id] = versions.get((kind, id), 0) + 1
        records.append({"value": json.dumps({"kind": kind, "id": id, "version": version, "type": type, "data": data})})
        given.append(f"    - {kind}/{id}@{version} {type}" + (f": {json.dumps(data)}" if data else ""))
    expected = {id: document["document"] for id, document in model.fold(records).items()}
    return f"- name: {name}\n  given:\n" + "\n".join(given) + f"\n  expect: {json.dumps(expected)}\n"


@case
def nothing_is_blamed_that_the_model_agrees_with():
    with tempfile.TemporaryDirectory() as folder:
        sample = os.path.join(ROOT, "projections", "customer_orders", "customer_orders.lua")
        with open(sample, encoding="utf-8") as file:
            write(folder, "customer_orders.lua", file.read())
        for seed in range(2):
            tests = [random_test(random.Random(seed * 100 + i), i) for i in range(5)]
            write(folder, "customer_orders.test.yaml", "".join(tests))
            code, out, err = run("--interleavings", "60", cwd=folder)
            assert code == 0 and out.count("  ok  ") == 5, (seed, out, err)


@case
def a_filter_takes_names_and_files():
    _, out, _ = run("--json", "--filter", "gap")
    assert [json.loads(line)["name"] for line in out.splitlines() if '"name"' in line] == ["a gap"]
    _, out, _ = run("--json", "--filter", "last_wins")
    assert len([line for line in out.splitlines() if '"name"' in line]) == 2
    code, out, err = run("values.lua", "--filter", "no such test")
    assert code == 66 and "no test's name, nor its file's, holds \"no such test\"" in err, err


@case
def colours_come_when_asked_for():
    _, plain, _ = run("reports.lua")
    _, colored, _ = run("reports.lua", "--color", "always")
    assert "\x1b" not in plain and "\x1b[31m- expected  1.0  (float)\x1b[0m" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored).splitlines()[:40] == plain.splitlines()[:40]


def run_on_a_terminal(*arguments, environment=None):
    """What a terminal gets to see of it."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [PROGRAM, "test", *arguments],
        cwd=os.path.join(HERE, "fixtures"),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", **(environment or {})},
    )
    os.close(theirs)
    got = b""
    try:
        while more := os.read(ours, 65536):
            got += more
    except OSError:  # Linux: the other side is closed
        pass
    os.close(ours)
    done.wait(120)
    return got.decode()


@case
def colours_are_for_terminals():
    colored = run_on_a_terminal("last_wins.lua")
    assert "\x1b[31m" in colored and "\x1b[32m" in colored, colored
    assert re.sub(r"\x1b\[\d+m", "", colored).find("last_wins.test.yaml\r\n  FAIL    two orders") >= 0, colored
    assert "\x1b" not in run_on_a_terminal("last_wins.lua", environment={"NO_COLOR": "1"})
    assert "\x1b" not in run_on_a_terminal("last_wins.lua", "--color", "never")
    assert "\x1b" not in run_on_a_terminal("last_wins.lua", "--format", "tap")
    assert "\x1b" not in run_on_a_terminal("last_wins.lua", "--json")
    assert "\x1b[3" in run_on_a_terminal("last_wins.lua", "--color", "always", environment={"NO_COLOR": "1"})


@case
def a_terminal_is_never_sent_what_an_id_or_a_script_says():
    with tempfile.TemporaryDirectory() as folder:
        write(
            folder,
            "x.lua",
            'return { name = "x", topics = { "t" }, key = { thing = own },'
            ' on = { Set = function(doc, e) doc["\\27[2J"] = e.id; log("\\27[2J\\255"); if e.data then error("\\27[2J") end end } }\n',
        )
        write(
            folder,
            "x.test.yaml",
            '- {name: "a\\e[2J", given: ["thing/\\e[2J@1 Set"], expect: {}}\n'
            '- {name: "b", given: [{event: thing/1@1 Set, data: 1}], expect: {}}\n',
        )
        for flags in ((), ("--format", "tap"), ("--format", "junit"), ("--json",)):
            code, out, _ = run(*flags, cwd=folder)
            assert code == 1 and "\x1b" not in out, out


@case
def paths_are_files_scripts_and_folders():
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "a/plain.lua", PLAIN)
        write(folder, "a/plain.test.yaml", GOOD)
        write(folder, "a/b/plain.lua", PLAIN)
        write(folder, "a/b/plain.test.yaml", GOOD)
        write(folder, "a/untested.lua", PLAIN)
        write(folder, ".hidden/plain.test.yaml", GOOD)
        write(folder, "orphan.test.yaml", GOOD)
        write(folder, "empty/readme", "")
        everything = ["a/b/plain.test.yaml", "a/plain.test.yaml"]
        for arguments, status, files, message in (
            (["a"], 0, everything, ""),
            (["a/"], 0, everything, ""),
            ([os.path.join(folder, "a", "b")], 0, [os.path.join(folder, "a/b/plain.test.yaml")], ""),
            (["a/plain.lua", "a/plain.test.yaml"], 0, ["a/plain.test.yaml"], ""),
            ([], 66, everything, "orphan.test.yaml: the script that it tests is not beside it"),
            (["a/untested.lua", "a"], 66, everything, "a/untested.lua: it has no tests"),
            (["nothing.lua"], 66, [], "nothing.lua: No such file or directory"),
            (["empty"], 66, [], "empty: no test file"),
            (["empty/readme"], 64, [], "empty/readme: a test file (X.test.yaml), a script (X.lua) or a folder is wanted"),
        ):
            code, out, err = run("--json", *arguments, cwd=folder)
            assert code == status, (arguments, code, err)
            assert [json.loads(line)["file"] for line in out.splitlines()] == files, (arguments, out)
            assert message in err, (arguments, err)


@case
def without_paths_the_configuration_says_which():
    with tempfile.TemporaryDirectory() as folder:
        write(folder, "in/plain.lua", PLAIN)
        write(folder, "in/plain.test.yaml", GOOD)
        write(folder, "in/untested.lua", PLAIN)
        write(folder, "other.lua", PLAIN)
        write(folder, "other.test.yaml", GOOD)
        # Nothing else of it is read: no variable need be set, no server named.
        write(
            folder,
            "viewfold.yaml",
            "kafka: {brokers: ['${env:NOT_SET_ANYWHERE}']}\nprojections:\n  - {script: in/plain.lua, stores: [cache]}\n"
            "  - script: in/untested.lua\n",
        )
        code, out, err = run("--json", cwd=folder)
        assert code == 0 and [json.loads(line)["file"] for line in out.splitlines()] == ["in/plain.test.yaml"], (out, err)
        assert "in/untested.lua has no tests: in/untested.test.yaml beside it" in err
        code, out, _ = run("--json", "-c", os.path.join(folder, "viewfold.yaml"), cwd="/")
        assert code == 0 and json.loads(out)["file"] == os.path.join(folder, "in/plain.test.yaml")
        code, _, err = run("-c", "nowhere.yaml", cwd=folder)
        assert code == 66 and "nowhere.yaml" in err
        write(folder, "viewfold.yaml", "projections: 5\n")
        code, _, err = run(cwd=folder)
        assert code == 78 and "no projections can be read from it" in err


@case
def the_page_shows_what_comes_out():
    with open(os.path.join(ROOT, "docs", "testing-projections.md"), encoding="utf-8") as file:
        page = file.read()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    tests, shown = [text for kind, text in blocks if kind == "yaml"], [text for kind, text in blocks if not kind]
    with tempfile.TemporaryDirectory() as folder, open(
        os.path.join(ROOT, "projections", "customer_orders", "customer_orders.lua"), encoding="utf-8"
    ) as sample:
        write(folder, "customer_orders.lua", sample.read())
        write(folder, "customer_orders.test.yaml", tests[0])
        _, out, _ = run(cwd=folder)
        assert steady("$ viewfold test\n" + out) == steady(shown[0]), out
        write(folder, "customer_orders.test.yaml", f"- name: the long form\n  given:\n{tests[1]}  expect: {{}}\n")
        _, out, _ = run(cwd=folder)
        assert "the view is not the expected one" in out, out
    assert shown[1].rstrip("\n") in run("last_wins.lua")[1], shown[1]


@case
def help_says_how():
    _, out, _ = run("--help")
    for word in ("--filter TEXT", "--format text|tap|junit|json", "--coverage", "--interleavings N", "X.test.yaml"):
        assert word in out, out
    code, _, err = run("--interleavings", "-1")
    assert code == 64, err


def main():
    wanted = sys.argv[1:]
    failed = 0
    for function in CASES:
        if wanted and function.__name__ not in wanted:
            continue
        try:
            function()
            print(f"ok    {function.__name__}")
        except AssertionError as error:
            failed += 1
            print(f"FAIL  {function.__name__}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
