#include "run/reading.h"

#include <stdlib.h>

void vf_readings_clear(struct vf_readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        free(readings->all[i].why);
        free(readings->all[i].room_list);
    }
    free(readings->all);
    *readings = (struct vf_readings){0};
}

void vf_readings_set(struct vf_readings *readings, const struct vf_partition *partitions, size_t count,
                     const struct vf_reading_topic *topics, size_t topic_count)
{
    vf_readings_clear(readings);
    readings->all = vf_calloc(count, sizeof *readings->all);
    for (size_t i = 0; i < count; i++) {
        for (size_t t = 0; t < topic_count; t++) {
            if (strcmp(topics[t].topic, partitions[i].topic) != 0)
                continue;
            readings->all[readings->count++] = (struct vf_reading){
                .partition = {topics[t].topic, partitions[i].partition},
                .topic = &topics[t],
                .end_at_start = -1,
                .failing_offset = -1,
                .committed = -1,
            };
        }
    }
}

struct vf_reading *vf_readings_find(struct vf_readings *readings, const char *topic, int32_t partition)
{
    /* A worker reads some dozens of partitions, and rows come in runs: callers keep the last answer. */
    for (size_t i = 0; i < readings->count; i++) {
        struct vf_reading *reading = &readings->all[i];
        if (reading->partition.partition == partition &&
            (reading->partition.topic == topic || strcmp(reading->partition.topic, topic) == 0))
            return reading;
    }
    return NULL;
}

void vf_readings_rewind_to_stored(struct vf_readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        struct vf_reading *reading = &readings->all[i];
        /* GUARD end-stays: the end of a partition where nothing comes is told once, and what waits for the ends would wait on */
        reading->folded_end &= vf_progress_equal(&reading->folded, &reading->stored);
        reading->sent = reading->folded = reading->stored;
        reading->last = NULL;
    }
}
