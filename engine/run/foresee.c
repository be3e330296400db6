/* What a batch will need, read before it is folded (fold_state.h). */
#include "run/fold_state.h"

void vf_fold_list_add(struct vf_fold_state *run, struct vf_fold_list *list, void *item)
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

static struct wanted wanted_new(struct vf_fold_state *run, size_t most)
{
    return (struct wanted){.keys = vf_arena_alloc(run->fold->arena, most * sizeof(struct vf_bytes))};
}

static void want(struct vf_fold_state *run, struct wanted *wanted, struct vf_bytes key)
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

static void put_aggregate(struct vf_fold_state *run, const struct vf_aggregate *aggregate)
{
    const char *slash = memchr(aggregate->aggregate.data, '/', aggregate->aggregate.size);
    size_t size = slash ? (size_t)(slash - aggregate->aggregate.data) : 0;
    const struct vf_route *route =
        vf_fold_find_route(run->tools->projection, vf_bytes(aggregate->aggregate.data, size));
    vf_cache_put_aggregate(run->tools->cache, aggregate)->by_link = route && route->route == VF_ROUTE_LINK;
}

/* Nothing is read where the cache holds all there is. Should another have written it meanwhile, the commit's condition does
 * not hold, and from then on everything is read. */
static void presume_absent(struct vf_fold_state *run, const struct wanted *documents, const struct wanted *aggregates)
{
    for (size_t i = 0; i < documents->count; i++)
        vf_cache_put_document(run->tools->cache,
                              &(struct vf_document){.id = documents->keys[i], .presence = VF_ABSENT});
    for (size_t i = 0; i < aggregates->count; i++)
        put_aggregate(run, &(struct vf_aggregate){.aggregate = aggregates->keys[i]});
}

/* Reads documents and aggregate records that are not in the cache into it: one round trip. */
static enum vf_code load(struct vf_fold_state *run, struct wanted *documents, struct wanted *aggregates,
                         struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    HASH_CLEAR(hh, documents->set);
    HASH_CLEAR(hh, aggregates->set);
    if (documents->count + aggregates->count == 0)
        return VF_OK;
    if (vf_cache_is_whole(tools->cache)) {
        presume_absent(run, documents, aggregates);
        return VF_OK;
    }
    struct vf_arena *arena = run->fold->arena;
    struct vf_document *read_documents = vf_arena_calloc(arena, documents->count, sizeof *read_documents);
    struct vf_aggregate *read_aggregates = vf_arena_calloc(arena, aggregates->count, sizeof *read_aggregates);
    enum vf_code code =
        tools->store_type->load(tools->store, tools->view, documents->keys, documents->count, aggregates->keys,
                                aggregates->count, arena, read_documents, read_aggregates, error);
    if (code) {
        /* Something in the store that is not ours is the fault of the event that needs it; the others go on. */
        run->trouble = code == VF_E_CONFIG || code == VF_E_DATA ? VF_TROUBLE_FOREIGN : VF_TROUBLE_STORE;
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
        put_aggregate(run, &read_aggregates[i]);
    return VF_OK;
}

bool vf_fold_is_heavy(const struct vf_fold_state *run)
{
    /* GUARD largest: the more events of a large document are one write the better, and this one is written anyway */
    return run->touched_bytes - run->largest_bytes > run->tools->written_bytes_max;
}

enum vf_code vf_fold_need_document(struct vf_fold_state *run, struct vf_bytes id,
                                   struct vf_cached_document **ret_document, struct vf_error *error)
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
        vf_fold_list_add(run, &run->documents, document);
        size_t bytes = document->body_bytes + document->version_count * 32 + document->more_bytes;
        run->touched_bytes += bytes;
        run->largest_bytes = bytes > run->largest_bytes ? bytes : run->largest_bytes;
    }
    *ret_document = document;
    return VF_OK;
}

enum vf_code vf_fold_need_aggregate(struct vf_fold_state *run, struct vf_bytes key,
                                    struct vf_cached_aggregate **ret_aggregate, struct vf_error *error)
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
        vf_fold_list_add(run, &run->aggregates, aggregate);
    *ret_aggregate = aggregate;
    return VF_OK;
}

static void want_document(struct vf_fold_state *run, struct wanted *wanted, struct vf_bytes id)
{
    if (!vf_cache_document(run->tools->cache, id))
        want(run, wanted, id);
}

static void want_aggregate(struct vf_fold_state *run, struct wanted *wanted, struct vf_bytes aggregate)
{
    if (!vf_cache_aggregate(run->tools->cache, aggregate))
        want(run, wanted, aggregate);
}

enum vf_code vf_fold_load(struct vf_fold_state *run, const struct vf_bytes *ids, size_t id_count,
                          const struct vf_bytes *aggregates, size_t aggregate_count, struct vf_error *error)
{
    struct wanted documents = wanted_new(run, id_count), records = wanted_new(run, aggregate_count);
    for (size_t i = 0; i < id_count; i++)
        want_document(run, &documents, ids[i]);
    for (size_t i = 0; i < aggregate_count; i++)
        want_aggregate(run, &records, aggregates[i]);
    return load(run, &documents, &records, error);
}

/* --- foreseeing what is needed ------------------------------------------------------------------------------------ */

bool vf_fold_has_record(const struct vf_fold_tools *tools, const struct vf_route *route)
{
    return route->route == VF_ROUTE_LINK || tools->projection->versions == VF_VERSIONS_RECORD;
}

bool vf_fold_wants_record(const struct vf_fold_tools *tools, const struct vf_fold_row *row)
{
    /* GUARD aside-looked-for: with something set aside in its partition, only the record tells whether it is of this aggregate */
    bool here = !row->reading || row->reading->folded.aside > 0;
    /* GUARD aside-elsewhere: a repeat, or a later event, that comes by another partition passes what is parked */
    return here || tools->has_aside || vf_fold_has_record(tools, row->route);
}

bool vf_fold_is_linking(const struct vf_fold_row *row)
{
    return !row->dropped && row->route->route == VF_ROUTE_LINK && vf_route_link(row->route, row->event.type) != NULL;
}

enum vf_code vf_fold_ask_route(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    if (row->is_routed)
        return VF_OK;
    const struct vf_fold_tools *tools = run->tools;
    enum vf_code code =
        tools->projector_type->route(tools->projector, row->route, &row->event, run->fold->arena, &row->routed, error);
    row->is_routed = code == VF_OK;
    return code;
}

/* What a linking event says its aggregate goes through, asked for with the records. */
static void foresee_through(struct vf_fold_state *run, struct vf_fold_row *row, struct wanted *wanted)
{
    struct vf_error ignored;
    const struct vf_link *link = vf_route_link(row->route, row->event.type);
    if (link && link->through && !row->not_upcast && vf_fold_ask_route(run, row, &ignored) == VF_OK &&
        row->routed.through.size)
        want_aggregate(run, wanted, row->routed.through);
}

/* The document to which a linking event's aggregate will go through another. */
static void foresee_followed(struct vf_fold_state *run, struct vf_fold_row *row, struct wanted *wanted)
{
    const struct vf_cached_aggregate *awaited = vf_cache_aggregate(run->tools->cache, row->routed.through);
    if (awaited && awaited->has_link && !awaited->link_is_none)
        want_document(run, wanted, awaited->link);
}

/* What the route will probably say. False when it fails: that is no failure yet, as the event may turn out to be a
 * duplicate, but looking further ahead may be for nothing. */
static bool foresee(struct vf_fold_state *run, struct vf_fold_row *row, struct wanted *wanted, size_t *room)
{
    if (row->route->route == VF_ROUTE_OWN) {
        want_document(run, wanted, row->event.id);
        return true;
    }
    if (row->route->route == VF_ROUTE_LINK) {
        const struct vf_cached_aggregate *aggregate = vf_cache_aggregate(run->tools->cache, row->event.aggregate);
        if (aggregate && aggregate->has_link && !aggregate->link_is_none)
            want_document(run, wanted, aggregate->link);
        if (!vf_fold_is_linking(row))
            return true;
    }
    if (row->not_upcast)
        return false;
    struct vf_error ignored;
    if (vf_fold_ask_route(run, row, &ignored))
        return false;
    if (row->routed.through.size) {
        foresee_followed(run, row, wanted);
        return true;
    }
    size_t count = row->routed.count < *room ? row->routed.count : *room;
    for (size_t i = 0; i < count; i++)
        want_document(run, wanted, row->routed.ids[i]);
    *room -= count;
    return true;
}

/* The rows up to here are a batch: more documents than one may load, by the size that documents had lately. */
static bool is_enough(struct vf_fold_state *run, size_t documents, size_t rows)
{
    size_t typical = run->tools->document_bytes_typical;
    if (typical == 0 || documents < run->tools->written_bytes_max / typical + 1)
        return false;
    run->row_limit = rows;
    return true;
}

/* Two round trips at most: aggregate records (and documents that are known without), then documents. */
enum vf_code vf_fold_foresee(struct vf_fold_state *run, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct wanted aggregates = wanted_new(run, 2 * run->row_count);
    struct wanted early = wanted_new(run, run->row_count);
    for (size_t i = 0; i < run->row_limit && !is_enough(run, early.count, i); i++) {
        struct vf_fold_row *row = &run->rows[i];
        if (!row->route)
            continue;
        if (vf_fold_wants_record(tools, row))
            want_aggregate(run, &aggregates, row->event.aggregate);
        if (row->route->route == VF_ROUTE_LINK)
            foresee_through(run, row, &aggregates);
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
