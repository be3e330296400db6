/*
 * Views in Redis: one hash a document (docs/formats.md), and a batch as one call of a function there
 * (docs/protocol.md).
 *
 * Wants one Redis 7.0 or later that is a master, is no cluster and evicts nothing. A store is one connection, used by one
 * thread at a time; nothing is shared between stores. Failures as in store.h.
 */
#ifndef VF_REDIS_STORE_H
#define VF_REDIS_STORE_H

#include "store.h"

extern const struct vf_store_type vf_redis_store_type;

#endif
