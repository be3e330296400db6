/*
 * The built-in envelopes, over records that were written by hand after the specifications (tests/presets/NAME.jsonl, as kcat -J
 * prints them): what `viewfold lint --sample` says of each is in NAME.said, a line a record, checked by hand as well. The routes of
 * the scripts there make a document's id of the data, so that it shows. Last of all: each envelope over the others' records.
 */
#include "cli/cli_scene.h"

#include "core/preset.h"
#include "lua/lua_projector.h"

#include <stdio.h>
#include <stdlib.h>

static char *read_preset_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, VIEWFOLD_SOURCE_DIR "/tests/presets/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct vf_buffer text;
    vf_buffer_init(&text);
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;) {
        vf_buffer_add(&text, part, size);
    }
    fclose(file);
    return text.data;
}

static void copy_file(struct scene *scene, const char *name)
{
    char *text = read_preset_file(name);
    scene_write(scene, name, text);
    free(text);
}

static int lint_setup(void **state)
{
    static const char *const names[] = {"viewfold.yaml", "shown.lua", "accounts.lua", "cards.lua", "loans.lua"};
    scene_setup(state);
    struct scene *scene = *state;
    scene->projector = &vf_lua_projector_type;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        copy_file(scene, names[i]);
    }
    return 0;
}

/* What lint said of the sample, without the file's name in front of each line. */
static void expect_said(struct scene *scene, const char *wanted)
{
    char prefix[128];
    struct vf_buffer said;
    snprintf(prefix, sizeof prefix, "%s/sample:", scene->folder);
    vf_buffer_init(&said);
    vf_buffer_add_text(&said, "");
    for (const char *at = scene->out; *at;) {
        size_t size = strcspn(at, "\n");
        size_t skipped = strncmp(at, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
        vf_buffer_add(&said, at + skipped, size - skipped);
        vf_buffer_add_char(&said, '\n');
        at += size + (at[size] ? 1 : 0);
    }
    for (const char *one = said.data, *other = wanted; *one || *other;) {
        size_t size = strcspn(one, "\n"), other_size = strcspn(other, "\n");
        if (size != other_size || strncmp(one, other, size) != 0) {
            fail_msg("said:\n%.*s\nwanted:\n%.*s", (int)size, one, (int)other_size, other);
        }
        one += size + (one[size] ? 1 : 0);
        other += size + (other[size] ? 1 : 0);
    }
    vf_buffer_done(&said);
}

static void expect_sample(struct scene *scene, const char *name)
{
    char words[256], file[64];
    snprintf(file, sizeof file, "%s.jsonl", name);
    char *records = read_preset_file(file);
    scene_write(scene, "sample", records);
    snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
    assert_int_equal(scene_run(scene, words), 1);
    snprintf(file, sizeof file, "%s.said", name);
    char *wanted = read_preset_file(file);
    expect_said(scene, wanted);
    free(records);
    free(wanted);
}

static void cloudevents_are_read_in_both_modes(void **state)
{
    expect_sample(*state, "cloudevents");
}

static void messages_of_eventuate_tram_are_read(void **state)
{
    expect_sample(*state, "eventuate-tram");
}

static void records_of_the_outbox_router_are_read_through_every_converter(void **state)
{
    expect_sample(*state, "debezium-outbox");
}

/* The well-formed records of one form, under another's topic: none is taken for an event, and each says what it is not. */
static void an_envelope_on_the_wrong_topic_takes_nothing(void **state)
{
    static const char *const topics[] = {"bank.accounts", "bank.cards", "outbox.event.loan"};
    static const char *const told[] = {"this is no CloudEvent: ", "this is no message of Eventuate Tram: ",
                                       "this is no record of Debezium's outbox router: "};
    struct scene *scene = *state;
    assert_int_equal(vf_preset_count, 3);
    for (size_t i = 0; i < vf_preset_count; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s.jsonl", vf_presets[i]->name);
        char *records = read_preset_file(file);
        *strchr(records, '\n') = 0; /* the first one is as the specification shows it */
        char *rest = strstr(records, topics[i]) + strlen(topics[i]);
        for (size_t j = 0; j < vf_preset_count; j++) {
            struct vf_buffer line;
            char words[256];
            vf_buffer_init(&line);
            vf_buffer_printf(&line, "{\"topic\":\"%s%s\n", topics[j], rest);
            scene_write(scene, "sample", line.data);
            vf_buffer_done(&line);
            snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
            assert_int_equal(scene_run(scene, words), i == j ? 0 : 1);
            assert_true(i == j || strstr(scene->out, told[j]));
            assert_true(i == j || strstr(scene->out, "the right envelope for the topic "));
        }
        free(records);
    }
}

#define PRESET_TEST(function) cmocka_unit_test_setup_teardown(function, lint_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRESET_TEST(cloudevents_are_read_in_both_modes),
        PRESET_TEST(messages_of_eventuate_tram_are_read),
        PRESET_TEST(records_of_the_outbox_router_are_read_through_every_converter),
        PRESET_TEST(an_envelope_on_the_wrong_topic_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
