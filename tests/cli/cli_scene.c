#include "cli/cli_scene.h"

#include "core/body.h"
#include "run/log.h"

#include <stdlib.h>
#include <unistd.h>

/* The registry is made of constant tables, so what they act on is here. */
static struct scene *current;

/* --- stores: memory under the real ones' names -------------------------------------------------------------------- */

static enum vf_code open_redis(const struct vf_store_config *config, struct vf_store **ret_store,
                               struct vf_error *error)
{
    assert_string_equal(config->url, "redis://r:1/0");
    return vf_memory_store_open_on(current->redis, ret_store, error);
}

static enum vf_code load_redis(struct vf_store *store, struct vf_view view, const struct vf_bytes *ids, size_t id_count,
                               const struct vf_bytes *aggregates, size_t aggregate_count, struct vf_arena *arena,
                               struct vf_document *ret_documents, struct vf_aggregate *ret_aggregates,
                               struct vf_error *error)
{
    enum vf_code code = vf_memory_store_type.load(store, view, ids, id_count, aggregates, aggregate_count, arena,
                                                  ret_documents, ret_aggregates, error);
    void (*on_loaded)(struct scene *) = current->on_loaded;
    if (id_count > 0 && on_loaded) {
        current->on_loaded = NULL;
        on_loaded(current);
    }
    return code;
}

static enum vf_code what_holds_redis_up(struct vf_store *store, struct vf_arena *arena, const char **ret_what,
                                        struct vf_error *error)
{
    (void)store;
    (void)arena;
    (void)error;
    *ret_what = current->held_up;
    return VF_OK;
}

static enum vf_code open_mongodb(const struct vf_store_config *config, struct vf_store **ret_store,
                                 struct vf_error *error)
{
    assert_string_equal(config->url, "mongodb://m/d");
    return vf_memory_store_open_on(current->mongodb, ret_store, error);
}

/* --- a projector: a line of words, see SCENE_SCRIPT ----------------------------------------------------------------- */

struct vf_projector {
    char text[256];
    char whole[256];
    const char *topics[8];
    struct vf_route routes[8];
    struct vf_link links[8];
    struct vf_index indexes[8];
    struct vf_projection projection;
    struct vf_file file;
};

/* "KIND", "KIND=field", "KIND=link:TYPE" */
static void add_route(struct vf_projector *projector, char *word)
{
    struct vf_route *route = &projector->routes[projector->projection.route_count++];
    char *kind = strchr(word, '=');
    route->kind = word;
    if (kind) {
        *kind++ = 0;
        route->route = strncmp(kind, "link:", 5) == 0 ? VF_ROUTE_LINK : VF_ROUTE_FIELD;
        if (route->route == VF_ROUTE_LINK) {
            struct vf_link *link = &projector->links[projector->projection.route_count - 1];
            link->type = kind + 5;
            route->links = link;
            route->link_count = 1;
        }
    }
}

/* "NAME,SORT,BY,WHERE", each empty for none */
static void add_index(struct vf_projector *projector, char *word)
{
    struct vf_index *index = &projector->indexes[projector->projection.index_count++];
    const char **const parts[] = {&index->name, &index->sort, &index->by, &index->where};
    for (size_t i = 0; i < 4; i++) {
        char *part = strsep(&word, ",");
        *parts[i] = part && *part ? part : NULL;
    }
}

static enum vf_code projector_open(const char *main_name, const struct vf_script_reader *reader,
                                   const struct vf_projector_limits *limits, vf_projector_log *log, void *log_self,
                                   struct vf_projector **ret_projector, struct vf_error *error)
{
    (void)limits;
    (void)log;
    (void)log_self;
    struct vf_bytes text;
    enum vf_code code = reader->read(reader->self, main_name, &text, error);
    if (code != VF_OK) {
        return code;
    }
    if (text.size == 0 || text.size >= sizeof(((struct vf_projector *)0)->text) || memchr(text.data, '!', text.size)) {
        return vf_fail(error, VF_E_CONFIG, "%s:1: that is no projection", main_name);
    }
    struct vf_projector *projector = vf_calloc(1, sizeof *projector);
    memcpy(projector->text, text.data, text.size);
    memcpy(projector->whole, text.data, text.size);
    char *rest = NULL;
    projector->projection.name = strtok_r(projector->text, " \n", &rest);
    const char *versions = strtok_r(NULL, " \n", &rest);
    projector->projection.versions = strcmp(versions, "none") == 0     ? VF_VERSIONS_NONE
                                     : strcmp(versions, "record") == 0 ? VF_VERSIONS_RECORD
                                                                       : VF_VERSIONS_DOCUMENT;
    projector->projection.version = 1;
    projector->projection.topics = projector->topics;
    projector->projection.routes = projector->routes;
    projector->projection.indexes = projector->indexes;
    for (char *word; (word = strtok_r(NULL, " \n", &rest)) != NULL;) {
        if (strncmp(word, "key:", 4) == 0) {
            add_route(projector, word + 4);
        } else if (strncmp(word, "index:", 6) == 0) {
            add_index(projector, word + 6);
        } else if (strncmp(word, "version:", 8) == 0) {
            projector->projection.version = atoi(word + 8);
        } else if (strncmp(word, "code:", 5) != 0) {
            projector->topics[projector->projection.topic_count++] = word;
        }
    }
    projector->file = (struct vf_file){VF_LITERAL("p.lua"), vf_bytes(projector->whole, text.size)};
    *ret_projector = projector;
    return VF_OK;
}

static void projector_close(struct vf_projector *projector)
{
    free(projector);
}

static const struct vf_projection *projector_describe(const struct vf_projector *projector)
{
    return &projector->projection;
}

static void projector_files(const struct vf_projector *projector, const struct vf_file **ret_files, size_t *ret_count)
{
    *ret_files = &projector->file;
    *ret_count = 1;
}

static const struct vf_projector_type projector_type = {.name = "words",
                                                        .open = projector_open,
                                                        .close = projector_close,
                                                        .describe = projector_describe,
                                                        .files = projector_files};

/* --- Kafka -------------------------------------------------------------------------------------------------------- */

static enum vf_code cluster_open(const struct vf_kafka_config *config, int64_t timeout_ms,
                                 struct vf_cluster **ret_cluster, struct vf_error *error)
{
    (void)timeout_ms;
    if (current->kafka_down) {
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "kafka %s: no broker answers", config->brokers);
    }
    *ret_cluster = (struct vf_cluster *)current;
    return VF_OK;
}

static void cluster_close(struct vf_cluster *cluster)
{
    (void)cluster;
}

static enum vf_code cluster_partition_count(struct vf_cluster *cluster, const char *topic, int32_t *ret_count,
                                            struct vf_error *error)
{
    (void)cluster;
    if (strcmp(topic, "orders") != 0) {
        return vf_fail(error, VF_E_NOT_FOUND, "kafka k: there is no topic %s", topic);
    }
    *ret_count = SCENE_PARTITIONS;
    return VF_OK;
}

static enum vf_code cluster_reach(struct vf_cluster *cluster, struct vf_reach *rows, size_t count,
                                  struct vf_error *error)
{
    (void)cluster;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        rows[i].low = current->kafka_low[rows[i].partition.partition];
        rows[i].high = current->kafka_end[rows[i].partition.partition];
    }
    return VF_OK;
}

static enum vf_code cluster_members(struct vf_cluster *cluster, const char *group, size_t *ret_count,
                                    struct vf_error *error)
{
    (void)cluster;
    if (current->kafka_no_coordinator > 0) {
        current->kafka_no_coordinator--;
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "kafka k: members of group %s: Broker: Not coordinator",
                                 group);
    }
    snprintf(current->kafka_group, sizeof current->kafka_group, "%s", group);
    *ret_count = current->kafka_members;
    return VF_OK;
}

static enum vf_code cluster_topic_keeping(struct vf_cluster *cluster, const char *topic, struct vf_keeping *ret_keeping,
                                          struct vf_error *error)
{
    (void)cluster;
    if (current->kafka_policy_denied) {
        return vf_fail(error, VF_E_DENIED, "kafka k: configuration of topic %s: not authorized", topic);
    }
    const char *policy = current->kafka_policy ? current->kafka_policy : "delete";
    *ret_keeping = (struct vf_keeping){
        .compacts = strstr(policy, "compact") != NULL,
        .deletes = strstr(policy, "delete") != NULL,
        .retention_ms = current->kafka_retention_ms,
        .retention_bytes = -1,
    };
    return VF_OK;
}

static enum vf_code cluster_try_read(struct vf_cluster *cluster, const char *topic, struct vf_error *error)
{
    (void)cluster;
    return current->kafka_read_denied
               ? vf_fail(error, VF_E_DENIED, "kafka k: reading of topic %s: not authorized", topic)
               : VF_OK;
}

static const struct vf_cluster_type cluster_type = {.open = cluster_open,
                                                    .close = cluster_close,
                                                    .partition_count = cluster_partition_count,
                                                    .reach = cluster_reach,
                                                    .members = cluster_members,
                                                    .topic_keeping = cluster_topic_keeping,
                                                    .try_read = cluster_try_read};

/* --- time --------------------------------------------------------------------------------------------------------- */

static void come_in_between(struct scene *scene, void (**hook)(struct scene *scene))
{
    void (*others)(struct scene *) = *hook;
    *hook = NULL;
    if (others) {
        others(scene);
    }
}

static int64_t clock_monotonic(void *self)
{
    struct scene *scene = self;
    come_in_between(scene, &scene->on_monotonic);
    return scene->now_ms;
}

static int64_t clock_wall(void *self)
{
    struct scene *scene = self;
    come_in_between(scene, &scene->on_wall);
    return 1772359200000 + scene->now_ms;
}

static uint64_t clock_random(void *self)
{
    struct scene *scene = self;
    static uint64_t last = 1000;
    come_in_between(scene, &scene->on_random);
    return ++last;
}

static void clock_sleep(void *self, int64_t duration)
{
    struct scene *scene = self;
    assert_true(duration > 0);
    scene->now_ms += duration;
    scene->sleeps++;
    assert_true(scene->sleeps < 10000); /* nobody waits for ever */
    if (scene->on_sleep) {
        scene->on_sleep(scene);
    }
}

/* --- the scene ---------------------------------------------------------------------------------------------------- */

int scene_setup(void **state)
{
    struct scene *scene = vf_calloc(1, sizeof *scene);
    strcpy(scene->folder, "/tmp/vf_cli_XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    scene->arena = vf_arena_new();
    scene->redis = vf_memory_server_new(NULL);
    scene->mongodb = vf_memory_server_new(NULL);
    scene->kafka_members = 1;
    scene->kafka_retention_ms = -1;
    current = scene;
    *state = scene;
    scene_write(scene, "viewfold.yaml", SCENE_CONFIG);
    scene_write(scene, "p.lua", SCENE_SCRIPT);
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *scene = *state;
    static const char *const names[] = {"viewfold.yaml", "p.lua",        "q.lua",     "a.lua",     "b.lua",
                                        "sample",        "accounts.lua", "cards.lua", "loans.lua", "shown.lua"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", scene->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(scene->folder), 0);
    free(scene->out);
    free(scene->err);
    vf_memory_server_free(scene->redis);
    vf_memory_server_free(scene->mongodb);
    vf_arena_free(scene->arena);
    free(scene);
    current = NULL;
    return 0;
}

void scene_write(struct scene *scene, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", scene->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

int scene_run(struct scene *scene, const char *words)
{
    struct vf_store_type redis = vf_memory_store_type;
    struct vf_store_type mongodb = vf_memory_store_type;
    const struct vf_store_type *const stores[] = {&redis, &mongodb, NULL};
    const struct vf_clock clock = {.monotonic_ms = clock_monotonic,
                                   .wall_ms = clock_wall,
                                   .sleep_ms = clock_sleep,
                                   .random = clock_random,
                                   .self = scene};
    redis.name = "redis";
    redis.open = open_redis;
    redis.load = load_redis;
    redis.held_up = what_holds_redis_up;
    mongodb.name = "mongodb";
    mongodb.open = open_mongodb;
    const struct vf_registry registry = {.stores = stores,
                                         .projector = scene->projector ? scene->projector : &projector_type,
                                         .cluster = &cluster_type,
                                         .clock = &clock};

    char line[512];
    char path[128];
    char *argv[32] = {(char[]){"viewfold"}, (char[]){"-c"}, path};
    int argc = 3;
    snprintf(path, sizeof path, "%s/viewfold.yaml", scene->folder);
    assert_true(snprintf(line, sizeof line, "%s", words) < (int)sizeof line);
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        assert_true(argc < 32);
        argv[argc++] = word;
    }
    free(scene->out);
    free(scene->err);
    size_t out_size = 0;
    FILE *out = open_memstream(&scene->out, &out_size);
    FILE *err = tmpfile(); /* a real file: the log writes there, too */
    assert_non_null(err);
    scene->sleeps = 0;
    int status = vf_cli_main(argc, argv, &registry, out, err);
    fclose(out);
    fflush(err);
    off_t err_size = lseek(fileno(err), 0, SEEK_END);
    scene->err = vf_calloc(1, (size_t)err_size + 1);
    assert_int_equal(pread(fileno(err), scene->err, (size_t)err_size, 0), err_size);
    vf_log_setup(VF_LOG_ERROR, VF_LOG_LOGFMT, STDERR_FILENO);
    fclose(err);
    return status;
}

/* --- what is in the stores ---------------------------------------------------------------------------------------- */

static const struct vf_view view = {"customer_orders", 1};

static struct vf_store *open_on(struct vf_memory_server *server)
{
    struct vf_store *store = NULL;
    struct vf_error error;
    assert_int_equal(vf_memory_store_open_on(server, &store, &error), VF_OK);
    return store;
}

void scene_prepare(struct scene *scene, struct vf_memory_server *server, const char *text)
{
    struct vf_store *store = open_on(server);
    struct vf_file file = {VF_LITERAL("p.lua"), vf_bytes_from(text)};
    struct vf_generation proposed = {.number = 1,
                                     .state = "active",
                                     .projection_version = 1,
                                     .script = "p.lua",
                                     .files = &file,
                                     .file_count = 1,
                                     .format = VF_FORMAT};
    struct vf_generation held;
    struct vf_error error;
    bool created;
    memset(proposed.script_hash, 'a', 64);
    assert_int_equal(vf_memory_store_type.prepare(store, view.name, &proposed, scene->arena, &held, &created, &error),
                     VF_OK);
    vf_memory_store_type.close(store);
}

static void commit(struct vf_memory_server *server, struct vf_commit *commit)
{
    static uint64_t stamp = 1;
    struct vf_store *store = open_on(server);
    struct vf_commit_result result;
    commit->view = view;
    commit->stamp = stamp++;
    vf_memory_store_type.commit_send(store, commit);
    vf_memory_store_type.commit_wait(store, &result);
    assert_int_equal(result.outcome, VF_COMMITTED);
    vf_memory_store_type.close(store);
}

static struct vf_bytes bson_from_json(struct scene *scene, const char *json)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root;
    struct vf_error error;
    bson_t *bson = bson_new();
    assert_int_equal(vf_json_parse(parser, vf_bytes_from(json), &root, &error), VF_OK);
    struct vf_json_iterator iterator = vf_json_iterate(root);
    struct vf_bytes key;
    struct vf_json value;
    while (vf_json_next(&iterator, &key, &value)) {
        assert_int_equal(vf_body_append_json(bson, key, value, &error), VF_OK);
    }
    struct vf_bytes bytes = vf_arena_bytes(scene->arena, bson_get_data(bson), bson->len);
    bson_destroy(bson);
    vf_json_parser_free(parser);
    return bytes;
}

static void put(struct scene *scene, struct vf_memory_server *server, const char *id, enum vf_presence presence,
                const char *body, int64_t revision, const struct vf_version *versions, size_t count)
{
    struct vf_store *store = open_on(server);
    struct vf_bytes key = vf_bytes_from(id);
    struct vf_document held;
    struct vf_error error;
    assert_int_equal(vf_memory_store_type.load(store, view, &key, 1, NULL, 0, scene->arena, &held, NULL, &error),
                     VF_OK);
    vf_memory_store_type.close(store);
    struct vf_document_change change = {
        .intent = VF_WRITE,
        .base = held.presence,
        .base_stamp = held.stamp,
        .next = {.id = key,
                 .presence = presence,
                 .revision = revision,
                 .versions = versions,
                 .version_count = count,
                 .body = presence == VF_PRESENT ? bson_from_json(scene, body) : (struct vf_bytes){NULL, 0}},
    };
    commit(server, &(struct vf_commit){.documents = &change, .document_count = 1});
}

void scene_put(struct scene *scene, struct vf_memory_server *server, const char *id, enum vf_presence presence,
               const char *body, int64_t revision, const struct scene_version *versions)
{
    size_t count = 0;
    while (versions[count].aggregate) {
        count++;
    }
    struct vf_version *list = vf_arena_calloc(scene->arena, count, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct vf_version){vf_bytes_from(versions[i].aggregate), versions[i].version, NULL};
    }
    put(scene, server, id, presence, body, revision, list, count);
}

static const struct vf_version *parse_versions(struct scene *scene, const char *json, size_t *ret_count)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    const struct vf_version *list;
    struct vf_error error;
    assert_int_equal(vf_versions_parse(vf_bytes_from(json), parser, scene->arena, &list, ret_count, &error), VF_OK);
    vf_json_parser_free(parser);
    return list;
}

void scene_put_versions(struct scene *scene, struct vf_memory_server *server, const char *id, const char *versions)
{
    size_t count;
    const struct vf_version *list = parse_versions(scene, versions, &count);
    put(scene, server, id, VF_PRESENT, "{}", 1, list, count);
}

static void put_record(struct scene *scene, struct vf_memory_server *server, const char *aggregate, const char *link,
                       bool has_version, const struct vf_version *version)
{
    struct vf_store *store = open_on(server);
    struct vf_bytes name = vf_bytes_from(aggregate);
    struct vf_aggregate held;
    struct vf_error error;
    assert_int_equal(vf_memory_store_type.load(store, view, NULL, 0, &name, 1, scene->arena, NULL, &held, &error),
                     VF_OK);
    vf_memory_store_type.close(store);
    struct vf_aggregate_change change = {
        .intent = VF_WRITE,
        .base_exists = held.exists,
        .base_stamp = held.stamp,
        .next = {.aggregate = name,
                 .exists = true,
                 .has_link = link != NULL,
                 .link = vf_bytes_from(link),
                 .has_version = has_version,
                 .version = version->version,
                 .version_more = version->more},
    };
    commit(server, &(struct vf_commit){.aggregates = &change, .aggregate_count = 1});
}

void scene_put_record(struct scene *scene, struct vf_memory_server *server, const char *aggregate, const char *link,
                      int64_t version)
{
    put_record(scene, server, aggregate, link, version >= 0, &(struct vf_version){.version = version});
}

void scene_put_record_version(struct scene *scene, struct vf_memory_server *server, const char *aggregate,
                              const char *version)
{
    size_t count;
    const char *json = vf_arena_printf(scene->arena, "{\"%s\":%s}", aggregate, version).data;
    put_record(scene, server, aggregate, NULL, true, parse_versions(scene, json, &count));
}

void scene_hold(struct scene *scene, struct vf_memory_server *server, const char *aggregate, int64_t version,
                int64_t offset)
{
    (void)scene;
    struct vf_partition partition = {"orders", 0};
    struct vf_aside aside = {.list = vf_bytes_from(aggregate),
                             .aggregate = vf_bytes_from(aggregate),
                             .partition = partition,
                             .offset = offset,
                             .record = VF_LITERAL("a record")};
    struct vf_aggregate_change record = {
        .intent = VF_WRITE,
        .next = {.aggregate = vf_bytes_from(aggregate),
                 .exists = true,
                 .aside_to = 1,
                 .has_seen = true,
                 .seen = version,
                 .state = VF_ASIDE_HELD},
    };
    struct vf_progress_change progress = {
        .partition = partition, .to = {.exists = true, .next = offset + 1, .of = SCENE_PARTITIONS, .aside = 1}};
    commit(server, &(struct vf_commit){.aggregates = &record,
                                       .aggregate_count = 1,
                                       .asides = &aside,
                                       .aside_count = 1,
                                       .progress = &progress,
                                       .progress_count = 1});
}

/* As a record of the default envelope. */
static struct vf_bytes encode_event(struct scene *scene, struct vf_bytes aggregate, int64_t version, int64_t offset)
{
    const char *slash = memchr(aggregate.data, '/', aggregate.size);
    assert_non_null(slash);
    int kind = (int)(slash - aggregate.data), id = (int)aggregate.size - kind - 1;
    struct vf_record record = {
        .topic = "orders",
        .offset = offset,
        .timestamp_ms = 1772359200000,
        .key = vf_bytes(slash + 1, (size_t)id),
        .value = vf_arena_printf(scene->arena,
                                 "{\"kind\":\"%.*s\",\"id\":\"%.*s\",\"version\":%lld,\"event_id\":\"e%lld\",\"type\":"
                                 "\"Changed\",\"time\":\"2026-03-01T10:00:00Z\",\"data\":{\"n\":%lld}}",
                                 kind, aggregate.data, id, slash + 1, (long long)version, (long long)offset,
                                 (long long)version)};
    struct vf_buffer bytes;
    vf_buffer_init(&bytes);
    vf_record_encode(&bytes, &record);
    struct vf_bytes kept = vf_arena_bytes(scene->arena, bytes.data, bytes.size);
    vf_buffer_done(&bytes);
    return kept;
}

void scene_set_aside(struct scene *scene, struct vf_memory_server *server, const struct vf_aggregate *record,
                     const struct scene_aside *asides, size_t count)
{
    struct vf_store *store = open_on(server);
    struct vf_aggregate had;
    struct vf_error error;
    assert_int_equal(
        vf_memory_store_type.load(store, view, NULL, 0, &record->aggregate, 1, scene->arena, NULL, &had, &error),
        VF_OK);
    vf_memory_store_type.close(store);
    struct vf_aggregate_change change = {.intent = VF_WRITE,
                                         .base_exists = had.exists,
                                         .base_stamp = had.stamp,
                                         .base_state = had.state,
                                         .base_draining = had.draining,
                                         .next = *record};
    struct vf_aside *made = vf_arena_calloc(scene->arena, count, sizeof *made);
    for (size_t i = 0; i < count; i++) {
        struct vf_bytes aggregate = asides[i].aggregate ? vf_bytes_from(asides[i].aggregate) : record->aggregate;
        made[i] = (struct vf_aside){
            .list = vf_list_key(scene->arena, asides[i].list, record->aggregate),
            .place = asides[i].place,
            .aggregate = aggregate,
            .partition = {"orders", 0},
            .offset = asides[i].offset,
            .record = encode_event(scene, aggregate, asides[i].version, asides[i].offset),
        };
    }
    change.next.exists = true;
    commit(server,
           &(struct vf_commit){.aggregates = &change, .aggregate_count = 1, .asides = made, .aside_count = count});
}

void scene_park(struct scene *scene, struct vf_memory_server *server, const char *aggregate, int64_t offset,
                const char *error)
{
    const struct scene_aside asides[] = {{.place = 0, .version = 5, .offset = offset},
                                         {.place = 1, .version = 6, .offset = offset + 1},
                                         {.place = 2, .version = 7, .offset = offset + 2}};
    struct vf_aggregate record = {
        .aggregate = vf_bytes_from(aggregate),
        .aside_to = 3,
        .has_seen = true,
        .seen = 7,
        .parked = true,
        .failure = {.error = vf_bytes_from(error),
                    .traceback = VF_LITERAL("stack traceback:\n\tp.lua:9: in the handler"),
                    .script = VF_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                    .failed_ms = 1772359260000},
        .since_ms = 1772359260000,
        .state = VF_ASIDE_PARKED,
    };
    scene_set_aside(scene, server, &record, asides, 3);
}

void scene_release(struct scene *scene, struct vf_memory_server *server, const char *aggregate, int64_t offset,
                   const char *link)
{
    struct vf_store *store = open_on(server);
    struct vf_bytes name = vf_bytes_from(aggregate);
    struct vf_aggregate held;
    struct vf_error error;
    assert_int_equal(vf_memory_store_type.load(store, view, NULL, 0, &name, 1, scene->arena, NULL, &held, &error),
                     VF_OK);
    vf_memory_store_type.close(store);
    struct vf_aside taken = {.list = name, .aggregate = name, .partition = {"orders", 0}, .offset = offset};
    struct vf_aggregate_change record = {.intent = VF_WRITE,
                                         .base_exists = true,
                                         .base_stamp = held.stamp,
                                         .base_state = held.state,
                                         .next = {.aggregate = name,
                                                  .exists = true,
                                                  .aside_from = 1,
                                                  .aside_to = 1,
                                                  .has_link = true,
                                                  .link = vf_bytes_from(link)}};
    commit(server, &(struct vf_commit){.aggregates = &record, .aggregate_count = 1, .taken = &taken, .taken_count = 1});
}

void scene_put_indexed(struct scene *scene, struct vf_memory_server *server, const char *id, const char *body,
                       int64_t expires_ms, const struct vf_index *indexes, size_t index_count)
{
    struct vf_store *store = open_on(server);
    struct vf_bytes key = vf_bytes_from(id);
    struct vf_document held;
    struct vf_error error;
    struct vf_index_entry *base = NULL, *next;
    assert_int_equal(vf_memory_store_type.load(store, view, &key, 1, NULL, 0, scene->arena, &held, NULL, &error),
                     VF_OK);
    vf_memory_store_type.close(store);
    struct vf_bytes bson = bson_from_json(scene, body);
    if (held.presence == VF_PRESENT) {
        assert_int_equal(vf_index_entries(indexes, index_count, held.body, scene->arena, &base, &error), VF_OK);
    }
    assert_int_equal(vf_index_entries(indexes, index_count, bson, scene->arena, &next, &error), VF_OK);
    struct vf_document_change change = {
        .intent = VF_WRITE,
        .base = held.presence,
        .base_stamp = held.stamp,
        .base_has_expires = held.has_expires,
        .base_entries = base,
        .next_entries = next,
        .next = {.id = key,
                 .presence = VF_PRESENT,
                 .revision = held.revision + 1,
                 .has_expires = expires_ms > 0,
                 .expires_ms = expires_ms,
                 .body = bson},
    };
    commit(server, &(struct vf_commit){
                       .documents = &change, .document_count = 1, .indexes = indexes, .index_count = index_count});
}

void scene_put_expiring(struct scene *scene, struct vf_memory_server *server, const char *id, int64_t expires_ms)
{
    struct vf_document_change change = {
        .intent = VF_WRITE,
        .next = {.id = vf_bytes_from(id),
                 .presence = VF_PRESENT,
                 .revision = 1,
                 .has_expires = true,
                 .expires_ms = expires_ms,
                 .body = bson_from_json(scene, "{}")},
    };
    commit(server, &(struct vf_commit){.documents = &change, .document_count = 1});
}

static void put_progress(struct scene *scene, struct vf_memory_server *server, struct vf_partition partition,
                         struct vf_progress to)
{
    struct vf_store *store = open_on(server);
    struct vf_progress_row *rows = NULL;
    size_t count = 0;
    struct vf_error error;
    struct vf_progress_change change = {.partition = partition, .to = to};
    assert_int_equal(vf_memory_store_type.progress(store, view, scene->arena, &rows, &count, &error), VF_OK);
    vf_memory_store_type.close(store);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].partition.partition == partition.partition &&
            strcmp(rows[i].partition.topic, partition.topic) == 0) {
            change.from = rows[i].progress;
        }
    }
    commit(server, &(struct vf_commit){.progress = &change, .progress_count = 1});
}

void scene_put_progress_of(struct scene *scene, struct vf_memory_server *server, const char *topic, int32_t partition,
                           int64_t next)
{
    put_progress(scene, server, (struct vf_partition){topic, partition},
                 (struct vf_progress){.exists = true, .next = next, .of = SCENE_PARTITIONS});
}

void scene_put_progress(struct scene *scene, struct vf_memory_server *server, int32_t partition, int64_t next)
{
    scene_put_progress_of(scene, server, "orders", partition, next);
}

void scene_put_lost(struct scene *scene, struct vf_memory_server *server, int32_t partition, int64_t next, int64_t had)
{
    put_progress(scene, server, (struct vf_partition){"orders", partition},
                 (struct vf_progress){.exists = true, .next = next, .of = SCENE_PARTITIONS, .had = had});
}

void scene_stop(struct scene *scene, struct vf_memory_server *server, int32_t partition, const char *reason)
{
    (void)scene;
    struct vf_store *store = open_on(server);
    struct vf_error error;
    assert_int_equal(
        vf_memory_store_type.note_stopped(store, view, 0, (struct vf_partition){"orders", partition}, reason, &error),
        VF_OK);
    vf_memory_store_type.close(store);
}
