/*
 * Questions about a Kafka cluster that need no group membership: for `viewfold status` and `doctor`, also on a host that
 * runs no worker. One handle, one thread; every call ends within the time limit it is given.
 */
#ifndef VF_KAFKA_ADMIN_H
#define VF_KAFKA_ADMIN_H

#include "source.h"

struct vf_kafka_admin;

/* One partition's reach. */
struct vf_kafka_reach {
    struct vf_partition partition;
    int64_t low; /* the log's first offset */
    int64_t
        high; /* where a reader of committed records stands when he has read everything: behind the last record, or at
                     the first record of a transaction that is still open. What progress can reach, so lag can be 0 */
};

/* Makes the client and waits until a broker answers. VF_E_UNAVAILABLE, VF_E_DENIED, VF_E_CONFIG. */
VF_MUSTCHECK enum vf_code vf_kafka_admin_open(const char *brokers, const struct vf_source_property *properties,
                                              size_t property_count, int64_t timeout_ms,
                                              struct vf_kafka_admin **ret_admin, struct vf_error *error);
void vf_kafka_admin_close(struct vf_kafka_admin *admin); /* NULL is fine */

/* How many partitions the topic has. VF_E_NOT_FOUND, VF_E_DENIED, VF_E_UNAVAILABLE. */
VF_MUSTCHECK enum vf_code vf_kafka_admin_partition_count(struct vf_kafka_admin *admin, const char *topic,
                                                         int64_t timeout_ms, int32_t *ret_count,
                                                         struct vf_error *error);

/* Fills low and high of every row; two requests a broker, however many partitions. All partitions must exist: one that
 * does not makes the call fail when its time is over, naming it. Rows are untouched on failure. */
VF_MUSTCHECK enum vf_code vf_kafka_admin_reach(struct vf_kafka_admin *admin, struct vf_kafka_reach *rows, size_t count,
                                               int64_t timeout_ms, struct vf_error *error);

/* How many members the consumer group has now; 0 where there is no such group. VF_E_DENIED, VF_E_UNAVAILABLE. */
VF_MUSTCHECK enum vf_code vf_kafka_admin_members(struct vf_kafka_admin *admin, const char *group, int64_t timeout_ms,
                                                 size_t *ret_count, struct vf_error *error);

/* How long the topic's records are kept. VF_E_DENIED, VF_E_NOT_FOUND, VF_E_UNAVAILABLE. */
VF_MUSTCHECK enum vf_code vf_kafka_admin_topic_keeping(struct vf_kafka_admin *admin, const char *topic,
                                                       int64_t timeout_ms, struct vf_keeping *ret_keeping,
                                                       struct vf_error *error);

/* The source seam's `keeping`, with a client of its own. */
void vf_kafka_admin_keeping(const struct vf_source_config *config, int64_t timeout_ms, struct vf_keeping *rows);

/* Whether this login may read the topic: its first partition is read until something comes, or its end. Any failure but
 * VF_E_DENIED (also that nothing came within the time limit) tells nothing about that. */
VF_MUSTCHECK enum vf_code vf_kafka_admin_try_read(struct vf_kafka_admin *admin, const char *topic, int64_t timeout_ms,
                                                  struct vf_error *error);

#endif
