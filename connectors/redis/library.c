#include "connectors/redis/library.h"

#include "connectors/redis/internal.h"

#include <stdlib.h>

static const char reader_name[] = "viewfold_get";
static const char reader_mark[] = "-- viewfold reader ";

#define READER_TRIES 3

int vf_redis_library_reader_number(const char *code)
{
    const char *mark = strstr(code, reader_mark);
    return mark ? atoi(mark + sizeof(reader_mark) - 1) : 0;
}

/* FUNCTION LOAD [REPLACE]. *ret_there: a library of that name is there already, and was left alone. */
static enum vf_code load(struct vf_store *store, const char *text, bool replace, int64_t deadline_ms, bool *ret_there,
                         struct vf_error *error)
{
    vf_redis_request_clear(&store->request);
    vf_redis_request_begin(&store->request, replace ? 4 : 3);
    vf_redis_request_add_text(&store->request, "FUNCTION");
    vf_redis_request_add_text(&store->request, "LOAD");
    if (replace)
        vf_redis_request_add_text(&store->request, "REPLACE");
    vf_redis_request_add_text(&store->request, text);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code == VF_OK)
        code = vf_redis_receive(store, deadline_ms, &reply, error);
    if (code != VF_OK)
        return code;
    /* A full server refuses the load before it looks whether there is anything to do; a reader needs no more than what was
     * loaded before. Without a library the first call that needs it says what is wrong. */
    bool full = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "OOM", 3) == 0;
    *ret_there = reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "already exists") != NULL;
    if (reply->type == REDIS_REPLY_ERROR && !*ret_there && !full)
        code = vf_redis_fail_reply(store, "FUNCTION LOAD", reply, error);
    freeReplyObject(reply);
    return code;
}

/* Of the one library in an answer to FUNCTION LIST ... WITHCODE, its text; NULL where there is none. */
static const char *listed_code(const redisReply *list)
{
    if (list->type != REDIS_REPLY_ARRAY || list->elements != 1 || list->element[0]->type != REDIS_REPLY_ARRAY)
        return NULL;
    const redisReply *library = list->element[0];
    for (size_t i = 0; i + 1 < library->elements; i += 2)
        if (vf_bytes_is(vf_redis_bytes(library->element[i]), "library_code") &&
            library->element[i + 1]->type == REDIS_REPLY_STRING)
            return library->element[i + 1]->str;
    return NULL;
}

static enum vf_code fail_foreign(struct vf_store *store, struct vf_error *error)
{
    return vf_fail(
        error, VF_E_CONFIG,
        "%s: a library or function named %s is there that is not viewfold's; readers would call it: remove it "
        "(FUNCTION DELETE) or use another server",
        store->label, reader_name);
}

/* A reader's library is there: is it ours, and older? *ret_gone: there is none of that name. */
static enum vf_code replace_older_reader(struct vf_store *store, int64_t deadline_ms, bool *ret_gone,
                                         struct vf_error *error)
{
    vf_redis_request_clear(&store->request);
    vf_redis_request_begin(&store->request, 5);
    vf_redis_request_add_text(&store->request, "FUNCTION");
    vf_redis_request_add_text(&store->request, "LIST");
    vf_redis_request_add_text(&store->request, "LIBRARYNAME");
    vf_redis_request_add_text(&store->request, reader_name);
    vf_redis_request_add_text(&store->request, "WITHCODE");
    redisReply *list = NULL;
    enum vf_code code = vf_redis_ask(store, "FUNCTION LIST", deadline_ms, &list, error);
    if (code != VF_OK)
        return code;
    const char *text = listed_code(list);
    int there = text ? vf_redis_library_reader_number(text) : 0;
    *ret_gone = list->elements == 0;
    freeReplyObject(list);
    if (*ret_gone)
        return VF_OK;
    if (there == 0)
        return fail_foreign(store, error);
    if (there >= vf_redis_library_reader_number(vf_redis_reader_library))
        return VF_OK;
    bool exists = false;
    return load(store, vf_redis_reader_library, true, deadline_ms, &exists, error);
}

enum vf_code vf_redis_library_load(struct vf_store *store, int64_t deadline_ms, struct vf_error *error)
{
    bool there = false, gone = true;
    enum vf_code code = load(store, vf_redis_writer_library, false, deadline_ms, &there, error);
    /* What was there and is not may have been flushed in between; or another library has a function of that name. */
    for (int tries = 0; code == VF_OK && gone && tries < READER_TRIES; tries++) {
        gone = false;
        code = load(store, vf_redis_reader_library, false, deadline_ms, &there, error);
        if (code == VF_OK && there)
            code = replace_older_reader(store, deadline_ms, &gone, error);
    }
    return code == VF_OK && gone ? fail_foreign(store, error) : code;
}
