/*
 * What operators have decided about a view and is not in the log: events that are left out for good, and numbers that are not
 * waited for. It counts whenever these events come again: after the store has lost its tail, and where the view is built anew
 * (docs/protocol.md).
 */
#ifndef VF_RUN_DROPS_H
#define VF_RUN_DROPS_H

#include "core/event.h"
#include "store.h"

struct vf_drops;

struct vf_drops *vf_drops_new(void);
void vf_drops_free(struct vf_drops *drops); /* NULL is fine */

/* Reads all decisions about the view's generation and about those before it. After an error none are known. */
VF_MUSTCHECK enum vf_code vf_drops_load(struct vf_drops *drops, const struct vf_store_type *type,
                                        struct vf_store *store, struct vf_view view, struct vf_error *error);

/* Whether these are the decisions still: one read, for looking now and then. Somebody may have taken one, or the store have lost
 * some. */
VF_MUSTCHECK enum vf_code vf_drops_look(const struct vf_drops *drops, const struct vf_store_type *type,
                                        struct vf_store *store, struct vf_view view, bool *ret_current,
                                        struct vf_error *error);

/* Whether this very decision, taken at its moment, is among those about the view's own generation that have come since these were
 * read. */
VF_MUSTCHECK enum vf_code vf_drops_find_new(const struct vf_drops *drops, const struct vf_store_type *type,
                                            struct vf_store *store, struct vf_view view,
                                            const struct vf_dropped *wanted, bool *ret_there, struct vf_error *error);

/* Whether this record is left out. `aggregate`: of its event; size 0 where that cannot be read. *ret_unread: it could not when that
 * was decided, so that it has no number, whatever it says now. NULL: none is. */
bool vf_drops_has(const struct vf_drops *drops, const struct vf_record *record, struct vf_bytes aggregate,
                  bool *ret_unread);

/* Whether this event is left out where it lay elsewhere in the log: a producer or a copied topic repeats it. */
bool vf_drops_has_copy(const struct vf_drops *drops, const struct vf_event *event);

/* The first number from `number` on that is waited for. */
int64_t vf_drops_pass(const struct vf_drops *drops, struct vf_bytes aggregate, int64_t number);

#endif
