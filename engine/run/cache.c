#include "run/cache.h"

#include <stdlib.h>

struct vf_cache {
    const struct vf_projector_type *projector_type;
    struct vf_projector *projector;
    size_t bytes_max;
    size_t bytes;
    bool whole;
    const struct vf_index *indexes;
    size_t index_count;
    struct vf_cached_document *documents;
    struct vf_cached_aggregate *aggregates;
    struct vf_cached *oldest;
    struct vf_cached *newest;
    struct vf_buffer scratch;
};

struct vf_cache *vf_cache_new(const struct vf_projector_type *type, struct vf_projector *projector, size_t bytes_max)
{
    struct vf_cache *cache = vf_calloc(1, sizeof *cache);
    cache->projector_type = type;
    cache->projector = projector;
    cache->bytes_max = bytes_max;
    const struct vf_projection *projection = type->describe(projector);
    cache->indexes = projection->indexes;
    cache->index_count = projection->index_count;
    vf_buffer_init(&cache->scratch);
    return cache;
}

void vf_cache_free(struct vf_cache *cache)
{
    if (!cache)
        return;
    vf_cache_drop_all(cache);
    vf_buffer_done(&cache->scratch);
    free(cache);
}

/* --- the order of use --------------------------------------------------------------------------------------------- */

static void unlink_entry(struct vf_cache *cache, struct vf_cached *entry)
{
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        cache->oldest = entry->newer;
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        cache->newest = entry->older;
}

static void link_newest(struct vf_cache *cache, struct vf_cached *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = entry;
    else
        cache->oldest = entry;
    cache->newest = entry;
}

/* What was read but not used yet goes to the old end, so that the new end is ordered by batch (vf_cache_drop_since). */
static void link_oldest(struct vf_cache *cache, struct vf_cached *entry)
{
    entry->older = NULL;
    entry->newer = cache->oldest;
    if (cache->oldest)
        cache->oldest->older = entry;
    else
        cache->newest = entry;
    cache->oldest = entry;
}

bool vf_cache_use(struct vf_cache *cache, struct vf_cached *entry, uint64_t batch)
{
    if (entry->batch == batch)
        return false;
    entry->before = entry->batch;
    entry->batch = batch;
    entry->changed = false;
    entry->relied_on = false;
    if (cache->newest != entry) {
        unlink_entry(cache, entry);
        link_newest(cache, entry);
    }
    return true;
}

/* --- how much it takes -------------------------------------------------------------------------------------------- */

/* What an entry takes beyond its own names (struct, hash, allocator), and what a warm Lua document takes: tables, keys and
 * values weigh about three times their BSON (measured on documents of 200 bytes to 20 kB), and the collector lets as much
 * garbage stand beside them before it runs. */
#define ENTRY_BYTES       256
#define WARM_FACTOR       5
#define VERSION_BYTES     (sizeof(struct vf_version) + 48)
#define ENTRY_INDEX_BYTES (sizeof(struct vf_index_entry) + 32) /* an index's entry with its text */

void vf_cache_weigh(struct vf_cache *cache, struct vf_cached *entry)
{
    size_t bytes = ENTRY_BYTES + entry->key.size;
    if (entry->is_document) {
        const struct vf_cached_document *document = (const struct vf_cached_document *)entry;
        bytes += document->version_count * VERSION_BYTES + document->more_bytes + document->cold.size +
                 document->deleted_by.size;
        if (document->entries)
            bytes += cache->index_count * ENTRY_INDEX_BYTES;
        if (document->warm)
            bytes += document->body_bytes * WARM_FACTOR;
    } else {
        const struct vf_cached_aggregate *aggregate = (const struct vf_cached_aggregate *)entry;
        bytes += aggregate->link.size + aggregate->link_via.size + aggregate->waits_for.size +
                 aggregate->failure.error.size + aggregate->failure.traceback.size +
                 vf_version_more_bytes(aggregate->version_more) + vf_version_more_bytes(aggregate->seen_more);
    }
    cache->bytes += bytes;
    cache->bytes -= entry->bytes;
    entry->bytes = bytes;
}

/* --- dropping ----------------------------------------------------------------------------------------------------- */

static void free_bytes(struct vf_bytes *bytes)
{
    free((void *)(uintptr_t)bytes->data);
    *bytes = (struct vf_bytes){0};
}

static void free_more(const struct vf_version_more *more)
{
    free((void *)(uintptr_t)more);
}

static void free_entries(struct vf_cache *cache, struct vf_cached_document *document)
{
    for (size_t i = 0; document->entries && i < cache->index_count; i++) {
        free_bytes(&document->entries[i].by);
        free_bytes(&document->entries[i].sort.text);
    }
    free(document->entries);
    document->entries = NULL;
}

static void free_versions(struct vf_cached_document *document)
{
    for (size_t i = 0; i < document->version_count; i++) {
        free_bytes(&document->versions[i].aggregate);
        free_more(document->versions[i].more);
    }
    free(document->versions);
    document->versions = NULL;
    document->version_count = document->version_capacity = document->more_bytes = 0;
}

static void drop_document(struct vf_cache *cache, struct vf_cached_document *document)
{
    HASH_DEL(cache->documents, document); /* NOLINT: the analyzer does not see through uthash */
    vf_cache_cool(cache, document);
    free_versions(document);
    free_bytes(&document->deleted_by);
    free_entries(cache, document);
    free_bytes(&document->head.key);
    free(document);
}

static void drop(struct vf_cache *cache, struct vf_cached *entry)
{
    /* GUARD cache-whole: what was dropped, or what another has written, would be taken to be absent for ever */
    cache->whole = false;
    unlink_entry(cache, entry);
    cache->bytes -= entry->bytes;
    if (entry->is_document) {
        drop_document(cache, (struct vf_cached_document *)entry);
        return;
    }
    struct vf_cached_aggregate *aggregate = (struct vf_cached_aggregate *)entry;
    HASH_DEL(cache->aggregates, aggregate); /* NOLINT: as above */
    free_bytes(&aggregate->link);
    free_bytes(&aggregate->link_via);
    free_bytes(&aggregate->waits_for);
    free_more(aggregate->version_more);
    free_more(aggregate->seen_more);
    vf_cached_set_parked(aggregate, NULL);
    free_bytes(&aggregate->head.key);
    free(aggregate);
}

void vf_cache_drop_since(struct vf_cache *cache, uint64_t batch)
{
    /* The newest were used last, and batch numbers only grow: the first older one ends it. */
    while (cache->newest && cache->newest->batch >= batch)
        drop(cache, cache->newest);
}

void vf_cache_drop_unused(struct vf_cache *cache)
{
    bool whole = cache->whole; /* nothing was written to them */
    while (cache->oldest && cache->oldest->batch == 0)
        drop(cache, cache->oldest);
    cache->whole = whole;
}

void vf_cache_drop_all(struct vf_cache *cache)
{
    while (cache->oldest)
        drop(cache, cache->oldest);
    cache->whole = false;
}

void vf_cache_set_whole(struct vf_cache *cache)
{
    cache->whole = true;
}

bool vf_cache_is_whole(const struct vf_cache *cache)
{
    return cache->whole;
}

int64_t vf_cache_evict(struct vf_cache *cache, uint64_t in_use)
{
    int64_t evicted = 0;
    /* GUARD evict-in-use: a batch that has not settled would lose what it stands on */
    while (cache->bytes > cache->bytes_max && cache->oldest && cache->oldest->batch < in_use) {
        drop(cache, cache->oldest);
        evicted++;
    }
    return evicted;
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

static struct vf_bytes own_body(struct vf_bytes bytes)
{
    return vf_bytes(memcpy(vf_alloc(bytes.size), bytes.data, bytes.size), bytes.size);
}

static struct vf_bytes own(struct vf_bytes bytes)
{
    return vf_bytes(vf_strndup(bytes.data ? bytes.data : "", bytes.size), bytes.size);
}

void vf_cached_set_entries(struct vf_cache *cache, struct vf_cached_document *document,
                           const struct vf_index_entry *entries)
{
    free_entries(cache, document);
    if (!entries)
        return;
    document->entries = vf_calloc(cache->index_count, sizeof *entries);
    for (size_t i = 0; i < cache->index_count; i++) {
        document->entries[i] = entries[i];
        document->entries[i].by = own(entries[i].by);
        document->entries[i].sort.text = own(entries[i].sort.text);
    }
}

/* The entries that a body as it was loaded has in the store: by the same rule that made them. */
static void read_entries(struct vf_cache *cache, struct vf_cached_document *document)
{
    struct vf_index_entry *entries;
    if (cache->index_count == 0)
        return;
    struct vf_arena *arena = vf_arena_new();
    if (vf_index_entries(cache->indexes, cache->index_count, document->cold, arena, &entries, NULL) == VF_OK)
        vf_cached_set_entries(cache, document, entries);
    vf_arena_free(arena);
}

struct vf_cached_document *vf_cache_document(struct vf_cache *cache, struct vf_bytes id)
{
    struct vf_cached_document *document;
    HASH_FIND(hh, cache->documents, id.data, id.size, document);
    return document;
}

struct vf_cached_document *vf_cache_put_document(struct vf_cache *cache, const struct vf_document *from)
{
    struct vf_cached_document *document = vf_calloc(1, sizeof *document);
    document->head.key = own(from->id);
    document->head.is_document = true;
    document->head.base_stamp = from->stamp;
    document->base_presence = document->presence = from->presence;
    if (from->presence != VF_ABSENT) {
        document->revision = from->revision;
        document->version_count = document->version_capacity = from->version_count;
        document->versions = vf_alloc(from->version_count * sizeof *document->versions);
        for (size_t i = 0; i < from->version_count; i++) {
            const struct vf_version *read = &from->versions[i];
            document->versions[i] =
                (struct vf_version){own(read->aggregate), read->version, vf_version_more_copy(NULL, read->more)};
            document->more_bytes += vf_version_more_bytes(read->more);
        }
    }
    document->has_expires = document->base_has_expires = from->has_expires;
    document->expires_ms = from->expires_ms;
    document->base_has_since = from->presence == VF_HUSK_DELETED || from->presence == VF_HUSK_EXPIRED;
    document->since_ms = from->since_ms;
    if (from->deleted_by.size)
        document->deleted_by = own(from->deleted_by);
    if (from->presence == VF_PRESENT) {
        document->cold = own_body(from->body);
        document->body_bytes = from->body.size;
        read_entries(cache, document);
    }
    HASH_ADD_KEYPTR(hh, cache->documents, document->head.key.data, document->head.key.size, document);
    link_oldest(cache, &document->head);
    vf_cache_weigh(cache, &document->head);
    return document;
}

/* Where an aggregate is in the versions, or where it would go. */
static size_t version_place(const struct vf_cached_document *document, struct vf_bytes aggregate, bool *ret_found)
{
    size_t low = 0, high = document->version_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = vf_bytes_compare(document->versions[middle].aggregate, aggregate);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

struct vf_last vf_cached_version(const struct vf_cached_document *document, struct vf_bytes aggregate)
{
    bool found;
    size_t place = version_place(document, aggregate, &found);
    if (!found)
        return (struct vf_last){0};
    return (struct vf_last){true, document->versions[place].version, document->versions[place].more};
}

static struct vf_version *add_version(struct vf_cached_document *document, size_t place, struct vf_bytes aggregate)
{
    if (document->version_count == document->version_capacity) {
        document->version_capacity = document->version_capacity ? document->version_capacity * 2 : 1;
        document->versions = vf_realloc(document->versions, document->version_capacity * sizeof *document->versions);
    }
    memmove(document->versions + place + 1, document->versions + place,
            (document->version_count - place) * sizeof *document->versions);
    document->version_count++;
    document->versions[place] = (struct vf_version){.aggregate = own(aggregate)};
    return &document->versions[place];
}

/* Makes the event's version the last one, after `last`, which may borrow from *more. */
static void move_version(struct vf_cache *cache, const struct vf_event *event, const struct vf_last *last,
                         int64_t *version, const struct vf_version_more **more)
{
    const struct vf_version_more *next = vf_version_more_after(event, last, &cache->scratch);
    free_more(*more);
    *version = event->version;
    *more = next;
}

/* The aggregate's entry, made where there is none; `more_bytes` has to be counted anew. */
static struct vf_version *entry_of(struct vf_cached_document *document, struct vf_bytes aggregate)
{
    bool found;
    size_t place = version_place(document, aggregate, &found);
    return found ? &document->versions[place] : add_version(document, place, aggregate);
}

void vf_cached_set_version(struct vf_cache *cache, struct vf_cached_document *document, const struct vf_event *event,
                           const struct vf_last *last)
{
    struct vf_version *entry = entry_of(document, event->aggregate);
    document->more_bytes -= vf_version_more_bytes(entry->more);
    move_version(cache, event, last, &entry->version, &entry->more);
    document->more_bytes += vf_version_more_bytes(entry->more);
}

void vf_cached_set_record_version(struct vf_cache *cache, struct vf_cached_aggregate *aggregate,
                                  const struct vf_event *event, const struct vf_last *last)
{
    move_version(cache, event, last, &aggregate->version, &aggregate->version_more);
    aggregate->has_version = true;
}

void vf_cached_set_seen(struct vf_cache *cache, struct vf_cached_aggregate *aggregate, const struct vf_event *event,
                        const struct vf_last *last)
{
    move_version(cache, event, last, &aggregate->seen, &aggregate->seen_more);
    aggregate->has_seen = true;
}

void vf_cached_settle_seen(struct vf_cached_aggregate *aggregate, struct vf_cached_document *document)
{
    if (document) {
        struct vf_version *entry = entry_of(document, aggregate->head.key);
        document->more_bytes -= vf_version_more_bytes(entry->more);
        free_more(entry->more);
        entry->version = aggregate->seen;
        entry->more = aggregate->seen_more;
        document->more_bytes += vf_version_more_bytes(entry->more);
    } else {
        free_more(aggregate->version_more);
        aggregate->has_version = true;
        aggregate->version = aggregate->seen;
        aggregate->version_more = aggregate->seen_more;
    }
    aggregate->seen_more = NULL; /* it belongs to the entry now */
    vf_cached_forget_seen(aggregate);
}

void vf_cached_forget_seen(struct vf_cached_aggregate *aggregate)
{
    free_more(aggregate->seen_more);
    aggregate->has_seen = false;
    aggregate->seen = 0;
    aggregate->seen_more = NULL;
}

enum vf_code vf_cache_warm(struct vf_cache *cache, struct vf_cached_document *document, struct vf_error *error)
{
    if (document->warm)
        return VF_OK;
    enum vf_code code = cache->projector_type->warm(cache->projector, document->cold, &document->warm, error);
    if (code)
        return code;
    free_bytes(&document->cold);
    return VF_OK;
}

void vf_cache_cool(struct vf_cache *cache, struct vf_cached_document *document)
{
    cache->projector_type->cool(cache->projector, document->warm);
    document->warm = 0;
    free_bytes(&document->cold);
}

void vf_cached_set_husk(struct vf_cache *cache, struct vf_cached_document *document, enum vf_presence presence,
                        struct vf_bytes deleted_by, int64_t since_ms)
{
    vf_cache_cool(cache, document);
    document->presence = presence;
    document->body_bytes = 0;
    document->since_ms = since_ms;
    free_bytes(&document->deleted_by);
    if (deleted_by.size)
        document->deleted_by = own(deleted_by);
    if (presence != VF_ABSENT)
        return;
    free_versions(document);
    document->revision = 0;
    document->has_expires = false;
}

void vf_cache_save(struct vf_cached_document *document, struct vf_saved_document *ret_saved)
{
    *ret_saved = (struct vf_saved_document){
        .document = document,
        .presence = document->presence,
        .revision = document->revision,
        .expires_ms = document->expires_ms,
        .since_ms = document->since_ms,
        .has_expires = document->has_expires,
        .changed = document->head.changed,
        .body_bytes = document->body_bytes,
    };
    if (document->deleted_by.size)
        ret_saved->deleted_by = own(document->deleted_by);
    if (document->cold.size)
        ret_saved->cold = own_body(document->cold);
}

void vf_cache_restore(struct vf_cache *cache, struct vf_saved_document *saved)
{
    struct vf_cached_document *document = saved->document;
    vf_cache_cool(cache, document);
    free_bytes(&document->cold);
    free_bytes(&document->deleted_by);
    document->presence = saved->presence;
    document->revision = saved->revision;
    document->expires_ms = saved->expires_ms;
    document->since_ms = saved->since_ms;
    document->has_expires = saved->has_expires;
    document->head.changed = saved->changed;
    document->body_bytes = saved->body_bytes;
    document->deleted_by = saved->deleted_by;
    document->cold = saved->cold;
}

void vf_saved_document_done(struct vf_saved_document *saved)
{
    free_bytes(&saved->deleted_by);
    free_bytes(&saved->cold);
}

/* Who is used again within so many batches stays warm: making Lua tables of BSON costs a microsecond or so, and a document
 * that is warm without being used takes the room of five, which would then have to be read from the store again. */
#define WARM_BATCHES 4

void vf_cache_rest(struct vf_cache *cache, struct vf_cached_document *document, struct vf_bytes body)
{
    if (!document->warm || document->head.batch - document->head.before <= WARM_BATCHES)
        return;
    vf_cache_cool(cache, document);
    document->cold = own_body(body);
}

/* --- aggregate records -------------------------------------------------------------------------------------------- */

struct vf_cached_aggregate *vf_cache_aggregate(struct vf_cache *cache, struct vf_bytes key)
{
    struct vf_cached_aggregate *aggregate;
    HASH_FIND(hh, cache->aggregates, key.data, key.size, aggregate);
    return aggregate;
}

struct vf_cached_aggregate *vf_cache_put_aggregate(struct vf_cache *cache, const struct vf_aggregate *from)
{
    struct vf_cached_aggregate *aggregate = vf_calloc(1, sizeof *aggregate);
    aggregate->head.key = own(from->aggregate);
    aggregate->head.base_stamp = from->stamp;
    aggregate->base_exists = aggregate->exists = from->exists;
    if (from->exists) {
        aggregate->has_link = from->has_link;
        aggregate->link_is_none = from->link_is_none;
        if (from->has_link && !from->link_is_none)
            aggregate->link = own(from->link);
        aggregate->has_version = from->has_version;
        aggregate->version = from->version;
        aggregate->version_more = vf_version_more_copy(NULL, from->version_more);
        if (from->link_via.size)
            aggregate->link_via = own(from->link_via);
        if (from->waits_for.size)
            aggregate->waits_for = own(from->waits_for);
        aggregate->waiters_from = from->waiters_from;
        aggregate->waiters_to = from->waiters_to;
        aggregate->aside_from = from->aside_from;
        aggregate->aside_to = from->aside_to;
        aggregate->has_seen = from->has_seen;
        aggregate->seen = from->seen;
        aggregate->seen_more = vf_version_more_copy(NULL, from->seen_more);
        aggregate->early_count = from->early_count;
        aggregate->early_from = from->early_from;
        aggregate->early_last = from->early_last;
        aggregate->since_ms = from->since_ms;
        aggregate->base_state = from->state;
        aggregate->base_draining = from->draining;
        aggregate->early_ready = from->draining && from->early_count > 0 && !vf_early_is_asked_for(from->early_from);
        aggregate->seeks_link = from->draining && !from->has_link;
        if (from->parked)
            vf_cached_set_parked(aggregate, &from->failure);
    }
    HASH_ADD_KEYPTR(hh, cache->aggregates, aggregate->head.key.data, aggregate->head.key.size, aggregate);
    link_oldest(cache, &aggregate->head);
    vf_cache_weigh(cache, &aggregate->head);
    return aggregate;
}

static void set_bytes(struct vf_bytes *bytes, struct vf_bytes value)
{
    free_bytes(bytes);
    if (value.size)
        *bytes = own(value);
}

void vf_cached_set_link(struct vf_cached_aggregate *aggregate, struct vf_bytes link, bool is_none, struct vf_bytes via)
{
    aggregate->has_link = true;
    aggregate->link_is_none = is_none;
    set_bytes(&aggregate->link, is_none ? (struct vf_bytes){0} : link);
    set_bytes(&aggregate->link_via, via);
}

void vf_cached_set_parked(struct vf_cached_aggregate *aggregate, const struct vf_failure *failure)
{
    struct vf_failure next = {0};
    if (failure)
        next =
            (struct vf_failure){own(failure->error), own(failure->traceback), own(failure->script), failure->failed_ms};
    free_bytes(&aggregate->failure.error);
    free_bytes(&aggregate->failure.traceback);
    free_bytes(&aggregate->failure.script);
    aggregate->parked = failure != NULL;
    aggregate->seeks_link &= !failure;
    aggregate->failure = next;
}

void vf_cached_set_waits_for(struct vf_cached_aggregate *aggregate, struct vf_bytes awaited)
{
    set_bytes(&aggregate->waits_for, awaited);
}
