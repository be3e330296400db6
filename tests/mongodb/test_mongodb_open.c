/* Connecting to servers that can serve and to those that cannot: each is refused with its reason and what to do. */
#define _GNU_SOURCE /* nftw */
#include "connectors/mongodb/mongodb_store.h"
#include "mongodb/server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server server;

static enum vf_code open_url(const char *url, const char *username, const char *password, struct vf_error *error)
{
    struct vf_store_config config = {.name = "documents",
                                     .url = url,
                                     .username = username,
                                     .password = password,
                                     .connect_timeout_ms = 5000,
                                     .command_timeout_ms = 5000};
    struct vf_store *store = NULL;
    enum vf_code code = vf_mongodb_store_type.open(&config, &store, error);
    if (code == VF_OK)
        vf_mongodb_store_type.close(store);
    else
        assert_null(store);
    return code;
}

static void assert_refused(const char *url, enum vf_code wanted, bool retriable, const char *says)
{
    struct vf_error error = {0};
    assert_int_equal(open_url(url, NULL, NULL, &error), wanted);
    assert_int_equal(error.retriable, retriable);
    if (!strstr(error.text, says))
        fail_msg("does not say \"%s\": %s", says, error.text);
}

static const char *url_of(const char *format, uint16_t port)
{
    static char url[256];
    snprintf(url, sizeof(url), format, (unsigned)port);
    return url;
}

static void a_replica_set_is_connected_to_by_name_or_without(void **state)
{
    struct vf_error error = {0};
    (void)state;
    assert_int_equal(open_url(server.url, NULL, NULL, &error), VF_OK);
    assert_int_equal(open_url(url_of("mongodb://127.0.0.1:%u/shop", server.port), NULL, NULL, &error), VF_OK);
    vf_mongodb_store_type.close(NULL);
}

static void a_url_without_a_database_is_refused(void **state)
{
    (void)state;
    assert_refused(url_of("mongodb://127.0.0.1:%u/?replicaSet=rs0", server.port), VF_E_CONFIG, false,
                   "names no database");
    assert_refused(url_of("mongodb://127.0.0.1:%u", server.port), VF_E_CONFIG, false, "names no database");
    assert_refused("redis://127.0.0.1:6379/0", VF_E_CONFIG, false, "cannot be read");
}

static void a_password_is_not_quoted(void **state)
{
    struct vf_error error = {0};
    (void)state;
    assert_int_equal(open_url("mongodb://me:sec@ret/word@127.0.0.1:1/shop", NULL, NULL, &error), VF_E_CONFIG);
    assert_null(strstr(error.text, "sec"));
    assert_null(strstr(error.text, "word@"));
    assert_non_null(strstr(error.text, "percent-encode"));
}

static void nobody_there_is_unavailable(void **state)
{
    (void)state;
    assert_refused("mongodb://127.0.0.1:1/shop", VF_E_UNAVAILABLE, true, "127.0.0.1:1");
}

static void another_sets_member_is_refused(void **state)
{
    (void)state;
    assert_refused(url_of("mongodb://127.0.0.1:%u/shop?replicaSet=other", server.port), VF_E_CONFIG, false,
                   "another replica set");
}

static void a_wrong_password_is_denied(void **state)
{
    struct vf_error error = {0};
    (void)state;
    assert_int_equal(open_url(server.url, "nobody", "hunter2", &error), VF_E_DENIED);
    assert_null(strstr(error.text, "hunter2"));
    const char *first = strstr(error.text, "check username and password of stores.documents");
    assert_non_null(first);
    assert_non_null(strstr(first, "authSource"));
    assert_null(strstr(error.text, "readWrite"));
}

static void a_missing_right_is_denied(void **state)
{
    struct vf_error error = {0};
    char fault[256];
    (void)state;
    snprintf(fault, sizeof(fault),
             "{\"configureFailPoint\": \"failCommand\", \"mode\": {\"times\": 1}, \"data\": {\"failCommands\": "
             "[\"find\"], \"errorCode\": 13, \"appName\": \"%s\"}}",
             server.database);
    bson_destroy(server_run(&server, "admin", fault));
    assert_int_equal(open_url(server.url, NULL, NULL, &error), VF_E_DENIED);
    assert_non_null(strstr(error.text, "readWrite"));
}

/* ---- servers of the test's own ---- */

struct own {
    pid_t pid;
    uint16_t port;
    char folder[64];
};

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* The program of the server that the tests run on, or the one on PATH. */
static void find_mongod(char *path, size_t size)
{
    const char *pid = getenv("VIEWFOLD_MONGODB_PID");
    char link[64];
    ssize_t length;
    snprintf(path, size, "mongod");
    if (!pid)
        return;
    snprintf(link, sizeof(link), "/proc/%.20s/exe", pid);
    length = readlink(link, path, size - 1);
    if (length < 0)
        fail_msg("%s: %s: does the MongoDB of VIEWFOLD_MONGODB_PID run?", link, strerror(errno));
    path[length] = 0;
}

/* Waits until the server answers by asking it; a connection that is refused comes back at once. */
static void wait_for(struct own *own)
{
    mongoc_client_t *client;
    bson_t *ping = BCON_NEW("ping", BCON_INT32(1));
    bson_error_t failure;
    bool done = false;
    int tries, status;
    for (tries = 0; tries < 600 && !done; tries++) {
        if (waitpid(own->pid, &status, WNOHANG) != 0)
            fail_msg("mongod ended at once (status %d): is it on PATH?", status);
        client = mongoc_client_new(url_of("mongodb://127.0.0.1:%u/?directConnection=true&serverSelectionTimeoutMS=1000&"
                                          "serverSelectionTryOnce=false",
                                          own->port));
        done = mongoc_client_command_simple(client, "admin", ping, NULL, NULL, &failure);
        mongoc_client_destroy(client);
    }
    bson_destroy(ping);
    assert_true(done);
}

static void own_start(struct own *own, const char *option, const char *value)
{
    char path[4096], port[16];
    find_mongod(path, sizeof(path));
    own->port = free_port();
    snprintf(port, sizeof(port), "%u", (unsigned)own->port);
    snprintf(own->folder, sizeof(own->folder), "/tmp/vf-mongod-XXXXXX");
    assert_non_null(mkdtemp(own->folder));
    own->pid = fork();
    assert_true(own->pid >= 0);
    if (own->pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test stops nothing itself */
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execlp(path, "mongod", "--dbpath", own->folder, "--bind_ip", "127.0.0.1", "--port", port, "--nounixsocket",
               "--wiredTigerCacheSizeGB", "0.25", option, value, (char *)NULL);
        _exit(127);
    }
    wait_for(own);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void own_stop(struct own *own)
{
    int status;
    kill(own->pid, SIGKILL);
    waitpid(own->pid, &status, 0);
    nftw(own->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void a_standalone_server_is_refused(void **state)
{
    struct own own;
    (void)state;
    own_start(&own, "--setParameter", "diagnosticDataCollectionEnabled=false");
    assert_refused(url_of("mongodb://127.0.0.1:%u/shop", own.port), VF_E_CONFIG, false, "--replSet");
    assert_refused(url_of("mongodb://127.0.0.1:%u/shop?replicaSet=rs0", own.port), VF_E_CONFIG, false, "--replSet");
    assert_refused(url_of("mongodb://127.0.0.1:%u/shop?directConnection=true", own.port), VF_E_CONFIG, false,
                   "--replSet");
    own_stop(&own);
}

static void a_set_that_was_never_initiated_is_refused(void **state)
{
    struct own own;
    (void)state;
    own_start(&own, "--replSet", "rs0");
    assert_refused(url_of("mongodb://127.0.0.1:%u/shop", own.port), VF_E_CONFIG, false, "rs.initiate()");
    assert_refused(url_of("mongodb://127.0.0.1:%u/shop?replicaSet=rs0", own.port), VF_E_CONFIG, false, "rs.initiate()");
    own_stop(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_set_is_connected_to_by_name_or_without),
        cmocka_unit_test(a_url_without_a_database_is_refused),
        cmocka_unit_test(a_password_is_not_quoted),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(another_sets_member_is_refused),
        cmocka_unit_test(a_wrong_password_is_denied),
        cmocka_unit_test(a_missing_right_is_denied),
        cmocka_unit_test(a_standalone_server_is_refused),
        cmocka_unit_test(a_set_that_was_never_initiated_is_refused),
    };
    server_init(&server);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_done(&server);
    return failed;
}
