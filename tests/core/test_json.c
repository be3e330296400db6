#include "core_test.h"

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

static struct vf_json parse_bytes(struct vf_bytes text)
{
    struct vf_error error;
    struct vf_json root;
    must(vf_json_parse(parser, text, &root, &error), &error);
    return root;
}

static struct vf_json parse(const char *text)
{
    return parse_bytes(vf_bytes_from(text));
}

static void refuse_bytes(struct vf_bytes text, const char *part)
{
    struct vf_error error;
    struct vf_json root;
    enum vf_code code = vf_json_parse(parser, text, &root, &error);
    if (code != VF_E_DATA)
        fail_msg("code %d for %.*s", (int)code, text.size < 60 ? (int)text.size : 60, text.data);
    assert_int_equal(error.code, VF_E_DATA);
    assert_false(error.retriable);
    expect_contains(error.text, part);
}

static void refuse(const char *text)
{
    refuse_bytes(vf_bytes_from(text), "not JSON");
}

static void integers_are_exact(void **state)
{
    (void)state;
    static const int64_t numbers[] = {
        0, 1, -1, 9007199254740993, -9007199254740993, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char text[32];
        snprintf(text, sizeof text, "[%lld]", (long long)numbers[i]);
        struct vf_json value;
        assert_true(vf_json_at(parse(text), "/0", &value));
        assert_int_equal(vf_json_type(value), VF_JSON_INT);
        assert_true(vf_json_int(value) == numbers[i]);
    }
}

static void an_integer_beyond_int64_is_never_an_int(void **state)
{
    (void)state;
    assert_int_equal(vf_json_type(parse("9223372036854775808")), VF_JSON_BIG);
    assert_int_equal(vf_json_type(parse("18446744073709551615")), VF_JSON_BIG);
    refuse("18446744073709551616");
    refuse("-9223372036854775809");
    refuse("100000000000000000000000000000000");
}

static void doubles_are_doubles(void **state)
{
    (void)state;
    assert_int_equal(vf_json_type(parse("1.0")), VF_JSON_DOUBLE);
    assert_int_equal(vf_json_type(parse("1e2")), VF_JSON_DOUBLE);
    assert_true(vf_json_double(parse("1e2")) == 100.0);
    assert_true(vf_json_double(parse("0.1")) == 0.1);
    assert_true(vf_json_double(parse("5e-324")) > 0.0);
    refuse("1e400");
    refuse("-1e400");
    refuse("NaN");
    refuse("Infinity");
    refuse("01");
    refuse("1.");
    refuse(".5");
    refuse("+1");
}

static void each_type_is_told(void **state)
{
    (void)state;
    struct vf_json root = parse("[null,true,false,1,9223372036854775808,1.5,\"x\",[],{}]");
    static const enum vf_json_type wanted[] = {VF_JSON_NULL,   VF_JSON_BOOL,  VF_JSON_BOOL,
                                               VF_JSON_INT,    VF_JSON_BIG,   VF_JSON_DOUBLE,
                                               VF_JSON_STRING, VF_JSON_ARRAY, VF_JSON_OBJECT};
    struct vf_json_iterator iterator = vf_json_iterate(root);
    struct vf_json value;
    size_t count = 0;
    for (; vf_json_next(&iterator, NULL, &value); count++) {
        assert_int_equal(vf_json_type(value), wanted[count]);
        if (count == 1)
            assert_true(vf_json_bool(value));
        if (count == 2)
            assert_false(vf_json_bool(value));
    }
    assert_int_equal(count, COUNT_OF(wanted));
}

static void of_repeated_keys_the_last_counts(void **state)
{
    (void)state;
    struct vf_json root = parse("{\"a\":1,\"b\":{\"a\":5},\"a\":2,\"c\":0,\"a\":3}");
    struct vf_json value;
    assert_true(vf_json_member(root, VF_LITERAL("a"), &value));
    assert_int_equal(vf_json_int(value), 3);
    assert_true(vf_json_at(root, "/a", &value));
    assert_int_equal(vf_json_int(value), 3);
    assert_true(vf_json_at(root, "/b/a", &value));
    assert_int_equal(vf_json_int(value), 5);
}

static void a_pointer_finds_what_rfc_6901_says(void **state)
{
    (void)state;
    struct vf_json root =
        parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"
              "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"0\":9,\"~1\":10}");
    static const struct {
        const char *pointer;
        int64_t wanted;
    } integers[] = {{"/", 0},     {"/a~1b", 1}, {"/c%d", 2},  {"/e^f", 3}, {"/g|h", 4}, {"/i\\j", 5},
                    {"/k\"l", 6}, {"/ ", 7},    {"/m~0n", 8}, {"/0", 9},   {"/~01", 10}};
    struct vf_json value;
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        assert_true(vf_json_at(root, integers[i].pointer, &value));
        assert_int_equal(vf_json_int(value), integers[i].wanted);
    }
    assert_true(vf_json_at(root, "", &value));
    assert_int_equal(vf_json_type(value), VF_JSON_OBJECT);
    assert_true(vf_json_at(root, "/foo/1", &value));
    expect_text(vf_json_string(value), "baz");

    static const char *const absent[] = {
        "foo", "/foo/2", "/foo/-", "/foo/01", "/foo/ 1", "/foo/",   "/foo/0/", "/foo/0/x",
        "/fo", "/m~n",   "/m~",    "/m~2n",   "/fooo",   "/foo/1x", "//",      "/foo/99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        if (vf_json_at(root, absent[i], &value))
            fail_msg("%s was found", absent[i]);
    }
}

static void nothing_is_a_member_of_what_is_no_object(void **state)
{
    (void)state;
    struct vf_json value;
    assert_false(vf_json_member(parse("[1]"), VF_LITERAL("0"), &value));
    assert_false(vf_json_member(parse("1"), VF_LITERAL("0"), &value));
    struct vf_json_iterator iterator = vf_json_iterate(parse("1"));
    assert_false(vf_json_next(&iterator, NULL, &value));
    iterator = vf_json_iterate(parse("{}"));
    assert_false(vf_json_next(&iterator, NULL, &value));
    iterator = vf_json_iterate(parse("[]"));
    assert_false(vf_json_next(&iterator, NULL, &value));
}

static void nul_in_strings_and_keys_is_kept(void **state)
{
    (void)state;
    struct vf_json root = parse("{\"a\\u0000b\":\"c\\u0000d\",\"a\":1}");
    struct vf_json value;
    assert_true(vf_json_member(root, vf_bytes("a\0b", 3), &value));
    assert_true(vf_bytes_equal(vf_json_string(value), vf_bytes("c\0d", 3)));
    assert_true(vf_json_member(root, VF_LITERAL("a"), &value));
    assert_int_equal(vf_json_int(value), 1);
    refuse_bytes(vf_bytes("{\"a\":\"b\0c\"}", 11), "not JSON");
    refuse_bytes(vf_bytes("1\0", 2), "not JSON");
}

static void what_is_no_utf8_is_refused(void **state)
{
    (void)state;
    refuse("\"\xff\"");
    refuse("\"\xc0\xaf\""); /* overlong */
    refuse("\"\xe0\x80\xaf\"");
    refuse("\"\xed\xa0\x80\"");     /* a surrogate */
    refuse("\"\xf4\x90\x80\x80\""); /* beyond U+10FFFF */
    refuse("\"\xc3\"");             /* cut off */
    refuse("{\"\xff\":1}");
    expect_text(vf_json_string(parse("\"\xc3\xa4\xf0\x9f\x98\x80\"")), "\xc3\xa4\xf0\x9f\x98\x80");
}

static void lone_surrogates_are_refused(void **state)
{
    (void)state;
    refuse("\"\\ud800\"");
    refuse("\"\\ud800x\"");
    refuse("\"\\ud800\\u0041\"");
    refuse("\"\\ud800\\ud800\"");
    refuse("\"\\udc00\"");
    refuse("\"\\udc00\\ud800\"");
    refuse("{\"\\udfff\":1}");
    expect_text(vf_json_string(parse("\"\\ud83d\\ude00\"")), "\xf0\x9f\x98\x80");
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " ",   "{",    "}",    "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}",  "'a'",     "\"a",   "tru",   "nul",
        "1 2", "{} x", "{}{}", "[1]]", "\"\\x\"", "\"\\u12\"",  "\"\t\"", "// c\n1", "[1 2]", "{1:2}", "\xef\xbb\xbf"};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        refuse(texts[i]);
    refuse_bytes(vf_bytes("", 0), "empty");
    refuse_bytes(vf_bytes(NULL, 0), "empty");
}

static void what_is_wrong_is_said_in_plain_words(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"{\"a\":\"\\ud800\"}", "half a surrogate pair"},
        {"\"\\x\"", "a \\ with what cannot follow it"},
        {"nonsense", "a word in it is not true, false or null"},
        {"{\"a\":tru}", "a word in it is not true, false or null"},
        {"[fals]", "a word in it is not true, false or null"},
        {"\"\xff\"", "a byte in it is not UTF-8"},
        {"  ", "it holds nothing but spaces"},
        {"\"a\tb\"", "a control character"},
        {"{\"a\":\"b}", "the closing quote of a text is missing"},
        {"[1,]", "a comma, brace, quote or value"},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        refuse_bytes(vf_bytes_from(texts[i][0]), texts[i][1]);
}

static void a_byte_order_mark_in_front_is_passed_over(void **state)
{
    (void)state;
    struct vf_json value;
    assert_true(vf_json_at(parse("\xef\xbb\xbf{\"a\":\"\xef\xbb\xbf\"}"), "/a", &value));
    expect_text(vf_json_string(value), "\xef\xbb\xbf"); /* inside it is a character like any other */
    assert_int_equal(vf_json_int(parse("\xef\xbb\xbf\n7")), 7);
    refuse("\xef\xbb\xbf\xef\xbb\xbf{}");
    refuse("{}\xef\xbb\xbf");
    refuse("\xef\xbb\xbf");
    refuse("\xef\xbb");
    refuse_bytes(vf_bytes("\xff\xfe{\0}\0", 6), "not JSON"); /* UTF-16 */
}

static struct vf_bytes nested(size_t depth, const char *open, const char *inner, const char *close)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    for (size_t i = 0; i < depth; i++)
        vf_buffer_add_text(&text, open);
    vf_buffer_add_text(&text, inner);
    for (size_t i = 0; i < depth; i++)
        vf_buffer_add_text(&text, close);
    return vf_bytes(text.data, text.size);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    static const size_t depths[] = {VF_JSON_DEPTH_MAX + 1, 1000, 10000, 1000000};
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        struct vf_bytes text = nested(depths[i], "[", "1", "]");
        refuse_bytes(text, "nested deeper than 128");
        free((char *)text.data);
        text = nested(depths[i], "{\"a\":", "1", "}");
        refuse_bytes(text, "nested deeper than 128");
        free((char *)text.data);
        text = nested(depths[i], "[", "", "");
        refuse_bytes(text, "");
        free((char *)text.data);
    }
    struct vf_bytes text = nested(VF_JSON_DEPTH_MAX, "[", "", "]");
    assert_int_equal(vf_json_type(parse_bytes(text)), VF_JSON_ARRAY);
    free((char *)text.data);
    text = nested(VF_JSON_DEPTH_MAX - 1, "{\"a\":", "[]", "}");
    assert_int_equal(vf_json_type(parse_bytes(text)), VF_JSON_OBJECT);
    free((char *)text.data);
}

static void a_value_of_8_mb_is_read_and_small_ones_after_it(void **state)
{
    (void)state;
    size_t size = 8 * 1024 * 1024;
    char *text = vf_alloc(size + 2);
    memset(text, 'x', size + 2);
    text[0] = text[size + 1] = '"';
    for (int round = 0; round < 3; round++) {
        struct vf_bytes value = vf_json_string(parse_bytes(vf_bytes(text, size + 2)));
        assert_int_equal(value.size, size);
        assert_memory_equal(value.data, text + 1, size);
        assert_int_equal(vf_json_int(parse("12345")), 12345);
        assert_int_equal(vf_json_int(parse("-1")), -1);
        /* One large record must not cost its many times as much for as long as the worker lives. */
        assert_in_range(large_blocks_bytes(), 0, size + (4 << 20));
    }
    free(text);
}

static void texts_of_every_size_are_read(void **state)
{
    (void)state;
    /* Each is in a block of exactly its size, so that ASan sees a read past the end; growing goes over each doubling. */
    for (size_t size = 3; size < 70000; size += size < 5000 ? 1 : 997) {
        char *text = vf_alloc(size);
        memset(text, '7', size);
        text[0] = text[size - 1] = '"';
        assert_int_equal(vf_json_string(parse_bytes(vf_bytes(text, size))).size, size - 2);
        free(text);
    }
}

static void a_failed_parse_does_no_harm_to_the_next(void **state)
{
    (void)state;
    refuse("{\"a\":");
    assert_int_equal(vf_json_int(parse("3")), 3);
    refuse("[[[");
    assert_int_equal(vf_json_type(parse("{}")), VF_JSON_OBJECT);
    vf_json_parser_free(NULL);
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    static const char pieces[] = "{}[],:\"\\u0019eE.-+truefalsn \n\t\xff\xc3\xa4";
    for (int i = 0; i < 50000; i++) {
        char text[64];
        size_t size = next_random(&random) % sizeof text;
        for (size_t j = 0; j < size; j++)
            text[j] = pieces[next_random(&random) % (sizeof pieces - 1)];
        struct vf_json root;
        if (vf_json_parse(parser, vf_bytes(text, size), &root, NULL) != VF_OK)
            continue;
        struct vf_json_iterator iterator = vf_json_iterate(root);
        struct vf_bytes key;
        struct vf_json value;
        while (vf_json_next(&iterator, &key, &value))
            (void)vf_json_type(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(an_integer_beyond_int64_is_never_an_int),
        cmocka_unit_test(doubles_are_doubles),
        cmocka_unit_test(each_type_is_told),
        cmocka_unit_test(of_repeated_keys_the_last_counts),
        cmocka_unit_test(a_pointer_finds_what_rfc_6901_says),
        cmocka_unit_test(nothing_is_a_member_of_what_is_no_object),
        cmocka_unit_test(nul_in_strings_and_keys_is_kept),
        cmocka_unit_test(what_is_no_utf8_is_refused),
        cmocka_unit_test(lone_surrogates_are_refused),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(what_is_wrong_is_said_in_plain_words),
        cmocka_unit_test(a_byte_order_mark_in_front_is_passed_over),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(a_value_of_8_mb_is_read_and_small_ones_after_it),
        cmocka_unit_test(texts_of_every_size_are_read),
        cmocka_unit_test(a_failed_parse_does_no_harm_to_the_next),
        cmocka_unit_test(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
