/* The command line: the table makes the parser and the help. */
#include "cli/options.h"
#include "cli/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define ARGUMENTS_MAX 16

/* Parses a line of words, as a shell without quoting would split it. `buffer` must outlive the options. */
static struct vf_options *parse(const char *line, char *buffer, size_t buffer_size, struct vf_error *error)
{
    char *argv[ARGUMENTS_MAX] = {(char[]){"viewfold"}};
    int argc = 1;
    struct vf_options *options = NULL;
    char *rest = NULL;
    assert_true(strlen(line) < buffer_size);
    strcpy(buffer, line);
    for (char *word = strtok_r(buffer, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc++] = word;
    }
    enum vf_code code = vf_options_parse(argc, argv, &options, error);
    assert_true((code == VF_OK) == (options != NULL));
    assert_true(code == VF_OK || code == VF_E_USAGE);
    return options;
}

static void expect_refusal(const char *line, const char *wanted)
{
    char buffer[256];
    struct vf_error error;
    assert_null(parse(line, buffer, sizeof buffer, &error));
    assert_string_equal(error.text, wanted);
    assert_int_equal(error.code, VF_E_USAGE);
    assert_int_equal(vf_code_exit_status(error.code), 64);
}

static void flags_go_anywhere_and_in_every_form(void **state)
{
    (void)state;
    char buffer[256];
    struct vf_error error;
    struct vf_options *options =
        parse("-c a.yaml get --min=v:order/42@7 customer_orders --wait 2s --min o:orders/3@1 -- 4b --json", buffer,
              sizeof buffer, &error);
    assert_non_null(options);
    assert_string_equal(vf_options_verb(options)->name, "get");
    assert_string_equal(vf_options_text(options, "config"), "a.yaml");
    assert_int_equal(vf_options_number(options, "wait", -1), 2000);
    assert_string_equal(vf_options_text_at(options, "min", 0), "v:order/42@7");
    assert_string_equal(vf_options_text_at(options, "min", 1), "o:orders/3@1");
    assert_null(vf_options_text_at(options, "min", 2));
    assert_false(vf_options_has(options, "json"));
    assert_int_equal(vf_options_argument_count(options), 3);
    assert_string_equal(vf_options_arguments(options)[1], "4b");
    assert_string_equal(vf_options_arguments(options)[2], "--json"); /* behind -- nothing is a flag */
    assert_int_equal(vf_options_number(options, "generation", 5), 5);
    vf_options_free(options);

    options = parse("run -qca.yaml", buffer, sizeof buffer, &error);
    assert_null(options); /* letters do not cluster: -q takes no value */
    assert_string_equal(error.text, "--quiet takes no value");
    options = parse("run -ca.yaml -v --color=never", buffer, sizeof buffer, &error);
    assert_string_equal(vf_options_text(options, "config"), "a.yaml");
    assert_int_equal(vf_options_number(options, "color", 0), 2);
    vf_options_free(options);
}

static void what_is_wrong_is_said_with_the_nearest_right_thing(void **state)
{
    (void)state;
    expect_refusal("", "which verb? `viewfold --help` lists them");
    expect_refusal("stauts", "there is no verb stauts; did you mean status? `viewfold --help` lists them");
    expect_refusal("frobnicate", "there is no verb frobnicate; `viewfold --help` lists them");
    expect_refusal("run --onec", "viewfold run has no flag --onec; did you mean --once?");
    expect_refusal("run -x", "viewfold run has no flag -x");
    expect_refusal("get v -4", "viewfold get has no flag -4; an argument that begins with '-' stands behind --");
    expect_refusal("run --min v:a/b@1", "viewfold run has no flag --min");
    expect_refusal("--workers 2 run", "viewfold has no flag --workers");
    expect_refusal("run --workers", "--workers wants a value: N");
    expect_refusal("run --workers 0", "--workers: 0 is out of range: 1 to 256");
    expect_refusal("run --workers two", "--workers: two is no whole number");
    expect_refusal("run --workers 2 --workers 3", "--workers was given twice");
    expect_refusal("run --once=yes", "--once takes no value");
    expect_refusal("run --drain 20",
                   "--drain: 20 is no duration: a whole number with its unit, as in 5ms, 20s, 10m, 2h, 30d");
    expect_refusal("run --color blue", "--color takes auto|always|never, not blue");
    expect_refusal("get customer_orders", "viewfold get wants VIEW ID...; `viewfold get --help` says more");
    expect_refusal("version 2", "viewfold version takes no arguments; 2 is too much");
    expect_refusal("get v id --store=", "--store is empty");
}

/* The whole command line as it was decided: every verb and flag is built, or refused by name; none is unknown. */
static const struct {
    const char *verb;
    const char *flags;
} decided[] = {
    {"run", "workers once dry-run drain"},
    {"serve", "listen"},
    {"lint", "online sample format"},
    {"test", "filter format coverage interleavings"},
    {"config", "defaults"},
    {"status", "watch check max-lag"},
    {"get", "store generation min wait stale-ok"},
    {"find", "by from to limit reverse"},
    {"wait", "min timeout"},
    {"parked", "projection error all dry-run"},
    {"pause", ""},
    {"resume", ""},
    {"rebuild", "plan key from-time from-offsets backfill switch max-rate memory yes"},
    {"generations", "yes"},
    {"diff", "sample key store"},
    {"verify", "sample key store"},
    {"explain", "at"},
    {"doctor", ""},
    {"new", "aggregate type sample from"},
    {"try", "aggregate type sample from"},
    {"tap", "aggregate type sample from"},
    {"envelope", "aggregate type sample from"},
    {"completion", ""},
    {"version", ""},
};

static const struct vf_verb *verb_of(const char *name)
{
    for (const struct vf_verb *verb = vf_verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    fail_msg("there is no verb %s", name);
    return NULL;
}

static void every_verb_that_was_decided_is_built_or_refused_by_name(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct vf_verb *verb = vf_verbs; verb->name; verb++) {
        count++;
    }
    assert_int_equal(count, sizeof decided / sizeof decided[0]);
    for (size_t i = 0; i < count; i++) {
        char wanted[128];
        char line[128];
        if (verb_of(decided[i].verb)->run) {
            continue;
        }
        snprintf(wanted, sizeof wanted, "viewfold %s: not built yet", decided[i].verb);
        expect_refusal(decided[i].verb, wanted);
        snprintf(line, sizeof line, "%s --whatever x", decided[i].verb);
        expect_refusal(line, wanted);
        snprintf(line, sizeof line, "-c some.yaml %s -x", decided[i].verb);
        expect_refusal(line, wanted);
    }
}

static void every_flag_that_was_decided_is_built_or_refused_by_name(void **state)
{
    (void)state;
    size_t unbuilt = 0;
    for (size_t i = 0; i < sizeof decided / sizeof decided[0]; i++) {
        const struct vf_verb *verb = verb_of(decided[i].verb);
        char flags[128];
        char *rest = NULL;
        snprintf(flags, sizeof flags, "%s", decided[i].flags);
        for (char *name = strtok_r(flags, " ", &rest); name && verb->run; name = strtok_r(NULL, " ", &rest)) {
            const struct vf_flag *flag = verb->flags;
            while (flag && flag->name && strcmp(flag->name, name) != 0) {
                flag++;
            }
            if (!flag || !flag->name) {
                fail_msg("viewfold %s has no flag --%s", verb->name, name);
            }
            if (flag->type == VF_FLAG_UNBUILT) {
                char line[128];
                char wanted[128];
                snprintf(line, sizeof line, "%s --%s", verb->name, flag->name);
                snprintf(wanted, sizeof wanted, "viewfold %s --%s: not built yet", verb->name, flag->name);
                expect_refusal(line, wanted);
                unbuilt++;
            }
        }
    }
    assert_true(unbuilt > 0); /* run --dry-run, at least */
}

static void help_is_to_be_had_everywhere(void **state)
{
    (void)state;
    for (const struct vf_verb *verb = vf_verbs; verb->name; verb++) {
        char buffer[128];
        char line[64];
        struct vf_error error;
        struct vf_buffer help;
        snprintf(line, sizeof line, "%s --help", verb->name);
        struct vf_options *options = parse(line, buffer, sizeof buffer, &error);
        assert_non_null(options);
        assert_true(vf_options_has(options, "help"));
        vf_buffer_init(&help);
        vf_options_help(vf_options_verb(options), &help);
        assert_non_null(strstr(help.data, verb->name));
        for (const struct vf_flag *flag = verb->flags; flag && flag->name; flag++) {
            assert_non_null(strstr(help.data, flag->name));
        }
        assert_non_null(strstr(help.data, "--config"));
        assert_true((strstr(help.data, "[FLAGS] (not built yet)\n\n") != NULL) == (verb->run == NULL));
        vf_buffer_done(&help);
        vf_options_free(options);
    }
    char buffer[64];
    struct vf_error error;
    struct vf_options *options = parse("--help", buffer, sizeof buffer, &error);
    assert_non_null(options);
    assert_null(vf_options_verb(options));
    vf_options_free(options);
}

static void the_nearest_word_is_meant(void **state)
{
    (void)state;
    const char *best = NULL;
    assert_int_equal(vf_suggest_distance("brokers", "brokres"), 1);
    assert_int_equal(vf_suggest_distance("", "abc"), 3);
    assert_int_equal(vf_suggest_distance("kitten", "sitting"), 3);
    vf_suggest_offer("stauts", "stats", &best);
    vf_suggest_offer("stauts", "status", &best);
    vf_suggest_offer("stauts", "run", &best);
    assert_string_equal(best, "stats"); /* both are one edit away: the first stays */
    best = NULL;
    vf_suggest_offer("x", "rebuild", &best);
    assert_null(best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_go_anywhere_and_in_every_form),
        cmocka_unit_test(what_is_wrong_is_said_with_the_nearest_right_thing),
        cmocka_unit_test(every_verb_that_was_decided_is_built_or_refused_by_name),
        cmocka_unit_test(every_flag_that_was_decided_is_built_or_refused_by_name),
        cmocka_unit_test(help_is_to_be_had_everywhere),
        cmocka_unit_test(the_nearest_word_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
