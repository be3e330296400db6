/*
 * viewfold.yaml read into a struct vf_config (engine/run/config.h). Everything that is wrong is found in one go.
 */
#ifndef VF_CLI_CONFIG_READ_H
#define VF_CLI_CONFIG_READ_H

#include "cli/findings.h"
#include "run/config.h"

/* Why a librdkafka property may not be set by the user, or NULL where it may. The source's connector knows. */
typedef const char *vf_property_refusal(const char *name);

/* Whether librdkafka knows the property and takes the value, asked without any server. VF_E_CONFIG with the reason. */
typedef enum vf_code vf_property_check(const char *name, const char *value, struct vf_error *error);

/* NULL: not asked. */
struct vf_property_rules {
    vf_property_refusal *refusal;
    vf_property_check *check;
};

/*
 * Reads the file at `path`. VF_E_NOT_FOUND or VF_E_DENIED: it cannot be read (*error says why). VF_E_CONFIG: something in
 * it is wrong; `findings` say what and where.
 */
VF_MUSTCHECK enum vf_code vf_config_read(const char *path, const struct vf_property_rules *rules,
                                         struct vf_findings *findings, struct vf_config **ret_config,
                                         struct vf_error *error);

/* The same for a text that is at hand; `path` is for messages and for where relative paths begin. */
VF_MUSTCHECK enum vf_code vf_config_read_text(const char *path, struct vf_bytes text,
                                              const struct vf_property_rules *rules, struct vf_findings *findings,
                                              struct vf_config **ret_config, struct vf_error *error);

/* [a-z][a-z0-9_]*, and not `viewfold`: what a view may be called. */
bool vf_view_name_is_valid(const char *name);

#endif
