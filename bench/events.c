/*
 * bench-events: a workload as lines for vf-produce, TOPIC<TAB>PARTITION<TAB>KEY<TAB>VALUE. The key decides the partition.
 *
 *     bench-events PREFIX WORKLOAD EVENTS KEYS CUSTOMERS
 */
#include "workload.h"

#include <stdio.h>

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: bench-events PREFIX WORKLOAD EVENTS KEYS CUSTOMERS\n");
        return 64;
    }
    struct bench_workload workload;
    bench_workload_init(&workload, arguments[2], arguments[3], arguments[4], arguments[5]);
    static char buffer[1 << 20];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (uint64_t i = 0; i < bench_workload_events(&workload); i++) {
        struct bench_event event;
        char key[BENCH_TEXT_BYTES], value[BENCH_TEXT_BYTES];
        bench_event_at(&workload, i, &event);
        bench_event_key(&event, key);
        bench_event_value(&event, value);
        printf("%s%s\t-1\t%s\t%s\n", arguments[1], event.topic, key, value);
    }
    return fflush(stdout) != 0;
}
