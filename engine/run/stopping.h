/*
 * Why a partition stopped, as the store keeps it for `status`, and what a script says by log(...). Pure but for the log.
 */
#ifndef VF_RUN_STOPPING_H
#define VF_RUN_STOPPING_H

#include "core/error.h"
#include "core/event.h"

/* {"aggregate":"order/42","at":"orders/3@1042","degraded":false,"error":"..."} as text that the caller frees. */
char *vf_stop_reason(const struct vf_partition *partition, int64_t offset, struct vf_bytes aggregate,
                     const struct vf_error *error, bool degraded);

#endif
