/* What a batch has consulted, as one commit (fold_state.h). */
#include "run/fold_state.h"

/* A copy: the next batch folds on while this one is being written. The names stay where they are. */
static const struct vf_version *copy_versions(struct vf_arena *arena, const struct vf_cached_document *document)
{
    /* GUARD in-flight-copy: a commit that is under way would say what the next batch is folding */
    struct vf_version *versions = vf_arena_alloc(arena, document->version_count * sizeof *versions);
    if (document->version_count)
        memcpy(versions, document->versions, document->version_count * sizeof *versions);
    /* GUARD in-flight-ids: the event ids of a commit that is under way would be freed when the next batch adds one */
    if (document->more_bytes > 0)
        for (size_t i = 0; i < document->version_count; i++)
            versions[i].more = vf_version_more_copy(arena, versions[i].more);
    return versions;
}

/* A copy, as of the versions. */
static const struct vf_index_entry *copy_entries(struct vf_fold_state *run, const struct vf_index_entry *entries)
{
    size_t count = run->tools->projection->index_count;
    if (!entries)
        return NULL;
    struct vf_index_entry *copy = vf_arena_alloc(run->fold->arena, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = entries[i];
        copy[i].by = vf_arena_copy(run->fold->arena, entries[i].by);
        copy[i].sort.text = vf_arena_copy(run->fold->arena, entries[i].sort.text);
    }
    return copy;
}

/* Where the document is in the indexes from now on. */
static enum vf_code seal_entries(struct vf_fold_state *run, struct vf_document_change *change, struct vf_error *error)
{
    const struct vf_projection *projection = run->tools->projection;
    struct vf_index_entry *entries;
    if (projection->index_count == 0 || change->next.presence != VF_PRESENT)
        return VF_OK;
    enum vf_code code = vf_index_entries(projection->indexes, projection->index_count, change->next.body,
                                         run->fold->arena, &entries, error);
    if (!code)
        change->next_entries = entries;
    return code;
}

static enum vf_code seal_document(struct vf_fold_state *run, struct vf_cached_document *document,
                                  struct vf_document_change *change, bool *ret_aliased, struct vf_error *error)
{
    struct vf_fold *fold = run->fold;
    *change = (struct vf_document_change){
        .intent = VF_CONSULT,
        .base = document->base_presence,
        .base_stamp = document->head.base_stamp,
        .next = {.id = document->head.key},
    };
    if (!document->head.changed)
        return VF_OK;
    change->intent = VF_WRITE;
    change->base_has_expires = document->base_has_expires;
    change->base_has_since = document->base_has_since;
    change->base_entries = copy_entries(run, document->entries);
    struct vf_document *next = &change->next;
    next->presence = document->presence;
    next->stamp = fold->commit.stamp;
    next->revision = document->revision;
    if (document->presence == VF_PRESENT && document->warm) {
        bool aliased;
        enum vf_code code = run->tools->projector_type->body(run->tools->projector, document->warm, fold->arena,
                                                             &next->body, &aliased, error);
        if (code)
            return code;
        *ret_aliased |= aliased;
        document->body_bytes = next->body.size;
    } else if (document->presence == VF_PRESENT) {
        next->body = vf_arena_copy(fold->arena, document->cold);
    }
    next->version_count = document->version_count;
    next->versions = copy_versions(fold->arena, document);
    next->has_expires = document->has_expires;
    next->expires_ms = document->expires_ms;
    next->since_ms = document->since_ms;
    next->deleted_by = vf_arena_copy(fold->arena, document->deleted_by);
    return seal_entries(run, change, error);
}

/* A record without a link, or with something set aside, may be written by any worker of the fleet. */
static enum vf_intent intent_of(const struct vf_cached_aggregate *aggregate)
{
    bool is_own = (aggregate->has_link || (!aggregate->by_link && !aggregate->has_version)) &&
                  !vf_cached_has_waiters(aggregate) && !vf_cached_waits(aggregate) && aggregate->early_count == 0;
    if (aggregate->head.changed)
        return VF_WRITE;
    return is_own && !aggregate->head.relied_on ? VF_CONSULT_OWN : VF_CONSULT;
}

static enum vf_aside_state state_of(const struct vf_cached_aggregate *aggregate)
{
    if (aggregate->parked)
        return VF_ASIDE_PARKED;
    if (aggregate->early_count > 0)
        return VF_ASIDE_GAP;
    return vf_cached_has_own(aggregate) || vf_cached_has_waiters(aggregate) ? VF_ASIDE_HELD : VF_ASIDE_NONE;
}

static void seal_aggregate(struct vf_fold_state *run, const struct vf_cached_aggregate *aggregate,
                           struct vf_aggregate_change *change)
{
    *change = (struct vf_aggregate_change){
        .intent = intent_of(aggregate),
        .base_exists = aggregate->base_exists,
        .base_stamp = aggregate->head.base_stamp,
        .base_state = aggregate->base_state,
        .base_draining = aggregate->base_draining,
        .next = {.aggregate = aggregate->head.key},
    };
    if (!aggregate->head.changed)
        return;
    struct vf_aggregate *next = &change->next;
    next->exists = vf_cached_is_needed(aggregate);
    next->stamp = run->fold->commit.stamp;
    next->has_link = aggregate->has_link;
    next->link_is_none = aggregate->link_is_none;
    next->link = vf_arena_copy(run->fold->arena, aggregate->link);
    next->has_version = aggregate->has_version;
    next->version = aggregate->version;
    /* GUARD in-flight-record: as in-flight-ids, of aggregate records */
    next->version_more = vf_version_more_copy(run->fold->arena, aggregate->version_more);
    next->link_via = vf_arena_copy(run->fold->arena, aggregate->link_via);
    next->waits_for = vf_arena_copy(run->fold->arena, aggregate->waits_for);
    next->waiters_from = aggregate->waiters_from;
    next->waiters_to = aggregate->waiters_to;
    next->aside_from = aggregate->aside_from;
    next->aside_to = aggregate->aside_to;
    next->has_seen = aggregate->has_seen;
    next->seen = aggregate->seen;
    next->seen_more = vf_version_more_copy(run->fold->arena, aggregate->seen_more);
    next->early_count = aggregate->early_count;
    next->early_from = aggregate->early_count ? aggregate->early_from : 0;
    next->early_last = aggregate->early_count ? aggregate->early_last : 0;
    next->parked = aggregate->parked;
    next->failure = (struct vf_failure){
        .error = vf_arena_copy(run->fold->arena, aggregate->failure.error),
        .traceback = vf_arena_copy(run->fold->arena, aggregate->failure.traceback),
        .script = vf_arena_copy(run->fold->arena, aggregate->failure.script),
        .failed_ms = aggregate->failure.failed_ms,
    };
    next->state = state_of(aggregate);
    next->since_ms = next->state == VF_ASIDE_NONE ? 0 : aggregate->since_ms;
    next->draining = vf_cached_stays_draining(aggregate);
    run->fold->left_draining |= next->draining;
}

/* What came into lists and is still there, and what has left them. */
static void seal_lists(struct vf_fold_state *run)
{
    struct vf_commit *commit = &run->fold->commit;
    struct vf_aside *asides = vf_arena_alloc(run->fold->arena, run->adds.count * sizeof *asides);
    struct vf_aside *taken = vf_arena_alloc(run->fold->arena, run->taken.count * sizeof *taken);
    for (size_t i = 0; i < run->adds.count; i++) {
        const struct vf_fold_aside *add = run->adds.items[i];
        /* GUARD left-at-once: an event that came and left in one batch would lie in a list that has no place for it */
        if (!add->left)
            asides[commit->aside_count++] = add->aside;
    }
    for (size_t i = 0; i < run->taken.count; i++) {
        taken[i] = *(const struct vf_aside *)run->taken.items[i];
        taken[i].record = (struct vf_bytes){0};
    }
    commit->asides = asides;
    commit->taken = taken;
    commit->taken_count = run->taken.count;
    struct vf_dropped *dropped = vf_arena_alloc(run->fold->arena, run->dropped.count * sizeof *dropped);
    for (size_t i = 0; i < run->dropped.count; i++)
        dropped[i] = *(const struct vf_dropped *)run->dropped.items[i];
    commit->dropped = dropped;
    commit->dropped_count = run->dropped.count;
    commit->indexes = run->tools->projection->indexes;
    commit->index_count = run->tools->projection->index_count;
}

static void seal_progress(struct vf_fold_state *run)
{
    struct vf_fold *fold = run->fold;
    struct vf_readings *readings = run->tools->readings;
    struct vf_progress_change *changes = vf_arena_alloc(fold->arena, readings->count * sizeof *changes);
    size_t count = 0;
    for (size_t i = 0; i < readings->count; i++) {
        struct vf_reading *reading = &readings->all[i];
        if (reading->last) {
            reading->folded.has_last = true;
            reading->folded.last_offset = reading->last->offset;
            reading->folded.last_timestamp_ms = reading->last->timestamp_ms;
            reading->folded.last_hash = vf_record_hash(reading->last);
            reading->last = NULL;
        }
        /* GUARD had-over: a view that has come as far again, or to the log's end, is said to be rebuilt for ever */
        if (reading->folded.next >= reading->folded.had || reading->folded_end)
            reading->folded.had = 0;
        if (vf_progress_equal(&reading->folded, &reading->sent))
            continue;
        reading->folded.stamp = fold->commit.stamp;
        changes[count++] = (struct vf_progress_change){reading->partition, reading->sent, reading->folded};
        reading->sent = reading->folded; /* the next batch stands on this one */
    }
    fold->commit.progress = changes;
    fold->commit.progress_count = count;
}

/* From here on the cache holds what the store will hold once the commit has taken hold. */
static void rebase(struct vf_fold_state *run)
{
    uint64_t stamp = run->fold->commit.stamp;
    for (size_t i = 0; i < run->documents.count; i++) {
        struct vf_cached_document *document = run->documents.items[i];
        document->base_presence = document->presence;
        if (document->head.changed || run->tools->store_type->touches)
            document->head.base_stamp = stamp;
        const struct vf_document *next = &run->fold->commit.documents[i].next;
        if (document->head.changed) {
            document->base_has_expires = document->has_expires;
            document->base_has_since = document->presence == VF_HUSK_DELETED || document->presence == VF_HUSK_EXPIRED;
            vf_cached_set_entries(run->tools->cache, document, run->fold->commit.documents[i].next_entries);
        }
        if (document->head.changed && document->presence == VF_PRESENT)
            vf_cache_rest(run->tools->cache, document, next->body);
        vf_cache_weigh(run->tools->cache, &document->head);
    }
    for (size_t i = 0; i < run->aggregates.count; i++) {
        struct vf_cached_aggregate *aggregate = run->aggregates.items[i];
        if (aggregate->head.changed) {
            aggregate->base_exists = run->fold->commit.aggregates[i].next.exists;
            aggregate->exists = aggregate->base_exists;
            aggregate->since_ms = run->fold->commit.aggregates[i].next.since_ms;
            aggregate->base_state = run->fold->commit.aggregates[i].next.state;
            aggregate->base_draining = run->fold->commit.aggregates[i].next.draining;
            aggregate->head.base_stamp = stamp;
        } else if (aggregate->head.relied_on && run->tools->store_type->touches) {
            aggregate->head.base_stamp = stamp;
        }
        vf_cache_weigh(run->tools->cache, &aggregate->head);
    }
}

/* A batch without rows writes without moving progress; a batch of rows that moves none has nothing to write. */
static bool has_writes(const struct vf_fold_state *run)
{
    const struct vf_commit *commit = &run->fold->commit;
    for (size_t i = 0; i < commit->document_count; i++)
        if (commit->documents[i].intent == VF_WRITE)
            return true;
    for (size_t i = 0; i < commit->aggregate_count; i++)
        if (commit->aggregates[i].intent == VF_WRITE)
            return true;
    return false;
}

enum vf_fold_outcome vf_fold_seal(struct vf_fold_state *run)
{
    struct vf_fold *fold = run->fold;
    struct vf_document_change *documents = vf_arena_alloc(fold->arena, run->documents.count * sizeof *documents);
    struct vf_aggregate_change *aggregates = vf_arena_alloc(fold->arena, run->aggregates.count * sizeof *aggregates);
    bool aliased = false;
    /* GUARD stamp: a value that no other commit has, for everything that this one writes */
    fold->commit.stamp = run->tools->clock->random(run->tools->clock->self);
    fold->commit.view = run->tools->view;
    fold->commit.generation_stamp = run->tools->generation_stamp;
    size_t document_count = 0, aggregate_count = 0;
    for (size_t i = 0; i < run->documents.count; i++) {
        struct vf_cached_document *document = run->documents.items[i];
        /* Everything consulted is in the condition, written or not (docs/protocol.md). */
        if (seal_document(run, document, &documents[document_count], &aliased, &fold->error))
            return VF_FOLD_CAREFULLY;
        fold->counts.documents += documents[document_count].intent == VF_WRITE;
        /* GUARD consulted: what was only read is in the condition too */
        document_count++;
    }
    /* GUARD aliased: a document that shares tables changes in two places, until it is loaded again */
    if (aliased)
        return VF_FOLD_CAREFULLY;
    for (size_t i = 0; i < run->aggregates.count; i++) {
        seal_aggregate(run, run->aggregates.items[i], &aggregates[aggregate_count]);
        fold->counts.aggregates += aggregates[aggregate_count].intent == VF_WRITE;
        aggregate_count++;
    }
    fold->commit.documents = documents;
    fold->commit.document_count = document_count;
    fold->commit.aggregates = aggregates;
    fold->commit.aggregate_count = aggregate_count;
    seal_lists(run);
    seal_progress(run);
    rebase(run);
    fold->empty = fold->commit.progress_count == 0 && !has_writes(run);
    return VF_FOLDED;
}
