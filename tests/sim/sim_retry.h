/*
 * The simulator's operator who tries again what is parked, beside the workers: one batch an aggregate, whatever becomes of it, as
 * the store may be down or somebody faster.
 */
#ifndef VF_SIM_RETRY_H
#define VF_SIM_RETRY_H

#include "clock.h"
#include "connectors/memory/memory_store.h"
#include "run/fold.h"

struct sim_retry {
    struct vf_memory_server *server;
    struct vf_view view;
    const struct vf_clock *clock;
    const struct vf_reading_topic *topics;
    size_t topic_count;
    int64_t forget_ms;
    const struct vf_projector_type *projector_type;
    const struct vf_script_reader *reader;
    size_t rows_max; /* events a batch */
};

/* How many aggregates were parked; -1: the store did not answer. */
int sim_retry_all(const struct sim_retry *retry);

#endif
