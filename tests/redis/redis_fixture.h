/*
 * What the Redis tests share: the server of VIEWFOLD_REDIS with a key prefix of this program's own, servers of a test's own,
 * and plain commands as any reader would send them.
 */
#ifndef VF_TESTS_REDIS_FIXTURE_H
#define VF_TESTS_REDIS_FIXTURE_H

#include "connectors/redis/redis_store.h"

#include <hiredis/hiredis.h>

/* Ends the program where VIEWFOLD_REDIS is absent or no server answers there; prints the server's version. */
void redis_fixture_begin(void);
void redis_fixture_end(void); /* removes every key with the prefix */

const char *redis_fixture_host(void);
int redis_fixture_port(void);
const char *redis_fixture_prefix(void);

/* A store on a server of this port, with the prefix. Fails the test where it does not open. */
struct vf_store *redis_fixture_open(int port);
enum vf_code redis_fixture_try_open(int port, const char *username, const char *password, struct vf_store **ret_store,
                                    struct vf_error *error);

/* A plain command; '|' stands for the prefix in each argument, and NULL ends them. The reply lives until the next call. */
redisReply *redis_fixture_ask(int port, const char *command, ...) __attribute__((sentinel));

/* A redis-server of the test's own with a further option ("--maxmemory", "8mb"), or NULL. Returns its port once it answers. */
int redis_fixture_start_server(const char *option, const char *value);
void redis_fixture_stop_servers(void);

/* The stamp 0 for the view's generation 1, as far as commits look: without the rest of a registry. */
void redis_fixture_register(int port, const char *view);

#endif
