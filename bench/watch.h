/*
 * Hears from a store, in the store's own way, which document has got which revision: Redis' change channel, MongoDB's change
 * stream. For latency.c: what is heard here, a reader can see. One thread; failures end the program with a message.
 */
#ifndef VF_BENCH_WATCH_H
#define VF_BENCH_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct bench_watch;

/* Called for each change: the document's id, not NUL-terminated, and its revision. */
typedef void bench_watch_heard(void *self, const char *id, size_t id_size, int64_t revision);

struct bench_watch_type {
    /* `where`: Redis' key prefix, or MongoDB's database. Changes from now on are heard. */
    struct bench_watch *(*open)(const char *url, const char *where, const char *view);
    /* Waits for changes, 50 ms or so at most, and tells what came. */
    void (*turn)(struct bench_watch *watch, bench_watch_heard *heard, void *self);
    void (*close)(struct bench_watch *watch);
};

extern const struct bench_watch_type bench_watch_redis;
extern const struct bench_watch_type bench_watch_mongodb;

#endif
