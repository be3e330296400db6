/* Whether the login may do what a commit does, asked by commands that change nothing. */
#include "connectors/redis/internal.h"

/* Each is sent with a key of ours that is never there. What would write is sent so that the server looks at its rights and
 * then finds nothing to do: SET only where there is something, HSET with a field that has no value, functions of no name. */
static const struct question {
    const char *command;
    bool key_first; /* the key comes right behind the command's name */
    const char *rest[4];
} questions[] = {
    {"GET", true, {NULL}},
    {"EXISTS", true, {NULL}},
    {"SET", true, {"x", "XX", NULL}},
    {"UNLINK", true, {NULL}},
    {"HGET", true, {"x", NULL}},
    {"HMGET", true, {"x", NULL}},
    {"HSET", true, {"x", "x", "x", NULL}},
    {"HDEL", true, {"x", NULL}},
    {"HLEN", true, {NULL}},
    {"HGETALL", true, {NULL}},
    {"ZADD", true, {"XX", "0", "x", NULL}},
    {"ZREM", true, {"x", NULL}},
    {"ZREMRANGEBYLEX", true, {"-", "-", NULL}},
    {"ZCARD", true, {NULL}},
    {"ZCOUNT", true, {"0", "0", NULL}},
    {"ZLEXCOUNT", true, {"-", "+", NULL}},
    {"ZRANGE", true, {"0", "0", NULL}},
    {"ZRANDMEMBER", true, {NULL}},
    {"LLEN", true, {NULL}},
    {"LRANGE", true, {"0", "0", NULL}},
    {"TIME", false, {NULL}},
    {"FCALL", false, {"viewfold_no_such_function", "0", NULL}},
    {"FCALL_RO", false, {"viewfold_no_such_function", "0", NULL}},
};
#define QUESTIONS (sizeof questions / sizeof *questions)

static void ask(struct vf_store *store, const struct question *question)
{
    size_t rest = 0;
    while (question->rest[rest])
        rest++;
    vf_redis_request_begin(&store->request, 1u + (question->key_first ? 1u : 0u) + rest);
    vf_redis_request_add_text(&store->request, question->command);
    if (question->key_first)
        vf_redis_request_add_joined(&store->request, vf_bytes_from(store->prefix), VF_LITERAL("viewfold@rights"));
    for (size_t i = 0; i < rest; i++)
        vf_redis_request_add_text(&store->request, question->rest[i]);
}

/* There is no RPUSH that does nothing, so one of our functions asks. */
static enum vf_code check_push(struct vf_store *store, int64_t deadline_ms, struct vf_error *error)
{
    redisReply *reply = NULL;
    vf_redis_request_clear(&store->request);
    vf_redis_request_begin(&store->request, 4);
    vf_redis_request_add_text(&store->request, "FCALL_RO");
    vf_redis_request_add_text(&store->request, store->function_rights);
    vf_redis_request_add_int(&store->request, 1);
    vf_redis_request_add_joined(&store->request, vf_bytes_from(store->prefix), VF_LITERAL("viewfold@rights"));
    enum vf_code code = vf_redis_ask_function(store, "FCALL_RO", deadline_ms, &reply, error);
    if (code != VF_OK)
        return code;
    if (reply->elements == 3)
        code = vf_redis_fail_answer(store, vf_redis_bytes(reply->element[0]), vf_redis_bytes(reply->element[1]),
                                    vf_redis_bytes(reply->element[2]), error);
    freeReplyObject(reply);
    return code;
}

enum vf_code vf_redis_check_rights(struct vf_store *store, struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    vf_redis_begin(store);
    for (size_t i = 0; i < QUESTIONS; i++)
        ask(store, &questions[i]);
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    enum vf_code refused = VF_OK;
    for (size_t i = 0; code == VF_OK && i < QUESTIONS; i++) {
        redisReply *reply = NULL;
        code = vf_redis_receive(store, deadline_ms, &reply, error);
        bool denied = code == VF_OK && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0;
        if (denied && refused == VF_OK)
            refused = vf_redis_fail_reply(store, questions[i].command, reply, error);
        if (reply)
            freeReplyObject(reply);
    }
    if (code == VF_OK)
        code = refused;
    return code == VF_OK ? check_push(store, deadline_ms, error) : code;
}
