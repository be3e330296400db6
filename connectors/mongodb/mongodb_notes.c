/* What is written to progress documents beside the commit: the freeze. */
#include "connectors/mongodb/mongodb_internal.h"

/* One update command with one statement on viewfold.progress, whose `q` and `u` the caller appends. */
struct update {
    bson_t command;
    bson_t list;
    bson_t statement;
};

static void update_begin(struct update *update)
{
    bson_init(&update->command);
    BSON_APPEND_UTF8(&update->command, "update", VF_MONGODB_PROGRESS);
    BSON_APPEND_ARRAY_BEGIN(&update->command, "updates", &update->list);
    BSON_APPEND_DOCUMENT_BEGIN(&update->list, "0", &update->statement);
}

static enum vf_code update_send(struct update *update, struct vf_store *store, const char *doing,
                                struct vf_error *error)
{
    enum vf_code code = VF_OK;
    bson_error_t failure;
    bson_t reply;

    bson_append_document_end(&update->list, &update->statement);
    bson_append_array_end(&update->command, &update->list);
    if (!vf_mongodb_write(store, &update->command, &reply, &failure))
        code = vf_mongodb_fail(store, &failure, &reply, doing, error);
    bson_destroy(&reply);
    bson_destroy(&update->command);
    return code;
}

static void append_partition_query(struct update *update, const struct vf_mongodb_names *names,
                                   struct vf_partition partition)
{
    bson_t query;

    BSON_APPEND_DOCUMENT_BEGIN(&update->statement, "q", &query);
    vf_mongodb_append_progress_id(&query, "_id", names, partition);
    bson_append_document_end(&update->statement, &query);
}

/* u: {$unset: {field: ""}} */
static void append_unset(struct update *update, const char *field)
{
    bson_t change, fields;

    BSON_APPEND_DOCUMENT_BEGIN(&update->statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$unset", &fields);
    bson_append_utf8(&fields, field, -1, "", 0);
    bson_append_document_end(&change, &fields);
    bson_append_document_end(&update->statement, &change);
}

/* u: [{$set: {frozen: {$add: ["$$NOW", duration]}}}]: until when, by the server's clock. */
static enum vf_code freeze_one(struct vf_store *store, const struct vf_mongodb_names *names,
                               struct vf_partition partition, int64_t duration_ms, struct vf_error *error)
{
    bson_t pipeline, stage, set, value, sum;
    struct update update;

    update_begin(&update);
    append_partition_query(&update, names, partition);
    BSON_APPEND_ARRAY_BEGIN(&update.statement, "u", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$set", &set);
    BSON_APPEND_DOCUMENT_BEGIN(&set, "frozen", &value);
    BSON_APPEND_ARRAY_BEGIN(&value, "$add", &sum);
    BSON_APPEND_UTF8(&sum, "0", "$$NOW");
    BSON_APPEND_INT64(&sum, "1", duration_ms);
    bson_append_array_end(&value, &sum);
    bson_append_document_end(&set, &value);
    bson_append_document_end(&stage, &set);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(&update.statement, &pipeline);
    BSON_APPEND_BOOL(&update.statement, "upsert", true);
    return update_send(&update, store, "freeze a partition", error);
}

/* All of the generation's documents, also of partitions that the caller does not know any more. */
static enum vf_code unfreeze(struct vf_store *store, const struct vf_mongodb_names *names, struct vf_error *error)
{
    struct update update;
    bson_t query;

    update_begin(&update);
    BSON_APPEND_DOCUMENT_BEGIN(&update.statement, "q", &query);
    vf_mongodb_append_progress_range(&query, names);
    bson_append_document_end(&update.statement, &query);
    append_unset(&update, "frozen");
    BSON_APPEND_BOOL(&update.statement, "multi", true);
    return update_send(&update, store, "unfreeze the partitions", error);
}

enum vf_code vf_mongodb_freeze(struct vf_store *store, struct vf_view view, const struct vf_partition *partitions,
                               size_t partition_count, int64_t duration_ms, struct vf_error *error)
{
    struct vf_mongodb_names names;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);
    size_t i;

    if (code != VF_OK)
        return code;
    if (duration_ms == 0)
        return unfreeze(store, &names, error);
    for (i = 0; code == VF_OK && i < partition_count; i++)
        code = freeze_one(store, &names, partitions[i], duration_ms, error);
    return code;
}
