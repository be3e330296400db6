#include "lua/lua_test.h"

#include <stdio.h>
#include <stdlib.h>

struct vf_projector_limits test_limits;
struct test_log test_log;
struct vf_error test_error;
struct vf_arena *test_arena;

void test_reset_limits(void)
{
    test_limits = (struct vf_projector_limits){.memory_bytes_max = 64u << 20,
                                               .instructions_max = 10000000,
                                               .handler_ms_max = 60000, /* no test depends on the clock */
                                               .document_bytes_max = 8u << 20};
}

int lua_test_setup(void **state)
{
    (void)state;
    test_reset_limits();
    memset(&test_log, 0, sizeof test_log);
    test_arena = vf_arena_new();
    return 0;
}

int lua_test_teardown(void **state)
{
    (void)state;
    vf_arena_free(test_arena);
    return 0;
}

enum vf_code read_test_file(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error)
{
    for (const struct test_file *file = self; file->name; file++) {
        if (strcmp(file->name, name) == 0) {
            *ret_text = vf_bytes(file->text, file->size ? file->size : strlen(file->text));
            return VF_OK;
        }
    }
    return vf_fail(error, VF_E_NOT_FOUND, "there is no %s", name);
}

static void note_log(void *self, const struct vf_event *event, struct vf_bytes line)
{
    struct test_log *log = self;
    (void)event;
    log->lines++;
    snprintf(log->text, sizeof log->text, "%.*s", (int)line.size, line.data);
}

struct vf_projector *try_open_files(const struct test_file *files)
{
    struct vf_script_reader reader = {.read = read_test_file, .self = (void *)(uintptr_t)files};
    struct vf_projector *projector = NULL;
    if (LUA->open(files[0].name, &reader, &test_limits, note_log, &test_log, &projector, &test_error) != VF_OK)
        return NULL;
    return projector;
}

struct vf_projector *try_open(const char *text)
{
    struct test_file files[] = {{"view.lua", text, 0}, {NULL, NULL, 0}};
    return try_open_files(files);
}

struct vf_projector *open_script(const char *text)
{
    struct vf_projector *projector = try_open(text);
    if (!projector)
        fail_msg("open: %s", test_error.text);
    return projector;
}

struct vf_projector *open_handler(const char *body)
{
    struct vf_bytes text =
        vf_arena_printf(test_arena,
                        "return { name = 'v', topics = {'t'}, key = { order = own },\n"
                        "on = { Fine = function(doc) doc.fine = true end, Happened = function(doc, e)\n"
                        "%s\nend } }\n",
                        body);
    return open_script(text.data);
}

struct vf_event *an_event(const char *type, const char *data)
{
    static struct vf_record record;
    static struct vf_event event;
    static const struct vf_header headers[] = {
        {{"trace", 5}, {"a1", 2}, false}, {{"none", 4}, {NULL, 0}, true}, {{"trace", 5}, {"b2", 2}, false}};
    struct vf_bytes value = vf_arena_printf(test_arena, "{\"type\":\"%s\",\"data\":%s}", type, data ? data : "null");
    record = (struct vf_record){.topic = "shop.orders",
                                .partition = 3,
                                .offset = 1042,
                                .timestamp_ms = 1772359200000,
                                .value = value,
                                .headers = headers,
                                .header_count = 3};
    event = (struct vf_event){.record = &record,
                              .kind = VF_LITERAL("order"),
                              .id = VF_LITERAL("42"),
                              .aggregate = VF_LITERAL("order/42"),
                              .event_id = VF_LITERAL("ev-7"),
                              .type = vf_bytes_from(type),
                              .version = 7,
                              .schema = 1,
                              .time_ms = 1772359200123,
                              .data_pointer = data ? "/data" : NULL};
    return &event;
}

enum vf_code handle(struct vf_projector *projector, vf_warm document, const char *type, const char *data)
{
    enum vf_handled handled;
    return LUA->handle(projector, an_event(type, data), VF_LITERAL("doc1"), document, 0, &handled, &test_error);
}

vf_warm warm(struct vf_projector *projector)
{
    vf_warm document = 0;
    if (LUA->warm(projector, vf_bytes(NULL, 0), &document, &test_error) != VF_OK)
        fail_msg("warm: %s", test_error.text);
    assert_int_not_equal(document, 0);
    return document;
}

struct vf_bytes json_to_bson(const char *json)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root;
    bson_t bson, inner;
    bson_init(&bson);
    if (vf_json_parse(parser, vf_bytes_from(json), &root, &test_error) != VF_OK ||
        vf_body_append_json(&bson, VF_LITERAL("b"), root, &test_error) != VF_OK)
        fail_msg("%s: %s", json, test_error.text);
    bson_iter_t iter;
    const uint8_t *data;
    uint32_t size;
    assert_true(bson_iter_init_find(&iter, &bson, "b"));
    bson_iter_document(&iter, &size, &data);
    (void)inner;
    struct vf_bytes copy = vf_arena_bytes(test_arena, data, size);
    bson_destroy(&bson);
    vf_json_parser_free(parser);
    return copy;
}

vf_warm warm_json(struct vf_projector *projector, const char *json)
{
    vf_warm document = 0;
    if (LUA->warm(projector, json_to_bson(json), &document, &test_error) != VF_OK)
        fail_msg("warm: %s", test_error.text);
    return document;
}

enum vf_code happen(struct vf_projector *projector, const char *data, vf_warm *ret_document)
{
    *ret_document = warm(projector);
    return handle(projector, *ret_document, "Happened", data);
}

const char *body_json(struct vf_projector *projector, vf_warm document, bool *ret_aliased)
{
    struct vf_bytes bson;
    bool aliased = false;
    struct vf_buffer text;
    if (LUA->body(projector, document, test_arena, &bson, &aliased, &test_error) != VF_OK)
        return NULL;
    if (ret_aliased)
        *ret_aliased = aliased;
    vf_buffer_init(&text);
    if (vf_body_print(&text, bson, &test_error) != VF_OK)
        fail_msg("print: %s", test_error.text);
    struct vf_bytes copy = vf_arena_bytes(test_arena, text.data, text.size);
    vf_buffer_done(&text);
    return copy.data;
}

void assert_text_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

void assert_becomes(const char *handler, const char *data, const char *json)
{
    struct vf_projector *projector = open_handler(handler);
    vf_warm document;
    if (happen(projector, data, &document) != VF_OK)
        fail_msg("%s: %s", handler, test_error.text);
    const char *body = body_json(projector, document, NULL);
    if (!body)
        fail_msg("%s: %s", handler, test_error.text);
    assert_string_equal(body, json);
    LUA->cool(projector, document);
    LUA->close(projector);
}

static void assert_still_works(struct vf_projector *projector)
{
    vf_warm document = warm(projector);
    if (handle(projector, document, "Fine", "{}") != VF_OK)
        fail_msg("the next event: %s", test_error.text);
    const char *body = body_json(projector, document, NULL);
    if (!body)
        fail_msg("the next event's document: %s", test_error.text);
    assert_text_has(body, "\"fine\":true");
    LUA->cool(projector, document);
}

static void assert_code(const char *handler, enum vf_code got, enum vf_code wanted, const char *part)
{
    if (got != wanted)
        fail_msg("%s: code %d, %d is wanted: %s", handler, (int)got, (int)wanted, got ? test_error.text : "");
    assert_int_equal(test_error.code, wanted);
    assert_text_has(test_error.text, part);
}

void assert_fails(const char *handler, enum vf_code code, const char *part)
{
    struct vf_projector *projector = open_handler(handler);
    vf_warm document;
    assert_code(handler, happen(projector, "{\"a\":1}", &document), code, part);
    LUA->cool(projector, document);
    assert_still_works(projector);
    LUA->close(projector);
}

void assert_no_body(const char *handler, enum vf_code code, const char *part)
{
    struct vf_projector *projector = open_handler(handler);
    vf_warm document;
    struct vf_bytes bson;
    bool aliased;
    if (happen(projector, "{\"a\":1}", &document) != VF_OK)
        fail_msg("%s: %s", handler, test_error.text);
    assert_code(handler, LUA->body(projector, document, test_arena, &bson, &aliased, &test_error), code, part);
    LUA->cool(projector, document);
    assert_still_works(projector);
    LUA->close(projector);
}
