/* Which of librdkafka's properties are the user's, and which are viewfold's own. */
#include "connectors/kafka/kafka_client.h"
#include "connectors/kafka/kafka_source.h"

#include <ctype.h>
#include <string.h>

/* What viewfold owns, and why. Aliases that librdkafka knows are listed too: either spelling would take effect. */
static const struct {
    const char *name;
    const char *reason;
} owned_properties[] = {
    {"bootstrap.servers", "it is kafka.brokers"},
    {"metadata.broker.list", "it is kafka.brokers"},
    {"group.id", "each generation has a consumer group of its own, named after kafka.group"},
    {"group.instance.id", "it is kafka.instance, made unique for each worker"},
    {"group.protocol.type", "viewfold's workers are consumers"},
    {"client.id", "it tells viewfold's workers apart on the broker"},
    {"enable.auto.commit", "the store keeps the progress; offsets are committed only after a batch has settled"},
    {"auto.commit.enable", "the store keeps the progress; offsets are committed only after a batch has settled"},
    {"auto.commit.interval.ms", "the store keeps the progress; offsets are committed only after a batch has settled"},
    {"enable.auto.offset.store", "the store keeps the progress; offsets are committed only after a batch has settled"},
    {"offset.store.method", "the store keeps the progress"},
    {"offset.store.path", "the store keeps the progress"},
    {"offset.store.sync.interval.ms", "the store keeps the progress"},
    {"auto.offset.reset", "a position that the log does not hold is reported, never jumped over"},
    {"enable.partition.eof", "the end of a partition is part of a view's progress"},
    {"isolation.level", "events of aborted transactions never happened: it is read_committed"},
    {"partition.assignment.strategy", "the cooperative assignor of librdkafka below 2.6.1 has bugs: it is range"},
    {"allow.auto.create.topics", "viewfold never creates topics"},
    {"queued.min.messages", "prefetching is limited in bytes, and is part of viewfold's memory budget"},
    {"queued.max.messages.kbytes", "it is part of viewfold's memory budget"},
    {"fetch.message.max.bytes", "it is part of viewfold's memory budget; a larger record is fetched all the same"},
    {"max.partition.fetch.bytes", "it is part of viewfold's memory budget; a larger record is fetched all the same"},
    {"fetch.max.bytes", "it is part of viewfold's memory budget; a larger record is fetched all the same"},
    {"message.max.bytes", "viewfold produces nothing"},
    {"log.queue", "viewfold keeps librdkafka's log lines for its own messages"},
    {"log_cb", "viewfold keeps librdkafka's log lines for its own messages"},
    {"error_cb", "viewfold handles it"},
    {"rebalance_cb", "viewfold handles it"},
    {"offset_commit_cb", "viewfold handles it"},
    {"consume_cb", "viewfold handles it"},
    {"enabled_events", "viewfold handles it"},
    {"opaque", "viewfold handles it"},
    {"default_topic_conf", "viewfold handles it"},
    {"interceptors", "viewfold handles it"},
};

const char *vf_kafka_property_refusal(const char *name)
{
    for (size_t i = 0; i < sizeof owned_properties / sizeof *owned_properties; i++)
        if (strcmp(owned_properties[i].name, name) == 0)
            return owned_properties[i].reason;
    return NULL;
}

static enum vf_code set(rd_kafka_conf_t *conf, const char *name, const char *value, struct vf_error *error)
{
    const char *reason = vf_kafka_property_refusal(name);
    if (reason)
        return vf_fail(error, VF_E_CONFIG, "kafka.properties: %s is viewfold's own: %s", name, reason);

    /* librdkafka quotes a value that it refuses; it refuses none that is a secret, since any text is a password. */
    char text[512];
    switch (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
    case RD_KAFKA_CONF_OK: return VF_OK;
    case RD_KAFKA_CONF_UNKNOWN:
        return vf_fail(error, VF_E_CONFIG, "kafka.properties: librdkafka %s has no property %s", rd_kafka_version_str(),
                       name);
    default: break;
    }
    size_t length = strlen(text); /* some of its reasons end with a line break */
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = 0;
    return vf_fail(error, VF_E_CONFIG, "kafka.properties: %s: %s", name, text);
}

enum vf_code vf_kafka_property_check(const char *name, const char *value, struct vf_error *error)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum vf_code code = set(conf, name, value, error);
    rd_kafka_conf_destroy(conf);
    return code;
}

const char *vf_kafka_library_version(void)
{
    return rd_kafka_version_str();
}

enum vf_code vf_kafka_conf_make(const struct vf_source_property *properties, size_t count, rd_kafka_conf_t **ret_conf,
                                struct vf_error *error)
{
    /* Ours, but the user may know better: a broker that does not answer should be noticed in seconds, an outage of brokers
     * should not be followed by another ten seconds of not trying, a partition that was just assigned should not wait half a
     * second behind a fetch that is under way, and partitions that were added should not be noticed after five minutes only:
     * until then nobody reads them, and a topic whose order they may have broken is read on. A member hears with its next
     * heartbeat that others come or go, and until then nobody has their partitions (bench/rolling.py). */
    static const struct vf_source_property defaults[] = {
        {"reconnect.backoff.max.ms", "2000"}, {"fetch.wait.max.ms", "100"},
        {"fetch.error.backoff.ms", "100"},    {"socket.timeout.ms", "10000"},
        {"heartbeat.interval.ms", "500"},     {"topic.metadata.refresh.interval.ms", "10000"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum vf_code code = VF_OK;
    for (size_t i = 0; code == VF_OK && i < sizeof defaults / sizeof *defaults; i++)
        code = vf_kafka_conf_own(conf, defaults[i].name, defaults[i].value, error);
    /* How soon a full queue is looked at again; before 2.2 see kafka_prefetch.h. */
    if (code == VF_OK && rd_kafka_version() >= 0x02020000)
        code = vf_kafka_conf_own(conf, "fetch.queue.backoff.ms", "10", error);
    for (size_t i = 0; code == VF_OK && i < count; i++)
        code = set(conf, properties[i].name, properties[i].value, error);
    if (code == VF_OK)
        *ret_conf = conf;
    else
        rd_kafka_conf_destroy(conf);
    return code;
}

enum vf_code vf_kafka_conf_own(rd_kafka_conf_t *conf, const char *name, const char *value, struct vf_error *error)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        return vf_fail(error, VF_E_BUG, "librdkafka %s does not take %s=%s: %s", rd_kafka_version_str(), name, value,
                       text);
    return VF_OK;
}
