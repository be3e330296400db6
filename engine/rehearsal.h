/*
 * The rehearsal seam: a log and a store that are made to be looked at, as `test` runs projections on them. Source and store
 * are the seams' own, so a worker cannot tell the difference; here is what their maker can do besides. One thread.
 */
#ifndef VF_REHEARSAL_H
#define VF_REHEARSAL_H

#include "source.h"
#include "store.h"

struct vf_rehearsal; /* the implementation's own */

/* What lies in the store: all of one generation. */
struct vf_rehearsed {
    const struct vf_document *documents; /* husks too, by id */
    size_t document_count;
    const struct vf_progress_row *rows; /* progress, and why a partition stopped */
    size_t row_count;
    const struct vf_aside *asides; /* what is held, by list and place */
    size_t aside_count;
};

struct vf_rehearsal_type {
    const struct vf_source_type *source;
    const struct vf_store_type *store;

    /* An empty log and an empty store. Records are delivered in the order in which they are appended, over all partitions. */
    struct vf_rehearsal *(*open)(void);
    void (*close)(struct vf_rehearsal *rehearsal); /* after all sources and stores; NULL is fine */

    const char *(*brokers)(const struct vf_rehearsal *rehearsal); /* for the source's configuration */
    const char *(*url)(const struct vf_rehearsal *rehearsal);     /* for the store's */

    void (*add_topic)(struct vf_rehearsal *rehearsal, const char *topic, int32_t partitions);

    /* Appends a record: of `record` its key, value, headers and timestamp count. Its offset. */
    int64_t (*append)(struct vf_rehearsal *rehearsal, struct vf_partition partition, const struct vf_record *record);
    void (*leave_hole)(struct vf_rehearsal *rehearsal, struct vf_partition partition); /* an offset without a record */

    /* Divides the partitions among the group's members, as a coordinator does when one has joined or left. */
    void (*rebalance)(struct vf_rehearsal *rehearsal, const char *group);

    /* Everything in the arena. */
    void (*read)(struct vf_rehearsal *rehearsal, struct vf_view view, struct vf_arena *arena,
                 struct vf_rehearsed *ret_rehearsed);
};

#endif
