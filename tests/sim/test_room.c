/* Partitions that wait at limits.aside, and when they go on though there is no room: a test's name says what holds. */
#include "sim/stage.h"

static int setup(void **state)
{
    int result = stage_setup(state);
    struct stage *stage = *state;
    stage->setups[0].errors.then = VF_THEN_PARK;
    stage->setups[0].batch.events_max = 20;
    return result;
}

/* Of two partitions, the first one has no room for anything else. */
static void fill(struct stage *stage)
{
    vf_memory_log_add_topic(stage->log, "customers", 2);
    stage->setups[0].aside_max = 1;
    stage_send(stage, "customers", "y", 1, "Changed", "null");
    stage_send(stage, "customers", "y", 3, "Changed", "null");
}

static void expect_to_go_on_by_itself(struct stage *stage, int64_t next)
{
    stage_run(stage);
    assert_int_equal(stage_next(stage, "customers"), next);
    assert_null(stage_stopped(stage, "customers", 0));
    assert_int_equal(stage_counts(stage, 0).stops, 1);
    assert_int_equal(stage_waiting(stage, NULL), 1);
}

static void what_found_no_room_goes_on_when_what_was_missing_has_come(void **state)
{
    struct stage *stage = *state;
    fill(stage);
    stage_send(stage, "customers", "x", 2, "Changed", "null");
    stage_send(stage, "customers", "z", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "customers"), 2);
    assert_non_null(stage_stopped(stage, "customers", 0));
    stage_send_to(stage, "customers", 1, "x", 1, "Changed", "null");
    expect_to_go_on_by_itself(stage, 4);
    assert_int_equal(stage_handled(stage, "x", "customer/x"), 2);
    assert_int_equal(stage_handled(stage, "z", "customer/z"), 1);
}

static void what_found_no_room_goes_on_when_what_failed_before_it_is_taken_in(void **state)
{
    struct stage *stage = *state;
    fill(stage);
    stage_send_to(stage, "customers", 1, "x", 1, "Broken", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "customers", "x", 2, "Changed", "null");
    stage_run(stage);
    assert_non_null(stage_stopped(stage, "customers", 0));
    assert_int_equal(stage_counts(stage, 0).stops, 1); /* it is not tried in vain */
    vf_plain_mended = true;
    stage_retry(stage);
    expect_to_go_on_by_itself(stage, 3);
    assert_int_equal(stage_handled(stage, "x", "customer/x"), 2);
}

static void what_fails_and_finds_no_room_is_not_tried_in_vain(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].aside_max = 1;
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 2, "Broken", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 2);
    assert_int_equal(stage_counts(stage, 0).stops, 1);
}

int main(void)
{
#define ROOM(function) cmocka_unit_test_setup_teardown(function, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        ROOM(what_found_no_room_goes_on_when_what_was_missing_has_come),
        ROOM(what_found_no_room_goes_on_when_what_failed_before_it_is_taken_in),
        ROOM(what_fails_and_finds_no_room_is_not_tried_in_vain),
    };
    return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
