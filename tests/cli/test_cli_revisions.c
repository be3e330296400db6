/* `viewfold parked retry` and `drop` of what came before a revision that was missing: only the operator can say that all of its
 * events have come, and he says it of what is there. */
#include "cli/retry_scene.h"

#include <stdio.h>

#define REVISIONS "topics: {orders: {override: {version: {numbers: revision}}}}\n"

static void add_early(struct scene *scene, const int64_t *revisions, size_t count)
{
    struct vf_aggregate record = record_of(scene, "order/7");
    record.aggregate = VF_LITERAL("order/7");
    record.state = VF_ASIDE_GAP;
    for (size_t i = 0; i < count; i++) {
        int64_t place = vf_early_place_of_revision(revisions[i], 0);
        if (record.early_count == 0 || place < record.early_from)
            record.early_from = place;
        if (record.early_count == 0 || place > record.early_last)
            record.early_last = place;
        record.early_count++;
        scene_set_aside(scene, scene->redis, &record,
                        &(struct scene_aside){VF_LIST_EARLY, place, NULL, revisions[i], 50 + revisions[i]}, 1);
        record = record_of(scene, "order/7");
    }
}

/* order/7 has taken in 1 and 2, which add up to 3. */
static struct scene *furnish_early(void **state, const char *config, const int64_t *revisions, size_t count)
{
    struct scene *scene = furnish_with(state, MENDED);
    char text[512];
    snprintf(text, sizeof text, "%s%s%s", ONE_STORE, REVISIONS, config);
    scene_write(scene, "viewfold.yaml", text);
    scene_put(scene, scene->redis, "7", VF_PRESENT, "{\"n\":3}", 2,
              (struct scene_version[]){{"order/7", 2}, {NULL, 0}});
    add_early(scene, revisions, count);
    return scene;
}

static void what_has_come_is_taken_in_up_to_the_next_gap(void **state)
{
    struct scene *scene = furnish_early(state, "", (const int64_t[]){3, 4, 6}, 3);
    expect(
        scene, "parked retry order/7", 0,
        "customer_orders in cache: order/7: 2 events taken in; then it is behind a gap: 1 event, waits for what is missing "
        "before number 6, and for a retry\n");
    assert_holds(scene, "7", "{\"n\":10}", 4);
    expect(
        scene, "parked retry order/7", 75,
        "customer_orders in cache: order/7 is behind a gap: 1 event, waits for what is missing before number 6, and for a "
        "retry\n");
}

static uint64_t commits_before;

/* A worker reads the first event of revision 5, behind what is being taken in. */
static void once_it_has_written(struct scene *scene)
{
    if (vf_memory_server_commits(scene->redis) > commits_before)
        add_early(scene, (const int64_t[]){5}, 1);
    else
        scene->on_monotonic = once_it_has_written;
}

static void what_comes_meanwhile_was_not_vouched_for(void **state)
{
    struct scene *scene = furnish_early(state, "defaults: {batch: {events: 1}}\n", (const int64_t[]){3, 4, 6}, 3);
    commits_before = vf_memory_server_commits(scene->redis);
    scene->on_monotonic = once_it_has_written;
    assert_int_equal(scene_run(scene, "parked retry order/7"), 0);
    assert_holds(scene, "7", "{\"n\":10}", 4);
    assert_int_equal(record_of(scene, "order/7").early_count, 2);
    assert_int_equal(scene_run(scene, "parked retry order/7"), 0);
    assert_holds(scene, "7", "{\"n\":21}", 6);
}

static void what_is_there_is_not_given_up(void **state)
{
    struct vf_dropped *dropped;
    struct scene *scene = furnish_early(state, "", (const int64_t[]){3, 7}, 2);
    expect(
        scene, "parked drop order/7", 75,
        "customer_orders in cache: order/7: nothing is missing before number 3, and nothing was given up (retry takes it "
        "in); then it is behind a gap: 2 events, waits for what is missing before number 3, and for a retry\n");
    assert_int_equal(dropped_count(scene, &dropped), 0);
    assert_holds(scene, "7", "{\"n\":3}", 2);
}

static void what_is_given_up_lets_in_what_is_there(void **state)
{
    struct vf_dropped *dropped;
    struct scene *scene = furnish_early(state, "defaults: {batch: {events: 1}}\n", (const int64_t[]){5, 6, 8}, 3);
    expect(
        scene, "parked drop order/7", 0,
        "customer_orders in cache: order/7: 2 missing numbers given up for good, 2 events taken in; then it is behind a "
        "gap: 1 event, waits for what is missing before number 8, and for a retry\n");
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_int_equal(dropped[0].missing_from, 3);
    assert_int_equal(dropped[0].missing_to, 5);
    assert_holds(scene, "7", "{\"n\":14}", 6);
}

/* 3 and 4 are being drained in parts, and what came early is behind them. */
static struct scene *furnish_draining(void **state, const char *config, int64_t early)
{
    struct scene *scene = furnish_early(state, config, &early, 1);
    struct vf_aggregate record = record_of(scene, "order/7");
    record.aside_to = 2;
    record.draining = record.has_seen = true;
    record.seen = 4;
    scene_set_aside(
        scene, scene->redis, &record,
        (struct scene_aside[]){{.place = 0, .version = 3, .offset = 60}, {.place = 1, .version = 4, .offset = 61}}, 2);
    return scene;
}

static void numbers_are_given_up_behind_what_is_being_drained(void **state)
{
    struct vf_dropped *dropped;
    struct scene *scene = furnish_draining(state, "defaults: {batch: {events: 1}}\n", 8);
    assert_int_equal(scene_run(scene, "parked drop order/7"), 0);
    assert_int_equal(dropped_count(scene, &dropped), 1);
    assert_int_equal(dropped[0].missing_from, 5);
    assert_int_equal(dropped[0].missing_to, 8);
    assert_holds(scene, "7", "{\"n\":18}", 8);
}

static void who_gives_nothing_up_vouches_for_nothing(void **state)
{
    struct vf_dropped *dropped;
    struct scene *scene = furnish_draining(state, "", 5);
    assert_int_equal(scene_run(scene, "parked drop order/7"), 75);
    assert_non_null(strstr(scene->out, "nothing is missing before number 5"));
    assert_int_equal(dropped_count(scene, &dropped), 0);
    assert_holds(scene, "7", "{\"n\":10}", 4);
    assert_int_equal(record_of(scene, "order/7").early_count, 1);
}

/* While --all is at another one: 3, which had failed, and 4 are in. */
static void somebody_else_retries_7(struct scene *scene)
{
    struct vf_aggregate record = record_of(scene, "order/7");
    struct vf_aside taken = {
        .list = VF_LITERAL("order/7"), .aggregate = VF_LITERAL("order/7"), .partition = {"orders", 0}, .offset = 60};
    struct vf_aggregate_change change = {.intent = VF_WRITE,
                                         .base_exists = true,
                                         .base_stamp = record.stamp,
                                         .base_state = record.state,
                                         .base_draining = record.draining,
                                         .next = record};
    struct vf_commit commit = {.view = retry_view,
                               .stamp = 4711,
                               .aggregates = &change,
                               .aggregate_count = 1,
                               .taken = &taken,
                               .taken_count = 1};
    struct vf_commit_result result;
    struct vf_store *store = open_store(scene);
    change.next.aside_from = change.next.aside_to;
    change.next.parked = change.next.has_seen = false;
    change.next.failure = (struct vf_failure){0};
    change.next.state = VF_ASIDE_GAP;
    change.next.stamp = commit.stamp;
    scene_put(scene, scene->redis, "7", VF_PRESENT, "{\"n\":10}", 4,
              (struct scene_version[]){{"order/7", 4}, {NULL, 0}});
    vf_memory_store_type.commit_send(store, &commit);
    vf_memory_store_type.commit_wait(store, &result);
    assert_int_equal(result.outcome, VF_COMMITTED);
    vf_memory_store_type.close(store);
}

static void who_means_all_that_is_parked_vouches_for_nothing(void **state)
{
    static const char *const words[] = {"parked retry --all", "parked drop --all --yes"};
    for (size_t i = 0; i < 2; i++) {
        struct scene *scene = *state;
        if (i > 0)
            vf_memory_server_wipe(scene->redis);
        furnish_early(state, "", (const int64_t[]){5}, 1);
        struct vf_aggregate record = record_of(scene, "order/7");
        record.aside_to = 1;
        record.parked = record.has_seen = true;
        record.seen = 3;
        record.state = VF_ASIDE_PARKED;
        record.failure = (struct vf_failure){.error = VF_LITERAL("p.lua:2: boom"), .script = VF_LITERAL("x")};
        scene_set_aside(scene, scene->redis, &record, &(struct scene_aside){.place = 0, .version = 3, .offset = 60}, 1);
        scene->on_random = somebody_else_retries_7;
        assert_int_equal(scene_run(scene, words[i]), 75);
        assert_holds(scene, "7", "{\"n\":10}", 4);
        assert_int_equal(record_of(scene, "order/7").early_count, 1);
    }
}

/* What came early is left to be drained then, as the batch is full with what fails. */
static void what_fails_once_more_is_tried_once(void **state)
{
    struct scene *scene = furnish(state);
    struct vf_aggregate record = record_of(scene, "order/42");
    scene_write(scene, "viewfold.yaml", ONE_STORE "defaults: {batch: {events: 1}}\n");
    record.early_count = 1;
    record.early_from = record.early_last = 9;
    scene_set_aside(scene, scene->redis, &record, &(struct scene_aside){VF_LIST_EARLY, 9, NULL, 9, 59}, 1);
    assert_int_equal(scene_run(scene, "parked retry order/42"), 1);
    assert_non_null(strstr(scene->out, "boom at 5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_has_come_is_taken_in_up_to_the_next_gap),
        SCENE_TEST(what_comes_meanwhile_was_not_vouched_for),
        SCENE_TEST(what_is_there_is_not_given_up),
        SCENE_TEST(what_is_given_up_lets_in_what_is_there),
        SCENE_TEST(numbers_are_given_up_behind_what_is_being_drained),
        SCENE_TEST(who_gives_nothing_up_vouches_for_nothing),
        SCENE_TEST(who_means_all_that_is_parked_vouches_for_nothing),
        SCENE_TEST(what_fails_once_more_is_tried_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
