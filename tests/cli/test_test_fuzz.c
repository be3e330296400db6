/*
 * Test files and scripts that were damaged at random:
 *
 *   test_cli_test_fuzz [rounds [first seed]]
 *
 * Whatever lies in a test file, it is read, or all that is wrong has a place in it; and what was read can be run, compared
 * and shown. A script is loaded or refused with a text. A failure prints its seed; the sanitizers see the
 * rest.
 */
#include "cli/test_check.h"
#include "cli/test_show.h"
#include "connectors/memory/memory_rehearsal.h"
#include "lua/lua_projector.h"
#include "run/generation.h"
#include "run/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS        600 /* some seconds, with a sanitizer too */
#define DAMAGES_MAX   6
#define RUN_EVENTS    20 /* longer tests are only read */
#define INTERLEAVINGS 6

static const char *const files[] = {
    "tests/projections/fixtures/values.test.yaml",
    "tests/projections/fixtures/numbers.test.yaml",
    "tests/projections/fixtures/reports.test.yaml",
    "tests/projections/fixtures/last_wins.test.yaml",
    "tests/projections/bad/reports.test.yaml",
    "tests/projections/bad/values.test.yaml",
    "projections/customer_orders/customer_orders.test.yaml",
};

/* What is put in: all that means something to YAML, to the notation, or to Lua. */
static const char *const words[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ", ",
    "- ",
    "\n",
    "  ",
    "\"",
    "'",
    "&a ",
    "*a",
    "!!int ",
    "<<: ",
    "#",
    " # ",
    "|\n",
    ">-\n",
    "---\n",
    "...\n",
    "%TAG",
    "?",
    "~",
    "null",
    "absent",
    "true",
    ".nan",
    "-.inf",
    "1e999",
    "0x",
    "@",
    "@1",
    "@1~a",
    "@00a",
    "/",
    "thing/",
    "thing/1@1 Kept",
    "\\x00",
    "\\uFFFF",
    "\xff",
    "\xc2",
    "\xe2\x82",
    "\xf0\x9f\x98\x80",
    "\xef\xbb\xbf",
    "\t",
    "\r\n",
    "name:",
    "given:",
    "expect:",
    "event:",
    "99999999999999999999",
    "-9223372036854775808",
    "data: ",
    "headers: {a: null}",
    "time: x",
    "schema: 1e3",
    "topic: others",
    "end",
    "function",
    "=",
    "return",
    "key = { }",
    "(",
    ")",
    "..",
};

static uint64_t random_state;

static size_t random_below(size_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return limit ? (size_t)(random_state >> 33) % limit : 0;
}

static void read_all(const char *name, struct vf_buffer *ret_text)
{
    char path[512], chunk[4096];
    snprintf(path, sizeof path, "%s/%s", VIEWFOLD_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    vf_buffer_init(ret_text);
    for (size_t size; (size = fread(chunk, 1, sizeof chunk, file)) > 0;) {
        vf_buffer_add(ret_text, chunk, size);
    }
    fclose(file);
}

static void replace(struct vf_buffer *text, size_t at, size_t size, const char *by, size_t by_size)
{
    struct vf_buffer made;
    vf_buffer_init(&made);
    vf_buffer_add(&made, text->data, at);
    vf_buffer_add(&made, by, by_size);
    vf_buffer_add(&made, text->data + at + size, text->size - at - size);
    vf_buffer_done(text);
    *text = made;
}

static void damage(struct vf_buffer *text)
{
    for (size_t count = 1 + random_below(1 + random_below(DAMAGES_MAX)); count > 0 && text->size > 0; count--) {
        size_t at = random_below(text->size), rest = text->size - at;
        size_t size = random_below(rest < 40 ? rest + 1 : 40);
        const char *word = words[random_below(sizeof words / sizeof words[0])];
        char *kept = NULL;
        switch (random_below(6)) {
        case 0: text->data[at] = (char)random_below(256); break;
        case 1: replace(text, at, size, "", 0); break;
        case 2: replace(text, at, 0, word, strlen(word)); break;
        case 3: replace(text, at, size, word, strlen(word)); break;
        case 4: /* a part of it a second time, somewhere */
            kept = vf_strndup(text->data + at, size);
            replace(text, random_below(text->size), 0, kept, strlen(kept));
            free(kept);
            break;
        default: replace(text, at, random_below(20) == 0 ? rest : 0, "", 0); break;
        }
    }
}

static void write_file(const char *path, const struct vf_buffer *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (text->size) {
        assert_int_equal(fwrite(text->data, 1, text->size, file), text->size);
    }
    fclose(file);
}

/* --- a scene ------------------------------------------------------------------------------------------------------ */

struct scene {
    char folder[40];
    char path[64]; /* of the file that is damaged */
    uint64_t seed; /* 0: between two */
    struct vf_arena *arena;
    struct vf_test_subject subject;
};

static enum vf_code open_subject(struct scene *scene, const char *folder, const char *name, struct vf_error *error)
{
    struct vf_test_subject *subject = &scene->subject;
    char script[512];
    snprintf(script, sizeof script, "%s/%s", folder, name);
    struct vf_projection_entry entry = {.script = script, .script_folder = folder, .script_name = name};
    *subject = (struct vf_test_subject){
        .script = vf_arena_copy(scene->arena, vf_bytes_from(script)).data,
        .script_name = name,
        .rehearsal = &vf_memory_rehearsal_type,
        .projector_type = &vf_lua_projector_type,
        .limits = {.memory_bytes_max = 8 << 20,
                   .instructions_max = 200000,
                   .handler_ms_max = 60000,
                   .document_bytes_max = 1 << 20},
        .batch = {.events_max = 100, .bytes_max = 1 << 20, .written_bytes_max = 1 << 20},
        .cache_bytes = 1 << 20,
    };
    enum vf_code code = vf_generation_propose(&entry, subject->projector_type, &subject->limits, 0, &subject->projector,
                                              &subject->proposed, error);
    if (code == VF_OK) {
        subject->projection = subject->projector_type->describe(subject->projector);
        vf_test_watch_init(&subject->watch, subject->projection);
    }
    return code;
}

static void close_subject(struct scene *scene)
{
    vf_test_watch_done(&scene->subject.watch);
    scene->subject.projector_type->close(scene->subject.projector);
}

static int set_up(void **state)
{
    struct scene *scene = vf_calloc(1, sizeof *scene);
    snprintf(scene->folder, sizeof scene->folder, "/tmp/viewfold-fuzz-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->path, sizeof scene->path, "%s/damaged", scene->folder);
    scene->arena = vf_arena_new();
    vf_log_setup(VF_LOG_ERROR, VF_LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    if (scene->seed) {
        print_message("it was seed %llu\n", (unsigned long long)scene->seed);
    }
    unlink(scene->path);
    rmdir(scene->folder);
    vf_arena_free(scene->arena);
    free(scene);
    return 0;
}

/* Runs the file's first short test, and shows what came of it. */
static void run_one(struct scene *scene, const struct vf_test_file *file)
{
    struct vf_test_outcome outcome;
    struct vf_error error;
    struct vf_buffer shown;
    for (size_t i = 0; i < file->case_count; i++) {
        const struct vf_test_case *test = &file->cases[i];
        if (test->event_count > RUN_EVENTS) {
            continue;
        }
        struct vf_arena *arena = vf_arena_new();
        assert_int_equal(vf_test_check(&scene->subject, test, INTERLEAVINGS, arena, &outcome, &error), VF_OK);
        vf_buffer_init(&shown);
        if (outcome.failure) {
            vf_test_show_failure(&shown, true, "  ", &scene->subject, test, outcome.failure);
            assert_true(vf_bytes_is_utf8(vf_bytes(shown.data, shown.size)));
        }
        vf_test_show_log(&shown, false, "  ", &scene->subject, test);
        vf_buffer_done(&shown);
        vf_arena_free(arena);
        return;
    }
}

/* Answers whether it could be read. */
static bool read_one(struct scene *scene)
{
    struct vf_findings *findings = vf_findings_new(scene->path);
    struct vf_test_file *file = NULL;
    struct vf_error error;
    struct vf_buffer shown;
    enum vf_code code = vf_test_file_read(scene->path, scene->subject.projection, findings, &file, &error);
    vf_buffer_init(&shown);
    vf_findings_print(findings, VF_FINDINGS_SHOWN_MAX, true, &shown);
    vf_findings_print_json(findings, &shown);
    if (code == VF_OK) {
        assert_int_equal(vf_findings_count(findings), 0);
        run_one(scene, file);
    } else {
        assert_int_equal(code, VF_E_CONFIG);
        assert_true(vf_findings_count(findings) > 0 || error.text[0]);
        assert_null(file);
    }
    vf_buffer_done(&shown);
    vf_test_file_free(file);
    vf_findings_free(findings);
    return code == VF_OK;
}

static size_t rounds = ROUNDS;
static uint64_t first_seed = 1;

static void damaged_test_files_are_read_or_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_buffer originals[sizeof files / sizeof files[0]];
    size_t count = sizeof files / sizeof files[0], readable = 0;
    assert_int_equal(open_subject(scene, VIEWFOLD_SOURCE_DIR "/tests/projections/fixtures", "values.lua", &error),
                     VF_OK);
    for (size_t i = 0; i < count; i++) {
        read_all(files[i], &originals[i]);
    }
    for (uint64_t seed = first_seed; seed < first_seed + rounds; seed++) {
        struct vf_buffer text;
        random_state = scene->seed = seed;
        size_t which = random_below(count);
        vf_buffer_init(&text);
        vf_buffer_add(&text, originals[which].data, originals[which].size);
        damage(&text);
        write_file(scene->path, &text);
        readable += read_one(scene);
        vf_buffer_done(&text);
    }
    scene->seed = 0;
    assert_true(readable > rounds / 10); /* or little is run */
    for (size_t i = 0; i < count; i++) {
        vf_buffer_done(&originals[i]);
    }
    close_subject(scene);
}

static void damaged_scripts_are_loaded_or_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_test_file *file = NULL;
    struct vf_error error;
    struct vf_buffer original;
    size_t loaded = 0;
    read_all("tests/projections/fixtures/values.lua", &original);
    for (uint64_t seed = first_seed; seed < first_seed + rounds / 2; seed++) {
        struct vf_buffer text;
        random_state = scene->seed = seed;
        vf_buffer_init(&text);
        vf_buffer_add(&text, original.data, original.size);
        damage(&text);
        write_file(scene->path, &text);
        enum vf_code code = open_subject(scene, scene->folder, "damaged", &error);
        vf_buffer_done(&text);
        if (code != VF_OK) {
            assert_true(error.text[0]);
            continue;
        }
        struct vf_findings *findings = vf_findings_new("values.test.yaml");
        loaded++;
        if (vf_test_file_read(VIEWFOLD_SOURCE_DIR "/tests/projections/fixtures/values.test.yaml",
                              scene->subject.projection, findings, &file, &error) == VF_OK) {
            run_one(scene, file);
            vf_test_file_free(file);
        }
        vf_findings_free(findings);
        close_subject(scene);
    }
    scene->seed = 0;
    assert_true(loaded > rounds / 20);
    vf_buffer_done(&original);
}

int main(int argc, char **argv)
{
    rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : rounds;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : first_seed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_test_files_are_read_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_scripts_are_loaded_or_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
