#include "connectors/memory/memory_internal.h"
#include "connectors/memory/memory_store.h"

#include <assert.h>
#include <stdlib.h>

struct vf_memory_snapshot {
    struct vf_memory_data data;
};

/* Servers that have a name. */
static pthread_mutex_t named_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vf_memory_server *named_servers;

struct vf_memory_server *vf_memory_server_new(const char *name)
{
    struct vf_memory_server *server = vf_calloc(1, sizeof(*server));
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&server->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    if (name) {
        server->name = vf_strdup(name);
        pthread_mutex_lock(&named_lock);
        for (const struct vf_memory_server *other = named_servers; other; other = other->next_named)
            assert(strcmp(other->name, name) != 0);
        server->next_named = named_servers;
        named_servers = server;
        pthread_mutex_unlock(&named_lock);
    }
    return server;
}

void vf_memory_server_free(struct vf_memory_server *server)
{
    if (!server)
        return;
    assert(server->open_stores == 0);
    if (server->name) {
        pthread_mutex_lock(&named_lock);
        struct vf_memory_server **link = &named_servers;
        while (*link != server)
            link = &(*link)->next_named;
        *link = server->next_named;
        pthread_mutex_unlock(&named_lock);
    }
    vf_memory_server_forget_late(server);
    vf_memory_data_done(&server->data);
    pthread_mutex_destroy(&server->lock);
    free(server->name);
    free(server);
}

struct vf_memory_server *vf_memory_server_named(const char *name)
{
    pthread_mutex_lock(&named_lock);
    struct vf_memory_server *server = named_servers;
    while (server && strcmp(server->name, name) != 0)
        server = server->next_named;
    pthread_mutex_unlock(&named_lock);
    return server;
}

/* ---- faults ---- */

void vf_memory_keep_late(struct vf_memory_server *server, const struct vf_commit *commit)
{
    struct vf_memory_late *late = vf_calloc(1, sizeof(*late));
    late->arena = vf_arena_new();
    late->commit = vf_memory_copy_commit(late->arena, commit);
    struct vf_memory_late **end = &server->late;
    while (*end)
        end = &(*end)->next;
    *end = late;
}

static void free_late(struct vf_memory_late *late)
{
    vf_arena_free(late->arena);
    free(late);
}

void vf_memory_server_fail_call(struct vf_memory_server *server, unsigned n)
{
    pthread_mutex_lock(&server->lock);
    server->fail_in = n;
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_fault_commit(struct vf_memory_server *server, enum vf_memory_commit_fault fault)
{
    pthread_mutex_lock(&server->lock);
    server->commit_fault = fault;
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_break_prepare(struct vf_memory_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->break_prepare = true;
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_cut_connections(struct vf_memory_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->connections++;
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_set_down(struct vf_memory_server *server, bool down)
{
    pthread_mutex_lock(&server->lock);
    if (down)
        server->connections++;
    server->down = down;
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_set_touch(struct vf_memory_server *server, bool touch)
{
    pthread_mutex_lock(&server->lock);
    server->touch = touch;
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_set_checked(struct vf_memory_server *server, bool checked)
{
    pthread_mutex_lock(&server->lock);
    server->unchecked = !checked;
    pthread_mutex_unlock(&server->lock);
}

size_t vf_memory_server_late_count(struct vf_memory_server *server)
{
    size_t count = 0;
    pthread_mutex_lock(&server->lock);
    for (const struct vf_memory_late *late = server->late; late; late = late->next)
        count++;
    pthread_mutex_unlock(&server->lock);
    return count;
}

enum vf_outcome vf_memory_server_land(struct vf_memory_server *server, size_t i)
{
    pthread_mutex_lock(&server->lock);
    struct vf_memory_late **link = &server->late;
    while (i-- > 0) {
        assert(*link);
        link = &(*link)->next;
    }
    struct vf_memory_late *late = *link;
    assert(late);
    *link = late->next;
    unsigned failed;
    enum vf_outcome outcome = vf_memory_apply(server, late->commit, &failed);
    free_late(late);
    pthread_mutex_unlock(&server->lock);
    return outcome;
}

void vf_memory_server_forget_late(struct vf_memory_server *server)
{
    pthread_mutex_lock(&server->lock);
    while (server->late) {
        struct vf_memory_late *late = server->late;
        server->late = late->next;
        free_late(late);
    }
    pthread_mutex_unlock(&server->lock);
}

struct vf_memory_snapshot *vf_memory_server_snapshot(struct vf_memory_server *server)
{
    struct vf_memory_snapshot *snapshot = vf_calloc(1, sizeof(*snapshot));
    pthread_mutex_lock(&server->lock);
    vf_memory_data_copy(&server->data, &snapshot->data);
    pthread_mutex_unlock(&server->lock);
    return snapshot;
}

void vf_memory_server_restore(struct vf_memory_server *server, const struct vf_memory_snapshot *snapshot)
{
    pthread_mutex_lock(&server->lock);
    vf_memory_data_done(&server->data);
    vf_memory_data_copy(&snapshot->data, &server->data);
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_snapshot_free(struct vf_memory_snapshot *snapshot)
{
    if (!snapshot)
        return;
    vf_memory_data_done(&snapshot->data);
    free(snapshot);
}

void vf_memory_server_wipe(struct vf_memory_server *server)
{
    pthread_mutex_lock(&server->lock);
    vf_memory_data_done(&server->data);
    pthread_mutex_unlock(&server->lock);
}

void vf_memory_server_set_frozen(struct vf_memory_server *server, struct vf_view view, bool frozen)
{
    pthread_mutex_lock(&server->lock);
    vf_memory_data_generation(&server->data, view, true)->frozen = frozen;
    pthread_mutex_unlock(&server->lock);
}

/* ---- looking ---- */

void vf_memory_server_observe(struct vf_memory_server *server, vf_memory_observer *observer, void *self)
{
    pthread_mutex_lock(&server->lock);
    server->observer = observer;
    server->observer_self = self;
    pthread_mutex_unlock(&server->lock);
}

uint64_t vf_memory_server_commits(struct vf_memory_server *server)
{
    pthread_mutex_lock(&server->lock);
    uint64_t commits = server->commits;
    pthread_mutex_unlock(&server->lock);
    return commits;
}

static int compare_documents(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_document *)a)->id, ((const struct vf_document *)b)->id);
}

static int compare_aggregates(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_aggregate *)a)->aggregate, ((const struct vf_aggregate *)b)->aggregate);
}

static int compare_rows(const void *a, const void *b)
{
    const struct vf_partition *left = &((const struct vf_progress_row *)a)->partition;
    const struct vf_partition *right = &((const struct vf_progress_row *)b)->partition;
    int order = strcmp(left->topic, right->topic);
    return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static int compare_asides(const void *a, const void *b)
{
    const struct vf_aside *left = a, *right = b;
    int order = vf_bytes_compare(left->list, right->list);
    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static void read_asides(const struct vf_memory_generation *generation, struct vf_arena *arena,
                        struct vf_memory_contents *contents)
{
    size_t count = 0;
    for (const struct vf_memory_list *list = generation->lists; list; list = list->hh.next)
        count += list->count;
    struct vf_aside *asides = vf_arena_calloc(arena, count, sizeof(*asides));
    for (const struct vf_memory_list *list = generation->lists; list; list = list->hh.next) {
        for (size_t i = 0; i < list->count; i++)
            vf_memory_copy_aside(arena, &list->asides[i], &asides[contents->aside_count++]);
    }
    qsort(asides, count, sizeof(*asides), compare_asides);
    contents->asides = asides;
}

static int compare_entries(const void *a, const void *b)
{
    const struct vf_memory_entry *left = a, *right = b;
    int order = strcmp(left->index, right->index);
    if (order == 0)
        order = vf_bytes_compare(left->entry.by, right->entry.by);
    return order ? order : vf_memory_compare_places(&left->entry.sort, left->id, &right->entry.sort, right->id);
}

static void read_entries(const struct vf_memory_generation *generation, struct vf_arena *arena,
                         struct vf_memory_contents *contents)
{
    size_t count = 0;
    for (const struct vf_memory_document *one = generation->documents; one; one = one->hh.next)
        count += one->entry_count;
    struct vf_memory_entry *entries = vf_arena_calloc(arena, count, sizeof(*entries));
    for (const struct vf_memory_document *one = generation->documents; one; one = one->hh.next) {
        for (size_t i = 0; i < one->entry_count; i++) {
            struct vf_memory_entry *entry = &entries[contents->entry_count++];
            entry->index = vf_memory_copy_text(arena, one->entries[i].index);
            entry->id = vf_memory_copy_bytes(arena, one->entries[i].id);
            vf_memory_copy_entry(arena, &one->entries[i].entry, &entry->entry);
        }
    }
    qsort(entries, count, sizeof(*entries), compare_entries);
    contents->entries = entries;
}

/* Rows whose progress and note are both gone stay in the table, and are not rows. */
static bool row_shows(const struct vf_memory_progress *item)
{
    return item->value.progress.exists || item->value.stopped;
}

struct vf_progress_row *vf_memory_copy_rows(struct vf_memory_generation *generation, struct vf_arena *arena,
                                            size_t *ret_count)
{
    size_t count = 0;
    struct vf_progress_row *rows = vf_arena_calloc(arena, HASH_COUNT(generation->progress), sizeof(*rows));
    for (struct vf_memory_progress *item = generation->progress; item; item = item->hh.next) {
        if (row_shows(item))
            vf_memory_copy_row(arena, &item->value, &rows[count++]);
    }
    *ret_count = count;
    return rows;
}

void vf_memory_server_read(struct vf_memory_server *server, struct vf_view view, struct vf_arena *arena,
                           struct vf_memory_contents *ret_contents)
{
    struct vf_memory_contents contents = {0};
    pthread_mutex_lock(&server->lock);
    struct vf_memory_generation *generation = vf_memory_data_generation(&server->data, view, false);
    if (generation) {
        struct vf_document *documents =
            vf_arena_calloc(arena, HASH_COUNT(generation->documents), sizeof(struct vf_document));
        for (struct vf_memory_document *one = generation->documents; one; one = one->hh.next)
            vf_memory_copy_document(arena, &one->value, &documents[contents.document_count++]);
        struct vf_aggregate *aggregates =
            vf_arena_calloc(arena, HASH_COUNT(generation->aggregates), sizeof(struct vf_aggregate));
        for (struct vf_memory_aggregate *one = generation->aggregates; one; one = one->hh.next)
            vf_memory_copy_aggregate(arena, &one->value, &aggregates[contents.aggregate_count++]);
        struct vf_progress_row *rows = vf_memory_copy_rows(generation, arena, &contents.row_count);
        qsort(documents, contents.document_count, sizeof(*documents), compare_documents);
        qsort(aggregates, contents.aggregate_count, sizeof(*aggregates), compare_aggregates);
        qsort(rows, contents.row_count, sizeof(*rows), compare_rows);
        read_asides(generation, arena, &contents);
        read_entries(generation, arena, &contents);
        struct vf_dropped *dropped = vf_arena_calloc(arena, generation->dropped_count, sizeof *dropped);
        for (size_t i = 0; i < generation->dropped_count; i++)
            vf_memory_copy_dropped(arena, &generation->dropped[i], &dropped[i]);
        contents.dropped = dropped;
        contents.dropped_count = generation->dropped_count;
        contents.documents = documents;
        contents.aggregates = aggregates;
        contents.rows = rows;
    }
    pthread_mutex_unlock(&server->lock);
    *ret_contents = contents;
}
