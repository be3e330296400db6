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
    char script_hash[65];                /* of the script as it lies on disk */
    const char *const *topics;           /* Kafka's own names */
    const struct vf_envelope *envelopes; /* of each of them */
    size_t topic_count;
};

/* A projection whose script cannot be read: it may make any view, but for names that the configuration gives. */
struct vf_view_unread {
    const struct vf_projection_entry *configured;
    const char *why; /* with its place in the configuration */
};

struct vf_views {
    struct vf_view_entry *entries; /* in the configuration's order */
    size_t count;
    struct vf_view_unread *unread; /* by vf_views_look */
    size_t unread_count;
    struct vf_arena *arena;
};

/* VF_E_CONFIG: a script cannot be read; two that would be one view, or one consumer group. */
VF_MUSTCHECK enum vf_code vf_views_open(const struct vf_cli *cli, const struct vf_config *config,
                                        struct vf_views **ret_views, struct vf_error *error);

/* The same for who only looks: workers run what the stores hold, so a script that cannot be read on this disk (*ret_views
 * says which) keeps nobody from the other views. */
VF_MUSTCHECK enum vf_code vf_views_look(const struct vf_cli *cli, const struct vf_config *config,
                                        struct vf_views **ret_views, struct vf_error *error);

/* Behind an error that says that there is no such view: which scripts could not be read, as it may be one of theirs, and
 * behind that the advice; then it is VF_E_CONFIG. Answers error->code. */
enum vf_code vf_views_doubt(const struct vf_views *views, const char *advice, struct vf_error *error);

void vf_views_free(struct vf_views *views); /* NULL is fine */

#endif
