/*
 * Duplicate, next or gap: the one rule that decides whether an event is taken in, as a pure function of the event's number
 * and of what is kept where the aggregate's version lives (docs/protocol.md), and what is kept afterwards. No state,
 * any thread.
 */
#ifndef VF_CORE_VERSIONS_H
#define VF_CORE_VERSIONS_H

#include "core/error.h"
#include "core/event.h"
#include "core/version_more.h"

#include <stdbool.h>
#include <stdint.h>

/* The last version of an aggregate that was taken in. Absent is a state of its own, not zero. */
struct vf_last {
    bool exists;
    int64_t version; /* 0 where it is text */
    const struct vf_version_more *more;
};

enum vf_order {
    VF_DUPLICATE, /* taken in before: skip it */
    VF_NEXT,      /* take it in */
    VF_GAP,       /* what comes before it is missing: it must not be taken in, nor be skipped */
    VF_UNFIT, /* it cannot be told: its number is of another form than the last one, or its id cannot be remembered */
};

/*
 * sequence: at or below the last is a duplicate, the one after it is next; absent, event->first is, or any number with
 * first_any. A number *below* the first on an absent aggregate is a mistake of the producer or of the mapping (`first: 1`
 * where they count from 0). It is VF_GAP too: as VF_NEXT the view would hold what the mapping says cannot be, and as
 * VF_DUPLICATE it would be lost without a word. A gap stops or parks it, and says so.
 *
 * revision: a sequence whose numbers may repeat. At the last number an event is a duplicate where its id was taken in at that
 * number, and next (a sibling of the same transaction) where it was not. Below it, everything is a duplicate: the ids of
 * earlier numbers are forgotten. That is right as long as an aggregate's events come in order, which its partition keeps; a
 * sibling that comes after the next number cannot be told from a repeat. An entry without ids was taken in when the numbers
 * were said to be a sequence, where one number is one event: the same number again is then a duplicate.
 * VF_UNFIT: no id; an id too long; VF_REPEATS_MAX siblings are there already.
 *
 * ordered: whatever is greater than the last, or the first one, is next, else a duplicate. There are no gaps. Strings are
 * compared byte by byte, so they must be of one length: VF_UNFIT where it is not the last one's, and where one is text and the
 * other an integer.
 *
 * offset: whatever lies behind the last one is next; with `repeats`, an event whose id is among the last ones of its aggregate
 * is a duplicate, wherever it lies. An event without an id is not remembered. What is read again never comes here: progress
 * has passed it, and progress is written with the documents. So an offset at or below the last one is of another partition,
 * and it cannot be told what came first. VF_UNFIT: that, and an id too long.
 */
enum vf_order vf_version_order(const struct vf_event *event, const struct vf_last *last);

/* Whether the event's number lies behind the last one, or shares it as a sibling: then it is the last one now. Of events that
 * left a list, whose order was looked at when they came into it. */
bool vf_version_is_later(const struct vf_event *event, const struct vf_last *last);

/* Whether the event's number is the last one: of a VF_DUPLICATE, that it is the last event once more, not one before it. */
bool vf_version_is_last(const struct vf_event *event, const struct vf_last *last);

/* Tells the event from all others wherever it lies in the log, as far as the rule does: aggregate, type, number, and its event id
 * or, without one, its value. `offset` numbers are those of a place: there it is the id that is remembered or, without one, the
 * place. Never 0. */
uint64_t vf_event_identity(const struct vf_event *event);

/* Why an event is VF_GAP or VF_UNFIT, or comes too late where it is to be taken in (VF_DUPLICATE), and what to do: VF_E_DATA. */
enum vf_code vf_version_fail(const struct vf_event *event, const struct vf_last *last, enum vf_order order,
                             struct vf_error *error);

/* What is to be remembered beside event->version once an event that was VF_NEXT after `last` has been taken in: on the heap,
 * for free(); NULL where there is nothing. `scratch` is cleared. */
struct vf_version_more *vf_version_more_after(const struct vf_event *event, const struct vf_last *last,
                                              struct vf_buffer *scratch);

#endif
