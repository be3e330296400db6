#include "connectors/memory/memory_store.h"

#include "connectors/memory/memory_check.h"
#include "connectors/memory/memory_internal.h"
#include "connectors/memory/memory_registry.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- the commit ---- */

static bool progress_holds(struct vf_memory_generation *generation, const struct vf_progress_change *change)
{
    static const struct vf_progress none = {0};
    const struct vf_memory_progress *item = vf_memory_find_progress(generation, change->partition, false);
    const struct vf_progress *held = item ? &item->value.progress : &none;
    if (!held->exists || !change->from.exists)
        return held->exists == change->from.exists;
    return vf_progress_equal(held, &change->from);
}

static bool document_holds(struct vf_memory_generation *generation, const struct vf_document_change *change)
{
    const struct vf_memory_document *held = vf_memory_find_document(generation, change->next.id);
    enum vf_presence presence = held ? held->value.presence : VF_ABSENT;
    /* GUARD memory-document-absent: what was absent and is there now, or the other way round, has changed */
    if (presence != change->base)
        return false;
    /* GUARD memory-document-stamp: what another commit has written has changed */
    if (held && held->value.stamp != change->base_stamp)
        return false;
    return true;
}

static bool aggregate_holds(struct vf_memory_generation *generation, const struct vf_aggregate_change *change)
{
    const struct vf_memory_aggregate *held = vf_memory_find_aggregate(generation, change->next.aggregate);
    /* GUARD memory-aggregate-absent: as for documents */
    if ((held != NULL) != change->base_exists)
        return false;
    /* GUARD memory-aggregate-stamp: as for documents */
    if (held && held->value.stamp != change->base_stamp)
        return false;
    return true;
}

/* The conditions on what the commit writes, or on what it only consulted: VF_FAILED_ bits. */
static unsigned check_changes(struct vf_memory_generation *generation, const struct vf_commit *commit, bool written,
                              bool leave_own)
{
    unsigned failed = 0;
    for (size_t i = 0; i < commit->document_count; i++) {
        if ((commit->documents[i].intent == VF_WRITE) == written && !document_holds(generation, &commit->documents[i]))
            failed |= VF_FAILED_DOCUMENT;
    }
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        if (leave_own && commit->aggregates[i].intent == VF_CONSULT_OWN)
            continue;
        if ((commit->aggregates[i].intent == VF_WRITE) == written &&
            !aggregate_holds(generation, &commit->aggregates[i]))
            failed |= VF_FAILED_AGGREGATE;
    }
    return failed;
}

static unsigned check_progress(struct vf_memory_generation *generation, const struct vf_commit *commit)
{
    unsigned failed = 0;
    for (size_t i = 0; i < commit->progress_count; i++) {
        /* GUARD memory-progress: another worker has dealt with these records, or the store went back */
        if (!progress_holds(generation, &commit->progress[i]))
            failed |= VF_FAILED_PROGRESS;
    }
    return failed;
}

static void write_progress(struct vf_memory_generation *generation, const struct vf_progress_change *change)
{
    if (!change->to.exists)
        return;
    struct vf_memory_progress *item = vf_memory_find_progress(generation, change->partition, true);
    bool moves = !item->value.progress.exists || !vf_progress_equal(&item->value.progress, &change->to);
    item->value.progress = change->to;
    if (moves) {
        free((void *)(uintptr_t)item->value.stopped);
        item->value.stopped = NULL;
    }
}

static void write_document(struct vf_memory_generation *generation, const struct vf_commit *commit,
                           const struct vf_document_change *change)
{
    if (change->next.presence == VF_ABSENT) {
        vf_memory_remove_document(generation, change->next.id);
        return;
    }
    struct vf_document next = change->next;
    next.stamp = commit->stamp;
    struct vf_memory_document *document = vf_memory_put_document(generation, &next);
    for (size_t i = 0; change->next_entries && i < commit->index_count; i++) {
        if (change->next_entries[i].in)
            vf_memory_add_entry(document, commit->indexes[i].name, &change->next_entries[i]);
    }
}

static void write_aggregate(struct vf_memory_generation *generation, const struct vf_commit *commit,
                            const struct vf_aggregate_change *change)
{
    if (!change->next.exists) {
        vf_memory_remove_aggregate(generation, change->next.aggregate);
        return;
    }
    struct vf_aggregate next = change->next;
    next.stamp = commit->stamp;
    vf_memory_put_aggregate(generation, &next);
}

static void write_all(struct vf_memory_generation *generation, const struct vf_commit *commit, bool touch)
{
    for (size_t i = 0; i < commit->document_count; i++) {
        const struct vf_document_change *change = &commit->documents[i];
        struct vf_memory_document *held = vf_memory_find_document(generation, change->next.id);
        if (change->intent == VF_WRITE) {
            write_document(generation, commit, change);
        } else if (held && touch) {
            held->value.stamp = commit->stamp;
        }
    }
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate_change *change = &commit->aggregates[i];
        struct vf_memory_aggregate *held = vf_memory_find_aggregate(generation, change->next.aggregate);
        if (change->intent == VF_WRITE) {
            write_aggregate(generation, commit, change);
        } else if (held && touch && change->intent == VF_CONSULT) {
            held->value.stamp = commit->stamp;
        }
    }
    for (size_t i = 0; i < commit->taken_count; i++)
        vf_memory_take_aside(generation, commit->taken[i].list, commit->taken[i].place);
    for (size_t i = 0; i < commit->aside_count; i++)
        vf_memory_add_aside(generation, &commit->asides[i]);
    for (size_t i = 0; i < commit->dropped_count; i++)
        vf_memory_add_dropped(generation, &commit->dropped[i]);
    for (size_t i = 0; i < commit->progress_count; i++)
        write_progress(generation, &commit->progress[i]);
}

enum vf_outcome vf_memory_apply(struct vf_memory_server *server, const struct vf_commit *commit, unsigned *ret_failed)
{
    struct vf_memory_generation *generation = vf_memory_by_stamp(&server->data, commit->view, commit->generation_stamp);
    *ret_failed = 0;
    if (!generation)
        return VF_SUPERSEDED;
    /* GUARD memory-frozen: while readers are switched nothing of this generation changes */
    if (generation->frozen)
        return VF_FROZEN;
    unsigned failed = check_progress(generation, commit);
    failed |= check_changes(generation, commit, true, server->touch);
    /* GUARD memory-consulted: a decision rests on what was only looked at too */
    failed |= check_changes(generation, commit, false, server->touch);
    *ret_failed = failed;
    /* GUARD memory-all-or-nothing: all conditions come before the first write */
    if (failed != 0)
        return VF_CONFLICT;
    if (!server->unchecked)
        vf_memory_check_before(generation, commit);
    write_all(generation, commit, server->touch);
    if (!server->unchecked)
        vf_memory_check_after(generation, commit);
    server->commits++;
    if (server->observer)
        server->observer(server->observer_self, commit);
    return VF_COMMITTED;
}

/* ---- calls ---- */

/* Whether this call gets through to the server, which is locked. On failure the store is unusable from now on. */
enum vf_code vf_memory_begin_call(struct vf_store *store, const char *what, struct vf_error *error)
{
    struct vf_memory_server *server = store->server;
    bool fails = server->fail_in > 0 && --server->fail_in == 0;
    if (fails || server->down || store->connection != server->connections)
        store->broken = true;
    if (!store->broken)
        return VF_OK;
    return vf_fail_retriable(error, VF_E_UNAVAILABLE, "memory store %s: %s: the connection is gone",
                             server->name ? server->name : "(no name)", what);
}

enum vf_code vf_memory_store_open_on(struct vf_memory_server *server, struct vf_store **ret_store,
                                     struct vf_error *error)
{
    struct vf_store *store = vf_calloc(1, sizeof(*store));
    pthread_mutex_lock(&server->lock);
    store->server = server;
    store->connection = server->connections;
    enum vf_code code = vf_memory_begin_call(store, "open", error);
    if (code == VF_OK) {
        server->open_stores++;
        *ret_store = store;
    } else {
        free(store);
    }
    pthread_mutex_unlock(&server->lock);
    return code;
}

static enum vf_code store_open(const struct vf_store_config *config, struct vf_store **ret_store,
                               struct vf_error *error)
{
    static const char scheme[] = "memory:";
    if (!config->url || strncmp(config->url, scheme, strlen(scheme)) != 0)
        return vf_fail(error, VF_E_CONFIG, "store %s: a memory store's URL is memory:NAME", config->name);
    const char *name = config->url + strlen(scheme);
    struct vf_memory_server *server = vf_memory_server_named(name);
    if (!server)
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "store %s: there is no memory server %s", config->name, name);
    return vf_memory_store_open_on(server, ret_store, error);
}

static void store_close(struct vf_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->server->lock);
    store->server->open_stores--;
    pthread_mutex_unlock(&store->server->lock);
    free(store);
}

static enum vf_code prepare_locked(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                                   struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_created,
                                   struct vf_error *error)
{
    struct vf_memory_server *server = store->server;
    struct vf_memory_generation *generation;
    bool created;
    enum vf_code code = vf_memory_make(&server->data, view, proposed, &generation, &created, error);
    if (code)
        return code;
    if (server->break_prepare) {
        server->break_prepare = false;
        store->broken = true;
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "memory store: prepare: the connection broke half-way");
    }
    bool active = strcmp(generation->entry.state, VF_GENERATION_ACTIVE) == 0;
    if (active && !vf_memory_data_pointer(&server->data, view, false))
        vf_memory_data_pointer(&server->data, view, true)->active = 1;
    vf_memory_copy_generation(arena, &generation->entry, ret_generation);
    *ret_created = created;
    return VF_OK;
}

static enum vf_code store_prepare(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                                  struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_created,
                                  struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "prepare", error);
    if (code == VF_OK)
        code = prepare_locked(store, view, proposed, arena, ret_generation, ret_created, error);
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_generation(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                     struct vf_generation *ret_generation, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "generation", error);
    if (code == VF_OK) {
        const struct vf_memory_generation *generation = vf_memory_data_generation(&store->server->data, view, false);
        if (generation && generation->registered)
            vf_memory_copy_generation(arena, &generation->entry, ret_generation);
        else
            code = vf_fail(error, VF_E_NOT_FOUND, "view %s has no generation %d", view.name, view.generation);
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_generation_stamp(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp,
                                           bool *ret_there, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "generation stamp", error);
    if (code == VF_OK) {
        const struct vf_memory_generation *generation = vf_memory_data_generation(&store->server->data, view, false);
        *ret_there = generation && generation->registered;
        *ret_stamp = *ret_there ? generation->entry.stamp : 0;
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_generations(struct vf_store *store, const char *view, struct vf_arena *arena,
                                      struct vf_generation **ret_generations, size_t *ret_count, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "generations", error);
    if (code == VF_OK)
        vf_memory_list(&store->server->data, view, arena, ret_generations, ret_count);
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_adopt(struct vf_store *store, struct vf_view view, uint64_t base_stamp,
                                const struct vf_generation *next, bool *ret_done, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "adopt", error);
    if (code == VF_OK) {
        struct vf_memory_generation *generation = vf_memory_data_generation(&store->server->data, view, false);
        *ret_done = generation && generation->registered && vf_memory_adopt(generation, base_stamp, next);
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_drop_begin(struct vf_store *store, struct vf_view view, uint64_t base_stamp, uint64_t stamp,
                                     bool *ret_done, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "drop", error);
    if (code == VF_OK)
        *ret_done = vf_memory_drop_begin(&store->server->data, view, base_stamp, stamp);
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_drop_more(struct vf_store *store, struct vf_view view, uint64_t stamp, int64_t now_ms,
                                    enum vf_drop *ret_drop, size_t *ret_removed, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "drop", error);
    if (code == VF_OK)
        *ret_drop = vf_memory_drop_more(&store->server->data, view, stamp, now_ms, ret_removed);
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_state(struct vf_store *store, const char *view, struct vf_view_state *ret_state,
                                struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "state", error);
    if (code == VF_OK) {
        struct vf_memory_data *data = &store->server->data;
        const struct vf_memory_pointer *pointer = vf_memory_data_pointer(data, view, false);
        struct vf_view_state state = {.active = pointer ? pointer->active : 0};
        const struct vf_memory_generation *generation =
            vf_memory_data_generation(data, (struct vf_view){view, state.active}, false);
        state.frozen = generation && generation->frozen;
        *ret_state = state;
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_load(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids, size_t id_count,
                               const struct vf_bytes *aggregates, size_t aggregate_count, struct vf_arena *arena,
                               struct vf_document *ret_documents, struct vf_aggregate *ret_aggregates,
                               struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "load", error);
    struct vf_memory_generation *generation = vf_memory_data_generation(&store->server->data, view, false);
    for (size_t i = 0; code == VF_OK && i < id_count; i++) {
        const struct vf_memory_document *held = generation ? vf_memory_find_document(generation, ids[i]) : NULL;
        if (held)
            vf_memory_copy_document(arena, &held->value, &ret_documents[i]);
        else
            ret_documents[i] = (struct vf_document){.id = ids[i], .presence = VF_ABSENT};
    }
    for (size_t i = 0; code == VF_OK && i < aggregate_count; i++) {
        const struct vf_memory_aggregate *held =
            generation ? vf_memory_find_aggregate(generation, aggregates[i]) : NULL;
        if (held)
            vf_memory_copy_aggregate(arena, &held->value, &ret_aggregates[i]);
        else
            ret_aggregates[i] = (struct vf_aggregate){.aggregate = aggregates[i]};
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_progress(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                   struct vf_progress_row **ret_rows, size_t *ret_count, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "progress", error);
    if (code == VF_OK) {
        struct vf_memory_generation *generation = vf_memory_data_generation(&store->server->data, view, false);
        *ret_count = 0;
        *ret_rows = generation ? vf_memory_copy_rows(generation, arena, ret_count) : NULL;
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static void finish_commit(struct vf_store *store, const struct vf_commit *commit)
{
    store->result.outcome = vf_memory_apply(store->server, commit, &store->result.failed);
}

static void lose_reply(struct vf_store *store)
{
    store->broken = true;
    store->result.outcome = VF_UNKNOWN;
    store->result.failed = 0;
    vf_fail_retriable(&store->result.error, VF_E_UNAVAILABLE, "memory store: commit: the reply was lost");
}

static void store_commit_send(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_memory_server *server = store->server;
    assert(!store->in_flight);
    /* GUARD memory-lock: nobody writes between a commit's conditions and its writes */
    pthread_mutex_lock(&server->lock);
    store->in_flight = true;
    store->sent = NULL;
    store->result = (struct vf_commit_result){.outcome = VF_UNKNOWN};
    if (vf_memory_begin_call(store, "commit", &store->result.error) == VF_OK) {
        enum vf_memory_commit_fault fault = server->commit_fault;
        server->commit_fault = VF_MEMORY_NONE;
        if (fault == VF_MEMORY_NONE || fault == VF_MEMORY_LOSE_AFTER)
            finish_commit(store, commit);
        if (fault == VF_MEMORY_AT_WAIT)
            store->sent = commit;
        if (fault == VF_MEMORY_DELAY)
            vf_memory_keep_late(server, commit);
        if (fault == VF_MEMORY_LOSE_BEFORE || fault == VF_MEMORY_LOSE_AFTER || fault == VF_MEMORY_DELAY)
            lose_reply(store);
        if (fault == VF_MEMORY_REFUSE) {
            store->result.outcome = VF_REFUSED;
            vf_fail_retriable(&store->result.error, VF_E_UNAVAILABLE, "memory store: commit: the server is full");
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static void store_commit_wait(struct vf_store *store, struct vf_commit_result *ret_result)
{
    assert(store->in_flight);
    pthread_mutex_lock(&store->server->lock);
    if (store->sent) {
        if (store->connection == store->server->connections && !store->server->down)
            finish_commit(store, store->sent);
        else
            lose_reply(store);
    }
    pthread_mutex_unlock(&store->server->lock);
    store->sent = NULL;
    store->in_flight = false;
    *ret_result = store->result;
}

static enum vf_code store_note_stopped(struct vf_store *store, struct vf_view view, uint64_t generation_stamp,
                                       struct vf_partition partition, const char *reason, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "note", error);
    struct vf_memory_generation *generation = vf_memory_by_stamp(&store->server->data, view, generation_stamp);
    if (code == VF_OK && generation) {
        struct vf_memory_progress *item = vf_memory_find_progress(generation, partition, true);
        free((void *)(uintptr_t)item->value.stopped);
        item->value.stopped = vf_memory_copy_text(NULL, reason);
    }
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

static enum vf_code store_freeze(struct vf_store *store, struct vf_view view, const struct vf_partition *partitions,
                                 size_t partition_count, int64_t duration_ms, struct vf_error *error)
{
    (void)partitions;
    (void)partition_count;
    pthread_mutex_lock(&store->server->lock);
    enum vf_code code = vf_memory_begin_call(store, "freeze", error);
    if (code == VF_OK)
        vf_memory_data_generation(&store->server->data, view, true)->frozen = duration_ms > 0;
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

const struct vf_store_type vf_memory_store_type = {
    .name = "memory",
    .open = store_open,
    .close = store_close,
    .prepare = store_prepare,
    .generation = store_generation,
    .generation_stamp = store_generation_stamp,
    .generations = store_generations,
    .adopt = store_adopt,
    .drop_begin = store_drop_begin,
    .drop_more = store_drop_more,
    .state = store_state,
    .load = store_load,
    .progress = store_progress,
    .commit_send = store_commit_send,
    .commit_wait = store_commit_wait,
    .note_stopped = store_note_stopped,
    .freeze = store_freeze,
    .aside_load = vf_memory_aside_load,
    .aside_total = vf_memory_aside_total,
    .aside_at = vf_memory_aside_at,
    .draining = vf_memory_draining,
    .aside_aggregates = vf_memory_aside_aggregates,
    .aside_counts = vf_memory_aside_counts,
    .dropped = vf_memory_dropped,
    .due = vf_memory_due,
    .find = vf_memory_find,
};
