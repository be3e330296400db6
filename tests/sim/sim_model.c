#include "sim/sim_model.h"

#include "sim/plain_projector.h"

#include <stdio.h>
#include <stdlib.h>

const char *const sim_kind_names[SIM_KINDS] = {"sequence", "revision", "ordered", "strings", "offset", "window"};

enum sim_kind sim_kind_of(const struct sim_numbers *numbers)
{
    switch (numbers->numbers) {
    case VF_NUMBERS_SEQUENCE: return SIM_SEQUENCE;
    case VF_NUMBERS_REVISION: return SIM_REVISION;
    case VF_NUMBERS_ORDERED: return numbers->text ? SIM_STRINGS : SIM_ORDERED;
    case VF_NUMBERS_OFFSET: return numbers->repeats ? SIM_WINDOW : SIM_OFFSET;
    }
    return SIM_KINDS;
}

static struct sim_last *last_of(struct sim_model *model, const char *aggregate)
{
    for (size_t i = 0; i < model->last_count; i++)
        if (strcmp(model->lasts[i].aggregate, aggregate) == 0)
            return &model->lasts[i];
    model->lasts = vf_realloc(model->lasts, (model->last_count + 1) * sizeof *model->lasts);
    struct sim_last *last = &model->lasts[model->last_count++];
    *last = (struct sim_last){0};
    snprintf(last->aggregate, sizeof last->aggregate, "%s", aggregate);
    return last;
}

static struct sim_document *document_of(struct sim_model *model, const char *id)
{
    size_t place = 0;
    while (place < model->document_count && strcmp(model->documents[place].id, id) < 0)
        place++;
    if (place < model->document_count && strcmp(model->documents[place].id, id) == 0)
        return &model->documents[place];
    model->documents = vf_realloc(model->documents, (model->document_count + 1) * sizeof *model->documents);
    memmove(model->documents + place + 1, model->documents + place,
            (model->document_count - place) * sizeof *model->documents);
    model->document_count++;
    struct sim_document *document = &model->documents[place];
    *document = (struct sim_document){0};
    snprintf(document->id, sizeof document->id, "%s", id);
    return document;
}

static struct sim_part *part_of(struct sim_document *document, const char *aggregate)
{
    size_t place = 0;
    while (place < document->part_count && strcmp(document->parts[place].aggregate, aggregate) < 0)
        place++;
    if (place < document->part_count && strcmp(document->parts[place].aggregate, aggregate) == 0)
        return &document->parts[place];
    document->parts = vf_realloc(document->parts, (document->part_count + 1) * sizeof *document->parts);
    memmove(document->parts + place + 1, document->parts + place,
            (document->part_count - place) * sizeof *document->parts);
    document->part_count++;
    struct sim_part *part = &document->parts[place];
    *part = (struct sim_part){0};
    snprintf(part->aggregate, sizeof part->aggregate, "%s", aggregate);
    return part;
}

static void move(struct sim_version *last, const struct sim_event *event)
{
    bool same = last->exists && last->version == event->version;
    bool by_number = event->numbers.numbers == VF_NUMBERS_REVISION;
    bool by_window = event->numbers.numbers == VF_NUMBERS_OFFSET && event->numbers.repeats > 0;
    if ((by_number && !same) || (!by_number && !by_window))
        last->id_count = 0;
    if ((by_number || by_window) && event->event_id[0]) {
        int most = by_window ? event->numbers.repeats : SIM_IDS_MAX;
        if (last->id_count == most)
            memmove(last->ids, last->ids + 1, (size_t)--last->id_count * sizeof last->ids[0]);
        snprintf(last->ids[last->id_count++], SIM_TEXT, "%s", event->event_id);
    }
    last->exists = true;
    last->numbers = event->numbers;
    last->version = event->version;
    snprintf(last->text, sizeof last->text, "%s", event->text);
}

static void fold_event(struct sim_model *model, const struct sim_event *event, enum vf_versions_mode versions)
{
    char aggregate[2 * SIM_TEXT];
    snprintf(aggregate, sizeof aggregate, "%s/%s", event->kind, event->id);
    struct sim_last *last = last_of(model, aggregate);
    struct sim_tally *tally = &model->tallies[sim_kind_of(&event->numbers)];
    bool at_last = last->last.exists && last->last.version == event->version;
    if (versions != VF_VERSIONS_NONE && model->taken[event->original]) {
        bool alike = event->numbers.numbers == VF_NUMBERS_OFFSET || /* a new offset, and nothing else in common */
                     (event->numbers.numbers == VF_NUMBERS_REVISION && at_last);
        *(alike ? &tally->by_id : &tally->by_number) += 1;
        return;
    }
    model->taken[event->original] = true;
    tally->taken++;
    tally->siblings += at_last && versions != VF_VERSIONS_NONE; /* else it may be a repeat */
    move(&last->last, event);
    if (event->link && !last->has_link && strcmp(event->type, "Created") == 0) {
        last->has_link = true;
        snprintf(last->link, sizeof last->link, "%s", event->target_count ? event->targets[0] : "");
    }
    const char *linked[1] = {last->link};
    int count = event->link ? (last->link[0] ? 1 : 0) : event->target_count;
    for (int i = 0; i < count; i++) {
        struct sim_document *document = document_of(model, event->link ? linked[0] : event->targets[i]);
        struct sim_part *part = part_of(document, aggregate);
        document->revision++;
        move(&part->last, event);
        if (strcmp(event->type, "Noted") == 0)
            continue;
        document->present = true;
        part->count++;
        part->hash = vf_plain_chain(part->hash, event->version, vf_bytes_from(event->event_id), event->type[0]);
    }
}

void sim_model_fold(struct sim_model *model, const struct sim_event *events, size_t count,
                    enum vf_versions_mode versions, sim_next *next, void *self)
{
    *model = (struct sim_model){.taken = vf_calloc(count ? count : 1, sizeof *model->taken)};
    /* Events stand in the order of producing, which is each partition's order too. */
    for (size_t i = 0; i < count; i++)
        if (events[i].offset < next(self, events[i].topic, events[i].partition))
            fold_event(model, &events[i], versions);
}

void sim_model_done(struct sim_model *model)
{
    for (size_t i = 0; i < model->document_count; i++)
        free(model->documents[i].parts);
    free(model->documents);
    free(model->lasts);
    free(model->taken);
    *model = (struct sim_model){0};
}
