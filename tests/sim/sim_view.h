/*
 * The view that the simulator's workers keep, as a seed chooses it: its topics and their numbers, its projection for
 * plain_projector.h, and the same projection as a Lua script.
 */
#ifndef VF_SIM_VIEW_H
#define VF_SIM_VIEW_H

#include "run/worker.h"
#include "sim/sim_producer.h"

struct sim_view {
    bool joins; /* all that issue 5 brought; otherwise own, link and field routes whose links never move */
    struct vf_projection projection;
    struct vf_route routes[SIM_TOPICS];
    const char *topics[SIM_TOPICS];
    struct vf_reading_topic readings[SIM_TOPICS];
    int64_t forget_ms;
};

/* Fills the view and the producer's topics, and makes them in its log. */
void sim_view_choose(struct sim_view *view, struct sim_producer *producer, enum vf_versions_mode versions,
                     enum sim_kind numbers);

/* The script, which keeps what plain_projector.c keeps; its size. */
size_t sim_view_script(const struct sim_view *view, char *script, size_t size);

#endif
