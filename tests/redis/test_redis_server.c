/*
 * What the connector understands of addresses, of INFO and of refusals, without a server.
 */
#include "connectors/redis/library.h"
#include "connectors/redis/redis_store.h"
#include "connectors/redis/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_address_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        int port, database;
        const char *username, *password;
    } cases[] = {
        {"redis://redis-1:6380/3", "redis-1", 6380, 3, NULL, NULL},
        {"redis://redis-1", "redis-1", 6379, 0, NULL, NULL},
        {"redis://redis-1/", "redis-1", 6379, 0, NULL, NULL},
        {"redis://[::1]:7000/0", "::1", 7000, 0, NULL, NULL},
        {"redis://[::1]", "::1", 6379, 0, NULL, NULL},
        {"redis://:p%40ss%3Aw@h:1/2", "h", 1, 2, NULL, "p@ss:w"},
        {"redis://anna:secret@h", "h", 6379, 0, "anna", "secret"},
        {"redis://anna@h", "h", 6379, 0, "anna", NULL},
        {"redis://anna:sec@ret@h", "h", 6379, 0, "anna", "sec@ret"},
        {"redis://:@secret@@h:1/2", "h", 1, 2, NULL, "@secret@"},
        {"redis://:sec?ret@h", "h", 6379, 0, NULL, "sec?ret"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vf_redis_address address;
        struct vf_error error;
        assert_int_equal(vf_redis_store_type.check_url("cache", cases[i].url, &error), VF_OK);
        assert_int_equal(vf_redis_address_parse("cache", cases[i].url, &address, &error), VF_OK);
        assert_string_equal(address.host, cases[i].host);
        assert_int_equal(address.port, cases[i].port);
        assert_int_equal(address.database, cases[i].database);
        assert_true(!address.username == !cases[i].username);
        assert_true(!address.password == !cases[i].password);
        if (address.username)
            assert_string_equal(address.username, cases[i].username);
        if (address.password)
            assert_string_equal(address.password, cases[i].password);
        vf_redis_address_done(&address);
    }
}

static void a_wrong_address_is_refused_without_showing_it(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "http://x:secret@h",
        "redis://",
        "redis://:secret@",
        "redis://:secret@h:0",
        "redis://:secret@h:65536",
        "redis://:secret@h:12x",
        "redis://h/x",
        "redis://h/-1",
        "redis://h/1/2",
        "redis://[::1",
        "redis://:secret@[::1]6379/0",
        "rediss://:secret@h",
        "unix:///secret.sock",
        "redis://:sec/secret@h",
        "redis://me:1/secret@h",
        "redis://me:1/0@secret@h/0",
        "redis://secret@/0",
        "redis://a secret:1/0",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vf_redis_address address;
        struct vf_error error;
        assert_int_equal(vf_redis_store_type.check_url("cache", cases[i], &error), VF_E_CONFIG);
        assert_int_equal(vf_redis_address_parse("cache", cases[i], &address, &error), VF_E_CONFIG);
        assert_non_null(strstr(error.text, "cache"));
        assert_null(strstr(error.text, "secret"));
    }
}

static void tls_is_refused_by_name(void **state)
{
    (void)state;
    struct vf_redis_address address;
    struct vf_error error;
    assert_int_equal(vf_redis_address_parse("cache", "rediss://h:6380/0", &address, &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "TLS"));
    assert_non_null(strstr(error.text, "hiredis 1.0"));
}

#define INFO_FINE                                                                                              \
    "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n" \
    "# Persistence\r\nloading:0\r\n# Replication\r\nrole:master\r\n"

static enum vf_code check_info(const char *from, const char *to, struct vf_error *error)
{
    struct vf_buffer info;
    vf_buffer_init(&info);
    const char *at = strstr(INFO_FINE, from);
    assert_non_null(at);
    vf_buffer_add(&info, INFO_FINE, (size_t)(at - INFO_FINE));
    vf_buffer_add_text(&info, to);
    vf_buffer_add_text(&info, at + strlen(from));
    enum vf_code code = vf_redis_info_check("store cache: redis h:1", vf_bytes(info.data, info.size), error);
    vf_buffer_done(&info);
    return code;
}

static void a_server_that_cannot_serve_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        enum vf_code code;
        const char *reason;
    } cases[] = {
        {"7.0.15", "7.0.15", VF_OK, NULL},
        {"7.0.15", "7.0.0", VF_OK, NULL},
        {"7.0.15", "8.2.1", VF_OK, NULL},
        {"7.0.15", "10.0.0", VF_OK, NULL},
        {"7.0.15", "6.2.14", VF_E_CONFIG, "7.0 or later"},
        {"redis_version:7.0.15", "x:y", VF_E_CONFIG, "redis_version"},
        {"standalone", "cluster", VF_E_CONFIG, "Cluster"},
        {"standalone", "sentinel", VF_E_CONFIG, "Sentinel"},
        {"loading:0", "loading:1", VF_E_UNAVAILABLE, "loading"},
        {"role:master", "role:slave", VF_E_CONFIG, "replica"},
        {"noeviction", "allkeys-lru", VF_E_CONFIG, "CONFIG SET maxmemory-policy noeviction"},
        {"noeviction", "volatile-ttl", VF_E_CONFIG, "volatile-ttl"},
        {"maxmemory_policy:noeviction\r\n", "", VF_E_CONFIG, "maxmemory_policy"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vf_error error = {0};
        assert_int_equal(check_info(cases[i].from, cases[i].to, &error), cases[i].code);
        if (cases[i].code == VF_OK)
            continue;
        assert_non_null(strstr(error.text, cases[i].reason));
        assert_non_null(strstr(error.text, "store cache: redis h:1"));
        assert_int_equal(error.retriable, cases[i].code == VF_E_UNAVAILABLE);
    }
}

static void a_refusal_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *reply;
        enum vf_code code;
        bool retriable;
        const char *advice;
    } cases[] = {
        {"NOAUTH Authentication required.", VF_E_DENIED, false, "username and password"},
        {"WRONGPASS invalid username-password pair or user is disabled.", VF_E_DENIED, false, "password"},
        {"NOPERM this user has no permissions to run the 'fcall' command", VF_E_DENIED, false,
         "ACL SETUSER anna ~shop:* &shop:* +fcall"},
        {"ERR The user executing the script can't run this command or subcommand script: viewfold_freeze", VF_E_DENIED,
         false, "ACL SETUSER anna ~shop:* &shop:* +fcall"},
        {"ERR ACL failure in script: User anna has no permissions to run the 'time' command", VF_E_DENIED, false,
         "ACL SETUSER anna ~shop:* &shop:* +fcall"},
        {"OOM command not allowed when used memory > 'maxmemory'.", VF_E_UNAVAILABLE, true, "maxmemory"},
        {"READONLY You can't write against a read only replica.", VF_E_UNAVAILABLE, true, "replica"},
        {"MISCONF Redis is configured to save RDB snapshots", VF_E_UNAVAILABLE, true, "disk"},
        {"LOADING Redis is loading the dataset in memory", VF_E_UNAVAILABLE, true, "loading"},
        {"BUSY Redis is busy running a script.", VF_E_UNAVAILABLE, true, "busy"},
        {"MASTERDOWN Link with MASTER is down", VF_E_UNAVAILABLE, true, "master"},
        {"NOREPLICAS Not enough good replicas to write.", VF_E_UNAVAILABLE, true, "min-replicas"},
        {"WRONGTYPE Operation against a key", VF_E_CONFIG, false, "prefix"},
        {"ERR unknown", VF_OK, false, NULL},
        {"OOMPH", VF_OK, false, NULL},
        {"", VF_OK, false, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vf_error error = {0};
        enum vf_code code =
            vf_redis_refusal("store cache: redis h:1", "FCALL", "anna", "shop:", vf_bytes_from(cases[i].reply), &error);
        assert_int_equal(code, cases[i].code);
        if (code == VF_OK) {
            assert_string_equal(error.text, "");
            continue;
        }
        assert_int_equal(error.retriable, cases[i].retriable);
        assert_non_null(strstr(error.text, cases[i].advice));
        assert_non_null(strstr(error.text, "store cache: redis h:1: FCALL"));
    }
}

static void the_libraries_carry_their_names(void **state)
{
    (void)state;
    char first[64];
    snprintf(first, sizeof(first), "#!lua name=viewfold_commit_1_%s\n", vf_redis_writer_hash);
    assert_int_equal(strlen(vf_redis_writer_hash), 8);
    assert_memory_equal(vf_redis_writer_library, first, strlen(first));
    assert_null(strchr(strstr(vf_redis_writer_library, "register_function"), '@'));
    assert_true(vf_redis_library_reader_number(vf_redis_reader_library) >= 1);
    assert_int_equal(vf_redis_library_reader_number("#!lua name=viewfold_get\nsomebody's"), 0);
    assert_int_equal(vf_redis_library_reader_number("#!lua name=viewfold_get\n-- viewfold reader 12\n"), 12);
}

static void a_server_is_told_from_another_one(void **state)
{
    (void)state;
    static const char zeros[] = "0000000000000000000000000000000000000000";
    static const struct {
        const char *run, *replication, *before;
        bool same;
    } cases[] = {
        {"aa", "bb", zeros, true},  /* nothing has changed */
        {"ab", "bb", zeros, false}, /* restarted, or another one */
        {"ab", "cc", "bb", false},  /* a replica that was promoted */
        {"aa", "cc", "bb", false},  /* it was a replica meanwhile */
        {"aa", "cc", zeros, true},  /* its first replica has come */
        {"aa", "bb", "dd", true},   /* it had been promoted long ago */
        {"aa", "cc", "", true},     /* a server that does not tell */
    };
    struct vf_redis_identity before, now;
    vf_redis_info_identity(VF_LITERAL("run_id:aa\r\nmaster_replid:bb\r\n"), &before);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char info[200];
        snprintf(info, sizeof(info), "run_id:%s\r\nrole:master\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\n",
                 cases[i].run, cases[i].replication, cases[i].before);
        vf_redis_info_identity(vf_bytes_from(info), &now);
        if (vf_redis_same_server(&before, &now) != cases[i].same)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read),
        cmocka_unit_test(a_wrong_address_is_refused_without_showing_it),
        cmocka_unit_test(tls_is_refused_by_name),
        cmocka_unit_test(a_server_that_cannot_serve_is_refused_with_the_reason),
        cmocka_unit_test(a_refusal_says_what_to_do),
        cmocka_unit_test(a_server_is_told_from_another_one),
        cmocka_unit_test(the_libraries_carry_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
