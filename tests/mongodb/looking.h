/*
 * What tests of a view in MongoDB share: the server, seen by the test's own client, beside the contract's scene.
 */
#ifndef VF_TEST_MONGODB_LOOKING_H
#define VF_TEST_MONGODB_LOOKING_H

#include "contract/scene.h"
#include "mongodb/server.h"

extern struct server server;

/* In the scene's arena. */
const char *text(struct scene *scene, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `collection` comes behind the view's name: "" is the readers' view, ".g1" the documents. `query` is extended JSON. */
int64_t count_of(struct scene *scene, const char *collection, const char *query);
void assert_lies(struct scene *scene, const char *collection, const char *query); /* exactly one */

/* The server's profiler: 2 begins to look at every command. */
void profile(int level);

/* Every question to the view's collections since profile(2) was answered by an index, in its order, and looked at few entries.
 * Returns how many there were. */
int assert_plans(struct scene *scene, int64_t most_keys);

/* Runs them on stores with this server; how many failed, as main() returns it. */
#define looking_run(tests) looking_run_tests(tests, sizeof(tests) / sizeof((tests)[0]))
int looking_run_tests(const struct CMUnitTest *tests, size_t count);

#endif
