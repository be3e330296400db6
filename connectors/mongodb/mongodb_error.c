#include "connectors/mongodb/mongodb_internal.h"

#include <stdio.h>

/* The server's numbers (src/mongo/base/error_codes.yml); libmongoc has no names for most of them. */
enum {
    SERVER_UNAUTHORIZED = 13,
    SERVER_OVERFLOW = 15, /* nested too deep */
    SERVER_AUTHENTICATION_FAILED = 18,
    SERVER_MAX_TIME_EXPIRED = 50,
    SERVER_SHUTDOWN_IN_PROGRESS = 91,
    SERVER_PRIMARY_STEPPED_DOWN = 189,
    SERVER_DOCUMENT_VALIDATION_FAILURE = 121,
    SERVER_CANNOT_INDEX_PARALLEL_ARRAYS = 171,
    SERVER_TRANSACTION_TOO_LARGE = 257,
    SERVER_EXCEEDED_TIME_LIMIT = 262,
    SERVER_NOT_WRITABLE_PRIMARY_LEGACY = 10058,
    SERVER_NOT_WRITABLE_PRIMARY = 10107,
    SERVER_OBJECT_TOO_LARGE = 10334,
    SERVER_DUPLICATE_KEY = 11000,
    SERVER_INTERRUPTED_AT_SHUTDOWN = 11600,
    SERVER_INTERRUPTED_DUE_TO_STATE_CHANGE = 11602,
    SERVER_NOT_PRIMARY_NO_SECONDARY_OK = 13435,
    SERVER_NOT_PRIMARY_OR_SECONDARY = 13436,
    SERVER_OUT_OF_DISK_SPACE = 14031,
    SERVER_CANNOT_EXTRACT_GEO_KEYS = 16755,
    SERVER_TEXT_LANGUAGE_NO_STRING = 17261,
    SERVER_TEXT_LANGUAGE_UNKNOWN = 17262,
    SERVER_RESULT_TOO_LARGE = 17419,
    SERVER_RESULT_TOO_LARGE_UPSERT = 17420,
};

static enum vf_mongodb_fault fault_of_code(uint32_t code)
{
    switch (code) {
    case SERVER_UNAUTHORIZED:
    case SERVER_AUTHENTICATION_FAILED: return VF_FAULT_DENIED;
    case SERVER_MAX_TIME_EXPIRED:
    case SERVER_EXCEEDED_TIME_LIMIT: return VF_FAULT_TIME;
    case SERVER_SHUTDOWN_IN_PROGRESS:
    case SERVER_PRIMARY_STEPPED_DOWN:
    case SERVER_NOT_WRITABLE_PRIMARY_LEGACY:
    case SERVER_NOT_WRITABLE_PRIMARY:
    case SERVER_INTERRUPTED_AT_SHUTDOWN:
    case SERVER_INTERRUPTED_DUE_TO_STATE_CHANGE:
    case SERVER_NOT_PRIMARY_NO_SECONDARY_OK:
    case SERVER_NOT_PRIMARY_OR_SECONDARY: return VF_FAULT_NOT_PRIMARY;
    case SERVER_DUPLICATE_KEY: return VF_FAULT_DUPLICATE;
    case SERVER_TRANSACTION_TOO_LARGE:
    case SERVER_OBJECT_TOO_LARGE:
    case SERVER_RESULT_TOO_LARGE:
    case SERVER_RESULT_TOO_LARGE_UPSERT: return VF_FAULT_TOO_LARGE;
    case SERVER_OUT_OF_DISK_SPACE: return VF_FAULT_FULL;
    case SERVER_OVERFLOW:
    case SERVER_DOCUMENT_VALIDATION_FAILURE:
    case SERVER_CANNOT_INDEX_PARALLEL_ARRAYS:
    case SERVER_CANNOT_EXTRACT_GEO_KEYS:
    case SERVER_TEXT_LANGUAGE_NO_STRING:
    case SERVER_TEXT_LANGUAGE_UNKNOWN: return VF_FAULT_DOCUMENT;
    default: return VF_FAULT_OTHER;
    }
}

/* Whether a duplicate is one of an _id, as every index of ours is: somebody else was faster. */
static bool is_of_id(const bson_t *reply)
{
    bson_iter_t iter, pattern;

    if (!bson_iter_init(&iter, reply) || !bson_iter_find_descendant(&iter, "writeErrors.0.keyPattern", &pattern) ||
        !BSON_ITER_HOLDS_DOCUMENT(&pattern) || !bson_iter_recurse(&pattern, &iter))
        return true;
    return bson_iter_next(&iter) && strcmp(bson_iter_key(&iter), "_id") == 0 && !bson_iter_next(&iter);
}

enum vf_mongodb_fault vf_mongodb_fault_of(const bson_error_t *failure, const bson_t *reply)
{
    enum vf_mongodb_fault fault;

    switch (failure->domain) {
    case MONGOC_ERROR_STREAM:
    case MONGOC_ERROR_PROTOCOL:
    case MONGOC_ERROR_SERVER_SELECTION:
        return VF_FAULT_NETWORK; /* libmongoc labels these as transient too: the label is looked at afterwards */
    case MONGOC_ERROR_SCRAM:
    case MONGOC_ERROR_SASL: return VF_FAULT_DENIED;
    case MONGOC_ERROR_CLIENT:
        if (failure->code == MONGOC_ERROR_CLIENT_AUTHENTICATE)
            return VF_FAULT_DENIED;
        return VF_FAULT_OTHER;
    case MONGOC_ERROR_BSON: return VF_FAULT_TOO_LARGE;
    default: break;
    }
    fault = fault_of_code(failure->code);
    /* GUARD mongodb-unique: what a unique index of somebody else's does not take would be tried again for ever */
    if (fault == VF_FAULT_DUPLICATE && reply && !is_of_id(reply))
        return VF_FAULT_DOCUMENT;
    if (fault == VF_FAULT_OTHER && reply && mongoc_error_has_label(reply, "TransientTransactionError"))
        return VF_FAULT_TRANSIENT;
    return fault;
}

/* Whether the login itself was refused, and not something that a user who is logged in may not do. */
static bool is_login(const bson_error_t *failure)
{
    switch (failure->domain) {
    case MONGOC_ERROR_SCRAM:
    case MONGOC_ERROR_SASL: return true;
    case MONGOC_ERROR_CLIENT: return failure->code == MONGOC_ERROR_CLIENT_AUTHENTICATE;
    default: return failure->code == SERVER_AUTHENTICATION_FAILED;
    }
}

/* No server was found: without libmongoc's word for how it looked, which is not the user's to set. */
static enum vf_code fail_nobody(const struct vf_store *store, const char *text, const char *doing,
                                struct vf_error *error)
{
    static const char jargon[] = " (`serverSelectionTryOnce` set)";
    const char *rest = strstr(text, jargon);
    int size = (int)(rest ? (size_t)(rest - text) : strlen(text));

    return vf_fail_retriable(error, VF_E_UNAVAILABLE,
                             "store \"%s\" (mongodb, %s): cannot %s: %.*s%s: is it running there, and is "
                             "stores.%s.mongodb right?",
                             store->name, store->hosts, doing, size, text, rest ? rest + sizeof(jargon) - 1 : "",
                             store->name);
}

enum vf_code vf_mongodb_fail(struct vf_store *store, const bson_error_t *failure, const bson_t *reply,
                             const char *doing, struct vf_error *error)
{
    const char *text = failure->message;

    store->silent |= vf_mongodb_fault_of(failure, reply) == VF_FAULT_NETWORK;
    if (failure->domain == MONGOC_ERROR_SERVER_SELECTION)
        return fail_nobody(store, text, doing, error);
    switch (vf_mongodb_fault_of(failure, reply)) {
    case VF_FAULT_DENIED:
        if (is_login(failure))
            return vf_fail(error, VF_E_DENIED,
                           "store \"%s\" (mongodb, %s): cannot %s: %s: check username and password of stores.%s, and "
                           "authSource in the URL where the user is kept in another database than \"%s\"",
                           store->name, store->hosts, doing, text, store->name, store->database);
        return vf_fail(error, VF_E_DENIED,
                       "store \"%s\" (mongodb, %s): cannot %s: %s: give the user the role readWrite on database \"%s\"",
                       store->name, store->hosts, doing, text, store->database);
    case VF_FAULT_NETWORK:
    case VF_FAULT_NOT_PRIMARY:
    case VF_FAULT_TIME:
    case VF_FAULT_TRANSIENT:
    case VF_FAULT_FULL:
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "store \"%s\" (mongodb, %s): cannot %s: %s", store->name,
                                 store->hosts, doing, text);
    case VF_FAULT_DOCUMENT:
    case VF_FAULT_TOO_LARGE:
        return vf_fail(error, VF_E_LIMIT, "store \"%s\" (mongodb, %s): cannot %s: %s", store->name, store->hosts, doing,
                       text);
    case VF_FAULT_DUPLICATE:
    case VF_FAULT_OTHER: break;
    }
    return vf_fail(error, VF_E_UNAVAILABLE, "store \"%s\" (mongodb, %s): cannot %s: %s (code %u)", store->name,
                   store->hosts, doing, text, failure->code);
}

bool vf_mongodb_write_error(const bson_t *reply, bson_error_t *ret_failure)
{
    bson_iter_t iter, errors, one;
    uint32_t code = 0;
    const char *text = "write error without a text";

    if (!bson_iter_init_find(&iter, reply, "writeErrors") || !BSON_ITER_HOLDS_ARRAY(&iter) ||
        !bson_iter_recurse(&iter, &errors) || !bson_iter_next(&errors) || !BSON_ITER_HOLDS_DOCUMENT(&errors) ||
        !bson_iter_recurse(&errors, &one))
        return false;
    while (bson_iter_next(&one)) {
        if (strcmp(bson_iter_key(&one), "code") == 0)
            code = (uint32_t)bson_iter_as_int64(&one);
        else if (strcmp(bson_iter_key(&one), "errmsg") == 0 && BSON_ITER_HOLDS_UTF8(&one))
            text = bson_iter_utf8(&one, NULL);
    }
    bson_set_error(ret_failure, MONGOC_ERROR_SERVER, code, "%s", text);
    return true;
}
