#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    assert(!failed);
    (void)failed;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_ms(void *self)
{
    (void)self;
    return now_ms(CLOCK_MONOTONIC);
}

static int64_t wall_ms(void *self)
{
    (void)self;
    return now_ms(CLOCK_REALTIME);
}

/* A signal ends it early, so that a worker sees at once that it has to stop. */
static void sleep_ms(void *self, int64_t duration)
{
    (void)self;
    if (duration <= 0)
        return;
    struct timespec wanted = {.tv_sec = (time_t)(duration / 1000), .tv_nsec = (long)(duration % 1000) * 1000000};
    nanosleep(&wanted, NULL);
}

/* Stamps decide about conflicts, so there is no weaker source to fall back on. */
static uint64_t random_bits(void *self)
{
    (void)self;
    uint64_t bits;
    ssize_t size;
    do {
        size = getrandom(&bits, sizeof bits, 0);
    } while (size < 0 && errno == EINTR);
    if (size != (ssize_t)sizeof bits) {
        perror("viewfold: getrandom");
        abort();
    }
    return bits;
}

const struct vf_clock *vf_clock_system(void)
{
    static const struct vf_clock system = {
        .monotonic_ms = monotonic_ms,
        .wall_ms = wall_ms,
        .sleep_ms = sleep_ms,
        .random = random_bits,
        .self = NULL,
    };
    return &system;
}
