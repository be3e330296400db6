#include "sim/stage.h"

#include "run/generation.h"
#include "run/log.h"
#include "sim/sim_retry.h"

#include <bson/bson.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUP     "stage.view.memory.g1"
#define RUN_TURNS 400

static const char *const topic_names[STAGE_TOPICS] = {"customers", "orders", "tags", "accounts", "cards"};
static const char *const kinds[STAGE_TOPICS] = {"customer", "order", "tag", "account", "card"};
static const struct vf_link issued = {.type = "Issued", .through = "account"};
static const char *const names[STAGE_WORKERS] = {"w0", "w1"};
static const struct vf_view view = {"view", 1};

static void on_commit(void *self, const struct vf_commit *commit)
{
    struct stage *stage = self;
    stage->conditions = commit->document_count;
    if (commit->taken_count > stage->taken_most)
        stage->taken_most = commit->taken_count;
    if (stage->commits_left > 0 && --stage->commits_left == 0)
        vf_memory_server_set_down(stage->server, true);
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static struct vf_route route_of(size_t topic)
{
    static const struct vf_route routes[STAGE_TOPICS] = {
        {.kind = "customer", .route = VF_ROUTE_OWN}, {"order", VF_ROUTE_LINK, vf_plain_links, VF_PLAIN_LINKS},
        {.kind = "tag", .route = VF_ROUTE_FIELD},    {"account", VF_ROUTE_LINK, vf_plain_links, VF_PLAIN_LINKS},
        {"card", VF_ROUTE_LINK, &issued, 1},
    };
    return routes[topic];
}

/* `chosen`: numbers of topics. */
static void describe(struct stage *stage, const size_t *chosen, size_t count, enum vf_versions_mode versions)
{
    for (size_t i = 0; i < count; i++) {
        stage->topics[i] = topic_names[chosen[i]];
        stage->readings[i] = (struct vf_reading_topic){
            .topic = topic_names[chosen[i]],
            .envelope = {.numbers = chosen[i] == 2 ? VF_NUMBERS_OFFSET : VF_NUMBERS_SEQUENCE, .first = 1}};
        stage->routes[i] = route_of(chosen[i]);
    }
    stage->projection = (struct vf_projection){.name = "view",
                                               .version = 1,
                                               .topics = stage->topics,
                                               .topic_count = count,
                                               .routes = stage->routes,
                                               .route_count = count,
                                               .versions = versions};
    vf_plain_describe(&stage->projection);
    for (size_t i = 0; i < STAGE_WORKERS; i++)
        stage->setups[i].topic_count = stage->setups[i].source.topic_count = count;
}

static void set_up_workers(struct stage *stage)
{
    stage->file = (struct vf_file){.name = VF_LITERAL("view.lua"), .text = VF_LITERAL("the first script")};
    stage->proposed = (struct vf_generation){.number = 1,
                                             .state = "active",
                                             .projection_version = 1,
                                             .script = "view.lua",
                                             .files = &stage->file,
                                             .file_count = 1,
                                             .format = VF_FORMAT};
    memset(stage->proposed.script_hash, 'a', 64);
    for (size_t i = 0; i < STAGE_WORKERS; i++)
        stage->setups[i] = (struct vf_worker_setup){
            .name = names[i],
            .projection = "view",
            .view = view.name,
            .clock = &stage->clock.clock,
            .source_type = &vf_memory_source_type,
            .source = {.brokers = vf_memory_log_brokers(stage->log),
                       .group = GROUP,
                       .instance = names[i],
                       .topics = stage->topics},
            .store_type = &vf_memory_store_type,
            .store = {.name = "memory", .url = "memory:stage", .prefix = ""},
            .projector_type = &vf_plain_projector_type,
            .proposed = &stage->proposed,
            .topics = stage->readings,
            .batch = {.events_max = 1, .bytes_max = 1 << 20, .written_bytes_max = 1 << 20},
            .errors = {.retries = 0, .backoff_ms = 100, .then = VF_THEN_STOP},
            .cache_bytes = 1 << 20,
            .idle_poll_ms = 10,
        };
}

int stage_setup(void **state)
{
    struct stage *stage = vf_calloc(1, sizeof *stage);
    vf_log_setup(VF_LOG_ERROR, VF_LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    vf_sim_clock_init(&stage->clock, 1);
    stage->server = vf_memory_server_new("stage");
    stage->log = vf_memory_log_new(1);
    stage->arena = vf_arena_new();
    stage->retry_rows_max = 100;
    vf_memory_server_observe(stage->server, on_commit, stage);
    vf_plain_flaky = 0;
    vf_plain_mended = false;
    for (size_t i = 0; i < STAGE_TOPICS; i++)
        vf_memory_log_add_topic(stage->log, topic_names[i], 1);
    set_up_workers(stage);
    describe(stage, (const size_t[]){0, 1}, 2, VF_VERSIONS_DOCUMENT);
    *state = stage;
    return 0;
}

int stage_teardown(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < STAGE_WORKERS; i++)
        stage_close(stage, i);
    vf_memory_log_free(stage->log);
    vf_memory_server_free(stage->server);
    vf_arena_free(stage->arena);
    free(stage);
    return 0;
}

void stage_use_records(struct stage *stage)
{
    describe(stage, (const size_t[]){0, 1, 2}, 3, VF_VERSIONS_RECORD);
}

void stage_use_joins(struct stage *stage)
{
    describe(stage, (const size_t[]){0, 1, 3, 4}, 4, VF_VERSIONS_DOCUMENT);
}

/* --- acting ------------------------------------------------------------------------------------------------------- */

static int64_t append(struct stage *stage, const char *topic, int32_t partition, const char *id, int64_t version,
                      const char *event_id, const char *type, const char *to)
{
    size_t kind = 0;
    while (strcmp(topic_names[kind], topic) != 0)
        kind++;
    struct vf_buffer value;
    vf_buffer_init(&value);
    vf_buffer_printf(&value, "{\"kind\":\"%s\",\"id\":\"%s\",\"version\":%lld,\"type\":\"%s\",\"data\":{\"to\":%s}",
                     kinds[kind], id, (long long)version, type, to);
    if (event_id)
        vf_buffer_printf(&value, ",\"event_id\":\"%s\"", event_id);
    vf_buffer_printf(&value, "}");
    int64_t offset = vf_memory_log_append(stage->log, (struct vf_partition){topic, partition}, vf_bytes_from(id),
                                          vf_bytes(value.data, value.size), 1772359200000);
    vf_buffer_done(&value);
    return offset;
}

int64_t stage_send_to(struct stage *stage, const char *topic, int32_t partition, const char *id, int64_t version,
                      const char *type, const char *to)
{
    return append(stage, topic, partition, id, version, NULL, type, to);
}

int64_t stage_send_of_revision(struct stage *stage, const char *topic, const char *id, int64_t revision,
                               const char *event_id, const char *type, const char *to)
{
    return append(stage, topic, 0, id, revision, event_id, type, to);
}

int64_t stage_send(struct stage *stage, const char *topic, const char *id, int64_t version, const char *type,
                   const char *to)
{
    return stage_send_to(stage, topic, 0, id, version, type, to);
}

int64_t stage_send_via(struct stage *stage, const char *id, int64_t version, const char *type, const char *via)
{
    struct vf_buffer to;
    vf_buffer_init(&to);
    vf_buffer_printf(&to, "null,\"via\":\"%s\"", via);
    int64_t offset = stage_send(stage, "cards", id, version, type, to.data);
    vf_buffer_done(&to);
    return offset;
}

void stage_open(struct stage *stage, size_t worker)
{
    struct vf_error error = {0};
    if (vf_worker_open(&stage->setups[worker], &stage->workers[worker], &error))
        fail_msg("worker %zu: %s", worker, error.text);
    vf_memory_log_rebalance(stage->log, GROUP);
}

void stage_close(struct stage *stage, size_t worker)
{
    vf_worker_close(stage->workers[worker]);
    stage->workers[worker] = NULL;
}

void stage_turn(struct stage *stage, size_t worker)
{
    vf_worker_step(stage->workers[worker]);
}

void stage_run(struct stage *stage)
{
    for (int turn = 0; turn < RUN_TURNS; turn++) {
        for (size_t i = 0; i < STAGE_WORKERS; i++)
            if (stage->workers[i])
                stage_turn(stage, i);
        vf_sim_clock_advance(&stage->clock, 50);
    }
}

/* What is wanted of all of which something is set aside. */
static bool choose(void *self, struct vf_bytes aggregate, enum vf_aside_state state, struct vf_fold_retry *ret_retry)
{
    (void)aggregate, (void)state;
    *ret_retry = *(const struct vf_fold_retry *)self;
    return true;
}

void stage_retry(struct stage *stage)
{
    stage_retry_as(stage, &(struct vf_fold_retry){.asks = true, .asks_to = INT64_MAX});
}

void stage_retry_as(struct stage *stage, const struct vf_fold_retry *wanted)
{
    struct vf_fold_retry copy = *wanted;
    struct vf_script_reader reader = vf_script_stored_reader(&stage->proposed);
    struct sim_retry retry = {.server = stage->server,
                              .view = view,
                              .clock = &stage->clock.clock,
                              .topics = stage->readings,
                              .topic_count = stage->projection.topic_count,
                              .projector_type = &vf_plain_projector_type,
                              .reader = &reader,
                              .rows_max = stage->retry_rows_max,
                              .choose = choose,
                              .self = &copy};
    assert_true(sim_retry_all(&retry) >= 0);
}

static struct vf_memory_contents contents_of(struct stage *stage)
{
    struct vf_memory_contents contents;
    vf_memory_server_read(stage->server, view, stage->arena, &contents);
    return contents;
}

static const struct vf_document *find_document(struct stage *stage, const char *id)
{
    struct vf_memory_contents contents = contents_of(stage);
    for (size_t i = 0; i < contents.document_count; i++)
        if (vf_bytes_is(contents.documents[i].id, id))
            return &contents.documents[i];
    return NULL;
}

static void commit(struct stage *stage, struct vf_commit *commit)
{
    struct vf_store *store;
    struct vf_error error;
    struct vf_commit_result result;
    assert_int_equal(vf_memory_store_open_on(stage->server, &store, &error), VF_OK);
    commit->view = view;
    commit->stamp = stage->clock.clock.random(stage->clock.clock.self);
    vf_memory_store_type.commit_send(store, commit);
    vf_memory_store_type.commit_wait(store, &result);
    vf_memory_store_type.close(store);
    assert_int_equal(result.outcome, VF_COMMITTED);
}

void stage_write_customer(struct stage *stage, const char *id, bool with_customer)
{
    struct vf_document absent = {.id = vf_bytes_from(id), .presence = VF_ABSENT};
    const struct vf_document *found = find_document(stage, id);
    bson_t body = BSON_INITIALIZER, next = BSON_INITIALIZER, part;
    if (found)
        assert_true(bson_init_static(&body, (const uint8_t *)found->body.data, found->body.size));
    else
        found = &absent;
    if (with_customer) { /* sorted before order/... */
        BSON_APPEND_DOCUMENT_BEGIN(&next, "customer/x", &part);
        BSON_APPEND_INT64(&part, "h", 1);
        BSON_APPEND_INT64(&part, "n", 1);
        bson_append_document_end(&next, &part);
    }
    bson_copy_to_excluding_noinit(&body, &next, "customer/x", NULL);
    struct vf_document_change change = {
        .intent = VF_WRITE, .base = found->presence, .base_stamp = found->stamp, .next = *found};
    change.next.presence = VF_PRESENT;
    change.next.body = vf_bytes((const char *)bson_get_data(&next), next.len);
    change.next.revision++;
    struct vf_commit one = {.documents = &change, .document_count = 1};
    commit(stage, &one);
    bson_destroy(&next);
}

static const struct vf_progress_row *find_row(struct stage *stage, const char *topic, int32_t partition)
{
    struct vf_memory_contents contents = contents_of(stage);
    for (size_t i = 0; i < contents.row_count; i++)
        if (strcmp(contents.rows[i].partition.topic, topic) == 0 && contents.rows[i].partition.partition == partition)
            return &contents.rows[i];
    return NULL;
}

void stage_move_progress(struct stage *stage, const char *topic, int64_t next)
{
    const struct vf_progress_row *row = find_row(stage, topic, 0);
    struct vf_progress_change change = {.partition = {topic, 0}, .to = {.exists = true, .next = next, .of = 1}};
    if (row)
        change.from = row->progress;
    struct vf_commit one = {.progress = &change, .progress_count = 1};
    commit(stage, &one);
}

void stage_decide(struct stage *stage, const struct vf_dropped *dropped)
{
    struct vf_commit one = {.dropped = dropped, .dropped_count = 1};
    commit(stage, &one);
}

void stage_touch_progress(struct stage *stage, const char *topic)
{
    const struct vf_progress_row *row = find_row(stage, topic, 0);
    assert_non_null(row);
    struct vf_progress_change change = {.partition = {topic, 0}, .from = row->progress, .to = row->progress};
    change.to.stamp = stage->clock.clock.random(stage->clock.clock.self);
    struct vf_commit one = {.progress = &change, .progress_count = 1};
    commit(stage, &one);
}

static uint64_t stamp_of(struct vf_store *store)
{
    struct vf_error error;
    uint64_t stamp;
    bool there;
    assert_int_equal(vf_memory_store_type.generation_stamp(store, view, &stamp, &there, &error), VF_OK);
    assert_true(there);
    return stamp;
}

void stage_adopt(struct stage *stage, const char *text)
{
    struct vf_store *store;
    struct vf_error error;
    bool done;
    assert_int_equal(vf_memory_store_open_on(stage->server, &store, &error), VF_OK);
    stage->file.text = vf_bytes_from(text);
    stage->proposed.script_hash[0]++;
    struct vf_generation next = stage->proposed;
    next.stamp = stage->clock.clock.random(stage->clock.clock.self);
    assert_int_equal(vf_memory_store_type.adopt(store, view, stamp_of(store), &next, &done, &error), VF_OK);
    assert_true(done);
    vf_memory_store_type.close(store);
}

void stage_drop(struct stage *stage, bool whole)
{
    struct vf_store *store;
    struct vf_error error;
    enum vf_drop drop = whole ? VF_DROP_MORE : VF_DROP_DONE;
    size_t removed;
    bool done;
    uint64_t stamp = stage->clock.clock.random(stage->clock.clock.self);
    assert_int_equal(vf_memory_store_open_on(stage->server, &store, &error), VF_OK);
    assert_int_equal(vf_memory_store_type.drop_begin(store, view, stamp_of(store), stamp, &done, &error), VF_OK);
    assert_true(done);
    while (drop == VF_DROP_MORE)
        assert_int_equal(vf_memory_store_type.drop_more(store, view, stamp, 1, &drop, &removed, &error), VF_OK);
    vf_memory_store_type.close(store);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

int64_t stage_next(struct stage *stage, const char *topic)
{
    const struct vf_progress_row *row = find_row(stage, topic, 0);
    return row && row->progress.exists ? row->progress.next : 0;
}

int64_t stage_aside(struct stage *stage, const char *topic)
{
    const struct vf_progress_row *row = find_row(stage, topic, 0);
    return row ? row->progress.aside : 0;
}

int64_t stage_had(struct stage *stage, const char *topic)
{
    const struct vf_progress_row *row = find_row(stage, topic, 0);
    return row && row->progress.exists ? row->progress.had : 0;
}

const char *stage_stopped(struct stage *stage, const char *topic, int32_t partition)
{
    const struct vf_progress_row *row = find_row(stage, topic, partition);
    return row ? row->stopped : NULL;
}

bool stage_has(struct stage *stage, const char *id)
{
    return find_document(stage, id) != NULL;
}

static int64_t look_into(struct stage *stage, const char *id, const char *aggregate, const char *name)
{
    const struct vf_document *found = find_document(stage, id);
    bson_t body;
    bson_iter_t field, inner;
    if (!found || found->presence != VF_PRESENT)
        return 0;
    assert_true(bson_init_static(&body, (const uint8_t *)found->body.data, found->body.size));
    if (!bson_iter_init_find(&field, &body, aggregate) || !bson_iter_recurse(&field, &inner) ||
        !bson_iter_find(&inner, name))
        return 0;
    return bson_iter_int64(&inner);
}

int64_t stage_handled(struct stage *stage, const char *id, const char *aggregate)
{
    return look_into(stage, id, aggregate, "n");
}

int64_t stage_chain(struct stage *stage, const char *id, const char *aggregate)
{
    return look_into(stage, id, aggregate, "h");
}

size_t stage_waiting(struct stage *stage, const char *list)
{
    struct vf_memory_contents contents = contents_of(stage);
    size_t count = 0;
    for (size_t i = 0; i < contents.aside_count; i++)
        count += !list || vf_bytes_is(contents.asides[i].list, list);
    return count;
}

const struct vf_aggregate *stage_record(struct stage *stage, const char *aggregate)
{
    struct vf_memory_contents contents = contents_of(stage);
    for (size_t i = 0; i < contents.aggregate_count; i++)
        if (vf_bytes_is(contents.aggregates[i].aggregate, aggregate))
            return &contents.aggregates[i];
    return NULL;
}

enum vf_presence stage_presence(struct stage *stage, const char *id)
{
    const struct vf_document *found = find_document(stage, id);
    return found ? found->presence : VF_ABSENT;
}

struct vf_counts stage_counts(struct stage *stage, size_t worker)
{
    struct vf_worker_report report;
    vf_worker_report(stage->workers[worker], &report);
    return report.counts;
}

int64_t stage_chain_of(const int64_t *versions, size_t count)
{
    int64_t hash = 0;
    for (size_t i = 0; i < count; i++)
        hash = vf_plain_chain(hash, versions[i], (struct vf_bytes){0}, 'C');
    return hash;
}
