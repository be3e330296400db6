#include "sim/sim_producer.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS 3600000

static uint64_t below(struct sim_producer *producer, uint64_t limit)
{
    return vf_sim_random_below(producer->random, limit);
}

static bool chance(struct sim_producer *producer, unsigned in_a_hundred)
{
    return below(producer, 100) < in_a_hundred;
}

uint64_t sim_joins_ids(int topic)
{
    static const uint64_t ids[SIM_TOPICS] = {[SIM_CUSTOMERS] = 5, [SIM_ORDERS] = 7, [SIM_TAGS] = 3, [SIM_ACCOUNTS] = 4,
                                             [SIM_CARDS] = 6,     [SIM_NOTES] = 4,  [SIM_DAYS] = 3};
    return ids[topic];
}

void sim_joins_pass(struct sim_producer *producer)
{
    uint64_t most_ms = chance(producer, 5) ? 3 * HOUR_MS : 60000;
    producer->clock->wall_ms += (int64_t)below(producer, most_ms);
}

static void say(struct sim_event *event, const char *type, enum sim_says says)
{
    snprintf(event->type, sizeof event->type, "%s", type);
    event->says = says;
}

static void choose_document(struct sim_producer *producer, struct sim_event *event)
{
    event->target_count = !chance(producer, 12);
    snprintf(event->targets[0], SIM_TEXT, "c%llu", (unsigned long long)below(producer, 6));
}

static void choose_via(struct sim_producer *producer, int topic, struct sim_event *event)
{
    const char *kind = sim_topics[topic].route.kind;
    snprintf(event->via, sizeof event->via, "%s/%c%llu", kind, sim_topics[topic].letter,
             (unsigned long long)below(producer, sim_joins_ids(topic)));
}

/* The last one of a kind is never linked. */
static bool is_never_linked(const struct sim_producer *producer, int topic, const struct sim_event *event)
{
    return producer->numbers[topic].any && strtoull(event->id + 1, NULL, 10) + 1 == sim_joins_ids(topic);
}

/* An order or account; a card may be linked through its account. */
static void choose_link(struct sim_producer *producer, int topic, const struct sim_history *history,
                        struct sim_event *event)
{
    bool linked = history->linking != NULL;
    if (is_never_linked(producer, topic, event))
        return;
    /* Else nothing that fails would say a link, and what waits for that behind it would have nothing to wait for. */
    if (producer->misdirects && chance(producer, linked ? 3 : 12)) {
        say(event, "Misdirected", SIM_SAYS_DOCUMENT);
        choose_document(producer, event);
        return;
    }
    if (!linked && chance(producer, history->count ? 30 : 60))
        say(event, "Created", SIM_SAYS_DOCUMENT);
    else if (linked && chance(producer, 12))
        say(event, "Reassigned", SIM_SAYS_DOCUMENT);
    else if (linked && chance(producer, 5))
        say(event, topic == SIM_CARDS ? "Created" : "Renoted", SIM_SAYS_DOCUMENT);
    else if (linked && chance(producer, 3))
        say(event, "Removed", SIM_SAYS_DOCUMENT);
    if (event->says == SIM_SAYS_NOTHING)
        return;
    choose_document(producer, event);
    if (topic == SIM_CARDS && !chance(producer, 25)) {
        say(event, "Issued", SIM_SAYS_THROUGH);
        choose_via(producer, SIM_ACCOUNTS, event);
    }
}

/* Every event of a note says its card: mostly the one that it has said before. */
static void choose_card(struct sim_producer *producer, const struct sim_history *history, struct sim_event *event)
{
    event->says = SIM_SAYS_THROUGH;
    if (history->linking && !chance(producer, 10))
        snprintf(event->via, sizeof event->via, "%s", history->linking->via);
    else
        choose_via(producer, SIM_CARDS, event);
}

static void choose_many(struct sim_producer *producer, int most, char letter, uint64_t documents,
                        struct sim_event *event)
{
    event->target_count = (int)below(producer, (uint64_t)most + 1);
    uint64_t first = below(producer, documents);
    for (int i = 0; i < event->target_count; i++)
        snprintf(event->targets[i], SIM_TEXT, "%c%llu", letter,
                 (unsigned long long)((first + (uint64_t)i) % documents));
}

void sim_joins_choose(struct sim_producer *producer, int topic, const struct sim_history *history,
                      struct sim_event *event)
{
    if (chance(producer, topic == SIM_CUSTOMERS ? 10 : 2))
        say(event, "Deleted", SIM_SAYS_NOTHING);
    switch (topic) {
    case SIM_CUSTOMERS:
        event->target_count = 1;
        snprintf(event->targets[0], SIM_TEXT, "%s", event->id);
        break;
    case SIM_ORDERS:
    case SIM_ACCOUNTS:
    case SIM_CARDS: choose_link(producer, topic, history, event); break;
    case SIM_NOTES: choose_card(producer, history, event); break;
    case SIM_TAGS: choose_many(producer, 3, 'c', 6, event); break;
    case SIM_DAYS: choose_many(producer, 1, 'd', 4, event); break;
    default: break;
    }
    if (chance(producer, 25)) /* it happened before it was sent */
        event->time_ms =
            producer->clock->wall_ms - (int64_t)below(producer, chance(producer, 10) ? 3 * HOUR_MS : 60000);
}
