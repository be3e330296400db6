/*
 * Lua's patterns (manual, 6.4.1), matched under a budget: each step pays from the call's instructions, so that a
 * pattern that backtracks for ever is stopped. Letters are ASCII's on every machine.
 *
 * A pattern is compiled into pieces; repetitions are the only places where a match may have to come back to.
 */
#ifndef VF_LUA_PATTERN_H
#define VF_LUA_PATTERN_H

#include "core/bytes.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#define VF_PATTERN_CAPTURES_MAX 32

enum vf_pattern_kind {
    VF_PIECE_SET,      /* one character of a set, as often as `repeat` says */
    VF_PIECE_OPEN,     /* ( */
    VF_PIECE_CLOSE,    /* ) */
    VF_PIECE_POSITION, /* () */
    VF_PIECE_SAME,     /* %1 */
    VF_PIECE_BALANCE,  /* %bxy */
    VF_PIECE_FRONTIER, /* %f[set] */
    VF_PIECE_END,      /* $ */
};

struct vf_pattern_piece {
    uint8_t kind;
    char repeat;         /* of a set: '\0' once, or one of * + - ? */
    uint8_t capture;     /* of what concerns a capture: its number from 0 */
    uint8_t open, close; /* of a balance */
    uint64_t set[4];
};

struct vf_pattern {
    bool anchored; /* ^ */
    size_t count;
    int captures;
    struct vf_pattern_piece *pieces; /* room for one more than the pattern has bytes */
};

struct vf_pattern_match {
    lua_State *L;
    const struct vf_pattern *pattern;
    struct vf_bytes text;
    int depth;
    struct {
        const char *begin;
        size_t size;
        bool position;
    } captures[VF_PATTERN_CAPTURES_MAX];
};

/* Whether the text has none of the characters that mean something in a pattern. */
bool vf_pattern_is_plain(struct vf_bytes pattern);

/* Fills *ret_pattern, whose `pieces` the caller has set. `anchors`: whether a ^ in front anchors. Raises for a
 * malformed pattern. */
void vf_pattern_compile(lua_State *L, struct vf_bytes text, bool anchors, struct vf_pattern *ret_pattern);

/* Where a match that begins at `at` ends; NULL: none does. Fills match->captures. */
const char *vf_pattern_match_at(struct vf_pattern_match *match, const char *at);

#endif
