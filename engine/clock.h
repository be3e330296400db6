/*
 * The clock seam: the one place where time comes from, so that a simulator can drive a worker. Monotonic time decides;
 * wall time decides nothing but what users set by it (CONTRIBUTING.md, style).
 */
#ifndef VF_CLOCK_H
#define VF_CLOCK_H

#include <stdint.h>

struct vf_clock {
    int64_t (*monotonic_ms)(void *self);
    int64_t (*wall_ms)(void *self);                 /* Unix milliseconds */
    void (*sleep_ms)(void *self, int64_t duration); /* may return early */
    uint64_t (*random)(void *self);                 /* 64 random bits: stamps and jitter */
    void *self;
};

/* The machine's clock and getrandom(2). Static; any thread. */
const struct vf_clock *vf_clock_system(void);

#endif
