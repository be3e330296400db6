/* Batches without rows: lists that are drained in parts, and the sweep (fold.h). */
#include "run/fold_state.h"

#include <stdlib.h>

/* A document is let go of so long after its time: an event may be produced that much later than it happened, and still find
 * it (docs/protocol.md). */
#define SWEEP_LATE_MS ((int64_t)60 * 60 * 1000)

/* No further document is swept in a batch that has asked about so many aggregates. */
#define SWEEP_RECORDS_MAX 2000

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
    /* GUARD asked-itself: who tries a failure again would vouch for a revision that is still being read */
    record->early_asked = retry->asks && !was_parked;
    record->early_asked_to = retry->asks_to;
    record->early_ready = record->early_count > 0;
    /* What says the link came behind what failed, which might have said it. */
    /* GUARD link-sought: a later event that says a link would pass it, and what waits for it be called taken in */
    /* GUARD seeks-on: what another batch of the same command goes on with would never come to an end */
    record->seeks_link |= (was_parked || run.drops_first) && record->by_link && !record->has_link;
    if (run.drops_first || was_parked)
        code = vf_fold_release_first(&run, record, drops_waiter ? VF_LIST_WAITERS : VF_LIST_OWN, &fold->error);
    if (!code)
        code = vf_fold_wake(&run, record, &fold->error);
    if (!code)
        code = vf_fold_drain(&run, &fold->error);
    return finish(&run, code);
}

/* Its time was over long ago. */
static bool is_over(const struct vf_cached_document *document, int64_t now_ms)
{
    bool lives = document->presence == VF_PRESENT || document->presence == VF_HUSK_NEW;
    return lives && document->has_expires && document->expires_ms < now_ms - SWEEP_LATE_MS;
}

/* It has been gone for as long as it is to be remembered. */
static bool is_to_be_forgotten(const struct vf_fold_state *run, const struct vf_cached_document *document,
                               int64_t now_ms)
{
    bool is_husk = document->presence == VF_HUSK_DELETED || document->presence == VF_HUSK_EXPIRED;
    int64_t forget_ms = run->tools->forget_ms;
    return is_husk && forget_ms > 0 && document->since_ms < now_ms - SWEEP_LATE_MS - forget_ms;
}

/* Whether what is set aside is to be asked about before the document goes. What has come to be since it was known that nothing
 * is does not matter to one that is over: it is later than that, and begins anew. */
static bool is_asked_about(const struct vf_fold_state *run, const struct vf_cached_document *document, int64_t now_ms)
{
    return is_to_be_forgotten(run, document, now_ms) || (run->tools->has_aside && is_over(document, now_ms));
}

/* The aggregates whose events go to the document: those that it has taken in, and those of its own name, of which it may not have
 * taken in anything yet. In the arena. */
static size_t find_names(struct vf_fold_state *run, const struct vf_cached_document *document,
                         struct vf_bytes **ret_names)
{
    const struct vf_projection *projection = run->tools->projection;
    struct vf_bytes id = document->head.key;
    struct vf_bytes *names =
        vf_arena_alloc(run->fold->arena, (document->version_count + projection->route_count) * sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < document->version_count; i++)
        names[count++] = document->versions[i].aggregate;
    for (size_t i = 0; i < projection->route_count; i++)
        /* GUARD sweep-own: what is set aside of an aggregate before its first event would begin on a document that is gone */
        if (projection->routes[i].route == VF_ROUTE_OWN)
            names[count++] =
                vf_arena_printf(run->fold->arena, "%s/%.*s", projection->routes[i].kind, (int)id.size, id.data);
    *ret_names = names;
    return count;
}

/* Whether something is set aside of an aggregate of the document's: it belongs to what would be gone when it is taken in. */
static enum vf_code find_waiting(struct vf_fold_state *run, const struct vf_cached_document *document, bool *ret_is,
                                 struct vf_error *error)
{
    struct vf_bytes *names;
    size_t count = find_names(run, document, &names);
    enum vf_code code = VF_OK;
    *ret_is = false;
    for (size_t i = 0; i < count && !code && !*ret_is; i++) {
        struct vf_cached_aggregate *record;
        code = vf_fold_need_aggregate(run, names[i], &record, error);
        if (code)
            break;
        *ret_is = vf_cached_waits(record) || vf_cached_has_waiters(record) || record->early_count > 0;
        record->head.relied_on = true;
    }
    return code;
}

/* What was found due may have been written since, or wait for what is set aside: it is left alone. */
static enum vf_code sweep_document(struct vf_fold_state *run, struct vf_cached_document *document, int64_t now_ms,
                                   struct vf_error *error)
{
    struct vf_cache *cache = run->tools->cache;
    bool is_waited_in = false, over = is_over(document, now_ms);
    if (!over && !is_to_be_forgotten(run, document, now_ms))
        return VF_OK;
    enum vf_code code =
        is_asked_about(run, document, now_ms) ? find_waiting(run, document, &is_waited_in, error) : VF_OK;
    /* GUARD sweep-aside: what is tried again would find half of its document, and what fills a gap be taken for a repeat */
    if (code || is_waited_in)
        return code;
    if (over)
        vf_cached_set_husk(cache, document, VF_HUSK_EXPIRED, (struct vf_bytes){0}, document->expires_ms);
    else
        vf_cached_set_husk(cache, document, VF_ABSENT, (struct vf_bytes){0}, 0);
    document->head.changed = true;
    run->fold->counts.swept++;
    return VF_OK;
}

/* Reads what the documents and their aggregates need, in two round trips, and tells for how many of the documents: a commit's
 * conditions are not to be without end. */
static enum vf_code load_swept(struct vf_fold_state *run, const struct vf_bytes *ids, size_t count, int64_t now_ms,
                               size_t *ret_count, struct vf_error *error)
{
    enum vf_code code = vf_fold_load(run, ids, count, NULL, 0, error);
    struct vf_bytes *aggregates = NULL;
    size_t found = 0, i;
    for (i = 0; i < count && !code && found < SWEEP_RECORDS_MAX; i++) {
        struct vf_cached_document *document;
        struct vf_bytes *names;
        code = vf_fold_need_document(run, ids[i], &document, error);
        if (code || !is_asked_about(run, document, now_ms))
            continue;
        size_t more = find_names(run, document, &names);
        aggregates = vf_realloc(aggregates, (found + more + 1) * sizeof *aggregates);
        for (size_t n = 0; n < more; n++)
            aggregates[found++] = names[n];
    }
    *ret_count = i;
    if (!code)
        code = vf_fold_load(run, NULL, 0, aggregates, found, error);
    free(aggregates);
    return code;
}

enum vf_fold_outcome vf_fold_sweep(struct vf_fold *fold, const struct vf_fold_tools *tools, const struct vf_bytes *ids,
                                   size_t count, int64_t now_ms, struct vf_counts *loads)
{
    struct vf_fold_state run = begin(fold, tools, loads);
    enum vf_code code = load_swept(&run, ids, count, now_ms, &fold->rows_taken, &fold->error);
    for (size_t i = 0; i < fold->rows_taken && !code; i++) {
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
