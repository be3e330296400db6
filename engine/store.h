/*
 * The store seam: where views live. One `struct vf_store` is one connection to one store, used by one thread. It knows
 * documents, aggregate records, progress and generations, and nothing of events, Lua or Kafka.
 *
 * The heart is the commit: a conditional, atomic write of a batch (DESIGN.md, the one rule). A connector that passes
 * tests/store_contract.c keeps the rule.
 *
 * Failures: a function that returns VF_E_UNAVAILABLE, or an outcome VF_UNKNOWN, leaves the store unusable: close it and
 * open another. Every call ends within the configured time limits.
 */
#ifndef VF_STORE_H
#define VF_STORE_H

#include "core/arena.h"
#include "core/document.h"
#include "core/error.h"

struct vf_store; /* each connector's own */

struct vf_store_config {
    const char *name;     /* the store's name in viewfold.yaml: "cache" */
    const char *url;      /* redis://host:port/db or mongodb://... ; may hold a password, never logged */
    const char *username; /* NULL: none */
    const char *password;
    const char *prefix;         /* Redis; "" by default */
    int64_t connect_timeout_ms; /* limit on connecting and checking the server */
    int64_t command_timeout_ms; /* limit on one call */
};

/* A view's generation, as every call names it. */
struct vf_view {
    const char *name;   /* "customer_orders": [a-z][a-z0-9_]* */
    int32_t generation; /* 1.. */
};

/* One file of a projection's script. */
struct vf_file {
    struct vf_bytes name; /* "customer_orders.lua", "lib/money.lua": relative to the script's folder */
    struct vf_bytes text;
};

/* What the registry holds about a generation. */
struct vf_generation {
    int32_t number;
    const char *state; /* "active" */
    int64_t projection_version;
    char script_hash[65]; /* SHA-256, hex */
    const char *script;   /* the name of the projection's own file among `files` */
    const struct vf_file *files;
    size_t file_count;
    int64_t created_ms; /* Unix milliseconds */
    int32_t format;     /* VF_FORMAT */
};

/* The format of what lies in the stores; a newer one is refused (FORMAT.md). */
#define VF_FORMAT 1

/* How a commit treats a document or aggregate record that the batch consulted. */
enum vf_intent {
    VF_WRITE,   /* the condition on its base, then the new value */
    VF_CONSULT, /* the condition on its base, no new value; a store that would not notice a write by another touches it */
    VF_CONSULT_OWN, /* an aggregate record with nothing set aside that was only read: it changes only under its own
                       partition's progress, which the same commit tests, so a store may leave it alone (PROTOCOL 1.3) */
};

struct vf_document_change {
    enum vf_intent intent;
    enum vf_presence base; /* what was read: VF_ABSENT, or present / a husk with base_stamp */
    uint64_t base_stamp;
    struct vf_document next; /* for VF_CONSULT only next.id counts; next.stamp is the commit's */
};

struct vf_aggregate_change {
    enum vf_intent intent;
    bool base_exists;
    uint64_t base_stamp;
    struct vf_aggregate next; /* otherwise only next.aggregate counts */
};

struct vf_progress_change {
    struct vf_partition partition;
    struct vf_progress from; /* compared whole; !exists: there must be none */
    struct vf_progress to;   /* equal to `from` where the partition is only tested */
};

/* One batch. Everything in it is borrowed until commit_wait has returned. Ids in a commit do not repeat. */
struct vf_commit {
    struct vf_view view;
    uint64_t stamp; /* of everything this commit writes */
    const struct vf_progress_change *progress;
    size_t progress_count;
    const struct vf_document_change *documents;
    size_t document_count;
    const struct vf_aggregate_change *aggregates;
    size_t aggregate_count;
};

enum vf_outcome {
    VF_COMMITTED, /* all of it */
    VF_CONFLICT,  /* nothing of it: a condition did not hold; see `failed` */
    VF_FROZEN,    /* nothing of it: the generation is frozen for a moment */
    VF_REFUSED,   /* nothing of it: the server said no (full, read-only, no right); the error says what and whether it may
                     pass. The store stays usable. */
    VF_UNKNOWN,   /* perhaps: the reply was lost. Close the store; progress tells (PROTOCOL 1.5) */
};

/* Which conditions failed, as far as the store can tell. A hint for counting and messages only. */
#define VF_FAILED_PROGRESS 1u
#define VF_FAILED_DOCUMENT 2u
#define VF_FAILED_AGGREGATE 4u

struct vf_commit_result {
    enum vf_outcome outcome;
    unsigned failed;        /* VF_FAILED_ bits, with VF_CONFLICT */
    struct vf_error error;  /* with VF_REFUSED and VF_UNKNOWN */
};

/* A row of progress as it is read. */
struct vf_progress_row {
    struct vf_partition partition; /* topic NUL-terminated, in the arena */
    struct vf_progress progress;   /* !exists where only `stopped` is there */
    const char *stopped;           /* why it stopped (a JSON object as text), or NULL */
};

/* What a reader needs to know of a view before he reads documents. */
struct vf_view_state {
    int32_t active; /* the active generation's number; 0: there is no such view in this store */
    bool frozen;    /* of the active generation */
};

struct vf_store_type {
    const char *name; /* "redis" */

    /* A commit rewrites the stamps of documents that are there and only consulted, to its own (PROTOCOL 1.3): the caller's
     * warm copies then have that base. A store that touches without saying so costs its callers a conflict each. */
    bool touches;

    /* Connects, logs in, and checks that the server can serve (Redis: maxmemory-policy noeviction, no cluster mode,
     * functions; MongoDB: a replica set with a primary; versions). Loads what the connector needs on the server.
     * VF_E_UNAVAILABLE: not reached (retriable); VF_E_DENIED: login or right refused; VF_E_CONFIG: the server cannot
     * serve, or the URL is wrong. Texts name store, host and port, and what to do. */
    VF_MUSTCHECK enum vf_code (*open)(const struct vf_store_config *config, struct vf_store **ret_store,
                                      struct vf_error *error);
    void (*close)(struct vf_store *store); /* NULL is fine; a commit in flight is abandoned */

    /* Makes generation 1's registry entry, stored script, pointer (Redis) or collections and view (MongoDB), each by
     * insert-if-absent, so that any number of processes may call it at once, and a crash half-way is mended by the next
     * call. `proposed` is what to insert where nothing is. *ret_generation (in the arena) is what the registry then
     * holds: the proposed one, or an older one with its own script. *ret_created: the registry entry is this call's.
     * VF_E_CONFIG when the registry's format is newer than VF_FORMAT. */
    VF_MUSTCHECK enum vf_code (*prepare)(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                                         struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_created,
                                         struct vf_error *error);

    /* The registry's entry of one generation with its script, if it is there. Changes nothing. VF_E_NOT_FOUND. */
    VF_MUSTCHECK enum vf_code (*generation)(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                            struct vf_generation *ret_generation, struct vf_error *error);

    /* Which generation readers see. VF_OK with active = 0 where there is no such view. */
    VF_MUSTCHECK enum vf_code (*state)(struct vf_store *store, const char *view, struct vf_view_state *ret_state,
                                       struct vf_error *error);

    /* Reads documents (husks too) and aggregate records in one round trip. ret_documents[i] and ret_aggregates[i] answer
     * ids[i] and aggregates[i]; their strings live in the arena. What is absent is answered as absent.
     * VF_E_CONFIG where something lies there that is not ours (wrong type, unreadable). May be called while a commit is in
     * flight: the answer is then of before or after it, and the commit's outcome waits for commit_wait. */
    VF_MUSTCHECK enum vf_code (*load)(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids,
                                      size_t id_count, const struct vf_bytes *aggregates, size_t aggregate_count,
                                      struct vf_arena *arena, struct vf_document *ret_documents,
                                      struct vf_aggregate *ret_aggregates, struct vf_error *error);

    /* All progress rows of a generation, in any order, in the arena. None is fine. */
    VF_MUSTCHECK enum vf_code (*progress)(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                          struct vf_progress_row **ret_rows, size_t *ret_count, struct vf_error *error);

    /* Sends one commit; at most one is in flight. A connector whose client cannot overlap may do all of it here.
     * commit_wait gives its outcome. Both are called from the same thread, always in pairs. A commit that is larger than
     * the connector takes in one call is VF_REFUSED with VF_E_LIMIT: the caller makes smaller batches. */
    void (*commit_send)(struct vf_store *store, const struct vf_commit *commit);
    void (*commit_wait)(struct vf_store *store, struct vf_commit_result *ret_result);

    /* Notes why a partition stopped (a JSON object as text), for `status`; NULL takes the note away. The next commit
     * that moves this partition's progress takes it away too. Unconditional: a note, not a fact. */
    VF_MUSTCHECK enum vf_code (*note_stopped)(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                              const char *reason, struct vf_error *error);

    /* Freezes a generation: commits get VF_FROZEN. `duration_ms` is a limit in the server's time where the store can
     * (Redis), after which it ends by itself; 0 unfreezes. `partitions` are those the view reads. */
    VF_MUSTCHECK enum vf_code (*freeze)(struct vf_store *store, struct vf_view view, const struct vf_partition *partitions,
                                        size_t partition_count, int64_t duration_ms, struct vf_error *error);

    /* Whether this login may do what a worker does to views (open needs less), as far as the server tells without anything
     * being changed. VF_E_DENIED says which right is missing. NULL: the connector cannot tell. */
    VF_MUSTCHECK enum vf_code (*check_rights)(struct vf_store *store, struct vf_error *error);
};

#endif
