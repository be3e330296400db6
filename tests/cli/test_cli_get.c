/* `viewfold get`: what it prints, and when a reader is told to wait. */
#include "cli/cli_scene.h"

#include "run/stopping.h"

#include <stdlib.h>

#define NONE ((const struct scene_version[]){{NULL, 0}})

/* A customer with an order that is linked to him, in both stores. */
static struct scene *furnish(void **state)
{
    struct scene *scene = *state;
    const struct scene_version versions[] = {{"customer/4b", 1}, {"order/63-0", 2}, {NULL, 0}};
    struct vf_memory_server *const servers[] = {scene->redis, scene->mongodb};
    for (size_t i = 0; i < 2; i++) {
        scene_prepare(scene, servers[i], SCENE_SCRIPT);
        scene_put(scene, servers[i], "4b", VF_PRESENT,
                  "{\"name\":\"Fred\",\"orders\":{\"63-0\":{\"total\":12.0}},\"a\":[1,null]}", 17, versions);
        scene_put(scene, servers[i], "husk", VF_HUSK_NEW, NULL, 1, NONE);
        scene_put_record(scene, servers[i], "order/63-0", "4b", -1);
        scene_put_progress(scene, servers[i], 0, 10);
    }
    return scene;
}

#define FRED(store)                                                                                             \
    "{\"document\":{\"a\":[1,null],\"name\":\"Fred\",\"orders\":{\"63-0\":{\"total\":12.0}}},\"generation\":1," \
    "\"id\":\"4b\",\"revision\":17,\"store\":\"" store "\",\"versions\":{\"customer/4b\":1,\"order/63-0\":2},"  \
    "\"view\":\"customer_orders\"}\n"

static void json_is_one_line_a_document_with_sorted_keys(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json"), 0);
    assert_string_equal(scene->out, FRED("cache")); /* the first that the projection writes to */
    assert_string_equal(scene->err, "");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json --store docs"), 0);
    assert_string_equal(scene->out, FRED("docs"));
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json --generation 1"), 0);
    assert_string_equal(scene->out, FRED("cache"));
    assert_int_equal(scene_run(scene, "get customer_orders 4b --generation 2"), 66);
}

static void people_get_it_indented_and_coloured_if_they_like(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b"), 0);
    assert_string_equal(scene->out, "4b  customer_orders in cache, generation 1, revision 17\n"
                                    "  versions customer/4b@1, order/63-0@2\n"
                                    "{\n"
                                    "  \"a\": [\n    1,\n    null\n  ],\n"
                                    "  \"name\": \"Fred\",\n"
                                    "  \"orders\": {\n    \"63-0\": {\n      \"total\": 12.0\n    }\n  }\n"
                                    "}\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --color always"), 0);
    assert_non_null(strstr(scene->out, "\033[34m\"name\"\033[0m: \033[32m\"Fred\"\033[0m"));
}

static void what_is_not_there_is_said_after_the_others(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders nobody 4b husk 4b --json"), 66);
    assert_string_equal(scene->out, FRED("cache"));
    assert_string_equal(scene->err, "viewfold: customer_orders in cache has no document nobody\n"
                                    "viewfold: customer_orders in cache has no document husk\n");
    assert_int_equal(scene_run(scene, "get customer_ordres 4b"), 66);
    assert_non_null(
        strstr(scene->err, "has no projection that makes a view customer_ordres; did you mean customer_orders?\n"));
    assert_int_equal(scene_run(scene, "get customer_ordres 4b --store docs"), 66);
    assert_string_equal(scene->err, "viewfold: the store docs (mongodb m/d) has no view customer_ordres\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --store nodb"), 66);
    assert_non_null(strstr(scene->err, "has no store nodb\n"));
    assert_int_equal(scene_run(scene, "get customer_orders 4b --store dosc"), 66);
    assert_non_null(strstr(scene->err, "has no store dosc; did you mean docs?\n"));
    assert_string_equal(scene->out, "");
}

static void an_unreachable_store_is_69(void **state)
{
    struct scene *scene = furnish(state);
    vf_memory_server_set_down(scene->redis, true);
    assert_int_equal(scene_run(scene, "get customer_orders 4b"), 69);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json --store docs"), 0);
}

static void a_wrong_call_is_64_and_a_wrong_file_78(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min order/42@7"), 64);
    assert_int_equal(scene_run(scene, "get customer_orders"), 64);
    scene_write(scene, "viewfold.yaml", "kafka: 1\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b"), 78);
    assert_non_null(strstr(scene->err, "viewfold.yaml:1:8: kafka: a map is wanted: where events come from\n"));
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "get customer_orders 4b"), 78);
    assert_non_null(strstr(scene->err, "viewfold.yaml:5:24: "));
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json --store cache"), 0); /* needs no script */
}

static void a_script_that_cannot_be_read_keeps_nobody_from_another_view(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "q.lua", "!");
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\n"
                "stores:\n  cache: {redis: \"redis://r:1/0\"}\n  docs: {mongodb: \"mongodb://m/d\"}\n"
                "projections:\n  - {script: q.lua, stores: [cache]}\n  - {script: p.lua, stores: [docs]}\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json"), 0);
    assert_non_null(strstr(scene->out, "\"store\":\"docs\""));
    char wanted[512];
    snprintf(wanted, sizeof wanted,
             "viewfold: %s/viewfold.yaml has no projection that makes a view daily; but not every script can be read: "
             "%s/viewfold.yaml:6:14: %s/q.lua:1: that is no projection; with --store none is needed\n",
             scene->folder, scene->folder, scene->folder);
    assert_int_equal(scene_run(scene, "get daily 4b"), 78);
    assert_string_equal(scene->err, wanted);
}

/* Where the configuration names a view, its store is known without the script. */
static void a_view_that_the_configuration_names_needs_no_script(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "!");
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\n"
                "stores:\n  cache: {redis: \"redis://r:1/0\"}\n  docs: {mongodb: \"mongodb://m/d\"}\n"
                "projections: [{script: p.lua, stores: [docs], names: {docs: customer_orders}}]\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json"), 0);
    assert_non_null(strstr(scene->out, "\"store\":\"docs\""));
}

/* --- freshness ---------------------------------------------------------------------------------------------------- */

static void a_version_token_is_fresh_where_the_last_version_has_reached_it(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_record(scene, scene->redis, "day/1", NULL, 5); /* its version lives beside the documents */
    static const struct {
        const char *token;
        const char *id;
        int status;
    } cases[] = {
        {"v:order/63-0@2", "4b", 0},    {"v:order/63-0@1", "4b", 0},   {"v:order/63-0@3", "4b", 75},
        {"v:order/63-0@2", "husk", 66}, /* the link says where, whatever document is asked for */
        {"v:customer/4b@1", "4b", 0},   {"v:customer/4b@2", "4b", 75}, {"v:customer/4b@1", "nobody", 66},
        {"v:order/99@1", "4b", 75},     {"v:day/1@5", "4b", 0},        {"v:day/1@6", "4b", 75},
        {"o:orders/0@9", "4b", 0},      {"o:orders/0@10", "4b", 75},   {"o:orders/1@0", "4b", 75},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[256];
        snprintf(words, sizeof words, "get customer_orders %s --min %s --json", cases[i].id, cases[i].token);
        int status = scene_run(scene, words);
        if (status != cases[i].status) {
            fail_msg("%s: %d, wanted %d: %s", words, status, cases[i].status, scene->err);
        }
        assert_true(status == 0 ? scene->out[0] == '{' : scene->out[0] == 0);
        assert_int_equal(scene->sleeps, 0); /* without --wait nobody waits */
    }
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3"), 75);
    assert_string_equal(scene->err, "viewfold: pending v:order/63-0@3: order/63-0 is at version 2, wanted 3\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@10"), 75);
    assert_string_equal(scene->err, "viewfold: pending o:orders/0@10: orders/0 is at 10, wanted beyond 10\n");
}

static void expect_each(struct scene *scene, const char *id, const char *const (*cases)[3], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char words[256];
        snprintf(words, sizeof words, "get customer_orders %s --min %s --json", id, cases[i][0]);
        int status = scene_run(scene, words);
        if (status != atoi(cases[i][1])) {
            fail_msg("%s: %d, wanted %s: %s", words, status, cases[i][1], scene->err);
        }
        if (!strstr(scene->err, cases[i][2])) {
            fail_msg("%s: said: %s", words, scene->err);
        }
    }
}

static void a_revisions_token_is_fresh_with_its_event_or_beyond_it(void **state)
{
    struct scene *scene = furnish(state);
    static const char *const cases[][3] = {
        {"v:order/1@6", "0", ""},
        {"v:order/1@7", "75",
         "order/1 is at version 7, which several events may share: the token has to say which one is waited for, "
         "v:order/1@7~EVENT-ID"},
        {"v:order/1@7~abc", "0", ""},
        {"v:order/1@7~d@f", "75", "no version of order/1@7~d has"}, /* read from its last '@' */
        {"v:order/1@7~d%40f", "0", ""},
        {"v:order/1@7~ab", "75", "order/1 is at version 7, and has not taken in its event ab"},
        {"v:order/1@8~abc", "75", "order/1 is at version 7, wanted 8"},
        {"v:order/1@6~xyz", "0", ""}, /* beyond it: all of its siblings came before */
        {"v:order/2@9", "0", ""},     /* a sequence: an event id adds nothing */
        {"v:order/2@9~abc", "0", ""},
        {"v:order/3@1043", "0", ""}, /* offsets with a window of ids: the number says it all */
        {"v:order/3@1044", "75", "order/3 is at version 1043, wanted 1044"},
        {"v:day/1@4", "75", "which several events may share"}, /* in the aggregate's record */
        {"v:day/1@4~x", "0", ""},
    };
    scene_put_versions(scene, scene->redis, "r",
                       "{\"order/1\":[7,\"abc\",\"d@f\"],\"order/2\":9,\"order/3\":[1043,[\"abc\"]]}");
    scene_put_record_version(scene, scene->redis, "day/1", "[4,\"x\"]");
    expect_each(scene, "r", cases, sizeof cases / sizeof cases[0]);
}

static void versions_that_are_strings_have_tokens(void **state)
{
    struct scene *scene = furnish(state);
    static const char *const cases[][3] = {
        {"v:order/1@00ab", "0", ""},
        {"v:order/1@00aa", "0", ""},
        {"v:order/1@00ac", "75", "order/1 is at version 00ab, wanted 00ac"},
        {"v:order/1@0100", "75", "order/1 is at version 00ab, wanted 0100"}, /* digits are text too */
        {"v:order/1@ab", "64", "the versions of order/1 are strings of 4 bytes, it is at \"00ab\": \"ab\" is none"},
        {"v:order/1@171", "64", "are strings of 4 bytes"},
        {"v:order/2@00ab", "64", "the versions of order/2 are integers, it is at 9: \"00ab\" is none"},
        {"v:order/2@9x", "64", "are integers"},
        {"v:order/3@-4", "0", ""},
        {"v:order/3@-2", "75", "order/3 is at version -3, wanted -2"},
        {"v:order/9@whatever", "75", "no version of order/9 has been taken in, wanted whatever"},
        {"v:day/1@x~z", "0", ""},
    };
    scene_put_versions(scene, scene->redis, "r", "{\"order/1\":\"00ab\",\"order/2\":9,\"order/3\":-3}");
    scene_put_record_version(scene, scene->redis, "day/1", "\"x\"");
    expect_each(scene, "r", cases, sizeof cases / sizeof cases[0]);
}

static void versions_are_shown_as_they_are(void **state)
{
    struct scene *scene = furnish(state);
    static const char versions[] =
        "{\"order/1\":[7,\"abc\",\"d@f\"],\"order/2\":\"00ab\",\"order/3\":[1043,[\"abc\"]]}";
    scene_put_versions(scene, scene->redis, "r", versions);
    assert_int_equal(scene_run(scene, "get customer_orders r --json"), 0);
    assert_non_null(strstr(scene->out, versions));
    assert_int_equal(scene_run(scene, "get customer_orders r"), 0);
    assert_non_null(strstr(scene->out, "  versions order/1@7~d%40f, order/2@00ab, order/3@1043\n"));
}

/* Waiting for what never comes would be 75 for ever. */
static void a_token_for_what_the_view_does_not_take_is_66(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:others/0@1 --wait 2s"), 66);
    assert_string_equal(scene->err, "viewfold: the view customer_orders does not read topic others; it reads orders\n");
    assert_int_equal(scene->sleeps, 0);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:nokind/1@1 --wait 2s --store cache"), 66);
    assert_string_equal(scene->err, "viewfold: no events of kind nokind go to the view customer_orders\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@2 --min v:nokind/1@1"), 66);
}

/* Progress goes by Kafka's names; the one that only viewfold.yaml knows is not told apart from a topic that is not there. */
static void a_tokens_topic_is_kafkas_name(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k, group: shop}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "topics: {orders: {topic: shop.orders}, customers: {topic: shop.customers}}\n"
                "projections: [{script: p.lua}]\n");
    vf_memory_server_wipe(scene->redis);
    scene_prepare(scene, scene->redis, "customer_orders document customers orders key:order");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@1"), 66);
    assert_string_equal(scene->err, "viewfold: the view customer_orders does not read topic orders; it reads "
                                    "shop.customers, shop.orders\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:shop.orders/0@1"), 75);
}

/* A record that once had no document keeps its version; once linked, the document's counts. */
static void a_link_outweighs_the_records_own_version(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_record(scene, scene->redis, "order/63-0", "4b", 9);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3"), 75);
}

/* versions = "record" with a link route: the record has the link and the version, and documents have none. */
static void a_linked_record_tells_the_version_where_documents_have_none(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders record orders key:order");
    scene_put(scene, scene->redis, "4b", VF_PRESENT, "{}", 17, NONE);
    scene_put_record(scene, scene->redis, "order/63-0", "4b", 2);
    scene_put_progress(scene, scene->redis, 0, 10);
    static const char *const cases[][3] = {
        {"v:order/63-0@2", "0", ""},
        {"v:order/63-0@3", "75", "order/63-0 is at version 2, wanted 3"},
        {"v:order/63-0@2a", "64", "are integers"},
    };
    expect_each(scene, "4b", cases, sizeof cases / sizeof cases[0]);
}

/* Progress has passed what is held, and the view does not show it: neither token may be fresh. */
static void a_token_for_what_is_held_is_not_fresh(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders document orders key:order=link:Created");
    scene_put(scene, scene->redis, "4b", VF_PRESENT, "{}", 17, NONE);
    scene_hold(scene, scene->redis, "order/63-0", 2, 41);
    static const char *const cases[][3] = {
        {"v:order/63-0@2", "75", "order/63-0 is held: it waits for the link of order/63-0, or behind what does"},
        {"v:order/63-0@3", "75", "no version of order/63-0 has been taken in, wanted 3"},
        {"o:orders/0@41", "75", "orders/0@41 is held: it waits for the link of order/63-0, or behind what does"},
        {"o:orders/0@40", "0", ""},
        {"o:orders/0@42", "75", "orders/0 is at 42, wanted beyond 42"},
    };
    expect_each(scene, "4b", cases, sizeof cases / sizeof cases[0]);
}

static void take_in_what_was_held(struct scene *scene)
{
    const struct scene_version versions[] = {{"order/63-0", 2}, {NULL, 0}};
    scene_release(scene, scene->redis, "order/63-0", 41, "4b");
    scene_put(scene, scene->redis, "4b", VF_PRESENT, "{\"name\":\"Freda\"}", 18, versions);
}

/* Its link comes between the reading of the documents and the answer: what was read does not have it. */
static void what_is_taken_in_while_it_is_asked_for_is_not_fresh_yet(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders document orders key:order=link:Created");
    scene_put(scene, scene->redis, "4b", VF_PRESENT, "{}", 17, NONE);
    scene_hold(scene, scene->redis, "order/63-0", 2, 41);
    scene->on_loaded = take_in_what_was_held;
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@41"), 75);
    assert_non_null(strstr(scene->err, "orders/0@41 is held"));
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@41"), 0);
    assert_non_null(strstr(scene->out, "Freda"));
}

static void what_has_expired_is_not_there(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders document orders key:order");
    scene_put_expiring(scene, scene->redis, "gone", 1772359200000);
    scene_put_expiring(scene, scene->redis, "there", 1772359200001);
    assert_int_equal(scene_run(scene, "get customer_orders there"), 0);
    assert_int_equal(scene_run(scene, "get customer_orders gone"), 66);
    assert_non_null(strstr(scene->err, "has no document gone"));
}

static void every_token_must_be_reached(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@2 --min o:orders/0@9"), 0);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@2 --min o:orders/0@10"), 75);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --min o:orders/0@9"), 75);
}

static void take_in_the_third(struct scene *scene)
{
    const struct scene_version versions[] = {{"customer/4b", 1}, {"order/63-0", 3}, {NULL, 0}};
    if (scene->sleeps == 3) {
        scene_put(scene, scene->redis, "4b", VF_PRESENT, "{\"name\":\"Freda\"}", 18, versions);
    }
}

static void a_wait_ends_as_soon_as_it_is_fresh(void **state)
{
    struct scene *scene = furnish(state);
    scene->on_sleep = take_in_the_third;
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --wait 2s --json"), 0);
    assert_int_equal(scene->sleeps, 3);
    assert_non_null(strstr(scene->out, "Freda"));
}

static void a_wait_ends_when_its_time_is_up(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --wait 2s"), 75);
    assert_int_equal(scene->now_ms, 2000);
    assert_true(scene->sleeps >= 20 && scene->sleeps <= 100); /* every 20 to 100 ms */
    assert_string_equal(scene->out, "");
}

static void stale_ok_prints_and_says_so(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --stale-ok --json"), 0);
    assert_string_equal(scene->out, FRED("cache"));
    assert_string_equal(scene->err, "viewfold: pending v:order/63-0@3: order/63-0 is at version 2, wanted 3\n");
}

#define REBUILT "is being rebuilt from the log (at 10 of 60), as its store had lost it"

static void what_is_being_rebuilt_says_so(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_lost(scene, scene->redis, 0, 10, 60);
    scene_put_progress(scene, scene->redis, 1, 7);
    /* Whoever reads without a token is told, too: what he does not find may come again. */
    assert_int_equal(scene_run(scene, "get customer_orders 4b nobody --json"), 66);
    assert_string_equal(scene->out, FRED("cache"));
    assert_string_equal(scene->err,
                        "viewfold: customer_orders in cache " REBUILT ": until then documents may be missing, or old\n"
                        "viewfold: customer_orders in cache has no document nobody\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@9"), 0);
    assert_non_null(strstr(scene->err, "until then documents may be missing, or old\n"));
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json -q"), 0);
    assert_string_equal(scene->err, "");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --json --store docs"), 0);
    assert_string_equal(scene->err, "");
    static const char *const cases[][3] = {
        {"o:orders/0@10", "75",
         "viewfold: rebuilding o:orders/0@10: orders/0 is at 10, wanted beyond 10; the view " REBUILT "\n"},
        {"o:orders/0@99", "75", "viewfold: rebuilding o:orders/0@99: "},
        {"o:orders/1@7", "75", "viewfold: pending o:orders/1@7: orders/1 is at 7, wanted beyond 7\n"},
        {"o:orders/2@0", "75", "viewfold: rebuilding o:orders/2@0: orders/2 has no progress in this view yet; "},
        {"v:order/63-0@3", "75",
         "viewfold: rebuilding v:order/63-0@3: order/63-0 is at version 2, wanted 3; the view " REBUILT "\n"},
        {"v:order/77@1", "75",
         "viewfold: rebuilding v:order/77@1: no version of order/77 has been taken in, wanted 1; "},
        {"o:other/0@1", "66", ""},
    };
    expect_each(scene, "4b", cases, sizeof cases / sizeof cases[0]);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --stale-ok --json"), 0);
    assert_string_equal(scene->out, FRED("cache"));
    assert_string_equal(scene->err,
                        "viewfold: rebuilding v:order/63-0@3: order/63-0 is at version 2, wanted 3; the view " REBUILT
                        "\n");
    /* What will not come by itself outweighs it; what it has come to is rebuilt no more. */
    scene_stop(scene, scene->redis, 1, "{\"at\":\"orders/1@7\",\"degraded\":true,\"error\":\"gone\"}");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@10 --min o:orders/1@7"), 1);
    scene_put_progress(scene, scene->redis, 0, 60);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3"), 75);
    assert_string_equal(scene->err, "viewfold: pending v:order/63-0@3: order/63-0 is at version 2, wanted 3\n");
}

/* A topic that says its kind brings no other one's events. */
static void a_kind_of_another_topic_is_pending_only(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k, group: shop}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "envelopes: {ours: {id: {key: utf8}, version: {header: v}, type: {header: t}, data: {value: \"\"}}}\n"
                "topics: {orders: {kind: order, envelope: ours}, customers: {kind: customer, envelope: ours}}\n"
                "projections: [{script: p.lua}]\n");
    vf_memory_server_wipe(scene->redis);
    scene_prepare(scene, scene->redis, "customer_orders document orders customers key:order key:customer");
    scene_put_lost(scene, scene->redis, 0, 10, 60);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/1@1"), 75);
    assert_non_null(strstr(scene->err, "viewfold: rebuilding v:order/1@1: "));
    /* Of customers nothing has begun, so it was lost with the rest. */
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:customer/1@1"), 75);
    assert_non_null(strstr(scene->err, "viewfold: rebuilding v:customer/1@1: "));
    scene_put_progress_of(scene, scene->redis, "customers", 1, 7);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:customer/1@1"), 75);
    assert_string_equal(scene->err,
                        "viewfold: pending v:customer/1@1: no version of customer/1 has been taken in, wanted 1\n");
}

/* It is behind that what was lost comes again: the wait does not end early. */
static void take_in_what_was_lost(struct scene *scene)
{
    take_in_the_third(scene);
    if (scene->sleeps == 3) {
        scene_put_progress(scene, scene->redis, 0, 60);
    }
}

/* The store is away at the second look, and there again at the fourth. */
static void be_away(struct scene *scene)
{
    vf_memory_server_set_down(scene->redis, scene->sleeps < 3);
    take_in_the_third(scene);
}

static void go_away(struct scene *scene)
{
    vf_memory_server_set_down(scene->redis, true);
}

static void a_wait_outlasts_a_store_that_is_away(void **state)
{
    struct scene *scene = furnish(state);
    scene->on_sleep = be_away;
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --wait 2s --json"), 0);
    assert_int_equal(scene->sleeps, 3);
    assert_string_equal(scene->err, "");
    scene->on_sleep = go_away;
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@9 --wait 2s"), 69);
    assert_true(scene->sleeps > 1);
}

/* Whichever call is the one that fails. */
static void a_token_that_never_comes_is_not_waited_for_where_the_store_was_away(void **state)
{
    struct scene *scene = furnish(state);
    int refused = 0;
    for (unsigned call = 1; call < 12; call++) {
        vf_memory_server_fail_call(scene->redis, call);
        int status = scene_run(scene, "get customer_orders 4b --min v:nokind/1@1 --wait 2s --store cache");
        if (status != 69) /* it was not there when the command began */
            assert_int_equal(status, 66);
        refused += status == 66;
    }
    vf_memory_server_fail_call(scene->redis, 0);
    assert_true(refused > 3);
}

static void a_wait_outlasts_a_rebuild(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_lost(scene, scene->redis, 0, 10, 60);
    scene->on_sleep = take_in_what_was_lost;
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --wait 2s --json"), 0);
    assert_int_equal(scene->sleeps, 3);
    assert_non_null(strstr(scene->out, "Freda"));
    assert_string_equal(scene->err, "");
}

static void what_is_held_while_it_is_rebuilt_is_said_with_both(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders document orders key:order=link:Created");
    scene_put(scene, scene->redis, "4b", VF_PRESENT, "{}", 17, NONE);
    scene_hold(scene, scene->redis, "order/63-0", 2, 41);
    scene_put_lost(scene, scene->redis, 1, 10, 60);
    static const char *const cases[][3] = {
        {"v:order/63-0@2", "75", "rebuilding v:order/63-0@2: order/63-0 is held: "},
        {"o:orders/0@41", "75", "rebuilding o:orders/0@41: orders/0@41 is held: "},
        {"v:order/63-0@2", "75", "; the view " REBUILT "\n"},
    };
    expect_each(scene, "4b", cases, sizeof cases / sizeof cases[0]);
}

static void a_stopped_partition_ends_the_wait_with_why(void **state)
{
    struct scene *scene = furnish(state);
    const struct vf_partition partition = {"orders", 0};
    struct vf_error error;
    vf_fail(&error, VF_E_SCRIPT, "p.lua:3: boom\nstack \033[2Jtraceback");
    char *reason = vf_stop_reason(&partition, 10, VF_LITERAL("order/63-0"), &error, false);
    scene_stop(scene, scene->redis, 0, reason);
    free(reason);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@10 --wait 2s"), 1);
    assert_string_equal(scene->err,
                        "viewfold: stopped o:orders/0@10: orders/0 stopped: p.lua:3: boom\nstack ?[2Jtraceback\n");
    assert_int_equal(scene->sleeps, 0);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@3 --wait 2s"), 1);
    assert_non_null(strstr(scene->err, "order/63-0 stopped at orders/0@10: p.lua:3: boom"));
    /* What is fresh already, or may still come, is not held up by it. */
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@9 --min v:order/63-0@2"), 0);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/77@1"), 75);
    /* What will not come outweighs what has not come yet. */
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/77@1 --min o:orders/0@10 --wait 2s"), 1);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@10 --min v:order/77@1 --wait 2s"), 1);
    /* Nor does what may be in any partition, where none goes on. */
    for (int32_t other = 1; other < SCENE_PARTITIONS; other++) {
        assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/77@1"), 75);
        scene_put_progress(scene, scene->redis, other, 7);
        scene_stop(scene, scene->redis, other, "{\"degraded\":true,\"error\":\"gone\"}");
    }
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/77@1 --wait 2s"), 1);
    assert_string_equal(scene->err,
                        "viewfold: stopped v:order/77@1: orders/0 stopped: p.lua:3: boom\nstack ?[2Jtraceback\n");
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/63-0@2"), 0);
}

static void a_token_for_what_comes_behind_what_is_parked_is_stopped(void **state)
{
    struct scene *scene = furnish(state);
    scene_park(scene, scene->redis, "order/42", 9, "p.lua:9: boom");
    static const char *const cases[][3] = {
        {"v:order/42@7", "1", "stopped v:order/42@7: order/42 is parked: p.lua:9: boom"},
        {"v:order/42@8", "1", "stopped v:order/42@8: order/42 is parked: p.lua:9: boom"},
    };
    expect_each(scene, "4b", cases, sizeof cases / sizeof cases[0]);
}

static void a_token_for_what_is_behind_a_gap_says_so(void **state)
{
    struct scene *scene = furnish(state);
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/7"),
                                           .early_count = 1,
                                           .early_from = 4,
                                           .early_last = 4,
                                           .state = VF_ASIDE_GAP},
                    (struct scene_aside[]){{VF_LIST_EARLY, 4, NULL, 4, 9}}, 1);
    static const char *const cases[][3] = {
        {"v:order/7@4", "75", "order/7 is at a gap: numbers before 4 are missing, and what has come behind them waits"},
        {"v:order/7@3", "75", "no version of order/7 has been taken in, wanted 3"},
    };
    expect_each(scene, "4b", cases, sizeof cases / sizeof cases[0]);
}

static void version_tokens_of_a_view_without_versions_are_refused(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders none orders");
    scene_put(scene, scene->redis, "4b", VF_PRESENT, "{}", 1, NONE);
    scene_put_progress(scene, scene->redis, 0, 10);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min v:order/1@1 --wait 2s"), 64);
    assert_non_null(strstr(scene->err, "customer_orders keeps no versions"));
    assert_int_equal(scene->sleeps, 0);
    assert_int_equal(scene_run(scene, "get customer_orders 4b --min o:orders/0@9 --json"), 0);
    assert_non_null(strstr(scene->out, "{\"document\":{},"));
    assert_non_null(strstr(scene->out, "\"versions\":{}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(json_is_one_line_a_document_with_sorted_keys),
        SCENE_TEST(people_get_it_indented_and_coloured_if_they_like),
        SCENE_TEST(what_is_not_there_is_said_after_the_others),
        SCENE_TEST(an_unreachable_store_is_69),
        SCENE_TEST(a_wrong_call_is_64_and_a_wrong_file_78),
        SCENE_TEST(a_script_that_cannot_be_read_keeps_nobody_from_another_view),
        SCENE_TEST(a_view_that_the_configuration_names_needs_no_script),
        SCENE_TEST(a_version_token_is_fresh_where_the_last_version_has_reached_it),
        SCENE_TEST(a_revisions_token_is_fresh_with_its_event_or_beyond_it),
        SCENE_TEST(versions_that_are_strings_have_tokens),
        SCENE_TEST(versions_are_shown_as_they_are),
        SCENE_TEST(a_token_for_what_the_view_does_not_take_is_66),
        SCENE_TEST(a_tokens_topic_is_kafkas_name),
        SCENE_TEST(a_link_outweighs_the_records_own_version),
        SCENE_TEST(a_linked_record_tells_the_version_where_documents_have_none),
        SCENE_TEST(a_token_for_what_is_held_is_not_fresh),
        SCENE_TEST(what_is_taken_in_while_it_is_asked_for_is_not_fresh_yet),
        SCENE_TEST(what_has_expired_is_not_there),
        SCENE_TEST(every_token_must_be_reached),
        SCENE_TEST(a_wait_ends_as_soon_as_it_is_fresh),
        SCENE_TEST(a_wait_ends_when_its_time_is_up),
        SCENE_TEST(stale_ok_prints_and_says_so),
        SCENE_TEST(what_is_being_rebuilt_says_so),
        SCENE_TEST(a_kind_of_another_topic_is_pending_only),
        SCENE_TEST(a_wait_outlasts_a_rebuild),
        SCENE_TEST(a_token_that_never_comes_is_not_waited_for_where_the_store_was_away),
        SCENE_TEST(a_wait_outlasts_a_store_that_is_away),
        SCENE_TEST(what_is_held_while_it_is_rebuilt_is_said_with_both),
        SCENE_TEST(a_stopped_partition_ends_the_wait_with_why),
        SCENE_TEST(a_token_for_what_comes_behind_what_is_parked_is_stopped),
        SCENE_TEST(a_token_for_what_is_behind_a_gap_says_so),
        SCENE_TEST(version_tokens_of_a_view_without_versions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
