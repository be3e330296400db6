/*
 * What viewfold gives to scripts beside the language: own, link, through, null, array, date, delete, log, require.
 */
#ifndef VF_LUA_API_H
#define VF_LUA_API_H

#include "lua/host.h"

#include <lauxlib.h>

/* Makes the metatables that these need; called once. */
void vf_lua_open_api(lua_State *L);

/* Sets own, null, delete and the functions as fields of the table on top. */
void vf_lua_set_api(lua_State *L);

/* What `link { Type = route }` made: pushes its table, type -> route. False, with nothing pushed, for anything else. */
bool vf_lua_push_link(lua_State *L, int index);

/* What `through(kind, field)` made: pushes the two strings. */
bool vf_lua_push_through(lua_State *L, int index);

#endif
