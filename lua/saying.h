/*
 * How what a projection's table says is read, and what is wrong with it told: with the place in the script, raised when a
 * script is opened (the first of it), gathered when lint looks (all of it). For projection.c, key.c and settings.c.
 */
#ifndef VF_LUA_SAYING_H
#define VF_LUA_SAYING_H

#include "lua/lint.h"

/* What is wrong with the field `name`; `parents`: the fields that it is in, outermost first, as "key.order", or NULL. Returns
 * only while lint gathers. */
void vf_lua_complain(lua_State *L, const char *parents, const char *name, const char *format, ...) VF_PRINTF(4, 5);

/* Worth knowing, and nothing that must be changed: heard by lint only. */
void vf_lua_remark(lua_State *L, const char *parents, const char *name, const char *format, ...) VF_PRINTF(4, 5);

/* The same as vf_lua_complain for what cannot be read on behind it. */
#define vf_lua_wrong_in(L, parents, ...)          \
    do {                                          \
        vf_lua_complain(L, parents, __VA_ARGS__); \
        vf_lua_lint_skip(L);                      \
    } while (0)
#define vf_lua_wrong(L, ...) vf_lua_wrong_in(L, NULL, __VA_ARGS__)

/* Where the main file sets `name` within `parents`; where that is not found, where the innermost parent is set. */
struct vf_lua_place vf_lua_place_in(const struct vf_projector *projector, const char *parents, const char *name);

/* Pushes a field of the projection's table. */
int vf_lua_push_field(lua_State *L, int table, const char *name);

/* Pushes a field that has to be there, and of that type. `what` says what for. */
void vf_lua_push_required(lua_State *L, int table, const char *name, int type, const char *what);

/* [a-z][a-z0-9_]*, not too long: a view's name, an index's. */
bool vf_lua_is_plain_name(const char *name, size_t size);

/* The parts of a projection's table. */
void vf_lua_read_key(lua_State *L, int table, lua_Integer item);
void vf_lua_read_handlers(lua_State *L, int table, lua_Integer item);
void vf_lua_read_upcasts(lua_State *L, int table, lua_Integer item);
void vf_lua_read_versions(lua_State *L, int table, lua_Integer item);
void vf_lua_read_unlinked(lua_State *L, int table, lua_Integer item);
void vf_lua_read_ttl(lua_State *L, int table, lua_Integer item);
void vf_lua_read_indexes(lua_State *L, int table, lua_Integer item);

#endif
