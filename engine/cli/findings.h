/*
 * What is wrong in a file, gathered so that its author sees it all at once: "file:line:column: message". Up to
 * VF_FINDINGS_MAX are kept, the rest is only counted. One thread. A message never holds a secret: whoever adds it sees to
 * that.
 */
#ifndef VF_CLI_FINDINGS_H
#define VF_CLI_FINDINGS_H

#include "core/bytes.h"
#include "core/error.h"
#include "run/config.h" /* struct vf_place */

#include <stdio.h>

#define VF_FINDINGS_MAX 20

struct vf_findings;

struct vf_findings *vf_findings_new(const char *file); /* copies the name */
void vf_findings_free(struct vf_findings *findings);   /* NULL is fine */

/* Line 0: about the file as a whole. */
void vf_findings_add(struct vf_findings *findings, struct vf_place place, const char *format, ...) VF_PRINTF(3, 4);

size_t vf_findings_count(const struct vf_findings *findings);

/* All of them in the file's order, one a line. */
void vf_findings_print(const struct vf_findings *findings, struct vf_buffer *out);

#endif
