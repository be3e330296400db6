/*
 * A handler keeps nothing between events but what is in the document. A batch is folded again after a conflict, and each
 * worker has its own Lua state: whatever else a script remembered would be counted twice in one worker, and be missing
 * in the next.
 */
#include "lua/lua_test.h"

#define VIEW "return { name = 'v', topics = {'t'}, key = { order = own }, on = {"

static void assert_refused(const char *text, const char *place, const char *name)
{
    if (try_open(text))
        fail_msg("opened: %s", text);
    assert_int_equal(test_error.code, VF_E_CONFIG);
    if (strncmp(test_error.text, place, strlen(place)) != 0)
        fail_msg("%s\n\"%s\" does not begin with \"%s\"", text, test_error.text, place);
    assert_text_has(test_error.text, name);
    assert_text_has(test_error.text, "Keep it in the document, or declare it inside the function");
}

static void a_variable_outside_that_a_handler_assigns_to_is_refused(void **state)
{
    (void)state;
    assert_refused("local count = 0\n" VIEW "\nHappened = function(doc)\ncount = count + 1 doc.n = count end } }",
                   "view.lua:4: ", "`count` is assigned to");
    /* Not on every path, and never in this test: it is enough that it could. */
    assert_refused("local last\n" VIEW "\nHappened = function(doc, e) if e.data.never then\nlast = e.id end end } }",
                   "view.lua:4: ", "`last`");
    /* The first of several. */
    assert_refused("local a, b\n" VIEW "\nHappened = function() local c c = 1\nb = 1\na = 1 end } }",
                   "view.lua:4: ", "`b`");
    /* A route is a function that runs for events, too. */
    assert_refused("local n = 0\nreturn { name = 'v', topics = {'t'}, on = {},\n"
                   "key = { order = function(e) n = n + 1 return e.id .. n end } }",
                   "view.lua:3: ", "`n`");
    assert_refused("local n = 0\nreturn { name = 'v', topics = {'t'}, on = {},\n"
                   "key = { order = link { Made = function(e) n = n + 1 return e.id .. n end } } }",
                   "view.lua:3: ", "`n`");
    /* And so are each of a link's routes, the handlers of one kind, and upcasts. */
    assert_refused(
        "local n = 0\nreturn { name = 'v', topics = {'t'}, on = {},\n"
        "key = { order = link { Made = 'a', Given = own, Moved = function(e) n = n + 1 return e.id .. n end } } }",
        "view.lua:3: ", "`n`");
    assert_refused("local n = 0\nreturn { name = 'v', topics = {'t'}, key = { order = own },\n"
                   "on = { order = { Made = function(doc) n = n + 1 doc.n = n end } } }",
                   "view.lua:3: ", "`n`");
    assert_refused("local n = 0\nreturn { name = 'v', topics = {'t'}, key = { order = own }, on = {},\n"
                   "upcast = { Made = function(e) n = n + 1 e.data.n = n end } }",
                   "view.lua:3: ", "`n`");
    assert_refused("local left\nreturn { name = 'v', topics = {'t'}, key = { order = own },\n"
                   "on = { Moved = function(doc, e, from) left = from end } }",
                   "view.lua:3: ", "`left`");
    /* A parameter, a loop's variable, a function's own name, all the names at once. */
    assert_refused("local function counter(n) return function(doc) n = n + 1 doc.n = n end end\n" VIEW
                   "Happened = counter(0) } }",
                   "view.lua:1: ", "`n`");
    assert_refused(
        "local on = {}\nfor i, name in ipairs { 'Happened' } do\non[name] = function(doc) i = i + 1 end end\n"
        "return { name = 'v', topics = {'t'}, key = { order = own }, on = on }",
        "view.lua:3: ", "`i`");
    assert_refused("local function f() return 1 end\n" VIEW "Happened = function(doc)\nf = nil end } }",
                   "view.lua:3: ", "`f`");
    assert_refused(VIEW "\nHappened = function(doc)\n_ENV = {} end } }", "view.lua:3: ", "`_ENV`");
    assert_refused("local function set(...) local first = ...\nreturn function(doc) first = doc end end\n" VIEW
                   "Happened = set(1, 2) } }",
                   "view.lua:2: ", "`first`");
}

static void a_function_that_only_another_one_reaches_is_looked_at_too(void **state)
{
    (void)state;
    assert_refused("local n = 0\nlocal function count()\nn = n + 1 return n end\n" VIEW
                   "Happened = function(doc) doc.n = count() end } }",
                   "view.lua:3: ", "`n`");
    /* Inside the handler another function does it, several deep. */
    assert_refused("local n = 0\n" VIEW "Happened = function(doc) local function a() local function b()\n"
                   "n = n + 1 end b() end a() end } }",
                   "view.lua:3: ", "`n`");
    /* Through a table, as a key, through a table's table, through a function that only returns it. */
    assert_refused("local n = 0\nlocal t = { f = function()\nn = n + 1 end }\n" VIEW
                   "Happened = function(doc) t.f() end } }",
                   "view.lua:3: ", "`n`");
    assert_refused("local n = 0\nlocal t = { { [function()\nn = n + 1 end] = true } }\n" VIEW
                   "Happened = function(doc) next(t[1])() end } }",
                   "view.lua:3: ", "`n`");
    assert_refused(
        "local n = 0\nlocal function outer() return function() return function()\nn = n + 1 end end end\n" VIEW
        "Happened = function(doc) outer()()() end } }",
        "view.lua:3: ", "`n`");
}

static void a_module_keeps_no_state_either(void **state)
{
    (void)state;
    struct test_file files[] = {
        {"view.lua", "local lib = require 'lib.ids'\n" VIEW "Happened = function(doc) doc.n = lib.next_id() end } }",
         0},
        {"lib/ids.lua",
         "local last = 0\nlocal M = {}\nfunction M.next_id()\nlast = last + 1\nreturn last end\nreturn M", 0},
        {NULL, NULL, 0}};
    assert_null(try_open_files(files));
    assert_text_has(test_error.text, "lib/ids.lua:4: `last` is assigned to");
    /* A module's own table is read-only when an event comes. */
    files[1].text = "local M = { last = 0 }\nfunction M.next_id()\nM.last = M.last + 1\nreturn M.last end\nreturn M";
    struct vf_projector *projector = try_open_files(files);
    assert_non_null(projector);
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_E_SCRIPT);
    assert_text_has(test_error.text, "lib/ids.lua:3: a table of the script is changed");
    LUA->close(projector);
}

static void an_iterator_that_remembers_is_refused(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "local step = ('a b c'):gmatch('%a')\n" VIEW "Happened = function(doc) doc.next = step() end } }",
        "local step = pairs({ 1, 2, 3 })\n" VIEW "Happened = function(doc) doc.next = step() end } }",
        "local t = { step = pairs({ 1, 2, 3 }) }\n" VIEW "Happened = function(doc) doc.next = t.step() end } }",
        "local t = { [('a b c'):gmatch('%a')] = 1 }\n" VIEW "Happened = function(doc) doc.next = next(t)() end } }",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        assert_null(try_open(scripts[i]));
        assert_text_has(test_error.text, "view.lua: an iterator of pairs or gmatch is kept outside");
    }
}

/* Opens it, has it happen twice, each with a new document, and wants the same body both times. */
static void assert_remembers_nothing(const char *text, const char *json)
{
    struct vf_projector *projector = open_script(text);
    for (int turn = 0; turn < 2; turn++) {
        vf_warm document;
        if (happen(projector, "{}", &document) != VF_OK)
            fail_msg("%s: %s", text, test_error.text);
        const char *body = body_json(projector, document, NULL);
        if (!body)
            fail_msg("%s: %s", text, test_error.text);
        assert_string_equal(body, json);
        LUA->cool(projector, document);
    }
    LUA->close(projector);
}

static void what_is_made_and_forgotten_in_one_call_is_fine(void **state)
{
    (void)state;
    assert_remembers_nothing(VIEW "Happened = function(doc) local n = 0 local function add() n = n + 1 end "
                                  "for i = 1, 3 do add() end doc.n = n end } }",
                             "{\"n\":3}");
    assert_remembers_nothing("local function counter() local n = 0 return function() n = n + 1 return n end end\n" VIEW
                             "Happened = function(doc) local c = counter() c() doc.n = c() end } }",
                             "{\"n\":2}");
    assert_remembers_nothing(VIEW "Happened = function(doc) local s = '' ('abc'):gsub('.', function(c) s = c .. s end) "
                                  "for k, v in pairs({ x = 1 }) do s = s .. k end doc.s = s end } }",
                             "{\"s\":\"cbax\"}");
    /* A parameter of a function that runs for events, assigned from inside it. */
    assert_remembers_nothing("local function f(n) local function g() n = n + 1 end g() return n end\n" VIEW
                             "Happened = function(doc) doc.n = f(1) end } }",
                             "{\"n\":2}");
    /* What counts only while the file is loaded; tables filled at load; a function that calls itself. */
    assert_remembers_nothing(
        "local n = 0\nlocal function id() n = n + 1 return n end\nlocal ids = { id(), id() }\n" VIEW
        "Happened = function(doc) doc.n = n doc.m = ids[2] end } }",
        "{\"m\":2,\"n\":2}");
    assert_remembers_nothing("local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end\n" VIEW
                             "Happened = function(doc) doc.n = fib(10) end } }",
                             "{\"n\":55}");
    assert_remembers_nothing("local rates\nrates = { eu = 19 }\n" VIEW
                             "Happened = function(doc) local _ENV = { doc = doc } doc.n = 1 end } }",
                             "{\"n\":1}");
}

static void every_shape_of_compiled_code_is_read(void **state)
{
    (void)state;
    /* Long functions, far jumps of lines, many constants, varargs, nesting up to what the parser allows, and no false
     * alarm about any of it; then the same with one assignment at the very end. */
    struct vf_buffer text;
    for (int assigns = 0; assigns < 2; assigns++) {
        vf_buffer_init(&text);
        vf_buffer_add_text(&text,
                           "local outside, unused = 0\nlocal function long(a, ...)\nlocal x, y = outside, ...\n");
        for (int i = 0; i < 3000; i++) {
            vf_buffer_printf(&text, "x = { %d, %d.5, 'constant %d', a%s }", i, i, i, i % 7 ? "" : ", ...");
            vf_buffer_add_text(&text, i % 50 == 0 ? "\n\n\n\n" : " ");
            if (i % 500 == 0)
                for (int line = 0; line < 300; line++)
                    vf_buffer_add_char(&text, '\n');
        }
        vf_buffer_add_text(&text, "local s = [[a long string of more than forty bytes, to be one]]\n");
        for (int i = 0; i < 90; i++)
            vf_buffer_printf(&text, "x = function(p%d) local l%d = p%d ", i, i, i);
        vf_buffer_add_text(&text, assigns ? "\noutside = 1\n" : "\nx = outside\n");
        for (int i = 0; i < 90; i++)
            vf_buffer_add_text(&text, " return l0 or y end");
        vf_buffer_add_text(&text, "\nend\n" VIEW "Happened = function(doc) doc.f = long and 1 end } }");
        vf_buffer_add(&text, "", 1);
        struct vf_projector *projector = try_open(text.data);
        if (assigns) {
            int lines = 1;
            const char *end = strstr(text.data, "\noutside = 1\n") + 1;
            for (const char *at = text.data; at < end; at++)
                lines += *at == '\n';
            assert_null(projector);
            assert_text_has(test_error.text, vf_arena_printf(test_arena, "view.lua:%d: `outside`", lines).data);
        } else if (!projector) {
            fail_msg("%s", test_error.text);
        }
        LUA->close(projector);
        vf_buffer_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(a_variable_outside_that_a_handler_assigns_to_is_refused),
        A_TEST(a_function_that_only_another_one_reaches_is_looked_at_too),
        A_TEST(a_module_keeps_no_state_either),
        A_TEST(an_iterator_that_remembers_is_refused),
        A_TEST(what_is_made_and_forgotten_in_one_call_is_fine),
        A_TEST(every_shape_of_compiled_code_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
