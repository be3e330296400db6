/*
 * Sending a commit and understanding the answer.
 *
 * An answer that is sure to mean "nothing was written" is VF_REFUSED: Redis looks at maxmemory, replicas, rights and the
 * like before a function begins, and the function itself gives a list. Any other error reply is one that the function
 * cannot have foreseen, perhaps after its first write: VF_UNKNOWN.
 */
#include "connectors/redis/internal.h"
#include "connectors/redis/library.h"

static void finish(struct vf_store *store, enum vf_outcome outcome)
{
    store->commit_result.outcome = outcome;
    store->commit_state = VF_REDIS_COMMIT_DONE;
}

void vf_redis_commit_send(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_commit_result *result = &store->commit_result;
    result->failed = 0;
    result->error = (struct vf_error){0};
    if (vf_redis_commit_build(store, commit, &result->error) != VF_OK) {
        finish(store, VF_REFUSED);
        return;
    }
    store->commit_state = VF_REDIS_COMMIT_SENT;
    if (vf_redis_connection_send(store->connection, &store->commit_request, vf_redis_deadline(store), &result->error) !=
        VF_OK)
        finish(store, VF_UNKNOWN);
}

/* Which kind of thing the key at this place (1..) of the commit is. */
static unsigned failed_kind(const struct vf_redis_layout *layout, size_t place)
{
    size_t i = place - 3;
    if (i < layout->absent)
        return i < layout->absent_documents ? VF_FAILED_DOCUMENT : VF_FAILED_AGGREGATE;
    i -= layout->absent;
    if (i < layout->written)
        return i < layout->written_documents ? VF_FAILED_DOCUMENT : VF_FAILED_AGGREGATE;
    i -= layout->written;
    return i < layout->consulted_documents ? VF_FAILED_DOCUMENT : VF_FAILED_AGGREGATE;
}

static void take_conflict(struct vf_store *store, const redisReply *reply)
{
    if (reply->elements < 3) {
        finish(store, VF_CONFLICT);
        return;
    }
    if (vf_bytes_is(vf_redis_bytes(reply->element[1]), "progress"))
        store->commit_result.failed = VF_FAILED_PROGRESS;
    else
        store->commit_result.failed = failed_kind(&store->commit_layout, (size_t)reply->element[2]->integer);
    finish(store, VF_CONFLICT);
}

static void take_answer(struct vf_store *store, const redisReply *reply)
{
    struct vf_bytes word = reply->elements > 0 ? vf_redis_bytes(reply->element[0]) : (struct vf_bytes){NULL, 0};
    if (vf_bytes_is(word, "ok")) {
        if (reply->elements > 1 && reply->element[1]->type == REDIS_REPLY_INTEGER)
            store->publishes_refused += (uint64_t)reply->element[1]->integer;
        finish(store, VF_COMMITTED);
    } else if (vf_bytes_is(word, "superseded")) {
        finish(store, VF_SUPERSEDED);
    } else if (vf_bytes_is(word, "frozen")) {
        finish(store, VF_FROZEN);
    } else if (vf_bytes_is(word, "conflict")) {
        take_conflict(store, reply);
    } else if ((vf_bytes_is(word, "wrong") || vf_bytes_is(word, "denied")) && reply->elements == 3) {
        (void)vf_redis_fail_answer(store, word, vf_redis_bytes(reply->element[1]), vf_redis_bytes(reply->element[2]),
                                   &store->commit_result.error);
        finish(store, VF_REFUSED);
    } else {
        (void)vf_redis_fail_form(store, "a commit", &store->commit_result.error);
        finish(store, VF_UNKNOWN);
    }
}

static void take_error(struct vf_store *store, const redisReply *reply)
{
    struct vf_error *error = &store->commit_result.error;
    enum vf_code code = vf_redis_fail_reply(store, "a commit", reply, error);
    /* What is raised inside of the function names it, and would have come after its checks. */
    bool inside = strstr(reply->str, "script: viewfold_") != NULL;
    bool nothing_written =
        !inside && (code == VF_E_DENIED || code == VF_E_UNAVAILABLE || vf_redis_function_missing(reply));
    finish(store, nothing_written ? VF_REFUSED : VF_UNKNOWN);
}

void vf_redis_commit_settle(struct vf_store *store)
{
    if (store->commit_state != VF_REDIS_COMMIT_SENT)
        return;
    struct vf_error *error = &store->commit_result.error;
    int64_t deadline_ms = vf_redis_deadline(store);
    redisReply *reply = NULL;
    for (int reloads = 0;; reloads++) {
        if (vf_redis_receive(store, deadline_ms, &reply, error) != VF_OK) {
            finish(store, VF_UNKNOWN);
            return;
        }
        if (!vf_redis_function_missing(reply) || reloads == VF_REDIS_RELOADS_MAX)
            break;
        /* The functions were flushed, or a fail-over went to a server without them. Nothing was run, so once more. */
        freeReplyObject(reply);
        if (vf_redis_library_load(store, deadline_ms, error) != VF_OK) {
            finish(store, vf_redis_connection_broken(store->connection) ? VF_UNKNOWN : VF_REFUSED);
            return;
        }
        if (vf_redis_connection_send(store->connection, &store->commit_request, deadline_ms, error) != VF_OK) {
            finish(store, VF_UNKNOWN);
            return;
        }
    }
    if (reply->type == REDIS_REPLY_ARRAY)
        take_answer(store, reply);
    else if (reply->type == REDIS_REPLY_ERROR)
        take_error(store, reply);
    else {
        (void)vf_redis_fail_form(store, "a commit", error);
        finish(store, VF_UNKNOWN);
    }
    freeReplyObject(reply);
}

void vf_redis_commit_wait(struct vf_store *store, struct vf_commit_result *ret_result)
{
    vf_redis_commit_settle(store);
    *ret_result = store->commit_result;
    store->commit_state = VF_REDIS_COMMIT_NONE;
}
