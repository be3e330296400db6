#include "run/retrying_state.h"

#include <stdlib.h>

/* Tries in a row that others spoil, and how long is waited between them. */
#define CONFLICTS_MAX          60
#define CONFLICT_BACKOFF_MS    4
#define CONFLICT_DOUBLINGS_MAX 7
/* A freeze lasts some seconds at most. */
#define FROZEN_WAIT_MS 100
#define FROZEN_MAX_MS  30000

/* What is to be dropped: what there was when it was first looked at, and nothing that has come to its place since. */
enum victim {
    VICTIM_NONE,
    VICTIM_FAILED,  /* the event that failed */
    VICTIM_MISSING, /* numbers */
    VICTIM_HELD,    /* events in its lists */
};

/* A commit, and what tells whether it has taken hold where its reply is lost. What it borrows is in the retrying's arena. */
struct sent {
    uint64_t stamp;                   /* 0: there is none */
    uint64_t base_stamp;              /* of the record that it stands on */
    int64_t taken, dropped, given_up; /* what it comes to */
    struct vf_dropped decision;       /* the one that it keeps; aggregate of size 0: none */
    struct vf_aside last;             /* the last event that it takes out of a list; list of size 0: none */
};

/* One vf_retrying_run, over all its batches. */
struct attempt {
    struct vf_bytes aggregate;
    enum vf_retry_deed deed;
    bool is_dry;
    bool drop_due; /* of VF_DROP: it is not all done yet */
    enum victim victim;
    struct vf_aside first;      /* the event that failed, */
    int64_t missing_to;         /* or up to which number nothing is waited for, */
    int64_t waiters_to, own_to; /* or how far the lists went */
    bool acted;                 /* some batch has taken hold */
    bool is_looked_at, asks;    /* with asks: it was nothing but behind a gap of revisions, */
    int64_t asks_to;            /* and was without a hole up to this one */
    bool is_vain;               /* nothing of what came before its revision is next */
    struct sent unknown;        /* its reply was lost */
    int conflicts;
    int64_t frozen_since_ms; /* -1: it is not */
    struct vf_retried *out;
};

static bool same_place(const struct vf_partition *a, int64_t a_offset, const struct vf_partition *b, int64_t b_offset)
{
    return a->partition == b->partition && a_offset == b_offset && strcmp(a->topic, b->topic) == 0;
}

/* --- one batch ---------------------------------------------------------------------------------------------------- */

/* What becomes of a try. */
enum turn {
    TURN_AGAIN, /* something changed, here or there: look again */
    TURN_ENDED, /* attempt->out says how it is */
    TURN_FAILED,
};

static struct vf_fold_tools tools_of(struct vf_retrying *retrying)
{
    const struct vf_config *config = retrying->setup.config;
    return (struct vf_fold_tools){
        .projector_type = retrying->setup.projector_type,
        .projector = retrying->projector,
        .projection = retrying->setup.projector_type->describe(retrying->projector),
        .store_type = retrying->setup.store_type,
        .store = retrying->store,
        .view = vf_retrying_view(retrying),
        .generation_stamp = retrying->generation.stamp,
        .cache = retrying->cache,
        .readings = &retrying->readings,
        .parser = retrying->parser,
        .clock = retrying->setup.clock,
        .topics = retrying->topics,
        .topic_count = retrying->topic_count,
        .forget_ms = config->forget_ms,
        .parks = true,
        .parks_at_once = true,
        .drops = retrying->drops,
        .refused = &retrying->refused,
        .script_hash = retrying->generation.script_hash,
        .rows_max = retrying->rows_max,
        .written_bytes_max = (size_t)config->batch.written_bytes_max,
        .careful = retrying->careful,
    };
}

static void shrink(struct vf_retrying *retrying)
{
    retrying->rows_max = retrying->rows_max > 1 ? retrying->rows_max / 2 : 1;
}

/* Others changed the same things: after a while, with smaller and smaller batches. */
static enum turn meet_conflict(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    int doublings = attempt->conflicts < CONFLICT_DOUBLINGS_MAX ? attempt->conflicts : CONFLICT_DOUBLINGS_MAX;
    int64_t most = (int64_t)CONFLICT_BACKOFF_MS << doublings;
    uint64_t random = retrying->setup.clock->random(retrying->setup.clock->self);
    if (++attempt->conflicts >= CONFLICTS_MAX) {
        vf_fail_retriable(error, VF_E_TIMEOUT,
                          "%.*s: others change the same documents again and again, and %d tries did not come through; "
                          "try again when less happens",
                          (int)attempt->aggregate.size, attempt->aggregate.data, CONFLICTS_MAX);
        return TURN_FAILED;
    }
    vf_refused_clear(&retrying->refused); /* what others have changed may be what it was refused for */
    if (attempt->conflicts > 3)
        shrink(retrying);
    vf_retrying_sleep_ms(retrying, most / 2 + (int64_t)(random % (uint64_t)(most / 2)));
    return TURN_AGAIN;
}

static enum turn meet_freeze(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    if (attempt->frozen_since_ms < 0)
        attempt->frozen_since_ms = vf_retrying_now_ms(retrying);
    if (vf_retrying_now_ms(retrying) - attempt->frozen_since_ms > FROZEN_MAX_MS) {
        vf_fail_retriable(error, VF_E_TIMEOUT, "the generation stays frozen: try again when it is not");
        return TURN_FAILED;
    }
    vf_retrying_sleep_ms(retrying, FROZEN_WAIT_MS);
    return TURN_AGAIN;
}

static enum turn was_refused(struct vf_retrying *retrying, const struct vf_error *why, struct vf_error *error)
{
    const struct vf_commit *commit = &retrying->fold.commit;
    if (why->code == VF_E_LIMIT && retrying->rows_max > 1) {
        shrink(retrying);
        return TURN_AGAIN;
    }
    /* GUARD refused-retry: one event that the store never takes would keep all others of its list from being told apart */
    if (why->code == VF_E_LIMIT && commit->taken_count == 1 && !retrying->refused.topic) {
        vf_refused_set(&retrying->refused, &commit->taken->partition, commit->taken->offset, why);
        return TURN_AGAIN;
    }
    *error = *why;
    return TURN_FAILED;
}

/* Whether the fold stands on the record that was looked at, by which it was decided what to do. */
static bool stands_on(const struct vf_retrying *retrying, const struct attempt *attempt)
{
    const struct vf_commit *commit = &retrying->fold.commit;
    for (size_t i = 0; i < commit->aggregate_count; i++)
        if (vf_bytes_equal(commit->aggregates[i].next.aggregate, attempt->aggregate))
            return commit->aggregates[i].base_exists && commit->aggregates[i].base_stamp == attempt->out->record.stamp;
    return false;
}

static const char *keep_topic(struct vf_arena *arena, const char *topic)
{
    return topic ? vf_arena_bytes(arena, topic, strlen(topic)).data : NULL;
}

/* Copies: when it is asked for, the fold's own memory may be the next fold's. */
static struct sent sent_of(struct vf_retrying *retrying, const struct attempt *attempt)
{
    const struct vf_commit *commit = &retrying->fold.commit;
    struct vf_arena *arena = retrying->arena;
    struct sent sent = {.stamp = commit->stamp, .base_stamp = attempt->out->record.stamp};
    for (size_t i = 0; i < commit->dropped_count; i++) {
        const struct vf_dropped *dropped = &commit->dropped[i];
        sent.dropped += dropped->partition.topic != NULL;
        sent.given_up += dropped->partition.topic ? 0 : dropped->missing_to - dropped->missing_from;
        sent.decision = *dropped;
        sent.decision.aggregate = vf_arena_copy(arena, dropped->aggregate);
        sent.decision.partition.topic = keep_topic(arena, dropped->partition.topic);
        sent.decision.error = (struct vf_bytes){0};
    }
    if (commit->taken_count > 0) {
        const struct vf_aside *taken = &commit->taken[commit->taken_count - 1];
        sent.last = (struct vf_aside){
            .list = vf_arena_copy(arena, taken->list), .place = taken->place, .offset = taken->offset};
        sent.last.partition =
            (struct vf_partition){keep_topic(arena, taken->partition.topic), taken->partition.partition};
    }
    sent.taken = retrying->fold.counts.released - sent.dropped;
    return sent;
}

static void took_hold(struct attempt *attempt, const struct sent *sent)
{
    attempt->out->taken += sent->taken;
    attempt->out->dropped += sent->dropped;
    attempt->out->given_up += sent->given_up;
    attempt->acted = true;
    /* GUARD drop-reached: a batch that is full before it comes to that would be taken for the one that gives up numbers */
    bool goes_on = attempt->victim == VICTIM_HELD || (attempt->victim == VICTIM_MISSING && sent->given_up == 0);
    attempt->drop_due &= goes_on; /* one by one */
    attempt->conflicts = 0;
    attempt->unknown.stamp = 0;
}

static enum turn commit(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    struct vf_commit_result result;
    /* GUARD drop-stands: what came to its place between the look and the fold would be dropped, unseen */
    if (!stands_on(retrying, attempt))
        return meet_conflict(retrying, attempt, error);
    struct sent sent = sent_of(retrying, attempt);
    retrying->setup.store_type->commit_send(retrying->store, &retrying->fold.commit);
    retrying->setup.store_type->commit_wait(retrying->store, &result);
    if (result.outcome != VF_FROZEN)
        attempt->frozen_since_ms = -1;
    switch (result.outcome) {
    case VF_COMMITTED:
        took_hold(attempt, &sent);
        retrying->losses = 0;
        return TURN_AGAIN;
    case VF_CONFLICT: return meet_conflict(retrying, attempt, error);
    case VF_FROZEN: return meet_freeze(retrying, attempt, error);
    case VF_SUPERSEDED: vf_retrying_forget_script(retrying); return TURN_AGAIN;
    case VF_REFUSED: return was_refused(retrying, &result.error, error);
    case VF_UNKNOWN: break;
    }
    attempt->unknown = sent;
    *error = result.error;
    /* The store tells, on a new connection. */
    return vf_retrying_is_lost(retrying, VF_E_UNAVAILABLE) ? TURN_AGAIN : TURN_FAILED;
}

/* How the record says that it is now. */
static enum turn end(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    struct vf_retried *out = attempt->out;
    const struct vf_aggregate *record = &out->record;
    enum vf_code code = VF_OK;
    switch (record->exists ? record->state : VF_ASIDE_NONE) {
    case VF_ASIDE_PARKED:
        out->state = VF_RETRIED_PARKED;
        vf_fail(&out->error, VF_E_SCRIPT, "%.*s", (int)record->failure.error.size, record->failure.error.data);
        code = vf_retrying_first(retrying, record, retrying->arena, &out->has_first, &out->first, error);
        break;
    case VF_ASIDE_GAP: out->state = VF_RETRIED_GAP; break;
    case VF_ASIDE_HELD: /* a rehearsal goes no further than a batch */
        out->state = record->draining ? VF_RETRIED_RELEASED : VF_RETRIED_HELD;
        break;
    default: out->state = attempt->acted ? VF_RETRIED_RELEASED : VF_RETRIED_GONE; break;
    }
    return code ? TURN_FAILED : TURN_ENDED;
}

/* --- the documents of a rehearsal --------------------------------------------------------------------------------- */

/* As they are in the store now; they have to be those that the fold stood on. */
static enum turn compare_documents(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    const struct vf_commit *commit = &retrying->fold.commit;
    struct vf_document *after = vf_arena_calloc(retrying->arena, commit->document_count, sizeof *after);
    struct vf_document *before = vf_arena_calloc(retrying->arena, commit->document_count, sizeof *before);
    struct vf_bytes *ids = vf_arena_calloc(retrying->arena, commit->document_count, sizeof *ids);
    const struct vf_document_change **changes =
        vf_arena_calloc(retrying->arena, commit->document_count, sizeof *changes);
    size_t count = 0;
    for (size_t i = 0; i < commit->document_count; i++) {
        if (commit->documents[i].intent == VF_WRITE) {
            changes[count] = &commit->documents[i];
            after[count] = commit->documents[i].next;
            ids[count++] = commit->documents[i].next.id;
        }
    }
    enum vf_code code = count == 0
                            ? VF_OK
                            : retrying->setup.store_type->load(retrying->store, vf_retrying_view(retrying), ids, count,
                                                               NULL, 0, retrying->arena, before, NULL, error);
    if (code)
        return vf_retrying_is_lost(retrying, code) ? TURN_AGAIN : TURN_FAILED;
    for (size_t i = 0; i < count; i++) {
        bool same = before[i].presence == changes[i]->base &&
                    (before[i].presence == VF_ABSENT || before[i].stamp == changes[i]->base_stamp);
        if (!same)
            return meet_conflict(retrying, attempt, error);
    }
    attempt->out->before = before;
    attempt->out->after = after;
    attempt->out->document_count = count;
    return TURN_ENDED;
}

/* What would be of the aggregate itself. */
static enum turn rehearsed(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    const struct vf_fold *fold = &retrying->fold;
    struct vf_retried *out = attempt->out;
    out->taken = fold->counts.released;
    for (size_t i = 0; i < fold->commit.aggregate_count; i++) {
        const struct vf_aggregate_change *change = &fold->commit.aggregates[i];
        if (change->intent == VF_WRITE && vf_bytes_equal(change->next.aggregate, attempt->aggregate))
            out->record = change->next;
    }
    enum turn turn = compare_documents(retrying, attempt, error);
    attempt->acted = turn == TURN_ENDED;
    return attempt->acted ? end(retrying, attempt, error) : turn;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* The event that fails stays where it is, with what it failed with before. */
static enum turn stays(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    struct vf_error why = retrying->fold.error;
    enum turn turn = end(retrying, attempt, error);
    if (turn == TURN_ENDED && attempt->out->state == VF_RETRIED_PARKED)
        attempt->out->error = why;
    return turn;
}

/* Whether it is behind a gap of which only the operator knows whether it is filled. */
static bool is_open(const struct vf_aggregate *record)
{
    return record->exists && record->state == VF_ASIDE_GAP && vf_early_is_asked_for(record->early_from);
}

/* What is to be dropped is what is there when it is first looked at. */
static void choose_victim(const struct vf_retrying *retrying, struct attempt *attempt)
{
    const struct vf_aggregate *record = &attempt->out->record;
    if (!record->exists || record->state == VF_ASIDE_NONE)
        return;
    if (record->parked) {
        attempt->victim = VICTIM_FAILED;
    } else if (retrying->setup.only_parked) {
        return;
    } else if (record->state == VF_ASIDE_GAP) {
        attempt->victim = VICTIM_MISSING;
        attempt->missing_to = record->early_from;
    } else {
        attempt->victim = VICTIM_HELD;
        attempt->waiters_to = record->waiters_to;
        attempt->own_to = record->waits_for.size > 0 ? 0 : record->aside_to;
    }
}

/* Whether it is still there, and sets what is to be folded. */
static enum vf_code look_for_victim(struct vf_retrying *retrying, struct attempt *attempt,
                                    struct vf_fold_retry *ret_retry, struct vf_error *error)
{
    const struct vf_aggregate *record = &attempt->out->record;
    bool is_held = record->exists && record->state == VF_ASIDE_HELD && !record->draining;
    bool has_own = record->aside_to > record->aside_from, has_waiters = record->waiters_to > record->waiters_from;
    struct vf_aside first = {0};
    bool there = false;
    enum vf_code code = VF_OK;
    switch (attempt->victim) {
    case VICTIM_NONE: break;
    case VICTIM_FAILED:
        if (record->exists && record->parked)
            code = vf_retrying_first(retrying, record, retrying->arena, &there, &first, error);
        if (there && !attempt->first.partition.topic)
            attempt->first = first;
        /* GUARD drop-meant: of two who drop the same event at once, the second one would drop the event behind it */
        ret_retry->drop_first =
            there && same_place(&first.partition, first.offset, &attempt->first.partition, attempt->first.offset);
        break;
    case VICTIM_MISSING:
        ret_retry->drop_missing =
            record->exists && record->state == VF_ASIDE_GAP && record->early_from == attempt->missing_to;
        break;
    case VICTIM_HELD:
        if (is_held && has_own && record->waits_for.size == 0)
            ret_retry->drop_first = record->aside_from < attempt->own_to;
        else if (is_held && has_waiters)
            ret_retry->drop_first = record->waiters_from < attempt->waiters_to;
        break;
    }
    if (!code && !ret_retry->drop_first && !ret_retry->drop_missing) {
        attempt->drop_due = false;
        attempt->out->drop_missed = !attempt->acted && attempt->victim != VICTIM_HELD;
    }
    return code;
}

static enum turn fold(struct vf_retrying *retrying, struct attempt *attempt, const struct vf_fold_retry *retry,
                      struct vf_error *error)
{
    struct vf_fold *fold = &retrying->fold;
    struct vf_fold_tools tools = tools_of(retrying);
    /* GUARD retry-fresh: what others have changed meanwhile would be folded again as it was */
    vf_cache_drop_all(retrying->cache);
    fold->number++;
    switch (vf_fold_retry(fold, &tools, attempt->aggregate, retry, &retrying->counts)) {
    case VF_FOLDED:
        /* GUARD retry-empty: what others have taken in since the look would be told to be parked still */
        attempt->is_vain = fold->empty && is_open(&attempt->out->record);
        if (attempt->is_vain) { /* of what was to be given up, too: it is there */
            attempt->out->drop_missed |= attempt->drop_due;
            attempt->drop_due = false;
            return TURN_AGAIN;
        }
        if (fold->empty)
            return meet_conflict(retrying, attempt, error);
        return attempt->is_dry ? rehearsed(retrying, attempt, error) : commit(retrying, attempt, error);
    case VF_FOLD_CAREFULLY: retrying->careful = true; return TURN_AGAIN;
    case VF_FOLD_SETTLE:
    case VF_FOLD_STALE: return meet_conflict(retrying, attempt, error);
    case VF_FOLD_NO_STORE:
        if (vf_retrying_is_lost(retrying, fold->error.code))
            return TURN_AGAIN;
        *error = fold->error;
        return TURN_FAILED;
    case VF_FOLD_FAILED: break;
    }
    /* What was before it in the batch may be what fills the heap; and it need not wait for what fails. */
    if (fold->drained_before_failed > 0 && fold->drained_before_failed < retrying->rows_max) {
        retrying->rows_max = fold->drained_before_failed;
        return TURN_AGAIN;
    }
    return stays(retrying, attempt, error);
}

/* Whether this event has left its list, as the last one of a commit; somebody else may have taken it out as well. */
static enum vf_code is_taken_out(const struct vf_retrying *retrying, const struct vf_aside *aside, bool *ret_is,
                                 struct vf_error *error)
{
    struct vf_aside *found;
    size_t count = 0;
    *ret_is = false;
    if (aside->list.size == 0)
        return VF_OK;
    enum vf_code code =
        retrying->setup.store_type->aside_load(retrying->store, vf_retrying_view(retrying), aside->list, aside->place,
                                               1, 0, retrying->arena, &found, &count, error);
    bool there = count > 0 && found->place == aside->place &&
                 same_place(&found->partition, found->offset, &aside->partition, aside->offset);
    *ret_is = !code && !there;
    return code;
}

/* Whether a commit has taken hold of which the record does not tell, as others have written it since, or instead. */
static enum vf_code find_traces(struct vf_retrying *retrying, const struct sent *sent, bool *ret_held,
                                struct vf_error *error)
{
    enum vf_code code;
    do {
        code = vf_retrying_need_store(retrying, error);
        if (code)
            return code;
        /* GUARD drop-decided: what somebody else has taken in would be told to be left out */
        if (sent->decision.aggregate.size > 0)
            code = vf_drops_find_new(retrying->drops, retrying->setup.store_type, retrying->store,
                                     vf_retrying_view(retrying), &sent->decision, ret_held, error);
        else
            code = is_taken_out(retrying, &sent->last, ret_held, error);
    } while (code && vf_retrying_is_lost(retrying, code));
    return code;
}

/* While the record is the one that the commit stands on, it may yet take hold; once that is another one, it has, or never will. */
static enum vf_code settle_unknown(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    const struct vf_aggregate *record = &attempt->out->record;
    struct sent sent = attempt->unknown;
    /* GUARD retry-late: what takes hold after a look would be told to be somebody else's */
    if (sent.stamp == 0 || (record->exists && record->stamp == sent.base_stamp))
        return VF_OK;
    bool held = record->exists && record->stamp == sent.stamp;
    /* GUARD retry-traces: where others have written the record since, the operator would be told that nothing was done */
    enum vf_code code = held ? VF_OK : find_traces(retrying, &sent, &held, error);
    if (code)
        return code;
    if (held)
        took_hold(attempt, &sent);
    attempt->unknown.stamp = 0;
    return VF_OK;
}

/* What there is behind a gap of revisions, as the record says that was looked at: of what comes later nobody has said that all of it
 * is there. */
static enum vf_code look_at_gap(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    struct vf_aggregate *record = &attempt->out->record;
    enum vf_code code = VF_OK;
    uint64_t stamp = 0;
    /* GUARD asked-named: what is only found to be behind a gap would be vouched for by somebody who has not named it */
    while (!code && !retrying->setup.only_parked && is_open(record) && record->stamp != stamp) {
        stamp = record->stamp;
        attempt->asks = true;
        code = vf_retrying_unbroken(retrying, record, &attempt->asks_to, error);
        if (!code) /* the list is of another moment than the record, where others have written that since */
            code = vf_retrying_load(retrying, attempt->aggregate, retrying->arena, record, error);
    }
    return code;
}

/* The record, and whether what was sent and not answered has become of it. */
static enum vf_code look(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    enum vf_code code = vf_retrying_load(retrying, attempt->aggregate, retrying->arena, &attempt->out->record, error);
    if (!code)
        code = settle_unknown(retrying, attempt, error);
    if (code)
        return code;
    if (!attempt->is_looked_at)
        code = look_at_gap(retrying, attempt, error);
    if (code)
        return code;
    attempt->is_looked_at = true;
    if (attempt->drop_due && attempt->victim == VICTIM_NONE)
        choose_victim(retrying, attempt);
    return VF_OK;
}

/* Looks, and does what is next. */
static enum turn step(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    const struct vf_aggregate *record = &attempt->out->record;
    struct vf_fold_retry retry = {0};
    if (!retrying->cache) {
        enum vf_code code = vf_retrying_load_generation(retrying, error);
        if (code)
            return vf_retrying_is_lost(retrying, code) ? TURN_AGAIN : TURN_FAILED;
    }
    if (look(retrying, attempt, error))
        return TURN_FAILED;
    if (attempt->drop_due && look_for_victim(retrying, attempt, &retry, error))
        return TURN_FAILED;
    /* GUARD drop-asks: who gives nothing up would vouch for what is there */
    retry.asks = attempt->asks && (attempt->deed == VF_RETRY || attempt->out->given_up > 0);
    retry.asks_to = attempt->asks_to;
    if (attempt->drop_due)
        return fold(retrying, attempt, &retry, error);
    bool was_tried = attempt->acted || attempt->deed == VF_DROP;
    bool is_asked_for = attempt->asks && !attempt->is_vain && is_open(record);
    /* GUARD parked-ends: what failed would be tried again and again where others drain what came early */
    bool is_draining = record->draining && !record->parked;
    bool has_work = record->exists && (is_draining || (record->parked && !was_tried) || is_asked_for);
    return has_work ? fold(retrying, attempt, &retry, error) : end(retrying, attempt, error);
}

static enum vf_code run(struct vf_retrying *retrying, struct attempt *attempt, struct vf_error *error)
{
    enum turn turn;
    vf_arena_reset(retrying->arena);
    *attempt->out = (struct vf_retried){.deed = attempt->deed};
    attempt->frozen_since_ms = -1;
    do {
        turn = vf_retrying_need_store(retrying, error) ? TURN_FAILED : step(retrying, attempt, error);
    } while (turn == TURN_AGAIN);
    retrying->rows_max = (size_t)retrying->setup.config->batch.events_max;
    vf_refused_clear(&retrying->refused);
    return turn == TURN_FAILED ? (error->code ? error->code : VF_E_BUG) : VF_OK;
}

enum vf_code vf_retrying_run(struct vf_retrying *retrying, enum vf_retry_deed deed, struct vf_bytes aggregate,
                             struct vf_retried *ret_retried, struct vf_error *error)
{
    struct attempt attempt = {.aggregate = aggregate, .deed = deed, .drop_due = deed == VF_DROP, .out = ret_retried};
    return run(retrying, &attempt, error);
}

enum vf_code vf_retrying_rehearse(struct vf_retrying *retrying, struct vf_bytes aggregate,
                                  struct vf_retried *ret_retried, struct vf_error *error)
{
    struct attempt attempt = {.aggregate = aggregate, .deed = VF_RETRY, .is_dry = true, .out = ret_retried};
    return run(retrying, &attempt, error);
}
