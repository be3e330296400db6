/* Indexes: those that a generation needs for itself. Made before the first batch, as building one waits for open transactions
 * and keeps new ones waiting. */
#include "connectors/mongodb/mongodb_internal.h"

/* One index, as createIndexes wants it. Projections' indexes have no names with an underscore in front. */
struct definition {
    const char *collection;
    const char *name;
    bson_t key;
    bson_t filter; /* empty: all documents */
};

static void definition_init(struct definition *definition, const char *collection, const char *name)
{
    definition->collection = collection;
    definition->name = name;
    bson_init(&definition->key);
    bson_init(&definition->filter);
}

static void definition_done(struct definition *definition)
{
    bson_destroy(&definition->key);
    bson_destroy(&definition->filter);
}

static void append_exists(bson_t *filter, const char *field)
{
    bson_t exists;

    bson_append_document_begin(filter, field, -1, &exists);
    BSON_APPEND_BOOL(&exists, "$exists", true);
    bson_append_document_end(filter, &exists);
}

static enum vf_code make_index(struct vf_store *store, const struct definition *definition, struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER, list, index, reply;
    enum vf_code code = VF_OK;
    bson_error_t failure;

    BSON_APPEND_UTF8(&command, "createIndexes", definition->collection);
    BSON_APPEND_ARRAY_BEGIN(&command, "indexes", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &index);
    BSON_APPEND_DOCUMENT(&index, "key", &definition->key);
    BSON_APPEND_UTF8(&index, "name", definition->name);
    if (!bson_empty(&definition->filter))
        BSON_APPEND_DOCUMENT(&index, "partialFilterExpression", &definition->filter);
    bson_append_document_end(&list, &index);
    bson_append_array_end(&command, &list);
    if (!vf_mongodb_write(store, &command, &reply, &failure)) {
        code = vf_mongodb_fail(store, &failure, &reply, "make an index", error);
        vf_error_prefix(error, "%s, index %s", definition->collection, definition->name);
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}

/* What is set aside of a partition: how much, and whether it is the event at an offset. */
static enum vf_code make_aside_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                     struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    definition_init(&definition, names->aside, "tp_offset_size");
    BSON_APPEND_INT32(&definition.key, "tp", 1);
    BSON_APPEND_INT32(&definition.key, "offset", 1);
    BSON_APPEND_INT32(&definition.key, "size", 1); /* so that a sum is taken without reading the events */
    code = make_index(store, &definition, error);
    definition_done(&definition);
    return code;
}

/* Records that are to be gone on with. */
static enum vf_code make_draining_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                        struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    definition_init(&definition, names->aggregates, "draining");
    BSON_APPEND_INT32(&definition.key, "draining", 1);
    BSON_APPEND_BOOL(&definition.filter, "draining", true);
    code = make_index(store, &definition, error);
    definition_done(&definition);
    return code;
}

/* Husks by the time at which they went. */
static enum vf_code make_husks_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                     struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    definition_init(&definition, names->documents, "_view_since");
    BSON_APPEND_INT32(&definition.key, "_view.since", 1);
    append_exists(&definition.filter, "_view.since");
    code = make_index(store, &definition, error);
    definition_done(&definition);
    return code;
}

enum vf_code vf_mongodb_make_own_indexes(struct vf_store *store, const struct vf_mongodb_names *names,
                                         struct vf_error *error)
{
    enum vf_code code = make_aside_index(store, names, error);

    if (code == VF_OK)
        code = make_draining_index(store, names, error);
    if (code == VF_OK)
        code = make_husks_index(store, names, error);
    return code;
}
