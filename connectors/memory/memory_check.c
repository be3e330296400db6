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

static bool same_event(const struct vf_aside *a, const struct vf_aside *b)
{
    return a->offset == b->offset && a->partition.partition == b->partition.partition &&
           strcmp(a->partition.topic, b->partition.topic) == 0;
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
        assert(writes_record(commit, taken->list) && "an event is taken from a list whose record is not written");
        assert(held && same_event(held, taken) && "an event is taken that is not there");
    }
    for (size_t i = 0; i < commit->aside_count; i++) {
        const struct vf_aside *aside = &commit->asides[i];
        assert(writes_record(commit, aside->list) && "an event is set aside in a list whose record is not written");
        assert(aside->record.size > 0 && aside->aggregate.size > 0 && "an event is set aside without its record");
        assert(!vf_memory_find_aside(generation, aside->list, aside->place) &&
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
    check_lists(generation, commit);
}

void vf_memory_check_after(struct vf_memory_generation *generation, const struct vf_commit *commit)
{
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate *next = &commit->aggregates[i].next;
        if (commit->aggregates[i].intent != VF_WRITE)
            continue;
        assert(next->exists && "a record is written that does not exist");
        const struct vf_memory_list *list = vf_memory_find_list(generation, next->aggregate);
        size_t count = list ? list->count : 0;
        assert((int64_t)count == next->aside_to - next->aside_from && "a record's places are not its list's");
        assert((count == 0 || list->asides[0].place >= next->aside_from) && "an event is in front of its list");
        assert((count == 0 || list->asides[count - 1].place < next->aside_to) && "an event is behind its list");
    }
}
