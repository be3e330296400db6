/* The contract suite: what a commit does when it goes through: touches, notes, sizes. */
#include "contract/scene.h"

#include <stdio.h>

static void a_commit_that_only_moves_progress(void **state)
{
    struct scene *scene = *state;
    struct draft first = draft_new(scene), second = draft_new(scene), stale = draft_new(scene);
    draft_progress(&first, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&first);
    draft_progress(&second, "orders", 0, a_progress(5), a_progress(9));
    draft_progress(&second, "customers", 2, no_progress, a_progress(1));
    draft_must_commit(&second);
    struct vf_progress_row row = load_row(scene, "orders", 0);
    const struct vf_progress nine = a_progress(9);
    assert_same_progress(&row.progress, &nine);
    draft_progress(&stale, "orders", 0, a_progress(5), a_progress(9));
    assert_int_equal(draft_send(&stale, scene->other), VF_CONFLICT);
}

static void a_commit_without_progress(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&draft, NULL, a_link("order/1", "a", 1));
    draft_must_commit(&draft);
    assert_int_equal(load_document(scene, "a").revision, 1);
    assert_int_equal(load_row(scene, "orders", 0).progress.exists, false);
}

/* Progress may go back: an operator or a rewound log decides that, not the store. */
static void progress_goes_where_the_commit_says(void **state)
{
    struct scene *scene = *state;
    static const int64_t positions[] = {100, 5, 0, 1000};
    struct vf_progress from = no_progress;
    for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
        struct vf_progress to = a_progress(positions[i]);
        struct draft draft = draft_new(scene);
        draft_progress(&draft, "orders", 0, from, to);
        draft_must_commit(&draft);
        struct vf_progress_row row = load_row(scene, "orders", 0);
        assert_same_progress(&row.progress, &to);
        from = to;
    }
}

/* What is only consulted keeps all but, perhaps, its stamp; what is absent stays absent. */
static void what_is_consulted_stays_as_it_is(void **state)
{
    struct scene *scene = *state;
    struct vf_version version = {VF_LITERAL("order/1"), 7, NULL};
    struct draft base = draft_new(scene);
    struct vf_document document = a_document("a", 17, a_body(scene, "$set", 1)), husk = a_husk("h", 3);
    document.versions = husk.versions = &version;
    document.version_count = husk.version_count = 1;
    draft_write(&base, NULL, document);
    draft_write(&base, NULL, husk);
    draft_write_aggregate(&base, NULL, a_link("order/1", "a", 7));
    draft_write_aggregate(&base, NULL, a_link("order/2", NULL, 7));
    draft_progress(&base, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&base);
    for (int round = 0; round < 3; round++) {
        struct vf_document read = load_document(scene, "a"), read_husk = load_document(scene, "h");
        struct vf_aggregate one = load_aggregate(scene, "order/1"), two = load_aggregate(scene, "order/2");
        struct draft draft = draft_new(scene);
        draft_consult(&draft, "a", &read);
        draft_consult(&draft, "h", &read_husk);
        draft_consult(&draft, "none", NULL);
        draft_consult_aggregate(&draft, VF_CONSULT, "order/1", &one);
        draft_consult_aggregate(&draft, VF_CONSULT_OWN, "order/2", &two);
        draft_consult_aggregate(&draft, VF_CONSULT, "order/none", NULL);
        draft_consult_aggregate(&draft, VF_CONSULT_OWN, "order/none2", NULL);
        draft_progress(&draft, "orders", 0, a_progress(5 + round), a_progress(6 + round));
        draft_must_commit(&draft);

        struct picture after = picture_take(scene, &draft);
        assert_same_content(&after.documents[0], &document);
        assert_same_content(&after.documents[1], &husk);
        assert_int_equal(after.documents[2].presence, VF_ABSENT);
        assert_true(after.documents[0].stamp == read.stamp || after.documents[0].stamp == draft.stamp);
        assert_true(after.documents[1].stamp == read_husk.stamp || after.documents[1].stamp == draft.stamp);
        assert_true(after.aggregates[0].stamp == one.stamp || after.aggregates[0].stamp == draft.stamp);
        one.stamp = after.aggregates[0].stamp;
        two.stamp = after.aggregates[1].stamp;
        assert_same_aggregate(&after.aggregates[0], &one);
        assert_same_aggregate(&after.aggregates[1], &two);
        assert_false(after.aggregates[2].exists);
        assert_false(after.aggregates[3].exists);
    }
}

/* What was consulted as absent can still be made by the next commit. */
static void what_was_consulted_as_absent_can_be_made(void **state)
{
    struct scene *scene = *state;
    struct draft consult = draft_new(scene), make = draft_new(scene);
    draft_consult(&consult, "a", NULL);
    draft_consult_aggregate(&consult, VF_CONSULT, "order/1", NULL);
    draft_progress(&consult, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&consult);
    draft_write(&make, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&make, NULL, a_link("order/1", "a", 1));
    draft_must_commit(&make);
    assert_int_equal(load_document(scene, "a").presence, VF_PRESENT);
    assert_true(load_aggregate(scene, "order/1").exists);
}

static void another_aggregate_record_may_be_left_alone(void **state)
{
    struct scene *scene = *state;
    struct draft base = draft_new(scene), draft = draft_new(scene);
    draft_write_aggregate(&base, NULL, a_link("order/1", "a", 1));
    draft_must_commit(&base);
    struct vf_aggregate read = load_aggregate(scene, "order/1");
    draft_consult_aggregate(&draft, VF_CONSULT_OWN, "order/1", &read);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_must_commit(&draft);
    struct vf_aggregate after = load_aggregate(scene, "order/1");
    after.stamp = read.stamp;
    assert_same_aggregate(&after, &read);
}

static void a_conflict_leaves_the_store_usable(void **state)
{
    struct scene *scene = *state;
    for (int round = 0; round < 3; round++) {
        struct draft wrong = draft_new(scene), right = draft_new(scene);
        draft_progress(&wrong, "orders", 0, a_progress(77), a_progress(78));
        assert_int_equal(draft_send(&wrong, scene->store), VF_CONFLICT);
        draft_progress(&right, "orders", round, no_progress, a_progress(1));
        assert_int_equal(draft_send(&right, scene->store), VF_COMMITTED);
        struct vf_error error = {0};
        struct vf_view_state seen;
        assert_ok(scene->type->state(scene->store, scene->name, &seen, &error));
    }
}

/* ---- notes ---- */

static void note(struct scene *scene, struct vf_partition partition, const char *reason)
{
    struct vf_error error = {0};
    assert_ok(scene->type->note_stopped(scene->store, scene->view, 0, partition, reason, &error));
}

static void a_note_says_why_until_progress_moves(void **state)
{
    struct scene *scene = *state;
    static const char reason[] = "{\"error\":\"a.lua:3: \\\"$set\\\" \xe6\x97\xa5\\n\",\"offset\":7}";
    const struct vf_partition stopped = {"orders", 3}, never = {"orders", 4};
    struct draft first = draft_new(scene), elsewhere = draft_new(scene), conflict = draft_new(scene),
                 moves = draft_new(scene);
    draft_progress(&first, "orders", 3, no_progress, a_progress(5));
    draft_must_commit(&first);
    note(scene, stopped, "{}");
    note(scene, stopped, reason);
    note(scene, never, reason);

    struct vf_progress_row row = load_row(scene, "orders", 3);
    const struct vf_progress five = a_progress(5);
    assert_non_null(row.stopped);
    assert_string_equal(row.stopped, reason);
    assert_same_progress(&row.progress, &five);
    row = load_row(scene, "orders", 4); /* no progress yet, only the note */
    assert_false(row.progress.exists);
    assert_non_null(row.stopped);
    assert_string_equal(row.stopped, reason);

    /* Neither another partition's progress nor a conflict takes it away. */
    draft_progress(&elsewhere, "orders", 5, no_progress, a_progress(9));
    draft_must_commit(&elsewhere);
    draft_progress(&conflict, "orders", 3, a_progress(6), a_progress(7));
    assert_int_equal(draft_send(&conflict, scene->store), VF_CONFLICT);
    assert_non_null(load_row(scene, "orders", 3).stopped);

    /* Its own progress does, the first one (from absent) too: a note is not progress. */
    draft_progress(&moves, "orders", 3, a_progress(5), a_progress(6));
    draft_progress(&moves, "orders", 4, no_progress, a_progress(1));
    draft_must_commit(&moves);
    assert_null(load_row(scene, "orders", 3).stopped);
    row = load_row(scene, "orders", 4);
    assert_null(row.stopped);
    assert_int_equal(row.progress.next, 1);
}

static void a_note_can_be_taken_away(void **state)
{
    struct scene *scene = *state;
    const struct vf_partition with = {"orders", 0}, without = {"orders", 1}, neither = {"orders", 2};
    struct draft draft = draft_new(scene);
    draft_progress(&draft, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&draft);
    note(scene, with, "{\"a\":1}");
    note(scene, without, "{\"a\":1}");
    note(scene, with, NULL);
    note(scene, without, NULL);
    note(scene, neither, NULL);
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < picture.row_count; i++) {
        assert_null(picture.rows[i].stopped);
        assert_int_equal(picture.rows[i].progress.exists, picture.rows[i].partition.partition == 0);
    }
    assert_int_equal(load_row(scene, "orders", 0).progress.next, 5);
}

/* ---- sizes ---- */

static void five_thousand_documents_in_one_commit(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 5000 };
    struct draft draft = draft_new(scene);
    for (int i = 0; i < COUNT; i++) {
        const char *id = vf_arena_printf(scene->arena, "document %d", i).data;
        const char *aggregate = vf_arena_printf(scene->arena, "order/%d", i).data;
        draft_write(&draft, NULL, a_document(id, i + 1, a_body(scene, "n", i)));
        draft_write_aggregate(&draft, NULL, a_link(aggregate, id, i));
    }
    draft_progress(&draft, "orders", 0, no_progress, a_progress(COUNT));
    struct draft wrong = draft_new(scene); /* the last condition of all fails first */
    wrong = draft;
    wrong.documents = vf_arena_calloc(scene->arena, COUNT, sizeof(*wrong.documents));
    memcpy(wrong.documents, draft.documents, COUNT * sizeof(*wrong.documents));
    wrong.documents[COUNT - 1].base = VF_PRESENT;
    assert_int_equal(draft_send(&wrong, scene->store), VF_CONFLICT);
    struct picture picture = picture_take(scene, &draft);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(picture.documents[i].presence, VF_ABSENT);
        assert_false(picture.aggregates[i].exists);
    }
    assert_int_equal(picture.row_count, 0);

    draft_must_commit(&draft);
    picture = picture_take(scene, &draft);
    for (int i = 0; i < COUNT; i++) {
        assert_same_content(&picture.documents[i], &draft.documents[i].next);
        assert_int_equal(picture.aggregates[i].version, i);
    }
}

static struct vf_bytes a_large_body(struct scene *scene, size_t size, char filling)
{
    char *text = vf_arena_alloc(scene->arena, size);
    memset(text, filling, size);
    bson_t bson = BSON_INITIALIZER;
    assert_true(bson_append_utf8(&bson, "text", -1, text, (int)size));
    return body_from(scene, &bson);
}

static void four_mebibytes_in_one_commit(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 15 };
    struct draft draft = draft_new(scene);
    for (int i = 0; i < COUNT; i++)
        draft_write(&draft, NULL,
                    a_document(vf_arena_printf(scene->arena, "%d", i).data, 1, a_large_body(scene, 200000, 'x')));
    draft_write(&draft, NULL, a_document("largest", 1, a_large_body(scene, 1100000, '"'))); /* twice as long in JSON */
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < draft.document_count; i++)
        assert_same_content(&picture.documents[i], &draft.documents[i].next);
}

static void a_document_of_many_fields(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 5000 };
    bson_t bson = BSON_INITIALIZER;
    char key[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(key, sizeof(key), "field%d", i);
        assert_true(bson_append_int64(&bson, key, -1, i));
    }
    struct draft draft = draft_new(scene), less = draft_new(scene);
    struct vf_document document = a_document("a", 1, body_from(scene, &bson));
    draft_write(&draft, NULL, document);
    draft_must_commit(&draft);
    struct vf_document read = load_document(scene, "a");
    assert_same_content(&read, &document);
    struct vf_document small = a_document("a", 2, a_body(scene, "field1", 1));
    draft_write(&less, &read, small);
    draft_must_commit(&less);
    read = load_document(scene, "a");
    assert_same_content(&read, &small);
}

static void a_store_opened_again_sees_the_same(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write(&draft, NULL, a_husk("h", 2));
    draft_write_aggregate(&draft, NULL, a_link("order/1", "a", 1));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&draft);
    struct picture before = picture_take(scene, &draft);
    scene_reopen(scene, &scene->store);
    scene_reopen(scene, &scene->other);
    struct picture after = picture_take(scene, &draft);
    assert_same_picture(&before, &after);
    struct draft next = draft_new(scene);
    draft_write(&next, &after.documents[0], a_document("a", 2, a_body(scene, "n", 2)));
    draft_progress(&next, "orders", 0, after.rows[0].progress, a_progress(6));
    draft_must_commit(&next);
}

int contract_commit_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_commit_that_only_moves_progress),
        SCENE_TEST(a_commit_without_progress),
        SCENE_TEST(progress_goes_where_the_commit_says),
        SCENE_TEST(what_is_consulted_stays_as_it_is),
        SCENE_TEST(what_was_consulted_as_absent_can_be_made),
        SCENE_TEST(another_aggregate_record_may_be_left_alone),
        SCENE_TEST(a_conflict_leaves_the_store_usable),
        SCENE_TEST(a_note_says_why_until_progress_moves),
        SCENE_TEST(a_note_can_be_taken_away),
        SCENE_TEST(five_thousand_documents_in_one_commit),
        SCENE_TEST(four_mebibytes_in_one_commit),
        SCENE_TEST(a_document_of_many_fields),
        SCENE_TEST(a_store_opened_again_sees_the_same),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
