/* The fields `on` and `upcast` of a projection's table: the functions that run for events, by type, and by kind and type. */
#include "lua/order.h"
#include "lua/projection.h"
#include "lua/saying.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const struct vf_lua_handler *a, struct vf_bytes kind, struct vf_bytes type)
{
    int order = vf_bytes_compare(a->type, type);
    return order ? order : vf_bytes_compare(a->kind, kind);
}

static int compare_handlers(const void *left, const void *right)
{
    const struct vf_lua_handler *b = right;
    return compare(left, b->kind, b->type);
}

static const struct vf_lua_handler *find(const struct vf_lua_handlers *handlers, struct vf_bytes kind,
                                         struct vf_bytes type)
{
    size_t low = 0, high = handlers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&handlers->list[middle], kind, type);
        if (order == 0)
            return &handlers->list[middle];
        if (order > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct vf_lua_handler *vf_lua_handler_of(const struct vf_projector *projector, const struct vf_event *event)
{
    const struct vf_lua_handler *handler = NULL;
    /* GUARD lua-kind-first: of two kinds that use one type's name, each has its own handler */
    if (projector->handlers.of_kinds)
        handler = find(&projector->handlers, event->kind, event->type);
    return handler ? handler : find(&projector->handlers, VF_LITERAL(""), event->type);
}

const struct vf_lua_handler *vf_lua_upcast_of(const struct vf_projector *projector, struct vf_bytes type)
{
    return find(&projector->upcasts, VF_LITERAL(""), type);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Where the function on top is defined. */
static char *function_place(lua_State *L)
{
    lua_Debug info;
    char text[LUA_IDSIZE + 20];
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &info);
    snprintf(text, sizeof text, "%s:%d", info.short_src, info.linedefined);
    return vf_strdup(text);
}

static struct vf_bytes copy(struct vf_bytes text)
{
    return vf_bytes(vf_strndup(text.size ? text.data : "", text.size), text.size);
}

/* The function on top, whose event type is below it. Takes both. */
static void add(lua_State *L, struct vf_lua_handlers *handlers, struct vf_bytes kind)
{
    struct vf_bytes type;
    type.data = lua_tolstring(L, -2, &type.size);
    handlers->list = vf_realloc(handlers->list, (handlers->count + 1) * sizeof *handlers->list);
    struct vf_lua_handler *handler = &handlers->list[handlers->count++];
    *handler = (struct vf_lua_handler){.kind = copy(kind), .type = copy(type), .where = function_place(L)};
    handler->function = luaL_ref(L, LUA_REGISTRYINDEX);
    handlers->of_kinds = handlers->of_kinds || kind.size > 0;
    lua_pop(L, 1);
}

static bool is_kind(const struct vf_projector *projector, struct vf_bytes name)
{
    for (size_t i = 0; i < projector->projection.route_count; i++)
        if (vf_bytes_is(name, projector->routes[i].kind))
            return true;
    return false;
}

static const char *nearest_kind(const struct vf_projector *projector, const char *name)
{
    const char *near = NULL;
    for (size_t i = 0; i < projector->projection.route_count; i++) {
        const char *both[] = {near ? near : projector->routes[i].kind, projector->routes[i].kind, NULL};
        const char *better = vf_lua_nearest(name, both);
        near = better ? better : near;
    }
    return near;
}

/* The item-th of a kind's types in order; `types` is the table, with the list of their names behind it, and the kind's at 0. */
static void read_kind_handler(lua_State *L, int types, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_bytes kind;
    char parents[120];
    lua_rawgeti(L, types + 1, 0);
    kind.data = lua_tolstring(L, -1, &kind.size);
    snprintf(parents, sizeof parents, "on.%.100s", kind.data);
    if (lua_rawgeti(L, types + 1, item) != LUA_TSTRING)
        vf_lua_wrong_in(L, "on", kind.data,
                        "on.%.60s has a %s as event type: on = { %.60s = { Created = function(doc, e) end } }",
                        kind.data, luaL_typename(L, -1), kind.data);
    const char *type = lua_tostring(L, -1);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, types) != LUA_TFUNCTION)
        vf_lua_wrong_in(L, parents, type, "on.%.60s.%.60s is a %s: a handler is a function(doc, e)", kind.data, type,
                        luaL_typename(L, -1));
    add(L, &projector->handlers, kind);
}

/* The table on top holds the handlers of one kind, whose name is below it. */
static void read_kind_handlers(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    int types = lua_gettop(L);
    struct vf_bytes kind;
    kind.data = lua_tolstring(L, types - 1, &kind.size);
    if (!is_kind(projector, kind)) {
        const char *near = nearest_kind(projector, kind.data);
        vf_lua_wrong_in(
            L, "on", kind.data,
            "on.%.60s is a table, which holds the handlers for one kind, and `key` has no kind \"%.60s\"%s%s%s",
            kind.data, kind.data, near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
    }
    vf_lua_push_sorted_keys(L, types);
    size_t count = lua_rawlen(L, types + 1);
    lua_pushvalue(L, types - 1);
    lua_rawseti(L, types + 1, 0);
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, types, read_kind_handler, (lua_Integer)i + 1);
}

/* The item-th of the names in order; `on` is the table of handlers, with the list of their names behind it. */
static void read_handler(lua_State *L, int on, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (lua_rawgeti(L, on + 1, item) != LUA_TSTRING)
        vf_lua_wrong(L, "on", "`on` has a %s as event type: on = { OrderCreated = function(doc, e) end }",
                     luaL_typename(L, -1));
    const char *name = lua_tostring(L, -1);
    lua_pushvalue(L, -1);
    int value = lua_rawget(L, on);
    if (value == LUA_TTABLE) {
        read_kind_handlers(L);
        return;
    }
    if (value != LUA_TFUNCTION)
        vf_lua_wrong_in(L, "on", name, "on.%.60s is a %s: a handler is a function(doc, e)", name, luaL_typename(L, -1));
    add(L, &projector->handlers, VF_LITERAL(""));
}

void vf_lua_read_handlers(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_lua_handlers *handlers = &projector->handlers;
    (void)item;
    vf_lua_push_required(L, table, "on", LUA_TTABLE,
                         "a handler for each event type, as in on = { OrderCreated = function(doc, e) end }");
    int on = lua_gettop(L);
    vf_lua_push_sorted_keys(L, on);
    size_t count = lua_rawlen(L, on + 1);
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, on, read_handler, (lua_Integer)i + 1);
    if (handlers->count > 0)
        qsort(handlers->list, handlers->count, sizeof *handlers->list, compare_handlers);
    struct vf_handler *said = vf_calloc(handlers->count + 1, sizeof *said);
    for (size_t i = 0; i < handlers->count; i++) {
        const struct vf_lua_handler *handler = &handlers->list[i];
        said[i] =
            (struct vf_handler){.kind = handler->kind.size ? handler->kind.data : NULL, .type = handler->type.data};
    }
    projector->projection.handlers = said;
    projector->projection.handler_count = handlers->count;
}

/* The item-th of the types in order; `upcast` is the table, with the list of them behind it. */
static void read_upcast(lua_State *L, int upcast, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (lua_rawgeti(L, upcast + 1, item) != LUA_TSTRING)
        vf_lua_wrong(L, "upcast", "`upcast` has a %s as event type: upcast = { OrderPlaced = function(e) end }",
                     luaL_typename(L, -1));
    const char *type = lua_tostring(L, -1);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, upcast) != LUA_TFUNCTION)
        vf_lua_wrong_in(L, "upcast", type,
                        "upcast.%.60s is a %s: an upcast is a function(e), which changes e.type and e.data", type,
                        luaL_typename(L, -1));
    add(L, &projector->upcasts, VF_LITERAL(""));
}

void vf_lua_read_upcasts(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_lua_handlers *upcasts = &projector->upcasts;
    (void)item;
    int type = vf_lua_push_field(L, table, "upcast");
    int upcast = lua_gettop(L);
    if (type == LUA_TNIL)
        return;
    if (type != LUA_TTABLE)
        vf_lua_wrong(L, "upcast",
                     "`upcast` is a %s: upcast = { OrderPlaced = function(e) e.type = \"OrderCreated\" end }",
                     luaL_typename(L, -1));
    vf_lua_push_sorted_keys(L, upcast);
    size_t count = lua_rawlen(L, upcast + 1);
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, upcast, read_upcast, (lua_Integer)i + 1);
    if (upcasts->count > 0)
        qsort(upcasts->list, upcasts->count, sizeof *upcasts->list, compare_handlers);
    const char **types = vf_calloc(upcasts->count + 1, sizeof *types);
    for (size_t i = 0; i < upcasts->count; i++)
        types[i] = upcasts->list[i].type.data;
    projector->projection.upcast_types = types;
    projector->projection.upcast_count = upcasts->count;
    projector->projection.upcasts = upcasts->count > 0;
}

static void free_handlers(struct vf_lua_handlers *handlers)
{
    for (size_t i = 0; i < handlers->count; i++) {
        free((char *)handlers->list[i].kind.data);
        free((char *)handlers->list[i].type.data);
        free(handlers->list[i].where);
    }
    free(handlers->list);
}

void vf_lua_free_handlers(struct vf_projector *projector)
{
    free_handlers(&projector->handlers);
    free_handlers(&projector->upcasts);
    free((void *)(uintptr_t)projector->projection.handlers);
    free((void *)(uintptr_t)projector->projection.upcast_types);
}
