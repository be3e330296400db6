#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_customers(enum bench_kind kind)
{
    return kind == BENCH_CUSTOMER_JOIN || kind == BENCH_CUSTOMER_BANK_VIEW;
}

void bench_workload_init(struct bench_workload *workload, const char *name, const char *events, const char *keys,
                         const char *customers)
{
    static const char *const names[] = {"order_documents", "customer_join", "hot_accounts", "customer_bank_view",
                                        "orders_per_day"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *workload = (struct bench_workload){
            .kind = (enum bench_kind)i,
            .name = names[i],
            .events = strtoull(events, NULL, 10),
            .keys = strtoull(keys, NULL, 10),
            .customers = has_customers((enum bench_kind)i) ? strtoull(customers, NULL, 10) : 0,
        };
        if (workload->keys > 0 && (workload->customers >= 2 || !has_customers(workload->kind)))
            return;
    }
    fprintf(stderr, "bench: no workload %s with %s keys and %s customers\n", name, keys, customers);
    exit(64);
}

uint64_t bench_workload_events(const struct bench_workload *workload)
{
    return workload->customers + workload->events;
}

uint64_t bench_workload_documents(const struct bench_workload *workload)
{
    return workload->kind == BENCH_CUSTOMER_JOIN ? workload->customers : workload->keys;
}

char bench_workload_document_letter(const struct bench_workload *workload)
{
    return workload->kind == BENCH_CUSTOMER_JOIN ? 'c' : workload->kind == BENCH_HOT_ACCOUNTS ? 'a' : 'o';
}

uint64_t bench_customer_of(const struct bench_workload *workload, uint64_t order)
{
    uint64_t hot = workload->customers / 100 ? workload->customers / 100 : 1;
    return order % 2 ? order / 2 % hot : hot + order / 2 % (workload->customers - hot);
}

/* The index counts from the first event behind the customers'. */
static struct bench_event bank_event(const struct bench_workload *workload, uint64_t index)
{
    static const struct {
        const char *topic, *kind, *first, *later;
        char letter;
    } turns[] = {{"cards", "card", "CardIssued", "CardTransactionProcessed", 'k'},
                 {"accounts", "account", "AccountOpened", "AccountTransactionPerformed", 'a'},
                 {"loans", "loan", "LoanRequested", "LoanStatusChanged", 'l'}};
    uint64_t turn = index % 3, number = index / 3 % workload->keys, version = index / 3 / workload->keys + 1;
    uint64_t customer = number % workload->customers;
    return (struct bench_event){.topic = turns[turn].topic,
                                .kind = turns[turn].kind,
                                .type = version == 1 ? turns[turn].first : turns[turn].later,
                                .letter = turns[turn].letter,
                                .number = number,
                                .version = version,
                                .customer = customer,
                                .document = customer,
                                .amount = number * version % 997};
}

void bench_event_at(const struct bench_workload *workload, uint64_t index, struct bench_event *ret_event)
{
    if (index < workload->customers) {
        *ret_event = (struct bench_event){.topic = "customers",
                                          .kind = "customer",
                                          .type = workload->kind == BENCH_CUSTOMER_JOIN ? "CustomerCreated"
                                                                                        : "CustomerProfileUpdated",
                                          .letter = 'c',
                                          .number = index,
                                          .version = 1,
                                          .document = index};
        return;
    }
    index -= workload->customers;
    if (workload->kind == BENCH_CUSTOMER_BANK_VIEW) {
        *ret_event = bank_event(workload, index);
        return;
    }
    uint64_t number = index % workload->keys, version = index / workload->keys + 1;
    if (workload->kind == BENCH_HOT_ACCOUNTS) {
        *ret_event = (struct bench_event){.topic = "accounts",
                                          .kind = "account",
                                          .type = version == 1 ? "AccountOpened" : "AmountMoved",
                                          .letter = 'a',
                                          .number = number,
                                          .version = version,
                                          .document = number,
                                          .amount = number * version % 997};
        return;
    }
    bool join = workload->kind == BENCH_CUSTOMER_JOIN, day = workload->kind == BENCH_ORDERS_PER_DAY;
    uint64_t customer = join ? bench_customer_of(workload, number) : number % 10000;
    *ret_event = (struct bench_event){.topic = "orders",
                                      .kind = "order",
                                      .type = version == 1          ? "OrderCreated"
                                              : day && version == 2 ? "OrderShipped"
                                                                    : "OrderNoted",
                                      .letter = 'o',
                                      .number = number,
                                      .version = version,
                                      .customer = customer,
                                      .document = join  ? customer
                                                  : day ? 0
                                                        : number};
}

/* The fields of an account's, card's or loan's data; hot_accounts has accounts without a customer. */
static int print_bank_data(const struct bench_event *event, char *at, size_t room)
{
    if (strcmp(event->type, "AccountOpened") == 0)
        return snprintf(at, room,
                        "\"owner\":\"c%" PRIu64 "\",\"customerId\":\"c%" PRIu64
                        "\",\"type\":\"CURRENT\",\"currency\":\"EUR\"",
                        event->number % 7, event->customer);
    if (strcmp(event->type, "CardIssued") == 0)
        return snprintf(at, room, "\"accountId\":\"a%" PRIu64 "\",\"maskedNumber\":\"**** %" PRIu64 "\"", event->number,
                        event->number % 10000);
    if (strcmp(event->type, "LoanRequested") == 0)
        return snprintf(at, room, "\"customerId\":\"c%" PRIu64 "\",\"amount\":%" PRIu64, event->customer,
                        event->amount);
    if (event->letter == 'l')
        return snprintf(at, room, "\"status\":\"S%" PRIu64 "\"", event->version);
    const char *merchant = event->letter == 'k' ? "\"merchant\":\"bookshop\"," : "";
    return snprintf(at, room, "%s\"amount\":%" PRIu64, merchant, event->amount);
}

/* The value up to the note's text. */
static size_t print_head(const struct bench_event *event, char text[BENCH_TEXT_BYTES])
{
    int size = snprintf(text, BENCH_TEXT_BYTES,
                        "{\"kind\":\"%s\",\"id\":\"%c%" PRIu64 "\",\"version\":%" PRIu64 ",\"event_id\":\"%c%" PRIu64
                        "-%" PRIu64 "\",\"type\":\"%s\",\"time\":\"" BENCH_TIME "\",\"data\":{",
                        event->kind, event->letter, event->number, event->version, event->letter, event->number,
                        event->version, event->type);
    char *at = text + size;
    size_t room = BENCH_TEXT_BYTES - (size_t)size;
    if (event->letter == 'c')
        size += snprintf(at, room, "\"name\":\"Fred\",\"creditLimit\":{\"amount\":\"2000\"}");
    else if (event->letter != 'o')
        size += print_bank_data(event, at, room);
    else if (event->version == 1)
        size += snprintf(at, room, "\"customerId\":\"c%" PRIu64 "\",\"orderTotal\":{\"amount\":\"%" PRIu64 "\"}",
                         event->customer, event->number * 7 % 100000);
    else
        size += snprintf(at, room, "\"step\":%" PRIu64 ",\"place\":\"%" PRIu64 "\"", event->version,
                         event->number * event->version % 997);
    return (size_t)size + (size_t)snprintf(text + size, BENCH_TEXT_BYTES - (size_t)size, ",\"note\":\"");
}

static size_t note_bytes(size_t head)
{
    return head + 3 < BENCH_VALUE_BYTES ? BENCH_VALUE_BYTES - head - 3 : 0;
}

size_t bench_event_note(const struct bench_event *event, char text[BENCH_TEXT_BYTES])
{
    size_t size = note_bytes(print_head(event, text));
    memset(text, 'x', size);
    text[size] = '\0';
    return size;
}

size_t bench_event_value(const struct bench_event *event, char text[BENCH_TEXT_BYTES])
{
    size_t size = print_head(event, text), note = note_bytes(size);
    memset(text + size, 'x', note);
    memcpy(text + size + note, "\"}}", 4);
    return size + note + 3;
}

size_t bench_event_key(const struct bench_event *event, char text[BENCH_TEXT_BYTES])
{
    return (size_t)snprintf(text, BENCH_TEXT_BYTES, "%c%" PRIu64, event->letter, event->number);
}
