/*
 * What a worker has done, in numbers that only grow. Plain data; the worker's thread writes, others read copies that it
 * hands out. Counted when a batch has been committed, so that a batch that is folded again counts once.
 */
#ifndef VF_RUN_COUNTS_H
#define VF_RUN_COUNTS_H

#include <stdint.h>

/* X(name): the one list; printing and adding come from it. */
#define VF_COUNTS(X)                                                                                   \
    X(records)      /* rows dealt with, whatever they were */                                          \
    X(events)       /* events taken in */                                                              \
    X(duplicates)   /* events at or below their aggregate's last version */                            \
    X(not_for_view) /* records of kinds, or with routes, that this view does not want */               \
    X(held)         /* events set aside, for a link that is not known */                               \
    X(early)        /* events set aside, behind numbers that are missing */                            \
    X(gaps)         /* events taken in behind a gap, as `gaps: allow` says */                          \
    X(parked)       /* events set aside because they failed */                                         \
    X(dropped)      /* decisions that events are not to be taken in, or missing ones not waited for */ \
    X(released)     /* events that have left their lists */                                            \
    X(swept)        /* documents let go of, and husks removed */                                       \
    X(batches)      /* commits that took hold */                                                       \
    X(documents)    /* documents written */                                                            \
    X(aggregates)   /* aggregate records written */                                                    \
    X(conflicts)    /* commits refused by a condition */                                               \
    X(refolds)      /* batches folded again, for whatever reason */                                    \
    X(frozen)       /* commits refused because the generation was frozen */                            \
    X(superseded)   /* commits refused because the generation had been adopted or dropped */           \
    X(unknown)      /* commits whose reply was lost */                                                 \
    X(lost_replies) /* of these, commits that progress then showed to have taken hold */               \
    X(rebalances)   /* assignments received */                                                         \
    X(positionings) /* times that positions were read from the store */                                \
    X(rewinds)      /* times that progress was found lower than it had been */                         \
    X(loads)        /* round trips for reading */                                                      \
    X(loaded)       /* documents and aggregate records asked for in them */                            \
    X(evicted)      /* documents and aggregate records dropped for room */                             \
    X(stops)        /* partitions stopped */                                                           \
    X(store_losses) /* times that the store went away */

struct vf_counts {
#define VF_COUNT_MEMBER(name) int64_t name;
    VF_COUNTS(VF_COUNT_MEMBER)
#undef VF_COUNT_MEMBER
};

void vf_counts_add(struct vf_counts *sum, const struct vf_counts *more);

#endif
