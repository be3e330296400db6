#include "fuzz/fuzz_redis.h"

#include "connectors/redis/internal.h"
#include "connectors/redis/redis_store.h"
#include "fuzz/fuzz.h"

static redisReader *replies; /* to come */
static bool opening;

/* What a server says that viewfold can work with, and nothing else is asked while a store is opened. */
static const char info[] = "redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nloading:0\r\nrun_id:0\r\n"
                           "master_replid:0\r\nmaxmemory_policy:noeviction\r\n";

static void feed(const void *data, size_t size)
{
    if (redisReaderFeed(replies, data, size) != REDIS_OK)
        abort();
}

/* An answer to each of the request's commands. */
static void answer(const struct vf_redis_request *request)
{
    redisReader *commands = redisReaderCreate();
    char text[sizeof info + 40];
    redisReply *command = NULL;
    if (redisReaderFeed(commands, request->buffer.data + request->start, request->buffer.size - request->start) !=
        REDIS_OK)
        abort();
    while (redisReaderGetReply(commands, (void **)&command) == REDIS_OK && command) {
        bool is_info = vf_bytes_is(vf_redis_bytes(command->element[0]), "INFO");
        int size = is_info ? snprintf(text, sizeof text, "$%zu\r\n%s\r\n", sizeof info - 1, info)
                           : snprintf(text, sizeof text, "+OK\r\n");
        feed(text, (size_t)size);
        freeReplyObject(command);
    }
    redisReaderFree(commands);
}

/* --- in the place of connection.c's ---------------------------------------------------------------------------------- */

/* Their names are the linker's. */
enum vf_code __wrap_vf_redis_connection_open(const char *label, const char *host, int port, int64_t timeout_ms,
                                             struct vf_redis_connection **ret_connection, struct vf_error *error);
void __wrap_vf_redis_connection_free(struct vf_redis_connection *connection);
bool __wrap_vf_redis_connection_broken(const struct vf_redis_connection *connection);
enum vf_code __wrap_vf_redis_connection_send(struct vf_redis_connection *connection,
                                             const struct vf_redis_request *request, int64_t deadline_ms,
                                             struct vf_error *error);
enum vf_code __wrap_vf_redis_connection_receive(struct vf_redis_connection *connection, int64_t deadline_ms,
                                                redisReply **ret_reply, struct vf_error *error);

enum vf_code __wrap_vf_redis_connection_open(const char *label, const char *host, int port, int64_t timeout_ms,
                                             struct vf_redis_connection **ret_connection, struct vf_error *error)
{
    static char nothing;
    (void)label, (void)host, (void)port, (void)timeout_ms, (void)error;
    *ret_connection = (struct vf_redis_connection *)(void *)&nothing; /* nobody looks into it */
    return VF_OK;
}

void __wrap_vf_redis_connection_free(struct vf_redis_connection *connection)
{
    (void)connection;
}

bool __wrap_vf_redis_connection_broken(const struct vf_redis_connection *connection)
{
    (void)connection;
    return false;
}

enum vf_code __wrap_vf_redis_connection_send(struct vf_redis_connection *connection,
                                             const struct vf_redis_request *request, int64_t deadline_ms,
                                             struct vf_error *error)
{
    (void)connection, (void)deadline_ms, (void)error;
    if (opening)
        answer(request);
    return VF_OK;
}

enum vf_code __wrap_vf_redis_connection_receive(struct vf_redis_connection *connection, int64_t deadline_ms,
                                                redisReply **ret_reply, struct vf_error *error)
{
    void *reply = NULL;
    (void)connection, (void)deadline_ms;
    if (redisReaderGetReply(replies, &reply) != REDIS_OK || !reply)
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "the connection is lost");
    *ret_reply = reply;
    return VF_OK;
}

/* --------------------------------------------------------------------------------------------------------------------- */

struct vf_store *fuzz_redis_store(void)
{
    static struct vf_store *store;
    static const struct vf_store_config config = {.name = "cache",
                                                  .url = "redis://localhost",
                                                  .prefix = "",
                                                  .connect_timeout_ms = 1000,
                                                  .command_timeout_ms = 1000};
    struct vf_error error = {0};
    if (!store) {
        replies = redisReaderCreate();
        opening = true;
        enum vf_code code = vf_redis_store_type.open(&config, &store, &error);
        opening = false;
        FUZZ_WANT(code == VF_OK, "%s", error.text);
    }
    return store;
}

void fuzz_redis_answer(struct vf_bytes text)
{
    (void)fuzz_redis_store();
    redisReaderFree(replies);
    replies = redisReaderCreate();
    if (text.size)
        feed(text.data, text.size);
}

static void add_bulk(struct vf_buffer *out, struct vf_bytes text)
{
    vf_buffer_printf(out, "$%zu\r\n", text.size);
    vf_buffer_add_bytes(out, text);
    vf_buffer_add_text(out, "\r\n");
}

/* What HGETALL answers after a commit of what stands in the request: its shapes, id and revision, then fields and texts. */
static void add_hash(struct vf_buffer *out, const struct vf_redis_request *request, uint64_t stamp)
{
    redisReader *reader = redisReaderCreate();
    redisReply *written = NULL;
    char digits[VF_STAMP_TEXT_BYTES];
    FUZZ_WANT(redisReaderFeed(reader, request->buffer.data + request->start, request->buffer.size - request->start) ==
                      REDIS_OK &&
                  redisReaderGetReply(reader, (void **)&written) == REDIS_OK && written && written->elements >= 3,
              "what would be sent is no request");
    vf_buffer_printf(out, "*%zu\r\n", written->elements - 3 + 6);
    add_bulk(out, VF_LITERAL("_stamp"));
    vf_stamp_print(digits, stamp);
    add_bulk(out, vf_bytes_from(digits));
    add_bulk(out, VF_LITERAL("id"));
    add_bulk(out, vf_redis_bytes(written->element[1]));
    add_bulk(out, VF_LITERAL("_rev"));
    add_bulk(out, vf_redis_bytes(written->element[2]));
    for (size_t i = 3; i < written->elements; i++)
        add_bulk(out, vf_redis_bytes(written->element[i]));
    freeReplyObject(written);
    redisReaderFree(reader);
}

enum vf_code fuzz_redis_write(const struct vf_document *document, struct vf_error *error)
{
    struct vf_store *store = fuzz_redis_store();
    struct vf_buffer text;
    vf_redis_request_begin_uncounted(&store->commit_request);
    vf_redis_values_add_shapes(store, 1);
    enum vf_code code = vf_redis_values_add_document(store, 1, document, error);
    vf_redis_request_end_uncounted(&store->commit_request);
    if (code)
        return code;
    vf_buffer_init(&text);
    add_hash(&text, &store->commit_request, document->stamp);
    vf_buffer_add_text(&text, "*0\r\n"); /* its husk */
    fuzz_redis_answer(fuzz_bytes(&text));
    vf_buffer_done(&text);
    return VF_OK;
}
