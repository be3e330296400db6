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

static void a_place_is_none_in_a_comment_or_a_text(void **state)
{
    (void)state;
    refused("return {" PLAIN "key = { a = own }, on = {},\n-- ttl = 1\nversion = #[[ ttl = ]],\n  ttl = '3 days' }",
            "view.lua:4: `ttl` is a whole number with its unit");
}

static void links_say_which_events_make_them_and_what_they_follow(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_script("return {" PLAIN
                    "key = { customer = own, account = link { Opened = 'customerId', Given = 'to', Closed = own },\n"
                    "card = link { Issued = through('account', 'accountId'), Moved = 'b' },\n"
                    "payment = through('card', 'a.b') }, on = {} }");
    const struct vf_projection *says = LUA->describe(projector);
    assert_int_equal(says->versions, VF_VERSIONS_DOCUMENT);
    assert_int_equal(says->unlinked, VF_UNLINKED_HOLD);
    const struct vf_route *account = &says->routes[0], *card = &says->routes[1], *payment = &says->routes[3];
    assert_string_equal(payment->kind, "payment");
    assert_int_equal(account->link_count, 3);
    assert_string_equal(account->links[0].type, "Closed");
    assert_string_equal(account->links[1].type, "Given");
    assert_string_equal(account->links[2].type, "Opened");
    for (size_t i = 0; i < 3; i++)
        assert_null(account->links[i].through);
    assert_int_equal(card->link_count, 2);
    assert_string_equal(card->links[0].type, "Issued");
    assert_string_equal(card->links[0].through, "account");
    assert_null(card->links[1].through);
    assert_int_equal(payment->route, VF_ROUTE_LINK);
    assert_int_equal(payment->link_count, 1);
    assert_null(payment->links[0].type);
    assert_string_equal(payment->links[0].through, "card");
    LUA->close(projector);
}

static void a_link_that_leads_nowhere_is_refused(void **state)
{
    (void)state;
    refused("return {" PLAIN "key = {\n a = link { X = through('b', 'id') } }, on = {} }",
            "view.lua:2: key.a: through(\"b\", ...) follows a kind that `key` does not list");
    refused("return {" PLAIN "key = { b = own,\n a = through('b', 'bId') }, on = {} }",
            "view.lua:2: key.a: through(\"b\", \"bId\") follows a link, and key.b is own: the field itself is the "
            "document, so write \"bId\" instead");
    refused(
        "return {" PLAIN "key = { b = 'x',\n a = through('b', 'bId') }, on = {} }",
        "view.lua:2: key.a: through(\"b\", ...) follows a link, and key.b is a field, of which nothing is remembered");
    refused("return {" PLAIN "key = { b = function() end,\n a = through('b', 'bId') }, on = {} }",
            "key.b is a function");
    refused("return {" PLAIN "key = {\n a = through('a', 'boss') }, on = {} }",
            "view.lua:2: key.a: its links only follow others' links, in a circle");
    refused("return {" PLAIN
            "key = { c = link { X = 'x' }, \n a = through('b', 'x'),\nb = link { X = through('a', 'y') } }, "
            "on = {} }",
            "view.lua:2: key.a: its links only follow others' links, in a circle");
    refused("return {" PLAIN "key = {\na = link { X = through() } }, on = {} }",
            "view.lua:2: bad argument #1 to 'through' (kind: through(\"account\", \"accountId\") expected");
    refused("return {" PLAIN "key = {\na = link { X = through('b', 7) } }, on = {} }", "bad argument #2 to 'through'");
    refused("return {" PLAIN "key = {\na = link { X = through('b', '') } }, on = {} }", "bad argument #2 to 'through'");
    refused("return {" PLAIN "key = {\na = link { X = through('b', 'x..y') } }, on = {} }",
            "view.lua:2: key.a: \"x..y\" is no field");
    refused("return {" PLAIN "key = {\na = link { X = through('b/c', 'x') } }, on = {} }", "names no kind");
    refused("return {" PLAIN "key = {\na = link { ['X\\0'] = own } }, on = {} }", "holds a NUL");
    refused("return {" PLAIN "key = {\na = link { X = own, Y = 3 } }, on = {} }", "view.lua:2: key.a: a route is own");
    refused("return {" PLAIN "key = {\na = link { X = own, [3] = own } }, on = {} }",
            "view.lua:2: `link` wants event types as names");
    /* Its first employee's link comes from himself: such a circle of kinds is none of aggregates. */
    LUA->close(open_script("return {" PLAIN
                           "key = { person = link { Hired = 'company', Moved = through('person', 'boss') } "
                           "}, on = {} }"));
}

static void a_time_to_live_is_a_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"30d", INT64_C(2592000000)}, {"12h", 43200000}, {"10m", 600000}, {"90s", 90000}, {"1ms", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_projector *projector = open_script(
            vf_arena_printf(test_arena, "return {" PLAIN "key = { a = own }, on = {}, ttl = '%s' }", cases[i].text)
                .data);
        assert_int_equal(LUA->describe(projector)->ttl_ms, cases[i].ms);
        LUA->close(projector);
    }
    static const char *const wrong[] = {
        "30",    "'30'",  "'d'",  "'-1d'", "'1.5d'", "'0d'",    "'1w'",
        "' 1d'", "'1d '", "'1D'", "{}",    "true",   "'1d\\0'", "'99999999999999999999s'"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(vf_arena_printf(test_arena, "return {" PLAIN "key = { a = own }, on = {},\nttl = %s }", wrong[i]).data,
                "view.lua:2: `ttl` is a whole number with its unit (ms, s, m, h or d), more than none: ttl = \"30d\"");
    refused("return {" PLAIN "key = { a = own }, on = {}, ttl = '400000d' }", "longer than a thousand years");
}

static void what_is_not_linked_is_held_parked_or_ignored(void **state)
{
    (void)state;
    static const char *const words[] = {"hold", "park", "ignore"};
    for (int i = 0; i < 3; i++) {
        struct vf_projector *projector = open_script(
            vf_arena_printf(test_arena, "return {" PLAIN "key = { a = link { X = 'x' } }, on = {}, unlinked = '%s' }",
                            words[i])
                .data);
        assert_int_equal(LUA->describe(projector)->unlinked, i);
        LUA->close(projector);
    }
    refused("return {" PLAIN "key = { a = own }, on = {},\nunlinked = 'keep' }",
            "view.lua:2: `unlinked` is \"hold\", \"park\" or \"ignore\"");
}

static void indexes_are_over_top_level_fields(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_script("return {" PLAIN "key = { a = own }, on = {}, indexes = {\n"
                    "recent = { sort = 'created' }, by_city = { by = 'city', sort = 'name', where = 'open' },\n"
                    "a = { where = 'open' } } }");
    const struct vf_projection *says = LUA->describe(projector);
    assert_int_equal(says->index_count, 3);
    assert_string_equal(says->indexes[0].name, "a");
    assert_null(says->indexes[0].sort);
    assert_null(says->indexes[0].by);
    assert_string_equal(says->indexes[0].where, "open");
    assert_string_equal(says->indexes[1].name, "by_city");
    assert_string_equal(says->indexes[1].sort, "name");
    assert_string_equal(says->indexes[1].by, "city");
    assert_string_equal(says->indexes[1].where, "open");
    assert_string_equal(says->indexes[2].sort, "created");
    LUA->close(projector);
    static const char *const wrong[][2] = {
        {"3", "view.lua:2: `indexes` is a number"},
        {"{ { sort = 'x' } }", "view.lua:2: `indexes` has a number as name"},
        {"{ Recent = { sort = 'x' } }", "view.lua:2: indexes.Recent: an index's name begins with a letter a-z"},
        {"{ r = 'x' }", "view.lua:2: indexes.r is a string: an index is { sort = ..., by = ..., where = ... }"},
        {"{ r = {} }", "view.lua:2: indexes.r says no field"},
        {"{ r = {\nsort = 3 } }", "view.lua:3: indexes.r: its sort is a number, and the name of a field is wanted"},
        {"{ r = {\nsrot = 'x' } }", "view.lua:3: indexes.r: an index has no `srot`: did you mean `sort`?"},
        {"{ r = {\nunique = 'x' } }", "view.lua:3: indexes.r: an index has sort, by and where, and no `unique`"},
        {"{ r = { 'x' } }", "indexes.r: an index has sort, by and where, and no `number`"},
        {"{ r = { sort = 'id' } }", "its sort \"id\" belongs to viewfold"},
        {"{ r = { by = '_x' } }", "its by \"_x\" belongs to viewfold"},
        {"{ r = { by = 'a.b' } }", "its by \"a.b\" is not the name of a top-level field"},
        {"{ r = { where = '$a' } }", "its where \"$a\" is not the name of a top-level field"},
        {"{ r = { where = '' } }", "its where \"\" is empty"},
        {"{ r = { where = 'x', by = 'x' } }", "names one field twice"},
        {"{ r = { sort = 'x', by = 'x' } }", "names one field twice"},
        {"{ r = { sort = 'x', where = 'x' } }", "names one field twice"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(vf_arena_printf(test_arena, "return {" PLAIN "key = { a = own }, on = {},\nindexes = %s }", wrong[i][0])
                    .data,
                wrong[i][1]);
    refused("local many = {} for i = 1, 61 do many['i' .. i] = { sort = 'x' } end\nreturn {" PLAIN
            "key = { a = own }, on = {},\nindexes = many }",
            "`indexes` names 61, and a view has 60 at most");
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
        A_TEST(a_place_is_none_in_a_comment_or_a_text),
        A_TEST(links_say_which_events_make_them_and_what_they_follow),
        A_TEST(a_link_that_leads_nowhere_is_refused),
        A_TEST(a_time_to_live_is_a_duration),
        A_TEST(what_is_not_linked_is_held_parked_or_ignored),
        A_TEST(indexes_are_over_top_level_fields),
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
