/*
 * What a worker does besides its rows, every few seconds and in batches of their own: it drains what is left of long lists,
 * lets go of documents whose time is over, and looks whether partitions that wait for room have it (worker_state.h).
 */
#include "run/worker_state.h"

#include <stdlib.h>

/* Inlined, as in core/event.c. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#define UPKEEP_INTERVAL_MS 3000
/* Kafka is asked so often at most where the log ends, partition by partition: the sweep is an hour late in any case. */
#define ENDS_INTERVAL_MS 10000
/* So often are aggregates looked at of which numbers are missing, so many of them. */
#define GAPS_INTERVAL_MS 10000
#define GAPS_MAX         50
/* So many lists are asked for, so many of them drained a little in one turn, and so many documents swept. */
#define LISTS_READ 1000
#define LISTS_MAX  16
#define SWEEP_MAX  200
/* So many that are due and have to wait, with what is set aside of them, are passed to come to those behind. */
#define SWEEP_PAST_MAX 1000

void vf_worker_upkeep_reset(struct vf_worker *worker)
{
    free(worker->ends);
    worker->ends = NULL;
    worker->end_count = 0;
    worker->sweep_past = 0;
}

enum vf_code vf_worker_make_indexes(struct vf_worker *worker, struct vf_error *error)
{
    const struct vf_projection *projection = worker->setup.projector_type->describe(worker->projector);
    if (!worker->setup.store_type->make_indexes)
        return VF_OK;
    return worker->setup.store_type->make_indexes(worker->store, vf_worker_view(worker), projection->indexes,
                                                  projection->index_count, projection->ttl_ms > 0, error);
}

/* --- room ---------------------------------------------------------------------------------------------------------- */

enum vf_code vf_worker_look_aside(struct vf_worker *worker, struct vf_reading *reading, struct vf_error *error)
{
    reading->aside_now = (struct vf_aside_total){0};
    if (reading->stored.aside == 0)
        return VF_OK;
    enum vf_code code = worker->setup.store_type->aside_total(worker->store, vf_worker_view(worker), reading->partition,
                                                              &reading->aside_now, error);
    if (code)
        vf_worker_lose_store(worker, error, false);
    return code;
}

bool vf_worker_has_room(struct vf_worker *worker, struct vf_reading *reading)
{
    const struct vf_worker_setup *setup = &worker->setup;
    struct vf_error error;
    if (vf_worker_look_aside(worker, reading, &error))
        return false;
    const struct vf_aside_total *now = &reading->aside_now;
    return (!setup->aside_max || now->count < setup->aside_max) &&
           (!setup->aside_bytes_max || now->bytes + reading->room_bytes <= setup->aside_bytes_max);
}

/* What the store has of an aggregate: its record, and the document to which its events go, as far as that tells. */
struct known {
    struct vf_aggregate record;
    struct vf_document document;
};

static enum vf_code look_up(struct vf_worker *worker, struct vf_bytes aggregate, struct known *ret_known,
                            struct vf_error *error)
{
    const struct vf_store_type *type = worker->setup.store_type;
    const char *slash = memchr(aggregate.data, '/', aggregate.size);
    struct vf_bytes id = {0};
    if (slash)
        id = vf_bytes(slash + 1, aggregate.size - (size_t)(slash + 1 - aggregate.data));
    vf_arena_reset(worker->scratch);
    enum vf_code code = type->load(worker->store, vf_worker_view(worker), NULL, 0, &aggregate, 1, worker->scratch, NULL,
                                   &ret_known->record, error);
    if (!code && ret_known->record.has_link)
        id = ret_known->record.link;
    if (!code && id.size)
        code = type->load(worker->store, vf_worker_view(worker), &id, 1, NULL, 0, worker->scratch, &ret_known->document,
                          NULL, error);
    return code;
}

/* Whether numbers are still missing before this one: wherever the last one is kept, that is the highest. */
static bool is_behind_gap(const struct known *known, struct vf_bytes aggregate, int64_t version)
{
    const struct vf_aggregate *record = &known->record;
    const struct vf_document *document = &known->document;
    bool is_next =
        (record->has_seen && record->seen >= version - 1) || (record->has_version && record->version >= version - 1);
    for (size_t i = 0; i < document->version_count && !is_next; i++)
        is_next =
            vf_bytes_equal(document->versions[i].aggregate, aggregate) && document->versions[i].version >= version - 1;
    return !is_next;
}

/* Whether it would come behind what waits for somebody to ask for it. */
static bool is_behind_open(const struct vf_aggregate *record, int64_t place)
{
    return record->early_count > 0 && !record->draining && vf_early_is_asked_for(record->early_from) &&
           vf_early_number(place) >= vf_early_number(record->early_from);
}

static bool goes_by_link(struct vf_worker *worker, struct vf_bytes aggregate)
{
    const struct vf_projection *projection = worker->setup.projector_type->describe(worker->projector);
    const char *slash = memchr(aggregate.data, '/', aggregate.size);
    struct vf_bytes kind = vf_bytes(aggregate.data, slash ? (size_t)(slash - aggregate.data) : 0);
    for (size_t i = 0; i < projection->route_count; i++)
        if (vf_bytes_is(kind, projection->routes[i].kind))
            return projection->routes[i].route == VF_ROUTE_LINK;
    return false;
}

/* Whether the event would come into its list now, as far as its partition's room does not decide. */
static bool would_wait(struct vf_worker *worker, const struct vf_reading *reading)
{
    struct known known = {0};
    struct vf_error error;
    enum vf_list which;
    struct vf_bytes aggregate = vf_list_aggregate(vf_bytes_from(reading->room_list), &which);
    const struct vf_aggregate *record = &known.record;
    /* GUARD room-itself: what fails would be tried every few seconds, and its partition be said to stop each time */
    if (reading->room_itself)
        return true;
    if (look_up(worker, aggregate, &known, &error)) {
        vf_worker_lose_store(worker, &error, false);
        return true;
    }
    /* GUARD room-asked: what is behind revisions that wait to be asked for would be tried every few seconds, and said to stop */
    if (which == VF_LIST_EARLY && is_behind_open(record, reading->room_place))
        return true;
    /* GUARD room-filled: what was missing may have come by another partition */
    if (which == VF_LIST_EARLY)
        return is_behind_gap(&known, aggregate, vf_early_number(reading->room_place));
    bool waits_for_link = !record->has_link && (which == VF_LIST_WAITERS || goes_by_link(worker, aggregate));
    /* GUARD room-behind: what was parked before it may have been taken in, or dropped */
    bool is_behind = record->aside_to > record->aside_from || record->waits_for.size > 0 ||
                     record->waiters_to > record->waiters_from;
    return waits_for_link || (which == VF_LIST_OWN && is_behind);
}

/* True when some partition reads on. */
static bool look_for_room(struct vf_worker *worker)
{
    for (size_t i = 0; i < worker->readings.count && worker->store; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        if (reading->state != VF_STOPPED || !reading->waits_for_room)
            continue;
        /* Else what it waits for has come, and the partition would wait for what others wait for */
        if (!vf_worker_has_room(worker, reading) && (!worker->store || would_wait(worker, reading)))
            continue;
        reading->state = VF_READING;
        reading->waits_for_room = false;
        vf_worker_say(worker, VF_LOG_INFO, &reading->partition, NULL,
                      "there is room to set events aside again, or the next one need not wait any more: the partition "
                      "goes on");
        vf_worker_position(worker);
        return true;
    }
    return !worker->store;
}

/* --- batches without rows ------------------------------------------------------------------------------------------ */

/* Each failure once, and of many that take turns a few, then one in half a minute. */
static void say_failure(struct vf_worker *worker, const struct vf_error *error)
{
    uint64_t hash = XXH64(error->text, strlen(error->text), 0);
    int64_t dropped;
    if (hash == worker->drain_said || !vf_log_rate_allow(&worker->drain_log, vf_worker_now_ms(worker), &dropped))
        return;
    worker->drain_said = hash;
    vf_worker_say(
        worker, VF_LOG_ERROR, NULL, error,
        "an event that was held cannot be taken in: it stays held, with all that waits behind it, and is tried "
        "again every few seconds. Mend the projection and adopt it (`viewfold generations adopt`)");
}

/* Sends what was folded apart and waits for it. True: go on. */
static bool finish_apart(struct vf_worker *worker, struct vf_fold *fold, enum vf_fold_outcome outcome)
{
    switch (outcome) {
    case VF_FOLDED:
        if (fold->empty)
            return true;
        worker->setup.store_type->commit_send(worker->store, &fold->commit);
        worker->in_flight = fold;
        worker->in_flight_rows = 0;
        worker->turn = !worker->turn;
        if (vf_worker_settle(worker))
            return true;
        worker->drain_due = true;
        return false;
    case VF_FOLD_NO_STORE:
        vf_worker_lose_store(worker, &fold->error, fold->error.code != VF_E_UNAVAILABLE);
        return false;
    case VF_FOLD_CAREFULLY:
        worker->always_careful |= fold->error.code == VF_OK;
        worker->careful = worker->drain_due = true;
        break;
    case VF_FOLD_FAILED:
        if (fold->failed_parkable) {
            vf_worker_note_failure(worker, fold);
            worker->drain_due = true;
        } else {
            worker->stuck++;
        }
        /* Else the heap is full of what is cached, and no row ever comes that would have it emptied */
        if (fold->error.code == VF_E_MEMORY)
            vf_worker_free_memory(worker);
        if (!fold->failed_parkable)
            say_failure(worker, &fold->error);
        break;
    case VF_FOLD_SETTLE:
    case VF_FOLD_STALE: worker->drain_due = true; break;
    }
    vf_worker_discard(worker, fold->number);
    return true;
}

static struct vf_fold *next_fold(struct vf_worker *worker)
{
    struct vf_fold *fold = &worker->folds[worker->turn];
    fold->number = ++worker->batch;
    return fold;
}

static bool drain_list(struct vf_worker *worker, struct vf_bytes list, bool is_draining)
{
    struct vf_fold *fold = next_fold(worker);
    struct vf_fold_tools tools = vf_worker_tools(worker);
    tools.drain_apart = false; /* this is that batch */
    if (tools.rows_max > worker->drain_max)
        tools.rows_max = worker->drain_max;
    enum vf_fold_outcome outcome = vf_fold_drain_list(fold, &tools, list, &worker->counts);
    /* GUARD drain-before: what waits before an event that cannot be taken in would wait with it */
    if (outcome == VF_FOLD_FAILED && fold->drained_before_failed > 0) {
        tools.rows_max = fold->drained_before_failed;
        vf_worker_discard(worker, fold->number);
        fold = next_fold(worker);
        outcome = vf_fold_drain_list(fold, &tools, list, &worker->counts);
    }
    /* GUARD drain-known: the record as it was before it began to drain, in the cache, would be left alone for ever, where it has
     * early events that are not next */
    if (is_draining && outcome == VF_FOLDED && fold->empty)
        vf_cache_drop_since(worker->cache, fold->number);
    return finish_apart(worker, fold, outcome) && worker->positioned && !worker->superseded;
}

/* GUARD drain-on: what is left of a list whose link is known waits for ever, as no event comes for it */
static bool drain(struct vf_worker *worker)
{
    const struct vf_store_type *type = worker->setup.store_type;
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes *lists;
    size_t count;
    struct vf_error error;
    bool go_on = true;
    int64_t batches = worker->counts.batches;
    worker->drain_due = false;
    worker->stuck = 0;
    if (type->draining(worker->store, vf_worker_view(worker), LISTS_READ, arena, &lists, &count, &error)) {
        vf_worker_lose_store(worker, &error, false);
        go_on = false;
        count = 0;
    }
    /* Begun anywhere: lists whose first event fails again and again must not keep the others from their turn. */
    size_t first = count ? (size_t)(worker->setup.clock->random(worker->setup.clock->self) % count) : 0;
    for (size_t i = 0; i < count && i < LISTS_MAX && go_on; i++)
        go_on = drain_list(worker, lists[(first + i) % count], true);
    /* GUARD drain-rest: thousands of short lists that one batch has left would otherwise take hours, a few every few seconds */
    if (count > LISTS_MAX && worker->counts.batches > batches)
        worker->drain_due = true;
    vf_arena_free(arena);
    return go_on;
}

/* The hole before an early event may have been filled by way of another partition, whose worker knew of no hole: some of the
 * aggregates with gaps are looked at each time, all of them in turn. */
static bool look_at_gaps(struct vf_worker *worker)
{
    const struct vf_store_type *type = worker->setup.store_type;
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes *aggregates;
    size_t count = 0;
    struct vf_error error;
    bool go_on = true;
    bool is_whole = !worker->gaps_after;
    int64_t batches = worker->counts.batches;
    worker->gaps_due_ms = vf_worker_now_ms(worker) + GAPS_INTERVAL_MS;
    struct vf_bytes after = vf_bytes_from(worker->gaps_after ? worker->gaps_after : "");
    if (type->aside_aggregates(worker->store, vf_worker_view(worker), VF_ASIDE_GAP, after, GAPS_MAX, arena, &aggregates,
                               &count, &error)) {
        vf_worker_lose_store(worker, &error, false);
        go_on = false;
    }
    free(worker->gaps_after);
    worker->gaps_after =
        go_on && count == GAPS_MAX ? vf_strndup(aggregates[count - 1].data, aggregates[count - 1].size) : NULL;
    for (size_t i = 0; i < count && go_on; i++)
        go_on = drain_list(worker, aggregates[i], false);
    /* Of several pages, each is the same look: whatever is done meanwhile begins another one. */
    if (is_whole || worker->counts.batches != worker->gaps_begun)
        worker->gaps_begun = batches;
    /* GUARD gaps-again: what was next would be left, as what was known of it was old (where the cache was whole, nothing) */
    bool is_looked_at = !worker->drain_due;
    if (go_on && is_looked_at && !worker->gaps_after && worker->counts.batches == worker->gaps_begun)
        worker->gaps_looked = worker->gaps_begun;
    vf_arena_free(arena);
    return go_on;
}

bool vf_worker_owes_look(const struct vf_worker *worker)
{
    return worker->setup.once && worker->gaps_looked != worker->counts.batches;
}

/* --- what others have set aside -------------------------------------------------------------------------------------- */

/* An aggregate's events may come by several partitions, as where partitions were added, or from two topics. */
static bool look_for_aside(struct vf_worker *worker)
{
    static const enum vf_aside_state states[] = {VF_ASIDE_PARKED, VF_ASIDE_GAP, VF_ASIDE_HELD};
    struct vf_arena *arena = vf_arena_new();
    struct vf_error error;
    enum vf_code code = VF_OK;
    bool found = false;
    worker->aside_look_at_ms = vf_worker_now_ms(worker) + UPKEEP_INTERVAL_MS;
    for (size_t i = 0; i < sizeof states / sizeof states[0] && !code && !found; i++) {
        struct vf_bytes *aggregates;
        size_t count = 0;
        code = worker->setup.store_type->aside_aggregates(worker->store, vf_worker_view(worker), states[i],
                                                          (struct vf_bytes){0}, 1, arena, &aggregates, &count, &error);
        found = !code && count > 0;
    }
    vf_arena_free(arena);
    worker->has_aside = found;
    if (code)
        vf_worker_lose_store(worker, &error, false);
    return !code;
}

/* --- the sweep ----------------------------------------------------------------------------------------------------- */

/* One worker of the fleet sweeps: the one that has the first partition of the first topic. */
static bool is_sweeper(struct vf_worker *worker)
{
    const struct vf_projection *projection = worker->setup.projector_type->describe(worker->projector);
    if (!worker->setup.sweeps || worker->setup.topic_count == 0 ||
        (projection->ttl_ms == 0 && worker->setup.forget_ms == 0))
        return false;
    return vf_readings_find(&worker->readings, worker->setup.topics[0].topic, 0) != NULL;
}

static enum vf_code ask_ends(struct vf_worker *worker, struct vf_error *error)
{
    const struct vf_worker_setup *setup = &worker->setup;
    int64_t now_ms = setup->clock->wall_ms(setup->clock->self);
    struct vf_position *ends = NULL;
    size_t count = 0;
    for (size_t t = 0; t < setup->topic_count; t++) {
        int32_t of;
        enum vf_code code = setup->source_type->partition_count(worker->source, setup->topics[t].topic, &of, error);
        ends = vf_realloc(ends, (count + (size_t)(code ? 0 : of) + 1) * sizeof *ends);
        for (int32_t p = 0; !code && p < of; p++) {
            int64_t low;
            ends[count].partition = (struct vf_partition){setup->topics[t].topic, p};
            code =
                setup->source_type->watermarks(worker->source, ends[count].partition, &low, &ends[count].offset, error);
            count++;
        }
        if (code) {
            free(ends);
            return code;
        }
    }
    worker->ends = ends;
    worker->end_count = count;
    worker->ends_at_ms = now_ms;
    return VF_OK;
}

static bool is_reached(const struct vf_progress_row *rows, size_t count, const struct vf_position *end)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].partition.partition == end->partition.partition &&
            strcmp(rows[i].partition.topic, end->partition.topic) == 0)
            return rows[i].progress.exists && rows[i].progress.next >= end->offset;
    return false;
}

/* Whether the view has dealt with everything that the log held at ends_at_ms: then nothing older can come any more, however
 * far behind the log the fleet was, and the sweep may judge by that time. */
static enum vf_code are_ends_reached(struct vf_worker *worker, bool *ret_reached, struct vf_error *error)
{
    struct vf_progress_row *rows;
    size_t count;
    vf_arena_reset(worker->scratch);
    enum vf_code code = worker->setup.store_type->progress(worker->store, vf_worker_view(worker), worker->scratch,
                                                           &rows, &count, error);
    if (code)
        return code;
    *ret_reached = true;
    for (size_t i = 0; i < worker->end_count; i++)
        *ret_reached &= is_reached(rows, count, &worker->ends[i]);
    return VF_OK;
}

/* Sweeps the first of these documents. *ret_left: so many of those that it looked at are left alone. False when the worker has
 * other things to do now. */
static bool sweep_page(struct vf_worker *worker, const struct vf_bytes *ids, size_t count, size_t *ret_looked_at,
                       size_t *ret_left)
{
    struct vf_fold *fold = next_fold(worker);
    struct vf_fold_tools tools = vf_worker_tools(worker);
    int64_t swept = worker->counts.swept;
    enum vf_fold_outcome outcome = vf_fold_sweep(fold, &tools, ids, count, worker->ends_at_ms, &worker->counts);
    uint64_t number = fold->number;
    *ret_looked_at = fold->rows_taken;
    if (!finish_apart(worker, fold, outcome))
        return false;
    *ret_left = *ret_looked_at - (size_t)(worker->counts.swept - swept);
    /* GUARD sweep-again: a document as it was before its time came, or a record with something set aside that others have taken
     * in, would stay so in the cache, and the document be left alone for ever */
    if (*ret_left > 0)
        vf_cache_drop_since(worker->cache, number);
    return true;
}

/* False when the worker has other things to do now. *ret_more: there may be more of it. */
static bool sweep_some(struct vf_worker *worker, enum vf_due due, bool *ret_more)
{
    const struct vf_worker_setup *setup = &worker->setup;
    int64_t limit_ms = vf_fold_sweep_limit_ms(due, worker->ends_at_ms, setup->forget_ms);
    size_t past = due == VF_DUE_EXPIRED ? worker->sweep_past : 0;
    struct vf_bytes *found;
    size_t count, looked_at = 0, left = 0;
    struct vf_error error;
    struct vf_arena *arena = vf_arena_new();
    bool go_on = true;
    *ret_more = false;
    if (setup->store_type->due(worker->store, vf_worker_view(worker), due, limit_ms, past + SWEEP_MAX, arena, &found,
                               &count, &error)) {
        vf_worker_lose_store(worker, &error, false);
        go_on = false;
    } else if (count > past) {
        go_on = sweep_page(worker, found + past, count - past, &looked_at, &left);
        /* GUARD sweep-past: a page of documents that have to wait would be asked for again and again, and nothing behind it go */
        if (due == VF_DUE_EXPIRED)
            worker->sweep_past = past + left;
        bool is_all = count < past + SWEEP_MAX && count == past + looked_at;
        *ret_more = go_on && looked_at > 0 && !is_all && worker->sweep_past < SWEEP_PAST_MAX;
    }
    vf_arena_free(arena);
    return go_on;
}

static bool sweep(struct vf_worker *worker)
{
    const struct vf_projection *projection = worker->setup.projector_type->describe(worker->projector);
    struct vf_error error;
    bool reached = false, more = false, more_husks = false;
    if (!worker->ends) {
        int64_t now_ms = vf_worker_now_ms(worker);
        if (now_ms >= worker->ends_due_ms) {
            worker->ends_due_ms = now_ms + ENDS_INTERVAL_MS;
            (void)ask_ends(worker, &error); /* Kafka does not answer: asked again the next time */
        }
        return true;
    }
    if (are_ends_reached(worker, &reached, &error)) {
        vf_worker_lose_store(worker, &error, false);
        return false;
    }
    /* GUARD sweep-behind: what has expired by the clock is let go of while events that belong to it are still to come */
    if (!reached)
        return true;
    /* Only now: what was in the log at the ends has been dealt with, and of that nothing is set aside any more but what is now. */
    if (!look_for_aside(worker))
        return false;
    if (projection->ttl_ms > 0 && !sweep_some(worker, VF_DUE_EXPIRED, &more))
        return false;
    /* GUARD forget-aside: nobody knows whose the events are that come before a link; they would bring back what was deleted */
    if (worker->setup.forget_ms > 0 && !worker->has_aside && !sweep_some(worker, VF_DUE_HUSK, &more_husks))
        return false;
    if (more || more_husks)
        worker->upkeep_at_ms = vf_worker_now_ms(worker);
    else
        vf_worker_upkeep_reset(worker); /* the next time judges by a later end */
    return true;
}

/* What is dropped when it is not next leaves no number behind, by which its copies would be known. */
static bool look_for_drops(struct vf_worker *worker)
{
    const struct vf_store_type *type = worker->setup.store_type;
    struct vf_error error;
    bool is_current;
    enum vf_code code = vf_drops_look(worker->drops, type, worker->store, vf_worker_view(worker), &is_current, &error);
    /* GUARD drops-looked-at: a copy of what was left out is taken in by who runs since before that, and not by a rebuild */
    if (!code && !is_current)
        code = vf_drops_load(worker->drops, type, worker->store, vf_worker_view(worker), &error);
    if (code)
        vf_worker_lose_store(worker, &error, false);
    return !code;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

bool vf_worker_upkeep(struct vf_worker *worker)
{
    int64_t now_ms = vf_worker_now_ms(worker);
    bool due = now_ms >= worker->upkeep_at_ms;
    bool sweeps = due && is_sweeper(worker);
    bool looks = vf_worker_owes_look(worker) && vf_worker_is_at_ends(worker);
    vf_suspects_age(worker->suspects, now_ms);
    if (!worker->positioned || !(due || worker->drain_due || looks))
        return false;
    if (worker->in_flight && !vf_worker_settle(worker))
        return true;
    if (due)
        worker->upkeep_at_ms = now_ms + UPKEEP_INTERVAL_MS;
    if (now_ms >= worker->aside_look_at_ms && !(look_for_drops(worker) && look_for_aside(worker)))
        return true;
    if (!drain(worker))
        return true;
    if ((looks || (due && now_ms >= worker->gaps_due_ms)) && !look_at_gaps(worker))
        return true;
    if (due && look_for_room(worker))
        return true;
    if (sweeps && !sweep(worker))
        return true;
    return false;
}
