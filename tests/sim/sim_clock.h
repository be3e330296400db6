/*
 * Time and chance for the simulator: a clock that moves only when it is told to, and numbers that a seed repeats. One thread.
 * A sleeper finds that his time has passed at once.
 */
#ifndef VF_SIM_CLOCK_H
#define VF_SIM_CLOCK_H

#include "clock.h"

#include <stdbool.h>

/* Small and fast, the same on every machine (splitmix64). Copy it to come back to a point. */
struct vf_sim_random {
    uint64_t state;
};

uint64_t vf_sim_random_next(struct vf_sim_random *random);
uint64_t vf_sim_random_below(struct vf_sim_random *random, uint64_t limit);      /* 0 .. limit - 1; limit > 0 */
bool vf_sim_random_chance(struct vf_sim_random *random, unsigned in_a_thousand); /* true so often */

/* Embedded, not to be moved: `clock.self` points to it. Set the members as the test needs them. */
struct vf_sim_clock {
    struct vf_clock clock;       /* hand &sim.clock to the engine */
    struct vf_sim_random random; /* what clock.random draws from; keep the simulator's own choices apart from it */
    int64_t monotonic_ms;
    int64_t wall_ms;
    int64_t slept_ms; /* how long all sleeps together were */
};

/* Begins at monotonic 1,000 ms and wall 2026-03-01T10:00:00Z. */
void vf_sim_clock_init(struct vf_sim_clock *sim, uint64_t seed);

/* Both times go on by so much. */
void vf_sim_clock_advance(struct vf_sim_clock *sim, int64_t duration_ms);

#endif
