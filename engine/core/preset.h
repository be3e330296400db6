/*
 * Envelopes that are built in, by name: what frameworks put on the wire, as mappings in the plan's own language. Constants:
 * any thread. Where they say nothing (the kind, numbers), a topic does. docs/envelopes.md has them as tables, with records.
 */
#ifndef VF_CORE_PRESET_H
#define VF_CORE_PRESET_H

#include "core/envelope.h"

/* What of a preset a mapping cannot say. */
enum vf_wire {
    VF_WIRE_CLOUDEVENTS, /* each record says whether its attributes are headers or members of the value */
    VF_WIRE_EVENTUATE,
    VF_WIRE_OUTBOX,
};

struct vf_preset {
    const char *name;
    enum vf_wire wire;
    bool null_is_event; /* a null value beside the type's header is an event without data, and no tombstone */
    enum vf_numbers numbers;
    int32_t repeats;
    struct vf_mapping parts[VF_PART_COUNT];
    const char *advice[VF_PART_COUNT]; /* what to do where the part is missing, or NULL */
    const char *stranger;              /* what is said of a record that is nothing of the kind */
};

/* The preset of this name, or NULL. */
const struct vf_preset *vf_preset_find(const char *name);

/* All of them, in the order of the docs. */
extern const struct vf_preset *const vf_presets[];
extern const size_t vf_preset_count;

#endif
