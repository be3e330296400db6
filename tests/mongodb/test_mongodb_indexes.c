/* A projection's indexes in a real MongoDB: how they are made, and what they answer. */
#include "mongodb/looking.h"

#include <stdlib.h>

/* ---- how they are made ---- */

static enum vf_code make(struct scene *scene, const struct vf_index *indexes, size_t count, struct vf_error *error)
{
    return scene->type->make_indexes(scene->store, scene->view, indexes, count, false, error);
}

static const char *indexes_of(struct scene *scene)
{
    bson_t *reply = server_run(&server, server.database, text(scene, "{\"listIndexes\": \"%s.g1\"}", scene->name));
    char *json = bson_as_relaxed_extended_json(reply, NULL);
    const char *copy = text(scene, "%s", json);
    bson_free(json);
    bson_destroy(reply);
    return copy;
}

static void assert_index(struct scene *scene, const char *part)
{
    const char *all = indexes_of(scene);
    if (!strstr(all, part))
        fail_msg("%s is not in %s", part, all);
}

static const struct vf_index samples[] = {{.name = "by_city", .by = "city"},
                                          {.name = "by_total", .sort = "total"},
                                          {.name = "city_total", .by = "city", .sort = "total"},
                                          {.name = "open", .where = "open"},
                                          {.name = "open_total", .sort = "total", .where = "open"},
                                          {.name = "open_city", .by = "city", .sort = "total", .where = "open"},
                                          {.name = "all"},
                                          {.name = "same", .by = "city"},
                                          {.name = "city_city", .by = "city", .sort = "city"}};
enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static void indexes_are_ordinary_ones(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    for (int i = 0; i < 2; i++) /* what is there is fine */
        assert_ok(make(scene, samples, SAMPLES, &error));
    assert_index(scene, "\"key\" : { \"city\" : 1, \"_id\" : 1 }, \"name\" : \"by_city\", "
                        "\"partialFilterExpression\" : { \"city\" : { \"$exists\" : true } }");
    assert_index(scene, "\"key\" : { \"total\" : 1, \"_id\" : 1 }, \"name\" : \"by_total\" }");
    assert_index(scene, "\"key\" : { \"open\" : 1, \"_id\" : 1 }, \"name\" : \"open\", "
                        "\"partialFilterExpression\" : { \"open\" : true }");
    assert_index(scene, "\"key\" : { \"city\" : 1, \"total\" : 1, \"_id\" : 1 }, \"name\" : \"open_city\", "
                        "\"partialFilterExpression\" : { \"open\" : true }");
    assert_null(strstr(indexes_of(scene), "\"all\""));  /* the one on _id is enough */
    assert_null(strstr(indexes_of(scene), "\"same\"")); /* one is enough */
}

/* Each costs every commit. */
static void a_plain_view_has_no_index_but_ids(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    assert_ok(make(scene, NULL, 0, &error));
    assert_null(strstr(strstr(indexes_of(scene), "_id_") + 1, "name"));
}

static void another_index_of_a_name_is_an_error_that_says_so(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    static const struct vf_index others[] = {{.name = "by_city", .by = "town"},
                                             {.name = "by_city", .by = "city", .where = "open"},
                                             {.name = "by_town", .by = "city"}};
    assert_ok(make(scene, samples, 1, &error));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(make(scene, &others[i], 1, &error), VF_E_CONFIG);
        assert_non_null(strstr(error.text, others[i].name));
        assert_non_null(strstr(error.text, "drop that one"));
    }
}

static void a_field_that_would_be_a_path_is_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    static const struct vf_index others[] = {
        {.name = "a", .by = "a.b"}, {.name = "a", .sort = "$a"}, {.name = "a", .where = ""}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(make(scene, &others[i], 1, &error), VF_E_CONFIG);
        assert_non_null(strstr(error.text, "another name"));
    }
    assert_null(strstr(indexes_of(scene), "\"a\""));
}

static void a_dropped_generation_leaves_no_index(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_generation held;
    enum vf_drop drop = VF_DROP_MORE;
    size_t removed;
    bool done;
    assert_ok(make(scene, samples, 1, &error));
    assert_ok(scene->type->generation(scene->store, scene->view, scene->arena, &held, &error));
    assert_ok(scene->type->drop_begin(scene->store, scene->view, held.stamp, 99, &done, &error));
    /* Somebody else takes over: the first removes nothing any more. */
    assert_ok(scene->type->drop_begin(scene->other, scene->view, 99, 100, &done, &error));
    assert_ok(scene->type->drop_more(scene->store, scene->view, 99, 1, &drop, &removed, &error));
    assert_int_equal(drop, VF_DROP_SUPERSEDED);
    assert_index(scene, "by_city");
    do
        assert_ok(scene->type->drop_more(scene->other, scene->view, 100, 1, &drop, &removed, &error));
    while (drop == VF_DROP_MORE);
    assert_null(strstr(indexes_of(scene), "by_city"));
    scene_prepare(scene, scene->name);
    static const struct vf_index other = {.name = "by_city", .by = "town"};
    assert_ok(make(scene, &other, 1, &error));
}

/* ---- questions to indexes, against a plain list of what was written ---- */

/* A document as the test remembers it. */
struct remembered {
    const char *id;
    const char *city; /* as text; NULL: in no index by city */
    int open;
    struct vf_sort total; /* VF_SORT_NONE: in no index by total */
};

static uint64_t luck; /* of the numbers from 1 on, by a generator of its own, the same every time */
static uint64_t below(uint64_t limit)
{
    luck = luck * 6364136223846793005u + 1442695040888963407u;
    return (luck >> 33) % limit;
}

static const char *const ids[] = {"a", "a-", "a0", "aa", "b", "B", "\xc3\xa9", "\xf0\x9f\x8d\x93", "z"};

static void remember_city(struct scene *scene, bson_t *body, struct remembered *one)
{
    static const char *const cities[] = {"Bonn", "42", "true", "", "042", "-7"};
    uint64_t which = below(12);
    if (which < 6) {
        one->city = cities[which];
        BSON_APPEND_UTF8(body, "city", one->city);
    } else if (which < 8) {
        one->city = which == 6 ? "42" : "-7";
        BSON_APPEND_INT64(body, "city", atoi(one->city));
    } else if (which < 10) {
        one->city = which == 8 ? "true" : "false";
        BSON_APPEND_BOOL(body, "city", which == 8);
    } else if (which == 10) {
        BSON_APPEND_NULL(body, "city");
    }
    (void)scene;
}

static void remember_total(bson_t *body, struct remembered *one)
{
    static const char *const words[] = {"", "a", "aa", "\xc3\xa9"};
    uint64_t which = below(8);
    if (which < 3) {
        one->total = (struct vf_sort){.kind = VF_SORT_NUMBER, .number = (double)below(4) - 1};
        BSON_APPEND_INT64(body, "total", (int64_t)one->total.number);
    } else if (which == 3) {
        one->total = (struct vf_sort){.kind = VF_SORT_NUMBER, .number = 1.5};
        BSON_APPEND_DOUBLE(body, "total", 1.5);
    } else if (which == 4) {
        one->total = (struct vf_sort){.kind = VF_SORT_DATE, .number = (double)below(3) - 1};
        BSON_APPEND_DATE_TIME(body, "total", (int64_t)one->total.number);
    } else if (which < 7) {
        const char *word = words[below(4)];
        one->total = (struct vf_sort){.kind = VF_SORT_STRING, .text = vf_bytes(word, strlen(word))};
        BSON_APPEND_UTF8(body, "total", word);
    } else if (below(2)) {
        BSON_APPEND_NULL(body, "total");
    }
}

enum { REMEMBERED = 90 };

static void write_remembered(struct scene *scene, struct remembered *all)
{
    struct draft draft = draft_new(scene);
    for (int i = 0; i < REMEMBERED; i++) {
        bson_t *body = bson_new();
        all[i] = (struct remembered){.id = text(scene, "%s%d", ids[below(9)], i)};
        remember_city(scene, body, &all[i]);
        remember_total(body, &all[i]);
        all[i].open = (int)below(3);
        if (all[i].open < 2)
            BSON_APPEND_BOOL(body, "open", all[i].open == 1);
        draft_write(&draft, NULL, a_document(all[i].id, 1, body_from(scene, body)));
    }
    draft_write(&draft, NULL, a_husk("husk", 1));
    draft_must_commit(&draft);
}

static int compare_sorts(const struct vf_sort *a, const struct vf_sort *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == VF_SORT_STRING)
        return strcmp(a->text.data, b->text.data);
    return a->number < b->number ? -1 : a->number > b->number;
}

/* What the question means, said plainly. */
static bool is_meant(const struct vf_find *find, const struct remembered *one)
{
    if (find->index->by && (!one->city || strcmp(one->city, find->by.data) != 0))
        return false;
    if (find->index->where && one->open != 1)
        return false;
    if (find->index->sort && one->total.kind == VF_SORT_NONE)
        return false;
    if (find->has_from && (find->from.kind != one->total.kind || compare_sorts(&one->total, &find->from) < 0))
        return false;
    return !find->has_to || (find->to.kind == one->total.kind && compare_sorts(&one->total, &find->to) <= 0);
}

static bool sorts_by_total;
static int compare_remembered(const void *a, const void *b)
{
    const struct remembered *left = *(const struct remembered *const *)a, *right = *(const struct remembered *const *)b;
    int order = sorts_by_total ? compare_sorts(&left->total, &right->total) : 0;
    return order ? order : strcmp(left->id, right->id);
}

static size_t expect(const struct vf_find *find, const struct remembered *all, const struct remembered **ret_meant)
{
    size_t count = 0;
    for (int i = 0; i < REMEMBERED; i++)
        if (is_meant(find, &all[i]))
            ret_meant[count++] = &all[i];
    sorts_by_total = find->index->sort != NULL;
    qsort(ret_meant, count, sizeof(*ret_meant), compare_remembered);
    for (size_t i = 0; find->reverse && i < count / 2; i++) {
        const struct remembered *swapped = ret_meant[i];
        ret_meant[i] = ret_meant[count - 1 - i];
        ret_meant[count - 1 - i] = swapped;
    }
    return count;
}

static struct vf_sort some_sort(void)
{
    static const char *const words[] = {"", "a", "b"};
    const char *word = words[below(3)];
    enum vf_sort_kind kind = VF_SORT_NUMBER + (enum vf_sort_kind)below(3);
    if (kind == VF_SORT_STRING)
        return (struct vf_sort){.kind = kind, .text = vf_bytes(word, strlen(word))};
    return (struct vf_sort){.kind = kind, .number = (double)below(4) - 1};
}

static struct vf_find some_question(void)
{
    static const char *const cities[] = {"Bonn", "42", "true", "false", "", "042", "-7", "-07", "nowhere"};
    const char *city = cities[below(9)];
    struct vf_find find = {.index = &samples[below(8)], .by = vf_bytes(city, strlen(city)), .reverse = below(2)};
    find.has_from = find.index->sort && below(3) == 0;
    find.has_to = find.index->sort && below(3) == 0;
    find.from = some_sort();
    find.to = some_sort();
    if (find.has_from && find.has_to)
        find.to.kind = find.from.kind, find.to.text = find.from.text;
    find.limit = 1 + below(9);
    return find;
}

/* Page by page, each beginning behind the last of the one before. */
static void ask_in_pages(struct scene *scene, struct vf_find find, const struct remembered *all)
{
    const struct remembered *meant[REMEMBERED];
    size_t expected = expect(&find, all, meant), seen = 0, count;
    do {
        struct vf_error error;
        struct vf_found *found;
        assert_ok(scene->type->find(scene->store, scene->view, &find, scene->arena, &found, &count, &error));
        assert_int_equal(count, expected - seen < find.limit ? expected - seen : find.limit);
        for (size_t i = 0; i < count; i++, seen++) {
            assert_string_equal(found[i].id.data, meant[seen]->id);
            if (find.index->sort)
                assert_int_equal(compare_sorts(&found[i].sort, &meant[seen]->total), 0);
            else
                assert_int_equal(found[i].sort.kind, VF_SORT_NONE);
            find.after = found[i].sort;
            find.after_id = found[i].id;
        }
        find.has_after = true;
    } while (count > 0);
}

static void an_index_answers_what_was_asked_page_by_page(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct remembered all[REMEMBERED];
    luck = 1;
    assert_ok(make(scene, samples, SAMPLES, &error));
    write_remembered(scene, all);
    for (int i = 0; i < 150; i++)
        ask_in_pages(scene, some_question(), all);
}

static void questions_go_by_their_indexes(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct remembered all[REMEMBERED];
    struct vf_found *found;
    size_t count;
    luck = 2;
    assert_ok(make(scene, samples, SAMPLES, &error));
    write_remembered(scene, all);
    profile(2);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct vf_find find = {.index = &samples[i], .by = VF_LITERAL("42"), .limit = 2};
        for (int reverse = 0; reverse < 2; reverse++) {
            find.reverse = reverse;
            assert_ok(scene->type->find(scene->store, scene->view, &find, scene->arena, &found, &count, &error));
        }
    }
    assert_true(assert_plans(scene, 12) >= 2 * SAMPLES);
}

/* ---- what they do not take ---- */

static struct vf_document with_fields(struct scene *scene, const char *id, const char *json)
{
    bson_error_t failure;
    bson_t *body = bson_new_from_json((const uint8_t *)json, -1, &failure);
    assert_non_null(body);
    return a_document(id, 1, body_from(scene, body));
}

/* A worker waits for a server that refuses for now. These it never takes: the event that makes such a document has to be told
 * from the others. Two of the indexes are somebody else's, and so is the rule. */
static void a_document_that_the_server_never_takes_is_refused_for_good(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    static const struct vf_index lists = {.name = "lists", .by = "tags", .sort = "list"};
    static const char *const bodies[] = {"{\"tags\": [1, 2], \"list\": [1, 2]}", "{\"email\": \"m@example\"}",
                                         "{\"place\": \"nowhere\"}", "{\"age\": \"old\"}"};
    assert_ok(make(scene, &lists, 1, &error));
    bson_destroy(server_run(&server, server.database,
                            text(scene,
                                 "{\"createIndexes\": \"%s.g1\", \"indexes\": [{\"key\": {\"email\": 1}, \"name\": "
                                 "\"email\", \"unique\": true, \"sparse\": true}, {\"key\": {\"place\": \"2dsphere\"}, "
                                 "\"name\": \"place\"}]}",
                                 scene->name)));
    bson_destroy(server_run(&server, server.database,
                            text(scene, "{\"collMod\": \"%s.g1\", \"validator\": {\"age\": null}}", scene->name)));
    must_write(scene, with_fields(scene, "first", bodies[1]));
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct draft draft = draft_new(scene);
        struct vf_commit_result result;
        draft_write(&draft, NULL, a_document("fine", 1, a_body(scene, "n", 1)));
        draft_write(&draft, NULL, with_fields(scene, "never", bodies[i]));
        struct vf_commit commit = draft_commit(&draft);
        if (commit_now(scene->store, &commit, &result) != VF_REFUSED || result.error.code != VF_E_LIMIT ||
            result.error.retriable)
            fail_msg("%s: outcome %d: %s", bodies[i], (int)result.outcome, result.error.text);
        assert_int_equal(load_document(scene, "fine").presence, VF_ABSENT);
    }
    must_write(scene, a_document("fine", 1, a_body(scene, "n", 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(indexes_are_ordinary_ones),
        SCENE_TEST(a_plain_view_has_no_index_but_ids),
        SCENE_TEST(another_index_of_a_name_is_an_error_that_says_so),
        SCENE_TEST(a_field_that_would_be_a_path_is_refused),
        SCENE_TEST(a_dropped_generation_leaves_no_index),
        SCENE_TEST(an_index_answers_what_was_asked_page_by_page),
        SCENE_TEST(questions_go_by_their_indexes),
        SCENE_TEST(a_document_that_the_server_never_takes_is_refused_for_good),
    };
    return looking_run(tests);
}
