/* `viewfold find`: what an index answers, and what it does not. */
#include "cli/cli_scene.h"

#include <stdlib.h>

#define SCRIPT "customer_orders document customers key:customer index:age,age,, index:city,age,city, index:rich,,,rich"

static const struct vf_index indexes[] = {
    {"age", "age", NULL, NULL}, {"city", "age", "city", NULL}, {"rich", NULL, NULL, "rich"}};

static void put(struct scene *scene, const char *id, const char *body)
{
    scene_put_indexed(scene, scene->redis, id, body, 0, indexes, 3);
}

static struct scene *furnish(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, SCRIPT);
    put(scene, "a", "{\"age\":30,\"city\":\"Bonn\",\"rich\":true}");
    put(scene, "b", "{\"age\":20,\"city\":\"Bonn\",\"rich\":false}");
    put(scene, "c", "{\"age\":30,\"city\":\"Ulm\",\"rich\":true}");
    put(scene, "d", "{\"age\":-1.5}");
    put(scene, "e", "{\"city\":\"Bonn\"}");
    return scene;
}

/* The ids that are printed, in order, one character each. */
static void expect(struct scene *scene, const char *words, const char *ids)
{
    char line[256], found[64] = "";
    snprintf(line, sizeof line, "find customer_orders %s --json", words);
    if (scene_run(scene, line) != 0) {
        fail_msg("%s: %s", words, scene->err);
    }
    for (const char *at = scene->out; (at = strstr(at, ",\"id\":\"")) != NULL; at++) {
        strncat(found, at + strlen(",\"id\":\""), 1);
    }
    assert_string_equal(found, ids);
}

static void an_index_answers_in_its_order(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "age", "dbac");
    expect(scene, "age --reverse", "cabd");
    expect(scene, "age --from 20", "bac");
    expect(scene, "age --to 20", "db");
    expect(scene, "age --from 20 --to 29.5", "b");
    expect(scene, "city --by Bonn", "ba");
    expect(scene, "city --by Bonn --reverse --to 25", "b");
    expect(scene, "rich", "ac");
    expect(scene, "age --from x", "");
    expect(scene, "age --from 2026-03-01", "");
}

static void what_is_being_rebuilt_says_so(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_lost(scene, scene->redis, 0, 10, 60);
    expect(scene, "rich", "ac");
    assert_string_equal(
        scene->err, "viewfold: customer_orders in cache is being rebuilt from the log (at 10 of 60), as its store had "
                    "lost it: until then documents may be missing, or old\n");
    scene_put_progress(scene, scene->redis, 0, 60);
    expect(scene, "rich", "ac");
    assert_string_equal(scene->err, "");
}

static void a_limit_says_where_to_go_on(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "age --limit 3", "dba");
    assert_string_equal(scene->err, "viewfold: there may be more; go on with --after '30,a'\n");
    expect(scene, "age --after 30,a", "c");
    expect(scene, "age --reverse --after 30,a", "bd");
    expect(scene, "rich --after a", "c");
    expect(scene, "age --limit 0", "dbac");
}

static void what_a_page_has_found_is_looked_at_again(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_indexed(scene, scene->redis, "f", "{\"age\":40}", 1772359200000, indexes, 3);
    scene_put_indexed(scene, scene->redis, "g", "{\"age\":50}", 1772359200001, indexes, 3);
    expect(scene, "age --from 31", "g"); /* f has expired by the clock, and is in the index still */
}

static void number_put(struct scene *scene, const char *id, int age)
{
    char body[64];
    snprintf(body, sizeof body, "{\"age\":%d}", age);
    put(scene, id, body);
}

/* While the first page is printed, one of its documents moves to the end, and one of the next page to the beginning. */
static void move_some(struct scene *scene)
{
    number_put(scene, "d001", 1000);
    number_put(scene, "d550", -5);
    number_put(scene, "e000", 700);
}

static int times(const char *text, const char *id)
{
    char wanted[32];
    int count = 0;
    snprintf(wanted, sizeof wanted, ",\"id\":\"%s\"", id);
    for (const char *at = text; (at = strstr(at, wanted)) != NULL; at++) {
        count++;
    }
    return count;
}

static void what_moves_along_an_index_is_not_printed_twice(void **state)
{
    struct scene *scene = *state;
    char id[16];
    scene_prepare(scene, scene->redis, SCRIPT);
    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof id, "d%03d", i);
        number_put(scene, id, i);
    }
    /* The clock is looked at for the first document, when the first page has been read. */
    scene_put_indexed(scene, scene->redis, "d000", "{\"age\":0}", 1772359200000000, indexes, 3);
    scene->on_wall = move_some;
    assert_int_equal(scene_run(scene, "find customer_orders age --limit 0 --json"), 0);
    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof id, "d%03d", i);
        assert_int_equal(times(scene->out, id), i == 550 ? 0 : 1);
    }
    assert_int_equal(times(scene->out, "e000"), 1);
}

static void wrong_questions_are_64_and_unknown_indexes_66(void **state)
{
    static const struct {
        const char *words;
        int status;
        const char *says;
    } cases[] = {
        {"find customer_orders ages", 66, "the view customer_orders has no index ages; did you mean age?"},
        {"find customer_orders city", 64, "the index city is by `city`: say which one, --by VALUE"},
        {"find customer_orders age --by Bonn", 64, "--by asks for a value, and the index age has no `by`"},
        {"find customer_orders rich --from 3", 64, "--from asks for a range, and the index rich has no `sort`"},
        {"find customer_orders age --from 3 --to x", 64, "--from and --to are of two kinds: numbers, dates or strings"},
        {"find customer_orders age --after a", 64, "--after is VALUE,ID, as find prints it: the place to go on behind"},
        {"find nobody age", 66, "nobody"},
    };
    struct scene *scene = furnish(state);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(scene_run(scene, cases[i].words), cases[i].status);
        if (!strstr(scene->err, cases[i].says)) {
            fail_msg("%s: %s", cases[i].words, scene->err);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_index_answers_in_its_order),
        SCENE_TEST(what_is_being_rebuilt_says_so),
        SCENE_TEST(a_limit_says_where_to_go_on),
        SCENE_TEST(what_a_page_has_found_is_looked_at_again),
        SCENE_TEST(what_moves_along_an_index_is_not_printed_twice),
        SCENE_TEST(wrong_questions_are_64_and_unknown_indexes_66),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
