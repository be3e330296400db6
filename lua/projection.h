/*
 * The table that a projection's file returns: read and checked once, at load. What is wrong is said with file and line,
 * and a mistyped field is told the nearest right one.
 */
#ifndef VF_LUA_PROJECTION_H
#define VF_LUA_PROJECTION_H

#include "lua/host.h"

/* Reads the table at `index` into the projector. Raises; what was read until then is the projector's to free. */
void vf_lua_read_projection(lua_State *L, int index);
void vf_lua_free_projection(struct vf_projector *projector);

/* The handler of an event's kind and type, and the upcast of a type; NULL: there is none. */
const struct vf_lua_handler *vf_lua_handler_of(const struct vf_projector *projector, const struct vf_event *event);
const struct vf_lua_handler *vf_lua_upcast_of(const struct vf_projector *projector, struct vf_bytes type);

void vf_lua_free_handlers(struct vf_projector *projector);

#endif
