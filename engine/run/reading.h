/*
 * What a worker reads: its topic partitions, and for each three progresses that follow one another: what the store holds
 * (stored), what it will hold once the commit in flight has taken hold (sent), and how far the fold is (folded). They are
 * equal when nothing is under way. `next` counts in each of them, also where there is no progress yet: it is where reading
 * begins. Plain data of one worker's thread.
 */
#ifndef VF_RUN_READING_H
#define VF_RUN_READING_H

#include "core/document.h"
#include "core/envelope.h"

#include <stdbool.h>

/* One topic of a projection, as the worker reads it. Immutable. */
struct vf_reading_topic {
    const char *topic; /* Kafka's own name */
    struct vf_envelope envelope;
};

enum vf_reading_state {
    VF_READING,  /* rows of it are dealt with */
    VF_STOPPING, /* an event at `stop_offset` cannot be taken in: what is before it is, then the partition stops */
    VF_STOPPED,  /* left out of the assignment until the next one */
};

struct vf_reading {
    struct vf_partition partition;
    const struct vf_reading_topic *topic;
    int32_t of; /* the topic's partition count now */
    enum vf_reading_state state;
    bool waits_for_room; /* with STOPPING, STOPPED: limits.aside has been reached */
    int64_t room_bytes;  /* that the event takes for which there was no room, */
    char *room_list;     /* and the list into which it was to come (core/document.h); owned, */
    int64_t room_place;  /* and its place there; */
    bool room_itself;    /* and it would not wait there for anything: it fails itself */
    bool degraded;       /* with STOPPED: the log does not hold what the view needs; no event is to blame */

    struct vf_progress stored;
    struct vf_progress sent;
    struct vf_progress folded;
    const struct vf_record
        *last; /* the last record dealt with by the fold under way; its hash is taken when it seals */

    struct vf_aside_total aside_now; /* how much of it is set aside, about: never less than there is */

    bool is_committed;            /* the group was seen to have an offset committed here */
    struct vf_progress proofs[2]; /* progress as it was at the last looks at that, the older one last */
    bool doubted;                 /* it is gone: the older proof's last record is to be seen again */

    bool committed_known; /* `committed` has been asked for, once an assignment */
    bool of_dropped;      /* that was of a view which was dropped: it is to be set back */
    int64_t committed; /* the group's offset when the partition was assigned, until progress has been read; -1: none */

    bool verify;          /* the first row must be the record that progress says was the last one */
    bool commit_due;      /* the group's committed offset is behind `stored` */
    int64_t end_at_start; /* the end that the partition had when its position was taken; -1 unknown */
    bool at_end;          /* everything up to an end row has been dealt with and stored */
    bool folded_end;      /* the fold has seen an end row and nothing after it */

    /* The event that is failing, while it is tried again; and why the partition stops. */
    int64_t failing_offset; /* -1: none */
    int32_t failures;
    int64_t stop_offset;
    char *why; /* JSON object, as it is noted in the store; owned */
};

struct vf_readings {
    struct vf_reading *all;
    size_t count;
};

/* Empty, with `count` partitions of `topics`. A partition of a topic that is not among them is left out. */
void vf_readings_set(struct vf_readings *readings, const struct vf_partition *partitions, size_t count,
                     const struct vf_reading_topic *topics, size_t topic_count);
void vf_readings_clear(struct vf_readings *readings);

/* The partition's reading, or NULL where it is not assigned. */
struct vf_reading *vf_readings_find(struct vf_readings *readings, const char *topic, int32_t partition);

/* Nothing is under way any more: what had been sent or folded is forgotten. */
void vf_readings_rewind_to_stored(struct vf_readings *readings);

#endif
