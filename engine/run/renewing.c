/*
 * A generation that was adopted or dropped under its workers. Each commit goes by the stamp of the generation's entry, so
 * what an old script has folded is refused from the moment of the adoption on; here the worker reads the entry again and goes
 * on with the script that the store holds. Of its memory nothing stays: a warm document belongs to the script that warmed it.
 */
#include "run/generation.h"
#include "run/worker_state.h"

#include <stdlib.h>

/* Wait between two looks for a generation to run. */
#define RENEW_INTERVAL_MS 1000

void vf_worker_supersede(struct vf_worker *worker)
{
    vf_worker_drop_everything(worker);
    vf_worker_read_nothing(worker);
    worker->superseded = true;
    worker->renew_at_ms = vf_worker_now_ms(worker);
}

static bool is_ours(const struct vf_worker *worker, const struct vf_generation *registered)
{
    return registered->stamp == worker->generation.stamp && strcmp(registered->state, VF_GENERATION_ACTIVE) == 0;
}

/* What the worker makes again where the store has lost it: by the script alone, as everything will be folded by it. */
static struct vf_generation proposal(const struct vf_worker *worker)
{
    struct vf_generation proposed = worker->generation;
    proposed.again = true;
    proposed.follows_drop = false;
    proposed.adoptions = NULL;
    proposed.adoption_count = 0;
    return proposed;
}

enum vf_code vf_worker_prepare_again(struct vf_worker *worker, struct vf_error *error)
{
    struct vf_generation proposed = proposal(worker), registered;
    bool created;
    vf_arena_reset(worker->scratch);
    enum vf_code code = worker->setup.store_type->prepare(worker->store, worker->setup.view, &proposed, worker->scratch,
                                                          &registered, &created, error);
    if (!code && !is_ours(worker, &registered))
        vf_worker_supersede(worker);
    else if (!code)
        code = vf_worker_make_indexes(worker, error);
    return code;
}

bool vf_worker_is_current(struct vf_worker *worker)
{
    struct vf_error error;
    uint64_t stamp;
    bool there;
    if (worker->setup.store_type->generation_stamp(worker->store, vf_worker_view(worker), &stamp, &there, &error)) {
        vf_worker_lose_store(worker, &error, false);
        return false;
    }
    if (!there || stamp == worker->generation.stamp) /* without an entry progress tells what was lost */
        return true;
    vf_worker_supersede(worker);
    return false;
}

/* --- the entry to go on with --------------------------------------------------------------------------------------- */

/* A worker's members of the group, and what it knows of its topics, are those of the script that it was started with. */
static bool has_topic(const struct vf_projection *projection, const char *topic)
{
    for (size_t i = 0; i < projection->topic_count; i++)
        if (strcmp(projection->topics[i], topic) == 0)
            return true;
    return false;
}

static enum vf_code check_topics(const struct vf_worker *worker, struct vf_projector *next, struct vf_error *error)
{
    const struct vf_projection *had = worker->setup.projector_type->describe(worker->projector);
    const struct vf_projection *has = worker->setup.projector_type->describe(next);
    bool same = had->topic_count == has->topic_count;
    for (size_t i = 0; same && i < has->topic_count; i++)
        same = has_topic(had, has->topics[i]);
    return same ? VF_OK
                : vf_fail(error, VF_E_CONFIG,
                          "the script that the store holds reads other topics than this process was started with: "
                          "start it again with that script");
}

/* A generation may have been made anew because its store had lost it. What the store had is then known, or can be asked for. */
static void forget_progress(const struct vf_worker *worker, struct vf_reading *reading)
{
    struct vf_progress unknown = {0};
    /* GUARD had-dropped: a view that was dropped on purpose is said to be rebuilt */
    if (!worker->generation.follows_drop) {
        /* GUARD had-renewed: what was lost with the former generation's entry is not said to be rebuilt */
        reading->committed_known &= !reading->stored.exists;
        /* GUARD had-found: as had-renewed, where the loss was noticed before the other entry was */
        unknown.had = reading->stored.exists ? 0 : reading->stored.had;
    }
    reading->stored = unknown;
}

/* Everything that the worker knew is of another script, or of another generation: what had stopped is tried again too. */
static void forget(struct vf_worker *worker)
{
    for (size_t i = 0; i < worker->readings.count; i++) {
        struct vf_reading *reading = &worker->readings.all[i];
        /* GUARD renewed-stops: a mended handler is not tried where the old one had failed */
        reading->state = VF_READING;
        reading->failing_offset = -1;
        reading->failures = 0;
        forget_progress(worker, reading);
    }
    worker->emptied_said = false;
    worker->conflicts = 0;
    worker->careful = worker->always_careful = false;
    worker->document_bytes_typical = 0;
}

static int64_t last_adopted_ms(const struct vf_generation *generation)
{
    size_t count = generation->adoption_count;
    return count > 0 ? generation->adoptions[count - 1].adopted_ms : INT64_MIN;
}

/* The same generation as it was before its last adoption: the store was set back, and the adoption is lost with the rest. */
static bool is_set_back(const struct vf_generation *former, const struct vf_generation *registered)
{
    return registered->created_ms == former->created_ms && last_adopted_ms(registered) < last_adopted_ms(former);
}

static void say_renewed(const struct vf_worker *worker, const char *former_hash, bool set_back)
{
    struct vf_log_about line = vf_worker_about(worker);
    const struct vf_generation *generation = &worker->generation;
    /* GUARD set-back-said: an operator believes that the script runs which he had adopted */
    if (set_back)
        vf_log(VF_LOG_WARN, &line,
               "the store was set back to before generation %d was adopted: going on with the script %.12s that it "
               "holds, instead of %.12s. Adopt the other one again",
               generation->number, generation->script_hash, former_hash);
    else if (generation->adoption_count > 0)
        vf_log(VF_LOG_INFO, &line,
               "generation %d was adopted: going on with the script %.12s that the store holds, "
               "instead of %.12s",
               generation->number, generation->script_hash, former_hash);
    else
        vf_log(VF_LOG_INFO, &line,
               "generation %d was made anew: building it with the script %.12s that the store holds",
               generation->number, generation->script_hash);
}

/* Takes the arena. */
static enum vf_code take_over(struct vf_worker *worker, const struct vf_generation *registered, struct vf_arena *arena,
                              struct vf_error *error)
{
    const struct vf_projector_type *type = worker->setup.projector_type;
    struct vf_script_reader reader = vf_script_stored_reader(registered);
    struct vf_projector *projector = NULL;
    char former_hash[65];
    enum vf_code code = type->open(registered->script, &reader, &worker->setup.projector_limits, vf_worker_log_script,
                                   worker, &projector, error);
    if (!code)
        code = check_topics(worker, projector, error);
    if (code) {
        type->close(projector);
        vf_arena_free(arena);
        return code;
    }
    memcpy(former_hash, worker->generation.script_hash, sizeof former_hash);
    bool set_back = is_set_back(&worker->generation, registered);
    vf_cache_free(worker->cache); /* before the projector that its documents belong to */
    type->close(worker->projector);
    vf_arena_free(worker->generation_arena);
    worker->projector = projector;
    vf_suspects_free(worker->suspects); /* what failed may have been mended */
    worker->suspects = vf_suspects_new();
    worker->cache = vf_cache_new(type, projector, (size_t)worker->setup.cache_bytes);
    worker->generation = *registered;
    worker->generation_arena = arena;
    forget(worker);
    say_renewed(worker, former_hash, set_back);
    return vf_worker_make_indexes(worker, error);
}

/* Why a worker waits: each is said once. */
static const char dropped[] = "dropped";
static const char not_here[] = "its script cannot be run here";

static void wait_for_another(struct vf_worker *worker)
{
    if (worker->waits_said != dropped)
        vf_worker_say(worker, VF_LOG_WARN, NULL, NULL,
                      "the generation was dropped: waiting until it is made anew. That does who starts next with the "
                      "script that shall build it; this process then goes on with that");
    worker->waits_said = dropped;
}

void vf_worker_renew(struct vf_worker *worker)
{
    struct vf_generation proposed = proposal(worker), registered;
    struct vf_arena *arena = vf_arena_new();
    struct vf_error error;
    bool created;
    worker->renew_at_ms = vf_worker_now_ms(worker) + RENEW_INTERVAL_MS;
    enum vf_code code = worker->setup.store_type->prepare(worker->store, worker->setup.view, &proposed, arena,
                                                          &registered, &created, &error);
    if (code) {
        vf_arena_free(arena);
        vf_worker_lose_store(worker, &error, code != VF_E_UNAVAILABLE);
        return;
    }
    if (strcmp(registered.state, VF_GENERATION_ACTIVE) != 0) {
        wait_for_another(worker);
        vf_arena_free(arena);
        return;
    }
    if (is_ours(worker, &registered)) /* the store had lost it, and has it again */
        vf_arena_free(arena);
    else
        code = take_over(worker, &registered, arena, &error);
    if (code) {
        if (worker->waits_said != not_here)
            vf_worker_say(worker, VF_LOG_ERROR, NULL, &error, "the generation's script cannot be run here; waiting");
        worker->waits_said = not_here;
        return;
    }
    worker->superseded = false;
    worker->waits_said = NULL;
}
