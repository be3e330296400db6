/*
 * What is wrong or doubtful in some files, gathered so that their author sees it all at once: "file:line:column: message;
 * hint". Files are shown in the order in which they were first spoken of, a file's findings in the order of their places.
 * One thread. A message never holds a secret: whoever adds it sees to that.
 */
#ifndef VF_CLI_FINDINGS_H
#define VF_CLI_FINDINGS_H

#include "core/bytes.h"
#include "core/error.h"
#include "run/config.h" /* struct vf_place */

#define VF_FINDINGS_SHOWN_MAX 20   /* where they are in the way of something else */
#define VF_FINDINGS_KEPT_MAX  1000 /* the rest is only counted */

struct vf_findings;

enum vf_finding_level {
    VF_FINDING_ERROR, /* wrong: counted by vf_findings_count */
    VF_FINDING_NOTE,  /* worth knowing, and nothing that must be changed */
};

struct vf_finding {
    const char *file;
    struct vf_place place; /* line 0: about the file as a whole; column 0: about the line */
    enum vf_finding_level level;
    const char *message;
    const char *hint; /* what to do, "did you mean ..."; NULL: none */
};

struct vf_findings *vf_findings_new(const char *file); /* copies the name; what vf_findings_add speaks of */
void vf_findings_free(struct vf_findings *findings);   /* NULL is fine */

/* An error in the file that vf_findings_new named. A "; did you mean" in the text begins its hint. */
void vf_findings_add(struct vf_findings *findings, struct vf_place place, const char *format, ...) VF_PRINTF(3, 4);

/* Any finding; copies all of it. */
void vf_findings_put(struct vf_findings *findings, const struct vf_finding *finding);

/* Adds all of `from` to `findings`, and keeps them in `from`. */
void vf_findings_copy(struct vf_findings *findings, const struct vf_findings *from);

size_t vf_findings_count(const struct vf_findings *findings); /* errors */
size_t vf_findings_note_count(const struct vf_findings *findings);

/* The kept ones in order: calls visit for each, `shown_max` at most, and answers how many were left out. */
size_t vf_findings_each(const struct vf_findings *findings, size_t shown_max,
                        void (*visit)(void *self, const struct vf_finding *finding), void *self);

/* One a line; the last line says how many are not shown. */
void vf_findings_print(const struct vf_findings *findings, size_t shown_max, bool color, struct vf_buffer *out);

/* One JSON object a line: {"column","file","hint","level","line","message"}; hint may be null. */
void vf_findings_print_json(const struct vf_findings *findings, struct vf_buffer *out);

#endif
