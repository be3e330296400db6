#include "cli/views.h"

#include "run/generation.h"
#include "run/supervisor.h"

#include <stdlib.h>

static const char *keep(struct vf_arena *arena, const char *text)
{
    return vf_arena_bytes(arena, text, strlen(text)).data;
}

static enum vf_code check_apart(const struct vf_config *config, const struct vf_view_entry *entries, size_t count,
                                const struct vf_view_entry *added, struct vf_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].store != added->store) {
            continue;
        }
        if (strcmp(entries[i].view, added->view) == 0) {
            return vf_fail(error, VF_E_CONFIG,
                           "%s: the projections %s and %s would both be the view %s in the store %s: give "
                           "one another name under names",
                           config->path, entries[i].projection, added->projection, added->view, added->store->name);
        }
        /* Consumer groups go by the projection's name: two with one name would take each other's partitions away. */
        if (strcmp(entries[i].projection, added->projection) == 0) {
            return vf_fail(error, VF_E_CONFIG, "%s: the projection %s stands twice for the store %s", config->path,
                           added->projection, added->store->name);
        }
    }
    return VF_OK;
}

/* One projection's stores, appended to `entries`. */
static enum vf_code add_projection(const struct vf_cli *cli, const struct vf_config *config,
                                   const struct vf_projection_entry *entry, struct vf_arena *arena,
                                   struct vf_view_entry *entries, size_t *count, struct vf_error *error)
{
    const struct vf_projector_type *type = cli->registry->projector;
    struct vf_projector_limits limits = vf_projector_limits_of(config);
    struct vf_projector *projector = NULL;
    struct vf_generation proposed;
    enum vf_code code = vf_generation_propose(entry, type, &limits, 0, &projector, &proposed, error);
    if (code != VF_OK) {
        /* A script that the configuration names and that is not there is a wrong configuration, not a wrong question. */
        vf_error_prefix(error, "%s:%d:%d", config->path, (int)entry->place.line, (int)entry->place.column);
        return error->code = code == VF_E_NOT_FOUND ? VF_E_CONFIG : code;
    }
    const struct vf_projection *projection = type->describe(projector);
    const char *name = keep(arena, projection->name);
    const char **topics = vf_arena_calloc(arena, projection->topic_count, sizeof *topics);
    code = vf_config_check_topics(config, name, projection->topics, projection->topic_count, error);
    for (size_t i = 0; i < projection->topic_count; i++) {
        topics[i] = keep(arena, vf_config_topic(config, projection->topics[i]).topic);
    }
    for (size_t i = 0; code == VF_OK && i < entry->store_count; i++) {
        struct vf_view_entry view = {
            .projection = name,
            .view = entry->stores[i].view_name ? entry->stores[i].view_name : name,
            .store = entry->stores[i].store,
            .configured = entry,
            .topics = topics,
            .topic_count = projection->topic_count,
        };
        memcpy(view.script_hash, proposed.script_hash, sizeof view.script_hash);
        code = check_apart(config, entries, *count, &view, error);
        entries[(*count)++] = view;
    }
    type->close(projector);
    return code;
}

enum vf_code vf_views_open(const struct vf_cli *cli, const struct vf_config *config, struct vf_views **ret_views,
                           struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    size_t most = 0;
    size_t count = 0;
    for (size_t i = 0; i < config->projection_count; i++) {
        most += config->projections[i].store_count;
    }
    struct vf_view_entry *entries = vf_arena_calloc(arena, most, sizeof *entries);
    for (size_t i = 0; i < config->projection_count; i++) {
        enum vf_code code = add_projection(cli, config, &config->projections[i], arena, entries, &count, error);
        if (code != VF_OK) {
            vf_arena_free(arena);
            return code;
        }
    }
    struct vf_views *views = vf_calloc(1, sizeof *views);
    *views = (struct vf_views){.entries = entries, .count = count, .arena = arena};
    *ret_views = views;
    return VF_OK;
}

void vf_views_free(struct vf_views *views)
{
    if (views) {
        vf_arena_free(views->arena);
        free(views);
    }
}
