#include "run/generation.h"
#include "run/worker_state.h"

#include <stdlib.h>

/* An idle worker looks this often whether its store still holds what it wrote. */
#define LOOK_INTERVAL_MS 3000
/* Wait between tries to make a Kafka client anew. */
#define SOURCE_BACKOFF_MS 5000

int64_t vf_worker_now_ms(const struct vf_worker *worker)
{
    return worker->setup.clock->monotonic_ms(worker->setup.clock->self);
}

void vf_worker_sleep_ms(const struct vf_worker *worker, int64_t duration_ms)
{
    worker->setup.clock->sleep_ms(worker->setup.clock->self, duration_ms);
}

struct vf_view vf_worker_view(const struct vf_worker *worker)
{
    return (struct vf_view){worker->setup.view, worker->generation.number};
}

struct vf_log_about vf_worker_about(const struct vf_worker *worker)
{
    return (struct vf_log_about){
        .worker = worker->setup.name, .projection = worker->setup.projection, .store = worker->setup.store.name};
}

void vf_worker_say(const struct vf_worker *worker, enum vf_log_level level, const struct vf_partition *partition,
                   const struct vf_error *error, const char *text)
{
    struct vf_log_about line = vf_worker_about(worker);
    line.partition = partition;
    line.error = error;
    vf_log(level, &line, "%s", text);
}

/* --- the group's answers ------------------------------------------------------------------------------------------- */

static void take_assignment(struct vf_worker *worker, const struct vf_polled *polled)
{
    worker->counts.rebalances++;
    worker->assigned = true;
    vf_worker_drop_everything(worker);
    /* The group is answered at once, so that no other member waits for this one's store. */
    vf_worker_read_nothing(worker);
    vf_readings_set(&worker->readings, polled->partitions, polled->partition_count, worker->setup.topics,
                    worker->setup.topic_count);
    struct vf_log_about line = vf_worker_about(worker);
    struct vf_log_field fields[] = {{.key = "partitions", .number = (int64_t)worker->readings.count}, {0}};
    line.fields = fields;
    vf_log(VF_LOG_INFO, &line, "assigned");
}

static void give_up_assignment(struct vf_worker *worker, bool lost)
{
    worker->assigned = false; /* whatever comes of the commit in flight, no positions are taken any more */
    if (worker->in_flight)
        vf_worker_settle(worker);
    if (!lost)
        vf_worker_commit_offsets(worker, true);
    if (worker->doubted && worker->store && !lost)
        vf_worker_answer_doubt(worker);
    worker->doubted = false;
    vf_worker_drop_everything(worker);
    vf_readings_clear(&worker->readings);
    vf_worker_read_nothing(worker);
    vf_worker_say(worker, VF_LOG_INFO, NULL, NULL,
                  lost ? "the group has expelled this member: its partitions are lost" : "revoked");
}

static void reopen_source(struct vf_worker *worker)
{
    struct vf_error error;
    if (vf_worker_now_ms(worker) < worker->source_retry_at_ms) {
        vf_worker_sleep_ms(worker, worker->setup.idle_poll_ms);
        return;
    }
    if (worker->setup.source_type->open(&worker->setup.source, &worker->source, &error))
        worker->source_retry_at_ms = vf_worker_now_ms(worker) + SOURCE_BACKOFF_MS;
}

static void source_failed(struct vf_worker *worker, const struct vf_error *error)
{
    bool fatal = error->code != VF_E_UNAVAILABLE;
    if (error->code == VF_E_NOT_FOUND) {
        vf_worker_say(worker, VF_LOG_ERROR, NULL, error,
                      "a topic is gone: the view stays as it is until the topic is there again; all others go on");
        return;
    }
    vf_worker_say(worker, fatal ? VF_LOG_ERROR : VF_LOG_WARN, NULL, error,
                  fatal ? "the Kafka client has failed; a new one is made"
                        : "Kafka cannot be reached; waiting until it can");
    worker->source_trouble = true;
    if (!fatal)
        return;
    vf_worker_drop_everything(worker);
    vf_readings_clear(&worker->readings);
    worker->assigned = false;
    worker->setup.source_type->close(worker->source);
    worker->source = NULL;
    worker->source_retry_at_ms = vf_worker_now_ms(worker) + SOURCE_BACKOFF_MS;
}

/* Asks the source what has happened. True when there are new rows in hand. */
static bool poll_source(struct vf_worker *worker, int64_t timeout_ms)
{
    struct vf_poll_limits limits = {
        .rows_max = (size_t)worker->setup.batch.events_max,
        .bytes_max = (size_t)worker->setup.batch.bytes_max,
        .timeout_ms = timeout_ms,
        .gather_ms = worker->setup.batch.wait_ms,
    };
    struct vf_polled *polled = NULL;
    struct vf_error error;
    if (worker->setup.source_type->poll(worker->source, &limits, &polled, &error)) {
        source_failed(worker, &error);
        return false;
    }
    switch (polled->happening) {
    case VF_NOTHING: break;
    case VF_ASSIGNED: take_assignment(worker, polled); break;
    case VF_REVOKED: give_up_assignment(worker, polled->lost); break;
    case VF_ROWS:
        if (!worker->positioned) /* Kafka did not take the empty assignment: these come again with the real one */
            break;
        if (worker->source_trouble) {
            worker->source_trouble = false;
            vf_worker_say(worker, VF_LOG_INFO, NULL, NULL, "Kafka is back");
        }
        /* An older assignment's says nothing of this one. Answering it would only ask for positions once more. */
        for (size_t i = 0; i < polled->row_count; i++)
            if (polled->rows[i].row == VF_ROW_OUT_OF_RANGE && polled->rows[i].assignment == worker->assignment &&
                worker->positioned)
                vf_worker_answer_out_of_range(worker, &polled->rows[i]);
        vf_worker_add_chunk(worker, polled);
        return true;
    }
    worker->setup.source_type->release(worker->source, polled);
    return false;
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

/* Nothing to fold: ends what is under way, and looks after the rest. */
static enum vf_step idle(struct vf_worker *worker)
{
    if (worker->in_flight) {
        vf_worker_settle(worker);
        return VF_STEP_WORKED;
    }
    vf_worker_commit_offsets(worker, false);
    /* GUARD look: a store that lost its tail stays behind where nothing new comes */
    if (worker->positioned && vf_worker_now_ms(worker) - worker->looked_at_ms >= LOOK_INTERVAL_MS) {
        struct vf_error error;
        bool lost;
        /* GUARD look-entry: a stopped partition is not tried with the script that was adopted to mend it */
        if (!vf_worker_is_current(worker))
            return VF_STEP_WORKED;
        if (vf_worker_progress_is_ours(worker, &error, &lost)) {
            vf_worker_look_at_log(worker);
            return VF_STEP_IDLE;
        }
        if (lost)
            vf_worker_lose_store(worker, &error, false);
        else
            vf_worker_position(worker);
        return VF_STEP_WORKED;
    }
    return VF_STEP_IDLE;
}

static enum vf_step wait_for_store(struct vf_worker *worker)
{
    poll_source(worker, worker->setup.idle_poll_ms);
    if (vf_worker_now_ms(worker) >= worker->retry_at_ms)
        vf_worker_try_store(worker);
    return VF_STEP_IDLE;
}

static enum vf_step wait_for_generation(struct vf_worker *worker)
{
    poll_source(worker, worker->setup.idle_poll_ms);
    if (vf_worker_now_ms(worker) >= worker->renew_at_ms)
        vf_worker_renew(worker);
    return VF_STEP_IDLE;
}

enum vf_step vf_worker_step(struct vf_worker *worker)
{
    if (!worker->source) {
        reopen_source(worker);
        return VF_STEP_IDLE;
    }
    if (!worker->store)
        return wait_for_store(worker);
    if (!vf_worker_look_at_store(worker))
        return VF_STEP_WORKED;
    if (worker->superseded)
        return wait_for_generation(worker);
    if (worker->assigned && !worker->positioned) {
        vf_worker_position(worker);
        if (!worker->positioned)
            poll_source(worker, worker->setup.idle_poll_ms);
        return VF_STEP_WORKED;
    }
    if (worker->doubted) {
        vf_worker_answer_doubt(worker);
        if (worker->doubted) /* it did not take hold: perhaps the partitions are somebody else's by now */
            poll_source(worker, worker->setup.idle_poll_ms);
        return VF_STEP_WORKED;
    }
    if (vf_worker_upkeep(worker))
        return VF_STEP_WORKED;
    struct vf_chunk *chunk = vf_worker_untaken(worker);
    if (!chunk && vf_worker_is_stopping(worker)) {
        if (!worker->in_flight || vf_worker_settle(worker))
            if (worker->store && !vf_worker_untaken(worker))
                vf_worker_finish_stops(worker);
        return VF_STEP_WORKED;
    }
    if (!chunk && poll_source(worker, worker->in_flight ? 0 : worker->setup.idle_poll_ms))
        chunk = vf_worker_untaken(worker);
    if (!worker->store || !worker->source)
        return VF_STEP_WORKED;
    if (!chunk)
        return idle(worker);
    vf_worker_fold_and_send(worker, chunk);
    vf_worker_commit_offsets(worker, false);
    return VF_STEP_WORKED;
}

/* --- opening and closing ------------------------------------------------------------------------------------------- */

/* log(...) in a script: the first lines at once, then one a second, so that a script cannot flood the log. */
void vf_worker_log_script(void *self, const struct vf_event *event, struct vf_bytes text)
{
    struct vf_worker *worker = self;
    int64_t dropped;
    if (!vf_log_rate_allow(&worker->script_log, vf_worker_now_ms(worker), &dropped))
        return;
    struct vf_log_about line = vf_worker_about(worker);
    struct vf_log_field fields[] = {{.key = "dropped", .number = dropped}, {0}};
    if (dropped)
        line.fields = fields;
    if (event) {
        line.record = event->record;
        line.aggregate = event->aggregate;
    }
    vf_log_text(VF_LOG_INFO, &line, text);
}

enum vf_code vf_worker_open(const struct vf_worker_setup *setup, struct vf_worker **ret_worker, struct vf_error *error)
{
    struct vf_worker *worker = vf_calloc(1, sizeof *worker);
    worker->setup = *setup;
    worker->generation_arena = vf_arena_new();
    worker->scratch = vf_arena_new();
    worker->parser = vf_json_parser_new();
    worker->rows_max = worker->drain_max = (size_t)setup->batch.events_max;
    worker->script_log = (struct vf_log_rate){.burst = 10, .interval_ms = 1000};
    worker->park_log = (struct vf_log_rate){.burst = 20, .interval_ms = 10000};
    worker->suspects = vf_suspects_new();
    worker->gaps_looked = -1;
    worker->drops = vf_drops_new();
    worker->drain_log = (struct vf_log_rate){.burst = 10, .interval_ms = 30000};
    worker->trouble_log = (struct vf_log_rate){.burst = 10, .interval_ms = 30000};
    vf_fold_init(&worker->folds[0]);
    vf_fold_init(&worker->folds[1]);

    bool created;
    enum vf_code code = setup->store_type->open(&setup->store, &worker->store, error);
    if (!code)
        code = setup->store_type->prepare(worker->store, setup->view, setup->proposed, worker->generation_arena,
                                          &worker->generation, &created, error);
    if (!code)
        code = vf_generation_check(setup->view, &worker->generation, setup->proposed, error);
    if (!code) {
        /* GUARD script: what the generation was made with, not what lies on this host's disk */
        struct vf_script_reader reader = vf_script_stored_reader(&worker->generation);
        code = setup->projector_type->open(worker->generation.script, &reader, &setup->projector_limits,
                                           vf_worker_log_script, worker, &worker->projector, error);
    }
    if (!code) {
        worker->cache = vf_cache_new(setup->projector_type, worker->projector, (size_t)setup->cache_bytes);
        code = vf_worker_make_indexes(worker, error);
    }
    if (!code) {
        code = setup->source_type->open(&setup->source, &worker->source, error);
    }
    if (code) {
        vf_worker_close(worker);
        return code;
    }
    *ret_worker = worker;
    return VF_OK;
}

void vf_worker_drain(struct vf_worker *worker)
{
    if (worker->in_flight)
        vf_worker_settle(worker);
    if (worker->source)
        vf_worker_commit_offsets(worker, true);
    if (worker->doubted && worker->store)
        vf_worker_answer_doubt(worker);
}

void vf_worker_close(struct vf_worker *worker)
{
    if (!worker)
        return;
    if (worker->cache)
        vf_worker_drop_everything(worker);
    worker->setup.source_type->close(worker->source);
    worker->setup.store_type->close(worker->store);
    vf_cache_free(worker->cache);
    vf_suspects_free(worker->suspects);
    vf_drops_free(worker->drops);
    vf_refused_clear(&worker->refused_event);
    free(worker->gaps_after);
    worker->setup.projector_type->close(worker->projector);
    vf_readings_clear(&worker->readings);
    vf_fold_done(&worker->folds[0]);
    vf_fold_done(&worker->folds[1]);
    vf_json_parser_free(worker->parser);
    vf_arena_free(worker->scratch);
    vf_arena_free(worker->generation_arena);
    free(worker->unknown);
    vf_worker_upkeep_reset(worker);
    free(worker);
}

bool vf_worker_has_read_all(const struct vf_worker *worker)
{
    for (size_t i = 0; i < worker->readings.count; i++) {
        const struct vf_reading *reading = &worker->readings.all[i];
        bool at_end = reading->folded_end && vf_progress_equal(&reading->folded, &reading->stored);
        bool at_first_end =
            reading->stored.exists && reading->end_at_start >= 0 && reading->stored.next >= reading->end_at_start;
        if (reading->state != VF_STOPPED && !at_end && !at_first_end)
            return false;
    }
    return true;
}

bool vf_worker_has_stopped(const struct vf_worker *worker)
{
    for (size_t i = 0; i < worker->readings.count; i++)
        if (worker->readings.all[i].state == VF_STOPPED)
            return true;
    return false;
}

bool vf_worker_is_at_ends(const struct vf_worker *worker)
{
    return worker->assigned && worker->store && worker->positioned && !worker->in_flight && !worker->chunks &&
           !worker->drain_due && vf_worker_has_read_all(worker);
}

void vf_worker_report(const struct vf_worker *worker, struct vf_worker_report *ret_report)
{
    *ret_report = (struct vf_worker_report){
        .state = !worker->store || worker->superseded ? VF_WORKER_WAITING
                 : !worker->assigned                  ? VF_WORKER_STARTING
                                                      : VF_WORKER_RUNNING,
        .counts = worker->counts,
        .partitions = worker->readings.count,
        /* GUARD once-gaps: what fills a hole by way of another partition knows of no hole, and what is next would be left */
        .caught_up = vf_worker_is_at_ends(worker) && !vf_worker_owes_look(worker),
        .dropped = worker->superseded && worker->waits_said,
        .stuck = worker->stuck,
    };
    for (size_t i = 0; i < worker->readings.count; i++)
        ret_report->stopped += worker->readings.all[i].state == VF_STOPPED;
}

void vf_worker_drop_cache(struct vf_worker *worker)
{
    if (!worker->in_flight)
        vf_cache_drop_all(worker->cache);
}
