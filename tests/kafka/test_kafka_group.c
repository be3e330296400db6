/* The Kafka source against a real broker: rebalances, late and missing answers, expulsion, closing. */
#include "kafka_fixture.h"

#include <stdlib.h>

static const struct vf_source_type *const kafka = &vf_kafka_source_type;

/* A topic of two partitions with records 0..count-1 in each. */
static char *two_partitions(int count)
{
    char *topic = fixture_topic(2);
    fixture_produce(topic, 0, 0, count);
    fixture_produce(topic, 1, 0, count);
    return topic;
}

static bool has_partition(const struct member *member, int32_t partition)
{
    for (size_t i = 0; i < member->partition_count; i++)
        if (member->partitions[i] == partition)
            return true;
    return false;
}

static int64_t next_of(const struct member *member, int32_t partition)
{
    size_t count = member_count(member, VF_ROW_RECORD, partition);
    return count ? member_row(member, VF_ROW_RECORD, partition, count - 1)->offset + 1 : 0;
}

/* Polls both, in turn, answering revocations of both at once and assignments of the first at once. */
static void poll_both(struct member *first, struct member *second, const int64_t *offsets)
{
    member_poll(first);
    if (first->revoked_due)
        member_assign_none(first);
    if (first->assigned_due)
        member_assign(first, offsets);
    member_poll(second);
    if (second->revoked_due)
        member_assign_none(second);
}

/* Opens the first, which reads all; then the second joins and each has one partition. The second's answer is due. The
 * first reads again from `offsets`. */
static void open_two(struct member *first, struct member *second, const char *group, const char *topic,
                     const int64_t *offsets)
{
    member_open(first, group, topic, NULL, 0);
    POLL_UNTIL(first, first->assigned_due);
    assert_int_equal(first->partition_count, 2);
    member_assign(first, (int64_t[]){0, 0});
    POLL_UNTIL(first, member_count(first, VF_ROW_END, -1) >= 2);
    member_forget(first);
    member_open(second, group, topic, NULL, 0);
    int64_t begin = fixture_now_ms();
    while (!second->assigned_due || first->assignments < 2) {
        poll_both(first, second, offsets);
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    assert_int_equal(first->partition_count, 1);
    assert_int_equal(second->partition_count, 1);
    assert_true(has_partition(first, 0) != has_partition(second, 0));
    assert_false(first->lost);
}

/* docs/protocol.md: a member whose store is silent assigns an empty list, polls on, and assigns the real one when it can. The
 * others are not held up, nothing is lost, and offsets are exact. */
static void an_empty_answer_holds_nobody_up_and_the_real_one_comes_later(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    struct member first, second;
    open_two(&first, &second, group, topic, (int64_t[]){11, 11});
    int32_t mine = first.partitions[0], other = second.partitions[0];
    member_assign_none(&second);

    /* 3 s, longer than a session, in which the first reads to its end and the second nothing. */
    int64_t begin = fixture_now_ms();
    while (fixture_now_ms() - begin < 3000)
        poll_both(&first, &second, (int64_t[]){11, 11});
    assert_true(member_count(&first, VF_ROW_END, mine) > 0);
    member_expect_offsets(&first, mine, 11, 20);
    assert_int_equal(member_count(&first, VF_ROW_RECORD, other), 0);
    assert_int_equal(second.row_count, 0);
    assert_int_equal(second.assignments, 1);
    assert_int_equal(second.revocations, 0);
    assert_int_equal(first.assignments, 2);

    member_assign(&second, (int64_t[]){13, 13});
    POLL_UNTIL(&second, member_count(&second, VF_ROW_END, other) > 0);
    member_expect_offsets(&second, other, 13, 20);
    member_close(&first);
    member_close(&second);
    free(topic), free(group);
}

/* Asking the store may take seconds, in which the member does not poll. */
static void an_answer_may_come_seconds_after_the_rebalance(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    struct member first, second;
    open_two(&first, &second, group, topic, (int64_t[]){20, 20});
    int32_t other = second.partitions[0];
    POLL_UNTIL(&first, fixture_now_ms() < 0 || member_count(&first, VF_ROW_END, -1) > 0);
    int64_t begin = fixture_now_ms();
    POLL_UNTIL(&first, fixture_now_ms() - begin > 3000); /* the second answers nothing all the while */
    assert_int_equal(first.revocations, 1);
    member_assign(&second, (int64_t[]){5, 5});
    POLL_UNTIL(&second, member_count(&second, VF_ROW_END, other) > 0);
    member_expect_offsets(&second, other, 5, 20);
    assert_int_equal(second.revocations, 0);
    member_close(&first);
    member_close(&second);
    free(topic), free(group);
}

/* Rows that were gathered before a revocation are not handed out with it or after it. */
static void a_revocation_is_answered_before_the_others_go_on(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    struct member first, second;
    member_open(&first, group, topic, NULL, 0);
    POLL_UNTIL(&first, first.assigned_due);
    member_assign(&first, (int64_t[]){0, 0});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) == 2);
    member_open(&second, group, topic, NULL, 0);
    int64_t begin = fixture_now_ms();
    while (!first.revoked_due) {
        member_poll(&first);
        member_poll(&second);
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    assert_int_equal(first.partition_count, 2);
    assert_false(first.lost);
    member_forget(&first);
    fixture_produce(topic, 0, 20, 5);
    fixture_produce(topic, 1, 20, 5);

    /* While the first owes its answer, the second gets nothing, and the first no records. */
    for (int i = 0; i < 5; i++) {
        member_poll(&first);
        member_poll(&second);
    }
    assert_int_equal(second.assignments, 0);
    assert_int_equal(first.row_count, 0);
    struct vf_position wrong = {{topic, 0}, 0};
    uint64_t number;
    struct vf_error error;
    assert_int_equal(kafka->assign(first.source, &wrong, 1, &number, &error), VF_E_BUG);

    member_assign_none(&first);
    begin = fixture_now_ms();
    while (!second.assigned_due || first.assignments < 2) {
        poll_both(&first, &second, (int64_t[]){20, 20});
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    member_assign(&second, (int64_t[]){20, 20});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) > 0 && next_of(&first, first.partitions[0]) == 25);
    POLL_UNTIL(&second, member_count(&second, VF_ROW_END, -1) > 0);
    member_expect_offsets(&first, first.partitions[0], 20, 25);
    member_expect_offsets(&second, second.partitions[0], 20, 25);
    member_close(&first);
    member_close(&second);
    free(topic), free(group);
}

/* A third member joins while the second has not answered its assignment: the rebalance waits for the answer, then takes
 * its course. */
static void a_second_rebalance_begins_before_the_answer(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    struct member first, second;
    member_open(&first, group, topic, NULL, 0);
    POLL_UNTIL(&first, first.assigned_due);
    member_open(&second, group, topic, NULL, 0);
    /* The second's joining starts a rebalance that the first, which owes an answer, cannot take part in. */
    for (int i = 0; i < 20; i++)
        member_poll(&second);
    assert_int_equal(second.assignments, 0);
    member_assign(&first, (int64_t[]){3, 3});
    POLL_UNTIL(&first, first.revoked_due);
    assert_false(first.lost);
    member_forget(&first);
    member_assign_none(&first);
    int64_t begin = fixture_now_ms();
    while (!second.assigned_due || first.assignments < 2) {
        poll_both(&first, &second, (int64_t[]){7, 7});
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    member_assign(&second, (int64_t[]){9, 9});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) > 0);
    POLL_UNTIL(&second, member_count(&second, VF_ROW_END, -1) > 0);
    member_expect_offsets(&first, first.partitions[0], 7, 20);
    member_expect_offsets(&second, second.partitions[0], 9, 20);
    member_close(&first);
    member_close(&second);
    free(topic), free(group);
}

/* An assignment that poll has not said yet is answered, unknowingly, with the partitions of before. It is said all the
 * same, and its own answer counts. */
static void an_assign_of_the_old_partitions_meets_a_new_rebalance(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    struct member first, second;
    member_open(&first, group, topic, NULL, 0);
    POLL_UNTIL(&first, first.assigned_due);
    member_assign(&first, (int64_t[]){0, 0});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) == 2);
    const struct vf_position both[] = {{{topic, 0}, 4}, {{topic, 1}, 4}};
    struct vf_error error;

    /* The revocation is in librdkafka's queue; the first does not poll, and assigns what it had, from lower offsets. */
    member_open(&second, group, topic, NULL, 0);
    member_await_queued(&first, 1, &second);
    assert_int_equal(kafka->assign(first.source, both, 2, &first.assignment, &error), VF_OK);
    POLL_UNTIL(&first, first.revoked_due);
    member_assign_none(&first);

    /* The same with the assignment that follows. */
    member_await_queued(&first, 1, &second);
    assert_int_equal(kafka->assign(first.source, NULL, 0, &first.assignment, &error), VF_OK);
    POLL_UNTIL(&first, first.assigned_due);
    assert_int_equal(first.partition_count, 1);
    member_forget(&first);
    member_assign(&first, (int64_t[]){6, 6});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) > 0);
    member_expect_offsets(&first, first.partitions[0], 6, 20);
    POLL_UNTIL(&second, second.assigned_due);
    assert_int_equal(second.partition_count, 1);
    member_close(&first);
    member_close(&second);
    free(topic), free(group);
}

/* A worker that was away for longer than max.poll.interval.ms has been expelled: others read on, and it learns so with
 * its next poll, joins again, and reads from where it is told. */
static void who_does_not_poll_is_expelled_and_comes_back(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    const struct vf_source_property brief = {"max.poll.interval.ms", "2000"};
    struct member first, second;
    member_open(&first, group, topic, &brief, 1);
    POLL_UNTIL(&first, first.assigned_due);
    member_assign(&first, (int64_t[]){0, 0});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) == 2);
    fixture_produce(topic, 0, 20, 5);
    fixture_produce(topic, 1, 20, 5);

    /* The first does not poll any more; the second gets all that it had. */
    member_open(&second, group, topic, NULL, 0);
    POLL_UNTIL(&second, second.assigned_due && second.partition_count == 2);
    member_assign(&second, (int64_t[]){20, 20});
    POLL_UNTIL(&second, member_count(&second, VF_ROW_RECORD, -1) == 10);

    member_forget(&first);
    POLL_UNTIL(&first, first.revoked_due);
    assert_true(first.lost);
    assert_int_equal(first.partition_count, 2);
    size_t before = first.row_count;
    POLL_UNTIL(&first, first.row_count == before && first.faults == 0);
    member_assign_none(&first);
    member_forget(&first);
    int64_t begin = fixture_now_ms();
    while (first.assignments < 2 || second.assignments < 2) {
        poll_both(&first, &second, (int64_t[]){22, 22});
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    if (second.assigned_due)
        member_assign(&second, (int64_t[]){25, 25});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, first.partitions[0]) > 0);
    member_expect_offsets(&first, first.partitions[0], 22, 25);
    assert_int_equal(first.faults, 0);
    member_close(&first);
    member_close(&second);
    free(topic), free(group);
}

/* Closing ends, whatever is owed, and leaves the group: the next member has everything at once. */
static void closing_ends_whatever_answer_is_due(void **state)
{
    (void)state;
    char *topic = two_partitions(20), *group = fixture_name("group");
    const struct vf_source_property patient[] = {{"session.timeout.ms", "45000"}};
    struct member first, second;

    /* An assignment that was not answered. */
    member_open(&first, group, topic, patient, 1);
    POLL_UNTIL(&first, first.assigned_due);
    member_close(&first);

    /* An assignment that was not even seen. */
    member_open(&first, group, topic, patient, 1);
    member_await_queued(&first, 1, NULL);
    member_close(&first);

    /* A revocation that was not seen, with records waiting. */
    member_open(&first, group, topic, patient, 1);
    POLL_UNTIL(&first, first.assigned_due);
    member_assign(&first, (int64_t[]){20, 20});
    POLL_UNTIL(&first, member_count(&first, VF_ROW_END, -1) == 2);
    member_open(&second, group, topic, patient, 1);
    member_await_queued(&first, 1, &second);
    member_close(&first);
    POLL_UNTIL(&second, second.assigned_due);
    assert_int_equal(second.partition_count, 2);
    member_assign(&second, (int64_t[]){0, 0});

    /* A revocation that was seen and not answered. */
    member_open(&first, group, topic, patient, 1);
    int64_t begin = fixture_now_ms();
    while (!second.revoked_due) {
        member_poll(&first);
        member_poll(&second);
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    member_close(&second);
    POLL_UNTIL(&first, first.assigned_due);
    assert_int_equal(first.partition_count, 2);

    /* In the middle of everything that was fetched. */
    member_assign(&first, (int64_t[]){0, 0});
    member_await_queued(&first, 40, NULL);
    member_close(&first);
    free(topic), free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_answer_holds_nobody_up_and_the_real_one_comes_later),
        cmocka_unit_test(an_answer_may_come_seconds_after_the_rebalance),
        cmocka_unit_test(a_revocation_is_answered_before_the_others_go_on),
        cmocka_unit_test(a_second_rebalance_begins_before_the_answer),
        cmocka_unit_test(an_assign_of_the_old_partitions_meets_a_new_rebalance),
        cmocka_unit_test(who_does_not_poll_is_expelled_and_comes_back),
        cmocka_unit_test(closing_ends_whatever_answer_is_due),
    };
    return cmocka_run_group_tests_name("kafka group", tests, NULL, NULL);
}
