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

mongoc_cursor_t *vf_mongodb_aggregate(struct vf_store *store, const char *collection, const bson_t *pipeline)
{
    mongoc_collection_t *handle = mongoc_client_get_collection(store->client, store->database, collection);
    bson_t options = BSON_INITIALIZER;
    mongoc_cursor_t *cursor;

    append_limits(&options, store, vf_mongodb_level(store));
    cursor = mongoc_collection_aggregate(handle, MONGOC_QUERY_NONE, pipeline, &options, NULL);
    bson_destroy(&options);
    mongoc_collection_destroy(handle);
    return cursor;
}
