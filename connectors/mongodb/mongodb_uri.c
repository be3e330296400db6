/* Reading the URL: what of it is refused, and what viewfold sets itself. */
#include "connectors/mongodb/mongodb_internal.h"

#include <stdio.h>
#include <strings.h>

/* libmongoc only warns of an option that it does not know, and goes on without it: tsl=true would be no TLS. The warning
 * comes on the thread that reads the URL. */
static _Thread_local char unsupported[128];

static void hear(mongoc_log_level_t level, const char *domain, const char *text, void *context)
{
    (void)level;
    (void)domain;
    (void)context;
    if (strncmp(text, "Unsupported ", 12) == 0 && !unsupported[0])
        snprintf(unsupported, sizeof(unsupported), "%s", text);
}

void vf_mongodb_uri_start(void)
{
    mongoc_log_set_handler(hear, NULL);
}

static bool knows_mechanism(const char *mechanism)
{
    static const char *const known[] = {"SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509",
                                        "MONGODB-AWS", "PLAIN",         "GSSAPI"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasecmp(mechanism, known[i]) == 0)
            return true;
    }
    return false;
}

/* An '@' that libmongoc would not take for the end of the password: it splits at the first one, so that the rest of a
 * password that was not percent-encoded would be a host, which messages name. */
static bool has_stray_at(const char *url)
{
    const char *authority = strstr(url, "://");
    const char *at;

    if (!authority)
        return false;
    authority += 3;
    at = strchr(authority, '@');
    return at && (at > authority + strcspn(authority, "/?") || strchr(at + 1, '@'));
}

/* libmongoc takes a blank within a host's name, and looks for it with the name server. */
static bool has_blank_host(const mongoc_uri_t *uri)
{
    for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host; host = host->next)
        if (strpbrk(host->host, " \t\r\n"))
            return true;
    return false;
}

static enum vf_code read_url(const struct vf_store_config *config, mongoc_uri_t **ret_uri, struct vf_error *error)
{
    const char *mechanism;
    bson_error_t failure;

    if (has_stray_at(config->url))
        return vf_fail(
            error, VF_E_CONFIG,
            "store \"%s\" (mongodb): the URL has an '@' besides the one before the hosts: percent-encode the "
            "user's name and password (%%40 for '@'), or give them as username and password of stores.%s",
            config->name, config->name);
    unsupported[0] = '\0';
    *ret_uri = mongoc_uri_new_with_error(config->url, &failure);
    mechanism = *ret_uri ? mongoc_uri_get_auth_mechanism(*ret_uri) : NULL;
    if (mechanism && !knows_mechanism(mechanism))
        snprintf(unsupported, sizeof(unsupported), "Unknown authMechanism \"%.64s\"", mechanism);
    if (*ret_uri && has_blank_host(*ret_uri))
        snprintf(unsupported, sizeof(unsupported), "a host's name has a blank");
    if (*ret_uri && unsupported[0]) {
        mongoc_uri_destroy(*ret_uri);
        *ret_uri = NULL;
        return vf_fail(
            error, VF_E_CONFIG,
            "store \"%s\" (mongodb): the URL cannot be used: %s: correct it, or take it out of stores.%s.mongodb",
            config->name, unsupported, config->name);
    }
    if (*ret_uri)
        return VF_OK;
    /* The library's text may quote a part of the URL, and with it of a password that was not percent-encoded. */
    if (strchr(config->url, '@'))
        return vf_fail(
            error, VF_E_CONFIG,
            "store \"%s\" (mongodb): the URL cannot be read: percent-encode the user's name and password, or "
            "give them as username and password; and check the hosts and the options behind the '?'",
            config->name);
    return vf_fail(error, VF_E_CONFIG, "store \"%s\" (mongodb): the URL cannot be read: %s", config->name,
                   failure.message);
}

/* The URI with everything set that viewfold decides, whatever the URL says. */
enum vf_code vf_mongodb_uri_make(struct vf_store *store, const struct vf_store_config *config, mongoc_uri_t **ret_uri,
                                 struct vf_error *error)
{
    mongoc_read_prefs_t *primary;
    mongoc_uri_t *uri;
    enum vf_code code = read_url(config, &uri, error);

    if (code != VF_OK)
        return code;
    if (config->username)
        mongoc_uri_set_username(uri, config->username);
    if (config->password)
        mongoc_uri_set_password(uri, config->password);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, (int32_t)store->connect_timeout_ms);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, (int32_t)store->connect_timeout_ms);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, (int32_t)store->command_timeout_ms);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, true);
    /* A lost reply is resolved by reading progress, and a lost connection has to be noticed. */
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
    /* One host without a set's name: libmongoc would stay with that node after a fail-over. */
    if (!mongoc_uri_get_replica_set(uri) && !mongoc_uri_has_option(uri, MONGOC_URI_DIRECTCONNECTION))
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_DIRECTCONNECTION, false);
    primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_read_prefs_t(uri, primary);
    mongoc_read_prefs_destroy(primary);
    if (!mongoc_uri_get_appname(uri))
        mongoc_uri_set_appname(uri, "viewfold");
    *ret_uri = uri;
    return VF_OK;
}
