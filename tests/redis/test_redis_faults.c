/*
 * Redis servers that refuse, each started by the test that needs it: full, evicting, clustered, replicas, without rights,
 * without functions, silent.
 */
#include "connectors/redis/library.h"
#include "connectors/redis/server.h"
#include "redis/redis_draft.h"
#include "redis/redis_fixture.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct vf_store_type *const type = &vf_redis_store_type;

static int tear_down(void **state)
{
    (void)state;
    redis_fixture_stop_servers();
    return 0;
}

/* Opening is refused: with this code, and a text that says this. */
static void assert_refused(int port, const char *username, const char *password, enum vf_code code, const char *says)
{
    struct vf_store *store = NULL;
    struct vf_error error = {0};
    enum vf_code got = redis_fixture_try_open(port, username, password, &store, &error);
    if (got != code || !strstr(error.text, says) || !strstr(error.text, "store cache: redis 127.0.0.1:"))
        fail_msg("code %d, not %d; says not \"%s\": %s", (int)got, (int)code, says, error.text);
    assert_null(store);
}

/* Asks for a server's own word, as "OK" or an error. */
static void config_set(int port, const char *name, const char *value)
{
    assert_int_equal(redis_fixture_ask(port, "CONFIG", "SET", name, value, NULL)->type, REDIS_REPLY_STATUS);
}

static enum vf_code prepare(struct vf_store *store, const char *view, struct vf_error *error)
{
    struct vf_generation proposed = {
        .number = 1, .state = "active", .script_hash = "00", .script = "a.lua", .format = VF_FORMAT};
    struct vf_generation generation;
    struct vf_arena *arena = vf_arena_new();
    bool created;
    proposed.files = (const struct vf_file[]){{VF_LITERAL("a.lua"), VF_LITERAL("x")}};
    proposed.file_count = 1;
    enum vf_code code = type->prepare(store, view, &proposed, arena, &generation, &created, error);
    vf_arena_free(arena);
    return code;
}

/* --- servers that cannot serve --------------------------------------------------------------------------------------- */

static void an_evicting_server_is_refused(void **state)
{
    (void)state;
    int port = redis_fixture_start_server("--maxmemory-policy", "allkeys-lru");
    assert_refused(port, NULL, NULL, VF_E_CONFIG, "CONFIG SET maxmemory-policy noeviction");
    config_set(port, "maxmemory-policy", "noeviction");
    type->close(redis_fixture_open(port));
}

static void a_cluster_is_refused(void **state)
{
    (void)state;
    int port = redis_fixture_start_server("--cluster-enabled", "yes");
    assert_refused(port, NULL, NULL, VF_E_CONFIG, "Redis Cluster is not supported");
}

static void a_replica_is_refused(void **state)
{
    (void)state;
    int port = redis_fixture_start_server("--replicaof", "127.0.0.1 1");
    assert_refused(port, NULL, NULL, VF_E_CONFIG, "is a replica");
}

static void no_server_and_a_silent_one_are_unavailable(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int silent = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(silent, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(silent, (struct sockaddr *)&address, &size), 0);
    /* Bound, but not listening. */
    assert_refused(ntohs(address.sin_port), NULL, NULL, VF_E_UNAVAILABLE,
                   "Connection refused: is it running there, and is stores.cache.redis right?");
    /* It takes connections and never says a word. */
    assert_int_equal(listen(silent, 1), 0);
    char url[64];
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", ntohs(address.sin_port));
    struct vf_store_config config = {.name = "cache", .url = url, .connect_timeout_ms = 50, .command_timeout_ms = 50};
    struct vf_store *store = NULL;
    struct vf_error error;
    assert_int_equal(type->open(&config, &store, &error), VF_E_UNAVAILABLE);
    assert_true(error.retriable);
    assert_non_null(strstr(error.text, "no answer within the time limit"));
    assert_non_null(strstr(error.text, "is it a Redis server, and is stores.cache.redis right?"));
    close(silent);
}

static void a_server_of_another_kind_is_unavailable(void **state)
{
    (void)state;
    static const char *const answers[] = {"", "HTTP/1.1 400 Bad Request\r\n\r\n"};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(other, 2), 0);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char heard[64];
            int one = accept(other, NULL, NULL);
            bool fine = recv(one, heard, sizeof(heard), 0) > 0 && write(one, answers[i], strlen(answers[i])) >= 0;
            close(one);
            _exit(fine ? 0 : 1);
        }
        assert_refused(ntohs(address.sin_port), NULL, NULL, VF_E_UNAVAILABLE,
                       "is it a Redis server, and is stores.cache.redis right?");
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    close(other);
}

static void a_database_that_is_not_there_is_refused(void **state)
{
    (void)state;
    char url[300];
    snprintf(url, sizeof(url), "redis://%s:%d/99", redis_fixture_host(), redis_fixture_port());
    struct vf_store_config config = {
        .name = "cache", .url = url, .connect_timeout_ms = 5000, .command_timeout_ms = 5000};
    struct vf_store *store = NULL;
    struct vf_error error;
    assert_int_equal(type->open(&config, &store, &error), VF_E_CONFIG);
    assert_false(error.retriable);
    if (!strstr(error.text, "the URL names database 99: correct stores.cache.redis"))
        fail_msg("%s", error.text);
}

/* --- servers that refuse a commit ------------------------------------------------------------------------------------ */

/* The commit is refused for a while and leaves nothing; then the same one goes through on the same store. */
static void assert_refused_then_committed(int port, struct vf_store *store, const char *says, void (*mend)(int port))
{
    struct draft draft;
    struct vf_commit_result result;
    draft_init(&draft, "v", 1);
    draft_move(&draft, -1, 1);
    draft_document(&draft, VF_LITERAL("a"), 1, "{\"n\":1}");
    if (draft_run(&draft, store, &result) != VF_REFUSED)
        fail_msg("outcome %d: %s", (int)result.outcome, result.error.text);
    assert_true(result.error.retriable);
    assert_int_equal(result.error.code, VF_E_UNAVAILABLE);
    assert_non_null(strstr(result.error.text, says));
    assert_int_equal(redis_fixture_ask(port, "EXISTS", "|v:1:a", NULL)->integer, 0);
    assert_int_equal(redis_fixture_ask(port, "HEXISTS", "|v@1:progress", "orders/3", NULL)->integer, 0);
    mend(port);
    draft_must_commit(&draft, store);
    draft_done(&draft);
}

static void give_memory(int port)
{
    config_set(port, "maxmemory", "0");
}

static void a_full_server_refuses_and_nothing_is_written(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    redis_fixture_register(port, "v");
    config_set(port, "maxmemory", "1");
    assert_refused_then_committed(port, store, "OOM", give_memory);
    type->close(store);
}

static void make_master(int port)
{
    assert_int_equal(redis_fixture_ask(port, "REPLICAOF", "NO", "ONE", NULL)->type, REDIS_REPLY_STATUS);
}

static void a_server_that_becomes_a_replica_refuses(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    redis_fixture_register(port, "v");
    assert_int_equal(redis_fixture_ask(port, "REPLICAOF", "127.0.0.1", "1", NULL)->type, REDIS_REPLY_STATUS);
    assert_refused_then_committed(port, store, "READONLY", make_master);
    type->close(store);
}

static void want_no_replicas(int port)
{
    config_set(port, "min-replicas-to-write", "0");
}

static void a_server_that_misses_replicas_refuses(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    redis_fixture_register(port, "v");
    config_set(port, "min-replicas-to-write", "1");
    assert_refused_then_committed(port, store, "NOREPLICAS", want_no_replicas);
    type->close(store);
}

/* --- functions ------------------------------------------------------------------------------------------------------- */

static void flushed_functions_are_loaded_again(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    struct vf_error error;
    redis_fixture_register(port, "v");
    for (int round = 0; round < 3; round++) {
        struct draft draft;
        draft_init(&draft, "v", (uint64_t)round + 1);
        draft_move(&draft, round ? round : -1, round + 1);
        assert_int_equal(redis_fixture_ask(port, "FUNCTION", "FLUSH", NULL)->type, REDIS_REPLY_STATUS);
        if (round == 1)
            assert_int_equal(type->freeze(store, draft.commit.view, NULL, 0, 0, &error), VF_OK);
        if (round == 2) { /* in flight: nobody waits for it but the load behind it */
            draft_document(&draft, VF_LITERAL("a"), 3, "{}");
            type->commit_send(store, &draft.commit);
            assert_int_equal(draft_load(&draft, store, VF_LITERAL("a")).revision, 3);
            struct vf_commit_result result;
            type->commit_wait(store, &result);
            assert_int_equal(result.outcome, VF_COMMITTED);
        } else {
            draft_must_commit(&draft, store);
        }
        draft_done(&draft);
    }
    /* The readers' is back too. */
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", "|v", "a", NULL)->type, REDIS_REPLY_NIL);
    redis_fixture_ask(port, "FUNCTION", "FLUSH", NULL);
    assert_int_equal(prepare(store, "v", &error), VF_OK);
    type->close(store);
}

static void load_library(int port, const char *text)
{
    assert_int_equal(redis_fixture_ask(port, "FUNCTION", "LOAD", "REPLACE", text, NULL)->type, REDIS_REPLY_STRING);
}

static const char *reader_answer(int port)
{
    redisReply *reply = redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", "|v", "a", NULL);
    return reply->type == REDIS_REPLY_STRING ? reply->str : "ours";
}

/* Of INFO, what stands behind this; until the next call. */
static const char *info_word(int port, const char *name)
{
    static char word[64];
    const char *text = strstr(redis_fixture_ask(port, "INFO", NULL)->str, name);
    assert_non_null(text);
    text += strlen(name);
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, "\r\n"), text);
    return word;
}

#define READER(mark, answer)                                                                    \
    "#!lua name=viewfold_get\n" mark                                                            \
    "redis.register_function{function_name='viewfold_get', callback=function() return '" answer \
    "' end, flags={'no-writes'}}"

static void only_an_older_readers_library_of_ours_is_replaced(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    type->close(redis_fixture_open(port));
    assert_string_equal(reader_answer(port), "ours");
    load_library(port, READER("-- viewfold reader 999999\n", "newer"));
    type->close(redis_fixture_open(port));
    assert_string_equal(reader_answer(port), "newer");
    /* "reader 0" reads as no number of ours; -1 stands for an older one. */
    load_library(port, READER("-- viewfold reader -1\n", "older"));
    type->close(redis_fixture_open(port));
    assert_string_equal(reader_answer(port), "ours");
    load_library(port, READER("", "foreign"));
    assert_refused(port, NULL, NULL, VF_E_CONFIG, "not viewfold's");
    assert_string_equal(reader_answer(port), "foreign");
    redis_fixture_ask(port, "FUNCTION", "DELETE", "viewfold_get", NULL);
    load_library(port, "#!lua name=other\nredis.register_function('viewfold_get', function() return 'foreign' end)");
    assert_refused(port, NULL, NULL, VF_E_CONFIG, "not viewfold's");
}

static void two_builds_lie_side_by_side(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    load_library(
        port,
        "#!lua name=viewfold_commit_1_00000000\nredis.register_function('viewfold_commit_1_00000000', function() return 'other' end)");
    struct vf_store *store = redis_fixture_open(port);
    struct draft draft;
    redis_fixture_register(port, "v");
    draft_init(&draft, "v", 1);
    draft_move(&draft, -1, 1);
    draft_must_commit(&draft, store);
    draft_done(&draft);
    type->close(store);
    assert_string_equal(redis_fixture_ask(port, "FCALL", "viewfold_commit_1_00000000", "0", NULL)->str, "other");
}

/* --- a look now and then --------------------------------------------------------------------------------------------- */

static void assert_look(struct vf_store *store, enum vf_code code, const char *says)
{
    struct vf_error error = {0};
    enum vf_code got = type->look(store, &error);
    if (got != code || !strstr(error.text, says))
        fail_msg("code %d, not %d; says not \"%s\": %s", (int)got, (int)code, says, error.text);
}

static void a_look_tells_that_a_server_evicts_until_it_does_not(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    assert_look(store, VF_OK, "");
    config_set(port, "maxmemory-policy", "allkeys-lru");
    assert_look(store, VF_E_CONFIG, "maxmemory-policy is allkeys-lru");
    config_set(port, "maxmemory-policy", "noeviction");
    assert_look(store, VF_OK, "");
    type->close(store);
}

/* It may have been given other data meanwhile, on a connection that never broke. */
static void a_look_tells_that_the_server_is_a_replica_or_was_one(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    assert_int_equal(redis_fixture_ask(port, "REPLICAOF", "127.0.0.1", "1", NULL)->type, REDIS_REPLY_STATUS);
    assert_look(store, VF_E_CONFIG, "is a replica");
    make_master(port);
    assert_look(store, VF_E_UNAVAILABLE, "another server than before");
    type->close(store);
    store = redis_fixture_open(port);
    assert_look(store, VF_OK, "");
    type->close(store);
}

/* A master takes another replication id then, and nothing was lost. */
static void a_first_replica_is_no_reason_to_read_again(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    char before[64], master[32];
    snprintf(before, sizeof(before), "%s", info_word(port, "master_replid:"));
    snprintf(master, sizeof(master), "127.0.0.1 %d", port);
    (void)redis_fixture_start_server("--replicaof", master);
    while (strcmp(info_word(port, "connected_slaves:"), "1") != 0)
        continue;
    assert_string_not_equal(info_word(port, "master_replid:"), before);
    assert_look(store, VF_OK, "");
    assert_look(store, VF_OK, "");
    type->close(store);
}

/* The function is there, and the document is not. */
static void assert_readers_find_nothing(int port)
{
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", "|v", "a", NULL)->type, REDIS_REPLY_NIL);
}

static void a_look_loads_what_was_flushed(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_store *store = redis_fixture_open(port);
    redis_fixture_ask(port, "FUNCTION", "FLUSH", NULL);
    assert_look(store, VF_OK, "");
    assert_readers_find_nothing(port);
    redis_fixture_ask(port, "FUNCTION", "FLUSH", NULL);
    config_set(port, "maxmemory", "1"); /* nothing can be loaded; that is another matter, and passes */
    assert_look(store, VF_OK, "");
    give_memory(port);
    assert_look(store, VF_OK, "");
    assert_readers_find_nothing(port);
    type->close(store);
}

/* --- logins and rights ----------------------------------------------------------------------------------------------- */

static void a_refused_login_says_so(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    assert_refused(port, NULL, "secret", VF_E_DENIED, "AUTH");
    assert_refused(port, "anna", "secret", VF_E_DENIED, "WRONGPASS");
    config_set(port, "requirepass", "correct");
    struct vf_store *store = NULL;
    struct vf_error error;
    assert_int_equal(redis_fixture_try_open(port, NULL, "correct", &store, &error), VF_OK);
    type->close(store);
    assert_refused(port, NULL, NULL, VF_E_DENIED, "NOAUTH");
    assert_refused(port, NULL, "wrong", VF_E_DENIED, "WRONGPASS");
    assert_null(strstr(error.text, "secret"));
}

/* Makes the user "anna" with the rights that the messages ask for, but for one. */
static void make_user(int port, const char *without)
{
    const char *argv[64] = {"ACL", "SETUSER", "anna", "reset", "on", ">pw"};
    size_t argc = 6;
    struct vf_buffer rights;
    vf_buffer_init(&rights);
    vf_redis_rights_print(&rights, redis_fixture_prefix());
    for (char *right = strtok(rights.data, " "); right; right = strtok(NULL, " "))
        if (strcmp(right, without) != 0)
            argv[argc++] = right;
    redisContext *context = redisConnect(redis_fixture_host(), port);
    redisReply *reply = redisCommandArgv(context, (int)argc, argv, NULL);
    assert_int_equal(reply->type, REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    redisFree(context);
    vf_buffer_done(&rights);
}

static enum vf_code adopt_and_drop(struct vf_store *store, struct vf_view view, struct vf_error *error)
{
    struct vf_generation next = {.state = "active", .stamp = 1, .script_hash = "01", .script = "a.lua"};
    enum vf_drop drop = VF_DROP_MORE;
    size_t removed;
    bool done = false;
    next.files = (const struct vf_file[]){{VF_LITERAL("a.lua"), VF_LITERAL("y")}};
    next.file_count = 1;
    enum vf_code code = type->adopt(store, view, 0, &next, &done, error);
    if (code == VF_OK) {
        assert_true(done);
        code = type->drop_begin(store, view, 1, 2, &done, error);
    }
    while (code == VF_OK && drop == VF_DROP_MORE)
        code = type->drop_more(store, view, 2, 1, &drop, &removed, error);
    if (code != VF_OK) { /* what cannot be removed to its end is not begun: readers have not lost it */
        struct vf_view_state seen;
        assert_int_equal(type->state(store, view.name, &seen, NULL), VF_OK);
        assert_int_equal(seen.active, 1);
    }
    return code;
}

/* Does all that a worker and a reader do. The first failure. */
static enum vf_code do_everything(int port, int round, struct vf_error *error)
{
    struct vf_store *store = NULL;
    struct draft draft;
    struct vf_commit_result result;
    struct vf_view_state seen;
    struct vf_progress_row *rows;
    size_t count;
    char view[16], url[64];
    snprintf(view, sizeof(view), "v%d", round);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d/1", port);
    struct vf_store_config config = {.name = "cache",
                                     .url = url,
                                     .username = "anna",
                                     .password = "pw",
                                     .prefix = redis_fixture_prefix(),
                                     .connect_timeout_ms = 5000,
                                     .command_timeout_ms = 5000};
    draft_init(&draft, view, 1);
    draft_move(&draft, -1, 1);
    struct vf_document_change *change = draft_document(&draft, VF_LITERAL("a"), 1, "{\"n\":1}");
    draft_link(&draft, "order/1", "a");
    enum vf_code code = type->open(&config, &store, error);
    if (code == VF_OK)
        code = prepare(store, view, error);
    for (int again = 0; again < 2 && code == VF_OK; again++) {
        code = draft_run(&draft, store, &result) == VF_COMMITTED ? VF_OK : result.error.code;
        if (code != VF_OK)
            *error = result.error;
        change->base = VF_PRESENT;
        change->base_stamp = 1;
        draft.aggregates[0].base_exists = true;
        draft.aggregates[0].base_stamp = 1;
        draft.progress[0].from = draft.progress[0].to;
        draft.progress[0].to.next++;
    }
    if (code == VF_OK)
        code = type->freeze(store, draft.commit.view, NULL, 0, 1, error);
    if (code == VF_OK)
        code = type->state(store, view, &seen, error);
    if (code == VF_OK)
        code = type->note_stopped(store, draft.commit.view, 0, draft.progress[0].partition, "{}", error);
    if (code == VF_OK)
        code = type->note_stopped(store, draft.commit.view, 0, draft.progress[0].partition, NULL, error);
    if (code == VF_OK)
        code = type->progress(store, draft.commit.view, draft.arena, &rows, &count, error);
    if (code == VF_OK)
        assert_int_equal(draft_load(&draft, store, VF_LITERAL("a")).presence, VF_PRESENT);
    if (code == VF_OK)
        code = adopt_and_drop(store, draft.commit.view, error);
    type->close(store);
    draft_done(&draft);
    return code;
}

static void the_rights_that_messages_ask_for_are_enough_and_all_needed(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_error error = {0};
    int round = 0;
    make_user(port, "");
    if (do_everything(port, round++, &error) != VF_OK)
        fail_msg("%s", error.text);
    struct vf_buffer rights;
    vf_buffer_init(&rights);
    vf_redis_rights_print(&rights, "");
    for (char *save = NULL, *right = strtok_r(rights.data, " ", &save); right; right = strtok_r(NULL, " ", &save)) {
        /* Keys and channel are tried by their own tests; fcall_ro, get in a function, and publish are the readers'. */
        if (right[0] != '+' || strcmp(right, "+fcall_ro") == 0 || strcmp(right, "+publish") == 0)
            continue;
        make_user(port, right);
        enum vf_code code = do_everything(port, round++, &error);
        if (code != VF_E_DENIED)
            fail_msg("without %s: code %d: %s", right, (int)code, error.text);
        assert_non_null(strstr(error.text, "ACL SETUSER anna"));
        assert_non_null(strstr(error.text, right));
    }
    vf_buffer_done(&rights);
}

/* Asking changes nothing, and misses none of the rights that a worker has to have beside those that opening shows. */
static void a_missing_right_is_found_by_asking(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    static const char *const not_asked[] = {"+function|load", "+function|list", "+info",
                                            "+select",        "+scan",          "+publish"};
    struct vf_store *store = NULL;
    struct vf_error error = {0};
    struct vf_buffer rights;
    vf_buffer_init(&rights);
    vf_redis_rights_print(&rights, "");
    for (char *save = NULL, *right = strtok_r(rights.data, " ", &save); right; right = strtok_r(NULL, " ", &save)) {
        bool asked = right[0] == '+';
        for (size_t i = 0; i < sizeof(not_asked) / sizeof(not_asked[0]); i++)
            asked = asked && strcmp(right, not_asked[i]) != 0;
        if (!asked)
            continue;
        make_user(port, "");
        assert_int_equal(redis_fixture_try_open(port, "anna", "pw", &store, &error), VF_OK);
        assert_int_equal(type->check_rights(store, &error), VF_OK);
        make_user(port, right);
        type->close(store);
        assert_int_equal(redis_fixture_try_open(port, "anna", "pw", &store, &error), VF_OK);
        if (type->check_rights(store, &error) != VF_E_DENIED || !strstr(error.text, right))
            fail_msg("without %s: %s", right, error.text);
        type->close(store);
    }
    assert_int_equal(redis_fixture_ask(port, "DBSIZE", NULL)->integer, 0);
    vf_buffer_done(&rights);
}

static void without_the_right_to_publish_the_batch_is_written_all_the_same(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    struct vf_error error = {0};
    char channel[80];
    snprintf(channel, sizeof(channel), "&%s*", redis_fixture_prefix());
    make_user(port, "+publish");
    if (do_everything(port, 1, &error) != VF_OK)
        fail_msg("%s", error.text);
    make_user(port, channel);
    if (do_everything(port, 2, &error) != VF_OK)
        fail_msg("%s", error.text);
}

/* A right that is taken away while workers run. Functions are not rolled back, so the right is looked at before the first
 * write. */
static void a_right_that_goes_leaves_no_half_batch(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    static const char *const rights[] = {"-hset", "-hdel", "-unlink", "-hlen", "-fcall", "resetkeys"};
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        struct vf_store *store = NULL;
        struct vf_error error;
        struct draft draft;
        struct vf_commit_result result;
        char view[8], document[24], progress[24];
        snprintf(view, sizeof(view), "v%zu", i);
        snprintf(document, sizeof(document), "|v%zu:1:a", i);
        snprintf(progress, sizeof(progress), "|v%zu@1:progress", i);
        make_user(port, "");
        assert_int_equal(redis_fixture_try_open(port, "anna", "pw", &store, &error), VF_OK);
        redis_fixture_register(port, view);
        draft_init(&draft, view, 1);
        draft_move(&draft, -1, 1);
        draft_document(&draft, VF_LITERAL("a"), 1, "{\"n\":1}");
        draft_must_commit(&draft, store);
        draft.commit.stamp = 2;
        draft.documents[0].base = VF_PRESENT;
        draft.documents[0].base_stamp = 1;
        draft.progress[0].from = draft.progress[0].to;
        draft.progress[0].to.next = 2;
        assert_int_equal(redis_fixture_ask(port, "ACL", "SETUSER", "anna", rights[i], NULL)->type, REDIS_REPLY_STATUS);
        if (draft_run(&draft, store, &result) != VF_REFUSED)
            fail_msg("%s: outcome %d: %s", rights[i], (int)result.outcome, result.error.text);
        assert_int_equal(result.error.code, VF_E_DENIED);
        assert_string_equal(redis_fixture_ask(port, "HGET", document, "_stamp", NULL)->str, "0000000000000001");
        assert_string_equal(redis_fixture_ask(port, "HGET", progress, "orders/3", NULL)->str,
                            "{\"next\":1,\"of\":7,\"aside\":0,\"stamp\":\"0000000000000000\"}");
        type->close(store);
        draft_done(&draft);
    }
}

/* The same of what lies beside documents. */
static void a_right_that_goes_leaves_no_half_batch_on_the_side(void **state)
{
    (void)state;
    int port = redis_fixture_start_server(NULL, NULL);
    static const char *const rights[] = {"-zadd",      "-zrem",   "-zremrangebylex", "-zcard",
                                         "-zlexcount", "-zrange", "-llen",           "-rpush"};
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        struct vf_store *store = NULL;
        struct vf_error error;
        struct draft draft, second;
        struct vf_commit_result result;
        char view[8], document[24], list[40];
        snprintf(view, sizeof(view), "v%zu", i);
        snprintf(document, sizeof(document), "|v%zu:1:a", i);
        snprintf(list, sizeof(list), "|v%zu@1:aside:account/1", i);
        make_user(port, "");
        assert_int_equal(redis_fixture_try_open(port, "anna", "pw", &store, &error), VF_OK);
        redis_fixture_register(port, view);
        draft_init(&draft, view, 1);
        draft_aside(&draft, "account/1", 0, "account/1", 10, "x");
        draft_must_commit(&draft, store);
        draft_init(&second, view, 2);
        struct vf_document_change *change = draft_document(&second, VF_LITERAL("a"), 1, "{}");
        change->next.has_expires = true;
        draft_aside(&second, "account/1", 0, "account/1", 10, NULL);
        draft_aside(&second, "account/1", 1, "account/1", 11, "x");
        second.dropped[0] = (struct vf_dropped){.aggregate = VF_LITERAL("account/1"), .missing_to = 1};
        second.commit.dropped_count = 1;
        assert_int_equal(redis_fixture_ask(port, "ACL", "SETUSER", "anna", rights[i], NULL)->type, REDIS_REPLY_STATUS);
        if (draft_run(&second, store, &result) != VF_REFUSED)
            fail_msg("%s: outcome %d: %s", rights[i], (int)result.outcome, result.error.text);
        assert_int_equal(result.error.code, VF_E_DENIED);
        assert_int_equal(redis_fixture_ask(port, "EXISTS", document, NULL)->integer, 0);
        assert_int_equal(redis_fixture_ask(port, "ZCARD", list, NULL)->integer, 1);
        type->close(store);
        draft_done(&second);
        draft_done(&draft);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_evicting_server_is_refused, tear_down),
        cmocka_unit_test_teardown(a_cluster_is_refused, tear_down),
        cmocka_unit_test_teardown(a_replica_is_refused, tear_down),
        cmocka_unit_test_teardown(no_server_and_a_silent_one_are_unavailable, tear_down),
        cmocka_unit_test_teardown(a_server_of_another_kind_is_unavailable, tear_down),
        cmocka_unit_test_teardown(a_database_that_is_not_there_is_refused, tear_down),
        cmocka_unit_test_teardown(a_full_server_refuses_and_nothing_is_written, tear_down),
        cmocka_unit_test_teardown(a_server_that_becomes_a_replica_refuses, tear_down),
        cmocka_unit_test_teardown(a_server_that_misses_replicas_refuses, tear_down),
        cmocka_unit_test_teardown(flushed_functions_are_loaded_again, tear_down),
        cmocka_unit_test_teardown(only_an_older_readers_library_of_ours_is_replaced, tear_down),
        cmocka_unit_test_teardown(two_builds_lie_side_by_side, tear_down),
        cmocka_unit_test_teardown(a_look_tells_that_a_server_evicts_until_it_does_not, tear_down),
        cmocka_unit_test_teardown(a_look_tells_that_the_server_is_a_replica_or_was_one, tear_down),
        cmocka_unit_test_teardown(a_first_replica_is_no_reason_to_read_again, tear_down),
        cmocka_unit_test_teardown(a_look_loads_what_was_flushed, tear_down),
        cmocka_unit_test_teardown(a_refused_login_says_so, tear_down),
        cmocka_unit_test_teardown(the_rights_that_messages_ask_for_are_enough_and_all_needed, tear_down),
        cmocka_unit_test_teardown(a_missing_right_is_found_by_asking, tear_down),
        cmocka_unit_test_teardown(without_the_right_to_publish_the_batch_is_written_all_the_same, tear_down),
        cmocka_unit_test_teardown(a_right_that_goes_leaves_no_half_batch, tear_down),
        cmocka_unit_test_teardown(a_right_that_goes_leaves_no_half_batch_on_the_side, tear_down),
    };
    redis_fixture_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_fixture_end();
    return failed;
}
