#include "core_test.h"

#include "core/versions.h"

#define NONE     INT64_MIN /* as `last`: nothing was taken in yet */
#define SEQUENCE VF_NUMBERS_SEQUENCE
#define OFFSET   VF_NUMBERS_OFFSET

static const struct version_case {
    enum vf_numbers numbers;
    int64_t first;
    bool first_any;
    int64_t last;
    int64_t version;
    enum vf_order wanted;
} cases[] = {
    /* a sequence from 1: the first */
    {SEQUENCE, 1, false, NONE, 1, VF_NEXT},
    {SEQUENCE, 1, false, NONE, 2, VF_GAP},
    {SEQUENCE, 1, false, NONE, INT64_MAX, VF_GAP},
    /* ... below the first on an absent aggregate: neither taken in nor lost */
    {SEQUENCE, 1, false, NONE, 0, VF_GAP},
    {SEQUENCE, 1, false, NONE, -1, VF_GAP},
    {SEQUENCE, 1, false, NONE, INT64_MIN, VF_GAP},
    /* a sequence from 0: absent is a state of its own, not zero */
    {SEQUENCE, 0, false, NONE, 0, VF_NEXT},
    {SEQUENCE, 0, false, NONE, 1, VF_GAP},
    {SEQUENCE, 0, false, NONE, -1, VF_GAP},
    {SEQUENCE, 0, false, 0, 0, VF_DUPLICATE},
    {SEQUENCE, 0, false, 0, 1, VF_NEXT},
    /* history: partial: any first number goes, and from there no holes */
    {SEQUENCE, 1, true, NONE, 1, VF_NEXT},
    {SEQUENCE, 1, true, NONE, 17, VF_NEXT},
    {SEQUENCE, 1, true, NONE, 0, VF_NEXT},
    {SEQUENCE, 1, true, 17, 18, VF_NEXT},
    {SEQUENCE, 1, true, 17, 19, VF_GAP},
    {SEQUENCE, 1, true, 17, 17, VF_DUPLICATE},
    {SEQUENCE, 1, true, 17, 3, VF_DUPLICATE},
    /* later ones */
    {SEQUENCE, 1, false, 1, 1, VF_DUPLICATE},
    {SEQUENCE, 1, false, 1, 2, VF_NEXT},
    {SEQUENCE, 1, false, 1, 3, VF_GAP},
    {SEQUENCE, 1, false, 7, 6, VF_DUPLICATE},
    {SEQUENCE, 1, false, 7, 7, VF_DUPLICATE},
    {SEQUENCE, 1, false, 7, 8, VF_NEXT},
    {SEQUENCE, 1, false, 7, 9, VF_GAP},
    {SEQUENCE, 1, false, 7, 0, VF_DUPLICATE},
    {SEQUENCE, 1, false, 7, INT64_MIN, VF_DUPLICATE},
    {SEQUENCE, 1, false, 7, INT64_MAX, VF_GAP},
    /* the ends of the numbers */
    {SEQUENCE, 1, false, INT64_MAX, INT64_MAX, VF_DUPLICATE},
    {SEQUENCE, 1, false, INT64_MAX - 1, INT64_MAX, VF_NEXT},
    {SEQUENCE, 1, false, INT64_MAX, INT64_MIN, VF_DUPLICATE},
    {SEQUENCE, 1, false, -9, INT64_MAX, VF_GAP},
    /* offsets only grow; the first may be any */
    {OFFSET, 1, false, NONE, 1, VF_NEXT},
    {OFFSET, 1, false, NONE, 4711, VF_NEXT},
    {OFFSET, 1, false, 4711, 4712, VF_NEXT},
    {OFFSET, 1, false, 4711, 9000, VF_NEXT},
    {OFFSET, 1, false, 4711, 4711, VF_DUPLICATE},
    {OFFSET, 1, false, 4711, 4710, VF_DUPLICATE},
    {OFFSET, 1, false, INT64_MAX, INT64_MAX, VF_DUPLICATE},
};

static void duplicate_next_or_gap(void **state)
{
    static const char *const names[] = {[VF_DUPLICATE] = "duplicate", [VF_NEXT] = "next", [VF_GAP] = "gap"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct version_case *c = &cases[i];
        struct vf_event event = {
            .numbers = c->numbers, .first = c->first, .first_any = c->first_any, .version = c->version};
        bool has_last = c->last != NONE;
        enum vf_order found = vf_version_order(&event, has_last, has_last ? c->last : 99);
        if (found != c->wanted)
            fail_msg("case %zu: version %lld after %s%lld, first %lld: %s, wanted %s", i, (long long)c->version,
                     has_last ? "" : "nothing, not ", has_last ? (long long)c->last : 99LL, (long long)c->first,
                     names[found], names[c->wanted]);
    }
}

/* Whatever order repeats and late ones come in, exactly 1..n are taken in, each once, and in order. */
static void a_sequence_is_taken_in_once_and_in_order(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    bool has_last = false;
    int64_t last = 0;
    for (int i = 0; i < 200000 && last < 1000; i++) {
        struct vf_event event = {.numbers = SEQUENCE, .first = 1};
        event.version = last - 5 + (int64_t)(next_random(&random) % 12);
        if (vf_version_order(&event, has_last, last) == VF_NEXT) {
            assert_int_equal(event.version, last + 1);
            last = event.version;
            has_last = true;
        }
    }
    assert_int_equal(last, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duplicate_next_or_gap),
        cmocka_unit_test(a_sequence_is_taken_in_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
