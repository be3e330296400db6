/*
 * A worker: one member of the consumer group, one script state, one connection to the store, one thread that shares
 * nothing. Its loop is poll, fold, write, settle; one turn of it is vf_worker_step, with time from the clock seam, so that
 * a simulator can drive it.
 *
 * What makes it right is in docs/protocol.md; in short: a batch is one conditional write with its
 * progress; the worker starts where its store's progress says; whatever fails drops what it touched and is folded again;
 * Kafka's offsets are committed last, for lag tools only.
 *
 * A generation that was adopted under it is read again: the worker goes on with the script that the store holds. One that
 * was dropped is not made again by who had been running it: it waits until somebody starts with what shall be built.
 *
 * A store that goes away is waited for, with an empty assignment and polling on, so that the group is not held up. An
 * event that cannot be taken in stops its partition for this projection and store; all others go on.
 */
#ifndef VF_RUN_WORKER_H
#define VF_RUN_WORKER_H

#include "clock.h"
#include "projector.h"
#include "run/config.h"
#include "run/counts.h"
#include "run/reading.h"
#include "source.h"
#include "store.h"

struct vf_worker;

/* Everything a worker is made of. Borrowed: it outlives the worker. */
struct vf_worker_setup {
    const char *name;       /* customer_orders.cache.0: log lines carry it */
    const char *projection; /* for log lines */
    const char *view;       /* the view's name in this store */
    const struct vf_clock *clock;

    const struct vf_source_type *source_type;
    struct vf_source_config source;
    const struct vf_store_type *store_type;
    struct vf_store_config store;
    const struct vf_projector_type *projector_type;
    struct vf_projector_limits projector_limits;

    const struct vf_generation *proposed; /* what the script on disk says */
    const struct vf_reading_topic *topics;
    size_t topic_count;
    struct vf_batch_config batch;
    struct vf_errors_config errors;
    int64_t cache_bytes;
    int64_t forget_ms;       /* how long the husks of deleted and expired documents stay; 0: for ever */
    int64_t aside_max;       /* events of a partition that may be set aside; 0: no limit */
    int64_t aside_bytes_max; /* and bytes of their records */
    bool sweeps;             /* lets go of what has expired */
    bool emptied_stop;       /* emptied: stop */
    bool once;               /* the ends that partitions have now are asked for, so that caught_up can come true */
    int64_t idle_poll_ms;    /* how long a turn waits when there is nothing to do */
};

enum vf_worker_state {
    VF_WORKER_STARTING, /* no assignment yet */
    VF_WORKER_RUNNING,
    VF_WORKER_WAITING, /* for its store, or for its generation to be built anew */
};

/* What others may know of a worker. A copy. */
struct vf_worker_report {
    enum vf_worker_state state;
    struct vf_counts counts;
    size_t partitions; /* assigned */
    size_t stopped;    /* of these */
    size_t stuck;      /* lists of held events whose first one could not be taken in when it was last tried */
    bool dropped;      /* its generation was dropped, or cannot be run here any more: it waits for another */
    bool caught_up;    /* every assigned partition has reached the end it had at the start (or stopped); needs `once` */
};

enum vf_step {
    VF_STEP_WORKED, /* something was done */
    VF_STEP_IDLE,   /* there was nothing to do */
};

/* Connects to store and Kafka, prepares generation 1, loads the generation's script. Fails at once with what, where and
 * what to do: waiting is for later. */
VF_MUSTCHECK enum vf_code vf_worker_open(const struct vf_worker_setup *setup, struct vf_worker **ret_worker,
                                         struct vf_error *error);

/* One turn of the loop. */
enum vf_step vf_worker_step(struct vf_worker *worker);

/* Ends what is under way and commits offsets: what SIGTERM asks for. Bounded by the store's time limits. */
void vf_worker_drain(struct vf_worker *worker);

/* Leaves the group and closes everything. What was under way is abandoned; the store guarantees all or nothing of it. */
void vf_worker_close(struct vf_worker *worker); /* NULL is fine */

/* From the worker's own thread. */
void vf_worker_report(const struct vf_worker *worker, struct vf_worker_report *ret_report);

/* Drops every warm document and record, as eviction may at any moment: for tests of a cold cache. */
void vf_worker_drop_cache(struct vf_worker *worker);

#endif
