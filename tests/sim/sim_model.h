/*
 * The simulator's log as its generator meant it, and what a view of it has to be at a given progress: a plain fold. It shares
 * nothing with the engine but the hash chain of its documents' contents, and it does not know the engine's rule for
 * duplicates: the generator says which records hold the same event, and each event counts once.
 */
#ifndef VF_SIM_MODEL_H
#define VF_SIM_MODEL_H

#include "projector.h"

#include <stdbool.h>
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
};

/* The kinds of numbers that a view tells apart. */
enum sim_kind { SIM_SEQUENCE, SIM_REVISION, SIM_ORDERED, SIM_STRINGS, SIM_OFFSET, SIM_WINDOW, SIM_KINDS };
extern const char *const sim_kind_names[SIM_KINDS];
enum sim_kind sim_kind_of(const struct sim_numbers *numbers);

/* One record, as the generator meant it. */
struct sim_event {
    char topic[SIM_TEXT];
    int partition;
    int64_t offset;
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
    bool link;  /* targets[0] (or none) is the aggregate's link */
    bool stops; /* its handler always fails: progress never passes it */
};

/* The last version of an aggregate, and what is kept beside it. */
struct sim_version {
    bool exists;
    struct sim_numbers numbers;
    int64_t version;
    char text[SIM_TEXT];
    char ids[SIM_IDS_MAX][SIM_TEXT]; /* of a revision: those of this number; of offsets: the last ones */
    int id_count;
};

struct sim_document {
    char id[SIM_TEXT];
    bool present; /* some handled event came */
    int64_t revision;
    struct sim_part {
        char aggregate[2 * SIM_TEXT];
        struct sim_version last; /* the last one taken in */
        int64_t count;           /* handled events */
        int64_t hash;
    } * parts; /* sorted by aggregate */
    size_t part_count;
};

/* What happened to the events of one kind of numbers. */
struct sim_tally {
    int64_t taken;
    int64_t siblings;  /* of these: the number was the last one's */
    int64_t by_number; /* repeats that their number tells */
    int64_t by_id;     /* repeats that only their id tells */
};

struct sim_model {
    struct sim_document *documents; /* sorted by id */
    size_t document_count;
    struct sim_last {
        char aggregate[2 * SIM_TEXT];
        struct sim_version last;
        bool has_link;
        char link[SIM_TEXT]; /* "": it goes nowhere */
    } * lasts;
    size_t last_count;
    bool *taken; /* by the index of an event's first record */
    struct sim_tally tallies[SIM_KINDS];
};

/* Where a progress stands: how far each partition goes. */
typedef int64_t sim_next(void *self, const char *topic, int partition);

/* Folds all events whose offset is below their partition's next, partition by partition, each in order. */
void sim_model_fold(struct sim_model *model, const struct sim_event *events, size_t count,
                    enum vf_versions_mode versions, sim_next *next, void *self);
void sim_model_done(struct sim_model *model);

#endif
