/* Values keep their kind on the way from Lua to BSON and back, or the event fails with the path. */
#include "lua/lua_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void numbers_stay_what_they_are(void **state)
{
    (void)state;
    assert_becomes("doc.i, doc.f, doc.big, doc.small, doc.z = 1, 1.0, math.maxinteger, math.mininteger, -0.0", "{}",
                   "{\"big\":9223372036854775807,\"f\":1.0,\"i\":1,\"small\":-9223372036854775808,\"z\":-0.0}");
    assert_becomes("doc.a, doc.b, doc.c = e.data.a, e.data.b + 1, e.data.c", "{\"a\":1.0,\"b\":41,\"c\":1e300}",
                   "{\"a\":1.0,\"b\":42,\"c\":1e300}");
    assert_no_body("doc.x = { y = 0/0 }", VF_E_SCRIPT, "the document's field `x.y` is infinite or not a number");
    assert_no_body("doc.x = array { 1, math.huge }", VF_E_SCRIPT, "the document's field `x[2]` is infinite");
}

static void null_is_a_value_of_its_own(void **state)
{
    (void)state;
    assert_becomes("doc.a, doc.same, doc.name, doc.l = e.data.a, e.data.a == null, tostring(null), array { null, 1 }",
                   "{\"a\":null}", "{\"a\":null,\"l\":[null,1],\"name\":\"null\",\"same\":true}");
    assert_becomes("doc.x = nil; doc.truth = null and true", "{}", "{\"truth\":true}");
}

static void a_list_is_what_array_or_json_made(void **state)
{
    (void)state;
    assert_becomes("doc.a, doc.o, doc.l = array {}, {}, array { 1, { x = array {} }, array { 'y' } }", "{}",
                   "{\"a\":[],\"l\":[1,{\"x\":[]},[\"y\"]],\"o\":{}}");
    assert_becomes("doc.a, doc.o = e.data.a, e.data.o", "{\"a\":[],\"o\":{}}", "{\"a\":[],\"o\":{}}");
    assert_becomes("doc.a = array(); doc.a[1] = 'x'", "{}", "{\"a\":[\"x\"]}");
    assert_becomes(
        "local a = e.data.a\na[#a + 1] = 9 table.insert(a, 1, 0) table.remove(a, 2) table.sort(a, function(x, y) "
        "return x > y end)\ndoc.a, doc.text, doc.n = a, table.concat(a, ','), select('#', table.unpack(a))",
        "{\"a\":[5,7,3]}", "{\"a\":[9,7,3,0],\"n\":4,\"text\":\"9,7,3,0\"}");
    assert_becomes("local sum = 0 for i, v in ipairs(e.data.a) do sum = sum + i * v end doc.sum = sum", "{\"a\":[5,7]}",
                   "{\"sum\":19}");
    assert_becomes(
        "doc.a = array {} for i = 300, 1, -1 do doc.a[i] = i end doc.n = #doc.a doc.a = array { doc.a[300] }", "{}",
        "{\"a\":[300],\"n\":300}");
    assert_no_body("doc.o = { x = { 1, 2 } }", VF_E_SCRIPT,
                   "the document's field `o.x` has the integer key 1: use array {...} for a list");
    assert_no_body("doc[1] = 2", VF_E_SCRIPT, "the document has the integer key 1");
    assert_no_body("doc.x = array { 1, nil, 3 }", VF_E_SCRIPT, "the document's field `x` is a list with a hole at [2]");
    assert_no_body("doc.x = array { 1 } doc.x[0] = 1", VF_E_SCRIPT, "has a key below 1");
    assert_no_body("doc.x = array { 1 } doc.x.y = 1", VF_E_SCRIPT, "is a list, and has a key that is no integer");
    assert_no_body("doc.x = { [1.5] = 1 }", VF_E_SCRIPT, "has a number as key: keys are strings");
    assert_no_body("doc.x = { [true] = 1 }", VF_E_SCRIPT, "has a boolean as key");
    assert_no_body("array(doc)", VF_E_SCRIPT, "the document cannot be a list itself");
    assert_fails("array { a = 1 }", VF_E_SCRIPT, "array wants a list");
    assert_fails("array(1, 2)", VF_E_SCRIPT, "one table");
}

static void a_list_filled_from_its_end_comes_out_in_order(void **state)
{
    (void)state;
    char wanted[40000] = "{\"a\":[";
    size_t size = strlen(wanted);
    for (int i = 1; i <= 3000; i++)
        size += (size_t)snprintf(wanted + size, sizeof wanted - size, "%s%d", i > 1 ? "," : "", i);
    snprintf(wanted + size, sizeof wanted - size, "]}");
    assert_becomes("doc.a = array {} for i = 3000, 1, -1 do doc.a[i] = i end", "{}", wanted);
}

static void dates_live_in_top_level_fields(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_handler("if e.data.set then doc.d = date(e.data.set) else\n"
                     "doc.text, doc.less, doc.same = tostring(doc.d), doc.d < date('2026-03-01T11:00:00+00:00'), "
                     "doc.d == date('2026-03-01T11:00:00.5+01:00')\n"
                     "doc.later = doc.d <= e.time; doc.d2 = date(doc.d) end");
    vf_warm document;
    struct vf_bytes bson;
    bool aliased;
    assert_int_equal(happen(projector, "{\"set\":\"2026-03-01T10:00:00.5Z\"}", &document), VF_OK);
    assert_int_equal(LUA->body(projector, document, test_arena, &bson, &aliased, &test_error), VF_OK);
    bson_t view;
    bson_iter_t iter;
    assert_true(bson_init_static(&view, (const uint8_t *)bson.data, bson.size));
    assert_true(bson_iter_init_find(&iter, &view, "d"));
    assert_int_equal(bson_iter_type(&iter), BSON_TYPE_DATE_TIME);
    assert_int_equal(bson_iter_date_time(&iter), 1772359200500);
    /* Through the store and untouched: still a date. */
    vf_warm again;
    assert_int_equal(LUA->warm(projector, bson, &again, &test_error), VF_OK);
    assert_int_equal(handle(projector, again, "Happened", "{}"), VF_OK);
    assert_string_equal(body_json(projector, again, NULL),
                        "{\"d\":\"2026-03-01T10:00:00.500Z\","
                        "\"d2\":\"2026-03-01T10:00:00.500Z\",\"later\":false,\"less\":true,\"same\":true,"
                        "\"text\":\"2026-03-01T10:00:00.500Z\"}");
    LUA->close(projector);
    assert_no_body("doc.x = { y = date(e.time) }", VF_E_SCRIPT,
                   "the document's field `x.y` is a date: dates are kept in top-level");
    assert_no_body("doc.x = array { date(e.time) }", VF_E_SCRIPT, "the document's field `x[1]` is a date");
    assert_fails("date('yesterday')", VF_E_SCRIPT, "date wants RFC 3339");
    assert_fails("date(12)", VF_E_SCRIPT, "bad argument #1 to 'date'");
    assert_fails("doc.x = date(e.time) < 12", VF_E_SCRIPT, "attempt to compare a date with a number");
    assert_fails("doc.x = date(e.time).year", VF_E_SCRIPT, "a date has no fields");
}

/* The Lua of some systems loses its stack where a metamethod of `..` returns (docs/decisions/0016-dates-are-not-concatenated.md):
 * here each call's stack is a little longer, until one has to grow just there. */
static void dates_are_not_concatenated(void **state)
{
    (void)state;
    const char *wanted = "attempt to concatenate a date: tostring(date) is its text";
    assert_fails("doc.x = date(e.time) .. 'x'", VF_E_SCRIPT, wanted);
    assert_fails("doc.x = 'x' .. date(e.time)", VF_E_SCRIPT, wanted);
    assert_fails("doc.x = date(e.time) .. {}", VF_E_SCRIPT, wanted);
    assert_becomes("local function deep(n, d)\n"
                   "  local done, text = pcall(function() return d .. 'a' .. d .. 'b' end)\n"
                   "  return (done and 1 or 0) + (n > 0 and deep(n - 1, d) or 0)\n"
                   "end\n"
                   "doc.joined = deep(150, date(e.time))",
                   "{}", "{\"joined\":0}");
}

static void what_cannot_be_kept_fails_with_its_path(void **state)
{
    (void)state;
    assert_no_body("doc.x = { y = array { 1, function() end } }", VF_E_SCRIPT,
                   "the document's field `x.y[2]` is a function");
    assert_no_body("doc.x = pairs", VF_E_SCRIPT, "`x` is a function");
    assert_no_body("doc.x = own", VF_E_SCRIPT, "`x` is `own` or `delete`");
    assert_no_body("doc.x = string", VF_E_SCRIPT, "`x` is a library");
    assert_no_body("doc.x = link { A = own }", VF_E_SCRIPT, "`x` is the event or a link");
    assert_no_body("doc.x = '\\xff'", VF_E_SCRIPT, "`x` is a string that is not UTF-8");
    assert_no_body("doc.x = array { '\\xc3' }", VF_E_SCRIPT, "`x[1]` is a string that is not UTF-8");
    assert_no_body("doc.x = { ['a\\0b'] = 1 }", VF_E_SCRIPT, "`x` has a key that is not UTF-8, or holds a NUL");
    assert_no_body("doc.x = { ['\\xff'] = 1 }", VF_E_SCRIPT, "`x` has a key that is not UTF-8");
    assert_no_body("doc.id = 1", VF_E_SCRIPT, "`id` has a name that belongs to viewfold");
    assert_no_body("doc._rev = 1", VF_E_SCRIPT, "`_rev` has a name that belongs to viewfold");
    assert_becomes("doc.x = { id = 1, _y = 2, ['$set'] = 3, ['a.b'] = 4, [''] = 5 }", "{}",
                   "{\"x\":{\"\":5,\"$set\":3,\"_y\":2,\"a.b\":4,\"id\":1}}");
    assert_becomes("doc.x = 'a\\0b\xc3\xa4'", "{}", "{\"x\":\"a\\u0000b\xc3\xa4\"}");
    assert_no_body("doc.x = {} doc.x.y = { z = doc.x }", VF_E_SCRIPT,
                   "the document's field `x.y.z` is a table that holds itself");
    assert_no_body("doc.x = doc", VF_E_SCRIPT, "is a table that holds itself");
    assert_no_body("local t = doc for i = 1, 100 do t.x = {} t = t.x end", VF_E_SCRIPT, "nests too deep");
    struct vf_projector *projector = open_handler("local t = doc for i = 1, 99 do t.x = {} t = t.x end");
    vf_warm document, again;
    struct vf_bytes bson;
    bool aliased;
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    assert_int_equal(LUA->body(projector, document, test_arena, &bson, &aliased, &test_error), VF_OK);
    assert_int_equal(LUA->warm(projector, bson, &again, &test_error), VF_OK);
    LUA->close(projector);
}

static void of_several_faults_the_first_in_order_is_named(void **state)
{
    (void)state;
    /* Each time in another Lua state, whose own order is another one. */
    for (int turn = 0; turn < 5; turn++) {
        assert_no_body("doc.t = { z = e, y = 0/0, x = { c = '\\xff', b = own }, w = 1, aa = { 1 } }", VF_E_SCRIPT,
                       "the document's field `t.aa` has the integer key 1");
        assert_no_body("doc.t = { z = e, y = 0/0, x = { c = '\\xff', b = own }, w = 1 }", VF_E_SCRIPT,
                       "`t.x.b` is `own`");
        assert_no_body("doc.t = { [9007199254740993] = 1, [3.5] = 1, [-77] = 1, k = pairs }", VF_E_SCRIPT,
                       "`t` has the integer key -77");
        assert_no_body("doc.t = { [{}] = 1, [pairs] = 2, [1] = 3, x = e }", VF_E_SCRIPT,
                       "`t` has a table, a function or the like as key");
        assert_no_body("doc._z, doc._y, doc._x, doc.id = 1, 2, 3, 4", VF_E_SCRIPT, "`_x` has a name");
    }
}

static void a_document_has_a_size_limit(void **state)
{
    (void)state;
    test_limits.document_bytes_max = 100;
    assert_no_body("doc.x = ('x'):rep(100)", VF_E_LIMIT, "the document is larger than 100 bytes (limits.document)");
    assert_no_body("for i = 1, 1000 do doc['k' .. i] = true end", VF_E_LIMIT, "larger than 100 bytes");
    assert_no_body("doc.a = array {} for i = 1, 1000 do doc.a[i] = true end", VF_E_LIMIT, "larger than 100 bytes");
    /* 100 bytes and one more: {"x": "..."} is 4 + 1 + 2 + 4 + n + 1 + 1 */
    assert_no_body("doc.x = ('x'):rep(88)", VF_E_LIMIT, "larger than 100 bytes");
    struct vf_projector *projector = open_handler("doc.x = ('x'):rep(87)");
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    assert_non_null(body_json(projector, document, NULL));
    LUA->close(projector);
}

static void a_shared_table_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *handler;
        bool aliased;
    } cases[] = {
        {"doc.a = { x = 1 }; doc.b = { x = 1 }", false},
        {"doc.a = e.data; doc.c = e.headers", false},
        {"local t = {}; doc.a = t; doc.b = t", true},
        {"local t = array {}; doc.a = t; doc.b = { t }; doc.b = { c = t }", true},
        {"doc.a = e.data; doc.b = e.data", true},
        {"doc.a = doc.a or {}; doc.a.n = 1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_projector *projector = open_handler(cases[i].handler);
        vf_warm document;
        bool aliased;
        assert_int_equal(happen(projector, "{\"l\":[{}]}", &document), VF_OK);
        for (int again = 0; again < 3; again++) {
            assert_non_null(body_json(projector, document, &aliased));
            if (aliased != cases[i].aliased)
                fail_msg("%s: aliased %d, round %d", cases[i].handler, aliased, again);
        }
        LUA->close(projector);
    }
}

static void a_table_of_the_script_is_noticed(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(
        "local constant = { rates = array { 1, 2 } }\n"
        "return { name = 'v', topics = {'t'}, key = { order = own }, initial = { mine = { l = array {} } }, on = {\n"
        "Constant = function(doc) doc.rates = constant.rates end } }");
    bool aliased;
    vf_warm document = warm(projector);
    assert_int_equal(handle(projector, document, "Constant", "{}"), VF_OK);
    assert_string_equal(body_json(projector, document, &aliased), "{\"mine\":{\"l\":[]},\"rates\":[1,2]}");
    assert_true(aliased);
    LUA->close(projector);
}

static void the_tables_of_a_script_can_be_read_and_not_changed(void **state)
{
    (void)state;
    static const struct {
        const char *handler, *json; /* json NULL: it fails */
    } cases[] = {
        {"doc.x = rates.eu", "{\"x\":19}"},
        {"doc.x = deep.list[2]; doc.n = #deep.list; doc.t = table.concat(deep.list, '-')",
         "{\"n\":3,\"t\":\"a-b-c\",\"x\":\"b\"}"},
        {"local s = '' for k, v in pairs(rates) do s = s .. k .. v end doc.s = s", "{\"s\":\"eu19us7\"}"},
        {"local s = '' for i, v in ipairs(deep.list) do s = s .. i .. v end doc.s = s", "{\"s\":\"1a2b3c\"}"},
        {"doc.s = select(2, table.unpack(deep.list)) .. next(rates)", "{\"s\":\"beu\"}"},
        {"doc.s = ('eu'):gsub('%w+', rates)", "{\"s\":\"19\"}"},
        {"rates.eu = 20", NULL},
        {"rates.new = 20", NULL},
        {"rates.eu = nil", NULL},
        {"deep.list[1] = 1", NULL},
        {"table.insert(deep.list, 1)", NULL},
        {"table.remove(deep.list)", NULL},
        {"table.sort(deep.list)", NULL},
        {"table.move({1}, 1, 1, 1, deep.list)", NULL},
        {"array(rates)", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_projector *projector = open_script(
            vf_arena_printf(
                test_arena,
                "local rates, deep = { eu = 19, us = 7 }, { list = array { 'a', 'b', 'c' } }\n"
                "return { name = 'v', topics = {'t'}, key = { order = own }, on = { Happened = function(doc, e)\n"
                "%s end } }",
                cases[i].handler)
                .data);
        vf_warm document;
        enum vf_code code = happen(projector, "{}", &document);
        if (cases[i].json) {
            if (code != VF_OK)
                fail_msg("%s: %s", cases[i].handler, test_error.text);
            assert_string_equal(body_json(projector, document, NULL), cases[i].json);
        } else {
            if (code != VF_E_SCRIPT)
                fail_msg("%s: code %d", cases[i].handler, (int)code);
            assert_text_has(test_error.text, "of the script");
        }
        LUA->close(projector);
    }
}

/* A property: any body comes back byte for byte. */

static unsigned long random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(random_state >> 33) % limit;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_random(bson_t *bson, int depth);

static void append_random_value(bson_t *bson, const char *key, int depth)
{
    static const double doubles[] = {0.0, -0.0, 1.0, 0.1, 1e300, -5e-324, 9007199254740993.0};
    static const char *const strings[] = {"", "x", "\xc3\xa4\xe2\x82\xac",
                                          "a string of more than forty bytes, a long one in Lua"};
    bson_t inner;
    switch (random_below(depth < 5 ? 9 : 7)) {
    case 0: bson_append_int64(bson, key, -1, (int64_t)random_state); return;
    case 1: bson_append_int64(bson, key, -1, random_below(3)); return;
    case 2: bson_append_double(bson, key, -1, doubles[random_below(7)]); return;
    case 3: bson_append_utf8(bson, key, -1, strings[random_below(4)], -1); return;
    case 4: bson_append_bool(bson, key, -1, random_below(2)); return;
    case 5: bson_append_null(bson, key, -1); return;
    case 6:
        if (depth == 0)
            bson_append_date_time(bson, key, -1, (int64_t)random_below(2000000000) * 1000);
        else
            bson_append_utf8(bson, key, -1, "a\0b", 3);
        return;
    case 7:
        bson_append_document_begin(bson, key, -1, &inner);
        append_random(&inner, depth + 1);
        bson_append_document_end(bson, &inner);
        return;
    default:
        bson_append_array_begin(bson, key, -1, &inner);
        for (unsigned i = 0, count = random_below(20); i < count; i++) {
            char digits[16];
            snprintf(digits, sizeof digits, "%u", i);
            append_random_value(&inner, digits, depth + 1);
        }
        bson_append_array_end(bson, &inner);
    }
}

static void append_random(bson_t *bson, int depth)
{
    static const char *const all[] = {"a",
                                      "aa",
                                      "aaaaaaaa",
                                      "aaaaaaaab",
                                      "aaaaaaaabc",
                                      "b",
                                      "$x",
                                      "x.y",
                                      "Z",
                                      "\xc3\xa4",
                                      "zz",
                                      "name",
                                      "a name of more than forty bytes, a long string in Lua"};
    const char *names[40];
    char made[40][12];
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (random_below(2))
            names[count++] = all[i];
    for (unsigned i = 0, more = random_below(20); i < more; i++) {
        snprintf(made[i], sizeof made[i], "k%u", i * 7);
        names[count++] = made[i];
    }
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++)
        append_random_value(bson, names[i], depth);
}

static void any_body_comes_back_byte_for_byte(void **state)
{
    (void)state;
    struct vf_projector *projector = open_handler("");
    for (unsigned seed = 1; seed <= 500; seed++) {
        bson_t bson;
        struct vf_bytes back;
        vf_warm document;
        bool aliased;
        random_state = seed;
        bson_init(&bson);
        append_random(&bson, 0);
        struct vf_bytes body = vf_bytes(bson_get_data(&bson), bson.len);
        if (LUA->warm(projector, body, &document, &test_error) != VF_OK ||
            handle(projector, document, "Happened", "{}") != VF_OK ||
            LUA->body(projector, document, test_arena, &back, &aliased, &test_error) != VF_OK)
            fail_msg("seed %u: %s", seed, test_error.text);
        if (!vf_bytes_equal(body, back))
            fail_msg("seed %u: %s", seed, bson_as_canonical_extended_json(&bson, NULL));
        assert_false(aliased);
        LUA->cool(projector, document);
        bson_destroy(&bson);
    }
    LUA->close(projector);
}

static void a_stored_body_that_is_broken_is_refused(void **state)
{
    (void)state;
    struct vf_projector *projector = open_handler("doc.ok = true");
    struct vf_bytes good = json_to_bson("{\"a\":{\"b\":[1,\"text\"]},\"c\":1.5}");
    vf_warm document;
    char copy[200];
    /* Every byte turned: a body that reads as something else, or an error; never a crash. */
    for (size_t i = 0; i < good.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, good.data, good.size);
            copy[i] = (char)(copy[i] ^ (1 << bit));
            if (LUA->warm(projector, vf_bytes(copy, good.size), &document, &test_error) == VF_OK)
                LUA->cool(projector, document);
        }
    }
    bson_t bson;
    bson_init(&bson);
    bson_append_regex(&bson, "r", -1, "x", "");
    assert_int_equal(LUA->warm(projector, vf_bytes(bson_get_data(&bson), bson.len), &document, &test_error), VF_E_DATA);
    assert_text_has(test_error.text, "the stored body's field `r` has the BSON type 11");
    bson_destroy(&bson);
    LUA->close(projector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(numbers_stay_what_they_are),
        A_TEST(null_is_a_value_of_its_own),
        A_TEST(a_list_is_what_array_or_json_made),
        A_TEST(a_list_filled_from_its_end_comes_out_in_order),
        A_TEST(dates_live_in_top_level_fields),
        A_TEST(dates_are_not_concatenated),
        A_TEST(what_cannot_be_kept_fails_with_its_path),
        A_TEST(of_several_faults_the_first_in_order_is_named),
        A_TEST(a_document_has_a_size_limit),
        A_TEST(a_shared_table_is_noticed),
        A_TEST(a_table_of_the_script_is_noticed),
        A_TEST(the_tables_of_a_script_can_be_read_and_not_changed),
        A_TEST(any_body_comes_back_byte_for_byte),
        A_TEST(a_stored_body_that_is_broken_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
