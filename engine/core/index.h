/*
 * A view's indexes: what a projection says of them, and which entry a body has in each. The entries are what a store without
 * indexes of its own keeps (Redis: sorted sets); a store that has them is told only the definitions. Pure functions, any
 * thread.
 */
#ifndef VF_CORE_INDEX_H
#define VF_CORE_INDEX_H

#include "core/arena.h"
#include "core/bytes.h"
#include "core/error.h"

#include <stdbool.h>

/* Longest text that an index takes in, of a `sort` or `by` field: as long as an id may be. */
#define VF_INDEX_TEXT_BYTES_MAX 1024

/* One index over top-level fields; the names are NULL where the script says none. */
struct vf_index {
    const char *name;  /* [a-z][a-z0-9_]* */
    const char *sort;  /* a number, date or string */
    const char *by;    /* equality: a string, integer or boolean */
    const char *where; /* a boolean: only documents where it is true */
};

enum vf_sort_kind { VF_SORT_NONE, VF_SORT_NUMBER, VF_SORT_DATE, VF_SORT_STRING };

/* A value that documents are sorted by. Of one kind: numbers by value, dates by time, strings byte by byte. */
struct vf_sort {
    enum vf_sort_kind kind;
    double number; /* a number; a date as Unix milliseconds. Integers are exact, as those beyond 2^53 are refused */
    struct vf_bytes text;
};

/* Where a document is in an index. Equal sort values are in the order of their documents' ids, byte by byte. */
struct vf_index_entry {
    bool in; /* false: it is not in this index, and nothing else counts */
    struct vf_bytes
        by; /* the value as text: a string itself, an integer in decimal, true or false. Size 0 without `by` */
    struct vf_sort sort;
};

/* The entries of a body (BSON), one for each index, in the arena. A document whose `sort` or `by` field is missing or null, or
 * whose `where` field is not true, is not in that index. VF_E_SCRIPT for a field of a type that the index cannot take (where: no
 * boolean; by: no string, integer or boolean; sort: no number, date or string), a text longer than VF_INDEX_TEXT_BYTES_MAX or
 * with a NUL, an integer beyond 2^53: the text names index, field and value. */
VF_MUSTCHECK enum vf_code vf_index_entries(const struct vf_index *indexes, size_t count, struct vf_bytes body,
                                           struct vf_arena *arena, struct vf_index_entry **ret_entries,
                                           struct vf_error *error);

bool vf_index_entry_equal(const struct vf_index_entry *a, const struct vf_index_entry *b);

/* Before, at or behind: < 0, 0, > 0. Of the same kind. */
int vf_sort_compare(const struct vf_sort *a, const struct vf_sort *b);

#endif
