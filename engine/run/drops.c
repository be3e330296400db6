#include "run/drops.h"

#include "core/versions.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* So many are read at once. */
#define PAGE 1000

/* A worker holds all of them, and a command may have dropped as many as there are: of each only what tells it. */
struct event {
    const char *topic; /* in the list of topics */
    int64_t offset;
    int64_t timestamp_ms;
    uint64_t aggregate; /* a hash: there is but one record at a place, and this guards against another log; 0: any */
    int32_t partition;
    bool unread;
};

struct missing {
    struct vf_bytes aggregate; /* in the arena */
    int64_t from, to;
};

struct vf_drops {
    struct vf_arena *arena;
    const char **topics;     /* in the arena */
    struct event *events;    /* by topic, partition and offset */
    uint64_t *identities;    /* of the events that have one, sorted */
    struct missing *missing; /* by aggregate and first number */
    size_t topic_count, event_count, identity_count, missing_count;
    size_t loaded; /* how many there are about the view's own generation */
};

struct vf_drops *vf_drops_new(void)
{
    struct vf_drops *drops = vf_calloc(1, sizeof *drops);
    drops->arena = vf_arena_new();
    return drops;
}

static void clear(struct vf_drops *drops)
{
    free(drops->topics);
    free(drops->events);
    free(drops->identities);
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
    const struct event *a = a_entry, *b = b_entry;
    int order = a->topic == b->topic ? 0 : strcmp(a->topic, b->topic);
    if (order == 0)
        order = compare_numbers(a->partition, b->partition);
    return order ? order : compare_numbers(a->offset, b->offset);
}

static int compare_identities(const void *a_entry, const void *b_entry)
{
    uint64_t a = *(const uint64_t *)a_entry, b = *(const uint64_t *)b_entry;
    return (a > b) - (a < b);
}

static int compare_missing(const void *a_entry, const void *b_entry)
{
    const struct missing *a = a_entry, *b = b_entry;
    int order = vf_bytes_compare(a->aggregate, b->aggregate);
    return order ? order : compare_numbers(a->from, b->from);
}

static const char *keep_topic(struct vf_drops *drops, const char *topic)
{
    for (size_t i = 0; i < drops->topic_count; i++)
        if (strcmp(drops->topics[i], topic) == 0)
            return drops->topics[i];
    drops->topics = vf_realloc(drops->topics, (drops->topic_count + 1) * sizeof *drops->topics);
    return drops->topics[drops->topic_count++] = vf_arena_bytes(drops->arena, topic, strlen(topic)).data;
}

static uint64_t hash_of(struct vf_bytes aggregate)
{
    return vf_is_nobodys(aggregate) ? 0 : XXH64(aggregate.data, aggregate.size, 0) | 1;
}

static void add(struct vf_drops *drops, const struct vf_dropped *list, size_t count)
{
    drops->events = vf_realloc(drops->events, (drops->event_count + count + 1) * sizeof *drops->events);
    drops->identities = vf_realloc(drops->identities, (drops->identity_count + count + 1) * sizeof *drops->identities);
    drops->missing = vf_realloc(drops->missing, (drops->missing_count + count + 1) * sizeof *drops->missing);
    for (size_t i = 0; i < count; i++) {
        const struct vf_dropped *dropped = &list[i];
        if (!dropped->partition.topic) {
            drops->missing[drops->missing_count++] = (struct missing){vf_arena_copy(drops->arena, dropped->aggregate),
                                                                      dropped->missing_from, dropped->missing_to};
            continue;
        }
        drops->events[drops->event_count++] = (struct event){.topic = keep_topic(drops, dropped->partition.topic),
                                                             .offset = dropped->offset,
                                                             .timestamp_ms = dropped->timestamp_ms,
                                                             .aggregate = hash_of(dropped->aggregate),
                                                             .partition = dropped->partition.partition,
                                                             .unread = dropped->identity == 0};
        if (dropped->identity)
            drops->identities[drops->identity_count++] = dropped->identity;
    }
}

static enum vf_code load_generation(struct vf_drops *drops, const struct vf_store_type *type, struct vf_store *store,
                                    struct vf_view view, struct vf_error *error)
{
    struct vf_arena *page = vf_arena_new();
    size_t first = 0, count = PAGE;
    enum vf_code code = VF_OK;
    for (; !code && count == PAGE; first += count) {
        struct vf_dropped *list = NULL;
        vf_arena_reset(page);
        code = type->dropped(store, view, first, PAGE, page, &list, &count, error);
        if (!code && count > 0)
            add(drops, list, count);
    }
    drops->loaded = code ? 0 : first;
    vf_arena_free(page);
    return code;
}

/* What was given up more than once, or from one number to another and on from there, is one range. */
static void unite_missing(struct vf_drops *drops)
{
    size_t kept = 0;
    for (size_t i = 0; i < drops->missing_count; i++) {
        const struct missing *next = &drops->missing[i];
        struct missing *last = kept > 0 ? &drops->missing[kept - 1] : NULL;
        if (last && vf_bytes_equal(last->aggregate, next->aggregate) && next->from <= last->to)
            last->to = next->to > last->to ? next->to : last->to;
        else
            drops->missing[kept++] = *next;
    }
    drops->missing_count = kept;
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
    if (drops->identity_count > 0)
        qsort(drops->identities, drops->identity_count, sizeof *drops->identities, compare_identities);
    if (drops->missing_count > 0)
        qsort(drops->missing, drops->missing_count, sizeof *drops->missing, compare_missing);
    unite_missing(drops);
    return code;
}

enum vf_code vf_drops_look(const struct vf_drops *drops, const struct vf_store_type *type, struct vf_store *store,
                           struct vf_view view, bool *ret_current, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_dropped *list;
    size_t known = drops->loaded > 0 ? 1 : 0, count; /* the last one that is known, and one more */
    enum vf_code code = type->dropped(store, view, drops->loaded - known, 2, arena, &list, &count, error);
    *ret_current = !code && count == known;
    vf_arena_free(arena);
    return code;
}

static bool is_same(const struct vf_dropped *a, const struct vf_dropped *b)
{
    /* GUARD drop-own: what somebody else has decided about the same event at that time would be taken for one's own decision */
    if (a->dropped_ms != b->dropped_ms || !vf_bytes_equal(a->aggregate, b->aggregate))
        return false;
    if (!a->partition.topic || !b->partition.topic)
        return a->partition.topic == b->partition.topic && a->missing_from == b->missing_from &&
               a->missing_to == b->missing_to;
    return a->partition.partition == b->partition.partition && a->offset == b->offset &&
           strcmp(a->partition.topic, b->partition.topic) == 0;
}

enum vf_code vf_drops_find_new(const struct vf_drops *drops, const struct vf_store_type *type, struct vf_store *store,
                               struct vf_view view, const struct vf_dropped *wanted, bool *ret_there,
                               struct vf_error *error)
{
    struct vf_arena *page = vf_arena_new();
    size_t first = drops->loaded, count = PAGE;
    enum vf_code code = VF_OK;
    *ret_there = false;
    for (; !code && !*ret_there && count == PAGE; first += count) {
        struct vf_dropped *list = NULL;
        vf_arena_reset(page);
        code = type->dropped(store, view, first, PAGE, page, &list, &count, error);
        for (size_t i = 0; !code && i < count; i++)
            *ret_there |= is_same(&list[i], wanted);
    }
    vf_arena_free(page);
    return code;
}

bool vf_drops_has(const struct vf_drops *drops, const struct vf_record *record, struct vf_bytes aggregate,
                  bool *ret_unread)
{
    *ret_unread = false;
    if (!drops || drops->event_count == 0)
        return false;
    struct event wanted = {.topic = record->topic, .partition = record->partition, .offset = record->offset};
    const struct event *found = bsearch(&wanted, drops->events, drops->event_count, sizeof wanted, compare_events);
    /* GUARD dropped-record: of a topic that was made anew, another event stands at this offset */
    bool is_it = found && found->timestamp_ms == record->timestamp_ms &&
                 (found->aggregate == 0 || found->aggregate == hash_of(aggregate));
    *ret_unread = is_it && found->unread;
    return is_it;
}

bool vf_drops_has_copy(const struct vf_drops *drops, const struct vf_event *event)
{
    if (!drops || drops->identity_count == 0)
        return false;
    uint64_t identity = vf_event_identity(event);
    return bsearch(&identity, drops->identities, drops->identity_count, sizeof identity, compare_identities);
}

int64_t vf_drops_pass(const struct vf_drops *drops, struct vf_bytes aggregate, int64_t number)
{
    struct missing wanted = {.aggregate = aggregate, .from = number};
    size_t from = 0, to = drops ? drops->missing_count : 0;
    while (from < to) { /* the first one that begins behind the number */
        size_t middle = from + (to - from) / 2;
        if (compare_missing(&drops->missing[middle], &wanted) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    const struct missing *found = from > 0 ? &drops->missing[from - 1] : NULL;
    bool is_in = found && vf_bytes_equal(found->aggregate, aggregate) && number < found->to;
    return is_in ? found->to : number;
}
