/* What an event does to documents: handlers, deletes, expiry, moves (fold_state.h; docs/protocol.md). */
#include "core/versions.h"
#include "run/fold_state.h"

#include <assert.h>
#include <stdlib.h>

/* So many bytes of an event's type are shown in an error. */
#define TYPE_SHOWN_MAX 100

/* In careful mode a handler's result goes through BSON at once: what cannot be kept, or indexed, fails the event that made it,
 * and the document behaves as one that was just loaded. */
static enum vf_code settle_document(struct vf_fold_state *run, struct vf_cached_document *document, bool *ret_aliased,
                                    struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    const struct vf_projection *projection = tools->projection;
    struct vf_bytes body;
    struct vf_index_entry *ignored;
    vf_arena_reset(run->fold->scratch); /* a body an event: the batch's arena would hold them all */
    enum vf_code code =
        tools->projector_type->body(tools->projector, document->warm, run->fold->scratch, &body, ret_aliased, error);
    if (!code && projection->index_count)
        code =
            vf_index_entries(projection->indexes, projection->index_count, body, run->fold->scratch, &ignored, error);
    if (code)
        return code;
    vf_cache_cool(tools->cache, document);
    document->cold = vf_bytes(memcpy(vf_alloc(body.size), body.data, body.size), body.size);
    document->body_bytes = body.size;
    return VF_OK;
}

static enum vf_code settle_carefully(struct vf_fold_state *run, const struct vf_fold_row *row,
                                     struct vf_cached_document *document, struct vf_error *error)
{
    const struct vf_bytes type = row->event.type;
    if (!(run->tools->careful || run->is_guarded) || document->presence != VF_PRESENT || !document->warm)
        return VF_OK;
    bool ignored; /* nothing has changed it since it was made */
    enum vf_code code = settle_document(run, document, &ignored, error);
    if (code) /* it says which field, and no line of the script */
        return vf_error_prefix(error, "after %.*s", type.size > TYPE_SHOWN_MAX ? TYPE_SHOWN_MAX : (int)type.size,
                               type.data);
    return VF_OK;
}

/* --- undoing one event -------------------------------------------------------------------------------------------- */

void vf_fold_end_events(struct vf_fold_state *run)
{
    for (size_t i = 0; i < run->saved_count; i++)
        vf_saved_document_done(&run->saved[i]);
    free(run->saved);
    run->saved = NULL;
    run->saved_count = run->saved_capacity = 0;
}

void vf_fold_begin_event(struct vf_fold_state *run, const struct vf_fold_row *row)
{
    for (size_t i = 0; i < run->saved_count; i++)
        vf_saved_document_done(&run->saved[i]);
    run->saved_count = 0;
    run->unlinked = run->is_judged = false;
    run->is_guarded = run->tools->parks_at_once || vf_suspects_has(run->tools->suspects, &row->event);
}

void vf_fold_undo(struct vf_fold_state *run)
{
    while (run->saved_count > 0)
        vf_cache_restore(run->tools->cache, &run->saved[--run->saved_count]);
}

/* What earlier events have left in the document is what they would have left in one that was loaded before each of them. */
static enum vf_code settle_before(struct vf_fold_state *run, struct vf_cached_document *document,
                                  struct vf_error *error)
{
    bool aliased = false;
    if (document->presence != VF_PRESENT || !document->warm)
        return VF_OK;
    enum vf_code code = settle_document(run, document, &aliased, error);
    /* GUARD aliased-before: what shares tables has changed in two places before this event, and nobody would know any more */
    if (!code && aliased)
        code = vf_fail(error, VF_E_SCRIPT, "a document shares tables");
    if (code) /* this event has not touched it yet */
        run->trouble = VF_TROUBLE_CAREFULLY;
    return code;
}

/* The document is about to change by an event: of a type that fails, it is saved; of one that leaves it, some of it goes
 * elsewhere. */
static enum vf_code save(struct vf_fold_state *run, struct vf_cached_document *document, bool is_left,
                         struct vf_error *error)
{
    /* GUARD aliased-left: what has changed in two places would go along, and its document may be gone when the batch is sealed */
    bool goes_elsewhere = is_left && document->head.changed;
    enum vf_code code = run->is_guarded || goes_elsewhere ? settle_before(run, document, error) : VF_OK;
    if (code || !run->is_guarded)
        return code;
    if (run->saved_count == run->saved_capacity) {
        run->saved_capacity = run->saved_capacity ? 2 * run->saved_capacity : 4;
        run->saved = vf_realloc(run->saved, run->saved_capacity * sizeof *run->saved);
    }
    vf_cache_save(document, &run->saved[run->saved_count++]);
    return VF_OK;
}

/* --- taking in ---------------------------------------------------------------------------------------------------- */

/* A document whose time was over before the event begins anew with it. Decided by event time alone, so that a replay comes to
 * the same, whenever the sweep comes by (docs/protocol.md). */
static void expire(struct vf_fold_state *run, const struct vf_fold_row *row, struct vf_cached_document *document)
{
    /* GUARD expire: what should have been gone lives on in what comes after it */
    /* GUARD dropped-time: an event that is left out would empty the document, if its time was what was wrong with it */
    if (!row->dropped && document->presence == VF_PRESENT && document->has_expires &&
        row->event.time_ms > document->expires_ms)
        vf_cached_set_husk(run->tools->cache, document, VF_HUSK_EXPIRED, (struct vf_bytes){0}, document->expires_ms);
}

/* Every event that is taken in is entered, whatever its handler does: revision, version, expiry. One that is left out says no
 * time. */
static void enter(struct vf_fold_state *run, const struct vf_fold_row *row, struct vf_cached_document *document)
{
    const struct vf_projection *projection = run->tools->projection;
    document->head.changed = true;
    document->revision++;
    if (projection->ttl_ms > 0 && !row->dropped) {
        int64_t expires_ms;
        if (__builtin_add_overflow(row->event.time_ms, projection->ttl_ms, &expires_ms))
            expires_ms = INT64_MAX;
        /* GUARD expiry-newest: an event that is late would make the document go before its time */
        if (!document->has_expires || expires_ms > document->expires_ms)
            document->expires_ms = expires_ms;
        document->has_expires = true;
    }
    if (projection->versions != VF_VERSIONS_DOCUMENT)
        return;
    /* The link's own event came in before what was held, whose lower number would come behind it */
    if (vf_version_is_later(&row->event, &row->last))
        vf_cached_set_version(run->tools->cache, document, &row->event, &row->last);
}

/* What a handler works on: a document that is there, or a copy of `initial` that is thrown away. */
struct work {
    struct vf_cached_document *document; /* NULL: thrown away */
    vf_warm warm;
};

static enum vf_code begin_work(struct vf_fold_state *run, struct vf_cached_document *document, struct work *ret_work,
                               struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    ret_work->document = document;
    if (!document)
        return tools->projector_type->warm(tools->projector, (struct vf_bytes){0}, &ret_work->warm, error);
    enum vf_code code = vf_cache_warm(tools->cache, document, error);
    ret_work->warm = document->warm;
    return code;
}

static void end_work(struct vf_fold_state *run, const struct work *work)
{
    if (!work->document && work->warm)
        run->tools->projector_type->cool(run->tools->projector, work->warm);
}

/* Runs the event's handler on a document or, with NULL, on a copy that is thrown away; with `left` for its third argument. `id`
 * is the document's, also of one that is gone; size 0: the aggregate goes nowhere. */
static enum vf_code run_handler(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_bytes id,
                                struct vf_cached_document *document, struct vf_cached_document *left,
                                enum vf_handled *ret_handled, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct work here = {0}, from = {0};
    enum vf_code code = begin_work(run, document, &here, error);
    /* GUARD from-scratch: a document that is gone would come back because something has left it */
    if (!code && left)
        code = begin_work(run, left->presence == VF_PRESENT ? left : NULL, &from, error);
    if (!code)
        code =
            tools->projector_type->handle(tools->projector, &row->event, id, here.warm, from.warm, ret_handled, error);
    end_work(run, &here);
    if (left)
        end_work(run, &from);
    return code;
}

static enum vf_code handle(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_document *document,
                           struct vf_cached_document *left, struct vf_error *error)
{
    enum vf_handled handled;
    bool is_gone = document->presence == VF_HUSK_DELETED;
    /* GUARD deleted: a late event of another aggregate brings back what was deleted */
    if (is_gone && !vf_bytes_equal(document->deleted_by, row->event.aggregate)) {
        if (!left)
            return VF_OK;
        return run_handler(run, row, document->head.key, NULL, left, &handled, error);
    }
    if (document->presence != VF_PRESENT) /* nothing of the husk stays; on failure the batch is folded anew */
        vf_cached_set_husk(run->tools->cache, document, document->presence, (struct vf_bytes){0}, 0);
    enum vf_code code = run_handler(run, row, document->head.key, document, left, &handled, error);
    if (code)
        return code;
    if (handled == VF_DELETED) {
        vf_cached_set_husk(run->tools->cache, document, VF_HUSK_DELETED, row->event.aggregate, row->event.time_ms);
        return VF_OK;
    }
    document->presence = VF_PRESENT;
    return settle_carefully(run, row, document, error);
}

/* Whether the store has said that it does not take what this event makes. */
static enum vf_code check_refused(const struct vf_fold_state *run, const struct vf_fold_row *row,
                                  struct vf_error *error)
{
    const struct vf_refused *refused = run->tools->refused;
    struct vf_partition partition = {row->record->topic, row->record->partition};
    /* GUARD refused-parked: what the store never takes would stop its partition, and with it other aggregates */
    if (row->dropped || !vf_refused_is(refused, &partition, row->record->offset))
        return VF_OK;
    *error = refused->error;
    return error->code;
}

enum vf_code vf_fold_take_in(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_bytes id,
                             struct vf_cached_document *left, struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    struct vf_cached_document *document;
    enum vf_code code = vf_fold_need_document(run, id, &document, error);
    if (code)
        return code;
    assert(document != left);
    code = save(run, document, false, error);
    if (!code && left)
        code = save(run, left, true, error);
    if (!code)
        code = check_refused(run, row, error);
    if (code)
        return code;
    run->touched_bytes += row->record->value.size;
    expire(run, row, document);
    if (left)
        expire(run, row, left);
    if (!row->dropped && tools->projector_type->handles(tools->projector, &row->event)) {
        code = handle(run, row, document, left, error);
        if (!code && left)
            code = settle_carefully(run, row, left, error);
        if (code)
            return code;
    } else if (document->presence == VF_ABSENT) {
        /* GUARD husk: an event without a handler on an absent document keeps its version, and no empty document appears */
        document->presence = VF_HUSK_NEW;
    }
    enter(run, row, document); /* before `left`, from whose entry the last version may be borrowed */
    if (!left)
        return VF_OK;
    if (left->presence == VF_ABSENT)
        left->presence = VF_HUSK_NEW;
    /* GUARD left-entered: a repeat of the move, or of what was before it, is taken in again when the aggregate comes back */
    enter(run, row, left);
    return VF_OK;
}

enum vf_code vf_fold_take_out(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_document *left,
                              struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    enum vf_handled handled;
    enum vf_code code = save(run, left, true, error);
    if (!code)
        code = check_refused(run, row, error);
    if (code)
        return code;
    run->touched_bytes += row->record->value.size;
    expire(run, row, left);
    if (!row->dropped && tools->projector_type->handles(tools->projector, &row->event)) {
        code = run_handler(run, row, (struct vf_bytes){0}, NULL, left, &handled, error);
        if (!code)
            code = settle_carefully(run, row, left, error);
        if (code)
            return code;
    }
    if (left->presence == VF_ABSENT)
        left->presence = VF_HUSK_NEW;
    enter(run, row, left);
    return VF_OK;
}
