/* The contract suite: what the sweep looks for: documents that have expired, and husks that may be forgotten. */
#include "contract/scene.h"

#include <stdlib.h>

static int due_setup(void **state)
{
    scene_setup(state);
    scene_indexes(*state, NULL, 0, true);
    return 0;
}

#define DUE_TEST(function) cmocka_unit_test_setup_teardown(function, due_setup, scene_teardown)

static struct vf_bytes *load_due(struct scene *scene, enum vf_due due, int64_t limit_ms, size_t most, size_t *ret_count)
{
    struct vf_error error = {0};
    struct vf_bytes *ids;
    assert_ok(scene->type->due(scene->other, scene->view, due, limit_ms, most, scene->arena, &ids, ret_count, &error));
    return ids;
}

/* What is due, in this order, with commas: "a,b,". */
static void assert_due(struct scene *scene, enum vf_due due, int64_t limit_ms, const char *wanted)
{
    size_t count;
    struct vf_bytes *ids = load_due(scene, due, limit_ms, 1000, &count);
    struct vf_buffer all;
    vf_buffer_init(&all);
    for (size_t i = 0; i < count; i++) {
        vf_buffer_add_bytes(&all, ids[i]);
        vf_buffer_add_char(&all, ',');
    }
    assert_string_equal(count > 0 ? all.data : "", wanted);
    vf_buffer_done(&all);
}

static struct vf_document plain(struct scene *scene, const char *id)
{
    return a_document(id, 1, a_body(scene, "n", 1));
}

static void what_has_expired_is_due_oldest_first(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, with_expiry(plain(scene, "c"), 1772359200300));
    draft_write(&draft, NULL, with_expiry(a_husk("d", 1), 1772359200200));
    draft_write(&draft, NULL, with_expiry(plain(scene, "a"), 1772359200400));
    draft_write(&draft, NULL, with_expiry(plain(scene, "b"), -1));
    draft_write(&draft, NULL, with_expiry(plain(scene, "zero"), 0));
    draft_write(&draft, NULL, plain(scene, "never"));
    draft_write(&draft, NULL, a_husk("new", 1));
    draft_must_commit(&draft);
    assert_due(scene, VF_DUE_EXPIRED, 1772359200400, "b,zero,d,c,a,"); /* at the limit is due */
    assert_due(scene, VF_DUE_EXPIRED, 1772359200399, "b,zero,d,c,");
    assert_due(scene, VF_DUE_EXPIRED, 1772359200200, "b,zero,d,");
    assert_due(scene, VF_DUE_EXPIRED, -1, "b,");
    assert_due(scene, VF_DUE_EXPIRED, -2, "");
    assert_due(scene, VF_DUE_HUSK, INT64_C(253402300799999), "");
}

static void deleted_and_expired_husks_are_due_oldest_first(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_deleted_husk("c", 1, "order/1", 1772359200300));
    draft_write(&draft, NULL, an_expired_husk("d", 1, 1772359200200));
    draft_write(&draft, NULL, with_expiry(a_deleted_husk("a", 1, "order/2", 1772359200400), 5));
    draft_write(&draft, NULL, with_expiry(an_expired_husk("b", 1, -62135596800000), 6));
    draft_write(&draft, NULL, with_expiry(plain(scene, "document"), 7));
    draft_write(&draft, NULL, with_expiry(a_husk("new", 1), 8));
    draft_must_commit(&draft);
    assert_due(scene, VF_DUE_HUSK, 1772359200400, "b,d,c,a,");
    assert_due(scene, VF_DUE_HUSK, 1772359200399, "b,d,c,");
    assert_due(scene, VF_DUE_HUSK, -62135596800000, "b,");
    assert_due(scene, VF_DUE_HUSK, -62135596800001, "");
    assert_due(scene, VF_DUE_EXPIRED, 1772359200400, "document,new,"); /* an expiry that a husk keeps counts no more */
}

static void what_is_due_is_no_more_once_it_has_changed(void **state)
{
    struct scene *scene = *state;
    must_write(scene, with_expiry(plain(scene, "a"), 100));
    must_write(scene, with_expiry(plain(scene, "a"), 200)); /* a later event */
    assert_due(scene, VF_DUE_EXPIRED, 199, "");
    assert_due(scene, VF_DUE_EXPIRED, 200, "a,");
    must_write(scene, with_expiry(an_expired_husk("a", 1, 200), 200)); /* swept */
    assert_due(scene, VF_DUE_EXPIRED, 1000, "");
    assert_due(scene, VF_DUE_HUSK, 199, "");
    assert_due(scene, VF_DUE_HUSK, 200, "a,");
    must_write(scene, with_expiry(plain(scene, "a"), 500)); /* begun again */
    assert_due(scene, VF_DUE_HUSK, 1000, "");
    assert_due(scene, VF_DUE_EXPIRED, 500, "a,");
    must_write(scene, with_expiry(a_deleted_husk("a", 1, "order/1", 300), 500)); /* deleted */
    assert_due(scene, VF_DUE_EXPIRED, 1000, "");
    assert_due(scene, VF_DUE_HUSK, 300, "a,");
    must_write(scene, with_expiry(a_deleted_husk("a", 2, "order/1", 400), 600)); /* once more */
    assert_due(scene, VF_DUE_HUSK, 399, "");
    assert_due(scene, VF_DUE_HUSK, 400, "a,");
    must_remove(scene, "a"); /* forgotten */
    assert_due(scene, VF_DUE_HUSK, 1000, "");
    assert_due(scene, VF_DUE_EXPIRED, 1000, "");
    must_write(scene, with_expiry(plain(scene, "a"), 100));
    must_write(scene, plain(scene, "a")); /* no ttl any more */
    assert_due(scene, VF_DUE_EXPIRED, 1000, "");
    must_write(scene, with_expiry(a_husk("a", 1), 100));
    must_remove(scene, "a"); /* from any presence */
    assert_due(scene, VF_DUE_EXPIRED, 1000, "");
}

static void a_commit_that_did_not_go_through_leaves_what_is_due(void **state)
{
    struct scene *scene = *state;
    must_write(scene, with_expiry(plain(scene, "a"), 100));
    must_write(scene, a_deleted_husk("h", 1, "order/1", 100));
    struct vf_document a = load_document(scene, "a"), h = load_document(scene, "h");
    for (int what = 0; what < 3; what++) {
        struct draft draft = draft_new(scene);
        draft_write(&draft, &a, with_expiry(an_expired_husk("a", 1, 100), 100));
        draft_remove(&draft, &h);
        draft_write(&draft, NULL, with_expiry(plain(scene, "new"), 50));
        if (what == 0)
            draft_progress(&draft, "orders", 0, a_progress(5), a_progress(6));
        if (what == 1)
            draft.generation_stamp = 77;
        if (what == 2)
            scene_freeze(scene, true);
        static const enum vf_outcome outcomes[] = {VF_CONFLICT, VF_SUPERSEDED, VF_FROZEN};
        assert_int_equal(draft_send(&draft, scene->store), outcomes[what]);
        assert_due(scene, VF_DUE_EXPIRED, 1000, "a,");
        assert_due(scene, VF_DUE_HUSK, 1000, "h,");
    }
    scene_freeze(scene, false);
}

/* A document that is only consulted stays due, whatever the store does to notice others. */
static void what_is_consulted_stays_due(void **state)
{
    struct scene *scene = *state;
    must_write(scene, with_expiry(plain(scene, "a"), 100));
    must_write(scene, a_deleted_husk("h", 1, "order/1", 100));
    struct vf_document a = load_document(scene, "a"), h = load_document(scene, "h");
    struct draft draft = draft_new(scene);
    draft_consult(&draft, "a", &a);
    draft_consult(&draft, "h", &h);
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    assert_due(scene, VF_DUE_EXPIRED, 1000, "a,");
    assert_due(scene, VF_DUE_HUSK, 1000, "h,");
}

static void of_many_that_are_due_the_oldest_are_told(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 1500, MOST = 100 };
    struct draft draft = draft_new(scene);
    for (int i = 0; i < COUNT; i++) {
        const char *id = vf_arena_printf(scene->arena, "%d", i).data;
        int64_t time = (i * 7919) % COUNT; /* each once, all over */
        draft_write(&draft, NULL, i % 2 ? with_expiry(plain(scene, id), time) : a_deleted_husk(id, 1, "order/1", time));
    }
    draft_must_commit(&draft);
    for (int kind = 0; kind < 2; kind++) {
        size_t count, all;
        enum vf_due due = kind ? VF_DUE_EXPIRED : VF_DUE_HUSK;
        struct vf_bytes *ids = load_due(scene, due, COUNT, MOST, &count),
                        *rest = load_due(scene, due, COUNT, COUNT, &all);
        assert_int_equal(count, MOST);
        assert_int_equal(all, COUNT / 2);
        int64_t last = -1;
        for (size_t i = 0; i < all; i++) {
            int64_t number = strtoll(vf_arena_copy(scene->arena, rest[i]).data, NULL, 10);
            int64_t time = (number * 7919) % COUNT;
            assert_int_equal(number % 2, kind);
            assert_true(time > last);
            last = time;
            if (i < count)
                assert_true(vf_bytes_equal(ids[i], rest[i]));
        }
        load_due(scene, due, COUNT, 1, &count);
        assert_int_equal(count, 1);
    }
}

static void due_documents_of_hostile_ids_are_told(void **state)
{
    struct scene *scene = *state;
    size_t count, names_count;
    const char **names = hostile_names(scene, &names_count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < names_count; i++) {
        int64_t time = (int64_t)(i / 2);
        draft_write(&draft, NULL,
                    i % 2 ? with_expiry(plain(scene, names[i]), time) : an_expired_husk(names[i], 1, time));
    }
    draft_must_commit(&draft);
    for (size_t kind = 0; kind < 2; kind++) {
        struct vf_bytes *ids = load_due(scene, kind ? VF_DUE_EXPIRED : VF_DUE_HUSK, 1000, 1000, &count);
        assert_int_equal(count, (names_count + 1 - kind) / 2);
        for (size_t i = 0; i < count; i++)
            assert_true(vf_bytes_is(ids[i], names[2 * i + kind]));
    }
}

static void another_view_has_its_own_due(void **state)
{
    struct scene *scene = *state;
    const char *mine = scene->name, *others = vf_arena_printf(scene->arena, "%s_1", scene->name).data;
    scene_prepare(scene, others);
    must_write(scene, with_expiry(plain(scene, "a"), 100));
    scene->view.name = others;
    scene_indexes(scene, NULL, 0, true);
    must_write(scene, with_expiry(plain(scene, "b"), 50));
    must_write(scene, an_expired_husk("c", 1, 50));
    assert_due(scene, VF_DUE_EXPIRED, 1000, "b,");
    scene->view.name = mine;
    assert_due(scene, VF_DUE_EXPIRED, 1000, "a,");
    assert_due(scene, VF_DUE_HUSK, 1000, "");
}

int contract_due_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        DUE_TEST(what_has_expired_is_due_oldest_first),
        DUE_TEST(deleted_and_expired_husks_are_due_oldest_first),
        DUE_TEST(what_is_due_is_no_more_once_it_has_changed),
        DUE_TEST(a_commit_that_did_not_go_through_leaves_what_is_due),
        DUE_TEST(what_is_consulted_stays_due),
        DUE_TEST(of_many_that_are_due_the_oldest_are_told),
        DUE_TEST(due_documents_of_hostile_ids_are_told),
        DUE_TEST(another_view_has_its_own_due),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
