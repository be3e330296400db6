/*
 * What the parts of `viewfold lint` share: what is being looked at, and what was found. One thread.
 */
#ifndef VF_CLI_LINT_H
#define VF_CLI_LINT_H

#include "cli/cli.h"

struct vf_lint {
    struct vf_cli *cli;
    struct vf_findings *findings;
    size_t configurations;
    size_t scripts;
    bool online;
    const char *sample; /* the file of records to look at, or NULL */
    struct vf_bytes sample_text;
    size_t records;     /* of it */
    size_t unreachable; /* so many of the errors say only that a server could not be looked at */
};

/* A note, or an error, in a file. `hint` may be NULL. */
void vf_lint_say(struct vf_lint *lint, const char *file, struct vf_place place, enum vf_finding_level level,
                 const char *hint, const char *format, ...) VF_PRINTF(6, 7);

/* Looks at one script. `config` may be NULL: then it is looked at by itself. *ret_projector may be NULL; the caller closes
 * it. */
void vf_lint_script(struct vf_lint *lint, const struct vf_config *config, const struct vf_projection_entry *entry,
                    struct vf_projector **ret_projector);

/* Looks at the servers that the configuration names. `projectors` are those of its projections, NULL where a script could
 * not be read. */
void vf_lint_online(struct vf_lint *lint, const struct vf_config *config, struct vf_projector *const *projectors);

/* Says what the configuration's envelopes make of the records in the sample, and where its projections take them. */
void vf_lint_sample(struct vf_lint *lint, const struct vf_config *config);

#endif
