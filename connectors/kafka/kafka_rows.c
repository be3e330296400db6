/* What one poll brought, in arrays that are used again. */
#include "connectors/kafka/kafka_rows.h"

#include <stdlib.h>

/* Room for one more of what `array` holds; returns where the array is then. */
static void *grown(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 256;
    return vf_realloc(array, *capacity * size);
}

struct vf_kafka_rows *vf_kafka_rows_new(void)
{
    return vf_calloc(1, sizeof(struct vf_kafka_rows));
}

void vf_kafka_rows_free(struct vf_kafka_rows *rows)
{
    if (!rows)
        return;
    vf_kafka_rows_clear(rows);
    free(rows->rows);
    free(rows->messages);
    free(rows->headers);
    free(rows->partitions);
    free(rows);
}

void vf_kafka_rows_clear(struct vf_kafka_rows *rows)
{
    for (size_t i = 0; i < rows->message_count; i++)
        rd_kafka_message_destroy(rows->messages[i]);
    rows->message_count = 0;
    rows->row_count = 0;
    rows->header_count = 0;
    rows->bytes = 0;
    rows->polled = (struct vf_polled){.happening = VF_NOTHING};
}

/* Copies the headers of a message (their bytes stay with it). The row's `headers` stays an index until the rows are
 * finished, since the array may move. */
static rd_kafka_resp_err_t add_headers(struct vf_kafka_rows *rows, rd_kafka_message_t *message, struct vf_record *row)
{
    rd_kafka_headers_t *headers;
    rd_kafka_resp_err_t err = rd_kafka_message_headers(message, &headers);
    if (err == RD_KAFKA_RESP_ERR__NOENT)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (err)
        return err;
    const char *name;
    const void *value;
    size_t size;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        rows->headers = grown(rows->headers, rows->header_count, &rows->header_capacity, sizeof *rows->headers);
        struct vf_header *header = &rows->headers[rows->header_count++];
        header->name = vf_bytes_from(name);
        header->is_null = value == NULL;
        header->value = value ? vf_bytes(value, size) : vf_bytes(NULL, 0);
        rows->bytes += header->name.size + header->value.size;
        row->header_count++;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t vf_kafka_rows_add_record(struct vf_kafka_rows *rows, uint64_t assignment, const char *topic,
                                             rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t timestamp_type;
    struct vf_record row = {
        .row = VF_ROW_RECORD,
        .assignment = assignment,
        .topic = topic,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &timestamp_type),
        .key = vf_bytes(message->key, message->key_len),
        .value = vf_bytes(message->payload, message->len),
        .key_is_null = message->key == NULL,
        .value_is_null = message->payload == NULL,
    };
    rd_kafka_resp_err_t err = add_headers(rows, message, &row);
    if (err)
        return err;
    rows->bytes += row.key.size + row.value.size;
    rows->rows = grown(rows->rows, rows->row_count, &rows->row_capacity, sizeof *rows->rows);
    rows->rows[rows->row_count++] = row;
    rows->messages = grown(rows->messages, rows->message_count, &rows->message_capacity, sizeof *rows->messages);
    rows->messages[rows->message_count++] = message;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void vf_kafka_rows_add_mark(struct vf_kafka_rows *rows, enum vf_row_kind kind, uint64_t assignment,
                            struct vf_partition partition, int64_t offset)
{
    rows->rows = grown(rows->rows, rows->row_count, &rows->row_capacity, sizeof *rows->rows);
    rows->rows[rows->row_count++] = (struct vf_record){
        .row = kind,
        .assignment = assignment,
        .topic = partition.topic,
        .partition = partition.partition,
        .offset = offset,
        .timestamp_ms = -1,
        .key_is_null = true,
        .value_is_null = true,
    };
}

void vf_kafka_rows_finish(struct vf_kafka_rows *rows)
{
    size_t header = 0;
    for (size_t i = 0; header < rows->header_count && i < rows->row_count; i++) {
        if (rows->rows[i].header_count == 0)
            continue;
        rows->rows[i].headers = &rows->headers[header];
        header += rows->rows[i].header_count;
    }
    rows->polled = (struct vf_polled){
        .happening = rows->row_count ? VF_ROWS : VF_NOTHING,
        .rows = rows->rows,
        .row_count = rows->row_count,
        .bytes = rows->bytes,
    };
}

struct vf_partition *vf_kafka_rows_rebalance(struct vf_kafka_rows *rows, enum vf_happening happening, bool lost,
                                             size_t partition_count)
{
    while (rows->partition_capacity < partition_count)
        rows->partitions =
            grown(rows->partitions, rows->partition_capacity, &rows->partition_capacity, sizeof *rows->partitions);
    rows->polled = (struct vf_polled){
        .happening = happening,
        .partitions = rows->partitions,
        .partition_count = partition_count,
        .lost = lost,
    };
    return rows->partitions;
}
