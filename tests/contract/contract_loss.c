/* The contract suite: a commit whose reply was lost has happened whole or not at all, and progress tells which. */
#include "contract/scene.h"

#include <stdio.h>

static const struct vf_index by_round = {.name = "by_round", .by = "n"};

/* Each round takes one event from a list and puts one behind; the first only puts one there. */
static void change_list(struct scene *scene, struct draft *draft, const struct picture *before, int round)
{
    draft_write_aggregate(draft, round ? &before->aggregates[1] : NULL, a_waiting("account/9", round, round + 1));
    if (round)
        draft_take(draft, &before->asides[0]);
    draft_aside(draft, scene_aside(scene, "account/9", round, 100 + round));
}

/* What can be found says the same as what was loaded. */
static void assert_found_as_loaded(struct scene *scene, const struct picture *loaded, int round)
{
    int last = (int)loaded->aggregates[1].aside_from;
    assert_int_equal(loaded->aside_count, 1);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 1);
    assert_string_equal(scene_list_at(scene, "orders", 0, 100 + last), "account/9");
    for (int i = round - 1; i <= round; i++) {
        struct vf_error error = {0};
        struct vf_find find = {.index = &by_round, .by = vf_arena_printf(scene->arena, "%d", i), .limit = 1000};
        struct vf_found *found;
        size_t count;
        assert_ok(scene->type->find(scene->other, scene->view, &find, scene->arena, &found, &count, &error));
        assert_int_equal(count, i == last ? loaded->document_count : 0);
        assert_int_equal(scene_list_at(scene, "orders", 0, 100 + i) != NULL, i == last);
    }
}

static void lose(void **state, enum vf_contract_loss loss)
{
    struct scene *scene = *state;
    enum { ROUNDS = 5, DOCUMENTS = 20 };
    int unknown = 0, next = 0;
    struct picture before = {0};
    scene_indexes(scene, &by_round, 1, false);
    for (int round = 0; round < ROUNDS; round++) {
        struct draft draft = draft_new(scene);
        for (int i = 0; i < DOCUMENTS; i++) {
            const char *id = vf_arena_printf(scene->arena, "%d", i).data;
            draft_write(&draft, round ? &before.documents[i] : NULL,
                        a_document(id, round + 1, a_body(scene, "n", round)));
        }
        draft_write_aggregate(&draft, round ? &before.aggregates[0] : NULL, a_link("order/1", "0", round));
        change_list(scene, &draft, &before, round);
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
            assert_same_aside(&after.asides[0], &draft.asides[0]);
        } else {
            assert_same_picture(&before, &after);
        }
        assert_found_as_loaded(scene, &after, round);
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
