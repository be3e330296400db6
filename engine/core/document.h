/*
 * Documents, aggregate records and progress as they pass between the engine and a store. Plain data that borrows: whoever
 * fills it says from where. docs/formats.md has what lies in the stores.
 */
#ifndef VF_CORE_DOCUMENT_H
#define VF_CORE_DOCUMENT_H

#include "core/bytes.h"
#include "core/error.h"
#include "core/event.h"
#include "core/version_more.h"

#include <stdbool.h>
#include <stdint.h>

/* One entry of a document's versions. Kept sorted by aggregate (vf_bytes_compare). */
struct vf_version {
    struct vf_bytes aggregate;
    int64_t version;                    /* 0 where it is text */
    const struct vf_version_more *more; /* NULL: the integer is all */
};

/* Absent, a document with a body, or a husk: what stays where there is no body (docs/protocol.md). */
enum vf_presence {
    VF_ABSENT,
    VF_PRESENT,
    VF_HUSK_NEW, /* events without a handler came before anything that makes a body */
};

struct vf_document {
    struct vf_bytes id;
    enum vf_presence presence;
    uint64_t stamp; /* meaningless when absent */
    int64_t revision;
    const struct vf_version *versions;
    size_t version_count; /* 0 where the projection's versions are "record" or "none" */
    struct vf_bytes body; /* BSON of the body's fields only; size 0 unless present */
};

struct vf_aggregate {
    struct vf_bytes aggregate; /* order/42 */
    bool exists;
    uint64_t stamp;
    bool has_link;
    bool link_is_none;    /* with has_link: the route said nil; `link` is empty */
    struct vf_bytes link; /* the document's id */
    bool has_version;
    int64_t version;                            /* 0 where it is text */
    const struct vf_version_more *version_more; /* NULL: the integer is all */
};

/* Of one topic partition, in one generation. Compared whole. */
struct vf_progress {
    bool exists;
    int64_t next; /* the next offset that the generation needs */
    int32_t of;   /* the topic's partition count when it was written */
    bool has_last;
    int64_t last_offset; /* of the last record dealt with */
    int64_t last_timestamp_ms;
    uint64_t last_hash; /* vf_record_hash */
    int64_t aside;      /* how many events of this partition are set aside */
};

bool vf_progress_equal(const struct vf_progress *a, const struct vf_progress *b);

/* A stamp is 16 lower-case hex digits in every store. */
#define VF_STAMP_TEXT_BYTES 17
void vf_stamp_print(char text[VF_STAMP_TEXT_BYTES], uint64_t stamp);
bool vf_stamp_parse(struct vf_bytes text, uint64_t *ret_stamp);

/* `versions` as a canonical JSON object, aggregate -> version (docs/formats.md; vf_version_print), and back: sorted,
 * strings in the arena. VF_E_DATA for a version of no form that viewfold writes and for an aggregate that stands there twice. */
void vf_versions_print(struct vf_buffer *out, const struct vf_version *versions, size_t count);
struct vf_json_parser;
struct vf_arena;
VF_MUSTCHECK enum vf_code vf_versions_parse(struct vf_bytes json, struct vf_json_parser *parser, struct vf_arena *arena,
                                            const struct vf_version **ret_versions, size_t *ret_count,
                                            struct vf_error *error);

/* Progress as docs/formats.md's JSON, {"next":1043,"of":7,"last":[1042,1772359200000,"9f2c..."],"aside":0}, and back.
 * `last` is left out where there is none; absent progress prints as nothing. Printing is canonical byte for byte: Redis
 * compares the text. So a text that would not be printed the same again is VF_E_DATA. */
void vf_progress_print(struct vf_buffer *out, const struct vf_progress *progress);
VF_MUSTCHECK enum vf_code vf_progress_parse(struct vf_bytes json, struct vf_json_parser *parser,
                                            struct vf_progress *ret_progress, struct vf_error *error);

#endif
