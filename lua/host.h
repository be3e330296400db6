/*
 * The host of one script: the Lua state, its limits, and the one gate through which anything runs in it.
 *
 * struct vf_projector is what the modules of this room share; outside of it, it is opaque. One thread uses it.
 *
 * Failures: code in this room that runs inside a gate raises Lua errors (the functions that take a lua_State * may all
 * raise, unless they say that they don't). A raise is a longjmp, so no C resource may be live across one: buffers
 * belong to the projector and are used again, everything else is on the Lua stack.
 */
#ifndef VF_LUA_HOST_H
#define VF_LUA_HOST_H

#include "core/index.h"
#include "core/json.h"
#include "lua/heap.h"
#include "projector.h"

#include <lua.h>

/* What a table is, said by its metatable, which scripts cannot reach: the identity of the metatable for the common
 * kinds, and its raw field 1 for all (absent: an object). */
enum vf_lua_shape {
    VF_SHAPE_OBJECT,
    VF_SHAPE_ARRAY,
    VF_SHAPE_FROZEN_OBJECT, /* the script's own: empty, with what it holds in a shadow behind __index */
    VF_SHAPE_FROZEN_ARRAY,
    VF_SHAPE_LIBRARY, /* the globals and the libraries, in the same way */
};

/* How a document's id is found in an event. */
enum vf_lua_way_kind { VF_WAY_UNREAD, VF_WAY_OWN, VF_WAY_FIELD, VF_WAY_FUNCTION, VF_WAY_THROUGH };

struct vf_lua_way {
    enum vf_lua_way_kind kind;
    char *path;          /* of a field, and of through: as the script has it, "a.b" */
    const char *through; /* the kind whose link is followed; vf_link owns it */
    int function;        /* registry reference */
    char *where;         /* "customer_orders.lua:9: key.order" */
};

/* A function that runs for events of a type: a handler or an upcast. */
struct vf_lua_handler {
    struct vf_bytes kind; /* size 0: of every kind */
    struct vf_bytes type;
    int function; /* registry reference */
    char *where;  /* "customer_orders.lua:16" */
};

struct vf_lua_handlers {
    struct vf_lua_handler *list; /* sorted by type, then by kind */
    size_t count;
    bool of_kinds; /* some are for one kind only */
};

/* A warm document: projector->documents[handle], and the marks that its tables carry as metatables (encode.c). */
struct vf_lua_document {
    bool live;
    bool
        moved; /* since its body was written a handler had it and another one in hand: either may hold the other's tables */
    vf_warm next_free;
    const void *object_mark;
    const void *array_mark;
};

/* One field of an object while it is written (encode.c), or one key while keys are put in order (order.c). */
struct vf_lua_field;

struct vf_lua_seen {
    const void *table;
    uint64_t round;
};

/* The event's fields, in key order. */
enum vf_lua_event_field {
    VF_EVENT_AGGREGATE,
    VF_EVENT_BEFORE,
    VF_EVENT_DATA,
    VF_EVENT_EVENT_ID,
    VF_EVENT_HEADERS,
    VF_EVENT_ID,
    VF_EVENT_KEY,
    VF_EVENT_KIND,
    VF_EVENT_OFFSET,
    VF_EVENT_PARTITION,
    VF_EVENT_SCHEMA,
    VF_EVENT_TIME,
    VF_EVENT_TIME_MS,
    VF_EVENT_TOPIC,
    VF_EVENT_TYPE,
    VF_EVENT_VERSION,
    VF_EVENT_FIELDS
};

struct vf_projector {
    lua_State *lua;
    struct vf_projector_limits limits;
    vf_projector_log *log; /* may be NULL */
    void *log_self;

    /* The allocator's. */
    struct vf_lua_heap heap;
    size_t memory_bytes;
    unsigned refusals;         /* in the call that runs */
    bool refused_last;         /* the last wish for more was refused: Lua collects and asks again */
    const void *refused_block; /* what was wished for then */
    size_t refused_size;
    bool allocation_failed; /* in the call that runs: refused, and refused again, or not asked again */

    /* The call that runs. `stop` is sticky: once set, everything raises until the gate is left. */
    enum vf_code stop;
    int64_t instructions_left;
    int64_t look_below;  /* when so many are left, limits are looked at */
    int look_every;      /* instructions between two looks */
    bool large_at_load;  /* the script itself holds something large */
    int64_t deadline_ms; /* 0: not looked at yet */
    bool parsing;        /* a file's text is being read: no line of it runs yet */
    const char *running; /* file or file:line, for where no line of the script is known; NULL: none of it runs */
    const struct vf_event *event;
    struct vf_bytes document_id; /* e.key; data NULL: none */
    unsigned event_cached;       /* which of the event's user values are set */
    bool upcasting;              /* e.type and e.data may be set */
    char failure[VF_ERROR_TEXT_BYTES];
    size_t failure_size;
    bool traced;

    /* Values that scripts see and can do nothing with: the addresses are light userdata. */
    char null_token, own_token, delete_token;

    /* Registry references and identities. */
    int environment;     /* _ENV of every chunk */
    int modules;         /* what require has loaded, by name */
    int event_object;    /* the one `e` */
    int array_metatable; /* of a list that no document owns */
    int date_metatable;
    int link_metatable;
    int through_metatable;
    int documents_table;
    const void *array_mark; /* pointers of these metatables */
    const void *date_mark;
    const void *link_mark;
    const void *through_mark;
    const void *event_mark;
    const char *event_names[VF_EVENT_FIELDS]; /* interned, so that a name is known by its address */

    /* Scratch memory, used again by every call. */
    struct vf_json_parser *parser;
    struct vf_buffer out;
    struct vf_lua_field *fields;
    size_t field_count, field_capacity;
    struct vf_lua_seen *seen;
    size_t seen_count, seen_capacity; /* a power of two */
    uint64_t seen_round;

    struct vf_lua_document *documents; /* [0] is not used */
    vf_warm document_count, document_capacity, document_free;

    /* The script. */
    const struct vf_script_reader *reader; /* while it is loaded */
    bool loading;
    struct vf_lua_lint *lint; /* while lint looks at it: what is wrong is gathered there instead of raised; else NULL */
    char *main_name;
    struct vf_file *files;
    size_t file_count;
    struct vf_bytes initial; /* BSON */

    /* What it says about itself. */
    struct vf_projection projection;
    char **topics;
    struct vf_route *routes;
    struct vf_lua_way **ways; /* ways[i] goes with routes[i]: one way; of a link route, one for each of its links */
    struct vf_index *indexes;
    struct vf_lua_handlers handlers;
    struct vf_lua_handlers upcasts;
};

/* How many ways the route has; none where reading it has failed before. */
static inline size_t vf_lua_way_count(const struct vf_projector *projector, size_t route)
{
    if (!projector->ways[route])
        return 0;
    return projector->routes[route].link_count ? projector->routes[route].link_count : 1;
}

static inline struct vf_projector *vf_lua_projector(lua_State *L)
{
    return *(struct vf_projector **)lua_getextraspace(L);
}

/* Makes the state, empty. VF_E_MEMORY. */
VF_MUSTCHECK enum vf_code vf_lua_host_open(struct vf_projector *projector, struct vf_error *error);
void vf_lua_host_close(struct vf_projector *projector);

/*
 * The gate: calls run(L) with `argument` as light userdata at index 1, protected, with fresh limits. Whatever is raised
 * ends here: the answer is VF_OK, VF_E_SCRIPT, VF_E_LIMIT or VF_E_MEMORY, the text file:line, message and traceback.
 */
VF_MUSTCHECK enum vf_code vf_lua_gate(struct vf_projector *projector, lua_CFunction run, void *argument,
                                      struct vf_error *error);

/* Raises, and goes on raising until the gate is left: for what a script must not catch. `code` is what the gate
 * answers. Allocates nothing. */
__attribute__((noreturn)) void vf_lua_stop(lua_State *L, enum vf_code code, const char *format, ...) VF_PRINTF(3, 4);

/* Raises a plain error with no position before it, for what has no line of script. */
__attribute__((noreturn)) void vf_lua_raise(lua_State *L, const char *format, ...) VF_PRINTF(2, 3);

/* vsnprintf for such texts. */
void vf_lua_print(char *text, size_t room, const char *format, va_list arguments);

__attribute__((noreturn)) void vf_lua_out_of_instructions(lua_State *L);

/* Raises where instructions or time are used up. */
void vf_lua_look(lua_State *L);

/* Takes `steps` from the call's instructions: a loop in C says what it costs before or while it runs. One step is about
 * what one instruction of Lua costs: a comparison of a pattern, a slot of a table, 16 copied bytes. */
static inline void vf_lua_spend(lua_State *L, int64_t steps)
{
    struct vf_projector *projector = vf_lua_projector(L);
    projector->instructions_left -= steps;
    /* GUARD lua-spend: a loop in C that no instruction hook sees runs for ever */
    if (projector->instructions_left < projector->look_below)
        vf_lua_look(L);
}

/* What a copy of `bytes` costs. */
static inline int64_t vf_lua_bytes_cost(size_t bytes)
{
    return (int64_t)(bytes / 16);
}

/* What is done with the text at `index`, where there is one: 0 for any other value. */
static inline int64_t vf_lua_text_cost(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING ? vf_lua_bytes_cost(lua_rawlen(L, index)) : 0;
}

/* Counts `more_bytes` of scratch memory as the script's, which made it necessary. Raises where that is too much. */
void vf_lua_count_scratch(struct vf_projector *projector, size_t more_bytes);

/* luaL_checkstack, which would call it a stack overflow when it is the memory that has run out. */
void vf_lua_check_stack(lua_State *L, int slots);

/* After a protected call inside the gate: raises again what the script must not catch. Wants the error object on
 * top. */
void vf_lua_pass_on(lua_State *L, int status);

/* The shape of the table at `index`. */
enum vf_lua_shape vf_lua_shape(lua_State *L, int index);

/* Pushes the table that really holds what the one at `index` shows (a frozen one's shadow), itself otherwise. */
void vf_lua_push_contents(lua_State *L, int index);

#endif
