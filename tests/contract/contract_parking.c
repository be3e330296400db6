/*
 * The contract suite: aggregates are found by the state of their records, records go when nothing is left to say, numbers that
 * came early stand in a list with holes, and what an operator has dropped stays known.
 */
#include "contract/scene.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- states ---- */

/* The aggregates in a state, `most` at a time, one behind the other. */
static struct vf_bytes *in_state(struct scene *scene, enum vf_aside_state state, size_t most, size_t *ret_count)
{
    enum { ROOM = 4000 };
    struct vf_bytes *all = vf_arena_calloc(scene->arena, ROOM, sizeof(*all)), after = {NULL, 0};
    size_t count = 0;
    for (size_t got = most; got == most; count += got) {
        struct vf_error error = {0};
        struct vf_bytes *page;
        assert_ok(scene->type->aside_aggregates(scene->other, scene->view, state, after, most, scene->arena, &page,
                                                &got, &error));
        assert_true(got <= most && count + got <= ROOM);
        for (size_t i = 0; i < got; i++)
            all[count + i] = page[i];
        if (got > 0)
            after = page[got - 1];
    }
    *ret_count = count;
    return all;
}

static void assert_in_state(struct scene *scene, enum vf_aside_state state, const char *const *wanted,
                            size_t wanted_count)
{
    static const size_t pages[] = {1, 2, 7, 1000};
    for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
        size_t count;
        struct vf_bytes *found = in_state(scene, state, pages[p], &count);
        assert_int_equal(count, wanted_count);
        for (size_t i = 0; i < count; i++) {
            if (!vf_bytes_is(found[i], wanted[i]))
                fail_msg("state %d, place %zu: %.*s instead of %s", (int)state, i, (int)found[i].size, found[i].data,
                         wanted[i]);
        }
    }
}

/* How many there are of each state, and that the lists say the same. */
static void assert_counts(struct scene *scene, int64_t held, int64_t gap, int64_t parked)
{
    struct vf_error error = {0};
    int64_t counts[VF_ASIDE_STATES] = {-1, -1, -1, -1};
    assert_ok(scene->type->aside_counts(scene->other, scene->view, counts, &error));
    assert_int_equal(counts[VF_ASIDE_NONE], 0);
    assert_int_equal(counts[VF_ASIDE_HELD], held);
    assert_int_equal(counts[VF_ASIDE_GAP], gap);
    assert_int_equal(counts[VF_ASIDE_PARKED], parked);
    for (enum vf_aside_state state = VF_ASIDE_HELD; state < VF_ASIDE_STATES; state++) {
        size_t count;
        in_state(scene, state, 1000, &count);
        assert_int_equal(count, counts[state]);
    }
}

/* A record of this state, with nothing in its lists: what they hold is another test's. */
static struct vf_aggregate a_record(const char *aggregate, enum vf_aside_state state)
{
    struct vf_aggregate record = {.aggregate = vf_bytes_from(aggregate), .exists = true, .state = state};
    if (state == VF_ASIDE_PARKED)
        return a_parked(aggregate, 0, 1);
    if (state == VF_ASIDE_HELD)
        return a_waiting(aggregate, 0, 1);
    if (state == VF_ASIDE_GAP) {
        record.early_count = 2;
        record.early_from = 7;
        record.early_last = 9;
        record.since_ms = 1772359200000;
    } else {
        record.has_version = true;
        record.version = 3;
    }
    return record;
}

static void must_be(struct scene *scene, const char *aggregate, enum vf_aside_state state)
{
    struct vf_aggregate base = load_aggregate(scene, aggregate), next = a_record(aggregate, state);
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, next);
    draft_must_commit(&draft);
    struct vf_aggregate read = load_aggregate(scene, aggregate);
    next.stamp = draft.stamp;
    assert_same_aggregate(&read, &next);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Which names of a sorted list are in this state, where the i-th is in state (i * step) % 4. */
static const char **every(struct scene *scene, const char **names, size_t count, size_t step, enum vf_aside_state state,
                          size_t *ret_count)
{
    const char **some = vf_arena_calloc(scene->arena, count, sizeof(*some));
    *ret_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i * step % VF_ASIDE_STATES == (size_t)state)
            some[(*ret_count)++] = names[i];
    }
    return some;
}

static void aggregates_of_a_state_are_listed_in_the_order_of_their_bytes(void **state)
{
    struct scene *scene = *state;
    size_t count, some_count;
    const char **names = hostile_names(scene, &count);
    for (size_t i = 0; i < count; i++)
        names[i] = vf_arena_printf(scene->arena, i % 5 ? "order/%s" : VF_UNREADABLE_PREFIX "%s", names[i]).data;
    struct draft draft = draft_new(scene), again = draft_new(scene);
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = count; i-- > 0;)
        draft_write_aggregate(&draft, NULL, a_record(names[i], (enum vf_aside_state)(i % VF_ASIDE_STATES)));
    draft_must_commit(&draft);
    for (enum vf_aside_state one = VF_ASIDE_HELD; one < VF_ASIDE_STATES; one++) {
        const char **some = every(scene, names, count, 1, one, &some_count);
        assert_in_state(scene, one, some, some_count);
    }
    /* All move on at once, or stay. */
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < count; i++)
        draft_write_aggregate(&again, &picture.aggregates[count - 1 - i],
                              a_record(names[i], (enum vf_aside_state)(i * 3 % VF_ASIDE_STATES)));
    draft_must_commit(&again);
    for (enum vf_aside_state one = VF_ASIDE_HELD; one < VF_ASIDE_STATES; one++) {
        const char **some = every(scene, names, count, 3, one, &some_count);
        assert_in_state(scene, one, some, some_count);
    }
}

static void a_page_begins_behind_what_is_not_there(void **state)
{
    struct scene *scene = *state;
    static const char *const afters[] = {"order/b", "order/", "order/b ", "order/c", "a", "zzz", "order/bb\x01"};
    static const char *const firsts[] = {"order/bb", "order/b", "order/bb", NULL, "order/b", NULL, NULL};
    must_be(scene, "order/b", VF_ASIDE_PARKED);
    must_be(scene, "order/bb", VF_ASIDE_PARKED);
    must_be(scene, "order/a", VF_ASIDE_GAP);
    for (size_t i = 0; i < sizeof(afters) / sizeof(afters[0]); i++) {
        struct vf_error error = {0};
        struct vf_bytes *page;
        size_t count;
        assert_ok(scene->type->aside_aggregates(scene->other, scene->view, VF_ASIDE_PARKED, vf_bytes_from(afters[i]), 1,
                                                scene->arena, &page, &count, &error));
        assert_int_equal(count, firsts[i] != NULL);
        assert_true(!count || vf_bytes_is(page[0], firsts[i]));
    }
}

static void a_change_of_state_moves_an_aggregate(void **state)
{
    struct scene *scene = *state;
    int64_t counts[VF_ASIDE_STATES];
    assert_counts(scene, 0, 0, 0);
    must_be(scene, "order/2", VF_ASIDE_GAP);
    for (enum vf_aside_state from = VF_ASIDE_NONE; from < VF_ASIDE_STATES; from++) {
        for (enum vf_aside_state to = VF_ASIDE_NONE; to < VF_ASIDE_STATES; to++) {
            must_be(scene, "order/1", from);
            must_be(scene, "order/1", to);
            memset(counts, 0, sizeof(counts));
            counts[VF_ASIDE_GAP]++;
            counts[to]++;
            assert_counts(scene, counts[VF_ASIDE_HELD], counts[VF_ASIDE_GAP], counts[VF_ASIDE_PARKED]);
        }
    }
}

static void a_state_changes_only_if_its_commit_went_through(void **state)
{
    struct scene *scene = *state;
    must_be(scene, "order/1", VF_ASIDE_PARKED);
    struct vf_aggregate base = load_aggregate(scene, "order/1");
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, a_record("order/1", VF_ASIDE_NONE));
    draft_write_aggregate(&draft, NULL, a_record("order/2", VF_ASIDE_GAP));
    draft_drop(&draft, (struct vf_dropped){.aggregate = VF_LITERAL("order/1"), .missing_from = 1, .missing_to = 2});
    draft_progress(&draft, "orders", 0, a_progress(5), a_progress(6));
    struct picture before = picture_take(scene, &draft);
    assert_int_equal(draft_send(&draft, scene->store), VF_CONFLICT);
    struct picture after = picture_take(scene, &draft);
    assert_same_picture(&before, &after);
    assert_counts(scene, 0, 0, 1);
    draft.progress_count = 0;
    scene_freeze(scene, true);
    assert_int_equal(draft_send(&draft, scene->store), VF_FROZEN);
    assert_counts(scene, 0, 0, 1);
    scene_freeze(scene, false);
    draft_must_commit(&draft);
    assert_counts(scene, 0, 1, 0);
}

static void a_consulted_record_keeps_its_state(void **state)
{
    struct scene *scene = *state;
    must_be(scene, "order/1", VF_ASIDE_PARKED);
    struct vf_aggregate base = load_aggregate(scene, "order/1");
    struct draft draft = draft_new(scene);
    draft_consult_aggregate(&draft, VF_CONSULT, "order/1", &base);
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    assert_counts(scene, 0, 0, 1);
    struct vf_aggregate read = load_aggregate(scene, "order/1");
    read.stamp = base.stamp;
    assert_same_aggregate(&read, &base);
}

static void another_view_has_its_own_states_and_decisions(void **state)
{
    struct scene *scene = *state;
    const char *mine = scene->name, *others = vf_arena_printf(scene->arena, "%s_1", scene->name).data;
    struct draft draft = draft_new(scene);
    size_t count;
    must_be(scene, "order/1", VF_ASIDE_PARKED);
    draft_drop(&draft, (struct vf_dropped){.aggregate = VF_LITERAL("order/1"), .missing_from = 1, .missing_to = 2});
    draft_must_commit(&draft);
    scene_prepare(scene, others);
    scene->view.name = others;
    assert_counts(scene, 0, 0, 0);
    scene_load_dropped(scene, 0, 10, &count);
    assert_int_equal(count, 0);
    must_be(scene, "order/1", VF_ASIDE_HELD);
    scene->view.name = mine;
    assert_counts(scene, 0, 0, 1);
    scene_load_dropped(scene, 0, 10, &count);
    assert_int_equal(count, 1);
}

/* ---- records that go ---- */

static void a_removed_record_is_gone_from_everywhere(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene), going = draft_new(scene);
    struct vf_aggregate record = a_parked("order/1", 3, 5);
    record.draining = true;
    draft_write_aggregate(&draft, NULL, record);
    draft_aside(&draft, scene_aside(scene, "order/1", 3, 100));
    draft_aside(&draft, scene_aside(scene, "order/1", 4, 101));
    draft_write_aggregate(&draft, NULL, a_parked("order/2", 0, 1));
    draft_must_commit(&draft);
    struct vf_aggregate base = load_aggregate(scene, "order/1");
    draft_remove_aggregate(&going, &base);
    draft_take(&going, &draft.asides[0]);
    draft_take(&going, &draft.asides[1]);
    draft_progress(&going, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&going);
    assert_false(load_aggregate(scene, "order/1").exists);
    assert_true(load_aggregate(scene, "order/2").exists);
    assert_same_list(scene, "order/1", NULL, 0);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 0);
    assert_counts(scene, 0, 0, 1);
    struct vf_error error = {0};
    struct vf_bytes *draining;
    size_t count;
    assert_ok(scene->type->draining(scene->other, scene->view, 10, scene->arena, &draining, &count, &error));
    assert_int_equal(count, 0);
    /* It may come again, and its places begin anew. */
    scene_fill_list(scene, "order/1", 200, 2);
    assert_counts(scene, 1, 0, 1);
}

/* Who took the record for what it is no more removes nothing, and who took it for there notices that it went. */
static void a_removal_is_under_the_same_condition(void **state)
{
    struct scene *scene = *state;
    must_be(scene, "order/1", VF_ASIDE_HELD);
    struct vf_aggregate old = load_aggregate(scene, "order/1");
    must_be(scene, "order/1", VF_ASIDE_PARKED);
    struct vf_aggregate base = load_aggregate(scene, "order/1");
    struct draft late = draft_new(scene), going = draft_new(scene), again = draft_new(scene);
    draft_remove_aggregate(&late, &old);
    assert_int_equal(draft_send(&late, scene->store), VF_CONFLICT);
    assert_counts(scene, 0, 0, 1);
    draft_remove_aggregate(&going, &base);
    draft_must_commit(&going);
    assert_counts(scene, 0, 0, 0);
    assert_int_equal(draft_send(&going, scene->store), VF_CONFLICT);
    struct draft consulting = draft_new(scene);
    draft_consult_aggregate(&consulting, VF_CONSULT, "order/1", &base);
    draft_write(&consulting, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    assert_int_equal(draft_send(&consulting, scene->store), VF_CONFLICT);
    draft_write_aggregate(&again, &base, a_record("order/1", VF_ASIDE_GAP));
    assert_int_equal(draft_send(&again, scene->store), VF_CONFLICT);
    assert_counts(scene, 0, 0, 0);
    must_be(scene, "order/1", VF_ASIDE_GAP);
    assert_counts(scene, 0, 1, 0);
}

/* A record that came and went within one batch: nothing was there, and nothing is. */
static void what_never_was_may_be_removed(void **state)
{
    struct scene *scene = *state;
    struct vf_aggregate nothing = {.aggregate = VF_LITERAL("order/1")};
    struct draft draft = draft_new(scene);
    draft_remove_aggregate(&draft, &nothing);
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    assert_false(load_aggregate(scene, "order/1").exists);
    must_be(scene, "order/1", VF_ASIDE_PARKED);
    struct draft late = draft_new(scene);
    draft_remove_aggregate(&late, &nothing);
    assert_int_equal(draft_send(&late, scene->store), VF_CONFLICT);
    assert_counts(scene, 0, 0, 1);
}

/* ---- lists of one aggregate ---- */

static void the_lists_of_an_aggregate_stay_apart(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++) {
        const char *aggregate = vf_arena_printf(scene->arena, "order/%s", names[i]).data;
        struct vf_aggregate record = a_parked(aggregate, 5, 6);
        record.waiters_from = 5;
        record.waiters_to = 6;
        record.early_count = 1;
        record.early_from = record.early_last = 5;
        draft_write_aggregate(&draft, NULL, record);
        for (enum vf_list list = VF_LIST_OWN; list <= VF_LIST_EARLY; list++) {
            struct vf_aside aside = scene_aside(scene, scene_list(scene, list, aggregate), 5, (int64_t)(i * 3 + list));
            aside.aggregate = list == VF_LIST_WAITERS ? VF_LITERAL("card/1") : vf_bytes_from(aggregate);
            draft_aside(&draft, aside);
        }
    }
    draft_must_commit(&draft);
    for (size_t i = 0; i < draft.aside_count; i++) {
        const char *list = vf_arena_copy(scene->arena, draft.asides[i].list).data;
        assert_same_list(scene, list, &draft.asides[i], 1);
        assert_string_equal(scene_list_at(scene, "orders", 0, (int64_t)i), list);
    }
    assert_int_equal(scene_load_total(scene, "orders", 0).count, draft.aside_count);
}

static void early_events_stand_at_their_numbers(void **state)
{
    struct scene *scene = *state;
    static const int64_t numbers[] = {3, 7, 8, 1000, 9007199254740993, INT64_MAX - 1, INT64_MAX};
    enum { COUNT = sizeof(numbers) / sizeof(numbers[0]) };
    const char *list = scene_list(scene, VF_LIST_EARLY, "order/1");
    struct vf_aside asides[COUNT];
    struct draft draft = draft_new(scene);
    struct vf_aggregate record = {.aggregate = VF_LITERAL("order/1"),
                                  .exists = true,
                                  .early_count = COUNT,
                                  .early_from = 3,
                                  .early_last = INT64_MAX,
                                  .state = VF_ASIDE_GAP};
    draft_write_aggregate(&draft, NULL, record);
    for (int i = COUNT - 1; i >= 0; i--) {
        asides[i] = scene_aside(scene, list, numbers[i], 100 + i);
        asides[i].aggregate = VF_LITERAL("order/1");
        draft_aside(&draft, asides[i]);
    }
    draft_must_commit(&draft);
    assert_same_list(scene, list, asides, COUNT);
    size_t count;
    struct vf_aside *part = scene_load_part(scene, list, 8, 2, SIZE_MAX / 2, &count); /* from the middle on */
    assert_int_equal(count, 2);
    assert_same_aside(&part[0], &asides[2]);
    assert_same_aside(&part[1], &asides[3]);
    part = scene_load_part(scene, list, 9, 1, SIZE_MAX / 2, &count); /* in a hole */
    assert_same_aside(&part[0], &asides[3]);

    /* One in the middle goes, one comes between, and the first is to be taken in: it goes to the aggregate's own list. */
    struct vf_aggregate base = load_aggregate(scene, "order/1"), next = base;
    struct draft second = draft_new(scene);
    struct vf_aside between = scene_aside(scene, list, 500, 500), own = asides[0];
    own.list = VF_LITERAL("order/1");
    own.place = 0;
    next.aside_to = 1;
    next.has_seen = true;
    next.seen = 3;
    next.early_count = COUNT - 1;
    next.early_from = 7;
    draft_write_aggregate(&second, &base, next);
    draft_take(&second, &asides[2]);
    draft_take(&second, &asides[0]);
    draft_aside(&second, between);
    draft_aside(&second, own);
    draft_must_commit(&second);
    asides[2] = between;
    assert_same_list(scene, list, asides + 1, COUNT - 1);
    assert_same_list(scene, "order/1", &own, 1);
    assert_string_equal(scene_list_at(scene, "orders", 0, 100), "order/1");
    assert_null(scene_list_at(scene, "orders", 0, 102));
    assert_string_equal(scene_list_at(scene, "orders", 0, 101), list);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, COUNT);
}

/* What says a link comes before the events that wait for it: each of these goes one place on, to where another has just left. */
static void events_of_a_list_change_places(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 4 };
    struct vf_aside asides[COUNT], moved[COUNT];
    struct draft draft = draft_new(scene), second = draft_new(scene);
    draft_write_aggregate(&draft, NULL, a_parked("order/1", 5, 5 + COUNT));
    for (int i = 0; i < COUNT; i++) {
        asides[i] = scene_aside(scene, "order/1", 5 + i, 100 + i);
        asides[i].aggregate = VF_LITERAL("order/1");
        draft_aside(&draft, asides[i]);
    }
    draft_must_commit(&draft);
    struct vf_aggregate base = load_aggregate(scene, "order/1");
    draft_write_aggregate(&second, &base, base);
    for (int i = 0; i < COUNT - 1; i++) { /* the last but one comes first */
        moved[i] = asides[(i + COUNT - 2) % (COUNT - 1)];
        moved[i].place = 5 + i;
        draft_take(&second, &asides[i]);
        draft_aside(&second, moved[i]);
    }
    moved[COUNT - 1] = asides[COUNT - 1];
    draft_must_commit(&second);
    assert_same_list(scene, "order/1", moved, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(scene_list_at(scene, "orders", 0, 100 + i), "order/1");
    assert_int_equal(scene_load_total(scene, "orders", 0).count, COUNT);
}

/* ---- decisions ---- */

static void decisions_come_back_in_order(void **state)
{
    struct scene *scene = *state;
    struct draft all = draft_new(scene); /* only to gather them */
    size_t names_count, count;
    const char **names = hostile_names(scene, &names_count);
    scene_load_dropped(scene, 0, 10, &count);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < names_count; i++) {
        struct vf_bytes aggregate = vf_arena_printf(scene->arena, "order/%s", names[names_count - 1 - i]);
        struct vf_dropped event = {.aggregate = aggregate,
                                   .partition = {i % 2 ? "orders" : "orders.v2", (int32_t)i},
                                   .offset = i ? (int64_t)i * 1000 : INT64_MAX - 1,
                                   .timestamp_ms = i ? 1772359200000 - (int64_t)i : -1,
                                   .identity = i == 1 ? UINT64_MAX : i % 4, /* 0: none */
                                   .dropped_ms = 1772359200000 + (int64_t)i,
                                   .error = vf_bytes_from(i % 3 ? names[i] : "")};
        struct vf_dropped numbers = {.aggregate = aggregate,
                                     .missing_from = i ? (int64_t)i : 9007199254740993,
                                     .missing_to = i ? (int64_t)i * 2 : INT64_MAX,
                                     .dropped_ms = 1772359200000 - (int64_t)i};
        draft_drop(&all, event);
        draft_drop(&all, numbers);
    }
    for (size_t i = 0; i < all.dropped_count;) { /* one in the first commit, two in the second ... */
        struct draft draft = draft_new(scene);
        for (size_t n = 0, of = i; n <= of && i < all.dropped_count; n++)
            draft_drop(&draft, all.dropped[i++]);
        draft_must_commit(&draft);
    }
    static const size_t pages[] = {1, 5, 1000};
    for (size_t p = 0; p < sizeof(pages) / sizeof(pages[0]); p++) {
        for (size_t first = 0; first < all.dropped_count; first += count) {
            struct vf_dropped *page = scene_load_dropped(scene, first, pages[p], &count);
            assert_int_equal(count, all.dropped_count - first < pages[p] ? all.dropped_count - first : pages[p]);
            for (size_t i = 0; i < count; i++)
                assert_same_dropped(&page[i], &all.dropped[first + i]);
        }
        scene_load_dropped(scene, all.dropped_count, pages[p], &count);
        assert_int_equal(count, 0);
        scene_load_dropped(scene, all.dropped_count + 5, pages[p], &count);
        assert_int_equal(count, 0);
    }
}

static void many_decisions_in_one_commit(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 2500 };
    struct draft draft = draft_new(scene);
    size_t count;
    for (int i = 0; i < COUNT; i++)
        draft_drop(&draft, (struct vf_dropped){.aggregate = vf_arena_printf(scene->arena, "order/%d", i),
                                               .partition = {"orders", 0},
                                               .offset = i,
                                               .dropped_ms = 1772359200000,
                                               .error = VF_LITERAL("why")});
    draft_must_commit(&draft);
    struct vf_dropped *dropped = scene_load_dropped(scene, 0, 2 * COUNT, &count);
    assert_int_equal(count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_same_dropped(&dropped[i], &draft.dropped[i]);
    dropped = scene_load_dropped(scene, COUNT - 1, 10, &count);
    assert_int_equal(count, 1);
    assert_same_dropped(&dropped[0], &draft.dropped[COUNT - 1]);
}

/* With all else that a drop is: the event leaves its list, its record goes, progress is not concerned. */
static void a_decision_is_in_the_same_step_as_what_it_does(void **state)
{
    struct scene *scene = *state;
    struct draft parking = draft_new(scene), dropping = draft_new(scene);
    draft_write_aggregate(&parking, NULL, a_parked("order/1", 0, 1));
    draft_aside(&parking, scene_aside(scene, "order/1", 0, 100));
    draft_must_commit(&parking);
    struct vf_aggregate base = load_aggregate(scene, "order/1");
    draft_remove_aggregate(&dropping, &base);
    draft_take(&dropping, &parking.asides[0]);
    draft_drop(&dropping, (struct vf_dropped){.aggregate = base.aggregate,
                                              .partition = parking.asides[0].partition,
                                              .offset = 100,
                                              .dropped_ms = 1772359200000,
                                              .error = base.failure.error});
    draft_must_commit(&dropping);
    assert_int_equal(draft_send(&dropping, scene->store), VF_CONFLICT); /* a second operator */
    size_t count;
    struct vf_dropped *dropped = scene_load_dropped(scene, 0, 10, &count);
    assert_int_equal(count, 1);
    assert_same_dropped(dropped, dropping.dropped);
    assert_counts(scene, 0, 0, 0);
}

int contract_parking_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(aggregates_of_a_state_are_listed_in_the_order_of_their_bytes),
        SCENE_TEST(a_page_begins_behind_what_is_not_there),
        SCENE_TEST(a_change_of_state_moves_an_aggregate),
        SCENE_TEST(a_state_changes_only_if_its_commit_went_through),
        SCENE_TEST(a_consulted_record_keeps_its_state),
        SCENE_TEST(another_view_has_its_own_states_and_decisions),
        SCENE_TEST(a_removed_record_is_gone_from_everywhere),
        SCENE_TEST(a_removal_is_under_the_same_condition),
        SCENE_TEST(what_never_was_may_be_removed),
        SCENE_TEST(the_lists_of_an_aggregate_stay_apart),
        SCENE_TEST(early_events_stand_at_their_numbers),
        SCENE_TEST(events_of_a_list_change_places),
        SCENE_TEST(decisions_come_back_in_order),
        SCENE_TEST(many_decisions_in_one_commit),
        SCENE_TEST(a_decision_is_in_the_same_step_as_what_it_does),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
