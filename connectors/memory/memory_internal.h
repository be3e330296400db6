/*
 * What the files of the memory store share: the server, its stores, and the way of a call to it. Internal to
 * connectors/memory. Whoever looks into a server holds its lock, but for what says otherwise.
 */
#ifndef VF_MEMORY_INTERNAL_H
#define VF_MEMORY_INTERNAL_H

#include "connectors/memory/memory_data.h"
#include "connectors/memory/memory_store.h"

#include <pthread.h>

/* A commit whose sender has given up, and which is still on its way. */
struct vf_memory_late {
    struct vf_arena *arena;
    struct vf_commit *commit; /* in the arena */
    struct vf_memory_late *next;
};

struct vf_memory_server {
    pthread_mutex_t lock; /* recursive: an observer reads */
    char *name;
    struct vf_memory_server *next_named;
    size_t open_stores;

    struct vf_memory_data data;
    uint64_t commits;
    struct vf_memory_late *late; /* oldest first */

    unsigned connections; /* a store that was opened under another number is cut off */
    bool down;
    bool touch;
    bool unchecked;   /* commits may ask for anything */
    unsigned fail_in; /* 0: no call is to fail; 1: the next */
    bool break_prepare;
    enum vf_memory_commit_fault commit_fault;

    vf_memory_observer *observer;
    void *observer_self;
};

struct vf_store {
    struct vf_memory_server *server;
    unsigned connection;
    bool broken;
    const struct vf_commit *sent; /* not applied yet: VF_MEMORY_AT_WAIT */
    bool in_flight;
    struct vf_commit_result result;
};

/* The server of that name, or NULL. Takes no server's lock. */
struct vf_memory_server *vf_memory_server_named(const char *name);

/* Whether this call gets through to the server. On failure the store is unusable from now on. */
VF_MUSTCHECK enum vf_code vf_memory_begin_call(struct vf_store *store, const char *what, struct vf_error *error);

/* All of a commit, or nothing of it. */
enum vf_outcome vf_memory_apply(struct vf_memory_server *server, const struct vf_commit *commit, unsigned *ret_failed);
void vf_memory_keep_late(struct vf_memory_server *server, const struct vf_commit *commit);

struct vf_progress_row *vf_memory_copy_rows(struct vf_memory_generation *generation, struct vf_arena *arena,
                                            size_t *ret_count);

/* The order of an index: by sort value, and of equal ones by id. */
int vf_memory_compare_places(const struct vf_sort *a, struct vf_bytes a_id, const struct vf_sort *b,
                             struct vf_bytes b_id);

/* The calls of memory_look.c: what is set aside, and what indexes and the sweep look for. */
enum vf_code vf_memory_aside_load(struct vf_store *store, struct vf_view view, struct vf_bytes list, int64_t place,
                                  size_t count, size_t bytes_max, struct vf_arena *arena, struct vf_aside **ret_asides,
                                  size_t *ret_count, struct vf_error *error);
enum vf_code vf_memory_aside_total(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                   struct vf_aside_total *ret_total, struct vf_error *error);
enum vf_code vf_memory_aside_at(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                int64_t offset, struct vf_arena *arena, bool *ret_there, struct vf_bytes *ret_list,
                                struct vf_error *error);
enum vf_code vf_memory_aside_aggregates(struct vf_store *store, struct vf_view view, enum vf_aside_state state,
                                        struct vf_bytes after, size_t most, struct vf_arena *arena,
                                        struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error);
enum vf_code vf_memory_aside_counts(struct vf_store *store, struct vf_view view, int64_t ret_counts[VF_ASIDE_STATES],
                                    struct vf_error *error);
enum vf_code vf_memory_dropped(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                               struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                               struct vf_error *error);
enum vf_code vf_memory_draining(struct vf_store *store, struct vf_view view, size_t most, struct vf_arena *arena,
                                struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error);
enum vf_code vf_memory_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms, size_t most,
                           struct vf_arena *arena, struct vf_bytes **ret_ids, size_t *ret_count,
                           struct vf_error *error);
enum vf_code vf_memory_find(struct vf_store *store, struct vf_view view, const struct vf_find *find,
                            struct vf_arena *arena, struct vf_found **ret_found, size_t *ret_count,
                            struct vf_error *error);

#endif
