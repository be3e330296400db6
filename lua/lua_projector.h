/*
 * The projector seam on PUC Lua 5.4: a projection's script in a state of its own, under limits. One state belongs to
 * one worker thread. Nothing here knows a store or Kafka; nothing that a script does gets past the protected call in
 * host.c.
 */
#ifndef VF_LUA_PROJECTOR_H
#define VF_LUA_PROJECTOR_H

#include "projector.h"

extern const struct vf_projector_type vf_lua_projector_type;

#endif
