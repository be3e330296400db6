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
#include "run/refused.h"
#include "run/suspects.h"
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
    bool in_flight;                     /* a commit is under way */
    bool has_aside;                     /* something of the view is set aside, perhaps by another partition */
    bool has_read_all;                  /* of the log, what it held when reading began */
    bool drain_apart;                   /* lists are not drained beside rows */
    bool parks;                         /* what fails for good is parked; else it stops its partition */
    bool parks_at_once;                 /* whatever fails, without further tries */
    const struct vf_suspects *suspects; /* NULL: none */
    const struct vf_drops *drops;       /* NULL: nothing was dropped */
    const struct vf_refused *refused;   /* NULL: none */
    const char *script_hash;            /* of the generation's script */
    int64_t forget_ms;                  /* how long husks stay; 0: for ever */
    int64_t aside_max;                  /* a partition's events set aside, and their bytes; 0: no limit */
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

/* An event that the fold has parked. */
struct vf_fold_parked {
    struct vf_bytes aggregate;
    const struct vf_record *record;
    const struct vf_error *error;
    const struct vf_fold_parked *next;
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
    size_t rows_before_failed;           /* in this batch */
    struct vf_bytes failed_aggregate;    /* size 0 where the envelope could not be read */
    bool failed_room;                    /* limits.aside has been reached: no event is to blame; */
    int64_t failed_room_bytes;           /* the event would take so many */
    struct vf_bytes failed_room_list;    /* of this list (core/document.h); in the arena, */
    int64_t failed_room_place;           /* and this place in it; */
    bool failed_room_itself;             /* and it waits for nothing: it fails itself */
    bool failed_drain;                   /* what fails was held, not the row with which it was to be taken in */
    size_t drained_before_failed;        /* events that had left lists before that one */
    bool failed_order;                   /* its number does not tell what came first: nothing behind it is dealt with */
    bool failed_parkable;                /* it may be parked, once it has failed for good */
    struct vf_bytes failed_suspect;      /* vf_suspect_key of what failed; size 0 where no event is to blame */
    const struct vf_fold_parked *parked; /* the last one first; in the arena */
    bool failed_log;                     /* no event is to blame: the log is not the one that progress was taken from */
    struct vf_error error;
};

void vf_fold_init(struct vf_fold *fold);
void vf_fold_done(struct vf_fold *fold);

/* A batch without rows: takes in some of what waits in the list of an aggregate whose record is draining, or lets go of
 * documents whose time is over at `now_ms` (docs/protocol.md). Both look again at what they find; nothing may be in flight.
 * Where there is nothing to do, what it knew of that is stale. VF_FOLDED, _FAILED, _CAREFULLY, _NO_STORE, _STALE. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_drain_list(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                                     struct vf_bytes aggregate, struct vf_counts *loads);
/* What an operator wants of an aggregate's lists. */
struct vf_fold_retry {
    bool
        drop_first; /* the first event, which failed or is held, is not to be taken in: its number counts, and nothing else.
                          The decision is kept. Of its own list, or else of those who wait for its link */
    bool
        drop_missing; /* the numbers that are missing before the early events are not waited for. The decision is kept */
    bool asks;        /* all events of the revisions before the early ones have come, up to this number */
    int64_t asks_to;  /* with asks or drop_missing */
};

/* A batch without rows: what is parked of an aggregate is taken in, as far as a batch goes (the rest is draining then, and any
 * worker goes on with it) and up to the next event that fails, which is parked with its new failure. For tools->parks and
 * ->parks_at_once; nothing may be in flight. `empty` where there is nothing to do. Outcomes as vf_fold_drain_list's. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_retry(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                                struct vf_bytes aggregate, const struct vf_fold_retry *retry,
                                                struct vf_counts *loads);

/* What the sweep asks a store for, at this time. */
int64_t vf_fold_sweep_limit_ms(enum vf_due due, int64_t now_ms, int64_t forget_ms);

/* rows_taken: so many of the ids were looked at. Those that are not swept are left as they are. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_sweep(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                                const struct vf_bytes *ids, size_t count, int64_t now_ms,
                                                struct vf_counts *loads);

/* Folds up to rows_max of `rows`. `loads` (never reset here) counts round trips at once, whatever becomes of the fold. */
VF_MUSTCHECK enum vf_fold_outcome vf_fold_run(struct vf_fold *fold, const struct vf_fold_tools *tools,
                                              const struct vf_record *rows, size_t row_count, struct vf_counts *loads);

#endif
