/*
 * The MongoDB that the tests run on: its address comes from VIEWFOLD_MONGODB (tests/servers/servers.sh env). Each program
 * has a database of a random name, which is dropped at its end.
 */
#ifndef VF_TEST_MONGODB_SERVER_H
#define VF_TEST_MONGODB_SERVER_H

#include <mongoc/mongoc.h>

#include <stdbool.h>
#include <stdint.h>

struct server {
    char host[256];
    uint16_t port;
    char database[64];
    char url[512]; /* with the database, the set's name, and the database's name as appName, to tell its clients */
    mongoc_client_t *client; /* the test's own, under another appname than its stores' */
};

/* Ends the program with what is missing where there is no server. Prints the server's version. */
void server_init(struct server *server);
void server_done(struct server *server);

/* Runs a command on a database, which must succeed; `json` is extended JSON. Returns the reply; bson_destroy it. */
bson_t *server_run(struct server *server, const char *database, const char *json);

#endif
