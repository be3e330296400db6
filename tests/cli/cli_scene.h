/*
 * The whole program in a test: a configuration file and a script in a folder of their own, a store in memory under the name
 * of each real one, a projector that reads a line of words instead of Lua, a Kafka that says what it is told, and a clock
 * that moves only when somebody sleeps. The main thread only.
 */
#ifndef VF_CLI_SCENE_H
#define VF_CLI_SCENE_H

#include "cli/cli.h"
#include "connectors/memory/memory_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SCENE_PARTITIONS 2

struct scene {
    char folder[64];
    struct vf_arena *arena;
    struct vf_memory_server *redis;
    struct vf_memory_server *mongodb;

    const struct vf_projector_type *projector; /* NULL: the one that reads words */

    int64_t now_ms;
    void (*on_sleep)(struct scene *scene); /* what the world does meanwhile; may be NULL */
    int sleeps;
    void (*on_random)(
        struct scene *scene); /* once, when somebody next wants a stamp: others come in between; may be NULL */
    void (*on_monotonic)(struct scene *scene); /* once, when somebody next asks how much time has passed; may be NULL */
    void (*on_wall)(struct scene *scene);      /* once, when somebody next looks at the wall clock; may be NULL */
    void (*on_loaded)(struct scene *scene); /* once, when documents of the store "cache" have been read; may be NULL */

    const char *held_up; /* what the store "cache" says holds its commits up; NULL: nothing */
    bool kafka_down;
    int kafka_no_coordinator;            /* so many questions about a group are refused */
    int64_t kafka_low[SCENE_PARTITIONS]; /* of the topic "orders", the only one */
    int64_t kafka_end[SCENE_PARTITIONS];
    size_t kafka_members;
    const char *kafka_policy; /* cleanup.policy; NULL: delete */
    bool kafka_policy_denied;
    bool kafka_read_denied;
    int64_t kafka_retention_ms;
    char kafka_group[128]; /* what was asked for last */

    char *out; /* of the last scene_run */
    char *err;
};

int scene_setup(void **state);
int scene_teardown(void **state);
#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

/* Two stores, `cache` (redis) and `docs` (mongodb), and the projection customer_orders over the topic orders in both. */
#define SCENE_CONFIG                                                                       \
    "kafka: {brokers: k, group: shop}\n"                                                   \
    "stores:\n  cache: {redis: \"redis://r:1/0\"}\n  docs: {mongodb: \"mongodb://m/d\"}\n" \
    "projections: [{script: p.lua, stores: [cache, docs]}]\n"
/* NAME VERSIONS, then topics, key:KIND, key:KIND=field, key:KIND=link:TYPE and version:N; code:... says nothing. */
#define SCENE_SCRIPT "customer_orders document orders key:customer key:order key:day"

void scene_write(struct scene *scene, const char *name, const char *text);

/* Runs `viewfold WORDS... -c FOLDER/viewfold.yaml` and keeps what it printed; answers the exit status. */
int scene_run(struct scene *scene, const char *words);

/* Generation 1 of customer_orders, with the script `text`. */
void scene_prepare(struct scene *scene, struct vf_memory_server *server, const char *text);

/* One commit on whatever is there. `body` is JSON; versions is a list ended by a NULL aggregate, sorted; next < 0: progress
 * stays. */
struct scene_version {
    const char *aggregate;
    int64_t version;
};
void scene_put(struct scene *scene, struct vf_memory_server *server, const char *id, enum vf_presence presence,
               const char *body, int64_t revision, const struct scene_version *versions);
/* The same for versions as JSON (`_versions` in docs/formats.md); and the record of an aggregate whose version lives there. */
void scene_put_versions(struct scene *scene, struct vf_memory_server *server, const char *id, const char *versions);
void scene_put_record_version(struct scene *scene, struct vf_memory_server *server, const char *aggregate,
                              const char *version);
void scene_put_record(struct scene *scene, struct vf_memory_server *server, const char *aggregate, const char *link,
                      int64_t version);
/* One event of the aggregate is held in its own list, at this offset of orders/0; progress has passed it. */
void scene_hold(struct scene *scene, struct vf_memory_server *server, const char *aggregate, int64_t version,
                int64_t offset);
/* Events of an aggregate are set aside as `record` says (its places, its state, why): each is an event of the default envelope,
 * `Changed` at this version and offset of orders/0, with the data {"n":VERSION}. Progress has passed them. */
struct scene_aside {
    enum vf_list list;
    int64_t place;
    const char *aggregate; /* whose event; NULL: the record's */
    int64_t version;
    int64_t offset;
};
void scene_set_aside(struct scene *scene, struct vf_memory_server *server, const struct vf_aggregate *record,
                     const struct scene_aside *asides, size_t count);
/* Three of them, versions 5 to 7 from this offset on, of which the first has failed. */
void scene_park(struct scene *scene, struct vf_memory_server *server, const char *aggregate, int64_t offset,
                const char *error);
/* It is taken in after all: nothing is set aside any more, and the aggregate is linked to this document. */
void scene_release(struct scene *scene, struct vf_memory_server *server, const char *aggregate, int64_t offset,
                   const char *link);
/* A document that expires then (Unix milliseconds). */
void scene_put_expiring(struct scene *scene, struct vf_memory_server *server, const char *id, int64_t expires_ms);
/* A document in the view's indexes; expires_ms 0: never. */
void scene_put_indexed(struct scene *scene, struct vf_memory_server *server, const char *id, const char *body,
                       int64_t expires_ms, const struct vf_index *indexes, size_t index_count);
void scene_put_progress(struct scene *scene, struct vf_memory_server *server, int32_t partition, int64_t next);
void scene_put_progress_of(struct scene *scene, struct vf_memory_server *server, const char *topic, int32_t partition,
                           int64_t next);
/* The store had lost what the view had up to `had`. */
void scene_put_lost(struct scene *scene, struct vf_memory_server *server, int32_t partition, int64_t next, int64_t had);
void scene_stop(struct scene *scene, struct vf_memory_server *server, int32_t partition, const char *reason);

#endif
