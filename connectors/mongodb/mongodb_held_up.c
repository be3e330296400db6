/* A worker that dies inside a transaction leaves it open, and with it what it has written, until the server's time limit: everybody
 * else who comes to these documents meets a write conflict. Here such a transaction is looked for. */
#include "connectors/mongodb/mongodb_internal.h"

#include <stdio.h>

/* The commands of a commit follow one another at once: one that is silent for longer belongs to nobody who is well. */
#define SILENT_MS 1000

/* [{$currentOp}, {$match: sessions of ours that are silent within a transaction}, {$sort: the last to end first}, {$limit: 1}].
 * Everybody may ask for what is his own user's. */
static void append_pipeline(bson_t *command, const char *application)
{
    bson_t pipeline, stage, part, compare;

    BSON_APPEND_ARRAY_BEGIN(command, "pipeline", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$currentOp", &part);
    BSON_APPEND_BOOL(&part, "allUsers", false);
    BSON_APPEND_BOOL(&part, "idleSessions", true);
    bson_append_document_end(&stage, &part);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &part);
    BSON_APPEND_UTF8(&part, "type", "idleSession");
    BSON_APPEND_UTF8(&part, "appName", application);
    BSON_APPEND_DOCUMENT_BEGIN(&part, "transaction.timeInactiveMicros", &compare);
    BSON_APPEND_INT64(&compare, "$gt", (int64_t)SILENT_MS * 1000);
    bson_append_document_end(&part, &compare);
    bson_append_document_end(&stage, &part);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "2", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$sort", &part);
    BSON_APPEND_INT32(&part, "transaction.expiryTime", -1);
    bson_append_document_end(&stage, &part);
    bson_append_document_end(&pipeline, &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "3", &stage);
    BSON_APPEND_INT32(&stage, "$limit", 1);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(command, &pipeline);
}

static const char *text_at(const bson_t *bson, const char *path)
{
    bson_iter_t iter, found;

    return bson_iter_init(&iter, bson) && bson_iter_find_descendant(&iter, path, &found) && BSON_ITER_HOLDS_UTF8(&found)
               ? bson_iter_utf8(&found, NULL)
               : "?";
}

/* The first document of the reply's first batch. */
static bool first_of(const bson_t *reply, bson_t *ret_first)
{
    bson_iter_t iter, batch, one;
    const uint8_t *data;
    uint32_t size;

    if (!bson_iter_init(&iter, reply) || !bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch) ||
        !bson_iter_recurse(&batch, &one) || !bson_iter_next(&one) || !BSON_ITER_HOLDS_DOCUMENT(&one))
        return false;
    bson_iter_document(&one, &size, &data);
    return bson_init_static(ret_first, data, size);
}

enum vf_code vf_mongodb_held_up(struct vf_store *store, struct vf_arena *arena, const char **ret_what,
                                struct vf_error *error)
{
    const char *application = mongoc_uri_get_appname(mongoc_client_get_uri(store->client));
    bson_t command = BSON_INITIALIZER, reply, cursor, session;
    enum vf_code code = VF_OK;
    const char *what = NULL;
    bson_error_t failure;

    BSON_APPEND_INT32(&command, "aggregate", 1);
    append_pipeline(&command, application ? application : "viewfold");
    BSON_APPEND_DOCUMENT_BEGIN(&command, "cursor", &cursor);
    bson_append_document_end(&command, &cursor);
    BSON_APPEND_INT64(&command, "maxTimeMS", store->command_timeout_ms);
    if (!mongoc_client_command_simple(store->client, "admin", &command, NULL, &reply, &failure)) {
        /* A server that does not tell (a hosted one, another version) holds nobody up by that. */
        if (vf_mongodb_fault_of(&failure, &reply) == VF_FAULT_NETWORK)
            code = vf_mongodb_fail(store, &failure, &reply, "look for open transactions", error);
    } else if (first_of(&reply, &session)) {
        what = vf_arena_printf(
                   arena,
                   "waiting for a dead worker's transaction: the one of %s has been silent, and holds what it has "
                   "written until MongoDB ends it at %.19sZ (transactionLifetimeLimitSeconds)",
                   text_at(&session, "client"), text_at(&session, "transaction.expiryTime"))
                   .data;
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    if (code == VF_OK)
        *ret_what = what;
    return code;
}
