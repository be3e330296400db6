/* Commits of offsets, at most one under way. */
#include "connectors/kafka/kafka_commits.h"

#include "connectors/kafka/kafka_client.h"

void vf_kafka_commits_init(struct vf_kafka_commits *commits, rd_kafka_t *rk)
{
    *commits = (struct vf_kafka_commits){.queue = rd_kafka_queue_new(rk)};
}

void vf_kafka_commits_done(struct vf_kafka_commits *commits)
{
    vf_kafka_commits_forget(commits);
    if (commits->queue)
        rd_kafka_queue_destroy(commits->queue);
    commits->queue = NULL;
}

void vf_kafka_commits_forget(struct vf_kafka_commits *commits)
{
    if (commits->next)
        rd_kafka_topic_partition_list_destroy(commits->next);
    commits->next = NULL;
}

/* Takes the answer to the commit that is under way, if it comes within the time; then sends what waits. */
static rd_kafka_resp_err_t turn(struct vf_kafka_commits *commits, rd_kafka_t *rk, int64_t timeout_ms)
{
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (commits->under_way) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(commits->queue, timeout_ms > 0 ? (int)timeout_ms : 0);
        if (!event)
            return err;
        err = rd_kafka_event_error(event);
        const rd_kafka_topic_partition_list_t *done = rd_kafka_event_topic_partition_list(event);
        for (int i = 0; !err && done && i < done->cnt; i++)
            err = done->elems[i].err;
        rd_kafka_event_destroy(event);
        commits->under_way = false;
    }
    if (commits->next) {
        rd_kafka_resp_err_t refused = rd_kafka_commit_queue(rk, commits->next, commits->queue, NULL, NULL);
        commits->under_way = !refused;
        err = refused ? refused : err;
        vf_kafka_commits_forget(commits);
    }
    return err;
}

void vf_kafka_commits_turn(struct vf_kafka_commits *commits, rd_kafka_t *rk)
{
    if (commits->under_way || commits->next)
        turn(commits, rk, 0);
}

static void merge(struct vf_kafka_commits *commits, const struct vf_position *positions, size_t count)
{
    if (count > 0 && !commits->next)
        commits->next = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const struct vf_partition *partition = &positions[i].partition;
        rd_kafka_topic_partition_t *next =
            rd_kafka_topic_partition_list_find(commits->next, partition->topic, partition->partition);
        if (!next)
            next = rd_kafka_topic_partition_list_add(commits->next, partition->topic, partition->partition);
        next->offset = positions[i].offset;
    }
}

rd_kafka_resp_err_t vf_kafka_commits_add(struct vf_kafka_commits *commits, rd_kafka_t *rk,
                                         const struct vf_position *positions, size_t count, int64_t timeout_ms)
{
    int64_t deadline = vf_kafka_now_ms() + timeout_ms;
    merge(commits, positions, count);
    rd_kafka_resp_err_t err = turn(commits, rk, 0);
    while (timeout_ms > 0 && commits->under_way) {
        int64_t left = deadline - vf_kafka_now_ms();
        if (left <= 0)
            return RD_KAFKA_RESP_ERR__TIMED_OUT;
        rd_kafka_resp_err_t said = turn(commits, rk, left);
        err = said ? said : err;
    }
    return err;
}
