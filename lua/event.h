/*
 * `e`: one userdata for all events, whose fields are made when they are first read. It shows the event of the call that
 * runs, and nothing after it. Scripts can read it and walk it with pairs; they cannot change it (e.data is their own), but for
 * upcasts, which set its type and its data.
 */
#ifndef VF_LUA_EVENT_H
#define VF_LUA_EVENT_H

#include "lua/host.h"

/* Makes the object and its metatable; called once. */
void vf_lua_open_event(lua_State *L);

/* Which event the next call sees. `document_id.data` may be NULL. Does not raise; may be called outside the gate. */
void vf_lua_show_event(struct vf_projector *projector, const struct vf_event *event, struct vf_bytes document_id);
void vf_lua_hide_event(struct vf_projector *projector);

/* After an upcast has run: pushes the type that it has set, and the data that it has set or read (and perhaps changed); nil for
 * what it has not. */
void vf_lua_push_upcasted(lua_State *L, bool *ret_type, bool *ret_data);

/* Pushes `e`. */
void vf_lua_push_event(lua_State *L);

bool vf_lua_is_event(lua_State *L, int index);

/* Pushes a list of the names of the fields that the event has, in order. */
void vf_lua_push_event_keys(lua_State *L);

#endif
