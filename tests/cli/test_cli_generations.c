/* `viewfold generations`: what it shows, what adopting and dropping do, each refusal; and what `run` says of another script. */
#include "cli/cli_scene.h"
#include "cli/generations.h"
#include "run/generation.h"

#include <stdlib.h>

#define ONE_STORE                                   \
    "kafka: {brokers: k, group: shop}\n"            \
    "stores: {cache: {redis: \"redis://r:1/0\"}}\n" \
    "projections: [{script: p.lua}]\n"

#define OLD  SCENE_SCRIPT
#define NEXT SCENE_SCRIPT " code:mended"

#define OLD_HASH "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* scene_prepare's */

static const struct vf_view view = {"customer_orders", 1};

/* --- helpers ------------------------------------------------------------------------------------------------------ */

static const char *next_hash(void)
{
    static char hash[65];
    struct vf_file file = {VF_LITERAL("p.lua"), VF_LITERAL(NEXT)};
    vf_script_hash(&file, 1, hash);
    return hash;
}

/* Each {H} is the hash of the next script, {h} its first digits. */
static void assert_says(const char *said, const char *wanted)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    for (const char *at = wanted; *at;) {
        bool whole = strncmp(at, "{H}", 3) == 0;
        if (whole || strncmp(at, "{h}", 3) == 0) {
            vf_buffer_printf(&text, "%.*s", whole ? 64 : 12, next_hash());
            at += 3;
        } else {
            vf_buffer_add_char(&text, *at++);
        }
    }
    assert_string_equal(said, text.size ? text.data : "");
    vf_buffer_done(&text);
}

static void expect(struct scene *scene, const char *words, int status, const char *out, const char *err)
{
    assert_int_equal(scene_run(scene, words), status);
    assert_says(scene->err, err);
    assert_says(scene->out, out);
}

static void expect_refusal(struct scene *scene, const char *words, int status, const char *err)
{
    expect(scene, words, status, "", err);
}

/* One store, in which generation 1 was made with the script OLD; NEXT lies on disk. Nobody runs it. */
static struct scene *furnish(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene_write(scene, "p.lua", NEXT);
    scene_prepare(scene, scene->redis, OLD);
    scene_put_progress(scene, scene->redis, 0, 10);
    scene_put_progress(scene, scene->redis, 1, 3);
    scene_put(scene, scene->redis, "c1", VF_PRESENT, "{\"a\":1}", 1, (struct scene_version[]){{NULL, 0}});
    scene->kafka_members = 0;
    return scene;
}

static struct vf_store *open_on(struct vf_memory_server *server)
{
    struct vf_store *store = NULL;
    assert_int_equal(vf_memory_store_open_on(server, &store, NULL), VF_OK);
    return store;
}

static struct vf_generation entry_of(struct scene *scene, struct vf_memory_server *server)
{
    struct vf_store *store = open_on(server);
    struct vf_generation entry;
    assert_int_equal(vf_memory_store_type.generation(store, view, scene->arena, &entry, NULL), VF_OK);
    vf_memory_store_type.close(store);
    return entry;
}

static bool has_document(struct scene *scene, struct vf_memory_server *server, const char *id)
{
    struct vf_store *store = open_on(server);
    struct vf_bytes key = vf_bytes_from(id);
    struct vf_document held;
    assert_int_equal(vf_memory_store_type.load(store, view, &key, 1, NULL, 0, scene->arena, &held, NULL, NULL), VF_OK);
    vf_memory_store_type.close(store);
    return held.presence == VF_PRESENT;
}

static size_t progress_rows(struct scene *scene, struct vf_memory_server *server)
{
    struct vf_store *store = open_on(server);
    struct vf_progress_row *rows;
    size_t count;
    assert_int_equal(vf_memory_store_type.progress(store, view, scene->arena, &rows, &count, NULL), VF_OK);
    vf_memory_store_type.close(store);
    return count;
}

/* Somebody else begins to drop it, and does not finish. */
static void begin_drop(struct scene *scene)
{
    static uint64_t stamp = 5000;
    struct vf_store *store = open_on(scene->redis);
    bool done;
    assert_int_equal(
        vf_memory_store_type.drop_begin(store, view, entry_of(scene, scene->redis).stamp, ++stamp, &done, NULL), VF_OK);
    assert_true(done);
    vf_memory_store_type.close(store);
}

/* --- list --------------------------------------------------------------------------------------------------------- */

static void list_shows_each_generation_with_its_script(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "generations list", 0,
           "view             store  gen  state     served  version  since                     script\n"
           "customer_orders  cache    1  active       yes        1  1970-01-01T00:00:00.000Z  p.lua aaaaaaaaaaaa "
           "(here: {h})\n",
           "");
    expect(
        scene, "generations list customer_orders --json", 0,
        "{\"generations\":[{\"adopted\":[],\"dropped\":null,\"format\":1,\"generation\":1,\"here\":\"{H}\","
        "\"projection\":\"customer_orders\",\"projection_version\":1,\"script\":\"p.lua\",\"script_hash\":\"" OLD_HASH
        "\",\"served\":true,\"state\":\"active\",\"store\":\"cache\",\"stored\":\"1970-01-01T00:00:00.000Z\","
        "\"view\":\"customer_orders\"}]}\n",
        "");
}

static void list_says_where_there_is_none_yet(void **state)
{
    struct scene *scene = furnish(state);
    vf_memory_server_wipe(scene->redis);
    expect(scene, "generations list", 0,
           "view             store  gen  state     served  version  since                     script\n"
           "customer_orders  cache    -  none yet\n",
           "");
    expect(scene, "generations list --json", 0, "{\"generations\":[]}\n", "");
}

static void list_shows_the_other_store_when_one_cannot_be_asked(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_prepare(scene, scene->mongodb, OLD);
    vf_memory_server_set_down(scene->redis, true);
    assert_int_equal(scene_run(scene, "generations list"), 69);
    assert_non_null(strstr(scene->err, "viewfold: customer_orders in cache: "));
    assert_non_null(strstr(scene->out, "customer_orders  docs     1  active "));
    vf_memory_server_set_down(scene->redis, false);
    assert_int_equal(scene_run(scene, "generations list --store docs"), 0);
    assert_null(strstr(scene->out, "cache"));
}

/* --- adopt -------------------------------------------------------------------------------------------------------- */

static void of_many_positions_a_few_are_shown(void **state)
{
    (void)state;
    struct vf_reached positions[1000];
    struct vf_adoption adoption = {.positions = positions};
    struct vf_buffer out;
    for (int i = 0; i < 1000; i++) {
        positions[i] = (struct vf_reached){.partition = {.topic = "t", .partition = i}, .next = i};
    }
    vf_buffer_init(&out);
    adoption.position_count = 8;
    vf_adoption_print_positions(&adoption, &out);
    assert_string_equal(out.data, "t/0@0, t/1@1, t/2@2, t/3@3, t/4@4, t/5@5, t/6@6, t/7@7");
    vf_buffer_done(&out);
    vf_buffer_init(&out);
    adoption.position_count = 1000;
    vf_adoption_print_positions(&adoption, &out);
    assert_string_equal(out.data, "t/0@0, t/1@1, t/2@2, t/3@3, t/4@4, t/5@5, t/6@6, t/7@7 and 992 more (--json: all)");
    vf_buffer_done(&out);
}

static void adopt_goes_on_with_the_script_on_disk(void **state)
{
    struct scene *scene = furnish(state);
    expect(scene, "generations adopt customer_orders", 0,
           "customer_orders in cache: generation 1 goes on with p.lua {h} instead of aaaaaaaaaaaa, from orders/0@10, "
           "orders/1@3 on\n",
           "");
    struct vf_generation entry = entry_of(scene, scene->redis);
    assert_string_equal(entry.script_hash, next_hash());
    assert_int_equal(entry.file_count, 1);
    assert_true(vf_bytes_is(entry.files[0].text, NEXT));
    assert_int_not_equal(entry.stamp, 0);
    assert_true(has_document(scene, scene->redis, "c1"));
    assert_int_equal(progress_rows(scene, scene->redis), 2);
    expect(scene, "generations list", 0,
           "view             store  gen  state     served  version  since                     script\n"
           "customer_orders  cache    1  active       yes        1  1970-01-01T00:00:00.000Z  p.lua {h}\n"
           "  adopted 2026-03-01T10:00:00.000Z: script {h} instead of aaaaaaaaaaaa, from orders/0@10, orders/1@3 on\n",
           "");
    assert_int_equal(scene_run(scene, "generations list --json"), 0);
    assert_non_null(strstr(scene->out, "{\"generations\":[{\"adopted\":[{\"at\":\"2026-03-01T10:00:00.000Z\",\"from\":"
                                       "\"" OLD_HASH "\",\"positions\":{\"orders/0\":10,\"orders/1\":3},\"to\":\""));
}

static void adopt_again_changes_nothing(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "generations adopt customer_orders 1 --json"), 0);
    assert_says(scene->out, "{\"adopted\":{\"at\":\"2026-03-01T10:00:00.000Z\",\"from\":\"" OLD_HASH
                            "\",\"positions\":{\"orders/0\":10,\"orders/1\":3},\"to\":\"{H}\"},\"changed\":true,"
                            "\"generation\":1,\"projection\":\"customer_orders\",\"script_hash\":\"{H}\",\"store\":"
                            "\"cache\",\"view\":\"customer_orders\"}\n");
    uint64_t stamp = entry_of(scene, scene->redis).stamp;
    expect(scene, "generations adopt customer_orders", 0,
           "customer_orders in cache: generation 1 runs this script (p.lua {h}) already: nothing to adopt\n", "");
    expect(scene, "generations adopt customer_orders --json", 0,
           "{\"adopted\":null,\"changed\":false,\"generation\":1,\"projection\":\"customer_orders\",\"script_hash\":"
           "\"{H}\",\"store\":\"cache\",\"view\":\"customer_orders\"}\n",
           "");
    assert_int_equal(entry_of(scene, scene->redis).stamp, stamp);
}

static void adopt_says_that_running_workers_take_it_over(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_members = 2;
    assert_int_equal(scene_run(scene, "generations adopt customer_orders"), 0);
    assert_string_equal(scene->err, "customer_orders in cache: 2 running workers take it over by themselves\n");
    assert_string_equal(scene->kafka_group, "shop.customer_orders.cache.g1");
}

static void adopt_does_the_other_store_when_one_cannot_be_asked(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_prepare(scene, scene->mongodb, OLD);
    vf_memory_server_set_down(scene->redis, true);
    assert_int_equal(scene_run(scene, "generations adopt customer_orders"), 69);
    assert_says(scene->out,
                "customer_orders in docs: generation 1 goes on with p.lua {h} instead of aaaaaaaaaaaa, from "
                "the beginning on\n");
    assert_non_null(strstr(scene->err, "viewfold: customer_orders in cache: "));
    vf_memory_server_set_down(scene->redis, false);
    assert_int_equal(scene_run(scene, "generations adopt customer_orders --store cache"), 0);
    assert_null(strstr(scene->out, "docs"));
    assert_string_equal(entry_of(scene, scene->redis).script_hash, next_hash());
}

static void adopt_another_script(struct scene *scene, const char *script, const char *why)
{
    char wanted[512];
    scene_write(scene, "p.lua", script);
    snprintf(wanted, sizeof wanted, "viewfold: customer_orders in cache: p.lua cannot be adopted: %s\n", why);
    expect_refusal(scene, "generations adopt customer_orders", 78, wanted);
    assert_string_equal(entry_of(scene, scene->redis).script_hash, OLD_HASH);
}

#define INSTEAD "; adopting takes no other documents than there are. Drop the generation, and it is built anew"

static void adopt_refuses_what_the_documents_were_not_made_for(void **state)
{
    struct scene *scene = furnish(state);
    vf_memory_server_wipe(scene->redis);
    scene_prepare(scene, scene->redis, "customer_orders document orders key:order=link:Created key:day");
    adopt_another_script(scene, "customer_orders document orders key:order=link:Created key:day version:2",
                         "the script says version 2, and the generation was built with version 1: another version is "
                         "for a rebuild (not built yet). To adopt, leave the version as it is; or drop the generation, "
                         "and it is built anew");
    adopt_another_script(
        scene, "customer_orders record orders key:order=link:Created key:day",
        "the script now says versions = \"record\", and said \"document\": where each aggregate's last "
        "version lies would change" INSTEAD);
    adopt_another_script(scene, "customer_orders document orders customers key:order=link:Created key:day",
                         "the script now reads the topic customers: its past would come behind all that is "
                         "folded" INSTEAD);
    adopt_another_script(scene, "customer_orders document customers key:order=link:Created key:day",
                         "the script now reads the topic customers: its past would come behind all that is "
                         "folded" INSTEAD);
    adopt_another_script(scene, "customer_orders document key:order=link:Created key:day",
                         "the script no longer reads the topic orders, of which the documents hold the past" INSTEAD);
    adopt_another_script(scene, "customer_orders document orders key:order=field key:day",
                         "the script's key now says a field for order, and said link: what the view remembers of each "
                         "order is for that" INSTEAD);
    adopt_another_script(scene, "customer_orders document orders key:order=link:Opened key:day",
                         "the script's key now links order by other events than it did: the links of those that are "
                         "under way are of the former ones" INSTEAD);
    adopt_another_script(scene, "customer_orders document orders key:order=link:Created key:day key:week",
                         "the script's key now has the kind week, whose earlier events went by" INSTEAD);
    adopt_another_script(scene, "customer_orders document orders key:order=link:Created",
                         "the script's key no longer has the kind day, of which the documents hold the past" INSTEAD);
}

static void adopt_refuses_another_projection(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k, group: shop}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections: [{script: p.lua, stores: [cache], names: {cache: customer_orders}}]\n");
    adopt_another_script(scene, "orders document orders key:customer key:order key:day",
                         "the script is now the projection orders, and the generation is one of customer_orders: that "
                         "is another view. Put the name back");
}

static void adopt_refuses_where_there_is_nothing_to_go_on_with(void **state)
{
    struct scene *scene = furnish(state);
    expect_refusal(scene, "generations adopt customer_orders 2", 66,
                   "viewfold: customer_orders in cache: there is no generation 2; `viewfold generations list` shows "
                   "those that are there\n");
    begin_drop(scene);
    expect_refusal(
        scene, "generations adopt customer_orders", 78,
        "viewfold: customer_orders in cache: generation 1 is being dropped, and that was not finished: finish "
        "it with `viewfold generations drop customer_orders`; `viewfold run` then builds the view from the "
        "log's beginning, with the script as it is then\n");
    assert_int_equal(scene_run(scene, "generations drop customer_orders"), 0);
    expect_refusal(scene, "generations adopt customer_orders", 66,
                   "viewfold: customer_orders in cache: generation 1 was dropped: there is nothing to go on with. "
                   "`viewfold run` builds the view from the log's beginning, with the script as it is then\n");
    vf_memory_server_wipe(scene->redis);
    expect_refusal(scene, "generations adopt customer_orders", 66,
                   "viewfold: customer_orders in cache: there is no generation yet: `viewfold run` makes it\n");
}

#define CHANGED_MEANWHILE                                                                                       \
    "viewfold: customer_orders in cache: somebody else changed the generation in this moment, and nothing was " \
    "done; look with `viewfold generations list`, then try again\n"

static void of_two_operators_at_once_the_slower_one_changes_nothing(void **state)
{
    struct scene *scene = furnish(state);
    scene->on_random = begin_drop;
    expect_refusal(scene, "generations adopt customer_orders", 75, CHANGED_MEANWHILE);
    scene->on_random = begin_drop;
    expect_refusal(scene, "generations drop customer_orders", 75, CHANGED_MEANWHILE);
    assert_true(has_document(scene, scene->redis, "c1"));
}

static void adopt_names_the_place_where_the_script_is_wrong(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "what is this!");
    assert_int_equal(scene_run(scene, "generations adopt customer_orders"), 78);
    assert_non_null(strstr(scene->err, "/viewfold.yaml:3:"));
    assert_non_null(strstr(scene->err, "p.lua:1: that is no projection\n"));
}

/* --- drop --------------------------------------------------------------------------------------------------------- */

static void drop_wants_yes_and_says_what_is_lost(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_prepare(scene, scene->mongodb, OLD);
    scene->kafka_members = 1;
    expect_refusal(
        scene, "generations drop customer_orders", 64,
        "viewfold: this removes customer_orders in cache, generation 1 (1 worker is running); customer_orders "
        "in docs, generation 1 (1 worker is running): all documents and all progress. Readers miss the view "
        "until `viewfold run` has built it again from the log's beginning. Nothing was done; if it is what you "
        "want, say --yes\n");
    assert_true(has_document(scene, scene->redis, "c1"));
    assert_string_equal(entry_of(scene, scene->redis).state, "active");
    assert_string_equal(entry_of(scene, scene->mongodb).state, "active");
}

static void drop_says_what_the_log_no_longer_holds(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_low[1] = 500;
    expect_refusal(
        scene, "generations drop customer_orders", 64,
        "viewfold: this removes customer_orders in cache, generation 1: all documents and all progress. Readers "
        "miss the view until `viewfold run` has built it again from the log's beginning; and that is gone, for "
        "good: orders/1 begins at 500 now. Nothing was done; if it is what you want, say --yes\n");
    scene->kafka_down = true; /* what Kafka knows is told besides */
    assert_int_equal(scene_run(scene, "generations drop customer_orders"), 64);
    assert_int_equal(scene_run(scene, "generations drop customer_orders --yes"), 0);
}

static void drop_removes_all_but_the_entry(void **state)
{
    struct scene *scene = furnish(state);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%d", i);
        scene_put(scene, scene->redis, id, VF_PRESENT, "{\"a\":1}", 1, (struct scene_version[]){{NULL, 0}});
    }
    expect(scene, "generations drop customer_orders --yes", 0,
           "customer_orders in cache: generation 1 is dropped; 21 documents and records removed\n",
           "customer_orders in cache: the next `viewfold run` builds it from the log's beginning\n");
    assert_false(has_document(scene, scene->redis, "c1"));
    assert_int_equal(progress_rows(scene, scene->redis), 0);
    expect(scene, "generations list", 0,
           "view             store  gen  state     served  version  since                     script\n"
           "customer_orders  cache    1  dropped       no        1  2026-03-01T10:00:00.000Z  p.lua aaaaaaaaaaaa\n",
           "");
    assert_int_equal(scene_run(scene, "generations list --json"), 0);
    assert_non_null(strstr(scene->out, "\"dropped\":\"2026-03-01T10:00:00.000Z\""));
    assert_non_null(strstr(scene->out, "\"stored\":null"));
    expect(scene, "generations drop customer_orders 1", 0,
           "customer_orders in cache: generation 1 was dropped already, 2026-03-01T10:00:00.000Z\n", "");
    expect(scene, "generations drop customer_orders --json", 0,
           "{\"changed\":false,\"generation\":1,\"removed\":0,\"store\":\"cache\",\"view\":\"customer_orders\"}\n", "");
}

static void drop_says_what_running_workers_wait_for(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_members = 1;
    assert_int_equal(scene_run(scene, "generations drop customer_orders --yes"), 0);
    assert_string_equal(scene->err,
                        "customer_orders in cache: 1 running worker waits: a `viewfold run` that is started "
                        "now (one restart is enough) builds the view from the log's beginning, with its "
                        "script; then they go on, too\n");
}

static void a_drop_that_broke_is_finished_by_the_next(void **state)
{
    struct scene *scene = furnish(state);
    /* open, generations, drop_begin, and then the first removal */
    vf_memory_server_fail_call(scene->redis, 4);
    assert_int_equal(scene_run(scene, "generations drop customer_orders --yes"), 69);
    assert_non_null(strstr(scene->err, "viewfold: customer_orders in cache: dropping generation 1 was begun and not "
                                       "finished (the same command goes on with it): "));
    assert_int_equal(scene_run(scene, "generations list"), 0);
    assert_non_null(strstr(scene->out, "  1  dropping      no  "));
    expect(scene, "generations drop customer_orders", 0, /* readers have lost it already: nothing to confirm */
           "customer_orders in cache: generation 1 is dropped; 1 documents and records removed\n",
           "customer_orders in cache: the next `viewfold run` builds it from the log's beginning\n");
    assert_int_equal(progress_rows(scene, scene->redis), 0);
}

static void a_drop_that_was_taken_over_says_so(void **state)
{
    struct scene *scene = furnish(state);
    scene->on_wall = begin_drop;
    expect_refusal(
        scene, "generations drop customer_orders --yes", 75,
        "viewfold: customer_orders in cache: another `viewfold generations drop` has taken over, and removes "
        "the rest\n");
    assert_true(has_document(scene, scene->redis, "c1"));
}

/* Its projection has left the configuration; its view has not left the store. */
static void what_is_left_of_a_projection_can_be_listed_and_dropped(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "others document orders key:order");
    assert_int_equal(scene_run(scene, "generations list customer_orders"), 0);
    assert_non_null(strstr(scene->out, "customer_orders  cache    1  active "));
    char wanted[256];
    snprintf(
        wanted, sizeof wanted,
        "viewfold: customer_orders in cache: %s/viewfold.yaml has no projection of that name, so there is no script "
        "to adopt\n",
        scene->folder);
    expect_refusal(scene, "generations adopt customer_orders", 66, wanted);
    expect(scene, "generations drop customer_orders --yes", 0,
           "customer_orders in cache: generation 1 is dropped; 1 documents and records removed\n", "");
    assert_false(has_document(scene, scene->redis, "c1"));
}

/* --- a script that cannot be read --------------------------------------------------------------------------------- */

#define BROKEN_BESIDE                               \
    "kafka: {brokers: k, group: shop}\n"            \
    "stores: {cache: {redis: \"redis://r:1/0\"}}\n" \
    "projections: [{script: q.lua}, {script: p.lua}]\n"

static void a_script_that_cannot_be_read_keeps_nobody_from_another_view(void **state)
{
    struct scene *scene = furnish(state);
    char wanted[512];
    scene_write(scene, "q.lua", "!");
    scene_write(scene, "viewfold.yaml", BROKEN_BESIDE);
    assert_int_equal(scene_run(scene, "generations list customer_orders"), 0);
    assert_string_equal(scene->err, "");
    snprintf(wanted, sizeof wanted,
             "viewfold: %s/viewfold.yaml:3:24: %s/q.lua:1: that is no projection; its views are not listed, unless "
             "`names` names them\n",
             scene->folder, scene->folder);
    assert_int_equal(scene_run(scene, "generations list"), 78);
    assert_string_equal(scene->err, wanted);
    assert_non_null(strstr(scene->out, "customer_orders  cache    1  active "));
    snprintf(wanted, sizeof wanted,
             "viewfold: %s/viewfold.yaml has no projection daily; it has customer_orders; but not every script can be "
             "read: %s/viewfold.yaml:3:24: %s/q.lua:1: that is no projection\n",
             scene->folder, scene->folder, scene->folder);
    expect_refusal(scene, "generations list daily", 78, wanted);
    assert_int_equal(scene_run(scene, "generations adopt customer_orders"), 0);
    assert_int_equal(scene_run(scene, "generations drop customer_orders --yes"), 0);
    assert_false(has_document(scene, scene->redis, "c1"));
}

/* Listing and dropping need no script; what it would have told is said to be unknown. */
static void a_view_is_listed_and_dropped_without_its_script(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "!");
    assert_int_equal(scene_run(scene, "generations list customer_orders"), 0);
    assert_non_null(strstr(scene->out, "customer_orders  cache    1  active "));
    expect_refusal(scene, "generations drop customer_orders", 64,
                   "viewfold: this removes customer_orders in cache, generation 1: all documents and all progress. "
                   "Readers miss the view until `viewfold run` has built it again from the log's beginning (whether "
                   "the log still has one is not known, as its script cannot be read here). Nothing was done; if it is "
                   "what you want, say --yes\n");
    assert_int_equal(scene_run(scene, "generations drop customer_orders --yes"), 0);
    assert_false(has_document(scene, scene->redis, "c1"));
}

static void a_view_that_the_configuration_names_is_listed_without_its_script(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "!");
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections: [{script: p.lua, names: {cache: customer_orders}}]\n");
    assert_int_equal(scene_run(scene, "generations list"), 78);
    assert_non_null(strstr(scene->out, "customer_orders  cache    1  active "));
    assert_non_null(strstr(scene->err, "p.lua:1: that is no projection"));
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static void what_is_wrong_with_the_command_line_is_said(void **state)
{
    struct scene *scene = furnish(state);
    expect_refusal(scene, "generations", 64,
                   "viewfold generations wants list|adopt|drop [PROJECTION [G]]; `viewfold generations --help` says "
                   "more\n");
    expect_refusal(scene, "generations adpot customer_orders", 64,
                   "viewfold generations has no adpot; did you mean adopt? It has list, adopt or drop\n");
    expect_refusal(scene, "generations remove customer_orders", 64,
                   "viewfold generations has no remove; it has list, adopt or drop\n");
    expect_refusal(scene, "generations activate customer_orders 2", 64,
                   "viewfold generations activate: not built yet\n");
    expect_refusal(scene, "generations adopt", 64,
                   "viewfold generations adopt wants PROJECTION [G]; `viewfold generations list` shows them\n");
    expect_refusal(scene, "generations drop", 64,
                   "viewfold generations drop wants PROJECTION [G]; `viewfold generations list` shows them\n");
    expect_refusal(scene, "generations list customer_orders 1", 64,
                   "viewfold generations list takes [PROJECTION]; 1 is too much\n");
    expect_refusal(scene, "generations adopt customer_orders --yes", 64,
                   "viewfold: --yes is for `viewfold generations drop`: adopt asks nothing\n");
    static const char *const wrong[] = {"0", "x", "1x", "-- -1", "99999999999", "+1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char words[64];
        snprintf(words, sizeof words, "generations drop customer_orders %s", wrong[i]);
        assert_int_equal(scene_run(scene, words), 64);
        assert_non_null(strstr(scene->err, " is no generation's number: 1, 2, ...\n"));
    }
}

static void an_unknown_projection_is_said_with_what_there_is(void **state)
{
    struct scene *scene = furnish(state);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "viewfold: %s/viewfold.yaml has no projection customer_order; did you mean customer_orders?\n",
             scene->folder);
    expect_refusal(scene, "generations adopt customer_order", 66, wanted);
    snprintf(wanted, sizeof wanted, "viewfold: %s/viewfold.yaml has no projection loans; it has customer_orders\n",
             scene->folder);
    expect_refusal(scene, "generations drop loans --yes", 66, wanted);
    expect_refusal(scene, "generations list loans", 66, wanted);
    snprintf(wanted, sizeof wanted, "viewfold: %s/viewfold.yaml has no projection Lo@ns:1; it has customer_orders\n",
             scene->folder);
    expect_refusal(scene, "generations drop Lo@ns:1 --yes", 66, wanted);
    snprintf(wanted, sizeof wanted, "viewfold: %s/viewfold.yaml has no store docs\n", scene->folder);
    expect_refusal(scene, "generations list --store docs", 66, wanted);
}

/* --- what `run` says ---------------------------------------------------------------------------------------------- */

static void check(const struct vf_generation *registered, const struct vf_generation *proposed, const char *wanted)
{
    struct vf_error error;
    enum vf_code code = vf_generation_check("customer_orders", registered, proposed, &error);
    assert_int_equal(code, wanted ? VF_E_CONFIG : VF_OK);
    if (wanted) {
        assert_string_equal(error.text, wanted);
    }
}

static void run_refuses_another_script_and_names_the_three_ways(void **state)
{
    (void)state;
    struct vf_generation registered = {
        .number = 1, .state = "active", .projection_version = 1, .script = "p.lua", .format = VF_FORMAT};
    struct vf_generation proposed = registered;
    memset(registered.script_hash, 'a', 64);
    memset(proposed.script_hash, 'a', 64);
    check(&registered, &proposed, NULL);
    memset(proposed.script_hash, 'b', 64);
    check(
        &registered, &proposed,
        "customer_orders: p.lua differs from the script that generation 1 runs (aaaaaaaaaaaa, here bbbbbbbbbbbb), and "
        "both say version 1. Workers run what the store holds, so nothing was started. Put the old script back, or "
        "decide:\n"
        "  adopt    generation 1 goes on with this script from where it is; what is folded already stays as it is (for "
        "a mended handler): viewfold generations adopt customer_orders\n"
        "  rebuild  raise the script's version, and the view is built anew while this one is served: not built yet\n"
        "  drop     the view is removed, and the next `run` builds it from the log's beginning; until then readers "
        "miss it: viewfold generations drop customer_orders");
    proposed.projection_version = 2;
    check(
        &registered, &proposed,
        "customer_orders: p.lua says version 2, and generation 1 was built with version 1: a rebuild is wanted, and "
        "that is not built yet. Put the old script back, or decide:\n"
        "  drop     the view is removed, and the next `run` builds it from the log's beginning; until then readers "
        "miss it: viewfold generations drop customer_orders\n"
        "  adopt    where the result does not change after all: put the version back to 1, and this generation goes on "
        "with the script: viewfold generations adopt customer_orders");
    registered.state = "dropping";
    check(&registered, &proposed,
          "customer_orders: generation 1 is being dropped, and that was not finished: finish it with `viewfold "
          "generations drop customer_orders`, then start again, and the view is built from the log's beginning");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(list_shows_each_generation_with_its_script),
        SCENE_TEST(list_says_where_there_is_none_yet),
        SCENE_TEST(list_shows_the_other_store_when_one_cannot_be_asked),
        SCENE_TEST(of_many_positions_a_few_are_shown),
        SCENE_TEST(adopt_goes_on_with_the_script_on_disk),
        SCENE_TEST(adopt_again_changes_nothing),
        SCENE_TEST(adopt_says_that_running_workers_take_it_over),
        SCENE_TEST(adopt_does_the_other_store_when_one_cannot_be_asked),
        SCENE_TEST(adopt_refuses_what_the_documents_were_not_made_for),
        SCENE_TEST(adopt_refuses_another_projection),
        SCENE_TEST(adopt_refuses_where_there_is_nothing_to_go_on_with),
        SCENE_TEST(of_two_operators_at_once_the_slower_one_changes_nothing),
        SCENE_TEST(adopt_names_the_place_where_the_script_is_wrong),
        SCENE_TEST(drop_wants_yes_and_says_what_is_lost),
        SCENE_TEST(drop_says_what_the_log_no_longer_holds),
        SCENE_TEST(drop_removes_all_but_the_entry),
        SCENE_TEST(drop_says_what_running_workers_wait_for),
        SCENE_TEST(a_drop_that_broke_is_finished_by_the_next),
        SCENE_TEST(a_drop_that_was_taken_over_says_so),
        SCENE_TEST(what_is_left_of_a_projection_can_be_listed_and_dropped),
        SCENE_TEST(what_is_wrong_with_the_command_line_is_said),
        SCENE_TEST(a_script_that_cannot_be_read_keeps_nobody_from_another_view),
        SCENE_TEST(a_view_is_listed_and_dropped_without_its_script),
        SCENE_TEST(a_view_that_the_configuration_names_is_listed_without_its_script),
        SCENE_TEST(an_unknown_projection_is_said_with_what_there_is),
        SCENE_TEST(run_refuses_another_script_and_names_the_three_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
