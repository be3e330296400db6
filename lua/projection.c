#include "lua/projection.h"

#include "lua/api.h"
#include "lua/convert.h"
#include "lua/freeze.h"
#include "lua/lint.h"
#include "lua/names.h"
#include "lua/order.h"
#include "lua/script.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPICS_MAX 1024

/* Where the main file sets `name`; `parent` is the field that it is in, or NULL. */
static struct vf_lua_place place_in(struct vf_projector *projector, const char *parent, const char *name)
{
    struct vf_bytes script = projector->file_count ? projector->files[0].text : (struct vf_bytes){0};
    struct vf_lua_place from = {0, 0};
    if (parent)
        from = vf_lua_place_of(script, parent, from);
    struct vf_lua_place place = vf_lua_place_of(script, name, from);
    return place.line || !parent ? place : from;
}

/* What is wrong with the field `name` (in `parent`, unless that is NULL). Opening a script raises the first of these; lint
 * gathers them all, and only then does this return. */
static void complain(lua_State *L, const char *parent, const char *name, const char *format, ...) VF_PRINTF(4, 5);

static void complain(lua_State *L, const char *parent, const char *name, const char *format, ...)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_lua_place place = place_in(projector, parent, name);
    char text[512];
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

/* The same for what cannot be read on behind it. */
#define wrong_in(L, parent, ...)          \
    do {                                  \
        complain(L, parent, __VA_ARGS__); \
        vf_lua_lint_skip(L);              \
    } while (0)
#define wrong(L, ...) wrong_in(L, NULL, __VA_ARGS__)

/* Pushes the field of the projection's table. */
static int push_field(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    return lua_rawget(L, table);
}

/* Pushes a field that has to be there, and of that type. `what` says what for. */
static void push_required(lua_State *L, int table, const char *name, int type, const char *what)
{
    int found = push_field(L, table, name);
    if (found == LUA_TNIL)
        wrong(L, name, "`%s` is missing: %s", name, what);
    if (found == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == &vf_lua_projector(L)->own_token)
        wrong(L, name, "`%s` is own, which is the route of one kind, and a %s is wanted: %s", name,
              lua_typename(L, type), what);
    if (found != type)
        wrong(L, name, "`%s` is a %s, and a %s is wanted: %s", name, lua_typename(L, found), lua_typename(L, type),
              what);
}

static void check_fields(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    static const char *const built[] = {"name", "version", "topics", "key", "initial", "on", "versions", NULL};
    static const char *const later[] = {"upcast", "indexes", "ttl", "unlinked", NULL};
    vf_lua_push_sorted_keys(L, table);
    int keys = lua_gettop(L);
    for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        bool known = false;
        if (!name)
            wrong(L, "return", "the projection's table has a %s as key: its fields have names", luaL_typename(L, -1));
        for (size_t j = 0; built[j]; j++)
            known = known || strcmp(built[j], name) == 0;
        bool decided = false;
        for (size_t j = 0; later[j]; j++)
            decided = decided || strcmp(later[j], name) == 0;
        const char *near = vf_lua_nearest(name, built);
        if (decided)
            complain(L, NULL, name, "`%s` is not built yet", name);
        else if (!known && near)
            complain(L, NULL, name, "a projection has no field `%.60s`: did you mean `%s`?", name, near);
        else if (!known)
            complain(L, NULL, name, "a projection has no field `%.60s`", name);
        lua_pop(L, 1);
    }
    lua_settop(L, keys - 1);
}

static bool is_view_name(const char *name, size_t size)
{
    if (size == 0 || size > 100 || name[0] < 'a' || name[0] > 'z')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
            return false;
    return true;
}

static void read_name(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    size_t size;
    push_required(L, table, "name", LUA_TSTRING, "the view's name, as in name = \"customer_orders\"");
    const char *name = lua_tolstring(L, -1, &size);
    if (!is_view_name(name, size))
        wrong(L, "name", "`name` is \"%.60s\": a name begins with a letter a-z and goes on with a-z, 0-9 and _", name);
    if (strcmp(name, "viewfold") == 0)
        wrong(L, "name", "`name` is \"viewfold\", which is reserved");
    projector->projection.name = vf_strdup(name);
    lua_pop(L, 1);
}

static void read_version(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    projector->projection.version = 1;
    if (push_field(L, table, "version") != LUA_TNIL) {
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1)
            wrong(L, "version", "`version` is an integer from 1 on");
        projector->projection.version = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
}

static void read_topics(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    push_required(L, table, "topics", LUA_TTABLE,
                  "names under topics: in viewfold.yaml, as in topics = { \"orders\" }");
    int topics = lua_gettop(L);
    size_t count = lua_rawlen(L, topics), keys = 0;
    lua_pushnil(L);
    while (lua_next(L, topics)) {
        lua_pop(L, 1);
        keys++;
    }
    if (count == 0 || count > TOPICS_MAX || keys != count)
        wrong(L, "topics", "`topics` is a list of names, at least one");
    projector->topics = vf_calloc(count + 1, sizeof *projector->topics);
    projector->projection.topics = (const char *const *)projector->topics;
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, topics, (lua_Integer)i + 1) != LUA_TSTRING || lua_rawlen(L, -1) == 0)
            wrong(L, "topics", "`topics` is a list of names: its entry %zu is none", i + 1);
        const char *topic = lua_tostring(L, -1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(projector->topics[j], topic) == 0)
                complain(L, NULL, "topics", "`topics` names \"%.100s\" twice", topic);
        projector->topics[i] = vf_strdup(topic);
        projector->projection.topic_count = i + 1;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

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

static bool is_path(const char *path, size_t size)
{
    if (size == 0 || strlen(path) != size || path[0] == '.' || path[size - 1] == '.')
        return false;
    return strstr(path, "..") == NULL;
}

/* The route on top, as a way to an id. */
static void read_way(lua_State *L, const char *kind, struct vf_lua_way *way)
{
    struct vf_projector *projector = vf_lua_projector(L);
    size_t size;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
        const char *path = lua_tolstring(L, -1, &size);
        if (!is_path(path, size))
            wrong_in(L, "key", kind, "key.%s: \"%.60s\" is no field of the event's data (\"customerId\", \"a.b\")",
                     kind, path);
        way->kind = VF_WAY_FIELD;
        way->path = vf_strdup(path);
        return;
    }
    case LUA_TFUNCTION:
        way->kind = VF_WAY_FUNCTION;
        lua_pushvalue(L, -1);
        way->function = luaL_ref(L, LUA_REGISTRYINDEX);
        return;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1) == &projector->own_token) {
            way->kind = VF_WAY_OWN;
            return;
        }
        if (lua_touserdata(L, -1) == &projector->unbuilt_token)
            vf_lua_lint_skip(L); /* lint has been told */
        break;
    default: break;
    }
    wrong_in(L, "key", kind, "key.%s: a route is own, a field's name, link { Type = route } or a function", kind);
}

static void read_route(lua_State *L, const char *kind, struct vf_route *route, struct vf_lua_way *way)
{
    static const enum vf_route_kind kinds[] = {
        [VF_WAY_OWN] = VF_ROUTE_OWN, [VF_WAY_FIELD] = VF_ROUTE_FIELD, [VF_WAY_FUNCTION] = VF_ROUTE_FUNCTION};
    char where[200];
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_lua_place place = place_in(projector, "key", kind);
    if (place.line)
        snprintf(where, sizeof where, "%.80s:%d: key.%.80s", projector->main_name, place.line, kind);
    else
        snprintf(where, sizeof where, "%.80s: key.%.80s", projector->main_name, kind);
    way->where = vf_strdup(where);
    if (!vf_lua_push_link(L, -1)) {
        read_way(L, kind, way);
        route->route = kinds[way->kind];
        return;
    }
    size_t size;
    const char *type = lua_tolstring(L, -2, &size);
    if (size == 0 || strlen(type) != size)
        wrong_in(L, "key", kind, "key.%s: link names an event type that is empty or holds a NUL", kind);
    route->route = VF_ROUTE_LINK;
    struct vf_link *link = vf_calloc(1, sizeof *link);
    link->type = vf_strdup(type);
    route->links = link;
    route->link_count = 1;
    read_way(L, kind, way);
    lua_pop(L, 2);
}

static void check_kind(lua_State *L, int index)
{
    struct vf_bytes kind;
    if (lua_type(L, index) != LUA_TSTRING)
        wrong(L, "key", "`key` has a %s as kind: key = { order = ... }", luaL_typename(L, index));
    kind.data = lua_tolstring(L, index, &kind.size);
    if (kind.size == 0 || memchr(kind.data, '\0', kind.size) || memchr(kind.data, '/', kind.size) ||
        !vf_bytes_is_utf8(kind))
        wrong(L, "key", "`key` has the kind \"%.60s\": a kind is UTF-8 without '/' and not empty", kind.data);
}

/* The item-th of the kinds in order; `key` is the table of routes, `kinds` the list of their names behind it. */
static void read_kind(lua_State *L, int key, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    lua_rawgeti(L, key + 1, item);
    check_kind(L, -1);
    size_t i = projector->projection.route_count++;
    projector->routes[i].kind = vf_strdup(lua_tostring(L, -1));
    lua_pushvalue(L, -1);
    lua_rawget(L, key);
    read_route(L, projector->routes[i].kind, &projector->routes[i], &projector->ways[i]);
}

static void read_key(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    (void)item;
    push_required(L, table, "key", LUA_TTABLE,
                  "which document each kind's events go to, as in key = { customer = own }");
    int key = lua_gettop(L);
    vf_lua_push_sorted_keys(L, key);
    size_t count = lua_rawlen(L, key + 1);
    if (count == 0)
        wrong(L, "key", "`key` names no kind: key = { customer = own }");
    projector->routes = vf_calloc(count, sizeof *projector->routes);
    projector->ways = vf_calloc(count, sizeof *projector->ways);
    projector->projection.routes = projector->routes;
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, key, read_kind, (lua_Integer)i + 1);
    lua_settop(L, key - 1);
}

static int compare_handlers(const void *left, const void *right)
{
    const struct vf_lua_handler *a = left, *b = right;
    return vf_bytes_compare(vf_bytes(a->type, a->type_size), vf_bytes(b->type, b->type_size));
}

/* The item-th of the event types in order; `on` is the table of handlers, with the list of their types behind it. */
static void read_handler(lua_State *L, int on, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (lua_rawgeti(L, on + 1, item) != LUA_TSTRING)
        wrong(L, "on", "`on` has a %s as event type: on = { OrderCreated = function(doc, e) end }",
              luaL_typename(L, -1));
    size_t size;
    const char *type = lua_tolstring(L, -1, &size);
    lua_pushvalue(L, -1);
    int value = lua_rawget(L, on);
    if (value == LUA_TTABLE)
        wrong_in(L, "on", type, "on.%.60s: handlers for one kind only are not built yet", type);
    if (value != LUA_TFUNCTION)
        wrong_in(L, "on", type, "on.%.60s is a %s: a handler is a function(doc, e)", type, luaL_typename(L, -1));
    struct vf_lua_handler *handler = &projector->handlers[projector->handler_count++];
    handler->type = vf_alloc(size + 1);
    memcpy(handler->type, type, size + 1);
    handler->type_size = size;
    handler->where = function_place(L);
    handler->function = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void read_handlers(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    (void)item;
    push_required(L, table, "on", LUA_TTABLE,
                  "a handler for each event type, as in on = { OrderCreated = function(doc, e) end }");
    int on = lua_gettop(L);
    vf_lua_push_sorted_keys(L, on);
    size_t count = lua_rawlen(L, on + 1);
    projector->handlers = vf_calloc(count + 1, sizeof *projector->handlers);
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, on, read_handler, (lua_Integer)i + 1);
    qsort(projector->handlers, projector->handler_count, sizeof *projector->handlers, compare_handlers);
    const char **types = vf_calloc(count + 1, sizeof *types);
    for (size_t i = 0; i < projector->handler_count; i++)
        types[i] = projector->handlers[i].type;
    projector->projection.handlers = types;
    projector->projection.handler_count = projector->handler_count;
    lua_settop(L, on - 1);
}

static void read_versions(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    static const char *const names[] = {
        [VF_VERSIONS_DOCUMENT] = "document", [VF_VERSIONS_RECORD] = "record", [VF_VERSIONS_NONE] = "none"};
    bool one_document = true;
    for (size_t i = 0; i < projector->projection.route_count; i++)
        one_document =
            one_document && (projector->routes[i].route == VF_ROUTE_OWN || projector->routes[i].route == VF_ROUTE_LINK);
    projector->projection.versions = one_document ? VF_VERSIONS_DOCUMENT : VF_VERSIONS_RECORD;
    int type = push_field(L, table, "versions");
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    const char *wanted = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
    int mode = 0;
    while (mode < 3 && strcmp(names[mode], wanted) != 0)
        mode++;
    if (mode == 3)
        wrong(L, "versions", "`versions` is \"document\", \"record\" or \"none\"");
    /* GUARD lua-versions: a document would have to name each aggregate of which it holds only a part */
    if (mode == VF_VERSIONS_DOCUMENT && !one_document)
        wrong(L, "versions",
              "`versions` is \"document\", which goes only where all routes are own or link: use \"record\"");
    projector->projection.versions = (enum vf_versions_mode)mode;
    lua_pop(L, 1);
}

static void read_initial(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    int type = push_field(L, table, "initial");
    if (type == LUA_TNIL) {
        lua_newtable(L);
    } else if (type != LUA_TTABLE || vf_lua_shape(L, -1) != VF_SHAPE_OBJECT) {
        wrong(L, "initial", "`initial` is a table with names: the body of a document that does not exist yet");
    }
    vf_lua_encode(L, lua_gettop(L), NULL, projector->limits.document_bytes_max, NULL);
    char *copy = vf_alloc(projector->out.size);
    memcpy(copy, projector->out.data, projector->out.size);
    projector->initial = vf_bytes(copy, projector->out.size);
    lua_pop(L, 1);
}

static void freeze_functions(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    (void)table;
    (void)item;
    lua_Integer count = 0;
    lua_newtable(L);
    for (size_t i = 0; i < projector->handler_count; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, projector->handlers[i].function);
        lua_rawseti(L, -2, ++count);
    }
    for (size_t i = 0; i < projector->projection.route_count; i++) {
        if (projector->ways[i].kind != VF_WAY_FUNCTION)
            continue;
        lua_rawgeti(L, LUA_REGISTRYINDEX, projector->ways[i].function);
        lua_rawseti(L, -2, ++count);
    }
    vf_lua_freeze_script(L, lua_gettop(L));
    lua_pop(L, 1);
}

void vf_lua_read_projection(lua_State *L, int index)
{
    static vf_lua_part *const parts[] = {check_fields,  read_name,     read_version, read_topics,      read_key,
                                         read_handlers, read_versions, read_initial, freeze_functions, NULL};
    index = lua_absindex(L, index);
    vf_lua_check_stack(L, 20);
    for (size_t i = 0; parts[i]; i++)
        vf_lua_lint_part(L, index, parts[i], 0);
}

void vf_lua_free_projection(struct vf_projector *projector)
{
    for (size_t i = 0; i < projector->projection.topic_count; i++)
        free(projector->topics[i]);
    for (size_t i = 0; i < projector->projection.route_count; i++) {
        free((char *)projector->routes[i].kind);
        for (size_t j = 0; j < projector->routes[i].link_count; j++) {
            free((char *)projector->routes[i].links[j].type);
            free((char *)projector->routes[i].links[j].through);
        }
        free((void *)(uintptr_t)projector->routes[i].links);
        free(projector->ways[i].path);
        free(projector->ways[i].where);
    }
    for (size_t i = 0; i < projector->handler_count; i++) {
        free(projector->handlers[i].type);
        free(projector->handlers[i].where);
    }
    free(projector->topics);
    free(projector->routes);
    free(projector->ways);
    free(projector->handlers);
    free((void *)(uintptr_t)projector->projection.handlers);
    free((char *)projector->projection.name);
    free((char *)projector->initial.data);
}

const struct vf_lua_handler *vf_lua_handler_of(const struct vf_projector *projector, struct vf_bytes type)
{
    size_t low = 0, high = projector->handler_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct vf_lua_handler *handler = &projector->handlers[middle];
        int order = vf_bytes_compare(type, vf_bytes(handler->type, handler->type_size));
        if (order == 0)
            return handler;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
