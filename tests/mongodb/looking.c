#include "mongodb/looking.h"

#include "connectors/mongodb/mongodb_store.h"

#include <stdio.h>

struct server server;

static struct vf_store *open_store(void *self, struct vf_error *error)
{
    (void)self;
    struct vf_store_config config = {
        .name = "documents", .url = server.url, .prefix = "", .connect_timeout_ms = 5000, .command_timeout_ms = 30000};
    struct vf_store *store = NULL;
    return vf_mongodb_store_type.open(&config, &store, error) == VF_OK ? store : NULL;
}

const char *text(struct scene *scene, const char *format, ...)
{
    va_list arguments;
    char *buffer = vf_arena_alloc(scene->arena, 4096);
    va_start(arguments, format);
    vsnprintf(buffer, 4096, format, arguments);
    va_end(arguments);
    return buffer;
}

int64_t count_of(struct scene *scene, const char *collection, const char *query)
{
    bson_iter_t iter;
    bson_t *reply = server_run(&server, server.database,
                               text(scene, "{\"count\": \"%s%s\", \"query\": %s}", scene->name, collection, query));
    assert_true(bson_iter_init_find(&iter, reply, "n"));
    int64_t count = bson_iter_as_int64(&iter);
    bson_destroy(reply);
    return count;
}

void assert_lies(struct scene *scene, const char *collection, const char *query)
{
    if (count_of(scene, collection, query) != 1)
        fail_msg("%s does not hold %s", collection, query);
}

/* ---- plans: what the server's profiler says of the commands on a view's collections ---- */

void profile(int level)
{
    char command[64];
    snprintf(command, sizeof(command), "{\"profile\": %d}", level);
    bson_destroy(server_run(&server, server.database, command));
}

static int64_t int_at(const bson_t *bson, const char *path)
{
    bson_iter_t iter, found;
    return bson_iter_init(&iter, bson) && bson_iter_find_descendant(&iter, path, &found) ? bson_iter_as_int64(&found)
                                                                                         : 0;
}

/* Every question since profile(2) was answered by an index, in its order, and looked at few entries. Returns how many. */
int assert_plans(struct scene *scene, int64_t most_keys)
{
    int seen = 0;
    profile(0);
    bson_t *reply =
        server_run(&server, server.database,
                   text(scene,
                        "{\"find\": \"system.profile\", \"batchSize\": 10000, \"filter\": {\"ns\": {\"$regex\": "
                        "\"%s\"}}}",
                        scene->name));
    bson_iter_t iter, batch, one;
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch));
    assert_true(bson_iter_recurse(&batch, &one));
    for (; bson_iter_next(&one); seen++) {
        const uint8_t *data;
        uint32_t size;
        bson_t row;
        bson_iter_document(&one, &size, &data);
        assert_true(bson_init_static(&row, data, size));
        char *json = bson_as_relaxed_extended_json(&row, NULL);
        if (!strstr(json, "IXSCAN") || strstr(json, "COLLSCAN") || strstr(json, "hasSortStage") ||
            int_at(&row, "keysExamined") > most_keys)
            fail_msg("not by an index alone: %s", json);
        bson_free(json);
    }
    bson_destroy(reply);
    bson_destroy(server_run(&server, server.database, "{\"drop\": \"system.profile\"}"));
    return seen;
}

int looking_run_tests(const struct CMUnitTest *tests, size_t count)
{
    static const struct vf_store_contract contract = {.type = &vf_mongodb_store_type, .open = open_store};
    contract_under_test = &contract;
    server_init(&server);
    int failed = _cmocka_run_group_tests("mongodb", tests, count, NULL, NULL);
    server_done(&server);
    return failed;
}
