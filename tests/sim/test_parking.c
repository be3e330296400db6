/* What fails, what is missing, and what somebody decides about it, in situations that chance meets too rarely: a test's name
 * says what holds in it. */
#include "sim/stage.h"

#include "core/versions.h"

#include <stdio.h>

static int setup(void **state)
{
    int result = stage_setup(state);
    struct stage *stage = *state;
    for (size_t i = 0; i < STAGE_WORKERS; i++) {
        stage->setups[i].errors.then = VF_THEN_PARK;
        stage->setups[i].batch.events_max = 20;
    }
    return result;
}

/* A handler has left a table in two places, and the next one has counted twice. What is folded with care because it fails then
 * takes the document through BSON, after which nobody can tell. */
static void what_shares_tables_is_not_kept_as_it_is_by_an_event_that_fails(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "customers", "c1", 1, "Shared", "null");
    stage_send(stage, "customers", "c1", 2, "Changed", "null");
    stage_send(stage, "customers", "c1", 3, "Broken", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).parked, 1);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
}

/* Where the batch is full when a hole is filled, nothing is written about the aggregate but in its document: who comes next has
 * to know that what is behind need not wait any more. */
static void a_hole_that_is_filled_is_noted_where_its_batch_is_full(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.written_bytes_max = 1;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/customer/c1"), 1);
    stage_send(stage, "customers", "c1", 2, "Changed", "null");
    while (stage_next(stage, "customers") < 3)
        stage_turn(stage, 0);
    assert_true(stage_waiting(stage, "/early/customer/c1") == 0 || stage_record(stage, "customer/c1")->draining);
}

/* What is missing is not waited for: not by what failed behind it, either, when it is tried again. */
static void what_failed_behind_an_allowed_gap_does_not_wait_for_what_is_missing(void **state)
{
    struct stage *stage = *state;
    stage->readings[0].envelope.gaps_allowed = true;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 3, "Broken", "null");
    stage_send(stage, "customers", "c1", 4, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 2);
    vf_plain_mended = true;
    stage_retry(stage);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 3);
}

/* Some of these wait for what is missing. Then that is not minded any more (gaps are allowed, or else any number may be
 * the first), and perhaps one event more comes. */
static void expect_in_order(const int64_t *versions, size_t count, int64_t more, bool allowed, bool restarts)
{
    void *state;
    int64_t wanted[8];
    assert_int_equal(setup(&state), 0);
    struct stage *stage = state;
    for (size_t i = 0; i < count; i++)
        stage_send(stage, "customers", "c1", versions[i], "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/customer/c1"), 2);
    if (restarts)
        stage_close(stage, 0);
    stage->readings[0].envelope.gaps_allowed = allowed;
    stage->readings[0].envelope.history_partial = !allowed;
    if (more) /* before the worker looks at its gaps, of its own */
        stage_send(stage, "customers", "c1", more, "Changed", "null");
    if (restarts)
        stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    size_t handled = 0;
    for (int64_t version = 1; version <= 10; version++) {
        bool was_sent = version == more;
        for (size_t i = 0; i < count; i++)
            was_sent |= versions[i] == version;
        if (was_sent)
            wanted[handled++] = version;
    }
    if (stage_chain(stage, "c1", "customer/c1") != stage_chain_of(wanted, handled))
        fail_msg("with %lld more: not all in order", (long long)more);
    assert_int_equal(stage_teardown(&state), 0);
}

static void what_waits_comes_first_where_its_gap_is_not_minded_any_more(void **state)
{
    static const int64_t behind[] = {1, 2, 3, 5, 7}, begins_late[] = {5, 6}, more[] = {0, 4, 6, 8, 10};
    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        for (int restarts = 0; restarts < 2; restarts++)
            expect_in_order(behind, 5, more[i], true, restarts);
    expect_in_order(begins_late, 2, 0, false, false);
    expect_in_order(begins_late, 2, 7, false, false);
}

/* Of what is polled most is in hand still when the worker looks at its gaps. */
static void what_waits_comes_while_others_keep_the_worker_busy(void **state)
{
    struct stage *stage = *state;
    char id[8];
    int64_t sent = 2;
    stage->setups[0].batch.written_bytes_max = 1; /* one document and another */
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/customer/c1"), 1);
    stage->readings[0].envelope.gaps_allowed = true;
    for (int turn = 0; turn < 600; turn++) {
        for (int i = 0; i < 3; i++, sent++) {
            snprintf(id, sizeof id, "d%d", (int)(sent % 9));
            stage_send(stage, "customers", id, 1 + (sent - 2) / 9, "Changed", "null");
        }
        stage_turn(stage, 0);
        vf_sim_clock_advance(&stage->clock, 50);
    }
    assert_true(stage_next(stage, "customers") < sent);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
}

/* Numbers that are no places in a list cannot wait for what is missing: such an event is parked, here behind what waits for a
 * link. What was missing comes as the event that says the link, and then it has a place after all. */
static void what_had_no_place_and_has_one_now_is_the_last_one_seen(void **state)
{
    struct stage *stage = *state;
    stage->readings[1].envelope.first = -5;
    stage_send(stage, "orders", "o1", -5, "Changed", "null");
    stage_send(stage, "orders", "o1", -3, "Changed", "null");
    stage_send(stage, "orders", "o1", -4, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", -3, "Changed", "null");
    stage_send(stage, "orders", "o1", -2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 4);
}

/* Partitions were added, and what comes by the new one may be of an aggregate that has something set aside by another: its repeats
 * are repeats, and what is new waits with it. */
static void what_is_parked_is_not_passed_by_way_of_another_partition(void **state)
{
    struct stage *stage = *state;
    vf_memory_log_add_topic(stage->log, "customers", 2);
    stage_open(stage, 0);
    stage_open(stage, 1);
    stage_run(stage);
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 2, "Broken", "null");
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 2);
    vf_plain_mended = true;
    for (int64_t version = 1; version <= 4; version++)
        stage_send_to(stage, "customers", 1, "c1", version, version == 2 ? "Broken" : "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 3);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
    stage_retry(stage);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 4);
}

/* A document that is gone is forgotten with the versions that it has taken in, but not while something is behind a gap. */
static void a_gap_is_filled_though_its_document_was_to_be_forgotten(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].sweeps = true;
    stage->setups[0].forget_ms = 3600000;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 2, "Deleted", "null");
    stage_send(stage, "customers", "c1", 4, "Changed", "null");
    stage_send(stage, "customers", "c2", 1, "Changed", "null");
    stage_send(stage, "customers", "c2", 2, "Deleted", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/customer/c1"), 1);
    stage->clock.wall_ms += (int64_t)24 * 3600000;
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
    assert_int_equal(stage_presence(stage, "c2"), VF_ABSENT);
}

/* A document is forgotten with its aggregates' numbers, and the next event of one makes it anew before the others go on. */
static void expect_to_go_on(const char *first_topic, const char *first_id, const char *then_topic, const char *then_id)
{
    void *state;
    assert_int_equal(setup(&state), 0);
    struct stage *stage = state;
    stage->setups[0].sweeps = true;
    stage->setups[0].forget_ms = 3600000;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    stage_send(stage, "customers", "c1", 2, "Deleted", "null");
    stage_run(stage);
    stage->clock.wall_ms += (int64_t)24 * 3600000;
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_ABSENT);
    stage_send(stage, first_topic, first_id, 3, "Changed", "null");
    stage_run(stage);
    stage_send(stage, then_topic, then_id, 3, "Changed", "null");
    stage_send(stage, then_topic, then_id, 4, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_counts(stage, 0).parked, 0);
    assert_int_equal(stage_next(stage, "customers") + stage_next(stage, "orders"), 7);
    assert_int_equal(stage_teardown(&state), 0);
}

static void what_was_forgotten_goes_on_though_another_has_made_its_document_anew(void **state)
{
    (void)state;
    expect_to_go_on("customers", "c1", "orders", "o1");
    expect_to_go_on("orders", "o1", "customers", "c1");
}

/* What came early came by a topic that is not read any more. What fills the hole, and what comes between, is taken in. */
static void what_came_early_and_cannot_be_read_holds_up_nothing_before_it(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    vf_memory_log_append(stage->log, (struct vf_partition){"orders", 0}, vf_bytes_from("c1"),
                         VF_LITERAL("{\"kind\":\"customer\",\"id\":\"c1\",\"version\":4,\"type\":\"Changed\"}"),
                         1772359200000);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/customer/c1"), 2);
    stage_close(stage, 0);
    stage->projection.topic_count = stage->setups[0].topic_count = stage->setups[0].source.topic_count = 1;
    stage_send(stage, "customers", "c1", 2, "Changed", "null");
    stage_send(stage, "customers", "c2", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "customers"), 4);
    assert_null(stage_stopped(stage, "customers", 0));
    assert_int_equal(stage_counts(stage, 0).parked, 0);
    assert_int_equal(stage_waiting(stage, NULL), 1);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 3);
    assert_int_equal(stage_handled(stage, "c2", "customer/c2"), 1);
}

static void what_is_forgotten_is_read_in_two_round_trips(void **state)
{
    struct stage *stage = *state;
    char id[8];
    stage->setups[0].sweeps = true;
    stage->setups[0].forget_ms = 3600000;
    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof id, "c%d", i);
        stage_send(stage, "customers", id, 1, "Changed", "null");
        stage_send(stage, "customers", id, 2, "Deleted", "null");
    }
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    stage->clock.wall_ms += (int64_t)24 * 3600000;
    stage_open(stage, 0); /* it remembers nothing */
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c0"), VF_ABSENT);
    assert_int_equal(stage_counts(stage, 0).swept, 9);
    assert_in_range(stage_counts(stage, 0).loads, 2, 3); /* one may be of the record that it reads again */
}

/* In one batch, and by another partition. */
static void a_repeat_of_what_is_parked_is_not_parked(void **state)
{
    struct stage *stage = *state;
    vf_memory_log_add_topic(stage->log, "customers", 2);
    for (int32_t partition = 0; partition < 2; partition++) {
        stage_send_to(stage, "customers", partition, "c1", 1, "Changed", "null");
        stage_send_to(stage, "customers", partition, "c1", 2, "Broken", "null");
    }
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 1);
    assert_int_equal(stage_counts(stage, 0).duplicates, 2);
}

/* Who has dropped what the list began with did not come to its end. The worker remembers the list as it was before that. */
static void a_list_that_others_have_begun_to_drain_is_looked_at_as_it_is(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage->retry_rows_max = 1;
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    assert_true(stage_record(stage, "order/o1")->draining);
    stage_run(stage);
    assert_false(stage_record(stage, "order/o1")->draining);
    assert_int_equal(stage_waiting(stage, NULL), 2);
}

/* What fails may have met an old document, or a slow moment. */
static void an_event_is_tried_as_often_as_errors_says_before_it_is_parked(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].errors.retries = 3;
    vf_plain_flaky = 3;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Flaky", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).parked, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

/* What fails for good is set aside with what its aggregate does next, and nothing else: it costs a turn, not a partition. */
static void an_event_that_fails_for_good_is_parked_with_its_aggregate(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Broken", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o2", 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).parked, 1);
    assert_int_equal(stage_counts(stage, 0).stops, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o2"), 2);
    assert_int_equal(stage_waiting(stage, "order/o1"), 2);
}

/* --- what says the link ---------------------------------------------------------------------------------------------- */

/* It has come too early, with what is behind it; what was missing has to wait for the link. */
static void a_link_among_what_came_early_is_followed(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 3, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){3, 1, 2, 4}, 4));
}

/* The same where numbers were given up. */
static void a_link_behind_what_was_given_up_is_followed(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/order/o1"), 3);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_missing = true});
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){3, 2, 4}, 3));
}

/* What failed said a link; it is left out, and another one is said behind more than a batch takes. */
static void a_link_far_behind_what_was_left_out_is_found(void **state)
{
    enum { LAST = 1235 };
    struct stage *stage = *state;
    int64_t versions[LAST] = {LAST - 1};
    stage->setups[0].batch.events_max = 300;
    stage_send(stage, "orders", "o1", 1, "Created", "[\"c1\",\"c2\"]"); /* a link is one document */
    for (int64_t version = 2; version < LAST - 1; version++) {
        stage_send(stage, "orders", "o1", version, "Changed", "null");
        versions[version - 1] = version;
    }
    stage_send(stage, "orders", "o1", LAST - 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", LAST, "Changed", "null");
    versions[LAST - 2] = LAST;
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), LAST);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of(versions, LAST - 1));
}

/* No worker runs: the command that has dropped it goes on by itself, batch by batch. */
static void a_link_behind_what_was_left_out_is_found_in_several_batches(void **state)
{
    struct stage *stage = *state;
    stage->retry_rows_max = 1;
    stage_send(stage, "orders", "o1", 1, "Created", "[\"c1\",\"c2\"]");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o1", 4, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    for (int batch = 0; batch < 9; batch++)
        stage_retry_as(stage, &(struct vf_fold_retry){0});
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 3);
}

/* An event whose time is what is wrong with it. */
static void what_is_left_out_says_no_time(void **state)
{
    static const char broken[] = "{\"kind\":\"customer\",\"id\":\"c1\",\"version\":2,\"type\":\"Broken\"}";
    struct stage *stage = *state;
    stage->projection.ttl_ms = 3600000;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    vf_memory_log_append(stage->log, (struct vf_partition){"customers", 0}, vf_bytes_from("c1"), vf_bytes_from(broken),
                         1772359200000 + (int64_t)1000 * 86400000);
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
}

/* Of two links behind what failed, the first one is followed first; and one that comes while it is sought comes behind. */
static void of_two_links_behind_what_failed_the_first_is_first(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "[\"c1\",\"c2\"]");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 4, "Reassigned", "\"c2\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    stage_send(stage, "orders", "o1", 5, "Reassigned", "\"c3\"");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c3", "order/o1"), 4);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 0);
}

/* Who tries again takes in as much as a batch holds, and leaves the rest to the workers. They have the record in their caches as it
 * was, parked and with something early, which is not next. */
static void what_a_retry_has_left_is_taken_in_by_who_remembers_it_parked(void **state)
{
    enum { LAST = 150 };
    struct stage *stage = *state;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 2, "Broken", "null");
    for (int64_t version = 3; version <= LAST; version++)
        stage_send(stage, "customers", "c1", version, "Changed", "null");
    stage_send(stage, "customers", "c1", LAST + 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "customer/c1"), LAST - 1);
    assert_int_equal(stage_waiting(stage, "/early/customer/c1"), 1);
    vf_plain_mended = true;
    stage_retry(stage);
    assert_true(stage_record(stage, "customer/c1")->draining);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), LAST);
}

static void send_text(struct stage *stage, const char *version, const char *type, const char *to)
{
    struct vf_buffer value;
    vf_buffer_init(&value);
    vf_buffer_printf(&value,
                     "{\"kind\":\"order\",\"id\":\"o1\",\"version\":\"%s\",\"type\":\"%s\",\"data\":{\"to\":%s}}",
                     version, type, to);
    vf_memory_log_append(stage->log, (struct vf_partition){"orders", 0}, vf_bytes_from("o1"),
                         vf_bytes(value.data, value.size), 1772359200000);
    vf_buffer_done(&value);
}

/* Versions of one length can be compared. One of another length stays where it is, whatever it says. */
static void a_link_without_a_place_is_not_brought_forward(void **state)
{
    static struct vf_envelope_plan text_plan;
    struct stage *stage = *state;
    text_plan = vf_envelope_standard;
    text_plan.parts[VF_PART_VERSION].as = VF_AS_UTF8;
    stage->readings[1].envelope.numbers = VF_NUMBERS_ORDERED;
    stage->readings[1].envelope.plan = &text_plan;
    send_text(stage, "01", "Created", "[\"c1\",\"c2\"]");
    send_text(stage, "02", "Changed", "null");
    send_text(stage, "003", "Created", "\"c2\"");
    send_text(stage, "03", "Created", "\"c1\"");
    send_text(stage, "04", "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 5);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    assert_int_equal(stage_waiting(stage, "order/o1"), 2);
}

/* Turns of both workers in which no time passes, until they have read so far and call themselves done. */
static void catch_up(struct stage *stage, int64_t next)
{
    bool done = false;
    for (int turn = 0; turn < 400 && !done; turn++) {
        done = stage_next(stage, "customers") == next;
        for (size_t i = 0; i < STAGE_WORKERS; i++) {
            struct vf_worker_report report = {0};
            stage_turn(stage, i);
            vf_worker_report(stage->workers[i], &report);
            done &= report.caught_up;
        }
    }
    assert_true(done);
}

/* Events come early by one partition; what was missing comes by another, whose worker has looked before, and knows of nothing that
 * is set aside. Who ends when all is taken in looks once more. */
static void who_has_caught_up_leaves_nothing_early_that_is_next(void **state)
{
    struct stage *stage = *state;
    vf_memory_log_add_topic(stage->log, "customers", 2);
    for (size_t i = 0; i < STAGE_WORKERS; i++) {
        stage->setups[i].once = true;
        stage_open(stage, i);
    }
    stage_send(stage, "customers", "c2", 1, "Created", "null");
    stage_run(stage);
    catch_up(stage, 1);
    stage_send_to(stage, "customers", 1, "c1", 4, "Changed", "null");
    stage_send_to(stage, "customers", 1, "c1", 3, "Changed", "null");
    while (stage_waiting(stage, "/early/customer/c1") < 2)
        catch_up(stage, 1);
    stage_send(stage, "customers", "c1", 1, "Created", "null");
    stage_send(stage, "customers", "c1", 2, "Changed", "null");
    catch_up(stage, 3);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "customer/c1"), stage_chain_of((const int64_t[]){1, 2, 3, 4}, 4));
}

/* --- what was decided ---------------------------------------------------------------------------------------------- */

/* No copy of it is meant. */
static void leave_out(struct stage *stage, const char *aggregate, int64_t offset, int64_t timestamp_ms)
{
    bool is_read = aggregate[0] != '/';
    stage_decide(stage, &(struct vf_dropped){.aggregate = vf_bytes_from(aggregate),
                                             .partition = {"orders", 0},
                                             .offset = offset,
                                             .timestamp_ms = timestamp_ms,
                                             .identity = is_read});
}

static void build_anew(struct stage *stage)
{
    stage_close(stage, 0);
    stage_drop(stage, true);
    stage_open(stage, 0);
    stage_run(stage);
}

#define SENT_MS 1772359200000 /* by stage_send */

static void what_was_left_out_stays_out_when_the_view_is_built_anew(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    int64_t broken = stage_send(stage, "orders", "o1", 2, "Broken", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    int64_t early = stage_send(stage, "orders", "o2", 3, "Broken", "null"); /* is read before what comes before it */
    stage_send(stage, "orders", "o2", 2, "Changed", "null");
    stage_send(stage, "orders", "o2", 4, "Changed", "null");
    int64_t garbage = vf_memory_log_append(stage->log, (struct vf_partition){"orders", 0}, vf_bytes_from("?"),
                                           vf_bytes_from("?"), SENT_MS);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).parked, 3);
    leave_out(stage, "order/o1", broken, SENT_MS);
    leave_out(stage, "order/o2", early, SENT_MS);
    leave_out(stage, "/unreadable/orders/0@7", garbage, SENT_MS);
    build_anew(stage);
    assert_int_equal(stage_counts(stage, 0).parked, 0);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){1, 3}, 2));
    assert_int_equal(stage_chain(stage, "c1", "order/o2"), stage_chain_of((const int64_t[]){1, 2, 4}, 3));
}

/* Another partition's copy of the event is read, and the record that was meant is not. */
static void a_copy_of_what_was_left_out_stays_out_when_the_view_is_built_anew(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    struct vf_record record = {
        .value = VF_LITERAL("{\"kind\":\"order\",\"id\":\"o1\",\"version\":2,\"type\":\"Broken\",\"data\":{}}")};
    struct vf_event event = {
        .record = &record, .aggregate = VF_LITERAL("order/o1"), .version = 2, .type = VF_LITERAL("Broken")};
    vf_memory_log_append(stage->log, (struct vf_partition){"orders", 0}, vf_bytes_from("o1"), record.value, SENT_MS);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 2);
    stage_decide(stage, &(struct vf_dropped){.aggregate = event.aggregate,
                                             .partition = {"orders", 1},
                                             .offset = 1042,
                                             .timestamp_ms = SENT_MS,
                                             .identity = vf_event_identity(&event)});
    build_anew(stage);
    assert_int_equal(stage_counts(stage, 0).parked, 0);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){1, 3}, 2));
}

/* Nobody can tell what it repeats before it is next to something. */
static void a_copy_behind_what_is_dropped_is_dropped_with_it(void **state)
{
    struct stage *stage = *state;
    for (int i = 0; i < 3; i++)
        stage_send(stage, "orders", "o1", 0, "Changed", "null"); /* numbers begin at 1 */
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 4);
    stage_retry_as(stage, &(struct vf_fold_retry){.drop_first = true});
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1);
}

/* Nobody could read it when it was dropped; now it can be read, and has a number that another event has had since. */
static void what_could_not_be_read_when_it_was_dropped_has_no_number(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    int64_t garbage = stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("order/o1"),
                                             .partition = {"orders", 0},
                                             .offset = garbage,
                                             .timestamp_ms = SENT_MS});
    build_anew(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

/* It is not next, so that nothing becomes of it: of one that can be read no more than of one that cannot. */
static void what_has_no_place_stays_out_when_the_view_is_built_anew(void **state)
{
    struct stage *stage = *state;
    int64_t first = stage_send(stage, "orders", "o1", 0, "Changed", "null"); /* numbers begin at 1 */
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 3);
    leave_out(stage, "order/o1", first, SENT_MS);
    build_anew(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

static void what_is_not_waited_for_is_not_when_the_view_is_built_anew(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_send(stage, "orders", "o1", 6, "Changed", "null");
    stage_send(stage, "orders", "o1", 9, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/order/o1"), 3);
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("order/o1"), .missing_from = 2, .missing_to = 4});
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("order/o1"), .missing_from = 5, .missing_to = 6});
    build_anew(stage);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){1, 4, 6}, 3));
    assert_int_equal(stage_waiting(stage, "/early/order/o1"), 1); /* of 7 and 8 nobody has said anything */
}

/* It was not next, so that nothing tells its copy but the decision. */
static void a_copy_of_what_was_dropped_stays_out_of_a_worker_that_has_run_on(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_record record = {
        .value = VF_LITERAL("{\"kind\":\"order\",\"id\":\"o1\",\"version\":2,\"type\":\"Changed\",\"data\":{}}")};
    struct vf_event event = {
        .record = &record, .aggregate = VF_LITERAL("order/o1"), .version = 2, .type = VF_LITERAL("Changed")};
    stage_decide(stage, &(struct vf_dropped){.aggregate = event.aggregate,
                                             .partition = {"orders", 1},
                                             .identity = vf_event_identity(&event)});
    stage_run(stage); /* some seconds pass */
    vf_memory_log_append(stage->log, (struct vf_partition){"orders", 0}, vf_bytes_from("o1"), record.value, SENT_MS);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){1, 3}, 2));
}

/* They came late, and were passed. A rebuild may meet them in their turn. */
static void what_was_given_up_is_not_taken_in_by_a_rebuild(void **state)
{
    static const int64_t sent[] = {1, 2, 3, 4, 7, 8}, taken[] = {1, 4, 7, 8};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
        stage_send(stage, "orders", "o1", sent[i], i ? "Changed" : "Created", i ? "null" : "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/order/o1"), 2);
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("order/o1"), .missing_from = 2, .missing_to = 3});
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("order/o1"), .missing_from = 2, .missing_to = 4});
    stage_decide(stage, &(struct vf_dropped){.aggregate = VF_LITERAL("order/o1"), .missing_from = 5, .missing_to = 7});
    build_anew(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of(taken, 4));
}

/* A topic that was made anew has other events at the same offsets; and another aggregate's may be there. */
static void only_what_was_left_out_is(void **state)
{
    struct stage *stage = *state;
    int64_t first = stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    int64_t second = stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    leave_out(stage, "order/o1", first, SENT_MS - 1);
    leave_out(stage, "order/o2", second, SENT_MS);
    build_anew(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

int main(void)
{
#define PARKING(function) cmocka_unit_test_setup_teardown(function, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        PARKING(what_shares_tables_is_not_kept_as_it_is_by_an_event_that_fails),
        PARKING(a_hole_that_is_filled_is_noted_where_its_batch_is_full),
        PARKING(what_had_no_place_and_has_one_now_is_the_last_one_seen),
        cmocka_unit_test(what_waits_comes_first_where_its_gap_is_not_minded_any_more),
        PARKING(what_waits_comes_while_others_keep_the_worker_busy),
        PARKING(what_failed_behind_an_allowed_gap_does_not_wait_for_what_is_missing),
        PARKING(what_is_parked_is_not_passed_by_way_of_another_partition),
        PARKING(a_gap_is_filled_though_its_document_was_to_be_forgotten),
        PARKING(what_came_early_and_cannot_be_read_holds_up_nothing_before_it),
        cmocka_unit_test(what_was_forgotten_goes_on_though_another_has_made_its_document_anew),
        PARKING(what_is_forgotten_is_read_in_two_round_trips),
        PARKING(a_repeat_of_what_is_parked_is_not_parked),
        PARKING(a_list_that_others_have_begun_to_drain_is_looked_at_as_it_is),
        PARKING(an_event_is_tried_as_often_as_errors_says_before_it_is_parked),
        PARKING(an_event_that_fails_for_good_is_parked_with_its_aggregate),
        PARKING(what_was_left_out_stays_out_when_the_view_is_built_anew),
        PARKING(what_has_no_place_stays_out_when_the_view_is_built_anew),
        PARKING(what_could_not_be_read_when_it_was_dropped_has_no_number),
        PARKING(a_copy_behind_what_is_dropped_is_dropped_with_it),
        PARKING(a_copy_of_what_was_left_out_stays_out_when_the_view_is_built_anew),
        PARKING(what_is_not_waited_for_is_not_when_the_view_is_built_anew),
        PARKING(a_copy_of_what_was_dropped_stays_out_of_a_worker_that_has_run_on),
        PARKING(what_was_given_up_is_not_taken_in_by_a_rebuild),
        PARKING(only_what_was_left_out_is),
        PARKING(who_has_caught_up_leaves_nothing_early_that_is_next),
        PARKING(what_a_retry_has_left_is_taken_in_by_who_remembers_it_parked),
        PARKING(a_link_among_what_came_early_is_followed),
        PARKING(a_link_behind_what_was_given_up_is_followed),
        PARKING(a_link_far_behind_what_was_left_out_is_found),
        PARKING(a_link_behind_what_was_left_out_is_found_in_several_batches),
        PARKING(what_is_left_out_says_no_time),
        PARKING(of_two_links_behind_what_failed_the_first_is_first),
        PARKING(a_link_without_a_place_is_not_brought_forward),
    };
    return cmocka_run_group_tests_name("parking", tests, NULL, NULL);
}
