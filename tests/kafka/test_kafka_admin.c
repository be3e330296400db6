/* What `viewfold status` asks Kafka, on a real broker. */
#include "connectors/kafka/kafka_admin.h"
#include "kafka_fixture.h"

#include <stdlib.h>

#define LIMIT_MS 10000

static struct vf_kafka_admin *open_admin(void)
{
    struct vf_kafka_admin *admin = NULL;
    struct vf_error error;
    if (vf_kafka_admin_open(fixture_brokers(), NULL, 0, LIMIT_MS, &admin, &error) != VF_OK)
        fail_msg("%s", error.text);
    return admin;
}

static void every_partition_has_its_reach(void **state)
{
    (void)state;
    enum { PARTITIONS = 50 };
    char *many = fixture_topic(PARTITIONS), *other = fixture_topic(1);
    for (int i = 0; i < PARTITIONS; i += 7)
        fixture_produce(many, i, 0, i);
    fixture_produce(other, 0, 0, 10);
    fixture_delete_before(other, 0, 4);
    struct vf_kafka_admin *admin = open_admin();
    struct vf_error error;
    int32_t count = 0;
    assert_int_equal(vf_kafka_admin_partition_count(admin, many, LIMIT_MS, &count, &error), VF_OK);
    assert_int_equal(count, PARTITIONS);

    struct vf_kafka_reach rows[PARTITIONS + 1];
    for (int i = 0; i < PARTITIONS; i++) /* in an order that is not the broker's */
        rows[i] = (struct vf_kafka_reach){.partition = {many, PARTITIONS - 1 - i}};
    rows[PARTITIONS] = (struct vf_kafka_reach){.partition = {other, 0}};
    if (vf_kafka_admin_reach(admin, rows, PARTITIONS + 1, LIMIT_MS, &error) != VF_OK)
        fail_msg("%s", error.text);
    for (int i = 0; i < PARTITIONS; i++) {
        int partition = PARTITIONS - 1 - i;
        assert_int_equal(rows[i].low, 0);
        assert_int_equal(rows[i].high, partition % 7 == 0 ? partition : 0);
    }
    assert_int_equal(rows[PARTITIONS].low, 4);
    assert_int_equal(rows[PARTITIONS].high, 10);
    assert_int_equal(vf_kafka_admin_reach(admin, NULL, 0, LIMIT_MS, &error), VF_OK);
    vf_kafka_admin_close(admin);
    free(many), free(other);
}

/* The marker of a transaction is written after its commit was answered. */
static void wait_for_high(struct vf_kafka_admin *admin, struct vf_kafka_reach *row, int64_t high)
{
    struct vf_error error;
    int64_t begin = fixture_now_ms();
    do {
        assert_int_equal(vf_kafka_admin_reach(admin, row, 1, LIMIT_MS, &error), VF_OK);
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    } while (row->high != high);
}

/* The high one is where progress can be, so that a view that has taken in everything has no lag. */
static void the_reach_is_behind_markers_and_before_an_open_transaction(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    fixture_produce_transaction(topic, 0, 0, 3, false); /* 0 1 2, marker 3 */
    struct vf_kafka_admin *admin = open_admin();
    struct vf_error error;
    struct vf_kafka_reach row = {.partition = {topic, 0}};
    wait_for_high(admin, &row, 4);
    struct fixture_transaction *transaction = fixture_transaction_begin(topic, 0, 0, 2);
    assert_int_equal(vf_kafka_admin_reach(admin, &row, 1, LIMIT_MS, &error), VF_OK);
    assert_int_equal(row.high, 4);
    fixture_transaction_end(transaction, true);
    wait_for_high(admin, &row, 7);
    vf_kafka_admin_close(admin);
    free(topic);
}

/* That a login is refused what it may not read is seen in tests/system/test_lint.py. */
static void what_may_be_read_is_read_be_it_empty_or_not(void **state)
{
    (void)state;
    char *empty = fixture_topic(2), *full = fixture_topic(1);
    fixture_produce(full, 0, 0, 5);
    struct vf_kafka_admin *admin = open_admin();
    struct vf_error error;
    for (int i = 0; i < 2; i++) { /* a topic may be tried again */
        if (vf_kafka_admin_try_read(admin, empty, LIMIT_MS, &error) != VF_OK ||
            vf_kafka_admin_try_read(admin, full, LIMIT_MS, &error) != VF_OK)
            fail_msg("%s", error.text);
    }
    enum vf_code code = vf_kafka_admin_try_read(admin, "test-no-such-topic", 2000, &error);
    assert_true(code != VF_OK && code != VF_E_DENIED);
    vf_kafka_admin_close(admin);
    free(empty), free(full);
}

static void what_is_not_there_is_named_within_the_limit(void **state)
{
    (void)state;
    char *topic = fixture_topic(1);
    struct vf_kafka_admin *admin = open_admin();
    struct vf_error error;
    int32_t count = 77;
    assert_int_equal(vf_kafka_admin_partition_count(admin, "test-no-such-topic", 2000, &count, &error), VF_E_NOT_FOUND);
    assert_non_null(strstr(error.text, "test-no-such-topic"));
    assert_int_equal(count, 77);
    struct vf_kafka_reach rows[] = {{.partition = {topic, 0}, .high = 77}, {.partition = {"test-no-such-topic", 0}}};
    assert_int_not_equal(vf_kafka_admin_reach(admin, rows, 2, 2000, &error), VF_OK);
    assert_int_equal(rows[0].high, 77);
    assert_int_equal(vf_kafka_admin_reach(admin, rows, 1, 2000, &error), VF_OK);
    assert_int_equal(rows[0].high, 0);
    vf_kafka_admin_close(admin);
    vf_kafka_admin_close(NULL);

    assert_int_equal(vf_kafka_admin_open("127.0.0.1:1", NULL, 0, 500, &admin, &error), VF_E_UNAVAILABLE);
    assert_non_null(strstr(error.text, "no broker answered within 500 ms"));
    const struct vf_source_property wrong = {"group.id", "mine"};
    assert_int_equal(vf_kafka_admin_open("127.0.0.1:1", &wrong, 1, 500, &admin, &error), VF_E_CONFIG);
    free(topic);
}

static void members_of_a_group_are_counted(void **state)
{
    (void)state;
    char *topic = fixture_topic(2), *group = fixture_name("group");
    struct vf_kafka_admin *admin = open_admin();
    struct vf_error error;
    size_t count = 77;
    if (vf_kafka_admin_members(admin, group, LIMIT_MS, &count, &error) != VF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(count, 0);

    struct member first, second;
    member_open(&first, group, topic, NULL, 0);
    POLL_UNTIL(&first, first.assigned_due);
    member_assign_none(&first);
    assert_int_equal(vf_kafka_admin_members(admin, group, LIMIT_MS, &count, &error), VF_OK);
    assert_int_equal(count, 1);
    member_open(&second, group, topic, NULL, 0);
    int64_t begin = fixture_now_ms();
    while (count != 2) {
        member_poll(&first);
        if (first.revoked_due)
            member_assign_none(&first);
        member_poll(&second);
        assert_int_equal(vf_kafka_admin_members(admin, group, LIMIT_MS, &count, &error), VF_OK);
        assert_true(fixture_now_ms() - begin < FIXTURE_WAIT_MS);
    }
    member_close(&first);
    member_close(&second);
    assert_int_equal(vf_kafka_admin_members(admin, group, LIMIT_MS, &count, &error), VF_OK);
    assert_int_equal(count, 0);
    vf_kafka_admin_close(admin);
    free(topic), free(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_partition_has_its_reach),
        cmocka_unit_test(the_reach_is_behind_markers_and_before_an_open_transaction),
        cmocka_unit_test(what_may_be_read_is_read_be_it_empty_or_not),
        cmocka_unit_test(what_is_not_there_is_named_within_the_limit),
        cmocka_unit_test(members_of_a_group_are_counted),
    };
    return cmocka_run_group_tests_name("kafka admin", tests, NULL, NULL);
}
