/*
 * The names of what lies in Redis (docs/formats.md): made once a call for a view's generation, then joined with ids.
 */
#ifndef VF_REDIS_KEYS_H
#define VF_REDIS_KEYS_H

#include "core/document.h"
#include "core/index.h"

/* With prefix "shop:", view customer_orders, generation 1. What ends with ':' has an id or an
 * aggregate put behind it, what ends with '@' a partition. */
struct vf_redis_keys {
    struct vf_buffer text;     /* holds all of them */
    struct vf_bytes pointer;   /* shop:customer_orders */
    struct vf_bytes registry;  /* shop:customer_orders@generations */
    struct vf_bytes channel;   /* shop:customer_orders@changes */
    struct vf_bytes document;  /* shop:customer_orders:1: */
    struct vf_bytes husk;      /* shop:customer_orders@1:husk: */
    struct vf_bytes aggregate; /* shop:customer_orders@1:aggregate: */
    struct vf_bytes progress;  /* shop:customer_orders@1:progress */
    struct vf_bytes stopped;   /* shop:customer_orders@1:stopped */
    struct vf_bytes script;    /* shop:customer_orders@1:script */
    struct vf_bytes side;      /* shop:customer_orders@1: */
    struct vf_bytes index;     /* shop:customer_orders# */

    struct vf_bytes expires;                 /* shop:customer_orders@1:expires */
    struct vf_bytes husks;                   /* shop:customer_orders@1:husks */
    struct vf_bytes aside;                   /* shop:customer_orders@1:aside: */
    struct vf_bytes aside_partition;         /* shop:customer_orders@1:aside@ */
    struct vf_bytes aside_bytes;             /* shop:customer_orders@1:aside_bytes */
    struct vf_bytes draining;                /* shop:customer_orders@1:draining */
    struct vf_bytes drops;                   /* shop:customer_orders@1:drops */
    struct vf_bytes states[VF_ASIDE_STATES]; /* shop:customer_orders@1:held, gap, parked */
};

void vf_redis_keys_init(struct vf_redis_keys *keys);
void vf_redis_keys_done(struct vf_redis_keys *keys);
void vf_redis_keys_set(struct vf_redis_keys *keys, const char *prefix, const char *view, int32_t generation);

const char *vf_redis_state_name(enum vf_aside_state state); /* held, gap, parked */

/* The key of an index, shop:customer_orders#valuable:1; with `by`, what stands before the value: #by_city:1: */
struct vf_bytes vf_redis_keys_index(const struct vf_redis_keys *keys, int32_t generation, const struct vf_index *index,
                                    struct vf_arena *arena);
/* The key of what is set aside of a partition, in the arena. */
struct vf_bytes vf_redis_keys_partition(const struct vf_redis_keys *keys, struct vf_partition partition,
                                        struct vf_arena *arena);

#endif
