/*
 * What the server says of itself: when it is opened, and every few seconds while a worker runs.
 */
#include "connectors/redis/internal.h"
#include "connectors/redis/library.h"

enum vf_code vf_redis_ask_info(struct vf_store *store, int64_t deadline_ms, struct vf_redis_identity *ret_identity,
                               struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_request_begin(&store->request, 1);
    vf_redis_request_add_text(&store->request, "INFO");
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "INFO", deadline_ms, &reply, error);
    if (code != VF_OK)
        return code;
    code = vf_redis_info_check(store->label, vf_redis_bytes(reply), error);
    if (code == VF_OK)
        vf_redis_info_identity(vf_redis_bytes(reply), ret_identity);
    freeReplyObject(reply);
    return code;
}

/* Commits load their functions again by themselves; readers have nobody who would do it for them. */
static enum vf_code load_what_was_flushed(struct vf_store *store, int64_t deadline_ms, struct vf_error *error)
{
    vf_redis_request_clear(&store->request);
    vf_redis_request_begin(&store->request, 4);
    vf_redis_request_add_text(&store->request, "FUNCTION");
    vf_redis_request_add_text(&store->request, "LIST");
    vf_redis_request_add_text(&store->request, "LIBRARYNAME");
    vf_redis_request_add_text(&store->request, "viewfold_get");
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "FUNCTION LIST", deadline_ms, &reply, error);
    if (code != VF_OK)
        return code;
    bool flushed = reply->elements == 0;
    freeReplyObject(reply);
    /* GUARD redis-look-functions: where nothing is written, readers find no function after a flush */
    return flushed ? vf_redis_library_load(store, deadline_ms, error) : VF_OK;
}

enum vf_code vf_redis_look(struct vf_store *store, struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    struct vf_redis_identity identity;
    enum vf_code code = vf_redis_ask_info(store, deadline_ms, &identity, error);
    if (code != VF_OK)
        return code;
    /* GUARD redis-identity: behind an address that stays the same, another server is taken for the one that was read */
    if (!vf_redis_same_server(&store->identity, &identity))
        return vf_fail_retriable(error, VF_E_UNAVAILABLE,
                                 "%s: it is another server than before, or was a replica meanwhile (its run id was "
                                 "%.12s and is %.12s, its replication id was %.12s and is %.12s)",
                                 store->label, store->identity.run, identity.run, store->identity.replication,
                                 identity.replication);
    store->identity = identity;
    return load_what_was_flushed(store, deadline_ms, error);
}
