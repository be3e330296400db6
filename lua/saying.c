#include "lua/saying.h"

#include <stdio.h>

#define NAME_BYTES_MAX   100
#define PARENT_BYTES_MAX 200

struct vf_lua_place vf_lua_place_in(const struct vf_projector *projector, const char *parents, const char *name)
{
    struct vf_bytes script = projector->file_count ? projector->files[0].text : (struct vf_bytes){0};
    struct vf_lua_place from = {0, 0};
    while (parents && *parents) {
        char parent[PARENT_BYTES_MAX];
        size_t size = strcspn(parents, ".");
        snprintf(parent, sizeof parent, "%.*s", (int)(size < sizeof parent ? size : sizeof parent - 1), parents);
        struct vf_lua_place place = vf_lua_place_of(script, parent, from);
        if (!place.line)
            return from;
        from = place;
        parents += size + (parents[size] == '.');
    }
    struct vf_lua_place place = vf_lua_place_of(script, name, from);
    return place.line ? place : from;
}

void vf_lua_complain(lua_State *L, const char *parents, const char *name, const char *format, ...)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_lua_place place = vf_lua_place_in(projector, parents, name);
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    vf_lua_print(text, sizeof text, format, arguments);
    va_end(arguments);
    if (projector->lint)
        vf_lua_lint_add(projector, projector->main_name, place, false, text);
    else if (place.line)
        vf_lua_raise(L, "%s:%d: %s", projector->main_name, place.line, text);
    else
        vf_lua_raise(L, "%s: %s", projector->main_name, text);
}

void vf_lua_remark(lua_State *L, const char *parents, const char *name, const char *format, ...)
{
    struct vf_projector *projector = vf_lua_projector(L);
    char text[768];
    if (!projector->lint)
        return;
    va_list arguments;
    va_start(arguments, format);
    vf_lua_print(text, sizeof text, format, arguments);
    va_end(arguments);
    vf_lua_lint_add(projector, projector->main_name, vf_lua_place_in(projector, parents, name), true, text);
}

int vf_lua_push_field(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    return lua_rawget(L, table);
}

void vf_lua_push_required(lua_State *L, int table, const char *name, int type, const char *what)
{
    int found = vf_lua_push_field(L, table, name);
    if (found == LUA_TNIL)
        vf_lua_wrong(L, name, "`%s` is missing: %s", name, what);
    if (found == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == &vf_lua_projector(L)->own_token)
        vf_lua_wrong(L, name, "`%s` is own, which is the route of one kind, and a %s is wanted: %s", name,
                     lua_typename(L, type), what);
    if (found != type)
        vf_lua_wrong(L, name, "`%s` is a %s, and a %s is wanted: %s", name, lua_typename(L, found),
                     lua_typename(L, type), what);
}

bool vf_lua_is_plain_name(const char *name, size_t size)
{
    if (size == 0 || size > NAME_BYTES_MAX || name[0] < 'a' || name[0] > 'z')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
            return false;
    return true;
}
