/*
 * A failed test in words: the same text in every format, coloured only where a terminal reads it. Pure.
 */
#ifndef VF_CLI_TEST_SHOW_H
#define VF_CLI_TEST_SHOW_H

#include "cli/test_check.h"

/* Appends the failure, each line behind `indent`. */
void vf_test_show_failure(struct vf_buffer *out, bool color, const char *indent, const struct vf_test_subject *subject,
                          const struct vf_test_case *test, const struct vf_test_failure *failure);

/* Appends what differs, document by document, the two sides under these labels. Nothing where nothing does. */
void vf_test_show_differences(struct vf_buffer *out, bool color, const char *indent, const char *left_label,
                              const char *right_label, const struct vf_test_differences *differences);

/* Appends what the script logged, a line each. Nothing where it logged nothing. */
void vf_test_show_log(struct vf_buffer *out, bool color, const char *indent, const struct vf_test_subject *subject,
                      const struct vf_test_case *test);

/* The event that a line was logged for: "order/63-0@1 OrderCreated", or "" while the script was loaded. */
const char *vf_test_log_event(const struct vf_test_case *test, const struct vf_test_log_line *line);

/* A script's error as people find it: its folder in front of its name. Appends. */
void vf_test_show_error(struct vf_buffer *out, const struct vf_test_subject *subject, const char *error);

#endif
