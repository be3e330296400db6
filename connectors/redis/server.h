/*
 * What a Redis server is asked for and about: its address, what it says of itself, and what its refusals mean. Pure
 * functions; any thread.
 */
#ifndef VF_REDIS_SERVER_H
#define VF_REDIS_SERVER_H

#include "core/bytes.h"
#include "core/error.h"

#define VF_REDIS_HOST_BYTES 256

struct vf_redis_address {
    char host[VF_REDIS_HOST_BYTES];
    int port;
    int database;
    char *username; /* from the URL, percent-decoded; NULL: none */
    char *password;
};

/* redis://[user:password@]host[:port][/db]. VF_E_CONFIG; the text never shows the URL, which may hold a password.
 * On success *ret_address is to be released. */
VF_MUSTCHECK enum vf_code vf_redis_address_parse(const char *store_name, const char *url,
                                                 struct vf_redis_address *ret_address, struct vf_error *error);
void vf_redis_address_done(struct vf_redis_address *address);

/* Looks at an answer to INFO. VF_E_CONFIG with the reason and what to do where the server cannot serve: older than 7.0, a
 * cluster, a sentinel, a replica, one that evicts. VF_E_UNAVAILABLE, retriable, while it loads its data. */
VF_MUSTCHECK enum vf_code vf_redis_info_check(const char *label, struct vf_bytes info, struct vf_error *error);

/* Which server it is. */
struct vf_redis_identity {
    char run[64];         /* another one: it was restarted, or is another server */
    char replication[64]; /* another one: it was a replica meanwhile, or has its first replica */
    bool has_followed;    /* it has a replication id from before it became the master */
};

/* By an answer to INFO. */
void vf_redis_info_identity(struct vf_bytes info, struct vf_redis_identity *ret_identity);
/* False where what was read from the one need not be in the other. */
bool vf_redis_same_server(const struct vf_redis_identity *before, const struct vf_redis_identity *now);

/* What a server's error reply means. `command` is what was refused, `username` and `prefix` are for the advice. DENIED:
 * login or rights; UNAVAILABLE, retriable: full, read-only, loading, busy; CONFIG: something else lies at a key.
 * VF_OK, and *error untouched, where the reply is none of these. */
enum vf_code vf_redis_refusal(const char *label, const char *command, const char *username, const char *prefix,
                              struct vf_bytes reply, struct vf_error *error);

/* The rights that the store needs, as in "ACL SETUSER name " and this, with "shop:" for the prefix. */
void vf_redis_rights_print(struct vf_buffer *out, const char *prefix);

#endif
