#include "connectors/mongodb/mongodb_transaction.h"

bool vf_mongodb_refused(struct vf_mongodb_transaction *transaction, enum vf_code code, bool retriable, const char *text)
{
    const struct vf_store *store = transaction->store;
    struct vf_error *error = &transaction->result->error;

    transaction->result->outcome = VF_REFUSED;
    vf_fail(error, code, "store \"%s\" (mongodb, %s): cannot commit: %s", store->name, store->hosts, text);
    error->retriable = retriable;
    return false;
}

static bool unknown(struct vf_mongodb_transaction *transaction, const char *text)
{
    struct vf_store *store = transaction->store;

    store->silent = true;
    transaction->result->outcome = VF_UNKNOWN;
    vf_fail_retriable(&transaction->result->error, VF_E_UNAVAILABLE,
                      "store \"%s\" (mongodb, %s): a commit's outcome is unknown: %s", store->name, store->hosts, text);
    return false;
}

bool vf_mongodb_conflict(struct vf_mongodb_transaction *transaction)
{
    transaction->result->outcome = VF_CONFLICT;
    transaction->result->failed |= transaction->part;
    return false;
}

/* The outcome of a command before the commit was sent that failed: nothing of it will be written. Always false. */
bool vf_mongodb_command_failed(struct vf_mongodb_transaction *transaction, const bson_error_t *failure,
                               const bson_t *reply)
{
    switch (vf_mongodb_fault_of(failure, reply)) {
    case VF_FAULT_TRANSIENT:
    case VF_FAULT_DUPLICATE: return vf_mongodb_conflict(transaction);
    case VF_FAULT_NETWORK:
        /* Nothing was written, but the connection is gone, and with it what the worker knew: it opens another one. */
        return unknown(transaction, failure->message);
    case VF_FAULT_DENIED: return vf_mongodb_refused(transaction, VF_E_DENIED, false, failure->message);
    case VF_FAULT_DOCUMENT: /* the batch is cut until the event that makes it stands alone */
    case VF_FAULT_TOO_LARGE: return vf_mongodb_refused(transaction, VF_E_LIMIT, false, failure->message);
    case VF_FAULT_TIME: return vf_mongodb_refused(transaction, VF_E_TIMEOUT, true, failure->message);
    case VF_FAULT_NOT_PRIMARY:
    case VF_FAULT_FULL: return vf_mongodb_refused(transaction, VF_E_UNAVAILABLE, true, failure->message);
    case VF_FAULT_OTHER: break;
    }
    return vf_mongodb_refused(transaction, VF_E_UNAVAILABLE, false, failure->message);
}

/* --- one command ----------------------------------------------------------------------------------------------------- */

static void command_begin(struct vf_mongodb_command *command)
{
    bson_init(&command->bson);
    bson_append_utf8(&command->bson, command->verb, -1, command->collection, -1);
    bson_append_array_begin(&command->bson, command->list_key, -1, &command->list);
    command->count = 0;
}

void vf_mongodb_command_init(struct vf_mongodb_command *command, struct vf_mongodb_transaction *transaction,
                             const char *verb, const char *list_key, const char *collection)
{
    command->transaction = transaction;
    command->verb = verb;
    command->list_key = list_key;
    command->collection = collection;
    command->modifies = strcmp(verb, "update") == 0;
    command_begin(command);
}

static int64_t count_at(const bson_t *reply, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, reply, key) ? bson_iter_as_int64(&iter) : 0;
}

static int64_t upserts_in(const bson_t *reply)
{
    bson_iter_t iter, list;
    int64_t count = 0;

    if (bson_iter_init_find(&iter, reply, "upserted") && BSON_ITER_HOLDS_ARRAY(&iter) &&
        bson_iter_recurse(&iter, &list))
        while (bson_iter_next(&list))
            count++;
    return count;
}

/* Sends a command within the transaction. False: it failed, and the result says how. */
static bool send_in_transaction(struct vf_mongodb_transaction *transaction, const bson_t *command, bson_t *reply)
{
    int64_t left_ms = (transaction->deadline_us - bson_get_monotonic_time()) / 1000;
    struct vf_store *store = transaction->store;
    bson_t options = BSON_INITIALIZER;
    bson_error_t failure;
    bool done;

    bson_init(reply);
    if (left_ms < 1) {
        bson_destroy(&options);
        return vf_mongodb_refused(transaction, VF_E_TIMEOUT, true, "the time limit ran out between two commands");
    }
    BSON_APPEND_INT64(&options, "maxTimeMS", left_ms);
    /* GUARD mongodb-transaction: each command would be written by itself, and stay when a later one fails */
    done = mongoc_client_session_append(transaction->session, &options, &failure);
    if (done) {
        bson_destroy(reply);
        done =
            mongoc_client_write_command_with_opts(store->client, store->database, command, &options, reply, &failure);
    }
    bson_destroy(&options);
    if (done && vf_mongodb_write_error(reply, &failure))
        done = false;
    return done || vf_mongodb_command_failed(transaction, &failure, reply);
}

/* Closes the command and sends it. `reply` is always initialized. */
static bool send_closed(struct vf_mongodb_command *command, bson_t *reply)
{
    bool going;

    bson_append_array_end(&command->bson, &command->list);
    going = send_in_transaction(command->transaction, &command->bson, reply);
    bson_destroy(&command->bson);
    return going;
}

bool vf_mongodb_command_send_multi(struct vf_mongodb_command *command)
{
    bson_t reply;
    bool going = send_closed(command, &reply);

    /* GUARD mongodb-all-modified: as below, for what one statement has matched */
    if (going && count_at(&reply, "n") != count_at(&reply, "nModified"))
        going = vf_mongodb_conflict(command->transaction);
    bson_destroy(&reply);
    return going;
}

bool vf_mongodb_command_send(struct vf_mongodb_command *command)
{
    bson_t reply;
    int64_t done;
    bool going;

    if (command->count == 0) {
        bson_destroy(&command->bson);
        return true;
    }
    going = send_closed(command, &reply);
    done = command->modifies ? count_at(&reply, "nModified") + upserts_in(&reply) : count_at(&reply, "n");
    /* GUARD mongodb-all-done: a statement whose condition did not hold has changed nothing */
    if (going && done != (int64_t)command->count)
        going = vf_mongodb_conflict(command->transaction);
    bson_destroy(&reply);
    return going;
}

bool vf_mongodb_command_room(struct vf_mongodb_command *command, size_t size)
{
    if (command->count == 0)
        return true;
    if (command->count < VF_MONGODB_COMMAND_STATEMENTS_MAX && command->list.len + size < VF_MONGODB_COMMAND_BYTES_MAX)
        return true;
    if (!vf_mongodb_command_send(command))
        return false;
    command_begin(command);
    return true;
}

void vf_mongodb_statement_begin(struct vf_mongodb_command *command, bson_t *statement)
{
    char buffer[16];
    const char *key;
    size_t size = bson_uint32_to_string(command->count++, &key, buffer, sizeof(buffer));

    bson_append_document_begin(&command->list, key, (int)size, statement);
}

void vf_mongodb_statement_end(struct vf_mongodb_command *command, bson_t *statement)
{
    bson_append_document_end(&command->list, statement);
}

/* --- beginning and end ----------------------------------------------------------------------------------------------- */

bool vf_mongodb_transaction_begin(struct vf_mongodb_transaction *transaction)
{
    struct vf_store *store = transaction->store;
    mongoc_session_opt_t *session_options = mongoc_session_opts_new();
    mongoc_transaction_opt_t *options = mongoc_transaction_opts_new();
    mongoc_read_concern_t *snapshot = mongoc_read_concern_new();
    bson_error_t failure;
    bool begun = false;

    mongoc_session_opts_set_causal_consistency(session_options, false);
    mongoc_read_concern_set_level(snapshot, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_transaction_opts_set_read_concern(options, snapshot);
    /* GUARD mongodb-majority: what was said to be committed is rolled back when a minority's primary loses its office */
    mongoc_transaction_opts_set_write_concern(options, store->concern);
    mongoc_transaction_opts_set_max_commit_time_ms(options, store->command_timeout_ms);
    transaction->session = mongoc_client_start_session(store->client, session_options, &failure);
    if (transaction->session)
        begun = mongoc_client_session_start_transaction(transaction->session, options, &failure);
    if (!begun)
        vf_mongodb_command_failed(transaction, &failure, NULL);
    mongoc_read_concern_destroy(snapshot);
    mongoc_transaction_opts_destroy(options);
    mongoc_session_opts_destroy(session_options);
    return begun;
}

void vf_mongodb_transaction_commit(struct vf_mongodb_transaction *transaction)
{
    bson_error_t failure;
    bson_t reply;
    int tries;

    for (tries = 1;; tries++) {
        bool done = mongoc_client_session_commit_transaction(transaction->session, &reply, &failure);
        bool is_unknown = mongoc_error_has_label(&reply, "UnknownTransactionCommitResult");
        bool is_void = vf_mongodb_fault_of(&failure, &reply) == VF_FAULT_TRANSIENT;

        bson_destroy(&reply);
        if (done) {
            transaction->result->outcome = VF_COMMITTED;
            return;
        }
        if (is_unknown && tries < VF_MONGODB_COMMIT_REPEATS_MAX && bson_get_monotonic_time() < transaction->deadline_us)
            continue;
        /* "No such transaction" after an earlier try of ours proves nothing: that try may have ended it either way. */
        if (is_void && !is_unknown && tries == 1) {
            transaction->part = 0;
            vf_mongodb_conflict(transaction);
        } else {
            unknown(transaction, failure.message);
        }
        return;
    }
}

void vf_mongodb_transaction_end(struct vf_mongodb_transaction *transaction)
{
    struct vf_store *store = transaction->store;

    if (!transaction->session)
        return;
    /* The time is over, and the caller has his outcome: he does not wait for a silent server any longer. Closing sees to it. */
    if (store->silent && !store->left_open && bson_get_monotonic_time() >= transaction->deadline_us) {
        store->left_open = transaction->session;
        transaction->session = NULL;
        return;
    }
    /* Left open, it would hold its documents against everybody until the server's time limit. */
    if (mongoc_client_session_in_transaction(transaction->session))
        mongoc_client_session_abort_transaction(transaction->session, NULL);
    mongoc_client_session_destroy(transaction->session);
    transaction->session = NULL;
}
