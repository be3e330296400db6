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

static enum vf_code check_names(const char *projection, const struct vf_topic_entry *earlier,
                                const struct vf_topic_entry *later, struct vf_error *error)
{
    if (strcmp(earlier->topic, later->topic) != 0) {
        return VF_OK;
    }
    return vf_fail(error, VF_E_CONFIG,
                   "projection %s reads the Kafka topic %s under two names, %s and %s: progress and tokens "
                   "go by the topic's own name, so name it once",
                   projection, later->topic, earlier->name, later->name);
}

static const char *numbers_name(enum vf_numbers numbers)
{
    return numbers == VF_NUMBERS_OFFSET ? "offsets" : numbers == VF_NUMBERS_ORDERED ? "`ordered`" : "a `revision`";
}

/* Whether no record of a topic whose kind is in each record is read as one of this kind. */
static bool refuses(const struct vf_envelope *envelope, const char *kind)
{
    for (size_t i = 0; i < envelope->other_kind_count; i++) {
        if (strcmp(envelope->other_kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether one aggregate's events may come from both topics although only a sequence would put them in order: between topics
 * there is no order, and what comes late is taken for a duplicate. Of offsets it is enough that they may: they are not even
 * comparable. */
static bool may_mix(const struct vf_envelope *one, const struct vf_envelope *other)
{
    if (one->numbers == VF_NUMBERS_SEQUENCE) {
        return false;
    }
    if (one->kind && other->kind) {
        return strcmp(one->kind, other->kind) == 0;
    }
    const struct vf_envelope *fixed = one->kind ? one : other, *open = one->kind ? other : one;
    return one->numbers == VF_NUMBERS_OFFSET && !(fixed->kind && refuses(open, fixed->kind));
}

static enum vf_code check_kinds(const char *projection, const struct vf_topic_entry *one,
                                const struct vf_topic_entry *other, struct vf_error *error)
{
    /* GUARD one-topic: offsets of one topic are taken for those of another, and what is lower for a duplicate */
    if (!may_mix(&one->envelope, &other->envelope)) {
        return VF_OK;
    }
    return vf_fail(error, VF_E_CONFIG,
                   "%s reads %s, whose numbers are %s, and %s, which %s hold the same kind: such a kind comes from one "
                   "topic only. Say the `kind` of each topic, and let them differ",
                   projection, one->topic, numbers_name(one->envelope.numbers), other->topic,
                   one->envelope.kind && other->envelope.kind ? "does" : "may");
}

enum vf_code vf_config_check_topics(const struct vf_config *config, const char *projection, const char *const *names,
                                    size_t name_count, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    for (size_t i = 0; i < name_count && !code; i++) {
        struct vf_topic_entry later = vf_config_topic(config, names[i]);
        for (size_t j = 0; j < i && !code; j++) {
            struct vf_topic_entry earlier = vf_config_topic(config, names[j]);
            code = check_names(projection, &earlier, &later, error);
            if (!code) {
                code = check_kinds(projection, &earlier, &later, error);
            }
            if (!code) {
                code = check_kinds(projection, &later, &earlier, error);
            }
        }
    }
    return code;
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
