/*
 * The store seam: where views live. One `struct vf_store` is one connection to one store, used by one thread. It knows
 * documents, aggregate records, progress and generations, and nothing of events, Lua or Kafka.
 *
 * The heart is the commit: a conditional, atomic write of a batch (docs/protocol.md). A connector that passes
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
#include "core/index.h"

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

/* How far a partition's progress was at some moment. */
struct vf_reached {
    struct vf_partition partition; /* topic NUL-terminated */
    int64_t next;
};

/* A generation went on with another script: what was before these positions is of the former one, what came behind of the
 * new one. */
struct vf_adoption {
    int64_t adopted_ms; /* Unix milliseconds */
    char from_hash[65];
    char to_hash[65];
    const struct vf_reached *positions; /* of all partitions that had progress then */
    size_t position_count;
};

/* A generation's entry keeps so many adoptions, the last ones. */
#define VF_ADOPTIONS_MAX 16

/* The states of a generation's entry. */
#define VF_GENERATION_ACTIVE   "active"
#define VF_GENERATION_DROPPING "dropping" /* being removed: nobody may write it any more, and readers do not see it */
#define VF_GENERATION_DROPPED  "dropped"  /* only the entry is left: the view was not lost but dropped */

/* What the registry holds about a generation. */
struct vf_generation {
    int32_t number;
    const char *state;
    /* Random, another one whenever a generation is made, adopted or dropped. What is written to it is conditional on it, so
     * whoever has read an older entry writes nothing. */
    uint64_t stamp;
    int64_t projection_version;
    char script_hash[65];        /* SHA-256, hex */
    const char *script;          /* the name of the projection's own file among `files` */
    const struct vf_file *files; /* none in a list, and where the generation is not active */
    size_t file_count;
    int64_t created_ms;                  /* Unix milliseconds; of a dropped one, when it was */
    int32_t format;                      /* VF_FORMAT */
    bool follows_drop;                   /* made where one was dropped: that it has no progress is no loss */
    const struct vf_adoption *adoptions; /* oldest first */
    size_t adoption_count;

    bool again; /* of what is proposed: a worker has been running it, so it does not take the place of a dropped one */
};

/* The format of what lies in the stores; a newer one is refused (docs/formats.md). */
#define VF_FORMAT 1

/* How a commit treats a document or aggregate record that the batch consulted. */
enum vf_intent {
    VF_WRITE,   /* the condition on its base, then the new value */
    VF_CONSULT, /* the condition on its base, no new value; a store that would not notice a write by another touches it */
    VF_CONSULT_OWN, /* an aggregate's own record, with a link and nothing set aside, that was only followed, not relied on
                       to leave an event out: it changes only under its own partition's progress, which the same commit
                       tests, so a store may leave it alone (docs/decisions/0004) */
};

struct vf_document_change {
    enum vf_intent intent;
    enum vf_presence base; /* what was read: VF_ABSENT, or present / a husk with base_stamp */
    uint64_t base_stamp;
    struct vf_document next; /* for VF_CONSULT only next.id counts; next.stamp is the commit's. VF_ABSENT with VF_WRITE:
                                document, husk and all are removed */
    /* With VF_WRITE: one for each of the commit's indexes, as they are now and will be; NULL: in none. */
    const struct vf_index_entry *base_entries;
    const struct vf_index_entry *next_entries;
    bool base_has_expires; /* as the base has them, so that a store can take it out of its list of what expires */
    bool base_has_since;   /* it was a deleted or expired husk */
};

struct vf_aggregate_change {
    enum vf_intent intent;
    bool base_exists;
    uint64_t base_stamp;
    enum vf_aside_state base_state; /* as the base has them, so that a store can take it out of its lists */
    bool base_draining;
    struct vf_aggregate next; /* for a consulted one only next.aggregate counts; !exists with VF_WRITE: it is removed */
};

struct vf_progress_change {
    struct vf_partition partition;
    struct vf_progress from; /* compared whole; !exists: there must be none */
    struct vf_progress to;   /* equal to `from` where the partition is only tested */
};

/* One batch. Everything in it is borrowed until commit_wait has returned. Ids in a commit do not repeat. */
struct vf_commit {
    struct vf_view view;
    uint64_t generation_stamp; /* that the generation's entry has to have */
    uint64_t stamp;            /* of everything this commit writes */
    const struct vf_progress_change *progress;
    size_t progress_count;
    const struct vf_document_change *documents;
    size_t document_count;
    const struct vf_aggregate_change *aggregates;
    size_t aggregate_count;
    /* Events that come into lists, and that leave them (their `record` is empty). The lists' records are all written by this
     * commit, so their stamps are the condition. An event may leave one list and come into another, or to another place of its own,
     * which others leave. */
    const struct vf_aside *asides;
    size_t aside_count;
    const struct vf_aside *taken;
    size_t taken_count;
    const struct vf_dropped *dropped; /* decisions to keep, in this order */
    size_t dropped_count;
    const struct vf_index *indexes; /* the generation's */
    size_t index_count;
};

enum vf_outcome {
    VF_COMMITTED,  /* all of it */
    VF_CONFLICT,   /* nothing of it: a condition did not hold; see `failed` */
    VF_FROZEN,     /* nothing of it: the generation is frozen for a moment */
    VF_SUPERSEDED, /* nothing of it: the generation's entry is another one than the commit goes by. It was adopted, or
                      dropped: read it again */
    VF_REFUSED, /* nothing of it: the server said no (full, read-only, no right); the error says what and whether it may
                     pass. The store stays usable. */
    VF_UNKNOWN, /* perhaps: the reply was lost. Close the store; progress tells */
};

/* Which conditions failed, as far as the store can tell. A hint for counting and messages only. */
#define VF_FAILED_PROGRESS  1u
#define VF_FAILED_DOCUMENT  2u
#define VF_FAILED_AGGREGATE 4u

struct vf_commit_result {
    enum vf_outcome outcome;
    unsigned failed;       /* VF_FAILED_ bits, with VF_CONFLICT */
    struct vf_error error; /* with VF_REFUSED and VF_UNKNOWN */
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

/* What drop_more has come to. */
enum vf_drop {
    VF_DROP_MORE,       /* there is more */
    VF_DROP_DONE,       /* all is gone but the entry */
    VF_DROP_SUPERSEDED, /* another has taken over; this call has removed nothing */
};

/* What the sweep looks for: documents whose time has come, by event time. */
enum vf_due {
    VF_DUE_EXPIRED, /* present, or a husk of kind new, and expires_ms is at or before the limit */
    VF_DUE_HUSK,    /* a deleted or expired husk, and since_ms is at or before the limit */
};

/* A question to an index. Bounds are inclusive; of a bound of another kind than a document's sort value, the document is not
 * meant. */
struct vf_find {
    const struct vf_index *index;
    struct vf_bytes by; /* the value as text, with index->by */
    bool has_from, has_to;
    struct vf_sort from, to;
    bool reverse;         /* the greatest first, of equal ones the greatest id */
    bool has_after;       /* only what comes behind this place, in the order asked for */
    struct vf_sort after; /* VF_SORT_NONE where the index has no `sort` */
    struct vf_bytes after_id;
    size_t limit;
};

/* A document found, as its entry says; it may have changed since. */
struct vf_found {
    struct vf_bytes id;
    struct vf_sort sort;
};

struct vf_store_type {
    const char *name; /* "redis" */

    /* A commit rewrites the stamps of documents that are there and only consulted, to its own: the caller's
     * warm copies then have that base. A store that touches without saying so costs its callers a conflict each. */
    bool touches;

    /* Whether a URL is one that open can go by, as far as can be told without connecting to anything. `name` is the store's.
     * VF_E_CONFIG with what is wrong and what to do; the text shows nothing of a URL that may be a secret. NULL: all are. */
    VF_MUSTCHECK enum vf_code (*check_url)(const char *name, const char *url, struct vf_error *error);

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
     * In the place of a dropped one the proposed one is made, with follows_drop, unless proposed->again; one that is being
     * dropped is left alone. So look at the state of what came back.
     * VF_E_CONFIG when the registry's format is newer than VF_FORMAT. */
    VF_MUSTCHECK enum vf_code (*prepare)(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                                         struct vf_arena *arena, struct vf_generation *ret_generation,
                                         bool *ret_created, struct vf_error *error);

    /* The registry's entry of one generation with its script, if it is there. Changes nothing. VF_E_NOT_FOUND. */
    VF_MUSTCHECK enum vf_code (*generation)(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                            struct vf_generation *ret_generation, struct vf_error *error);

    /* The stamp of a generation's entry; *ret_there false where there is no entry. What an idle worker asks every few
     * seconds: cheap. */
    VF_MUSTCHECK enum vf_code (*generation_stamp)(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp,
                                                  bool *ret_there, struct vf_error *error);

    /* All entries of a view by number, dropped ones too, without their files; none is fine. Changes nothing. */
    VF_MUSTCHECK enum vf_code (*generations)(struct vf_store *store, const char *view, struct vf_arena *arena,
                                             struct vf_generation **ret_generations, size_t *ret_count,
                                             struct vf_error *error);

    /* The generation goes on with another script. If its entry is active and still has `base_stamp`, then in one step: its
     * script, files, hash and stamp become those of `next`, and the adoption is put down with next->created_ms as its time,
     * both hashes, and where every partition's progress is in that step. From then on commits that go by base_stamp are
     * VF_SUPERSEDED. *ret_done false: somebody else was faster, and nothing has changed. */
    VF_MUSTCHECK enum vf_code (*adopt)(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                       const struct vf_generation *next, bool *ret_done, struct vf_error *error);

    /* Begins to remove a generation, or takes over where another has begun: if its entry (active or dropping) still has
     * base_stamp, it becomes dropping, with `stamp`, and readers lose it. Commits are VF_SUPERSEDED from then on, and so is
     * a removal that went by base_stamp. *ret_done as adopt's. */
    VF_MUSTCHECK enum vf_code (*drop_begin)(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                            uint64_t stamp, bool *ret_done, struct vf_error *error);

    /* Removes some more of it, in bounded time and memory; to be called by the store that began, until it does not say
     * VF_DROP_MORE. The last call leaves the entry, dropped at now_ms, and what operators have dropped (->dropped), which
     * counts for what is built in its place. *ret_removed: documents and records of this call. */
    VF_MUSTCHECK enum vf_code (*drop_more)(struct vf_store *store, struct vf_view view, uint64_t stamp, int64_t now_ms,
                                           enum vf_drop *ret_drop, size_t *ret_removed, struct vf_error *error);

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

    /* Whether the store is still what it was when it was opened, and serves. What it may have lost by itself without a word
     * (functions) is put back. VF_E_CONFIG: it would lose what it is given, or takes nothing any more (it evicts, it has become
     * a replica). VF_E_UNAVAILABLE: it is another one than before (restarted, failed over): everything is to be read again. On any
     * error the store is to be closed. A commit in flight stays so. NULL: a lost connection tells all of that. */
    VF_MUSTCHECK enum vf_code (*look)(struct vf_store *store, struct vf_error *error);

    /* Sends one commit; at most one is in flight. A connector whose client cannot overlap may do all of it here.
     * commit_wait gives its outcome. Both are called from the same thread, always in pairs. A commit that is larger than
     * the connector takes in one call is VF_REFUSED with VF_E_LIMIT: the caller makes smaller batches. */
    void (*commit_send)(struct vf_store *store, const struct vf_commit *commit);
    void (*commit_wait)(struct vf_store *store, struct vf_commit_result *ret_result);

    /* Notes why a partition stopped (a JSON object as text), for `status`; NULL takes the note away. The next commit
     * that moves this partition's progress takes it away too. A note, not a fact: conditional only on the generation's
     * stamp, without which it is left out (VF_OK; the next commit tells). */
    VF_MUSTCHECK enum vf_code (*note_stopped)(struct vf_store *store, struct vf_view view, uint64_t generation_stamp,
                                              struct vf_partition partition, const char *reason,
                                              struct vf_error *error);

    /* Freezes a generation: commits get VF_FROZEN. `duration_ms` is a limit in the server's time where the store can
     * (Redis), after which it ends by itself; 0 unfreezes. `partitions` are those the view reads. */
    VF_MUSTCHECK enum vf_code (*freeze)(struct vf_store *store, struct vf_view view,
                                        const struct vf_partition *partitions, size_t partition_count,
                                        int64_t duration_ms, struct vf_error *error);

    /* Makes what the store's own indexes need, before the first batch: those of the projection, and one for what expires,
     * with `expires`. What is there already is left alone. NULL: the commits' entries are all that this store needs. */
    VF_MUSTCHECK enum vf_code (*make_indexes)(struct vf_store *store, struct vf_view view,
                                              const struct vf_index *indexes, size_t count, bool expires,
                                              struct vf_error *error);

    /* Events of a list from `place` on, in order, at most `count` of them and about `bytes_max` bytes, at least one if there is
     * any. Not of one moment with the record: its stamp, in the commit's condition, tells. */
    VF_MUSTCHECK enum vf_code (*aside_load)(struct vf_store *store, struct vf_view view, struct vf_bytes list,
                                            int64_t place, size_t count, size_t bytes_max, struct vf_arena *arena,
                                            struct vf_aside **ret_asides, size_t *ret_count, struct vf_error *error);

    /* How much of a partition is set aside now. */
    VF_MUSTCHECK enum vf_code (*aside_total)(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                             struct vf_aside_total *ret_total, struct vf_error *error);

    /* Whether the event at this offset is set aside, and in whose list (in the arena). */
    VF_MUSTCHECK enum vf_code (*aside_at)(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                          int64_t offset, struct vf_arena *arena, bool *ret_there,
                                          struct vf_bytes *ret_list, struct vf_error *error);

    /* Some aggregates whose records are draining, at most `most`, in no particular order. */
    VF_MUSTCHECK enum vf_code (*draining)(struct vf_store *store, struct vf_view view, size_t most,
                                          struct vf_arena *arena, struct vf_bytes **ret_aggregates, size_t *ret_count,
                                          struct vf_error *error);

    /* Aggregates whose records are in this state (not VF_ASIDE_NONE), in the order of their names' bytes: those behind `after`
     * (size 0: from the first on), at most `most`. In the arena. */
    VF_MUSTCHECK enum vf_code (*aside_aggregates)(struct vf_store *store, struct vf_view view,
                                                  enum vf_aside_state state, struct vf_bytes after, size_t most,
                                                  struct vf_arena *arena, struct vf_bytes **ret_aggregates,
                                                  size_t *ret_count, struct vf_error *error);

    /* How many aggregates are in each state; that of VF_ASIDE_NONE is 0. */
    VF_MUSTCHECK enum vf_code (*aside_counts)(struct vf_store *store, struct vf_view view,
                                              int64_t ret_counts[VF_ASIDE_STATES], struct vf_error *error);

    /* What has been dropped, in the order of the decisions: from number `first` (0..) on, at most `most`. In the arena. */
    VF_MUSTCHECK enum vf_code (*dropped)(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                                         struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                                         struct vf_error *error);

    /* Ids of documents that are due at `limit_ms`, those that have been so for longest first, at most `most`. A hint: what is
     * to be done with each, its document says. */
    VF_MUSTCHECK enum vf_code (*due)(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms,
                                     size_t most, struct vf_arena *arena, struct vf_bytes **ret_ids, size_t *ret_count,
                                     struct vf_error *error);

    /* What an index has, in its order, at most find->limit. What has expired by the clock and is not swept yet is among
     * it, as is what changes meanwhile: whoever asks loads the documents, and looks. */
    VF_MUSTCHECK enum vf_code (*find)(struct vf_store *store, struct vf_view view, const struct vf_find *find,
                                      struct vf_arena *arena, struct vf_found **ret_found, size_t *ret_count,
                                      struct vf_error *error);

    /* Whether this login may do what a worker does to views (open needs less), as far as the server tells without anything
     * being changed. VF_E_DENIED says which right is missing. NULL: the connector cannot tell. */
    VF_MUSTCHECK enum vf_code (*check_rights)(struct vf_store *store, struct vf_error *error);

    /* What holds commits up that no living worker is about to end, in a sentence for people, in the arena; NULL: nothing that the
     * store can tell. A function of NULL: there is no such thing in this store. */
    VF_MUSTCHECK enum vf_code (*held_up)(struct vf_store *store, struct vf_arena *arena, const char **ret_what,
                                         struct vf_error *error);
};

#endif
