/* `viewfold parked retry` and `drop` where a commit or its reply is lost: what they tell is what has become of it, whoever else has
 * written meanwhile. */
#include "cli/retry_scene.h"

static void a_lost_reply_is_looked_up_in_the_record(void **state)
{
    static const enum vf_memory_commit_fault faults[] = {VF_MEMORY_LOSE_AFTER, VF_MEMORY_LOSE_BEFORE};
    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = *state;
        struct vf_dropped *dropped;
        if (i > 0) {
            vf_memory_server_wipe(scene->redis);
        }
        furnish(state);
        vf_memory_server_fault_commit(scene->redis, faults[i]);
        expect(scene, "parked drop order/42", 0,
               "customer_orders in cache: order/42: 1 left out for good, 2 events taken in\n");
        assert_int_equal(dropped_count(scene, &dropped), 1);
        assert_holds(scene, "42", "{\"n\":23}", 7);
    }
}

/* What others do once the command has written something, and before it reads again: its reply is lost. */
static void (*others)(struct scene *scene);
static uint64_t commits_before;

static void once_it_has_written(struct scene *scene)
{
    if (vf_memory_server_commits(scene->redis) > commits_before) {
        others(scene);
    } else {
        scene->on_monotonic = once_it_has_written;
    }
}

static void lose_reply(struct scene *scene, void (*then)(struct scene *scene))
{
    others = then;
    commits_before = vf_memory_server_commits(scene->redis);
    scene->on_monotonic = once_it_has_written;
    vf_memory_server_fault_commit(scene->redis, VF_MEMORY_LOSE_AFTER);
}

/* Others do that between the fold and the commit, which never arrives. */
static void before_it_writes(struct scene *scene)
{
    others(scene);
    vf_memory_server_fault_commit(scene->redis, VF_MEMORY_LOSE_BEFORE);
}

static void lose_request(struct scene *scene, void (*then)(struct scene *scene))
{
    others = then;
    scene->on_random = before_it_writes;
}

/* A worker reads the next event but one of an aggregate. */
static void come_early(struct scene *scene, const char *aggregate, int64_t version, int64_t count)
{
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = vf_bytes_from(aggregate),
                                           .early_count = count,
                                           .early_from = 9,
                                           .early_last = version,
                                           .state = VF_ASIDE_GAP},
                    &(struct scene_aside){VF_LIST_EARLY, version, NULL, version, 70 + version}, 1);
}

static void a_worker_writes_42(struct scene *scene)
{
    come_early(scene, "order/42", 9, 1);
}

/* And the question about the decisions is lost as well, behind the new connection and the look at the record. */
static void a_worker_writes_7_and_the_store_fails(struct scene *scene)
{
    come_early(scene, "order/7", 11, 2);
    vf_memory_server_fail_call(scene->redis, 3);
}

/* One of the two is left, and another one comes behind it. */
static void a_worker_writes_9(struct scene *scene)
{
    struct vf_aggregate record = record_of(scene, "order/9");
    assert_int_equal(record.aside_from, 1);
    record.aside_to = 3;
    record.seen = 3;
    scene_set_aside(scene, scene->redis, &record, &(struct scene_aside){.place = 2, .version = 3, .offset = 62}, 1);
}

/* The same again, as another commit: the last of the three is left, and to be taken in. */
static void a_worker_touches_42(struct scene *scene)
{
    struct vf_aggregate record = record_of(scene, "order/42");
    assert_true(record.draining);
    scene_set_aside(scene, scene->redis, &record, NULL, 0);
}

static void a_worker_adds_to_42(struct scene *scene)
{
    struct vf_aggregate record = record_of(scene, "order/42");
    record.aside_to = 4;
    record.seen = 8;
    scene_set_aside(scene, scene->redis, &record, &(struct scene_aside){.place = 3, .version = 8, .offset = 44}, 1);
}

/* The record says another commit then, of which nobody knows what was before it. */
static void a_drop_whose_reply_was_lost_is_told_when_a_worker_has_written_since(void **state)
{
    struct scene *scene = furnish(state);
    struct vf_dropped *dropped;
    lose_reply(scene, a_worker_writes_42);
    expect(
        scene, "parked drop order/42", 0,
        "customer_orders in cache: order/42: 1 left out for good, 2 events taken in; then it is behind a gap: 1 event, "
        "waits for what is missing before number 9\n");
    assert_null(scene->on_monotonic);
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_holds(scene, "42", "{\"n\":23}", 7);

    furnish_gap(scene);
    lose_reply(scene, a_worker_writes_7_and_the_store_fails);
    expect(
        scene, "parked drop order/7", 0,
        "customer_orders in cache: order/7: 3 missing numbers given up for good, 1 event taken in; then it is behind a "
        "gap: 2 events, waits for what is missing before number 9\n");
    assert_null(scene->on_monotonic);
    assert_int_equal(dropped_count(scene, &dropped), 2);
}

static void a_drop_of_what_is_held_is_told_whole_when_a_worker_has_written_since(void **state)
{
    struct scene *scene = furnish_held(state);
    struct vf_dropped *dropped;
    lose_reply(scene, a_worker_writes_9);
    expect(scene, "parked drop order/9 --yes", 0,
           "customer_orders in cache: order/9: 2 left out for good; then it is held: 1 event, waits for its link\n");
    assert_null(scene->on_monotonic);
    assert_int_equal(dropped_count(scene, &dropped), 2);
}

/* A decision about the same event is in the store, or the event is gone from its list: but somebody else did that. */
static void what_somebody_else_has_done_is_not_told_as_dropped_when_a_request_was_lost(void **state)
{
    static const char *const told[] = {
        "customer_orders in cache: order/42: what had failed is not there any more (somebody else was faster), and nothing "
        "was left out; stays parked at order/42@6 Changed, at orders/0@42\n    p.lua:2: boom at 6\n",
        "customer_orders in cache: order/42: what had failed is not there any more (somebody else was faster), and nothing "
        "was left out: nothing of it is set aside (any more)\n"};
    for (int i = 0; i < 2; i++) {
        struct scene *scene = *state;
        if (i > 0) {
            vf_memory_server_wipe(scene->redis);
        }
        furnish(state);
        lose_request(scene, i > 0 ? somebody_else_takes_it_in : somebody_else_drops_it);
        expect(scene, "parked drop order/42", i > 0 ? 75 : 1, told[i]);
        assert_null(scene->on_random);
    }
}

/* In one batch, and as the first of two. */
static void a_retry_whose_reply_was_lost_is_told_when_a_worker_has_written_since(void **state)
{
    static const char *const told[] = {
        "customer_orders in cache: order/42: 3 events taken in; then it is behind a gap: 1 event, waits for what is "
        "missing before number 9\n",
        "customer_orders in cache: order/42: 3 events taken in\n"};
    for (int i = 0; i < 2; i++) {
        struct scene *scene = *state;
        if (i > 0) {
            vf_memory_server_wipe(scene->redis);
        }
        furnish_with(state, MENDED);
        if (i > 0) {
            scene_write(scene, "viewfold.yaml", ONE_STORE "defaults: {batch: {events: 2}}\n");
        }
        lose_reply(scene, i > 0 ? a_worker_touches_42 : a_worker_writes_42);
        expect(scene, "parked retry order/42", 0, told[i]);
        assert_null(scene->on_monotonic);
        assert_holds(scene, "42", "{\"n\":28}", 7);
    }
}

/* It is behind what failed, which is there still: the retry has not taken hold, and is done again. */
static void a_retry_whose_request_was_lost_is_done_again_when_a_worker_has_written_since(void **state)
{
    struct scene *scene = furnish_with(state, MENDED);
    lose_request(scene, a_worker_adds_to_42);
    expect(scene, "parked retry order/42", 0, "customer_orders in cache: order/42: 4 events taken in\n");
    assert_null(scene->on_random);
    assert_holds(scene, "42", "{\"n\":36}", 8);
}

static void once_it_is_late(struct scene *scene)
{
    if (vf_memory_server_late_count(scene->redis) > 0) {
        assert_int_equal(vf_memory_server_land(scene->redis, 0), VF_COMMITTED);
    } else {
        scene->on_random = once_it_is_late;
    }
}

/* When the record was looked at, nothing had become of it yet. */
static void a_commit_that_lands_after_the_look_is_told(void **state)
{
    struct scene *scene = furnish(state);
    struct vf_dropped *dropped;
    scene->on_random = once_it_is_late;
    vf_memory_server_fault_commit(scene->redis, VF_MEMORY_DELAY);
    expect(scene, "parked drop order/42", 0,
           "customer_orders in cache: order/42: 1 left out for good, 2 events taken in\n");
    assert_null(scene->on_random);
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_holds(scene, "42", "{\"n\":23}", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_lost_reply_is_looked_up_in_the_record),
        SCENE_TEST(a_drop_whose_reply_was_lost_is_told_when_a_worker_has_written_since),
        SCENE_TEST(a_drop_of_what_is_held_is_told_whole_when_a_worker_has_written_since),
        SCENE_TEST(what_somebody_else_has_done_is_not_told_as_dropped_when_a_request_was_lost),
        SCENE_TEST(a_retry_whose_reply_was_lost_is_told_when_a_worker_has_written_since),
        SCENE_TEST(a_retry_whose_request_was_lost_is_done_again_when_a_worker_has_written_since),
        SCENE_TEST(a_commit_that_lands_after_the_look_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
