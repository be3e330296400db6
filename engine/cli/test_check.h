/*
 * One test: its events run through the engine in many ways, which must all give one view, the one that it expects. Plain data
 * comes out; test_report.c shows it. One thread; results live in the caller's arena.
 */
#ifndef VF_CLI_TEST_CHECK_H
#define VF_CLI_TEST_CHECK_H

#include "cli/test_diff.h"

/* A long test is run in fewer ways, so that all its runs together deliver no more than so many events over and over: */
#define VF_TEST_POINTS_MAX \
    100 /* places at which batches are cut, and again documents read anew, workers restarted; evenly */
#define VF_TEST_POINTS_MIN    10
#define VF_TEST_POINTS_EVENTS 10000
#define VF_TEST_ORDERS_MAX    200 /* other orders, where nobody says how many */
#define VF_TEST_ORDERS_MIN    20
#define VF_TEST_ORDERS_EVENTS 20000
#define VF_TEST_ORDERS_UNSAID (-1)

enum vf_test_failure_kind {
    VF_TEST_UNEXPECTED, /* the view is not the expected one */
    VF_TEST_NOT_TAKEN,  /* an event could not be taken in */
    VF_TEST_UNSTABLE,   /* another way of delivering the same events gives another view */
    VF_TEST_UNORDERED,  /* another order of unrelated events does */
};

struct vf_test_failure {
    enum vf_test_failure_kind kind;
    const char *what;       /* in a line */
    const char *left_label; /* of the differences */
    const char *right_label;
    struct vf_test_differences differences;
    const char *error;                 /* why an event could not be taken in, with the traceback, or NULL */
    const struct vf_test_event *event; /* that one, or NULL */
    const char *advice;                /* or NULL */
    /* The smallest pair of orders that proves it: the right one has the events at `pair` and behind it exchanged. */
    const size_t *order;
    size_t order_count;
    size_t pair;
};

struct vf_test_outcome {
    struct vf_test_failure *failure; /* NULL: the test has passed */
    size_t runs;
    size_t interleavings; /* of these, other orders */
    bool all_orders;      /* there are no other orders than those */
    uint64_t seed;        /* what chose them, where there are */
};

/* `interleavings`: how many other orders at most, or VF_TEST_ORDERS_UNSAID. VF_E_CONFIG, VF_E_BUG as vf_test_run. */
VF_MUSTCHECK enum vf_code vf_test_check(struct vf_test_subject *subject, const struct vf_test_case *test,
                                        int64_t interleavings, struct vf_arena *arena,
                                        struct vf_test_outcome *ret_outcome, struct vf_error *error);

#endif
