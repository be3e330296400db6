#include "sim/sim_cut.h"

#include <string.h>

static uint64_t below(struct sim_producer *producer, uint64_t limit)
{
    return vf_sim_random_below(producer->random, limit);
}

static int64_t end_of(const struct sim_producer *producer, int topic, int partition)
{
    int64_t end = 0;
    for (size_t i = 0; i < producer->event_count; i++)
        if (producer->events[i].topic_number == topic && producer->events[i].partition == partition)
            end = producer->events[i].offset + 1;
    return end;
}

int64_t sim_cut_trim(struct sim_cut *cut, struct sim_producer *producer, const struct sim_model *model)
{
    int topic = producer->topics[below(producer, (uint64_t)producer->topic_count)];
    int partition = (int)below(producer, (uint64_t)producer->partitions[topic]);
    int64_t *low = &cut->low[topic][partition];
    int64_t next = model->next[topic][partition], end = end_of(producer, topic, partition);
    bool beyond = cut->cuts && end > next && below(producer, 3) == 0;
    int64_t to = beyond ? next + 1 + (int64_t)below(producer, (uint64_t)(end - next)) : next;
    if (next == 0 || to < *low)
        return -1;
    cut->beyond += beyond;
    cut->beside += beyond && model->waiting_count > 0;
    *low = to;
    vf_memory_log_trim(producer->log, (struct vf_partition){sim_topics[topic].topic, partition}, to);
    return to;
}

bool sim_cut_has_lost(const struct sim_cut *cut, const struct sim_model *model, int topic, int partition)
{
    return model->next[topic][partition] < cut->low[topic][partition];
}

int64_t sim_cut_count(const struct sim_cut *cut, const struct sim_model *model)
{
    int64_t count = 0;
    for (int topic = 0; topic < SIM_TOPICS; topic++)
        for (int partition = 0; partition < SIM_PARTITIONS_MAX; partition++)
            count += sim_cut_has_lost(cut, model, topic, partition);
    return count;
}

bool sim_cut_may_go_back(const struct sim_cut *cut, const struct sim_model *then)
{
    for (int topic = 0; topic < SIM_TOPICS; topic++)
        for (int partition = 0; partition < SIM_PARTITIONS_MAX; partition++)
            if (cut->low[topic][partition] > 0 && then->next[topic][partition] == 0)
                return false;
    return true;
}

static bool says_degraded(const struct vf_memory_contents *contents, const char *topic, int partition)
{
    for (size_t i = 0; i < contents->row_count; i++) {
        const struct vf_progress_row *row = &contents->rows[i];
        if (row->partition.partition == partition && strcmp(row->partition.topic, topic) == 0)
            return row->stopped && strstr(row->stopped, "\"degraded\":true");
    }
    return false;
}

enum vf_code sim_cut_check(const struct sim_cut *cut, const struct sim_producer *producer,
                           const struct sim_model *model, struct vf_memory_server *server, struct vf_view view,
                           struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_memory_contents contents;
    enum vf_code code = VF_OK;
    vf_memory_server_read(server, view, arena, &contents);
    for (int i = 0; i < producer->topic_count; i++) {
        int topic = producer->topics[i];
        for (int partition = 0; partition < producer->partitions[topic] && !code; partition++)
            if (sim_cut_has_lost(cut, model, topic, partition) &&
                !says_degraded(&contents, sim_topics[topic].topic, partition))
                code = vf_fail(error, VF_E_DATA, "%s/%d begins at %lld, the view needs %lld, and nobody says so",
                               sim_topics[topic].topic, partition, (long long)cut->low[topic][partition],
                               (long long)model->next[topic][partition]);
    }
    vf_arena_free(arena);
    return code;
}
