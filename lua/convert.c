#include "lua/convert.h"

#include "core/body.h"

#include <bson/bson.h>
#include <lauxlib.h>

static void mark_array(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->array_metatable);
    lua_setmetatable(L, -2);
}

static void push_bytes(lua_State *L, struct vf_bytes bytes)
{
    lua_pushlstring(L, bytes.size ? bytes.data : "", bytes.size);
}

static int count_members(struct vf_json value)
{
    struct vf_json_iterator iterator = vf_json_iterate(value);
    struct vf_json member;
    int count = 0;
    while (count < 1 << 20 && vf_json_next(&iterator, NULL, &member))
        count++;
    return count;
}

static void push_json_object(lua_State *L, struct vf_json value)
{
    struct vf_json_iterator iterator = vf_json_iterate(value);
    struct vf_bytes key;
    struct vf_json member;
    lua_createtable(L, 0, count_members(value));
    while (vf_json_next(&iterator, &key, &member)) {
        push_bytes(L, key);
        vf_lua_push_json(L, member);
        lua_rawset(L, -3); /* of repeated keys the last counts */
    }
}

static void push_json_array(lua_State *L, struct vf_json value)
{
    struct vf_json_iterator iterator = vf_json_iterate(value);
    struct vf_json member;
    lua_Integer position = 0;
    lua_createtable(L, count_members(value), 0);
    while (vf_json_next(&iterator, NULL, &member)) {
        vf_lua_push_json(L, member);
        lua_rawseti(L, -2, ++position);
    }
    mark_array(L);
}

void vf_lua_push_json(lua_State *L, struct vf_json value)
{
    vf_lua_check_stack(L, 4); /* the parser has limited it: VF_JSON_DEPTH_MAX */
    switch (vf_json_type(value)) {
    case VF_JSON_NULL: lua_pushlightuserdata(L, &vf_lua_projector(L)->null_token); return;
    case VF_JSON_BOOL: lua_pushboolean(L, vf_json_bool(value)); return;
    case VF_JSON_INT: lua_pushinteger(L, vf_json_int(value)); return;
    case VF_JSON_BIG: luaL_error(L, "the data holds an integer beyond 64 bits: send it as a string"); return;
    case VF_JSON_DOUBLE: lua_pushnumber(L, vf_json_double(value)); return;
    case VF_JSON_STRING: push_bytes(L, vf_json_string(value)); return;
    case VF_JSON_ARRAY: push_json_array(L, value); return;
    case VF_JSON_OBJECT: push_json_object(L, value); return;
    }
    lua_pushnil(L);
}

static void push_bson_table(lua_State *L, struct vf_bytes bson, bool is_array, int depth);

static void push_bson_value(lua_State *L, const bson_iter_t *iter, int depth)
{
    uint32_t size;
    const uint8_t *data;
    const char *text;
    switch (bson_iter_type(iter)) {
    case BSON_TYPE_NULL: lua_pushlightuserdata(L, &vf_lua_projector(L)->null_token); return;
    case BSON_TYPE_BOOL: lua_pushboolean(L, bson_iter_bool(iter)); return;
    case BSON_TYPE_INT32: lua_pushinteger(L, bson_iter_int32(iter)); return;
    case BSON_TYPE_INT64: lua_pushinteger(L, bson_iter_int64(iter)); return;
    case BSON_TYPE_DOUBLE: lua_pushnumber(L, bson_iter_double(iter)); return;
    case BSON_TYPE_DATE_TIME: vf_lua_push_date(L, bson_iter_date_time(iter)); return;
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(iter, &size);
        lua_pushlstring(L, text, size);
        return;
    case BSON_TYPE_DOCUMENT:
        bson_iter_document(iter, &size, &data);
        push_bson_table(L, vf_bytes(data, size), false, depth + 1);
        return;
    case BSON_TYPE_ARRAY:
        bson_iter_array(iter, &size, &data);
        push_bson_table(L, vf_bytes(data, size), true, depth + 1);
        return;
    default:
        vf_lua_stop(L, VF_E_DATA,
                    "the stored body's field `%.100s` has the BSON type %d, which viewfold does not write",
                    bson_iter_key(iter), (int)bson_iter_type(iter));
    }
}

static void push_bson_table(lua_State *L, struct vf_bytes bson, bool is_array, int depth)
{
    bson_t view;
    bson_iter_t iter;
    if (depth > VF_LUA_DEPTH_MAX)
        vf_lua_stop(L, VF_E_DATA, "the stored body nests deeper than %d", VF_LUA_DEPTH_MAX);
    if (!bson_init_static(&view, (const uint8_t *)bson.data, bson.size) || !bson_iter_init(&iter, &view))
        vf_lua_stop(L, VF_E_DATA, "the stored body is no BSON");
    vf_lua_check_stack(L, 4);
    uint32_t count = bson_count_keys(&view);
    int room = count < 1u << 20 ? (int)count : 1 << 20;
    lua_createtable(L, is_array ? room : 0, is_array ? 0 : room);
    lua_Integer position = 0;
    while (bson_iter_next(&iter)) {
        if (is_array) {
            push_bson_value(L, &iter, depth);
            lua_rawseti(L, -2, ++position);
        } else {
            lua_pushlstring(L, bson_iter_key(&iter), bson_iter_key_len(&iter));
            push_bson_value(L, &iter, depth);
            lua_rawset(L, -3);
        }
    }
    if (iter.err_off)
        vf_lua_stop(L, VF_E_DATA, "the stored body is broken BSON");
    if (is_array)
        mark_array(L);
}

void vf_lua_push_body(lua_State *L, struct vf_bytes bson)
{
    push_bson_table(L, bson, false, 1);
}

/* Dates */

void vf_lua_push_date(lua_State *L, int64_t unix_ms)
{
    int64_t *date = lua_newuserdatauv(L, sizeof *date, 0);
    *date = unix_ms;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->date_metatable);
    lua_setmetatable(L, -2);
}

bool vf_lua_to_date(lua_State *L, int index, int64_t *ret_unix_ms)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    bool is_date = lua_topointer(L, -1) == vf_lua_projector(L)->date_mark;
    lua_pop(L, 1);
    if (is_date)
        memcpy(ret_unix_ms, lua_touserdata(L, index), sizeof *ret_unix_ms);
    return is_date;
}

/* The time that a date, or a string that is one, says: for comparisons. */
static int64_t check_time(lua_State *L, int index)
{
    int64_t time_ms;
    struct vf_bytes text;
    if (vf_lua_to_date(L, index, &time_ms))
        return time_ms;
    if (lua_type(L, index) == LUA_TSTRING) {
        text.data = lua_tolstring(L, index, &text.size);
        if (vf_time_parse(text, &time_ms))
            return time_ms;
        luaL_error(L, "attempt to compare a date with a string that is no RFC 3339 time");
    }
    luaL_error(L, "attempt to compare a date with a %s", luaL_typename(L, index));
    return 0;
}

static int date_equal(lua_State *L)
{
    int64_t a, b;
    lua_pushboolean(L, vf_lua_to_date(L, 1, &a) && vf_lua_to_date(L, 2, &b) && a == b);
    return 1;
}

static int date_less(lua_State *L)
{
    lua_pushboolean(L, check_time(L, 1) < check_time(L, 2));
    return 1;
}

static int date_less_or_equal(lua_State *L)
{
    lua_pushboolean(L, check_time(L, 1) <= check_time(L, 2));
    return 1;
}

/* Lua 5.4.4 as Debian 12 has it goes on with a pointer to where its stack was before it called a __concat that returns
 * (docs/decisions/0016-dates-are-not-concatenated.md): no metatable of ours has one that does. */
static int date_concat(lua_State *L)
{
    return luaL_error(L, "attempt to concatenate a date: tostring(date) is its text");
}

static int date_index(lua_State *L)
{
    return luaL_error(L, "a date has no fields: tostring(date) gives its text");
}

void vf_lua_open_dates(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"__eq", date_equal},      {"__lt", date_less},     {"__le", date_less_or_equal},
        {"__concat", date_concat}, {"__index", date_index}, {NULL, NULL},
    };
    struct vf_projector *projector = vf_lua_projector(L);
    luaL_newlib(L, methods);
    projector->date_mark = lua_topointer(L, -1);
    projector->date_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
}

void vf_lua_push_text(lua_State *L, int index)
{
    struct vf_projector *projector = vf_lua_projector(L);
    int64_t date;
    char text[VF_TIME_TEXT_BYTES];
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING: luaL_tolstring(L, index, NULL); return;
    case LUA_TLIGHTUSERDATA: {
        const void *token = lua_touserdata(L, index);
        lua_pushstring(L, token == &projector->null_token ? "null" : token == &projector->own_token ? "own" : "delete");
        return;
    }
    case LUA_TUSERDATA:
        if (vf_lua_to_date(L, index, &date)) {
            vf_time_print(text, date);
            lua_pushstring(L, text);
            return;
        }
        lua_getmetatable(L, index);
        if (lua_topointer(L, -1) == projector->event_mark)
            lua_pushliteral(L, "event");
        else
            lua_pushstring(L, lua_topointer(L, -1) == projector->link_mark ? "link" : "through");
        lua_remove(L, -2);
        return;
    default: lua_pushstring(L, luaL_typename(L, index)); return;
    }
}
