/* The memory source: what its records, deliveries, rebalances and zombies look like to a member. */
#include "connectors/memory/memory_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MEMBERS = 3 };

static const struct vf_source_type *const type = &vf_memory_source_type;
static const char group[] = "g1";

struct place {
    struct vf_memory_log *log;
    struct vf_source *members[MEMBERS];
    struct vf_error error;
};

static struct vf_source *join(struct place *place, const char *instance)
{
    static const char *const topics[] = {"orders", "customers"};
    struct vf_source_config config = {.brokers = vf_memory_log_brokers(place->log),
                                      .group = group,
                                      .instance = instance,
                                      .topics = topics,
                                      .topic_count = 2};
    struct vf_source *source = NULL;
    assert_int_equal(type->open(&config, &source, &place->error), VF_OK);
    return source;
}

static int setup(void **state)
{
    static struct place place;
    place = (struct place){.log = vf_memory_log_new(42)};
    vf_memory_log_add_topic(place.log, "orders", 3);
    vf_memory_log_add_topic(place.log, "customers", 2);
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < MEMBERS; i++)
        type->close(place->members[i]);
    vf_memory_log_free(place->log);
    return 0;
}

static struct vf_polled *poll(struct vf_source *source)
{
    const struct vf_poll_limits limits = {.rows_max = 1000, .bytes_max = 1 << 20};
    struct vf_polled *polled = NULL;
    struct vf_error error;
    assert_int_equal(type->poll(source, &limits, &polled, &error), VF_OK);
    return polled;
}

static void expect(struct vf_source *source, enum vf_happening happening)
{
    struct vf_polled *polled = poll(source);
    enum vf_happening happened = polled->happening;
    type->release(source, polled);
    assert_int_equal(happened, happening);
}

static int64_t append(struct place *place, struct vf_partition at, const char *value)
{
    return vf_memory_log_append(place->log, at, VF_LITERAL("key"), vf_bytes_from(value), 1000);
}

static uint64_t assign_one(struct vf_source *source, struct vf_partition at, int64_t offset)
{
    struct vf_position position = {at, offset};
    uint64_t assignment = 0;
    struct vf_error error;
    assert_int_equal(type->assign(source, &position, 1, &assignment, &error), VF_OK);
    return assignment;
}

/* What the next rows are, as text: "0 1 2 end3". */
static void expect_rows(struct vf_source *source, const char *wanted)
{
    char seen[512] = "";
    struct vf_polled *polled = poll(source);
    for (size_t i = 0; i < polled->row_count; i++) {
        const struct vf_record *row = &polled->rows[i];
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof(seen) - used, "%s%s%lld", i ? " " : "",
                 row->row == VF_ROW_END            ? "end"
                 : row->row == VF_ROW_OUT_OF_RANGE ? "out"
                                                   : "",
                 (long long)row->offset);
    }
    type->release(source, polled);
    assert_string_equal(seen, wanted);
}

static const struct vf_partition orders_0 = {"orders", 0}, orders_1 = {"orders", 1}, customers_1 = {"customers", 1};

static void records_come_in_order_and_then_the_end(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    for (int i = 0; i < 3; i++)
        append(place, orders_0, "x");
    assign_one(source, orders_0, 0);
    expect_rows(source, "0 1 2 end3");
    expect_rows(source, "");
    append(place, orders_0, "x");
    expect_rows(source, "3 end4");
    assign_one(source, orders_0, 4);
    expect_rows(source, "end4"); /* of the present assignment */
    assign_one(source, orders_0, VF_OFFSET_BEGINNING);
    expect_rows(source, "0 1 2 3 end4");
}

static void holes_are_passed_over_and_the_end_lies_behind_them(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    append(place, orders_0, "x");
    vf_memory_log_leave_hole(place->log, orders_0, 5);
    append(place, orders_0, "x");
    vf_memory_log_leave_hole(place->log, orders_0, 2);
    assign_one(source, orders_0, 0);
    expect_rows(source, "0 6 end9");
    vf_memory_log_leave_hole(place->log, orders_0, 1);
    expect_rows(source, "end10");
    vf_memory_log_trim(place->log, orders_0, 10); /* the position is the end, so nothing is missing */
    expect_rows(source, "");
    append(place, orders_0, "x");
    expect_rows(source, "10 end11");
    vf_memory_log_leave_hole(place->log, orders_0, 5);
    append(place, orders_0, "x");
    assign_one(source, orders_0, 13); /* inside a hole */
    expect_rows(source, "16 end17");
}

static void what_the_log_does_not_hold_is_out_of_range_once(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    for (int i = 0; i < 5; i++)
        append(place, orders_0, "x");
    vf_memory_log_trim(place->log, orders_0, 3);
    assign_one(source, orders_0, 2);
    expect_rows(source, "out2");
    expect_rows(source, "");
    assign_one(source, orders_0, 6);
    expect_rows(source, "out6");
    assign_one(source, orders_0, 5);
    expect_rows(source, "end5");
    assign_one(source, orders_0, VF_OFFSET_BEGINNING);
    expect_rows(source, "3 4 end5");
    vf_memory_log_recreate(place->log, "orders");
    expect_rows(source, "out5");
    int64_t low, high;
    assert_int_equal(type->watermarks(source, orders_0, &low, &high, &place->error), VF_OK);
    assert_int_equal(low, 0);
    assert_int_equal(high, 0);
}

static void a_row_has_all_of_its_record(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    vf_memory_log_append(place->log, orders_1, VF_LITERAL("k\0k"), VF_LITERAL("value"), 77);
    vf_memory_log_append(place->log, orders_1, (struct vf_bytes){NULL, 0}, (struct vf_bytes){NULL, 0}, -1);
    vf_memory_log_append(place->log, orders_1, VF_LITERAL(""), VF_LITERAL(""), 0);
    uint64_t assignment = assign_one(source, orders_1, 0);
    struct vf_polled *polled = poll(source);
    const struct vf_record *row = polled->rows;
    assert_int_equal(polled->row_count, 4);
    assert_int_equal(polled->bytes, 8);
    assert_string_equal(row[0].topic, "orders");
    assert_int_equal(row[0].partition, 1);
    assert_true(row[0].assignment == assignment);
    assert_int_equal(row[0].timestamp_ms, 77);
    assert_true(vf_bytes_equal(row[0].key, VF_LITERAL("k\0k")));
    assert_true(vf_bytes_equal(row[0].value, VF_LITERAL("value")));
    assert_false(row[0].key_is_null || row[0].value_is_null);
    assert_true(row[1].key_is_null && row[1].value_is_null);
    assert_false(row[2].key_is_null || row[2].value_is_null);
    type->release(source, polled);
    type->release(source, NULL);
}

static void random_cuts_lose_and_reorder_nothing(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    const struct vf_partition partitions[] = {orders_0, orders_1, customers_1};
    struct vf_position positions[3];
    int64_t next[3] = {0, 0, 0};
    for (int p = 0; p < 3; p++) {
        positions[p] = (struct vf_position){partitions[p], 0};
        for (int i = 0; i < 40; i++)
            append(place, partitions[p], "x");
    }
    uint64_t assignment;
    assert_int_equal(type->assign(source, positions, 3, &assignment, &place->error), VF_OK);
    vf_memory_log_set_rows_max(place->log, 5);
    int ends = 0, polls = 0, mixed = 0;
    size_t rows;
    do {
        struct vf_polled *polled = poll(source);
        rows = polled->row_count;
        assert_in_range(rows, 0, 5);
        polls++;
        for (size_t i = 0; i < rows; i++) {
            const struct vf_record *row = &polled->rows[i];
            int p = row->topic[0] == 'c' ? 2 : row->partition;
            assert_int_equal(row->offset, next[p]);
            next[p] += row->row == VF_ROW_RECORD;
            ends += row->row == VF_ROW_END;
            mixed += i > 0 && strcmp(row->topic, polled->rows[i - 1].topic) != 0;
        }
        type->release(source, polled);
    } while (rows > 0);
    assert_int_equal(ends, 3);
    for (int p = 0; p < 3; p++)
        assert_int_equal(next[p], 40);
    assert_in_range(polls, 30, 120);
    assert_true(mixed > 5);
}

/* ---- groups ---- */

/* Polls VF_ASSIGNED; which partitions, as bits: orders 0-2 are 1, 2, 4, customers 0-1 are 8, 16. Assigns none of them. */
static unsigned take_share(struct vf_source *source)
{
    struct vf_polled *polled = poll(source);
    unsigned share = 0;
    assert_int_equal(polled->happening, VF_ASSIGNED);
    for (size_t i = 0; i < polled->partition_count; i++) {
        int bit = polled->partitions[i].partition + (polled->partitions[i].topic[0] == 'c' ? 3 : 0);
        share |= 1u << bit;
    }
    type->release(source, polled);
    return share;
}

static void members_share_all_partitions_and_lose_them_first(void **state)
{
    struct place *place = *state;
    place->members[0] = join(place, "a");
    expect(place->members[0], VF_NOTHING);
    assert_true(vf_memory_log_wants_rebalance(place->log, group));
    vf_memory_log_rebalance(place->log, group);
    assert_false(vf_memory_log_wants_rebalance(place->log, group));
    assert_int_equal(take_share(place->members[0]), 31);
    append(place, orders_0, "x");
    expect(place->members[0], VF_NOTHING); /* nothing is read until it assigns */
    assign_one(place->members[0], orders_0, 0);
    expect_rows(place->members[0], "0 end1");

    place->members[1] = join(place, "b");
    place->members[2] = join(place, "c");
    append(place, orders_0, "x");
    expect_rows(place->members[0], "1 end2"); /* joining alone changes nothing */
    unsigned before = 0;
    for (int round = 0; round < 4; round++) {
        append(place, orders_0, "x");
        vf_memory_log_rebalance(place->log, group);
        unsigned all = 0, first = 0;
        for (int i = 0; i < MEMBERS; i++) {
            if (i == 0 || round > 0)
                expect(place->members[i], VF_REVOKED);
            unsigned share = take_share(place->members[i]);
            assert_int_equal(all & share, 0);
            all |= share;
            first = i ? first : share;
        }
        assert_int_equal(all, 31);
        assert_true(first != before); /* they move */
        before = first;
        expect(place->members[0], VF_NOTHING);
    }
}

static void two_rebalances_before_a_poll_are_one(void **state)
{
    struct place *place = *state;
    place->members[0] = join(place, "a");
    vf_memory_log_rebalance(place->log, group);
    vf_memory_log_rebalance(place->log, group);
    assert_int_equal(take_share(place->members[0]), 31); /* it had nothing to lose */
    place->members[1] = join(place, "b");
    vf_memory_log_rebalance(place->log, group);
    vf_memory_log_rebalance(place->log, group);
    struct vf_polled *polled = poll(place->members[0]);
    enum vf_happening happened = polled->happening;
    size_t count = polled->partition_count;
    bool lost = polled->lost;
    type->release(place->members[0], polled);
    assert_int_equal(happened, VF_REVOKED);
    assert_int_equal(count, 5); /* what it had been told */
    assert_false(lost);
    assert_int_equal(take_share(place->members[0]) | take_share(place->members[1]), 31);
    expect(place->members[0], VF_NOTHING);
}

static void a_zombie_reads_on_and_commits_nothing(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 2; i++)
        place->members[i] = join(place, i ? "b" : "a");
    struct vf_source *zombie = place->members[0], *other = place->members[1];
    vf_memory_log_rebalance(place->log, group);
    take_share(zombie);
    take_share(other);
    assign_one(zombie, orders_0, 0);
    struct vf_position position = {orders_0, 1};
    assert_int_equal(type->commit(zombie, &position, 1, true, &place->error), VF_OK);
    assert_int_equal(vf_memory_log_committed(place->log, group, orders_0), 1);

    vf_memory_log_set_zombie(place->log, group, "a", true);
    assert_true(vf_memory_log_wants_rebalance(place->log, group));
    vf_memory_log_rebalance(place->log, group);
    expect(other, VF_REVOKED);
    assert_int_equal(take_share(other), 31);
    append(place, orders_0, "x");
    expect_rows(zombie, "0 end1");
    position.offset = 9;
    assert_int_equal(type->commit(zombie, &position, 1, true, &place->error), VF_E_UNAVAILABLE);
    assert_int_equal(vf_memory_log_committed(place->log, group, orders_0), 1);

    vf_memory_log_set_zombie(place->log, group, "a", false);
    append(place, orders_0, "x");
    struct vf_polled *polled = poll(zombie);
    enum vf_happening happened = polled->happening;
    bool lost = polled->lost;
    type->release(zombie, polled);
    assert_int_equal(happened, VF_REVOKED);
    assert_true(lost);
    expect(zombie, VF_NOTHING);
    vf_memory_log_rebalance(place->log, group);
    expect(other, VF_REVOKED);
    unsigned share = take_share(zombie);
    assert_true(share != 0);
    assert_int_equal(share | take_share(other), 31);
}

static void a_zombie_that_comes_back_in_time_has_lost_nothing(void **state)
{
    struct place *place = *state;
    place->members[0] = join(place, "a");
    vf_memory_log_rebalance(place->log, group);
    take_share(place->members[0]);
    assign_one(place->members[0], orders_0, 0);
    vf_memory_log_set_zombie(place->log, group, "a", true);
    vf_memory_log_set_zombie(place->log, group, "a", false);
    append(place, orders_0, "x");
    expect_rows(place->members[0], "0 end1");
    struct vf_position position = {orders_0, 1};
    assert_int_equal(type->commit(place->members[0], &position, 1, false, &place->error), VF_OK);
}

static void a_zombie_does_not_learn_what_was_on_its_way(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    vf_memory_log_rebalance(place->log, group);
    take_share(source);
    assign_one(source, orders_0, 0);
    vf_memory_log_rebalance(place->log, group);
    vf_memory_log_set_zombie(place->log, group, "a", true); /* before it polled */
    append(place, orders_0, "x");
    expect_rows(source, "0 end1");
    vf_memory_log_set_zombie(place->log, group, "a", false);
    expect(source, VF_REVOKED);
    assert_int_equal(take_share(source), 31);
}

static void who_leaves_is_left_out(void **state)
{
    struct place *place = *state;
    place->members[0] = join(place, "a");
    place->members[1] = join(place, "b");
    vf_memory_log_rebalance(place->log, group);
    take_share(place->members[0]);
    take_share(place->members[1]);
    type->close(place->members[0]);
    place->members[0] = NULL;
    assert_true(vf_memory_log_wants_rebalance(place->log, group));
    expect(place->members[1], VF_NOTHING);
    vf_memory_log_rebalance(place->log, group);
    expect(place->members[1], VF_REVOKED);
    assert_int_equal(take_share(place->members[1]), 31);
}

static void committed_offsets_outlive_their_members(void **state)
{
    struct place *place = *state;
    struct vf_position positions[] = {{orders_0, 7}, {customers_1, 8}};
    place->members[0] = join(place, "a");
    vf_memory_log_rebalance(place->log, group);
    take_share(place->members[0]);
    assert_int_equal(type->commit(place->members[0], positions, 2, true, &place->error), VF_OK);
    type->close(place->members[0]);
    place->members[0] = join(place, "a");
    struct vf_position asked[] = {{customers_1, 0}, {orders_1, 0}, {orders_0, 0}};
    assert_int_equal(type->committed(place->members[0], asked, 3, &place->error), VF_OK);
    assert_int_equal(asked[0].offset, 8);
    assert_int_equal(asked[1].offset, -1);
    assert_int_equal(asked[2].offset, 7);
    vf_memory_log_set_committed(place->log, group, orders_0, 3);
    assert_int_equal(vf_memory_log_committed(place->log, group, orders_0), 3);
    assert_int_equal(vf_memory_log_committed(place->log, "another", orders_0), -1);
}

static void rows_from_before_an_assign_carry_the_older_number(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    for (int i = 0; i < 20; i++)
        append(place, orders_0, "x");
    vf_memory_log_set_stale(place->log, 1000);
    uint64_t first = assign_one(source, orders_0, 10), second = assign_one(source, orders_0, 0);
    assert_true(second > first);
    struct vf_polled *polled = poll(source);
    size_t stale = 0;
    while (stale < polled->row_count && polled->rows[stale].assignment == first)
        stale++;
    assert_in_range(stale, 1, 4);
    assert_int_equal(polled->rows[0].offset, 10);
    for (size_t i = stale; i < polled->row_count; i++)
        assert_true(polled->rows[i].assignment == second);
    assert_int_equal(polled->rows[stale].offset, 0);
    assert_int_equal(polled->row_count - stale, 21);
    type->release(source, polled);
}

static void who_only_looks_is_told_what_opening_would_tell(void **state)
{
    struct place *place = *state;
    const char *topics[] = {"orders", "none"};
    struct vf_source_config config = {
        .brokers = vf_memory_log_brokers(place->log), .group = "looked", .topics = topics, .topic_count = 1};
    assert_int_equal(type->look(&config, &place->error), VF_OK);
    config.topic_count = 2;
    assert_int_equal(type->look(&config, &place->error), VF_E_NOT_FOUND);
    assert_string_equal(place->error.text, "memory log: there is no topic none");
    vf_memory_log_fail_call(place->log, 1);
    assert_int_equal(type->look(&config, &place->error), VF_E_UNAVAILABLE);
}

static void the_nth_call_fails(void **state)
{
    struct place *place = *state;
    struct vf_source *source = place->members[0] = join(place, "a");
    struct vf_polled *polled;
    const struct vf_poll_limits limits = {.rows_max = 1, .bytes_max = 1};
    int32_t count;
    vf_memory_log_fail_call(place->log, 2);
    assert_int_equal(type->partition_count(source, "orders", &count, &place->error), VF_OK);
    assert_int_equal(count, 3);
    assert_int_equal(type->poll(source, &limits, &polled, &place->error), VF_E_UNAVAILABLE);
    assert_true(place->error.retriable);
    expect(source, VF_NOTHING);
    vf_memory_log_add_topic(place->log, "orders", 5);
    assert_int_equal(type->partition_count(source, "orders", &count, &place->error), VF_OK);
    assert_int_equal(count, 5);
    assert_int_equal(type->partition_count(source, "none", &count, &place->error), VF_E_NOT_FOUND);
}

static void a_seed_repeats_its_deliveries(void **state)
{
    (void)state;
    char seen[3][600] = {"", "", ""};
    for (int run = 0; run < 3; run++) {
        struct place place = {.log = vf_memory_log_new(run == 2 ? 8 : 7)};
        vf_memory_log_add_topic(place.log, "orders", 2);
        vf_memory_log_add_topic(place.log, "customers", 1);
        for (int i = 0; i < 40; i++)
            append(&place, i % 2 ? orders_0 : orders_1, "x");
        vf_memory_log_set_rows_max(place.log, 7);
        struct vf_source *source = join(&place, "a");
        struct vf_position positions[] = {{orders_0, 0}, {orders_1, 0}};
        uint64_t assignment;
        assert_int_equal(type->assign(source, positions, 2, &assignment, &place.error), VF_OK);
        for (int i = 0; i < 30; i++) {
            struct vf_polled *polled = poll(source);
            for (size_t r = 0; r < polled->row_count; r++)
                sprintf(seen[run] + strlen(seen[run]), "%d:%lld ", polled->rows[r].partition,
                        (long long)polled->rows[r].offset);
            strcat(seen[run], "| ");
            type->release(source, polled);
        }
        type->close(source);
        vf_memory_log_free(place.log);
    }
    assert_string_equal(seen[0], seen[1]);
    assert_string_not_equal(seen[0], seen[2]);
}

#define SOURCE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE_TEST(records_come_in_order_and_then_the_end),
        SOURCE_TEST(holes_are_passed_over_and_the_end_lies_behind_them),
        SOURCE_TEST(what_the_log_does_not_hold_is_out_of_range_once),
        SOURCE_TEST(a_row_has_all_of_its_record),
        SOURCE_TEST(random_cuts_lose_and_reorder_nothing),
        SOURCE_TEST(members_share_all_partitions_and_lose_them_first),
        SOURCE_TEST(two_rebalances_before_a_poll_are_one),
        SOURCE_TEST(a_zombie_reads_on_and_commits_nothing),
        SOURCE_TEST(a_zombie_that_comes_back_in_time_has_lost_nothing),
        SOURCE_TEST(a_zombie_does_not_learn_what_was_on_its_way),
        SOURCE_TEST(who_leaves_is_left_out),
        SOURCE_TEST(committed_offsets_outlive_their_members),
        SOURCE_TEST(rows_from_before_an_assign_carry_the_older_number),
        SOURCE_TEST(who_only_looks_is_told_what_opening_would_tell),
        SOURCE_TEST(the_nth_call_fails),
        cmocka_unit_test(a_seed_repeats_its_deliveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
