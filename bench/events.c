/*
 * bench-events: the bench's workload as lines for vf-produce, TOPIC<TAB>PARTITION<TAB>KEY<TAB>VALUE.
 *
 *     bench-events PREFIX ORDERS CUSTOMERS EVENTS
 *
 * Each customer is created once; then orders get EVENTS / ORDERS events each: OrderCreated, which names the customer, and
 * OrderNoted with a padding that makes a value 250 bytes. Orders take turns, so events of one order are ORDERS apart: further
 * than any batch. The same arguments give the same lines.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 250

static char padding[VALUE_BYTES + 1];

static void print_order(const char *prefix, uint64_t order, uint64_t version, uint64_t customers)
{
    char value[512];
    int size;
    if (version == 1)
        size = snprintf(value, sizeof value,
                        "{\"kind\":\"order\",\"id\":\"o%" PRIu64 "\",\"version\":1,\"event_id\":\"o%" PRIu64
                        "-1\",\"type\":\"OrderCreated\",\"time\":\"2026-03-01T10:00:00.000Z\",\"data\":{\"customerId\":\"c%" PRIu64
                        "\",\"orderTotal\":{\"amount\":\"%" PRIu64 "\"},\"note\":\"",
                        order, order, order % customers, order * 7 % 100000);
    else
        size = snprintf(value, sizeof value,
                        "{\"kind\":\"order\",\"id\":\"o%" PRIu64 "\",\"version\":%" PRIu64 ",\"event_id\":\"o%" PRIu64 "-%" PRIu64
                        "\",\"type\":\"OrderNoted\",\"time\":\"2026-03-01T10:00:00.000Z\",\"data\":{\"step\":%" PRIu64
                        ",\"place\":\"%" PRIu64 "\",\"note\":\"",
                        order, version, order, version, version, order * version % 997);
    int room = VALUE_BYTES - size - 3;
    printf("%sorders\t-1\to%" PRIu64 "\t%s%.*s\"}}\n", prefix, order, value, room > 0 ? room : 0, padding);
}

int main(int count, char **arguments)
{
    if (count != 5) {
        fprintf(stderr, "usage: bench-events PREFIX ORDERS CUSTOMERS EVENTS\n");
        return 64;
    }
    const char *prefix = arguments[1];
    uint64_t orders = strtoull(arguments[2], NULL, 10);
    uint64_t customers = strtoull(arguments[3], NULL, 10);
    uint64_t events = strtoull(arguments[4], NULL, 10);
    static char buffer[1 << 20];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    memset(padding, 'x', VALUE_BYTES);
    for (uint64_t c = 0; c < customers; c++)
        printf("%scustomers\t-1\tc%" PRIu64 "\t{\"kind\":\"customer\",\"id\":\"c%" PRIu64
               "\",\"version\":1,\"event_id\":\"c%" PRIu64 "-1\",\"type\":\"CustomerCreated\",\"time\":\"2026-03-01T10:00:00.000Z\","
               "\"data\":{\"name\":\"Fred\",\"creditLimit\":{\"amount\":\"2000\"}}}\n",
               prefix, c, c, c);
    for (uint64_t version = 1; version <= events / orders; version++)
        for (uint64_t order = 0; order < orders; order++)
            print_order(prefix, order, version, customers);
    return fflush(stdout) != 0;
}
