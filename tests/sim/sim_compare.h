/*
 * A store's whole contents held against the model: every document, body and all, every aggregate record, every event that is
 * set aside and every index entry, and nothing beside them. Stamps are anybody's.
 */
#ifndef VF_SIM_COMPARE_H
#define VF_SIM_COMPARE_H

#include "connectors/memory/memory_store.h"
#include "sim/sim_model.h"

/* VF_E_DATA with the first difference. */
VF_MUSTCHECK enum vf_code sim_compare(const struct vf_memory_contents *contents, const struct sim_model *model,
                                      const struct sim_log *log, struct vf_error *error);

#endif
