/*
 * The sandbox: what of the language a script sees. An allow-list; globals and libraries that cannot be written to;
 * nothing random, no clock, no I/O, no metatables, no coroutines; every loop in C pays from the call's instructions.
 */
#ifndef VF_LUA_SANDBOX_H
#define VF_LUA_SANDBOX_H

#include "lua/host.h"

/* Opens the libraries, keeps what is allowed, and makes projector->environment. Called once, first of all. */
void vf_lua_open_sandbox(lua_State *L);

#endif
