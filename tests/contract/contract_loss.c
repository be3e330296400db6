/* The contract suite: a commit whose reply was lost has happened whole or not at all, and progress tells which. */
#include "contract/scene.h"

#include <stdio.h>

static void lose(void **state, enum vf_contract_loss loss)
{
    struct scene *scene = *state;
    enum { ROUNDS = 5, DOCUMENTS = 20 };
    int unknown = 0, next = 0;
    struct picture before = {0};
    for (int round = 0; round < ROUNDS; round++) {
        struct draft draft = draft_new(scene);
        for (int i = 0; i < DOCUMENTS; i++) {
            const char *id = vf_arena_printf(scene->arena, "%d", i).data;
            draft_write(&draft, round ? &before.documents[i] : NULL,
                        a_document(id, round + 1, a_body(scene, "n", round)));
        }
        draft_write_aggregate(&draft, round ? &before.aggregates[0] : NULL, a_link("order/1", "0", round));
        draft_progress(&draft, "orders", 0, round ? before.rows[0].progress : no_progress, a_progress(++next));
        if (round == 0) { /* something to lose */
            draft_must_commit(&draft);
            before = picture_take(scene, &draft);
            continue;
        }
        bool sure = contract_under_test->kill_connection(contract_under_test->self, scene->store, loss);
        enum vf_outcome outcome = draft_send(&draft, scene->store);
        assert_true(outcome == VF_UNKNOWN || outcome == VF_COMMITTED);
        unknown += outcome == VF_UNKNOWN;
        scene_reopen(scene, &scene->store);

        const struct vf_progress wanted = draft.progress[0].to;
        struct vf_progress_row row = load_row(scene, "orders", 0);
        bool happened = vf_progress_equal(&row.progress, &wanted);
        if (outcome == VF_COMMITTED)
            assert_true(happened);
        if (sure && outcome == VF_UNKNOWN)
            assert_int_equal(happened, loss == VF_LOSE_AFTER);
        struct picture after = picture_take(scene, &draft);
        if (happened) {
            for (int i = 0; i < DOCUMENTS; i++) {
                assert_same_content(&after.documents[i], &draft.documents[i].next);
                assert_true(after.documents[i].stamp == draft.stamp);
            }
            assert_true(after.aggregates[0].stamp == draft.stamp);
        } else {
            assert_same_picture(&before, &after);
        }
        before = after;
    }
    assert_true(unknown > 0); /* or nothing was lost at all */
}

static void a_commit_lost_on_its_way_there(void **state)
{
    lose(state, VF_LOSE_BEFORE);
}

static void a_reply_lost_on_its_way_back(void **state)
{
    lose(state, VF_LOSE_AFTER);
}

/* The same commit again, as a client would that does not read progress: it must not happen twice. */
static void repeating_a_commit_whose_reply_was_lost_conflicts(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    contract_under_test->kill_connection(contract_under_test->self, scene->store, VF_LOSE_AFTER);
    enum vf_outcome first = draft_send(&draft, scene->store);
    scene_reopen(scene, &scene->store);
    bool happened = load_row(scene, "orders", 0).progress.exists;
    assert_true(happened || first == VF_UNKNOWN);
    assert_int_equal(draft_send(&draft, scene->store), happened ? VF_CONFLICT : VF_COMMITTED);
    assert_int_equal(load_document(scene, "a").revision, 1);
}

int contract_loss_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_commit_lost_on_its_way_there),
        SCENE_TEST(a_reply_lost_on_its_way_back),
        SCENE_TEST(repeating_a_commit_whose_reply_was_lost_conflicts),
    };
    if (!contract_under_test->kill_connection) {
        print_message("%s: left out, the connector breaks its connections in a test of its own\n", group);
        return 0;
    }
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
