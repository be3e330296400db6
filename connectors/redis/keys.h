/*
 * The names of what lies in Redis (docs/formats.md): made once a call for a view's generation, then joined with ids.
 */
#ifndef VF_REDIS_KEYS_H
#define VF_REDIS_KEYS_H

#include "core/bytes.h"

/* With prefix "shop:", view customer_orders, generation 1. What ends with ':' has an id or an aggregate put behind it. */
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
};

void vf_redis_keys_init(struct vf_redis_keys *keys);
void vf_redis_keys_done(struct vf_redis_keys *keys);
void vf_redis_keys_set(struct vf_redis_keys *keys, const char *prefix, const char *view, int32_t generation);

#endif
