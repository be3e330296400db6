/*
 * A configuration as `viewfold config` prints it: in the order of the table of keys, with every default where wanted,
 * secrets masked. What is printed as YAML is read back as the same configuration, masked secrets excepted.
 *
 * A value that came from ${env:NAME} is shown as what it is; as its source where it may be secret: a password, a URL, a
 * Kafka property, anything from a ${file:PATH}. A secret that stands in the file itself is shown as ***.
 *
 * Pure: borrows from the tree and the arena. One thread.
 */
#ifndef VF_CLI_CONFIG_SHOW_H
#define VF_CLI_CONFIG_SHOW_H

#include "cli/config_tree.h"

struct vf_shown {
    enum vf_node_kind kind;
    const char *key;  /* in a map */
    const char *text; /* of a scalar */
    bool number;      /* an integer: JSON shows it without quotes */
    struct vf_shown *first;
    struct vf_shown *next;
};

/* What is to be printed of a tree in which nothing was found wrong. */
struct vf_shown *vf_config_show(const struct vf_node *root, bool defaults, struct vf_arena *arena);

void vf_config_show_yaml(const struct vf_shown *root, struct vf_buffer *out);
void vf_config_show_json(const struct vf_shown *root, struct vf_buffer *out); /* one line, keys sorted */

#endif
