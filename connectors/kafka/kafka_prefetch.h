/*
 * Keeps librdkafka fetching. Before 2.2 it looks at a full queue again only after a second, or when anything else happens on
 * the connection to the partition's leader: a worker would read one queue a second at most. So when a queue that was full is
 * half empty, the leader is asked a question whose answer nobody needs: a millisecond for each half of a queue.
 *
 * From 2.2 on fetch.queue.backoff.ms says how soon it looks again, and nothing is asked. Private to connectors/kafka; one
 * thread.
 */
#ifndef VF_KAFKA_PREFETCH_H
#define VF_KAFKA_PREFETCH_H

#include "source.h"

#include <librdkafka/rdkafka.h>

struct vf_kafka_prefetch {
    rd_kafka_queue_t *queue; /* NULL: nothing is asked */
    size_t bytes_max;        /* queued.max.messages.kbytes */
    bool was_full;
};

void vf_kafka_prefetch_init(struct vf_kafka_prefetch *prefetch, rd_kafka_t *rk, int64_t bytes_max);
void vf_kafka_prefetch_done(struct vf_kafka_prefetch *prefetch); /* zeroed is fine; before the handle is destroyed */

/* Rows were taken from the queue, `count` of them with so many bytes; `last` is the last one. */
void vf_kafka_prefetch_turn(struct vf_kafka_prefetch *prefetch, rd_kafka_t *rk, size_t count, size_t bytes,
                            const struct vf_record *last);

#endif
