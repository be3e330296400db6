/*
 * vf-produce: puts records into Kafka fast, for tests, the demo and the bench.
 *
 * Each line of standard input is TOPIC<TAB>PARTITION<TAB>KEY<TAB>VALUE. PARTITION -1 lets the key decide, by the
 * partitioner of the Java client (murmur2), so that all producers of a test agree. An empty KEY is a null key; the value
 * is the rest of the line, tabs included, and may be empty. When everything was delivered, or given up, one JSON object
 * tells the count and each partition's last offset: {"delivered":3,"failed":0,"last":{"orders/0":1,"orders/2":0}}.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Records that wait for delivery; reading stops there until the broker keeps up. */
#define QUEUE_MESSAGES "500000"
#define QUEUE_KBYTES   "262144"

#define FLUSH_MS 60000

struct partition {
    int32_t number;
    int64_t last; /* -1: none */
};

struct topic {
    char *name;
    rd_kafka_topic_t *handle;
    struct partition *partitions;
    size_t partition_count;
};

static struct topic *topics;
static size_t topic_count;
static uint64_t delivered, failed;
static rd_kafka_resp_err_t first_failure;

static const char usage[] =
    "usage: vf-produce [--brokers HOST:PORT,...] [--linger MS] [-X PROPERTY=VALUE]... < LINES\n"
    "A line is TOPIC<TAB>PARTITION or -1<TAB>KEY<TAB>VALUE. Default brokers: $VIEWFOLD_KAFKA.\n";

__attribute__((noreturn, format(printf, 2, 3))) static void stop(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("vf-produce: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        stop(64, "%s", text);
}

/* --- what was delivered --- */

static struct partition *find_partition(struct topic *topic, int32_t number)
{
    for (size_t i = 0; i < topic->partition_count; i++)
        if (topic->partitions[i].number == number)
            return &topic->partitions[i];
    topic->partitions = realloc(topic->partitions, (topic->partition_count + 1) * sizeof *topic->partitions);
    if (!topic->partitions)
        stop(1, "out of memory");
    topic->partitions[topic->partition_count] = (struct partition){number, -1};
    return &topic->partitions[topic->partition_count++];
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (message->err) {
        if (failed++ == 0)
            first_failure = message->err;
        return;
    }
    delivered++;
    struct topic *topic = rd_kafka_topic_opaque(message->rkt);
    struct partition *partition = find_partition(topic, message->partition);
    if (message->offset > partition->last)
        partition->last = message->offset;
}

static int compare_topics(const void *a, const void *b)
{
    return strcmp(((const struct topic *)a)->name, ((const struct topic *)b)->name);
}

static int compare_partitions(const void *a, const void *b)
{
    int32_t x = ((const struct partition *)a)->number, y = ((const struct partition *)b)->number;
    return (x > y) - (x < y);
}

/* Kafka's topic names need no escaping in JSON: a broker takes only letters, digits, '.', '_' and '-'. */
static void print_result(void)
{
    const char *comma = "";
    printf("{\"delivered\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"last\":{", delivered, failed);
    qsort(topics, topic_count, sizeof *topics, compare_topics);
    for (size_t t = 0; t < topic_count; t++) {
        struct topic *topic = &topics[t];
        qsort(topic->partitions, topic->partition_count, sizeof *topic->partitions, compare_partitions);
        for (size_t i = 0; i < topic->partition_count; i++, comma = ",")
            printf("%s\"%s/%" PRId32 "\":%" PRId64, comma, topic->name, topic->partitions[i].number,
                   topic->partitions[i].last);
    }
    printf("}}\n");
}

/* --- what is to be produced --- */

/* A topic handle keeps a pointer into the array, which is therefore made once, large enough; there are few, and lines of
 * one topic mostly follow each other, so they are looked for by name. */
enum { TOPICS_MAX = 1024 };

static struct topic *find_topic(rd_kafka_t *rk, const char *name, size_t size)
{
    static size_t last;
    if (last < topic_count && strlen(topics[last].name) == size && memcmp(topics[last].name, name, size) == 0)
        return &topics[last];
    for (last = 0; last < topic_count; last++)
        if (strlen(topics[last].name) == size && memcmp(topics[last].name, name, size) == 0)
            return &topics[last];
    if (topic_count == TOPICS_MAX)
        stop(64, "more than %d topics", TOPICS_MAX);
    struct topic *topic = &topics[topic_count];
    topic->name = strndup(name, size);
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(rk);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->handle = rd_kafka_topic_new(rk, topic->name, conf);
    if (!topic->handle)
        stop(64, "topic \"%s\": %s", topic->name, rd_kafka_err2str(rd_kafka_last_error()));
    topic_count++;
    return topic;
}

static void produce(rd_kafka_t *rk, struct topic *topic, int32_t partition, char *key, size_t key_size, char *value,
                    size_t value_size)
{
    while (rd_kafka_produce(topic->handle, partition, RD_KAFKA_MSG_F_COPY, value, value_size, key_size ? key : NULL,
                            key_size, NULL) != 0) {
        rd_kafka_resp_err_t err = rd_kafka_last_error();
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            if (failed++ == 0)
                first_failure = err;
            return;
        }
        rd_kafka_poll(rk, 100);
    }
}

static void produce_line(rd_kafka_t *rk, char *line, size_t size, uint64_t number)
{
    char *end = line + size;
    char *field[4] = {line};
    for (int i = 1; i < 4; i++) {
        char *tab = memchr(field[i - 1], '\t', (size_t)(end - field[i - 1]));
        if (!tab)
            stop(64, "line %" PRIu64 ": %d tabs, not 3: topic, partition or -1, key, value", number, i - 1);
        field[i] = tab + 1;
    }
    char *after = NULL;
    errno = 0;
    long partition = strtol(field[1], &after, 10);
    if (after != field[2] - 1 || after == field[1] || errno || partition < -1 || partition > INT32_MAX)
        stop(64, "line %" PRIu64 ": the partition is not a number or -1", number);
    produce(rk, find_topic(rk, field[0], (size_t)(field[1] - 1 - field[0])), (int32_t)partition, field[2],
            (size_t)(field[3] - 1 - field[2]), field[3], (size_t)(end - field[3]));
}

static void produce_all(rd_kafka_t *rk)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    for (uint64_t number = 1; (size = getline(&line, &capacity, stdin)) >= 0; number++) {
        size_t length = (size_t)size - (size > 0 && line[size - 1] == '\n');
        produce_line(rk, line, length, number);
        if (number % 256 == 0)
            rd_kafka_poll(rk, 0);
    }
    if (ferror(stdin))
        stop(66, "standard input: %s", strerror(errno));
    free(line);
}

static rd_kafka_conf_t *read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"linger", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "client.id", "vf-produce");
    set(conf, "enable.idempotence", "true"); /* no repeats, and the order of a partition is the order of the lines */
    set(conf, "partitioner", "murmur2_random");
    set(conf, "queue.buffering.max.messages", QUEUE_MESSAGES);
    set(conf, "queue.buffering.max.kbytes", QUEUE_KBYTES);
    set(conf, "linger.ms", "5");
    set(conf, "log_level", "3");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);

    const char *brokers = getenv("VIEWFOLD_KAFKA");
    for (int option; (option = getopt_long(argc, argv, "X:h", options, NULL)) != -1;) {
        char *equals = option == 'X' ? strchr(optarg, '=') : NULL;
        if (option == 'b') {
            brokers = optarg;
        } else if (option == 'l') {
            set(conf, "linger.ms", optarg);
        } else if (option == 'X' && equals) {
            *equals = '\0';
            set(conf, optarg, equals + 1);
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            exit(option == 'h' ? 0 : 64);
        }
    }
    if (!brokers || optind < argc) {
        fputs(usage, stderr);
        exit(64);
    }
    set(conf, "bootstrap.servers", brokers);
    return conf;
}

int main(int argc, char **argv)
{
    char text[512];
    rd_kafka_conf_t *conf = read_options(argc, argv);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk)
        stop(64, "%s", text);
    topics = calloc(TOPICS_MAX, sizeof *topics);
    if (!topics)
        stop(1, "out of memory");

    produce_all(rk);
    rd_kafka_resp_err_t err = rd_kafka_flush(rk, FLUSH_MS);
    if (err) {
        rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(rk, 1000);
    }
    if (failed)
        fprintf(stderr, "vf-produce: %" PRIu64 " records failed, the first with: %s\n", failed,
                rd_kafka_err2str(err ? err : first_failure));
    print_result();

    int status = failed || err || fflush(stdout) ? 1 : 0;
    for (size_t i = 0; i < topic_count; i++) {
        rd_kafka_topic_destroy(topics[i].handle);
        free(topics[i].partitions);
        free(topics[i].name);
    }
    free(topics);
    rd_kafka_destroy(rk);
    return status;
}
