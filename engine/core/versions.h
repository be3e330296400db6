/*
 * Duplicate, next or gap: the one rule that decides whether an event is taken in, as a pure function of the event's number
 * and of the last one that was taken in where the aggregate's version lives (PROTOCOL.md 2). No state, any thread.
 */
#ifndef VF_CORE_VERSIONS_H
#define VF_CORE_VERSIONS_H

#include "core/event.h"

#include <stdbool.h>
#include <stdint.h>

enum vf_order {
    VF_DUPLICATE, /* at or below the last one: skip it */
    VF_NEXT,      /* take it in */
    VF_GAP,       /* what comes before it is missing: it must not be taken in, nor be skipped */
};

/*
 * `last` counts only with has_last. Absent is a state of its own, not zero.
 *
 * sequence: the one after `last` is next; absent, it is event->first, or any number with first_any. A number *below* the
 * first on an absent aggregate is a mistake of the producer or of the mapping (`first: 1` where they count from 0). It is
 * VF_GAP too: as VF_NEXT the view would hold what the mapping says cannot be, and as VF_DUPLICATE it would be lost without
 * a word. A gap stops or parks it, and says so.
 *
 * offset: whatever is greater than `last`, or the first one, is next. There are no gaps.
 */
enum vf_order vf_version_order(const struct vf_event *event, bool has_last, int64_t last);

#endif
