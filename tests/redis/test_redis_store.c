/*
 * A function call cannot be rolled back, and yet no batch is ever written by half; freezing, publishing, and connections that
 * go away. On the server of VIEWFOLD_REDIS.
 */
#include "connectors/redis/internal.h"
#include "redis/redis_scene.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

static const struct vf_store_type *const type = &vf_redis_store_type;

/* --- all or nothing -------------------------------------------------------------------------------------------------- */

/* A commit that writes one thing of each kind over what the one before wrote. */
static void draft_of_each(struct draft *draft, struct scene *scene, bool again)
{
    draft_init(draft, scene->view, again ? 2 : 1);
    draft_move(draft, again ? 1 : -1, again ? 2 : 1);
    for (int i = 0; i < 3; i++) {
        struct vf_document_change *change = draft_document(draft, vf_arena_printf(draft->arena, "%c", 'a' + i),
                                                           again ? 2 : 1, i == 2 && !again ? NULL : "{\"n\":1}");
        change->base = !again ? VF_ABSENT : i == 2 ? VF_HUSK_NEW : VF_PRESENT;
        change->base_stamp = 1;
    }
    struct vf_aggregate_change *aggregate = draft_link(draft, "order/1", again ? "b" : "a");
    aggregate->base_exists = again;
    aggregate->base_stamp = 1;
    if (again) {
        draft_document(draft, VF_LITERAL("fresh"), 1, "{\"n\":1}");
        draft_document(draft, VF_LITERAL("fresh_husk"), 1, NULL);
        draft_link(draft, "order/fresh", "a");
        /* A document that becomes a husk. */
        draft->documents[1].next.presence = VF_HUSK_NEW;
        draft->documents[1].next.body = (struct vf_bytes){NULL, 0};
    }
}

/* All that the view has, but for the one key that the test has spoilt. */
static char *picture(struct scene *scene, const char *without)
{
    static const char *const rests[] = {":1:a",
                                        ":1:b",
                                        ":1:c",
                                        ":1:fresh",
                                        "@1:husk:a",
                                        "@1:husk:b",
                                        "@1:husk:c",
                                        "@1:husk:fresh_husk",
                                        "@1:progress",
                                        "@1:stopped",
                                        "@1:aggregate:order/1",
                                        "@1:aggregate:order/fresh"};
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "");
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++)
        if (strcmp(rests[i], without) != 0)
            vf_buffer_printf(&text, "%s: %s", rests[i], scene_hash(scene_key(scene, rests[i]), scene->arena));
    char *copy = (char *)vf_arena_bytes(scene->arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return copy;
}

/* Redis does not roll back: whichever key holds another type, nothing of the batch may have happened. */
static void a_wrong_type_at_any_key_makes_nothing_happen(void **state)
{
    struct scene *scene = *state;
    static const char *const spoilt[] = {":1:a",
                                         ":1:b",
                                         ":1:c",
                                         ":1:fresh",
                                         "@1:husk:b",
                                         "@1:husk:c",
                                         "@1:husk:fresh",
                                         ":1:fresh_husk",
                                         "@1:husk:fresh_husk",
                                         "@1:progress",
                                         "@1:stopped",
                                         "@1:aggregate:order/1",
                                         "@1:aggregate:order/fresh"};
    char view[16];
    snprintf(view, sizeof(view), "%s", scene->view);
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        for (int list = 0; list < 2; list++) {
            struct draft first, second;
            struct vf_commit_result result;
            snprintf(scene->view, sizeof(scene->view), "%.8s_%zu_%d", view, i, list);
            redis_fixture_register(redis_fixture_port(), scene->view);
            draft_of_each(&first, scene, false);
            draft_must_commit(&first, scene->store);
            redis_fixture_ask(redis_fixture_port(), "HSET", scene_key(scene, "@1:stopped"), "orders/3", "{}", NULL);
            draft_of_each(&second, scene, true);
            scene_ask("DEL", scene_key(scene, spoilt[i]));
            if (list)
                redis_fixture_ask(redis_fixture_port(), "RPUSH", scene_key(scene, spoilt[i]), "mine", NULL);
            else
                redis_fixture_ask(redis_fixture_port(), "SET", scene_key(scene, spoilt[i]), "mine", NULL);
            char *before = picture(scene, spoilt[i]);
            enum vf_outcome outcome = draft_run(&second, scene->store, &result);
            /* What must be absent and is there in any form is a conflict; the load that follows says what is wrong. */
            if (outcome != VF_REFUSED && outcome != VF_CONFLICT)
                fail_msg("%s: outcome %d", spoilt[i], (int)outcome);
            if (outcome == VF_REFUSED) {
                assert_int_equal(result.error.code, VF_E_CONFIG);
                assert_non_null(strstr(result.error.text, scene_key(scene, spoilt[i]) + 1));
            }
            assert_string_equal(picture(scene, spoilt[i]), before);
            assert_string_equal(scene_ask("TYPE", scene_key(scene, spoilt[i]))->str, list ? "list" : "string");
            draft_done(&first);
            draft_done(&second);
        }
    }
    snprintf(scene->view, sizeof(scene->view), "%s", view);
}

static void a_load_names_what_is_not_ours(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *rest, *field, *value;
    } cases[] = {
        {":1:x", "_stamp", "zz"},
        {":1:x", "_rev", "1.5"},
        {":1:x", "_rev", "99999999999999999999"},
        {":1:x", "id", "y"},
        {":1:x", "_versions", "["},
        {":1:x", "_types", "[]"},
        {":1:x", "_types", "{\"q\":\"json\"}"},
        {":1:x", "_types", "{\"n\":\"xml\"}"},
        {":1:x", "_future", "1"},
        {":1:x", "n", "{"},
        {"@1:husk:x", "husk", "deleted"},
        {"@1:husk:x", "_stamp", ""},
        {"@1:husk:x", "_future", "1"},
        {"@1:aggregate:x", "version", "x"},
        {"@1:aggregate:x", "state", "future"},
        {"@1:aggregate:x", "_stamp", "1"},
    };
    struct draft draft;
    struct vf_bytes x = VF_LITERAL("x"), fine = VF_LITERAL("fine");
    draft_init(&draft, scene->view, 1);
    draft_document(&draft, fine, 1, "{\"n\":1}");
    draft_must_commit(&draft, scene->store);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int port = redis_fixture_port();
        struct vf_document document;
        struct vf_aggregate aggregate;
        struct vf_error error;
        const char *rest = cases[i].rest;
        scene_ask("DEL", scene_key(scene, ":1:x"));
        scene_ask("DEL", scene_key(scene, "@1:husk:x"));
        scene_ask("DEL", scene_key(scene, "@1:aggregate:x"));
        if (rest[0] == ':')
            redis_fixture_ask(port, "HSET", scene_key(scene, rest), "id", "x", "_rev", "1", "_stamp",
                              "0000000000000001", "n", "1", "_types", "{\"n\":\"json\"}", NULL);
        else if (strstr(rest, "husk"))
            redis_fixture_ask(port, "HSET", scene_key(scene, rest), "husk", "new", "_rev", "1", "_stamp",
                              "0000000000000001", NULL);
        else
            redis_fixture_ask(port, "HSET", scene_key(scene, rest), "version", "1", "_stamp", "0000000000000001", NULL);
        assert_int_equal(
            type->load(scene->store, draft.commit.view, &x, 1, &x, 1, draft.arena, &document, &aggregate, &error),
            VF_OK);
        redis_fixture_ask(port, "HSET", scene_key(scene, rest), cases[i].field, cases[i].value, NULL);
        if (type->load(scene->store, draft.commit.view, &x, 1, &x, 1, draft.arena, &document, &aggregate, &error) !=
            VF_E_CONFIG)
            fail_msg("%s %s=%s was read", rest, cases[i].field, cases[i].value);
        assert_non_null(strstr(error.text, scene_key(scene, rest) + 1));
        /* The replies behind it were taken in: the connection is in step. */
        assert_int_equal(draft_load(&draft, scene->store, fine).presence, VF_PRESENT);
    }
    draft_done(&draft);
}

static void of_nine_thousand_keys_the_last_counts(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 4500 };
    struct vf_commit_result result;
    for (int round = 0; round < 2; round++) { /* made, then replaced */
        struct draft spoiler, draft;
        draft_init(&draft, scene->view, (uint64_t)round + 10);
        for (int i = 0; i < COUNT; i++) {
            struct vf_bytes id = vf_arena_printf(draft.arena, "%d", i);
            struct vf_document_change *change =
                draft_document(&draft, id, round + 1, round ? "{\"n\":1}" : "{\"n\":1,\"old\":1}");
            change->base = round ? VF_PRESENT : VF_ABSENT;
            change->base_stamp = 10;
            struct vf_aggregate_change *aggregate = draft_link(&draft, id.data, id.data);
            aggregate->base_exists = round;
            aggregate->base_stamp = 10;
        }
        /* The last document, or else the last aggregate record, is not as it was read. */
        for (int kind = 0; kind < 2; kind++) {
            char *last = (char *)vf_arena_printf(draft.arena, kind ? "@1:aggregate:%d" : "@1:husk:%d", COUNT - 1).data;
            if (round && !kind)
                last = (char *)vf_arena_printf(draft.arena, ":1:%d", COUNT - 1).data;
            redis_fixture_ask(redis_fixture_port(), "HSET", scene_key(scene, last), "_stamp", "0000000000000bad", NULL);
            assert_int_equal(draft_run(&draft, scene->store, &result), VF_CONFLICT);
            assert_int_equal(result.failed, kind ? VF_FAILED_AGGREGATE : VF_FAILED_DOCUMENT);
            assert_string_equal(scene_hget(scene_key(scene, ":1:0"), "_rev"), round ? "1" : "(nil)");
            if (round)
                redis_fixture_ask(redis_fixture_port(), "HSET", scene_key(scene, last), "_stamp", "000000000000000a",
                                  NULL);
            else
                scene_ask("DEL", scene_key(scene, last));
        }
        draft_must_commit(&draft, scene->store);
        draft_init(&spoiler, scene->view, 0);
        struct vf_document read = draft_load(&spoiler, scene->store, VF_LITERAL("4499"));
        assert_int_equal(read.revision, round + 1);
        assert_true(vf_bytes_equal(read.body, draft.documents[COUNT - 1].next.body));
        draft_done(&spoiler);
        draft_done(&draft);
    }
}

static void a_batch_that_is_too_large_is_refused_and_the_store_goes_on(void **state)
{
    struct scene *scene = *state;
    size_t size = VF_REDIS_COMMIT_BYTES_MAX + 1;
    char *text = vf_alloc(size);
    memset(text, 'x', size);
    bson_t body = BSON_INITIALIZER;
    bson_append_utf8(&body, "t", 1, text, (int)size);
    free(text);
    struct draft draft, small;
    struct vf_commit_result result;
    draft_init(&draft, scene->view, 1);
    draft_body(&draft, VF_LITERAL("big"), 1, &body);
    bson_destroy(&body);
    assert_int_equal(draft_run(&draft, scene->store, &result), VF_REFUSED);
    assert_int_equal(result.error.code, VF_E_LIMIT);
    draft_done(&draft);
    draft_init(&small, scene->view, 1);
    draft_document(&small, VF_LITERAL("small"), 1, "{}");
    draft_must_commit(&small, scene->store);
    draft_done(&small);
}

/* --- frozen ---------------------------------------------------------------------------------------------------------- */

static void frozen_ends_by_itself(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    struct vf_commit_result result;
    struct vf_error error;
    struct vf_view_state seen;
    redis_fixture_ask(redis_fixture_port(), "SET", scene_key(scene, ""), "1", NULL);
    draft_init(&draft, scene->view, 1);
    draft_move(&draft, -1, 1);
    draft_document(&draft, VF_LITERAL("a"), 1, "{}");
    assert_int_equal(type->freeze(scene->store, draft.commit.view, NULL, 0, 3600000, &error), VF_OK);
    assert_int_equal(draft_run(&draft, scene->store, &result), VF_FROZEN);
    assert_int_equal(type->state(scene->store, scene->view, &seen, &error), VF_OK);
    assert_true(seen.active == 1 && seen.frozen);
    /* The limit is in the server's time: a moment ago it is over, without anybody having unfrozen. */
    redisReply *time = redis_fixture_ask(redis_fixture_port(), "TIME", NULL);
    char past[32];
    snprintf(past, sizeof(past), "%lld", atoll(time->element[0]->str) * 1000 - 1);
    redis_fixture_ask(redis_fixture_port(), "HSET", scene_key(scene, "@1:progress"), "frozen", past, NULL);
    assert_int_equal(type->state(scene->store, scene->view, &seen, &error), VF_OK);
    assert_true(seen.active == 1 && !seen.frozen);
    draft_must_commit(&draft, scene->store);
    draft_done(&draft);
    /* And for real: tried again until it is over. */
    draft_init(&draft, scene->view, 2);
    draft_move(&draft, 1, 2);
    assert_int_equal(type->freeze(scene->store, draft.commit.view, NULL, 0, 20, &error), VF_OK);
    int64_t tries = 0;
    while (draft_run(&draft, scene->store, &result) == VF_FROZEN && tries < 1000000)
        tries++;
    assert_int_equal(result.outcome, VF_COMMITTED);
    assert_true(tries > 0);
    draft_done(&draft);
    /* Zero ends it. */
    draft_init(&draft, scene->view, 3);
    draft_move(&draft, 2, 3);
    assert_int_equal(type->freeze(scene->store, draft.commit.view, NULL, 0, 3600000, &error), VF_OK);
    assert_int_equal(draft_run(&draft, scene->store, &result), VF_FROZEN);
    assert_int_equal(type->freeze(scene->store, draft.commit.view, NULL, 0, 0, &error), VF_OK);
    draft_must_commit(&draft, scene->store);
    draft_done(&draft);
}

/* --- changes --------------------------------------------------------------------------------------------------------- */

static void each_written_document_is_published(void **state)
{
    struct scene *scene = *state;
    redisContext *listener = redisConnect(redis_fixture_host(), redis_fixture_port());
    /* A message that never comes is a failure, not a test that never ends. */
    assert_int_equal(redisSetTimeout(listener, (struct timeval){.tv_sec = 10}), REDIS_OK);
    redisReply *reply = redisCommand(listener, "SUBSCRIBE %s%s@changes", redis_fixture_prefix(), scene->view);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    freeReplyObject(reply);
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft_document(&draft, VF_LITERAL("4b"), 17, "{\"n\":1,\"s\":\"x\"}");
    draft_document(&draft, VF_LITERAL("a:b"), 3, "{}");
    draft_document(&draft, VF_LITERAL("gone"), 2, NULL);
    draft_document(&draft, VF_LITERAL("read"), 2, NULL)->intent = VF_CONSULT;
    draft_document(&draft, VF_LITERAL("last"), 1, "{}");
    draft_must_commit(&draft, scene->store);
    static const char *const expected[] = {"1:4b:17", "1:a:b:3", "1:last:1", "1:gone:2"};
    for (size_t i = 0; i < 4; i++) {
        void *message = NULL;
        assert_int_equal(redisGetReply(listener, &message), REDIS_OK);
        assert_string_equal(((redisReply *)message)->element[2]->str, expected[i]);
        freeReplyObject(message);
    }
    redisFree(listener);
    draft_done(&draft);
}

/* --- the connection -------------------------------------------------------------------------------------------------- */

static void kill_connection_of(struct vf_store *store)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    char text[64];
    assert_int_equal(getsockname(vf_redis_connection_descriptor(store->connection), (struct sockaddr *)&address, &size),
                     0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(address.sin_port));
    redisReply *reply = redis_fixture_ask(redis_fixture_port(), "CLIENT", "KILL", "ADDR", text, NULL);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    assert_int_equal(reply->integer, 1);
}

static void a_killed_connection_is_an_unknown_outcome(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    struct vf_commit_result result;
    struct vf_error error;
    struct vf_document document;
    struct vf_bytes id = VF_LITERAL("a");
    draft_init(&draft, scene->view, 1);
    draft_move(&draft, -1, 1);
    draft_document(&draft, id, 1, "{}");
    kill_connection_of(scene->store);
    assert_int_equal(draft_run(&draft, scene->store, &result), VF_UNKNOWN);
    assert_true(result.error.retriable);
    /* Nothing goes on with it. */
    assert_int_equal(type->load(scene->store, draft.commit.view, &id, 1, NULL, 0, draft.arena, &document, NULL, &error),
                     VF_E_UNAVAILABLE);
    assert_int_equal(draft_run(&draft, scene->store, &result), VF_UNKNOWN);
    /* Progress tells. */
    struct vf_store *again = redis_fixture_open(redis_fixture_port());
    struct vf_progress_row *rows;
    size_t count = 99;
    assert_int_equal(type->progress(again, draft.commit.view, draft.arena, &rows, &count, &error), VF_OK);
    assert_int_equal(count, 0);
    draft_must_commit(&draft, again);
    type->close(again);
    draft_done(&draft);
}

static void a_load_behind_a_commit_in_flight_sees_it(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    struct vf_commit_result result;
    draft_init(&draft, scene->view, 1);
    draft_document(&draft, VF_LITERAL("a"), 9, "{}");
    type->commit_send(scene->store, &draft.commit);
    assert_int_equal(draft_load(&draft, scene->store, VF_LITERAL("a")).revision, 9);
    type->commit_wait(scene->store, &result);
    assert_int_equal(result.outcome, VF_COMMITTED);
    draft_done(&draft);
}

/* --- dropping -------------------------------------------------------------------------------------------------------- */

static void drop_all(struct vf_store *store, const char *view, bool *ret_refused)
{
    struct vf_view of = {view, 1};
    struct vf_error error;
    enum vf_drop drop = VF_DROP_MORE;
    size_t removed;
    bool done = false;
    if (type->drop_begin(store, of, 0, 7, &done, &error) != VF_OK)
        fail_msg("%s", error.text);
    *ret_refused = !done;
    while (done && drop == VF_DROP_MORE)
        assert_int_equal(type->drop_more(store, of, 7, 1, &drop, &removed, &error), VF_OK);
}

static void prepare_on(struct vf_store *store, const char *view, struct vf_arena *arena)
{
    struct vf_generation proposed = {
        .number = 1, .state = "active", .script_hash = "00", .script = "a.lua", .format = VF_FORMAT};
    struct vf_generation held;
    struct vf_error error;
    bool created;
    proposed.files = (const struct vf_file[]){{VF_LITERAL("a.lua"), VF_LITERAL("x")}};
    proposed.file_count = 1;
    assert_int_equal(type->prepare(store, view, &proposed, arena, &held, &created, &error), VF_OK);
}

/* With a store whose prefix is a part of others' keys, something may begin like a document's key, and be none. */
static void what_only_begins_like_a_document_is_not_dropped(void **state)
{
    struct scene *scene = *state;
    int port = redis_fixture_port();
    bool refused;
    prepare_on(scene->store, scene->view, scene->arena);
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft_document(&draft, VF_LITERAL("a"), 1, "{\"n\":1}");
    draft_must_commit(&draft, scene->store);
    draft_done(&draft);
    redis_fixture_ask(port, "SET", scene_key(scene, ":1:mine"), "mine", NULL);
    redis_fixture_ask(port, "HSET", scene_key(scene, ":1:b:1:x"), "id", "x", NULL);
    drop_all(scene->store, scene->view, &refused);
    assert_false(refused);
    assert_false(scene_exists(scene_key(scene, ":1:a")));
    assert_true(scene_exists(scene_key(scene, ":1:mine")));
    assert_true(scene_exists(scene_key(scene, ":1:b:1:x")));
}

static void a_prefix_of_patterns_is_taken_as_it_is(void **state)
{
    struct scene *scene = *state;
    int port = redis_fixture_port();
    char url[64], prefix[128];
    bool refused;
    struct vf_error error;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/0", port);
    snprintf(prefix, sizeof(prefix), "%s[a-z]*?\\^:", redis_fixture_prefix());
    struct vf_store_config config = {
        .name = "cache", .url = url, .prefix = prefix, .connect_timeout_ms = 5000, .command_timeout_ms = 5000};
    struct vf_store *store;
    assert_int_equal(type->open(&config, &store, &error), VF_OK);
    prepare_on(store, scene->view, scene->arena);
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft_document(&draft, VF_LITERAL("a"), 1, "{\"n\":1}");
    draft_must_commit(&draft, store);
    drop_all(store, scene->view, &refused);
    assert_false(refused);
    assert_int_equal(draft_load(&draft, store, VF_LITERAL("a")).presence, VF_ABSENT);
    draft_done(&draft);
    type->close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_wrong_type_at_any_key_makes_nothing_happen),
        SCENE_TEST(a_load_names_what_is_not_ours),
        SCENE_TEST(of_nine_thousand_keys_the_last_counts),
        SCENE_TEST(a_batch_that_is_too_large_is_refused_and_the_store_goes_on),
        SCENE_TEST(frozen_ends_by_itself),
        SCENE_TEST(each_written_document_is_published),
        SCENE_TEST(a_killed_connection_is_an_unknown_outcome),
        SCENE_TEST(a_load_behind_a_commit_in_flight_sees_it),
        SCENE_TEST(what_only_begins_like_a_document_is_not_dropped),
        SCENE_TEST(a_prefix_of_patterns_is_taken_as_it_is),
    };
    redis_fixture_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_fixture_end();
    return failed;
}
