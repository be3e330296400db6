/*
 * The sandbox: what of the language a script sees. An allow-list; globals and libraries that cannot be written to;
 * nothing random, no clock, no I/O, no metatables, no coroutines; every loop in C pays from the call's instructions.
 */
#ifndef VF_LUA_SANDBOX_H
#define VF_LUA_SANDBOX_H

#include "lua/host.h"

/* Opens the libraries, keeps what is allowed, and makes projector->environment. Called once, first of all. */
void vf_lua_open_sandbox(lua_State *L);

/*
 * After loading: makes the tables that the script's functions hold on to read-only, so that handlers keep no state in
 * them, and a document that takes one in is noticed. `roots` is the index of a list of functions to begin from.
 */
void vf_lua_freeze_script(lua_State *L, int roots);

#endif
