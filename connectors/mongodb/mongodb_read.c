/*
 * Reads: documents, aggregate records, progress, from the primary. A worker reads what the primary has, and the conditions of
 * its commits catch the rest; but what progress says is believed, so it waits until a majority has all that it was read with.
 * Whoever only reads sees what a majority has, as nothing takes that back.
 */
#include "connectors/mongodb/mongodb_internal.h"

#include <stdlib.h>

/* The ids of one query; a query is one BSON document of at most 16 MiB. */
#define VF_MONGODB_QUERY_BYTES_MAX (8u * 1024 * 1024)

/* Progress rows in one reply; a generation has as many as its topics have partitions. */
#define VF_MONGODB_ROWS_PER_REPLY 10000

/* Where an id stands in the caller's list; sorted by id, so that what the server answers in its own order finds its place. */
struct wanted {
    struct vf_bytes id;
    size_t index;
};

static int compare_wanted(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct wanted *)a)->id, ((const struct wanted *)b)->id);
}

/* The first of `wanted` with this id, or NULL. */
static const struct wanted *find_wanted(const struct wanted *wanted, size_t count, struct vf_bytes id)
{
    struct wanted key = {.id = id};
    const struct wanted *found = bsearch(&key, wanted, count, sizeof(*wanted), compare_wanted);

    while (found && found > wanted && vf_bytes_equal(found[-1].id, id))
        found--;
    return found;
}

/* One loading of documents or of aggregate records. */
struct loading {
    struct vf_store *store;
    const char *collection;
    const struct vf_bytes *ids;
    size_t count;
    struct wanted *wanted; /* sorted */
    struct vf_arena *arena;
    struct vf_document *documents;   /* either these */
    struct vf_aggregate *aggregates; /* or these */
};

static enum vf_code take(struct loading *loading, const bson_t *bson, struct vf_error *error)
{
    const struct wanted *place, *end = loading->wanted + loading->count;
    struct vf_document document;
    struct vf_aggregate aggregate;
    struct vf_bytes id;
    enum vf_code code;

    if (loading->documents)
        code = vf_mongodb_read_document(bson, loading->arena, &document, error);
    else
        code = vf_mongodb_read_aggregate(bson, loading->arena, &aggregate, error);
    if (code != VF_OK)
        return vf_error_prefix(error, "store \"%s\" (mongodb, %s), collection %s", loading->store->name,
                               loading->store->hosts, loading->collection);
    id = loading->documents ? document.id : aggregate.aggregate;
    place = find_wanted(loading->wanted, loading->count, id);
    for (; place && place < end && vf_bytes_equal(place->id, id); place++) {
        if (loading->documents)
            loading->documents[place->index] = document;
        else
            loading->aggregates[place->index] = aggregate;
    }
    return VF_OK;
}

/* Asks for the ids from `first` on, as many as fit one query, and takes what comes. */
static enum vf_code load_some(struct loading *loading, size_t first, size_t *ret_next, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, by_id, list;
    mongoc_cursor_t *cursor;
    enum vf_code code = VF_OK;
    bson_error_t failure;
    const bson_t *bson;
    char buffer[16];
    const char *key;
    size_t i;

    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &by_id);
    BSON_APPEND_ARRAY_BEGIN(&by_id, "$in", &list);
    for (i = first; i < loading->count && list.len < VF_MONGODB_QUERY_BYTES_MAX; i++) {
        bson_uint32_to_string((uint32_t)(i - first), &key, buffer, sizeof(buffer));
        vf_mongodb_append_text(&list, key, loading->ids[i]);
    }
    bson_append_array_end(&by_id, &list);
    bson_append_document_end(&filter, &by_id);
    /* One more than can come: the server then knows that it is done, and no second round trip is needed. */
    cursor = vf_mongodb_find(loading->store, loading->collection, &filter, (int64_t)(i - first) + 1,
                             vf_mongodb_level(loading->store));
    while (code == VF_OK && mongoc_cursor_next(cursor, &bson))
        code = take(loading, bson, error);
    if (code == VF_OK && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(loading->store, &failure, NULL, "read documents", error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    *ret_next = i;
    return code;
}

static enum vf_code load_all(struct loading *loading, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    size_t next = 0, i;

    loading->wanted = vf_arena_calloc(loading->arena, loading->count, sizeof(*loading->wanted));
    for (i = 0; i < loading->count; i++)
        loading->wanted[i] = (struct wanted){.id = loading->ids[i], .index = i};
    qsort(loading->wanted, loading->count, sizeof(*loading->wanted), compare_wanted);
    while (code == VF_OK && next < loading->count)
        code = load_some(loading, next, &next, error);
    return code;
}

enum vf_code vf_mongodb_load(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids, size_t id_count,
                             const struct vf_bytes *aggregates, size_t aggregate_count, struct vf_arena *arena,
                             struct vf_document *ret_documents, struct vf_aggregate *ret_aggregates,
                             struct vf_error *error)
{
    struct vf_document *documents = vf_arena_calloc(arena, id_count, sizeof(*documents));
    struct vf_aggregate *records = vf_arena_calloc(arena, aggregate_count, sizeof(*records));
    struct vf_mongodb_names names;
    enum vf_code code;
    size_t i;

    code = vf_mongodb_names(store, view, &names, error);
    for (i = 0; i < id_count; i++)
        documents[i].id = vf_arena_copy(arena, ids[i]);
    for (i = 0; i < aggregate_count; i++)
        records[i].aggregate = vf_arena_copy(arena, aggregates[i]);
    if (code == VF_OK && id_count > 0) {
        struct loading loading = {.store = store,
                                  .collection = names.documents,
                                  .ids = ids,
                                  .count = id_count,
                                  .arena = arena,
                                  .documents = documents};

        code = load_all(&loading, error);
    }
    if (code == VF_OK && aggregate_count > 0) {
        struct loading loading = {.store = store,
                                  .collection = names.aggregates,
                                  .ids = aggregates,
                                  .count = aggregate_count,
                                  .arena = arena,
                                  .aggregates = records};

        code = load_all(&loading, error);
    }
    if (code != VF_OK)
        return code;
    if (id_count > 0)
        memcpy(ret_documents, documents, id_count * sizeof(*documents));
    if (aggregate_count > 0)
        memcpy(ret_aggregates, records, aggregate_count * sizeof(*records));
    return VF_OK;
}

/* --- lists whose length is not known ---------------------------------------------------------------------------------- */

void *vf_mongodb_grow(void *list, size_t count, size_t size)
{
    bool is_full = (count & (count - 1)) == 0; /* at each power of two */

    return is_full ? vf_realloc(list, (count ? 2 * count : 1) * size) : list;
}

void *vf_mongodb_keep(struct vf_arena *arena, void *list, size_t count, size_t size)
{
    void *kept = vf_arena_calloc(arena, count, size);

    if (count > 0)
        memcpy(kept, list, count * size);
    free(list);
    return kept;
}

/* --- ids ------------------------------------------------------------------------------------------------------------- */

enum vf_code vf_mongodb_find_ids(struct vf_store *store, const char *collection, const bson_t *filter,
                                 const bson_t *options, size_t most, struct vf_arena *arena, struct vf_bytes **ret_ids,
                                 size_t *ret_count, struct vf_error *error)
{
    int64_t limit = most > INT32_MAX ? INT32_MAX : (int64_t)most;
    struct vf_bytes *ids = NULL, id;
    bson_t own, fields;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *bson;
    size_t count = 0;

    bson_copy_to(options, &own);
    BSON_APPEND_DOCUMENT_BEGIN(&own, "projection", &fields);
    BSON_APPEND_INT32(&fields, "_id", 1);
    bson_append_document_end(&own, &fields);
    BSON_APPEND_INT64(&own, "limit", limit);
    BSON_APPEND_INT64(&own, "batchSize", limit);
    cursor =
        vf_mongodb_find_with(store, collection, filter, vf_mongodb_level(store), &own); /* which asks for nothing yet */
    while (count < most && mongoc_cursor_next(cursor, &bson)) {
        if (!vf_mongodb_text_at(bson, "_id", &id))
            continue;
        ids = vf_mongodb_grow(ids, count, sizeof(*ids));
        ids[count++] = vf_arena_copy(arena, id);
    }
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "look for what is due", error);
    mongoc_cursor_destroy(cursor);
    ids = vf_mongodb_keep(arena, ids, count, sizeof(*ids));
    if (code == VF_OK) {
        *ret_ids = ids;
        *ret_count = count;
    }
    return code;
}

/* --- progress -------------------------------------------------------------------------------------------------------- */

enum vf_code vf_mongodb_progress(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                 struct vf_progress_row **ret_rows, size_t *ret_count, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER;
    struct vf_mongodb_names names;
    struct vf_progress_row *rows = NULL;
    size_t count = 0;
    mongoc_cursor_t *cursor = NULL;
    bson_error_t failure;
    const bson_t *bson;
    enum vf_code code;

    code = vf_mongodb_names(store, view, &names, error);
    if (code != VF_OK)
        goto out;
    vf_mongodb_append_progress_range(&filter, &names);
    /* GUARD mongodb-settled: what a primary without its majority still has, and a fail-over takes back, is gone on from */
    cursor = vf_mongodb_find(store, VF_MONGODB_PROGRESS, &filter, VF_MONGODB_ROWS_PER_REPLY,
                             store->prepares ? "linearizable" : vf_mongodb_level(store));
    while (code == VF_OK && mongoc_cursor_next(cursor, &bson)) {
        struct vf_progress_row row;

        code = vf_mongodb_read_progress(bson, &names, arena, &row, error);
        if (code != VF_OK)
            vf_error_prefix(error, "store \"%s\" (mongodb, %s), collection %s", store->name, store->hosts,
                            VF_MONGODB_PROGRESS);
        if (code != VF_OK || (!row.progress.exists && !row.stopped))
            continue; /* only a freeze, or a commit that tested that there is none, left a trace */
        rows = vf_mongodb_grow(rows, count, sizeof(*rows));
        rows[count++] = row;
    }
    if (code == VF_OK && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read progress", error);
    rows = vf_mongodb_keep(arena, rows, count, sizeof(*rows));
    if (code == VF_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
out:
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return code;
}

enum vf_code vf_mongodb_is_frozen(struct vf_store *store, const struct vf_mongodb_names *names, bool *ret_frozen,
                                  struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *unused;
    bool found;

    vf_mongodb_append_progress_range(&filter, names);
    vf_mongodb_append_frozen_now(&filter);
    cursor = vf_mongodb_find(store, VF_MONGODB_PROGRESS, &filter, VF_MONGODB_ROWS_PER_REPLY, vf_mongodb_level(store));
    found = mongoc_cursor_next(cursor, &unused);
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read progress", error);
    else
        *ret_frozen = found;
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return code;
}
