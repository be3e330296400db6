/* What leaves the lists of aggregates, and in which order: by retries, by drops, and where what was missing has come (fold_state.h;
 * docs/protocol.md). */
#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>

#define PAGE_EVENTS 256 /* of a list are read at once */

/* So many events an event is brought forward past in one batch. */
#define SOUGHT_MAX 500

/* A list from which a batch takes at most so many events, whatever else it may take; the rest is for batches of their own. */
#define DRAINED_MAX 1000

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
    enum vf_code code = vf_fold_load_list(run, page->key, place, PAGE_EVENTS, &page->asides, &page->count, error);
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

/* What is at this place of the list: in the store, or, as ret_added says, come into it in this batch. */
static enum vf_code look_at(struct vf_fold_state *run, struct page *page, int64_t place,
                            struct vf_fold_aside **ret_added, struct vf_aside **ret_aside, struct vf_error *error)
{
    *ret_added = vf_fold_find_added(run, page->key, place);
    if (*ret_added) {
        *ret_aside = &(*ret_added)->aside;
        return VF_OK;
    }
    while (page->next < page->count && page->asides[page->next].place < place)
        page->next++;
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

enum vf_code vf_fold_read_aside(struct vf_fold_state *run, const struct vf_aside *aside, struct vf_fold_row *row,
                                struct vf_error *error)
{
    struct vf_arena *arena = run->fold->arena;
    struct vf_record *record = vf_arena_calloc(arena, 1, sizeof *record);
    enum vf_code code = vf_record_decode(aside->record, arena, record, error);
    if (code)
        return code;
    *row = (struct vf_fold_row){.record = record, .envelope = vf_fold_find_envelope(run->tools, record->topic)};
    if (!row->envelope)
        return vf_fail(
            error, VF_E_CONFIG,
            "it is of the topic %s, which the projection does not read any more: let it read that topic again, "
            "or build the view anew",
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
    bool is_nothing = row->unreadable || vf_is_nobodys(aside->aggregate);
    run->drops_first = false;
    row->dropped = true;
    drop(run, (struct vf_dropped){.aggregate = aside->aggregate,
                                  .partition = aside->partition,
                                  .offset = aside->offset,
                                  .timestamp_ms = row->record->timestamp_ms,
                                  .identity = is_nothing ? 0 : vf_event_identity(&row->event),
                                  .error = vf_arena_copy(run->fold->arena, run->dropped_error)});
}

/* Somebody has decided that the numbers before this event are not waited for any more. */
static void drop_missing(struct vf_fold_state *run, const struct vf_fold_row *row, struct vf_cached_aggregate *record)
{
    record->early_asked = true; /* what is there is wanted */
    drop(run, (struct vf_dropped){.aggregate = record->head.key,
                                  .missing_from = vf_fold_next(run, &row->event, &row->last),
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
    enum vf_order order = code ? VF_NEXT : vf_fold_order(run, &row->event, &row->last);
    struct vf_last seen = {record->has_seen, record->seen, record->seen_more};
    bool may_be_filled = order == VF_GAP && vf_fold_may_be_filled(&row->event, &row->last);
    /* GUARD judged-before: an event that says the link would wait for those before it, which wait for the link; and one behind
     * numbers that were given up, or are not waited for, for these */
    bool is_beyond = order == VF_GAP && (row->last.exists || row->event.version > row->event.first);
    bool was_next = is_beyond && vf_version_order(&row->event, &seen) == VF_DUPLICATE;
    bool is_next = order == VF_NEXT || was_next;
    bool is_new = row->event.numbers == VF_NUMBERS_REVISION && vf_version_order(&row->event, &seen) != VF_DUPLICATE;
    /* GUARD own-behind-early: what could not be read would pass what came before it, and that be passed as a repeat */
    if (!code && is_next && is_new && vf_cached_is_behind_early(record, &row->event)) {
        *ret_done = true;
        return vf_fold_hold_early(run, row, record, error);
    }
    if (code || is_next)
        return code;
    /* What is dropped and is not next leaves nothing behind: its number is missing, or was passed. */
    *ret_done = row->dropped || (order == VF_DUPLICATE && vf_version_is_last(&row->event, &row->last));
    if (*ret_done) {
        run->fold->counts.duplicates += order == VF_DUPLICATE;
        return VF_OK;
    }
    if (order == VF_DUPLICATE && record->by_link)
        return VF_OK; /* the event that said the link may have come past it */
    *ret_done = may_be_filled;
    if (may_be_filled)
        return vf_fold_hold_early(run, row, record, error);
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
    if (row->overtaken)
        return vf_version_fail(&row->event, &row->last, VF_DUPLICATE, error);
    /* What came early is next to what waits: as if it came now. */
    /* GUARD early-link: what waits for a link would be waited for by what says it */
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

/* --- the event that says the link ------------------------------------------------------------------------------------ */

/* Whether it can be told what the event is next to: nobody would have waited for another one (linking.c). */
static bool has_place(struct vf_fold_state *run, struct vf_fold_row *row, const struct vf_cached_aggregate *record)
{
    struct vf_error ignored;
    if (row->event.numbers == VF_NUMBERS_OFFSET || run->tools->projection->versions == VF_VERSIONS_NONE)
        return true;
    if (vf_fold_find_last(run, row, record, &ignored))
        return false;
    enum vf_order order = vf_fold_order(run, &row->event, &row->last);
    return order == VF_NEXT || order == VF_DUPLICATE;
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
        struct vf_fold_aside *added;
        struct vf_aside *aside;
        struct vf_fold_row row;
        struct vf_error ignored;
        code = look_at(run, page, place, &added, &aside, error);
        if (code || vf_fold_read_aside(run, aside, &row, &ignored) || row.unreadable || row.not_upcast ||
            !vf_fold_is_linking(&row))
            continue;
        /* GUARD sought-placed: an event that cannot be taken in would come before the one that says the link, and hold it up */
        if (!has_place(run, &row, page->record))
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
    struct vf_fold_aside *added = vf_fold_find_added(run, key, aside->place);
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
    struct vf_fold_aside *added;
    for (size_t i = 0; i < count && !code; i++)
        code = look_at(run, page, first + (int64_t)i, &added, &moved[i], error);
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
            vf_fold_park_first(run, page->record, row, &why);
        return code;
    }
    if (run->trouble == VF_TROUBLE_NONE || run->trouble == VF_TROUBLE_FOREIGN)
        run->trouble = VF_TROUBLE_HELD;
    run->fold->drained_before_failed = run->drained - 1;
    return vf_error_prefix(error, "%s/%d@%lld, set aside for %.*s", aside->partition.topic,
                           (int)aside->partition.partition, (long long)aside->offset, (int)page->record->head.key.size,
                           page->record->head.key.data);
}

/* The first event of the list cannot leave it: not for anything before it, which a batch of its own may take in. */
static enum vf_code fail_first(struct vf_fold_state *run, enum vf_code code)
{
    if (run->trouble == VF_TROUBLE_NONE)
        run->trouble = VF_TROUBLE_HELD;
    run->fold->drained_before_failed = run->drained;
    return code;
}

static enum vf_code read_first(struct vf_fold_state *run, struct page *page, struct vf_fold_aside **ret_added,
                               struct vf_aside **ret_aside, struct vf_fold_row *row, struct vf_error *error)
{
    enum vf_code code = look_at(run, page, *first_place(page), ret_added, ret_aside, error);
    return code ? code : vf_fold_read_aside(run, *ret_aside, row, error);
}

/* Takes in the first event of the list. */
static enum vf_code release_first(struct vf_fold_state *run, struct page *page, struct vf_error *error)
{
    struct vf_fold_aside *added;
    struct vf_aside *aside;
    struct vf_fold_row *row = vf_arena_calloc(run->fold->arena, 1, sizeof *row);
    enum vf_code code = read_first(run, page, &added, &aside, row, error);
    if (!code)
        code = take_first(run, page, added, aside, error);
    if (code)
        return fail_first(run, code);
    if (run->drops_first)
        drop_event(run, row, aside);
    return release(run, page, added, aside, row, error);
}

enum vf_code vf_fold_release_first(struct vf_fold_state *run, struct vf_cached_aggregate *record, enum vf_list list,
                                   struct vf_error *error)
{
    struct page page = {.record = record, .list = list, .key = vf_fold_list_of(run, record, list)};
    return release_first(run, &page, error);
}

/* Whether the first of the early events is taken in although numbers are missing before it, or may be. */
static bool is_allowed(const struct vf_fold_state *run, const struct vf_fold_row *row,
                       const struct vf_cached_aggregate *record)
{
    /* GUARD allowed-late: what fills the gap lies in the log, and is passed by who has not read so far */
    bool has_read = run->rows || run->tools->has_read_all;
    if (row->event.numbers == VF_NUMBERS_REVISION && run->rows)
        has_read = run->passing == record && row->event.version <= run->passing_to;
    return row->envelope->gaps_allowed && has_read;
}

/* Nobody can tell whether all events of the revision before it have come: those that come later would be passed as repeats. */
static bool is_vouched_for(const struct vf_cached_aggregate *record)
{
    /* GUARD asked-to: of a revision that came since it was asked for, it would be said that all of it is there */
    return !vf_early_is_asked_for(record->early_from) ||
           (record->early_asked && vf_early_number(record->early_from) <= record->early_asked_to);
}

/* Takes in the first of the early events, if the hole before it is filled. */
static enum vf_code release_early(struct vf_fold_state *run, struct page *page, struct vf_error *error)
{
    struct vf_cached_aggregate *record = page->record;
    struct vf_fold_aside *added;
    struct vf_aside *aside;
    struct vf_fold_row *row = vf_arena_calloc(run->fold->arena, 1, sizeof *row);
    enum vf_code code = read_first(run, page, &added, &aside, row, error);
    if (!code && !row->unreadable)
        code = vf_fold_find_last(run, row, record, error);
    /* GUARD early-unreadable: what fills the hole would fail for what is behind it, which cannot be read any more */
    if (code)
        return fail_first(run, code);
    enum vf_order order = row->unreadable ? VF_NEXT : vf_fold_order(run, &row->event, &row->last);
    /* GUARD allowed-early: what came early waits on when gaps are allowed now */
    bool allowed = is_allowed(run, row, record);
    bool gives_up = order == VF_GAP && !allowed && run->gives_up_missing;
    /* GUARD gives-up-first: of a hole that is filled, the next one would be given up */
    run->gives_up_missing = false;
    bool is_missing = order == VF_GAP && !allowed && !gives_up;
    run->fold->counts.gaps += allowed && order == VF_GAP;
    /* GUARD revision-asked: a transaction's second event would be lost where its first one fills the hole */
    if (is_missing || (order == VF_NEXT && !allowed && !is_vouched_for(record))) {
        if (record->base_draining) /* that is over, until a number comes that fills the hole */
            vf_cached_mark_changed(record);
        record->early_ready = record->early_asked = false;
        return VF_OK;
    }
    if (gives_up)
        drop_missing(run, row, record);
    code = take_first(run, page, added, aside, error);
    if (code)
        return fail_first(run, code);
    /* GUARD early-overtaken: of a revision it may not be a repeat, and would be lost, unsaid */
    row->overtaken = order == VF_DUPLICATE && row->event.numbers == VF_NUMBERS_REVISION && !allowed &&
                     vf_version_order(&row->event, &row->last) == VF_DUPLICATE &&
                     !vf_version_is_last(&row->event, &row->last);
    /* Else what has come once more by another partition meanwhile would be taken in twice */
    if (order == VF_DUPLICATE && !row->overtaken) {
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
    struct page waiters = {
        .record = record, .list = VF_LIST_WAITERS, .key = vf_fold_list_of(run, record, VF_LIST_WAITERS)};
    struct page own = {.record = record, .list = VF_LIST_OWN, .key = vf_fold_list_of(run, record, VF_LIST_OWN)};
    struct page early = {.record = record, .list = VF_LIST_EARLY, .key = vf_fold_list_of(run, record, VF_LIST_EARLY)};
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
