#include "connectors/redis/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* Room for "*1048576\r\n" and the like in front of a command whose arguments are counted last. */
#define UNCOUNTED_HEAD_BYTES 24

/* hiredis moves what is left in its input after each reply or so: with much more at once, reading grows quadratic. */
#define READ_BYTES 16384

struct vf_redis_connection {
    redisContext *context;
    char *label;
    bool broken;
};

/* --- requests ---------------------------------------------------------------------------------------------------- */

void vf_redis_request_init(struct vf_redis_request *request)
{
    *request = (struct vf_redis_request){0};
    vf_buffer_init(&request->buffer);
}

void vf_redis_request_done(struct vf_redis_request *request)
{
    vf_buffer_done(&request->buffer);
}

void vf_redis_request_clear(struct vf_redis_request *request)
{
    vf_buffer_clear(&request->buffer);
    request->start = 0;
    request->commands = 0;
    request->arguments = 0;
}

/* Writes a number and "\r\n" before `end`, and the sign before it; where that begins. */
static char *print_head(char *end, char sign, size_t number)
{
    *--end = '\n';
    *--end = '\r';
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *--end = sign;
    return end;
}

static void add_head(struct vf_redis_request *request, char sign, size_t number)
{
    char text[UNCOUNTED_HEAD_BYTES];
    char *head = print_head(text + sizeof(text), sign, number);
    vf_buffer_add(&request->buffer, head, (size_t)(text + sizeof(text) - head));
}

void vf_redis_request_begin(struct vf_redis_request *request, size_t argument_count)
{
    add_head(request, '*', argument_count);
    request->commands++;
}

void vf_redis_request_begin_uncounted(struct vf_redis_request *request)
{
    vf_redis_request_clear(request);
    char room[UNCOUNTED_HEAD_BYTES] = {0};
    vf_buffer_add(&request->buffer, room, sizeof(room));
    request->commands = 1;
}

void vf_redis_request_end_uncounted(struct vf_redis_request *request)
{
    char *begin = print_head(request->buffer.data + UNCOUNTED_HEAD_BYTES, '*', request->arguments);
    request->start = (size_t)(begin - request->buffer.data);
}

void vf_redis_request_add_joined(struct vf_redis_request *request, struct vf_bytes head, struct vf_bytes tail)
{
    /* Every argument of every document comes by here: room is made once, and filled in place. */
    char text[UNCOUNTED_HEAD_BYTES];
    char *size = print_head(text + sizeof(text), '$', head.size + tail.size);
    size_t size_bytes = (size_t)(text + sizeof(text) - size);
    size_t all_bytes = size_bytes + head.size + tail.size + 2;
    char *end = vf_buffer_reserve(&request->buffer, all_bytes);
    memcpy(end, size, size_bytes);
    end += size_bytes;
    if (head.size)
        memcpy(end, head.data, head.size);
    end += head.size;
    if (tail.size)
        memcpy(end, tail.data, tail.size);
    end += tail.size;
    memcpy(end, "\r\n", 3); /* and the NUL that a buffer ends with */
    request->buffer.size += all_bytes;
    request->arguments++;
}

void vf_redis_request_add(struct vf_redis_request *request, struct vf_bytes argument)
{
    vf_redis_request_add_joined(request, argument, (struct vf_bytes){NULL, 0});
}

void vf_redis_request_add_room(struct vf_redis_request *request, size_t size)
{
    add_head(request, '$', size);
    memset(vf_buffer_reserve(&request->buffer, size + 2), 0, size);
    request->buffer.size += size;
    vf_buffer_add_text(&request->buffer, "\r\n");
    request->arguments++;
}

void vf_redis_request_add_text(struct vf_redis_request *request, const char *argument)
{
    vf_redis_request_add(request, vf_bytes_from(argument));
}

void vf_redis_request_add_int(struct vf_redis_request *request, int64_t argument)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, argument);
    vf_redis_request_add(request, vf_bytes(text, (size_t)size));
}

/* --- the connection ---------------------------------------------------------------------------------------------- */

int64_t vf_redis_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum vf_code vf_redis_connection_open(const char *label, const char *host, int port, int64_t timeout_ms,
                                      struct vf_redis_connection **ret_connection, struct vf_error *error)
{
    if (timeout_ms < 1)
        timeout_ms = 1;
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
    redisContext *context = redisConnectWithTimeout(host, port, limit);
    if (!context)
        vf_out_of_memory(sizeof(redisContext));
    if (context->err) {
        enum vf_code code =
            vf_fail_retriable(error, VF_E_UNAVAILABLE, "%s: cannot connect: %s", label, context->errstr);
        redisFree(context);
        return code;
    }
    /* From here on poll(2) waits, with a deadline over the whole call; hiredis would limit each packet by itself. */
    int flags = fcntl(context->fd, F_GETFL);
    if (flags < 0 || fcntl(context->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        enum vf_code code =
            vf_fail_retriable(error, VF_E_UNAVAILABLE, "%s: cannot prepare the socket: %s", label, strerror(errno));
        redisFree(context);
        return code;
    }
    context->flags &= ~REDIS_BLOCK;
    /* A host that vanished without a word is noticed on an idle connection too. */
    (void)redisEnableKeepAlive(context);

    struct vf_redis_connection *connection = vf_calloc(1, sizeof(*connection));
    connection->context = context;
    connection->label = vf_strdup(label);
    *ret_connection = connection;
    return VF_OK;
}

void vf_redis_connection_free(struct vf_redis_connection *connection)
{
    if (!connection)
        return;
    redisFree(connection->context);
    free(connection->label);
    free(connection);
}

bool vf_redis_connection_broken(const struct vf_redis_connection *connection)
{
    return connection->broken;
}

int vf_redis_connection_descriptor(const struct vf_redis_connection *connection)
{
    return connection->context->fd;
}

static enum vf_code fail_lost(struct vf_redis_connection *connection, const char *why, struct vf_error *error)
{
    connection->broken = true;
    return vf_fail_retriable(error, VF_E_UNAVAILABLE, "%s: %s", connection->label, why);
}

static enum vf_code fail_errno(struct vf_redis_connection *connection, const char *what, struct vf_error *error)
{
    char text[192];
    snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
    return fail_lost(connection, text, error);
}

/* Waits until one of `events` is there. */
static enum vf_code wait_for(struct vf_redis_connection *connection, short events, int64_t deadline_ms,
                             short *ret_events, struct vf_error *error)
{
    for (;;) {
        int64_t left_ms = deadline_ms - vf_redis_now_ms();
        if (left_ms <= 0)
            return fail_lost(connection, "no answer within the time limit", error);
        struct pollfd one = {.fd = connection->context->fd, .events = events};
        int ready = poll(&one, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (ready < 0 && errno != EINTR)
            return fail_errno(connection, "poll", error);
        if (ready > 0) {
            *ret_events = one.revents;
            return VF_OK;
        }
    }
}

/* Takes in what has arrived; nothing is fine. */
static enum vf_code read_some(struct vf_redis_connection *connection, struct vf_error *error)
{
    char bytes[READ_BYTES];
    ssize_t size = recv(connection->context->fd, bytes, sizeof(bytes), 0);
    if (size == 0)
        return fail_lost(connection, "the server closed the connection", error);
    if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
            return VF_OK;
        return fail_errno(connection, "connection lost", error);
    }
    if (redisReaderFeed(connection->context->reader, bytes, (size_t)size) != REDIS_OK)
        return fail_lost(connection, connection->context->reader->errstr, error);
    return VF_OK;
}

enum vf_code vf_redis_connection_send(struct vf_redis_connection *connection, const struct vf_redis_request *request,
                                      int64_t deadline_ms, struct vf_error *error)
{
    if (connection->broken)
        return fail_lost(connection, "the connection was lost before", error);
    const char *data = request->buffer.data + request->start;
    size_t left = request->buffer.size - request->start;
    while (left > 0) {
        ssize_t sent = send(connection->context->fd, data, left, MSG_NOSIGNAL);
        if (sent >= 0) {
            data += sent;
            left -= (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return fail_errno(connection, "connection lost", error);
        /* The server may wait for us to read before it reads on. */
        short events = 0;
        enum vf_code code = wait_for(connection, POLLOUT | POLLIN, deadline_ms, &events, error);
        if (code == VF_OK && (events & POLLIN))
            code = read_some(connection, error);
        if (code != VF_OK)
            return code;
    }
    return VF_OK;
}

enum vf_code vf_redis_connection_receive(struct vf_redis_connection *connection, int64_t deadline_ms,
                                         redisReply **ret_reply, struct vf_error *error)
{
    if (connection->broken)
        return fail_lost(connection, "the connection was lost before", error);
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(connection->context->reader, &reply) != REDIS_OK)
            return fail_lost(connection, connection->context->reader->errstr, error);
        if (reply) {
            *ret_reply = reply;
            return VF_OK;
        }
        short events = 0;
        enum vf_code code = wait_for(connection, POLLIN, deadline_ms, &events, error);
        if (code == VF_OK)
            code = read_some(connection, error);
        if (code != VF_OK)
            return code;
    }
}
