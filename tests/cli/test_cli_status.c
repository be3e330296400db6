/* `viewfold status`: its shape, its states, and what --check minds. */
#include "cli/cli_scene.h"

#include <stdlib.h>

#define ONE_STORE                                   \
    "kafka: {brokers: k, group: shop}\n"            \
    "stores: {cache: {redis: \"redis://r:1/0\"}}\n" \
    "projections: [{script: p.lua}]\n"

#define STOPPED \
    "{\"aggregate\":\"order/42\",\"at\":\"orders/1@5\",\"degraded\":false,\"error\":\"p.lua:3: boom\\ntraceback\"}"
#define DEGRADED "{\"at\":\"orders/1@5\",\"degraded\":true,\"error\":\"the log is gone\"}"

/* One store; partition 0 read to its end at 10, partition 1 at 3 of 5. */
static struct scene *furnish(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene_prepare(scene, scene->redis, SCENE_SCRIPT);
    scene_put_progress(scene, scene->redis, 0, 10);
    scene_put_progress(scene, scene->redis, 1, 3);
    scene->kafka_end[0] = 10;
    scene->kafka_end[1] = 5;
    return scene;
}

static void expect_state(struct scene *scene, const char *wanted)
{
    char text[64];
    snprintf(text, sizeof text, "\"state\":\"%s\"", wanted);
    scene_run(scene, "status --json");
    if (!strstr(scene->out, text)) {
        fail_msg("%s is not in %s", text, scene->out);
    }
}

static void json_has_the_shape_of_CONFIG_md(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_string_equal(
        scene->out,
        "{\"projections\":[{\"adopted\":null,\"aside\":0,\"draining\":0,\"dropped\":null,\"gap\":0,\"generation\":1,\"held\":0,\"held_up\":null,\"idle\":0,\"members\":1,\"parked\":0,\"partitions\":["
        "{\"end\":10,\"error\":null,\"lag\":0,\"partition\":0,\"progress\":10,\"topic\":\"orders\"},"
        "{\"end\":5,\"error\":null,\"lag\":2,\"partition\":1,\"progress\":3,\"topic\":\"orders\"}],"
        "\"projection\":\"customer_orders\",\"rebuilding\":null,\"script_error\":null,\"script_hash\":"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"state\":\"running\",\"store\":\"cache\",\"view\":\"customer_orders\"}]}\n");
    assert_string_equal(scene->kafka_group, "shop.customer_orders.cache.g1");
}

static void what_is_held_is_counted(void **state)
{
    struct scene *scene = *state;
    scene_prepare(scene, scene->redis, "customer_orders document orders key:order=link:Created");
    scene_hold(scene, scene->redis, "order/63-0", 2, 9);
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, "\"held\":1,"));
    assert_non_null(strstr(scene->out, "\"aside\":1,"));
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(
        strstr(scene->out, "\n  1 aggregate is held, until its link is known\n  1 event is set aside in all\n"));
}

static void a_stopped_partition_shows_why(void **state)
{
    struct scene *scene = furnish(state);
    scene_stop(scene, scene->redis, 1, STOPPED);
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, "{\"end\":5,\"error\":" STOPPED ",\"lag\":2,\"partition\":1,"));
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_string_equal(scene->out, "view             store  gen  state       members  partitions         lag\n"
                                    "customer_orders  cache    1  stopped           1           2           2\n"
                                    "  orders/1  at 3 of 5, 2 behind\n"
                                    "    stopped at orders/1@5, order/42: p.lua:3: boom\n");
    assert_int_equal(scene_run(scene, "status --check --max-lag 100"), 1);
    assert_string_equal(scene->err,
                        "customer_orders in cache: orders/1 stopped at orders/1@5, order/42: p.lua:3: boom\n");
}

/* Kafka's range assignor gives a topic's partitions to as many members as there are partitions. */
static void members_beyond_the_partitions_are_idle(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_members = SCENE_PARTITIONS;
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_null(strstr(scene->out, "idle"));
    scene->kafka_members = SCENE_PARTITIONS + 2;
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, "\"idle\":2,\"members\":4,"));
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "running           4           2           2\n"
                                       "  2 idle: more members than partitions\n"
                                       "  orders/1  at 3 of 5"));
    scene->kafka_down = true;
    scene_run(scene, "status --json");
    assert_non_null(strstr(scene->out, "\"idle\":null,\"members\":null,"));
}

/* Progress that nobody could ask for is not the same as none. */
static void a_store_that_cannot_be_asked_leaves_progress_unknown(void **state)
{
    struct scene *scene = furnish(state);
    vf_memory_server_set_down(scene->redis, true);
    assert_int_equal(scene_run(scene, "status"), 69);
    assert_non_null(strstr(scene->out, "  orders/0  progress unknown of 10\n"));
    assert_null(strstr(scene->out, "not begun"));
    vf_memory_server_set_down(scene->redis, false);
    vf_memory_server_wipe(scene->redis);
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "  orders/0  not begun of 10, 10 behind\n"));
}

static void each_state_is_told_apart(void **state)
{
    struct scene *scene = furnish(state);
    const struct vf_view view = {"customer_orders", 1};
    expect_state(scene, "running");
    vf_memory_server_set_frozen(scene->redis, view, true);
    expect_state(scene, "frozen");
    vf_memory_server_set_frozen(scene->redis, view, false);
    scene_stop(scene, scene->redis, 1, STOPPED);
    expect_state(scene, "stopped");
    scene_stop(scene, scene->redis, 1, DEGRADED);
    expect_state(scene, "degraded");
    scene_stop(scene, scene->redis, 1, NULL);
    scene->kafka_members = 0;
    expect_state(scene, "stopped");
    scene->kafka_members = 2;
    vf_memory_server_wipe(scene->redis);
    expect_state(scene, "starting");
    assert_non_null(strstr(
        scene->out, "{\"adopted\":null,\"aside\":0,\"draining\":0,\"dropped\":null,\"gap\":0,\"generation\":null,"));
    assert_non_null(strstr(scene->out, "\"lag\":10,\"partition\":0,\"progress\":null,"));
    vf_memory_server_set_down(scene->redis, true);
    expect_state(scene, "waiting");
}

/* What a partition had counts only until it has come as far again. */
static void what_is_being_rebuilt_says_how_far_it_is(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_end[0] = 6000;
    scene_put_lost(scene, scene->redis, 0, 1200, 6000);
    scene_put_lost(scene, scene->redis, 1, 3, 5);
    expect_state(scene, "rebuilding");
    assert_non_null(strstr(scene->out, "\"rebuilding\":{\"at\":1203,\"of\":6005},"));
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "  rebuilding  "));
    assert_non_null(
        strstr(scene->out, "  is being rebuilt from the log (at 1203 of 6005), as its store had lost it\n"));
    assert_non_null(strstr(scene->out, "  orders/0  at 1200 of 6000, 4800 behind, rebuilding up to 6000\n"));
    assert_int_equal(scene_run(scene, "status --check"), 1);
    assert_string_equal(scene->err,
                        "customer_orders in cache: orders/0 lags 4800 behind, 0 allowed: it is being rebuilt\n"
                        "customer_orders in cache: orders/1 lags 2 behind, 0 allowed: it is being rebuilt\n");
    assert_int_equal(scene_run(scene, "status --check --max-lag 5000"), 0);
    scene_put_progress(scene, scene->redis, 0, 6000);
    expect_state(scene, "rebuilding");
    assert_non_null(strstr(scene->out, "\"rebuilding\":{\"at\":3,\"of\":5},"));
    scene_stop(scene, scene->redis, 0, STOPPED);
    expect_state(scene, "stopped");
    scene_stop(scene, scene->redis, 0, DEGRADED);
    expect_state(scene, "degraded");
    scene_stop(scene, scene->redis, 0, NULL);
    scene->kafka_members = 0;
    expect_state(scene, "stopped");
    scene->kafka_members = 1;
    scene_put_progress(scene, scene->redis, 1, 5);
    expect_state(scene, "running");
    assert_non_null(strstr(scene->out, "\"rebuilding\":null,"));
}

static void check_minds_lag_and_what_does_not_run(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "status --check"), 1);
    assert_string_equal(scene->err, "customer_orders in cache: orders/1 lags 2 behind, 0 allowed\n");
    assert_int_equal(scene_run(scene, "status --check --max-lag 1"), 1);
    assert_int_equal(scene_run(scene, "status --check --max-lag 2"), 0);
    scene_put_progress(scene, scene->redis, 1, 5);
    assert_int_equal(scene_run(scene, "status --check"), 0);
    assert_string_equal(scene->err, "");
    scene->kafka_members = 0;
    assert_int_equal(scene_run(scene, "status --check"), 1);
    assert_string_equal(scene->err, "customer_orders in cache: no worker runs\n");
}

/* A dead worker's transaction may be another view's: it matters where there is something to do. */
static void check_minds_what_holds_commits_up_where_the_view_lags(void **state)
{
    struct scene *scene = furnish(state);
    scene->held_up = "a transaction is open";
    assert_int_equal(scene_run(scene, "status --check --max-lag 2"), 1);
    assert_string_equal(scene->err, "customer_orders in cache: a transaction is open\n");
    scene_put_progress(scene, scene->redis, 1, 5);
    assert_int_equal(scene_run(scene, "status --check"), 0);
    assert_string_equal(scene->err, "");
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "\n  a transaction is open\n"));
}

/* A log whose beginning is gone: what is behind counts from where it begins now. */
static void without_progress_the_lag_is_the_whole_log(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene->kafka_low[0] = 4;
    scene->kafka_end[0] = 10;
    scene_run(scene, "status --json");
    assert_non_null(strstr(scene->out, "\"end\":10,\"error\":null,\"lag\":6,\"partition\":0,\"progress\":null"));
}

static void a_server_that_cannot_be_asked_is_69_and_the_rest_is_shown(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_down = true;
    assert_int_equal(scene_run(scene, "status --json"), 69);
    assert_non_null(strstr(scene->out, "\"state\":\"waiting\""));
    assert_non_null(strstr(scene->out, "{\"end\":null,\"error\":null,\"lag\":null,\"partition\":1,\"progress\":3,"));
    assert_string_equal(scene->err, "viewfold: kafka k: no broker answers\n");
    scene->kafka_down = false;
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    vf_memory_server_set_down(scene->mongodb, true);
    assert_int_equal(scene_run(scene, "status --check --max-lag 5"), 69);
    assert_non_null(strstr(scene->out, "customer_orders  cache    1  running "));
    assert_non_null(strstr(scene->out, "customer_orders  docs     -  waiting "));
}

/* Seen on a new Kafka 3.9.1: the first question about a group was refused with "Not coordinator", and status said waiting. */
static void a_coordinator_that_is_just_being_appointed_is_asked_again(void **state)
{
    struct scene *scene = furnish(state);
    scene->kafka_no_coordinator = 3;
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, "\"state\":\"running\""));
    scene->kafka_no_coordinator = 1000;
    assert_int_equal(scene_run(scene, "status --json"), 69);
    assert_true(scene->sleeps < 50);
    assert_non_null(strstr(scene->out, "\"lag\":2,")); /* what Kafka did tell is shown */
}

static void a_topic_that_is_not_there_is_66(void **state)
{
    struct scene *scene = furnish(state);
    scene_write(scene, "p.lua", "customer_orders document orders nosuch");
    assert_int_equal(scene_run(scene, "status"), 66);
    assert_string_equal(scene->err, "viewfold: kafka k: there is no topic nosuch\n");
}

static void two_that_would_be_one_view_are_refused(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "q.lua", "other document orders");
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections: [{script: p.lua}, {script: q.lua, names: {cache: customer_orders}}]\n");
    assert_int_equal(scene_run(scene, "status"), 78);
    assert_non_null(strstr(scene->err,
                           "the projections customer_orders and other would both be the view customer_orders in "
                           "the store cache: give one another name under names\n"));
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections: [{script: p.lua}, {script: p.lua, names: {cache: again}}]\n");
    assert_int_equal(scene_run(scene, "status"), 78);
    assert_non_null(strstr(scene->err, "the projection customer_orders stands twice for the store cache\n"));
}

/* Workers run what the store holds: a file on disk hides no view but its own. */
static void a_script_that_cannot_be_read_is_said_and_the_other_views_are_shown(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_progress(scene, scene->redis, 1, 5);
    scene_write(scene, "q.lua", "!");
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections:\n  - script: nosuch.lua\n  - script: q.lua\n  - script: p.lua\n");
    char wanted[1024];
    snprintf(wanted, sizeof wanted,
             "view             store  gen  state       members  partitions         lag\n"
             "customer_orders  cache    1  running           1           2           0\n"
             "nosuch.lua       cache    -  unknown           ?           0           ?\n"
             "  its script cannot be read: %s/viewfold.yaml:4:13: %s/nosuch.lua: No such file or directory\n"
             "q.lua            cache    -  unknown           ?           0           ?\n"
             "  its script cannot be read: %s/viewfold.yaml:5:13: %s/q.lua:1: that is no projection\n",
             scene->folder, scene->folder, scene->folder, scene->folder);
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_string_equal(scene->out, wanted);
    assert_string_equal(scene->err, "");
    assert_int_equal(scene_run(scene, "status --json"), 0);
    snprintf(
        wanted, sizeof wanted,
        "{\"adopted\":null,\"aside\":0,\"draining\":0,\"dropped\":null,\"gap\":0,\"generation\":null,\"held\":0,\"held_up\":null,\"idle\":null,\"members\":null,\"parked\":0,"
        "\"partitions\":[],\"projection\":null,\"rebuilding\":null,\"script_error\":\"%s/viewfold.yaml:5:13: %s/q.lua:1: that is no "
        "projection\",\"script_hash\":null,\"state\":\"unknown\",\"store\":\"cache\",\"view\":null}]}\n",
        scene->folder, scene->folder);
    assert_non_null(strstr(scene->out, wanted));
    assert_non_null(strstr(scene->out, "\"state\":\"running\",\"store\":\"cache\",\"view\":\"customer_orders\"}"));
    assert_int_equal(scene_run(scene, "status --check"), 1);
    snprintf(wanted, sizeof wanted,
             "nosuch.lua in cache: its script cannot be read: %s/viewfold.yaml:4:13: %s/nosuch.lua: No such file or "
             "directory\nq.lua in cache: its script cannot be read: %s/viewfold.yaml:5:13: %s/q.lua:1: that is no "
             "projection\n",
             scene->folder, scene->folder, scene->folder, scene->folder);
    assert_string_equal(scene->err, wanted);
}

/* Where the configuration names the view, its store can be asked without the script. */
static void a_view_that_the_configuration_names_is_shown_without_its_script(void **state)
{
    struct scene *scene = furnish(state);
    scene_stop(scene, scene->redis, 1, STOPPED);
    scene_write(scene, "p.lua", "!");
    scene_write(scene, "viewfold.yaml",
                "kafka: {brokers: k}\nstores: {cache: {redis: \"redis://r:1/0\"}}\n"
                "projections: [{script: p.lua, names: {cache: customer_orders}}]\n");
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, "\"generation\":1,"));
    assert_non_null(
        strstr(scene->out, "{\"end\":null,\"error\":" STOPPED ",\"lag\":null,\"partition\":1,\"progress\":3,"));
    assert_non_null(strstr(scene->out, "\"state\":\"stopped\",\"store\":\"cache\",\"view\":\"customer_orders\"}"));
    assert_int_equal(scene_run(scene, "status --check"), 1);
    assert_non_null(strstr(scene->err, "customer_orders in cache: its script cannot be read: "));
    assert_non_null(
        strstr(scene->err, "customer_orders in cache: orders/1 stopped at orders/1@5, order/42: p.lua:3: boom\n"));
}

static void an_adoption_is_shown(void **state)
{
    struct scene *scene = furnish(state);
    scene_put_progress(scene, scene->redis, 1, 5);
    scene_write(scene, "p.lua", SCENE_SCRIPT " code:mended");
    assert_int_equal(scene_run(scene, "generations adopt customer_orders"), 0);
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "  adopted 2026-03-01T10:00:00.000Z: script "));
    assert_non_null(strstr(scene->out, " instead of aaaaaaaaaaaa, from orders/0@10, orders/1@5 on\n"));
    assert_int_equal(scene_run(scene, "status --json"), 0);
    assert_non_null(strstr(scene->out, "{\"projections\":[{\"adopted\":{\"at\":\"2026-03-01T10:00:00.000Z\",\"from\":"
                                       "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
                                       "\"positions\":{\"orders/0\":10,\"orders/1\":5},\"to\":\""));
    assert_int_equal(scene_run(scene, "status --check"), 0);
}

static void a_view_that_was_dropped_is_shown(void **state)
{
    struct scene *scene = furnish(state);
    vf_memory_server_fail_call(scene->redis, 4); /* the first removal */
    assert_int_equal(scene_run(scene, "generations drop customer_orders --yes"), 69);
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "customer_orders  cache    -  waiting "));
    assert_non_null(
        strstr(scene->out, "  is being dropped; if that was interrupted: viewfold generations drop customer_orders\n"));
    assert_int_equal(scene_run(scene, "generations drop customer_orders"), 0);
    expect_state(scene, "waiting");
    assert_non_null(strstr(
        scene->out,
        "{\"adopted\":null,\"aside\":0,\"draining\":0,\"dropped\":\"2026-03-01T10:00:00.000Z\",\"gap\":0,\"generation\":null,"));
    assert_non_null(strstr(scene->out, "\"script_hash\":null,"));
    assert_int_equal(scene_run(scene, "status"), 0);
    assert_non_null(strstr(scene->out, "  dropped 2026-03-01T10:00:00.000Z: the next `viewfold run` builds it from the "
                                       "log's beginning\n"));
    scene->kafka_members = 0;
    expect_state(scene, "stopped");
    assert_int_equal(scene_run(scene, "status --check --max-lag 100"), 1);
    assert_string_equal(scene->err, "customer_orders in cache: was dropped, and is not built again yet\n");
}

static void watch_and_check_exclude_each_other(void **state)
{
    struct scene *scene = furnish(state);
    assert_int_equal(scene_run(scene, "status --watch --check"), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(json_has_the_shape_of_CONFIG_md),
        SCENE_TEST(what_is_held_is_counted),
        SCENE_TEST(a_stopped_partition_shows_why),
        SCENE_TEST(members_beyond_the_partitions_are_idle),
        SCENE_TEST(a_store_that_cannot_be_asked_leaves_progress_unknown),
        SCENE_TEST(each_state_is_told_apart),
        SCENE_TEST(what_is_being_rebuilt_says_how_far_it_is),
        SCENE_TEST(check_minds_lag_and_what_does_not_run),
        SCENE_TEST(check_minds_what_holds_commits_up_where_the_view_lags),
        SCENE_TEST(without_progress_the_lag_is_the_whole_log),
        SCENE_TEST(a_server_that_cannot_be_asked_is_69_and_the_rest_is_shown),
        SCENE_TEST(a_coordinator_that_is_just_being_appointed_is_asked_again),
        SCENE_TEST(a_topic_that_is_not_there_is_66),
        SCENE_TEST(two_that_would_be_one_view_are_refused),
        SCENE_TEST(a_script_that_cannot_be_read_is_said_and_the_other_views_are_shown),
        SCENE_TEST(a_view_that_the_configuration_names_is_shown_without_its_script),
        SCENE_TEST(an_adoption_is_shown),
        SCENE_TEST(a_view_that_was_dropped_is_shown),
        SCENE_TEST(watch_and_check_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
