/*
 * Progress, the notes why partitions stopped, the frozen field, and what a reader asks about a view.
 */
#include "connectors/redis/internal.h"

/* "orders/3": the topic's own name, and the partition behind the last '/'. */
bool vf_redis_read_partition(struct vf_bytes field, struct vf_arena *arena, struct vf_partition *ret_partition)
{
    size_t slash = field.size;
    int64_t number;
    while (slash > 0 && field.data[slash - 1] != '/')
        slash--;
    /* `slash` is behind it now. A topic is text that ends with NUL. */
    if (slash < 2 || memchr(field.data, '\0', slash - 1) ||
        !vf_redis_parse_int(vf_bytes(field.data + slash, field.size - slash), &number) || number < 0 ||
        number > INT32_MAX)
        return false;
    ret_partition->topic = vf_arena_bytes(arena, field.data, slash - 1).data;
    ret_partition->partition = (int32_t)number;
    return true;
}

static enum vf_code fail_field(struct vf_store *store, struct vf_bytes key, struct vf_bytes field,
                               struct vf_error *error)
{
    return vf_fail(error, VF_E_CONFIG, "%s: key %.*s: field %.*s cannot be read; it was not written by this viewfold",
                   store->label, (int)key.size, key.data, field.size < 300 ? (int)field.size : 300, field.data);
}

static struct vf_progress_row *find_row(struct vf_progress_row *rows, size_t count, struct vf_partition partition)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].partition.partition == partition.partition && strcmp(rows[i].partition.topic, partition.topic) == 0)
            return &rows[i];
    return NULL;
}

static enum vf_code read_rows(struct vf_store *store, const redisReply *progress, const redisReply *stopped,
                              struct vf_arena *arena, struct vf_progress_row **ret_rows, size_t *ret_count,
                              struct vf_error *error)
{
    struct vf_progress_row *rows =
        vf_arena_calloc(arena, progress->elements / 2 + stopped->elements / 2 + 1, sizeof(*rows));
    size_t count = 0;
    for (size_t i = 0; i + 1 < progress->elements; i += 2) {
        struct vf_bytes field = vf_redis_bytes(progress->element[i]);
        struct vf_error detail;
        if (vf_bytes_is(field, "frozen") || vf_bytes_is(field, "generation"))
            continue;
        if (!vf_redis_read_partition(field, arena, &rows[count].partition) ||
            vf_progress_parse(vf_redis_bytes(progress->element[i + 1]), store->parser, &rows[count].progress,
                              &detail) != VF_OK)
            return fail_field(store, store->keys.progress, field, error);
        count++;
    }
    for (size_t i = 0; i + 1 < stopped->elements; i += 2) {
        struct vf_bytes field = vf_redis_bytes(stopped->element[i]);
        struct vf_partition partition;
        if (!vf_redis_read_partition(field, arena, &partition))
            return fail_field(store, store->keys.stopped, field, error);
        struct vf_progress_row *row = find_row(rows, count, partition);
        if (!row) {
            row = &rows[count++];
            row->partition = partition;
        }
        row->stopped = vf_arena_copy(arena, vf_redis_bytes(stopped->element[i + 1])).data;
    }
    *ret_rows = rows;
    *ret_count = count;
    return VF_OK;
}

enum vf_code vf_redis_progress(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                               struct vf_progress_row **ret_rows, size_t *ret_count, struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "HGETALL");
    vf_redis_request_add(&store->request, store->keys.progress);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "HGETALL");
    vf_redis_request_add(&store->request, store->keys.stopped);

    redisReply *progress = NULL, *stopped = NULL;
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &progress, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &stopped, error);
    if (code == VF_OK && progress->type == REDIS_REPLY_ERROR)
        code = vf_redis_fail_reply(store, "HGETALL of progress", progress, error);
    if (code == VF_OK && stopped->type == REDIS_REPLY_ERROR)
        code = vf_redis_fail_reply(store, "HGETALL of stopped", stopped, error);
    if (code == VF_OK)
        code = read_rows(store, progress, stopped, arena, ret_rows, ret_count, error);
    freeReplyObject(progress);
    freeReplyObject(stopped);
    return code;
}

enum vf_code vf_redis_note_stopped(struct vf_store *store, struct vf_view view, uint64_t generation_stamp,
                                   struct vf_partition partition, const char *reason, struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_buffer_clear(&store->value);
    vf_buffer_printf(&store->value, "%s/%d", partition.topic, (int)partition.partition);
    vf_redis_request_begin(&store->request, reason ? 8 : 7);
    vf_redis_request_add_text(&store->request, "FCALL");
    vf_redis_request_add_text(&store->request, store->function_note);
    vf_redis_request_add_int(&store->request, 2);
    vf_redis_request_add(&store->request, store->keys.progress);
    vf_redis_request_add(&store->request, store->keys.stopped);
    vf_redis_add_stamp(&store->request, generation_stamp);
    vf_redis_request_add(&store->request, vf_bytes(store->value.data, store->value.size));
    if (reason)
        vf_redis_request_add_text(&store->request, reason);
    redisReply *reply = NULL;
    enum vf_code code =
        vf_redis_ask_function(store, "FCALL (noting why a partition stopped)", vf_redis_deadline(store), &reply, error);
    if (code == VF_OK)
        freeReplyObject(reply);
    return code;
}

enum vf_code vf_redis_freeze(struct vf_store *store, struct vf_view view, const struct vf_partition *partitions,
                             size_t partition_count, int64_t duration_ms, struct vf_error *error)
{
    /* One field freezes all partitions: they lie in one hash. */
    (void)partitions;
    (void)partition_count;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(&store->request, 5);
    vf_redis_request_add_text(&store->request, "FCALL");
    vf_redis_request_add_text(&store->request, store->function_freeze);
    vf_redis_request_add_int(&store->request, 1);
    vf_redis_request_add(&store->request, store->keys.progress);
    vf_redis_request_add_int(&store->request, duration_ms);
    redisReply *reply = NULL;
    enum vf_code code =
        vf_redis_ask_function(store, "FCALL (freezing a generation)", vf_redis_deadline(store), &reply, error);
    if (code == VF_OK)
        freeReplyObject(reply);
    return code;
}

/* Asks for the active generation's frozen field and the server's time, and compares. */
static enum vf_code ask_frozen(struct vf_store *store, const char *view, int32_t generation, int64_t deadline_ms,
                               bool *ret_frozen, struct vf_error *error)
{
    redisReply *until = NULL, *time = NULL;
    int64_t until_ms = 0, seconds = 0;
    vf_redis_request_clear(&store->request);
    vf_redis_keys_set(&store->keys, store->prefix, view, generation);
    vf_redis_request_begin(&store->request, 3);
    vf_redis_request_add_text(&store->request, "HGET");
    vf_redis_request_add(&store->request, store->keys.progress);
    vf_redis_request_add_text(&store->request, "frozen");
    vf_redis_request_begin(&store->request, 1);
    vf_redis_request_add_text(&store->request, "TIME");
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &until, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &time, error);
    if (code != VF_OK)
        goto out;
    if (until->type == REDIS_REPLY_ERROR)
        code = vf_redis_fail_reply(store, "HGET of progress", until, error);
    else if (time->type == REDIS_REPLY_ERROR)
        code = vf_redis_fail_reply(store, "TIME", time, error);
    else if (time->type != REDIS_REPLY_ARRAY || time->elements != 2 ||
             !vf_redis_parse_int(vf_redis_bytes(time->element[0]), &seconds))
        code = vf_redis_fail_form(store, "TIME", error);
    int64_t micros = 0;
    if (code == VF_OK && vf_redis_parse_int(vf_redis_bytes(time->element[1]), &micros))
        *ret_frozen = until->type == REDIS_REPLY_STRING && vf_redis_parse_int(vf_redis_bytes(until), &until_ms) &&
                      until_ms > seconds * 1000 + micros / 1000;
out:
    freeReplyObject(until);
    freeReplyObject(time);
    return code;
}

enum vf_code vf_redis_state(struct vf_store *store, const char *view, struct vf_view_state *ret_state,
                            struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view, 0);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "GET");
    vf_redis_request_add(&store->request, store->keys.pointer);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "GET of the pointer", deadline_ms, &reply, error);
    if (code != VF_OK)
        return code;
    struct vf_view_state state = {0};
    int64_t active = 0;
    bool there = reply->type == REDIS_REPLY_STRING;
    bool fine = !there || (vf_redis_parse_int(vf_redis_bytes(reply), &active) && active > 0 && active <= INT32_MAX);
    freeReplyObject(reply);
    if (!fine)
        return vf_fail(error, VF_E_CONFIG, "%s: key %.*s is not a generation's number; it was not written by viewfold",
                       store->label, (int)store->keys.pointer.size, store->keys.pointer.data);
    state.active = (int32_t)active;
    if (there)
        code = ask_frozen(store, view, state.active, deadline_ms, &state.frozen, error);
    if (code == VF_OK)
        *ret_state = state;
    return code;
}
