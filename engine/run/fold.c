#include "run/fold.h"

#include "core/versions.h"
#include "run/drops.h"
#include "run/fold_state.h"
#include "run/stopping.h"

#include <assert.h>

void vf_fold_init(struct vf_fold *fold)
{
    *fold = (struct vf_fold){.arena = vf_arena_new(), .scratch = vf_arena_new()};
}

void vf_fold_done(struct vf_fold *fold)
{
    vf_arena_free(fold->arena);
    vf_arena_free(fold->scratch);
    fold->arena = fold->scratch = NULL;
}

/* --- envelopes ---------------------------------------------------------------------------------------------------- */

const struct vf_route *vf_fold_find_route(const struct vf_projection *projection, struct vf_bytes kind)
{
    for (size_t i = 0; i < projection->route_count; i++)
        if (vf_bytes_is(kind, projection->routes[i].kind))
            return &projection->routes[i];
    return NULL;
}

const struct vf_envelope *vf_fold_find_envelope(const struct vf_fold_tools *tools, const char *topic)
{
    for (size_t i = 0; i < tools->topic_count; i++)
        if (strcmp(tools->topics[i].topic, topic) == 0)
            return &tools->topics[i].envelope;
    return NULL;
}

/* Whether the fold deals with this row: it is of the present assignment, not behind it, and its partition is read. */
static bool is_ours(const struct vf_fold_tools *tools, const struct vf_record *record, struct vf_reading *reading)
{
    /* GUARD older-assignment: a row from before the last assign, its END too, says nothing about where reading is now */
    if (record->assignment != tools->assignment || !reading)
        return false;
    if (reading->state == VF_STOPPED)
        return false;
    /* GUARD behind-stop: nothing is dealt with behind an event that cannot be taken in */
    return reading->state != VF_STOPPING || record->offset < reading->stop_offset;
}

static const struct vf_error *keep_error(struct vf_fold_state *run, const struct vf_error *error)
{
    return memcpy(vf_arena_alloc(run->fold->arena, sizeof *error), error, sizeof *error);
}

static void read_event(struct vf_fold_state *run, struct vf_fold_row *row)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_error error;
    if (vf_envelope_read(row->envelope, row->record, tools->parser, run->fold->arena, &row->event, &error)) {
        row->unreadable = keep_error(run, &error);
        return;
    }
    row->route = vf_fold_find_route(tools->projection, row->event.kind);
    if (row->route && tools->projection->upcasts &&
        tools->projector_type->upcast(tools->projector, &row->event, run->fold->arena, &error))
        row->not_upcast = keep_error(run, &error);
}

/* Whether this fold itself has dropped the event, at another place. */
static bool is_copy_of_dropped(const struct vf_fold_state *run, const struct vf_event *event)
{
    uint64_t identity = run->dropped.count > 0 ? vf_event_identity(event) : 0;
    for (size_t i = 0; identity && i < run->dropped.count; i++)
        /* GUARD dropped-twice: of what is dropped a copy that waits behind it would be parked in its place */
        if (((const struct vf_dropped *)run->dropped.items[i])->identity == identity)
            return true;
    return false;
}

/* Reads the event of a row, as far as it can be read, and whether somebody has decided to leave it out. */
void vf_fold_read_event(struct vf_fold_state *run, struct vf_fold_row *row)
{
    static const struct vf_error unread = {.code = VF_E_DATA, .text = "it was left out as it could not be read"};
    bool was_unread;
    read_event(run, row);
    row->dropped = vf_drops_has(run->tools->drops, row->record, row->event.aggregate, &was_unread);
    /* GUARD dropped-unread: its number would count in a rebuild, and pass what has come with that number since */
    if (was_unread) {
        row->unreadable = &unread;
        row->route = NULL;
    }
    /* GUARD dropped-copy: a rebuild that meets the event's copy in another partition first would take in what was left out */
    if (!row->unreadable && run->tools->projection->versions != VF_VERSIONS_NONE)
        row->dropped |= vf_drops_has_copy(run->tools->drops, &row->event) || is_copy_of_dropped(run, &row->event);
}

static void read_rows(struct vf_fold_state *run, const struct vf_record *records, size_t count)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_reading *reading = NULL;
    run->rows = vf_arena_alloc(run->fold->arena, count * sizeof *run->rows);
    for (size_t i = 0; i < count; i++) {
        const struct vf_record *record = &records[i];
        if (!reading || reading->partition.partition != record->partition ||
            strcmp(reading->partition.topic, record->topic) != 0)
            reading = vf_readings_find(tools->readings, record->topic, record->partition);
        if (!is_ours(tools, record, reading))
            continue;
        struct vf_fold_row *row = &run->rows[run->row_count++];
        *row = (struct vf_fold_row){.record = record, .reading = reading, .envelope = &reading->topic->envelope};
        if (record->row == VF_ROW_RECORD)
            vf_fold_read_event(run, row);
    }
}

/* --- one event ---------------------------------------------------------------------------------------------------- */

enum vf_code vf_fold_find_taken(struct vf_fold_state *run, struct vf_fold_row *row,
                                const struct vf_cached_aggregate *record, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    bool is_linked = record && record->has_link && !record->link_is_none;
    row->last = (struct vf_last){0};
    if (tools->projection->versions == VF_VERSIONS_NONE)
        return VF_OK;
    if (tools->projection->versions == VF_VERSIONS_RECORD || (record && record->by_link && !is_linked)) {
        assert(record);
        row->last = (struct vf_last){record->has_version, record->version, record->version_more};
        return VF_OK;
    }
    struct vf_cached_document *document;
    enum vf_code code = vf_fold_need_document(run, is_linked ? record->link : row->event.id, &document, error);
    if (code)
        return code;
    row->last = vf_cached_version(document, row->event.aggregate);
    /* GUARD forgotten: a document that is forgotten takes its aggregates' numbers along, also where another of them has made it
     * anew since: their next events would be behind a gap for ever */
    row->event.first_any |= !row->last.exists && tools->forget_ms > 0;
    return VF_OK;
}

enum vf_code vf_fold_find_last(struct vf_fold_state *run, struct vf_fold_row *row,
                               const struct vf_cached_aggregate *record, struct vf_error *error)
{
    if (run->tools->projection->versions == VF_VERSIONS_NONE || !record || !record->has_seen)
        return vf_fold_find_taken(run, row, record, error);
    row->last = (struct vf_last){true, record->seen, record->seen_more};
    return VF_OK;
}

/* Something is left out because the record says that it was done. Then the record must be in the condition like anything
 * else: a store that was rewound between two reads has progress from before the event, and no longer what was read. */
static void pass_duplicate(struct vf_fold_state *run, struct vf_cached_aggregate *record)
{
    /* GUARD relied-on: an event is passed as a duplicate by a record that the store has lost */
    if (record)
        record->head.relied_on = true;
    run->fold->counts.duplicates++;
}

/* An event of a kind whose documents its route says each time: into each of them. */
static enum vf_code apply_routed(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                 struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    const struct vf_bytes *ids = &row->event.id;
    size_t count = 1;
    enum vf_code code = VF_OK;
    if (row->route->route != VF_ROUTE_OWN && row->dropped) {
        count = 0; /* whichever documents it would have gone to */
    } else if (row->route->route != VF_ROUTE_OWN) {
        code = vf_fold_ask_route(run, row, error);
        ids = row->routed.ids;
        count = row->routed.count;
    }
    for (size_t i = 0; i < count && !code; i++)
        code = vf_fold_take_in(run, row, ids[i], NULL, error);
    if (code)
        return code;
    /* The record keeps the version where no single document can: also of events that the route sends nowhere. */
    if (tools->projection->versions == VF_VERSIONS_RECORD) {
        assert(record);
        vf_cached_mark_changed(record);
        vf_cached_set_record_version(tools->cache, record, &row->event, &row->last);
    }
    if (count)
        run->fold->counts.events++;
    else
        run->fold->counts.not_for_view++;
    return VF_OK;
}

/* What is left of the aggregate's lists comes before anything new, and the event may be a repeat of what was in them. */
static enum vf_code drain_first(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                bool *ret_taken, struct vf_error *error)
{
    enum vf_code code = vf_fold_wake(run, record, error);
    if (!code)
        code = vf_fold_drain(run, error);
    if (!code && record->has_seen)
        row->last = (struct vf_last){true, record->seen, record->seen_more};
    else if (!code)
        code = vf_fold_find_taken(run, row, record, error);
    vf_fold_begin_event(run, row);
    /* GUARD drained-repeat: an event that has just been taken in from a list would be taken in twice */
    *ret_taken = !code && run->tools->projection->versions != VF_VERSIONS_NONE &&
                 vf_fold_order(run, &row->event, &row->last) == VF_DUPLICATE;
    return code;
}

/* An event of a kind without links: into its documents, or behind what waits of its aggregate. */
static enum vf_code apply_plain(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                struct vf_error *error)
{
    /* GUARD behind-parked: what failed would be overtaken by what its aggregate does next */
    if (record && !row->in_turn && vf_cached_waits(record))
        return vf_fold_hold_behind(run, row, record, error);
    if (record && row->in_turn) {
        enum vf_code code = vf_fold_find_taken(run, row, record, error);
        if (code)
            return code;
    }
    return apply_routed(run, row, record, error);
}

enum vf_code vf_fold_apply_in_turn(struct vf_fold_state *run, struct vf_fold_row *row,
                                   struct vf_cached_aggregate *record, struct vf_error *error)
{
    enum vf_code code = row->route->route == VF_ROUTE_LINK ? vf_fold_apply_linked(run, row, record, error)
                                                           : apply_plain(run, row, record, error);
    if (code || !record)
        return code;
    if (record->early_count > 0) /* what came early may be next */
        record->early_ready = true;
    return vf_cached_is_draining(record) ? vf_fold_wake(run, record, error) : VF_OK;
}

int64_t vf_fold_next(const struct vf_fold_state *run, const struct vf_event *event, const struct vf_last *last)
{
    return vf_drops_pass(run->tools->drops, event->aggregate, last->exists ? last->version + 1 : event->first);
}

enum vf_order vf_fold_order(const struct vf_fold_state *run, const struct vf_event *event, const struct vf_last *last)
{
    enum vf_order order = vf_version_order(event, last);
    bool is_counted = event->numbers == VF_NUMBERS_SEQUENCE || event->numbers == VF_NUMBERS_REVISION;
    bool is_sibling = last->exists && event->version == last->version;
    if (!is_counted || is_sibling || (order != VF_NEXT && order != VF_GAP) ||
        (!last->exists && (event->first_any || event->version < event->first)))
        return order;
    int64_t next = vf_fold_next(run, event, last);
    /* GUARD given-up-late: a number that was given up, and came after that, would be taken in by a rebuild that meets it in its turn,
     * and the decision, which begins with it, be void */
    if (event->version < next)
        return VF_DUPLICATE;
    return event->version == next ? VF_NEXT : VF_GAP;
}

/* Numbers are missing before the event, or it cannot be told whether. */
static enum vf_code meet_gap(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                             enum vf_order order, struct vf_error *error)
{
    const struct vf_event *event = &row->event;
    bool may_be_filled = order == VF_GAP && vf_fold_may_be_filled(event, &row->last);
    if (may_be_filled && run->tools->parks)
        return vf_fold_hold_early(run, row, record, error);
    /* GUARD dropped-unfit: what was left out would be parked again where the view is built anew */
    /* GUARD dropped-early: its number would not count, and what comes next be behind a gap for ever */
    if (row->dropped && !may_be_filled) {
        run->fold->counts.not_for_view++;
        return VF_OK;
    }
    run->fold->failed_order = order == VF_UNFIT && event->numbers == VF_NUMBERS_OFFSET;
    return vf_version_fail(event, &row->last, order, error);
}

/* It is next although others of its aggregate wait for what is missing before them: that is not waited for any more, as the
 * configuration says now. They come first. */
static enum vf_code go_behind_early(struct vf_fold_state *run, struct vf_fold_row *row,
                                    struct vf_cached_aggregate *record, struct vf_error *error)
{
    enum vf_code code = vf_fold_hold_early(run, row, record, error);
    if (code)
        return code;
    record->early_ready = true;
    code = vf_fold_wake(run, record, error);
    run->passing = record;
    run->passing_to = row->event.version;
    code = code ? code : vf_fold_drain(run, error);
    run->passing = NULL;
    return code;
}

/* The aggregate's record, where the event cannot be judged without it. */
static enum vf_code find_record(struct vf_fold_state *run, struct vf_fold_row *row, bool is_needed,
                                struct vf_cached_aggregate **record, struct vf_error *error)
{
    if (*record || !(is_needed || vf_fold_wants_record(run->tools, row)))
        return VF_OK;
    enum vf_code code = vf_fold_need_aggregate(run, row->event.aggregate, record, error);
    return code ? code : vf_fold_find_last(run, row, *record, error);
}

static enum vf_code judge(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate **record,
                          enum vf_order *ret_order, struct vf_error *error)
{
    *ret_order = VF_NEXT;
    enum vf_code code = find_record(run, row, false, record, error);
    if (!code && !*record)
        code = vf_fold_find_last(run, row, NULL, error);
    if (code || run->tools->projection->versions == VF_VERSIONS_NONE)
        return code;
    *ret_order = vf_fold_order(run, &row->event, &row->last);
    if (*ret_order == VF_DUPLICATE || *ret_order == VF_NEXT || *record)
        return VF_OK;
    /* Its aggregate may have something set aside by another partition, behind which it is next. */
    code = find_record(run, row, true, record, error);
    if (!code)
        *ret_order = vf_fold_order(run, &row->event, &row->last);
    return code;
}

enum vf_code vf_fold_apply(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    struct vf_cached_aggregate *record = NULL;
    enum vf_order order;
    enum vf_code code = judge(run, row, &record, &order, error);
    if (code)
        return code;
    /* GUARD duplicate: what was taken in before would be taken in again */
    /* GUARD duplicate-before-route: a repeat of an old link event would be followed, or fail */
    if (order == VF_DUPLICATE) {
        pass_duplicate(run, record);
        return VF_OK;
    }
    bool is_allowed = order == VF_GAP && row->envelope->gaps_allowed;
    if (is_allowed)
        order = VF_NEXT;
    /* GUARD gap: an event after a hole, or one that cannot be told, is neither taken in nor skipped */
    if (order != VF_NEXT)
        return meet_gap(run, row, record, order, error);
    /* GUARD behind-early: what has waited for a hole that is not minded any more would be passed, and be lost */
    if (record && vf_cached_is_behind_early(record, &row->event))
        return go_behind_early(run, row, record, error);
    run->fold->counts.gaps += is_allowed;
    bool is_there = false;
    if (record && vf_cached_is_draining(record))
        code = drain_first(run, row, record, &is_there, error);
    /* What waits behind others of its aggregate may be among the early ones, although nothing is missing before it any more. */
    int64_t place;
    if (!code && !is_there && record)
        code = vf_fold_is_early(run, record, &row->event, &is_there, &place, error);
    if (code || is_there) {
        run->fold->counts.duplicates += is_there;
        return code;
    }
    run->is_judged = true;
    if (row->not_upcast && !row->dropped && !(record && vf_cached_waits(record))) {
        *error = *row->not_upcast;
        return error->code;
    }
    code = vf_fold_apply_in_turn(run, row, record, error);
    return code ? code : vf_fold_drain(run, error);
}

/* Is it still the log that progress is from (docs/protocol.md)? An end before the position, or another record where
 * the last one was, says no: the topic was re-created or cut. A last record that is gone (compaction, retention) says
 * nothing. */
static enum vf_code check_log(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    const struct vf_record *record = row->record;
    struct vf_reading *reading = row->reading;
    const struct vf_progress *progress = &reading->folded;
    /* GUARD shorter-log: offsets that come again with other events are taken for those that were dealt with */
    if (record->row == VF_ROW_END && record->offset < progress->next) {
        run->fold->failed_log = true;
        return vf_fail(
            error, VF_E_DATA,
            "the log of %s/%d ends at offset %lld, and the view has already dealt with everything before %lld: the topic "
            "was re-created or truncated. " VF_BUILD_ANEW,
            record->topic, record->partition, (long long)record->offset, (long long)progress->next,
            run->tools->projection->name);
    }
    if (!reading->verify || record->row != VF_ROW_RECORD)
        return VF_OK;
    /* GUARD other-log: a topic that was made anew is read on as if it were the old one */
    if (record->offset != progress->last_offset ||
        (record->timestamp_ms == progress->last_timestamp_ms && vf_record_hash(record) == progress->last_hash)) {
        reading->verify = false; /* only now: a fold that fails may be thrown away, and its rows come again */
        return VF_OK;
    }
    run->fold->failed_log = true;
    return vf_fail(
        error, VF_E_DATA,
        "the record at offset %lld of %s/%d is not the one that the view has taken in: the topic was re-created. " VF_BUILD_ANEW,
        (long long)record->offset, record->topic, record->partition, run->tools->projection->name);
}

/* Deals with one row, whatever it is; then the partition's position is behind it. */
static enum vf_code deal_with(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    const struct vf_record *record = row->record;
    struct vf_reading *reading = row->reading;
    enum vf_code code = check_log(run, row, error);
    if (code)
        return code;
    if (record->row == VF_ROW_OUT_OF_RANGE)
        return VF_OK; /* the worker has answered it already */
    if (record->row == VF_ROW_END) {
        /* The count too: what was decided about partitions that were added is then no question any more. */
        if (record->offset > reading->folded.next || !reading->folded.exists || reading->folded.of != reading->of) {
            reading->folded.exists = true;
            reading->folded.next = record->offset;
            reading->folded.of = reading->of;
        }
        reading->folded_end = true;
        return VF_OK;
    }
    /* GUARD below-position: reading begins at the last record that was dealt with, which would be dealt with again */
    if (record->offset < reading->folded.next)
        return VF_OK;
    vf_fold_begin_event(run, row);
    if (row->unreadable && !row->dropped) {
        *error = *row->unreadable;
        code = error->code;
    } else if (row->route && !row->unreadable) {
        code = vf_fold_apply(run, row, error);
    } else {
        run->fold->counts.not_for_view++;
    }
    if (code && vf_fold_may_park(run, row, error))
        code = vf_fold_park(run, row, error);
    if (code)
        return code;
    run->fold->counts.records++;
    reading->folded.exists = true;
    reading->folded.next = record->offset + 1;
    reading->folded.of = reading->of;
    reading->last = record;
    reading->folded_end = false;
    return VF_OK;
}

/* --- the fold ----------------------------------------------------------------------------------------------------- */

enum vf_fold_outcome vf_fold_failed_outcome(const struct vf_fold_state *run)
{
    switch (run->trouble) {
    case VF_TROUBLE_STORE: return VF_FOLD_NO_STORE;
    case VF_TROUBLE_IN_FLIGHT: return VF_FOLD_SETTLE;
    case VF_TROUBLE_STALE: return VF_FOLD_STALE;
    case VF_TROUBLE_CAREFULLY: return VF_FOLD_CAREFULLY;
    case VF_TROUBLE_HELD: run->fold->failed_drain = true; break;
    case VF_TROUBLE_FOREIGN:
    case VF_TROUBLE_NONE: break;
    }
    return VF_FOLD_FAILED;
}

static enum vf_fold_outcome fold_rows(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                      const struct vf_record *rows, size_t row_count, struct vf_counts *loads)
{
    vf_arena_reset(fold->arena);
    *fold = (struct vf_fold){.number = fold->number, .arena = fold->arena, .scratch = fold->scratch};
    struct vf_fold_state run = {.fold = fold, .tools = tools, .loads = loads};
    if (row_count > tools->rows_max)
        row_count = tools->rows_max;
    read_rows(&run, rows, row_count);
    run.row_limit = run.row_count;
    if (vf_fold_foresee(&run, &fold->error) && run.trouble == VF_TROUBLE_STORE)
        return VF_FOLD_NO_STORE;

    run.began_ms = tools->clock->monotonic_ms(tools->clock->self);
    fold->rows_taken = row_count;
    for (size_t i = 0; i < run.row_count; i++) {
        struct vf_fold_row *row = &run.rows[i];
        if (i > 0 && (i >= run.row_limit || vf_fold_is_heavy(&run) ||
                      tools->clock->monotonic_ms(tools->clock->self) - run.began_ms > VF_FOLD_MS_MAX)) {
            fold->rows_taken = (size_t)(row->record - rows); /* the rest is the next batch's */
            break;
        }
        run.is_alone = i == 0;
        if (deal_with(&run, row, &fold->error)) {
            vf_fold_end_events(&run);
            fold->failed = row->record;
            fold->failed_reading = row->reading;
            fold->rows_before_failed = (size_t)(row->record - rows);
            if (!row->unreadable)
                fold->failed_aggregate = row->event.aggregate;
            return vf_fold_failed_outcome(&run);
        }
    }
    vf_fold_end_events(&run);
    return vf_fold_seal(&run);
}

enum vf_fold_outcome vf_fold_run(struct vf_fold *fold, const struct vf_fold_tools *tools, const struct vf_record *rows,
                                 size_t row_count, struct vf_counts *loads)
{
    enum vf_fold_outcome outcome = fold_rows(fold, tools, rows, row_count, loads);
    /* Else an event could fail on something old, and again on the next old thing, and count as failing on fresh ones. */
    if (outcome != VF_FOLDED || vf_cache_is_whole(tools->cache))
        vf_cache_drop_unused(tools->cache);
    return outcome;
}
