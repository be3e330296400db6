#include "core/version_more.h"

#include "core/body.h"

#include <assert.h>

void vf_event_ids_add(struct vf_buffer *packed, struct vf_bytes id)
{
    assert(id.size > 0 && id.size <= VF_ID_BYTES_MAX);
    uint16_t size = (uint16_t)id.size;
    vf_buffer_add(packed, &size, sizeof size);
    vf_buffer_add_bytes(packed, id);
}

size_t vf_version_more_bytes(const struct vf_version_more *more)
{
    return more ? sizeof *more + more->text.size + more->ids.size : 0;
}

struct vf_version_more *vf_version_more_copy(struct vf_arena *arena, const struct vf_version_more *more)
{
    if (!more || more->text.size + more->ids.size == 0)
        return NULL;
    size_t size = vf_version_more_bytes(more);
    struct vf_version_more *copy = arena ? vf_arena_alloc(arena, size) : vf_alloc(size);
    *copy = *more;
    char *bytes = (char *)(copy + 1);
    if (more->text.size)
        memcpy(bytes, more->text.data, more->text.size);
    if (more->ids.size)
        memcpy(bytes + more->text.size, more->ids.data, more->ids.size);
    copy->text.data = bytes;
    copy->ids.data = bytes + more->text.size;
    return copy;
}

bool vf_version_more_equal(const struct vf_version_more *a, const struct vf_version_more *b)
{
    if (!a || !b)
        return a == b;
    return a->is_window == b->is_window && a->id_count == b->id_count && vf_bytes_equal(a->text, b->text) &&
           vf_bytes_equal(a->ids, b->ids);
}

/* --- as JSON ------------------------------------------------------------------------------------------------------ */

void vf_version_print(struct vf_buffer *out, int64_t version, const struct vf_version_more *more)
{
    if (!more) {
        vf_buffer_add_int(out, version);
        return;
    }
    if (more->text.size) {
        vf_json_print_string(out, more->text);
        return;
    }
    vf_buffer_add_char(out, '[');
    vf_buffer_add_int(out, version);
    vf_buffer_add_text(out, more->is_window ? ",[" : ",");
    struct vf_bytes rest = more->ids, id;
    while (vf_event_ids_next(&rest, &id)) {
        vf_json_print_string(out, id);
        if (rest.size)
            vf_buffer_add_char(out, ',');
    }
    vf_buffer_add_text(out, more->is_window ? "]]" : "]");
}

static bool read_text(struct vf_json json, struct vf_bytes *ret_text)
{
    if (vf_json_type(json) != VF_JSON_STRING)
        return false;
    *ret_text = vf_json_string(json);
    return ret_text->size > 0 && ret_text->size <= VF_ID_BYTES_MAX;
}

/* The strings that the iterator has not passed yet: one at least. */
static bool read_ids(struct vf_json_iterator iterator, struct vf_buffer *packed, uint32_t *ret_count)
{
    struct vf_json item;
    struct vf_bytes id;
    uint32_t count = 0;
    for (; vf_json_next(&iterator, NULL, &item); count++) {
        if (count == VF_REPEATS_MAX || !read_text(item, &id))
            return false;
        vf_event_ids_add(packed, id);
    }
    *ret_count = count;
    return count > 0;
}

/* [7,"id",…] or [1043,["id",…]] */
static bool read_with_ids(struct vf_json json, struct vf_buffer *packed, int64_t *ret_version,
                          struct vf_version_more *more)
{
    struct vf_json item;
    struct vf_json_iterator iterator = vf_json_iterate(json);
    if (!vf_json_next(&iterator, NULL, &item) || vf_json_type(item) != VF_JSON_INT)
        return false;
    *ret_version = vf_json_int(item);
    struct vf_json_iterator ids = iterator;
    if (vf_json_next(&iterator, NULL, &item) && vf_json_type(item) == VF_JSON_ARRAY) {
        more->is_window = true;
        ids = vf_json_iterate(item);
        if (vf_json_next(&iterator, NULL, &item))
            return false;
    }
    return read_ids(ids, packed, &more->id_count);
}

bool vf_version_read(struct vf_json json, struct vf_arena *arena, int64_t *ret_version,
                     const struct vf_version_more **ret_more)
{
    struct vf_version_more more = {0};
    int64_t version = 0;
    bool readable = false;
    struct vf_buffer packed;
    switch (vf_json_type(json)) {
    case VF_JSON_INT:
        *ret_version = vf_json_int(json);
        *ret_more = NULL;
        return true;
    case VF_JSON_STRING: readable = read_text(json, &more.text); break;
    case VF_JSON_ARRAY:
        vf_buffer_init(&packed);
        readable = read_with_ids(json, &packed, &version, &more);
        more.ids = vf_bytes(packed.data, packed.size);
        if (readable) {
            *ret_version = version;
            *ret_more = vf_version_more_copy(arena, &more);
        }
        vf_buffer_done(&packed);
        return readable;
    default: break;
    }
    if (readable) {
        *ret_version = 0;
        *ret_more = vf_version_more_copy(arena, &more);
    }
    return readable;
}
