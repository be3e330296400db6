/*
 * bench-latency: how long it takes from an event to its being visible in the store, at a given rate.
 *
 *     bench-latency BROKERS PREFIX redis|mongodb URL WHERE RATE WARM_SECONDS WORKLOAD EVENTS KEYS CUSTOMERS
 *
 * An open loop: event i is due at i / RATE seconds, is sent then whether or not anything has come of those before it, and its
 * time counts from when it was due. A second thread hears from the store (watch.h) which document got which revision: when
 * a document has revision r, its first r events are visible. (Of a document that several partitions' events go to, the
 * r-th that was sent stands for the r-th that was taken in.)
 *
 * Events due in the first WARM_SECONDS do not count; the rest is divided into five windows by when they were due. Prints
 * {"events":N,"unseen":U,"late_ms":L,"windows":[{"events":n,"p50":ms,"p99":ms,"p999":ms,"max":ms},...]}; late_ms is the
 * longest that the producer itself was behind its plan.
 */
#include "watch.h"
#include "workload.h"

#include <librdkafka/rdkafka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOWS      5
#define TICK_NS      1000000
#define UNSEEN_S_MAX 20 /* how long after the last event was sent those that are not visible are waited for */

struct run {
    struct bench_workload workload;
    const char *brokers;
    const char *prefix;
    double rate;
    double warm_seconds;
    double began;
    double late;
    atomic_bool sent_all;
    double sent_all_at;
    uint64_t events;
    uint64_t *first; /* of each document, where in `order` its events begin */
    uint64_t *order; /* event numbers by document, in order */
    uint64_t *seen;  /* of each document's events, how many are visible */
    uint64_t seen_all;
    float *latency_ms; /* of each event; negative: not visible yet */
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double due(const struct run *run, uint64_t event)
{
    return run->began + (double)event / run->rate;
}

static void *need(void *memory)
{
    if (!memory) {
        fprintf(stderr, "bench-latency: out of memory\n");
        exit(1);
    }
    return memory;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "bench-latency: %s: %s\n", name, text);
        exit(1);
    }
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (message->err) {
        fprintf(stderr, "bench-latency: an event was not delivered: %s\n", rd_kafka_err2str(message->err));
        exit(1);
    }
}

static rd_kafka_t *make_producer(const struct run *run)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", run->brokers);
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "1");
    set(conf, "compression.codec", "lz4");
    set(conf, "partitioner", "murmur2_random");
    set(conf, "queue.buffering.max.messages", "2000000");
    set(conf, "queue.buffering.max.kbytes", "1048576");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk) {
        fprintf(stderr, "bench-latency: %s\n", text);
        exit(1);
    }
    return rk;
}

static void send_event(const struct run *run, rd_kafka_t *rk, uint64_t index)
{
    char key[BENCH_TEXT_BYTES], value[BENCH_TEXT_BYTES], topic[256];
    struct bench_event event;
    bench_event_at(&run->workload, index, &event);
    size_t key_size = bench_event_key(&event, key), value_size = bench_event_value(&event, value);
    snprintf(topic, sizeof topic, "%s%s", run->prefix, event.topic);
    rd_kafka_resp_err_t err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, key_size),
                                                RD_KAFKA_V_VALUE(value, value_size),
                                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (err) {
        fprintf(stderr, "bench-latency: cannot send: %s\n", rd_kafka_err2str(err));
        exit(1);
    }
}

static void *send_all(void *self)
{
    struct run *run = self;
    rd_kafka_t *rk = make_producer(run);
    struct timespec tick = {.tv_nsec = TICK_NS};
    const struct rd_kafka_metadata *metadata; /* asked for now: a producer's first record would wait for it */
    if (rd_kafka_metadata(rk, 1, NULL, &metadata, 10000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    run->began = now() + 0.5;
    for (uint64_t next = 0; next < run->events;) {
        double time = now();
        if (time - due(run, next) > run->late)
            run->late = time - due(run, next);
        while (next < run->events && due(run, next) <= time)
            send_event(run, rk, next++);
        rd_kafka_poll(rk, 0);
        nanosleep(&tick, NULL);
    }
    rd_kafka_flush(rk, 30000);
    run->sent_all_at = now();
    atomic_store(&run->sent_all, true);
    rd_kafka_destroy(rk);
    return NULL;
}

/* --- watching ----------------------------------------------------------------------------------------------------- */

static void plan(struct run *run)
{
    uint64_t documents = bench_workload_documents(&run->workload);
    struct bench_event event;
    run->first = need(calloc(documents + 1, sizeof *run->first));
    run->seen = need(calloc(documents, sizeof *run->seen));
    run->order = need(calloc(run->events, sizeof *run->order));
    run->latency_ms = need(calloc(run->events, sizeof *run->latency_ms));
    for (uint64_t i = 0; i < run->events; i++) {
        bench_event_at(&run->workload, i, &event);
        run->first[event.document + 1]++;
        run->latency_ms[i] = -1;
    }
    for (uint64_t d = 0; d < documents; d++)
        run->first[d + 1] += run->first[d];
    for (uint64_t i = 0; i < run->events; i++) {
        bench_event_at(&run->workload, i, &event);
        run->order[run->first[event.document] + run->seen[event.document]++] = i;
    }
    memset(run->seen, 0, documents * sizeof *run->seen);
}

static void heard(void *self, const char *id, size_t id_size, int64_t revision)
{
    struct run *run = self;
    uint64_t document = 0;
    double time = now();
    for (size_t i = 1; i < id_size; i++) /* behind its letter: c17 */
        document = document * 10 + (uint64_t)(id[i] - '0');
    if (document >= bench_workload_documents(&run->workload))
        return;
    uint64_t first = run->first[document], all = run->first[document + 1] - first;
    while (run->seen[document] < (uint64_t)revision && run->seen[document] < all) {
        uint64_t event = run->order[first + run->seen[document]++];
        run->latency_ms[event] = (float)((time - due(run, event)) * 1000);
        run->seen_all++;
    }
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(const float *sorted, uint64_t count, double share)
{
    return count ? (double)sorted[(uint64_t)(share * (double)(count - 1))] : 0;
}

/* What did not become visible counts as the longest. */
static void print_windows(struct run *run)
{
    uint64_t from = (uint64_t)(run->warm_seconds * run->rate), each = (run->events - from) / WINDOWS;
    for (uint64_t i = 0; i < run->events; i++)
        if (run->latency_ms[i] < 0)
            run->latency_ms[i] = UNSEEN_S_MAX * 1000;
    printf("{\"events\":%" PRIu64 ",\"unseen\":%" PRIu64 ",\"late_ms\":%.2f,\"windows\":[", run->events,
           run->events - run->seen_all, run->late * 1000);
    for (int w = 0; w < WINDOWS; w++, from += each) {
        float *sorted = run->latency_ms + from;
        qsort(sorted, each, sizeof *sorted, compare);
        printf("%s{\"events\":%" PRIu64 ",\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}", w ? "," : "", each,
               percentile(sorted, each, 0.5), percentile(sorted, each, 0.99), percentile(sorted, each, 0.999),
               percentile(sorted, each, 1));
    }
    printf("]}\n");
}

int main(int count, char **arguments)
{
    if (count != 12) {
        fprintf(stderr,
                "usage: bench-latency BROKERS PREFIX redis|mongodb URL WHERE RATE WARM_SECONDS WORKLOAD EVENTS KEYS "
                "CUSTOMERS\n");
        return 64;
    }
    struct run run = {.brokers = arguments[1],
                      .prefix = arguments[2],
                      .rate = atof(arguments[6]),
                      .warm_seconds = atof(arguments[7])};
    bench_workload_init(&run.workload, arguments[8], arguments[9], arguments[10], arguments[11]);
    run.events = bench_workload_events(&run.workload);
    if (run.rate <= 0 || run.warm_seconds * run.rate + WINDOWS > (double)run.events) {
        fprintf(stderr, "bench-latency: there are fewer events than the warm-up takes\n");
        return 64;
    }
    plan(&run);
    const struct bench_watch_type *type =
        strcmp(arguments[3], "redis") == 0 ? &bench_watch_redis : &bench_watch_mongodb;
    struct bench_watch *watch = type->open(arguments[4], arguments[5], run.workload.name);
    pthread_t sender;
    if (pthread_create(&sender, NULL, send_all, &run)) {
        fprintf(stderr, "bench-latency: no thread\n");
        return 1;
    }
    while (run.seen_all < run.events && (!atomic_load(&run.sent_all) || now() - run.sent_all_at < UNSEEN_S_MAX))
        type->turn(watch, heard, &run);
    pthread_join(sender, NULL);
    print_windows(&run);
    type->close(watch);
    return 0;
}
