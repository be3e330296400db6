/*
 * Names in messages: the nearest of the known ones to a mistyped one, and the line of a script where a field is set.
 * Pure functions; they look for help, not for truth.
 */
#ifndef VF_LUA_NAMES_H
#define VF_LUA_NAMES_H

#include "core/bytes.h"

/* The known name (NULL ends the list) that `name` was most likely meant to be; NULL where none is near. */
const char *vf_lua_nearest(const char *name, const char *const *known);

/* Where something stands in a script; line 0: nowhere. Columns are bytes, from 1. */
struct vf_lua_place {
    int line;
    int column;
};

/* Where the script's text sets `name`: `name =`, ["name"] =, outside comments and strings, at or behind `from`. */
struct vf_lua_place vf_lua_place_of(struct vf_bytes script, const char *name, struct vf_lua_place from);

/* Where a string "text" stands, at or behind `from`. */
struct vf_lua_place vf_lua_place_of_string(struct vf_bytes script, const char *text, struct vf_lua_place from);

/* One line of the script, without its line break. */
struct vf_bytes vf_lua_line(struct vf_bytes script, int line);

#endif
