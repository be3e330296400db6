/*
 * The simulator's operator: adopts scripts and drops generations, by the store's own calls, as `viewfold generations` does. Any
 * of them may fail, as the store may be down: then nothing has come of it, or half of a removal, and it is tried again.
 */
#ifndef VF_SIM_OPERATOR_H
#define VF_SIM_OPERATOR_H

#include "clock.h"
#include "connectors/memory/memory_store.h"

struct sim_operator {
    struct vf_memory_server *server;
    struct vf_view view;
    const struct vf_clock *clock;
    const struct vf_generation *proposed; /* the script at hand */
    int64_t adoptions;                    /* that came about */
    int64_t drops_begun;                  /* or gone on with */
    int64_t drops;                        /* that were finished */
};

/* The generation goes on with the script at hand. */
void sim_operator_adopt(struct sim_operator *operator);

/* Removes the generation, or goes on with that: at most so many calls, so that it may be left half-way. */
void sim_operator_drop(struct sim_operator *operator, size_t calls_max);

/* Decides what keeps a process from starting: an unfinished removal is finished, another script adopted. */
void sim_operator_decide(struct sim_operator *operator);

/* Readers find the view again, whatever the store had lost: registry and pointer are there. */
VF_MUSTCHECK enum vf_code sim_operator_read(const struct sim_operator *operator, struct vf_error * error);

/* Whether a worker that does not start wants somebody to decide. */
bool sim_operator_is_asked(const struct vf_error *error);

#endif
