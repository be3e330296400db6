#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_workload_init(struct bench_workload *workload, const char *name, const char *events, const char *keys,
                         const char *customers)
{
    static const char *const names[] = {"order_documents", "customer_join", "hot_accounts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *workload = (struct bench_workload){
            .kind = (enum bench_kind)i,
            .name = names[i],
            .events = strtoull(events, NULL, 10),
            .keys = strtoull(keys, NULL, 10),
            .customers = (enum bench_kind)i == BENCH_CUSTOMER_JOIN ? strtoull(customers, NULL, 10) : 0,
        };
        if (workload->keys > 0 && (workload->customers >= 2 || workload->kind != BENCH_CUSTOMER_JOIN))
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

void bench_event_at(const struct bench_workload *workload, uint64_t index, struct bench_event *ret_event)
{
    if (index < workload->customers) {
        *ret_event = (struct bench_event){.topic = "customers",
                                          .kind = "customer",
                                          .type = "CustomerCreated",
                                          .letter = 'c',
                                          .number = index,
                                          .version = 1,
                                          .document = index};
        return;
    }
    index -= workload->customers;
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
    bool join = workload->kind == BENCH_CUSTOMER_JOIN;
    uint64_t customer = join ? bench_customer_of(workload, number) : number % 10000;
    *ret_event = (struct bench_event){.topic = "orders",
                                      .kind = "order",
                                      .type = version == 1 ? "OrderCreated" : "OrderNoted",
                                      .letter = 'o',
                                      .number = number,
                                      .version = version,
                                      .customer = customer,
                                      .document = join ? customer : number};
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
    else if (event->letter == 'a' && event->version == 1)
        size += snprintf(at, room, "\"owner\":\"c%" PRIu64 "\"", event->number % 7);
    else if (event->letter == 'a')
        size += snprintf(at, room, "\"amount\":%" PRIu64, event->amount);
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
