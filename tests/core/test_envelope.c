#include "core_test.h"

#include "core/envelope.h"

static struct vf_json_parser *parser;
static struct vf_arena *arena;
static const struct vf_envelope plain = {.numbers = VF_NUMBERS_SEQUENCE, .first = 1};

static int set_up(void **state)
{
    (void)state;
    parser = vf_json_parser_new();
    arena = vf_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vf_json_parser_free(parser);
    vf_arena_free(arena);
    return 0;
}

static struct vf_record record_of(struct vf_bytes value)
{
    return (struct vf_record){.topic = "orders", .partition = 3, .offset = 1042, .timestamp_ms = 777, .value = value};
}

static void whole_envelope_is_read(void **state)
{
    (void)state;
    struct vf_error error;
    struct vf_event event;
    struct vf_record record = record_of(
        VF_LITERAL("{\"kind\":\"order\",\"id\":\"42\",\"version\":7,\"event_id\":\"e-1\",\"type\":\"OrderCreated\","
                   "\"time\":\"2026-03-01T12:00:00.5+02:00\",\"data\":{\"a\":1},\"more\":[{\"id\":9}]}"));
    must(vf_envelope_read(&plain, &record, parser, arena, &event, &error), &error);
    assert_ptr_equal(event.record, &record);
    expect_text(event.kind, "order");
    expect_text(event.id, "42");
    expect_text(event.aggregate, "order/42");
    expect_text(event.event_id, "e-1");
    expect_text(event.type, "OrderCreated");
    assert_int_equal(event.version, 7);
    assert_int_equal(event.schema, 1);
    assert_int_equal(event.time_ms, 1772359200500);
    assert_int_equal(event.numbers, VF_NUMBERS_SEQUENCE);
    assert_int_equal(event.first, 1);
    assert_false(event.first_any);

    struct vf_json root, data;
    assert_string_equal(event.data_pointer, "/data");
    must(vf_json_parse(parser, record.value, &root, &error), &error);
    assert_true(vf_json_at(root, event.data_pointer, &data));
    assert_int_equal(vf_json_type(data), VF_JSON_OBJECT);
    /* The event does not borrow from the parser, which has moved on. */
    char other[1000];
    memset(other, 'x', sizeof other);
    other[0] = other[sizeof other - 1] = '"';
    must(vf_json_parse(parser, vf_bytes(other, sizeof other), &root, &error), &error);
    expect_text(event.type, "OrderCreated");
    expect_text(event.event_id, "e-1");
    expect_text(event.aggregate, "order/42");
}

static void what_may_be_missing_is_filled_in(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"kind\":\"order\",\"id\":\"42\",\"version\":1,\"type\":\"T\"}",
        "{\"kind\":\"order\",\"id\":\"42\",\"version\":1,\"type\":\"T\",\"time\":null,\"event_id\":null}",
        "{\"kind\":\"order\",\"id\":\"42\",\"version\":1,\"type\":\"T\",\"event_id\":\"\"}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct vf_error error;
        struct vf_event event;
        struct vf_record record = record_of(vf_bytes_from(texts[i]));
        must(vf_envelope_read(&plain, &record, parser, arena, &event, &error), &error);
        assert_int_equal(event.time_ms, 777);
        assert_int_equal(event.event_id.size, 0);
        assert_null(event.data_pointer);
    }
}

static void data_that_is_null_is_there(void **state)
{
    (void)state;
    struct vf_error error;
    struct vf_event event;
    struct vf_record record =
        record_of(VF_LITERAL("{\"kind\":\"order\",\"id\":\"42\",\"version\":1,\"type\":\"T\",\"data\":null}"));
    must(vf_envelope_read(&plain, &record, parser, arena, &event, &error), &error);
    assert_string_equal(event.data_pointer, "/data");
}

/* The text of an envelope with one member replaced; NULL leaves it out. */
static struct vf_bytes with(const char *name, const char *value)
{
    static const char *const members[][2] = {
        {"kind", "\"order\""}, {"id", "\"42\""}, {"version", "7"}, {"type", "\"T\""}, {"data", "{}"}};
    struct vf_buffer text;
    bool replaced = false;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "{\"x\":0");
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        const char *shown = members[i][1];
        if (!strcmp(members[i][0], name)) {
            shown = value;
            replaced = true;
        }
        if (shown)
            vf_buffer_printf(&text, ",\"%s\":%s", members[i][0], shown);
    }
    if (!replaced && value)
        vf_buffer_printf(&text, ",\"%s\":%s", name, value);
    vf_buffer_add_char(&text, '}');
    struct vf_bytes copy = vf_arena_bytes(arena, text.data, text.size);
    vf_buffer_done(&text);
    return copy;
}

static void refuse(const struct vf_envelope *envelope, struct vf_record record, const char *part)
{
    struct vf_error error = {0};
    struct vf_event event = {.version = 4711};
    enum vf_code code = vf_envelope_read(envelope, &record, parser, arena, &event, &error);
    if (code != VF_E_DATA)
        fail_msg("code %d, wanted \"%s\", for %.*s", (int)code, part, (int)record.value.size, record.value.data);
    expect_contains(error.text, part);
    assert_int_equal(event.version, 4711); /* outputs are untouched */
}

static void what_is_wrong_is_named_with_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *wanted;
    } cases[] = {
        {"kind", NULL, "/kind is missing, a string is wanted"},
        {"kind", "null", "/kind is null, a string is wanted"},
        {"kind", "5", "/kind is an integer, a string is wanted"},
        {"kind", "{}", "/kind is an object, a string is wanted"},
        {"kind", "\"\"", "/kind is empty"},
        {"kind", "\"a/b\"", "/kind holds a '/': a/b"},
        {"kind", "\"a\\u0000b\"", "/kind holds NUL"},
        {"id", NULL, "/id is missing, a string or an integer is wanted"},
        {"id", "null", "/id is null, a string or an integer is wanted"},
        {"id", "1.5", "/id is a number that is no integer, a string or an integer is wanted"},
        {"id", "true", "/id is a boolean, a string or an integer is wanted"},
        {"id", "[1]", "/id is an array, a string or an integer is wanted"},
        {"id", "9223372036854775808", "/id is an integer beyond 64 bits, a string or an integer is wanted"},
        {"id", "\"\"", "/id is empty"},
        {"id", "\"a\\u0000\"", "/id holds NUL"},
        {"version", NULL, "/version is missing, an integer is wanted"},
        {"version", "\"7\"", "/version is a string, an integer is wanted"},
        {"version", "7.0", "/version is a number that is no integer, an integer is wanted"},
        {"version", "null", "/version is null, an integer is wanted"},
        {"version", "9223372036854775808", "/version is an integer beyond 64 bits, an integer is wanted"},
        {"type", NULL, "/type is missing, a string is wanted"},
        {"type", "1", "/type is an integer, a string is wanted"},
        {"type", "null", "/type is null, a string is wanted"},
        {"type", "\"\"", "/type is empty"},
        {"time", "1772359200000", "/time is an integer, an RFC 3339 string is wanted"},
        {"time", "\"yesterday\"", "/time is \"yesterday\", an RFC 3339 time like"},
        {"time", "\"2026-02-29T00:00:00Z\"", "/time is \"2026-02-29T00:00:00Z\", an RFC 3339 time like"},
        {"event_id", "17", "/event_id is an integer, a string is wanted"},
        {"event_id", "{}", "/event_id is an object, a string is wanted"},
        {"type", "\"a\\u0000b\"", "/type holds NUL"},
        {"event_id", "\"a\\u0000b\"", "/event_id holds NUL"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refuse(&plain, record_of(with(cases[i].name, cases[i].value)), cases[i].wanted);
}

static void values_that_are_no_envelope_are_refused(void **state)
{
    (void)state;
    refuse(&plain, record_of(VF_LITERAL("[1]")), "the value is JSON, but no object");
    refuse(&plain, record_of(VF_LITERAL("\"x\"")), "the value is JSON, but no object");
    refuse(&plain, record_of(VF_LITERAL("hello")), "the value: not JSON");
    refuse(&plain, record_of(VF_LITERAL("")), "the value: not JSON: the text is empty");
    refuse(&plain, record_of(VF_LITERAL("{\"kind\":\"a\"} x")), "the value: not JSON");
    refuse(&plain, record_of(VF_LITERAL("{\"id\":NaN}")), "NaN and Infinity are no JSON");
    refuse(&plain, record_of(VF_LITERAL("{\"data\":1e400}")),
           "the value: not JSON that viewfold takes: a number in it");
    refuse(&plain, record_of(VF_LITERAL("{\"id\":99999999999999999999}")), "the value: not JSON");
    struct vf_event event;
    struct vf_record unwanted = record_of(VF_LITERAL("hello"));
    assert_int_equal(vf_envelope_read(&plain, &unwanted, parser, arena, &event, NULL), VF_E_DATA);
    struct vf_record record = {.value_is_null = true, .timestamp_ms = 1};
    refuse(&plain, record, "the value is null (a tombstone)");
    record = record_of(with("x", "0"));
    record.timestamp_ms = -1;
    refuse(&plain, record, "/time is missing, and the record has no timestamp");
}

static struct vf_event read_event(const struct vf_envelope *envelope, struct vf_bytes value)
{
    static struct vf_record record;
    struct vf_error error;
    struct vf_event event;
    record = record_of(value);
    must(vf_envelope_read(envelope, &record, parser, arena, &event, &error), &error);
    return event;
}

static struct vf_bytes quoted(char letter, size_t size)
{
    char *text = vf_arena_alloc(arena, size + 3);
    memset(text, letter, size + 2);
    text[0] = text[size + 1] = '"';
    text[size + 2] = '\0';
    return vf_bytes(text, size + 2);
}

static void ids_and_kinds_have_1024_bytes_at_most(void **state)
{
    (void)state;
    struct vf_event event = read_event(&plain, with("id", quoted('i', 1024).data));
    assert_int_equal(event.id.size, 1024);
    assert_int_equal(event.aggregate.size, 6 + 1024);
    event = read_event(&plain, with("kind", quoted('k', 1024).data));
    assert_int_equal(event.kind.size, 1024);
    refuse(&plain, record_of(with("id", quoted('i', 1025).data)), "/id has 1025 bytes, at most 1024 are allowed");
    refuse(&plain, record_of(with("kind", quoted('k', 1025).data)), "/kind has 1025 bytes, at most 1024 are allowed");
    refuse(&plain, record_of(with("type", quoted('t', 1025).data)), "/type has 1025 bytes, at most 1024 are allowed");
    refuse(&plain, record_of(with("event_id", quoted('e', 1025).data)), "/event_id has 1025 bytes, at most 1024 are");
}

static void ids_may_be_numbers_and_hold_anything_but_nul(void **state)
{
    (void)state;
    expect_text(read_event(&plain, with("id", "42")).aggregate, "order/42");
    expect_text(read_event(&plain, with("id", "0")).id, "0");
    expect_text(read_event(&plain, with("id", "-9223372036854775808")).id, "-9223372036854775808");
    expect_text(read_event(&plain, with("id", "9223372036854775807")).id, "9223372036854775807");
    expect_text(read_event(&plain, with("id", "\"a/b@c:d#e%.$ \\n\"")).aggregate, "order/a/b@c:d#e%.$ \n");
    expect_text(read_event(&plain, with("id", "\"\\u00e4\\ud83d\\ude00\"")).id, "\xc3\xa4\xf0\x9f\x98\x80");
}

static void of_repeated_members_the_last_counts(void **state)
{
    (void)state;
    struct vf_event event = read_event(
        &plain,
        VF_LITERAL("{\"kind\":\"a\",\"id\":1,\"version\":1,\"type\":\"T\",\"id\":2,\"kind\":\"b\",\"version\":9}"));
    expect_text(event.aggregate, "b/2");
    assert_int_equal(event.version, 9);
}

static void a_topics_kind_is_not_read_from_the_value(void **state)
{
    (void)state;
    struct vf_envelope fixed = plain;
    fixed.kind = "customer";
    expect_text(read_event(&fixed, with("kind", NULL)).aggregate, "customer/42");
    expect_text(read_event(&fixed, with("kind", "\"order\"")).aggregate, "customer/42");
    expect_text(read_event(&fixed, with("kind", "17")).kind, "customer");
}

static void offset_numbers_are_offset_plus_one(void **state)
{
    (void)state;
    struct vf_envelope offsets = {.numbers = VF_NUMBERS_OFFSET};
    struct vf_event event = read_event(&offsets, with("version", NULL));
    assert_int_equal(event.version, 1043);
    assert_int_equal(event.numbers, VF_NUMBERS_OFFSET);
    assert_int_equal(read_event(&offsets, with("version", "\"seven\"")).version, 1043); /* not looked at */
}

static void the_topics_first_and_history_reach_the_event(void **state)
{
    (void)state;
    struct vf_envelope partial = {.numbers = VF_NUMBERS_SEQUENCE, .first = 0, .history_partial = true};
    struct vf_event event = read_event(&partial, with("version", "-5"));
    assert_int_equal(event.version, -5);
    assert_int_equal(event.first, 0);
    assert_true(event.first_any);
}

/* --- size and depth --- */

static struct vf_bytes nested(size_t depth)
{
    char *text = vf_arena_alloc(arena, 2 * depth + 1);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    return with("data", text);
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    assert_string_equal(read_event(&plain, nested(60)).data_pointer, "/data");
    assert_string_equal(read_event(&plain, nested(127)).data_pointer, "/data"); /* the envelope is the 128th */
    refuse(&plain, record_of(nested(128)), "the value: nested deeper than 128");
    refuse(&plain, record_of(nested(10000)), "the value: nested deeper than 128");
}

static void values_of_8_MB_are_read(void **state)
{
    (void)state;
    expect_text(read_event(&plain, with("data", quoted('x', 8 << 20).data)).aggregate, "order/42");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_envelope_is_read),
        cmocka_unit_test(what_may_be_missing_is_filled_in),
        cmocka_unit_test(data_that_is_null_is_there),
        cmocka_unit_test(what_is_wrong_is_named_with_what_was_found),
        cmocka_unit_test(values_that_are_no_envelope_are_refused),
        cmocka_unit_test(ids_and_kinds_have_1024_bytes_at_most),
        cmocka_unit_test(ids_may_be_numbers_and_hold_anything_but_nul),
        cmocka_unit_test(of_repeated_members_the_last_counts),
        cmocka_unit_test(a_topics_kind_is_not_read_from_the_value),
        cmocka_unit_test(offset_numbers_are_offset_plus_one),
        cmocka_unit_test(the_topics_first_and_history_reach_the_event),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(values_of_8_MB_are_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
