/*
 * Aggregates of which events are set aside, for tests of `viewfold parked retry` and `drop`: a scene whose script is a real one, and
 * what others do to them meanwhile.
 */
#ifndef VF_CLI_RETRY_SCENE_H
#define VF_CLI_RETRY_SCENE_H

#include "cli/cli_scene.h"

#define ONE_STORE                                   \
    "kafka: {brokers: k, group: shop}\n"            \
    "stores: {cache: {redis: \"redis://r:1/0\"}}\n" \
    "projections: [{script: p.lua}]\n"

/* Adds up data.n, and fails where `fails` says so. */
#define SCRIPT(fails)                                                                           \
    "return { name = 'customer_orders', topics = { 'orders' }, key = { order = own },\n"        \
    "  on = { Changed = function(doc, e) if " fails " then error('boom at ' .. e.data.n) end\n" \
    "    doc.n = (doc.n or 0) + e.data.n end } }\n"
#define AS_IT_WAS SCRIPT("e.data.n == 5")
#define MENDED    SCRIPT("false")

#define LINKS                                                                                               \
    "return { name = 'customer_orders', topics = { 'orders' }, key = { order = link { Linked = 'to' } },\n" \
    "  on = { Changed = function(doc, e) doc.n = (doc.n or 0) + e.data.n end } }\n"

extern const struct vf_view retry_view;

/* order/42 has taken in 1 to 4, which add up to 10; 5 has failed, and 6 and 7 are behind it. */
struct scene *furnish_with(void **state, const char *script);
struct scene *furnish(void **state); /* with AS_IT_WAS */
/* Beside it, order/7 has taken in 1 and 2; 6 and 9 came early. */
void furnish_gap(struct scene *scene);
/* With LINKS: beside it, two events of order/9 wait for a link that will never come. */
struct scene *furnish_held(void **state);

/* Others: somebody drops the event of order/42 that failed; version 6 is first now, and has failed too. Or takes in all of it. */
void somebody_else_drops_it(struct scene *scene);
void somebody_else_takes_it_in(struct scene *scene);

/* ---- looking ---- */

struct vf_store *open_store(struct scene *scene);
struct vf_aggregate record_of(struct scene *scene, const char *aggregate);
size_t dropped_count(struct scene *scene, struct vf_dropped **ret_dropped);
/* The sum that the document holds, and the last version of the aggregate that it has taken in. */
void assert_holds(struct scene *scene, const char *id, const char *body, int64_t version);
/* What a command answers, with nothing on its error output. */
void expect(struct scene *scene, const char *words, int status, const char *out);

#endif
