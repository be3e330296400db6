#include "run/fold.h"

#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>

/* A fold that takes longer than this seals what it has: slow handlers must not keep a worker from polling. */
#define FOLD_MS_MAX 5000

/* So many bytes of an event's type are shown in an error. */
#define TYPE_SHOWN_MAX 100

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

static const struct vf_route *find_route(const struct vf_projection *projection, struct vf_bytes kind)
{
    for (size_t i = 0; i < projection->route_count; i++)
        if (vf_bytes_is(kind, projection->routes[i].kind))
            return &projection->routes[i];
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
        *row = (struct vf_fold_row){.record = record, .reading = reading};
        if (record->row != VF_ROW_RECORD)
            continue;
        struct vf_error error;
        if (vf_envelope_read(&reading->topic->envelope, record, tools->parser, run->fold->arena, &row->event, &error))
            row->unreadable = memcpy(vf_arena_alloc(run->fold->arena, sizeof error), &error, sizeof error);
        else
            row->route = find_route(tools->projection, row->event.kind);
    }
}

/* --- one event ---------------------------------------------------------------------------------------------------- */

/* In careful mode a handler's result goes through BSON at once: what cannot be kept fails the event that made it, and the
 * document behaves as one that was just loaded. */
static enum vf_code settle_document(struct vf_fold_state *run, struct vf_cached_document *document,
                                    struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_bytes body;
    bool aliased;
    vf_arena_reset(run->fold->scratch); /* a body an event: the batch's arena would hold them all */
    enum vf_code code =
        tools->projector_type->body(tools->projector, document->warm, run->fold->scratch, &body, &aliased, error);
    if (code)
        return code;
    vf_cache_cool(tools->cache, document);
    document->cold = vf_bytes(memcpy(vf_alloc(body.size), body.data, body.size), body.size);
    document->body_bytes = body.size;
    return VF_OK;
}

/* The event is counted into one document: its version and the revision move; the handler, if there is one, changes it. */
static enum vf_code take_in(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_bytes id,
                            struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    int type_size = row->event.type.size > TYPE_SHOWN_MAX ? TYPE_SHOWN_MAX : (int)row->event.type.size;
    struct vf_cached_document *document;
    enum vf_code code = vf_fold_need_document(run, id, &document, error);
    if (code)
        return code;
    run->touched_bytes += row->record->value.size;
    document->head.changed = true;

    if (tools->projector_type->handles(tools->projector, &row->event)) {
        code = vf_cache_warm(tools->cache, document, error);
        if (code)
            return code;
        enum vf_handled handled;
        code = tools->projector_type->handle(tools->projector, &row->event, document->head.key, document->warm,
                                             0, &handled, error);
        if (code)
            return code;
        document->presence = VF_PRESENT;
        if (tools->careful) {
            code = settle_document(run, document, error);
            if (code) /* it says which field, and no line of the script */
                return vf_error_prefix(error, "after %.*s", type_size, row->event.type.data);
        }
    } else if (document->presence == VF_ABSENT) {
        /* GUARD husk: an event without a handler on an absent document keeps its version, and no empty document appears */
        document->presence = VF_HUSK_NEW;
    }
    document->revision++;
    if (tools->projection->versions == VF_VERSIONS_DOCUMENT)
        vf_cached_set_version(tools->cache, document, &row->event);
    return VF_OK;
}

static struct vf_last last_of_record(const struct vf_cached_aggregate *aggregate)
{
    return (struct vf_last){aggregate->has_version, aggregate->version, aggregate->version_more};
}

/* The last version, where the aggregate's version lives. It borrows from the cache, until the event is taken in. */
static enum vf_code find_last(struct vf_fold_state *run, struct vf_fold_row *row,
                              const struct vf_cached_aggregate *aggregate, struct vf_last *ret_last,
                              struct vf_error *error)
{
    const struct vf_event *event = &row->event;
    *ret_last = (struct vf_last){0};
    switch (run->tools->projection->versions) {
    case VF_VERSIONS_NONE: return VF_OK;
    case VF_VERSIONS_RECORD:
        assert(aggregate);
        *ret_last = last_of_record(aggregate);
        return VF_OK;
    case VF_VERSIONS_DOCUMENT: break;
    }
    struct vf_bytes id = event->id;
    if (row->route->route == VF_ROUTE_LINK) {
        assert(aggregate);
        if (!aggregate->has_link)
            return VF_OK;
        if (aggregate->link_is_none) {
            *ret_last = last_of_record(aggregate);
            return VF_OK;
        }
        id = aggregate->link;
    }
    struct vf_cached_document *document;
    enum vf_code code = vf_fold_need_document(run, id, &document, error);
    if (!code)
        *ret_last = vf_cached_version(document, event->aggregate);
    return code;
}

/* Something is left out because the record says that it was done. Then the record must be in the condition like anything
 * else: a store that was rewound between two reads has progress from before the event, and no longer what was read. */
static void rely_on(struct vf_cached_aggregate *aggregate)
{
    /* GUARD relied-on: an event is passed as a duplicate by a record that the store has lost */
    if (aggregate)
        aggregate->head.relied_on = true;
}

/* Follows or makes the aggregate's link. *ret_none: its events go nowhere. */
static enum vf_code follow_link(struct vf_fold_state *run, struct vf_fold_row *row,
                                struct vf_cached_aggregate *aggregate, bool *ret_none, struct vf_error *error)
{
    const struct vf_event *event = &row->event;
    if (vf_fold_is_linking(row)) {
        enum vf_code code = vf_fold_ask_route(run, row, error);
        if (code)
            return code;
        if (row->routed.count > 1)
            return vf_fail(error, VF_E_SCRIPT, "%.*s: a link says %zu documents; an aggregate is linked to one",
                           (int)event->aggregate.size, event->aggregate.data, row->routed.count);
        bool none = row->routed.count == 0;
        struct vf_bytes link = none ? (struct vf_bytes){0} : row->routed.ids[0];
        if (aggregate->has_link)
            rely_on(aggregate); /* it is not written again */
        if (!aggregate->has_link) {
            vf_cached_set_link(aggregate, link, none);
            aggregate->exists = aggregate->head.changed = true;
        } else if (aggregate->link_is_none != none || (!none && !vf_bytes_equal(aggregate->link, link))) {
            return vf_fail(
                error, VF_E_SCRIPT,
                "%.*s is linked to \"%.*s\" and would move to \"%.*s\": moves between documents are not built yet",
                (int)event->aggregate.size, event->aggregate.data, (int)aggregate->link.size,
                aggregate->link.size ? aggregate->link.data : "", (int)link.size, link.size ? link.data : "");
        }
    } else if (!aggregate->has_link) {
        return vf_fail(
            error, VF_E_SCRIPT,
            "%.*s: its link is not known: no %s of it has been taken in before this %.*s. Holding events until "
            "their link is known is not built yet",
            (int)event->aggregate.size, event->aggregate.data, row->route->links[0].type, (int)event->type.size,
            event->type.data);
    }
    *ret_none = aggregate->link_is_none;
    return VF_OK;
}

static enum vf_code apply(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    const struct vf_event *event = &row->event;
    struct vf_counts *counts = &run->fold->counts;
    struct vf_cached_aggregate *aggregate = NULL;
    enum vf_code code;
    if (vf_fold_has_record(tools, row->route)) {
        code = vf_fold_need_aggregate(run, event->aggregate, &aggregate, error);
        if (code)
            return code;
    }
    struct vf_last last;
    code = find_last(run, row, aggregate, &last, error);
    if (code)
        return code;
    if (tools->projection->versions != VF_VERSIONS_NONE) {
        enum vf_order order = vf_version_order(event, &last);
        /* GUARD duplicate: what was taken in before would be taken in again */
        /* GUARD duplicate-before-route: a repeat of an old link event would be followed, or fail */
        if (order == VF_DUPLICATE) {
            rely_on(aggregate);
            counts->duplicates++;
            return VF_OK;
        }
        /* GUARD gap: an event after a hole, or one that cannot be told, is neither taken in nor skipped */
        if (order != VF_NEXT)
            return vf_version_fail(event, &last, order, error);
    }

    const struct vf_bytes *ids = &event->id;
    size_t id_count = 1;
    if (row->route->route == VF_ROUTE_LINK) {
        bool none = false;
        assert(aggregate);
        code = follow_link(run, row, aggregate, &none, error);
        if (code)
            return code;
        ids = &aggregate->link;
        id_count = none ? 0 : 1;
    } else if (row->route->route != VF_ROUTE_OWN) {
        code = vf_fold_ask_route(run, row, error);
        if (code)
            return code;
        ids = row->routed.ids;
        id_count = row->routed.count;
    }
    /* The record keeps the version where no single document can: also of events that the route sends nowhere. */
    if (tools->projection->versions == VF_VERSIONS_RECORD ||
        (tools->projection->versions == VF_VERSIONS_DOCUMENT && aggregate && id_count == 0)) {
        assert(aggregate);
        aggregate->exists = aggregate->head.changed = true;
        vf_cached_set_record_version(tools->cache, aggregate, event);
    }
    for (size_t i = 0; i < id_count; i++) {
        code = take_in(run, row, ids[i], error);
        if (code)
            return code;
    }
    if (id_count)
        counts->events++;
    else
        counts->not_for_view++;
    return VF_OK;
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
            "%s/%d ends at offset %lld, and the view has already dealt with everything before %lld: the topic was "
            "re-created or truncated. Rebuild the view from the log as it is now",
            record->topic, record->partition, (long long)record->offset, (long long)progress->next);
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
        "the record at offset %lld of %s/%d is not the one that the view has taken in: the topic was re-created. "
        "Rebuild the view from the log as it is now",
        (long long)record->offset, record->topic, record->partition);
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
        if (record->offset > reading->folded.next || !reading->folded.exists) {
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
    if (row->unreadable) {
        *error = *row->unreadable;
        return error->code;
    }
    if (row->route) {
        code = apply(run, row, error);
        if (code)
            return code;
    } else {
        run->fold->counts.not_for_view++;
    }
    run->fold->counts.records++;
    reading->folded.exists = true;
    reading->folded.next = record->offset + 1;
    reading->folded.of = reading->of;
    reading->last = record;
    reading->folded_end = false;
    return VF_OK;
}

/* --- the fold ----------------------------------------------------------------------------------------------------- */

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
    if (vf_fold_foresee(&run, &fold->error) && run.store_failed)
        return VF_FOLD_NO_STORE;

    int64_t began_ms = tools->clock->monotonic_ms(tools->clock->self);
    fold->rows_taken = row_count;
    for (size_t i = 0; i < run.row_count; i++) {
        struct vf_fold_row *row = &run.rows[i];
        if (i > 0 && (i >= run.row_limit || run.touched_bytes > tools->written_bytes_max ||
                      tools->clock->monotonic_ms(tools->clock->self) - began_ms > FOLD_MS_MAX)) {
            fold->rows_taken = (size_t)(row->record - rows); /* the rest is the next batch's */
            break;
        }
        if (deal_with(&run, row, &fold->error)) {
            if (run.store_failed)
                return VF_FOLD_NO_STORE;
            fold->failed = row->record;
            fold->failed_reading = row->reading;
            fold->rows_before_failed = (size_t)(row->record - rows);
            if (!row->unreadable)
                fold->failed_aggregate = row->event.aggregate;
            return VF_FOLD_FAILED;
        }
    }
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
