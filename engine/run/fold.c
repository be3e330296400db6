#include "run/fold.h"

#include "core/versions.h"

#include <assert.h>
#include <stdlib.h>

/* A fold that takes longer than this seals what it has: slow handlers must not keep a worker from polling. */
#define FOLD_MS_MAX 5000

/* One row while its batch is folded. */
struct row {
    const struct vf_record *record;
    struct vf_reading *reading;
    struct vf_event event;
    const struct vf_route *route;      /* NULL: the kind is not for this view, or the envelope could not be read */
    const struct vf_error *unreadable; /* in the arena */
    struct vf_routed routed;           /* what the route said, where it has been asked */
    bool is_routed;
};

struct list {
    void **items;
    size_t count;
    size_t capacity;
};

/* The state of one vf_fold_run. */
struct run {
    struct vf_fold *fold;
    const struct vf_fold_tools *tools;
    struct row *rows;
    size_t row_count;
    struct list documents;  /* struct vf_cached_document: everything consulted, in order of first use */
    struct list aggregates; /* struct vf_cached_aggregate */
    size_t row_limit;       /* rows from here on are the next batch's: their documents were not foreseen */
    size_t touched_bytes; /* of documents that the batch has consulted, by the sizes they had, and what came to them */
    bool store_failed;    /* the error is the store's, not the event's */
    struct vf_counts *loads;
};

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

static void list_add(struct run *run, struct list *list, void *item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        void **items = vf_arena_alloc(run->fold->arena, capacity * sizeof *items);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* Keys to load, each once. */
struct wanted_key {
    struct vf_bytes key;
    UT_hash_handle hh;
};

struct wanted {
    struct vf_bytes *keys;
    size_t count;
    struct wanted_key *set;
};

static struct wanted wanted_new(struct run *run, size_t most)
{
    return (struct wanted){.keys = vf_arena_alloc(run->fold->arena, most * sizeof(struct vf_bytes))};
}

static void want(struct run *run, struct wanted *wanted, struct vf_bytes key)
{
    struct wanted_key *there;
    HASH_FIND(hh, wanted->set, key.data, key.size, there);
    if (there)
        return;
    there = vf_arena_calloc(run->fold->arena, 1, sizeof *there);
    there->key = key;
    HASH_ADD_KEYPTR(hh, wanted->set, key.data, key.size, there);
    wanted->keys[wanted->count++] = key;
}

/* Reads documents and aggregate records that are not in the cache into it: one round trip. */
static enum vf_code load(struct run *run, struct wanted *documents, struct wanted *aggregates, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    HASH_CLEAR(hh, documents->set);
    HASH_CLEAR(hh, aggregates->set);
    if (documents->count + aggregates->count == 0)
        return VF_OK;
    struct vf_arena *arena = run->fold->arena;
    struct vf_document *read_documents = vf_arena_calloc(arena, documents->count, sizeof *read_documents);
    struct vf_aggregate *read_aggregates = vf_arena_calloc(arena, aggregates->count, sizeof *read_aggregates);
    enum vf_code code =
        tools->store_type->load(tools->store, tools->view, documents->keys, documents->count, aggregates->keys,
                                aggregates->count, arena, read_documents, read_aggregates, error);
    if (code) {
        /* Something in the store that is not ours is the fault of the event that needs it; the others go on. */
        run->store_failed = code != VF_E_CONFIG && code != VF_E_DATA;
        return code;
    }
    run->loads->loads++;
    run->loads->loaded += (int64_t)(documents->count + aggregates->count);
    for (size_t i = 0; i < documents->count; i++) {
        vf_cache_put_document(tools->cache, &read_documents[i]);
        run->fold->loaded_bytes += read_documents[i].body.size;
    }
    run->fold->loaded_documents += documents->count;
    for (size_t i = 0; i < aggregates->count; i++)
        vf_cache_put_aggregate(tools->cache, &read_aggregates[i]);
    return VF_OK;
}

static enum vf_code need_document(struct run *run, struct vf_bytes id, struct vf_cached_document **ret_document,
                                  struct vf_error *error)
{
    struct vf_cached_document *document = vf_cache_document(run->tools->cache, id);
    if (!document) {
        struct wanted documents = {.keys = &id, .count = 1}, aggregates = {0};
        enum vf_code code = load(run, &documents, &aggregates, error);
        if (code)
            return code;
        document = vf_cache_document(run->tools->cache, id);
    }
    if (vf_cache_use(run->tools->cache, &document->head, run->fold->number)) {
        list_add(run, &run->documents, document);
        run->touched_bytes += document->body_bytes + document->version_count * 32;
    }
    *ret_document = document;
    return VF_OK;
}

static enum vf_code need_aggregate(struct run *run, struct vf_bytes key, struct vf_cached_aggregate **ret_aggregate,
                                   struct vf_error *error)
{
    struct vf_cached_aggregate *aggregate = vf_cache_aggregate(run->tools->cache, key);
    if (!aggregate) {
        struct wanted documents = {0}, aggregates = {.keys = &key, .count = 1};
        enum vf_code code = load(run, &documents, &aggregates, error);
        if (code)
            return code;
        aggregate = vf_cache_aggregate(run->tools->cache, key);
    }
    if (vf_cache_use(run->tools->cache, &aggregate->head, run->fold->number))
        list_add(run, &run->aggregates, aggregate);
    *ret_aggregate = aggregate;
    return VF_OK;
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

static void read_rows(struct run *run, const struct vf_record *records, size_t count)
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
        struct row *row = &run->rows[run->row_count++];
        *row = (struct row){.record = record, .reading = reading};
        if (record->row != VF_ROW_RECORD)
            continue;
        struct vf_error error;
        if (vf_envelope_read(&reading->topic->envelope, record, tools->parser, run->fold->arena, &row->event, &error))
            row->unreadable = memcpy(vf_arena_alloc(run->fold->arena, sizeof error), &error, sizeof error);
        else
            row->route = find_route(tools->projection, row->event.kind);
    }
}

/* --- foreseeing what is needed ------------------------------------------------------------------------------------ */

static bool has_record(const struct vf_fold_tools *tools, const struct vf_route *route)
{
    return route->route == VF_ROUTE_LINK || tools->projection->versions == VF_VERSIONS_RECORD;
}

static bool is_linking(const struct row *row)
{
    return row->route->route == VF_ROUTE_LINK && vf_bytes_is(row->event.type, row->route->link_type);
}

static enum vf_code ask_route(struct run *run, struct row *row, struct vf_error *error)
{
    if (row->is_routed)
        return VF_OK;
    const struct vf_fold_tools *tools = run->tools;
    enum vf_code code =
        tools->projector_type->route(tools->projector, row->route, &row->event, run->fold->arena, &row->routed, error);
    row->is_routed = code == VF_OK;
    return code;
}

static void want_document(struct run *run, struct wanted *wanted, struct vf_bytes id)
{
    if (!vf_cache_document(run->tools->cache, id))
        want(run, wanted, id);
}

/* What the route will probably say. False when it fails: that is no failure yet, as the event may turn out to be a
 * duplicate, but looking further ahead may be for nothing. */
static bool foresee(struct run *run, struct row *row, struct wanted *wanted, size_t *room)
{
    if (row->route->route == VF_ROUTE_OWN) {
        want_document(run, wanted, row->event.id);
        return true;
    }
    if (row->route->route == VF_ROUTE_LINK) {
        const struct vf_cached_aggregate *aggregate = vf_cache_aggregate(run->tools->cache, row->event.aggregate);
        if (aggregate && aggregate->has_link) {
            if (!aggregate->link_is_none)
                want_document(run, wanted, aggregate->link);
            return true;
        }
        if (!is_linking(row))
            return true;
    }
    struct vf_error ignored;
    if (ask_route(run, row, &ignored))
        return false;
    size_t count = row->routed.count < *room ? row->routed.count : *room;
    for (size_t i = 0; i < count; i++)
        want_document(run, wanted, row->routed.ids[i]);
    *room -= count;
    return true;
}

/* The rows up to here are a batch: more documents than one may load, by the size that documents had lately. */
static bool is_enough(struct run *run, size_t documents, size_t rows)
{
    size_t typical = run->tools->document_bytes_typical;
    if (typical == 0 || documents < run->tools->written_bytes_max / typical + 1)
        return false;
    run->row_limit = rows;
    return true;
}

/* Two round trips at most: aggregate records (and documents that are known without), then documents. */
static enum vf_code prefetch(struct run *run, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct wanted aggregates = wanted_new(run, run->row_count);
    struct wanted early = wanted_new(run, run->row_count);
    for (size_t i = 0; i < run->row_limit && !is_enough(run, early.count, i); i++) {
        struct row *row = &run->rows[i];
        if (!row->route)
            continue;
        if (has_record(tools, row->route) && !vf_cache_aggregate(tools->cache, row->event.aggregate))
            want(run, &aggregates, row->event.aggregate);
        if (row->route->route == VF_ROUTE_OWN)
            want_document(run, &early, row->event.id);
    }
    enum vf_code code = load(run, &early, &aggregates, error);
    if (code)
        return code;

    size_t room = 4 * run->row_count; /* a list route may name many: beyond this, they are loaded when met */
    struct wanted documents = wanted_new(run, run->row_count + room);
    struct wanted none = {0};
    for (size_t i = 0; i < run->row_limit && !is_enough(run, documents.count, i); i++)
        if (run->rows[i].route && !foresee(run, &run->rows[i], &documents, &room))
            break;
    return load(run, &documents, &none, error);
}

/* --- one event ---------------------------------------------------------------------------------------------------- */

/* In careful mode a handler's result goes through BSON at once: what cannot be kept fails the event that made it, and the
 * document behaves as one that was just loaded. */
static enum vf_code settle_document(struct run *run, struct vf_cached_document *document, struct vf_error *error)
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
static enum vf_code take_in(struct run *run, struct row *row, struct vf_bytes id, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_cached_document *document;
    enum vf_code code = need_document(run, id, &document, error);
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
                                             &handled, error);
        if (code)
            return code;
        document->presence = VF_PRESENT;
        if (tools->careful) {
            code = settle_document(run, document, error);
            if (code)
                return code;
        }
    } else if (document->presence == VF_ABSENT) {
        /* GUARD husk: an event without a handler on an absent document keeps its version, and no empty document appears */
        document->presence = VF_HUSK_NEW;
    }
    document->revision++;
    if (tools->projection->versions == VF_VERSIONS_DOCUMENT)
        vf_cached_set_version(document, row->event.aggregate, row->event.version);
    return VF_OK;
}

/* Where the aggregate's last version lives (PROTOCOL.md 2). *ret_document: the document it lives in, if it does. */
static enum vf_code find_last(struct run *run, struct row *row, const struct vf_cached_aggregate *aggregate,
                              bool *ret_has_last, int64_t *ret_last, struct vf_error *error)
{
    const struct vf_event *event = &row->event;
    *ret_has_last = false;
    *ret_last = 0;
    switch (run->tools->projection->versions) {
    case VF_VERSIONS_NONE: return VF_OK;
    case VF_VERSIONS_RECORD:
        assert(aggregate);
        *ret_has_last = aggregate->has_version;
        *ret_last = aggregate->version;
        return VF_OK;
    case VF_VERSIONS_DOCUMENT: break;
    }
    struct vf_bytes id = event->id;
    if (row->route->route == VF_ROUTE_LINK) {
        assert(aggregate);
        if (!aggregate->has_link)
            return VF_OK;
        if (aggregate->link_is_none) {
            *ret_has_last = aggregate->has_version;
            *ret_last = aggregate->version;
            return VF_OK;
        }
        id = aggregate->link;
    }
    struct vf_cached_document *document;
    enum vf_code code = need_document(run, id, &document, error);
    if (code)
        return code;
    const int64_t *version = vf_cached_version(document, event->aggregate);
    if (version) {
        *ret_has_last = true;
        *ret_last = *version;
    }
    return VF_OK;
}

static enum vf_code fail_gap(const struct vf_event *event, bool has_last, int64_t last, struct vf_error *error)
{
    static const char later[] =
        "Setting events aside until a hole is filled is not built yet, so the partition stays stopped";
    if (has_last)
        return vf_fail(
            error, VF_E_DATA,
            "%.*s: a gap: version %lld came after %lld, and numbers of this topic are mapped as a sequence without "
            "holes. If they may have holes, map them as what they are (override: {version: {numbers: offset}}) and "
            "build the view anew. %s",
            (int)event->aggregate.size, event->aggregate.data, (long long)event->version, (long long)last, later);
    return vf_fail(
        error, VF_E_DATA,
        "%.*s: a gap: its first version here is %lld, and the first number of a sequence is %lld. Where numbers "
        "begin elsewhere, set `first`; where the log no longer begins at its beginning and that is right, set "
        "`history: partial` for the topic. %s",
        (int)event->aggregate.size, event->aggregate.data, (long long)event->version, (long long)event->first, later);
}

/* Follows or makes the aggregate's link. *ret_none: its events go nowhere. */
static enum vf_code follow_link(struct run *run, struct row *row, struct vf_cached_aggregate *aggregate, bool *ret_none,
                                struct vf_error *error)
{
    const struct vf_event *event = &row->event;
    if (is_linking(row)) {
        enum vf_code code = ask_route(run, row, error);
        if (code)
            return code;
        if (row->routed.count > 1)
            return vf_fail(error, VF_E_SCRIPT, "%.*s: a link says %zu documents; an aggregate is linked to one",
                           (int)event->aggregate.size, event->aggregate.data, row->routed.count);
        bool none = row->routed.count == 0;
        struct vf_bytes link = none ? (struct vf_bytes){0} : row->routed.ids[0];
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
            (int)event->aggregate.size, event->aggregate.data, row->route->link_type, (int)event->type.size,
            event->type.data);
    }
    *ret_none = aggregate->link_is_none;
    return VF_OK;
}

static enum vf_code apply(struct run *run, struct row *row, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    const struct vf_event *event = &row->event;
    struct vf_counts *counts = &run->fold->counts;
    struct vf_cached_aggregate *aggregate = NULL;
    enum vf_code code;
    if (has_record(tools, row->route)) {
        code = need_aggregate(run, event->aggregate, &aggregate, error);
        if (code)
            return code;
    }
    bool has_last;
    int64_t last;
    code = find_last(run, row, aggregate, &has_last, &last, error);
    if (code)
        return code;
    if (tools->projection->versions != VF_VERSIONS_NONE) {
        enum vf_order order = vf_version_order(event, has_last, last);
        /* GUARD duplicate: what was taken in before would be taken in again */
        /* GUARD duplicate-before-route: a repeat of an old link event would be followed, or fail */
        if (order == VF_DUPLICATE) {
            counts->duplicates++;
            return VF_OK;
        }
        /* GUARD gap: an event after a hole is neither taken in nor skipped */
        if (order == VF_GAP)
            return fail_gap(event, has_last, last, error);
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
        code = ask_route(run, row, error);
        if (code)
            return code;
        ids = row->routed.ids;
        id_count = row->routed.count;
    }
    /* The record keeps the version where no single document can: also of events that the route sends nowhere. */
    if (tools->projection->versions == VF_VERSIONS_RECORD ||
        (tools->projection->versions == VF_VERSIONS_DOCUMENT && aggregate && id_count == 0)) {
        assert(aggregate);
        aggregate->has_version = aggregate->exists = aggregate->head.changed = true;
        aggregate->version = event->version;
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

/* Is it still the log that progress was taken from (PROTOCOL.md 5)? An end before the position, or another record where
 * the last one was, says no: the topic was re-created or cut. A last record that is gone (compaction, retention) says
 * nothing. */
static enum vf_code check_log(struct run *run, struct row *row, struct vf_error *error)
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
static enum vf_code deal_with(struct run *run, struct row *row, struct vf_error *error)
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

/* --- sealing ------------------------------------------------------------------------------------------------------ */

static enum vf_code seal_document(struct run *run, struct vf_cached_document *document,
                                  struct vf_document_change *change, bool *ret_aliased, struct vf_error *error)
{
    struct vf_fold *fold = run->fold;
    *change = (struct vf_document_change){
        .intent = VF_CONSULT,
        .base = document->base_presence,
        .base_stamp = document->head.base_stamp,
        .next = {.id = document->head.key},
    };
    if (!document->head.changed)
        return VF_OK;
    change->intent = VF_WRITE;
    struct vf_document *next = &change->next;
    next->presence = document->presence;
    next->stamp = fold->commit.stamp;
    next->revision = document->revision;
    if (document->presence == VF_PRESENT && document->warm) {
        bool aliased;
        enum vf_code code = run->tools->projector_type->body(run->tools->projector, document->warm, fold->arena,
                                                             &next->body, &aliased, error);
        if (code)
            return code;
        *ret_aliased |= aliased;
        document->body_bytes = next->body.size;
    } else if (document->presence == VF_PRESENT) {
        next->body = vf_arena_copy(fold->arena, document->cold);
    }
    /* A copy of the array: the next batch folds on while this one is being written. The names stay where they are. */
    /* GUARD in-flight-copy: a commit that is under way would say what the next batch is folding */
    next->version_count = document->version_count;
    next->versions = (const struct vf_version *)(const void *)vf_arena_bytes(
                         fold->arena, document->versions, document->version_count * sizeof *document->versions)
                         .data;
    return VF_OK;
}

static void seal_aggregate(struct run *run, const struct vf_cached_aggregate *aggregate,
                           struct vf_aggregate_change *change)
{
    *change = (struct vf_aggregate_change){
        .intent = aggregate->head.changed ? VF_WRITE : VF_CONSULT_OWN,
        .base_exists = aggregate->base_exists,
        .base_stamp = aggregate->head.base_stamp,
        .next = {.aggregate = aggregate->head.key},
    };
    if (!aggregate->head.changed)
        return;
    struct vf_aggregate *next = &change->next;
    next->exists = true;
    next->stamp = run->fold->commit.stamp;
    next->has_link = aggregate->has_link;
    next->link_is_none = aggregate->link_is_none;
    next->link = vf_arena_copy(run->fold->arena, aggregate->link);
    next->has_version = aggregate->has_version;
    next->version = aggregate->version;
}

static void seal_progress(struct run *run)
{
    struct vf_fold *fold = run->fold;
    struct vf_readings *readings = run->tools->readings;
    struct vf_progress_change *changes = vf_arena_alloc(fold->arena, readings->count * sizeof *changes);
    size_t count = 0;
    for (size_t i = 0; i < readings->count; i++) {
        struct vf_reading *reading = &readings->all[i];
        if (reading->last) {
            reading->folded.has_last = true;
            reading->folded.last_offset = reading->last->offset;
            reading->folded.last_timestamp_ms = reading->last->timestamp_ms;
            reading->folded.last_hash = vf_record_hash(reading->last);
            reading->last = NULL;
        }
        if (vf_progress_equal(&reading->folded, &reading->sent))
            continue;
        changes[count++] = (struct vf_progress_change){reading->partition, reading->sent, reading->folded};
        reading->sent = reading->folded; /* the next batch stands on this one */
    }
    fold->commit.progress = changes;
    fold->commit.progress_count = count;
}

/* From here on the cache holds what the store will hold once the commit has taken hold. */
static void rebase(struct run *run)
{
    uint64_t stamp = run->fold->commit.stamp;
    for (size_t i = 0; i < run->documents.count; i++) {
        struct vf_cached_document *document = run->documents.items[i];
        document->base_presence = document->presence;
        if (document->head.changed || run->tools->store_type->touches)
            document->head.base_stamp = stamp;
        vf_cache_weigh(run->tools->cache, &document->head);
    }
    for (size_t i = 0; i < run->aggregates.count; i++) {
        struct vf_cached_aggregate *aggregate = run->aggregates.items[i];
        if (aggregate->head.changed) {
            aggregate->base_exists = true;
            aggregate->head.base_stamp = stamp;
        }
        vf_cache_weigh(run->tools->cache, &aggregate->head);
    }
}

static enum vf_fold_outcome seal(struct run *run)
{
    struct vf_fold *fold = run->fold;
    struct vf_document_change *documents = vf_arena_alloc(fold->arena, run->documents.count * sizeof *documents);
    struct vf_aggregate_change *aggregates = vf_arena_alloc(fold->arena, run->aggregates.count * sizeof *aggregates);
    bool aliased = false;
    /* GUARD stamp: a value that no other commit has, for everything that this one writes */
    fold->commit.stamp = run->tools->clock->random(run->tools->clock->self);
    fold->commit.view = run->tools->view;
    size_t document_count = 0, aggregate_count = 0;
    for (size_t i = 0; i < run->documents.count; i++) {
        struct vf_cached_document *document = run->documents.items[i];
        /* Everything consulted is in the condition, written or not (PROTOCOL.md 1.1). */
        if (seal_document(run, document, &documents[document_count], &aliased, &fold->error))
            return VF_FOLD_CAREFULLY;
        fold->counts.documents += documents[document_count].intent == VF_WRITE;
        /* GUARD consulted: what was only read is in the condition too */
        document_count++;
    }
    /* GUARD aliased: a document that shares tables changes in two places, until it is loaded again */
    if (aliased)
        return VF_FOLD_CAREFULLY;
    for (size_t i = 0; i < run->aggregates.count; i++) {
        seal_aggregate(run, run->aggregates.items[i], &aggregates[aggregate_count]);
        fold->counts.aggregates += aggregates[aggregate_count].intent == VF_WRITE;
        aggregate_count++;
    }
    fold->commit.documents = documents;
    fold->commit.document_count = document_count;
    fold->commit.aggregates = aggregates;
    fold->commit.aggregate_count = aggregate_count;
    seal_progress(run);
    rebase(run);
    fold->empty = fold->commit.progress_count == 0;
    return VF_FOLDED;
}

/* --- the fold ----------------------------------------------------------------------------------------------------- */

enum vf_fold_outcome vf_fold_run(struct vf_fold *fold, const struct vf_fold_tools *tools, const struct vf_record *rows,
                                 size_t row_count, struct vf_counts *loads)
{
    vf_arena_reset(fold->arena);
    *fold = (struct vf_fold){.number = fold->number, .arena = fold->arena, .scratch = fold->scratch};
    struct run run = {.fold = fold, .tools = tools, .loads = loads};
    if (row_count > tools->rows_max)
        row_count = tools->rows_max;
    read_rows(&run, rows, row_count);
    run.row_limit = run.row_count;
    if (prefetch(&run, &fold->error) && run.store_failed)
        return VF_FOLD_NO_STORE;

    int64_t began_ms = tools->clock->monotonic_ms(tools->clock->self);
    fold->rows_taken = row_count;
    for (size_t i = 0; i < run.row_count; i++) {
        struct row *row = &run.rows[i];
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
    return seal(&run);
}
