#include "connectors/memory/memory_check.h"

#include <assert.h>

static bool has_since(enum vf_presence presence)
{
    return presence == VF_HUSK_DELETED || presence == VF_HUSK_EXPIRED;
}

static const struct vf_index_entry *entry_in(const struct vf_index_entry *entries, size_t i)
{
    static const struct vf_index_entry none = {.in = false};
    return entries ? &entries[i] : &none;
}

static const struct vf_index_entry *held_entry(const struct vf_memory_document *held, const char *index)
{
    static const struct vf_index_entry none = {.in = false};
    for (size_t i = 0; held && i < held->entry_count; i++) {
        if (strcmp(held->entries[i].index, index) == 0)
            return &held->entries[i].entry;
    }
    return &none;
}

/* A store without indexes of its own removes the base's entries and adds the next ones: whatever is not so there stays. */
static void check_entries(const struct vf_memory_document *held, const struct vf_commit *commit,
                          const struct vf_document_change *change)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_index_entry *wanted = NULL;
    struct vf_error error;
    if (change->next.presence == VF_PRESENT) {
        enum vf_code code =
            vf_index_entries(commit->indexes, commit->index_count, change->next.body, arena, &wanted, &error);
        assert(code == VF_OK && "a body that an index cannot take");
    }
    for (size_t i = 0; i < commit->index_count; i++) {
        const struct vf_index_entry *was = held_entry(held, commit->indexes[i].name);
        assert(vf_index_entry_equal(entry_in(change->base_entries, i), was) && "the base's index entries are others");
        assert(vf_index_entry_equal(entry_in(change->next_entries, i), entry_in(wanted, i)) &&
               "the next index entries are not the body's");
    }
    vf_arena_free(arena);
}

static void check_document(struct vf_memory_generation *generation, const struct vf_commit *commit,
                           const struct vf_document_change *change)
{
    const struct vf_memory_document *held = vf_memory_find_document(generation, change->next.id);
    const struct vf_document *next = &change->next;
    assert(change->base_has_expires == (held && held->value.has_expires) && "the base's expiry is another");
    assert(change->base_has_since == (held && has_since(held->value.presence)) && "the base is another husk");
    assert((next->presence == VF_PRESENT || next->body.size == 0) && "a husk with a body");
    assert((next->deleted_by.size > 0) == (next->presence == VF_HUSK_DELETED) && "deleted, and by whom?");
    if (commit->index_count > 0)
        check_entries(held, commit, change);
}

static bool writes_record(const struct vf_commit *commit, struct vf_bytes aggregate)
{
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate_change *change = &commit->aggregates[i];
        if (change->intent == VF_WRITE && vf_bytes_equal(change->next.aggregate, aggregate))
            return true;
    }
    return false;
}

static bool writes_list(const struct vf_commit *commit, struct vf_bytes list)
{
    enum vf_list which;
    return writes_record(commit, vf_list_aggregate(list, &which));
}

static bool same_event(const struct vf_aside *a, const struct vf_aside *b)
{
    return a->offset == b->offset && a->partition.partition == b->partition.partition &&
           strcmp(a->partition.topic, b->partition.topic) == 0;
}

static bool takes_place(const struct vf_commit *commit, const struct vf_aside *aside)
{
    for (size_t i = 0; i < commit->taken_count; i++)
        if (commit->taken[i].place == aside->place && vf_bytes_equal(commit->taken[i].list, aside->list))
            return true;
    return false;
}

static bool takes_event(const struct vf_commit *commit, const struct vf_aside *aside)
{
    for (size_t i = 0; i < commit->taken_count; i++)
        if (same_event(&commit->taken[i], aside))
            return true;
    return false;
}

static bool holds_event(const struct vf_memory_generation *generation, const struct vf_commit *commit,
                        const struct vf_aside *aside)
{
    for (const struct vf_memory_list *list = generation->lists; list; list = list->hh.next) {
        for (size_t i = 0; i < list->count; i++) {
            if (same_event(&list->asides[i], aside))
                return !takes_event(commit, aside); /* it goes to another list, or to the end of its own */
        }
    }
    return false;
}

static void check_lists(struct vf_memory_generation *generation, const struct vf_commit *commit)
{
    for (size_t i = 0; i < commit->taken_count; i++) {
        const struct vf_aside *taken = &commit->taken[i];
        const struct vf_aside *held = vf_memory_find_aside(generation, taken->list, taken->place);
        assert(writes_list(commit, taken->list) && "an event is taken from a list whose record is not written");
        assert(held && same_event(held, taken) && "an event is taken that is not there");
    }
    for (size_t i = 0; i < commit->aside_count; i++) {
        const struct vf_aside *aside = &commit->asides[i];
        assert(writes_list(commit, aside->list) && "an event is set aside in a list whose record is not written");
        assert(aside->record.size > 0 && aside->aggregate.size > 0 && "an event is set aside without its record");
        assert((takes_place(commit, aside) || !vf_memory_find_aside(generation, aside->list, aside->place)) &&
               "an event is set aside in a place taken");
        assert(!holds_event(generation, commit, aside) && "an event is set aside twice");
        for (size_t other = 0; other < i; other++)
            assert(!same_event(&commit->asides[other], aside) && "an event is set aside twice");
    }
}

void vf_memory_check_before(struct vf_memory_generation *generation, const struct vf_commit *commit)
{
    for (size_t i = 0; i < commit->document_count; i++) {
        if (commit->documents[i].intent == VF_WRITE)
            check_document(generation, commit, &commit->documents[i]);
    }
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate_change *change = &commit->aggregates[i];
        const struct vf_memory_aggregate *held = vf_memory_find_aggregate(generation, change->next.aggregate);
        if (change->intent != VF_WRITE)
            continue;
        assert(change->base_state == (held ? held->value.state : VF_ASIDE_NONE) && "the base's state is another");
        assert(change->base_draining == (held && held->value.draining) && "the base is draining, or not");
    }
    check_lists(generation, commit);
}

/* A list's count and its first and last place, as the store has them. */
static int64_t count_list(struct vf_memory_generation *generation, enum vf_list list, struct vf_bytes aggregate,
                          int64_t *ret_first, int64_t *ret_last)
{
    struct vf_arena *arena = vf_arena_new();
    const struct vf_memory_list *found = vf_memory_find_list(generation, vf_list_key(arena, list, aggregate));
    vf_arena_free(arena);
    *ret_first = found ? found->asides[0].place : 0;
    *ret_last = found ? found->asides[found->count - 1].place : 0;
    return found ? (int64_t)found->count : 0;
}

static void check_range(struct vf_memory_generation *generation, enum vf_list list, struct vf_bytes aggregate,
                        int64_t from, int64_t to)
{
    int64_t first, last;
    int64_t count = count_list(generation, list, aggregate, &first, &last);
    assert(count == to - from && "a record's places are not its list's");
    assert((count == 0 || first >= from) && "an event is in front of its list");
    assert((count == 0 || last < to) && "an event is behind its list");
}

static void check_record(struct vf_memory_generation *generation, const struct vf_aggregate *next)
{
    int64_t first, last;
    check_range(generation, VF_LIST_OWN, next->aggregate, next->aside_from, next->aside_to);
    check_range(generation, VF_LIST_WAITERS, next->aggregate, next->waiters_from, next->waiters_to);
    int64_t early = count_list(generation, VF_LIST_EARLY, next->aggregate, &first, &last);
    assert(early == next->early_count && (early == 0 || (first == next->early_from && last <= next->early_last)) &&
           "a record's early events are not its list's");
    bool own = next->aside_to > next->aside_from, waiters = next->waiters_to > next->waiters_from;
    assert((!next->parked || own) && "what is parked?");
    assert((next->state == VF_ASIDE_PARKED) == next->parked && "a record's state is not its own");
    assert((next->state != VF_ASIDE_NONE) == (own || waiters || early > 0) && "a record's state is not its own");
    assert((!next->draining || own || waiters || early > 0) && "what is there to drain?");
    assert((next->exists || (next->state == VF_ASIDE_NONE && !next->has_link && !next->has_version)) &&
           "a record is removed that has something to keep");
}

void vf_memory_check_after(struct vf_memory_generation *generation, const struct vf_commit *commit)
{
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        if (commit->aggregates[i].intent == VF_WRITE)
            check_record(generation, &commit->aggregates[i].next);
    }
}
