/* How much one write is: batch.written, on the scenarios' stage. */
#include "sim/stage.h"

#include <stdio.h>

/* Whatever batch.written says: the document would be written whole for each of them. */
static void events_of_a_document_larger_than_a_batch_are_one_write(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 20;
    stage->setups[0].batch.written_bytes_max = 2000;
    char order[8];
    for (int i = 1; i <= 60; i++) {
        snprintf(order, sizeof order, "o%d", i);
        stage_send(stage, "orders", order, 1, "Created", "\"c1\"");
    }
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_worker_report before, after;
    vf_worker_report(stage->workers[0], &before);
    for (int version = 2; version <= 6; version++)
        stage_send(stage, "orders", "o1", version, "Changed", "null");
    stage_run(stage);
    vf_worker_report(stage->workers[0], &after);
    assert_int_equal(stage_handled(stage, "c1", "order/o1"), 6);
    assert_int_equal(after.counts.documents - before.counts.documents, 1);
}

/* It limits what one write is for the store, and for everybody who waits for it meanwhile. */
static void a_batch_writes_no_more_documents_than_batch_written_allows(void **state)
{
    struct stage *stage = *state;
    stage->setups[0].batch.events_max = 20;
    stage->setups[0].batch.written_bytes_max = 2000;
    char order[12], customer[20];
    for (int i = 0; i < 200; i++) { /* ten documents of several hundred bytes */
        snprintf(order, sizeof order, "o%d", i);
        snprintf(customer, sizeof customer, "\"c%d\"", i % 10);
        stage_send(stage, "orders", order, 1, "Created", customer);
    }
    stage_open(stage, 0);
    stage_run(stage);
    struct vf_worker_report before, after;
    vf_worker_report(stage->workers[0], &before);
    for (int i = 0; i < 10; i++) {
        snprintf(order, sizeof order, "o%d", i);
        stage_send(stage, "orders", order, 2, "Changed", "null");
    }
    stage_run(stage);
    vf_worker_report(stage->workers[0], &after);
    assert_int_equal(after.counts.documents - before.counts.documents, 10);
    assert_true(after.counts.batches - before.counts.batches >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_of_a_document_larger_than_a_batch_are_one_write, stage_setup,
                                        stage_teardown),
        cmocka_unit_test_setup_teardown(a_batch_writes_no_more_documents_than_batch_written_allows, stage_setup,
                                        stage_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
