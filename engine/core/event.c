#include "core/event.h"

#include "core/arena.h"

#include <bson/bson.h>

/* Inlined, because its state then has no ABI that a later library could break. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t vf_record_hash(const struct vf_record *record)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    if (!record->key_is_null && record->key.size)
        XXH64_update(&state, record->key.data, record->key.size);
    if (!record->value_is_null && record->value.size)
        XXH64_update(&state, record->value.data, record->value.size);
    return XXH64_digest(&state);
}

/* --- a record as bytes ---------------------------------------------------------------------------------------------- */

/* BSON: what reads it in MongoDB's shell can be read by a person, and a later format can add fields. */

static void append_bytes(bson_t *into, const char *key, struct vf_bytes bytes)
{
    BSON_APPEND_BINARY(into, key, BSON_SUBTYPE_BINARY, (const uint8_t *)(bytes.data ? bytes.data : ""),
                       (uint32_t)bytes.size);
}

void vf_record_encode(struct vf_buffer *out, const struct vf_record *record)
{
    bson_t bson = BSON_INITIALIZER, headers, header;
    char buffer[16];
    const char *key;
    BSON_APPEND_UTF8(&bson, "topic", record->topic);
    BSON_APPEND_INT64(&bson, "partition", record->partition);
    BSON_APPEND_INT64(&bson, "offset", record->offset);
    BSON_APPEND_INT64(&bson, "timestamp", record->timestamp_ms);
    if (!record->key_is_null)
        append_bytes(&bson, "key", record->key);
    if (!record->value_is_null)
        append_bytes(&bson, "value", record->value);
    if (record->header_count > 0) {
        BSON_APPEND_ARRAY_BEGIN(&bson, "headers", &headers);
        for (size_t i = 0; i < record->header_count; i++) {
            size_t size = bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
            bson_append_document_begin(&headers, key, (int)size, &header);
            append_bytes(&header, "name", record->headers[i].name);
            if (!record->headers[i].is_null)
                append_bytes(&header, "value", record->headers[i].value);
            bson_append_document_end(&headers, &header);
        }
        bson_append_array_end(&bson, &headers);
    }
    vf_buffer_add(out, bson_get_data(&bson), bson.len);
    bson_destroy(&bson);
}

/* Of a document's field: its number, its bytes. False where it is none. */
static bool read_number(const bson_t *bson, const char *key, int64_t *ret_number)
{
    bson_iter_t field;
    if (!bson_iter_init_find(&field, bson, key) || !BSON_ITER_HOLDS_INT64(&field))
        return false;
    *ret_number = bson_iter_int64(&field);
    return true;
}

static bool read_binary(const bson_iter_t *field, struct vf_arena *arena, struct vf_bytes *ret_bytes)
{
    bson_subtype_t subtype;
    uint32_t size;
    const uint8_t *data;
    if (!BSON_ITER_HOLDS_BINARY(field))
        return false;
    bson_iter_binary(field, &subtype, &size, &data);
    *ret_bytes = vf_arena_bytes(arena, data, size);
    return true;
}

/* Where it is not there, it was null. */
static bool read_nullable(const bson_t *bson, const char *key, struct vf_arena *arena, struct vf_bytes *ret_bytes,
                          bool *ret_is_null)
{
    bson_iter_t field;
    *ret_is_null = !bson_iter_init_find(&field, bson, key);
    return *ret_is_null || read_binary(&field, arena, ret_bytes);
}

static bool read_headers(const bson_t *bson, struct vf_arena *arena, struct vf_record *record)
{
    bson_iter_t list, iter;
    size_t count = 0;
    if (!bson_iter_init_find(&list, bson, "headers"))
        return true;
    if (!BSON_ITER_HOLDS_ARRAY(&list) || !bson_iter_recurse(&list, &iter))
        return false;
    while (bson_iter_next(&iter))
        count++;
    struct vf_header *headers = vf_arena_calloc(arena, count, sizeof *headers);
    bson_iter_recurse(&list, &iter);
    for (size_t i = 0; bson_iter_next(&iter); i++) {
        const uint8_t *data;
        uint32_t size;
        bson_t header;
        bson_iter_t name;
        if (!BSON_ITER_HOLDS_DOCUMENT(&iter))
            return false;
        bson_iter_document(&iter, &size, &data);
        if (!bson_init_static(&header, data, size) || !bson_iter_init_find(&name, &header, "name") ||
            !read_binary(&name, arena, &headers[i].name) ||
            !read_nullable(&header, "value", arena, &headers[i].value, &headers[i].is_null))
            return false;
    }
    record->headers = headers;
    record->header_count = count;
    return true;
}

static bool read_record(const bson_t *bson, struct vf_arena *arena, struct vf_record *record)
{
    bson_iter_t field;
    int64_t partition;
    if (!bson_iter_init_find(&field, bson, "topic") || !BSON_ITER_HOLDS_UTF8(&field))
        return false;
    uint32_t size;
    const char *topic = bson_iter_utf8(&field, &size);
    record->topic = vf_arena_bytes(arena, topic, size).data;
    if (!read_number(bson, "partition", &partition) || partition < 0 || partition > INT32_MAX)
        return false;
    record->partition = (int32_t)partition;
    return read_number(bson, "offset", &record->offset) && read_number(bson, "timestamp", &record->timestamp_ms) &&
           read_nullable(bson, "key", arena, &record->key, &record->key_is_null) &&
           read_nullable(bson, "value", arena, &record->value, &record->value_is_null) &&
           read_headers(bson, arena, record);
}

enum vf_code vf_record_decode(struct vf_bytes bytes, struct vf_arena *arena, struct vf_record *ret_record,
                              struct vf_error *error)
{
    struct vf_record record = {.row = VF_ROW_RECORD};
    bson_t bson;
    if (!bson_init_static(&bson, (const uint8_t *)bytes.data, bytes.size) ||
        !bson_validate(&bson, BSON_VALIDATE_NONE, NULL) || !read_record(&bson, arena, &record))
        return vf_fail(error, VF_E_DATA, "an event that was set aside cannot be read: viewfold did not write it so");
    *ret_record = record;
    return VF_OK;
}
