#include "watch.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_US 50000

struct bench_watch {
    redisContext *context;
};

static __attribute__((noreturn)) void stop(const char *what, const char *why)
{
    fprintf(stderr, "bench-latency: redis: %s: %s\n", what, why);
    exit(1);
}

static struct bench_watch *open_redis(const char *url, const char *where, const char *view)
{
    char host[128];
    int port;
    struct bench_watch *watch = calloc(1, sizeof *watch);
    if (!watch || sscanf(url, "redis://%127[^:/]:%d", host, &port) != 2)
        stop(url, "wants redis://host:port");
    watch->context = redisConnect(host, port);
    if (!watch->context || watch->context->err)
        stop(url, watch->context ? watch->context->errstr : "out of memory");
    redisReply *reply = redisCommand(watch->context, "SUBSCRIBE %s%s@changes", where, view);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        stop("SUBSCRIBE", reply ? reply->str : watch->context->errstr);
    freeReplyObject(reply);
    redisSetTimeout(watch->context, (struct timeval){.tv_usec = TURN_US});
    return watch;
}

/* generation:id:revision; the id may hold colons. */
static void tell(const redisReply *reply, bench_watch_heard *heard, void *self)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || reply->element[2]->type != REDIS_REPLY_STRING)
        return;
    const char *text = reply->element[2]->str;
    const char *first = strchr(text, ':'), *last = strrchr(text, ':');
    if (first && last > first)
        heard(self, first + 1, (size_t)(last - first - 1), atoll(last + 1));
}

static void turn_redis(struct bench_watch *watch, bench_watch_heard *heard, void *self)
{
    redisContext *context = watch->context;
    void *reply = NULL;
    if (redisBufferRead(context) != REDIS_OK) {
        if (context->err != REDIS_ERR_IO)
            stop("the change channel", context->errstr);
        context->err = 0; /* the time ran out */
        context->errstr[0] = '\0';
    }
    while (redisGetReplyFromReader(context, &reply) == REDIS_OK && reply) {
        tell(reply, heard, self);
        freeReplyObject(reply);
        reply = NULL;
    }
    if (context->err)
        stop("the change channel", context->errstr);
}

static void close_redis(struct bench_watch *watch)
{
    redisFree(watch->context);
    free(watch);
}

const struct bench_watch_type bench_watch_redis = {open_redis, turn_redis, close_redis};
