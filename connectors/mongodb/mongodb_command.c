#include "connectors/mongodb/mongodb_internal.h"

bool vf_mongodb_write(struct vf_store *store, const bson_t *command, bson_t *reply, bson_error_t *failure)
{
    bson_t options = BSON_INITIALIZER;
    bool done;

    BSON_APPEND_INT64(&options, "maxTimeMS", store->command_timeout_ms);
    mongoc_write_concern_append(store->concern, &options);
    done = mongoc_client_write_command_with_opts(store->client, store->database, command, &options, reply, failure);
    bson_destroy(&options);
    return done && !vf_mongodb_write_error(reply, failure);
}

const char *vf_mongodb_level(const struct vf_store *store)
{
    return store->prepares ? "local" : "majority";
}

static void append_limits(bson_t *options, const struct vf_store *store, const char *level)
{
    bson_t concern;

    BSON_APPEND_INT64(options, "maxTimeMS", store->command_timeout_ms);
    BSON_APPEND_DOCUMENT_BEGIN(options, "readConcern", &concern);
    BSON_APPEND_UTF8(&concern, "level", level);
    bson_append_document_end(options, &concern);
}

mongoc_cursor_t *vf_mongodb_find_with(struct vf_store *store, const char *collection, const bson_t *filter,
                                      const char *level, bson_t *options_taken)
{
    mongoc_collection_t *handle = mongoc_client_get_collection(store->client, store->database, collection);
    mongoc_cursor_t *cursor;
    bson_t options;

    bson_steal(&options, options_taken);
    bson_init(options_taken);
    append_limits(&options, store, level);
    cursor = mongoc_collection_find_with_opts(handle, filter, &options, NULL);
    bson_destroy(&options);
    mongoc_collection_destroy(handle);
    return cursor;
}

mongoc_cursor_t *vf_mongodb_find(struct vf_store *store, const char *collection, const bson_t *filter,
                                 int64_t batch_size, const char *level)
{
    bson_t options = BSON_INITIALIZER;

    BSON_APPEND_INT64(&options, "batchSize", batch_size);
    return vf_mongodb_find_with(store, collection, filter, level, &options);
}

mongoc_cursor_t *vf_mongodb_find_fields(struct vf_store *store, const char *collection, const bson_t *filter,
                                        int64_t limit, const char *level, const bson_t *fields)
{
    bson_t options = BSON_INITIALIZER;

    BSON_APPEND_DOCUMENT(&options, "projection", fields);
    BSON_APPEND_INT64(&options, "limit", limit);
    return vf_mongodb_find_with(store, collection, filter, level, &options);
}

/* libmongoc's own cursor of an aggregation (1.30, Debian 13's) takes a collection with dots in its name for a database. */
bool vf_mongodb_aggregate(struct vf_store *store, const char *collection, const bson_t *pipeline, bson_t *reply,
                          bson_iter_t *ret_results, bson_error_t *failure)
{
    bson_t command = BSON_INITIALIZER, options = BSON_INITIALIZER, cursor;
    bson_iter_t iter, batch;
    bool done;

    BSON_APPEND_UTF8(&command, "aggregate", collection);
    BSON_APPEND_ARRAY(&command, "pipeline", pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &cursor);
    bson_append_document_end(&command, &cursor);
    append_limits(&options, store, vf_mongodb_level(store));
    done =
        mongoc_client_read_command_with_opts(store->client, store->database, &command, NULL, &options, reply, failure);
    if (done && !(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch) &&
                  BSON_ITER_HOLDS_ARRAY(&batch) && bson_iter_recurse(&batch, ret_results))) {
        bson_set_error(failure, MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY, "no results in the reply");
        done = false;
    }
    bson_destroy(&options);
    bson_destroy(&command);
    return done;
}

bool vf_mongodb_next_result(bson_iter_t *results, bson_t *ret_result)
{
    const uint8_t *data;
    uint32_t size;

    if (!bson_iter_next(results) || !BSON_ITER_HOLDS_DOCUMENT(results))
        return false;
    bson_iter_document(results, &size, &data);
    return bson_init_static(ret_result, data, size);
}
