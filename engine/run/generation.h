/*
 * A projection's script as a generation: read from the disk when it is proposed, from the store when workers run it.
 * Workers run what the store says (docs/protocol.md); a file on disk only proposes.
 */
#ifndef VF_RUN_GENERATION_H
#define VF_RUN_GENERATION_H

#include "projector.h"
#include "run/config.h"
#include "store.h"

/* SHA-256 over the files' sorted names and texts, as 64 hex digits: name, NUL, length in decimal, NUL, text, for each. */
void vf_script_hash(const struct vf_file *files, size_t count, char ret_hash[65]);

/* Reads modules beside a script: `self` is a struct vf_script_folder. */
struct vf_script_folder {
    const char *path;
    struct vf_arena *arena; /* texts live here */
};
struct vf_script_reader vf_script_folder_reader(struct vf_script_folder *folder);

/* Reads the stored files of a generation: `self` is the generation. */
struct vf_script_reader vf_script_stored_reader(const struct vf_generation *generation);

/* What a projection on disk proposes: a generation with all files that it needs, and a projector that has loaded them.
 * Strings live in the projector. The caller closes it. */
VF_MUSTCHECK enum vf_code vf_generation_propose(const struct vf_projection_entry *entry,
                                                const struct vf_projector_type *type,
                                                const struct vf_projector_limits *limits, int64_t now_ms,
                                                struct vf_projector **ret_projector, struct vf_generation *ret_proposed,
                                                struct vf_error *error);

/* May workers of this build run what the registry holds, given what lies on disk? VF_E_CONFIG says the difference and the
 * ways to go on. */
VF_MUSTCHECK enum vf_code vf_generation_check(const char *view, const struct vf_generation *registered,
                                              const struct vf_generation *proposed, struct vf_error *error);

/* May a generation that was built by a script that says `had` go on with one that says `has`? Only where all that the view
 * remembers stays good: the name, the version, the topics, `versions`, `unlinked`, `ttl`, the indexes and the kinds with their
 * routes. Handlers, upcasts, `initial`, and what a field or a function says may differ: that is what adopting is for. VF_E_CONFIG says what differs, and what to do
 * instead. */
VF_MUSTCHECK enum vf_code vf_generation_check_adoption(const struct vf_projection *had, const struct vf_projection *has,
                                                       struct vf_error *error);

#endif
