#include "core_test.h"

#include "core/body.h"

#include <math.h>

static struct vf_json_parser *parser;

static int set_up(void **state)
{
    (void)state;
    parser = vf_json_parser_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vf_json_parser_free(parser);
    return 0;
}

/* A JSON object's text as a BSON document. */
static enum vf_code to_bson(struct vf_bytes text, bson_t *bson, struct vf_error *error)
{
    struct vf_json root, value;
    struct vf_bytes key;
    must(vf_json_parse(parser, text, &root, error), error);
    struct vf_json_iterator iterator = vf_json_iterate(root);
    enum vf_code code = VF_OK;
    bson_init(bson);
    while (!code && vf_json_next(&iterator, &key, &value))
        code = vf_body_append_json(bson, key, value, error);
    return code;
}

static void print_bson(struct vf_buffer *out, const bson_t *bson)
{
    struct vf_error error;
    must(vf_body_print(out, vf_bytes(bson_get_data(bson), bson->len), &error), &error);
}

/* JSON -> BSON -> JSON. */
static void round_trip(struct vf_buffer *out, struct vf_bytes text)
{
    struct vf_error error;
    bson_t bson;
    must(to_bson(text, &bson, &error), &error);
    assert_true(bson_validate(&bson, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL));
    print_bson(out, &bson);
    bson_destroy(&bson);
}

static void expect_canonical(const char *text, const char *wanted)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    round_trip(&out, vf_bytes_from(text));
    expect_text(vf_bytes(out.data, out.size), wanted);
    vf_buffer_done(&out);
}

static void json_becomes_canonical(void **state)
{
    (void)state;
    expect_canonical("{}", "{}");
    expect_canonical(" { \"b\" : 1 , \"a\" : [ ] } ", "{\"a\":[],\"b\":1}");
    expect_canonical("{\"z\":{\"y\":null,\"x\":[3,1,2,{\"b\":true,\"a\":false}]}}",
                     "{\"z\":{\"x\":[3,1,2,{\"a\":false,\"b\":true}],\"y\":null}}");
    expect_canonical("{\"b\":1,\"a\":2,\"ab\":3,\"\":4,\"B\":5,\"\xc3\xa4\":6,\"~\":7}",
                     "{\"\":4,\"B\":5,\"a\":2,\"ab\":3,\"b\":1,\"~\":7,\"\xc3\xa4\":6}");
    expect_canonical("{\"i\":9223372036854775807,\"j\":-9223372036854775808,\"k\":9007199254740993}",
                     "{\"i\":9223372036854775807,\"j\":-9223372036854775808,\"k\":9007199254740993}");
    expect_canonical("{\"a.b\":1,\"$set\":{\"$x\":2},\"_c\":3}", "{\"$set\":{\"$x\":2},\"_c\":3,\"a.b\":1}");
    expect_canonical("{\"s\":\"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\\\"\\\\\\/\x7f\\u00e4\\ud83d\\ude00\"}",
                     "{\"s\":\"\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\\\"\\\\/\x7f\xc3\xa4\xf0\x9f\x98\x80\"}");
}

static void of_repeated_keys_the_last_counts(void **state)
{
    (void)state;
    expect_canonical("{\"x\":{\"a\":1,\"b\":2,\"a\":[3]}}", "{\"x\":{\"a\":[3],\"b\":2}}");

    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "{\"x\":{");
    for (int i = 0; i < 5000; i++)
        vf_buffer_printf(&text, "%s\"k%d\":%d", i ? "," : "", i % 100, i);
    vf_buffer_add_text(&text, "}}");
    struct vf_error error;
    bson_t bson;
    bson_iter_t iter, child;
    must(to_bson(vf_bytes(text.data, text.size), &bson, &error), &error);
    assert_true(bson_iter_init_find(&iter, &bson, "x") && bson_iter_recurse(&iter, &child));
    for (int i = 4900; i < 5000; i++) { /* each once, in the order of the last ones */
        assert_true(bson_iter_next(&child));
        assert_int_equal(bson_iter_int64(&child), i);
    }
    assert_false(bson_iter_next(&child));
    bson_destroy(&bson);
    vf_buffer_done(&text);
}

static void keys_keep_the_texts_order_in_bson(void **state)
{
    (void)state;
    struct vf_error error;
    bson_t bson;
    bson_iter_t iter;
    must(to_bson(VF_LITERAL("{\"b\":1,\"a\":2,\"c\":3}"), &bson, &error), &error);
    assert_true(bson_iter_init(&iter, &bson));
    for (const char *key = "bac"; *key; key++) {
        assert_true(bson_iter_next(&iter));
        assert_int_equal(bson_iter_key(&iter)[0], *key);
        assert_int_equal(bson_iter_type(&iter), BSON_TYPE_INT64);
    }
    bson_destroy(&bson);
}

static void repeated_names_in_bson_print_the_last(void **state)
{
    (void)state;
    bson_t bson = BSON_INITIALIZER;
    struct vf_buffer out;
    vf_buffer_init(&out);
    for (int i = 0; i < 40; i++)
        BSON_APPEND_INT64(&bson, i % 2 ? "b" : "a", i);
    print_bson(&out, &bson);
    expect_text(vf_bytes(out.data, out.size), "{\"a\":38,\"b\":39}");
    bson_destroy(&bson);
    vf_buffer_done(&out);
}

static void expect_append_fails(const char *text, const char *part)
{
    struct vf_error error;
    bson_t bson;
    enum vf_code code = to_bson(vf_bytes_from(text), &bson, &error);
    bson_destroy(&bson);
    if (code != VF_E_DATA)
        fail_msg("code %d for %s", (int)code, text);
    expect_contains(error.text, part);
}

static void what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    expect_append_fails("{\"a\\u0000b\":1}", "NUL");
    expect_append_fails("{\"x\":{\"a\":1,\"\\u0000\":1}}", "NUL");
    expect_append_fails("{\"big\":9223372036854775808}", "64 bits");
    expect_append_fails("{\"x\":[{\"y\":[1,2,18446744073709551615]}]}", "64 bits");
}

static void expect_print_fails(bson_t *bson, const char *part)
{
    struct vf_error error = {0};
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_add_text(&out, "before");
    enum vf_code code = vf_body_print(&out, vf_bytes(bson_get_data(bson), bson->len), &error);
    assert_int_equal(code, VF_E_DATA);
    expect_contains(error.text, part);
    assert_string_equal(out.data, "before"); /* nothing half done stays */
    vf_buffer_done(&out);
    bson_destroy(bson);
}

static void bson_that_no_view_holds_is_refused(void **state)
{
    (void)state;
    bson_oid_t oid;
    bson_oid_init(&oid, NULL);
    expect_print_fails(BCON_NEW("f", BCON_DOUBLE(NAN)), "f: NaN");
    expect_print_fails(BCON_NEW("f", BCON_DOUBLE(INFINITY)), "infinity");
    expect_print_fails(BCON_NEW("a", "{", "b", BCON_DOUBLE(-INFINITY), "}"), "a: b: infinity");
    expect_print_fails(BCON_NEW("i", BCON_INT32(1)), "i: BSON type 0x10");
    expect_print_fails(BCON_NEW("o", BCON_OID(&oid)), "BSON type 0x07");
    expect_print_fails(BCON_NEW("b", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"x", 1)), "BSON type 0x05");
    expect_print_fails(BCON_NEW("x", "{", "d", BCON_DATE_TIME(0), "}"), "x: d: a date can stand in a top-level field");
    expect_print_fails(BCON_NEW("x", "[", BCON_DATE_TIME(0), "]"), "a date can stand in a top-level field");
    bson_t *bson = bson_new();
    assert_true(bson_append_utf8(bson, "s", 1, "\xff", 1));
    expect_print_fails(bson, "s: a string is not UTF-8");
    bson = bson_new();
    assert_true(bson_append_int64(bson, "\xff", 1, 1));
    expect_print_fails(bson, "name is not UTF-8");
}

static void damaged_bson_is_refused(void **state)
{
    (void)state;
    struct vf_buffer out;
    vf_buffer_init(&out);
    struct vf_error error;
    assert_int_equal(vf_body_print(&out, vf_bytes("", 0), &error), VF_E_DATA);
    assert_int_equal(vf_body_print(&out, vf_bytes("\x05\0\0\0", 4), &error), VF_E_DATA);

    /* Every byte of a document changed in many ways: an error or a text, never a read outside (ASan). */
    bson_t *bson = BCON_NEW("d", BCON_DATE_TIME(5), "a", "{", "b", "[", "text", BCON_INT64(1), "more", "]", "}", "c",
                            BCON_DOUBLE(1.5));
    struct vf_buffer undamaged;
    vf_buffer_init(&undamaged);
    print_bson(&undamaged, bson);
    for (uint32_t at = 0; at < bson->len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            char *copy = vf_alloc(bson->len);
            memcpy(copy, bson_get_data(bson), bson->len);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            vf_buffer_clear(&out);
            enum vf_code code = vf_body_print(&out, vf_bytes(copy, bson->len), &error);
            assert_true(code == VF_OK || code == VF_E_DATA);
            bson_t changed;
            bool whole = bson_init_static(&changed, (const uint8_t *)copy, bson->len) &&
                         bson_validate(&changed, BSON_VALIDATE_NONE, NULL);
            /* An array's own names are not read: what is wrong with one changes nothing. */
            if (code == VF_OK && !whole && strcmp(out.data, undamaged.data))
                fail_msg("bit %d of byte %u: damaged, but printed as %s", bit, at, out.data);
            free(copy);
        }
    }
    bson_destroy(bson);
    vf_buffer_done(&undamaged);
    vf_buffer_done(&out);
}

static void bson_nested_too_deep_is_refused(void **state)
{
    (void)state;
    for (size_t depth = 170; depth < 190; depth++) {
        struct vf_buffer bytes;
        vf_buffer_init(&bytes);
        for (size_t i = 0; i <= depth; i++) {
            int32_t size = (int32_t)(5 + (depth - i) * 8);
            if (i)
                vf_buffer_add(&bytes,
                              "\x03"
                              "a\0",
                              3);
            vf_buffer_add(&bytes, &size, 4);
        }
        for (size_t i = 0; i <= depth; i++)
            vf_buffer_add_char(&bytes, '\0');
        struct vf_buffer out;
        vf_buffer_init(&out);
        struct vf_error error;
        enum vf_code code = vf_body_print(&out, vf_bytes(bytes.data, bytes.size), &error);
        assert_int_equal(code, depth < 178 ? VF_OK : VF_E_DATA); /* `depth` containers inside the document's own */
        vf_buffer_done(&out);
        vf_buffer_done(&bytes);
    }
}

static void a_date_is_printed_as_rfc_3339(void **state)
{
    (void)state;
    bson_t *bson = BCON_NEW("at", BCON_DATE_TIME(1772359200000));
    struct vf_buffer out;
    vf_buffer_init(&out);
    print_bson(&out, bson);
    expect_text(vf_bytes(out.data, out.size), "{\"at\":\"2026-03-01T10:00:00.000Z\"}");
    bson_destroy(bson);
    vf_buffer_done(&out);
}

static void single_values_are_printed(void **state)
{
    (void)state;
    bson_t *bson = BCON_NEW("a", BCON_DATE_TIME(-1), "b", "x\"y", "c", "[", BCON_INT64(1), BCON_DOUBLE(2.0), "]", "d",
                            "{", "z", BCON_NULL, "y", BCON_BOOL(true), "}");
    static const char *const wanted[] = {"\"1969-12-31T23:59:59.999Z\"", "\"x\\\"y\"", "[1,2.0]",
                                         "{\"y\":true,\"z\":null}"};
    bson_iter_t iter;
    struct vf_buffer out;
    struct vf_error error;
    vf_buffer_init(&out);
    assert_true(bson_iter_init(&iter, bson));
    for (size_t i = 0; bson_iter_next(&iter); i++) {
        vf_buffer_clear(&out);
        must(vf_body_print_value(&out, &iter, &error), &error);
        expect_text(vf_bytes(out.data, out.size), wanted[i]);
    }
    bson_destroy(bson);
    vf_buffer_done(&out);
}

static void expect_double(double number, const char *wanted)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_json_print_double(&out, number);
    assert_string_equal(out.data, wanted);
    vf_buffer_done(&out);
}

static void doubles_show_what_they_are(void **state)
{
    (void)state;
    expect_double(0.0, "0.0");
    expect_double(-0.0, "-0.0");
    expect_double(1.0, "1.0");
    expect_double(-1.0, "-1.0");
    expect_double(0.1, "0.1");
    expect_double(1.5, "1.5");
    expect_double(100000000000000.0, "100000000000000.0");
    expect_double(999999999999999.0, "999999999999999.0");
    expect_double(1e15, "1e15");
    expect_double(1e300, "1e300");
    expect_double(1e-7, "1e-7");
    expect_double(-2.5e-10, "-2.5e-10");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(9007199254740993.0, "9007199254740992.0");
    expect_double(1.7976931348623157e308, "1.7976931348623157e308");
    expect_double(2.2250738585072014e-308, "2.2250738585072014e-308");
    expect_double(9223372036854775808.0, "9.223372036854776e18");
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void doubles_read_back_to_the_same_bits(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    struct vf_buffer out;
    struct vf_error error;
    vf_buffer_init(&out);
    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next_random(&random);
        if (i % 3 == 1) /* subnormals and zeros */
            bits &= UINT64_C(0x800fffffffffffff);
        double number;
        memcpy(&number, &bits, sizeof number);
        if (i % 3 == 2) /* money and the like */
            number = (double)(int64_t)(bits % 2000000000) / 100.0 - 1e7;
        if (!isfinite(number))
            continue;
        vf_buffer_clear(&out);
        vf_json_print_double(&out, number);
        struct vf_json value;
        must(vf_json_parse(parser, vf_bytes(out.data, out.size), &value, &error), &error);
        if (vf_json_type(value) != VF_JSON_DOUBLE || bits_of(vf_json_double(value)) != bits_of(number) ||
            bits_of(strtod(out.data, NULL)) != bits_of(number))
            fail_msg("%a was printed as %s", number, out.data);
    }
    vf_buffer_done(&out);
}

/*
 * A random body, written twice at once: as any JSON text (spaces, escapes, keys in any order), and in canonical form by code
 * that shares nothing with body.c: keys are made in their order, and the text shuffles them.
 */
struct pair {
    struct vf_buffer any;
    struct vf_buffer canonical;
};

static void add_to_both(struct pair *pair, const char *text)
{
    vf_buffer_add_text(&pair->any, text);
    vf_buffer_add_text(&pair->canonical, text);
}

static void add_space(struct pair *pair, uint64_t *random)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t\r\n "};
    vf_buffer_add_text(&pair->any, spaces[next_random(random) % COUNT_OF(spaces)]);
}

static void add_string(struct pair *pair, uint64_t *random)
{
    static const char *const pieces[][2] = {{"a", "a"},
                                            {"\\u0061", "a"},
                                            {"\\/", "/"},
                                            {"\\n", "\\n"},
                                            {"\\u000a", "\\n"},
                                            {"\\u0000", "\\u0000"},
                                            {"\\u001F", "\\u001f"},
                                            {"\\\"", "\\\""},
                                            {"\xc3\xa4", "\xc3\xa4"},
                                            {"\\u00E4", "\xc3\xa4"},
                                            {"\\uD83D\\uDE00", "\xf0\x9f\x98\x80"},
                                            {"$.", "$."}};
    add_to_both(pair, "\"");
    for (uint64_t left = next_random(random) % 12; left; left--) {
        size_t piece = next_random(random) % COUNT_OF(pieces);
        vf_buffer_add_text(&pair->any, pieces[piece][0]);
        vf_buffer_add_text(&pair->canonical, pieces[piece][1]);
    }
    add_to_both(pair, "\"");
}

static void add_number(struct pair *pair, uint64_t *random)
{
    static const char *const doubles[][2] = {{"1.0", "1.0"},   {"1e0", "1.0"},     {"-0.0", "-0.0"},  {"1E+2", "100.0"},
                                             {"0.1", "0.1"},   {"1e300", "1e300"}, {"2.50", "2.5"},   {"1e-7", "1e-7"},
                                             {"0.1e1", "1.0"}, {"5e-05", "5e-5"},  {"-1.25", "-1.25"}};
    if (next_random(random) % 2) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)(next_random(random) >> next_random(random) % 63));
        add_to_both(pair, text);
        return;
    }
    size_t i = next_random(random) % COUNT_OF(doubles);
    vf_buffer_add_text(&pair->any, doubles[i][0]);
    vf_buffer_add_text(&pair->canonical, doubles[i][1]);
}

static void add_value(struct pair *pair, uint64_t *random, int depth);

static void add_object(struct pair *pair, uint64_t *random, int depth)
{
    struct pair members[40];
    size_t count = next_random(random) % (depth < 2 ? 6 : 40);
    for (size_t i = 0; i < count; i++) {
        vf_buffer_init(&members[i].any);
        vf_buffer_init(&members[i].canonical);
        char key[16];
        snprintf(key, sizeof key, "\"k%02zu\"", i);
        add_to_both(&members[i], key);
        add_space(&members[i], random);
        add_to_both(&members[i], ":");
        add_space(&members[i], random);
        add_value(&members[i], random, depth - 1);
    }
    size_t order[40];
    for (size_t i = 0; i < count; i++) {
        size_t j = next_random(random) % (i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    add_to_both(pair, "{");
    for (size_t i = 0; i < count; i++) {
        if (i)
            add_to_both(pair, ",");
        add_space(pair, random);
        vf_buffer_add(&pair->any, members[order[i]].any.data, members[order[i]].any.size);
        vf_buffer_add(&pair->canonical, members[i].canonical.data, members[i].canonical.size);
    }
    add_to_both(pair, "}");
    for (size_t i = 0; i < count; i++) {
        vf_buffer_done(&members[i].any);
        vf_buffer_done(&members[i].canonical);
    }
}

static void add_array(struct pair *pair, uint64_t *random, int depth)
{
    size_t count = next_random(random) % (depth < 2 ? 4 : 25);
    add_to_both(pair, "[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            add_to_both(pair, ",");
        add_space(pair, random);
        add_value(pair, random, depth - 1);
    }
    add_to_both(pair, "]");
}

static void add_value(struct pair *pair, uint64_t *random, int depth)
{
    uint64_t kind = next_random(random) % (depth > 0 ? 7 : 5);
    if (kind == 0)
        add_to_both(pair, "null");
    else if (kind == 1)
        add_to_both(pair, next_random(random) % 2 ? "true" : "false");
    else if (kind == 2)
        add_string(pair, random);
    else if (kind < 5)
        add_number(pair, random);
    else if (kind == 5)
        add_object(pair, random, depth);
    else
        add_array(pair, random, depth);
}

static void random_bodies_become_canonical_and_stay_so(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    struct pair pair;
    struct vf_buffer once, twice;
    vf_buffer_init(&pair.any);
    vf_buffer_init(&pair.canonical);
    vf_buffer_init(&once);
    vf_buffer_init(&twice);
    for (int i = 0; i < 2000; i++) {
        vf_buffer_clear(&pair.any);
        vf_buffer_clear(&pair.canonical);
        vf_buffer_clear(&once);
        vf_buffer_clear(&twice);
        add_object(&pair, &random, 4);
        round_trip(&once, vf_bytes(pair.any.data, pair.any.size));
        assert_string_equal(once.data, pair.canonical.data);
        round_trip(&twice, vf_bytes(once.data, once.size));
        assert_string_equal(twice.data, once.data);
    }
    vf_buffer_done(&pair.any);
    vf_buffer_done(&pair.canonical);
    vf_buffer_done(&once);
    vf_buffer_done(&twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_becomes_canonical),
        cmocka_unit_test(of_repeated_keys_the_last_counts),
        cmocka_unit_test(keys_keep_the_texts_order_in_bson),
        cmocka_unit_test(repeated_names_in_bson_print_the_last),
        cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(bson_that_no_view_holds_is_refused),
        cmocka_unit_test(damaged_bson_is_refused),
        cmocka_unit_test(bson_nested_too_deep_is_refused),
        cmocka_unit_test(a_date_is_printed_as_rfc_3339),
        cmocka_unit_test(single_values_are_printed),
        cmocka_unit_test(doubles_show_what_they_are),
        cmocka_unit_test(doubles_read_back_to_the_same_bits),
        cmocka_unit_test(random_bodies_become_canonical_and_stay_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
