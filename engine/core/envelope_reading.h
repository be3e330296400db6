/*
 * One record while vf_envelope_read reads it: what envelope.c, which reads by the plan alone, shares with envelope_preset.c, which
 * knows what a built-in envelope cannot say in one. For these two only; a reading lives on the stack of the call.
 */
#ifndef VF_CORE_ENVELOPE_READING_H
#define VF_CORE_ENVELOPE_READING_H

#include "core/preset.h"

/* What a part's place holds. */
struct vf_found {
    enum { FOUND_NOTHING, FOUND_NULL, FOUND_BYTES, FOUND_JSON } what;
    enum vf_json_type type; /* of the JSON */
    union {
        struct vf_bytes bytes;
        struct vf_json json;
    };
};

/* One record while it is read. */
struct vf_envelope_reading {
    const struct vf_envelope *envelope;
    const struct vf_envelope_plan *plan;
    const struct vf_record *record;
    struct vf_arena *arena;
    struct vf_error *error;
    struct vf_json root;                   /* without a document where the value was not parsed */
    struct vf_json members[VF_PART_COUNT]; /* the plan's, once it is parsed */
    struct vf_found bare[VF_PART_COUNT];   /* of parts that are VF_AS_CONNECT: out of their wrapping */
    bool is_tombstone;                     /* the value is null, and that is what it means */
};

static inline struct vf_found vf_found_header(const struct vf_record *record, const char *name)
{
    for (size_t i = record->header_count; i-- > 0;) { /* of repeated names the last counts, as in e.headers */
        const struct vf_header *header = &record->headers[i];
        if (vf_bytes_is(header->name, name))
            return (struct vf_found){.what = header->is_null ? FOUND_NULL : FOUND_BYTES, .bytes = header->value};
    }
    return (struct vf_found){.what = FOUND_NOTHING};
}

/* As it stands, wrapped or not. */
static inline struct vf_found vf_found_bytes(const struct vf_envelope_reading *reading,
                                             const struct vf_mapping *mapping)
{
    const struct vf_record *record = reading->record;
    if (mapping->from == VF_FROM_HEADER)
        return vf_found_header(record, mapping->name);
    return (struct vf_found){.what = record->key_is_null ? FOUND_NULL : FOUND_BYTES, .bytes = record->key};
}

/* How much of a text a message shows: whole characters. */
int vf_envelope_shown(struct vf_bytes text);

/* Takes the parts that Kafka Connect may have wrapped out of their wrapping, before the parser is needed for the value. */
void vf_envelope_read_bare(struct vf_envelope_reading *reading, struct vf_json_parser *parser);

/* Before a preset's record is read: decides which plan goes for it, refuses what is framed. */
VF_MUSTCHECK enum vf_code vf_preset_begin(struct vf_envelope_reading *reading, struct vf_json_parser *parser);

/* After it was read, or could not be, as `code` says: adds what is beside the plan, or says what the record is instead. */
VF_MUSTCHECK enum vf_code vf_preset_end(struct vf_envelope_reading *reading, struct vf_json_parser *parser,
                                        enum vf_code code, struct vf_event *event);

/* What to do where a part is missing that is where its preset has it; NULL: nothing to say. */
const char *vf_preset_advice(const struct vf_envelope_reading *reading, enum vf_part part);

#endif
