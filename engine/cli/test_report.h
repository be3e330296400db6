/*
 * What `test` prints: text for people, TAP 14, JUnit's XML, or a JSON line a test. One thread. Test names, ids and what
 * scripts log come from outside: control characters never reach a terminal.
 */
#ifndef VF_CLI_TEST_REPORT_H
#define VF_CLI_TEST_REPORT_H

#include "cli/cli.h"
#include "cli/test_check.h"

enum vf_test_format { VF_TEST_TEXT, VF_TEST_TAP, VF_TEST_JUNIT, VF_TEST_JSON };

/* Which of a projection's parts its tests have met; the subject's watch knows of the others. */
struct vf_test_coverage {
    bool *kinds; /* of the projection's routes: an event of that kind was given */
};

struct vf_test_report;

struct vf_test_report *vf_test_report_new(struct vf_cli *cli, enum vf_test_format format);

/* The tests of this file follow. */
void vf_test_report_file(struct vf_test_report *report, const char *path, const char *projection);

void vf_test_report_test(struct vf_test_report *report, const struct vf_test_subject *subject,
                         const struct vf_test_case *test, const struct vf_test_outcome *outcome, int64_t ms);

/* The file's tests could not be run: `text` says why to people, a line or several, and `findings` to programs. */
void vf_test_report_wrong(struct vf_test_report *report, const char *path, const char *text,
                          const struct vf_findings *findings);

void vf_test_report_coverage(struct vf_test_report *report, const struct vf_test_subject *subject,
                             const struct vf_test_coverage *coverage);

/* Prints what is left, the counts too, and frees. */
void vf_test_report_end(struct vf_test_report *report, int64_t ms);

size_t vf_test_report_failed(const struct vf_test_report *report);
size_t vf_test_report_tests(const struct vf_test_report *report);

#endif
