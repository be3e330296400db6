/*
 * A script's files: read through the reader it was opened with, loaded as text, remembered for the registry.
 */
#ifndef VF_LUA_SCRIPT_H
#define VF_LUA_SCRIPT_H

#include "lua/host.h"

/* Reads, compiles and runs the projection's own file, and pushes the one table that it returns. */
void vf_lua_run_main(lua_State *L);

/* The global `require`: at load time only. */
int vf_lua_require(lua_State *L);

/* "customer_orders.lua:12" for where the main file sets `name`, "customer_orders.lua" where that is not found.
 * Pushes it and returns the text, which lives as long as it is on the stack. */
const char *vf_lua_push_place(lua_State *L, const char *name);

/* The files, main first, then by name. After loading. */
void vf_lua_sort_files(struct vf_projector *projector);
void vf_lua_free_files(struct vf_projector *projector);

#endif
