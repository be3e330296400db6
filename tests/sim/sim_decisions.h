/*
 * What the simulator's operator decides about events that are set aside: that one is left out for good, or that missing numbers
 * are not waited for. He goes by the model, as he would by `parked show`; what becomes of it, commits tell, and a model believes
 * only what he has decided. Decisions outlive a rewind, as a late call may carry one out.
 */
#ifndef VF_SIM_DECISIONS_H
#define VF_SIM_DECISIONS_H

#include "sim/sim_model.h"

#define SIM_DECISIONS_MAX 400

/* An event is left out; or, with `missing`, an aggregate's numbers [from, to). */
struct sim_decision {
    bool missing;
    size_t event;
    char aggregate[2 * SIM_TEXT];
    int64_t from, to;
};

struct sim_decisions {
    struct sim_decision all[SIM_DECISIONS_MAX];
    size_t count;
    char asked[SIM_AGGREGATES_MAX][2 * SIM_TEXT]; /* aggregates that somebody has ever tried again */
    int asked_count;
};

/* Somebody tries again what is set aside of an aggregate; true. */
bool sim_ask(struct sim_decisions *decisions, struct vf_bytes aggregate);
bool sim_is_asked(const struct sim_decisions *decisions, const char *aggregate);

/* Decides to drop what is first of an aggregate's. False where there is nothing. */
bool sim_decide(struct sim_decisions *decisions, const struct sim_model *model, const struct sim_log *log,
                struct vf_bytes aggregate, struct sim_decision *ret_decision);

bool sim_decision_equal(const struct sim_decision *a, const struct sim_decision *b);
int sim_decision_find(const struct sim_decisions *decisions,
                      const struct sim_decision *decision); /* -1: it is none of them */

#endif
