/* Envelopes that are mapped: parts in keys, headers and deep in values, in every form; and what each bad record is answered. */
#include "core_test.h"

#include "core/body.h"
#include "core/envelope.h"

#define TIME_MS 1772359200500 /* 2026-03-01T10:00:00.500Z */

static struct vf_json_parser *parser;
static struct vf_arena *arena;

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

/* --- making envelopes and records --------------------------------------------------------------------------------- */

#define KEY(as_)                               \
    {                                          \
        .from = VF_FROM_KEY, .as = VF_AS_##as_ \
    }
#define HEADER(name_, as_)                                         \
    {                                                              \
        .from = VF_FROM_HEADER, .name = (name_), .as = VF_AS_##as_ \
    }
#define VALUE(name_, as_)                                         \
    {                                                             \
        .from = VF_FROM_VALUE, .name = (name_), .as = VF_AS_##as_ \
    }

/* The parts as Axon sends them, and the kind besides. */
static const struct vf_mapping in_headers[VF_PART_COUNT] = {
    [VF_PART_KIND] = HEADER("kind", UNSAID),      [VF_PART_ID] = KEY(UTF8),
    [VF_PART_VERSION] = HEADER("seq", BE64),      [VF_PART_TYPE] = HEADER("type", UNSAID),
    [VF_PART_SCHEMA] = HEADER("schema", INT),     [VF_PART_TIME] = HEADER("time", BE64),
    [VF_PART_EVENT_ID] = HEADER("event", UNSAID), [VF_PART_DATA] = VALUE("", UNSAID),
};

/* Everything in the value, at some depth. */
static const struct vf_mapping in_value[VF_PART_COUNT] = {
    [VF_PART_KIND] = VALUE("/headers/event-aggregate-type", UNSAID),
    [VF_PART_ID] = VALUE("/headers/event-aggregate-id", UNSAID),
    [VF_PART_VERSION] = VALUE("/headers/version", INT),
    [VF_PART_TYPE] = VALUE("/headers/event-type", UNSAID),
    [VF_PART_SCHEMA] = VALUE("/list/1/schema", UNSAID),
    [VF_PART_TIME] = VALUE("/a~1b~0c/at", UNIX_MS),
    [VF_PART_EVENT_ID] = VALUE("/headers/ID", UNSAID),
    [VF_PART_DATA] = VALUE("/payload", UNSAID),
};

/* An envelope by these mappings with one part replaced; `part` VF_PART_COUNT: none. Numbers are a sequence from 0. */
static struct vf_envelope envelope_with(const struct vf_mapping mappings[VF_PART_COUNT], enum vf_part part,
                                        struct vf_mapping instead)
{
    struct vf_mapping changed[VF_PART_COUNT];
    struct vf_envelope envelope = {.numbers = VF_NUMBERS_SEQUENCE};
    memcpy(changed, mappings, sizeof changed);
    if (part < VF_PART_COUNT)
        changed[part] = instead;
    vf_envelope_resolve(&envelope, changed, arena);
    return envelope;
}

static struct vf_envelope envelope_of(const struct vf_mapping mappings[VF_PART_COUNT])
{
    return envelope_with(mappings, VF_PART_COUNT, (struct vf_mapping){0});
}

static struct vf_bytes be64(int64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)number >> (56 - 8 * i));
    return vf_arena_bytes(arena, bytes, sizeof bytes);
}

static struct vf_header header(const char *name, struct vf_bytes value)
{
    return (struct vf_header){.name = vf_bytes_from(name), .value = value};
}

/* A good record of `in_headers`; `change` says which header has another value ("kind" …), or NULL. */
struct made {
    struct vf_record record;
    struct vf_header headers[8];
};

static struct vf_record record_with(const char *change, struct vf_bytes value)
{
    struct made *made = vf_arena_calloc(arena, 1, sizeof *made);
    size_t count = 0;
    made->headers[count++] = header("kind", VF_LITERAL("order"));
    made->headers[count++] = header("seq", be64(7));
    made->headers[count++] = header("type", VF_LITERAL("OrderCreated"));
    made->headers[count++] = header("schema", VF_LITERAL("3"));
    made->headers[count++] = header("time", be64(TIME_MS));
    made->headers[count++] = header("event", VF_LITERAL("e-1"));
    for (size_t i = 0; change && i < count; i++)
        if (vf_bytes_is(made->headers[i].name, change))
            made->headers[i].value = value;
    made->record = (struct vf_record){.topic = "orders",
                                      .offset = 1042,
                                      .timestamp_ms = 777,
                                      .key = VF_LITERAL("42"),
                                      .value = VF_LITERAL("{\"a\":1}"),
                                      .headers = made->headers,
                                      .header_count = count};
    return made->record;
}

static struct vf_record good_record(void)
{
    return record_with(NULL, (struct vf_bytes){0});
}

/* The same without a header. */
static struct vf_record record_without(const char *name)
{
    struct vf_record record = good_record();
    struct vf_header *headers = vf_arena_calloc(arena, 8, sizeof *headers);
    size_t count = 0;
    for (size_t i = 0; i < record.header_count; i++)
        if (!vf_bytes_is(record.headers[i].name, name))
            headers[count++] = record.headers[i];
    record.headers = headers;
    record.header_count = count;
    return record;
}

/* With one header more, behind the others (`in_front`: before them). */
static struct vf_record record_and(struct vf_record record, bool in_front, struct vf_header more)
{
    struct vf_header *headers = vf_arena_calloc(arena, record.header_count + 1, sizeof *headers);
    memcpy(headers + (in_front ? 1 : 0), record.headers, record.header_count * sizeof *headers);
    headers[in_front ? 0 : record.header_count] = more;
    record.headers = headers;
    record.header_count++;
    return record;
}

static struct vf_record record_of(const char *value)
{
    return (struct vf_record){.topic = "orders", .offset = 1042, .timestamp_ms = 777, .value = vf_bytes_from(value)};
}

static struct vf_event read_event(const struct vf_envelope *envelope, struct vf_record record)
{
    struct vf_record *kept = vf_arena_alloc(arena, sizeof *kept);
    struct vf_error error;
    struct vf_event event;
    *kept = record;
    must(vf_envelope_read(envelope, kept, parser, arena, &event, &error), &error);
    return event;
}

static void refuse(const struct vf_envelope *envelope, struct vf_record record, const char *wanted)
{
    struct vf_error error = {0};
    struct vf_event event = {.version = 4711};
    enum vf_code code = vf_envelope_read(envelope, &record, parser, arena, &event, &error);
    if (code != VF_E_DATA)
        fail_msg("code %d, wanted \"%s\"", (int)code, wanted);
    if (strcmp(error.text, wanted) != 0)
        fail_msg("wanted \"%s\", found \"%s\"", wanted, error.text);
    assert_int_equal(event.version, 4711); /* outputs are untouched */
}

/* --- where parts are ------------------------------------------------------------------------------------------------ */

static void parts_are_read_from_the_key_and_headers(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    struct vf_event event = read_event(&envelope, good_record());
    expect_text(event.aggregate, "order/42");
    expect_text(event.kind, "order");
    expect_text(event.id, "42");
    expect_text(event.type, "OrderCreated");
    expect_text(event.event_id, "e-1");
    assert_int_equal(event.version, 7);
    assert_int_equal(event.schema, 3);
    assert_int_equal(event.time_ms, TIME_MS);
    assert_string_equal(event.data_pointer, "");
}

static const char tram[] =
    "{\"payload\":\"{}\",\"list\":[0,{\"schema\":2}],\"a/b~c\":{\"at\":1772359200500},\"headers\":{\"ID\":\"e-1\","
    "\"event-type\":\"OrderCreated\",\"event-aggregate-id\":\"42\",\"event-aggregate-type\":\"order\",\"version\":\"7\"}}";

static void parts_are_read_from_deep_in_the_value(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_value);
    struct vf_event event = read_event(&envelope, record_of(tram));
    expect_text(event.aggregate, "order/42");
    expect_text(event.type, "OrderCreated");
    expect_text(event.event_id, "e-1");
    assert_int_equal(event.version, 7);
    assert_int_equal(event.schema, 2);
    assert_int_equal(event.time_ms, TIME_MS);
    assert_string_equal(event.data_pointer, "/payload");
    assert_int_equal(envelope.plan->member_count, 4); /* headers, list, a/b~c, payload: each looked for once */
}

static void a_plan_that_was_made_is_the_defaults(void **state)
{
    (void)state;
    struct vf_envelope made = {.numbers = VF_NUMBERS_SEQUENCE};
    vf_envelope_resolve(&made, vf_envelope_standard.parts, arena);
    const struct vf_envelope_plan *plan = made.plan, *standard = &vf_envelope_standard;
    assert_int_equal(plan->member_count, standard->member_count);
    assert_int_equal(plan->member_sizes, standard->member_sizes);
    assert_int_equal(plan->parses_value, standard->parses_value);
    for (int i = 0; i < plan->member_count; i++)
        assert_true(vf_bytes_equal(plan->members[i], standard->members[i]));
    for (int part = 0; part < VF_PART_COUNT; part++) {
        assert_int_equal(plan->parts[part].member, standard->parts[part].member);
        if (standard->parts[part].from == VF_FROM_VALUE)
            assert_string_equal(plan->parts[part].rest, standard->parts[part].rest);
    }
}

static void a_value_that_only_holds_data_is_not_looked_at(void **state)
{
    (void)state;
    static const char *const values[] = {"{\"a\":1", "", "\xff", "[1]", "1e400", "{\"a\":1}"};
    static const char *const pointers[] = {"", "/payload/x"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        for (size_t j = 0; j < COUNT_OF(pointers); j++) {
            struct vf_envelope envelope =
                envelope_with(in_headers, VF_PART_DATA, (struct vf_mapping)VALUE(pointers[j], UNSAID));
            struct vf_record record = good_record();
            record.value = vf_bytes_from(values[i]);
            assert_string_equal(read_event(&envelope, record).data_pointer, pointers[j]);
        }
    }
}

static void a_whole_value_may_be_a_part(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_with(in_headers, VF_PART_ID, (struct vf_mapping)VALUE("", UNSAID));
    struct vf_record record = good_record();
    record.value = VF_LITERAL("\"x\"");
    expect_text(read_event(&envelope, record).id, "x");
    record.value = VF_LITERAL("17");
    expect_text(read_event(&envelope, record).id, "17");
    record.value = VF_LITERAL("{}");
    refuse(&envelope, record, "the value (id) is an object, a string or an integer is wanted");
}

static void a_value_that_is_no_object_is_refused_where_a_part_is_in_it(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_value);
    static const char *const values[] = {"[1]", "1", "\"x\"", "null", "true"};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        refuse(&envelope, record_of(values[i]), "the value is JSON, but no object");
}

static void of_repeated_headers_and_members_the_last_counts(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    struct vf_header other = header("type", VF_LITERAL("Other")), null = {.name = VF_LITERAL("type"), .is_null = true};
    expect_text(read_event(&envelope, record_and(good_record(), false, other)).type, "Other");
    expect_text(read_event(&envelope, record_and(good_record(), true, other)).type, "OrderCreated");
    refuse(&envelope, record_and(good_record(), false, null), "the header type (type) is null, a string is wanted");
    expect_text(read_event(&envelope, record_and(good_record(), true, null)).type, "OrderCreated");

    struct vf_envelope deep = envelope_with(in_headers, VF_PART_ID, (struct vf_mapping)VALUE("/a/b", UNSAID));
    struct vf_record record = good_record();
    record.value = VF_LITERAL("{\"a\":{\"b\":1},\"a\":{\"b\":2,\"b\":3}}");
    expect_text(read_event(&deep, record).id, "3");
    record.value = VF_LITERAL("{\"a\":{\"b\":1},\"a\":{}}"); /* the last /a is what counts, and it has no b */
    refuse(&deep, record, "/a/b (id) is missing, a string or an integer is wanted");
}

static void a_header_in_another_case_is_named(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    struct vf_record record = record_and(record_without("type"), true, header("Type", VF_LITERAL("OrderCreated")));
    refuse(&envelope, record,
           "the header type (type) is missing, a string is wanted; there is a header Type, and names are exact");
    record = record_and(record_without("type"), true, header("typ", VF_LITERAL("OrderCreated")));
    refuse(&envelope, record, "the header type (type) is missing, a string is wanted");
}

/* --- forms ---------------------------------------------------------------------------------------------------------- */

static void texts_may_be_numbers_in_every_form(void **state)
{
    (void)state;
    struct vf_envelope as_int = envelope_with(in_headers, VF_PART_ID, (struct vf_mapping)KEY(INT));
    struct vf_envelope as_be64 = envelope_with(in_headers, VF_PART_ID, (struct vf_mapping)KEY(BE64));
    struct vf_envelope json_int = envelope_with(in_value, VF_PART_TYPE, (struct vf_mapping)VALUE("/payload", INT));
    struct vf_record record = good_record();
    static const char *const digits[][2] = {{"42", "42"},
                                            {"0042", "42"},
                                            {"-0", "0"},
                                            {"-7", "-7"},
                                            {"9223372036854775807", "9223372036854775807"},
                                            {"-9223372036854775808", "-9223372036854775808"}};
    for (size_t i = 0; i < COUNT_OF(digits); i++) {
        record.key = vf_bytes_from(digits[i][0]);
        expect_text(read_event(&as_int, record).id, digits[i][1]);
    }
    record.key = be64(INT64_MIN);
    expect_text(read_event(&as_be64, record).id, "-9223372036854775808");
    record.key = be64(258);
    expect_text(read_event(&as_be64, record).id, "258");
    refuse(&json_int, record_of(tram), "/payload (type) is a string, an integer is wanted");
}

static void what_is_no_integer_is_refused(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "the header schema (schema) is \"\", an integer is wanted"},
        {"-", "the header schema (schema) is \"-\", an integer is wanted"},
        {"+1", "the header schema (schema) is \"+1\", an integer is wanted"},
        {" 1", "the header schema (schema) is \" 1\", an integer is wanted"},
        {"1.0", "the header schema (schema) is \"1.0\", an integer is wanted"},
        {"0x1", "the header schema (schema) is \"0x1\", an integer is wanted"},
        {"one", "the header schema (schema) is \"one\", an integer is wanted"},
        {"\xff", "the header schema (schema) is not UTF-8, an integer is wanted"},
        {"9223372036854775808", "the header schema (schema) is an integer beyond 64 bits, an integer is wanted"},
        {"184467440737095516171", "the header schema (schema) is an integer beyond 64 bits, an integer is wanted"},
        {"-9223372036854775809", "the header schema (schema) is an integer beyond 64 bits, an integer is wanted"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refuse(&envelope, record_with("schema", vf_bytes_from(cases[i].text)), cases[i].wanted);
    refuse(&envelope, record_with("seq", vf_bytes("\0\0\0\1", 4)),
           "the header seq (version) has 4 bytes, and be64 has 8");
    refuse(&envelope, record_with("seq", vf_bytes("\0\0\0\0\0\0\0\0\1", 9)),
           "the header seq (version) has 9 bytes, and be64 has 8");
    refuse(&envelope, record_with("seq", (struct vf_bytes){0}), "the header seq (version) has 0 bytes, and be64 has 8");
    refuse(&envelope, record_without("seq"), "the header seq (version) is missing, an integer is wanted");
}

/* What people and serializers write for integers, and the one answer to each: from a header, and as JSON. */
static void odd_integers_have_one_answer(void **state)
{
    (void)state;
    struct vf_envelope in_header = envelope_of(in_headers);
    struct vf_envelope in_json = envelope_with(in_headers, VF_PART_SCHEMA, (struct vf_mapping)VALUE("/s", INT));
    static const struct {
        const char *text;
        int64_t wanted;
        const char *json; /* NULL: it is no JSON number, but a string of it is taken */
    } taken[] = {{"7", 7, "7"},   {"007", 7, NULL}, {"-7", -7, "-7"},
                 {"-0", 0, "-0"}, {"-00", 0, NULL}, {"00000000000000000000000000000000000000001", 1, NULL}};
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        struct vf_record record = good_record();
        assert_int_equal(read_event(&in_header, record_with("schema", vf_bytes_from(taken[i].text))).schema,
                         taken[i].wanted);
        record.value = vf_arena_printf(arena, "{\"s\":\"%s\"}", taken[i].text);
        assert_int_equal(read_event(&in_json, record).schema, taken[i].wanted);
        if (taken[i].json) {
            record.value = vf_arena_printf(arena, "{\"s\":%s}", taken[i].json);
            assert_int_equal(read_event(&in_json, record).schema, taken[i].wanted);
        }
    }
    static const char *const refused[] = {"1e3", "7.0",      "-0.0", "1_000", "1,000",
                                          "7 ",  "\xd9\xa7", "--7",  "NaN",   "0b1"};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct vf_record record = good_record();
        refuse(&in_header, record_with("schema", vf_bytes_from(refused[i])),
               vf_arena_printf(arena, "the header schema (schema) is \"%s\", an integer is wanted", refused[i]).data);
        record.value = vf_arena_printf(arena, "{\"s\":\"%s\"}", refused[i]);
        refuse(&in_json, record, "/s (schema) is a string, an integer is wanted");
    }
    struct vf_record record = good_record();
    record.value = VF_LITERAL("{\"s\":1e3}");
    refuse(&in_json, record, "/s (schema) is a number that is no integer, an integer is wanted");
    record.value = VF_LITERAL("{\"s\":-0.0}");
    refuse(&in_json, record, "/s (schema) is a number that is no integer, an integer is wanted");
    record.value = VF_LITERAL("{\"s\":007}");
    refuse(
        &in_json, record,
        "the value: not JSON that viewfold takes: a number in it is malformed, an integer beyond 64 bits, or beyond a "
        "double (1e400)");
    refuse(&in_header, record_with("seq", vf_bytes("\0\0\0\0\0\0\1", 7)),
           "the header seq (version) has 7 bytes, and be64 has 8");
}

static void a_pointer_that_leads_nowhere_finds_nothing(void **state)
{
    (void)state;
    static const char *const pointers[] = {"/text/0",  "/text/x", "/number/0", "/null/x", "/list/-",
                                           "/list/01", "/list/2", "/list/-1",  "/list/x", "/Text"};
    for (size_t i = 0; i < COUNT_OF(pointers); i++) {
        struct vf_envelope envelope =
            envelope_with(in_headers, VF_PART_TYPE, (struct vf_mapping)VALUE(pointers[i], UNSAID));
        struct vf_record record = good_record();
        record.value = VF_LITERAL("{\"text\":\"abc\",\"number\":12,\"null\":null,\"list\":[\"a\",\"b\"]}");
        refuse(&envelope, record, vf_arena_printf(arena, "%s (type) is missing, a string is wanted", pointers[i]).data);
    }
    struct vf_envelope envelope = envelope_with(in_headers, VF_PART_TYPE, (struct vf_mapping)VALUE("/list/1", UNSAID));
    struct vf_record record = good_record();
    record.value = VF_LITERAL("\xef\xbb\xbf{\"list\":[\"a\",\"b\"]}"); /* with a byte order mark */
    expect_text(read_event(&envelope, record).type, "b");
}

static void integers_in_the_value_may_be_text_only_where_that_is_said(void **state)
{
    (void)state;
    struct vf_envelope said = envelope_with(in_headers, VF_PART_VERSION, (struct vf_mapping)VALUE("/v", INT));
    struct vf_envelope unsaid = envelope_with(in_headers, VF_PART_VERSION, (struct vf_mapping)VALUE("/v", UNSAID));
    struct vf_record record = good_record();
    record.value = VF_LITERAL("{\"v\":9}");
    assert_int_equal(read_event(&said, record).version, 9);
    assert_int_equal(read_event(&unsaid, record).version, 9);
    record.value = VF_LITERAL("{\"v\":\"9\"}");
    assert_int_equal(read_event(&said, record).version, 9);
    refuse(&unsaid, record, "/v (version) is a string, an integer is wanted");
    record.value = VF_LITERAL("{\"v\":\"nine\"}");
    refuse(&said, record, "/v (version) is a string, an integer is wanted");
    record.value = VF_LITERAL("{\"v\":18446744073709551615}");
    refuse(&said, record, "/v (version) is an integer beyond 64 bits, an integer is wanted");
    record.value = VF_LITERAL("{\"v\":9.0}");
    refuse(&said, record, "/v (version) is a number that is no integer, an integer is wanted");
}

static void ordered_numbers_may_be_text(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_with(in_headers, VF_PART_VERSION, (struct vf_mapping)VALUE("/v", UTF8));
    envelope.numbers = VF_NUMBERS_ORDERED;
    struct vf_record record = good_record();
    record.value = VF_LITERAL("{\"v\":\"00ff\"}");
    struct vf_event event = read_event(&envelope, record);
    expect_text(event.version_text, "00ff");
    assert_int_equal(event.version, 0);
    assert_int_equal(event.numbers, VF_NUMBERS_ORDERED);
    record.value = VF_LITERAL("{\"v\":\"\"}");
    refuse(&envelope, record, "/v (version) is empty");
    record.value = VF_LITERAL("{\"v\":7}");
    refuse(&envelope, record, "/v (version) is an integer, a string is wanted");
}

static void times_have_three_forms_and_a_range(void **state)
{
    (void)state;
    struct vf_envelope rfc = envelope_with(in_headers, VF_PART_TIME, (struct vf_mapping)HEADER("time", RFC3339));
    struct vf_envelope unix_ms = envelope_with(in_headers, VF_PART_TIME, (struct vf_mapping)HEADER("time", UNIX_MS));
    struct vf_envelope binary = envelope_of(in_headers), deep = envelope_of(in_value);
    assert_int_equal(read_event(&rfc, record_with("time", VF_LITERAL("2026-03-01T12:00:00.5+02:00"))).time_ms, TIME_MS);
    assert_int_equal(read_event(&unix_ms, record_with("time", VF_LITERAL("1772359200500"))).time_ms, TIME_MS);
    assert_int_equal(read_event(&unix_ms, record_with("time", VF_LITERAL("-62167219200000"))).time_ms, VF_TIME_MS_MIN);
    assert_int_equal(read_event(&binary, record_with("time", be64(VF_TIME_MS_MAX))).time_ms, VF_TIME_MS_MAX);

    refuse(&rfc, record_with("time", VF_LITERAL("yesterday")),
           "the header time (time) is \"yesterday\", an RFC 3339 time like 2026-03-01T10:00:00.000Z is wanted");
    refuse(&rfc, record_with("time", VF_LITERAL("\xff")),
           "the header time (time) is not UTF-8, an RFC 3339 time like 2026-03-01T10:00:00.000Z is wanted");
    refuse(&rfc, record_with("time", (struct vf_bytes){0}),
           "the header time (time) is \"\", an RFC 3339 time like 2026-03-01T10:00:00.000Z is wanted");
    refuse(
        &rfc, record_with("time", VF_LITERAL("0000-01-01T00:00:00+23:59")),
        "the header time (time) is -62167305540000 in Unix milliseconds, which is no time between the years 0 and 9999");
    refuse(&unix_ms, record_with("time", VF_LITERAL("2026-03-01T10:00:00Z")),
           "the header time (time) is \"2026-03-01T10:00:00Z\", a time in Unix milliseconds is wanted");
    refuse(
        &unix_ms, record_with("time", VF_LITERAL("253402300800000")),
        "the header time (time) is 253402300800000 in Unix milliseconds, which is no time between the years 0 and 9999");
    refuse(
        &binary, record_with("time", be64(INT64_MIN)),
        "the header time (time) is -9223372036854775808 in Unix milliseconds, which is no time between the years 0 and "
        "9999");
    refuse(&deep,
           record_of("{\"headers\":{\"event-aggregate-type\":\"o\",\"event-aggregate-id\":1,\"version\":1,"
                     "\"event-type\":\"T\"},\"list\":[0,{\"schema\":1}],\"a/b~c\":{\"at\":1.5}}"),
           "/a~1b~0c/at (time) is a number that is no integer, a time in Unix milliseconds is wanted");
    refuse(&deep,
           record_of("{\"headers\":{\"event-aggregate-type\":\"o\",\"event-aggregate-id\":1,\"version\":1,"
                     "\"event-type\":\"T\"},\"list\":[0,{\"schema\":1}],\"a/b~c\":{\"at\":\"soon\"}}"),
           "/a~1b~0c/at (time) is a string, a time in Unix milliseconds is wanted");
}

static void odd_times_have_one_answer(void **state)
{
    (void)state;
    struct vf_envelope rfc = envelope_with(in_headers, VF_PART_TIME, (struct vf_mapping)HEADER("time", UNSAID));
    struct vf_envelope unix_ms = envelope_with(in_headers, VF_PART_TIME, (struct vf_mapping)VALUE("/t", UNIX_MS));
    static const struct {
        const char *text;
        int64_t wanted;
    } taken[] = {{"2016-12-31T23:59:60Z", 1483228800000}, /* a leap second: the next day's first */
                 {"2026-03-01T10:00:00.500999999999Z", TIME_MS},
                 {"2026-03-01t05:30:00.5-04:30", TIME_MS},
                 {"9999-12-31T23:59:59.999Z", VF_TIME_MS_MAX},
                 {"0000-01-01T00:00:00+00:00", VF_TIME_MS_MIN}};
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        assert_int_equal(read_event(&rfc, record_with("time", vf_bytes_from(taken[i].text))).time_ms, taken[i].wanted);
    static const char *const refused[] = {"10000-01-01T00:00:00Z", "2026-03-01T10:00:60Z", "2026-03-01T10:00:00",
                                          "2026-03-01 10:00:00Z",  "1772359200500",        "2026-03-01T24:00:00Z"};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        refuse(&rfc, record_with("time", vf_bytes_from(refused[i])),
               vf_arena_printf(
                   arena, "the header time (time) is \"%s\", an RFC 3339 time like 2026-03-01T10:00:00.000Z is wanted",
                   refused[i])
                   .data);
    refuse(&rfc, record_with("time", VF_LITERAL("9999-12-31T23:59:59.999-00:01")),
           "the header time (time) is 253402300859999 in Unix milliseconds, which is no time between the years 0 and "
           "9999");
    struct vf_record record = good_record();
    record.value = VF_LITERAL("{\"t\":-1}");
    assert_int_equal(read_event(&unix_ms, record).time_ms, -1); /* 1969 */
    record.value = VF_LITERAL("{\"t\":\"-1\"}");
    assert_int_equal(read_event(&unix_ms, record).time_ms, -1);
    record.value = VF_LITERAL("{\"t\":1772359200.5}"); /* seconds, as some write them */
    refuse(&unix_ms, record, "/t (time) is a number that is no integer, a time in Unix milliseconds is wanted");
}

static void texts_are_refused_that_cannot_be_kept(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    char *large = vf_arena_alloc(arena, 1025);
    memset(large, 'x', 1025);
    static const char *const parts[][2] = {{"kind", "the header kind (kind)"},
                                           {"type", "the header type (type)"},
                                           {"event", "the header event (event_id)"}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "%s is not UTF-8", parts[i][1]);
        refuse(&envelope, record_with(parts[i][0], VF_LITERAL("a\xffz")), wanted);
        snprintf(wanted, sizeof wanted, "%s holds NUL", parts[i][1]);
        refuse(&envelope, record_with(parts[i][0], vf_bytes("a\0z", 3)), wanted);
        snprintf(wanted, sizeof wanted, "%s has 1025 bytes, at most 1024 are allowed", parts[i][1]);
        refuse(&envelope, record_with(parts[i][0], vf_bytes(large, 1025)), wanted);
    }
    refuse(&envelope, record_with("kind", VF_LITERAL("a/b")), "the header kind (kind) holds a '/': a/b");
    refuse(&envelope, record_with("type", (struct vf_bytes){0}), "the header type (type) is empty");
    struct vf_record record = good_record();
    record.key = VF_LITERAL("\xed\xa0\x80");
    refuse(&envelope, record, "the key (id) is not UTF-8");
    record.key = (struct vf_bytes){0};
    refuse(&envelope, record, "the key (id) is empty");
    record.key_is_null = true;
    refuse(&envelope, record, "the key (id) is null, a string is wanted");
    record = good_record();
    record.key = vf_bytes(large, 1025);
    refuse(&envelope, record, "the key (id) has 1025 bytes, at most 1024 are allowed");
    record.key = vf_bytes(large, 1024);
    assert_int_equal(read_event(&envelope, record).id.size, 1024);
}

static void ids_hold_every_character_that_means_something_elsewhere(void **state)
{
    (void)state;
    struct vf_envelope keyed = envelope_of(in_headers), deep = envelope_of(in_value);
    static const char *const ids[] = {"/",  "a/b", "{}",  "$where",     "$",  ".",    "a.b", ":",          "#",
                                      "@7", "~",   "~01", "%2F",        "%",  " ",    "\n",  "\\",         "*",
                                      "..", "'\"", "\t",  "\xc3\xa4-1", "-1", "\x7f", "_id", "constructor"};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct vf_record record = good_record();
        record.key = vf_bytes_from(ids[i]);
        struct vf_event event = read_event(&keyed, record);
        expect_text(event.id, ids[i]);
        expect_text(event.kind, "order");
        struct vf_buffer text;
        vf_buffer_init(&text);
        vf_buffer_add_text(&text, "{\"headers\":{\"event-aggregate-type\":\"order\",\"version\":1,\"event-type\":\"T\","
                                  "\"event-aggregate-id\":");
        vf_json_print_string(&text, vf_bytes_from(ids[i]));
        vf_buffer_add_text(&text, "},\"list\":[0,{\"schema\":1}],\"a/b~c\":{\"at\":1}}");
        expect_text(read_event(&deep, record_of(text.data)).id, ids[i]);
        vf_buffer_done(&text);
    }
}

/* --- what may be missing -------------------------------------------------------------------------------------------- */

static void what_is_missing_is_filled_in_where_that_is_said(void **state)
{
    (void)state;
    struct vf_mapping kind = HEADER("kind", UNSAID), type = HEADER("type", UNSAID), schema = HEADER("schema", INT),
                      time = HEADER("time", RFC3339);
    refuse(&(struct vf_envelope){.plan = envelope_of(in_headers).plan}, record_without("kind"),
           "the header kind (kind) is missing, a string is wanted");
    struct vf_envelope envelope = envelope_of(in_headers);
    refuse(&envelope, record_without("type"), "the header type (type) is missing, a string is wanted");
    refuse(&envelope, record_without("schema"), "the header schema (schema) is missing, an integer is wanted");
    refuse(&envelope, record_without("time"),
           "the header time (time) is missing, a time in Unix milliseconds is wanted");

    kind.has_missing = type.has_missing = schema.has_missing = time.has_missing = true;
    kind.missing = VF_LITERAL("thing");
    type.missing = VF_LITERAL("Changed");
    schema.missing_number = 9;
    struct vf_header null = {.is_null = true};
    envelope = envelope_with(in_headers, VF_PART_KIND, kind);
    null.name = VF_LITERAL("kind");
    expect_text(read_event(&envelope, record_without("kind")).aggregate, "thing/42");
    expect_text(read_event(&envelope, record_and(good_record(), false, null)).aggregate, "thing/42");
    envelope = envelope_with(in_headers, VF_PART_TYPE, type);
    expect_text(read_event(&envelope, record_without("type")).type, "Changed");
    refuse(&envelope, record_with("type", (struct vf_bytes){0}), "the header type (type) is empty");
    envelope = envelope_with(in_headers, VF_PART_SCHEMA, schema);
    assert_int_equal(read_event(&envelope, record_without("schema")).schema, 9);
    envelope = envelope_with(in_headers, VF_PART_TIME, time);
    assert_int_equal(read_event(&envelope, record_without("time")).time_ms, 777);
    struct vf_record record = record_without("time");
    record.timestamp_ms = -1;
    refuse(&envelope, record, "the header time (time) is missing, and the record has no timestamp to stand in for it");
    record.timestamp_ms = INT64_MAX; /* a producer that counts in nanoseconds */
    refuse(
        &envelope, record,
        "the record's timestamp is 9223372036854775807 in Unix milliseconds, which is no time between the years 0 and "
        "9999");
}

static void what_is_not_mapped_has_its_default(void **state)
{
    (void)state;
    struct vf_mapping few[VF_PART_COUNT] = {[VF_PART_ID] = KEY(UTF8), [VF_PART_TYPE] = HEADER("type", UNSAID)};
    struct vf_envelope envelope = {.kind = "order", .numbers = VF_NUMBERS_OFFSET};
    vf_envelope_resolve(&envelope, few, arena);
    struct vf_record record = good_record();
    struct vf_event event = read_event(&envelope, record);
    expect_text(event.aggregate, "order/42");
    assert_int_equal(event.version, 1043);
    assert_int_equal(event.schema, 1);
    assert_int_equal(event.time_ms, 777);
    assert_int_equal(event.event_id.size, 0);
    assert_null(event.data_pointer);
    record.timestamp_ms = -1;
    refuse(&envelope, record, "the time is mapped to the record's timestamp, and it has none");
}

static void an_event_id_may_be_missing_unless_it_decides(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    struct vf_record empty = record_with("event", (struct vf_bytes){0}), absent = record_without("event");
    assert_int_equal(read_event(&envelope, empty).event_id.size, 0);
    assert_int_equal(read_event(&envelope, absent).event_id.size, 0);
    envelope.numbers = VF_NUMBERS_REVISION;
    refuse(&envelope, empty, "the header event (event_id) is empty");
    refuse(&envelope, absent, "the header event (event_id) is missing, a string is wanted");
    assert_int_equal(read_event(&envelope, good_record()).numbers, VF_NUMBERS_REVISION);
    envelope.numbers = VF_NUMBERS_OFFSET;
    envelope.repeats = 64;
    refuse(&envelope, absent, "the header event (event_id) is missing, a string is wanted");
    assert_int_equal(read_event(&envelope, good_record()).repeats, 64);
}

/* --- tombstones ----------------------------------------------------------------------------------------------------- */

static void a_tombstone_is_unreadable_ignored_or_an_event(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    struct vf_record record = record_without("type");
    record.value_is_null = true;
    record.value = (struct vf_bytes){0};
    refuse(
        &envelope, record,
        "the value is null (a tombstone), and the topic's envelope does not say what that means: `tombstone: ignore`, or "
        "the name of an event type");

    envelope.tombstone = VF_TOMBSTONE_IGNORED;
    struct vf_event event = read_event(&envelope, record);
    assert_int_equal(event.kind.size, 0);
    assert_int_equal(event.record->offset, 1042);

    envelope.tombstone = VF_TOMBSTONE_TYPE;
    envelope.tombstone_type = "OrderGone";
    event = read_event(&envelope, record);
    expect_text(event.type, "OrderGone");
    expect_text(event.aggregate, "order/42");
    assert_int_equal(event.version, 7);
    assert_null(event.data_pointer);
    record = record_without("seq");
    record.value_is_null = true;
    refuse(&envelope, record, "the header seq (version) is missing, an integer is wanted");
}

static void a_tombstone_without_a_key_is_unreadable_unless_it_is_ignored(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of(in_headers);
    struct vf_record record = good_record();
    record.value_is_null = record.key_is_null = true;
    record.value = record.key = (struct vf_bytes){0};
    envelope.tombstone = VF_TOMBSTONE_TYPE;
    envelope.tombstone_type = "OrderGone";
    refuse(&envelope, record, "the key (id) is null, a string is wanted");
    record.key_is_null = false;
    refuse(&envelope, record, "the key (id) is empty");
    envelope.tombstone = VF_TOMBSTONE_IGNORED;
    record.key_is_null = true;
    assert_int_equal(read_event(&envelope, record).kind.size, 0);
    /* An empty value is no null: it is a text, and no JSON. */
    envelope = envelope_of(in_value);
    envelope.tombstone = VF_TOMBSTONE_IGNORED;
    refuse(&envelope, record_of(""), "the value: not JSON: the text is empty");
}

static void a_tombstones_time_and_schema_do_not_come_from_its_value(void **state)
{
    (void)state;
    struct vf_mapping mappings[VF_PART_COUNT];
    memcpy(mappings, in_headers, sizeof mappings);
    mappings[VF_PART_TIME] = (struct vf_mapping)VALUE("/at", UNIX_MS);
    mappings[VF_PART_SCHEMA] = (struct vf_mapping)VALUE("/schema", UNSAID);
    mappings[VF_PART_EVENT_ID] = (struct vf_mapping)VALUE("/event", UNSAID);
    struct vf_envelope envelope = envelope_of(mappings);
    envelope.tombstone = VF_TOMBSTONE_TYPE;
    envelope.tombstone_type = "OrderGone";
    struct vf_record record = good_record();
    record.value_is_null = true;
    struct vf_event event = read_event(&envelope, record);
    assert_int_equal(event.time_ms, 777);
    assert_int_equal(event.schema, 1);
    assert_int_equal(event.event_id.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_read_from_the_key_and_headers),
        cmocka_unit_test(parts_are_read_from_deep_in_the_value),
        cmocka_unit_test(a_plan_that_was_made_is_the_defaults),
        cmocka_unit_test(a_value_that_only_holds_data_is_not_looked_at),
        cmocka_unit_test(a_whole_value_may_be_a_part),
        cmocka_unit_test(a_value_that_is_no_object_is_refused_where_a_part_is_in_it),
        cmocka_unit_test(of_repeated_headers_and_members_the_last_counts),
        cmocka_unit_test(a_header_in_another_case_is_named),
        cmocka_unit_test(texts_may_be_numbers_in_every_form),
        cmocka_unit_test(what_is_no_integer_is_refused),
        cmocka_unit_test(odd_integers_have_one_answer),
        cmocka_unit_test(a_pointer_that_leads_nowhere_finds_nothing),
        cmocka_unit_test(integers_in_the_value_may_be_text_only_where_that_is_said),
        cmocka_unit_test(ordered_numbers_may_be_text),
        cmocka_unit_test(times_have_three_forms_and_a_range),
        cmocka_unit_test(odd_times_have_one_answer),
        cmocka_unit_test(texts_are_refused_that_cannot_be_kept),
        cmocka_unit_test(ids_hold_every_character_that_means_something_elsewhere),
        cmocka_unit_test(what_is_missing_is_filled_in_where_that_is_said),
        cmocka_unit_test(what_is_not_mapped_has_its_default),
        cmocka_unit_test(an_event_id_may_be_missing_unless_it_decides),
        cmocka_unit_test(a_tombstone_is_unreadable_ignored_or_an_event),
        cmocka_unit_test(a_tombstone_without_a_key_is_unreadable_unless_it_is_ignored),
        cmocka_unit_test(a_tombstones_time_and_schema_do_not_come_from_its_value),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
