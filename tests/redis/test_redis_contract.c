/*
 * The store contract on a real Redis. Every store has a proxy of its own in front, so that a commit's request or reply can
 * be lost for certain.
 */
#include "redis/lossy_proxy.h"
#include "redis/redis_fixture.h"
#include "store_contract.h"

#include <stdlib.h>

#define STORES_MAX 4096

static struct {
    struct vf_store *store;
    struct lossy_proxy *proxy;
} opened[STORES_MAX];
static size_t opened_count;

static struct vf_store *open_one(void *self, struct vf_error *error)
{
    (void)self;
    struct lossy_proxy *proxy = lossy_proxy_new(redis_fixture_host(), redis_fixture_port());
    struct vf_store *store = NULL;
    if (!proxy || opened_count == STORES_MAX ||
        redis_fixture_try_open(lossy_proxy_port(proxy), NULL, NULL, &store, error) != VF_OK) {
        lossy_proxy_free(proxy);
        return NULL;
    }
    /* The newest of an address counts: an older store may have been closed. */
    opened[opened_count].store = store;
    opened[opened_count++].proxy = proxy;
    return store;
}

static bool lose(void *self, struct vf_store *store, enum vf_contract_loss loss)
{
    (void)self;
    for (size_t i = opened_count; i-- > 0;) {
        if (opened[i].store == store) {
            lossy_proxy_order(opened[i].proxy, loss == VF_LOSE_BEFORE ? LOSSY_LOSE_REQUEST : LOSSY_LOSE_REPLY);
            return true;
        }
    }
    abort();
}

int main(void)
{
    redis_fixture_begin();
    struct vf_store_contract contract = {.type = &vf_redis_store_type, .open = open_one, .kill_connection = lose};
    int failed = vf_store_contract_run("redis", &contract);
    for (size_t i = 0; i < opened_count; i++)
        lossy_proxy_free(opened[i].proxy);
    redis_fixture_end();
    return failed;
}
