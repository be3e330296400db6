/*
 * What a store answers, which anybody may have written: it is read or refused with a text, and what was read is written and read
 * as the same again.
 *
 * An input is a byte that says what it is, and that: text or bytes as they lie in a store; JSON that stands for a MongoDB document
 * (extended JSON); or JSON that stands for a Redis server's answers: a list of them, each a list, a text, an integer, null, true
 * (a status), or {"error": text}.
 */
#include "fuzz/fuzz_redis.h"

#include "connectors/mongodb/mongodb_internal.h"
#include "connectors/redis/redis_store.h"
#include "core/body.h"
#include "core/json.h"
#include "fuzz/fuzz.h"

#include <inttypes.h>

static struct vf_json_parser *parser;

static void want_reason(enum vf_code code, const struct vf_error *error)
{
    FUZZ_WANT(code && error->code == code && strlen(error->text) > 10, "%d %s", (int)code, error->text);
}

/* --- texts and bytes ------------------------------------------------------------------------------------------------- */

static void read_progress(struct vf_bytes text, struct vf_arena *arena)
{
    struct vf_progress progress;
    struct vf_error error = {0};
    struct vf_buffer printed;
    (void)arena;
    vf_buffer_init(&printed);
    enum vf_code code = vf_progress_parse(text, parser, &progress, &error);
    if (code) {
        want_reason(code, &error);
    } else { /* commits compare the text */
        vf_progress_print(&printed, &progress);
        FUZZ_WANT(vf_bytes_equal(fuzz_bytes(&printed), text), "%.*s is %s", FUZZ_TEXT(text), printed.data);
    }
    vf_buffer_done(&printed);
}

static void read_versions(struct vf_bytes text, struct vf_arena *arena)
{
    const struct vf_version *versions;
    size_t count, count_again;
    struct vf_error error = {0};
    struct vf_buffer printed, again;
    vf_buffer_init(&printed);
    vf_buffer_init(&again);
    enum vf_code code = vf_versions_parse(text, parser, arena, &versions, &count, &error);
    if (code) {
        want_reason(code, &error);
    } else {
        for (size_t i = 1; i < count; i++)
            FUZZ_WANT(vf_bytes_compare(versions[i - 1].aggregate, versions[i].aggregate) < 0, "not in order");
        vf_versions_print(&printed, versions, count);
        code = vf_versions_parse(fuzz_bytes(&printed), parser, arena, &versions, &count_again, &error);
        FUZZ_WANT(code == VF_OK && count == count_again, "%s: %s", printed.data, error.text);
        vf_versions_print(&again, versions, count);
        FUZZ_WANT(strcmp(printed.data, again.data) == 0, "%s and %s", printed.data, again.data);
    }
    vf_buffer_done(&printed);
    vf_buffer_done(&again);
}

static void read_record(struct vf_bytes bytes, struct vf_arena *arena)
{
    struct vf_record record, record_again;
    struct vf_error error = {0};
    struct vf_buffer encoded, again;
    vf_buffer_init(&encoded);
    vf_buffer_init(&again);
    enum vf_code code = vf_record_decode(bytes, arena, &record, &error);
    if (code) {
        want_reason(code, &error);
    } else {
        vf_record_encode(&encoded, &record);
        code = vf_record_decode(fuzz_bytes(&encoded), arena, &record_again, &error);
        FUZZ_WANT(code == VF_OK, "%s", error.text);
        vf_record_encode(&again, &record_again);
        FUZZ_WANT(vf_bytes_equal(fuzz_bytes(&encoded), fuzz_bytes(&again)), "a record changes");
    }
    vf_buffer_done(&encoded);
    vf_buffer_done(&again);
}

/* --- MongoDB's documents --------------------------------------------------------------------------------------------------- */

static void want_body(struct vf_bytes body)
{
    struct vf_error error = {0};
    struct vf_buffer text;
    struct vf_json root;
    vf_buffer_init(&text);
    enum vf_code code = vf_body_print(&text, body, &error);
    if (code)
        want_reason(code, &error);
    else
        FUZZ_WANT(vf_json_parse(parser, fuzz_bytes(&text), &root, &error) == VF_OK, "%s: %s", error.text, text.data);
    vf_buffer_done(&text);
}

static void read_document(const bson_t *bson, struct vf_arena *arena)
{
    struct vf_document document;
    struct vf_error error = {0};
    bson_t written, again;
    enum vf_code code = vf_mongodb_read_document(bson, arena, &document, &error);
    if (code) {
        want_reason(code, &error);
        return;
    }
    want_body(document.presence == VF_PRESENT ? document.body : vf_bytes("\5\0\0\0\0", 5));
    bson_init(&written);
    bson_init(&again);
    vf_mongodb_append_document(&written, &document, document.stamp);
    code = vf_mongodb_read_document(&written, arena, &document, &error);
    FUZZ_WANT(code == VF_OK, "%s", error.text);
    vf_mongodb_append_document(&again, &document, document.stamp);
    FUZZ_WANT(bson_equal(&written, &again), "a document changes");
    bson_destroy(&written);
    bson_destroy(&again);
}

static void read_aggregate(const bson_t *bson, struct vf_arena *arena)
{
    struct vf_aggregate aggregate;
    struct vf_error error = {0};
    bson_t written, again;
    enum vf_code code = vf_mongodb_read_aggregate(bson, arena, &aggregate, &error);
    if (code) {
        want_reason(code, &error);
        return;
    }
    bson_init(&written);
    bson_init(&again);
    vf_mongodb_append_aggregate(&written, &aggregate, aggregate.stamp);
    code = vf_mongodb_read_aggregate(&written, arena, &aggregate, &error);
    FUZZ_WANT(code == VF_OK, "%s", error.text);
    vf_mongodb_append_aggregate(&again, &aggregate, aggregate.stamp);
    FUZZ_WANT(bson_equal(&written, &again), "an aggregate record changes");
    bson_destroy(&written);
    bson_destroy(&again);
}

static void read_mongodb_progress(const bson_t *bson, struct vf_arena *arena)
{
    static struct vf_mongodb_names names;
    struct vf_progress_row row, row_again;
    struct vf_error error = {0};
    bson_t written;
    snprintf(names.documents, sizeof names.documents, "v.g1");
    enum vf_code code = vf_mongodb_read_progress(bson, &names, arena, &row, &error);
    if (code) {
        want_reason(code, &error);
        return;
    }
    bson_init(&written);
    vf_mongodb_append_progress_id(&written, "_id", &names, row.partition);
    vf_mongodb_append_progress(&written, &row.progress);
    code = vf_mongodb_read_progress(&written, &names, arena, &row_again, &error);
    FUZZ_WANT(code == VF_OK, "%s", error.text);
    FUZZ_WANT(vf_progress_equal(&row.progress, &row_again.progress) &&
                  row.partition.partition == row_again.partition.partition &&
                  strcmp(row.partition.topic, row_again.partition.topic) == 0,
              "progress changes");
    bson_destroy(&written);
}

/* Extended JSON as BSON; else the bytes themselves, where they can be. */
static void with_bson(struct vf_bytes input, struct vf_arena *arena,
                      void (*read)(const bson_t *bson, struct vf_arena *arena))
{
    bson_t view;
    bson_error_t failure;
    bson_t *bson = bson_new_from_json((const uint8_t *)input.data, (ssize_t)input.size, &failure);
    if (bson)
        read(bson, arena);
    else if (bson_init_static(&view, (const uint8_t *)input.data, input.size))
        read(&view, arena);
    bson_destroy(bson);
}

/* --- Redis' answers -------------------------------------------------------------------------------------------------------- */

static void add_reply(struct vf_buffer *out, struct vf_json json)
{
    struct vf_json_iterator members = vf_json_iterate(json);
    struct vf_json member;
    struct vf_buffer list;
    size_t count = 0;
    switch (vf_json_type(json)) {
    case VF_JSON_STRING:
        vf_buffer_printf(out, "$%zu\r\n", vf_json_string(json).size);
        vf_buffer_add_bytes(out, vf_json_string(json));
        vf_buffer_add_text(out, "\r\n");
        return;
    case VF_JSON_INT: vf_buffer_printf(out, ":%" PRId64 "\r\n", vf_json_int(json)); return;
    case VF_JSON_BOOL: vf_buffer_add_text(out, "+OK\r\n"); return;
    case VF_JSON_OBJECT:
        if (!vf_json_member(json, VF_LITERAL("error"), &member) || vf_json_type(member) != VF_JSON_STRING)
            break;
        vf_buffer_add_char(out, '-');
        for (size_t i = 0; i < vf_json_string(member).size; i++)
            vf_buffer_add_char(out, vf_json_string(member).data[i] < ' ' ? ' ' : vf_json_string(member).data[i]);
        vf_buffer_add_text(out, "\r\n");
        return;
    case VF_JSON_ARRAY:
        vf_buffer_init(&list);
        for (; vf_json_next(&members, NULL, &member); count++)
            add_reply(&list, member);
        vf_buffer_printf(out, "*%zu\r\n", count);
        vf_buffer_add_bytes(out, fuzz_bytes(&list));
        vf_buffer_done(&list);
        return;
    default: break;
    }
    vf_buffer_add_text(out, "$-1\r\n");
}

static const struct vf_view view = {"v", 1};
static const struct vf_partition partition = {"orders", 3};

static enum vf_code ask_load(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    const struct vf_bytes id = VF_LITERAL("doc 1"), aggregate = VF_LITERAL("order/42");
    struct vf_document document, again;
    struct vf_aggregate record;
    enum vf_code code = vf_redis_store_type.load(store, view, &id, 1, &aggregate, 1, arena, &document, &record, error);
    if (code || document.presence != VF_PRESENT)
        return code;
    want_body(document.body);
    if (fuzz_redis_write(&document, error) == VF_OK) {
        code = vf_redis_store_type.load(store, view, &id, 1, NULL, 0, arena, &again, NULL, error);
        FUZZ_WANT(code == VF_OK, "%s", error->text);
        FUZZ_WANT(vf_bytes_equal(document.body, again.body) && document.revision == again.revision &&
                      document.stamp == again.stamp && document.version_count == again.version_count,
                  "a document changes");
    }
    return VF_OK;
}

static enum vf_code ask_progress(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_progress_row *rows;
    size_t count;
    return vf_redis_store_type.progress(store, view, arena, &rows, &count, error);
}

static enum vf_code ask_generations(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_generation *generations;
    size_t count;
    return vf_redis_store_type.generations(store, view.name, arena, &generations, &count, error);
}

static enum vf_code ask_generation(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_generation generation;
    return vf_redis_store_type.generation(store, view, arena, &generation, error);
}

static enum vf_code ask_stamp(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    uint64_t stamp;
    bool there;
    (void)arena;
    return vf_redis_store_type.generation_stamp(store, view, &stamp, &there, error);
}

static enum vf_code ask_aside(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_aside *asides;
    size_t count;
    return vf_redis_store_type.aside_load(store, view, VF_LITERAL("order/42"), 0, 10, 1000, arena, &asides, &count,
                                          error);
}

static enum vf_code ask_aside_total(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_aside_total total;
    (void)arena;
    return vf_redis_store_type.aside_total(store, view, partition, &total, error);
}

static enum vf_code ask_aside_at(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_bytes list;
    bool there;
    return vf_redis_store_type.aside_at(store, view, partition, 7, arena, &there, &list, error);
}

static enum vf_code ask_draining(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_bytes *aggregates;
    size_t count;
    return vf_redis_store_type.draining(store, view, 5, arena, &aggregates, &count, error);
}

static enum vf_code ask_state(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    struct vf_view_state state;
    (void)arena;
    return vf_redis_store_type.state(store, view.name, &state, error);
}

static enum vf_code ask_note(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    (void)arena;
    return vf_redis_store_type.note_stopped(store, view, 1, partition, "why", error);
}

static enum vf_code ask_freeze(struct vf_store *store, struct vf_arena *arena, struct vf_error *error)
{
    (void)arena;
    return vf_redis_store_type.freeze(store, view, &partition, 1, 1000, error);
}

static enum vf_code (*const questions[])(struct vf_store *store, struct vf_arena *arena, struct vf_error *error) = {
    ask_load,        ask_progress, ask_generations, ask_generation, ask_stamp, ask_aside,
    ask_aside_total, ask_aside_at, ask_draining,    ask_state,      ask_note,  ask_freeze};

static void ask_redis(struct vf_bytes input, size_t which, struct vf_arena *arena)
{
    struct vf_json_iterator replies;
    struct vf_json root, reply;
    struct vf_error error = {0};
    struct vf_buffer text;
    if (vf_json_parse(parser, input, &root, &error) != VF_OK || vf_json_type(root) != VF_JSON_ARRAY)
        return;
    vf_buffer_init(&text);
    for (replies = vf_json_iterate(root); vf_json_next(&replies, NULL, &reply);)
        add_reply(&text, reply);
    fuzz_redis_answer(fuzz_bytes(&text));
    error = (struct vf_error){0};
    enum vf_code code = questions[which](fuzz_redis_store(), arena, &error);
    if (code)
        want_reason(code, &error);
    vf_buffer_done(&text);
}

/* --------------------------------------------------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!parser)
        parser = vf_json_parser_new();
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes input = vf_arena_bytes(arena, data, size);
    size_t questions_count = sizeof questions / sizeof *questions;
    size_t which = size ? (size_t)(data[0] - 'a') % (6 + questions_count) : 0; /* a letter, for people */
    input = size ? vf_bytes(input.data + 1, size - 1) : input;
    switch (which) {
    case 0: read_progress(input, arena); break;
    case 1: read_versions(input, arena); break;
    case 2: read_record(input, arena); break;
    case 3: with_bson(input, arena, read_document); break;
    case 4: with_bson(input, arena, read_aggregate); break;
    case 5: with_bson(input, arena, read_mongodb_progress); break;
    default: ask_redis(input, which - 6, arena);
    }
    vf_arena_free(arena);
    return 0;
}
