/*
 * Reading documents and aggregate records: one pipeline of HGETALL, a document's and its husk's together. The answers are
 * not of one moment; the condition of the commit catches what changes in between (docs/protocol.md).
 */
#include "connectors/redis/internal.h"

#include <stdlib.h>

enum field_kind { FIELD_STRING, FIELD_JSON, FIELD_DATE };

/* A top-level field of a body. */
struct vf_redis_field {
    struct vf_bytes name;
    struct vf_bytes text;
    enum field_kind kind;
};

/* What a hash is of; which fields of the engine's it may have. */
enum { DOCUMENT = 1, HUSK = 2, AGGREGATE = 4 };

/* A hash, taken apart: what is the engine's, and the body's fields in store->fields. */
struct hash {
    struct vf_bytes id, stamp, revision, versions, types, expires;
    struct vf_bytes husk, deleted_by, since;
    struct vf_bytes link, none, link_via, version;
    struct vf_bytes waiters_from, waiters_to, aside_from, aside_to, waits_for, early_count, early_from, early_last, seen;
    struct vf_bytes parked, draining, state; /* and `since` */
    size_t field_count;
    struct vf_bytes unknown; /* a field of the engine's that this build does not know */
    bool no_strings;         /* some field's name or text is no string: that is no Redis, or what stands in front of it */
};

static const struct own_field {
    const char *name;
    size_t offset;
    unsigned of;
} own_fields[] = {
    {"_stamp", offsetof(struct hash, stamp), DOCUMENT | HUSK | AGGREGATE},
    {"id", offsetof(struct hash, id), DOCUMENT},
    {"_rev", offsetof(struct hash, revision), DOCUMENT | HUSK},
    {"_versions", offsetof(struct hash, versions), DOCUMENT | HUSK},
    {"_types", offsetof(struct hash, types), DOCUMENT},
    {"_expires", offsetof(struct hash, expires), DOCUMENT | HUSK},
    {"husk", offsetof(struct hash, husk), HUSK},
    {"deleted_by", offsetof(struct hash, deleted_by), HUSK},
    {"since", offsetof(struct hash, since), HUSK | AGGREGATE},
    {"link", offsetof(struct hash, link), AGGREGATE},
    {"none", offsetof(struct hash, none), AGGREGATE},
    {"version", offsetof(struct hash, version), AGGREGATE},
    {"link_via", offsetof(struct hash, link_via), AGGREGATE},
    {"waiters_from", offsetof(struct hash, waiters_from), AGGREGATE},
    {"waiters_to", offsetof(struct hash, waiters_to), AGGREGATE},
    {"aside_from", offsetof(struct hash, aside_from), AGGREGATE},
    {"aside_to", offsetof(struct hash, aside_to), AGGREGATE},
    {"waits_for", offsetof(struct hash, waits_for), AGGREGATE},
    {"early_count", offsetof(struct hash, early_count), AGGREGATE},
    {"early_from", offsetof(struct hash, early_from), AGGREGATE},
    {"early_last", offsetof(struct hash, early_last), AGGREGATE},
    {"seen", offsetof(struct hash, seen), AGGREGATE},
    {"parked", offsetof(struct hash, parked), AGGREGATE},
    {"state", offsetof(struct hash, state), AGGREGATE},
    {"draining", offsetof(struct hash, draining), AGGREGATE},
};

static int by_name(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_redis_field *)a)->name, ((const struct vf_redis_field *)b)->name);
}

/* What lies at a key is not what viewfold writes. Quotes the key, at most a hundred bytes of its id. */
static enum vf_code fail_foreign(struct vf_store *store, struct vf_bytes head, struct vf_bytes tail, const char *what,
                                 struct vf_error *error)
{
    return vf_fail(error, VF_E_CONFIG, "%s: key %.*s%.*s%s: %s; it was not written by this viewfold", store->label,
                   (int)head.size, head.data, tail.size < 100 ? (int)tail.size : 100, tail.data,
                   tail.size < 100 ? "" : "...", what);
}

/* Of the engine's own fields, where the one of this name goes; NULL for a field of the body. */
static struct vf_bytes *own_field(struct hash *hash, struct vf_bytes name, unsigned of)
{
    if (of == DOCUMENT && (name.size == 0 || name.data[0] != '_') && !vf_bytes_is(name, "id"))
        return NULL;
    for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++)
        if ((own_fields[i].of & of) && vf_bytes_is(name, own_fields[i].name))
            return (struct vf_bytes *)((char *)hash + own_fields[i].offset);
    return &hash->unknown;
}

static struct hash take_apart(struct vf_store *store, const redisReply *reply, unsigned of)
{
    size_t pairs = reply->elements / 2;
    if (pairs > store->fields_size) {
        store->fields = vf_realloc(store->fields, pairs * sizeof(*store->fields));
        store->fields_size = pairs;
    }
    struct hash hash = {0};
    for (size_t i = 0; i < pairs; i++) {
        struct vf_bytes name = vf_redis_bytes(reply->element[2 * i]);
        struct vf_bytes text = vf_redis_bytes(reply->element[2 * i + 1]);
        struct vf_bytes *own = own_field(&hash, name, of);
        if (!name.data || !text.data)
            hash.no_strings = true;
        else if (own == &hash.unknown)
            hash.unknown = name;
        else if (own)
            *own = text;
        else
            store->fields[hash.field_count++] = (struct vf_redis_field){name, text, FIELD_STRING};
    }
    if (hash.field_count > 1)
        qsort(store->fields, hash.field_count, sizeof(*store->fields), by_name);
    return hash;
}

/* Reads _types into the kinds of store->fields. What is wrong, or NULL. */
static const char *read_types(struct vf_store *store, const struct hash *hash, struct vf_error *error)
{
    struct vf_json root, value;
    if (hash->types.size == 0)
        return NULL;
    if (vf_json_parse(store->types_parser, hash->types, &root, error) != VF_OK || vf_json_type(root) != VF_JSON_OBJECT)
        return "_types is no JSON object";
    struct vf_json_iterator iterator = vf_json_iterate(root);
    struct vf_redis_field wanted = {0};
    while (vf_json_next(&iterator, &wanted.name, &value)) {
        struct vf_redis_field *field =
            hash->field_count ? bsearch(&wanted, store->fields, hash->field_count, sizeof(wanted), by_name) : NULL;
        if (!field)
            return "_types names a field that is not there";
        struct vf_bytes kind =
            vf_json_type(value) == VF_JSON_STRING ? vf_json_string(value) : (struct vf_bytes){NULL, 0};
        if (vf_bytes_is(kind, "json"))
            field->kind = FIELD_JSON;
        else if (vf_bytes_is(kind, "date"))
            field->kind = FIELD_DATE;
        else
            return "_types names a type that is neither json nor date";
    }
    return NULL;
}

static const char *append_field(struct vf_store *store, const struct vf_redis_field *field, struct vf_error *error)
{
    int64_t time_ms;
    struct vf_json value;
    bool fine = true;
    if (memchr(field->name.data, '\0', field->name.size))
        return "a field's name holds NUL";
    if (field->name.size > INT32_MAX || field->text.size > INT32_MAX)
        return "a field is too long";
    switch (field->kind) {
    case FIELD_STRING:
        fine = bson_append_utf8(&store->body, field->name.data, (int)field->name.size, field->text.data,
                                (int)field->text.size);
        break;
    case FIELD_DATE:
        if (!vf_time_parse(field->text, &time_ms))
            return "a date is not RFC 3339";
        fine = bson_append_date_time(&store->body, field->name.data, (int)field->name.size, time_ms);
        break;
    case FIELD_JSON:
        fine = vf_json_parse(store->parser, field->text, &value, error) == VF_OK &&
               vf_body_append_json(&store->body, field->name, value, error) == VF_OK;
        break;
    }
    return fine ? NULL : "a field cannot be read";
}

/* What documents and husks share. What is wrong, or NULL. */
static const char *read_head(struct vf_store *store, const struct hash *hash, struct vf_arena *arena,
                             struct vf_document *document, struct vf_error *error)
{
    if (hash->no_strings)
        return "a field is no string";
    if (hash->unknown.data)
        return "it has a field of viewfold's that this build does not know";
    if (!vf_stamp_parse(hash->stamp, &document->stamp))
        return "_stamp is not 16 hex digits";
    if (!vf_redis_parse_int(hash->revision, &document->revision))
        return "_rev is no integer";
    if (hash->versions.size > 0 && vf_versions_parse(hash->versions, store->parser, arena, &document->versions,
                                                     &document->version_count, error) != VF_OK)
        return "_versions cannot be read";
    document->has_expires = hash->expires.data != NULL;
    if (document->has_expires && !vf_redis_parse_int(hash->expires, &document->expires_ms))
        return "_expires is no integer";
    return NULL;
}

static const char *read_document(struct vf_store *store, const redisReply *reply, struct vf_arena *arena,
                                 struct vf_document *document, struct vf_error *error)
{
    struct hash hash = take_apart(store, reply, DOCUMENT);
    const char *wrong = read_head(store, &hash, arena, document, error);
    if (wrong)
        return wrong;
    if (!vf_bytes_equal(hash.id, document->id))
        return "its id is another one";
    wrong = read_types(store, &hash, error);
    bson_reinit(&store->body);
    for (size_t i = 0; !wrong && i < hash.field_count; i++)
        wrong = append_field(store, &store->fields[i], error);
    if (wrong)
        return wrong;
    document->presence = VF_PRESENT;
    document->body = vf_arena_bytes(arena, bson_get_data(&store->body), store->body.len);
    return NULL;
}

static const char *read_husk(struct vf_store *store, const redisReply *reply, struct vf_arena *arena,
                             struct vf_document *document, struct vf_error *error)
{
    struct hash hash = take_apart(store, reply, HUSK);
    const char *wrong = read_head(store, &hash, arena, document, error);
    if (wrong)
        return wrong;
    enum vf_presence presence = VF_HUSK_NEW;
    while (presence <= VF_HUSK_EXPIRED && !vf_bytes_is(hash.husk, vf_redis_husk_name(presence)))
        presence++;
    if (presence > VF_HUSK_EXPIRED)
        return "it is a husk of a kind that this build does not know";
    if (presence != VF_HUSK_NEW && !vf_redis_parse_int(hash.since, &document->since_ms))
        return "since is no integer";
    if ((presence == VF_HUSK_DELETED) != (hash.deleted_by.size > 0))
        return "deleted_by is there for another kind of husk, or is missing";
    if (presence == VF_HUSK_DELETED)
        document->deleted_by = vf_arena_copy(arena, hash.deleted_by);
    document->presence = presence;
    return NULL;
}

/* A version is nearly always an integer, which needs no parser. */
static bool read_version(struct vf_store *store, struct vf_bytes text, struct vf_arena *arena, int64_t *ret_version,
                         const struct vf_version_more **ret_more)
{
    struct vf_json json;
    struct vf_error ignored;
    if (vf_redis_parse_int(text, ret_version))
        return true;
    return vf_json_parse(store->parser, text, &json, &ignored) == VF_OK && vf_json_type(json) != VF_JSON_INT &&
           vf_version_read(json, arena, ret_version, ret_more);
}

/* The places of a list, [from, to). */
static bool read_places(struct vf_bytes from, struct vf_bytes to, int64_t *ret_from, int64_t *ret_to)
{
    if (!from.data && !to.data)
        return true;
    return vf_redis_parse_int(from, ret_from) && vf_redis_parse_int(to, ret_to) && *ret_from >= 0 &&
           *ret_from <= *ret_to;
}

static bool read_failure(struct vf_store *store, struct vf_bytes text, struct vf_arena *arena,
                         struct vf_failure *failure)
{
    struct vf_json json;
    struct vf_error ignored;
    *failure = (struct vf_failure){0};
    if (vf_json_parse(store->parser, text, &json, &ignored) != VF_OK ||
        !vf_redis_member_int(json, "at", &failure->failed_ms) ||
        !vf_redis_member_text(json, "error", arena, &failure->error))
        return false;
    (void)vf_redis_member_text(json, "script", arena, &failure->script);
    (void)vf_redis_member_text(json, "traceback", arena, &failure->traceback);
    return true;
}

static bool read_state(struct vf_bytes text, enum vf_aside_state *ret_state)
{
    for (enum vf_aside_state state = VF_ASIDE_HELD; state < VF_ASIDE_STATES; state++) {
        if (vf_bytes_is(text, vf_redis_state_name(state))) {
            *ret_state = state;
            return true;
        }
    }
    return !text.data;
}

/* What of an aggregate is set aside. What is wrong, or NULL. */
static const char *read_waiting(struct vf_store *store, const struct hash *hash, struct vf_arena *arena,
                                struct vf_aggregate *aggregate)
{
    if (!read_places(hash->aside_from, hash->aside_to, &aggregate->aside_from, &aggregate->aside_to))
        return "aside_from and aside_to are no places of a list";
    if (!read_places(hash->waiters_from, hash->waiters_to, &aggregate->waiters_from, &aggregate->waiters_to))
        return "waiters_from and waiters_to are no places of a list";
    if ((hash->early_count.data || hash->early_from.data || hash->early_last.data) &&
        (!vf_redis_parse_int(hash->early_count, &aggregate->early_count) ||
         !vf_redis_parse_int(hash->early_from, &aggregate->early_from) ||
         !vf_redis_parse_int(hash->early_last, &aggregate->early_last) || aggregate->early_count < 1))
        return "early_count, early_from or early_last is no such number";
    if (hash->waits_for.size > 0)
        aggregate->waits_for = vf_arena_copy(arena, hash->waits_for);
    aggregate->has_seen = hash->seen.data != NULL;
    if (hash->seen.data && !read_version(store, hash->seen, arena, &aggregate->seen, &aggregate->seen_more))
        return "seen is no version that viewfold writes";
    aggregate->draining = hash->draining.data != NULL;
    if (aggregate->draining && !vf_bytes_is(hash->draining, "1"))
        return "draining is not 1";
    aggregate->parked = hash->parked.data != NULL;
    if (aggregate->parked && !read_failure(store, hash->parked, arena, &aggregate->failure))
        return "parked is no failure that viewfold writes";
    if (hash->since.data && !vf_redis_parse_int(hash->since, &aggregate->since_ms))
        return "since is no integer";
    if (!read_state(hash->state, &aggregate->state))
        return "state is none that this build knows";
    return NULL;
}

static const char *read_aggregate(struct vf_store *store, const redisReply *reply, struct vf_arena *arena,
                                  struct vf_aggregate *aggregate)
{
    struct hash hash = take_apart(store, reply, AGGREGATE);
    if (hash.no_strings)
        return "a field is no string";
    if (hash.unknown.data)
        return "it has a field of viewfold's that this build does not know";
    if (!vf_stamp_parse(hash.stamp, &aggregate->stamp))
        return "_stamp is not 16 hex digits";
    aggregate->has_version = hash.version.data != NULL;
    if (hash.version.data && !read_version(store, hash.version, arena, &aggregate->version, &aggregate->version_more))
        return "version is none that viewfold writes";
    const char *wrong = read_waiting(store, &hash, arena, aggregate);
    if (wrong)
        return wrong;
    aggregate->exists = true;
    aggregate->has_link = hash.link.data != NULL || hash.none.data != NULL;
    aggregate->link_is_none = hash.none.data != NULL;
    if (hash.link.data)
        aggregate->link = vf_arena_copy(arena, hash.link);
    if (hash.link_via.size > 0)
        aggregate->link_via = vf_arena_copy(arena, hash.link_via);
    return NULL;
}

/* Receives one answer to HGETALL. A reply that is an error or of another form is remembered as the call's first failure,
 * and the rest is still received, so that the connection stays in step. False: the connection is lost. */
static bool receive_hash(struct vf_store *store, int64_t deadline_ms, struct vf_bytes head, struct vf_bytes tail,
                         redisReply **ret_reply, enum vf_code *code, struct vf_error *error)
{
    struct vf_error lost;
    redisReply *reply = NULL;
    if (vf_redis_receive(store, deadline_ms, &reply, &lost) != VF_OK) {
        if (error)
            *error = lost;
        *code = lost.code;
        return false;
    }
    if (reply->type != REDIS_REPLY_ARRAY && *code == VF_OK) {
        if (reply->type == REDIS_REPLY_ERROR) {
            *code = vf_redis_fail_reply(store, "HGETALL", reply, error);
            if (*code == VF_E_CONFIG)
                *code = fail_foreign(store, head, tail, "it is no hash", error);
        } else {
            *code = vf_redis_fail_form(store, "HGETALL", error);
        }
    }
    *ret_reply = reply;
    return true;
}

static bool is_hash(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0;
}

/* The two answers about one document. False: the connection is lost. */
static bool receive_document(struct vf_store *store, struct vf_bytes id, int64_t deadline_ms, struct vf_arena *arena,
                             struct vf_document *ret_document, enum vf_code *code, struct vf_error *error)
{
    const struct vf_redis_keys *keys = &store->keys;
    *ret_document = (struct vf_document){.id = vf_arena_copy(arena, id), .presence = VF_ABSENT};
    for (int husk = 0; husk < 2; husk++) {
        struct vf_bytes head = husk ? keys->husk : keys->document;
        redisReply *reply = NULL;
        if (!receive_hash(store, deadline_ms, head, id, &reply, code, error))
            return false;
        /* The document was asked for first: where a husk has become a document meanwhile, the commit will tell. */
        if (*code == VF_OK && is_hash(reply) && ret_document->presence == VF_ABSENT) {
            struct vf_error detail = {0};
            const char *wrong = (husk ? read_husk : read_document)(store, reply, arena, ret_document, &detail);
            if (wrong)
                *code = fail_foreign(store, head, id, wrong, error);
        }
        freeReplyObject(reply);
    }
    return true;
}

static bool receive_aggregate(struct vf_store *store, struct vf_bytes name, int64_t deadline_ms, struct vf_arena *arena,
                              struct vf_aggregate *ret_aggregate, enum vf_code *code, struct vf_error *error)
{
    *ret_aggregate = (struct vf_aggregate){.aggregate = vf_arena_copy(arena, name)};
    redisReply *reply = NULL;
    if (!receive_hash(store, deadline_ms, store->keys.aggregate, name, &reply, code, error))
        return false;
    if (*code == VF_OK && is_hash(reply)) {
        const char *wrong = read_aggregate(store, reply, arena, ret_aggregate);
        if (wrong)
            *code = fail_foreign(store, store->keys.aggregate, name, wrong, error);
    }
    freeReplyObject(reply);
    return true;
}

static void add_hgetall(struct vf_store *store, struct vf_bytes head, struct vf_bytes tail)
{
    vf_redis_request_begin(&store->request, 2);
    vf_redis_request_add_text(&store->request, "HGETALL");
    vf_redis_request_add_joined(&store->request, head, tail);
}

enum vf_code vf_redis_load(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids, size_t id_count,
                           const struct vf_bytes *aggregates, size_t aggregate_count, struct vf_arena *arena,
                           struct vf_document *ret_documents, struct vf_aggregate *ret_aggregates,
                           struct vf_error *error)
{
    int64_t deadline_ms = vf_redis_deadline(store);
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    for (size_t i = 0; i < id_count; i++) {
        add_hgetall(store, store->keys.document, ids[i]);
        add_hgetall(store, store->keys.husk, ids[i]);
    }
    for (size_t i = 0; i < aggregate_count; i++)
        add_hgetall(store, store->keys.aggregate, aggregates[i]);
    if (id_count + aggregate_count == 0)
        return VF_OK;

    enum vf_code code = vf_redis_send(store, deadline_ms, error);
    if (code != VF_OK)
        return code;
    for (size_t i = 0; i < id_count; i++)
        if (!receive_document(store, ids[i], deadline_ms, arena, &ret_documents[i], &code, error))
            return code;
    for (size_t i = 0; i < aggregate_count; i++)
        if (!receive_aggregate(store, aggregates[i], deadline_ms, arena, &ret_aggregates[i], &code, error))
            return code;
    return code;
}
