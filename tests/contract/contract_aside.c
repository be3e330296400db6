/*
 * The contract suite: lists of events that are set aside. They come and go only with their record, whole or not at all, and
 * can be found by list, by partition and by offset.
 */
#include "contract/scene.h"

/* Takes the first of a list, `count` of them, and leaves the record as it is then. */
static struct draft take_first(struct scene *scene, const char *list, size_t count)
{
    struct vf_aggregate base = load_aggregate(scene, list);
    size_t there;
    struct vf_aside *asides = scene_load_list(scene, list, &there);
    assert_true(there >= count);
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, a_waiting(list, base.aside_from + (int64_t)count, base.aside_to));
    for (size_t i = 0; i < count; i++)
        draft_take(&draft, &asides[i]);
    return draft;
}

/* Adds `count` events behind what is there, of orders/0 from this offset on. */
static struct draft add_behind(struct scene *scene, const char *list, int64_t first_offset, int64_t count)
{
    struct vf_aggregate base = load_aggregate(scene, list);
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, a_waiting(list, base.aside_from, base.aside_to + count));
    for (int64_t i = 0; i < count; i++)
        draft_aside(&draft, scene_aside(scene, list, base.aside_to + i, first_offset + i));
    return draft;
}

/* The offsets of a whole list, in order, are these. */
static void assert_offsets(struct scene *scene, const char *list, const int64_t *wanted, size_t wanted_count)
{
    size_t count;
    struct vf_aside *asides = scene_load_list(scene, list, &count);
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(asides[i].offset, wanted[i]);
}

/* ---- what comes back ---- */

static void what_is_set_aside_comes_back_in_order(void **state)
{
    struct scene *scene = *state;
    struct vf_aside asides[4];
    for (int64_t i = 0; i < 4; i++)
        asides[i] = scene_aside(scene, "account/9", 9007199254740993 + i, 100 - i);
    asides[1].aggregate = VF_LITERAL("card/1"); /* of another aggregate, another topic, with any bytes */
    asides[1].partition = (struct vf_partition){"cards.v2", 1000};
    asides[1].offset = 9007199254740993;
    asides[1].record = all_bytes(scene, 3000);
    asides[2].record = VF_LITERAL("\0");
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, NULL, a_waiting("account/9", asides[0].place, asides[3].place + 1));
    static const int order[] = {2, 0, 3, 1}; /* in whichever order they are handed over */
    for (int i = 0; i < 4; i++)
        draft_aside(&draft, asides[order[i]]);
    draft_must_commit(&draft);
    assert_same_list(scene, "account/9", asides, 4);
    struct vf_aggregate read = load_aggregate(scene, "account/9"), wanted = draft.aggregates[0].next;
    wanted.stamp = draft.stamp;
    assert_same_aggregate(&read, &wanted);
    scene_reopen(scene, &scene->other);
    assert_same_list(scene, "account/9", asides, 4);
}

static void lists_of_hostile_names_come_back_and_stay_apart(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++) {
        const char *list = vf_arena_printf(scene->arena, "order/%s", names[i]).data;
        draft_write_aggregate(&draft, NULL, a_waiting(list, 0, 2));
        for (int64_t place = 0; place < 2; place++) {
            struct vf_aside aside = scene_aside(scene, list, place, (int64_t)i * 2 + place);
            aside.aggregate = vf_arena_printf(scene->arena, "card/%s", names[count - 1 - i]);
            draft_aside(&draft, aside);
        }
    }
    draft_must_commit(&draft);
    for (size_t i = 0; i < count; i++) {
        const char *list = draft.aggregates[i].next.aggregate.data;
        assert_same_list(scene, list, &draft.asides[i * 2], 2);
        assert_string_equal(scene_list_at(scene, "orders", 0, (int64_t)i * 2 + 1), list);
    }
    assert_int_equal(scene_load_total(scene, "orders", 0).count, count * 2);
    struct draft taking = take_first(scene, "order/a", 2);
    draft_must_commit(&taking);
    for (size_t i = 0; i < count; i++) {
        const char *list = draft.aggregates[i].next.aggregate.data;
        assert_same_list(scene, list, &draft.asides[i * 2], strcmp(list, "order/a") == 0 ? 0 : 2);
    }
}

static void a_list_comes_in_parts_of_count_and_bytes(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 60, BYTES = 1000 };
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, NULL, a_waiting("account/9", 5, 5 + COUNT));
    for (int i = 0; i < COUNT; i++) {
        struct vf_aside aside = scene_aside(scene, "account/9", 5 + i, i);
        aside.record = all_bytes(scene, BYTES);
        draft_aside(&draft, aside);
    }
    draft_must_commit(&draft);
    static const struct {
        size_t count, bytes_max;
    } parts[] = {{7, 1000000}, {1, 1000000}, {COUNT, 1000000}, {1000, 1}, {1000, 3500}, {2, 3500}, {1000, BYTES}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int64_t place = 0;
        size_t seen = 0, count;
        while (seen < COUNT) {
            struct vf_aside *asides =
                scene_load_part(scene, "account/9", place, parts[i].count, parts[i].bytes_max, &count);
            assert_in_range(count, 1, parts[i].count);
            assert_true(count * BYTES < parts[i].bytes_max + BYTES + 1);
            for (size_t a = 0; a < count; a++)
                assert_same_aside(&asides[a], &draft.asides[seen++]);
            place = asides[count - 1].place + 1;
        }
        scene_load_part(scene, "account/9", place, parts[i].count, parts[i].bytes_max, &count);
        assert_int_equal(count, 0);
    }
    size_t count;
    scene_load_part(scene, "account/9", 0, COUNT, (size_t)COUNT * BYTES,
                    &count); /* all of it, where all of it may be */
    assert_int_equal(count, COUNT);
}

static void what_is_not_there_is_empty(void **state)
{
    struct scene *scene = *state;
    size_t count = 9;
    assert_same_list(scene, "account/9", NULL, 0);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 0);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, 0);
    assert_null(scene_list_at(scene, "orders", 0, 0));
    scene_fill_list(scene, "account/9", 100, 3);
    assert_same_list(scene, "account/90", NULL, 0);
    scene_load_part(scene, "account/9", 3, 10, 1000, &count);
    assert_int_equal(count, 0);
    assert_null(scene_list_at(scene, "orders", 0, 99));
    assert_null(scene_list_at(scene, "orders", 0, 103));
    assert_null(scene_list_at(scene, "orders", 1, 100));
    assert_null(scene_list_at(scene, "order", 0, 100));
}

/* ---- coming and going ---- */

static void events_are_taken_and_places_go_on(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 5);
    struct draft first = take_first(scene, "account/9", 2);
    draft_must_commit(&first);
    static const int64_t left[] = {102, 103, 104}, later[] = {104, 200, 201};
    assert_offsets(scene, "account/9", left, 3);
    struct draft rest = take_first(scene, "account/9", 3);
    draft_must_commit(&rest);
    assert_offsets(scene, "account/9", NULL, 0);
    assert_int_equal(load_aggregate(scene, "account/9").aside_from, 5);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 0);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, 0);
    assert_null(scene_list_at(scene, "orders", 0, 100));

    struct draft again = add_behind(scene, "account/9", 104, 1); /* what was taken may be set aside again */
    draft_must_commit(&again);
    struct draft more = add_behind(scene, "account/9", 200, 2);
    draft_must_commit(&more);
    assert_offsets(scene, "account/9", later, 3);
    assert_int_equal(load_aggregate(scene, "account/9").aside_to, 8);
}

/* As a list that is drained in parts while later events come. */
static void one_commit_takes_from_the_front_and_adds_behind(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 4);
    for (int64_t round = 0; round < 4; round++) {
        struct draft draft = take_first(scene, "account/9", 2);
        struct vf_aggregate *record = &draft.aggregates[0].next;
        record->draining = true;
        for (int64_t i = 0; i < 2; i++)
            draft_aside(&draft, scene_aside(scene, "account/9", record->aside_to + i, 200 + round * 2 + i));
        record->aside_to += 2;
        draft_must_commit(&draft);
        assert_int_equal(scene_load_total(scene, "orders", 0).count, 4);
    }
    static const int64_t left[] = {204, 205, 206, 207};
    assert_offsets(scene, "account/9", left, 4);
}

static void one_commit_takes_from_one_list_and_adds_to_another(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 3);
    scene_fill_list(scene, "card/1", 200, 1);
    struct draft draft = take_first(scene, "account/9", 3);
    struct vf_aggregate card = load_aggregate(scene, "card/1");
    draft_write_aggregate(&draft, &card, a_waiting("card/1", 0, 3));
    draft_aside(&draft, scene_aside(scene, "card/1", 1, 300));
    draft_aside(&draft, scene_aside(scene, "card/1", 2, 301));
    draft_write_aggregate(&draft, NULL, a_waiting("card/2", 0, 1));
    draft_aside(&draft, scene_aside(scene, "card/2", 0, 302));
    draft_write(&draft, NULL, a_document("4b", 3, a_body(scene, "n", 1)));
    draft_must_commit(&draft);
    static const int64_t first[] = {200, 300, 301}, second[] = {302};
    assert_offsets(scene, "account/9", NULL, 0);
    assert_offsets(scene, "card/1", first, 3);
    assert_offsets(scene, "card/2", second, 1);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 4);
    assert_null(scene_list_at(scene, "orders", 0, 101));
    assert_string_equal(scene_list_at(scene, "orders", 0, 301), "card/1");
    assert_int_equal(load_document(scene, "4b").revision, 3);
}

/* As an event that was held for an account's link, and now has to wait for its own. */
static void an_event_goes_from_one_list_to_another(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 3);
    scene_fill_list(scene, "card/1", 200, 1);
    struct vf_aside_total before = scene_load_total(scene, "orders", 0);
    struct vf_aggregate card = load_aggregate(scene, "card/1");
    size_t count;
    struct vf_aside *asides = scene_load_list(scene, "account/9", &count);
    struct draft draft = take_first(scene, "account/9", 2);
    draft_write_aggregate(&draft, &card, a_waiting("card/1", 0, 3));
    for (int64_t i = 0; i < 2; i++) {
        asides[i].list = VF_LITERAL("card/1");
        asides[i].place = 1 + i;
        draft_aside(&draft, asides[i]);
    }
    struct draft conflict = draft;
    draft_progress(&conflict, "orders", 0, a_progress(5), a_progress(6));
    assert_int_equal(draft_send(&conflict, scene->store), VF_CONFLICT);
    assert_string_equal(scene_list_at(scene, "orders", 0, 100), "account/9");
    draft_must_commit(&draft);
    static const int64_t left[] = {102}, moved[] = {200, 100, 101};
    assert_offsets(scene, "account/9", left, 1);
    assert_offsets(scene, "card/1", moved, 3);
    assert_string_equal(scene_list_at(scene, "orders", 0, 100), "card/1");
    assert_string_equal(scene_list_at(scene, "orders", 0, 101), "card/1");
    assert_string_equal(scene_list_at(scene, "orders", 0, 102), "account/9");
    assert_int_equal(scene_load_total(scene, "orders", 0).count, before.count);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, before.bytes);
}

static void a_record_that_is_written_or_consulted_keeps_its_list(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 3);
    struct vf_aggregate base = load_aggregate(scene, "account/9"), linked = a_link("account/9", "4b", 7);
    linked.aside_to = 3;
    linked.draining = true;
    struct draft writing = draft_new(scene), consulting = draft_new(scene);
    draft_write_aggregate(&writing, &base, linked);
    draft_must_commit(&writing);
    base = load_aggregate(scene, "account/9");
    draft_consult_aggregate(&consulting, VF_CONSULT, "account/9", &base);
    draft_progress(&consulting, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&consulting);
    static const int64_t offsets[] = {100, 101, 102};
    assert_offsets(scene, "account/9", offsets, 3);
    struct vf_aggregate read = load_aggregate(scene, "account/9");
    read.stamp = base.stamp;
    assert_same_aggregate(&read, &base);
}

static void many_events_in_many_lists_in_one_commit(void **state)
{
    struct scene *scene = *state;
    enum { LISTS = 40, EACH = 50, BYTES = 400 };
    struct draft draft = draft_new(scene);
    for (int list = 0; list < LISTS; list++) {
        const char *name = vf_arena_printf(scene->arena, "account/%d", list).data;
        draft_write_aggregate(&draft, NULL, a_waiting(name, 0, EACH));
        for (int i = 0; i < EACH; i++) {
            struct vf_aside aside = scene_aside(scene, name, i, list * EACH + i);
            aside.record = all_bytes(scene, BYTES);
            draft_aside(&draft, aside);
        }
    }
    draft_must_commit(&draft);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, LISTS * EACH);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, LISTS * EACH * BYTES);
    struct draft all = draft_new(scene);
    for (int list = 0; list < LISTS; list++) {
        const char *name = draft.aggregates[list].next.aggregate.data;
        assert_same_list(scene, name, &draft.asides[list * EACH], EACH);
        struct draft one = take_first(scene, name, EACH);
        struct vf_aggregate base = {
            .exists = true, .stamp = one.aggregates[0].base_stamp, .state = one.aggregates[0].base_state};
        draft_write_aggregate(&all, &base, one.aggregates[0].next);
        for (int i = 0; i < EACH; i++)
            draft_take(&all, &one.taken[i]);
    }
    draft_must_commit(&all);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 0);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, 0);
    assert_same_list(scene, "account/0", NULL, 0);
    assert_same_list(scene, "account/39", NULL, 0);
}

/* ---- conditions ---- */

/* Sends it; nothing of it may have happened. */
static void assert_nothing_of(struct scene *scene, const struct draft *draft, enum vf_outcome wanted)
{
    struct picture before = picture_take(scene, draft);
    struct vf_aside_total total = scene_load_total(scene, "orders", 0);
    assert_int_equal(draft_send(draft, scene->store), wanted);
    struct picture after = picture_take(scene, draft);
    assert_same_picture(&before, &after);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, total.count);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, total.bytes);
    for (size_t i = 0; i < draft->aside_count; i++)
        assert_null(scene_list_at(scene, "orders", 0, draft->asides[i].offset));
    for (size_t i = 0; i < draft->taken_count; i++)
        assert_non_null(scene_list_at(scene, "orders", 0, draft->taken[i].offset));
}

static void of_two_that_append_at_one_place_the_second_conflicts(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 2);
    struct draft first = add_behind(scene, "account/9", 200, 1), second = add_behind(scene, "account/9", 300, 1);
    draft_must_commit(&first);
    assert_nothing_of(scene, &second, VF_CONFLICT);
    struct draft again = add_behind(scene, "account/9", 300, 1);
    draft_must_commit(&again);
    static const int64_t offsets[] = {100, 101, 200, 300};
    assert_offsets(scene, "account/9", offsets, 4);
}

static void of_two_that_make_a_list_the_second_conflicts(void **state)
{
    struct scene *scene = *state;
    struct draft first = add_behind(scene, "account/9", 200, 1), second = add_behind(scene, "account/9", 300, 1);
    draft_must_commit(&first);
    assert_nothing_of(scene, &second, VF_CONFLICT);
}

/* A drains while B appends, and the other way round: one of them has not seen all of it. */
static void taking_and_appending_at_once_conflict(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 2);
    struct draft taking = take_first(scene, "account/9", 2), appending = add_behind(scene, "account/9", 200, 1);
    draft_must_commit(&appending);
    assert_nothing_of(scene, &taking, VF_CONFLICT);
    struct draft all = take_first(scene, "account/9", 3);
    appending = add_behind(scene, "account/9", 300, 1);
    draft_must_commit(&all);
    assert_nothing_of(scene, &appending, VF_CONFLICT);
    struct draft twice = take_first(scene, "account/9", 0), first = add_behind(scene, "account/9", 400, 1);
    draft_must_commit(&first);
    assert_nothing_of(scene, &twice, VF_CONFLICT);
}

/* Who follows a link has consulted the record; the one that sets aside in its list must notice, and the other way round. */
static void a_record_that_is_only_consulted_notices_what_comes_into_its_list(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 1);
    struct vf_aggregate base = load_aggregate(scene, "account/9");
    struct draft appending = add_behind(scene, "account/9", 200, 1), consulting = draft_new(scene);
    draft_consult_aggregate(&consulting, VF_CONSULT, "account/9", &base);
    draft_write(&consulting, NULL, a_document("4b", 1, a_body(scene, "n", 1)));
    draft_must_commit(&appending);
    assert_nothing_of(scene, &consulting, VF_CONFLICT);
}

/* Another condition fails: of documents, of another record, of progress. And there is no condition for a frozen generation. */
static void a_list_is_all_or_nothing_with_the_rest(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 3);
    must_write(scene, a_document("4b", 1, a_body(scene, "n", 1)));
    for (int what = 0; what < 5; what++) {
        struct draft draft = take_first(scene, "account/9", 2);
        draft.aggregates[0].next.aside_to++;
        draft_aside(&draft, scene_aside(scene, "account/9", 3, 200));
        draft_write_aggregate(&draft, NULL, a_waiting("card/1", 0, 1));
        draft_aside(&draft, scene_aside(scene, "card/1", 0, 300));
        enum vf_outcome wanted = VF_CONFLICT;
        if (what == 0)
            draft_write(&draft, NULL, a_document("4b", 2, a_body(scene, "n", 2)));
        if (what == 1)
            draft_write_aggregate(&draft, &(struct vf_aggregate){.exists = true, .stamp = 5},
                                  a_link("card/2", "4b", 1));
        if (what == 2)
            draft_progress(&draft, "orders", 0, a_progress(5), a_progress(6));
        if (what == 3)
            wanted = VF_FROZEN;
        if (what == 4) {
            wanted = VF_SUPERSEDED;
            draft.generation_stamp = 77;
        }
        if (what == 3)
            scene_freeze(scene, true);
        assert_nothing_of(scene, &draft, wanted);
        if (what == 3)
            scene_freeze(scene, false);
    }
}

/* ---- by partition and offset ---- */

static void what_is_aside_is_told_by_partition_and_offset(void **state)
{
    struct scene *scene = *state;
    static const struct vf_partition partitions[] = {
        {"orders", 0}, {"orders", 1}, {"orders", 10}, {"orders.v2", 0}, {"orders-1", 0}, {"Orders", 0},
    };
    enum { PARTITIONS = sizeof(partitions) / sizeof(partitions[0]) };
    static const int64_t offsets[] = {0, 1, 10, 9007199254740992, 9007199254740993, INT64_MAX - 1};
    static const char *const lists[] = {"account/1", "account/10 1", "1 account/1"};
    for (int i = 0; i < 3; i++) {
        struct draft draft = draft_new(scene);
        draft_write_aggregate(&draft, NULL, a_waiting(lists[i], 0, 2 * PARTITIONS));
        for (int64_t p = 0; p < PARTITIONS; p++) {
            for (int64_t o = 0; o < 2; o++) {
                struct vf_aside aside = scene_aside(scene, lists[i], 2 * p + o, offsets[i + 3 * o]);
                aside.partition = partitions[p];
                aside.record = all_bytes(scene, (size_t)(100 + p));
                draft_aside(&draft, aside);
            }
        }
        draft_must_commit(&draft);
    }
    for (size_t p = 0; p < PARTITIONS; p++) {
        struct vf_aside_total total = scene_load_total(scene, partitions[p].topic, partitions[p].partition);
        assert_int_equal(total.count, 6);
        assert_int_equal(total.bytes, 6 * (100 + p));
        for (int64_t i = 0; i < 6; i++)
            assert_string_equal(scene_list_at(scene, partitions[p].topic, partitions[p].partition, offsets[i]),
                                lists[i % 3]);
        assert_null(scene_list_at(scene, partitions[p].topic, partitions[p].partition, 100));
        assert_null(scene_list_at(scene, partitions[p].topic, partitions[p].partition, 9007199254740991));
    }
    struct draft draft = take_first(scene, "account/1", 2); /* both of orders/0 */
    draft_must_commit(&draft);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 4);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes, 400);
    assert_int_equal(scene_load_total(scene, "orders", 1).count, 6);
    assert_null(scene_list_at(scene, "orders", 0, offsets[0]));
    assert_null(scene_list_at(scene, "orders", 0, offsets[3]));
    assert_string_equal(scene_list_at(scene, "orders", 0, offsets[4]), lists[1]);
    assert_string_equal(scene_list_at(scene, "orders", 1, offsets[0]), lists[0]);
}

static void another_view_has_its_own_lists(void **state)
{
    struct scene *scene = *state;
    const char *mine = scene->name, *others = vf_arena_printf(scene->arena, "%s_1", scene->name).data;
    scene_prepare(scene, others);
    scene_fill_list(scene, "account/9", 100, 3);
    scene->view.name = others;
    assert_same_list(scene, "account/9", NULL, 0);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 0);
    assert_null(scene_list_at(scene, "orders", 0, 100));
    scene_fill_list(scene, "account/9", 101, 1);
    scene->view.name = mine;
    static const int64_t offsets[] = {100, 101, 102};
    assert_offsets(scene, "account/9", offsets, 3);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, 3);
}

/* ---- draining ---- */

static struct vf_bytes *draining(struct scene *scene, size_t most, size_t *ret_count)
{
    struct vf_error error = {0};
    struct vf_bytes *aggregates;
    assert_ok(scene->type->draining(scene->other, scene->view, most, scene->arena, &aggregates, ret_count, &error));
    return aggregates;
}

static bool drains(struct scene *scene, const char *aggregate)
{
    size_t count;
    struct vf_bytes *aggregates = draining(scene, 1000, &count);
    for (size_t i = 0; i < count; i++) {
        if (vf_bytes_is(aggregates[i], aggregate))
            return true;
    }
    return false;
}

static void set_draining(struct scene *scene, const char *aggregate, bool on)
{
    struct vf_aggregate base = load_aggregate(scene, aggregate), next = base;
    next.draining = on;
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, next);
    draft_must_commit(&draft);
}

static void records_that_drain_are_found(void **state)
{
    struct scene *scene = *state;
    size_t count, names_count;
    const char **names = hostile_names(scene, &names_count);
    draining(scene, 10, &count);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < names_count; i++) {
        names[i] = vf_arena_printf(scene->arena, "order/%s", names[i]).data;
        scene_fill_list(scene, names[i], (int64_t)i, 1);
        if (i % 2)
            set_draining(scene, names[i], true);
    }
    for (size_t i = 0; i < names_count; i++)
        assert_int_equal(drains(scene, names[i]), i % 2);
    draining(scene, 3, &count);
    assert_int_equal(count, 3);
    for (size_t i = 1; i < names_count; i += 4)
        set_draining(scene, names[i], false);
    for (size_t i = 0; i < names_count; i++)
        assert_int_equal(drains(scene, names[i]), i % 4 == 3);
}

static void a_record_drains_only_if_its_commit_went_through(void **state)
{
    struct scene *scene = *state;
    scene_fill_list(scene, "account/9", 100, 1);
    struct vf_aggregate base = load_aggregate(scene, "account/9"), next = base;
    next.draining = true;
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, next);
    draft_progress(&draft, "orders", 0, a_progress(5), a_progress(6));
    assert_int_equal(draft_send(&draft, scene->store), VF_CONFLICT);
    assert_false(drains(scene, "account/9"));
    set_draining(scene, "account/9", true);
    assert_true(drains(scene, "account/9"));
    struct draft last = take_first(scene, "account/9", 1); /* whose record is as a_waiting says: it drains no more */
    last.progress = draft.progress;
    last.progress_count = 1;
    assert_int_equal(draft_send(&last, scene->store), VF_CONFLICT);
    assert_true(drains(scene, "account/9"));
    last.progress_count = 0;
    draft_must_commit(&last);
    assert_false(drains(scene, "account/9"));
}

int contract_aside_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_is_set_aside_comes_back_in_order),
        SCENE_TEST(lists_of_hostile_names_come_back_and_stay_apart),
        SCENE_TEST(a_list_comes_in_parts_of_count_and_bytes),
        SCENE_TEST(what_is_not_there_is_empty),
        SCENE_TEST(events_are_taken_and_places_go_on),
        SCENE_TEST(one_commit_takes_from_the_front_and_adds_behind),
        SCENE_TEST(one_commit_takes_from_one_list_and_adds_to_another),
        SCENE_TEST(an_event_goes_from_one_list_to_another),
        SCENE_TEST(a_record_that_is_written_or_consulted_keeps_its_list),
        SCENE_TEST(many_events_in_many_lists_in_one_commit),
        SCENE_TEST(of_two_that_append_at_one_place_the_second_conflicts),
        SCENE_TEST(of_two_that_make_a_list_the_second_conflicts),
        SCENE_TEST(taking_and_appending_at_once_conflict),
        SCENE_TEST(a_record_that_is_only_consulted_notices_what_comes_into_its_list),
        SCENE_TEST(a_list_is_all_or_nothing_with_the_rest),
        SCENE_TEST(what_is_aside_is_told_by_partition_and_offset),
        SCENE_TEST(another_view_has_its_own_lists),
        SCENE_TEST(records_that_drain_are_found),
        SCENE_TEST(a_record_drains_only_if_its_commit_went_through),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
