/*
 * A test's own view, and what lies there as any reader sees it. For the Redis tests.
 */
#ifndef VF_TESTS_REDIS_SCENE_H
#define VF_TESTS_REDIS_SCENE_H

#include "redis/redis_draft.h"
#include "redis/redis_fixture.h"

/* A test has a view of its own, named by the test's number, and a store. */
struct scene {
    struct vf_store *store;
    struct vf_arena *arena;
    char view[16];
    uint64_t random;
};

int scene_set_up(void **state);
int scene_tear_down(void **state);

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_set_up, scene_tear_down)

/* The key of this view, "|v1" and what follows. In a ring of a few. */
const char *scene_key(const struct scene *scene, const char *rest);

redisReply *scene_ask(const char *command, const char *one);
const char *scene_hget(const char *hash, const char *field); /* "(nil)" where there is none */
bool scene_exists(const char *one);

/* The text of an answer to HGETALL: sorted "field=value" lines, in the arena. */
char *scene_hash(const char *hash, struct vf_arena *arena);

/* A sorted set's "score=member" lines, in its order. In the arena. A NUL is shown as '|'. */
char *scene_sorted_set(struct scene *scene, const char *rest);

#endif
