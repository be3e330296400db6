#include "sim/sim_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void sim_version_advance(struct sim_version *last, const struct sim_event *event)
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
        last->ids[last->id_count++] = atoi(event->event_id + 1);
    }
    last->exists = true;
    last->numbers = event->numbers;
    last->version = event->version;
    snprintf(last->text, sizeof last->text, "%s", event->text);
}

bool sim_event_is_counted(const struct sim_event *event)
{
    return event->numbers.numbers == VF_NUMBERS_SEQUENCE || event->numbers.numbers == VF_NUMBERS_REVISION;
}

bool sim_version_has_gap(const struct sim_version *last, const struct sim_event *event)
{
    if (!sim_event_is_counted(event))
        return false;
    return last->exists ? event->version > last->version + 1
                        : !event->numbers.any && event->version != event->numbers.first;
}

bool sim_version_is_late(const struct sim_version *last, const struct sim_event *event)
{
    bool has_siblings = event->numbers.numbers == VF_NUMBERS_REVISION;
    return last->exists && (has_siblings ? event->version < last->version : event->version <= last->version);
}
