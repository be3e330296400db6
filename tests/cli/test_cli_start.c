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

static void topics_that_cannot_go_together_are_named_with_the_projections_place(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG "topics: {shop: {topic: orders}}\n");
    scene_write(scene, "p.lua", "customer_orders document orders shop key:customer");
    assert_int_equal(scene_run(scene, "run"), 78);
    assert_non_null(strstr(scene->err,
                           "viewfold.yaml:5:24: projection customer_orders reads the Kafka topic orders under "
                           "two names, orders and shop"));
}

/* --json says it before the file is read, so nothing is left that is no JSON. */
static void with_the_flag_everything_that_keeps_run_from_starting_is_json(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "run --json"), 78);
    assert_json_lines(scene->err, "p.lua:1: that is no projection");
    assert_int_equal(scene_run(scene, "run --json --wrokers 3"), 64);
    assert_json_lines(scene->err, "--wrokers");
    assert_int_equal(scene_run(scene, "run --workers 3 --json --nothing"), 64);
    assert_json_lines(scene->err, "--nothing");
    scene_write(scene, "viewfold.yaml", "kafka: [\n");
    assert_int_equal(scene_run(scene, "run --json"), 78);
    assert_json_lines(scene->err, "this is not YAML");
    /* Without it the form is not known yet: text, whatever the file would say. */
    assert_int_equal(scene_run(scene, "run --nothing"), 64);
    assert_int_equal(strncmp(scene->err, "viewfold run", 12), 0);
    scene_write(scene, "viewfold.yaml", "log: {format: json}\nkafka: [\n");
    assert_int_equal(scene_run(scene, "run"), 78);
    assert_non_null(strstr(scene->err, "viewfold.yaml:3:1: this is not YAML"));
    assert_null(strstr(scene->err, "\"msg\""));
    char path[128];
    snprintf(path, sizeof path, "%s/viewfold.yaml", scene->folder);
    remove(path);
    assert_int_equal(scene_run(scene, "run --json"), 66);
    assert_json_lines(scene->err, "cannot read");
}

static void without_it_they_are_text(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "run"), 78);
    assert_int_equal(strncmp(scene->err, "viewfold: ", 10), 0);
    assert_non_null(strstr(scene->err, "p.lua:1: that is no projection\n"));
}

/* `status`, `generations` and `get` are asked by people, whatever the workers' log is. */
static void a_verb_for_people_speaks_to_people(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", JSON_LOG);
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "generations list"), 78);
    assert_int_equal(strncmp(scene->err, "viewfold: ", 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(topics_that_cannot_go_together_are_named_with_the_projections_place),
        SCENE_TEST(with_json_a_start_that_fails_is_a_line_of_the_log),
        SCENE_TEST(with_json_a_wrong_configuration_is_lines_of_the_log),
        SCENE_TEST(with_the_flag_everything_that_keeps_run_from_starting_is_json),
        SCENE_TEST(without_it_they_are_text),
        SCENE_TEST(a_verb_for_people_speaks_to_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
