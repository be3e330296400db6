/*
 * The bench's workloads: which events there are, in which order, and what they make of the documents. Shared by the programs
 * that produce events (events.c, latency.c) and the one that writes their documents without viewfold (ceiling.c). Pure
 * arithmetic: the same numbers give the same events; model.py has the documents once more, written from this description.
 *
 *   order_documents  `keys` orders take turns, so events of one order are `keys` events apart: further than any batch.
 *                    Version 1 is OrderCreated, the others are OrderNoted. Each order is a document.
 *   customer_join    first `customers` CustomerCreated; then orders as above, which go to their customer's document. One
 *                    customer in a hundred is hot: these get every other order.
 *   hot_accounts     `keys` accounts take turns; version 1 is AccountOpened, the others are AmountMoved. With few keys, many
 *                    events of a batch fold into one document.
 *   customer_bank_view  first `customers` CustomerProfileUpdated, then `keys` times a card, an account and a loan take turns,
 *                    in this order. The card of a number names the account of the same number, which comes behind it and in
 *                    another topic; account and loan name customer number % customers.
 *   orders_per_day   `keys` orders take turns, all on one day, which is the only document. Version 1 is OrderCreated, 2 is
 *                    OrderShipped, further ones are OrderNoted, for which there is no handler.
 *
 * A value is padded to BENCH_VALUE_BYTES. Any thread.
 */
#ifndef VF_BENCH_WORKLOAD_H
#define VF_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_VALUE_BYTES 250
#define BENCH_TEXT_BYTES  512
#define BENCH_TIME        "2026-03-01T10:00:00.000Z"

enum bench_kind {
    BENCH_ORDER_DOCUMENTS,
    BENCH_CUSTOMER_JOIN,
    BENCH_HOT_ACCOUNTS,
    BENCH_CUSTOMER_BANK_VIEW,
    BENCH_ORDERS_PER_DAY,
};

struct bench_workload {
    enum bench_kind kind;
    const char *name; /* the projection's */
    uint64_t events;  /* of orders or accounts */
    uint64_t keys;
    uint64_t customers; /* 0 unless customer_join or customer_bank_view */
};

struct bench_event {
    const char *topic;
    const char *kind;
    const char *type;
    char letter; /* the aggregate is KIND/LETTER NUMBER: order/o42 */
    uint64_t number;
    uint64_t version;
    uint64_t customer; /* of an order, account or loan */
    uint64_t document; /* 0 .. bench_workload_documents - 1 */
    uint64_t amount;   /* of an account's, card's or loan's event */
};

/* From "order_documents" and the like; ends the program with a message where it is none. */
void bench_workload_init(struct bench_workload *workload, const char *name, const char *events, const char *keys,
                         const char *customers);

uint64_t bench_workload_events(const struct bench_workload *workload); /* customers' events included */
uint64_t bench_workload_documents(const struct bench_workload *workload);
char bench_workload_document_letter(const struct bench_workload *workload);
uint64_t bench_customer_of(const struct bench_workload *workload, uint64_t order);

void bench_event_at(const struct bench_workload *workload, uint64_t index, struct bench_event *ret_event);

/* The padding of an event's `note`, as many bytes as make its value BENCH_VALUE_BYTES. */
size_t bench_event_note(const struct bench_event *event, char text[BENCH_TEXT_BYTES]);
size_t bench_event_value(const struct bench_event *event, char text[BENCH_TEXT_BYTES]);
size_t bench_event_key(const struct bench_event *event, char text[BENCH_TEXT_BYTES]);

#endif
