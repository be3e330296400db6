/* viewfold.yaml: defaults, everything refused with its place, and no secret in a message. */
#include "cli/config_keys.h"
#include "cli/config_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *refuse_group_id(const char *name)
{
    return strcmp(name, "group.id") == 0 ? "viewfold makes its consumer groups from kafka.group" : NULL;
}

/* A librdkafka that knows one property by heart, and quotes what it refuses. */
static enum vf_code check_numbers(const char *name, const char *value, struct vf_error *error)
{
    if (strncmp(name, "sesion.", 7) == 0) {
        return vf_fail(error, VF_E_CONFIG, "kafka.properties: there is no property %s", name);
    }
    bool wrong = strcmp(name, "session.timeout.ms") == 0 && strspn(value, "0123456789") != strlen(value);
    return wrong ? vf_fail(error, VF_E_CONFIG, "kafka.properties: %s: \"%s\" is no number", name, value) : VF_OK;
}

/* A source that takes no blanks, with one property no "!", and quotes what it refuses. */
static enum vf_code check_letters(const char *brokers, const struct vf_source_property *properties, size_t count,
                                  struct vf_error *error)
{
    bool upper = count > 0 && strcmp(properties[0].name, "security.protocol") == 0 && strchr(brokers, '!');
    return strchr(brokers, ' ') || upper ? vf_fail(error, VF_E_CONFIG, "kafka.brokers: %s is no address", brokers)
                                         : VF_OK;
}

/* A connector that cannot take one host. */
static enum vf_code check_url(const char *name, const char *url, struct vf_error *error)
{
    return strstr(url, "wrong.host") ? vf_fail(error, VF_E_CONFIG, "store %s: this host is wrong", name) : VF_OK;
}

static const struct vf_store_type redis_type = {.name = "redis", .check_url = check_url};
static const struct vf_store_type mongodb_type = {.name = "mongodb"};
static const struct vf_store_type *const types[] = {&mongodb_type, &redis_type, NULL};
static const struct vf_config_rules rules = {.property_refusal = refuse_group_id,
                                             .property_check = check_numbers,
                                             .brokers_check = check_letters,
                                             .stores = types};

/* The configuration that the text makes; NULL with what was found in *findings_text, which the caller frees. */
static struct vf_config *read_text(const char *text, char **findings_text)
{
    struct vf_findings *findings = vf_findings_new("/etc/vf/viewfold.yaml");
    struct vf_config *config = NULL;
    struct vf_error error;
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_add_text(&out, "");
    enum vf_code code =
        vf_config_read_text("/etc/vf/viewfold.yaml", vf_bytes_from(text), &rules, findings, &config, &error);
    vf_findings_print(findings, VF_FINDINGS_SHOWN_MAX, false, &out);
    assert_int_equal(code, vf_findings_count(findings) > 0 ? VF_E_CONFIG : VF_OK);
    assert_true((config == NULL) == (code != VF_OK));
    vf_findings_free(findings);
    *findings_text = vf_strdup(out.data ? out.data : "");
    vf_buffer_done(&out);
    return config;
}

static struct vf_config *read_good(const char *text)
{
    char *findings = NULL;
    struct vf_config *config = read_text(text, &findings);
    assert_string_equal(findings, "");
    free(findings);
    return config;
}

/* Exactly these findings, a line each. */
static void expect_findings(const char *text, const char *wanted)
{
    char *findings = NULL;
    struct vf_config *config = read_text(text, &findings);
    assert_null(config);
    if (strcmp(findings, wanted) != 0) { /* cmocka cuts long texts */
        fprintf(stderr, "found:\n%swanted:\n%s", findings, wanted);
        fail();
    }
    free(findings);
}

#define LEAST                                           \
    "kafka: {brokers: [\"k1:9092\", \"k2:9092\"]}\n"    \
    "stores: {cache: {redis: \"redis://r1:6379/0\"}}\n" \
    "projections: [{script: projections/orders.lua}]\n"

static void brokers_one_store_and_one_script_are_enough(void **state)
{
    (void)state;
    struct vf_config *config = read_good(LEAST);
    assert_string_equal(config->kafka.brokers, "k1:9092,k2:9092");
    assert_string_equal(config->kafka.group, "viewfold");
    assert_null(config->kafka.instance);
    assert_int_equal(config->kafka.property_count, 0);
    assert_int_equal(config->store_count, 1);
    assert_string_equal(config->stores[0].name, "cache");
    assert_string_equal(config->stores[0].type, "redis");
    assert_string_equal(config->stores[0].url, "redis://r1:6379/0");
    assert_string_equal(config->stores[0].address, "r1:6379/0");
    assert_string_equal(config->stores[0].prefix, "");
    assert_null(config->stores[0].username);
    assert_null(config->stores[0].password);
    assert_false(config->stores[0].emptied_stop);
    assert_int_equal(config->projection_count, 1);
    const struct vf_projection_entry *projection = &config->projections[0];
    assert_string_equal(projection->script, "/etc/vf/projections/orders.lua");
    assert_string_equal(projection->script_folder, "/etc/vf/projections");
    assert_string_equal(projection->script_name, "orders.lua");
    assert_int_equal(projection->store_count, 1);
    assert_ptr_equal(projection->stores[0].store, &config->stores[0]);
    assert_null(projection->stores[0].view_name);
    assert_int_equal(projection->workers, 1);
    assert_int_equal(projection->errors.retries, 3);
    assert_int_equal(projection->errors.backoff_ms, 100);
    assert_int_equal(projection->errors.then, VF_THEN_PARK);
    vf_config_free(config);
}

static void defaults_are_those_of_CONFIG_md(void **state)
{
    (void)state;
    struct vf_config *config = read_good(LEAST);
    assert_int_equal(config->batch.events_max, 1000);
    assert_int_equal(config->batch.bytes_max, 4 << 20);
    assert_int_equal(config->batch.written_bytes_max, 4 << 20);
    assert_int_equal(config->batch.wait_ms, 5);
    assert_int_equal(config->cache_bytes, 64 << 20);
    assert_int_equal(config->limits.document_bytes_max, 8 << 20);
    assert_int_equal(config->limits.lua_memory_bytes, 64 << 20);
    assert_int_equal(config->limits.lua_instructions_max, 10000000);
    assert_int_equal(config->limits.handler_ms_max, 2000);
    assert_int_equal(config->drain_ms, 20000);
    assert_int_equal(config->log_level, VF_LOG_INFO);
    assert_int_equal(config->log_format, VF_LOG_LOGFMT);
    vf_config_free(config);
}

static void a_topic_that_is_not_named_is_its_own_with_the_default_envelope(void **state)
{
    (void)state;
    struct vf_config *config = read_good(LEAST);
    struct vf_topic_entry topic = vf_config_topic(config, "orders");
    assert_string_equal(topic.topic, "orders");
    assert_null(topic.envelope.kind);
    assert_int_equal(topic.envelope.numbers, VF_NUMBERS_SEQUENCE);
    assert_int_equal(topic.envelope.first, 1);
    assert_false(topic.envelope.history_partial);
    vf_config_free(config);
}

static void every_value_is_read(void **state)
{
    (void)state;
    struct vf_config *config =
        read_good("kafka:\n"
                  "  brokers: k1:9093\n"
                  "  group: shop\n"
                  "  instance: host-7\n"
                  "  properties: {security.protocol: SASL_SSL, fetch.min.bytes: 10}\n"
                  "stores:\n"
                  "  cache: {redis: \"rediss://u:p@r:6380/0\", username: vf, password: 's3', "
                  "prefix: \"shop:\", emptied: stop}\n"
                  "  docs: {mongodb: \"mongodb://m1,m2/shop?replicaSet=rs0\"}\n"
                  "topics:\n"
                  "  orders: {topic: shop.orders.v1, kind: order, history: partial,\n"
                  "    override: {version: {numbers: sequence, first: 0, gaps: park}}}\n"
                  "  clicks: {override: {version: {numbers: offset}}}\n"
                  "projections:\n"
                  "  - script: /opt/a.lua\n"
                  "    stores: [cache, docs]\n"
                  "    workers: 2\n"
                  "    names: {docs: bank_portal}\n"
                  "    errors: {retries: 5, then: stop}\n"
                  "  - {script: b.lua, stores: docs}\n"
                  "defaults:\n"
                  "  workers: 3\n"
                  "  errors: {retries: 7, backoff: 2s, then: park}\n"
                  "  batch: {events: 10, bytes: 64KiB, written: 1MiB, wait: 0ms}\n"
                  "  cache: 1GiB\n"
                  "  limits: {document: 1MiB, lua_memory: 2MiB, lua_instructions: 5000, handler: 1m}\n"
                  "  drain: 1h\n"
                  "  forget: never\n"
                  "log: {level: debug, format: json}\n");
    assert_string_equal(config->kafka.brokers, "k1:9093");
    assert_string_equal(config->kafka.group, "shop");
    assert_string_equal(config->kafka.instance, "host-7");
    assert_int_equal(config->kafka.property_count, 2);
    assert_string_equal(config->kafka.properties[1].name, "fetch.min.bytes");
    assert_string_equal(config->kafka.properties[1].value, "10");
    assert_string_equal(config->stores[0].username, "vf");
    assert_string_equal(config->stores[0].password, "s3");
    assert_string_equal(config->stores[0].prefix, "shop:");
    assert_string_equal(config->stores[0].address, "r:6380/0");
    assert_true(config->stores[0].emptied_stop);
    assert_string_equal(config->stores[1].type, "mongodb");
    assert_string_equal(config->stores[1].address, "m1,m2/shop");
    struct vf_topic_entry orders = vf_config_topic(config, "orders");
    assert_string_equal(orders.topic, "shop.orders.v1");
    assert_string_equal(orders.envelope.kind, "order");
    assert_int_equal(orders.envelope.first, 0);
    assert_true(orders.envelope.history_partial);
    struct vf_topic_entry clicks = vf_config_topic(config, "clicks");
    assert_string_equal(clicks.topic, "clicks");
    assert_int_equal(clicks.envelope.numbers, VF_NUMBERS_OFFSET);
    assert_string_equal(config->projections[0].script_folder, "/opt");
    assert_int_equal(config->projections[0].store_count, 2);
    assert_null(config->projections[0].stores[0].view_name);
    assert_string_equal(config->projections[0].stores[1].view_name, "bank_portal");
    assert_int_equal(config->projections[0].workers, 2);
    assert_int_equal(config->projections[0].errors.retries, 5);
    assert_int_equal(config->projections[0].errors.backoff_ms, 2000);
    assert_int_equal(config->projections[0].errors.then, VF_THEN_STOP);
    assert_int_equal(config->projections[1].store_count, 1);
    assert_ptr_equal(config->projections[1].stores[0].store, &config->stores[1]);
    assert_int_equal(config->projections[1].workers, 3);
    assert_int_equal(config->projections[1].errors.retries, 7);
    assert_int_equal(config->batch.events_max, 10);
    assert_int_equal(config->batch.bytes_max, 65536);
    assert_int_equal(config->batch.wait_ms, 0);
    assert_int_equal(config->cache_bytes, 1LL << 30);
    assert_int_equal(config->limits.handler_ms_max, 60000);
    assert_int_equal(config->drain_ms, 3600000);
    assert_int_equal(config->log_level, VF_LOG_DEBUG);
    assert_int_equal(config->log_format, VF_LOG_JSON);
    vf_config_free(config);
}

struct refusal {
    const char *added;  /* below LEAST, so its first line is the fourth */
    const char *wanted; /* the finding, without the file */
};

static const struct refusal refusals[] = {
    /* decided, not built yet: by name, with the place */
    {"admin: {listen: \"127.0.0.1:9180\"}\n", "4:1: admin is not built yet"},
    {"serve: {listen: \"0.0.0.0:8480\"}\n", "4:1: serve is not built yet"},

    /* unknown */
    {"defualts: {cache: 1MiB}\n", "4:1: unknown key defualts; did you mean defaults?"},
    {"defaults: {batch: {event: 3}}\n", "4:20: unknown key event in defaults.batch; did you mean events?"},
    {"topics: {o: {knd: order}}\n", "4:14: unknown key knd in topics.o; did you mean kind?"},
    {"nothing_like_it: 1\n", "4:1: unknown key nothing_like_it"},
    {"log: {\"*\": 1}\n", "4:7: unknown key * in log"},

    /* values */
    {"defaults: {drain: 20}\n",
     "4:19: defaults.drain: 20 is no duration: a whole number with its unit, as in 5ms, 20s, 10m, 2h, 30d"},
    {"defaults: {forget: 0s}\n", "4:20: defaults.forget: 0s is out of range: 1ms to 36500d"},
    {"defaults: {forget: ever}\n",
     "4:20: defaults.forget: ever is no duration: a whole number with its unit, as in 5ms, 20s, 10m, 2h, 30d"},
    {"defaults: {drain: 1.5s}\n",
     "4:19: defaults.drain: 1.5s is no duration: a whole number with its unit, as in 5ms, 20s, 10m, 2h, 30d"},
    {"defaults: {cache: 64MB}\n",
     "4:19: defaults.cache: 64MB is no size: a whole number with its unit, as in 512B, 64KiB, 4MiB, 1GiB"},
    {"defaults: {cache: 1048576}\n",
     "4:19: defaults.cache: 1048576 is no size: a whole number with its unit, as in 512B, 64KiB, 4MiB, 1GiB"},
    {"defaults: {cache: 1B}\n", "4:19: defaults.cache: 1B is out of range: 1MiB to 64GiB"},
    {"defaults: {cache: 99999999999999999999GiB}\n",
     "4:19: defaults.cache: 99999999999999999999GiB is no size: a whole number with its unit, as in 512B, 64KiB, 4MiB, 1GiB"},
    {"defaults: {drain: 25h}\n", "4:19: defaults.drain: 25h is out of range: 0ms to 1d"},
    {"defaults: {workers: 0}\n", "4:21: defaults.workers: 0 is out of range: 1 to 256"},
    {"defaults: {workers: \"${env:VF_TEST_WORD}\"}\n",
     "4:21: defaults.workers: ${env:VF_TEST_WORD} is no whole number"},
    {"defaults: {workers: \"${env:VF_TEST_LARGE}\"}\n",
     "4:21: defaults.workers: ${env:VF_TEST_LARGE} is out of range: 1 to 256"},
    {"defaults: {workers: two}\n", "4:21: defaults.workers: two is no whole number"},
    {"defaults: {workers: -1}\n", "4:21: defaults.workers: -1 is out of range: 1 to 256"},
    {"defaults: {errors: {then: prak}}\n",
     "4:27: defaults.errors.then: prak is none of: park, stop; did you mean park?"},
    {"defaults: {errors: {then: [park]}}\n", "4:27: defaults.errors.then: one value is wanted, not a list"},
    {"defaults: {errors: {then: }}\n", "4:27: defaults.errors.then is empty"},
    {"defaults: [1]\n", "4:11: defaults: a map is wanted: for all projections"},
    {"log: {level: loud}\n", "4:14: log.level: loud is none of: debug, info, warn, error"},
    {"topics: {o: {kind: a/b}}\n", "4:20: topics.o.kind: a kind has no '/' and at most 1024 bytes"},
    {"topics: {o: {topic: \"a b\"}}\n",
     "4:21: topics.o: a Kafka topic's name is made of up to 249 letters, digits, '.', _ and -"},

    /* YAML that is not taken */
    {"log: &x {level: info}\n", "4:6: YAML anchors are not taken in this file"},
    {"log: *x\n", "4:6: YAML aliases are not taken in this file"},
    {"log: {<<: 1}\n", "4:7: YAML merge keys are not taken in this file"},
    {"log: !!map {level: info}\n", "4:6: YAML tags are not taken in this file"},
    {"log: {\"\": info}\n", "4:7: a key is empty"},
    {"log: {level: info, level: warn}\n", "4:20: the key level stands here twice, first in line 4"},
    {"log: {level: info}\n---\nlog: {}\n", "5:1: one YAML document is taken, a second begins here"},
    {"log: {\"${env:HOME}\": 1}\n", "4:7: ${...} is taken in values only, not in keys"},
    {"log:\n\tlevel: info\n", "5:1: a tab stands here: YAML is indented with spaces"},
    {"log: {level: \"a\xc3\"}\n", "4:16: the byte 0xc3 is no UTF-8, which this file has to be"},
    {"# \xc3\xa9\n\xff\n", "5:1: the byte 0xff is no UTF-8, which this file has to be"},
    {"log: {level: info\n", "5:1: this is not YAML: did not find expected ',' or '}', while parsing a flow mapping"},
    {"log: [\"${env:VF_TEST_UNSET}\", 1]\n",
     "4:6: log: a map is wanted: the level and the format of what is logged to stderr\n"
     "/etc/vf/viewfold.yaml:4:7: the environment variable VF_TEST_UNSET is not set"},
};

static void each_refusal_says_what_and_where(void **state)
{
    (void)state;
    setenv("VF_TEST_WORD", "two", 1);
    setenv("VF_TEST_LARGE", "300", 1);
    unsetenv("VF_TEST_UNSET");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char text[2048];
        char wanted[2048];
        snprintf(text, sizeof text, "%s%s", LEAST, refusals[i].added);
        snprintf(wanted, sizeof wanted, "/etc/vf/viewfold.yaml:%s\n", refusals[i].wanted);
        expect_findings(text, wanted);
    }
}

/* A file that holds nothing but this key, in block form, and where the key stands in it. `shown` is its path there. */
static void write_key_file(const char *path, const char *value, char *text, size_t room, char *shown, int *ret_line,
                           int *ret_column)
{
    char parts[256];
    char *rest = NULL;
    int depth = 0;
    snprintf(parts, sizeof parts, "%s", path);
    text[0] = shown[0] = 0;
    for (char *part = strtok_r(parts, ".", &rest); part; part = strtok_r(NULL, ".", &rest), depth++) {
        size_t used = strlen(text);
        size_t shown_used = strlen(shown);
        bool item = strcmp(part, "[]") == 0;
        const char *name = strcmp(part, "*") == 0 ? "mine" : part;
        *ret_line = depth + 1;
        *ret_column = 2 * depth + 1;
        snprintf(text + used, room - used, "%s%*s%s%s", depth > 0 ? "\n" : "", 2 * depth, "", item ? "-" : name,
                 item ? "" : ":");
        snprintf(shown + shown_used, 256 - shown_used, "%s%s", shown_used && !item ? "." : "", item ? "[0]" : name);
    }
    size_t used = strlen(text);
    snprintf(text + used, room - used, " %s\n", value);
}

static void expect_among_findings(const char *text, const char *wanted)
{
    char *findings = NULL;
    struct vf_config *config = read_text(text, &findings);
    assert_null(config);
    if (!strstr(findings, wanted)) {
        fprintf(stderr, "of:\n%sfound:\n%swanted:\n%s", text, findings, wanted);
        fail();
    }
    free(findings);
}

/* Each key of the table that is not built yet, and each value: refused by name, at the place where it stands. */
static void each_key_that_is_not_built_yet_is_refused_by_name_and_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < vf_key_count; i++) {
        const struct vf_key *key = &vf_keys[i];
        char text[1024];
        char shown[256];
        char wanted[512];
        int line = 0;
        int column = 0;
        if (key->type == VF_KEY_UNBUILT) {
            static const char *const values[] = {"x", "{x: 1}", "[1]", "", "\"${env:VF_TEST_UNSET}\""};
            for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
                write_key_file(key->path, values[j], text, sizeof text, shown, &line, &column);
                snprintf(wanted, sizeof wanted, "/etc/vf/viewfold.yaml:%d:%d: %s is not built yet%s%s\n", line, column,
                         shown, key->help ? ": " : "", key->help ? key->help : "");
                expect_among_findings(text, wanted);
            }
        }
        const char *choice = key->type == VF_KEY_CHOICE ? strchr(key->choices, '!') : NULL;
        for (; choice; choice = strchr(choice + 1, '!')) {
            char value[64];
            snprintf(value, sizeof value, "%.*s", (int)strcspn(choice + 1, "|"), choice + 1);
            write_key_file(key->path, value, text, sizeof text, shown, &line, &column);
            const char *last = strrchr(key->path, '.') + 1;
            snprintf(wanted, sizeof wanted, "/etc/vf/viewfold.yaml:%d:%d: %s: %s is not built yet\n", line,
                     column + (int)strlen(last) + 2, shown, value);
            expect_among_findings(text, wanted);
        }
    }
}

/* Each built key with a value of the wrong kind: one clear finding, at the value. */
static void each_key_refuses_a_value_of_the_wrong_kind(void **state)
{
    (void)state;
    for (size_t i = 1; i < vf_key_count; i++) {
        const struct vf_key *key = &vf_keys[i];
        bool one = key->type == VF_KEY_TEXT || key->type == VF_KEY_INT || key->type == VF_KEY_DURATION ||
                   key->type == VF_KEY_SIZE || key->type == VF_KEY_CHOICE;
        char text[1024];
        char shown[256];
        char wanted[512];
        int line = 0;
        int column = 0;
        if (key->type == VF_KEY_UNBUILT || strcmp(key->path + strlen(key->path) - 2, "[]") == 0) {
            continue;
        }
        write_key_file(key->path, one ? "{x: 1}" : "x", text, sizeof text, shown, &line, &column);
        const char *last = strrchr(key->path, '.') ? strrchr(key->path, '.') + 1 : key->path;
        column += (int)strlen(strcmp(last, "*") == 0 ? "mine" : last) + 2;
        if (key->type == VF_KEY_TEXTS) {
            continue; /* takes one text for a list of one */
        }
        snprintf(wanted, sizeof wanted, "/etc/vf/viewfold.yaml:%d:%d: %s: %s wanted", line, column, shown,
                 one                        ? "one value is"
                 : key->type == VF_KEY_LIST ? "a list is"
                                            : "a map is");
        expect_among_findings(text, wanted);
    }
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    expect_findings("log: {level: info}\n",
                    "/etc/vf/viewfold.yaml:1:1: kafka is missing: where events come from\n"
                    "/etc/vf/viewfold.yaml:1:1: stores is missing: where views live\n"
                    "/etc/vf/viewfold.yaml:1:1: projections is missing: what runs, and into which stores\n");
    expect_findings("", "/etc/vf/viewfold.yaml: the file is empty\n");
    expect_findings("kafka: {}\nstores: {}\nprojections: []\n",
                    "/etc/vf/viewfold.yaml:1:8: kafka.brokers is missing: brokers to ask first, host:port\n"
                    "/etc/vf/viewfold.yaml:2:9: stores is empty: where views live\n"
                    "/etc/vf/viewfold.yaml:3:14: projections is empty: what runs, and into which stores\n");
}

static void stores_are_checked(void **state)
{
    (void)state;
    expect_findings(
        "kafka: {brokers: [k]}\n"
        "stores:\n"
        "  none: {prefix: \"x\"}\n"
        "  both: {redis: \"redis://r/0\", mongodb: \"mongodb://m/d\"}\n"
        "  http: {redis: \"http://secret@r\"}\n"
        "  nodb: {mongodb: \"mongodb://u:secret@m1,m2/?tls=true\"}\n"
        "  wrong: {mongodb: \"redis://r\"}\n"
        "  pre: {mongodb: \"mongodb://m/d\", prefix: \"x\"}\n"
        "  a.b: {redis: \"redis://r/0\"}\n"
        "projections:\n"
        "  - {script: a.lua, stores: [boht, pre, pre]}\n"
        "  - {script: b.lua}\n"
        "  - {script: c.lua, stores: [pre], names: {both: x, pre: Big}}\n"
        "  - {stores: [pre], names: {pre: viewfold}}\n",
        "/etc/vf/viewfold.yaml:3:3: stores.none: one of redis and mongodb is wanted, with its URL\n"
        "/etc/vf/viewfold.yaml:4:32: stores.both: one of redis and mongodb is wanted, not both\n"
        "/etc/vf/viewfold.yaml:5:17: stores.http.redis: a URL redis://host:port/database is wanted\n"
        "/etc/vf/viewfold.yaml:6:19: stores.nodb.mongodb: the URL names no database: "
        "mongodb://hosts/DATABASE?...\n"
        "/etc/vf/viewfold.yaml:7:20: stores.wrong.mongodb: a URL mongodb://hosts/database is wanted\n"
        "/etc/vf/viewfold.yaml:8:35: stores.pre.prefix is for redis: a MongoDB store is told apart by its "
        "database\n"
        "/etc/vf/viewfold.yaml:9:3: stores.a.b: a store's name is made of letters, digits, _ and -\n"
        "/etc/vf/viewfold.yaml:11:30: there is no store boht under stores; did you mean both?\n"
        "/etc/vf/viewfold.yaml:11:41: the store pre stands here twice\n"
        "/etc/vf/viewfold.yaml:12:5: stores is missing: which of none, both, ... does this projection write "
        "to?\n"
        "/etc/vf/viewfold.yaml:13:44: names: both is none of this projection's stores\n"
        "/etc/vf/viewfold.yaml:13:58: names.pre: a view's name is [a-z][a-z0-9_]*, and viewfold is taken\n"
        "/etc/vf/viewfold.yaml:14:5: projections[3].script is missing: its Lua file, from this file's folder\n"
        "/etc/vf/viewfold.yaml:14:34: names.pre: a view's name is [a-z][a-z0-9_]*, and viewfold is taken\n");
}

/* What the connectors know of their own keys is asked while the file is read, so its place is known. */
static void addresses_that_a_connector_refuses_have_a_place(void **state)
{
    (void)state;
    setenv("VF_TEST_BROKERS", "hunter2 secret", 1);
    expect_findings("kafka: {brokers: [k, \"a b\", \"${env:VF_TEST_BROKERS}\", \"u:hunter2@${env:VF_TEST_BROKERS}\"]}\n"
                    "stores:\n"
                    "  c: {redis: \"redis://u:secret@wrong.host\"}\n"
                    "  d: {redis: \"http://wrong.host\"}\n"
                    "  e: {mongodb: \"mongodb://wrong.host/d\"}\n"
                    "projections: [{script: a.lua, stores: [c]}]\n",
                    "/etc/vf/viewfold.yaml:1:22: kafka.brokers: a b is no address\n"
                    "/etc/vf/viewfold.yaml:1:29: kafka.brokers: ${env:VF_TEST_BROKERS} stands for no list of brokers: "
                    "host:port is wanted, with commas between several\n"
                    "/etc/vf/viewfold.yaml:1:55: kafka.brokers: ${...} stands for no list of brokers: "
                    "host:port is wanted, with commas between several\n"
                    "/etc/vf/viewfold.yaml:3:14: store c: this host is wrong\n"
                    "/etc/vf/viewfold.yaml:4:14: stores.d.redis: a URL redis://host:port/database is wanted\n");
    expect_findings("kafka: {brokers: \"k!\", properties: {security.protocol: ssl}}\n"
                    "stores: {c: {redis: \"redis://r/0\"}}\n"
                    "projections: [{script: a.lua}]\n",
                    "/etc/vf/viewfold.yaml:1:18: kafka.brokers: k! is no address\n");
}

static void a_property_that_viewfold_owns_is_refused_with_the_reason(void **state)
{
    (void)state;
    expect_findings(
        "kafka:\n  brokers: k\n  properties:\n    group.id: secret\n    client.id: me\n"
        "stores: {c: {redis: \"redis://r/0\"}}\nprojections: [{script: a.lua}]\n",
        "/etc/vf/viewfold.yaml:4:5: kafka.properties.group.id is not yours to set: viewfold makes its consumer "
        "groups from kafka.group\n");
}

static void a_property_that_librdkafka_refuses_has_its_place(void **state)
{
    (void)state;
    setenv("VF_TEST_SECRET", "hunter2-secret", 1);
    expect_findings(
        "kafka:\n  brokers: k\n  properties:\n    sesion.timeout.ms: 1\n    session.timeout.ms: soon\n    client.id: x\n"
        "stores: {c: {redis: \"redis://r/0\", emptied: perhaps}}\nprojections: [{script: a.lua}]\n",
        "/etc/vf/viewfold.yaml:4:5: kafka.properties: there is no property sesion.timeout.ms\n"
        "/etc/vf/viewfold.yaml:5:5: kafka.properties: session.timeout.ms: \"soon\" is no number\n"
        "/etc/vf/viewfold.yaml:7:45: stores.c.emptied: perhaps is none of: rebuild, stop\n");
    expect_findings("kafka: {brokers: k, properties: {session.timeout.ms: \"${env:VF_TEST_SECRET}\"}}\n"
                    "stores: {c: {redis: \"redis://r/0\"}}\nprojections: [{script: a.lua}]\n",
                    "/etc/vf/viewfold.yaml:1:34: kafka.properties: session.timeout.ms: \"${env:VF_TEST_SECRET}\" is no "
                    "number\n");
}

static void twenty_findings_are_shown_and_the_rest_counted(void **state)
{
    (void)state;
    struct vf_buffer text;
    char *findings = NULL;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, LEAST);
    for (int i = 0; i < 25; i++) {
        vf_buffer_printf(&text, "unknown_%c: 1\n", 'a' + i);
    }
    assert_null(read_text(text.data, &findings));
    size_t lines = 0;
    for (const char *at = findings; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, 21);
    assert_non_null(strstr(findings, "viewfold.yaml: and 5 more\n"));
    free(findings);
    vf_buffer_done(&text);
}

/* --- ${env:NAME} and ${file:PATH} --------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void values_from_outside_are_put_into_scalars_only(void **state)
{
    (void)state;
    char folder[] = "/tmp/vf_cli_config_XXXXXX";
    char path[256];
    char text[2048];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/secret", folder);
    write_file(path, "pa: [ss] ${env:HOME}\r\n");
    setenv("VF_TEST_GROUP", "shop: {x", 1);
    setenv("VF_TEST_EMPTY", "", 1);
    snprintf(text, sizeof text,
             "kafka:\n  brokers: k\n  group: ${env:VF_TEST_GROUP}-${env:VF_TEST_GROUP}\n"
             "stores:\n  c:\n    redis: redis://r/0\n    password: ${file:%s}\n    prefix: \"${env:VF_TEST_EMPTY}\"\n"
             "projections: [{script: a.lua}]\n",
             path);
    struct vf_config *config = read_good(text);
    assert_string_equal(config->kafka.group, "shop: {x-shop: {x");
    assert_string_equal(config->stores[0].password, "pa: [ss] ${env:HOME}");
    assert_string_equal(config->stores[0].prefix, "");
    vf_config_free(config);
    unlink(path);
    rmdir(folder);
}

static void numbers_and_items_of_lists_may_come_from_outside(void **state)
{
    (void)state;
    setenv("VF_TEST_NUMBER", "7", 1);
    setenv("VF_TEST_SIZE", "2MiB", 1);
    setenv("VF_TEST_BROKER", "k7:9092", 1);
    struct vf_config *config =
        read_good("kafka: {brokers: [\"${env:VF_TEST_BROKER}\", \"x${env:VF_TEST_NUMBER}\"]}\n"
                  "stores: {c: {redis: \"redis://r/0\"}}\n"
                  "projections: [{script: a.lua, stores: [\"c\"]}]\n"
                  "defaults: {workers: \"${env:VF_TEST_NUMBER}\", cache: \"${env:VF_TEST_SIZE}\"}\n");
    assert_string_equal(config->kafka.brokers, "k7:9092,x7");
    assert_int_equal(config->projections[0].workers, 7);
    assert_int_equal(config->cache_bytes, 2 << 20);
    vf_config_free(config);
}

static void a_mark_at_the_beginning_and_carriage_returns_do_no_harm(void **state)
{
    (void)state;
    struct vf_config *config = read_good("\xef\xbb\xbfkafka:\r\n  brokers: k\r\n  group: g\r\n"
                                         "stores: {c: {redis: \"redis://r/0\"}}\r\nprojections: [{script: a.lua}]\r\n");
    assert_string_equal(config->kafka.group, "g");
    vf_config_free(config);
}

static void a_value_from_outside_that_is_missing_is_named_with_its_place(void **state)
{
    (void)state;
    unsetenv("VF_TEST_UNSET");
    expect_findings("kafka:\n  brokers: k\n  group: ${env:VF_TEST_UNSET}\n  instance: ${secret:x}\n"
                    "stores:\n  c:\n    redis: redis://r/0\n    password: ${file:no/such}\n    username: ${env:X\n"
                    "projections: [{script: a.lua}]\n",
                    "/etc/vf/viewfold.yaml:3:10: the environment variable VF_TEST_UNSET is not set\n"
                    "/etc/vf/viewfold.yaml:4:13: ${...} takes ${env:NAME} or ${file:PATH}, not ${secret:x}\n"
                    "/etc/vf/viewfold.yaml:8:15: cannot read /etc/vf/no/such: No such file or directory\n"
                    "/etc/vf/viewfold.yaml:9:15: ${ without its }\n");
}

static void a_message_shows_what_stands_in_the_file_never_a_secret(void **state)
{
    (void)state;
    char *findings = NULL;
    setenv("VF_TEST_SECRET", "hunter2-secret", 1);
    setenv("VF_TEST_EMPTY", "", 1);
    const char *text =
        "kafka: {brokers: [k], properties: {group.id: \"${env:VF_TEST_SECRET}\"}}\n"
        "stores:\n"
        "  a: {redis: \"${env:VF_TEST_SECRET}\", emptied: \"${env:VF_TEST_SECRET}\"}\n"
        "  b: {mongodb: \"mongodb://u:hunter2-secret@h?x\"}\n"
        "  c: {redis: \"redis://r/0\", password: \"${env:VF_TEST_EMPTY}\"}\n"
        "projections: [{script: a.lua, stores: [\"${env:VF_TEST_SECRET}\"], names: {a: \"${env:VF_TEST_SECRET}\"}}]\n"
        "topics: {o: {topic: \"${env:VF_TEST_SECRET} x\", kind: \"${env:VF_TEST_SECRET}/\"}}\n"
        "defaults: {workers: \"${env:VF_TEST_SECRET}\", drain: \"${env:VF_TEST_SECRET}\","
        " cache: \"${env:VF_TEST_SECRET}\"}\n";
    assert_null(read_text(text, &findings));
    assert_null(strstr(findings, "hunter2"));
    assert_non_null(strstr(findings, "defaults.workers: ${env:VF_TEST_SECRET} is no whole number\n"));
    assert_non_null(strstr(findings, "stores.a.emptied: ${env:VF_TEST_SECRET} is none of: rebuild, stop\n"));
    assert_non_null(strstr(findings, "5:39: stores.c.password is empty: ${env:VF_TEST_EMPTY}\n"));
    free(findings);
}

static void an_address_never_holds_a_login(void **state)
{
    (void)state;
    static const char *const urls[][2] = {
        {"mongodb://u:p@h1:27017,h2/db?replicaSet=r", "h1:27017,h2/db"},
        {"mongodb://u:p@w@h/db", "h/db"},
        {"mongodb://u:p/w@h/db", "h/db"},
        {"mongodb://u:p?w@h/db", "..."},
        {"mongodb://h/db?x=a@b", "..."},
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "kafka: {brokers: k}\nstores: {c: {mongodb: \"%s\"}}\nprojections: [{script: a.lua}]\n", urls[i][0]);
        struct vf_config *config = read_good(text);
        assert_string_equal(config->stores[0].address, urls[i][1]);
        vf_config_free(config);
    }
}

/* --- what needs the scripts' words -------------------------------------------------------------------------------- */

static void two_names_for_one_topic_in_one_projection_are_refused(void **state)
{
    (void)state;
    const char *const twice[] = {"orders", "customers", "shop.orders"};
    const char *const apart[] = {"orders", "customers"};
    struct vf_error error;
    struct vf_config *config = read_good(LEAST "topics: {orders: {topic: shop.orders}}\n");
    assert_int_equal(vf_config_check_topics(config, "p", apart, 2, &error), VF_OK);
    assert_int_equal(vf_config_check_topics(config, "p", twice, 3, &error), VF_E_CONFIG);
    assert_string_equal(error.text,
                        "projection p reads the Kafka topic shop.orders under two names, "
                        "orders and shop.orders: progress and tokens go by the topic's own name, so name it once");
    vf_config_free(config);
}

static void every_default_in_the_table_is_a_value_of_its_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < vf_key_count; i++) {
        const struct vf_key *key = &vf_keys[i];
        struct vf_error error;
        int64_t number;
        assert_true(key->type == VF_KEY_UNBUILT || key->help);
        assert_ptr_equal(vf_key_find(key->path), key); /* no key stands twice */
        if (key->standard && key->type != VF_KEY_TEXT) {
            assert_int_equal(vf_key_read(key, key->standard, key->standard, &number, &error), VF_OK);
        }
    }
}

/* From "### TITLE" to the next heading; NULL: there is none. The caller frees it. */
static char *section_of(const char *page, const char *title)
{
    char heading[64];
    snprintf(heading, sizeof heading, "\n### %s\n", title);
    const char *begin = strstr(page, heading);
    const char *end = begin ? strstr(begin + 4, "\n#") : NULL;
    return begin ? vf_strndup(begin, end ? (size_t)(end - begin) : strlen(begin)) : NULL;
}

/* Whether the text has the path, or an end of it behind a dot, between backticks: `errors.retries` for defaults.errors.retries. */
static bool names_key(const char *text, const char *path)
{
    char named[256] = "";
    for (const char *at = path; *at; at++) { /* the page says NAME where the table says * */
        size_t used = strlen(named);
        snprintf(named + used, sizeof named - used, *at == '*' ? "NAME" : "%c", *at);
    }
    for (const char *part = named; part; part = strchr(part, '.') ? strchr(part, '.') + 1 : NULL) {
        char quoted[256];
        snprintf(quoted, sizeof quoted, "`%s`", part);
        if (text && strstr(text, quoted)) {
            return true;
        }
    }
    return false;
}

/* Whether the text names the key or a map that it is in: what is not built may be said at once of all of it. */
static bool names_parent(const char *text, const char *path)
{
    char parent[256];
    snprintf(parent, sizeof parent, "%s", path);
    for (char *dot; (dot = strrchr(parent, '.')) != NULL;) {
        *dot = 0;
        if (names_key(text, parent)) {
            return true;
        }
    }
    return names_key(text, path);
}

static void every_key_of_the_table_is_in_the_page(void **state)
{
    (void)state;
    FILE *file = fopen(VIEWFOLD_SOURCE_DIR "/docs/configuration.md", "r");
    assert_non_null(file);
    static char page[1 << 18];
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    char *unbuilt = section_of(page, "Not built yet");
    for (size_t i = 1; i < vf_key_count; i++) {
        const struct vf_key *key = &vf_keys[i];
        char top[64];
        snprintf(top, sizeof top, "%.*s", (int)strcspn(key->path, "."), key->path);
        char *section = section_of(page, top);
        bool parent = key->type == VF_KEY_MAP || key->type == VF_KEY_NAMES || key->type == VF_KEY_LIST;
        if (parent ? !section : !names_key(section, key->path) && !names_parent(unbuilt, key->path)) {
            fail_msg("docs/configuration.md does not have %s", key->path);
        }
        free(section);
    }
    free(unbuilt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brokers_one_store_and_one_script_are_enough),
        cmocka_unit_test(defaults_are_those_of_CONFIG_md),
        cmocka_unit_test(a_topic_that_is_not_named_is_its_own_with_the_default_envelope),
        cmocka_unit_test(every_value_is_read),
        cmocka_unit_test(each_refusal_says_what_and_where),
        cmocka_unit_test(each_key_that_is_not_built_yet_is_refused_by_name_and_place),
        cmocka_unit_test(each_key_refuses_a_value_of_the_wrong_kind),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(stores_are_checked),
        cmocka_unit_test(addresses_that_a_connector_refuses_have_a_place),
        cmocka_unit_test(a_property_that_viewfold_owns_is_refused_with_the_reason),
        cmocka_unit_test(a_property_that_librdkafka_refuses_has_its_place),
        cmocka_unit_test(twenty_findings_are_shown_and_the_rest_counted),
        cmocka_unit_test(values_from_outside_are_put_into_scalars_only),
        cmocka_unit_test(numbers_and_items_of_lists_may_come_from_outside),
        cmocka_unit_test(a_mark_at_the_beginning_and_carriage_returns_do_no_harm),
        cmocka_unit_test(a_value_from_outside_that_is_missing_is_named_with_its_place),
        cmocka_unit_test(a_message_shows_what_stands_in_the_file_never_a_secret),
        cmocka_unit_test(an_address_never_holds_a_login),
        cmocka_unit_test(two_names_for_one_topic_in_one_projection_are_refused),
        cmocka_unit_test(every_key_of_the_table_is_in_the_page),
        cmocka_unit_test(every_default_in_the_table_is_a_value_of_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
