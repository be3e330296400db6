#include "lua/projection.h"

#include "lua/api.h"
#include "lua/convert.h"
#include "lua/freeze.h"
#include "lua/names.h"
#include "lua/order.h"
#include "lua/saying.h"
#include "lua/script.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPICS_MAX 1024

static void check_fields(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    static const char *const built[] = {"name",     "version", "topics", "key",      "initial", "on",
                                        "versions", "indexes", "ttl",    "unlinked", "upcast",  NULL};
    vf_lua_push_sorted_keys(L, table);
    int keys = lua_gettop(L);
    for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        bool known = false;
        if (!name)
            vf_lua_wrong(L, "return", "the projection's table has a %s as key: its fields have names",
                         luaL_typename(L, -1));
        for (size_t j = 0; built[j]; j++)
            known = known || strcmp(built[j], name) == 0;
        const char *near = vf_lua_nearest(name, built);
        if (!known && near)
            vf_lua_complain(L, NULL, name, "a projection has no field `%.60s`: did you mean `%s`?", name, near);
        else if (!known)
            vf_lua_complain(L, NULL, name, "a projection has no field `%.60s`", name);
        lua_pop(L, 1);
    }
    lua_settop(L, keys - 1);
}

static void read_name(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    size_t size;
    vf_lua_push_required(L, table, "name", LUA_TSTRING, "the view's name, as in name = \"customer_orders\"");
    const char *name = lua_tolstring(L, -1, &size);
    if (!vf_lua_is_plain_name(name, size))
        vf_lua_wrong(L, "name", "`name` is \"%.60s\": a name begins with a letter a-z and goes on with a-z, 0-9 and _",
                     name);
    if (strcmp(name, "viewfold") == 0)
        vf_lua_wrong(L, "name", "`name` is \"viewfold\", which is reserved");
    projector->projection.name = vf_strdup(name);
    lua_pop(L, 1);
}

static void read_version(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    projector->projection.version = 1;
    if (vf_lua_push_field(L, table, "version") != LUA_TNIL) {
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1)
            vf_lua_wrong(L, "version", "`version` is an integer from 1 on");
        projector->projection.version = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
}

static void read_topics(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    vf_lua_push_required(L, table, "topics", LUA_TTABLE,
                         "names under topics: in viewfold.yaml, as in topics = { \"orders\" }");
    int topics = lua_gettop(L);
    size_t count = lua_rawlen(L, topics), keys = 0;
    lua_pushnil(L);
    while (lua_next(L, topics)) {
        lua_pop(L, 1);
        keys++;
    }
    if (count == 0 || count > TOPICS_MAX || keys != count)
        vf_lua_wrong(L, "topics", "`topics` is a list of names, at least one");
    projector->topics = vf_calloc(count + 1, sizeof *projector->topics);
    projector->projection.topics = (const char *const *)projector->topics;
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, topics, (lua_Integer)i + 1) != LUA_TSTRING || lua_rawlen(L, -1) == 0)
            vf_lua_wrong(L, "topics", "`topics` is a list of names: its entry %zu is none", i + 1);
        const char *topic = lua_tostring(L, -1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(projector->topics[j], topic) == 0)
                vf_lua_complain(L, NULL, "topics", "`topics` names \"%.100s\" twice", topic);
        projector->topics[i] = vf_strdup(topic);
        projector->projection.topic_count = i + 1;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_initial(lua_State *L, int table, lua_Integer item)
{
    (void)item;
    struct vf_projector *projector = vf_lua_projector(L);
    int type = vf_lua_push_field(L, table, "initial");
    if (type == LUA_TNIL) {
        lua_newtable(L);
    } else if (type != LUA_TTABLE || vf_lua_shape(L, -1) != VF_SHAPE_OBJECT) {
        vf_lua_wrong(L, "initial", "`initial` is a table with names: the body of a document that does not exist yet");
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
    for (size_t i = 0; i < projector->handlers.count; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, projector->handlers.list[i].function);
        lua_rawseti(L, -2, ++count);
    }
    for (size_t i = 0; i < projector->upcasts.count; i++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, projector->upcasts.list[i].function);
        lua_rawseti(L, -2, ++count);
    }
    for (size_t i = 0; i < projector->projection.route_count; i++) {
        for (size_t j = 0; j < vf_lua_way_count(projector, i); j++) {
            if (projector->ways[i][j].kind != VF_WAY_FUNCTION)
                continue;
            lua_rawgeti(L, LUA_REGISTRYINDEX, projector->ways[i][j].function);
            lua_rawseti(L, -2, ++count);
        }
    }
    vf_lua_freeze_script(L, lua_gettop(L));
    lua_pop(L, 1);
}

void vf_lua_read_projection(lua_State *L, int index)
{
    static vf_lua_part *const parts[] = {check_fields,         read_name,
                                         read_version,         read_topics,
                                         vf_lua_read_key,      vf_lua_read_handlers,
                                         vf_lua_read_upcasts,  vf_lua_read_versions,
                                         vf_lua_read_unlinked, vf_lua_read_indexes,
                                         vf_lua_read_ttl,      read_initial,
                                         freeze_functions,     NULL};
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
        for (size_t j = 0; j < vf_lua_way_count(projector, i); j++) {
            free(projector->ways[i][j].path);
            free(projector->ways[i][j].where);
        }
        free((void *)(uintptr_t)projector->routes[i].links);
        free(projector->ways[i]);
    }
    for (size_t i = 0; i < projector->projection.index_count; i++) {
        free((char *)projector->indexes[i].name);
        free((char *)projector->indexes[i].sort);
        free((char *)projector->indexes[i].by);
        free((char *)projector->indexes[i].where);
    }
    free(projector->indexes);
    vf_lua_free_handlers(projector);
    free(projector->topics);
    free(projector->routes);
    free(projector->ways);
    free((char *)projector->projection.name);
    free((char *)projector->initial.data);
}
