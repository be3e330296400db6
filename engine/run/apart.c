/* Batches without rows: lists that are drained in parts, and the sweep (fold.h). */
#include "run/fold_state.h"

#include <stdlib.h>

/* A document is let go of so long after its time: an event may be produced that much later than it happened, and still find
 * it (docs/protocol.md). */
#define SWEEP_LATE_MS ((int64_t)60 * 60 * 1000)

static struct vf_fold_state begin(struct vf_fold *fold, const struct vf_fold_tools *tools, struct vf_counts *loads)
{
    vf_arena_reset(fold->arena);
    *fold = (struct vf_fold){.number = fold->number, .arena = fold->arena, .scratch = fold->scratch};
    return (struct vf_fold_state){
        .fold = fold, .tools = tools, .loads = loads, .began_ms = tools->clock->monotonic_ms(tools->clock->self)};
}

static enum vf_fold_outcome finish(struct vf_fold_state *run, enum vf_code code)
{
    vf_fold_end_events(run);
    bool failed = code || run->trouble != VF_TROUBLE_NONE;
    enum vf_fold_outcome outcome = failed ? vf_fold_failed_outcome(run) : vf_fold_seal(run);
    if (outcome != VF_FOLDED)
        vf_cache_drop_unused(run->tools->cache);
    return outcome;
}

enum vf_fold_outcome vf_fold_drain_list(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                        struct vf_bytes aggregate, struct vf_counts *loads)
{
    struct vf_fold_state run = begin(fold, tools, loads);
    struct vf_cached_aggregate *record;
    enum vf_code code = vf_fold_need_aggregate(&run, aggregate, &record, &fold->error);
    /* Of a gap that may have been filled by way of another partition nobody has taken notice. */
    if (!code && record->early_count > 0)
        record->early_ready = true;
    if (!code && vf_cached_is_draining(record)) {
        vf_fold_list_add(&run, &run.drains, record);
        code = vf_fold_drain(&run, &fold->error);
    } else if (!code && record->early_count == 0) {
        /* GUARD drain-stale: a record as it was before anything was set aside, which a whole cache presumes, would stay there */
        run.trouble = VF_TROUBLE_STALE;
    }
    return finish(&run, code);
}

enum vf_fold_outcome vf_fold_retry(struct vf_fold *fold, const struct vf_fold_tools *tools, struct vf_bytes aggregate,
                                   const struct vf_fold_retry *retry, struct vf_counts *loads)
{
    struct vf_fold_state run = begin(fold, tools, loads);
    struct vf_cached_aggregate *record;
    enum vf_code code = vf_fold_need_aggregate(&run, aggregate, &record, &fold->error);
    if (code)
        return finish(&run, code);
    bool drops_own = retry->drop_first && vf_cached_has_own(record) && record->waits_for.size == 0;
    bool drops_waiter = retry->drop_first && !drops_own && vf_cached_has_waiters(record);
    run.drops_first = drops_own || drops_waiter;
    run.gives_up_missing = retry->drop_missing && record->early_count > 0;
    bool was_parked = record->parked;
    if (was_parked) {
        run.dropped_error = vf_arena_copy(fold->arena, record->failure.error);
        vf_cached_set_parked(record, NULL);
        record->head.changed = true;
    }
    record->early_ready = record->early_count > 0;
    /* What says the link came behind what failed, which might have said it. */
    /* GUARD link-sought: a later event that says a link would pass it, and what waits for it be called taken in */
    record->seeks_link = (was_parked || run.drops_first) && record->by_link && !record->has_link;
    if (run.drops_first || was_parked)
        code = vf_fold_release_first(&run, record, drops_waiter ? VF_LIST_WAITERS : VF_LIST_OWN, &fold->error);
    if (!code)
        code = vf_fold_wake(&run, record, &fold->error);
    if (!code)
        code = vf_fold_drain(&run, &fold->error);
    return finish(&run, code);
}

/* It has been gone for as long as it is to be remembered. */
static bool is_to_be_forgotten(const struct vf_fold_state *run, const struct vf_cached_document *document,
                               int64_t now_ms)
{
    bool is_husk = document->presence == VF_HUSK_DELETED || document->presence == VF_HUSK_EXPIRED;
    int64_t forget_ms = run->tools->forget_ms;
    return is_husk && forget_ms > 0 && document->since_ms < now_ms - SWEEP_LATE_MS - forget_ms;
}

/* Whether some aggregate of the document waits behind a gap: what fills it is told by the versions that would be forgotten. */
static enum vf_code find_waiting(struct vf_fold_state *run, const struct vf_cached_document *document, bool *ret_is,
                                 struct vf_error *error)
{
    enum vf_code code = VF_OK;
    *ret_is = false;
    for (size_t i = 0; i < document->version_count && !code && !*ret_is; i++) {
        struct vf_cached_aggregate *record;
        code = vf_fold_need_aggregate(run, document->versions[i].aggregate, &record, error);
        *ret_is = !code && record->early_count > 0;
        if (!code)
            record->head.relied_on = true;
    }
    return code;
}

/* What was found due may have been written since */
static enum vf_code sweep_document(struct vf_fold_state *run, struct vf_cached_document *document, int64_t now_ms,
                                   struct vf_error *error)
{
    const struct vf_fold_tools *tools = run->tools;
    bool lives = document->presence == VF_PRESENT || document->presence == VF_HUSK_NEW;
    bool is_waited_in = false;
    if (lives && document->has_expires && document->expires_ms < now_ms - SWEEP_LATE_MS) {
        vf_cached_set_husk(tools->cache, document, VF_HUSK_EXPIRED, (struct vf_bytes){0}, document->expires_ms);
    } else if (is_to_be_forgotten(run, document, now_ms)) {
        enum vf_code code = find_waiting(run, document, &is_waited_in, error);
        if (code)
            return code;
        /* GUARD forget-gap: what is behind the gap would be taken for the first event, and what fills it for a repeat */
        if (is_waited_in)
            document->since_ms = now_ms; /* it is looked at again when that much has passed once more */
        else
            vf_cached_set_husk(tools->cache, document, VF_ABSENT, (struct vf_bytes){0}, 0);
    } else {
        /* GUARD sweep-stale: a document as it was before its time came, in a cache, would be left alone for ever */
        run->trouble = VF_TROUBLE_STALE;
        return VF_OK;
    }
    document->head.changed = true;
    run->fold->counts.swept += !is_waited_in;
    return VF_OK;
}

/* Reads what the documents and their aggregates need, in two round trips. */
static enum vf_code load_swept(struct vf_fold_state *run, const struct vf_bytes *ids, size_t count, int64_t now_ms,
                               struct vf_error *error)
{
    enum vf_code code = vf_fold_load(run, ids, count, NULL, 0, error);
    struct vf_bytes *aggregates = NULL;
    size_t found = 0;
    for (size_t i = 0; i < count && !code; i++) {
        struct vf_cached_document *document;
        code = vf_fold_need_document(run, ids[i], &document, error);
        if (code || !is_to_be_forgotten(run, document, now_ms) || document->version_count == 0)
            continue;
        aggregates = vf_realloc(aggregates, (found + document->version_count) * sizeof *aggregates);
        for (size_t v = 0; v < document->version_count; v++)
            aggregates[found++] = document->versions[v].aggregate;
    }
    if (!code)
        code = vf_fold_load(run, NULL, 0, aggregates, found, error);
    free(aggregates);
    return code;
}

enum vf_fold_outcome vf_fold_sweep(struct vf_fold *fold, const struct vf_fold_tools *tools, const struct vf_bytes *ids,
                                   size_t count, int64_t now_ms, struct vf_counts *loads)
{
    struct vf_fold_state run = begin(fold, tools, loads);
    enum vf_code code = load_swept(&run, ids, count, now_ms, &fold->error);
    for (size_t i = 0; i < count && !code; i++) {
        struct vf_cached_document *document;
        code = vf_fold_need_document(&run, ids[i], &document, &fold->error);
        if (!code)
            code = sweep_document(&run, document, now_ms, &fold->error);
    }
    return finish(&run, code);
}

int64_t vf_fold_sweep_limit_ms(enum vf_due due, int64_t now_ms, int64_t forget_ms)
{
    return now_ms - SWEEP_LATE_MS - 1 - (due == VF_DUE_HUSK ? forget_ms : 0);
}
