/* Arena, bytes and buffers: where memory comes from. */
#include "core_test.h"

#include <stdalign.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef TEST_HAS_ASAN
#include <sanitizer/asan_interface.h>
#endif

static void memory_is_aligned_and_does_not_overlap(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    struct vf_arena *arena = vf_arena_new();
    for (int round = 0; round < 20; round++) {
        unsigned char *data[500];
        size_t sizes[500], total = 0;
        for (size_t i = 0; i < COUNT_OF(data); i++) {
            sizes[i] = next_random(&random) % (i % 50 ? 300 : 200000);
            data[i] = vf_arena_alloc(arena, sizes[i]);
            assert_non_null(data[i]);
            assert_int_equal((uintptr_t)data[i] % alignof(max_align_t), 0);
            memset(data[i], (int)(i % 251), sizes[i]);
            total += sizes[i];
        }
        for (size_t i = 0; i < COUNT_OF(data); i++) {
            for (size_t j = 0; j < sizes[i]; j++) {
                if (data[i][j] != i % 251)
                    fail_msg("allocation %zu was written over at %zu of %zu", i, j, sizes[i]);
            }
        }
        assert_int_equal(vf_arena_used(arena), total);
        vf_arena_reset(arena);
        assert_int_equal(vf_arena_used(arena), 0);
    }
    vf_arena_free(arena);
    vf_arena_free(NULL);
}

static void nothing_has_an_address_too(void **state)
{
    (void)state;
    struct vf_arena *arena = vf_arena_new();
    char *first = vf_arena_alloc(arena, 0);
    char *second = vf_arena_alloc(arena, 0);
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    assert_non_null(vf_arena_calloc(arena, 0, 8));
    struct vf_bytes empty = vf_arena_bytes(arena, NULL, 0);
    assert_int_equal(empty.size, 0);
    assert_string_equal(empty.data, "");
    vf_arena_free(arena);
}

static void copies_end_with_nul(void **state)
{
    (void)state;
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes copy = vf_arena_bytes(arena, "abc", 2);
    assert_string_equal(copy.data, "ab");
    copy = vf_arena_copy(arena, vf_bytes("a\0b", 3));
    assert_memory_equal(copy.data, "a\0b", 4);
    copy = vf_arena_printf(arena, "%s/%d", "order", 42);
    assert_int_equal(copy.size, 8);
    assert_string_equal(copy.data, "order/42");
    copy = vf_arena_printf(arena, "%0*d", 100000, 7);
    assert_int_equal(copy.size, 100000);
    int64_t *cleared = vf_arena_calloc(arena, 1000, sizeof *cleared);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(cleared[i], 0);
    vf_arena_free(arena);
}

static void huge_allocations_work_and_are_given_back(void **state)
{
    (void)state;
    /* 2.5 GiB all in all, in a space that has not so much. (ASan reserves terabytes for itself and is not limited.) */
#ifndef TEST_HAS_ASAN
    struct rlimit before, small_space;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    small_space = before;
    small_space.rlim_cur = (rlim_t)1 << 30;
    assert_int_equal(setrlimit(RLIMIT_AS, &small_space), 0);
#endif
    struct vf_arena *arena = vf_arena_new();
    for (int round = 0; round < 40; round++) {
        char *small = vf_arena_alloc(arena, 10);
        char *huge = vf_arena_alloc(arena, (size_t)64 << 20);
        char *after = vf_arena_alloc(arena, 10);
        small[9] = huge[0] = huge[((size_t)64 << 20) - 1] = after[9] = 1;
        vf_arena_reset(arena);
        assert_in_range(large_blocks_bytes(), 0, (size_t)2 << 20); /* at most 1 MiB is kept for the next batch */
    }
    vf_arena_free(arena);
#ifndef TEST_HAS_ASAN
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
#endif
}

static void what_was_reset_is_poisoned(void **state)
{
    (void)state;
#ifdef TEST_HAS_ASAN
    struct vf_arena *arena = vf_arena_new();
    char *data = vf_arena_alloc(arena, 13);
    assert_false(__asan_address_is_poisoned(data));
    assert_false(__asan_address_is_poisoned(data + 12));
    assert_true(__asan_address_is_poisoned(data + 13)); /* over the end */
    vf_arena_reset(arena);
    assert_true(__asan_address_is_poisoned(data));
    vf_arena_free(arena);
#endif
}

/* Runs it in a child: how it ended. */
static int status_of(void (*function)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(99);
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        function();
        _exit(0);
    }
    assert_true(child > 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void want_half_of_all(void)
{
    (void)vf_arena_alloc(vf_arena_new(), SIZE_MAX / 2 + 1);
}

static void want_all(void)
{
    (void)vf_arena_alloc(vf_arena_new(), SIZE_MAX);
}

static void want_too_many(void)
{
    (void)vf_arena_calloc(vf_arena_new(), SIZE_MAX / 8 + 2, 8);
}

static void want_a_copy_of_all(void)
{
    (void)vf_arena_bytes(vf_arena_new(), "", SIZE_MAX);
}

static void want_a_buffer_of_all(void)
{
    struct vf_buffer buffer;
    vf_buffer_init(&buffer);
    vf_buffer_add_char(&buffer, 'x');
    (void)vf_buffer_reserve(&buffer, SIZE_MAX - 1);
}

static void sizes_that_overflow_end_the_process(void **state)
{
    (void)state;
    assert_int_equal(status_of(want_half_of_all), 70);
    assert_int_equal(status_of(want_all), 70);
    assert_int_equal(status_of(want_too_many), 70);
    assert_int_equal(status_of(want_a_copy_of_all), 70);
    assert_int_equal(status_of(want_a_buffer_of_all), 70);
}

static void bytes_are_ordered_as_unsigned_with_prefixes_first(void **state)
{
    (void)state;
    static const struct vf_bytes sorted[] = {{NULL, 0},          {"\0", 1},          VF_LITERAL("A"),
                                             VF_LITERAL("a"),    VF_LITERAL("a\0"),  VF_LITERAL("a\0b"),
                                             VF_LITERAL("aa"),   VF_LITERAL("b"),    VF_LITERAL("\x7f"),
                                             VF_LITERAL("\x80"), VF_LITERAL("\xff"), VF_LITERAL("\xff\xff")};
    for (size_t i = 0; i < COUNT_OF(sorted); i++) {
        for (size_t j = 0; j < COUNT_OF(sorted); j++) {
            int order = vf_bytes_compare(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(vf_bytes_equal(sorted[i], sorted[j]), i == j);
        }
    }
}

/* What Unicode says, by decoding: the slow way, against every sequence of up to three bytes and many of four. */
static bool decodes(const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned lead = data[i];
        size_t wanted = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
        if (!wanted || size - i < wanted)
            return false;
        uint32_t point = wanted == 1 ? lead : lead & (0xffu >> (wanted + 1));
        for (size_t j = 1; j < wanted; j++) {
            if (data[i + j] >> 6 != 2)
                return false;
            point = point << 6 | (data[i + j] & 63);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < least[wanted] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
        i += wanted;
    }
    return true;
}

static void utf8_is_what_rfc_3629_says(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                          0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                          0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff};
    size_t n = COUNT_OF(edges);
    for (size_t code = 0; code < n * n * n * n; code++) {
        unsigned char data[12] = "aaaaaaaa";
        size_t rest = code;
        for (size_t i = 0; i < 4; i++, rest /= n)
            data[8 + i] = edges[rest % n];
        for (size_t from = 0; from <= 8; from += 8) {
            for (size_t cut = 0; cut < 4; cut++) {
                struct vf_bytes bytes = vf_bytes(data + from, 12 - from - cut);
                if (vf_bytes_is_utf8(bytes) != decodes(data + from, bytes.size))
                    fail_msg("%02x %02x %02x %02x, cut %zu", data[8], data[9], data[10], data[11], cut);
            }
        }
    }
    assert_true(vf_bytes_is_utf8(vf_bytes(NULL, 0)));
}

static void a_buffer_grows_and_ends_with_nul(void **state)
{
    (void)state;
    struct vf_buffer buffer;
    vf_buffer_init(&buffer);
    vf_buffer_add(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "");
    vf_buffer_add_text(&buffer, "a");
    vf_buffer_add_char(&buffer, 'b');
    vf_buffer_add_bytes(&buffer, VF_LITERAL("cd"));
    vf_buffer_add_int(&buffer, -12);
    vf_buffer_add_int(&buffer, 0);
    vf_buffer_printf(&buffer, "%03d", 7);
    assert_string_equal(buffer.data, "abcd-120007");
    assert_int_equal(buffer.size, 11);
    vf_buffer_clear(&buffer);
    vf_buffer_add_int(&buffer, INT64_MIN);
    vf_buffer_add_int(&buffer, INT64_MAX);
    assert_string_equal(buffer.data, "-92233720368547758089223372036854775807");
    vf_buffer_clear(&buffer);
    for (int i = 0; i < 100000; i++)
        vf_buffer_add_char(&buffer, (char)('a' + i % 26));
    assert_int_equal(strlen(buffer.data), 100000);
    vf_buffer_done(&buffer);
    assert_null(buffer.data);
    vf_buffer_done(&buffer);
    char *copy = vf_strndup("abc", 2);
    assert_string_equal(copy, "ab");
    free(copy);
    copy = vf_strdup("abc");
    assert_string_equal(copy, "abc");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_does_not_overlap),
        cmocka_unit_test(nothing_has_an_address_too),
        cmocka_unit_test(copies_end_with_nul),
        cmocka_unit_test(huge_allocations_work_and_are_given_back),
        cmocka_unit_test(what_was_reset_is_poisoned),
        cmocka_unit_test(sizes_that_overflow_end_the_process),
        cmocka_unit_test(bytes_are_ordered_as_unsigned_with_prefixes_first),
        cmocka_unit_test(utf8_is_what_rfc_3629_says),
        cmocka_unit_test(a_buffer_grows_and_ends_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
