#include "cli/options.h"

#include "cli/config_keys.h"
#include "cli/suggest.h"
#include "cli/verbs.h"

#include <stdlib.h>

/* clang-format off */
const struct vf_flag vf_common_flags[] = {
    {.name = "config", .letter = 'c', .type = VF_FLAG_TEXT, .argument = "FILE",
     .help = "the configuration; default ./viewfold.yaml, then /etc/viewfold/viewfold.yaml"},
    {.name = "json", .type = VF_FLAG_SWITCH, .help = "machine-readable output: one document, or JSON lines where it streams"},
    {.name = "color", .type = VF_FLAG_CHOICE, .argument = "auto|always|never",
     .help = "auto: on a terminal, unless NO_COLOR is set"},
    {.name = "quiet", .letter = 'q', .type = VF_FLAG_SWITCH, .help = "only errors on stderr"},
    {.name = "verbose", .letter = 'v', .type = VF_FLAG_SWITCH, .help = "say more"},
    {.name = "help", .letter = 'h', .type = VF_FLAG_SWITCH, .help = "this text"},
    {.name = NULL},
};

static const struct vf_flag run_flags[] = {
    {.name = "workers", .type = VF_FLAG_INT, .argument = "N", .min = 1, .max = 256,
     .help = "threads a projection and store, instead of the configured ones"},
    {.name = "once", .type = VF_FLAG_SWITCH,
     .help = "end when every assigned partition has reached the end that it had at the start; exit 1 if one stopped"},
    {.name = "drain", .type = VF_FLAG_DURATION, .argument = "DURATION", .min = 0, .max = 24LL * 3600 * 1000,
     .help = "how long batches may take to finish after SIGTERM; default: defaults.drain"},
    {.name = "dry-run", .type = VF_FLAG_UNBUILT, .help = "fold without writing"},
    {.name = NULL},
};

static const struct vf_flag get_flags[] = {
    {.name = "store", .type = VF_FLAG_TEXT, .argument = "NAME",
     .help = "which store to ask; default: the first that the projection writes to"},
    {.name = "generation", .type = VF_FLAG_INT, .argument = "G", .min = 1, .max = INT32_MAX,
     .help = "this one instead of the active one"},
    {.name = "min", .type = VF_FLAG_TEXT, .argument = "TOKEN", .repeatable = true,
     .help = "only as fresh as this: v:order/42@7, or o:shop.orders/3@1042 (Kafka's own name of the topic); repeatable. "
             "Exit 75 where it is not"},
    {.name = "wait", .type = VF_FLAG_DURATION, .argument = "DURATION", .min = 0, .max = 3600LL * 1000,
     .help = "how long to wait for that freshness; default 0s"},
    {.name = "stale-ok", .type = VF_FLAG_SWITCH, .help = "when it is not fresh in time, say so and print what is there; exit 0"},
    {.name = NULL},
};

static const struct vf_flag status_flags[] = {
    {.name = "check", .type = VF_FLAG_SWITCH,
     .help = "exit 1 if something lags (see --max-lag), is parked, waits too long behind a gap, has stopped or is degraded, or runs nowhere"},
    {.name = "watch", .type = VF_FLAG_SWITCH, .help = "again each second, until interrupted"},
    {.name = "max-lag", .type = VF_FLAG_INT, .argument = "N", .min = 0, .max = INT64_MAX,
     .help = "records that a partition may lag before --check minds; default 0"},
    {.name = NULL},
};

static const struct vf_flag generations_flags[] = {
    {.name = "store", .type = VF_FLAG_TEXT, .argument = "NAME", .help = "only in this store; default: in all of the projection's"},
    {.name = "yes", .type = VF_FLAG_SWITCH, .help = "drop: yes, remove what readers see"},
    {.name = NULL},
};

static const struct vf_flag parked_flags[] = {
    {.name = "projection", .type = VF_FLAG_TEXT, .argument = "NAME", .help = "only of this projection or view; default: all"},
    {.name = "store", .type = VF_FLAG_TEXT, .argument = "NAME", .help = "only in this store; default: in all of the projection's"},
    {.name = "error", .type = VF_FLAG_TEXT, .argument = "TEXT", .help = "what is parked with an error that holds this text"},
    {.name = "all", .type = VF_FLAG_SWITCH, .help = "retry, drop: everything that is parked"},
    {.name = "dry-run", .type = VF_FLAG_SWITCH, .help = "retry: show what the documents would become, and change nothing"},
    {.name = "script", .type = VF_FLAG_TEXT, .argument = "FILE",
     .help = "with --dry-run: by this script, instead of the one that the generation runs"},
    {.name = "yes", .type = VF_FLAG_SWITCH, .help = "drop: yes, leave out several events for good"},
    {.name = NULL},
};

static const struct vf_flag config_flags[] = {
    {.name = "defaults", .type = VF_FLAG_SWITCH, .help = "with every default"},
    {.name = NULL},
};

static const struct vf_flag lint_flags[] = {
    {.name = "format", .type = VF_FLAG_CHOICE, .argument = "text|json", .help = "json (as --json): a line a finding"},
    {.name = "online", .type = VF_FLAG_SWITCH, .help = "look at the servers, too: topics, stores, rights"},
    {.name = "sample", .type = VF_FLAG_TEXT, .argument = "FILE",
     .help = "say what becomes of the records in FILE (as kcat -J prints them; - is standard input)"},
    {.name = NULL},
};

static const struct vf_flag test_flags[] = {
    {.name = "filter", .type = VF_FLAG_TEXT, .argument = "TEXT", .help = "only tests whose name, or whose file's, holds it"},
    {.name = "format", .type = VF_FLAG_CHOICE, .argument = "text|tap|junit|json",
     .help = "default text; json (as --json): a line a test"},
    {.name = "coverage", .type = VF_FLAG_SWITCH, .help = "say which handlers, kinds and links no test has met"},
    {.name = "interleavings", .type = VF_FLAG_INT, .argument = "N", .min = 0, .max = 1000000,
     .help = "orders of different aggregates' events to try a test, all where there are no more; 0: none; default 200, fewer in "
             "long tests"},
    {.name = NULL},
};

static const struct vf_flag find_flags[] = {
    {.name = "by", .type = VF_FLAG_TEXT, .argument = "VALUE", .help = "of an index with `by`: only documents with this value"},
    {.name = "from", .type = VF_FLAG_TEXT, .argument = "VALUE",
     .help = "from this sort value on: a number, a date (2026-03-01, or RFC 3339), else a string (\"5\" in double quotes is "
             "one)"},
    {.name = "to", .type = VF_FLAG_TEXT, .argument = "VALUE", .help = "to this sort value, itself included"},
    {.name = "limit", .type = VF_FLAG_INT, .argument = "N", .min = 0, .max = 1000000000,
     .help = "documents at most; default 100; 0: all"},
    {.name = "reverse", .type = VF_FLAG_SWITCH, .help = "the greatest first"},
    {.name = "after", .type = VF_FLAG_TEXT, .argument = "VALUE,ID", .help = "go on behind this place, as find tells it"},
    {.name = "store", .type = VF_FLAG_TEXT, .argument = "NAME", .help = "which store; default: the first that has the view"},
    {.name = "generation", .type = VF_FLAG_INT, .argument = "G", .min = 1, .max = INT32_MAX,
     .help = "which one; default: the one that readers see"},
    {.name = NULL},
};

#define ANY SIZE_MAX

const struct vf_verb vf_verbs[] = {
    {.name = "run", .arguments = "[PROJECTION...]", .arguments_max = ANY, .run = vf_verb_run, .flags = run_flags,
     .help = "run workers: read events, fold them into documents, write these to the stores"},
    {.name = "serve", .help = "answer queries over HTTP"},
    {.name = "lint", .arguments = "[PATH...]", .arguments_max = ANY, .run = vf_verb_lint, .flags = lint_flags,
     .help = "check configurations and projections: PATH is a viewfold.yaml, a Lua file, or a folder of either; default: the "
             "configuration. Exit 1 with findings"},
    {.name = "test", .arguments = "[PATH...]", .arguments_max = ANY, .run = vf_verb_test, .flags = test_flags,
     .help = "run projections' tests, without servers: test files (X.test.yaml beside X.lua), scripts, folders; default: those "
             "of ./viewfold.yaml's projections, or of this folder"},
    {.name = "config", .run = vf_verb_config, .flags = config_flags,
     .help = "print the configuration as it takes effect, secrets masked; what is printed can be read back"},
    {.name = "status", .run = vf_verb_status, .flags = status_flags,
     .help = "how far each projection is in each store, and what has stopped"},
    {.name = "generations", .arguments = "list|adopt|drop [PROJECTION [G]]", .arguments_min = 1, .arguments_max = 3,
     .run = vf_verb_generations, .flags = generations_flags,
     .help = "a view's builds. list: which there are, and with which script. adopt: generation G (default: the one that runs) goes "
             "on with the script that lies here. drop: removes it; the next `run` builds it from the log's beginning"},
    {.name = "get", .arguments = "VIEW ID...", .arguments_min = 2, .arguments_max = ANY, .run = vf_verb_get,
     .flags = get_flags, .help = "print documents of a view"},
    {.name = "find", .arguments = "VIEW INDEX", .arguments_min = 2, .arguments_max = 2, .run = vf_verb_find,
     .flags = find_flags, .help = "print the documents that an index leads to, in its order"},
    {.name = "wait", .arguments = "VIEW", .arguments_min = 1, .arguments_max = 1, .help = "wait until a view is fresh"},
    {.name = "parked", .arguments = "list|show|retry|drop [AGGREGATE...]", .arguments_min = 1, .arguments_max = ANY,
     .run = vf_verb_parked, .flags = parked_flags,
     .help = "events that were set aside. list: of which aggregates, and why. show: all that is known of some. retry: take in what is "
             "parked, in order. drop: leave the event out that failed (or give up what is missing), and take in what is behind it. "
             "Exit 1 if something stays parked"},
    {.name = "pause", .arguments = "PROJECTION", .help = "hold a projection's workers"},
    {.name = "resume", .arguments = "PROJECTION", .help = "let them go on"},
    {.name = "rebuild", .arguments = "PROJECTION", .help = "build a view anew while the old one is served"},
    {.name = "diff", .arguments = "PROJECTION G1 G2", .help = "compare two generations"},
    {.name = "verify", .arguments = "PROJECTION", .help = "compare a view with its log"},
    {.name = "explain", .arguments = "VIEW ID", .help = "how a document came to be"},
    {.name = "doctor", .help = "check the servers"},
    {.name = "new", .arguments = "project|projection NAME", .help = "begin a project or a projection"},
    {.name = "try", .arguments = "SCRIPT", .help = "fold some events here"},
    {.name = "tap", .arguments = "TOPIC", .help = "watch a topic's events"},
    {.name = "envelope", .arguments = "detect TOPIC", .help = "find out where a topic's records keep their parts"},
    {.name = "completion", .arguments = "bash|zsh|fish", .help = "completion for a shell"},
    {.name = "version", .run = vf_verb_version, .help = "print this program's version"},
    {.name = NULL},
};
/* clang-format on */

struct value {
    const struct vf_flag *flag;
    const char *text;
    int64_t number;
};

struct vf_options {
    const struct vf_verb *verb;
    const char **arguments;
    size_t argument_count;
    struct value *values;
    size_t value_count;
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static const struct vf_verb *find_verb(const char *name, struct vf_error *error)
{
    const char *near = NULL;
    for (const struct vf_verb *verb = vf_verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
        vf_suggest_offer(name, verb->name, &near);
    }
    vf_fail(error, VF_E_USAGE, "there is no verb %s; %s%s%s`viewfold --help` lists them", name,
            near ? "did you mean " : "", near ? near : "", near ? "? " : "");
    return NULL;
}

/* The flag of that name (`size` bytes) among the verb's and the common ones; NULL with `near` set to the nearest. */
static const struct vf_flag *find_flag(const struct vf_verb *verb, const char *name, size_t size, const char **ret_near)
{
    const struct vf_flag *const lists[] = {verb ? verb->flags : NULL, vf_common_flags};
    char wanted[64];
    if (size >= sizeof wanted) {
        return NULL;
    }
    memcpy(wanted, name, size);
    wanted[size] = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const struct vf_flag *flag = lists[i]; flag && flag->name; flag++) {
            if (strcmp(flag->name, wanted) == 0) {
                return flag;
            }
            vf_suggest_offer(wanted, flag->name, ret_near);
        }
    }
    return NULL;
}

static const struct vf_flag *find_letter(const struct vf_verb *verb, char letter)
{
    const struct vf_flag *const lists[] = {verb ? verb->flags : NULL, vf_common_flags};
    for (size_t i = 0; i < 2; i++) {
        for (const struct vf_flag *flag = lists[i]; flag && flag->name; flag++) {
            if (flag->letter == letter) {
                return flag;
            }
        }
    }
    return NULL;
}

static enum vf_code read_choice(const struct vf_flag *flag, const char *text, int64_t *ret_index,
                                struct vf_error *error)
{
    int64_t index = 0;
    for (const char *choice = flag->argument; *choice; index++) {
        size_t size = strcspn(choice, "|");
        if (strlen(text) == size && memcmp(choice, text, size) == 0) {
            *ret_index = index;
            return VF_OK;
        }
        choice += size + (choice[size] == '|' ? 1 : 0);
    }
    return vf_fail(error, VF_E_USAGE, "--%s takes %s, not %s", flag->name, flag->argument, text);
}

static enum vf_code read_value(const struct vf_flag *flag, const char *text, int64_t *ret_number,
                               struct vf_error *error)
{
    /* Numbers are read as in viewfold.yaml. */
    struct vf_key key = {.path = flag->name,
                         .type = flag->type == VF_FLAG_INT ? VF_KEY_INT : VF_KEY_DURATION,
                         .min = flag->min,
                         .max = flag->max};
    switch (flag->type) {
    case VF_FLAG_CHOICE: return read_choice(flag, text, ret_number, error);
    case VF_FLAG_INT:
    case VF_FLAG_DURATION:
        if (vf_key_read(&key, text, text, ret_number, error) != VF_OK) {
            vf_error_prefix(error, "--%s", flag->name);
            error->code = VF_E_USAGE;
            return VF_E_USAGE;
        }
        return VF_OK;
    default: return text[0] ? VF_OK : vf_fail(error, VF_E_USAGE, "--%s is empty", flag->name);
    }
}

static enum vf_code add_value(struct vf_options *options, const struct vf_flag *flag, const char *text,
                              struct vf_error *error)
{
    int64_t number = 1;
    if (!flag->repeatable && flag->type != VF_FLAG_SWITCH && vf_options_has(options, flag->name)) {
        return vf_fail(error, VF_E_USAGE, "--%s was given twice", flag->name);
    }
    if (flag->type != VF_FLAG_SWITCH) {
        enum vf_code code = read_value(flag, text, &number, error);
        if (code != VF_OK) {
            return code;
        }
    }
    options->values[options->value_count++] = (struct value){.flag = flag, .text = text, .number = number};
    return VF_OK;
}

/* One argument that begins with '-'. *index is moved past a value that follows. */
static enum vf_code read_flag(struct vf_options *options, int argc, char *const *argv, int *index,
                              struct vf_error *error)
{
    const char *verb = options->verb ? options->verb->name : "";
    const char *given = argv[*index];
    const char *near = NULL;
    const char *value = NULL;
    const struct vf_flag *flag;
    if (given[1] == '-') {
        size_t size = strcspn(given + 2, "=");
        flag = find_flag(options->verb, given + 2, size, &near);
        value = given[2 + size] == '=' ? given + 2 + size + 1 : NULL;
    } else {
        flag = find_letter(options->verb, given[1]);
        value = flag && given[2] ? given + 2 : NULL;
    }
    if (!flag) {
        return vf_fail(error, VF_E_USAGE, "viewfold%s%s has no flag %s%s%s%s", verb[0] ? " " : "", verb, given,
                       near ? "; did you mean --" : "", near ? near : "",
                       near ? "?"
                       : options->verb && options->verb->arguments_min > 0
                           ? "; an argument that begins with '-' stands behind --"
                           : "");
    }
    if (flag->type == VF_FLAG_UNBUILT) {
        return vf_fail(error, VF_E_USAGE, "viewfold %s --%s: not built yet", verb, flag->name);
    }
    if (flag->type == VF_FLAG_SWITCH && value) {
        return vf_fail(error, VF_E_USAGE, "--%s takes no value", flag->name);
    }
    if (flag->type != VF_FLAG_SWITCH && !value) {
        if (*index + 1 >= argc) {
            return vf_fail(error, VF_E_USAGE, "--%s wants a value: %s", flag->name, flag->argument);
        }
        value = argv[++*index];
    }
    return add_value(options, flag, value, error);
}

static enum vf_code check_arguments(const struct vf_options *options, struct vf_error *error)
{
    const struct vf_verb *verb = options->verb;
    const char *arguments = verb->arguments ? verb->arguments : "";
    if (options->argument_count < verb->arguments_min) {
        return vf_fail(error, VF_E_USAGE, "viewfold %s wants %s; `viewfold %s --help` says more", verb->name, arguments,
                       verb->name);
    }
    if (options->argument_count > verb->arguments_max) {
        return vf_fail(error, VF_E_USAGE, "viewfold %s takes %s; %s is too much", verb->name,
                       arguments[0] ? arguments : "no arguments", options->arguments[verb->arguments_max]);
    }
    return VF_OK;
}

static enum vf_code read_all(struct vf_options *options, int argc, char *const *argv, struct vf_error *error)
{
    bool flags_ended = false;
    for (int i = 1; i < argc; i++) {
        const char *given = argv[i];
        if (!flags_ended && strcmp(given, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && given[0] == '-' && given[1]) {
            enum vf_code code = read_flag(options, argc, argv, &i, error);
            if (code != VF_OK) {
                return code;
            }
        } else if (!options->verb) {
            options->verb = find_verb(given, error);
            if (!options->verb) {
                return VF_E_USAGE;
            }
            if (!options->verb->run) {
                break; /* its flags are not built either: the caller refuses the verb by name */
            }
        } else {
            options->arguments[options->argument_count++] = given;
        }
    }
    if (vf_options_has(options, "help")) {
        return VF_OK;
    }
    if (!options->verb) {
        return vf_fail(error, VF_E_USAGE, "which verb? `viewfold --help` lists them");
    }
    return options->verb->run ? check_arguments(options, error) : VF_OK;
}

enum vf_code vf_options_parse(int argc, char *const *argv, struct vf_options **ret_options, struct vf_error *error)
{
    struct vf_options *options = vf_calloc(1, sizeof *options);
    options->arguments = vf_calloc((size_t)argc + 1, sizeof *options->arguments);
    options->values = vf_calloc((size_t)argc + 1, sizeof *options->values);
    enum vf_code code = read_all(options, argc, argv, error);
    /* Of a verb that is not built only help is to be had. */
    for (int i = 1; code == VF_OK && options->verb && !options->verb->run && i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            const char *near = NULL;
            code = add_value(options, find_flag(NULL, "help", 4, &near), NULL, error);
            break;
        }
    }
    if (code == VF_OK && options->verb && !options->verb->run && !vf_options_has(options, "help")) {
        code = vf_fail(error, VF_E_USAGE, "viewfold %s: not built yet", options->verb->name);
    }
    if (code != VF_OK) {
        vf_options_free(options);
        return code;
    }
    *ret_options = options;
    return VF_OK;
}

void vf_options_free(struct vf_options *options)
{
    if (!options) {
        return;
    }
    free(options->arguments);
    free(options->values);
    free(options);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

const struct vf_verb *vf_options_verb(const struct vf_options *options)
{
    return options->verb;
}

size_t vf_options_argument_count(const struct vf_options *options)
{
    return options->argument_count;
}

const char *const *vf_options_arguments(const struct vf_options *options)
{
    return options->arguments;
}

static const struct value *find_value(const struct vf_options *options, const char *flag, size_t index)
{
    for (size_t i = 0; i < options->value_count; i++) {
        if (strcmp(options->values[i].flag->name, flag) == 0 && index-- == 0) {
            return &options->values[i];
        }
    }
    return NULL;
}

bool vf_options_has(const struct vf_options *options, const char *flag)
{
    return find_value(options, flag, 0) != NULL;
}

const char *vf_options_text(const struct vf_options *options, const char *flag)
{
    return vf_options_text_at(options, flag, 0);
}

int64_t vf_options_number(const struct vf_options *options, const char *flag, int64_t otherwise)
{
    const struct value *value = find_value(options, flag, 0);
    return value ? value->number : otherwise;
}

const char *vf_options_text_at(const struct vf_options *options, const char *flag, size_t index)
{
    const struct value *value = find_value(options, flag, index);
    return value ? value->text : NULL;
}

/* --- help --------------------------------------------------------------------------------------------------------- */

#define HELP_COLUMN 28

static void add_row(struct vf_buffer *out, const char *left, const char *help)
{
    if (strlen(left) > HELP_COLUMN - 4) {
        vf_buffer_printf(out, "  %s\n%*s%s\n", left, HELP_COLUMN, "", help);
    } else {
        vf_buffer_printf(out, "  %-*s%s\n", HELP_COLUMN - 2, left, help);
    }
}

static void add_flags(struct vf_buffer *out, const struct vf_flag *flags)
{
    for (const struct vf_flag *flag = flags; flag && flag->name; flag++) {
        struct vf_buffer left;
        struct vf_buffer help;
        vf_buffer_init(&left);
        vf_buffer_init(&help);
        if (flag->letter) {
            vf_buffer_printf(&left, "-%c, ", flag->letter);
        }
        vf_buffer_printf(&left, "--%s%s%s", flag->name, flag->argument ? " " : "",
                         flag->argument ? flag->argument : "");
        vf_buffer_printf(&help, "%s%s", flag->help, flag->type == VF_FLAG_UNBUILT ? " (not built yet)" : "");
        add_row(out, left.data, help.data);
        vf_buffer_done(&left);
        vf_buffer_done(&help);
    }
}

static void add_verbs(struct vf_buffer *out, bool built)
{
    for (const struct vf_verb *verb = vf_verbs; verb->name; verb++) {
        if ((verb->run != NULL) == built) {
            struct vf_buffer left;
            vf_buffer_init(&left);
            vf_buffer_printf(&left, "%s%s%s", verb->name, verb->arguments ? " " : "",
                             verb->arguments ? verb->arguments : "");
            add_row(out, left.data, verb->help);
            vf_buffer_done(&left);
        }
    }
}

void vf_options_help(const struct vf_verb *verb, struct vf_buffer *out)
{
    if (!verb) {
        vf_buffer_add_text(out,
                           "viewfold VERB [ARGUMENTS] [FLAGS]\n\n"
                           "Keeps query-side views up to date: folds Kafka events with Lua projections into documents "
                           "in Redis and MongoDB.\n\nverbs (viewfold VERB --help says more)\n");
        add_verbs(out, true);
        vf_buffer_add_text(out, "\nnot built yet\n");
        add_verbs(out, false);
    } else {
        vf_buffer_printf(out, "viewfold %s%s%s [FLAGS]%s\n\n  %s\n", verb->name, verb->arguments ? " " : "",
                         verb->arguments ? verb->arguments : "", verb->run ? "" : " (not built yet)", verb->help);
        if (verb->flags) {
            vf_buffer_add_text(out, "\nflags\n");
            add_flags(out, verb->flags);
        }
    }
    vf_buffer_add_text(out, "\nevery verb takes\n");
    add_flags(out, vf_common_flags);
    vf_buffer_add_text(
        out, "\nexit status\n"
             "  0 done   1 findings   64 wrong usage   66 no such thing   69 a server cannot be reached\n"
             "  70 a bug of viewfold   75 not yet   77 login or right refused   78 configuration or script wrong\n");
}
