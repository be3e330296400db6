/* Connecting, and whether the server can serve. */
#include "connectors/mongodb/mongodb_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void start(void)
{
    vf_mongodb_uri_start(); /* takes the library's log too: libraries return, they don't print */
    mongoc_init();
}

static void start_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, start);
}

static bool has(const bson_t *hello, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, hello, key);
}

static bool is_true(const bson_t *hello, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, hello, key) && bson_iter_as_bool(&iter);
}

enum vf_mongodb_verdict vf_mongodb_judge_hello(const bson_t *hello, const char *replica_set)
{
    struct vf_bytes text;
    bson_iter_t iter;

    if (vf_mongodb_text_at(hello, "msg", &text) && vf_bytes_is(text, "isdbgrid"))
        return VF_MONGODB_MONGOS;
    if (is_true(hello, "isreplicaset"))
        return VF_MONGODB_UNINITIATED;
    if (!has(hello, "setName"))
        return VF_MONGODB_STANDALONE;
    if (replica_set && (!vf_mongodb_text_at(hello, "setName", &text) || !vf_bytes_is(text, replica_set)))
        return VF_MONGODB_OTHER_SET;
    if (!bson_iter_init_find(&iter, hello, "maxWireVersion") || bson_iter_as_int64(&iter) < VF_MONGODB_WIRE_VERSION_MIN)
        return VF_MONGODB_OLD;
    if (!is_true(hello, "isWritablePrimary") && !is_true(hello, "ismaster"))
        return VF_MONGODB_NOT_PRIMARY;
    return VF_MONGODB_SERVES;
}

/* libmongoc drops a server that is no member of the set and says only that it found none: what it heard is kept here. */
static void heard(const mongoc_apm_server_heartbeat_succeeded_t *event)
{
    struct vf_store *store = mongoc_apm_server_heartbeat_succeeded_get_context(event);
    enum vf_mongodb_verdict verdict =
        vf_mongodb_judge_hello(mongoc_apm_server_heartbeat_succeeded_get_reply(event), store->replica_set);

    if (verdict > store->worst)
        store->worst = verdict;
}

static enum vf_code refuse(const struct vf_store *store, enum vf_mongodb_verdict verdict, struct vf_error *error)
{
    const char *why = "", *what_to_do = "";

    switch (verdict) {
    case VF_MONGODB_STANDALONE:
        why = "a standalone server, which has no transactions";
        what_to_do = "start mongod with --replSet and run rs.initiate() once (one node is fine)";
        break;
    case VF_MONGODB_UNINITIATED:
        why = "a member of a replica set that was never initiated";
        what_to_do = "run rs.initiate() on it once";
        break;
    case VF_MONGODB_MONGOS:
        why = "a mongos: sharded clusters are not supported";
        what_to_do = "give the URL of a replica set";
        break;
    case VF_MONGODB_OTHER_SET:
        why = "a member of another replica set than the URL's";
        what_to_do = "correct replicaSet= in the URL";
        break;
    case VF_MONGODB_OLD:
        why = "older than MongoDB 5.0";
        what_to_do = "upgrade the server";
        break;
    case VF_MONGODB_NOT_PRIMARY:
        return vf_fail_retriable(error, VF_E_UNAVAILABLE,
                                 "store \"%s\" (mongodb, %s): the replica set has no primary now", store->name,
                                 store->hosts);
    case VF_MONGODB_SERVES:
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "store \"%s\" (mongodb, %s): not reached", store->name,
                                 store->hosts);
    }
    return vf_fail(error, VF_E_CONFIG, "store \"%s\" (mongodb, %s): the server is %s: %s", store->name, store->hosts,
                   why, what_to_do);
}

static enum vf_code name_hosts(struct vf_store *store, const mongoc_uri_t *uri, struct vf_error *error)
{
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
    size_t used = 0;

    if (!host) {
        const char *srv = mongoc_uri_get_srv_hostname(uri);

        snprintf(store->hosts, sizeof(store->hosts), "%s", srv ? srv : "?");
    }
    for (; host && used < sizeof(store->hosts); host = host->next)
        used += (size_t)snprintf(store->hosts + used, sizeof(store->hosts) - used, "%s%s", used ? "," : "",
                                 host->host_and_port);
    if (mongoc_uri_get_database(uri))
        store->database = vf_strdup(mongoc_uri_get_database(uri));
    if (!store->database || !*store->database)
        return vf_fail(error, VF_E_CONFIG,
                       "store \"%s\" (mongodb, %s): the URL names no database: write it behind the hosts, as in "
                       "mongodb://host:27017/shop",
                       store->name, store->hosts);
    return VF_OK;
}

/* Finds the primary, logs in, and looks once at the registry, so that a missing right is seen now. */
static enum vf_code check_server(struct vf_store *store, struct vf_error *error)
{
    bson_t hello = BSON_INITIALIZER, filter = BSON_INITIALIZER, reply;
    bson_error_t failure;
    const bson_t *unused;
    mongoc_cursor_t *cursor = NULL;
    enum vf_mongodb_verdict verdict;
    enum vf_code code = VF_OK;

    BSON_APPEND_INT32(&hello, "hello", 1);
    if (!mongoc_client_command_simple(store->client, "admin", &hello, NULL, &reply, &failure)) {
        if (store->worst != VF_MONGODB_SERVES &&
            (failure.domain == MONGOC_ERROR_SERVER_SELECTION || failure.domain == MONGOC_ERROR_PROTOCOL))
            code = refuse(store, store->worst, error);
        else
            code = vf_mongodb_fail(store, &failure, &reply, "connect", error);
        goto out;
    }
    verdict = vf_mongodb_judge_hello(&reply, store->replica_set);
    if (verdict != VF_MONGODB_SERVES) {
        code = refuse(store, verdict, error);
        goto out;
    }
    BSON_APPEND_UTF8(&filter, "_id", "");
    cursor = vf_mongodb_find(store, VF_MONGODB_GENERATIONS, &filter, 1, "local");
    mongoc_cursor_next(cursor, &unused);
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read " VF_MONGODB_GENERATIONS, error);
out:
    mongoc_cursor_destroy(cursor);
    bson_destroy(&reply);
    bson_destroy(&filter);
    bson_destroy(&hello);
    return code;
}

/* A 32-bit number of milliseconds for the URI; at least one, as 0 would mean none or the driver's own. */
static int64_t limit_of(int64_t configured_ms)
{
    return configured_ms < 1 ? 1 : configured_ms > INT32_MAX ? INT32_MAX : configured_ms;
}

enum vf_code vf_mongodb_open(const struct vf_store_config *config, struct vf_store **ret_store, struct vf_error *error)
{
    struct vf_store *store = vf_calloc(1, sizeof(*store));
    mongoc_apm_callbacks_t *callbacks = NULL;
    mongoc_uri_t *uri = NULL;
    bson_error_t failure;
    enum vf_code code;

    start_library();
    store->name = vf_strdup(config->name);
    store->connect_timeout_ms = limit_of(config->connect_timeout_ms);
    store->command_timeout_ms = limit_of(config->command_timeout_ms);
    store->concern = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(store->concern, (int32_t)store->command_timeout_ms);
    mongoc_write_concern_set_journal(store->concern, true);
    code = vf_mongodb_uri_make(store, config, &uri, error);
    if (code != VF_OK)
        goto out;
    code = name_hosts(store, uri, error);
    if (code != VF_OK)
        goto out;
    if (mongoc_uri_get_replica_set(uri))
        store->replica_set = vf_strdup(mongoc_uri_get_replica_set(uri));
    store->client = mongoc_client_new_from_uri_with_error(uri, &failure);
    if (!store->client) {
        code = vf_fail(error, VF_E_CONFIG, "store \"%s\" (mongodb, %s): the URL cannot be used: %s", store->name,
                       store->hosts, failure.message);
        goto out;
    }
    mongoc_client_set_error_api(store->client, MONGOC_ERROR_API_VERSION_2);
    callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_server_heartbeat_succeeded_cb(callbacks, heard);
    mongoc_client_set_apm_callbacks(store->client, callbacks, store);
    code = check_server(store, error);
out:
    mongoc_apm_callbacks_destroy(callbacks);
    mongoc_uri_destroy(uri);
    if (code == VF_OK)
        *ret_store = store;
    else
        vf_mongodb_close(store);
    return code;
}

enum vf_code vf_mongodb_check_url(const char *name, const char *url, struct vf_error *error)
{
    struct vf_store_config config = {.name = name, .url = url};
    struct vf_store *store = vf_calloc(1, sizeof(*store));
    mongoc_uri_t *uri = NULL;
    enum vf_code code;

    start_library();
    store->name = vf_strdup(name);
    store->connect_timeout_ms = store->command_timeout_ms = 1; /* no client is made of it */
    code = vf_mongodb_uri_make(store, &config, &uri, error);
    if (code == VF_OK) {
        code = name_hosts(store, uri, error);
        mongoc_uri_destroy(uri);
    }
    vf_mongodb_close(store);
    return code;
}

/* Tells the server that the client is gone. What it holds open would be held against everybody until its own time limit. */
static void *take_leave(void *memory)
{
    struct vf_store *store = memory;

    if (store->left_open) {
        if (mongoc_client_session_in_transaction(store->left_open))
            mongoc_client_session_abort_transaction(store->left_open, NULL);
        mongoc_client_session_destroy(store->left_open);
    }
    mongoc_client_destroy(store->client);
    mongoc_write_concern_destroy(store->concern);
    free(store->replica_set);
    free(store->database);
    free(store->name);
    free(store);
    return NULL;
}

void vf_mongodb_close(struct vf_store *store)
{
    pthread_t thread;

    if (!store)
        return;
    /* A silent server is told within half a minute or not at all: libmongoc connects to it anew for each word, twice. Its
     * worker, which may have been told to end, is not to wait for that. */
    if (store->silent && pthread_create(&thread, NULL, take_leave, store) == 0)
        pthread_detach(thread);
    else
        take_leave(store);
}
