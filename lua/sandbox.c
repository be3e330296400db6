#include "lua/sandbox.h"

#include "lua/api.h"
#include "lua/convert.h"
#include "lua/list.h"
#include "lua/order.h"
#include "lua/text.h"

#include <lauxlib.h>
#include <lualib.h>

/* pcall and xpcall: as the language's, but a limit goes through them. */

static int finish_protected(lua_State *L, int status)
{
    if (status == LUA_OK)
        return lua_gettop(L); /* true is below the results */
    vf_lua_pass_on(L, status);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return finish_protected(L, lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0));
}

/*
 * The script's message handler is called after the error has gone up here, not where it was raised: there, inside the
 * instruction hook, Lua has its hooks off, and a handler that loops would loop for ever. Without the debug library no
 * script can tell the difference.
 */
static int base_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2); /* the handler, below everything */
    lua_insert(L, 1);
    lua_remove(L, 3);
    lua_pushboolean(L, 1);
    lua_insert(L, 2);
    int status = lua_pcall(L, lua_gettop(L) - 3, LUA_MULTRET, 0);
    if (status == LUA_OK)
        return lua_gettop(L) - 1;
    vf_lua_pass_on(L, status);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    lua_pushvalue(L, 1);
    lua_insert(L, -2); /* false, handler, error */
    status = lua_pcall(L, 1, LUA_MULTRET, 0);
    if (status != LUA_OK)
        vf_lua_pass_on(L, status);
    return lua_gettop(L) - 2; /* the false and what it gave */
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    vf_lua_push_text(L, 1);
    return 1;
}

/* Calls a library's function (upvalue 1) in this frame, after paying for the strings it is given. */
static int paid(lua_State *L)
{
    int64_t cost = 1;
    for (int i = lua_gettop(L); i > 0; i--)
        if (lua_type(L, i) == LUA_TSTRING)
            cost += vf_lua_bytes_cost(lua_rawlen(L, i));
    /* GUARD lua-paid: upper() of 100 MB costs one instruction */
    vf_lua_spend(L, cost);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* What is kept of the libraries as it is, and what pays for the length of its strings. */
struct kept {
    const char *name;
    bool pays;
};

static const struct kept base_kept[] = {
    {"assert", false},  {"error", false}, {"ipairs", false}, {"select", false},
    {"tonumber", true}, {"type", false},  {NULL, false},
};
static const struct kept string_kept[] = {
    {"byte", true},    {"char", false}, {"len", false},  {"lower", true},
    {"reverse", true}, {"sub", false},  {"upper", true}, {NULL, false},
};
static const struct kept utf8_kept[] = {
    {"char", false}, {"charpattern", false}, {"codepoint", true}, {"codes", false},
    {"len", true},   {"offset", true},       {NULL, false},
};
static const struct kept math_kept[] = {
    {"abs", false},        {"acos", false}, {"asin", false},      {"atan", false},       {"ceil", false},
    {"cos", false},        {"deg", false},  {"exp", false},       {"floor", false},      {"fmod", false},
    {"huge", false},       {"log", false},  {"max", false},       {"maxinteger", false}, {"min", false},
    {"mininteger", false}, {"modf", false}, {"pi", false},        {"rad", false},        {"sin", false},
    {"sqrt", false},       {"tan", false},  {"tointeger", false}, {"type", false},       {"ult", false},
    {NULL, false},
};

/* Copies what is kept from the library at `from` to the table on top. */
static void keep(lua_State *L, int from, const struct kept *kept)
{
    for (; kept->name; kept++) {
        lua_getfield(L, from, kept->name);
        if (kept->pays)
            lua_pushcclosure(L, paid, 1);
        lua_setfield(L, -2, kept->name);
    }
}

static int library_write(lua_State *L)
{
    return luaL_error(L, "the libraries cannot be changed");
}

static int global_write(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    return luaL_error(L, "the global `%s` is set, and there are no globals here: write `local %s`", name, name);
}

static int global_read(lua_State *L)
{
    static const char *const withheld[] = {"os",
                                           "io",
                                           "debug",
                                           "coroutine",
                                           "load",
                                           "loadstring",
                                           "loadfile",
                                           "dofile",
                                           "getmetatable",
                                           "setmetatable",
                                           "collectgarbage",
                                           "rawget",
                                           "rawset",
                                           "rawequal",
                                           "rawlen",
                                           "package",
                                           "_G",
                                           NULL};
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "print") == 0)
        return luaL_error(L, "there is no `print` here: use log(...)");
    for (size_t i = 0; withheld[i]; i++)
        if (strcmp(name, withheld[i]) == 0)
            return luaL_error(L, "there is no `%s` here: a projection has no I/O, no clock and no metatables", name);
    return luaL_error(L, "there is no global `%s`", name);
}

/* Replaces the table on top by an empty one that shows it and refuses to be written to. */
static void lock(lua_State *L, lua_CFunction newindex)
{
    lua_newtable(L);
    lua_createtable(L, 1, 2);
    lua_pushinteger(L, VF_SHAPE_LIBRARY);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    /* GUARD lua-locked: a handler keeps state in a global, or changes what others call */
    lua_pushcfunction(L, newindex);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

/* Opens a library; it is on top. Its own entry in the real globals goes with them. */
static void open_library(lua_State *L, const char *name, lua_CFunction open)
{
    luaL_requiref(L, name, open, 0);
}

static void add_strings(lua_State *L)
{
    open_library(L, LUA_STRLIBNAME, luaopen_string);
    int from = lua_gettop(L);
    lua_newtable(L);
    keep(L, from, string_kept);
    vf_lua_set_text_library(L, from);
    /* Methods, ("x"):rep(3), go to the same functions; the metatable itself no script can reach. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, from + 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    lock(L, library_write);
    lua_remove(L, from);
}

static void add_library(lua_State *L, const char *name, lua_CFunction open, const struct kept *kept)
{
    open_library(L, name, open);
    lua_newtable(L);
    keep(L, lua_gettop(L) - 1, kept);
    lock(L, library_write);
    lua_remove(L, -2);
}

static void add_base(lua_State *L)
{
    static const luaL_Reg own[] = {
        {"pcall", base_pcall},   {"xpcall", base_xpcall}, {"tostring", base_tostring},
        {"pairs", vf_lua_pairs}, {"next", vf_lua_next},   {NULL, NULL},
    };
    open_library(L, LUA_GNAME, luaopen_base);
    lua_insert(L, -2);
    keep(L, lua_gettop(L) - 1, base_kept);
    luaL_setfuncs(L, own, 0);
    lua_remove(L, -2);
}

/* The state's own globals and loaded libraries are emptied: nothing of them is left to be found. */
static void forget_originals(lua_State *L)
{
    lua_newtable(L);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

void vf_lua_open_sandbox(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    lua_newtable(L); /* the globals */
    add_base(L);
    add_strings(L);
    lua_setfield(L, -2, "string");
    add_library(L, LUA_MATHLIBNAME, luaopen_math, math_kept);
    lua_setfield(L, -2, "math");
    add_library(L, LUA_UTF8LIBNAME, luaopen_utf8, utf8_kept);
    lua_setfield(L, -2, "utf8");
    lua_newtable(L);
    vf_lua_set_list_library(L);
    lock(L, library_write);
    lua_setfield(L, -2, "table");
    lua_pushliteral(L, LUA_VERSION);
    lua_setfield(L, -2, "_VERSION");
    vf_lua_set_api(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, global_read);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lock(L, global_write);
    projector->environment = luaL_ref(L, LUA_REGISTRYINDEX);
    forget_originals(L);
}
