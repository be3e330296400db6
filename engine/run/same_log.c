/*
 * Is it still the same log, while it is being read?
 *
 * At each assignment the last record that was dealt with is compared. In between, a topic can be deleted and made again, and
 * where the new one has soon more records than the old one had, the client reads on in its middle, and nothing says so: the
 * first records of the new log would be left out for ever. But with a topic Kafka deletes what groups have committed in it,
 * and from a group with members nobody else can. So before it commits the worker asks what is committed: where that is gone
 * the log is in doubt, and the worker looks again at the last record of which it knows that it was the old log's.
 *
 * That record comes into progress first, in place of the last one. Else who is started next would compare a record of the new
 * log, and go on.
 */
#include "run/worker_state.h"

/* After a question that was not answered. */
#define ASK_AGAIN_MS 10000

/* The state of the log as of this look becomes the proof at the look after the next one: Kafka deletes what was committed a
 * moment after the topic. */
static void keep_proof(struct vf_reading *reading)
{
    reading->proofs[1] = reading->proofs[0];
    reading->proofs[0] = reading->stored;
}

void vf_worker_begin_proof(struct vf_reading *reading)
{
    /* GUARD proof-ahead: a store that was rewound would be read on from behind what it needs again */
    for (size_t i = 0; i < 2; i++)
        if (!reading->proofs[i].exists || reading->proofs[i].next > reading->stored.next)
            reading->proofs[i] = reading->stored;
}

static bool can_be_doubted(const struct vf_reading *reading)
{
    return reading->state == VF_READING && reading->stored.exists;
}

static void doubt(struct vf_worker *worker, struct vf_reading *reading)
{
    reading->is_committed = false;
    if (!reading->proofs[1].has_last)
        return;
    reading->doubted = worker->doubted = true;
    vf_worker_say(
        worker, VF_LOG_WARN, &reading->partition, NULL,
        "what the group had committed here is gone, as when a topic is deleted: looking whether it is still the "
        "same log");
}

bool vf_worker_look_at_log(struct vf_worker *worker)
{
    const struct vf_source_type *type = worker->setup.source_type;
    struct vf_error ignored; /* whoever cannot ask cannot commit either, and only who reads the lag minds */
    int64_t now = vf_worker_now_ms(worker);
    if (now < worker->ask_log_at_ms || !worker->positioned)
        return false;
    vf_arena_reset(worker->scratch);
    struct vf_position *positions = vf_arena_alloc(worker->scratch, worker->readings.count * sizeof *positions);
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++)
        if (can_be_doubted(&worker->readings.all[i]))
            positions[count++] = (struct vf_position){.partition = worker->readings.all[i].partition};
    if (count == 0)
        return true;
    if (type->committed(worker->source, positions, count, &ignored)) {
        worker->ask_log_at_ms = now + ASK_AGAIN_MS;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct vf_reading *reading =
            vf_readings_find(&worker->readings, positions[i].partition.topic, positions[i].partition.partition);
        /* GUARD log-doubt: a topic that is made anew under its reader is read on from the middle */
        if (reading->is_committed && positions[i].offset < 0)
            doubt(worker, reading);
        else if (positions[i].offset >= 0)
            keep_proof(reading);
        reading->is_committed |= positions[i].offset >= 0;
    }
    return !worker->doubted;
}

/* Progress that tells of the old log's record, where that is not the last one any more. */
static size_t changes_of(struct vf_worker *worker, struct vf_progress_change *changes, uint64_t stamp)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->readings.count; i++) {
        const struct vf_reading *reading = &worker->readings.all[i];
        const struct vf_progress *proof = &reading->proofs[1];
        if (!reading->doubted || !can_be_doubted(reading) || proof->last_offset >= reading->stored.next)
            continue;
        struct vf_progress to = reading->stored;
        /* GUARD log-evidence: a record of the new log would be compared with itself */
        to.has_last = true;
        to.last_offset = proof->last_offset;
        to.last_timestamp_ms = proof->last_timestamp_ms;
        to.last_hash = proof->last_hash;
        if (vf_progress_equal(&to, &reading->stored))
            continue;
        to.stamp = stamp;
        changes[count++] = (struct vf_progress_change){reading->partition, reading->stored, to};
    }
    return count;
}

static enum vf_outcome write_proofs(struct vf_worker *worker, struct vf_commit_result *result)
{
    vf_arena_reset(worker->scratch);
    struct vf_progress_change *changes = vf_arena_alloc(worker->scratch, worker->readings.count * sizeof *changes);
    struct vf_commit commit = {
        .view = vf_worker_view(worker),
        .generation_stamp = worker->generation.stamp,
        .stamp = worker->setup.clock->random(worker->setup.clock->self),
        .progress = changes,
    };
    commit.progress_count = changes_of(worker, changes, commit.stamp);
    if (commit.progress_count == 0)
        return VF_COMMITTED;
    worker->setup.store_type->commit_send(worker->store, &commit);
    worker->setup.store_type->commit_wait(worker->store, result);
    return result->outcome;
}

void vf_worker_answer_doubt(struct vf_worker *worker)
{
    struct vf_commit_result result;
    if (worker->in_flight && !vf_worker_settle(worker))
        return;
    enum vf_outcome outcome = write_proofs(worker, &result);
    if (outcome == VF_COMMITTED) {
        worker->doubted = false;
        for (size_t i = 0; i < worker->readings.count; i++)
            worker->readings.all[i].doubted = false;
    }
    if (outcome == VF_UNKNOWN || outcome == VF_REFUSED)
        vf_worker_lose_store(worker, &result.error, outcome == VF_REFUSED);
    else if (outcome == VF_SUPERSEDED)
        vf_worker_supersede(worker);
    else
        vf_worker_position(worker); /* reads from the record on that progress names, and compares it */
}
