#include "mongodb/proxy.h"

#include "core/bytes.h"

#include <bson/bson.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER_BYTES = 16, BODY_AT = 21, OP_MSG = 2013, ID_BYTES_MAX = 64, MESSAGE_BYTES_MAX = 64 * 1024 * 1024 };

enum losing { LOSE_NOTHING, LOSE_TRANSACTION, LOSE_COMMIT, LOSE_REPLY, LOSE_ONE_REPLY };

enum verdict { PASS, CUT, PASS_AND_CUT_REPLY };

struct connection {
    struct proxy *proxy;
    struct connection *next;
    int client, server;
    bool mute; /* what the server says now is not passed on */
    pthread_t forth, back;
};

struct proxy {
    pthread_mutex_t lock;
    int listening;
    uint16_t port, target;
    enum losing losing;
    int cut_at;                /* messages until one is cut; 0: none */
    char doomed[ID_BYTES_MAX]; /* session id and number of the transaction whose commit is not passed on */
    size_t doomed_size;
    int cuts, commits, safe_commits;
    struct connection *connections;
    pthread_t thread;
};

static bool read_all(int socket, char *data, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(socket, data, size, 0);
        if (got <= 0)
            return false;
        data += got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_all(int socket, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = send(socket, data, size, MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        data += put;
        size -= (size_t)put;
    }
    return true;
}

/* One whole message into *message, which grows. 0: the connection ended. */
static size_t read_message(int socket, char **message)
{
    int32_t size;
    if (!read_all(socket, (char *)&size, sizeof(size)) || size < HEADER_BYTES || size > MESSAGE_BYTES_MAX)
        return 0;
    *message = vf_realloc(*message, (size_t)size);
    memcpy(*message, &size, sizeof(size));
    return read_all(socket, *message + sizeof(size), (size_t)size - sizeof(size)) ? (size_t)size : 0;
}

/* The transaction that a command belongs to, as bytes. 0: to none. */
static size_t transaction_of(const bson_t *command, char id[ID_BYTES_MAX])
{
    bson_iter_t iter, session;
    bson_subtype_t subtype;
    const uint8_t *data;
    uint32_t size;
    int64_t number;
    if (!bson_iter_init(&iter, command) || !bson_iter_find_descendant(&iter, "lsid.id", &session) ||
        !BSON_ITER_HOLDS_BINARY(&session) || !bson_iter_init_find(&iter, command, "txnNumber"))
        return 0;
    bson_iter_binary(&session, &subtype, &size, &data);
    number = bson_iter_as_int64(&iter);
    if (size + sizeof(number) > ID_BYTES_MAX)
        return 0;
    memcpy(id, data, size);
    memcpy(id + size, &number, sizeof(number));
    return size + sizeof(number);
}

static bool is_safe(const bson_t *command)
{
    bson_iter_t iter, concern;
    return bson_iter_init(&iter, command) && bson_iter_find_descendant(&iter, "writeConcern.w", &concern) &&
           BSON_ITER_HOLDS_UTF8(&concern) && strcmp(bson_iter_utf8(&concern, NULL), "majority") == 0 &&
           bson_iter_init(&iter, command) && bson_iter_find_descendant(&iter, "writeConcern.j", &concern) &&
           bson_iter_as_bool(&concern);
}

static enum verdict judge_commit(struct proxy *proxy, const bson_t *command)
{
    proxy->commits++;
    proxy->safe_commits += is_safe(command);
    char id[ID_BYTES_MAX];
    size_t size = transaction_of(command, id);
    enum losing losing = proxy->losing;
    if (size > 0 && size == proxy->doomed_size && memcmp(id, proxy->doomed, size) == 0)
        return CUT;
    if (losing != LOSE_COMMIT && losing != LOSE_REPLY && losing != LOSE_ONE_REPLY)
        return PASS;
    proxy->losing = LOSE_NOTHING;
    if (losing != LOSE_ONE_REPLY) {
        memcpy(proxy->doomed, id, size);
        proxy->doomed_size = size;
    }
    return losing == LOSE_COMMIT ? CUT : PASS_AND_CUT_REPLY;
}

static enum verdict judge(struct proxy *proxy, const char *message, size_t size)
{
    int32_t operation;
    bson_t command;
    bson_iter_t iter;
    if (proxy->cut_at > 0 && --proxy->cut_at == 0)
        return CUT;
    memcpy(&operation, message + 12, sizeof(operation));
    if (operation != OP_MSG || size <= BODY_AT || message[BODY_AT - 1] != 0)
        return PASS;
    uint32_t length;
    memcpy(&length, message + BODY_AT, sizeof(length));
    if (length > size - BODY_AT || !bson_init_static(&command, (const uint8_t *)message + BODY_AT, length) ||
        !bson_iter_init(&iter, &command) || !bson_iter_next(&iter))
        return PASS;
    if (strcmp(bson_iter_key(&iter), "commitTransaction") == 0)
        return judge_commit(proxy, &command);
    if (proxy->losing == LOSE_TRANSACTION && bson_iter_init_find(&iter, &command, "startTransaction")) {
        proxy->losing = LOSE_NOTHING;
        return CUT;
    }
    return PASS;
}

static void cut(struct connection *connection)
{
    shutdown(connection->client, SHUT_RDWR);
    shutdown(connection->server, SHUT_RDWR);
}

static void *carry_forth(void *self)
{
    struct connection *connection = self;
    struct proxy *proxy = connection->proxy;
    char *message = NULL;
    size_t size;
    while ((size = read_message(connection->client, &message)) > 0) {
        pthread_mutex_lock(&proxy->lock);
        enum verdict verdict = judge(proxy, message, size);
        connection->mute = verdict == PASS_AND_CUT_REPLY;
        proxy->cuts += verdict != PASS;
        pthread_mutex_unlock(&proxy->lock);
        if (verdict == CUT || !write_all(connection->server, message, size))
            break;
    }
    cut(connection);
    free(message);
    return NULL;
}

static void *carry_back(void *self)
{
    struct connection *connection = self;
    char *message = NULL;
    size_t size;
    while ((size = read_message(connection->server, &message)) > 0) {
        pthread_mutex_lock(&connection->proxy->lock);
        bool mute = connection->mute;
        pthread_mutex_unlock(&connection->proxy->lock);
        if (mute || !write_all(connection->client, message, size))
            break;
    }
    cut(connection);
    free(message);
    return NULL;
}

static int loopback(uint16_t port, bool listening, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (listening ? bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 64) == 0
                  : connect(fd, (struct sockaddr *)&address, size) == 0) {
        if (ret_port && getsockname(fd, (struct sockaddr *)&address, &size) == 0)
            *ret_port = ntohs(address.sin_port);
        return fd;
    }
    close(fd);
    return -1;
}

static void *take_connections(void *self)
{
    struct proxy *proxy = self;
    int client, one = 1;
    while ((client = accept(proxy->listening, NULL, NULL)) >= 0) {
        int server = loopback(proxy->target, false, NULL);
        if (server < 0) {
            close(client);
            continue;
        }
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct connection *connection = vf_calloc(1, sizeof(*connection));
        connection->proxy = proxy;
        connection->client = client;
        connection->server = server;
        connection->next = proxy->connections; /* this thread's alone until it has ended */
        proxy->connections = connection;
        pthread_create(&connection->forth, NULL, carry_forth, connection);
        pthread_create(&connection->back, NULL, carry_back, connection);
    }
    return NULL;
}

struct proxy *proxy_new(uint16_t port)
{
    struct proxy *proxy = vf_calloc(1, sizeof(*proxy));
    proxy->target = port;
    proxy->listening = loopback(0, true, &proxy->port);
    if (proxy->listening < 0) {
        free(proxy);
        return NULL;
    }
    pthread_mutex_init(&proxy->lock, NULL);
    pthread_create(&proxy->thread, NULL, take_connections, proxy);
    return proxy;
}

void proxy_free(struct proxy *proxy)
{
    if (!proxy)
        return;
    shutdown(proxy->listening, SHUT_RDWR);
    pthread_join(proxy->thread, NULL);
    close(proxy->listening);
    for (struct connection *connection = proxy->connections, *next; connection; connection = next) {
        next = connection->next;
        cut(connection);
        pthread_join(connection->forth, NULL);
        pthread_join(connection->back, NULL);
        close(connection->client);
        close(connection->server);
        free(connection);
    }
    pthread_mutex_destroy(&proxy->lock);
    free(proxy);
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

static void lose(struct proxy *proxy, enum losing losing)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->losing = losing;
    pthread_mutex_unlock(&proxy->lock);
}

void proxy_lose_next_transaction(struct proxy *proxy)
{
    lose(proxy, LOSE_TRANSACTION);
}

void proxy_lose_next_commit_reply(struct proxy *proxy)
{
    lose(proxy, LOSE_REPLY);
}

void proxy_lose_one_commit_reply(struct proxy *proxy)
{
    lose(proxy, LOSE_ONE_REPLY);
}

void proxy_lose_next_commit(struct proxy *proxy)
{
    lose(proxy, LOSE_COMMIT);
}

void proxy_cut_at_message(struct proxy *proxy, int number)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->cut_at = number;
    pthread_mutex_unlock(&proxy->lock);
}

void proxy_commits(struct proxy *proxy, int *ret_all, int *ret_safe)
{
    pthread_mutex_lock(&proxy->lock);
    *ret_all = proxy->commits;
    *ret_safe = proxy->safe_commits;
    pthread_mutex_unlock(&proxy->lock);
}

int proxy_cuts(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    int cuts = proxy->cuts;
    pthread_mutex_unlock(&proxy->lock);
    return cuts;
}
