/*
 * Upcasts: functions that turn an old event into the present one, before its route is asked. They see the one `e`, of which they
 * may set `type` and `data`; one event comes in and one goes out.
 */
#ifndef VF_LUA_UPCAST_H
#define VF_LUA_UPCAST_H

#include "lua/host.h"

/* The contract of the seam's `upcast`, for an event whose type has this one. */
VF_MUSTCHECK enum vf_code vf_lua_upcast(struct vf_projector *projector, const struct vf_lua_handler *upcast,
                                        struct vf_event *event, struct vf_arena *arena, struct vf_error *error);

#endif
