/* `viewfold lint`: a projection's script, by itself and against the configuration. */
#include "cli/config_keys.h"
#include "cli/lint.h"
#include "cli/suggest.h"
#include "run/generation.h"
#include "run/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct script {
    struct vf_lint *lint;
    const struct vf_projection_entry *entry;
};

/* A script's file as people write it: from where they stand. */
static char *path_of(const struct vf_projection_entry *entry, const char *file)
{
    struct vf_buffer path;
    vf_buffer_init(&path);
    if (strcmp(entry->script_folder, ".") != 0) {
        vf_buffer_printf(&path, "%s/", strcmp(entry->script_folder, "/") == 0 ? "" : entry->script_folder);
    }
    vf_buffer_add_text(&path, file);
    return path.data; /* as vf_buffer_done would free it */
}

static void found_in_script(void *self, const struct vf_script_finding *found)
{
    const struct script *script = self;
    char *path = path_of(script->entry, found->file);
    vf_findings_put(script->lint->findings,
                    &(struct vf_finding){.file = path,
                                         .place = {found->line, found->column},
                                         .level = found->note ? VF_FINDING_NOTE : VF_FINDING_ERROR,
                                         .message = found->message,
                                         .hint = found->hint});
    free(path);
}

static struct vf_place place_in(const struct vf_lint *lint, const struct vf_projector *projector, const char *field,
                                const char *word)
{
    struct vf_place place = {0, 0};
    lint->cli->registry->projector->place(projector, field, word, &place.line, &place.column);
    return place;
}

static const struct vf_topic_entry *find_topic(const struct vf_config *config, const char *name)
{
    for (size_t i = 0; i < config->topic_count; i++) {
        if (strcmp(config->topics[i].name, name) == 0) {
            return &config->topics[i];
        }
    }
    return NULL;
}

/* A name that the file does not have is the topic of that name: right for many, a slip for some. */
static void check_topic(struct vf_lint *lint, const struct vf_config *config, const struct vf_projector *projector,
                        const char *path, const char *name)
{
    const char *near = NULL;
    char hint[300];
    if (config->topic_count == 0 || find_topic(config, name)) {
        return;
    }
    for (size_t i = 0; i < config->topic_count; i++) {
        vf_suggest_offer(name, config->topics[i].name, &near);
    }
    snprintf(hint, sizeof hint, "did you mean %s? If not, name it under topics", near ? near : "");
    vf_lint_say(lint, path, place_in(lint, projector, "topics", name), near ? VF_FINDING_ERROR : VF_FINDING_NOTE,
                near ? hint : NULL, "%s has no topic %s, so the Kafka topic of that name is read, with all defaults",
                config->path, name);
}

static bool has_route(const struct vf_projection *projection, const char *kind)
{
    for (size_t i = 0; i < projection->route_count; i++) {
        if (strcmp(projection->routes[i].kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

/* Topics' fixed kinds that have no route, and routes whose kind no topic carries. */
static void check_kinds(struct vf_lint *lint, const struct vf_config *config, const struct vf_projector *projector,
                        const struct vf_projection *projection, const char *path)
{
    bool all_fixed = true;
    for (size_t i = 0; i < projection->topic_count; i++) {
        const char *kind = vf_config_topic(config, projection->topics[i]).envelope.kind;
        all_fixed = all_fixed && kind;
        if (kind && !has_route(projection, kind)) {
            const char *near = NULL;
            char hint[300];
            for (size_t j = 0; j < projection->route_count; j++) {
                vf_suggest_offer(kind, projection->routes[j].kind, &near);
            }
            snprintf(hint, sizeof hint, "%s%s%s", near ? "did you mean " : "say where they go, or leave the topic out",
                     near ? near : "", near ? "?" : "");
            vf_lint_say(lint, path, place_in(lint, projector, "key", near ? near : ""), VF_FINDING_ERROR, hint,
                        "`key` has no route for the kind %s, so no event of the topic %s is for this view", kind,
                        projection->topics[i]);
        }
    }
    for (size_t i = 0; all_fixed && i < projection->route_count; i++) {
        const char *kind = projection->routes[i].kind;
        bool carried = false;
        for (size_t j = 0; j < projection->topic_count; j++) {
            carried = carried || strcmp(vf_config_topic(config, projection->topics[j]).envelope.kind, kind) == 0;
        }
        if (!carried) {
            vf_lint_say(lint, path, place_in(lint, projector, "key", kind), VF_FINDING_ERROR, NULL,
                        "key.%s: none of this projection's topics carries that kind", kind);
        }
    }
}

static void check_against(struct vf_lint *lint, const struct vf_config *config, const struct vf_projector *projector,
                          const char *path)
{
    const struct vf_projection *projection = lint->cli->registry->projector->describe(projector);
    struct vf_error error;
    for (size_t i = 0; i < projection->topic_count; i++) {
        check_topic(lint, config, projector, path, projection->topics[i]);
    }
    if (projection->topic_count > 0 && projection->route_count > 0) {
        check_kinds(lint, config, projector, projection, path);
    }
    if (projection->name && vf_config_check_topics(config, projection->name, projection->topics,
                                                   projection->topic_count, &error) != VF_OK) {
        vf_lint_say(lint, path, place_in(lint, projector, "topics", ""), VF_FINDING_ERROR, NULL, "%s", error.text);
    }
}

static int64_t standard_of(const char *path)
{
    const struct vf_key *key = vf_key_find(path);
    struct vf_error error;
    int64_t number = 0;
    enum vf_code code = vf_key_read(key, key->standard, key->standard, &number, &error);
    return code == VF_OK ? number : 0; /* a test sees that every default can be read */
}

static struct vf_projector_limits standard_limits(void)
{
    return (struct vf_projector_limits){
        .memory_bytes_max = (size_t)(standard_of("defaults.cache") + standard_of("defaults.limits.lua_memory")),
        .instructions_max = standard_of("defaults.limits.lua_instructions"),
        .handler_ms_max = standard_of("defaults.limits.handler"),
        .document_bytes_max = (size_t)standard_of("defaults.limits.document"),
    };
}

void vf_lint_script(struct vf_lint *lint, const struct vf_config *config, const struct vf_projection_entry *entry,
                    struct vf_projector **ret_projector)
{
    struct vf_projector_limits limits = config ? vf_projector_limits_of(config) : standard_limits();
    struct vf_script_folder folder = {.path = entry->script_folder, .arena = vf_arena_new()};
    struct vf_script_reader reader = vf_script_folder_reader(&folder);
    struct script script = {.lint = lint, .entry = entry};
    char *path = path_of(entry, entry->script_name);
    *ret_projector = NULL;
    if (access(path, R_OK) != 0) {
        vf_lint_say(lint, config ? config->path : path, entry->place, VF_FINDING_ERROR, NULL, "cannot read %s: %s",
                    path, strerror(errno));
    } else {
        lint->scripts++;
        lint->cli->registry->projector->lint(entry->script_name, &reader, &limits, found_in_script, &script,
                                             ret_projector);
    }
    if (*ret_projector && config) {
        check_against(lint, config, *ret_projector, path);
    }
    free(path);
    vf_arena_free(folder.arena);
}
