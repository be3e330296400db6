/* Links: how they are made, followed and moved, and what waits for them (fold_state.h; docs/protocol.md). */
#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>

/* An event whose link is not known. */
static enum vf_code meet_unlinked(struct vf_fold_state *run, struct vf_fold_row *row,
                                  struct vf_cached_aggregate *record, struct vf_error *error)
{
    const struct vf_projection *projection = run->tools->projection;
    const struct vf_event *event = &row->event;
    switch (row->dropped ? VF_UNLINKED_IGNORE : projection->unlinked) {
    case VF_UNLINKED_HOLD: return vf_fold_hold_behind(run, row, record, error);
    case VF_UNLINKED_IGNORE:
        run->fold->counts.not_for_view++;
        if (projection->versions == VF_VERSIONS_NONE)
            return VF_OK;
        /* GUARD ignored-version: the event behind an ignored one would be a gap */
        vf_cached_mark_changed(record);
        vf_cached_set_record_version(run->tools->cache, record, event, &row->last);
        return VF_OK;
    case VF_UNLINKED_PARK: break;
    }
    run->unlinked = true; /* no script is to blame, and its link may come past it */
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
    vf_cached_mark_changed(record);
    vf_cached_set_record_version(run->tools->cache, record, &row->event, &row->last);
}

/* Takes the event in where the aggregate is linked to from now on (is_none: nowhere); `left` is the document that it has just
 * left, or NULL. */
static enum vf_code take_along(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record,
                               struct vf_bytes id, bool is_none, struct vf_cached_document *left,
                               struct vf_error *error)
{
    enum vf_versions_mode mode = run->tools->projection->versions;
    enum vf_code code = VF_OK;
    if (!is_none) {
        code = vf_fold_take_in(run, row, id, left, error);
    } else if (left) {
        row->last.more = vf_version_more_copy(run->fold->arena, row->last.more); /* it borrows from what is left */
        code = vf_fold_take_out(run, row, left, error);
    }
    if (code)
        return code;
    if (is_none && !left)
        run->fold->counts.not_for_view++;
    else
        run->fold->counts.events++;
    if (mode == VF_VERSIONS_RECORD || (mode == VF_VERSIONS_DOCUMENT && is_none))
        enter_record(run, row, record);
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
        return vf_fold_hold_for(run, row, record, target.awaited, error);
    bool same = record->has_link && record->link_is_none == target.is_none && vf_bytes_equal(record->link, target.id);
    struct vf_cached_document *left = NULL;
    /* GUARD move: an aggregate that goes to another document leaves nothing behind in the one that it leaves */
    if (record->has_link && !same && !record->link_is_none) {
        code = vf_fold_need_document(run, record->link, &left, error);
        if (code)
            return code;
    }
    bool is_again = same && vf_bytes_equal(record->link_via, target.via);
    struct vf_bytes id = vf_arena_copy(run->fold->arena, target.id);
    code = take_along(run, row, record, id, target.is_none, left, error);
    if (code)
        return code;
    if (is_again) {
        record->head.relied_on = true; /* it is not written again */
    } else {
        vf_cached_set_link(record, id, target.is_none, target.via);
        vf_cached_mark_changed(record);
    }
    if (record->has_seen) /* it was next to what waits */
        vf_fold_see(run, row, record);
    return vf_fold_wake(run, record, error);
}

/* Whether an event has to wait: behind others of its aggregate, or, where it says a link, until all have the present one who
 * wait for that. */
static bool is_behind(const struct vf_cached_aggregate *record, bool is_linking)
{
    /* GUARD link-behind-drain: who waits for this link would follow the next one, where its list was too long for a batch */
    if (is_linking && vf_cached_drains_waiters(record))
        return true;
    /* What failed of its own waits for somebody's decision, and this comes behind; but not where only the link was wanting. */
    bool failed = record->parked && record->failure.script.size > 0;
    bool waited_for_this =
        is_linking && !record->has_link && record->waits_for.size == 0 && !failed && !record->seeks_link;
    return vf_cached_waits(record) && !waited_for_this;
}

enum vf_code vf_fold_apply_linked(struct vf_fold_state *run, struct vf_fold_row *row,
                                  struct vf_cached_aggregate *record, struct vf_error *error)
{
    bool is_linking = vf_fold_is_linking(row);
    /* GUARD behind-held: an event would overtake those of its aggregate that wait */
    if (!row->in_turn && is_behind(record, is_linking))
        return vf_fold_hold_behind(run, row, record, error);
    row->overtakes = !row->in_turn && vf_cached_waits(record);
    if (row->in_turn || record->has_seen) {
        /* What decided was the last one seen; from here on it is the last one taken in that counts. */
        enum vf_code code = vf_fold_find_taken(run, row, record, error);
        if (code)
            return code;
    }
    if (is_linking)
        return follow(run, row, record, error);
    if (!record->has_link)
        return meet_unlinked(run, row, record, error);
    return take_along(run, row, record, record->link, record->link_is_none, NULL, error);
}
