/* `viewfold lint`: everything that is wrong in configurations and projections, with its place. */
#include "cli/lint.h"

#include "cli/suggest.h"
#include "cli/verbs.h"
#include "cli/views.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SAMPLE_BYTES_MAX (16 << 20)

void vf_lint_say(struct vf_lint *lint, const char *file, struct vf_place place, enum vf_finding_level level,
                 const char *hint, const char *format, ...)
{
    char text[VF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    vf_findings_put(lint->findings,
                    &(struct vf_finding){.file = file, .place = place, .level = level, .message = text, .hint = hint});
}

/* --- a configuration ---------------------------------------------------------------------------------------------- */

/* Stores that no projection writes to and topics that none reads: left over, or misspelt where they should be used. */
static void note_unused(struct vf_lint *lint, const struct vf_config *config, struct vf_projector *const *projectors)
{
    bool all_read = true;
    for (size_t i = 0; i < config->store_count; i++) {
        bool used = false;
        for (size_t j = 0; j < config->projection_count; j++) {
            for (size_t k = 0; k < config->projections[j].store_count; k++) {
                used = used || config->projections[j].stores[k].store == &config->stores[i];
            }
        }
        if (!used) {
            vf_lint_say(lint, config->path, config->stores[i].place, VF_FINDING_NOTE, NULL,
                        "no projection writes to the store %s", config->stores[i].name);
        }
    }
    for (size_t j = 0; j < config->projection_count; j++) {
        all_read = all_read && projectors[j];
    }
    for (size_t i = 0; all_read && i < config->topic_count; i++) {
        bool used = false;
        for (size_t j = 0; j < config->projection_count; j++) {
            const struct vf_projection *projection = lint->cli->registry->projector->describe(projectors[j]);
            for (size_t k = 0; k < projection->topic_count; k++) {
                used = used || strcmp(projection->topics[k], config->topics[i].name) == 0;
            }
        }
        if (!used) {
            vf_lint_say(lint, config->path, config->topics[i].place, VF_FINDING_NOTE, NULL,
                        "no projection reads the topic %s", config->topics[i].name);
        }
    }
}

/* What only shows when all scripts are read: two that would be one view or one consumer group. */
static void check_views(struct vf_lint *lint, const struct vf_config *config, size_t errors_before)
{
    struct vf_views *views = NULL;
    struct vf_error error;
    if (vf_findings_count(lint->findings) > errors_before) {
        return; /* would be said again */
    }
    if (vf_views_open(lint->cli, config, &views, &error) != VF_OK) {
        const char *text = error.text;
        size_t size = strlen(config->path);
        text += strncmp(text, config->path, size) == 0 && strncmp(text + size, ": ", 2) == 0 ? size + 2 : 0;
        vf_lint_say(lint, config->path, (struct vf_place){0, 0}, VF_FINDING_ERROR, NULL, "%s", text);
    }
    vf_views_free(views);
}

static enum vf_code lint_config(struct vf_lint *lint, const char *path, struct vf_error *error)
{
    const struct vf_projector_type *type = lint->cli->registry->projector;
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes text;
    size_t errors_before = vf_findings_count(lint->findings);
    enum vf_code code = vf_config_file_read(path, VF_CONFIG_FILE_BYTES_MAX, arena, &text, error);
    if (code != VF_OK) {
        vf_arena_free(arena);
        return code;
    }
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_config *config = vf_config_look(path, text, &lint->cli->registry->rules, findings);
    vf_findings_copy(lint->findings, findings);
    lint->configurations++;
    struct vf_projector **projectors = vf_arena_calloc(arena, config->projection_count + 1, sizeof *projectors);
    for (size_t i = 0; i < config->projection_count; i++) {
        if (config->projections[i].script_name[0]) {
            vf_lint_script(lint, config, &config->projections[i], &projectors[i]);
        }
    }
    check_views(lint, config, errors_before);
    note_unused(lint, config, projectors);
    /* A file in which something is wrong may name servers that it does not mean. */
    if (lint->online && vf_findings_count(findings) == 0) {
        vf_lint_online(lint, config, projectors);
    } else if (lint->online) {
        vf_cli_note(lint->cli, "%s: its servers were not looked at", path);
    }
    if (lint->sample && vf_findings_count(findings) == 0) {
        vf_lint_sample(lint, config);
    } else if (lint->sample) {
        vf_cli_note(lint->cli, "%s: the records in %s were not looked at", path, lint->sample);
    }
    for (size_t i = 0; i < config->projection_count; i++) {
        type->close(projectors[i]);
    }
    vf_config_free(config);
    vf_findings_free(findings);
    vf_arena_free(arena);
    return VF_OK;
}

/* --- paths -------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* A Lua file by itself. */
static void lint_lua(struct vf_lint *lint, const char *path)
{
    struct vf_projector *projector = NULL;
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? vf_strdup(".") : vf_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    struct vf_projection_entry entry = {
        .script = path, .script_folder = folder, .script_name = slash ? slash + 1 : path};
    vf_lint_script(lint, NULL, &entry, &projector);
    lint->cli->registry->projector->close(projector);
    free(folder);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The folder's viewfold.yaml; where it has none, its Lua files. */
static enum vf_code lint_folder(struct vf_lint *lint, const char *path, struct vf_error *error)
{
    struct vf_buffer name;
    struct stat status;
    vf_buffer_init(&name);
    vf_buffer_printf(&name, "%s%sviewfold.yaml", path, ends_with(path, "/") ? "" : "/");
    if (stat(name.data, &status) == 0) {
        enum vf_code code = lint_config(lint, name.data, error);
        vf_buffer_done(&name);
        return code;
    }
    DIR *folder = opendir(path);
    char **names = NULL;
    size_t count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (ends_with(entry->d_name, ".lua")) {
            names = vf_realloc(names, (count + 1) * sizeof *names);
            names[count++] = vf_strdup(entry->d_name);
        }
    }
    enum vf_code code = VF_OK;
    if (!folder) {
        code = vf_fail(error, VF_E_DENIED, "cannot read %s: %s", path, strerror(errno));
    } else if (count == 0) {
        code = vf_fail(error, VF_E_NOT_FOUND, "there is neither viewfold.yaml nor a Lua file in %s", path);
    } else {
        qsort(names, count, sizeof *names, compare_names);
    }
    for (size_t i = 0; i < count; i++) {
        vf_buffer_clear(&name);
        vf_buffer_printf(&name, "%s%s%s", path, ends_with(path, "/") ? "" : "/", names[i]);
        lint_lua(lint, name.data);
        free(names[i]);
    }
    free(names);
    if (folder) {
        closedir(folder);
    }
    vf_buffer_done(&name);
    return code;
}

static enum vf_code lint_path(struct vf_lint *lint, const char *path, struct vf_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return vf_fail(error, VF_E_NOT_FOUND, "cannot read %s: %s", path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return lint_folder(lint, path, error);
    }
    if (ends_with(path, ".lua")) {
        lint_lua(lint, path);
        return VF_OK;
    }
    if (ends_with(path, ".yaml") || ends_with(path, ".yml")) {
        return lint_config(lint, path, error);
    }
    return vf_fail(error, VF_E_USAGE, "%s is neither .yaml nor .lua", path);
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static void say_all(struct vf_lint *lint)
{
    struct vf_cli *cli = lint->cli;
    struct vf_buffer out;
    vf_buffer_init(&out);
    size_t errors = vf_findings_count(lint->findings);
    size_t notes = vf_findings_note_count(lint->findings);
    if (cli->json || vf_options_number(cli->options, "format", 0) == 1) {
        vf_findings_print_json(lint->findings, &out);
    } else {
        vf_findings_print(lint->findings, VF_FINDINGS_KEPT_MAX, cli->color, &out);
    }
    if (out.size > 0) {
        fwrite(out.data, 1, out.size, cli->out);
    }
    vf_buffer_done(&out);
    fflush(cli->out);
    char records[48] = "";
    if (lint->sample) {
        snprintf(records, sizeof records, ", %zu record%s", lint->records, lint->records == 1 ? "" : "s");
    }
    vf_cli_note(cli, "%zu configuration%s, %zu script%s%s: %zu finding%s, %zu note%s", lint->configurations,
                lint->configurations == 1 ? "" : "s", lint->scripts, lint->scripts == 1 ? "" : "s", records, errors,
                errors == 1 ? "" : "s", notes, notes == 1 ? "" : "s");
}

/* Looks at every path, and at the configuration where there is none. The exit status of what could not be looked at. */
static int lint_paths(struct vf_lint *lint)
{
    struct vf_cli *cli = lint->cli;
    const char *const *paths = vf_options_arguments(cli->options);
    size_t count = vf_options_argument_count(cli->options);
    struct vf_error error;
    const char *standard = NULL;
    int status = 0;
    if (count == 0) {
        standard = vf_cli_config_path(cli, &error);
        if (!standard) {
            return vf_cli_fail(cli, &error);
        }
        paths = &standard;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        enum vf_code code = standard ? lint_config(lint, paths[i], &error) : lint_path(lint, paths[i], &error);
        if (code != VF_OK) {
            status = vf_cli_fail(cli, &error);
        }
    }
    return status;
}

int vf_verb_lint(struct vf_cli *cli)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_error error;
    const char *first = vf_options_argument_count(cli->options) > 0 ? vf_options_arguments(cli->options)[0]
                                                                    : vf_cli_config_path(cli, &error);
    struct vf_lint lint = {.cli = cli,
                           .findings = vf_findings_new(first ? first : ""),
                           .online = vf_options_has(cli->options, "online"),
                           .sample = vf_options_text(cli->options, "sample")};
    enum vf_code code = VF_OK;
    int status = 0;
    if (lint.sample) {
        bool is_input = strcmp(lint.sample, "-") == 0;
        code = vf_config_file_read(is_input ? "/dev/stdin" : lint.sample, SAMPLE_BYTES_MAX, arena, &lint.sample_text,
                                   &error);
    }
    if (code == VF_OK) {
        status = lint_paths(&lint);
        say_all(&lint);
    }
    if (code == VF_OK && lint.sample && status == 0 && lint.configurations == 0) {
        code =
            vf_fail(&error, VF_E_USAGE, "viewfold lint --sample wants a configuration: it says what the records are");
    }
    if (code != VF_OK) {
        status = vf_cli_fail(cli, &error);
    }
    if (status == 0 && vf_findings_count(lint.findings) > lint.unreachable) {
        status = 1;
    } else if (status == 0 && lint.unreachable > 0) {
        status = vf_code_exit_status(VF_E_UNAVAILABLE);
    }
    vf_findings_free(lint.findings);
    vf_arena_free(arena);
    return status;
}
