/* Links: how they are made, followed and moved, and what waits for them (fold_state.h; docs/protocol.md). */
#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>

/* So many events of a list are read at once, and about so many bytes of their records. */
#define PAGE_EVENTS 256
#define PAGE_BYTES  ((size_t)1 << 20)

/* So much of a list is gone through at once where an own event of its aggregate stays in it and others' leave it. */
#define REST_EVENTS_MAX 10000
#define REST_BYTES_MAX  ((size_t)4 << 20)

/* A list from which a batch takes at most so many events, whatever else it may take; the rest is for batches of their own. */
#define DRAINED_MAX 1000

static bool has_list(const struct vf_cached_aggregate *record)
{
    return record->aside_to > record->aside_from;
}

static void mark_changed(struct vf_cached_aggregate *record)
{
    record->exists = record->head.changed = true;
}

/* An event that leaves a list has no reading: its order was looked at when it came into it. */
static bool is_held(const struct vf_fold_row *row)
{
    return row->reading == NULL;
}

/* The event is the last one seen: behind what was seen before, or what was taken in last. */
static void see(struct vf_fold_state *run, const struct vf_fold_row *row, struct vf_cached_aggregate *record)
{
    struct vf_last seen = {true, record->seen, record->seen_more};
    vf_cached_set_seen(run->tools->cache, record, &row->event, record->has_seen ? &seen : &row->last);
}

/* --- into a list --------------------------------------------------------------------------------------------------- */

/* What waits for ever would fill the store. */
static enum vf_code check_room(struct vf_fold_state *run, const struct vf_fold_row *row, size_t bytes,
                               struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_aside_total *now = &row->reading->aside_now;
    bool many = tools->aside_max && now->count >= tools->aside_max;
    bool large = tools->aside_bytes_max && now->bytes + (int64_t)bytes > tools->aside_bytes_max;
    if (!many && !large)
        return VF_OK;
    run->fold->failed_room = true;
    row->reading->room_bytes = (int64_t)bytes;
    return vf_fail(error, VF_E_LIMIT,
                   "%lld events of %s/%d (%lld bytes) are held for links that are not known, as many as limits.%s "
                   "allows: the partition waits, and nothing is dropped. Find out why the links do not come (`viewfold "
                   "status`), or raise the limit",
                   (long long)now->count, row->record->topic, (int)row->record->partition, (long long)now->bytes,
                   many ? "aside" : "aside_bytes");
}

/* Puts what `aside` says at the end of the list. */
static void add_aside(struct vf_fold_state *run, struct vf_cached_aggregate *list, struct vf_aside aside)
{
    struct vf_fold_aside *add = vf_arena_calloc(run->fold->arena, 1, sizeof *add);
    add->aside = aside;
    add->aside.list = vf_arena_copy(run->fold->arena, list->head.key);
    add->aside.place = list->aside_to++;
    vf_fold_list_add(run, &run->adds, add);
    run->touched_bytes += aside.record.size;
}

/* Puts the event at the end of a list. `record` is its own aggregate's, `list` whose link it waits for. */
static enum vf_code hold(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                         struct vf_cached_aggregate *list, struct vf_error *error)
{
    struct vf_buffer bytes;
    vf_buffer_init(&bytes);
    vf_record_encode(&bytes, row->record);
    enum vf_code code = is_held(row) ? VF_OK : check_room(run, row, bytes.size, error);
    if (!code) {
        add_aside(run, list,
                  (struct vf_aside){
                      .aggregate = vf_arena_copy(run->fold->arena, row->event.aggregate),
                      .partition = {row->record->topic, row->record->partition},
                      .offset = row->record->offset,
                      .record = vf_arena_bytes(run->fold->arena, bytes.data, bytes.size),
                  });
        mark_changed(list);
        mark_changed(record);
        if (list != record) {
            vf_cached_set_waits_for(record, list->head.key);
            record->draining = false; /* what is in its own list comes behind this now */
        }
    }
    if (!code && !is_held(row)) {
        /* GUARD seen: a repeat of an event that is held is held again, and one behind a hole too */
        see(run, row, record);
        row->reading->folded.aside++;
        row->reading->aside_now.count++;
        row->reading->aside_now.bytes += (int64_t)bytes.size;
        run->fold->counts.held++;
    }
    vf_buffer_done(&bytes);
    return code;
}

/* An event whose link is not known. */
static enum vf_code meet_unlinked(struct vf_fold_state *run, struct vf_fold_row *row,
                                  struct vf_cached_aggregate *record, struct vf_error *error)
{
    const struct vf_projection *projection = run->tools->projection;
    const struct vf_event *event = &row->event;
    switch (projection->unlinked) {
    case VF_UNLINKED_HOLD: return hold(run, row, record, record, error);
    case VF_UNLINKED_IGNORE:
        run->fold->counts.not_for_view++;
        if (projection->versions == VF_VERSIONS_NONE)
            return VF_OK;
        /* GUARD ignored-version: the event behind an ignored one would be a gap */
        mark_changed(record);
        vf_cached_set_record_version(run->tools->cache, record, event, &row->last);
        return VF_OK;
    case VF_UNLINKED_PARK: break;
    }
    return vf_fail(error, VF_E_SCRIPT,
                   "the link of %.*s is not known at this %.*s of %.*s, and the projection says unlinked = \"park\"",
                   (int)record->head.key.size, record->head.key.data, (int)event->type.size, event->type.data,
                   (int)event->aggregate.size, event->aggregate.data);
}

/* --- along a link -------------------------------------------------------------------------------------------------- */

/* The version goes into the record where it lives there: `document` mode keeps it there for aggregates that go nowhere. */
static void enter_record(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record)
{
    if (!vf_version_is_later(&row->event, &row->last))
        return;
    mark_changed(record);
    vf_cached_set_record_version(run->tools->cache, record, &row->event, &row->last);
}

/* Takes the event in where the aggregate is linked to now; `left` is the document that it has just left, or NULL. */
static enum vf_code take_along(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                               struct vf_cached_document *left, struct vf_error *error)
{
    enum vf_versions_mode mode = run->tools->projection->versions;
    if (mode == VF_VERSIONS_RECORD || (mode == VF_VERSIONS_DOCUMENT && record->link_is_none))
        enter_record(run, row, record);
    if (record->link_is_none && !left) {
        run->fold->counts.not_for_view++;
        return VF_OK;
    }
    run->fold->counts.events++;
    if (record->link_is_none)
        return vf_fold_take_out(run, row, left, error);
    return vf_fold_take_in(run, row, record->link, left, error);
}

/* Nothing of the aggregate waits any more: what has been seen of it has been taken in. */
static enum vf_code settle_record(struct vf_fold_state *run, struct vf_cached_aggregate *record, struct vf_error *error)
{
    if (has_list(record) || record->waits_for.size || !(record->draining || record->has_seen))
        return VF_OK;
    mark_changed(record);
    record->draining = false;
    if (!record->has_seen)
        return VF_OK;
    struct vf_cached_document *document = NULL;
    if (run->tools->projection->versions == VF_VERSIONS_DOCUMENT && !record->link_is_none) {
        enum vf_code code = vf_fold_need_document(run, record->link, &document, error);
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

/* The link is known, and what waits for it is to be taken in. */
static enum vf_code wake(struct vf_fold_state *run, struct vf_cached_aggregate *record, struct vf_error *error)
{
    if (!has_list(record))
        return settle_record(run, record, error);
    if (record->queued)
        return VF_OK;
    mark_changed(record);
    record->queued = record->draining = true;
    vf_fold_list_add(run, &run->drains, record);
    return VF_OK;
}

/* Where a linking event says that its aggregate belongs. */
struct target {
    bool is_none;
    struct vf_bytes id; /* borrows from a record, or from the arena */
    struct vf_bytes via;
    struct vf_cached_aggregate *awaited; /* its link is not known yet: nothing else counts */
};

static enum vf_code ask_target(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                               struct target *ret_target, struct vf_error *error)
{
    const struct vf_event *event = &row->event;
    enum vf_code code = vf_fold_ask_route(run, row, error);
    if (code)
        return code;
    *ret_target = (struct target){.is_none = row->routed.count == 0, .via = row->routed.through};
    if (row->routed.count > 1)
        return vf_fail(error, VF_E_SCRIPT, "%.*s: a link says %zu documents; an aggregate is linked to one",
                       (int)event->aggregate.size, event->aggregate.data, row->routed.count);
    if (row->routed.through.size == 0) {
        if (!ret_target->is_none)
            ret_target->id = row->routed.ids[0];
        return VF_OK;
    }
    if (vf_bytes_equal(row->routed.through, event->aggregate))
        return vf_fail(error, VF_E_SCRIPT, "%.*s: its link goes through itself, so that it can never be known",
                       (int)event->aggregate.size, event->aggregate.data);
    /* GUARD followed-once: a later move of the aggregate that was followed would tear its followers apart */
    if (record->has_link && vf_bytes_equal(record->link_via, row->routed.through)) {
        ret_target->is_none = record->link_is_none;
        ret_target->id = record->link;
        return VF_OK;
    }
    struct vf_cached_aggregate *awaited;
    code = vf_fold_need_aggregate(run, row->routed.through, &awaited, error);
    if (code)
        return code;
    /* GUARD awaited-consulted: who writes the awaited link at the same moment would not know what waits for it */
    awaited->head.relied_on = true;
    if (!awaited->has_link)
        ret_target->awaited = awaited;
    ret_target->is_none = awaited->link_is_none;
    ret_target->id = awaited->link;
    return VF_OK;
}

/* An event that says its aggregate's link: it is made, it is as it was, or the aggregate moves. */
static enum vf_code follow(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                           struct vf_error *error)
{
    struct target target;
    enum vf_code code = ask_target(run, row, record, &target, error);
    if (code)
        return code;
    if (target.awaited) /* whatever `unlinked` says: without this event the aggregate would have no link for ever */
        return hold(run, row, record, target.awaited, error);
    bool same = record->has_link && record->link_is_none == target.is_none && vf_bytes_equal(record->link, target.id);
    struct vf_cached_document *left = NULL;
    /* GUARD move: an aggregate that goes to another document leaves nothing behind in the one that it leaves */
    if (record->has_link && !same && !record->link_is_none) {
        code = vf_fold_need_document(run, record->link, &left, error);
        if (code)
            return code;
    }
    if (same && vf_bytes_equal(record->link_via, target.via)) {
        record->head.relied_on = true; /* it is not written again */
    } else {
        struct vf_bytes id = vf_arena_copy(run->fold->arena, target.id);
        vf_cached_set_link(record, id, target.is_none, target.via);
        mark_changed(record);
    }
    code = take_along(run, row, record, left, error);
    if (code)
        return code;
    if (record->has_seen && !is_held(row)) /* it was next to what waits */
        see(run, row, record);
    return wake(run, record, error);
}

/* Whether an event has to come behind others of its aggregate, which wait. */
static bool is_behind(const struct vf_fold_row *row, const struct vf_cached_aggregate *record, bool is_linking)
{
    if (!record->has_seen || is_held(row))
        return false;
    bool waits_for_this = is_linking && !record->has_link && record->waits_for.size == 0;
    return !waits_for_this;
}

/* What is left of the aggregate's list comes before anything new. What decided about the event stays decided; where its
 * aggregate's last version is may have changed. */
static enum vf_code drain_first(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                struct vf_error *error)
{
    enum vf_code code = wake(run, record, error);
    if (!code)
        code = vf_fold_drain(run, error);
    if (!code && record->has_seen)
        row->last = (struct vf_last){true, record->seen, record->seen_more};
    else if (!code)
        code = vf_fold_find_taken(run, row, record, error);
    return code;
}

enum vf_code vf_fold_apply_linked(struct vf_fold_state *run, struct vf_fold_row *row,
                                  struct vf_cached_aggregate *record, struct vf_error *error)
{
    bool is_linking = vf_fold_is_linking(row);
    if (!is_held(row) && record->draining && record->waits_for.size == 0) {
        /* GUARD link-behind-drain: who waits for this link would follow the next one, where its list was too long for a batch */
        enum vf_code code = drain_first(run, row, record, error);
        if (code)
            return code;
    }
    /* GUARD behind-held: an event would overtake those of its aggregate that wait */
    if (is_behind(row, record, is_linking) || (is_linking && !is_held(row) && record->draining))
        return hold(run, row, record, record, error);
    if (is_held(row) || record->has_seen) {
        /* What decided was the last one seen; from here on it is the last one taken in that counts. */
        enum vf_code code = vf_fold_find_taken(run, row, record, error);
        if (code)
            return code;
    }
    if (is_linking)
        return follow(run, row, record, error);
    if (!record->has_link)
        return meet_unlinked(run, row, record, error);
    return take_along(run, row, record, NULL, error);
}

/* --- out of a list ------------------------------------------------------------------------------------------------- */

/* Some of a list, as the store has it. */
struct page {
    struct vf_aside *asides;
    size_t count;
    size_t next;
};

/* What came into the list in this batch: it is in no store yet. */
static struct vf_fold_aside *find_added(struct vf_fold_state *run, struct vf_bytes list, int64_t place)
{
    for (size_t i = 0; i < run->adds.count; i++) {
        struct vf_fold_aside *add = run->adds.items[i];
        if (add->aside.place == place && vf_bytes_equal(add->aside.list, list))
            return add;
    }
    return NULL;
}

/* The records of those whose linking events wait here: in one round trip. */
static enum vf_code foresee_page(struct vf_fold_state *run, const struct page *page, struct vf_error *error)
{
    struct vf_bytes *aggregates = vf_arena_alloc(run->fold->arena, page->count * sizeof *aggregates);
    for (size_t i = 0; i < page->count; i++)
        aggregates[i] = page->asides[i].aggregate;
    return vf_fold_load(run, NULL, 0, aggregates, page->count, error);
}

static enum vf_code load_page(struct vf_fold_state *run, const struct vf_cached_aggregate *list, int64_t place,
                              struct page *page, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    /* What the commit in flight has put into the list is not to be read yet */
    if (tools->in_flight) {
        run->must_settle = true;
        return vf_fail(error, VF_E_UNAVAILABLE, "the commit in flight has to be settled first");
    }
    page->next = 0;
    run->loads->loads++;
    enum vf_code code = tools->store_type->aside_load(tools->store, tools->view, list->head.key, place, PAGE_EVENTS,
                                                      PAGE_BYTES, run->fold->arena, &page->asides, &page->count, error);
    if (code) {
        run->store_failed = code != VF_E_CONFIG && code != VF_E_DATA;
        return code;
    }
    return foresee_page(run, page, error);
}

/* The event at a place of the list; `added` where it came there in this batch. */
static enum vf_code read_place(struct vf_fold_state *run, struct vf_cached_aggregate *list, int64_t place,
                               struct page *page, struct vf_fold_aside *ret_aside, struct vf_error *error)
{
    struct vf_fold_aside *added = find_added(run, list->head.key, place);
    if (added) {
        *ret_aside = (struct vf_fold_aside){.aside = added->aside, .added = added};
        return VF_OK;
    }
    if (page->next == page->count) {
        enum vf_code code = load_page(run, list, place, page, error);
        if (code)
            return code;
    }
    if (page->count == 0 || page->asides[page->next].place != place) {
        run->stale = true;
        return vf_fail(error, VF_E_DATA, "the list of %.*s has nothing at place %lld", (int)list->head.key.size,
                       list->head.key.data, (long long)place);
    }
    *ret_aside = (struct vf_fold_aside){.aside = page->asides[page->next++]};
    ret_aside->aside.list = vf_arena_copy(run->fold->arena, list->head.key);
    return VF_OK;
}

/* The event leaves the first place of its list. */
static void leave_place(struct vf_fold_state *run, struct vf_cached_aggregate *list, const struct vf_fold_aside *aside)
{
    assert(aside->aside.place == list->aside_from);
    list->aside_from++;
    mark_changed(list);
    if (aside->added) {
        aside->added->left = true;
        return;
    }
    struct vf_aside *taken = vf_arena_alloc(run->fold->arena, sizeof *taken);
    *taken = aside->aside;
    vf_fold_list_add(run, &run->taken, taken);
}

static const struct vf_envelope *find_envelope(const struct vf_fold_tools *tools, const char *topic)
{
    for (size_t i = 0; i < tools->topic_count; i++)
        if (strcmp(tools->topics[i].topic, topic) == 0)
            return &tools->topics[i].envelope;
    return NULL;
}

static enum vf_code read_held(struct vf_fold_state *run, const struct vf_aside *aside, struct vf_fold_row **ret_row,
                              struct vf_error *error)
{
    struct vf_arena *arena = run->fold->arena;
    struct vf_record *record = vf_arena_calloc(arena, 1, sizeof *record);
    struct vf_fold_row *row = vf_arena_calloc(arena, 1, sizeof *row);
    enum vf_code code = vf_record_decode(aside->record, arena, record, error);
    if (code)
        return code;
    const struct vf_envelope *envelope = find_envelope(run->tools, record->topic);
    if (!envelope)
        return vf_fail(error, VF_E_CONFIG, "it is of the topic %s, which the projection does not read any more",
                       record->topic);
    row->record = record;
    vf_fold_read_event(run, row, envelope);
    const struct vf_error *wrong = row->unreadable ? row->unreadable : row->not_upcast;
    if (wrong) {
        *error = *wrong;
        return error->code;
    }
    if (!row->route || row->route->route != VF_ROUTE_LINK || !vf_bytes_equal(row->event.aggregate, aside->aggregate))
        return vf_fail(error, VF_E_CONFIG, "topic, envelope or key now say another aggregate than %.*s, or no link",
                       (int)aside->aggregate.size, aside->aggregate.data);
    *ret_row = row;
    return VF_OK;
}

static enum vf_code apply_held(struct vf_fold_state *run, struct vf_cached_aggregate *list,
                               const struct vf_aside *aside, struct vf_error *error)
{
    struct vf_fold_row *row = NULL;
    struct vf_cached_aggregate *record = list;
    enum vf_code code = read_held(run, aside, &row, error);
    if (code)
        return code;
    if (!vf_bytes_equal(aside->aggregate, list->head.key)) {
        code = vf_fold_need_aggregate(run, aside->aggregate, &record, error);
        if (code)
            return code;
        if (!vf_bytes_equal(record->waits_for, list->head.key)) {
            run->stale = true;
            return vf_fail(error, VF_E_DATA, "the record of %.*s does not wait for %.*s", (int)aside->aggregate.size,
                           aside->aggregate.data, (int)list->head.key.size, list->head.key.data);
        }
        vf_cached_set_waits_for(record, (struct vf_bytes){0});
        mark_changed(record);
    }
    return vf_fold_apply_linked(run, row, record, error);
}

static bool is_full(const struct vf_fold_state *run)
{
    const struct vf_fold_tools *tools = run->tools;
    size_t most = tools->rows_max < DRAINED_MAX ? tools->rows_max : DRAINED_MAX;
    return tools->drain_apart || run->drained >= most || vf_fold_is_heavy(run) ||
           tools->clock->monotonic_ms(tools->clock->self) - run->began_ms > VF_FOLD_MS_MAX;
}

/* Takes in an event that has left the list. */
static enum vf_code release(struct vf_fold_state *run, struct vf_cached_aggregate *list, const struct vf_aside *aside,
                            struct vf_error *error)
{
    run->drained++;
    run->fold->counts.released++;
    enum vf_code code = apply_held(run, list, aside, error);
    if (!code)
        return VF_OK;
    run->drain_failed = !run->store_failed && !run->must_settle && !run->stale;
    run->fold->drained_before_failed = run->drained - 1;
    return vf_error_prefix(error, "%s/%d@%lld, held for %.*s", aside->partition.topic, (int)aside->partition.partition,
                           (long long)aside->offset, (int)list->head.key.size, list->head.key.data);
}

/* All that is left in the list, without taking any of it. *ret_all NULL: it is too much for one batch. */
static enum vf_code look_at_rest(struct vf_fold_state *run, struct vf_cached_aggregate *list,
                                 struct vf_fold_list *ret_rest, bool *ret_too_much, struct vf_error *error)
{
    size_t bytes = 0;
    struct page page = {0};
    *ret_too_much = list->aside_to - list->aside_from > REST_EVENTS_MAX;
    for (int64_t place = list->aside_from; place < list->aside_to && !*ret_too_much; place++) {
        struct vf_fold_aside *rest = vf_arena_calloc(run->fold->arena, 1, sizeof *rest);
        enum vf_code code = read_place(run, list, place, &page, rest, error);
        if (code)
            return code;
        vf_fold_list_add(run, ret_rest, rest);
        bytes += rest->aside.record.size;
        *ret_too_much = bytes > REST_BYTES_MAX;
    }
    return VF_OK;
}

static bool is_other(const struct vf_fold_aside *one, const struct vf_cached_aggregate *list)
{
    return !vf_bytes_equal(one->aside.aggregate, list->head.key);
}

static size_t count_others(const struct vf_fold_list *rest, const struct vf_cached_aggregate *list)
{
    size_t count = 0;
    for (size_t i = 0; i < rest->count; i++)
        count += is_other(rest->items[i], list);
    return count;
}

/* The aggregate has a link, and its next one has to wait for another aggregate: what is behind that in its list and is its own
 * waits with it, but others wait only for the link that is known. All of the list is gone through, as its own events have to
 * stay in order: they go to the end, and so does what a batch does not take of the others, which is the next one's. */
static enum vf_code let_others_go(struct vf_fold_state *run, struct vf_cached_aggregate *list, struct vf_error *error)
{
    struct vf_fold_list rest = {0};
    bool too_much;
    enum vf_code code = look_at_rest(run, list, &rest, &too_much, error);
    if (code)
        return code;
    mark_changed(list);
    size_t others = too_much ? 0 : count_others(&rest, list), gone = 0;
    /* GUARD let-others-go: who waits behind an own event that waits itself waits for ever */
    for (size_t i = 0; i < rest.count && others > 0 && !code; i++) {
        struct vf_fold_aside *one = rest.items[i];
        leave_place(run, list, one);
        if (!is_other(one, list) || (gone > 0 && is_full(run))) { /* one at least: what only goes round gets nowhere */
            add_aside(run, list, one->aside);
            continue;
        }
        code = release(run, list, &one->aside, error);
        gone++;
    }
    list->draining = gone < others;
    return code;
}

static enum vf_code drain_list(struct vf_fold_state *run, struct vf_cached_aggregate *list, struct vf_error *error)
{
    struct page page = {0};
    bool some = false;
    while (has_list(list) && list->waits_for.size == 0 && !is_full(run)) {
        struct vf_fold_aside next = {0};
        enum vf_code code = read_place(run, list, list->aside_from, &page, &next, error);
        if (code)
            return code;
        leave_place(run, list, &next);
        code = release(run, list, &next.aside, error);
        if (code)
            return code;
        some = true;
    }
    if (list->waits_for.size && some) {
        list->draining =
            has_list(list); /* the others are for a batch of their own: one that fails holds up nothing before it */
    } else if (list->waits_for.size && !is_full(run)) {
        enum vf_code code = let_others_go(run, list, error);
        if (code)
            return code;
    }
    return settle_record(run, list, error);
}

enum vf_code vf_fold_drain(struct vf_fold_state *run, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    size_t i;
    /* Draining one list may wake others: they come behind it. */
    for (i = 0; i < run->drains.count && !code; i++) {
        struct vf_cached_aggregate *list = run->drains.items[i];
        code = drain_list(run, list, error);
        list->queued = false;
    }
    for (; i < run->drains.count; i++)
        ((struct vf_cached_aggregate *)run->drains.items[i])->queued = false;
    run->drains.count = 0;
    return code;
}
