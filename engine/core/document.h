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
    VF_HUSK_NEW,     /* events without a handler came before anything that makes a body */
    VF_HUSK_DELETED, /* a handler said `delete`: only the aggregate that it was can bring it back */
    VF_HUSK_EXPIRED, /* gone by its ttl: the next handled event begins from `initial` */
};

static inline bool vf_is_husk(enum vf_presence presence)
{
    return presence > VF_PRESENT;
}

struct vf_document {
    struct vf_bytes id;
    enum vf_presence presence;
    uint64_t stamp; /* meaningless when absent */
    int64_t revision;
    const struct vf_version *versions;
    size_t version_count;       /* 0 where the projection's versions are "record" or "none" */
    struct vf_bytes body;       /* BSON of the body's fields only; size 0 unless present */
    bool has_expires;           /* with a ttl, whatever the presence: the newest event time taken in, plus the ttl */
    int64_t expires_ms;         /* Unix milliseconds, event time */
    int64_t since_ms;           /* of a deleted or expired husk: the event time at which it went */
    struct vf_bytes deleted_by; /* of a deleted husk: the aggregate whose event said so */
};

/* Why events of an aggregate are set aside: of several reasons the last one here. */
enum vf_aside_state {
    VF_ASIDE_NONE,
    VF_ASIDE_HELD,   /* for a link, or while they are being taken in */
    VF_ASIDE_GAP,    /* for numbers that are missing */
    VF_ASIDE_PARKED, /* as one of them failed */
    VF_ASIDE_STATES
};

/* How an event failed. */
struct vf_failure {
    struct vf_bytes error;     /* at most VF_FAILURE_BYTES_MAX, and so for the traceback */
    struct vf_bytes traceback; /* Lua's; size 0: there is none */
    struct vf_bytes script;    /* the hash of the script that it failed with */
    int64_t failed_ms;         /* Unix milliseconds */
};
#define VF_FAILURE_BYTES_MAX ((size_t)8 << 10)

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
    struct vf_bytes link_via; /* with a link that was followed through another aggregate: which. Else size 0 */

    /* What is set aside. Places only grow, while the record is there. */
    int64_t waiters_from, waiters_to; /* linking events of others that wait for this aggregate's link: [from, to) */
    int64_t aside_from, aside_to;     /* its own events, in the order in which they are to be taken in: [from, to) */
    struct vf_bytes waits_for;        /* its own linking event is in the list of this other aggregate. Else size 0 */
    int64_t early_count;              /* its own events that came before numbers that are missing */
    int64_t early_from, early_last; /* with early_count: the lowest and the highest of their places (vf_early_number) */
    bool has_seen;                  /* with any event of its own set aside, in its list or as waits_for says: */
    int64_t seen; /* the last version of them, which decides duplicate and gap instead of the last one taken in */
    const struct vf_version_more *seen_more;
    bool parked;               /* the first event in its own list failed: those behind it wait until somebody decides */
    struct vf_failure failure; /* with `parked` */
    int64_t
        since_ms; /* Unix milliseconds by a worker's clock, since when something has been set aside: for reports only */

    /* Both follow from what is above, for the store's lists of them. */
    bool draining; /* something in its lists need not wait any more: it is to be taken in */
    enum vf_aside_state state;
};

/* An event that is set aside: one place in one of an aggregate's lists. */
struct vf_aside {
    struct vf_bytes list;      /* vf_list_key */
    int64_t place;             /* in the list */
    struct vf_bytes aggregate; /* whose event it is; of an unreadable record that of its list */
    struct vf_partition partition;
    int64_t offset;
    struct vf_bytes record; /* vf_record_encode. Not needed to take it away */
};

/* The lists of an aggregate. */
enum vf_list {
    VF_LIST_OWN,     /* order/42: its own events. Places are [aside_from, aside_to) */
    VF_LIST_WAITERS, /* /waiters/order/42: others' linking events. Places are [waiters_from, waiters_to) */
    VF_LIST_EARLY, /* /early/order/42: its own events behind a hole, in the order of their numbers. early_count of them */
};

/* The place of an event that came early: of a sequence its number. Of `revision` numbers several events may share one: then it is
 * the index-th of those, and its place is above all numbers of sequences that have a place. */
#define VF_EARLY_SEQUENCE_MAX (((int64_t)1 << 62) - 1)
#define VF_EARLY_REVISION_MAX (((int64_t)1 << 51) - 2)
#define VF_EARLY_REVISION_MIN (-((int64_t)1 << 51))
#define VF_EARLY_SIBLINGS_MAX 1024
int64_t vf_early_place_of_revision(int64_t number, int64_t index);
/* The number of an early event, by its place. */
int64_t vf_early_number(int64_t place);
/* Whether an early event at this place is taken in only when somebody asks for that: nobody can tell whether all events of the
 * revision before it have come. */
bool vf_early_is_asked_for(int64_t place);

/* A list's key: no aggregate's name begins with a slash, as no kind is empty. */
struct vf_arena;
struct vf_bytes vf_list_key(struct vf_arena *arena, enum vf_list list, struct vf_bytes aggregate);
/* The aggregate whose record tells the list's places (it borrows from the key), and which of its lists it is. */
struct vf_bytes vf_list_aggregate(struct vf_bytes key, enum vf_list *ret_list);

/* Records whose aggregate cannot be read are parked one by one, under what stands in for one: /unreadable/orders/3@1042. */
#define VF_UNREADABLE_PREFIX "/unreadable/"
bool vf_is_nobodys(struct vf_bytes aggregate);

/* An operator's decision that is not in the log: this event is not to be taken in; or, with a topic of NULL, numbers of an
 * aggregate are not waited for any more. */
struct vf_dropped {
    struct vf_bytes aggregate;
    struct vf_partition partition; /* topic NUL-terminated, or NULL */
    int64_t offset;
    int64_t timestamp_ms; /* the record's: another record at this offset, of a topic that was made anew, is not meant */
    uint64_t
        identity; /* vf_event_identity: the event's copies elsewhere in the log are meant, too. 0: it could not be read */
    int64_t missing_from, missing_to; /* with topic NULL: [from, to) */
    int64_t dropped_ms;               /* Unix milliseconds */
    struct vf_bytes error;            /* what the event had failed with; size 0: it had not */
};

/* How much is set aside. */
struct vf_aside_total {
    int64_t count;
    int64_t bytes; /* of their records, as encoded */
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
    int64_t aside; /* how many events of this partition have ever been set aside: with none, none need be looked for */
    int64_t
        had; /* up to here the view had come before its store lost all of it, until it has come so far again; else 0 */
    uint64_t
        stamp; /* of the commit that wrote it: a store that was rewound and brought up to here again has another one */
};

bool vf_progress_equal(const struct vf_progress *a, const struct vf_progress *b);

/* The store had lost what the view had of this partition, and it has not come as far again. */
static inline bool vf_progress_is_rebuilding(const struct vf_progress *progress)
{
    return progress->exists && progress->next < progress->had;
}

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

/* Progress as docs/formats.md's JSON, {"next":1043,"of":7,"last":[1042,1772359200000,"9f2c..."],"aside":0,"had":6000,
 * "stamp":"..."}, and back. `last` is left out where there is none, `had` where it is 0; absent progress prints as nothing. Printing is canonical byte for byte: Redis
 * compares the text. So a text that would not be printed the same again is VF_E_DATA. */
void vf_progress_print(struct vf_buffer *out, const struct vf_progress *progress);
VF_MUSTCHECK enum vf_code vf_progress_parse(struct vf_bytes json, struct vf_json_parser *parser,
                                            struct vf_progress *ret_progress, struct vf_error *error);

#endif
