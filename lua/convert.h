/*
 * Between Lua's values and JSON or BSON. Exact, or an error with the path: int64, double, string, boolean, null, list,
 * object, and dates in top-level fields. What comes in is built by what comes in (nothing is shared); what goes out is
 * looked at for tables that are shared (encode.c).
 */
#ifndef VF_LUA_CONVERT_H
#define VF_LUA_CONVERT_H

#include "lua/host.h"

/* How deep a document nests, itself included. */
#define VF_LUA_DEPTH_MAX 100

/* Pushes a parsed JSON value. Raises for an integer beyond 64 bits. */
void vf_lua_push_json(lua_State *L, struct vf_json value);

/* Pushes the table that a body's BSON says. Stops with VF_E_DATA for what no body holds. */
void vf_lua_push_body(lua_State *L, struct vf_bytes bson);

/*
 * Writes the table at `index` as BSON, keys sorted, into projector->out. `document` is the one it belongs to: its
 * tables get that document's marks, and *ret_aliased says whether one was reachable twice or carried another's. NULL:
 * the table is nobody's (`initial`), and is not marked. `limit_bytes` beyond which it stops with VF_E_LIMIT.
 */
void vf_lua_encode(lua_State *L, int index, struct vf_lua_document *document, size_t limit_bytes, bool *ret_aliased);

/* Dates: a userdata that holds Unix milliseconds. It prints, compares and concatenates as its RFC 3339 text. */
void vf_lua_open_dates(lua_State *L);
void vf_lua_push_date(lua_State *L, int64_t unix_ms);
bool vf_lua_to_date(lua_State *L, int index, int64_t *ret_unix_ms);

/* Pushes what `tostring` gives: never an address. */
void vf_lua_push_text(lua_State *L, int index);

#endif
