/*
 * A fold's inside, for fold.c, foresee.c, take_in.c, linking.c, apart.c and seal.c only: its rows, what it has consulted, and
 * what they ask of each other. It lives for one vf_fold_run or vf_fold_apart, in the fold's arena, on the worker's thread.
 */
#ifndef VF_RUN_FOLD_STATE_H
#define VF_RUN_FOLD_STATE_H

#include "run/fold.h"

/* One row while its batch is folded, or an event that leaves a list. */
struct vf_fold_row {
    const struct vf_record *record;
    struct vf_reading *reading; /* NULL of an event that leaves a list: its partition may be another worker's */
    struct vf_event event;
    const struct vf_route *route;      /* NULL: the kind is not for this view, or the envelope could not be read */
    const struct vf_error *unreadable; /* in the arena */
    const struct vf_error *not_upcast; /* in the arena: its upcast failed. The event counts once it is no duplicate */
    struct vf_routed routed;           /* what the route said, where it has been asked */
    bool is_routed;
    struct vf_last last; /* of its aggregate, before it: borrows from the cache until the event is entered */
};

/* An event that has come into a list in this batch, and may leave it in the same one: then it is in no commit. */
struct vf_fold_aside {
    struct vf_aside aside;
    bool left;
    struct vf_fold_aside *added; /* of what is read of a list: this one, where it came there in this batch */
};

/* A fold that takes longer than this seals what it has: slow handlers must not keep a worker from polling. */
#define VF_FOLD_MS_MAX 5000

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
    size_t largest_bytes; /* of the largest of these documents */
    bool store_failed;    /* the error is the store's, not the event's */
    bool drain_failed;    /* the event that fails is one that was held */
    bool stale;           /* record and list do not go together: one was read before another worker's commit */
    bool must_settle;     /* the commit in flight has to take hold before what is needed can be read */
    struct vf_fold_list adds;   /* struct vf_fold_aside: what has come into lists */
    struct vf_fold_list taken;  /* struct vf_aside: what has left them, of what the store holds */
    struct vf_fold_list drains; /* struct vf_cached_aggregate: their lists are to be taken in, in this order */
    int64_t began_ms;           /* when folding began, behind what was foreseen */
    size_t drained;             /* events that have left lists */
    struct vf_counts *loads;
};

/* --- foresee.c ---------------------------------------------------------------------------------------------------- */

/* Whether a record is kept about the aggregates of this route. */
bool vf_fold_has_record(const struct vf_fold_tools *tools, const struct vf_route *route);

/* Whether the event is of the type that says its aggregate's link. */
bool vf_fold_is_linking(const struct vf_fold_row *row);

void vf_fold_list_add(struct vf_fold_state *run, struct vf_fold_list *list, void *item);

/* Asks the row's route once; the answer is row->routed. */
VF_MUSTCHECK enum vf_code vf_fold_ask_route(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error);

/* Reads what the rows will probably need into the cache, in two round trips at most, and sets run->row_limit. */
VF_MUSTCHECK enum vf_code vf_fold_foresee(struct vf_fold_state *run, struct vf_error *error);

/* The batch has as much to write as it may: the bound is on what comes beside its largest document. */
bool vf_fold_is_heavy(const struct vf_fold_state *run);

/* The document or record, read where it is not in the cache. From now on it is consulted: it is in the condition. */
VF_MUSTCHECK enum vf_code vf_fold_need_document(struct vf_fold_state *run, struct vf_bytes id,
                                                struct vf_cached_document **ret_document, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_fold_need_aggregate(struct vf_fold_state *run, struct vf_bytes key,
                                                 struct vf_cached_aggregate **ret_aggregate, struct vf_error *error);

/* Loads several at once, those that are not in the cache; none of them is consulted yet. */
VF_MUSTCHECK enum vf_code vf_fold_load(struct vf_fold_state *run, const struct vf_bytes *ids, size_t id_count,
                                       const struct vf_bytes *aggregates, size_t aggregate_count,
                                       struct vf_error *error);

/* --- fold.c ------------------------------------------------------------------------------------------------------- */

/* Reads the record's envelope into row->event, upcasts it and finds its route; what fails stands in the row. */
void vf_fold_read_event(struct vf_fold_state *run, struct vf_fold_row *row, const struct vf_envelope *envelope);

/* Sets row->last to the last version that was taken in, where the aggregate's versions live. It borrows from the cache, until
 * the event is entered. */
VF_MUSTCHECK enum vf_code vf_fold_find_taken(struct vf_fold_state *run, struct vf_fold_row *row,
                                             const struct vf_cached_aggregate *record, struct vf_error *error);

/* --- take_in.c ---------------------------------------------------------------------------------------------------- */

/* The event is counted into the document `id`: revision, version and expiry move, the handler changes it. `left`: the document
 * that the aggregate has just left, into which it is entered too; or NULL. */
VF_MUSTCHECK enum vf_code vf_fold_take_in(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_bytes id,
                                          struct vf_cached_document *left, struct vf_error *error);

/* The aggregate has left `left` and goes nowhere: the handler runs for what it does to that one. */
VF_MUSTCHECK enum vf_code vf_fold_take_out(struct vf_fold_state *run, struct vf_fold_row *row,
                                           struct vf_cached_document *left, struct vf_error *error);

/* --- linking.c ---------------------------------------------------------------------------------------------------- */

/* Where an event of a kind with links goes: into a document, into a list, or nowhere; and what waits for it. `record` is its
 * aggregate's. */
VF_MUSTCHECK enum vf_code vf_fold_apply_linked(struct vf_fold_state *run, struct vf_fold_row *row,
                                               struct vf_cached_aggregate *record, struct vf_error *error);

/* Takes in what waits in the lists of run->drains, as far as a batch goes: what is left is `draining`. */
VF_MUSTCHECK enum vf_code vf_fold_drain(struct vf_fold_state *run, struct vf_error *error);

/* --- seal.c ------------------------------------------------------------------------------------------------------- */

/* Everything consulted becomes the fold's commit, and the cache what the store will hold once it has taken hold. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_seal(struct vf_fold_state *run);

#endif
