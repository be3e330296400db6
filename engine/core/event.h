/*
 * Records and events: what Kafka holds, and what its envelope says. Plain data. A record borrows from the polled rows it
 * came with, an event from its record and from the batch's arena: both are gone when the batch has settled.
 */
#ifndef VF_CORE_EVENT_H
#define VF_CORE_EVENT_H

#include "core/bytes.h"
#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>

/* An id (of an aggregate or a document) is 1 to 1,024 bytes of UTF-8 without NUL; a kind besides has no '/'. */
#define VF_ID_BYTES_MAX 1024

struct vf_partition {
    const char *topic; /* the Kafka topic's own name */
    int32_t partition;
};

struct vf_header {
    struct vf_bytes name;
    struct vf_bytes value;
    bool is_null;
};

enum vf_row_kind {
    VF_ROW_RECORD,
    VF_ROW_END,          /* the partition's end: `offset` is the next one that will be written */
    VF_ROW_OUT_OF_RANGE, /* the log does not hold the position that was asked for; `offset` is that position */
};

struct vf_record {
    enum vf_row_kind row;
    uint64_t assignment; /* the number that the assignment had; an older one's rows are dropped */
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 where the record has none */
    struct vf_bytes key;
    struct vf_bytes value;
    bool key_is_null;
    bool value_is_null;
    const struct vf_header *headers;
    size_t header_count;
};

/* What the numbers of a kind are (docs/projections.md). */
enum vf_numbers {
    VF_NUMBERS_SEQUENCE, /* no holes, beginning at `first` */
    VF_NUMBERS_OFFSET,   /* none carried: offset + 1 stands in, which only grows */
    VF_NUMBERS_REVISION, /* several events of one transaction share it: the event id tells a repeat from a sibling */
    VF_NUMBERS_ORDERED,  /* only grows, with holes: integers, or strings of one length, compared byte by byte */
};

/* How many event ids an aggregate's entry may remember (`repeats` in viewfold.yaml). */
#define VF_REPEATS_MAX 1024

/* How the data lies where data_pointer leads to (vf_event_data reads it). */
enum vf_data_form {
    VF_DATA_PLAIN,
    VF_DATA_IN_STRING, /* a string holds it as JSON; anything else is the data itself */
    VF_DATA_CONNECT,   /* perhaps in {"schema","payload"}, perhaps in a string that holds an object or a list as JSON */
    VF_DATA_CLOUDEVENT, /* a structured CloudEvent may have it as data_base64, which is not read */
};

struct vf_event {
    const struct vf_record *record;
    struct vf_bytes kind;      /* order */
    struct vf_bytes id;        /* 42 */
    struct vf_bytes aggregate; /* order/42 */
    struct vf_bytes event_id;  /* size 0 where none */
    struct vf_bytes
        repeat_id;        /* what tells it from the others among `repeats`: the event id, or that with its source */
    struct vf_bytes type; /* OrderCreated */
    int64_t version;
    struct vf_bytes
        version_text; /* of `ordered` numbers that are strings: the number, and `version` is 0. Else size 0 */
    int64_t schema;   /* 1 where none is mapped */
    int64_t time_ms;  /* Unix milliseconds */
    enum vf_numbers numbers;
    int32_t repeats;             /* `offset` numbers: event ids that are remembered an aggregate; 0: none */
    int64_t first;               /* the first number of a sequence */
    bool first_any;              /* history: partial: any first number goes */
    const char *data_pointer;    /* JSON pointer into record->value where the data is; NULL: it has none */
    struct vf_bytes data_text;   /* after an upcast: the data as JSON text, instead of data_pointer. Else size 0 */
    enum vf_data_form data_form; /* of what data_pointer leads to */
};

/* A whole record as bytes, as it is set aside (all but `row` and `assignment`), and back: everything in the arena, `row` is
 * VF_ROW_RECORD. VF_E_DATA for bytes that vf_record_encode does not make. */
struct vf_arena;
void vf_record_encode(struct vf_buffer *out, const struct vf_record *record);
VF_MUSTCHECK enum vf_code vf_record_decode(struct vf_bytes bytes, struct vf_arena *arena, struct vf_record *ret_record,
                                           struct vf_error *error);

/* xxh64 (seed 0) over the key's bytes and then the value's, as progress keeps it of the last record dealt with. */
uint64_t vf_record_hash(const struct vf_record *record);

#endif
