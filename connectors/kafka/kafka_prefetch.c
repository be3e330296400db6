#include "connectors/kafka/kafka_prefetch.h"

#define BACKOFF_CAN_BE_SET 0x02020000

/* A leader that does not answer holds the worker up for no longer than this, once for each half of a queue. */
#define ASK_MS_MAX 100

void vf_kafka_prefetch_init(struct vf_kafka_prefetch *prefetch, rd_kafka_t *rk, int64_t bytes_max)
{
    *prefetch = (struct vf_kafka_prefetch){.bytes_max = (size_t)bytes_max};
    if (rd_kafka_version() < BACKOFF_CAN_BE_SET)
        prefetch->queue = rd_kafka_queue_get_consumer(rk);
}

void vf_kafka_prefetch_done(struct vf_kafka_prefetch *prefetch)
{
    if (prefetch->queue)
        rd_kafka_queue_destroy(prefetch->queue);
    prefetch->queue = NULL;
}

void vf_kafka_prefetch_turn(struct vf_kafka_prefetch *prefetch, rd_kafka_t *rk, size_t count, size_t bytes,
                            const struct vf_record *last)
{
    if (!prefetch->queue || count == 0)
        return;
    /* librdkafka tells how many records wait, not their bytes: those are taken to be like the last ones. */
    size_t waiting = rd_kafka_queue_length(prefetch->queue) * (bytes / count);
    if (waiting > prefetch->bytes_max / 4 * 3)
        prefetch->was_full = true;
    if (!prefetch->was_full || waiting > prefetch->bytes_max / 2)
        return;
    int64_t low, high;
    prefetch->was_full = false;
    (void)rd_kafka_query_watermark_offsets(rk, last->topic, last->partition, &low, &high, ASK_MS_MAX);
}
