/*
 * Events that are set aside, as they are read: an aggregate's list and a partition's, sorted sets by the place or offset with which
 * a member's text begins, the records to go on with, and those of each state. They are written by commits (library_side.lua).
 */
#include "connectors/redis/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of a place or offset in a member's text, so that texts are in the order of numbers. */
#define POSITION_DIGITS 19

/* Events of one ZRANGE: the first, whose sizes are not known, and any. */
#define FIRST_COUNT 32
#define COUNT_MAX   1000

struct vf_bytes vf_redis_aside_head(const struct vf_aside *event, struct vf_arena *arena)
{
    return vf_arena_printf(arena, "%019" PRId64 " %.*s%c%s/%d %" PRId64 "%c", event->place, (int)event->aggregate.size,
                           event->aggregate.data, 0, event->partition.topic, (int)event->partition.partition,
                           event->offset, 0);
}

/* Takes what ends with this byte off `text`; false where it does not. */
static bool take_until(struct vf_bytes *text, char stop, struct vf_bytes *ret_part)
{
    const char *end = text->size ? memchr(text->data, stop, text->size) : NULL;
    if (!end)
        return false;
    *ret_part = vf_bytes(text->data, (size_t)(end - text->data));
    *text = vf_bytes(end + 1, text->size - ret_part->size - 1);
    return true;
}

/* "0000000000000001042 " */
static bool take_position(struct vf_bytes *text, int64_t *ret_position)
{
    struct vf_bytes digits;
    char *end;
    if (text->size < POSITION_DIGITS || !take_until(text, ' ', &digits) || digits.size != POSITION_DIGITS)
        return false;
    *ret_position = strtoll(digits.data, &end, 10);
    return end == digits.data + digits.size && digits.data[0] != '-';
}

/* One member of a list. */
static bool read_event(struct vf_bytes member, struct vf_arena *arena, struct vf_aside *event)
{
    struct vf_bytes rest = vf_arena_copy(arena, member), from, partition;
    bool fine = take_position(&rest, &event->place) && take_until(&rest, '\0', &event->aggregate) &&
                take_until(&rest, '\0', &from) && take_until(&from, ' ', &partition) &&
                vf_redis_read_partition(partition, arena, &event->partition) &&
                vf_redis_parse_int(from, &event->offset);
    event->record = rest;
    return fine;
}

static enum vf_code fail_foreign(struct vf_store *store, struct vf_bytes head, struct vf_bytes tail,
                                 struct vf_error *error)
{
    return vf_fail(error, VF_E_CONFIG, "%s: key %.*s%.*s: what is set aside there was not written by this viewfold",
                   store->label, (int)head.size, head.data, tail.size < 300 ? (int)tail.size : 300, tail.data);
}

/* ZRANGE of what is at a place or offset, or also behind it: at most `count`. */
static enum vf_code ask_range(struct vf_store *store, struct vf_bytes head, struct vf_bytes tail, int64_t first,
                              bool only, size_t count, int64_t deadline_ms, redisReply **ret_reply,
                              struct vf_error *error)
{
    struct vf_redis_request *request = &store->request;
    char from[POSITION_DIGITS + 8], to[POSITION_DIGITS + 8];
    snprintf(from, sizeof(from), "[%019" PRId64 " ", first > 0 ? first : 0);
    snprintf(to, sizeof(to), "(%019" PRId64 "!", first > 0 ? first : 0);
    vf_redis_request_clear(request);
    vf_redis_request_begin(request, 8);
    vf_redis_request_add_text(request, "ZRANGE");
    vf_redis_request_add_joined(request, head, tail);
    vf_redis_request_add_text(request, from);
    vf_redis_request_add_text(request, only ? to : "+");
    vf_redis_request_add_text(request, "BYLEX");
    vf_redis_request_add_text(request, "LIMIT");
    vf_redis_request_add_int(request, 0);
    vf_redis_request_add_int(request, (int64_t)count);
    return vf_redis_ask(store, "ZRANGE of what is set aside", deadline_ms, ret_reply, error);
}

/* An aside_load under way. */
struct loading {
    struct vf_bytes list;
    size_t count, bytes_max; /* what was asked for */
    struct vf_arena *arena;
    struct vf_aside *asides;
    size_t got, size, bytes;
    int64_t next; /* place */
    bool done;
};

static enum vf_code take_events(struct vf_store *store, const redisReply *reply, struct loading *loading,
                                struct vf_error *error)
{
    for (size_t i = 0; i < reply->elements; i++) {
        struct vf_aside event = {.list = loading->list};
        if (!read_event(vf_redis_bytes(reply->element[i]), loading->arena, &event))
            return fail_foreign(store, store->keys.aside, loading->list, error);
        loading->done = loading->got > 0 && loading->bytes + event.record.size > loading->bytes_max;
        if (loading->done)
            break;
        if (loading->got == loading->size) {
            struct vf_aside *more = vf_arena_calloc(loading->arena, 2 * loading->size + FIRST_COUNT, sizeof(*more));
            if (loading->got)
                memcpy(more, loading->asides, loading->got * sizeof(*more));
            loading->asides = more;
            loading->size = 2 * loading->size + FIRST_COUNT;
        }
        loading->asides[loading->got++] = event;
        loading->bytes += event.record.size;
        loading->done = event.place == INT64_MAX;
        loading->next = loading->done ? event.place : event.place + 1;
    }
    return VF_OK;
}

/* How many to ask for next: about as many as the limit on bytes leaves room for. */
static size_t next_count(const struct loading *loading)
{
    size_t count = FIRST_COUNT;
    if (loading->got > 0) {
        size_t left = loading->bytes_max - (loading->bytes < loading->bytes_max ? loading->bytes : loading->bytes_max);
        count = left / (loading->bytes / loading->got + 1) + 1;
    }
    if (count > COUNT_MAX)
        count = COUNT_MAX;
    return count < loading->count - loading->got ? count : loading->count - loading->got;
}

enum vf_code vf_redis_aside_load(struct vf_store *store, struct vf_view view, struct vf_bytes list, int64_t place,
                                 size_t count, size_t bytes_max, struct vf_arena *arena, struct vf_aside **ret_asides,
                                 size_t *ret_count, struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    struct loading loading = {
        .list = vf_arena_copy(arena, list), .count = count, .bytes_max = bytes_max, .arena = arena, .next = place};
    enum vf_code code = VF_OK;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    while (code == VF_OK && !loading.done && loading.got < count) {
        size_t wanted = next_count(&loading);
        redisReply *reply = NULL;
        code = ask_range(store, store->keys.aside, list, loading.next, false, wanted, deadline_ms, &reply, error);
        if (code != VF_OK)
            break;
        code = take_events(store, reply, &loading, error);
        loading.done = loading.done || reply->elements < wanted;
        freeReplyObject(reply);
    }
    if (code != VF_OK)
        return code;
    *ret_asides = loading.asides;
    *ret_count = loading.got;
    return VF_OK;
}

enum vf_code vf_redis_aside_total(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                  struct vf_aside_total *ret_total, struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    struct vf_aside_total total = {0};
    redisReply *count = NULL, *bytes = NULL;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_buffer_clear(&store->value);
    vf_buffer_printf(&store->value, "%s/%d", partition.topic, (int)partition.partition);
    struct vf_bytes field = vf_bytes(store->value.data, store->value.size);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "ZCARD");
    vf_redis_request_add_joined(&store->request, store->keys.aside_partition, field);
    vf_redis_request_begin(&store->request, 3);
    vf_redis_request_add_text(&store->request, "HGET");
    vf_redis_request_add(&store->request, store->keys.aside_bytes);
    vf_redis_request_add(&store->request, field);
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &count, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &bytes, error);
    if (code != VF_OK)
        goto out;
    if (count->type == REDIS_REPLY_ERROR || bytes->type == REDIS_REPLY_ERROR) {
        const redisReply *refused = count->type == REDIS_REPLY_ERROR ? count : bytes;
        code = vf_redis_fail_reply(store, refused == count ? "ZCARD" : "HGET of aside_bytes", refused, error);
        goto out;
    }
    total.count = count->integer;
    if (bytes->type == REDIS_REPLY_STRING && !vf_redis_parse_int(vf_redis_bytes(bytes), &total.bytes))
        code = fail_foreign(store, store->keys.aside_bytes, vf_bytes("", 0), error);
    if (code == VF_OK)
        *ret_total = total;
out:
    freeReplyObject(count);
    freeReplyObject(bytes);
    return code;
}

enum vf_code vf_redis_aside_at(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                               int64_t offset, struct vf_arena *arena, bool *ret_there, struct vf_bytes *ret_list,
                               struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    struct vf_bytes key = vf_redis_keys_partition(&store->keys, partition, arena);
    redisReply *reply = NULL;
    enum vf_code code =
        ask_range(store, key, vf_bytes("", 0), offset, true, 1, vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    bool there = reply->elements > 0;
    struct vf_bytes list = {NULL, 0}, number;
    int64_t found;
    if (there) { /* "OFFSET BYTES LIST" */
        list = vf_arena_copy(arena, vf_redis_bytes(reply->element[0]));
        if (!take_position(&list, &found) || !take_until(&list, ' ', &number))
            code = fail_foreign(store, key, vf_bytes("", 0), error);
    }
    freeReplyObject(reply);
    if (code != VF_OK)
        return code;
    *ret_there = there;
    if (there)
        *ret_list = list;
    return VF_OK;
}

enum vf_code vf_redis_draining(struct vf_store *store, struct vf_view view, size_t most, struct vf_arena *arena,
                               struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(&store->request, 3);
    vf_redis_request_add_text(&store->request, "ZRANDMEMBER");
    vf_redis_request_add(&store->request, store->keys.draining);
    vf_redis_request_add_int(&store->request, (int64_t)most);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "ZRANDMEMBER", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    vf_redis_copy_list(reply, arena, ret_aggregates, ret_count);
    freeReplyObject(reply);
    return VF_OK;
}

/* --- by state ---------------------------------------------------------------------------------------------------- */

enum vf_code vf_redis_aside_aggregates(struct vf_store *store, struct vf_view view, enum vf_aside_state state,
                                       struct vf_bytes after, size_t most, struct vf_arena *arena,
                                       struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    struct vf_redis_request *request = &store->request;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(request, 8);
    vf_redis_request_add_text(request, "ZRANGE");
    vf_redis_request_add(request, store->keys.states[state]);
    if (after.size > 0)
        vf_redis_request_add_joined(request, VF_LITERAL("("), after);
    else
        vf_redis_request_add_text(request, "-");
    vf_redis_request_add_text(request, "+");
    vf_redis_request_add_text(request, "BYLEX");
    vf_redis_request_add_text(request, "LIMIT");
    vf_redis_request_add_int(request, 0);
    vf_redis_request_add_int(request, most < INT64_MAX ? (int64_t)most : INT64_MAX);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "ZRANGE of what is set aside", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    vf_redis_copy_list(reply, arena, ret_aggregates, ret_count);
    freeReplyObject(reply);
    return VF_OK;
}

enum vf_code vf_redis_aside_counts(struct vf_store *store, struct vf_view view, int64_t ret_counts[VF_ASIDE_STATES],
                                   struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store), counts[VF_ASIDE_STATES] = {0};
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    for (enum vf_aside_state state = VF_ASIDE_HELD; state < VF_ASIDE_STATES; state++) {
        vf_redis_request_begin(&store->request, 2);
        vf_redis_request_add_text(&store->request, "ZCARD");
        vf_redis_request_add(&store->request, store->keys.states[state]);
    }
    enum vf_code code = vf_redis_send(store, deadline_ms, error), refused = VF_OK;
    for (enum vf_aside_state state = VF_ASIDE_HELD; state < VF_ASIDE_STATES && code == VF_OK; state++) {
        redisReply *reply = NULL;
        code = vf_redis_receive(store, deadline_ms, &reply, error);
        if (code != VF_OK)
            break;
        if (reply->type == REDIS_REPLY_ERROR && refused == VF_OK)
            refused = vf_redis_fail_reply(store, "ZCARD of what is set aside", reply, error);
        counts[state] = reply->integer;
        freeReplyObject(reply);
    }
    if (code == VF_OK)
        code = refused;
    if (code == VF_OK)
        memcpy(ret_counts, counts, sizeof(counts));
    return code;
}
