/*
 * What all runs of the property test have come to, together: a test in which something never happened proves nothing of it.
 */
#ifndef VF_SIM_SUM_H
#define VF_SIM_SUM_H

#include "run/counts.h"
#include "sim/sim_model.h"

/* What happened to the events of a kind of numbers, at the end of a run. */
struct sim_kind_tally {
    struct sim_tally model;
    int64_t refused; /* that stopped their partition by their number, or by their id */
};

/* All runs together. */
struct sim_sum {
    bool parks;  /* some views park what fails */
    bool allows; /* no gap is waited for, or there are not many seeds */
    bool few;    /* seeds, as with sanitizers */
    struct vf_counts counts;
    int64_t checks;
    struct sim_kind_tally tallies[SIM_KINDS];
    struct sim_situations situations;
    int64_t adoptions;
    int64_t drops;
    int64_t degraded;         /* partitions that had lost something of the log in the end, */
    int64_t degraded_retried; /* and what was taken in beside them when it was tried again */
    int64_t degraded_beside;  /* how often that was lost while something was set aside */
};

/* What a run has come to. */
void sim_sum_add(struct sim_sum *sum, const struct sim_model *model, const struct sim_kind_tally tallies[SIM_KINDS]);

/* Prints it. Whether everything has happened that the test is about: of numbers, those of the kind, or with SIM_KINDS all. */
bool sim_sum_print(const struct sim_sum *sum, enum sim_kind kind_wanted, bool joins);

#endif
