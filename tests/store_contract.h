/*
 * The contract of the store seam (engine/store.h), as tests. A connector runs them unchanged: it hands over its type and a
 * way to open stores that are connected to one server. The suite makes its own view names (random, [a-z0-9_]), so it may run
 * on a server that others use, and again on the same one; it leaves its views behind.
 *
 * A connector's program is then no more than
 *
 *     int main(void)
 *     {
 *         struct vf_store_contract contract = {.type = &vf_redis_store_type, .open = open_it, .self = &address};
 *         return vf_store_contract_run("redis", &contract);
 *     }
 *
 * registered with vf_test(test_redis_contract system test_redis_contract.c LIBS vf_store_contract vf_redis).
 */
#ifndef VF_STORE_CONTRACT_H
#define VF_STORE_CONTRACT_H

#include "store.h"

/* Where a commit's reply gets lost. */
enum vf_contract_loss {
    VF_LOSE_BEFORE, /* on its way there: the server never hears of the commit, nothing of it happens */
    VF_LOSE_AFTER,  /* on its way back: the server has done all of it */
};

struct vf_store_contract {
    const struct vf_store_type *type;

    /* Another store, connected to the same server as all others that this function opened. Called from the main thread
     * only; the store may then be used by another thread (by one at a time). On failure: *error, and NULL. The suite
     * closes it with type->close. */
    struct vf_store *(*open)(void *self, struct vf_error *error);

    /* Optional. Called just before a commit_send on this store: breaks the store's connection so that this commit's reply
     * is lost. True: what `loss` says is sure to happen. False: the connection breaks around the commit, and either may
     * happen. The suite then wants VF_UNKNOWN from commit_wait (VF_COMMITTED too where the client could repeat the commit
     * safely by itself), all or nothing of the commit, and progress that tells which. NULL: these tests are left out, and
     * the connector has its own. */
    bool (*kill_connection)(void *self, struct vf_store *store, enum vf_contract_loss loss);

    /* Optional. Called just before a prepare on this store: breaks its connection somewhere in the prepare. The suite wants
     * the next prepare, on another store, to mend what was left half done. */
    void (*kill_in_prepare)(void *self, struct vf_store *store);

    /* Optional. Only the `part`th (from 1) of `parts` that the groups of tests are dealt out to. 0: all of them. */
    int part, parts;

    void *self;
};

/* Runs every test; `name` is the connector's, for the output. Returns how many failed, as main() returns it. */
int vf_store_contract_run(const char *name, const struct vf_store_contract *contract);

#endif
