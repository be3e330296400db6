#include "cli/retry_scene.h"

#include "core/body.h"
#include "lua/lua_projector.h"

#include <stdio.h>

const struct vf_view retry_view = {"customer_orders", 1};

struct scene *furnish_with(void **state, const char *script)
{
    struct scene *scene = *state;
    scene->projector = &vf_lua_projector_type;
    scene_write(scene, "viewfold.yaml", ONE_STORE);
    scene_write(scene, "p.lua", AS_IT_WAS);
    scene_write(scene, "q.lua", MENDED);
    scene_prepare(scene, scene->redis, script);
    scene_put_progress(scene, scene->redis, 0, 100);
    scene_put(scene, scene->redis, "42", VF_PRESENT, "{\"n\":10}", 4,
              (struct scene_version[]){{"order/42", 4}, {NULL, 0}});
    scene_park(scene, scene->redis, "order/42", 41, "p.lua:2: boom at 5");
    return scene;
}

struct scene *furnish(void **state)
{
    return furnish_with(state, AS_IT_WAS);
}

struct vf_store *open_store(struct scene *scene)
{
    struct vf_store *store = NULL;
    assert_int_equal(vf_memory_store_open_on(scene->redis, &store, NULL), VF_OK);
    return store;
}

static struct vf_document document_of(struct scene *scene, const char *id)
{
    struct vf_store *store = open_store(scene);
    struct vf_bytes key = vf_bytes_from(id);
    struct vf_document document;
    assert_int_equal(
        vf_memory_store_type.load(store, retry_view, &key, 1, NULL, 0, scene->arena, &document, NULL, NULL), VF_OK);
    vf_memory_store_type.close(store);
    return document;
}

struct vf_aggregate record_of(struct scene *scene, const char *aggregate)
{
    struct vf_store *store = open_store(scene);
    struct vf_bytes key = vf_bytes_from(aggregate);
    struct vf_aggregate record;
    assert_int_equal(vf_memory_store_type.load(store, retry_view, NULL, 0, &key, 1, scene->arena, NULL, &record, NULL),
                     VF_OK);
    vf_memory_store_type.close(store);
    return record;
}

void assert_holds(struct scene *scene, const char *id, const char *body, int64_t version)
{
    struct vf_document document = document_of(scene, id);
    struct vf_buffer text;
    vf_buffer_init(&text);
    assert_int_equal(document.presence, VF_PRESENT);
    assert_int_equal(vf_body_print(&text, document.body, NULL), VF_OK);
    assert_string_equal(text.data, body);
    assert_int_equal(document.version_count, 1);
    assert_int_equal(document.versions[0].version, version);
    vf_buffer_done(&text);
}

size_t dropped_count(struct scene *scene, struct vf_dropped **ret_dropped)
{
    struct vf_store *store = open_store(scene);
    size_t count;
    assert_int_equal(vf_memory_store_type.dropped(store, retry_view, 0, 10, scene->arena, ret_dropped, &count, NULL),
                     VF_OK);
    vf_memory_store_type.close(store);
    return count;
}

void expect(struct scene *scene, const char *words, int status, const char *out)
{
    int answered = scene_run(scene, words);
    assert_string_equal(scene->out, out);
    assert_string_equal(scene->err, "");
    assert_int_equal(answered, status);
}

void furnish_gap(struct scene *scene)
{
    scene_put(scene, scene->redis, "7", VF_PRESENT, "{\"n\":3}", 2,
              (struct scene_version[]){{"order/7", 2}, {NULL, 0}});
    scene_set_aside(scene, scene->redis,
                    &(struct vf_aggregate){.aggregate = VF_LITERAL("order/7"),
                                           .early_count = 2,
                                           .early_from = 6,
                                           .early_last = 9,
                                           .state = VF_ASIDE_GAP},
                    (struct scene_aside[]){{VF_LIST_EARLY, 6, NULL, 6, 50}, {VF_LIST_EARLY, 9, NULL, 9, 51}}, 2);
}

struct scene *furnish_held(void **state)
{
    struct scene *scene = furnish_with(state, LINKS);
    scene_write(scene, "p.lua", LINKS);
    scene_set_aside(
        scene, scene->redis,
        &(struct vf_aggregate){
            .aggregate = VF_LITERAL("order/9"), .aside_to = 2, .has_seen = true, .seen = 2, .state = VF_ASIDE_HELD},
        (struct scene_aside[]){{.place = 0, .version = 1, .offset = 60}, {.place = 1, .version = 2, .offset = 61}}, 2);
    return scene;
}

void somebody_else_drops_it(struct scene *scene)
{
    static uint64_t stamp = 900;
    struct vf_store *store = open_store(scene);
    struct vf_aggregate record = record_of(scene, "order/42");
    struct vf_aside taken = {.list = VF_LITERAL("order/42"),
                             .place = record.aside_from,
                             .aggregate = VF_LITERAL("order/42"),
                             .partition = {"orders", 0},
                             .offset = 41};
    struct vf_dropped dropped = {.aggregate = VF_LITERAL("order/42"), .partition = {"orders", 0}, .offset = 41};
    struct vf_aggregate_change change = {.intent = VF_WRITE,
                                         .base_exists = true,
                                         .base_stamp = record.stamp,
                                         .base_state = record.state,
                                         .base_draining = record.draining,
                                         .next = record};
    struct vf_commit commit = {.view = retry_view,
                               .stamp = ++stamp,
                               .aggregates = &change,
                               .aggregate_count = 1,
                               .taken = &taken,
                               .taken_count = 1,
                               .dropped = &dropped,
                               .dropped_count = 1};
    struct vf_commit_result result;
    change.next.aside_from++;
    change.next.failure.error = VF_LITERAL("p.lua:2: boom at 6");
    vf_memory_store_type.commit_send(store, &commit);
    vf_memory_store_type.commit_wait(store, &result);
    assert_int_equal(result.outcome, VF_COMMITTED);
    vf_memory_store_type.close(store);
}

void somebody_else_takes_it_in(struct scene *scene)
{
    struct vf_store *store = open_store(scene);
    struct vf_aggregate record = record_of(scene, "order/42");
    struct vf_aside taken[3];
    struct vf_aggregate_change change = {.intent = VF_WRITE,
                                         .base_exists = true,
                                         .base_stamp = record.stamp,
                                         .base_state = record.state,
                                         .base_draining = record.draining,
                                         .next = {.aggregate = VF_LITERAL("order/42")}};
    for (int i = 0; i < 3; i++) {
        taken[i] = (struct vf_aside){.list = VF_LITERAL("order/42"),
                                     .place = i,
                                     .aggregate = VF_LITERAL("order/42"),
                                     .partition = {"orders", 0},
                                     .offset = 41 + i};
    }
    struct vf_commit commit = {.view = retry_view,
                               .stamp = 950,
                               .aggregates = &change,
                               .aggregate_count = 1,
                               .taken = taken,
                               .taken_count = 3};
    struct vf_commit_result result;
    vf_memory_store_type.commit_send(store, &commit);
    vf_memory_store_type.commit_wait(store, &result);
    assert_int_equal(result.outcome, VF_COMMITTED);
    vf_memory_store_type.close(store);
}
