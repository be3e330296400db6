#include "core_test.h"

#include "core/token.h"

static struct vf_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = vf_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vf_arena_free(arena);
    return 0;
}

static struct vf_token parse(const char *text)
{
    struct vf_error error;
    struct vf_token token;
    must(vf_token_parse(vf_bytes_from(text), arena, &token, &error), &error);
    return token;
}

static void expect_version(const char *text, const char *aggregate, int64_t version)
{
    struct vf_token token = parse(text);
    assert_int_equal(token.kind, VF_TOKEN_VERSION);
    expect_text(token.aggregate, aggregate);
    assert_true(token.version == version);
}

static void expect_offset(const char *text, const char *topic, int32_t partition, int64_t offset)
{
    struct vf_token token = parse(text);
    assert_int_equal(token.kind, VF_TOKEN_OFFSET);
    assert_string_equal(token.topic.data, topic);
    assert_int_equal(token.topic.size, strlen(topic));
    assert_int_equal(token.partition, partition);
    assert_true(token.offset == offset);
}

static void version_tokens_are_read(void **state)
{
    (void)state;
    expect_version("v:order/42@7", "order/42", 7);
    expect_version("v:order/42@0", "order/42", 0);
    expect_version("v:order/42@9223372036854775807", "order/42", INT64_MAX);
    expect_version("v:user/a@b.example@3", "user/a@b.example", 3); /* from the last '@' */
    expect_version("v:user/a@b@c@3", "user/a@b@c", 3);
    expect_version("v:user/a%40b@3", "user/a@b", 3);
    expect_version("v:user/%25%2f%2F@3", "user/%//", 3);
    expect_version("v:order/a/b/c@3", "order/a/b/c", 3);
    expect_version("v:order/a+b@3", "order/a+b", 3); /* plus is plus */
    expect_version("v:order/%C3%A4@3", "order/\xc3\xa4", 3);
    expect_version("v:order/\xc3\xa4@3", "order/\xc3\xa4", 3);
    expect_version("v:o:x/v:y@3", "o:x/v:y", 3);
    expect_version("v:a~b/c~d@3", "a~b/c~d", 3);
}

static void expect_parts(const char *token_text, const char *text, bool is_integer, int64_t version, const char *id)
{
    struct vf_token token = parse(token_text);
    expect_text(token.text, text);
    expect_text(token.event_id, id);
    if (token.is_integer != is_integer || (is_integer && token.version != version))
        fail_msg("%s: integer %d, %lld", token_text, token.is_integer, (long long)token.version);
}

/* What its number is, the view's entry says: digits may be a string too. */
static void versions_may_be_strings_and_have_event_ids(void **state)
{
    (void)state;
    expect_parts("v:order/42@7~abc", "7", true, 7, "abc");
    expect_parts("v:order/42@7~a~b", "7", true, 7, "a~b"); /* from the first '~' */
    expect_parts("v:order/42@7~a%40%7e%25", "7", true, 7, "a@~%");
    expect_parts("v:order/42@00ab", "00ab", false, 0, "");
    expect_parts("v:order/42@00ab~x", "00ab", false, 0, "x");
    expect_parts("v:order/42@a%7Eb", "a~b", false, 0, "");
    expect_parts("v:order/42@2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", false, 0, "");
    expect_parts("v:order/42@-1", "-1", true, -1, "");
    expect_parts("v:order/42@-9223372036854775808", "-9223372036854775808", true, INT64_MIN, "");
    expect_parts("v:order/42@%37", "7", true, 7, "");
    static const char *const strings[] = {
        "x", "+1", "7.0", "007", "0x7", "-0", "-", "--1", "9223372036854775808", "-01", "99999999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(strings); i++) {
        char text[64];
        snprintf(text, sizeof text, "v:order/42@%s", strings[i]);
        expect_parts(text, strings[i], false, 0, "");
    }
}

static void offset_tokens_are_read(void **state)
{
    (void)state;
    expect_offset("o:orders/3@1042", "orders", 3, 1042);
    expect_offset("o:shop.orders.v1/0@0", "shop.orders.v1", 0, 0);
    expect_offset("o:a_b-C.9/2147483647@9223372036854775807", "a_b-C.9", INT32_MAX, INT64_MAX);
    expect_offset("o:shop%2Eorders/1@2", "shop.orders", 1, 2);
}

static void malformed_tokens_are_refused_with_a_right_one(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "neither with v: nor with o:"},
        {"v", "neither with v: nor with o:"},
        {"order/42@7", "neither with v: nor with o:"},
        {"x:order/42@7", "neither with v: nor with o:"},
        {"V:order/42@7", "neither with v: nor with o:"},
        {" v:order/42@7", "neither with v: nor with o:"},
        {"v:", "no '@'"},
        {"v:order/42", "no '@'"},
        {"v:order/42@", "no version"},
        {"v:order/42@ 7", "no version"},
        {"v:order/42@7 ", "no version"},
        {"v:order/42@7\t", "no version"},
        {"v:order/42@~abc", "no version"},
        {"v:order/42@7~", "no event id behind '~'"},
        {"v:order/42@7~a b", "no version"},
        {"v:order/42@7~a%2", "two hex digits"},
        {"v:order/42@%zz", "two hex digits"},
        {"v:order/42@%ff", "UTF-8"},
        {"v:order/42@7~a%00b", "without NUL"},
        {"v:order@7", "no '/'"},
        {"v:@7", "no '/'"},
        {"v:/42@7", "a kind has 1 to 1024 bytes"},
        {"v:order/@7", "an id has 1 to 1024 bytes"},
        {"v:order/4%2@7", "two hex digits"},
        {"v:order/4%@7", "two hex digits"},
        {"v:order/%zz@7", "two hex digits"},
        {"v:order/%4g@7", "two hex digits"},
        {"v:order/a%00b@7", "without NUL"},
        {"v:order/%ff@7", "UTF-8"},
        {"v:order/%ed%a0%80@7", "UTF-8"},
        {"o:", "no '@'"},
        {"o:orders/3", "no '@'"},
        {"o:orders/3@", "no offset"},
        {"o:orders/3@-1", "no offset"},
        {"o:orders/3@01", "no offset"},
        {"o:orders/3@9223372036854775808", "no offset"},
        {"o:orders@1042", "no '/'"},
        {"o:orders/@1042", "no partition's number"},
        {"o:orders/x@1042", "no partition's number"},
        {"o:orders/-1@1042", "no partition's number"},
        {"o:orders/2147483648@1042", "no partition's number"},
        {"o:/3@1042", "no name of a Kafka topic"},
        {"o:./3@1042", "no name of a Kafka topic"},
        {"o:../3@1042", "no name of a Kafka topic"},
        {"o:or ders/3@1042", "no name of a Kafka topic"},
        {"o:or%2Fders/3@1042", "no name of a Kafka topic"},
        {"o:a/b/3@1042", "no name of a Kafka topic"},
        {"o:or%00ders/3@1042", "no name of a Kafka topic"},
        {"o:or%d/3@1042", "two hex digits"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vf_error error;
        struct vf_token token = {.version = 4711};
        enum vf_code code = vf_token_parse(vf_bytes_from(cases[i].text), arena, &token, &error);
        if (code != VF_E_USAGE)
            fail_msg("code %d for %s", (int)code, cases[i].text);
        expect_contains(error.text, cases[i].part);
        expect_contains(error.text, "v:order/42@7");
        expect_contains(error.text, "o:orders/3@1042");
        assert_int_equal(token.version, 4711);
    }
    struct vf_error error;
    struct vf_token token;
    assert_int_equal(vf_token_parse(vf_bytes(NULL, 0), arena, &token, &error), VF_E_USAGE);
    assert_int_equal(vf_token_parse(vf_bytes("v:a/b\0c@1", 9), arena, &token, &error), VF_E_USAGE);
}

static void lengths_are_limited_after_decoding(void **state)
{
    (void)state;
    struct vf_error error;
    struct vf_token token;
    for (size_t size = 1023; size <= 1025; size++) {
        struct vf_buffer text;
        vf_buffer_init(&text);
        vf_buffer_add_text(&text, "v:k/");
        for (size_t i = 0; i < size; i++)
            vf_buffer_add_text(&text, "%41");
        vf_buffer_add_text(&text, "@1");
        enum vf_code code = vf_token_parse(vf_bytes(text.data, text.size), arena, &token, &error);
        assert_int_equal(code, size <= 1024 ? VF_OK : VF_E_USAGE);
        vf_buffer_done(&text);
    }
    for (size_t size = 1024; size <= 1025; size++) {
        struct vf_buffer text;
        for (int id = 0; id < 2; id++) {
            vf_buffer_init(&text);
            vf_buffer_add_text(&text, id ? "v:k/1@7~" : "v:k/1@");
            for (size_t i = 0; i < size; i++)
                vf_buffer_add_text(&text, "%41");
            enum vf_code code = vf_token_parse(vf_bytes(text.data, text.size), arena, &token, &error);
            assert_int_equal(code, size <= 1024 ? VF_OK : VF_E_USAGE);
            vf_buffer_done(&text);
        }
    }
    for (size_t size = 249; size <= 250; size++) {
        char text[300];
        snprintf(text, sizeof text, "o:%0*d/1@1", (int)size, 0);
        enum vf_code code = vf_token_parse(vf_bytes_from(text), arena, &token, &error);
        assert_int_equal(code, size <= 249 ? VF_OK : VF_E_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_tokens_are_read),
        cmocka_unit_test(versions_may_be_strings_and_have_event_ids),
        cmocka_unit_test(offset_tokens_are_read),
        cmocka_unit_test(malformed_tokens_are_refused_with_a_right_one),
        cmocka_unit_test(lengths_are_limited_after_decoding),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
