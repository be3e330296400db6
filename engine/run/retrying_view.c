/* The view that an operator acts on: its store, its generation and script, and what is set aside (retrying.h). */
#include "run/retrying_state.h"
#include "run/supervisor.h"

#include <stdlib.h>

/* So many aggregates are asked for at once. */
#define PAGE 200
/* About so many bytes of a list at once. */
#define PAGE_BYTES ((size_t)1 << 20)
/* A store that goes away is waited for so long. */
#define RECONNECT_WAIT_MS 500
#define RECONNECT_MAX_MS  30000
#define LOSSES_MAX        20 /* in a row, each of them after it had answered */

/* --- the store and the script ------------------------------------------------------------------------------------- */

int64_t vf_retrying_now_ms(const struct vf_retrying *retrying)
{
    return retrying->setup.clock->monotonic_ms(retrying->setup.clock->self);
}

void vf_retrying_sleep_ms(const struct vf_retrying *retrying, int64_t duration_ms)
{
    retrying->setup.clock->sleep_ms(retrying->setup.clock->self, duration_ms);
}

struct vf_view vf_retrying_view(const struct vf_retrying *retrying)
{
    return (struct vf_view){retrying->setup.view, retrying->generation.number};
}

static void lose_store(struct vf_retrying *retrying)
{
    if (retrying->store)
        retrying->setup.store_type->close(retrying->store);
    retrying->store = NULL;
}

static enum vf_code open_store(struct vf_retrying *retrying, struct vf_error *error)
{
    struct vf_store_config config = vf_store_config_of(retrying->setup.store);
    return retrying->setup.store_type->open(&config, &retrying->store, error);
}

/* Opens the store where it was lost; one that does not answer is waited for. */
enum vf_code vf_retrying_need_store(struct vf_retrying *retrying, struct vf_error *error)
{
    int64_t end_ms = retrying->store ? 0 : vf_retrying_now_ms(retrying) + RECONNECT_MAX_MS;
    while (!retrying->store) {
        enum vf_code code = open_store(retrying, error);
        if (code) {
            retrying->store = NULL;
            if (code != VF_E_UNAVAILABLE || vf_retrying_now_ms(retrying) >= end_ms)
                return code;
            vf_retrying_sleep_ms(retrying, RECONNECT_WAIT_MS);
        }
    }
    return VF_OK;
}

/* After a call of the store has failed: true when it may be tried again, on a new connection. */
bool vf_retrying_is_lost(struct vf_retrying *retrying, enum vf_code code)
{
    if (code != VF_E_UNAVAILABLE)
        return false;
    lose_store(retrying);
    return ++retrying->losses < LOSSES_MAX;
}

void vf_retrying_forget_script(struct vf_retrying *retrying)
{
    vf_cache_free(retrying->cache); /* before the projector that its documents belong to */
    retrying->setup.projector_type->close(retrying->projector);
    vf_arena_free(retrying->generation_arena);
    retrying->cache = NULL;
    retrying->projector = NULL;
    retrying->generation_arena = NULL;
}

static enum vf_code open_at_hand(struct vf_retrying *retrying, struct vf_error *error)
{
    const struct vf_projector_type *type = retrying->setup.projector_type;
    struct vf_projector_limits limits = vf_projector_limits_of(retrying->setup.config);
    struct vf_projector *at_hand = NULL;
    struct vf_generation proposed;
    enum vf_code code = vf_generation_propose(retrying->setup.at_hand, type, &limits, 0, &at_hand, &proposed, error);
    if (code)
        return code;
    code = vf_generation_check_adoption(type->describe(retrying->projector), type->describe(at_hand), error);
    if (code) {
        type->close(at_hand);
        return vf_error_prefix(error, "the generation could not go on with %s", retrying->setup.at_hand->script);
    }
    type->close(retrying->projector);
    retrying->projector = at_hand;
    memcpy(retrying->generation.script_hash, proposed.script_hash, sizeof proposed.script_hash);
    return VF_OK;
}

static enum vf_code open_script(struct vf_retrying *retrying, struct vf_error *error)
{
    const struct vf_config *config = retrying->setup.config;
    const struct vf_projector_type *type = retrying->setup.projector_type;
    struct vf_projector_limits limits = vf_projector_limits_of(config);
    struct vf_script_reader reader = vf_script_stored_reader(&retrying->generation);
    enum vf_code code =
        type->open(retrying->generation.script, &reader, &limits, NULL, NULL, &retrying->projector, error);
    if (code) {
        retrying->projector = NULL;
        return vf_error_prefix(error, "the script that generation %d runs", (int)retrying->generation.number);
    }
    if (retrying->setup.at_hand)
        code = open_at_hand(retrying, error);
    if (code)
        return code;
    const struct vf_projection *projection = type->describe(retrying->projector);
    code = vf_config_check_topics(config, projection->name, projection->topics, projection->topic_count, error);
    if (code)
        return code;
    retrying->topics = vf_arena_calloc(retrying->generation_arena, projection->topic_count, sizeof *retrying->topics);
    retrying->topic_count = projection->topic_count;
    for (size_t i = 0; i < projection->topic_count; i++) {
        struct vf_topic_entry topic = vf_config_topic(config, projection->topics[i]);
        retrying->topics[i] = (struct vf_reading_topic){.topic = topic.topic, .envelope = topic.envelope};
    }
    retrying->cache = vf_cache_new(type, retrying->projector, (size_t)config->cache_bytes);
    return VF_OK;
}

/* The generation that readers see, with its script. */
enum vf_code vf_retrying_load_generation(struct vf_retrying *retrying, struct vf_error *error)
{
    const struct vf_store_type *type = retrying->setup.store_type;
    struct vf_view_state state;
    vf_retrying_forget_script(retrying);
    retrying->generation_arena = vf_arena_new();
    enum vf_code code = type->state(retrying->store, retrying->setup.view, &state, error);
    if (code)
        return code;
    if (state.active == 0) /* not even made, or dropped */
        return vf_fail(error, VF_E_NOT_FOUND, "the store %s has no view %s", retrying->setup.store->name,
                       retrying->setup.view);
    struct vf_view view = {retrying->setup.view, state.active};
    code = type->generation(retrying->store, view, retrying->generation_arena, &retrying->generation, error);
    if (!code)
        code = vf_drops_load(retrying->drops, type, retrying->store, view, error);
    if (!code)
        code = open_script(retrying, error);
    if (code) /* nothing half loaded: it is tried again from the beginning, or not at all */
        vf_retrying_forget_script(retrying);
    return code;
}

enum vf_code vf_retrying_open(const struct vf_retrying_setup *setup, struct vf_retrying **ret_retrying,
                              struct vf_error *error)
{
    struct vf_retrying *retrying = vf_calloc(1, sizeof *retrying);
    retrying->setup = *setup;
    retrying->arena = vf_arena_new();
    retrying->parser = vf_json_parser_new();
    retrying->drops = vf_drops_new();
    retrying->rows_max = (size_t)setup->config->batch.events_max;
    vf_fold_init(&retrying->fold);
    enum vf_code code = open_store(retrying, error);
    if (code)
        retrying->store = NULL;
    if (!code)
        code = vf_retrying_load_generation(retrying, error);
    if (code) {
        vf_retrying_close(retrying);
        return code;
    }
    *ret_retrying = retrying;
    return VF_OK;
}

void vf_retrying_close(struct vf_retrying *retrying)
{
    if (!retrying)
        return;
    vf_retrying_forget_script(retrying);
    vf_fold_done(&retrying->fold);
    vf_json_parser_free(retrying->parser);
    vf_drops_free(retrying->drops);
    vf_arena_free(retrying->arena);
    lose_store(retrying);
    free(retrying);
}

const struct vf_generation *vf_retrying_generation(const struct vf_retrying *retrying)
{
    return &retrying->generation;
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

enum vf_code vf_retrying_parked(struct vf_retrying *retrying, struct vf_bytes after, struct vf_arena *arena,
                                struct vf_bytes **ret_aggregates, size_t *ret_count, struct vf_error *error)
{
    for (;;) {
        enum vf_code code = vf_retrying_need_store(retrying, error);
        if (code)
            return code;
        code =
            retrying->setup.store_type->aside_aggregates(retrying->store, vf_retrying_view(retrying), VF_ASIDE_PARKED,
                                                         after, PAGE, arena, ret_aggregates, ret_count, error);
        if (!code || !vf_retrying_is_lost(retrying, code))
            return code;
    }
}

enum vf_code vf_retrying_count(struct vf_retrying *retrying, int64_t *ret_count, struct vf_error *error)
{
    int64_t counts[VF_ASIDE_STATES];
    for (;;) {
        enum vf_code code = vf_retrying_need_store(retrying, error);
        if (code)
            return code;
        code = retrying->setup.store_type->aside_counts(retrying->store, vf_retrying_view(retrying), counts, error);
        if (!code)
            *ret_count = counts[VF_ASIDE_PARKED];
        if (!code || !vf_retrying_is_lost(retrying, code))
            return code;
    }
}

enum vf_code vf_retrying_load(struct vf_retrying *retrying, struct vf_bytes aggregate, struct vf_arena *arena,
                              struct vf_aggregate *ret_record, struct vf_error *error)
{
    for (;;) {
        enum vf_code code = vf_retrying_need_store(retrying, error);
        if (code)
            return code;
        code = retrying->setup.store_type->load(retrying->store, vf_retrying_view(retrying), NULL, 0, &aggregate, 1,
                                                arena, NULL, ret_record, error);
        if (!code || !vf_retrying_is_lost(retrying, code))
            return code;
    }
}

enum vf_code vf_retrying_first(struct vf_retrying *retrying, const struct vf_aggregate *record, struct vf_arena *arena,
                               bool *ret_there, struct vf_aside *ret_first, struct vf_error *error)
{
    struct vf_bytes list = vf_list_key(arena, VF_LIST_OWN, record->aggregate);
    struct vf_aside *asides;
    size_t count = 0;
    *ret_there = false;
    while (record->aside_to > record->aside_from) {
        enum vf_code code = vf_retrying_need_store(retrying, error);
        if (code)
            return code;
        code = retrying->setup.store_type->aside_load(retrying->store, vf_retrying_view(retrying), list,
                                                      record->aside_from, 1, 0, arena, &asides, &count, error);
        if (code && vf_retrying_is_lost(retrying, code))
            continue;
        if (!code && count > 0) {
            *ret_there = asides[0].place == record->aside_from;
            *ret_first = asides[0];
        }
        return code;
    }
    return VF_OK;
}

enum vf_code vf_retrying_unbroken(struct vf_retrying *retrying, const struct vf_aggregate *record, int64_t *ret_number,
                                  struct vf_error *error)
{
    const struct vf_store_type *type = retrying->setup.store_type;
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes list = vf_list_key(retrying->arena, VF_LIST_EARLY, record->aggregate);
    int64_t place = record->early_from, number = vf_early_number(place);
    enum vf_code code = VF_OK;
    size_t count = 1;
    bool is_unbroken = true;
    while (!code && count > 0 && is_unbroken) {
        struct vf_aside *asides = NULL;
        vf_arena_reset(arena); /* a list may be longer than the heap */
        code = vf_retrying_need_store(retrying, error);
        if (!code)
            code = type->aside_load(retrying->store, vf_retrying_view(retrying), list, place, PAGE, PAGE_BYTES, arena,
                                    &asides, &count, error);
        if (code && vf_retrying_is_lost(retrying, code)) {
            code = VF_OK;
            count = 1;
            continue;
        }
        for (size_t i = 0; i < count && !code && is_unbroken; i++) {
            is_unbroken = vf_early_number(asides[i].place) <= number + 1;
            number = is_unbroken ? vf_early_number(asides[i].place) : number;
            place = asides[i].place + 1;
        }
    }
    vf_arena_free(arena);
    *ret_number = number;
    return code;
}
