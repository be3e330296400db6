/*
 * Why a partition stopped, as the store keeps it for `status`, and what a script says by log(...). Pure but for the log.
 */
#ifndef VF_RUN_STOPPING_H
#define VF_RUN_STOPPING_H

#include "core/error.h"
#include "core/event.h"

/* What an operator does where the log is another one, with the projection's name: the end of a message. */
#define VF_BUILD_ANEW \
    "Build the view anew from the log as it is: `viewfold generations drop %s --yes`, then start `viewfold run` again"

/* {"aggregate":"order/42","at":"orders/3@1042","degraded":false,"error":"..."} as text that the caller frees. */
char *vf_stop_reason(const struct vf_partition *partition, int64_t offset, struct vf_bytes aggregate,
                     const struct vf_error *error, bool degraded);

#endif
