/* What needs no server: what a hello says about whether a server can serve, and which URLs are refused unread. */
#include "connectors/mongodb/mongodb_internal.h"
#include "connectors/mongodb/mongodb_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum vf_mongodb_verdict judge(const char *json, const char *set)
{
    bson_error_t failure;
    bson_t *hello = bson_new_from_json((const uint8_t *)json, -1, &failure);
    if (!hello)
        fail_msg("%s", failure.message);
    enum vf_mongodb_verdict verdict = vf_mongodb_judge_hello(hello, set);
    bson_destroy(hello);
    return verdict;
}

static void a_primary_of_a_replica_set_serves(void **state)
{
    (void)state;
    const char *hello = "{\"isWritablePrimary\": true, \"setName\": \"rs0\", \"maxWireVersion\": 13}";
    assert_int_equal(judge(hello, "rs0"), VF_MONGODB_SERVES);
    assert_int_equal(judge(hello, NULL), VF_MONGODB_SERVES);
    assert_int_equal(judge("{\"ismaster\": true, \"setName\": \"rs0\", \"maxWireVersion\": 25}", NULL),
                     VF_MONGODB_SERVES);
}

static void others_do_not_serve_and_each_for_its_reason(void **state)
{
    (void)state;
    assert_int_equal(judge("{\"ismaster\": true, \"maxWireVersion\": 17}", NULL), VF_MONGODB_STANDALONE);
    assert_int_equal(judge("{\"ismaster\": true, \"maxWireVersion\": 17}", "rs0"), VF_MONGODB_STANDALONE);
    assert_int_equal(judge("{\"ismaster\": true, \"msg\": \"isdbgrid\", \"maxWireVersion\": 17}", NULL),
                     VF_MONGODB_MONGOS);
    assert_int_equal(judge("{\"ismaster\": false, \"isreplicaset\": true, \"maxWireVersion\": 17}", "rs0"),
                     VF_MONGODB_UNINITIATED);
    assert_int_equal(judge("{\"ismaster\": true, \"setName\": \"rs1\", \"maxWireVersion\": 17}", "rs0"),
                     VF_MONGODB_OTHER_SET);
    assert_int_equal(judge("{\"ismaster\": true, \"setName\": \"rs0\", \"maxWireVersion\": 12}", "rs0"),
                     VF_MONGODB_OLD);
    assert_int_equal(
        judge("{\"ismaster\": false, \"secondary\": true, \"setName\": \"rs0\", \"maxWireVersion\": 17}", NULL),
        VF_MONGODB_NOT_PRIMARY);
}

static enum vf_code open_url(const char *url, struct vf_error *error)
{
    struct vf_store_config config = {
        .name = "documents", .url = url, .connect_timeout_ms = 100, .command_timeout_ms = 100};
    struct vf_store *store = NULL;
    return vf_mongodb_store_type.open(&config, &store, error);
}

static void a_password_with_a_raw_at_is_refused_and_not_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "mongodb://me:sec@ret@127.0.0.1:1/shop",       "mongodb+srv://me:sec@ret@h.invalid/shop",
        "mongodb://sec@ret:secret@127.0.0.1:1/shop",   "mongodb://me:secret@ret@h.invalid",
        "mongodb://me:sec@ret/secret@127.0.0.1/shop",  "mongodb://me:1/secret@127.0.0.1:1/shop",
        "mongodb://me:1/x?secret=@127.0.0.1:1/shop",   "mongodb://me:secret?secret@127.0.0.1:1/shop",
        "mongodb://me:secret@@127.0.0.1:1/shop?a=b@c", "mongodb://me:sec%zzret@127.0.0.1:1/shop",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct vf_error error = {0};
        enum vf_code code = open_url(urls[i], &error);
        if (strstr(error.text, "sec") || strstr(error.text, "ret"))
            fail_msg("%s", error.text);
        assert_int_equal(code, VF_E_CONFIG);
        if (!strstr(error.text, "percent-encode"))
            fail_msg("does not say what to do: %s", error.text);
    }
}

static void an_option_that_is_not_known_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *url, *name;
    } cases[] = {
        {"mongodb://127.0.0.1:1/shop?foo=bar", "\"foo\""},
        {"mongodb://127.0.0.1:1/shop?replicaSet=rs0&tsl=true&w=1", "\"tsl\""},
        {"mongodb://me:secret@127.0.0.1:1/shop?tsl=secret", "\"tsl\""},
        {"mongodb://127.0.0.1:1/shop?compressors=gzap", "gzap"},
        {"mongodb://127.0.0.1:1/shop?tls=maybe", "tls"},
        {"mongodb://me:secret@127.0.0.1:1/shop?authMechanism=NONSENSE", "authMechanism \"NONSENSE\""},
    };
    struct vf_error error = {0};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(open_url(cases[i].url, &error), VF_E_CONFIG);
        if (!strstr(error.text, cases[i].name) || strstr(error.text, "secret"))
            fail_msg("%s", error.text);
    }
    /* What one URL was refused for is not held against the next. */
    assert_int_equal(
        open_url("mongodb://me:x@127.0.0.1:1/shop?authMechanism=scram-sha-256&tls=false&retryWrites=1", &error),
        VF_E_UNAVAILABLE);
}

static void nobody_there_says_what_to_check(void **state)
{
    (void)state;
    struct vf_error error = {0};
    assert_int_equal(open_url("mongodb://127.0.0.1:1/shop", &error), VF_E_UNAVAILABLE);
    assert_true(error.retriable);
    assert_non_null(strstr(error.text, "connection refused calling hello on '127.0.0.1:1'"));
    assert_non_null(strstr(error.text, "is it running there, and is stores.documents.mongodb right?"));
    assert_null(strstr(error.text, "TryOnce"));
}

static void a_url_is_judged_without_connecting(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "mongodb://h/d",
        "mongodb://u:p%40w@h1:27017,h2/d?replicaSet=rs0&tls=true",
        "mongodb://[::1]:1/d?authSource=admin",
        "mongodb+srv://a.b.c/d",
    };
    static const char *const wrong[][2] = {
        {"mongodb://h/d b", "cannot be read: Invalid database name"},
        {"mongodb://h/d?foo=1", "\"foo\""},
        {"mongodb://h:99999/d", "cannot be read"},
        {"mongodb://u:secret@h:99999/d", "cannot be read"},
        {"mongodb://a secret/d", "a host's name has a blank"},
        {"mongodb://h", "names no database"},
        {"mongodb://h/?replicaSet=rs0", "names no database"},
    };
    struct vf_error error = {0};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (vf_mongodb_store_type.check_url("documents", fine[i], &error) != VF_OK)
            fail_msg("%s: %s", fine[i], error.text);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(vf_mongodb_store_type.check_url("documents", wrong[i][0], &error), VF_E_CONFIG);
        if (!strstr(error.text, wrong[i][1]) || !strstr(error.text, "documents") || strstr(error.text, "secret"))
            fail_msg("%s: %s", wrong[i][0], error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_of_a_replica_set_serves),
        cmocka_unit_test(others_do_not_serve_and_each_for_its_reason),
        cmocka_unit_test(a_password_with_a_raw_at_is_refused_and_not_shown),
        cmocka_unit_test(an_option_that_is_not_known_is_refused_by_name),
        cmocka_unit_test(nobody_there_says_what_to_check),
        cmocka_unit_test(a_url_is_judged_without_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
