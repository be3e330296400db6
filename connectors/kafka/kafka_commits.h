/*
 * Commits of offsets, at most one under way: what comes meanwhile is merged and follows. librdkafka would keep as many as
 * it is given while the group's coordinator is silent. Private to connectors/kafka; one thread.
 */
#ifndef VF_KAFKA_COMMITS_H
#define VF_KAFKA_COMMITS_H

#include "source.h"

#include <librdkafka/rdkafka.h>

struct vf_kafka_commits {
    rd_kafka_queue_t *queue; /* where answers come */
    bool under_way;
    rd_kafka_topic_partition_list_t *next; /* the latest offset of each partition that waits; or NULL */
};

void vf_kafka_commits_init(struct vf_kafka_commits *commits, rd_kafka_t *rk);
void vf_kafka_commits_done(struct vf_kafka_commits *commits); /* zeroed is fine; before the handle is destroyed */

/* Adds offsets, and sends them unless others are under way. With a time limit, waits until all are answered. What an
 * answer said that came meanwhile, or RD_KAFKA_RESP_ERR__TIMED_OUT. */
VF_MUSTCHECK rd_kafka_resp_err_t vf_kafka_commits_add(struct vf_kafka_commits *commits, rd_kafka_t *rk,
                                                      const struct vf_position *positions, size_t count,
                                                      int64_t timeout_ms);

/* Sends what waits, if the one before has been answered. */
void vf_kafka_commits_turn(struct vf_kafka_commits *commits, rd_kafka_t *rk);

/* Drops what waits. */
void vf_kafka_commits_forget(struct vf_kafka_commits *commits);

#endif
