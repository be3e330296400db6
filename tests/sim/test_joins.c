/* Links, moves, deletes and what waits, in situations that chance meets too rarely: a test's name says what holds in it. */
#include "sim/stage.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    int result = stage_setup(state);
    stage_use_joins(*state);
    return result;
}

static void assert_goes_on(struct stage *stage, const char *topic)
{
    const char *why = stage_stopped(stage, topic, 0);
    if (why)
        fail_msg("%s stopped: %s", topic, why);
}

static void assert_stopped(struct stage *stage, const char *topic, const char *words)
{
    const char *why = stage_stopped(stage, topic, 0);
    if (!why || !strstr(why, words))
        fail_msg("%s stopped: %s; wanted: %s", topic, why ? why : "it goes on", words);
}

/* Turns of one worker until the topic has come so far: what follows from that may be under way. */
static void run_to(struct stage *stage, size_t worker, const char *topic, int64_t next)
{
    for (int turn = 0; stage_next(stage, topic) < next; turn++) {
        if (turn == 400)
            fail_msg("%s does not come to %lld", topic, (long long)next);
        stage_turn(stage, worker);
        vf_sim_clock_advance(&stage->clock, 50);
    }
}

/* Two workers: one has partition 0 of every topic, the other has partition 1 of orders and cards. */
static void open_both(struct stage *stage)
{
    vf_memory_log_add_topic(stage->log, "orders", 2);
    vf_memory_log_add_topic(stage->log, "cards", 2);
    stage_open(stage, 0);
    stage_open(stage, 1);
    stage_run(stage);
}

static size_t owner_of_first_partitions(struct stage *stage)
{
    struct vf_worker_report report;
    vf_worker_report(stage->workers[0], &report);
    assert_true(report.partitions == 2 || report.partitions == 4);
    return report.partitions == 4 ? 0 : 1;
}

static void send_card(struct stage *stage, const char *id, int64_t version, const char *type, const char *via)
{
    char to[40];
    snprintf(to, sizeof to, "null,\"via\":\"%s\"", via);
    stage_send_to(stage, "cards", 1, id, version, type, to);
}

/* --- what waits ---------------------------------------------------------------------------------------------------- */

/* A card, through an account that comes much later, by another worker. */
static void what_waits_is_taken_in_by_whoever_writes_the_link(void **state)
{
    struct stage *stage = *state;
    stage_send_via(stage, "k1", 1, "Issued", "a1");
    stage_send_via(stage, "k1", 2, "Changed", "a1");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "cards"), 2);
    assert_int_equal(stage_waiting(stage, "/waiters/account/a1"), 1);
    assert_int_equal(stage_waiting(stage, "card/k1"), 1);
    stage_close(stage, 0);
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    stage_open(stage, 1);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "account/a1"), 1);
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 2);
    stage_send_via(stage, "k1", 3, "Changed", "a1");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 3);
}

static void what_waits_is_in_the_commit_of_its_link(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 20;
    for (int64_t version = 1; version <= 3; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 3);
    stage_send(stage, "orders", "o1", 4, "Created", "\"c1\"");
    run_to(stage, 0, "orders", 4);
    assert_int_equal(stage->taken_most, 3);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){4, 1, 2, 3}, 4));
}

/* Taken in one by one, with a crash in between, while more comes. */
static void a_list_longer_than_a_batch_is_drained_in_parts(void **state)
{
    struct stage *stage = *state;
    for (int64_t version = 1; version <= 5; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 6, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 7, "Changed", "null");
    run_to(stage, 0, "orders", 7);
    assert_true(stage_waiting(stage, "order/o1") > 0);
    stage_close(stage, 0);
    stage_send(stage, "orders", "o1", 8, "Changed", "null");
    stage_open(stage, 1);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage->taken_most, 1);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"),
                     stage_chain_of((const int64_t[]){6, 1, 2, 3, 4, 5, 7, 8}, 8));
    stage_send(stage, "orders", "o1", 8, "Changed", "null"); /* and what has been seen is known */
    stage_send(stage, "orders", "o1", 9, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 9);
    assert_goes_on(stage, "orders");
}

static void a_drain_that_meets_a_conflict_is_folded_again(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 20;
    stage_send_via(stage, "k1", 1, "Issued", "a1");
    stage_send_via(stage, "k1", 2, "Changed", "a1");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
    stage_turn(stage, 0);
    stage_write_customer(stage, "c1", true);
    stage_run(stage);
    assert_true(stage_counts(stage, 0).conflicts > 0);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 2);
    assert_int_equal(stage_handled(stage, "c1", "customer/x"), 1);
}

/* Both see the world without the other's: one has to lose. */
static void a_link_and_who_begins_to_wait_for_it_do_not_miss_each_other(void **state)
{
    struct stage *stage = *state;
    open_both(stage);
    for (size_t round = 0; round < 10; round++) {
        char account[8], card[8], aggregate[16];
        snprintf(account, sizeof account, "a%zu", round);
        snprintf(card, sizeof card, "k%zu", round);
        snprintf(aggregate, sizeof aggregate, "card/%s", card);
        send_card(stage, card, 1, "Issued", account);
        stage_send(stage, "accounts", account, 1, "Created", "\"c1\"");
        vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
        stage_turn(stage, round % 2); /* sent, and not there yet */
        stage_turn(stage, 1 - round % 2);
        stage_run(stage);
        assert_int_equal(stage_handled(stage, "c1", aggregate), 1);
    }
    assert_true(stage_counts(stage, 0).conflicts + stage_counts(stage, 1).conflicts > 0);
    assert_int_equal(stage_waiting(stage, NULL), 0);
}

/* Who has put events into a list remembers it as it was; who was draining it is dead, and nothing else ever comes. */
static void a_list_that_was_left_half_drained_is_drained_by_another(void **state)
{
    struct stage *stage = *state;
    open_both(stage);
    size_t owner = owner_of_first_partitions(stage);
    for (int64_t i = 1; i <= 4; i++) {
        char card[8];
        snprintf(card, sizeof card, "k%d", (int)i);
        send_card(stage, card, 1, "Issued", "a1");
    }
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/waiters/account/a1"), 4);
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    run_to(stage, owner, "accounts", 1);
    assert_true(stage_waiting(stage, "/waiters/account/a1") > 0);
    stage_close(stage, owner);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "card/k4"), 1);
}

/* One batch leaves more lists behind than are drained in one turn. No time passes in which a worker could look again. */
static void who_has_caught_up_has_taken_in_all_lists(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 40;
    char card[8], account[8];
    for (int i = 1; i <= 40; i++) {
        snprintf(card, sizeof card, "k%d", i);
        snprintf(account, sizeof account, "a%d", i);
        stage_send_via(stage, card, 1, "Issued", account);
        stage_send_via(stage, card, 2, "Changed", account);
    }
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 80);
    for (int i = 1; i <= 40; i++) {
        snprintf(account, sizeof account, "a%d", i);
        stage_send(stage, "accounts", account, 1, "Created", "\"c1\"");
    }
    run_to(stage, 0, "accounts", 40);
    assert_in_range(stage_waiting(stage, NULL), 20, 60);
    struct vf_worker_report report = {0};
    for (int turn = 0; turn < 200 && !report.caught_up; turn++) {
        stage_turn(stage, 0);
        vf_worker_report(stage->workers[0], &report);
        vf_sim_clock_advance(&stage->clock, 1);
    }
    assert_true(report.caught_up);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "card/k40"), 2);
}

/* The store does not look at records that are only followed. This one went nowhere, when the other worker moved it: so no
 * document tells of the move either. */
static void a_link_is_followed_to_where_it_is_now(void **state)
{
    struct stage *stage = *state;
    vf_memory_server_set_touch(stage->server, true);
    open_both(stage);
    stage_send(stage, "accounts", "a1", 1, "Created", "null");
    stage_run(stage);
    send_card(stage, "k1", 1, "Issued", "a1");
    stage_run(stage); /* the account's record is in both caches */
    stage_send(stage, "accounts", "a1", 2, "Reassigned", "\"c2\"");
    stage_run(stage);
    send_card(stage, "k2", 1, "Issued", "a1");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c2", "card/k2"), 1);
}

static void a_store_that_goes_back_waits_again(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_open(stage, 0);
    struct vf_memory_snapshot *before = vf_memory_server_snapshot(stage->server);
    stage_run(stage);
    struct vf_memory_snapshot *held = vf_memory_server_snapshot(stage->server);
    stage_send(stage, "orders", "o1", 2, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    vf_memory_server_restore(stage->server, held);
    assert_int_equal(stage_waiting(stage, "order/o1"), 1);
    stage_run(stage);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){2, 1}, 2));
    vf_memory_server_restore(stage->server, before);
    stage_run(stage);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){2, 1}, 2));
    assert_int_equal(stage_waiting(stage, NULL), 0);
    vf_memory_snapshot_free(before);
    vf_memory_snapshot_free(held);
}

static void a_repeat_of_what_waits_waits_once(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "orders"), 4);
    assert_int_equal(stage_waiting(stage, NULL), 2);
    stage_send(stage, "orders", "o1", 4, "Created", "\"c1\""); /* behind a hole */
    stage_run(stage);
    assert_stopped(stage, "orders", "version 4 came after 2");
    assert_int_equal(stage_waiting(stage, NULL), 2);
}

/* Each event is dealt with by another worker than the last. */
static void what_waits_does_not_care_whose_partition_it_came_from(void **state)
{
    struct stage *stage = *state;
    open_both(stage);
    for (int64_t version = 1; version <= 6; version++) {
        stage_send_via(stage, "k1", version, version == 3 ? "Issued" : "Changed", "a1");
        vf_memory_log_rebalance(stage->log, stage->setups[0].source.group);
        stage_run(stage);
    }
    assert_int_equal(stage_waiting(stage, "/waiters/account/a1"), 1);
    assert_int_equal(stage_waiting(stage, "card/k1"), 5);
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    vf_memory_log_rebalance(stage->log, stage->setups[0].source.group);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 6);
}

static void what_waits_is_folded_by_the_script_that_was_adopted_meanwhile(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_adopt(stage, VF_PLAIN_TWICE);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 2, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2 + 2);
}

/* A handler has left a table in two places, and the next one, which moves its aggregate, has counted twice. Before the batch ends
 * the document that it has left is gone, and with it what would tell. */
static void what_shares_tables_does_not_take_along_what_has_changed_twice(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 20;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    int64_t created = stage_chain(stage, "c1", "order/o1");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 2, "Shared", "null");
    stage_send(stage, "orders", "o1", 3, "Reassigned", "\"c2\"");
    stage_send(stage, "orders", "o2", 3, "Deleted", "null");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    int64_t left = 1; /* so many times */
    assert_int_equal(stage_chain(stage, "c2", "order/o1"),
                     vf_plain_chain(created + left, 3, (struct vf_bytes){0}, 'R'));
}

/* The handler that moves its aggregate counts that in the document that it leaves, and one that is gone, and stays so, keeps no
 * count. */
static void a_document_that_is_gone_keeps_nothing_of_what_leaves_it(void **state)
{
    struct stage *stage = *state;
    stage_open(stage, 0);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_run(stage);
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o2", 2, "Deleted", "null");
    stage_send(stage, "orders", "o1", 2, "Reassigned", "\"c2\"");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    stage_send(stage, "orders", "o1", 3, "Reassigned", "\"c1\"");
    stage_send(stage, "orders", "o1", 4, "Reassigned", "\"c3\"");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    int64_t left = 1; /* so many times */
    assert_int_equal(stage_chain(stage, "c3", "order/o1"), vf_plain_chain(left, 4, (struct vf_bytes){0}, 'R'));
}

/* The hole is filled, and what came early is taken in one by one. Meanwhile it comes once more, by another worker, whose batches
 * have to go on with the list before anything new. */
static void a_repeat_of_what_came_early_is_a_duplicate_while_that_is_drained(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].errors.then = stage->setups[1].errors.then = VF_THEN_PARK;
    open_both(stage);
    size_t owner = owner_of_first_partitions(stage);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    for (int64_t version = 3; version <= 8; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "/early/order/o1"), 6);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    run_to(stage, owner, "orders", 8);
    assert_in_range(stage_waiting(stage, "/early/order/o1"), 3, 5);
    for (int64_t version = 3; version <= 8; version++)
        stage_send_to(stage, "orders", 1, "o1", version, "Changed", "null");
    for (int turn = 0; turn < 20; turn++)
        stage_turn(stage, 1 - owner);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 8);
    assert_int_equal(stage_counts(stage, 0).duplicates + stage_counts(stage, 1).duplicates, 6);
}

/* Its link has come, and goes on; what cannot be taken in stays where it is, and what is behind it. */
static void what_waits_and_cannot_be_taken_in_stops_no_partition(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 20;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Broken", "null");
    stage_send(stage, "orders", "o1", 3, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_send(stage, "orders", "o2", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "orders");
    assert_int_equal(stage_next(stage, "orders"), 5);
    assert_int_equal(stage_chain(stage, "c1", "order/o1"), stage_chain_of((const int64_t[]){3, 1}, 2));
    assert_int_equal(stage_handled(stage, "c1", "order/o2"), 1);
    assert_int_equal(stage_waiting(stage, "order/o1"), 2);
}

/* --- room ---------------------------------------------------------------------------------------------------------- */

static void expect_a_full_list(struct stage *stage)
{
    stage_send_via(stage, "k1", 1, "Issued", "a1");
    for (int64_t version = 2; version <= 4; version++)
        stage_send_via(stage, "k1", version, "Changed", "a1");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "cards"), 2);
    assert_stopped(stage, "cards", "limits.aside");
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_next(stage, "cards"), 4);
    assert_goes_on(stage, "cards");
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 4);
}

static void a_full_list_makes_its_partition_wait(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].aside_max = 2;
    expect_a_full_list(stage);
}

/* What the batch has set aside before the event for which there is no room is in no store yet: asked too early, the store says
 * that there is room, and the batch is folded again and again. */
static void a_list_that_becomes_full_within_a_batch_makes_its_partition_wait(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].aside_max = 2;
    stage->setups[0].batch.events_max = 100;
    expect_a_full_list(stage);
}

static void a_list_of_large_events_makes_its_partition_wait(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].aside_bytes_max = 550; /* two of them, and not three */
    stage->setups[0].batch.events_max = 100;
    expect_a_full_list(stage);
}

/* --- links --------------------------------------------------------------------------------------------------------- */

static void what_follows_an_aggregate_that_goes_nowhere_goes_nowhere(void **state)
{
    struct stage *stage = *state;
    stage_send_via(stage, "k1", 1, "Issued", "a1");
    stage_send_via(stage, "k1", 2, "Changed", "a1");
    stage_send(stage, "accounts", "a1", 1, "Created", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send_via(stage, "k1", 3, "Changed", "a1");
    stage_run(stage);
    assert_int_equal(stage_next(stage, "cards"), 3);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_goes_on(stage, "cards");
}

/* `run --once` ends when nothing is left to do: with lists to look after, and without. */
static void a_view_catches_up(struct stage *stage, size_t routes)
{
    struct vf_worker_report report;
    stage->projection.route_count = routes;
    stage->setups[0].once = true;
    stage_send(stage, "customers", "c1", 1, "Created", "null");
    stage_open(stage, 0);
    stage_run(stage);
    vf_worker_report(stage->workers[0], &report);
    assert_true(report.caught_up);
}

static void a_view_with_links_catches_up(void **state)
{
    a_view_catches_up(*state, 2);
}

static void a_view_without_links_catches_up(void **state)
{
    a_view_catches_up(*state, 1);
}

static void a_link_is_followed_once(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    stage_send_via(stage, "k1", 1, "Issued", "a1");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "accounts", "a1", 2, "Reassigned", "\"c2\"");
    stage_run(stage);
    stage_send_via(stage, "k1", 2, "Issued", "a1");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "card/k1"), 2);
    assert_int_equal(stage_handled(stage, "c2", "account/a1"), 2);
}

static void a_link_through_itself_is_a_mistake(void **state)
{
    struct stage *stage = *state;
    static const struct vf_link itself = {.type = "Issued", .through = "card"};
    stage->routes[3].links = &itself;
    stage_send_via(stage, "k1", 1, "Issued", "k1");
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "cards", "through itself");
    assert_int_equal(stage_waiting(stage, NULL), 0);
}

static void events_without_a_link_are_ignored_where_the_projection_says_so(void **state)
{
    struct stage *stage = *state;
    stage->projection.unlinked = VF_UNLINKED_IGNORE;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 2, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "orders");
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
}

static void events_without_a_link_stop_their_partition_where_the_projection_says_so(void **state)
{
    struct stage *stage = *state;
    stage->projection.unlinked = VF_UNLINKED_PARK;
    stage_send(stage, "orders", "o1", 1, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_stopped(stage, "orders", "unlinked = ");
    assert_int_equal(stage_waiting(stage, NULL), 0);
}

/* --- moves --------------------------------------------------------------------------------------------------------- */

static void a_move_takes_along_what_was_there(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Reassigned", "\"c2\"");
    stage_send(stage, "orders", "o1", 4, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 0);
    assert_int_equal(stage_handled(stage, "c1", "left order/o1"), 1);
    assert_int_equal(stage_handled(stage, "c2", "order/o1"), 4);
}

static void a_link_that_says_the_same_again_is_no_move(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Reassigned", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2);
    assert_int_equal(stage_handled(stage, "c1", "left order/o1"), 0);
}

static void a_move_meets_a_write_of_the_document_that_it_leaves(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 2, "Reassigned", "\"c2\"");
    vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
    stage_turn(stage, 0);
    stage_write_customer(stage, "c1", true);
    stage_run(stage);
    assert_int_equal(stage_counts(stage, 0).conflicts, 1);
    assert_int_equal(stage_handled(stage, "c1", "customer/x"), 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 0);
    assert_int_equal(stage_handled(stage, "c2", "order/o1"), 2);
}

static void a_repeat_of_an_old_link_does_not_move_back(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Reassigned", "\"c2\"");
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c2", "order/o1"), 3);
    assert_int_equal(stage_handled(stage, "c1", "left order/o1"), 1);
}

static void who_moves_to_nowhere_and_back_misses_nothing(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "orders", "o1", 2, "Reassigned", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o1", 4, "Reassigned", "\"c1\"");
    stage_send(stage, "orders", "o1", 3, "Changed", "null");
    stage_send(stage, "orders", "o1", 5, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_goes_on(stage, "orders");
    assert_int_equal(stage_handled(stage, "c1", "left order/o1"), 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 2); /* the part that left was thrown away */
}

/* --- deletes ------------------------------------------------------------------------------------------------------- */

static void a_late_order_does_not_bring_back_what_was_deleted(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send(stage, "customers", "c1", 2, "Deleted", "null");
    stage_open(stage, 0);
    stage_run(stage);
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    stage_send(stage, "customers", "c1", 3, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_PRESENT);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 0);
    stage_send(stage, "orders", "o1", 2, "Changed", "null");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 1);
}

/* It leaves one customer for another who is deleted: it is gone from both. */
static void a_move_to_what_was_deleted_leaves_the_other(void **state)
{
    struct stage *stage = *state;
    stage_send(stage, "orders", "o1", 1, "Created", "\"c1\"");
    stage_send(stage, "customers", "c2", 1, "Deleted", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c2"), VF_HUSK_DELETED);
    stage_send(stage, "orders", "o1", 2, "Reassigned", "\"c2\"");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c2"), VF_HUSK_DELETED);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 0);
    assert_int_equal(stage_handled(stage, "c1", "left order/o1"), 1);
}

static void a_deletion_and_an_order_at_the_same_moment_come_in_one_order(void **state)
{
    struct stage *stage = *state;
    open_both(stage);
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_send_to(stage, "orders", 1, "o1", 1, "Created", "\"c1\"");
    stage_run(stage);
    int64_t version = 1;
    for (size_t round = 0; round < 10; round++) {
        version++;
        stage_send(stage, "customers", "c1", version, round % 2 ? "Changed" : "Deleted", "null");
        stage_send_to(stage, "orders", 1, "o1", version, "Changed", "null");
        vf_memory_server_fault_commit(stage->server, VF_MEMORY_AT_WAIT);
        stage_turn(stage, round / 2 % 2);
        stage_turn(stage, 1 - round / 2 % 2);
        stage_run(stage);
        assert_int_equal(stage_presence(stage, "c1"), round % 2 ? VF_PRESENT : VF_HUSK_DELETED);
        if (round % 2) /* the order's came before or after */
            assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
    }
    assert_true(stage_counts(stage, 0).conflicts + stage_counts(stage, 1).conflicts > 0);
}

/* Whoever sweeps remembers it as it was before the other deleted it, and the store says that it is due. */
static void what_another_has_deleted_is_forgotten_in_time(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < STAGE_WORKERS; i++) {
        stage->setups[i].sweeps = true;
        stage->setups[i].forget_ms = 3600000;
    }
    open_both(stage);
    stage_send(stage, "customers", "c1", 1, "Changed", "null");
    stage_run(stage);
    stage_send_to(stage, "orders", 1, "o1", 1, "Created", "\"c1\"");
    stage_send_to(stage, "orders", 1, "o1", 2, "Deleted", "null");
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_HUSK_DELETED);
    stage->clock.wall_ms += (int64_t)24 * 3600000;
    stage_run(stage);
    assert_int_equal(stage_presence(stage, "c1"), VF_ABSENT);
}

int main(void)
{
#define JOIN(function) cmocka_unit_test_setup_teardown(function, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        JOIN(what_waits_is_taken_in_by_whoever_writes_the_link),
        JOIN(what_waits_is_in_the_commit_of_its_link),
        JOIN(a_list_longer_than_a_batch_is_drained_in_parts),
        JOIN(a_drain_that_meets_a_conflict_is_folded_again),
        JOIN(a_link_and_who_begins_to_wait_for_it_do_not_miss_each_other),
        JOIN(a_list_that_was_left_half_drained_is_drained_by_another),
        JOIN(who_has_caught_up_has_taken_in_all_lists),
        JOIN(a_link_is_followed_to_where_it_is_now),
        JOIN(a_store_that_goes_back_waits_again),
        JOIN(a_repeat_of_what_waits_waits_once),
        JOIN(what_waits_does_not_care_whose_partition_it_came_from),
        JOIN(what_waits_is_folded_by_the_script_that_was_adopted_meanwhile),
        JOIN(what_shares_tables_does_not_take_along_what_has_changed_twice),
        JOIN(a_repeat_of_what_came_early_is_a_duplicate_while_that_is_drained),
        JOIN(what_waits_and_cannot_be_taken_in_stops_no_partition),
        JOIN(a_document_that_is_gone_keeps_nothing_of_what_leaves_it),
        JOIN(a_full_list_makes_its_partition_wait),
        JOIN(a_list_that_becomes_full_within_a_batch_makes_its_partition_wait),
        JOIN(a_list_of_large_events_makes_its_partition_wait),
        JOIN(what_follows_an_aggregate_that_goes_nowhere_goes_nowhere),
        JOIN(a_view_with_links_catches_up),
        JOIN(a_view_without_links_catches_up),
        JOIN(a_link_is_followed_once),
        JOIN(a_link_through_itself_is_a_mistake),
        JOIN(events_without_a_link_are_ignored_where_the_projection_says_so),
        JOIN(events_without_a_link_stop_their_partition_where_the_projection_says_so),
        JOIN(a_move_takes_along_what_was_there),
        JOIN(a_link_that_says_the_same_again_is_no_move),
        JOIN(a_move_meets_a_write_of_the_document_that_it_leaves),
        JOIN(a_repeat_of_an_old_link_does_not_move_back),
        JOIN(who_moves_to_nowhere_and_back_misses_nothing),
        JOIN(a_late_order_does_not_bring_back_what_was_deleted),
        JOIN(a_move_to_what_was_deleted_leaves_the_other),
        JOIN(what_another_has_deleted_is_forgotten_in_time),
        JOIN(a_deletion_and_an_order_at_the_same_moment_come_in_one_order),
    };
    return cmocka_run_group_tests_name("joins", tests, NULL, NULL);
}
