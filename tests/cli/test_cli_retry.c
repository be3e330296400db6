/* `viewfold parked retry` and `drop`: what becomes of documents and lists, beside others. The script is a real one, so what a retry
 * folds is what a worker would. */
#include "cli/retry_scene.h"

#include <stdlib.h>
#include <unistd.h>

/* --- helpers ------------------------------------------------------------------------------------------------------ */

static void adopt(struct scene *scene, const char *text)
{
    scene_write(scene, "p.lua", text);
    assert_int_equal(scene_run(scene, "generations adopt customer_orders"), 0);
}

static void assert_none_aside(struct scene *scene, const char *aggregate)
{
    struct vf_aggregate record = record_of(scene, aggregate);
    assert_true(!record.exists || record.state == VF_ASIDE_NONE);
    struct vf_store *store = open_store(scene);
    struct vf_aside *asides;
    size_t count = 0;
    assert_int_equal(vf_memory_store_type.aside_load(store, retry_view, vf_bytes_from(aggregate), 0, 10, 1000,
                                                     scene->arena, &asides, &count, NULL),
                     VF_OK);
    assert_int_equal(count, 0);
    vf_memory_store_type.close(store);
}

/* --- retry -------------------------------------------------------------------------------------------------------- */

static void what_fails_again_stays_parked(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "parked retry order/42", 1,
           "customer_orders in cache: order/42 stays parked at order/42@5 Changed, at orders/0@41\n"
           "    p.lua:2: boom at 5\n");
    assert_holds(scene, "42", "{\"n\":10}", 4);
    assert_true(record_of(scene, "order/42").parked);
}

static void a_mended_script_that_was_adopted_takes_in_all_in_order(void **state)
{
    struct scene *scene = furnish(state);
    adopt(scene, MENDED);
    expect(scene, "parked retry order/42", 0, "customer_orders in cache: order/42: 3 events taken in\n");
    assert_holds(scene, "42", "{\"n\":28}", 7);
    assert_none_aside(scene, "order/42");
    assert_int_equal(scene_run(scene, "parked retry order/42"), 66);
    assert_string_equal(scene->err, "viewfold: nothing of order/42 is set aside\n");
}

/* What its aggregate did next has got past it into the document, by another partition: it is not called a repeat, which it is not. */
static void what_comes_too_late_is_left_to_its_operator(void **state)
{
    struct scene *scene = furnish(state);
    scene_put(scene, scene->redis, "42", VF_PRESENT, "{\"n\":16}", 6,
              (struct scene_version[]){{"order/42", 6}, {NULL, 0}});
    adopt(scene, MENDED);
    expect(
        scene, "parked retry order/42", 1,
        "customer_orders in cache: order/42 stays parked at order/42@5 Changed, at orders/0@41\n"
        "    order/42: events behind its version 5 have been taken in, up to 6: taken in now, it would come after them. "
        "Leave it out (`viewfold parked drop`), or build the view anew\n");
    assert_holds(scene, "42", "{\"n\":16}", 6);
    assert_int_equal(scene_run(scene, "parked drop order/42 --yes"), 0);
    assert_holds(scene, "42", "{\"n\":23}", 7); /* 6 is what was taken in last, once more */
    assert_none_aside(scene, "order/42");
}

/* It may be of a view whose name nobody knows here: that is no reason to say that all is well. */
static void a_script_that_cannot_be_read_is_said(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "return {");
    assert_int_equal(scene_run(scene, "parked retry --all"), 78);
    assert_non_null(strstr(scene->err, "p.lua:1: "));
    assert_non_null(strstr(scene->err, "is left as it is"));
    assert_int_equal(scene_run(scene, "parked drop --all --yes"), 78);
    assert_int_equal(scene_run(scene, "parked retry order/42"), 78);
    assert_true(record_of(scene, "order/42").parked);
}

static void what_is_before_the_next_failure_is_taken_in(void **state)
{
    struct scene *scene = furnish(state);
    adopt(scene, SCRIPT("e.data.n == 7"));
    expect(scene, "parked retry order/42", 1,
           "customer_orders in cache: order/42: 2 events taken in; stays parked at order/42@7 Changed, at orders/0@43\n"
           "    p.lua:2: boom at 7\n");
    assert_holds(scene, "42", "{\"n\":21}", 6);
    struct vf_aggregate record = record_of(scene, "order/42");
    assert_true(record.parked);
    assert_true(vf_bytes_is(record.failure.error, "p.lua:2: boom at 7"));
    assert_int_equal(record.aside_to - record.aside_from, 1);
}

static void all_of_them_are_done_and_summed_up(void **state)
{
    struct scene *scene = furnish(state);
    char name[32];
    for (int i = 0; i < 450; i++) {
        snprintf(name, sizeof name, "order/p%d", i);
        scene_set_aside(
            scene, scene->redis,
            &(struct vf_aggregate){.aggregate = vf_bytes_from(name),
                                   .aside_to = 1,
                                   .has_seen = true,
                                   .seen = 1,
                                   .parked = true,
                                   .failure = {.error = VF_LITERAL("p.lua:2: other"), .script = VF_LITERAL("x")},
                                   .state = VF_ASIDE_PARKED},
            &(struct scene_aside){.version = 1, .offset = 1000 + i}, 1);
    }
    expect(scene, "parked retry --error other", 0, "450 released, 0 parked still; 450 events taken in\n");
    assert_true(record_of(scene, "order/42").parked);
    expect(scene, "parked retry --all", 1,
           "customer_orders in cache: order/42 stays parked at order/42@5 Changed, at orders/0@41\n"
           "    p.lua:2: boom at 5\n"
           "0 released, 1 parked still; 0 events taken in\n");
    adopt(scene, MENDED);
    expect(
        scene, "parked retry --all --json", 0,
        "{\"aggregate\":\"order/42\",\"at\":null,\"count\":0,\"dropped\":0,\"error\":null,\"generation\":1,\"given_up\":0,"
        "\"projection\":\"customer_orders\",\"result\":\"released\",\"store\":\"cache\",\"taken\":3,\"view\":"
        "\"customer_orders\"}\n");
}

/* --- dry-run ------------------------------------------------------------------------------------------------------ */

static void a_rehearsal_shows_the_documents_and_changes_nothing(void **state)
{
    struct scene *scene = furnish(state);
    char words[128];
    uint64_t commits = vf_memory_server_commits(scene->redis);
    snprintf(words, sizeof words, "parked retry order/42 --dry-run --script %s/q.lua", scene->folder);
    expect(scene, words, 0,
           "customer_orders in cache: order/42: 3 events would be taken in\n"
           "  document 42\n"
           "    n\n"
           "      - now   10\n"
           "      + then  28\n");
    snprintf(words, sizeof words, "parked retry order/42 --dry-run --json --script %s/q.lua", scene->folder);
    expect(
        scene, words, 0,
        "{\"aggregate\":\"order/42\",\"at\":null,\"count\":0,\"documents\":[{\"after\":{\"n\":28},\"before\":{\"n\":10},"
        "\"id\":\"42\"}],\"dropped\":0,\"error\":null,\"generation\":1,\"given_up\":0,\"projection\":\"customer_orders\","
        "\"result\":\"released\",\"store\":\"cache\",\"taken\":3,\"view\":\"customer_orders\"}\n");
    expect(scene, "parked retry --all --dry-run", 1,
           "customer_orders in cache: order/42 would be parked at order/42@5 Changed, at orders/0@41\n"
           "    p.lua:2: boom at 5\n"
           "0 would be released, 1 would be parked; 0 events would be taken in\n");
    assert_int_equal(vf_memory_server_commits(scene->redis), commits);
    assert_holds(scene, "42", "{\"n\":10}", 4);
}

/* More than a batch: it says how much of it was tried; and when it is done, all of it is. */
static void a_rehearsal_says_how_far_it_went(void **state)
{
    struct scene *scene = furnish_with(state, MENDED);
    scene_write(scene, "viewfold.yaml", ONE_STORE "defaults: {batch: {events: 2}}\n");
    expect(scene, "parked retry order/42 --dry-run", 0,
           "customer_orders in cache: order/42: 2 events would be taken in; 1 more are behind them: what goes into one "
           "batch was tried\n  document 42\n    n\n      - now   10\n      + then  21\n");
    expect(scene, "parked retry order/42", 0, "customer_orders in cache: order/42: 3 events taken in\n");
    assert_holds(scene, "42", "{\"n\":28}", 7);
    assert_none_aside(scene, "order/42");
}

static void a_script_that_could_not_be_adopted_is_not_rehearsed(void **state)
{
    struct scene *scene = furnish(state);
    char words[128];
    scene_write(
        scene, "q.lua",
        "return { name = 'customer_orders', version = 2, topics = { 'orders' }, key = { order = own }, on = {} }");
    snprintf(words, sizeof words, "parked retry order/42 --dry-run --script %s/q.lua", scene->folder);
    assert_int_equal(scene_run(scene, words), 78);
    assert_non_null(strstr(scene->err, "viewfold: customer_orders in cache: the generation could not go on with "));
    assert_non_null(strstr(scene->err, "the script says version 2"));
    scene_write(scene, "q.lua", "return { name = 'another', topics = { 'orders' }, key = { order = own }, on = {} }");
    assert_int_equal(scene_run(scene, words), 66);
    assert_non_null(strstr(scene->err, "q.lua is the projection another, which is none of those that are meant"));
}

/* --- drop --------------------------------------------------------------------------------------------------------- */

static void what_is_dropped_counts_and_changes_nothing_and_is_kept(void **state)
{
    struct scene *scene = furnish(state);
    struct vf_dropped *dropped;
    expect(scene, "parked drop order/42 order/42", 0, /* said twice, and meant once */
           "customer_orders in cache: order/42: 1 left out for good, 2 events taken in\n");
    assert_holds(scene, "42", "{\"n\":23}", 7);
    assert_none_aside(scene, "order/42");
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_true(vf_bytes_is(dropped[0].aggregate, "order/42"));
    assert_string_equal(dropped[0].partition.topic, "orders");
    assert_int_equal(dropped[0].offset, 41);
    assert_true(dropped[0].identity != 0);
    assert_true(vf_bytes_is(dropped[0].error, "p.lua:2: boom at 5"));
}

/* One drop, one event. */
static void the_next_event_that_fails_is_not_dropped_with_it(void **state)
{
    struct scene *scene = furnish(state);
    struct vf_dropped *dropped;
    adopt(scene, SCRIPT("e.data.n == 5 or e.data.n == 6"));
    expect(
        scene, "parked drop order/42", 1,
        "customer_orders in cache: order/42: 1 left out for good; stays parked at order/42@6 Changed, at orders/0@42\n"
        "    p.lua:2: boom at 6\n");
    assert_int_equal(dropped_count(scene, &dropped), 1);
}

/* Version 6 is first when the other one is done, and has failed, too. */
static void of_two_who_drop_an_event_at_once_one_does(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct scene *scene = *state;
        struct vf_dropped *dropped;
        if (i > 0) {
            vf_memory_server_wipe(scene->redis);
        }
        furnish(state);
        /* Between the look and the fold, and between the fold and the commit. */
        *(i > 0 ? &scene->on_random : &scene->on_monotonic) = somebody_else_drops_it;
        expect(
            scene, "parked drop order/42", 1,
            "customer_orders in cache: order/42: what had failed is not there any more (somebody else was faster), and "
            "nothing was left out; stays parked at order/42@6 Changed, at orders/0@42\n"
            "    p.lua:2: boom at 6\n");
        assert_null(scene->on_random);
        assert_null(scene->on_monotonic);
        assert_int_equal(dropped_count(scene, &dropped), 1);
        assert_int_equal(dropped[0].offset, 41);
    }
}

static void several_are_dropped_only_with_yes(void **state)
{
    struct scene *scene = furnish(state);
    uint64_t commits = vf_memory_server_commits(scene->redis);
    scene_park(scene, scene->redis, "order/43", 141, "p.lua:2: boom at 5");
    assert_int_equal(scene_run(scene, "parked drop order/42 order/43"), 64);
    assert_string_equal(scene->err,
                        "viewfold: this leaves out for good, and in every rebuild: order/42@5 Changed, at orders/0@41 "
                        "(customer_orders in cache); order/43@5 Changed, at orders/0@141 (customer_orders in cache). "
                        "Nothing was done; if it is what you want, say --yes\n");
    assert_int_equal(scene_run(scene, "parked drop --all"), 64);
    assert_int_equal(vf_memory_server_commits(scene->redis), commits + 1);
}

static void what_is_missing_is_given_up(void **state)
{
    struct scene *scene = furnish(state);
    struct vf_dropped *dropped;
    furnish_gap(scene);
    expect(scene, "parked retry order/7", 75,
           "customer_orders in cache: order/7 is behind a gap: 2 events, waits for what is missing before number 6\n");
    expect(
        scene, "parked drop order/7", 0,
        "customer_orders in cache: order/7: 3 missing numbers given up for good, 1 event taken in; then it is behind a "
        "gap: 1 event, waits for what is missing before number 9\n");
    assert_holds(scene, "7", "{\"n\":9}", 6);
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_null(dropped[0].partition.topic);
    assert_int_equal(dropped[0].missing_from, 3);
    assert_int_equal(dropped[0].missing_to, 6);
}

/* Nothing of it failed: what waits for a link that will never come is left out, event by event. */
static void what_is_held_for_ever_is_left_out(void **state)
{
    struct scene *scene = furnish_held(state);
    struct vf_dropped *dropped;
    expect(scene, "parked retry order/9", 75,
           "customer_orders in cache: order/9 is held: 2 events, waits for its link\n");
    assert_int_equal(scene_run(scene, "parked drop order/9"), 64);
    assert_string_equal(scene->err,
                        "viewfold: this leaves out for good, and in every rebuild: 2 events that wait for the link of "
                        "order/9 (customer_orders in cache). Nothing was done; if it is what you want, say --yes\n");
    expect(scene, "parked drop order/9 --yes", 0, "customer_orders in cache: order/9: 2 left out for good\n");
    assert_none_aside(scene, "order/9");
    assert_int_equal(dropped_count(scene, &dropped), 2);
    assert_int_equal(dropped[1].offset, 61);
    struct vf_aggregate record = record_of(scene, "order/9");
    assert_true(record.has_version);
    assert_int_equal(record.version, 2);
}

/* Its linking event waits in the list of another aggregate: it is left out there. */
static void what_waits_for_another_is_left_out_with_all_that_do(void **state)
{
    struct scene *scene = furnish_with(state, LINKS);
    struct vf_dropped *dropped;
    scene_write(scene, "p.lua", LINKS);
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/1"), .waiters_to = 1, .state = VF_ASIDE_HELD},
                    (struct scene_aside[]){{VF_LIST_WAITERS, 0, "order/9", 1, 60}}, 1);
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/9"),
                                           .waits_for = VF_LITERAL("order/1"),
                                           .aside_to = 1,
                                           .has_seen = true,
                                           .seen = 2,
                                           .state = VF_ASIDE_HELD},
                    (struct scene_aside[]){{.place = 0, .version = 2, .offset = 61}}, 1);
    expect(
        scene, "parked drop order/9", 75,
        "customer_orders in cache: order/9 is held: 2 events, waits for the link of order/1 (parked drop order/1 leaves out "
        "what waits for that)\n");
    expect(scene, "parked drop order/1", 0, "customer_orders in cache: order/1: 1 left out for good\n");
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_true(vf_bytes_is(dropped[0].aggregate, "order/9"));
    assert_int_equal(dropped[0].offset, 60);
    expect(scene, "parked drop order/9", 0, "customer_orders in cache: order/9: 1 left out for good\n");
    assert_none_aside(scene, "order/9");
}

/* --- others, and a store that is frozen --------------------------------------------------------------------------- */

static void somebody_retries_it(struct scene *scene)
{
    scene_put(scene, scene->redis, "42", VF_PRESENT, "{\"n\":11}", 5,
              (struct scene_version[]){{"order/42", 4}, {NULL, 0}});
}

/* A worker writes the same document between the look and the commit: nothing of that is lost. */
static void a_retry_beside_live_writes_is_folded_again(void **state)
{
    struct scene *scene = furnish_with(state, MENDED);
    scene->on_random = somebody_retries_it;
    expect(scene, "parked retry order/42", 0, "customer_orders in cache: order/42: 3 events taken in\n");
    assert_null(scene->on_random);
    assert_holds(scene, "42", "{\"n\":29}", 7);
}

/* Between the look and the fold another retry takes in all of it. */
static void what_others_take_in_at_once_is_gone(void **state)
{
    struct scene *scene = furnish(state);
    scene->on_monotonic = somebody_else_takes_it_in;
    expect(scene, "parked retry order/42", 0,
           "customer_orders in cache: order/42: nothing of it is set aside (any more)\n");
    assert_null(scene->on_monotonic);
}

static void thaw(struct scene *scene)
{
    if (scene->sleeps >= 3) {
        vf_memory_server_set_frozen(scene->redis, retry_view, false);
    }
}

static void a_frozen_generation_is_waited_for(void **state)
{
    struct scene *scene = furnish(state);
    adopt(scene, MENDED);
    vf_memory_server_set_frozen(scene->redis, retry_view, true);
    scene->on_sleep = thaw;
    expect(scene, "parked retry order/42", 0, "customer_orders in cache: order/42: 3 events taken in\n");
    assert_true(scene->sleeps >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_fails_again_stays_parked),
        SCENE_TEST(a_mended_script_that_was_adopted_takes_in_all_in_order),
        SCENE_TEST(what_comes_too_late_is_left_to_its_operator),
        SCENE_TEST(a_script_that_cannot_be_read_is_said),
        SCENE_TEST(what_is_before_the_next_failure_is_taken_in),
        SCENE_TEST(all_of_them_are_done_and_summed_up),
        SCENE_TEST(a_rehearsal_shows_the_documents_and_changes_nothing),
        SCENE_TEST(a_rehearsal_says_how_far_it_went),
        SCENE_TEST(a_script_that_could_not_be_adopted_is_not_rehearsed),
        SCENE_TEST(what_is_dropped_counts_and_changes_nothing_and_is_kept),
        SCENE_TEST(the_next_event_that_fails_is_not_dropped_with_it),
        SCENE_TEST(of_two_who_drop_an_event_at_once_one_does),
        SCENE_TEST(several_are_dropped_only_with_yes),
        SCENE_TEST(what_is_missing_is_given_up),
        SCENE_TEST(what_is_held_for_ever_is_left_out),
        SCENE_TEST(what_waits_for_another_is_left_out_with_all_that_do),
        SCENE_TEST(a_retry_beside_live_writes_is_folded_again),
        SCENE_TEST(what_others_take_in_at_once_is_gone),
        SCENE_TEST(a_frozen_generation_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
