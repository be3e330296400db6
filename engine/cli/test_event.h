/*
 * The events of a test as they are written: `order/63-0@1 OrderCreated: {...}`, the same as bare text, or the long form
 * {event: order/63-0@1, type: ..., ...}. Used by test_file.c alone.
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

/* Reads one entry of `given`, the index-th (from 0) of its test. False: findings say what is wrong. aggregate and partition
 * are left to the caller. */
bool vf_test_event_read(const struct vf_test_reading *reading, const struct vf_node *node, size_t index,
                        struct vf_test_event *ret_event);

#endif
