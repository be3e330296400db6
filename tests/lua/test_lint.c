/* lint: everything that is wrong in a script, with line and column; and nothing about a script that is fine. */
#include "lua/lua_test.h"

#include "lua/scan.h"

#include <stdio.h>
#include <stdlib.h>

static struct vf_buffer said;

static void gather(void *self, const struct vf_script_finding *found)
{
    (void)self;
    vf_buffer_printf(&said, "%s:%d:%d: %s%s%s%s\n", found->file, (int)found->line, (int)found->column,
                     found->note ? "note: " : "", found->message, found->hint ? " | " : "",
                     found->hint ? found->hint : "");
}

static void expect_files(const struct test_file *files, const char *wanted)
{
    const struct vf_script_reader reader = {.read = read_test_file, .self = (void *)(uintptr_t)files};
    struct vf_projector *projector = NULL;
    vf_buffer_init(&said);
    vf_buffer_add_text(&said, "");
    LUA->lint("view.lua", &reader, &test_limits, gather, NULL, &projector);
    if (strcmp(said.data, wanted) != 0) {
        fprintf(stderr, "said:\n%swanted:\n%s", said.data, wanted);
        fail();
    }
    vf_buffer_done(&said);
    LUA->close(projector);
}

static void expect(const char *text, const char *wanted)
{
    expect_files((const struct test_file[]){{"view.lua", text, 0}, {NULL, NULL, 0}}, wanted);
}

#define HEAD "name = 'v', topics = {'t'}, key = { a = own }, "

static void a_script_that_is_fine_has_no_findings(void **state)
{
    (void)state;
    expect("local function add(n) return function(doc) doc.n = (doc.n or 0) + n end end\n"
           "local names <const> = { 'a', [3] = 'b'; c = 1 }\n"
           "return { " HEAD "initial = { list = array {} },\n"
           "  on = { Up = add(1), Down = add(-1),\n"
           "    All = function(doc, e)\n"
           "      for k, v in pairs(e.data) do doc[k] = v end\n"
           "      for i = 1, #names do local x <const> = i; doc.x = x // 2 ~ 1 end\n"
           "      local i = 0\n"
           "      repeat local done = i > 3; i = i + 1; if done then goto out end until done\n"
           "      ::out:: while not doc.z do doc.z = -i ^ 2 .. [==[ ]] x = 1 ]==] end\n"
           "      local t = { f = function(self, ...) return select('#', ...), self end }\n"
           "      doc.q = t:f 'x' + t.f(t, { 1, 2 }) -- y = 3\n"
           "      doc.d, doc.e = date(e.time), string.format('%d', 0x1p4 // 1)\n"
           "      if doc.a then return elseif doc.b then doc.c = null else log('x') end\n"
           "    end } }\n",
           "");
}

static void every_wrong_part_of_the_table_is_found(void **state)
{
    (void)state;
    expect(
        "return {\n"
        "  name = 'Bad', verison = 2, ttl = '3 days',\n"
        "  topics = { 't', 't' },\n"
        "  key = { order = 'a..b', item = own, customer = 7 },\n"
        "  on = { order = 1,\n"
        "    Made = function() end, Gone = 'x', Kind = { Made = function() end } },\n"
        "  versions = 'all', initial = 3,\n"
        "}\n",
        "view.lua:2:17: a projection has no field `verison` | did you mean `version`?\n"
        "view.lua:2:3: `name` is \"Bad\": a name begins with a letter a-z and goes on with a-z, 0-9 and _\n"
        "view.lua:3:3: `topics` names \"t\" twice\n"
        "view.lua:4:39: key.customer: a route is own, a field's name, link { Type = route }, through(\"kind\", \"field\") or a "
        "function\n"
        "view.lua:4:11: key.order: \"a..b\" is no field of the event's data (\"customerId\", \"a.b\")\n"
        "view.lua:6:28: on.Gone is a string: a handler is a function(doc, e)\n"
        "view.lua:6:40: on.Kind is a table, which holds the handlers for one kind, and `key` has no kind \"Kind\"\n"
        "view.lua:5:10: on.order is a number: a handler is a function(doc, e)\n"
        "view.lua:7:3: `versions` is \"document\", \"record\" or \"none\"\n"
        "view.lua:2:30: `ttl` is a whole number with its unit (ms, s, m, h or d), more than none: ttl = \"30d\"\n"
        "view.lua:7:21: `initial` is a table with names: the body of a document that does not exist yet\n");
}

static void names_that_nobody_declares_are_found_before_an_event_comes(void **state)
{
    (void)state;
    expect("local helper = 1\n"
           "return { " HEAD "on = { X = function(doc, e)\n"
           "  dco.x = e.id\n"
           "  total = helpr\n"
           "  function sum() end\n"
           "  doc.y = string.fomat('%d', 1) + math.random()\n"
           "  print(os.time()) prnit(1)\n"
           "  local mine = 1\n"
           "end } }\n",
           "view.lua:3:3: there is no global `dco` | did you mean `doc`?\n"
           "view.lua:4:3: the global `total` is set, and there are no globals here: write `local total`\n"
           "view.lua:4:11: there is no global `helpr` | did you mean `helper`?\n"
           "view.lua:5:12: the global `sum` is set, and there are no globals here: write `local sum`\n"
           "view.lua:6:11: there is no `string.fomat` here | did you mean `format`?\n"
           "view.lua:6:35: there is no `math.random` here\n"
           "view.lua:7:3: there is no `print` here: use log(...)\n"
           "view.lua:7:9: there is no `os` here: a projection has no I/O, no clock and no metatables\n"
           "view.lua:7:20: there is no global `prnit`\n"
           "view.lua:8:9: note: nothing reads the local `mine`\n"
           "view.lua:1:7: note: nothing reads the local `helper`\n");
}

static void a_syntax_error_has_its_column(void **state)
{
    (void)state;
    expect("return { name = 'v',, topics = {} }", "view.lua:1:21: unexpected symbol near ','\n");
    expect("return {\n  a = b c,\n}", "view.lua:2:9: '}' expected (to close '{' at line 1) near 'c'\n");
    expect("return {", "view.lua:1:9: unexpected symbol near <eof>\n");
    expect("x = = 1", "view.lua:1:5: unexpected symbol near '='\n");
    expect("goto nowhere", "view.lua:1:6: no visible label 'nowhere' for <goto> at line 1\n");
}

static void what_fails_while_it_is_loaded_has_its_line(void **state)
{
    (void)state;
    expect("local x\nreturn { " HEAD "on = {},\n  initial = { a = x.y } }",
           "view.lua:3:19: attempt to index a nil value (local 'x')\n");
    expect("return { " HEAD "on = {},\n key2 = through('a', 'b') }",
           "view.lua:2:2: a projection has no field `key2` | did you mean `key`?\n");
    expect("", "view.lua:0:0: the file returns no table: it ends with return { name = ..., key = ..., on = ... }\n");
    expect("while true do end",
           "view.lua:1:1: the call took more than 10000000 instructions (limits.lua_instructions)\n");
}

static void one_fault_hides_no_other(void **state)
{
    (void)state;
    expect(
        "return { name = 'V', topics = {'t'}, key = {\n"
        "  item = 7 },\n"
        "  on = { X = 1, itme = { order = function() end }, item = { X = 2, Y = 3 } }, upcast = { A = 1, B = {} } }",
        "view.lua:1:10: `name` is \"V\": a name begins with a letter a-z and goes on with a-z, 0-9 and _\n"
        "view.lua:2:3: key.item: a route is own, a field's name, link { Type = route }, through(\"kind\", \"field\") or a "
        "function\n"
        "view.lua:3:10: on.X is a number: a handler is a function(doc, e)\n"
        "view.lua:3:61: on.item.X is a number: a handler is a function(doc, e)\n"
        "view.lua:3:68: on.item.Y is a number: a handler is a function(doc, e)\n"
        "view.lua:3:17: on.itme is a table, which holds the handlers for one kind, and `key` has no kind \"itme\" | did "
        "you mean `item`?\n"
        "view.lua:3:90: upcast.A is a number: an upcast is a function(e), which changes e.type and e.data\n"
        "view.lua:3:97: upcast.B is a table: an upcast is a function(e), which changes e.type and e.data\n");
}

static void what_follows_another_is_remarked_on(void **state)
{
    (void)state;
    expect("return { name = 'v', topics = {'t'}, unlinked = 'hold', key = { a = own }, on = {} }",
           "view.lua:1:38: note: `unlinked` says nothing here: no route of `key` is a link or through\n");
    expect(
        "return { name = 'v', topics = {'t'}, key = {\n"
        "  account = link { Opened = 'c', Given = 'to' },\n"
        "  card = link {\n"
        "    Issued = through('account', 'a') },\n"
        "  payment = through('card', 'card'),\n"
        "  loan = link { Taken = through('accuont', 'a') },\n"
        "  day = own, visit = through('day', 'day'),\n"
        "  x = through('y', 'y'), y = link { Y = through('x', 'x') } }, on = {} }",
        "view.lua:4:5: note: key.card: when its account moves later, the card stays where it is: through is followed once, "
        "when the event comes\n"
        "view.lua:6:3: key.loan: through(\"accuont\", ...) follows a kind that `key` does not list: each kind's link is "
        "remembered only where `key` says it\n"
        "view.lua:5:3: note: key.payment: its card only follows others' links itself: events wait until all of them are "
        "known\n"
        "view.lua:7:14: key.visit: through(\"day\", \"day\") follows a link, and key.day is own: the field itself is the "
        "document, so write \"day\" instead\n"
        "view.lua:8:3: note: key.x: its y only follows others' links itself: events wait until all of them are known\n"
        "view.lua:8:37: note: key.y: its x only follows others' links itself: events wait until all of them are known\n"
        "view.lua:8:3: key.x: its links only follow others' links, in a circle: no event says a document, and all of them "
        "would wait for ever\n"
        "view.lua:8:26: key.y: its links only follow others' links, in a circle: no event says a document, and all of them "
        "would wait for ever\n");
}

#define LINKED "name = 'v', topics = {'t'}, key = { order = link { A = 'a', B = 'b' } }, "

static void from_is_looked_at_before_it_is_used(void **state)
{
    (void)state;
    expect(
        "local function moved(doc, e, from) doc.x = from.x end\n"
        "local function other(doc, e, from) doc.x = from.x end\n"
        "return { " LINKED "on = { A = moved, B = function(doc, e, left)\n"
        "  doc.n = doc.n or 0\n"
        "  left.orders[e.id] = nil end } , initial = { x = other and 1 } }",
        "view.lua:1:44: note: `from` is used without a look whether it is nil, as it is for an event that moves nothing: the "
        "first link, and one to the document in which the aggregate already is\n"
        "view.lua:5:3: note: `left` is used without a look whether it is nil, as it is for an event that moves nothing: the "
        "first link, and one to the document in which the aggregate already is\n");
    static const char *const fine[] = {
        "if from then doc.x = from.x end",
        "doc.x = from and from.x",
        "if not from then return end doc.x = from.x",
        "from = from or {} doc.x = from.x",
        "doc.x = (from or {}).x",
        "other(from) doc.x = from.x",
        "if from == nil then return end doc.x = from.x",
        "doc.x = e.data.from",
        "local from = doc doc.x = from.x",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        expect(vf_arena_printf(test_arena,
                               "local function other(x) return x end\nreturn { " LINKED
                               "initial = { x = 1 }, on = { A = function(doc, e, from) other() %s end } }",
                               fine[i])
                   .data,
               "");
}

static void an_index_over_what_nobody_sets_is_remarked_on(void **state)
{
    (void)state;
    expect(
        "return { " HEAD "initial = { open = 1, n = 1 }, indexes = {\n"
        "  a = { sort = 'creatd', by = 'city',\n"
        "        where = 'open' }, b = { sort = 'n' } },\n"
        "  on = { X = function(doc, e) doc.created, doc['city'] = e.data.creatd, 'b' end } }",
        "view.lua:2:9: note: indexes.a: no handler sets the field `creatd`, nor does `initial`: no document is in this index\n"
        "view.lua:2:3: note: `initial` does not fit the index, and no document goes into it unless a handler sets it: index "
        "`a`: its where is the field `open`, which is an integer, and a boolean is wanted\n");
    static const char *const fine[] = {
        "on = { X = function(doc, e) doc.created = 1 end }",
        "on = { X = function(doc, e) doc['created'] = 1 end }",
        "on = { X = function(doc, e) for k, v in pairs(e.data) do doc[k] = v end end }",
        "initial = { created = null }, on = {}",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        expect(
            vf_arena_printf(test_arena, "return { " HEAD "indexes = { a = { sort = 'created' } }, %s }", fine[i]).data,
            "");
    expect("local function fill(d) d.created = 1 end return { " HEAD "indexes = { a = { sort = 'created' } },\n"
           "on = { X = function(doc, e) fill(doc) end } }",
           "");
}

static void an_upcast_that_changes_nothing_is_remarked_on(void **state)
{
    (void)state;
    expect(
        "local function renamed(to) return function(e) e.type = to end end\n"
        "local function change(e) e.data.x = 1 end\n"
        "return { " HEAD "on = {}, upcast = {\n"
        "  A = function(e) e.type = 'A' end,\n"
        "  B = function(e) if e.schema == 1 then return end end,\n"
        "  C = function() end,\n"
        "  D = function(e) e.type = 'A' end,\n"
        "  E = function(e) change(e) end, F = renamed 'G', H = change,\n"
        "  I = function(e) e.type, e.data.x = 'X', 1 end, J = function(e) e.type = e.data.kind end,\n"
        "  K = function(e) e.type = \"Z\" end,\n"
        "} }",
        "view.lua:4:3: note: upcast.A leaves the event as it is: it sets e.type to no other type, and nothing of e.data\n"
        "view.lua:5:3: note: upcast.B leaves the event as it is: it sets e.type to no other type, and nothing of e.data\n"
        "view.lua:7:3: note: upcast.D makes it A, which is not upcast again: an upcast is chosen by the type that the event "
        "came with, and runs once\n"
        "view.lua:6:3: note: upcast.C leaves the event as it is: it sets e.type to no other type, and nothing of e.data\n");
}

static void state_outside_the_document_is_found(void **state)
{
    (void)state;
    vf_buffer_init(&said);
    vf_buffer_add_text(&said, "");
    const struct test_file files[] = {
        {"view.lua", "local seen = 0\nreturn { " HEAD "on = { X = function()\n  seen = seen + 1\nend } }", 0},
        {NULL, NULL, 0}};
    const struct vf_script_reader reader = {.read = read_test_file, .self = (void *)(uintptr_t)files};
    struct vf_projector *projector = NULL;
    LUA->lint("view.lua", &reader, &test_limits, gather, NULL, &projector);
    assert_text_has(said.data, "view.lua:3:3: `seen` is assigned to in a function that runs for events");
    vf_buffer_done(&said);
    LUA->close(projector);
}

static void modules_are_looked_at_too(void **state)
{
    (void)state;
    const struct test_file files[] = {
        {"view.lua", "local m = require 'lib.m'\nreturn { " HEAD "on = { X = m.f } }", 0},
        {"lib/m.lua", "local M = {}\nfunction M.f(doc) doc.x = mth.abs(1) end\nreturn M", 0},
        {NULL, NULL, 0}};
    expect_files(files, "lib/m.lua:2:27: there is no global `mth` | did you mean `math`?\n");
    const struct test_file missing[] = {
        {"view.lua", "local m = require 'lib.n'\nreturn { " HEAD "on = { X = m.f } }", 0}, {NULL, NULL, 0}};
    expect_files(missing, "view.lua:1:1: require \"lib.n\": there is no lib/n.lua beside the projection\n");
}

/* Whatever the text: the walk ends, and stays inside it. */
static void ignore(void *self, const struct vf_scanned_name *name)
{
    (void)self;
    assert_true(name->line >= 0);
}

static void a_text_that_is_no_lua_ends_the_walk(void **state)
{
    (void)state;
    static const char *const pieces[] = {"function(a, x, c)",
                                         "a",
                                         "a.type",
                                         ".type =",
                                         "c.",
                                         "a[",
                                         ".data",
                                         "function",
                                         "(",
                                         ")",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         "=",
                                         "local",
                                         "x",
                                         "for",
                                         "in",
                                         "do",
                                         "end",
                                         "repeat",
                                         "until",
                                         "if",
                                         "then",
                                         "else",
                                         "return",
                                         ",",
                                         ".",
                                         ":",
                                         "::",
                                         "'a'",
                                         "\"",
                                         "[[",
                                         "--",
                                         "--[[",
                                         "\n",
                                         "<",
                                         ">",
                                         "not",
                                         "1e",
                                         "0x",
                                         "..",
                                         "goto"};
    uint64_t random = 7;
    for (int round = 0; round < 20000; round++) {
        struct vf_buffer text;
        vf_buffer_init(&text);
        for (int i = 0; i < 12; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            vf_buffer_printf(&text, "%s ", pieces[(random >> 33) % (sizeof pieces / sizeof *pieces)]);
        }
        char *exact = vf_alloc(text.size); /* so that a step behind its end is seen */
        memcpy(exact, text.data, text.size);
        vf_lua_scan(vf_bytes(exact, text.size - 1), ignore, NULL);
        free(exact);
        vf_buffer_done(&text);
    }
    struct vf_buffer deep;
    vf_buffer_init(&deep);
    for (int i = 0; i < 100000; i++)
        vf_buffer_add_text(&deep, i % 2 ? "{" : "x = (");
    vf_lua_scan(vf_bytes(deep.data, deep.size), ignore, NULL);
    vf_buffer_done(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(a_script_that_is_fine_has_no_findings),
        A_TEST(every_wrong_part_of_the_table_is_found),
        A_TEST(names_that_nobody_declares_are_found_before_an_event_comes),
        A_TEST(a_syntax_error_has_its_column),
        A_TEST(what_fails_while_it_is_loaded_has_its_line),
        A_TEST(one_fault_hides_no_other),
        A_TEST(what_follows_another_is_remarked_on),
        A_TEST(from_is_looked_at_before_it_is_used),
        A_TEST(an_index_over_what_nobody_sets_is_remarked_on),
        A_TEST(an_upcast_that_changes_nothing_is_remarked_on),
        A_TEST(state_outside_the_document_is_found),
        A_TEST(modules_are_looked_at_too),
        A_TEST(a_text_that_is_no_lua_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
