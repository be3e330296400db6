/*
 * What a script's functions hold on to between calls: nothing that they could change. A batch is folded again after a
 * conflict, and each worker has a state of its own, so what a handler remembered would be counted twice or be missing.
 *
 * Tables are made read-only; a function that assigns to a variable outside of itself is refused, and so is an iterator
 * that remembers where it was. All of it happens once, after loading; no event pays for it.
 */
#ifndef VF_LUA_FREEZE_H
#define VF_LUA_FREEZE_H

#include "lua/host.h"

/*
 * Goes through everything that the functions in the list at `roots` can reach. A document that takes in one of the
 * script's tables is noticed by what this leaves on them (encode.c). Raises with file and line for state.
 */
void vf_lua_freeze_script(lua_State *L, int roots);

#endif
