/* Collections and the readers' view: made explicitly before the first batch, as none can be made under open transactions
 * without waiting for them. */
#include "connectors/mongodb/mongodb_internal.h"

#define SERVER_NAMESPACE_EXISTS    48u
#define SERVER_NAMESPACE_NOT_FOUND 26u

/* What lies under a name. */
enum kind { KIND_ABSENT, KIND_COLLECTION, KIND_VIEW };

struct lying {
    enum kind kind;
    char on[VF_MONGODB_NAME_BYTES]; /* of a view: the collection that it shows */
};

static void read_lying(const bson_t *bson, struct lying *ret_lying)
{
    struct vf_bytes text = {0};
    bson_iter_t iter, options;

    *ret_lying = (struct lying){.kind = KIND_COLLECTION};
    if (!vf_mongodb_text_at(bson, "type", &text) || !vf_bytes_is(text, "view"))
        return;
    ret_lying->kind = KIND_VIEW;
    if (bson_iter_init(&iter, bson) && bson_iter_find_descendant(&iter, "options.viewOn", &options) &&
        BSON_ITER_HOLDS_UTF8(&options))
        bson_strncpy(ret_lying->on, bson_iter_utf8(&options, NULL), sizeof(ret_lying->on));
}

static enum vf_code look(struct vf_store *store, const char *name, struct lying *ret_lying, struct vf_error *error)
{
    mongoc_database_t *database = mongoc_client_get_database(store->client, store->database);
    bson_t options = BSON_INITIALIZER, filter;
    struct lying lying = {.kind = KIND_ABSENT};
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *bson;

    BSON_APPEND_DOCUMENT_BEGIN(&options, "filter", &filter);
    BSON_APPEND_UTF8(&filter, "name", name);
    bson_append_document_end(&options, &filter);
    cursor = mongoc_database_find_collections_with_opts(database, &options);
    if (mongoc_cursor_next(cursor, &bson))
        read_lying(bson, &lying);
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "list the collections", error);
    else
        *ret_lying = lying;
    mongoc_cursor_destroy(cursor);
    mongoc_database_destroy(database);
    bson_destroy(&options);
    return code;
}

/* Runs a `create`; that another process was faster is fine. */
static enum vf_code create(struct vf_store *store, const bson_t *command, const char *name, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    bson_error_t failure;
    bson_t reply;

    if (!vf_mongodb_write(store, command, &reply, &failure) && failure.code != SERVER_NAMESPACE_EXISTS) {
        code = vf_mongodb_fail(store, &failure, &reply, "make a collection", error);
        vf_error_prefix(error, "%s", name);
    }
    bson_destroy(&reply);
    return code;
}

static enum vf_code make_collection(struct vf_store *store, const char *name, struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER;
    struct lying lying;
    enum vf_code code = look(store, name, &lying, error);

    if (code == VF_OK && lying.kind == KIND_ABSENT) {
        BSON_APPEND_UTF8(&command, "create", name);
        code = create(store, &command, name, error);
        if (code == VF_OK)
            code = look(store, name, &lying, error);
    }
    if (code == VF_OK && lying.kind == KIND_VIEW)
        code = vf_fail(
            error, VF_E_CONFIG,
            "store \"%s\" (mongodb, %s): \"%s\" is a view, viewfold needs a collection of that name: drop it, or "
            "give the projection another name with names:",
            store->name, store->hosts, name);
    bson_destroy(&command);
    return code;
}

enum vf_code vf_mongodb_make_collections(struct vf_store *store, const struct vf_mongodb_names *names,
                                         struct vf_error *error)
{
    const char *collections[] = {names->documents, names->aggregates,   names->aside,
                                 names->drops,     VF_MONGODB_PROGRESS, VF_MONGODB_GENERATIONS};
    enum vf_code code = VF_OK;
    size_t i;

    for (i = 0; code == VF_OK && i < sizeof(collections) / sizeof(*collections); i++)
        code = make_collection(store, collections[i], error);
    return code == VF_OK ? vf_mongodb_make_aside_index(store, names, error) : code;
}

/* {"_view.husk": {$exists: false}, $or: [{"_view.expires": {$exists: false}}, {$expr: {$gt: [expires, now]}}]} */
static void append_visible(bson_t *match)
{
    bson_t exists, either, one, expression, pair;

    BSON_APPEND_DOCUMENT_BEGIN(match, "_view.husk", &exists);
    BSON_APPEND_BOOL(&exists, "$exists", false);
    bson_append_document_end(match, &exists);
    BSON_APPEND_ARRAY_BEGIN(match, "$or", &either);
    BSON_APPEND_DOCUMENT_BEGIN(&either, "0", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "_view.expires", &exists);
    BSON_APPEND_BOOL(&exists, "$exists", false);
    bson_append_document_end(&one, &exists);
    bson_append_document_end(&either, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&either, "1", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "$expr", &expression);
    BSON_APPEND_ARRAY_BEGIN(&expression, "$gt", &pair);
    BSON_APPEND_UTF8(&pair, "0", "$_view.expires");
    BSON_APPEND_UTF8(&pair, "1", "$$NOW");
    bson_append_array_end(&expression, &pair);
    bson_append_document_end(&one, &expression);
    bson_append_document_end(&either, &one);
    bson_append_array_end(match, &either);
}

/* Whether the view that lies there shows a generation of this view: customer_orders.g and a number. */
static bool shows_ours(const struct lying *lying, const char *view)
{
    size_t size = strlen(view);

    return lying->kind == KIND_VIEW && strncmp(lying->on, view, size) == 0 && strncmp(lying->on + size, ".g", 2) == 0;
}

enum vf_code vf_mongodb_remove_view(struct vf_store *store, const char *view, const struct vf_mongodb_names *names,
                                    struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER, reply;
    struct lying lying;
    bson_error_t failure;
    enum vf_code code = look(store, view, &lying, error);

    if (code == VF_OK && lying.kind == KIND_VIEW && strcmp(lying.on, names->documents) == 0) {
        BSON_APPEND_UTF8(&command, "drop", view);
        if (!vf_mongodb_write(store, &command, &reply, &failure) && failure.code != SERVER_NAMESPACE_NOT_FOUND)
            code = vf_mongodb_fail(store, &failure, &reply, "drop the readers' view", error);
        bson_destroy(&reply);
    }
    bson_destroy(&command);
    return code;
}

enum vf_code vf_mongodb_make_view(struct vf_store *store, const char *view, const struct vf_mongodb_names *names,
                                  struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER, pipeline, stage, match;
    struct lying lying;
    enum vf_code code = look(store, view, &lying, error);

    if (code == VF_OK && lying.kind == KIND_ABSENT) {
        BSON_APPEND_UTF8(&command, "create", view);
        BSON_APPEND_UTF8(&command, "viewOn", names->documents);
        BSON_APPEND_ARRAY_BEGIN(&command, "pipeline", &pipeline);
        BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
        BSON_APPEND_DOCUMENT_BEGIN(&stage, "$match", &match);
        append_visible(&match);
        bson_append_document_end(&stage, &match);
        bson_append_document_end(&pipeline, &stage);
        bson_append_array_end(&command, &pipeline);
        code = create(store, &command, view, error);
        if (code == VF_OK)
            code = look(store, view, &lying, error);
    }
    if (code == VF_OK && !shows_ours(&lying, view))
        code =
            vf_fail(error, VF_E_CONFIG,
                    "store \"%s\" (mongodb, %s): database \"%s\" already has a collection or view \"%s\" that is not "
                    "viewfold's: rename or drop it, or give the projection another name with names:",
                    store->name, store->hosts, store->database, view);
    bson_destroy(&command);
    return code;
}
