#include "run/config.h"

#include <stdlib.h>
#include <string.h>

void vf_config_free(struct vf_config *config)
{
    if (!config) {
        return;
    }
    vf_arena_free(config->arena);
    free(config);
}

struct vf_topic_entry vf_config_topic(const struct vf_config *config, const char *name)
{
    for (size_t i = 0; i < config->topic_count; i++) {
        if (strcmp(config->topics[i].name, name) == 0) {
            return config->topics[i];
        }
    }
    return (struct vf_topic_entry){
        .name = name,
        .topic = name,
        .envelope = {.kind = NULL, .numbers = VF_NUMBERS_SEQUENCE, .first = 1, .history_partial = false},
    };
}

enum vf_code vf_config_check_topics(const struct vf_config *config, const char *projection, const char *const *names,
                                    size_t name_count, struct vf_error *error)
{
    for (size_t i = 0; i < name_count; i++) {
        struct vf_topic_entry later = vf_config_topic(config, names[i]);
        for (size_t j = 0; j < i; j++) {
            struct vf_topic_entry earlier = vf_config_topic(config, names[j]);
            if (strcmp(earlier.topic, later.topic) == 0) {
                return vf_fail(
                    error, VF_E_CONFIG,
                    "%s: projection %s reads the Kafka topic %s under two names, %s and %s: progress and tokens "
                    "go by the topic's own name, so name it once",
                    config->path, projection, later.topic, earlier.name, later.name);
            }
        }
    }
    return VF_OK;
}

const struct vf_store_entry *vf_config_store(const struct vf_config *config, const char *name)
{
    for (size_t i = 0; i < config->store_count; i++) {
        if (strcmp(config->stores[i].name, name) == 0) {
            return &config->stores[i];
        }
    }
    return NULL;
}
