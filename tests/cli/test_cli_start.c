/* How `run` says why it does not start: for people by default, as lines of the log where that is JSON. */
#define _GNU_SOURCE /* memmem */
#include "cli/cli_scene.h"

#include "core/json.h"

#define JSON_LOG SCENE_CONFIG "log: {format: json}\n"

/* Every line of `text` is a JSON object with a time, level error, and a message that holds `part` in some line. */
static void assert_json_lines(const char *text, const char *part)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    bool said = false;
    assert_true(text[0] != 0);
    while (*text) {
        size_t size = strcspn(text, "\n");
        struct vf_json root;
        struct vf_json member;
        struct vf_error error;
        if (vf_json_parse(parser, vf_bytes(text, size), &root, &error) != VF_OK) {
            fail_msg("no JSON: %s", text);
        }
        assert_true(vf_json_member(root, VF_LITERAL("time"), &member));
        assert_true(vf_json_member(root, VF_LITERAL("level"), &member));
        assert_true(vf_bytes_is(vf_json_string(member), "error"));
        assert_true(vf_json_member(root, VF_LITERAL("msg"), &member));
        struct vf_bytes message = vf_json_string(member);
        said = said || memmem(message.data, message.size, part, strlen(part));
        text += size + (text[size] ? 1 : 0);
    }
    vf_json_parser_free(parser);
    if (!said) {
        fail_msg("no line says %s", part);
    }
}

static void with_json_a_start_that_fails_is_a_line_of_the_log(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", JSON_LOG);
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "run"), 78);
    assert_json_lines(scene->err, "p.lua:1: that is no projection");
    assert_string_equal(scene->out, "");
}

static void with_json_a_wrong_configuration_is_lines_of_the_log(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", JSON_LOG "defualts: {}\ndefaults: {workers: no}\n");
    assert_int_equal(scene_run(scene, "run"), 78);
    assert_json_lines(scene->err, "unknown key defualts; did you mean defaults?");
    assert_json_lines(scene->err, "defaults.workers: no is no whole number");
    assert_non_null(strstr(scene->err, "\"line\":8,\"column\":21,"));
    assert_int_equal(scene_run(scene, "run -q"), 78);
    assert_json_lines(scene->err, "defaults.workers: no is no whole number");
}

static void without_it_they_are_text(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "run"), 78);
    assert_int_equal(strncmp(scene->err, "viewfold: ", 10), 0);
    assert_non_null(strstr(scene->err, "p.lua:1: that is no projection\n"));
}

/* `status` and `get` are asked by people, whatever the workers' log is. */
static void a_verb_for_people_speaks_to_people(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", JSON_LOG);
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "status"), 78);
    assert_int_equal(strncmp(scene->err, "viewfold: ", 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(with_json_a_start_that_fails_is_a_line_of_the_log),
        SCENE_TEST(with_json_a_wrong_configuration_is_lines_of_the_log),
        SCENE_TEST(without_it_they_are_text),
        SCENE_TEST(a_verb_for_people_speaks_to_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
