/*
 * A store in memory, for tests: engine/store.h to the letter, with faults to order.
 *
 * A server (`struct vf_memory_server`) holds the views and outlives the stores that are connected to it; its mutex makes
 * each call atomic, so stores of several threads may share it. Whoever made the server frees it, after its stores.
 *
 * Stores are opened by vf_memory_store_open_on, or through the type with a config.url of "memory:NAME", where NAME is what
 * vf_memory_server_new was given.
 *
 * A commit whose conditions hold and that the engine must never make (an event set aside in a list whose record the commit
 * does not write, one taken that is not there, index entries that are not its body's) ends the process: an assertion.
 *
 * Faults are orders to the server that the next call (of whichever store) uses up; a test that steps one worker at a time
 * thereby hits the one it means. None of this knows time: a freeze lasts until it is taken back.
 */
#ifndef VF_MEMORY_STORE_H
#define VF_MEMORY_STORE_H

#include "store.h"

struct vf_memory_server;
struct vf_memory_snapshot;

extern const struct vf_store_type vf_memory_store_type;

/* `name` may be NULL: then only vf_memory_store_open_on reaches it. A name must not be in use. */
struct vf_memory_server *vf_memory_server_new(const char *name);
void vf_memory_server_free(struct vf_memory_server *server); /* after its stores are closed; NULL is fine */

VF_MUSTCHECK enum vf_code vf_memory_store_open_on(struct vf_memory_server *server, struct vf_store **ret_store,
                                                  struct vf_error *error);

/* ---- faults ---- */

/* The n-th call from now (1: the next) fails: VF_E_UNAVAILABLE (a commit: VF_UNKNOWN) and nothing of it happens; its store
 * is unusable then. A commit counts once, when it is sent. 0: none. Calls are open and all that the seam has but close. */
void vf_memory_server_fail_call(struct vf_memory_server *server, unsigned n);

enum vf_memory_commit_fault {
    VF_MEMORY_NONE,
    VF_MEMORY_LOSE_BEFORE, /* VF_UNKNOWN; nothing happened, nor will it */
    VF_MEMORY_LOSE_AFTER,  /* VF_UNKNOWN; it happened, if its conditions held */
    VF_MEMORY_DELAY,       /* VF_UNKNOWN; the server keeps it: vf_memory_server_land */
    VF_MEMORY_AT_WAIT,     /* applied when the sender waits for it, not when he sends it: others may come in between */
    VF_MEMORY_REFUSE,      /* VF_REFUSED, VF_E_UNAVAILABLE, retriable ("full") */
};

/* What befalls the next commit that is sent; then it is VF_MEMORY_NONE again. */
void vf_memory_server_fault_commit(struct vf_memory_server *server, enum vf_memory_commit_fault fault);

/* The next prepare makes the registry's entry, and fails before the pointer. */
void vf_memory_server_break_prepare(struct vf_memory_server *server);

/* Every store that is open now fails its next call: the server was restarted, the network was gone. */
void vf_memory_server_cut_connections(struct vf_memory_server *server);

/* While it is down every call fails, open included. What was open then stays unusable. */
void vf_memory_server_set_down(struct vf_memory_server *server, bool down);

/* Like MongoDB: a thing that a commit consults gets a new stamp, and a record consulted as VF_CONSULT_OWN is not looked at
 * (off at first). The engine must get on with both. */
void vf_memory_server_set_touch(struct vf_memory_server *server, bool touch);

/* Without: a commit may ask for what the engine must never ask for, as the contract suite does, whose records are not of one
 * piece with their lists (checked at first). */
void vf_memory_server_set_checked(struct vf_memory_server *server, bool checked);

/* Commits of delayed calls that have not landed yet. `land` applies the i-th (oldest 0) under its conditions, as a late call
 * of a dead worker does, tells its outcome and forgets it; `forget` drops them all. */
size_t vf_memory_server_late_count(struct vf_memory_server *server);
enum vf_outcome vf_memory_server_land(struct vf_memory_server *server, size_t i);
void vf_memory_server_forget_late(struct vf_memory_server *server);

/* Everything that the server holds, now; and back again (a fail-over, a restored backup). Connections, orders and late calls
 * are not part of it. A snapshot may be restored many times. */
struct vf_memory_snapshot *vf_memory_server_snapshot(struct vf_memory_server *server);
void vf_memory_server_restore(struct vf_memory_server *server, const struct vf_memory_snapshot *snapshot);
void vf_memory_snapshot_free(struct vf_memory_snapshot *snapshot);
void vf_memory_server_wipe(struct vf_memory_server *server);

void vf_memory_server_set_frozen(struct vf_memory_server *server, struct vf_view view, bool frozen);

/* ---- looking ---- */

/* Called after a commit was applied, late ones too, before its sender learns of it and before any other call: on the thread
 * of the sender, with the server's lock held. It may call vf_memory_server_read and _snapshot. NULL: nobody looks. */
typedef void vf_memory_observer(void *self, const struct vf_commit *commit);
void vf_memory_server_observe(struct vf_memory_server *server, vf_memory_observer *observer, void *self);

/* Where a document is in an index. */
struct vf_memory_entry {
    const char *index; /* its name */
    struct vf_bytes id;
    struct vf_index_entry entry; /* `in` is true */
};

/* All of one generation, copied into the arena; documents by id, aggregates by name, rows by topic and partition, what is
 * set aside by list and place, entries by index and then in its order. */
struct vf_memory_contents {
    const struct vf_document *documents; /* husks too */
    size_t document_count;
    const struct vf_aggregate *aggregates;
    size_t aggregate_count;
    const struct vf_progress_row *rows;
    size_t row_count;
    const struct vf_aside *asides;
    size_t aside_count;
    const struct vf_memory_entry *entries;
    size_t entry_count;
    const struct vf_dropped *dropped; /* in the order of the decisions */
    size_t dropped_count;
};
void vf_memory_server_read(struct vf_memory_server *server, struct vf_view view, struct vf_arena *arena,
                           struct vf_memory_contents *ret_contents);

/* How many commits were applied since the server was made, late ones included. */
uint64_t vf_memory_server_commits(struct vf_memory_server *server);

#endif
