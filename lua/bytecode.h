/*
 * Which variables outside of itself a function assigns to: itself, or through the functions that are written inside it.
 * Lua's API does not say so; its own dump of the compiled function does (ldump.c, the same in all of 5.4). It is read
 * here at load time, and only what this very library has just written: never a chunk from outside.
 *
 * Failures are raised: where the dump has another form than the one known here, the script is refused.
 */
#ifndef VF_LUA_BYTECODE_H
#define VF_LUA_BYTECODE_H

#include "lua/host.h"

/* What is said about one such assignment. */
struct vf_assignment {
    int upvalue; /* as lua_getupvalue counts, from 1; 0: there is none */
    int line;    /* where it stands */
};

/* The first assignment that the Lua function at `index`, or one inside it, makes to a variable of its surroundings. */
struct vf_assignment vf_lua_outside_assignment(lua_State *L, int index);

/* Raises where the library that is linked writes its code in a form that is not known here. */
void vf_lua_check_bytecode(lua_State *L);

#endif
