#include "cli/test_find.h"

#include "cli/config_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX   16 /* of folders */
#define PATHS_MAX   10000
#define TEST_ENDING ".test.yaml"

struct finding {
    struct vf_cli *cli;
    struct vf_test_paths *paths;
    int status;
};

static bool ends_with(const char *path, const char *ending)
{
    size_t size = strlen(path), end = strlen(ending);
    return size > end && strcmp(path + size - end, ending) == 0;
}

/* `path` with its ending taken off and another put on. */
static char *with_ending(const char *path, const char *old, const char *ending)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add(&text, path, strlen(path) - strlen(old));
    vf_buffer_add_text(&text, ending);
    return text.data;
}

static void complain(struct finding *finding, enum vf_code code, const char *path, const char *why)
{
    struct vf_error error;
    vf_fail(&error, code, "%s: %s", path, why);
    int status = vf_cli_fail(finding->cli, &error);
    finding->status = finding->status ? finding->status : status;
}

/* Takes both. */
static void add(struct finding *finding, char *test, char *script)
{
    struct vf_test_paths *paths = finding->paths;
    bool known = paths->count == PATHS_MAX;
    for (size_t i = 0; !known && i < paths->count; i++) {
        known = strcmp(paths->tests[i], test) == 0;
    }
    if (known) {
        free(test);
        free(script);
        return;
    }
    paths->tests = vf_realloc(paths->tests, (paths->count + 1) * sizeof *paths->tests);
    paths->scripts = vf_realloc(paths->scripts, (paths->count + 1) * sizeof *paths->scripts);
    paths->tests[paths->count] = test;
    paths->scripts[paths->count++] = script;
}

static void add_test(struct finding *finding, const char *test)
{
    char *script = with_ending(test, TEST_ENDING, ".lua");
    if (access(script, R_OK) != 0) {
        complain(finding, VF_E_NOT_FOUND, test, "the script that it tests is not beside it: X.test.yaml tests X.lua");
        free(script);
        return;
    }
    add(finding, vf_strdup(test), script);
}

/* Tells whether the script has tests. */
static bool add_script(struct finding *finding, const char *script)
{
    char *test = with_ending(script, ".lua", TEST_ENDING);
    if (access(test, F_OK) != 0) {
        free(test);
        return false;
    }
    add(finding, test, vf_strdup(script));
    return true;
}

/* --- folders ------------------------------------------------------------------------------------------------------ */

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_folder(struct finding *finding, const char *folder, int depth)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, visible, alphasort);
    if (count < 0) {
        complain(finding, errno == EACCES ? VF_E_DENIED : VF_E_NOT_FOUND, folder, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        struct vf_buffer path;
        struct stat about;
        vf_buffer_init(&path);
        vf_buffer_printf(&path, "%s%s%s", strcmp(folder, ".") == 0 ? "" : folder,
                         strcmp(folder, ".") == 0 || ends_with(folder, "/") ? "" : "/", entries[i]->d_name);
        /* A link to a folder could lead back here. */
        if (lstat(path.data, &about) == 0 && S_ISDIR(about.st_mode) && depth < DEPTH_MAX) {
            add_folder(finding, path.data, depth + 1);
        } else if (ends_with(entries[i]->d_name, TEST_ENDING)) {
            add_test(finding, path.data);
        }
        vf_buffer_done(&path);
        free(entries[i]);
    }
    free(entries);
}

static void add_path(struct finding *finding, const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        complain(finding, errno == EACCES ? VF_E_DENIED : VF_E_NOT_FOUND, path, strerror(errno));
    } else if (S_ISDIR(about.st_mode)) {
        size_t before = finding->paths->count;
        int status = finding->status;
        add_folder(finding, path, 0);
        if (finding->paths->count == before && finding->status == status) {
            complain(finding, VF_E_NOT_FOUND, path, "no test file (X.test.yaml beside X.lua) is in this folder");
        }
    } else if (ends_with(path, TEST_ENDING)) {
        add_test(finding, path);
    } else if (ends_with(path, ".lua")) {
        if (!add_script(finding, path)) {
            complain(finding, VF_E_NOT_FOUND, path, "it has no tests: X.test.yaml beside X.lua");
        }
    } else {
        complain(finding, VF_E_USAGE, path, "a test file (X.test.yaml), a script (X.lua) or a folder is wanted");
    }
}

/* --- the configuration's projections ------------------------------------------------------------------------------ */

static void add_configured(struct finding *finding, const struct vf_node *projections, const char *folder)
{
    for (const struct vf_node *item = projections->first; item; item = item->next) {
        const struct vf_node *script = vf_node_member(item, "script");
        if (!script || script->kind != VF_NODE_SCALAR || !ends_with(script->text, ".lua")) {
            continue; /* `lint` says what is wrong with it */
        }
        struct vf_buffer path;
        vf_buffer_init(&path);
        vf_buffer_printf(&path, "%s%s", script->text[0] == '/' ? "" : folder, script->text);
        if (!add_script(finding, path.data)) {
            vf_cli_note(finding->cli, "%s has no tests: %.*s%s beside it", path.data, (int)(path.size - 4), path.data,
                        TEST_ENDING);
        }
        vf_buffer_done(&path);
    }
}

static void read_configuration(struct finding *finding, const char *path)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_bytes text;
    struct vf_error error;
    if (vf_config_file_read(path, VF_CONFIG_FILE_BYTES_MAX, arena, &text, &error) != VF_OK) {
        finding->status = vf_cli_fail(finding->cli, &error);
    } else {
        const struct vf_node *root = vf_config_tree_parse(text, NULL, arena, findings);
        const struct vf_node *projections = vf_node_member(root, "projections");
        const char *slash = strrchr(path, '/');
        if (projections && projections->kind == VF_NODE_LIST) {
            add_configured(finding, projections,
                           vf_arena_bytes(arena, path, slash ? (size_t)(slash - path) + 1 : 0).data);
        } else {
            complain(finding, VF_E_CONFIG, path, "no projections can be read from it; `viewfold lint` says why");
        }
        if (projections && finding->paths->count == 0 && !finding->status) {
            complain(finding, VF_E_NOT_FOUND, path, "none of its projections has tests");
        }
    }
    vf_findings_free(findings);
    vf_arena_free(arena);
}

void vf_test_find(struct vf_cli *cli, struct vf_test_paths *ret_paths, int *ret_status)
{
    struct finding finding = {.cli = cli, .paths = ret_paths};
    const char *given = vf_options_text(cli->options, "config");
    size_t count = vf_options_argument_count(cli->options);
    *ret_paths = (struct vf_test_paths){0};
    for (size_t i = 0; i < count; i++) {
        add_path(&finding, vf_options_arguments(cli->options)[i]);
    }
    if (count == 0 && (given || access("viewfold.yaml", F_OK) == 0)) {
        read_configuration(&finding, given ? given : "viewfold.yaml");
    } else if (count == 0) {
        add_path(&finding, ".");
    }
    *ret_status = finding.status;
}

void vf_test_paths_done(struct vf_test_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->tests[i]);
        free(paths->scripts[i]);
    }
    free(paths->tests);
    free(paths->scripts);
}
