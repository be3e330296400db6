#include "sim/sim_decisions.h"

#include <stdio.h>

bool sim_decision_equal(const struct sim_decision *a, const struct sim_decision *b)
{
    return a->missing == b->missing && strcmp(a->aggregate, b->aggregate) == 0 &&
           (a->missing ? a->from == b->from && a->to == b->to : a->event == b->event);
}

int sim_decision_find(const struct sim_decisions *decisions, const struct sim_decision *decision)
{
    for (size_t i = 0; i < decisions->count; i++)
        if (sim_decision_equal(&decisions->all[i], decision))
            return (int)i;
    return -1;
}

bool sim_is_asked(const struct sim_decisions *decisions, const char *aggregate)
{
    for (int i = 0; i < decisions->asked_count; i++)
        if (strcmp(decisions->asked[i], aggregate) == 0)
            return true;
    return false;
}

bool sim_ask(struct sim_decisions *decisions, struct vf_bytes aggregate)
{
    char *name = decisions->asked[decisions->asked_count];
    snprintf(name, sizeof decisions->asked[0], "%.*s", (int)aggregate.size, aggregate.data);
    if (!sim_is_asked(decisions, name) && decisions->asked_count + 1 < SIM_AGGREGATES_MAX)
        decisions->asked_count++;
    return true;
}

static bool choose(const struct sim_model *model, const struct sim_log *log, int number,
                   struct sim_decision *ret_decision)
{
    const struct sim_aggregate *aggregate = &model->aggregates[number];
    const struct sim_waiting *first = sim_model_first(model, number, VF_LIST_OWN);
    if (aggregate->early && aggregate->waiting == 0 && !first) {
        const struct sim_event *early = &log->events[sim_model_early(model, log, number)->event];
        int64_t from = sim_model_next(model, log, number, early);
        *ret_decision = (struct sim_decision){.missing = true, .from = from, .to = early->version};
        snprintf(ret_decision->aggregate, sizeof ret_decision->aggregate, "%s", aggregate->name);
        return from < early->version;
    }
    if (!first || aggregate->waits_for >= 0)
        first = sim_model_first(model, number, VF_LIST_WAITERS);
    if (!first)
        return false;
    const struct sim_event *event = &log->events[first->event];
    *ret_decision = (struct sim_decision){.event = first->event};
    snprintf(ret_decision->aggregate, sizeof ret_decision->aggregate, "%s/%s", event->kind, event->id);
    return true;
}

bool sim_decide(struct sim_decisions *decisions, const struct sim_model *model, const struct sim_log *log,
                struct vf_bytes aggregate, struct sim_decision *ret_decision)
{
    for (int i = 0; i < model->aggregate_count; i++) {
        if (!vf_bytes_is(aggregate, model->aggregates[i].name))
            continue;
        enum vf_list ignored; /* nobody drops what is being taken in */
        if (decisions->count == SIM_DECISIONS_MAX || sim_model_is_draining(model, log, i, &ignored) ||
            !choose(model, log, i, ret_decision))
            return false;
        decisions->all[decisions->count++] = *ret_decision;
        return true;
    }
    return false;
}
