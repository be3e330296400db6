#include "watch.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 50

struct bench_watch {
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    mongoc_change_stream_t *stream;
};

static __attribute__((noreturn)) void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench-latency: mongodb: %s: %s\n", what, why);
    exit(1);
}

/* Changes are followed on the physical collection: change streams do not open on views. */
static struct bench_watch *open_mongodb(const char *url, const char *where, const char *view)
{
    bson_error_t error;
    char name[128];
    mongoc_init();
    struct bench_watch *watch = calloc(1, sizeof *watch);
    mongoc_uri_t *uri = mongoc_uri_new_with_error(url, &error);
    if (!watch || !uri)
        stop(url, error.message);
    watch->client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    snprintf(name, sizeof name, "%s.g1", view);
    watch->collection = mongoc_client_get_collection(watch->client, where, name);
    /* Only what is needed of each change, so that watching costs the server as little as it may. */
    bson_t *pipeline =
        BCON_NEW("pipeline", "[", "{", "$project", "{", "documentKey", BCON_INT32(1), "fullDocument._view.rev",
                 BCON_INT32(1), "updateDescription.updatedFields", BCON_INT32(1), "}", "}", "]");
    bson_t *options = BCON_NEW("maxAwaitTimeMS", BCON_INT64(TURN_MS), "batchSize", BCON_INT32(5000));
    watch->stream = mongoc_collection_watch(watch->collection, pipeline, options);
    const bson_t *reply;
    if (mongoc_change_stream_error_document(watch->stream, &error, &reply))
        stop("cannot follow changes", error.message);
    bson_destroy(pipeline);
    bson_destroy(options);
    return watch;
}

/* The revision that a change has brought; 0 where it says none. */
static int64_t revision_of(const bson_t *change)
{
    bson_iter_t iter, found;
    if (bson_iter_init(&iter, change) && bson_iter_find_descendant(&iter, "fullDocument._view.rev", &found))
        return bson_iter_as_int64(&found);
    if (!bson_iter_init(&iter, change) ||
        !bson_iter_find_descendant(&iter, "updateDescription.updatedFields", &found) ||
        !bson_iter_recurse(&found, &iter))
        return 0;
    while (bson_iter_next(&iter)) { /* "_view.rev" is one name here, with its dot */
        if (strcmp(bson_iter_key(&iter), "_view.rev") == 0)
            return bson_iter_as_int64(&iter);
        if (strcmp(bson_iter_key(&iter), "_view") == 0 && bson_iter_recurse(&iter, &found) &&
            bson_iter_find(&found, "rev"))
            return bson_iter_as_int64(&found);
    }
    return 0;
}

static void turn_mongodb(struct bench_watch *watch, bench_watch_heard *heard, void *self)
{
    const bson_t *change, *reply;
    bson_error_t error;
    bson_iter_t iter, id;
    while (mongoc_change_stream_next(watch->stream, &change)) {
        int64_t revision = revision_of(change);
        if (revision && bson_iter_init(&iter, change) && bson_iter_find_descendant(&iter, "documentKey._id", &id) &&
            BSON_ITER_HOLDS_UTF8(&id)) {
            uint32_t size;
            const char *text = bson_iter_utf8(&id, &size);
            heard(self, text, size, revision);
        }
    }
    if (mongoc_change_stream_error_document(watch->stream, &error, &reply))
        stop("cannot follow changes", error.message);
}

static void close_mongodb(struct bench_watch *watch)
{
    mongoc_change_stream_destroy(watch->stream);
    mongoc_collection_destroy(watch->collection);
    mongoc_client_destroy(watch->client);
    free(watch);
}

const struct bench_watch_type bench_watch_mongodb = {open_mongodb, turn_mongodb, close_mongodb};
