#define _GNU_SOURCE /* memmem */

#include "lua/text.h"

#include "lua/convert.h"
#include "lua/pattern.h"

#include <lauxlib.h>

/* A short pattern's pieces lie on the C stack, a longer one's in a userdata. */
#define PIECES_ON_STACK 24

static struct vf_bytes check_text(lua_State *L, int argument)
{
    struct vf_bytes text;
    text.data = luaL_checklstring(L, argument, &text.size);
    return text;
}

/* Room for a pattern's pieces: `short_pieces`, or a userdata, which is pushed. */
static struct vf_pattern_piece *room_for(lua_State *L, struct vf_bytes pattern, struct vf_pattern_piece *short_pieces)
{
    if (pattern.size < PIECES_ON_STACK)
        return short_pieces;
    return lua_newuserdatauv(L, (pattern.size + 1) * sizeof *short_pieces, 0);
}

static void push_capture(struct vf_pattern_match *match, int capture)
{
    lua_State *L = match->L;
    if (match->captures[capture].position)
        lua_pushinteger(L, match->captures[capture].begin - match->text.data + 1);
    else
        lua_pushlstring(L, match->captures[capture].begin, match->captures[capture].size);
}

/* Pushes all captures, or the whole match where the pattern has none (and `whole` says so). How many. */
static int push_captures(struct vf_pattern_match *match, const char *begin, const char *end, bool whole)
{
    int count = match->pattern->captures;
    vf_lua_check_stack(match->L, count + 1);
    if (count == 0 && whole) {
        lua_pushlstring(match->L, begin, (size_t)(end - begin));
        return 1;
    }
    for (int i = 0; i < count; i++)
        push_capture(match, i);
    return count;
}

/* A position as the library counts: from 1, or from the end with a negative sign. SIZE_MAX: beyond the end. */
static size_t start_offset(lua_State *L, int argument, size_t size)
{
    lua_Integer init = luaL_optinteger(L, argument, 1);
    if (init < 0)
        init = init < -(lua_Integer)size ? 1 : (lua_Integer)size + init + 1;
    else if (init == 0)
        init = 1;
    return init > (lua_Integer)size + 1 ? SIZE_MAX : (size_t)init - 1;
}

static int find_plain(lua_State *L, struct vf_bytes text, struct vf_bytes wanted, size_t from)
{
    vf_lua_spend(L, 1 + vf_lua_bytes_cost(text.size - from) * 4);
    const char *found =
        wanted.size ? memmem(text.data + from, text.size - from, wanted.data, wanted.size) : text.data + from;
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - text.data + 1);
    lua_pushinteger(L, found - text.data + (lua_Integer)wanted.size);
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    struct vf_bytes text = check_text(L, 1), wanted = check_text(L, 2);
    size_t from = start_offset(L, 3, text.size);
    if (from == SIZE_MAX) {
        lua_pushnil(L);
        return 1;
    }
    vf_lua_spend(L, vf_lua_bytes_cost(wanted.size) * 4);
    if (find && (lua_toboolean(L, 4) || vf_pattern_is_plain(wanted)))
        return find_plain(L, text, wanted, from);
    struct vf_pattern_piece pieces[PIECES_ON_STACK];
    struct vf_pattern pattern = {.pieces = room_for(L, wanted, pieces)};
    vf_pattern_compile(L, wanted, true, &pattern);
    struct vf_pattern_match match = {.L = L, .pattern = &pattern, .text = text};
    const char *at = text.data + from, *last = text.data + text.size;
    for (; at <= last; at++) {
        const char *end = vf_pattern_match_at(&match, at);
        if (end && find) {
            lua_pushinteger(L, at - text.data + 1);
            lua_pushinteger(L, end - text.data);
            return push_captures(&match, at, end, false) + 2;
        }
        if (end)
            return push_captures(&match, at, end, true);
        if (pattern.anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int text_find(lua_State *L)
{
    return find_or_match(L, true);
}

static int text_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* What gmatch's iterator keeps: a userdata, with the pieces behind it. Upvalues: the text, this. */
struct walk {
    size_t from;     /* where to look next */
    size_t last_end; /* where the last match ended, SIZE_MAX before the first */
    struct vf_pattern pattern;
};

static int gmatch_step(lua_State *L)
{
    struct walk *walk = lua_touserdata(L, lua_upvalueindex(2));
    struct vf_bytes text;
    text.data = lua_tolstring(L, lua_upvalueindex(1), &text.size);
    struct vf_pattern_match match = {.L = L, .pattern = &walk->pattern, .text = text};
    for (size_t from = walk->from; from <= text.size; from++) {
        const char *end = vf_pattern_match_at(&match, text.data + from);
        if (!end || (size_t)(end - text.data) == walk->last_end) /* an empty match right behind another is none */
            continue;
        walk->from = walk->last_end = (size_t)(end - text.data);
        return push_captures(&match, text.data + from, end, true);
    }
    walk->from = text.size + 1;
    lua_pushnil(L);
    return 1;
}

lua_CFunction vf_lua_gmatch_step(void)
{
    return gmatch_step;
}

static int text_gmatch(lua_State *L)
{
    struct vf_bytes text = check_text(L, 1), wanted = check_text(L, 2);
    size_t from = start_offset(L, 3, text.size);
    lua_settop(L, 2);
    struct walk *walk = lua_newuserdatauv(L, sizeof *walk + (wanted.size + 1) * sizeof(struct vf_pattern_piece), 0);
    walk->from = from == SIZE_MAX ? text.size + 1 : from;
    walk->last_end = SIZE_MAX;
    walk->pattern.pieces = (struct vf_pattern_piece *)(walk + 1);
    vf_pattern_compile(L, wanted, false, &walk->pattern);
    lua_remove(L, 2);
    lua_pushcclosure(L, gmatch_step, 2);
    return 1;
}

/* The string that replaces a match, with %0 to %9 filled in. */
static void add_replacement(luaL_Buffer *out, struct vf_pattern_match *match, const char *begin, const char *end)
{
    lua_State *L = match->L;
    struct vf_bytes text;
    text.data = lua_tolstring(L, 3, &text.size);
    vf_lua_spend(L, vf_lua_bytes_cost(text.size));
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            luaL_addchar(out, text.data[i]);
            continue;
        }
        char what = ++i < text.size ? text.data[i] : '\0';
        int capture = what - '1';
        if (what == '%') {
            luaL_addchar(out, '%');
        } else if (what == '0' || (what == '1' && match->pattern->captures == 0)) {
            luaL_addlstring(out, begin, (size_t)(end - begin));
        } else if (what >= '1' && what <= '9') {
            if (capture >= match->pattern->captures)
                luaL_error(L, "invalid capture index %%%d in replacement string", capture + 1);
            push_capture(match, capture);
            luaL_addvalue(out);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Adds what replaces the match; false where it stays as it is. */
static bool add_value(luaL_Buffer *out, struct vf_pattern_match *match, const char *begin, const char *end)
{
    lua_State *L = match->L;
    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(match, begin, end, true), 1);
        break;
    case LUA_TTABLE:
        if (match->pattern->captures > 0)
            push_capture(match, 0);
        else
            lua_pushlstring(L, begin, (size_t)(end - begin));
        lua_gettable(L, 3);
        break;
    default: add_replacement(out, match, begin, end); return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(out, begin, (size_t)(end - begin));
        return false;
    }
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(out);
    return true;
}

static int text_gsub(lua_State *L)
{
    struct vf_bytes text = check_text(L, 1), wanted = check_text(L, 2);
    int type = lua_type(L, 3);
    luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                     "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)text.size + 1), count = 0;
    lua_settop(L, 3);
    struct vf_pattern_piece pieces[PIECES_ON_STACK];
    struct vf_pattern pattern = {.pieces = room_for(L, wanted, pieces)};
    vf_pattern_compile(L, wanted, true, &pattern);
    struct vf_pattern_match match = {.L = L, .pattern = &pattern, .text = text};
    const char *at = text.data, *last = text.data + text.size, *last_end = NULL;
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    while (count < most) {
        const char *end = vf_pattern_match_at(&match, at);
        if (end && end != last_end) {
            count++;
            add_value(&out, &match, at, end);
            at = last_end = end;
        } else if (at < last) {
            luaL_addchar(&out, *at++);
        } else {
            break;
        }
        if (pattern.anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(last - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

static int text_rep(lua_State *L)
{
    struct vf_bytes text = check_text(L, 1), between;
    lua_Integer times = luaL_checkinteger(L, 2);
    between.data = luaL_optlstring(L, 3, "", &between.size);
    if (times <= 0 || text.size + between.size == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    size_t each = text.size + between.size;
    if (each < text.size || (lua_Unsigned)times > (size_t)INT64_MAX / each)
        return luaL_error(L, "resulting string too large");
    vf_lua_spend(L, times);
    size_t total = each * (size_t)times - between.size;
    luaL_Buffer out;
    char *to = luaL_buffinitsize(L, &out, total);
    for (lua_Integer i = 0; i < times; i++) {
        memcpy(to, text.data, text.size);
        to += text.size;
        if (i + 1 < times && between.size) {
            memcpy(to, between.data, between.size);
            to += between.size;
        }
    }
    luaL_pushresultsize(&out, total);
    return 1;
}

/* format: the arguments that would show an address are replaced by their text, then the language's own does the work
 * (upvalue 1). Its output pays when it is allocated. */
static int text_format(lua_State *L)
{
    struct vf_bytes form = check_text(L, 1);
    int argument = 1, given = lua_gettop(L);
    vf_lua_spend(L, 1 + (int64_t)form.size);
    for (size_t i = 0; i < form.size; i++) {
        if (form.data[i] != '%')
            continue;
        if (++i < form.size && form.data[i] == '%')
            continue;
        while (i < form.size && form.data[i] != '\0' && strchr("-+ #0123456789.", form.data[i]))
            i++;
        char what = i < form.size ? form.data[i] : '\0';
        argument++;
        vf_lua_spend(L, 30 + vf_lua_text_cost(L, argument)); /* a width or precision makes it look for a NUL */
        /* GUARD lua-address: a document holds an address, another one in each worker */
        if (what == 'p')
            return luaL_error(L, "there is no '%%p' here: addresses differ from run to run");
        if (what != 's' || argument > given)
            continue;
        if (lua_type(L, argument) != LUA_TSTRING && lua_type(L, argument) != LUA_TNUMBER) {
            vf_lua_push_text(L, argument);
            lua_replace(L, argument);
        }
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void vf_lua_set_text_library(lua_State *L, int original)
{
    static const luaL_Reg functions[] = {
        {"find", text_find}, {"match", text_match}, {"gmatch", text_gmatch},
        {"gsub", text_gsub}, {"rep", text_rep},     {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, original, "format");
    lua_pushcclosure(L, text_format, 1);
    lua_setfield(L, -2, "format");
}
