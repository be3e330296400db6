/*
 * The Redis connector without a server: what it receives is what a target says. The linker puts these functions in the place of
 * connection.c's (--wrap), so all else of the connector is the real thing. One thread.
 */
#ifndef VF_FUZZ_REDIS_H
#define VF_FUZZ_REDIS_H

#include "store.h"

/* A store that has been opened; always the same one. */
struct vf_store *fuzz_redis_store(void);

/* What the server will answer from now on, in Redis' protocol; behind it, the connection is lost. Borrows. */
void fuzz_redis_answer(struct vf_bytes replies);

/* The answer will be what HGETALL says of this document, and then of its husk, after a commit has written it. Fails as a commit
 * that cannot be built. */
VF_MUSTCHECK enum vf_code fuzz_redis_write(const struct vf_document *document, struct vf_error *error);

#endif
