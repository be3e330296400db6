/* The store contract against a real MongoDB, through a proxy that loses messages when it is told to. */
#include "connectors/mongodb/mongodb_store.h"
#include "mongodb/proxy.h"
#include "mongodb/server.h"
#include "store_contract.h"

#include <stdio.h>
#include <stdlib.h>

struct place {
    struct server server;
    struct proxy *proxy;
    char url[512];
    int prepares; /* that were broken so far */
};

static struct vf_store *open_store(void *self, struct vf_error *error)
{
    struct place *place = self;
    struct vf_store_config config = {
        .name = "documents", .url = place->url, .prefix = "", .connect_timeout_ms = 5000, .command_timeout_ms = 30000};
    struct vf_store *store = NULL;
    enum vf_code code = vf_mongodb_store_type.open(&config, &store, error);
    return code == VF_OK ? store : NULL;
}

/* Before: the transaction's first command is lost. A commit that is lost on its way leaves its transaction open on the
 * server, as a killed client does; test_mongodb_store has that. */
static bool kill_connection(void *self, struct vf_store *store, enum vf_contract_loss loss)
{
    struct place *place = self;
    (void)store;
    if (loss == VF_LOSE_BEFORE)
        proxy_lose_next_transaction(place->proxy);
    else
        proxy_lose_next_commit_reply(place->proxy);
    return true;
}

/* Each prepare breaks one message later than the one before. */
static void kill_in_prepare(void *self, struct vf_store *store)
{
    struct place *place = self;
    (void)store;
    proxy_cut_at_message(place->proxy, ++place->prepares);
}

/* "i/n" as its argument runs the ith of n parts; without, all. */
int main(int count, char **arguments)
{
    struct place place = {0};
    int part = 0, parts = 0;
    if (count > 1 && (sscanf(arguments[1], "%d/%d", &part, &parts) != 2 || part < 1 || part > parts)) {
        fprintf(stderr, "usage: %s [I/N]\n", arguments[0]);
        return 1;
    }
    server_init(&place.server);
    place.proxy = proxy_new(place.server.port);
    if (!place.proxy) {
        perror("the proxy cannot listen");
        return 1;
    }
    /* Direct: a client that asks for the set would go around the proxy, to where the server says that it is. */
    snprintf(place.url, sizeof(place.url), "mongodb://127.0.0.1:%u/%s?directConnection=true",
             (unsigned)proxy_port(place.proxy), place.server.database);
    const struct vf_store_contract contract = {.type = &vf_mongodb_store_type,
                                               .open = open_store,
                                               .kill_connection = kill_connection,
                                               .kill_in_prepare = kill_in_prepare,
                                               .part = part,
                                               .parts = parts,
                                               .self = &place};
    int failed = vf_store_contract_run("mongodb", &contract);
    server_done(&place.server);
    proxy_free(place.proxy);
    return failed;
}
