/* What a handler sees of an event, and which documents an event's route says. */
#include "lua/lua_test.h"

static void every_field_is_as_it_was_received(void **state)
{
    (void)state;
    assert_becomes(
        "doc.kind, doc.eid, doc.aggregate, doc.version, doc.type, doc.schema = "
        "e.kind, e.id, e.aggregate, e.version, e.type, e.schema",
        "{}",
        "{\"aggregate\":\"order/42\",\"eid\":\"42\",\"kind\":\"order\",\"schema\":1,\"type\":\"Happened\",\"version\":7}");
    assert_becomes("doc.time, doc.day, doc.time_ms, doc.event_id, doc.topic, doc.partition, doc.offset, doc.key = "
                   "e.time, e.time:sub(1, 10), e.time_ms, e.event_id, e.topic, e.partition, e.offset, e.key",
                   "{}",
                   "{\"day\":\"2026-03-01\",\"event_id\":\"ev-7\",\"key\":\"doc1\",\"offset\":1042,\"partition\":3,"
                   "\"time\":\"2026-03-01T10:00:00.123Z\",\"time_ms\":1772359200123,\"topic\":\"shop.orders\"}");
    assert_becomes("doc.h, doc.before, doc.isnull = e.headers, e.before, e.headers.none == null", "{}",
                   "{\"h\":{\"none\":null,\"trace\":\"b2\"},\"isnull\":true}");
    assert_becomes("doc.data = e.data", NULL, "{}");
    assert_becomes("doc.data = e.data; doc.isnull = e.data == null", "null", "{\"data\":null,\"isnull\":true}");
    assert_becomes("doc.a, doc.b = e.data.x[2].y, #e.data.x", "{\"x\":[1,{\"y\":2.0}],\"x \":1}",
                   "{\"a\":2.0,\"b\":2}");
    assert_becomes("doc.a = e.data.a", "{\"a\":1,\"b\":0,\"a\":2}", "{\"a\":2}");
}

static void pairs_walks_the_fields_in_order(void **state)
{
    (void)state;
    assert_becomes(
        "local names = {} for name in pairs(e) do names[#names + 1] = name end\n"
        "doc.names = table.concat(names, ' ')",
        "{}",
        "{\"names\":\"aggregate data event_id headers id key kind offset partition schema time time_ms topic type "
        "version\"}");
}

static void data_is_a_fresh_copy_for_each_call(void **state)
{
    (void)state;
    struct vf_projector *projector = open_handler("e.data.n = e.data.n + 1; doc.n = e.data.n; doc.all = e.data");
    vf_warm a, b;
    assert_int_equal(happen(projector, "{\"n\":1}", &a), VF_OK);
    assert_int_equal(happen(projector, "{\"n\":1}", &b), VF_OK);
    assert_string_equal(body_json(projector, a, NULL), "{\"all\":{\"n\":2},\"n\":2}");
    assert_string_equal(body_json(projector, b, NULL), "{\"all\":{\"n\":2},\"n\":2}");
    LUA->close(projector);
}

static void an_event_cannot_be_changed_mistyped_or_kept(void **state)
{
    (void)state;
    assert_fails("e.type = 'x'", VF_E_SCRIPT, "view.lua:3: an event cannot be changed");
    assert_fails("doc.x = e.dat", VF_E_SCRIPT, "view.lua:3: an event has no field `dat`: did you mean `data`?");
    assert_fails("doc.x = e[1]", VF_E_SCRIPT, "an event has no field that is a number");
    assert_no_body("doc.x = { y = e }", VF_E_SCRIPT, "the document's field `x.y` is the event");
    /* A handler that keeps the event in the document (until that is written out) sees the one of the call that runs. */
    struct vf_projector *projector = open_script(
        "return { name = 'v', topics = {'t'}, key = { order = own }, on = { Happened = function(doc, e) doc.kept = e end,\n"
        "Later = function(doc) doc.was = doc.kept.type doc.kept = nil end } }");
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    assert_int_equal(handle(projector, document, "Later", "{}"), VF_OK);
    assert_string_equal(body_json(projector, document, NULL), "{\"was\":\"Later\"}");
    LUA->close(projector);
}

static void an_integer_beyond_64_bits_fails(void **state)
{
    (void)state;
    struct vf_projector *projector = open_handler("doc.x = e.data.x");
    vf_warm document;
    assert_int_equal(happen(projector, "{\"x\":9223372036854775807}", &document), VF_OK);
    assert_string_equal(body_json(projector, document, NULL), "{\"x\":9223372036854775807}");
    assert_int_equal(happen(projector, "{\"x\":9223372036854775808}", &document), VF_E_SCRIPT);
    assert_text_has(test_error.text, "view.lua:3: the data holds an integer beyond 64 bits");
    assert_int_equal(happen(projector, "{\"x\":18446744073709551616}", &document), VF_E_SCRIPT);
    LUA->close(projector);
}

/* Routes */

static const char *ids_text(const struct vf_routed *routed)
{
    struct vf_bytes text = vf_arena_printf(test_arena, "%zu", routed->count);
    for (size_t i = 0; i < routed->count; i++)
        text = vf_arena_printf(test_arena, "%s %.*s", text.data, (int)routed->ids[i].size, routed->ids[i].data);
    return text.data;
}

static struct vf_projector *routes_projector(const char *route)
{
    return open_script(
        vf_arena_printf(test_arena, "return { name = 'v', topics = {'t'}, on = {}, key = {\norder = %s } }", route)
            .data);
}

static void routes_to(const char *route, const char *data, const char *ids)
{
    struct vf_projector *projector = routes_projector(route);
    struct vf_routed routed;
    const struct vf_route *kind = &LUA->describe(projector)->routes[0];
    if (LUA->route(projector, kind, an_event("Happened", data), test_arena, &routed, &test_error) != VF_OK)
        fail_msg("%s: %s", route, test_error.text);
    assert_string_equal(ids_text(&routed), ids);
    LUA->close(projector);
}

static void route_fails(const char *route, const char *data, enum vf_code code, const char *part)
{
    struct vf_projector *projector = routes_projector(route);
    struct vf_routed routed = {.count = 99};
    const struct vf_route *kind = &LUA->describe(projector)->routes[0];
    if (LUA->route(projector, kind, an_event("Happened", data), test_arena, &routed, &test_error) != code)
        fail_msg("%s: %s", route, test_error.text);
    assert_int_equal(routed.count, 99);
    assert_text_has(test_error.text, part);
    LUA->close(projector);
}

static void a_route_says_the_documents(void **state)
{
    (void)state;
    routes_to("own", "{}", "1 42");
    routes_to("'customerId'", "{\"customerId\":\"4b\"}", "1 4b");
    routes_to("'customerId'", "{\"customerId\":-7}", "1 -7");
    routes_to("'a.b.c'", "{\"a\":{\"b\":{\"c\":\"x\"}}}", "1 x");
    routes_to("'ids'", "{\"ids\":[\"b\",3,\"a\",\"b\",\"3\",\"a\"]}", "3 b 3 a");
    routes_to("'ids'", "{\"ids\":[]}", "0");
    routes_to("link { Happened = 'customerId' }", "{\"customerId\":\"4b\"}", "1 4b");
    routes_to("link { Happened = 'customerId' }", "{\"customerId\":[\"4b\",\"4b\"]}", "1 4b");
    routes_to("link { Happened = own }", "{}", "1 42");
    routes_to("link { Happened = function(e) return e.data.c end }", "{\"c\":\"x\"}", "1 x");
    routes_to("link { Happened = function(e) return nil end }", "{}", "0");
    routes_to("function(e) return e.time:sub(1, 10) end", "{}", "1 2026-03-01");
    routes_to("function(e) return e.data.c end", "{\"c\":12}", "1 12");
    routes_to("function(e) end", "{}", "0");
    routes_to("function(e) return { 'x', 'y', 'x' } end", "{}", "2 x y");
    routes_to("function(e) return e.data.l end", "{\"l\":[\"x\",5]}", "2 x 5");
    routes_to("function(e) return {} end", "{}", "0");
    routes_to("function(e) return e.key == nil and 'none' or 'some' end", "{}", "1 none");
}

/* Each of 5,000 documents twice: once each, in the order in which they are named first. */
static void a_list_of_ten_thousand_ids_is_as_good_as_one_of_three(void **state)
{
    (void)state;
    struct vf_buffer data;
    vf_buffer_init(&data);
    vf_buffer_add_text(&data, "{\"ids\":[");
    for (int i = 0; i < 10000; i++)
        vf_buffer_printf(&data, "%s%d", i ? "," : "", i * 7919 % 5000);
    vf_buffer_add_text(&data, "]}");
    static const char *const routes[] = {"'ids'", "function(e) return e.data.ids end"};
    for (size_t way = 0; way < 2; way++) {
        struct vf_projector *projector = routes_projector(routes[way]);
        struct vf_routed routed;
        if (LUA->route(projector, LUA->describe(projector)->routes, an_event("Happened", data.data), test_arena,
                       &routed, &test_error) != VF_OK)
            fail_msg("%s", test_error.text);
        assert_int_equal(routed.count, 5000);
        for (int i = 0; i < 5000; i++)
            assert_true(vf_bytes_equal(routed.ids[i], vf_arena_printf(test_arena, "%d", i * 7919 % 5000)));
        LUA->close(projector);
    }
    vf_buffer_done(&data);
}

static void a_route_that_says_no_document_fails(void **state)
{
    (void)state;
    route_fails("'customerId'", "{}", VF_E_SCRIPT, "view.lua:2: key.order: `customerId` of Happened's data is missing");
    route_fails("'customerId'", NULL, VF_E_SCRIPT, "is missing: the event has no data");
    route_fails("'a.b'", "{\"a\":1}", VF_E_SCRIPT, "`a.b` of Happened's data is missing");
    route_fails("'a'", "{\"a\":null}", VF_E_SCRIPT, "is null");
    route_fails("'a'", "{\"a\":1.5}", VF_E_SCRIPT, "is no string, integer or list");
    route_fails("'a'", "{\"a\":4.0}", VF_E_SCRIPT, "is no string, integer or list");
    route_fails("'a'", "{\"a\":true}", VF_E_SCRIPT, "is no string, integer or list");
    route_fails("'a'", "{\"a\":[\"x\",[]]}", VF_E_SCRIPT, "is no string, integer or list");
    route_fails("'a'", "{\"a\":\"\"}", VF_E_SCRIPT, "is empty");
    route_fails("'a'", "{\"a\":\"x\\u0000\"}", VF_E_SCRIPT, "holds a NUL");
    char text[1100] = "{\"a\":\"";
    memset(text + 6, 'x', 1025);
    memcpy(text + 6 + 1025, "\"}", 3);
    route_fails("'a'", text, VF_E_SCRIPT, "is longer than 1024 bytes");
    route_fails("link { Happened = 'a' }", "{\"a\":[\"x\",\"y\"]}", VF_E_SCRIPT, "a link leads to one document");
    route_fails("function(e) return 1.5 end", "{}", VF_E_SCRIPT,
                "view.lua:2: key.order: the function returned a number");
    route_fails("function(e) return { x = 1 } end", "{}", VF_E_SCRIPT, "no list of strings");
    route_fails("function(e) return { 'a', true } end", "{}", VF_E_SCRIPT, "returned a boolean");
    route_fails("function(e) return '\\xff' end", "{}", VF_E_SCRIPT, "is not UTF-8");
    route_fails(
        "function(e)\nreturn e.data.x.y end", "{}", VF_E_SCRIPT,
        "view.lua:3: attempt to index a nil value (field 'x')\nstack traceback:\n\tview.lua:3: in function <view.lua:2>");
    route_fails("function(e) while true do end end", "{}", VF_E_LIMIT, "view.lua:2: the call took more than");
}

/* Handlers */

static void an_event_without_handler_touches_nothing(void **state)
{
    (void)state;
    struct vf_projector *projector = open_handler("doc.x = 1");
    vf_warm document = warm(projector);
    enum vf_handled handled = VF_HANDLED;
    assert_int_equal(
        LUA->handle(projector, an_event("Other", "{}"), VF_LITERAL("d"), document, 0, &handled, &test_error), VF_OK);
    assert_int_equal(handled, VF_UNHANDLED);
    assert_string_equal(body_json(projector, document, NULL), "{}");
    assert_int_equal(
        LUA->handle(projector, an_event("Happened", "{}"), VF_LITERAL("d"), document, 0, &handled, &test_error), VF_OK);
    assert_int_equal(handled, VF_HANDLED);
    LUA->close(projector);
}

static void a_handler_that_returns_delete_says_so(void **state)
{
    (void)state;
    static const struct {
        const char *handler;
        enum vf_handled handled;
    } cases[] = {{"doc.x = 1 return delete", VF_DELETED},
                 {"return delete, 1", VF_DELETED},
                 {"return doc", VF_HANDLED},
                 {"return 'delete'", VF_HANDLED},
                 {"return null", VF_HANDLED},
                 {"return own", VF_HANDLED},
                 {"return", VF_HANDLED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_projector *projector = open_handler(cases[i].handler);
        enum vf_handled handled = VF_UNHANDLED;
        vf_warm document = warm(projector);
        assert_int_equal(
            LUA->handle(projector, an_event("Happened", "{}"), VF_LITERAL("d"), document, 0, &handled, &test_error),
            VF_OK);
        if (handled != cases[i].handled)
            fail_msg("%s: %d", cases[i].handler, (int)handled);
        LUA->close(projector);
    }
    assert_becomes("doc.x = 1; return doc", "{}", "{\"x\":1}");
}

static void an_error_has_file_line_and_one_traceback(void **state)
{
    (void)state;
    assert_fails("local function inner() local x = nil; return x.y end\ninner()", VF_E_SCRIPT,
                 "view.lua:3: attempt to index a nil value (local 'x')\nstack traceback:\n"
                 "\tview.lua:3: in function 'inner'\n\tview.lua:4: in function <view.lua:2>");
    assert_fails("error('no such order')", VF_E_SCRIPT, "view.lua:3: no such order\nstack traceback:");
    assert_fails("error { code = 7 }", VF_E_SCRIPT, "view.lua:3: the error is no text but a table");
    assert_fails("error(nil)", VF_E_SCRIPT, "the error is no text but a nil");
    assert_fails("error(null)", VF_E_SCRIPT, "the error is no text but a userdata");
    assert_fails("error(12)", VF_E_SCRIPT, "12");
    assert_fails("error('a\\0b\\0')", VF_E_SCRIPT, ": a\\0b\\0\nstack traceback:");
    assert_fails("assert(false)", VF_E_SCRIPT, "assertion failed!");
    assert_fails("assert(nil, 'because')", VF_E_SCRIPT, "because");
    assert_fails("local t <const> = {} ; t.x.y = 1", VF_E_SCRIPT, "field 'x'");
    assert_int_equal(strstr(strstr(test_error.text, "traceback") + 1, "traceback") != NULL, 0);
}

static void log_shows_a_line(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_handler("log('total', 12, 1.5, nil, true, {}, null, date(e.time), e, own, print_)");
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_E_SCRIPT); /* print_ */
    LUA->close(projector);
    projector = open_handler("log('total', 12, 1.5, nil, true, {}, null, date(e.time), e, own)");
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    assert_int_equal(test_log.lines, 1);
    assert_string_equal(test_log.text, "total 12 1.5 nil true table null 2026-03-01T10:00:00.123Z event own");
    LUA->close(projector);
    projector = open_handler("log('a\\0', 'b', '\\0')");
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    assert_string_equal(test_log.text, "a\\0 b \\0");
    LUA->close(projector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(every_field_is_as_it_was_received),
        A_TEST(pairs_walks_the_fields_in_order),
        A_TEST(data_is_a_fresh_copy_for_each_call),
        A_TEST(an_event_cannot_be_changed_mistyped_or_kept),
        A_TEST(an_integer_beyond_64_bits_fails),
        A_TEST(a_route_says_the_documents),
        A_TEST(a_list_of_ten_thousand_ids_is_as_good_as_one_of_three),
        A_TEST(a_route_that_says_no_document_fails),
        A_TEST(an_event_without_handler_touches_nothing),
        A_TEST(a_handler_that_returns_delete_says_so),
        A_TEST(an_error_has_file_line_and_one_traceback),
        A_TEST(log_shows_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
