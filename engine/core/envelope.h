/*
 * The envelope: where in a record the parts of an event are. Resolved once a topic (vf_envelope), read once a record.
 * Immutable after it was made: any thread may read with it, each with its own JSON parser.
 */
#ifndef VF_CORE_ENVELOPE_H
#define VF_CORE_ENVELOPE_H

#include "core/arena.h"
#include "core/error.h"
#include "core/event.h"
#include "core/json.h"

/* The default envelope: a JSON value {"kind","id","version","event_id","type","time","data"}. */
struct vf_envelope {
    const char *kind;        /* fixed by the topic, or NULL: read from /kind */
    enum vf_numbers numbers; /* sequence: /version is wanted; offset: it is not looked at */
    int64_t first;
    bool history_partial;
};

/*
 * Reads a record's envelope into *ret_event, whose strings live in `arena` or in the record.
 * VF_E_DATA says what is missing or of the wrong form ("/version is a string, an integer is wanted").
 * id: a string or an integer; version: an integer; time: RFC 3339, missing: the record's timestamp (VF_E_DATA where it has
 * none); event_id: a string, may be missing; type: a string, not empty; data: anything, may be missing. A null time or
 * event_id counts as missing, null data as there. Of repeated members the last counts.
 */
VF_MUSTCHECK enum vf_code vf_envelope_read(const struct vf_envelope *envelope, const struct vf_record *record,
                                           struct vf_json_parser *parser, struct vf_arena *arena,
                                           struct vf_event *ret_event, struct vf_error *error);

#endif
