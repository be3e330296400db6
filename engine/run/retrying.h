/*
 * What an operator does about events that are set aside: retry, drop, and the rehearsal of both (docs/operations.md). Outside of
 * any worker, and right beside live ones: each batch is one conditional write like theirs, without progress, and what does not
 * take hold is read and folded again. A process that dies here leaves what it has written so far, each batch of it whole.
 *
 * One thread. It has a connection to the store of its own, which it opens again when it is lost. Memory is bounded by a batch
 * and the cache, whatever is set aside.
 */
#ifndef VF_RUN_RETRYING_H
#define VF_RUN_RETRYING_H

#include "clock.h"
#include "projector.h"
#include "run/config.h"
#include "store.h"

struct vf_retrying;

/* Borrowed: it outlives the retrying. */
struct vf_retrying_setup {
    const struct vf_config *config;
    const struct vf_clock *clock;
    const struct vf_projector_type *projector_type;
    const struct vf_store_type *store_type;
    const struct vf_store_entry *store;
    const char *view;
    const struct vf_projection_entry *at_hand; /* the script to rehearse with; NULL: the one that the generation runs */
    bool only_parked; /* what is not parked (any more) when it is looked at is left alone: nobody has named it */
};

enum vf_retry_deed {
    VF_RETRY, /* what is parked is taken in, in order, up to the next event that fails */
    VF_DROP, /* the event that failed is left out for good, and what is behind it taken in. Of what is not parked: the numbers
                 that are missing are given up; or what waits for a link that is not known is left out */
};

/* What there is of an aggregate afterwards. */
enum vf_retried_state {
    VF_RETRIED_RELEASED, /* nothing of it is set aside any more */
    VF_RETRIED_GONE,     /* nothing of it was, or not any more: somebody else was faster */
    VF_RETRIED_PARKED,   /* `error` says what fails */
    VF_RETRIED_GAP,
    VF_RETRIED_HELD,
};

/* In the retrying's own memory, until the next call. */
struct vf_retried {
    enum vf_retry_deed deed;
    enum vf_retried_state state;
    int64_t taken;              /* events that have left its lists and were not dropped */
    int64_t dropped;            /* events left out for good */
    int64_t given_up;           /* numbers that are not waited for any more */
    bool drop_missed;           /* what was to be dropped had left in the meantime: nothing was dropped */
    struct vf_error error;      /* with VF_RETRIED_PARKED */
    struct vf_aggregate record; /* as it is now; of a rehearsal, as it would be */
    bool has_first;             /* with VF_RETRIED_PARKED: */
    struct vf_aside first;      /* the event that fails */

    /* Of a rehearsal: documents that would be written, as they are and as they would be. */
    const struct vf_document *before;
    const struct vf_document *after;
    size_t document_count;
};

/* Connects, and loads the script of the active generation (and the one at hand, which must be one that the generation could
 * adopt). VF_E_NOT_FOUND: there is no such view. Other codes as the store's open and the projector's. */
VF_MUSTCHECK enum vf_code vf_retrying_open(const struct vf_retrying_setup *setup, struct vf_retrying **ret_retrying,
                                           struct vf_error *error);
void vf_retrying_close(struct vf_retrying *retrying); /* NULL is fine */

/* The generation that it works on, and the script it runs. Valid until the next call. */
const struct vf_generation *vf_retrying_generation(const struct vf_retrying *retrying);

/* Aggregates that are parked, behind `after` (size 0: from the first on), some at a time; in the arena. None: that was all. */
VF_MUSTCHECK enum vf_code vf_retrying_parked(struct vf_retrying *retrying, struct vf_bytes after,
                                             struct vf_arena *arena, struct vf_bytes **ret_aggregates,
                                             size_t *ret_count, struct vf_error *error);

/* How many are parked now. */
VF_MUSTCHECK enum vf_code vf_retrying_count(struct vf_retrying *retrying, int64_t *ret_count, struct vf_error *error);

/* The aggregate's record, in the arena. */
VF_MUSTCHECK enum vf_code vf_retrying_load(struct vf_retrying *retrying, struct vf_bytes aggregate,
                                           struct vf_arena *arena, struct vf_aggregate *ret_record,
                                           struct vf_error *error);

/* The first event in the aggregate's own list, as its record tells it, in the arena; *ret_there false: there is none, or it has
 * left since. */
VF_MUSTCHECK enum vf_code vf_retrying_first(struct vf_retrying *retrying, const struct vf_aggregate *record,
                                            struct vf_arena *arena, bool *ret_there, struct vf_aside *ret_first,
                                            struct vf_error *error);

/* Does it to one aggregate, all that is set aside of it now. Waits while the generation is frozen, while others change the same
 * things, and for a store that goes away for a while; each within a limit: VF_E_TIMEOUT, or the store's error. What was done
 * until then stays done, and the same call goes on with it. */
VF_MUSTCHECK enum vf_code vf_retrying_run(struct vf_retrying *retrying, enum vf_retry_deed deed,
                                          struct vf_bytes aggregate, struct vf_retried *ret_retried,
                                          struct vf_error *error);

/* What it would come to, of as much as goes into one batch. Nothing is written. */
VF_MUSTCHECK enum vf_code vf_retrying_rehearse(struct vf_retrying *retrying, struct vf_bytes aggregate,
                                               struct vf_retried *ret_retried, struct vf_error *error);

#endif
