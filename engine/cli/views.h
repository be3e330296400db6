/*
 * The views that a configuration makes: each projection in each of its stores, with the name that its script says. Opens
 * the scripts, so it needs the projector. Borrows from the configuration. One thread.
 */
#ifndef VF_CLI_VIEWS_H
#define VF_CLI_VIEWS_H

#include "cli/cli.h"

struct vf_view_entry {
    const char *projection; /* the script's name */
    const char *view;       /* what it is called in this store */
    const struct vf_store_entry *store;
    const struct vf_projection_entry *configured;
    char script_hash[65];      /* of the script as it lies on disk */
    const char *const *topics; /* Kafka's own names */
    size_t topic_count;
};

struct vf_views {
    const struct vf_view_entry *entries; /* in the configuration's order */
    size_t count;
    struct vf_arena *arena;
};

/* VF_E_CONFIG (also: two that would be one view, or one consumer group), VF_E_NOT_FOUND (a script). */
VF_MUSTCHECK enum vf_code vf_views_open(const struct vf_cli *cli, const struct vf_config *config,
                                        struct vf_views **ret_views, struct vf_error *error);
void vf_views_free(struct vf_views *views); /* NULL is fine */

#endif
