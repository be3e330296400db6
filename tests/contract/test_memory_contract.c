/* The store contract against memory, as it is and with touches as MongoDB makes them; and the faults that only memory has. */
#include "connectors/memory/memory_store.h"
#include "store_contract.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct vf_store *open_store(void *self, struct vf_error *error)
{
    struct vf_store *store = NULL;
    enum vf_code code = vf_memory_store_open_on(self, &store, error);
    return code == VF_OK ? store : NULL;
}

static bool kill_connection(void *self, struct vf_store *store, enum vf_contract_loss loss)
{
    (void)store;
    vf_memory_server_fault_commit(self, loss == VF_LOSE_BEFORE ? VF_MEMORY_LOSE_BEFORE : VF_MEMORY_LOSE_AFTER);
    return true;
}

static void kill_in_prepare(void *self, struct vf_store *store)
{
    (void)store;
    vf_memory_server_break_prepare(self);
}

static int run_contract(const char *name, bool touch)
{
    struct vf_memory_server *server = vf_memory_server_new(NULL);
    vf_memory_server_set_touch(server, touch);
    vf_memory_server_set_checked(server, false);
    const struct vf_store_contract contract = {.type = &vf_memory_store_type,
                                               .open = open_store,
                                               .self = server,
                                               .kill_connection = kill_connection,
                                               .kill_in_prepare = kill_in_prepare};
    int failed = vf_store_contract_run(name, &contract);
    vf_memory_server_free(server);
    return failed;
}

/* ---- the faults ---- */

static const struct vf_store_type *const type = &vf_memory_store_type;
static const struct vf_view view = {"customer_orders", 1};

struct place {
    struct vf_memory_server *server;
    struct vf_store *store, *second;
    struct vf_arena *arena;
};

static struct vf_store *open_by_url(const char *url, enum vf_code wanted)
{
    struct vf_store_config config = {.name = "cache", .url = url};
    struct vf_store *store = NULL;
    struct vf_error error;
    assert_int_equal(type->open(&config, &store, &error), wanted);
    return store;
}

static void prepare(struct place *place)
{
    struct vf_file file = {VF_LITERAL("a.lua"), VF_LITERAL("x")};
    struct vf_generation proposed = {
        .number = 1, .state = "active", .script = "a.lua", .files = &file, .file_count = 1, .format = VF_FORMAT};
    struct vf_generation held;
    struct vf_error error;
    bool created;
    assert_int_equal(type->prepare(place->store, view.name, &proposed, place->arena, &held, &created, &error), VF_OK);
}

static int setup(void **state)
{
    static struct place place;
    place.server = vf_memory_server_new("there");
    place.store = open_by_url("memory:there", VF_OK);
    place.second = NULL;
    place.arena = vf_arena_new();
    prepare(&place);
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    type->close(place->store);
    type->close(place->second);
    vf_memory_server_free(place->server);
    vf_arena_free(place->arena);
    return 0;
}

static void reopen(struct place *place)
{
    type->close(place->store);
    place->store = open_by_url("memory:there", VF_OK);
}

static struct vf_progress progress_of(int64_t next)
{
    return (struct vf_progress){.exists = next > 0, .next = next, .of = 1};
}

/* Moves orders/0 from one offset to another (0: absent) and gives "a" that revision. */
static struct vf_commit_result move(struct place *place, int64_t from, int64_t to)
{
    struct vf_document base = {0};
    struct vf_bytes id = VF_LITERAL("a");
    struct vf_memory_contents contents;
    vf_memory_server_read(place->server, view, place->arena, &contents);
    if (contents.document_count > 0)
        base = contents.documents[0];
    struct vf_progress_change progress = {{"orders", 0}, progress_of(from), progress_of(to)};
    struct vf_document_change change = {.intent = VF_WRITE,
                                        .base = base.presence,
                                        .base_stamp = base.stamp,
                                        .next = {.id = id, .presence = VF_HUSK_NEW, .revision = to}};
    struct vf_commit commit = {.view = view,
                               .stamp = 1000 + (uint64_t)to,
                               .progress = &progress,
                               .progress_count = 1,
                               .documents = &change,
                               .document_count = 1};
    struct vf_commit_result result;
    type->commit_send(place->store, &commit);
    type->commit_wait(place->store, &result);
    return result;
}

static int64_t next_held(struct place *place)
{
    struct vf_memory_contents contents;
    vf_memory_server_read(place->server, view, place->arena, &contents);
    if (contents.row_count == 0)
        return 0;
    if (contents.documents[0].revision != contents.rows[0].progress.next)
        return -1; /* half of a commit */
    return contents.rows[0].progress.next;
}

static void a_store_is_found_by_its_name(void **state)
{
    struct place *place = *state;
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
    struct vf_store *second = place->second = open_by_url("memory:there", VF_OK);
    struct vf_progress_row *rows;
    size_t count;
    struct vf_error error;
    assert_int_equal(type->progress(second, view, place->arena, &rows, &count, &error), VF_OK);
    assert_int_equal(count, 1);
    open_by_url("memory:elsewhere", VF_E_UNAVAILABLE);
    open_by_url("redis://there", VF_E_CONFIG);
    type->close(NULL);
}

static void the_nth_call_fails_and_breaks_its_store(void **state)
{
    struct place *place = *state;
    struct vf_error error;
    struct vf_view_state seen;
    vf_memory_server_fail_call(place->server, 2);
    assert_int_equal(type->state(place->store, "v", &seen, &error), VF_OK);
    assert_int_equal(type->state(place->store, "v", &seen, &error), VF_E_UNAVAILABLE);
    assert_true(error.retriable);
    assert_int_equal(type->state(place->store, "v", &seen, &error), VF_E_UNAVAILABLE);
    reopen(place);
    assert_int_equal(type->state(place->store, "v", &seen, &error), VF_OK);
    vf_memory_server_fail_call(place->server, 1);
    assert_int_equal(move(place, 0, 5).outcome, VF_UNKNOWN);
    assert_int_equal(next_held(place), 0);
    vf_memory_server_fail_call(place->server, 1);
    open_by_url("memory:there", VF_E_UNAVAILABLE);
}

static void a_delayed_commit_lands_later_under_its_conditions(void **state)
{
    struct place *place = *state;
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
    for (int i = 0; i < 3; i++) { /* three workers sent the same and died */
        vf_memory_server_fault_commit(place->server, VF_MEMORY_DELAY);
        assert_int_equal(move(place, 5, 6 + i).outcome, VF_UNKNOWN);
        reopen(place);
    }
    assert_int_equal(next_held(place), 5);
    assert_int_equal(vf_memory_server_late_count(place->server), 3);
    assert_int_equal(vf_memory_server_land(place->server, 1), VF_COMMITTED);
    assert_int_equal(next_held(place), 7);
    assert_int_equal(vf_memory_server_land(place->server, 0), VF_CONFLICT);
    assert_int_equal(vf_memory_server_land(place->server, 0), VF_CONFLICT);
    assert_int_equal(vf_memory_server_late_count(place->server), 0);
    assert_int_equal(next_held(place), 7);
    vf_memory_server_fault_commit(place->server, VF_MEMORY_DELAY);
    assert_int_equal(move(place, 7, 8).outcome, VF_UNKNOWN);
    vf_memory_server_forget_late(place->server);
    assert_int_equal(vf_memory_server_late_count(place->server), 0);
}

static void a_commit_at_wait_lets_others_in_between(void **state)
{
    struct place *place = *state;
    struct vf_store *second = place->second = open_by_url("memory:there", VF_OK);
    struct vf_progress_change first = {{"orders", 0}, progress_of(0), progress_of(5)}, other = first;
    struct vf_commit slow = {.view = view, .stamp = 1, .progress = &first, .progress_count = 1}, quick = slow;
    quick.progress = &other;
    struct vf_commit_result result;
    vf_memory_server_fault_commit(place->server, VF_MEMORY_AT_WAIT);
    type->commit_send(place->store, &slow);
    type->commit_send(second, &quick);
    type->commit_wait(second, &result);
    assert_int_equal(result.outcome, VF_COMMITTED);
    type->commit_wait(place->store, &result);
    assert_int_equal(result.outcome, VF_CONFLICT);
    assert_int_equal(result.failed, VF_FAILED_PROGRESS);
}

static void a_refused_commit_leaves_the_store_usable(void **state)
{
    struct place *place = *state;
    vf_memory_server_fault_commit(place->server, VF_MEMORY_REFUSE);
    struct vf_commit_result result = move(place, 0, 5);
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_true(result.error.retriable);
    assert_int_equal(next_held(place), 0);
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
}

static void a_snapshot_rewinds_all_but_connections_and_late_calls(void **state)
{
    struct place *place = *state;
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
    struct vf_memory_snapshot *snapshot = vf_memory_server_snapshot(place->server);
    assert_int_equal(move(place, 5, 9).outcome, VF_COMMITTED);
    for (int i = 0; i < 2; i++) {
        vf_memory_server_restore(place->server, snapshot);
        assert_int_equal(next_held(place), 5);
        assert_int_equal(move(place, 5, 7).outcome, VF_COMMITTED);
    }
    vf_memory_snapshot_free(snapshot);
    vf_memory_snapshot_free(NULL);
    vf_memory_server_wipe(place->server);
    assert_int_equal(next_held(place), 0);
    assert_int_equal(move(place, 0, 3).outcome, VF_SUPERSEDED); /* the registry is gone too */
    prepare(place);
    assert_int_equal(move(place, 0, 3).outcome, VF_COMMITTED);
}

static void cut_connections_stay_cut_and_new_ones_work(void **state)
{
    struct place *place = *state;
    struct vf_error error;
    struct vf_view_state seen;
    vf_memory_server_cut_connections(place->server);
    assert_int_equal(type->state(place->store, "v", &seen, &error), VF_E_UNAVAILABLE);
    reopen(place);
    assert_int_equal(type->state(place->store, "v", &seen, &error), VF_OK);
    vf_memory_server_set_down(place->server, true);
    assert_int_equal(move(place, 0, 5).outcome, VF_UNKNOWN);
    open_by_url("memory:there", VF_E_UNAVAILABLE);
    vf_memory_server_set_down(place->server, false);
    assert_int_equal(move(place, 0, 5).outcome, VF_UNKNOWN);
    reopen(place);
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
}

struct looking {
    struct place *place;
    int seen, agreed; /* nothing is asserted in the observer: a failed assertion would jump out of the server's lock */
    int64_t next;
    struct vf_memory_snapshot *snapshot;
};

static void look(void *self, const struct vf_commit *commit)
{
    struct looking *looking = self;
    looking->seen++;
    looking->next = next_held(looking->place); /* the lock is held, and may be taken again */
    looking->agreed += looking->next == commit->progress[0].to.next;
    vf_memory_snapshot_free(looking->snapshot);
    looking->snapshot = vf_memory_server_snapshot(looking->place->server);
}

static void the_observer_sees_every_applied_commit_at_once(void **state)
{
    struct place *place = *state;
    struct looking looking = {.place = place};
    vf_memory_server_observe(place->server, look, &looking);
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
    assert_int_equal(move(place, 0, 6).outcome, VF_CONFLICT);
    assert_int_equal(looking.seen, 1);
    vf_memory_server_fault_commit(place->server, VF_MEMORY_LOSE_AFTER);
    assert_int_equal(move(place, 5, 7).outcome, VF_UNKNOWN);
    assert_int_equal(looking.seen, 2);
    reopen(place);
    vf_memory_server_fault_commit(place->server, VF_MEMORY_DELAY);
    assert_int_equal(move(place, 7, 8).outcome, VF_UNKNOWN);
    assert_int_equal(looking.seen, 2);
    assert_int_equal(vf_memory_server_land(place->server, 0), VF_COMMITTED);
    assert_int_equal(looking.seen, 3);
    assert_int_equal(looking.agreed, 3);
    assert_int_equal(looking.next, 8);
    assert_int_equal(vf_memory_server_commits(place->server), 3);
    vf_memory_snapshot_free(looking.snapshot);
}

static void a_frozen_server_says_so_to_late_calls_too(void **state)
{
    struct place *place = *state;
    vf_memory_server_fault_commit(place->server, VF_MEMORY_DELAY);
    assert_int_equal(move(place, 0, 5).outcome, VF_UNKNOWN);
    reopen(place);
    vf_memory_server_set_frozen(place->server, view, true);
    assert_int_equal(vf_memory_server_land(place->server, 0), VF_FROZEN);
    assert_int_equal(move(place, 0, 5).outcome, VF_FROZEN);
    vf_memory_server_set_frozen(place->server, view, false);
    assert_int_equal(move(place, 0, 5).outcome, VF_COMMITTED);
}

#define FAULT_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest faults[] = {
        FAULT_TEST(a_store_is_found_by_its_name),
        FAULT_TEST(the_nth_call_fails_and_breaks_its_store),
        FAULT_TEST(a_delayed_commit_lands_later_under_its_conditions),
        FAULT_TEST(a_commit_at_wait_lets_others_in_between),
        FAULT_TEST(a_refused_commit_leaves_the_store_usable),
        FAULT_TEST(a_snapshot_rewinds_all_but_connections_and_late_calls),
        FAULT_TEST(cut_connections_stay_cut_and_new_ones_work),
        FAULT_TEST(the_observer_sees_every_applied_commit_at_once),
        FAULT_TEST(a_frozen_server_says_so_to_late_calls_too),
    };
    int failed = cmocka_run_group_tests(faults, NULL, NULL);
    failed += run_contract("memory", false);
    failed += run_contract("memory with touches", true);
    return failed;
}
