#include "core/versions.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* --- the rule ----------------------------------------------------------------------------------------------------- */

static bool has_text(const struct vf_last *last)
{
    return last->more && last->more->text.size > 0;
}

/* Whether the id is among packed ones, the first `skipped` left out. */
static bool is_among(struct vf_bytes packed, struct vf_bytes wanted, uint32_t skipped)
{
    struct vf_bytes id;
    while (vf_event_ids_next(&packed, &id)) {
        if (skipped > 0)
            skipped--;
        else if (vf_bytes_equal(id, wanted))
            return true;
    }
    return false;
}

static enum vf_order sequence_order(const struct vf_event *event, const struct vf_last *last)
{
    if (!last->exists) {
        /* GUARD rule-first: an aggregate whose first events are missing begins in the middle */
        if (event->first_any || event->version == event->first)
            return VF_NEXT;
        return VF_GAP;
    }
    /* GUARD rule-duplicate: an event that a producer sent twice, or that is read again, would be counted twice */
    if (event->version <= last->version)
        return VF_DUPLICATE;
    /* version is greater than last here, so that version - 1 does not overflow. */
    /* GUARD rule-gap: an event that came before its predecessor would be taken in, and the predecessor skipped as a duplicate */
    if (event->version - 1 != last->version)
        return VF_GAP;
    return VF_NEXT;
}

static enum vf_order revision_order(const struct vf_event *event, const struct vf_last *last)
{
    /* GUARD rule-revision-id: what has no id, or one too long, cannot be told from its siblings when it comes again */
    if (event->event_id.size == 0 || event->event_id.size > VF_ID_BYTES_MAX)
        return VF_UNFIT;
    if (!last->exists || event->version != last->version)
        return sequence_order(event, last);
    /* GUARD rule-no-ids: an event that was taken in while numbers were said to be a sequence would be taken in again */
    if (!last->more || last->more->is_window)
        return VF_DUPLICATE;
    /* GUARD rule-repeat: a repeat of an event of the last transaction would be taken for a sibling, and counted twice */
    if (is_among(last->more->ids, event->event_id, 0))
        return VF_DUPLICATE;
    /* GUARD rule-siblings: an entry would grow with every event that a producer gives the same number */
    if (last->more->id_count >= VF_REPEATS_MAX)
        return VF_UNFIT;
    return VF_NEXT;
}

static enum vf_order ordered_order(const struct vf_event *event, const struct vf_last *last)
{
    if (!last->exists)
        return VF_NEXT;
    if (event->version_text.size == 0)
        return event->version > last->version ? VF_NEXT : VF_DUPLICATE;
    /* GUARD rule-length: "100" is less than "99" byte by byte, so every number with one digit more would be lost */
    if (event->version_text.size != last->more->text.size)
        return VF_UNFIT;
    return vf_bytes_compare(event->version_text, last->more->text) > 0 ? VF_NEXT : VF_DUPLICATE;
}

/* What tells an event from the aggregate's others, whatever their numbers. */
static struct vf_bytes repeat_id(const struct vf_event *event)
{
    return event->repeat_id.size > 0 ? event->repeat_id : event->event_id;
}

static bool is_in_window(const struct vf_event *event, const struct vf_last *last)
{
    if (!last->exists || !last->more || !last->more->is_window)
        return false;
    uint32_t kept = (uint32_t)event->repeats;
    uint32_t forgotten = last->more->id_count > kept ? last->more->id_count - kept : 0;
    return is_among(last->more->ids, repeat_id(event), forgotten);
}

static enum vf_order offset_order(const struct vf_event *event, const struct vf_last *last)
{
    if (event->repeats > 0 && repeat_id(event).size > 0) {
        if (repeat_id(event).size > VF_ID_BYTES_MAX)
            return VF_UNFIT;
        /* GUARD rule-window: an event that its producer sent again, with a new offset, would be counted twice */
        if (is_in_window(event, last))
            return VF_DUPLICATE;
    }
    /* GUARD rule-offset: of an aggregate in two partitions, events of the one with the lower offsets would be lost as duplicates */
    if (last->exists && event->version <= last->version)
        return VF_UNFIT;
    return VF_NEXT;
}

enum vf_order vf_version_order(const struct vf_event *event, const struct vf_last *last)
{
    /* GUARD rule-form: a string and an integer would be compared as if one of them were 0 */
    if (last->exists && (event->version_text.size > 0) != has_text(last))
        return VF_UNFIT;
    switch (event->numbers) {
    case VF_NUMBERS_SEQUENCE: return sequence_order(event, last);
    case VF_NUMBERS_OFFSET: return offset_order(event, last);
    case VF_NUMBERS_REVISION: return revision_order(event, last);
    case VF_NUMBERS_ORDERED: return ordered_order(event, last);
    }
    return VF_UNFIT;
}

bool vf_version_is_later(const struct vf_event *event, const struct vf_last *last)
{
    if (!last->exists)
        return true;
    if (event->version_text.size > 0)
        return !has_text(last) || vf_bytes_compare(event->version_text, last->more->text) > 0;
    if (event->numbers == VF_NUMBERS_REVISION && event->version == last->version)
        return !last->more || !is_among(last->more->ids, event->event_id, 0);
    return event->version > last->version;
}

bool vf_version_is_last(const struct vf_event *event, const struct vf_last *last)
{
    if (event->version_text.size > 0)
        return has_text(last) && vf_bytes_equal(event->version_text, last->more->text);
    return last->exists && event->version == last->version;
}

static void hash_bytes(XXH64_state_t *state, struct vf_bytes bytes)
{
    uint64_t size = bytes.size;
    XXH64_update(state, &size, sizeof size);
    if (bytes.size > 0)
        XXH64_update(state, bytes.data, bytes.size);
}

uint64_t vf_event_identity(const struct vf_event *event)
{
    const struct vf_record *record = event->record;
    bool is_place = event->numbers == VF_NUMBERS_OFFSET;
    struct vf_bytes id = is_place ? repeat_id(event) : event->event_id;
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    hash_bytes(&state, event->aggregate);
    hash_bytes(&state, event->type);
    if (is_place && (event->repeats == 0 || id.size == 0)) { /* nothing is remembered: a copy is another event */
        XXH64_update(&state, &record->partition, sizeof record->partition);
        hash_bytes(&state, vf_bytes_from(record->topic));
        id = (struct vf_bytes){0};
    }
    if (!is_place || id.size == 0)
        XXH64_update(&state, &event->version, sizeof event->version);
    hash_bytes(&state, event->version_text);
    hash_bytes(&state, id);
    if (id.size == 0)
        hash_bytes(&state, record->value);
    uint64_t identity = XXH64_digest(&state);
    return identity ? identity : 1;
}

/* --- what is remembered ------------------------------------------------------------------------------------------- */

struct vf_version_more *vf_version_more_after(const struct vf_event *event, const struct vf_last *last,
                                              struct vf_buffer *scratch)
{
    struct vf_version_more next = {.text = event->version_text};
    const struct vf_version_more *before = last->exists ? last->more : NULL;
    struct vf_bytes event_id = event->numbers == VF_NUMBERS_OFFSET ? repeat_id(event) : event->event_id;
    vf_buffer_clear(scratch);
    if (event->numbers == VF_NUMBERS_REVISION) {
        /* GUARD ids-of-version: siblings that were taken in before this one would be forgotten */
        if (before && !before->is_window && last->version == event->version) {
            vf_buffer_add_bytes(scratch, before->ids);
            next.id_count = before->id_count;
        }
    } else if (event->numbers == VF_NUMBERS_OFFSET && event->repeats > 0) {
        next.is_window = true;
        if (before && before->is_window) {
            struct vf_bytes kept = before->ids, id;
            uint32_t count = before->id_count;
            uint32_t room = (uint32_t)event->repeats - (event_id.size > 0 ? 1 : 0);
            /* GUARD window-bound: an aggregate's entry would grow with every event */
            while (count > room && vf_event_ids_next(&kept, &id))
                count--;
            vf_buffer_add_bytes(scratch, kept);
            next.id_count = count;
        }
    } else {
        return vf_version_more_copy(NULL, &next);
    }
    if (event_id.size > 0) {
        vf_event_ids_add(scratch, event_id);
        next.id_count++;
    }
    next.ids = vf_bytes(scratch->data, scratch->size);
    return vf_version_more_copy(NULL, &next);
}

/* --- saying what is wrong ----------------------------------------------------------------------------------------- */

#define SHOWN_BYTES_MAX 64

static int shown(struct vf_bytes text)
{
    return text.size < SHOWN_BYTES_MAX ? (int)text.size : SHOWN_BYTES_MAX;
}

static enum vf_code fail_gap(const struct vf_event *event, const struct vf_last *last, struct vf_error *error)
{
    bool revision = event->numbers == VF_NUMBERS_REVISION;
    const char *name = revision ? "revision" : "sequence";
    const char *instead = revision ? "`numbers: offset` with an event_id" : "`numbers: ordered`";
    if (last->exists)
        return vf_fail(
            error, VF_E_DATA,
            "%.*s: a gap: version %lld came after %lld, and numbers of this topic are mapped as a %s without "
            "holes. If they may have holes, map them as what they are (%s) and build the view anew",
            (int)event->aggregate.size, event->aggregate.data, (long long)event->version, (long long)last->version,
            name, instead);
    if (event->version < 0)
        return vf_fail(
            error, VF_E_DATA,
            "%.*s: a gap: its first version here is %lld, and the first number of a %s is %lld; no number is "
            "negative. Look at the mapping of the version, or at who sends it",
            (int)event->aggregate.size, event->aggregate.data, (long long)event->version, name,
            (long long)event->first);
    return vf_fail(
        error, VF_E_DATA,
        "%.*s: a gap: its first version here is %lld, and the first number of a %s is %lld. Where numbers "
        "begin elsewhere, set `first`; where the log no longer begins at its beginning and that is right, set "
        "`history: partial` for the topic",
        (int)event->aggregate.size, event->aggregate.data, (long long)event->version, name, (long long)event->first);
}

static enum vf_code fail_form(const struct vf_event *event, const struct vf_last *last, struct vf_error *error)
{
    static const char advice[] =
        "Map the version so that all numbers of an aggregate have one form, and build the view anew";
    struct vf_bytes aggregate = event->aggregate, text = event->version_text;
    if (text.size == 0)
        return vf_fail(error, VF_E_DATA,
                       "%.*s: version %lld is an integer, and the last one taken in is the string \"%.*s\". %s",
                       (int)aggregate.size, aggregate.data, (long long)event->version, shown(last->more->text),
                       last->more->text.data, advice);
    if (!has_text(last))
        return vf_fail(error, VF_E_DATA,
                       "%.*s: version \"%.*s\" is a string, and the last one taken in is the integer %lld. %s",
                       (int)aggregate.size, aggregate.data, shown(text), text.data, (long long)last->version, advice);
    return vf_fail(
        error, VF_E_DATA,
        "%.*s: version \"%.*s\" has %zu bytes, and the last one taken in, \"%.*s\", has %zu: `ordered` strings are compared "
        "byte by byte, so they must be of one length. If they are decimal digits, map them with `as: int`; else the "
        "producer has to pad them",
        (int)aggregate.size, aggregate.data, shown(text), text.data, text.size, shown(last->more->text),
        last->more->text.data, last->more->text.size);
}

static enum vf_code fail_id(const struct vf_event *event, struct vf_error *error)
{
    struct vf_bytes aggregate = event->aggregate;
    if (event->event_id.size == 0)
        return vf_fail(error, VF_E_DATA,
                       "%.*s: version %lld has no event id, and with `revision` numbers it is what tells a repeat from "
                       "another event of the same version: map `event_id`",
                       (int)aggregate.size, aggregate.data, (long long)event->version);
    size_t size = event->numbers == VF_NUMBERS_OFFSET ? repeat_id(event).size : event->event_id.size;
    if (size > VF_ID_BYTES_MAX)
        return vf_fail(error, VF_E_DATA, "%.*s: the event id of version %lld has %zu bytes, at most %d are remembered",
                       (int)aggregate.size, aggregate.data, (long long)event->version, size, VF_ID_BYTES_MAX);
    return vf_fail(error, VF_E_DATA,
                   "%.*s: more than %d events have version %lld, and no more event ids are remembered of one version. "
                   "Is the version mapped to the aggregate's own number?",
                   (int)aggregate.size, aggregate.data, VF_REPEATS_MAX, (long long)event->version);
}

static enum vf_code fail_offset(const struct vf_event *event, const struct vf_last *last, struct vf_error *error)
{
    return vf_fail(
        error, VF_E_DATA,
        "%.*s: offset %lld is not behind %lld, the last one taken in, and yet the view has not dealt with it: the "
        "events of this aggregate lie in more than one partition, and offsets say nothing of the order between "
        "them. Produce them with the aggregate as the record's key, or map a version; where their order does not "
        "matter, say versions = \"none\" in the projection. If the store was restored from a copy whose documents "
        "are newer than its progress, build the view anew",
        (int)event->aggregate.size, event->aggregate.data, (long long)event->version - 1, (long long)last->version - 1);
}

static enum vf_code fail_overtaken(const struct vf_event *event, const struct vf_last *last, struct vf_error *error)
{
    struct vf_bytes aggregate = event->aggregate, text = event->version_text;
    static const char advice[] = "taken in now, it would come after them. Leave it out (`viewfold parked drop`), or "
                                 "build the view anew";
    if (text.size > 0)
        return vf_fail(error, VF_E_DATA,
                       "%.*s: events behind its version \"%.*s\" have been taken in, up to \"%.*s\": %s",
                       (int)aggregate.size, aggregate.data, shown(text), text.data, shown(last->more->text),
                       last->more->text.data, advice);
    return vf_fail(error, VF_E_DATA, "%.*s: events behind its version %lld have been taken in, up to %lld: %s",
                   (int)aggregate.size, aggregate.data, (long long)event->version, (long long)last->version, advice);
}

enum vf_code vf_version_fail(const struct vf_event *event, const struct vf_last *last, enum vf_order order,
                             struct vf_error *error)
{
    if (order == VF_GAP)
        return fail_gap(event, last, error);
    if (order == VF_DUPLICATE)
        return fail_overtaken(event, last, error);
    if (last->exists && (event->version_text.size > 0 || has_text(last)))
        return fail_form(event, last, error);
    if (event->numbers == VF_NUMBERS_OFFSET && repeat_id(event).size <= VF_ID_BYTES_MAX)
        return fail_offset(event, last, error);
    return fail_id(event, error);
}
