/* A librdkafka handle, its last words, and what its error codes mean to viewfold. */
#include "connectors/kafka/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

/* One look at the cluster while making contact: short, so that a refused login is noticed between two of them. */
#define CONTACT_LOOK_MS  250
#define CONTACT_PAUSE_MS 50

/* A topic that was created a moment ago may not have reached the broker that answers: it counts as missing after this. */
#define TOPIC_MISSING_MS 1000

int64_t vf_kafka_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- last words --- */

void vf_kafka_client_note(struct vf_kafka_client *client, const char *text)
{
    pthread_mutex_lock(&client->lock);
    snprintf(client->last_error, sizeof client->last_error, "%s", text);
    pthread_mutex_unlock(&client->lock);
}

struct vf_kafka_words vf_kafka_client_last_words(struct vf_kafka_client *client)
{
    struct vf_kafka_words words = {""};
    pthread_mutex_lock(&client->lock);
    if (client->last_error[0])
        snprintf(words.text, sizeof words.text, " (last error: %s)", client->last_error);
    pthread_mutex_unlock(&client->lock);
    return words;
}

/* Runs in any of librdkafka's threads. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)facility;
    struct vf_kafka_client *client = rd_kafka_opaque(rk);
    if (level > LOG_ERR)
        return;
    /* "[thrd:127.0.0.1:9092/bootstrap]: what happened": which thread says it helps nobody. */
    const char *said = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;
    vf_kafka_client_note(client, said ? said + 3 : text);
}

/* Runs inside the owning thread's polls. */
static void on_error(rd_kafka_t *rk, int err, const char *text, void *opaque)
{
    struct vf_kafka_client *client = opaque;
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        client->down = err; /* its text only counts brokers; why they are down was said before */
        rd_kafka_yield(rk); /* the poll that called us returns */
        return;
    }
    vf_kafka_client_note(client, text);
    if (err == RD_KAFKA_RESP_ERR__BAD_MSG) {
        /* A broker's answer that is none, as one that announces a gigabyte. Its connection is made anew and the same asked
         * again, for ever: without this nobody would hear of it. */
        client->garbled = err;
        rd_kafka_yield(rk);
    }
    if (vf_kafka_code(err) == VF_E_DENIED) {
        client->denied = err;
        rd_kafka_yield(rk);
    }
}

/* --- codes --- */

enum vf_code vf_kafka_code(rd_kafka_resp_err_t err)
{
    switch (err) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: return VF_E_DENIED;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: return VF_E_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__STATE: return VF_E_BUG;
    default: return VF_E_UNAVAILABLE;
    }
}

enum vf_code vf_kafka_client_fail(struct vf_kafka_client *client, rd_kafka_resp_err_t err, struct vf_error *error,
                                  const char *format, ...)
{
    char about[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(about, sizeof about, format, arguments);
    va_end(arguments);

    enum vf_code code = vf_kafka_code(err);
    if (code != VF_E_UNAVAILABLE)
        return vf_fail(error, code, "kafka %s: %s: %s", client->brokers, about, rd_kafka_err2str(err));
    struct vf_kafka_words words = vf_kafka_client_last_words(client);
    return vf_fail_retriable(error, code, "kafka %s: %s: %s%s", client->brokers, about, rd_kafka_err2str(err),
                             words.text);
}

/* --- life --- */

enum vf_code vf_kafka_client_start(struct vf_kafka_client *client, void *owner, const char *brokers,
                                   rd_kafka_conf_t *conf, struct vf_error *error)
{
    client->brokers = vf_strdup(brokers);
    client->owner = owner;
    pthread_mutex_init(&client->lock, NULL);

    char text[512];
    enum vf_code code = vf_kafka_conf_own(conf, "client.id", "viewfold", error);
    if (code != VF_OK)
        goto fail;
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) != RD_KAFKA_CONF_OK) {
        code = vf_fail(error, VF_E_CONFIG, "kafka.brokers: %s: %s", brokers, text);
        goto fail;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    client->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!client->rk) {
        code = vf_fail(error, VF_E_CONFIG, "kafka.properties: librdkafka refuses them: %s", text);
        goto fail;
    }
    return VF_OK;

fail:
    rd_kafka_conf_destroy(conf);
    vf_kafka_client_done(client);
    return code;
}

void vf_kafka_client_done(struct vf_kafka_client *client)
{
    if (!client->brokers)
        return;
    pthread_mutex_destroy(&client->lock);
    free(client->brokers);
    client->brokers = NULL;
    client->rk = NULL;
}

struct farewell {
    void (*end)(void *memory);
    void (*free_memory)(void *memory);
    void *memory;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    bool abandoned; /* nobody waits: the thread frees */
};

static void free_farewell(struct farewell *farewell)
{
    farewell->free_memory(farewell->memory);
    pthread_cond_destroy(&farewell->changed);
    pthread_mutex_destroy(&farewell->lock);
    free(farewell);
}

static void *say_farewell(void *argument)
{
    struct farewell *farewell = argument;
    farewell->end(farewell->memory);
    pthread_mutex_lock(&farewell->lock);
    farewell->ended = true;
    bool abandoned = farewell->abandoned;
    pthread_cond_signal(&farewell->changed);
    pthread_mutex_unlock(&farewell->lock);
    if (abandoned)
        free_farewell(farewell);
    return NULL;
}

/* True when it ended in time; otherwise the thread frees everything. */
static bool await_farewell(struct farewell *farewell, int64_t timeout_ms)
{
    int64_t until_ms = vf_kafka_now_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int waited = 0;
    pthread_mutex_lock(&farewell->lock);
    while (!farewell->ended && waited == 0)
        waited = pthread_cond_timedwait(&farewell->changed, &farewell->lock, &until);
    bool ended = farewell->ended;
    farewell->abandoned = !ended;
    pthread_mutex_unlock(&farewell->lock);
    return ended;
}

void vf_kafka_end_within(int64_t timeout_ms, void (*end)(void *memory), void (*free_memory)(void *memory), void *memory)
{
    struct farewell *farewell = vf_calloc(1, sizeof *farewell);
    farewell->end = end;
    farewell->free_memory = free_memory;
    farewell->memory = memory;
    pthread_mutex_init(&farewell->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&farewell->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);

    pthread_t thread;
    if (pthread_create(&thread, NULL, say_farewell, farewell) != 0) {
        say_farewell(farewell); /* without a thread it takes as long as it takes */
        free_farewell(farewell);
    } else if (await_farewell(farewell, timeout_ms)) {
        pthread_join(thread, NULL);
        free_farewell(farewell);
    } else {
        pthread_detach(thread);
    }
}

/* --- the first contact --- */

/* One look at one topic (NULL: only at the cluster). VF_E_TIMEOUT: nobody has answered yet, or the topic is not ready. */
static enum vf_code look(struct vf_kafka_client *client, const char *topic, int timeout_ms, int32_t *ret_count,
                         rd_kafka_resp_err_t *ret_err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_t *handle = NULL;
    if (topic && !(handle = rd_kafka_topic_new(client->rk, topic, NULL)))
        err = rd_kafka_last_error();
    if (!err)
        err = rd_kafka_metadata(client->rk, 0, handle, &metadata, timeout_ms);
    if (handle)
        rd_kafka_topic_destroy(handle);

    int32_t count = 0;
    if (!err && topic) {
        err = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        if (!err && count == 0)
            err = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    *ret_err = err;
    if (!err) {
        *ret_count = count;
        return VF_OK;
    }
    enum vf_code code = vf_kafka_code(err);
    return code == VF_E_UNAVAILABLE ? VF_E_TIMEOUT : code;
}

static enum vf_code refuse_topic(struct vf_kafka_client *client, const char *topic, rd_kafka_resp_err_t err,
                                 struct vf_error *error)
{
    switch (vf_kafka_code(err)) {
    case VF_E_NOT_FOUND:
        return vf_fail(error, VF_E_NOT_FOUND,
                       "kafka %s: there is no topic %s (%s): create it, for instance with kafka-topics.sh "
                       "--bootstrap-server %s --create --topic %s --partitions 4, or name the right one under topics",
                       client->brokers, topic, rd_kafka_err2str(err), client->brokers, topic);
    case VF_E_DENIED:
        return vf_fail(error, VF_E_DENIED, "kafka %s: topic %s: %s: grant this user READ and DESCRIBE on it",
                       client->brokers, topic, rd_kafka_err2str(err));
    default: return vf_kafka_client_fail(client, err, error, "topic %s", topic);
    }
}

static enum vf_code not_ready(struct vf_kafka_client *client, rd_kafka_resp_err_t err, int64_t timeout_ms,
                              struct vf_error *error)
{
    struct vf_kafka_words words = vf_kafka_client_last_words(client);
    char limit[32];
    if (timeout_ms % 1000 == 0)
        snprintf(limit, sizeof limit, "%lld s", (long long)(timeout_ms / 1000));
    else
        snprintf(limit, sizeof limit, "%lld ms", (long long)timeout_ms);
    if (err != RD_KAFKA_RESP_ERR__TRANSPORT && err != RD_KAFKA_RESP_ERR__TIMED_OUT)
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "kafka %s: not ready within %s: %s%s", client->brokers, limit,
                                 rd_kafka_err2str(err), words.text);
    return vf_fail_retriable(error, VF_E_UNAVAILABLE, "kafka %s: no broker answered within %s%s: check kafka.brokers",
                             client->brokers, limit, words.text);
}

enum vf_code vf_kafka_client_contact(struct vf_kafka_client *client, const char *const *topics, size_t topic_count,
                                     int64_t timeout_ms, void (*serve)(rd_kafka_t *rk), struct vf_error *error)
{
    const int64_t begin = vf_kafka_now_ms();
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (size_t i = 0; i < (topic_count ? topic_count : 1);) {
        const char *topic = topic_count ? topics[i] : NULL;
        int64_t spent = vf_kafka_now_ms() - begin;
        if (spent >= timeout_ms)
            return not_ready(client, err, timeout_ms, error);
        int64_t left = timeout_ms - spent;
        int32_t count;
        enum vf_code code = look(client, topic, (int)(left < CONTACT_LOOK_MS ? left : CONTACT_LOOK_MS), &count, &err);
        serve(client->rk);
        if (client->denied)
            return vf_fail(error, VF_E_DENIED, "kafka %s: the login was refused%s: check kafka.properties",
                           client->brokers, vf_kafka_client_last_words(client).text);
        if (code == VF_OK) {
            i++;
            continue;
        }
        bool missing_for_long = code == VF_E_NOT_FOUND && spent >= TOPIC_MISSING_MS;
        if (missing_for_long || (code != VF_E_TIMEOUT && code != VF_E_NOT_FOUND))
            return refuse_topic(client, topic ? topic : "", err, error);
        struct timespec pause = {.tv_nsec = CONTACT_PAUSE_MS * 1000L * 1000};
        nanosleep(&pause, NULL);
    }
    return VF_OK;
}

enum vf_code vf_kafka_client_partition_count(struct vf_kafka_client *client, const char *topic, int64_t timeout_ms,
                                             int32_t *ret_count, struct vf_error *error)
{
    rd_kafka_resp_err_t err;
    enum vf_code code = look(client, topic, (int)timeout_ms, ret_count, &err);
    if (code == VF_OK)
        return VF_OK;
    if (code == VF_E_TIMEOUT)
        return vf_kafka_client_fail(client, err, error, "topic %s", topic);
    return refuse_topic(client, topic, err, error);
}

/* --- the ends of logs --- */

static enum vf_code ask_offsets(struct vf_kafka_client *client, rd_kafka_topic_partition_list_t *list, int64_t when,
                                int64_t deadline_ms, struct vf_error *error)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = when;
    int64_t left = deadline_ms - vf_kafka_now_ms();
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(client->rk, list, left > 0 ? (int)left : 0);
    if (err)
        return vf_kafka_client_fail(client, err, error, "watermarks of %s/%d%s", list->elems[0].topic,
                                    (int)list->elems[0].partition, list->cnt > 1 ? " and others" : "");
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &list->elems[i];
        err = one->err ? one->err : one->offset < 0 ? RD_KAFKA_RESP_ERR__NO_OFFSET : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (err)
            return vf_kafka_client_fail(client, err, error, "watermarks of %s/%d", one->topic, (int)one->partition);
    }
    return VF_OK;
}

/* Not rd_kafka_query_watermark_offsets: while a broker is silent it ignores its time limit in 2.0.2. The timestamps that
 * stand for a log's two ends in Kafka's ListOffsets are librdkafka's logical offsets. */
enum vf_code vf_kafka_client_ends(struct vf_kafka_client *client, rd_kafka_topic_partition_list_t *low,
                                  rd_kafka_topic_partition_list_t *high, int64_t timeout_ms, struct vf_error *error)
{
    int64_t deadline = vf_kafka_now_ms() + timeout_ms;
    enum vf_code code = ask_offsets(client, low, RD_KAFKA_OFFSET_BEGINNING, deadline, error);
    return code == VF_OK ? ask_offsets(client, high, RD_KAFKA_OFFSET_END, deadline, error) : code;
}
