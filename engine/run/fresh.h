/*
 * Is a view fresh enough for a reader's tokens? One look: who waits looks again (docs/protocol.md). It needs
 * no projection: where an aggregate's last version lives shows in what the store holds.
 *
 * The order of reads makes the answer safe while workers write: progress and aggregate records first, then the documents
 * that records link to, then the documents asked for. What was seen fresh can only have become fresher in what is read
 * later. The caller reads the view's pointer before.
 */
#ifndef VF_RUN_FRESH_H
#define VF_RUN_FRESH_H

#include "core/token.h"
#include "store.h"

enum vf_freshness {
    VF_FRESH,
    VF_PENDING,    /* not yet */
    VF_REBUILDING, /* nor for a while: the store had lost the view, which is being built again */
    VF_STOPPED,    /* nor will it be by itself: the partition that brings it has stopped, or is degraded */
};

/* How far partitions are that the store had lost. */
struct vf_rebuilding {
    size_t partitions; /* that have not come as far again; 0: nothing is being rebuilt */
    int64_t at, of;    /* the sums of their next offsets, and of those up to which they had come */
};
void vf_rebuilding_add(struct vf_rebuilding *rebuilding, const struct vf_progress *progress);
/* "is being rebuilt from the log (at 1200 of 6000), as its store had lost it" */
void vf_rebuilding_print(const struct vf_rebuilding *rebuilding, struct vf_buffer *out);

/* A topic of which the configuration says that it carries events of this kind. */
struct vf_fresh_kind {
    const char *topic; /* Kafka's own name */
    const char *kind;  /* NULL: of any */
};

struct vf_fresh_question {
    const struct vf_token *tokens;
    size_t token_count;
    const struct vf_bytes *ids;
    size_t id_count;
    const struct vf_fresh_kind *kinds; /* a topic that is not among them may carry any */
    size_t kind_count;
};

struct vf_fresh_look {
    enum vf_freshness freshness;
    size_t token;                        /* which one is not fresh */
    const char *why;                     /* unless fresh: in the arena */
    const struct vf_document *documents; /* answers ids[i]; in the arena */
    struct vf_rebuilding rebuilding;     /* the view, when it was looked at: also where it is fresh for the tokens */
};

/* VF_E_USAGE for a version token whose version is of another form than those of its aggregate: it would never be fresh. */
VF_MUSTCHECK enum vf_code vf_fresh_look(const struct vf_store_type *type, struct vf_store *store, struct vf_view view,
                                        const struct vf_fresh_question *question, struct vf_arena *arena,
                                        struct vf_fresh_look *ret_look, struct vf_error *error);

/* A stopped partition's reason (store.h, progress rows) taken apart. What it does not say is empty. */
struct vf_stopped {
    struct vf_bytes aggregate;
    struct vf_bytes at;
    struct vf_bytes error; /* all of it, traceback too */
    bool degraded;
};
void vf_stopped_parse(const char *reason, struct vf_arena *arena, struct vf_stopped *ret_stopped);

#endif
