/*
 * Generations that change: adopted, or dropped; and the note why a partition stopped. Each is one transaction that goes by the
 * stamp of the generation's entry, and that writes the entry and every row of progress, so that it and a commit never both
 * take hold on what the other has not seen. A transaction that meets a commit in its way is tried again until the time limit.
 */
#include "connectors/mongodb/mongodb_transaction.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* What one step of a removal takes. */
#define CHUNK 1000

/* The longest wait between two tries. */
#define RETRY_US_MAX 20000

struct change {
    struct vf_store *store;
    struct vf_view view;
    uint64_t base_stamp; /* of the entry as it has to be */
    uint64_t next_stamp; /* what it becomes */
    const char *state;   /* and the states that it may have */
    const char *or_state;
    bool (*write)(struct vf_mongodb_transaction *transaction, struct change *change);

    const struct vf_generation *next; /* adopting */
    const char *from_hash;
    struct vf_partition partition; /* a note */
    const char *reason;
    const char *collection; /* removing: these ids of this one */
    const bson_t *ids;
    bool is_last;
    int64_t now_ms;
};

static uint64_t random_bits(void)
{
    uint64_t bits = 0;

    while (getrandom(&bits, sizeof(bits), 0) != sizeof(bits)) {
    }
    return bits;
}

static bool try_once(struct change *change, int64_t deadline_us, struct vf_commit_result *result)
{
    struct vf_commit commit = {.view = change->view, .generation_stamp = change->base_stamp, .stamp = random_bits()};
    struct vf_mongodb_transaction transaction = {
        .store = change->store, .commit = &commit, .result = result, .deadline_us = deadline_us};

    memset(result, 0, sizeof(*result));
    if (vf_mongodb_names(change->store, change->view, &transaction.names, &result->error) != VF_OK) {
        result->outcome = VF_REFUSED;
        return false;
    }
    if (vf_mongodb_transaction_begin(&transaction) && change->write(&transaction, change))
        vf_mongodb_transaction_commit(&transaction);
    vf_mongodb_transaction_end(&transaction);
    return result->outcome == VF_COMMITTED;
}

/* Is the entry still what the change goes by? If not: *ret_done where it has become what was wanted (the reply was lost). */
static enum vf_code look_again(const struct change *change, bool *ret_is_base, bool *ret_done, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation held;
    enum vf_code code = vf_mongodb_generation(change->store, change->view, arena, &held, error);
    bool there = code == VF_OK;

    if (code == VF_E_NOT_FOUND)
        code = VF_OK;
    if (code == VF_OK) {
        *ret_is_base = there && held.stamp == change->base_stamp &&
                       (strcmp(held.state, change->state) == 0 || strcmp(held.state, change->or_state) == 0);
        *ret_done =
            there && !*ret_is_base && held.stamp == change->next_stamp && change->next_stamp != change->base_stamp;
    }
    vf_arena_free(arena);
    return code;
}

/* Until it is done, or the entry is another one (*ret_done false), or the time is up. */
static enum vf_code run(struct change *change, bool *ret_done, struct vf_error *error)
{
    int64_t deadline_us = bson_get_monotonic_time() + change->store->command_timeout_ms * 1000;
    struct vf_commit_result result;
    enum vf_code code;
    bool is_base;

    for (;;) {
        if (try_once(change, deadline_us, &result)) {
            *ret_done = true;
            return VF_OK;
        }
        if (result.outcome == VF_REFUSED) {
            if (error)
                *error = result.error;
            return result.error.code;
        }
        code = look_again(change, &is_base, ret_done, error);
        if (code != VF_OK || !is_base)
            return code;
        if (bson_get_monotonic_time() > deadline_us)
            return vf_fail_retriable(error, VF_E_UNAVAILABLE,
                                     "store \"%s\" (mongodb, %s): others were in the way of a transaction for %lld ms; "
                                     "try again",
                                     change->store->name, change->store->hosts,
                                     (long long)change->store->command_timeout_ms);
        usleep((useconds_t)(random_bits() % RETRY_US_MAX));
    }
}

/* --- commands of a transaction --------------------------------------------------------------------------------------- */

/* Begins an update of the generation's entry where it has the stamp, and one of the states. */
static void entry_begin(struct vf_mongodb_command *command, bson_t *statement,
                        struct vf_mongodb_transaction *transaction, const struct change *change)
{
    bson_t query, states, list;

    vf_mongodb_command_init(command, transaction, "update", "updates", VF_MONGODB_GENERATIONS);
    vf_mongodb_statement_begin(command, statement);
    BSON_APPEND_DOCUMENT_BEGIN(statement, "q", &query);
    BSON_APPEND_UTF8(&query, "_id", transaction->names.documents);
    /* GUARD mongodb-change-once: of two operators at once one has not seen what the other did */
    vf_mongodb_append_stamp(&query, "stamp", transaction->commit->generation_stamp);
    BSON_APPEND_DOCUMENT_BEGIN(&query, "state", &states);
    BSON_APPEND_ARRAY_BEGIN(&states, "$in", &list);
    BSON_APPEND_UTF8(&list, "0", change->state);
    BSON_APPEND_UTF8(&list, "1", change->or_state);
    bson_append_array_end(&states, &list);
    bson_append_document_end(&query, &states);
    bson_append_document_end(statement, &query);
}

static bool entry_end(struct vf_mongodb_command *command, bson_t *statement)
{
    vf_mongodb_statement_end(command, statement);
    return vf_mongodb_command_send(command);
}

/* What commits go by, in all rows of progress: each of them is written, so no commit is half before and half behind. */
static bool restamp_progress(struct vf_mongodb_transaction *transaction, uint64_t next_stamp)
{
    bson_t statement, query, change, set;
    struct vf_mongodb_command command;

    vf_mongodb_command_init(&command, transaction, "update", "updates", VF_MONGODB_PROGRESS);
    vf_mongodb_statement_begin(&command, &statement);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
    vf_mongodb_append_progress_range(&query, &transaction->names);
    bson_append_document_end(&statement, &query);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    vf_mongodb_append_stamp(&set, "generation", next_stamp);
    bson_append_document_end(&change, &set);
    bson_append_document_end(&statement, &change);
    BSON_APPEND_BOOL(&statement, "multi", true);
    vf_mongodb_statement_end(&command, &statement);
    return vf_mongodb_command_send_multi(&command);
}

/* --- adopting -------------------------------------------------------------------------------------------------------- */

/* Appends the positions of all partitions as the transaction sees them. */
static bool append_positions(bson_t *list, struct vf_mongodb_transaction *transaction)
{
    struct vf_store *store = transaction->store;
    mongoc_collection_t *progress = mongoc_client_get_collection(store->client, store->database, VF_MONGODB_PROGRESS);
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, position;
    struct vf_arena *arena = vf_arena_new();
    mongoc_cursor_t *cursor = NULL;
    struct vf_progress_row row;
    bson_error_t failure;
    const bson_t *bson;
    uint32_t count = 0;
    bool fine = mongoc_client_session_append(transaction->session, &options, &failure);

    vf_mongodb_append_progress_range(&filter, &transaction->names);
    if (fine) {
        cursor = mongoc_collection_find_with_opts(progress, &filter, &options, NULL);
        while (fine && mongoc_cursor_next(cursor, &bson)) {
            char buffer[16];
            const char *key;

            fine =
                vf_mongodb_read_progress(bson, &transaction->names, arena, &row, &transaction->result->error) == VF_OK;
            if (!fine)
                transaction->result->outcome = VF_REFUSED;
            if (!fine || !row.progress.exists)
                continue;
            bson_uint32_to_string(count++, &key, buffer, sizeof(buffer));
            bson_append_document_begin(list, key, -1, &position);
            BSON_APPEND_UTF8(&position, "topic", row.partition.topic);
            BSON_APPEND_INT32(&position, "partition", row.partition.partition);
            BSON_APPEND_INT64(&position, "next", row.progress.next);
            bson_append_document_end(list, &position);
        }
    }
    if (fine && mongoc_cursor_error(cursor, &failure))
        fine = vf_mongodb_command_failed(transaction, &failure, NULL);
    mongoc_cursor_destroy(cursor);
    vf_arena_free(arena);
    bson_destroy(&options);
    bson_destroy(&filter);
    mongoc_collection_destroy(progress);
    return fine;
}

/* $push: {adoptions: {$each: [...], $slice: ...}} */
static bool append_adoption(bson_t *change, struct vf_mongodb_transaction *transaction, const struct change *adoption)
{
    bson_t push, adoptions, each, one, positions;
    bool fine;

    BSON_APPEND_DOCUMENT_BEGIN(change, "$push", &push);
    BSON_APPEND_DOCUMENT_BEGIN(&push, "adoptions", &adoptions);
    BSON_APPEND_ARRAY_BEGIN(&adoptions, "$each", &each);
    BSON_APPEND_DOCUMENT_BEGIN(&each, "0", &one);
    BSON_APPEND_DATE_TIME(&one, "at", adoption->next->created_ms);
    BSON_APPEND_UTF8(&one, "from", adoption->from_hash);
    BSON_APPEND_UTF8(&one, "to", adoption->next->script_hash);
    BSON_APPEND_ARRAY_BEGIN(&one, "positions", &positions);
    fine = append_positions(&positions, transaction);
    bson_append_array_end(&one, &positions);
    bson_append_document_end(&each, &one);
    bson_append_array_end(&adoptions, &each);
    BSON_APPEND_INT32(&adoptions, "$slice", -VF_ADOPTIONS_MAX);
    bson_append_document_end(&push, &adoptions);
    bson_append_document_end(change, &push);
    return fine;
}

static bool write_adoption(struct vf_mongodb_transaction *transaction, struct change *adoption)
{
    struct vf_mongodb_command command;
    bson_t statement, change, set, script;
    bool fine;

    /* GUARD mongodb-adopt-fences: old workers write on, and the view is folded by both scripts, mixed at random */
    if (!restamp_progress(transaction, adoption->next_stamp))
        return false;
    entry_begin(&command, &statement, transaction, adoption);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    vf_mongodb_append_stamp(&set, "stamp", adoption->next_stamp);
    BSON_APPEND_INT64(&set, "projection_version", adoption->next->projection_version);
    BSON_APPEND_DOCUMENT_BEGIN(&set, "script", &script);
    vf_mongodb_append_script(&script, adoption->next);
    bson_append_document_end(&set, &script);
    bson_append_document_end(&change, &set);
    fine = append_adoption(&change, transaction, adoption);
    bson_append_document_end(&statement, &change);
    return entry_end(&command, &statement) && fine;
}

enum vf_code vf_mongodb_adopt(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                              const struct vf_generation *next, bool *ret_done, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation base;
    enum vf_code code = vf_mongodb_generation(store, view, arena, &base, error);

    if (code == VF_OK && base.stamp != base_stamp) {
        *ret_done = false;
    } else if (code == VF_OK) {
        struct change change = {.store = store,
                                .view = view,
                                .base_stamp = base_stamp,
                                .next_stamp = next->stamp,
                                .state = VF_GENERATION_ACTIVE,
                                .or_state = VF_GENERATION_ACTIVE,
                                .write = write_adoption,
                                .next = next,
                                .from_hash = base.script_hash};

        code = run(&change, ret_done, error);
    }
    vf_arena_free(arena);
    return code;
}

/* --- dropping -------------------------------------------------------------------------------------------------------- */

static bool write_dropping(struct vf_mongodb_transaction *transaction, struct change *drop)
{
    struct vf_mongodb_command command;
    bson_t statement, change, fields;

    if (!restamp_progress(transaction, drop->next_stamp))
        return false;
    entry_begin(&command, &statement, transaction, drop);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &fields);
    vf_mongodb_append_stamp(&fields, "stamp", drop->next_stamp);
    BSON_APPEND_UTF8(&fields, "state", VF_GENERATION_DROPPING);
    bson_append_document_end(&change, &fields);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$unset", &fields);
    BSON_APPEND_UTF8(&fields, "script.files", "");
    bson_append_document_end(&change, &fields);
    bson_append_document_end(&statement, &change);
    return entry_end(&command, &statement);
}

enum vf_code vf_mongodb_drop_begin(struct vf_store *store, struct vf_view view, uint64_t base_stamp, uint64_t stamp,
                                   bool *ret_done, struct vf_error *error)
{
    struct change change = {.store = store,
                            .view = view,
                            .base_stamp = base_stamp,
                            .next_stamp = stamp,
                            .state = VF_GENERATION_ACTIVE,
                            .or_state = VF_GENERATION_DROPPING,
                            .write = write_dropping};
    struct vf_mongodb_names names;
    bool done = false;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    if (code == VF_OK)
        code = run(&change, &done, error);
    if (code == VF_OK && done)
        code = vf_mongodb_remove_view(store, view.name, &names, error);
    if (code == VF_OK)
        *ret_done = done;
    return code;
}

/* The ids of some of a collection's documents, as a BSON array; *ret_count 0: there are none. */
static enum vf_code find_ids(struct vf_store *store, const char *collection, const bson_t *filter, bson_t *ids,
                             size_t *ret_count, struct vf_error *error)
{
    bson_t fields = BSON_INITIALIZER;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *bson;
    bson_iter_t iter;
    uint32_t count = 0;

    BSON_APPEND_INT32(&fields, "_id", 1);
    cursor = vf_mongodb_find_fields(store, collection, filter, CHUNK, "local", &fields);
    while (mongoc_cursor_next(cursor, &bson)) {
        char buffer[16];
        const char *key;

        if (!bson_iter_init_find(&iter, bson, "_id"))
            continue;
        bson_uint32_to_string(count++, &key, buffer, sizeof(buffer));
        bson_append_iter(ids, key, -1, &iter);
    }
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "find what is to be removed", error);
    else
        *ret_count = count;
    mongoc_cursor_destroy(cursor);
    bson_destroy(&fields);
    return code;
}

static bool write_removal(struct vf_mongodb_transaction *transaction, struct change *removal)
{
    struct vf_mongodb_command command;
    bson_t statement, change, set, query;
    bson_iter_t id;

    entry_begin(&command, &statement, transaction, removal);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    vf_mongodb_append_stamp(&set, "touched", transaction->commit->stamp);
    if (removal->is_last) {
        BSON_APPEND_UTF8(&set, "state", VF_GENERATION_DROPPED);
        BSON_APPEND_DATE_TIME(&set, "created", removal->now_ms);
    }
    bson_append_document_end(&change, &set);
    bson_append_document_end(&statement, &change);
    /* GUARD mongodb-drop-own: who was stopped while dropping removes what was built anew meanwhile */
    if (!entry_end(&command, &statement))
        return false;
    vf_mongodb_command_init(&command, transaction, "delete", "deletes", removal->collection);
    for (bool more = bson_iter_init(&id, removal->ids) && bson_iter_next(&id); more; more = bson_iter_next(&id)) {
        vf_mongodb_statement_begin(&command, &statement);
        BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
        bson_append_iter(&query, "_id", -1, &id);
        bson_append_document_end(&statement, &query);
        BSON_APPEND_INT32(&statement, "limit", 1);
        vf_mongodb_statement_end(&command, &statement);
    }
    return vf_mongodb_command_send(&command);
}

/* Finds some in this collection, and removes them. The last step removes progress, where it may find nothing at all. */
static enum vf_code remove_some(struct change *removal, const bson_t *filter, bool *ret_done, size_t *ret_removed,
                                struct vf_error *error)
{
    bson_t ids = BSON_INITIALIZER;
    size_t count = 0;
    enum vf_code code = find_ids(removal->store, removal->collection, filter, &ids, &count, error);

    removal->ids = &ids;
    if (code == VF_OK && (count > 0 || removal->is_last))
        code = run(removal, ret_done, error);
    if (code == VF_OK)
        *ret_removed = count;
    bson_destroy(&ids);
    return code;
}

/* What comes in the dropped one's place may index other fields. *ret_done false: somebody else has taken over. */
static enum vf_code drop_indexes(const struct change *removal, const struct vf_mongodb_names *names, bool *ret_done,
                                 struct vf_error *error)
{
    uint64_t stamp = 0;
    bool there = false;
    enum vf_code code = vf_mongodb_generation_stamp(removal->store, removal->view, &stamp, &there, error);

    /* GUARD mongodb-drop-own-indexes: who was stopped while dropping removes the indexes of what was built anew meanwhile */
    if (code == VF_OK && (!there || stamp != removal->base_stamp))
        *ret_done = false;
    else if (code == VF_OK)
        code = vf_mongodb_drop_indexes(removal->store, names, error);
    return code;
}

enum vf_code vf_mongodb_drop_more(struct vf_store *store, struct vf_view view, uint64_t stamp, int64_t now_ms,
                                  enum vf_drop *ret_drop, size_t *ret_removed, struct vf_error *error)
{
    struct change removal = {.store = store,
                             .view = view,
                             .base_stamp = stamp,
                             .next_stamp = stamp,
                             .state = VF_GENERATION_DROPPING,
                             .or_state = VF_GENERATION_DROPPING,
                             .write = write_removal,
                             .now_ms = now_ms};
    bson_t all = BSON_INITIALIZER, progress = BSON_INITIALIZER;
    struct vf_mongodb_names names;
    bool done = true;
    size_t removed = 0, i;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    if (code == VF_OK) {
        /* GUARD mongodb-drops-stay: what an operator has left out for good comes back when the view is built anew */
        const char *const collections[] = {names.documents, names.aggregates, names.aside};

        for (i = 0; i < 3 && code == VF_OK && done && removed == 0; i++) {
            removal.collection = collections[i];
            code = remove_some(&removal, &all, &done, &removed, error);
        }
    }
    if (code == VF_OK && done && removed == 0)
        code = drop_indexes(&removal, &names, &done, error);
    if (code == VF_OK && done && removed == 0) {
        removal.is_last = true;
        removal.collection = VF_MONGODB_PROGRESS;
        vf_mongodb_append_progress_range(&progress, &names);
        code = remove_some(&removal, &progress, &done, &removed, error);
        removed = 0; /* progress is none of what is counted */
    }
    if (code == VF_OK) {
        *ret_drop = !done ? VF_DROP_SUPERSEDED : removal.is_last ? VF_DROP_DONE : VF_DROP_MORE;
        *ret_removed = done ? removed : 0;
    }
    bson_destroy(&progress);
    bson_destroy(&all);
    return code;
}

/* --- a note ---------------------------------------------------------------------------------------------------------- */

static bool write_note(struct vf_mongodb_transaction *transaction, struct change *note)
{
    struct vf_mongodb_command command;
    bson_t statement, query, change, fields;

    /* GUARD mongodb-note: a note about what was dropped stands in what is built anew */
    if (!vf_mongodb_touch_entry(transaction))
        return false;
    vf_mongodb_command_init(&command, transaction, "update", "updates", VF_MONGODB_PROGRESS);
    vf_mongodb_statement_begin(&command, &statement);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
    vf_mongodb_append_progress_id(&query, "_id", &transaction->names, note->partition);
    bson_append_document_end(&statement, &query);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &change);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &fields);
    vf_mongodb_append_stamp(&fields, "touched", transaction->commit->stamp); /* so that it counts as modified */
    if (note->reason)
        BSON_APPEND_UTF8(&fields, "stopped", note->reason);
    bson_append_document_end(&change, &fields);
    if (!note->reason) {
        BSON_APPEND_DOCUMENT_BEGIN(&change, "$unset", &fields);
        BSON_APPEND_UTF8(&fields, "stopped", "");
        bson_append_document_end(&change, &fields);
    }
    bson_append_document_end(&statement, &change);
    BSON_APPEND_BOOL(&statement, "upsert", true);
    vf_mongodb_statement_end(&command, &statement);
    return vf_mongodb_command_send(&command);
}

enum vf_code vf_mongodb_note_stopped(struct vf_store *store, struct vf_view view, uint64_t generation_stamp,
                                     struct vf_partition partition, const char *reason, struct vf_error *error)
{
    struct change change = {.store = store,
                            .view = view,
                            .base_stamp = generation_stamp,
                            .next_stamp = generation_stamp,
                            .state = VF_GENERATION_ACTIVE,
                            .or_state = VF_GENERATION_ACTIVE,
                            .write = write_note,
                            .partition = partition,
                            .reason = reason};
    bool done;

    return run(&change, &done, error);
}
