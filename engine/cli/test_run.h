/*
 * One run of a test's events through the engine: a real worker over a log and a store in memory, with a clock that only moves
 * when somebody sleeps. What differs between runs is the order of the events, repeats, and what happens between two of them.
 * One thread. Results live in the caller's arena.
 */
#ifndef VF_CLI_TEST_RUN_H
#define VF_CLI_TEST_RUN_H

#include "cli/test_file.h"
#include "cli/test_watch.h"
#include "rehearsal.h"
#include "run/worker.h"

/* A projection, ready to be run. Plain data; whoever fills it owns what it points to. */
struct vf_test_subject {
    const char *script; /* its path, for messages */
    const char *script_name;
    const struct vf_rehearsal_type *rehearsal;
    const struct vf_projector_type *projector_type; /* the real one */
    struct vf_projector *projector;                 /* what was proposed; describes the projection */
    const struct vf_projection *projection;
    struct vf_generation proposed;
    struct vf_projector_limits limits;
    struct vf_batch_config batch;
    int64_t cache_bytes;
    struct vf_test_watch watch;
    size_t runs; /* made so far */
};

/* What happens between two events. */
enum vf_test_break {
    VF_TEST_NO_BREAK, /* all events come in one batch */
    VF_TEST_CUT,      /* a batch ends */
    VF_TEST_COLD,     /* and the worker's warm documents are dropped */
    VF_TEST_RESTART,  /* and another worker goes on from the stored progress */
};

#define VF_TEST_EVERYWHERE SIZE_MAX

struct vf_test_plan {
    const size_t *order; /* indices of the test's events, each aggregate's own in their order */
    size_t count;
    enum vf_test_break kind;
    size_t at;        /* before the at-th event of the order, or VF_TEST_EVERYWHERE */
    bool repeat_each; /* each event comes twice, one behind the other */
    bool repeat_all;  /* behind the last event all come again */
    bool record;      /* let the watch take notes */
};

struct vf_test_result {
    const struct vf_document *documents; /* those with a body, by id */
    size_t document_count;
    const char *error;   /* why an event could not be taken in, with the traceback; NULL: all were */
    size_t failed_event; /* which of the test's events */
    const char *held;    /* a sentence about those that are held at the end; NULL: none are */
};

/* VF_E_CONFIG where the script cannot be opened, VF_E_BUG where the worker does not come to rest. */
VF_MUSTCHECK enum vf_code vf_test_run(struct vf_test_subject *subject, const struct vf_test_case *test,
                                      const struct vf_test_plan *plan, struct vf_arena *arena,
                                      struct vf_test_result *ret_result, struct vf_error *error);

/* Whether both runs ended alike: the same documents, or the same failure. */
bool vf_test_result_equal(const struct vf_test_result *a, const struct vf_test_result *b);

/* Which event a place in the log is, as every run lays the log out; SIZE_MAX: none. */
size_t vf_test_event_at(const struct vf_test_case *test, const char *topic, int32_t partition, int64_t offset);

#endif
