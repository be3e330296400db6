/*
 * `viewfold generations adopt` and `drop`, and what they share with the verb around them. One thread. Every failure is said
 * when it is met; the first one decides the exit status, and the other stores are done all the same.
 */
#ifndef VF_CLI_GENERATIONS_CHANGE_H
#define VF_CLI_GENERATIONS_CHANGE_H

#include "cli/cli.h"
#include "cli/views.h"

/* A view in a store. */
struct vf_generations_target {
    const char *view;
    const struct vf_store_entry *store;
    const struct vf_view_entry
        *entry; /* NULL: the configuration has no projection of it (any more), or none whose script can be read */
};

/* One of the configuration's stores. */
struct vf_generations_open {
    const struct vf_store_type *type;
    struct vf_store *store; /* NULL while not open */
    bool tried;
};

struct vf_generations {
    struct vf_cli *cli;
    const struct vf_config *config;
    struct vf_views *views;
    struct vf_arena *arena;
    struct vf_generations_open *open;  /* of each of the configuration's stores */
    const struct vf_store_entry *only; /* --store, or NULL */
    bool named;                        /* PROJECTION was said */
    int32_t number;                    /* G, or 0 */
    struct vf_generations_target *targets;
    size_t target_count;
    enum vf_code code; /* the first failure */
    int status;        /* the exit status that it gives */
};

/* Says what went wrong with this target. */
void vf_generations_fail(struct vf_generations *generations, const struct vf_generations_target *target,
                         struct vf_error *error);

/* The open store of the target; NULL where it cannot be opened, which was said then. */
struct vf_store *vf_generations_store(struct vf_generations *generations, const struct vf_generations_target *target,
                                      const struct vf_store_type **ret_type);

void vf_generations_adopt(struct vf_generations *generations);
void vf_generations_drop(struct vf_generations *generations);

#endif
