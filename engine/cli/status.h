/*
 * What `viewfold status` shows, as plain data, and how it shows it. Pure; status.c gathers. Everything borrows.
 */
#ifndef VF_CLI_STATUS_H
#define VF_CLI_STATUS_H

#include "cli/views.h"
#include "core/document.h"
#include "run/fresh.h"

struct vf_status_partition {
    struct vf_partition partition;
    struct vf_progress progress;
    bool end_known; /* Kafka told low and end */
    int64_t low;
    int64_t end;
    bool lag_known;
    int64_t lag;
    const char *stopped;   /* why it stopped, a JSON object as text, or NULL */
    struct vf_stopped why; /* that, taken apart */
};

struct vf_status_row {
    const struct vf_view_entry
        *entry;         /* where the script cannot be read: no projection, and no view but one that is configured */
    const char *unread; /* why the script cannot be read, or NULL */
    const char *state;
    bool store_known; /* the store could be asked */
    bool kafka_known;
    int32_t generation; /* 0: no such view in the store (yet) */
    /* The entry of the active generation, or else of the last one that was dropped or is being dropped; or NULL. */
    const struct vf_generation *registered;
    bool frozen;
    int64_t aside;                       /* events set aside, for whatever reason */
    int64_t aggregates[VF_ASIDE_STATES]; /* of which events are set aside */
    int64_t gaps_lasting;   /* of those behind a gap, how many are so for longer than their topic's `gaps` says */
    size_t draining;        /* aggregates whose events need not wait any more, as far as they were counted */
    const char *held_up;    /* what holds commits up in its store, where the store can tell that, or NULL */
    size_t members;         /* of the consumer group */
    size_t partitions_most; /* of the topic that has most: range leaves members beyond it idle */
    struct vf_status_partition *partitions;
    size_t partition_count;
    struct vf_rebuilding rebuilding;
};

/* Members that get no partition (docs/operations.md, scaling). */
size_t vf_status_idle(const struct vf_status_row *row);

/* How many records are still to come: from progress, or without it from the log's beginning. False: unknown. */
bool vf_status_lag(const struct vf_status_partition *partition, int64_t *ret_lag);

/* Its state: degraded and stopped where a partition is; frozen; unknown where its script cannot be read; waiting where its store or Kafka could not be asked;
 * stopped where its group has no member; rebuilding where its store had lost it; starting before the view is there; else
 * running. */
const char *vf_status_state(const struct vf_status_row *row);

/* {"projections":[...]} on one line. */
void vf_status_print_json(const struct vf_status_row *rows, size_t count, struct vf_buffer *out);

/* A line a projection and store, and one for each partition that lags or has stopped (`all`: for each partition). */
void vf_status_print_table(const struct vf_status_row *rows, size_t count, bool color, bool all, struct vf_buffer *out);

/* What --check minds, one a line; nothing where all is well. */
void vf_status_check(const struct vf_status_row *rows, size_t count, int64_t lag_max, struct vf_buffer *out);

#endif
