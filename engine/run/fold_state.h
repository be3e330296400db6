/*
 * A fold's inside, for fold.c, foresee.c and seal.c only: its rows, what it has consulted, and what the three ask of each
 * other. It lives for one vf_fold_run, in the fold's arena, on the worker's thread.
 */
#ifndef VF_RUN_FOLD_STATE_H
#define VF_RUN_FOLD_STATE_H

#include "run/fold.h"

/* One row while its batch is folded. */
struct vf_fold_row {
    const struct vf_record *record;
    struct vf_reading *reading;
    struct vf_event event;
    const struct vf_route *route;      /* NULL: the kind is not for this view, or the envelope could not be read */
    const struct vf_error *unreadable; /* in the arena */
    struct vf_routed routed;           /* what the route said, where it has been asked */
    bool is_routed;
};

struct vf_fold_list {
    void **items;
    size_t count;
    size_t capacity;
};

/* The state of one vf_fold_run. */
struct vf_fold_state {
    struct vf_fold *fold;
    const struct vf_fold_tools *tools;
    struct vf_fold_row *rows;
    size_t row_count;
    struct vf_fold_list documents;  /* struct vf_cached_document: everything consulted, in order of first use */
    struct vf_fold_list aggregates; /* struct vf_cached_aggregate */
    size_t row_limit;               /* rows from here on are the next batch's: their documents were not foreseen */
    size_t touched_bytes; /* of documents that the batch has consulted, by the sizes they had, and what came to them */
    bool store_failed;    /* the error is the store's, not the event's */
    struct vf_counts *loads;
};

/* --- foresee.c ---------------------------------------------------------------------------------------------------- */

/* Whether a record is kept about the aggregates of this route. */
bool vf_fold_has_record(const struct vf_fold_tools *tools, const struct vf_route *route);

/* Whether the event is of the type that says its aggregate's link. */
bool vf_fold_is_linking(const struct vf_fold_row *row);

/* Asks the row's route once; the answer is row->routed. */
VF_MUSTCHECK enum vf_code vf_fold_ask_route(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error);

/* Reads what the rows will probably need into the cache, in two round trips at most, and sets run->row_limit. */
VF_MUSTCHECK enum vf_code vf_fold_foresee(struct vf_fold_state *run, struct vf_error *error);

/* The document or record, read where it is not in the cache. From now on it is consulted: it is in the condition. */
VF_MUSTCHECK enum vf_code vf_fold_need_document(struct vf_fold_state *run, struct vf_bytes id,
                                                struct vf_cached_document **ret_document, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_fold_need_aggregate(struct vf_fold_state *run, struct vf_bytes key,
                                                 struct vf_cached_aggregate **ret_aggregate, struct vf_error *error);

/* --- seal.c ------------------------------------------------------------------------------------------------------- */

/* Everything consulted becomes the fold's commit, and the cache what the store will hold once it has taken hold. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_seal(struct vf_fold_state *run);

#endif
