/*
 * What a memory log holds. Internal to connectors/memory: memory_log.c has the records and groups, memory_source.c the seam.
 */
#ifndef VF_MEMORY_LOG_H
#define VF_MEMORY_LOG_H

#include "connectors/memory/memory_source.h"

struct vf_memory_record {
    int64_t offset;
    int64_t timestamp_ms;
    uint64_t turn;              /* of all the log's records: which came before which */
    struct vf_bytes key, value; /* owned; data NULL: null */
    struct vf_header *headers;  /* owned, one block with what they say */
    size_t header_count;
};

struct vf_memory_partition {
    struct vf_memory_record *records; /* by offset */
    size_t count, capacity;
    int64_t low, high;
};

struct vf_memory_topic {
    char *name;
    struct vf_memory_partition *partitions;
    int32_t partition_count;
    struct vf_memory_topic *next;
};

struct vf_memory_committed {
    struct vf_partition partition; /* topic: the log's own text */
    int64_t offset;
    struct vf_memory_committed *next;
};

/* Where a member reads. */
struct vf_memory_position {
    struct vf_partition partition;
    int64_t next;      /* VF_OFFSET_BEGINNING until it is first looked at */
    int64_t end_told;  /* the end that the last row told; -1: none since a record */
    bool out_of_range; /* told; nothing more comes until the next assign */
};

/* A list of partitions whose topics are the log's own text. */
struct vf_memory_share {
    struct vf_partition *partitions;
    size_t count;
};

struct vf_source {
    struct vf_memory_log *log;
    struct vf_memory_group *group;
    char *instance;
    char **topics;
    size_t topic_count;

    struct vf_memory_position *positions;
    size_t position_count;
    uint64_t assignment;
    struct vf_polled *stale; /* rows from before the last assign, to come with the next poll */

    bool told; /* VF_ASSIGNED was delivered, and no VF_REVOKED since */
    bool revoke_pending, lost;
    bool assign_pending;
    bool expelled; /* no member any more: until the next rebalance finds it awake */
    bool zombie;
    struct vf_memory_share share;   /* what it was told, or is to be told with assign_pending */
    struct vf_memory_share revoked; /* what it is to be told that it lost */
    size_t polls;                   /* not released yet */
    struct vf_source *next;         /* in the group, in the order of joining */
};

struct vf_memory_group {
    char *name;
    struct vf_source *members;
    struct vf_memory_committed *committed;
    unsigned rebalances;
    bool wants_rebalance;
    struct vf_memory_group *next;
};

struct vf_memory_log {
    char brokers[40];
    uint64_t random;
    struct vf_memory_topic *topics;
    struct vf_memory_group *groups;
    uint64_t assignments;
    uint64_t turns; /* records appended so far */
    bool in_order;
    size_t rows_max;
    unsigned stale_in_a_thousand;
    unsigned fail_in;
};

uint64_t vf_memory_log_random(struct vf_memory_log *log, uint64_t limit);                       /* 0 .. limit - 1 */
struct vf_memory_topic *vf_memory_log_topic(const struct vf_memory_log *log, const char *name); /* or NULL */
struct vf_memory_partition *vf_memory_log_partition(const struct vf_memory_log *log,
                                                    struct vf_partition at);              /* or NULL */
struct vf_memory_group *vf_memory_log_group(struct vf_memory_log *log, const char *name); /* made where it is not */

/* Copies the headers into one block, to be freed; NULL where there are none. */
struct vf_header *vf_memory_copy_headers(const struct vf_header *headers, size_t count);

/* The index of the first record at or after the offset; `count` where there is none. */
size_t vf_memory_partition_find(const struct vf_memory_partition *partition, int64_t offset);

#endif
