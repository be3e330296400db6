#include "lua/event.h"

#include "core/body.h"
#include "core/event_data.h"
#include "lua/convert.h"
#include "lua/names.h"

#include <lauxlib.h>

static const char *const names[VF_EVENT_FIELDS + 1] = {
    [VF_EVENT_AGGREGATE] = "aggregate",
    [VF_EVENT_BEFORE] = "before",
    [VF_EVENT_DATA] = "data",
    [VF_EVENT_EVENT_ID] = "event_id",
    [VF_EVENT_HEADERS] = "headers",
    [VF_EVENT_ID] = "id",
    [VF_EVENT_KEY] = "key",
    [VF_EVENT_KIND] = "kind",
    [VF_EVENT_OFFSET] = "offset",
    [VF_EVENT_PARTITION] = "partition",
    [VF_EVENT_SCHEMA] = "schema",
    [VF_EVENT_TIME] = "time",
    [VF_EVENT_TIME_MS] = "time_ms",
    [VF_EVENT_TOPIC] = "topic",
    [VF_EVENT_TYPE] = "type",
    [VF_EVENT_VERSION] = "version",
    [VF_EVENT_FIELDS] = NULL,
};

/* The user values of `e`: what would cost too much to make at each read, and what is the call's own. */
enum { CACHED_DATA = 1, CACHED_HEADERS = 2, CACHED_TYPE = 3 };

static void push_bytes(lua_State *L, struct vf_bytes bytes)
{
    lua_pushlstring(L, bytes.data ? bytes.data : "", bytes.size);
}

static void make_data(lua_State *L, const struct vf_event *event)
{
    struct vf_error error;
    struct vf_json data;
    bool has_data;
    if (vf_event_data(event, vf_lua_projector(L)->parser, &has_data, &data, &error) != VF_OK)
        luaL_error(L, "e.data: %s", error.text);
    if (has_data)
        vf_lua_push_json(L, data);
    else
        lua_pushnil(L);
}

static void make_headers(lua_State *L, const struct vf_event *event)
{
    const struct vf_record *record = event->record;
    size_t count = record->header_count;
    lua_createtable(L, 0, count < 1024 ? (int)count : 1024);
    for (size_t i = 0; i < count; i++) {
        const struct vf_header *header = &record->headers[i];
        vf_lua_spend(L, 1 + vf_lua_bytes_cost(header->name.size + header->value.size));
        push_bytes(L, header->name);
        if (header->is_null)
            lua_pushlightuserdata(L, &vf_lua_projector(L)->null_token);
        else
            push_bytes(L, header->value);
        lua_rawset(L, -3); /* of repeated names the last counts */
    }
}

static void make_type(lua_State *L, const struct vf_event *event)
{
    push_bytes(L, event->type);
}

/* Pushes what `make` makes, or what it has made before in this call. `self` is the index of `e`. */
static void push_cached(lua_State *L, int self, int slot, void (*make)(lua_State *, const struct vf_event *))
{
    struct vf_projector *projector = vf_lua_projector(L);
    unsigned bit = 1u << slot;
    if (projector->event_cached & bit) {
        lua_getiuservalue(L, self, slot);
        return;
    }
    make(L, projector->event);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, self, slot);
    projector->event_cached |= bit;
}

static void push_time(lua_State *L, int64_t time_ms)
{
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, time_ms);
    lua_pushlstring(L, text, VF_TIME_TEXT_BYTES - 1);
}

static void push_field(lua_State *L, int self, enum vf_lua_event_field field)
{
    struct vf_projector *projector = vf_lua_projector(L);
    const struct vf_event *event = projector->event;
    switch (field) {
    case VF_EVENT_AGGREGATE: push_bytes(L, event->aggregate); return;
    case VF_EVENT_BEFORE: lua_pushnil(L); return; /* no envelope that is built maps one */
    case VF_EVENT_DATA: push_cached(L, self, CACHED_DATA, make_data); return;
    case VF_EVENT_EVENT_ID:
        if (event->event_id.size == 0)
            lua_pushnil(L);
        else
            push_bytes(L, event->event_id);
        return;
    case VF_EVENT_HEADERS: push_cached(L, self, CACHED_HEADERS, make_headers); return;
    case VF_EVENT_ID: push_bytes(L, event->id); return;
    case VF_EVENT_KEY:
        if (!projector->document_id.data)
            lua_pushnil(L);
        else
            push_bytes(L, projector->document_id);
        return;
    case VF_EVENT_KIND: push_bytes(L, event->kind); return;
    case VF_EVENT_OFFSET: lua_pushinteger(L, event->record->offset); return;
    case VF_EVENT_PARTITION: lua_pushinteger(L, event->record->partition); return;
    case VF_EVENT_SCHEMA: lua_pushinteger(L, event->schema); return;
    case VF_EVENT_TIME: push_time(L, event->time_ms); return;
    case VF_EVENT_TIME_MS: lua_pushinteger(L, event->time_ms); return;
    case VF_EVENT_TOPIC: lua_pushstring(L, event->record->topic); return;
    case VF_EVENT_TYPE:
        if (projector->upcasting)
            push_cached(L, self, CACHED_TYPE, make_type); /* as the upcast has set it */
        else
            push_bytes(L, event->type);
        return;
    case VF_EVENT_VERSION:
        if (event->version_text.size)
            push_bytes(L, event->version_text);
        else
            lua_pushinteger(L, event->version);
        return;
    case VF_EVENT_FIELDS: break;
    }
    lua_pushnil(L);
}

static const struct vf_event *shown_event(lua_State *L)
{
    const struct vf_event *event = vf_lua_projector(L)->event;
    if (!event)
        luaL_error(L, "this event's call is over: a handler keeps no event, only what it puts into the document");
    return event;
}

static int unknown_field(lua_State *L)
{
    const char *near = lua_type(L, 2) == LUA_TSTRING ? vf_lua_nearest(lua_tostring(L, 2), names) : NULL;
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "an event has no field that is a %s", luaL_typename(L, 2));
    if (near)
        return luaL_error(L, "an event has no field `%s`: did you mean `%s`?", lua_tostring(L, 2), near);
    return luaL_error(L, "an event has no field `%s` (what the producer sent is in e.data)", lua_tostring(L, 2));
}

static int event_index(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    shown_event(L);
    /* Names are short strings, which Lua keeps once each: the same address is the same name. */
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    for (int field = 0; name && field < VF_EVENT_FIELDS; field++) {
        if (projector->event_names[field] == name) {
            push_field(L, 1, (enum vf_lua_event_field)field);
            return 1;
        }
    }
    return unknown_field(L);
}

/* What the value on top cannot be as an event's type; NULL where it can. */
static const char *type_fault(lua_State *L)
{
    struct vf_bytes type;
    if (lua_type(L, -1) != LUA_TSTRING)
        return luaL_typename(L, -1);
    type.data = lua_tolstring(L, -1, &type.size);
    if (type.size == 0)
        return "an empty string";
    if (type.size > VF_ID_BYTES_MAX)
        return "longer than 1024 bytes";
    if (memchr(type.data, '\0', type.size) || !vf_bytes_is_utf8(type))
        return "not UTF-8, or holds a NUL";
    return NULL;
}

static int event_newindex(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    bool is_type = name && name == projector->event_names[VF_EVENT_TYPE];
    shown_event(L);
    /* GUARD lua-upcast-only: a handler's change would be seen by the next one, or by none */
    if (!projector->upcasting)
        return luaL_error(L, "an event cannot be changed (e.data is this call's own copy and can)");
    if (!is_type && name != projector->event_names[VF_EVENT_DATA])
        return luaL_error(L, "an upcast changes e.type and e.data, and nothing else of an event");
    const char *fault = is_type ? type_fault(L) : NULL;
    if (fault)
        return luaL_error(
            L, "an upcast sets e.type to what is %s: an event's type is a string, 1 to 1024 bytes of UTF-8", fault);
    int slot = is_type ? CACHED_TYPE : CACHED_DATA;
    lua_setiuservalue(L, 1, slot);
    projector->event_cached |= 1u << slot;
    return 0;
}

void vf_lua_push_upcasted(lua_State *L, bool *ret_type, bool *ret_data)
{
    struct vf_projector *projector = vf_lua_projector(L);
    vf_lua_push_event(L);
    int self = lua_gettop(L);
    for (int i = 0; i < 2; i++) {
        int slot = i == 0 ? CACHED_TYPE : CACHED_DATA;
        bool is_set = (projector->event_cached & (1u << slot)) != 0;
        if (is_set)
            lua_getiuservalue(L, self, slot);
        else
            lua_pushnil(L);
        *(i == 0 ? ret_type : ret_data) = is_set;
    }
    lua_remove(L, self);
}

void vf_lua_open_event(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    lua_newuserdatauv(L, 0, CACHED_TYPE);
    lua_createtable(L, VF_EVENT_FIELDS + 1, 4);
    lua_pushcfunction(L, event_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, event_newindex);
    lua_setfield(L, -2, "__newindex");
    for (int field = 0; field < VF_EVENT_FIELDS; field++) { /* fields 2 and up: the names, kept for their addresses */
        projector->event_names[field] = lua_pushstring(L, names[field]);
        lua_rawseti(L, -2, field + 2);
    }
    projector->event_mark = lua_topointer(L, -1);
    lua_setmetatable(L, -2);
    projector->event_object = luaL_ref(L, LUA_REGISTRYINDEX);
}

void vf_lua_show_event(struct vf_projector *projector, const struct vf_event *event, struct vf_bytes document_id)
{
    projector->event = event;
    projector->document_id = document_id;
}

void vf_lua_hide_event(struct vf_projector *projector)
{
    lua_State *L = projector->lua;
    projector->event = NULL;
    projector->document_id = vf_bytes(NULL, 0);
    if (!projector->event_cached)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, projector->event_object);
    for (int slot = CACHED_DATA; slot <= CACHED_TYPE; slot++) {
        if (!(projector->event_cached & (1u << slot)))
            continue;
        lua_pushnil(L);
        lua_setiuservalue(L, -2, slot);
    }
    lua_pop(L, 1);
    projector->event_cached = 0;
}

void vf_lua_push_event(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->event_object);
}

bool vf_lua_is_event(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return false;
    bool is = lua_topointer(L, -1) == vf_lua_projector(L)->event_mark;
    lua_pop(L, 1);
    return is;
}

void vf_lua_push_event_keys(lua_State *L)
{
    const struct vf_event *event = shown_event(L);
    struct vf_projector *projector = vf_lua_projector(L);
    lua_Integer count = 0;
    lua_createtable(L, VF_EVENT_FIELDS, 0);
    for (int field = 0; field < VF_EVENT_FIELDS; field++) {
        bool absent = field == VF_EVENT_BEFORE ||
                      (field == VF_EVENT_DATA && !event->data_pointer && event->data_text.size == 0) ||
                      (field == VF_EVENT_EVENT_ID && event->event_id.size == 0) ||
                      (field == VF_EVENT_KEY && !projector->document_id.data);
        if (absent)
            continue;
        lua_pushstring(L, names[field]);
        lua_rawseti(L, -2, ++count);
    }
}
