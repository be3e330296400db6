#include "lua/freeze.h"

#include "lua/bytecode.h"
#include "lua/order.h"
#include "lua/text.h"

#include <lauxlib.h>

static int frozen_write(lua_State *L)
{
    return luaL_error(L, "a table of the script is changed: handlers keep no state outside the document");
}

static int frozen_length(lua_State *L)
{
    vf_lua_push_contents(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1));
    return 1;
}

/* Moves what the table at `table` holds into a shadow behind it. */
static void freeze(lua_State *L, int table, enum vf_lua_shape shape)
{
    lua_newtable(L);
    int shadow = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        vf_lua_spend(L, 2);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, shadow);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, table);
    }
    lua_createtable(L, 1, 3);
    lua_pushinteger(L, shape == VF_SHAPE_ARRAY ? VF_SHAPE_FROZEN_ARRAY : VF_SHAPE_FROZEN_OBJECT);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, shadow);
    lua_setfield(L, -2, "__index");
    /* GUARD lua-frozen: a handler keeps state in a table of the script */
    lua_pushcfunction(L, frozen_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, frozen_length);
    lua_setfield(L, -2, "__len");
    lua_setmetatable(L, table);
    lua_settop(L, shadow - 1);
}

/* pairs and gmatch answer with functions that remember where they are. */
static bool is_iterator(lua_State *L, int index)
{
    lua_CFunction function = lua_tocfunction(L, index);
    return function && (function == vf_lua_pairs_step() || function == vf_lua_gmatch_step());
}

/* Puts the value on top into the list at `todo` if it can hold on to tables and was not met before; pops it. */
static void look_at(lua_State *L, int todo, int met)
{
    /* GUARD lua-kept-iterator: an iterator goes on where another event left it */
    if (is_iterator(L, -1))
        vf_lua_raise(L,
                     "%s: an iterator of pairs or gmatch is kept outside of the functions that run for events, and "
                     "remembers where it was: call pairs or gmatch where the loop is",
                     vf_lua_projector(L)->main_name);
    bool matters = (lua_type(L, -1) == LUA_TTABLE) || (lua_type(L, -1) == LUA_TFUNCTION && !lua_iscfunction(L, -1));
    if (matters) {
        lua_pushvalue(L, -1);
        matters = lua_rawget(L, met) == LUA_TNIL;
        lua_pop(L, 1);
    }
    if (!matters) {
        lua_pop(L, 1);
        return;
    }
    vf_lua_spend(L, 2);
    lua_pushvalue(L, -1);
    lua_pushboolean(L, 1);
    lua_rawset(L, met);
    lua_rawseti(L, todo, (lua_Integer)lua_rawlen(L, todo) + 1);
}

/* The function at `index` runs for events, or could. */
static void refuse_assignment(lua_State *L, int index)
{
    lua_Debug info;
    struct vf_assignment found = vf_lua_outside_assignment(L, index);
    /* GUARD lua-kept-variable: a variable outlives the call, and each worker and each folding again counts its own */
    if (found.upvalue == 0)
        return;
    const char *name = lua_getupvalue(L, index, found.upvalue);
    lua_pushvalue(L, index);
    lua_getinfo(L, ">S", &info);
    vf_lua_raise(L,
                 "%s:%d: `%.60s` is assigned to in a function that runs for events (or could), and is declared outside "
                 "of it: what a variable remembers is lost or counted twice, as batches are folded again and each "
                 "worker has its own. Keep it in the document, or declare it inside the function",
                 info.short_src, found.line, name);
}

static void look_into(lua_State *L, int object, int todo, int met)
{
    if (lua_type(L, object) == LUA_TFUNCTION) {
        refuse_assignment(L, object);
        for (int i = 1; lua_getupvalue(L, object, i); i++)
            look_at(L, todo, met);
        return;
    }
    enum vf_lua_shape shape = vf_lua_shape(L, object);
    if (shape != VF_SHAPE_OBJECT && shape != VF_SHAPE_ARRAY)
        return;
    lua_pushnil(L);
    while (lua_next(L, object)) {
        look_at(L, todo, met);
        lua_pushvalue(L, -1);
        look_at(L, todo, met);
    }
    freeze(L, object, shape);
}

void vf_lua_freeze_script(lua_State *L, int roots)
{
    int top = lua_gettop(L);
    lua_newtable(L);
    lua_newtable(L);
    int todo = top + 1, met = top + 2;
    for (lua_Integer i = 1; lua_rawgeti(L, roots, i) != LUA_TNIL; i++)
        look_at(L, todo, met);
    lua_pop(L, 1);
    for (lua_Integer i = 1; lua_rawgeti(L, todo, i) != LUA_TNIL; i++) {
        look_into(L, met + 1, todo, met);
        lua_settop(L, met);
    }
    lua_settop(L, top);
}
