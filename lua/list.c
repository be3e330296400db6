#include "lua/list.h"

#include "lua/host.h"

#include <lauxlib.h>
#include <limits.h>

/* The table at `argument`, with what it really holds in its place: to be read. */
static void check_readable(lua_State *L, int argument)
{
    luaL_checktype(L, argument, LUA_TTABLE);
    vf_lua_push_contents(L, argument);
    lua_replace(L, argument);
}

/* The same, to be written to. */
static void check_writable(lua_State *L, int argument)
{
    luaL_checktype(L, argument, LUA_TTABLE);
    enum vf_lua_shape shape = vf_lua_shape(L, argument);
    /* GUARD lua-write-locked: a raw write gets around the read-only libraries and tables of the script */
    if (shape != VF_SHAPE_OBJECT && shape != VF_SHAPE_ARRAY)
        luaL_error(L, "a table of the script or a library is changed: handlers keep no state outside the document");
}

static lua_Integer length(lua_State *L, int table)
{
    return (lua_Integer)lua_rawlen(L, table);
}

/* How many there are from `first` to `last`; they must be paid for, and fit an integer. */
static lua_Integer pay_range(lua_State *L, lua_Integer first, lua_Integer last, int64_t each)
{
    if (first > last)
        return 0;
    lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)first;
    if (count >= (lua_Unsigned)(INT64_MAX / 16))
        vf_lua_out_of_instructions(L);
    vf_lua_spend(L, ((int64_t)count + 1) * each);
    return (lua_Integer)count + 1;
}

static int list_insert(lua_State *L)
{
    check_writable(L, 1);
    lua_Integer end = length(L, 1) + 1;
    switch (lua_gettop(L)) {
    case 2: lua_rawseti(L, 1, end); return 0;
    case 3: {
        lua_Integer position = luaL_checkinteger(L, 2);
        luaL_argcheck(L, position >= 1 && position <= end, 2, "position out of bounds");
        pay_range(L, position, end, 1);
        for (lua_Integer i = end; i > position; i--) {
            lua_rawgeti(L, 1, i - 1);
            lua_rawseti(L, 1, i);
        }
        lua_rawseti(L, 1, position);
        return 0;
    }
    default: return luaL_error(L, "wrong number of arguments to 'insert'");
    }
}

static int list_remove(lua_State *L)
{
    check_writable(L, 1);
    lua_Integer size = length(L, 1);
    lua_Integer position = luaL_optinteger(L, 2, size);
    if (lua_gettop(L) > 1)
        luaL_argcheck(L, (size == 0 && position == 0) || (position >= 1 && position <= size + 1), 2,
                      "position out of bounds");
    if (lua_rawgeti(L, 1, position) == LUA_TNIL)
        return 1;
    pay_range(L, position, size, 1);
    for (; position < size; position++) {
        lua_rawgeti(L, 1, position + 1);
        lua_rawseti(L, 1, position);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, position);
    return 1;
}

static int list_concat(lua_State *L)
{
    size_t separator_size;
    check_readable(L, 1);
    const char *separator = luaL_optlstring(L, 2, "", &separator_size);
    lua_Integer first = luaL_optinteger(L, 3, 1);
    lua_Integer last = luaL_optinteger(L, 4, length(L, 1));
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (lua_Integer i = first; i <= last; i++) {
        vf_lua_spend(L, 2);
        int type = lua_rawgeti(L, 1, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return luaL_error(L, "invalid value (a %s) at index %I in table for 'concat'", lua_typename(L, type),
                              (LUAI_UACINT)i);
        luaL_addvalue(&out);
        if (i == last)
            break; /* also where i + 1 would be no integer */
        luaL_addlstring(&out, separator, separator_size);
    }
    luaL_pushresult(&out);
    return 1;
}

static int list_unpack(lua_State *L)
{
    check_readable(L, 1);
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = luaL_optinteger(L, 3, length(L, 1));
    lua_Integer count = pay_range(L, first, last, 1);
    if (count >= LUAI_MAXSTACK)
        return luaL_error(L, "too many results to unpack");
    vf_lua_check_stack(L, (int)count);
    for (lua_Integer i = 0; i < count; i++)
        lua_rawgeti(L, 1, first + i);
    return (int)count;
}

static int list_pack(lua_State *L)
{
    int count = lua_gettop(L);
    vf_lua_spend(L, count);
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    return 1;
}

static int list_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2);
    lua_Integer last = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    check_writable(L, target);
    lua_settop(L, 5);
    lua_pushvalue(L, target); /* the answer, before the source is looked through */
    check_readable(L, 1);
    target = target == 1 ? 6 : 5;
    if (last < from)
        return 1;
    luaL_argcheck(L, from > 0 || last < LUA_MAXINTEGER + from, 3, "too many elements to move");
    lua_Integer count = pay_range(L, from, last, 2);
    luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
    bool upwards = to > last || to <= from || !lua_rawequal(L, 1, target);
    for (lua_Integer n = 0; n < count; n++) {
        lua_Integer i = upwards ? n : count - 1 - n;
        lua_rawgeti(L, 1, from + i);
        lua_rawseti(L, target, to + i);
    }
    return 1;
}

/* Whether b is to come before a: `comparator` is the index of a function, or 0. */
static bool comes_before(lua_State *L, int comparator, int b, int a)
{
    /* Also where the comparator is a function of the libraries: no instruction is counted then. */
    vf_lua_spend(L, 3 + vf_lua_text_cost(L, a) + vf_lua_text_cost(L, b));
    if (!comparator)
        return lua_compare(L, b, a, LUA_OPLT);
    lua_pushvalue(L, comparator);
    lua_pushvalue(L, b);
    lua_pushvalue(L, a);
    lua_call(L, 2, 1);
    bool before = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return before;
}

/* Merges [left, middle) and [middle, right) of the list at `from` into the one at `to`. */
static void merge(lua_State *L, int from, int to, int comparator, lua_Integer left, lua_Integer middle,
                  lua_Integer right)
{
    lua_Integer a = left, b = middle;
    int top = lua_gettop(L);
    for (lua_Integer out = left; out < right; out++) {
        bool take_b = b < right;
        if (a < middle && b < right) {
            lua_rawgeti(L, from, b);
            lua_rawgeti(L, from, a);
            take_b = comes_before(L, comparator, top + 1, top + 2);
            lua_settop(L, top);
        }
        lua_rawgeti(L, from, take_b ? b++ : a++);
        lua_rawseti(L, to, out);
    }
}

/*
 * A merge sort: it asks the comparator n log n times whatever that answers, and keeps equal elements in order. (The
 * language's own picks its pivots by clock and address.)
 */
static int list_sort(lua_State *L)
{
    check_writable(L, 1);
    int comparator = 0;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
        comparator = 2;
    }
    lua_settop(L, 2);
    lua_Integer count = length(L, 1);
    if (count < 2)
        return 0;
    luaL_argcheck(L, count < INT_MAX, 1, "array too big");
    vf_lua_spend(L, 4 * count);
    lua_createtable(L, (int)count, 0);
    lua_createtable(L, (int)count, 0);
    int from = 3, to = 4;
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, from, i);
    }
    for (lua_Integer width = 1; width < count; width *= 2) {
        vf_lua_spend(L, count);
        for (lua_Integer left = 1; left <= count; left += 2 * width) {
            lua_Integer middle = left + width <= count + 1 ? left + width : count + 1;
            lua_Integer right = middle + width <= count + 1 ? middle + width : count + 1;
            merge(L, from, to, comparator, left, middle, right);
        }
        int swap = from;
        from = to;
        to = swap;
    }
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, from, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

void vf_lua_set_list_library(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"concat", list_concat}, {"insert", list_insert}, {"move", list_move},     {"pack", list_pack},
        {"remove", list_remove}, {"sort", list_sort},     {"unpack", list_unpack}, {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
