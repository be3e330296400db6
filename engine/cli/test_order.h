/*
 * Does a view depend on the order of events of different aggregates? Each aggregate's own events keep their order; all else
 * may come in any. Where there are few orders all are run, otherwise the swaps of neighbours and a sample. What is found is
 * made small: two orders that differ in one exchange of neighbours, with nothing in them that is not needed.
 */
#ifndef VF_CLI_TEST_ORDER_H
#define VF_CLI_TEST_ORDER_H

#include "cli/test_check.h"

/* `plain` is the result of the given order. Sets outcome->failure, and what it says of interleavings. */
VF_MUSTCHECK enum vf_code vf_test_order_check(struct vf_test_subject *subject, const struct vf_test_case *test,
                                              const struct vf_test_result *plain, int64_t interleavings,
                                              struct vf_arena *arena, struct vf_test_outcome *outcome,
                                              struct vf_error *error);

#endif
