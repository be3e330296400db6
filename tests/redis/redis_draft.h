/*
 * Commits in few words, for the Redis tests. Everything in a draft lives until draft_done.
 */
#ifndef VF_TESTS_REDIS_DRAFT_H
#define VF_TESTS_REDIS_DRAFT_H

#include "connectors/redis/redis_store.h"
#include "core/body.h"

#define DRAFT_CHANGES_MAX 6000
#define DRAFT_ASIDES_MAX  2000

struct draft {
    struct vf_commit commit;
    struct vf_arena *arena;
    struct vf_progress_change progress[4];
    struct vf_document_change *documents;
    struct vf_aggregate_change *aggregates;
    struct vf_aside *asides, *taken;
    struct vf_dropped dropped[4];
};

void draft_init(struct draft *draft, const char *view, uint64_t stamp);
void draft_done(struct draft *draft);

/* orders/3 goes from one offset to another; -1: it is not there yet. */
void draft_move(struct draft *draft, int64_t from, int64_t to);

/* A document whose body is this JSON object (NULL: a husk), at the revision, with the version order/1 -> revision. */
struct vf_document_change *draft_document(struct draft *draft, struct vf_bytes id, int64_t revision, const char *json);
struct vf_document_change *draft_body(struct draft *draft, struct vf_bytes id, int64_t revision, const bson_t *body);

/* A link of order/1 to the document. */
struct vf_aggregate_change *draft_link(struct draft *draft, const char *aggregate, const char *id);

/* The event of this aggregate at an offset of orders/3 comes into a list, or leaves it (record NULL). */
struct vf_aside *draft_aside(struct draft *draft, const char *list, int64_t place, const char *aggregate,
                             int64_t offset, const char *record);

/* Sends and waits. */
enum vf_outcome draft_run(struct draft *draft, struct vf_store *store, struct vf_commit_result *ret_result);

/* Fails the test unless it is committed. */
void draft_must_commit(struct draft *draft, struct vf_store *store);

/* What lies there, in the arena. Fails the test where it cannot be loaded. */
struct vf_document draft_load(struct draft *draft, struct vf_store *store, struct vf_bytes id);

#endif
