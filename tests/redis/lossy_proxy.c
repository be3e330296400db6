#include "redis/lossy_proxy.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct lossy_proxy {
    struct sockaddr_in server;
    int listener;
    int stop[2]; /* a pipe: closed at its writing end to stop the thread */
    int port;
    pthread_t thread;
    _Atomic int order;
};

static bool send_all(int socket_out, const char *data, ssize_t size)
{
    while (size > 0) {
        ssize_t sent = send(socket_out, data, (size_t)size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= sent;
    }
    return true;
}

/* Passes on what has come; false: this connection ends. */
static bool pass(struct lossy_proxy *proxy, int from, int to, enum lossy_order losing)
{
    char bytes[65536];
    ssize_t size = recv(from, bytes, sizeof(bytes), 0);
    if (size <= 0 || atomic_load(&proxy->order) == (int)losing)
        return false;
    return send_all(to, bytes, size);
}

static void serve(struct lossy_proxy *proxy, int client)
{
    int one = 1;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server >= 0 && connect(server, (const struct sockaddr *)&proxy->server, sizeof(proxy->server)) == 0) {
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        for (bool more = true; more;) {
            struct pollfd ready[3] = {
                {.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}, {.fd = proxy->stop[0]}};
            poll(ready, 3, -1);
            if (ready[0].revents)
                more = pass(proxy, client, server, LOSSY_LOSE_REQUEST);
            if (more && ready[1].revents)
                more = pass(proxy, server, client, LOSSY_LOSE_REPLY);
            if (ready[2].revents)
                more = false;
        }
    }
    if (server >= 0)
        close(server);
    close(client);
}

static void *run(void *self)
{
    struct lossy_proxy *proxy = self;
    struct pollfd ready[2] = {{.fd = proxy->listener, .events = POLLIN}, {.fd = proxy->stop[0]}};
    poll(ready, 2, -1);
    int client = ready[0].revents ? accept(proxy->listener, NULL, NULL) : -1;
    if (client >= 0)
        serve(proxy, client);
    return NULL;
}

struct lossy_proxy *lossy_proxy_new(const char *host, int port)
{
    struct lossy_proxy *proxy = calloc(1, sizeof(*proxy));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    proxy->server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &proxy->server.sin_addr);
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (proxy->listener < 0 || pipe(proxy->stop) != 0 ||
        bind(proxy->listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(proxy->listener, 1) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&proxy->thread, NULL, run, proxy) != 0) {
        free(proxy);
        return NULL;
    }
    proxy->port = ntohs(address.sin_port);
    return proxy;
}

int lossy_proxy_port(const struct lossy_proxy *proxy)
{
    return proxy->port;
}

void lossy_proxy_order(struct lossy_proxy *proxy, enum lossy_order order)
{
    atomic_store(&proxy->order, (int)order);
}

void lossy_proxy_free(struct lossy_proxy *proxy)
{
    if (!proxy)
        return;
    close(proxy->stop[1]);
    pthread_join(proxy->thread, NULL);
    close(proxy->stop[0]);
    close(proxy->listener);
    free(proxy);
}
