/* What is set aside: events in the lists of aggregates, `_id: {a: list, v: place}`, so that a list lies in order. Entries have
 * no stamp of their own: each list's record is written by the same commit. */
#include "connectors/mongodb/mongodb_transaction.h"

/* The names and punctuation of an entry. */
#define ENTRY_BYTES 300u

size_t vf_mongodb_aside_bytes(const struct vf_aside *aside)
{
    return ENTRY_BYTES + aside->list.size + aside->aggregate.size + strlen(aside->partition.topic) + aside->record.size;
}

static void append_place(bson_t *into, const char *key, struct vf_bytes list, int64_t place)
{
    bson_t id;

    bson_append_document_begin(into, key, -1, &id);
    vf_mongodb_append_text(&id, "a", list);
    BSON_APPEND_INT64(&id, "v", place);
    bson_append_document_end(into, &id);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static bool take_away(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    struct vf_mongodb_command command;
    bson_t statement, query;
    size_t i;

    vf_mongodb_command_init(&command, transaction, "delete", "deletes", transaction->names.aside);
    for (i = 0; i < commit->taken_count; i++) {
        if (!vf_mongodb_command_room(&command, ENTRY_BYTES + commit->taken[i].list.size))
            return false;
        vf_mongodb_statement_begin(&command, &statement);
        BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
        append_place(&query, "_id", commit->taken[i].list, commit->taken[i].place);
        bson_append_document_end(&statement, &query);
        BSON_APPEND_INT32(&statement, "limit", 1);
        vf_mongodb_statement_end(&command, &statement);
    }
    return vf_mongodb_command_send(&command);
}

static void append_entry(bson_t *entry, const struct vf_aside *aside)
{
    append_place(entry, "_id", aside->list, aside->place);
    vf_mongodb_append_text(entry, "of", aside->aggregate);
    vf_mongodb_append_partition(entry, aside->partition);
    BSON_APPEND_INT64(entry, "offset", aside->offset);
    BSON_APPEND_INT64(entry, "size", (int64_t)aside->record.size);
    bson_append_binary(entry, "record", -1, BSON_SUBTYPE_BINARY, (const uint8_t *)aside->record.data,
                       (uint32_t)aside->record.size);
}

bool vf_mongodb_write_asides(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    struct vf_mongodb_command command;
    bson_t entry;
    size_t i;

    if (!take_away(transaction))
        return false;
    vf_mongodb_command_init(&command, transaction, "insert", "documents", transaction->names.aside);
    for (i = 0; i < commit->aside_count; i++) {
        if (!vf_mongodb_command_room(&command, vf_mongodb_aside_bytes(&commit->asides[i])))
            return false;
        vf_mongodb_statement_begin(&command, &entry);
        append_entry(&entry, &commit->asides[i]);
        vf_mongodb_statement_end(&command, &entry);
    }
    return vf_mongodb_command_send(&command);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool read_place(const bson_iter_t *value, struct vf_bytes *ret_list, int64_t *ret_place)
{
    bson_iter_t iter;
    uint32_t size;

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter) || !bson_iter_next(&iter) ||
        !BSON_ITER_HOLDS_UTF8(&iter))
        return false;
    ret_list->data = bson_iter_utf8(&iter, &size);
    ret_list->size = size;
    if (!bson_iter_next(&iter) || !BSON_ITER_HOLDS_INT64(&iter))
        return false;
    *ret_place = bson_iter_int64(&iter);
    return true;
}

static bool read_entry(const bson_t *bson, struct vf_arena *arena, struct vf_aside *ret_aside)
{
    struct vf_aside aside = {0};
    struct vf_bytes text;
    bool has_id = false, has_offset = false, has_record = false;
    bson_iter_t iter;

    if (!vf_mongodb_text_at(bson, "of", &aside.aggregate) || !vf_mongodb_text_at(bson, "tp", &text) ||
        !vf_mongodb_read_partition(text, arena, &aside.partition) || !bson_iter_init(&iter, bson))
        return false;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        if (strcmp(key, "_id") == 0) {
            has_id = read_place(&iter, &aside.list, &aside.place);
        } else if (strcmp(key, "offset") == 0) {
            has_offset = BSON_ITER_HOLDS_INT64(&iter);
            aside.offset = bson_iter_as_int64(&iter);
        } else if (strcmp(key, "record") == 0 && BSON_ITER_HOLDS_BINARY(&iter)) {
            bson_subtype_t subtype;
            const uint8_t *data;
            uint32_t size;

            bson_iter_binary(&iter, &subtype, &size, &data);
            aside.record = vf_bytes(data, size);
            has_record = true;
        }
    }
    aside.list = vf_arena_copy(arena, aside.list);
    aside.aggregate = vf_arena_copy(arena, aside.aggregate);
    aside.record = vf_arena_copy(arena, aside.record);
    *ret_aside = aside;
    return has_id && has_offset && has_record;
}

static enum vf_code not_ours(const struct vf_store *store, const char *collection, struct vf_error *error)
{
    return vf_fail(
        error, VF_E_CONFIG,
        "store \"%s\" (mongodb, %s), collection %s: what is set aside there was not written by this viewfold: "
        "read with the viewfold that wrote it",
        store->name, store->hosts, collection);
}

enum vf_code vf_mongodb_aside_load(struct vf_store *store, struct vf_view view, struct vf_bytes list, int64_t place,
                                   size_t count, size_t bytes_max, struct vf_arena *arena, struct vf_aside **ret_asides,
                                   size_t *ret_count, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, range, sort;
    int64_t limit = count > INT32_MAX ? INT32_MAX : (int64_t)count;
    struct vf_aside *asides = NULL;
    struct vf_mongodb_names names;
    mongoc_cursor_t *cursor = NULL;
    bson_error_t failure;
    const bson_t *bson;
    size_t found = 0, bytes = 0;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &range);
    append_place(&range, "$gte", list, place);
    append_place(&range, "$lte", list, INT64_MAX);
    bson_append_document_end(&filter, &range);
    BSON_APPEND_DOCUMENT_BEGIN(&options, "sort", &sort);
    BSON_APPEND_INT32(&sort, "_id", 1);
    bson_append_document_end(&options, &sort);
    BSON_APPEND_INT64(&options, "limit", limit);
    BSON_APPEND_INT64(&options, "batchSize", limit);
    if (code == VF_OK && count > 0)
        cursor = vf_mongodb_find_with(store, names.aside, &filter, vf_mongodb_level(store), &options);
    while (code == VF_OK && cursor && found < count && (found == 0 || bytes < bytes_max) &&
           mongoc_cursor_next(cursor, &bson)) {
        asides = vf_mongodb_grow(asides, found, sizeof(*asides));
        if (!read_entry(bson, arena, &asides[found]))
            code = not_ours(store, names.aside, error);
        bytes += asides[found++].record.size;
    }
    if (code == VF_OK && cursor && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read what is set aside", error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
    asides = vf_mongodb_keep(arena, asides, found, sizeof(*asides));
    if (code == VF_OK) {
        *ret_asides = asides;
        *ret_count = found;
    }
    return code;
}

/* [{$match: {tp}}, {$group: {_id: null, count: {$sum: 1}, bytes: {$sum: "$size"}}}]: of the index alone. */
static void append_total(bson_t *pipeline, struct vf_partition partition)
{
    bson_t stage, match, group, sum;

    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
    vf_mongodb_append_partition(&match, partition);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &group);
    BSON_APPEND_NULL(&group, "_id");
    BSON_APPEND_DOCUMENT_BEGIN(&group, "count", &sum);
    BSON_APPEND_INT64(&sum, "$sum", 1);
    bson_append_document_end(&group, &sum);
    BSON_APPEND_DOCUMENT_BEGIN(&group, "bytes", &sum);
    BSON_APPEND_UTF8(&sum, "$sum", "$size");
    bson_append_document_end(&group, &sum);
    bson_append_document_end(&stage, &group);
    bson_append_document_end(pipeline, &stage);
}

enum vf_code vf_mongodb_aside_total(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                    struct vf_aside_total *ret_total, struct vf_error *error)
{
    bson_t pipeline = BSON_INITIALIZER;
    struct vf_aside_total total = {0};
    struct vf_mongodb_names names;
    bson_t reply = BSON_INITIALIZER, result;
    bson_iter_t results, iter;
    bson_error_t failure;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    append_total(&pipeline, partition);
    if (code == VF_OK && !vf_mongodb_aggregate(store, names.aside, &pipeline, &reply, &results, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "count what is set aside", error);
    if (code == VF_OK && vf_mongodb_next_result(&results, &result) && bson_iter_init(&iter, &result)) {
        while (bson_iter_next(&iter)) {
            if (strcmp(bson_iter_key(&iter), "count") == 0)
                total.count = bson_iter_as_int64(&iter);
            else if (strcmp(bson_iter_key(&iter), "bytes") == 0)
                total.bytes = bson_iter_as_int64(&iter);
        }
    }
    bson_destroy(&reply);
    bson_destroy(&pipeline);
    if (code == VF_OK)
        *ret_total = total;
    return code;
}

enum vf_code vf_mongodb_aside_at(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                 int64_t offset, struct vf_arena *arena, bool *ret_there, struct vf_bytes *ret_list,
                                 struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, fields = BSON_INITIALIZER;
    struct vf_mongodb_names names;
    mongoc_cursor_t *cursor = NULL;
    struct vf_bytes list = {0};
    bson_error_t failure;
    const bson_t *bson;
    bson_iter_t iter;
    int64_t place;
    bool there = false;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    vf_mongodb_append_partition(&filter, partition);
    BSON_APPEND_INT64(&filter, "offset", offset);
    BSON_APPEND_INT32(&fields, "_id", 1);
    if (code == VF_OK)
        cursor = vf_mongodb_find_fields(store, names.aside, &filter, 1, vf_mongodb_level(store), &fields);
    there = cursor && mongoc_cursor_next(cursor, &bson);
    if (there && (!bson_iter_init_find(&iter, bson, "_id") || !read_place(&iter, &list, &place)))
        code = not_ours(store, names.aside, error);
    if (cursor && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "look for what is set aside", error);
    if (code == VF_OK) {
        *ret_list = vf_arena_copy(arena, list);
        *ret_there = there;
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&fields);
    bson_destroy(&filter);
    return code;
}

enum vf_code vf_mongodb_draining(struct vf_store *store, struct vf_view view, size_t most, struct vf_arena *arena,
                                 struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    struct vf_mongodb_names names;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    BSON_APPEND_BOOL(&filter, "draining", true);
    if (code == VF_OK)
        code = vf_mongodb_make_draining_index(store, &names, error);
    if (code == VF_OK)
        code = vf_mongodb_find_ids(store, names.aggregates, &filter, &options, most, arena, ret_aggregates, ret_count,
                                   error);
    bson_destroy(&options);
    bson_destroy(&filter);
    return code;
}

/* --- records by their state ------------------------------------------------------------------------------------------ */

enum vf_code vf_mongodb_aside_aggregates(struct vf_store *store, struct vf_view view, enum vf_aside_state state,
                                         struct vf_bytes after, size_t most, struct vf_arena *arena,
                                         struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, part;
    struct vf_mongodb_names names;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    BSON_APPEND_UTF8(&filter, "state", vf_mongodb_state_name(state));
    if (after.size > 0) {
        BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &part);
        vf_mongodb_append_text(&part, "$gt", after);
        bson_append_document_end(&filter, &part);
    }
    BSON_APPEND_DOCUMENT_BEGIN(&options, "sort", &part);
    BSON_APPEND_INT32(&part, "_id", 1);
    bson_append_document_end(&options, &part);
    if (code == VF_OK)
        code = vf_mongodb_make_state_index(store, &names, error);
    if (code == VF_OK)
        code = vf_mongodb_find_ids(store, names.aggregates, &filter, &options, most, arena, ret_aggregates, ret_count,
                                   error);
    bson_destroy(&options);
    bson_destroy(&filter);
    return code;
}

/* [{$match: {state: {$in: [...]}}}, {$group: {_id: "$state", count: {$sum: 1}}}]: of the index alone. */
static void append_state_counts(bson_t *pipeline)
{
    bson_t stage, match, states, list, group, sum;
    enum vf_aside_state state;
    char buffer[16];
    const char *key;

    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
    BSON_APPEND_DOCUMENT_BEGIN(&match, "state", &states);
    BSON_APPEND_ARRAY_BEGIN(&states, "$in", &list);
    for (state = VF_ASIDE_NONE + 1; state < VF_ASIDE_STATES; state++) {
        bson_uint32_to_string((uint32_t)state - 1, &key, buffer, sizeof(buffer));
        BSON_APPEND_UTF8(&list, key, vf_mongodb_state_name(state));
    }
    bson_append_array_end(&states, &list);
    bson_append_document_end(&match, &states);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &group);
    BSON_APPEND_UTF8(&group, "_id", "$state");
    BSON_APPEND_DOCUMENT_BEGIN(&group, "count", &sum);
    BSON_APPEND_INT64(&sum, "$sum", 1);
    bson_append_document_end(&group, &sum);
    bson_append_document_end(&stage, &group);
    bson_append_document_end(pipeline, &stage);
}

enum vf_code vf_mongodb_aside_counts(struct vf_store *store, struct vf_view view, int64_t ret_counts[VF_ASIDE_STATES],
                                     struct vf_error *error)
{
    bson_t pipeline = BSON_INITIALIZER;
    int64_t counts[VF_ASIDE_STATES] = {0};
    struct vf_mongodb_names names;
    bson_t reply = BSON_INITIALIZER, result;
    bson_iter_t results, count;
    bson_error_t failure;
    struct vf_bytes name;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    append_state_counts(&pipeline);
    if (code == VF_OK)
        code = vf_mongodb_make_state_index(store, &names, error);
    if (code == VF_OK && !vf_mongodb_aggregate(store, names.aggregates, &pipeline, &reply, &results, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "count what is set aside", error);
    while (code == VF_OK && vf_mongodb_next_result(&results, &result))
        if (vf_mongodb_text_at(&result, "_id", &name) && bson_iter_init_find(&count, &result, "count"))
            counts[vf_mongodb_state_named(name)] = bson_iter_as_int64(&count);
    bson_destroy(&reply);
    bson_destroy(&pipeline);
    if (code == VF_OK)
        memcpy(ret_counts, counts, sizeof(counts));
    return code;
}
