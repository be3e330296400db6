/* `viewfold lint`: configurations and scripts together, every finding with its place, for people and for machines. */
#include "cli/cli_scene.h"

#include "lua/lua_projector.h"

#include <stdlib.h>

static int lua_setup(void **state)
{
    scene_setup(state);
    struct scene *scene = *state;
    scene->projector = &vf_lua_projector_type;
    return 0;
}
#define LINT_TEST(function) cmocka_unit_test_setup_teardown(function, lua_setup, scene_teardown)

#define CONFIG(topics, projections) \
    "kafka: {brokers: k}\nstores: {c: {redis: \"redis://r:1/0\"}}\ntopics: {" topics "}\nprojections:\n" projections

#define GOOD "return { name = 'good', topics = {'orders'}, key = { order = own }, on = {} }\n"

/* What was printed, with FOLDER for the scene's folder. */
static void expect_out(struct scene *scene, const char *wanted)
{
    struct vf_buffer shown;
    vf_buffer_init(&shown);
    vf_buffer_add_text(&shown, "");
    for (const char *at = scene->out; *at;) {
        size_t size = strlen(scene->folder);
        bool folder = strncmp(at, scene->folder, size) == 0;
        vf_buffer_add(&shown, folder ? "FOLDER" : at, folder ? 6 : 1);
        at += folder ? size : 1;
    }
    if (strcmp(shown.data, wanted) != 0) {
        fprintf(stderr, "printed:\n%swanted:\n%s", shown.data, wanted);
        fail();
    }
    vf_buffer_done(&shown);
}

static int lint(struct scene *scene, const char *flags, const char *file)
{
    char words[256];
    snprintf(words, sizeof words, "lint %s %s%s%s", flags, file ? scene->folder : "", file && file[0] ? "/" : "",
             file ? file : "");
    return scene_run(scene, words);
}

static void what_is_fine_ends_with_0_and_says_nothing(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", CONFIG("orders: {kind: order}", "  - {script: p.lua}\n"));
    scene_write(scene, "p.lua", GOOD);
    assert_int_equal(lint(scene, "", NULL), 0);
    expect_out(scene, "");
    assert_string_equal(scene->err, "1 configuration, 1 script: 0 findings, 0 notes\n");
    assert_int_equal(lint(scene, "-q --json", NULL), 0);
    expect_out(scene, "");
    assert_string_equal(scene->err, "");
    assert_int_equal(lint(scene, "", "p.lua"), 0);
    assert_int_equal(lint(scene, "", ""), 0); /* the folder: its viewfold.yaml */
    assert_string_equal(scene->err, "1 configuration, 1 script: 0 findings, 0 notes\n");
}

static void all_findings_of_all_files_are_told(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml",
                CONFIG("orders: {kind: order}, things: {knd: thing}",
                       "  - {script: p.lua}\n  - {script: q.lua}\n  - {script: a.lua, stores: d}\ndefualts: {}\n"));
    scene_write(scene, "p.lua",
                "return { name = 'p', topics = {'ordres', 'clicks'}, key = { order = own },\n"
                "  on = { X = function(dco) doc.x = 1 end } }\n");
    scene_write(scene, "q.lua", "return { name = 'q',, }\n");
    assert_int_equal(lint(scene, "", NULL), 1);
    expect_out(scene,
               "FOLDER/viewfold.yaml:3:42: unknown key knd in topics.things; did you mean kind?\n"
               "FOLDER/viewfold.yaml:7:14: cannot read FOLDER/a.lua: No such file or directory\n"
               "FOLDER/viewfold.yaml:7:29: there is no store d under stores; did you mean c?\n"
               "FOLDER/viewfold.yaml:8:1: unknown key defualts; did you mean defaults?\n"
               "FOLDER/p.lua:1:32: FOLDER/viewfold.yaml has no topic ordres, so the Kafka topic of that name is read, "
               "with all defaults; did you mean orders? If not, name it under topics\n"
               "FOLDER/p.lua:1:42: note: FOLDER/viewfold.yaml has no topic clicks, so the Kafka topic of that name is "
               "read, with all defaults\n"
               "FOLDER/p.lua:2:28: there is no global `doc`; did you mean `dco`?\n"
               "FOLDER/q.lua:1:21: unexpected symbol near ','\n");
    assert_string_equal(scene->err, "1 configuration, 2 scripts: 7 findings, 1 note\n");
}

static void machines_get_a_line_of_json_a_finding(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "p.lua",
                "return { name = 'p', verison = 2, topics = {'t'}, key = { a = own },\n"
                "  on = {}, ttl = 1 }\nlocal x\n");
    scene_write(scene, "q.lua", "local quiet = 1\n" GOOD);
    static const char wanted[] = "{\"column\":1,\"file\":\"FOLDER/p.lua\",\"hint\":null,\"level\":\"error\",\"line\":3,"
                                 "\"message\":\"<eof> expected near 'local'\"}\n"
                                 "{\"column\":7,\"file\":\"FOLDER/q.lua\",\"hint\":null,\"level\":\"note\",\"line\":1,"
                                 "\"message\":\"nothing reads the local `quiet`\"}\n";
    char two[256];
    snprintf(two, sizeof two, "lint --json %s/p.lua %s/q.lua", scene->folder, scene->folder);
    assert_int_equal(scene_run(scene, two), 1);
    expect_out(scene, wanted);
    snprintf(two, sizeof two, "lint --format json %s/p.lua %s/q.lua", scene->folder, scene->folder);
    assert_int_equal(scene_run(scene, two), 1);
    expect_out(scene, wanted);
    assert_int_equal(lint(scene, "--format=json", "q.lua"), 0); /* a note is no finding */
    scene_write(scene, "p.lua", "return { name = 'p', verison = 2, topics = {'t'}, key = { a = own }, on = {} }\n");
    assert_int_equal(lint(scene, "--json", "p.lua"), 1);
    expect_out(scene,
               "{\"column\":22,\"file\":\"FOLDER/p.lua\",\"hint\":\"did you mean `version`?\",\"level\":\"error\","
               "\"line\":1,\"message\":\"a projection has no field `verison`\"}\n");
}

static void topics_that_share_a_kind_without_a_sequence_are_found(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml",
                CONFIG("orders: {kind: order, override: {version: {numbers: ordered}}}, old: {kind: order}",
                       "  - {script: p.lua}\n"));
    scene_write(scene, "p.lua", "return { name = 'p', topics = {'orders', 'old'}, key = { order = own }, on = {} }\n");
    assert_int_equal(lint(scene, "", NULL), 1);
    assert_non_null(strstr(scene->out, "p.lua:1:"));
    assert_non_null(strstr(scene->out, "p reads orders, whose numbers are `ordered`, and old, which does hold the same "
                                       "kind: such a kind comes from one topic only"));
}

/* Found by a second compiler's warning: the name was taken for a format, so lint read, or wrote, what lay on the stack. */
static void a_topics_name_may_hold_a_percent_sign(void **state)
{
    struct scene *scene = *state;
    char words[128];
    scene_write(scene, "viewfold.yaml", CONFIG("\"a%s%s%d\": {topic: orders, kind: order}", "  - {script: p.lua}\n"));
    scene_write(scene, "p.lua", "return { name = 'p', topics = {'a%s%s%d'}, key = { order = own }, on = {} }\n");
    scene_write(scene, "sample", "{\"topic\":\"orders\",\"value\":{}}\n");
    snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
    assert_int_equal(scene_run(scene, words), 1);
    assert_non_null(strstr(scene->out, "sample:1: a%s%s%d: /id is missing"));
}

/* Of offset numbers: a kind that is in each record is none that another topic has; more cannot be known before. */
static void a_kind_in_each_record_is_no_other_topics(void **state)
{
    struct scene *scene = *state;
    char words[128];
    scene_write(scene, "viewfold.yaml",
                CONFIG("cards: {envelope: eventuate-tram}, accounts: {kind: account, envelope: cloudevents}, more: {}",
                       "  - {script: p.lua}\n"));
    scene_write(
        scene, "p.lua",
        "return { name = 'p', topics = {'cards', 'accounts'}, key = { card = own, account = own }, on = {} }\n");
    scene_write(scene, "sample",
                "{\"topic\":\"cards\",\"value\":{\"payload\":\"{}\",\"headers\":{\"event-aggregate-type\":\"card\","
                "\"event-aggregate-id\":\"1\",\"ID\":\"a\",\"event-type\":\"T\"}}}\n"
                "{\"topic\":\"cards\",\"value\":{\"payload\":\"{}\",\"headers\":{\"event-aggregate-type\":\"account\","
                "\"event-aggregate-id\":\"1\",\"ID\":\"a\",\"event-type\":\"T\"}}}\n");
    snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
    assert_int_equal(scene_run(scene, words), 1);
    assert_non_null(strstr(scene->out, "sample:1: note: cards: card/1@1 T, "));
    assert_non_null(strstr(scene->out,
                           "sample:2: cards: eventuate-tram: /headers/event-aggregate-type (kind) is account, "
                           "and another topic in viewfold.yaml has that kind: "));
    assert_non_null(strstr(scene->err, ": 1 finding, "));

    /* Of a topic without a word about its kinds, and of a second one of offsets, nothing is known. */
    scene_write(scene, "p.lua", "return { name = 'p', topics = {'cards', 'more'}, key = { card = own }, on = {} }\n");
    assert_int_equal(lint(scene, "", NULL), 1);
    assert_non_null(
        strstr(scene->out, "p reads cards, whose numbers are offsets, and more, which may hold the same kind"));
}

static void kinds_and_routes_are_compared(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml",
                CONFIG("orders: {kind: order}, customers: {kind: customer}", "  - {script: p.lua}\n"));
    scene_write(scene, "p.lua",
                "return { name = 'p', topics = {'orders', 'customers'},\n"
                "  key = { ordr = own, thing = own }, on = {} }\n");
    assert_int_equal(lint(scene, "", NULL), 1);
    expect_out(scene,
               "FOLDER/p.lua:2:3: `key` has no route for the kind customer, so no event of the topic customers is for "
               "this view; say where they go, or leave the topic out\n"
               "FOLDER/p.lua:2:11: `key` has no route for the kind order, so no event of the topic orders is for this "
               "view; did you mean ordr?\n"
               "FOLDER/p.lua:2:11: key.ordr: none of this projection's topics carries that kind\n"
               "FOLDER/p.lua:2:23: key.thing: none of this projection's topics carries that kind\n");
}

static void what_only_shows_between_projections_is_found(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml",
                CONFIG("orders: {kind: order}, left: {kind: x}", "  - {script: p.lua}\n  - {script: q.lua}\n"));
    scene_write(scene, "p.lua", GOOD);
    scene_write(scene, "q.lua", GOOD);
    assert_int_equal(lint(scene, "", NULL), 1);
    expect_out(scene, "FOLDER/viewfold.yaml: the projections good and good would both be the view good in the store c: "
                      "give one another name under names\n"
                      "FOLDER/viewfold.yaml:3:33: note: no projection reads the topic left\n");
}

/* Two of a folder's Lua files without a configuration; and what is no file at all. */
static void paths_are_files_and_folders(void **state)
{
    struct scene *scene = *state;
    char file[128];
    scene_write(scene, "p.lua", "return 7\n");
    scene_write(scene, "q.lua", GOOD);
    snprintf(file, sizeof file, "%s/viewfold.yaml", scene->folder);
    remove(file);
    assert_int_equal(lint(scene, "", ""), 1);
    expect_out(scene,
               "FOLDER/p.lua: the file returns no table: it ends with return { name = ..., key = ..., on = ... }\n");
    assert_string_equal(scene->err, "0 configurations, 2 scripts: 1 finding, 0 notes\n");
    assert_int_equal(lint(scene, "", "nowhere.lua"), 66);
    assert_int_equal(lint(scene, "", "nowhere.yaml"), 66);
    assert_int_equal(lint(scene, "", NULL), 66);
    scene_write(scene, "sample", "x");
    assert_int_equal(lint(scene, "", "sample"), 64);
}

static void a_broken_file_is_a_finding(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", "kafka: [\n");
    assert_int_equal(lint(scene, "", NULL), 1);
    expect_out(scene, "FOLDER/viewfold.yaml:2:1: this is not YAML: did not find expected node content, while parsing a "
                      "flow node\n");
}

#define ONLINE CONFIG("orders: {kind: order}", "  - {script: p.lua}\n")

static void what_the_log_still_holds_is_looked_at(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONLINE);
    scene_write(scene, "p.lua", GOOD);
    assert_int_equal(lint(scene, "--online", NULL), 0);
    expect_out(scene, "");
    scene->kafka_low[1] = 7;
    scene->kafka_retention_ms = 7200000;
    assert_int_equal(lint(scene, "--online", NULL), 1);
    expect_out(
        scene,
        "FOLDER/viewfold.yaml:3:10: orders: partition 1 of the Kafka topic orders begins at offset 7: what was "
        "before is gone, so a view that begins now is refused; say history: partial where a view may begin in "
        "the middle\n"
        "FOLDER/viewfold.yaml:3:10: note: Kafka topics that keep their records for some time only: orders (2 hours). "
        "Views that run are not concerned; one that begins when records are gone is refused; set retention.ms=-1 and "
        "retention.bytes=-1 where views must be built anew one day, or say history: partial\n");
    static const struct {
        int64_t ms;
        const char *shown;
    } times[] = {{604800000, "(7 days)"}, {86400000, "(1 day)"},         {5400000, "(90 minutes)"},
                 {1000, "(1 second)"},    {1234, "(1234 milliseconds)"}, {0, "(0 milliseconds)"}};
    scene->kafka_low[1] = 0;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        scene->kafka_retention_ms = times[i].ms;
        assert_int_equal(lint(scene, "--online", NULL), 0);
        assert_non_null(strstr(scene->out, times[i].shown));
    }
    scene->kafka_policy = "compact,delete";
    assert_int_equal(lint(scene, "--online", NULL), 1);
    assert_non_null(strstr(scene->out, "orders: the Kafka topic orders is compacted"));
    scene->kafka_policy_denied = true;
    assert_int_equal(lint(scene, "--online", NULL), 0);
    assert_non_null(strstr(
        scene->out, "note: Kafka topics that don't show this login how long they keep their records: orders; grant "));
    scene_write(scene, "viewfold.yaml", CONFIG("orders: {kind: order, history: partial}", "  - {script: p.lua}\n"));
    assert_int_equal(lint(scene, "--online", NULL), 0);
    expect_out(scene, "");
}

static void a_topic_that_this_login_may_not_read_is_an_error(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONLINE);
    scene_write(scene, "p.lua", GOOD);
    scene->kafka_read_denied = true;
    assert_int_equal(lint(scene, "--online", NULL), 1);
    expect_out(scene,
               "FOLDER/viewfold.yaml:3:10: kafka k: reading of topic orders: not authorized; grant Read on it\n");
}

static void a_server_that_is_not_there_is_69_unless_more_is_wrong(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONLINE);
    scene_write(scene, "p.lua", GOOD);
    scene->kafka_down = true;
    assert_int_equal(lint(scene, "--online", NULL), 69);
    expect_out(scene, "FOLDER/viewfold.yaml: kafka k: no broker answers\n");
    scene_write(scene, "p.lua", "return { name = 'p', topics = {'orders'}, key = { order = own }, on = 3 }\n");
    assert_int_equal(lint(scene, "--online", NULL), 1);
}

static void a_wrong_file_is_not_taken_to_the_servers(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONLINE "nothing: 1\n");
    scene_write(scene, "p.lua", GOOD);
    scene->kafka_down = true;
    assert_int_equal(lint(scene, "--online", NULL), 1);
    expect_out(scene, "FOLDER/viewfold.yaml:6:1: unknown key nothing\n");
    assert_non_null(strstr(scene->err, "its servers were not looked at\n"));
}

#define SAMPLE_CONFIG                                                                                           \
    "kafka: {brokers: k}\nstores: {c: {redis: \"redis://r:1/0\"}}\n"                                            \
    "envelopes: {e: {id: {key: utf8}, version: {header: v, as: be64}, type: {header: t}, data: {value: /d}}}\n" \
    "topics:\n  orders: {topic: shop.orders, kind: order, envelope: e, override: {tombstone: ignore}}\n"        \
    "  things: {kind: thing}\nprojections: [{script: p.lua}, {script: q.lua}]\n"

static void a_sample_says_what_becomes_of_each_record(void **state)
{
    struct scene *scene = *state;
    char words[128];
    scene_write(scene, "viewfold.yaml", SAMPLE_CONFIG);
    scene_write(scene, "p.lua",
                "return { name = 'p', topics = {'orders', 'clicks'}, on = { Created = function(doc) doc.n = 1 end },\n"
                "  key = { order = link { Created = 'customer' }, click = function(e) if e.data.to then return\n"
                "    array { e.data.to, e.id } end end } }\n");
    scene_write(scene, "q.lua", "return { name = 'q', topics = {'orders'}, key = { order = own }, on = {} }\n");
    scene_write(
        scene, "sample",
        "{\"topic\":\"shop.orders\",\"offset\":9,\"ts\":1772359200500,\"key\":\"o1\",\"headers\":[\"t\",\"Created\",\"v\","
        "\"\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0001\"],\"payload\":\"{\\\"d\\\":{\\\"customer\\\":5}}\"}\n"
        "\n"
        "{\"topic\":\"orders\",\"key\":\"o1\",\"headers\":{\"t\":\"Craeted\",\"v\":{\"be64\":2}},\"value\":{}}\n"
        "{\"topic\":\"orders\",\"key\":\"o1\",\"headers\":{\"t\":\"Created\",\"v\":{\"be64\":3}},\"value\":{\"d\":{}}}\n"
        "{\"topic\":\"orders\",\"key\":\"o1\",\"headers\":{\"t\":\"Created\",\"v\":{\"be64\":3}},\"payload\":\"x\"}\n"
        "{\"topic\":\"orders\",\"key\":\"o1\",\"headers\":{\"T\":\"Created\",\"v\":{\"be64\":3}},\"value\":{\"d\":{}}}\n"
        "{\"topic\":\"orders\",\"key\":\"o1\"}\n"
        "{\"topic\":\"clicks\",\"value\":{\"kind\":\"click\",\"id\":7,\"version\":1,\"type\":\"C\",\"data\":{\"to\":\"a\"}}}\n"
        "{\"topic\":\"clicks\",\"value\":{\"kind\":\"click\",\"id\":7,\"version\":1,\"type\":\"C\",\"data\":{}}}\n"
        "{\"topic\":\"clicks\",\"value\":{\"kind\":\"move\",\"id\":7,\"version\":1,\"type\":\"C\",\"event_id\":\"e\"}}\n"
        "{\"topic\":\"thing\"}\n"
        "{\"topik\":\"orders\"}\n");
    snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
    assert_int_equal(scene_run(scene, words), 1);
    static const char *const wanted[] = {
        "1: note: orders: order/o1@1 Created, 2026-03-01T10:00:00.500Z; p: document 5, on.Created; q: document o1, no handler for Created",
        "3: note: orders: order/o1@2 Craeted, 2026-01-01T00:00:02.000Z, no data; p: the document of its link, no handler for "
        "Craeted (did you mean Created?); q: document o1, no handler for Craeted",
        "4: p: p.lua:2: key.order: `customer` of Created's data is missing",
        "4: note: orders: order/o1@3 Created, 2026-01-01T00:00:03.000Z; q: document o1, no handler for Created",
        "5: a handler that reads e.data would fail: the value: not JSON",
        "6: orders: the header t (type) is missing, a string is wanted; there is a header T, and names are exact",
        "7: note: orders: no event (tombstone: ignore)",
        "8: note: clicks: click/7@1 C, 2026-01-01T00:00:07.000Z; p: documents a, 7, no handler for C",
        "9: note: clicks: click/7@1 C, 2026-01-01T00:00:08.000Z; p: not for this view, as its route names no document",
        "10: note: clicks: move/7@1 C, 2026-01-01T00:00:09.000Z, event id e, no data; p: not for this view, which has no route "
        "for the kind move",
        "12: a record has no topik; did you mean topic?",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s/sample:%s", scene->folder, wanted[i]);
        if (!strstr(scene->out, line)) {
            fail_msg("%s is not in:\n%s", line, scene->out);
        }
    }
    assert_non_null(strstr(scene->out, "has a topic thing; did you mean things?\n"));
    assert_non_null(strstr(scene->err, "1 configuration, 2 scripts, 11 records: 5 findings, "));
}

static void a_sample_says_what_an_upcast_and_a_link_make_of_a_record(void **state)
{
    struct scene *scene = *state;
    char words[128];
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\nstores: {c: {redis: \"redis://r:1/0\"}}\nprojections: [{script: p.lua}]\n");
    scene_write(scene, "p.lua",
                "return { name = 'p', topics = {'t'}, key = { account = link { Opened = 'customer' },\n"
                "  card = link { Issued = through('account', 'account') } }, upcast = {\n"
                "  Created = function(e) e.type = 'Opened' e.data.customer = e.data.owner end,\n"
                "  Broken = function(e) return e end },\n"
                "  on = { Opened = function() end, card = { Issued = function() end } } }\n");
    scene_write(
        scene, "sample",
        "{\"topic\":\"t\",\"value\":{\"kind\":\"account\",\"id\":7,\"version\":1,\"type\":\"Created\",\"data\":{\"owner\":5}}}\n"
        "{\"topic\":\"t\",\"value\":{\"kind\":\"card\",\"id\":8,\"version\":1,\"type\":\"Issued\",\"data\":{\"account\":7}}}\n"
        "{\"topic\":\"t\",\"value\":{\"kind\":\"account\",\"id\":7,\"version\":2,\"type\":\"Issued\",\"data\":{}}}\n"
        "{\"topic\":\"t\",\"value\":{\"kind\":\"account\",\"id\":7,\"version\":3,\"type\":\"Broken\",\"data\":{}}}\n");
    snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
    assert_int_equal(scene_run(scene, words), 1);
    static const char *const wanted[] = {
        "1: note: t: account/7@1 Created, 2026-01-01T00:00:00.000Z; p: document 5, on.Opened, upcast from Created\n",
        "2: note: t: card/8@1 Issued, 2026-01-01T00:00:01.000Z; p: the document that account/7 is linked to, on.card.Issued\n",
        "3: note: t: account/7@2 Issued, 2026-01-01T00:00:02.000Z; p: the document of its link, no handler for Issued\n",
        "4: p: p.lua:4: upcast.Broken returns a userdata: an upcast changes e.type and e.data and returns nothing",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s/sample:%s", scene->folder, wanted[i]);
        if (!strstr(scene->out, line)) {
            fail_msg("%s is not in:\n%s", line, scene->out);
        }
    }
}

static void a_sample_goes_with_a_configuration_that_is_right(void **state)
{
    struct scene *scene = *state;
    char words[200];
    scene_write(scene, "viewfold.yaml", SAMPLE_CONFIG);
    scene_write(scene, "p.lua", "return { name = 'p', topics = {'orders'}, key = { order = own }, on = { X = 1 } }\n");
    scene_write(scene, "q.lua", GOOD);
    scene_write(scene, "sample",
                "{\"topic\":\"orders\",\"key\":\"o\",\"headers\":{\"t\":\"T\",\"v\":{\"be64\":1}},\"value\":{}}");
    snprintf(words, sizeof words, "lint --sample %s/sample", scene->folder);
    assert_int_equal(scene_run(scene, words), 1); /* the script that is wrong is not asked, the other is */
    assert_non_null(
        strstr(scene->out, "sample:1: note: orders: order/o@1 T, 2026-01-01T00:00:00.000Z, no data; good: "));
    assert_null(strstr(scene->out, "; p: "));
    assert_non_null(strstr(scene->err, "p.lua: it was not asked about the records\n"));
    scene_write(scene, "viewfold.yaml", SAMPLE_CONFIG "nothing: 1\n");
    assert_int_equal(scene_run(scene, words), 1);
    assert_null(strstr(scene->out, "sample:"));
    assert_non_null(strstr(scene->err, "the records in "));
    snprintf(words, sizeof words, "lint --sample %s/sample %s/q.lua", scene->folder, scene->folder);
    assert_int_equal(scene_run(scene, words), 64);
    assert_non_null(strstr(scene->err, "lint --sample wants a configuration"));
    snprintf(words, sizeof words, "lint --sample %s/nowhere", scene->folder);
    assert_int_equal(scene_run(scene, words), 66);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINT_TEST(what_is_fine_ends_with_0_and_says_nothing),
        LINT_TEST(all_findings_of_all_files_are_told),
        LINT_TEST(machines_get_a_line_of_json_a_finding),
        LINT_TEST(topics_that_share_a_kind_without_a_sequence_are_found),
        LINT_TEST(a_kind_in_each_record_is_no_other_topics),
        LINT_TEST(a_topics_name_may_hold_a_percent_sign),
        LINT_TEST(kinds_and_routes_are_compared),
        LINT_TEST(what_only_shows_between_projections_is_found),
        LINT_TEST(paths_are_files_and_folders),
        LINT_TEST(a_broken_file_is_a_finding),
        LINT_TEST(a_sample_says_what_becomes_of_each_record),
        LINT_TEST(a_sample_says_what_an_upcast_and_a_link_make_of_a_record),
        LINT_TEST(a_sample_goes_with_a_configuration_that_is_right),
        LINT_TEST(what_the_log_still_holds_is_looked_at),
        LINT_TEST(a_topic_that_this_login_may_not_read_is_an_error),
        LINT_TEST(a_server_that_is_not_there_is_69_unless_more_is_wrong),
        LINT_TEST(a_wrong_file_is_not_taken_to_the_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
