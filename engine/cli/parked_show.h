/*
 * What `viewfold parked` shows of aggregates whose events are set aside, and of what became of them. Pure; parked.c and
 * parked_retry.c gather.
 */
#ifndef VF_CLI_PARKED_SHOW_H
#define VF_CLI_PARKED_SHOW_H

#include "cli/parked.h"
#include "run/retrying.h"

struct vf_parked_row {
    const struct vf_parked_target *target;
    int32_t generation;
    const struct vf_aggregate *record;
    struct vf_parked_ends ends;
};

/* "parked", "gap", "held"; "released" of what is not set aside. */
const char *vf_parked_state_name(enum vf_aside_state state);

/* {"aggregate":...,"error":... and the rest: what `show` tells of each event stands between. No line break. */
void vf_parked_print_json_begin(const struct vf_parked_row *row, struct vf_buffer *out);
void vf_parked_print_json_end(const struct vf_parked_row *row, struct vf_buffer *out);

/* {"aggregate":...,"at":...,...} of one event. */
void vf_parked_print_event_json(const struct vf_parked_event *event, struct vf_buffer *out);

/* "customer_orders in cache, generation 1" */
void vf_parked_print_head(const struct vf_parked_target *target, int32_t generation, bool color, struct vf_buffer *out);

/* A line, and one for the error. */
void vf_parked_print_row(const struct vf_parked_row *row, bool color, struct vf_buffer *out);

/* What there is to know, but for its events: `runs` is the hash of the script that the generation runs. */
void vf_parked_print_detail(const struct vf_parked_row *row, const char *runs, bool color, struct vf_buffer *out);

/* An event in a line, and its data in another one; `whole`: all of the data. */
void vf_parked_print_event(const struct vf_parked_event *event, bool whole, bool color, struct vf_buffer *out);

/* What can be done about it. */
void vf_parked_print_advice(const struct vf_parked_row *row, struct vf_buffer *out);

/* order/42@5 OrderShipped, at orders/3@1042; what can be told of it. */
void vf_parked_print_place(const struct vf_parked_event *event, struct vf_buffer *out);

/* What became of an aggregate, in a line; `tried`: of a rehearsal, what would. */
void vf_parked_print_retried(const struct vf_parked_target *target, int32_t generation, struct vf_bytes aggregate,
                             const struct vf_retried *retried, const struct vf_parked_event *first, bool tried,
                             bool color, struct vf_buffer *out);
/* The same as JSON: {"aggregate":...} on a line. */
VF_MUSTCHECK enum vf_code vf_parked_print_retried_json(const struct vf_parked_target *target, int32_t generation,
                                                       struct vf_bytes aggregate, const struct vf_retried *retried,
                                                       const struct vf_parked_event *first, bool tried,
                                                       struct vf_buffer *out, struct vf_error *error);

/* Of a rehearsal: how the documents would change. */
void vf_parked_print_changes(const struct vf_retried *retried, bool color, struct vf_buffer *out);

#endif
