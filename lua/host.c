#include "lua/host.h"

#include "lua/order.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* How many instructions pass between two looks at the limits: where something large is around, one instruction may take
 * a hundred milliseconds (comparing two strings of 100 MB), so there it is looked more often. */
#define LOOK_EVERY       500
#define LOOK_EVERY_LARGE 20
#define LARGE_BYTES      (1u << 20)

/* Each refused allocation makes Lua collect all garbage and ask again. A heap that is full of live documents would
 * collect at every allocation; after so many times in one call the answer stays no. */
#define REFUSALS_MAX 8

/* Chunks of small blocks, which need not be full, may take twice the script's memory and twice this. */
#define SCATTERED_BYTES ((size_t)512 * 1024)

/* Allocations from this size on are charged to the call's instructions: so every loop in C that makes bytes, and `..`,
 * pays for them, whoever wrote it. */
#define CHARGED_BYTES 1024

#define TRACEBACK_FRAMES_MAX 12

/* The text of an error that we raise: a longer one is cut. */
#define RAISED_BYTES_MAX 1024

/* How many fields or tables of a document the scratch memory keeps room for. */
#define SCRATCH_KEPT 65536

static void charge(struct vf_projector *projector, size_t new_bytes, size_t more);

/* Lua's allocator: counts, refuses beyond the cap. It must never refuse to shrink or free. */
static void *allocate(void *self, void *block, size_t old_size, size_t new_size)
{
    struct vf_projector *projector = self;
    size_t old_bytes = block ? vf_lua_heap_block_bytes(old_size) : 0;

    if (new_size == 0) {
        vf_lua_heap_free(&projector->heap, block, old_size);
        projector->memory_bytes -= old_bytes;
        return NULL;
    }
    size_t new_bytes = vf_lua_heap_block_bytes(new_size);
    if (new_bytes > old_bytes) {
        size_t more = new_bytes - old_bytes;
        /* A refused wish that is not repeated was refused for good: newer Luas (5.4.7) ask once for a larger stack. */
        bool again = block == projector->refused_block && new_size == projector->refused_size;
        if (projector->refused_last && !again)
            projector->allocation_failed = true;
        bool over = new_bytes < new_size || more > projector->limits.memory_bytes_max ||
                    projector->memory_bytes > projector->limits.memory_bytes_max - more;
        /* A few small blocks left in each chunk, and the process would grow although the script does not. */
        over = over || projector->heap.chunk_bytes / 2 > projector->limits.memory_bytes_max + SCATTERED_BYTES;
        /* GUARD lua-memory: one script takes the machine's memory */
        if (over || projector->refusals >= REFUSALS_MAX) {
            projector->refusals++;
            projector->allocation_failed = projector->allocation_failed || projector->refused_last;
            projector->refused_last = true;
            projector->refused_block = block;
            projector->refused_size = new_size;
            return NULL;
        }
        projector->refused_last = false;
        /* GUARD lua-charge: a text of 100 MB costs one instruction to join, and a script joins millions */
        if (more >= CHARGED_BYTES)
            charge(projector, new_bytes, more);
    }
    void *moved = vf_lua_heap_move(&projector->heap, block, old_size, new_size);
    projector->memory_bytes += new_bytes;
    projector->memory_bytes -= old_bytes;
    return moved;
}

static int64_t monotonic_ms(void)
{
    /* Not the clock seam: a simulator's time does not pass while a script runs, and this limit is about real time. */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void failure_add_list(struct vf_projector *projector, const char *format, va_list arguments)
{
    size_t room = sizeof projector->failure - projector->failure_size;
    int size = vsnprintf(projector->failure + projector->failure_size, room, format, arguments);
    if (size > 0)
        projector->failure_size += (size_t)size < room ? (size_t)size : room - 1;
}

static void failure_add(struct vf_projector *projector, const char *format, ...) VF_PRINTF(2, 3);

static void failure_add(struct vf_projector *projector, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    failure_add_list(projector, format, arguments);
    va_end(arguments);
}

/* Where the innermost function of the script stands. Allocates nothing. */
static bool script_position(lua_State *L, lua_Debug *ret_frame)
{
    for (int level = 0; lua_getstack(L, level, ret_frame); level++) {
        lua_getinfo(L, "Sl", ret_frame);
        if (ret_frame->currentline > 0)
            return true;
    }
    return false;
}

static void limits_hook(lua_State *L, lua_Debug *frame);

/* A block that grew to new_bytes pays for the bytes it has more. */
static void charge(struct vf_projector *projector, size_t new_bytes, size_t more)
{
    int every = projector->look_every;
    projector->instructions_left -= vf_lua_bytes_cost(more);
    if (new_bytes >= LARGE_BYTES) {
        every = LOOK_EVERY_LARGE;
        projector->large_at_load = projector->large_at_load || projector->loading;
    }
    if (projector->instructions_left < 0)
        every = 1;
    if (every == projector->look_every || !projector->lua)
        return;
    /* lua_sethook may be called at any moment (lua.c does so in a signal handler). */
    projector->look_every = every;
    lua_sethook(projector->lua, limits_hook, LUA_MASKCOUNT, every);
}

/* The error object of what scripts cannot catch: nothing is allocated for it, and no script ever sees it. */
static __attribute__((noreturn)) void raise_stop(lua_State *L)
{
    lua_pushnil(L);
    lua_error(L);
    abort();
}

void vf_lua_stop(lua_State *L, enum vf_code code, const char *format, ...)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (projector->stop == VF_OK) {
        projector->stop = code;
        projector->failure_size = 0;
        projector->traced = false;
        lua_Debug frame;
        if (!projector->parsing && script_position(L, &frame))
            failure_add(projector, "%s:%d: ", frame.short_src, frame.currentline);
        else if (projector->running)
            failure_add(projector, "%s: ", projector->running);
        va_list arguments;
        va_start(arguments, format);
        failure_add_list(projector, format, arguments);
        va_end(arguments);
    }
    /* pcall passes it on (vf_lua_pass_on). Should anything else ever catch it, the next instruction raises again. */
    lua_sethook(L, limits_hook, LUA_MASKCOUNT, 1);
    raise_stop(L);
}

void vf_lua_out_of_instructions(lua_State *L)
{
    vf_lua_stop(L, VF_E_LIMIT, "the call took more than %lld instructions (limits.lua_instructions)",
                (long long)vf_lua_projector(L)->limits.instructions_max);
}

void vf_lua_look(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    /* GUARD lua-instructions: an endless loop never ends */
    if (projector->instructions_left < 0)
        vf_lua_out_of_instructions(L);
    int64_t now = monotonic_ms();
    if (projector->deadline_ms == 0)
        projector->deadline_ms = now + projector->limits.handler_ms_max;
    /* GUARD lua-deadline: slow instructions stay below their number and the worker misses its poll */
    if (now > projector->deadline_ms)
        vf_lua_stop(L, VF_E_LIMIT, "the call took longer than %lld ms (limits.handler)",
                    (long long)projector->limits.handler_ms_max);
    int64_t below = projector->instructions_left - projector->look_every;
    projector->look_below = below > 0 ? below : 0;
}

static void limits_hook(lua_State *L, lua_Debug *frame)
{
    struct vf_projector *projector = vf_lua_projector(L);
    (void)frame;
    if (projector->stop != VF_OK)
        raise_stop(L);
    projector->instructions_left -= projector->look_every;
    vf_lua_look(L);
}

void vf_lua_raise(lua_State *L, const char *format, ...)
{
    char text[RAISED_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vf_lua_print(text, sizeof text, format, arguments);
    va_end(arguments);
    lua_pushstring(L, text);
    lua_error(L);
    abort();
}

void vf_lua_print(char *text, size_t room, const char *format, va_list arguments)
{
    vsnprintf(text, room, format, arguments);
}

static void note_out_of_memory(struct vf_projector *projector)
{
    projector->stop = VF_E_MEMORY;
    projector->failure_size = 0;
    projector->traced = false;
    if (projector->running) /* Lua asks nobody where it stood when memory ran out */
        failure_add(projector, "%s: ", projector->running);
    failure_add(projector, "the script's memory is full (%zu bytes: the store's cache and limits.lua_memory)",
                projector->limits.memory_bytes_max);
}

void vf_lua_count_scratch(struct vf_projector *projector, size_t more_bytes)
{
    size_t limit = projector->limits.memory_bytes_max;
    /* GUARD lua-scratch: putting a table's keys in order takes four times the memory that the table may take */
    if (more_bytes > limit || projector->memory_bytes > limit - more_bytes) {
        if (projector->stop == VF_OK)
            note_out_of_memory(projector);
        raise_stop(projector->lua);
    }
    projector->memory_bytes += more_bytes;
}

/* Lua's own libraries call it a stack overflow when their stack cannot grow for want of memory. */
static bool out_of_memory(const struct vf_projector *projector, int status)
{
    return status == LUA_ERRMEM || projector->allocation_failed || projector->refused_last;
}

void vf_lua_check_stack(lua_State *L, int slots)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (lua_checkstack(L, slots))
        return;
    if (!out_of_memory(projector, LUA_OK))
        luaL_error(L, "stack overflow");
    /* Newer Luas (5.4.7) don't collect garbage for the sake of a larger stack. */
    bool failed_before = projector->allocation_failed;
    lua_gc(L, LUA_GCCOLLECT);
    if (projector->refusals < REFUSALS_MAX && lua_checkstack(L, slots)) {
        projector->allocation_failed = failed_before; /* the stack may have moved, which looks like another wish */
        return;
    }
    note_out_of_memory(projector);
    raise_stop(L);
}

void vf_lua_pass_on(lua_State *L, int status)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (out_of_memory(projector, status) && projector->stop == VF_OK)
        note_out_of_memory(projector);
    /* GUARD lua-pass-on: a script catches a limit, and its result depends on what else is in memory */
    if (projector->stop != VF_OK)
        raise_stop(L);
}

/* What an error object says. Allocates nothing. */
static void describe_error(lua_State *L, struct vf_projector *projector)
{
    lua_Debug frame;
    projector->failure_size = 0;
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t size;
        const char *text = lua_tolstring(L, 1, &size);
        size = size > 3000 ? 3000 : size;
        for (const char *end = text + size; text <= end; text++) { /* a NUL would end the message: it is shown */
            int part = (int)strnlen(text, (size_t)(end - text));
            failure_add(projector, "%.*s%s", part, text, text + part < end ? "\\0" : "");
            text += part;
        }
        return;
    }
    if (script_position(L, &frame))
        failure_add(projector, "%s:%d: ", frame.short_src, frame.currentline);
    if (lua_type(L, 1) == LUA_TNUMBER)
        failure_add(projector, "%.14g", lua_tonumber(L, 1));
    else
        failure_add(projector, "the error is no text but a %s", luaL_typename(L, 1));
}

static void add_traceback(lua_State *L, struct vf_projector *projector)
{
    lua_Debug frame;
    int shown = 0;
    for (int level = 0; shown < TRACEBACK_FRAMES_MAX && lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sln", &frame);
        if (frame.currentline <= 0)
            continue; /* a function in C: ours, and not what its author is looking for */
        if (shown++ == 0)
            failure_add(projector, "\nstack traceback:");
        failure_add(projector, "\n\t%s:%d: in ", frame.short_src, frame.currentline);
        if (*frame.what == 'm')
            failure_add(projector, "the file itself");
        else if (frame.name)
            failure_add(projector, "function '%s'", frame.name);
        else
            failure_add(projector, "function <%s:%d>", frame.short_src, frame.linedefined);
    }
    if (shown == TRACEBACK_FRAMES_MAX)
        failure_add(projector, "\n\t...");
}

/* The gate's message handler: runs where the error was raised, when the stack is still there. */
static int explain(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    if (projector->stop == VF_OK)
        describe_error(L, projector);
    if (!projector->traced)
        add_traceback(L, projector);
    projector->traced = true;
    return 1;
}

static void reset_call(struct vf_projector *projector)
{
    projector->stop = VF_OK;
    projector->refusals = 0;
    projector->refused_last = projector->allocation_failed = false;
    projector->instructions_left = projector->limits.instructions_max;
    projector->look_every = projector->large_at_load ? LOOK_EVERY_LARGE : LOOK_EVERY;
    projector->look_below = projector->instructions_left - projector->look_every;
    if (projector->look_below < 0)
        projector->look_below = 0;
    projector->deadline_ms = 0;
    projector->failure_size = 0;
    projector->failure[0] = '\0';
    projector->traced = false;
    projector->field_count = 0;
}

/* One enormous document does not keep its scratch memory for good. */
static void trim_scratch(struct vf_projector *projector)
{
    if (projector->field_capacity > SCRATCH_KEPT) {
        free(projector->fields);
        projector->memory_bytes -= projector->field_capacity * sizeof *projector->fields;
        projector->fields = NULL;
        projector->field_capacity = 0;
    }
    if (projector->seen_capacity > SCRATCH_KEPT) {
        free(projector->seen);
        projector->memory_bytes -= projector->seen_capacity * sizeof *projector->seen;
        projector->seen = NULL;
        projector->seen_capacity = projector->seen_count = 0;
    }
}

enum vf_code vf_lua_gate(struct vf_projector *projector, lua_CFunction run, void *argument, struct vf_error *error)
{
    lua_State *L = projector->lua;
    reset_call(projector);
    lua_sethook(L, limits_hook, LUA_MASKCOUNT, projector->look_every);
    lua_pushcfunction(L, explain);
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, argument);
    int status = lua_pcall(L, 1, 0, 1);
    lua_settop(L, 0);
    projector->refusals = 0;
    trim_scratch(projector);
    if (out_of_memory(projector, status) && status != LUA_OK && projector->stop == VF_OK)
        note_out_of_memory(projector);
    projector->running = NULL;
    if (status == LUA_OK && projector->stop == VF_OK)
        return VF_OK;
    /* It may have been full of garbage, which newer Luas (5.4.7) don't always collect before they give up: the next try
     * begins without. */
    if (projector->stop == VF_E_MEMORY)
        lua_gc(L, LUA_GCCOLLECT);
    enum vf_code code = projector->stop != VF_OK ? projector->stop : VF_E_SCRIPT;
    projector->stop = VF_OK;
    if (projector->failure_size == 0)
        failure_add(projector, "an error was raised while an error was handled");
    return vf_fail(error, code, "%s", projector->failure);
}

enum vf_code vf_lua_host_open(struct vf_projector *projector, struct vf_error *error)
{
    reset_call(projector);
    projector->lua = lua_newstate(allocate, projector);
    if (!projector->lua) {
        note_out_of_memory(projector);
        return vf_fail(error, VF_E_MEMORY, "%s", projector->failure);
    }
    *(struct vf_projector **)lua_getextraspace(projector->lua) = projector;
    lua_gc(projector->lua, LUA_GCINC, 200, 200, 0);
    return VF_OK;
}

void vf_lua_host_close(struct vf_projector *projector)
{
    if (projector->lua)
        lua_close(projector->lua);
    projector->lua = NULL;
    vf_lua_heap_done(&projector->heap);
}

enum vf_lua_shape vf_lua_shape(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return VF_SHAPE_OBJECT;
    if (lua_topointer(L, -1) == vf_lua_projector(L)->array_mark) {
        lua_pop(L, 1);
        return VF_SHAPE_ARRAY;
    }
    lua_rawgeti(L, -1, 1);
    enum vf_lua_shape shape = (enum vf_lua_shape)lua_tointeger(L, -1);
    lua_pop(L, 2);
    return shape;
}

void vf_lua_push_contents(lua_State *L, int index)
{
    enum vf_lua_shape shape = vf_lua_shape(L, index);
    if (shape == VF_SHAPE_OBJECT || shape == VF_SHAPE_ARRAY) {
        lua_pushvalue(L, index);
        return;
    }
    lua_getmetatable(L, index);
    lua_getfield(L, -1, "__index");
    lua_remove(L, -2);
}
