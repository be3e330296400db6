/*
 * The simulator's producers: they append events to a log in memory, and remember what they meant (sim_model.h). Customers are
 * documents of their own, orders are linked by Created, tags go to any of several documents. Each topic has one kind of
 * numbers, in transactions of up to four events, with holes, as strings, or with none, as it may be; and now and then an event
 * is sent again, with a new offset.
 *
 * With `joins` (sim_joins.c) there is more: links that come early, late or never, through another aggregate and through two,
 * that move and come back; deletes and returns; a clock whose hours pass; and fewer aggregates, which meet more often.
 */
#ifndef VF_SIM_PRODUCER_H
#define VF_SIM_PRODUCER_H

#include "connectors/memory/memory_log.h"
#include "sim/sim_clock.h"
#include "sim/sim_model.h"

/* What there is to send to. Not all of it is in every view. */
struct sim_topic {
    const char *topic;
    struct vf_route route; /* its kind, and what `key` says of it */
    char letter;           /* that ids begin with */
};
enum { SIM_CUSTOMERS, SIM_ORDERS, SIM_TAGS, SIM_ACCOUNTS, SIM_CARDS, SIM_NOTES, SIM_DAYS };
extern const struct sim_topic sim_topics[SIM_TOPICS];

#define SIM_WITHHELD_MAX 8

struct sim_producer {
    struct vf_sim_random *random;
    struct vf_memory_log *log;
    enum vf_versions_mode versions;
    bool joins;
    bool with_stops;   /* some events can never be taken in */
    bool misdirects;   /* some events that say a link fail */
    bool with_sharing; /* some handlers leave a table that stands in two places */
    bool without_repeats;
    int topics[SIM_TOPICS]; /* those that are in the view */
    int topic_count;
    int partitions[SIM_TOPICS];
    struct sim_numbers numbers[SIM_TOPICS];
    struct vf_sim_clock *clock; /* with `joins` hours may pass on it */
    struct sim_event events[SIM_EVENTS_MAX];
    size_t event_count;
    size_t id_count;   /* of event ids */
    bool with_gaps;    /* some events of a sequence are sent later than those behind them, or never */
    bool gaps_allowed; /* none are waited for, of any topic; otherwise of some */
    struct sim_event withheld[SIM_WITHHELD_MAX];
    size_t withheld_count;
};

/* What there is of an aggregate so far. */
struct sim_history {
    size_t count;                    /* events, repeats left out */
    int64_t last;                    /* the greatest number */
    size_t at_last;                  /* how many events have it */
    const struct sim_event *linking; /* the last one that said its link and may be taken in, or NULL */
};

/* Chooses what a topic's numbers are: of the kind, or with SIM_KINDS of any. */
struct sim_numbers sim_producer_choose(struct sim_producer *producer, int topic, enum sim_kind kind);

/* Appends one event, or one that was there before. */
void sim_produce(struct sim_producer *producer);

/* Whether an event can never be taken in: progress must not pass it. */
bool sim_producer_stops(const struct sim_producer *producer, size_t index);

/* --- sim_joins.c: with `joins` ------------------------------------------------------------------------------------- */

/* How many aggregates a topic has. */
uint64_t sim_joins_ids(int topic);

/* Hours pass, or milliseconds. */
void sim_joins_pass(struct sim_producer *producer);

/* Chooses what happens to the aggregate: type, link and documents. */
void sim_joins_choose(struct sim_producer *producer, int topic, const struct sim_history *history,
                      struct sim_event *event);

#endif
