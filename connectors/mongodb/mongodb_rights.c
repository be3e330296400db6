/* Whether the login may do what a commit does, by what the server says of its privileges. */
#include "connectors/mongodb/mongodb_internal.h"

#include <stdio.h>

/* What workers do in their database. */
static const char *const wanted[] = {"find", "insert", "update", "remove", "createCollection", "createIndex"};
#define WANTED (sizeof wanted / sizeof *wanted)

static bool text_is(const bson_iter_t *parent, const char *key, const char *text)
{
    bson_iter_t iter;
    return bson_iter_recurse(parent, &iter) && bson_iter_find(&iter, key) && BSON_ITER_HOLDS_UTF8(&iter) &&
           strcmp(bson_iter_utf8(&iter, NULL), text) == 0;
}

/* Whether the privilege's resource takes in every collection of the database. */
static bool covers(const bson_iter_t *privilege, const char *database)
{
    bson_iter_t resource, any;
    if (!bson_iter_recurse(privilege, &resource) || !bson_iter_find(&resource, "resource"))
        return false;
    if (bson_iter_recurse(&resource, &any) && bson_iter_find(&any, "anyResource") && bson_iter_as_bool(&any))
        return true;
    return text_is(&resource, "collection", "") && (text_is(&resource, "db", database) || text_is(&resource, "db", ""));
}

static void tick_off(const bson_iter_t *privilege, bool granted[WANTED])
{
    bson_iter_t actions, action;
    if (!bson_iter_recurse(privilege, &actions) || !bson_iter_find(&actions, "actions") ||
        !bson_iter_recurse(&actions, &action))
        return;
    while (bson_iter_next(&action)) {
        for (size_t i = 0; i < WANTED && BSON_ITER_HOLDS_UTF8(&action); i++) {
            const char *name = bson_iter_utf8(&action, NULL);
            granted[i] = granted[i] || strcmp(name, wanted[i]) == 0 || strcmp(name, "anyAction") == 0;
        }
    }
}

enum vf_code vf_mongodb_check_rights(struct vf_store *store, struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t failure;
    bson_iter_t iter, users, privileges;
    bool granted[WANTED] = {false};
    char missing[256] = "";
    enum vf_code code = VF_OK;

    BSON_APPEND_INT32(&command, "connectionStatus", 1);
    BSON_APPEND_BOOL(&command, "showPrivileges", true);
    if (!mongoc_client_command_simple(store->client, "admin", &command, NULL, &reply, &failure)) {
        code = vf_mongodb_fail(store, &failure, &reply, "connectionStatus", error);
        goto out;
    }
    if (!bson_iter_init(&iter, &reply) || !bson_iter_find_descendant(&iter, "authInfo.authenticatedUsers", &users) ||
        !bson_iter_recurse(&users, &iter) || !bson_iter_next(&iter))
        goto out; /* nobody has logged in, so nobody has to: open has read there already */
    if (!bson_iter_init(&iter, &reply) ||
        !bson_iter_find_descendant(&iter, "authInfo.authenticatedUserPrivileges", &users) ||
        !bson_iter_recurse(&users, &privileges))
        goto out;
    while (bson_iter_next(&privileges))
        if (covers(&privileges, store->database))
            tick_off(&privileges, granted);
    for (size_t i = 0; i < WANTED; i++) {
        size_t used = strlen(missing);
        if (!granted[i])
            snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "", wanted[i]);
    }
    if (missing[0])
        code =
            vf_fail(error, VF_E_DENIED,
                    "store \"%s\" (mongodb, %s): the login may not %s in the database %s: grant it the role readWrite "
                    "there",
                    store->name, store->hosts, missing, store->database);
out:
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}
