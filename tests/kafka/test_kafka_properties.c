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

static void addresses_as_librdkafka_reads_them_pass(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "kafka-1",   "kafka-1:9092",       "k_1.shop.example:9092,k2:1", "k1:9092, k2:65535,", "10.0.0.1:9092",
        "[::1]",     "[2001:db8::1]:9092", "[fe80::1%eth0]:9092",        "PLAINTEXT://k:9092", "plaintext://[::1]:1",
        "k:0009092",
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct vf_error error = {0};
        if (vf_kafka_brokers_check(lists[i], NULL, 0, &error) != VF_OK)
            fail_msg("%s: %s", lists[i], error.text);
    }
}

static void what_is_no_address_is_refused_with_what_is_wanted(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"127.0.0.1:99999", "127.0.0.1:99999: a port is a number from 1 to 65535"},
        {"k:4294967297", "a port is a number from 1 to 65535"},
        {"k1:9092,k2:0", " k2:0: a port is"},
        {"k:", "k:: a port is"},
        {"k:x", "k:x: a port is"},
        {"k:9092 ", "a port is"},
        {"k:-1", "a port is"},
        {"http://127.0.0.1:1", "http://127.0.0.1:1 is no address of a broker: host:port is wanted, as in kafka-1:9092"},
        {"://k:1", "is no address"},
        {"PLAINTEXT://", "is no address"},
        {"PLAINTEXT://k:1/x", "a port is"},
        {"PLAINTEXT://k/x", "is no address"},
        {"a b:1", "kafka.brokers: a b:1 is no address of a broker"},
        {"k1 k2", "is no address"},
        {"k1;k2", "is no address"},
        {":9", "kafka.brokers: :9 is no address of a broker"},
        {"::1", "is no address"},
        {"2001:db8::1", "an IPv6 address stands in brackets, as in [2001:db8::1]:9092"},
        {"[::1", "is no address"},
        {"[]:1", "is no address"},
        {"[::1]9092", "is no address"},
        {"k\xc3\xa9:1", "is no address"},
        {" , ", "no address"},
        {"ssl://k:1", "ssl://k:1 is for SSL, and security.protocol under kafka.properties is not"},
        {"u:secret@k:1", "sasl.username"},
        {"secret@k:1", "an address holds an '@': a login is sasl.username and sasl.password"},
        {"PLAINTEXT://u:secret@k:1", "sasl.username"},
        {"http://u:secret@k:1", "sasl.username"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_error error = {0};
        if (vf_kafka_brokers_check(cases[i][0], NULL, 0, &error) != VF_E_CONFIG)
            fail_msg("%s is taken", cases[i][0]);
        if (!strstr(error.text, cases[i][1]) || strstr(error.text, "secret"))
            fail_msg("%s: not \"%s\": %s", cases[i][0], cases[i][1], error.text);
    }
}

static void an_addresss_protocol_is_that_of_the_properties(void **state)
{
    (void)state;
    struct vf_source_property properties[] = {{"client.rack", "x"}, {"security.protocol", "SASL_ssl"}};
    struct vf_error error = {0};
    assert_int_equal(vf_kafka_brokers_check("sasl_ssl://k:1,k:2", properties, 2, &error), VF_OK);
    assert_int_equal(vf_kafka_brokers_check("k:2,PLAINTEXT://k:1", properties, 2, &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "PLAINTEXT://k:1 is for PLAINTEXT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_viewfold_owns_is_refused_with_the_reason),
        cmocka_unit_test(what_is_the_users_passes),
        cmocka_unit_test(an_unknown_name_is_refused_by_name),
        cmocka_unit_test(a_wrong_value_is_refused_with_librdkafkas_reason),
        cmocka_unit_test(a_wrong_property_stops_opening),
        cmocka_unit_test(addresses_as_librdkafka_reads_them_pass),
        cmocka_unit_test(what_is_no_address_is_refused_with_what_is_wanted),
        cmocka_unit_test(an_addresss_protocol_is_that_of_the_properties),
    };
    return cmocka_run_group_tests_name("kafka properties", tests, NULL, NULL);
}
