/* What an operator's changes to the log do to a view: partitions that are added, topics that are made anew (test_scenarios
 * has what a restart meets; here is what nothing but an operator can decide, and what happens while a worker reads). */
#include "sim/stage.h"

#include <stdio.h>
#include <string.h>

static void assert_stopped(struct stage *stage, const char *topic, int32_t partition, const char *words)
{
    const char *why = stage_stopped(stage, topic, partition);
    if (!why || !strstr(why, words))
        fail_msg("%s/%d stopped: %s; wanted: %s", topic, (int)partition, why ? why : "no", words);
}

static void assert_goes_on(struct stage *stage, const char *topic, int32_t partition)
{
    const char *why = stage_stopped(stage, topic, partition);
    if (why)
        fail_msg("%s/%d stopped: %s", topic, (int)partition, why);
}

static void run_again(struct stage *stage)
{
    stage_close(stage, 0);
    stage_open(stage, 0);
    stage_run(stage);
}

/* --- partitions --------------------------------------------------------------------------------------------------- */

/* A view of a topic with one partition, which then has `partitions`. */
static void change_tags(struct stage *stage, int32_t partitions)
{
    stage_use_records(stage);
    stage_send(stage, "tags", "t1", 0, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    vf_memory_log_add_topic(stage->log, "tags", partitions);
}

static void partitions_added_go_on_where_the_operator_says_that_keys_stay(void **state)
{
    struct stage *stage = *state;
    change_tags(stage, 2);
    run_again(stage);
    assert_stopped(stage, "tags", 0, "partitions_added: keys_stay");
    assert_stopped(stage, "tags", 1, "had 1");
    stage->readings[2].envelope.keys_stay = true;
    stage_send_to(stage, "tags", 0, "t1", 0, "Changed", "\"c1\"");
    stage_send_to(stage, "tags", 1, "t2", 0, "Changed", "\"c1\"");
    run_again(stage);
    assert_goes_on(stage, "tags", 0);
    assert_goes_on(stage, "tags", 1);
    assert_int_equal(stage_handled(stage, "c1", "tag/t1"), 2);
    assert_int_equal(stage_handled(stage, "c1", "tag/t2"), 1);
}

/* The decision was about these partitions: it need not be said for ever, and does not cover the next ones. */
static void a_decision_about_partitions_is_kept_where_nothing_new_came(void **state)
{
    struct stage *stage = *state;
    change_tags(stage, 2);
    stage->readings[2].envelope.keys_stay = true;
    run_again(stage);
    stage->readings[2].envelope.keys_stay = false;
    stage_send_to(stage, "tags", 0, "t1", 0, "Changed", "\"c1\"");
    run_again(stage);
    assert_goes_on(stage, "tags", 0);
    assert_goes_on(stage, "tags", 1);
    assert_int_equal(stage_handled(stage, "c1", "tag/t1"), 2);
    vf_memory_log_add_topic(stage->log, "tags", 3);
    run_again(stage);
    assert_stopped(stage, "tags", 0, "has 3 partitions, and had 2");
}

/* A gap tells what came too early, but only where versions are kept. */
static void partitions_added_stop_a_view_that_keeps_no_versions(void **state)
{
    struct stage *stage = *state;
    stage->projection.versions = VF_VERSIONS_NONE;
    stage_send(stage, "customers", "c1", 1, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    vf_memory_log_add_topic(stage->log, "customers", 2);
    stage_send_to(stage, "customers", 1, "c1", 2, "Changed", "\"c1\"");
    run_again(stage);
    assert_stopped(stage, "customers", 0, "had 1");
    assert_stopped(stage, "customers", 1, "had 1");
}

/* Partitions are never taken away: it is another topic of that name. Nobody can vouch for that. */
static void fewer_partitions_stop_a_sequence_too(void **state)
{
    struct stage *stage = *state;
    vf_memory_log_add_topic(stage->log, "orders", 2);
    stage_send_to(stage, "orders", 1, "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    vf_memory_log_free(stage->log);
    stage->log = vf_memory_log_new(1);
    stage->setups[0].source.brokers = vf_memory_log_brokers(stage->log);
    vf_memory_log_add_topic(stage->log, "customers", 1);
    vf_memory_log_add_topic(stage->log, "orders", 1);
    stage->readings[1].envelope.keys_stay = true;
    stage_send_to(stage, "orders", 0, "o2", 1, "Created", "\"c2\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "has 1 partitions, and had 2: the topic was re-created");
    assert_false(stage_has(stage, "c2"));
}

/* --- a topic that is made anew while it is read -------------------------------------------------------------------- */

/* As Kafka does: with the topic goes what groups have committed in it. */
static void make_anew(struct stage *stage, int count)
{
    struct vf_partition orders = {"orders", 0};
    vf_memory_log_recreate(stage->log, "orders");
    vf_memory_log_set_committed(stage->log, stage->setups[0].source.group, orders, -1);
    for (int i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%d", i);
        stage_send(stage, "orders", id, 1, "Created", "\"c2\"");
    }
}

static void read_orders(struct stage *stage)
{
    for (int version = 1; version <= 3; version++)
        stage_send(stage, "orders", "o1", version, version == 1 ? "Created" : "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 3);
}

/* The new log is longer by the time: reading goes on in its middle, and its first records would never be seen. */
static void a_topic_made_anew_while_it_is_read_is_noticed(void **state)
{
    struct stage *stage = *state;
    read_orders(stage);
    make_anew(stage, 6);
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "is not the one that the view has taken in");
}

/* By then a record of the new log would be the last one that the view knows. */
static void nor_does_a_restart_hide_it(void **state)
{
    struct stage *stage = *state;
    read_orders(stage);
    make_anew(stage, 6);
    stage_run(stage);
    run_again(stage);
    assert_stopped(stage, "orders", 0, "is not the one that the view has taken in");
    stage_send(stage, "orders", "n6", 1, "Created", "\"c3\"");
    run_again(stage);
    assert_false(stage_has(stage, "c3"));
}

static void a_topic_made_anew_is_noticed_by_whoever_gives_it_up(void **state)
{
    struct stage *stage = *state;
    read_orders(stage);
    make_anew(stage, 6);
    for (int turn = 0; turn < 3; turn++) /* some of the new log is taken in, and nobody has looked since */
        stage_turn(stage, 0);
    assert_true(stage_next(stage, "orders") > 3);
    run_again(stage);
    assert_stopped(stage, "orders", 0, "is not the one that the view has taken in");
}

/* Who has forgotten what was committed need not have lost the log. */
static void offsets_that_are_gone_stop_nothing(void **state)
{
    struct stage *stage = *state;
    read_orders(stage);
    for (int version = 4; version <= 9; version++) {
        vf_memory_log_set_committed(stage->log, stage->setups[0].source.group, (struct vf_partition){"orders", 0}, -1);
        stage_send(stage, "orders", "o1", version, "Changed", "\"c1\"");
        stage_run(stage);
    }
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 9);
    assert_int_equal(
        vf_memory_log_committed(stage->log, stage->setups[0].source.group, (struct vf_partition){"orders", 0}), 9);
}

/* The proof is then of a record behind what the store needs again. */
static void offsets_that_are_gone_hide_no_rewind(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    for (int version = 2; version <= 6; version++) {
        stage_send(stage, "orders", "o1", version, "Changed", "\"c1\"");
        stage_run(stage);
    }
    vf_memory_server_restore(stage->server, before);
    vf_memory_snapshot_free(before);
    vf_memory_log_set_committed(stage->log, stage->setups[0].source.group, (struct vf_partition){"orders", 0}, -1);
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 6);
}

int main(void)
{
#define SCENARIO(function) cmocka_unit_test_setup_teardown(function, stage_setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        SCENARIO(partitions_added_go_on_where_the_operator_says_that_keys_stay),
        SCENARIO(a_decision_about_partitions_is_kept_where_nothing_new_came),
        SCENARIO(partitions_added_stop_a_view_that_keeps_no_versions),
        SCENARIO(fewer_partitions_stop_a_sequence_too),
        SCENARIO(a_topic_made_anew_while_it_is_read_is_noticed),
        SCENARIO(nor_does_a_restart_hide_it),
        SCENARIO(a_topic_made_anew_is_noticed_by_whoever_gives_it_up),
        SCENARIO(offsets_that_are_gone_stop_nothing),
        SCENARIO(offsets_that_are_gone_hide_no_rewind),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
