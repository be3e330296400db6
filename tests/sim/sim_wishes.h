/*
 * What whoever runs the property test by hand wants of all seeds, beside what they choose: `test_property SEEDS FIRST WISH...`.
 */
#ifndef VF_SIM_WISHES_H
#define VF_SIM_WISHES_H

#include "sim/sim_event.h"

struct sim_wishes {
    enum sim_kind numbers; /* of all topics; SIM_KINDS: any */
    bool joins, simple;    /* all with joins; none */
    bool allow;            /* no gap is waited for */
    bool drops;            /* wherever something may be parked, some of it is left out for good */
    bool verbose;
};

/* Reads the wishes from the third argument on. A word that is none is no wish. */
struct sim_wishes sim_wishes_read(int count, char **arguments);

#endif
