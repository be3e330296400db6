/* What is set aside: the lists, how events come into them, gaps, and what failed (fold_state.h; docs/protocol.md). How events leave
 * them: draining.c. */
#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>

/* About so many bytes of a list's records are read at once. */
#define PAGE_BYTES ((size_t)1 << 20)

/* Of a revision's early events so many are read at once. */
#define SIBLINGS 64

/* The first place of a list of its own events. What has left such a list may come back to its front. */
#define OWN_PLACE_FIRST ((int64_t)1 << 40)

struct vf_bytes vf_fold_list_of(struct vf_fold_state *run, const struct vf_cached_aggregate *record, enum vf_list list)
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
                               int64_t place, size_t bytes, struct vf_error *error)
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
    run->fold->failed_room_place = place;
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
    struct vf_bytes key = vf_fold_list_of(run, record, list);
    struct vf_buffer bytes;
    vf_buffer_init(&bytes);
    vf_record_encode(&bytes, row->record);
    enum vf_code code = row->reading ? check_room(run, row, key, place, bytes.size, error) : VF_OK;
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
struct vf_fold_aside *vf_fold_find_added(struct vf_fold_state *run, struct vf_bytes list, int64_t place)
{
    for (size_t i = 0; i < run->adds.count; i++) {
        struct vf_fold_aside *add = run->adds.items[i];
        if (!add->left && add->aside.place == place && vf_bytes_equal(add->aside.list, list))
            return add;
    }
    return NULL;
}

enum vf_code vf_fold_load_list(struct vf_fold_state *run, struct vf_bytes list, int64_t place, size_t count,
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

/* Whether it has a place in a list by its number: no place is negative. */
static bool has_place(const struct vf_event *event)
{
    int64_t number = event->version;
    if (event->numbers == VF_NUMBERS_REVISION)
        return number >= VF_EARLY_REVISION_MIN && number <= VF_EARLY_REVISION_MAX;
    return event->numbers == VF_NUMBERS_SEQUENCE && number >= 0 && number <= VF_EARLY_SEQUENCE_MAX;
}

bool vf_fold_may_be_filled(const struct vf_event *event, const struct vf_last *last)
{
    return has_place(event) && (last->exists || event->version > event->first);
}

/* Whether what the store has there has left the list in this batch. */
static bool has_left(const struct vf_fold_state *run, struct vf_bytes key, int64_t place)
{
    for (size_t i = 0; i < run->taken.count; i++) {
        const struct vf_aside *taken = run->taken.items[i];
        if (taken->place == place && vf_bytes_equal(taken->list, key))
            return true;
    }
    return false;
}

/* Whether this event of a list is the same one, of the same revision. */
static bool is_same(struct vf_fold_state *run, const struct vf_aside *aside, const struct vf_event *event)
{
    struct vf_fold_row row;
    struct vf_error ignored;
    return vf_fold_read_aside(run, aside, &row, &ignored) == VF_OK && !row.unreadable &&
           vf_bytes_equal(row.event.event_id, event->event_id);
}

/* Among those of the event's revision, from its first place on. *ret_place: behind the last of them. */
static enum vf_code find_in_revision(struct vf_fold_state *run, struct vf_bytes key, const struct vf_event *event,
                                     bool *ret_there, int64_t *ret_place, struct vf_error *error)
{
    int64_t next = *ret_place, end = next + VF_EARLY_SIBLINGS_MAX;
    enum vf_code code = VF_OK;
    for (size_t i = 0; i < run->adds.count; i++) {
        const struct vf_fold_aside *add = run->adds.items[i];
        if (add->left || add->aside.place < next || add->aside.place >= end || !vf_bytes_equal(add->aside.list, key))
            continue;
        *ret_there |= is_same(run, &add->aside, event);
        *ret_place = add->aside.place >= *ret_place ? add->aside.place + 1 : *ret_place;
    }
    while (!code && !*ret_there && next < end) {
        struct vf_aside *asides;
        size_t count = 0;
        code = vf_fold_load_list(run, key, next, SIBLINGS, &asides, &count, error);
        for (size_t i = 0; i < count && !code && asides[i].place < end; i++) {
            *ret_there |= !has_left(run, key, asides[i].place) && is_same(run, &asides[i], event);
            *ret_place = asides[i].place >= *ret_place ? asides[i].place + 1 : *ret_place;
        }
        next = !code && count > 0 ? asides[count - 1].place + 1 : end;
    }
    return code;
}

enum vf_code vf_fold_is_early(struct vf_fold_state *run, const struct vf_cached_aggregate *record,
                              const struct vf_event *event, bool *ret_there, int64_t *ret_place, struct vf_error *error)
{
    struct vf_aside *found;
    size_t count = 0;
    *ret_there = false;
    *ret_place = 0;
    if (!has_place(event))
        return VF_OK;
    bool is_revision = event->numbers == VF_NUMBERS_REVISION;
    int64_t first = is_revision ? vf_early_place_of_revision(event->version, 0) : event->version;
    int64_t last = is_revision ? first + VF_EARLY_SIBLINGS_MAX - 1 : first;
    *ret_place = first;
    if (record->early_count == 0 || last < record->early_from || first > record->early_last)
        return VF_OK;
    struct vf_bytes key = vf_fold_list_of(run, record, VF_LIST_EARLY);
    if (is_revision) {
        struct vf_arena *arena = run->fold->arena;
        run->fold->arena = vf_arena_new(); /* a batch may ask about many, and each time read all of a revision */
        enum vf_code code = find_in_revision(run, key, event, ret_there, ret_place, error);
        vf_arena_free(run->fold->arena);
        run->fold->arena = arena;
        return code;
    }
    *ret_there = vf_fold_find_added(run, key, first) != NULL;
    if (*ret_there)
        return VF_OK;
    enum vf_code code = vf_fold_load_list(run, key, first, 1, &found, &count, error);
    *ret_there = !code && count > 0 && found->place == first;
    return code;
}

enum vf_code vf_fold_hold_early(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                                struct vf_error *error)
{
    int64_t place;
    bool there;
    enum vf_code code = vf_fold_is_early(run, record, &row->event, &there, &place, error);
    if (code)
        return code;
    /* GUARD early-repeat: a repeat of an event behind a hole would be set aside twice */
    if (there) {
        run->fold->counts.duplicates++;
        return VF_OK;
    }
    bool is_full = !has_place(&row->event) || vf_early_number(place) != row->event.version;
    if (is_full && row->dropped) /* its number is there without it */
        return VF_OK;
    if (is_full) /* it has as many siblings as there may be */
        return vf_version_fail(&row->event, &row->last, VF_UNFIT, error);
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

void vf_fold_park_first(struct vf_fold_state *run, struct vf_cached_aggregate *record, const struct vf_fold_row *row,
                        const struct vf_error *why)
{
    struct vf_failure failure = failure_of(run, why);
    vf_cached_set_parked(record, &failure);
    note_parked(run, row, record, why);
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
    struct vf_bytes key = vf_fold_list_of(run, record, VF_LIST_OWN);
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
    if (code) {
        run->fold->failed_room_itself = !run->unlinked;
        return code;
    }
    if (is_empty)
        record->aside_to++;
    else
        record->aside_from--;
    if (run->is_judged)
        vf_fold_see(run, row, record);
    vf_fold_park_first(run, record, row, why);
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

/* Whether what fails is the repeat of an event that was set aside by another partition, of which nobody knew. */
static bool is_repeat(const struct vf_fold_state *run, const struct vf_fold_row *row,
                      const struct vf_cached_aggregate *record)
{
    struct vf_last seen = {record->has_seen, record->seen, record->seen_more};
    /* GUARD parked-once: a repeat would be parked, too, and nobody could take it in */
    return row->reading && !row->unreadable && seen.exists && run->tools->projection->versions != VF_VERSIONS_NONE &&
           vf_version_order(&row->event, &seen) == VF_DUPLICATE;
}

enum vf_code vf_fold_park(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error)
{
    struct vf_error why = *error;
    struct vf_cached_aggregate *record;
    /* GUARD undo: a handler that fails has changed half of its document */
    vf_fold_undo(run);
    enum vf_code code = vf_fold_need_aggregate(run, name_of(run, row), &record, error);
    if (!code && is_repeat(run, row, record)) {
        record->head.relied_on = true;
        run->fold->counts.duplicates++;
        return VF_OK;
    }
    if (!code)
        code = park(run, row, record, &why, error);
    return code ? code : vf_fold_drain(run, error);
}
