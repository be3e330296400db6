/*
 * What a memory server holds: plain tables, one set a generation of a view. Internal to connectors/memory. Whoever uses a
 * `struct vf_memory_data` holds its server's lock. Items own their strings; nothing here decides anything.
 */
#ifndef VF_MEMORY_DATA_H
#define VF_MEMORY_DATA_H

#include "store.h"

#include <uthash.h>

struct vf_memory_document {
    struct vf_document value;
    UT_hash_handle hh; /* by value.id */
};

struct vf_memory_aggregate {
    struct vf_aggregate value;
    UT_hash_handle hh; /* by value.aggregate */
};

struct vf_memory_progress {
    struct vf_bytes key; /* orders/3 */
    struct vf_progress_row value;
    UT_hash_handle hh; /* by key */
};

struct vf_memory_generation {
    struct vf_bytes key; /* customer_orders@1 */
    struct vf_memory_document *documents;
    struct vf_memory_aggregate *aggregates;
    struct vf_memory_progress *progress;
    bool registered;            /* whether `entry` is there */
    struct vf_generation entry; /* the registry's, with its script */
    bool frozen;
    UT_hash_handle hh; /* by key */
};

struct vf_memory_pointer {
    struct vf_bytes view;
    int32_t active;
    UT_hash_handle hh; /* by view */
};

/* All that a server holds; what a snapshot copies and a rewind puts back. */
struct vf_memory_data {
    struct vf_memory_generation *generations;
    struct vf_memory_pointer *pointers;
};

void vf_memory_data_done(struct vf_memory_data *data);
void vf_memory_data_copy(const struct vf_memory_data *data, struct vf_memory_data *ret_copy);

/* NULL where there is none, unless `make`. */
struct vf_memory_generation *vf_memory_data_generation(struct vf_memory_data *data, struct vf_view view, bool make);
struct vf_memory_pointer *vf_memory_data_pointer(struct vf_memory_data *data, const char *view, bool make);
struct vf_memory_document *vf_memory_find_document(struct vf_memory_generation *generation, struct vf_bytes id);
struct vf_memory_aggregate *vf_memory_find_aggregate(struct vf_memory_generation *generation,
                                                     struct vf_bytes aggregate);
struct vf_memory_progress *vf_memory_find_progress(struct vf_memory_generation *generation,
                                                   struct vf_partition partition, bool make);

/* Puts a copy of the value in place of what was there under its id. The value must not be the table's own. */
void vf_memory_put_document(struct vf_memory_generation *generation, const struct vf_document *value);
void vf_memory_put_aggregate(struct vf_memory_generation *generation, const struct vf_aggregate *value);

/* Puts a copy of the entry in place of what was there, from which it may borrow. */
void vf_memory_put_entry(struct vf_memory_generation *generation, const struct vf_generation *entry);
void vf_memory_remove_pointer(struct vf_memory_data *data, struct vf_memory_pointer *pointer);
/* Up to so many documents and records; how many it were. */
size_t vf_memory_remove_some(struct vf_memory_generation *generation, size_t most);
void vf_memory_remove_progress(struct vf_memory_generation *generation);

/* Copies into the arena; with NULL into malloc's memory, which then belongs to the item in its table. */
void vf_memory_copy_document(struct vf_arena *arena, const struct vf_document *from, struct vf_document *ret_to);
void vf_memory_copy_aggregate(struct vf_arena *arena, const struct vf_aggregate *from, struct vf_aggregate *ret_to);
void vf_memory_copy_generation(struct vf_arena *arena, const struct vf_generation *from, struct vf_generation *ret_to);
void vf_memory_copy_row(struct vf_arena *arena, const struct vf_progress_row *from, struct vf_progress_row *ret_to);
char *vf_memory_copy_text(struct vf_arena *arena, const char *text); /* NULL gives NULL */

/* A whole commit, so that it can land later. */
struct vf_commit *vf_memory_copy_commit(struct vf_arena *arena, const struct vf_commit *from);

#endif
