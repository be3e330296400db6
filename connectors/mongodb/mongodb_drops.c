/* What operators have dropped: a list that only grows, `_id` being the number of the decision. A commit that adds to it reads in
 * its transaction how many there are; another that did the same meanwhile is a conflict. */
#include "connectors/mongodb/mongodb_transaction.h"

/* The names and punctuation of an entry. */
#define ENTRY_BYTES 200u

size_t vf_mongodb_drop_bytes(const struct vf_dropped *dropped)
{
    size_t topic = dropped->partition.topic ? strlen(dropped->partition.topic) : 0;

    return ENTRY_BYTES + dropped->aggregate.size + topic + dropped->error.size;
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

/* The number of the next decision, as the transaction sees it. */
static bool next_number(struct vf_mongodb_transaction *transaction, int64_t *ret_number)
{
    struct vf_store *store = transaction->store;
    mongoc_collection_t *drops = mongoc_client_get_collection(store->client, store->database, transaction->names.drops);
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, sort;
    mongoc_cursor_t *cursor = NULL;
    bson_error_t failure;
    const bson_t *bson;
    bson_iter_t id;
    bool fine = mongoc_client_session_append(transaction->session, &options, &failure);

    *ret_number = 0;
    BSON_APPEND_DOCUMENT_BEGIN(&options, "sort", &sort);
    BSON_APPEND_INT32(&sort, "_id", -1);
    bson_append_document_end(&options, &sort);
    BSON_APPEND_INT64(&options, "limit", 1);
    BSON_APPEND_BOOL(&options, "singleBatch", true);
    if (fine) {
        cursor = mongoc_collection_find_with_opts(drops, &filter, &options, NULL);
        if (mongoc_cursor_next(cursor, &bson) && bson_iter_init_find(&id, bson, "_id"))
            *ret_number = bson_iter_as_int64(&id) + 1;
        fine = !mongoc_cursor_error(cursor, &failure);
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
    mongoc_collection_destroy(drops);
    return fine || vf_mongodb_command_failed(transaction, &failure, NULL);
}

static void append_entry(bson_t *entry, int64_t number, const struct vf_dropped *dropped)
{
    bson_t missing;

    BSON_APPEND_INT64(entry, "_id", number);
    vf_mongodb_append_text(entry, "of", dropped->aggregate);
    if (dropped->partition.topic) {
        vf_mongodb_append_partition(entry, dropped->partition);
        BSON_APPEND_INT64(entry, "offset", dropped->offset);
        BSON_APPEND_INT64(entry, "timestamp", dropped->timestamp_ms);
        if (dropped->identity)
            vf_mongodb_append_stamp(entry, "identity", dropped->identity);
    } else {
        BSON_APPEND_ARRAY_BEGIN(entry, "missing", &missing);
        BSON_APPEND_INT64(&missing, "0", dropped->missing_from);
        BSON_APPEND_INT64(&missing, "1", dropped->missing_to);
        bson_append_array_end(entry, &missing);
    }
    BSON_APPEND_DATE_TIME(entry, "at", dropped->dropped_ms);
    if (dropped->error.size > 0)
        vf_mongodb_append_text(entry, "error", dropped->error);
}

bool vf_mongodb_write_drops(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    struct vf_mongodb_command command;
    int64_t number;
    bson_t entry;
    size_t i;

    if (commit->dropped_count == 0)
        return true;
    if (!next_number(transaction, &number))
        return false;
    vf_mongodb_command_init(&command, transaction, "insert", "documents", transaction->names.drops);
    for (i = 0; i < commit->dropped_count; i++) {
        if (!vf_mongodb_command_room(&command, vf_mongodb_drop_bytes(&commit->dropped[i])))
            return false;
        vf_mongodb_statement_begin(&command, &entry);
        append_entry(&entry, number + (int64_t)i, &commit->dropped[i]);
        vf_mongodb_statement_end(&command, &entry);
    }
    return vf_mongodb_command_send(&command);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

/* Takes one field of an entry. False: unknown, or of the wrong type. */
static bool take_field(const bson_iter_t *field, struct vf_arena *arena, struct vf_dropped *dropped, bool *is_missing)
{
    const char *key = bson_iter_key(field);
    struct vf_bytes text;
    bson_iter_t list;

    if (strcmp(key, "_id") == 0 || strcmp(key, "offset") == 0 || strcmp(key, "timestamp") == 0) {
        if (key[0] == 'o')
            dropped->offset = bson_iter_as_int64(field);
        if (key[0] == 't')
            dropped->timestamp_ms = bson_iter_as_int64(field);
        return BSON_ITER_HOLDS_INT64(field);
    }
    if (strcmp(key, "missing") == 0) {
        *is_missing = true;
        if (!BSON_ITER_HOLDS_ARRAY(field) || !bson_iter_recurse(field, &list) || !bson_iter_next(&list))
            return false;
        dropped->missing_from = bson_iter_as_int64(&list);
        if (!bson_iter_next(&list))
            return false;
        dropped->missing_to = bson_iter_as_int64(&list);
        return dropped->missing_from < dropped->missing_to;
    }
    if (strcmp(key, "identity") == 0)
        return vf_mongodb_iter_stamp(field, &dropped->identity);
    if (strcmp(key, "at") == 0) {
        dropped->dropped_ms = BSON_ITER_HOLDS_DATE_TIME(field) ? bson_iter_date_time(field) : 0;
        return BSON_ITER_HOLDS_DATE_TIME(field);
    }
    if (!BSON_ITER_HOLDS_UTF8(field))
        return false;
    text.data = bson_iter_utf8(field, NULL);
    text.size = bson_iter_utf8_len_unsafe(field);
    if (strcmp(key, "of") == 0)
        dropped->aggregate = vf_arena_copy(arena, text);
    else if (strcmp(key, "error") == 0)
        dropped->error = vf_arena_copy(arena, text);
    else
        return strcmp(key, "tp") == 0 && vf_mongodb_read_partition(text, arena, &dropped->partition);
    return true;
}

static bool read_entry(const bson_t *bson, struct vf_arena *arena, struct vf_dropped *ret_dropped)
{
    bool fine, is_missing = false;
    bson_iter_t iter;

    *ret_dropped = (struct vf_dropped){0};
    fine = bson_iter_init(&iter, bson);
    while (fine && bson_iter_next(&iter))
        fine = take_field(&iter, arena, ret_dropped, &is_missing);
    return fine && ret_dropped->aggregate.size > 0 && is_missing == !ret_dropped->partition.topic;
}

enum vf_code vf_mongodb_dropped(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                                struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                                struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, part;
    int64_t limit = most > INT32_MAX ? INT32_MAX : (int64_t)most;
    struct vf_dropped *list = NULL;
    struct vf_mongodb_names names;
    mongoc_cursor_t *cursor = NULL;
    bson_error_t failure;
    const bson_t *bson;
    size_t count = 0;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &part);
    BSON_APPEND_INT64(&part, "$gte", (int64_t)first);
    bson_append_document_end(&filter, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&options, "sort", &part);
    BSON_APPEND_INT32(&part, "_id", 1);
    bson_append_document_end(&options, &part);
    BSON_APPEND_INT64(&options, "limit", limit);
    if (code == VF_OK && most > 0)
        cursor = vf_mongodb_find_with(store, names.drops, &filter, "local", &options);
    while (code == VF_OK && cursor && count < most && mongoc_cursor_next(cursor, &bson)) {
        list = vf_mongodb_grow(list, count, sizeof(*list));
        if (!read_entry(bson, arena, &list[count++]))
            code = vf_fail(error, VF_E_CONFIG,
                           "store \"%s\" (mongodb, %s), collection %s: what is noted there as dropped was not written "
                           "by this viewfold: read with the viewfold that wrote it",
                           store->name, store->hosts, names.drops);
    }
    if (code == VF_OK && cursor && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read what has been dropped", error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
    list = vf_mongodb_keep(arena, list, count, sizeof(*list));
    if (code == VF_OK) {
        *ret_dropped = list;
        *ret_count = count;
    }
    return code;
}
