/*
 * The fold of one batch: rows in, one commit out.
 *
 * It reads each row's envelope, loads what the batch needs in at most two round trips (aggregate records, then documents;
 * what they do not foresee is loaded when it is met), decides duplicate, next or gap where the aggregate's last version
 * lives and before its route is evaluated, runs the handlers on warm documents, and seals everything that was consulted
 * into a commit. It writes nothing itself.
 *
 * A fold works on the cache and on the readings in place. When it fails, or its commit does not take hold, the owner drops
 * what it touched (vf_cache_drop_since its number) and folds again: there is no undo.
 *
 * One worker's thread. A fold's commit borrows from its arena and from the cache, until the next vf_fold_run on it.
 */
#ifndef VF_RUN_FOLD_H
#define VF_RUN_FOLD_H

#include "clock.h"
#include "core/json.h"
#include "projector.h"
#include "run/cache.h"
#include "run/counts.h"
#include "run/reading.h"
#include "store.h"

/* What a fold works with; the worker's. */
struct vf_fold_tools {
    const struct vf_projector_type *projector_type;
    struct vf_projector *projector;
    const struct vf_projection *projection;
    const struct vf_store_type *store_type;
    struct vf_store *store;
    struct vf_view view;
    uint64_t generation_stamp; /* that the commit goes by */
    struct vf_cache *cache;
    struct vf_readings *readings;
    struct vf_json_parser *parser;
    const struct vf_clock *clock;
    uint64_t assignment;                   /* rows of another are dropped */
    const struct vf_reading_topic *topics; /* all of the projection's */
    size_t topic_count;
    bool in_flight;    /* a commit is under way */
    bool drain_apart;  /* lists are not drained beside rows */
    int64_t forget_ms; /* how long husks stay; 0: for ever */
    int64_t aside_max; /* a partition's events set aside, and their bytes; 0: no limit */
    int64_t aside_bytes_max;
    size_t rows_max;          /* a batch's rows */
    size_t written_bytes_max; /* of documents that a batch consults, by the sizes they had */
    size_t
        document_bytes_typical; /* a document's body, as lately loaded; 0: not known. Bounds what is loaded at once */
    bool careful; /* take each handler's result through BSON: a failure to encode is then an event's own */
};

enum vf_fold_outcome {
    VF_FOLDED,         /* `commit` is to be sent, unless `empty` */
    VF_FOLD_FAILED,    /* the event of `failed` cannot be taken in: `error` says why */
    VF_FOLD_CAREFULLY, /* some document cannot be kept as it is, or shares tables: fold again with `careful` */
    VF_FOLD_NO_STORE,  /* a load failed: `error` */
    VF_FOLD_SETTLE,    /* the commit in flight has to be settled first: then fold again */
    VF_FOLD_STALE,     /* what was read is of two moments: fold again, as after a conflict. `error` if it stays so */
};

/* Plain data for the worker to read after vf_fold_run. */
struct vf_fold {
    uint64_t number; /* of the batch; set by the owner, only grows */
    struct vf_arena *arena;
    struct vf_arena *scratch; /* for one event */
    size_t loaded_documents;  /* that were not in the cache, and their bodies' bytes */
    size_t loaded_bytes;
    size_t rows_taken; /* how many of the rows this batch has dealt with */
    struct vf_commit commit;
    bool empty;
    bool left_draining;      /* some list that it has written is not empty yet, and waits for nothing */
    struct vf_counts counts; /* to be added once the commit has taken hold */
    const struct vf_record *failed;
    struct vf_reading *failed_reading;
    size_t rows_before_failed;        /* in this batch */
    struct vf_bytes failed_aggregate; /* size 0 where the envelope could not be read */
    bool failed_room;                 /* limits.aside has been reached: no event is to blame */
    bool failed_drain;                /* what fails was held, not the row with which it was to be taken in */
    size_t drained_before_failed;     /* events that had left lists before that one */
    bool failed_log;                  /* no event is to blame: the log is not the one that progress was taken from */
    struct vf_error error;
};

void vf_fold_init(struct vf_fold *fold);
void vf_fold_done(struct vf_fold *fold);

/* A batch without rows: takes in some of what waits in the list of an aggregate whose record is draining, or lets go of
 * documents whose time is over at `now_ms` (docs/protocol.md). Both look again at what they find; nothing may be in flight.
 * Where there is nothing to do, what it knew of that is stale. VF_FOLDED, _FAILED, _CAREFULLY, _NO_STORE, _STALE. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_drain_list(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                                     struct vf_bytes aggregate, struct vf_counts *loads);
/* What the sweep asks a store for, at this time. */
int64_t vf_fold_sweep_limit_ms(enum vf_due due, int64_t now_ms, int64_t forget_ms);

VF_MUSTCHECK enum vf_fold_outcome vf_fold_sweep(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                                const struct vf_bytes *ids, size_t count, int64_t now_ms,
                                                struct vf_counts *loads);

/* Folds up to rows_max of `rows`. `loads` (never reset here) counts round trips at once, whatever becomes of the fold. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_run(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                              const struct vf_record *rows, size_t row_count, struct vf_counts *loads);

#endif
