#include "cli/cli.h"

#include "cli/output.h"
#include "run/log.h"
#include "run/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* What a shell shows for a program that SIGPIPE ended; viewfold ignores the signal, as a store's socket may raise it. */
#define STATUS_BROKEN_PIPE (128 + SIGPIPE)

int vf_cli_fail(struct vf_cli *cli, const struct vf_error *error)
{
    if (cli->logs_json) {
        vf_log(VF_LOG_ERROR, NULL, "%s", error->text);
        return vf_code_exit_status(error->code);
    }
    struct vf_buffer text;
    vf_buffer_init(&text);
    /* "viewfold get wants ..." says already who speaks. */
    vf_buffer_add_text(&text, strncmp(error->text, "viewfold ", 9) == 0 ? "" : "viewfold: ");
    vf_output_plain(&text, vf_bytes_from(error->text), VF_ERROR_TEXT_BYTES, true);
    vf_buffer_add_char(&text, '\n');
    fwrite(text.data, 1, text.size, cli->err);
    vf_buffer_done(&text);
    return vf_code_exit_status(error->code);
}

void vf_cli_note(struct vf_cli *cli, const char *format, ...)
{
    if (cli->quiet) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vfprintf(cli->err, format, arguments);
    va_end(arguments);
    fputc('\n', cli->err);
}

const char *vf_cli_config_path(const struct vf_cli *cli, struct vf_error *error)
{
    static const char *const places[] = {"viewfold.yaml", "/etc/viewfold/viewfold.yaml"};
    const char *given = vf_options_text(cli->options, "config");
    if (given) {
        return given;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], F_OK) == 0) {
            return places[i];
        }
    }
    vf_fail(error, VF_E_NOT_FOUND, "no configuration: neither ./%s nor %s is there; name one with --config FILE",
            places[0], places[1]);
    return NULL;
}

/* The log goes where messages go; a test's memory has no file behind it. --json says the form before the file is read. */
static void set_up_log(struct vf_cli *cli, enum vf_log_level level, enum vf_log_format format)
{
    int fd = fileno(cli->err);
    format = cli->logs && cli->json ? VF_LOG_JSON : format;
    vf_log_setup(cli->quiet ? VF_LOG_ERROR : cli->verbose ? VF_LOG_DEBUG : level, format, fd >= 0 ? fd : STDERR_FILENO);
    cli->logs_json = cli->logs && format == VF_LOG_JSON;
}

void vf_cli_log(struct vf_cli *cli)
{
    cli->logs = true;
    set_up_log(cli, VF_LOG_INFO, VF_LOG_LOGFMT);
}

static void log_finding(void *self, const struct vf_finding *finding)
{
    const struct vf_log_field fields[] = {{.key = "file", .text = finding->file},
                                          {.key = "line", .number = finding->place.line},
                                          {.key = "column", .number = finding->place.column},
                                          {.key = NULL}};
    (void)self;
    vf_log(VF_LOG_ERROR, &(struct vf_log_about){.fields = fields}, "%s%s%s", finding->message,
           finding->hint ? "; " : "", finding->hint ? finding->hint : "");
}

static void say_findings(struct vf_cli *cli, const struct vf_findings *findings)
{
    if (cli->logs_json) {
        vf_findings_each(findings, VF_FINDINGS_SHOWN_MAX, log_finding, NULL);
        return;
    }
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_findings_print(findings, VF_FINDINGS_SHOWN_MAX, false, &text);
    fwrite(text.data, 1, text.size, cli->err);
    vf_buffer_done(&text);
}

struct vf_config *vf_cli_config(struct vf_cli *cli, int *ret_status)
{
    struct vf_config *config = NULL;
    struct vf_error error;
    struct vf_bytes text;
    struct vf_arena *arena = vf_arena_new();
    const char *path = vf_cli_config_path(cli, &error);
    if (!path || vf_config_file_read(path, VF_CONFIG_FILE_BYTES_MAX, arena, &text, &error) != VF_OK) {
        *ret_status = vf_cli_fail(cli, &error);
        vf_arena_free(arena);
        return NULL;
    }
    struct vf_findings *findings = vf_findings_new(path);
    config = vf_config_look(path, text, &cli->registry->rules, findings);
    set_up_log(cli, config->log_level,
               config->log_format); /* what the file says of it holds for what is wrong in the file, too */
    if (vf_findings_count(findings) > 0) {
        say_findings(cli, findings);
        *ret_status = vf_code_exit_status(VF_E_CONFIG);
        vf_config_free(config);
        config = NULL;
    }
    vf_findings_free(findings);
    vf_arena_free(arena);
    return config;
}

const struct vf_store_type *vf_cli_store_type(const struct vf_cli *cli, const char *name)
{
    for (const struct vf_store_type *const *type = cli->registry->stores; *type; type++) {
        if (strcmp((*type)->name, name) == 0) {
            return *type;
        }
    }
    return NULL;
}

enum vf_code vf_cli_open_store(const struct vf_cli *cli, const struct vf_store_entry *entry,
                               const struct vf_store_type **ret_type, struct vf_store **ret_store,
                               struct vf_error *error)
{
    const struct vf_store_type *type = vf_cli_store_type(cli, entry->type);
    struct vf_store_config config = vf_store_config_of(entry);
    if (!type) {
        return vf_fail(error, VF_E_BUG, "no connector is called %s", entry->type);
    }
    enum vf_code code = type->open(&config, ret_store, error);
    if (code == VF_OK) {
        *ret_type = type;
    }
    return code;
}

static bool wants_color(const struct vf_options *options, bool terminal)
{
    switch (vf_options_number(options, "color", 0)) {
    case 1: return true;
    case 2: return false;
    default: {
        const char *no_color = getenv("NO_COLOR"); /* https://no-color.org: present and not empty */
        const char *term = getenv("TERM");
        return terminal && !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0);
    }
    }
}

/* What was printed must have arrived: a full disk is no success. */
static int end_output(struct vf_cli *cli, int status)
{
    int flushed = fflush(cli->out);
    int reason = errno;
    if (flushed == 0 && !ferror(cli->out)) {
        return status;
    }
    if (flushed != 0 && reason == EPIPE) {
        return STATUS_BROKEN_PIPE;
    }
    fprintf(cli->err, "viewfold: cannot write to standard output%s%s\n", flushed != 0 ? ": " : "",
            flushed != 0 ? strerror(reason) : "");
    return vf_code_exit_status(VF_E_UNAVAILABLE);
}

static int print_help(struct vf_cli *cli)
{
    struct vf_buffer help;
    vf_buffer_init(&help);
    vf_options_help(vf_options_verb(cli->options), &help);
    fwrite(help.data, 1, help.size, cli->out);
    vf_buffer_done(&help);
    return 0;
}

/* Whether a command line that could not be read is `run` with --json. */
static bool wants_json_run(int argc, char *const *argv)
{
    const char *verb = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        json = json || strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "--color") == 0) {
            i++; /* its value */
        } else if (!verb && argv[i][0] != '-') {
            verb = argv[i];
        }
    }
    return json && verb && strcmp(verb, "run") == 0;
}

int vf_cli_main(int argc, char *const *argv, const struct vf_registry *registry, FILE *out, FILE *err)
{
    struct vf_options *options = NULL;
    struct vf_error error;
    struct vf_cli cli = {.registry = registry, .out = out, .err = err};

    signal(SIGPIPE, SIG_IGN);
    if (vf_options_parse(argc, argv, &options, &error) != VF_OK) {
        if (wants_json_run(argc, argv)) {
            cli.json = true;
            vf_cli_log(&cli);
        }
        return vf_cli_fail(&cli, &error);
    }
    int fd = fileno(out);
    cli.options = options;
    cli.terminal = fd >= 0 && isatty(fd);
    cli.color = wants_color(options, cli.terminal);
    cli.json = vf_options_has(options, "json");
    cli.quiet = vf_options_has(options, "quiet");
    cli.verbose = vf_options_has(options, "verbose");
    int status = vf_options_has(options, "help") ? print_help(&cli) : vf_options_verb(options)->run(&cli);
    status = end_output(&cli, status);
    vf_options_free(options);
    return status;
}
