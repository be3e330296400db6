#include "sim/sim_show.h"

#include <stdio.h>

static void show_event(const struct sim_event *event, size_t index)
{
    printf("    #%zu %s/%d@%lld %s/%s@%lld%s%s %s at %lld", index, event->topic, event->partition,
           (long long)event->offset, event->kind, event->id, (long long)event->version, event->event_id[0] ? "~" : "",
           event->event_id, event->type, (long long)event->time_ms);
    if (event->original != index)
        printf(" again #%zu", event->original);
    if (event->says == SIM_SAYS_THROUGH)
        printf(" through %s", event->via);
    for (int i = 0; i < event->target_count; i++)
        printf(" to %s", event->targets[i]);
    printf("\n");
}

static void show_asides(const char *what, const struct vf_aside *asides, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("    %s %.*s[%lld] %s/%d@%lld\n", what, (int)asides[i].list.size, asides[i].list.data,
               (long long)asides[i].place, asides[i].partition.topic, (int)asides[i].partition.partition,
               (long long)asides[i].offset);
}

static void show_progress(const struct sim_log *log, const struct vf_progress_change *change)
{
    int64_t from = change->from.exists ? change->from.next : 0;
    printf("  %s/%d %lld -> %lld\n", change->partition.topic, change->partition.partition, (long long)from,
           (long long)change->to.next);
    for (size_t i = 0; i < log->count; i++)
        if (strcmp(log->events[i].topic, change->partition.topic) == 0 &&
            log->events[i].partition == change->partition.partition && log->events[i].offset >= from &&
            log->events[i].offset < change->to.next)
            show_event(&log->events[i], i);
}

void sim_show_commit(const struct sim_log *log, const struct vf_commit *commit)
{
    printf("commit %llx\n", (unsigned long long)commit->stamp & 0xffff);
    for (size_t i = 0; i < commit->progress_count; i++)
        show_progress(log, &commit->progress[i]);
    show_asides("+", commit->asides, commit->aside_count);
    show_asides("-", commit->taken, commit->taken_count);
    for (size_t i = 0; i < commit->document_count; i++) {
        const struct vf_document_change *change = &commit->documents[i];
        printf("  [%.*s intent %d base %d %llx next %d rev %lld expires %lld]", (int)change->next.id.size,
               change->next.id.data, (int)change->intent, (int)change->base,
               (unsigned long long)change->base_stamp & 0xffff, (int)change->next.presence,
               (long long)change->next.revision, (long long)change->next.expires_ms);
    }
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate_change *change = &commit->aggregates[i];
        printf("  (%.*s intent %d base %d", (int)change->next.aggregate.size, change->next.aggregate.data,
               (int)change->intent, (int)change->base_exists);
        if (change->intent == VF_WRITE)
            printf(" link %s%.*s waiters %lld..%lld own %lld..%lld%s%s", change->next.has_link ? "" : "unknown",
                   (int)change->next.link.size, change->next.link.size ? change->next.link.data : "",
                   (long long)change->next.waiters_from, (long long)change->next.waiters_to,
                   (long long)change->next.aside_from, (long long)change->next.aside_to,
                   change->next.has_seen ? " seen" : "", change->next.draining ? " draining" : "");
        if (change->intent == VF_WRITE && change->next.parked)
            printf(" parked: %.*s", (int)change->next.failure.error.size, change->next.failure.error.data);
        printf(")");
    }
    printf("\n");
}
