/* The Kafka source against a real broker: what one member reads, from where, and what it says of a log's ends. */
#include "connectors/kafka/kafka_admin.h"
#include "kafka_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static const struct vf_source_type *const kafka = &vf_kafka_source_type;

static void an_assignment_comes_before_any_record(void **state)
{
    (void)state;
    char *topic = fixture_topic(2), *group = fixture_name("group");
    fixture_produce(topic, 0, 0, 5);
    fixture_produce(topic, 1, 0, 5);
    struct member member;
    member_open(&member, group, topic, NULL, 0);
    POLL_UNTIL(&member, member.assigned_due);
    assert_int_equal(member.row_count, 0);
    assert_int_equal(member.partition_count, 2);
    /* A member without partitions reads nothing, and stays a member. */
    member_assign_none(&member);
    for (int i = 0; i < 5; i++)
        member_poll(&member);
    assert_int_equal(member.row_count, 0);
    assert_int_equal(member.revocations, 0);
    member_close(&member);
    free(topic), free(group);
}

static void reading_begins_at_exactly_the_offsets_given(void **state)
{
    (void)state;
    char *topic = fixture_topic(2), *group = fixture_name("group");
    fixture_produce(topic, 0, 0, 10);
    fixture_produce(topic, 1, 100, 4);
    struct member member;
    member_open(&member, group, topic, NULL, 0);
    POLL_UNTIL(&member, member.assigned_due);
    member_assign(&member, (int64_t[]){7, VF_OFFSET_BEGINNING});
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, -1) == 2);
    member_expect_offsets(&member, 0, 7, 10);
    member_expect_offsets(&member, 1, 0, 4);
    assert_int_equal(member_row(&member, VF_ROW_RECORD, 0, 0)->value, 7);
    assert_int_equal(member_row(&member, VF_ROW_RECORD, 1, 3)->value, 103);
    for (size_t i = 0; i < member.row_count; i++)
        assert_int_equal(member.rows[i].assignment, member.assignment);
    member_close(&member);
    free(topic), free(group);
}

static void the_end_comes_after_the_records_and_again_after_more(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 3);
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) == 1);
    assert_int_equal(member.row_count, 4);
    assert_int_equal(member.rows[3].kind, VF_ROW_END);
    assert_int_equal(member.rows[3].offset, 3);
    fixture_produce(topic, 0, 3, 2);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) >= 2 &&
                            member_row(&member, VF_ROW_END, 0, member_count(&member, VF_ROW_END, 0) - 1)->offset == 5);
    member_expect_offsets(&member, 0, 0, 5);
    member_close(&member);
    free(topic);
}

static void an_empty_partition_has_its_end_at_once(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    POLL_UNTIL(&member, member.row_count > 0);
    assert_int_equal(member.rows[0].kind, VF_ROW_END);
    assert_int_equal(member.rows[0].offset, 0);
    member_close(&member);
    free(topic);
}

/* Progress relies on it: the end of a partition that ends with transaction markers, or with an aborted transaction, is
 * behind them, equal to the high watermark, though no record with the offsets before it was ever handed out. */
static void the_end_is_behind_transaction_markers(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce_transaction(topic, 0, 0, 3, true); /* 0 1 2, marker 3 */
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) == 1);
    member_expect_offsets(&member, 0, 0, 3);
    assert_int_equal(member_row(&member, VF_ROW_END, 0, 0)->offset, 4);

    fixture_produce_transaction(topic, 0, 90, 3, false); /* 4 5 6, marker 7 */
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) >= 2 &&
                            member_row(&member, VF_ROW_END, 0, member_count(&member, VF_ROW_END, 0) - 1)->offset == 8);
    member_expect_offsets(&member, 0, 0, 3);
    int64_t low, high;
    struct vf_error error;
    assert_int_equal(kafka->watermarks(member.source, (struct vf_partition){topic, 0}, &low, &high, &error), VF_OK);
    assert_int_equal(low, 0);
    assert_int_equal(high, 8);

    fixture_produce(topic, 0, 3, 1); /* 8 */
    POLL_UNTIL(&member, member_count(&member, VF_ROW_RECORD, 0) == 4);
    assert_int_equal(member_row(&member, VF_ROW_RECORD, 0, 3)->offset, 8);
    assert_int_equal(member_row(&member, VF_ROW_RECORD, 0, 3)->value, 3);
    member_close(&member);

    /* One who begins in the aborted part gets the same end. */
    member_open_at(&member, topic, 5);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) == 1);
    member_expect_offsets(&member, 0, 8, 9);
    assert_int_equal(member_row(&member, VF_ROW_END, 0, 0)->offset, 9);
    member_close(&member);
    free(topic);
}

static void an_open_transaction_is_the_end_until_it_is_ended(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 2);
    struct fixture_transaction *transaction = fixture_transaction_begin(topic, 0, 2, 3);
    fixture_produce(topic, 0, 5, 2); /* 5 6: behind the open one, so not to be seen yet */
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) == 1);
    member_expect_offsets(&member, 0, 0, 2);
    assert_int_equal(member_row(&member, VF_ROW_END, 0, 0)->offset, 2);
    int64_t low, high;
    struct vf_error error;
    assert_int_equal(kafka->watermarks(member.source, (struct vf_partition){topic, 0}, &low, &high, &error), VF_OK);
    assert_int_equal(high, 2);
    fixture_transaction_end(transaction, true);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_RECORD, 0) == 7);
    member_expect_offsets(&member, 0, 0, 7);
    POLL_UNTIL(&member, member_row(&member, VF_ROW_END, 0, member_count(&member, VF_ROW_END, 0) - 1)->offset == 8);
    member_close(&member);
    free(topic);
}

static void a_position_beyond_the_end_is_said_not_jumped_over(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 10);
    struct member member;
    member_open_at(&member, topic, 100);
    POLL_UNTIL(&member, member.row_count > 0);
    assert_int_equal(member.row_count, 1);
    assert_int_equal(member.rows[0].kind, VF_ROW_OUT_OF_RANGE);
    assert_int_equal(member.rows[0].partition, 0);
    assert_int_equal(member.rows[0].offset, 100);
    assert_int_equal(member.rows[0].assignment, member.assignment);
    /* It stays there: nothing is read until it is assigned anew. */
    fixture_produce(topic, 0, 10, 1);
    for (int i = 0; i < 5; i++)
        member_poll(&member);
    assert_int_equal(member_count(&member, VF_ROW_RECORD, 0), 0);
    member_forget(&member);
    member_assign_one(&member, 0, 8);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_RECORD, 0) == 3);
    member_expect_offsets(&member, 0, 8, 11);
    assert_int_equal(member_count(&member, VF_ROW_OUT_OF_RANGE, 0), 0);
    member_close(&member);
    free(topic);
}

static void a_position_before_the_beginning_is_said_not_jumped_over(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 10);
    fixture_delete_before(topic, 0, 5);
    struct member member;
    member_open_at(&member, topic, 2);
    POLL_UNTIL(&member, member.row_count > 0);
    assert_int_equal(member.row_count, 1);
    assert_int_equal(member.rows[0].kind, VF_ROW_OUT_OF_RANGE);
    assert_int_equal(member.rows[0].offset, 2);
    int64_t low, high;
    struct vf_error error;
    assert_int_equal(kafka->watermarks(member.source, (struct vf_partition){topic, 0}, &low, &high, &error), VF_OK);
    assert_int_equal(low, 5);
    assert_int_equal(high, 10);
    member_forget(&member);
    member_assign_one(&member, 0, VF_OFFSET_BEGINNING);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) > 0);
    member_expect_offsets(&member, 0, 5, 10);
    member_close(&member);
    free(topic);
}

/* librdkafka's AUTO_OFFSET_RESET errors carry no version, so one of the assignment before arrives after the new one. */
static void an_out_of_range_of_an_older_assignment_is_dropped(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 10);
    struct member member;
    member_open_at(&member, topic, 100);
    member_await_queued(&member, 1, NULL);
    member_assign_one(&member, 0, 3);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) > 0);
    assert_int_equal(member_count(&member, VF_ROW_OUT_OF_RANGE, 0), 0);
    member_expect_offsets(&member, 0, 3, 10);

    /* And where nothing is assigned any more. */
    member_assign_one(&member, 0, 100);
    member_await_queued(&member, 1, NULL);
    member_assign_none(&member);
    member_forget(&member);
    for (int i = 0; i < 5; i++)
        member_poll(&member);
    assert_int_equal(member.row_count, 0);
    member_close(&member);
    free(topic);
}

/* librdkafka takes such an error out of its queue itself, but only from the head: here another partition's records lie before
 * it, so that it arrives. */
static void nor_does_one_count_that_comes_behind_other_records(void **state)
{
    (void)state;
    char *topic = fixture_topic(2), *group = fixture_name("group");
    fixture_produce(topic, 0, 0, 10);
    fixture_produce(topic, 1, 0, 10);
    for (int32_t other = 0; other < 2;
         other++) { /* which of the two comes first in a response is the broker's choice */
        struct member member;
        member_open(&member, group, topic, NULL, 0);
        POLL_UNTIL(&member, member.assigned_due);
        int64_t offsets[2] = {100, 100};
        offsets[other] = 0;
        member_assign(&member, offsets);
        member_await_queued(&member, 12, NULL); /* ten records, their end, and the error */
        member_assign_one(&member, 1 - other, 3);
        POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 1 - other) > 0);
        assert_int_equal(member_count(&member, VF_ROW_OUT_OF_RANGE, -1), 0);
        member_expect_offsets(&member, 1 - other, 3, 10);
        member_close(&member);
    }
    free(group);
    free(topic);
}

static void assigning_again_drops_what_was_fetched_before(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 500);
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    POLL_UNTIL(&member, member.row_count > 0);
    uint64_t before = member.assignment;
    assert_int_equal(member.rows[0].assignment, before);
    assert_true(member_queued(&member) > 0);
    member_forget(&member);
    member_assign_one(&member, 0, 250);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) > 0);
    member_expect_offsets(&member, 0, 250, 500);
    for (size_t i = 0; i < member.row_count; i++)
        assert_int_equal(member.rows[i].assignment, before + 1);
    /* Back again, and the end is said again. */
    member_forget(&member);
    member_assign_one(&member, 0, 490);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) > 0);
    member_expect_offsets(&member, 0, 490, 500);
    member_close(&member);
    free(topic);
}

/* librdkafka's fetchers stop in the background; one that was told twice to stop ended the process in an assertion
 * (rdkafka_assignment.c, rktp_started), on a machine where a rebalance followed an assign within a millisecond. */
static void assigning_again_and_again_at_once_is_fine(void **state)
{
    (void)state;
    enum { PARTITIONS = 8 };
    char *topic = fixture_topic(PARTITIONS), *group = fixture_name("group");
    struct vf_position positions[PARTITIONS];
    for (int i = 0; i < PARTITIONS; i++) {
        fixture_produce(topic, i, 0, 20);
        positions[i] = (struct vf_position){{topic, i}, 3};
    }
    struct member member;
    member_open(&member, group, topic, NULL, 0);
    POLL_UNTIL(&member, member.assigned_due);
    member_assign(&member, (int64_t[PARTITIONS]){0});
    struct vf_error error;
    for (int i = 0; i < 300; i++) {
        size_t count = i % 5 == 0 ? 0 : PARTITIONS;
        if (kafka->assign(member.source, positions, count, &member.assignment, &error) != VF_OK)
            fail_msg("%s", error.text);
    }
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, -1) == PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        member_expect_offsets(&member, i, 3, 20);
    member_close(&member);
    free(topic), free(group);
}

static void several_polls_live_at_once_and_keep_to_their_limits(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 1000, 50); /* four bytes each, as key and as value */
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    struct vf_polled *polled[3] = {NULL};
    struct vf_error error;
    const struct vf_poll_limits by_rows = {.rows_max = 7, .bytes_max = 1 << 20, .timeout_ms = 1000, .gather_ms = 100};
    const struct vf_poll_limits by_bytes = {.rows_max = 100, .bytes_max = 80, .timeout_ms = 1000, .gather_ms = 100};
    const int first[3] = {0, 7, 17};
    const size_t count[3] = {7, 10, 7};
    for (int i = 0; i < 3; i++) {
        int64_t begin = fixture_now_ms();
        while (!polled[i] || polled[i]->happening == VF_NOTHING) {
            kafka->release(member.source, polled[i]);
            assert_int_equal(kafka->poll(member.source, i == 1 ? &by_bytes : &by_rows, &polled[i], &error), VF_OK);
            assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
        }
    }
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(polled[i]->row_count, count[i]);
        assert_int_equal(polled[i]->bytes, 8 * count[i]);
        for (size_t n = 0; n < count[i]; n++) {
            char value[8];
            snprintf(value, sizeof value, "%d", 1000 + first[i] + (int)n);
            assert_int_equal(polled[i]->rows[n].offset, first[i] + (int)n);
            assert_true(vf_bytes_is(polled[i]->rows[n].value, value));
            assert_true(vf_bytes_is(polled[i]->rows[n].key, value));
            assert_string_equal(polled[i]->rows[n].topic, topic);
            assert_true(polled[i]->rows[n].timestamp_ms > 0);
        }
        kafka->release(member.source, polled[i]);
    }
    kafka->release(member.source, NULL);
    member_close(&member);
    free(topic);
}

static void null_empty_and_headers_come_as_they_were_produced(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    const char *const headers[][2] = {{"event-id", "abc"}, {"none", NULL}, {"empty", ""}, {NULL, NULL}};
    fixture_produce_one(topic, 0, NULL, NULL, NULL);
    fixture_produce_one(topic, 0, "", "", NULL);
    fixture_produce_one(topic, 0, "k", "v", headers);
    fixture_produce_one(topic, 0, "l", "w", headers + 2);
    struct member member;
    member_open_at(&member, topic, VF_OFFSET_BEGINNING);
    const struct vf_poll_limits limits = {.rows_max = 4, .bytes_max = 1 << 20, .timeout_ms = 1000, .gather_ms = 1000};
    struct vf_polled *polled = NULL;
    struct vf_error error;
    int64_t begin = fixture_now_ms();
    while (!polled || polled->row_count == 0) {
        kafka->release(member.source, polled);
        assert_int_equal(kafka->poll(member.source, &limits, &polled, &error), VF_OK);
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    assert_int_equal(polled->row_count, 4);
    const struct vf_record *rows = polled->rows;
    assert_true(rows[0].key_is_null && rows[0].value_is_null && rows[0].header_count == 0);
    assert_true(!rows[1].key_is_null && rows[1].key.size == 0 && !rows[1].value_is_null && rows[1].value.size == 0);
    assert_int_equal(rows[2].header_count, 3);
    assert_true(vf_bytes_is(rows[2].headers[0].name, "event-id") && vf_bytes_is(rows[2].headers[0].value, "abc"));
    assert_true(!rows[2].headers[0].is_null);
    assert_true(vf_bytes_is(rows[2].headers[1].name, "none") && rows[2].headers[1].is_null);
    assert_true(vf_bytes_is(rows[2].headers[2].name, "empty") && !rows[2].headers[2].is_null);
    assert_int_equal(rows[3].header_count, 1);
    assert_true(vf_bytes_is(rows[3].headers[0].name, "empty") && vf_bytes_is(rows[3].value, "w"));
    assert_int_equal(polled->bytes, 2 + 2 + (8 + 3) + 4 + 5 + 5);
    kafka->release(member.source, polled);
    member_close(&member);
    free(topic);
}

static void commits_are_read_back(void **state)
{
    (void)state;
    char *topic = fixture_topic(2), *group = fixture_name("group");
    fixture_produce(topic, 0, 0, 10);
    struct member member;
    member_open(&member, group, topic, NULL, 0);
    POLL_UNTIL(&member, member.assigned_due);
    member_assign(&member, (int64_t[]){4, 0});
    struct vf_position committed[2] = {{{topic, 0}, 77}, {{topic, 1}, 77}};
    struct vf_error error;
    assert_int_equal(kafka->committed(member.source, committed, 2, &error), VF_OK);
    assert_int_equal(committed[0].offset, -1);
    assert_int_equal(committed[1].offset, -1);

    const struct vf_position at_four = {{topic, 0}, 4}, at_nine = {{topic, 0}, 9};
    if (kafka->commit(member.source, &at_four, 1, true, &error) != VF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(kafka->committed(member.source, committed, 2, &error), VF_OK);
    assert_int_equal(committed[0].offset, 4);
    assert_int_equal(committed[1].offset, -1);

    assert_int_equal(kafka->commit(member.source, &at_nine, 1, false, &error), VF_OK);
    POLL_UNTIL(&member, kafka->committed(member.source, committed, 1, &error) == VF_OK && committed[0].offset == 9);
    assert_int_equal(kafka->commit(member.source, NULL, 0, true, &error), VF_OK);
    member_close(&member);
    free(topic), free(group);
}

static void an_offset_must_be_said(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce(topic, 0, 0, 3);
    struct member member;
    member_open_at(&member, topic, 1);
    struct vf_error error;
    uint64_t number = 77;
    const int64_t refused[] = {-1, -1000, -1001}; /* the end, the committed one, unset */
    for (size_t i = 0; i < 3; i++) {
        const struct vf_position position = {{topic, 0}, refused[i]};
        assert_int_equal(kafka->assign(member.source, &position, 1, &number, &error), VF_E_BUG);
        assert_int_equal(number, 77);
    }
    const struct vf_position elsewhere = {{"another-topic", 0}, 0};
    assert_int_equal(kafka->assign(member.source, &elsewhere, 1, &number, &error), VF_E_BUG);
    POLL_UNTIL(&member, member_count(&member, VF_ROW_END, 0) == 1);
    member_expect_offsets(&member, 0, 1, 3);
    member_close(&member);
    free(topic);
}

static enum vf_code open_at(const char *brokers, const char *topic, int64_t timeout_ms, struct vf_error *error)
{
    const struct vf_source_config config = {
        .brokers = brokers,
        .group = "test-open",
        .topics = &topic,
        .topic_count = 1,
        .queue_bytes_max = 1 << 20,
        .connect_timeout_ms = timeout_ms,
    };
    struct vf_source *source = NULL;
    struct vf_error looked;
    enum vf_code code = kafka->open(&config, &source, error);
    assert_null(source);
    assert_int_equal(kafka->look(&config, &looked), code); /* who only looks is told the same */
    return code;
}

static void a_wrong_address_fails_with_what_and_where(void **state)
{
    (void)state;
    struct vf_error error;
    assert_int_equal(open_at("127.0.0.1:1", "orders", 1000, &error), VF_E_UNAVAILABLE);
    assert_true(error.retriable);
    const char *const said[] = {"kafka 127.0.0.1:1", "no broker answered within 1 s", "Connection refused",
                                "check kafka.brokers"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (!strstr(error.text, said[i]))
            fail_msg("\"%s\" is not in: %s", said[i], error.text);
    assert_int_equal(open_at("no-such-host.invalid:9092", "orders", 1000, &error), VF_E_UNAVAILABLE);
    assert_non_null(strstr(error.text, "no-such-host.invalid"));
}

static void a_missing_topic_is_named(void **state)
{
    (void)state;
    struct vf_error error;
    char *topic = fixture_name("missing");
    assert_int_equal(open_at(fixture_brokers(), topic, 10000, &error), VF_E_NOT_FOUND);
    assert_non_null(strstr(error.text, topic));
    assert_non_null(strstr(error.text, "--create"));
    free(topic);
}

static void looking_finds_a_topic_and_leaves_no_member(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    const struct vf_source_config config = {
        .brokers = fixture_brokers(),
        .group = topic,
        .topics = (const char *const[]){topic},
        .topic_count = 1,
        .queue_bytes_max = 1 << 20,
        .connect_timeout_ms = 10000,
    };
    struct vf_error error;
    assert_int_equal(kafka->look(&config, &error), VF_OK);
    struct vf_kafka_admin *admin = NULL;
    size_t members = 99;
    assert_int_equal(vf_kafka_admin_open(fixture_brokers(), NULL, 0, 10000, &admin, &error), VF_OK);
    assert_int_equal(vf_kafka_admin_members(admin, topic, 10000, &members, &error), VF_OK);
    assert_int_equal(members, 0);
    vf_kafka_admin_close(admin);
    free(topic);
}

static void partitions_are_counted(void **state)
{
    (void)state;
    char *topic = fixture_topic(3);
    struct member member;
    member_open_at(&member, topic, 0);
    struct vf_error error;
    int32_t count = 0;
    assert_int_equal(kafka->partition_count(member.source, topic, &count, &error), VF_OK);
    assert_int_equal(count, 3);
    assert_int_equal(kafka->partition_count(member.source, "test-no-such-topic", &count, &error), VF_E_NOT_FOUND);
    int64_t low, high;
    struct vf_partition absent = {topic, 99};
    assert_int_equal(kafka->watermarks(member.source, absent, &low, &high, &error), VF_E_NOT_FOUND);
    member_close(&member);
    free(topic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_assignment_comes_before_any_record),
        cmocka_unit_test(reading_begins_at_exactly_the_offsets_given),
        cmocka_unit_test(the_end_comes_after_the_records_and_again_after_more),
        cmocka_unit_test(an_empty_partition_has_its_end_at_once),
        cmocka_unit_test(the_end_is_behind_transaction_markers),
        cmocka_unit_test(an_open_transaction_is_the_end_until_it_is_ended),
        cmocka_unit_test(a_position_beyond_the_end_is_said_not_jumped_over),
        cmocka_unit_test(a_position_before_the_beginning_is_said_not_jumped_over),
        cmocka_unit_test(an_out_of_range_of_an_older_assignment_is_dropped),
        cmocka_unit_test(nor_does_one_count_that_comes_behind_other_records),
        cmocka_unit_test(assigning_again_drops_what_was_fetched_before),
        cmocka_unit_test(assigning_again_and_again_at_once_is_fine),
        cmocka_unit_test(several_polls_live_at_once_and_keep_to_their_limits),
        cmocka_unit_test(null_empty_and_headers_come_as_they_were_produced),
        cmocka_unit_test(commits_are_read_back),
        cmocka_unit_test(an_offset_must_be_said),
        cmocka_unit_test(a_wrong_address_fails_with_what_and_where),
        cmocka_unit_test(a_missing_topic_is_named),
        cmocka_unit_test(looking_finds_a_topic_and_leaves_no_member),
        cmocka_unit_test(partitions_are_counted),
    };
    return cmocka_run_group_tests_name("kafka source", tests, NULL, NULL);
}
