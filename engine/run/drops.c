#include "run/drops.h"

#include <stdlib.h>
#include <string.h>

/* So many are read at once. */
#define PAGE 1000

struct vf_drops {
    struct vf_arena *arena;
    struct vf_dropped *events;  /* by partition and offset */
    struct vf_dropped *missing; /* by aggregate and first number */
    size_t event_count, missing_count;
};

struct vf_drops *vf_drops_new(void)
{
    struct vf_drops *drops = vf_calloc(1, sizeof *drops);
    drops->arena = vf_arena_new();
    return drops;
}

static void clear(struct vf_drops *drops)
{
    free(drops->events);
    free(drops->missing);
    vf_arena_reset(drops->arena);
    *drops = (struct vf_drops){.arena = drops->arena};
}

void vf_drops_free(struct vf_drops *drops)
{
    if (!drops)
        return;
    clear(drops);
    vf_arena_free(drops->arena);
    free(drops);
}

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_events(const void *a_entry, const void *b_entry)
{
    const struct vf_dropped *a = a_entry, *b = b_entry;
    int order = strcmp(a->partition.topic, b->partition.topic);
    if (order == 0)
        order = compare_numbers(a->partition.partition, b->partition.partition);
    return order ? order : compare_numbers(a->offset, b->offset);
}

static int compare_missing(const void *a_entry, const void *b_entry)
{
    const struct vf_dropped *a = a_entry, *b = b_entry;
    int order = vf_bytes_compare(a->aggregate, b->aggregate);
    return order ? order : compare_numbers(a->missing_from, b->missing_from);
}

static void add(struct vf_drops *drops, const struct vf_dropped *list, size_t count)
{
    drops->events = vf_realloc(drops->events, (drops->event_count + count + 1) * sizeof *list);
    drops->missing = vf_realloc(drops->missing, (drops->missing_count + count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++) {
        if (list[i].partition.topic)
            drops->events[drops->event_count++] = list[i];
        else
            drops->missing[drops->missing_count++] = list[i];
    }
}

static enum vf_code load_generation(struct vf_drops *drops, const struct vf_store_type *type, struct vf_store *store,
                                    struct vf_view view, struct vf_error *error)
{
    size_t first = 0, count = PAGE;
    enum vf_code code = VF_OK;
    for (; !code && count == PAGE; first += count) {
        struct vf_dropped *list = NULL;
        code = type->dropped(store, view, first, PAGE, drops->arena, &list, &count, error);
        if (!code && count > 0)
            add(drops, list, count);
    }
    return code;
}

enum vf_code vf_drops_load(struct vf_drops *drops, const struct vf_store_type *type, struct vf_store *store,
                           struct vf_view view, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    clear(drops);
    for (int32_t generation = 1; generation <= view.generation && !code; generation++)
        code = load_generation(drops, type, store, (struct vf_view){view.name, generation}, error);
    if (code)
        clear(drops);
    if (drops->event_count > 0)
        qsort(drops->events, drops->event_count, sizeof *drops->events, compare_events);
    if (drops->missing_count > 0)
        qsort(drops->missing, drops->missing_count, sizeof *drops->missing, compare_missing);
    return code;
}

bool vf_drops_has(const struct vf_drops *drops, const struct vf_record *record, struct vf_bytes aggregate)
{
    if (!drops || drops->event_count == 0)
        return false;
    struct vf_dropped wanted = {.partition = {record->topic, record->partition}, .offset = record->offset};
    const struct vf_dropped *found = bsearch(&wanted, drops->events, drops->event_count, sizeof wanted, compare_events);
    /* GUARD dropped-record: of a topic that was made anew, another event stands at this offset */
    return found && found->timestamp_ms == record->timestamp_ms &&
           (vf_is_nobodys(found->aggregate) || vf_bytes_equal(found->aggregate, aggregate));
}

int64_t vf_drops_pass(const struct vf_drops *drops, struct vf_bytes aggregate, int64_t number)
{
    struct vf_dropped wanted = {.aggregate = aggregate, .missing_from = number};
    if (!drops || drops->missing_count == 0)
        return number;
    const struct vf_dropped *found;
    while ((found = bsearch(&wanted, drops->missing, drops->missing_count, sizeof wanted, compare_missing)) &&
           found->missing_to > wanted.missing_from)
        wanted.missing_from = found->missing_to;
    return wanted.missing_from;
}
