/*
 * What indexes hold, and what is due: questions to the sorted sets that commits keep (library_side.lua).
 */
#include "connectors/redis/internal.h"

enum vf_code vf_redis_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms, size_t most,
                          struct vf_arena *arena, struct vf_bytes **ret_ids, size_t *ret_count, struct vf_error *error)
{
    struct vf_redis_request *request = &store->request;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(request, 8);
    vf_redis_request_add_text(request, "ZRANGE");
    vf_redis_request_add(request, due == VF_DUE_EXPIRED ? store->keys.expires : store->keys.husks);
    vf_redis_request_add_text(request, "-inf");
    vf_redis_request_add_int(request, limit_ms);
    vf_redis_request_add_text(request, "BYSCORE");
    vf_redis_request_add_text(request, "LIMIT");
    vf_redis_request_add_int(request, 0);
    vf_redis_request_add_int(request, (int64_t)most);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "ZRANGE of what is due", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    vf_redis_copy_list(reply, arena, ret_ids, ret_count);
    freeReplyObject(reply);
    return VF_OK;
}
