/*
 * From an event to the ids of its documents. A field route never enters Lua: it reads the record's JSON.
 */
#ifndef VF_LUA_ROUTE_H
#define VF_LUA_ROUTE_H

#include "lua/host.h"

/* The contract of the seam's `route`, for one way. `one`: a link, which leads to one document at most. */
VF_MUSTCHECK enum vf_code vf_lua_route(struct vf_projector *projector, const struct vf_lua_way *way, bool one,
                                       const struct vf_event *event, struct vf_arena *arena,
                                       struct vf_routed *ret_routed, struct vf_error *error);

#endif
