/*
 * Generations that change: adopted, or dropped. One function call each; a removal takes as many as it needs, and each of them
 * goes by the stamp that it began with.
 */
#include "connectors/redis/internal.h"

#include <stdlib.h>

/* Keys that one SCAN looks at, about. */
#define SCAN_COUNT 1000

static void add_function(struct vf_store *store, const char *function, size_t keys)
{
    vf_redis_request_begin_uncounted(&store->request);
    vf_redis_request_add_text(&store->request, "FCALL");
    vf_redis_request_add_text(&store->request, function);
    vf_redis_request_add_int(&store->request, (int64_t)keys);
}

void vf_redis_add_stamp(struct vf_redis_request *request, uint64_t stamp)
{
    char text[VF_STAMP_TEXT_BYTES];
    vf_stamp_print(text, stamp);
    vf_redis_request_add(request, vf_bytes(text, VF_STAMP_TEXT_BYTES - 1));
}

void vf_redis_add_files(struct vf_redis_request *request, const struct vf_generation *generation)
{
    for (size_t i = 0; i < generation->file_count; i++) {
        vf_redis_request_add(request, generation->files[i].name);
        vf_redis_request_add(request, generation->files[i].text);
    }
}

/* Calls the function in the store's request. *ret_done false: the entry was another one. */
static enum vf_code call_function(struct vf_store *store, const char *what, bool *ret_done, int64_t *ret_number,
                                  struct vf_error *error)
{
    redisReply *reply = NULL;
    vf_redis_request_end_uncounted(&store->request);
    enum vf_code code = vf_redis_ask_function(store, what, vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    struct vf_bytes parts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    for (size_t i = 0; i < 3 && i < reply->elements; i++)
        parts[i] = vf_redis_bytes(reply->element[i]);
    if (vf_bytes_is(parts[0], "ok") || vf_bytes_is(parts[0], "superseded")) {
        *ret_done = vf_bytes_is(parts[0], "ok");
        if (ret_number)
            *ret_number = reply->elements > 1 ? reply->element[1]->integer : 0;
    } else if (vf_bytes_is(parts[0], "wrong") || vf_bytes_is(parts[0], "denied")) {
        code = vf_redis_fail_answer(store, parts[0], parts[1], parts[2], error);
    } else {
        code = vf_redis_fail_form(store, what, error);
    }
    freeReplyObject(reply);
    return code;
}

enum vf_code vf_redis_adopt(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                            const struct vf_generation *next, bool *ret_done, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation base;
    enum vf_code code = vf_redis_generation(store, view, arena, &base, error);
    if (code == VF_OK && base.stamp != base_stamp) {
        *ret_done = false;
    } else if (code == VF_OK) {
        vf_redis_begin(store);
        add_function(store, store->function_adopt, 3);
        vf_redis_request_add(&store->request, store->keys.registry);
        vf_redis_request_add(&store->request, store->keys.script);
        vf_redis_request_add(&store->request, store->keys.progress);
        vf_redis_request_add_int(&store->request, view.generation);
        vf_redis_add_stamp(&store->request, base_stamp);
        vf_redis_add_stamp(&store->request, next->stamp);
        vf_redis_entry_add_adopted(store, &base, next);
        vf_redis_add_files(&store->request, next);
        code = call_function(store, "FCALL (adopting a script)", ret_done, NULL, error);
    }
    vf_arena_free(arena);
    return code;
}

/* --- dropping ---------------------------------------------------------------------------------------------------- */

/* The view's entry as it is, with `stamp` or another state; or *ret_done false, where it is not base_stamp's any more. */
static enum vf_code base_entry(struct vf_store *store, struct vf_view view, uint64_t base_stamp, struct vf_arena *arena,
                               struct vf_generation *ret_base, bool *ret_done, struct vf_error *error)
{
    struct vf_generation *all;
    size_t count;
    enum vf_code code = vf_redis_generations(store, view.name, arena, &all, &count, error);
    *ret_done = false;
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        if (all[i].number != view.generation || all[i].stamp != base_stamp)
            continue;
        *ret_base = all[i];
        *ret_done = true;
    }
    return code;
}

enum vf_code vf_redis_drop_begin(struct vf_store *store, struct vf_view view, uint64_t base_stamp, uint64_t stamp,
                                 bool *ret_done, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation entry;
    enum vf_code code = base_entry(store, view, base_stamp, arena, &entry, ret_done, error);
    if (code == VF_OK && *ret_done) {
        entry.state = VF_GENERATION_DROPPING;
        entry.stamp = stamp;
        vf_redis_begin(store);
        vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
        add_function(store, store->function_drop_begin, 4);
        vf_redis_request_add(&store->request, store->keys.pointer);
        vf_redis_request_add(&store->request, store->keys.registry);
        vf_redis_request_add(&store->request, store->keys.script);
        vf_redis_request_add(&store->request, store->keys.progress);
        vf_redis_request_add_int(&store->request, view.generation);
        vf_redis_add_stamp(&store->request, base_stamp);
        vf_redis_add_stamp(&store->request, stamp);
        vf_redis_entry_add(store, &entry);
        code = call_function(store, "FCALL (beginning to drop a generation)", ret_done, NULL, error);
    }
    if (code == VF_OK)
        snprintf(store->drop_cursor, sizeof(store->drop_cursor), "0");
    store->drop_scanned = false;
    vf_arena_free(arena);
    return code;
}

/* SCAN's pattern for all keys of the view; what has a meaning in patterns stands for itself. */
static void add_pattern(struct vf_store *store, struct vf_view view)
{
    struct vf_buffer *out = &store->value;
    vf_buffer_clear(out);
    for (const char *c = store->prefix; *c; c++) {
        /* GUARD redis-scan-escape: a prefix with a star in it names other views' keys */
        if (strchr("*?[]^-\\", *c))
            vf_buffer_add_char(out, '\\');
        vf_buffer_add_char(out, *c);
    }
    vf_buffer_printf(out, "%s[:@#]*", view.name);
    vf_redis_request_add(&store->request, vf_bytes(out->data, out->size));
}

static bool begins_with(struct vf_bytes key, struct vf_bytes head)
{
    return key.size > head.size && memcmp(key.data, head.data, head.size) == 0;
}

/* An index's key: what stands before the name, the name, the generation, and with `by` the value. */
static bool is_index(const struct vf_redis_keys *keys, int32_t generation, struct vf_bytes key)
{
    char number[16];
    if (!begins_with(key, keys->index))
        return false;
    size_t at = keys->index.size;
    while (at < key.size && key.data[at] != ':')
        at++;
    int digits = snprintf(number, sizeof(number), ":%d", (int)generation);
    size_t end = at + (size_t)digits;
    return end <= key.size && memcmp(key.data + at, number, (size_t)digits) == 0 &&
           (end == key.size || key.data[end] == ':');
}

/* What of the scanned keys is the generation's: documents first, then the rest. */
static size_t add_found(struct vf_store *store, int32_t generation, const redisReply *keys, size_t *ret_documents,
                        bool add)
{
    size_t counts[2] = {0, 0};
    for (int rest = 0; rest < 2; rest++) {
        for (size_t i = 0; i < keys->elements; i++) {
            struct vf_bytes key = vf_redis_bytes(keys->element[i]);
            /* The pattern is only a filter. */
            bool ours = begins_with(key, rest ? store->keys.side : store->keys.document);
            /* GUARD redis-drop-index: what is built anew is found by what was dropped */
            if (!ours && !(rest && is_index(&store->keys, generation, key)))
                continue;
            /* GUARD redis-drops-stay: what an operator has left out for good comes back when the view is built anew */
            if (rest && vf_bytes_equal(key, store->keys.drops))
                continue;
            /* Progress holds what fences old workers: it goes last, and the notes with it. */
            if (rest && (vf_bytes_equal(key, store->keys.progress) || vf_bytes_equal(key, store->keys.stopped)))
                continue;
            counts[rest]++;
            if (add)
                vf_redis_request_add(&store->request, key);
        }
    }
    *ret_documents = counts[0];
    return counts[0] + counts[1];
}

static enum vf_code scan(struct vf_store *store, struct vf_view view, redisReply **ret_reply, struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(&store->request, 6);
    vf_redis_request_add_text(&store->request, "SCAN");
    vf_redis_request_add_text(&store->request, store->drop_cursor);
    vf_redis_request_add_text(&store->request, "MATCH");
    add_pattern(store, view);
    vf_redis_request_add_text(&store->request, "COUNT");
    vf_redis_request_add_int(&store->request, SCAN_COUNT);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "SCAN", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY ||
        vf_redis_bytes(reply->element[0]).size >= sizeof(store->drop_cursor)) {
        freeReplyObject(reply);
        return vf_redis_fail_form(store, "SCAN", error);
    }
    *ret_reply = reply;
    return VF_OK;
}

/* The arguments behind the keys. */
static void add_drop_arguments(struct vf_store *store, struct vf_view view, uint64_t stamp, size_t documents)
{
    vf_redis_request_add_int(&store->request, view.generation);
    vf_redis_add_stamp(&store->request, stamp);
    vf_redis_request_add_int(&store->request, (int64_t)documents);
    vf_redis_request_add_int(&store->request, (int64_t)store->keys.document.size);
}

static enum vf_code drop_scanned(struct vf_store *store, struct vf_view view, uint64_t stamp, enum vf_drop *ret_drop,
                                 size_t *ret_removed, struct vf_error *error)
{
    redisReply *found = NULL;
    bool done = false;
    int64_t removed = 0;
    enum vf_code code = scan(store, view, &found, error);
    if (code != VF_OK)
        return code;
    size_t documents, count = add_found(store, view.generation, found->element[1], &documents, false);
    vf_redis_request_clear(&store->request);
    add_function(store, store->function_drop_more, 1 + count);
    vf_redis_request_add(&store->request, store->keys.registry);
    (void)add_found(store, view.generation, found->element[1], &documents, true);
    add_drop_arguments(store, view, stamp, documents);
    vf_redis_request_add_text(&store->request, "");
    code = call_function(store, "FCALL (dropping a generation)", &done, &removed, error);
    if (code == VF_OK) {
        snprintf(store->drop_cursor, sizeof(store->drop_cursor), "%s", found->element[0]->str);
        store->drop_scanned = strcmp(store->drop_cursor, "0") == 0;
        *ret_removed = (size_t)removed;
        *ret_drop = done ? VF_DROP_MORE : VF_DROP_SUPERSEDED;
    }
    freeReplyObject(found);
    return code;
}

enum vf_code vf_redis_drop_more(struct vf_store *store, struct vf_view view, uint64_t stamp, int64_t now_ms,
                                enum vf_drop *ret_drop, size_t *ret_removed, struct vf_error *error)
{
    if (!store->drop_scanned)
        return drop_scanned(store, view, stamp, ret_drop, ret_removed, error);
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation entry;
    bool done = false;
    enum vf_code code = base_entry(store, view, stamp, arena, &entry, &done, error);
    if (code == VF_OK && done) {
        entry.state = VF_GENERATION_DROPPED;
        entry.created_ms = now_ms;
        vf_redis_begin(store);
        vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
        add_function(store, store->function_drop_more, 3);
        vf_redis_request_add(&store->request, store->keys.registry);
        vf_redis_request_add(&store->request, store->keys.progress);
        vf_redis_request_add(&store->request, store->keys.stopped);
        add_drop_arguments(store, view, stamp, 0);
        vf_redis_entry_add(store, &entry);
        code = call_function(store, "FCALL (dropping a generation)", &done, NULL, error);
    }
    if (code == VF_OK) {
        *ret_removed = 0;
        *ret_drop = done ? VF_DROP_DONE : VF_DROP_SUPERSEDED;
    }
    vf_arena_free(arena);
    return code;
}
