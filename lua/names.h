/*
 * Names in messages: the nearest of the known ones to a mistyped one, and the line of a script where a field is set.
 * Pure functions; they look for help, not for truth.
 */
#ifndef VF_LUA_NAMES_H
#define VF_LUA_NAMES_H

#include "core/bytes.h"

/* The known name (NULL ends the list) that `name` was most likely meant to be; NULL where none is near. */
const char *vf_lua_nearest(const char *name, const char *const *known);

/* The line (from 1) on which the script's text sets `name`: `name =`, ["name"] =, outside comments and strings, at or
 * after `from_line`. 0 where it is not found. */
int vf_lua_line_of(struct vf_bytes script, const char *name, int from_line);

#endif
