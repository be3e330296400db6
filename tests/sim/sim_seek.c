/* What says an aggregate's link, behind what waits for that in its own list (sim_step.h). */
#include "sim/sim_step.h"

#include <string.h>

/* The place among all that waits of the first own event of a list, or of the first that says a link; -1: there is none. */
static int find_own(const struct sim_step *step, int list, bool linking)
{
    const struct sim_model *model = step->model;
    for (int i = 0; i < model->waiting_count; i++) {
        const struct sim_event *event = &step->log->events[model->waiting[i].event];
        bool has_place = !model->waiting[i].misfit || !sim_model_is_misfit(model, event, &model->aggregates[list].last);
        if (model->waiting[i].list == list && model->waiting[i].which == VF_LIST_OWN &&
            (!linking || (event->says != SIM_SAYS_NOTHING && has_place &&
                          !sim_model_is_left_out(model, step->log, model->waiting[i].event))))
            return i;
    }
    return -1;
}

bool sim_step_stays_first(const struct sim_step *step, int list)
{
    const struct sim_model *model = step->model;
    size_t first = model->waiting[find_own(step, list, false)].event;
    const struct sim_event *event = &step->log->events[first];
    return event->linked && event->says == SIM_SAYS_NOTHING && !model->aggregates[list].has_link &&
           model->unlinked != VF_UNLINKED_IGNORE && !sim_model_is_left_out(model, step->log, first);
}

/* Whether the commit says that this record goes on being sought in: not where it has come to what follows that. */
static bool goes_on(const struct sim_step *step, int list)
{
    for (int i = 0; i < step->model->waiting_count; i++) {
        const struct sim_waiting *waiting = &step->model->waiting[i];
        if (waiting->list == list && waiting->which == VF_LIST_EARLY &&
            sim_step_find(step, step->commit->taken, step->commit->taken_count, waiting) >= 0)
            return false;
    }
    for (size_t i = 0; i < step->commit->aggregate_count; i++) {
        const struct vf_aggregate *next = &step->commit->aggregates[i].next;
        if (vf_bytes_is(next->aggregate, step->model->aggregates[list].name))
            return step->commit->aggregates[i].intent != VF_WRITE || (next->draining && !next->has_link);
    }
    return true;
}

bool sim_step_seek(struct sim_step *step, int list)
{
    struct sim_model *model = step->model;
    int first = find_own(step, list, false), linking = find_own(step, list, true);
    if (linking < 0) {
        model->aggregates[list].seeks = goes_on(step, list);
        return false;
    }
    if (sim_step_find(step, step->commit->taken, step->commit->taken_count, &model->waiting[linking]) < 0)
        return false;
    for (int i = first; i <= linking; i++) {
        struct sim_waiting *waiting = &model->waiting[i];
        if (waiting->list != list || waiting->which != VF_LIST_OWN || waiting->fresh)
            continue;
        int taken = sim_step_find(step, step->commit->taken, step->commit->taken_count, waiting);
        if (taken >= 0)
            step->taken[taken] = true;
        waiting->fresh = true; /* at another place */
    }
    struct sim_waiting moved = model->waiting[linking];
    memmove(model->waiting + first + 1, model->waiting + first, (size_t)(linking - first) * sizeof moved);
    model->waiting[first] = moved;
    model->situations.sought++;
    return true;
}
