/* What only MongoDB has: its faults, its transactions, its view. Everything else is the store contract's. */
#include "connectors/mongodb/mongodb_store.h"
#include "contract/scene.h"
#include "mongodb/proxy.h"
#include "mongodb/server.h"

#include <stdio.h>
#include <stdlib.h>

static struct server server;
static struct proxy *proxy;

static struct vf_store *open_by(const char *url, int64_t command_timeout_ms, struct vf_error *error)
{
    struct vf_store_config config = {.name = "documents",
                                     .url = url,
                                     .prefix = "",
                                     .connect_timeout_ms = 5000,
                                     .command_timeout_ms = command_timeout_ms};
    struct vf_store *store = NULL;
    return vf_mongodb_store_type.open(&config, &store, error) == VF_OK ? store : NULL;
}

static struct vf_store *open_store(void *self, struct vf_error *error)
{
    (void)self;
    return open_by(server.url, 20000, error);
}

static struct vf_store *open_through_proxy(void)
{
    struct vf_error error = {0};
    char url[256];
    snprintf(url, sizeof(url), "mongodb://127.0.0.1:%u/%s?directConnection=true&appName=%s",
             (unsigned)proxy_port(proxy), server.database, server.database);
    struct vf_store *store = open_by(url, 20000, &error);
    if (!store)
        fail_msg("%s", error.text);
    return store;
}

/* ---- the server, seen and told by the test's own client ---- */

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...)
{
    static char buffer[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof(buffer), format, arguments);
    va_end(arguments);
    return buffer;
}

/* Lets commands of this test's stores fail: `mode` is {"times": n} or "alwaysOn", `data` what failCommand takes. */
static void fault(const char *mode, const char *data)
{
    bson_destroy(
        server_run(&server, "admin",
                   text("{\"configureFailPoint\": \"failCommand\", \"mode\": %s, \"data\": {\"appName\": \"%s\", %s}}",
                        mode, server.database, data)));
}

static void fault_off(void)
{
    bson_destroy(server_run(&server, "admin", "{\"configureFailPoint\": \"failCommand\", \"mode\": \"off\"}"));
}

static int64_t number_at(const bson_t *bson, const char *path)
{
    bson_iter_t iter, found;
    assert_true(bson_iter_init(&iter, bson) && bson_iter_find_descendant(&iter, path, &found));
    return bson_iter_as_int64(&found);
}

/* This test's stores' transactions on the server, at work or not: each row has its session as `lsid`. */
static bson_t *list_transactions(void)
{
    return server_run(&server, "admin",
                      text("{\"aggregate\": 1, \"cursor\": {}, \"pipeline\": [{\"$currentOp\": {\"idleSessions\": "
                           "true}}, {\"$match\": {\"transaction\": {\"$exists\": true}, \"appName\": \"%s\"}}]}",
                           server.database));
}

static int64_t open_transactions(void)
{
    bson_iter_t iter, rows;
    int64_t count = 0;
    bson_t *listed = list_transactions();
    assert_true(bson_iter_init(&iter, listed) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &rows));
    for (assert_true(bson_iter_recurse(&rows, &iter)); bson_iter_next(&iter);)
        count++;
    bson_destroy(listed);
    return count;
}

/* Ends them, as the server would at its time limit. Other tests' sessions are left alone. */
static void end_transactions(void)
{
    bson_iter_t iter, rows, lsid;
    bson_t *listed = list_transactions();
    assert_true(bson_iter_init(&iter, listed) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &rows));
    for (assert_true(bson_iter_recurse(&rows, &iter)); bson_iter_next(&iter);) {
        assert_true(bson_iter_recurse(&iter, &lsid) && bson_iter_find(&lsid, "lsid"));
        bson_t session, *command;
        const uint8_t *data;
        uint32_t size;
        bson_iter_document(&lsid, &size, &data);
        assert_true(bson_init_static(&session, data, size));
        command = BCON_NEW("killAllSessionsByPattern", "[", "{", "lsid", BCON_DOCUMENT(&session), "}", "]");
        char *json = bson_as_canonical_extended_json(command, NULL);
        bson_destroy(server_run(&server, "admin", json));
        bson_free(json);
        bson_destroy(command);
    }
    bson_destroy(listed);
}

static int64_t count_of(const char *collection, const char *query)
{
    char command[1024];
    snprintf(command, sizeof(command), "{\"count\": \"%s\", \"query\": %s}", collection, query);
    bson_t *reply = server_run(&server, server.database, command);
    int64_t count = number_at(reply, "n");
    bson_destroy(reply);
    return count;
}

/* ---- one commit with something of everything, and what it left ---- */

/* A document and an aggregate record that exist (revision 1, progress 1), so that the next commit updates and inserts. */
static void begin_view(struct scene *scene)
{
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("old", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&draft, NULL, a_link("order/1", "old", 1));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
}

static struct draft next_draft(struct scene *scene)
{
    struct draft draft = draft_new(scene);
    struct vf_document *old = vf_arena_alloc(scene->arena, sizeof(*old));
    struct vf_aggregate *link = vf_arena_alloc(scene->arena, sizeof(*link));
    *old = load_document(scene, "old");
    *link = load_aggregate(scene, "order/1");
    draft_write(&draft, old, a_document("old", 2, a_body(scene, "n", 2)));
    draft_write(&draft, NULL, a_document("new", 1, a_body(scene, "n", 2)));
    draft_consult(&draft, "absent", NULL);
    draft_write_aggregate(&draft, link, a_link("order/1", "new", 2));
    draft_progress(&draft, "orders", 0, a_progress(1), a_progress(2));
    return draft;
}

/* All of the next commit, or nothing of it. */
static void assert_done(struct scene *scene, bool done)
{
    assert_int_equal(load_document(scene, "old").revision, done ? 2 : 1);
    assert_int_equal(load_document(scene, "new").presence, done ? VF_PRESENT : VF_ABSENT);
    assert_int_equal(load_document(scene, "absent").presence, VF_ABSENT);
    assert_int_equal(load_aggregate(scene, "order/1").version, done ? 2 : 1);
    assert_int_equal(load_row(scene, "orders", 0).progress.next, done ? 2 : 1);
}

/* Readers see what a majority has, and nobody has waited for that here. */
static void wait_until_done(struct scene *scene)
{
    for (int64_t until_us = bson_get_monotonic_time() + 30000000; bson_get_monotonic_time() < until_us;)
        if (load_row(scene, "orders", 0).progress.next == 2)
            return;
    fail_msg("no majority has what was committed");
}

static struct vf_commit_result send_draft(const struct draft *draft, struct vf_store *store)
{
    struct vf_commit commit = draft_commit(draft);
    struct vf_commit_result result;
    commit_now(store, &commit, &result);
    return result;
}

/* ---- the commit's reply is lost ---- */

static void a_lost_commit_is_repeated_and_done_once(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    fault("{\"times\": 1}", "\"failCommands\": [\"commitTransaction\"], \"closeConnection\": true");
    assert_int_equal(send_draft(&draft, scene->store).outcome, VF_COMMITTED);
    assert_done(scene, true);
    assert_int_equal(open_transactions(), 0);
}

static void a_lost_reply_is_asked_for_again(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    struct vf_store *store = open_through_proxy();
    int cuts = proxy_cuts(proxy);
    proxy_lose_one_commit_reply(proxy);
    assert_int_equal(send_draft(&draft, store).outcome, VF_COMMITTED);
    assert_true(proxy_cuts(proxy) > cuts);
    assert_done(scene, true);
    scene->type->close(store);
}

static void commits_that_never_arrive_are_unknown_and_nothing_is_done(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    fault("\"alwaysOn\"", "\"failCommands\": [\"commitTransaction\"], \"closeConnection\": true");
    struct vf_commit_result result = send_draft(&draft, scene->store);
    fault_off();
    assert_int_equal(result.outcome, VF_UNKNOWN);
    assert_true(result.error.retriable);
    assert_done(scene, false);
    end_transactions();
}

static void a_commit_without_its_write_concern_is_unknown_and_progress_tells(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    fault("\"alwaysOn\"",
          "\"failCommands\": [\"commitTransaction\"], \"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting\"}");
    struct vf_commit_result result = send_draft(&draft, scene->store);
    fault_off();
    assert_int_equal(result.outcome, VF_UNKNOWN);
    wait_until_done(scene);
    assert_done(scene, true);
    scene_reopen(scene, &scene->store);
    assert_int_equal(send_draft(&draft, scene->store).outcome, VF_CONFLICT);
    assert_done(scene, true);
}

static void a_write_concern_that_comes_later_is_waited_for(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    fault("{\"times\": 1}",
          "\"failCommands\": [\"commitTransaction\"], \"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting\"}");
    assert_int_equal(send_draft(&draft, scene->store).outcome, VF_COMMITTED);
    assert_done(scene, true);
}

/* The server's own default may be less. */
static void every_commit_asks_for_a_majoritys_journal(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    struct vf_store *store = open_through_proxy();
    int before, safe_before, all, safe;
    proxy_commits(proxy, &before, &safe_before);
    assert_int_equal(send_draft(&draft, store).outcome, VF_COMMITTED);
    proxy_commits(proxy, &all, &safe);
    assert_int_equal(all - before, 1);
    assert_int_equal(safe - safe_before, 1);
    scene->type->close(store);
}

/* ---- a command before the commit fails ---- */

/* The next commit under one fault of `command`: the outcome, nothing done, no transaction left, the store usable or not. */
static struct vf_commit_result with_fault(struct scene *scene, const char *command, const char *data)
{
    begin_view(scene);
    struct draft draft = next_draft(scene);
    char whole[512];
    snprintf(whole, sizeof(whole), "\"failCommands\": [\"%s\"], %s", command, data);
    fault("{\"times\": 1}", whole);
    struct vf_commit_result result = send_draft(&draft, scene->store);
    fault_off();
    assert_done(scene, false);
    assert_int_equal(open_transactions(), 0);
    if (result.outcome == VF_UNKNOWN)
        scene_reopen(scene, &scene->store);
    assert_int_equal(send_draft(&draft, scene->store).outcome, VF_COMMITTED);
    assert_done(scene, true);
    return result;
}

static void a_server_that_is_no_primary_any_more_refuses_for_now(void **state)
{
    struct vf_commit_result result = with_fault(*state, "update", "\"errorCode\": 10107");
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_int_equal(result.error.code, VF_E_UNAVAILABLE);
    assert_true(result.error.retriable);
}

static void a_server_that_is_no_primary_any_more_refuses_inserts_for_now(void **state)
{
    struct vf_commit_result result = with_fault(*state, "insert", "\"errorCode\": 10107");
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_true(result.error.retriable);
}

static void a_full_disk_refuses_for_now(void **state)
{
    struct vf_commit_result result = with_fault(*state, "insert", "\"errorCode\": 14031");
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_true(result.error.retriable);
}

static void a_missing_right_refuses(void **state)
{
    struct vf_commit_result result = with_fault(*state, "update", "\"errorCode\": 13");
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_int_equal(result.error.code, VF_E_DENIED);
    assert_false(result.error.retriable);
}

static void an_error_that_nobody_knows_refuses(void **state)
{
    struct vf_commit_result result = with_fault(*state, "delete", "\"errorCode\": 9999");
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_false(result.error.retriable);
    assert_non_null(strstr(result.error.text, "127.0.0.1"));
}

static void the_servers_time_limit_refuses_for_now(void **state)
{
    struct vf_commit_result result = with_fault(*state, "update", "\"errorCode\": 50");
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_int_equal(result.error.code, VF_E_TIMEOUT);
    assert_true(result.error.retriable);
}

static void a_transient_error_conflicts(void **state)
{
    struct vf_commit_result result =
        with_fault(*state, "insert", "\"errorCode\": 246, \"errorLabels\": [\"TransientTransactionError\"]");
    assert_int_equal(result.outcome, VF_CONFLICT);
    assert_int_equal(result.failed, VF_FAILED_DOCUMENT);
}

static void a_commit_that_the_server_has_given_up_conflicts(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    fault(
        "{\"times\": 1}",
        "\"failCommands\": [\"commitTransaction\"], \"errorCode\": 251, \"errorLabels\": [\"TransientTransactionError\"]");
    struct vf_commit_result result = send_draft(&draft, scene->store);
    fault_off();
    end_transactions(); /* the server only said so */
    assert_int_equal(result.outcome, VF_CONFLICT);
    assert_int_equal(result.failed, 0);
    assert_done(scene, false);
    assert_int_equal(send_draft(&draft, scene->store).outcome, VF_COMMITTED);
}

static void a_connection_that_breaks_before_the_commit_is_unknown(void **state)
{
    assert_int_equal(with_fault(*state, "insert", "\"closeConnection\": true").outcome, VF_UNKNOWN);
}

/* ---- time, size ---- */

static void a_server_that_does_not_answer_in_time_is_unknown(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    struct vf_store *hasty = open_by(server.url, 300, &error);
    assert_non_null(hasty);
    fault("{\"times\": 1}", "\"failCommands\": [\"insert\"], \"blockConnection\": true, \"blockTimeMS\": 2000");
    struct vf_commit_result result = send_draft(&draft, hasty);
    fault_off();
    assert_int_equal(result.outcome, VF_UNKNOWN);
    assert_done(scene, false);
    scene->type->close(hasty);
    while ((result = send_draft(&draft, scene->store)).outcome == VF_CONFLICT)
        ; /* the server may still hold the documents for a moment */
    assert_int_equal(result.outcome, VF_COMMITTED);
    assert_done(scene, true);
}

static void the_time_limit_is_the_whole_commits(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    begin_view(scene);
    struct draft draft = next_draft(scene);
    struct vf_store *hasty = open_by(server.url, 1000, &error);
    assert_non_null(hasty);
    /* No command by itself takes the limit; the second would end beyond it. */
    fault("\"alwaysOn\"",
          "\"failCommands\": [\"update\", \"insert\"], \"blockConnection\": true, \"blockTimeMS\": 600");
    struct vf_commit_result result = send_draft(&draft, hasty);
    fault_off();
    assert_int_equal(result.outcome, VF_REFUSED);
    assert_int_equal(result.error.code, VF_E_TIMEOUT);
    assert_true(result.error.retriable);
    assert_done(scene, false);
    assert_int_equal(open_transactions(), 0);
    scene->type->close(hasty);
}

static struct vf_bytes large_body(struct scene *scene, size_t size)
{
    char *filler = vf_alloc(size);
    memset(filler, 'x', size);
    bson_t body = BSON_INITIALIZER;
    bson_append_utf8(&body, "filler", -1, filler, (int)size);
    free(filler);
    return body_from(scene, &body);
}

/* Twenty mebibytes are two commands, and still one transaction. */
static void a_commit_of_several_commands_is_one(void **state)
{
    struct scene *scene = *state;
    enum { DOCUMENTS = 20 };
    struct vf_bytes body = large_body(scene, 1024 * 1024);
    for (int round = 0; round < 3; round++) { /* inserts, then updates, then updates of which the last fails */
        struct draft draft = draft_new(scene);
        for (int i = 0; i < DOCUMENTS; i++) {
            const char *id = vf_arena_printf(scene->arena, "%d", i).data;
            struct vf_document *base = vf_arena_alloc(scene->arena, sizeof(*base));
            *base = load_document(scene, id);
            base->stamp ^= round == 2 && i == DOCUMENTS - 1;
            draft_write(&draft, round ? base : NULL, a_document(id, round + 1, body));
        }
        draft_progress(&draft, "orders", 0, round ? a_progress(round) : no_progress, a_progress(round + 1));
        assert_int_equal(send_draft(&draft, scene->store).outcome, round == 2 ? VF_CONFLICT : VF_COMMITTED);
    }
    for (int i = 0; i < DOCUMENTS; i++)
        assert_int_equal(load_document(scene, vf_arena_printf(scene->arena, "%d", i).data).revision, 2);
}

static void what_is_too_large_is_refused_before_it_is_sent(void **state)
{
    struct scene *scene = *state;
    struct vf_bytes half = large_body(scene, 8 * 1024 * 1024), whole = large_body(scene, 17 * 1024 * 1024);
    struct draft one = draft_new(scene), many = draft_new(scene);
    draft_write(&one, NULL, a_document("a", 1, whole));
    draft_progress(&one, "orders", 0, no_progress, a_progress(1));
    for (int i = 0; i < 7; i++)
        draft_write(&many, NULL, a_document(vf_arena_printf(scene->arena, "%d", i).data, 1, half));
    draft_progress(&many, "orders", 0, no_progress, a_progress(1));
    for (int i = 0; i < 2; i++) {
        struct vf_commit_result result = send_draft(i ? &many : &one, scene->store);
        assert_int_equal(result.outcome, VF_REFUSED);
        assert_int_equal(result.error.code, VF_E_LIMIT);
        assert_false(result.error.retriable);
    }
    assert_false(load_row(scene, "orders", 0).progress.exists);
}

/* ---- a client that dies ---- */

/* Of a client of this test's name, so it may be that of an earlier one. */
static const char *held_up(struct scene *scene)
{
    struct vf_error error;
    const char *what = "untold";
    assert_ok(scene->type->held_up(scene->store, scene->arena, &what, &error));
    return what;
}

static void a_client_that_dies_inside_a_transaction_holds_others_up_for_a_while_only(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    struct draft dying = next_draft(scene), draft = next_draft(scene);
    struct vf_store *store = open_through_proxy();
    proxy_lose_next_commit(proxy);
    assert_int_equal(send_draft(&dying, store).outcome, VF_UNKNOWN);
    scene->type->close(store);
    assert_true(open_transactions() > 0);
    assert_done(scene, false);
    int conflicts = 0, told = 0;
    struct vf_commit_result result;
    while ((result = send_draft(&draft, scene->store)).outcome == VF_CONFLICT) {
        const char *what = held_up(scene);
        conflicts++;
        assert_done(scene, false);
        told += what && strstr(what, "a dead worker's transaction") && strstr(what, "127.0.0.1:");
    }
    assert_int_equal(result.outcome, VF_COMMITTED); /* the server has ended it at its time limit */
    assert_true(conflicts > 0);
    assert_true(told > 0);
    assert_done(scene, true);
}

/* ---- frozen ---- */

static void a_freeze_ends_by_itself(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_partition partition = {"orders", 0};
    begin_view(scene);
    struct draft draft = next_draft(scene);
    assert_ok(scene->type->freeze(scene->other, scene->view, &partition, 1, 300, &error));
    struct vf_commit_result result;
    int conflicts = 0;
    /* Why it failed is asked after it has failed: at the moment the freeze ends, it may look like any conflict. Once. */
    while ((result = send_draft(&draft, scene->store)).outcome == VF_FROZEN ||
           (result.outcome == VF_CONFLICT && conflicts++ == 0))
        assert_done(scene, false);
    assert_int_equal(result.outcome, VF_COMMITTED);
    assert_done(scene, true);
    assert_int_equal(count_of("viewfold.progress",
                              text("{\"_id\": \"%s.g1 orders/0\", \"frozen\": {\"$exists\": true}}", scene->name)),
                     0);
}

/* ---- progress ---- */

/* Its stamp is that of the batch that brought it where it is. What else writes the row must not look like a rewound store. */
static void what_only_touches_progress_leaves_its_stamp(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_partition partition = {"orders", 0};
    struct vf_progress reached = a_progress(1);
    reached.stamp = 0x00ab;
    struct draft begin = draft_new(scene), testing = draft_new(scene), sweeping = draft_new(scene);
    draft_progress(&begin, "orders", 0, no_progress, reached);
    draft_must_commit(&begin);
    draft_progress(&testing, "orders", 0, reached, reached);
    draft_must_commit(&testing);
    draft_write(&sweeping, NULL, a_husk("h", 1));
    draft_must_commit(&sweeping);
    assert_ok(scene->type->note_stopped(scene->store, scene->view, begin.generation_stamp, partition, "{}", &error));
    assert_ok(scene->type->note_stopped(scene->store, scene->view, begin.generation_stamp, partition, NULL, &error));
    assert_ok(scene->type->freeze(scene->store, scene->view, &partition, 1, 60000, &error));
    assert_ok(scene->type->freeze(scene->store, scene->view, &partition, 1, 0, &error));
    struct vf_progress_row row = load_row(scene, "orders", 0);
    assert_int_equal(row.progress.stamp, 0x00ab);
    struct draft next = draft_new(scene);
    draft_progress(&next, "orders", 0, row.progress, a_progress(2));
    draft_must_commit(&next);
}

/* ---- what readers see ---- */

static void the_view_hides_husks_and_what_has_expired(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_document("shown", 1, a_body(scene, "n", 1)));
    draft_write(&draft, NULL, a_document("expired", 1, a_body(scene, "n", 1)));
    draft_write(&draft, NULL, a_document("later", 1, a_body(scene, "n", 1)));
    draft_write(&draft, NULL, a_husk("husk", 1));
    draft_must_commit(&draft);
    assert_int_equal(count_of(scene->name, "{}"), 3);
    for (int i = 0; i < 2; i++) {
        const char *json = "{\"update\": \"%s.g1\", \"updates\": [{\"q\": {\"_id\": \"%s\"}, \"u\": {\"$set\": "
                           "{\"_view.expires\": {\"$date\": \"%s\"}}}}]}";
        char command[512];
        snprintf(command, sizeof(command), json, scene->name, i ? "expired" : "later",
                 i ? "2020-01-01T00:00:00Z" : "2120-01-01T00:00:00Z");
        bson_destroy(server_run(&server, server.database, command));
    }
    assert_int_equal(count_of(scene->name, "{}"), 2);
    assert_int_equal(count_of(scene->name, "{\"_id\": {\"$in\": [\"husk\", \"expired\"]}}"), 0);
    assert_int_equal(count_of(text("%s.g1", scene->name), "{}"), 4);
}

static void a_read_by_id_through_the_view_uses_the_id_index(void **state)
{
    struct scene *scene = *state;
    begin_view(scene);
    bson_t *plan = server_run(&server, server.database,
                              text("{\"explain\": {\"find\": \"%s\", \"filter\": {\"_id\": \"old\"}}, \"verbosity\": "
                                   "\"queryPlanner\"}",
                                   scene->name));
    char *json = bson_as_canonical_extended_json(plan, NULL);
    if (strstr(json, "COLLSCAN") || !(strstr(json, "IDHACK") || strstr(json, "\"_id_\"")))
        fail_msg("the plan does not use the index on _id: %s", json);
    bson_free(json);
    bson_destroy(plan);
}

static void a_document_is_what_format_md_says(void **state)
{
    struct scene *scene = *state;
    struct vf_version versions[] = {{VF_LITERAL("customer/4b"), 1, NULL}, {VF_LITERAL("order/63-0"), 2, NULL}};
    struct vf_document document = a_document("4b", 17, a_body(scene, "creditLimit", 2000));
    struct draft draft = draft_new(scene);
    document.versions = versions;
    document.version_count = 2;
    draft.stamp = 0x00ab;
    draft_write(&draft, NULL, document);
    draft_must_commit(&draft);
    assert_int_equal(
        count_of(scene->name,
                 "{\"_id\": \"4b\", \"creditLimit\": {\"$type\": \"long\", \"$eq\": 2000}, \"_view\": {\"rev\": "
                 "{\"$numberLong\": \"17\"}, \"stamp\": \"00000000000000ab\", \"versions\": [{\"a\": \"customer/4b\", "
                 "\"v\": {\"$numberLong\": \"1\"}}, {\"a\": \"order/63-0\", \"v\": {\"$numberLong\": \"2\"}}]}}"),
        1);
}

/* Names that would be operators, paths or variables anywhere else pass unchanged through an insert, an update and a touch. */
static void event_data_never_becomes_an_operator_a_path_or_a_command(void **state)
{
    struct scene *scene = *state;
    bson_t body = BSON_INITIALIZER, inner, deep;
    BSON_APPEND_INT64(&body, "$set", 1);
    BSON_APPEND_UTF8(&body, "a.b", "$$ROOT");
    BSON_APPEND_UTF8(&body, "", "$_view.stamp");
    BSON_APPEND_DOCUMENT_BEGIN(&body, "$literal", &inner);
    BSON_APPEND_UTF8(&inner, "$add", "$$NOW");
    BSON_APPEND_INT64(&inner, "x.$[].y", 2);
    BSON_APPEND_DOCUMENT_BEGIN(&inner, "", &deep);
    BSON_APPEND_INT64(&deep, "$inc", 3);
    BSON_APPEND_INT64(&deep, "_id", 4);
    bson_append_document_end(&inner, &deep);
    bson_append_document_end(&body, &inner);
    struct vf_bytes bytes = body_from(scene, &body);
    for (int round = 0; round < 3; round++) {
        struct draft draft = draft_new(scene);
        struct vf_document base = load_document(scene, "$id.x");
        if (round < 2)
            draft_write(&draft, round ? &base : NULL, a_document("$id.x", round + 1, bytes));
        else
            draft_consult(&draft, "$id.x", &base);
        draft_must_commit(&draft);
        struct vf_document seen = load_document(scene, "$id.x");
        assert_int_equal(seen.revision, round < 2 ? round + 1 : 2);
        assert_true(seen.stamp == draft.stamp);
        assert_true(vf_bytes_equal(seen.body, bytes)); /* byte for byte: the order of fields too */
    }
}

/* ---- what is not ours ---- */

static enum vf_code prepare_again(struct scene *scene, struct vf_error *error)
{
    struct vf_file file = {VF_LITERAL("contract.lua"), VF_LITERAL("return {}\n")};
    struct vf_generation proposed = {.number = 1,
                                     .state = "active",
                                     .projection_version = 1,
                                     .script = "contract.lua",
                                     .files = &file,
                                     .file_count = 1,
                                     .format = VF_FORMAT};
    struct vf_generation held;
    bool created;
    memset(proposed.script_hash, 'a', 64);
    return scene->type->prepare(scene->store, scene->name, &proposed, scene->arena, &held, &created, error);
}

static void a_collection_of_the_views_name_is_left_alone_and_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    scene_unique_name(scene->name, sizeof(scene->name));
    bson_destroy(
        server_run(&server, server.database, text("{\"insert\": \"%s\", \"documents\": [{\"_id\": 1}]}", scene->name)));
    assert_int_equal(prepare_again(scene, &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "not viewfold's"));
    assert_int_equal(count_of(scene->name, "{}"), 1);
    struct vf_view_state seen;
    assert_ok(scene->type->state(scene->store, scene->name, &seen, &error));
    assert_int_equal(seen.active, 0);
}

static void a_view_that_shows_something_else_is_refused(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    scene_unique_name(scene->name, sizeof(scene->name));
    bson_destroy(server_run(&server, server.database,
                            text("{\"create\": \"%s\", \"viewOn\": \"other\", \"pipeline\": []}", scene->name)));
    assert_int_equal(prepare_again(scene, &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "not viewfold's"));
}

static void a_document_that_is_not_ours_is_an_error_that_names_it(void **state)
{
    struct scene *scene = *state;
    struct vf_error error = {0};
    struct vf_bytes id = VF_LITERAL("stray");
    struct vf_document document;
    static const char *const strays[] = {
        "{\"_id\": \"stray\"}",
        "{\"_id\": \"stray\", \"_view\": 1}",
        "{\"_id\": \"stray\", \"_view\": {\"rev\": 1, \"stamp\": \"xyz\"}}",
        "{\"_id\": \"stray\", \"_view\": {\"stamp\": \"00000000000000ab\"}}",
        "{\"_id\": \"stray\", \"_view\": {\"rev\": 1, \"stamp\": \"00000000000000ab\", \"husk\": \"deleted\"}}",
        "{\"_id\": \"stray\", \"_view\": {\"rev\": 1, \"stamp\": \"00000000000000ab\", \"versions\": [1]}}"};
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
        char command[512];
        snprintf(command, sizeof(command),
                 "{\"update\": \"%s.g1\", \"updates\": [{\"q\": {\"_id\": \"stray\"}, \"u\": %s, \"upsert\": true}]}",
                 scene->name, strays[i]);
        bson_destroy(server_run(&server, server.database, command));
        assert_int_equal(
            scene->type->load(scene->store, scene->view, &id, 1, NULL, 0, scene->arena, &document, NULL, &error),
            VF_E_CONFIG);
        assert_non_null(strstr(error.text, "stray"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_lost_commit_is_repeated_and_done_once),
        SCENE_TEST(a_lost_reply_is_asked_for_again),
        SCENE_TEST(commits_that_never_arrive_are_unknown_and_nothing_is_done),
        SCENE_TEST(a_commit_without_its_write_concern_is_unknown_and_progress_tells),
        SCENE_TEST(a_write_concern_that_comes_later_is_waited_for),
        SCENE_TEST(every_commit_asks_for_a_majoritys_journal),
        SCENE_TEST(a_server_that_is_no_primary_any_more_refuses_for_now),
        SCENE_TEST(a_server_that_is_no_primary_any_more_refuses_inserts_for_now),
        SCENE_TEST(a_full_disk_refuses_for_now),
        SCENE_TEST(a_missing_right_refuses),
        SCENE_TEST(an_error_that_nobody_knows_refuses),
        SCENE_TEST(the_servers_time_limit_refuses_for_now),
        SCENE_TEST(a_transient_error_conflicts),
        SCENE_TEST(a_commit_that_the_server_has_given_up_conflicts),
        SCENE_TEST(a_connection_that_breaks_before_the_commit_is_unknown),
        SCENE_TEST(a_server_that_does_not_answer_in_time_is_unknown),
        SCENE_TEST(the_time_limit_is_the_whole_commits),
        SCENE_TEST(a_commit_of_several_commands_is_one),
        SCENE_TEST(what_is_too_large_is_refused_before_it_is_sent),
        SCENE_TEST(a_client_that_dies_inside_a_transaction_holds_others_up_for_a_while_only),
        SCENE_TEST(a_freeze_ends_by_itself),
        SCENE_TEST(what_only_touches_progress_leaves_its_stamp),
        SCENE_TEST(the_view_hides_husks_and_what_has_expired),
        SCENE_TEST(a_read_by_id_through_the_view_uses_the_id_index),
        SCENE_TEST(a_document_is_what_format_md_says),
        SCENE_TEST(event_data_never_becomes_an_operator_a_path_or_a_command),
        SCENE_TEST(a_collection_of_the_views_name_is_left_alone_and_refused),
        SCENE_TEST(a_view_that_shows_something_else_is_refused),
        SCENE_TEST(a_document_that_is_not_ours_is_an_error_that_names_it),
    };
    static const struct vf_store_contract contract = {.type = &vf_mongodb_store_type, .open = open_store};
    contract_under_test = &contract;
    server_init(&server);
    proxy = proxy_new(server.port);
    if (!proxy) {
        perror("the proxy cannot listen");
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fault_off();
    server_done(&server);
    proxy_free(proxy);
    return failed;
}
