/* Warm, resting and evicted documents of a worker's cache, over a projector whose warm documents are just their BSON. */
#include "run/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* 1.. : handles */
struct vf_projector {
    struct vf_bytes bodies[8];
    int warmed;
    int live;
};

static enum vf_code warm(struct vf_projector *projector, struct vf_bytes body, vf_warm *ret_document,
                         struct vf_error *error)
{
    (void)error;
    projector->live++;
    *ret_document = (vf_warm)++projector->warmed;
    projector->bodies[projector->warmed] = vf_bytes(memcpy(vf_alloc(body.size), body.data, body.size), body.size);
    return VF_OK;
}

static void cool(struct vf_projector *projector, vf_warm document)
{
    if (!document)
        return;
    projector->live--;
    free((void *)(uintptr_t)projector->bodies[document].data);
    projector->bodies[document].data = NULL;
}

static const struct vf_projection *describe(const struct vf_projector *projector)
{
    static const struct vf_projection plain = {.name = "view"};
    (void)projector;
    return &plain;
}

static const struct vf_projector_type type = {.name = "test", .describe = describe, .warm = warm, .cool = cool};

/* Bodies hold NUL bytes, as all BSON does. */
static const struct vf_bytes body = {"\x0c\0\0\0\x10n\0\x07\0\0\0\0", 12};

struct scene {
    struct vf_projector projector;
    struct vf_cache *cache;
    struct vf_cached_document *document;
};

static void set_up(struct scene *scene, size_t bytes_max)
{
    struct vf_document stored = {.id = VF_LITERAL("4b"), .presence = VF_PRESENT, .revision = 1, .body = body};
    *scene = (struct scene){0};
    scene->cache = vf_cache_new(&type, &scene->projector, bytes_max);
    scene->document = vf_cache_put_document(scene->cache, &stored);
}

/* A batch uses the document, as the fold does, and is sealed. */
static void use(struct scene *scene, uint64_t batch)
{
    struct vf_error error;
    assert_true(vf_cache_use(scene->cache, &scene->document->head, batch));
    assert_int_equal(vf_cache_warm(scene->cache, scene->document, &error), VF_OK);
    vf_cache_rest(scene->cache, scene->document, body);
    vf_cache_weigh(scene->cache, &scene->document->head);
}

static void a_document_that_is_used_once_rests_as_its_bson(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1 << 20);
    use(&scene, 100);
    assert_int_equal(scene.projector.live, 0);
    assert_true(vf_bytes_equal(scene.document->cold, body));
    use(&scene, 200);
    assert_true(vf_bytes_equal(scene.document->cold, body));
    assert_int_equal(scene.projector.warmed, 2);
    vf_cache_free(scene.cache);
}

static void a_document_that_is_used_time_and_again_stays_warm(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1 << 20);
    use(&scene, 100);
    for (uint64_t batch = 101; batch < 105; batch++)
        use(&scene, batch);
    assert_int_equal(scene.projector.live, 1);
    assert_int_equal(scene.projector.warmed, 2);
    vf_cache_free(scene.cache);
    assert_int_equal(scene.projector.live, 0);
}

static void a_resting_document_takes_less_room(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1 << 20);
    use(&scene, 100);
    size_t resting = scene.document->head.bytes;
    use(&scene, 101);
    assert_true(scene.document->head.bytes > resting);
    vf_cache_free(scene.cache);
}

static void what_a_batch_in_hand_has_used_is_not_evicted(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1);
    use(&scene, 100);
    assert_int_equal(vf_cache_evict(scene.cache, 100), 0);
    assert_non_null(vf_cache_document(scene.cache, VF_LITERAL("4b")));
    assert_int_equal(vf_cache_evict(scene.cache, 101), 1);
    assert_null(vf_cache_document(scene.cache, VF_LITERAL("4b")));
    vf_cache_free(scene.cache);
}

static void what_was_read_and_not_used_goes_and_the_rest_stays(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1 << 20);
    use(&scene, 1);
    vf_cache_put_document(scene.cache, &(struct vf_document){.id = VF_LITERAL("4c"), .presence = VF_ABSENT});
    vf_cache_set_whole(scene.cache);
    vf_cache_drop_unused(scene.cache);
    assert_null(vf_cache_document(scene.cache, VF_LITERAL("4c")));
    assert_non_null(vf_cache_document(scene.cache, VF_LITERAL("4b")));
    assert_true(vf_cache_is_whole(scene.cache));
    vf_cache_drop_since(scene.cache, 1);
    assert_false(vf_cache_is_whole(scene.cache));
    vf_cache_free(scene.cache);
}

/* A record is drained for what is in its lists; but what came before a revision that was missing only by who has asked for it. */
static void what_drains_for_others_is_not_asked_for_itself(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene, 1 << 20);
    struct vf_aggregate record = {.aggregate = VF_LITERAL("account/9"),
                                  .exists = true,
                                  .has_link = true,
                                  .link = VF_LITERAL("4b"),
                                  .waiters_to = 2,
                                  .early_count = 1,
                                  .early_from = vf_early_place_of_revision(2, 0),
                                  .early_last = vf_early_place_of_revision(2, 0),
                                  .draining = true};
    struct vf_cached_aggregate *of_revisions = vf_cache_put_aggregate(scene.cache, &record);
    assert_true(vf_cached_is_draining(of_revisions) && !vf_cached_drains_early(of_revisions));
    record.aggregate = VF_LITERAL("account/10");
    record.early_from = record.early_last = 2;
    assert_true(vf_cached_drains_early(vf_cache_put_aggregate(scene.cache, &record)));
    vf_cache_free(scene.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_that_is_used_once_rests_as_its_bson),
        cmocka_unit_test(what_was_read_and_not_used_goes_and_the_rest_stays),
        cmocka_unit_test(a_document_that_is_used_time_and_again_stays_warm),
        cmocka_unit_test(a_resting_document_takes_less_room),
        cmocka_unit_test(what_drains_for_others_is_not_asked_for_itself),
        cmocka_unit_test(what_a_batch_in_hand_has_used_is_not_evicted),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
