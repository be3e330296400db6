/*
 * The source seam: where records come from. One `struct vf_source` is one member of a consumer group, used by one thread.
 *
 * There are no callbacks: poll answers what happened. A rebalance is an answer like any other, and the worker must answer
 * it with `assign` (also with an empty list: it is then a member without partitions until it assigns the real ones, and
 * goes on polling; docs/protocol.md). Rows that had been gathered when a rebalance came are dropped by the source: the
 * store's progress decides where reading goes on.
 */
#ifndef VF_SOURCE_H
#define VF_SOURCE_H

#include "core/error.h"
#include "core/event.h"

struct vf_source; /* each connector's own */

struct vf_source_property {
    const char *name;
    const char *value;
};

struct vf_source_config {
    const char *brokers;
    const char *group;         /* shop.customer_orders.cache.g1 */
    const char *instance;      /* group.instance.id, unique to this worker, or NULL */
    const char *const *topics; /* Kafka topic names */
    size_t topic_count;
    const struct vf_source_property *properties; /* the user's librdkafka properties */
    size_t property_count;
    int64_t queue_bytes_max;    /* what the client may prefetch */
    int64_t connect_timeout_ms; /* limit on the first contact */
};

struct vf_position {
    struct vf_partition partition;
    int64_t offset;
};

/* VF_OFFSET_BEGINNING: from the log's first record. */
#define VF_OFFSET_BEGINNING (-2)

enum vf_happening {
    VF_NOTHING,  /* the time ran out */
    VF_ROWS,     /* records, ends, out-of-range positions */
    VF_ASSIGNED, /* the group gave this member `partitions`, all of them; nothing is read until `assign` */
    VF_REVOKED, /* all partitions are taken away; answer with assign of an empty list (also after VF_ASSIGNED's were lost) */
};

/* What a poll brought. Owned by the source until released; rows are borrowed from it. */
struct vf_polled {
    enum vf_happening happening;
    const struct vf_record *rows; /* in order within each partition */
    size_t row_count;
    size_t bytes; /* keys, values and headers of the rows */
    const struct vf_partition *partitions;
    size_t partition_count;
    bool lost; /* with VF_REVOKED: the member was expelled, others may already read on */
};

struct vf_poll_limits {
    size_t rows_max;
    size_t bytes_max;
    int64_t timeout_ms; /* how long to wait for the first row; 0: not at all */
    int64_t gather_ms;  /* how long to wait for more behind the first */
};

/* How long a topic's records are kept. */
struct vf_keeping {
    enum vf_code code;       /* VF_OK; VF_E_DENIED: not shown to this login; else: not known */
    bool compacts;           /* of each key only the last record stays */
    bool deletes;            /* by the limits below */
    int64_t retention_ms;    /* -1: without limit */
    int64_t retention_bytes; /* of a partition; -1: without limit */
};

struct vf_source_type {
    const char *name; /* "kafka" */

    /* Makes the client and joins the group; looks up that brokers answer and the topics exist, within the time limit.
     * VF_E_UNAVAILABLE, VF_E_DENIED (login, rights), VF_E_NOT_FOUND (topic), VF_E_CONFIG (a property). */
    VF_MUSTCHECK enum vf_code (*open)(const struct vf_source_config *config, struct vf_source **ret_source,
                                      struct vf_error *error);
    void (*close)(struct vf_source *source); /* leaves the group; NULL is fine; release every poll first */

    /* Only looks as open does, with the same codes, and joins no group. */
    VF_MUSTCHECK enum vf_code (*look)(const struct vf_source_config *config, struct vf_error *error);

    /* Fills a row for each of config's topics, and takes no longer than said. May be NULL. */
    void (*keeping)(const struct vf_source_config *config, int64_t timeout_ms, struct vf_keeping *rows);

    /* VF_E_UNAVAILABLE for a passing fault (said once a change of state; keep polling), VF_E_NOT_FOUND for a topic that is
     * gone (said once; the others are read on: keep polling), VF_E_DENIED, VF_E_BUG for a fatal one: the source is to be
     * closed. */
    VF_MUSTCHECK enum vf_code (*poll)(struct vf_source *source, const struct vf_poll_limits *limits,
                                      struct vf_polled **ret_polled, struct vf_error *error);
    void (*release)(struct vf_source *source, struct vf_polled *polled); /* NULL is fine */

    /* Reads from exactly these positions from now on; replaces what was assigned. Rows from before carry an older
     * assignment number than *ret_assignment. A partition left out is not read. */
    VF_MUSTCHECK enum vf_code (*assign)(struct vf_source *source, const struct vf_position *positions, size_t count,
                                        uint64_t *ret_assignment, struct vf_error *error);

    /* Tells the group's coordinator how far the store is, for lag tools only. wait: until it answered (bounded by the
     * timeout), otherwise in the background. A failure matters to nobody but who reads the lag: the caller may ignore it. */
    enum vf_code (*commit)(struct vf_source *source, const struct vf_position *positions, size_t count, bool wait,
                           struct vf_error *error);

    /* The log's first offset and its high watermark, asked of the broker (2 s at most). For the beginning, for
     * `--once`'s end and for lag; a partition's end for progress comes only from a VF_ROW_END. */
    VF_MUSTCHECK enum vf_code (*watermarks)(struct vf_source *source, struct vf_partition partition, int64_t *ret_low,
                                            int64_t *ret_high, struct vf_error *error);

    /* How many partitions the topic has. */
    VF_MUSTCHECK enum vf_code (*partition_count)(struct vf_source *source, const char *topic, int32_t *ret_count,
                                                 struct vf_error *error);

    /* The group's committed offset of each position's partition, or -1 where none. Written into positions[i].offset. */
    VF_MUSTCHECK enum vf_code (*committed)(struct vf_source *source, struct vf_position *positions, size_t count,
                                           struct vf_error *error);
};

#endif
