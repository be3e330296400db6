/*
 * An event that the store refuses: a commit of it alone was answered with a no that is about what it makes (too large, an index or
 * a rule of the store's owner stands against it), and not about the store. A fold that comes upon it does not try it again: to
 * the fold it is an event that fails, as one whose handler fails.
 *
 * Plain data of one worker, or of one retry.
 */
#ifndef VF_RUN_REFUSED_H
#define VF_RUN_REFUSED_H

#include "core/document.h"
#include "core/error.h"

struct vf_refused {
    char *topic; /* owned; NULL: there is none */
    int32_t partition;
    int64_t offset;
    struct vf_error error; /* of the store */
};

/* It is this one from now on. */
void vf_refused_set(struct vf_refused *refused, const struct vf_partition *partition, int64_t offset,
                    const struct vf_error *error);
void vf_refused_clear(struct vf_refused *refused);

/* NULL: there is none. */
bool vf_refused_is(const struct vf_refused *refused, const struct vf_partition *partition, int64_t offset);

#endif
