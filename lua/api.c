#include "lua/api.h"

#include "core/body.h"
#include "lua/convert.h"
#include "lua/lint.h"
#include "lua/script.h"

/* A line of `log`: more is cut. */
#define LOG_LINE_BYTES_MAX 8192

enum { LINK_TYPE = 1, LINK_ROUTE = 2 }; /* user values of a link */

/* Decided, and not built: lint gathers that and reads on, with a value that no route is. */
static int refuse_unbuilt(lua_State *L, const char *what)
{
    struct vf_projector *projector = vf_lua_projector(L);
    luaL_where(L, 1);
    lua_pushstring(L, what);
    lua_concat(L, 2);
    if (!projector->lint || !projector->loading)
        return lua_error(L);
    vf_lua_lint_add_raised(L, lua_tostring(L, -1));
    lua_pushlightuserdata(L, &projector->unbuilt_token);
    return 1;
}

static int api_link(lua_State *L)
{
    luaL_argexpected(L, lua_type(L, 1) == LUA_TTABLE, 1, "table: link { OrderCreated = \"customerId\" }");
    lua_settop(L, 1);
    lua_pushnil(L);
    if (!lua_next(L, 1))
        return luaL_error(L, "`link` names no event type: link { OrderCreated = \"customerId\" }");
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "`link` wants event types as names: link { OrderCreated = \"customerId\" }");
    lua_pushvalue(L, 2);
    if (lua_next(L, 1))
        return refuse_unbuilt(L, "`link` with several event types is not built yet");
    lua_newuserdatauv(L, 0, 2);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, LINK_TYPE);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, LINK_ROUTE);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->link_metatable);
    lua_setmetatable(L, -2);
    return 1;
}

bool vf_lua_push_link(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    bool is_link = lua_topointer(L, -1) == vf_lua_projector(L)->link_mark;
    lua_pop(L, 1);
    if (!is_link)
        return false;
    index = lua_absindex(L, index);
    lua_getiuservalue(L, index, LINK_TYPE);
    lua_getiuservalue(L, index, LINK_ROUTE);
    return true;
}

static int api_through(lua_State *L)
{
    return refuse_unbuilt(L, "`through` is not built yet");
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

static int locked_index(lua_State *L)
{
    return luaL_error(L, "a link has no fields");
}

void vf_lua_open_api(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    lua_createtable(L, 1, 0);
    lua_pushinteger(L, VF_SHAPE_ARRAY);
    lua_rawseti(L, -2, 1);
    projector->array_mark = lua_topointer(L, -1);
    projector->array_metatable = luaL_ref(L, LUA_REGISTRYINDEX);

    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, locked_index);
    lua_setfield(L, -2, "__index");
    projector->link_mark = lua_topointer(L, -1);
    projector->link_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
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
