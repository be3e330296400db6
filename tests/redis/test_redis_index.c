/*
 * Indexes in Redis: sorted sets that any reader may read, kept by the commits that write the documents. On the server of
 * VIEWFOLD_REDIS.
 */
#include "redis/redis_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct vf_store_type *const type = &vf_redis_store_type;

enum { VALUABLE, BY_CITY, BY_NAME, INDEXES };
static const struct vf_index indexes[INDEXES] = {
    {.name = "valuable", .sort = "amount"},
    {.name = "by_city", .by = "city"},
    {.name = "by_name", .sort = "name", .by = "city"},
};

/* A document with these values, and its entries; city NULL: in no index by it. Lives in the draft. */
static struct vf_document_change *draft_entry(struct draft *draft, const char *id, double amount, const char *city,
                                              const char *name)
{
    struct vf_document_change *change = draft_document(draft, vf_bytes_from(id), 1, "{}");
    struct vf_index_entry *entries = vf_arena_calloc(draft->arena, INDEXES, sizeof(*entries));
    entries[VALUABLE] = (struct vf_index_entry){.in = true, .sort = {.kind = VF_SORT_NUMBER, .number = amount}};
    if (city)
        entries[BY_CITY] = (struct vf_index_entry){.in = true, .by = vf_bytes_from(city)};
    if (city && name)
        entries[BY_NAME] = (struct vf_index_entry){
            .in = true, .by = vf_bytes_from(city), .sort = {.kind = VF_SORT_STRING, .text = vf_bytes_from(name)}};
    change->next_entries = entries;
    draft->commit.indexes = indexes;
    draft->commit.index_count = INDEXES;
    return change;
}

/* The document was written by the draft before, with these entries. */
static void based_on(struct vf_document_change *change, const struct vf_document_change *before)
{
    change->base = VF_PRESENT;
    change->base_stamp = before->next.stamp;
    change->base_entries = before->next_entries;
}

static void entries_lie_there_as_FORMAT_shows(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft_entry(&draft, "4b", 1772359200000, "Bonn", "Anna");
    draft_entry(&draft, "4c", 0.5, "Bonn", "Ann");
    draft_entry(&draft, "4d", -5, "Bonn:1", NULL);
    draft_must_commit(&draft, scene->store);
    assert_string_equal(scene_sorted_set(scene, "#valuable:1"), "-5=4d\n0.5=4c\n1772359200000=4b\n");
    assert_string_equal(scene_sorted_set(scene, "#by_city:1:Bonn"), "0=4b\n0=4c\n");
    assert_string_equal(scene_sorted_set(scene, "#by_city:1:Bonn:1"), "0=4d\n");
    assert_string_equal(scene_sorted_set(scene, "#by_name:1:Bonn"), "0=Ann|4c\n0=Anna|4b\n");
    draft_done(&draft);
}

/* What the commit says is as before is not sent: only who looks for it can tell, as here, where it has been taken away. */
static void only_changed_entries_are_sent(void **state)
{
    struct scene *scene = *state;
    struct draft first, second;
    draft_init(&first, scene->view, 1);
    const struct vf_document_change *a = draft_entry(&first, "a", 1, "Bonn", "x");
    const struct vf_document_change *b = draft_entry(&first, "b", 2, "Ulm", "x");
    draft_must_commit(&first, scene->store);
    static const char *const sets[] = {"#valuable:1", "#by_city:1:Bonn", "#by_city:1:Ulm", "#by_name:1:Bonn",
                                       "#by_name:1:Ulm"};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        scene_ask("DEL", scene_key(scene, sets[i]));
    draft_init(&second, scene->view, 2);
    based_on(draft_entry(&second, "a", 1, "Bonn", "x"), a);
    based_on(draft_entry(&second, "b", 3, "Ulm", "y"), b);
    draft_must_commit(&second, scene->store);
    assert_string_equal(scene_sorted_set(scene, "#valuable:1"), "3=b\n");
    assert_string_equal(scene_sorted_set(scene, "#by_city:1:Bonn"), "");
    assert_string_equal(scene_sorted_set(scene, "#by_city:1:Ulm"), "");
    assert_string_equal(scene_sorted_set(scene, "#by_name:1:Bonn"), "");
    assert_string_equal(scene_sorted_set(scene, "#by_name:1:Ulm"), "0=y|b\n");
    draft_done(&first);
    draft_done(&second);
}

static void a_wrong_type_at_an_index_makes_nothing_happen(void **state)
{
    struct scene *scene = *state;
    static const char *const spoilt[] = {"#valuable:1", "#by_city:1:Bonn", "#by_city:1:Ulm", "#by_name:1:Bonn"};
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        struct draft first, second;
        struct vf_commit_result result;
        char *id = (char *)vf_arena_printf(scene->arena, "%zu", i).data;
        draft_init(&first, scene->view, 1);
        const struct vf_document_change *before = draft_entry(&first, id, 1, "Bonn", "x");
        draft_must_commit(&first, scene->store);
        scene_ask("DEL", scene_key(scene, spoilt[i]));
        redis_fixture_ask(redis_fixture_port(), "SET", scene_key(scene, spoilt[i]), "mine", NULL);
        draft_init(&second, scene->view, 2);
        based_on(draft_entry(&second, id, 2, "Ulm", "x"), before); /* it leaves some, and comes into others */
        assert_int_equal(draft_run(&second, scene->store, &result), VF_REFUSED);
        assert_int_equal(result.error.code, VF_E_CONFIG);
        assert_non_null(strstr(result.error.text, scene_key(scene, spoilt[i]) + 1));
        assert_int_equal(draft_load(&second, scene->store, vf_bytes_from(id)).stamp, 1);
        struct vf_find find = {.index = &indexes[VALUABLE], .limit = 1};
        struct vf_found *found;
        struct vf_error error;
        size_t count;
        enum vf_code code = type->find(scene->store, second.commit.view, &find, second.arena, &found, &count, &error);
        assert_int_equal(code, i == 0 ? VF_E_CONFIG : VF_OK);
        scene_ask("DEL", scene_key(scene, spoilt[i]));
        draft_done(&first);
        draft_done(&second);
    }
}

static struct vf_found *ask(struct scene *scene, const struct vf_find *find, size_t *ret_count)
{
    struct vf_found *found;
    struct vf_error error;
    if (type->find(scene->store, (struct vf_view){scene->view, 1}, find, scene->arena, &found, ret_count, &error) !=
        VF_OK)
        fail_msg("%s", error.text);
    return found;
}

/* Pages that begin anywhere among thousands of equal values, also where what they go on behind is gone. */
static void a_page_among_equal_values_begins_exactly_behind_its_place(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 3000 };
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    for (int i = 0; i < COUNT; i++) /* even numbers; a quarter below and a quarter above the equal ones */
        draft_entry(&draft, vf_arena_printf(draft.arena, "%06d", 2 * i).data,
                    i < 750    ? 1
                    : i < 2250 ? 2
                               : 3,
                    "Bonn", "same");
    draft_must_commit(&draft, scene->store);
    for (int index = 0; index < INDEXES; index++) {
        for (int after = -1; after <= 2 * COUNT; after += 97) { /* odd and even */
            for (int reverse = 0; reverse < 2; reverse++) {
                size_t count;
                int behind = after < 0 ? -1 : after / 2;
                struct vf_find find = {.index = &indexes[index],
                                       .by = VF_LITERAL("Bonn"),
                                       .reverse = reverse,
                                       .has_after = true,
                                       .limit = 5};
                find.after_id = after < 0 ? VF_LITERAL("") : vf_arena_printf(scene->arena, "%06d", after);
                if (index == VALUABLE)
                    find.after = (struct vf_sort){.kind = VF_SORT_NUMBER,
                                                  .number = behind < 750    ? 1
                                                            : behind < 2250 ? 2
                                                                            : 3};
                if (index == BY_NAME)
                    find.after = (struct vf_sort){.kind = VF_SORT_STRING, .text = VF_LITERAL("same")};
                struct vf_found *found = ask(scene, &find, &count);
                int first = reverse ? (after < 0 ? -1 : (after + 1) / 2 - 1) : behind + 1;
                int wanted = reverse ? first + 1 : COUNT - first;
                assert_int_equal(count, wanted < 0 ? 0 : wanted < 5 ? wanted : 5);
                for (size_t i = 0; i < count; i++) {
                    int number = reverse ? first - (int)i : first + (int)i;
                    assert_true(vf_bytes_equal(found[i].id, vf_arena_printf(scene->arena, "%06d", 2 * number)));
                }
            }
        }
    }
    /* All of it, more than one call gives. */
    size_t count;
    struct vf_find all = {.index = &indexes[VALUABLE], .limit = SIZE_MAX};
    struct vf_found *found = ask(scene, &all, &count);
    assert_int_equal(count, COUNT);
    assert_true(vf_bytes_is(found[COUNT - 1].id, "005998") && found[COUNT - 1].sort.number == 3);
    draft_done(&draft);
}

/* A field that is a number here and a text there: a question with bounds is about those of its kind. */
static void of_mixed_kinds_those_of_the_bound_are_meant(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 2500 };
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    for (int i = 0; i < COUNT; i++) {
        struct vf_document_change *change =
            draft_entry(&draft, vf_arena_printf(draft.arena, "m%06d", i).data, 0, NULL, NULL);
        if (i % 50 == 0) /* texts between which the ids of the numbers at 0 stand */
            ((struct vf_index_entry *)change->next_entries)[VALUABLE].sort =
                (struct vf_sort){.kind = VF_SORT_STRING, .text = vf_arena_printf(draft.arena, "m%06d", i)};
    }
    draft_must_commit(&draft, scene->store);
    for (int reverse = 0; reverse < 2; reverse++) {
        size_t count;
        struct vf_find find = {.index = &indexes[VALUABLE], .has_from = true, .reverse = reverse, .limit = 30};
        find.from = (struct vf_sort){.kind = VF_SORT_STRING, .text = VF_LITERAL("m")};
        struct vf_found *found = ask(scene, &find, &count);
        assert_int_equal(count, 30);
        for (size_t i = 0; i < count; i++) {
            int number = reverse ? COUNT - 50 - 50 * (int)i : 50 * (int)i;
            assert_int_equal(found[i].sort.kind, VF_SORT_STRING);
            assert_true(vf_bytes_equal(found[i].id, vf_arena_printf(scene->arena, "m%06d", number)));
            assert_true(vf_bytes_equal(found[i].id, found[i].sort.text));
        }
        find.from = (struct vf_sort){.kind = VF_SORT_NUMBER, .number = 0};
        find.limit = COUNT;
        found = ask(scene, &find, &count);
        assert_int_equal(count, COUNT - COUNT / 50);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(found[i].sort.kind, VF_SORT_NUMBER);
        find.has_to = true;
        find.to = (struct vf_sort){.kind = VF_SORT_STRING, .text = VF_LITERAL("z")};
        (void)ask(scene, &find, &count);
        assert_int_equal(count, 0);
    }
    draft_done(&draft);
}

/* --- dropping -------------------------------------------------------------------------------------------------------- */

/* How many keys there are that begin so. */
static size_t count_keys(struct scene *scene, const char *rest)
{
    char pattern[80];
    snprintf(pattern, sizeof(pattern), "%s*", scene_key(scene, rest));
    return redis_fixture_ask(redis_fixture_port(), "KEYS", pattern, NULL)->elements;
}

static void a_dropped_generation_leaves_nothing_on_the_side(void **state)
{
    struct scene *scene = *state;
    int port = redis_fixture_port();
    struct vf_generation proposed = {.number = 1,
                                     .state = "active",
                                     .script_hash = "00",
                                     .script = "a.lua",
                                     .format = VF_FORMAT},
                         held;
    struct vf_view view = {scene->view, 1};
    struct vf_error error;
    struct draft draft;
    enum vf_drop drop = VF_DROP_MORE;
    size_t removed, all = 0;
    bool created, done = false;
    proposed.files = (const struct vf_file[]){{VF_LITERAL("a.lua"), VF_LITERAL("x")}};
    proposed.file_count = 1;
    assert_int_equal(type->prepare(scene->store, scene->view, &proposed, scene->arena, &held, &created, &error), VF_OK);
    draft_init(&draft, scene->view, 1);
    for (int i = 0; i < 300; i++) {
        const char *id = vf_arena_printf(draft.arena, "%d", i).data;
        struct vf_document_change *change = draft_entry(&draft, id, i, id, id);
        change->next.has_expires = true;
        draft_aside(&draft, vf_arena_printf(draft.arena, "account/%d", i).data, 0, "card/1", i, "x");
    }
    struct vf_document_change *gone = draft_entry(&draft, "gone", 1, NULL, NULL);
    gone->next.presence = VF_HUSK_DELETED;
    gone->next.deleted_by = VF_LITERAL("order/1");
    draft_link(&draft, "account/1", "a")->next.draining = true;
    draft_must_commit(&draft, scene->store);
    draft_done(&draft);
    /* Of another generation, of views with longer names, and what is none of viewfold's. */
    static const char *const others[] = {"#valuable:11", "#by_city:11:1", "@11:husks", "#valuable", "#valuable:2:1"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        redis_fixture_ask(port, "ZADD", scene_key(scene, others[i]), "1", "m", NULL);
    assert_int_equal(count_keys(scene, "#valuable:1"), 2);
    assert_int_equal(count_keys(scene, "#by_city:1:"), 300);
    assert_int_equal(type->drop_begin(scene->store, view, 0, 7, &done, &error), VF_OK);
    assert_true(done);
    while (drop == VF_DROP_MORE) {
        assert_int_equal(type->drop_more(scene->store, view, 7, 1, &drop, &removed, &error), VF_OK);
        all += removed;
    }
    assert_int_equal(drop, VF_DROP_DONE);
    assert_true(all > 1200);
    assert_int_equal(count_keys(scene, ":"), 0);
    assert_int_equal(count_keys(scene, "@1:"), 0);
    assert_int_equal(count_keys(scene, "#by_city:1:"), 0);
    assert_int_equal(count_keys(scene, "#"), 4);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_true(scene_exists(scene_key(scene, others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(entries_lie_there_as_FORMAT_shows),
        SCENE_TEST(only_changed_entries_are_sent),
        SCENE_TEST(a_wrong_type_at_an_index_makes_nothing_happen),
        SCENE_TEST(a_page_among_equal_values_begins_exactly_behind_its_place),
        SCENE_TEST(of_mixed_kinds_those_of_the_bound_are_meant),
        SCENE_TEST(a_dropped_generation_leaves_nothing_on_the_side),
    };
    redis_fixture_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_fixture_end();
    return failed;
}
