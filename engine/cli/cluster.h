/*
 * What `status` and `lint` ask of Kafka, without being in any group: how many partitions, where they end, how a topic is
 * kept, who is in a group. main.c
 * puts the connector's functions here, so that no verb knows a connector. One `struct vf_cluster` is used by one thread;
 * every call ends within the time limit that it was opened with.
 */
#ifndef VF_CLI_CLUSTER_H
#define VF_CLI_CLUSTER_H

#include "run/config.h"

struct vf_cluster; /* the implementation's own */

/* One partition's reach. */
struct vf_reach {
    struct vf_partition partition;
    int64_t low;  /* the log's first offset */
    int64_t high; /* where a reader stands when he has read all: what progress can reach */
};

struct vf_cluster_type {
    /* VF_E_UNAVAILABLE, VF_E_DENIED, VF_E_CONFIG. */
    VF_MUSTCHECK enum vf_code (*open)(const struct vf_kafka_config *config, int64_t timeout_ms,
                                      struct vf_cluster **ret_cluster, struct vf_error *error);
    void (*close)(struct vf_cluster *cluster); /* NULL is fine */

    /* VF_E_NOT_FOUND: no such topic. */
    VF_MUSTCHECK enum vf_code (*partition_count)(struct vf_cluster *cluster, const char *topic, int32_t *ret_count,
                                                 struct vf_error *error);

    /* Fills low and high of every row, all of whose partitions must exist. */
    VF_MUSTCHECK enum vf_code (*reach)(struct vf_cluster *cluster, struct vf_reach *rows, size_t count,
                                       struct vf_error *error);

    /* How many members the consumer group has now; 0 where there is no such group. */
    VF_MUSTCHECK enum vf_code (*members)(struct vf_cluster *cluster, const char *group, size_t *ret_count,
                                         struct vf_error *error);

    /* How long the topic's records are kept. VF_E_DENIED: no right to see it. */
    VF_MUSTCHECK enum vf_code (*topic_keeping)(struct vf_cluster *cluster, const char *topic,
                                               struct vf_keeping *ret_keeping, struct vf_error *error);

    /* Reads a little of the topic. VF_E_DENIED: this login may not; all other failures say nothing about rights. */
    VF_MUSTCHECK enum vf_code (*try_read)(struct vf_cluster *cluster, const char *topic, struct vf_error *error);
};

#endif
