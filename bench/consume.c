/*
 * bench-consume: the ceiling. librdkafka reads topics to their ends and drops what it gets, as viewfold's Kafka source
 * reads them, but with a queue that is never full.
 *
 *     bench-consume BROKERS GROUP RECORDS TOPIC...
 *
 * Ends after RECORDS records; prints {"records":N,"seconds":S}, counted from the first record.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "bench-consume: %s: %s\n", name, text);
        exit(1);
    }
}

int main(int count, char **arguments)
{
    if (count < 5) {
        fprintf(stderr, "usage: bench-consume BROKERS GROUP RECORDS TOPIC...\n");
        return 64;
    }
    uint64_t wanted = strtoull(arguments[3], NULL, 10), got = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", arguments[1]);
    set(conf, "group.id", arguments[2]);
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.auto.commit", "false");
    set(conf, "isolation.level", "read_committed");
    set(conf, "queued.min.messages", "1000000");
    set(conf, "queued.max.messages.kbytes", "1000000");
    char text[256];
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!consumer) {
        fprintf(stderr, "bench-consume: %s\n", text);
        return 1;
    }
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(count - 4);
    for (int i = 4; i < count; i++)
        rd_kafka_topic_partition_list_add(topics, arguments[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t failure = rd_kafka_subscribe(consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    double began = 0;
    while (!failure && got < wanted) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 1000);
        if (!message)
            continue;
        if (!message->err && got++ == 0)
            began = now();
        rd_kafka_message_destroy(message);
    }
    printf("{\"records\":%" PRIu64 ",\"seconds\":%.3f}\n", got, now() - began);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return failure != 0;
}
