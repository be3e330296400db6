/* What fails: which handlers have that fail only now and then, and what cannot be told (sim_step.h). */
#include "sim/sim_step.h"

static bool is_first_of(const struct vf_aggregate *next, const struct sim_event *event, const struct vf_aside *aside)
{
    return vf_bytes_equal(aside->list, next->aggregate) && aside->place == next->aside_from &&
           aside->offset == event->offset && aside->partition.partition == event->partition &&
           strcmp(aside->partition.topic, event->topic) == 0;
}

/* Whether the event is the first in the own list of this record, as the commit leaves it. */
static bool stands_first(const struct sim_step *step, const struct vf_aggregate *next, size_t index)
{
    const struct sim_event *event = &step->log->events[index];
    for (size_t i = 0; i < step->commit->aside_count; i++)
        if (is_first_of(next, event, &step->commit->asides[i]))
            return true;
    for (int i = 0; i < step->model->waiting_count; i++) {
        const struct sim_waiting *waiting = &step->model->waiting[i];
        if (waiting->event == index && waiting->which == VF_LIST_OWN && waiting->place == next->aside_from &&
            vf_bytes_is(next->aggregate, step->model->aggregates[waiting->list].name))
            return true;
    }
    return false;
}

void sim_step_find_flaked(struct sim_step *step)
{
    struct sim_model *model = step->model;
    model->flaked_count = 0;
    for (size_t a = 0; a < step->commit->aggregate_count; a++) {
        const struct vf_aggregate_change *change = &step->commit->aggregates[a];
        if (change->intent != VF_WRITE || !change->next.parked)
            continue;
        for (size_t i = 0; i < step->log->count; i++) {
            const struct sim_event *event = &step->log->events[i];
            if (strcmp(event->type, "Flaky") == 0 && model->flaked_count < SIM_AGGREGATES_MAX &&
                stands_first(step, &change->next, i))
                model->flaked[model->flaked_count++] = event;
        }
    }
}

/* Whether a handler has failed that may or may not: nobody but the commit tells. */
bool sim_model_has_flaked(const struct sim_model *model, const struct sim_event *event)
{
    for (int i = 0; i < model->flaked_count; i++)
        if (model->flaked[i] == event)
            return true;
    return false;
}

/* An event that cannot be read, or of which nobody can tell what it would be next to; of counted numbers only what is before
 * their beginning, as holes may be filled. */
bool sim_model_is_misfit(const struct sim_model *model, const struct sim_event *event, const struct sim_version *last)
{
    bool counts = model->versions != VF_VERSIONS_NONE;
    if (!model->parks)
        return false;
    bool lacks_id = event->numbers.numbers == VF_NUMBERS_REVISION && !event->event_id[0];
    if (event->misnumbered && (lacks_id || !sim_event_is_counted(event)))
        return true;
    bool has_gap = sim_version_has_gap(last, event) && !event->numbers.allowed;
    bool has_place = event->version >= 0 || event->numbers.numbers == VF_NUMBERS_REVISION;
    bool may_be_filled = has_place && (last->exists || event->version > event->numbers.first);
    return counts && has_gap && !may_be_filled;
}

bool sim_step_says_parked(const struct sim_step *step, int list)
{
    const struct sim_aggregate *aggregate = &step->model->aggregates[list];
    for (size_t i = 0; i < step->commit->aggregate_count && !aggregate->parked; i++) {
        const struct vf_aggregate_change *change = &step->commit->aggregates[i];
        if (change->intent == VF_WRITE && vf_bytes_is(change->next.aggregate, aggregate->name) && change->next.parked)
            return true;
    }
    return false;
}
