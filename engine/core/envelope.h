/*
 * The envelope: where in a record the parts of an event are, and what is made of them. Resolved once a topic into a plan,
 * read once a record. Plain data that is immutable after it was made: any thread may read with it, each with its own JSON
 * parser. docs/envelopes.md is what users read about it.
 */
#ifndef VF_CORE_ENVELOPE_H
#define VF_CORE_ENVELOPE_H

#include "core/arena.h"
#include "core/error.h"
#include "core/event.h"
#include "core/json.h"

/* The parts of an event, in the order in which they are complained about. */
enum vf_part {
    VF_PART_KIND,
    VF_PART_ID,
    VF_PART_VERSION,
    VF_PART_TYPE,
    VF_PART_SCHEMA,
    VF_PART_TIME,
    VF_PART_EVENT_ID,
    VF_PART_DATA,
    VF_PART_COUNT,
};

/* kind, id, version, type, schema, time, event_id, data */
const char *vf_part_name(enum vf_part part);

enum vf_from {
    VF_FROM_NOWHERE, /* not mapped: fixed by the topic, or the event has none */
    VF_FROM_KEY,     /* the record's key, whole */
    VF_FROM_HEADER,  /* the header of exactly this name; of repeated ones the last */
    VF_FROM_VALUE,   /* a JSON pointer into the record's value; "" is all of it */
};

enum vf_as {
    VF_AS_UNSAID, /* in the value: as JSON has it. From a key or header: text; an integer for version and schema */
    VF_AS_UTF8,   /* text */
    VF_AS_INT, /* decimal digits, or an integer of JSON. As an id, type or the like it is text again, in its shortest form */
    VF_AS_BE64,    /* 8 bytes, big-endian, signed. As a time: Unix milliseconds */
    VF_AS_RFC3339, /* a time as text */
    VF_AS_UNIX_MS, /* a time as an integer */
    VF_AS_RFC1123, /* a time as HTTP's headers have it */
    VF_AS_JSON,    /* data: a string holds it as JSON */
    VF_AS_CONNECT, /* as Kafka Connect's converters write it: in {"schema","payload"}, as a JSON string, or bare */
};

struct vf_mapping {
    enum vf_from from;
    enum vf_as as;
    const char *name;        /* of the header, or the JSON pointer */
    bool has_missing;        /* something stands in where the part is missing or null: */
    struct vf_bytes missing; /* for a kind or type this text; for a time the record's timestamp, */
    int64_t missing_number;  /* for a schema this number */

    /* Filled by vf_envelope_resolve, for a pointer below the value: which of the plan's members it begins at, and the rest. */
    int member; /* -1: the whole value */
    const char *rest;
};

struct vf_preset;

/* How an event is put together from a record. The members are the value's own, found in one pass over it. */
struct vf_envelope_plan {
    struct vf_mapping parts[VF_PART_COUNT];
    struct vf_bytes members[VF_PART_COUNT];
    int member_count;
    uint64_t member_sizes; /* bit n: some member's name has n (modulo 64) bytes */
    bool parses_value;     /* some part other than the data is in the value */
    bool has_connect;      /* some part in a key or header is VF_AS_CONNECT */
    bool joins_source;     /* a CloudEvent's id tells it from its source's other events only */
    enum vf_data_form data_form;

    /* Of an envelope that is built in (core/preset.h); else NULL. */
    const struct vf_preset *preset;
    const struct vf_envelope_plan *structured; /* CloudEvents: how those are read that are in the value whole */
};

enum vf_tombstone {
    VF_TOMBSTONE_UNREADABLE, /* a null value is an error */
    VF_TOMBSTONE_IGNORED,    /* it holds no event */
    VF_TOMBSTONE_TYPE,       /* it is an event of type `tombstone_type`, without data */
};

/* All zero but `first` is the default envelope: a JSON value {"kind","id","version","event_id","type","time","data"}. */
struct vf_envelope {
    const char *kind;               /* fixed by the topic, or NULL: read from the record, */
    const char *const *other_kinds; /* which then is none of these: they are other topics' (of `offset` numbers only) */
    size_t other_kind_count;
    enum vf_numbers numbers;
    int64_t first; /* the first number of a sequence */
    bool history_partial;
    bool keys_stay;        /* partitions_added: keys_stay. Partitions that are added move no aggregate */
    bool gaps_allowed;     /* gaps: allow. What is missing is not waited for */
    int64_t gaps_wait_ms;  /* gaps: wait. So long a gap is no trouble yet; 0: it is one at once */
    bool unreadable_stops; /* unreadable: stop */
    int32_t repeats;       /* with `offset` numbers: event ids remembered an aggregate */
    enum vf_tombstone tombstone;
    const char *tombstone_type;
    const struct vf_preset *preset;      /* NULL: a mapping of the user's, or the default */
    const struct vf_envelope_plan *plan; /* NULL: the default's */
};

/* The default envelope's. */
extern const struct vf_envelope_plan vf_envelope_standard;

/*
 * Makes the plan of `envelope` (and of its preset) from a mapping a part; what is not needed (the kind where the topic fixes it, the version where
 * offsets stand in for it) is left out. Pointers begin with '/' or are empty. The plan, and all that it needs of the mappings,
 * lives in the arena.
 */
void vf_envelope_resolve(struct vf_envelope *envelope, const struct vf_mapping mappings[VF_PART_COUNT],
                         struct vf_arena *arena);

/*
 * Reads a record's envelope into *ret_event, whose strings live in `arena` or in the record. A record that holds no event (a
 * tombstone that is ignored) is VF_OK with an empty event->kind: it is for no view.
 *
 * On failure only the aggregate, its kind and its id are set, where they could be read (else size 0): what cannot be read may
 * still be known to be somebody's. VF_E_DATA says what is missing or of the wrong form ("the header event-type (type) is missing, text is wanted").
 * kind, id, type, event_id and a version that is text: 1 to VF_ID_BYTES_MAX bytes of UTF-8 without NUL; a kind has no '/'.
 * event_id may be missing or empty, but for `revision` numbers and `repeats`. A time is between the years 0 and 9999; where it is not
 * mapped, the record's timestamp. What is null counts as missing, but for data. Of repeated members, keys and headers the last
 * counts. Where nothing but the data is in the value, the value is not looked at: event->data_pointer is then the mapping's,
 * whatever is there. Of a preset, what a record needs and has not got is named with the preset's name; a record of another
 * make is told to be one; and a value in a frame of a schema registry is always unreadable.
 */
VF_MUSTCHECK enum vf_code vf_envelope_read(const struct vf_envelope *envelope, const struct vf_record *record,
                                           struct vf_json_parser *parser, struct vf_arena *arena,
                                           struct vf_event *ret_event, struct vf_error *error);

#endif
