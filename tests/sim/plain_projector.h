/*
 * A projector in plain C for the simulator: what its documents hold tells whether an event was lost, doubled or misplaced.
 *
 * For each aggregate that a document has seen a handled event of, the body has a field of the aggregate's name (its '/' and
 * all) with {h, n}: how many events, and a hash chain over their versions (strings are hexadecimal), event ids and types, in
 * order. Aggregates commute, events of one aggregate do not. An aggregate that moves takes its field along, to the place of
 * one that is there; in the document that it has left, a field "left order/o1" counts, in the same way, the events by which
 * it left; so many are added to the hash that it takes along. Where the projection has indexes, the body has fields for them too: x_total, x_odd and x_third (the rest by three) say
 * how many events there were.
 *
 * Types: Noted and Renoted have no handler. Deleted's and Removed's say `delete`. Broken's and Misdirected's handlers fail
 * always, and Flaky's when asked to (vf_plain_flaky); Unkept's leaves behind what cannot be kept. Shared's leaves a table that stands in two
 * places, so that the next handler on the same warm document counts twice. Needs' fails where no customer has been here. All
 * others count.
 *
 * A route is what an event's data says: {"to": "c1"}, a list of ids, or null; {"via": "a1"} is `through`, of the kind that
 * the type's link names.
 */
#ifndef VF_SIM_PLAIN_PROJECTOR_H
#define VF_SIM_PLAIN_PROJECTOR_H

#include "projector.h"

extern const struct vf_projector_type vf_plain_projector_type;

/* What the next projectors describe: set before they are opened, kept by the caller. */
void vf_plain_describe(const struct vf_projection *projection);

/* Types that say a link, sorted: Created, Misdirected, Reassigned, Removed and Renoted say a document. */
#define VF_PLAIN_LINKS 5
extern const struct vf_link vf_plain_links[VF_PLAIN_LINKS];

/* How many calls of Flaky's handler fail from now on. */
extern int vf_plain_flaky;
extern bool vf_plain_mended; /* nothing fails any more */

/* The text of a script by which each event counts for two. */
#define VF_PLAIN_TWICE "each event counts for two"

/* The text of the script that a projector was opened with last. */
extern char vf_plain_script[64];

/* One step of the chain: the model uses it too. */
int64_t vf_plain_chain(int64_t hash, int64_t version, struct vf_bytes event_id, char type);

#endif
