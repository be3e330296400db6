/*
 * What one poll brought, in arrays that are used again: no allocation a record beyond librdkafka's own. Rows borrow from
 * the messages, which live until the rows are cleared. Private to connectors/kafka; one thread.
 */
#ifndef VF_KAFKA_ROWS_H
#define VF_KAFKA_ROWS_H

#include "source.h"

#include <librdkafka/rdkafka.h>

struct vf_kafka_rows {
    struct vf_polled polled; /* first, so that one is the other */
    struct vf_kafka_rows *next;
    struct vf_record *rows;
    size_t row_count;
    size_t row_capacity;
    rd_kafka_message_t **messages; /* of the records among the rows */
    size_t message_count;
    size_t message_capacity;
    struct vf_header *headers;
    size_t header_count;
    size_t header_capacity;
    struct vf_partition *partitions;
    size_t partition_capacity;
    size_t bytes;
};

struct vf_kafka_rows *vf_kafka_rows_new(void);
void vf_kafka_rows_free(struct vf_kafka_rows *rows); /* NULL is fine */
void vf_kafka_rows_clear(struct vf_kafka_rows *rows);

/* Adds a record. Takes the message, but on failure: RD_KAFKA_RESP_ERR__BAD_MSG where its headers cannot be read.
 * The topic's name must live as long as the rows. */
VF_MUSTCHECK rd_kafka_resp_err_t vf_kafka_rows_add_record(struct vf_kafka_rows *rows, uint64_t assignment,
                                                          const char *topic, rd_kafka_message_t *message);

/* Adds an end or an out-of-range row. */
void vf_kafka_rows_add_mark(struct vf_kafka_rows *rows, enum vf_row_kind kind, uint64_t assignment,
                            struct vf_partition partition, int64_t offset);

/* Sets what polled says: VF_ROWS or VF_NOTHING with what was added. */
void vf_kafka_rows_finish(struct vf_kafka_rows *rows);

/* Sets what polled says: a rebalance. Room for its partitions, which the caller fills. */
struct vf_partition *vf_kafka_rows_rebalance(struct vf_kafka_rows *rows, enum vf_happening happening, bool lost,
                                             size_t partition_count);

#endif
