/*
 * The memory log and the memory store as a rehearsal (engine/rehearsal.h). One thread uses one of them.
 */
#ifndef VF_MEMORY_REHEARSAL_H
#define VF_MEMORY_REHEARSAL_H

#include "rehearsal.h"

extern const struct vf_rehearsal_type vf_memory_rehearsal_type;

#endif
