/*
 * Generations: the registry's entries (JSON in a hash), the stored scripts, and the readers' pointer. All three are made by
 * one function call, so there is no half-way to mend but what somebody removed by hand.
 */
#include "connectors/redis/internal.h"

#include <stdlib.h>

static int by_file_name(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_file *)a)->name, ((const struct vf_file *)b)->name);
}

static enum vf_code read_files(struct vf_store *store, const redisReply *reply, struct vf_arena *arena,
                               struct vf_generation *generation, struct vf_error *error)
{
    size_t count = reply->elements / 2;
    struct vf_file *files = vf_arena_calloc(arena, count, sizeof(*files));
    bool main_is_there = false;
    for (size_t i = 0; i < count; i++) {
        files[i].name = vf_arena_copy(arena, vf_redis_bytes(reply->element[2 * i]));
        files[i].text = vf_arena_copy(arena, vf_redis_bytes(reply->element[2 * i + 1]));
        main_is_there |= vf_bytes_is(files[i].name, generation->script);
    }
    if (!main_is_there)
        return vf_fail(error, VF_E_CONFIG,
                       "%s: %.*s does not hold %s, the script of generation %d; somebody removed it", store->label,
                       (int)store->keys.script.size, store->keys.script.data, generation->script,
                       (int)generation->number);
    if (count > 1)
        qsort(files, count, sizeof(*files), by_file_name);
    generation->files = files;
    generation->file_count = count;
    return VF_OK;
}

enum vf_code vf_redis_generation(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                 struct vf_generation *ret_generation, struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(&store->request, 3);
    vf_redis_request_add_text(&store->request, "HGET");
    vf_redis_request_add(&store->request, store->keys.registry);
    vf_redis_request_add_int(&store->request, view.generation);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "HGETALL");
    vf_redis_request_add(&store->request, store->keys.script);

    redisReply *entry = NULL, *script = NULL;
    struct vf_generation generation = {.number = view.generation};
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &entry, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &script, error);
    if (code != VF_OK)
        goto out;
    const redisReply *refused = entry->type == REDIS_REPLY_ERROR    ? entry
                                : script->type == REDIS_REPLY_ERROR ? script
                                                                    : NULL;
    if (refused)
        code = vf_redis_fail_reply(store, refused == entry ? "HGET of the registry" : "HGETALL of the script", refused,
                                   error);
    else if (entry->type == REDIS_REPLY_NIL)
        code = vf_fail(error, VF_E_NOT_FOUND, "%s: there is no generation %d of view %s", store->label,
                       (int)view.generation, view.name);
    else if (entry->type != REDIS_REPLY_STRING || script->type != REDIS_REPLY_ARRAY)
        code = vf_redis_fail_form(store, "HGET of the registry", error);
    if (code == VF_OK)
        code = vf_redis_entry_read(store, vf_redis_bytes(entry), arena, &generation, error);
    if (code == VF_OK && strcmp(generation.state, VF_GENERATION_ACTIVE) == 0)
        code = read_files(store, script, arena, &generation, error);
    if (code == VF_OK)
        *ret_generation = generation;
out:
    freeReplyObject(entry);
    freeReplyObject(script);
    return code;
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int32_t left = ((const struct vf_generation *)a)->number, right = ((const struct vf_generation *)b)->number;
    return (left > right) - (left < right);
}

enum vf_code vf_redis_generations(struct vf_store *store, const char *view, struct vf_arena *arena,
                                  struct vf_generation **ret_generations, size_t *ret_count, struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view, 0);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "HGETALL");
    vf_redis_request_add(&store->request, store->keys.registry);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "HGETALL of the registry", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    size_t count = reply->elements / 2;
    struct vf_generation *list = vf_arena_calloc(arena, count, sizeof(*list));
    for (size_t i = 0; i < count && code == VF_OK; i++) {
        int64_t number = 0;
        if (!vf_redis_parse_int(vf_redis_bytes(reply->element[2 * i]), &number) || number < 1 || number > INT32_MAX)
            code = vf_fail(error, VF_E_CONFIG,
                           "%s: key %.*s: field %.*s is no generation's number; it was not written by "
                           "viewfold",
                           store->label, (int)store->keys.registry.size, store->keys.registry.data,
                           (int)reply->element[2 * i]->len, reply->element[2 * i]->str);
        list[i].number = (int32_t)number;
        if (code == VF_OK)
            code = vf_redis_entry_read(store, vf_redis_bytes(reply->element[2 * i + 1]), arena, &list[i], error);
    }
    freeReplyObject(reply);
    if (code != VF_OK)
        return code;
    if (count > 1)
        qsort(list, count, sizeof(*list), by_number);
    *ret_generations = list;
    *ret_count = count;
    return VF_OK;
}

/* Of a dropped generation the progress hash is gone, and so is its field: the entry itself says. */
static enum vf_code entry_stamp(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp, bool *ret_there,
                                struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation *all;
    size_t count;
    bool there = false;
    enum vf_code code = vf_redis_generations(store, view.name, arena, &all, &count, error);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        if (all[i].number == view.generation) {
            *ret_stamp = all[i].stamp;
            there = true;
        }
    }
    if (code == VF_OK)
        *ret_there = there;
    vf_arena_free(arena);
    return code;
}

enum vf_code vf_redis_generation_stamp(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp,
                                       bool *ret_there, struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(&store->request, 3);
    vf_redis_request_add_text(&store->request, "HGET");
    vf_redis_request_add(&store->request, store->keys.progress);
    vf_redis_request_add_text(&store->request, "generation");
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "HGET of progress", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    uint64_t stamp = 0;
    bool there = reply->type == REDIS_REPLY_STRING;
    if (there && !vf_stamp_parse(vf_redis_bytes(reply), &stamp))
        code = vf_redis_fail_form(store, "HGET of progress", error);
    freeReplyObject(reply);
    if (code != VF_OK)
        return code;
    if (!there)
        return entry_stamp(store, view, ret_stamp, ret_there, error);
    *ret_stamp = stamp;
    *ret_there = true;
    return VF_OK;
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static void add_prepare(struct vf_store *store, const struct vf_generation *proposed)
{
    struct vf_redis_request *request = &store->request;
    const struct vf_redis_keys *keys = &store->keys;
    const struct vf_bytes sample = VF_LITERAL("x");
    struct vf_generation after_drop = *proposed;
    after_drop.follows_drop = true;
    vf_redis_request_begin(request, 3 + 10 + 6 + 2 * proposed->file_count);
    vf_redis_request_add_text(request, "FCALL");
    vf_redis_request_add_text(request, store->function_prepare);
    vf_redis_request_add_int(request, 10);
    vf_redis_request_add(request, keys->pointer);
    vf_redis_request_add(request, keys->registry);
    vf_redis_request_add(request, keys->script);
    vf_redis_request_add(request, keys->progress);
    vf_redis_request_add(request, keys->stopped);
    vf_redis_request_add_joined(request, keys->document, sample);
    vf_redis_request_add_joined(request, keys->husk, sample);
    vf_redis_request_add_joined(request, keys->aggregate, sample);
    vf_redis_request_add(request, keys->expires);
    vf_redis_request_add(request, keys->drops);
    vf_redis_request_add_int(request, proposed->number);
    vf_redis_entry_add(store, proposed);
    vf_redis_request_add_text(request, proposed->script_hash);
    vf_redis_request_add_int(request, VF_FORMAT);
    vf_redis_add_stamp(request, proposed->stamp);
    if (proposed->again)
        vf_redis_request_add_text(request, "");
    else
        vf_redis_entry_add(store, &after_drop);
    vf_redis_add_files(request, proposed);
}

static enum vf_code take_prepared(struct vf_store *store, const redisReply *reply, bool *ret_created,
                                  struct vf_error *error)
{
    struct vf_bytes parts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    for (size_t i = 0; i < 3 && i < reply->elements; i++)
        parts[i] = vf_redis_bytes(reply->element[i]);
    if (vf_bytes_is(parts[0], "ok") && reply->elements == 2) {
        *ret_created = reply->element[1]->integer == 1;
        return VF_OK;
    }
    if (vf_bytes_is(parts[0], "newer"))
        return vf_redis_entry_fail_newer(store, parts[1], error);
    if (vf_bytes_is(parts[0], "wrong") || vf_bytes_is(parts[0], "denied"))
        return vf_redis_fail_answer(store, parts[0], parts[1], parts[2], error);
    return vf_redis_fail_form(store, "preparing a view", error);
}

enum vf_code vf_redis_prepare(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                              struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_created,
                              struct vf_error *error)
{
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view, proposed->number);
    add_prepare(store, proposed);
    redisReply *reply = NULL;
    bool created = false;
    enum vf_code code =
        vf_redis_ask_function(store, "FCALL (preparing the view)", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    code = take_prepared(store, reply, &created, error);
    freeReplyObject(reply);
    if (code == VF_OK)
        code = vf_redis_generation(store, (struct vf_view){view, proposed->number}, arena, ret_generation, error);
    if (code == VF_OK)
        *ret_created = created;
    return code;
}
