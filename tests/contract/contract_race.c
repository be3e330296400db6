/*
 * The contract suite: two threads with a store each commit at the same moment, many rounds. In each round both have read the
 * same state; a barrier lets them go together.
 */
#include "contract/scene.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ROUNDS = 150 };

struct racer {
    pthread_t thread;
    pthread_barrier_t *barrier;
    atomic_int *started; /* how often a racer has passed start_together */
    struct vf_store *store;
    struct draft *drafts; /* one a round, where it does not depend on what the rounds before did */
    void (*run)(struct racer *self, int round);
    const struct vf_store_type *type;
    struct vf_view view;
    struct vf_arena *arena;
    struct vf_bytes body;
    struct vf_progress progress; /* what this racer believes */
    int number;
    int64_t counted; /* how many events this racer has put into the list, or taken */
    int64_t taken[2 * ROUNDS];
    enum vf_outcome outcomes[ROUNDS];
    enum vf_code failed; /* of a read */
};

/* A barrier wakes its threads some microseconds apart, longer than a commit to memory takes; so both meet once more, awake. */
static void start_together(struct racer *self, int round)
{
    pthread_barrier_wait(self->barrier);
    atomic_fetch_add(self->started, 1);
    while (atomic_load(self->started) < 2 * (round + 1))
        sched_yield();
}

static void *race(void *argument)
{
    struct racer *self = argument;
    for (int round = 0; round < ROUNDS; round++)
        self->run(self, round);
    return NULL;
}

/* Runs two racers to the end. They never stop half-way, so the barrier is always left by both. */
static void race_two(struct scene *scene, struct racer two[2], void (*run)(struct racer *, int))
{
    pthread_barrier_t barrier;
    atomic_int started = 0;
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        two[i].barrier = &barrier;
        two[i].started = &started;
        two[i].store = i ? scene->other : scene->store;
        two[i].type = scene->type;
        two[i].view = scene->view;
        two[i].arena = vf_arena_new();
        two[i].number = i;
        two[i].run = run;
        assert_int_equal(pthread_create(&two[i].thread, NULL, race, &two[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(two[i].thread, NULL);
        vf_arena_free(two[i].arena);
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(two[0].failed, VF_OK);
    assert_int_equal(two[1].failed, VF_OK);
}

/* No outcome but these two, and no round with two winners; returns how many rounds had one. */
static int count_wins(const struct racer two[2])
{
    int wins = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int winners = 0;
        for (int i = 0; i < 2; i++) {
            assert_true(two[i].outcomes[round] == VF_COMMITTED || two[i].outcomes[round] == VF_CONFLICT);
            winners += two[i].outcomes[round] == VF_COMMITTED;
        }
        assert_in_range(winners, 0, 1);
        wins += winners;
    }
    return wins;
}

static enum vf_outcome send_draft(struct racer *self, const struct draft *draft)
{
    struct vf_commit commit = draft_commit(draft);
    struct vf_commit_result result = {0};
    return commit_now(self->store, &commit, &result);
}

/* ---- one document ---- */

static void load_and_raise(struct racer *self, int round)
{
    struct vf_bytes id = VF_LITERAL("a");
    struct vf_document base = {0};
    struct vf_error error;
    enum vf_code code = self->type->load(self->store, self->view, &id, 1, NULL, 0, self->arena, &base, NULL, &error);
    if (code != VF_OK)
        self->failed = code;
    struct vf_document next = {.id = id, .presence = VF_PRESENT, .revision = base.revision + 1, .body = self->body};
    struct vf_document_change change = {
        .intent = VF_WRITE, .base = base.presence, .base_stamp = base.stamp, .next = next};
    struct vf_commit commit = {.view = self->view, .stamp = random_bits(), .documents = &change, .document_count = 1};
    struct vf_commit_result result = {0};
    start_together(self, round); /* both have read the same */
    self->outcomes[round] = commit_now(self->store, &commit, &result);
    pthread_barrier_wait(self->barrier);
}

static void of_two_writers_of_a_document_one_wins(void **state)
{
    struct scene *scene = *state;
    static struct racer two[2];
    memset(two, 0, sizeof(two));
    two[0].body = a_body(scene, "n", 0);
    two[1].body = a_body(scene, "n", 1);
    race_two(scene, two, load_and_raise);
    assert_int_equal(count_wins(two), ROUNDS); /* one thing: somebody always wins */
    struct vf_document document = load_document(scene, "a");
    assert_int_equal(document.revision, ROUNDS);
    assert_same_body(document.body, two[two[1].outcomes[ROUNDS - 1] == VF_COMMITTED].body);
}

/* ---- one list ---- */

enum { TAKEN_AT_ONCE = 3 };

static struct vf_aside listed(struct racer *self, int64_t place, int64_t offset)
{
    struct vf_bytes list = VF_LITERAL("account/9");
    struct vf_bytes record = vf_arena_printf(self->arena, "record %lld", (long long)offset);
    return (struct vf_aside){list, place, list, {"orders", 0}, offset, record};
}

/* The first racer puts two events behind what is there, the second takes up to three off the front. */
static void fill_or_drain(struct racer *self, int round)
{
    struct vf_bytes list = VF_LITERAL("account/9");
    struct vf_aggregate base = {0};
    struct vf_aside *held = NULL, added[2];
    size_t count = 0;
    struct vf_error error;
    enum vf_code code = self->type->load(self->store, self->view, NULL, 0, &list, 1, self->arena, NULL, &base, &error);
    if (code == VF_OK)
        code = self->type->aside_load(self->store, self->view, list, base.aside_from, TAKEN_AT_ONCE, 1000000,
                                      self->arena, &held, &count, &error);
    if (code != VF_OK)
        self->failed = code;
    bool fills = self->number == 0;
    int64_t from = base.aside_from + (fills ? 0 : (int64_t)count), to = base.aside_to + (fills ? 2 : 0);
    for (int i = 0; i < 2; i++)
        added[i] = listed(self, base.aside_to + i, self->counted + i);
    struct vf_aggregate_change change = {
        .intent = VF_WRITE,
        .base_exists = base.exists,
        .base_stamp = base.stamp,
        .next = {.aggregate = list, .exists = true, .aside_from = from, .aside_to = to}};
    struct vf_commit commit = {.view = self->view,
                               .stamp = random_bits(),
                               .aggregates = &change,
                               .aggregate_count = 1,
                               .asides = added,
                               .aside_count = fills ? 2 : 0,
                               .taken = held,
                               .taken_count = fills ? 0 : count};
    struct vf_commit_result result = {0};
    start_together(self, round);
    self->outcomes[round] = commit_now(self->store, &commit, &result);
    if (self->outcomes[round] == VF_COMMITTED && fills)
        self->counted += 2;
    for (size_t i = 0; self->outcomes[round] == VF_COMMITTED && i < commit.taken_count; i++)
        self->taken[self->counted++] = held[i].offset;
    pthread_barrier_wait(self->barrier);
}

static void a_list_filled_and_drained_at_once_loses_and_doubles_nothing(void **state)
{
    struct scene *scene = *state;
    static struct racer two[2];
    memset(two, 0, sizeof(two));
    race_two(scene, two, fill_or_drain);
    assert_int_equal(count_wins(two), ROUNDS);
    size_t left;
    struct vf_aside *held = scene_load_list(scene, "account/9", &left);
    assert_int_equal(two[1].counted + (int64_t)left, two[0].counted);
    for (int64_t i = 0; i < two[1].counted; i++)
        assert_int_equal(two[1].taken[i], i);
    for (size_t i = 0; i < left; i++)
        assert_int_equal(held[i].offset, two[1].counted + (int64_t)i);
    assert_int_equal(scene_load_total(scene, "orders", 0).count, left);
}

/* ---- drafts that were made before ---- */

static void send_this_rounds_draft(struct racer *self, int round)
{
    start_together(self, round);
    self->outcomes[round] = send_draft(self, &self->drafts[round]);
    pthread_barrier_wait(self->barrier);
}

static void new_racers(struct scene *scene, struct racer two[2])
{
    memset(two, 0, 2 * sizeof(two[0]));
    for (int i = 0; i < 2; i++) {
        two[i].drafts = vf_arena_calloc(scene->arena, ROUNDS, sizeof(struct draft));
        for (int round = 0; round < ROUNDS; round++)
            two[i].drafts[round] = draft_new(scene);
    }
}

static const char *numbered(struct scene *scene, const char *what, int round)
{
    return vf_arena_printf(scene->arena, "%s%d", what, round).data;
}

static void of_two_makers_of_a_document_one_wins(void **state)
{
    struct scene *scene = *state;
    static struct racer two[2];
    new_racers(scene, two);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2; i++) {
            const char *id = numbered(scene, "a", round);
            draft_write(&two[i].drafts[round], NULL, a_document(id, 1, a_body(scene, "n", i)));
        }
    }
    race_two(scene, two, send_this_rounds_draft);
    assert_int_equal(count_wins(two), ROUNDS);
    for (int round = 0; round < ROUNDS; round++) {
        int winner = two[1].outcomes[round] == VF_COMMITTED;
        assert_true(load_document(scene, numbered(scene, "a", round)).stamp == two[winner].drafts[round].stamp);
    }
}

static void of_two_makers_of_an_aggregate_record_one_wins(void **state)
{
    struct scene *scene = *state;
    static struct racer two[2];
    new_racers(scene, two);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2; i++)
            draft_write_aggregate(&two[i].drafts[round], NULL,
                                  a_link(numbered(scene, "order/", round), i ? "b" : "a", 1));
    }
    race_two(scene, two, send_this_rounds_draft);
    assert_int_equal(count_wins(two), ROUNDS);
}

/* ---- write skew ---- */

/*
 * Each writes one of two things and decides by the other: at most one may go through, or both decisions rest on what is no
 * longer so. `present`: the two exist before; otherwise both are absent. Whether they are documents or aggregate records.
 */
static void skew(void **state, bool present, bool aggregates)
{
    struct scene *scene = *state;
    static struct racer two[2];
    new_racers(scene, two);
    struct draft base = draft_new(scene);
    for (int round = 0; round < ROUNDS; round++) {
        const char *names[2] = {numbered(scene, "left/", round), numbered(scene, "right/", round)};
        for (int i = 0; i < 2; i++) {
            if (present && aggregates)
                draft_write_aggregate(&base, NULL, a_link(names[i], "a", 1));
            if (present && !aggregates)
                draft_write(&base, NULL, a_document(names[i], 1, a_body(scene, "n", 0)));
        }
        for (int i = 0; i < 2; i++) {
            struct draft *draft = &two[i].drafts[round];
            struct vf_document document = {.presence = VF_PRESENT, .stamp = base.stamp};
            struct vf_aggregate aggregate = {.exists = true, .stamp = base.stamp};
            if (aggregates) {
                draft_write_aggregate(draft, present ? &aggregate : NULL, a_link(names[i], "b", 2));
                draft_consult_aggregate(draft, VF_CONSULT, names[1 - i], present ? &aggregate : NULL);
            } else {
                draft_write(draft, present ? &document : NULL, a_document(names[i], 2, a_body(scene, "n", 1)));
                draft_consult(draft, names[1 - i], present ? &document : NULL);
            }
        }
    }
    if (present)
        draft_must_commit(&base);
    race_two(scene, two, send_this_rounds_draft);
    assert_true(count_wins(two) > 0); /* a store may let both fail when they meet, not always */
}

static void write_skew_over_documents_is_refused(void **state)
{
    skew(state, true, false);
}

static void write_skew_over_absent_documents_is_refused(void **state)
{
    skew(state, false, false);
}

static void write_skew_over_aggregates_is_refused(void **state)
{
    skew(state, true, true);
}

static void write_skew_over_absent_aggregates_is_refused(void **state)
{
    skew(state, false, true);
}

/* ---- progress ---- */

static void move_progress(struct racer *self, int round)
{
    struct vf_progress to = a_progress(self->progress.exists ? self->progress.next + 1 : 1);
    struct vf_progress_change change = {{"orders", 0}, self->progress, to};
    struct vf_commit commit = {.view = self->view, .stamp = random_bits(), .progress = &change, .progress_count = 1};
    struct vf_commit_result result = {0};
    start_together(self, round);
    self->outcomes[round] = commit_now(self->store, &commit, &result);
    self->progress = to; /* whoever of the two did it */
    pthread_barrier_wait(self->barrier);
}

static void of_two_workers_on_one_partition_one_wins(void **state)
{
    struct scene *scene = *state;
    static struct racer two[2];
    memset(two, 0, sizeof(two));
    race_two(scene, two, move_progress);
    assert_int_equal(count_wins(two), ROUNDS);
    assert_int_equal(load_row(scene, "orders", 0).progress.next, ROUNDS);
}

/* ---- all or nothing, seen from beside ---- */

static void write_or_read_both(struct racer *self, int round)
{
    start_together(self, round);
    if (self->number == 0) {
        self->outcomes[round] = send_draft(self, &self->drafts[round]);
        pthread_barrier_wait(self->barrier);
        return;
    }
    /* Whatever moment this is: progress first, then the documents, which can be no older. */
    struct vf_progress_row *rows;
    size_t count;
    struct vf_error error;
    struct vf_bytes ids[2] = {VF_LITERAL("a"), VF_LITERAL("b")};
    struct vf_document documents[2] = {0};
    enum vf_code code = self->type->progress(self->store, self->view, self->arena, &rows, &count, &error);
    int64_t next = code == VF_OK && count > 0 ? rows[0].progress.next : 0;
    if (code == VF_OK)
        code = self->type->load(self->store, self->view, ids, 2, NULL, 0, self->arena, documents, NULL, &error);
    if (code != VF_OK || documents[0].revision < next || documents[1].revision < next)
        self->failed = code ? code : VF_E_BUG;
    pthread_barrier_wait(self->barrier);
}

/* A reader who saw progress finds every document of that commit. */
static void who_sees_progress_sees_the_documents(void **state)
{
    struct scene *scene = *state;
    static struct racer two[2];
    new_racers(scene, two);
    uint64_t before = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct draft *draft = &two[0].drafts[round];
        struct vf_document base = {.presence = round ? VF_PRESENT : VF_ABSENT, .stamp = before};
        draft_write(draft, &base, a_document("a", round + 1, a_body(scene, "n", round)));
        draft_write(draft, &base, a_document("b", round + 1, a_body(scene, "n", round)));
        draft_progress(draft, "orders", 0, round ? a_progress(round) : no_progress, a_progress(round + 1));
        before = draft->stamp;
    }
    race_two(scene, two, write_or_read_both);
    for (int round = 0; round < ROUNDS; round++)
        assert_int_equal(two[0].outcomes[round], VF_COMMITTED);
}

int contract_race_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(of_two_writers_of_a_document_one_wins),
        SCENE_TEST(of_two_makers_of_a_document_one_wins),
        SCENE_TEST(of_two_makers_of_an_aggregate_record_one_wins),
        SCENE_TEST(write_skew_over_documents_is_refused),
        SCENE_TEST(write_skew_over_absent_documents_is_refused),
        SCENE_TEST(write_skew_over_aggregates_is_refused),
        SCENE_TEST(write_skew_over_absent_aggregates_is_refused),
        SCENE_TEST(of_two_workers_on_one_partition_one_wins),
        SCENE_TEST(who_sees_progress_sees_the_documents),
        SCENE_TEST(a_list_filled_and_drained_at_once_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
