/* What a projection's file may say, and how it is told what it may not. */
#include "lua/lua_test.h"

#define PLAIN "name = 'v', topics = {'t'}, "

static void refused(const char *text, const char *part)
{
    struct vf_projector *projector = try_open(text);
    if (projector)
        fail_msg("was taken: %s", text);
    if (test_error.code != VF_E_CONFIG)
        fail_msg("code %d: %s", (int)test_error.code, test_error.text);
    assert_text_has(test_error.text, part);
}

static void a_projection_describes_itself(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_script("return { name = 'orders_1', version = 3, topics = {'customers', 'orders'},\n"
                    "key = { customer = own, order = link { OrderCreated = 'customerId' },\n"
                    "  day = 'a.b', tag = function(e) return e.id end },\n"
                    "on = { A = function() end } }");
    const struct vf_projection *says = LUA->describe(projector);
    assert_string_equal(says->name, "orders_1");
    assert_int_equal(says->version, 3);
    assert_int_equal(says->topic_count, 2);
    assert_string_equal(says->topics[0], "customers");
    assert_string_equal(says->topics[1], "orders");
    assert_int_equal(says->route_count, 4);
    assert_string_equal(says->routes[0].kind, "customer");
    assert_int_equal(says->routes[0].route, VF_ROUTE_OWN);
    assert_string_equal(says->routes[1].kind, "day");
    assert_int_equal(says->routes[1].route, VF_ROUTE_FIELD);
    assert_string_equal(says->routes[2].kind, "order");
    assert_int_equal(says->routes[2].route, VF_ROUTE_LINK);
    assert_string_equal(says->routes[2].links[0].type, "OrderCreated");
    assert_string_equal(says->routes[3].kind, "tag");
    assert_int_equal(says->routes[3].route, VF_ROUTE_FUNCTION);
    assert_int_equal(says->versions, VF_VERSIONS_RECORD);
    assert_true(LUA->handles(projector, an_event("A", "{}")));
    assert_false(LUA->handles(projector, an_event("B", "{}")));
    LUA->close(projector);
    LUA->close(NULL);
}

static void versions_default_to_where_an_aggregate_has_its_one_document(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_script("return {" PLAIN "key = { a = own, b = link { X = function(e) return e.id end } }, on = {} }");
    assert_int_equal(LUA->describe(projector)->versions, VF_VERSIONS_DOCUMENT);
    assert_int_equal(LUA->describe(projector)->version, 1);
    LUA->close(projector);
    projector = open_script("return {" PLAIN "key = { a = own }, on = {}, versions = 'none' }");
    assert_int_equal(LUA->describe(projector)->versions, VF_VERSIONS_NONE);
    LUA->close(projector);
    refused("return {" PLAIN "key = { a = 'x' }, on = {},\nversions = 'document' }",
            "view.lua:2: `versions` is \"document\"");
    refused("return {" PLAIN "key = { a = own }, on = {},\nversions = 'all' }", "view.lua:2: `versions` is");
}

static void what_is_not_built_is_refused_by_name_and_line(void **state)
{
    (void)state;
    refused("return {" PLAIN "key = { a = own }, on = {},\n-- ttl = 1\nversion = #[[ ttl = ]],\n  ttl = '3d' }",
            "view.lua:4: `ttl` is not");
    refused("return {" PLAIN "key = { a = own }, on = {},\n  ttl = '3d' }", "view.lua:2: `ttl` is not built yet");
    refused("return {" PLAIN "key = { a = own }, on = {},\nindexes = {} }", "view.lua:2: `indexes` is not built yet");
    refused("return {" PLAIN "key = { a = own }, on = {},\nupcast = {} }", "view.lua:2: `upcast` is not built yet");
    refused("return {" PLAIN "key = { a = own }, on = {},\nunlinked = 'hold' }",
            "view.lua:2: `unlinked` is not built yet");
    refused("return {" PLAIN "key = {\n a = link { X = through('b', 'id') } }, on = {} }",
            "view.lua:2: `through` is not built yet");
    refused("return {" PLAIN "key = {\n a = link { X = 'x', Y = 'x' } }, on = {} }",
            "view.lua:2: `link` with several event types is not built yet");
    refused("return {" PLAIN "key = { a = own }, on = {\n order = { X = function() end } } }",
            "view.lua:2: on.order: handlers for one kind only are not built yet");
}

static void a_mistyped_field_is_told_the_right_one(void **state)
{
    (void)state;
    refused("return {" PLAIN "key = { a = own }, on = {},\nverison = 2 }",
            "view.lua:2: a projection has no field `verison`: did you mean `version`?");
    refused("return {" PLAIN "key = { a = own }, on = {},\n[\"topic\"] = 2 }",
            "view.lua:2: a projection has no field `topic`");
    refused("return {" PLAIN "key = { a = own }, on = {},\nsomething = 2 }",
            "view.lua:2: a projection has no field `something`\0");
    refused("return {" PLAIN "key = { a = own }, on = {}, 7 }", "has a number as key");
}

static void each_field_is_checked(void **state)
{
    (void)state;
    refused("return { topics = {'t'}, key = { a = own }, on = {} }", "`name` is missing");
    refused("return { name = 1, topics = {'t'}, key = { a = own }, on = {} }",
            "`name` is a number, and a string is wanted");
    refused("return { name = 'v', topics = 't', key = { a = own }, on = {} }",
            "`topics` is a string, and a table is wanted");
    refused("return {\nname = 'Orders', topics = {'t'}, key = { a = own }, on = {} }",
            "view.lua:2: `name` is \"Orders\"");
    refused("return { name = 'viewfold', topics = {'t'}, key = { a = own }, on = {} }", "reserved");
    refused("return {" PLAIN "version = 0, key = { a = own }, on = {} }", "`version` is an integer from 1 on");
    refused("return {" PLAIN "version = 1.0, key = { a = own }, on = {} }", "`version` is an integer from 1 on");
    refused("return { name = 'v', key = { a = own }, on = {} }", "`topics` is missing");
    refused("return { name = 'v', topics = {}, key = { a = own }, on = {} }", "at least one");
    refused("return { name = 'v', topics = {'a', 'a'}, key = { a = own }, on = {} }", "names \"a\" twice");
    refused("return { name = 'v', topics = {'a', 3}, key = { a = own }, on = {} }", "its entry 2 is none");
    refused("return { name = 'v', topics = {x = 'a'}, key = { a = own }, on = {} }", "list of names");
    refused("return {" PLAIN "on = {} }", "`key` is missing");
    refused("return {" PLAIN "key = {}, on = {} }", "`key` names no kind");
    refused("return {" PLAIN "key = {\n['a/b'] = own }, on = {} }", "a kind is UTF-8 without '/'");
    refused("return {" PLAIN "key = {\na = delete }, on = {} }", "view.lua:2: key.a: a route is own");
    refused("return {" PLAIN "key = {\na = 3 }, on = {} }", "view.lua:2: key.a: a route is own");
    refused("return {" PLAIN "key = {\na = 'a..b' }, on = {} }", "view.lua:2: key.a: \"a..b\" is no field");
    refused("return {" PLAIN "key = {\na = link { X = link { Y = own } } }, on = {} }",
            "view.lua:2: key.a: a route is own");
    refused("return {" PLAIN "key = {\na = link {} }, on = {} }", "view.lua:2: `link` names no event type");
    refused("return {" PLAIN "key = { a = own } }", "`on` is missing");
    refused(
        "return {" PLAIN "key = own, on = {} }",
        "`key` is own, which is the route of one kind, and a table is wanted: which document each kind's events go to, "
        "as in key = { customer = own }");
    refused("return {" PLAIN "key = { a = own }, on = {\nX = 3 } }",
            "view.lua:2: on.X is a number: a handler is a function");
    refused("return {" PLAIN "key = { a = own }, on = {}, \ninitial = array {} }", "view.lua:2: `initial` is a table");
    refused("return {" PLAIN "key = { a = own }, on = {}, \ninitial = { _x = 1 } }",
            "view.lua:2: initial's field `_x` has a name");
    refused("return {" PLAIN "key = { a = own }, on = {}, \ninitial = { x = { y = print_ } } }",
            "there is no global `print_`");
    refused("return {" PLAIN "key = { a = own }, on = {}, \ninitial = { x = { y = pairs } } }",
            "view.lua:2: initial's field `x.y` is a function");
}

static void a_file_that_does_not_load_says_where(void **state)
{
    (void)state;
    refused("\n\nreturn {", "view.lua:3:");
    refused("return 7", "view.lua: the file returns no table");
    refused("local x = 1", "view.lua: the file returns no table");
    refused("return {}, {}", "view.lua: the file returns 2 values: it ends with return {");
    refused("return {}, nil", "view.lua: the file returns 2 values");
    refused("\nlocal x = nil + 1\nreturn {}", "view.lua:2: attempt to perform arithmetic on a nil value");
    refused("\nwhile true do end", "view.lua:2: the call took more than 10000000 instructions");
    refused("\nlocal function f() error('no') end\nf()", "view.lua:2: no\nstack traceback:\n\tview.lua:2: in ");
    struct test_file files[] = {{NULL, NULL, 0}, {NULL, NULL, 0}};
    struct vf_script_reader reader = {.read = read_test_file, .self = files};
    struct vf_projector *projector = NULL;
    assert_int_equal(LUA->open("view.lua", &reader, &test_limits, NULL, NULL, &projector, &test_error), VF_E_CONFIG);
    assert_text_has(test_error.text, "there is no view.lua");
    assert_null(projector);
}

static void modules_are_read_beside_the_projection_and_remembered(void **state)
{
    (void)state;
    struct test_file files[] = {
        {"view.lua",
         "local money = require 'lib.money'\nlocal again = require 'lib.money'\nlocal a = require 'a'\n"
         "return { name = 'v', topics = {'t'}, key = { order = own }, on = { Happened = function(doc, e)\n"
         "doc.x, doc.same, doc.a = money.twice(4), money == again, a end } }",
         0},
        {"lib/money.lua", "return { twice = function(n) return n * 2 end }", 0},
        {"a.lua", "local a = 1", 0},
        {NULL, NULL, 0}};
    struct vf_projector *projector = try_open_files(files);
    if (!projector)
        fail_msg("%s", test_error.text);
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    assert_string_equal(body_json(projector, document, NULL), "{\"a\":true,\"same\":true,\"x\":8}");
    const struct vf_file *read;
    size_t count;
    LUA->files(projector, &read, &count);
    assert_int_equal(count, 3);
    assert_true(vf_bytes_is(read[0].name, "view.lua"));
    assert_true(vf_bytes_is(read[1].name, "a.lua"));
    assert_true(vf_bytes_is(read[2].name, "lib/money.lua"));
    assert_true(vf_bytes_is(read[2].text, files[1].text));
    LUA->close(projector);
}

static void require_takes_no_paths_and_works_at_load_only(void **state)
{
    (void)state;
    static const char *const names[] = {"../x", "/etc/passwd", "lib..x", ".x", "x.", "lib/x", "", "x\\0y", "a b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refused(vf_arena_printf(test_arena, "require '%s'", names[i]).data, "require takes names like \"lib.money\"");
    refused("\nrequire 'lib.money'",
            "view.lua:2: require \"lib.money\": there is no lib/money.lua beside the projection");
    refused("require(7)", "bad argument #1 to 'require'");
    assert_fails("require 'x'", VF_E_SCRIPT, "require works only while the file is loaded");
    struct test_file files[] = {
        {"view.lua", "require 'a'", 0}, {"a.lua", "require 'b'", 0}, {"b.lua", "\nrequire 'a'", 0}, {NULL, NULL, 0}};
    assert_null(try_open_files(files));
    assert_text_has(test_error.text, "b.lua:2: require \"a\": the modules require each other in a circle");
    struct test_file broken[] = {{"view.lua", "require 'a'", 0}, {"a.lua", "\n\nlocal local", 0}, {NULL, NULL, 0}};
    assert_null(try_open_files(broken));
    assert_text_has(test_error.text, "a.lua:3:");
}

static void precompiled_chunks_are_refused(void **state)
{
    (void)state;
    struct test_file files[] = {{"view.lua", "\x1bLuaS\0\x19\x93\r\n\x1a\n", 12}, {NULL, NULL, 0}};
    assert_null(try_open_files(files));
    assert_text_has(test_error.text, "attempt to load a binary chunk");
}

/* The sample of the README, as far as it goes for now, event by event. */
static void customer_orders_folds(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(
        "local function becomes(state)\n"
        "  return function(doc, e) doc.orders[e.id].state = state end\n"
        "end\n"
        "return {\n"
        "  name = 'customer_orders', version = 1, topics = { 'customers', 'orders' },\n"
        "  key = { customer = own, order = link { OrderCreated = 'customerId' } },\n"
        "  initial = { orders = {} },\n"
        "  on = {\n"
        "    CustomerCreated = function(doc, e) doc.name, doc.creditLimit = e.data.name, e.data.creditLimit end,\n"
        "    OrderCreated = function(doc, e)\n"
        "      doc.orders[e.id] = { orderId = e.id, orderTotal = e.data.orderTotal, state = 'PENDING' }\n"
        "    end,\n"
        "    OrderApproved = becomes 'APPROVED',\n"
        "  },\n"
        "}\n");
    assert_int_equal(LUA->describe(projector)->versions, VF_VERSIONS_DOCUMENT);
    vf_warm document = warm(projector);
    bool aliased;
    assert_int_equal(
        handle(projector, document, "OrderCreated", "{\"customerId\":\"4b\",\"orderTotal\":{\"amount\":\"1234\"}}"),
        VF_OK);
    assert_int_equal(
        handle(projector, document, "CustomerCreated", "{\"name\":\"Fred\",\"creditLimit\":{\"amount\":\"2000\"}}"),
        VF_OK);
    assert_int_equal(handle(projector, document, "OrderApproved", "{}"), VF_OK);
    assert_string_equal(
        body_json(projector, document, &aliased),
        "{\"creditLimit\":{\"amount\":\"2000\"},\"name\":\"Fred\",\"orders\":{\"42\":{\"orderId\":\"42\","
        "\"orderTotal\":{\"amount\":\"1234\"},\"state\":\"APPROVED\"}}}");
    assert_false(aliased);
    /* A document of its own each time, whatever the one before did to `initial`. */
    vf_warm other = warm(projector);
    assert_string_equal(body_json(projector, other, &aliased), "{\"orders\":{}}");
    assert_false(aliased);
    LUA->close(projector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(a_projection_describes_itself),
        A_TEST(versions_default_to_where_an_aggregate_has_its_one_document),
        A_TEST(what_is_not_built_is_refused_by_name_and_line),
        A_TEST(a_mistyped_field_is_told_the_right_one),
        A_TEST(each_field_is_checked),
        A_TEST(a_file_that_does_not_load_says_where),
        A_TEST(modules_are_read_beside_the_projection_and_remembered),
        A_TEST(require_takes_no_paths_and_works_at_load_only),
        A_TEST(precompiled_chunks_are_refused),
        A_TEST(customer_orders_folds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
