/* The contract suite: prepare, generation, state, and views that do not mix. */
#include "contract/scene.h"

#include <pthread.h>
#include <stdio.h>

/* A script of several files, one of them hostile; everything about it says which of the two it is. */
static struct vf_generation propose(char which)
{
    static const struct vf_file files_a[] = {
        {VF_LITERAL("main.lua"),
         VF_LITERAL("return { name = 'a' }\n-- $set \"quoted\" {a.b} \xe6\x97\xa5\xe6\x9c\xac\0after NUL\n")},
        {VF_LITERAL("lib/a.b.lua"), VF_LITERAL("")},
        {VF_LITERAL("lib/$money.lua"), VF_LITERAL("return 1")},
    };
    static const struct vf_file files_b[] = {{VF_LITERAL("other.lua"), VF_LITERAL("return { name = 'b' }")}};
    struct vf_generation proposed = {
        .number = 1,
        .state = "active",
        .projection_version = which == 'a' ? 3 : 4,
        .script = which == 'a' ? "main.lua" : "other.lua",
        .files = which == 'a' ? files_a : files_b,
        .file_count = which == 'a' ? 3 : 1,
        .created_ms = 1772359200123,
        .format = VF_FORMAT,
    };
    memset(proposed.script_hash, which, 64);
    return proposed;
}

static void assert_same_generation(const struct vf_generation *a, const struct vf_generation *b)
{
    assert_int_equal(a->number, b->number);
    assert_string_equal(a->state, b->state);
    assert_int_equal(a->projection_version, b->projection_version);
    assert_string_equal(a->script_hash, b->script_hash);
    assert_string_equal(a->script, b->script);
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->format, b->format);
    assert_int_equal(a->file_count, b->file_count);
    for (size_t i = 0; i < a->file_count; i++) {
        bool found = false; /* in any order */
        for (size_t j = 0; j < b->file_count; j++) {
            if (vf_bytes_equal(a->files[i].name, b->files[j].name)) {
                found = true;
                assert_true(vf_bytes_equal(a->files[i].text, b->files[j].text));
            }
        }
        assert_true(found);
    }
}

static void prepare_makes_generation_1_and_readers_see_it(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    char name[64];
    scene_unique_name(name, sizeof(name));
    struct vf_view_state seen = {.active = 9};
    assert_ok(scene->type->state(scene->store, name, &seen, &error));
    assert_int_equal(seen.active, 0);
    assert_false(seen.frozen);

    struct vf_generation proposed = propose('a'), held;
    bool created = false;
    assert_ok(scene->type->prepare(scene->store, name, &proposed, scene->arena, &held, &created, &error));
    assert_true(created);
    assert_same_generation(&held, &proposed);

    assert_ok(scene->type->state(scene->other, name, &seen, &error));
    assert_int_equal(seen.active, 1);
    assert_false(seen.frozen);
    struct vf_generation read;
    assert_ok(scene->type->generation(scene->other, (struct vf_view){name, 1}, scene->arena, &read, &error));
    assert_same_generation(&read, &proposed);
}

static void prepare_again_gives_the_older_script(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    char name[64];
    scene_unique_name(name, sizeof(name));
    struct vf_generation first = propose('a'), second = propose('b'), held;
    bool created;
    assert_ok(scene->type->prepare(scene->store, name, &first, scene->arena, &held, &created, &error));
    assert_true(created);
    assert_ok(scene->type->prepare(scene->other, name, &second, scene->arena, &held, &created, &error));
    assert_false(created);
    assert_same_generation(&held, &first);
    assert_ok(scene->type->generation(scene->store, (struct vf_view){name, 1}, scene->arena, &held, &error));
    assert_same_generation(&held, &first);
}

static void prepare_again_leaves_what_the_view_holds(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&draft, NULL, a_link("order/1", "a", 1));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&draft);
    struct picture before = picture_take(scene, &draft);
    scene_prepare(scene, scene->name);
    struct picture after = picture_take(scene, &draft);
    assert_same_picture(&before, &after);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    struct vf_generation held;
    char name[64];
    scene_unique_name(name, sizeof(name));
    enum vf_code code = scene->type->generation(scene->store, (struct vf_view){name, 1}, scene->arena, &held, &error);
    assert_int_equal(code, VF_E_NOT_FOUND);
    code = scene->type->generation(scene->store, (struct vf_view){scene->name, 2}, scene->arena, &held, &error);
    assert_int_equal(code, VF_E_NOT_FOUND);
    /* Looking has made nothing. */
    struct vf_view_state seen;
    assert_ok(scene->type->state(scene->store, name, &seen, &error));
    assert_int_equal(seen.active, 0);
}

static void a_newer_format_is_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    char name[64];
    scene_unique_name(name, sizeof(name));
    struct vf_generation newer = propose('a'), mine = propose('a'), held;
    bool created;
    newer.format = VF_FORMAT + 1;
    /* Whether one may write a format that this program does not know is the connector's affair; it must not read one. */
    enum vf_code wrote = scene->type->prepare(scene->store, name, &newer, scene->arena, &held, &created, &error);
    enum vf_code code = scene->type->prepare(scene->other, name, &mine, scene->arena, &held, &created, &error);
    if (wrote == VF_E_CONFIG && code == VF_OK)
        assert_same_generation(&held, &mine); /* nothing had been written */
    else
        assert_int_equal(code, VF_E_CONFIG);
}

/* ---- two prepare at once ---- */

struct preparer {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const struct vf_store_type *type;
    struct vf_store *store;
    const char *name;
    struct vf_generation proposed;
    struct vf_arena *arena;
    struct vf_generation held;
    bool created;
    enum vf_code code;
    struct vf_error error;
};

static void *prepare_once(void *argument)
{
    struct preparer *self = argument;
    pthread_barrier_wait(self->barrier);
    self->code = self->type->prepare(self->store, self->name, &self->proposed, self->arena, &self->held, &self->created,
                                     &self->error);
    return NULL;
}

static void two_prepare_at_once_and_agree(void **state)
{
    struct scene *scene = *state;
    for (int round = 0; round < 10; round++) {
        char name[64];
        scene_unique_name(name, sizeof(name));
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, 2);
        struct preparer two[2];
        for (int i = 0; i < 2; i++) {
            two[i] = (struct preparer){.barrier = &barrier,
                                       .type = scene->type,
                                       .name = name,
                                       .store = i ? scene->other : scene->store,
                                       .arena = vf_arena_new(),
                                       .proposed = propose(i ? 'b' : 'a')};
            assert_int_equal(pthread_create(&two[i].thread, NULL, prepare_once, &two[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(two[i].thread, NULL);
        pthread_barrier_destroy(&barrier);
        struct vf_error error = {0};
        for (int i = 0; i < 2; i++)
            assert_ok_at(two[i].code, &two[i].error, "prepare", __FILE__, __LINE__);
        assert_int_equal(two[0].created + two[1].created, 1);
        struct preparer *winner = two[0].created ? &two[0] : &two[1];
        assert_same_generation(&two[0].held, &winner->proposed);
        assert_same_generation(&two[1].held, &winner->proposed);
        struct vf_view_state seen;
        assert_ok(scene->type->state(scene->store, name, &seen, &error));
        assert_int_equal(seen.active, 1);
        vf_arena_free(two[0].arena);
        vf_arena_free(two[1].arena);
    }
}

static void a_prepare_that_broke_is_mended_by_the_next(void **state)
{
    struct scene *scene = *state;
    for (int round = 0; round < 5; round++) {
        struct vf_error error = {0};
        char name[64];
        scene_unique_name(name, sizeof(name));
        struct vf_generation first = propose('a'), second = propose('b'), held, again;
        bool created;
        contract_under_test->kill_in_prepare(contract_under_test->self, scene->store);
        enum vf_code code = scene->type->prepare(scene->store, name, &first, scene->arena, &held, &created, &error);
        assert_true(code == VF_OK || code == VF_E_UNAVAILABLE);
        scene_reopen(scene, &scene->store);
        assert_ok(scene->type->prepare(scene->other, name, &second, scene->arena, &held, &created, &error));
        assert_same_generation(&held, created ? &second : &first);
        struct vf_view_state seen;
        assert_ok(scene->type->state(scene->store, name, &seen, &error));
        assert_int_equal(seen.active, 1);
        assert_ok(scene->type->generation(scene->store, (struct vf_view){name, 1}, scene->arena, &again, &error));
        assert_same_generation(&again, &held);
        scene->view = (struct vf_view){name, 1};
        struct draft draft = draft_new(scene);
        draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
        draft_progress(&draft, "orders", 0, no_progress, a_progress(5));
        draft_must_commit(&draft);
    }
}

/* ---- views beside each other ---- */

static void views_with_names_that_begin_alike_do_not_mix(void **state)
{
    struct scene *scene = *state;
    enum { VIEWS = 4 };
    static const char *const endings[VIEWS] = {"", "1", "_1", "_g1"};
    static const char *const ids[] = {"a", "1:a", "g1", "progress", "1:progress", "1"};
    char names[VIEWS][80];
    struct draft drafts[VIEWS];
    for (int v = 0; v < VIEWS; v++) {
        snprintf(names[v], sizeof(names[v]), "%s%s", scene->name, endings[v]);
        scene_prepare(scene, names[v]);
        drafts[v] = draft_new(scene);
        drafts[v].view.name = names[v];
        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
            draft_write(&drafts[v], NULL, a_document(ids[i], v + 1, a_body(scene, "n", v)));
            draft_write_aggregate(&drafts[v], NULL, a_link(ids[i], "a", v));
        }
        draft_progress(&drafts[v], "orders", 1, no_progress, a_progress(100 + v));
        draft_must_commit(&drafts[v]);
    }
    for (int v = 0; v < VIEWS; v++) {
        scene->view.name = names[v];
        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
            struct vf_document document = load_document(scene, ids[i]);
            assert_int_equal(document.revision, v + 1);
            assert_true(document.stamp == drafts[v].stamp);
            assert_same_body(document.body, a_body(scene, "n", v));
            assert_int_equal(load_aggregate(scene, ids[i]).version, v);
        }
        assert_int_equal(load_row(scene, "orders", 1).progress.next, 100 + v);
    }
}

int contract_registry_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(prepare_makes_generation_1_and_readers_see_it),
        SCENE_TEST(prepare_again_gives_the_older_script),
        SCENE_TEST(prepare_again_leaves_what_the_view_holds),
        SCENE_TEST(what_is_not_there_is_not_found),
        SCENE_TEST(a_newer_format_is_refused),
        SCENE_TEST(two_prepare_at_once_and_agree),
        SCENE_TEST(views_with_names_that_begin_alike_do_not_mix),
    };
    const struct CMUnitTest breaking[] = {SCENE_TEST(a_prepare_that_broke_is_mended_by_the_next)};
    int failed = cmocka_run_group_tests_name(group, tests, NULL, NULL);
    if (contract_under_test->kill_in_prepare)
        failed += cmocka_run_group_tests_name(group, breaking, NULL, NULL);
    return failed;
}
