/*
 * The inside of a model's step, for sim_model.c, sim_seek.c and sim_drop.c only.
 */
#ifndef VF_SIM_STEP_H
#define VF_SIM_STEP_H

#include "sim/sim_model.h"

/* One step, while it is made. */
struct sim_step {
    struct sim_model *model;
    const struct sim_log *log;
    const struct vf_commit *commit;
    bool *taken;   /* of commit->taken: the model has taken it out too */
    bool *aside;   /* of commit->asides: the model has it in that list too */
    bool arriving; /* a record is being dealt with, and no event that leaves a list */
    int opened[SIM_EVENTS_MAX +
               SIM_AGGREGATES_MAX]; /* aggregates whose lists need not wait any more, one after another */
    int opened_count;
};

/* Places in the model's aggregates. */
int sim_model_owner(struct sim_model *model, const struct sim_event *event);
int sim_model_aggregate(struct sim_model *model, const char *name);

/* Takes the first event out of a list, if the commit did. */
bool sim_step_take_out(struct sim_step *step, int list, enum vf_list which, size_t *ret_event);
/* What had to wait is in, and with it the last version of it that there is. */
void sim_step_settle(struct sim_model *model, int owner);
/* What need not wait any more is taken in, in the order in which it was opened. */
void sim_step_open(struct sim_step *step, int list);
void sim_step_drain(struct sim_step *step);
/* The event's number counts, and nothing else. */
void sim_step_leave_out(struct sim_step *step, int owner, size_t index);

/* Whether the commit says that this event is in the list, or leaves it: its place among the asides. -1: it does not. */
int sim_step_find(const struct sim_step *step, const struct vf_aside *asides, size_t count,
                  const struct sim_waiting *waiting);

/* sim_seek.c: whether the first event of the list waits for its link, and stays. Then what says that comes before, if the commit
 * came as far as that. */
bool sim_step_stays_first(const struct sim_step *step, int list);
bool sim_step_seek(struct sim_step *step, int list);

/* sim_drop.c: what the commit says that somebody has decided. */
VF_MUSTCHECK enum vf_code sim_step_carry_out(struct sim_step *step, struct vf_error *error);

/* sim_flaky.c: a handler that fails now and then has failed where its event stands first in its list, and the record is parked. */
void sim_step_find_flaked(struct sim_step *step);
/* Whether the commit says that the first event in this list, which had not failed, has. */
bool sim_step_says_parked(const struct sim_step *step, int list);

/* sim_lists.c: whose early events, of revisions, this commit takes in as somebody has asked for them. No other one does. */
void sim_step_find_asked(struct sim_step *step);
void sim_step_forget_asked(struct sim_step *step);

bool sim_model_is_misfit(const struct sim_model *model, const struct sim_event *event, const struct sim_version *last);
bool sim_model_has_flaked(const struct sim_model *model, const struct sim_event *event);

/* Whether nobody waits for the number, which would be in its turn. */
bool sim_model_is_given_up(const struct sim_model *model, const struct sim_log *log, int owner,
                           const struct sim_event *event);
bool sim_model_has_given_up(const struct sim_model *model, const struct sim_log *log, int owner);
/* Whether somebody has decided to leave this record out, now or before the view was built anew; or this event, in whichever
 * record, where its repeats are told from it. */
bool sim_model_is_meant(const struct sim_model *model, const struct sim_log *log, size_t index);
bool sim_model_is_left_out(const struct sim_model *model, const struct sim_log *log, size_t index);
/* Whether the commit has to leave it out. That another record's decision means this one, too, a worker learns only when it reads
 * the decisions; until then a copy that nothing else tells is set aside. */
bool sim_step_leaves_out(const struct sim_step *step, size_t index);

#endif
