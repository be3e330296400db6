/* Gaps in `revision` numbers, of which several events may share one: a test's name says what holds. */
#include "core/envelope.h"
#include "core/versions.h"
#include "sim/stage.h"

#include <stdio.h>

#define EARLY "/early/customer/c1"

static void use_revisions(struct stage *stage)
{
    for (size_t i = 0; i < 2; i++)
        stage->readings[i].envelope.numbers = VF_NUMBERS_REVISION;
}

static int setup(void **state)
{
    int result = stage_setup(state);
    struct stage *stage = *state;
    stage->setups[0].errors.then = VF_THEN_PARK;
    stage->setups[0].batch.events_max = 20;
    use_revisions(stage);
    return result;
}

/* Events like "3c": the event e<c> of the third revision; or "3c!", of the type that fails. */
static void send(struct stage *stage, const char *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char event_id[] = {'e', (char)('0' + (events[i][1] - 'a')), '\0'};
        stage_send_of_revision(stage, "customers", "c1", events[i][0] - '0', event_id,
                               events[i][2] ? "Broken" : "Changed", "null");
    }
}

static int64_t chain_of(const char *const *events, size_t count)
{
    int64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        char event_id[] = {'e', (char)('0' + (events[i][1] - 'a')), '\0'};
        hash = vf_plain_chain(hash, events[i][0] - '0', vf_bytes_from(event_id), events[i][2] ? 'B' : 'C');
    }
    return hash;
}

#define EVENTS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void expect(struct stage *stage, const char *const *events, size_t count)
{
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), count);
    if (stage_chain(stage, "c1", "customer/c1") != chain_of(events, count))
        fail_msg("not these, or not in this order");
}

static void expect_all(struct stage *stage, const char *const *events, size_t count)
{
    assert_int_equal(stage_waiting(stage, NULL), 0);
    expect(stage, events, count);
}

static void run(struct stage *stage, const char *const *events, size_t count)
{
    send(stage, events, count);
    if (!stage->workers[0])
        stage_open(stage, 0);
    stage_run(stage);
}

/* An operator says that what was missing is there. */
static void ask(struct stage *stage)
{
    for (size_t waiting = SIZE_MAX;
         stage_waiting(stage, NULL) < waiting;) { /* as long as there is something to take in */
        waiting = stage_waiting(stage, NULL);
        stage_retry(stage);
        stage_run(stage);
    }
}

static void what_was_missing_lets_in_what_waits_for_it_when_somebody_asks(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3c"));
    ask(stage); /* too soon */
    expect(stage, EVENTS("1a"));
    assert_int_equal(stage_record(stage, "customer/c1")->state, VF_ASIDE_GAP);
    assert_int_equal(stage_waiting(stage, EARLY), 1);
    run(stage, EVENTS("2b", "4d"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2b", "3c", "4d"));
    assert_int_equal(stage_counts(stage, 0).parked, 0);
    run(stage, EVENTS("4e", "5a"));
    expect_all(stage, EVENTS("1a", "2b", "3c", "4d", "4e", "5a"));
}

/* Nobody knows how many events a revision has: each of these may be read in a batch of its own. */
static void what_fills_a_gap_may_be_several_events(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3c"));
    run(stage, EVENTS("2a"));
    run(stage, EVENTS("2b"));
    run(stage, EVENTS("3d", "2c"));
    expect(stage, EVENTS("1a", "2a", "2b", "2c"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "2b", "2c", "3c", "3d"));
}

/* A batch that is full leaves what is next to others, which do not know why it was left. */
static void what_fills_a_gap_may_be_several_events_where_each_fills_a_batch(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.written_bytes_max = 1;
    run(stage, EVENTS("1a", "3c"));
    run(stage, EVENTS("2a"));
    stage_close(stage, 0);
    run(stage, EVENTS("2b", "3d"));
    expect(stage, EVENTS("1a", "2a", "2b"));
    stage->retry_rows_max = 1;
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "2b", "3c", "3d"));
}

/* An operator has died over it, and others read what he has not seen. */
static void nobody_goes_on_with_what_somebody_else_has_asked_for(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3a", "3b", "4a", "6a", "2a"));
    stage->retry_rows_max = 1;
    stage_retry(stage);
    stage_close(stage, 0);
    run(stage, EVENTS("4b"));
    expect(stage, EVENTS("1a", "2a", "3a"));
    run(stage, EVENTS("3c"));
    ask(stage);
    expect(stage, EVENTS("1a", "2a", "3a", "3b", "3c", "4a", "4b"));
    run(stage, EVENTS("5a"));
    run(stage, EVENTS("5b"));
    expect(stage, EVENTS("1a", "2a", "3a", "3b", "3c", "4a", "4b", "5a", "5b"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3a", "3b", "3c", "4a", "4b", "5a", "5b", "6a"));
}

/* He has vouched for what there was up to a number. */
static void what_was_asked_for_ends_where_it_was_asked_to(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3a", "5a", "2a", "4a"));
    stage_retry_as(stage, &(struct vf_fold_retry){.asks = true, .asks_to = 3});
    stage_run(stage);
    expect(stage, EVENTS("1a", "2a", "3a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3a", "4a", "5a"));
}

static void what_fills_the_first_gap_is_not_taken_for_the_next_one_that_is_given_up(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3a", "7a", "2a"));
    stage_retry_as(stage, &(struct vf_fold_retry){.asks = true, .asks_to = INT64_MAX, .drop_missing = true});
    stage_run(stage);
    run(stage, EVENTS("4a", "5a", "6a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3a", "4a", "5a", "6a", "7a"));
}

static void all_events_of_one_revision_wait_in_the_order_in_which_they_came(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3d", "3b"));
    run(stage, EVENTS("4a", "3c", "6a"));
    assert_int_equal(stage_waiting(stage, EARLY), 5);
    assert_int_equal(vf_early_number(stage_record(stage, "customer/c1")->early_from), 3);
    assert_int_equal(vf_early_number(stage_record(stage, "customer/c1")->early_last), 6);
    run(stage, EVENTS("2a"));
    ask(stage);
    assert_int_equal(stage_waiting(stage, EARLY), 1);
    expect(stage, EVENTS("1a", "2a", "3d", "3b", "3c", "4a"));
    run(stage, EVENTS("4b", "5a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3d", "3b", "3c", "4a", "4b", "5a", "6a"));
}

static void a_repeat_of_what_waits_is_one(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3b", "3b", "3c", "5a", "3b"));
    assert_int_equal(stage_waiting(stage, EARLY), 3);
    run(stage, EVENTS("3c", "5a", "3d"));
    assert_int_equal(stage_waiting(stage, EARLY), 4);
    assert_int_equal(stage_counts(stage, 0).duplicates, 4);
    run(stage, EVENTS("2a", "4a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3b", "3c", "3d", "4a", "5a"));
}

static void what_is_missing_can_be_given_up_and_stays_so(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "4c", "4d", "7a"));
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_missing = true, .asks_to = INT64_MAX});
    stage_run(stage);
    expect(stage, EVENTS("1a", "4c", "4d"));
    assert_int_equal(stage_waiting(stage, EARLY), 1);
    run(stage, EVENTS("3a", "4e", "5a", "6a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "4c", "4d", "4e", "5a", "6a", "7a"));
    /* The view is built anew, and 3a comes in its turn. */
    stage_close(stage, 0);
    stage_drop(stage, true);
    run(stage, EVENTS("8a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "4c", "4d", "4e", "5a", "6a", "7a", "8a"));
}

/* It came first where it was dropped, and comes early where the view is built anew. */
static void what_was_dropped_counts_its_revision_where_it_comes_early(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0); /* the generation is there from then on */
    struct vf_event event = {.aggregate = VF_LITERAL("customer/c1"),
                             .type = VF_LITERAL("Changed"),
                             .event_id = VF_LITERAL("e2"),
                             .numbers = VF_NUMBERS_REVISION,
                             .version = 3};
    struct vf_record none = {.topic = "customers"};
    event.record = &none;
    stage_decide(stage, &(struct vf_dropped){.aggregate = event.aggregate,
                                             .partition = {"customers", 7},
                                             .offset = 70,
                                             .identity = vf_event_identity(&event)});
    run(stage, EVENTS("1a", "3c", "2b", "4d"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2b", "4d"));
}

static void where_failures_stop_what_was_dropped_waits_for_what_is_missing_before_it(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].errors.then = VF_THEN_STOP;
    stage_open(stage, 0);
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("customer/c1"),
                                             .partition = {"customers", 0},
                                             .offset = 1,
                                             .timestamp_ms = 1772359200000,
                                             .identity = 1});
    run(stage, EVENTS("1a", "3c", "2b", "4d"));
    expect(stage, EVENTS("1a"));
    assert_int_equal(stage_next(stage, "customers"), 1);
    assert_non_null(stage_stopped(stage, "customers", 0));
}

static void what_waits_comes_first_where_its_gap_is_not_minded_any_more(void **state)
{
    static const char *const more[] = {NULL, "2z", "3z", "5z", "6z", "8z"};
    static const char *const wanted[][6] = {
        {"1a", "3b", "3c", "6d"},       {"1a", "2z", "3b", "3c", "6d"}, {"1a", "3b", "3c", "3z", "6d"},
        {"1a", "3b", "3c", "5z", "6d"}, {"1a", "3b", "3c", "6d", "6z"}, {"1a", "3b", "3c", "6d", "8z"},
    };
    stage_teardown(state);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        void *own;
        assert_int_equal(setup(&own), 0);
        struct stage *stage = own;
        run(stage, EVENTS("1a", "3b", "3c", "6d"));
        assert_int_equal(stage_waiting(stage, EARLY), 3);
        stage->readings[0].envelope.gaps_allowed = true;
        if (more[i])
            send(stage, &more[i], 1);
        stage_run(stage);
        expect_all(stage, wanted[i], more[i] ? 5 : 4);
        assert_int_equal(stage_teardown(&own), 0);
    }
    assert_int_equal(setup(state), 0);
}

/* They are still to be read when that is said. */
static void what_fills_a_gap_comes_first_where_gaps_are_not_minded_any_more(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.written_bytes_max = 1;
    run(stage, EVENTS("1a", "3b", "3c", "6d"));
    stage_close(stage, 0);
    stage->readings[0].envelope.gaps_allowed = true;
    run(stage, EVENTS("2y", "2z"));
    stage_run(stage); /* a batch each time that it looks at gaps */
    stage_run(stage);
    expect_all(stage, EVENTS("1a", "2y", "2z", "3b", "3c", "6d"));
}

/* What failed waits for nothing; what comes behind it and too early is behind it and too early. */
static void what_is_missing_behind_a_failure_is_waited_for_behind_it(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "2b!", "4d", "4e", "2c"));
    assert_int_equal(stage_waiting(stage, "customer/c1"), 2);
    assert_int_equal(stage_waiting(stage, EARLY), 2);
    run(stage, EVENTS("3a"));
    assert_int_equal(stage_waiting(stage, "customer/c1"), 3);
    vf_plain_mended = true;
    stage_retry(stage);
    stage_run(stage);
    expect(stage, EVENTS("1a", "2b!", "2c", "3a"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2b!", "2c", "3a", "4d", "4e"));
}

/* What waits for the link is taken in in parts, and what came early is next. */
static void who_drains_what_waits_for_a_link_does_not_vouch_for_a_revision(void **state)
{
    struct stage *stage = *state;
    static const char *const cards[] = {"k1", "k2", "k3", "k4"};
    stage->setups[0].batch.events_max = 2;
    stage_use_joins(stage);
    stage->readings[2].envelope.numbers = VF_NUMBERS_REVISION;
    stage_send_of_revision(stage, "accounts", "a1", 2, "e3", "Changed", "null");
    for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++)
        stage_send_via(stage, cards[i], 1, "Issued", "a1");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send_of_revision(stage, "accounts", "a1", 1, "e1", "Created", "\"c1\"");
    stage->commits_left = 2; /* two by two: who goes on then is somebody else */
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 1);
    vf_memory_server_set_down(stage->server, false);
    stage_close(stage, 0);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 1);
    assert_int_equal(stage_waiting(stage, "/early/account/a1"), 1);
    stage_send_of_revision(stage, "accounts", "a1", 1, "e2", "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "account/a1"), 2);
    ask(stage);
    assert_int_equal(stage_handled(stage, "c1", "account/a1"), 3);
    assert_int_equal(stage_waiting(stage, NULL), 0);
}

/* Whoever tries a failure again says nothing of what is behind it. */
static void who_tries_a_failure_again_does_not_vouch_for_a_revision(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "2b!", "4d"));
    run(stage, EVENTS("3a"));
    vf_plain_mended = true;
    stage_retry_as(stage, &(struct vf_fold_retry){.asks_to = INT64_MAX});
    stage_run(stage);
    run(stage, EVENTS("3b"));
    expect(stage, EVENTS("1a", "2b!", "3a", "3b"));
    ask(stage);
    expect_all(stage, EVENTS("1a", "2b!", "3a", "3b", "4d"));
}

/* A revision has as many events as are remembered of one. */
static void more_events_than_a_revision_may_have_are_parked(void **state)
{
    struct stage *stage = *state;
    char event_id[16];
    for (int i = 0; i <= VF_EARLY_SIBLINGS_MAX; i++) {
        snprintf(event_id, sizeof event_id, "e%d", i);
        stage_send_of_revision(stage, "customers", "c1", 3, event_id, "Changed", "null");
    }
    stage_open(stage, 0);
    for (int turns = 0; turns < 20 && stage_next(stage, "customers") <= VF_EARLY_SIBLINGS_MAX; turns++)
        stage_run(stage);
    assert_int_equal(stage_waiting(stage, EARLY), VF_EARLY_SIBLINGS_MAX);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 1);
    assert_true(stage_record(stage, "customer/c1")->parked);
}

static void what_finds_no_room_behind_what_waits_to_be_asked_for_is_not_tried_in_vain(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].aside_max = 1;
    run(stage, EVENTS("1a", "3c", "2a", "3d"));
    assert_int_equal(stage_next(stage, "customers"), 3);
    assert_non_null(stage_stopped(stage, "customers", 0));
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).stops, 1);
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3c", "3d"));
}

/* An event whose number is text, which is read as one when the envelope says so. */
static void send_unreadable(struct stage *stage, const char *topic, const char *revision, const char *event_id)
{
    char value[256];
    snprintf(value, sizeof value,
             "{\"kind\":\"customer\",\"id\":\"c1\",\"version\":%s,\"type\":\"Changed\",\"data\":{\"to\":null},"
             "\"event_id\":\"%s\"}",
             revision, event_id);
    vf_memory_log_append(stage->log, (struct vf_partition){topic, 0}, vf_bytes_from("c1"), vf_bytes_from(value),
                         1772359200000);
}

static void mend_envelope(struct stage *stage)
{
    static struct vf_envelope_plan plan;
    plan = vf_envelope_standard;
    plan.parts[VF_PART_VERSION].as = VF_AS_INT;
    stage->readings[0].envelope.plan = &plan;
}

/* 3a was behind a hole, as 2a could not be read. */
static void what_could_not_be_read_does_not_pass_what_came_before_it(void **state)
{
    struct stage *stage = *state;
    send(stage, EVENTS("1a"));
    send_unreadable(stage, "customers", "\"2\"", "e0");
    send(stage, EVENTS("3a"));
    send_unreadable(stage, "customers", "\"3\"", "e1");
    send_unreadable(stage, "customers", "\"4\"", "e0");
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    mend_envelope(stage);
    stage_open(stage, 0);
    stage_retry_as(stage, &(struct vf_fold_retry){0});
    stage_run(stage);
    ask(stage);
    expect_all(stage, EVENTS("1a", "2a", "3a", "3b", "4a"));
}

/* By another topic, whose worker has not seen yet that something is set aside. */
static void what_is_passed_all_the_same_is_said(void **state)
{
    struct stage *stage = *state;
    send(stage, EVENTS("1a", "3a", "3b", "2a"));
    stage_open(stage, 0);
    for (int turn = 0; turn < 12; turn++) {
        stage_turn(stage, 0);
        vf_sim_clock_advance(&stage->clock, 20);
    }
    stage->retry_rows_max = 1;
    stage_retry(stage);
    send_unreadable(stage, "orders", "4", "e0"); /* it can be read */
    stage_run(stage);
    ask(stage);
    assert_true(stage_record(stage, "customer/c1")->parked);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 1);
}

/* The rest of 2 lies in the log behind what stops it. */
static void a_partition_that_has_stopped_has_not_been_read(void **state)
{
    struct stage *stage = *state;
    stage->readings[0].envelope.unreadable_stops = true;
    run(stage, EVENTS("1a", "3b", "3c", "2y"));
    stage_close(stage, 0);
    stage->readings[0].envelope.gaps_allowed = true;
    send_unreadable(stage, "customers", "\"2\"", "e9");
    run(stage, EVENTS("2z"));
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
    stage_close(stage, 0);
    mend_envelope(stage);
    stage_open(stage, 0);
    stage_run(stage);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 6);
}

static void what_comes_behind_some_of_them_lets_in_these_and_no_others(void **state)
{
    struct stage *stage = *state;
    run(stage, EVENTS("1a", "3b", "5b"));
    stage_close(stage, 0);
    stage->readings[0].envelope.gaps_allowed = true;
    run(stage, EVENTS("2a", "2b", "4a", "4b"));
    stage_run(stage);
    expect_all(stage, EVENTS("1a", "2a", "2b", "3b", "4a", "4b", "5b"));
}

static void a_place_tells_the_number(void **state)
{
    static const int64_t numbers[] = {VF_EARLY_REVISION_MIN, -1, 0, 1, 7, VF_EARLY_REVISION_MAX};
    (void)state;
    int64_t before = VF_EARLY_SEQUENCE_MAX;
    assert_int_equal(vf_early_number(before), before);
    assert_true(vf_early_place_of_revision(VF_EARLY_REVISION_MAX, 0) <= INT64_MAX - VF_EARLY_SIBLINGS_MAX);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t first = vf_early_place_of_revision(numbers[i], 0);
        int64_t last = vf_early_place_of_revision(numbers[i], VF_EARLY_SIBLINGS_MAX - 1);
        assert_true(first > before && last == first + VF_EARLY_SIBLINGS_MAX - 1);
        assert_int_equal(vf_early_number(first), numbers[i]);
        assert_int_equal(vf_early_number(last), numbers[i]);
        before = last;
    }
}

int main(void)
{
#define REVISIONS(function) cmocka_unit_test_setup_teardown(function, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        REVISIONS(what_was_missing_lets_in_what_waits_for_it_when_somebody_asks),
        REVISIONS(what_fills_a_gap_may_be_several_events),
        REVISIONS(what_fills_a_gap_may_be_several_events_where_each_fills_a_batch),
        REVISIONS(nobody_goes_on_with_what_somebody_else_has_asked_for),
        REVISIONS(what_was_asked_for_ends_where_it_was_asked_to),
        REVISIONS(what_fills_the_first_gap_is_not_taken_for_the_next_one_that_is_given_up),
        REVISIONS(all_events_of_one_revision_wait_in_the_order_in_which_they_came),
        REVISIONS(a_repeat_of_what_waits_is_one),
        REVISIONS(what_is_missing_can_be_given_up_and_stays_so),
        REVISIONS(what_was_dropped_counts_its_revision_where_it_comes_early),
        REVISIONS(where_failures_stop_what_was_dropped_waits_for_what_is_missing_before_it),
        REVISIONS(what_waits_comes_first_where_its_gap_is_not_minded_any_more),
        REVISIONS(what_fills_a_gap_comes_first_where_gaps_are_not_minded_any_more),
        REVISIONS(what_is_missing_behind_a_failure_is_waited_for_behind_it),
        REVISIONS(who_drains_what_waits_for_a_link_does_not_vouch_for_a_revision),
        REVISIONS(what_could_not_be_read_does_not_pass_what_came_before_it),
        REVISIONS(what_is_passed_all_the_same_is_said),
        REVISIONS(a_partition_that_has_stopped_has_not_been_read),
        REVISIONS(what_comes_behind_some_of_them_lets_in_these_and_no_others),
        REVISIONS(who_tries_a_failure_again_does_not_vouch_for_a_revision),
        REVISIONS(more_events_than_a_revision_may_have_are_parked),
        REVISIONS(what_finds_no_room_behind_what_waits_to_be_asked_for_is_not_tried_in_vain),
        cmocka_unit_test(a_place_tells_the_number),
    };
    return cmocka_run_group_tests_name("revisions", tests, NULL, NULL);
}
