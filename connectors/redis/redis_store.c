#include "connectors/redis/redis_store.h"

#include "connectors/redis/internal.h"
#include "connectors/redis/library.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- what all calls share ---------------------------------------------------------------------------------------- */

int64_t vf_redis_deadline(const struct vf_store *store)
{
    return vf_redis_now_ms() + store->command_timeout_ms;
}

void vf_redis_begin(struct vf_store *store)
{
    vf_redis_commit_settle(store);
    vf_redis_request_clear(&store->request);
}

enum vf_code vf_redis_send(struct vf_store *store, int64_t deadline_ms, struct vf_error *error)
{
    return vf_redis_connection_send(store->connection, &store->request, deadline_ms, error);
}

enum vf_code vf_redis_receive(struct vf_store *store, int64_t deadline_ms, redisReply **ret_reply,
                              struct vf_error *error)
{
    return vf_redis_connection_receive(store->connection, deadline_ms, ret_reply, error);
}

enum vf_code vf_redis_fail_reply(struct vf_store *store, const char *what, const redisReply *reply,
                                 struct vf_error *error)
{
    enum vf_code code =
        vf_redis_refusal(store->label, what, store->username, store->prefix, vf_redis_bytes(reply), error);
    if (code == VF_OK)
        code = vf_fail(error, VF_E_BUG, "%s: %s was answered: %.*s", store->label, what, (int)reply->len, reply->str);
    return code;
}

enum vf_code vf_redis_fail_answer(struct vf_store *store, struct vf_bytes word, struct vf_bytes first,
                                  struct vf_bytes second, struct vf_error *error)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    if (vf_bytes_is(word, "denied"))
        vf_buffer_printf(&text, "NOPERM this user has no permissions to run %.*s on %.*s", (int)first.size, first.data,
                         (int)second.size, second.data);
    else
        vf_buffer_add_bytes(&text, second);
    enum vf_code code =
        vf_redis_refusal(store->label, "FCALL", store->username, store->prefix, vf_bytes(text.data, text.size), error);
    vf_buffer_done(&text);
    if (code == VF_E_DENIED)
        return code;
    if (first.size == 0)
        return vf_fail(error, VF_E_BUG, "%s: a function refused its arguments: %.*s", store->label, (int)second.size,
                       second.data);
    return vf_fail(error, VF_E_CONFIG,
                   "%s: key %.*s: %.*s; it was not written by viewfold, and another prefix keeps them apart",
                   store->label, (int)first.size, first.data, (int)second.size, second.data);
}

enum vf_code vf_redis_fail_form(struct vf_store *store, const char *what, struct vf_error *error)
{
    return vf_fail(error, VF_E_BUG, "%s: %s was answered in an unknown form", store->label, what);
}

enum vf_code vf_redis_ask(struct vf_store *store, const char *what, int64_t deadline_ms, redisReply **ret_reply,
                          struct vf_error *error)
{
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &reply, error);
    if (code != VF_OK)
        return code;
    if (reply->type == REDIS_REPLY_ERROR) {
        code = vf_redis_fail_reply(store, what, reply, error);
        freeReplyObject(reply);
        assert(code != VF_OK);
        return code;
    }
    *ret_reply = reply;
    return VF_OK;
}

bool vf_redis_function_missing(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "ERR Function not found", 22) == 0;
}

enum vf_code vf_redis_ask_function(struct vf_store *store, const char *what, int64_t deadline_ms,
                                   redisReply **ret_reply, struct vf_error *error)
{
    /* Loading uses the store's request: this one is put aside meanwhile. */
    struct vf_redis_request request = store->request;
    vf_redis_request_init(&store->request);
    redisReply *reply = NULL;
    enum vf_code code;
    for (int reloads = 0;; reloads++) {
        code = vf_redis_connection_send(store->connection, &request, deadline_ms, error);
        if (code == VF_OK)
            code = vf_redis_receive(store, deadline_ms, &reply, error);
        if (code != VF_OK || reloads == VF_REDIS_RELOADS_MAX || !vf_redis_function_missing(reply))
            break;
        freeReplyObject(reply);
        code = vf_redis_library_load(store, deadline_ms, error);
        if (code != VF_OK)
            break;
    }
    vf_redis_request_done(&store->request);
    store->request = request;
    if (code == VF_OK && reply->type == REDIS_REPLY_ERROR) {
        code = vf_redis_fail_reply(store, what, reply, error);
        freeReplyObject(reply);
    }
    if (code == VF_OK)
        *ret_reply = reply;
    return code;
}

struct vf_bytes vf_redis_bytes(const redisReply *reply)
{
    bool text =
        reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_ERROR;
    return text ? vf_bytes(reply->str, (size_t)reply->len) : (struct vf_bytes){NULL, 0};
}

void vf_redis_copy_list(const redisReply *reply, struct vf_arena *arena, struct vf_bytes **ret_list, size_t *ret_count)
{
    *ret_list = vf_arena_calloc(arena, reply->elements, sizeof(**ret_list));
    for (size_t i = 0; i < reply->elements; i++)
        (*ret_list)[i] = vf_arena_copy(arena, vf_redis_bytes(reply->element[i]));
    *ret_count = reply->elements;
}

bool vf_redis_parse_int(struct vf_bytes text, int64_t *ret_number)
{
    char digits[24], again[24];
    if (text.size == 0 || text.size >= sizeof(digits))
        return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    int64_t number = strtoll(digits, NULL, 10);
    snprintf(again, sizeof(again), "%lld", (long long)number);
    if (strcmp(digits, again) != 0)
        return false;
    *ret_number = number;
    return true;
}

/* --- opening and closing ----------------------------------------------------------------------------------------- */

static void store_free(struct vf_store *store)
{
    if (!store)
        return;
    vf_redis_connection_free(store->connection);
    vf_redis_request_done(&store->request);
    vf_redis_request_done(&store->commit_request);
    vf_redis_keys_done(&store->keys);
    vf_json_parser_free(store->parser);
    vf_json_parser_free(store->types_parser);
    vf_buffer_done(&store->value);
    vf_buffer_done(&store->types);
    bson_destroy(&store->body);
    free(store->commit_places);
    vf_redis_side_done(&store->commit_side);
    free(store->fields);
    free(store->label);
    free(store->prefix);
    free(store->username);
    free(store);
}

static void name_function(char name[VF_REDIS_FUNCTION_BYTES], const char *what)
{
    snprintf(name, VF_REDIS_FUNCTION_BYTES, "viewfold_%s_%d_%s", what, VF_FORMAT, vf_redis_writer_hash);
}

static struct vf_store *store_new(const struct vf_store_config *config, const struct vf_redis_address *address)
{
    struct vf_store *store = vf_calloc(1, sizeof(*store));
    struct vf_buffer label;
    vf_buffer_init(&label);
    vf_buffer_printf(&label, "store %s: redis %s:%d", config->name, address->host, address->port);
    store->label = label.data; /* taken over */
    store->prefix = vf_strdup(config->prefix ? config->prefix : "");
    const char *username = config->username ? config->username : address->username;
    store->username = username ? vf_strdup(username) : NULL;
    store->command_timeout_ms = config->command_timeout_ms;
    name_function(store->function_commit, "commit");
    name_function(store->function_prepare, "prepare");
    name_function(store->function_freeze, "freeze");
    name_function(store->function_adopt, "adopt");
    name_function(store->function_drop_begin, "drop_begin");
    name_function(store->function_drop_more, "drop_more");
    name_function(store->function_note, "note");
    name_function(store->function_find, "find");
    name_function(store->function_rights, "rights");
    vf_redis_request_init(&store->request);
    vf_redis_request_init(&store->commit_request);
    vf_redis_keys_init(&store->keys);
    store->commit_side.arena = vf_arena_new();
    store->parser = vf_json_parser_new();
    store->types_parser = vf_json_parser_new();
    vf_buffer_init(&store->value);
    vf_buffer_init(&store->types);
    bson_init(&store->body);
    return store;
}

/* Adds to the error's text what its reader can do. */
static void advise(struct vf_error *error, const char *format, ...) VF_PRINTF(2, 3);
static void advise(struct vf_error *error, const char *format, ...)
{
    size_t size = strlen(error->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + size, sizeof(error->text) - size, format, arguments);
    va_end(arguments);
}

/* Sends the request for what needs no answer but its success. */
static enum vf_code ask_and_forget(struct vf_store *store, const char *what, int64_t deadline_ms,
                                   struct vf_error *error)
{
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, what, deadline_ms, &reply, error);
    if (code == VF_OK)
        freeReplyObject(reply);
    return code;
}

static enum vf_code log_in(struct vf_store *store, const struct vf_store_config *config,
                           const struct vf_redis_address *address, int64_t deadline_ms, struct vf_error *error)
{
    const char *password = config->password ? config->password : address->password;
    if (!password && !store->username)
        return VF_OK;
    vf_redis_begin(store);
    vf_redis_request_begin(&store->request, store->username ? 3 : 2);
    vf_redis_request_add_text(&store->request, "AUTH");
    if (store->username)
        vf_redis_request_add_text(&store->request, store->username);
    vf_redis_request_add_text(&store->request, password ? password : "");
    enum vf_code code = ask_and_forget(store, "AUTH", deadline_ms, error);
    /* "AUTH called without any password configured": as much a refused login as a wrong one. */
    if (code == VF_E_BUG) {
        error->code = VF_E_DENIED;
        code = VF_E_DENIED;
    }
    return code;
}

static enum vf_code select_database(struct vf_store *store, const char *name, int database, int64_t deadline_ms,
                                    struct vf_error *error)
{
    if (database == 0)
        return VF_OK;
    vf_redis_begin(store);
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "SELECT");
    vf_redis_request_add_int(&store->request, database);
    enum vf_code code = ask_and_forget(store, "SELECT", deadline_ms, error);
    if (code == VF_E_BUG) { /* "DB index is out of range", "SELECT is not allowed in cluster mode" */
        error->code = VF_E_CONFIG;
        code = VF_E_CONFIG;
        advise(
            error,
            ": the URL names database %d: correct stores.%s.redis, or give the server more databases (in redis.conf)",
            database, name);
    }
    return code;
}

static enum vf_code redis_open(const struct vf_store_config *config, struct vf_store **ret_store,
                               struct vf_error *error)
{
    /* Callers may do without the error's text; the steps below may not. */
    struct vf_error own = {0};
    if (!error)
        error = &own;
    struct vf_redis_address address;
    enum vf_code code = vf_redis_address_parse(config->name, config->url, &address, error);
    if (code != VF_OK)
        return code;
    int64_t deadline_ms = vf_redis_now_ms() + config->connect_timeout_ms;
    struct vf_store *store = store_new(config, &address);
    code = vf_redis_connection_open(store->label, address.host, address.port, config->connect_timeout_ms,
                                    &store->connection, error);
    if (code != VF_OK)
        advise(error, ": is it running there, and is stores.%s.redis right?", config->name);
    if (code == VF_OK)
        code = log_in(store, config, &address, deadline_ms, error);
    /* Before SELECT, which a cluster refuses without saying why. */
    if (code == VF_OK)
        code = vf_redis_ask_info(store, deadline_ms, &store->identity, error);
    if (code == VF_OK)
        code = select_database(store, config->name, address.database, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_library_load(store, deadline_ms, error);
    if (code != VF_OK && store->connection && vf_redis_connection_broken(store->connection))
        advise(error, ": is it a Redis server, and is stores.%s.redis right?", config->name);
    vf_redis_address_done(&address);
    if (code != VF_OK)
        store_free(store);
    else
        *ret_store = store;
    return code;
}

static enum vf_code check_url(const char *name, const char *url, struct vf_error *error)
{
    struct vf_redis_address address;
    enum vf_code code = vf_redis_address_parse(name, url, &address, error);
    if (code == VF_OK)
        vf_redis_address_done(&address);
    return code;
}

const struct vf_store_type vf_redis_store_type = {
    .name = "redis",
    .touches = false, /* a condition on what was only read is tested in the same call that writes */
    .check_url = check_url,
    .open = redis_open,
    .close = store_free,
    .prepare = vf_redis_prepare,
    .generation = vf_redis_generation,
    .generation_stamp = vf_redis_generation_stamp,
    .generations = vf_redis_generations,
    .adopt = vf_redis_adopt,
    .drop_begin = vf_redis_drop_begin,
    .drop_more = vf_redis_drop_more,
    .state = vf_redis_state,
    .load = vf_redis_load,
    .progress = vf_redis_progress,
    .look = vf_redis_look,
    .commit_send = vf_redis_commit_send,
    .commit_wait = vf_redis_commit_wait,
    .note_stopped = vf_redis_note_stopped,
    .freeze = vf_redis_freeze,
    .make_indexes = NULL, /* the commits' entries are all that is needed */
    .aside_load = vf_redis_aside_load,
    .aside_total = vf_redis_aside_total,
    .aside_at = vf_redis_aside_at,
    .draining = vf_redis_draining,
    .aside_aggregates = vf_redis_aside_aggregates,
    .aside_counts = vf_redis_aside_counts,
    .dropped = vf_redis_dropped,
    .due = vf_redis_due,
    .find = vf_redis_find,
    .check_rights = vf_redis_check_rights,
};
