/* The conditions of a commit on progress, as an update pipeline tests them on the server. */
#include "connectors/mongodb/mongodb_transaction.h"

/* What one partition's condition takes, about. */
#define PROGRESS_STATEMENT_BYTES 2048u

void vf_mongodb_append_pair(bson_t *into, const char *operator, const char * path, const char *value)
{
    bson_t pair;

    bson_append_array_begin(into, operator, - 1, &pair);
    BSON_APPEND_UTF8(&pair, "0", path);
    BSON_APPEND_UTF8(&pair, "1", value);
    bson_append_array_end(into, &pair);
}

/* Appends `key: {$eq: [path, literal of the int64]}` as the next of $and's conditions. */
static void append_equal_int(bson_t *all, const char *key, const char *path, int64_t number)
{
    bson_t condition, pair;

    bson_append_document_begin(all, key, -1, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$eq", &pair);
    BSON_APPEND_UTF8(&pair, "0", path);
    BSON_APPEND_INT64(&pair, "1", number);
    bson_append_array_end(&condition, &pair);
    bson_append_document_end(all, &condition);
}

static void append_missing(bson_t *all, const char *key, const char *path)
{
    bson_t condition, pair, type;

    bson_append_document_begin(all, key, -1, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$eq", &pair);
    BSON_APPEND_DOCUMENT_BEGIN(&pair, "0", &type);
    BSON_APPEND_UTF8(&type, "$type", path);
    bson_append_document_end(&pair, &type);
    BSON_APPEND_UTF8(&pair, "1", "missing");
    bson_append_array_end(&condition, &pair);
    bson_append_document_end(all, &condition);
}

static void append_same_had(bson_t *all, const char *key, const struct vf_progress *from)
{
    if (from->had > 0)
        append_equal_int(all, key, "$had", from->had);
    else
        append_missing(all, key, "$had");
}

static void append_same_last(bson_t *all, const char *key, const struct vf_progress *from)
{
    bson_t condition, pair, list;

    if (!from->has_last) {
        append_missing(all, key, "$last");
        return;
    }
    bson_append_document_begin(all, key, -1, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$eq", &pair);
    BSON_APPEND_UTF8(&pair, "0", "$last");
    BSON_APPEND_ARRAY_BEGIN(&pair, "1", &list);
    BSON_APPEND_INT64(&list, "0", from->last_offset);
    BSON_APPEND_INT64(&list, "1", from->last_timestamp_ms);
    vf_mongodb_append_stamp(&list, "2", from->last_hash);
    bson_append_array_end(&pair, &list);
    bson_append_array_end(&condition, &pair);
    bson_append_document_end(all, &condition);
}

/* {$not: [{$gt: ["$frozen", "$$NOW"]}]}: absent, or past by the server's clock. */
static void append_not_frozen(bson_t *all, const char *key)
{
    bson_t condition, list, later;

    bson_append_document_begin(all, key, -1, &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$not", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &later);
    vf_mongodb_append_pair(&later, "$gt", "$frozen", "$$NOW");
    bson_append_document_end(&list, &later);
    bson_append_array_end(&condition, &list);
    bson_append_document_end(all, &condition);
}

static void append_same_stamp(bson_t *all, const char *key, const char *path, uint64_t stamp)
{
    char text[VF_STAMP_TEXT_BYTES];
    bson_t condition;

    vf_stamp_print(text, stamp);
    bson_append_document_begin(all, key, -1, &condition);
    vf_mongodb_append_pair(&condition, "$eq", path, text);
    bson_append_document_end(all, &condition);
}

/* {$and: [...]}, all of `from`: whole, so that a log that was exchanged, or another partition count, is seen too. */
static void append_progress_guard(bson_t *condition, const char *key, const struct vf_progress *from,
                                  uint64_t generation_stamp)
{
    bson_t guard, all;

    bson_append_document_begin(condition, key, -1, &guard);
    BSON_APPEND_ARRAY_BEGIN(&guard, "$and", &all);
    if (from->exists) {
        /* GUARD mongodb-progress-next: another worker has dealt with these events */
        append_equal_int(&all, "0", "$next", from->next);
        /* GUARD mongodb-progress-of: the topic has other partitions than this worker believes */
        append_equal_int(&all, "1", "$of", from->of);
        /* GUARD mongodb-progress-last: the same offsets of another log */
        append_same_last(&all, "2", from);
        /* GUARD mongodb-progress-aside: events were set aside or taken back meanwhile */
        append_equal_int(&all, "3", "$aside", from->aside);
        /* GUARD mongodb-progress-had: a store that was emptied and is filled again is taken for the one that was read */
        append_same_had(&all, "7", from);
        /* GUARD mongodb-progress-stamp: a store that was rewound, and that others have brought up to here again, is taken for
         * the one that was read */
        append_same_stamp(&all, "6", "$stamp", from->stamp);
        /* GUARD mongodb-superseded: a worker goes on writing what was adopted or dropped meanwhile */
        append_same_stamp(&all, "5", "$generation", generation_stamp);
    } else {
        /* GUARD mongodb-progress-absent: another worker has begun this partition */
        append_missing(&all, "0", "$next");
    }
    /* GUARD mongodb-frozen: a reader would see the view move while its pointer does */
    append_not_frozen(&all, "4");
    bson_append_array_end(&guard, &all);
    bson_append_document_end(condition, &guard);
}

/* What the progress document becomes: moved, without `stopped` and a past `frozen`; or only tested, and touched. */
static void append_progress_value(bson_t *condition, const char *key, const struct vf_mongodb_transaction *transaction,
                                  const struct vf_progress_change *change)
{
    bool moved = !vf_progress_equal(&change->from, &change->to);
    bson_t outer, list, literal;

    bson_append_document_begin(condition, key, -1, &outer);
    if (moved) {
        BSON_APPEND_DOCUMENT_BEGIN(&outer, "$literal", &literal);
        vf_mongodb_append_progress_id(&literal, "_id", &transaction->names, change->partition);
        vf_mongodb_append_progress(&literal, &change->to);
        vf_mongodb_append_stamp(&literal, "generation", transaction->commit->generation_stamp);
        bson_append_document_end(&outer, &literal);
    } else {
        BSON_APPEND_ARRAY_BEGIN(&outer, "$mergeObjects", &list);
        BSON_APPEND_UTF8(&list, "0", "$$ROOT");
        BSON_APPEND_DOCUMENT_BEGIN(&list, "1", &literal);
        vf_mongodb_append_stamp(&literal, "touched", transaction->commit->stamp);
        bson_append_document_end(&list, &literal);
        bson_append_array_end(&outer, &list);
    }
    bson_append_document_end(condition, &outer);
}

static void append_progress_update(struct vf_mongodb_command *command, const struct vf_progress_change *change)
{
    struct vf_mongodb_transaction *transaction = command->transaction;
    bson_t statement, query, pipeline, stage, replacement, condition;

    vf_mongodb_statement_begin(command, &statement);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
    vf_mongodb_append_progress_id(&query, "_id", &transaction->names, change->partition);
    bson_append_document_end(&statement, &query);
    BSON_APPEND_ARRAY_BEGIN(&statement, "u", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$replaceWith", &replacement);
    BSON_APPEND_ARRAY_BEGIN(&replacement, "$cond", &condition);
    append_progress_guard(&condition, "0", &change->from, transaction->commit->generation_stamp);
    append_progress_value(&condition, "1", transaction, change);
    BSON_APPEND_UTF8(&condition, "2", "$$ROOT");
    bson_append_array_end(&replacement, &condition);
    bson_append_document_end(&stage, &replacement);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(&statement, &pipeline);
    BSON_APPEND_BOOL(&statement, "upsert", !change->from.exists);
    vf_mongodb_statement_end(command, &statement);
}

/* A commit that carries no progress (retry, drop, sweep) tests `frozen` all the same: it touches every progress document of
 * the generation, so that a freeze, which writes them, conflicts with it. Such commits are rare. */
static bool touch_all_progress(struct vf_mongodb_transaction *transaction)
{
    bson_t statement, query, pipeline, stage, set, value, list, condition, all;
    struct vf_mongodb_command command;

    vf_mongodb_command_init(&command, transaction, "update", "updates", VF_MONGODB_PROGRESS);
    vf_mongodb_statement_begin(&command, &statement);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
    vf_mongodb_append_progress_range(&query, &transaction->names);
    bson_append_document_end(&statement, &query);
    BSON_APPEND_ARRAY_BEGIN(&statement, "u", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$set", &set);
    BSON_APPEND_DOCUMENT_BEGIN(&set, "touched", &value);
    BSON_APPEND_ARRAY_BEGIN(&value, "$cond", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &condition);
    BSON_APPEND_ARRAY_BEGIN(&condition, "$and", &all);
    /* GUARD mongodb-frozen-without-progress: a sweep or a retry while the readers' pointer moves */
    append_not_frozen(&all, "0");
    bson_append_array_end(&condition, &all);
    bson_append_document_end(&list, &condition);
    vf_mongodb_append_stamp(&list, "1", transaction->commit->stamp);
    BSON_APPEND_UTF8(&list, "2", "$touched");
    bson_append_array_end(&value, &list);
    bson_append_document_end(&set, &value);
    bson_append_document_end(&stage, &set);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(&statement, &pipeline);
    BSON_APPEND_BOOL(&statement, "multi", true);
    vf_mongodb_statement_end(&command, &statement);
    return vf_mongodb_command_send_multi(&command);
}

/* A row of progress carries the stamp that commits go by. Where there is none to test, as a partition is begun or the commit
 * carries no progress, the generation's own entry is tested, and touched: adopting and dropping write it too. */
static bool tests_entry(const struct vf_commit *commit)
{
    size_t i;

    for (i = 0; i < commit->progress_count; i++)
        if (!commit->progress[i].from.exists)
            return true;
    return commit->progress_count == 0;
}

bool vf_mongodb_touch_entry(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    struct vf_mongodb_command command;
    bson_t statement, query, change, set;

    vf_mongodb_command_init(&command, transaction, "update", "updates", VF_MONGODB_GENERATIONS);
    vf_mongodb_statement_begin(&command, &statement);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
    BSON_APPEND_UTF8(&query, "_id", transaction->names.documents);
    /* GUARD mongodb-superseded-entry: a worker begins a partition of what was adopted or dropped meanwhile */
    vf_mongodb_append_stamp(&query, "stamp", commit->generation_stamp);
    bson_append_document_end(&statement, &query);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    vf_mongodb_append_stamp(&set, "touched", commit->stamp);
    bson_append_document_end(&change, &set);
    bson_append_document_end(&statement, &change);
    vf_mongodb_statement_end(&command, &statement);
    return vf_mongodb_command_send(&command);
}

bool vf_mongodb_update_progress(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    struct vf_mongodb_command command;
    size_t i;

    if (tests_entry(commit) && !vf_mongodb_touch_entry(transaction))
        return false;
    if (commit->progress_count == 0)
        return touch_all_progress(transaction);
    vf_mongodb_command_init(&command, transaction, "update", "updates", VF_MONGODB_PROGRESS);
    for (i = 0; i < commit->progress_count; i++) {
        if (!vf_mongodb_command_room(&command, PROGRESS_STATEMENT_BYTES))
            return false;
        append_progress_update(&command, &commit->progress[i]);
    }
    return vf_mongodb_command_send(&command);
}
