/*
 * The Kafka source against librdkafka's own stand-in for a broker, for what a real one does not do on demand: fall
 * silent, refuse, fence. No server. How it behaves otherwise is tested on a real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connectors/kafka/kafka_admin.h"
#include "connectors/kafka/kafka_source.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Kafka's numbers of its requests. */
enum { FETCH = 1, METADATA = 3, HEARTBEAT = 12 };

/* Longer than ctest waits for this program: whoever waits for it has no time limit. */
#define SILENCE_MS (3600 * 1000)

static const struct vf_source_type *const kafka = &vf_kafka_source_type;

struct cluster {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *mock;
    const char *brokers;
};

static int start(void **state)
{
    char text[512];
    struct cluster *cluster = calloc(1, sizeof *cluster);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "3", text, sizeof text), RD_KAFKA_CONF_OK);
    cluster->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    cluster->mock = rd_kafka_mock_cluster_new(cluster->rk, 1);
    cluster->brokers = rd_kafka_mock_cluster_bootstraps(cluster->mock);
    *state = cluster;
    return rd_kafka_mock_topic_create(cluster->mock, "orders", 1, 1);
}

static int stop(void **state)
{
    struct cluster *cluster = *state;
    rd_kafka_mock_cluster_destroy(cluster->mock);
    rd_kafka_destroy(cluster->rk);
    free(cluster);
    return 0;
}

static enum vf_code open_source(const struct cluster *cluster, struct vf_source **ret_source, struct vf_error *error)
{
    static const char *const topic = "orders";
    static const struct vf_source_property properties[] = {{"heartbeat.interval.ms", "100"}};
    const struct vf_source_config config = {
        .brokers = cluster->brokers,
        .group = "shop",
        .topics = &topic,
        .topic_count = 1,
        .properties = properties,
        .property_count = 1,
        .queue_bytes_max = 1 << 20,
        .connect_timeout_ms = 20000,
    };
    return kafka->open(&config, ret_source, error);
}

/* Polls until a code other than VF_OK comes, answering rebalances with partition 0 from its beginning. `ends` of them must
 * have come before that, if it is not NULL; then VF_OK is returned. */
static enum vf_code poll_until_said(struct vf_source *source, int *ends, struct vf_error *error)
{
    const struct vf_poll_limits limits = {.rows_max = 10, .bytes_max = 1 << 20, .timeout_ms = 100};
    for (time_t begin = time(NULL); time(NULL) - begin < 60;) {
        struct vf_polled *polled;
        uint64_t assignment;
        const struct vf_position first = {{"orders", 0}, VF_OFFSET_BEGINNING};
        enum vf_code code = kafka->poll(source, &limits, &polled, error);
        if (code != VF_OK)
            return code;
        bool assigned = polled->happening == VF_ASSIGNED, revoked = polled->happening == VF_REVOKED;
        size_t count = polled->row_count;
        bool end = count > 0 && polled->rows[count - 1].row == VF_ROW_END;
        kafka->release(source, polled);
        if ((assigned || revoked) && kafka->assign(source, &first, assigned ? 1 : 0, &assignment, error) != VF_OK)
            fail_msg("%s", error->text);
        if (end && ends && --*ends == 0)
            return VF_OK;
    }
    fail_msg("nothing was said");
    return VF_E_BUG;
}

static struct vf_source *open_at_the_end(const struct cluster *cluster)
{
    struct vf_source *source = NULL;
    struct vf_error error;
    int ends = 1;
    if (open_source(cluster, &source, &error) != VF_OK || poll_until_said(source, &ends, &error) != VF_OK)
        fail_msg("%s", error.text);
    return source;
}

static void a_silent_broker_holds_up_no_call(void **state)
{
    struct cluster *cluster = *state;
    struct vf_source *source = open_at_the_end(cluster);
    struct vf_kafka_admin *admin = NULL;
    struct vf_error error;
    assert_int_equal(vf_kafka_admin_open(cluster->brokers, NULL, 0, 20000, &admin, &error), VF_OK);
    rd_kafka_mock_broker_set_rtt(cluster->mock, 1, SILENCE_MS);

    const struct vf_partition partition = {"orders", 0};
    struct vf_position position = {partition, 0};
    struct vf_kafka_reach reach = {.partition = partition};
    int64_t low, high;
    int32_t partitions;
    size_t members;
    for (int i = 0; i < 100; i++)
        assert_int_equal(kafka->commit(source, &position, 1, false, &error), VF_OK);
    assert_int_equal(kafka->commit(source, &position, 1, true, &error), VF_E_UNAVAILABLE);
    assert_int_equal(kafka->watermarks(source, partition, &low, &high, &error), VF_E_UNAVAILABLE);
    assert_int_equal(kafka->committed(source, &position, 1, &error), VF_E_UNAVAILABLE);
    assert_int_equal(kafka->partition_count(source, "orders", &partitions, &error), VF_E_UNAVAILABLE);
    assert_true(error.retriable);
    assert_int_equal(vf_kafka_admin_reach(admin, &reach, 1, 500, &error), VF_E_UNAVAILABLE);
    assert_int_equal(vf_kafka_admin_members(admin, "shop", 500, &members, &error), VF_E_UNAVAILABLE);
    assert_int_equal(vf_kafka_admin_partition_count(admin, "orders", 500, &partitions, &error), VF_E_UNAVAILABLE);
    vf_kafka_admin_close(admin);
    kafka->close(source);
}

static void an_outage_is_said_once(void **state)
{
    struct cluster *cluster = *state;
    struct vf_source *source = open_at_the_end(cluster);
    struct vf_error error;
    rd_kafka_mock_broker_set_down(cluster->mock, 1);
    assert_int_equal(poll_until_said(source, NULL, &error), VF_E_UNAVAILABLE);
    assert_non_null(strstr(error.text, "no broker can be reached"));
    assert_non_null(strstr(error.text, cluster->brokers));
    assert_true(error.retriable);
    const struct vf_poll_limits limits = {.rows_max = 10, .bytes_max = 1 << 20, .timeout_ms = 100};
    for (int i = 0; i < 50; i++) { /* in which it tries to connect more than once */
        struct vf_polled *polled = NULL;
        assert_int_equal(kafka->poll(source, &limits, &polled, &error), VF_OK);
        kafka->release(source, polled);
    }
    rd_kafka_mock_broker_set_up(cluster->mock, 1);
    kafka->close(source);
}

static void a_right_that_is_missing_is_said_when_opening(void **state)
{
    struct cluster *cluster = *state;
    struct vf_source *source = NULL;
    struct vf_error error;
    /* The mock lists partitions beside the error, as no broker does, and librdkafka 2.6 to 2.8 crash on those that have a
     * leader's epoch (their issue 4907): older answers have none. */
    rd_kafka_mock_set_apiversion(cluster->mock, METADATA, 0, 6);
    rd_kafka_mock_topic_set_error(cluster->mock, "orders", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(open_source(cluster, &source, &error), VF_E_DENIED);
    assert_null(source);
    assert_non_null(strstr(error.text, "orders"));
    assert_non_null(strstr(error.text, "READ"));
}

/* Three fetches fail, for a reason that librdkafka hands out (or not) each time. */
static void expect_said_once(struct cluster *cluster, rd_kafka_resp_err_t reason, enum vf_code code)
{
    struct vf_source *source = open_at_the_end(cluster);
    struct vf_error error;
    rd_kafka_mock_push_request_errors(cluster->mock, FETCH, 3, reason, reason, reason);
    assert_int_equal(poll_until_said(source, NULL, &error), code);
    const struct vf_poll_limits limits = {.rows_max = 10, .bytes_max = 1 << 20, .timeout_ms = 100};
    for (int i = 0; i < 20; i++) {
        struct vf_polled *polled = NULL;
        assert_int_equal(kafka->poll(source, &limits, &polled, &error), VF_OK);
        kafka->release(source, polled);
    }
    kafka->close(source);
}

static void a_right_that_is_taken_away_is_said_once(void **state)
{
    expect_said_once(*state, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, VF_E_DENIED);
}

static void a_fault_that_repeats_is_said_once(void **state)
{
    expect_said_once(*state, RD_KAFKA_RESP_ERR_POLICY_VIOLATION, VF_E_UNAVAILABLE);
}

/* Another member with the same group.instance.id has come: this one must not go on, and says so for good. */
static void a_fenced_member_is_dead(void **state)
{
    struct cluster *cluster = *state;
    struct vf_source *source = open_at_the_end(cluster);
    struct vf_error error;
    rd_kafka_mock_push_request_errors(cluster->mock, HEARTBEAT, 1, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID);
    assert_int_equal(poll_until_said(source, NULL, &error), VF_E_BUG);
    assert_non_null(strstr(error.text, "kafka.instance"));
    const struct vf_poll_limits limits = {.rows_max = 10, .bytes_max = 1 << 20, .timeout_ms = 100};
    struct vf_polled *polled = NULL;
    uint64_t assignment;
    for (int i = 0; i < 3; i++)
        assert_int_equal(kafka->poll(source, &limits, &polled, &error), VF_E_BUG);
    assert_null(polled);
    assert_int_equal(kafka->assign(source, NULL, 0, &assignment, &error), VF_E_BUG);
    kafka->close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_silent_broker_holds_up_no_call, start, stop),
        cmocka_unit_test_setup_teardown(an_outage_is_said_once, start, stop),
        cmocka_unit_test_setup_teardown(a_right_that_is_missing_is_said_when_opening, start, stop),
        cmocka_unit_test_setup_teardown(a_right_that_is_taken_away_is_said_once, start, stop),
        cmocka_unit_test_setup_teardown(a_fault_that_repeats_is_said_once, start, stop),
        cmocka_unit_test_setup_teardown(a_fenced_member_is_dead, start, stop),
    };
    return cmocka_run_group_tests_name("kafka faults", tests, NULL, NULL);
}
