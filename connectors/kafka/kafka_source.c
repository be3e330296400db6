/*
 * The source seam on librdkafka.
 *
 * Rebalances. The callback only notes what the group said and ends the poll; poll hands it to the worker, and `assign`
 * is the worker's answer. librdkafka waits for it: after ASSIGN_PARTITIONS only a list (also an empty one) ends the
 * wait, after REVOKE_PARTITIONS only a NULL, so which one is due is remembered. While an answer is due librdkafka
 * starts no other rebalance of its own; it heartbeats on, so the worker may take its time up to max.poll.interval.ms.
 *
 * Positions. librdkafka numbers its fetches itself, and drops what an older assignment fetched, records and ends alike
 * (a message's version is compared when it is polled). Only AUTO_OFFSET_RESET errors carry no such number. So the source
 * follows the position of each assigned partition and lets nothing pass that does not fit: see take_out_of_range.
 *
 * Ends. librdkafka 2.0.2 reports the end of a partition when its next fetch offset equals the log's end as
 * read_committed sees it, the last stable offset: behind transaction markers and aborted records, or before the first
 * record of an open transaction. Every offset below has been delivered or is none that a reader of committed records
 * gets. It is reported once each time that position is reached, and again when markers alone have moved it.
 */
#include "connectors/kafka/kafka_source.h"

#include "connectors/kafka/kafka_admin.h"
#include "connectors/kafka/kafka_client.h"
#include "connectors/kafka/kafka_commits.h"
#include "connectors/kafka/kafka_prefetch.h"
#include "connectors/kafka/kafka_rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* How long closing waits for the group's coordinator before it just goes (the session's end tells the group then), and
 * how long it waits at all. */
#define LEAVE_MS_MAX 5000
#define CLOSE_MS_MAX 6000

/* Between an error that stopped a partition's fetcher and the next try. */
#define RESUME_MS 200

/* The same passing fault is said again when it was over for as long as this. */
#define FAULT_FORGOTTEN_MS 30000

/* What a single fetch may bring, as a share of the whole prefetching budget, since it can exceed the budget by that: by
 * what it unpacks to, that is, and compressed records are counted only then. Half of this took a tenth more CPU time, twice
 * of it up to 40 MB more memory where records were packed well. */
#define FETCH_BYTES_SHARE 8
#define FETCH_BYTES_MIN   (512 * 1024)
#define FETCH_BYTES_MAX   (50 * 1024 * 1024)

/* More than any queue holds: the budget in bytes is what limits. */
#define QUEUED_MESSAGES "1000000"

enum answer { ANSWER_NONE, ANSWER_ASSIGN, ANSWER_REVOKE };

/* Where an assigned partition is. */
struct place {
    const char *topic;
    const void *handle; /* librdkafka's topic, once seen: compared before the name */
    int32_t partition;
    int64_t position; /* the next offset to come, at least; VF_OFFSET_BEGINNING before the first */
};

struct vf_source {
    struct vf_kafka_client client;
    char *group;
    char **topics; /* rows point here */
    size_t topic_count;

    uint64_t assignment;
    struct place *places;
    size_t place_count;
    size_t place_last;    /* where the last row was */
    int64_t resume_at_ms; /* assign again at the positions then; 0: no need */

    enum answer answer_due;
    bool closing;
    int64_t last_poll_ms;                   /* when the last poll ended */
    int64_t poll_interval_ms_max;           /* max.poll.interval.ms: who is away for longer is expelled */
    rd_kafka_topic_partition_list_t *noted; /* a rebalance that poll has not handed out yet */
    bool noted_lost;

    bool trouble; /* what the next poll says first */
    bool dead;    /* and every poll after it */
    struct vf_error fault;
    rd_kafka_resp_err_t fault_said;
    int64_t fault_said_ms;

    struct vf_kafka_commits commits;

    struct vf_kafka_prefetch prefetch;

    bool subscribed;
    size_t lent; /* polled and not released */
    struct vf_kafka_rows *spare;
};

/*
 * Every change of the assignment goes through here; NULL only answers a revocation.
 *
 * librdkafka stops the fetchers of the former partitions in the background, and when it is told to stop one that is
 * still stopping, an assertion ends the process (its issue 5573, open in all versions; two assigns within a millisecond
 * or so are enough, or an assign with a revocation behind it). Its main thread serves one queue in order: a question
 * that is answered has all orders to stop before it, and a second one has all their completions before it.
 */
static rd_kafka_resp_err_t change_assignment(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t err = rd_kafka_assign(rk, list);
    for (int question = 0; !err && question < 2; question++) {
        rd_kafka_topic_partition_list_t *now = NULL;
        /* GUARD kafka-stopped: the next assign ends the process */
        err = rd_kafka_assignment(rk, &now);
        if (now)
            rd_kafka_topic_partition_list_destroy(now);
    }
    return err;
}

/* --- opening and closing --- */

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque)
{
    struct vf_source *source = ((struct vf_kafka_client *)opaque)->owner;
    bool known = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS || err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS;
    if (source->closing || !known) {
        rd_kafka_assign(rk, NULL); /* and no question: a group that ends right then would not answer it */
        return;
    }
    if (source->noted)
        rd_kafka_topic_partition_list_destroy(source->noted);
    source->noted = rd_kafka_topic_partition_list_copy(partitions);
    /* librdkafka does not say so when it was already waiting for a poll to tell of a revocation. */
    bool late = vf_kafka_now_ms() - source->last_poll_ms > source->poll_interval_ms_max;
    source->noted_lost = late || rd_kafka_assignment_lost(rk) != 0;
    source->answer_due = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? ANSWER_ASSIGN : ANSWER_REVOKE;
    rd_kafka_yield(rk); /* the poll that called us returns at once, so no other event passes before the answer */
}

/* Runs the error callback while there is no subscription. */
static void serve(rd_kafka_t *rk)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 0);
    if (message)
        rd_kafka_message_destroy(message);
}

static enum vf_code configure(const struct vf_source_config *config, rd_kafka_conf_t *conf, struct vf_error *error)
{
    int64_t fetch_bytes = config->queue_bytes_max / FETCH_BYTES_SHARE;
    fetch_bytes = fetch_bytes < FETCH_BYTES_MIN   ? FETCH_BYTES_MIN
                  : fetch_bytes > FETCH_BYTES_MAX ? FETCH_BYTES_MAX
                                                  : fetch_bytes;
    int64_t queue_kbytes = config->queue_bytes_max / 1024;
    queue_kbytes = queue_kbytes < 1 ? 1 : queue_kbytes > 2097151 ? 2097151 : queue_kbytes;
    char fetch_text[24], queue_text[24];
    snprintf(fetch_text, sizeof fetch_text, "%lld", (long long)fetch_bytes);
    snprintf(queue_text, sizeof queue_text, "%lld", (long long)queue_kbytes);

    const struct vf_source_property own[] = {
        {"group.id", config->group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        /* GUARD kafka-no-reset: a position that the log lacks is jumped over */
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        /* GUARD kafka-read-committed: events of transactions that were aborted are taken in */
        {"isolation.level", "read_committed"},
        {"partition.assignment.strategy", "range"},
        {"allow.auto.create.topics", "false"},
        {"queued.min.messages", QUEUED_MESSAGES},
        {"queued.max.messages.kbytes", queue_text},
        {"fetch.message.max.bytes", "1048576"},
        {"fetch.max.bytes", fetch_text},
        {"message.max.bytes", fetch_text}, /* a producer's; but librdkafka does not let a fetch be smaller */
    };
    enum vf_code code = VF_OK;
    for (size_t i = 0; code == VF_OK && i < sizeof own / sizeof *own; i++)
        code = vf_kafka_conf_own(conf, own[i].name, own[i].value, error);
    if (code == VF_OK && config->instance)
        code = vf_kafka_conf_own(conf, "group.instance.id", config->instance, error);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    return code;
}

static int64_t poll_interval_ms_max(const rd_kafka_conf_t *conf)
{
    char text[24];
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, "max.poll.interval.ms", text, &size) == RD_KAFKA_CONF_OK ? atoll(text) : INT64_MAX;
}

static enum vf_code subscribe(struct vf_source *source, struct vf_error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->topic_count);
    for (size_t i = 0; i < source->topic_count; i++)
        rd_kafka_topic_partition_list_add(list, source->topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(source->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err)
        return vf_kafka_client_fail(&source->client, err, error, "group %s cannot subscribe", source->group);
    source->subscribed = true;
    source->last_poll_ms = vf_kafka_now_ms();
    return VF_OK;
}

static void source_close(struct vf_source *source);

/* A client that knows the topics, and is in no group yet. */
static enum vf_code connect_source(const struct vf_source_config *config, struct vf_source **ret_source,
                                   struct vf_error *error)
{
    rd_kafka_conf_t *conf;
    enum vf_code code = vf_kafka_conf_make(config->properties, config->property_count, &conf, error);
    if (code != VF_OK)
        return code;
    code = configure(config, conf, error);
    if (code != VF_OK) {
        rd_kafka_conf_destroy(conf);
        return code;
    }

    struct vf_source *source = vf_calloc(1, sizeof *source);
    source->group = vf_strdup(config->group);
    source->topics = vf_calloc(config->topic_count, sizeof *source->topics);
    for (; source->topic_count < config->topic_count; source->topic_count++)
        source->topics[source->topic_count] = vf_strdup(config->topics[source->topic_count]);

    source->poll_interval_ms_max = poll_interval_ms_max(conf);
    code = vf_kafka_client_start(&source->client, source, config->brokers, conf, error);
    if (code != VF_OK)
        goto out;
    rd_kafka_poll_set_consumer(source->client.rk);
    code = vf_kafka_client_contact(&source->client, config->topics, config->topic_count, config->connect_timeout_ms,
                                   serve, error);
    if (code != VF_OK)
        goto out;
    vf_kafka_commits_init(&source->commits, source->client.rk);
    vf_kafka_prefetch_init(&source->prefetch, source->client.rk, config->queue_bytes_max);
    source->client.down = RD_KAFKA_RESP_ERR_NO_ERROR; /* some broker of the list did answer */

out:
    if (code == VF_OK)
        *ret_source = source;
    else
        source_close(source);
    return code;
}

static enum vf_code source_open(const struct vf_source_config *config, struct vf_source **ret_source,
                                struct vf_error *error)
{
    struct vf_source *source = NULL;
    enum vf_code code = connect_source(config, &source, error);
    if (code == VF_OK)
        code = subscribe(source, error);
    if (code == VF_OK)
        *ret_source = source;
    else
        source_close(source);
    return code;
}

static enum vf_code source_look(const struct vf_source_config *config, struct vf_error *error)
{
    struct vf_source *source = NULL;
    enum vf_code code = connect_source(config, &source, error);
    source_close(source);
    return code;
}

/* Gives librdkafka the answer that it waits for: nothing. */
static void answer_nothing(struct vf_source *source)
{
    if (source->answer_due == ANSWER_ASSIGN) {
        rd_kafka_topic_partition_list_t *empty = rd_kafka_topic_partition_list_new(0);
        change_assignment(source->client.rk, empty);
        rd_kafka_topic_partition_list_destroy(empty);
    } else if (source->answer_due == ANSWER_REVOKE) {
        change_assignment(source->client.rk, NULL);
    }
    source->answer_due = ANSWER_NONE;
}

/* Leaves the group, within a limit. False where the handle must be destroyed without that. */
static bool leave(struct vf_source *source)
{
    rd_kafka_t *rk = source->client.rk;
    if (!source->subscribed || rd_kafka_fatal_error(rk, NULL, 0))
        return false;
    answer_nothing(source);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_error_t *refusal = rd_kafka_consumer_close_queue(rk, queue);
    int64_t deadline = vf_kafka_now_ms() + LEAVE_MS_MAX;
    while (!refusal && !rd_kafka_consumer_closed(rk) && vf_kafka_now_ms() < deadline) {
        /* Runs the rebalance callback. Not rd_kafka_queue_poll_callback, which aborts the process in 2.0.2 when what was
         * fetched is still in the queue. */
        rd_kafka_message_t *message = rd_kafka_consume_queue(queue, 100);
        if (message)
            rd_kafka_message_destroy(message);
    }
    bool closed = rd_kafka_consumer_closed(rk) != 0;
    if (refusal)
        rd_kafka_error_destroy(refusal);
    rd_kafka_queue_destroy(queue);
    return closed;
}

static void end_source(void *memory)
{
    struct vf_source *source = memory;
    /* A partition list that outlives the handle makes its destruction hang. */
    if (source->noted)
        rd_kafka_topic_partition_list_destroy(source->noted);
    bool left = leave(source);
    vf_kafka_commits_done(&source->commits);
    vf_kafka_prefetch_done(&source->prefetch);
    rd_kafka_destroy_flags(source->client.rk, left ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void free_source(void *memory)
{
    struct vf_source *source = memory;
    vf_kafka_client_done(&source->client);
    while (source->spare) {
        struct vf_kafka_rows *rows = source->spare;
        source->spare = rows->next;
        vf_kafka_rows_free(rows);
    }
    for (size_t i = 0; i < source->topic_count; i++)
        free(source->topics[i]);
    free(source->topics);
    free(source->places);
    free(source->group);
    free(source);
}

static void source_close(struct vf_source *source)
{
    if (!source)
        return;
    assert(source->lent == 0);
    source->closing = true;
    if (source->client.rk)
        vf_kafka_end_within(CLOSE_MS_MAX, end_source, free_source, source);
    else
        free_source(source);
}

/* --- faults --- */

/* A fault that ends this source: every poll says it from now on. */
static enum vf_code die(struct vf_source *source, const char *what)
{
    source->dead = true;
    source->trouble = true;
    return vf_fail(&source->fault, VF_E_BUG, "kafka %s: group %s: %s", source->client.brokers, source->group, what);
}

/* A fault that may pass: the next poll says it, once. */
static void note_fault(struct vf_source *source, rd_kafka_resp_err_t err, const char *what)
{
    int64_t now = vf_kafka_now_ms();
    bool said = source->fault_said == err && now - source->fault_said_ms < FAULT_FORGOTTEN_MS;
    source->fault_said = err;
    source->fault_said_ms = now;
    if (said || source->trouble)
        return;
    source->trouble = true;
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        vf_fail(&source->fault, VF_E_NOT_FOUND,
                "kafka %s: group %s: %s. If it is made again with other records, build the view anew",
                source->client.brokers, source->group, what);
    else if (vf_kafka_code(err) == VF_E_DENIED)
        vf_fail(&source->fault, VF_E_DENIED, "kafka %s: group %s: %s%s", source->client.brokers, source->group, what,
                err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ? " Grant this user READ on the group." : "");
    else
        vf_fail_retriable(&source->fault, VF_E_UNAVAILABLE, "kafka %s: group %s: %s", source->client.brokers,
                          source->group, what);
}

/* What the error callback has noted meanwhile. */
static void note_callbacks(struct vf_source *source)
{
    if (source->client.denied) {
        struct vf_kafka_words words = vf_kafka_client_last_words(&source->client);
        char text[700];
        snprintf(text, sizeof text, "the login was refused%s", words.text);
        note_fault(source, source->client.denied, text);
        source->client.denied = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (source->client.down) {
        struct vf_kafka_words words = vf_kafka_client_last_words(&source->client);
        char text[700];
        snprintf(text, sizeof text, "no broker can be reached%s", words.text);
        note_fault(source, source->client.down, text);
        source->client.down = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (source->client.garbled) {
        struct vf_kafka_words words = vf_kafka_client_last_words(&source->client);
        char text[700];
        snprintf(text, sizeof text, "a broker's answer cannot be read%s", words.text);
        note_fault(source, source->client.garbled, text);
        source->client.garbled = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
}

static enum vf_code say_fault(struct vf_source *source, struct vf_error *error)
{
    source->trouble = source->dead;
    if (error)
        *error = source->fault;
    return source->fault.code;
}

/* --- polling --- */

static const char *topic_name(const struct vf_source *source, const char *name)
{
    for (size_t i = 0; i < source->topic_count; i++)
        if (strcmp(source->topics[i], name) == 0)
            return source->topics[i];
    return NULL;
}

/* Where the message's partition is in the present assignment; NULL where it is not. */
static struct place *find_place(struct vf_source *source, const rd_kafka_message_t *message)
{
    if (!message->rkt)
        return NULL;
    for (size_t n = 0; n < source->place_count; n++) {
        size_t i = (source->place_last + n) % source->place_count;
        struct place *place = &source->places[i];
        if (place->partition != message->partition)
            continue;
        if (place->handle != message->rkt) {
            if (place->handle || strcmp(place->topic, rd_kafka_topic_name(message->rkt)) != 0)
                continue;
            place->handle = message->rkt;
        }
        source->place_last = i;
        return place;
    }
    return NULL;
}

static struct vf_partition partition_of(const struct place *place)
{
    return (struct vf_partition){place->topic, place->partition};
}

static void take_record(struct vf_source *source, struct vf_kafka_rows *rows, struct place *place,
                        rd_kafka_message_t *message)
{
    rd_kafka_resp_err_t err = vf_kafka_rows_add_record(rows, source->assignment, place->topic, message);
    if (err) {
        char text[512];
        snprintf(text, sizeof text, "%s/%d@%lld: the headers cannot be read: %s", place->topic, (int)place->partition,
                 (long long)message->offset, rd_kafka_err2str(err));
        rd_kafka_message_destroy(message);
        die(source, text);
        return;
    }
    place->position = message->offset + 1;
}

/*
 * AUTO_OFFSET_RESET: the log does not hold the offset that librdkafka fetched at (message->offset, with topic and
 * partition), and the partition's fetcher has stopped. It is the one event without a version, so one of an older
 * assignment arrives like any other. At the position that we are at, it is true whenever it was said. Below, it is old.
 * Beyond, it is old, or the position is right behind what compaction or transaction markers left out, or it is the
 * beginning that we asked for and that has moved: then asking again at our own position gives an answer that is sure.
 * A negative offset says that the beginning could not be looked up; why follows in an error of its own.
 */
static void take_out_of_range(struct vf_source *source, struct vf_kafka_rows *rows, struct place *place, int64_t offset)
{
    /* GUARD kafka-stale-range: an older assignment's position out of range is taken for the present one's */
    if (offset == place->position && offset >= 0) {
        vf_kafka_rows_add_mark(rows, VF_ROW_OUT_OF_RANGE, source->assignment, partition_of(place), offset);
        return;
    }
    if (offset < place->position && offset >= 0)
        return;
    if (source->resume_at_ms == 0)
        source->resume_at_ms = vf_kafka_now_ms() + RESUME_MS;
}

/* An error that librdkafka hands out in place of a record. */
static void take_error(struct vf_source *source, const rd_kafka_message_t *message)
{
    const char *what = rd_kafka_message_errstr(message);
    char text[1024];
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        vf_kafka_client_note(&source->client, what); /* the revocation follows */
        return;
    case RD_KAFKA_RESP_ERR__FATAL: {
        rd_kafka_resp_err_t err = rd_kafka_fatal_error(source->client.rk, text, sizeof text);
        if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
            die(source, "another member has the same group.instance.id: kafka.instance must differ on each host");
        else
            die(source, err ? text : what);
        return;
    }
    /* librdkafka would go on behind a batch that it cannot decode: its records would be lost without a trace. */
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__FAIL:
        snprintf(text, sizeof text, "%s/%d@%lld: librdkafka %s cannot read this batch of records: %s",
                 message->rkt ? rd_kafka_topic_name(message->rkt) : "?", (int)message->partition,
                 (long long)message->offset, rd_kafka_version_str(), what);
        die(source, text);
        return;
    default: note_fault(source, message->err, what); return;
    }
}

/* Takes the message: a row, a fault, or nothing where it is not of the present assignment. */
static void take(struct vf_source *source, struct vf_kafka_rows *rows, rd_kafka_message_t *message)
{
    bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    bool out_of_range = message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET;
    struct place *place = find_place(source, message);
    if (message->err && !end && !out_of_range) {
        take_error(source, message);
    } else if (place && out_of_range) {
        take_out_of_range(source, rows, place, message->offset);
    } else if (place && message->offset >= place->position) {
        source->fault_said = RD_KAFKA_RESP_ERR_NO_ERROR;
        if (!end) {
            take_record(source, rows, place, message);
            return;
        }
        place->position = message->offset;
        vf_kafka_rows_add_mark(rows, VF_ROW_END, source->assignment, partition_of(place), message->offset);
    }
    rd_kafka_message_destroy(message);
}

/* Hands out the rebalance that the callback noted, instead of what was gathered before it. */
static void take_rebalance(struct vf_source *source, struct vf_kafka_rows *rows)
{
    rd_kafka_topic_partition_list_t *list = source->noted;
    source->noted = NULL;
    /* What was gathered before is dropped: the answer's positions bring it again. */
    vf_kafka_rows_clear(rows);
    enum vf_happening happening = source->answer_due == ANSWER_ASSIGN ? VF_ASSIGNED : VF_REVOKED;
    struct vf_partition *partitions = vf_kafka_rows_rebalance(rows, happening, source->noted_lost, (size_t)list->cnt);
    size_t count = 0;
    for (int i = 0; i < list->cnt; i++) {
        const char *topic = topic_name(source, list->elems[i].topic);
        if (topic)
            partitions[count++] = (struct vf_partition){topic, list->elems[i].partition};
    }
    rows->polled.partition_count = count;
    rd_kafka_topic_partition_list_destroy(list);
}

/* Fills rows up to the limits. Ends early at a rebalance or a fault. */
static void gather(struct vf_source *source, struct vf_kafka_rows *rows, const struct vf_poll_limits *limits)
{
    int64_t deadline = vf_kafka_now_ms() + limits->timeout_ms;
    bool waiting = true; /* for the first row, or for more after all that was there */
    bool first = true;
    while (rows->row_count < limits->rows_max && rows->bytes < limits->bytes_max) {
        int64_t left = waiting ? deadline - vf_kafka_now_ms() : 0;
        rd_kafka_message_t *message = rd_kafka_consumer_poll(source->client.rk, left > 0 ? (int)left : 0);
        if (message)
            take(source, rows, message);
        if (source->client.down || source->client.denied || source->client.garbled)
            note_callbacks(source);
        if (source->noted || source->trouble)
            return;
        if (first && rows->row_count > 0) {
            first = false;
            deadline = vf_kafka_now_ms() + limits->gather_ms;
        }
        if (!message && waiting && left <= 0)
            return;
        waiting = !message || rows->row_count == 0;
    }
}

/* Assigns the same partitions again where they are, to start a fetcher that librdkafka has stopped. The number stays:
 * nothing that was handed out comes again, and nothing is left out. */
static void resume(struct vf_source *source)
{
    source->resume_at_ms = 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->place_count);
    for (size_t i = 0; i < source->place_count; i++) {
        const struct place *place = &source->places[i];
        rd_kafka_topic_partition_list_add(list, place->topic, place->partition)->offset = place->position;
    }
    rd_kafka_resp_err_t err = change_assignment(source->client.rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err)
        note_fault(source, err, rd_kafka_err2str(err));
}

static enum vf_code source_poll(struct vf_source *source, const struct vf_poll_limits *limits,
                                struct vf_polled **ret_polled, struct vf_error *error)
{
    if (source->trouble)
        return say_fault(source, error);
    if (source->resume_at_ms && source->answer_due == ANSWER_NONE && vf_kafka_now_ms() >= source->resume_at_ms)
        resume(source);
    vf_kafka_commits_turn(&source->commits, source->client.rk);

    struct vf_kafka_rows *rows = source->spare;
    if (rows)
        source->spare = rows->next;
    else
        rows = vf_kafka_rows_new();
    gather(source, rows, limits);
    if (rows->row_count > 0 && !source->noted && !source->trouble)
        vf_kafka_prefetch_turn(&source->prefetch, source->client.rk, rows->row_count, rows->bytes,
                               &rows->rows[rows->row_count - 1]);
    source->last_poll_ms = vf_kafka_now_ms();
    if (source->noted) {
        take_rebalance(source, rows);
    } else if (source->trouble && rows->row_count == 0) {
        rows->next = source->spare;
        source->spare = rows;
        return say_fault(source, error);
    } else {
        vf_kafka_rows_finish(rows);
    }
    source->lent++;
    *ret_polled = &rows->polled;
    return VF_OK;
}

static void source_release(struct vf_source *source, struct vf_polled *polled)
{
    if (!polled)
        return;
    struct vf_kafka_rows *rows = (struct vf_kafka_rows *)polled;
    vf_kafka_rows_clear(rows);
    rows->next = source->spare;
    source->spare = rows;
    source->lent--;
}

/* --- assigning --- */

static enum vf_code check_positions(const struct vf_source *source, const struct vf_position *positions, size_t count,
                                    struct vf_error *error)
{
    if (source->answer_due == ANSWER_REVOKE && count > 0)
        return vf_fail(error, VF_E_BUG, "kafka: partitions assigned in answer to a revocation");
    for (size_t i = 0; i < count; i++) {
        const struct vf_position *position = &positions[i];
        /* GUARD kafka-explicit-offset: librdkafka takes an unset offset for "from the committed one" */
        if (position->offset < 0 && position->offset != VF_OFFSET_BEGINNING)
            return vf_fail(error, VF_E_BUG, "kafka: %s/%d assigned at offset %lld", position->partition.topic,
                           (int)position->partition.partition, (long long)position->offset);
        if (!topic_name(source, position->partition.topic))
            return vf_fail(error, VF_E_BUG, "kafka: topic %s assigned but not subscribed to",
                           position->partition.topic);
    }
    return VF_OK;
}

static rd_kafka_topic_partition_list_t *list_of(const struct vf_position *positions, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, positions[i].partition.topic, positions[i].partition.partition)
            ->offset = positions[i].offset;
    return list;
}

static enum vf_code source_assign(struct vf_source *source, const struct vf_position *positions, size_t count,
                                  uint64_t *ret_assignment, struct vf_error *error)
{
    if (source->dead)
        return say_fault(source, error);
    enum vf_code code = check_positions(source, positions, count, error);
    if (code != VF_OK)
        return code;
    rd_kafka_topic_partition_list_t *list = source->answer_due == ANSWER_REVOKE ? NULL : list_of(positions, count);
    rd_kafka_resp_err_t err = change_assignment(source->client.rk, list);
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    if (err)
        return vf_kafka_client_fail(&source->client, err, error, "group %s: assign", source->group);

    source->answer_due = ANSWER_NONE;
    source->resume_at_ms = 0;
    vf_kafka_commits_forget(&source->commits); /* of partitions that may be somebody else's now */
    source->places = vf_realloc(source->places, (count ? count : 1) * sizeof *source->places);
    for (size_t i = 0; i < count; i++)
        source->places[i] = (struct place){
            .topic = topic_name(source, positions[i].partition.topic),
            .partition = positions[i].partition.partition,
            .position = positions[i].offset,
        };
    source->place_count = count;
    source->place_last = 0;
    *ret_assignment = ++source->assignment;
    return VF_OK;
}

/* --- questions and commits --- */

static enum vf_code source_commit(struct vf_source *source, const struct vf_position *positions, size_t count,
                                  bool wait, struct vf_error *error)
{
    rd_kafka_resp_err_t err =
        vf_kafka_commits_add(&source->commits, source->client.rk, positions, count, wait ? VF_KAFKA_ASK_MS_MAX : 0);
    return err ? vf_kafka_client_fail(&source->client, err, error, "group %s: commit", source->group) : VF_OK;
}

/* Asked at read_committed, as records are read: the high one is the last stable offset. */
static enum vf_code source_watermarks(struct vf_source *source, struct vf_partition partition, int64_t *ret_low,
                                      int64_t *ret_high, struct vf_error *error)
{
    const struct vf_position position = {partition, 0};
    rd_kafka_topic_partition_list_t *low = list_of(&position, 1);
    rd_kafka_topic_partition_list_t *high = list_of(&position, 1);
    enum vf_code code = vf_kafka_client_ends(&source->client, low, high, VF_KAFKA_ASK_MS_MAX, error);
    if (code == VF_OK) {
        *ret_low = low->elems[0].offset;
        *ret_high = high->elems[0].offset;
    }
    rd_kafka_topic_partition_list_destroy(low);
    rd_kafka_topic_partition_list_destroy(high);
    return code;
}

static enum vf_code source_partition_count(struct vf_source *source, const char *topic, int32_t *ret_count,
                                           struct vf_error *error)
{
    return vf_kafka_client_partition_count(&source->client, topic, VF_KAFKA_ASK_MS_MAX, ret_count, error);
}

static enum vf_code source_committed(struct vf_source *source, struct vf_position *positions, size_t count,
                                     struct vf_error *error)
{
    if (count == 0)
        return VF_OK;
    rd_kafka_topic_partition_list_t *list = list_of(positions, count);
    rd_kafka_resp_err_t err = rd_kafka_committed(source->client.rk, list, VF_KAFKA_ASK_MS_MAX);
    for (int i = 0; !err && i < list->cnt; i++)
        err = list->elems[i].err;
    for (size_t i = 0; !err && i < count; i++)
        positions[i].offset = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    return err ? vf_kafka_client_fail(&source->client, err, error, "committed offsets of group %s", source->group)
               : VF_OK;
}

const struct vf_source_type vf_kafka_source_type = {
    .name = "kafka",
    .open = source_open,
    .close = source_close,
    .look = source_look,
    .keeping = vf_kafka_admin_keeping,
    .poll = source_poll,
    .release = source_release,
    .assign = source_assign,
    .commit = source_commit,
    .watermarks = source_watermarks,
    .partition_count = source_partition_count,
    .committed = source_committed,
};
