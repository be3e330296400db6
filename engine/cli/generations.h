/*
 * What `viewfold generations` shows, as plain data, and how it shows it. Pure; generations.c gathers. Everything borrows.
 */
#ifndef VF_CLI_GENERATIONS_H
#define VF_CLI_GENERATIONS_H

#include "core/bytes.h"
#include "run/config.h"
#include "store.h"

/* A hash as people read it: so many digits of it. */
#define VF_HASH_SHOWN 12

struct vf_generations_row {
    const char *projection; /* NULL: the store has the view, and the configuration no projection of it */
    const char *view;
    const struct vf_store_entry *store;
    const char *here; /* the hash of the script on disk, or NULL */
    bool there;       /* false: the store has no generation of this view */
    bool served;      /* readers see it */
    struct vf_generation generation;
};

/* {"generations":[...]} on one line. */
void vf_generations_print_json(const struct vf_generations_row *rows, size_t count, struct vf_buffer *out);

/* A line a generation, and one for each adoption. */
void vf_generations_print_table(const struct vf_generations_row *rows, size_t count, bool color, struct vf_buffer *out);

/* {"at":...,"from":...,"positions":{...},"to":...} */
void vf_adoption_print_json(const struct vf_adoption *adoption, struct vf_buffer *out);

/* "adopted 2026-...: script aaaaaaaaaaaa instead of bbbbbbbbbbbb, from orders/0@12, orders/1@7 on" */
void vf_adoption_print(const struct vf_adoption *adoption, struct vf_buffer *out);

/* "orders/0@12, orders/1@7"; "the beginning" where there is none. */
void vf_adoption_print_positions(const struct vf_adoption *adoption, struct vf_buffer *out);

/* The last adoption of an entry, or NULL. */
const struct vf_adoption *vf_adoption_last(const struct vf_generation *generation);

#endif
