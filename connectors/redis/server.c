#include "connectors/redis/server.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_DEFAULT 6379

/* --- the address ------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A copy without percent-encoding. */
static char *decode(const char *text, size_t size)
{
    char *decoded = vf_alloc(size + 1);
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        int high = text[i] == '%' && i + 2 < size ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            decoded[length++] = (char)(high * 16 + low);
            i += 2;
        } else {
            decoded[length++] = text[i];
        }
    }
    decoded[length] = '\0';
    return decoded;
}

/* All of `text` as a number within the limits. */
static bool parse_number(const char *text, size_t size, int min, int max, int *ret_number)
{
    int number = 0;
    if (size == 0 || size > 9)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (text[i] - '0');
    }
    if (number < min || number > max)
        return false;
    *ret_number = number;
    return true;
}

/* host, host:port, [::1], [::1]:port */
static bool parse_host(const char *text, size_t size, struct vf_redis_address *address)
{
    const char *host = text, *rest;
    size_t host_size;
    const char *end = text + size;
    if (size > 0 && text[0] == '[') {
        const char *close = memchr(text, ']', size);
        if (!close)
            return false;
        host = text + 1;
        host_size = (size_t)(close - host);
        rest = close + 1;
    } else {
        const char *colon = memchr(text, ':', size);
        rest = colon ? colon : end;
        host_size = (size_t)(rest - text);
    }
    if (host_size == 0 || host_size >= sizeof(address->host))
        return false;
    for (size_t i = 0; i < host_size; i++)
        if ((unsigned char)host[i] <= ' ')
            return false;
    memcpy(address->host, host, host_size);
    address->host[host_size] = '\0';
    address->port = PORT_DEFAULT;
    if (rest == end)
        return true;
    return *rest == ':' && parse_number(rest + 1, (size_t)(end - rest - 1), 1, 65535, &address->port);
}

enum vf_code vf_redis_address_parse(const char *store_name, const char *url, struct vf_redis_address *ret_address,
                                    struct vf_error *error)
{
    if (strncmp(url, "rediss://", 9) == 0)
        return vf_fail(
            error, VF_E_CONFIG,
            "store %s: TLS (rediss://) is not supported by this build: it needs hiredis 1.0 or later, and this one has "
            "%d.%d.%d; use redis:// through a tunnel such as stunnel",
            store_name, HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    if (strncmp(url, "redis://", 8) != 0)
        return vf_fail(error, VF_E_CONFIG, "store %s: its URL does not begin with redis://", store_name);

    struct vf_redis_address address = {0};
    const char *authority = url + 8;
    size_t size = strcspn(authority, "/");
    const char *path = authority + size;
    const char *at = authority + size; /* the last one: a password may hold some, though it should not */
    while (at > authority && *at != '@')
        at--;
    if (*at == '@') {
        const char *colon = memchr(authority, ':', (size_t)(at - authority));
        const char *user_end = colon ? colon : at;
        if (user_end > authority)
            address.username = decode(authority, (size_t)(user_end - authority));
        if (colon)
            address.password = decode(colon + 1, (size_t)(at - colon - 1));
        size -= (size_t)(at + 1 - authority);
        authority = at + 1;
    }
    bool fine = parse_host(authority, size, &address);
    if (fine && *path == '/' && path[1] != '\0')
        fine = parse_number(path + 1, strlen(path + 1), 0, 1 << 20, &address.database);
    if (!fine) {
        vf_redis_address_done(&address);
        return vf_fail(error, VF_E_CONFIG, "store %s: its URL is not of the form redis://host:port/database-number",
                       store_name);
    }
    *ret_address = address;
    return VF_OK;
}

void vf_redis_address_done(struct vf_redis_address *address)
{
    free(address->username);
    free(address->password);
    address->username = NULL;
    address->password = NULL;
}

/* --- INFO -------------------------------------------------------------------------------------------------------- */

/* The value of a line "name:value\r\n". */
static bool info_value(struct vf_bytes info, const char *name, struct vf_bytes *ret_value)
{
    size_t name_size = strlen(name);
    const char *line = info.data, *end = info.data + info.size;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        size_t size = (size_t)(stop - line);
        if (size > name_size && line[name_size] == ':' && memcmp(line, name, name_size) == 0) {
            size -= name_size + 1;
            if (size > 0 && line[name_size + size] == '\r')
                size--;
            *ret_value = vf_bytes(line + name_size + 1, size);
            return true;
        }
        line = stop + 1;
    }
    return false;
}

enum vf_code vf_redis_info_check(const char *label, struct vf_bytes info, struct vf_error *error)
{
    struct vf_bytes value;
    if (!info_value(info, "redis_version", &value))
        return vf_fail(error, VF_E_CONFIG, "%s: the server does not answer INFO as Redis does (no redis_version)",
                       label);
    if (value.size < 2 || (value.data[1] == '.' && value.data[0] < '7'))
        return vf_fail(error, VF_E_CONFIG,
                       "%s: Redis %.*s is too old; viewfold needs server-side functions: Redis 7.0 or later", label,
                       (int)value.size, value.data);
    if (info_value(info, "redis_mode", &value) && vf_bytes_is(value, "cluster"))
        return vf_fail(
            error, VF_E_CONFIG,
            "%s: Redis Cluster is not supported: a batch's documents, versions and progress are one atomic write, and a "
            "cluster spreads them over nodes; use one Redis (with replicas, if you like)",
            label);
    if (info_value(info, "redis_mode", &value) && vf_bytes_is(value, "sentinel"))
        return vf_fail(error, VF_E_CONFIG,
                       "%s: this is a Sentinel, which holds no data; give the address of the Redis master", label);
    if (info_value(info, "loading", &value) && vf_bytes_is(value, "1"))
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "%s: the server is loading its data", label);
    if (info_value(info, "role", &value) && !vf_bytes_is(value, "master"))
        return vf_fail(error, VF_E_CONFIG, "%s: the server is a replica; give the address of its master", label);
    if (!info_value(info, "maxmemory_policy", &value))
        return vf_fail(error, VF_E_CONFIG,
                       "%s: INFO does not say maxmemory_policy, so nothing keeps documents from being evicted", label);
    /* GUARD redis-evict: documents that vanish one by one when memory is short */
    if (!vf_bytes_is(value, "noeviction"))
        return vf_fail(
            error, VF_E_CONFIG,
            "%s: maxmemory-policy is %.*s, which would evict documents and progress one by one; set it to noeviction "
            "(CONFIG SET maxmemory-policy noeviction, and in redis.conf)",
            label, (int)value.size, value.data);
    return VF_OK;
}

static void copy_value(struct vf_bytes info, const char *name, char text[64])
{
    struct vf_bytes value = {"", 0};
    (void)info_value(info, name, &value);
    snprintf(text, 64, "%.*s", (int)value.size, value.data);
}

void vf_redis_info_identity(struct vf_bytes info, struct vf_redis_identity *ret_identity)
{
    char before[64];
    copy_value(info, "run_id", ret_identity->run);
    copy_value(info, "master_replid", ret_identity->replication);
    copy_value(info, "master_replid2", before);
    ret_identity->has_followed = before[strspn(before, "0")] != '\0';
}

bool vf_redis_same_server(const struct vf_redis_identity *before, const struct vf_redis_identity *now)
{
    if (strcmp(before->run, now->run) != 0)
        return false;
    /* A master takes another id when its first replica comes too, and then forgets the former one. */
    return strcmp(before->replication, now->replication) == 0 || !now->has_followed;
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

void vf_redis_rights_print(struct vf_buffer *out, const char *prefix)
{
    vf_buffer_printf(
        out,
        "~%s* &%s* +fcall +fcall_ro +function|load +function|list +info +select +time +get +set +exists +unlink +scan "
        "+hget +hmget +hset +hdel +hlen +hgetall +zadd +zrem +zremrangebylex +zcard +zcount +zlexcount +zrange "
        "+zrandmember +llen +lrange +rpush +publish",
        prefix, prefix);
}

static const struct refusal {
    const char *word; /* the reply's first */
    enum vf_code code;
    bool retriable;
    const char *advice;
} refusals[] = {
    {"NOAUTH", VF_E_DENIED, false, "give the store a username and password"},
    {"WRONGPASS", VF_E_DENIED, false, "check the store's username and password"},
    {"OOM", VF_E_UNAVAILABLE, true, "the server has reached its maxmemory; give it more, or remove data"},
    {"READONLY", VF_E_UNAVAILABLE, true, "the server has become a replica; give its master's address if it stays one"},
    {"MISCONF", VF_E_UNAVAILABLE, true, "the server cannot save to its disk; see its log"},
    {"LOADING", VF_E_UNAVAILABLE, true, "the server is loading its data"},
    {"BUSY", VF_E_UNAVAILABLE, true, "another client's script keeps the server busy"},
    {"MASTERDOWN", VF_E_UNAVAILABLE, true, "the server is a replica that has lost its master"},
    {"NOREPLICAS", VF_E_UNAVAILABLE, true, "the server misses replicas (min-replicas-to-write)"},
    {"WRONGTYPE", VF_E_CONFIG, false,
     "something else than viewfold's lies at this key; another prefix keeps them apart"},
};

/* A command that is refused inside of a function has no word of its own, and another text since Redis 7.2. */
static bool is_about_rights(struct vf_bytes reply)
{
    static const char *const beginnings[] = {
        "NOPERM ",
        "ERR The user executing the script can't run this command",
        "ERR ACL failure in script",
    };
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        size_t size = strlen(beginnings[i]);
        if (reply.size >= size && memcmp(reply.data, beginnings[i], size) == 0)
            return true;
    }
    return false;
}

enum vf_code vf_redis_refusal(const char *label, const char *command, const char *username, const char *prefix,
                              struct vf_bytes reply, struct vf_error *error)
{
    int size = (int)reply.size;
    if (is_about_rights(reply)) {
        struct vf_buffer rights;
        vf_buffer_init(&rights);
        vf_redis_rights_print(&rights, prefix);
        enum vf_code code =
            vf_fail(error, VF_E_DENIED, "%s: %s was refused: %.*s; grant what viewfold needs: ACL SETUSER %s %s", label,
                    command, size, reply.data, username && *username ? username : "default", rights.data);
        vf_buffer_done(&rights);
        return code;
    }
    size_t word_size = 0;
    while (word_size < reply.size && reply.data[word_size] != ' ')
        word_size++;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *refusal = &refusals[i];
        if (!vf_bytes_is(vf_bytes(reply.data, word_size), refusal->word))
            continue;
        return (refusal->retriable ? vf_fail_retriable : vf_fail)(error, refusal->code, "%s: %s was refused: %.*s (%s)",
                                                                  label, command, size, reply.data, refusal->advice);
    }
    return VF_OK;
}
