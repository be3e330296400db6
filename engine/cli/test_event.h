/*
 * The events of a test as they are written: `order/63-0@1 OrderCreated: {...}`, the same as bare text, or the long form
 * {event: order/63-0@1, type: ..., ...}. A version is as in a token: 1, 1~event-id (of a revision), or text (of ordered
 * numbers). Used by test_file.c alone.
 */
#ifndef VF_CLI_TEST_EVENT_H
#define VF_CLI_TEST_EVENT_H

#include "cli/config_tree.h"
#include "cli/test_file.h"

/* What reading a file works with. */
struct vf_test_reading {
    const struct vf_projection *projection;
    struct vf_arena *arena;
    struct vf_findings *findings;
};

/* Reads one entry of `given`, the index-th (from 0) of its test. False: findings say what is wrong. numbers, aggregate and
 * partition are left to the caller, record to vf_test_event_write. */
bool vf_test_event_read(const struct vf_test_reading *reading, const struct vf_node *node, size_t index,
                        struct vf_test_event *ret_event);

/* Writes the event's record, once it is known what its topic's numbers are. */
bool vf_test_event_write(const struct vf_test_reading *reading, struct vf_test_event *event);

/* The version where it is an integer. False: it is beyond 64 bits. */
bool vf_test_event_number(const struct vf_test_event *event, int64_t *ret_number);

#endif
