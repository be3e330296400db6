/*
 * What retention takes of the simulator's log: what a view has dealt with, and, as `cuts` says, what it has not. Then it must not
 * go on in that partition, and says that it is degraded (docs/reliability.md, promise 10); all else goes on, and what is set aside can still be
 * tried again, or dropped.
 */
#ifndef VF_SIM_CUT_H
#define VF_SIM_CUT_H

#include "connectors/memory/memory_store.h"
#include "sim/sim_producer.h"

struct sim_cut {
    bool cuts; /* beyond the view's progress, too */
    int64_t low[SIM_TOPICS][SIM_PARTITIONS_MAX];
    int64_t beyond; /* how often that was, */
    int64_t beside; /* and of these, while something of the view was set aside */
};

/* Of some partition; how far, or -1: nothing is taken. */
int64_t sim_cut_trim(struct sim_cut *cut, struct sim_producer *producer, const struct sim_model *model);

/* Whether the view needs what the partition does not hold any more. */
bool sim_cut_has_lost(const struct sim_cut *cut, const struct sim_model *model, int topic, int partition);

/* How many partitions of which it does. */
int64_t sim_cut_count(const struct sim_cut *cut, const struct sim_model *model);

/* Whether the store may go back to when the view was this: one that has not begun may begin where a partial log begins, of which
 * the model knows nothing. */
bool sim_cut_may_go_back(const struct sim_cut *cut, const struct sim_model *then);

/* VF_E_DATA where a partition whose log has lost something is not said to be degraded. */
VF_MUSTCHECK enum vf_code sim_cut_check(const struct sim_cut *cut, const struct sim_producer *producer,
                                        const struct sim_model *model, struct vf_memory_server *server,
                                        struct vf_view view, struct vf_error *error);

#endif
