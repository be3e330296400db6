/*
 * Indexes: a projection's, and those that a generation needs for itself. Made before the first batch, as building one waits for
 * open transactions and keeps new ones waiting. Each costs every commit a little, so what only some views ask for, the husks
 * that are to be forgotten and the records that are draining or where events wait, is made when it is asked for first.
 */
#include "connectors/mongodb/mongodb_internal.h"

#include <stdio.h>

#define SERVER_NAMESPACE_NOT_FOUND    26u
#define SERVER_INDEX_OPTIONS_CONFLICT 85u
#define SERVER_INDEX_KEY_CONFLICT     86u

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
        if (failure.code == SERVER_INDEX_OPTIONS_CONFLICT || failure.code == SERVER_INDEX_KEY_CONFLICT)
            code =
                vf_fail(error, VF_E_CONFIG,
                        "store \"%s\" (mongodb, %s): the collection %s already has another index of the name \"%s\", "
                        "or the same index by another name: drop that one (the server says: %s)",
                        store->name, store->hosts, definition->collection, definition->name, failure.message);
        else
            code = vf_mongodb_fail(store, &failure, &reply, "make an index", error);
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}

enum vf_code vf_mongodb_make_aside_index(struct vf_store *store, const struct vf_mongodb_names *names,
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

enum vf_code vf_mongodb_make_draining_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                            struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    if (strcmp(store->draining_index, names->aggregates) == 0)
        return VF_OK;
    definition_init(&definition, names->aggregates, "draining");
    BSON_APPEND_INT32(&definition.key, "draining", 1);
    BSON_APPEND_BOOL(&definition.filter, "draining", true);
    code = make_index(store, &definition, error);
    definition_done(&definition);
    if (code == VF_OK)
        snprintf(store->draining_index, sizeof(store->draining_index), "%s", names->aggregates);
    return code;
}

enum vf_code vf_mongodb_make_state_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                         struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    if (strcmp(store->state_index, names->aggregates) == 0)
        return VF_OK;
    definition_init(&definition, names->aggregates, "state");
    BSON_APPEND_INT32(&definition.key, "state", 1);
    BSON_APPEND_INT32(&definition.key, "_id", 1);
    append_exists(&definition.filter, "state");
    code = make_index(store, &definition, error);
    definition_done(&definition);
    if (code == VF_OK)
        snprintf(store->state_index, sizeof(store->state_index), "%s", names->aggregates);
    return code;
}

enum vf_code vf_mongodb_make_husks_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                         struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    definition_init(&definition, names->documents, "_view_husks");
    BSON_APPEND_INT32(&definition.key, "_view.since", 1);
    BSON_APPEND_INT32(&definition.key, "_id", 1);
    append_exists(&definition.filter, "_view.since");
    code = make_index(store, &definition, error);
    definition_done(&definition);
    return code;
}

/* What expires, by its time. Those that are gone already are kept apart by `since`, as they may become many. */
static enum vf_code make_expires_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                       struct vf_error *error)
{
    struct definition definition;
    enum vf_code code;

    definition_init(&definition, names->documents, "_view_expires");
    BSON_APPEND_INT32(&definition.key, "_view.since", 1);
    BSON_APPEND_INT32(&definition.key, "_view.expires", 1);
    BSON_APPEND_INT32(&definition.key, "_id", 1);
    append_exists(&definition.filter, "_view.expires");
    code = make_index(store, &definition, error);
    definition_done(&definition);
    return code;
}

/* --- a projection's -------------------------------------------------------------------------------------------------- */

/* MongoDB would take such a name for a path or an operator. */
static enum vf_code check_field(const struct vf_store *store, const struct vf_index *index, const char *part,
                                const char *field, struct vf_error *error)
{
    if (!field || (field[0] && field[0] != '$' && !strchr(field, '.')))
        return VF_OK;
    return vf_fail(
        error, VF_E_CONFIG,
        "store \"%s\" (mongodb): index `%s`: its %s is the field `%s`: MongoDB cannot index a field whose name "
        "is empty, begins with $ or holds a dot: give the field another name",
        store->name, index->name, part, field);
}

static enum vf_code check_fields(const struct vf_store *store, const struct vf_index *index, struct vf_error *error)
{
    enum vf_code code = check_field(store, index, "by", index->by, error);

    if (code == VF_OK)
        code = check_field(store, index, "sort", index->sort, error);
    if (code == VF_OK)
        code = check_field(store, index, "where", index->where, error);
    return code;
}

/* {by, sort, _id}, partial: a question that says `where: true`, or what `by` is, can be answered by it, a reader's own too.
 * False: the index on _id is all that is needed. */
static bool define(const struct vf_index *index, struct definition *definition)
{
    if (index->by)
        bson_append_int32(&definition->key, index->by, -1, 1);
    if (index->sort && (!index->by || strcmp(index->sort, index->by) != 0))
        bson_append_int32(&definition->key, index->sort, -1, 1);
    if (!index->by && !index->sort && index->where)
        bson_append_int32(&definition->key, index->where, -1, 1);
    if (bson_empty(&definition->key))
        return false;
    BSON_APPEND_INT32(&definition->key, "_id", 1);
    if (index->where)
        bson_append_bool(&definition->filter, index->where, -1, true);
    else if (index->by)
        append_exists(&definition->filter, index->by);
    return true;
}

/* Whether an earlier one of the projection's is the same by another name: MongoDB keeps it once. */
static bool is_repeated(const struct vf_index *indexes, size_t at, const struct definition *definition)
{
    bool repeated = false;
    size_t i;

    for (i = 0; i < at && !repeated; i++) {
        struct definition other;

        definition_init(&other, definition->collection, indexes[i].name);
        repeated = define(&indexes[i], &other) && bson_equal(&other.key, &definition->key) &&
                   bson_equal(&other.filter, &definition->filter);
        definition_done(&other);
    }
    return repeated;
}

enum vf_code vf_mongodb_make_indexes(struct vf_store *store, struct vf_view view, const struct vf_index *indexes,
                                     size_t count, bool expires, struct vf_error *error)
{
    struct vf_mongodb_names names;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);
    size_t i;

    for (i = 0; i < count && code == VF_OK; i++)
        code = check_fields(store, &indexes[i], error);
    for (i = 0; i < count && code == VF_OK; i++) {
        struct definition definition;

        definition_init(&definition, names.documents, indexes[i].name);
        if (define(&indexes[i], &definition) && !is_repeated(indexes, i, &definition))
            code = make_index(store, &definition, error);
        definition_done(&definition);
    }
    if (code == VF_OK && expires)
        code = make_expires_index(store, &names, error);
    return code;
}

enum vf_code vf_mongodb_drop_indexes(struct vf_store *store, const struct vf_mongodb_names *names,
                                     struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER, reply;
    enum vf_code code = VF_OK;
    bson_error_t failure;

    BSON_APPEND_UTF8(&command, "dropIndexes", names->documents);
    BSON_APPEND_UTF8(&command, "index", "*");
    if (!vf_mongodb_write(store, &command, &reply, &failure) && failure.code != SERVER_NAMESPACE_NOT_FOUND)
        code = vf_mongodb_fail(store, &failure, &reply, "drop the indexes", error);
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}
