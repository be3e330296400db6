#include "run/worker_state.h"

#include <stdlib.h>

/* How often the group's offsets are committed while running: they are for lag tools only. */
#define COMMIT_INTERVAL_MS 500
/* Waits of a batch that met a conflict: about this long after the first, doubled with each further one, six times at most.
 * Who loses stays away for longer than a batch takes, so that who wins gets on with warm documents: with four workers on the
 * same 2,000 documents this took a third of the time that short waits did. */
#define CONFLICT_BACKOFF_MS    8
#define CONFLICT_DOUBLINGS_MAX 6
#define FROZEN_WAIT_MS         20
/* The longest wait between two tries of a failing event: nothing is polled meanwhile, and ten of them (the most that `errors`
 * may ask for) stay well below max.poll.interval.ms. */
#define RETRY_WAIT_MAX_MS 10000
/* So long lists are drained apart after one of their events has failed beside a row. */
#define DRAIN_APART_MS 60000
/* What was read is of two moments so often in a row: then it is no coincidence, and the event fails. */
#define STALES_MAX 50
/* A batch that met this many conflicts in a row is cut smaller; after these many the worker polls in between. */
#define CONFLICTS_BEFORE_CUT  5
#define CONFLICTS_BEFORE_POLL 10

/* --- rows in hand -------------------------------------------------------------------------------------------------- */

struct vf_chunk *vf_worker_untaken(struct vf_worker *worker)
{
    for (struct vf_chunk *chunk = worker->chunks; chunk; chunk = chunk->next)
        if (chunk->taken < chunk->polled->row_count)
            return chunk;
    return NULL;
}

void vf_worker_add_chunk(struct vf_worker *worker, struct vf_polled *polled)
{
    struct vf_chunk *chunk = vf_calloc(1, sizeof *chunk);
    chunk->polled = polled;
    struct vf_chunk **end = &worker->chunks;
    while (*end)
        end = &(*end)->next;
    *end = chunk;
}

static void release_first(struct vf_worker *worker)
{
    struct vf_chunk *chunk = worker->chunks;
    worker->chunks = chunk->next;
    worker->setup.source_type->release(worker->source, chunk->polled);
    free(chunk);
}

static void release_all(struct vf_worker *worker)
{
    while (worker->chunks)
        release_first(worker);
}

/* The oldest `rows` unsettled rows are in the store. */
static void settle_rows(struct vf_worker *worker, size_t rows)
{
    while (worker->chunks) {
        struct vf_chunk *chunk = worker->chunks;
        size_t some = chunk->taken - chunk->settled;
        if (some > rows)
            some = rows;
        chunk->settled += some;
        rows -= some;
        if (chunk->settled < chunk->polled->row_count)
            return;
        release_first(worker);
    }
}

/* --- throwing away ------------------------------------------------------------------------------------------------- */

/* Nothing is in flight any more. What the folds since the store's last known state have touched is dropped, decisions
 * included; their rows are in hand again. */
void vf_worker_discard(struct vf_worker *worker, uint64_t since)
{
    vf_cache_drop_since(worker->cache, since);
    vf_readings_rewind_to_stored(&worker->readings);
    for (struct vf_chunk *chunk = worker->chunks; chunk; chunk = chunk->next)
        chunk->taken = chunk->settled;
    worker->in_flight = NULL;
    /* GUARD refused-fresh: an event that the store would take now would be parked for what it had refused before */
    vf_refused_clear(&worker->refused_event);
}

/* The reply of the commit in flight is lost. Reading on from progress will tell whether it took hold (positions.c,
 * resolve_unknown). */
static void remember_unknown(struct vf_worker *worker)
{
    const struct vf_commit *commit = &worker->in_flight->commit;
    worker->counts.unknown++;
    free(worker->unknown);
    worker->unknown_count = commit->progress_count;
    worker->unknown = vf_alloc(commit->progress_count * sizeof *worker->unknown);
    memcpy(worker->unknown, commit->progress, commit->progress_count * sizeof *worker->unknown);
}

/* Everything in hand goes: rows, warm documents, what was folded. A commit that is in flight is waited for; whether it took
 * hold, progress will tell. */
void vf_worker_drop_everything(struct vf_worker *worker)
{
    if (worker->in_flight && worker->store) {
        struct vf_commit_result result;
        worker->setup.store_type->commit_wait(worker->store, &result);
        if (result.outcome == VF_UNKNOWN)
            remember_unknown(worker);
    }
    /* GUARD cache: dropped on every assignment, lost connection and changed progress (docs/protocol.md) */
    vf_worker_discard(worker, 0);
    vf_cache_drop_all(worker->cache);
    release_all(worker);
    worker->positioned = false;
}

void vf_worker_read_nothing(struct vf_worker *worker)
{
    struct vf_error error;
    if (worker->source && worker->setup.source_type->assign(worker->source, NULL, 0, &worker->assignment, &error))
        vf_worker_say(worker, VF_LOG_ERROR, NULL, &error, "Kafka does not take an empty assignment");
}

/* --- Kafka's offsets ----------------------------------------------------------------------------------------------- */

void vf_worker_commit_offsets(struct vf_worker *worker, bool wait)
{
    int64_t now = vf_worker_now_ms(worker);
    if (!wait && now - worker->committed_at_ms < COMMIT_INTERVAL_MS)
        return;
    bool due = false; /* also to see that what was committed first has arrived: only from then on it can be missed */
    for (size_t i = 0; i < worker->readings.count; i++) {
        const struct vf_reading *reading = &worker->readings.all[i];
        due |= reading->stored.exists && (reading->commit_due || !reading->is_committed || !reading->proofs[1].exists);
    }
    if (!due || !vf_worker_look_at_log(worker))
        return;
    vf_arena_reset(worker->scratch);
    struct vf_position *positions = vf_arena_alloc(worker->scratch, worker->readings.count * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        if (!reading->commit_due || !reading->stored.exists)
            continue;
        /* GUARD commit-last: only what the store is known to hold */
        positions[count++] = (struct vf_position){reading->partition, reading->stored.next};
        reading->commit_due = false;
    }
    worker->committed_at_ms = now;
    if (count == 0)
        return;
    struct vf_error ignored; /* the lag shown is old until the next one; the view does not depend on it */
    worker->setup.source_type->commit(worker->source, positions, count, wait, &ignored);
}

/* --- writing and settling ------------------------------------------------------------------------------------------ */

/* The operator sees each, or of very many the first ones. */
static void say_parked(struct vf_worker *worker, const struct vf_fold *fold)
{
    int64_t now_ms = vf_worker_now_ms(worker), dropped;
    vf_suspects_keep(worker->suspects, now_ms);
    for (const struct vf_fold_parked *parked = fold->parked; parked; parked = parked->next) {
        if (!vf_log_rate_allow(&worker->park_log, now_ms, &dropped))
            continue;
        struct vf_log_about line = vf_worker_about(worker);
        line.record = parked->record;
        line.aggregate = parked->aggregate;
        line.error = parked->error;
        vf_log(VF_LOG_ERROR, &line,
               "the event cannot be taken in: it is parked, and what its aggregate does next waits behind it; all "
               "others go on. See `viewfold parked list`");
    }
}

static void took_hold(struct vf_worker *worker)
{
    struct vf_fold *fold = worker->in_flight;
    for (size_t i = 0; i < fold->commit.progress_count; i++) {
        const struct vf_progress_change *change = &fold->commit.progress[i];
        struct vf_reading *reading =
            vf_readings_find(&worker->readings, change->partition.topic, change->partition.partition);
        reading->stored = change->to;
        reading->commit_due = true;
        if (reading->failing_offset < reading->stored.next)
            reading->failing_offset = -1;
    }
    fold->counts.batches++;
    if (fold->parked) {
        say_parked(worker, fold);
        vf_refused_clear(&worker->refused_event);
    }
    vf_counts_add(&worker->counts, &fold->counts);
    worker->in_flight = NULL;
    settle_rows(worker, worker->in_flight_rows);
    worker->conflicts = worker->stales = 0;
    worker->held_up_said = false;
    worker->drain_due |= fold->left_draining;
    worker->careful = worker->always_careful;
    size_t most = (size_t)worker->setup.batch.events_max;
    worker->rows_max = worker->rows_max * 2 > most ? most : worker->rows_max * 2;
    if (worker->in_flight_rows == 0)
        worker->drain_max = worker->drain_max * 2 > most ? most : worker->drain_max * 2;
    worker->looked_at_ms = vf_worker_now_ms(worker);
    worker->counts.evicted += vf_cache_evict(worker->cache, worker->batch);
    if (worker->store_trouble)
        vf_worker_store_is_well(worker);
}

/* Somebody else has changed something that the batch had consulted, or its progress. */
static void met_conflict(struct vf_worker *worker, uint64_t number)
{
    struct vf_error error;
    bool lost;
    worker->counts.conflicts++;
    /* GUARD conflict-drop: folding again on what the failed batch has left behind */
    vf_worker_discard(worker, number);
    if (!vf_worker_progress_is_ours(worker, &error, &lost)) {
        if (lost)
            vf_worker_lose_store(worker, &error, false);
        else
            vf_worker_position(worker);
        return;
    }
    worker->counts.refolds++;
    worker->conflicts++;
    if (worker->conflicts % CONFLICTS_BEFORE_POLL == 0) {
        vf_worker_say_held_up(worker);
        vf_worker_position(worker);
        return;
    }
    if (worker->conflicts >= CONFLICTS_BEFORE_CUT && worker->rows_max > 1)
        worker->rows_max /= 2;
    int32_t doublings = worker->conflicts - 1;
    int64_t most = (int64_t)CONFLICT_BACKOFF_MS
                   << (doublings < CONFLICT_DOUBLINGS_MAX ? doublings : CONFLICT_DOUBLINGS_MAX);
    uint64_t random = worker->setup.clock->random(worker->setup.clock->self);
    vf_worker_sleep_ms(worker, most / 2 + (int64_t)(random % (uint64_t)(most / 2)));
}

/* A batch without rows: the next one takes less out of a list, until it is one event. */
static void refuse_apart(struct vf_worker *worker, const struct vf_commit *commit, const struct vf_refused *before,
                         const struct vf_error *error)
{
    const struct vf_aside *taken = commit->taken;
    if (commit->taken_count > 1)
        worker->drain_max = commit->taken_count / 2;
    else if (commit->taken_count == 1 && !vf_refused_is(before, &taken->partition, taken->offset))
        vf_refused_set(&worker->refused_event, &taken->partition, taken->offset, error);
    else
        vf_worker_lose_store(worker, error, true); /* nothing that comes out of a list is to blame */
}

/* A batch of one row. */
static void refuse_row(struct vf_worker *worker, const struct vf_fold *fold, const struct vf_refused *before,
                       const struct vf_error *error)
{
    int64_t now_ms = vf_worker_now_ms(worker);
    /* GUARD refused-apart: an event would be parked for what another one makes, which was to be taken in with it */
    if (fold->counts.released > 0 && now_ms >= worker->drain_apart_until_ms) {
        worker->drain_apart_until_ms = now_ms + DRAIN_APART_MS;
        return;
    }
    struct vf_chunk *chunk = vf_worker_untaken(worker);
    const struct vf_record *row = &chunk->polled->rows[chunk->taken];
    struct vf_reading *reading = vf_readings_find(&worker->readings, row->topic, row->partition);
    if (!vf_refused_is(before, &reading->partition, row->offset))
        vf_refused_set(&worker->refused_event, &reading->partition, row->offset, error);
    else /* not even into a list */
        vf_worker_begin_stop(worker, reading, row->offset, (struct vf_bytes){0}, error, false);
}

/* The server said no, and nothing was written. */
static void was_refused(struct vf_worker *worker, const struct vf_fold *fold, const struct vf_error *error)
{
    struct vf_refused before = worker->refused_event;
    worker->refused_event.topic = NULL;
    vf_worker_discard(worker, fold->number);
    worker->counts.refolds += error->code == VF_E_LIMIT;
    if (error->code != VF_E_LIMIT)
        vf_worker_lose_store(worker, error, true);
    else if (worker->in_flight_rows > 1)
        worker->rows_max = worker->in_flight_rows / 2;
    else if (worker->in_flight_rows == 1)
        refuse_row(worker, fold, &before, error);
    else
        refuse_apart(worker, &fold->commit, &before, error);
    vf_refused_clear(&before);
}

/* Waits for the commit in flight. False when it did not take hold: what was folded since is thrown away. */
bool vf_worker_settle(struct vf_worker *worker)
{
    struct vf_fold *fold = worker->in_flight;
    struct vf_commit_result result;
    worker->setup.store_type->commit_wait(worker->store, &result);
    switch (result.outcome) {
    case VF_COMMITTED: took_hold(worker); return true;
    case VF_CONFLICT: met_conflict(worker, fold->number); return false;
    case VF_FROZEN:
        worker->counts.frozen++;
        vf_worker_discard(worker, fold->number);
        vf_worker_sleep_ms(worker, FROZEN_WAIT_MS);
        return false;
    case VF_SUPERSEDED:
        worker->counts.superseded++;
        vf_worker_discard(worker, fold->number);
        vf_worker_supersede(worker);
        return false;
    case VF_REFUSED: was_refused(worker, fold, &result.error); return false;
    case VF_UNKNOWN:
        /* GUARD unknown: only progress tells whether a commit took hold whose reply was lost */
        break;
    }
    remember_unknown(worker);
    worker->in_flight = NULL;
    vf_worker_lose_store(worker, &result.error, false);
    return false;
}

/* --- folding ------------------------------------------------------------------------------------------------------- */

static bool is_retried(enum vf_code code)
{
    return code == VF_E_SCRIPT || code == VF_E_LIMIT || code == VF_E_MEMORY;
}

void vf_worker_free_memory(struct vf_worker *worker)
{
    vf_cache_drop_all(worker->cache);
    worker->setup.projector_type->collect(worker->projector);
}

void vf_worker_note_failure(struct vf_worker *worker, const struct vf_fold *fold)
{
    int64_t now_ms = vf_worker_now_ms(worker);
    int32_t failures = vf_suspects_add(worker->suspects, fold->failed_suspect, now_ms);
    /* GUARD fresh-before-park: a handler may have failed only because its document was out of date: once more, on fresh ones */
    int32_t retries =
        is_retried(fold->error.code) && worker->setup.errors.retries > 1 ? worker->setup.errors.retries : 1;
    if (failures > retries) {
        vf_suspects_condemn(worker->suspects, fold->failed_suspect, now_ms);
    } else if (is_retried(fold->error.code)) {
        int64_t wait_ms = worker->setup.errors.backoff_ms << (failures - 1);
        vf_worker_sleep_ms(worker, wait_ms < RETRY_WAIT_MAX_MS ? wait_ms : RETRY_WAIT_MAX_MS);
    }
}

/* An event could not be taken in. Its documents may have been stale: it is folded again on ones that were just loaded, as
 * often as `errors` says, before its partition stops (docs/protocol.md). */
static void event_failed(struct vf_worker *worker, const struct vf_fold *fold)
{
    struct vf_reading *reading = fold->failed_reading;
    /* No partition stops because of an event of another one, which was set aside. */
    if (fold->failed_drain) {
        if (fold->failed_parkable)
            vf_worker_note_failure(worker, fold);
        worker->drain_apart_until_ms = vf_worker_now_ms(worker) + DRAIN_APART_MS;
        return;
    }
    if (fold->failed_room) {
        if (fold->rows_before_failed >
            0) { /* what these have set aside is in no store yet: first they, then it is asked */
            worker->rows_max = fold->rows_before_failed;
            return;
        }
        reading->room_bytes = fold->failed_room_bytes;
        if (!vf_worker_has_room(worker, reading) && worker->store) {
            reading->waits_for_room = true;
            free(reading->room_list);
            reading->room_list = vf_strndup(fold->failed_room_list.data, fold->failed_room_list.size);
            reading->room_place = fold->failed_room_place;
            reading->room_itself = fold->failed_room_itself;
            vf_worker_begin_stop(worker, reading, fold->failed->offset, fold->failed_aggregate, &fold->error, false);
        }
        return;
    }
    if (fold->error.code == VF_E_MEMORY) {
        vf_worker_free_memory(worker);
        if (fold->rows_before_failed > 0) { /* the batch has filled the heap, not the event: fold what is before it */
            worker->rows_max = fold->rows_before_failed;
            return;
        }
    }
    if (fold->failed_parkable) {
        vf_worker_note_failure(worker, fold);
        return;
    }
    if (reading->failing_offset != fold->failed->offset) {
        reading->failing_offset = fold->failed->offset;
        reading->failures = 0;
    }
    reading->failures++;
    /* GUARD fresh-before-stop: a handler may have failed only because its document was out of date: once more, on fresh ones */
    int32_t retries =
        is_retried(fold->error.code) && worker->setup.errors.retries > 1 ? worker->setup.errors.retries : 1;
    if (fold->failed_log || reading->failures > retries) {
        vf_worker_begin_stop(worker, reading, fold->failed->offset, fold->failed_aggregate, &fold->error,
                             fold->failed_log);
        return;
    }
    if (!is_retried(fold->error.code))
        return;
    int64_t wait_ms = worker->setup.errors.backoff_ms << (reading->failures - 1);
    vf_worker_sleep_ms(worker, wait_ms < RETRY_WAIT_MAX_MS ? wait_ms : RETRY_WAIT_MAX_MS);
}

struct vf_fold_tools vf_worker_tools(struct vf_worker *worker)
{
    return (struct vf_fold_tools){
        .projector_type = worker->setup.projector_type,
        .projector = worker->projector,
        .projection = worker->setup.projector_type->describe(worker->projector),
        .store_type = worker->setup.store_type,
        .store = worker->store,
        .view = vf_worker_view(worker),
        .generation_stamp = worker->generation.stamp,
        .cache = worker->cache,
        .readings = &worker->readings,
        .parser = worker->parser,
        .clock = worker->setup.clock,
        .assignment = worker->assignment,
        .rows_max = worker->rows_max,
        .written_bytes_max = (size_t)worker->setup.batch.written_bytes_max,
        .document_bytes_typical = worker->document_bytes_typical,
        .careful = worker->careful,
        .topics = worker->setup.topics,
        .topic_count = worker->setup.topic_count,
        .in_flight = worker->in_flight != NULL,
        .has_aside = worker->has_aside,
        /* GUARD read-all: what waits behind gaps that are allowed now would wait on where there is always more to do */
        /* GUARD stopped-unread: what fills a gap may lie behind what has stopped its partition */
        .has_read_all = vf_worker_has_read_all(worker) && !vf_worker_has_stopped(worker),
        .parks = worker->setup.errors.then == VF_THEN_PARK,
        .suspects = worker->suspects,
        .drops = worker->drops,
        .refused = &worker->refused_event,
        .script_hash = worker->generation.script_hash,
        .drain_apart = vf_worker_now_ms(worker) < worker->drain_apart_until_ms,
        .forget_ms = worker->setup.forget_ms,
        .aside_max = worker->setup.aside_max,
        .aside_bytes_max = worker->setup.aside_bytes_max,
    };
}

/* A fold that came to nothing. It stood on what is in flight, so that has to take hold first for it to mean anything. */
static void fold_again(struct vf_worker *worker, struct vf_fold *fold, enum vf_fold_outcome outcome)
{
    /* GUARD failed-ahead: what failed on top of a commit that did not take hold has not failed */
    if (worker->in_flight && !vf_worker_settle(worker))
        return;
    /* GUARD failed-drop: a handler that fails has changed half of its document */
    vf_worker_discard(worker, fold->number);
    worker->counts.refolds++;
    if (outcome == VF_FOLD_SETTLE)
        return;
    if (outcome == VF_FOLD_STALE && ++worker->stales < STALES_MAX) {
        vf_worker_sleep_ms(worker, CONFLICT_BACKOFF_MS);
        return;
    }
    if (outcome == VF_FOLD_CAREFULLY) {
        worker->always_careful |= fold->error.code == VF_OK;
        worker->careful = true;
        return;
    }
    event_failed(worker, fold);
}

/* Folds the next rows in hand while the last commit is in flight, then waits for that one and sends this one. */
void vf_worker_fold_and_send(struct vf_worker *worker, struct vf_chunk *chunk)
{
    struct vf_fold *fold = &worker->folds[worker->turn];
    struct vf_fold_tools tools = vf_worker_tools(worker);
    fold->number = ++worker->batch;
    enum vf_fold_outcome outcome = vf_fold_run(fold, &tools, chunk->polled->rows + chunk->taken,
                                               chunk->polled->row_count - chunk->taken, &worker->counts);
    if (fold->loaded_documents) {
        size_t each = fold->loaded_bytes / fold->loaded_documents;
        worker->document_bytes_typical =
            worker->document_bytes_typical ? (worker->document_bytes_typical + each) / 2 : each;
    }
    if (outcome == VF_FOLD_NO_STORE) {
        /* Perhaps it was asked for too much at once: the next batch asks for less. */
        worker->rows_max = worker->rows_max > 1 ? worker->rows_max / 2 : 1;
        vf_worker_lose_store(worker, &fold->error, fold->error.code != VF_E_UNAVAILABLE);
        return;
    }
    if (outcome != VF_FOLDED) {
        fold_again(worker, fold, outcome);
        return;
    }
    /* GUARD fold-ahead: a batch that was folded on top of one that did not take hold */
    if (worker->in_flight && !vf_worker_settle(worker))
        return;
    chunk->taken += fold->rows_taken;
    worker->in_flight_rows = fold->rows_taken;
    if (fold->empty) { /* rows that are not ours any more, or an end that is known */
        settle_rows(worker, fold->rows_taken);
        return;
    }
    worker->setup.store_type->commit_send(worker->store, &fold->commit);
    worker->in_flight = fold;
    worker->turn = !worker->turn;
}
