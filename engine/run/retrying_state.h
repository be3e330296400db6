/*
 * The inside of a vf_retrying, for retrying.c and retrying_view.c only.
 */
#ifndef VF_RUN_RETRYING_STATE_H
#define VF_RUN_RETRYING_STATE_H

#include "run/drops.h"
#include "run/fold.h"
#include "run/generation.h"
#include "run/retrying.h"

struct vf_retrying {
    struct vf_retrying_setup setup;
    struct vf_store *store; /* NULL: lost */
    struct vf_generation generation;
    struct vf_arena *generation_arena;
    struct vf_projector *projector;
    struct vf_reading_topic *topics; /* in generation_arena */
    size_t topic_count;
    struct vf_cache *cache;
    struct vf_fold fold;
    struct vf_json_parser *parser;
    struct vf_drops *drops;
    struct vf_readings readings; /* none */
    struct vf_counts counts;
    struct vf_arena *arena;    /* one call's answers */
    struct vf_refused refused; /* of the present run, until others have changed something */
    size_t rows_max;
    int losses;
    bool careful;
};

int64_t vf_retrying_now_ms(const struct vf_retrying *retrying);
void vf_retrying_sleep_ms(const struct vf_retrying *retrying, int64_t duration_ms);

/* What readers see. */
struct vf_view vf_retrying_view(const struct vf_retrying *retrying);

/* Opens the store where it was lost; one that does not answer is waited for. */
VF_MUSTCHECK enum vf_code vf_retrying_need_store(struct vf_retrying *retrying, struct vf_error *error);

/* After a call of the store has failed: true when it may be tried again, on a new connection. */
bool vf_retrying_is_lost(struct vf_retrying *retrying, enum vf_code code);

/* The last number that is among the record's early events with all before it that are. */
VF_MUSTCHECK enum vf_code vf_retrying_unbroken(struct vf_retrying *retrying, const struct vf_aggregate *record,
                                               int64_t *ret_number, struct vf_error *error);

/* The generation that readers see, with its script and what has been decided about it; and lets go of it. */
VF_MUSTCHECK enum vf_code vf_retrying_load_generation(struct vf_retrying *retrying, struct vf_error *error);
void vf_retrying_forget_script(struct vf_retrying *retrying);

#endif
