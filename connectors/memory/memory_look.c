#include "connectors/memory/memory_internal.h"

#include <stdlib.h>

/* Begins a call that only looks: the server's lock is held when it comes back, whatever it says. The generation is NULL where
 * there is none. */
static enum vf_code begin(struct vf_store *store, struct vf_view view, const char *what,
                          struct vf_memory_generation **ret_generation, struct vf_error *error)
{
    pthread_mutex_lock(&store->server->lock);
    *ret_generation = vf_memory_data_generation(&store->server->data, view, false);
    return vf_memory_begin_call(store, what, error);
}

static enum vf_code end(struct vf_store *store, enum vf_code code)
{
    pthread_mutex_unlock(&store->server->lock);
    return code;
}

/* ---- what is set aside ---- */

static size_t copy_part(const struct vf_memory_list *list, int64_t place, size_t most, size_t bytes_max,
                        struct vf_arena *arena, struct vf_aside *asides)
{
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < list->count && count < most; i++) {
        if (list->asides[i].place < place)
            continue;
        if (count > 0 && bytes + list->asides[i].record.size > bytes_max)
            break;
        bytes += list->asides[i].record.size;
        vf_memory_copy_aside(arena, &list->asides[i], &asides[count++]);
    }
    return count;
}

enum vf_code vf_memory_aside_load(struct vf_store *store, struct vf_view view, struct vf_bytes list, int64_t place,
                                  size_t count, size_t bytes_max, struct vf_arena *arena, struct vf_aside **ret_asides,
                                  size_t *ret_count, struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "aside load", &generation, error);
    const struct vf_memory_list *found = generation ? vf_memory_find_list(generation, list) : NULL;
    if (code == VF_OK) {
        size_t most = found && found->count < count ? found->count : count;
        *ret_asides = found ? vf_arena_calloc(arena, most, sizeof(**ret_asides)) : NULL;
        *ret_count = found ? copy_part(found, place, most, bytes_max, arena, *ret_asides) : 0;
    }
    return end(store, code);
}

static bool is_of(const struct vf_aside *aside, struct vf_partition partition)
{
    return aside->partition.partition == partition.partition && strcmp(aside->partition.topic, partition.topic) == 0;
}

enum vf_code vf_memory_aside_total(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                   struct vf_aside_total *ret_total, struct vf_error *error)
{
    struct vf_memory_generation *generation;
    struct vf_aside_total total = {0};
    enum vf_code code = begin(store, view, "aside total", &generation, error);
    for (const struct vf_memory_list *list = generation ? generation->lists : NULL; list; list = list->hh.next) {
        for (size_t i = 0; i < list->count; i++) {
            if (!is_of(&list->asides[i], partition))
                continue;
            total.count++;
            total.bytes += (int64_t)list->asides[i].record.size;
        }
    }
    if (code == VF_OK)
        *ret_total = total;
    return end(store, code);
}

enum vf_code vf_memory_aside_at(struct vf_store *store, struct vf_view view, struct vf_partition partition,
                                int64_t offset, struct vf_arena *arena, bool *ret_there, struct vf_bytes *ret_list,
                                struct vf_error *error)
{
    struct vf_memory_generation *generation;
    const struct vf_memory_list *found = NULL;
    enum vf_code code = begin(store, view, "aside at", &generation, error);
    for (const struct vf_memory_list *list = generation ? generation->lists : NULL; list; list = list->hh.next) {
        for (size_t i = 0; i < list->count; i++) {
            if (list->asides[i].offset == offset && is_of(&list->asides[i], partition))
                found = list;
        }
    }
    if (code == VF_OK) {
        *ret_there = found != NULL;
        if (found)
            *ret_list = vf_memory_copy_bytes(arena, found->list);
    }
    return end(store, code);
}

enum vf_code vf_memory_draining(struct vf_store *store, struct vf_view view, size_t most, struct vf_arena *arena,
                                struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "draining", &generation, error);
    size_t all = generation ? HASH_COUNT(generation->aggregates) : 0, count = 0;
    struct vf_bytes *aggregates = vf_arena_calloc(arena, most < all ? most : all, sizeof(*aggregates));
    const struct vf_memory_aggregate *one = generation ? generation->aggregates : NULL;
    for (; one && count < most; one = one->hh.next) {
        if (one->value.draining)
            aggregates[count++] = vf_memory_copy_bytes(arena, one->value.aggregate);
    }
    if (code == VF_OK) {
        *ret_aggregates = aggregates;
        *ret_count = count;
    }
    return end(store, code);
}

static int compare_names(const void *a, const void *b)
{
    return vf_bytes_compare(*(const struct vf_bytes *)a, *(const struct vf_bytes *)b);
}

enum vf_code vf_memory_aside_aggregates(struct vf_store *store, struct vf_view view, enum vf_aside_state state,
                                        struct vf_bytes after, size_t most, struct vf_arena *arena,
                                        struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "aside aggregates", &generation, error);
    size_t all = generation ? HASH_COUNT(generation->aggregates) : 0, count = 0;
    struct vf_bytes *names = vf_arena_calloc(arena, all, sizeof(*names));
    for (const struct vf_memory_aggregate *one = all ? generation->aggregates : NULL; one; one = one->hh.next) {
        if (one->value.state == state && vf_bytes_compare(one->value.aggregate, after) > 0)
            names[count++] = vf_memory_copy_bytes(arena, one->value.aggregate);
    }
    qsort(names, count, sizeof(*names), compare_names);
    if (code == VF_OK) {
        *ret_aggregates = names;
        *ret_count = count < most ? count : most;
    }
    return end(store, code);
}

enum vf_code vf_memory_aside_counts(struct vf_store *store, struct vf_view view, int64_t ret_counts[VF_ASIDE_STATES],
                                    struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "aside counts", &generation, error);
    if (code == VF_OK)
        memset(ret_counts, 0, VF_ASIDE_STATES * sizeof(*ret_counts));
    const struct vf_memory_aggregate *one = code == VF_OK && generation ? generation->aggregates : NULL;
    for (; one; one = one->hh.next) {
        if (one->value.state != VF_ASIDE_NONE)
            ret_counts[one->value.state]++;
    }
    return end(store, code);
}

enum vf_code vf_memory_dropped(struct vf_store *store, struct vf_view view, size_t first, size_t most,
                               struct vf_arena *arena, struct vf_dropped **ret_dropped, size_t *ret_count,
                               struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "dropped", &generation, error);
    if (code == VF_OK) {
        size_t all = generation ? generation->dropped_count : 0;
        size_t count = first >= all ? 0 : all - first < most ? all - first : most;
        *ret_dropped = vf_arena_calloc(arena, count, sizeof(**ret_dropped));
        *ret_count = count;
        for (size_t i = 0; i < count; i++)
            vf_memory_copy_dropped(arena, &generation->dropped[first + i], &(*ret_dropped)[i]);
    }
    return end(store, code);
}

/* ---- what is due ---- */

struct due_document {
    int64_t when_ms;
    struct vf_bytes id;
};

static int compare_due(const void *a, const void *b)
{
    const struct due_document *left = a, *right = b;
    int order = (left->when_ms > right->when_ms) - (left->when_ms < right->when_ms);
    return order ? order : vf_bytes_compare(left->id, right->id);
}

static bool is_due(const struct vf_document *document, enum vf_due due, int64_t limit_ms, int64_t *ret_when_ms)
{
    bool gone = document->presence == VF_HUSK_DELETED || document->presence == VF_HUSK_EXPIRED;
    *ret_when_ms = due == VF_DUE_EXPIRED ? document->expires_ms : document->since_ms;
    return gone == (due == VF_DUE_HUSK) && (gone || document->has_expires) && *ret_when_ms <= limit_ms;
}

enum vf_code vf_memory_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms, size_t most,
                           struct vf_arena *arena, struct vf_bytes **ret_ids, size_t *ret_count, struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "due", &generation, error);
    size_t all = generation ? HASH_COUNT(generation->documents) : 0, count = 0;
    struct due_document *found = vf_arena_calloc(arena, all, sizeof(*found));
    for (const struct vf_memory_document *one = all ? generation->documents : NULL; one; one = one->hh.next) {
        if (is_due(&one->value, due, limit_ms, &found[count].when_ms))
            found[count++].id = one->value.id;
    }
    qsort(found, count, sizeof(*found), compare_due);
    if (count > most)
        count = most;
    if (code == VF_OK) {
        *ret_ids = vf_arena_calloc(arena, count, sizeof(**ret_ids));
        for (size_t i = 0; i < count; i++)
            (*ret_ids)[i] = vf_memory_copy_bytes(arena, found[i].id);
        *ret_count = count;
    }
    return end(store, code);
}

/* ---- indexes ---- */

int vf_memory_compare_places(const struct vf_sort *a, struct vf_bytes a_id, const struct vf_sort *b,
                             struct vf_bytes b_id)
{
    int order = (a->kind > b->kind) - (a->kind < b->kind);
    if (order == 0)
        order = vf_sort_compare(a, b);
    return order ? order : vf_bytes_compare(a_id, b_id);
}

static bool is_within(const struct vf_find *find, const struct vf_sort *sort)
{
    if (find->has_from && (find->from.kind != sort->kind || vf_sort_compare(sort, &find->from) < 0))
        return false;
    return !find->has_to || (find->to.kind == sort->kind && vf_sort_compare(sort, &find->to) <= 0);
}

static bool is_meant(const struct vf_find *find, const struct vf_memory_entry *entry)
{
    if (strcmp(entry->index, find->index->name) != 0 || !is_within(find, &entry->entry.sort))
        return false;
    if (find->index->by && !vf_bytes_equal(entry->entry.by, find->by))
        return false;
    if (!find->has_after)
        return true;
    int order = vf_memory_compare_places(&entry->entry.sort, entry->id, &find->after, find->after_id);
    return find->reverse ? order < 0 : order > 0;
}

static int compare_found(const void *a, const void *b)
{
    const struct vf_found *left = a, *right = b;
    return vf_memory_compare_places(&left->sort, left->id, &right->sort, right->id);
}

static int compare_found_reversed(const void *a, const void *b)
{
    return compare_found(b, a);
}

enum vf_code vf_memory_find(struct vf_store *store, struct vf_view view, const struct vf_find *find,
                            struct vf_arena *arena, struct vf_found **ret_found, size_t *ret_count,
                            struct vf_error *error)
{
    struct vf_memory_generation *generation;
    enum vf_code code = begin(store, view, "find", &generation, error);
    size_t all = generation ? HASH_COUNT(generation->documents) : 0, count = 0;
    struct vf_found *found = vf_arena_calloc(arena, all, sizeof(*found));
    for (const struct vf_memory_document *one = all ? generation->documents : NULL; one; one = one->hh.next) {
        for (size_t i = 0; i < one->entry_count; i++) {
            if (!is_meant(find, &one->entries[i]))
                continue;
            struct vf_index_entry copy;
            vf_memory_copy_entry(arena, &one->entries[i].entry, &copy);
            found[count++] = (struct vf_found){vf_memory_copy_bytes(arena, one->entries[i].id), copy.sort};
        }
    }
    qsort(found, count, sizeof(*found), find->reverse ? compare_found_reversed : compare_found);
    if (code == VF_OK) {
        *ret_found = found;
        *ret_count = count < find->limit ? count : find->limit;
    }
    return end(store, code);
}
