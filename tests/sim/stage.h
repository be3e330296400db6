/*
 * A stage for scenarios: one or two workers over a store, a log and a clock in memory, stepped by hand through a situation.
 *
 * Topics: customers (own documents), orders (linked by Created) and, with stage_use_records, tags (offset numbers, a field
 * route); with stage_use_joins, accounts (linked by Created) and cards (linked by Issued, through their account). Each has one
 * partition, and a batch is one record, so that a test can say what happens between two of them.
 * plain_projector.h says what the types do. Functions fail the cmocka test that calls them.
 */
#ifndef VF_SIM_STAGE_H
#define VF_SIM_STAGE_H

#include "connectors/memory/memory_source.h"
#include "connectors/memory/memory_store.h"
#include "run/fold.h"
#include "run/worker.h"
#include "sim/plain_projector.h"
#include "sim/sim_clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STAGE_WORKERS 2
#define STAGE_TOPICS  5

struct stage {
    struct vf_sim_clock clock;
    struct vf_memory_server *server;
    struct vf_memory_log *log;
    struct vf_arena *arena; /* what was looked at lives here until the end */
    struct vf_projection projection;
    struct vf_route routes[STAGE_TOPICS];
    const char *topics[STAGE_TOPICS];
    struct vf_reading_topic readings[STAGE_TOPICS];
    struct vf_file file;
    struct vf_generation proposed;
    struct vf_worker_setup setups[STAGE_WORKERS]; /* to be changed before a worker is opened */
    struct vf_worker *workers[STAGE_WORKERS];
    size_t conditions;     /* documents in the last commit that was applied */
    size_t retry_rows_max; /* of a batch of stage_retry's; 100 */
    size_t taken_most;     /* the most events that one commit has taken out of lists */
    size_t commits_left;   /* not 0: after so many more the store is down */
};

/* cmocka's fixture: *state is the stage. */
int stage_setup(void **state);
int stage_teardown(void **state);

/* versions = "record", and the topic tags. Before any worker is opened. */
void stage_use_records(struct stage *stage);

/* The topics accounts and cards. Before any worker is opened; stage->projection may be changed until then. */
void stage_use_joins(struct stage *stage);

/* Appends an event; `to` is JSON ("\"c1\"", "null"). Returns its offset. */
int64_t stage_send_to(struct stage *stage, const char *topic, int32_t partition, const char *id, int64_t version,
                      const char *type, const char *to);
int64_t stage_send(struct stage *stage, const char *topic, const char *id, int64_t version, const char *type,
                   const char *to);

/* Appends one of the events of a revision. */
int64_t stage_send_of_revision(struct stage *stage, const char *topic, const char *id, int64_t revision,
                               const char *event_id, const char *type, const char *to);

/* Appends an event of a card, which says its account. */
int64_t stage_send_via(struct stage *stage, const char *id, int64_t version, const char *type, const char *via);

/* Opens the worker and gives it its partitions. */
void stage_open(struct stage *stage, size_t worker);
void stage_close(struct stage *stage, size_t worker);

/* One turn of one worker. */
void stage_turn(struct stage *stage, size_t worker);
/* Turns of all open workers, while seconds pass: long enough that everything is done that can be done. */
void stage_run(struct stage *stage);

/* Writes as another worker would, beside the log: a document, made where it is absent, gains a customer's part in its body,
 * or loses it; a partition's progress is at `next`, with no last record. */
void stage_write_customer(struct stage *stage, const char *id, bool with_customer);
void stage_move_progress(struct stage *stage, const char *topic, int64_t next);
/* The same progress with another stamp, as after a tail that was lost and taken in again. */
void stage_touch_progress(struct stage *stage, const char *topic);

/* As an operator does: an event is left out for good, or numbers are not waited for any more; and nothing else happens. */
void stage_decide(struct stage *stage, const struct vf_dropped *dropped);

/* As an operator does: the generation goes on with a script of this text, which is proposed from now on too; it is dropped,
 * or, not `whole`, the removal is begun and not ended. */
void stage_adopt(struct stage *stage, const char *text);
void stage_drop(struct stage *stage, bool whole);

/* As an operator does who tries again all that is parked, and says of revisions that all of their events are there. */
void stage_retry(struct stage *stage);
/* Or who wants this of all of which something is set aside. */
void stage_retry_as(struct stage *stage, const struct vf_fold_retry *wanted);

/* ---- looking ---- */

int64_t stage_next(struct stage *stage, const char *topic);  /* 0 where there is no progress */
int64_t stage_aside(struct stage *stage, const char *topic); /* how many of its events were ever set aside */
int64_t stage_had(struct stage *stage, const char *topic);   /* as its progress says; or 0 */
const char *stage_stopped(struct stage *stage, const char *topic, int32_t partition); /* the note, or NULL */
bool stage_has(struct stage *stage, const char *id);

/* How many handled events of an aggregate a document's body counts. */
int64_t stage_handled(struct stage *stage, const char *id, const char *aggregate);
/* The chain over them (plain_projector.h): it tells their order. */
int64_t stage_chain(struct stage *stage, const char *id, const char *aggregate);
/* How many events wait in an aggregate's list; NULL: in all. */
size_t stage_waiting(struct stage *stage, const char *list);
const struct vf_aggregate *stage_record(struct stage *stage, const char *aggregate); /* NULL: there is none */
enum vf_presence stage_presence(struct stage *stage, const char *id);
struct vf_counts stage_counts(struct stage *stage, size_t worker);
/* The chain of these versions in this order, of types that begin with C. */
int64_t stage_chain_of(const int64_t *versions, size_t count);

#endif
