/*
 * What serializers put in front of a value, so that it is no JSON: the frames of schema registries, which viewfold does not read.
 * Recognized so that people are told what they have, and what to do. Any thread, no state.
 */
#ifndef VF_CORE_FRAMING_H
#define VF_CORE_FRAMING_H

#include "core/error.h"
#include "core/event.h"

/* Whether a key or value begins as a schema registry's frame does: bytes that no JSON and hardly a text begins with. */
static inline bool vf_framing_is_likely(struct vf_bytes bytes)
{
    return bytes.size >= 5 && (unsigned char)bytes.data[0] <= 3;
}

/* Fails with what the frame around these bytes is, and what to do; VF_OK where there is none. `what` is "the value". */
VF_MUSTCHECK enum vf_code vf_framing_check(struct vf_bytes bytes, const char *what, struct vf_error *error);

/* Where a record's value was found to be no JSON, as `error` says: adds, or says instead, what it is by its frame or headers. */
void vf_framing_explain(const struct vf_record *record, struct vf_error *error);

#endif
