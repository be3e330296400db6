/*
 * The `table` library, written so that its loops pay from the call's instructions, tables of the script and the
 * libraries cannot be written to, and a sort gives one result on every machine. It works on what a table holds itself.
 */
#ifndef VF_LUA_LIST_H
#define VF_LUA_LIST_H

#include <lua.h>

/* Sets the functions as fields of the table on top. */
void vf_lua_set_list_library(lua_State *L);

#endif
