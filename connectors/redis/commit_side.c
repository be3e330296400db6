/*
 * What a commit changes beside documents and records: sorted sets of indexes, of what is due and of records by state, lists of
 * events that are set aside, and what was dropped (library_side.lua). All changes are collected, sorted by key, and sent as one group a key. A plain batch has none, and
 * pays for a look at each of its changes.
 */
#include "connectors/redis/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Up to here a double tells all integers apart. */
#define EXACT_MAX 9007199254740992

/* As library_side.lua has them. */
enum side_kind { SIDE_SET = 1, SIDE_LIST, SIDE_PARTITION, SIDE_BYTES, SIDE_DROPS };
#define SHAPE_BYTES 12

struct vf_redis_side_change {
    enum side_kind kind;
    bool comes;
    struct vf_bytes key;
    double score;
    int64_t position;           /* a place or an offset; of what was dropped, its place among the commit's */
    struct vf_bytes head, tail; /* together a sorted set's member; of an event that leaves a partition, its list */
};

struct vf_redis_side_group {
    enum side_kind kind;
    struct vf_bytes key;
    size_t from, leave, come; /* of the changes; of SIDE_BYTES, of the groups */
    size_t runs;              /* of a list: runs of places that leave; otherwise as `leave` */
};

void vf_redis_side_done(struct vf_redis_side *side)
{
    free(side->changes);
    free(side->groups);
    vf_arena_free(side->arena);
}

/* --- collecting -------------------------------------------------------------------------------------------------- */

static struct vf_redis_side_change *add_change(struct vf_redis_side *side, enum side_kind kind, struct vf_bytes key,
                                               bool comes, struct vf_bytes tail)
{
    if (side->count == side->size) {
        side->size = side->size ? 2 * side->size : 64;
        side->changes = vf_realloc(side->changes, side->size * sizeof(*side->changes));
    }
    struct vf_redis_side_change *change = &side->changes[side->count++];
    *change = (struct vf_redis_side_change){.kind = kind, .comes = comes, .key = key, .tail = tail};
    return change;
}

/* Into or out of one of the lists of what is due. */
static void collect_due(struct vf_redis_side *side, struct vf_bytes key, bool was, bool is, int64_t when_ms,
                        struct vf_bytes id)
{
    if (is)
        add_change(side, SIDE_SET, key, true, id)->score = (double)when_ms;
    /* GUARD redis-due-leave: the sweep takes again and again what is gone, or lives on */
    else if (was)
        (void)add_change(side, SIDE_SET, key, false, id);
}

static struct vf_bytes join(struct vf_arena *arena, struct vf_bytes head, struct vf_bytes tail)
{
    char *text = vf_arena_alloc(arena, head.size + tail.size + 1);
    if (head.size)
        memcpy(text, head.data, head.size);
    if (tail.size)
        memcpy(text + head.size, tail.data, tail.size);
    return vf_bytes(text, head.size + tail.size);
}

/* `head` is the key, or with `by` what stands before the value. */
static void add_entry(struct vf_redis_side *side, const struct vf_index *index, struct vf_bytes head, bool comes,
                      const struct vf_index_entry *entry, struct vf_bytes id)
{
    struct vf_bytes key = index->by ? join(side->arena, head, entry->by) : head;
    struct vf_redis_side_change *change = add_change(side, SIDE_SET, key, comes, id);
    /* Texts are in the order of members at one score, so they stand before the id, with a NUL between. */
    if (entry->sort.kind == VF_SORT_STRING)
        change->head = join(side->arena, entry->sort.text, vf_bytes("", 1));
    else if (entry->sort.kind != VF_SORT_NONE)
        change->score = entry->sort.number;
}

/* The same member of the same set, perhaps with another score. */
static bool same_member(const struct vf_index_entry *a, const struct vf_index_entry *b)
{
    if (!a->in || !b->in || !vf_bytes_equal(a->by, b->by))
        return false;
    if (a->sort.kind != VF_SORT_STRING && b->sort.kind != VF_SORT_STRING)
        return true;
    return a->sort.kind == b->sort.kind && vf_bytes_equal(a->sort.text, b->sort.text);
}

static void collect_entries(struct vf_redis_side *side, const struct vf_commit *commit, const struct vf_bytes *heads,
                            const struct vf_document_change *change)
{
    static const struct vf_index_entry none = {.in = false};
    for (size_t i = 0; i < commit->index_count; i++) {
        const struct vf_index_entry *base = change->base_entries ? &change->base_entries[i] : &none;
        const struct vf_index_entry *next = change->next_entries ? &change->next_entries[i] : &none;
        if (vf_index_entry_equal(base, next))
            continue;
        /* GUARD redis-index-leave: a document is found by what it has been */
        if (base->in && !same_member(base, next))
            add_entry(side, &commit->indexes[i], heads[i], false, base, change->next.id);
        if (next->in)
            add_entry(side, &commit->indexes[i], heads[i], true, next, change->next.id);
    }
}

static void collect_documents(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_redis_side *side = &store->commit_side;
    struct vf_bytes *heads = vf_arena_calloc(side->arena, commit->index_count, sizeof(*heads));
    for (size_t i = 0; i < commit->index_count; i++)
        heads[i] = vf_redis_keys_index(&store->keys, commit->view.generation, &commit->indexes[i], side->arena);
    for (size_t i = 0; i < commit->document_count; i++) {
        const struct vf_document_change *change = &commit->documents[i];
        const struct vf_document *next = &change->next;
        if (change->intent != VF_WRITE)
            continue;
        bool expires = next->has_expires && (next->presence == VF_PRESENT || next->presence == VF_HUSK_NEW);
        collect_due(side, store->keys.expires, change->base_has_expires, expires, next->expires_ms, next->id);
        bool gone = next->presence == VF_HUSK_DELETED || next->presence == VF_HUSK_EXPIRED;
        collect_due(side, store->keys.husks, change->base_has_since, gone, next->since_ms, next->id);
        collect_entries(side, commit, heads, change);
    }
}

static enum vf_code collect_aside(struct vf_store *store, const struct vf_aside *event, bool comes,
                                  struct vf_error *error)
{
    struct vf_redis_side *side = &store->commit_side;
    if (event->place < 0 || event->offset < 0)
        return vf_fail(error, VF_E_BUG, "%s: no event can be set aside at place %" PRId64 ", offset %" PRId64,
                       store->label, event->place, event->offset);
    struct vf_bytes list = join(side->arena, store->keys.aside, event->list);
    struct vf_redis_side_change *change = add_change(side, SIDE_LIST, list, comes, event->record);
    change->position = event->place;
    if (comes)
        change->head = vf_redis_aside_head(event, side->arena);
    struct vf_bytes partition = vf_redis_keys_partition(&store->keys, event->partition, side->arena);
    change = add_change(side, SIDE_PARTITION, partition, comes, event->list);
    change->position = event->offset;
    if (comes)
        change->head = vf_arena_printf(side->arena, "%019" PRId64 " %zu ", event->offset, event->record.size);
    return VF_OK;
}

/* The lists of records to go on with, and of those in each state. */
static void collect_aggregates(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_redis_side *side = &store->commit_side;
    const struct vf_redis_keys *keys = &store->keys;
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate_change *change = &commit->aggregates[i];
        const struct vf_aggregate *next = &change->next;
        if (change->intent != VF_WRITE)
            continue;
        bool draining = next->exists && next->draining;
        /* GUARD redis-draining-leave: a record that is drained no more is gone on with for ever */
        if (draining != change->base_draining)
            (void)add_change(side, SIDE_SET, keys->draining, draining, next->aggregate);
        enum vf_aside_state state = next->exists ? next->state : VF_ASIDE_NONE;
        if (state == change->base_state)
            continue;
        /* GUARD redis-state-leave: an aggregate is listed as what it was before */
        if (change->base_state != VF_ASIDE_NONE)
            (void)add_change(side, SIDE_SET, keys->states[change->base_state], false, next->aggregate);
        if (state != VF_ASIDE_NONE)
            (void)add_change(side, SIDE_SET, keys->states[state], true, next->aggregate);
    }
}

static void collect_dropped(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_redis_side *side = &store->commit_side;
    for (size_t i = 0; i < commit->dropped_count; i++) {
        struct vf_bytes text = vf_redis_dropped_text(&commit->dropped[i], side->arena);
        add_change(side, SIDE_DROPS, store->keys.drops, true, text)->position = (int64_t)i;
    }
}

/* --- grouping ---------------------------------------------------------------------------------------------------- */

static int in_order(const void *left, const void *right)
{
    const struct vf_redis_side_change *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = a->key.data == b->key.data ? 0 : vf_bytes_compare(a->key, b->key);
    if (order == 0)
        order = (int)a->comes - (int)b->comes;
    return order ? order : (a->position > b->position) - (a->position < b->position);
}

static struct vf_redis_side_group *add_group(struct vf_redis_side *side, enum side_kind kind, struct vf_bytes key,
                                             size_t from)
{
    if (side->group_count == side->groups_size) {
        side->groups_size = side->groups_size ? 2 * side->groups_size : 16;
        side->groups = vf_realloc(side->groups, side->groups_size * sizeof(*side->groups));
    }
    struct vf_redis_side_group *group = &side->groups[side->group_count++];
    *group = (struct vf_redis_side_group){.kind = kind, .key = key, .from = from};
    return group;
}

static bool same_key(const struct vf_redis_side_change *a, const struct vf_redis_side_change *b)
{
    return a->kind == b->kind && (a->key.data == b->key.data || vf_bytes_equal(a->key, b->key));
}

/* The changes of one kind, a group a key. */
static enum vf_code group_changes(struct vf_store *store, size_t *at, enum side_kind last_kind, struct vf_error *error)
{
    struct vf_redis_side *side = &store->commit_side;
    struct vf_redis_side_group *group = NULL;
    for (; *at < side->count && side->changes[*at].kind <= last_kind; ++*at) {
        const struct vf_redis_side_change *change = &side->changes[*at], *before = change - 1;
        bool first = !group || !same_key(before, change);
        if (first)
            group = add_group(side, change->kind, change->key, *at);
        bool events = change->kind == SIDE_LIST || change->kind == SIDE_PARTITION;
        bool both = !first && before->comes == change->comes;
        /* GUARD redis-aside-bug: one of two events at one place is silently lost */
        if (events && both && before->position == change->position)
            return vf_fail(error, VF_E_BUG, "%s: two events at one place of %.*s", store->label, (int)change->key.size,
                           change->key.data);
        if (change->comes) {
            group->come++;
            continue;
        }
        group->leave++;
        if (change->kind != SIDE_LIST || !both || before->position + 1 != change->position)
            group->runs++;
    }
    return VF_OK;
}

static enum vf_code group_all(struct vf_store *store, struct vf_error *error)
{
    struct vf_redis_side *side = &store->commit_side;
    size_t at = 0, partitions = 0;
    if (side->count > 1)
        qsort(side->changes, side->count, sizeof(*side->changes), in_order);
    enum vf_code code = group_changes(store, &at, SIDE_PARTITION, error);
    if (code != VF_OK)
        return code;
    while (partitions < side->group_count && side->groups[side->group_count - 1 - partitions].kind == SIDE_PARTITION)
        partitions++;
    if (partitions > 0) {
        size_t from = side->group_count - partitions;
        add_group(side, SIDE_BYTES, store->keys.aside_bytes, from)->come = partitions;
    }
    return group_changes(store, &at, SIDE_DROPS, error);
}

enum vf_code vf_redis_side_plan(struct vf_store *store, const struct vf_commit *commit, size_t *ret_keys,
                                struct vf_error *error)
{
    struct vf_redis_side *side = &store->commit_side;
    enum vf_code code = VF_OK;
    vf_arena_reset(side->arena);
    side->count = 0;
    side->group_count = 0;
    collect_documents(store, commit);
    for (size_t i = 0; i < commit->aside_count && code == VF_OK; i++)
        code = collect_aside(store, &commit->asides[i], true, error);
    for (size_t i = 0; i < commit->taken_count && code == VF_OK; i++)
        code = collect_aside(store, &commit->taken[i], false, error);
    collect_aggregates(store, commit);
    collect_dropped(store, commit);
    if (code == VF_OK)
        code = group_all(store, error);
    if (code == VF_OK)
        *ret_keys = side->group_count;
    return code;
}

/* --- adding ------------------------------------------------------------------------------------------------------ */

void vf_redis_side_add_keys(struct vf_store *store)
{
    for (size_t i = 0; i < store->commit_side.group_count; i++)
        vf_redis_request_add(&store->commit_request, store->commit_side.groups[i].key);
}

void vf_redis_side_add_shapes(struct vf_store *store)
{
    const struct vf_redis_side *side = &store->commit_side;
    struct vf_redis_request *request = &store->commit_request;
    size_t size = side->group_count * SHAPE_BYTES;
    vf_redis_request_add_room(request, size);
    char *at = request->buffer.data + request->buffer.size - 2 - size;
    for (size_t i = 0; i < side->group_count; i++) {
        const struct vf_redis_side_group *group = &side->groups[i];
        const size_t numbers[3] = {group->kind, group->runs, group->come};
        for (size_t n = 0; n < 3; n++)
            for (int byte = 0; byte < 4; byte++)
                *at++ = (char)(numbers[n] >> 8 * byte & 255);
    }
}

void vf_redis_add_score(struct vf_redis_request *request, double score)
{
    if (score == floor(score) && fabs(score) <= (double)EXACT_MAX) {
        vf_redis_request_add_int(request, (int64_t)score);
        return;
    }
    char text[32];
    snprintf(text, sizeof(text), "%.17g", score);
    vf_redis_request_add_text(request, text);
}

static void add_position(struct vf_redis_request *request, int64_t position)
{
    char text[24];
    snprintf(text, sizeof(text), "%019" PRId64, position);
    vf_redis_request_add_text(request, text);
}

static void add_leaving(struct vf_redis_request *request, const struct vf_redis_side_group *group,
                        const struct vf_redis_side_change *changes)
{
    for (size_t i = 0; i < group->leave; i++) {
        const struct vf_redis_side_change *change = &changes[i];
        size_t last = i;
        switch (group->kind) {
        case SIDE_LIST:
            while (last + 1 < group->leave && changes[last].position + 1 == changes[last + 1].position)
                last++;
            add_position(request, change->position);
            add_position(request, changes[last].position);
            vf_redis_request_add_int(request, (int64_t)(last - i + 1));
            i = last;
            break;
        case SIDE_PARTITION:
            add_position(request, change->position);
            vf_redis_request_add(request, change->tail);
            break;
        default: vf_redis_request_add_joined(request, change->head, change->tail); break;
        }
    }
}

void vf_redis_side_add_arguments(struct vf_store *store)
{
    const struct vf_redis_side *side = &store->commit_side;
    struct vf_redis_request *request = &store->commit_request;
    size_t head = store->keys.aside_partition.size;
    for (size_t i = 0; i < side->group_count; i++) {
        const struct vf_redis_side_group *group = &side->groups[i];
        if (group->kind == SIDE_BYTES) {
            for (size_t n = group->from; n < group->from + group->come; n++)
                vf_redis_request_add(request,
                                     vf_bytes(side->groups[n].key.data + head, side->groups[n].key.size - head));
            continue;
        }
        const struct vf_redis_side_change *changes = side->changes + group->from;
        add_leaving(request, group, changes);
        for (size_t n = group->leave; n < group->leave + group->come; n++) {
            if (group->kind != SIDE_DROPS)
                vf_redis_add_score(request, changes[n].score);
            vf_redis_request_add_joined(request, changes[n].head, changes[n].tail);
        }
    }
}
