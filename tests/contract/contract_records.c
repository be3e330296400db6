/*
 * The contract suite: husks of all kinds, expiry, and aggregate records with all that they know: what was written is what is
 * read, and what is removed is gone.
 */
#include "contract/scene.h"

/* Event times as they may be: the years 1 and 9999, before and at 1970. */
static const int64_t times[] = {1772359200123, 0, -1, -62135596800000, 253402300799999};
enum { TIMES = 5 };

static void write_and_read_back(struct scene *scene, struct vf_document wanted)
{
    must_write(scene, wanted);
    struct vf_document read = load_document(scene, wanted.id.data);
    assert_same_content(&read, &wanted);
}

/* Each kind in the place of each other one, a document with a body among them. */
static void every_presence_comes_back_in_the_place_of_every_other(void **state)
{
    struct scene *scene = *state;
    struct vf_version version = {VF_LITERAL("order/1"), 7, NULL};
    enum { KINDS = 8 };
    struct vf_document kinds[KINDS] = {
        a_document("a", 1, a_body(scene, "n", 1)),
        a_husk("a", 2),
        a_deleted_husk("a", 3, "customer/4b", 1772359200123),
        an_expired_husk("a", 4, 1772359200456),
        with_expiry(a_document("a", 5, a_body(scene, "n", 2)), 1772359200789),
        with_expiry(a_husk("a", 6), 1772359200790),
        with_expiry(a_deleted_husk("a", 7, "order/1", -5), 1772359200791),
        with_expiry(an_expired_husk("a", 8, 0), 1772359200792),
    };
    for (int from = 0; from < KINDS; from++) {
        for (int to = 0; to < KINDS; to++) {
            kinds[from].versions = kinds[to].versions = &version;
            kinds[from].version_count = kinds[to].version_count = 1;
            write_and_read_back(scene, kinds[from]);
            write_and_read_back(scene, kinds[to]);
        }
    }
    scene_reopen(scene, &scene->other);
    struct vf_document read = load_document(scene, "a");
    assert_same_content(&read, &kinds[KINDS - 1]);
}

static void event_times_come_back_exactly(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < TIMES; i++) {
        write_and_read_back(scene, with_expiry(a_document("a", 1, a_body(scene, "n", 1)), times[i]));
        write_and_read_back(scene, with_expiry(a_husk("b", 1), times[i]));
        write_and_read_back(scene, a_deleted_husk("c", 1, "order/1", times[i]));
        write_and_read_back(scene, with_expiry(an_expired_husk("d", 1, times[i]), times[TIMES - 1 - i]));
    }
}

static void husks_of_hostile_ids_come_back_and_stay_apart(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++) {
        const char *by = vf_arena_printf(scene->arena, "order/%s", names[count - 1 - i]).data;
        if (i % 2)
            draft_write(&draft, NULL, a_deleted_husk(names[i], (int64_t)i + 1, by, (int64_t)i));
        else
            draft_write(&draft, NULL, with_expiry(an_expired_husk(names[i], (int64_t)i + 1, (int64_t)i), 7));
    }
    draft_must_commit(&draft);
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < count; i++)
        assert_same_content(&picture.documents[i], &draft.documents[i].next);
}

/* A commit that only consults keeps all of a husk, whatever the store does to notice others. */
static void husks_that_are_consulted_stay_as_they_are(void **state)
{
    struct scene *scene = *state;
    struct draft base = draft_new(scene);
    draft_write(&base, NULL, with_expiry(a_deleted_husk("a", 3, "order/1", 1772359200123), 1772359200456));
    draft_write(&base, NULL, an_expired_husk("b", 4, 1772359200789));
    draft_write(&base, NULL, with_expiry(a_document("c", 5, a_body(scene, "n", 1)), 1772359200999));
    draft_must_commit(&base);
    struct picture before = picture_take(scene, &base);
    struct draft draft = draft_new(scene);
    draft_consult(&draft, "a", &before.documents[0]);
    draft_consult(&draft, "b", &before.documents[1]);
    draft_consult(&draft, "c", &before.documents[2]);
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    struct picture after = picture_take(scene, &base);
    for (size_t i = 0; i < base.document_count; i++)
        assert_same_content(&after.documents[i], &before.documents[i]);
}

/* ---- removal ---- */

static void what_is_removed_is_absent_and_can_be_made_again(void **state)
{
    struct scene *scene = *state;
    const struct vf_document kinds[] = {
        with_expiry(a_document("a", 1, a_body(scene, "n", 1)), 5),
        with_expiry(a_husk("a", 1), 5),
        with_expiry(a_deleted_husk("a", 1, "order/1", 6), 5),
        an_expired_husk("a", 1, 6),
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        must_write(scene, kinds[i]);
        struct vf_document base = load_document(scene, "a");
        must_remove(scene, "a");
        assert_int_equal(load_document(scene, "a").presence, VF_ABSENT);

        /* Who had read it writes it no more, who has found it absent does. */
        struct draft stale = draft_new(scene);
        draft_write(&stale, &base, a_document("a", 2, a_body(scene, "n", 2)));
        assert_int_equal(draft_send(&stale, scene->store), VF_CONFLICT);
        assert_int_equal(load_document(scene, "a").presence, VF_ABSENT);
    }
    must_write(scene, a_document("a", 1, a_body(scene, "n", 1)));
    struct vf_document read = load_document(scene, "a"), wanted = a_document("a", 1, a_body(scene, "n", 1));
    assert_same_content(&read, &wanted);
}

static void a_removal_that_goes_by_an_older_stamp_removes_nothing(void **state)
{
    struct scene *scene = *state;
    const struct vf_document kinds[] = {
        a_document("a", 1, a_body(scene, "n", 1)),
        with_expiry(a_husk("a", 1), 5),
        a_deleted_husk("a", 1, "order/1", 6),
        an_expired_husk("a", 1, 6),
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        must_write(scene, kinds[i]);
        struct vf_document base = load_document(scene, "a");
        must_write(scene, kinds[i]); /* the same again, with another stamp */
        struct draft removal = draft_new(scene);
        draft_remove(&removal, &base);
        assert_int_equal(draft_send(&removal, scene->store), VF_CONFLICT);
        struct vf_document read = load_document(scene, "a");
        assert_same_content(&read, &kinds[i]);
    }
}

/* A husk that another commit has made of the document, or the other way round: removal must not hit what it did not mean. */
static void a_removal_that_meets_another_presence_removes_nothing(void **state)
{
    struct scene *scene = *state;
    const struct vf_document kinds[] = {
        a_document("a", 1, a_body(scene, "n", 1)),
        a_husk("a", 1),
        a_deleted_husk("a", 1, "order/1", 6),
        an_expired_husk("a", 1, 6),
    };
    enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };
    for (size_t from = 0; from < KINDS; from++) {
        for (size_t to = 0; to < KINDS; to++) {
            must_write(scene, kinds[from]);
            struct vf_document base = load_document(scene, "a");
            must_write(scene, kinds[to]);
            struct draft removal = draft_new(scene);
            draft_remove(&removal, &base);
            assert_int_equal(draft_send(&removal, scene->store), VF_CONFLICT);
            struct vf_document read = load_document(scene, "a");
            assert_same_content(&read, &kinds[to]);
        }
    }
}

static void a_removal_is_all_or_nothing_with_the_rest(void **state)
{
    struct scene *scene = *state;
    must_write(scene, a_deleted_husk("a", 1, "order/1", 6));
    must_write(scene, a_document("b", 1, a_body(scene, "n", 1)));
    struct vf_document base = load_document(scene, "a");
    struct draft removal = draft_new(scene);
    draft_remove(&removal, &base);
    draft_write(&removal, NULL, a_document("b", 2, a_body(scene, "n", 2))); /* which is there */
    struct picture before = picture_take(scene, &removal);
    assert_int_equal(draft_send(&removal, scene->store), VF_CONFLICT);
    struct picture after = picture_take(scene, &removal);
    assert_same_picture(&before, &after);
}

/* ---- commits without progress, as the sweep and the draining of a long list make them ---- */

static void a_commit_without_progress_is_conditional_too(void **state)
{
    struct scene *scene = *state;
    must_write(scene, a_document("a", 1, a_body(scene, "n", 1)));
    struct vf_document old = load_document(scene, "a");
    must_write(scene, a_document("a", 2, a_body(scene, "n", 2)));
    struct draft record = draft_new(scene);
    draft_write_aggregate(&record, NULL, a_link("order/1", "a", 1));
    draft_must_commit(&record);
    struct vf_aggregate old_record = load_aggregate(scene, "order/1");
    struct draft again = draft_new(scene);
    draft_write_aggregate(&again, &old_record, a_link("order/1", "a", 2));
    draft_must_commit(&again);

    struct draft drafts[6];
    for (int i = 0; i < 6; i++)
        drafts[i] = draft_new(scene);
    draft_write(&drafts[0], &old, an_expired_husk("a", 3, 5));
    draft_remove(&drafts[1], &old);
    draft_write(&drafts[2], NULL, a_document("new", 1, a_body(scene, "n", 1)));
    draft_consult(&drafts[2], "a", &old);
    draft_write_aggregate(&drafts[3], &old_record, a_link("order/1", "b", 3));
    draft_write(&drafts[4], NULL, a_document("new", 1, a_body(scene, "n", 1)));
    draft_consult_aggregate(&drafts[4], VF_CONSULT, "order/1", &old_record);
    draft_write_aggregate(&drafts[5], NULL, a_link("order/1", "b", 3));
    for (int i = 0; i < 6; i++) {
        struct picture before = picture_take(scene, &drafts[i]);
        assert_int_equal(draft_send(&drafts[i], scene->store), VF_CONFLICT);
        struct picture after = picture_take(scene, &drafts[i]);
        assert_same_picture(&before, &after);
    }
}

static void a_removal_finds_the_generation_frozen_or_superseded(void **state)
{
    struct scene *scene = *state;
    must_write(scene, a_deleted_husk("a", 1, "order/1", 6));
    struct vf_document base = load_document(scene, "a");
    struct draft removal = draft_new(scene);
    draft_remove(&removal, &base);
    scene_freeze(scene, true);
    assert_int_equal(draft_send(&removal, scene->store), VF_FROZEN);
    scene_freeze(scene, false);
    removal.generation_stamp = 77; /* of no entry */
    assert_int_equal(draft_send(&removal, scene->store), VF_SUPERSEDED);
    struct vf_document read = load_document(scene, "a");
    assert_same_document(&read, &base);
    removal.generation_stamp = 0;
    draft_must_commit(&removal);
    assert_int_equal(load_document(scene, "a").presence, VF_ABSENT);
}

/* ---- aggregate records ---- */

static const char *named(struct scene *scene, const char *kind, const char *id)
{
    return vf_arena_printf(scene->arena, "%s/%s", kind, id).data;
}

static void write_record(struct scene *scene, struct vf_aggregate wanted)
{
    const char *name = vf_arena_copy(scene->arena, wanted.aggregate).data;
    struct vf_aggregate base = load_aggregate(scene, name);
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, &base, wanted);
    draft_must_commit(&draft);
    struct vf_aggregate read = load_aggregate(scene, name);
    wanted.stamp = draft.stamp;
    assert_same_aggregate(&read, &wanted);
}

/* Each with one thing more or less than the one before. */
static void records_with_all_that_they_know_come_back(void **state)
{
    struct scene *scene = *state;
    struct vf_aggregate through = a_link("card/1", "4b", 7), emptied = {0}, waits = {0}, both = {0};
    through.link_via = VF_LITERAL("account/9");
    emptied.aggregate = waits.aggregate = both.aggregate = VF_LITERAL("card/1");
    emptied.exists = waits.exists = both.exists = true;
    emptied.aside_from = emptied.aside_to = 9007199254740993; /* places only grow */
    waits.waits_for = VF_LITERAL("account/9");
    waits.has_seen = true;
    waits.seen = 9007199254740993;
    both = a_link("card/1", NULL, 3);
    both.waits_for = VF_LITERAL("account/ 9:x");
    both.has_seen = both.draining = true;
    const struct vf_aggregate steps[] = {through, emptied, waits, both, through, waits, a_link("card/1", "4b", 7),
                                         both};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        write_record(scene, steps[i]);
}

/* What `seen` is made of: an integer, a text, event ids. */
static void seen_comes_back_in_every_form(void **state)
{
    struct scene *scene = *state;
    struct vf_buffer ids;
    vf_buffer_init(&ids);
    vf_event_ids_add(&ids, VF_LITERAL("e-1"));
    vf_event_ids_add(&ids, VF_LITERAL("\"'\\ {}$.~@%"));
    struct vf_bytes packed = vf_arena_bytes(scene->arena, ids.data, ids.size);
    vf_buffer_done(&ids);
    const struct vf_version_more mores[] = {
        {.text = VF_LITERAL("00ab")},
        {.ids = packed, .id_count = 2},
        {.ids = packed, .id_count = 2, .is_window = true},
    };
    static const int64_t numbers[] = {0, 7, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        struct vf_aggregate wanted = {.aggregate = VF_LITERAL("card/1"),
                                      .exists = true,
                                      .waits_for = VF_LITERAL("account/9"),
                                      .has_seen = true,
                                      .seen = numbers[i],
                                      .seen_more = i < 3 ? &mores[i] : NULL};
        write_record(scene, wanted);
        wanted.has_version = true; /* which is a thing of its own */
        wanted.version = 5;
        wanted.version_more = i < 3 ? &mores[2 - i] : NULL;
        if (wanted.version_more && wanted.version_more->text.size > 0)
            wanted.version = 0;
        write_record(scene, wanted);
    }
}

static void records_with_hostile_names_in_them_come_back(void **state)
{
    struct scene *scene = *state;
    size_t count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++) {
        struct vf_aggregate record = a_link(named(scene, "card", names[i]), names[count - 1 - i], 1);
        record.link_via = vf_bytes_from(named(scene, "account", names[(i + 1) % count]));
        record.waits_for = vf_bytes_from(named(scene, "customer", names[(i + 2) % count]));
        record.has_seen = true;
        record.seen = (int64_t)i;
        record.aside_from = record.aside_to = (int64_t)i;
        draft_write_aggregate(&draft, NULL, record);
    }
    draft_must_commit(&draft);
    struct picture picture = picture_take(scene, &draft);
    for (size_t i = 0; i < count; i++) {
        struct vf_aggregate wanted = draft.aggregates[i].next;
        wanted.stamp = draft.stamp;
        assert_same_aggregate(&picture.aggregates[i], &wanted);
    }
}

int contract_records_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(every_presence_comes_back_in_the_place_of_every_other),
        SCENE_TEST(event_times_come_back_exactly),
        SCENE_TEST(husks_of_hostile_ids_come_back_and_stay_apart),
        SCENE_TEST(husks_that_are_consulted_stay_as_they_are),
        SCENE_TEST(what_is_removed_is_absent_and_can_be_made_again),
        SCENE_TEST(a_removal_that_goes_by_an_older_stamp_removes_nothing),
        SCENE_TEST(a_removal_that_meets_another_presence_removes_nothing),
        SCENE_TEST(a_removal_is_all_or_nothing_with_the_rest),
        SCENE_TEST(a_commit_without_progress_is_conditional_too),
        SCENE_TEST(a_removal_finds_the_generation_frozen_or_superseded),
        SCENE_TEST(records_with_all_that_they_know_come_back),
        SCENE_TEST(seen_comes_back_in_every_form),
        SCENE_TEST(records_with_hostile_names_in_them_come_back),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
