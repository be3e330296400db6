/* The decisions that a worker holds: found again among many, in little memory. */
#include "core/versions.h"
#include "run/drops.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT       30000
#define ERROR_BYTES 2000

static struct vf_event event_of(struct vf_bytes aggregate, size_t number)
{
    return (struct vf_event){.aggregate = aggregate, .event_id = VF_LITERAL("e"), .version = (int64_t)number};
}

/* Every third decision gives up numbers, the others leave an event out, of two topics. */
static struct vf_dropped decision(size_t number, struct vf_arena *arena)
{
    struct vf_dropped dropped = {.aggregate = vf_arena_printf(arena, "order/%zu", number)};
    if (number % 3 == 0) {
        dropped.missing_from = 5;
        dropped.missing_to = 9;
    } else {
        char *error = vf_arena_alloc(arena, ERROR_BYTES);
        memset(error, 'x', ERROR_BYTES);
        dropped.error = vf_bytes(error, ERROR_BYTES);
        dropped.partition = (struct vf_partition){number % 3 == 1 ? "orders" : "cards", (int32_t)(number % 7)};
        dropped.offset = (int64_t)(COUNT - number);
        dropped.timestamp_ms = (int64_t)number;
        struct vf_event event = event_of(dropped.aggregate, number);
        if (number % 3 == 1) /* the others could not be read */
            dropped.identity = vf_event_identity(&event);
    }
    return dropped;
}

static enum vf_code list_decisions(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                                   struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                                   struct vf_error *error)
{
    (void)store;
    (void)error;
    size_t count = view.generation != 1 || first >= COUNT ? 0 : COUNT - first < most ? COUNT - first : most;
    *ret_dropped = vf_arena_calloc(arena, count, sizeof **ret_dropped);
    for (size_t i = 0; i < count; i++)
        (*ret_dropped)[i] = decision(first + i, arena);
    *ret_count = count;
    return VF_OK;
}

static const struct vf_store_type type = {.dropped = list_decisions};

static void decisions_are_found_and_take_little_memory(void **state)
{
    (void)state;
    struct vf_drops *drops = vf_drops_new();
    struct vf_arena *arena = vf_arena_new();
    struct vf_error error;
    bool unread;
    size_t before = mallinfo2().uordblks;
    assert_int_equal(vf_drops_load(drops, &type, NULL, (struct vf_view){"v", 2}, &error), VF_OK);
    /* A sanitizer's heap says nothing here. */
    assert_in_range(mallinfo2().uordblks - before, 0, COUNT * 100);
    for (size_t i = 0; i < COUNT; i++) {
        struct vf_dropped dropped = decision(i, arena);
        if (!dropped.partition.topic) {
            assert_int_equal(vf_drops_pass(drops, dropped.aggregate, 5), 9);
            assert_int_equal(vf_drops_pass(drops, dropped.aggregate, 8), 9);
            assert_int_equal(vf_drops_pass(drops, dropped.aggregate, 4), 4);
            assert_int_equal(vf_drops_pass(drops, dropped.aggregate, 9), 9);
            continue;
        }
        struct vf_record record = {.topic = dropped.partition.topic,
                                   .partition = dropped.partition.partition,
                                   .offset = dropped.offset,
                                   .timestamp_ms = dropped.timestamp_ms};
        assert_true(vf_drops_has(drops, &record, dropped.aggregate, &unread));
        assert_int_equal(unread, dropped.identity == 0);
        assert_false(vf_drops_has(drops, &record, VF_LITERAL("order/another"), &unread));
        assert_false(vf_drops_has(drops, &record, (struct vf_bytes){0}, &unread));
        record.timestamp_ms++; /* of a log made anew */
        assert_false(vf_drops_has(drops, &record, dropped.aggregate, &unread));
        struct vf_event copy = event_of(dropped.aggregate, i);
        assert_int_equal(vf_drops_has_copy(drops, &copy), i % 3 == 1); /* the others have none */
        copy.version++;
        assert_false(vf_drops_has_copy(drops, &copy));
        vf_arena_reset(arena);
    }
    vf_arena_free(arena);
    vf_drops_free(drops);
}

static bool is_new(const struct vf_drops *drops, const struct vf_dropped *wanted)
{
    struct vf_error error;
    bool there;
    assert_int_equal(vf_drops_find_new(drops, &type, NULL, (struct vf_view){"v", 1}, wanted, &there, &error), VF_OK);
    return there;
}

/* An event (the last but one) and numbers (the last but two), far behind the first page. */
static void a_decision_is_told_from_others_until_it_is_known(void **state)
{
    (void)state;
    struct vf_drops *drops = vf_drops_new();
    struct vf_arena *arena = vf_arena_new();
    struct vf_error error;
    struct vf_dropped event = decision(COUNT - 2, arena), numbers = decision(COUNT - 3, arena), other = event;
    assert_true(is_new(drops, &event));
    assert_true(is_new(drops, &numbers));
    other.offset++;
    assert_false(is_new(drops, &other));
    other = event;
    other.dropped_ms++;
    assert_false(is_new(drops, &other));
    other = event;
    other.partition.topic = "others";
    assert_false(is_new(drops, &other));
    other = numbers;
    other.missing_from--;
    assert_false(is_new(drops, &other));
    other = numbers;
    other.aggregate = event.aggregate;
    assert_false(is_new(drops, &other));
    assert_int_equal(vf_drops_load(drops, &type, NULL, (struct vf_view){"v", 1}, &error), VF_OK);
    assert_false(is_new(drops, &event));
    vf_arena_free(arena);
    vf_drops_free(drops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_are_found_and_take_little_memory),
        cmocka_unit_test(a_decision_is_told_from_others_until_it_is_known),
    };
    return cmocka_run_group_tests_name("drops", tests, NULL, NULL);
}
