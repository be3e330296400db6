/*
 * What lies in Redis is as docs/formats.md shows it, whatever the ids and bodies are, and reads back as it was written.
 */
#include "redis/redis_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct vf_store_type *const type = &vf_redis_store_type;

/* --- what lies there ------------------------------------------------------------------------------------------------- */

static void write_the_sample(struct scene *scene)
{
    struct vf_generation proposed = {
        .number = 1,
        .state = "active",
        .projection_version = 3,
        .script_hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .script = "customer_orders.lua",
        .files = (const struct vf_file[]){{VF_LITERAL("customer_orders.lua"), VF_LITERAL("return {}\n")}},
        .file_count = 1,
        .created_ms = 1772359200000,
        .format = VF_FORMAT,
    };
    struct vf_generation generation;
    struct vf_error error;
    bool created = false;
    if (type->prepare(scene->store, scene->view, &proposed, scene->arena, &generation, &created, &error) != VF_OK)
        fail_msg("%s", error.text);
    assert_true(created);
    struct draft draft;
    draft_init(&draft, scene->view, 0xab12);
    draft_move(&draft, -1, 1043);
    draft.progress[0].to = (struct vf_progress){.exists = true,
                                                .next = 1043,
                                                .of = 7,
                                                .has_last = true,
                                                .last_offset = 1042,
                                                .last_timestamp_ms = 1772359200000,
                                                .last_hash = 0x9f2c,
                                                .stamp = 0xab12};
    struct vf_document_change *change =
        draft_document(&draft, VF_LITERAL("4b"), 17,
                       "{\"creditLimit\":100000,\"name\":\"Anna\",\"orders\":{\"1\":{\"state\":\"NEW\"}},\"x\":null}");
    bson_t body;
    bson_init(&body);
    bson_t old;
    assert_true(bson_init_static(&old, (const uint8_t *)change->next.body.data, change->next.body.size));
    bson_concat(&body, &old);
    bson_append_date_time(&body, "zeit", 4, 1772359200000);
    change->next.body = vf_arena_bytes(draft.arena, bson_get_data(&body), body.len);
    bson_destroy(&body);
    draft_document(&draft, VF_LITERAL("7"), 2, NULL);
    draft_link(&draft, "order/1", "4b");
    struct vf_aggregate_change *none = draft_link(&draft, "order/2", "");
    none->next.link_is_none = true;
    none->next.has_version = true;
    none->next.version = 5;
    draft_must_commit(&draft, scene->store);
    draft_done(&draft);
}

static void it_lies_there_as_FORMAT_shows(void **state)
{
    struct scene *scene = *state;
    write_the_sample(scene);
    assert_string_equal(scene_ask("GET", scene_key(scene, ""))->str, "1");
    assert_string_equal(
        scene_hash(scene_key(scene, ":1:4b"), scene->arena),
        "_rev=17\n_stamp=000000000000ab12\n"
        "_types={\"creditLimit\":\"json\",\"orders\":\"json\",\"x\":\"json\",\"zeit\":\"date\"}\n"
        "_versions={\"order/1\":17}\ncreditLimit=100000\nid=4b\nname=Anna\norders={\"1\":{\"state\":\"NEW\"}}\n"
        "x=null\nzeit=2026-03-01T10:00:00.000Z\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:husk:7"), scene->arena),
                        "_rev=2\n_stamp=000000000000ab12\n_versions={\"order/1\":2}\nhusk=new\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:aggregate:order/1"), scene->arena),
                        "_stamp=000000000000ab12\nlink=4b\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:aggregate:order/2"), scene->arena),
                        "_stamp=000000000000ab12\nnone=1\nversion=5\n");
    assert_string_equal(
        scene_hash(scene_key(scene, "@1:progress"), scene->arena),
        "generation=0000000000000000\norders/3={\"next\":1043,\"of\":7,\"last\":[1042,1772359200000,\"0000000000009f2c\"],\"aside\":0,\"stamp\":\"000000000000ab12\"}\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:script"), scene->arena), "customer_orders.lua=return {}\n\n");
    assert_string_equal(
        scene_hget(scene_key(scene, "@generations"), "1"),
        "{\"created_ms\":1772359200000,\"format\":1,\"projection_version\":3,\"script\":\"customer_orders.lua\","
        "\"script_hash\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"stamp\":\"0000000000000000\",\"state\":\"active\"}");
}

static void readers_call_viewfold_get(void **state)
{
    struct scene *scene = *state;
    int port = redis_fixture_port();
    write_the_sample(scene);
    const char *view = scene_key(scene, "");
    redisReply *reply = redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "4b", NULL);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 2 * 10);
    reply = redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "4b", "name", "nosuch", "_rev", NULL);
    assert_int_equal(reply->elements, 3);
    assert_string_equal(reply->element[0]->str, "Anna");
    assert_int_equal(reply->element[1]->type, REDIS_REPLY_NIL);
    assert_string_equal(reply->element[2]->str, "17");
    /* A husk, an absent document, a view that is not there. */
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "7", NULL)->type, REDIS_REPLY_NIL);
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "8", "name", NULL)->type,
                     REDIS_REPLY_NIL);
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", "|nosuch", "4b", NULL)->type,
                     REDIS_REPLY_NIL);
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, NULL)->type, REDIS_REPLY_ERROR);
    /* It follows the pointer. */
    redis_fixture_ask(port, "SET", view, "2", NULL);
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "4b", NULL)->type, REDIS_REPLY_NIL);
    redis_fixture_ask(port, "SET", view, "1", NULL);
    /* Expired ones are hidden: long ago, and in the year 2286. */
    redis_fixture_ask(port, "HSET", scene_key(scene, ":1:4b"), "_expires", "1000", NULL);
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "4b", NULL)->type, REDIS_REPLY_NIL);
    redis_fixture_ask(port, "HSET", scene_key(scene, ":1:4b"), "_expires", "9999999999999", NULL);
    assert_int_equal(redis_fixture_ask(port, "FCALL_RO", "viewfold_get", "1", view, "4b", NULL)->type,
                     REDIS_REPLY_ARRAY);
}

/* An id is a part of a key and of a message, and must be nothing else in either. */
static void ids_hold_any_bytes_but_NUL(void **state)
{
    struct scene *scene = *state;
    static const char *const ids[] = {
        "a:b",      "#1",           "@1:progress", "{tag}",     "a b",      "\"q\"", "new\r\nline", "$1",
        "*3\r\n$3", "\xc3\xa4\xff", "%s%n",        "progress:", "1:husk:a", "\t",    "id",          "_stamp"};
    const size_t count = sizeof(ids) / sizeof(ids[0]);
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft_move(&draft, -1, 1);
    for (size_t i = 0; i < count; i++) {
        draft_document(&draft, vf_bytes_from(ids[i]), (int64_t)i + 1, "{\"n\":1}");
        draft_link(&draft, ids[i], ids[i]);
    }
    draft_must_commit(&draft, scene->store);
    for (size_t i = 0; i < count; i++) {
        struct vf_document document = draft_load(&draft, scene->store, vf_bytes_from(ids[i]));
        assert_int_equal(document.presence, VF_PRESENT);
        assert_int_equal(document.revision, i + 1);
        struct vf_bytes name = vf_bytes_from(ids[i]);
        struct vf_aggregate aggregate;
        struct vf_error error;
        assert_int_equal(
            type->load(scene->store, draft.commit.view, NULL, 0, &name, 1, draft.arena, NULL, &aggregate, &error),
            VF_OK);
        assert_true(aggregate.exists && vf_bytes_equal(aggregate.link, name));
    }
    draft_done(&draft);
}

static void wrong_ids_are_refused(void **state)
{
    struct scene *scene = *state;
    static char long_id[VF_ID_BYTES_MAX + 1];
    memset(long_id, 'x', sizeof(long_id));
    const struct vf_bytes ids[] = {VF_LITERAL(""), VF_LITERAL("a\0b"), vf_bytes(long_id, sizeof(long_id))};
    for (size_t i = 0; i < 3; i++) {
        struct draft draft;
        struct vf_commit_result result;
        draft_init(&draft, scene->view, 1);
        draft_document(&draft, ids[i], 1, "{}");
        assert_int_equal(draft_run(&draft, scene->store, &result), VF_REFUSED);
        assert_int_equal(result.error.code, VF_E_BUG);
        draft_done(&draft);
    }
}

static void fields_that_belong_to_the_engine_are_refused(void **state)
{
    struct scene *scene = *state;
    static const char *const bodies[] = {"{\"_stamp\":\"0000000000000000\"}", "{\"id\":\"x\"}", "{\"a\":1,\"_\":2}"};
    for (size_t i = 0; i < 3; i++) {
        struct draft draft;
        struct vf_commit_result result;
        draft_init(&draft, scene->view, 1);
        draft_move(&draft, -1, 1);
        draft_document(&draft, VF_LITERAL("a"), 1, bodies[i]);
        assert_int_equal(draft_run(&draft, scene->store, &result), VF_REFUSED);
        assert_non_null(strstr(result.error.text, "belongs to the engine"));
        assert_string_equal(scene_hget(scene_key(scene, "@1:progress"), "orders/3"), "(nil)");
        draft_done(&draft);
    }
}

static void a_replaced_document_keeps_no_stale_field(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    struct vf_buffer json;
    vf_buffer_init(&json);
    /* 5,000 fields are five calls of HSET; then three fields; then 1,000, where one call is just enough. */
    static const int sizes[] = {5000, 3, 1000, 1001, 999, 0, 2500};
    for (size_t round = 0; round < sizeof(sizes) / sizeof(sizes[0]); round++) {
        vf_buffer_clear(&json);
        vf_buffer_add_char(&json, '{');
        for (int i = 0; i < sizes[round]; i++)
            vf_buffer_printf(&json, "%s\"f%06d\":%d", i ? "," : "", i, (int)round);
        vf_buffer_add_char(&json, '}');
        draft_init(&draft, scene->view, round + 1);
        struct vf_document_change *change = draft_document(&draft, VF_LITERAL("wide"), (int64_t)round + 1, json.data);
        change->base = round ? VF_PRESENT : VF_ABSENT;
        change->base_stamp = round;
        draft_must_commit(&draft, scene->store);
        struct vf_document read = draft_load(&draft, scene->store, VF_LITERAL("wide"));
        assert_true(vf_bytes_equal(read.body, change->next.body));
        draft_done(&draft);
    }
    vf_buffer_done(&json);
}

/* --- round trip ------------------------------------------------------------------------------------------------------ */

static uint64_t random_below(struct scene *scene, uint64_t limit)
{
    scene->random ^= scene->random << 13;
    scene->random ^= scene->random >> 7;
    scene->random ^= scene->random << 17;
    return scene->random % limit;
}

static void append_random(struct scene *scene, bson_t *bson, const char *name, int depth)
{
    static const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 4711, 1LL << 53};
    static const double doubles[] = {0.0, -0.0, 1.0, 0.1, 1e300, -2.5e-300, 5e-324, 123456789012345680.0};
    static const char *const texts[] = {
        "", "plain", "{\"json\":1}", "null", "1", "\xc3\xa4\xe2\x82\xac", "a\"b\\c\nd\x01", "2026-03-01T10:00:00.000Z"};
    bson_t child;
    int choices = depth == 0 ? 8 : depth < 4 ? 7 : 5;
    switch (random_below(scene, (uint64_t)choices)) {
    case 0: bson_append_int64(bson, name, -1, integers[random_below(scene, 7)]); break;
    case 1: bson_append_double(bson, name, -1, doubles[random_below(scene, 8)]); break;
    case 2: bson_append_utf8(bson, name, -1, texts[random_below(scene, 8)], -1); break;
    case 3: bson_append_bool(bson, name, -1, random_below(scene, 2)); break;
    case 4:
        if (random_below(scene, 2))
            bson_append_null(bson, name, -1);
        else
            bson_append_utf8(bson, name, -1, "nul\0in it", 9);
        break;
    case 5:
    case 6: {
        bool array = random_below(scene, 2);
        (array ? bson_append_array_begin : bson_append_document_begin)(bson, name, -1, &child);
        uint64_t count = random_below(scene, 5);
        for (uint64_t i = 0; i < count; i++) {
            char member[8];
            snprintf(member, sizeof(member), array ? "%d" : "k%d", (int)i);
            append_random(scene, &child, member, depth + 1);
        }
        (array ? bson_append_array_end : bson_append_document_end)(bson, &child);
        break;
    }
    default: bson_append_date_time(bson, name, -1, (int64_t)random_below(scene, 4000000000000)); break;
    }
}

static void what_was_written_is_read_byte_for_byte(void **state)
{
    struct scene *scene = *state;
    static const char *const names[] = {"",       " ",    "$set", "A",     "a",       "a.b", "aa",
                                        "j\"q\"", "link", "none", "stamp", "version", "z\n", "\xc3\xa4"};
    enum { ROUNDS = 20, DOCUMENTS = 50 };
    for (int round = 0; round < ROUNDS; round++) {
        struct draft draft;
        draft_init(&draft, scene->view, (uint64_t)round + 1);
        for (int i = 0; i < DOCUMENTS; i++) {
            bson_t body = BSON_INITIALIZER;
            for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
                if (random_below(scene, 2))
                    append_random(scene, &body, names[n], 0);
            struct vf_bytes id = vf_arena_printf(draft.arena, "%d-%d", round, i);
            struct vf_document_change *change = draft_body(&draft, id, INT64_MAX - i, &body);
            change->next.version_count = (size_t)i % 2;
            bson_destroy(&body);
        }
        draft_must_commit(&draft, scene->store);
        struct vf_bytes ids[DOCUMENTS];
        struct vf_document read[DOCUMENTS];
        struct vf_error error;
        for (int i = 0; i < DOCUMENTS; i++)
            ids[i] = draft.documents[i].next.id;
        assert_int_equal(
            type->load(scene->store, draft.commit.view, ids, DOCUMENTS, NULL, 0, draft.arena, read, NULL, &error),
            VF_OK);
        for (int i = 0; i < DOCUMENTS; i++) {
            const struct vf_document *written = &draft.documents[i].next;
            assert_int_equal(read[i].presence, VF_PRESENT);
            assert_int_equal(read[i].revision, written->revision);
            assert_int_equal(read[i].stamp, written->stamp);
            assert_int_equal(read[i].version_count, written->version_count);
            if (!vf_bytes_equal(read[i].body, written->body)) {
                struct vf_buffer text;
                vf_buffer_init(&text);
                assert_int_equal(vf_body_print(&text, written->body, &error), VF_OK);
                vf_buffer_add_text(&text, "\nwas read as\n");
                assert_int_equal(vf_body_print(&text, read[i].body, &error), VF_OK);
                fail_msg("%s", text.data);
            }
        }
        draft_done(&draft);
    }
}

/* --- the registry ---------------------------------------------------------------------------------------------------- */

static void a_newer_format_is_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_generation proposed = {
        .number = 1, .state = "active", .script_hash = "00", .script = "a.lua", .format = VF_FORMAT};
    struct vf_generation generation;
    struct vf_error error;
    bool created;
    proposed.files = (const struct vf_file[]){{VF_LITERAL("a.lua"), VF_LITERAL("x")}};
    proposed.file_count = 1;
    redis_fixture_ask(redis_fixture_port(), "HSET", scene_key(scene, "@generations"), "2", "{\"format\":2}", NULL);
    assert_int_equal(type->prepare(scene->store, scene->view, &proposed, scene->arena, &generation, &created, &error),
                     VF_E_CONFIG);
    assert_non_null(strstr(error.text, "format 2"));
    assert_false(scene_exists(scene_key(scene, "")));
    assert_false(scene_exists(scene_key(scene, "@1:script")));
    assert_int_equal(
        type->generation(scene->store, (struct vf_view){scene->view, 2}, scene->arena, &generation, &error),
        VF_E_CONFIG);
}

static void a_removed_script_is_put_back_by_who_has_it(void **state)
{
    struct scene *scene = *state;
    struct vf_generation proposed = {
        .number = 1, .state = "active", .script_hash = "00", .script = "a.lua", .format = VF_FORMAT};
    struct vf_generation generation;
    struct vf_error error;
    bool created;
    proposed.files = (const struct vf_file[]){{VF_LITERAL("a.lua"), VF_LITERAL("x")}};
    proposed.file_count = 1;
    assert_int_equal(type->prepare(scene->store, scene->view, &proposed, scene->arena, &generation, &created, &error),
                     VF_OK);
    assert_true(created);
    scene_ask("DEL", scene_key(scene, "@1:script"));
    scene_ask("DEL", scene_key(scene, ""));
    strcpy(proposed.script_hash, "11"); /* another script cannot mend it, nor may it take its place */
    assert_int_equal(type->prepare(scene->store, scene->view, &proposed, scene->arena, &generation, &created, &error),
                     VF_E_CONFIG);
    strcpy(proposed.script_hash, "00");
    assert_int_equal(type->prepare(scene->store, scene->view, &proposed, scene->arena, &generation, &created, &error),
                     VF_OK);
    assert_false(created);
    assert_string_equal(generation.files[0].text.data, "x");
    assert_string_equal(scene_ask("GET", scene_key(scene, ""))->str, "1");
    /* Only the pointer that is missing is made: a switch has moved this one. */
    redis_fixture_ask(redis_fixture_port(), "SET", scene_key(scene, ""), "2", NULL);
    assert_int_equal(type->prepare(scene->store, scene->view, &proposed, scene->arena, &generation, &created, &error),
                     VF_OK);
    assert_string_equal(scene_ask("GET", scene_key(scene, ""))->str, "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(it_lies_there_as_FORMAT_shows),
        SCENE_TEST(readers_call_viewfold_get),
        SCENE_TEST(ids_hold_any_bytes_but_NUL),
        SCENE_TEST(wrong_ids_are_refused),
        SCENE_TEST(fields_that_belong_to_the_engine_are_refused),
        SCENE_TEST(a_replaced_document_keeps_no_stale_field),
        SCENE_TEST(what_was_written_is_read_byte_for_byte),
        SCENE_TEST(a_newer_format_is_refused),
        SCENE_TEST(a_removed_script_is_put_back_by_who_has_it),
    };
    redis_fixture_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_fixture_end();
    return failed;
}
