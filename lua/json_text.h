/*
 * A value of a script as JSON text: what an upcast leaves as `e.data`. Exact, or an error with the path: an integer stays one, a
 * float always shows it is one, lists and objects stay what they are. Raises.
 */
#ifndef VF_LUA_JSON_TEXT_H
#define VF_LUA_JSON_TEXT_H

#include "lua/host.h"

/* Writes the value at `index` into projector->out, keys sorted. `where` stands in front of what is wrong with it; `what` names
 * the value. Beyond `limit_bytes` it stops with VF_E_LIMIT. */
void vf_lua_print_json(lua_State *L, int index, const char *where, const char *what, size_t limit_bytes);

#endif
