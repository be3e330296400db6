/*
 * What the Redis connector's own files share. Nobody else includes this but its tests.
 */
#ifndef VF_REDIS_INTERNAL_H
#define VF_REDIS_INTERNAL_H

#include "connectors/redis/connection.h"
#include "connectors/redis/keys.h"
#include "connectors/redis/server.h"
#include "store.h"

#include "core/body.h"
#include "core/json.h"

/* What one commit may be at most; beyond it, VF_REFUSED with VF_E_LIMIT. Redis itself takes 1 GB of input a client. */
#define VF_REDIS_COMMIT_BYTES_MAX      ((size_t)64 << 20)
#define VF_REDIS_COMMIT_ARGUMENTS_MAX  ((size_t)1 << 20)
#define VF_REDIS_COMMIT_PARTITIONS_MAX 4000 /* fields of one HMGET */

/* How often a function is loaded again for one call before the server is taken to be refusing it. */
#define VF_REDIS_RELOADS_MAX 3

#define VF_REDIS_FUNCTION_BYTES 48

enum vf_redis_commit_state {
    VF_REDIS_COMMIT_NONE,
    VF_REDIS_COMMIT_SENT, /* its reply is the next one to arrive */
    VF_REDIS_COMMIT_DONE, /* `result` is there */
};

/* Where a commit's keys begin: an answer names a key by its place (library_commit.lua). */
struct vf_redis_layout {
    size_t absent, absent_documents; /* of the first, so many are documents' */
    size_t written, written_documents;
    size_t consulted, consulted_documents;
};

struct vf_redis_field; /* load.c */

/* One thing that leaves or comes into a key on the side (library_side.lua). */
struct vf_redis_side_change;

/* A key on the side, and which of the changes are its. */
struct vf_redis_side_group;

/* What a commit changes beside documents and records; commit_side.c. */
struct vf_redis_side {
    struct vf_redis_side_change *changes;
    size_t count, size;
    struct vf_redis_side_group *groups;
    size_t group_count, groups_size;
    struct vf_arena *arena; /* keys and texts of one commit */
};

struct vf_store {
    char *label; /* "store cache: redis 127.0.0.1:6379" */
    char *prefix;
    char *username; /* for advice; NULL: none */
    int64_t command_timeout_ms;
    struct vf_redis_connection *connection;
    struct vf_redis_identity identity; /* of the server, when it was opened or looked at */
    char function_commit[VF_REDIS_FUNCTION_BYTES], function_prepare[VF_REDIS_FUNCTION_BYTES];
    char function_freeze[VF_REDIS_FUNCTION_BYTES], function_adopt[VF_REDIS_FUNCTION_BYTES];
    char function_drop_begin[VF_REDIS_FUNCTION_BYTES], function_drop_more[VF_REDIS_FUNCTION_BYTES];
    char function_note[VF_REDIS_FUNCTION_BYTES], function_find[VF_REDIS_FUNCTION_BYTES];
    char function_rights[VF_REDIS_FUNCTION_BYTES];

    struct vf_redis_request request; /* of every call but the commit */
    struct vf_redis_keys keys;

    enum vf_redis_commit_state commit_state;
    struct vf_redis_request commit_request; /* kept until the reply is there: it may have to be sent again */
    struct vf_redis_layout commit_layout;
    struct vf_commit_result commit_result;
    size_t *commit_places; /* for each document and aggregate of a commit, the place of the key it is written to */
    size_t commit_places_size;
    struct vf_redis_side commit_side;
    size_t commit_shapes_at;    /* where in commit_request's bytes the next write's shape goes */
    uint64_t publishes_refused; /* since the connection was made */

    char drop_cursor[24]; /* SCAN's, of the removal under way */
    bool drop_scanned;    /* all keys have been looked at */

    struct vf_json_parser *parser, *types_parser;
    struct vf_buffer value, types; /* being printed */
    struct vf_redis_field *fields; /* being sorted */
    size_t fields_size;
    bson_t body; /* being built */
};

/* When a call that begins now has to have ended. */
int64_t vf_redis_deadline(const struct vf_store *store);

/* Every call but commit_wait begins with this: takes in the reply to the commit in flight, and makes the request empty.
 * A commit that fails thereby is told by commit_wait; the call goes on where the connection lives. */
void vf_redis_begin(struct vf_store *store);

/* Sends the store's request, whose replies are then to be received. */
VF_MUSTCHECK enum vf_code vf_redis_send(struct vf_store *store, int64_t deadline_ms, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_receive(struct vf_store *store, int64_t deadline_ms, redisReply **ret_reply,
                                           struct vf_error *error);

/* Sends the store's request of one command and receives its reply. An error reply is a failure: `what` says in its text
 * what was asked ("FUNCTION LOAD"). */
VF_MUSTCHECK enum vf_code vf_redis_ask(struct vf_store *store, const char *what, int64_t deadline_ms,
                                       redisReply **ret_reply, struct vf_error *error);

/* The same for an FCALL of one of our functions, which is loaded again where the server has lost it. */
VF_MUSTCHECK enum vf_code vf_redis_ask_function(struct vf_store *store, const char *what, int64_t deadline_ms,
                                                redisReply **ret_reply, struct vf_error *error);

/* True for "Function not found": nothing was run. */
bool vf_redis_function_missing(const redisReply *reply);

/* An error reply as a failure. */
enum vf_code vf_redis_fail_reply(struct vf_store *store, const char *what, const redisReply *reply,
                                 struct vf_error *error);

/* An answer of our functions that says why they did not begin: `word` is "wrong" (a key, or nothing, and the reason) or
 * "denied" (a command, and the key). VF_E_DENIED, VF_E_CONFIG, or VF_E_BUG where it is about the arguments. */
enum vf_code vf_redis_fail_answer(struct vf_store *store, struct vf_bytes word, struct vf_bytes first,
                                  struct vf_bytes second, struct vf_error *error);

/* A reply that is not of the expected form. */
enum vf_code vf_redis_fail_form(struct vf_store *store, const char *what, struct vf_error *error);

/* A list reply's strings, copied into the arena. */
void vf_redis_copy_list(const redisReply *reply, struct vf_arena *arena, struct vf_bytes **ret_list, size_t *ret_count);

/* A string reply's bytes; empty for others. */
struct vf_bytes vf_redis_bytes(const redisReply *reply);

/* All of a text as an int64, in its canonical form. */
bool vf_redis_parse_int(struct vf_bytes text, int64_t *ret_number);

/* look.c */

/* Asks what the server says of itself, and whether it can serve; VF_E_CONFIG and VF_E_UNAVAILABLE as vf_redis_info_check. */
VF_MUSTCHECK enum vf_code vf_redis_ask_info(struct vf_store *store, int64_t deadline_ms,
                                            struct vf_redis_identity *ret_identity, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_look(struct vf_store *store, struct vf_error *error);

/* load.c */
VF_MUSTCHECK enum vf_code vf_redis_load(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids,
                                        size_t id_count, const struct vf_bytes *aggregates, size_t aggregate_count,
                                        struct vf_arena *arena, struct vf_document *ret_documents,
                                        struct vf_aggregate *ret_aggregates, struct vf_error *error);

/* commit.c */
void vf_redis_commit_send(struct vf_store *store, const struct vf_commit *commit);
void vf_redis_commit_wait(struct vf_store *store, struct vf_commit_result *ret_result);
void vf_redis_commit_settle(struct vf_store *store); /* receives the reply of a commit in flight */

/* commit_build.c: the commit as one FCALL in store->commit_request, and its layout. VF_E_LIMIT; VF_E_BUG where a document
 * is not what the contract says. */
VF_MUSTCHECK enum vf_code vf_redis_commit_build(struct vf_store *store, const struct vf_commit *commit,
                                                struct vf_error *error);

/* A score as Redis reads it, exactly. */
void vf_redis_add_score(struct vf_redis_request *request, double score);

/* commit_values.c: what is written to the key at `place`, with its shape. */
const char *vf_redis_husk_name(enum vf_presence presence);             /* new, deleted, expired */
void vf_redis_values_add_shapes(struct vf_store *store, size_t count); /* makes room for all as one argument */
VF_MUSTCHECK enum vf_code vf_redis_values_add_document(struct vf_store *store, size_t place,
                                                       const struct vf_document *document, struct vf_error *error);
void vf_redis_values_add_husk(struct vf_store *store, size_t place, const struct vf_document *document);
void vf_redis_values_add_aggregate(struct vf_store *store, size_t place, const struct vf_aggregate *aggregate);

/* commit_side.c: finds out what is on the side, after store->commit_layout is there; then adds it. VF_E_BUG. */
VF_MUSTCHECK enum vf_code vf_redis_side_plan(struct vf_store *store, const struct vf_commit *commit, size_t *ret_keys,
                                             struct vf_error *error);
void vf_redis_side_add_keys(struct vf_store *store);
void vf_redis_side_add_shapes(struct vf_store *store);
void vf_redis_side_add_arguments(struct vf_store *store);
void vf_redis_side_done(struct vf_redis_side *side);

/* registry.c */
VF_MUSTCHECK enum vf_code vf_redis_prepare(struct vf_store *store, const char *view,
                                           const struct vf_generation *proposed, struct vf_arena *arena,
                                           struct vf_generation *ret_generation, bool *ret_created,
                                           struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_generation(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                              struct vf_generation *ret_generation, struct vf_error *error);

VF_MUSTCHECK enum vf_code vf_redis_generation_stamp(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp,
                                                    bool *ret_there, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_generations(struct vf_store *store, const char *view, struct vf_arena *arena,
                                               struct vf_generation **ret_generations, size_t *ret_count,
                                               struct vf_error *error);

/* entry.c: a generation's entry as JSON. Adds it to the store's request; as one argument, or, of one that goes on with
 * another script, as two, between which the adoption's positions belong. */
void vf_redis_entry_add(struct vf_store *store, const struct vf_generation *generation);
void vf_redis_entry_add_adopted(struct vf_store *store, const struct vf_generation *base,
                                const struct vf_generation *next);
/* Fills all but the number and the files. */
VF_MUSTCHECK enum vf_code vf_redis_entry_read(struct vf_store *store, struct vf_bytes text, struct vf_arena *arena,
                                              struct vf_generation *generation, struct vf_error *error);
/* Members of a JSON object of ours; false where there is none of this type. A text is put into the arena, with a NUL. */
bool vf_redis_member_int(struct vf_json entry, const char *name, int64_t *ret_number);
bool vf_redis_member_text(struct vf_json entry, const char *name, struct vf_arena *arena, struct vf_bytes *ret_text);
enum vf_code vf_redis_entry_fail_newer(struct vf_store *store, struct vf_bytes format, struct vf_error *error);

/* changing.c */
void vf_redis_add_stamp(struct vf_redis_request *request, uint64_t stamp);
void vf_redis_add_files(struct vf_redis_request *request, const struct vf_generation *generation);
VF_MUSTCHECK enum vf_code vf_redis_adopt(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                         const struct vf_generation *next, bool *ret_done, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_drop_begin(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                              uint64_t stamp, bool *ret_done, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_drop_more(struct vf_store *store, struct vf_view view, uint64_t stamp,
                                             int64_t now_ms, enum vf_drop *ret_drop, size_t *ret_removed,
                                             struct vf_error *error);

/* aside.c */

/* What stands before the record in a list's member, in the arena. */
struct vf_bytes vf_redis_aside_head(const struct vf_aside *event, struct vf_arena *arena);
VF_MUSTCHECK enum vf_code vf_redis_aside_load(struct vf_store *store, struct vf_view view, struct vf_bytes list,
                                              int64_t place, size_t count, size_t bytes_max, struct vf_arena *arena,
                                              struct vf_aside **ret_asides, size_t *ret_count, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_aside_total(struct vf_store *store, struct vf_view view,
                                               struct vf_partition partition, struct vf_aside_total *ret_total,
                                               struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_aside_at(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                            int64_t offset, struct vf_arena *arena, bool *ret_there,
                                            struct vf_bytes *ret_list, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_draining(struct vf_store *store, struct vf_view view, size_t most,
                                            struct vf_arena *arena, struct vf_bytes **ret_aggregates, size_t *ret_count,
                                            struct vf_error *error);

VF_MUSTCHECK enum vf_code vf_redis_aside_aggregates(struct vf_store *store, struct vf_view view,
                                                    enum vf_aside_state state, struct vf_bytes after, size_t most,
                                                    struct vf_arena *arena, struct vf_bytes **ret_aggregates,
                                                    size_t *ret_count, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_aside_counts(struct vf_store *store, struct vf_view view,
                                                int64_t ret_counts[VF_ASIDE_STATES], struct vf_error *error);

/* dropped.c: a decision's text in the arena, as it lies in the list; and all of them. */
struct vf_bytes vf_redis_dropped_text(const struct vf_dropped *dropped, struct vf_arena *arena);
VF_MUSTCHECK enum vf_code vf_redis_dropped(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                                           struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                                           struct vf_error *error);

/* find.c */
VF_MUSTCHECK enum vf_code vf_redis_find(struct vf_store *store, struct vf_view view, const struct vf_find *find,
                                        struct vf_arena *arena, struct vf_found **ret_found, size_t *ret_count,
                                        struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms,
                                       size_t most, struct vf_arena *arena, struct vf_bytes **ret_ids,
                                       size_t *ret_count, struct vf_error *error);

/* progress.c */

/* "orders/3", with the topic in the arena. */
bool vf_redis_read_partition(struct vf_bytes field, struct vf_arena *arena, struct vf_partition *ret_partition);
VF_MUSTCHECK enum vf_code vf_redis_state(struct vf_store *store, const char *view, struct vf_view_state *ret_state,
                                         struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_progress(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                            struct vf_progress_row **ret_rows, size_t *ret_count,
                                            struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_note_stopped(struct vf_store *store, struct vf_view view, uint64_t generation_stamp,
                                                struct vf_partition partition, const char *reason,
                                                struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_redis_freeze(struct vf_store *store, struct vf_view view,
                                          const struct vf_partition *partitions, size_t partition_count,
                                          int64_t duration_ms, struct vf_error *error);

/* The seam's: see store.h. */
VF_MUSTCHECK enum vf_code vf_redis_check_rights(struct vf_store *store, struct vf_error *error);

#endif
