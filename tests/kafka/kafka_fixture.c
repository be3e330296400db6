/* Topics, producers and members for tests against a real Kafka. */
#include "kafka_fixture.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static const struct vf_source_type *const kafka = &vf_kafka_source_type;

const char *fixture_brokers(void)
{
    const char *brokers = getenv("VIEWFOLD_KAFKA");
    if (!brokers || !*brokers)
        fail_msg(
            "VIEWFOLD_KAFKA is not set: tests/servers/servers.sh up kafka; eval \"$(tests/servers/servers.sh env)\"");
    return brokers;
}

int64_t fixture_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

char *fixture_name(const char *what)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        fail_msg("getrandom");
    char name[64];
    snprintf(name, sizeof name, "test-%s-%016llx", what, (unsigned long long)bits);
    return strdup(name);
}

/* --- producers and the admin --- */

static rd_kafka_t *producer_new(const char *transactional_id)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", fixture_brokers(), text, sizeof text) ||
        rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof text) ||
        (transactional_id && rd_kafka_conf_set(conf, "transactional.id", transactional_id, text, sizeof text)))
        fail_msg("%s", text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk)
        fail_msg("%s", text);
    return rk;
}

static rd_kafka_t *plain_producer(void)
{
    static rd_kafka_t *rk; /* one for the process: still reachable at its end */
    if (!rk)
        rk = producer_new(NULL);
    return rk;
}

/* Waits for the one result of an admin call. */
static void await(rd_kafka_queue_t *queue, const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, FIXTURE_WAIT_MS);
    if (!event || rd_kafka_event_error(event))
        fail_msg("%s: %s", what, event ? rd_kafka_event_error_string(event) : "no answer");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
}

char *fixture_topic(int partitions)
{
    char text[512];
    char *name = fixture_name("topic");
    rd_kafka_t *rk = plain_producer();
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof text);
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    await(queue, "create topic");
    rd_kafka_NewTopic_destroy(topic);
    return name;
}

void fixture_delete_before(const char *topic, int32_t partition, int64_t offset)
{
    rd_kafka_t *rk = plain_producer();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    rd_kafka_DeleteRecords_t *records = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteRecords(rk, &records, 1, NULL, queue);
    await(queue, "delete records");
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(list);
}

static void produce_with(rd_kafka_t *rk, const char *topic, int32_t partition, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char value[16];
        size_t size = (size_t)snprintf(value, sizeof value, "%d", i);
        rd_kafka_resp_err_t err =
            rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(value, size),
                              RD_KAFKA_V_VALUE(value, size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (err)
            fail_msg("produce: %s", rd_kafka_err2str(err));
    }
    if (rd_kafka_flush(rk, FIXTURE_WAIT_MS))
        fail_msg("produce: not delivered");
}

void fixture_produce(const char *topic, int32_t partition, int first, int count)
{
    produce_with(plain_producer(), topic, partition, first, count);
}

void fixture_produce_one(const char *topic, int32_t partition, const char *key, const char *value,
                         const char *const (*headers)[2])
{
    rd_kafka_t *rk = plain_producer();
    rd_kafka_headers_t *list = rd_kafka_headers_new(4);
    for (; headers && (*headers)[0]; headers++)
        rd_kafka_header_add(list, (*headers)[0], -1, (*headers)[1], (*headers)[1] ? -1 : 0);
    rd_kafka_resp_err_t err = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value ? strlen(value) : 0), RD_KAFKA_V_HEADERS(list),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (err || rd_kafka_flush(rk, FIXTURE_WAIT_MS))
        fail_msg("produce: %s", rd_kafka_err2str(err));
}

struct fixture_transaction {
    rd_kafka_t *rk;
    char *id;
};

static void transaction_step(rd_kafka_error_t *error, const char *what)
{
    if (error)
        fail_msg("%s: %s", what, rd_kafka_error_string(error));
}

struct fixture_transaction *fixture_transaction_begin(const char *topic, int32_t partition, int first, int count)
{
    struct fixture_transaction *transaction = calloc(1, sizeof *transaction);
    transaction->id = fixture_name("transaction");
    transaction->rk = producer_new(transaction->id);
    transaction_step(rd_kafka_init_transactions(transaction->rk, FIXTURE_WAIT_MS), "init transactions");
    transaction_step(rd_kafka_begin_transaction(transaction->rk), "begin transaction");
    produce_with(transaction->rk, topic, partition, first, count);
    return transaction;
}

void fixture_transaction_end(struct fixture_transaction *transaction, bool commit)
{
    if (commit)
        transaction_step(rd_kafka_commit_transaction(transaction->rk, FIXTURE_WAIT_MS), "commit transaction");
    else
        transaction_step(rd_kafka_abort_transaction(transaction->rk, FIXTURE_WAIT_MS), "abort transaction");
    rd_kafka_destroy(transaction->rk);
    /* That it is decided was answered; its marker is in the log a moment later, and until then the log ends before it for
     * whoever reads only what is committed. The next owner of its id is not let in before. */
    transaction->rk = producer_new(transaction->id);
    transaction_step(rd_kafka_init_transactions(transaction->rk, FIXTURE_WAIT_MS), "after the transaction");
    rd_kafka_destroy(transaction->rk);
    free(transaction->id);
    free(transaction);
}

void fixture_produce_transaction(const char *topic, int32_t partition, int first, int count, bool commit)
{
    fixture_transaction_end(fixture_transaction_begin(topic, partition, first, count), commit);
}

/* --- members --- */

void member_open(struct member *member, const char *group, const char *topic, const struct vf_source_property *more,
                 size_t more_count)
{
    struct vf_source_property properties[8] = {{"session.timeout.ms", "2000"}, {"heartbeat.interval.ms", "200"}};
    size_t count = 2;
    for (size_t i = 0; i < more_count; i++)
        properties[count++] = more[i];
    const struct vf_source_config config = {
        .brokers = fixture_brokers(),
        .group = group,
        .topics = &topic,
        .topic_count = 1,
        .properties = properties,
        .property_count = count,
        .queue_bytes_max = 32 << 20,
        .connect_timeout_ms = 10000,
    };
    memset(member, 0, sizeof *member);
    struct vf_error error;
    if (kafka->open(&config, &member->source, &error) != VF_OK)
        fail_msg("open: %s", error.text);
    member->topic = strdup(topic);
}

void member_close(struct member *member)
{
    kafka->close(member->source);
    free(member->rows);
    free(member->topic);
    memset(member, 0, sizeof *member);
}

static void keep_row(struct member *member, const struct vf_record *record)
{
    if (member->row_count == member->row_capacity) {
        member->row_capacity = member->row_capacity ? member->row_capacity * 2 : 64;
        member->rows = realloc(member->rows, member->row_capacity * sizeof *member->rows);
    }
    char value[16] = "-1";
    if (record->row == VF_ROW_RECORD && record->value.size < sizeof value)
        snprintf(value, sizeof value, "%.*s", (int)record->value.size, record->value.data);
    member->rows[member->row_count++] = (struct fixture_row){
        .kind = record->row,
        .assignment = record->assignment,
        .partition = record->partition,
        .offset = record->offset,
        .value = atoi(value),
    };
}

void member_poll(struct member *member)
{
    const struct vf_poll_limits limits = {.rows_max = 100, .bytes_max = 1 << 20, .timeout_ms = 100, .gather_ms = 5};
    struct vf_polled *polled = NULL;
    if (kafka->poll(member->source, &limits, &polled, &member->fault) != VF_OK) {
        member->faults++;
        return;
    }
    if (polled->happening == VF_ASSIGNED || polled->happening == VF_REVOKED) {
        bool assigned = polled->happening == VF_ASSIGNED;
        assert_int_equal(polled->row_count, 0);
        assert_true(polled->partition_count <= 16);
        *(assigned ? &member->assignments : &member->revocations) += 1;
        *(assigned ? &member->assigned_due : &member->revoked_due) = true;
        member->lost = polled->lost;
        member->partition_count = polled->partition_count;
        for (size_t i = 0; i < polled->partition_count; i++) {
            assert_string_equal(polled->partitions[i].topic, member->topic);
            member->partitions[i] = polled->partitions[i].partition;
        }
    }
    assert_true((polled->happening == VF_ROWS) == (polled->row_count > 0));
    for (size_t i = 0; i < polled->row_count; i++)
        keep_row(member, &polled->rows[i]);
    kafka->release(member->source, polled);
}

static void assign(struct member *member, const struct vf_position *positions, size_t count)
{
    struct vf_error error;
    uint64_t before = member->assignment;
    if (kafka->assign(member->source, positions, count, &member->assignment, &error) != VF_OK)
        fail_msg("assign: %s", error.text);
    assert_true(member->assignment > before);
    member->assigned_due = member->revoked_due = false;
}

void member_assign(struct member *member, const int64_t *offsets)
{
    struct vf_position positions[16];
    for (size_t i = 0; i < member->partition_count; i++)
        positions[i] = (struct vf_position){{member->topic, member->partitions[i]}, offsets[member->partitions[i]]};
    assign(member, positions, member->partition_count);
}

void member_assign_none(struct member *member)
{
    assign(member, NULL, 0);
}

void member_assign_one(struct member *member, int32_t partition, int64_t offset)
{
    const struct vf_position position = {{member->topic, partition}, offset};
    assign(member, &position, 1);
}

void member_open_at(struct member *member, const char *topic, int64_t offset)
{
    char *group = fixture_name("group");
    member_open(member, group, topic, NULL, 0);
    POLL_UNTIL(member, member->assigned_due);
    member_assign_one(member, 0, offset);
    free(group);
}

size_t member_count(const struct member *member, enum vf_row_kind kind, int32_t partition)
{
    size_t count = 0;
    for (size_t i = 0; i < member->row_count; i++)
        count += member->rows[i].kind == kind && (partition < 0 || member->rows[i].partition == partition);
    return count;
}

const struct fixture_row *member_row(const struct member *member, enum vf_row_kind kind, int32_t partition, size_t n)
{
    for (size_t i = 0; i < member->row_count; i++)
        if (member->rows[i].kind == kind && (partition < 0 || member->rows[i].partition == partition) && n-- == 0)
            return &member->rows[i];
    fail_msg("no such row");
    return NULL;
}

void member_forget(struct member *member)
{
    member->row_count = 0;
}

void member_expect_offsets(const struct member *member, int32_t partition, int64_t from, int64_t to)
{
    assert_int_equal(member_count(member, VF_ROW_RECORD, partition), to - from);
    for (int64_t i = from; i < to; i++)
        assert_int_equal(member_row(member, VF_ROW_RECORD, partition, (size_t)(i - from))->offset, i);
}

int member_queued(const struct member *member)
{
    /* The handle is the first thing in a source. */
    return rd_kafka_outq_len(*(rd_kafka_t **)member->source);
}

void member_await_queued(const struct member *member, int count, struct member *other)
{
    int64_t begin = fixture_now_ms();
    while (member_queued(member) < count) {
        if (other)
            member_poll(other);
        if (fixture_now_ms() - begin > FIXTURE_WAIT_MS)
            fail_msg("only %d queued, not %d", member_queued(member), count);
    }
}
