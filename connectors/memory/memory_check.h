/*
 * What the memory store asserts of a commit whose conditions hold: things that only a programmer can get wrong, and that
 * another store would take without noticing. Internal to connectors/memory; the server's lock is held.
 */
#ifndef VF_MEMORY_CHECK_H
#define VF_MEMORY_CHECK_H

#include "connectors/memory/memory_data.h"

/* Before anything of it is written, and after all of it. */
void vf_memory_check_before(struct vf_memory_generation *generation, const struct vf_commit *commit);
void vf_memory_check_after(struct vf_memory_generation *generation, const struct vf_commit *commit);

#endif
