#include "connectors/memory/memory_rehearsal.h"

#include "connectors/memory/memory_source.h"
#include "connectors/memory/memory_store.h"

#include <stdio.h>
#include <stdlib.h>

struct vf_rehearsal {
    struct vf_memory_log *log;
    struct vf_memory_server *server;
    char url[40];
};

static struct vf_rehearsal *rehearsal_open(void)
{
    struct vf_rehearsal *rehearsal = vf_calloc(1, sizeof *rehearsal);
    snprintf(rehearsal->url, sizeof rehearsal->url, "memory:%p", (void *)rehearsal);
    rehearsal->log = vf_memory_log_new(1);
    vf_memory_log_set_in_order(rehearsal->log);
    rehearsal->server = vf_memory_server_new(rehearsal->url + strlen("memory:"));
    return rehearsal;
}

static void rehearsal_close(struct vf_rehearsal *rehearsal)
{
    if (rehearsal) {
        vf_memory_log_free(rehearsal->log);
        vf_memory_server_free(rehearsal->server);
        free(rehearsal);
    }
}

static const char *rehearsal_brokers(const struct vf_rehearsal *rehearsal)
{
    return vf_memory_log_brokers(rehearsal->log);
}

static const char *rehearsal_url(const struct vf_rehearsal *rehearsal)
{
    return rehearsal->url;
}

static void rehearsal_add_topic(struct vf_rehearsal *rehearsal, const char *topic, int32_t partitions)
{
    vf_memory_log_add_topic(rehearsal->log, topic, partitions);
}

static int64_t rehearsal_append(struct vf_rehearsal *rehearsal, struct vf_partition partition,
                                const struct vf_record *record)
{
    return vf_memory_log_append_record(rehearsal->log, partition, record);
}

static void rehearsal_leave_hole(struct vf_rehearsal *rehearsal, struct vf_partition partition)
{
    vf_memory_log_leave_hole(rehearsal->log, partition, 1);
}

static void rehearsal_rebalance(struct vf_rehearsal *rehearsal, const char *group)
{
    vf_memory_log_rebalance(rehearsal->log, group);
}

static void rehearsal_read(struct vf_rehearsal *rehearsal, struct vf_view view, struct vf_arena *arena,
                           struct vf_rehearsed *ret_rehearsed)
{
    struct vf_memory_contents contents;
    vf_memory_server_read(rehearsal->server, view, arena, &contents);
    *ret_rehearsed = (struct vf_rehearsed){.documents = contents.documents,
                                           .document_count = contents.document_count,
                                           .rows = contents.rows,
                                           .row_count = contents.row_count,
                                           .asides = contents.asides,
                                           .aside_count = contents.aside_count};
}

const struct vf_rehearsal_type vf_memory_rehearsal_type = {
    .source = &vf_memory_source_type,
    .store = &vf_memory_store_type,
    .open = rehearsal_open,
    .close = rehearsal_close,
    .brokers = rehearsal_brokers,
    .url = rehearsal_url,
    .add_topic = rehearsal_add_topic,
    .append = rehearsal_append,
    .leave_hole = rehearsal_leave_hole,
    .rebalance = rehearsal_rebalance,
    .read = rehearsal_read,
};
