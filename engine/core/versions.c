#include "core/versions.h"

static enum vf_order first_order(const struct vf_event *event)
{
    /* GUARD rule-first: an aggregate whose first events are missing begins in the middle */
    if (event->first_any || event->version == event->first)
        return VF_NEXT;
    return VF_GAP;
}

enum vf_order vf_version_order(const struct vf_event *event, bool has_last, int64_t last)
{
    /* GUARD rule-duplicate: an event that a producer sent twice, or that is read again, would be counted twice */
    if (has_last && event->version <= last)
        return VF_DUPLICATE;

    if (event->numbers == VF_NUMBERS_OFFSET)
        return VF_NEXT;

    if (!has_last)
        return first_order(event);

    /* version is greater than last here, so that version - 1 does not overflow. */
    /* GUARD rule-gap: an event that came before its predecessor would be taken in, and the predecessor skipped as a duplicate */
    if (event->version - 1 != last)
        return VF_GAP;
    return VF_NEXT;
}
