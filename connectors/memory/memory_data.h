/*
 * What a memory server holds: plain tables, one set a generation of a view. Internal to connectors/memory. Whoever uses a
 * `struct vf_memory_data` holds its server's lock. Items own their strings; nothing here decides anything.
 */
#ifndef VF_MEMORY_DATA_H
#define VF_MEMORY_DATA_H

#include "connectors/memory/memory_store.h"
#include "core/hash.h"

struct vf_memory_document {
    struct vf_document value;
    struct vf_memory_entry *entries; /* where it is in the indexes; each borrows the id */
    size_t entry_count;
    UT_hash_handle hh; /* by value.id */
};

struct vf_memory_aggregate {
    struct vf_aggregate value;
    UT_hash_handle hh; /* by value.aggregate */
};

/* The events that are set aside in one aggregate's list. There is none without any. */
struct vf_memory_list {
    struct vf_bytes list;
    struct vf_aside *asides; /* by place; each borrows the list's name */
    size_t count, capacity;
    UT_hash_handle hh; /* by list */
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
    struct vf_memory_list *lists;
    struct vf_dropped *dropped; /* in the order of the decisions */
    size_t dropped_count;
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

/* Puts a copy of the value in place of what was there under its id. The value must not be the table's own. A document is in
 * no index then. */
struct vf_memory_document *vf_memory_put_document(struct vf_memory_generation *generation,
                                                  const struct vf_document *value);
void vf_memory_put_aggregate(struct vf_memory_generation *generation, const struct vf_aggregate *value);
void vf_memory_add_entry(struct vf_memory_document *document, const char *index, const struct vf_index_entry *entry);
void vf_memory_remove_document(struct vf_memory_generation *generation, struct vf_bytes id); /* absent is fine */

void vf_memory_remove_aggregate(struct vf_memory_generation *generation, struct vf_bytes name); /* as above */
void vf_memory_add_dropped(struct vf_memory_generation *generation, const struct vf_dropped *dropped);

/* What is set aside: the list is NULL where it has nothing. A place is put once, and taken once. */
struct vf_memory_list *vf_memory_find_list(struct vf_memory_generation *generation, struct vf_bytes list);
const struct vf_aside *vf_memory_find_aside(struct vf_memory_generation *generation, struct vf_bytes list,
                                            int64_t place);
void vf_memory_add_aside(struct vf_memory_generation *generation, const struct vf_aside *aside);
void vf_memory_take_aside(struct vf_memory_generation *generation, struct vf_bytes list, int64_t place);

/* Puts a copy of the entry in place of what was there, from which it may borrow. */
void vf_memory_put_entry(struct vf_memory_generation *generation, const struct vf_generation *entry);
void vf_memory_remove_pointer(struct vf_memory_data *data, struct vf_memory_pointer *pointer);
/* Up to so many documents, records and events set aside; how many it were. */
size_t vf_memory_remove_some(struct vf_memory_generation *generation, size_t most);
void vf_memory_remove_progress(struct vf_memory_generation *generation);

/* Copies into the arena; with NULL into malloc's memory, which then belongs to the item in its table. */
void vf_memory_copy_document(struct vf_arena *arena, const struct vf_document *from, struct vf_document *ret_to);
void vf_memory_copy_aggregate(struct vf_arena *arena, const struct vf_aggregate *from, struct vf_aggregate *ret_to);
void vf_memory_copy_generation(struct vf_arena *arena, const struct vf_generation *from, struct vf_generation *ret_to);
void vf_memory_copy_row(struct vf_arena *arena, const struct vf_progress_row *from, struct vf_progress_row *ret_to);
void vf_memory_copy_entry(struct vf_arena *arena, const struct vf_index_entry *from, struct vf_index_entry *ret_to);
void vf_memory_copy_aside(struct vf_arena *arena, const struct vf_aside *from, struct vf_aside *ret_to);
void vf_memory_copy_dropped(struct vf_arena *arena, const struct vf_dropped *from, struct vf_dropped *ret_to);
struct vf_bytes vf_memory_copy_bytes(struct vf_arena *arena, struct vf_bytes from);
char *vf_memory_copy_text(struct vf_arena *arena, const char *text); /* NULL gives NULL */

/* A whole commit, so that it can land later. */
struct vf_commit *vf_memory_copy_commit(struct vf_arena *arena, const struct vf_commit *from);

#endif
