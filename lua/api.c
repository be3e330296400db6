#include "lua/api.h"

#include "core/body.h"
#include "lua/convert.h"
#include "lua/script.h"

/* A line of `log`: more is cut. */
#define LOG_LINE_BYTES_MAX 8192

enum { LINK_ROUTES = 1 };                     /* user value of a link: type -> route, a table of its own */
enum { THROUGH_KIND = 1, THROUGH_FIELD = 2 }; /* user values of a through */

/* Pushes a userdata that says what it is by its metatable. Its values go into it from the stack's first ones. */
static int new_token(lua_State *L, int values, int metatable)
{
    lua_newuserdatauv(L, 0, values);
    for (int i = 1; i <= values; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, -2, i);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, metatable);
    lua_setmetatable(L, -2);
    return 1;
}

/* Whether it is one; then its user values are pushed. */
static bool push_token(lua_State *L, int index, int values, const void *mark)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    bool is = lua_topointer(L, -1) == mark;
    lua_pop(L, 1);
    index = lua_absindex(L, index);
    for (int i = 1; is && i <= values; i++)
        lua_getiuservalue(L, index, i);
    return is;
}

static int api_link(lua_State *L)
{
    luaL_argexpected(L, lua_type(L, 1) == LUA_TTABLE, 1, "table: link { OrderCreated = \"customerId\" }");
    lua_settop(L, 1);
    lua_newtable(L);
    lua_pushnil(L);
    if (!lua_next(L, 1))
        return luaL_error(L, "`link` names no event type: link { OrderCreated = \"customerId\" }");
    do {
        if (lua_type(L, -2) != LUA_TSTRING)
            return luaL_error(L, "`link` wants event types as names: link { OrderCreated = \"customerId\" }");
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, 2);
    } while (lua_next(L, 1));
    lua_remove(L, 1);
    return new_token(L, LINK_ROUTES, vf_lua_projector(L)->link_metatable);
}

bool vf_lua_push_link(lua_State *L, int index)
{
    return push_token(L, index, LINK_ROUTES, vf_lua_projector(L)->link_mark);
}

static int api_through(lua_State *L)
{
    for (int i = THROUGH_KIND; i <= THROUGH_FIELD; i++)
        luaL_argexpected(L, lua_type(L, i) == LUA_TSTRING && lua_rawlen(L, i) > 0, i,
                         i == THROUGH_KIND ? "kind: through(\"account\", \"accountId\")"
                                           : "field of the event's data: through(\"account\", \"accountId\")");
    lua_settop(L, THROUGH_FIELD);
    return new_token(L, THROUGH_FIELD, vf_lua_projector(L)->through_metatable);
}

bool vf_lua_push_through(lua_State *L, int index)
{
    return push_token(L, index, THROUGH_FIELD, vf_lua_projector(L)->through_mark);
}

/* array {...}: the table itself, marked as a list. Which numbers it may hold is looked at when it is kept. */
static int api_array(lua_State *L)
{
    if (lua_gettop(L) == 0)
        lua_newtable(L);
    luaL_argexpected(L, lua_gettop(L) == 1 && lua_type(L, 1) == LUA_TTABLE, 1, "one table: array { 1, 2, 3 }");
    enum vf_lua_shape shape = vf_lua_shape(L, 1);
    if (shape == VF_SHAPE_ARRAY || shape == VF_SHAPE_FROZEN_ARRAY)
        return 1;
    if (shape != VF_SHAPE_OBJECT)
        return luaL_error(L, "a table of the script cannot become a list now: use array where it is made");
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        vf_lua_spend(L, 1);
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1)
            return luaL_error(L, "array wants a list; this table has a key that is no number from 1 on");
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->array_metatable);
    lua_setmetatable(L, 1);
    return 1;
}

static int api_date(lua_State *L)
{
    int64_t unix_ms;
    struct vf_bytes text;
    if (vf_lua_to_date(L, 1, &unix_ms)) {
        lua_settop(L, 1);
        return 1;
    }
    luaL_argexpected(L, lua_type(L, 1) == LUA_TSTRING, 1, "string in RFC 3339, as e.time is");
    text.data = lua_tolstring(L, 1, &text.size);
    if (!vf_time_parse(text, &unix_ms))
        return luaL_error(L, "date wants RFC 3339, as e.time is (2026-03-01T10:00:00Z)");
    vf_lua_push_date(L, unix_ms);
    return 1;
}

/* Adds the text on the stack and takes it away. Whoever shows the line would end at a NUL: it is written \0. */
static void add_without_nul(lua_State *L, luaL_Buffer *line)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    if (!memchr(text, '\0', size)) {
        luaL_addvalue(line);
        return;
    }
    luaL_Buffer shown;
    luaL_buffinit(L, &shown);
    for (size_t i = 0; i < size && i < LOG_LINE_BYTES_MAX; i++) { /* what is behind it is left out anyway */
        if (text[i])
            luaL_addchar(&shown, text[i]);
        else
            luaL_addlstring(&shown, "\\0", 2);
    }
    luaL_pushresult(&shown);
    lua_remove(L, -2);
    luaL_addvalue(line);
}

static int api_log(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    int count = lua_gettop(L);
    if (!projector->log)
        return 0;
    luaL_Buffer line;
    vf_lua_check_stack(L, count + 8);
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, ' ');
        vf_lua_push_text(L, i);
        add_without_nul(L, &line);
    }
    luaL_pushresult(&line);
    struct vf_bytes text;
    text.data = lua_tolstring(L, -1, &text.size);
    text.size = text.size > LOG_LINE_BYTES_MAX ? LOG_LINE_BYTES_MAX : text.size;
    vf_lua_spend(L, 10);
    projector->log(projector->log_self, projector->event, text);
    return 0;
}

static int link_index(lua_State *L)
{
    return luaL_error(L, "a link has no fields");
}

static int through_index(lua_State *L)
{
    return luaL_error(L, "a through has no fields");
}

static int new_metatable(lua_State *L, lua_CFunction index, const void **ret_mark)
{
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
    *ret_mark = lua_topointer(L, -1);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void vf_lua_open_api(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    lua_createtable(L, 1, 0);
    lua_pushinteger(L, VF_SHAPE_ARRAY);
    lua_rawseti(L, -2, 1);
    projector->array_mark = lua_topointer(L, -1);
    projector->array_metatable = luaL_ref(L, LUA_REGISTRYINDEX);

    projector->link_metatable = new_metatable(L, link_index, &projector->link_mark);
    projector->through_metatable = new_metatable(L, through_index, &projector->through_mark);
    vf_lua_open_dates(L);
}

void vf_lua_set_api(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"link", api_link}, {"through", api_through},    {"array", api_array}, {"date", api_date},
        {"log", api_log},   {"require", vf_lua_require}, {NULL, NULL},
    };
    struct vf_projector *projector = vf_lua_projector(L);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, &projector->null_token);
    lua_setfield(L, -2, "null");
    lua_pushlightuserdata(L, &projector->own_token);
    lua_setfield(L, -2, "own");
    lua_pushlightuserdata(L, &projector->delete_token);
    lua_setfield(L, -2, "delete");
}
