/*
 * Generations: the registry's entries (JSON in a hash), the stored scripts, and the readers' pointer. All three are made by
 * one function call, so there is no half-way to mend but what somebody removed by hand.
 */
#include "connectors/redis/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void add_json_text(struct vf_buffer *out, const char *head, const char *text)
{
    vf_buffer_add_text(out, head);
    vf_json_print_string(out, vf_bytes_from(text));
}

/* Keys sorted. */
static void print_entry(struct vf_buffer *out, const struct vf_generation *generation)
{
    vf_buffer_printf(out, "{\"created_ms\":%" PRId64 ",\"format\":%d,\"projection_version\":%" PRId64,
                     generation->created_ms, (int)generation->format, generation->projection_version);
    add_json_text(out, ",\"script\":", generation->script);
    add_json_text(out, ",\"script_hash\":", generation->script_hash);
    add_json_text(out, ",\"state\":", generation->state);
    vf_buffer_add_char(out, '}');
}

static bool member_int(struct vf_json entry, const char *name, int64_t *ret_number)
{
    struct vf_json value;
    if (!vf_json_member(entry, vf_bytes_from(name), &value) || vf_json_type(value) != VF_JSON_INT)
        return false;
    *ret_number = vf_json_int(value);
    return true;
}

static bool member_text(struct vf_json entry, const char *name, struct vf_arena *arena, const char **ret_text)
{
    struct vf_json value;
    if (!vf_json_member(entry, vf_bytes_from(name), &value) || vf_json_type(value) != VF_JSON_STRING)
        return false;
    *ret_text = vf_arena_copy(arena, vf_json_string(value)).data;
    return true;
}

static enum vf_code fail_newer(struct vf_store *store, struct vf_bytes format, struct vf_error *error)
{
    return vf_fail(
        error, VF_E_CONFIG,
        "%s: %.*s has format %.*s, and this viewfold knows formats up to %d: a newer viewfold has written here; use that "
        "one",
        store->label, (int)store->keys.registry.size, store->keys.registry.data, (int)format.size, format.data,
        VF_FORMAT);
}

static enum vf_code read_entry(struct vf_store *store, struct vf_bytes text, struct vf_arena *arena,
                               struct vf_generation *generation, struct vf_error *error)
{
    struct vf_json entry;
    struct vf_error detail;
    int64_t format = 0;
    const char *hash = NULL;
    bool fine = vf_json_parse(store->parser, text, &entry, &detail) == VF_OK && member_int(entry, "format", &format);
    if (fine && format > VF_FORMAT) {
        char digits[24];
        int size = snprintf(digits, sizeof(digits), "%" PRId64, format);
        return fail_newer(store, vf_bytes(digits, (size_t)size), error);
    }
    fine = fine && member_int(entry, "created_ms", &generation->created_ms) &&
           member_int(entry, "projection_version", &generation->projection_version) &&
           member_text(entry, "script", arena, &generation->script) &&
           member_text(entry, "state", arena, &generation->state) && member_text(entry, "script_hash", arena, &hash) &&
           strlen(hash) < sizeof(generation->script_hash);
    if (!fine)
        return vf_fail(error, VF_E_CONFIG, "%s: %.*s: the entry of generation %d cannot be read: %.*s", store->label,
                       (int)store->keys.registry.size, store->keys.registry.data, (int)generation->number,
                       text.size < 200 ? (int)text.size : 200, text.data);
    generation->format = (int32_t)format;
    memcpy(generation->script_hash, hash, strlen(hash) + 1);
    return VF_OK;
}

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
        code = read_entry(store, vf_redis_bytes(entry), arena, &generation, error);
    if (code == VF_OK)
        code = read_files(store, script, arena, &generation, error);
    if (code == VF_OK)
        *ret_generation = generation;
out:
    freeReplyObject(entry);
    freeReplyObject(script);
    return code;
}

static void add_prepare(struct vf_store *store, const struct vf_generation *proposed)
{
    struct vf_redis_request *request = &store->request;
    const struct vf_redis_keys *keys = &store->keys;
    const struct vf_bytes sample = VF_LITERAL("x");
    vf_buffer_clear(&store->value);
    print_entry(&store->value, proposed);
    vf_redis_request_begin(request, 3 + 8 + 4 + 2 * proposed->file_count);
    vf_redis_request_add_text(request, "FCALL");
    vf_redis_request_add_text(request, store->function_prepare);
    vf_redis_request_add_int(request, 8);
    vf_redis_request_add(request, keys->pointer);
    vf_redis_request_add(request, keys->registry);
    vf_redis_request_add(request, keys->script);
    vf_redis_request_add(request, keys->progress);
    vf_redis_request_add(request, keys->stopped);
    vf_redis_request_add_joined(request, keys->document, sample);
    vf_redis_request_add_joined(request, keys->husk, sample);
    vf_redis_request_add_joined(request, keys->aggregate, sample);
    vf_redis_request_add_int(request, proposed->number);
    vf_redis_request_add(request, vf_bytes(store->value.data, store->value.size));
    vf_redis_request_add_text(request, proposed->script_hash);
    vf_redis_request_add_int(request, VF_FORMAT);
    for (size_t i = 0; i < proposed->file_count; i++) {
        vf_redis_request_add(request, proposed->files[i].name);
        vf_redis_request_add(request, proposed->files[i].text);
    }
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
        return fail_newer(store, parts[1], error);
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
