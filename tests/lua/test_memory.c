/*
 * The ladder: the heap's cap is raised step by step until opening, folding and writing out succeed, so that every
 * allocation fails once. At each step the answer is VF_E_MEMORY and nothing else, nothing crashes or leaks
 * (AddressSanitizer looks), and a projector that is open goes on working for what fits.
 */
#include "lua/lua_test.h"

#include <stdlib.h>

static const char script[] =
    "local lib = require 'lib'\n"
    "return { name = 'v', topics = {'t'}, key = { order = function(e) return { e.id, e.data.name } end },\n"
    "  initial = { orders = {}, list = array { 1, 2 } },\n"
    "  on = { Happened = function(doc, e)\n"
    "    pcall(function() doc.try = e.data.name:upper():rep(3) end)\n"
    "    doc.name = lib.twice(e.data.name) .. e.time\n"
    "    for k, v in pairs(e.data) do doc.orders[k] = v end\n"
    "    doc.list[#doc.list + 1] = ('%s-%d'):format(e.id, e.version)\n"
    "    table.sort(doc.list, function(a, b) return tostring(a) < tostring(b) end)\n"
    "    doc.parts = array {} for w in e.data.text:gmatch('%w+') do table.insert(doc.parts, w) end\n"
    "    doc.joined, doc.at = table.concat(doc.parts, '-'), date(e.time)\n"
    "    doc.headers = e.headers\n"
    "    log(doc.name, e)\n"
    "  end } }\n";

static const struct test_file files[] = {{"view.lua", script, 0},
                                         {"lib.lua",
                                          "local rates = { a = array { 1, { b = 2 } } }\n"
                                          "return { twice = function(s) return s .. s .. #rates.a end }",
                                          0},
                                         {NULL, NULL, 0}};

static const char data[] =
    "{\"name\":\"Fred\",\"text\":\"one two three\",\"nested\":{\"a\":[1,2,{\"b\":null}],\"c\":1.5}}";

/* One turn: routes, warms, handles, writes out. The first code that is not VF_OK. */
static enum vf_code fold_once(struct vf_projector *projector, const char **ret_body)
{
    struct vf_routed routed;
    struct vf_bytes bson;
    bool aliased;
    vf_warm document = 0;
    enum vf_handled handled;
    const struct vf_event *event = an_event("Happened", data);
    enum vf_code code =
        LUA->route(projector, &LUA->describe(projector)->routes[0], event, test_arena, &routed, &test_error);
    if (code == VF_OK)
        code = LUA->warm(projector, vf_bytes(NULL, 0), &document, &test_error);
    if (code == VF_OK)
        code = LUA->handle(projector, event, VF_LITERAL("d"), document, 0, &handled, &test_error);
    if (code == VF_OK)
        code = LUA->body(projector, document, test_arena, &bson, &aliased, &test_error);
    if (code == VF_OK)
        *ret_body = body_json(projector, document, &aliased);
    LUA->cool(projector, document);
    return code;
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    struct vf_projector *roomy = try_open_files(files);
    const char *wanted = NULL, *body = NULL;
    if (!roomy)
        fail_msg("%s", test_error.text);
    assert_int_equal(fold_once(roomy, &wanted), VF_OK);
    assert_non_null(wanted);
    LUA->close(roomy);

    int open_failures = 0;
    for (size_t cap = 1000; !body; cap += 64) {
        test_limits.memory_bytes_max = cap;
        struct vf_projector *projector = try_open_files(files);
        if (!projector) {
            if (test_error.code != VF_E_MEMORY)
                fail_msg("open with %zu bytes: code %d: %s", cap, (int)test_error.code, test_error.text);
            open_failures++;
            continue;
        }
        for (int turn = 0; turn < 3; turn++) {
            enum vf_code code = fold_once(projector, &body);
            if (code != VF_OK && code != VF_E_MEMORY)
                fail_msg("fold with %zu bytes: code %d: %s", cap, (int)code, test_error.text);
        }
        assert_true(LUA->memory_bytes(projector) <= cap);
        LUA->close(projector);
        vf_arena_reset(test_arena);
        if (body)
            break;
    }
    assert_true(open_failures > 100);
}

/* Opening needs more than folding does, so folding has a ladder of its own: a filler leaves more and more room. */
static void every_allocation_of_a_fold_fails_once(void **state)
{
    (void)state;
    test_limits.memory_bytes_max = 400000;
    struct vf_projector *projector = try_open_files(files);
    const char *wanted = NULL, *body = NULL;
    assert_int_equal(fold_once(projector, &wanted), VF_OK);
    wanted = vf_arena_bytes(test_arena, wanted, strlen(wanted)).data;
    int failures = 0;
    for (size_t room = 200; !body; room += 16) {
        LUA->collect(projector);
        size_t used = LUA->memory_bytes(projector);
        char *text = malloc(400000);
        bson_t bson;
        bson_init(&bson);
        memset(text, 'x', 400000);
        bson_append_utf8(&bson, "x", 1, text, (int)(400000 - used - room));
        free(text);
        vf_warm filler;
        if (LUA->warm(projector, vf_bytes(bson_get_data(&bson), bson.len), &filler, &test_error) == VF_OK) {
            enum vf_code code = fold_once(projector, &body);
            if (code != VF_OK && code != VF_E_MEMORY)
                fail_msg("%zu bytes of room: code %d: %s", room, (int)code, test_error.text);
            failures += code != VF_OK;
            LUA->cool(projector, filler);
        }
        assert_true(LUA->memory_bytes(projector) <= 400000);
        bson_destroy(&bson);
    }
    assert_string_equal(body, wanted);
    assert_true(failures > 100);
    LUA->close(projector);
}

static void a_fold_that_ran_out_works_when_there_is_room_again(void **state)
{
    (void)state;
    test_limits.memory_bytes_max = 400000;
    struct vf_projector *projector = try_open_files(files);
    const char *first = NULL, *again = NULL;
    assert_int_equal(fold_once(projector, &first), VF_OK);
    first = vf_arena_bytes(test_arena, first, strlen(first)).data;
    vf_warm documents[5000];
    size_t count = 0;
    while (count < 5000 && LUA->warm(projector, vf_bytes(NULL, 0), &documents[count], &test_error) == VF_OK)
        count++;
    assert_int_equal(test_error.code, VF_E_MEMORY);
    assert_int_equal(fold_once(projector, &again), VF_E_MEMORY);
    while (count > 0)
        LUA->cool(projector, documents[--count]);
    assert_int_equal(fold_once(projector, &again), VF_OK);
    assert_string_equal(again, first);
    LUA->close(projector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(every_allocation_fails_once),
        A_TEST(every_allocation_of_a_fold_fails_once),
        A_TEST(a_fold_that_ran_out_works_when_there_is_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
