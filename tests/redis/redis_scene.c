#include "redis/redis_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int scene_set_up(void **state)
{
    static int number;
    struct scene *scene = vf_calloc(1, sizeof(*scene));
    scene->store = redis_fixture_open(redis_fixture_port());
    scene->arena = vf_arena_new();
    scene->random = 88172645463325252u;
    snprintf(scene->view, sizeof(scene->view), "v%d", ++number);
    redis_fixture_register(redis_fixture_port(), scene->view);
    *state = scene;
    return 0;
}

int scene_tear_down(void **state)
{
    struct scene *scene = *state;
    vf_redis_store_type.close(scene->store);
    vf_arena_free(scene->arena);
    free(scene);
    return 0;
}

const char *scene_key(const struct scene *scene, const char *rest)
{
    static char ring[8][256];
    static unsigned next;
    char *text = ring[next++ % 8];
    snprintf(text, sizeof(ring[0]), "|%s%s", scene->view, rest);
    return text;
}

redisReply *scene_ask(const char *command, const char *one)
{
    return redis_fixture_ask(redis_fixture_port(), command, one, NULL);
}

const char *scene_hget(const char *hash, const char *field)
{
    redisReply *reply = redis_fixture_ask(redis_fixture_port(), "HGET", hash, field, NULL);
    return reply->type == REDIS_REPLY_STRING ? reply->str : "(nil)";
}

bool scene_exists(const char *one)
{
    return scene_ask("EXISTS", one)->integer == 1;
}

char *scene_hash(const char *hash, struct vf_arena *arena)
{
    redisReply *reply = scene_ask("HGETALL", hash);
    const redisReply *pairs[64][2];
    size_t count = reply->elements / 2;
    assert_true(count <= 64);
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "");
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && strcmp(pairs[at - 1][0]->str, reply->element[2 * i]->str) > 0; at--)
            memcpy(pairs[at], pairs[at - 1], sizeof(pairs[at]));
        pairs[at][0] = reply->element[2 * i];
        pairs[at][1] = reply->element[2 * i + 1];
    }
    for (size_t i = 0; i < count; i++)
        vf_buffer_printf(&text, "%s=%s\n", pairs[i][0]->str, pairs[i][1]->str);
    char *copy = (char *)vf_arena_bytes(arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return copy;
}

char *scene_sorted_set(struct scene *scene, const char *rest)
{
    redisReply *reply =
        redis_fixture_ask(redis_fixture_port(), "ZRANGE", scene_key(scene, rest), "0", "-1", "WITHSCORES", NULL);
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "");
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        vf_buffer_printf(&text, "%s=", reply->element[i + 1]->str);
        for (size_t n = 0; n < (size_t)reply->element[i]->len; n++)
            vf_buffer_add_char(&text, reply->element[i]->str[n] ? reply->element[i]->str[n] : '|');
        vf_buffer_add_char(&text, '\n');
    }
    char *copy = (char *)vf_arena_bytes(scene->arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return copy;
}
