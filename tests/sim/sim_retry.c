#include "sim/sim_retry.h"

#include "run/drops.h"

#include <stdlib.h>

#define PARKED_MAX 100

static const struct vf_store_type *const type = &vf_memory_store_type;

/* Of one state. */
struct found {
    enum vf_aside_state state;
    struct vf_bytes *aggregates;
    size_t count;
};

static void try_one(const struct sim_retry *retry, struct vf_fold_tools *tools, struct vf_fold *fold,
                    struct vf_bytes aggregate, enum vf_aside_state state)
{
    struct vf_counts loads = {0};
    struct vf_commit_result result;
    struct vf_fold_retry wanted = {0};
    if (retry->choose ? !retry->choose(retry->self, aggregate, state, &wanted) : state != VF_ASIDE_PARKED)
        return;
    fold->number++;
    enum vf_fold_outcome outcome = vf_fold_retry(fold, tools, aggregate, &wanted, &loads);
    if (outcome == VF_FOLDED && !fold->empty) {
        type->commit_send(tools->store, &fold->commit);
        type->commit_wait(tools->store, &result);
    }
    vf_cache_drop_all(tools->cache);
}

static bool find(const struct sim_retry *retry, struct vf_store *store, struct vf_arena *arena, struct found *found)
{
    struct vf_error error;
    return type->aside_aggregates(store, retry->view, found->state, (struct vf_bytes){0}, PARKED_MAX, arena,
                                  &found->aggregates, &found->count, &error) == VF_OK;
}

static void try_all(const struct sim_retry *retry, struct vf_store *store, const struct vf_generation *generation,
                    struct vf_projector *projector, const struct found *found, size_t states)
{
    struct vf_readings readings = {0};
    struct vf_fold fold = {0};
    struct vf_error error;
    struct vf_drops *drops = vf_drops_new();
    if (vf_drops_load(drops, type, store, retry->view, &error)) {
        vf_drops_free(drops);
        return;
    }
    vf_fold_init(&fold);
    struct vf_fold_tools tools = {
        .projector_type = retry->projector_type,
        .projector = projector,
        .projection = retry->projector_type->describe(projector),
        .store_type = type,
        .store = store,
        .view = retry->view,
        .generation_stamp = generation->stamp,
        .cache = vf_cache_new(retry->projector_type, projector, 1 << 20),
        .readings = &readings,
        .parser = vf_json_parser_new(),
        .clock = retry->clock,
        .topics = retry->topics,
        .topic_count = retry->topic_count,
        .parks = true,
        .parks_at_once = true,
        .drops = drops,
        .script_hash = generation->script_hash,
        .careful = true,
        .forget_ms = retry->forget_ms,
        .rows_max = retry->rows_max,
        .written_bytes_max = 1 << 20,
    };
    for (size_t state = 0; state < states; state++)
        for (size_t i = 0; i < found[state].count; i++)
            try_one(retry, &tools, &fold, found[state].aggregates[i], found[state].state);
    vf_cache_free(tools.cache);
    vf_json_parser_free(tools.parser);
    vf_drops_free(drops);
    vf_fold_done(&fold);
}

int sim_retry_all(const struct sim_retry *retry)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_store *store = NULL;
    struct vf_projector *projector = NULL;
    struct vf_generation generation;
    struct vf_error error;
    struct found found[] = {{.state = VF_ASIDE_PARKED}, {.state = VF_ASIDE_GAP}, {.state = VF_ASIDE_HELD}};
    size_t states = sizeof found / sizeof *found, count = 0;
    struct vf_projector_limits limits = {.memory_bytes_max = 16 << 20,
                                         .instructions_max = 1000000,
                                         .handler_ms_max = 10000,
                                         .document_bytes_max = 1 << 20};
    bool fine = vf_memory_store_open_on(retry->server, &store, &error) == VF_OK &&
                type->generation(store, retry->view, arena, &generation, &error) == VF_OK &&
                strcmp(generation.state, VF_GENERATION_ACTIVE) == 0;
    for (size_t i = 0; i < states && fine; i++) {
        fine = find(retry, store, arena, &found[i]);
        count += found[i].count;
    }
    if (fine && count > 0)
        fine = retry->projector_type->open("view.lua", retry->reader, &limits, NULL, NULL, &projector, &error) == VF_OK;
    if (fine && count > 0)
        try_all(retry, store, &generation, projector, found, states);
    retry->projector_type->close(projector);
    type->close(store);
    vf_arena_free(arena);
    return fine ? (int)count : -1;
}
