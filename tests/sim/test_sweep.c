/* What the sweep lets go of, and what it keeps because something that is set aside belongs to it: a test's name says what holds. */
#include "sim/stage.h"

#include <stdio.h>

#define DAY_MS  ((int64_t)24 * 3600000)
#define HOUR_MS ((int64_t)3600000)

static int setup(void **state)
{
    int result = stage_setup(state);
    struct stage *stage = *state;
    for (size_t i = 0; i < STAGE_WORKERS; i++) {
        stage->setups[i].errors.then = VF_THEN_PARK;
        stage->setups[i].batch.events_max = 20;
        stage->setups[i].sweeps = true;
    }
    return result;
}

/* A day later, when everything is over that can be. */
static void pass_a_day(struct stage *stage)
{
    stage->clock.wall_ms += DAY_MS;
    stage_run(stage);
}

static void mend(struct stage *stage)
{
    vf_plain_mended = true;
    stage_retry(stage);
    stage_run(stage);
}

/* What failed, or came too early, is older than the time at which its document was over: it belongs to all of it. */
static void a_document_that_is_over_waits_for_what_is_set_aside(void **state)
{
    struct stage *stage = *state;
    stage->projection.ttl_ms = HOUR_MS;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 2, "Broken", "null");
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_send(stage, "customers", "c2", 1, "Changed", "null");
    stage_send(stage, "customers", "c2", 3, "Changed", "null");
    stage_send(stage, "orders", "o3", 1, "Created", "\"c3\"");
    stage_send(stage, "orders", "o3", 2, "Broken", "null");
    stage_send(stage, "orders", "o4", 1, "Created", "\"c4\"");
    stage_open(stage, 0);
    stage_run(stage);
    pass_a_day(stage);
    assert_int_equal(stage_presence(stage, "c4"), VF_HUSK_EXPIRED);
    mend(stage);
    stage_send(stage, "customers", "c2", 2, "Changed", "null");
    while (stage_waiting(stage, NULL) > 0)
        stage_turn(stage, 0);
    assert_int_equal(stage_handled(stage, "c2", "customer/c2"), 3);
    pass_a_day(stage);
    for (const char *const *id = (const char *const[]){"c1", "c2", "c3", NULL}; *id; id++)
        assert_int_equal(stage_presence(stage, *id), VF_HUSK_EXPIRED);
}

static void what_failed_is_taken_in_by_a_document_that_is_over(void **state)
{
    struct stage *stage = *state;
    stage->projection.ttl_ms = HOUR_MS;
    stage->setups[0].sweeps = false;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 2, "Broken", "null");
    stage_send(stage, "orders", "o1", 1, "Changed", "null"); /* is held to the end */
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    stage->setups[0].sweeps = true;
    stage_open(stage, 0);
    pass_a_day(stage);
    vf_plain_mended = true;
    stage_retry(stage);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
    pass_a_day(stage);
    pass_a_day(stage); /* the worker remembers the record as it was before that */
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_EXPIRED);
}

/* Another aggregate has made its document, which has taken in nothing of its own yet. */
static void a_document_waits_for_what_is_to_be_its_first(void **state)
{
    struct stage *stage = *state;
    stage->projection.ttl_ms = HOUR_MS;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "customers", "c1", 1, "Broken", "null");
    stage_open(stage, 0);
    stage_run(stage);
    pass_a_day(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_PRESENT);
    vf_plain_mended = true;
    stage_retry(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
}

/* More of them than are looked at in one batch; behind them one that waits for nothing. */
static void documents_that_wait_do_not_keep_others(void **state)
{
    enum { WAITING = 450 };
    struct stage *stage = *state;
    char id[16];
    stage->projection.ttl_ms = HOUR_MS;
    stage->setups[0].batch.events_max = 500;
    for (int i = 0; i < WAITING; i++) {
        snprintf(id, sizeof id, "c%d", i);
        stage_send(stage, "customers", id, 1, "Changed", "null");
        stage_send(stage, "customers", id, 2, "Broken", "null");
    }
    stage_send(stage, "customers", "z", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), WAITING);
    int64_t loads = stage_counts(stage, 0).loads;
    pass_a_day(stage);
    assert_int_equal(stage_presence(stage, "c0"), VF_PRESENT);
    assert_int_equal(stage_presence(stage, "z"), VF_HUSK_EXPIRED);
    assert_true(stage_counts(stage, 0).loads - loads < 100); /* each round has an end */
}

/* It has failed before its link was known: nobody can tell that it is of this document. */
static void nothing_is_forgotten_while_something_is_set_aside(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].forget_ms = HOUR_MS;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 1, "Misdirected", "\"c1\"");
    stage_send(stage, "customers", "c1", 2, "Deleted", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 1);
    pass_a_day(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    vf_plain_mended = true;
    stage_retry(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    pass_a_day(stage); /* the worker remembers both as they were before that */
    pass_a_day(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_ABSENT);
}

int main(void)
{
#define SWEEP(function) cmocka_unit_test_setup_teardown(function, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        SWEEP(a_document_that_is_over_waits_for_what_is_set_aside),
        SWEEP(what_failed_is_taken_in_by_a_document_that_is_over),
        SWEEP(a_document_waits_for_what_is_to_be_its_first),
        SWEEP(documents_that_wait_do_not_keep_others),
        SWEEP(nothing_is_forgotten_while_something_is_set_aside),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
