/*
 * Everything that is wrong in a script, rather than the first: what raises while a script is opened is gathered here, part
 * by part, and its text is looked through for names (scan.h). Belongs to one projector, which is made for this.
 */
#ifndef VF_LUA_LINT_H
#define VF_LUA_LINT_H

#include "lua/host.h"
#include "lua/names.h"

/* One thing that a projection's table says. May raise. */
typedef void vf_lua_part(lua_State *L, int table, lua_Integer item);

/* Calls part(L, table, item). While lint looks, what it raises is gathered and the next part goes on; what is at `table`
 * and right behind it (table + 1, where there is something) is there for the part under these indices' order. */
void vf_lua_lint_part(lua_State *L, int table, vf_lua_part *part, lua_Integer item);

/* Ends the part that runs: what was wrong has been gathered. */
__attribute__((noreturn)) void vf_lua_lint_skip(lua_State *L);

/* Gathers one. What stands behind ": did you mean" is its hint. */
void vf_lua_lint_add(struct vf_projector *projector, const char *file, struct vf_lua_place place, bool note,
                     const char *message);

/* The same for "view.lua:3: what", and perhaps a traceback below it, as something raised it. */
void vf_lua_lint_add_raised(lua_State *L, const char *text);

/* Runs in the gate when a script has been loaded: gathers notes about what its functions do (advice.c). */
int vf_lua_run_advice(lua_State *L);

/* The seam's lint and place; `load` is what opening a script runs in the gate. */
void vf_lua_lint(struct vf_projector *projector, lua_CFunction load, vf_script_found *found, void *self);
void vf_lua_place_word(const struct vf_projector *projector, const char *field, const char *word, int32_t *ret_line,
                       int32_t *ret_column);

#endif
