#include "run/refused.h"

#include <stdlib.h>

void vf_refused_clear(struct vf_refused *refused)
{
    free(refused->topic);
    refused->topic = NULL;
}

void vf_refused_set(struct vf_refused *refused, const struct vf_partition *partition, int64_t offset,
                    const struct vf_error *error)
{
    char *topic = vf_strndup(partition->topic, strlen(partition->topic));
    vf_refused_clear(refused);
    *refused =
        (struct vf_refused){.topic = topic, .partition = partition->partition, .offset = offset, .error = *error};
}

bool vf_refused_is(const struct vf_refused *refused, const struct vf_partition *partition, int64_t offset)
{
    return refused && refused->topic && refused->offset == offset && refused->partition == partition->partition &&
           strcmp(refused->topic, partition->topic) == 0;
}
