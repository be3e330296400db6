/*
 * viewfold: the one place that knows every connector. It lists what implements the seams and hands it to the command line.
 */
#include "cli/cli.h"
#include "connectors/kafka/kafka_admin.h"
#include "connectors/kafka/kafka_source.h"
#include "connectors/memory/memory_rehearsal.h"
#include "connectors/mongodb/mongodb_store.h"
#include "connectors/redis/redis_store.h"
#include "lua/lua_projector.h"

#include <stdlib.h>

/* --- Kafka's admin as what `status` asks (cli/cluster.h) ---------------------------------------------------------- */

struct vf_cluster {
    struct vf_kafka_admin *admin;
    int64_t timeout_ms;
};

static enum vf_code cluster_open(const struct vf_kafka_config *config, int64_t timeout_ms,
                                 struct vf_cluster **ret_cluster, struct vf_error *error)
{
    struct vf_kafka_admin *admin = NULL;
    enum vf_code code =
        vf_kafka_admin_open(config->brokers, config->properties, config->property_count, timeout_ms, &admin, error);
    if (code != VF_OK) {
        return code;
    }
    struct vf_cluster *cluster = vf_calloc(1, sizeof *cluster);
    *cluster = (struct vf_cluster){.admin = admin, .timeout_ms = timeout_ms};
    *ret_cluster = cluster;
    return VF_OK;
}

static void cluster_close(struct vf_cluster *cluster)
{
    if (cluster) {
        vf_kafka_admin_close(cluster->admin);
        free(cluster);
    }
}

static enum vf_code cluster_partition_count(struct vf_cluster *cluster, const char *topic, int32_t *ret_count,
                                            struct vf_error *error)
{
    return vf_kafka_admin_partition_count(cluster->admin, topic, cluster->timeout_ms, ret_count, error);
}

static enum vf_code cluster_reach(struct vf_cluster *cluster, struct vf_reach *rows, size_t count,
                                  struct vf_error *error)
{
    struct vf_kafka_reach *reach = vf_calloc(count, sizeof *reach);
    for (size_t i = 0; i < count; i++) {
        reach[i].partition = rows[i].partition;
    }
    enum vf_code code = vf_kafka_admin_reach(cluster->admin, reach, count, cluster->timeout_ms, error);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        rows[i].low = reach[i].low;
        rows[i].high = reach[i].high;
    }
    free(reach);
    return code;
}

static enum vf_code cluster_members(struct vf_cluster *cluster, const char *group, size_t *ret_count,
                                    struct vf_error *error)
{
    return vf_kafka_admin_members(cluster->admin, group, cluster->timeout_ms, ret_count, error);
}

static enum vf_code cluster_topic_keeping(struct vf_cluster *cluster, const char *topic, struct vf_keeping *ret_keeping,
                                          struct vf_error *error)
{
    return vf_kafka_admin_topic_keeping(cluster->admin, topic, cluster->timeout_ms, ret_keeping, error);
}

static enum vf_code cluster_try_read(struct vf_cluster *cluster, const char *topic, struct vf_error *error)
{
    return vf_kafka_admin_try_read(cluster->admin, topic, cluster->timeout_ms, error);
}

static const struct vf_cluster_type kafka_cluster_type = {
    .open = cluster_open,
    .close = cluster_close,
    .partition_count = cluster_partition_count,
    .reach = cluster_reach,
    .members = cluster_members,
    .topic_keeping = cluster_topic_keeping,
    .try_read = cluster_try_read,
};

/* --- the registry ------------------------------------------------------------------------------------------------- */

/* A store's key in viewfold.yaml (redis:, mongodb:) is its type's name. */
static const struct vf_store_type *const store_types[] = {
    &vf_redis_store_type,
    &vf_mongodb_store_type,
    NULL,
};

int main(int argc, char **argv)
{
    const struct vf_registry registry = {
        .source = &vf_kafka_source_type,
        .stores = store_types,
        .projector = &vf_lua_projector_type,
        .cluster = &kafka_cluster_type,
        .rehearsal = &vf_memory_rehearsal_type,
        .rules = {.property_refusal = vf_kafka_property_refusal,
                  .property_check = vf_kafka_property_check,
                  .brokers_check = vf_kafka_brokers_check,
                  .stores = store_types},
        .source_library = vf_kafka_library_version,
        .clock = vf_clock_system(),
    };
    return vf_cli_main(argc, argv, &registry, stdout, stderr);
}
