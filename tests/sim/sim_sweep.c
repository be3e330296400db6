/* What a sweep may let go of (sim_model.h). */
#include "sim/sim_model.h"

#include <stdio.h>
#include <string.h>

#define STRANGE(...)   return vf_fail(error, VF_E_DATA, __VA_ARGS__)
#define SWEEP_GRACE_MS 3600000

/* No event from before this time is still to come, as far as the log can tell. */
static int64_t dealt_until(const struct sim_model *model, const struct sim_log *log)
{
    int64_t until_ms = log->now_ms;
    for (size_t i = 0; i < log->count; i++)
        if (log->events[i].offset >= model->next[log->events[i].topic_number][log->events[i].partition] &&
            log->events[i].record_ms < until_ms)
            until_ms = log->events[i].record_ms;
    return until_ms;
}

bool sim_is_sweep(const struct vf_commit *commit)
{
    size_t records = 0;
    for (size_t i = 0; i < commit->aggregate_count; i++)
        records += commit->aggregates[i].intent == VF_WRITE;
    return commit->progress_count == 0 && records == 0;
}

static bool is_in(const struct sim_aggregate *aggregate, const struct sim_document *document)
{
    const char *id = aggregate->linked ? aggregate->link : strchr(aggregate->name, '/') + 1;
    return strcmp(id, document->id) == 0;
}

/* Whether the store can tell that the aggregate's events go to the document: some have, or it has the document's name. */
static bool is_known_in(const struct sim_model *model, int owner, const struct sim_document *document)
{
    const char *name = model->aggregates[owner].name;
    if (model->versions == VF_VERSIONS_DOCUMENT && document->parts[owner].entered)
        return true;
    return strncmp(name, "customer/", strlen("customer/")) == 0 && strcmp(strchr(name, '/') + 1, document->id) == 0;
}

static bool has_aside(const struct sim_model *model, int owner)
{
    const struct sim_aggregate *aggregate = &model->aggregates[owner];
    return aggregate->waiting || aggregate->early || sim_model_first(model, owner, VF_LIST_WAITERS);
}

/* Whether something is set aside of an aggregate whose document this is. */
static bool is_waited_in(const struct sim_model *model, const struct sim_document *document)
{
    for (int i = 0; i < model->aggregate_count; i++)
        if (is_known_in(model, i, document) && has_aside(model, i))
            return true;
    return false;
}

/* Its aggregates' numbers go, too, but for what a record has seen, and begin anew with whatever comes next: the producer's next,
 * as nothing is late here. */
static void forget_ids(struct sim_model *model, const struct sim_document *document)
{
    for (int i = 0; i < model->aggregate_count && model->versions == VF_VERSIONS_DOCUMENT; i++) {
        struct sim_aggregate *aggregate = &model->aggregates[i];
        if (!is_in(aggregate, document))
            continue;
        aggregate->taken.id_count = 0;
        if (aggregate->waiting + aggregate->early == 0)
            aggregate->last.id_count = 0;
    }
}

enum vf_code sim_model_sweep(struct sim_model *model, const struct sim_log *log, const struct vf_commit *commit,
                             struct vf_error *error)
{
    int64_t until_ms = dealt_until(model, log);
    for (size_t i = 0; i < commit->document_count; i++) {
        const struct vf_document_change *change = &commit->documents[i];
        if (change->intent != VF_WRITE)
            continue;
        char id[SIM_TEXT];
        snprintf(id, sizeof id, "%.*s", (int)change->next.id.size, change->next.id.data);
        struct sim_document *document = sim_model_document(model, id);
        enum vf_presence presence = document->presence;
        if (is_waited_in(model, document))
            STRANGE("document %s (presence %d) was swept while something of its aggregates is set aside", id,
                    (int)presence);
        if (change->next.presence == VF_ABSENT) {
            if ((presence != VF_HUSK_DELETED && presence != VF_HUSK_EXPIRED) || model->forget_ms == 0 ||
                document->since_ms + model->forget_ms > until_ms)
                STRANGE("document %s (presence %d since %lld) was removed too early: %lld", id, (int)presence,
                        (long long)document->since_ms, (long long)until_ms);
            memcpy(id, document->id, sizeof id);
            *document = (struct sim_document){.presence = VF_ABSENT};
            memcpy(document->id, id, sizeof id);
            forget_ids(model, document);
            model->situations.forgotten++;
        } else {
            if ((presence != VF_PRESENT && presence != VF_HUSK_NEW) || !document->has_expires ||
                document->expires_ms + SWEEP_GRACE_MS > until_ms)
                STRANGE("document %s (presence %d, expires %lld) was swept too early: %lld", id, (int)presence,
                        (long long)document->expires_ms, (long long)until_ms);
            sim_document_empty(document, VF_HUSK_EXPIRED, document->expires_ms);
            model->situations.swept++;
        }
    }
    return VF_OK;
}

bool sim_model_is_due(const struct sim_model *model, const struct sim_document *document, int64_t until_ms)
{
    bool lives = document->presence == VF_PRESENT || document->presence == VF_HUSK_NEW;
    bool is_gone = document->presence != VF_ABSENT && !lives;
    if (is_waited_in(model, document))
        return false;
    return (lives && document->has_expires && document->expires_ms < until_ms) ||
           (is_gone && model->forget_ms && model->waiting_count == 0 && document->since_ms < until_ms);
}
