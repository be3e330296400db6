/* `viewfold lint --online`: whether the servers have what the configuration wants. Nothing in them is changed, but that a
 * Redis gets viewfold's functions, as from every verb that opens it. */
#include "cli/lint.h"
#include "run/keeping.h"
#include "run/supervisor.h"

#include <stdlib.h>

#define KAFKA_TIMEOUT_MS 10000

/* A partition's leader or a group's coordinator may be changing just now. */
#define TRIES        10
#define TRY_AGAIN_MS 300

struct online {
    struct vf_lint *lint;
    const struct vf_config *config;
    struct vf_cluster *cluster;
    struct vf_buffer limited;      /* the topics that keep their records for a while only: "orders (7 days), …" */
    struct vf_place limited_place; /* of the first of them */
    struct vf_buffer hidden;       /* those that don't show this login how they are kept: "orders, customers" */
    struct vf_place hidden_place;
};

/* What a server answered instead of what was asked. One that is not there is no finding about the configuration. */
static void say_error(struct online *online, struct vf_place place, const struct vf_error *error)
{
    if (error->code == VF_E_UNAVAILABLE) {
        online->lint->unreachable++;
    }
    vf_lint_say(online->lint, online->config->path, place, VF_FINDING_ERROR, NULL, "%s", error->text);
}

static void look_at_store(struct online *online, const struct vf_store_entry *entry)
{
    const struct vf_store_type *type = NULL;
    struct vf_store *store = NULL;
    struct vf_error error;
    enum vf_code code = vf_cli_open_store(online->lint->cli, entry, &type, &store, &error);
    if (code == VF_OK && type->check_rights) {
        code = type->check_rights(store, &error);
    }
    if (code != VF_OK) {
        say_error(online, entry->place, &error);
    }
    if (store) {
        type->close(store);
    }
}

/* Whether to ask again, after a moment. */
static bool try_again(struct online *online, const struct vf_error *error, int *tries)
{
    const struct vf_clock *clock = online->lint->cli->registry->clock;
    if (!error->retriable || ++*tries >= TRIES) {
        return false;
    }
    clock->sleep_ms(clock->self, TRY_AGAIN_MS);
    return true;
}

/* A log that no longer holds its first events: a view that begins now cannot have them. */
static void check_beginning(struct online *online, const struct vf_topic_entry *topic, int32_t partitions)
{
    const struct vf_cluster_type *type = online->lint->cli->registry->cluster;
    struct vf_reach *rows = vf_calloc((size_t)partitions, sizeof *rows);
    struct vf_error error;
    for (int32_t i = 0; i < partitions; i++) {
        rows[i].partition = (struct vf_partition){.topic = topic->topic, .partition = i};
    }
    int tries = 0;
    enum vf_code code;
    do {
        code = type->reach(online->cluster, rows, (size_t)partitions, &error);
    } while (code != VF_OK && try_again(online, &error, &tries));
    if (code != VF_OK) {
        say_error(online, topic->place, &error);
    } else {
        for (int32_t i = 0; i < partitions; i++) {
            if (rows[i].low > 0) {
                vf_lint_say(
                    online->lint, online->config->path, topic->place, VF_FINDING_ERROR,
                    "say history: partial where a view may begin in the middle",
                    "%s: partition %d of the Kafka topic %s begins at offset %lld: what was before is gone, so a "
                    "view that begins now is refused",
                    topic->name, (int)i, topic->topic, (long long)rows[i].low);
                break;
            }
        }
    }
    free(rows);
}

/* Most topics have their broker's default: all that do are named in one note. */
static void add_limited(struct online *online, const struct vf_topic_entry *topic, const struct vf_keeping *keeping)
{
    if (online->limited.size == 0) {
        online->limited_place = topic->place;
    }
    vf_buffer_printf(&online->limited, "%s%s (", online->limited.size > 0 ? ", " : "", topic->topic);
    vf_keeping_print_limit(&online->limited, keeping);
    vf_buffer_add_text(&online->limited, ")");
}

static void say_of_keeping(struct online *online)
{
    if (online->hidden.size > 0) {
        vf_lint_say(online->lint, online->config->path, online->hidden_place, VF_FINDING_NOTE,
                    "grant DescribeConfigs on them to have it looked at",
                    "Kafka topics that don't show this login how long they keep their records: %s",
                    online->hidden.data);
    }
    if (online->limited.size > 0) {
        vf_lint_say(
            online->lint, online->config->path, online->limited_place, VF_FINDING_NOTE,
            "set retention.ms=-1 and retention.bytes=-1 where views must be built anew one day, or say history: partial",
            "Kafka topics that keep their records for some time only: %s. Views that run are not concerned; one "
            "that begins when records are gone is refused",
            online->limited.data);
    }
}

static void check_keeping(struct online *online, const struct vf_topic_entry *topic)
{
    const struct vf_cluster_type *type = online->lint->cli->registry->cluster;
    struct vf_keeping keeping;
    struct vf_error error;
    enum vf_code code = type->topic_keeping(online->cluster, topic->topic, &keeping, &error);
    if (code == VF_E_DENIED) { /* workers do without that right */
        if (online->hidden.size == 0) {
            online->hidden_place = topic->place;
        }
        vf_buffer_printf(&online->hidden, "%s%s", online->hidden.size > 0 ? ", " : "", topic->topic);
    } else if (code != VF_OK) {
        say_error(online, topic->place, &error);
    } else if (keeping.compacts) {
        vf_lint_say(online->lint, online->config->path, topic->place, VF_FINDING_ERROR,
                    "give it cleanup.policy=delete without a limit, or say history: partial",
                    "%s: the Kafka topic %s is compacted: of each key it keeps the last record only, so events will be "
                    "missing when a view is built anew",
                    topic->name, topic->topic);
    } else if (vf_keeping_is_limited(&keeping)) {
        add_limited(online, topic, &keeping);
    }
}

static void look_at_topic(struct online *online, const char *name)
{
    const struct vf_cluster_type *type = online->lint->cli->registry->cluster;
    struct vf_topic_entry topic = vf_config_topic(online->config, name);
    struct vf_error error;
    int32_t partitions = 0;
    if (type->partition_count(online->cluster, topic.topic, &partitions, &error) != VF_OK) {
        say_error(online, topic.place, &error);
        return;
    }
    if (type->try_read(online->cluster, topic.topic, &error) == VF_E_DENIED) {
        vf_lint_say(online->lint, online->config->path, topic.place, VF_FINDING_ERROR, "grant Read on it", "%s",
                    error.text);
    }
    if (!topic.envelope.history_partial) {
        check_keeping(online, &topic);
        check_beginning(online, &topic, partitions);
    }
}

static bool named_before(const struct vf_lint *lint, struct vf_projector *const *projectors, size_t projection,
                         size_t topic)
{
    const struct vf_projector_type *type = lint->cli->registry->projector;
    const char *name = type->describe(projectors[projection])->topics[topic];
    for (size_t i = 0; i < projection; i++) {
        for (size_t j = 0; projectors[i] && j < type->describe(projectors[i])->topic_count; j++) {
            if (strcmp(type->describe(projectors[i])->topics[j], name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Workers join these groups; to be seen by this login is the least that they need. */
static void look_at_groups(struct online *online, const struct vf_projection_entry *entry, const char *projection)
{
    for (size_t i = 0; i < entry->store_count; i++) {
        struct vf_error error;
        size_t members;
        struct vf_buffer group;
        vf_buffer_init(&group);
        vf_buffer_printf(&group, "%s.%s.%s.g1", online->config->kafka.group, projection, entry->stores[i].store->name);
        enum vf_code code =
            online->lint->cli->registry->cluster->members(online->cluster, group.data, &members, &error);
        if (code == VF_E_DENIED) { /* a coordinator that is only just being made says something else */
            say_error(online, entry->place, &error);
        }
        vf_buffer_done(&group);
    }
}

void vf_lint_online(struct vf_lint *lint, const struct vf_config *config, struct vf_projector *const *projectors)
{
    const struct vf_projector_type *type = lint->cli->registry->projector;
    struct online online = {.lint = lint, .config = config};
    struct vf_error error;
    vf_buffer_init(&online.limited);
    vf_buffer_init(&online.hidden);
    for (size_t i = 0; i < config->store_count; i++) {
        look_at_store(&online, &config->stores[i]);
    }
    if (lint->cli->registry->cluster->open(&config->kafka, KAFKA_TIMEOUT_MS, &online.cluster, &error) != VF_OK) {
        say_error(&online, (struct vf_place){0, 0}, &error);
        return;
    }
    for (size_t i = 0; i < config->projection_count; i++) {
        const struct vf_projection *projection = projectors[i] ? type->describe(projectors[i]) : NULL;
        for (size_t j = 0; projection && j < projection->topic_count; j++) {
            if (!named_before(lint, projectors, i, j)) {
                look_at_topic(&online, projection->topics[j]);
            }
        }
        if (projection && projection->name) {
            look_at_groups(&online, &config->projections[i], projection->name);
        }
    }
    say_of_keeping(&online);
    vf_buffer_done(&online.hidden);
    vf_buffer_done(&online.limited);
    lint->cli->registry->cluster->close(online.cluster);
}
