#include "mongodb/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

__attribute__((noreturn)) static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void print_version(struct server *server)
{
    bson_t *reply = server_run(server, "admin", "{\"buildInfo\": 1}");
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, reply, "version"))
        printf("MongoDB %s, libmongoc %s\n", bson_iter_utf8(&iter, NULL), mongoc_get_version());
    fflush(stdout);
    bson_destroy(reply);
}

void server_init(struct server *server)
{
    const char *address = getenv("VIEWFOLD_MONGODB");
    bson_error_t failure;
    uint64_t random;
    if (!address)
        give_up(
            "VIEWFOLD_MONGODB is not set",
            "start a MongoDB replica set with `tests/servers/servers.sh up mongodb`, then `eval \"$(tests/servers/servers.sh env)\"`");
    mongoc_log_set_handler(NULL, NULL);
    mongoc_init();
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        give_up("getrandom", "no randomness");
    snprintf(server->database, sizeof(server->database), "vftest_%016llx", (unsigned long long)random);
    mongoc_uri_t *uri = mongoc_uri_new_with_error(address, &failure);
    if (!uri)
        give_up(address, failure.message);
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
    const char *set = mongoc_uri_get_replica_set(uri);
    snprintf(server->host, sizeof(server->host), "%s", host->host);
    server->port = host->port;
    snprintf(server->url, sizeof(server->url), "mongodb://%.250s:%u/%s?replicaSet=%.60s&appName=%s", server->host,
             (unsigned)server->port, server->database, set ? set : "rs0", server->database);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 5000);
    mongoc_uri_set_appname(uri, "viewfold-test");
    server->client = mongoc_client_new_from_uri(uri);
    mongoc_client_set_error_api(server->client, MONGOC_ERROR_API_VERSION_2);
    mongoc_uri_destroy(uri);
    print_version(server);
}

void server_done(struct server *server)
{
    bson_destroy(server_run(server, server->database, "{\"dropDatabase\": 1}"));
    mongoc_client_destroy(server->client);
}

bson_t *server_run(struct server *server, const char *database, const char *json)
{
    bson_error_t failure;
    bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &failure), reply;
    if (!command)
        give_up(json, failure.message);
    if (!mongoc_client_command_simple(server->client, database, command, NULL, &reply, &failure))
        give_up(json, failure.message);
    bson_t *copy = bson_copy(&reply);
    bson_destroy(&reply);
    bson_destroy(command);
    return copy;
}
