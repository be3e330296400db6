#include "lua/route.h"

#include "core/event_data.h"
#include "lua/event.h"

#include <lauxlib.h>
#include <stdlib.h>

struct ids {
    const struct vf_lua_way *way;
    const struct vf_event *event;
    struct vf_arena *arena;
    struct vf_bytes *list; /* in the arena */
    size_t count;
};

/* Why `id` is no document's id; NULL where it is. */
static const char *id_fault(struct vf_bytes id)
{
    if (id.size == 0)
        return "is empty";
    if (id.size > VF_ID_BYTES_MAX)
        return "is longer than 1024 bytes";
    if (memchr(id.data, '\0', id.size))
        return "holds a NUL";
    return vf_bytes_is_utf8(id) ? NULL : "is not UTF-8";
}

struct place {
    struct vf_bytes *id; /* in ids->list */
};

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    int order = vf_bytes_compare(*a->id, *b->id);
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* Takes repeats out; the first of each stays where it is. */
static void drop_repeats(struct ids *ids)
{
    if (ids->count < 2)
        return;
    struct place *sorted = vf_arena_alloc(ids->arena, ids->count * sizeof *sorted);
    for (size_t i = 0; i < ids->count; i++)
        sorted[i].id = &ids->list[i];
    qsort(sorted, ids->count, sizeof *sorted, compare_places);
    const struct vf_bytes *kept = sorted[0].id;
    for (size_t i = 1; i < ids->count; i++) {
        if (vf_bytes_equal(*kept, *sorted[i].id))
            sorted[i].id->size = 0; /* no id is empty: this one goes */
        else
            kept = sorted[i].id;
    }
    size_t count = 0;
    for (size_t i = 0; i < ids->count; i++)
        if (ids->list[i].size > 0)
            ids->list[count++] = ids->list[i];
    ids->count = count;
}

/* Fields */

static enum vf_code field_fault(const struct ids *ids, const char *what, struct vf_error *error)
{
    return vf_fail(error, VF_E_SCRIPT, "%s: `%s` of %.*s's data %s", ids->way->where, ids->way->path,
                   (int)ids->event->type.size, ids->event->type.data, what);
}

static enum vf_code add_json_id(struct ids *ids, struct vf_json value, struct vf_error *error)
{
    struct vf_bytes id;
    switch (vf_json_type(value)) {
    case VF_JSON_STRING: id = vf_arena_copy(ids->arena, vf_json_string(value)); break;
    case VF_JSON_INT: id = vf_arena_printf(ids->arena, "%lld", (long long)vf_json_int(value)); break;
    case VF_JSON_NULL:
        return field_fault(ids, "is null, and says no document (a function route may return nil)", error);
    default: return field_fault(ids, "is no string, integer or list of them", error);
    }
    const char *fault = id_fault(id);
    if (fault)
        return field_fault(ids, fault, error);
    ids->list[ids->count++] = id;
    return VF_OK;
}

/* The value at "a.b" below `value`. */
static bool at_path(struct vf_json value, const char *path, struct vf_json *ret_value)
{
    for (;;) {
        size_t size = strcspn(path, ".");
        if (!vf_json_member(value, vf_bytes(path, size), &value))
            return false;
        if (path[size] == '\0')
            break;
        path += size + 1;
    }
    *ret_value = value;
    return true;
}

static enum vf_code field_ids(struct vf_projector *projector, struct ids *ids, struct vf_error *error)
{
    const struct vf_event *event = ids->event;
    struct vf_json data, value, element;
    struct vf_error reason;
    bool has_data;
    if (vf_event_data(event, projector->parser, &has_data, &data, &reason) != VF_OK)
        return field_fault(ids, reason.text, error);
    if (!has_data)
        return field_fault(ids, "is missing: the event has no data", error);
    if (!at_path(data, ids->way->path, &value))
        return field_fault(ids, "is missing", error);
    if (vf_json_type(value) != VF_JSON_ARRAY) {
        ids->list = vf_arena_alloc(ids->arena, sizeof *ids->list);
        return add_json_id(ids, value, error);
    }
    size_t count = 0;
    struct vf_json_iterator iterator = vf_json_iterate(value);
    while (vf_json_next(&iterator, NULL, &element))
        count++;
    ids->list = vf_arena_alloc(ids->arena, count * sizeof *ids->list);
    iterator = vf_json_iterate(value);
    while (vf_json_next(&iterator, NULL, &element)) {
        enum vf_code code = add_json_id(ids, element, error);
        if (code != VF_OK)
            return code;
    }
    return VF_OK;
}

/* Functions */

/* The id on top of the stack; pops it. */
static void add_lua_id(lua_State *L, struct ids *ids)
{
    struct vf_bytes id;
    if (lua_type(L, -1) != LUA_TSTRING && !lua_isinteger(L, -1))
        vf_lua_raise(L, "%s: the function returned a %s: a string, a list of strings, or nil is wanted",
                     ids->way->where, luaL_typename(L, -1));
    id.data = lua_tolstring(L, -1, &id.size);
    const char *fault = id_fault(id);
    if (fault)
        vf_lua_raise(L, "%s: an id that the function returned %s", ids->way->where, fault);
    ids->list[ids->count++] = vf_arena_copy(ids->arena, id);
    lua_pop(L, 1);
}

static void add_lua_list(lua_State *L, struct ids *ids)
{
    vf_lua_push_contents(L, -1);
    size_t count = lua_rawlen(L, -1), keys = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        keys++;
    }
    if (keys != count)
        vf_lua_raise(L, "%s: the function returned a table that is no list of strings", ids->way->where);
    ids->list = vf_arena_alloc(ids->arena, count * sizeof *ids->list);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        add_lua_id(L, ids);
    }
}

static int run_route(lua_State *L)
{
    struct ids *ids = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ids->way->function);
    vf_lua_push_event(L);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1))
        return 0;
    if (lua_type(L, -1) == LUA_TTABLE) {
        add_lua_list(L, ids);
        return 0;
    }
    ids->list = vf_arena_alloc(ids->arena, sizeof *ids->list);
    add_lua_id(L, ids);
    return 0;
}

static enum vf_code function_ids(struct vf_projector *projector, struct ids *ids, struct vf_error *error)
{
    vf_lua_show_event(projector, ids->event, vf_bytes(NULL, 0));
    projector->running = ids->way->where;
    enum vf_code code = vf_lua_gate(projector, run_route, ids, error);
    vf_lua_hide_event(projector);
    return code;
}

enum vf_code vf_lua_route(struct vf_projector *projector, const struct vf_lua_way *way, bool one,
                          const struct vf_event *event, struct vf_arena *arena, struct vf_routed *ret_routed,
                          struct vf_error *error)
{
    struct ids ids = {.way = way, .event = event, .arena = arena};
    enum vf_code code = VF_OK;
    switch (way->kind) {
    case VF_WAY_UNREAD: break;
    case VF_WAY_OWN:
        ids.list = vf_arena_alloc(arena, sizeof *ids.list);
        ids.list[ids.count++] = event->id;
        break;
    case VF_WAY_FIELD:
    case VF_WAY_THROUGH: code = field_ids(projector, &ids, error); break;
    case VF_WAY_FUNCTION: code = function_ids(projector, &ids, error); break;
    }
    if (code != VF_OK)
        return code;
    drop_repeats(&ids);
    if (one && ids.count > 1)
        return vf_fail(error, VF_E_SCRIPT, "%s: a link leads to one document, and %.*s says %zu", way->where,
                       (int)event->type.size, event->type.data, ids.count);
    *ret_routed = (struct vf_routed){.ids = ids.list, .count = ids.count};
    if (way->kind == VF_WAY_THROUGH && ids.count == 1) {
        ret_routed->through = vf_arena_printf(arena, "%s/%.*s", way->through, (int)ids.list[0].size, ids.list[0].data);
        ret_routed->count = 0;
    }
    return VF_OK;
}
