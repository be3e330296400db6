/* A record as a line of JSON: every form, every refusal, and random lines whose value comes out as it was put in. */
#include "cli/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

static struct vf_record read_line(const char *line)
{
    struct vf_record record = {.offset = 41, .timestamp_ms = 42};
    struct vf_error error;
    if (vf_sample_read(vf_bytes_from(line), parser, arena, &record, &error) != VF_OK) {
        fail_msg("%s: %s", line, error.text);
    }
    return record;
}

static void expect(struct vf_bytes found, const char *wanted)
{
    if (!vf_bytes_is(found, wanted)) {
        fail_msg("found %.*s, wanted %s", (int)found.size, found.data, wanted);
    }
}

static void a_line_of_kcat_is_a_record(void **state)
{
    (void)state;
    struct vf_record record =
        read_line("{\"topic\":\"orders\",\"partition\":3,\"offset\":1042,\"tstype\":\"create\",\"ts\":1772359200500,"
                  "\"broker\":1,\"headers\":[\"a\",\"1\",\"b\",null],\"key\":\"k\",\"payload\":\"{\\\"x\\\":1}\"}");
    assert_string_equal(record.topic, "orders");
    assert_int_equal(record.partition, 3);
    assert_int_equal(record.offset, 1042);
    assert_int_equal(record.timestamp_ms, 1772359200500);
    expect(record.key, "k");
    expect(record.value, "{\"x\":1}");
    assert_int_equal(record.header_count, 2);
    expect(record.headers[0].name, "a");
    expect(record.headers[0].value, "1");
    expect(record.headers[1].name, "b");
    assert_true(record.headers[1].is_null);
    assert_false(record.key_is_null || record.value_is_null || record.headers[0].is_null);
}

static void a_line_by_hand_says_only_what_matters(void **state)
{
    (void)state;
    struct vf_record record =
        read_line(" {\"headers\": {\"v\": {\"be64\": -2}, \"e\": \"\"}, \"value\" : {\"a\": [1, \"}\\\\\\\"{\"]} "
                  ", \"topic\": \"t\", \"timestamp\": 7, \"key\": {\"be64\": 258}}\r");
    assert_int_equal(record.offset, 41);
    assert_int_equal(record.timestamp_ms, 7);
    expect(record.value, "{\"a\": [1, \"}\\\\\\\"{\"]}");
    assert_memory_equal(record.headers[0].value.data, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
    assert_int_equal(record.headers[1].value.size, 0);
    assert_false(record.headers[1].is_null);
    assert_int_equal(record.key.size, 8);
    assert_memory_equal(record.key.data, "\0\0\0\0\0\0\1\2", 8);
    expect(read_line("{\"value\":\"text\",\"topic\":\"t\"}").value, "\"text\"");
    expect(read_line("{\"topic\":\"t\",\"value\":-1.50e2}").value, "-1.50e2");
    expect(read_line("{\"topic\":\"t\",\"payload\":\"\"}").value, "");
    record = read_line("{\"topic\":\"t\"}");
    assert_true(record.key_is_null && record.value_is_null);
    assert_int_equal(record.header_count, 0);
    assert_int_equal(record.timestamp_ms, 42);
    record = read_line("{\"topic\":\"t\",\"key\":null,\"value\":null}");
    assert_true(record.key_is_null && record.value_is_null);
    assert_false(read_line("{\"topic\":\"t\",\"payload\":\"\"}").value_is_null);
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"x", "not JSON"},
        {"[]", "a record is an object"},
        {"{}", "the record's topic is missing"},
        {"{\"topic\":1}", "topic is a text"},
        {"{\"topic\":\"t\",\"offset\":-1}", "offset is an integer from 0 on"},
        {"{\"topic\":\"t\",\"partition\":2147483648}", "partition is an integer from 0 on"},
        {"{\"topic\":\"t\",\"ts\":\"now\"}", "timestamp (in Unix milliseconds) is an integer from 0 on"},
        {"{\"topic\":\"t\",\"key\":7}", "key is a text, null, or {\"be64\": 7} for 8 bytes"},
        {"{\"topic\":\"t\",\"key\":{\"be32\":7}}", "key is a text, null"},
        {"{\"topic\":\"t\",\"headers\":\"a\"}", "headers are {\"name\": \"text\"}, or a list"},
        {"{\"topic\":\"t\",\"headers\":[\"a\"]}", "headers: the last name has no value"},
        {"{\"topic\":\"t\",\"headers\":[7,\"a\"]}", "headers: a name is a text"},
        {"{\"topic\":\"t\",\"headers\":{\"a\":7}}", "the header a is a text, null"},
        {"{\"topic\":\"t\",\"payload\":{}}", "payload is the value as a text; JSON goes into value"},
        {"{\"topic\":\"t\",\"payload\":\"\",\"value\":1}", "value and payload say the same: leave one out"},
        {"{\"topic\":\"t\",\"v\\u0061lue\":1}", "value is written with escapes in its name"},
        {"{\"topic\":\"t\",\"vlaue\":1}", "a record has no vlaue; did you mean value?"},
        {"{\"topic\":\"t\",\"magic\":1}", "a record has no magic: it has topic, partition"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct vf_record record = {.offset = 41};
        struct vf_error error;
        if (vf_sample_read(vf_bytes_from(lines[i][0]), parser, arena, &record, &error) != VF_E_DATA) {
            fail_msg("%s was taken", lines[i][0]);
        }
        if (!strstr(error.text, lines[i][1])) {
            fail_msg("%s: wanted %s, found %s", lines[i][0], lines[i][1], error.text);
        }
        assert_int_equal(record.offset, 41);
        assert_null(record.topic);
    }
}

/* --- random lines ---------------------------------------------------------------------------------------------------- */

static uint64_t random_state = 7;

static unsigned pick(unsigned count)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % count;
}

static void add_blanks(struct vf_buffer *out)
{
    static const char *const blanks[] = {"", "", " ", "\t", "  \r"};
    vf_buffer_add_text(out, blanks[pick(5)]);
}

static void add_json(struct vf_buffer *out, int depth)
{
    static const char *const scalars[] = {"1",     "-2.5e3",      "true",     "\"\"",          "\"}\"",      "\"]\"",
                                          "\",\"", "\"\\\\\"",    "\"\\\"\"", "\"\\\\\\\"{\"", "\"a:b\"",    "{}",
                                          "[]",    "\"\\u007d\"", "false",    "\"\xc3\xa4\"",  "12345678901"};
    unsigned kind = depth > 4 ? 0 : pick(3);
    if (kind == 0) {
        vf_buffer_add_text(out, scalars[pick(sizeof scalars / sizeof scalars[0])]);
        return;
    }
    vf_buffer_add_char(out, kind == 1 ? '{' : '[');
    unsigned count = 1 + pick(3);
    for (unsigned i = 0; i < count; i++) {
        vf_buffer_add_text(out, i > 0 ? "," : "");
        add_blanks(out);
        vf_buffer_add_text(out, kind == 1 ? (pick(2) ? "\"value\":" : "\"}\\\"\":") : "");
        add_json(out, depth + 1);
        add_blanks(out);
    }
    vf_buffer_add_char(out, kind == 1 ? '}' : ']');
}

/* Damage of one byte: whatever comes of it, nothing is read that is not there. */
static void damage(const struct vf_buffer *line)
{
    char *copy = vf_alloc(line->size + 1); /* exactly as large as it is, so that ASan sees a byte too many */
    struct vf_record record = {.offset = 1};
    struct vf_error error;
    memcpy(copy, line->data, line->size + 1);
    static const char bytes[] = "{}[]\",:\\ a1";
    copy[pick((unsigned)line->size)] = bytes[pick(sizeof bytes - 1)];
    (void)!vf_sample_read(vf_bytes(copy, line->size), parser, arena, &record, &error);
    free(copy);
}

static void a_value_comes_out_as_it_was_written(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct vf_buffer line, value;
        vf_buffer_init(&line);
        vf_buffer_init(&value);
        add_json(&value, 0);
        unsigned at = pick(3);
        vf_buffer_add_char(&line, '{');
        for (unsigned j = 0; j < 3; j++) {
            vf_buffer_add_text(&line, j > 0 ? "," : "");
            add_blanks(&line);
            vf_buffer_add_text(&line, j == at ? "\"value\"" : j == (at + 1) % 3 ? "\"topic\"" : "\"headers\"");
            add_blanks(&line);
            vf_buffer_add_char(&line, ':');
            add_blanks(&line);
            vf_buffer_add_text(&line, j == at ? value.data : j == (at + 1) % 3 ? "\"t,\\\"}\"" : "{\"value\":\"}\"}");
            add_blanks(&line);
        }
        vf_buffer_add_char(&line, '}');
        expect(read_line(line.data).value, value.data);
        damage(&line);
        vf_buffer_done(&line);
        vf_buffer_done(&value);
        vf_arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_kcat_is_a_record),
        cmocka_unit_test(a_line_by_hand_says_only_what_matters),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(a_value_comes_out_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
