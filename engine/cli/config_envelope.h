/*
 * The mapping of envelopes, `envelopes:` and a topic's `envelope` and `override`, made into struct vf_envelope. Shapes and
 * choices were checked against the table of keys before; what does not go together is found here. docs/envelopes.md has the
 * rules for users.
 *
 * An envelope is whole: an override on a topic only changes what differs. A part that stands in the override replaces the
 * envelope's; of `version`, numbers, first and gaps go over the envelope's one by one, and its place only where one is said.
 * What does not go with overridden numbers (first, repeats, the version's place) is dropped silently where it comes from the
 * envelope, and refused where it stands beside them.
 */
#ifndef VF_CLI_CONFIG_ENVELOPE_H
#define VF_CLI_CONFIG_ENVELOPE_H

#include "cli/config_tree.h"
#include "cli/findings.h"
#include "core/envelope.h"

struct vf_config_envelopes;

/* Everything under `envelopes:`, which may be NULL. Lives in the arena, and borrows from the tree. */
const struct vf_config_envelopes *vf_config_envelopes_read(const struct vf_node *envelopes, struct vf_arena *arena,
                                                           struct vf_findings *findings);

/* The envelope of one topic, in the arena; the default's where a finding says that something is wrong. */
struct vf_envelope vf_config_envelope_of(const struct vf_config_envelopes *envelopes, const struct vf_node *topic,
                                         struct vf_arena *arena, struct vf_findings *findings);

/* The word for a form in `as` and `key`; "" where none is said. */
const char *vf_config_as_name(enum vf_as as);

#endif
