#include "connectors/mongodb/mongodb_internal.h"

#include <stdio.h>

/* The longest suffix that a generation's collections have; the database's name and a dot come before all of it. */
static const char longest_suffix[] = ".aggregates";

enum vf_code vf_mongodb_names(const struct vf_store *store, struct vf_view view, struct vf_mongodb_names *ret_names,
                              struct vf_error *error)
{
    int size = snprintf(ret_names->documents, sizeof(ret_names->documents), "%s.g%d", view.name, (int)view.generation);

    if (size < 0 || strlen(store->database) + 1 + (size_t)size + sizeof(longest_suffix) > VF_MONGODB_NAME_BYTES)
        return vf_fail(error, VF_E_CONFIG,
                       "store \"%s\" (mongodb): the view's name \"%s\" is too long for MongoDB: shorten it with names:",
                       store->name, view.name);
    snprintf(ret_names->aggregates, sizeof(ret_names->aggregates), "%.*s.aggregates", size, ret_names->documents);
    snprintf(ret_names->aside, sizeof(ret_names->aside), "%.*s.aside", size, ret_names->documents);
    snprintf(ret_names->drops, sizeof(ret_names->drops), "%.*s.drops", size, ret_names->documents);
    return VF_OK;
}

void vf_mongodb_append_text(bson_t *bson, const char *key, struct vf_bytes text)
{
    bson_append_utf8(bson, key, -1, text.size ? text.data : "", (int)text.size);
}

void vf_mongodb_append_progress_id(bson_t *bson, const char *key, const struct vf_mongodb_names *names,
                                   struct vf_partition partition)
{
    struct vf_buffer id;

    vf_buffer_init(&id);
    vf_buffer_printf(&id, "%s %s/%d", names->documents, partition.topic, (int)partition.partition);
    bson_append_utf8(bson, key, -1, id.data, (int)id.size);
    vf_buffer_done(&id);
}

void vf_mongodb_append_partition(bson_t *bson, struct vf_partition partition)
{
    struct vf_buffer text;

    vf_buffer_init(&text);
    vf_buffer_printf(&text, "%s/%d", partition.topic, (int)partition.partition);
    vf_mongodb_append_text(bson, "tp", vf_bytes(text.data, text.size));
    vf_buffer_done(&text);
}

void vf_mongodb_append_progress_range(bson_t *bson, const struct vf_mongodb_names *names)
{
    char bound[VF_MONGODB_NAME_BYTES + 1];
    bson_t range;

    BSON_APPEND_DOCUMENT_BEGIN(bson, "_id", &range);
    snprintf(bound, sizeof(bound), "%s ", names->documents);
    BSON_APPEND_UTF8(&range, "$gte", bound);
    snprintf(bound, sizeof(bound), "%s!", names->documents); /* '!' is what follows the space */
    BSON_APPEND_UTF8(&range, "$lt", bound);
    bson_append_document_end(bson, &range);
}

void vf_mongodb_append_frozen_now(bson_t *bson)
{
    bson_t expression, both;

    BSON_APPEND_DOCUMENT_BEGIN(bson, "$expr", &expression);
    BSON_APPEND_ARRAY_BEGIN(&expression, "$gt", &both); /* what is missing is less than any date */
    BSON_APPEND_UTF8(&both, "0", "$frozen");
    BSON_APPEND_UTF8(&both, "1", "$$NOW");
    bson_append_array_end(&expression, &both);
    bson_append_document_end(bson, &expression);
}
