/* What is set aside: the lists, how events come into them and leave them, gaps, and what failed (fold_state.h;
 * docs/protocol.md). */
#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>

/* So many events of a list are read at once, and about so many bytes of their records. */
#define PAGE_EVENTS 256
#define PAGE_BYTES  ((size_t)1 << 20)

/* So many events an event is brought forward past in one batch. */
#define SOUGHT_MAX 500

/* A list from which a batch takes at most so many events, whatever else it may take; the rest is for batches of their own. */
#define DRAINED_MAX 1000

/* The first place of a list of its own events. What has left such a list may come back to its front. */
#define OWN_PLACE_FIRST ((int64_t)1 << 40)

static struct vf_bytes key_of(struct vf_fold_state *run, const struct vf_cached_aggregate *record, enum vf_list list)
{
    return vf_list_key(run->fold->arena, list, record->head.key);
}

/* The event is the last one seen: behind what was seen before, or what was taken in last. */
void vf_fold_see(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record)
{
    struct vf_last seen = {true, record->seen, record->seen_more};
    if (row->seen || row->unreadable)
        return;
    /* GUARD seen: a repeat of an event that is held is held again, and one behind a hole too */
    vf_cached_set_seen(run->tools->cache, record, &row->event, record->has_seen ? &seen : &row->last);
    row->seen = true;
}

/* --- into a list --------------------------------------------------------------------------------------------------- */

/* What waits for ever would fill the store. */
static enum vf_code check_room(struct vf_fold_state *run, const struct vf_fold_row *row, struct vf_bytes list,
                               size_t bytes, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_aside_total *now = &row->reading->aside_now;
    bool many = tools->aside_max && now->count >= tools->aside_max;
    bool large = tools->aside_bytes_max && now->bytes + (int64_t)bytes > tools->aside_bytes_max;
    if (!many && !large)
        return VF_OK;
    run->fold->failed_room = true;
    run->fold->failed_room_bytes = (int64_t)bytes;
    run->fold->failed_room_list = list;
    return vf_fail(error, VF_E_LIMIT,
                   "%lld events of %s/%d (%lld bytes) are set aside, as many as limits.%s allows: the partition waits, "
                   "and nothing is dropped. Look why (`viewfold parked list`) and retry or drop what failed, or raise "
                   "the limit",
                   (long long)now->count, row->record->topic, (int)row->record->partition, (long long)now->bytes,
                   many ? "aside" : "aside_bytes");
}

/* The event of `owner` comes to a place in a list of `record`. */
static enum vf_code put(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *owner,
                        struct vf_cached_aggregate *record, enum vf_list list, int64_t place, struct vf_error *error)
{
    struct vf_bytes key = key_of(run, record, list);
    struct vf_buffer bytes;
    vf_buffer_init(&bytes);
    vf_record_encode(&bytes, row->record);
    enum vf_code code = row->reading ? check_room(run, row, key, bytes.size, error) : VF_OK;
    if (!code) {
        struct vf_fold_aside *add = vf_arena_calloc(run->fold->arena, 1, sizeof *add);
        add->aside = (struct vf_aside){
            .list = key,
            .place = place,
            .aggregate = vf_arena_copy(run->fold->arena, owner->head.key),
            .partition = {row->record->topic, row->record->partition},
            .offset = row->record->offset,
            .record = vf_arena_bytes(run->fold->arena, bytes.data, bytes.size),
        };
        vf_fold_list_add(run, &run->adds, add);
        run->touched_bytes += bytes.size;
        if (record->since_ms == 0)
            record->since_ms = run->tools->clock->wall_ms(run->tools->clock->self);
        vf_cached_mark_changed(record);
        vf_cached_mark_changed(owner);
    }
    if (!code && row->reading) {
        row->reading->folded.aside++;
        row->reading->aside_now.count++;
        row->reading->aside_now.bytes += (int64_t)bytes.size;
    }
    vf_buffer_done(&bytes);
    return code;
}

static void begin_places(struct vf_cached_aggregate *record)
{
    if (record->aside_from == 0)
        record->aside_from = record->aside_to = OWN_PLACE_FIRST;
}

enum vf_code vf_fold_hold_behind(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                 struct vf_error *error)
{
    begin_places(record);
    /* Else what is tried again and has to wait on would come behind what came after it */
    if (row->is_first) {
        run->stays = true;
        return VF_OK;
    }
    enum vf_code code = put(run, row, record, record, VF_LIST_OWN, record->aside_to, error);
    if (code)
        return code;
    record->aside_to++;
    vf_fold_see(run, row, record);
    run->fold->counts.held += row->reading != NULL;
    return VF_OK;
}

enum vf_code vf_fold_hold_for(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                              struct vf_cached_aggregate *awaited, struct vf_error *error)
{
    enum vf_code code = put(run, row, record, awaited, VF_LIST_WAITERS, awaited->waiters_to, error);
    if (code)
        return code;
    awaited->waiters_to++;
    vf_fold_see(run, row, record);
    run->fold->counts.held += row->reading != NULL;
    vf_cached_set_waits_for(record, awaited->head.key);
    return VF_OK;
}

/* What came into a list in this batch is in no store yet. */
static struct vf_fold_aside *find_added(struct vf_fold_state *run, struct vf_bytes list, int64_t place)
{
    for (size_t i = 0; i < run->adds.count; i++) {
        struct vf_fold_aside *add = run->adds.items[i];
        if (!add->left && add->aside.place == place && vf_bytes_equal(add->aside.list, list))
            return add;
    }
    return NULL;
}

static enum vf_code load_list(struct vf_fold_state *run, struct vf_bytes list, int64_t place, size_t count,
                              struct vf_aside **ret_asides, size_t *ret_count, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    /* What the commit in flight has put into the list is not to be read yet. */
    if (tools->in_flight) {
        run->trouble = VF_TROUBLE_IN_FLIGHT;
        return vf_fail(error, VF_E_UNAVAILABLE, "the commit in flight has to be settled first");
    }
    run->loads->loads++;
    enum vf_code code = tools->store_type->aside_load(tools->store, tools->view, list, place, count, PAGE_BYTES,
                                                      run->fold->arena, ret_asides, ret_count, error);
    if (code)
        run->trouble = code == VF_E_CONFIG || code == VF_E_DATA ? VF_TROUBLE_FOREIGN : VF_TROUBLE_STORE;
    return code;
}

enum vf_code vf_fold_is_early(struct vf_fold_state *run, const struct vf_cached_aggregate *record, int64_t place,
                              bool *ret_there, struct vf_error *error)
{
    struct vf_aside *found;
    size_t count = 0;
    *ret_there = false;
    if (record->early_count == 0 || place < record->early_from || place > record->early_last)
        return VF_OK;
    struct vf_bytes key = key_of(run, record, VF_LIST_EARLY);
    *ret_there = find_added(run, key, place) != NULL;
    if (*ret_there)
        return VF_OK;
    enum vf_code code = load_list(run, key, place, 1, &found, &count, error);
    *ret_there = !code && count > 0 && found->place == place;
    return code;
}

enum vf_code vf_fold_hold_early(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                struct vf_error *error)
{
    int64_t place = row->event.version;
    bool there;
    enum vf_code code = vf_fold_is_early(run, record, place, &there, error);
    if (code)
        return code;
    /* GUARD early-repeat: a repeat of an event behind a hole would be set aside twice */
    if (there) {
        run->fold->counts.duplicates++;
        return VF_OK;
    }
    code = put(run, row, record, record, VF_LIST_EARLY, place, error);
    if (code)
        return code;
    bool first = record->early_count++ == 0;
    if (first || place < record->early_from)
        record->early_from = place;
    if (first || place > record->early_last)
        record->early_last = place;
    run->fold->counts.early += row->reading != NULL;
    return VF_OK;
}

/* --- what failed --------------------------------------------------------------------------------------------------- */

/* What stores keep of a text: so much of it, and UTF-8 as they want it, which an error of a script need not be. */
static struct vf_bytes clip(const struct vf_fold_state *run, struct vf_bytes text)
{
    if (!vf_bytes_is_utf8(text)) {
        char *plain = memcpy(vf_arena_alloc(run->fold->arena, text.size), text.data, text.size);
        for (size_t i = 0; i < text.size; i++)
            plain[i] = (unsigned char)plain[i] < 0x80 ? plain[i] : '?';
        text.data = plain;
    }
    size_t size = text.size < VF_FAILURE_BYTES_MAX ? text.size : VF_FAILURE_BYTES_MAX;
    while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xC0) == 0x80)
        size--; /* not inside a character */
    return vf_bytes(text.data, size);
}

/* An error of a script is its message, and then on lines of its own the traceback. */
static struct vf_failure failure_of(const struct vf_fold_state *run, const struct vf_error *error)
{
    const char *end = strchr(error->text, '\n');
    size_t size = end ? (size_t)(end - error->text) : strlen(error->text);
    return (struct vf_failure){
        .error = clip(run, vf_bytes(error->text, size)),
        .traceback = clip(run, vf_bytes_from(end ? end + 1 : "")),
        .script = vf_bytes_from(run->unlinked ? "" : run->tools->script_hash),
        .failed_ms = run->tools->clock->wall_ms(run->tools->clock->self),
    };
}

static void note_parked(struct vf_fold_state *run, const struct vf_fold_row *row,
                        const struct vf_cached_aggregate *record, const struct vf_error *error)
{
    struct vf_arena *arena = run->fold->arena;
    struct vf_fold_parked *parked = vf_arena_alloc(arena, sizeof *parked);
    *parked = (struct vf_fold_parked){
        .aggregate = vf_arena_copy(arena, record->head.key),
        .record = row->record,
        .error = memcpy(vf_arena_alloc(arena, sizeof *error), error, sizeof *error),
        .next = run->fold->parked,
    };
    run->fold->parked = parked;
    run->fold->counts.parked++;
}

/* It comes behind what waits of its aggregate, and fails again when its turn comes. Its number is not the last one seen: nobody
 * can tell what it would be next to. */
static enum vf_code park_behind(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                struct vf_error *error)
{
    row->seen = true;
    return vf_fold_hold_behind(run, row, record, error);
}

/* Whether the event has left this place in this same batch: then it stays there. */
static bool take_back(struct vf_fold_state *run, const struct vf_fold_row *row, struct vf_cached_aggregate *record,
                      int64_t place)
{
    struct vf_bytes key = key_of(run, record, VF_LIST_OWN);
    for (size_t i = 0; i < run->taken.count; i++) {
        const struct vf_aside *taken = run->taken.items[i];
        if (taken->place != place || !vf_bytes_equal(taken->list, key))
            continue;
        assert(taken->offset == row->record->offset && taken->partition.partition == row->record->partition);
        run->taken.items[i] = run->taken.items[--run->taken.count];
        vf_cached_mark_changed(record);
        return true;
    }
    return false;
}

/* The event comes before all that waits of its aggregate, and nothing of that is taken in until somebody decides. */
static enum vf_code park(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                         const struct vf_error *why, struct vf_error *error)
{
    /* GUARD parked-in-order: what came last would be tried first */
    if (vf_cached_waits(record) && !row->in_turn && !row->overtakes)
        return park_behind(run, row, record, error);
    begin_places(record);
    bool is_empty = !vf_cached_has_own(record);
    int64_t place = is_empty ? record->aside_to : record->aside_from - 1;
    enum vf_code code = VF_OK;
    if (!take_back(run, row, record, place))
        code = put(run, row, record, record, VF_LIST_OWN, place, error);
    if (code)
        return code;
    if (is_empty)
        record->aside_to++;
    else
        record->aside_from--;
    if (run->is_judged)
        vf_fold_see(run, row, record);
    struct vf_failure failure = failure_of(run, why);
    vf_cached_set_parked(record, &failure);
    note_parked(run, row, record, why);
    record->early_ready = record->early_count > 0; /* what came early may be next to it, and comes behind it then */
    return record->early_ready ? vf_fold_wake(run, record, error) : VF_OK;
}

/* Where the aggregate cannot be read, the record stands for itself. */
static struct vf_bytes name_of(struct vf_fold_state *run, const struct vf_fold_row *row)
{
    if (row->event.aggregate.size)
        return row->event.aggregate;
    return vf_arena_printf(run->fold->arena, VF_UNREADABLE_PREFIX "%s/%d@%lld", row->record->topic,
                           (int)row->record->partition, (long long)row->record->offset);
}

bool vf_fold_may_park(struct vf_fold_state *run, const struct vf_fold_row *row, const struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    if (run->trouble != VF_TROUBLE_NONE || run->fold->failed_room || run->fold->failed_log || run->fold->failed_order)
        return false;
    run->fold->failed_suspect = vf_suspect_key(run->fold->arena, &row->event);
    /* Else what cannot be told to be of any aggregate would be passed over, and nobody would see it missing */
    if (row->unreadable && (row->envelope->unreadable_stops ||
                            (row->event.aggregate.size == 0 && row->envelope->numbers != VF_NUMBERS_SEQUENCE)))
        return false;
    run->fold->failed_parkable = tools->parks;
    /* Other documents may be what fills the heap: with it emptied, and nothing before the event, it is the event. */
    if (error->code == VF_E_MEMORY && !run->is_alone)
        return false;
    return tools->parks && (tools->parks_at_once || vf_suspects_is_condemned(tools->suspects, &row->event));
}

enum vf_code vf_fold_park(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    struct vf_error why = *error;
    struct vf_cached_aggregate *record;
    /* GUARD undo: a handler that fails has changed half of its document */
    vf_fold_undo(run);
    enum vf_code code = vf_fold_need_aggregate(run, name_of(run, row), &record, error);
    if (!code)
        code = park(run, row, record, &why, error);
    return code ? code : vf_fold_drain(run, error);
}

/* --- out of a list ------------------------------------------------------------------------------------------------- */

/* A list that is being taken in: some of it, as the store has it. */
struct page {
    struct vf_cached_aggregate *record;
    enum vf_list list;
    struct vf_bytes key; /* in the arena */
    struct vf_aside *asides;
    size_t count;
    size_t next;
};

/* The records of those whose events these are: in one round trip. */
static enum vf_code foresee_page(struct vf_fold_state *run, const struct page *page, struct vf_error *error)
{
    struct vf_bytes *aggregates = vf_arena_alloc(run->fold->arena, page->count * sizeof *aggregates);
    for (size_t i = 0; i < page->count; i++)
        aggregates[i] = page->asides[i].aggregate;
    return vf_fold_load(run, NULL, 0, aggregates, page->count, error);
}

static enum vf_code load_page(struct vf_fold_state *run, struct page *page, int64_t place, struct vf_error *error)
{
    page->next = 0;
    enum vf_code code = load_list(run, page->key, place, PAGE_EVENTS, &page->asides, &page->count, error);
    if (!code && page->count == 0) {
        run->trouble = VF_TROUBLE_STALE;
        return vf_fail(error, VF_E_DATA, "the list %.*s has nothing from place %lld on", (int)page->key.size,
                       page->key.data, (long long)place);
    }
    return code ? code : foresee_page(run, page, error);
}

/* The first place of the list. */
static int64_t *first_place(const struct page *page)
{
    switch (page->list) {
    case VF_LIST_OWN: return &page->record->aside_from;
    case VF_LIST_WAITERS: return &page->record->waiters_from;
    case VF_LIST_EARLY: break;
    }
    return &page->record->early_from;
}

/* What stands first in the list: in the store, or come into it in this batch. */
static enum vf_code look_first(struct vf_fold_state *run, struct page *page, struct vf_fold_aside **ret_added,
                               struct vf_aside **ret_aside, struct vf_error *error)
{
    int64_t place = *first_place(page);
    *ret_added = find_added(run, page->key, place);
    if (*ret_added) {
        *ret_aside = &(*ret_added)->aside;
        return VF_OK;
    }
    enum vf_code code = page->next < page->count ? VF_OK : load_page(run, page, place, error);
    if (code)
        return code;
    *ret_aside = &page->asides[page->next];
    if ((*ret_aside)->place == place)
        return VF_OK;
    run->trouble = VF_TROUBLE_STALE;
    return vf_fail(error, VF_E_DATA, "the list %.*s has nothing at place %lld", (int)page->key.size, page->key.data,
                   (long long)place);
}

/* The lowest number that is left in an early list, behind what was just taken from it. */
static enum vf_code find_next_early(struct vf_fold_state *run, struct page *page, int64_t behind,
                                    struct vf_error *error)
{
    struct vf_cached_aggregate *record = page->record;
    int64_t added = 0, lowest = INT64_MAX;
    for (size_t i = 0; i < run->adds.count; i++) {
        const struct vf_fold_aside *add = run->adds.items[i];
        if (add->left || !vf_bytes_equal(add->aside.list, page->key))
            continue;
        added++;
        lowest = add->aside.place < lowest ? add->aside.place : lowest;
    }
    if (record->early_count > added) { /* the store holds some too */
        enum vf_code code = page->next < page->count ? VF_OK : load_page(run, page, behind + 1, error);
        if (code)
            return code;
        lowest = page->asides[page->next].place < lowest ? page->asides[page->next].place : lowest;
    }
    record->early_from = lowest;
    return VF_OK;
}

/* Takes the first event out of the list. */
static enum vf_code take_first(struct vf_fold_state *run, struct page *page, struct vf_fold_aside *added,
                               struct vf_aside *aside, struct vf_error *error)
{
    int64_t place = aside->place;
    vf_cached_mark_changed(page->record);
    if (added) {
        added->left = true;
    } else {
        page->next++;
        aside->list = page->key;
        vf_fold_list_add(run, &run->taken, aside);
    }
    if (page->list != VF_LIST_EARLY) {
        ++*first_place(page);
        return VF_OK;
    }
    return --page->record->early_count > 0 ? find_next_early(run, page, place, error) : VF_OK;
}

/* Reads an event of a list again. What is wrong with it as an event stands in the row. */
static enum vf_code read_aside(struct vf_fold_state *run, const struct vf_aside *aside, struct vf_fold_row *row,
                               struct vf_error *error)
{
    struct vf_arena *arena = run->fold->arena;
    struct vf_record *record = vf_arena_calloc(arena, 1, sizeof *record);
    enum vf_code code = vf_record_decode(aside->record, arena, record, error);
    if (code)
        return code;
    *row = (struct vf_fold_row){.record = record, .envelope = vf_fold_find_envelope(run->tools, record->topic)};
    if (!row->envelope)
        return vf_fail(error, VF_E_CONFIG, "it is of the topic %s, which the projection does not read any more",
                       record->topic);
    vf_fold_read_event(run, row);
    if (row->unreadable || vf_is_nobodys(aside->aggregate))
        return VF_OK;
    if (!row->route || !vf_bytes_equal(row->event.aggregate, aside->aggregate))
        return vf_fail(error, VF_E_CONFIG, "topic, envelope or key now say another aggregate than %.*s",
                       (int)aside->aggregate.size, aside->aggregate.data);
    return VF_OK;
}

static void drop(struct vf_fold_state *run, struct vf_dropped dropped)
{
    struct vf_dropped *kept = vf_arena_alloc(run->fold->arena, sizeof *kept);
    dropped.dropped_ms = run->tools->clock->wall_ms(run->tools->clock->self);
    *kept = dropped;
    vf_fold_list_add(run, &run->dropped, kept);
    run->fold->counts.dropped++;
}

/* Somebody has decided that this event is not to be taken in. */
static void drop_event(struct vf_fold_state *run, struct vf_fold_row *row, const struct vf_aside *aside)
{
    run->drops_first = false;
    row->dropped = true;
    drop(run, (struct vf_dropped){.aggregate = aside->aggregate,
                                  .partition = aside->partition,
                                  .offset = aside->offset,
                                  .timestamp_ms = row->record->timestamp_ms,
                                  .error = vf_arena_copy(run->fold->arena, run->dropped_error)});
}

/* Somebody has decided that the numbers before this event are not waited for any more. */
static void drop_missing(struct vf_fold_state *run, const struct vf_fold_row *row,
                         const struct vf_cached_aggregate *record)
{
    run->gives_up_missing = false;
    drop(run, (struct vf_dropped){.aggregate = record->head.key,
                                  .missing_from = row->last.exists ? row->last.version + 1 : row->event.first,
                                  .missing_to = row->event.version});
}

/* An event of an aggregate's own list is new, and its number tells only whether it is its turn. One that could not be read when
 * it was parked is judged now. */
static enum vf_code check_order(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                bool *ret_done, struct vf_error *error)
{
    *ret_done = false;
    if (row->event.numbers == VF_NUMBERS_OFFSET || run->tools->projection->versions == VF_VERSIONS_NONE)
        return VF_OK;
    enum vf_code code = vf_fold_find_taken(run, row, record, error);
    enum vf_order order = code ? VF_NEXT : vf_version_order(&row->event, &row->last);
    /* GUARD allowed-in-turn: where what is missing is not waited for, what failed would wait for it when it is tried again */
    if (code || order == VF_NEXT || (order == VF_GAP && row->envelope->gaps_allowed))
        return code;
    /* What is dropped and is not next leaves nothing behind: its number is missing, or was passed. */
    *ret_done = row->dropped || (order == VF_DUPLICATE && vf_version_is_last(&row->event, &row->last));
    if (*ret_done) {
        run->fold->counts.duplicates += order == VF_DUPLICATE;
        return VF_OK;
    }
    if (order == VF_DUPLICATE && record->by_link)
        return VF_OK; /* the event that said the link may have come past it */
    if (order == VF_GAP && vf_fold_may_be_filled(&row->event, &row->last)) {
        struct vf_last seen = {record->has_seen, record->seen, record->seen_more};
        /* GUARD judged-before: an event that says the link would wait for those before it, which wait for the link; and one behind
         * numbers that were given up, for these */
        *ret_done = vf_version_order(&row->event, &seen) != VF_DUPLICATE;
        return *ret_done ? vf_fold_hold_early(run, row, record, error) : VF_OK;
    }
    /* GUARD overtaken: an event that comes too late to be taken in is not passed as if it had been (docs/protocol.md) */
    return vf_version_fail(&row->event, &row->last, order, error);
}

/* What had no place when it came has one now: what was missing before it has come as the event that all waited for. */
static void see_in_turn(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record)
{
    struct vf_last seen = {true, record->seen, record->seen_more};
    if (run->tools->projection->versions == VF_VERSIONS_NONE || !record->has_seen ||
        !vf_version_is_later(&row->event, &seen))
        return;
    /* GUARD seen-in-turn: the entry would go back to what was seen before it, and a repeat of it be taken in once more */
    row->seen = false;
    vf_fold_see(run, row, record);
}

static enum vf_code apply_aside(struct vf_fold_state *run, struct page *page, const struct vf_aside *aside,
                                struct vf_fold_row *row, struct vf_error *error)
{
    struct vf_cached_aggregate *record = page->record;
    struct vf_bytes awaited = record->head.key;
    if (row->dropped && (row->unreadable || vf_is_nobodys(aside->aggregate)))
        return VF_OK;
    if (row->unreadable) {
        *error = *row->unreadable;
        return error->code;
    }
    if (vf_is_nobodys(aside->aggregate))
        return vf_fold_apply(run, row, error); /* it was never seen: as if it came now */
    /* What came early is next to what waits: as if it came now. It may say the link that all wait for. */
    row->in_turn = page->list != VF_LIST_EARLY || !vf_cached_waits(record);
    row->seen = page->list != VF_LIST_EARLY;
    row->is_first = page->list == VF_LIST_OWN;
    if (row->not_upcast && !row->dropped && row->in_turn) {
        *error = *row->not_upcast;
        return error->code;
    }
    run->is_judged = true;
    if (page->list == VF_LIST_WAITERS) {
        enum vf_code code = vf_fold_need_aggregate(run, aside->aggregate, &record, error);
        if (code)
            return code;
        if (!vf_bytes_equal(record->waits_for, awaited)) {
            run->trouble = VF_TROUBLE_STALE;
            return vf_fail(error, VF_E_DATA, "the record of %.*s does not wait for %.*s", (int)aside->aggregate.size,
                           aside->aggregate.data, (int)awaited.size, awaited.data);
        }
        vf_cached_set_waits_for(record, (struct vf_bytes){0});
        vf_cached_mark_changed(record);
        /* What is behind what is left out may say another link */
        record->seeks_link = row->dropped && !record->has_link && vf_cached_has_own(record);
    } else if (page->list == VF_LIST_OWN) {
        bool done;
        enum vf_code code = check_order(run, row, record, &done, error);
        if (code || done)
            return code;
        see_in_turn(run, row, record);
    }
    enum vf_code code = vf_fold_apply_in_turn(run, row, record, error);
    return code || !row->dropped ? code : vf_fold_wake(run, record, error);
}

/* The first event of its aggregate's own list stays where it was. */
static void put_back(struct vf_fold_state *run, struct page *page, struct vf_fold_aside *added)
{
    if (added) {
        added->left = false;
    } else {
        assert(run->taken.items[run->taken.count - 1] == &page->asides[page->next - 1]);
        run->taken.count--;
        page->next--;
    }
    page->record->aside_from--;
    run->fold->counts.released--;
}

static void park_first(struct vf_fold_state *run, struct vf_cached_aggregate *record, const struct vf_fold_row *row,
                       const struct vf_error *why)
{
    struct vf_failure failure = failure_of(run, why);
    vf_cached_set_parked(record, &failure);
    note_parked(run, row, record, why);
}

/* --- the event that says the link ------------------------------------------------------------------------------------ */

/* What is at this place of the list: come into it in this batch, or in the store. */
static enum vf_code look_at(struct vf_fold_state *run, struct page *page, int64_t place, struct vf_aside **ret_aside,
                            struct vf_error *error)
{
    struct vf_fold_aside *added = find_added(run, page->key, place);
    enum vf_code code = VF_OK;
    if (added) {
        *ret_aside = &added->aside;
        return VF_OK;
    }
    while (page->next < page->count && page->asides[page->next].place < place)
        page->next++;
    if (page->next == page->count)
        code = load_page(run, page, place, error);
    if (code)
        return code;
    *ret_aside = &page->asides[page->next];
    return VF_OK;
}

/* The place of the first event that says a link; INT64_MAX: there is none. */
static enum vf_code find_linking(struct vf_fold_state *run, struct page *page, int64_t *ret_place,
                                 struct vf_error *error)
{
    struct vf_arena *arena = run->fold->arena;
    enum vf_code code = VF_OK;
    *ret_place = INT64_MAX;
    /* A list may be longer than what fits beside a batch. */
    run->fold->arena = vf_arena_new();
    for (int64_t place = page->record->aside_from; place < page->record->aside_to && !code; place++) {
        struct vf_aside *aside;
        struct vf_fold_row row;
        struct vf_error ignored;
        code = look_at(run, page, place, &aside, error);
        if (code || read_aside(run, aside, &row, &ignored) || row.unreadable || row.not_upcast ||
            !vf_fold_is_linking(&row))
            continue;
        *ret_place = place;
        break;
    }
    page->next = page->count = 0; /* it is read again, into the batch's own arena */
    vf_arena_free(run->fold->arena);
    run->fold->arena = arena;
    return code;
}

/* The event comes to another place of the list. */
static void move_to(struct vf_fold_state *run, struct vf_aside *aside, int64_t place, struct vf_bytes key)
{
    struct vf_fold_aside *added = find_added(run, key, aside->place);
    if (!added) {
        added = vf_arena_calloc(run->fold->arena, 1, sizeof *added);
        added->aside = *aside;
        added->aside.list = aside->list = key;
        vf_fold_list_add(run, &run->taken, aside);
        vf_fold_list_add(run, &run->adds, added);
        run->touched_bytes += aside->record.size;
    }
    added->aside.place = place;
}

/* The first event of the list waits for its link, and the one that says that has come behind it, as it was behind what failed. It
 * would have come first else (linking.c), and does now; a long way in several batches. */
static enum vf_code seek_link(struct vf_fold_state *run, struct page *page, struct vf_error *error)
{
    struct vf_cached_aggregate *record = page->record;
    int64_t place;
    enum vf_code code = find_linking(run, page, &place, error);
    if (code)
        return code;
    vf_cached_mark_changed(record);
    record->seeks_link = place < INT64_MAX;
    if (!record->seeks_link)
        return VF_OK;
    int64_t first = place - record->aside_from > SOUGHT_MAX ? place - SOUGHT_MAX : record->aside_from;
    size_t count = (size_t)(place - first + 1);
    struct vf_aside **moved = vf_arena_alloc(run->fold->arena, count * sizeof *moved);
    for (size_t i = 0; i < count && !code; i++)
        code = look_at(run, page, first + (int64_t)i, &moved[i], error);
    for (size_t i = 0; i < count && !code; i++) /* all are found by their old places yet */
        move_to(run, moved[i], -1 - (first + (int64_t)(i + 1 < count ? i + 1 : 0)), page->key);
    for (size_t i = 0; i < run->adds.count && !code; i++) {
        struct vf_fold_aside *add = run->adds.items[i];
        if (add->aside.place < 0 && vf_bytes_equal(add->aside.list, page->key))
            add->aside.place = -1 - add->aside.place;
    }
    page->next = page->count = 0;
    run->drained += first > record->aside_from ? count : 0;
    return code;
}

/* Its first event could not be taken in as its link is not known. *ret_found: what says it may come before. */
static enum vf_code seek_instead(struct vf_fold_state *run, struct page *page, bool *ret_found, struct vf_error *error)
{
    *ret_found = false;
    if (page->list != VF_LIST_OWN || !page->record->seeks_link)
        return VF_OK;
    enum vf_code code = seek_link(run, page, error);
    *ret_found = !code && page->record->seeks_link;
    return code;
}

/* The event leaves its list for the document, or is parked with its aggregate. */
static enum vf_code release(struct vf_fold_state *run, struct page *page, struct vf_fold_aside *added,
                            const struct vf_aside *aside, struct vf_fold_row *row, struct vf_error *error)
{
    bool found;
    run->drained++;
    run->fold->counts.released++;
    vf_fold_begin_event(run, row);
    run->stays = false;
    enum vf_code code = apply_aside(run, page, aside, row, error);
    if (!code && run->stays) {
        put_back(run, page, added);
        return seek_instead(run, page, &found, error);
    }
    if (!code)
        return VF_OK;
    bool parks = vf_fold_may_park(run, row, error);
    if (parks && page->list != VF_LIST_OWN)
        return vf_fold_park(run, row, error);
    if (parks) {
        struct vf_error why = *error;
        vf_fold_undo(run);
        put_back(run, page, added);
        code = run->unlinked ? seek_instead(run, page, &found, error) : VF_OK;
        if (!code && !(run->unlinked && found))
            park_first(run, page->record, row, &why);
        return code;
    }
    if (run->trouble == VF_TROUBLE_NONE || run->trouble == VF_TROUBLE_FOREIGN)
        run->trouble = VF_TROUBLE_HELD;
    run->fold->drained_before_failed = run->drained - 1;
    return vf_error_prefix(error, "%s/%d@%lld, set aside for %.*s", aside->partition.topic,
                           (int)aside->partition.partition, (long long)aside->offset, (int)page->record->head.key.size,
                           page->record->head.key.data);
}

/* Takes in the first event of the list. */
static enum vf_code release_first(struct vf_fold_state *run, struct page *page, struct vf_error *error)
{
    struct vf_fold_aside *added;
    struct vf_aside *aside;
    struct vf_fold_row *row = vf_arena_calloc(run->fold->arena, 1, sizeof *row);
    enum vf_code code = look_first(run, page, &added, &aside, error);
    if (!code)
        code = read_aside(run, aside, row, error);
    if (!code)
        code = take_first(run, page, added, aside, error);
    if (code) {
        if (run->trouble == VF_TROUBLE_NONE)
            run->trouble = VF_TROUBLE_HELD;
        run->fold->drained_before_failed = run->drained;
        return code;
    }
    if (run->drops_first)
        drop_event(run, row, aside);
    return release(run, page, added, aside, row, error);
}

enum vf_code vf_fold_release_first(struct vf_fold_state *run, struct vf_cached_aggregate *record, enum vf_list list,
                                   struct vf_error *error)
{
    struct page page = {.record = record, .list = list, .key = key_of(run, record, list)};
    return release_first(run, &page, error);
}

/* Takes in the first of the early events, if the hole before it is filled. */
static enum vf_code release_early(struct vf_fold_state *run, struct page *page, struct vf_error *error)
{
    struct vf_cached_aggregate *record = page->record;
    struct vf_fold_aside *added;
    struct vf_aside *aside;
    struct vf_fold_row *row = vf_arena_calloc(run->fold->arena, 1, sizeof *row);
    enum vf_code code = look_first(run, page, &added, &aside, error);
    if (!code)
        code = read_aside(run, aside, row, error);
    if (!code && !row->unreadable)
        code = vf_fold_find_last(run, row, record, error);
    if (code) {
        if (run->trouble == VF_TROUBLE_NONE)
            run->trouble = VF_TROUBLE_HELD;
        return code;
    }
    enum vf_order order = row->unreadable ? VF_NEXT : vf_version_order(&row->event, &row->last);
    bool is_given_up = order == VF_GAP && vf_fold_is_given_up(run, &row->event, &row->last);
    if (order == VF_GAP && !is_given_up && !run->gives_up_missing) {
        if (record->base_draining) /* that is over, until a number comes that fills the hole */
            vf_cached_mark_changed(record);
        record->early_ready = false;
        return VF_OK;
    }
    if (order == VF_GAP && !is_given_up)
        drop_missing(run, row, record);
    code = take_first(run, page, added, aside, error);
    if (code)
        return code;
    /* Else what has come once more by another partition meanwhile would be taken in twice */
    if (order == VF_DUPLICATE) {
        run->fold->counts.duplicates++;
        return VF_OK;
    }
    return release(run, page, added, aside, row, error);
}

static bool is_full(const struct vf_fold_state *run)
{
    const struct vf_fold_tools *tools = run->tools;
    size_t most = tools->rows_max < DRAINED_MAX ? tools->rows_max : DRAINED_MAX;
    return tools->drain_apart || run->drained >= most || vf_fold_is_heavy(run) ||
           tools->clock->monotonic_ms(tools->clock->self) - run->began_ms > VF_FOLD_MS_MAX;
}

/* Where the last version of the aggregate's document is, of one that goes by no link. */
static struct vf_bytes own_document(const struct vf_cached_aggregate *record)
{
    const char *slash = memchr(record->head.key.data, '/', record->head.key.size);
    size_t kind = slash ? (size_t)(slash - record->head.key.data) + 1 : 0;
    return vf_bytes(record->head.key.data + kind, record->head.key.size - kind);
}

/* Nothing of the aggregate waits any more: what has been seen of it has been taken in. */
static enum vf_code settle_record(struct vf_fold_state *run, struct vf_cached_aggregate *record, struct vf_error *error)
{
    if (vf_cached_waits(record) || !record->has_seen)
        return VF_OK;
    vf_cached_mark_changed(record);
    struct vf_cached_document *document = NULL;
    bool in_document = run->tools->projection->versions == VF_VERSIONS_DOCUMENT && !record->link_is_none &&
                       (record->has_link || !record->by_link);
    if (in_document) {
        struct vf_bytes id = record->has_link ? record->link : own_document(record);
        enum vf_code code = vf_fold_need_document(run, id, &document, error);
        if (code)
            return code;
        document->head.changed = true;
    }
    if (run->tools->projection->versions == VF_VERSIONS_NONE)
        vf_cached_forget_seen(record);
    else
        vf_cached_settle_seen(record, document);
    return VF_OK;
}

enum vf_code vf_fold_wake(struct vf_fold_state *run, struct vf_cached_aggregate *record, struct vf_error *error)
{
    if (!vf_cached_is_draining(record))
        return settle_record(run, record, error);
    if (record->queued)
        return VF_OK;
    record->queued = true;
    vf_fold_list_add(run, &run->drains, record);
    return VF_OK;
}

/* Who waits for the link first: an own event behind may say another one. Then the aggregate's own events, until one of them
 * has to wait for another aggregate's link, or fails: what is behind that waits with it. Then what came early, which may be what
 * the others wait for. */
static enum vf_code drain_record(struct vf_fold_state *run, struct vf_cached_aggregate *record, struct vf_error *error)
{
    struct page waiters = {.record = record, .list = VF_LIST_WAITERS, .key = key_of(run, record, VF_LIST_WAITERS)};
    struct page own = {.record = record, .list = VF_LIST_OWN, .key = key_of(run, record, VF_LIST_OWN)};
    struct page early = {.record = record, .list = VF_LIST_EARLY, .key = key_of(run, record, VF_LIST_EARLY)};
    enum vf_code code = VF_OK;
    while (!code && vf_cached_is_draining(record) && !is_full(run)) {
        if (vf_cached_drains_waiters(record)) {
            code = release_first(run, &waiters, error);
        } else if (vf_cached_drains_own(record)) {
            code = release_first(run, &own, error);
            record->early_ready = record->early_count > 0;
        } else {
            code = settle_record(run, record, error);
            code = code ? code : release_early(run, &early, error);
        }
    }
    record->seeks_link &= vf_cached_has_own(record);
    /* GUARD filled-noted: what fills a hole need not write the record, and what waits behind it would wait on, unnoticed */
    if (!code && vf_cached_drains_early(record) && !record->base_draining)
        vf_cached_mark_changed(record);
    return code ? code : settle_record(run, record, error);
}

enum vf_code vf_fold_drain(struct vf_fold_state *run, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    size_t i;
    if (run->is_draining)
        return VF_OK;
    run->is_draining = true;
    /* Draining one record may wake others: they come behind it. */
    for (i = 0; i < run->drains.count && !code; i++) {
        struct vf_cached_aggregate *record = run->drains.items[i];
        code = drain_record(run, record, error);
        record->queued = false;
    }
    for (; i < run->drains.count; i++)
        ((struct vf_cached_aggregate *)run->drains.items[i])->queued = false;
    run->drains.count = 0;
    run->is_draining = false;
    return code;
}
