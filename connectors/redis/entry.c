/*
 * A generation's entry in the registry: JSON, keys sorted.
 */
#include "connectors/redis/internal.h"

#include <inttypes.h>
#include <stdio.h>

/* --- printing ---------------------------------------------------------------------------------------------------- */

static void add_json_text(struct vf_buffer *out, const char *head, const char *text)
{
    vf_buffer_add_text(out, head);
    vf_json_print_string(out, vf_bytes_from(text));
}

static void print_adoption_head(struct vf_buffer *out, int64_t adopted_ms, const char *from_hash)
{
    vf_buffer_printf(out, "{\"adopted_ms\":%" PRId64, adopted_ms);
    add_json_text(out, ",\"from\":", from_hash);
    vf_buffer_add_text(out, ",\"positions\":{");
}

static void print_adoption_tail(struct vf_buffer *out, const char *to_hash)
{
    add_json_text(out, "},\"to\":", to_hash);
    vf_buffer_add_char(out, '}');
}

static void print_adoption(struct vf_buffer *out, const struct vf_adoption *adoption)
{
    struct vf_buffer name;
    vf_buffer_init(&name);
    print_adoption_head(out, adoption->adopted_ms, adoption->from_hash);
    for (size_t i = 0; i < adoption->position_count; i++) {
        const struct vf_reached *one = &adoption->positions[i];
        vf_buffer_clear(&name);
        vf_buffer_printf(&name, "%s/%d", one->partition.topic, (int)one->partition.partition);
        add_json_text(out, i ? "," : "", name.data);
        vf_buffer_printf(out, ":%" PRId64, one->next);
    }
    print_adoption_tail(out, adoption->to_hash);
    vf_buffer_done(&name);
}

/* What follows the adoptions. */
static void print_rest(struct vf_buffer *out, const struct vf_generation *generation)
{
    char stamp[VF_STAMP_TEXT_BYTES];
    vf_stamp_print(stamp, generation->stamp);
    vf_buffer_printf(out, "\"created_ms\":%" PRId64, generation->created_ms);
    if (generation->follows_drop)
        vf_buffer_add_text(out, ",\"follows_drop\":true");
    vf_buffer_printf(out, ",\"format\":%d,\"projection_version\":%" PRId64, (int)generation->format,
                     generation->projection_version);
    add_json_text(out, ",\"script\":", generation->script);
    add_json_text(out, ",\"script_hash\":", generation->script_hash);
    vf_buffer_printf(out, ",\"stamp\":\"%s\"", stamp);
    add_json_text(out, ",\"state\":", generation->state);
    vf_buffer_add_char(out, '}');
}

static void print_adoptions(struct vf_buffer *out, const struct vf_generation *generation, size_t most)
{
    size_t count = generation->adoption_count < most ? generation->adoption_count : most;
    for (size_t i = generation->adoption_count - count; i < generation->adoption_count; i++) {
        print_adoption(out, &generation->adoptions[i]);
        vf_buffer_add_char(out, ',');
    }
}

void vf_redis_entry_add(struct vf_store *store, const struct vf_generation *generation)
{
    struct vf_buffer *out = &store->value;
    vf_buffer_clear(out);
    vf_buffer_add_char(out, '{');
    if (generation->adoption_count > 0) {
        vf_buffer_add_text(out, "\"adoptions\":[");
        print_adoptions(out, generation, VF_ADOPTIONS_MAX);
        out->size--; /* the last comma */
        vf_buffer_add_text(out, "],");
    }
    print_rest(out, generation);
    vf_redis_request_add(&store->request, vf_bytes(out->data, out->size));
}

void vf_redis_entry_add_adopted(struct vf_store *store, const struct vf_generation *base,
                                const struct vf_generation *next)
{
    struct vf_generation entry = *next;
    struct vf_buffer *out = &store->value;
    entry.state = base->state;
    entry.created_ms = base->created_ms;
    entry.format = base->format;
    entry.follows_drop = base->follows_drop;
    vf_buffer_clear(out);
    vf_buffer_add_text(out, "{\"adoptions\":[");
    print_adoptions(out, base, VF_ADOPTIONS_MAX - 1);
    print_adoption_head(out, next->created_ms, base->script_hash);
    vf_redis_request_add(&store->request, vf_bytes(out->data, out->size));
    vf_buffer_clear(out);
    print_adoption_tail(out, next->script_hash);
    vf_buffer_add_text(out, "],");
    print_rest(out, &entry);
    vf_redis_request_add(&store->request, vf_bytes(out->data, out->size));
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

bool vf_redis_member_int(struct vf_json entry, const char *name, int64_t *ret_number)
{
    struct vf_json value;
    if (!vf_json_member(entry, vf_bytes_from(name), &value) || vf_json_type(value) != VF_JSON_INT)
        return false;
    *ret_number = vf_json_int(value);
    return true;
}

bool vf_redis_member_text(struct vf_json entry, const char *name, struct vf_arena *arena, struct vf_bytes *ret_text)
{
    struct vf_json value;
    if (!vf_json_member(entry, vf_bytes_from(name), &value) || vf_json_type(value) != VF_JSON_STRING)
        return false;
    *ret_text = vf_arena_copy(arena, vf_json_string(value));
    return true;
}

static bool member_hash(struct vf_json entry, const char *name, char ret_hash[65])
{
    struct vf_json value;
    if (!vf_json_member(entry, vf_bytes_from(name), &value) || vf_json_type(value) != VF_JSON_STRING ||
        vf_json_string(value).size > 64)
        return false;
    snprintf(ret_hash, 65, "%.*s", (int)vf_json_string(value).size, vf_json_string(value).data);
    return true;
}

static bool read_positions(struct vf_json list, struct vf_arena *arena, struct vf_adoption *adoption)
{
    struct vf_bytes name;
    struct vf_json value;
    size_t count = 0;
    for (struct vf_json_iterator i = vf_json_iterate(list); vf_json_next(&i, &name, &value);)
        count++;
    struct vf_reached *positions = vf_arena_calloc(arena, count, sizeof(*positions));
    count = 0;
    for (struct vf_json_iterator i = vf_json_iterate(list); vf_json_next(&i, &name, &value);) {
        if (vf_json_type(value) != VF_JSON_INT || !vf_redis_read_partition(name, arena, &positions[count].partition))
            return false;
        positions[count++].next = vf_json_int(value);
    }
    adoption->positions = positions;
    adoption->position_count = count;
    return true;
}

static bool read_adoptions(struct vf_json entry, struct vf_arena *arena, struct vf_generation *generation)
{
    struct vf_json list, value, positions;
    if (!vf_json_member(entry, VF_LITERAL("adoptions"), &list))
        return true;
    if (vf_json_type(list) != VF_JSON_ARRAY)
        return false;
    size_t count = 0;
    for (struct vf_json_iterator i = vf_json_iterate(list); vf_json_next(&i, NULL, &value);)
        count++;
    struct vf_adoption *adoptions = vf_arena_calloc(arena, count, sizeof(*adoptions));
    count = 0;
    for (struct vf_json_iterator i = vf_json_iterate(list); vf_json_next(&i, NULL, &value);) {
        struct vf_adoption *one = &adoptions[count++];
        if (!vf_redis_member_int(value, "adopted_ms", &one->adopted_ms) ||
            !member_hash(value, "from", one->from_hash) || !member_hash(value, "to", one->to_hash) ||
            !vf_json_member(value, VF_LITERAL("positions"), &positions) || vf_json_type(positions) != VF_JSON_OBJECT ||
            !read_positions(positions, arena, one))
            return false;
    }
    generation->adoptions = adoptions;
    generation->adoption_count = count;
    return true;
}

enum vf_code vf_redis_entry_fail_newer(struct vf_store *store, struct vf_bytes format, struct vf_error *error)
{
    return vf_fail(
        error, VF_E_CONFIG,
        "%s: %.*s has format %.*s, and this viewfold knows formats up to %d: a newer viewfold has written here; use that "
        "one",
        store->label, (int)store->keys.registry.size, store->keys.registry.data, (int)format.size, format.data,
        VF_FORMAT);
}

enum vf_code vf_redis_entry_read(struct vf_store *store, struct vf_bytes text, struct vf_arena *arena,
                                 struct vf_generation *generation, struct vf_error *error)
{
    struct vf_json entry, flag;
    struct vf_error detail;
    int64_t format = 0;
    struct vf_bytes script = {NULL, 0}, state = {NULL, 0}, stamp = {NULL, 0};
    bool fine =
        vf_json_parse(store->parser, text, &entry, &detail) == VF_OK && vf_redis_member_int(entry, "format", &format);
    if (fine && format > VF_FORMAT) {
        char digits[24];
        int size = snprintf(digits, sizeof(digits), "%" PRId64, format);
        return vf_redis_entry_fail_newer(store, vf_bytes(digits, (size_t)size), error);
    }
    fine = fine && vf_redis_member_int(entry, "created_ms", &generation->created_ms) &&
           vf_redis_member_int(entry, "projection_version", &generation->projection_version) &&
           vf_redis_member_text(entry, "script", arena, &script) &&
           vf_redis_member_text(entry, "state", arena, &state) &&
           member_hash(entry, "script_hash", generation->script_hash) &&
           vf_redis_member_text(entry, "stamp", arena, &stamp) && vf_stamp_parse(stamp, &generation->stamp) &&
           read_adoptions(entry, arena, generation);
    if (!fine)
        return vf_fail(error, VF_E_CONFIG, "%s: %.*s: the entry of generation %d cannot be read: %.*s", store->label,
                       (int)store->keys.registry.size, store->keys.registry.data, (int)generation->number,
                       text.size < 200 ? (int)text.size : 200, text.data);
    generation->script = script.data;
    generation->state = state.data;
    generation->format = (int32_t)format;
    generation->follows_drop = vf_json_member(entry, VF_LITERAL("follows_drop"), &flag) &&
                               vf_json_type(flag) == VF_JSON_BOOL && vf_json_bool(flag);
    return VF_OK;
}
