/* The field `key` of a projection's table: which document the events of each kind belong to. */
#include "lua/api.h"
#include "lua/order.h"
#include "lua/saying.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_path(const char *path, size_t size)
{
    if (size == 0 || strlen(path) != size || path[0] == '.' || path[size - 1] == '.')
        return false;
    return strstr(path, "..") == NULL;
}

/* What stands in front of an error of this route: "view.lua:9: key.order". */
static char *where_text(struct vf_projector *projector, const char *kind, const char *type)
{
    char parents[120];
    char where[300];
    snprintf(parents, sizeof parents, type ? "key.%.100s" : "key", kind);
    struct vf_lua_place place = vf_lua_place_in(projector, parents, type ? type : kind);
    if (place.line)
        snprintf(where, sizeof where, "%.80s:%d: key.%.80s", projector->main_name, place.line, kind);
    else
        snprintf(where, sizeof where, "%.80s: key.%.80s", projector->main_name, kind);
    return vf_strdup(where);
}

static void read_path(lua_State *L, const char *kind, struct vf_lua_way *way)
{
    size_t size;
    const char *path = lua_tolstring(L, -1, &size);
    if (!is_path(path, size))
        vf_lua_wrong_in(L, "key", kind,
                        "key.%.100s: \"%.60s\" is no field of the event's data (\"customerId\", \"a.b\")", kind, path);
    way->path = vf_strdup(path);
}

/* The route on top, as a way to an id. */
static void read_way(lua_State *L, const char *kind, struct vf_lua_way *way)
{
    struct vf_projector *projector = vf_lua_projector(L);
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        way->kind = VF_WAY_FIELD;
        read_path(L, kind, way);
        return;
    case LUA_TFUNCTION:
        way->kind = VF_WAY_FUNCTION;
        lua_pushvalue(L, -1);
        way->function = luaL_ref(L, LUA_REGISTRYINDEX);
        return;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1) != &projector->own_token)
            break;
        way->kind = VF_WAY_OWN;
        return;
    default: break;
    }
    vf_lua_wrong_in(
        L, "key", kind,
        "key.%.100s: a route is own, a field's name, link { Type = route }, through(\"kind\", \"field\") or a "
        "function",
        kind);
}

/* The route on top, of events of one type, or (NULL) of all that say the kind's link. */
static void read_link(lua_State *L, const char *kind, const char *type, struct vf_link *link, struct vf_lua_way *way)
{
    struct vf_bytes target;
    link->type = type ? vf_strdup(type) : NULL;
    way->where = where_text(vf_lua_projector(L), kind, type);
    if (!vf_lua_push_through(L, -1)) {
        read_way(L, kind, way);
        return;
    }
    way->kind = VF_WAY_THROUGH;
    read_path(L, kind, way);
    lua_pop(L, 1);
    target.data = lua_tolstring(L, -1, &target.size);
    if (memchr(target.data, '\0', target.size) || memchr(target.data, '/', target.size) || !vf_bytes_is_utf8(target))
        vf_lua_wrong_in(L, "key", kind,
                        "key.%.100s: through(\"%.60s\", ...) names no kind: a kind is UTF-8 without '/'", kind,
                        target.data);
    way->through = link->through = vf_strdup(target.data);
    lua_pop(L, 1);
}

/* The link on top is a table of types, or a through that every type says. */
static void read_links(lua_State *L, const char *kind, struct vf_route *route, struct vf_lua_way **ret_ways)
{
    int types = lua_gettop(L);
    bool many = lua_type(L, types) == LUA_TTABLE;
    if (many)
        vf_lua_push_sorted_keys(L, types);
    size_t count = many ? lua_rawlen(L, -1) : 1;
    struct vf_link *links = vf_calloc(count, sizeof *links);
    route->route = VF_ROUTE_LINK;
    route->links = links;
    *ret_ways = vf_calloc(count, sizeof **ret_ways);
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        const char *type = NULL;
        route->link_count = i + 1; /* what is read until something raises is freed */
        if (many) {
            lua_rawgeti(L, types + 1, (lua_Integer)i + 1);
            type = lua_tolstring(L, -1, &size);
            if (size == 0 || strlen(type) != size)
                vf_lua_wrong_in(L, "key", kind, "key.%.100s: link names an event type that is empty or holds a NUL",
                                kind);
            lua_pushvalue(L, -1);
            lua_rawget(L, types);
        } else {
            lua_pushvalue(L, types);
        }
        read_link(L, kind, type, &links[i], &(*ret_ways)[i]);
        lua_settop(L, types + many);
    }
    lua_settop(L, types - 1);
}

static void read_route(lua_State *L, const char *kind, struct vf_route *route, struct vf_lua_way **ret_ways)
{
    static const enum vf_route_kind kinds[] = {
        [VF_WAY_OWN] = VF_ROUTE_OWN, [VF_WAY_FIELD] = VF_ROUTE_FIELD, [VF_WAY_FUNCTION] = VF_ROUTE_FUNCTION};
    if (vf_lua_push_link(L, -1)) {
        read_links(L, kind, route, ret_ways);
        return;
    }
    if (vf_lua_push_through(L, -1)) {
        lua_pop(L, 2);
        read_links(L, kind, route, ret_ways);
        return;
    }
    *ret_ways = vf_calloc(1, sizeof **ret_ways);
    (*ret_ways)->where = where_text(vf_lua_projector(L), kind, NULL);
    read_way(L, kind, *ret_ways);
    route->route = kinds[(*ret_ways)->kind];
}

static void check_kind(lua_State *L, int index)
{
    struct vf_bytes kind;
    if (lua_type(L, index) != LUA_TSTRING)
        vf_lua_wrong(L, "key", "`key` has a %s as kind: key = { order = ... }", luaL_typename(L, index));
    kind.data = lua_tolstring(L, index, &kind.size);
    if (kind.size == 0 || memchr(kind.data, '\0', kind.size) || memchr(kind.data, '/', kind.size) ||
        !vf_bytes_is_utf8(kind))
        vf_lua_wrong(L, "key", "`key` has the kind \"%.60s\": a kind is UTF-8 without '/' and not empty", kind.data);
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

static const struct vf_route *route_of(const struct vf_projector *projector, const char *kind)
{
    for (size_t i = 0; i < projector->projection.route_count; i++)
        if (strcmp(projector->routes[i].kind, kind) == 0)
            return &projector->routes[i];
    return NULL;
}

static bool only_through(const struct vf_route *route)
{
    for (size_t i = 0; i < route->link_count; i++)
        if (!route->links[i].through)
            return false;
    return true;
}

/* What a through of `route` leads to has a link of its own, which can be followed. */
static void check_through(lua_State *L, const struct vf_route *route, const struct vf_link *link)
{
    static const char *const said[] = {
        [VF_ROUTE_OWN] = "own", [VF_ROUTE_FIELD] = "a field", [VF_ROUTE_FUNCTION] = "a function"};
    struct vf_projector *projector = vf_lua_projector(L);
    const struct vf_route *target = route_of(projector, link->through);
    const struct vf_lua_way *way = &projector->ways[route - projector->routes][link - route->links];
    const struct vf_lua_way *target_way = target ? projector->ways[target - projector->routes] : NULL;
    if (target && (!target_way || target_way->kind == VF_WAY_UNREAD))
        return; /* what it says could not be read, which has been told */
    char parents[120];
    snprintf(parents, sizeof parents, link->type ? "key.%.100s" : "key", route->kind);
    if (!target) {
        vf_lua_complain(
            L, "key", route->kind,
            "key.%.100s: through(\"%.60s\", ...) follows a kind that `key` does not list: each kind's link is "
            "remembered only where `key` says it",
            route->kind, link->through);
    } else if (target->route == VF_ROUTE_OWN) {
        vf_lua_complain(
            L, "key", route->kind,
            "key.%.100s: through(\"%.60s\", \"%.60s\") follows a link, and key.%.60s is own: the field itself "
            "is the document, so write \"%.60s\" instead",
            route->kind, link->through, way->path, link->through, way->path);
    } else if (target->route != VF_ROUTE_LINK) {
        vf_lua_complain(L, "key", route->kind,
                        "key.%.100s: through(\"%.60s\", ...) follows a link, and key.%.60s is %s, of which nothing is "
                        "remembered: make it a link { Type = ... }",
                        route->kind, link->through, link->through, said[target->route]);
    } else if (target->link_count > 1) {
        vf_lua_remark(
            L, parents, link->type ? link->type : route->kind,
            "key.%.100s: when its %.60s moves later, the %.60s stays where it is: through is followed once, when "
            "the event comes",
            route->kind, link->through, route->kind);
    }
    if (target && target->route == VF_ROUTE_LINK && only_through(target))
        vf_lua_remark(
            L, parents, link->type ? link->type : route->kind,
            "key.%.100s: its %.60s only follows others' links itself: events wait until all of them are known",
            route->kind, link->through);
}

/* Kinds whose links only ever follow each other: no event says a document, and all of them wait for ever. Each round finds
 * the kinds that are one step further from an event that says one. */
static void check_circles(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    size_t count = projector->projection.route_count;
    lua_newtable(L); /* kind -> true: some event says a document */
    int reaches = lua_gettop(L);
    for (size_t round = 0; round <= count; round++) {
        for (size_t i = 0; i < count; i++) {
            const struct vf_route *route = &projector->routes[i];
            bool found = route->link_count == 0;
            for (size_t j = 0; j < route->link_count && !found; j++) {
                const char *through = route->links[j].through;
                found = !through || !route_of(projector, through) || lua_getfield(L, reaches, through) == LUA_TBOOLEAN;
                lua_settop(L, reaches);
            }
            lua_pushboolean(L, true);
            if (found)
                lua_setfield(L, reaches, route->kind);
            lua_settop(L, reaches);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct vf_route *route = &projector->routes[i];
        if (lua_getfield(L, reaches, route->kind) == LUA_TNIL)
            vf_lua_complain(
                L, "key", route->kind,
                "key.%.100s: its links only follow others' links, in a circle: no event says a document, and all "
                "of them would wait for ever",
                route->kind);
        lua_settop(L, reaches);
    }
    lua_settop(L, reaches - 1);
}

static void check_links(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    for (size_t i = 0; i < projector->projection.route_count; i++) {
        const struct vf_route *route = &projector->routes[i];
        for (size_t j = 0; j < route->link_count; j++)
            if (route->links[j].through)
                check_through(L, route, &route->links[j]);
    }
    /* GUARD lua-circle: events are held for a link that can never be known */
    check_circles(L);
}

void vf_lua_read_key(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    (void)item;
    vf_lua_push_required(L, table, "key", LUA_TTABLE,
                         "which document each kind's events go to, as in key = { customer = own }");
    int key = lua_gettop(L);
    vf_lua_push_sorted_keys(L, key);
    size_t count = lua_rawlen(L, key + 1);
    if (count == 0)
        vf_lua_wrong(L, "key", "`key` names no kind: key = { customer = own }");
    projector->routes = vf_calloc(count, sizeof *projector->routes);
    projector->ways = vf_calloc(count, sizeof *projector->ways);
    projector->projection.routes = projector->routes;
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, key, read_kind, (lua_Integer)i + 1);
    check_links(L);
    lua_settop(L, key - 1);
}
