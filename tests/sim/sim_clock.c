#include "sim/sim_clock.h"

uint64_t vf_sim_random_next(struct vf_sim_random *random)
{
    /* splitmix64, Vigna 2015 (public domain): its constants are its definition. */
    uint64_t mixed = random->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

uint64_t vf_sim_random_below(struct vf_sim_random *random, uint64_t limit)
{
    return vf_sim_random_next(random) % limit; /* the bias of small limits is nothing to a simulator */
}

bool vf_sim_random_chance(struct vf_sim_random *random, unsigned in_a_thousand)
{
    return vf_sim_random_below(random, 1000) < in_a_thousand;
}

static int64_t monotonic_ms(void *self)
{
    return ((struct vf_sim_clock *)self)->monotonic_ms;
}

static int64_t wall_ms(void *self)
{
    return ((struct vf_sim_clock *)self)->wall_ms;
}

static void sleep_ms(void *self, int64_t duration)
{
    struct vf_sim_clock *sim = self;
    if (duration <= 0)
        return;
    sim->slept_ms += duration;
    vf_sim_clock_advance(sim, duration);
}

static uint64_t draw(void *self)
{
    return vf_sim_random_next(&((struct vf_sim_clock *)self)->random);
}

void vf_sim_clock_init(struct vf_sim_clock *sim, uint64_t seed)
{
    *sim = (struct vf_sim_clock){
        .clock = {.monotonic_ms = monotonic_ms, .wall_ms = wall_ms, .sleep_ms = sleep_ms, .random = draw, .self = sim},
        .random = {seed},
        .monotonic_ms = 1000,
        .wall_ms = 1772359200000,
    };
}

void vf_sim_clock_advance(struct vf_sim_clock *sim, int64_t duration_ms)
{
    sim->monotonic_ms += duration_ms;
    sim->wall_ms += duration_ms;
}
