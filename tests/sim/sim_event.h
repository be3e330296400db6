/*
 * One event of the simulator's log, as its generator meant it, and what its number says of where it belongs. The rules stand
 * here once more, from the words of the design and the envelope's settings: nothing of this is the engine's.
 */
#ifndef VF_SIM_EVENT_H
#define VF_SIM_EVENT_H

#include "core/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_TARGETS_MAX 4
#define SIM_TEXT        32
#define SIM_IDS_MAX     64

/* What a topic's numbers are. */
struct sim_numbers {
    enum vf_numbers numbers;
    bool text;     /* ordered: as strings */
    int repeats;   /* offset: event ids that are remembered */
    int64_t first; /* sequence, revision: the first number */
    bool any;      /* ... or any number may be the first */
    bool allowed;  /* sequence, revision: what is missing is not waited for */
};

/* The kinds of numbers that a view tells apart. */
enum sim_kind { SIM_SEQUENCE, SIM_REVISION, SIM_ORDERED, SIM_STRINGS, SIM_OFFSET, SIM_WINDOW, SIM_KINDS };
extern const char *const sim_kind_names[SIM_KINDS];
enum sim_kind sim_kind_of(const struct sim_numbers *numbers);

/* What an event says about its aggregate's link. */
enum sim_says {
    SIM_SAYS_NOTHING,
    SIM_SAYS_DOCUMENT, /* targets[0], or none */
    SIM_SAYS_THROUGH,  /* that of the aggregate `via` */
};

/* One record, as the generator meant it. */
struct sim_event {
    char topic[SIM_TEXT];
    int topic_number;
    int partition;
    int64_t offset;
    int64_t record_ms; /* the record's timestamp */
    int64_t time_ms;   /* the event's */
    char kind[SIM_TEXT];
    char id[SIM_TEXT];
    struct sim_numbers numbers;
    int64_t version;         /* as carried, of text what it stands for; for `offset` numbers: offset + 1 */
    char text[SIM_TEXT];     /* ordered strings: as carried */
    char event_id[SIM_TEXT]; /* "": none */
    size_t original;         /* index of the first record of this same event: its own, where it is no repeat */
    char type[SIM_TEXT];
    bool misnumbered;                        /* with `stops`: it is the number, or the id, that cannot be */
    char targets[SIM_TARGETS_MAX][SIM_TEXT]; /* documents that a route would say */
    int target_count;
    bool linked; /* its kind has a link route */
    enum sim_says says;
    char via[2 * SIM_TEXT]; /* SIM_SAYS_THROUGH */
    bool stops;             /* its handler always fails: progress never passes it */
};

/* The last version of an aggregate, and what is kept beside it. */
struct sim_version {
    bool exists;
    struct sim_numbers numbers;
    int64_t version;
    char text[SIM_TEXT];
    int ids[SIM_IDS_MAX]; /* the numbers of event ids. Of a revision: those of this number; of offsets: the last ones */
    int id_count;
};

/* The event is the last one that was dealt with. */
void sim_version_advance(struct sim_version *last, const struct sim_event *event);

/* Whether numbers are missing before the event. */
bool sim_version_has_gap(const struct sim_version *last, const struct sim_event *event);

/* Whether numbers of this kind are counted: so that what is missing shows. */
bool sim_event_is_counted(const struct sim_event *event);

/* Whether later ones have been dealt with already, as where nobody waits for what is missing. */
bool sim_version_is_late(const struct sim_version *last, const struct sim_event *event);

#endif
