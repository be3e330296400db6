/* Which librdkafka properties the user may set. No server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connectors/kafka/kafka_source.h"

#include <stdio.h>

static const char *const owned[] = {
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "client.id",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "isolation.level",
    "partition.assignment.strategy",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.max.bytes",
    "rebalance_cb",
    "log_cb",
};

static void what_viewfold_owns_is_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        struct vf_error error = {0};
        const char *reason = vf_kafka_property_refusal(owned[i]);
        if (!reason)
            fail_msg("%s is not refused", owned[i]);
        assert_int_equal(vf_kafka_property_check(owned[i], "1", &error), VF_E_CONFIG);
        assert_int_equal(error.code, VF_E_CONFIG);
        assert_non_null(strstr(error.text, owned[i]));
        assert_non_null(strstr(error.text, reason));
    }
}

static void what_is_the_users_passes(void **state)
{
    (void)state;
    static const char *const theirs[][2] = {
        {"session.timeout.ms", "2000"},         {"max.poll.interval.ms", "60000"}, {"security.protocol", "sasl_ssl"},
        {"sasl.mechanism", "SCRAM-SHA-512"},    {"sasl.username", "viewfold"},     {"sasl.password", "a b\tc"},
        {"ssl.ca.location", "/etc/ssl/ca.pem"}, {"client.rack", "eu-1"},           {"fetch.wait.max.ms", "50"},
    };
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        struct vf_error error = {0};
        assert_null(vf_kafka_property_refusal(theirs[i][0]));
        if (vf_kafka_property_check(theirs[i][0], theirs[i][1], &error) != VF_OK)
            fail_msg("%s: %s", theirs[i][0], error.text);
    }
}

static void an_unknown_name_is_refused_by_name(void **state)
{
    (void)state;
    struct vf_error error = {0};
    assert_int_equal(vf_kafka_property_check("session.timout.ms", "2000", &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "session.timout.ms"));
    assert_non_null(strstr(error.text, vf_kafka_library_version()));
}

static void a_wrong_value_is_refused_with_librdkafkas_reason(void **state)
{
    (void)state;
    struct vf_error error = {0};
    assert_int_equal(vf_kafka_property_check("session.timeout.ms", "soon", &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "session.timeout.ms"));
    assert_int_equal(vf_kafka_property_check("session.timeout.ms", "-5", &error), VF_E_CONFIG);
    assert_int_equal(vf_kafka_property_check("security.protocol", "tls", &error), VF_E_CONFIG);
    /* librdkafka 2.0.2 ends this reason with a line break. */
    assert_int_equal(vf_kafka_property_check("session.timeout.ms", "99999999999", &error), VF_E_CONFIG);
    assert_int_not_equal(error.text[strlen(error.text) - 1], '\n');
}

static void a_wrong_property_stops_opening(void **state)
{
    (void)state;
    const char *topics[] = {"orders"};
    struct vf_source_property property = {"auto.offset.reset", "earliest"};
    struct vf_source_config config = {
        .brokers = "127.0.0.1:1",
        .group = "g",
        .topics = topics,
        .topic_count = 1,
        .properties = &property,
        .property_count = 1,
        .queue_bytes_max = 1 << 20,
        .connect_timeout_ms = 60000,
    };
    struct vf_source *source = NULL;
    struct vf_error error = {0};
    assert_int_equal(vf_kafka_source_type.open(&config, &source, &error), VF_E_CONFIG);
    assert_null(source);

    /* Each is right by itself; librdkafka refuses them together. */
    struct vf_source_property pair[] = {{"session.timeout.ms", "60000"}, {"max.poll.interval.ms", "2000"}};
    config.properties = pair;
    config.property_count = 2;
    assert_int_equal(vf_kafka_source_type.open(&config, &source, &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "max.poll.interval.ms"));
    vf_kafka_source_type.close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_viewfold_owns_is_refused_with_the_reason),
        cmocka_unit_test(what_is_the_users_passes),
        cmocka_unit_test(an_unknown_name_is_refused_by_name),
        cmocka_unit_test(a_wrong_value_is_refused_with_librdkafkas_reason),
        cmocka_unit_test(a_wrong_property_stops_opening),
    };
    return cmocka_run_group_tests_name("kafka properties", tests, NULL, NULL);
}
