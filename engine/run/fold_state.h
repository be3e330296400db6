/*
 * A fold's inside, for fold.c, foresee.c, take_in.c, linking.c, aside.c, draining.c, apart.c and seal.c only: its rows, what it has consulted, and
 * what they ask of each other. It lives for one vf_fold_run or vf_fold_apart, in the fold's arena, on the worker's thread.
 */
#ifndef VF_RUN_FOLD_STATE_H
#define VF_RUN_FOLD_STATE_H

#include "run/fold.h"

/* One row while its batch is folded, or an event that leaves a list. */
struct vf_fold_row {
    const struct vf_record *record;
    struct vf_reading *reading; /* NULL of an event that leaves a list: its partition may be another worker's */
    const struct vf_envelope *envelope;
    struct vf_event event;
    const struct vf_route *route;      /* NULL: the kind is not for this view, or the envelope could not be read */
    const struct vf_error *unreadable; /* in the arena */
    const struct vf_error *not_upcast; /* in the arena: its upcast failed. The event counts once it is no duplicate */
    struct vf_routed routed;           /* what the route said, where it has been asked */
    bool is_routed;
    bool in_turn;        /* it leaves a list in which its aggregate's events wait: it need not go behind them */
    bool overtakes;      /* it says the link that others of its aggregate wait for */
    bool is_first;       /* with in_turn: it was the first of its aggregate's own list */
    bool overtaken;      /* it leaves a list, and later ones have been taken in */
    bool seen;           /* its number has been counted as the last one seen */
    bool dropped;        /* somebody has decided that it is not to be taken in: its number counts, and nothing else */
    struct vf_last last; /* of its aggregate, before it: borrows from the cache until the event is entered */
};

/* An event that has come into a list in this batch, and may leave it in the same one: then it is in no commit. */
struct vf_fold_aside {
    struct vf_aside aside;
    bool left;
};

/* A fold that takes longer than this seals what it has: slow handlers must not keep a worker from polling. */
#define VF_FOLD_MS_MAX 5000

struct vf_fold_list {
    void **items;
    size_t count;
    size_t capacity;
};

/* What an error is about, where it is not about the event in hand. */
enum vf_fold_trouble {
    VF_TROUBLE_NONE,
    VF_TROUBLE_STORE,     /* the store */
    VF_TROUBLE_IN_FLIGHT, /* the commit in flight has to take hold before what is needed can be read */
    VF_TROUBLE_STALE,     /* what was read is of two moments: one was read before another worker's commit */
    VF_TROUBLE_HELD,      /* an event that was set aside, and not the row with which it was to be taken in */
    VF_TROUBLE_FOREIGN,   /* something lies in the store that is not ours: no event is to blame */
    VF_TROUBLE_CAREFULLY, /* a document cannot be kept as it is, because of an earlier event: fold again with care */
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
    enum vf_fold_trouble trouble;
    struct vf_fold_list adds;   /* struct vf_fold_aside: what has come into lists */
    struct vf_fold_list taken;  /* struct vf_aside: what has left them, of what the store holds */
    struct vf_fold_list drains; /* struct vf_cached_aggregate: their lists are to be taken in, in this order */
    int64_t began_ms;           /* when folding began, behind what was foreseen */
    size_t drained;             /* events that have left lists */
    /* Of the event in hand: */
    bool is_guarded; /* its type has failed lately: its documents are saved before they change */
    bool is_alone;   /* nothing has been folded before it */
    bool stays;      /* it was the first of its list, and has to wait on there */
    bool is_judged;  /* its number is next to those before it */
    bool unlinked;   /* what it fails for is that its link is not known */
    struct vf_saved_document *saved;
    size_t saved_count, saved_capacity;

    struct vf_fold_list dropped;   /* struct vf_dropped: decisions that this fold applies */
    bool drops_first;              /* the next event that leaves a list is dropped */
    struct vf_bytes dropped_error; /* what it had failed with */
    bool gives_up_missing;         /* what is missing before the first early event is not waited for any more */
    const struct vf_cached_aggregate
        *passing; /* an event of its is behind some that came early; or NULL. And up to which: */
    int64_t passing_to;
    bool is_draining; /* vf_fold_drain is at work: what is woken meanwhile comes behind */
    struct vf_counts *loads;
};

/* --- foresee.c ---------------------------------------------------------------------------------------------------- */

/* Whether a record is kept about the aggregates of this route. */
bool vf_fold_has_record(const struct vf_fold_tools *tools, const struct vf_route *route);
/* Whether its aggregate's record has to be read before the event is judged. */
bool vf_fold_wants_record(const struct vf_fold_tools *tools, const struct vf_fold_row *row);

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

/* NULL: the kind is not for this view. */
const struct vf_route *vf_fold_find_route(const struct vf_projection *projection, struct vf_bytes kind);

/* NULL: the topic is none of the projection's. */
const struct vf_envelope *vf_fold_find_envelope(const struct vf_fold_tools *tools, const char *topic);

/* Reads the row's record by its envelope into row->event, upcasts it and finds its route; what fails stands in the row. */
void vf_fold_read_event(struct vf_fold_state *run, struct vf_fold_row *row);

/* The number that is waited for, behind those that somebody has given up. */
int64_t vf_fold_next(const struct vf_fold_state *run, const struct vf_event *event, const struct vf_last *last);
/* vf_version_order, with what was given up. */
enum vf_order vf_fold_order(const struct vf_fold_state *run, const struct vf_event *event, const struct vf_last *last);

/* Deals with an event: duplicate, gap, into its documents, into a list. */
VF_MUSTCHECK enum vf_code vf_fold_apply(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error);
/* The same of an event that leaves a list; `record` is its aggregate's. What was decided when it came there stays decided. */
VF_MUSTCHECK enum vf_code vf_fold_apply_in_turn(struct vf_fold_state *run, struct vf_fold_row *row,
                                                struct vf_cached_aggregate *record, struct vf_error *error);

/* What a fold that came upon an error comes to. */
enum vf_fold_outcome vf_fold_failed_outcome(const struct vf_fold_state *run);

/* Sets row->last to the last version that was taken in, where the aggregate's versions live. It borrows from the cache, until
 * the event is entered. */
VF_MUSTCHECK enum vf_code vf_fold_find_taken(struct vf_fold_state *run, struct vf_fold_row *row,
                                             const struct vf_cached_aggregate *record, struct vf_error *error);

/* row->last becomes the last version that decides about what comes now: of what is set aside, where anything is, else of what
 * was taken in. */
VF_MUSTCHECK enum vf_code vf_fold_find_last(struct vf_fold_state *run, struct vf_fold_row *row,
                                            const struct vf_cached_aggregate *record, struct vf_error *error);

/* --- take_in.c ---------------------------------------------------------------------------------------------------- */

/* The event is counted into the document `id`: revision, version and expiry move, the handler changes it. `left`: the document
 * that the aggregate has just left, into which it is entered too; or NULL. */
VF_MUSTCHECK enum vf_code vf_fold_take_in(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_bytes id,
                                          struct vf_cached_document *left, struct vf_error *error);

/* The aggregate has left `left` and goes nowhere: the handler runs for what it does to that one. */
VF_MUSTCHECK enum vf_code vf_fold_take_out(struct vf_fold_state *run, struct vf_fold_row *row,
                                           struct vf_cached_document *left, struct vf_error *error);

/* What is saved from here on is undone by vf_fold_undo(): the documents of one event. */
void vf_fold_begin_event(struct vf_fold_state *run, const struct vf_fold_row *row);
void vf_fold_undo(struct vf_fold_state *run);
void vf_fold_end_events(struct vf_fold_state *run); /* frees what is saved */

/* --- linking.c ---------------------------------------------------------------------------------------------------- */

/* Where an event of a kind with links goes: into a document, into a list, or nowhere; and what waits for it. `record` is its
 * aggregate's. */
VF_MUSTCHECK enum vf_code vf_fold_apply_linked(struct vf_fold_state *run, struct vf_fold_row *row,
                                               struct vf_cached_aggregate *record, struct vf_error *error);

/* --- aside.c ------------------------------------------------------------------------------------------------------ */

/* What the store calls an aggregate's list. In the arena. */
struct vf_bytes vf_fold_list_of(struct vf_fold_state *run, const struct vf_cached_aggregate *record, enum vf_list list);

/* What has come to this place in this batch, and is in no store yet; or NULL. */
struct vf_fold_aside *vf_fold_find_added(struct vf_fold_state *run, struct vf_bytes list, int64_t place);

/* What the store has in the list from this place on, at most so many. In the arena. */
VF_MUSTCHECK enum vf_code vf_fold_load_list(struct vf_fold_state *run, struct vf_bytes list, int64_t place,
                                            size_t count, struct vf_aside **ret_asides, size_t *ret_count,
                                            struct vf_error *error);

/* The first event of the aggregate's own list has failed, and nothing of it is taken in until somebody decides. */
void vf_fold_park_first(struct vf_fold_state *run, struct vf_cached_aggregate *record, const struct vf_fold_row *row,
                        const struct vf_error *why);

/* Its number is the last one seen of its aggregate, if it does not count as that already. */
void vf_fold_see(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_cached_aggregate *record);

/* Into a list: at the end of its own aggregate's, behind what waits there or for its own link; of those who wait for the link of
 * `awaited`; of those that came before numbers that are missing. */
VF_MUSTCHECK enum vf_code vf_fold_hold_behind(struct vf_fold_state *run, struct vf_fold_row *row,
                                              struct vf_cached_aggregate *record, struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_fold_hold_for(struct vf_fold_state *run, struct vf_fold_row *row,
                                           struct vf_cached_aggregate *record, struct vf_cached_aggregate *awaited,
                                           struct vf_error *error);
VF_MUSTCHECK enum vf_code vf_fold_hold_early(struct vf_fold_state *run, struct vf_fold_row *row,
                                             struct vf_cached_aggregate *record, struct vf_error *error);

/* Whether the hole before an event can be filled: not by what comes before the first number there is. */
bool vf_fold_may_be_filled(const struct vf_event *event, const struct vf_last *last);
/* Whether the event is among the early ones: then this one is a repeat of it. Else *ret_place is where it would be. */
VF_MUSTCHECK enum vf_code vf_fold_is_early(struct vf_fold_state *run, const struct vf_cached_aggregate *record,
                                           const struct vf_event *event, bool *ret_there, int64_t *ret_place,
                                           struct vf_error *error);

/* Whether an event that failed may be parked now. Notes what the worker has to know where not. */
bool vf_fold_may_park(struct vf_fold_state *run, const struct vf_fold_row *row, const struct vf_error *error);
/* Undoes what the event has done to documents, and parks it with its aggregate. */
VF_MUSTCHECK enum vf_code vf_fold_park(struct vf_fold_state *run, struct vf_fold_row *row, struct vf_error *error);

/* --- draining.c --------------------------------------------------------------------------------------------------- */

/* Reads an event of a list again. What is wrong with it as an event stands in the row. */
VF_MUSTCHECK enum vf_code vf_fold_read_aside(struct vf_fold_state *run, const struct vf_aside *aside,
                                             struct vf_fold_row *row, struct vf_error *error);

/* Takes the first event out of one of the record's lists, whether its turn has come or not. */
VF_MUSTCHECK enum vf_code vf_fold_release_first(struct vf_fold_state *run, struct vf_cached_aggregate *record,
                                                enum vf_list list, struct vf_error *error);

/* What waits in the record's lists need not wait any more: it comes into run->drains. */
VF_MUSTCHECK enum vf_code vf_fold_wake(struct vf_fold_state *run, struct vf_cached_aggregate *record,
                                       struct vf_error *error);

/* Takes in what waits in the lists of run->drains, as far as a batch goes: what is left is `draining`. */
VF_MUSTCHECK enum vf_code vf_fold_drain(struct vf_fold_state *run, struct vf_error *error);

/* --- seal.c ------------------------------------------------------------------------------------------------------- */

/* Everything consulted becomes the fold's commit, and the cache what the store will hold once it has taken hold. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_seal(struct vf_fold_state *run);

#endif
