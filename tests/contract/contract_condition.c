/*
 * The contract suite: each condition of a commit fails alone, at the beginning, in the middle and at the end of a large
 * commit, and then nothing at all of the commit is there. The same commit without the fault goes through, which shows that it
 * was this one condition.
 */
#include "contract/scene.h"

#include <stdio.h>

/* What the view holds before each commit. Everything is written by one commit, then each thing has its own number. */
enum { DOCUMENTS = 10, HUSKS = 3, ABSENT = 4, AGGREGATES = 8, ABSENT_AGGREGATES = 3, PARTITIONS = 5 };

struct field {
    struct scene *scene;
    struct draft everything; /* names all that there is, and all that there is not */
    struct picture before;
};

static const char *name_of(struct scene *scene, const char *kind, int i)
{
    return vf_arena_printf(scene->arena, "%s%d", kind, i).data;
}

static struct field field_new(struct scene *scene)
{
    struct draft base = draft_new(scene);
    for (int i = 0; i < DOCUMENTS; i++)
        draft_write(&base, NULL, a_document(name_of(scene, "document", i), i + 1, a_body(scene, "n", i)));
    for (int i = 0; i < HUSKS; i++)
        draft_write(&base, NULL, a_husk(name_of(scene, "husk", i), i + 1));
    for (int i = 0; i < AGGREGATES; i++)
        draft_write_aggregate(&base, NULL, a_link(name_of(scene, "order/", i), "document0", i));
    for (int i = 0; i < PARTITIONS; i++)
        draft_progress(&base, "orders", i, no_progress, a_progress(100 + i));
    draft_must_commit(&base);

    struct field field = {.scene = scene, .everything = draft_new(scene)};
    for (size_t i = 0; i < base.document_count; i++)
        draft_write(&field.everything, NULL, base.documents[i].next);
    for (int i = 0; i < ABSENT; i++)
        draft_write(&field.everything, NULL, a_document(name_of(scene, "absent", i), 1, (struct vf_bytes){0}));
    for (size_t i = 0; i < base.aggregate_count; i++)
        draft_write_aggregate(&field.everything, NULL, base.aggregates[i].next);
    for (int i = 0; i < ABSENT_AGGREGATES; i++)
        draft_write_aggregate(&field.everything, NULL, a_link(name_of(scene, "absent/", i), NULL, 1));
    field.before = picture_take(scene, &field.everything);
    return field;
}

/*
 * A commit over all of it, with the right bases: documents are written, the last two of each sort only consulted; a husk
 * becomes a document; absent ones are made, all but the last two, which are consulted; the last partition is only tested, and
 * one more gets its first progress.
 */
static struct draft large_commit(struct field *field)
{
    struct scene *scene = field->scene;
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < field->before.document_count; i++) {
        const struct vf_document *base = &field->before.documents[i];
        const char *id = field->everything.documents[i].next.id.data;
        bool consulted = (i >= DOCUMENTS - 2 && i < DOCUMENTS) || i == DOCUMENTS + HUSKS - 1 ||
                         i >= field->before.document_count - 2;
        if (consulted)
            draft_consult(&draft, id, base->presence == VF_ABSENT ? NULL : base);
        else
            draft_write(&draft, base, a_document(id, base->revision + 1, a_body(scene, "written", (int64_t)i)));
    }
    for (size_t i = 0; i < field->before.aggregate_count; i++) {
        const struct vf_aggregate *base = &field->before.aggregates[i];
        const char *name = field->everything.aggregates[i].next.aggregate.data;
        bool consulted = (i >= AGGREGATES - 2 && i < AGGREGATES) || i == field->before.aggregate_count - 1;
        if (consulted)
            draft_consult_aggregate(&draft, VF_CONSULT, name, base);
        else
            draft_write_aggregate(&draft, base, a_link(name, "document1", 50));
    }
    for (int i = 0; i < PARTITIONS; i++)
        draft_progress(&draft, "orders", i, a_progress(100 + i), a_progress(i == PARTITIONS - 1 ? 100 + i : 200 + i));
    draft_progress(&draft, "orders", PARTITIONS, no_progress, a_progress(1));
    draft_progress(&draft, "orders", PARTITIONS + 1, no_progress, no_progress); /* only tested */
    return draft;
}

/* ---- faults ---- */

/* Where the faulty thing stands among its like. */
enum position { FIRST, MIDDLE, LAST, POSITIONS };

static size_t place_of(enum position position, size_t count)
{
    return position == FIRST ? 0 : position == MIDDLE ? count / 2 : count - 1;
}

static struct vf_document_change *document_at(struct draft *draft, const char *id, enum position position)
{
    size_t place = place_of(position, draft->document_count);
    for (size_t i = 0; i < draft->document_count; i++) {
        if (vf_bytes_is(draft->documents[i].next.id, id)) {
            struct vf_document_change moved = draft->documents[i];
            draft->documents[i] = draft->documents[place];
            draft->documents[place] = moved;
            return &draft->documents[place];
        }
    }
    fail_msg("no document %s", id);
    return NULL;
}

static struct vf_aggregate_change *aggregate_at(struct draft *draft, const char *name, enum position position)
{
    size_t place = place_of(position, draft->aggregate_count);
    for (size_t i = 0; i < draft->aggregate_count; i++) {
        if (vf_bytes_is(draft->aggregates[i].next.aggregate, name)) {
            struct vf_aggregate_change moved = draft->aggregates[i];
            draft->aggregates[i] = draft->aggregates[place];
            draft->aggregates[place] = moved;
            return &draft->aggregates[place];
        }
    }
    fail_msg("no aggregate %s", name);
    return NULL;
}

static struct vf_progress_change *progress_at(struct draft *draft, int32_t partition, enum position position)
{
    size_t place = place_of(position, draft->progress_count);
    for (size_t i = 0; i < draft->progress_count; i++) {
        if (draft->progress[i].partition.partition == partition) {
            struct vf_progress_change moved = draft->progress[i];
            draft->progress[i] = draft->progress[place];
            draft->progress[place] = moved;
            return &draft->progress[place];
        }
    }
    fail_msg("no partition %d", partition);
    return NULL;
}

typedef void break_one(struct draft *draft, enum position position);

/* Tries the fault at each position; each time nothing may have happened. In the end the right commit goes through. */
static void fails_alone(void **state, break_one *fault)
{
    struct field field = field_new(*state);
    for (enum position position = FIRST; position < POSITIONS; position++) {
        struct draft draft = large_commit(&field);
        fault(&draft, position);
        assert_int_equal(draft_send(&draft, field.scene->store), VF_CONFLICT);
        struct picture after = picture_take(field.scene, &field.everything);
        assert_same_picture(&field.before, &after);
    }
    struct draft right = large_commit(&field);
    assert_int_equal(draft_send(&right, field.scene->store), VF_COMMITTED);
    for (size_t i = 0; i < right.document_count; i++) {
        struct vf_document read = load_document(field.scene, right.documents[i].next.id.data);
        if (right.documents[i].intent == VF_WRITE)
            assert_same_content(&read, &right.documents[i].next);
        else
            assert_same_content(&read, &field.before.documents[i]);
    }
}

/* One test a fault: what is broken, in one statement. */
#define FAILS_ALONE(name, statement)                                      \
    static void break_##name(struct draft *draft, enum position position) \
    {                                                                     \
        statement;                                                        \
    }                                                                     \
    static void name(void **state)                                        \
    {                                                                     \
        fails_alone(state, break_##name);                                 \
    }

FAILS_ALONE(progress_higher_than_ours, progress_at(draft, 1, position)->from.next -= 1)
FAILS_ALONE(progress_lower_than_ours, progress_at(draft, 1, position)->from.next += 1)
FAILS_ALONE(progress_of_another_partition_count, progress_at(draft, 1, position)->from.of += 1)
FAILS_ALONE(progress_with_another_last_offset, progress_at(draft, 1, position)->from.last_offset -= 1)
FAILS_ALONE(progress_with_another_last_timestamp, progress_at(draft, 1, position)->from.last_timestamp_ms += 1)
FAILS_ALONE(progress_with_another_last_hash, progress_at(draft, 1, position)->from.last_hash ^= 1)
FAILS_ALONE(progress_without_a_last_record, progress_at(draft, 1, position)->from.has_last = false)
FAILS_ALONE(progress_that_another_commit_wrote, progress_at(draft, 1, position)->from.stamp ^= 1)
FAILS_ALONE(progress_with_more_aside, progress_at(draft, 1, position)->from.aside += 1)
FAILS_ALONE(progress_that_had_not_been_lost, progress_at(draft, 1, position)->from.had = 1101)
FAILS_ALONE(progress_that_had_come_elsewhere, progress_at(draft, 2, position)->from.had += 1)
FAILS_ALONE(progress_that_is_not_rebuilt_yet, progress_at(draft, 2, position)->from.had = 0)
FAILS_ALONE(progress_that_we_took_for_absent, progress_at(draft, 1, position)->from = no_progress)
FAILS_ALONE(progress_that_we_took_for_present, progress_at(draft, PARTITIONS, position)->from = a_progress(1))
FAILS_ALONE(progress_that_is_only_tested, progress_at(draft, PARTITIONS - 1, position)->from.next += 1)
FAILS_ALONE(absent_progress_that_is_only_tested, {
    struct vf_progress_change *change = progress_at(draft, PARTITIONS + 1, position);
    change->from = change->to = a_progress(1);
})
FAILS_ALONE(present_progress_tested_as_absent, {
    struct vf_progress_change *change = progress_at(draft, PARTITIONS - 1, position);
    change->from = change->to = no_progress;
})

FAILS_ALONE(a_written_document_with_another_stamp, document_at(draft, "document1", position)->base_stamp ^= 1)
FAILS_ALONE(a_written_document_with_another_high_bit,
            document_at(draft, "document1", position)->base_stamp ^= 1ull << 63)
FAILS_ALONE(a_written_document_that_we_took_for_absent, document_at(draft, "document1", position)->base = VF_ABSENT)
FAILS_ALONE(a_written_document_that_is_gone, document_at(draft, "absent0", position)->base = VF_PRESENT)
FAILS_ALONE(a_written_husk_with_another_stamp, document_at(draft, "husk0", position)->base_stamp ^= 1)
FAILS_ALONE(a_written_husk_that_we_took_for_absent, document_at(draft, "husk0", position)->base = VF_ABSENT)
FAILS_ALONE(a_written_husk_that_is_gone, document_at(draft, "absent1", position)->base = VF_HUSK_NEW)

FAILS_ALONE(a_consulted_document_with_another_stamp, document_at(draft, "document9", position)->base_stamp ^= 1)
FAILS_ALONE(a_consulted_document_that_we_took_for_absent, document_at(draft, "document9", position)->base = VF_ABSENT)
FAILS_ALONE(a_consulted_document_that_is_gone, document_at(draft, "absent3", position)->base = VF_PRESENT)
FAILS_ALONE(a_consulted_husk_with_another_stamp, document_at(draft, "husk2", position)->base_stamp ^= 1)
FAILS_ALONE(a_consulted_husk_that_we_took_for_absent, document_at(draft, "husk2", position)->base = VF_ABSENT)
FAILS_ALONE(a_consulted_husk_that_is_gone, document_at(draft, "absent3", position)->base = VF_HUSK_NEW)

FAILS_ALONE(a_written_aggregate_with_another_stamp, aggregate_at(draft, "order/1", position)->base_stamp ^= 1)
FAILS_ALONE(a_written_aggregate_that_we_took_for_absent, aggregate_at(draft, "order/1", position)->base_exists = false)
FAILS_ALONE(a_written_aggregate_that_is_gone, aggregate_at(draft, "absent/0", position)->base_exists = true)
FAILS_ALONE(a_consulted_aggregate_with_another_stamp, aggregate_at(draft, "order/7", position)->base_stamp ^= 1)
FAILS_ALONE(a_consulted_aggregate_that_we_took_for_absent,
            aggregate_at(draft, "order/7", position)->base_exists = false)
FAILS_ALONE(a_consulted_aggregate_that_is_gone, aggregate_at(draft, "absent/2", position)->base_exists = true)

/* ---- changed by another meanwhile ---- */

/* Loads, lets the other store change `of` (absent things are made), and then commits on what was loaded. */
static void changed_by_another(void **state, const char *document, const char *aggregate, bool written)
{
    struct field field = field_new(*state);
    struct scene *scene = field.scene;
    struct draft draft = draft_new(scene), others = draft_new(scene);
    draft_progress(&draft, "orders", 0, a_progress(100), a_progress(200));
    draft_write(&draft, &field.before.documents[0], a_document("document0", 2, a_body(scene, "mine", 1)));
    if (document) {
        struct vf_document base = load_document(scene, document);
        if (written)
            draft_write(&draft, &base, a_document(document, base.revision + 1, a_body(scene, "mine", 1)));
        else
            draft_consult(&draft, document, &base);
        /* The same revision that we would write, so that only the stamp tells. */
        draft_write(&others, &base, a_document(document, base.revision + 1, a_body(scene, "theirs", 1)));
    }
    if (aggregate) {
        struct vf_aggregate base = load_aggregate(scene, aggregate);
        if (written)
            draft_write_aggregate(&draft, &base, a_link(aggregate, "document2", 9));
        else
            draft_consult_aggregate(&draft, VF_CONSULT, aggregate, &base);
        draft_write_aggregate(&others, &base, a_link(aggregate, "document3", 9));
    }
    assert_int_equal(draft_send(&others, scene->other), VF_COMMITTED);
    struct picture before = picture_take(scene, &field.everything);
    assert_int_equal(draft_send(&draft, scene->store), VF_CONFLICT);
    struct picture after = picture_take(scene, &field.everything);
    assert_same_picture(&before, &after);
}

#define CHANGED_BY_ANOTHER(name, document, aggregate, written)   \
    static void name(void **state)                               \
    {                                                            \
        changed_by_another(state, document, aggregate, written); \
    }

CHANGED_BY_ANOTHER(a_written_document_that_another_changed, "document4", NULL, true)
CHANGED_BY_ANOTHER(a_consulted_document_that_another_changed, "document4", NULL, false)
CHANGED_BY_ANOTHER(a_new_document_that_another_made, "absent0", NULL, true)
CHANGED_BY_ANOTHER(a_consulted_absent_document_that_another_made, "absent0", NULL, false)
CHANGED_BY_ANOTHER(a_written_husk_that_another_filled, "husk0", NULL, true)
CHANGED_BY_ANOTHER(a_consulted_husk_that_another_filled, "husk0", NULL, false)
CHANGED_BY_ANOTHER(a_written_aggregate_that_another_changed, NULL, "order/4", true)
CHANGED_BY_ANOTHER(a_consulted_aggregate_that_another_changed, NULL, "order/4", false)
CHANGED_BY_ANOTHER(a_new_aggregate_that_another_made, NULL, "absent/0", true)
CHANGED_BY_ANOTHER(a_consulted_absent_aggregate_that_another_made, NULL, "absent/0", false)

/* After a rewind a revision climbs to the same number again, with other contents: the stamp tells. */
static void the_same_revision_with_another_stamp_conflicts(void **state)
{
    struct scene *scene = *state;
    struct draft first = draft_new(scene), second = draft_new(scene), third = draft_new(scene);
    draft_write(&first, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_must_commit(&first);
    struct vf_document read = load_document(scene, "a");
    draft_write(&second, &read, a_document("a", 1, a_body(scene, "n", 1))); /* equal in all but the stamp */
    draft_must_commit(&second);
    draft_write(&third, &read, a_document("a", 2, a_body(scene, "n", 2)));
    assert_int_equal(draft_send(&third, scene->store), VF_CONFLICT);
    read = load_document(scene, "a");
    assert_true(read.stamp == second.stamp);
    assert_int_equal(read.revision, 1);
}

/* ---- frozen ---- */

static void freeze(struct scene *scene, struct vf_view view, int64_t duration_ms)
{
    static const struct vf_partition partitions[] = {{"orders", 0}, {"orders", 1}, {"orders", 2}, {"orders", 3},
                                                     {"orders", 4}, {"orders", 5}, {"orders", 6}};
    struct vf_error error = {0};
    assert_ok(scene->type->freeze(scene->other, view, partitions, sizeof(partitions) / sizeof(partitions[0]),
                                  duration_ms, &error));
}

static void a_frozen_generation_takes_nothing_until_it_thaws(void **state)
{
    struct field field = field_new(*state);
    struct scene *scene = field.scene;
    struct vf_error error = {0};
    struct vf_view_state seen;
    struct draft draft = large_commit(&field);
    freeze(scene, scene->view, 600000);
    assert_ok(scene->type->state(scene->store, scene->name, &seen, &error));
    assert_int_equal(seen.active, 1);
    assert_true(seen.frozen);
    assert_int_equal(draft_send(&draft, scene->store), VF_FROZEN);
    freeze(scene, scene->view, 600000); /* again, as a second switcher might */
    assert_int_equal(draft_send(&draft, scene->store), VF_FROZEN);
    struct picture after = picture_take(scene, &field.everything);
    assert_same_picture(&field.before, &after);
    freeze(scene, scene->view, 0);
    assert_ok(scene->type->state(scene->store, scene->name, &seen, &error));
    assert_false(seen.frozen);
    assert_int_equal(draft_send(&draft, scene->store), VF_COMMITTED);
}

/* Retry, drop and sweep carry none. */
static void a_commit_without_progress_finds_it_frozen_too(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    freeze(scene, scene->view, 600000);
    assert_int_equal(draft_send(&draft, scene->store), VF_FROZEN);
    assert_int_equal(load_document(scene, "a").presence, VF_ABSENT);
    freeze(scene, scene->view, 0);
    assert_int_equal(draft_send(&draft, scene->store), VF_COMMITTED);
}

static void another_view_or_generation_is_not_concerned(void **state)
{
    struct scene *scene = *state;
    char other[80];
    snprintf(other, sizeof(other), "%s_1", scene->name);
    scene_prepare(scene, other);
    freeze(scene, (struct vf_view){other, 1}, 600000);
    struct vf_error error = {0};
    const struct vf_partition partition = {"orders", 0};
    enum vf_code code =
        scene->type->freeze(scene->other, (struct vf_view){scene->name, 2}, &partition, 1, 600000, &error);
    assert_true(code == VF_OK || code == VF_E_NOT_FOUND); /* there is no generation 2 yet */
    struct vf_view_state seen;
    assert_ok(scene->type->state(scene->store, scene->name, &seen, &error));
    assert_false(seen.frozen);
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(5));
    draft_must_commit(&draft);
    draft.view.name = other;
    assert_int_equal(draft_send(&draft, scene->store), VF_FROZEN);
}

int contract_condition_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(progress_higher_than_ours),
        SCENE_TEST(progress_lower_than_ours),
        SCENE_TEST(progress_of_another_partition_count),
        SCENE_TEST(progress_with_another_last_offset),
        SCENE_TEST(progress_with_another_last_timestamp),
        SCENE_TEST(progress_with_another_last_hash),
        SCENE_TEST(progress_without_a_last_record),
        SCENE_TEST(progress_that_another_commit_wrote),
        SCENE_TEST(progress_with_more_aside),
        SCENE_TEST(progress_that_had_not_been_lost),
        SCENE_TEST(progress_that_had_come_elsewhere),
        SCENE_TEST(progress_that_is_not_rebuilt_yet),
        SCENE_TEST(progress_that_we_took_for_absent),
        SCENE_TEST(progress_that_we_took_for_present),
        SCENE_TEST(progress_that_is_only_tested),
        SCENE_TEST(absent_progress_that_is_only_tested),
        SCENE_TEST(present_progress_tested_as_absent),
        SCENE_TEST(a_written_document_with_another_stamp),
        SCENE_TEST(a_written_document_with_another_high_bit),
        SCENE_TEST(a_written_document_that_we_took_for_absent),
        SCENE_TEST(a_written_document_that_is_gone),
        SCENE_TEST(a_written_husk_with_another_stamp),
        SCENE_TEST(a_written_husk_that_we_took_for_absent),
        SCENE_TEST(a_written_husk_that_is_gone),
        SCENE_TEST(a_consulted_document_with_another_stamp),
        SCENE_TEST(a_consulted_document_that_we_took_for_absent),
        SCENE_TEST(a_consulted_document_that_is_gone),
        SCENE_TEST(a_consulted_husk_with_another_stamp),
        SCENE_TEST(a_consulted_husk_that_we_took_for_absent),
        SCENE_TEST(a_consulted_husk_that_is_gone),
        SCENE_TEST(a_written_aggregate_with_another_stamp),
        SCENE_TEST(a_written_aggregate_that_we_took_for_absent),
        SCENE_TEST(a_written_aggregate_that_is_gone),
        SCENE_TEST(a_consulted_aggregate_with_another_stamp),
        SCENE_TEST(a_consulted_aggregate_that_we_took_for_absent),
        SCENE_TEST(a_consulted_aggregate_that_is_gone),
        SCENE_TEST(a_written_document_that_another_changed),
        SCENE_TEST(a_consulted_document_that_another_changed),
        SCENE_TEST(a_new_document_that_another_made),
        SCENE_TEST(a_consulted_absent_document_that_another_made),
        SCENE_TEST(a_written_husk_that_another_filled),
        SCENE_TEST(a_consulted_husk_that_another_filled),
        SCENE_TEST(a_written_aggregate_that_another_changed),
        SCENE_TEST(a_consulted_aggregate_that_another_changed),
        SCENE_TEST(a_new_aggregate_that_another_made),
        SCENE_TEST(a_consulted_absent_aggregate_that_another_made),
        SCENE_TEST(the_same_revision_with_another_stamp_conflicts),
        SCENE_TEST(a_frozen_generation_takes_nothing_until_it_thaws),
        SCENE_TEST(a_commit_without_progress_finds_it_frozen_too),
        SCENE_TEST(another_view_or_generation_is_not_concerned),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
