/* Upcasts, and handlers for one kind only. */
#include "lua/lua_test.h"

#define HEAD "return { name = 'v', topics = {'t'}, key = { order = 'customer.id', item = own }, "

/* Opens a projection with this upcast of Old, whose handlers of Now and Old keep what they see. */
static struct vf_projector *open_upcast(const char *body)
{
    return open_script(vf_arena_printf(test_arena,
                                       HEAD "upcast = { Old = function(e)\n%s\nend }, on = {\n"
                                            "Now = function(doc, e) doc.type, doc.data = e.type, e.data end,\n"
                                            "Old = function(doc, e) doc.type, doc.data = e.type, e.data end } }",
                                       body)
                           .data);
}

/* What a handler sees of the event after the upcast. */
static void upcasts_to(const char *body, const char *data, const char *json)
{
    struct vf_projector *projector = open_upcast(body);
    struct vf_event event = *an_event("Old", data);
    if (LUA->upcast(projector, &event, test_arena, &test_error) != VF_OK)
        fail_msg("%s: %s", body, test_error.text);
    vf_warm document = warm(projector);
    enum vf_handled handled;
    if (LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &test_error) != VF_OK)
        fail_msg("%s: %s", body, test_error.text);
    const char *found = body_json(projector, document, NULL);
    if (!found || strcmp(found, json) != 0)
        fail_msg("%s\n  gives %s\n wanted %s", body, found ? found : test_error.text, json);
    LUA->close(projector);
}

static void upcast_fails(const char *body, const char *data, enum vf_code code, const char *part)
{
    struct vf_projector *projector = open_upcast(body);
    struct vf_event before = *an_event("Old", data), event = before;
    enum vf_code found = LUA->upcast(projector, &event, test_arena, &test_error);
    if (found != code)
        fail_msg("%s: code %d: %s", body, (int)found, found ? test_error.text : "");
    assert_text_has(test_error.text, part);
    assert_true(vf_bytes_equal(event.type, before.type));
    assert_ptr_equal(event.data_pointer, before.data_pointer);
    assert_int_equal(event.data_text.size, 0);
    vf_warm document = warm(projector); /* and the next event is as good as ever */
    assert_int_equal(handle(projector, document, "Now", "{\"x\":1}"), VF_OK);
    assert_string_equal(body_json(projector, document, NULL), "{\"data\":{\"x\":1},\"type\":\"Now\"}");
    LUA->close(projector);
}

static void an_upcast_changes_type_and_data(void **state)
{
    (void)state;
    upcasts_to("e.type = 'Now'", "{\"x\":1}", "{\"data\":{\"x\":1},\"type\":\"Now\"}");
    upcasts_to("e.type = 'Now' e.data.y = e.data.x + 1 e.data.x = nil", "{\"x\":1}",
               "{\"data\":{\"y\":2},\"type\":\"Now\"}");
    upcasts_to("e.data.x = 2", "{\"x\":1}", "{\"data\":{\"x\":2},\"type\":\"Old\"}");
    upcasts_to("e.data = { a = array { 1, null, array {} }, b = {} }", "{\"x\":1}",
               "{\"data\":{\"a\":[1,null,[]],\"b\":{}},\"type\":\"Old\"}");
    upcasts_to("e.data = nil", "{\"x\":1}", "{\"type\":\"Old\"}");
    upcasts_to("e.data = null", "{\"x\":1}", "{\"data\":null,\"type\":\"Old\"}");
    upcasts_to("e.data = 'text'", "{\"x\":1}", "{\"data\":\"text\",\"type\":\"Old\"}");
    upcasts_to("e.data = false", "{\"x\":1}", "{\"data\":false,\"type\":\"Old\"}");
    upcasts_to("e.data = array {}", "{\"x\":1}", "{\"data\":[],\"type\":\"Old\"}");
    upcasts_to("e.data = { x = e.type .. e.id .. e.version }", NULL, "{\"data\":{\"x\":\"Old427\"},\"type\":\"Old\"}");
    upcasts_to("e.type = 'A' e.type = e.type .. e.type e.data = e.type e.type = 'Now'", "{}",
               "{\"data\":\"AA\",\"type\":\"Now\"}");
    upcasts_to("local d = e.data e.data = { was = d, again = d }", "{\"x\":[{}]}",
               "{\"data\":{\"again\":{\"x\":[{}]},\"was\":{\"x\":[{}]}},\"type\":\"Old\"}");
    upcasts_to("", "{\"x\":1}", "{\"data\":{\"x\":1},\"type\":\"Old\"}");
}

static void values_go_through_an_upcast_unchanged(void **state)
{
    (void)state;
    static const char *const values[] = {
        "9223372036854775807",
        "-9223372036854775808",
        "0",
        "1.0",
        "-0.0",
        "0.1",
        "1e300",
        "4.94065645841247e-324",
        "1.2345678901234568e17",
        "\"\"",
        "\"a\\u0000b\"",
        "\"\\\"\\\\\\n\\u001f\xc3\xa4\"",
        "null",
        "true",
        "[]",
        "{}",
        "[[],{}]",
        "[null,1,1.0]",
        "{\"\":1,\"$a.b\":{\"_id\":2,\"id\":3}}",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const char *json = vf_arena_printf(test_arena, "{\"data\":{\"x\":%s},\"type\":\"Old\"}", values[i]).data;
        const char *data = vf_arena_printf(test_arena, "{\"x\":%s}", values[i]).data;
        upcasts_to("", data, json);
        upcasts_to("local x = e.data", data, json); /* what is read is written out and read again */
        upcasts_to("e.data = { x = e.data.x }", data, json);
    }
    /* What no document can hold, a handler still reads: a NUL in a key, 128 levels. */
    struct vf_buffer deep;
    vf_buffer_init(&deep);
    for (int i = 0; i < 126; i++)
        vf_buffer_add_char(&deep, '[');
    for (int i = 0; i < 126; i++)
        vf_buffer_add_char(&deep, ']');
    struct vf_projector *projector = open_script(
        HEAD
        "upcast = { Old = function(e) local d = e.data end }, on = { Old = function(doc, e)\n"
        "local n, at = 0, e.data.deep while at do n, at = n + 1, at[1] end doc.n, doc.nul = n, e.data['a\\0b'] end } }");
    struct vf_event event = *an_event(
        "Old", vf_arena_printf(test_arena, "{\"a\\u0000b\":7,\"deep\":%.*s}", (int)deep.size, deep.data).data);
    assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
    vf_warm document = warm(projector);
    enum vf_handled handled;
    if (LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &test_error) != VF_OK)
        fail_msg("%s", test_error.text);
    assert_string_equal(body_json(projector, document, NULL), "{\"n\":126,\"nul\":7}");
    vf_buffer_done(&deep);
    LUA->close(projector);
}

static void routes_read_what_an_upcast_has_left(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(
        "return { name = 'v', topics = {'t'}, key = { order = link { Now = 'customer.id' } },\n"
        "upcast = { Old = function(e) e.type = 'Now' e.data = { customer = { id = e.data.customerId } } end },\n"
        "on = {} }");
    const struct vf_projection *says = LUA->describe(projector);
    assert_true(says->upcasts);
    assert_int_equal(says->upcast_count, 1);
    assert_string_equal(says->upcast_types[0], "Old");
    struct vf_event event = *an_event("Old", "{\"customerId\":\"4b\"}");
    struct vf_routed routed;
    assert_null(vf_route_link(&says->routes[0], event.type));
    assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
    assert_non_null(vf_route_link(&says->routes[0], event.type));
    assert_true(vf_bytes_is(event.data_text, "{\"customer\":{\"id\":\"4b\"}}"));
    assert_int_equal(LUA->route(projector, &says->routes[0], &event, test_arena, &routed, &test_error), VF_OK);
    assert_int_equal(routed.count, 1);
    assert_true(vf_bytes_is(routed.ids[0], "4b"));
    /* One that has none is left as it is. */
    event = *an_event("Now", "{\"customer\":{\"id\":1}}");
    assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
    assert_int_equal(event.data_text.size, 0);
    assert_non_null(event.data_pointer);
    LUA->close(projector);
    projector = open_script(HEAD "on = {} }");
    assert_false(LUA->describe(projector)->upcasts);
    LUA->close(projector);
}

static void what_an_upcast_leaves_is_an_event(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"e.type = ''", "view.lua:2: an upcast sets e.type to what is an empty string"},
        {"e.type = nil", "view.lua:2: an upcast sets e.type to what is nil"},
        {"\ne.type = 7", "view.lua:3: an upcast sets e.type to what is number"},
        {"e.type = 'a\\0b'", "not UTF-8, or holds a NUL"},
        {"e.type = '\\xff'", "not UTF-8, or holds a NUL"},
        {"e.type = ('x'):rep(1025)", "longer than 1024 bytes"},
        {"e.id = 'x'", "view.lua:2: an upcast changes e.type and e.data, and nothing else of an event"},
        {"e.kind = 'item'", "nothing else of an event"},
        {"e[1] = 'item'", "nothing else of an event"},
        {"return e",
         "view.lua:1: upcast.Old returns a userdata: an upcast changes e.type and e.data and returns nothing"},
        {"return nil", "view.lua:1: upcast.Old returns a nil"},
        {"return { e, e }", "returns a table"},
        {"return delete", "one event comes in and one goes out"},
        {"e.data = print_", "there is no global `print_`"},
        {"e.data = { a = { b = array { 1, pairs } } }",
         "view.lua:1: upcast.Old: e.data's field `a.b[2]` is a function"},
        {"e.data = pairs", "view.lua:1: upcast.Old: e.data is a function"},
        {"e.data = { 1, 2 }", "e.data has a number as key: use array {...} for a list"},
        {"e.data = { [true] = 1 }", "e.data has a key that is no string"},
        {"e.data = { [{}] = 1 }", "e.data has a key that is no string"},
        {"e.data = array { [2] = 1 }", "e.data is a list with a hole"},
        {"local l = array { 1 } l.x = 1 e.data = l", "e.data is a list, and has a key that is no number"},
        {"e.data = { x = 0/0 }", "e.data's field `x` is infinite or not a number"},
        {"e.data = { x = 1/0 }", "infinite or not a number"},
        {"e.data = { x = '\\xff' }", "e.data's field `x` is a string that is not UTF-8"},
        {"e.data = { ['\\xff'] = 1 }", "is a string that is not UTF-8"},
        {"e.data = { at = date(e.time) }", "e.data's field `at` is a date"},
        {"e.data = { x = own }", "is `own` or `delete`"},
        {"e.data = { x = e }", "is the event or a link"},
        {"e.data = string", "is a library of the language"},
        {"local t = {} t.t = t e.data = t", "nests too deep (128 tables at most), or holds itself"},
        {"local x = e.data.big", "the data holds an integer beyond 64 bits"},
        {"error('no')", "view.lua:2: no\nstack traceback"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        upcast_fails(wrong[i][0], "{\"big\":18446744073709551615}", VF_E_SCRIPT, wrong[i][1]);
    upcast_fails("while true do end", "{}", VF_E_LIMIT, "view.lua:2: the call took more than");
    upcast_fails("while true do pcall(error) end", "{}", VF_E_LIMIT, "the call took more than");
    /* One table in two places, and that in two: 2^100 texts. */
    test_limits.document_bytes_max = 100000;
    upcast_fails("local t = { x = ('x'):rep(1000) } for i = 1, 100 do t = { a = t, b = t } end e.data = t", "{}",
                 VF_E_LIMIT, "view.lua:1: e.data is larger than 100048 bytes");
    test_reset_limits();
}

static void only_an_upcast_changes_an_event(void **state)
{
    (void)state;
    assert_fails("e.type = 'x'", VF_E_SCRIPT, "view.lua:3: an event cannot be changed");
    assert_fails("e.data = {}", VF_E_SCRIPT, "view.lua:3: an event cannot be changed");
    struct vf_projector *projector = open_script(
        "return { name = 'v', topics = {'t'}, key = { order = function(e) e.type = 'x' end },\n"
        "upcast = { Old = function(e) e.type = 'Now' end }, on = { Now = function(doc, e) e.type = 'y' end } }");
    struct vf_event event = *an_event("Old", "{}");
    struct vf_routed routed;
    enum vf_handled handled;
    assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
    assert_int_equal(LUA->route(projector, LUA->describe(projector)->routes, &event, test_arena, &routed, &test_error),
                     VF_E_SCRIPT);
    assert_text_has(test_error.text, "view.lua:1: an event cannot be changed");
    vf_warm document = warm(projector);
    assert_int_equal(LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &test_error), VF_E_SCRIPT);
    assert_text_has(test_error.text, "view.lua:2: an event cannot be changed");
    LUA->close(projector);
}

/* Neither in a variable, nor in a table of the script, nor in the event, which is the same userdata every time. */
static void an_upcast_keeps_nothing(void **state)
{
    (void)state;
    struct vf_projector *projector =
        try_open("local n = 0\n" HEAD "upcast = { Old = function(e) n = n + 1 end }, on = {} }");
    assert_null(projector);
    assert_text_has(test_error.text, "view.lua:2: `n` is assigned to in a function that runs for events");
    projector = open_script("local kept = {}\n" HEAD "on = { Now = function(doc, e) doc.n = kept.n or 'none' end },\n"
                            "upcast = { Old = function(e) e.data.seen = (e.data.seen or 0) + 1 end,\n"
                            "Worse = function(e) kept.n = 1 end, Keeps = function(e) kept.data = e.data end } }");
    for (int turn = 0; turn < 3; turn++) {
        struct vf_event event = *an_event("Old", "{}");
        assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
        assert_true(vf_bytes_is(event.data_text, "{\"seen\":1}"));
        static const char *const types[] = {"Worse", "Keeps"};
        for (int i = 0; i < 2; i++) {
            event = *an_event(types[i], "{}");
            assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_E_SCRIPT);
            assert_text_has(test_error.text, "a table of the script is changed");
        }
    }
    LUA->close(projector);
}

static void handlers_of_a_kind_go_before_those_of_the_type(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(
        HEAD "on = { Created = function(doc) doc.by = 'type' end, Gone = function(doc) doc.by = 'gone' end,\n"
             "  item = { Created = function(doc) doc.by = 'item' end, Only = function(doc) doc.by = 'only' end },\n"
             "  order = function(doc) doc.by = 'a type that is called as a kind' end } }");
    static const struct {
        const char *kind, *type, *by;
    } cases[] = {{"order", "Created", "type"},
                 {"item", "Created", "item"},
                 {"item", "Gone", "gone"},
                 {"item", "Only", "only"},
                 {"order", "Only", NULL},
                 {"other", "Created", "type"},
                 {"item", "order", "a type that is called as a kind"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_event event = *an_event(cases[i].type, "{}");
        event.kind = vf_bytes_from(cases[i].kind);
        assert_int_equal(LUA->handles(projector, &event), cases[i].by != NULL);
        vf_warm document = warm(projector);
        enum vf_handled handled;
        assert_int_equal(LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &test_error), VF_OK);
        assert_int_equal(handled, cases[i].by ? VF_HANDLED : VF_UNHANDLED);
        assert_string_equal(body_json(projector, document, NULL),
                            cases[i].by ? vf_arena_printf(test_arena, "{\"by\":\"%s\"}", cases[i].by).data : "{}");
    }
    const struct vf_projection *says = LUA->describe(projector);
    static const struct vf_handler wanted[] = {
        {NULL, "Created"}, {"item", "Created"}, {NULL, "Gone"}, {"item", "Only"}, {NULL, "order"}};
    assert_int_equal(says->handler_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(says->handlers[i].type, wanted[i].type);
        assert_int_equal(says->handlers[i].kind == NULL, wanted[i].kind == NULL);
        if (wanted[i].kind)
            assert_string_equal(says->handlers[i].kind, wanted[i].kind);
    }
    assert_int_equal(vf_projection_handler(says, VF_LITERAL("item"), VF_LITERAL("Created")), 1);
    assert_int_equal(vf_projection_handler(says, VF_LITERAL("order"), VF_LITERAL("Created")), 0);
    assert_int_equal(vf_projection_handler(says, VF_LITERAL("order"), VF_LITERAL("Only")), 5);
    LUA->close(projector);
}

static void handlers_of_what_is_no_kind_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"ordr = { X = function() end }",
         "view.lua:2: on.ordr is a table, which holds the handlers for one kind, and `key` has no kind \"ordr\": did you mean "
         "`order`?"},
        {"Created = { order = function() end }", "and `key` has no kind \"Created\""},
        {"order = {\nX = 1 }", "view.lua:3: on.order.X is a number: a handler is a function"},
        {"order = {\nX = { item = function() end } }", "view.lua:3: on.order.X is a table"},
        {"order = { function() end }", "view.lua:2: on.order has a number as event type"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(try_open(vf_arena_printf(test_arena, HEAD "on = {\n%s } }", wrong[i][0]).data));
        assert_text_has(test_error.text, wrong[i][1]);
    }
    LUA->close(open_script(HEAD "on = { order = {} } }"));
    static const char *const upcasts[][2] = {
        {"7", "view.lua:2: `upcast` is a number"},
        {"{ A = 'B' }", "view.lua:2: upcast.A is a string: an upcast is a function(e)"},
        {"{ function(e) end }", "view.lua:2: `upcast` has a number as event type"},
    };
    for (size_t i = 0; i < sizeof upcasts / sizeof *upcasts; i++) {
        assert_null(try_open(vf_arena_printf(test_arena, HEAD "on = {},\nupcast = %s }", upcasts[i][0]).data));
        assert_text_has(test_error.text, upcasts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(an_upcast_changes_type_and_data),
        A_TEST(values_go_through_an_upcast_unchanged),
        A_TEST(routes_read_what_an_upcast_has_left),
        A_TEST(what_an_upcast_leaves_is_an_event),
        A_TEST(only_an_upcast_changes_an_event),
        A_TEST(an_upcast_keeps_nothing),
        A_TEST(handlers_of_a_kind_go_before_those_of_the_type),
        A_TEST(handlers_of_what_is_no_kind_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
