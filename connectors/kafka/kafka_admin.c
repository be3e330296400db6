/* Questions about a Kafka cluster that need no group membership. */
#include "connectors/kafka/kafka_admin.h"

#include "connectors/kafka/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vf_kafka_admin {
    struct vf_kafka_client client;
};

static void serve(rd_kafka_t *rk)
{
    rd_kafka_poll(rk, 0);
}

enum vf_code vf_kafka_admin_open(const char *brokers, const struct vf_source_property *properties,
                                 size_t property_count, int64_t timeout_ms, struct vf_kafka_admin **ret_admin,
                                 struct vf_error *error)
{
    rd_kafka_conf_t *conf;
    enum vf_code code = vf_kafka_conf_make(properties, property_count, &conf, error);
    if (code != VF_OK)
        return code;
    /* Ends are asked for at the isolation level at which the workers read (see vf_kafka_reach). */
    code = vf_kafka_conf_own(conf, "isolation.level", "read_committed", error);
    if (code == VF_OK)
        code = vf_kafka_conf_own(conf, "enable.partition.eof", "true", error); /* for vf_kafka_admin_try_read, */
    if (code == VF_OK)
        code = vf_kafka_conf_own(conf, "fetch.wait.max.ms", "10", error); /* which wants no more than an answer */
    if (code != VF_OK) {
        rd_kafka_conf_destroy(conf);
        return code;
    }
    struct vf_kafka_admin *admin = vf_calloc(1, sizeof *admin);
    code = vf_kafka_client_start(&admin->client, admin, brokers, conf, error);
    if (code == VF_OK)
        code = vf_kafka_client_contact(&admin->client, NULL, 0, timeout_ms, serve, error);
    if (code == VF_OK)
        *ret_admin = admin;
    else
        vf_kafka_admin_close(admin);
    return code;
}

void vf_kafka_admin_close(struct vf_kafka_admin *admin)
{
    if (!admin)
        return;
    if (admin->client.rk)
        rd_kafka_destroy(admin->client.rk);
    vf_kafka_client_done(&admin->client);
    free(admin);
}

enum vf_code vf_kafka_admin_partition_count(struct vf_kafka_admin *admin, const char *topic, int64_t timeout_ms,
                                            int32_t *ret_count, struct vf_error *error)
{
    serve(admin->client.rk);
    return vf_kafka_client_partition_count(&admin->client, topic, timeout_ms, ret_count, error);
}

static rd_kafka_topic_partition_list_t *list_of(const struct vf_kafka_reach *rows, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, rows[i].partition.topic, rows[i].partition.partition);
    return list;
}

static int64_t offset_in(rd_kafka_topic_partition_list_t *list, struct vf_partition partition)
{
    return rd_kafka_topic_partition_list_find(list, partition.topic, partition.partition)->offset;
}

enum vf_code vf_kafka_admin_reach(struct vf_kafka_admin *admin, struct vf_kafka_reach *rows, size_t count,
                                  int64_t timeout_ms, struct vf_error *error)
{
    if (count == 0)
        return VF_OK;
    serve(admin->client.rk);
    rd_kafka_topic_partition_list_t *low = list_of(rows, count);
    rd_kafka_topic_partition_list_t *high = list_of(rows, count);
    enum vf_code code = vf_kafka_client_ends(&admin->client, low, high, timeout_ms, error);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        rows[i].low = offset_in(low, rows[i].partition);
        rows[i].high = offset_in(high, rows[i].partition);
    }
    rd_kafka_topic_partition_list_destroy(low);
    rd_kafka_topic_partition_list_destroy(high);
    return code;
}

/* The one group's description out of the event, or why there is none. */
static enum vf_code read_description(struct vf_kafka_admin *admin, rd_kafka_event_t *event, const char *group,
                                     size_t *ret_count, struct vf_error *error)
{
    const rd_kafka_DescribeConsumerGroups_result_t *result =
        event ? rd_kafka_event_DescribeConsumerGroups_result(event) : NULL;
    rd_kafka_resp_err_t err = !event ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    if (!err && !result)
        err = RD_KAFKA_RESP_ERR__BAD_MSG;
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        err ? NULL : rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
    if (!err && count != 1)
        err = RD_KAFKA_RESP_ERR__BAD_MSG;
    if (!err && rd_kafka_ConsumerGroupDescription_error(groups[0]))
        err = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(groups[0]));
    if (err == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
        *ret_count = 0;
        return VF_OK;
    }
    if (err)
        return vf_kafka_client_fail(&admin->client, err, error, "members of group %s", group);
    *ret_count = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
    return VF_OK;
}

enum vf_code vf_kafka_admin_members(struct vf_kafka_admin *admin, const char *group, int64_t timeout_ms,
                                    size_t *ret_count, struct vf_error *error)
{
    serve(admin->client.rk);
    char text[256];
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(admin->client.rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    if (rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, text, sizeof text)) {
        rd_kafka_AdminOptions_destroy(options);
        return vf_fail(error, VF_E_BUG, "kafka %s: members of group %s: %s", admin->client.brokers, group, text);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(admin->client.rk);
    rd_kafka_DescribeConsumerGroups(admin->client.rk, &group, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms);
    enum vf_code code = read_description(admin, event, group, ret_count, error);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return code;
}

/* Out of the one topic's configuration. */
static struct vf_keeping read_keeping(const rd_kafka_ConfigResource_t *resource)
{
    struct vf_keeping keeping = {.retention_ms = -1, .retention_bytes = -1};
    const char *policy = "delete";
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value && strcmp(name, "cleanup.policy") == 0)
            policy = value;
        if (value && strcmp(name, "retention.ms") == 0)
            keeping.retention_ms = strtoll(value, NULL, 10);
        if (value && strcmp(name, "retention.bytes") == 0)
            keeping.retention_bytes = strtoll(value, NULL, 10);
    }
    keeping.compacts = strstr(policy, "compact") != NULL;
    keeping.deletes = strstr(policy, "delete") != NULL;
    return keeping;
}

enum vf_code vf_kafka_admin_topic_keeping(struct vf_kafka_admin *admin, const char *topic, int64_t timeout_ms,
                                          struct vf_keeping *ret_keeping, struct vf_error *error)
{
    serve(admin->client.rk);
    char text[256];
    rd_kafka_t *rk = admin->client.rk;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    if (rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, text, sizeof text)) {
        rd_kafka_AdminOptions_destroy(options);
        return vf_fail(error, VF_E_BUG, "kafka %s: topic %s: %s", admin->client.brokers, topic, text);
    }
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DescribeConfigs(rk, &wanted, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)timeout_ms);
    const rd_kafka_DescribeConfigs_result_t *result = event ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    rd_kafka_resp_err_t err = !event ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    size_t count = 0;
    const rd_kafka_ConfigResource_t **found = result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    if (!err)
        err = count == 1 ? rd_kafka_ConfigResource_error(found[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
    enum vf_code code = VF_OK;
    if (err)
        code = vf_kafka_client_fail(&admin->client, err, error, "configuration of topic %s", topic);
    else
        *ret_keeping = read_keeping(found[0]);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(wanted);
    rd_kafka_AdminOptions_destroy(options);
    return code;
}

void vf_kafka_admin_keeping(const struct vf_source_config *config, int64_t timeout_ms, struct vf_keeping *rows)
{
    const int64_t deadline_ms = vf_kafka_now_ms() + timeout_ms;
    struct vf_kafka_admin *admin = NULL;
    struct vf_error ignored; /* only what is known is said */
    enum vf_code code =
        vf_kafka_admin_open(config->brokers, config->properties, config->property_count, timeout_ms, &admin, &ignored);
    for (size_t i = 0; i < config->topic_count; i++) {
        int64_t left_ms = deadline_ms - vf_kafka_now_ms();
        struct vf_keeping row = {.code = code};
        if (!row.code)
            row.code = left_ms > 0 ? vf_kafka_admin_topic_keeping(admin, config->topics[i], left_ms, &row, &ignored)
                                   : VF_E_TIMEOUT;
        rows[i] = row;
    }
    vf_kafka_admin_close(admin);
}

enum vf_code vf_kafka_admin_try_read(struct vf_kafka_admin *admin, const char *topic, int64_t timeout_ms,
                                     struct vf_error *error)
{
    const int64_t deadline_ms = vf_kafka_now_ms() + timeout_ms;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->client.rk, topic, NULL);
    rd_kafka_resp_err_t err = handle ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_last_error();
    if (handle && rd_kafka_consume_start(handle, 0, RD_KAFKA_OFFSET_BEGINNING)) {
        err = rd_kafka_last_error();
    } else if (handle) {
        int64_t left_ms;
        bool done = false;
        while (!done && (left_ms = deadline_ms - vf_kafka_now_ms()) > 0) {
            rd_kafka_message_t *message = rd_kafka_consume(handle, 0, (int)left_ms);
            if (!message)
                break;
            err = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? RD_KAFKA_RESP_ERR_NO_ERROR : message->err;
            done = !err || vf_kafka_code(err) != VF_E_UNAVAILABLE; /* a leader that is just changing is asked again */
            rd_kafka_message_destroy(message);
        }
        rd_kafka_consume_stop(handle, 0);
    }
    if (handle)
        rd_kafka_topic_destroy(handle);
    return err ? vf_kafka_client_fail(&admin->client, err, error, "reading of topic %s", topic) : VF_OK;
}
