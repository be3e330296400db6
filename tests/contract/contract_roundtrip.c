/* The contract suite: what was written is what is read, whatever it is. */
#include "contract/scene.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

/* Commits one document with this body, reads it back through the other store and through one opened anew. */
static void body_round_trip(struct scene *scene, const char *id, struct vf_bytes body)
{
    struct draft draft = draft_new(scene);
    struct vf_document written = a_document(id, 1, body);
    draft_write(&draft, NULL, written);
    draft_must_commit(&draft);
    struct vf_document read = load_document(scene, id);
    assert_int_equal(read.presence, VF_PRESENT);
    assert_true(read.stamp == draft.stamp);
    assert_same_content(&read, &written);
    scene_reopen(scene, &scene->other);
    read = load_document(scene, id);
    assert_same_content(&read, &written);
}

static void append_text(bson_t *bson, const char *key, const char *text, size_t size)
{
    assert_true(bson_append_utf8(bson, key, (int)strlen(key), text, (int)size));
}

static void absent_things_are_absent(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene); /* only names them */
    for (size_t i = 0; i < count; i++) {
        draft_consult(&draft, names[i], NULL);
        draft_consult_aggregate(&draft, VF_CONSULT, names[i], NULL);
    }
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(picture.documents[i].presence, VF_ABSENT);
        assert_false(picture.aggregates[i].exists);
    }
    assert_int_equal(picture.row_count, 0);
    struct vf_error error = {0};
    assert_ok(scene->type->load(scene->store, scene->view, NULL, 0, NULL, 0, scene->arena, NULL, NULL, &error));
}

static void numbers_come_back_exactly(void **state)
{
    struct scene *scene = *state;
    static const int64_t integers[] = {0, 1, -1, INT32_MAX, INT32_MIN, 9007199254740993, INT64_MAX, INT64_MIN};
    static const double doubles[] = {0.0,  -0.0,  0.5,    1.0,     -1.0,    0.1,   1e15,
                                     1e16, 1e300, 5e-324, DBL_MAX, DBL_MIN, -1e-7, 123456789.123456789};
    bson_t bson = BSON_INITIALIZER;
    char key[32];
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        snprintf(key, sizeof(key), "i%zu", i);
        assert_true(bson_append_int64(&bson, key, -1, integers[i]));
    }
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        snprintf(key, sizeof(key), "d%zu", i);
        assert_true(bson_append_double(&bson, key, -1, doubles[i]));
    }
    body_round_trip(scene, "a", body_from(scene, &bson));
}

/* Texts that look like something else stay texts. */
static void strings_come_back_exactly(void **state)
{
    struct scene *scene = *state;
    static const char *const texts[] = {"",
                                        "1",
                                        "1.0",
                                        "-0",
                                        "null",
                                        "true",
                                        "{}",
                                        "[]",
                                        "{\"a\":1}",
                                        "\"",
                                        "\\",
                                        "\\u0041",
                                        "2026-03-01T10:00:00.000Z",
                                        "$set",
                                        "$$ROOT",
                                        "a.b",
                                        "\n\r\t\b\f\x01\x1f\x7f",
                                        "\xe6\x97\xa5\xe6\x9c\xac",
                                        "\xf0\x9f\x98\x80",
                                        "\xe2\x80\xa8",
                                        " a "};
    bson_t bson = BSON_INITIALIZER;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char key[32];
        snprintf(key, sizeof(key), "s%zu", i);
        append_text(&bson, key, texts[i], strlen(texts[i]));
    }
    append_text(&bson, "with_nul", "a\0b\0", 4);
    bson_t list;
    assert_true(bson_append_array_begin(&bson, "list", -1, &list));
    append_text(&list, "0", "a\0b", 3);
    append_text(&list, "1", "2026-03-01T10:00:00.000Z", 24);
    assert_true(bson_append_array_end(&bson, &list));
    body_round_trip(scene, "a", body_from(scene, &bson));
}

static void other_types_come_back_exactly(void **state)
{
    struct scene *scene = *state;
    static const int64_t dates[] = {0, 1772359200123, -1, -62135596800000, 253402300799999};
    bson_t bson = BSON_INITIALIZER, inner, deeper;
    assert_true(bson_append_bool(&bson, "yes", -1, true));
    assert_true(bson_append_bool(&bson, "no", -1, false));
    assert_true(bson_append_null(&bson, "nothing", -1));
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        char key[32];
        snprintf(key, sizeof(key), "date%zu", i);
        assert_true(bson_append_date_time(&bson, key, -1, dates[i]));
    }
    assert_true(bson_append_document_begin(&bson, "empty_object", -1, &inner));
    assert_true(bson_append_document_end(&bson, &inner));
    assert_true(bson_append_array_begin(&bson, "empty_array", -1, &inner));
    assert_true(bson_append_array_end(&bson, &inner));
    assert_true(bson_append_array_begin(&bson, "mixed", -1, &inner));
    assert_true(bson_append_int64(&inner, "0", -1, 1));
    assert_true(bson_append_double(&inner, "1", -1, 1.0));
    assert_true(bson_append_null(&inner, "2", -1));
    assert_true(bson_append_bool(&inner, "3", -1, false));
    assert_true(bson_append_array_begin(&inner, "4", -1, &deeper));
    assert_true(bson_append_array_end(&inner, &deeper));
    assert_true(bson_append_document_begin(&inner, "5", -1, &deeper));
    assert_true(bson_append_null(&deeper, "0", -1));
    assert_true(bson_append_document_end(&inner, &deeper));
    assert_true(bson_append_array_end(&bson, &inner));
    body_round_trip(scene, "a", body_from(scene, &bson));
}

static void an_empty_body_is_present(void **state)
{
    struct scene *scene = *state;
    bson_t bson = BSON_INITIALIZER;
    body_round_trip(scene, "a", body_from(scene, &bson));
}

/* Objects and arrays in turn, one in the other. */
static void append_nested(bson_t *bson, int depth)
{
    bson_t inner;
    if (depth == 0) {
        assert_true(bson_append_int64(bson, "0", -1, 42));
    } else if (depth % 2) {
        assert_true(bson_append_document_begin(bson, "0", -1, &inner));
        append_nested(&inner, depth - 1);
        assert_true(bson_append_document_end(bson, &inner));
    } else {
        assert_true(bson_append_array_begin(bson, "0", -1, &inner));
        append_nested(&inner, depth - 1);
        assert_true(bson_append_array_end(bson, &inner));
    }
}

static void deep_bodies_come_back(void **state)
{
    struct scene *scene = *state;
    bson_t bson = BSON_INITIALIZER;
    append_nested(&bson, 100); /* below what the engine's JSON reads: 128 */
    body_round_trip(scene, "a", body_from(scene, &bson));
}

static void hostile_field_names_come_back(void **state)
{
    struct scene *scene = *state;
    static const char *const fields[] = {
        "$set", "a.b",   "",     ".",          "$",  "$$",  "a$b",      "x:y",
        "a b",  "\"q\"", "'",    "\\",         "\n", "0",   "1",        "\xe6\x97\xa5\xe6\x9c\xac",
        "rev",  "stamp", "type", "ID",         "{}", "[0]", "$literal", "#",
        "@",    "/",     "a\tb", "constructor"};
    /* Below the first level the engine keeps no names for itself. */
    static const char *const inner_only[] = {"_id", "id", "_view", "_rev", "_stamp", "_versions", "_types", "_"};
    bson_t bson = BSON_INITIALIZER, inner, operator;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        assert_true(bson_append_int64(&bson, fields[i], (int)strlen(fields[i]), (int64_t)i));
    assert_true(bson_append_document_begin(&bson, "inner", -1, &inner));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        append_text(&inner, fields[i], fields[i], strlen(fields[i]));
    for (size_t i = 0; i < sizeof(inner_only) / sizeof(inner_only[0]); i++)
        append_text(&inner, inner_only[i], inner_only[i], strlen(inner_only[i]));
    assert_true(bson_append_document_end(&bson, &inner));
    assert_true(bson_append_document_begin(&bson, "$inc", -1, &operator));
    assert_true(bson_append_int64(&operator, "_view.rev", -1, 1000));
    assert_true(bson_append_document_end(&bson, &operator));
    body_round_trip(scene, "a", body_from(scene, &bson));
}

static void hostile_ids_come_back_and_stay_apart(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++)
        draft_write(&draft, NULL, a_document(names[i], (int64_t)i + 1, a_body(scene, "n", (int64_t)i)));
    draft_must_commit(&draft);
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < count; i++) {
        assert_same_content(&picture.documents[i], &draft.documents[i].next);
        struct vf_document alone = load_document(scene, names[i]);
        assert_same_document(&alone, &picture.documents[i]);
    }
    /* Each can be written again, and none of the others moves. */
    struct draft second = draft_new(scene);
    for (size_t i = 0; i < count; i += 2)
        draft_write(&second, &picture.documents[i], a_document(names[i], 1000, a_body(scene, "n", -1)));
    draft_must_commit(&second);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(load_document(scene, names[i]).revision, i % 2 ? (int64_t)i + 1 : 1000);
}

static void hostile_aggregates_come_back_and_stay_apart(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++) {
        const char *aggregate = vf_arena_printf(scene->arena, "order/%s", names[i]).data;
        draft_write_aggregate(&draft, NULL, a_link(aggregate, names[count - 1 - i], (int64_t)i));
    }
    draft_must_commit(&draft);
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < count; i++) {
        struct vf_aggregate wanted = draft.aggregates[i].next;
        wanted.stamp = draft.stamp;
        assert_same_aggregate(&picture.aggregates[i], &wanted);
    }
}

static int compare_versions(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_version *)a)->aggregate, ((const struct vf_version *)b)->aggregate);
}

static void versions_come_back_sorted(void **state)
{
    struct scene *scene = *state;
    enum { PLAIN = 300 };
    static const int64_t extremes[] = {0, 1, 9007199254740993, INT64_MAX};
    size_t names_count, count = 0;
    const char **names = hostile_names(scene, &names_count);
    struct vf_version *versions = vf_arena_calloc(scene->arena, PLAIN + names_count, sizeof(*versions));
    for (int i = 0; i < PLAIN; i++, count++)
        versions[count] = (struct vf_version){vf_arena_printf(scene->arena, "order/%d", i), i, NULL};
    for (size_t i = 0; i < names_count; i++, count++)
        versions[count] =
            (struct vf_version){vf_arena_printf(scene->arena, "customer/%s", names[i]), extremes[i % 4], NULL};
    qsort(versions, count, sizeof(*versions), compare_versions);

    struct draft draft = draft_new(scene);
    struct vf_document document = a_document("a", 9007199254740993, a_body(scene, "n", 1)),
                       husk = a_husk("b", INT64_MAX);
    document.versions = husk.versions = versions;
    document.version_count = husk.version_count = count;
    draft_write(&draft, NULL, document);
    draft_write(&draft, NULL, husk);
    draft_must_commit(&draft);
    struct vf_document read = load_document(scene, "a");
    assert_same_content(&read, &document);
    read = load_document(scene, "b");
    assert_same_content(&read, &husk);
}

/* Every form that a version has (core/version_more.h), made for this scene. */
enum { FORMS = 6 };
static void version_forms(struct scene *scene, struct vf_version forms[FORMS])
{
    static const char *const odd[] = {"e-1", "\"'\\ {}$.~@%", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "$id", "0"};
    struct vf_buffer few, many;
    vf_buffer_init(&few);
    vf_buffer_init(&many);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        vf_event_ids_add(&few, vf_bytes_from(odd[i]));
    for (int i = 0; i < VF_REPEATS_MAX; i++) {
        struct vf_bytes id = vf_arena_printf(scene->arena, "%0*d", i ? 8 : VF_ID_BYTES_MAX, i);
        vf_event_ids_add(&many, id);
    }
    struct vf_bytes some = vf_bytes(few.data, few.size), all = vf_bytes(many.data, many.size);
    const struct vf_version_more mores[FORMS] = {
        {.text = VF_LITERAL("00ab")},
        {.text = VF_LITERAL("\"2026-03-01\" \xc3\xa4")},
        {.ids = some, .id_count = 5},
        {.ids = some, .id_count = 5, .is_window = true},
        {.ids = all, .id_count = VF_REPEATS_MAX},
        {.ids = all, .id_count = VF_REPEATS_MAX, .is_window = true},
    };
    static const int64_t numbers[FORMS] = {0, 0, 7, INT64_MAX, INT64_MIN, 9007199254740993};
    for (int i = 0; i < FORMS; i++)
        forms[i] = (struct vf_version){vf_arena_printf(scene->arena, "order/%d", i), numbers[i],
                                       vf_version_more_copy(scene->arena, &mores[i])};
    vf_buffer_done(&few);
    vf_buffer_done(&many);
}

static void versions_with_text_and_ids_come_back(void **state)
{
    struct scene *scene = *state;
    struct vf_version forms[FORMS];
    version_forms(scene, forms);
    struct vf_document read[2] = {{.id = VF_LITERAL("a")}, {.id = VF_LITERAL("b")}};
    for (int round = 0; round < 2; round++) { /* the second replaces them: from the last form on, and fewer */
        struct vf_document document = a_document("a", 1 + round, a_body(scene, "n", 1)), husk = a_husk("b", 1 + round);
        document.versions = husk.versions = forms + round * 3;
        document.version_count = husk.version_count = (size_t)(FORMS - round * 3);
        struct draft draft = draft_new(scene);
        draft_write(&draft, round ? &read[0] : NULL, document);
        draft_write(&draft, round ? &read[1] : NULL, husk);
        draft_must_commit(&draft);
        read[0] = load_document(scene, "a");
        read[1] = load_document(scene, "b");
        assert_same_content(&read[0], &document);
        assert_same_content(&read[1], &husk);
    }
}

static void aggregate_records_with_text_and_ids_come_back(void **state)
{
    struct scene *scene = *state;
    struct vf_version forms[FORMS + 1];
    struct vf_aggregate read = {0};
    version_forms(scene, forms);
    forms[FORMS] = (struct vf_version){VF_LITERAL("order/1"), 8, NULL}; /* and an integer in the place of one of them */
    for (int i = 0; i <= FORMS; i++) {
        struct vf_aggregate wanted = a_link("order/1", i % 2 ? "4b" : NULL, 0);
        wanted.version = forms[i].version;
        wanted.version_more = forms[i].more;
        struct draft draft = draft_new(scene);
        draft_write_aggregate(&draft, i ? &read : NULL, wanted);
        draft_must_commit(&draft);
        read = load_aggregate(scene, "order/1");
        wanted.stamp = draft.stamp;
        assert_same_aggregate(&read, &wanted);
    }
}

static void a_husk_comes_back_and_becomes_a_document(void **state)
{
    struct scene *scene = *state;
    struct vf_version version = {VF_LITERAL("order/1"), 1, NULL};
    struct draft draft = draft_new(scene);
    struct vf_document husk = a_husk("a", 1);
    husk.versions = &version;
    husk.version_count = 1;
    draft_write(&draft, NULL, husk);
    draft_must_commit(&draft);
    struct vf_document read = load_document(scene, "a");
    assert_same_content(&read, &husk);
    assert_true(read.stamp == draft.stamp);
    assert_int_equal(read.body.size, 0);

    struct draft again = draft_new(scene); /* a husk that takes in one more event */
    husk.revision = 2;
    version.version = 2;
    draft_write(&again, &read, husk);
    draft_must_commit(&again);
    read = load_document(scene, "a");
    assert_same_content(&read, &husk);

    struct draft third = draft_new(scene);
    struct vf_document document = a_document("a", 3, a_body(scene, "n", 1));
    document.versions = &version;
    document.version_count = 1;
    draft_write(&third, &read, document);
    draft_must_commit(&third);
    read = load_document(scene, "a");
    assert_same_content(&read, &document);
    assert_true(read.stamp == third.stamp);
}

static void a_document_is_replaced_whole(void **state)
{
    struct scene *scene = *state;
    bson_t full = BSON_INITIALIZER, spare = BSON_INITIALIZER;
    static const char *const fields[] = {"a", "b", "$c", "d.e", "", "list"};
    struct vf_version versions[2] = {{VF_LITERAL("order/1"), 1, NULL}, {VF_LITERAL("order/2"), 2, NULL}};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        assert_true(bson_append_date_time(&full, fields[i], (int)strlen(fields[i]), (int64_t)i));
    assert_true(bson_append_utf8(&spare, "b", -1, "a text now", -1));
    struct vf_document one = a_document("a", 1, body_from(scene, &full));
    one.versions = versions;
    one.version_count = 2;
    struct vf_document two = a_document("a", 2, body_from(scene, &spare));
    two.versions = versions + 1;
    two.version_count = 1;
    bson_t nothing = BSON_INITIALIZER;
    struct vf_document three = a_document("a", 3, body_from(scene, &nothing));
    const struct vf_document steps[] = {one, two, three, one};
    struct vf_document read = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct draft draft = draft_new(scene);
        draft_write(&draft, i ? &read : NULL, steps[i]);
        draft_must_commit(&draft);
        read = load_document(scene, "a");
        assert_same_content(&read, &steps[i]);
    }
}

static void aggregate_records_come_back_and_are_replaced_whole(void **state)
{
    struct scene *scene = *state;
    struct vf_aggregate version_only = {
        .aggregate = VF_LITERAL("order/1"), .exists = true, .has_version = true, .version = 9007199254740993};
    const struct vf_aggregate steps[] = {
        a_link("order/1", "4b", 7),           a_link("order/1", "4b", -1),  a_link("order/1", NULL, 8),  version_only,
        a_link("order/1", "{$a.b:\"c\"}", 0), a_link("order/1", "none", 3), a_link("order/1", NULL, -1),
    };
    struct vf_aggregate read = {0};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct draft draft = draft_new(scene);
        draft_write_aggregate(&draft, i ? &read : NULL, steps[i]);
        draft_must_commit(&draft);
        read = load_aggregate(scene, "order/1");
        struct vf_aggregate wanted = steps[i];
        wanted.stamp = draft.stamp;
        assert_same_aggregate(&read, &wanted);
    }
}

/* What every record of these tests begins with: nothing but that it is there. */
static struct vf_aggregate bare(void)
{
    return (struct vf_aggregate){.aggregate = VF_LITERAL("order/1"), .exists = true};
}

/* Records that say one thing of waiting, or all at once. */
enum { WAITING = 14 };
static void waiting_forms(struct scene *scene, struct vf_aggregate forms[WAITING])
{
    struct vf_bytes longest = vf_bytes(
        memset(vf_arena_alloc(scene->arena, VF_FAILURE_BYTES_MAX), '"', VF_FAILURE_BYTES_MAX), VF_FAILURE_BYTES_MAX);
    int i = 0;
    for (; i < WAITING; i++)
        forms[i] = bare();
    i = 0;
    forms[i++].waiters_to = 3; /* places that begin at 0 */
    forms[i].waiters_from = 5;
    forms[i++].waiters_to = 5; /* nothing waits any more, and places go on */
    forms[i++] = a_waiting("order/1", 0, 1);
    forms[i++] = a_waiting("order/1", 9007199254740993, INT64_MAX);
    forms[i].early_count = 1; /* at 0 */
    forms[i++].state = VF_ASIDE_GAP;
    forms[i].early_count = 1000;
    forms[i].early_from = INT64_MAX - 1000;
    forms[i].early_last = INT64_MAX;
    forms[i].since_ms = 1;
    forms[i++].state = VF_ASIDE_GAP;
    forms[i].waits_for = VF_LITERAL("customer/2");
    forms[i].has_seen = true;
    forms[i].since_ms = INT64_MAX;
    forms[i++].state = VF_ASIDE_HELD;
    forms[i++].draining = true;
    forms[i++] = a_parked("order/1", 0, 7);
    forms[i] = a_parked("order/1", 1, 2);
    forms[i++].failure = (struct vf_failure){.error = VF_LITERAL("x")}; /* without a traceback, or a script */
    forms[i] = a_parked("order/1", 1, 2);
    forms[i].failure.error = VF_LITERAL("{\"at\":1,\n\\u0041\x01\x7f\xe6\x97\xa5\xf0\x9f\x98\x80$set'");
    forms[i++].failure.traceback = VF_LITERAL("a\0b\r\n\t");
    forms[i] = a_parked("order/1", 1, 2);
    forms[i].failure.error = forms[i].failure.traceback = longest;
    forms[i++].failure.failed_ms = INT64_MAX;
    forms[i] = a_parked("order/1", 3, 9);
    forms[i].has_link = true;
    forms[i].link = VF_LITERAL("4b");
    forms[i].link_via = VF_LITERAL("customer/1");
    forms[i].has_version = true;
    forms[i].version = 12;
    forms[i].waiters_from = 2;
    forms[i].waiters_to = 4;
    forms[i].waits_for = VF_LITERAL("customer/2");
    forms[i].early_count = 2;
    forms[i].early_from = 20;
    forms[i].early_last = 22;
    forms[i++].draining = true;
    forms[i] = a_link("order/1", "4b", 7);
    assert_int_equal(i, WAITING - 1);
}

static void what_a_record_says_of_waiting_comes_back_and_is_replaced_whole(void **state)
{
    struct scene *scene = *state;
    struct vf_aggregate forms[WAITING], read = {0};
    waiting_forms(scene, forms);
    for (int step = 1; step < WAITING; step += 4) { /* one after the other, in several orders */
        for (int i = 0; i < WAITING; i++) {
            struct vf_aggregate wanted = forms[i * step % WAITING];
            struct draft draft = draft_new(scene);
            draft_write_aggregate(&draft, read.exists ? &read : NULL, wanted);
            draft_must_commit(&draft);
            read = load_aggregate(scene, "order/1");
            wanted.stamp = draft.stamp;
            assert_same_aggregate(&read, &wanted);
        }
    }
}

static void every_stamp_is_a_stamp(void **state)
{
    struct scene *scene = *state;
    static const uint64_t stamps[] = {1, 0x8000000000000000u, UINT64_MAX, 0x00000000ffffffffu, 0x20000000000001u};
    struct vf_document document = {0};
    struct vf_aggregate aggregate = {0};
    for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
        struct draft draft = draft_new(scene);
        draft.stamp = stamps[i];
        draft_write(&draft, i ? &document : NULL, a_document("a", (int64_t)i, a_body(scene, "n", 1)));
        draft_write_aggregate(&draft, i ? &aggregate : NULL, a_link("order/1", "a", 1));
        draft_must_commit(&draft);
        document = load_document(scene, "a");
        aggregate = load_aggregate(scene, "order/1");
        assert_true(document.stamp == stamps[i]);
        assert_true(aggregate.stamp == stamps[i]);
    }
}

static void progress_comes_back_whole(void **state)
{
    struct scene *scene = *state;
    static const char *const topics[] = {"orders", "orders.v2", "orders-1",
                                         "Orders", "a_b",       "orders.v2.customer_orders"};
    static const int32_t partitions[] = {0, 1, 10, 1000};
    struct draft draft = draft_new(scene);
    int64_t next = 1;
    for (size_t t = 0; t < sizeof(topics) / sizeof(topics[0]); t++) {
        for (size_t p = 0; p < sizeof(partitions) / sizeof(partitions[0]); p++)
            draft_progress(&draft, topics[t], partitions[p], no_progress, a_progress(next++));
    }
    struct vf_progress *odd = &draft.progress[3].to;
    *odd = (struct vf_progress){.exists = true, .next = 0, .of = 1};
    odd = &draft.progress[5].to;
    *odd = (struct vf_progress){.exists = true,
                                .next = INT64_MAX,
                                .of = INT32_MAX,
                                .has_last = true,
                                .last_offset = INT64_MAX - 1,
                                .last_timestamp_ms = -1,
                                .last_hash = UINT64_MAX,
                                .aside = 9,
                                .had = INT64_MAX,
                                .stamp = UINT64_MAX};
    odd = &draft.progress[7].to;
    *odd = (struct vf_progress){.exists = true,
                                .next = 9007199254740993,
                                .of = 7,
                                .has_last = true,
                                .last_offset = 0,
                                .last_timestamp_ms = 0,
                                .last_hash = 0,
                                .aside = 9007199254740993,
                                .had = 9007199254740993,
                                .stamp = 0x8000000000000001u};
    draft_must_commit(&draft);
    struct picture picture = picture_take(scene, &draft);
    assert_int_equal(picture.row_count, draft.progress_count);
    for (size_t i = 0; i < draft.progress_count; i++) {
        struct vf_partition at = draft.progress[i].partition;
        struct vf_progress_row row = load_row(scene, at.topic, at.partition);
        assert_same_progress(&row.progress, &draft.progress[i].to);
        assert_null(row.stopped);
    }
    /* And each can be moved on from exactly what was read. */
    struct draft second = draft_new(scene);
    for (size_t i = 0; i < draft.progress_count; i++)
        draft_progress(
            &second, draft.progress[i].partition.topic, draft.progress[i].partition.partition,
            load_row(scene, draft.progress[i].partition.topic, draft.progress[i].partition.partition).progress,
            a_progress(next++));
    draft_must_commit(&second);
}

int contract_roundtrip_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(absent_things_are_absent),
        SCENE_TEST(numbers_come_back_exactly),
        SCENE_TEST(strings_come_back_exactly),
        SCENE_TEST(other_types_come_back_exactly),
        SCENE_TEST(an_empty_body_is_present),
        SCENE_TEST(deep_bodies_come_back),
        SCENE_TEST(hostile_field_names_come_back),
        SCENE_TEST(hostile_ids_come_back_and_stay_apart),
        SCENE_TEST(hostile_aggregates_come_back_and_stay_apart),
        SCENE_TEST(versions_come_back_sorted),
        SCENE_TEST(versions_with_text_and_ids_come_back),
        SCENE_TEST(aggregate_records_with_text_and_ids_come_back),
        SCENE_TEST(a_husk_comes_back_and_becomes_a_document),
        SCENE_TEST(a_document_is_replaced_whole),
        SCENE_TEST(aggregate_records_come_back_and_are_replaced_whole),
        SCENE_TEST(what_a_record_says_of_waiting_comes_back_and_is_replaced_whole),
        SCENE_TEST(every_stamp_is_a_stamp),
        SCENE_TEST(progress_comes_back_whole),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
