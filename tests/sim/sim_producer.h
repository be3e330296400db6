/*
 * The simulator's producers: they append events to a log in memory, and remember what they meant (sim_model.h). Customers are
 * documents of their own, orders are linked by Created, tags go to any of several documents. Each topic has one kind of
 * numbers, in transactions of up to four events, with holes, as strings, or with none, as it may be; and now and then an event
 * is sent again, with a new offset.
 */
#ifndef VF_SIM_PRODUCER_H
#define VF_SIM_PRODUCER_H

#include "connectors/memory/memory_log.h"
#include "sim/sim_clock.h"
#include "sim/sim_model.h"

#define SIM_TOPICS     3
#define SIM_EVENTS_MAX 400

extern const char *const sim_topics[SIM_TOPICS];

struct sim_producer {
    struct vf_sim_random *random;
    struct vf_memory_log *log;
    enum vf_versions_mode versions;
    bool with_stops;   /* some events can never be taken in */
    bool with_sharing; /* some handlers leave a table that stands in two places */
    size_t topic_count;
    int partitions[SIM_TOPICS];
    struct sim_numbers numbers[SIM_TOPICS];
    struct sim_event events[SIM_EVENTS_MAX];
    size_t event_count;
};

/* Chooses what a topic's numbers are: of the kind, or with SIM_KINDS of any. */
struct sim_numbers sim_producer_choose(struct sim_producer *producer, int topic, enum sim_kind kind);

/* Appends one event, or one that was there before. */
void sim_produce(struct sim_producer *producer);

/* Whether an event can never be taken in: progress must not pass it. */
bool sim_producer_stops(const struct sim_producer *producer, size_t index);

#endif
