/* A store that is not what it was: it has lost its tail while nobody looked, or would lose what it is given. */
#include "run/log.h"
#include "sim/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what the log says -------------------------------------------------------------------------------------------- */

static FILE *log_file;
static int log_fd;

/* How many lines since the last call hold all of these words; NULL ends them. */
static int said(const char *first, const char *second)
{
    static char line[4096];
    int count = 0;
    fflush(log_file);
    while (fgets(line, sizeof line, log_file))
        count += strstr(line, first) && (!second || strstr(line, second));
    clearerr(log_file);
    return count;
}

static int setup(void **state)
{
    int failed = stage_setup(state);
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, log_fd);
    (void)said("", NULL);
    return failed;
}

/* --- a tail that was lost ----------------------------------------------------------------------------------------- */

static void send_orders(struct stage *stage, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char id[16];
        snprintf(id, sizeof id, "o%d", i);
        stage_send(stage, "orders", id, 1, "Created", "\"c1\"");
    }
}

static void assert_orders(struct stage *stage, int count)
{
    for (int i = 1; i <= count; i++) {
        char order[24];
        snprintf(order, sizeof order, "order/o%d", i);
        assert_int_equal(stage_handled(stage, "c1", order), 1);
    }
}

/* Three orders are in the store when it is copied, and eight when it is put back to that; where `begun` is not said, none. */
static struct vf_memory_snapshot *lose_tail_while_down(struct stage *stage, bool begun)
{
    stage_open(stage, 0);
    if (begun)
        send_orders(stage, 1, 3);
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    send_orders(stage, begun ? 4 : 1, 8);
    stage_run(stage);
    stage_close(stage, 0);
    vf_memory_server_restore(stage->server, before);
    (void)said("", NULL);
    return before;
}

/* No worker is there that had seen more: the group's offsets tell. */
static void a_tail_lost_while_nobody_ran_is_told_by_who_comes_next(void **state)
{
    struct stage *stage = *state;
    struct vf_memory_snapshot *before = lose_tail_while_down(stage, true);
    assert_int_equal(stage_next(stage, "orders"), 3);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).rewinds, 1);
    assert_int_equal(said("from=8 to=3", "at=orders/0"), 1);
    assert_orders(stage, 8);
    /* And once only: the group's offsets are the store's again. */
    stage_close(stage, 0);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).rewinds, 0);
    vf_memory_snapshot_free(before);
}

/* Also where who reads on from there dies before he has read anything. */
static void a_tail_lost_is_told_once_though_nothing_was_read_since(void **state)
{
    struct stage *stage = *state;
    struct vf_memory_snapshot *before = lose_tail_while_down(stage, true);
    stage_open(stage, 0);
    for (int i = 0; stage_counts(stage, 0).rewinds == 0 && i < 100; i++)
        stage_turn(stage, 0);
    vf_memory_server_set_down(stage->server, true); /* nothing can be written any more */
    stage_run(stage);
    stage_close(stage, 0);
    vf_memory_server_set_down(stage->server, false);
    vf_memory_server_restore(stage->server, before);
    (void)said("", NULL);
    stage_open(stage, 0);
    stage_run(stage);
    assert_true(said("from=8 to=3", NULL) <= 1); /* a death before the first commit of offsets: told again */
    assert_orders(stage, 8);
    vf_memory_snapshot_free(before);
}

static void a_partition_whose_progress_is_gone_is_told_too(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "customers", "c1", 1, "Changed", "null"); /* so that the store is not found emptied */
    struct vf_memory_snapshot *before = lose_tail_while_down(stage, false);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(said("from=8 to=0", "at=orders/0"), 1);
    assert_int_equal(said("emptied", NULL), 0);
    assert_orders(stage, 8);
    vf_memory_snapshot_free(before);
}

/* With the tail goes the adoption, and the worker goes on with what the store holds. */
static void an_adoption_that_was_lost_with_the_tail_is_told(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    send_orders(stage, 1, 3);
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    stage_adopt(stage, VF_PLAIN_TWICE);
    send_orders(stage, 4, 5);
    stage_run(stage);
    assert_int_equal(said("set back", NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o5"), 2);
    vf_memory_server_restore(stage->server, before);
    stage_run(stage);
    assert_int_equal(said("level=warn", "the store was set back to before generation 1 was adopted"), 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o5"), 1);
    vf_memory_snapshot_free(before);
}

static void nothing_is_told_where_nothing_was_lost(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    stage_run(stage);
    send_orders(stage, 1, 5);
    stage_run(stage);
    stage_close(stage, 0);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).rewinds, 0);
    /* What was dropped on purpose was not lost, though the group's offsets are still those of before. */
    stage_close(stage, 0);
    stage_drop(stage, true);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).rewinds, 0);
    assert_int_equal(said("lost its tail", NULL), 0);
    assert_orders(stage, 5);
}

/* Also where who begins it dies before the group's offsets are those of the new view. */
static void nothing_is_told_of_what_was_dropped(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    send_orders(stage, 1, 5);
    stage_run(stage);
    stage_close(stage, 0);
    stage_drop(stage, true);
    stage_open(stage, 0);
    while (stage_next(stage, "orders") < 2)
        stage_turn(stage, 0);
    stage_close(stage, 0);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(said("lost its tail", NULL), 0);
    assert_orders(stage, 5);
}

/* Progress tells how much was ever set aside, too, and each commit goes by it: who went on from the lower one with the count of
 * before could write nothing any more. What was parked since is parked again, in order, and once. */
static void a_tail_with_parked_events_is_taken_in_again(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].errors.then = VF_THEN_PARK;
    stage_open(stage, 0);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    stage_send(stage, "orders", "o1", 2, "Broken", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o2", 2, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_aside(stage, "orders"), 2);
    vf_memory_server_restore(stage->server, before);
    assert_int_equal(stage_aside(stage, "orders"), 0);
    (void)said("", NULL);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).rewinds, 1);
    assert_int_equal(said("from=5 to=2", "at=orders/0"), 1);
    assert_int_equal(stage_aside(stage, "orders"), 2);
    assert_int_equal(stage_waiting(stage, "order/o1"), 2);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o2"), 2);
    /* And who goes on from there, behind what is set aside. */
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 3);
    assert_int_equal(stage_aside(stage, "orders"), 3);
    vf_memory_snapshot_free(before);
}

/* And the other way round: what was set aside before is there again, though it had been taken in since. */
static void a_tail_in_which_lists_were_drained_is_taken_in_again(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    stage_send(stage, "orders", "o1", 3, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    int64_t chain = stage_chain(stage, "c1", "order/o1");
    vf_memory_server_restore(stage->server, before);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).rewinds, 1);
    assert_int_equal(said("from=3 to=2", "at=orders/0"), 1);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), chain);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 3);
    vf_memory_snapshot_free(before);
}

/* Somebody else has taken the tail in again, before this worker looked: it reads all anew, and has nothing to tell. */
static void progress_with_another_stamp_is_no_lost_tail(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    send_orders(stage, 1, 3);
    stage_run(stage);
    struct vf_counts before = stage_counts(stage, 0);
    (void)said("", NULL);
    stage_touch_progress(stage, "orders");
    stage_run(stage);
    struct vf_counts after = stage_counts(stage, 0);
    assert_true(after.positionings > before.positionings);
    assert_int_equal(after.rewinds, before.rewinds);
    assert_int_equal(said("lost its tail", NULL), 0);
    send_orders(stage, 4, 5);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 5);
    assert_orders(stage, 5);
}

/* It waited for room; then its progress went elsewhere, and there it stops for another reason, for which room is no remedy. */
static void who_waited_for_room_and_stops_elsewhere_waits_for_no_room(void **state)
{
    struct stage *stage = *state;
    stage_use_joins(stage);
    stage->setups[0].aside_max = 2;
    for (int version = 1; version <= 3; version++)
        stage_send_via(stage, "k1", version, version == 1 ? "Issued" : "Changed", "a1");
    vf_memory_log_append(stage->log, (struct vf_partition){"cards", 0}, VF_LITERAL("k1"), VF_LITERAL("no event"),
                         1772359200000);
    stage_open(stage, 0);
    stage_run(stage);
    assert_non_null(strstr(stage_stopped(stage, "cards", 0), "limits.aside"));
    stage_move_progress(stage, "cards", 3);
    stage_run(stage);
    assert_null(strstr(stage_stopped(stage, "cards", 0), "limits.aside"));
    int64_t stops = stage_counts(stage, 0).stops;
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 2);
    assert_int_equal(stage_counts(stage, 0).stops, stops);
    assert_int_equal(said("there is room to set events aside again", NULL), 0);
}

/* --- a view that is being rebuilt --------------------------------------------------------------------------------- */

#define GROUP_OF(stage) ((stage)->setups[0].source.group)

static const struct vf_partition orders = {"orders", 0};

/* Eight orders are in the store, and their offsets committed; a worker runs where `runs` says so. Then all is lost. */
static void lose_everything(struct stage *stage, bool runs)
{
    stage_open(stage, 0);
    send_orders(stage, 1, 8);
    stage_run(stage);
    assert_int_equal(stage_had(stage, "orders"), 0);
    assert_int_equal(vf_memory_log_committed(stage->log, GROUP_OF(stage), orders), 8);
    if (!runs)
        stage_close(stage, 0);
    vf_memory_server_wipe(stage->server);
}

/* Up to this offset, and at each step it is said up to where the view had come, until it has come there again. */
static void rebuild_to(struct stage *stage, size_t worker, int64_t next, int64_t had)
{
    for (int turn = 0; stage_next(stage, "orders") < next; turn++) {
        int64_t at = stage_next(stage, "orders");
        assert_int_equal(stage_had(stage, "orders"), at > 0 && at < had ? had : 0);
        assert_true(turn < 2000);
        stage_turn(stage, worker);
        vf_sim_clock_advance(&stage->clock, 50);
    }
    assert_int_equal(stage_next(stage, "orders"), next);
    assert_int_equal(stage_had(stage, "orders"), next < had ? had : 0);
}

static void assert_rebuilt(struct stage *stage)
{
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 8);
    assert_int_equal(stage_had(stage, "orders"), 0);
    assert_orders(stage, 8);
}

static void an_emptied_view_says_how_far_it_was_whoever_rebuilds_it(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, false);
    stage_open(stage, 0);
    rebuild_to(stage, 0, 3, 8);
    stage_close(stage, 0);
    stage_open(stage, 1);
    rebuild_to(stage, 1, 5, 8);
    stage_open(stage, 0); /* a rebalance */
    vf_memory_server_cut_connections(stage->server);
    stage_close(stage, 1);
    rebuild_to(stage, 0, 6, 8);
    stage_adopt(stage, VF_PLAIN_TWICE);
    rebuild_to(stage, 0, 7, 8);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 8);
    assert_int_equal(stage_had(stage, "orders"), 0);
}

static void what_is_lost_under_a_worker_is_rebuilt_up_to_where_it_was(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, true);
    rebuild_to(stage, 0, 3, 8);
    vf_memory_server_wipe(stage->server); /* once more, half-way */
    while (stage_next(stage, "orders") > 0)
        stage_turn(stage, 0);
    send_orders(stage, 9, 12);
    rebuild_to(stage, 0, 10, 8);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 12);
    assert_int_equal(stage_had(stage, "orders"), 0);
    assert_orders(stage, 12);
}

/* The first commit comes to nothing, and the positions are taken once more: the group's offsets are asked for only once. */
static void what_was_lost_is_known_until_the_store_holds_it(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, false);
    vf_memory_server_fault_commit(stage->server, VF_MEMORY_LOSE_BEFORE);
    stage_open(stage, 0);
    rebuild_to(stage, 0, 2, 8);
    assert_int_equal(stage_counts(stage, 0).unknown, 1);
    assert_rebuilt(stage);
}

static void turn_one(struct stage *stage, size_t worker)
{
    for (int turn = 0; turn < 400; turn++) {
        stage_turn(stage, worker);
        vf_sim_clock_advance(&stage->clock, 50);
    }
}

/* Who notices last may come when the others are through with their partitions. */
static void a_partition_that_is_begun_late_was_lost_too(void **state)
{
    struct stage *stage = *state;
    vf_memory_log_add_topic(stage->log, "orders", 2);
    stage_open(stage, 0);
    stage_open(stage, 1);
    stage_send_to(stage, "orders", 1, "o9", 1, "Created", "\"c1\"");
    stage_run(stage);
    send_orders(stage, 1, 8);
    turn_one(stage, 0);
    size_t late = stage_next(stage, "orders") == 8 ? 0 : 1; /* who has the partition in which they are */
    stage_run(stage);
    assert_orders(stage, 8);
    vf_memory_server_wipe(stage->server);
    turn_one(stage, 1 - late);
    assert_int_equal(stage_handled(stage, "c1", "order/o9"), 1);
    assert_int_equal(stage_next(stage, "orders"), 0);
    rebuild_to(stage, late, 3, 8);
    assert_rebuilt(stage);
}

/* As a process does that starts when the store is empty: it makes the generation anew, with another stamp. */
static void make_anew(struct stage *stage)
{
    struct vf_store *store;
    struct vf_generation registered;
    struct vf_error error;
    bool created;
    stage->proposed.stamp++;
    assert_int_equal(vf_memory_store_open_on(stage->server, &store, &error), VF_OK);
    assert_int_equal(vf_memory_store_type.prepare(store, stage->setups[0].view, &stage->proposed, stage->arena,
                                                  &registered, &created, &error),
                     VF_OK);
    assert_true(created);
    vf_memory_store_type.close(store);
}

static void a_view_that_others_have_registered_anew_was_lost_all_the_same(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, true);
    make_anew(stage);
    send_orders(stage, 9, 9); /* the worker's next commit is refused, as of another generation */
    rebuild_to(stage, 0, 3, 8);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 9);
    assert_int_equal(stage_had(stage, "orders"), 0);
    assert_orders(stage, 9);
}

/* A worker that has just been given the partition finds it lost first, and then learns of the other entry. */
static void what_was_found_lost_stays_so_when_others_have_registered_the_view_anew(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, true);
    make_anew(stage);
    vf_memory_log_rebalance(stage->log, GROUP_OF(stage));
    rebuild_to(stage, 0, 3, 8);
    assert_rebuilt(stage);
}

static void a_view_that_was_dropped_on_purpose_is_not_rebuilt(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    send_orders(stage, 1, 8);
    stage_run(stage);
    stage_drop(stage, true);
    vf_memory_log_rebalance(stage->log, GROUP_OF(stage)); /* so it is looked for before anybody hears of the drop */
    stage_run(stage);
    assert_int_equal(said("emptied", NULL), 0);
    make_anew(stage);
    rebuild_to(stage, 0, 2, 0);
    stage_open(stage, 1);
    stage_close(stage, 0);
    vf_memory_log_rebalance(stage->log, GROUP_OF(stage));
    rebuild_to(stage, 1, 5, 0);
    assert_rebuilt(stage);
}

/* But what was built in its place can be lost. */
static void a_view_that_followed_a_drop_is_rebuilt(void **state)
{
    struct stage *stage = *state;
    a_view_that_was_dropped_on_purpose_is_not_rebuilt(state);
    vf_memory_server_wipe(stage->server);
    vf_memory_log_rebalance(stage->log, GROUP_OF(stage)); /* nobody has read the partition before it was lost */
    rebuild_to(stage, 1, 3, 8);
    assert_rebuilt(stage);
}

/* What the group has committed may be of a log that is no more. */
static void no_more_is_rebuilt_than_the_log_has(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, false);
    vf_memory_log_recreate(stage->log, "orders");
    send_orders(stage, 1, 3);
    vf_memory_log_set_committed(stage->log, GROUP_OF(stage), orders, 8);
    stage_open(stage, 0);
    rebuild_to(stage, 0, 2, 3);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 3);
    assert_int_equal(stage_had(stage, "orders"), 0);
}

/* A broker that lost its last records comes back with fewer than the view had seen. */
static void at_the_logs_end_a_view_is_rebuilt(void **state)
{
    struct stage *stage = *state;
    lose_everything(stage, false);
    stage_open(stage, 0);
    rebuild_to(stage, 0, 3, 8);
    stage_close(stage, 0);
    vf_memory_log_recreate(stage->log, "orders");
    send_orders(stage, 1, 5);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 5);
    assert_int_equal(stage_had(stage, "orders"), 0);
}

/* --- a store that does not serve ---------------------------------------------------------------------------------- */

/* The memory store, which says now and then what its server says of itself. */
static struct vf_store_type looking;
static enum vf_code state_of_server;
static const char *state_text;
static int looks;

static enum vf_code look(struct vf_store *store, struct vf_error *error)
{
    (void)store;
    looks++;
    return state_of_server ? vf_fail(error, state_of_server, "%s", state_text) : VF_OK;
}

static enum vf_code open_store(const struct vf_store_config *config, struct vf_store **ret_store,
                               struct vf_error *error)
{
    if (state_of_server == VF_E_CONFIG) /* who is opened anew is asked the same */
        return vf_fail(error, state_of_server, "%s", state_text);
    return vf_memory_store_type.open(config, ret_store, error);
}

static void use_looking_store(struct stage *stage)
{
    looking = vf_memory_store_type;
    looking.look = look;
    looking.open = open_store;
    state_of_server = VF_OK;
    looks = 0;
    stage->setups[0].store_type = &looking;
}

static enum vf_worker_state state_of(struct stage *stage)
{
    struct vf_worker_report report;
    vf_worker_report(stage->workers[0], &report);
    return report.state;
}

/* Not only an idle worker looks: one that always has something to write would give documents to a server that evicts. */
static void a_store_that_would_lose_documents_gets_none_until_it_is_mended(void **state)
{
    struct stage *stage = *state;
    use_looking_store(stage);
    send_orders(stage, 1, 3);
    stage_open(stage, 0);
    stage_run(stage);
    assert_true(looks > 0);
    (void)said("", NULL);
    state_of_server = VF_E_CONFIG;
    state_text = "it evicts";
    stage_run(stage);
    send_orders(stage, 4, 6);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 3);
    assert_int_equal(state_of(stage), VF_WORKER_WAITING);
    state_text = "it is a replica"; /* another reason is said too */
    stage_run(stage);
    state_of_server = VF_OK;
    stage_run(stage);
    assert_int_equal(state_of(stage), VF_WORKER_RUNNING);
    assert_orders(stage, 6);
}

static void each_reason_for_waiting_is_said_once(void **state)
{
    struct stage *stage = *state;
    use_looking_store(stage);
    stage_open(stage, 0);
    stage_run(stage);
    (void)said("", NULL);
    state_of_server = VF_E_CONFIG;
    state_text = "it evicts";
    stage_run(stage);
    assert_int_equal(said("it evicts", "level=warn"), 1);
    stage_run(stage);
    assert_int_equal(said("it evicts", NULL), 0);
    state_text = "it is a replica";
    stage_run(stage);
    stage_run(stage);
    assert_int_equal(said("it is a replica", "level=warn"), 1);
    state_of_server = VF_OK;
    stage_run(stage);
    assert_int_equal(said("the store is back", NULL), 1);
}

static void a_busy_worker_looks_too(void **state)
{
    struct stage *stage = *state;
    use_looking_store(stage);
    stage_open(stage, 0);
    stage_run(stage);
    send_orders(stage, 1, 200);
    looks = 0;
    for (int turn = 0; turn < 100; turn++) { /* never idle: a batch is one record */
        vf_sim_clock_advance(&stage->clock, 1000);
        stage_turn(stage, 0);
    }
    assert_true(looks >= 20);
}

/* Another server behind the same address: what is warm belongs to the one before. */
static void another_server_is_read_anew(void **state)
{
    struct stage *stage = *state;
    use_looking_store(stage);
    send_orders(stage, 1, 3);
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_counts before = stage_counts(stage, 0);
    state_of_server = VF_E_UNAVAILABLE;
    state_text = "it is another one";
    while (stage_counts(stage, 0).store_losses == before.store_losses) {
        vf_sim_clock_advance(&stage->clock, 1000);
        stage_turn(stage, 0);
    }
    state_of_server = VF_OK;
    stage_run(stage);
    assert_true(stage_counts(stage, 0).positionings > before.positionings);
    send_orders(stage, 4, 4);
    stage_run(stage);
    assert_orders(stage, 4);
}

static void decide(struct stage *stage, const char *aggregate, int64_t offset)
{
    stage_decide(stage, &(struct vf_dropped){.aggregate = vf_bytes_from(aggregate),
                                             .partition = {"orders", 0},
                                             .offset = offset,
                                             .timestamp_ms = 1772359200000,
                                             .identity = 1});
}

/* It had lost one, and somebody has taken another one since: there are as many as the worker knows. */
static void a_store_that_went_back_has_other_decisions(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    decide(stage, "order/o1", 2);
    stage_send(stage, "orders", "o3", 1, "Created", "\"c1\"");
    stage_run(stage);
    vf_memory_server_restore(stage->server, before);
    vf_memory_snapshot_free(before);
    decide(stage, "order/o2", 4);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 2, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    assert_int_equal(stage_handled(stage, "c1", "order/o2"), 1);
}

int main(void)
{
    char path[] = "/tmp/viewfold-test-XXXXXX";
    log_fd = mkstemp(path);
    if (log_fd < 0)
        return 1;
    log_file = fopen(path, "r");
    unlink(path);
#define SCENARIO(function) cmocka_unit_test_setup_teardown(function, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        SCENARIO(a_tail_lost_while_nobody_ran_is_told_by_who_comes_next),
        SCENARIO(a_tail_lost_is_told_once_though_nothing_was_read_since),
        SCENARIO(a_partition_whose_progress_is_gone_is_told_too),
        SCENARIO(an_adoption_that_was_lost_with_the_tail_is_told),
        SCENARIO(nothing_is_told_where_nothing_was_lost),
        SCENARIO(nothing_is_told_of_what_was_dropped),
        SCENARIO(a_tail_with_parked_events_is_taken_in_again),
        SCENARIO(a_tail_in_which_lists_were_drained_is_taken_in_again),
        SCENARIO(progress_with_another_stamp_is_no_lost_tail),
        SCENARIO(who_waited_for_room_and_stops_elsewhere_waits_for_no_room),
        SCENARIO(an_emptied_view_says_how_far_it_was_whoever_rebuilds_it),
        SCENARIO(what_is_lost_under_a_worker_is_rebuilt_up_to_where_it_was),
        SCENARIO(what_was_lost_is_known_until_the_store_holds_it),
        SCENARIO(a_partition_that_is_begun_late_was_lost_too),
        SCENARIO(a_view_that_others_have_registered_anew_was_lost_all_the_same),
        SCENARIO(what_was_found_lost_stays_so_when_others_have_registered_the_view_anew),
        SCENARIO(a_view_that_was_dropped_on_purpose_is_not_rebuilt),
        SCENARIO(a_view_that_followed_a_drop_is_rebuilt),
        SCENARIO(no_more_is_rebuilt_than_the_log_has),
        SCENARIO(at_the_logs_end_a_view_is_rebuilt),
        SCENARIO(a_store_that_would_lose_documents_gets_none_until_it_is_mended),
        SCENARIO(each_reason_for_waiting_is_said_once),
        SCENARIO(a_busy_worker_looks_too),
        SCENARIO(another_server_is_read_anew),
        SCENARIO(a_store_that_went_back_has_other_decisions),
    };
    return cmocka_run_group_tests_name("rewinds", tests, NULL, NULL);
}
