/*
 * What a commit writes into hashes: documents, husks and aggregate records as fields and texts (docs/formats.md), behind the
 * keys in store->commit_request.
 */
#include "connectors/redis/internal.h"

#include <inttypes.h>

/* As library_commit.lua has it. */
#define SHAPE_BYTES 8

const char *vf_redis_husk_name(enum vf_presence presence)
{
    return presence == VF_HUSK_DELETED ? "deleted" : presence == VF_HUSK_EXPIRED ? "expired" : "new";
}

/* Prints _types of a body into store->types (empty where all are strings). What the projector
 * guarantees is looked at once more: a field named _stamp would undo the one rule. */
static enum vf_code print_types(struct vf_store *store, struct vf_bytes id, const bson_t *body, struct vf_error *error)
{
    bson_iter_t field;
    vf_buffer_clear(&store->types);
    if (!bson_iter_init(&field, body))
        return vf_fail(error, VF_E_BUG, "%s: the body of document %.*s is no BSON", store->label, (int)id.size,
                       id.data);
    while (bson_iter_next(&field)) {
        struct vf_bytes name = vf_bytes(bson_iter_key(&field), bson_iter_key_len(&field));
        if ((name.size > 0 && name.data[0] == '_') || vf_bytes_is(name, "id"))
            return vf_fail(error, VF_E_BUG, "%s: document %.*s has a field %.*s, a name that belongs to the engine",
                           store->label, (int)id.size, id.data, (int)name.size, name.data);
        if (BSON_ITER_HOLDS_UTF8(&field))
            continue;
        vf_buffer_add_char(&store->types, store->types.size == 0 ? '{' : ',');
        vf_json_print_string(&store->types, name);
        vf_buffer_add_text(&store->types, BSON_ITER_HOLDS_DATE_TIME(&field) ? ":\"date\"" : ":\"json\"");
    }
    if (store->types.size > 0)
        vf_buffer_add_char(&store->types, '}');
    return VF_OK;
}

static enum vf_code add_field(struct vf_store *store, const bson_iter_t *field, struct vf_error *error)
{
    struct vf_redis_request *request = &store->commit_request;
    vf_redis_request_add(request, vf_bytes(bson_iter_key(field), bson_iter_key_len(field)));
    if (BSON_ITER_HOLDS_UTF8(field)) {
        uint32_t size;
        const char *text = bson_iter_utf8(field, &size);
        vf_redis_request_add(request, vf_bytes(text, size));
        return VF_OK;
    }
    if (BSON_ITER_HOLDS_DATE_TIME(field)) {
        char text[VF_TIME_TEXT_BYTES];
        vf_time_print(text, bson_iter_date_time(field));
        vf_redis_request_add_text(request, text);
        return VF_OK;
    }
    vf_buffer_clear(&store->value);
    enum vf_code code = vf_body_print_value(&store->value, field, error);
    if (code == VF_OK)
        vf_redis_request_add(request, vf_bytes(store->value.data, store->value.size));
    return code;
}

static void add_versions(struct vf_store *store, const struct vf_document *document)
{
    if (document->version_count == 0)
        return;
    vf_buffer_clear(&store->value);
    vf_versions_print(&store->value, document->versions, document->version_count);
    vf_redis_request_add(&store->commit_request, VF_LITERAL("_versions"));
    vf_redis_request_add(&store->commit_request, vf_bytes(store->value.data, store->value.size));
}

/* Of a document or husk. */
static void add_expires(struct vf_store *store, const struct vf_document *document)
{
    if (!document->has_expires)
        return;
    vf_redis_request_add(&store->commit_request, VF_LITERAL("_expires"));
    vf_redis_request_add_int(&store->commit_request, document->expires_ms);
}

/* Notes which key a write goes to and how many values it has: all arguments since there were `before`. That is
 * library_commit.lua's SHAPE, two 32-bit numbers, the low byte first. */
static void put_shape(struct vf_store *store, size_t place, size_t before)
{
    char *at = store->commit_request.buffer.data + store->commit_shapes_at;
    size_t values = store->commit_request.arguments - before;
    for (int i = 0; i < 4; i++) {
        at[i] = (char)(place >> 8 * i & 255);
        at[4 + i] = (char)(values >> 8 * i & 255);
    }
    store->commit_shapes_at += SHAPE_BYTES;
}

void vf_redis_values_add_shapes(struct vf_store *store, size_t count)
{
    struct vf_redis_request *request = &store->commit_request;
    vf_redis_request_add_room(request, count * SHAPE_BYTES);
    store->commit_shapes_at = request->buffer.size - 2 - count * SHAPE_BYTES;
}

enum vf_code vf_redis_values_add_document(struct vf_store *store, size_t place, const struct vf_document *document,
                                          struct vf_error *error)
{
    struct vf_redis_request *request = &store->commit_request;
    bson_t body;
    bson_iter_t field;
    if (document->body.size == 0 || !bson_init_static(&body, (const uint8_t *)document->body.data, document->body.size))
        return vf_fail(error, VF_E_BUG, "%s: the body of document %.*s is no BSON", store->label,
                       (int)document->id.size, document->id.data);
    enum vf_code code = print_types(store, document->id, &body, error);
    if (code != VF_OK)
        return code;
    vf_redis_request_add(request, document->id);
    vf_redis_request_add_int(request, document->revision);
    size_t before = request->arguments;
    add_versions(store, document);
    add_expires(store, document);
    if (store->types.size > 0) {
        vf_redis_request_add(request, VF_LITERAL("_types"));
        vf_redis_request_add(request, vf_bytes(store->types.data, store->types.size));
    }
    for (bool more = bson_iter_init(&field, &body) && bson_iter_next(&field); more && code == VF_OK;
         more = bson_iter_next(&field))
        code = add_field(store, &field, error);
    if (code != VF_OK)
        return vf_error_prefix(error, "document %.*s", (int)document->id.size, document->id.data);
    put_shape(store, place, before);
    return VF_OK;
}

void vf_redis_values_add_husk(struct vf_store *store, size_t place, const struct vf_document *document)
{
    struct vf_redis_request *request = &store->commit_request;
    vf_redis_request_add(request, document->id);
    vf_redis_request_add_int(request, document->revision);
    size_t before = request->arguments;
    vf_redis_request_add(request, VF_LITERAL("husk"));
    vf_redis_request_add_text(request, vf_redis_husk_name(document->presence));
    if (document->presence == VF_HUSK_DELETED) {
        vf_redis_request_add(request, VF_LITERAL("deleted_by"));
        vf_redis_request_add(request, document->deleted_by);
    }
    if (document->presence != VF_HUSK_NEW) {
        vf_redis_request_add(request, VF_LITERAL("since"));
        vf_redis_request_add_int(request, document->since_ms);
    }
    add_expires(store, document);
    add_versions(store, document);
    put_shape(store, place, before);
}

static void add_version(struct vf_store *store, struct vf_bytes name, int64_t version,
                        const struct vf_version_more *more)
{
    vf_buffer_clear(&store->value);
    vf_version_print(&store->value, version, more);
    vf_redis_request_add(&store->commit_request, name);
    vf_redis_request_add(&store->commit_request, vf_bytes(store->value.data, store->value.size));
}

static void add_int_field(struct vf_redis_request *request, struct vf_bytes name, int64_t number)
{
    vf_redis_request_add(request, name);
    vf_redis_request_add_int(request, number);
}

static void add_failure(struct vf_store *store, const struct vf_failure *failure)
{
    struct vf_buffer *out = &store->value;
    vf_buffer_clear(out);
    vf_buffer_printf(out, "{\"at\":%" PRId64 ",\"error\":", failure->failed_ms);
    vf_json_print_string(out, failure->error);
    if (failure->script.size > 0) {
        vf_buffer_add_text(out, ",\"script\":");
        vf_json_print_string(out, failure->script);
    }
    if (failure->traceback.size > 0) {
        vf_buffer_add_text(out, ",\"traceback\":");
        vf_json_print_string(out, failure->traceback);
    }
    vf_buffer_add_char(out, '}');
    vf_redis_request_add(&store->commit_request, VF_LITERAL("parked"));
    vf_redis_request_add(&store->commit_request, vf_bytes(out->data, out->size));
}

/* What is set aside of an aggregate. Nothing that most records do not have is written. */
static void add_waiting(struct vf_store *store, const struct vf_aggregate *aggregate)
{
    struct vf_redis_request *request = &store->commit_request;
    /* Also where nothing is set aside any more: places only grow. */
    if (aggregate->waiters_to > 0) {
        add_int_field(request, VF_LITERAL("waiters_from"), aggregate->waiters_from);
        add_int_field(request, VF_LITERAL("waiters_to"), aggregate->waiters_to);
    }
    if (aggregate->aside_to > 0) {
        add_int_field(request, VF_LITERAL("aside_from"), aggregate->aside_from);
        add_int_field(request, VF_LITERAL("aside_to"), aggregate->aside_to);
    }
    if (aggregate->waits_for.size > 0) {
        vf_redis_request_add(request, VF_LITERAL("waits_for"));
        vf_redis_request_add(request, aggregate->waits_for);
    }
    if (aggregate->early_count > 0) {
        add_int_field(request, VF_LITERAL("early_count"), aggregate->early_count);
        add_int_field(request, VF_LITERAL("early_from"), aggregate->early_from);
        add_int_field(request, VF_LITERAL("early_last"), aggregate->early_last);
    }
    if (aggregate->has_seen)
        add_version(store, VF_LITERAL("seen"), aggregate->seen, aggregate->seen_more);
    if (aggregate->parked)
        add_failure(store, &aggregate->failure);
    if (aggregate->since_ms != 0)
        add_int_field(request, VF_LITERAL("since"), aggregate->since_ms);
    if (aggregate->draining)
        add_int_field(request, VF_LITERAL("draining"), 1);
    if (aggregate->state != VF_ASIDE_NONE) {
        vf_redis_request_add(request, VF_LITERAL("state"));
        vf_redis_request_add_text(request, vf_redis_state_name(aggregate->state));
    }
}

void vf_redis_values_add_aggregate(struct vf_store *store, size_t place, const struct vf_aggregate *aggregate)
{
    struct vf_redis_request *request = &store->commit_request;
    size_t before = request->arguments;
    if (aggregate->has_link) {
        vf_redis_request_add(request, aggregate->link_is_none ? VF_LITERAL("none") : VF_LITERAL("link"));
        vf_redis_request_add(request, aggregate->link_is_none ? VF_LITERAL("1") : aggregate->link);
    }
    if (aggregate->link_via.size > 0) {
        vf_redis_request_add(request, VF_LITERAL("link_via"));
        vf_redis_request_add(request, aggregate->link_via);
    }
    if (aggregate->has_version)
        add_version(store, VF_LITERAL("version"), aggregate->version, aggregate->version_more);
    add_waiting(store, aggregate);
    put_shape(store, place, before);
}
