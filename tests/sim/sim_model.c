#include "sim/sim_model.h"

#include "sim/plain_projector.h"
#include "sim/sim_decisions.h"
#include "sim/sim_step.h"

#include <stdio.h>
#include <stdlib.h>

#define STRANGE(...) return vf_fail(error, VF_E_DATA, __VA_ARGS__)

/* --- finding ------------------------------------------------------------------------------------------------------ */

int sim_model_aggregate(struct sim_model *model, const char *name)
{
    for (int i = 0; i < model->aggregate_count; i++)
        if (strcmp(model->aggregates[i].name, name) == 0)
            return i;
    if (model->aggregate_count == SIM_AGGREGATES_MAX)
        abort();
    struct sim_aggregate *aggregate = &model->aggregates[model->aggregate_count];
    *aggregate = (struct sim_aggregate){.via = -1, .waits_for = -1};
    snprintf(aggregate->name, sizeof aggregate->name, "%s", name);
    return model->aggregate_count++;
}

int sim_model_owner(struct sim_model *model, const struct sim_event *event)
{
    char name[2 * SIM_TEXT];
    snprintf(name, sizeof name, "%s/%s", event->kind, event->id);
    return sim_model_aggregate(model, name);
}

struct sim_document *sim_model_document(struct sim_model *model, const char *id)
{
    for (int i = 0; i < model->document_count; i++)
        if (strcmp(model->documents[i].id, id) == 0)
            return &model->documents[i];
    if (model->document_count == SIM_DOCUMENTS_MAX)
        abort();
    struct sim_document *document = &model->documents[model->document_count++];
    *document = (struct sim_document){.presence = VF_ABSENT};
    snprintf(document->id, sizeof document->id, "%s", id);
    return document;
}

/* --- one event and its documents ---------------------------------------------------------------------------------- */

void sim_document_empty(struct sim_document *document, enum vf_presence presence, int64_t since_ms)
{
    document->presence = presence;
    document->since_ms = since_ms;
    for (int i = 0; i < SIM_AGGREGATES_MAX; i++)
        document->parts[i].here = document->parts[i].left = (struct sim_chain){0};
}

/* Before an event is applied: what is older than its ttl by then is gone. */
static void age(struct sim_model *model, struct sim_document *document, const struct sim_event *event)
{
    if (model->ttl_ms && document->has_expires && event->time_ms > document->expires_ms &&
        document->presence == VF_PRESENT) {
        sim_document_empty(document, VF_HUSK_EXPIRED, document->expires_ms);
        model->situations.expired++;
    }
}

/* It is counted there, whatever it does. */
static void enter(struct sim_model *model, struct sim_document *document, int owner, const struct sim_event *event)
{
    struct sim_part *part = &document->parts[owner];
    part->entered = true;
    part->loose = model->aggregates[owner].behind;
    part->last = model->aggregates[owner].last;
    document->revision++;
    if (document->presence == VF_ABSENT)
        document->presence = VF_HUSK_NEW;
    if (model->ttl_ms && (!document->has_expires || event->time_ms + model->ttl_ms > document->expires_ms)) {
        document->has_expires = true;
        document->expires_ms = event->time_ms + model->ttl_ms;
    }
}

static void add_link(struct sim_chain *chain, const struct sim_event *event)
{
    chain->count++;
    chain->hash = vf_plain_chain(chain->hash, event->version, vf_bytes_from(event->event_id), event->type[0]);
}

/* What plain_projector.h says of a handler with `from`. What is no longer there leaves nothing behind. *ret_times: how often
 * it has left. */
static struct sim_chain leave(struct sim_document *from, int owner, const struct sim_event *event, int64_t *ret_times)
{
    struct sim_chain moved = {0};
    *ret_times = 1;
    if (from->presence == VF_PRESENT) {
        moved = from->parts[owner].here;
        from->parts[owner].here = (struct sim_chain){0};
        add_link(&from->parts[owner].left, event);
        *ret_times = from->parts[owner].left.count;
    }
    return moved;
}

/* Its handler fails, until it is mended. */
static bool is_failing(const struct sim_event *event)
{
    return strcmp(event->type, "Broken") == 0 || strcmp(event->type, "Misdirected") == 0;
}

static bool has_handler(const struct sim_event *event)
{
    return strcmp(event->type, "Noted") != 0 && strcmp(event->type, "Renoted") != 0;
}

static bool deletes(const struct sim_event *event)
{
    return strcmp(event->type, "Deleted") == 0 || strcmp(event->type, "Removed") == 0;
}

/* The handler's effect on the document where the aggregate is now. */
static void change(struct sim_model *model, struct sim_document *document, int owner, const struct sim_event *event,
                   struct sim_chain moved, int64_t times_left)
{
    bool deleted = document->presence == VF_HUSK_DELETED;
    if (deleted && document->deleted_by != owner) {
        model->situations.without_effect++;
        return;
    }
    if (document->presence != VF_PRESENT)
        sim_document_empty(document, VF_PRESENT, 0);
    model->situations.returned += deleted;
    if (moved.count)
        document->parts[owner].here = moved;
    document->parts[owner].here.hash += times_left;
    add_link(&document->parts[owner].here, event);
    if (deletes(event)) {
        sim_document_empty(document, VF_HUSK_DELETED, event->time_ms);
        document->deleted_by = owner;
        model->situations.deleted++;
    }
}

static struct sim_document *linked_document(struct sim_model *model, int owner)
{
    const char *id = model->aggregates[owner].link;
    return id[0] ? sim_model_document(model, id) : NULL;
}

/* What had no place when it came has one now. */
static void count_seen(struct sim_model *model, int owner, const struct sim_event *event, bool is_placed)
{
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    if (is_placed && (!aggregate->last.exists || event->version > aggregate->last.version))
        sim_version_advance(&aggregate->last, event);
}

static void count_taken(struct sim_model *model, int owner, const struct sim_event *event)
{
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    if (!aggregate->taken.exists || event->version > aggregate->taken.version)
        sim_version_advance(&aggregate->taken, event);
    count_seen(model, owner, event, true);
    model->dealt[event->original] = true;
}

/* The event is taken in where its aggregate is now, and where it has just left; either may be NULL. */
static void take_in(struct sim_model *model, int owner, const struct sim_event *event, struct sim_document *document,
                    struct sim_document *from)
{
    count_taken(model, owner, event);
    if (document)
        age(model, document, event);
    if (from)
        age(model, from, event);
    model->situations.moves += from != NULL;
    model->situations.moves_to_deleted += from && document && document->presence == VF_HUSK_DELETED;
    model->situations.moves_from_nothing += from && from->presence != VF_PRESENT;
    if (has_handler(event)) {
        struct sim_chain moved = {0};
        bool is_barred = document && document->presence == VF_HUSK_DELETED && document->deleted_by != owner;
        if (!model->mended && is_failing(event) && (from || (document && !is_barred)))
            model->impossible = event;
        int64_t times_left = 0;
        if (from)
            moved = leave(from, owner, event, &times_left);
        if (document)
            change(model, document, owner, event, moved, times_left);
    }
    if (from)
        enter(model, from, owner, event);
    if (document)
        enter(model, document, owner, event);
}

/* --- links and waiting -------------------------------------------------------------------------------------------- */

static bool is_of(const struct sim_event *event, const struct vf_aside *aside)
{
    return event->offset == aside->offset && event->partition == aside->partition.partition &&
           strcmp(event->topic, aside->partition.topic) == 0;
}

int sim_step_find(const struct sim_step *step, const struct vf_aside *asides, size_t count,
                  const struct sim_waiting *waiting)
{
    char name[SIM_LIST_TEXT];
    sim_model_list_name(step->model, waiting, name);
    for (size_t i = 0; i < count; i++)
        if (vf_bytes_is(asides[i].list, name) && is_of(&step->log->events[waiting->event], &asides[i]))
            return (int)i;
    return -1;
}

static void wait_in(struct sim_step *step, int list, enum vf_list which, int owner, size_t event, bool misfit)
{
    struct sim_model *model = step->model;
    model->waiting[model->waiting_count++] =
        (struct sim_waiting){.event = event, .list = list, .which = which, .misfit = misfit, .fresh = true};
    if (which == VF_LIST_EARLY) {
        model->aggregates[owner].early++;
    } else {
        model->aggregates[owner].waiting++;
        model->aggregates[owner].behind |= !misfit;
    }
    const struct sim_event *waits = &step->log->events[event];
    model->aside[waits->topic_number][waits->partition] += step->arriving;
}

/* Whether the event's handler fails, if it is taken in there. */
static bool fails(const struct sim_model *model, const struct sim_event *event, int owner,
                  const struct sim_document *document, const struct sim_document *from)
{
    bool is_barred = document && document->presence == VF_HUSK_DELETED && document->deleted_by != owner;
    bool failing = is_failing(event) || sim_model_has_flaked(model, event);
    return model->parks && !model->mended && failing && (from || (document && !is_barred));
}

/* The event comes before all that waits of its aggregate. */
static void park(struct sim_step *step, int owner, size_t event, bool misfit)
{
    struct sim_model *model = step->model;
    wait_in(step, owner, VF_LIST_OWN, owner, event, misfit);
    struct sim_waiting parked = model->waiting[model->waiting_count - 1];
    memmove(model->waiting + 1, model->waiting, (size_t)(model->waiting_count - 1) * sizeof parked);
    model->waiting[0] = parked;
    model->aggregates[owner].parked = true;
    model->aggregates[owner].seeks = false;
    model->situations.parked++;
    model->situations.flaked += strcmp(step->log->events[event].type, "Flaky") == 0 && !misfit;
    model->situations.misfits += misfit;
}

/* Takes the first event out of a list, if the commit did. */
bool sim_step_take_out(struct sim_step *step, int list, enum vf_list which, size_t *ret_event)
{
    struct sim_model *model = step->model;
    const struct sim_waiting *first =
        which == VF_LIST_EARLY ? sim_model_early(model, step->log, list) : sim_model_first(model, list, which);
    if (first->fresh) {
        if (sim_step_find(step, step->commit->asides, step->commit->aside_count, first) >= 0)
            return false;
    } else {
        int taken = sim_step_find(step, step->commit->taken, step->commit->taken_count, first);
        if (taken < 0)
            return false;
        step->taken[taken] = true;
        model->situations.drained++;
    }
    *ret_event = first->event;
    int place = (int)(first - model->waiting);
    memmove(model->waiting + place, model->waiting + place + 1,
            (size_t)(--model->waiting_count - place) * sizeof *model->waiting);
    struct sim_aggregate *owner = &model->aggregates[sim_model_owner(model, &step->log->events[*ret_event])];
    *(which == VF_LIST_EARLY ? &owner->early : &owner->waiting) -= 1;
    return true;
}

void sim_step_open(struct sim_step *step, int list)
{
    enum vf_list which;
    if (sim_model_is_draining(step->model, step->log, list, &which))
        step->opened[step->opened_count++] = list;
}

static void write_link(struct sim_step *step, int owner, const char *link, int via, size_t index)
{
    struct sim_model *model = step->model;
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    struct sim_document *from = NULL;
    bool same = aggregate->has_link && strcmp(aggregate->link, link) == 0;
    model->situations.links_again += same;
    model->situations.to_none += !same && aggregate->has_link && !link[0];
    model->situations.followed += via >= 0;
    if (aggregate->has_link && !same)
        from = linked_document(model, owner);
    struct sim_document *to = link[0] ? sim_model_document(model, link) : NULL;
    if (fails(model, &step->log->events[index], owner, to, from)) {
        aggregate->waits_for = -1;
        park(step, owner, index, false);
        return;
    }
    char copy[SIM_TEXT];
    snprintf(copy, sizeof copy, "%s", link);
    memcpy(aggregate->link, copy, sizeof copy);
    aggregate->has_link = true;
    aggregate->via = via;
    aggregate->waits_for = -1;
    take_in(model, owner, &step->log->events[index], linked_document(model, owner), from);
    sim_step_open(step, owner);
}

static void take_in_or_park(struct sim_step *step, int owner, size_t index, struct sim_document *document)
{
    if (fails(step->model, &step->log->events[index], owner, document, NULL))
        park(step, owner, index, false);
    else
        take_in(step->model, owner, &step->log->events[index], document, NULL);
}

static void follow(struct sim_step *step, int owner, size_t index)
{
    struct sim_model *model = step->model;
    const struct sim_event *event = &step->log->events[index];
    if (event->says == SIM_SAYS_DOCUMENT) {
        write_link(step, owner, event->target_count ? event->targets[0] : "", -1, index);
        return;
    }
    int awaited = sim_model_aggregate(model, event->via);
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    if (aggregate->has_link && aggregate->via == awaited) { /* followed once */
        take_in_or_park(step, owner, index, linked_document(model, owner));
    } else if (model->aggregates[awaited].has_link) {
        write_link(step, owner, model->aggregates[awaited].link, awaited, index);
    } else { /* whatever `unlinked` says */
        aggregate->waits_for = awaited;
        wait_in(step, awaited, VF_LIST_WAITERS, owner, index, false);
    }
}

/* The event's number counts, as one's without a handler, and nothing else: it says no link, and goes to no document that only it
 * would name. */
void sim_step_leave_out(struct sim_step *step, int owner, size_t index)
{
    struct sim_event event = step->log->events[index];
    struct sim_model *model = step->model;
    /* What waited for a link may have been passed by the event that said it. */
    const struct sim_version *taken = &model->aggregates[owner].taken;
    bool has_siblings = event.numbers.numbers == VF_NUMBERS_REVISION;
    if (model->versions != VF_VERSIONS_NONE && event.numbers.numbers != VF_NUMBERS_OFFSET && taken->exists &&
        (event.version < taken->version || (event.version == taken->version && !has_siblings)))
        return;
    snprintf(event.type, sizeof event.type, "Noted");
    struct sim_document *document = NULL;
    if (!event.linked)
        document = strcmp(event.kind, "customer") == 0 ? sim_model_document(model, event.id) : NULL;
    else if (model->aggregates[owner].has_link)
        document = linked_document(model, owner);
    count_taken(model, owner, &event);
    if (!document)
        return;
    bool has_expires = document->has_expires;
    int64_t expires_ms = document->expires_ms;
    enter(model, document, owner, &event);
    document->has_expires = has_expires; /* its time is not to be relied on */
    document->expires_ms = expires_ms;
}

/* An event of an aggregate with a link route whose turn it is. */
static void act(struct sim_step *step, int owner, size_t index)
{
    struct sim_model *model = step->model;
    const struct sim_event *event = &step->log->events[index];
    bool barred = true;
    if (sim_model_is_left_out(model, step->log, index)) {
        sim_step_leave_out(step, owner, index);
    } else if (!event->linked) {
        for (int i = 0; i < event->target_count; i++)
            barred &= !fails(model, event, owner, sim_model_document(model, event->targets[i]), NULL);
        if (!barred)
            park(step, owner, index, false);
        else
            count_taken(model, owner, event);
        for (int i = 0; i < event->target_count && barred; i++)
            take_in(model, owner, event, sim_model_document(model, event->targets[i]), NULL);
    } else if (event->says != SIM_SAYS_NOTHING)
        follow(step, owner, index);
    else if (model->aggregates[owner].has_link)
        take_in_or_park(step, owner, index, linked_document(model, owner));
    else if (model->unlinked == VF_UNLINKED_IGNORE) {
        count_taken(model, owner, event);
        model->situations.ignored++;
    } else
        wait_in(step, owner, VF_LIST_OWN, owner, index, false);
}

/* What had to wait is in, and with it the last version of it that there is. */
void sim_step_settle(struct sim_model *model, int owner)
{
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    if (!aggregate->behind || aggregate->waiting)
        return;
    aggregate->behind = false;
    struct sim_document *document = linked_document(model, owner);
    if (document && document->parts[owner].entered) {
        document->parts[owner].loose = false;
        document->parts[owner].last = aggregate->last;
    }
}

/* What says a link through another aggregate fails where that one is linked to. */
static bool notes_fail(struct sim_step *step, int owner, const struct sim_event *event)
{
    struct sim_model *model = step->model;
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    const char *link = event->target_count ? event->targets[0] : "";
    if (event->says == SIM_SAYS_THROUGH) {
        int awaited = sim_model_aggregate(model, event->via);
        if (aggregate->has_link && aggregate->via == awaited)
            return fails(model, event, owner, linked_document(model, owner), NULL);
        if (!model->aggregates[awaited].has_link)
            return false;
        link = model->aggregates[awaited].link;
    }
    bool same = aggregate->has_link && strcmp(aggregate->link, link) == 0;
    struct sim_document *from = aggregate->has_link && !same ? linked_document(model, owner) : NULL;
    return fails(model, event, owner, link[0] ? sim_model_document(model, link) : NULL, from);
}

/* The first event of its aggregate's own list fails once more, and stays where it is; if the commit came as far as that. */
static bool fails_first(struct sim_step *step, int list)
{
    struct sim_model *model = step->model;
    const struct sim_waiting *first = sim_model_first(model, list, VF_LIST_OWN);
    const struct sim_event *event = &step->log->events[first->event];
    struct sim_document *document = linked_document(model, list);
    bool parks = sim_step_says_parked(step, list);
    bool stays = first->fresh ? sim_step_find(step, step->commit->asides, step->commit->aside_count, first) >= 0
                              : sim_step_find(step, step->commit->taken, step->commit->taken_count, first) < 0;
    /* That another record's decision means this one, too, a worker learns only when it reads the decisions. */
    if (sim_model_is_left_out(model, step->log, first->event) &&
        (!parks || !stays || sim_model_is_meant(model, step->log, first->event)))
        return false;
    /* What was missing before it may have come meanwhile, as the event that all wait for. */
    bool failing = first->misfit && sim_model_is_misfit(model, event, &model->aggregates[list].taken);
    if (event->linked && event->says == SIM_SAYS_NOTHING)
        failing |= fails(model, event, list, document, NULL);
    else if (event->linked)
        failing |= notes_fail(step, list, event);
    for (int i = 0; !event->linked && i < event->target_count; i++)
        failing |= fails(model, event, list, sim_model_document(model, event->targets[i]), NULL);
    if (failing && parks) {
        model->aggregates[list].parked = true;
        model->aggregates[list].seeks = false;
        model->situations.parked++;
        model->situations.flaked += sim_model_has_flaked(model, event);
        count_seen(model, list, event,
                   first->misfit && !sim_model_is_misfit(model, event, &model->aggregates[list].taken));
    }
    return failing;
}

/* An event that comes now, or came early and is next: behind what waits of its aggregate, unless it says the link for which that
 * waits. */
static void come(struct sim_step *step, int owner, size_t index)
{
    struct sim_model *model = step->model;
    const struct sim_event *event = &step->log->events[index];
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    sim_version_advance(&aggregate->last, event);
    bool says_link =
        event->linked && event->says != SIM_SAYS_NOTHING && !sim_model_is_left_out(model, step->log, index);
    bool awaited =
        says_link && !aggregate->has_link && aggregate->waits_for < 0 && !aggregate->parked && !aggregate->seeks;
    if ((aggregate->waiting && !awaited) ||
        (says_link && aggregate->has_link && sim_model_first(model, owner, VF_LIST_WAITERS))) {
        model->situations.held_behind += aggregate->has_link;
        model->situations.behind_parked += aggregate->parked;
        wait_in(step, owner, VF_LIST_OWN, owner, index, false);
    } else {
        act(step, owner, index);
    }
}

static void drain(struct sim_step *step, int list)
{
    struct sim_model *model = step->model;
    size_t index;
    enum vf_list which;
    while (sim_model_is_draining(model, step->log, list, &which)) {
        if (which == VF_LIST_OWN && fails_first(step, list)) {
            if (!model->aggregates[list].parked)
                break;
            continue; /* what came early comes behind it now */
        }
        if (which == VF_LIST_OWN && sim_step_stays_first(step, list)) {
            const struct sim_waiting looked_at = *sim_model_first(model, list, which);
            const struct sim_event *event = &step->log->events[looked_at.event];
            if (!sim_step_seek(step, list) && model->aggregates[list].seeks)
                break;
            count_seen(model, list, event,
                       looked_at.misfit && !sim_model_is_misfit(model, event, &model->aggregates[list].taken));
            continue;
        }
        /* Of what is left out and is next to nothing, nothing becomes. */
        const struct sim_waiting *first = sim_model_first(model, list, which);
        bool is_nothing = first && first->misfit && sim_model_is_left_out(model, step->log, first->event) &&
                          sim_model_is_misfit(model, &step->log->events[first->event], &model->aggregates[list].taken);
        if (!sim_step_take_out(step, list, which, &index))
            break;
        if (is_nothing)
            continue;
        int owner = sim_model_owner(model, &step->log->events[index]);
        if (which == VF_LIST_OWN) {
            act(step, owner, index);
        } else if (which == VF_LIST_EARLY) {
            const struct sim_version *last = &model->aggregates[owner].last;
            const struct sim_event *event = &step->log->events[index];
            if (!sim_version_is_late(last, event) && !sim_model_is_given_up(model, step->log, owner, event)) {
                model->situations.filled++;
                come(step, owner, index);
            }
        } else {
            char link[SIM_TEXT];
            memcpy(link, model->aggregates[list].link, sizeof link);
            write_link(step, owner, link, list, index);
            sim_step_settle(model, owner);
        }
    }
    model->aggregates[list].seeks &= sim_model_first(model, list, VF_LIST_OWN) != NULL;
    sim_step_settle(model, list);
}

void sim_step_drain(struct sim_step *step)
{
    for (int i = 0; i < step->opened_count; i++)
        drain(step, step->opened[i]);
    step->opened_count = 0;
}

/* --- a record ----------------------------------------------------------------------------------------------------- */

static bool is_early(const struct sim_model *model, const struct sim_event *event,
                     const struct sim_aggregate *aggregate)
{
    if (!model->parks || !sim_event_is_counted(event) || event->numbers.allowed || model->versions == VF_VERSIONS_NONE)
        return false;
    return aggregate->last.exists ? event->version > aggregate->last.version + 1
                                  : !event->numbers.any && event->version > event->numbers.first;
}

static void arrive(struct sim_step *step, size_t index)
{
    struct sim_model *model = step->model;
    const struct sim_event *event = &step->log->events[index];
    int owner = sim_model_owner(model, event);
    struct sim_aggregate *aggregate = &model->aggregates[owner];
    struct sim_tally *tally = &model->tallies[sim_kind_of(&event->numbers)];
    bool at_last = aggregate->last.exists && aggregate->last.version == event->version;
    if (sim_model_is_misfit(model, event, &aggregate->last)) {
        if (sim_step_leaves_out(step, index))
            return;
        if (aggregate->waiting) {
            model->situations.behind_parked++;
            wait_in(step, owner, VF_LIST_OWN, owner, index, true);
        } else {
            park(step, owner, index, true);
        }
        model->misfit[event->original] = true;
        aggregate->linked = event->linked;
        return;
    }
    enum vf_list which;
    if (model->misfit[event->original] && event->version < aggregate->last.version) {
        tally->by_number++; /* it is set aside, or left out, and its number has been passed */
        return;
    }
    if (model->versions != VF_VERSIONS_NONE && model->dealt[event->original]) {
        /* What it repeats may be in a list that is being taken in, of which the rest comes before anything else. */
        if (event->version > aggregate->last.version && sim_model_is_draining(model, step->log, owner, &which)) {
            step->arriving = false; /* of what leaves its list, nothing is set aside for the first time */
            sim_step_open(step, owner);
            sim_step_drain(step);
        }
        bool alike = event->numbers.numbers == VF_NUMBERS_OFFSET || /* a new offset, and nothing else in common */
                     (event->numbers.numbers == VF_NUMBERS_REVISION && at_last);
        *(alike ? &tally->by_id : &tally->by_number) += 1;
        return;
    }
    model->dealt[event->original] = true;
    if (model->versions != VF_VERSIONS_NONE &&
        (((event->numbers.allowed || event->numbers.numbers == VF_NUMBERS_REVISION ||
           sim_model_has_given_up(model, step->log, owner)) &&
          sim_version_is_late(&aggregate->last, event)) ||
         sim_model_is_given_up(model, step->log, owner, event))) {
        model->situations.late++;
        return;
    }
    aggregate->linked = event->linked;
    if (is_early(model, event, aggregate) && event->version > sim_model_next(model, step->log, owner, event)) {
        model->situations.early++;
        wait_in(step, owner, VF_LIST_EARLY, owner, index, false);
        return;
    }
    const struct sim_waiting *early = sim_model_early(model, step->log, owner);
    if (early && event->numbers.numbers == VF_NUMBERS_REVISION &&
        event->version >= step->log->events[early->event].version) { /* behind what only waits to be asked for */
        model->situations.early++;
        wait_in(step, owner, VF_LIST_EARLY, owner, index, false);
        sim_step_open(step, owner);
        return;
    }
    model->situations.allowed +=
        event->numbers.allowed && model->versions != VF_VERSIONS_NONE && sim_version_has_gap(&aggregate->last, event);
    tally->taken++;
    tally->siblings += at_last && model->versions != VF_VERSIONS_NONE; /* else it may be a repeat */
    if (sim_model_is_draining(model, step->log, owner, &which)) {
        step->arriving = false;
        sim_step_open(step, owner);
        sim_step_drain(step);
        step->arriving = true;
    }
    come(step, owner, index);
    sim_step_open(step, owner);
}

static bool is_in(const struct sim_event *event, const struct vf_progress_change *change)
{
    int64_t from = change->from.exists ? change->from.next : 0;
    return event->partition == change->partition.partition && strcmp(event->topic, change->partition.topic) == 0 &&
           event->offset >= from && event->offset < change->to.next;
}

/* Events stand in the order of producing, which is each partition's order too, and that in which a poll brings them. */
static void deal_with_records(struct sim_step *step)
{
    for (size_t i = 0; i < step->log->count; i++)
        for (size_t p = 0; p < step->commit->progress_count; p++)
            if (is_in(&step->log->events[i], &step->commit->progress[p])) {
                step->arriving = true;
                arrive(step, i);
                step->arriving = false;
                sim_step_drain(step);
            }
}

/* --- one commit --------------------------------------------------------------------------------------------------- */

static int topic_of(const struct sim_step *step, const char *topic)
{
    for (size_t i = 0; i < step->log->count; i++)
        if (strcmp(step->log->events[i].topic, topic) == 0)
            return step->log->events[i].topic_number;
    return -1; /* nothing was ever sent to it */
}

static enum vf_code move_progress(struct sim_step *step, struct vf_error *error)
{
    for (size_t i = 0; i < step->commit->progress_count; i++) {
        const struct vf_progress_change *change = &step->commit->progress[i];
        int topic = topic_of(step, change->partition.topic);
        if (topic < 0)
            continue;
        int64_t *next = &step->model->next[topic][change->partition.partition];
        int64_t from = change->from.exists ? change->from.next : 0;
        if (from != *next)
            STRANGE("%s/%d goes on from %lld, and %lld was reached", change->partition.topic,
                    change->partition.partition, (long long)from, (long long)*next);
        *next = change->to.next;
    }
    return VF_OK;
}

/* What has come into lists and stays there gets its place; everything the commit says about lists must have come true. */
static enum vf_code settle_lists(struct sim_step *step, struct vf_error *error)
{
    struct sim_model *model = step->model;
    for (int i = 0; i < model->waiting_count; i++) {
        struct sim_waiting *waiting = &model->waiting[i];
        const struct sim_event *event = &step->log->events[waiting->event];
        if (!waiting->fresh)
            continue;
        int aside = sim_step_find(step, step->commit->asides, step->commit->aside_count, waiting);
        if (aside < 0)
            STRANGE("%s/%d@%lld waits for %s, and is not set aside there", event->topic, event->partition,
                    (long long)event->offset, model->aggregates[waiting->list].name);
        step->aside[aside] = true;
        waiting->fresh = false;
        waiting->place = step->commit->asides[aside].place;
        model->situations.held++;
        model->situations.held_through += waiting->list != sim_model_owner(model, event);
    }
    for (size_t i = 0; i < step->commit->aside_count; i++)
        if (!step->aside[i])
            STRANGE("%s/%d@%lld is set aside for %.*s, and does not have to wait for that",
                    step->commit->asides[i].partition.topic, step->commit->asides[i].partition.partition,
                    (long long)step->commit->asides[i].offset, (int)step->commit->asides[i].list.size,
                    step->commit->asides[i].list.data);
    for (size_t i = 0; i < step->commit->taken_count; i++)
        if (!step->taken[i])
            STRANGE("%s/%d@%lld was taken out of the list of %.*s, and its turn has not come",
                    step->commit->taken[i].partition.topic, step->commit->taken[i].partition.partition,
                    (long long)step->commit->taken[i].offset, (int)step->commit->taken[i].list.size,
                    step->commit->taken[i].list.data);
    enum vf_list which;
    for (int i = 0; i < model->aggregate_count; i++)
        model->situations.in_parts += sim_model_is_draining(model, step->log, i, &which);
    return VF_OK;
}

/* A commit of somebody who has tried again what was parked. */
static void try_again(struct sim_step *step, int list, const struct vf_aggregate *next)
{
    struct sim_aggregate *aggregate = &step->model->aggregates[list];
    bool took_some = !next->parked;
    for (size_t i = 0; i < step->commit->taken_count; i++)
        took_some |= vf_bytes_is(step->commit->taken[i].list, aggregate->name);
    if (!aggregate->parked || !took_some)
        return;
    aggregate->parked = false;
    step->model->situations.retried++;
    aggregate->seeks = aggregate->linked && !aggregate->has_link;
}

enum vf_code sim_model_step(struct sim_model *model, const struct sim_log *log, const struct vf_commit *commit,
                            struct vf_error *error)
{
    struct sim_step step = {.model = model,
                            .log = log,
                            .commit = commit,
                            .taken = vf_calloc(commit->taken_count + 1, sizeof(bool)),
                            .aside = vf_calloc(commit->aside_count + 1, sizeof(bool))};
    bool was_parked[SIM_AGGREGATES_MAX] = {
        false}; /* others may be parked in this step, after some of theirs were taken in */
    for (int i = 0; i < model->aggregate_count; i++)
        was_parked[i] = model->aggregates[i].parked && commit->dropped_count == 0;
    sim_step_find_flaked(&step);
    sim_step_find_asked(&step);
    enum vf_code code = sim_step_carry_out(&step, error);
    /* Lists that an earlier commit has left are gone on with in commits of their own, or before anything new of their aggregate. */
    for (size_t i = 0; i < commit->aggregate_count && commit->progress_count == 0; i++) {
        char name[2 * SIM_TEXT];
        if (commit->aggregates[i].intent != VF_WRITE)
            continue;
        struct vf_bytes owner = commit->aggregates[i].next.aggregate;
        snprintf(name, sizeof name, "%.*s", (int)owner.size, owner.data);
        int list = sim_model_aggregate(model, name);
        if (was_parked[list])
            try_again(&step, list, &commit->aggregates[i].next);
        sim_step_open(&step, list);
        sim_step_drain(&step);
    }
    if (code) {
        free(step.taken);
        free(step.aside);
        return code;
    }
    if (sim_is_sweep(commit)) {
        code = sim_model_sweep(model, log, commit, error);
    } else {
        deal_with_records(&step);
        code = settle_lists(&step, error);
        if (!code)
            code = move_progress(&step, error);
    }
    sim_step_forget_asked(&step);
    if (!code && model->impossible)
        code = vf_fail(error, VF_E_DATA, "%s/%d@%lld, %s/%s %s, was taken in, and cannot be", model->impossible->topic,
                       model->impossible->partition, (long long)model->impossible->offset, model->impossible->kind,
                       model->impossible->id, model->impossible->type);
    free(step.taken);
    free(step.aside);
    return code;
}
