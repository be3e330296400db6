/*
 * Each way in which `test` delivers events finds a fault that the ways before it do not. Lua scripts have hardly a way to
 * keep state any more, so the faults are those of a projector in C, behind the same seam.
 */
#include "cli/test_check.h"
#include "connectors/memory/memory_rehearsal.h"
#include "run/log.h"

#include <bson/bson.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a projector that counts events, with a fault ----------------------------------------------------------------- */

enum fault {
    FAULTLESS,
    COUNTS_ROUTES,  /* the route's answer depends on how often it was asked */
    SEES_OLD,       /* what is written depends on whether an old event has come again */
    CHANGES_AT_END, /* writing a document changes it */
    READS_WRONG,    /* reading a document changes it */
    KEEPS_COUNT,    /* the count is the projector's, not the document's */
    REMEMBERS_LAST, /* the document says which aggregate came last */
};

static enum fault fault;

#define DOCUMENTS 1000 /* that a run may warm */

struct document {
    int64_t n;
    char last[16];
};

struct vf_projector {
    struct document documents[DOCUMENTS];
    vf_warm used;
    int64_t routes, count, newest;
    bool saw_old;
    struct vf_file file;
};

static const char *const topics[] = {"things"};
static const struct vf_route routes[] = {{.kind = "thing", .route = VF_ROUTE_FUNCTION}};
static const struct vf_handler handlers[] = {{.type = "Added"}};
static const struct vf_projection projection = {.name = "fake",
                                                .version = 1,
                                                .topics = topics,
                                                .topic_count = 1,
                                                .routes = routes,
                                                .route_count = 1,
                                                .handlers = handlers,
                                                .handler_count = 1,
                                                .versions = VF_VERSIONS_RECORD};

static enum vf_code fake_open(const char *main_name, const struct vf_script_reader *reader,
                              const struct vf_projector_limits *limits, vf_projector_log *log, void *log_self,
                              struct vf_projector **ret_projector, struct vf_error *error)
{
    (void)main_name;
    (void)reader;
    (void)limits;
    (void)log;
    (void)log_self;
    (void)error;
    *ret_projector = vf_calloc(1, sizeof **ret_projector);
    (*ret_projector)->file = (struct vf_file){VF_LITERAL("fake"), VF_LITERAL("text")};
    return VF_OK;
}

static void fake_close(struct vf_projector *projector)
{
    free(projector);
}

static const struct vf_projection *fake_describe(const struct vf_projector *projector)
{
    (void)projector;
    return &projection;
}

static void fake_files(const struct vf_projector *projector, const struct vf_file **ret_files, size_t *ret_count)
{
    *ret_files = &projector->file;
    *ret_count = 1;
}

static enum vf_code fake_route(struct vf_projector *projector, const struct vf_route *kind_route,
                               const struct vf_event *event, struct vf_arena *arena, struct vf_routed *ret_routed,
                               struct vf_error *error)
{
    (void)kind_route;
    (void)error;
    struct vf_bytes *id = vf_arena_alloc(arena, sizeof *id);
    projector->routes++;
    projector->saw_old |= event->version < projector->newest;
    projector->newest = event->version > projector->newest ? event->version : projector->newest;
    *id = fault == COUNTS_ROUTES && projector->routes > 2 ? VF_LITERAL("late") : VF_LITERAL("all");
    *ret_routed = (struct vf_routed){.ids = id, .count = 1};
    return VF_OK;
}

static bool fake_handles(const struct vf_projector *projector, const struct vf_event *event)
{
    (void)projector;
    return vf_bytes_is(event->type, "Added");
}

static enum vf_code fake_warm(struct vf_projector *projector, struct vf_bytes body, vf_warm *ret_document,
                              struct vf_error *error)
{
    (void)error;
    assert_true(projector->used + 1 < DOCUMENTS);
    struct document *document = &projector->documents[++projector->used];
    *document = (struct document){0};
    if (body.size) {
        bson_t bson;
        bson_iter_t at;
        assert_true(bson_init_static(&bson, (const uint8_t *)body.data, body.size));
        if (bson_iter_init_find(&at, &bson, "last")) {
            snprintf(document->last, sizeof document->last, "%s", bson_iter_utf8(&at, NULL));
        }
        assert_true(bson_iter_init_find(&at, &bson, "n"));
        document->n = bson_iter_int64(&at) + (fault == READS_WRONG ? 10 : 0);
    }
    *ret_document = projector->used;
    return VF_OK;
}

static void fake_cool(struct vf_projector *projector, vf_warm document)
{
    (void)projector;
    (void)document;
}

static enum vf_code fake_handle(struct vf_projector *projector, const struct vf_event *event, struct vf_bytes id,
                                vf_warm handle, vf_warm from, enum vf_handled *ret_handled, struct vf_error *error)
{
    (void)id;
    (void)from;
    (void)error;
    struct document *document = &projector->documents[handle];
    document->n = fault == KEEPS_COUNT ? ++projector->count : document->n + 1;
    if (fault == REMEMBERS_LAST) {
        snprintf(document->last, sizeof document->last, "%.*s", (int)event->id.size, event->id.data);
    }
    *ret_handled = VF_HANDLED;
    return VF_OK;
}

static enum vf_code fake_body(struct vf_projector *projector, vf_warm handle, struct vf_arena *arena,
                              struct vf_bytes *ret_bson, bool *ret_aliased, struct vf_error *error)
{
    (void)error;
    struct document *document = &projector->documents[handle];
    bson_t bson = BSON_INITIALIZER;
    if (document->last[0]) {
        BSON_APPEND_UTF8(&bson, "last", document->last);
    }
    BSON_APPEND_INT64(&bson, "n", document->n + (fault == SEES_OLD && projector->saw_old ? 100 : 0));
    *ret_bson = vf_arena_bytes(arena, bson_get_data(&bson), bson.len);
    *ret_aliased = false;
    bson_destroy(&bson);
    document->n += fault == CHANGES_AT_END;
    return VF_OK;
}

static size_t fake_memory_bytes(const struct vf_projector *projector)
{
    (void)projector;
    return 0;
}

static void fake_collect(struct vf_projector *projector)
{
    (void)projector;
}

static const struct vf_projector_type fake_type = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .describe = fake_describe,
    .files = fake_files,
    .route = fake_route,
    .handles = fake_handles,
    .warm = fake_warm,
    .cool = fake_cool,
    .handle = fake_handle,
    .body = fake_body,
    .memory_bytes = fake_memory_bytes,
    .collect = fake_collect,
};

/* --- a scene: one test of a test file, checked -------------------------------------------------------------------- */

struct scene {
    struct vf_test_subject subject;
    struct vf_test_file *file;
    struct vf_arena *arena;
    struct vf_test_outcome outcome;
};

#define TWO_EVENTS "  given: [thing/a@1 Added, thing/a@2 Added]\n  expect: {all: {n: 2}}\n"

static int set_up(void **state)
{
    struct scene *scene = vf_calloc(1, sizeof *scene);
    struct vf_error error;
    vf_log_setup(VF_LOG_ERROR, VF_LOG_LOGFMT, open("/dev/null", O_WRONLY | O_CLOEXEC));
    scene->arena = vf_arena_new();
    scene->subject =
        (struct vf_test_subject){.script = "fake.lua",
                                 .script_name = "fake.lua",
                                 .rehearsal = &vf_memory_rehearsal_type,
                                 .projector_type = &fake_type,
                                 .projection = &projection,
                                 .batch = {.events_max = 100, .bytes_max = 1 << 20, .written_bytes_max = 1 << 20},
                                 .cache_bytes = 1 << 20};
    assert_int_equal(fake_open("fake.lua", NULL, NULL, NULL, NULL, &scene->subject.projector, &error), VF_OK);
    scene->subject.proposed = (struct vf_generation){.number = 1,
                                                     .state = "active",
                                                     .projection_version = 1,
                                                     .script = "fake.lua",
                                                     .files = &scene->subject.projector->file,
                                                     .file_count = 1,
                                                     .format = VF_FORMAT};
    memset(scene->subject.proposed.script_hash, 'a', 64);
    vf_test_watch_init(&scene->subject.watch, &projection);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    vf_test_watch_done(&scene->subject.watch);
    vf_test_file_free(scene->file);
    fake_close(scene->subject.projector);
    vf_arena_free(scene->arena);
    free(scene);
    return 0;
}

static void check_orders(struct scene *scene, enum fault which, const char *rest, int64_t interleavings)
{
    char path[] = "/tmp/viewfold-test-XXXXXX";
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_error error;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "- name: it holds\n%s", rest);
    close(fd);
    enum vf_code code = vf_test_file_read(path, &projection, findings, &scene->file, &error);
    unlink(path);
    assert_int_equal(code, VF_OK);
    vf_findings_free(findings);
    fault = which;
    assert_int_equal(
        vf_test_check(&scene->subject, &scene->file->cases[0], interleavings, scene->arena, &scene->outcome, &error),
        VF_OK);
}

static void check(struct scene *scene, enum fault which, const char *rest)
{
    check_orders(scene, which, rest, 200);
}

static void assert_found_by(const struct scene *scene, const char *label, const char *what)
{
    const struct vf_test_failure *failure = scene->outcome.failure;
    assert_non_null(failure);
    assert_string_equal(failure->right_label, label);
    if (!strstr(failure->what, what)) {
        fail_msg("%s", failure->what);
    }
}

static void what_has_no_fault_passes(void **state)
{
    struct scene *scene = *state;
    check(scene, FAULTLESS, TWO_EVENTS);
    assert_null(scene->outcome.failure);
    assert_int_equal(scene->outcome.runs, 1 + 2 + 3); /* plain; repeats; cut, cold and restarted at the one place */
    assert_true(scene->subject.watch.handler_runs[0] == 2); /* only the plain run counts for coverage */
}

static void repeats_of_each_event_find_a_route_that_counts(void **state)
{
    check(*state, COUNTS_ROUTES, TWO_EVENTS);
    assert_found_by(*state, "each twice", "when every event comes twice");
}

static void a_repeat_of_everything_finds_what_minds_old_events(void **state)
{
    check(*state, SEES_OLD, TWO_EVENTS);
    assert_found_by(*state, "all again", "behind the last one");
}

static void a_cut_batch_finds_what_writing_changes(void **state)
{
    check(*state, CHANGES_AT_END, TWO_EVENTS);
    assert_found_by(*state, "in two batches", "when a batch ends behind thing/a@1 Added (/tmp/viewfold-test-");
}

static void a_cold_cache_finds_what_reading_changes(void **state)
{
    check(*state, READS_WRONG, TWO_EVENTS);
    assert_found_by(*state, "read again", "behind thing/a@1 Added");
}

static void a_restart_finds_what_is_kept_elsewhere(void **state)
{
    check(*state, KEEPS_COUNT, TWO_EVENTS);
    assert_found_by(*state, "restarted", "behind thing/a@1 Added");
}

static void another_order_finds_what_came_last(void **state)
{
    struct scene *scene = *state;
    check(scene, REMEMBERS_LAST,
          "  given: [thing/x@1 Added, thing/a@1 Added, thing/a@2 Nothing, thing/b@1 Added, thing/c@1 Nothing]\n"
          "  expect: {all: {n: 3, last: b}}\n");
    assert_found_by(scene, "thing/b@1 Added first", "order of two events");
    /* Nothing but the two of them is left, the one that was given first in front. */
    assert_int_equal(scene->outcome.failure->order_count, 2);
    assert_int_equal(scene->outcome.failure->order[0], 1);
    assert_int_equal(scene->outcome.failure->order[1], 3);
}

static void a_long_test_is_run_in_fewer_ways(void **state)
{
    struct scene *scene = *state;
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "  given:\n");
    for (int i = 1; i <= 200; i++) {
        vf_buffer_printf(&text, "  - thing/a@%d Added\n  - thing/b@%d Nothing\n", i, i);
    }
    vf_buffer_add_text(&text, "  expect: {all: {n: 200}}\n");
    check_orders(scene, FAULTLESS, text.data, VF_TEST_ORDERS_UNSAID);
    assert_null(scene->outcome.failure);
    /* 400 events: 25 places deliver 10,000 in all, 50 orders 20,000. */
    assert_int_equal(scene->outcome.interleavings, 50);
    assert_int_equal(scene->outcome.runs, 1 + 2 + 3 * (25 + 1) + 50);
    vf_test_file_free(scene->file);
    check_orders(scene, FAULTLESS, text.data, 70); /* who says how many, gets them */
    assert_int_equal(scene->outcome.interleavings, 70);
    vf_buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_no_fault_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(repeats_of_each_event_find_a_route_that_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repeat_of_everything_finds_what_minds_old_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cut_batch_finds_what_writing_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cold_cache_finds_what_reading_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_finds_what_is_kept_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_order_finds_what_came_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_test_is_run_in_fewer_ways, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
