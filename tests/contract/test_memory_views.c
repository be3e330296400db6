/*
 * The memory store keeps all that joins, deletes, indexes and expiry put into it through snapshots and late commits, shows it
 * to tests, and ends the process where a commit asks for what must never be.
 */
#include "connectors/memory/memory_rehearsal.h"
#include "connectors/memory/memory_store.h"
#include "contract/scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct vf_index indexes[] = {{.name = "amount", .sort = "n"}, {.name = "by_n", .by = "n"}};

static struct vf_memory_server *server_of(void)
{
    return contract_under_test->self;
}

static struct vf_store *open_store(void *self, struct vf_error *error)
{
    struct vf_store *store = NULL;
    enum vf_code code = vf_memory_store_open_on(self, &store, error);
    return code == VF_OK ? store : NULL;
}

/* A document and a husk of each kind, a record that waits and one that drains, both with a list. */
static struct draft rich_commit(struct scene *scene)
{
    struct draft draft = draft_new(scene);
    scene_indexes(scene, indexes, 2, true);
    draft_write(&draft, NULL, with_expiry(a_document("b", 1, a_body(scene, "n", 7)), 100));
    draft_write(&draft, NULL, a_document("c", 1, a_body(scene, "n", -7)));
    draft_write(&draft, NULL, a_document("a", 1, a_body(scene, "n", 7)));
    draft_write(&draft, NULL, with_expiry(a_deleted_husk("d", 2, "order/1", 200), 300));
    draft_write(&draft, NULL, an_expired_husk("e", 3, 400));
    struct vf_aggregate waits = a_waiting("card/1", 0, 1), drains = a_link("account/9", "b", 5);
    waits.waits_for = VF_LITERAL("account/9");
    drains.link_via = VF_LITERAL("customer/4b");
    drains.draining = true;
    drains.state = VF_ASIDE_HELD;
    drains.aside_from = 6;
    drains.aside_to = 8;
    draft_write_aggregate(&draft, NULL, waits);
    draft_write_aggregate(&draft, NULL, drains);
    draft_aside(&draft, scene_aside(scene, "card/1", 0, 50));
    draft_aside(&draft, scene_aside(scene, "account/9", 7, 52));
    draft_aside(&draft, scene_aside(scene, "account/9", 6, 51));
    draft_progress(&draft, "orders", 0, no_progress, a_progress(53));
    return draft;
}

/* Its stamp left out. */
static const char rich_contents[] = "a 1 1\n"
                                    "b 1 1 expires 100\n"
                                    "c 1 1\n"
                                    "d 3 2 expires 300 since 200 by order/1\n"
                                    "e 4 3 since 400\n"
                                    "account/9 [6,8) link b via customer/4b version 5 drains\n"
                                    "card/1 [0,1) waits for account/9 seen 1\n"
                                    "account/9 6: orders/0@51 of account/9\n"
                                    "account/9 7: orders/0@52 of account/9\n"
                                    "card/1 0: orders/0@50 of card/1\n"
                                    "amount -7 c\n"
                                    "amount 7 a\n"
                                    "amount 7 b\n"
                                    "by_n=-7 0 c\n"
                                    "by_n=7 0 a\n"
                                    "by_n=7 0 b\n"
                                    "orders/0 53\n";

#define SHOWN(bytes) (int)(bytes).size, (bytes).data ? (bytes).data : ""

static void print_document(struct vf_buffer *out, const struct vf_document *one)
{
    vf_buffer_printf(out, "%.*s %d %lld", SHOWN(one->id), (int)one->presence, (long long)one->revision);
    if (one->has_expires)
        vf_buffer_printf(out, " expires %lld", (long long)one->expires_ms);
    if (one->presence > VF_HUSK_NEW)
        vf_buffer_printf(out, " since %lld", (long long)one->since_ms);
    if (one->presence == VF_HUSK_DELETED)
        vf_buffer_printf(out, " by %.*s", SHOWN(one->deleted_by));
    vf_buffer_add_char(out, '\n');
}

static void print_aggregate(struct vf_buffer *out, const struct vf_aggregate *one)
{
    vf_buffer_printf(out, "%.*s [%lld,%lld)", SHOWN(one->aggregate), (long long)one->aside_from,
                     (long long)one->aside_to);
    if (one->has_link)
        vf_buffer_printf(out, " link %.*s via %.*s", SHOWN(one->link), SHOWN(one->link_via));
    if (one->has_version)
        vf_buffer_printf(out, " version %lld", (long long)one->version);
    if (one->waits_for.size > 0)
        vf_buffer_printf(out, " waits for %.*s", SHOWN(one->waits_for));
    if (one->has_seen)
        vf_buffer_printf(out, " seen %lld", (long long)one->seen);
    vf_buffer_add_text(out, one->draining ? " drains\n" : "\n");
}

static void print_aside(struct vf_buffer *out, const struct vf_aside *one)
{
    vf_buffer_printf(out, "%.*s %lld: %s/%d@%lld of %.*s\n", SHOWN(one->list), (long long)one->place,
                     one->partition.topic, one->partition.partition, (long long)one->offset, SHOWN(one->aggregate));
    assert_true(one->record.size > 0);
}

/* All that tests may read of the scene's view. */
static void assert_contents(struct scene *scene, const char *wanted)
{
    struct vf_memory_contents contents;
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_memory_server_read(server_of(), scene->view, scene->arena, &contents);
    for (size_t i = 0; i < contents.document_count; i++)
        print_document(&out, &contents.documents[i]);
    for (size_t i = 0; i < contents.aggregate_count; i++)
        print_aggregate(&out, &contents.aggregates[i]);
    for (size_t i = 0; i < contents.aside_count; i++)
        print_aside(&out, &contents.asides[i]);
    for (size_t i = 0; i < contents.entry_count; i++) {
        const struct vf_memory_entry *one = &contents.entries[i];
        vf_buffer_printf(&out, "%s%s%.*s %g %.*s\n", one->index, one->entry.by.size > 0 ? "=" : "",
                         SHOWN(one->entry.by), one->entry.sort.number, SHOWN(one->id));
    }
    for (size_t i = 0; i < contents.row_count; i++)
        vf_buffer_printf(&out, "%s/%d %lld\n", contents.rows[i].partition.topic, contents.rows[i].partition.partition,
                         (long long)contents.rows[i].progress.next);
    assert_string_equal(out.size > 0 ? out.data : "", wanted);
    vf_buffer_done(&out);
}

static void tests_may_read_all_of_it(void **state)
{
    struct scene *scene = *state;
    struct draft draft = rich_commit(scene);
    draft_must_commit(&draft);
    assert_contents(scene, rich_contents);
}

static void a_snapshot_has_all_of_it(void **state)
{
    struct scene *scene = *state;
    struct draft draft = rich_commit(scene);
    draft_must_commit(&draft);
    struct vf_memory_snapshot *snapshot = vf_memory_server_snapshot(server_of());
    for (int round = 0; round < 2; round++) {
        must_remove(scene, "a");
        must_write(scene, a_deleted_husk("b", 2, "order/2", 5));
        scene_fill_list(scene, "account/10", 100, 2);
        vf_memory_server_restore(server_of(), snapshot);
        assert_contents(scene, rich_contents);
    }
    vf_memory_server_wipe(server_of());
    assert_contents(scene, "");
    vf_memory_server_restore(server_of(), snapshot);
    vf_memory_snapshot_free(snapshot);
    assert_contents(scene, rich_contents);
}

/* Whoever sent it is gone, with all of its memory, when it lands. */
static void a_late_commit_lands_with_all_of_it(void **state)
{
    struct scene *scene = *state;
    struct vf_arena *kept = scene->arena;
    scene->arena = vf_arena_new();
    struct draft draft = rich_commit(scene);
    vf_memory_server_fault_commit(server_of(), VF_MEMORY_DELAY);
    assert_int_equal(draft_send(&draft, scene->store), VF_UNKNOWN);
    vf_arena_free(scene->arena);
    scene->arena = kept;
    assert_contents(scene, "");
    assert_int_equal(vf_memory_server_land(server_of(), 0), VF_COMMITTED);
    assert_contents(scene, rich_contents);
}

static void a_rehearsal_tells_what_is_set_aside(void **state)
{
    struct scene *scene = *state;
    const struct vf_rehearsal_type *type = &vf_memory_rehearsal_type;
    struct vf_rehearsal *rehearsal = type->open();
    struct vf_store_config config = {.name = "rehearsed", .url = type->url(rehearsal)};
    struct vf_store *store, *outside = scene->store;
    struct vf_error error;
    assert_int_equal(type->store->open(&config, &store, &error), VF_OK);
    scene->store = store;
    scene_prepare(scene, scene->name);
    struct draft draft = rich_commit(scene);
    draft_must_commit(&draft);
    struct vf_rehearsed rehearsed;
    type->read(rehearsal, scene->view, scene->arena, &rehearsed);
    assert_int_equal(rehearsed.aside_count, 3);
    assert_same_aside(&rehearsed.asides[0], &draft.asides[2]);
    assert_same_aside(&rehearsed.asides[1], &draft.asides[1]);
    assert_same_aside(&rehearsed.asides[2], &draft.asides[0]);
    scene->store = outside;
    type->store->close(store);
    type->close(rehearsal);
}

/* ---- what must never be ---- */

/* Whether the process ends by an assertion when this commit is sent. */
static bool ends_the_process(const struct draft *draft)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        (void)!freopen("/dev/null", "w", stderr);
        (void)draft_send(draft, draft->scene->store);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* What is right to begin with: the front of account/9 is taken, and one event appended. */
static struct draft right_commit(struct scene *scene)
{
    size_t count;
    struct vf_aggregate base = load_aggregate(scene, "account/9"), next = base;
    struct vf_aside *asides = scene_load_list(scene, "account/9", &count);
    struct draft draft = draft_new(scene);
    next.aside_from++;
    next.aside_to++;
    draft_write_aggregate(&draft, &base, next);
    draft_take(&draft, &asides[0]);
    draft_aside(&draft, scene_aside(scene, "account/9", base.aside_to, 60));
    return draft;
}

static void wrong_lists_end_the_process(void **state)
{
    struct scene *scene = *state;
    struct draft draft = rich_commit(scene);
    draft_must_commit(&draft);
    enum { WRONG = 9 };
    for (int what = 0; what <= WRONG; what++) {
        struct draft wrong = right_commit(scene);
        struct vf_aggregate *record = &wrong.aggregates[0].next;
        if (what == 1) /* a list whose record is not written */
            draft_aside(&wrong, scene_aside(scene, "card/1", 1, 61));
        if (what == 2) /* a list whose record is only consulted */
            wrong.aggregates[0].intent = VF_CONSULT;
        if (what == 3) /* a place that is taken */
            wrong.asides[0].place--;
        if (what == 4) /* what is not there */
            wrong.taken[0].place = 5;
        if (what == 5) /* another event than is there */
            wrong.taken[0].offset++;
        if (what == 6) /* places that the record does not have */
            record->aside_to++;
        if (what == 7) /* an event in two places */
            wrong.asides[0].offset = 50;
        if (what == 8) /* twice in one commit */
            draft_take(&wrong, &wrong.taken[0]);
        if (what == WRONG) /* an event without a record */
            wrong.asides[0].record.size = 0;
        if (ends_the_process(&wrong) != (what > 0))
            fail_msg("%d", what);
    }
}

static void wrong_documents_end_the_process(void **state)
{
    struct scene *scene = *state;
    struct draft draft = rich_commit(scene);
    draft_must_commit(&draft);
    struct vf_document document = load_document(scene, "b"), husk = load_document(scene, "d");
    struct vf_index_entry others[2] = {{.in = true, .sort = {.kind = VF_SORT_NUMBER, .number = 8}}, {.in = false}};
    enum { WRONG = 8 };
    for (int what = 0; what <= WRONG; what++) {
        struct draft wrong = draft_new(scene);
        draft_write(&wrong, &document, with_expiry(a_document("b", 2, a_body(scene, "n", 9)), 200));
        draft_remove(&wrong, &husk);
        struct vf_document_change *changes = wrong.documents;
        if (what == 1) /* entries of another body: what is there would stay */
            changes[0].base_entries = others;
        if (what == 2)
            changes[0].base_entries = NULL;
        if (what == 3)
            changes[0].next_entries = others;
        if (what == 4) /* what is removed would stay due */
            changes[1].base_has_since = false;
        if (what == 5)
            changes[0].base_has_expires = false;
        if (what == 6) /* deleted by nobody */
            changes[0].next = a_deleted_husk("b", 2, "", 5), changes[0].next_entries = NULL;
        if (what == 7) /* a husk with a body */
            changes[0].next.presence = VF_HUSK_EXPIRED, changes[0].next_entries = NULL;
        if (what == WRONG) /* a husk in an index */
            changes[0].next = an_expired_husk("b", 2, 5);
        if (ends_the_process(&wrong) != (what > 0))
            fail_msg("%d", what);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(tests_may_read_all_of_it),           SCENE_TEST(a_snapshot_has_all_of_it),
        SCENE_TEST(a_late_commit_lands_with_all_of_it), SCENE_TEST(a_rehearsal_tells_what_is_set_aside),
        SCENE_TEST(wrong_lists_end_the_process),        SCENE_TEST(wrong_documents_end_the_process),
    };
    struct vf_memory_server *server = vf_memory_server_new(NULL);
    const struct vf_store_contract contract = {.type = &vf_memory_store_type, .open = open_store, .self = server};
    contract_under_test = &contract;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vf_memory_server_free(server);
    return failed;
}
