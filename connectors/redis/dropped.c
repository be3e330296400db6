/*
 * Operators' decisions that are not in the log: a list of JSON texts, in the order in which they were taken. They are written by
 * commits (library_side.lua).
 */
#include "connectors/redis/internal.h"

#include <inttypes.h>

/* Decisions of one LRANGE. */
#define PAGE 1000

struct vf_bytes vf_redis_dropped_text(const struct vf_dropped *dropped, struct vf_arena *arena)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "{\"aggregate\":");
    vf_json_print_string(&text, dropped->aggregate);
    vf_buffer_printf(&text, ",\"at\":%" PRId64, dropped->dropped_ms);
    if (dropped->error.size > 0) {
        vf_buffer_add_text(&text, ",\"error\":");
        vf_json_print_string(&text, dropped->error);
    }
    if (dropped->identity) {
        char identity[VF_STAMP_TEXT_BYTES];
        vf_stamp_print(identity, dropped->identity);
        vf_buffer_printf(&text, ",\"identity\":\"%s\"", identity);
    }
    if (dropped->partition.topic)
        vf_buffer_printf(&text, ",\"offset\":%" PRId64 ",\"partition\":\"%s/%d\",\"timestamp\":%" PRId64 "}",
                         dropped->offset, dropped->partition.topic, (int)dropped->partition.partition,
                         dropped->timestamp_ms);
    else
        vf_buffer_printf(&text, ",\"missing_from\":%" PRId64 ",\"missing_to\":%" PRId64 "}", dropped->missing_from,
                         dropped->missing_to);
    struct vf_bytes copy = vf_arena_bytes(arena, text.data, text.size);
    vf_buffer_done(&text);
    return copy;
}

static bool read_dropped(struct vf_store *store, struct vf_bytes text, struct vf_arena *arena,
                         struct vf_dropped *dropped)
{
    struct vf_json json;
    struct vf_error ignored;
    struct vf_bytes partition, identity;
    if (vf_json_parse(store->parser, text, &json, &ignored) != VF_OK ||
        !vf_redis_member_text(json, "aggregate", arena, &dropped->aggregate) ||
        !vf_redis_member_int(json, "at", &dropped->dropped_ms))
        return false;
    (void)vf_redis_member_text(json, "error", arena, &dropped->error);
    if (!vf_redis_member_text(json, "partition", arena, &partition))
        return vf_redis_member_int(json, "missing_from", &dropped->missing_from) &&
               vf_redis_member_int(json, "missing_to", &dropped->missing_to);
    if (vf_redis_member_text(json, "identity", arena, &identity) && !vf_stamp_parse(identity, &dropped->identity))
        return false;
    return vf_redis_read_partition(partition, arena, &dropped->partition) &&
           vf_redis_member_int(json, "offset", &dropped->offset) &&
           vf_redis_member_int(json, "timestamp", &dropped->timestamp_ms);
}

static enum vf_code ask_page(struct vf_store *store, size_t first, size_t count, int64_t deadline_ms,
                             redisReply **ret_reply, struct vf_error *error)
{
    struct vf_redis_request *request = &store->request;
    vf_redis_request_clear(request);
    vf_redis_request_begin(request, 4);
    vf_redis_request_add_text(request, "LRANGE");
    vf_redis_request_add(request, store->keys.drops);
    vf_redis_request_add_int(request, (int64_t)first);
    vf_redis_request_add_int(request, (int64_t)(first + count - 1));
    return vf_redis_ask(store, "LRANGE of what was dropped", deadline_ms, ret_reply, error);
}

enum vf_code vf_redis_dropped(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                              struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                              struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    struct vf_dropped *all = NULL;
    size_t got = 0, size = 0;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    for (size_t wanted = PAGE, found = PAGE; found == wanted && got < most;) {
        redisReply *reply = NULL;
        wanted = most - got < PAGE ? most - got : PAGE;
        enum vf_code code = ask_page(store, first + got, wanted, deadline_ms, &reply, error);
        if (code != VF_OK)
            return code;
        found = reply->elements;
        if (got + found > size) {
            size = 2 * (got + found);
            struct vf_dropped *more = vf_arena_calloc(arena, size, sizeof(*more));
            if (got > 0)
                memcpy(more, all, got * sizeof(*more));
            all = more;
        }
        for (size_t i = 0; i < found && code == VF_OK; i++) {
            if (!read_dropped(store, vf_redis_bytes(reply->element[i]), arena, &all[got++]))
                code =
                    vf_fail(error, VF_E_CONFIG, "%s: key %.*s: what was dropped there was not written by this viewfold",
                            store->label, (int)store->keys.drops.size, store->keys.drops.data);
        }
        freeReplyObject(reply);
        if (code != VF_OK)
            return code;
    }
    *ret_dropped = all;
    *ret_count = got;
    return VF_OK;
}
