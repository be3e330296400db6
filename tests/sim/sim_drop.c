/* What somebody has decided about events that are set aside (sim_decisions.h), as commits carry it out. */
#include "sim/sim_decisions.h"
#include "sim/sim_step.h"

#include <stdio.h>

#define STRANGE(...) return vf_fail(error, VF_E_DATA, __VA_ARGS__)

/* The event that stands first in a list leaves it, and nothing becomes of it. */
static enum vf_code drop_event(struct sim_step *step, const struct vf_dropped *dropped, size_t index,
                               struct vf_error *error)
{
    struct sim_model *model = step->model;
    const struct sim_waiting *waiting = NULL;
    for (int i = 0; i < model->waiting_count; i++)
        if (model->waiting[i].event == index)
            waiting = &model->waiting[i];
    if (!waiting || waiting->which == VF_LIST_EARLY || sim_model_first(model, waiting->list, waiting->which) != waiting)
        STRANGE("%s/%d@%lld was dropped, and is not the first of its list", dropped->partition.topic,
                (int)dropped->partition.partition, (long long)dropped->offset);
    int list = waiting->list, owner = sim_model_owner(model, &step->log->events[index]);
    /* Nobody can tell what its number would be next to: nothing becomes of that, either. */
    bool is_misfit =
        waiting->misfit && sim_model_is_misfit(model, &step->log->events[index], &model->aggregates[owner].taken);
    bool was_parked = waiting->which == VF_LIST_OWN && model->aggregates[list].parked;
    if ((dropped->error.size > 0) != was_parked)
        STRANGE("%s/%d@%lld was dropped as failed: %d, and was: %d", dropped->partition.topic,
                (int)dropped->partition.partition, (long long)dropped->offset, dropped->error.size > 0, was_parked);
    if (waiting->which == VF_LIST_OWN)
        model->aggregates[list].parked = false;
    else
        model->aggregates[owner].waits_for = -1;
    if (!sim_step_take_out(step, list, waiting->which, &index))
        STRANGE("%s/%d@%lld was dropped, and is still set aside", dropped->partition.topic,
                (int)dropped->partition.partition, (long long)dropped->offset);
    *(was_parked ? &model->situations.dropped : &model->situations.let_go) += 1;
    model->situations.misfits_dropped += is_misfit;
    if (!is_misfit)
        sim_step_leave_out(step, owner, index);
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    aggregate->seeks = aggregate->linked && !aggregate->has_link && sim_model_first(model, owner, VF_LIST_OWN);
    sim_step_settle(model, owner);
    sim_step_open(step, owner);
    sim_step_open(step, list);
    sim_step_drain(step);
    return VF_OK;
}

static enum vf_code give_up(struct sim_step *step, const struct sim_decision *decision, struct vf_error *error)
{
    int list = sim_model_aggregate(step->model, decision->aggregate);
    const struct sim_waiting *early = sim_model_early(step->model, step->log, list);
    if (!early || step->log->events[early->event].version != decision->to)
        STRANGE("%s: numbers up to %lld are not waited for, and nothing waits for them", decision->aggregate,
                (long long)decision->to);
    step->model->situations.given_up++;
    sim_step_open(step, list);
    sim_step_drain(step);
    return VF_OK;
}

/* What was decided, as the commit tells it. */
static struct sim_decision decision_of(const struct sim_log *log, const struct vf_dropped *dropped)
{
    struct sim_decision decision = {
        .missing = !dropped->partition.topic, .from = dropped->missing_from, .to = dropped->missing_to};
    snprintf(decision.aggregate, sizeof decision.aggregate, "%.*s", (int)dropped->aggregate.size,
             dropped->aggregate.data);
    for (size_t i = 0; i < log->count && !decision.missing; i++)
        if (log->events[i].offset == dropped->offset && log->events[i].partition == dropped->partition.partition &&
            strcmp(log->events[i].topic, dropped->partition.topic) == 0)
            decision.event = i;
    return decision;
}

bool sim_model_is_dropped(const struct sim_model *model, const struct sim_log *log, int number,
                          const struct vf_dropped *dropped)
{
    struct sim_decision decision = decision_of(log, dropped);
    return sim_decision_equal(&decision, &log->decisions->all[model->dropped[number]]);
}

enum vf_code sim_step_carry_out(struct sim_step *step, struct vf_error *error)
{
    struct sim_model *model = step->model;
    enum vf_code code = VF_OK;
    for (size_t i = 0; i < step->commit->dropped_count && !code; i++) {
        const struct vf_dropped *dropped = &step->commit->dropped[i];
        struct sim_decision decision = decision_of(step->log, dropped);
        int place = sim_decision_find(step->log->decisions, &decision);
        if (place < 0)
            STRANGE("%s: something was dropped, and nobody has decided that", decision.aggregate);
        model->dropped[model->dropped_count++] = place;
        code = decision.missing ? give_up(step, &decision, error) : drop_event(step, dropped, decision.event, error);
    }
    return code;
}

int64_t sim_model_next(const struct sim_model *model, const struct sim_log *log, int owner,
                       const struct sim_event *event)
{
    const struct sim_aggregate *aggregate = &model->aggregates[owner];
    int64_t next = aggregate->last.exists ? aggregate->last.version + 1 : event->numbers.first;
    for (int i = 0; i < model->dropped_count; i++) { /* later decisions are about later numbers, but after a rebuild */
        const struct sim_decision *decision = &log->decisions->all[model->dropped[i]];
        if (decision->missing && decision->from <= next && next < decision->to &&
            strcmp(decision->aggregate, aggregate->name) == 0) {
            next = decision->to;
            i = -1;
        }
    }
    return next;
}

bool sim_model_is_given_up(const struct sim_model *model, const struct sim_log *log, int owner,
                           const struct sim_event *event)
{
    const struct sim_aggregate *aggregate = &model->aggregates[owner];
    int64_t awaited = aggregate->last.exists ? aggregate->last.version + 1 : event->numbers.first;
    return sim_event_is_counted(event) && !(event->numbers.any && !aggregate->last.exists) &&
           event->version >= awaited && event->version < sim_model_next(model, log, owner, event);
}

bool sim_model_has_given_up(const struct sim_model *model, const struct sim_log *log, int owner)
{
    for (int i = 0; i < model->dropped_count; i++) {
        const struct sim_decision *decision = &log->decisions->all[model->dropped[i]];
        if (decision->missing && strcmp(decision->aggregate, model->aggregates[owner].name) == 0)
            return true;
    }
    return false;
}

bool sim_model_is_meant(const struct sim_model *model, const struct sim_log *log, size_t index)
{
    for (int i = 0; i < model->dropped_count; i++) {
        const struct sim_decision *decision = &log->decisions->all[model->dropped[i]];
        if (!decision->missing && decision->event == index)
            return true;
    }
    return false;
}

bool sim_model_is_left_out(const struct sim_model *model, const struct sim_log *log, size_t index)
{
    for (size_t i = 0; i < log->count && model->versions != VF_VERSIONS_NONE; i++)
        if (log->events[i].original == log->events[index].original && sim_model_is_meant(model, log, i))
            return true;
    return sim_model_is_meant(model, log, index);
}

bool sim_step_leaves_out(const struct sim_step *step, size_t index)
{
    const struct sim_event *event = &step->log->events[index];
    for (size_t i = 0; i < step->commit->aside_count; i++) {
        const struct vf_aside *aside = &step->commit->asides[i];
        if (aside->offset == event->offset && aside->partition.partition == event->partition &&
            strcmp(aside->partition.topic, event->topic) == 0)
            return sim_model_is_meant(step->model, step->log, index);
    }
    return sim_model_is_left_out(step->model, step->log, index);
}
