/* `viewfold parked`: what it lists and shows, each refusal, and what `status` says of what is set aside. */
#include "cli/cli_scene.h"

#include <stdlib.h>

#define ONE_STORE                                   \
    "kafka: {brokers: k, group: shop}\n"            \
    "stores: {cache: {redis: \"redis://r:1/0\"}}\n" \
    "projections: [{script: p.lua}]\n"

#define HASH "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void expect(struct scene *scene, const char *words, int status, const char *out, const char *err)
{
    assert_int_equal(scene_run(scene, words), status);
    assert_string_equal(scene->err, err);
    assert_string_equal(scene->out, out);
}

/* order/42 is parked; order/7 waits for number 3, and has 4 and 6; order/9 waits for the link of account/1, with 2 behind. */
static struct scene *furnish(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene_prepare(scene, scene->redis, SCENE_SCRIPT);
    scene_put_progress(scene, scene->redis, 0, 100);
    scene_park(scene, scene->redis, "order/42", 41, "p.lua:9: boom\nand more of it");
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/7"),
                                           .early_count = 2,
                                           .early_from = 4,
                                           .early_last = 6,
                                           .since_ms = 1772359200000,
                                           .state = VF_ASIDE_GAP},
                    (struct scene_aside[]){{VF_LIST_EARLY, 4, NULL, 4, 50}, {VF_LIST_EARLY, 6, NULL, 6, 51}}, 2);
    scene_set_aside(
        scene, scene->redis,
        &(struct vf_aggregate){.aggregate = VF_LITERAL("account/1"), .waiters_to = 1, .state = VF_ASIDE_HELD},
        (struct scene_aside[]){{VF_LIST_WAITERS, 0, "order/9", 1, 60}}, 1);
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/9"),
                                           .waits_for = VF_LITERAL("account/1"),
                                           .aside_to = 1,
                                           .has_seen = true,
                                           .seen = 2,
                                           .state = VF_ASIDE_HELD},
                    (struct scene_aside[]){{VF_LIST_OWN, 0, NULL, 2, 61}}, 1);
    return scene;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static void list_shows_what_is_parked_first_and_then_what_waits(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "parked list", 0,
           "customer_orders in cache, generation 1\n"
           "  parked  order/42  3 events, versions 5 to 7, from orders/0@41, since 2026-03-01T10:01:00.000Z\n"
           "    p.lua:9: boom\n"
           "  gap     order/7  2 events, versions 4 to 6, from orders/0@50, since 2026-03-01T10:00:00.000Z, waits for "
           "what is missing before number 4\n"
           "  held    account/1  0 events, waits for its link; 1 event of other aggregates waits for its link\n"
           "  held    order/9  2 events, versions 1 to 2, from orders/0@60, waits for the link of account/1\n",
           "");
}

static void json_has_the_shape_of_CONFIG_md(void **state)
{
    struct scene *scene = furnish(state);
    expect(
        scene, "parked list --json", 0,
        "{\"aggregate\":\"order/42\",\"at\":\"orders/0@41\",\"count\":3,\"error\":\"p.lua:9: boom\\nand more of it\","
        "\"failed\":\"2026-03-01T10:01:00.000Z\",\"first\":5,\"generation\":1,\"last\":7,\"missing_before\":null,"
        "\"projection\":\"customer_orders\",\"script\":\"" HASH "\",\"since\":\"2026-03-01T10:01:00.000Z\","
        "\"state\":\"parked\",\"store\":\"cache\",\"traceback\":\"stack traceback:\\n\\tp.lua:9: in the handler\","
        "\"view\":\"customer_orders\",\"waiters\":0,\"waits_for\":null}\n"
        "{\"aggregate\":\"order/7\",\"at\":\"orders/0@50\",\"count\":2,\"error\":null,\"failed\":null,\"first\":4,"
        "\"generation\":1,\"last\":6,\"missing_before\":4,\"projection\":\"customer_orders\",\"script\":null,"
        "\"since\":\"2026-03-01T10:00:00.000Z\",\"state\":\"gap\",\"store\":\"cache\",\"traceback\":null,\"view\":"
        "\"customer_orders\",\"waiters\":0,\"waits_for\":null}\n"
        "{\"aggregate\":\"account/1\",\"at\":null,\"count\":0,\"error\":null,\"failed\":null,\"first\":null,"
        "\"generation\":1,\"last\":null,\"missing_before\":null,\"projection\":\"customer_orders\",\"script\":null,"
        "\"since\":null,\"state\":\"held\",\"store\":\"cache\",\"traceback\":null,\"view\":\"customer_orders\","
        "\"waiters\":1,\"waits_for\":null}\n"
        "{\"aggregate\":\"order/9\",\"at\":\"orders/0@60\",\"count\":2,\"error\":null,\"failed\":null,\"first\":1,"
        "\"generation\":1,\"last\":2,\"missing_before\":null,\"projection\":\"customer_orders\",\"script\":null,"
        "\"since\":null,\"state\":\"held\",\"store\":\"cache\",\"traceback\":null,\"view\":\"customer_orders\","
        "\"waiters\":0,\"waits_for\":\"account/1\"}\n",
        "");
}

static void list_with_an_error_has_only_what_failed_with_it(void **state)
{
    struct scene *scene = furnish(state);
    scene_park(scene, scene->redis, "order/43", 141, "p.lua:12: another one");
    assert_int_equal(scene_run(scene, "parked list --json --error another"), 0);
    assert_non_null(strstr(scene->out, "\"order/43\""));
    assert_null(strstr(scene->out, "\"order/42\""));
    assert_null(strstr(scene->out, "\"order/7\""));
    expect(scene, "parked list --error nowhere", 0, "", "nothing is parked with such an error\n");
}

/* More than a page of them, each once. */
static void list_has_all_of_many(void **state)
{
    struct scene *scene = furnish(state);
    char name[32];
    for (int i = 100; i < 600; i++) {
        snprintf(name, sizeof name, "order/p%d", i);
        scene_park(scene, scene->redis, name, 10 * i, "boom");
    }
    assert_int_equal(scene_run(scene, "parked list --json --error boom"), 0);
    size_t lines = 0;
    for (const char *at = scene->out; *at; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, 501);
    for (int i = 100; i < 600; i++) {
        snprintf(name, sizeof name, "\"order/p%d\"", i);
        const char *at = strstr(scene->out, name);
        assert_non_null(at);
        assert_null(strstr(at + 1, name));
    }
}

static void nothing_set_aside_is_said(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, SCENE_SCRIPT);
    expect(scene, "parked list", 0, "", "nothing is set aside\n");
    expect(scene, "parked list --json", 0, "", "");
    expect(scene, "parked list -q", 0, "", "");
}

static void each_store_is_listed_though_another_cannot_be_asked(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_prepare(scene, scene->mongodb, SCENE_SCRIPT);
    scene_park(scene, scene->mongodb, "order/42", 41, "boom");
    vf_memory_server_set_down(scene->redis, true);
    assert_int_equal(scene_run(scene, "parked list --json"), 69);
    assert_non_null(strstr(scene->out, "\"store\":\"docs\""));
    assert_non_null(strstr(scene->err, "viewfold: customer_orders in cache: "));
    assert_int_equal(scene_run(scene, "parked list --store docs"), 0);
    assert_int_equal(scene_run(scene, "parked list --projection customer_order"), 66);
    assert_non_null(strstr(scene->err, "has no projection customer_order; did you mean customer_orders?"));
    assert_int_equal(scene_run(scene, "parked list --store dos"), 66);
    assert_non_null(strstr(scene->err, "has no store dos; did you mean docs?"));
}

/* A view whose script cannot be read here is looked into all the same, where its name is known. */
static void a_script_that_cannot_be_read_hides_nothing_that_is_named(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k, group: shop}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections: [{script: p.lua, names: {cache: customer_orders}}]\n");
    scene_write(scene, "p.lua", "broken!");
    assert_int_equal(scene_run(scene, "parked show order/42 --json"), 0);
    assert_non_null(strstr(scene->out, "\"first\":5,"));
    assert_non_null(strstr(scene->out, "\"projection\":null,"));
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    assert_int_equal(scene_run(scene, "parked list"), 78);
    assert_non_null(strstr(scene->err, "what of its views is set aside is not listed"));
}

/* --- show --------------------------------------------------------------------------------------------------------- */

static void show_tells_all_that_is_known(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "parked show order/42", 0,
           "customer_orders in cache, generation 1\n"
           "  parked  order/42  3 events, versions 5 to 7, from orders/0@41, since 2026-03-01T10:01:00.000Z\n"
           "  failed 2026-03-01T10:01:00.000Z with the script aaaaaaaaaaaa:\n"
           "    p.lua:9: boom\n"
           "    and more of it\n"
           "    stack traceback:\n"
           "    \tp.lua:9: in the handler\n"
           "  order/42@5 Changed, at orders/0@41, 2026-03-01T10:00:00.000Z, 218 bytes\n"
           "    {\"n\":5}\n"
           "  order/42@6 Changed, at orders/0@42, 2026-03-01T10:00:00.000Z, 218 bytes\n"
           "    {\"n\":6}\n"
           "  order/42@7 Changed, at orders/0@43, 2026-03-01T10:00:00.000Z, 218 bytes\n"
           "    {\"n\":7}\n"
           "  mend the projection, see what would come of it (viewfold parked retry order/42 --dry-run --script FILE), "
           "adopt it\n  (viewfold generations adopt customer_orders), then: viewfold parked retry order/42\n"
           "  or leave the event out that failed, for good: viewfold parked drop order/42\n",
           "");
}

static void show_json_has_the_records(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "parked show --json order/7 order/42"), 0);
    assert_non_null(strstr(
        scene->out,
        "{\"aggregate\":\"order/7\",\"at\":\"orders/0@50\",\"count\":2,\"error\":null,\"events\":[{\"aggregate\":"
        "\"order/7\",\"at\":\"orders/0@50\",\"bytes\":216,\"event_id\":\"e50\",\"headers\":[],\"key\":\"7\",\"time\":"
        "\"2026-03-01T10:00:00.000Z\",\"type\":\"Changed\",\"unreadable\":null,\"value\":{\"data\":{\"n\":4},\"event_id\":"
        "\"e50\",\"id\":\"7\",\"kind\":\"order\",\"time\":\"2026-03-01T10:00:00Z\",\"type\":\"Changed\",\"version\":4},"
        "\"version\":4},{"));
    assert_non_null(strstr(scene->out, "}],\"failed\":\"2026-03-01T10:01:00.000Z\",\"first\":5,"));
}

static void show_finds_an_event_that_waits_in_the_list_of_another(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "parked show order/9"), 0);
    assert_non_null(strstr(scene->out, "\n  order/9@1 Changed, at orders/0@60"));
    assert_non_null(strstr(scene->out, "\n  order/9@2 Changed, at orders/0@61"));
    assert_int_equal(scene_run(scene, "parked show account/1"), 0);
    assert_non_null(strstr(scene->out, "\n  order/9@1 Changed, at orders/0@60"));
    assert_null(strstr(scene->out, "order/9@2"));
}

static void of_a_long_list_show_tells_the_beginning_and_how_much_more(void **state)
{
    struct scene *scene = furnish(state);
    struct scene_aside asides[30];
    for (int i = 0; i < 30; i++) {
        asides[i] = (struct scene_aside){.place = i, .version = i + 1, .offset = 1000 + i};
    }
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/long"),
                                           .aside_to = 30,
                                           .has_seen = true,
                                           .seen = 30,
                                           .state = VF_ASIDE_HELD},
                    asides, 30);
    assert_int_equal(scene_run(scene, "parked show order/long"), 0);
    assert_non_null(strstr(scene->out, "order/long@20 "));
    assert_null(strstr(scene->out, "order/long@21 "));
    assert_non_null(strstr(scene->out, "\n  and 10 more (-v: all)\n"));
    assert_int_equal(scene_run(scene, "parked show order/long -v"), 0);
    assert_non_null(strstr(scene->out, "order/long@30 "));
    assert_null(strstr(scene->out, " more ("));
}

/* No handler is at fault. */
static void show_of_a_record_that_cannot_be_read_advises_to_look_at_the_configuration(void **state)
{
    struct scene *scene = furnish(state);
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/a\"b"), /* of which no JSON is made here */
                                           .aside_to = 1,
                                           .has_seen = true,
                                           .seen = 1,
                                           .parked = true,
                                           .failure = {.error = VF_LITERAL("the value is no JSON")},
                                           .state = VF_ASIDE_PARKED},
                    (struct scene_aside[]){{VF_LIST_OWN, 0, NULL, 1, 70}}, 1);
    assert_int_equal(scene_run(scene, "parked show order/a\"b"), 0);
    assert_non_null(strstr(scene->out,
                           "  where the configuration reads it wrongly, mend that (topics, envelopes), then: "
                           "viewfold parked retry order/a\"b\n"));
    assert_null(strstr(scene->out, "mend the projection"));
}

static void show_of_what_is_not_set_aside_ends_with_66_after_the_others(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "parked show order/1 order/42"), 66);
    assert_string_equal(scene->err, "viewfold: nothing of order/1 is set aside\n");
    assert_non_null(strstr(scene->out, "order/42@5"));
}

/* --- usage -------------------------------------------------------------------------------------------------------- */

static void what_is_asked_in_a_wrong_way_is_refused(void **state)
{
    struct scene *scene = furnish(state);
    static const char *const wrong[][2] = {
        {"parked lst", "viewfold parked has no lst; did you mean list? It has list, show, retry or drop"},
        {"parked list order/42",
         "viewfold parked list takes no arguments; order/42 is too much: `viewfold parked show order/42`?"},
        {"parked show", "viewfold parked show wants AGGREGATE...; `viewfold parked list` shows them"},
        {"parked retry",
         "viewfold parked retry wants AGGREGATE..., --error TEXT or --all; `viewfold parked list` shows them"},
        {"parked retry order/42 --all", "order/42 names aggregates, and --all means others: one of them"},
        {"parked retry order/42 --error x", "order/42 names aggregates, and --error means others: one of them"},
        {"parked drop order/42 --dry-run", "viewfold parked drop takes no --dry-run"},
        {"parked show order/42 --all", "viewfold parked show takes no --all"},
        {"parked retry order/42 --yes", "viewfold parked retry takes no --yes"},
        {"parked retry order/42 --script p.lua",
         "--script is for --dry-run: what is written is folded by the script that the generation runs; `viewfold generations "
         "adopt` makes it the one at hand"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char wanted[512];
        snprintf(wanted, sizeof wanted, "%s%s\n",
                 strncmp(wrong[i][1], "viewfold ", 9) == 0 ? "" : "viewfold: ", wrong[i][1]);
        expect(scene, wrong[i][0], 64, "", wanted);
    }
}

/* --- status ------------------------------------------------------------------------------------------------------- */

static void status_counts_what_is_set_aside_and_check_minds(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_end[0] = 100;
    scene_put_progress(scene, scene->redis, 1, 1);
    scene->kafka_end[1] = 1;
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, ",\"gap\":1,"));
    assert_non_null(strstr(scene->out, ",\"held\":2,"));
    assert_non_null(strstr(scene->out, ",\"parked\":1,"));
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out,
                           "\n  1 aggregate is parked, as an event of its failed; `viewfold parked list` says why\n"
                           "  1 aggregate waits for a number that is missing; `viewfold parked list` says which\n"
                           "  2 aggregates are held, until their link is known\n"));
    assert_int_equal(scene_run(scene, "status --check"), 1);
    assert_string_equal(scene->err,
                        "customer_orders in cache: 1 aggregate is parked, as an event of its failed; `viewfold parked "
                        "list` says why\n"
                        "customer_orders in cache: 1 aggregate waits for a number that is missing; `viewfold parked "
                        "list` says which\n");
}

/* What comes next after what is held waits for that, and not for a number. */
static void what_came_early_may_miss_nothing_any_more(void **state)
{
    struct scene *scene = *state;
    struct vf_aggregate record = {.aggregate = VF_LITERAL("order/7"),
                                  .aside_to = 1,
                                  .has_seen = true,
                                  .seen = 2,
                                  .early_count = 1,
                                  .early_from = 4,
                                  .early_last = 4,
                                  .since_ms = 1772359200000,
                                  .state = VF_ASIDE_HELD};
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene_prepare(scene, scene->redis, SCENE_SCRIPT);
    scene_set_aside(scene, scene->redis, &record,
                    (struct scene_aside[]){{VF_LIST_OWN, 0, NULL, 2, 40}, {VF_LIST_EARLY, 4, NULL, 4, 41}}, 2);
    assert_int_equal(scene_run(scene, "parked list --json"), 0);
    assert_non_null(strstr(scene->out, "\"missing_before\":4"));
    record.aside_to = 2;
    record.seen = 3;
    scene_set_aside(scene, scene->redis, &record, (struct scene_aside[]){{VF_LIST_OWN, 1, NULL, 3, 42}}, 1);
    assert_int_equal(scene_run(scene, "parked list --json"), 0);
    assert_non_null(strstr(scene->out, "\"missing_before\":null"));
}

/* Of a revision only the operator knows whether what is missing has come. */
static void what_came_before_a_revision_that_is_missing_is_told_by_its_number(void **state)
{
    struct scene *scene = *state;
    int64_t place = vf_early_place_of_revision(4, 0);
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene_prepare(scene, scene->redis, SCENE_SCRIPT);
    scene_set_aside(
        scene, scene->redis,
        &(struct vf_aggregate){.aggregate = VF_LITERAL("order/7"),
                               .early_count = 2,
                               .early_from = place,
                               .early_last = place + 1,
                               .since_ms = 1772359200000,
                               .state = VF_ASIDE_GAP},
        (struct scene_aside[]){{VF_LIST_EARLY, place, NULL, 4, 50}, {VF_LIST_EARLY, place + 1, NULL, 4, 51}}, 2);
    assert_int_equal(scene_run(scene, "parked list --json"), 0);
    assert_non_null(strstr(scene->out, "\"missing_before\":4,"));
    assert_int_equal(scene_run(scene, "parked list"), 0);
    assert_non_null(strstr(scene->out, "waits for what is missing before number 4, and for a retry"));
    assert_int_equal(scene_run(scene, "parked show order/7"), 0);
    assert_non_null(
        strstr(scene->out, "when all events of the missing revisions have come: viewfold parked retry order/7"));
}

/* `gaps: wait` gives what is missing some time. */
static void a_gap_that_is_waited_for_is_minded_when_its_time_is_over(void **state)
{
    struct scene *scene = *state;
    char config[1024];
    snprintf(config, sizeof config,
             "%stopics: {orders: {envelope: e}}\nenvelopes: {e: {kind: {value: /kind}, id: {value: /id}, "
             "version: {value: /version, as: int, gaps: wait 30s}, type: {value: /type}, data: {value: /data}}}\n",
             ONE_STORE);
    scene_write(scene, "viewfold.yaml", config);
    scene_prepare(scene, scene->redis, SCENE_SCRIPT);
    scene_put_progress(scene, scene->redis, 0, 100);
    scene_put_progress(scene, scene->redis, 1, 0);
    scene->kafka_end[0] = 100;
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/7"),
                                           .early_count = 1,
                                           .early_from = 4,
                                           .early_last = 4,
                                           .since_ms = 1772359200000,
                                           .state = VF_ASIDE_GAP},
                    (struct scene_aside[]){{VF_LIST_EARLY, 4, NULL, 4, 50}}, 1);
    scene->now_ms = 29999;
    assert_int_equal(scene_run(scene, "status --check"), 0);
    assert_string_equal(scene->err, "");
    scene->now_ms = 30000;
    assert_int_equal(scene_run(scene, "status --check"), 1);
    assert_non_null(strstr(scene->err, "1 aggregate waits for a number that is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(list_shows_what_is_parked_first_and_then_what_waits),
        SCENE_TEST(json_has_the_shape_of_CONFIG_md),
        SCENE_TEST(list_with_an_error_has_only_what_failed_with_it),
        SCENE_TEST(list_has_all_of_many),
        SCENE_TEST(nothing_set_aside_is_said),
        SCENE_TEST(each_store_is_listed_though_another_cannot_be_asked),
        SCENE_TEST(a_script_that_cannot_be_read_hides_nothing_that_is_named),
        SCENE_TEST(show_tells_all_that_is_known),
        SCENE_TEST(show_json_has_the_records),
        SCENE_TEST(show_finds_an_event_that_waits_in_the_list_of_another),
        SCENE_TEST(of_a_long_list_show_tells_the_beginning_and_how_much_more),
        SCENE_TEST(show_of_what_is_not_set_aside_ends_with_66_after_the_others),
        SCENE_TEST(show_of_a_record_that_cannot_be_read_advises_to_look_at_the_configuration),
        SCENE_TEST(what_is_asked_in_a_wrong_way_is_refused),
        SCENE_TEST(what_came_early_may_miss_nothing_any_more),
        SCENE_TEST(what_came_before_a_revision_that_is_missing_is_told_by_its_number),
        SCENE_TEST(a_gap_that_is_waited_for_is_minded_when_its_time_is_over),
        SCENE_TEST(status_counts_what_is_set_aside_and_check_minds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
