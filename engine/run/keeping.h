/*
 * What is said about how long Kafka keeps a topic's records (struct vf_keeping in source.h): a view can be built again only from
 * what the log still holds. Pure but for the log.
 */
#ifndef VF_RUN_KEEPING_H
#define VF_RUN_KEEPING_H

#include "core/bytes.h"
#include "source.h"

/* Are records removed by time or by size? */
bool vf_keeping_is_limited(const struct vf_keeping *keeping);

/* "7 days", "1073741824 bytes a partition", "7 days or 1073741824 bytes a partition". */
void vf_keeping_print_limit(struct vf_buffer *out, const struct vf_keeping *keeping);

/* One line of the log for each of the topics, and one for all of which nothing is known. partial[i]: `history: partial`. */
void vf_keeping_say(const char *const *topics, const bool *partial, const struct vf_keeping *keepings, size_t count);

#endif
