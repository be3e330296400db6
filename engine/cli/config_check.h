/*
 * A tree checked against the table of keys: shapes, unknown keys, what is not built yet, ranges, what is missing.
 */
#ifndef VF_CLI_CONFIG_CHECK_H
#define VF_CLI_CONFIG_CHECK_H

#include "cli/config_tree.h"

void vf_config_check(const struct vf_node *root, struct vf_findings *findings);

#endif
