/*
 * A store that is not what it was: one that lost its tail (a fail-over, a restored backup, a restart without persistence), and
 * one that would take away what it was given. The first shows a lower progress together with the documents of that moment, so
 * going on from there heals the view; here it is only said and counted. The second is treated as lost until it is mended.
 */
#include "run/worker_state.h"

/* So often a store is asked whether it still serves. */
#define LOOK_INTERVAL_MS 3000

enum vf_code vf_worker_ask_committed(struct vf_worker *worker, struct vf_error *error)
{
    struct vf_position *positions = vf_arena_calloc(worker->scratch, worker->readings.count, sizeof *positions);
    struct vf_reading *all = worker->readings.all;
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++)
        if (!all[i].committed_known)
            positions[count++].partition = all[i].partition;
    if (count == 0)
        return VF_OK;
    enum vf_code code = worker->setup.source_type->committed(worker->source, positions, count, error);
    for (size_t i = 0, at = 0; !code && i < worker->readings.count; i++) {
        if (all[i].committed_known)
            continue;
        all[i].committed_known = true;
        all[i].committed = positions[at++].offset;
    }
    return code;
}

/* Of a generation made where one was dropped, the group's offsets are at first those of what was dropped. */
static bool is_of_dropped(const struct vf_worker *worker, const struct vf_progress *found)
{
    /* GUARD had-after-drop: what was built where a view had been dropped, and was lost then, is not said to be rebuilt */
    return worker->generation.follows_drop && !found->exists && !worker->emptied_said;
}

/* How far the view had come: what this worker has seen, or else what its group has committed, which it does only after the
 * store holds it. Of a generation made where one was dropped, the group's offsets are those of what was dropped. */
static int64_t reached(const struct vf_worker *worker, const struct vf_reading *reading,
                       const struct vf_progress *found)
{
    if (reading->stored.exists)
        return reading->stored.next;
    if (is_of_dropped(worker, found))
        return -1;
    /* GUARD rewind-committed: what was lost while nobody ran is healed without a word */
    return reading->committed;
}

void vf_worker_note_rewind(struct vf_worker *worker, struct vf_reading *reading, struct vf_progress *found)
{
    int64_t from = reached(worker, reading, found), to = found->exists ? found->next : 0;
    reading->of_dropped |= is_of_dropped(worker, found) && reading->committed > 0;
    reading->committed = -1;
    /* GUARD had-kept: what was lost is forgotten when it is lost once more, or before a commit has brought it into the store */
    if (!found->exists)
        found->had = from > reading->stored.had ? from : reading->stored.had;
    if (to >= from)
        return;
    worker->counts.rewinds++;
    struct vf_log_about line = vf_worker_about(worker);
    struct vf_log_field fields[] = {{.key = "from", .number = from}, {.key = "to", .number = to}, {0}};
    line.partition = &reading->partition;
    line.fields = fields;
    vf_log(VF_LOG_WARN, &line, "the store has lost its tail: going on from the progress it has");
}

void vf_worker_forget_dropped(struct vf_worker *worker)
{
    struct vf_error ignored; /* the worst that comes of it is a line in the log that is not so */
    struct vf_position *positions = vf_arena_alloc(worker->scratch, worker->readings.count * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        /* GUARD dropped-offsets: who dies soon after a drop leaves a tail behind that was never lost */
        if (reading->of_dropped)
            positions[count++] = (struct vf_position){reading->partition, reading->stored.next};
        reading->of_dropped = false;
    }
    if (count > 0)
        worker->setup.source_type->commit(worker->source, positions, count, true, &ignored);
}

void vf_worker_limit_had(struct vf_reading *reading, int64_t end)
{
    struct vf_progress *stored = &reading->stored;
    /* GUARD had-end: of a topic that was made anew, and is shorter now, the view would be said to be rebuilt for ever */
    if (stored->had > end)
        stored->had = end;
}

bool vf_worker_look_at_store(struct vf_worker *worker)
{
    struct vf_error error;
    int64_t now_ms = vf_worker_now_ms(worker);
    if (!worker->setup.store_type->look || now_ms - worker->store_looked_at_ms < LOOK_INTERVAL_MS)
        return true;
    worker->store_looked_at_ms = now_ms;
    /* GUARD look-store: documents are given to a server that takes them away again */
    if (!worker->setup.store_type->look(worker->store, &error))
        return true;
    vf_worker_lose_store(worker, &error, false);
    return false;
}
