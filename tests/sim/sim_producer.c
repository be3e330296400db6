#include "sim/sim_producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/plain_projector.h"

static const struct vf_link card_links[] = {{.type = "Created"},
                                            {.type = "Issued", .through = "account"},
                                            {.type = "Misdirected"},
                                            {.type = "Reassigned"},
                                            {.type = "Removed"}};
static const struct vf_link note_links[] = {{.type = NULL, .through = "card"}};

const struct sim_topic sim_topics[SIM_TOPICS] = {
    [SIM_CUSTOMERS] = {"customers", {.kind = "customer", .route = VF_ROUTE_OWN}, 'c'},
    [SIM_ORDERS] = {"orders", {"order", VF_ROUTE_LINK, vf_plain_links, VF_PLAIN_LINKS}, 'o'},
    [SIM_TAGS] = {"tags", {.kind = "tag", .route = VF_ROUTE_FIELD}, 't'},
    [SIM_ACCOUNTS] = {"accounts", {"account", VF_ROUTE_LINK, vf_plain_links, VF_PLAIN_LINKS}, 'a'},
    [SIM_CARDS] = {"cards", {"card", VF_ROUTE_LINK, card_links, sizeof card_links / sizeof *card_links}, 'k'},
    [SIM_NOTES] = {"notes", {"note", VF_ROUTE_LINK, note_links, 1}, 'n'},
    [SIM_DAYS] = {"days", {.kind = "day", .route = VF_ROUTE_FUNCTION}, 'd'},
};

static uint64_t below(struct sim_producer *producer, uint64_t limit)
{
    return vf_sim_random_below(producer->random, limit);
}

struct sim_numbers sim_producer_choose(struct sim_producer *producer, int topic, enum sim_kind kind)
{
    static const struct sim_numbers all[SIM_KINDS] = {
        [SIM_SEQUENCE] = {.numbers = VF_NUMBERS_SEQUENCE},
        [SIM_REVISION] = {.numbers = VF_NUMBERS_REVISION},
        [SIM_ORDERED] = {.numbers = VF_NUMBERS_ORDERED},
        [SIM_STRINGS] = {.numbers = VF_NUMBERS_ORDERED, .text = true},
        [SIM_OFFSET] = {.numbers = VF_NUMBERS_OFFSET},
        [SIM_WINDOW] = {.numbers = VF_NUMBERS_OFFSET, .repeats = 1},
    };
    struct sim_numbers *numbers = &producer->numbers[topic];
    *numbers = all[kind < SIM_KINDS ? kind : (enum sim_kind)below(producer, SIM_KINDS)];
    if (numbers->repeats)
        numbers->repeats = 1 + (int)below(producer, below(producer, 2) ? 4 : SIM_IDS_MAX);
    numbers->first = below(producer, 2) ? 1 : (int64_t)below(producer, 4) - 2;
    numbers->any = below(producer, 4) == 0;
    bool may_have_gaps = numbers->numbers == VF_NUMBERS_SEQUENCE || numbers->numbers == VF_NUMBERS_REVISION;
    numbers->allowed = may_have_gaps && (producer->gaps_allowed || below(producer, 4) == 0);
    return *numbers;
}

static bool is_same_aggregate(const struct sim_event *a, const struct sim_event *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->id, b->id) == 0;
}

static void add_to_history(struct sim_history *history, const struct sim_event *past, const struct sim_event *event)
{
    if (!is_same_aggregate(past, event))
        return;
    if (history->count == 0 || past->version > history->last) {
        history->last = past->version;
        history->at_last = 0;
    }
    history->at_last += past->version == history->last;
    history->count++;
    if (past->says != SIM_SAYS_NOTHING && strcmp(past->type, "Misdirected") != 0)
        history->linking = past;
}

static struct sim_history history_of(const struct sim_producer *producer, const struct sim_event *event)
{
    struct sim_history history = {0};
    for (size_t i = 0; i < producer->event_count; i++)
        if (producer->events[i].original == i)
            add_to_history(&history, &producer->events[i], event);
    for (size_t i = 0; i < producer->withheld_count; i++)
        add_to_history(&history, &producer->withheld[i], event);
    return history;
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

static void print_time(struct vf_buffer *value, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm broken_down;
    char text[SIM_TEXT];
    gmtime_r(&seconds, &broken_down);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &broken_down);
    vf_buffer_printf(value, ",\"time\":\"%s.%03dZ\"", text, (int)(time_ms % 1000));
}

static void print_value(struct vf_buffer *value, const struct sim_event *event)
{
    vf_buffer_printf(value, "{\"kind\":\"%s\",\"id\":\"%s\",\"type\":\"%s\",\"version\":", event->kind, event->id,
                     event->type);
    if (event->text[0])
        vf_buffer_printf(value, "\"%s\"", event->text);
    else
        vf_buffer_add_int(value, event->version);
    if (event->event_id[0])
        vf_buffer_printf(value, ",\"event_id\":\"%s\"", event->event_id);
    if (event->time_ms != event->record_ms)
        print_time(value, event->time_ms);
    vf_buffer_add_text(value, ",\"data\":{");
    if (event->says == SIM_SAYS_THROUGH)
        vf_buffer_printf(value, "\"via\":\"%s\",", strchr(event->via, '/') + 1);
    vf_buffer_add_text(value, "\"to\":");
    if (event->target_count == 0) {
        vf_buffer_add_text(value, "null");
    } else if (event->target_count == 1) {
        vf_buffer_printf(value, "\"%s\"", event->targets[0]);
    } else {
        for (int i = 0; i < event->target_count; i++)
            vf_buffer_printf(value, "%s\"%s\"", i ? "," : "[", event->targets[i]);
        vf_buffer_add_text(value, "]");
    }
    vf_buffer_add_text(value, "}}");
}

static void append(struct sim_producer *producer, const struct sim_event *event)
{
    struct sim_event *kept = &producer->events[producer->event_count];
    *kept = *event;
    if (kept->time_ms == kept->record_ms) /* else a repeat says the same time again */
        kept->time_ms = producer->clock->wall_ms;
    kept->record_ms = producer->clock->wall_ms;
    struct vf_partition at = {kept->topic, kept->partition};
    if (below(producer, 12) == 0)
        vf_memory_log_leave_hole(producer->log, at, 1 + (int64_t)below(producer, 3));
    struct vf_buffer value;
    vf_buffer_init(&value);
    print_value(&value, kept);
    kept->offset = vf_memory_log_append(producer->log, at, vf_bytes_from(kept->id), vf_bytes(value.data, value.size),
                                        kept->record_ms);
    vf_buffer_done(&value);
    if (kept->numbers.numbers == VF_NUMBERS_OFFSET)
        kept->version = kept->offset + 1;
    producer->event_count++;
}

/* --- sending again ------------------------------------------------------------------------------------------------ */

/* Whether the view can tell that this record is sent again: by its number, or while its id is remembered. */
static bool is_told(const struct sim_producer *producer, const struct sim_event *event)
{
    int later = 0;
    if (event->numbers.numbers != VF_NUMBERS_OFFSET)
        return true;
    for (size_t i = event->original + 1; i < producer->event_count; i++) {
        const struct sim_event *other = &producer->events[i];
        later += other->original == i && other->event_id[0] && is_same_aggregate(other, event);
    }
    return event->event_id[0] && later < event->numbers.repeats;
}

/* An outbox relay sends once more what it has sent before: any old event of the aggregate, with a new offset. What the view
 * cannot know to be a repeat is an event of its own; with a window that is left out, as it would be a mistake of `repeats`. */
static void repeat(struct sim_producer *producer)
{
    if (producer->event_count == 0)
        return;
    struct sim_event event = producer->events[below(producer, producer->event_count)];
    /* What cannot wait at its number has no place in any order, as long as something is missing before it. */
    bool has_no_place = producer->with_gaps && event.numbers.numbers == VF_NUMBERS_SEQUENCE && event.version < 0;
    if (event.stops || has_no_place)
        return;
    if (!is_told(producer, &event)) {
        if (event.numbers.repeats && event.event_id[0])
            return;
        event.original = producer->event_count;
    }
    append(producer, &event);
}

/* --- new events --------------------------------------------------------------------------------------------------- */

static int partition_of(const struct sim_producer *producer, int topic, const char *id)
{
    unsigned hash = 5381;
    for (const char *c = id; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    return (int)(hash % (unsigned)producer->partitions[topic]);
}

static bool has_id(const struct sim_event *past, const struct sim_event *event, const char *id)
{
    return past->version == event->version && is_same_aggregate(past, event) && strcmp(past->event_id, id) == 0;
}

/* An id that tells nothing apart may be anything. In a window it is new; of a revision, new among those of its number. */
static bool is_free(const struct sim_producer *producer, const struct sim_event *event, const char *id)
{
    if (event->numbers.repeats)
        return false;
    if (event->numbers.numbers != VF_NUMBERS_REVISION)
        return true;
    for (size_t i = 0; i < producer->event_count; i++)
        if (has_id(&producer->events[i], event, id))
            return false;
    for (size_t i = 0; i < producer->withheld_count; i++)
        if (has_id(&producer->withheld[i], event, id))
            return false;
    return true;
}

static void choose_id(struct sim_producer *producer, struct sim_event *event)
{
    size_t number = producer->id_count++; /* new: what is withheld has one too */
    if (number && below(producer, 4) == 0) {
        char id[SIM_TEXT]; /* one that was there before, with another event */
        snprintf(id, sizeof id, "e%zu", (size_t)below(producer, number));
        if (is_free(producer, event, id))
            number = (size_t)strtoull(id + 1, NULL, 10);
    }
    /* Where the id decides, the envelope wants one. */
    if (event->numbers.numbers == VF_NUMBERS_REVISION || event->numbers.repeats || below(producer, 8))
        snprintf(event->event_id, sizeof event->event_id, "e%zu", number);
}

static void choose_number(struct sim_producer *producer, const struct sim_history *history, struct sim_event *event)
{
    event->version = history->last + 1;
    if (sim_event_is_counted(event) && history->count == 0)
        event->version = event->numbers.any ? (int64_t)below(producer, 1000) - 500 : event->numbers.first;
    switch (event->numbers.numbers) {
    case VF_NUMBERS_SEQUENCE:
    case VF_NUMBERS_OFFSET: break;
    case VF_NUMBERS_REVISION: /* one more event of the last transaction, or the first of the next */
        if (history->count && history->at_last < 4 && below(producer, 2))
            event->version = history->last;
        break;
    case VF_NUMBERS_ORDERED:
        if (history->count)
            event->version += (int64_t)below(producer, 3) * (int64_t)below(producer, 200);
        else
            event->version = (int64_t)below(producer, 30) - (event->numbers.text ? 0 : 20);
        if (event->numbers.text)
            snprintf(event->text, sizeof event->text, "%08llx", (unsigned long long)event->version);
        break;
    }
    choose_id(producer, event);
}

static void choose_targets(struct sim_producer *producer, int topic, const struct sim_history *history,
                           struct sim_event *event)
{
    if (topic == SIM_CUSTOMERS) {
        event->target_count = 1;
        snprintf(event->targets[0], SIM_TEXT, "%s", event->id);
    } else if (topic == SIM_ORDERS) {
        if (history->count == 0) {
            snprintf(event->type, sizeof event->type, "Created");
            event->says = SIM_SAYS_DOCUMENT;
            event->target_count = below(producer, 8) != 0;
            snprintf(event->targets[0], SIM_TEXT, "c%llu", (unsigned long long)below(producer, 6));
        }
    } else {
        event->target_count = (int)below(producer, SIM_TARGETS_MAX);
        uint64_t first = below(producer, 6);
        for (int i = 0; i < event->target_count; i++)
            snprintf(event->targets[i], SIM_TEXT, "c%llu", (unsigned long long)(first + (uint64_t)i) % 6);
    }
}

/* Makes a number that cannot be taken in: behind a hole, before the first, or of another form; or leaves out the id. */
static bool spoil_number(struct sim_producer *producer, const struct sim_history *history, struct sim_event *event)
{
    bool may_miss = event->numbers.allowed;
    if (producer->versions == VF_VERSIONS_NONE)
        return false;
    if ((event->numbers.repeats || event->numbers.numbers == VF_NUMBERS_REVISION) && below(producer, 2)) {
        event->event_id[0] = '\0';
        return true;
    }
    switch (event->numbers.numbers) {
    case VF_NUMBERS_OFFSET: return false;
    case VF_NUMBERS_SEQUENCE:
    case VF_NUMBERS_REVISION:
        if (may_miss || (history->count == 0 && event->numbers.any))
            return false;
        event->version += history->count == 0 && below(producer, 2) ? -1 : 1;
        event->version += history->count && event->version == history->last + 1; /* a sibling's had not moved on yet */
        return true;
    case VF_NUMBERS_ORDERED:
        if (history->count == 0)
            return false;
        if (event->numbers.text && below(producer, 2))
            event->text[0] = '\0';
        else
            snprintf(event->text, sizeof event->text, "%09llx", (unsigned long long)event->version);
        return true;
    }
    return false;
}

/* Makes an event that can never be taken in, where there is a way. */
static void spoil(struct sim_producer *producer, const struct sim_history *history, struct sim_event *event)
{
    /* With joins it depends on what became of the document whether a handler runs: then the model tells. */
    event->misnumbered = !producer->without_repeats && below(producer, 2) && spoil_number(producer, history, event);
    event->stops = event->misnumbered || !producer->joins;
    if (event->misnumbered)
        return;
    if (producer->joins) {
        if (event->says == SIM_SAYS_NOTHING || event->topic_number == SIM_NOTES)
            snprintf(event->type, sizeof event->type, "Broken");
        return;
    }
    if (event->linked && history->count == 0)
        snprintf(event->type, sizeof event->type, "Changed"); /* its link is not known */
    else if (event->target_count || (event->linked && history->count))
        snprintf(event->type, sizeof event->type, "%s", below(producer, 2) ? "Broken" : "Unkept");
    else
        event->stops = false;
}

/* Whether the event may come behind the next ones of its aggregate: what it would be there is for the model to tell. */
static bool may_be_late(const struct sim_producer *producer, const struct sim_history *history,
                        const struct sim_event *event)
{
    /* What is forgotten takes numbers along: then nobody knows what is late. */
    if (event->misnumbered || producer->without_repeats || producer->withheld_count == SIM_WITHHELD_MAX)
        return false;
    if (event->numbers
            .allowed) /* without joins the producer has said whether its partition stops at it, or before it */
        return producer->joins || (!event->stops && event->says == SIM_SAYS_NOTHING);
    return producer->with_gaps && sim_event_is_counted(event) && !(event->numbers.any && history->count == 0);
}

void sim_produce(struct sim_producer *producer)
{
    if (producer->event_count == SIM_EVENTS_MAX)
        return;
    if (producer->joins)
        sim_joins_pass(producer);
    if (!producer->without_repeats && below(producer, 8) == 0) {
        repeat(producer);
        return;
    }
    if (producer->withheld_count && below(producer, 16) == 0) {
        struct sim_event *late = &producer->withheld[below(producer, producer->withheld_count)];
        late->original = producer->event_count;
        append(producer, late);
        *late = producer->withheld[--producer->withheld_count];
        return;
    }
    int topic = producer->topics[below(producer, (uint64_t)producer->topic_count)];
    const struct sim_topic *to = &sim_topics[topic];
    struct sim_event event = {.original = producer->event_count,
                              .topic_number = topic,
                              .numbers = producer->numbers[topic],
                              .linked = to->route.route == VF_ROUTE_LINK};
    snprintf(event.topic, sizeof event.topic, "%s", to->topic);
    snprintf(event.kind, sizeof event.kind, "%s", to->route.kind);
    uint64_t ids = producer->joins ? sim_joins_ids(topic) : topic == SIM_ORDERS ? 14 : 5;
    snprintf(event.id, sizeof event.id, "%c%llu", to->letter, (unsigned long long)below(producer, ids));
    event.partition = partition_of(producer, topic, event.id);
    struct sim_history history = history_of(producer, &event);
    choose_number(producer, &history, &event);
    const char *changed = producer->with_sharing && below(producer, 4) == 0 ? "Shared" : "Changed";
    snprintf(event.type, sizeof event.type, "%s",
             below(producer, 5) == 0   ? "Noted"
             : below(producer, 6) == 0 ? "Flaky"
                                       : changed);
    if (producer->joins)
        sim_joins_choose(producer, topic, &history, &event);
    else
        choose_targets(producer, topic, &history, &event);
    if (producer->with_stops && below(producer, 40) == 0)
        spoil(producer, &history, &event);
    if (may_be_late(producer, &history, &event) && below(producer, 12) == 0)
        producer->withheld[producer->withheld_count++] = event;
    else
        append(producer, &event);
}

/* An event without a document has no handler: a Broken or Unkept event of an order whose link is none is taken in. Not so one
 * whose number is wrong: its type is another. */
bool sim_producer_stops(const struct sim_producer *producer, size_t index)
{
    const struct sim_event *event = &producer->events[index];
    if (!event->stops)
        return false;
    if (!event->linked || event->misnumbered || !strchr("BU", event->type[0]))
        return true;
    for (size_t i = 0; i < index; i++)
        if (producer->events[i].linked && strcmp(producer->events[i].id, event->id) == 0 &&
            strcmp(producer->events[i].type, "Created") == 0)
            return producer->events[i].target_count > 0;
    return true;
}
