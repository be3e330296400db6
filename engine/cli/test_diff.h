/*
 * What differs between two views: which document, where in it, and what stands on either side, as JSON, with the types where
 * these differ (1, 1.0 and "1" are three values). Pure; all of it in the caller's arena.
 */
#ifndef VF_CLI_TEST_DIFF_H
#define VF_CLI_TEST_DIFF_H

#include "cli/test_run.h"

#define VF_TEST_DIFFERENCES_MAX 40 /* told of one failure; the rest is counted */

struct vf_test_difference {
    const char *document; /* its id */
    const char *path;     /* orders.63-0.items[2]; "" is the whole document */
    const char *left;     /* JSON, or NULL: nothing is there */
    const char *right;
    const char *left_type; /* "integer"; NULL where both are of one type, and for null */
    const char *right_type;
};

struct vf_test_differences {
    struct vf_test_difference *all;
    size_t count;
    size_t more; /* beyond VF_TEST_DIFFERENCES_MAX */
};

/* What a test expects, on the left, and what came, on the right. An expected text that is RFC 3339 equals that date. */
void vf_test_diff_expected(const struct vf_test_case *test, const struct vf_test_result *result, struct vf_arena *arena,
                           struct vf_test_differences *ret_differences);

/* Two runs' documents. */
void vf_test_diff_results(const struct vf_test_result *left, const struct vf_test_result *right, struct vf_arena *arena,
                          struct vf_test_differences *ret_differences);

#endif
