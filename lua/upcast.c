#include "lua/upcast.h"

#include "lua/event.h"
#include "lua/json_text.h"

#include <lauxlib.h>
#include <stdio.h>

struct upcast_call {
    const struct vf_lua_handler *upcast;
    const struct vf_event *event;
    struct vf_arena *arena;
    bool sets_type;
    bool sets_data; /* or has read it: then it may have changed it */
    struct vf_bytes type;
};

/* Of an event as large as Kafka takes, and of what an upcast may add to it. */
static size_t limit_bytes(const struct vf_projector *projector, const struct vf_event *event)
{
    return projector->limits.document_bytes_max + 2 * event->record->value.size;
}

static int run_upcast(lua_State *L)
{
    struct upcast_call *call = lua_touserdata(L, 1);
    struct vf_projector *projector = vf_lua_projector(L);
    const struct vf_lua_handler *upcast = call->upcast;
    char where[400];
    snprintf(where, sizeof where, "%.200s: upcast.%.100s", upcast->where, upcast->type.data);
    lua_rawgeti(L, LUA_REGISTRYINDEX, upcast->function);
    vf_lua_push_event(L);
    lua_call(L, 1, LUA_MULTRET);
    /* GUARD lua-upcast-one: an event that was to be left out, or made into two, is taken in as it is */
    if (lua_gettop(L) > 1)
        vf_lua_raise(
            L,
            "%s returns a %s: an upcast changes e.type and e.data and returns nothing, as one event comes in and "
            "one goes out (what is not for this view is the route's to say)",
            where, luaL_typename(L, 2));
    vf_lua_push_upcasted(L, &call->sets_type, &call->sets_data);
    if (call->sets_type) {
        struct vf_bytes type;
        type.data = lua_tolstring(L, 2, &type.size);
        call->type = vf_arena_copy(call->arena, type);
    }
    vf_buffer_clear(&projector->out);
    if (!lua_isnil(L, 3))
        vf_lua_print_json(L, 3, where, "e.data", limit_bytes(projector, call->event));
    return 0;
}

enum vf_code vf_lua_upcast(struct vf_projector *projector, const struct vf_lua_handler *upcast, struct vf_event *event,
                           struct vf_arena *arena, struct vf_error *error)
{
    struct upcast_call call = {.upcast = upcast, .event = event, .arena = arena};
    vf_lua_show_event(projector, event, vf_bytes(NULL, 0));
    projector->upcasting = true;
    projector->running = upcast->where;
    enum vf_code code = vf_lua_gate(projector, run_upcast, &call, error);
    projector->upcasting = false;
    vf_lua_hide_event(projector);
    if (code != VF_OK)
        return code;
    if (call.sets_type)
        event->type = call.type;
    if (call.sets_data) {
        event->data_pointer = NULL;
        event->data_text = vf_arena_bytes(arena, projector->out.data, projector->out.size);
    }
    return VF_OK;
}
