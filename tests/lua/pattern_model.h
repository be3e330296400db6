/*
 * What tests of Lua's patterns share: one piece of Lua that tries a pattern on a text in all ways, as the language's own library
 * runs it and as a projection's handler does; and what the manual calls a pattern.
 */
#ifndef LUA_PATTERN_MODEL_H
#define LUA_PATTERN_MODEL_H

#include "core/bytes.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

/* s and p are what is tried. 0 is written for each byte 1 of them, as neither side of the test can hold it otherwise. */
#define PATTERN_CODE                                                                                                         \
    "s, p = s:gsub('\\1', '\\0'), p:gsub('\\1', '\\0')\n"                                                                    \
    "local function all(...) local r = {} for i = 1, select('#', ...) do r[i] = tostring((select(i, ...))) end "             \
    "return table.concat(r, ',') end\n"                                                                                      \
    "local r = { all(s:find(p)), all(s:match(p, 2)), all(s:gsub(p, '<%0>')), all(s:gsub(p, '%1', 2)), all(s:find(p, -2)),\n" \
    "  all(s:find(p, 1, true)), all(s:match(p, 100)), all(s:gsub(p, '', 0)), all(s:gsub(p, 'x%%', -1)) }\n"                  \
    "local n = 0 for a, b in s:gmatch(p) do n = n + 1 r[#r + 1] = tostring(a) .. tostring(b) if n > 20 then break end end\n" \
    "for a in s:gmatch(p, 2) do n = n + 1 r[#r + 1] = tostring(a) if n > 40 then break end end\n"                            \
    "r[#r + 1] = all(s:gsub(p, function(a, b) if a == 'a' then return false end return (a or '') .. (b or '') end))\n"       \
    "r[#r + 1] = all(s:gsub(p, { a = 'x', [1] = 'y' }))\n"                                                                   \
    "for _, w in ipairs { '%2', '%', '%x' } do r[#r + 1] = all(pcall(string.gsub, s, p, w)):gsub('^false.*', 'false') end\n"

/* Both sides answer in ASCII: a document keeps UTF-8 only. */
#define PATTERN_ANSWER "(table.concat(r, '|'):gsub('[^ -~]', function(c) return ('\\\\%02x'):format(c:byte()) end))"

/* The language's own library, with that piece loaded. */
static inline lua_State *pattern_language_open(void)
{
    static const char chunk[] = PATTERN_CODE "return " PATTERN_ANSWER;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_loadbuffer(L, chunk, sizeof chunk - 1, "=language") != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        exit(2);
    }
    return L;
}

/* What it answers; NULL where it fails, with the message on top of the stack. */
static inline const char *pattern_language_answer(lua_State *L, struct vf_bytes text, struct vf_bytes pattern)
{
    lua_settop(L, 1);
    lua_pushlstring(L, text.size ? text.data : "", text.size);
    lua_setglobal(L, "s");
    lua_pushlstring(L, pattern.size ? pattern.data : "", pattern.size);
    lua_setglobal(L, "p");
    lua_pushvalue(L, 1);
    return lua_pcall(L, 0, 1, 0) == LUA_OK ? lua_tostring(L, -1) : NULL;
}

/* Where a [set] ends, as the manual has it; NULL: nowhere. `at` is behind its bracket. */
static inline const char *pattern_set_end(const char *at, const char *end)
{
    at += at < end && *at == '^';
    for (bool first = true; at < end; first = false) {
        if (*at == ']' && !first)
            return at + 1;
        at += *at == '%' && at + 1 < end ? 2 : 1;
    }
    return NULL;
}

/* Whether the manual (6.4.1) calls this a pattern: what is refused has to be none. */
static inline bool pattern_is_one(struct vf_bytes pattern)
{
    const char *at = pattern.data, *end = pattern.data + pattern.size;
    int captures = 0, open[64], depth = 0;
    bool closed[64] = {false};
    for (at += at < end && *at == '^'; at && at < end;) {
        char c = *at++;
        if (c == '(' && captures == 32) {
            return false;
        } else if (c == '(' && at < end && *at == ')') {
            closed[captures++] = true;
            at++;
        } else if (c == '(') {
            open[depth++] = captures++;
        } else if (c == ')') {
            if (depth == 0)
                return false;
            closed[open[--depth]] = true;
        } else if (c == '[') {
            at = pattern_set_end(at, end);
        } else if (c == '%') {
            if (at == end)
                return false;
            c = *at++;
            if ((c == 'f' && (at == end || *at != '[')) || (c == 'b' && end - at < 2))
                return false;
            if (c >= '0' && c <= '9' && (c == '0' || c - '1' >= captures || !closed[c - '1']))
                return false;
            if (c == 'f')
                at = pattern_set_end(at + 1, end);
            else if (c == 'b')
                at += 2;
        }
    }
    return at && depth == 0;
}

#endif
