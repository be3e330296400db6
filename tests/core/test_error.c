#include "core_test.h"

static void an_error_says_what_it_was_told(void **state)
{
    (void)state;
    struct vf_error error;
    assert_int_equal(vf_fail(&error, VF_E_DATA, "topic %s/%d", "orders", 3), VF_E_DATA);
    assert_int_equal(error.code, VF_E_DATA);
    assert_false(error.retriable);
    assert_string_equal(error.text, "topic orders/3");
    assert_int_equal(vf_fail_retriable(&error, VF_E_UNAVAILABLE, "no answer"), VF_E_UNAVAILABLE);
    assert_true(error.retriable);
    assert_int_equal(vf_fail(&error, VF_E_BUG, "x"), VF_E_BUG);
    assert_false(error.retriable); /* an error that is used again does not keep it */
    assert_int_equal(vf_fail(NULL, VF_E_LIMIT, "nobody listens"), VF_E_LIMIT);
    assert_int_equal(vf_fail_retriable(NULL, VF_E_LIMIT, "nobody listens"), VF_E_LIMIT);
}

static void a_prefix_goes_in_front_and_keeps_the_code(void **state)
{
    (void)state;
    struct vf_error error;
    enum vf_code failed = vf_fail_retriable(&error, VF_E_UNAVAILABLE, "connection refused");
    assert_int_equal(failed, VF_E_UNAVAILABLE);
    assert_int_equal(vf_error_prefix(&error, "store %s", "cache"), VF_E_UNAVAILABLE);
    assert_string_equal(error.text, "store cache: connection refused");
    assert_true(error.retriable);
    assert_int_equal(vf_error_prefix(NULL, "nobody listens"), VF_E_BUG);
    vf_error_prefix(&error, "start");
    assert_string_equal(error.text, "start: store cache: connection refused");
}

static bool is_whole_utf8(const char *text)
{
    return vf_bytes_is_utf8(vf_bytes_from(text));
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    struct vf_error error;
    vf_fail(&error, VF_E_SCRIPT, "%s",
            "a\xff\xc3\xa4\xc3 \xe2\x82\xac\xed\xa0\x80\xf0\x9f\x98\x80\xc0\x80\xf5\xe2\x82");
    assert_string_equal(error.text, "a?\xc3\xa4? \xe2\x82\xac???\xf0\x9f\x98\x80?????");
    vf_error_prefix(&error, "%.3s", "ab\xc3\xa4");
    assert_true(is_whole_utf8(error.text));
    assert_memory_equal(error.text, "ab?: a?", 7);
    for (unsigned seed = 0; seed < 5000; seed++) {
        char text[12] = {0};
        for (size_t i = 0; i < 11; i++)
            text[i] = (char)((seed * 2654435761u >> (i * 2)) | 1);
        vf_fail_retriable(&error, VF_E_SCRIPT, "%s", text);
        assert_true(is_whole_utf8(error.text));
        assert_int_equal(strlen(error.text), strlen(text));
    }
}

static void long_texts_are_cut_at_a_character(void **state)
{
    (void)state;
    char *text = vf_alloc(3 * VF_ERROR_TEXT_BYTES);
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i < 2 * VF_ERROR_TEXT_BYTES; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 5);
        struct vf_error error;
        enum vf_code code = vf_fail(&error, VF_E_SCRIPT, "%s", text);
        assert_int_equal(code, VF_E_SCRIPT);
        assert_in_range(strlen(error.text), VF_ERROR_TEXT_BYTES - 5, VF_ERROR_TEXT_BYTES - 1);
        assert_true(is_whole_utf8(error.text));
        for (int i = 0; i < 5; i++) {
            vf_error_prefix(&error, "%.*s", i + 1, "abcde");
            assert_in_range(strlen(error.text), VF_ERROR_TEXT_BYTES - 5, VF_ERROR_TEXT_BYTES - 1);
            assert_true(is_whole_utf8(error.text));
        }
        expect_contains(error.text, "abcde: abcd: abc: ab: a: ");
        /* A prefix that leaves no room gives way to what happened. */
        vf_error_prefix(&error, "%s", text);
        expect_contains(error.text, "abcde: ");
    }
    free(text);
}

static void each_code_has_its_exit_status(void **state)
{
    (void)state;
    static const int wanted[] = {[VF_OK] = 0,     [VF_E_USAGE] = 64,   [VF_E_NOT_FOUND] = 66, [VF_E_UNAVAILABLE] = 69,
                                 [VF_E_BUG] = 70, [VF_E_TIMEOUT] = 75, [VF_E_DENIED] = 77,    [VF_E_CONFIG] = 78,
                                 [VF_E_DATA] = 1, [VF_E_SCRIPT] = 1,   [VF_E_LIMIT] = 1,      [VF_E_MEMORY] = 1};
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        assert_int_equal(vf_code_exit_status((enum vf_code)i), wanted[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_it_was_told), cmocka_unit_test(a_prefix_goes_in_front_and_keeps_the_code),
        cmocka_unit_test(what_is_not_utf8_is_replaced),   cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(each_code_has_its_exit_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
