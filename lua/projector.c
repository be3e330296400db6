/* The seam's table: opens a script, keeps documents warm, and sends everything else through the gate. */
#include "lua/api.h"
#include "lua/bytecode.h"
#include "lua/convert.h"
#include "lua/event.h"
#include "lua/host.h"
#include "lua/lint.h"
#include "lua/lua_projector.h"
#include "lua/order.h"
#include "lua/projection.h"
#include "lua/route.h"
#include "lua/sandbox.h"
#include "lua/script.h"
#include "lua/upcast.h"

#include <lauxlib.h>
#include <stdlib.h>

static int run_load(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    vf_lua_check_stack(L, 40);
    vf_lua_open_api(L);
    vf_lua_open_event(L);
    lua_newtable(L);
    projector->modules = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    projector->documents_table = luaL_ref(L, LUA_REGISTRYINDEX);
    vf_lua_check_bytecode(L);
    vf_lua_open_sandbox(L);
    projector->running = projector->main_name;
    projector->loading = true;
    vf_lua_run_main(L);
    projector->loading = false;
    vf_lua_read_projection(L, lua_gettop(L));
    return 0;
}

static void projector_close(struct vf_projector *projector)
{
    if (!projector)
        return;
    vf_lua_host_close(projector);
    vf_lua_free_projection(projector);
    vf_lua_free_files(projector);
    vf_json_parser_free(projector->parser);
    vf_buffer_done(&projector->out);
    free(projector->fields);
    free(projector->seen);
    free(projector->documents);
    free(projector->main_name);
    free(projector);
}

static struct vf_projector *projector_new(const char *main_name, const struct vf_script_reader *reader,
                                          const struct vf_projector_limits *limits)
{
    struct vf_projector *projector = vf_calloc(1, sizeof *projector);
    projector->limits = *limits;
    projector->reader = reader;
    projector->main_name = vf_strdup(main_name);
    projector->parser = vf_json_parser_new();
    vf_buffer_init(&projector->out);
    return projector;
}

static enum vf_code projector_open(const char *main_name, const struct vf_script_reader *reader,
                                   const struct vf_projector_limits *limits, vf_projector_log *log, void *log_self,
                                   struct vf_projector **ret_projector, struct vf_error *error)
{
    struct vf_projector *projector = projector_new(main_name, reader, limits);
    projector->log = log;
    projector->log_self = log_self;
    enum vf_code code = vf_lua_host_open(projector, error);
    if (code == VF_OK)
        code = vf_lua_gate(projector, run_load, NULL, error);
    projector->reader = NULL;
    projector->loading = false;
    if (code != VF_OK) {
        projector_close(projector);
        if (code == VF_E_MEMORY)
            return code;
        if (error)
            error->code = VF_E_CONFIG;
        return VF_E_CONFIG;
    }
    vf_lua_sort_files(projector);
    *ret_projector = projector;
    return VF_OK;
}

static void projector_lint(const char *main_name, const struct vf_script_reader *reader,
                           const struct vf_projector_limits *limits, vf_script_found *found, void *self,
                           struct vf_projector **ret_projector)
{
    struct vf_projector *projector = projector_new(main_name, reader, limits);
    struct vf_error error;
    *ret_projector = NULL;
    if (vf_lua_host_open(projector, &error) != VF_OK) {
        found(self, &(struct vf_script_finding){.file = main_name, .message = error.text});
        projector_close(projector);
        return;
    }
    vf_lua_lint(projector, run_load, found, self);
    projector->reader = NULL;
    *ret_projector = projector;
}

static const struct vf_projection *projector_describe(const struct vf_projector *projector)
{
    return &projector->projection;
}

static void projector_files(const struct vf_projector *projector, const struct vf_file **ret_files, size_t *ret_count)
{
    *ret_files = projector->files;
    *ret_count = projector->file_count;
}

static enum vf_code projector_route(struct vf_projector *projector, const struct vf_route *kind_route,
                                    const struct vf_event *event, struct vf_arena *arena, struct vf_routed *ret_routed,
                                    struct vf_error *error)
{
    const struct vf_lua_way *way = projector->ways[kind_route - projector->routes];
    bool is_link = kind_route->route == VF_ROUTE_LINK;
    if (is_link) {
        const struct vf_link *link = vf_route_link(kind_route, event->type);
        if (!link)
            return vf_fail(error, VF_E_BUG, "%.*s says no link", (int)event->type.size, event->type.data);
        way += link - kind_route->links;
    }
    return vf_lua_route(projector, way, is_link, event, arena, ret_routed, error);
}

static enum vf_code projector_upcast(struct vf_projector *projector, struct vf_event *event, struct vf_arena *arena,
                                     struct vf_error *error)
{
    const struct vf_lua_handler *upcast = vf_lua_upcast_of(projector, event->type);
    return upcast ? vf_lua_upcast(projector, upcast, event, arena, error) : VF_OK;
}

static bool projector_handles(const struct vf_projector *projector, const struct vf_event *event)
{
    return vf_lua_handler_of(projector, event) != NULL;
}

/* Warm documents */

struct warm_call {
    struct vf_bytes body;
    vf_warm document;
};

static int run_warm(lua_State *L)
{
    struct warm_call *call = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->documents_table);
    vf_lua_push_body(L, call->body);
    lua_rawseti(L, -2, call->document);
    return 0;
}

/* A free handle; it is taken only when its `live` is set. */
static vf_warm free_handle(struct vf_projector *projector)
{
    if (projector->document_free)
        return projector->document_free;
    if (projector->document_count + 1 >= projector->document_capacity) {
        projector->document_capacity = projector->document_capacity ? projector->document_capacity * 2 : 64;
        projector->documents =
            vf_realloc(projector->documents, (size_t)projector->document_capacity * sizeof *projector->documents);
    }
    vf_warm handle = ++projector->document_count;
    projector->documents[handle] = (struct vf_lua_document){.live = false, .next_free = 0};
    projector->document_free = handle;
    return handle;
}

static enum vf_code projector_warm(struct vf_projector *projector, struct vf_bytes body, vf_warm *ret_document,
                                   struct vf_error *error)
{
    struct warm_call call = {.body = body.size ? body : projector->initial, .document = free_handle(projector)};
    enum vf_code code = vf_lua_gate(projector, run_warm, &call, error);
    if (code != VF_OK)
        return code;
    struct vf_lua_document *document = &projector->documents[call.document];
    projector->document_free = document->next_free;
    *document = (struct vf_lua_document){.live = true};
    *ret_document = call.document;
    return VF_OK;
}

static void projector_cool(struct vf_projector *projector, vf_warm handle)
{
    lua_State *L = projector->lua;
    if (handle == 0 || !projector->documents[handle].live)
        return;
    /* The slot exists, so nothing is allocated and nothing can be raised outside the gate. */
    lua_rawgeti(L, LUA_REGISTRYINDEX, projector->documents_table);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, handle);
    lua_pop(L, 1);
    projector->documents[handle] = (struct vf_lua_document){.live = false, .next_free = projector->document_free};
    projector->document_free = handle;
}

/* Handlers */

struct handle_call {
    const struct vf_lua_handler *handler;
    vf_warm document;
    vf_warm from;
    enum vf_handled handled;
};

static int run_handle(lua_State *L)
{
    struct handle_call *call = lua_touserdata(L, 1);
    struct vf_projector *projector = vf_lua_projector(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, projector->documents_table);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->handler->function);
    lua_rawgeti(L, 2, call->document);
    vf_lua_push_event(L);
    if (call->from == 0)
        lua_pushnil(L);
    else
        lua_rawgeti(L, 2, call->from);
    lua_call(L, 3, 1);
    call->handled = lua_touserdata(L, -1) == &projector->delete_token ? VF_DELETED : VF_HANDLED;
    return 0;
}

static enum vf_code projector_handle(struct vf_projector *projector, const struct vf_event *event, struct vf_bytes id,
                                     vf_warm document, vf_warm from, enum vf_handled *ret_handled,
                                     struct vf_error *error)
{
    struct handle_call call = {.handler = vf_lua_handler_of(projector, event), .document = document, .from = from};
    if (!call.handler) {
        *ret_handled = VF_UNHANDLED;
        return VF_OK;
    }
    vf_lua_show_event(projector, event, id);
    projector->running = call.handler->where;
    enum vf_code code = vf_lua_gate(projector, run_handle, &call, error);
    vf_lua_hide_event(projector);
    if (from != 0)
        projector->documents[document].moved = projector->documents[from].moved = true;
    if (code == VF_OK)
        *ret_handled = call.handled;
    return code;
}

struct body_call {
    vf_warm document;
    bool aliased;
};

static int run_body(lua_State *L)
{
    struct body_call *call = lua_touserdata(L, 1);
    struct vf_projector *projector = vf_lua_projector(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, projector->documents_table);
    lua_rawgeti(L, -1, call->document);
    vf_lua_encode(L, lua_gettop(L), &projector->documents[call->document], projector->limits.document_bytes_max,
                  &call->aliased);
    return 0;
}

static enum vf_code projector_body(struct vf_projector *projector, vf_warm document, struct vf_arena *arena,
                                   struct vf_bytes *ret_bson, bool *ret_aliased, struct vf_error *error)
{
    struct body_call call = {.document = document};
    enum vf_code code = vf_lua_gate(projector, run_body, &call, error);
    if (code != VF_OK)
        return code;
    *ret_bson = vf_arena_bytes(arena, projector->out.data, projector->out.size);
    *ret_aliased = call.aliased;
    return VF_OK;
}

static size_t projector_memory_bytes(const struct vf_projector *projector)
{
    return projector->memory_bytes;
}

static void projector_collect(struct vf_projector *projector)
{
    lua_gc(projector->lua, LUA_GCCOLLECT);
}

const struct vf_projector_type vf_lua_projector_type = {
    .name = "lua",
    .open = projector_open,
    .close = projector_close,
    .describe = projector_describe,
    .files = projector_files,
    .route = projector_route,
    .upcast = projector_upcast,
    .handles = projector_handles,
    .warm = projector_warm,
    .cool = projector_cool,
    .handle = projector_handle,
    .body = projector_body,
    .memory_bytes = projector_memory_bytes,
    .collect = projector_collect,
    .lint = projector_lint,
    .place = vf_lua_place_word,
};
