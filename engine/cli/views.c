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

/* The script as it lies on disk, and whether its topics go together. */
static enum vf_code open_script(const struct vf_cli *cli, const struct vf_config *config,
                                const struct vf_projection_entry *entry, struct vf_projector **ret_projector,
                                struct vf_generation *ret_proposed, struct vf_error *error)
{
    const struct vf_projector_type *type = cli->registry->projector;
    struct vf_projector_limits limits = vf_projector_limits_of(config);
    enum vf_code code = vf_generation_propose(entry, type, &limits, 0, ret_projector, ret_proposed, error);
    if (code != VF_OK) {
        /* A script that the configuration names and that is not there is a wrong configuration, not a wrong question. */
        vf_error_prefix(error, "%s:%d:%d", config->path, (int)entry->place.line, (int)entry->place.column);
        return error->code = code == VF_E_NOT_FOUND ? VF_E_CONFIG : code;
    }
    const struct vf_projection *projection = type->describe(*ret_projector);
    code = vf_config_check_topics(config, projection->name, projection->topics, projection->topic_count, error);
    if (code != VF_OK) {
        vf_error_prefix(error, "%s:%d:%d", config->path, (int)entry->place.line, (int)entry->place.column);
        type->close(*ret_projector);
    }
    return code;
}

/* One projection's stores, appended to the entries. */
static enum vf_code add_stores(struct vf_views *views, const struct vf_config *config,
                               const struct vf_projection_entry *entry, const struct vf_projection *projection,
                               const struct vf_generation *proposed, struct vf_error *error)
{
    const char *name = keep(views->arena, projection->name);
    const char **topics = vf_arena_calloc(views->arena, projection->topic_count, sizeof *topics);
    struct vf_envelope *envelopes = vf_arena_calloc(views->arena, projection->topic_count, sizeof *envelopes);
    enum vf_code code = VF_OK;
    for (size_t i = 0; i < projection->topic_count; i++) {
        struct vf_topic_entry topic = vf_config_topic(config, projection->topics[i]);
        topics[i] = keep(views->arena, topic.topic);
        envelopes[i] = topic.envelope;
    }
    for (size_t i = 0; code == VF_OK && i < entry->store_count; i++) {
        struct vf_view_entry view = {
            .projection = name,
            .view = entry->stores[i].view_name ? entry->stores[i].view_name : name,
            .store = entry->stores[i].store,
            .configured = entry,
            .topics = topics,
            .envelopes = envelopes,
            .topic_count = projection->topic_count,
        };
        memcpy(view.script_hash, proposed->script_hash, sizeof view.script_hash);
        code = check_apart(config, views->entries, views->count, &view, error);
        views->entries[views->count++] = view;
    }
    return code;
}

static enum vf_code add_projection(struct vf_views *views, const struct vf_cli *cli, const struct vf_config *config,
                                   const struct vf_projection_entry *entry, bool all, struct vf_error *error)
{
    const struct vf_projector_type *type = cli->registry->projector;
    struct vf_projector *projector = NULL;
    struct vf_generation proposed;
    enum vf_code code = open_script(cli, config, entry, &projector, &proposed, error);
    if (code != VF_OK && !all) {
        views->unread[views->unread_count++] =
            (struct vf_view_unread){.configured = entry, .why = keep(views->arena, error->text)};
        return VF_OK;
    }
    if (code == VF_OK) {
        code = add_stores(views, config, entry, type->describe(projector), &proposed, error);
        type->close(projector);
    }
    return code;
}

/* `all`: a script that cannot be read ends it. */
static enum vf_code open_views(const struct vf_cli *cli, const struct vf_config *config, bool all,
                               struct vf_views **ret_views, struct vf_error *error)
{
    struct vf_views *views = vf_calloc(1, sizeof *views);
    size_t most = 0;
    for (size_t i = 0; i < config->projection_count; i++) {
        most += config->projections[i].store_count;
    }
    views->arena = vf_arena_new();
    views->entries = vf_arena_calloc(views->arena, most, sizeof *views->entries);
    views->unread = vf_arena_calloc(views->arena, config->projection_count, sizeof *views->unread);
    for (size_t i = 0; i < config->projection_count; i++) {
        enum vf_code code = add_projection(views, cli, config, &config->projections[i], all, error);
        if (code != VF_OK) {
            vf_views_free(views);
            return code;
        }
    }
    *ret_views = views;
    return VF_OK;
}

enum vf_code vf_views_open(const struct vf_cli *cli, const struct vf_config *config, struct vf_views **ret_views,
                           struct vf_error *error)
{
    return open_views(cli, config, true, ret_views, error);
}

enum vf_code vf_views_look(const struct vf_cli *cli, const struct vf_config *config, struct vf_views **ret_views,
                           struct vf_error *error)
{
    return open_views(cli, config, false, ret_views, error);
}

enum vf_code vf_views_doubt(const struct vf_views *views, const char *advice, struct vf_error *error)
{
    struct vf_buffer text;
    if (views->unread_count == 0) {
        return error->code;
    }
    vf_buffer_init(&text);
    vf_buffer_printf(&text, "%s; but not every script can be read: ", error->text);
    for (size_t i = 0; i < views->unread_count; i++) {
        vf_buffer_printf(&text, "%s%s", i > 0 ? "; " : "", views->unread[i].why);
    }
    vf_buffer_add_text(&text, advice);
    vf_fail(error, VF_E_CONFIG, "%s", text.data);
    vf_buffer_done(&text);
    return error->code;
}

void vf_views_free(struct vf_views *views)
{
    if (views) {
        vf_arena_free(views->arena);
        free(views);
    }
}
