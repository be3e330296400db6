/*
 * One connection to a Redis server: hiredis connects and reads replies; requests are written here, every argument with its
 * length, so that nothing that comes from an event can become a command. Each call has a deadline of its own, over all of
 * its packets. After a failure the connection says no more: free it.
 *
 * hiredis 0.14 writes with write(2), which raises SIGPIPE where the server has gone, and moves the whole remaining output
 * after each partial write; so bytes are sent here.
 */
#ifndef VF_REDIS_CONNECTION_H
#define VF_REDIS_CONNECTION_H

#include "core/bytes.h"
#include "core/error.h"

#include <hiredis/hiredis.h>

/* One or more commands, as bytes on their way. */
struct vf_redis_request {
    struct vf_buffer buffer;
    size_t start;     /* where the bytes to send begin */
    size_t commands;  /* how many replies will come */
    size_t arguments; /* of the command being written */
};

void vf_redis_request_init(struct vf_redis_request *request);
void vf_redis_request_done(struct vf_redis_request *request);
void vf_redis_request_clear(struct vf_redis_request *request);

/* Begins a command of so many arguments, its name included; exactly that many are to be added. */
void vf_redis_request_begin(struct vf_redis_request *request, size_t argument_count);

/* Begins the only command of a request, whose arguments are counted while they are added; ends it. */
void vf_redis_request_begin_uncounted(struct vf_redis_request *request);
void vf_redis_request_end_uncounted(struct vf_redis_request *request);

void vf_redis_request_add(struct vf_redis_request *request, struct vf_bytes argument);
void vf_redis_request_add_text(struct vf_redis_request *request, const char *argument);
void vf_redis_request_add_int(struct vf_redis_request *request, int64_t argument);
/* An argument of so many bytes, which are zero and to be filled in; they end two bytes before the buffer's end. */
void vf_redis_request_add_room(struct vf_redis_request *request, size_t size);
/* One argument out of two parts: a key's fixed beginning and an id. */
void vf_redis_request_add_joined(struct vf_redis_request *request, struct vf_bytes head, struct vf_bytes tail);

/* Monotonic; what deadlines are made of. */
int64_t vf_redis_now_ms(void);

struct vf_redis_connection;

/* `label` ("store cache: redis 127.0.0.1:6379") begins every error's text; copied. VF_E_UNAVAILABLE, retriable. */
VF_MUSTCHECK enum vf_code vf_redis_connection_open(const char *label, const char *host, int port, int64_t timeout_ms,
                                                   struct vf_redis_connection **ret_connection, struct vf_error *error);
void vf_redis_connection_free(struct vf_redis_connection *connection); /* NULL is fine */

/* True once something has failed on it. */
bool vf_redis_connection_broken(const struct vf_redis_connection *connection);

/* Puts all bytes of the request on the wire. VF_E_UNAVAILABLE: the server may have got a part of it, or all. */
VF_MUSTCHECK enum vf_code vf_redis_connection_send(struct vf_redis_connection *connection,
                                                   const struct vf_redis_request *request, int64_t deadline_ms,
                                                   struct vf_error *error);

/* The next reply, to be freed with freeReplyObject. A reply of type REDIS_REPLY_ERROR is VF_OK here. */
VF_MUSTCHECK enum vf_code vf_redis_connection_receive(struct vf_redis_connection *connection, int64_t deadline_ms,
                                                      redisReply **ret_reply, struct vf_error *error);

/* For tests: the socket. */
int vf_redis_connection_descriptor(const struct vf_redis_connection *connection);

#endif
