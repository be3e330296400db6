/*
 * A YAML file as a tree of nodes that know where they stand, read by libyaml. What viewfold.yaml does not take is found
 * here: anchors, aliases, merge keys, tags, several documents, a key twice. ${env:NAME} and ${file:PATH} are put into
 * parsed scalars here (never into the text, so that a value cannot become syntax; what was put in is not looked at again).
 *
 * Nodes live in the arena. A node that was found wrong is marked `bad`: whoever walks on stays silent about it.
 */
#ifndef VF_CLI_CONFIG_TREE_H
#define VF_CLI_CONFIG_TREE_H

#include "cli/findings.h"
#include "core/arena.h"

#define VF_CONFIG_FILE_BYTES_MAX  (1 << 20) /* viewfold.yaml */
#define VF_CONFIG_VALUE_BYTES_MAX (1 << 16) /* what a ${file:PATH} may hold */
#define VF_CONFIG_DEPTH_MAX       128       /* a test file holds documents, which may nest 100 deep */

enum vf_node_kind { VF_NODE_SCALAR, VF_NODE_LIST, VF_NODE_MAP };

struct vf_node {
    enum vf_node_kind kind;
    struct vf_place place;
    bool bad;

    const char *text;   /* of a scalar: its value; may be secret */
    const char *source; /* as it was written: what messages may show */
    bool quoted;        /* "" is text, a plain nothing is an empty value */

    struct vf_node *first; /* of a list or a map, in the file's order */
    struct vf_node *next;  /* the next one of the same list or map */
    const char *key;       /* in a map */
    struct vf_place key_place;
};

/* The member of a map, or NULL. `map` may be NULL or something else: then NULL. */
const struct vf_node *vf_node_member(const struct vf_node *map, const char *key);

/* Parses `text`. `folder` is where relative ${file:PATH}s begin; NULL: a text with ${ is taken as it is. Answers the root, or NULL where the text is no YAML or
 * empty (a finding says so). Other findings leave the tree usable. */
struct vf_node *vf_config_tree_parse(struct vf_bytes text, const char *folder, struct vf_arena *arena,
                                     struct vf_findings *findings);

/* Reads a file whole, at most `bytes_max`, into the arena (NUL-terminated). VF_E_NOT_FOUND, VF_E_DENIED, VF_E_CONFIG (too
 * large, a folder, holds NUL). The text names the file and nothing of what it holds. */
VF_MUSTCHECK enum vf_code vf_config_file_read(const char *path, size_t bytes_max, struct vf_arena *arena,
                                              struct vf_bytes *ret_text, struct vf_error *error);

#endif
