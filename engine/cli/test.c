/* `viewfold test`: projections' tests, run on the engine in memory. */
#include "cli/cli.h"
#include "cli/config_keys.h"
#include "cli/test_check.h"
#include "cli/test_find.h"
#include "cli/test_report.h"
#include "cli/verbs.h"
#include "run/generation.h"
#include "run/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Who waits longer than this is shown how far it is. */
#define PROGRESS_AFTER_MS 1000

/* One invocation. */
struct verb {
    struct vf_cli *cli;
    struct vf_test_report *report;
    const char *filter; /* or NULL */
    int64_t interleavings;
    bool coverage;
    int64_t began_ms;
    bool progress; /* a line of it stands on the terminal */
    int status;    /* the worst so far */
};

static int64_t now_ms(const struct verb *verb)
{
    const struct vf_clock *clock = verb->cli->registry->clock;
    return clock->monotonic_ms(clock->self);
}

/* Configuration and scripts that are wrong outweigh what was not found, and that outweighs failed tests. */
static void note_status(struct verb *verb, int status)
{
    static const int weights[] = {0, 1, 66, 77, 64, 78, 70};
    size_t old = 0, new = 0;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        old = weights[i] == verb->status ? i : old;
        new = weights[i] == status ? i : new;
    }
    verb->status = new > old ? status : verb->status;
}

static void show_progress(struct verb *verb, const struct vf_test_case *test, size_t index, size_t count)
{
    int fd = fileno(verb->cli->err);
    if (verb->cli->quiet || fd < 0 || !isatty(fd) || now_ms(verb) - verb->began_ms < PROGRESS_AFTER_MS) {
        return;
    }
    fflush(verb->cli->out);
    fprintf(verb->cli->err, "\r\033[K%zu of %zu in this file: line %d", index + 1, count, (int)test->place.line);
    verb->progress = true;
}

static void hide_progress(struct verb *verb)
{
    if (verb->progress) {
        fputs("\r\033[K", verb->cli->err);
    }
    verb->progress = false;
}

/* --- the projection ----------------------------------------------------------------------------------------------- */

static int64_t standard(const char *path)
{
    const struct vf_key *key = vf_key_find(path);
    struct vf_error error;
    int64_t number = 0;
    if (!key || vf_key_read(key, key->standard, key->standard, &number, &error) != VF_OK) {
        abort(); /* the table of keys has them all */
    }
    return number;
}

/* The limits and sizes that a worker has where viewfold.yaml says nothing. */
static void set_limits(struct vf_test_subject *subject)
{
    subject->cache_bytes = standard("defaults.cache");
    subject->limits = (struct vf_projector_limits){
        .memory_bytes_max = (size_t)(subject->cache_bytes + standard("defaults.limits.lua_memory")),
        .instructions_max = standard("defaults.limits.lua_instructions"),
        .handler_ms_max = standard("defaults.limits.handler"),
        .document_bytes_max = (size_t)standard("defaults.limits.document"),
    };
    subject->batch = (struct vf_batch_config){
        .events_max = (int32_t)standard("defaults.batch.events"),
        .bytes_max = standard("defaults.batch.bytes"),
        .written_bytes_max = standard("defaults.batch.written"),
    };
}

static enum vf_code open_subject(struct verb *verb, const char *script, struct vf_arena *arena,
                                 struct vf_test_subject *subject, struct vf_error *error)
{
    const char *slash = strrchr(script, '/');
    struct vf_projection_entry entry = {
        .script = script,
        .script_folder = slash == script ? "/"
                         : slash         ? vf_arena_bytes(arena, script, (size_t)(slash - script)).data
                                         : ".",
        .script_name = slash ? slash + 1 : script,
    };
    *subject = (struct vf_test_subject){.script = script,
                                        .script_name = entry.script_name,
                                        .rehearsal = verb->cli->registry->rehearsal,
                                        .projector_type = verb->cli->registry->projector};
    set_limits(subject);
    enum vf_code code = vf_generation_propose(&entry, subject->projector_type, &subject->limits, 0, &subject->projector,
                                              &subject->proposed, error);
    if (code == VF_OK) {
        subject->projection = subject->projector_type->describe(subject->projector);
        vf_test_watch_init(&subject->watch, subject->projection);
    }
    return code;
}

static void close_subject(struct vf_test_subject *subject)
{
    vf_test_watch_done(&subject->watch);
    subject->projector_type->close(subject->projector);
}

static void meet(const struct vf_projection *projection, const struct vf_test_case *test,
                 struct vf_test_coverage *coverage)
{
    for (size_t i = 0; i < test->event_count; i++) {
        for (size_t r = 0; r < projection->route_count; r++) {
            const struct vf_route *route = &projection->routes[r];
            if (vf_bytes_is(test->events[i].kind, route->kind)) {
                coverage->kinds[r] = true;
            }
        }
    }
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static bool is_wanted(const struct verb *verb, const char *path, const struct vf_test_case *test)
{
    return !verb->filter || strstr(test->name, verb->filter) || strstr(path, verb->filter);
}

/* The file's tests cannot be run. */
static void report_findings(struct verb *verb, const char *path, const struct vf_findings *findings, enum vf_code code)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_findings_print(findings, VF_FINDINGS_SHOWN_MAX, false, &text);
    vf_test_report_wrong(verb->report, path, text.data, findings);
    note_status(verb, vf_code_exit_status(code));
    vf_buffer_done(&text);
}

static void report_error(struct verb *verb, const char *path, const struct vf_error *error)
{
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_printf(&text, "%s\n", error->text);
    vf_findings_add(findings, (struct vf_place){0}, "%s", error->text);
    vf_test_report_wrong(verb->report, path, text.data, findings);
    note_status(verb, vf_code_exit_status(error->code));
    vf_buffer_done(&text);
    vf_findings_free(findings);
}

static void run_tests(struct verb *verb, const struct vf_test_file *file, struct vf_test_subject *subject)
{
    const struct vf_projection *projection = subject->projection;
    struct vf_test_coverage coverage = {.kinds = vf_calloc(projection->route_count + 1, sizeof(bool))};
    struct vf_arena *arena = vf_arena_new();
    bool any = false;
    for (size_t i = 0; i < file->case_count; i++) {
        const struct vf_test_case *test = &file->cases[i];
        struct vf_test_outcome outcome;
        struct vf_error error;
        if (!is_wanted(verb, file->path, test)) {
            continue;
        }
        if (!any) {
            hide_progress(verb);
            vf_test_report_file(verb->report, file->path, projection->name);
        }
        any = true;
        show_progress(verb, test, i, file->case_count);
        int64_t began = now_ms(verb);
        vf_arena_reset(arena);
        enum vf_code code = vf_test_check(subject, test, verb->interleavings, arena, &outcome, &error);
        hide_progress(verb);
        if (code != VF_OK) {
            report_error(verb, file->path, &error);
            break;
        }
        meet(projection, test, &coverage);
        vf_test_report_test(verb->report, subject, test, &outcome, now_ms(verb) - began);
    }
    if (any && verb->coverage) {
        vf_test_report_coverage(verb->report, subject, &coverage);
    }
    vf_arena_free(arena);
    free(coverage.kinds);
}

static void run_file(struct verb *verb, const char *path, const char *script)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_test_subject subject;
    struct vf_test_file *file = NULL;
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_error error;
    enum vf_code code = open_subject(verb, script, arena, &subject, &error);
    if (code != VF_OK) {
        report_error(verb, path, &error);
    } else {
        code = vf_test_file_read(path, subject.projection, findings, &file, &error);
        if (code == VF_OK) {
            run_tests(verb, file, &subject);
        } else if (vf_findings_count(findings) > 0) {
            report_findings(verb, path, findings, VF_E_CONFIG);
        } else {
            report_error(verb, path, &error);
        }
        close_subject(&subject);
    }
    vf_test_file_free(file);
    vf_findings_free(findings);
    vf_arena_free(arena);
}

static enum vf_test_format format_of(const struct vf_cli *cli)
{
    static const enum vf_test_format formats[] = {VF_TEST_TEXT, VF_TEST_TAP, VF_TEST_JUNIT, VF_TEST_JSON};
    int64_t standard_format = cli->json ? 3 : 0;
    return formats[vf_options_number(cli->options, "format", standard_format)];
}

int vf_verb_test(struct vf_cli *cli)
{
    struct verb verb = {.cli = cli,
                        .filter = vf_options_text(cli->options, "filter"),
                        .interleavings = vf_options_number(cli->options, "interleavings", VF_TEST_ORDERS_UNSAID),
                        .coverage = vf_options_has(cli->options, "coverage")};
    struct vf_test_paths paths;
    int status = 0;
    /* Workers log what happens to them, in each of hundreds of runs: the report says what matters of it. */
    vf_log_setup(VF_LOG_ERROR, VF_LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    verb.began_ms = now_ms(&verb);
    vf_test_find(cli, &paths, &status);
    note_status(&verb, status);
    if (paths.count > 0) {
        verb.report = vf_test_report_new(cli, format_of(cli));
        for (size_t i = 0; i < paths.count; i++) {
            run_file(&verb, paths.tests[i], paths.scripts[i]);
        }
        if (vf_test_report_failed(verb.report) > 0) {
            note_status(&verb, 1);
        }
        bool none = vf_test_report_tests(verb.report) == 0;
        vf_test_report_end(verb.report, now_ms(&verb) - verb.began_ms);
        if (none && verb.status == 0) {
            struct vf_error error;
            vf_fail(&error, VF_E_NOT_FOUND, "no test's name, nor its file's, holds \"%s\"", verb.filter);
            note_status(&verb, vf_cli_fail(cli, &error));
        }
    }
    vf_test_paths_done(&paths);
    return verb.status;
}
