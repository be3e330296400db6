/* A store that never takes what some event makes: a rule of its owner stands against it. */
#include "sim/stage.h"

#include <stdio.h>
#include <string.h>

/* The rule: no document may have taken in this aggregate's event of this number, or a later one. NULL: there is none. */
static const char *against;
static int64_t against_from;
static bool against_lists; /* nor may an event of that aggregate come into a list */
static bool refused;
static int refusals;

static bool has_entry(const struct vf_document *document)
{
    for (size_t i = 0; i < document->version_count; i++)
        if (vf_bytes_is(document->versions[i].aggregate, against) && document->versions[i].version >= against_from)
            return true;
    return false;
}

static bool is_against(const struct vf_commit *commit)
{
    bool found = false;
    for (size_t i = 0; against && i < commit->document_count; i++)
        found |= commit->documents[i].intent == VF_WRITE && has_entry(&commit->documents[i].next);
    for (size_t i = 0; against && against_lists && i < commit->aside_count; i++)
        found |= vf_bytes_is(commit->asides[i].aggregate, against);
    return found;
}

static void send_commit(struct vf_store *store, const struct vf_commit *commit)
{
    refused = is_against(commit);
    refusals += refused;
    if (!refused)
        vf_memory_store_type.commit_send(store, commit);
}

static void wait_for_commit(struct vf_store *store, struct vf_commit_result *ret_result)
{
    if (!refused) {
        vf_memory_store_type.commit_wait(store, ret_result);
        return;
    }
    refused = false;
    *ret_result = (struct vf_commit_result){.outcome = VF_REFUSED};
    (void)vf_fail(&ret_result->error, VF_E_LIMIT, "against the rule");
}

static struct vf_store_type with_rule;

static int setup(void **state)
{
    int result = stage_setup(state);
    struct stage *stage = *state;
    stage_use_joins(stage);
    with_rule = vf_memory_store_type;
    with_rule.commit_send = send_commit;
    with_rule.commit_wait = wait_for_commit;
    against = NULL;
    against_lists = false;
    refusals = 0;
    for (size_t i = 0; i < STAGE_WORKERS; i++) {
        stage->setups[i].batch.events_max = 20;
        stage->setups[i].errors.then = VF_THEN_PARK;
        stage->setups[i].store_type = &with_rule;
    }
    return result;
}

static void set_rule(const char *aggregate, int64_t version)
{
    against = aggregate;
    against_from = version;
}

static void send_customers(struct stage *stage)
{
    for (int64_t version = 1; version <= 4; version++) {
        stage_send(stage, "customers", "c1", version, "Changed", "null");
        stage_send(stage, "customers", "c2", version, "Changed", "null");
    }
}

static void its_event_is_parked_and_all_others_go_on(void **state)
{
    struct stage *stage = *state;
    set_rule("customer/c1", 2);
    send_customers(stage);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "customers"), 8);
    assert_null(stage_stopped(stage, "customers", 0));
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 1);
    assert_int_equal(stage_handled(stage, "c2", "customer/c2"), 4);
    assert_int_equal(stage_waiting(stage, "customer/c1"), 3);
    const struct vf_aggregate *record = stage_record(stage, "customer/c1");
    assert_true(record->parked);
    assert_true(vf_bytes_is(record->failure.error, "against the rule"));
    assert_int_equal(stage_counts(stage, 0).parked, 1);
    int before = refusals; /* it is not tried for ever */
    stage_run(stage);
    assert_int_equal(refusals, before);
}

static void it_stops_where_the_configuration_wants_that(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].errors.then = VF_THEN_STOP;
    set_rule("customer/c1", 2);
    send_customers(stage);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "customers"), 2);
    assert_non_null(strstr(stage_stopped(stage, "customers", 0), "against the rule"));
    assert_int_equal(stage_waiting(stage, NULL), 0);
}

/* It is tried again before it is parked, and the store may take it then. */
static void what_the_store_takes_after_all_is_taken_in(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 1;
    stage->setups[0].errors.retries = 2;
    set_rule("customer/c1", 2);
    send_customers(stage);
    stage_open(stage, 0);
    for (int turn = 0; refusals == 0 && turn < 400; turn++)
        stage_turn(stage, 0);
    assert_int_equal(refusals, 1);
    set_rule(NULL, 0);
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "customer/c1"), 4);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_counts(stage, 0).parked, 0);
}

/* What is too large for its place in a list, too. */
static void what_not_even_a_list_takes_stops_its_partition(void **state)
{
    struct stage *stage = *state;
    set_rule("customer/c1", 2);
    against_lists = true;
    send_customers(stage);
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_next(stage, "customers"), 2);
    assert_non_null(strstr(stage_stopped(stage, "customers", 0), "against the rule"));
}

/* Many wait for a link, and one of them makes what the store does not take: neither the event that brings the link is to blame,
 * nor any other, also while others' events keep coming. */
static void of_what_waits_for_a_link_only_that_one_is_parked(void **state)
{
    struct stage *stage = *state;
    char card[16];
    for (int i = 0; i < 30; i++) {
        snprintf(card, sizeof card, "k%d", i);
        stage_send_via(stage, card, 1, "Issued", "a1");
        stage_send_via(stage, card, 2, "Changed", "a1");
    }
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 60);
    set_rule("card/k17", 1);
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    for (int64_t version = 1; version <= 60; version++) {
        stage_send(stage, "customers", "c2", version, "Changed", "null");
        stage_turn(stage, 0);
    }
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "account/a1"), 1);
    assert_int_equal(stage_handled(stage, "c2", "customer/c2"), 60);
    assert_int_equal(stage_waiting(stage, NULL), 2);
    assert_true(stage_record(stage, "card/k17")->parked);
    for (int i = 0; i < 30; i++) {
        char aggregate[24];
        snprintf(aggregate, sizeof aggregate, "card/k%d", i);
        assert_int_equal(stage_handled(stage, "c1", aggregate), i == 17 ? 0 : 2);
    }
}

/* It would be the first to come in with the link, in the very commit of that event. */
static void the_first_that_waits_is_parked_and_not_the_event_that_brings_its_link(void **state)
{
    struct stage *stage = *state;
    stage_send_via(stage, "k0", 1, "Issued", "a1");
    stage_open(stage, 0);
    stage_run(stage);
    set_rule("card/k0", 1);
    stage_send(stage, "accounts", "a1", 1, "Created", "\"c1\"");
    stage_run(stage);
    assert_int_equal(stage_handled(stage, "c1", "account/a1"), 1);
    assert_int_equal(stage_waiting(stage, "card/k0"), 1);
    assert_true(stage_record(stage, "card/k0")->parked);
}

/* Its event goes before all that waits, and brings no link. */
static void a_link_whose_event_is_refused_leaves_what_waits_where_it_is(void **state)
{
    struct stage *stage = *state;
    for (int64_t version = 1; version <= 20; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    stage_open(stage, 0);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, "order/o1"), 20);
    stage_send(stage, "orders", "o1", 21, "Created", "\"c1\"");
    set_rule("order/o1", 1);
    stage_run(stage);
    const struct vf_aggregate *record = stage_record(stage, "order/o1");
    assert_true(record->parked);
    assert_int_equal(stage_waiting(stage, "order/o1"), 21);
    assert_null(stage_stopped(stage, "orders", 0));
    set_rule(NULL, 0);
    stage_retry(stage);
    stage_run(stage);
    assert_int_equal(stage_waiting(stage, NULL), 0);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 21);
}

#define REFUSED(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REFUSED(its_event_is_parked_and_all_others_go_on),
        REFUSED(it_stops_where_the_configuration_wants_that),
        REFUSED(what_the_store_takes_after_all_is_taken_in),
        REFUSED(what_not_even_a_list_takes_stops_its_partition),
        REFUSED(of_what_waits_for_a_link_only_that_one_is_parked),
        REFUSED(the_first_that_waits_is_parked_and_not_the_event_that_brings_its_link),
        REFUSED(a_link_whose_event_is_refused_leaves_what_waits_where_it_is),
    };
    return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
