/* Situations that chance meets too rarely, each stepped through by hand: a test's name says what holds in it. */
#include "run/supervisor.h"
#include "sim/sim_operator.h"
#include "sim/stage.h"

#include <stdio.h>
#include <string.h>

/* Fails unless the partition's note of why it stopped holds these words. */
static void assert_stopped(struct stage *stage, const char *topic, int32_t partition, const char *words)
{
    const char *why = stage_stopped(stage, topic, partition);
    if (!why || !strstr(why, words))
        fail_msg("%s/%d stopped: %s; wanted: %s", topic, partition, why ? why : "it goes on", words);
}

static void assert_goes_on(struct stage *stage, const char *topic, int32_t partition)
{
    const char *why = stage_stopped(stage, topic, partition);
    if (why)
        fail_msg("%s/%d stopped: %s", topic, partition, why);
}

/* --- deciding ----------------------------------------------------------------------------------------------------- */

/* A producer that sends an old event once more may have got its content wrong: it is not looked at. */
static void a_repeat_of_a_link_event_is_not_followed(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 1, "Created", "\"c2\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_next(stage, "orders"), 3);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    assert_false(stage_has(stage, "c2"));
}

/* The decision that an event is a duplicate rests on a document that is only read. */
static void what_a_batch_only_read_is_in_its_condition(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
    stage_turn(stage, 0);                    /* sent, and not there yet */
    stage_write_customer(stage, "c1", true); /* meanwhile another worker writes the document */
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).conflicts, 1);
    assert_int_equal(stage_next(stage, "orders"), 2);
    assert_int_equal(stage->conditions, 1);
}

/* A store that is rewound between two reads: progress is read before an event, the record after it, and what is written to
 * has not seen it. MongoDB does not look at records that are only followed. */
static void what_is_left_out_because_of_a_record_is_left_out_where_the_record_is(void **state)
{
    struct stage *stage = *state;
    stage_use_records(stage);
    vf_memory_server_set_touch(stage->server, true);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_run(stage);
    struct vf_memory_snapshot *after = vf_memory_server_snapshot(stage->server);
    stage_close(stage, 0);

    vf_memory_server_restore(stage->server, before);
    stage_open(stage, 1);
    while (stage_counts(stage, 1).positionings == 0)
        stage_turn(stage, 1);
    vf_memory_server_restore(stage->server, after);
    vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
    while (stage_counts(stage, 1).loads == 0)
        stage_turn(stage, 1);
    stage_turn(stage, 1); /* sent, and not there yet */
    vf_memory_server_restore(stage->server, before);
    stage_run(stage);
    assert_true(stage_counts(stage, 1).conflicts > 0);
    assert_int_equal(stage_next(stage, "orders"), 2);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    vf_memory_snapshot_free(before);
    vf_memory_snapshot_free(after);
}

/* --- presuming ---------------------------------------------------------------------------------------------------- */

static void an_empty_generation_is_not_read(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).loads, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    stage_close(stage, 0);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_open(stage, 1); /* it finds progress, so it reads: the link, and then the document */
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 1).loads, 2);
    assert_int_equal(stage_counts(stage, 1).conflicts, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 3);
}

static void what_another_has_written_into_an_empty_generation_is_read_after_one_conflict(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    while (stage_counts(stage, 0).positionings == 0)
        stage_turn(stage, 0); /* it has seen that nothing is there */
    stage_write_customer(stage, "c1", true);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Needs", "null");
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).conflicts, 1);
    assert_int_equal(stage_counts(stage, 0).stops, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

static void what_has_left_the_cache_is_read_and_not_presumed_absent(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].cache_bytes = 1;
    for (int64_t version = 1; version <= 2; version++) {
        stage_send(stage, "customers", "c1", version, "Changed", "null");
        stage_send(stage, "customers", "c2", version, "Changed", "null");
        stage_send(stage, "customers", "c3", version, "Changed", "null");
    }
    stage_open(stage, 0);
    stage_run(stage);
    assert_true(stage_counts(stage, 0).evicted > 0);
    assert_true(stage_counts(stage, 0).loads > 0);
    assert_int_equal(stage_counts(stage, 0).conflicts, 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 2);
}

/* --- failing ------------------------------------------------------------------------------------------------------ */

static void an_event_that_fails_on_an_old_document_is_folded_on_a_fresh_one(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage); /* c1 is warm now, without a customer */
    stage_write_customer(stage, "c1", true);
    stage_send(stage, "orders", "o1", 2, "Needs", "null");
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_counts(stage, 0).stops, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

/* The batch before it is refused each time, by another worker's write that also gives the event what it needs. */
static void a_failure_on_top_of_a_batch_that_came_to_nothing_does_not_count(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Needs", "null");
    for (int round = 0; round < 3; round++) {
        stage_write_customer(stage, "c1", false);
        vf_worker_drop_cache(stage->workers[0]);
        vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
        int64_t conflicts = stage_counts(stage, 0).conflicts;
        int64_t loads = stage_counts(stage, 0).loads;
        while (stage_counts(stage, 0).loads == loads)
            stage_turn(stage, 0); /* the first batch is folded and under way */
        stage_write_customer(stage, "c1", true);
        while (stage_counts(stage, 0).conflicts == conflicts)
            stage_turn(stage, 0); /* the second fails on top of it, and the first meets its conflict */
    }
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).stops, 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 3);
}

static void a_stopped_partition_stays_stopped_and_others_go_on(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Broken", "null");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "customers", "c1", 1, "Changed", "\"c1\"");
    vf_memory_server_cut_connections(stage->server); /* positions are taken again */
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "plain: broken");
    assert_int_equal(stage_counts(stage, 0).stops, 1);
    assert_int_equal(stage_next(stage, "orders"), 1);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
}

/* What stopped it is behind again, and may go well this time. */
static void a_stopped_partition_goes_on_where_its_store_went_back(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Flaky", "null");
    stage_open(stage, 0);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    vf_plain_flaky = 1000;
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "plain: flaky");
    vf_plain_flaky = 0;
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 1);
    vf_memory_server_restore(stage->server, before);
    vf_memory_snapshot_free(before);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 2);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

static void begin_orders(struct stage *stage, int64_t count)
{
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    for (int64_t version = 2; version <= count; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), count);
    stage_close(stage, 0);
}

static void make_anew(struct stage *stage, int64_t count)
{
    vf_memory_log_recreate(stage->log, "orders");
    for (int64_t i = 0; i < count; i++)
        stage_send(stage, "orders", "o2", i + 1, i ? "Changed" : "Created", "\"c2\"");
    stage_open(stage, 0);
    stage_run(stage);
}

static void a_topic_made_anew_is_known_by_its_last_record(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 3);
    make_anew(stage, 5);
    assert_stopped(stage, "orders", 0, "is not the one that the view has taken in");
    assert_false(stage_has(stage, "c2"));
}

static void a_topic_made_anew_is_known_by_its_end(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 3);
    make_anew(stage, 2); /* just so many that the last record's offset is the end */
    assert_stopped(stage, "orders", 0, "re-created or truncated");
}

static void a_topic_made_anew_and_empty_is_known(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 3);
    make_anew(stage, 0);
    assert_stopped(stage, "orders", 0, "re-created or truncated");
}

static void a_log_without_its_beginning_is_refused(void **state)
{
    struct stage *stage = *state;
    for (int64_t version = 1; version <= 3; version++)
        stage_send(stage, "customers", "c1", version, "Changed", "\"c1\"");
    vf_memory_log_trim(stage->log, (struct vf_partition){"customers", 0}, 2);
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "customers", 0, "begins at offset 2");
    assert_false(stage_has(stage, "c1"));
}

static void a_log_without_its_beginning_is_read_where_that_is_right(void **state)
{
    struct stage *stage = *state;
    stage->readings[0].envelope.history_partial = true;
    for (int64_t version = 1; version <= 3; version++)
        stage_send(stage, "customers", "c1", version, "Changed", "\"c1\"");
    vf_memory_log_trim(stage->log, (struct vf_partition){"customers", 0}, 2);
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "customers", 0);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
}

static void what_the_log_no_longer_holds_is_not_skipped(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 2);
    for (int64_t version = 3; version <= 6; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    vf_memory_log_trim(stage->log, (struct vf_partition){"orders", 0}, 4);
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "2 offsets are gone");
    assert_int_equal(stage_next(stage, "orders"), 2);
}

static void a_last_record_that_is_gone_is_not_missed(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 2);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    vf_memory_log_trim(stage->log, (struct vf_partition){"orders", 0}, 2);
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 3);
}

/* Rows come mixed at random, so this is tried with many logs: in some, the first poll after the new assignment still brings
 * what the old one had met, a position that the log no longer holds. */
static void an_older_assignments_position_out_of_range_says_nothing(void **state)
{
    struct stage *stage = *state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        stage_close(stage, 0);
        vf_memory_server_wipe(stage->server);
        vf_memory_log_free(stage->log);
        stage->log = vf_memory_log_new(seed);
        vf_memory_log_set_stale(stage->log, 1000);
        stage->setups[0].source.brokers = vf_memory_log_brokers(stage->log);
        stage->setups[0].batch.events_max = 20;
        vf_memory_log_add_topic(stage->log, "customers", 1);
        vf_memory_log_add_topic(stage->log, "orders", 1);
        stage_send(stage, "customers", "c1", 1, "Changed", "\"c1\"");
        stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
        stage_open(stage, 0);
        stage_run(stage);
        vf_memory_log_set_rows_max(stage->log, 1);
        for (int64_t version = 2; version <= 4; version++) {
            stage_send(stage, "customers", "c1", version, "Changed", "\"c1\"");
            stage_send(stage, "orders", "o1", version, "Changed", "null");
        }
        /* Another worker has dealt with all of it, and retention has taken it. */
        stage_turn(stage, 0);
        stage_move_progress(stage, "customers", 4);
        stage_move_progress(stage, "orders", 4);
        vf_memory_log_trim(stage->log, (struct vf_partition){"orders", 0}, 4);
        stage_run(stage);
        if (stage_counts(stage, 0).stops)
            fail_msg("log %d: stopped", (int)seed);
    }
}

/* --- partitions --------------------------------------------------------------------------------------------------- */

static void more_partitions_stop_a_topic_of_offset_numbers(void **state)
{
    struct stage *stage = *state;
    stage_use_records(stage);
    stage_send(stage, "tags", "t1", 0, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    vf_memory_log_add_topic(stage->log, "tags", 2);
    stage_send(stage, "tags", "t1", 0, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "tags", 0, "had 1");
    assert_int_equal(stage_handled(stage, "c1", "tag/t1"), 1);
}

/* Its records may be an aggregate's later ones, whose earlier ones the stopped partition still has. */
static void a_new_partition_of_offset_numbers_stops_too(void **state)
{
    struct stage *stage = *state;
    stage_use_records(stage);
    stage_send(stage, "tags", "t1", 0, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_close(stage, 0);
    stage_send(stage, "tags", "t1", 0, "Changed", "\"c1\"");
    vf_memory_log_add_topic(stage->log, "tags", 2);
    stage_send_to(stage, "tags", 1, "t1", 0, "Shared", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "tags", 0, "had 1");
    assert_stopped(stage, "tags", 1, "had 1");
    assert_int_equal(stage_handled(stage, "c1", "tag/t1"), 1);
}

/* A producer without keys: what has the lower offset was taken for a repeat, and lost without a word. */
static void an_aggregate_of_offset_numbers_in_two_partitions_stops_and_loses_nothing(void **state)
{
    struct stage *stage = *state;
    stage_use_records(stage);
    vf_memory_log_add_topic(stage->log, "tags", 2);
    stage_send_to(stage, "tags", 0, "t1", 0, "Changed", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "tag/t1"), 1);
    stage_send_to(stage, "tags", 1, "t1", 0, "Changed", "\"c1\"");
    stage_send_to(stage, "tags", 1, "t2", 0, "Changed", "\"c1\"");
    stage_run(stage);
    assert_stopped(stage, "tags", 1, "tag/t1: offset 0 is not behind 0");
    assert_goes_on(stage, "tags", 0);
    assert_int_equal(stage_counts(stage, 0).duplicates, 0);
    assert_int_equal(stage_handled(stage, "c1", "tag/t2"), 0); /* behind it: not dealt with, and not lost */
}

static void more_partitions_of_a_sequence_go_on(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 2);
    vf_memory_log_add_topic(stage->log, "orders", 2);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 3);
}

/* Between topics there is no order: late ones would be taken for repeats. Found before anything is connected to. */
static void a_kind_whose_numbers_are_no_sequence_comes_from_one_topic(void **state)
{
    struct stage *stage = *state;
    static const struct {
        const char *kinds[2]; /* of the topics orders and tags; NULL: as each event says */
        enum vf_numbers numbers;
        bool refused;
        const char *words;
    } cases[] = {
        {{"tag", "tag"}, VF_NUMBERS_OFFSET, true, "tags, whose numbers are offsets, and orders, which does hold"},
        {{NULL, "tag"}, VF_NUMBERS_OFFSET, true, "which may hold the same kind"},
        {{"tag", "tag"}, VF_NUMBERS_ORDERED, true, "tags, whose numbers are `ordered`, and orders, which does hold"},
        {{"tag", "tag"}, VF_NUMBERS_REVISION, true, "whose numbers are a `revision`"},
        {{NULL, "tag"}, VF_NUMBERS_ORDERED, false, ""}, /* they may differ, and then all is well */
        {{"order", "tag"}, VF_NUMBERS_OFFSET, false, ""},
        {{"tag", "tag"}, VF_NUMBERS_SEQUENCE, false, ""},
    };
    stage_use_records(stage);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct vf_topic_entry topics[] = {
            {.name = "customers", .topic = "customers", .envelope = {.kind = "customer"}},
            {.name = "orders", .topic = "orders", .envelope = {.kind = cases[i].kinds[0]}},
            {.name = "tags", .topic = "tags", .envelope = {.kind = cases[i].kinds[1], .numbers = cases[i].numbers}},
        };
        const struct vf_projection_entry projection = {
            .script_folder = VIEWFOLD_SOURCE_DIR "/projections/customer_orders", .script_name = "customer_orders.lua"};
        const struct vf_config config = {.path = "viewfold.yaml",
                                         .topics = topics,
                                         .topic_count = 3,
                                         .projections = &projection,
                                         .projection_count = 1};
        const char *const names[] = {"another"}; /* else it would run */
        const struct vf_supervisor_setup setup = {.config = &config,
                                                  .clock = &stage->clock.clock,
                                                  .projector_type = &vf_plain_projector_type,
                                                  .projections = names,
                                                  .projection_count = 1,
                                                  .once = true};
        struct vf_error error = {0};
        int status;
        enum vf_code code = vf_supervisor_run(&setup, &status, &error);
        if (code != (cases[i].refused ? VF_E_CONFIG : VF_E_NOT_FOUND) || !strstr(error.text, cases[i].words))
            fail_msg("case %zu: %s", i, error.text);
    }
}

/* --- the store ---------------------------------------------------------------------------------------------------- */

static void empty(struct stage *stage)
{
    begin_orders(stage, 2);
    vf_memory_server_wipe(stage->server);
    stage_open(stage, 0);
    stage_run(stage);
}

static void an_emptied_store_is_filled_again(void **state)
{
    struct stage *stage = *state;
    empty(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

/* Nothing is written any more, and yet readers and `status` find the view, and why it does not go on. */
static void an_emptied_store_that_the_log_cannot_fill_says_so(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 2);
    stage_open(stage, 0);
    stage_run(stage);
    vf_memory_log_trim(stage->log, (struct vf_partition){"orders", 0}, 1);
    vf_memory_server_wipe(stage->server);
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "begins at offset 1");
}

static void an_emptied_store_stops_where_its_owner_wants_to_be_asked(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].emptied_stop = true;
    empty(stage);
    assert_stopped(stage, "orders", 0, "has been emptied");
    assert_false(stage_has(stage, "c1"));
}

/* --- scripts ------------------------------------------------------------------------------------------------------ */

static void a_worker_runs_the_script_that_the_store_holds(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    stage->file.text = VF_LITERAL("another script"); /* and yet its hash is the same */
    stage_open(stage, 1);
    assert_string_equal(vf_plain_script, "the first script");
}

static void another_script_of_the_same_version_is_refused(void **state)
{
    struct stage *stage = *state;
    struct vf_error error;
    stage_open(stage, 0);
    stage->proposed.script_hash[0] = 'b';
    assert_int_equal(vf_worker_open(&stage->setups[1], &stage->workers[1], &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "differs from the script that generation 1 runs"));
}

static void begin_as_new(struct stage *stage, size_t worker)
{
    stage->proposed.stamp++;
    stage_open(stage, worker);
}

/* The batch under way was folded by the former script: it comes to nothing, and is folded by the next. */
static void what_an_adoption_meets_under_way_is_folded_by_the_next_script(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
    stage_turn(stage, 0); /* sent, and not there yet */
    stage_adopt(stage, VF_PLAIN_TWICE);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).superseded, 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1 + 2);
    assert_string_equal(vf_plain_script, VF_PLAIN_TWICE);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1 + 2 + 2);
    begin_as_new(stage, 1); /* who starts now runs the same */
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1 + 2 + 2 + 2);
}

/* Nothing new comes, so no commit tells the worker: it looks. */
static void a_stopped_partition_is_tried_again_with_the_script_that_was_adopted(void **state)
{
    struct stage *stage = *state;
    vf_plain_flaky = 1000;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Flaky", "null");
    stage_send(stage, "customers", "c2", 1, "Flaky", "null"); /* before there is any progress */
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "plain: flaky");
    vf_plain_flaky = 0; /* as if it were mended */
    stage_run(stage);
    assert_stopped(stage, "orders", 0, "plain: flaky");
    assert_stopped(stage, "customers", 0, "plain: flaky");
    stage_adopt(stage, VF_PLAIN_TWICE);
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_goes_on(stage, "customers", 0);
    assert_int_equal(stage_handled(stage, "c2", "customer/c2"), 2);
    assert_int_equal(stage_next(stage, "orders"), 2);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1 + 2);
}

/* Links and versions go before progress does, so for a moment everything looks as if its beginning were missing. */
static void nothing_stops_because_the_generation_is_being_dropped(void **state)
{
    struct stage *stage = *state;
    struct sim_operator operator= {.server = stage->server, .view = {"view", 1}, .clock = &stage->clock.clock};
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "customers", "c2", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    vf_worker_drop_cache(stage->workers[0]);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "customers", "c2", 2, "Changed", "null");
    sim_operator_drop(&operator, 1);
    assert_false(stage_has(stage, "c2"));
    assert_int_equal(stage_next(stage, "orders"), 1);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).stops, 0);
    struct vf_worker_report report;
    vf_worker_report(stage->workers[0], &report);
    assert_int_equal(report.stopped, 0);
}

/* emptied: stop would stop it, as the group has committed offsets: but nothing was lost. */
static void a_dropped_generation_is_made_again_only_by_a_new_start(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].emptied_stop = stage->setups[1].emptied_stop = true;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1);
    stage_drop(stage, true);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_run(stage);
    vf_memory_server_cut_connections(stage->server);
    stage_run(stage);
    assert_false(stage_has(stage, "c1"));
    assert_int_equal(stage_next(stage, "orders"), 0);
    struct vf_worker_report report;
    vf_worker_report(stage->workers[0], &report);
    assert_true(report.dropped);
    stage->file.text = vf_bytes_from(VF_PLAIN_TWICE);
    stage->proposed.script_hash[0] = 'z';
    begin_as_new(stage, 1);
    stage_run(stage);
    assert_goes_on(stage, "orders", 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 4);
    stage_close(stage, 1);
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    vf_memory_log_rebalance(stage->log, stage->setups[0].source.group);
    stage_run(stage); /* the one that had been running goes on with what is there */
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 6);
}

static void nothing_is_built_on_what_is_being_dropped(void **state)
{
    struct stage *stage = *state;
    struct vf_error error;
    stage_open(stage, 0);
    stage_close(stage, 0);
    stage_drop(stage, false);
    assert_int_equal(vf_worker_open(&stage->setups[1], &stage->workers[1], &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "is being dropped"));
    assert_non_null(strstr(error.text, "generations drop"));
    stage_drop(stage, true);
    begin_as_new(stage, 1);
}

/* Everything anew, with another order of delivery. */
static void begin_again(struct stage *stage, uint64_t seed)
{
    stage_close(stage, 0);
    vf_memory_server_wipe(stage->server);
    vf_memory_log_free(stage->log);
    stage->log = vf_memory_log_new(seed);
    stage->setups[0].source.brokers = vf_memory_log_brokers(stage->log);
    vf_memory_log_add_topic(stage->log, "customers", 1);
    vf_memory_log_add_topic(stage->log, "orders", 1);
}

/* The topic is made anew, and has more records than the view has dealt with: only its last record tells. */
static void make_orders_anew(struct stage *stage)
{
    vf_memory_log_recreate(stage->log, "orders");
    for (int64_t i = 0; i < 3; i++)
        stage_send(stage, "orders", "o2", i + 1, i ? "Changed" : "Created", "\"c2\"");
    stage_send(stage, "orders", "o3", 1, "Created", "\"c3\"");
}

/* A review found: the comparison with the last record was thought done although the batch that had failed by it was thrown
 * away, because the one in flight met a conflict. */
static void a_topic_made_anew_is_noticed_whatever_is_in_flight(void **state)
{
    struct stage *stage = *state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        begin_again(stage, seed);
        begin_orders(stage, 3);
        make_orders_anew(stage);
        stage_send(stage, "customers", "c1", 1, "Changed", "\"c1\"");
        vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
        stage_open(stage, 0);
        for (int i = 0; i < 20; i++) {
            int64_t loads = stage_counts(stage, 0).loads;
            stage_turn(stage, 0);
            if (stage_counts(stage, 0).loads != loads) { /* the customer's event is under way */
                stage_write_customer(stage, "c1", true);
                break;
            }
        }
        stage_run(stage);
        assert_true(stage_stopped(stage, "orders", 0));
    }
}

/* A review found: what retention did to one partition made all others be read on without a comparison. */
static void a_topic_made_anew_is_noticed_beside_retention(void **state)
{
    struct stage *stage = *state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        begin_again(stage, seed);
        stage->setups[0].batch.events_max = 20;
        for (int64_t v = 1; v <= 3; v++)
            stage_send(stage, "customers", "c1", v, "Changed", "\"c1\"");
        begin_orders(stage, 3);
        vf_memory_log_trim(stage->log, (struct vf_partition){"customers", 0}, 3); /* all of it was dealt with */
        make_orders_anew(stage);
        stage_open(stage, 0);
        stage_run(stage);
        assert_true(stage_stopped(stage, "orders", 0));
    }
}

static void history_that_is_gone_stops_its_partition(void **state)
{
    struct stage *stage = *state;
    begin_orders(stage, 3);
    for (int64_t version = 4; version <= 7; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "\"c1\"");
    vf_memory_log_trim(stage->log, (struct vf_partition){"orders", 0}, 5); /* retention went past where the view is */
    stage_open(stage, 0);
    stage_run(stage);
    assert_true(stage_stopped(stage, "orders", 0));
    assert_int_equal(stage_next(stage, "orders"), 3);
    /* A gap in the numbers would be found out in any case: what tells is the reason. */
    assert_int_equal(stage_counts(stage, 0).refolds, 0);
}

int main(void)
{
#define SCENARIO(function) cmocka_unit_test_setup_teardown(function, stage_setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        SCENARIO(history_that_is_gone_stops_its_partition),
        SCENARIO(a_topic_made_anew_is_noticed_whatever_is_in_flight),
        SCENARIO(a_topic_made_anew_is_noticed_beside_retention),
        SCENARIO(a_repeat_of_a_link_event_is_not_followed),
        SCENARIO(what_a_batch_only_read_is_in_its_condition),
        SCENARIO(what_is_left_out_because_of_a_record_is_left_out_where_the_record_is),
        SCENARIO(an_empty_generation_is_not_read),
        SCENARIO(what_another_has_written_into_an_empty_generation_is_read_after_one_conflict),
        SCENARIO(what_has_left_the_cache_is_read_and_not_presumed_absent),
        SCENARIO(an_event_that_fails_on_an_old_document_is_folded_on_a_fresh_one),
        SCENARIO(a_failure_on_top_of_a_batch_that_came_to_nothing_does_not_count),
        SCENARIO(a_stopped_partition_stays_stopped_and_others_go_on),
        SCENARIO(a_stopped_partition_goes_on_where_its_store_went_back),
        SCENARIO(a_topic_made_anew_is_known_by_its_last_record),
        SCENARIO(a_topic_made_anew_is_known_by_its_end),
        SCENARIO(a_topic_made_anew_and_empty_is_known),
        SCENARIO(a_log_without_its_beginning_is_refused),
        SCENARIO(a_log_without_its_beginning_is_read_where_that_is_right),
        SCENARIO(what_the_log_no_longer_holds_is_not_skipped),
        SCENARIO(a_last_record_that_is_gone_is_not_missed),
        SCENARIO(an_older_assignments_position_out_of_range_says_nothing),
        SCENARIO(more_partitions_stop_a_topic_of_offset_numbers),
        SCENARIO(a_new_partition_of_offset_numbers_stops_too),
        SCENARIO(an_aggregate_of_offset_numbers_in_two_partitions_stops_and_loses_nothing),
        SCENARIO(more_partitions_of_a_sequence_go_on),
        SCENARIO(a_kind_whose_numbers_are_no_sequence_comes_from_one_topic),
        SCENARIO(an_emptied_store_is_filled_again),
        SCENARIO(an_emptied_store_that_the_log_cannot_fill_says_so),
        SCENARIO(an_emptied_store_stops_where_its_owner_wants_to_be_asked),
        SCENARIO(a_worker_runs_the_script_that_the_store_holds),
        SCENARIO(another_script_of_the_same_version_is_refused),
        SCENARIO(what_an_adoption_meets_under_way_is_folded_by_the_next_script),
        SCENARIO(a_stopped_partition_is_tried_again_with_the_script_that_was_adopted),
        SCENARIO(a_dropped_generation_is_made_again_only_by_a_new_start),
        SCENARIO(nothing_is_built_on_what_is_being_dropped),
        SCENARIO(nothing_stops_because_the_generation_is_being_dropped),
    };
    return cmocka_run_group_tests_name("scenarios", tests, NULL, NULL);
}
