/* Events that are set aside, read by the configuration. */
#include "cli/parked.h"

#define PAGE_EVENTS 256
#define PAGE_BYTES  ((size_t)1 << 20)
/* Of another aggregate's list, where the first event of this one waits, so many are looked at. */
#define WAITERS_LOOKED_AT 16

/* What the topic's records are read by. */
static const struct vf_envelope *envelope_of(const struct vf_parked *parked, const struct vf_parked_target *target,
                                             const char *topic)
{
    const struct vf_view_entry *entry = target->entry;
    for (size_t i = 0; entry && i < entry->topic_count; i++) {
        if (strcmp(entry->topics[i], topic) == 0) {
            return &entry->envelopes[i];
        }
    }
    for (size_t i = 0; i < parked->config->topic_count; i++) {
        if (strcmp(parked->config->topics[i].topic, topic) == 0) {
            return &parked->config->topics[i].envelope;
        }
    }
    return NULL;
}

void vf_parked_read(const struct vf_parked *parked, const struct vf_parked_target *target, const struct vf_aside *aside,
                    struct vf_arena *arena, struct vf_parked_event *ret_event)
{
    static const struct vf_envelope standard = {.first = 1};
    struct vf_error error = {0};
    *ret_event = (struct vf_parked_event){.aside = *aside};
    enum vf_code code = vf_record_decode(aside->record, arena, &ret_event->record, &error);
    if (code == VF_OK) {
        const struct vf_envelope *envelope = envelope_of(parked, target, ret_event->record.topic);
        struct vf_json_parser *parser = vf_json_parser_new();
        code = vf_envelope_read(envelope ? envelope : &standard, &ret_event->record, parser, arena, &ret_event->event,
                                &error);
        vf_json_parser_free(parser);
    }
    ret_event->readable = code == VF_OK && ret_event->event.kind.size > 0;
    if (!ret_event->readable) {
        ret_event->unreadable =
            code == VF_OK ? "it holds no event" : vf_arena_bytes(arena, error.text, strlen(error.text)).data;
    }
}

bool vf_parked_has_error(const struct vf_aggregate *record, const char *text)
{
    struct vf_bytes error = record->failure.error;
    size_t size = strlen(text);
    for (size_t at = 0; record->parked && at + size <= error.size; at++) {
        if (memcmp(error.data + at, text, size) == 0) {
            return true;
        }
    }
    return false;
}

int64_t vf_parked_count(const struct vf_aggregate *record)
{
    return record->aside_to - record->aside_from + record->early_count + (record->waits_for.size > 0 ? 1 : 0);
}

/* --- the ends ----------------------------------------------------------------------------------------------------- */

struct ends {
    const struct vf_parked_walk *walk;
    struct vf_arena *arena;
};

static enum vf_code load(const struct ends *ends, struct vf_bytes list, int64_t place, size_t count,
                         struct vf_aside **ret_asides, size_t *ret_count, struct vf_error *error)
{
    *ret_count = 0;
    return ends->walk->type->aside_load(ends->walk->store, ends->walk->view, list, place, count, PAGE_BYTES,
                                        ends->arena, ret_asides, ret_count, error);
}

/* The event at this place of the list, if it is there (still). */
static enum vf_code read_place(const struct ends *ends, const struct vf_aggregate *record, enum vf_list which,
                               int64_t place, const struct vf_parked_event **ret_event, struct vf_error *error)
{
    struct vf_bytes list = vf_list_key(ends->arena, which, record->aggregate);
    struct vf_aside *asides;
    size_t count;
    enum vf_code code = load(ends, list, place, 1, &asides, &count, error);
    if (code == VF_OK && count > 0 && asides[0].place == place) {
        struct vf_parked_event *event = vf_arena_alloc(ends->arena, sizeof *event);
        vf_parked_read(ends->walk->parked, ends->walk->target, &asides[0], ends->arena, event);
        *ret_event = event;
    }
    return code;
}

/* Its linking event, in the list of the aggregate that it waits for; somewhere in it. */
static enum vf_code read_waiting(const struct ends *ends, const struct vf_aggregate *record,
                                 const struct vf_parked_event **ret_event, struct vf_error *error)
{
    struct vf_bytes list = vf_list_key(ends->arena, VF_LIST_WAITERS, record->waits_for);
    struct vf_aside *asides;
    size_t count;
    enum vf_code code = load(ends, list, 0, WAITERS_LOOKED_AT, &asides, &count, error);
    for (size_t i = 0; code == VF_OK && i < count && !*ret_event; i++) {
        if (vf_bytes_equal(asides[i].aggregate, record->aggregate)) {
            struct vf_parked_event *event = vf_arena_alloc(ends->arena, sizeof *event);
            vf_parked_read(ends->walk->parked, ends->walk->target, &asides[i], ends->arena, event);
            *ret_event = event;
        }
    }
    return code;
}

enum vf_code vf_parked_read_ends(const struct vf_parked *parked, const struct vf_parked_target *target,
                                 const struct vf_store_type *type, struct vf_store *store, struct vf_view view,
                                 const struct vf_aggregate *record, struct vf_arena *arena,
                                 struct vf_parked_ends *ret_ends, struct vf_error *error)
{
    const struct vf_parked_walk walk = {.parked = parked, .target = target, .type = type, .store = store, .view = view};
    const struct ends ends = {&walk, arena};
    bool has_own = record->aside_to > record->aside_from, has_early = record->early_count > 0;
    const struct vf_parked_event *first = NULL, *last = NULL;
    enum vf_code code = VF_OK;
    if (record->waits_for.size > 0) {
        code = read_waiting(&ends, record, &first, error);
    } else if (has_own) {
        code = read_place(&ends, record, VF_LIST_OWN, record->aside_from, &first, error);
    } else if (has_early) {
        code = read_place(&ends, record, VF_LIST_EARLY, record->early_from, &first, error);
    }
    if (code == VF_OK && vf_parked_count(record) == 1) {
        last = first;
    } else if (code == VF_OK && has_early) {
        code = read_place(&ends, record, VF_LIST_EARLY, record->early_last, &last, error);
    } else if (code == VF_OK && has_own) {
        code = read_place(&ends, record, VF_LIST_OWN, record->aside_to - 1, &last, error);
    }
    *ret_ends = (struct vf_parked_ends){first, last};
    return code;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* The events of a list at [from, to), those of `only` where that is not empty. *go_on false: enough. */
static enum vf_code walk_list(const struct vf_parked_walk *walk, struct vf_bytes list, int64_t from, int64_t to,
                              struct vf_bytes only, bool *go_on, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    enum vf_code code = VF_OK;
    while (code == VF_OK && *go_on && from < to) {
        struct vf_aside *asides;
        size_t count = 0;
        vf_arena_reset(arena);
        code = walk->type->aside_load(walk->store, walk->view, list, from, PAGE_EVENTS, PAGE_BYTES, arena, &asides,
                                      &count, error);
        if (code != VF_OK || count == 0) {
            break;
        }
        for (size_t i = 0; i < count && *go_on && asides[i].place < to; i++) {
            struct vf_parked_event event;
            if (only.size > 0 && !vf_bytes_equal(asides[i].aggregate, only)) {
                continue;
            }
            asides[i].list = list;
            vf_parked_read(walk->parked, walk->target, &asides[i], arena, &event);
            *go_on = walk->each(walk->self, &event);
        }
        from = asides[count - 1].place + 1;
    }
    vf_arena_free(arena);
    return code;
}

enum vf_code vf_parked_walk(const struct vf_parked_walk *walk, const struct vf_aggregate *record,
                            struct vf_error *error)
{
    static const struct vf_bytes all = {0};
    struct vf_arena *arena = vf_arena_new();
    bool go_on = true;
    enum vf_code code = VF_OK;
    if (record->waits_for.size > 0) {
        struct vf_bytes awaited = vf_list_key(arena, VF_LIST_WAITERS, record->waits_for);
        code = walk_list(walk, awaited, 0, INT64_MAX, record->aggregate, &go_on, error);
    }
    if (code == VF_OK) {
        struct vf_bytes own = vf_list_key(arena, VF_LIST_OWN, record->aggregate);
        code = walk_list(walk, own, record->aside_from, record->aside_to, all, &go_on, error);
    }
    if (code == VF_OK && record->early_count > 0) {
        struct vf_bytes early = vf_list_key(arena, VF_LIST_EARLY, record->aggregate);
        code = walk_list(walk, early, record->early_from, record->early_last + 1, all, &go_on, error);
    }
    if (code == VF_OK) {
        struct vf_bytes waiters = vf_list_key(arena, VF_LIST_WAITERS, record->aggregate);
        code = walk_list(walk, waiters, record->waiters_from, record->waiters_to, all, &go_on, error);
    }
    vf_arena_free(arena);
    return code;
}
