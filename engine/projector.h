/*
 * The projector seam: a projection's script, and the documents it works on. One `struct vf_projector` belongs to one worker
 * thread. It does no I/O and knows no store: a document comes as BSON and goes as BSON; in between it is kept warm as the
 * script language's own value behind a handle.
 *
 * Nothing that a script does may harm the worker: every call runs under limits and ends with a code.
 */
#ifndef VF_PROJECTOR_H
#define VF_PROJECTOR_H

#include "core/arena.h"
#include "core/error.h"
#include "core/event.h"
#include "store.h" /* struct vf_file */

struct vf_projector;

/* A document kept warm. 0 is none. */
typedef int vf_warm; /* the one typedef: an index, not a struct */

enum vf_route_kind {
    VF_ROUTE_OWN,
    VF_ROUTE_FIELD,
    VF_ROUTE_FUNCTION,
    VF_ROUTE_LINK,
};

/* An event type that says its aggregate's link. */
struct vf_link {
    const char *type;    /* NULL: every type (a `through` that is a kind's whole route) */
    const char *through; /* the kind of the aggregate whose link is followed, or NULL: the event says the document */
};

/* What `key` says for one kind. */
struct vf_route {
    const char *kind;
    enum vf_route_kind route;
    const struct vf_link *links; /* of a link route, sorted by type */
    size_t link_count;
};

/* The link that an event of this type says; NULL: none. */
static inline const struct vf_link *vf_route_link(const struct vf_route *route, struct vf_bytes type)
{
    for (size_t i = 0; i < route->link_count; i++)
        if (!route->links[i].type || vf_bytes_is(type, route->links[i].type))
            return &route->links[i];
    return NULL;
}

/* What becomes of an event whose aggregate's link is not known. */
enum vf_unlinked { VF_UNLINKED_HOLD, VF_UNLINKED_PARK, VF_UNLINKED_IGNORE };

/* Where the last version of each aggregate lives (docs/protocol.md). */
enum vf_versions_mode { VF_VERSIONS_DOCUMENT, VF_VERSIONS_RECORD, VF_VERSIONS_NONE };

/* What has a handler: an event type, of one kind or of all. */
struct vf_handler {
    const char *kind; /* NULL: every kind that has none of its own for this type */
    const char *type;
};

/* What a script says about itself. Owned by the projector. */
struct vf_projection {
    const char *name;
    int64_t version;
    const char *const *topics; /* names under topics: in viewfold.yaml */
    size_t topic_count;
    const struct vf_route *routes;
    size_t route_count;
    const struct vf_handler *handlers; /* sorted by type: for who reports on scripts */
    size_t handler_count;
    const char *const *upcast_types; /* the event types that have an upcast, sorted */
    size_t upcast_count;
    enum vf_versions_mode versions;
    enum vf_unlinked unlinked;
    int64_t ttl_ms;                 /* 0: none */
    const struct vf_index *indexes; /* sorted by name */
    size_t index_count;
    bool upcasts; /* some type has an upcast */
};

/* The handler for events of this kind and type, as the projector chooses it; projection->handler_count: there is none. */
static inline size_t vf_projection_handler(const struct vf_projection *projection, struct vf_bytes kind,
                                           struct vf_bytes type)
{
    size_t found = projection->handler_count;
    for (size_t i = 0; i < projection->handler_count; i++) {
        const struct vf_handler *handler = &projection->handlers[i];
        if (vf_bytes_is(type, handler->type) && (handler->kind ? vf_bytes_is(kind, handler->kind)
                                                               : found == projection->handler_count))
            found = i;
    }
    return found;
}

struct vf_projector_limits {
    size_t memory_bytes_max;   /* the script heap's cap: warm documents and all */
    int64_t instructions_max;  /* a call */
    int64_t handler_ms_max;    /* a call, wall clock, as a last resort */
    size_t document_bytes_max; /* a body's BSON */
};

/* Where script files come from: the disk when a projection is proposed, the store's copy when workers run it. */
struct vf_script_reader {
    /* `name` is relative to the script's folder ("lib/money.lua"). The text stays valid while the projector is opened.
     * VF_E_NOT_FOUND. */
    VF_MUSTCHECK enum vf_code (*read)(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error);
    void *self;
};

/* The ids that a route gave for an event; in the arena. */
struct vf_routed {
    const struct vf_bytes *ids; /* none: not for this view; no id repeats */
    size_t count;
    struct vf_bytes through; /* instead of ids: the aggregate (account/9) whose link says it. Else size 0 */
};

enum vf_handled {
    VF_HANDLED,   /* the document has changed, perhaps */
    VF_UNHANDLED, /* the projection has no handler for this type; nothing was touched */
    VF_DELETED,   /* the handler said `delete`: the document is to go, whatever it has made of it */
};

typedef void vf_projector_log(void *self, const struct vf_event *event,
                              struct vf_bytes line); /* log(...) in a script */

/* What lint has to say about a script. */
struct vf_script_finding {
    const char *file; /* relative to the script's folder */
    int32_t line;     /* from 1; 0: about the file as a whole */
    int32_t column;   /* in bytes, from 1; 0: about the line */
    bool note;        /* worth knowing, and nothing that must be changed */
    const char *message;
    const char *hint; /* or NULL */
};

typedef void vf_script_found(void *self, const struct vf_script_finding *finding);

struct vf_projector_type {
    const char *name; /* "lua" */

    /* Loads the script `main_name` and what it requires. VF_E_CONFIG with file:line and what to do for anything wrong in
     * it. `log` may be NULL. */
    VF_MUSTCHECK enum vf_code (*open)(const char *main_name, const struct vf_script_reader *reader,
                                      const struct vf_projector_limits *limits, vf_projector_log *log, void *log_self,
                                      struct vf_projector **ret_projector, struct vf_error *error);
    void (*close)(struct vf_projector *projector); /* NULL is fine */

    const struct vf_projection *(*describe)(const struct vf_projector *projector);

    /* The files that loading read, main first, then sorted by name: what the registry stores. Owned by the projector. */
    void (*files)(const struct vf_projector *projector, const struct vf_file **ret_files, size_t *ret_count);

    /* The documents that this event's route says: of a link route, what the linking event says (call it only for those).
     * `kind_route` is the one of describe() for event->kind. VF_E_SCRIPT, VF_E_LIMIT, VF_E_MEMORY with the traceback
     * (file:line first); a field that is missing, an id that is empty, too long or no string or integer is VF_E_SCRIPT. */
    VF_MUSTCHECK enum vf_code (*route)(struct vf_projector *projector, const struct vf_route *kind_route,
                                       const struct vf_event *event, struct vf_arena *arena,
                                       struct vf_routed *ret_routed, struct vf_error *error);

    /* Turns an old event into the present one, where the projection has an upcast for its type: event->type and
     * event->data_text change, in the arena. Codes as route's. */
    VF_MUSTCHECK enum vf_code (*upcast)(struct vf_projector *projector, struct vf_event *event, struct vf_arena *arena,
                                        struct vf_error *error);

    /* Whether the projection has a handler for the event's kind and type (as its upcast has left it). */
    bool (*handles)(const struct vf_projector *projector, const struct vf_event *event);

    /* A warm document from a body's BSON, or from `initial` where body.size is 0. VF_E_MEMORY when the heap is full,
     * VF_E_DATA for BSON that is broken or that no body holds. */
    VF_MUSTCHECK enum vf_code (*warm)(struct vf_projector *projector, struct vf_bytes body, vf_warm *ret_document,
                                      struct vf_error *error);
    void (*cool)(struct vf_projector *projector, vf_warm document); /* lets it go; 0 is fine */

    /* Runs the handler of the event's kind and type on the document whose id is `id`; `from` is the document that the
     * aggregate has just left, another one, or 0. On failure both are in no defined state: cool them. Codes as route's. */
    VF_MUSTCHECK enum vf_code (*handle)(struct vf_projector *projector, const struct vf_event *event,
                                        struct vf_bytes id, vf_warm document, vf_warm from,
                                        enum vf_handled *ret_handled, struct vf_error *error);

    /* The document's body as BSON in the arena, keys sorted. VF_E_SCRIPT for what cannot be kept (a function, a cycle, NaN,
     * no UTF-8, integer keys outside array, a name that belongs to the engine: with the path), VF_E_LIMIT beyond
     * document_bytes_max. *ret_aliased: some table is reachable twice, or from the script or another document too; the BSON
     * is right, but the warm document would not behave as one that is loaded from it: cool it, and fold the batch again
     * with each handler's result taken through BSON (DESIGN: a document shares no table). */
    VF_MUSTCHECK enum vf_code (*body)(struct vf_projector *projector, vf_warm document, struct vf_arena *arena,
                                      struct vf_bytes *ret_bson, bool *ret_aliased, struct vf_error *error);

    /* Bytes that the script's heap holds now; after collect() those that are really in use. */
    size_t (*memory_bytes)(const struct vf_projector *projector);
    void (*collect)(struct vf_projector *projector);

    /* Looks at a script without opening it for work: calls `found` for everything that open would refuse, not only the
     * first of it, and for what is doubtful in the text (names that nobody declares, locals that nobody reads). Answers a
     * projector that describe() and place() may be asked of: what is wrong is missing in it, and it may be NULL. */
    void (*lint)(const char *main_name, const struct vf_script_reader *reader, const struct vf_projector_limits *limits,
                 vf_script_found *found, void *self, struct vf_projector **ret_projector);

    /* Where in the main file the field `field` ("key", "on.order") has `word`, a name or a text; where that is not found,
     * where the field stands. Line 0: nowhere. */
    void (*place)(const struct vf_projector *projector, const char *field, const char *word, int32_t *ret_line,
                  int32_t *ret_column);
};

#endif
