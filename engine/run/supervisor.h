/*
 * `viewfold run`: opens the workers of a process, gives each a thread, and looks after them until they are told to stop.
 *
 * Starting up fails fast: a wrong configuration, an unreachable server or a refused login ends it with what, where and
 * what to do. Once all workers are open, a server that goes away is waited for. SIGTERM and SIGINT drain: each worker ends
 * the batch under way, commits its offsets and leaves its group; a second signal ends the process at once (the stores
 * guarantee that nothing is half done).
 */
#ifndef VF_RUN_SUPERVISOR_H
#define VF_RUN_SUPERVISOR_H

#include "clock.h"
#include "projector.h"
#include "run/config.h"
#include "source.h"
#include "store.h"

struct vf_supervisor_setup {
    const struct vf_config *config;
    const struct vf_clock *clock;
    const struct vf_source_type *source_type;
    const struct vf_projector_type *projector_type;
    const struct vf_store_type *const *store_types; /* ended by NULL; found by their names */
    const char *const *projections;                 /* names to run; none: all that are configured */
    size_t projection_count;
    int32_t workers;  /* a projection and store; 0: as configured */
    bool once;        /* end when every assigned partition has reached the end that it had at the start */
    int64_t drain_ms; /* < 0: as configured */
};

/* The longest that opening a connection may take, and a call of a store. */
#define VF_CONNECT_TIMEOUT_MS 10000
#define VF_COMMAND_TIMEOUT_MS 5000

/* Runs until told to stop. VF_OK: drained, or with `once` all caught up; *ret_status is then what the process exits with
 * (0; 1 where --once found partitions stopped; 128 + n never returns). Otherwise the error says why nothing was started.
 * Call it from the main thread, before any other thread exists: it blocks the signals that it waits for. */
VF_MUSTCHECK enum vf_code vf_supervisor_run(const struct vf_supervisor_setup *setup, int *ret_status,
                                            struct vf_error *error);

/* The projector's limits as configured. */
struct vf_projector_limits vf_projector_limits_of(const struct vf_config *config);

/* The store's configuration, as connectors want it. */
struct vf_store_config vf_store_config_of(const struct vf_store_entry *store);

#endif
