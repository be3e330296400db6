/*
 * A proxy on loopback between one client and a server, which loses a request or a reply when told. One thread each.
 */
#ifndef VF_TESTS_LOSSY_PROXY_H
#define VF_TESTS_LOSSY_PROXY_H

enum lossy_order {
    LOSSY_PASS,
    LOSSY_LOSE_REQUEST, /* the next bytes from the client go nowhere, and its connection is closed */
    LOSSY_LOSE_REPLY,   /* the next bytes from the server go nowhere, and the client's connection is closed */
};

struct lossy_proxy;

/* Listens on a port of its own for one client. NULL where that is not possible. */
struct lossy_proxy *lossy_proxy_new(const char *host, int port);
int lossy_proxy_port(const struct lossy_proxy *proxy);
void lossy_proxy_order(struct lossy_proxy *proxy, enum lossy_order order);
void lossy_proxy_free(struct lossy_proxy *proxy); /* closes both connections */

#endif
