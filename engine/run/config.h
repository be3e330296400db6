/*
 * The configuration as the engine reads it: plain data, made once from viewfold.yaml (engine/cli/config_read.c) and never
 * changed afterwards, so any thread may read it. Everything in it lives in one arena that the configuration owns; strings
 * are NUL-terminated. Every default is already filled in. It holds secrets (store and Kafka passwords): never log a store's
 * url, username or password, nor a Kafka property's value.
 *
 * What a key means is said in one place, the table in engine/cli/config_keys.c; here only units and who owns what.
 */
#ifndef VF_RUN_CONFIG_H
#define VF_RUN_CONFIG_H

#include "core/arena.h"
#include "core/envelope.h"
#include "source.h"

/* Where in viewfold.yaml something stands, for messages about it: "file:line:column". Line 0: it is a default. */
struct vf_place {
    int32_t line;
    int32_t column;
};

enum vf_then {
    VF_THEN_PARK, /* set aside, with all that its aggregate does next */
    VF_THEN_STOP,
};

/* What happens to an event whose handler fails. */
struct vf_errors_config {
    int32_t retries;    /* tries after the first one */
    int64_t backoff_ms; /* before the first retry; doubled for each further one */
    enum vf_then then;
};

struct vf_kafka_config {
    const char *brokers;                         /* host:port,host:port as librdkafka wants them */
    const char *group;                           /* consumer groups are <group>.<projection>.<store>.g<generation> */
    const char *instance;                        /* or NULL: no static membership. Each worker makes it unique */
    const struct vf_source_property *properties; /* librdkafka's, none that viewfold owns */
    size_t property_count;
};

struct vf_store_entry {
    const char *name;     /* "cache" */
    const char *type;     /* "redis" or "mongodb": the name of the store type that serves it */
    const char *url;      /* as given; may hold a password */
    const char *address;  /* host:port/db of the url without login, for messages */
    const char *username; /* or NULL */
    const char *password; /* or NULL */
    const char *prefix;   /* Redis; "" by default */
    bool emptied_stop;    /* emptied: stop. When the store has lost everything, ask instead of rebuilding */
    struct vf_place place;
};

/* A name under `topics:`. */
struct vf_topic_entry {
    const char *name;            /* what projections say */
    const char *topic;           /* the Kafka topic's own name */
    struct vf_envelope envelope; /* its plan lives in the configuration's arena */
    struct vf_place place;
};

/* A projection in one store: one instance with its own groups, progress and generations. */
struct vf_projection_store {
    const struct vf_store_entry *store;
    const char *view_name; /* from `names:`, or NULL: the projection's own name, which its script says */
};

struct vf_projection_entry {
    const char *script;        /* the path to open: relative paths already start at the configuration file's folder */
    const char *script_folder; /* its folder, without a slash at the end ("." at least): modules lie beside it */
    const char *script_name;   /* its file name, "customer_orders.lua" */
    const struct vf_projection_store *stores; /* at least one */
    size_t store_count;
    int32_t workers; /* threads a store in each process */
    struct vf_errors_config errors;
    struct vf_place place;
};

struct vf_batch_config {
    int32_t events_max;
    int64_t bytes_max;         /* of records, a batch */
    int64_t written_bytes_max; /* of documents, a batch */
    int64_t wait_ms;           /* how long a batch gathers behind its first record */
};

struct vf_limits_config {
    int64_t document_bytes_max;
    int64_t lua_memory_bytes;     /* the Lua heap's cap is cache_bytes + lua_memory_bytes */
    int64_t lua_instructions_max; /* a call */
    int64_t handler_ms_max;       /* a call */
    int64_t aside_max;            /* events of a partition that may be set aside */
    int64_t aside_bytes_max;      /* and bytes of their records */
};

enum vf_log_level { VF_LOG_DEBUG, VF_LOG_INFO, VF_LOG_WARN, VF_LOG_ERROR };
enum vf_log_format { VF_LOG_LOGFMT, VF_LOG_JSON };

struct vf_config {
    const char *path; /* of the file, for messages */
    struct vf_kafka_config kafka;
    const struct vf_store_entry *stores;
    size_t store_count;
    const struct vf_topic_entry *topics;
    size_t topic_count;
    const struct vf_projection_entry *projections;
    size_t projection_count;
    struct vf_batch_config batch;
    struct vf_limits_config limits;
    int64_t cache_bytes; /* a worker's warm documents */
    int64_t drain_ms;
    int64_t forget_ms; /* how long husks of deleted and expired documents stay; 0: for ever */
    enum vf_log_level log_level;
    enum vf_log_format log_format;

    struct vf_arena *arena; /* owns all of the above, the struct itself excepted */
};

void vf_config_free(struct vf_config *config); /* NULL is fine */

/* What the name of a topic stands for: the entry under `topics:`, or for a name that is not there the topic of that name
 * with the default envelope. The answer borrows from the configuration and from `name`. */
struct vf_topic_entry vf_config_topic(const struct vf_config *config, const char *name);

/* Refuses what a projection's topics cannot be together: two names for one Kafka topic (progress and tokens go by the topic's
 * own name), and two topics that share a kind whose numbers are no sequence. VF_E_CONFIG, with the projection and both
 * names; the caller knows where it stands. */
VF_MUSTCHECK enum vf_code vf_config_check_topics(const struct vf_config *config, const char *projection,
                                                 const char *const *names, size_t name_count, struct vf_error *error);

/* The store of that name, or NULL. */
const struct vf_store_entry *vf_config_store(const struct vf_config *config, const char *name);

#endif
