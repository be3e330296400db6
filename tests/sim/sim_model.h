/*
 * The simulator's log as its generator meant it, and what a view of it has to be at a given progress: a plain fold, with one
 * global map of last versions. It shares nothing with the engine but the hash chain of its documents' contents.
 */
#ifndef VF_SIM_MODEL_H
#define VF_SIM_MODEL_H

#include "projector.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_TARGETS_MAX 4
#define SIM_TEXT 32

/* One record, as the generator meant it. */
struct sim_event {
    char topic[SIM_TEXT];
    int partition;
    int64_t offset;
    char kind[SIM_TEXT];
    char id[SIM_TEXT];
    int64_t version; /* as carried; for topics of `offset` numbers: offset + 1 */
    char type[SIM_TEXT];
    char targets[SIM_TARGETS_MAX][SIM_TEXT]; /* documents that a route would say */
    int target_count;
    bool link; /* targets[0] (or none) is the aggregate's link */
    bool stops; /* its handler always fails: progress never passes it */
};

struct sim_document {
    char id[SIM_TEXT];
    bool present; /* some handled event came */
    int64_t revision;
    struct sim_part {
        char aggregate[2 * SIM_TEXT];
        int64_t version; /* the last one taken in */
        int64_t count;   /* handled events */
        int64_t hash;
    } *parts;            /* sorted by aggregate */
    size_t part_count;
};

struct sim_model {
    struct sim_document *documents; /* sorted by id */
    size_t document_count;
    struct sim_last {
        char aggregate[2 * SIM_TEXT];
        bool has_version;
        int64_t version;
        bool has_link;
        char link[SIM_TEXT]; /* "": it goes nowhere */
    } *lasts;
    size_t last_count;
    int64_t duplicates;
};

/* Where a progress stands: how far each partition goes. */
typedef int64_t sim_next(void *self, const char *topic, int partition);

/* Folds all events whose offset is below their partition's next, partition by partition, each in order. */
void sim_model_fold(struct sim_model *model, const struct sim_event *events, size_t count, enum vf_versions_mode versions,
                    sim_next *next, void *self);
void sim_model_done(struct sim_model *model);

#endif
