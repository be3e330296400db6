#include "redis/redis_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka wants these first. */
#include <cmocka.h>

#define SERVERS_MAX     16
#define START_TRIES_MAX 500

static char host[256];
static int port;
static char prefix[64];
static redisContext *context; /* of plain commands */
static int context_port;
static redisReply *last_reply;

static struct server {
    pid_t process;
    int port;
    char folder[64];
} servers[SERVERS_MAX];
static int server_count;

static void give_up(const char *what)
{
    fprintf(stderr, "test needs a Redis server: %s\n", what);
    exit(1);
}

void redis_fixture_begin(void)
{
    const char *url = getenv("VIEWFOLD_REDIS");
    uint64_t random = 0;
    if (!url)
        give_up("VIEWFOLD_REDIS is not set; tests/servers/servers.sh up redis, and eval its env");
    if (sscanf(url, "redis://%255[^:/]:%d", host, &port) != 2)
        give_up("VIEWFOLD_REDIS is not of the form redis://host:port/db");
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        give_up("no random numbers");
    snprintf(prefix, sizeof(prefix), "vftest%016llx:", (unsigned long long)random);
    redisReply *info = redis_fixture_ask(port, "INFO", "server", NULL);
    const char *version = info->type == REDIS_REPLY_STRING ? strstr(info->str, "redis_version:") : NULL;
    if (!version)
        give_up("it does not answer INFO");
    printf("Redis %.*s at %s:%d\n", (int)strcspn(version + 14, "\r\n"), version + 14, host, port);
}

void redis_fixture_end(void)
{
    char pattern[80], cursor[32] = "0";
    snprintf(pattern, sizeof(pattern), "%s*", prefix);
    do {
        redisReply *page = redis_fixture_ask(port, "SCAN", cursor, "MATCH", pattern, "COUNT", "1000", NULL);
        if (page->type != REDIS_REPLY_ARRAY)
            break;
        snprintf(cursor, sizeof(cursor), "%s", page->element[0]->str);
        last_reply = NULL;
        for (size_t i = 0; i < page->element[1]->elements; i++) {
            const char *argv[2] = {"UNLINK", page->element[1]->element[i]->str};
            size_t sizes[2] = {6, page->element[1]->element[i]->len};
            freeReplyObject(redisCommandArgv(context, 2, argv, sizes));
        }
        freeReplyObject(page);
    } while (strcmp(cursor, "0") != 0);
    freeReplyObject(last_reply);
    last_reply = NULL;
    redisFree(context);
    context = NULL;
}

const char *redis_fixture_host(void)
{
    return host;
}

int redis_fixture_port(void)
{
    return port;
}

const char *redis_fixture_prefix(void)
{
    return prefix;
}

enum vf_code redis_fixture_try_open(int at_port, const char *username, const char *password,
                                    struct vf_store **ret_store, struct vf_error *error)
{
    char url[320];
    snprintf(url, sizeof(url), "redis://%s:%d/0", host, at_port);
    struct vf_store_config config = {
        .name = "cache",
        .url = url,
        .username = username,
        .password = password,
        .prefix = prefix,
        .connect_timeout_ms = 5000,
        .command_timeout_ms = 30000,
    };
    return vf_redis_store_type.open(&config, ret_store, error);
}

struct vf_store *redis_fixture_open(int at_port)
{
    struct vf_store *store = NULL;
    struct vf_error error;
    if (redis_fixture_try_open(at_port, NULL, NULL, &store, &error) != VF_OK)
        fail_msg("%s", error.text);
    return store;
}

/* A copy with the prefix in the place of each '|'. */
static char *with_prefix(const char *text)
{
    char *made = malloc(strlen(text) * sizeof(prefix) + 1), *end = made;
    for (; *text; text++) {
        if (*text == '|')
            end = stpcpy(end, prefix);
        else
            *end++ = *text;
    }
    *end = '\0';
    return made;
}

redisReply *redis_fixture_ask(int at_port, const char *command, ...)
{
    const char *argv[64];
    int argc = 0;
    va_list arguments;
    va_start(arguments, command);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, on the line above */
    for (const char *argument = command; argument; argument = va_arg(arguments, const char *))
        argv[argc++] = with_prefix(argument);
    va_end(arguments);
    if (context && context_port != at_port) {
        redisFree(context);
        context = NULL;
    }
    if (!context)
        context = redisConnect(host, at_port);
    context_port = at_port;
    freeReplyObject(last_reply);
    last_reply = context->err ? NULL : redisCommandArgv(context, argc, argv, NULL);
    for (int i = 0; i < argc; i++)
        free((char *)argv[i]);
    if (!last_reply) {
        fprintf(stderr, "%s:%d: %s\n", host, at_port, context->errstr);
        exit(1);
    }
    return last_reply;
}

/* --- servers of the test's own --------------------------------------------------------------------------------------- */

/* Below the kernel's range for outgoing connections, and low enough for a cluster's second port, 10,000 above. */
static int free_port(void)
{
    static unsigned next;
    if (next == 0)
        next = (unsigned)getpid();
    for (;;) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int candidate = 10000 + (int)(next++ * 7919 % 9000);
        address.sin_port = htons((uint16_t)candidate);
        int probe = socket(AF_INET, SOCK_STREAM, 0);
        bool bound = bind(probe, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(probe);
        if (bound)
            return candidate;
    }
}

/* Asked until it answers: that it is up counts, not how long it took. poll(2) only keeps it from spinning. */
static void wait_until_up(const struct server *server)
{
    for (int i = 0; i < START_TRIES_MAX && waitpid(server->process, NULL, WNOHANG) == 0; i++) {
        redisContext *probe = redisConnect(host, server->port);
        redisReply *pong = probe && !probe->err ? redisCommand(probe, "PING") : NULL;
        bool up = pong != NULL;
        freeReplyObject(pong);
        redisFree(probe);
        if (up)
            return;
        poll(NULL, 0, 10);
    }
    give_up("redis-server does not start (VIEWFOLD_REDIS_SERVER, or else on PATH)");
}

int redis_fixture_start_server(const char *option, const char *value)
{
    struct server *server = &servers[server_count++];
    char port_text[16];
    const char *program = getenv("VIEWFOLD_REDIS_SERVER"); /* fresh Debians have it by another name, not on PATH */
    char *argv[] = {(char *)(program ? program : "redis-server"),
                    "--port",
                    port_text,
                    "--save",
                    "",
                    "--dir",
                    server->folder,
                    "--bind",
                    "127.0.0.1",
                    (char *)option,
                    (char *)value,
                    NULL};
    server->port = free_port();
    snprintf(port_text, sizeof(port_text), "%d", server->port);
    snprintf(server->folder, sizeof(server->folder), "/tmp/vfredisXXXXXX");
    if (!mkdtemp(server->folder))
        give_up("mkdtemp");
    server->process = fork();
    if (server->process == 0) {
        /* It ends with the test, however that ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stdout))
            _exit(126);
        execvp(argv[0], argv);
        _exit(127);
    }
    wait_until_up(server);
    return server->port;
}

void redis_fixture_stop_servers(void)
{
    for (int i = 0; i < server_count; i++) {
        char command[128];
        if (context && context_port == servers[i].port) {
            redisFree(context);
            context = NULL;
        }
        kill(servers[i].process, SIGKILL);
        waitpid(servers[i].process, NULL, 0);
        snprintf(command, sizeof(command), "rm -rf %s", servers[i].folder);
        if (system(command) != 0)
            fprintf(stderr, "cannot remove %s\n", servers[i].folder);
    }
    server_count = 0;
}

void redis_fixture_register(int port, const char *view)
{
    char progress[128];
    snprintf(progress, sizeof(progress), "|%s@1:progress", view);
    redis_fixture_ask(port, "HSET", progress, "generation", "0000000000000000", NULL);
}
