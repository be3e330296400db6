#include "run/stopping.h"
#include "run/worker_state.h"

#include <stdlib.h>

/* Inlined, as in core/event.c. */
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Waits between two tries to get a store back: the first, and the longest. */
#define STORE_BACKOFF_MS     250
#define STORE_BACKOFF_MAX_MS 5000

/* --- losing the store and getting it back -------------------------------------------------------------------------- */

static int64_t longer(int64_t backoff_ms)
{
    return backoff_ms * 2 > STORE_BACKOFF_MAX_MS ? STORE_BACKOFF_MAX_MS : backoff_ms * 2;
}

/* Each reason once, for as long as the trouble lasts: a server that comes back as a replica, or evicting, is another matter
 * than one that is gone. */
static void say_trouble(struct vf_worker *worker, const struct vf_error *error, const char *text)
{
    uint64_t hash = XXH64(error->text, strlen(error->text), 0);
    /* GUARD trouble-changed: an operator who mends what was said first waits for what was never said */
    int64_t dropped;
    if (worker->store_trouble &&
        (hash == worker->trouble_said || !vf_log_rate_allow(&worker->trouble_log, vf_worker_now_ms(worker), &dropped)))
        return;
    worker->trouble_said = hash;
    vf_worker_say(worker, VF_LOG_WARN, NULL, error, text);
}

/* From here on the worker waits: it reads nothing, polls on, and tries to open its store again. */
void vf_worker_lose_store(struct vf_worker *worker, const struct vf_error *error, bool refused)
{
    say_trouble(worker, error,
                refused                           ? "the store refuses to write; waiting until it does"
                : error->code == VF_E_UNAVAILABLE ? "the store is gone; waiting until it is back"
                                                  : "the store cannot be used as it is; waiting until it can");
    worker->backoff_ms = worker->store_trouble ? longer(worker->backoff_ms) : STORE_BACKOFF_MS;
    worker->store_trouble = true;
    worker->refused = refused;
    worker->counts.store_losses++;
    vf_worker_drop_everything(worker);
    vf_worker_read_nothing(worker);
    worker->setup.store_type->close(worker->store);
    worker->store = NULL;
    worker->retry_at_ms = vf_worker_now_ms(worker) + worker->backoff_ms;
}

void vf_worker_store_is_well(struct vf_worker *worker)
{
    if (worker->store_trouble)
        vf_worker_say(worker, VF_LOG_INFO, NULL, NULL, "the store is back");
    worker->store_trouble = worker->refused = false;
    worker->backoff_ms = STORE_BACKOFF_MS;
}

void vf_worker_try_store(struct vf_worker *worker)
{
    struct vf_error error;
    enum vf_code code = worker->setup.store_type->open(&worker->setup.store, &worker->store, &error);
    if (!code) {
        code = vf_worker_prepare_again(worker, &error);
        if (code) {
            worker->setup.store_type->close(worker->store);
            worker->store = NULL;
        }
    }
    if (!code) {
        if (!worker->refused) /* otherwise it is well when it has taken a commit */
            vf_worker_store_is_well(worker);
        return;
    }
    say_trouble(worker, &error, "the store cannot be used yet; waiting on");
    worker->backoff_ms = longer(worker->backoff_ms);
    worker->retry_at_ms = vf_worker_now_ms(worker) + worker->backoff_ms;
}

/* --- stopping a partition ------------------------------------------------------------------------------------------ */

/* Everything before `offset` is still dealt with; then the partition is left out until the next assignment. */
static void begin_stop(struct vf_worker *worker, struct vf_reading *reading, int64_t offset, struct vf_bytes aggregate,
                       const struct vf_error *error, bool degraded)
{
    reading->state = VF_STOPPING;
    reading->stop_offset = offset;
    reading->degraded = degraded;
    free(reading->why);
    reading->why = vf_stop_reason(&reading->partition, offset, aggregate, error, degraded);
    worker->counts.stops++;
    struct vf_record at = {
        .topic = reading->partition.topic, .partition = reading->partition.partition, .offset = offset};
    struct vf_log_about line = vf_worker_about(worker);
    line.record = &at;
    line.aggregate = aggregate;
    line.error = error;
    vf_log(VF_LOG_ERROR, &line,
           degraded ? "the view is degraded: this partition stops for this view; all others go on"
                    : "the event cannot be taken in: its partition stops for this view; all others go on");
}

bool vf_worker_is_stopping(const struct vf_worker *worker)
{
    for (size_t i = 0; i < worker->readings.count; i++)
        if (worker->readings.all[i].state == VF_STOPPING)
            return true;
    return false;
}

/* What came before is in the store: notes why, and reads on without the stopped partitions. */
void vf_worker_finish_stops(struct vf_worker *worker)
{
    struct vf_error error;
    for (size_t i = 0; i < worker->readings.count; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        if (reading->state != VF_STOPPING)
            continue;
        if (worker->setup.store_type->note_stopped(worker->store, vf_worker_view(worker), worker->generation.stamp,
                                                   reading->partition, reading->why, &error)) {
            vf_worker_lose_store(worker, &error, false);
            return;
        }
        reading->state = VF_STOPPED;
    }
    vf_worker_drop_everything(worker); /* vf_worker_position() assigns what is left */
}

/* --- positions ----------------------------------------------------------------------------------------------------- */

static const struct vf_progress_row *find_row(const struct vf_progress_row *rows, size_t count,
                                              const struct vf_partition *partition)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].partition.partition == partition->partition &&
            strcmp(rows[i].partition.topic, partition->topic) == 0)
            return &rows[i];
    return NULL;
}

/* Did the commit whose reply was lost take hold? For the count; reading on from progress is right either way. */
static void resolve_unknown(struct vf_worker *worker, const struct vf_progress_row *rows, size_t count)
{
    bool landed = worker->unknown_count > 0;
    for (size_t i = 0; i < worker->unknown_count; i++) {
        const struct vf_progress_row *row = find_row(rows, count, &worker->unknown[i].partition);
        landed &= row && vf_progress_equal(&row->progress, &worker->unknown[i].to);
    }
    worker->counts.lost_replies += landed;
    free(worker->unknown);
    worker->unknown = NULL;
    worker->unknown_count = 0;
}

/* A view that has no progress here begins at the log's beginning, if the log still has it. */
static enum vf_code begin_reading(struct vf_worker *worker, struct vf_reading *reading, int64_t *ret_offset,
                                  struct vf_error *error)
{
    int64_t low, high;
    enum vf_code code = worker->setup.source_type->watermarks(worker->source, reading->partition, &low, &high, error);
    if (code)
        return code;
    reading->end_at_start = high;
    reading->stored.next = low;
    vf_worker_limit_had(reading, high);
    *ret_offset = low;
    /* GUARD history: a view of a log without its beginning, said to be whole */
    if (low == 0 || reading->topic->envelope.history_partial)
        return VF_OK;
    vf_fail(error, VF_E_DATA,
            "the log of %s/%d begins at offset %lld: what came before is gone, and a view without it would be wrong. "
            "Restore the log; or, if a view of what is left is right, say `history: partial` for the topic. Then start "
            "again",
            reading->partition.topic, reading->partition.partition, (long long)low);
    begin_stop(worker, reading, low, (struct vf_bytes){0}, error, true);
    return VF_OK;
}

/* Where the source is to read on: at the last record that was dealt with, to see that it is still the same log. */
static enum vf_code resume_reading(struct vf_worker *worker, struct vf_reading *reading, int64_t *ret_offset,
                                   struct vf_error *error)
{
    const struct vf_progress *stored = &reading->stored;
    if (worker->setup.once) {
        int64_t low;
        enum vf_code code = worker->setup.source_type->watermarks(worker->source, reading->partition, &low,
                                                                  &reading->end_at_start, error);
        if (code)
            return code;
    }
    /* GUARD resume: where the store's progress says, not where the group's offsets do */
    *ret_offset = stored->next;
    reading->verify = stored->has_last;
    if (stored->has_last)
        *ret_offset = stored->last_offset;
    return VF_OK;
}

/* Where partitions were added, an aggregate's later events may lie in another one than its earlier ones. */
static bool order_is_known(const struct vf_worker *worker, const struct vf_reading *reading)
{
    const struct vf_projection *projection = worker->setup.projector_type->describe(worker->projector);
    /* GUARD keys-stay: an operator's word that no aggregate moves would be passed over */
    if (reading->topic->envelope.keys_stay)
        return true;
    /* GUARD partition-count: an aggregate whose key went to another partition loses its order */
    return reading->topic->envelope.numbers == VF_NUMBERS_SEQUENCE &&
           /* GUARD partition-count-none: where no numbers are kept, no gap tells what came too early */
           projection->versions != VF_VERSIONS_NONE;
}

/* Has the topic other partitions than when the view took its progress, of this partition or of another? Then all of its
 * partitions stop, a new one too: its records may be an aggregate's later ones, whose earlier ones another one still has. */
static bool has_other_partitions(struct vf_worker *worker, struct vf_reading *reading,
                                 const struct vf_progress_row *rows, size_t row_count)
{
    struct vf_error error;
    for (size_t i = 0; i < row_count; i++) {
        const struct vf_progress *progress = &rows[i].progress;
        if (!progress->exists || progress->of == reading->of ||
            strcmp(rows[i].partition.topic, reading->partition.topic) != 0)
            continue;
        /* GUARD fewer-partitions: what a partition held that is no more was never asked for again */
        if (progress->of > reading->of)
            vf_fail(&error, VF_E_DATA, "%s has %d partitions, and had %d: the topic was re-created. " VF_BUILD_ANEW,
                    reading->partition.topic, reading->of, progress->of, worker->setup.projection);
        else if (order_is_known(worker, reading))
            continue;
        else
            vf_fail(
                &error, VF_E_DATA,
                "%s has %d partitions, and had %d: an aggregate's later events may lie in another partition than its "
                "earlier ones, and nothing tells this view which come first. If producers go on sending each aggregate "
                "where it was, say `partitions_added: keys_stay` for the topic, and start again. If not, what came "
                "since then may be in the view in a wrong order: copy the topic to a new one, each aggregate's events "
                "in order, name that in viewfold.yaml, and build the view anew",
                reading->partition.topic, reading->of, progress->of);
        begin_stop(worker, reading, reading->stored.next, (struct vf_bytes){0}, &error, true);
        return true;
    }
    return false;
}

static enum vf_code place_reading(struct vf_worker *worker, struct vf_reading *reading,
                                  const struct vf_progress_row *rows, size_t row_count, int64_t *ret_offset,
                                  struct vf_error *error)
{
    const struct vf_progress_row *row = find_row(rows, row_count, &reading->partition);
    struct vf_progress found = {0};
    if (row)
        found = row->progress;
    vf_worker_note_rewind(worker, reading, &found);
    if (!found.exists) /* a first start, or a store that was emptied: then the registry is gone too */
        worker->prepare_due = true;
    reading->stored = found;
    vf_worker_begin_proof(reading);
    reading->failing_offset = -1;
    reading->waits_for_room = false;
    reading->verify = false;
    enum vf_code code =
        worker->setup.source_type->partition_count(worker->source, reading->partition.topic, &reading->of, error);
    if (code)
        return code;
    reading->commit_due = found.exists;
    if (has_other_partitions(worker, reading, rows, row_count))
        return VF_OK;
    return found.exists ? resume_reading(worker, reading, ret_offset, error)
                        : begin_reading(worker, reading, ret_offset, error);
}

static enum vf_code read_progress(struct vf_worker *worker, struct vf_progress_row **ret_rows, size_t *ret_count,
                                  struct vf_error *error)
{
    enum vf_code code = worker->setup.store_type->progress(worker->store, vf_worker_view(worker), worker->scratch,
                                                           ret_rows, ret_count, error);
    if (code)
        vf_worker_lose_store(worker, error, false);
    else
        worker->looked_at_ms = vf_worker_now_ms(worker);
    return code;
}

static bool has_progress(const struct vf_progress_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].progress.exists)
            return true;
    return false;
}

/* Has the group committed an offset in any partition of the view, assigned to this worker or not? */
static enum vf_code has_committed(struct vf_worker *worker, bool *ret_has, struct vf_error *error)
{
    const struct vf_worker_setup *setup = &worker->setup;
    *ret_has = false;
    for (size_t t = 0; t < setup->topic_count && !*ret_has; t++) {
        int32_t of;
        enum vf_code code = setup->source_type->partition_count(worker->source, setup->topics[t].topic, &of, error);
        if (code)
            return code;
        struct vf_position *positions = vf_arena_alloc(worker->scratch, (size_t)of * sizeof *positions);
        for (int32_t p = 0; p < of; p++)
            positions[p] = (struct vf_position){.partition = {setup->topics[t].topic, p}};
        code = setup->source_type->committed(worker->source, positions, (size_t)of, error);
        if (code)
            return code;
        for (int32_t p = 0; p < of; p++)
            *ret_has |= positions[p].offset > 0;
    }
    return VF_OK;
}

/* Was the view dropped, and is perhaps being built anew? Its group's offsets are then those of what was dropped. If the registry
 * is gone too, the store was emptied all the same; and if it has another entry, of whatever kind, that is gone on with first. */
static enum vf_code is_dropped(struct vf_worker *worker, bool *ret_dropped, struct vf_error *error)
{
    uint64_t stamp;
    bool there;
    *ret_dropped = false;
    enum vf_code code =
        worker->setup.store_type->generation_stamp(worker->store, vf_worker_view(worker), &stamp, &there, error);
    if (code)
        vf_worker_lose_store(worker, error, false);
    else
        /* GUARD begun-after-drop: a view that was dropped on purpose is said to be lost, and with emptied: stop not built */
        *ret_dropped = there && (worker->generation.follows_drop || stamp != worker->generation.stamp);
    return code;
}

/* A view without any progress although its group has committed offsets: the store was emptied. Not who made
 * the registry's entry decides: others may have begun since, or may have made it for a store that was emptied before.
 * Offsets are committed after progress; so, asked in the other order, progress that is not there has been lost. */
static enum vf_code notice_emptied(struct vf_worker *worker, struct vf_progress_row **rows, size_t *row_count,
                                   struct vf_error *error)
{
    bool committed, dropped = false;
    if (has_progress(*rows, *row_count)) {
        worker->emptied_said = false;
        return VF_OK;
    }
    if (worker->readings.count == 0 || worker->emptied_said)
        return VF_OK;
    enum vf_code code = has_committed(worker, &committed, error);
    if (!code && committed)
        code = read_progress(worker, rows, row_count, error);
    if (!code && committed && !has_progress(*rows, *row_count))
        code = is_dropped(worker, &dropped, error);
    if (code || !committed || dropped || has_progress(*rows, *row_count))
        return code;
    /* GUARD emptied: a view that was emptied is built again although its owner wants to be asked */
    if (!worker->setup.emptied_stop) {
        worker->emptied_said = true;
        vf_worker_say(worker, VF_LOG_WARN, NULL, NULL,
                      "the store has been emptied: it holds nothing of this view, and the group has committed offsets. "
                      "Building the view again from the log");
        return VF_OK;
    }
    vf_fail(error, VF_E_DATA,
            "the store has been emptied: it holds nothing of this view, and the group has committed offsets. The "
            "configuration says `emptied: stop`. Restore the store; or set `emptied: rebuild` and start again");
    for (size_t i = 0; i < worker->readings.count; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        if (reading->state != VF_READING)
            continue;
        reading->stored = (struct vf_progress){0}; /* it stays stopped until the store holds something else */
        begin_stop(worker, reading, 0, (struct vf_bytes){0}, error, true);
    }
    return VF_OK;
}

/* Progress is no longer what it was when the partition stopped: the store was rewound. What stopped it is behind again. */
static bool is_moved(struct vf_reading *reading, const struct vf_progress_row *row)
{
    struct vf_progress found = {0};
    if (row)
        found = row->progress;
    /* GUARD stopped-stays: a stopped partition is tried again and again, until its progress is not where it stopped */
    if (vf_progress_equal(&found, &reading->stored))
        return false;
    reading->state = VF_READING;
    return true;
}

/* What was to be dealt with before the partition stops has come to nothing: it is read again, and then the stop decided. */
static void go_back_before_stop(struct vf_reading *reading)
{
    if (reading->state == VF_STOPPING && !reading->degraded && reading->stored.next < reading->stop_offset)
        reading->state = VF_READING;
}

static enum vf_code assign_positions(struct vf_worker *worker, struct vf_error *error)
{
    struct vf_progress_row *rows;
    size_t row_count;
    vf_arena_reset(worker->scratch);
    enum vf_code code = vf_worker_ask_committed(worker, error);
    if (!code)
        code = read_progress(worker, &rows, &row_count, error);
    if (!code)
        code = notice_emptied(worker, &rows, &row_count, error);
    if (code)
        return code;
    /* GUARD drops-read: what an operator has left out for good comes back when its events are read again */
    code = vf_drops_load(worker->drops, worker->setup.store_type, worker->store, vf_worker_view(worker), error);
    if (code) {
        vf_worker_lose_store(worker, error, false);
        return code;
    }
    resolve_unknown(worker, rows, row_count);
    struct vf_position *positions = vf_arena_alloc(worker->scratch, worker->readings.count * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        const struct vf_progress_row *row = find_row(rows, row_count, &reading->partition);
        go_back_before_stop(reading);
        if (reading->state != VF_READING && !is_moved(reading, row))
            continue;
        int64_t offset = 0;
        code = place_reading(worker, reading, rows, row_count, &offset, error);
        if (code)
            return code;
        code = vf_worker_look_aside(worker, reading, error);
        if (code)
            return code;
        if (reading->state == VF_READING)
            positions[count++] = (struct vf_position){reading->partition, offset};
    }
    vf_readings_rewind_to_stored(&worker->readings);
    code = worker->setup.source_type->assign(worker->source, positions, count, &worker->assignment, error);
    if (code)
        return code;
    worker->counts.positionings++;
    vf_worker_forget_dropped(worker);
    /* GUARD rewound-registry: a store that lost its tail may have lost the registry, the script and the pointer too */
    if (worker->prepare_due) {
        worker->prepare_due = false;
        code = vf_worker_prepare_again(worker, error);
        if (code) {
            vf_worker_lose_store(worker, error, false);
            return code;
        }
        if (worker->superseded)
            return VF_OK;
    }
    worker->positioned = true;
    worker->aside_look_at_ms = 0; /* before anything is folded */
    worker->drain_due = true;     /* a list may have been left half drained by who had these partitions before */
    vf_worker_upkeep_reset(worker);
    if (row_count == 0)
        vf_cache_set_whole(worker->cache);
    return VF_OK;
}

/* Takes the positions from the store and reads on from them. Whatever is missing for it is tried again at the next turn,
 * with polling in between. */
void vf_worker_position(struct vf_worker *worker)
{
    struct vf_error error;
    vf_worker_drop_everything(worker);
    if (!worker->assigned)
        return;
    enum vf_code code = assign_positions(worker, &error);
    if (code && worker->store && !worker->source_trouble) {
        vf_worker_say(worker, VF_LOG_WARN, NULL, &error, "Kafka does not say where to read on; trying again");
        worker->source_trouble = true;
    }
}

/* Is what the store holds what this worker believes? False: it is not, and positions are to be taken again. */
bool vf_worker_progress_is_ours(struct vf_worker *worker, struct vf_error *error, bool *ret_lost)
{
    struct vf_progress_row *rows;
    size_t count;
    vf_arena_reset(worker->scratch);
    *ret_lost = worker->setup.store_type->progress(worker->store, vf_worker_view(worker), worker->scratch, &rows,
                                                   &count, error);
    if (*ret_lost)
        return false;
    worker->looked_at_ms = vf_worker_now_ms(worker);
    for (size_t i = 0; i < worker->readings.count; i++) {
        const struct vf_reading *reading = &worker->readings.all[i];
        const struct vf_progress_row *row = find_row(rows, count, &reading->partition);
        struct vf_progress found = {0};
        if (row)
            found = row->progress;
        if (!vf_progress_equal(&found, &reading->stored))
            return false;
    }
    return true;
}

void vf_worker_begin_stop(struct vf_worker *worker, struct vf_reading *reading, int64_t offset,
                          struct vf_bytes aggregate, const struct vf_error *error, bool degraded)
{
    struct vf_error store_error;
    bool lost;
    /* GUARD stop-current: or that its generation is being dropped, of which progress goes last */
    if (!vf_worker_is_current(worker))
        return;
    /* GUARD stop: what looks like a gap or a failure may only mean that the store was rewound under this worker */
    if (vf_worker_progress_is_ours(worker, &store_error, &lost))
        begin_stop(worker, reading, offset, aggregate, error, degraded);
    else if (lost)
        vf_worker_lose_store(worker, &store_error, false);
    else
        vf_worker_position(worker);
}

/* Where the source reads a partition from: the last record dealt with, as long as it is to be seen again. */
static int64_t start_of(const struct vf_reading *reading)
{
    return reading->verify ? reading->stored.last_offset : reading->stored.next;
}

/* Reads on from the positions that are known. Rows in hand are dropped, and come again. */
static void assign_again(struct vf_worker *worker)
{
    struct vf_error error;
    vf_worker_drop_everything(worker);
    vf_arena_reset(worker->scratch);
    struct vf_position *positions = vf_arena_alloc(worker->scratch, worker->readings.count * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++)
        if (worker->readings.all[i].state == VF_READING)
            positions[count++] =
                (struct vf_position){worker->readings.all[i].partition, start_of(&worker->readings.all[i])};
    worker->positioned =
        worker->setup.source_type->assign(worker->source, positions, count, &worker->assignment, &error) == VF_OK;
}

/* The log does not hold a position that was asked for. */
void vf_worker_answer_out_of_range(struct vf_worker *worker, const struct vf_record *row)
{
    if (worker->in_flight && !vf_worker_settle(worker)) {
        worker->positioned = false; /* asked again at the next turn: it is not told twice */
        return;
    }
    struct vf_reading *reading = vf_readings_find(&worker->readings, row->topic, row->partition);
    if (!reading || reading->state != VF_READING)
        return;
    struct vf_error error;
    int64_t low, high;
    if (worker->setup.source_type->watermarks(worker->source, reading->partition, &low, &high, &error)) {
        worker->positioned = false; /* asked again at the next turn */
        return;
    }
    int64_t next = reading->stored.next;
    /* GUARD history-gone: reading on from where the log begins now skips what is missing */
    if (low <= next && next <= high) {
        reading->verify = false; /* only the last record is gone, by retention: nothing is missing */
        assign_again(worker);
        return;
    }
    if (low > next)
        vf_fail(
            &error, VF_E_DATA,
            "the log of %s/%d begins at offset %lld, and the view needs it from %lld on: %lld offsets are gone. Restore "
            "the log, and start again. Or, if a view of what is left is right, say `history: partial` for the topic. " VF_BUILD_ANEW,
            row->topic, row->partition, (long long)low, (long long)next, (long long)(low - next),
            worker->setup.projection);
    else
        vf_fail(
            &error, VF_E_DATA,
            "the log of %s/%d ends at offset %lld, and the view has already dealt with everything before %lld: the topic "
            "was re-created or truncated. " VF_BUILD_ANEW,
            row->topic, row->partition, (long long)high, (long long)next, worker->setup.projection);
    vf_worker_begin_stop(worker, reading, next, (struct vf_bytes){0}, &error, true);
}
