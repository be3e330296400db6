/*
 * The log: one line on stderr for each thing that happened, as logfmt or JSON.
 *
 *     vf_log(VF_LOG_WARN, &(struct vf_log_about){.projection = "customer_orders", .store = "cache", .record = record},
 *            "the handler failed; the partition stops");
 *
 *     time=2026-03-01T10:00:00.000Z level=warn projection=customer_orders store=cache at=orders/3@1042 msg="the handler ..."
 *
 * A line is built in memory and leaves by a single write(2), so lines of threads and of processes that share a terminal do
 * not mix (a pipe keeps them whole up to 4096 bytes). What comes from outside (ids, errors, scripts' lines) is escaped: no
 * line break, control character or broken UTF-8 gets through. Only the worker and main log; libraries return errors
 * (CONTRIBUTING.md, style). Secrets never: name a store, not its URL.
 *
 * vf_log is safe from any thread. vf_log_setup is called once, before threads start; without it: info, logfmt, stderr.
 */
#ifndef VF_RUN_LOG_H
#define VF_RUN_LOG_H

#include "core/error.h"
#include "core/event.h"
#include "run/config.h"

/* A value longer than this is cut in the line, with "..." behind it: a traceback fits, a document does not. */
#define VF_LOG_VALUE_BYTES_MAX 8192

/* One more key=value pair: `text` where it is set, else the number. */
struct vf_log_field {
    const char *key; /* [a-z][a-z0-9_]*; NULL ends the list */
    const char *text;
    int64_t number;
};

/* What a line is about. Only what is set appears, in this order. Nothing is kept after the call. */
struct vf_log_about {
    const char *worker;
    const char *projection;
    const char *store;
    const struct vf_record *record;       /* at=orders/3@1042 */
    const struct vf_partition *partition; /* at=orders/3, where there is no record */
    struct vf_bytes aggregate;            /* aggregate=order/42 */
    const struct vf_error *error;         /* error="...", with its traceback */
    const struct vf_log_field *fields;    /* more pairs, ended by a NULL key */
};

/* Lines below `level` are dropped. `fd` is written to, never closed. */
void vf_log_setup(enum vf_log_level level, enum vf_log_format format, int fd);

/* Whether lines of this level are written: for what is costly to gather. */
bool vf_log_on(enum vf_log_level level);

/* Writes one line. `about` may be NULL. What cannot be written (a full disk, a pipe that nobody reads for a second) is left out;
 * the next line that comes out again says how many were. */
void vf_log(enum vf_log_level level, const struct vf_log_about *about, const char *format, ...) VF_PRINTF(3, 4);

/* As vf_log, with the text as it is: for what a script logs. */
void vf_log_text(enum vf_log_level level, const struct vf_log_about *about, struct vf_bytes text);

/*
 * Limits how often something may be logged (scripts' log(...), repeated failures): `burst` lines at once, then one each
 * `interval_ms`. Zeroed is a limiter that has let nothing through yet. One thread uses it.
 */
struct vf_log_rate {
    int64_t burst;       /* how many lines at once; set it */
    int64_t interval_ms; /* one more each so often; set it */
    int64_t spent;       /* private from here */
    int64_t since_ms;
    int64_t dropped;
};

/* True: log it. *ret_dropped: how many were dropped since the last one that was let through (say so in the line). */
bool vf_log_rate_allow(struct vf_log_rate *rate, int64_t monotonic_ms, int64_t *ret_dropped);

#endif
