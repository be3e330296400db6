#include "run/cache.h"

#include <stdlib.h>

struct vf_cache {
    const struct vf_projector_type *projector_type;
    struct vf_projector *projector;
    size_t bytes_max;
    size_t bytes;
    bool whole;
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
#define ENTRY_BYTES   256
#define WARM_FACTOR   5
#define VERSION_BYTES (sizeof(struct vf_version) + 48)

void vf_cache_weigh(struct vf_cache *cache, struct vf_cached *entry)
{
    size_t bytes = ENTRY_BYTES + entry->key.size;
    if (entry->is_document) {
        const struct vf_cached_document *document = (const struct vf_cached_document *)entry;
        bytes += document->version_count * VERSION_BYTES + document->more_bytes + document->cold.size;
        if (document->warm)
            bytes += document->body_bytes * WARM_FACTOR;
    } else {
        const struct vf_cached_aggregate *aggregate = (const struct vf_cached_aggregate *)entry;
        bytes += aggregate->link.size + vf_version_more_bytes(aggregate->version_more);
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

static void drop_document(struct vf_cache *cache, struct vf_cached_document *document)
{
    HASH_DEL(cache->documents, document); /* NOLINT: the analyzer does not see through uthash */
    vf_cache_cool(cache, document);
    for (size_t i = 0; i < document->version_count; i++) {
        free_bytes(&document->versions[i].aggregate);
        free_more(document->versions[i].more);
    }
    free(document->versions);
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
    free_more(aggregate->version_more);
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
    if (from->presence == VF_PRESENT) {
        document->cold = own_body(from->body);
        document->body_bytes = from->body.size;
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

/* Moves a last version on to the event's, where `exists` says whether there is one. */
static void move_version(struct vf_cache *cache, const struct vf_event *event, bool exists, int64_t *version,
                         const struct vf_version_more **more)
{
    struct vf_last last = {exists, *version, *more};
    const struct vf_version_more *next = vf_version_more_after(event, &last, &cache->scratch);
    free_more(*more);
    *version = event->version;
    *more = next;
}

void vf_cached_set_version(struct vf_cache *cache, struct vf_cached_document *document, const struct vf_event *event)
{
    bool found;
    size_t place = version_place(document, event->aggregate, &found);
    struct vf_version *entry = found ? &document->versions[place] : add_version(document, place, event->aggregate);
    document->more_bytes -= vf_version_more_bytes(entry->more);
    move_version(cache, event, found, &entry->version, &entry->more);
    document->more_bytes += vf_version_more_bytes(entry->more);
}

void vf_cached_set_record_version(struct vf_cache *cache, struct vf_cached_aggregate *aggregate,
                                  const struct vf_event *event)
{
    move_version(cache, event, aggregate->has_version, &aggregate->version, &aggregate->version_more);
    aggregate->has_version = true;
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
    }
    HASH_ADD_KEYPTR(hh, cache->aggregates, aggregate->head.key.data, aggregate->head.key.size, aggregate);
    link_oldest(cache, &aggregate->head);
    vf_cache_weigh(cache, &aggregate->head);
    return aggregate;
}

void vf_cached_set_link(struct vf_cached_aggregate *aggregate, struct vf_bytes link, bool is_none)
{
    free_bytes(&aggregate->link);
    aggregate->has_link = true;
    aggregate->link_is_none = is_none;
    if (!is_none)
        aggregate->link = own(link);
}
