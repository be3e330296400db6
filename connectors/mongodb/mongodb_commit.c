/*
 * The commit: one transaction.
 *
 * Statements select by _id alone, which is the server's fast path, and test the stamp in a pipeline: what did not match is
 * written back as it was, and shows as "not modified". Each command is counted as a whole; a count that falls short ends the
 * transaction. The documents come first, as they are what other workers contend for, and progress last; nothing is done
 * between the commands, as a client that dies here holds its documents until the server's limit.
 */
#include "connectors/mongodb/mongodb_transaction.h"

/* The names and punctuation of a statement, and of an entry of a document's versions, beside what they carry. */
#define STATEMENT_BYTES 400u
#define VERSION_BYTES   40u

/* A document or an aggregate record that the batch consulted. */
struct item {
    struct vf_bytes id;
    bool exists; /* when it was read */
    bool left_alone;
    bool removed; /* whole: a husk whose time has come, or a record in which nothing is left */
    uint64_t base_stamp;
    const struct vf_document *document;   /* to write, or NULL */
    const struct vf_aggregate *aggregate; /* to write, or NULL; both NULL: only consulted */
    size_t size;                          /* of its statement, about */
};

/* What a commit has of one kind, in one collection. */
struct items {
    struct vf_mongodb_transaction *transaction;
    const char *collection;
    const char *stamp_field; /* "_view.stamp" */
    const char *stamp_path;  /* "$_view.stamp" */
    size_t count;
    struct item (*at)(const struct vf_commit *commit, size_t index);
};

/* Text and event ids of a version: each id has a type, its place in the list as a name, a length and NULs around it. */
static size_t more_bytes(const struct vf_version_more *more)
{
    return more ? 16 + more->text.size + more->ids.size + 12 * (size_t)more->id_count : 0;
}

static struct item document_at(const struct vf_commit *commit, size_t index)
{
    const struct vf_document_change *change = &commit->documents[index];
    struct item item = {.id = change->next.id,
                        .exists = change->base != VF_ABSENT,
                        .base_stamp = change->base_stamp,
                        .size = STATEMENT_BYTES + 2 * change->next.id.size};
    size_t i;

    if (change->intent == VF_WRITE && change->next.presence == VF_ABSENT) {
        item.removed = item.exists; /* what was absent is only consulted */
    } else if (change->intent == VF_WRITE) {
        item.document = &change->next;
        item.size += change->next.body.size + change->next.deleted_by.size;
        for (i = 0; i < change->next.version_count; i++)
            item.size +=
                VERSION_BYTES + change->next.versions[i].aggregate.size + more_bytes(change->next.versions[i].more);
    }
    return item;
}

/* What a record carries beside its name. */
static size_t record_bytes(const struct vf_aggregate *record)
{
    return record->link.size + record->link_via.size + record->waits_for.size + more_bytes(record->version_more) +
           more_bytes(record->seen_more) + record->failure.error.size + record->failure.traceback.size +
           record->failure.script.size;
}

static struct item aggregate_at(const struct vf_commit *commit, size_t index)
{
    const struct vf_aggregate_change *change = &commit->aggregates[index];
    struct item item = {.id = change->next.aggregate,
                        .exists = change->base_exists,
                        .base_stamp = change->base_stamp,
                        .size = STATEMENT_BYTES + 2 * change->next.aggregate.size};

    if (change->intent == VF_WRITE && !change->next.exists) {
        item.removed = item.exists;
    } else if (change->intent == VF_WRITE) {
        item.aggregate = &change->next;
        item.size += record_bytes(&change->next);
    }
    /* An aggregate's own record with nothing set aside changes only in a commit that moves the progress of the aggregate's
     * partition, and this commit tests that progress in the same transaction: whoever wrote the record meanwhile has moved
     * the progress too. So it is not touched, which would double what a batch of ordinary events writes. */
    item.left_alone = change->intent == VF_CONSULT_OWN;
    return item;
}

static struct items documents_of(struct vf_mongodb_transaction *transaction)
{
    return (struct items){.transaction = transaction,
                          .collection = transaction->names.documents,
                          .stamp_field = "_view.stamp",
                          .stamp_path = "$_view.stamp",
                          .count = transaction->commit->document_count,
                          .at = document_at};
}

static struct items aggregates_of(struct vf_mongodb_transaction *transaction)
{
    return (struct items){.transaction = transaction,
                          .collection = transaction->names.aggregates,
                          .stamp_field = "stamp",
                          .stamp_path = "$stamp",
                          .count = transaction->commit->aggregate_count,
                          .at = aggregate_at};
}

static bool is_written(const struct item *item)
{
    return item->document || item->aggregate;
}

/* --- what exists: updates -------------------------------------------------------------------------------------------- */

static void append_id_query(bson_t *statement, struct vf_bytes id)
{
    bson_t query;

    BSON_APPEND_DOCUMENT_BEGIN(statement, "q", &query);
    vf_mongodb_append_text(&query, "_id", id);
    bson_append_document_end(statement, &query);
}

/* $cond's condition. */
static void append_stamp_guard(bson_t *condition, const struct items *items, const struct item *item)
{
    char base[VF_STAMP_TEXT_BYTES];
    bson_t guard;

    vf_stamp_print(base, item->base_stamp);
    BSON_APPEND_DOCUMENT_BEGIN(condition, "0", &guard);
    /* GUARD mongodb-stamp: another has written this since it was read */
    vf_mongodb_append_pair(&guard, "$eq", items->stamp_path, base);
    bson_append_document_end(condition, &guard);
}

static void append_value(bson_t *into, const struct item *item, uint64_t stamp)
{
    if (item->document)
        vf_mongodb_append_document(into, item->document, stamp);
    else
        vf_mongodb_append_aggregate(into, item->aggregate, stamp);
}

/* {$replaceWith: {$cond: [guard, {$literal: new}, "$$ROOT"]}}: nothing in `new` is taken for an operator or a path. */
static void append_replacement(bson_t *stage, const struct items *items, const struct item *item)
{
    bson_t replacement, condition, literal, value;

    BSON_APPEND_DOCUMENT_BEGIN(stage, "$replaceWith", &replacement);
    BSON_APPEND_ARRAY_BEGIN(&replacement, "$cond", &condition);
    append_stamp_guard(&condition, items, item);
    BSON_APPEND_DOCUMENT_BEGIN(&condition, "1", &literal);
    BSON_APPEND_DOCUMENT_BEGIN(&literal, "$literal", &value);
    append_value(&value, item, items->transaction->commit->stamp);
    bson_append_document_end(&literal, &value);
    bson_append_document_end(&condition, &literal);
    BSON_APPEND_UTF8(&condition, "2", "$$ROOT");
    bson_append_array_end(&replacement, &condition);
    bson_append_document_end(stage, &replacement);
}

/* {$set: {"_view.stamp": {$cond: [guard, stamp, "$_view.stamp"]}}} */
static void append_touch(bson_t *stage, const struct items *items, const struct item *item)
{
    bson_t set, value, condition;

    BSON_APPEND_DOCUMENT_BEGIN(stage, "$set", &set);
    bson_append_document_begin(&set, items->stamp_field, -1, &value);
    BSON_APPEND_ARRAY_BEGIN(&value, "$cond", &condition);
    append_stamp_guard(&condition, items, item);
    vf_mongodb_append_stamp(&condition, "1", items->transaction->commit->stamp);
    BSON_APPEND_UTF8(&condition, "2", items->stamp_path);
    bson_append_array_end(&value, &condition);
    bson_append_document_end(&set, &value);
    bson_append_document_end(stage, &set);
}

static void append_update(struct vf_mongodb_command *command, const struct items *items, const struct item *item)
{
    bson_t statement, pipeline, stage;

    vf_mongodb_statement_begin(command, &statement);
    append_id_query(&statement, item->id);
    BSON_APPEND_ARRAY_BEGIN(&statement, "u", &pipeline);
    BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
    if (is_written(item))
        append_replacement(&stage, items, item);
    else
        append_touch(&stage, items, item);
    bson_append_document_end(&pipeline, &stage);
    bson_append_array_end(&statement, &pipeline);
    vf_mongodb_statement_end(command, &statement);
}

static bool update_existing(const struct items *items)
{
    struct vf_mongodb_command command;
    size_t i;

    vf_mongodb_command_init(&command, items->transaction, "update", "updates", items->collection);
    for (i = 0; i < items->count; i++) {
        struct item item = items->at(items->transaction->commit, i);

        if (!item.exists || item.left_alone || item.removed)
            continue;
        if (!vf_mongodb_command_room(&command, item.size))
            return false;
        if (is_written(&item))
            append_update(&command, items, &item);
        /* GUARD mongodb-touch: reads raise no write conflict, so what was only consulted is written too */
        if (!is_written(&item))
            append_update(&command, items, &item);
    }
    return vf_mongodb_command_send(&command);
}

/* --- what goes: deletes ---------------------------------------------------------------------------------------------- */

static bool remove_existing(const struct items *items)
{
    struct vf_mongodb_command command;
    bson_t statement, query;
    size_t i;

    vf_mongodb_command_init(&command, items->transaction, "delete", "deletes", items->collection);
    for (i = 0; i < items->count; i++) {
        struct item item = items->at(items->transaction->commit, i);

        if (!item.removed)
            continue;
        if (!vf_mongodb_command_room(&command, item.size))
            return false;
        vf_mongodb_statement_begin(&command, &statement);
        BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
        vf_mongodb_append_text(&query, "_id", item.id);
        /* GUARD mongodb-remove: what has come back meanwhile would go, with all that it has taken in */
        vf_mongodb_append_stamp(&query, items->stamp_field, item.base_stamp);
        bson_append_document_end(&statement, &query);
        BSON_APPEND_INT32(&statement, "limit", 1);
        vf_mongodb_statement_end(&command, &statement);
    }
    return vf_mongodb_command_send(&command);
}

/* --- what was absent: inserts ---------------------------------------------------------------------------------------- */

static void append_insert(struct vf_mongodb_command *command, const struct item *item)
{
    bson_t statement;

    vf_mongodb_statement_begin(command, &statement);
    /* GUARD mongodb-insert: what another has made meanwhile would be overwritten */
    if (is_written(item))
        append_value(&statement, item, command->transaction->commit->stamp);
    else
        vf_mongodb_append_text(&statement, "_id", item->id); /* nobody sees it: it goes before the transaction ends */
    vf_mongodb_statement_end(command, &statement);
}

/* What another has made meanwhile is a duplicate, or a write conflict. `touch`: what was only consulted, or what is written. */
static bool insert_absent(const struct items *items, bool touch)
{
    struct vf_mongodb_command command;
    size_t i;

    vf_mongodb_command_init(&command, items->transaction, "insert", "documents", items->collection);
    for (i = 0; i < items->count; i++) {
        struct item item = items->at(items->transaction->commit, i);

        if (item.exists || item.left_alone || is_written(&item) == touch)
            continue;
        if (!vf_mongodb_command_room(&command, item.size))
            return false;
        append_insert(&command, &item);
    }
    return vf_mongodb_command_send(&command);
}

/* Takes away again what was inserted only to see whether another makes it. */
static bool delete_touched(const struct items *items)
{
    struct vf_mongodb_command command;
    bson_t statement;
    size_t i;

    vf_mongodb_command_init(&command, items->transaction, "delete", "deletes", items->collection);
    for (i = 0; i < items->count; i++) {
        struct item item = items->at(items->transaction->commit, i);

        if (item.exists || item.left_alone || is_written(&item))
            continue;
        if (!vf_mongodb_command_room(&command, item.size))
            return false;
        vf_mongodb_statement_begin(&command, &statement);
        append_id_query(&statement, item.id);
        BSON_APPEND_INT32(&statement, "limit", 1);
        vf_mongodb_statement_end(&command, &statement);
    }
    return vf_mongodb_command_send(&command);
}

static bool touch_absent(const struct items *items)
{
    return insert_absent(items, true) && delete_touched(items);
}

static bool write_items(const struct items *items)
{
    if (!update_existing(items) || !remove_existing(items) || !insert_absent(items, false))
        return false;
    /* GUARD mongodb-touch-absent: another may make what this batch found absent */
    if (!touch_absent(items))
        return false;
    return true;
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

/* What MongoDB takes in one commit, looked at before anything is sent. */
static bool check_sizes(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    size_t total = 0, i;

    for (i = 0; i < commit->document_count; i++) {
        struct item item = document_at(commit, i);

        if (item.size > VF_MONGODB_COMMAND_BYTES_MAX)
            return vf_mongodb_refused(transaction, VF_E_LIMIT, false, "a document is larger than MongoDB's 16 MiB");
        total += item.size;
    }
    for (i = 0; i < commit->aggregate_count; i++)
        total += aggregate_at(commit, i).size;
    for (i = 0; i < commit->aside_count; i++) {
        size_t size = vf_mongodb_aside_bytes(&commit->asides[i]);

        if (size > VF_MONGODB_COMMAND_BYTES_MAX)
            return vf_mongodb_refused(
                transaction, VF_E_LIMIT, false,
                "an event that is to be set aside is larger than MongoDB's 16 MiB, and can only be "
                "taken in: mend the projection and adopt it, or let what is missing before it come");
        total += size;
    }
    for (i = 0; i < commit->dropped_count; i++)
        total += vf_mongodb_drop_bytes(&commit->dropped[i]);
    if (total > VF_MONGODB_COMMIT_BYTES_MAX)
        return vf_mongodb_refused(transaction, VF_E_LIMIT, false,
                                  "a batch writes more than 48 MiB: make batch.written smaller");
    return true;
}

static bool write_all(struct vf_mongodb_transaction *transaction)
{
    struct items documents = documents_of(transaction), aggregates = aggregates_of(transaction);

    transaction->part = VF_FAILED_DOCUMENT;
    if (!write_items(&documents))
        return false;
    transaction->part = VF_FAILED_AGGREGATE;
    if (!write_items(&aggregates))
        return false;
    transaction->part = 0;
    if (!vf_mongodb_write_asides(transaction) || !vf_mongodb_write_drops(transaction))
        return false;
    transaction->part = VF_FAILED_PROGRESS;
    return vf_mongodb_update_progress(transaction);
}

/* A condition on progress that failed because the generation is another one, or frozen, has an outcome of its own. */
static void tell_why(struct vf_mongodb_transaction *transaction)
{
    const struct vf_commit *commit = transaction->commit;
    struct vf_commit_result *result = transaction->result;
    bool frozen = false, there = false;
    uint64_t stamp = 0;

    if (result->outcome != VF_CONFLICT || !(result->failed & VF_FAILED_PROGRESS))
        return;
    if (vf_mongodb_generation_stamp(transaction->store, commit->view, &stamp, &there, NULL) == VF_OK &&
        (!there || stamp != commit->generation_stamp)) {
        result->outcome = VF_SUPERSEDED;
        result->failed = 0;
        return;
    }
    if (vf_mongodb_is_frozen(transaction->store, &transaction->names, &frozen, NULL) == VF_OK && frozen) {
        result->outcome = VF_FROZEN;
        result->failed = 0;
    }
}

void vf_mongodb_commit_send(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_mongodb_transaction transaction = {.store = store, .commit = commit, .result = &store->result};

    memset(&store->result, 0, sizeof(store->result));
    store->result.outcome = VF_UNKNOWN;
    transaction.deadline_us = bson_get_monotonic_time() + store->command_timeout_ms * 1000;
    if (vf_mongodb_names(store, commit->view, &transaction.names, &store->result.error) != VF_OK) {
        store->result.outcome = VF_REFUSED;
        return;
    }
    if (!check_sizes(&transaction))
        return;
    if (vf_mongodb_transaction_begin(&transaction) && write_all(&transaction))
        vf_mongodb_transaction_commit(&transaction);
    vf_mongodb_transaction_end(&transaction);
    tell_why(&transaction);
}

void vf_mongodb_commit_wait(struct vf_store *store, struct vf_commit_result *ret_result)
{
    *ret_result = store->result;
}
