#include "core_test.h"

#include "core/document.h"

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

static void a_stamp_is_16_hex_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t stamp;
        const char *text;
    } cases[] = {{0, "0000000000000000"},
                 {1, "0000000000000001"},
                 {UINT64_MAX, "ffffffffffffffff"},
                 {UINT64_C(0x0123456789abcdef), "0123456789abcdef"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[VF_STAMP_TEXT_BYTES];
        uint64_t back;
        vf_stamp_print(text, cases[i].stamp);
        assert_string_equal(text, cases[i].text);
        assert_true(vf_stamp_parse(vf_bytes_from(text), &back));
        assert_true(back == cases[i].stamp);
    }
    static const char *const wrong[] = {"",
                                        "0",
                                        "000000000000000",
                                        "00000000000000000",
                                        "000000000000000g",
                                        "000000000000000A",
                                        "0x00000000000000",
                                        " 00000000000000f",
                                        "-000000000000001"};
    uint64_t unused;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(vf_stamp_parse(vf_bytes_from(wrong[i]), &unused));
}

static void versions_are_printed_and_read_back(void **state)
{
    (void)state;
    static const struct vf_version versions[] = {{VF_LITERAL("customer/4b"), 1, NULL},
                                                 {VF_LITERAL("order/\"\\\n"), INT64_MIN, NULL},
                                                 {VF_LITERAL("order/63-0"), INT64_MAX, NULL},
                                                 {VF_LITERAL("order/\xc3\xa4"), 0, NULL}};
    struct vf_buffer out;
    struct vf_error error;
    vf_buffer_init(&out);
    vf_versions_print(&out, NULL, 0);
    assert_string_equal(out.data, "{}");
    vf_buffer_clear(&out);
    vf_versions_print(&out, versions, COUNT_OF(versions));
    assert_string_equal(out.data, "{\"customer/4b\":1,\"order/\\\"\\\\\\n\":-9223372036854775808,"
                                  "\"order/63-0\":9223372036854775807,\"order/\xc3\xa4\":0}");

    const struct vf_version *back;
    size_t count;
    must(vf_versions_parse(vf_bytes(out.data, out.size), parser, arena, &back, &count, &error), &error);
    assert_int_equal(count, COUNT_OF(versions));
    for (size_t i = 0; i < count; i++) {
        assert_true(vf_bytes_equal(back[i].aggregate, versions[i].aggregate));
        assert_true(back[i].version == versions[i].version);
    }
    must(vf_versions_parse(VF_LITERAL("{}"), parser, arena, &back, &count, &error), &error);
    assert_int_equal(count, 0);
    vf_buffer_done(&out);
}

/* An entry with ids, packed in `buffer`. */
static struct vf_version_more more_of(struct vf_buffer *buffer, bool is_window, const char *const *ids, uint32_t count)
{
    vf_buffer_init(buffer);
    for (uint32_t i = 0; i < count; i++)
        vf_event_ids_add(buffer, vf_bytes_from(ids[i]));
    return (struct vf_version_more){
        .ids = vf_bytes(buffer->data, buffer->size), .id_count = count, .is_window = is_window};
}

static void versions_with_text_and_ids_are_printed_and_read_back(void **state)
{
    (void)state;
    static const char *const ids[] = {"x", "\"\xc3\xa4@~", "ordinary-id"};
    struct vf_buffer out, packed[2];
    struct vf_version_more text = {.text = VF_LITERAL("00\"ab")};
    struct vf_version_more revision = more_of(&packed[0], false, ids, 3), window = more_of(&packed[1], true, ids, 1);
    const struct vf_version versions[] = {{VF_LITERAL("a/1"), 0, &text},
                                          {VF_LITERAL("a/2"), 7, &revision},
                                          {VF_LITERAL("a/3"), 1043, &window},
                                          {VF_LITERAL("a/4"), -1, NULL}};
    struct vf_error error;
    vf_buffer_init(&out);
    vf_versions_print(&out, versions, COUNT_OF(versions));
    assert_string_equal(out.data, "{\"a/1\":\"00\\\"ab\",\"a/2\":[7,\"x\",\"\\\"\xc3\xa4@~\",\"ordinary-id\"],"
                                  "\"a/3\":[1043,[\"x\"]],\"a/4\":-1}");
    const struct vf_version *back;
    size_t count;
    must(vf_versions_parse(vf_bytes(out.data, out.size), parser, arena, &back, &count, &error), &error);
    assert_int_equal(count, COUNT_OF(versions));
    for (size_t i = 0; i < count; i++) {
        assert_true(back[i].version == versions[i].version);
        assert_true(vf_version_more_equal(back[i].more, versions[i].more));
    }
    for (size_t i = 0; i < 2; i++)
        vf_buffer_done(&packed[i]);
    vf_buffer_done(&out);
}

/* As many ids as may be, and as long; one more, or one longer, is nothing that viewfold wrote. */
static void the_limits_of_ids_hold_when_read(void **state)
{
    (void)state;
    for (int over = 0; over < 3; over++) {
        struct vf_buffer text;
        struct vf_error error;
        const struct vf_version *back;
        size_t count;
        vf_buffer_init(&text);
        vf_buffer_add_text(&text, "{\"a/1\":[7");
        for (int i = 0; i < VF_REPEATS_MAX + (over == 1); i++) {
            char id[VF_ID_BYTES_MAX + 2];
            int size = snprintf(id, sizeof id, "%0*d", i == 0 ? VF_ID_BYTES_MAX + (over == 2) : 8, i);
            vf_buffer_printf(&text, ",\"%.*s\"", size, id);
        }
        vf_buffer_add_text(&text, "]}");
        enum vf_code code = vf_versions_parse(vf_bytes(text.data, text.size), parser, arena, &back, &count, &error);
        assert_int_equal(code, over ? VF_E_DATA : VF_OK);
        vf_buffer_done(&text);
    }
}

static void versions_are_sorted_when_read(void **state)
{
    (void)state;
    const struct vf_version *versions;
    size_t count;
    struct vf_error error;
    must(vf_versions_parse(VF_LITERAL("{\"b/2\":2,\"b/10\":10,\"a/1\":1}"), parser, arena, &versions, &count, &error),
         &error);
    assert_int_equal(count, 3);
    expect_text(versions[0].aggregate, "a/1");
    expect_text(versions[1].aggregate, "b/10");
    expect_text(versions[2].aggregate, "b/2");
    assert_int_equal(versions[1].version, 10);
}

static void wrong_versions_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "null",
                                        "[]",
                                        "{\"a/1\":\"\"}",
                                        "{\"a/1\":{}}",
                                        "{\"a/1\":true}",
                                        "{\"a/1\":[]}",
                                        "{\"a/1\":[\"7\",\"x\"]}",
                                        "{\"a/1\":[7,\"\"]}",
                                        "{\"a/1\":[7,8]}",
                                        "{\"a/1\":[7,\"x\",8]}",
                                        "{\"a/1\":[7,\"x\",[\"y\"]]}",
                                        "{\"a/1\":[7.0,\"x\"]}",
                                        "{\"a/1\":[7,[]]}",
                                        "{\"a/1\":[7,[\"x\"],\"y\"]}",
                                        "{\"a/1\":[7,[[\"x\"]]]}",
                                        "{\"a/1\":[9223372036854775808,\"x\"]}",
                                        "{\"a/1\":1.0}",
                                        "{\"a/1\":null}",
                                        "{\"a/1\":9223372036854775808}",
                                        "{\"a/1\":1",
                                        "{\"a/1\":[1]}",
                                        "{\"a/1\":1,\"a/1\":2}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct vf_version *versions;
        size_t count;
        struct vf_error error;
        enum vf_code code = vf_versions_parse(vf_bytes_from(texts[i]), parser, arena, &versions, &count, &error);
        if (code != VF_E_DATA)
            fail_msg("code %d for %s", (int)code, texts[i]);
        expect_contains(error.text, "a document's versions");
    }
}

static void progress_is_canonical_byte_for_byte(void **state)
{
    (void)state;
    struct vf_progress progress = {.exists = true, .next = 1043, .of = 7, .stamp = 0xab12};
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_progress_print(&out, &progress);
    assert_string_equal(out.data, "{\"next\":1043,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}");

    progress.has_last = true;
    progress.last_offset = 1042;
    progress.last_timestamp_ms = 1772359200000;
    progress.last_hash = UINT64_C(0x9f2c000000000001);
    vf_buffer_clear(&out);
    vf_progress_print(&out, &progress);
    assert_string_equal(out.data,
                        "{\"next\":1043,\"of\":7,\"last\":[1042,1772359200000,\"9f2c000000000001\"],\"aside\":0,"
                        "\"stamp\":\"000000000000ab12\"}");

    progress.has_last = false;
    progress.had = 6000;
    vf_buffer_clear(&out);
    vf_progress_print(&out, &progress);
    assert_string_equal(out.data, "{\"next\":1043,\"of\":7,\"aside\":0,\"had\":6000,\"stamp\":\"000000000000ab12\"}");

    progress.exists = false;
    vf_buffer_clear(&out);
    vf_progress_print(&out, &progress);
    assert_int_equal(out.size, 0);
    vf_buffer_done(&out);
}

static void random_progress_reads_back_and_prints_the_same(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    struct vf_buffer out, again;
    struct vf_error error;
    vf_buffer_init(&out);
    vf_buffer_init(&again);
    for (int i = 0; i < 5000; i++) {
        struct vf_progress progress = {.exists = true, .has_last = next_random(&random) % 4 != 0}, back;
        unsigned shift = (unsigned)(1 + next_random(&random) % 63);
        progress.next = (int64_t)(next_random(&random) >> shift);
        progress.of = (int32_t)(next_random(&random) >> 33);
        progress.aside = (int64_t)(next_random(&random) >> shift);
        progress.had = next_random(&random) % 2 ? (int64_t)(next_random(&random) >> shift) : 0;
        progress.stamp = next_random(&random);
        if (progress.has_last) {
            progress.last_offset = (int64_t)(next_random(&random) >> shift);
            progress.last_timestamp_ms = next_random(&random) % 3 ? (int64_t)(next_random(&random) >> shift) : -1;
            progress.last_hash = next_random(&random) >> (next_random(&random) % 2 * 60);
        }
        vf_buffer_clear(&out);
        vf_progress_print(&out, &progress);
        must(vf_progress_parse(vf_bytes(out.data, out.size), parser, &back, &error), &error);
        assert_true(vf_progress_equal(&progress, &back));
        vf_buffer_clear(&again);
        vf_progress_print(&again, &back);
        assert_string_equal(again.data, out.data);
    }
    vf_buffer_done(&out);
    vf_buffer_done(&again);
}

static void progress_that_would_not_print_the_same_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"next\":1}",
        "{\"next\":1,\"of\":7}",
        "{\"next\":1,\"of\":7,\"aside\":0}",
        "{\"next\":1,\"of\":7,\"aside\":0,\"stamp\":\"AB12\"}",
        "{\"next\":1,\"of\":7,\"aside\":0,\"stamp\":1}",
        "{\"of\":7,\"next\":1,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\": 1,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"} ",
        "{\"next\":1,\"of\":7,\"aside\":0,\"more\":1}",
        "{\"next\":1,\"of\":7,\"aside\":0,\"had\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"aside\":0,\"had\":-1,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"aside\":0,\"had\":null,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"had\":8,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1.0,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":\"1\",\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":-1,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":2147483648,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":-1,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"aside\":-1,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":9223372036854775808,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":null,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":[],\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":[0,0],\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":[0,0,\"0\"],\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":[0,0,\"000000000000000A\"],\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":[-1,0,\"000000000000000a\"],\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"of\":7,\"last\":[0,0,\"000000000000000a\",1],\"aside\":0,\"stamp\":\"000000000000ab12\"}",
        "{\"next\":1,\"next\":1,\"of\":7,\"aside\":0,\"stamp\":\"000000000000ab12\"}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct vf_progress progress = {.next = 4711};
        struct vf_error error;
        enum vf_code code = vf_progress_parse(vf_bytes_from(texts[i]), parser, &progress, &error);
        if (code != VF_E_DATA)
            fail_msg("code %d for %s", (int)code, texts[i]);
        expect_contains(error.text, "a partition's progress");
        assert_int_equal(progress.next, 4711);
    }
}

static void progress_is_compared_whole(void **state)
{
    (void)state;
    struct vf_progress base = {.exists = true,
                               .next = 10,
                               .of = 3,
                               .has_last = true,
                               .last_offset = 9,
                               .last_timestamp_ms = 99,
                               .last_hash = 7,
                               .aside = 1,
                               .had = 12};
    struct vf_progress other = base;
    assert_true(vf_progress_equal(&base, &other));
#define DIFFERS(field, value)                       \
    other = base;                                   \
    other.field = value;                            \
    assert_false(vf_progress_equal(&base, &other)); \
    assert_false(vf_progress_equal(&other, &base))
    DIFFERS(exists, false);
    DIFFERS(next, 11);
    DIFFERS(of, 4);
    DIFFERS(has_last, false);
    DIFFERS(last_offset, 8);
    DIFFERS(last_timestamp_ms, 98);
    DIFFERS(last_hash, 8);
    DIFFERS(aside, 0);
    DIFFERS(had, 0);
    DIFFERS(had, 13);
#undef DIFFERS
    /* What is not there is not compared. */
    struct vf_progress absent = {.next = 1}, also_absent = {.next = 2};
    assert_true(vf_progress_equal(&absent, &also_absent));
    other = base;
    other.has_last = base.has_last = false;
    other.last_hash = 8;
    assert_true(vf_progress_equal(&base, &other));
}

/* The reference values are those that xxHash's own documents give for XXH64 with seed 0. */
static void a_records_hash_is_xxh64_over_key_and_value(void **state)
{
    (void)state;
    struct vf_record record = {.key_is_null = true, .value_is_null = true};
    assert_true(vf_record_hash(&record) == UINT64_C(0xef46db3751d8e999));
    record = (struct vf_record){.key = VF_LITERAL("a"), .value = VF_LITERAL("bc")};
    assert_true(vf_record_hash(&record) == UINT64_C(0x44bc2cf5ad770999)); /* of "abc" */
    record = (struct vf_record){.key = VF_LITERAL("abc"), .value_is_null = true};
    assert_true(vf_record_hash(&record) == UINT64_C(0x44bc2cf5ad770999));
    record.value = VF_LITERAL("x");
    assert_true(vf_record_hash(&record) == UINT64_C(0x44bc2cf5ad770999)); /* null is null, whatever the bytes */
    record.value_is_null = false;
    assert_true(vf_record_hash(&record) != UINT64_C(0x44bc2cf5ad770999));
    record = (struct vf_record){.key = VF_LITERAL("x"), .key_is_null = true, .value = VF_LITERAL("abc")};
    assert_true(vf_record_hash(&record) == UINT64_C(0x44bc2cf5ad770999));
    record.key_is_null = false;
    assert_true(vf_record_hash(&record) != UINT64_C(0x44bc2cf5ad770999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_is_16_hex_digits),
        cmocka_unit_test(versions_are_printed_and_read_back),
        cmocka_unit_test(versions_with_text_and_ids_are_printed_and_read_back),
        cmocka_unit_test(the_limits_of_ids_hold_when_read),
        cmocka_unit_test(versions_are_sorted_when_read),
        cmocka_unit_test(wrong_versions_are_refused),
        cmocka_unit_test(progress_is_canonical_byte_for_byte),
        cmocka_unit_test(random_progress_reads_back_and_prints_the_same),
        cmocka_unit_test(progress_that_would_not_print_the_same_is_refused),
        cmocka_unit_test(progress_is_compared_whole),
        cmocka_unit_test(a_records_hash_is_xxh64_over_key_and_value),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
