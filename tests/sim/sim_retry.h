/*
 * The simulator's operator who tries again what is parked, or drops what is set aside, beside the workers: one batch an aggregate,
 * whatever becomes of it, as the store may be down or somebody faster.
 */
#ifndef VF_SIM_RETRY_H
#define VF_SIM_RETRY_H

#include "clock.h"
#include "connectors/memory/memory_store.h"
#include "run/fold.h"

/* What to do about an aggregate that something is set aside of; false: nothing. */
typedef bool sim_retry_choice(void *self, struct vf_bytes aggregate, enum vf_aside_state state,
                              struct vf_fold_retry *ret_retry);

struct sim_retry {
    struct vf_memory_server *server;
    struct vf_view view;
    const struct vf_clock *clock;
    const struct vf_reading_topic *topics;
    size_t topic_count;
    int64_t forget_ms;
    const struct vf_projector_type *projector_type;
    const struct vf_script_reader *reader;
    size_t rows_max;          /* events a batch */
    sim_retry_choice *choose; /* NULL: what is parked is tried again */
    void *self;
};

/* How many aggregates something was tried with; -1: the store did not answer. */
int sim_retry_all(const struct sim_retry *retry);

#endif
