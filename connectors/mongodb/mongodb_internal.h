/*
 * What the MongoDB connector's files share; included by them and by their unit tests only. Plain helpers over one
 * connection; the thread is the store's.
 */
#ifndef VF_MONGODB_INTERNAL_H
#define VF_MONGODB_INTERNAL_H

#include "store.h"

#include <mongoc/mongoc.h>

/* MongoDB 5.0: names with '$' and dots in inserts, and what else the guards rely on. */
#define VF_MONGODB_WIRE_VERSION_MIN 13

/* One command with its statements inside is one BSON document for the server: 16 MiB, less what the driver adds. */
#define VF_MONGODB_COMMAND_BYTES_MAX      (16u * 1024 * 1024 - 16 * 1024)
#define VF_MONGODB_COMMAND_STATEMENTS_MAX 100000u /* the server's maxWriteBatchSize */
#define VF_MONGODB_COMMIT_BYTES_MAX       (48u * 1024 * 1024)
#define VF_MONGODB_COMMIT_REPEATS_MAX     3 /* of commitTransaction alone, each of which libmongoc tries twice */

#define VF_MONGODB_PROGRESS    "viewfold.progress"
#define VF_MONGODB_GENERATIONS "viewfold.generations"

#define VF_MONGODB_HOSTS_BYTES 256
#define VF_MONGODB_NAME_BYTES  256 /* the server's own limit on database.collection is 255 bytes */

/* What a server's hello says about whether it can serve. */
enum vf_mongodb_verdict {
    VF_MONGODB_SERVES,
    VF_MONGODB_NOT_PRIMARY,
    VF_MONGODB_STANDALONE,
    VF_MONGODB_UNINITIATED,
    VF_MONGODB_MONGOS,
    VF_MONGODB_OTHER_SET,
    VF_MONGODB_OLD,
};

struct vf_store {
    char *name;
    char *database;
    char *replica_set;                  /* what the URL asks for, or NULL */
    char hosts[VF_MONGODB_HOSTS_BYTES]; /* for messages */
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;
    mongoc_client_t *client;
    mongoc_write_concern_t *concern;            /* majority, with journal, for everything that is written */
    enum vf_mongodb_verdict worst;              /* of all hellos while connecting */
    bool prepares;                              /* a worker's: see vf_mongodb_level */
    struct vf_commit_result result;             /* of the last commit_send */
    char draining_index[VF_MONGODB_NAME_BYTES]; /* the collections where these indexes are known to be */
    char state_index[VF_MONGODB_NAME_BYTES];
    bool
        silent; /* no reply came, or no server was found: nothing is asked any more that somebody would have to wait for */
    mongoc_client_session_t *left_open; /* with `silent`: of a transaction that is still to be aborted; or NULL */
};

/* Kinds of failure of one command, as far as callers treat them differently. */
enum vf_mongodb_fault {
    VF_FAULT_NETWORK,     /* no reply, or no primary to ask */
    VF_FAULT_NOT_PRIMARY, /* the server is not the primary any more, or shuts down */
    VF_FAULT_DENIED,
    VF_FAULT_TRANSIENT, /* the transaction is over, nothing of it was written: a write conflict and its like */
    VF_FAULT_DUPLICATE,
    VF_FAULT_TOO_LARGE,
    VF_FAULT_DOCUMENT, /* the server never takes this document, as an index or a rule of its own stands against it */
    VF_FAULT_TIME,     /* the server ended the command at its time limit */
    VF_FAULT_FULL,
    VF_FAULT_OTHER,
};

/* mongodb_error.c */

/* Of a command that failed: `reply` may be empty. */
enum vf_mongodb_fault vf_mongodb_fault_of(const bson_error_t *failure, const bson_t *reply);

/* Sets *error for a read or an unconditional write that failed; `doing` completes "store "x" (host): cannot ...". */
enum vf_code vf_mongodb_fail(struct vf_store *store, const bson_error_t *failure, const bson_t *reply,
                             const char *doing, struct vf_error *error);

/* The first of the reply's writeErrors as a bson_error_t. False where it has none. */
bool vf_mongodb_write_error(const bson_t *reply, bson_error_t *ret_failure);

/* mongodb_uri.c */

void vf_mongodb_uri_start(void); /* once, before any URL is read */
VF_MUSTCHECK enum vf_code vf_mongodb_uri_make(struct vf_store *store, const struct vf_store_config *config,
                                              mongoc_uri_t **ret_uri, struct vf_error *error);

/* mongodb_connect.c */

enum vf_mongodb_verdict vf_mongodb_judge_hello(const bson_t *hello, const char *replica_set);
VF_MUSTCHECK enum vf_code vf_mongodb_check_url(const char *name, const char *url, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_open(const struct vf_store_config *config, struct vf_store **ret_store,
                                          struct vf_error *error);
void vf_mongodb_close(struct vf_store *store);

/* mongodb_names.c: the names of what belongs to a view. */

struct vf_mongodb_names {
    char documents[VF_MONGODB_NAME_BYTES]; /* customer_orders.g1, also the registry's _id */
    char aggregates[VF_MONGODB_NAME_BYTES];
    char aside[VF_MONGODB_NAME_BYTES];
    char drops[VF_MONGODB_NAME_BYTES];
};

/* VF_E_CONFIG where a name would be too long. */
VF_MUSTCHECK enum vf_code vf_mongodb_names(const struct vf_store *store, struct vf_view view,
                                           struct vf_mongodb_names *ret_names, struct vf_error *error);

/* Appends `key: "customer_orders.g1 orders/3"`, the _id of a partition's progress. */
void vf_mongodb_append_progress_id(bson_t *bson, const char *key, const struct vf_mongodb_names *names,
                                   struct vf_partition partition);

/* Appends `tp: "orders/3"`. */
void vf_mongodb_append_partition(bson_t *bson, struct vf_partition partition);

/* Appends `_id: {$gte: first, $lt: after}`: all progress documents of a generation. */
void vf_mongodb_append_progress_range(bson_t *bson, const struct vf_mongodb_names *names);

/* Appends `$expr: {$gt: ["$frozen", "$$NOW"]}`: only what is frozen now, by the server's clock. */
void vf_mongodb_append_frozen_now(bson_t *bson);

void vf_mongodb_append_text(bson_t *bson, const char *key, struct vf_bytes text);

/* mongodb_bson.c: documents, aggregate records and progress, as they lie in the store. */

void vf_mongodb_append_document(bson_t *into, const struct vf_document *document, uint64_t stamp);
void vf_mongodb_append_aggregate(bson_t *into, const struct vf_aggregate *aggregate, uint64_t stamp);
void vf_mongodb_append_progress(bson_t *into, const struct vf_progress *progress); /* nothing where there is none */
void vf_mongodb_append_stamp(bson_t *into, const char *key, uint64_t stamp);

/* "held", and back; VF_ASIDE_NONE for what is no state. */
const char *vf_mongodb_state_name(enum vf_aside_state state);
enum vf_aside_state vf_mongodb_state_named(struct vf_bytes name);

/* False: no stamp. */
bool vf_mongodb_iter_stamp(const bson_iter_t *iter, uint64_t *ret_stamp);

/* These read what a server sent; strings are copied to the arena. VF_E_CONFIG, naming the _id, where it is not ours. */
VF_MUSTCHECK enum vf_code vf_mongodb_read_document(const bson_t *bson, struct vf_arena *arena,
                                                   struct vf_document *ret_document, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_read_aggregate(const bson_t *bson, struct vf_arena *arena,
                                                    struct vf_aggregate *ret_aggregate, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_read_progress(const bson_t *bson, const struct vf_mongodb_names *names,
                                                   struct vf_arena *arena, struct vf_progress_row *ret_row,
                                                   struct vf_error *error);

/* "orders/3" into topic and partition. False: it is none. */
bool vf_mongodb_read_partition(struct vf_bytes text, struct vf_arena *arena, struct vf_partition *ret_partition);

/* The string under `key`, or false. */
bool vf_mongodb_text_at(const bson_t *bson, const char *key, struct vf_bytes *ret_text);

/* mongodb_read.c */

VF_MUSTCHECK enum vf_code vf_mongodb_load(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids,
                                          size_t id_count, const struct vf_bytes *aggregates, size_t aggregate_count,
                                          struct vf_arena *arena, struct vf_document *ret_documents,
                                          struct vf_aggregate *ret_aggregates, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_progress(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                              struct vf_progress_row **ret_rows, size_t *ret_count,
                                              struct vf_error *error);

/* The string _ids of at most `most` documents that the filter meets, in the arena. `options` as vf_mongodb_find_with's: it
 * may hold a sort, and is left alone. */
VF_MUSTCHECK enum vf_code vf_mongodb_find_ids(struct vf_store *store, const char *collection, const bson_t *filter,
                                              const bson_t *options, size_t most, struct vf_arena *arena,
                                              struct vf_bytes **ret_ids, size_t *ret_count, struct vf_error *error);

/* Room for one more in a heap list of `count` entries of this size; and the whole list, moved into the arena. */
void *vf_mongodb_grow(void *list, size_t count, size_t size);
void *vf_mongodb_keep(struct vf_arena *arena, void *list, size_t count, size_t size);

/* Whether any progress document of the generation is frozen now. */
VF_MUSTCHECK enum vf_code vf_mongodb_is_frozen(struct vf_store *store, const struct vf_mongodb_names *names,
                                               bool *ret_frozen, struct vf_error *error);

/* mongodb_commit.c */

void vf_mongodb_commit_send(struct vf_store *store, const struct vf_commit *commit);
void vf_mongodb_commit_wait(struct vf_store *store, struct vf_commit_result *ret_result);

/* mongodb_aside.c: what is set aside. */

VF_MUSTCHECK enum vf_code vf_mongodb_aside_load(struct vf_store *store, struct vf_view view, struct vf_bytes list,
                                                int64_t place, size_t count, size_t bytes_max, struct vf_arena *arena,
                                                struct vf_aside **ret_asides, size_t *ret_count,
                                                struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_aside_total(struct vf_store *store, struct vf_view view,
                                                 struct vf_partition partition, struct vf_aside_total *ret_total,
                                                 struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_aside_at(struct vf_store *store, struct vf_view view,
                                              struct vf_partition partition, int64_t offset, struct vf_arena *arena,
                                              bool *ret_there, struct vf_bytes *ret_list, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_draining(struct vf_store *store, struct vf_view view, size_t most,
                                              struct vf_arena *arena, struct vf_bytes **ret_aggregates,
                                              size_t *ret_count, struct vf_error *error);

VF_MUSTCHECK enum vf_code vf_mongodb_aside_aggregates(struct vf_store *store, struct vf_view view,
                                                      enum vf_aside_state state, struct vf_bytes after, size_t most,
                                                      struct vf_arena *arena, struct vf_bytes **ret_aggregates,
                                                      size_t *ret_count, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_aside_counts(struct vf_store *store, struct vf_view view,
                                                  int64_t ret_counts[VF_ASIDE_STATES], struct vf_error *error);

/* mongodb_drops.c: what operators have dropped. */

VF_MUSTCHECK enum vf_code vf_mongodb_dropped(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                                             struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                                             struct vf_error *error);

/* mongodb_generation.c */

VF_MUSTCHECK enum vf_code vf_mongodb_prepare(struct vf_store *store, const char *view,
                                             const struct vf_generation *proposed, struct vf_arena *arena,
                                             struct vf_generation *ret_generation, bool *ret_created,
                                             struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_generation(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                                struct vf_generation *ret_generation, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_state(struct vf_store *store, const char *view, struct vf_view_state *ret_state,
                                           struct vf_error *error);

/* An entry's script, as it lies there: main, files, hash. */
void vf_mongodb_append_script(bson_t *into, const struct vf_generation *generation);
VF_MUSTCHECK enum vf_code vf_mongodb_generation_stamp(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp,
                                                      bool *ret_there, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_generations(struct vf_store *store, const char *view, struct vf_arena *arena,
                                                 struct vf_generation **ret_generations, size_t *ret_count,
                                                 struct vf_error *error);

/* mongodb_changing.c */

VF_MUSTCHECK enum vf_code vf_mongodb_adopt(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                           const struct vf_generation *next, bool *ret_done, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_drop_begin(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                                uint64_t stamp, bool *ret_done, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_drop_more(struct vf_store *store, struct vf_view view, uint64_t stamp,
                                               int64_t now_ms, enum vf_drop *ret_drop, size_t *ret_removed,
                                               struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_note_stopped(struct vf_store *store, struct vf_view view,
                                                  uint64_t generation_stamp, struct vf_partition partition,
                                                  const char *reason, struct vf_error *error);

/* mongodb_collections.c: makes what a generation needs, where it is absent. */
VF_MUSTCHECK enum vf_code vf_mongodb_make_collections(struct vf_store *store, const struct vf_mongodb_names *names,
                                                      struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_make_view(struct vf_store *store, const char *view,
                                               const struct vf_mongodb_names *names, struct vf_error *error);
/* Removes the readers' view where it shows this generation. */
VF_MUSTCHECK enum vf_code vf_mongodb_remove_view(struct vf_store *store, const char *view,
                                                 const struct vf_mongodb_names *names, struct vf_error *error);

/* mongodb_index.c */

/* Each makes one, where it is not there: of what is set aside of a partition (how much, and whether it is the event at an
 * offset); of records that are to be gone on with; of records by why events are set aside there; of husks by the time at which
 * they went. */
VF_MUSTCHECK enum vf_code vf_mongodb_make_aside_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                                      struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_make_draining_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                                         struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_make_state_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                                      struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_make_husks_index(struct vf_store *store, const struct vf_mongodb_names *names,
                                                      struct vf_error *error);

VF_MUSTCHECK enum vf_code vf_mongodb_make_indexes(struct vf_store *store, struct vf_view view,
                                                  const struct vf_index *indexes, size_t count, bool expires,
                                                  struct vf_error *error);
/* All that there are over the generation's documents, but the one on _id: of what is being dropped. */
VF_MUSTCHECK enum vf_code vf_mongodb_drop_indexes(struct vf_store *store, const struct vf_mongodb_names *names,
                                                  struct vf_error *error);

/* mongodb_find.c: documents by an index, or by their time. */

VF_MUSTCHECK enum vf_code vf_mongodb_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms,
                                         size_t most, struct vf_arena *arena, struct vf_bytes **ret_ids,
                                         size_t *ret_count, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_find_by_index(struct vf_store *store, struct vf_view view,
                                                   const struct vf_find *find, struct vf_arena *arena,
                                                   struct vf_found **ret_found, size_t *ret_count,
                                                   struct vf_error *error);

/* mongodb_notes.c */

VF_MUSTCHECK enum vf_code vf_mongodb_freeze(struct vf_store *store, struct vf_view view,
                                            const struct vf_partition *partitions, size_t partition_count,
                                            int64_t duration_ms, struct vf_error *error);

/* mongodb_command.c: one command outside any transaction, with the limits and the write concern that all have. */

/* `reply` is always initialized. False with *failure for any error, write errors and write concern errors too. */
bool vf_mongodb_write(struct vf_store *store, const bson_t *command, bson_t *reply, bson_error_t *failure);

/* A cursor over `collection` from the primary, with the options of the driver's find (sort, projection, limit, batchSize),
 * which are taken: nothing is in there afterwards. `level` is a read concern's. Free it with mongoc_cursor_destroy. */
mongoc_cursor_t *vf_mongodb_find_with(struct vf_store *store, const char *collection, const bson_t *filter,
                                      const char *level, bson_t *options_taken);
mongoc_cursor_t *vf_mongodb_find(struct vf_store *store, const char *collection, const bson_t *filter,
                                 int64_t batch_size, const char *level);
/* The same for some of each document's fields, and up to `limit` of them (0: all). */
mongoc_cursor_t *vf_mongodb_find_fields(struct vf_store *store, const char *collection, const bson_t *filter,
                                        int64_t limit, const char *level, const bson_t *fields);

/* The read concern of those who only read, or of those who go on to write. */
const char *vf_mongodb_level(const struct vf_store *store);

/* What an aggregation of this pipeline (an array) answers, from the primary: up to 100 documents, which lie in `reply`. That is
 * initialized, to be destroyed in any case. */
bool vf_mongodb_aggregate(struct vf_store *store, const char *collection, const bson_t *pipeline, bson_t *reply,
                          bson_iter_t *ret_results, bson_error_t *failure);
bool vf_mongodb_next_result(bson_iter_t *results, bson_t *ret_result);

/* The seam's: see store.h. */
VF_MUSTCHECK enum vf_code vf_mongodb_check_rights(struct vf_store *store, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_mongodb_held_up(struct vf_store *store, struct vf_arena *arena, const char **ret_what,
                                             struct vf_error *error);

#endif
