/*
 * A view as a reader means it: by its name, in the store that --store names, or in the only or first one that has it. Borrows
 * from the configuration. One thread.
 */
#ifndef VF_CLI_VIEW_OPEN_H
#define VF_CLI_VIEW_OPEN_H

#include "cli/cli.h"
#include "run/fresh.h"

struct vf_open_view {
    struct vf_cli *cli;
    const char *name;
    const struct vf_store_entry *entry;
    const struct vf_store_type *type;
    struct vf_store *store; /* NULL: not open */
};

/* Chooses the store, and connects to it. VF_E_NOT_FOUND: no such store, or no projection that makes such a view; other codes
 * as the connector's open. To be closed in any case. */
VF_MUSTCHECK enum vf_code vf_open_view(struct vf_cli *cli, const struct vf_config *config, const char *name,
                                       struct vf_open_view *ret_view, struct vf_error *error);
/* Opens its store anew, after it was lost or closed. */
VF_MUSTCHECK enum vf_code vf_open_view_again(struct vf_open_view *view, struct vf_error *error);
void vf_open_view_close(struct vf_open_view *view);

/* The generation that is meant: `wanted`, or with 0 the one that readers see now. VF_E_NOT_FOUND. */
VF_MUSTCHECK enum vf_code vf_open_view_generation(const struct vf_open_view *view, int32_t wanted,
                                                  struct vf_arena *arena, struct vf_view *ret_view,
                                                  struct vf_error *error);

/* Says so where the view is being rebuilt: whoever reads it may read it incomplete. */
void vf_open_view_say_rebuilding(const struct vf_open_view *view, const struct vf_rebuilding *rebuilding);

#endif
