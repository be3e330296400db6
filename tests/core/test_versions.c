#include "core_test.h"

#include "core/versions.h"

#define NONE     INT64_MIN /* as `last`: nothing was taken in yet */
#define SEQUENCE VF_NUMBERS_SEQUENCE
#define OFFSET   VF_NUMBERS_OFFSET
#define REVISION VF_NUMBERS_REVISION
#define ORDERED  VF_NUMBERS_ORDERED

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
    /* ... one that is not behind the last is of another partition: what is read again, progress has told before */
    {OFFSET, 1, false, 4711, 4711, VF_UNFIT},
    {OFFSET, 1, false, 4711, 4710, VF_UNFIT},
    {OFFSET, 1, false, INT64_MAX, INT64_MAX, VF_UNFIT},
    /* ordered: so do these, from anywhere */
    {ORDERED, 1, false, NONE, -7, VF_NEXT},
    {ORDERED, 1, false, NONE, 4711, VF_NEXT},
    {ORDERED, 1, false, -7, -6, VF_NEXT},
    {ORDERED, 1, false, -7, 4711, VF_NEXT},
    {ORDERED, 1, false, -7, -7, VF_DUPLICATE},
    {ORDERED, 1, false, -7, -8, VF_DUPLICATE},
    {ORDERED, 1, false, INT64_MIN, INT64_MAX, VF_NEXT},
    {ORDERED, 1, false, INT64_MAX, INT64_MIN, VF_DUPLICATE},
    /* revision: a sequence whose numbers may repeat; what repeats is told by ids, below */
    {REVISION, 1, false, NONE, 1, VF_NEXT},
    {REVISION, 1, false, NONE, 2, VF_GAP},
    {REVISION, 1, false, NONE, 0, VF_GAP},
    {REVISION, 1, false, NONE, INT64_MIN, VF_GAP},
    {REVISION, 0, false, NONE, 0, VF_NEXT},
    {REVISION, 0, false, NONE, 1, VF_GAP},
    {REVISION, 0, false, 0, 1, VF_NEXT},
    {REVISION, 1, true, NONE, 9, VF_NEXT},
    {REVISION, 1, true, 9, 11, VF_GAP},
    {REVISION, 1, true, 9, 3, VF_DUPLICATE},
    {REVISION, 1, false, 7, 8, VF_NEXT},
    {REVISION, 1, false, 7, 9, VF_GAP},
    {REVISION, 1, false, 7, 6, VF_DUPLICATE},
    {REVISION, 1, false, 7, INT64_MIN, VF_DUPLICATE},
    {REVISION, 1, false, INT64_MAX - 1, INT64_MAX, VF_NEXT},
    {REVISION, 1, false, INT64_MAX, INT64_MIN, VF_DUPLICATE},
    {REVISION, 1, false, -9, INT64_MAX, VF_GAP},
    {REVISION, 1, false, 7, 7, VF_DUPLICATE}, /* an entry without ids: it was made when numbers were a sequence */
};

static const char *const names[] = {
    [VF_DUPLICATE] = "duplicate", [VF_NEXT] = "next", [VF_GAP] = "gap", [VF_UNFIT] = "unfit"};

static void duplicate_next_or_gap(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct version_case *c = &cases[i];
        struct vf_event event = {.event_id = VF_LITERAL("any"),
                                 .numbers = c->numbers,
                                 .first = c->first,
                                 .first_any = c->first_any,
                                 .version = c->version};
        bool has_last = c->last != NONE;
        struct vf_last last = {.exists = has_last, .version = has_last ? c->last : 99};
        enum vf_order found = vf_version_order(&event, &last);
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
    struct vf_last last = {0};
    for (int i = 0; i < 200000 && last.version < 1000; i++) {
        struct vf_event event = {.numbers = SEQUENCE, .first = 1};
        event.version = last.version - 5 + (int64_t)(next_random(&random) % 12);
        if (vf_version_order(&event, &last) == VF_NEXT) {
            assert_int_equal(event.version, last.version + 1);
            last = (struct vf_last){.exists = true, .version = event.version};
        }
    }
    assert_int_equal(last.version, 1000);
}

static void a_gap_says_which_numbers_and_what_to_do(void **state)
{
    (void)state;
    static const struct {
        enum vf_numbers numbers;
        int64_t last, version;
        const char *said[4];
    } gaps[] = {
        {SEQUENCE, 7, 9, {"a/1: a gap: version 9 came after 7", "as a sequence without holes", "`numbers: ordered`"}},
        {SEQUENCE,
         NONE,
         5,
         {"a/1: a gap: its first version here is 5", "the first number of a sequence is 1", "`first`",
          "`history: partial`"}},
        {REVISION, 7, 9, {"a/1: a gap: version 9 came after 7", "as a revision", "`numbers: offset` with an event_id"}},
        {SEQUENCE,
         NONE,
         -1,
         {"its first version here is -1", "the first number of a sequence is 1", "no number is negative"}},
        {REVISION, NONE, 2, {"its first version here is 2", "the first number of a revision is 1"}},
    };
    for (size_t i = 0; i < COUNT_OF(gaps); i++) {
        struct vf_error error;
        struct vf_event event = {.numbers = gaps[i].numbers,
                                 .version = gaps[i].version,
                                 .first = 1,
                                 .event_id = VF_LITERAL("e"),
                                 .aggregate = VF_LITERAL("a/1")};
        struct vf_last last = {.exists = gaps[i].last != NONE, .version = gaps[i].last};
        assert_int_equal(vf_version_order(&event, &last), VF_GAP);
        assert_int_equal(vf_version_fail(&event, &last, VF_GAP, &error), VF_E_DATA);
        for (size_t w = 0; w < COUNT_OF(gaps[i].said) && gaps[i].said[w]; w++)
            expect_contains(error.text, gaps[i].said[w]);
    }
}

/* --- with what is remembered beside the number ---------------------------------------------------------------------- */

/* What one aggregate's entry remembers. */
static struct vf_last entry;

static void forget(void)
{
    free((void *)(uintptr_t)entry.more);
    entry = (struct vf_last){0};
}

static enum vf_order offer(const struct vf_event *event)
{
    enum vf_order order = vf_version_order(event, &entry);
    if (order != VF_NEXT)
        return order;
    struct vf_buffer scratch;
    vf_buffer_init(&scratch);
    struct vf_version_more *more = vf_version_more_after(event, &entry, &scratch);
    forget();
    entry = (struct vf_last){true, event->version, more};
    vf_buffer_done(&scratch);
    return VF_NEXT;
}

static void expect(enum vf_order wanted, struct vf_event event, const char *what)
{
    enum vf_order found = offer(&event);
    if (found != wanted)
        fail_msg("%s: %s, wanted %s", what, names[found], names[wanted]);
}

static struct vf_event revision(int64_t version, const char *id)
{
    return (struct vf_event){.numbers = REVISION, .first = 1, .version = version, .event_id = vf_bytes_from(id)};
}

static void siblings_of_a_revision_are_told_from_repeats_by_their_ids(void **state)
{
    (void)state;
    expect(VF_NEXT, revision(1, "a"), "the first");
    expect(VF_DUPLICATE, revision(1, "a"), "its repeat");
    expect(VF_NEXT, revision(1, "b"), "its sibling");
    expect(VF_NEXT, revision(1, "ab"), "another, of ids that are alike");
    expect(VF_DUPLICATE, revision(1, "a"), "a repeat of the first of three");
    expect(VF_DUPLICATE, revision(1, "b"), "of the second");
    expect(VF_DUPLICATE, revision(1, "ab"), "of the third");
    expect(VF_GAP, revision(3, "c"), "a hole");
    expect(VF_NEXT, revision(2, "a"), "the next transaction; its ids are its own");
    expect(VF_DUPLICATE, revision(1, "new"), "below the last, whoever it is");
    assert_int_equal(entry.more->id_count, 1);
    forget();
}

static void a_revision_needs_an_id_that_can_be_remembered(void **state)
{
    (void)state;
    char id[VF_ID_BYTES_MAX + 2];
    struct vf_error error;
    memset(id, 'x', sizeof id);
    struct vf_event event = revision(1, "");
    expect(VF_UNFIT, event, "without id");
    assert_int_equal(vf_version_fail(&event, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "has no event id");
    event.event_id = vf_bytes(id, VF_ID_BYTES_MAX + 1);
    expect(VF_UNFIT, event, "too long");
    assert_int_equal(vf_version_fail(&event, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "1025 bytes, at most 1024");
    event.event_id = vf_bytes(id, VF_ID_BYTES_MAX);
    expect(VF_NEXT, event, "just as long as may be");
    expect(VF_DUPLICATE, event, "and again");
    forget();
}

static void the_siblings_of_a_revision_are_bounded(void **state)
{
    (void)state;
    char id[16];
    struct vf_error error;
    for (int i = 0; i < VF_REPEATS_MAX; i++) {
        snprintf(id, sizeof id, "e%d", i);
        expect(VF_NEXT, revision(1, id), id);
    }
    struct vf_event one_more = revision(1, "one more");
    expect(VF_UNFIT, one_more, "one more");
    assert_int_equal(vf_version_fail(&one_more, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "more than 1024 events have version 1");
    expect(VF_DUPLICATE, revision(1, "e0"), "a repeat is one still");
    expect(VF_NEXT, revision(2, "a"), "and the next revision goes on");
    assert_int_equal(entry.more->id_count, 1);
    forget();
}

static struct vf_event ordered(const char *text)
{
    return (struct vf_event){.numbers = ORDERED, .version_text = vf_bytes_from(text), .aggregate = VF_LITERAL("a/1")};
}

static void strings_are_compared_byte_by_byte(void **state)
{
    (void)state;
    expect(VF_NEXT, ordered("00ab"), "the first");
    expect(VF_DUPLICATE, ordered("00ab"), "the same");
    expect(VF_DUPLICATE, ordered("00aa"), "less");
    expect(VF_NEXT, ordered("00b0"), "greater");
    expect(VF_NEXT, ordered("\xff\xff\xff\xff"), "bytes are unsigned");
    expect(VF_DUPLICATE, ordered("~~~~"), "less than that");
    forget();
}

static void numbers_of_another_form_are_refused_with_both_numbers(void **state)
{
    (void)state;
    struct vf_error error;
    expect(VF_NEXT, ordered("99"), "the first");
    struct vf_event longer = ordered("100");
    expect(VF_UNFIT, longer, "longer");
    assert_int_equal(vf_version_fail(&longer, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "a/1: version \"100\" has 3 bytes, and the last one taken in, \"99\", has 2");
    expect(VF_UNFIT, ordered("1"), "shorter");
    for (enum vf_numbers numbers = SEQUENCE; numbers <= ORDERED; numbers++) {
        struct vf_event integer = {.numbers = numbers, .version = 3, .first = 1, .event_id = VF_LITERAL("x")};
        expect(VF_UNFIT, integer, "an integer after a string");
        assert_int_equal(vf_version_fail(&integer, &entry, VF_UNFIT, &error), VF_E_DATA);
        expect_contains(error.text, "version 3 is an integer, and the last one taken in is the string \"99\"");
    }
    forget();
    entry = (struct vf_last){.exists = true, .version = 7};
    expect(VF_UNFIT, longer, "a string after an integer");
    assert_int_equal(vf_version_fail(&longer, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "version \"100\" is a string, and the last one taken in is the integer 7");
    forget();
}

static struct vf_event sent(int64_t offset, const char *id)
{
    return (struct vf_event){.numbers = OFFSET, .version = offset + 1, .repeats = 3, .event_id = vf_bytes_from(id)};
}

static void the_last_ids_tell_what_was_sent_again(void **state)
{
    (void)state;
    expect(VF_NEXT, sent(10, "a"), "the first");
    expect(VF_DUPLICATE, sent(11, "a"), "sent again");
    expect(VF_NEXT, sent(12, "b"), "the second");
    expect(VF_NEXT, sent(13, ""), "one without an id is not remembered");
    expect(VF_NEXT, sent(14, ""), "nor another");
    expect(VF_NEXT, sent(15, "c"), "the third");
    expect(VF_DUPLICATE, sent(16, "a"), "the first is in the window still");
    expect(VF_NEXT, sent(17, "d"), "the fourth");
    assert_int_equal(entry.more->id_count, 3);
    expect(VF_DUPLICATE, sent(18, "b"), "within the window");
    expect(VF_UNFIT, sent(17, "e"), "not behind the last one: of another partition");
    expect(VF_DUPLICATE, sent(3, "d"), "an id that is known is a repeat wherever it lies");
    expect(VF_NEXT, sent(19, "a"), "beyond the window it is new again");
    struct vf_event fewer = sent(20, "c");
    fewer.repeats = 1;
    expect(VF_NEXT, fewer, "a window that was made smaller looks no further back");
    assert_int_equal(entry.more->id_count, 1);
    fewer = sent(21, "c");
    fewer.repeats = 0;
    expect(VF_NEXT, fewer, "without a window, offsets alone");
    assert_null(entry.more);
    forget();
}

static void what_tells_repeats_apart_may_be_more_than_the_id(void **state)
{
    (void)state;
    struct vf_error error;
    static char longest[VF_ID_BYTES_MAX + 1];
    struct vf_event one = sent(10, "1"), other = sent(11, "1"), again = sent(12, "1"), too_long = sent(13, "1");
    one.repeat_id = VF_LITERAL("1@a");
    other.repeat_id = VF_LITERAL("1@b");
    again.repeat_id = VF_LITERAL("1@a");
    memset(longest, 'x', sizeof longest);
    too_long.repeat_id = vf_bytes(longest, sizeof longest);
    expect(VF_NEXT, one, "of one source");
    expect(VF_NEXT, other, "of another");
    expect(VF_DUPLICATE, again, "the first one's, sent again");
    expect(VF_UNFIT, too_long, "more than is remembered");
    assert_int_equal(vf_version_fail(&too_long, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "has 1025 bytes, at most 1024 are remembered");
    forget();
}

static void an_offset_that_is_not_behind_the_last_one_is_refused_with_both(void **state)
{
    (void)state;
    struct vf_error error;
    struct vf_event event = {.numbers = OFFSET, .version = 6, .aggregate = VF_LITERAL("a/1")};
    entry = (struct vf_last){.exists = true, .version = 1043};
    expect(VF_UNFIT, event, "of another partition");
    assert_int_equal(vf_version_fail(&event, &entry, VF_UNFIT, &error), VF_E_DATA);
    expect_contains(error.text, "a/1: offset 5 is not behind 1042, the last one taken in");
    expect_contains(error.text, "more than one partition");
    forget();
}

static void a_change_of_mapping_does_not_mix_up_ids(void **state)
{
    (void)state;
    expect(VF_NEXT, sent(6, "a"), "a window");
    expect(VF_DUPLICATE, revision(7, "b"), "the ids of a window say nothing about siblings");
    expect(VF_NEXT, revision(8, "a"), "nor about the next revision");
    assert_false(entry.more->is_window);
    assert_int_equal(entry.more->id_count, 1);
    expect(VF_NEXT, sent(8, "a"), "nor do the ids of a revision make a window");
    assert_true(entry.more->is_window);
    assert_int_equal(entry.more->id_count, 1);
    forget();
}

/* Against sets that forget nothing: transactions of 1 to 4 events, in order, with repeats of anything that has come. */
static void every_sibling_is_taken_in_once(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    enum { MOST = 2000 };
    static char ids[MOST][16];
    static int64_t versions[MOST];
    int sent_count = 0, taken = 0;
    for (int64_t version = 1; sent_count < MOST - 4; version++) {
        for (uint64_t n = 1 + next_random(&random) % 4; n; n--, sent_count++) {
            snprintf(ids[sent_count], sizeof ids[0], "e%d", sent_count);
            versions[sent_count] = version;
            taken +=
                offer(&(struct vf_event){
                    .numbers = REVISION, .first = 1, .version = version, .event_id = vf_bytes_from(ids[sent_count])}) ==
                VF_NEXT;
            for (uint64_t again = next_random(&random) % 3; again; again--) {
                uint64_t back = next_random(&random) % 8;
                int which = back > (uint64_t)sent_count ? 0 : sent_count - (int)back;
                expect(VF_DUPLICATE, revision(versions[which], ids[which]), ids[which]);
            }
        }
    }
    assert_int_equal(taken, sent_count);
    forget();
}

/* Each of these is another event, and a copy of it at another place of the log is not. */
static void an_event_has_one_identity_wherever_it_lies(void **state)
{
    (void)state;
    struct vf_record here = {.topic = "orders", .offset = 5, .timestamp_ms = 7, .value = VF_LITERAL("{}")};
    struct vf_record there = {
        .topic = "orders", .partition = 3, .offset = 6, .timestamp_ms = 8, .value = VF_LITERAL("{}")};
    struct vf_record other = {.topic = "orders", .value = VF_LITERAL("[]")};
    struct vf_bytes a = VF_LITERAL("order/1"), b = VF_LITERAL("order/11"), id = VF_LITERAL("1"), none = {0};
    struct vf_event events[] = {
        {.record = &here, .aggregate = a, .version = 1},
        {.record = &here, .aggregate = b, .version = 1},
        {.record = &here, .aggregate = a, .version = 2},
        {.record = &other, .aggregate = a, .version = 1},
        {.record = &here, .aggregate = a, .version = 1, .type = id}, /* it was corrected */
        {.record = &here, .aggregate = a, .version = 1, .event_id = id},
        {.record = &here, .numbers = ORDERED, .aggregate = a, .version_text = id},
        {.record = &here, .numbers = ORDERED, .aggregate = a, .version_text = id, .event_id = id},
        {.record = &here, .numbers = OFFSET, .aggregate = a, .repeats = 3, .event_id = id},
        {.record = &here, .numbers = OFFSET, .aggregate = a, .repeats = 3, .event_id = id, .repeat_id = b},
    };
    size_t count = sizeof events / sizeof events[0];
    for (size_t i = 0; i < count; i++) {
        struct vf_event copy = events[i];
        copy.record = events[i].record == &here ? &there : &other;
        copy.version += events[i].numbers == OFFSET;
        assert_true(vf_event_identity(&events[i]) != 0);
        assert_true(vf_event_identity(&copy) == vf_event_identity(&events[i]));
        for (size_t n = 0; n < i; n++)
            assert_true(vf_event_identity(&events[i]) != vf_event_identity(&events[n]));
    }
    /* Nothing is remembered by which a repeat would be known: a copy is another event. */
    struct vf_event place = {.record = &here, .numbers = OFFSET, .aggregate = a, .version = 1, .event_id = id};
    struct vf_event elsewhere = place;
    elsewhere.record = &there;
    assert_true(vf_event_identity(&place) != vf_event_identity(&elsewhere));
    place.repeats = elsewhere.repeats = 3;
    assert_true(vf_event_identity(&place) == vf_event_identity(&elsewhere));
    place.event_id = elsewhere.event_id = none;
    assert_true(vf_event_identity(&place) != vf_event_identity(&elsewhere));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duplicate_next_or_gap),
        cmocka_unit_test(a_sequence_is_taken_in_once_and_in_order),
        cmocka_unit_test(a_gap_says_which_numbers_and_what_to_do),
        cmocka_unit_test(siblings_of_a_revision_are_told_from_repeats_by_their_ids),
        cmocka_unit_test(a_revision_needs_an_id_that_can_be_remembered),
        cmocka_unit_test(the_siblings_of_a_revision_are_bounded),
        cmocka_unit_test(strings_are_compared_byte_by_byte),
        cmocka_unit_test(numbers_of_another_form_are_refused_with_both_numbers),
        cmocka_unit_test(the_last_ids_tell_what_was_sent_again),
        cmocka_unit_test(what_tells_repeats_apart_may_be_more_than_the_id),
        cmocka_unit_test(an_offset_that_is_not_behind_the_last_one_is_refused_with_both),
        cmocka_unit_test(a_change_of_mapping_does_not_mix_up_ids),
        cmocka_unit_test(every_sibling_is_taken_in_once),
        cmocka_unit_test(an_event_has_one_identity_wherever_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
