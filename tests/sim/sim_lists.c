/* What is set aside in the model, and whose turn it is (sim_step.h). */
#include "sim/sim_decisions.h"
#include "sim/sim_step.h"

#include <stdio.h>

const struct sim_waiting *sim_model_first(const struct sim_model *model, int list, enum vf_list which)
{
    for (int i = 0; i < model->waiting_count; i++)
        if (model->waiting[i].list == list && model->waiting[i].which == which)
            return &model->waiting[i];
    return NULL;
}

void sim_model_list_name(const struct sim_model *model, const struct sim_waiting *waiting, char name[SIM_LIST_TEXT])
{
    static const char *const prefixes[] = {
        [VF_LIST_OWN] = "", [VF_LIST_WAITERS] = "/waiters/", [VF_LIST_EARLY] = "/early/"};
    snprintf(name, SIM_LIST_TEXT, "%s%s", prefixes[waiting->which], model->aggregates[waiting->list].name);
}

const struct sim_waiting *sim_model_early(const struct sim_model *model, const struct sim_log *log, int list)
{
    const struct sim_waiting *lowest = NULL;
    for (int i = 0; i < model->waiting_count; i++) {
        const struct sim_waiting *waiting = &model->waiting[i];
        if (waiting->list == list && waiting->which == VF_LIST_EARLY &&
            (!lowest || log->events[waiting->event].version < log->events[lowest->event].version))
            lowest = waiting;
    }
    return lowest;
}

/* Whether the lowest of the early events is next. */
static bool is_early_due(const struct sim_model *model, const struct sim_log *log, int list)
{
    const struct sim_waiting *early = sim_model_early(model, log, list);
    return early && log->events[early->event].version <= sim_model_next(model, log, list, &log->events[early->event]);
}

/* Nobody can tell whether all events of the revision before it have come. */
static bool is_asked_for(const struct sim_model *model, const struct sim_log *log, int list)
{
    const struct sim_event *event = &log->events[sim_model_early(model, log, list)->event];
    return event->numbers.numbers == VF_NUMBERS_REVISION && !sim_version_is_late(&model->aggregates[list].last, event);
}

bool sim_model_is_draining(const struct sim_model *model, const struct sim_log *log, int list, enum vf_list *ret_which)
{
    const struct sim_aggregate *aggregate = &model->aggregates[list];
    *ret_which = VF_LIST_WAITERS; /* they wait for the present link, and an own event may say another one */
    if (aggregate->has_link && sim_model_first(model, list, VF_LIST_WAITERS))
        return true;
    *ret_which = VF_LIST_OWN;
    if (aggregate->waits_for < 0 && !aggregate->parked &&
        (aggregate->has_link || !aggregate->linked || aggregate->seeks) && sim_model_first(model, list, VF_LIST_OWN))
        return true;
    *ret_which = VF_LIST_EARLY;
    return is_early_due(model, log, list) && (aggregate->asked || !is_asked_for(model, log, list));
}

bool sim_model_is_released(const struct sim_model *model, const struct sim_log *log)
{
    for (int i = 0; i < model->aggregate_count; i++) {
        const struct sim_waiting *first = sim_model_first(model, i, VF_LIST_OWN);
        if ((model->aggregates[i].parked && !first->misfit) ||
            (!first && is_early_due(model, log, i) && is_asked_for(model, log, i)))
            return false;
    }
    return true;
}

void sim_step_find_asked(struct sim_step *step)
{
    for (int i = 0; i < step->model->waiting_count; i++) {
        const struct sim_waiting *waiting = &step->model->waiting[i];
        if (waiting->which == VF_LIST_EARLY &&
            sim_is_asked(step->log->decisions, step->model->aggregates[waiting->list].name) &&
            sim_step_find(step, step->commit->taken, step->commit->taken_count, waiting) >= 0)
            step->model->aggregates[waiting->list].asked = true;
    }
}

void sim_step_forget_asked(struct sim_step *step)
{
    for (int i = 0; i < step->model->aggregate_count; i++)
        step->model->aggregates[i].asked = false;
}
