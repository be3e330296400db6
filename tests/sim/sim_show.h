/*
 * Prints what the simulator's workers do, to see what led to a failure.
 */
#ifndef VF_SIM_SHOW_H
#define VF_SIM_SHOW_H

#include "sim/sim_model.h"

/* One commit, with the events that it has dealt with. */
void sim_show_commit(const struct sim_log *log, const struct vf_commit *commit);

#endif
