/*
 * What of the `string` library is written anew: find, match, gmatch and gsub over patterns under a budget (pattern.h),
 * rep, and format without addresses.
 */
#ifndef VF_LUA_TEXT_H
#define VF_LUA_TEXT_H

#include <lua.h>

/* Sets the functions as fields of the table on top. `original` is the index of the language's own string library. */
void vf_lua_set_text_library(lua_State *L, int original);

/* The function that `gmatch` answers with: it remembers where it is. */
lua_CFunction vf_lua_gmatch_step(void);

#endif
