/*
 * A worker's inside, shared by the files that make it: worker.c (the loop, the group, opening and closing), settling.c
 * (folding, writing, what failed), positions.c (the store lost and found, where to read on, partitions that stop), same_log.c
 * (topics that are made anew), rewinds.c (a store that is not what it was), upkeep.c (lists, the sweep) and renewing.c (a
 * generation that was adopted or dropped).
 * Nobody else includes it. One thread.
 */
#ifndef VF_RUN_WORKER_STATE_H
#define VF_RUN_WORKER_STATE_H

#include "run/cache.h"
#include "run/drops.h"
#include "run/fold.h"
#include "run/log.h"
#include "run/worker.h"

/* Rows in hand. settled <= taken: what lies between is folded or in flight. */
struct vf_chunk {
    struct vf_chunk *next;
    struct vf_polled *polled;
    size_t settled;
    size_t taken;
};

struct vf_worker {
    struct vf_worker_setup setup;
    struct vf_source *source;
    struct vf_store *store; /* NULL while waiting for it */
    struct vf_projector *projector;
    struct vf_generation generation; /* as registered; strings in generation_arena */
    struct vf_arena *generation_arena;
    struct vf_arena *scratch; /* for one call's answers */
    struct vf_json_parser *parser;
    struct vf_cache *cache;

    struct vf_readings readings;
    bool assigned;   /* the group has given an assignment, perhaps an empty one */
    bool positioned; /* the source reads from the store's progress */
    uint64_t assignment;
    struct vf_chunk *chunks; /* oldest first */

    struct vf_fold folds[2]; /* one in flight, one being folded */
    int turn;
    uint64_t batch; /* number of the last fold */
    struct vf_fold *in_flight;
    size_t in_flight_rows;

    size_t document_bytes_typical; /* of a body, as lately loaded */
    size_t rows_max;               /* a batch's rows: less than configured after conflicts */
    size_t drain_max; /* what a batch without rows takes out of lists: less than that after the store has refused one */
    struct vf_refused refused_event; /* till it is parked, or anything it may have been refused for has changed */
    int32_t conflicts;               /* in a row */
    bool held_up_said;               /* since the last commit: what holds them up */
    bool careful;
    struct vf_suspects *suspects; /* event types that have failed lately */
    struct vf_drops *drops;       /* what operators have left out for good, as of the last look */
    bool always_careful;          /* the script shares tables: never again without */

    bool superseded; /* the generation's entry is another one than `generation`: nothing is read until it is known */
    const char *waits_said; /* with superseded: why there is none to go on with, once it was said in the log */
    int64_t renew_at_ms;

    bool prepare_due;   /* progress was found absent: the registry may be gone too */
    bool emptied_said;  /* that the store was found emptied */
    bool store_trouble; /* said in the log, and not yet that it is over */
    bool refused;       /* with store_trouble: the store answers, and says no */
    int64_t backoff_ms;
    int64_t retry_at_ms;
    bool source_trouble;
    int64_t source_retry_at_ms;

    struct vf_progress_change *unknown; /* the commit whose reply was lost; owned */
    size_t unknown_count;

    /* upkeep.c */
    int64_t upkeep_at_ms;
    int64_t gaps_due_ms; /* not before this are aggregates with gaps looked at again, */
    char *gaps_after;    /* from behind this one on; NULL: from the first. Owned */
    int64_t gaps_begun;  /* counts.batches when the look that is under way began */
    int64_t gaps_looked; /* counts.batches when all had been looked at last, and nothing was to be done; -1: never */
    int64_t aside_look_at_ms; /* not before this is it asked again whether anything is set aside, */
    bool has_aside;           /* as it was then: something of the view, from whichever partition */
    bool drain_due;           /* some list is to be drained further at once */
    int64_t
        drain_apart_until_ms; /* an event that was held has failed: till then, lists are drained in batches of their own */
    size_t stuck;             /* lists that failed in the last round */
    struct vf_log_rate drain_log;
    struct vf_log_rate park_log;
    uint64_t drain_said;      /* hash of the last failure that the log has told */
    int32_t stales;           /* folds in a row that met a list and a record of two moments */
    struct vf_position *ends; /* of all partitions, at ends_at_ms; owned. NULL: to be asked */
    size_t end_count;
    int64_t ends_at_ms;  /* wall time */
    int64_t ends_due_ms; /* not before this are they asked for again */
    size_t
        sweep_past; /* in this round, so many of those that have expired are left alone: what is set aside belongs to them */

    bool doubted;          /* some reading is: answered before anything else */
    int64_t ask_log_at_ms; /* not before then */

    struct vf_log_rate trouble_log;
    uint64_t trouble_said; /* hash of what the log was last told of the store's trouble */

    int64_t looked_at_ms;       /* when progress was last known to be in the store */
    int64_t store_looked_at_ms; /* when the store was last asked whether it still serves */
    int64_t committed_at_ms;    /* Kafka's offsets */
    struct vf_log_rate script_log;
    struct vf_counts counts;
};

/* worker.c */
int64_t vf_worker_now_ms(const struct vf_worker *worker);
void vf_worker_sleep_ms(const struct vf_worker *worker, int64_t duration_ms);
struct vf_view vf_worker_view(const struct vf_worker *worker);
struct vf_log_about vf_worker_about(const struct vf_worker *worker);
void vf_worker_say(const struct vf_worker *worker, enum vf_log_level level, const struct vf_partition *partition,
                   const struct vf_error *error, const char *text);

void vf_worker_log_script(void *self, const struct vf_event *event, struct vf_bytes text);

/* settling.c */

/* The oldest rows in hand that no fold has taken yet, or NULL. */
struct vf_chunk *vf_worker_untaken(struct vf_worker *worker);
/* An event that may be parked has failed: it is tried again, until it has failed as often as `errors` says. */
void vf_worker_note_failure(struct vf_worker *worker, const struct vf_fold *fold);
void vf_worker_add_chunk(struct vf_worker *worker, struct vf_polled *polled);

/* Nothing is in flight any more. What folds numbered `since` and later have touched is dropped, decisions included; their
 * rows are in hand again. */
void vf_worker_discard(struct vf_worker *worker, uint64_t since);

/* Everything in hand goes: rows, warm documents, what was folded. A commit that is in flight is waited for and its outcome
 * ignored: progress will tell. Positions have to be taken again. */
void vf_worker_drop_everything(struct vf_worker *worker);

/* Waits for the commit in flight. False when it did not take hold: what was folded since is thrown away. */
bool vf_worker_settle(struct vf_worker *worker);

/* The heap is full: everything warm goes. */
void vf_worker_free_memory(struct vf_worker *worker);

/* Says what holds commits up, where the store can tell: once, until one takes hold. */
void vf_worker_say_held_up(struct vf_worker *worker);

/* Folds the next rows in hand while the last commit is in flight, then waits for that one and sends this one. */
void vf_worker_fold_and_send(struct vf_worker *worker, struct vf_chunk *chunk);

/* Tells the group how far the store is: for lag tools. */
void vf_worker_commit_offsets(struct vf_worker *worker, bool wait);

/* What a fold works with now. */
struct vf_fold_tools vf_worker_tools(struct vf_worker *worker);

/* upkeep.c */

/* Drains what is left of long lists, sweeps, and looks after partitions that wait for room: now and then, in batches of their
 * own. True when something was done. */
bool vf_worker_upkeep(struct vf_worker *worker);

/* Every partition has reached the end that it had at the start, or stopped; and nothing is under way. Whether, with `once`, the
 * aggregates with gaps are to be looked at before it ends. */
bool vf_worker_has_read_all(const struct vf_worker *worker);
bool vf_worker_has_stopped(const struct vf_worker *worker);
bool vf_worker_is_at_ends(const struct vf_worker *worker);
bool vf_worker_owes_look(const struct vf_worker *worker);
void vf_worker_upkeep_reset(struct vf_worker *worker); /* what it knew of the log and the store is out of date */

/* limits.aside has been reached in the partition: asks the store how it is. True: there is room again. */
bool vf_worker_has_room(struct vf_worker *worker, struct vf_reading *reading);

/* Takes from the store how much of the partition is set aside, where anything ever was. */
VF_MUSTCHECK enum vf_code vf_worker_look_aside(struct vf_worker *worker, struct vf_reading *reading,
                                               struct vf_error *error);

/* Makes the store's own indexes for the script that is run. */
VF_MUSTCHECK enum vf_code vf_worker_make_indexes(struct vf_worker *worker, struct vf_error *error);

/* renewing.c */

/* The generation's entry is another one than this worker goes by: it was adopted, or dropped. From here on it reads nothing,
 * polls on, and looks for the entry to go on with. */
void vf_worker_supersede(struct vf_worker *worker);
void vf_worker_renew(struct vf_worker *worker);

/* Makes what the store has lost of the view, and looks whether its entry is still the worker's: if not, it is superseded. */
VF_MUSTCHECK enum vf_code vf_worker_prepare_again(struct vf_worker *worker, struct vf_error *error);

/* Asks whether the entry is still the worker's; if not, or if the store is gone, does what is to be done. */
bool vf_worker_is_current(struct vf_worker *worker);

/* same_log.c */

/* Asks what the group has committed: before anything is committed, and now and then. False: it could not be asked, or some
 * log is in doubt; then nothing may be committed. */
bool vf_worker_look_at_log(struct vf_worker *worker);

/* Some log is in doubt: writes into progress which record tells, and takes positions again, so that it is looked at. */
void vf_worker_answer_doubt(struct vf_worker *worker);

/* The reading's stored progress has been taken from the store. */
void vf_worker_begin_proof(struct vf_reading *reading);

/* rewinds.c */

/* Takes the group's offsets of partitions that were just assigned: how far the view had come. Before progress is read. */
VF_MUSTCHECK enum vf_code vf_worker_ask_committed(struct vf_worker *worker, struct vf_error *error);

/* Progress was found: says and counts where it is lower than the view had come. Where there is none any more, `found` then says
 * how far that was (`had`). */
void vf_worker_note_rewind(struct vf_worker *worker, struct vf_reading *reading, struct vf_progress *found);

/* The log of a partition that is begun ends here: of what the view had, no more than that comes again. */
void vf_worker_limit_had(struct vf_reading *reading, int64_t end);

/* Positions have been taken: where a view begins that followed a dropped one, the group's offsets are set back to there. */
void vf_worker_forget_dropped(struct vf_worker *worker);

/* Every few seconds: whether the store is still the one that was opened, and serves. False: it does not, and is lost. */
bool vf_worker_look_at_store(struct vf_worker *worker);

/* positions.c */

/* From here on the worker waits for its store: it reads nothing, polls on, and tries to open it again. refused: the store
 * answers, and says no. */
void vf_worker_lose_store(struct vf_worker *worker, const struct vf_error *error, bool refused);
void vf_worker_try_store(struct vf_worker *worker);
void vf_worker_store_is_well(struct vf_worker *worker);
void vf_worker_read_nothing(struct vf_worker *worker);

/* Takes the positions from the store and reads on from them. Whatever is missing for it is tried again at the next turn,
 * with polling in between. */
void vf_worker_position(struct vf_worker *worker);

/* Is what the store holds what this worker believes? False: it is not, and positions are to be taken again, or, with
 * *ret_lost, the store is gone. */
bool vf_worker_progress_is_ours(struct vf_worker *worker, struct vf_error *error, bool *ret_lost);

/* The log does not hold a position that was asked for. */
void vf_worker_answer_out_of_range(struct vf_worker *worker, const struct vf_record *row);

/* Everything of the partition before `offset` is still dealt with; then it is left out until the next assignment, or until
 * its progress in the store has moved. Nothing stops when progress is not what this worker believes: positions are taken
 * again instead. Nothing may be in flight. */
void vf_worker_begin_stop(struct vf_worker *worker, struct vf_reading *reading, int64_t offset,
                          struct vf_bytes aggregate, const struct vf_error *error, bool degraded);
bool vf_worker_is_stopping(const struct vf_worker *worker);

/* What came before is in the store: notes why, and reads on without the stopped partitions. */
void vf_worker_finish_stops(struct vf_worker *worker);

#endif
