/*
 * A worker's cache: the documents and aggregate records that it has read or written lately, as they will be once the
 * commits that it has sent have taken hold. Only a cache (docs/protocol.md): anything in it may be dropped at any
 * moment, and is dropped when a condition that concerns it fails. There is no undo: what a failed batch touched is dropped
 * and read again.
 *
 * One worker's thread owns a cache. Entries are plain data for the fold to work on; they stay where they are until dropped
 * or evicted, and what a batch that has not settled has touched is never evicted.
 */
#ifndef VF_RUN_CACHE_H
#define VF_RUN_CACHE_H

#include "core/document.h"
#include "core/hash.h"
#include "core/index.h"
#include "core/versions.h"
#include "projector.h"

#include <stdbool.h>

/* What documents and aggregate records have in common. The first member of both. */
struct vf_cached {
    struct vf_cached *older;
    struct vf_cached *newer;
    struct vf_bytes key; /* document id or aggregate; owned */
    bool is_document;
    uint64_t batch;      /* number of the last batch that consulted it */
    uint64_t before;     /* of the one before that; 0: none */
    bool changed;        /* that batch has changed it */
    bool relied_on;      /* that batch has left something out because of what it holds */
    uint64_t base_stamp; /* what the store holds, or will once the commit in flight has taken hold */
    size_t bytes;        /* estimate of what it takes */
};

struct vf_cached_document {
    struct vf_cached head;
    UT_hash_handle hh;
    enum vf_presence base_presence; /* with base_stamp: what the condition tests */
    enum vf_presence presence;      /* as folded so far */
    int64_t revision;
    struct vf_version *versions; /* sorted by aggregate; names, array and what is more owned */
    size_t version_count;
    size_t version_capacity;
    size_t more_bytes; /* what the versions have beside integers (vf_version_more), all together */
    bool has_expires;  /* as in struct vf_document */
    int64_t expires_ms;
    int64_t since_ms;
    struct vf_bytes deleted_by; /* owned */
    bool base_has_expires, base_has_since;
    struct vf_index_entry *entries; /* of the base, one for each index; owned, texts and all. NULL: in none */
    vf_warm warm;                   /* 0 where nothing has been warmed yet, and always where there is no body */
    struct vf_bytes cold;           /* the body's BSON while it is not warm; owned */
    size_t body_bytes;              /* size of the body's BSON when it was last seen */
};

struct vf_cached_aggregate {
    struct vf_cached head;
    UT_hash_handle hh;
    bool base_exists;
    enum vf_aside_state base_state;
    bool base_draining;
    bool exists;
    bool has_link;
    bool link_is_none;
    struct vf_bytes link; /* owned */
    bool has_version;
    int64_t version;
    const struct vf_version_more *version_more; /* owned */
    struct vf_bytes link_via;                   /* owned, as all below; as in struct vf_aggregate */
    int64_t waiters_from, waiters_to;
    int64_t aside_from, aside_to;
    struct vf_bytes waits_for;
    int64_t early_count, early_from, early_last;
    bool has_seen;
    int64_t seen;
    const struct vf_version_more *seen_more;
    bool parked;
    struct vf_failure failure;
    int64_t since_ms;
    bool early_ready; /* the hole before its first early event may be filled */
    bool early_asked; /* somebody vouches for the revisions before its early events, up to this number */
    int64_t early_asked_to;
    bool by_link;    /* its kind goes by links: the cache's owner says so */
    bool seeks_link; /* its link is not known, and the event that says it may be further behind in its own list */
    bool queued;     /* the fold under way is going to drain it */
};

/* The record is to be written with this batch. */
static inline void vf_cached_mark_changed(struct vf_cached_aggregate *aggregate)
{
    aggregate->exists = aggregate->head.changed = true;
}

/* Whether linking events of others wait for its link; whether events of its own are in its list. */
static inline bool vf_cached_has_waiters(const struct vf_cached_aggregate *aggregate)
{
    return aggregate->waiters_to > aggregate->waiters_from;
}
static inline bool vf_cached_has_own(const struct vf_cached_aggregate *aggregate)
{
    return aggregate->aside_to > aggregate->aside_from;
}

/* Whether its own events wait: the next one comes behind them. */
static inline bool vf_cached_waits(const struct vf_cached_aggregate *aggregate)
{
    return vf_cached_has_own(aggregate) || aggregate->waits_for.size > 0;
}

/* Whether what is in its lists need not wait any more. */
static inline bool vf_cached_drains_waiters(const struct vf_cached_aggregate *aggregate)
{
    return aggregate->has_link && vf_cached_has_waiters(aggregate);
}
static inline bool vf_cached_drains_own(const struct vf_cached_aggregate *aggregate)
{
    /* GUARD parked-waits: what is behind an event that failed would be taken in without it */
    return vf_cached_has_own(aggregate) && !aggregate->parked && aggregate->waits_for.size == 0 &&
           (aggregate->has_link || !aggregate->by_link || aggregate->seeks_link);
}
static inline bool vf_cached_drains_early(const struct vf_cached_aggregate *aggregate)
{
    return aggregate->early_ready && aggregate->early_count > 0;
}
/* Whether something that came early has a lower number; or, of events that may share one, the same. */
static inline bool vf_cached_is_behind_early(const struct vf_cached_aggregate *aggregate, const struct vf_event *event)
{
    int64_t first = vf_early_number(aggregate->early_from);
    /* GUARD behind-revision: it would be taken in as soon as one event of the revision before it is */
    return aggregate->early_count > 0 && ((event->numbers == VF_NUMBERS_SEQUENCE && event->version > first) ||
                                          (event->numbers == VF_NUMBERS_REVISION && event->version >= first));
}
static inline bool vf_cached_is_draining(const struct vf_cached_aggregate *aggregate)
{
    return vf_cached_drains_waiters(aggregate) || vf_cached_drains_own(aggregate) || vf_cached_drains_early(aggregate);
}
/* The same for whoever goes on with it: he cannot vouch for revisions. */
static inline bool vf_cached_stays_draining(const struct vf_cached_aggregate *aggregate)
{
    bool drains_early = vf_cached_drains_early(aggregate) && !vf_early_is_asked_for(aggregate->early_from);
    return vf_cached_drains_waiters(aggregate) || vf_cached_drains_own(aggregate) || drains_early;
}

/* Whether there is anything to keep about it. */
static inline bool vf_cached_is_needed(const struct vf_cached_aggregate *aggregate)
{
    return aggregate->has_link || aggregate->has_version || aggregate->has_seen || vf_cached_waits(aggregate) ||
           vf_cached_has_waiters(aggregate) || aggregate->early_count > 0;
}

struct vf_cache;

/* bytes_max: beyond it, the entries that were used longest ago go. The projector's documents are cooled with them. The
 * indexes are those of the projector's script. */
struct vf_cache *vf_cache_new(const struct vf_projector_type *type, struct vf_projector *projector, size_t bytes_max);
void vf_cache_free(struct vf_cache *cache);

/* What is there, or NULL. */
struct vf_cached_document *vf_cache_document(struct vf_cache *cache, struct vf_bytes id);
struct vf_cached_aggregate *vf_cache_aggregate(struct vf_cache *cache, struct vf_bytes aggregate);

/* Takes in what a store answered (copied). There must be no entry of that key yet. */
struct vf_cached_document *vf_cache_put_document(struct vf_cache *cache, const struct vf_document *document);
struct vf_cached_aggregate *vf_cache_put_aggregate(struct vf_cache *cache, const struct vf_aggregate *aggregate);

/* Marks an entry as used by a batch, and the most recent. True when it is the batch's first use. */
bool vf_cache_use(struct vf_cache *cache, struct vf_cached *entry, uint64_t batch);

/* The version of an aggregate in a document's versions. It borrows until the next set. */
struct vf_last vf_cached_version(const struct vf_cached_document *document, struct vf_bytes aggregate);

/* The event's version, which was next after `last` wherever that lives, is now the last one here: in a document's entry, in
 * the record as the last taken in, in the record as the last set aside. `last` may borrow from what is changed. */
void vf_cached_set_version(struct vf_cache *cache, struct vf_cached_document *document, const struct vf_event *event,
                           const struct vf_last *last);
void vf_cached_set_record_version(struct vf_cache *cache, struct vf_cached_aggregate *aggregate,
                                  const struct vf_event *event, const struct vf_last *last);
void vf_cached_set_seen(struct vf_cache *cache, struct vf_cached_aggregate *aggregate, const struct vf_event *event,
                        const struct vf_last *last);

/* Nothing of the aggregate is set aside any more: the last version seen is the last one taken in, in the document's entry, or
 * with NULL in the record. */
void vf_cached_settle_seen(struct vf_cached_aggregate *aggregate, struct vf_cached_document *document);
void vf_cached_forget_seen(struct vf_cached_aggregate *aggregate); /* where versions live nowhere */

/* `via`: the aggregate whose link was followed; size 0: none. */
void vf_cached_set_link(struct vf_cached_aggregate *aggregate, struct vf_bytes link, bool is_none, struct vf_bytes via);
/* Its first own event failed (copied); NULL: it is not parked any more. */
void vf_cached_set_parked(struct vf_cached_aggregate *aggregate, const struct vf_failure *failure);
void vf_cached_set_waits_for(struct vf_cached_aggregate *aggregate, struct vf_bytes awaited); /* size 0: nobody */

/* The document has no body any more, and is a husk of this kind, or absent: cooled, with nothing left of a former husk. */
void vf_cached_set_husk(struct vf_cache *cache, struct vf_cached_document *document, enum vf_presence presence,
                        struct vf_bytes deleted_by, int64_t since_ms);

/* A document as it was before an event: its handler may fail half-way. Made of a document that is not warm. */
struct vf_saved_document {
    struct vf_cached_document *document;
    enum vf_presence presence;
    int64_t revision, expires_ms, since_ms;
    bool has_expires, changed;
    struct vf_bytes deleted_by, cold; /* owned */
    size_t body_bytes;
};
void vf_cache_save(struct vf_cached_document *document, struct vf_saved_document *ret_saved);
/* Puts it back as it was; the versions must not have changed. Either of these ends the saved one. */
void vf_cache_restore(struct vf_cache *cache, struct vf_saved_document *saved);
void vf_saved_document_done(struct vf_saved_document *saved);

/* What the store will hold once the commit has taken hold: takes a copy of the entries; NULL: in none. */
void vf_cached_set_entries(struct vf_cache *cache, struct vf_cached_document *document,
                           const struct vf_index_entry *entries);

/* Makes a document warm: from its cold body, or from `initial` where it has no body. */
VF_MUSTCHECK enum vf_code vf_cache_warm(struct vf_cache *cache, struct vf_cached_document *document,
                                        struct vf_error *error);
void vf_cache_cool(struct vf_cache *cache, struct vf_cached_document *document);

/* The batch is sealed, and `body` is the document's BSON (copied): a document that is not used time and again is kept as
 * that, which takes a fifth of the room that its Lua tables do. */
void vf_cache_rest(struct vf_cache *cache, struct vf_cached_document *document, struct vf_bytes body);

/* Drops everything that a batch numbered `batch` or later has used. */
void vf_cache_drop_since(struct vf_cache *cache, uint64_t batch);
/* Drops what was read, or taken to be absent, and then not used by any batch: when it is used it would be old. */
void vf_cache_drop_unused(struct vf_cache *cache);
void vf_cache_drop_all(struct vf_cache *cache);

/* A cache is whole while it holds everything that is stored, as far as its owner knows: he says so where nothing is, and
 * whatever leaves the cache ends it. What is not in a whole cache is absent, or was written by somebody else just now. */
void vf_cache_set_whole(struct vf_cache *cache);
bool vf_cache_is_whole(const struct vf_cache *cache);

/* Evicts the oldest until the estimate is within bytes_max, sparing what batches numbered `in_use` or later have used.
 * Returns how many went. */
int64_t vf_cache_evict(struct vf_cache *cache, uint64_t in_use);

/* Re-estimates an entry after the fold has changed it. */
void vf_cache_weigh(struct vf_cache *cache, struct vf_cached *entry);

#endif
