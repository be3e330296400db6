/*
 * YAML nodes as JSON values, by YAML 1.2's core types: plain null, true, 12, 0x1f, 1.5 and 1e3 are what they look like,
 * everything else plain, and all that is quoted, is text. Integers are 64-bit and exact, a float stays a float. Keys are
 * text as written, whatever they look like: 63-0, 1e3, yes. Pure.
 */
#ifndef VF_CLI_TEST_YAML_H
#define VF_CLI_TEST_YAML_H

#include "cli/config_tree.h"

/* Appends the node as one JSON value. What JSON cannot say (.nan, an integer beyond 64 bits) is a finding, with a null in
 * its place. */
void vf_test_yaml_json(const struct vf_node *node, struct vf_findings *findings, struct vf_buffer *out);

/* Whether the node is a plain null (also one that is not there to be seen: `key:`). */
bool vf_test_yaml_is_null(const struct vf_node *node);

#endif
