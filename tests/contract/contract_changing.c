/* The contract suite: generations that are adopted or dropped, and what the stamp of their entry keeps out. */
#include "contract/scene.h"

#include <pthread.h>
#include <stdio.h>

static const struct vf_file mended = {VF_LITERAL("mended.lua"), VF_LITERAL("-- $set {a.b} \"mended\"\n")};

/* What goes on as another script; scene_prepare made the hash "aaa...", with the stamp 0. */
static struct vf_generation next_one(uint64_t stamp)
{
    struct vf_generation next = {.number = 1,
                                 .state = VF_GENERATION_ACTIVE,
                                 .stamp = stamp,
                                 .projection_version = 2,
                                 .script = "mended.lua",
                                 .files = &mended,
                                 .file_count = 1,
                                 .created_ms = 1772359300000,
                                 .format = VF_FORMAT};
    memset(next.script_hash, 'b', 64);
    return next;
}

static bool adopt(struct scene *scene, uint64_t base_stamp, uint64_t stamp)
{
    struct vf_error error = {0};
    struct vf_generation next = next_one(stamp);
    bool done = false;
    assert_ok(scene->type->adopt(scene->store, scene->view, base_stamp, &next, &done, &error));
    return done;
}

static bool drop_begin(struct scene *scene, uint64_t base_stamp, uint64_t stamp)
{
    struct vf_error error = {0};
    bool done = false;
    assert_ok(scene->type->drop_begin(scene->store, scene->view, base_stamp, stamp, &done, &error));
    return done;
}

static enum vf_drop drop_more(struct scene *scene, struct vf_store *store, uint64_t stamp, size_t *ret_removed)
{
    struct vf_error error = {0};
    enum vf_drop drop;
    assert_ok(scene->type->drop_more(store, scene->view, stamp, 1772359400000, &drop, ret_removed, &error));
    return drop;
}

/* All of it; how many documents and records went. */
static size_t drop_rest(struct scene *scene, uint64_t stamp)
{
    size_t removed = 0, all = 0;
    enum vf_drop drop = VF_DROP_MORE;
    for (int calls = 0; drop == VF_DROP_MORE; calls++) {
        assert_true(calls < 1000000);
        drop = drop_more(scene, scene->store, stamp, &removed);
        all += removed;
    }
    assert_int_equal(drop, VF_DROP_DONE);
    return all;
}

static struct vf_generation read_entry(struct scene *scene)
{
    struct vf_error error = {0};
    struct vf_generation held;
    assert_ok(scene->type->generation(scene->other, scene->view, scene->arena, &held, &error));
    return held;
}

static struct vf_generation prepare(struct scene *scene, uint64_t stamp, bool again, bool *ret_created)
{
    struct vf_error error = {0};
    struct vf_generation proposed = next_one(stamp), held;
    proposed.again = again;
    assert_ok(scene->type->prepare(scene->other, scene->name, &proposed, scene->arena, &held, ret_created, &error));
    return held;
}

static int32_t active(struct scene *scene)
{
    struct vf_error error = {0};
    struct vf_view_state seen;
    assert_ok(scene->type->state(scene->other, scene->name, &seen, &error));
    return seen.active;
}

/* orders/0 is at 5, orders/1 at 0, with a document and a record. */
static struct draft furnish(struct scene *scene)
{
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&draft, NULL, a_link("order/1", "a", 1));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(5));
    draft_progress(&draft, "orders", 1, no_progress, a_progress(0));
    draft_must_commit(&draft);
    return draft;
}

/* ---- adopting ---- */

static void adopting_exchanges_the_script_and_says_where(void **state)
{
    struct scene *scene = *state;
    struct draft draft = furnish(scene);
    struct picture before = picture_take(scene, &draft);
    assert_true(adopt(scene, 0, 77));
    struct vf_generation held = read_entry(scene);
    assert_string_equal(held.state, VF_GENERATION_ACTIVE);
    assert_true(held.stamp == 77);
    assert_int_equal(held.projection_version, 2);
    assert_string_equal(held.script, "mended.lua");
    assert_int_equal(held.script_hash[0], 'b');
    assert_int_equal(held.file_count, 1);
    assert_true(vf_bytes_equal(held.files[0].text, mended.text));
    assert_int_equal(held.created_ms, 1772359200000);
    assert_int_equal(held.adoption_count, 1);
    const struct vf_adoption *adoption = &held.adoptions[0];
    assert_int_equal(adoption->adopted_ms, 1772359300000);
    assert_int_equal(adoption->from_hash[0], 'a');
    assert_int_equal(adoption->to_hash[0], 'b');
    assert_int_equal(adoption->position_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(adoption->positions[i].partition.topic, "orders");
        assert_int_equal(adoption->positions[i].next, adoption->positions[i].partition.partition ? 0 : 5);
    }
    assert_int_equal(active(scene), 1);
    struct picture after = picture_take(scene, &draft);
    assert_same_picture(&before, &after);
}

static void the_last_adoptions_are_kept(void **state)
{
    struct scene *scene = *state;
    for (uint64_t stamp = 0; stamp < VF_ADOPTIONS_MAX + 2; stamp++)
        assert_true(adopt(scene, stamp, stamp + 1));
    struct vf_generation held = read_entry(scene);
    assert_int_equal(held.adoption_count, VF_ADOPTIONS_MAX);
    assert_int_equal(held.adoptions[0].from_hash[0], 'b');
}

static void an_adoption_that_goes_by_an_older_entry_changes_nothing(void **state)
{
    struct scene *scene = *state;
    assert_true(adopt(scene, 0, 77));
    assert_false(adopt(scene, 0, 78));
    assert_true(read_entry(scene).stamp == 77);
    assert_int_equal(read_entry(scene).adoption_count, 1);
}

/* Sends it with the former stamp, which must leave no trace, and with the present one. */
static void assert_superseded(struct scene *scene, struct draft *draft, uint64_t former, uint64_t present)
{
    struct picture before = picture_take(scene, draft);
    draft->generation_stamp = former;
    assert_int_equal(draft_send(draft, scene->store), VF_SUPERSEDED);
    struct picture after = picture_take(scene, draft);
    assert_same_picture(&before, &after);
    draft->generation_stamp = present;
    draft_must_commit(draft);
}

static void commits_that_go_by_the_former_entry_are_superseded(void **state)
{
    struct scene *scene = *state;
    struct draft first = furnish(scene);
    assert_true(adopt(scene, 0, 77));
    struct picture is = picture_take(scene, &first);
    struct draft moving = draft_new(scene);
    draft_write(&moving, &is.documents[0], a_document("a", 2, a_body(scene, "n", 2)));
    draft_progress(&moving, "orders", 0, a_progress(5), a_progress(6));
    assert_superseded(scene, &moving, 0, 77);
    struct draft beginning = draft_new(scene);
    draft_write(&beginning, NULL, a_document("b", 1, a_body(scene, "n", 1)));
    draft_progress(&beginning, "orders", 2, no_progress, a_progress(1));
    assert_superseded(scene, &beginning, 0, 77);
    struct draft without_progress = draft_new(scene);
    draft_write(&without_progress, NULL, a_document("c", 1, a_body(scene, "n", 1)));
    assert_superseded(scene, &without_progress, 0, 77);
    /* What was begun by the new one is guarded as well. */
    assert_true(adopt(scene, 77, 78));
    struct draft next = draft_new(scene);
    draft_progress(&next, "orders", 2, a_progress(1), a_progress(2));
    assert_superseded(scene, &next, 77, 78);
}

static void the_stamp_is_told(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    uint64_t stamp = 1;
    bool there = false;
    assert_ok(scene->type->generation_stamp(scene->other, scene->view, &stamp, &there, &error));
    assert_true(there && stamp == 0);
    assert_true(adopt(scene, 0, UINT64_MAX));
    assert_ok(scene->type->generation_stamp(scene->other, scene->view, &stamp, &there, &error));
    assert_true(there && stamp == UINT64_MAX);
    struct vf_view other = {scene->name, 2};
    assert_ok(scene->type->generation_stamp(scene->other, other, &stamp, &there, &error));
    assert_false(there);
}

/* ---- adopting under load ---- */

struct committer {
    pthread_t thread;
    const struct vf_store_type *type;
    struct vf_store *store;
    struct vf_view view;
    int32_t partition;
    int64_t committed; /* the last next that took hold by the first entry */
};

/* Moves its partition one by one until another entry is there. */
static void *commit_until_superseded(void *argument)
{
    struct committer *self = argument;
    for (int64_t next = 0;;) {
        struct vf_progress_change change = {
            {"orders", self->partition}, next ? a_progress(next) : no_progress, a_progress(next + 1)};
        struct vf_commit commit = {
            .view = self->view, .stamp = random_bits(), .progress = &change, .progress_count = 1};
        struct vf_commit_result result = {0};
        self->type->commit_send(self->store, &commit);
        self->type->commit_wait(self->store, &result);
        if (result.outcome == VF_COMMITTED)
            self->committed = ++next;
        else if (result.outcome != VF_CONFLICT) /* a conflict with the adoption under way: once more */
            return result.outcome == VF_SUPERSEDED ? NULL : self;
    }
}

/* Not one commit by the former script lies behind the positions that the adoption says, and none before them is missing. */
static void an_adoption_under_load_says_exactly_where(void **state)
{
    struct scene *scene = *state;
    enum { COMMITTERS = 3 };
    struct committer all[COMMITTERS];
    for (int i = 0; i < COMMITTERS; i++) {
        all[i] = (struct committer){.type = scene->type, .store = scene_open(), .view = scene->view, .partition = i};
        assert_int_equal(pthread_create(&all[i].thread, NULL, commit_until_superseded, &all[i]), 0);
    }
    while (load_row(scene, "orders", 0).progress.next < 5) {
    }
    assert_true(adopt(scene, 0, 77));
    struct vf_generation held = read_entry(scene);
    for (int i = 0; i < COMMITTERS; i++) {
        void *failed;
        pthread_join(all[i].thread, &failed);
        assert_null(failed);
        scene->type->close(all[i].store);
    }
    for (int i = 0; i < COMMITTERS; i++) {
        int64_t said = 0;
        for (size_t p = 0; p < held.adoptions[0].position_count; p++)
            if (held.adoptions[0].positions[p].partition.partition == i)
                said = held.adoptions[0].positions[p].next;
        assert_int_equal(all[i].committed, said);
        assert_int_equal(load_row(scene, "orders", i).progress.next, said);
    }
}

struct operator
{
    pthread_t thread;
    pthread_barrier_t *barrier;
    const struct vf_store_type *type;
    struct vf_store *store;
    struct vf_view view;
    struct vf_generation next;
    bool done;
    enum vf_code code;
    struct vf_error error;
};

static void *adopt_at_once(void *argument)
{
    struct operator* self = argument;
    pthread_barrier_wait(self->barrier);
    self->code = self->type->adopt(self->store, self->view, 0, &self->next, &self->done, &self->error);
    return NULL;
}

static void of_two_adoptions_at_once_one_wins(void **state)
{
    struct scene *scene = *state;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    struct operator two[2];
    for (int i = 0; i < 2; i++) {
        two[i] = (struct operator){.barrier = &barrier,
                                   .type = scene->type,
                                   .store = i ? scene->other : scene->store,
                                   .view = scene->view,
                                   .next = next_one(100 + (uint64_t)i)};
        assert_int_equal(pthread_create(&two[i].thread, NULL, adopt_at_once, &two[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(two[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < 2; i++)
        assert_ok_at(two[i].code, &two[i].error, "adopt", __FILE__, __LINE__);
    assert_int_equal(two[0].done + two[1].done, 1);
    assert_true(read_entry(scene).stamp == (two[0].done ? 100 : 101));
    assert_int_equal(read_entry(scene).adoption_count, 1);
}

/* ---- dropping ---- */

static void dropping_removes_all_but_the_entry(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    struct draft draft = furnish(scene);
    struct vf_partition stopped = {"orders", 7};
    assert_ok(scene->type->note_stopped(scene->store, scene->view, 0, stopped, "{}", &error));
    for (int i = 0; i < 40; i++) { /* ids that mean something in patterns, and a husk */
        struct draft more = draft_new(scene);
        static const char *const forms[] = {"*%d", "[a-z]?%d", "\\%d:", "%d"};
        const char *id = vf_arena_printf(scene->arena, forms[i % 4], i).data;
        draft_write(&more, NULL, i % 4 == 3 ? a_husk(id, 1) : a_document(id, 1, a_body(scene, "n", i)));
        draft_must_commit(&more);
    }
    assert_true(drop_begin(scene, 0, 77));
    assert_int_equal(active(scene), 0);
    assert_string_equal(read_entry(scene).state, VF_GENERATION_DROPPING);
    assert_int_equal(drop_rest(scene, 77), 42);
    struct picture after = picture_take(scene, &draft);
    assert_int_equal(after.documents[0].presence, VF_ABSENT);
    assert_false(after.aggregates[0].exists);
    assert_int_equal(after.row_count, 0);
    assert_int_equal(load_document(scene, "*0").presence, VF_ABSENT);
    assert_int_equal(load_document(scene, "3").presence, VF_ABSENT);
    struct vf_generation held = read_entry(scene);
    assert_string_equal(held.state, VF_GENERATION_DROPPED);
    assert_true(held.stamp == 77);
    assert_int_equal(held.created_ms, 1772359400000);
    assert_int_equal(held.file_count, 0);
    assert_int_equal(active(scene), 0);
    /* Once more finds nothing to drop. */
    assert_false(drop_begin(scene, 77, 78));
}

static void other_views_stay_when_one_is_dropped(void **state)
{
    struct scene *scene = *state;
    enum { VIEWS = 4 };
    static const char *const endings[VIEWS] = {"", "1", "_1", "_g1"};
    char names[VIEWS][80];
    struct draft drafts[VIEWS];
    struct picture before[VIEWS];
    for (int v = 0; v < VIEWS; v++) {
        snprintf(names[v], sizeof(names[v]), "%s%s", scene->name, endings[v]);
        scene_prepare(scene, names[v]);
        scene->view.name = names[v];
        drafts[v] = draft_new(scene);
        draft_write(&drafts[v], NULL, a_document("1:a", v + 1, a_body(scene, "n", v)));
        draft_write(&drafts[v], NULL, a_husk("1", 1));
        draft_write_aggregate(&drafts[v], NULL, a_link("order/1:a", "a", v));
        draft_progress(&drafts[v], "orders", 1, no_progress, a_progress(100 + v));
        draft_must_commit(&drafts[v]);
        before[v] = picture_take(scene, &drafts[v]);
    }
    scene->view.name = names[0];
    assert_true(drop_begin(scene, 0, 77));
    assert_int_equal(drop_rest(scene, 77), 3);
    for (int v = 1; v < VIEWS; v++) {
        scene->view.name = names[v];
        struct picture after = picture_take(scene, &drafts[v]);
        assert_same_picture(&before[v], &after);
        struct vf_error error = {0};
        struct vf_view_state seen;
        assert_ok(scene->type->state(scene->other, names[v], &seen, &error));
        assert_int_equal(seen.active, 1);
    }
}

/* A process that was stopped while somebody dropped what it writes, and goes on afterwards. */
static void who_had_written_it_writes_nothing_any_more(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    furnish(scene);
    assert_true(drop_begin(scene, 0, 77));
    for (int dropped = 0; dropped < 2; dropped++) {
        struct draft draft = draft_new(scene);
        draft_write(&draft, NULL, a_document("z", 1, a_body(scene, "n", 1)));
        draft_progress(&draft, "orders", 5, no_progress, a_progress(1));
        assert_int_equal(draft_send(&draft, scene->store), VF_SUPERSEDED);
        struct draft moving = draft_new(scene);
        draft_progress(&moving, "orders", 0, a_progress(5), a_progress(6));
        assert_int_equal(draft_send(&moving, scene->store), VF_SUPERSEDED);
        struct draft only = draft_new(scene);
        draft_write(&only, NULL, a_document("z", 1, a_body(scene, "n", 1)));
        assert_int_equal(draft_send(&only, scene->store), VF_SUPERSEDED);
        struct vf_partition partition = {"orders", 5};
        assert_ok(scene->type->note_stopped(scene->store, scene->view, 0, partition, "{}", &error));
        assert_null(load_row(scene, "orders", 5).stopped);
        assert_int_equal(load_document(scene, "z").presence, VF_ABSENT);
        if (!dropped)
            drop_rest(scene, 77);
    }
    assert_false(adopt(scene, 0, 78));
    assert_false(adopt(scene, 77, 78));
}

static void what_was_dropped_is_made_anew_by_a_new_start_only(void **state)
{
    struct scene *scene = *state;
    bool created;
    furnish(scene);
    assert_true(drop_begin(scene, 0, 77));
    /* While it is being dropped nobody makes anything. */
    assert_string_equal(prepare(scene, 5, false, &created).state, VF_GENERATION_DROPPING);
    assert_false(created);
    drop_rest(scene, 77);
    uint64_t stamp = 0;
    bool there = false;
    struct vf_error error = {0};
    assert_ok(scene->type->generation_stamp(scene->store, scene->view, &stamp, &there, &error));
    assert_true(there && stamp == 77); /* so that an idle worker sees that it was dropped */
    assert_string_equal(prepare(scene, 6, true, &created).state, VF_GENERATION_DROPPED);
    assert_false(created);
    assert_int_equal(active(scene), 0);
    struct vf_generation held = prepare(scene, 7, false, &created);
    assert_true(created);
    assert_true(held.follows_drop && held.stamp == 7);
    assert_string_equal(held.state, VF_GENERATION_ACTIVE);
    assert_int_equal(held.file_count, 1);
    assert_int_equal(held.adoption_count, 0);
    assert_int_equal(active(scene), 1);
    struct draft draft = draft_new(scene);
    draft.generation_stamp = 7;
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    draft = draft_new(scene);
    draft_progress(&draft, "orders", 0, a_progress(1), a_progress(2));
    assert_int_equal(draft_send(&draft, scene->store), VF_SUPERSEDED);
}

/* Somebody finishes what another has begun, and the view is built anew: the first one goes on, and harms nothing. */
static void a_removal_that_was_taken_over_removes_nothing_any_more(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    size_t removed = 9;
    bool created, done;
    furnish(scene);
    assert_true(drop_begin(scene, 0, 77));
    assert_ok(scene->type->drop_begin(scene->other, scene->view, 77, 78, &done, &error));
    assert_true(done);
    assert_int_equal(drop_more(scene, scene->store, 77, &removed), VF_DROP_SUPERSEDED);
    assert_int_equal(removed, 0);
    for (enum vf_drop drop = VF_DROP_MORE; drop == VF_DROP_MORE;)
        drop = drop_more(scene, scene->other, 78, &removed);
    prepare(scene, 7, false, &created);
    struct draft draft = draft_new(scene);
    draft.generation_stamp = 7;
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&draft, NULL, a_link("order/1", "a", 1));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    struct picture before = picture_take(scene, &draft);
    for (uint64_t stamp = 77; stamp <= 78; stamp++) {
        assert_int_equal(drop_more(scene, scene->store, stamp, &removed), VF_DROP_SUPERSEDED);
        assert_false(drop_begin(scene, stamp, 99));
    }
    struct picture after = picture_take(scene, &draft);
    assert_same_picture(&before, &after);
    assert_int_equal(active(scene), 1);
}

static void all_entries_are_listed(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    struct vf_generation *list = NULL;
    size_t count = 9;
    char name[64];
    scene_unique_name(name, sizeof(name));
    assert_ok(scene->type->generations(scene->other, name, scene->arena, &list, &count, &error));
    assert_int_equal(count, 0);
    furnish(scene);
    assert_true(adopt(scene, 0, 77));
    assert_ok(scene->type->generations(scene->other, scene->name, scene->arena, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_int_equal(list[0].number, 1);
    assert_true(list[0].stamp == 77);
    assert_int_equal(list[0].adoption_count, 1);
    assert_int_equal(list[0].adoptions[0].position_count, 2);
    assert_int_equal(list[0].file_count, 0);
    assert_true(drop_begin(scene, 77, 78));
    drop_rest(scene, 78);
    assert_ok(scene->type->generations(scene->other, scene->name, scene->arena, &list, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(list[0].state, VF_GENERATION_DROPPED);
}

/* ---- dropping what joins, indexes and expiry have left ---- */

static const struct vf_index dropped_indexes[] = {{.name = "amount", .sort = "n"}, {.name = "by_n", .by = "n"}};

/* Documents in indexes, husks and documents that are due, two lists, one of them draining, what is parked and dropped. */
static void furnish_richly(struct scene *scene)
{
    scene_indexes(scene, dropped_indexes, 2, true);
    struct draft draft = draft_new(scene);
    for (int i = 0; i < 20; i++) {
        const char *id = vf_arena_printf(scene->arena, "%d", i).data;
        draft_write(&draft, NULL, with_expiry(a_document(id, 1, a_body(scene, "n", i % 3)), 100 + i));
        id = vf_arena_printf(scene->arena, "husk %d", i).data;
        draft_write(&draft, NULL, a_deleted_husk(id, 1, "order/1", 100 + i));
    }
    struct vf_aggregate drains = a_waiting("account/10", 0, 5);
    drains.draining = true;
    draft_write_aggregate(&draft, NULL, drains);
    for (int64_t i = 0; i < 5; i++)
        draft_aside(&draft, scene_aside(scene, "account/10", i, 50 + i));
    draft_write_aggregate(&draft, NULL, a_parked("order/1", 0, 1));
    draft_aside(&draft, scene_aside(scene, "order/1", 0, 60));
    draft_drop(&draft, (struct vf_dropped){.aggregate = VF_LITERAL("order/2"), .missing_from = 3, .missing_to = 5});
    draft_must_commit(&draft);
    scene_fill_list(scene, "account/9", 100, 30);
}

static size_t found_count(struct scene *scene, const struct vf_index *index, const char *by)
{
    struct vf_error error = {0};
    struct vf_find find = {.index = index, .by = vf_bytes_from(by), .limit = 1000};
    struct vf_found *found;
    size_t count;
    assert_ok(scene->type->find(scene->other, scene->view, &find, scene->arena, &found, &count, &error));
    return count;
}

static size_t due_count(struct scene *scene, enum vf_due due)
{
    struct vf_error error = {0};
    struct vf_bytes *ids;
    size_t count;
    assert_ok(scene->type->due(scene->other, scene->view, due, 1000, 1000, scene->arena, &ids, &count, &error));
    return count;
}

static size_t draining_count(struct scene *scene)
{
    struct vf_error error = {0};
    struct vf_bytes *aggregates;
    size_t count;
    assert_ok(scene->type->draining(scene->other, scene->view, 1000, scene->arena, &aggregates, &count, &error));
    return count;
}

/* What operators have decided stays, whatever becomes of the view. */
static void assert_rich(struct scene *scene, size_t factor, size_t decisions)
{
    size_t nine, ten;
    scene_load_list(scene, "account/9", &nine);
    scene_load_list(scene, "account/10", &ten);
    assert_int_equal(nine, factor * 30);
    assert_int_equal(ten, factor * 5);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, factor * 36);
    struct vf_error error = {0};
    int64_t counts[VF_ASIDE_STATES];
    size_t dropped;
    assert_ok(scene->type->aside_counts(scene->other, scene->view, counts, &error));
    assert_int_equal(counts[VF_ASIDE_HELD], factor * 2);
    assert_int_equal(counts[VF_ASIDE_PARKED], factor);
    scene_load_dropped(scene, 0, 10, &dropped);
    assert_int_equal(dropped, decisions);
    assert_int_equal(scene_load_total(scene, "orders", 0).bytes > 0, factor);
    assert_int_equal(scene_list_at(scene, "orders", 0, 100) != NULL, factor);
    assert_int_equal(draining_count(scene), factor);
    assert_int_equal(found_count(scene, &dropped_indexes[0], NULL), factor * 20);
    assert_int_equal(found_count(scene, &dropped_indexes[1], "1"), factor * 7);
    assert_int_equal(due_count(scene, VF_DUE_EXPIRED), factor * 20);
    assert_int_equal(due_count(scene, VF_DUE_HUSK), factor * 20);
}

static void dropping_removes_lists_index_entries_and_what_is_due(void **state)
{
    struct scene *scene = *state;
    size_t removed;
    bool created;
    furnish_richly(scene);
    assert_rich(scene, 1, 1);
    assert_true(drop_begin(scene, 0, 77));
    (void)drop_more(scene, scene->store, 77, &removed); /* who began died; another one takes over */
    assert_true(drop_begin(scene, 77, 78));
    drop_rest(scene, 78);
    prepare(scene, 0, false, &created);
    assert_true(created);
    scene_indexes(scene, dropped_indexes, 2, true);
    assert_rich(scene, 0, 1);
    furnish_richly(scene); /* nothing that was left is in its way */
    assert_rich(scene, 1, 2);
}

static void other_views_keep_theirs_when_one_is_dropped(void **state)
{
    struct scene *scene = *state;
    const char *mine = scene->name, *others = vf_arena_printf(scene->arena, "%s_1", scene->name).data;
    furnish_richly(scene);
    scene_prepare(scene, others);
    scene->view.name = others;
    furnish_richly(scene);
    scene->view.name = mine;
    assert_true(drop_begin(scene, 0, 77));
    drop_rest(scene, 77);
    scene->view.name = others;
    assert_rich(scene, 1, 1);
}

int contract_changing_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(adopting_exchanges_the_script_and_says_where),
        SCENE_TEST(the_last_adoptions_are_kept),
        SCENE_TEST(an_adoption_that_goes_by_an_older_entry_changes_nothing),
        SCENE_TEST(commits_that_go_by_the_former_entry_are_superseded),
        SCENE_TEST(the_stamp_is_told),
        SCENE_TEST(an_adoption_under_load_says_exactly_where),
        SCENE_TEST(of_two_adoptions_at_once_one_wins),
        SCENE_TEST(dropping_removes_all_but_the_entry),
        SCENE_TEST(other_views_stay_when_one_is_dropped),
        SCENE_TEST(who_had_written_it_writes_nothing_any_more),
        SCENE_TEST(what_was_dropped_is_made_anew_by_a_new_start_only),
        SCENE_TEST(a_removal_that_was_taken_over_removes_nothing_any_more),
        SCENE_TEST(all_entries_are_listed),
        SCENE_TEST(dropping_removes_lists_index_entries_and_what_is_due),
        SCENE_TEST(other_views_keep_theirs_when_one_is_dropped),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
