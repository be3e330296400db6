/*
 * viewfold.yaml read into a struct vf_config (engine/run/config.h). Everything that is wrong is found in one go.
 */
#ifndef VF_CLI_CONFIG_READ_H
#define VF_CLI_CONFIG_READ_H

#include "cli/config_tree.h"
#include "cli/findings.h"
#include "run/config.h"
#include "store.h"

/* Why a librdkafka property may not be set by the user, or NULL where it may. The source's connector knows. */
typedef const char *vf_property_refusal(const char *name);

/* Whether librdkafka knows the property and takes the value, asked without any server. VF_E_CONFIG with the reason. */
typedef enum vf_code vf_property_check(const char *name, const char *value, struct vf_error *error);

/* Whether the text of kafka.brokers is one that the source can go by with these properties, asked without any server.
 * VF_E_CONFIG with the reason. */
typedef enum vf_code vf_brokers_check(const char *brokers, const struct vf_source_property *properties, size_t count,
                                      struct vf_error *error);

/* What the connectors know about the keys that are theirs. NULL: not asked. */
struct vf_config_rules {
    vf_property_refusal *property_refusal;
    vf_property_check *property_check;
    vf_brokers_check *brokers_check;
    const struct vf_store_type *const *stores; /* ended by NULL: for their check_url */
};

/*
 * Reads the text of the file `path`, which is for messages and for where relative paths begin. VF_E_CONFIG: something in it
 * is wrong; `findings` say what and where.
 */
VF_MUSTCHECK enum vf_code vf_config_read_text(const char *path, struct vf_bytes text,
                                              const struct vf_config_rules *rules, struct vf_findings *findings,
                                              struct vf_config **ret_config, struct vf_error *error);

/* The same, but answers what could be read of it also where findings say that something is wrong: for whoever looks on. A
 * script, a store or a topic may be missing in it then, and texts may be empty. */
struct vf_config *vf_config_look(const char *path, struct vf_bytes text, const struct vf_config_rules *rules,
                                 struct vf_findings *findings);

/* Only its tree, with ${...} put in; NULL where it is no YAML. */
const struct vf_node *vf_config_tree_read(const char *path, struct vf_bytes text, struct vf_arena *arena,
                                          struct vf_findings *findings);

/* [a-z][a-z0-9_]*, and not `viewfold`: what a view may be called. */
bool vf_view_name_is_valid(const char *name);

#endif
