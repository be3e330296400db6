/* The built-in envelopes: what a topic overrides in them, what tells repeats apart, what data is taken out of. The records of the
 * specifications, and what is told of bad ones, are in tests/presets. */
#include "core_test.h"

#include "core/event_data.h"
#include "core/framing.h"
#include "core/preset.h"

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

/* The preset with one part replaced (VF_PART_COUNT: none), and these numbers. The kind is fixed. */
static struct vf_envelope envelope_with(const char *name, enum vf_part part, struct vf_mapping instead,
                                        enum vf_numbers numbers)
{
    const struct vf_preset *preset = vf_preset_find(name);
    struct vf_mapping parts[VF_PART_COUNT];
    assert_non_null(preset);
    struct vf_envelope envelope = {.preset = preset, .kind = "k", .numbers = numbers, .first = 1};
    envelope.repeats = numbers == VF_NUMBERS_OFFSET ? preset->repeats : 0;
    memcpy(parts, preset->parts, sizeof parts);
    if (part < VF_PART_COUNT)
        parts[part] = instead;
    vf_envelope_resolve(&envelope, parts, arena);
    return envelope;
}

static struct vf_envelope envelope_of(const char *name)
{
    return envelope_with(name, VF_PART_COUNT, (struct vf_mapping){0}, VF_NUMBERS_OFFSET);
}

static struct vf_header header(const char *name, const char *value)
{
    return (struct vf_header){.name = vf_bytes_from(name), .value = vf_bytes_from(value), .is_null = value == NULL};
}

#define BINARY                                                                                                \
    header("ce_specversion", "1.0"), header("ce_id", "7"), header("ce_source", "/s"), header("ce_type", "T"), \
        header("ce_subject", "a")

#define RECORD(value_, ...)                                                 \
    ((struct vf_record){.topic = "t",                                       \
                        .offset = 41,                                       \
                        .timestamp_ms = 777,                                \
                        .key = VF_LITERAL("key"),                           \
                        .value = vf_bytes_from(value_),                     \
                        .value_is_null = (value_) == NULL,                  \
                        .headers = (const struct vf_header[]){__VA_ARGS__}, \
                        .header_count = sizeof(struct vf_header[]){__VA_ARGS__} / sizeof(struct vf_header)})

static struct vf_event read_event(const struct vf_envelope *envelope, const struct vf_record *record)
{
    struct vf_event event;
    struct vf_error error;
    must(vf_envelope_read(envelope, record, parser, arena, &event, &error), &error);
    return event;
}

static void expect_unreadable(const struct vf_envelope *envelope, const struct vf_record *record, const char *part)
{
    struct vf_event event;
    struct vf_error error;
    assert_int_equal(vf_envelope_read(envelope, record, parser, arena, &event, &error), VF_E_DATA);
    expect_contains(error.text, part);
}

static const char *const structured =
    "{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/s\",\"type\":\"T\",\"subject\":\"a\",\"partitionkey\":\"p\","
    "\"sequence\":\"0012\",\"number\":13,\"data\":{\"order\":{\"id\":9},\"v\":4}}";

#define STRUCTURED header("content-type", "application/cloudevents+json")

/* The same event in both modes, and in the third form, without a header. */
struct modes {
    struct vf_record records[3];
};

static const struct vf_header in_headers[] = {
    {{"ce_specversion", 14}, {"1.0", 3}, false}, {{"ce_id", 5}, {"7", 1}, false},
    {{"ce_source", 9}, {"/s", 2}, false},        {{"ce_type", 7}, {"T", 1}, false},
    {{"ce_subject", 10}, {"a", 1}, false},       {{"ce_partitionkey", 15}, {"p", 1}, false},
    {{"ce_sequence", 11}, {"0012", 4}, false},   {{"ce_number", 9}, {"13", 2}, false},
};
static const struct vf_header in_value[] = {{{"content-type", 12}, {"application/cloudevents+json", 28}, false}};

static struct modes all_modes(void)
{
    struct vf_record record = {.topic = "t", .offset = 41, .timestamp_ms = 777, .key = VF_LITERAL("\"key\"")};
    struct modes modes = {{record, record, record}};
    modes.records[0].value = VF_LITERAL("{\"order\":{\"id\":9},\"v\":4}");
    modes.records[0].headers = in_headers;
    modes.records[0].header_count = COUNT_OF(in_headers);
    modes.records[1].value = modes.records[2].value = vf_bytes_from(structured);
    modes.records[1].headers = in_value;
    modes.records[1].header_count = 1;
    return modes;
}

static void expect_data(const struct vf_event *event, const char *pointer, int64_t wanted)
{
    struct vf_error error;
    struct vf_json data;
    bool has;
    must(vf_event_data(event, parser, &has, &data, &error), &error);
    assert_true(has);
    assert_true(vf_json_at(data, pointer, &data));
    assert_int_equal(vf_json_type(data), VF_JSON_INT);
    assert_int_equal(vf_json_int(data), wanted);
}

/* --- CloudEvents ---------------------------------------------------------------------------------------------------- */

static void an_event_is_the_same_in_every_mode(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of("cloudevents");
    struct modes modes = all_modes();
    struct vf_event first = read_event(&envelope, &modes.records[0]);
    expect_text(first.aggregate, "k/a");
    expect_text(first.type, "T");
    expect_text(first.event_id, "7");
    assert_int_equal(first.version, 42);
    assert_int_equal(first.time_ms, 777);
    for (size_t i = 0; i < COUNT_OF(modes.records); i++) {
        struct vf_event event = read_event(&envelope, &modes.records[i]);
        assert_true(vf_bytes_equal(event.aggregate, first.aggregate));
        assert_true(vf_bytes_equal(event.type, first.type));
        assert_true(vf_bytes_equal(event.event_id, first.event_id));
        assert_true(vf_bytes_equal(event.repeat_id, first.repeat_id));
        expect_data(&event, "/order/id", 9);
        expect_data(&event, "/v", 4);
    }
}

static void an_override_holds_in_every_mode(void **state)
{
    (void)state;
    static const struct {
        enum vf_part part;
        struct vf_mapping mapping;
        enum vf_numbers numbers;
        const char *id; /* what the event then is */
        int64_t version;
    } cases[] = {
        {VF_PART_ID, {.from = VF_FROM_HEADER, .name = "ce_partitionkey"}, VF_NUMBERS_OFFSET, "p", 42},
        {VF_PART_ID, {.from = VF_FROM_HEADER, .name = "ce_number", .as = VF_AS_INT}, VF_NUMBERS_OFFSET, "13", 42},
        {VF_PART_ID, {.from = VF_FROM_KEY, .as = VF_AS_UTF8}, VF_NUMBERS_OFFSET, "\"key\"", 42},
        {VF_PART_ID, {.from = VF_FROM_KEY, .as = VF_AS_CONNECT}, VF_NUMBERS_OFFSET, "key", 42},
        {VF_PART_ID, {.from = VF_FROM_VALUE, .name = "/order/id"}, VF_NUMBERS_OFFSET, "9", 42},
        {VF_PART_VERSION, {.from = VF_FROM_HEADER, .name = "ce_sequence"}, VF_NUMBERS_SEQUENCE, "a", 12},
        {VF_PART_VERSION, {.from = VF_FROM_HEADER, .name = "ce_number"}, VF_NUMBERS_ORDERED, "a", 13},
        {VF_PART_VERSION, {.from = VF_FROM_VALUE, .name = "/v"}, VF_NUMBERS_SEQUENCE, "a", 4},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vf_envelope envelope = envelope_with("cloudevents", cases[i].part, cases[i].mapping, cases[i].numbers);
        struct modes modes = all_modes();
        for (size_t j = 0; j < COUNT_OF(modes.records); j++) {
            struct vf_event event = read_event(&envelope, &modes.records[j]);
            expect_text(event.id, cases[i].id);
            assert_int_equal(event.version, cases[i].version);
            expect_data(&event, "/v", 4);
        }
    }
    struct vf_envelope envelope = envelope_with(
        "cloudevents", VF_PART_DATA, (struct vf_mapping){.from = VF_FROM_VALUE, .name = "/order"}, VF_NUMBERS_OFFSET);
    struct modes modes = all_modes();
    for (size_t j = 0; j < COUNT_OF(modes.records); j++) {
        struct vf_event event = read_event(&envelope, &modes.records[j]);
        expect_data(&event, "/id", 9);
    }
}

static void an_id_is_another_one_in_another_source(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of("cloudevents");
    struct vf_record one = RECORD("{}", BINARY), two = RECORD("{}", BINARY, header("ce_source", "/other"));
    struct vf_event first = read_event(&envelope, &one), second = read_event(&envelope, &two);
    assert_true(vf_bytes_equal(first.event_id, second.event_id));
    assert_false(vf_bytes_equal(first.repeat_id, second.repeat_id));
    assert_true(vf_bytes_equal(first.repeat_id, read_event(&envelope, &one).repeat_id));

    /* Where somebody says that something else tells events apart, or numbers do, the source does not matter. */
    struct vf_mapping other = {.from = VF_FROM_HEADER, .name = "uuid"};
    struct vf_record without = RECORD("{}", BINARY, header("ce_source", NULL), header("uuid", "u"));
    expect_unreadable(&envelope, &without, "cloudevents: the header ce_source is missing");
    envelope = envelope_with("cloudevents", VF_PART_EVENT_ID, other, VF_NUMBERS_OFFSET);
    assert_int_equal(read_event(&envelope, &without).repeat_id.size, 0);
    envelope = envelope_with("cloudevents", VF_PART_VERSION, (struct vf_mapping){.from = VF_FROM_KEY, .as = VF_AS_INT},
                             VF_NUMBERS_SEQUENCE);
    without.key = VF_LITERAL("5");
    assert_int_equal(read_event(&envelope, &without).repeat_id.size, 0);
}

static void content_types_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool is_structured;
        bool is_refused;
    } cases[] = {
        {"application/cloudevents+json", true, false},
        {"application/cloudevents+json; charset=UTF-8", true, false},
        {"application/cloudevents+json;charset=UTF-8", true, false},
        {"APPLICATION/CLOUDEVENTS+JSON", true, false},
        {"application/cloudevents", true, false},
        {"application/cloudevents; x=y", true, false},
        {"application/cloudevents+jsonp", true, true},
        {"application/cloudevents+avro", true, true},
        {"application/cloudevents+protobuf", true, true},
        {"application/cloudevents-batch+json", true, true},
        {"application/cloudevent", false, false},
        {"application/json", false, false},
        {"", false, false},
        {"text/plain; application/cloudevents+json", false, false},
    };
    struct vf_envelope envelope = envelope_of("cloudevents");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vf_header type = header("content-type", cases[i].type);
        struct vf_record in_both = RECORD("{\"specversion\":\"1.0\",\"id\":\"8\",\"source\":\"/s\",\"type\":\"U\","
                                          "\"subject\":\"b\",\"data\":{}}",
                                          BINARY, type);
        if (cases[i].is_refused)
            expect_unreadable(&envelope, &in_both, "application/cloudevents+json is read");
        else
            expect_text(read_event(&envelope, &in_both).id, cases[i].is_structured ? "b" : "a");
    }
}

static void a_null_value_beside_the_types_header_is_an_event_without_data(void **state)
{
    (void)state;
    static const char *const names[] = {"cloudevents", "debezium-outbox"};
    struct vf_record records[] = {RECORD(NULL, BINARY), RECORD(NULL, header("id", "7"), header("eventType", "T"))};
    struct vf_record bare = RECORD(NULL, header("other", "x"));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        for (enum vf_tombstone tombstone = VF_TOMBSTONE_UNREADABLE; tombstone <= VF_TOMBSTONE_TYPE; tombstone++) {
            struct vf_envelope envelope = envelope_of(names[i]);
            envelope.tombstone = tombstone;
            envelope.tombstone_type = "Gone";
            struct vf_event event = read_event(&envelope, &records[i]);
            struct vf_error error;
            struct vf_json data;
            bool has = true;
            expect_text(event.type, "T");
            must(vf_event_data(&event, parser, &has, &data, &error), &error);
            assert_false(has);
        }
        struct vf_envelope envelope = envelope_of(names[i]);
        expect_unreadable(&envelope, &bare, "the value is null (a tombstone)");
        envelope.tombstone = VF_TOMBSTONE_IGNORED;
        assert_int_equal(read_event(&envelope, &bare).kind.size, 0);
    }
    /* A structured event is in its value: without one there is none, whatever the headers say. */
    struct vf_envelope envelope = envelope_of("cloudevents");
    struct vf_record empty = RECORD(NULL, BINARY, STRUCTURED);
    expect_unreadable(&envelope, &empty, "the value is null (a tombstone)");
}

static void a_tombstone_with_a_type_has_an_id(void **state)
{
    (void)state;
    struct vf_envelope envelope = envelope_of("debezium-outbox");
    struct vf_record record = RECORD(NULL, header("id", "7"));
    envelope.tombstone = VF_TOMBSTONE_TYPE;
    envelope.tombstone_type = "Gone";
    struct vf_event event = read_event(&envelope, &record);
    expect_text(event.type, "Gone");
    expect_text(event.id, "key");
    expect_text(event.event_id, "7");
}

/* --- what wraps texts and data -------------------------------------------------------------------------------------- */

static void keys_and_headers_come_out_of_connects_wrapping(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *wanted; /* NULL: unreadable, with `told` */
        const char *told;
    } cases[] = {
        {"o1", "o1", NULL},
        {"42", "42", NULL},
        {"\"o1\"", "o1", NULL},
        {"\"o\\u00e4\\\"1\"", "o\xc3\xa4\"1", NULL},
        {"{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":\"o1\"}", "o1", NULL},
        {"{\"payload\":\"o1\",\"schema\":null}", "o1", NULL},
        {"{\"schema\":{\"type\":\"int64\"},\"payload\":-42}", "-42", NULL},
        {"\"", "\"", NULL}, /* a text as any other */
        {"\"a\" b", "\"a\" b", NULL},
        {"{o1}", "{o1}", NULL},
        {"[1]", "[1]", NULL},
        {"\"\"", NULL, "the key (id) is empty"},
        {"{\"id\":1}", NULL, "the key (id) is an object, a string is wanted"},
        {"{\"schema\":{\"type\":\"string\"},\"payload\":\"o1\",\"more\":1}", NULL, "the key (id) is an object"},
        {"{\"schema\":5,\"payload\":\"o1\"}", NULL, "the key (id) is an object"},
        {"{\"schema\":{},\"payload\":\"o1\"}", NULL, "the key (id) is an object"},
        {"{\"schema\":{\"type\":\"string\"},\"payload\":null}", NULL, "the key (id) is null"},
        {"{\"schema\":{\"type\":\"array\"},\"payload\":[1]}", NULL, "the key (id) is an array"},
        {"{\"schema\":{\"type\":\"double\"},\"payload\":1.5}", NULL, "the key (id) is a number that is no integer"},
        {"{\"schema\":{\"type\":\"string\"},\"payload\":\"a\\u0000b\"}", NULL, "the key (id) holds NUL"},
    };
    struct vf_envelope envelope = envelope_of("debezium-outbox");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vf_record record = RECORD("{\"v\":4}", header("id", "7"), header("eventType", "\"T\""));
        record.key = vf_bytes_from(cases[i].key);
        if (!cases[i].wanted) {
            expect_unreadable(&envelope, &record, cases[i].told);
            continue;
        }
        struct vf_event event = read_event(&envelope, &record);
        expect_text(event.id, cases[i].wanted);
        expect_text(event.type, "T");
        expect_data(&event, "/v", 4);
    }
}

/* The fuzzer found it: only the presets' records were taken out of their wrapping; of an envelope of one's own, a part that is
 * `connect` was whatever lay on the stack, as the id of the record before. */
static void a_mapping_without_a_preset_may_say_connect(void **state)
{
    (void)state;
    static const char *const keys[] = {"o1", "\"o1\"", "{\"schema\":null,\"payload\":\"o1\"}"};
    struct vf_mapping mappings[VF_PART_COUNT];
    struct vf_envelope envelope = {.kind = "order", .numbers = VF_NUMBERS_OFFSET};
    memcpy(mappings, vf_preset_find("debezium-outbox")->parts, sizeof mappings);
    vf_envelope_resolve(&envelope, mappings, arena);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct vf_record record = RECORD("{\"v\":4}", header("id", "7"), header("eventType", "\"T\""));
        record.key = vf_bytes_from(keys[i]);
        struct vf_event event = read_event(&envelope, &record);
        expect_text(event.id, "o1");
        expect_text(event.event_id, "7");
        expect_text(event.type, "T");
        expect_data(&event, "/v", 4);
    }
}

static void a_version_comes_out_of_its_wrapping_too(void **state)
{
    (void)state;
    static const char *const good[] = {"5", "\"5\"", "{\"schema\":{\"type\":\"int32\"},\"payload\":5}"};
    struct vf_mapping version = {.from = VF_FROM_HEADER, .name = "v", .as = VF_AS_CONNECT};
    struct vf_envelope envelope = envelope_with("debezium-outbox", VF_PART_VERSION, version, VF_NUMBERS_SEQUENCE);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct vf_record record = RECORD("{}", header("id", "7"), header("eventType", "T"), header("v", good[i]));
        assert_int_equal(read_event(&envelope, &record).version, 5);
    }
    struct vf_record odd = RECORD("{}", header("id", "7"), header("eventType", "T"), header("v", "{\"a\":5}"));
    expect_unreadable(&envelope, &odd, "debezium-outbox: the header v (version) is an object, an integer is wanted");
}

/* What the data is as text, after `form` has been taken off `value`; "error: " with the reason. */
static const char *data_of(enum vf_data_form form, const char *value)
{
    struct vf_record record = {.topic = "t", .value = vf_bytes_from(value)};
    struct vf_event event = {.record = &record, .data_pointer = "", .data_form = form};
    struct vf_error error;
    struct vf_json data;
    bool has;
    if (vf_event_data(&event, parser, &has, &data, &error) != VF_OK)
        return vf_arena_printf(arena, "error: %s", error.text).data;
    assert_true(has);
    switch (vf_json_type(data)) {
    case VF_JSON_STRING: return vf_arena_printf(arena, "text %s", vf_json_string(data).data).data;
    case VF_JSON_INT: return vf_arena_printf(arena, "int %d", (int)vf_json_int(data)).data;
    case VF_JSON_OBJECT: return "object";
    case VF_JSON_ARRAY: return "array";
    case VF_JSON_NULL: return "null";
    default: return "other";
    }
}

static void data_comes_out_of_its_wrapping(void **state)
{
    (void)state;
    static const struct {
        enum vf_data_form form;
        const char *value;
        const char *wanted;
    } cases[] = {
        {VF_DATA_PLAIN, "\"{}\"", "text {}"},
        {VF_DATA_PLAIN, "{\"schema\":null,\"payload\":1}", "object"},
        {VF_DATA_IN_STRING, "\"{}\"", "object"},
        {VF_DATA_IN_STRING, "\" [1] \"", "array"},
        {VF_DATA_IN_STRING, "\"5\"", "int 5"},
        {VF_DATA_IN_STRING, "\"null\"", "null"},
        {VF_DATA_IN_STRING, "\"\\\"{}\\\"\"", "text {}"}, /* once, not again and again */
        {VF_DATA_IN_STRING, "{}", "object"},
        {VF_DATA_IN_STRING, "7", "int 7"},
        {VF_DATA_IN_STRING, "\"{\"", "error: the string at , which holds the data: not JSON"},
        {VF_DATA_IN_STRING, "\"[1]\\u0000\"", "error: the string at , which holds the data: not JSON"},
        {VF_DATA_CONNECT, "{\"a\":1}", "object"},
        {VF_DATA_CONNECT, "\"{}\"", "object"},
        {VF_DATA_CONNECT, "\"\\n[]\"", "array"},
        {VF_DATA_CONNECT, "\"5\"", "text 5"}, /* a text that is no object or list stays one */
        {VF_DATA_CONNECT, "\"\"", "text "},
        {VF_DATA_CONNECT, "\"{not\"", "text {not"},
        {VF_DATA_CONNECT, "{\"schema\":{\"type\":\"string\"},\"payload\":\"{\\\"a\\\":1}\"}", "object"},
        {VF_DATA_CONNECT, "{\"schema\":{\"type\":\"string\"},\"payload\":\"[x\"}", "text [x"},
        {VF_DATA_CONNECT, "{\"schema\":{\"type\":\"int32\"},\"payload\":5}", "int 5"},
        {VF_DATA_CONNECT, "{\"schema\":null,\"payload\":null}", "null"},
        {VF_DATA_CONNECT, "not", "error: the value: not JSON"},
        {VF_DATA_CLOUDEVENT, "{\"data_base64\":\"AA==\"}", "object"}, /* asked for all of it */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *found = data_of(cases[i].form, cases[i].value);
        if (strncmp(found, cases[i].wanted, strlen(cases[i].wanted)) != 0)
            fail_msg("form %d of %s: %s, wanted %s", (int)cases[i].form, cases[i].value, found, cases[i].wanted);
    }
}

/* A parser lets go of a large text's memory when the next one is small: what the string is made of lies in there. */
static void a_small_text_in_a_large_value_is_read(void **state)
{
    (void)state;
    struct vf_buffer value;
    vf_buffer_init(&value);
    vf_buffer_add_text(&value, "{\"payload\":\"{\\\"v\\\":4}\",\"pad\":\"");
    for (int i = 0; i < 5 * 1024 * 1024; i++)
        vf_buffer_add_char(&value, 'x');
    vf_buffer_add_text(&value, "\"}");
    struct vf_record record = {.topic = "t", .value = vf_bytes(value.data, value.size)};
    struct vf_event event = {.record = &record, .data_pointer = "/payload", .data_form = VF_DATA_IN_STRING};
    expect_data(&event, "/v", 4);
    vf_buffer_done(&value);
}

static void what_an_upcast_has_made_is_the_data(void **state)
{
    (void)state;
    struct vf_record record = {.topic = "t", .value = VF_LITERAL("\"{}\"")};
    struct vf_event event = {
        .record = &record, .data_pointer = "", .data_form = VF_DATA_IN_STRING, .data_text = VF_LITERAL("{\"v\":4}")};
    expect_data(&event, "/v", 4);
}

/* --- frames --------------------------------------------------------------------------------------------------------- */

static void frames_of_schema_registries_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *told; /* NULL: it is none */
    } cases[] = {
        {"\0\0\0\1\2{}", 7, "Confluent's schema registry (it begins with the byte 0 and the schema id 258)"},
        {"\0\xff\xff\xff\xff", 5, "the schema id 4294967295)"},
        {"\0\0\0\1", 4, NULL},
        {"\1"
         "0123456789abcdef",
         17, "the byte 1 and the schema 30313233-3435-3637-3839-616263646566)"},
        {"\1"
         "0123456789abcde",
         16, NULL},
        {"\3\0"
         "0123456789abcdef",
         18, "AWS Glue's schema registry (it begins with the byte 3, 0 for no compression"},
        {"\3\5"
         "0123456789abcdef",
         18, "5 for zlib, and the schema version 30313233-3435-3637-3839-616263646566)"},
        {"\3\5"
         "0123456789abcde",
         17, NULL},
        {"\3\1"
         "0123456789abcdef",
         18, NULL},
        {"\2\0"
         "0123456789abcdef",
         18, NULL},
        {"{\"a\":1}", 7, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vf_error error;
        enum vf_code code = vf_framing_check(vf_bytes(cases[i].bytes, cases[i].size), "the value", &error);
        assert_int_equal(code, cases[i].told ? VF_E_DATA : VF_OK);
        if (cases[i].told)
            expect_contains(error.text, cases[i].told);
    }
}

static void a_framed_value_is_named_in_a_mapping_of_ones_own_too(void **state)
{
    (void)state;
    struct vf_envelope standard = {.numbers = VF_NUMBERS_SEQUENCE, .first = 1};
    struct vf_record record = {.topic = "t", .timestamp_ms = 1, .value = vf_bytes("\0\0\0\0\7{}", 7)};
    struct vf_event event = {.record = &record, .data_pointer = ""};
    struct vf_error error;
    struct vf_json data;
    bool has;
    expect_unreadable(&standard, &record, "the value is framed by Confluent's schema registry");
    assert_int_equal(vf_event_data(&event, parser, &has, &data, &error), VF_E_DATA);
    expect_contains(error.text, "the value is framed by Confluent's schema registry");
}

#define PRESET_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESET_TEST(an_event_is_the_same_in_every_mode),
        PRESET_TEST(an_override_holds_in_every_mode),
        PRESET_TEST(an_id_is_another_one_in_another_source),
        PRESET_TEST(content_types_are_told_apart),
        PRESET_TEST(a_null_value_beside_the_types_header_is_an_event_without_data),
        PRESET_TEST(a_tombstone_with_a_type_has_an_id),
        PRESET_TEST(keys_and_headers_come_out_of_connects_wrapping),
        PRESET_TEST(a_mapping_without_a_preset_may_say_connect),
        PRESET_TEST(a_version_comes_out_of_its_wrapping_too),
        PRESET_TEST(data_comes_out_of_its_wrapping),
        PRESET_TEST(a_small_text_in_a_large_value_is_read),
        PRESET_TEST(what_an_upcast_has_made_is_the_data),
        PRESET_TEST(frames_of_schema_registries_are_named),
        PRESET_TEST(a_framed_value_is_named_in_a_mapping_of_ones_own_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
