/*
 * What the files of `viewfold parked` share: parked.c (the verb, which views, list and show), parked_read.c (events that are
 * set aside, read by the configuration), parked_retry.c (retry and drop). One thread; everything borrows from the arena, the
 * views and the configuration.
 */
#ifndef VF_CLI_PARKED_H
#define VF_CLI_PARKED_H

#include "cli/cli.h"
#include "cli/views.h"

/* A view in one store. */
struct vf_parked_target {
    const char *view;
    const struct vf_store_entry *store;
    const struct vf_view_entry *entry; /* NULL: its script cannot be read here */
};

struct vf_parked {
    struct vf_cli *cli;
    const struct vf_config *config;
    struct vf_views *views;
    struct vf_arena *arena; /* for what lives as long as the verb */
    struct vf_parked_target *targets;
    size_t target_count;
    const char *const *aggregates; /* the arguments */
    size_t aggregate_count;
    const char *error; /* --error: only what has failed with this text, or NULL */
    int status;        /* the exit status so far */
};

/* An event as it is set aside. */
struct vf_parked_event {
    struct vf_aside aside;
    struct vf_record record;
    bool readable; /* by the envelope of its topic: */
    struct vf_event event;
    const char *unreadable; /* else why */
};

/* Says what went wrong with this target. */
void vf_parked_fail(struct vf_parked *parked, const struct vf_parked_target *target, struct vf_error *error);

/* Something is as it should not be: the exit status is this one, unless something has failed. */
void vf_parked_find(struct vf_parked *parked, int status);

/* Prints what was made of a line or several, and clears it. False: nobody reads any more. */
bool vf_parked_print(struct vf_parked *parked, struct vf_buffer *out);

/* Of which views nothing could be done, as their scripts cannot be read here: their events are `what` ("not listed"). */
void vf_parked_say_unread(struct vf_parked *parked, const char *what);

/* --- parked_read.c ------------------------------------------------------------------------------------------------ */

/* Reads what was set aside; in the arena. */
void vf_parked_read(const struct vf_parked *parked, const struct vf_parked_target *target, const struct vf_aside *aside,
                    struct vf_arena *arena, struct vf_parked_event *ret_event);

/* Whether it is parked, with an error that holds the text. */
bool vf_parked_has_error(const struct vf_aggregate *record, const char *text);

/* How many events of the aggregate are set aside; of others, that wait for it, not. */
int64_t vf_parked_count(const struct vf_aggregate *record);

/* The first and the last event of the aggregate; what is not there, or cannot be told, is NULL. */
struct vf_parked_ends {
    const struct vf_parked_event *first, *last;
};
VF_MUSTCHECK enum vf_code vf_parked_read_ends(const struct vf_parked *parked, const struct vf_parked_target *target,
                                              const struct vf_store_type *type, struct vf_store *store,
                                              struct vf_view view, const struct vf_aggregate *record,
                                              struct vf_arena *arena, struct vf_parked_ends *ret_ends,
                                              struct vf_error *error);

/* Walks through what is set aside of an aggregate, and then of others that wait for it, in order. `each` says whether to go on. */
struct vf_parked_walk {
    const struct vf_parked *parked;
    const struct vf_parked_target *target;
    const struct vf_store_type *type;
    struct vf_store *store;
    struct vf_view view;
    bool (*each)(void *self, const struct vf_parked_event *event);
    void *self;
};
VF_MUSTCHECK enum vf_code vf_parked_walk(const struct vf_parked_walk *walk, const struct vf_aggregate *record,
                                         struct vf_error *error);

/* --- parked_retry.c ----------------------------------------------------------------------------------------------- */

void vf_parked_retry(struct vf_parked *parked);
void vf_parked_drop(struct vf_parked *parked);

#endif
