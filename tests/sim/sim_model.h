/*
 * The simulator's log as its generator meant it, and what a view of it has to be: a plain fold, event by event, in the order
 * in which commits dealt with them. It shares nothing with the engine but the hash chain of its documents' contents, and it
 * does not know the engine's rule for duplicates: the generator says which records hold the same event, and each event
 * counts once.
 *
 * A model follows a store: each commit that was applied is a step (sim_model_step), and what it did must be explained by it.
 * Of the commit the model believes only what an outsider cannot know: how far it went in each partition, which waiting
 * events it took out of their lists and which it put there, and which documents a sweep took. It is plain data: copying the
 * struct is a snapshot.
 */
#ifndef VF_SIM_MODEL_H
#define VF_SIM_MODEL_H

#include "projector.h"
#include "sim/sim_event.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_EVENTS_MAX     400
#define SIM_DOCUMENTS_MAX  24
#define SIM_AGGREGATES_MAX 48
#define SIM_TOPICS         7
#define SIM_PARTITIONS_MAX 3

/* How often a handler was there, and in which order. */
struct sim_chain {
    int64_t count;
    int64_t hash;
};

struct sim_document {
    char id[SIM_TEXT];
    enum vf_presence presence;
    int64_t revision;
    bool has_expires;
    int64_t expires_ms;
    int64_t since_ms;
    int deleted_by; /* of a deleted husk */
    struct sim_part {
        bool entered;
        bool loose; /* more of it was to come from lists: which version this is, nobody needs to know */
        struct sim_version last;
        struct sim_chain here; /* its handled events */
        struct sim_chain left; /* its events by which it left for another document */
    } parts[SIM_AGGREGATES_MAX];
};

struct sim_aggregate {
    char name[2 * SIM_TEXT];
    bool linked;              /* its kind has a link route */
    struct sim_version last;  /* the last one that was dealt with, waiting or not */
    struct sim_version taken; /* the last one that was taken in */
    bool has_link;
    char link[SIM_TEXT]; /* "": it goes nowhere */
    int via;             /* followed through this aggregate; -1: none */
    int waits_for;       /* its linking event waits for that aggregate's link; -1: none does */
    int waiting;         /* how many events of its own wait, wherever, but for early ones */
    int early;           /* how many came before numbers that are missing */
    bool parked;         /* the first one in its own list failed */
    bool seeks;          /* its link is not known, and may be said further behind in its own list */
    bool asked;          /* what came before its revision is being taken in, as somebody wanted */
    bool behind; /* its events go behind others: some of its own have waited, and its list is not done with yet */
};

/* An event that waits, in the list of the aggregate whose link it waits for. */
struct sim_waiting {
    size_t event;
    int list;           /* whose */
    enum vf_list which; /* of its lists */
    int64_t place;
    bool misfit; /* nobody can tell what it would be next to */
    bool fresh;  /* came in this step, which has not said yet whether it stays */
};

/* What happened to the events of one kind of numbers. */
struct sim_tally {
    int64_t taken;
    int64_t siblings;  /* of these: the number was the last one's */
    int64_t by_number; /* repeats that their number tells */
    int64_t by_id;     /* repeats that only their id tells */
};

/* X(name): situations that the test is about. */
#define SIM_SITUATIONS(X)                                                                  \
    X(held)         /* events that waited when their commit was through */                 \
    X(held_through) /* of these, for another aggregate's link */                           \
    X(held_behind)  /* of these, although their link was known */                          \
    X(drained)      /* events that had waited */                                           \
    X(in_parts)     /* commits that left some for the next one */                          \
    X(early)        /* events that came before numbers that are missing */                 \
    X(filled)       /* of these, taken in when the hole was filled */                      \
    X(allowed)      /* events behind missing ones that are not waited for */               \
    X(late)         /* of the missing ones, those that came */                             \
    X(parked)       /* events that failed, and were parked */                              \
    X(flaked)       /* of these, whose handler fails now and then */                       \
    X(misfits)      /* of these, that cannot be read or placed */                          \
    X(behind_parked)                                                                       \
    X(sought)          /* events that say a link, brought before those that wait for it */ \
    X(retried)         /* taken in when they were tried again */                           \
    X(dropped)         /* left out for good: what failed, */                               \
    X(misfits_dropped) /* of these, that cannot be read or placed, */                      \
    X(let_go)          /* and what waited for a link */                                    \
    X(given_up)        /* gaps that are not waited for any more */                         \
    X(ignored)                                                                             \
    X(moves)                                                                               \
    X(moves_to_deleted)                                                                    \
    X(moves_from_nothing)                                                                  \
    X(to_none)                                                                             \
    X(followed)    /* links through another aggregate */                                   \
    X(links_again) /* that say the document where it is */                                 \
    X(deleted)                                                                             \
    X(without_effect) /* another aggregate had deleted the document */                     \
    X(returned)                                                                            \
    X(expired)                                                                             \
    X(swept)                                                                               \
    X(forgotten)

struct sim_situations {
#define SIM_SITUATION_MEMBER(name) int64_t name;
    SIM_SITUATIONS(SIM_SITUATION_MEMBER)
#undef SIM_SITUATION_MEMBER
};

struct sim_model {
    /* What the view is; set after zeroing. */
    enum vf_versions_mode versions;
    enum vf_unlinked unlinked;
    int64_t ttl_ms;    /* 0: none */
    int64_t forget_ms; /* 0: never */
    bool parks;        /* what fails is parked, and what comes too early set aside */
    bool mended;       /* nothing fails any more */
    bool indexed;      /* by what plain_projector.h has for indexes */

    struct sim_document documents[SIM_DOCUMENTS_MAX]; /* absent ones among them */
    int document_count;
    struct sim_aggregate aggregates[SIM_AGGREGATES_MAX];
    int aggregate_count;
    struct sim_waiting waiting[SIM_EVENTS_MAX]; /* in the order in which they came to their lists */
    int waiting_count;
    bool dealt[SIM_EVENTS_MAX];  /* by the index of an event's first record */
    bool misfit[SIM_EVENTS_MAX]; /* the same: it came, and nobody could tell what it would be next to */
    int64_t next[SIM_TOPICS][SIM_PARTITIONS_MAX];
    int64_t aside[SIM_TOPICS][SIM_PARTITIONS_MAX]; /* how many had ever to wait */
    int dropped[SIM_EVENTS_MAX]; /* places in sim_log.decisions: those that were carried out, in order */
    int dropped_count;
    const struct sim_event
        *flaked[SIM_AGGREGATES_MAX]; /* in this step: those that a handler has failed with, which may not */
    int flaked_count;
    const struct sim_event *impossible; /* its handler has run, and always fails */
    struct sim_tally tallies[SIM_KINDS];
    struct sim_situations situations;
};

/* The log at the time of a step. */
struct sim_log {
    const struct sim_event *events;
    size_t count;
    int64_t now_ms; /* by the wall */
    const struct sim_decisions *decisions;
};

/* Goes on by a commit that was applied. VF_E_DATA where it did what no event, list or lapse of time explains. */
VF_MUSTCHECK enum vf_code sim_model_step(struct sim_model *model, const struct sim_log *log,
                                         const struct vf_commit *commit, struct vf_error *error);

/* --- sim_sweep.c: a commit that writes no progress and no records, and what it wants of the model ------------------ */

bool sim_is_sweep(const struct vf_commit *commit);
VF_MUSTCHECK enum vf_code sim_model_sweep(struct sim_model *model, const struct sim_log *log,
                                          const struct vf_commit *commit, struct vf_error *error);
/* Whether its time was over then, and nothing that is set aside keeps it. */
bool sim_model_is_due(const struct sim_model *model, const struct sim_document *document, int64_t until_ms);
struct sim_document *sim_model_document(struct sim_model *model, const char *id);
void sim_document_empty(struct sim_document *document, enum vf_presence presence, int64_t since_ms);

/* --- looking ------------------------------------------------------------------------------------------------------- */

/* The first event in one of an aggregate's lists, or NULL. */
const struct sim_waiting *sim_model_first(const struct sim_model *model, int list, enum vf_list which);

/* The next number of the aggregate, behind those that somebody has decided not to wait for. */
int64_t sim_model_next(const struct sim_model *model, const struct sim_log *log, int owner,
                       const struct sim_event *event);

/* Whether something in an aggregate's lists need not wait any more, and in which of them the next one is. */
bool sim_model_is_draining(const struct sim_model *model, const struct sim_log *log, int list, enum vf_list *ret_which);

/* Whether nothing is set aside that goes on only when somebody tries it again, but what can never be taken in. */
bool sim_model_is_released(const struct sim_model *model, const struct sim_log *log);

/* The lowest of an aggregate's early events, or NULL. */
const struct sim_waiting *sim_model_early(const struct sim_model *model, const struct sim_log *log, int list);

/* Whether this is the decision that was carried out as the number-th. */
bool sim_model_is_dropped(const struct sim_model *model, const struct sim_log *log, int number,
                          const struct vf_dropped *dropped);

/* What the store calls the list in which it waits. */
#define SIM_LIST_TEXT (2 * SIM_TEXT + 16)
void sim_model_list_name(const struct sim_model *model, const struct sim_waiting *waiting, char name[SIM_LIST_TEXT]);

#endif
