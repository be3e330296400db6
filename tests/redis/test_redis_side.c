/*
 * What lies beside documents in Redis: husks of all kinds, what aggregate records say of waiting, events that are set aside,
 * and what is due. On the server of VIEWFOLD_REDIS.
 */
#include "redis/redis_scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct vf_store_type *const type = &vf_redis_store_type;

static void make_husk(struct vf_document_change *change, enum vf_presence presence)
{
    change->next.presence = presence;
    change->next.body = (struct vf_bytes){NULL, 0};
    if (presence == VF_HUSK_DELETED)
        change->next.deleted_by = VF_LITERAL("customer/9");
    if (presence != VF_HUSK_NEW)
        change->next.since_ms = 1772359200000;
}

static struct vf_aggregate load_aggregate(struct draft *draft, struct scene *scene, const char *name)
{
    struct vf_bytes of = vf_bytes_from(name);
    struct vf_aggregate read;
    struct vf_error error;
    if (type->load(scene->store, draft->commit.view, NULL, 0, &of, 1, draft->arena, NULL, &read, &error) != VF_OK)
        fail_msg("%s", error.text);
    return read;
}

/* --- husks, and when documents expire -------------------------------------------------------------------------------- */

static void husks_of_all_kinds_lie_there_as_FORMAT_shows(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    draft_init(&draft, scene->view, 0xab12);
    make_husk(draft_document(&draft, VF_LITERAL("deleted"), 3, "{}"), VF_HUSK_DELETED);
    make_husk(draft_document(&draft, VF_LITERAL("expired"), 4, "{}"), VF_HUSK_EXPIRED);
    draft_document(&draft, VF_LITERAL("new"), 5, NULL);
    draft_document(&draft, VF_LITERAL("there"), 6, "{\"s\":\"x\"}");
    for (size_t i = 0; i < 4; i++) {
        draft.documents[i].next.has_expires = true;
        draft.documents[i].next.expires_ms = 1772359200000 + (int64_t)i;
    }
    draft_must_commit(&draft, scene->store);
    assert_string_equal(scene_hash(scene_key(scene, "@1:husk:deleted"), scene->arena),
                        "_expires=1772359200000\n_rev=3\n_stamp=000000000000ab12\n_versions={\"order/1\":3}\n"
                        "deleted_by=customer/9\nhusk=deleted\nsince=1772359200000\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:husk:expired"), scene->arena),
                        "_expires=1772359200001\n_rev=4\n_stamp=000000000000ab12\n_versions={\"order/1\":4}\n"
                        "husk=expired\nsince=1772359200000\n");
    assert_string_equal(
        scene_hash(scene_key(scene, "@1:husk:new"), scene->arena),
        "_expires=1772359200002\n_rev=5\n_stamp=000000000000ab12\n_versions={\"order/1\":5}\nhusk=new\n");
    assert_string_equal(
        scene_hash(scene_key(scene, ":1:there"), scene->arena),
        "_expires=1772359200003\n_rev=6\n_stamp=000000000000ab12\n_versions={\"order/1\":6}\nid=there\ns=x\n");
    assert_string_equal(scene_sorted_set(scene, "@1:expires"), "1772359200002=new\n1772359200003=there\n");
    assert_string_equal(scene_sorted_set(scene, "@1:husks"), "1772359200000=deleted\n1772359200000=expired\n");
    for (size_t i = 0; i < 4; i++) {
        const struct vf_document *written = &draft.documents[i].next;
        struct vf_document read = draft_load(&draft, scene->store, written->id);
        assert_int_equal(read.presence, written->presence);
        assert_int_equal(read.expires_ms, written->expires_ms);
        assert_int_equal(read.since_ms, written->since_ms);
        assert_true(read.has_expires && vf_bytes_equal(read.deleted_by, written->deleted_by));
    }
    draft_done(&draft);
}

/* From every kind to every kind: at most one key is there, with the fields of its kind, and lists hold what they should. */
static void a_document_goes_from_any_presence_to_any_other(void **state)
{
    struct scene *scene = *state;
    struct vf_bytes id = VF_LITERAL("a");
    uint64_t stamp = 0;
    for (enum vf_presence from = VF_ABSENT; from <= VF_HUSK_EXPIRED; from++) {
        for (enum vf_presence to = VF_ABSENT; to <= VF_HUSK_EXPIRED; to++) {
            for (int round = 0; round < 2; round++) {
                enum vf_presence base = round ? from : VF_ABSENT, next = round ? to : from;
                struct draft draft;
                draft_init(&draft, scene->view, ++stamp);
                struct vf_document_change *change = draft_document(&draft, id, 1 + round, "{\"n\":1}");
                change->base = base;
                change->base_stamp = stamp - 1;
                change->base_has_expires = base != VF_ABSENT;
                change->base_has_since = base == VF_HUSK_DELETED || base == VF_HUSK_EXPIRED;
                change->next.has_expires = next != VF_ABSENT;
                change->next.expires_ms = 1000 + round;
                if (next != VF_PRESENT)
                    make_husk(change, next);
                draft_must_commit(&draft, scene->store);
                struct vf_document read = draft_load(&draft, scene->store, id);
                assert_int_equal(read.presence, next);
                assert_int_equal(read.revision, next == VF_ABSENT ? 0 : 1 + round);
                assert_int_equal(scene_exists(scene_key(scene, ":1:a")), next == VF_PRESENT);
                assert_int_equal(scene_exists(scene_key(scene, "@1:husk:a")), vf_is_husk(next));
                bool expires = next == VF_PRESENT || next == VF_HUSK_NEW, gone = !expires && next != VF_ABSENT;
                assert_string_equal(scene_sorted_set(scene, "@1:expires"), !expires ? ""
                                                                           : round  ? "1001=a\n"
                                                                                    : "1000=a\n");
                assert_string_equal(scene_sorted_set(scene, "@1:husks"), gone ? "1772359200000=a\n" : "");
                draft_done(&draft);
            }
            scene_ask("DEL", scene_key(scene, ":1:a"));
            scene_ask("DEL", scene_key(scene, "@1:husk:a"));
            scene_ask("DEL", scene_key(scene, "@1:expires"));
            scene_ask("DEL", scene_key(scene, "@1:husks"));
        }
    }
}

static void what_is_due_comes_in_its_order_and_not_before(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    struct vf_bytes *ids;
    struct vf_error error;
    size_t count;
    draft_init(&draft, scene->view, 1);
    for (int i = 0; i < 20; i++) {
        struct vf_document_change *change = draft_document(&draft, vf_arena_printf(draft.arena, "%02d", i), 1, "{}");
        if (i >= 10)
            make_husk(change, i < 15 ? VF_HUSK_EXPIRED : VF_HUSK_DELETED);
        change->next.has_expires = true;
        change->next.expires_ms = 1000 - i;
        change->next.since_ms = 2000 - i;
    }
    draft_must_commit(&draft, scene->store);
    assert_int_equal(
        type->due(scene->store, draft.commit.view, VF_DUE_EXPIRED, 993, 2, draft.arena, &ids, &count, &error), VF_OK);
    assert_int_equal(count, 2);
    assert_true(vf_bytes_is(ids[0], "09") && vf_bytes_is(ids[1], "08"));
    assert_int_equal(
        type->due(scene->store, draft.commit.view, VF_DUE_EXPIRED, 993, 99, draft.arena, &ids, &count, &error), VF_OK);
    assert_int_equal(count, 3);
    assert_int_equal(
        type->due(scene->store, draft.commit.view, VF_DUE_EXPIRED, 990, 99, draft.arena, &ids, &count, &error), VF_OK);
    assert_int_equal(count, 0);
    assert_int_equal(
        type->due(scene->store, draft.commit.view, VF_DUE_HUSK, 1982, 99, draft.arena, &ids, &count, &error), VF_OK);
    assert_int_equal(count, 2);
    assert_true(vf_bytes_is(ids[0], "19") && vf_bytes_is(ids[1], "18"));
    draft_done(&draft);
}

/* --- aggregate records ----------------------------------------------------------------------------------------------- */

static void a_record_that_waits_lies_there_as_FORMAT_shows(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    draft_init(&draft, scene->view, 0xab12);
    struct vf_aggregate *all = &draft_link(&draft, "account/9", "c1")->next;
    *all = (struct vf_aggregate){.aggregate = all->aggregate,
                                 .exists = true,
                                 .has_link = true,
                                 .link = VF_LITERAL("c1"),
                                 .link_via = VF_LITERAL("customer/1"),
                                 .has_version = true,
                                 .version = 3,
                                 .waiters_from = 1,
                                 .waiters_to = 4,
                                 .aside_from = 5,
                                 .aside_to = 8,
                                 .waits_for = VF_LITERAL("customer/2"),
                                 .early_count = 2,
                                 .early_from = 11,
                                 .early_last = 12,
                                 .has_seen = true,
                                 .seen = 7,
                                 .parked = true,
                                 .failure = {.error = VF_LITERAL("v.lua:1: \"no\""),
                                             .traceback = VF_LITERAL("stack\n"),
                                             .script = VF_LITERAL("9f86"),
                                             .failed_ms = 1772359200123},
                                 .since_ms = 1772359200000,
                                 .draining = true,
                                 .state = VF_ASIDE_PARKED};
    struct vf_aggregate *text = &draft_link(&draft, "account/10", "c1")->next;
    struct vf_version_more seen = {.text = VF_LITERAL("00ab")};
    *text = (struct vf_aggregate){.aggregate = text->aggregate,
                                  .exists = true,
                                  .aside_from = 8,
                                  .aside_to = 8,
                                  .has_seen = true,
                                  .seen_more = &seen,
                                  .parked = true,
                                  .failure = {.error = VF_LITERAL("x"), .failed_ms = 7},
                                  .state = VF_ASIDE_GAP};
    draft_must_commit(&draft, scene->store);
    assert_string_equal(
        scene_hash(scene_key(scene, "@1:aggregate:account/9"), scene->arena),
        "_stamp=000000000000ab12\naside_from=5\naside_to=8\ndraining=1\nearly_count=2\nearly_from=11\nearly_last=12\n"
        "link=c1\nlink_via=customer/1\n"
        "parked={\"at\":1772359200123,\"error\":\"v.lua:1: \\\"no\\\"\",\"script\":\"9f86\","
        "\"traceback\":\"stack\\n\"}\n"
        "seen=7\nsince=1772359200000\nstate=parked\nversion=3\nwaiters_from=1\nwaiters_to=4\n"
        "waits_for=customer/2\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:aggregate:account/10"), scene->arena),
                        "_stamp=000000000000ab12\naside_from=8\naside_to=8\nparked={\"at\":7,\"error\":\"x\"}\n"
                        "seen=\"00ab\"\nstate=gap\n");
    assert_string_equal(scene_sorted_set(scene, "@1:parked"), "0=account/9\n");
    assert_string_equal(scene_sorted_set(scene, "@1:gap"), "0=account/10\n");
    assert_string_equal(scene_sorted_set(scene, "@1:held"), "");
    struct vf_aggregate read = load_aggregate(&draft, scene, "account/9");
    assert_true(read.exists && read.has_link && vf_bytes_is(read.link, "c1") && read.has_version && read.version == 3);
    assert_true(vf_bytes_is(read.link_via, "customer/1") && vf_bytes_is(read.waits_for, "customer/2"));
    assert_true(read.aside_from == 5 && read.aside_to == 8 && read.has_seen && read.seen == 7 && read.draining);
    assert_true(read.waiters_from == 1 && read.waiters_to == 4 && read.early_count == 2 && read.early_from == 11);
    assert_true(read.parked && vf_bytes_is(read.failure.error, "v.lua:1: \"no\"") && read.failure.traceback.size == 6);
    assert_true(read.failure.failed_ms == 1772359200123 && read.since_ms == 1772359200000);
    assert_int_equal(read.state, VF_ASIDE_PARKED);
    read = load_aggregate(&draft, scene, "account/10");
    assert_true(!read.has_link && !read.has_version && read.link_via.size == 0 && read.waits_for.size == 0);
    assert_true(read.aside_from == 8 && read.aside_to == 8 && read.has_seen && !read.draining);
    assert_true(vf_version_more_equal(read.seen_more, &seen));
    draft_done(&draft);
}

/* The names of draining records, sorted, with a blank behind each. */
static char *draining_of(struct scene *scene, struct draft *draft)
{
    struct vf_bytes *names;
    struct vf_error error;
    size_t count;
    assert_int_equal(type->draining(scene->store, draft->commit.view, 99, draft->arena, &names, &count, &error), VF_OK);
    char *text = vf_arena_calloc(draft->arena, 1, 1000);
    for (size_t done = 0; done < count; done++) {
        size_t least = 0;
        for (size_t i = 1; i < count; i++)
            if (names[least].size == 0 || (names[i].size && vf_bytes_compare(names[i], names[least]) < 0))
                least = i;
        strcat(strcat(text, names[least].data), " ");
        names[least].size = 0;
    }
    return text;
}

static void records_are_draining_as_long_as_they_say_so(void **state)
{
    struct scene *scene = *state;
    static const struct {
        bool exists[4], draining[4]; /* account/0 .. 3; what is written */
        const char *expected;
    } steps[] = {
        {{true, true, true, true}, {true, true, false, true}, "account/0 account/1 account/3 "},
        {{true, true, true, true}, {false, true, true, true}, "account/1 account/2 account/3 "},
        {{true, false, true, true}, {false, false, true, false}, "account/2 "},
        {{true, true, false, true}, {false, false, false, false}, ""},
    };
    bool there[4] = {false, false, false, false}, drained[4] = {false, false, false, false};
    for (size_t step = 0; step < 4; step++) {
        struct draft draft;
        draft_init(&draft, scene->view, step + 1);
        /* A document of each kind before them: the places of keys differ. */
        struct vf_document_change *document = draft_document(&draft, VF_LITERAL("a"), 1, "{}");
        document->base = step ? VF_PRESENT : VF_ABSENT;
        document->base_stamp = step;
        for (int i = 0; i < 4; i++) {
            struct vf_aggregate_change *change =
                draft_link(&draft, vf_arena_printf(draft.arena, "account/%d", i).data, "a");
            change->base_exists = there[i];
            change->base_stamp = step;
            change->next.exists = there[i] = steps[step].exists[i];
            change->base_draining = drained[i];
            change->next.draining = drained[i] = steps[step].draining[i];
        }
        draft_must_commit(&draft, scene->store);
        assert_string_equal(draining_of(scene, &draft), steps[step].expected);
        draft_done(&draft);
    }
}

/* The same of the lists of states, with removals in between; and nothing but what changed is sent. */
static void records_are_listed_by_state_as_long_as_they_say_so(void **state)
{
    struct scene *scene = *state;
    static const enum vf_aside_state steps[][3] = {
        /* account/0 .. 2 */
        {VF_ASIDE_HELD, VF_ASIDE_GAP, VF_ASIDE_PARKED},
        {VF_ASIDE_PARKED, VF_ASIDE_GAP, VF_ASIDE_NONE},
        {VF_ASIDE_NONE, VF_ASIDE_HELD, VF_ASIDE_HELD},
        {VF_ASIDE_NONE, VF_ASIDE_NONE, VF_ASIDE_NONE},
    };
    static const char *const expected[][3] = {
        /* held, gap, parked */
        {"0=account/0\n", "0=account/1\n", "0=account/2\n"},
        {"", "0=account/1\n", "0=account/0\n"},
        {"0=account/1\n0=account/2\n", "", ""},
        {"", "", ""},
    };
    for (size_t step = 0; step < 4; step++) {
        struct draft draft;
        draft_init(&draft, scene->view, step + 1);
        for (int i = 0; i < 3; i++) {
            struct vf_aggregate_change *change =
                draft_link(&draft, vf_arena_printf(draft.arena, "account/%d", i).data, "a");
            change->base_exists = step > 0;
            change->base_stamp = step;
            change->base_state = step ? steps[step - 1][i] : VF_ASIDE_NONE;
            change->next.exists = step < 3; /* in the end all of them go */
            change->next.state = steps[step][i];
        }
        draft_must_commit(&draft, scene->store);
        assert_string_equal(scene_sorted_set(scene, "@1:held"), expected[step][0]);
        assert_string_equal(scene_sorted_set(scene, "@1:gap"), expected[step][1]);
        assert_string_equal(scene_sorted_set(scene, "@1:parked"), expected[step][2]);
        draft_done(&draft);
    }
    assert_false(scene_exists(scene_key(scene, "@1:aggregate:account/0")));
}

static void what_was_dropped_lies_there_as_FORMAT_shows(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft.dropped[0] = (struct vf_dropped){.aggregate = VF_LITERAL("order/\"o1\""),
                                           .partition = {"shop.orders", 3},
                                           .offset = 1042,
                                           .timestamp_ms = 1772359199000,
                                           .identity = 0x09f2c,
                                           .dropped_ms = 1772359200000,
                                           .error = VF_LITERAL("no\n")};
    draft.dropped[1] = (struct vf_dropped){
        .aggregate = VF_LITERAL("order/o2"), .missing_from = 3, .missing_to = 5, .dropped_ms = 1772359200001};
    draft.commit.dropped_count = 2;
    draft_must_commit(&draft, scene->store);
    redisReply *reply =
        redis_fixture_ask(redis_fixture_port(), "LRANGE", scene_key(scene, "@1:drops"), "0", "-1", NULL);
    assert_int_equal(reply->elements, 2);
    assert_string_equal(reply->element[0]->str,
                        "{\"aggregate\":\"order/\\\"o1\\\"\",\"at\":1772359200000,\"error\":\"no\\n\","
                        "\"identity\":\"0000000000009f2c\",\"offset\":1042,\"partition\":\"shop.orders/3\",\"timestamp\":1772359199000}");
    assert_string_equal(reply->element[1]->str,
                        "{\"aggregate\":\"order/o2\",\"at\":1772359200001,\"missing_from\":3,\"missing_to\":5}");
    draft_done(&draft);
}

/* --- lists ----------------------------------------------------------------------------------------------------------- */

static struct vf_aside_total total_of(struct scene *scene, int32_t partition)
{
    struct vf_aside_total total;
    struct vf_error error;
    if (type->aside_total(scene->store, (struct vf_view){scene->view, 1}, (struct vf_partition){"orders", partition},
                          &total, &error) != VF_OK)
        fail_msg("%s", error.text);
    return total;
}

/* Whose list has the event of orders/3 at this offset; NULL: none. */
static const char *list_at(struct scene *scene, int64_t offset)
{
    struct vf_bytes list;
    struct vf_error error;
    bool there = false;
    if (type->aside_at(scene->store, (struct vf_view){scene->view, 1}, (struct vf_partition){"orders", 3}, offset,
                       scene->arena, &there, &list, &error) != VF_OK)
        fail_msg("%s", error.text);
    return there ? list.data : NULL;
}

static size_t load_list(struct scene *scene, const char *list, int64_t place, size_t count, size_t bytes_max,
                        struct vf_aside **ret_asides)
{
    struct vf_error error;
    size_t got = 0;
    if (type->aside_load(scene->store, (struct vf_view){scene->view, 1}, vf_bytes_from(list), place, count, bytes_max,
                         scene->arena, ret_asides, &got, &error) != VF_OK)
        fail_msg("%s", error.text);
    return got;
}

static void what_is_set_aside_lies_there_as_FORMAT_shows(void **state)
{
    struct scene *scene = *state;
    struct draft draft;
    struct vf_aside *asides;
    draft_init(&draft, scene->view, 1);
    draft_aside(&draft, "account/9", 0, "card/1", 1042, "one");
    draft_aside(&draft, "account/9", 1, "account/9", 1040, "second");
    draft_aside(&draft, "account/a b", 7, "account/a b", 7, "");
    draft_aside(&draft, "account/9", 2, "card/2", 1040, "another partition")->partition.partition = 4;
    draft_must_commit(&draft, scene->store);
    assert_string_equal(
        scene_sorted_set(scene, "@1:aside:account/9"),
        "0=0000000000000000000 card/1|orders/3 1042|one\n0=0000000000000000001 account/9|orders/3 1040|second\n"
        "0=0000000000000000002 card/2|orders/4 1040|another partition\n");
    assert_string_equal(scene_sorted_set(scene, "@1:aside@orders/3"),
                        "0=0000000000000000007 0 account/a b\n0=0000000000000001040 6 account/9\n"
                        "0=0000000000000001042 3 account/9\n");
    assert_string_equal(scene_hash(scene_key(scene, "@1:aside_bytes"), scene->arena), "orders/3=9\norders/4=17\n");
    assert_int_equal(total_of(scene, 3).count, 3);
    assert_int_equal(total_of(scene, 3).bytes, 9);
    assert_int_equal(total_of(scene, 4).count, 1);
    assert_int_equal(total_of(scene, 5).count, 0);
    assert_string_equal(list_at(scene, 7), "account/a b");
    assert_string_equal(list_at(scene, 1040), "account/9");
    assert_null(list_at(scene, 1041));
    assert_int_equal(load_list(scene, "account/9", 1, 99, 1000, &asides), 2);
    assert_true(vf_bytes_is(asides[0].list, "account/9") && asides[0].place == 1 && asides[0].offset == 1040);
    assert_true(vf_bytes_is(asides[0].aggregate, "account/9") && vf_bytes_is(asides[0].record, "second"));
    assert_string_equal(asides[1].partition.topic, "orders");
    assert_int_equal(asides[1].partition.partition, 4);
    assert_int_equal(load_list(scene, "account/a b", 0, 99, 0, &asides), 1);
    assert_int_equal(asides[0].record.size, 0);
    assert_int_equal(load_list(scene, "account/none", 0, 99, 0, &asides), 0);
    draft_done(&draft);
    /* Some are taken away, and others come. */
    draft_init(&draft, scene->view, 2);
    draft_aside(&draft, "account/9", 0, "card/1", 1042, NULL);
    draft_aside(&draft, "account/9", 1, "account/9", 1040, NULL);
    draft_aside(&draft, "account/9", 3, "card/3", 2000, "four");
    draft_must_commit(&draft, scene->store);
    assert_string_equal(
        scene_sorted_set(scene, "@1:aside:account/9"),
        "0=0000000000000000002 card/2|orders/4 1040|another partition\n0=0000000000000000003 card/3|orders/3 2000|four\n");
    assert_string_equal(scene_sorted_set(scene, "@1:aside@orders/3"),
                        "0=0000000000000000007 0 account/a b\n0=0000000000000002000 4 account/9\n");
    assert_int_equal(total_of(scene, 3).count, 2);
    assert_int_equal(total_of(scene, 3).bytes, 4);
    draft_done(&draft);
}

static void a_list_is_read_in_parts_of_any_size(void **state)
{
    struct scene *scene = *state;
    enum { COUNT = 1500 };
    struct draft draft;
    struct vf_aside *asides;
    draft_init(&draft, scene->view, 1);
    char *record = vf_arena_calloc(draft.arena, 1, 101);
    memset(record, 'x', 100);
    for (int i = COUNT - 1; i >= 0; i--) /* any order */
        draft_aside(&draft, "account/9", 10 + i, "account/9", 5000 + i, record);
    draft_must_commit(&draft, scene->store);
    assert_int_equal(total_of(scene, 3).count, COUNT);
    assert_int_equal(total_of(scene, 3).bytes, 100 * COUNT);
    static const struct {
        size_t count, bytes_max, expected;
    } parts[] = {{1, 0, 1},       {99, 0, 1},    {99, 100, 1},        {99, 250, 2},
                 {500, 3300, 33}, {7, 99999, 7}, {1200, 999999, 1200}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (int64_t place = 0; place < 200; place += 75) {
            int64_t first = place < 10 ? 10 : place;
            assert_int_equal(load_list(scene, "account/9", place, parts[i].count, parts[i].bytes_max, &asides),
                             parts[i].expected);
            for (size_t n = 0; n < parts[i].expected; n++) {
                assert_int_equal(asides[n].place, first + (int64_t)n);
                assert_int_equal(asides[n].offset, 5000 - 10 + asides[n].place);
            }
        }
    }
    assert_int_equal(load_list(scene, "account/9", 0, 9999, SIZE_MAX, &asides), COUNT);
    assert_int_equal(load_list(scene, "account/9", 10 + COUNT, 9999, SIZE_MAX, &asides), 0);
    draft_done(&draft);
    /* A hole in it is stepped over; all are taken away in one commit. */
    draft_init(&draft, scene->view, 2);
    for (int i = 0; i < COUNT; i++)
        if (i < 500 || i >= 1000)
            draft_aside(&draft, "account/9", 10 + i, "account/9", 5000 + i, NULL);
    draft_must_commit(&draft, scene->store);
    assert_int_equal(load_list(scene, "account/9", 0, 9999, SIZE_MAX, &asides), 500);
    assert_int_equal(asides[0].place, 510);
    assert_int_equal(total_of(scene, 3).bytes, 100 * 500);
    assert_null(list_at(scene, 5499));
    assert_non_null(list_at(scene, 5500));
    draft_done(&draft);
}

/* All that the test's view has on the side. */
static char *picture(struct scene *scene)
{
    static const char *const sets[] = {"@1:aside:account/1", "@1:aside:account/2", "@1:aside@orders/3", "@1:draining",
                                       "@1:expires",         "@1:husks",           "@1:parked"};
    struct vf_buffer text;
    vf_buffer_init(&text);
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        if (strcmp(scene_ask("TYPE", scene_key(scene, sets[i]))->str, "zset") == 0)
            vf_buffer_printf(&text, "%s: %s", sets[i], scene_sorted_set(scene, sets[i]));
    vf_buffer_printf(&text, "progress: %s", scene_hash(scene_key(scene, "@1:progress"), scene->arena));
    if (strcmp(scene_ask("TYPE", scene_key(scene, "@1:aside_bytes"))->str, "hash") == 0)
        vf_buffer_printf(&text, "bytes: %s", scene_hash(scene_key(scene, "@1:aside_bytes"), scene->arena));
    char *copy = (char *)vf_arena_bytes(scene->arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return copy;
}

/* The lists of account/1 (places 0, 1, 2 at offsets 10, 11, 12) and account/2 (place 0 at 20); a draining record. */
static void write_lists(struct scene *scene)
{
    struct draft draft;
    draft_init(&draft, scene->view, 1);
    draft_move(&draft, -1, 1);
    for (int i = 0; i < 3; i++)
        draft_aside(&draft, "account/1", i, "account/1", 10 + i, "x");
    draft_aside(&draft, "account/2", 0, "account/2", 20, "x");
    struct vf_aggregate *record = &draft_link(&draft, "account/1", "a")->next;
    record->draining = true;
    record->state = VF_ASIDE_PARKED;
    draft_must_commit(&draft, scene->store);
    draft_done(&draft);
}

/* What the lists say another thing about than the commit is never written, nor any other part of it. */
static void a_commit_that_does_not_fit_the_lists_changes_nothing(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *list, *says;
        int64_t place, offset;
        const char *record;
    } cases[] = {
        {"account/1", "there is an event at place 0000000000000000002 already", 2, 99, "x"},
        {"account/1", "the event at offset 0000000000000000020 is set aside already", 3, 20, "x"},
        {"account/1", "of the events at places 0000000000000000003 to 0000000000000000003 not all are there", 3, 12,
         NULL},
        {"account/3", "of the events at places 0000000000000000000 to 0000000000000000000 not all are there", 0, 12,
         NULL},
        {"account/1", "the event at offset 0000000000000000013 is not set aside for account/1", 2, 13, NULL},
        {"account/1", "the event at offset 0000000000000000020 is not set aside for account/1", 2, 20, NULL},
        {"account/1", "no event can be set aside at place -1", -1, 13, "x"},
        {"account/1", "no event can be set aside at place 3, offset -1", 3, -1, "x"},
        {"account/1", "two events at one place", 4, 98, "x"},
        {"account/1", "two events at one place", 1, 98, NULL},
        {"account/1", "two events at one place", 9, 99, "x"},
        {"account/1", "two events at one place", 9, 11, NULL},
    };
    write_lists(scene);
    char *before = picture(scene);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct draft draft;
        struct vf_commit_result result;
        draft_init(&draft, scene->view, 2);
        draft_move(&draft, 1, 2);
        draft_aside(&draft, "account/2", 0, "account/2", 20, NULL); /* all is right with these */
        if (cases[i].offset == 20)                                  /* an event is never in both */
            draft.commit.taken_count = 0;
        draft_aside(&draft, "account/1", 0, "account/1", 10, NULL);
        draft_aside(&draft, "account/2", 1, "account/2", 97, "x");
        if (strstr(cases[i].says, "two events")) {
            draft_aside(&draft, "account/1", 4, "account/1", 99, "x");
            draft_aside(&draft, "account/1", 1, "account/1", 11, NULL);
        }
        draft_aside(&draft, cases[i].list, cases[i].place, "account/1", cases[i].offset, cases[i].record);
        if (draft_run(&draft, scene->store, &result) != VF_REFUSED || !strstr(result.error.text, cases[i].says))
            fail_msg("%zu: outcome %d: %s", i, (int)result.outcome, result.error.text);
        assert_string_equal(picture(scene), before);
        draft_done(&draft);
    }
}

static void a_wrong_type_at_any_key_on_the_side_makes_nothing_happen(void **state)
{
    struct scene *scene = *state;
    static const char *const spoilt[] = {"@1:aside:account/1", "@1:aside@orders/3", "@1:aside_bytes", "@1:draining",
                                         "@1:expires",         "@1:husks",          "@1:parked",      "@1:drops"};
    char view[16];
    snprintf(view, sizeof(view), "%s", scene->view);
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        struct draft draft;
        struct vf_commit_result result;
        snprintf(scene->view, sizeof(scene->view), "%.8s_%zu", view, i);
        redis_fixture_register(redis_fixture_port(), scene->view);
        write_lists(scene);
        scene_ask("DEL", scene_key(scene, spoilt[i]));
        redis_fixture_ask(redis_fixture_port(), "SET", scene_key(scene, spoilt[i]), "mine", NULL);
        char *before = picture(scene);
        draft_init(&draft, scene->view, 2);
        draft_move(&draft, 1, 2);
        make_husk(draft_document(&draft, VF_LITERAL("gone"), 3, "{}"), VF_HUSK_DELETED);
        struct vf_document_change *expiring = draft_document(&draft, VF_LITERAL("a"), 3, "{}");
        expiring->next.has_expires = true;
        draft_aside(&draft, "account/1", 3, "account/1", 99, "x");
        struct vf_aggregate_change *record = draft_link(&draft, "account/1", "a");
        record->base_exists = true;
        record->base_stamp = 1;
        record->base_draining = true;
        record->base_state = VF_ASIDE_PARKED;
        draft.dropped[0] = (struct vf_dropped){.aggregate = VF_LITERAL("account/1"), .missing_to = 1};
        draft.commit.dropped_count = 1;
        if (draft_run(&draft, scene->store, &result) != VF_REFUSED)
            fail_msg("%s: outcome %d", spoilt[i], (int)result.outcome);
        assert_int_equal(result.error.code, VF_E_CONFIG);
        if (!strstr(result.error.text, scene_key(scene, spoilt[i]) + 1))
            fail_msg("%s: %s", spoilt[i], result.error.text);
        assert_string_equal(picture(scene), before);
        assert_false(scene_exists(scene_key(scene, ":1:a")));
        assert_false(scene_exists(scene_key(scene, "@1:husk:gone")));
        draft_done(&draft);
    }
    snprintf(scene->view, sizeof(scene->view), "%s", view);
}

static void a_count_of_bytes_that_cannot_be_makes_nothing_happen(void **state)
{
    struct scene *scene = *state;
    static const char *const spoilt[] = {"mine", "-1", "1e3", "0"};
    write_lists(scene);
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        struct draft draft;
        struct vf_commit_result result;
        redis_fixture_ask(redis_fixture_port(), "HSET", scene_key(scene, "@1:aside_bytes"), "orders/3", spoilt[i],
                          NULL);
        char *before = picture(scene);
        draft_init(&draft, scene->view, 2);
        draft_move(&draft, 1, 2);
        draft_aside(&draft, "account/2", 0, "account/2", 20, NULL);
        if (draft_run(&draft, scene->store, &result) != VF_REFUSED)
            fail_msg("%s: outcome %d", spoilt[i], (int)result.outcome);
        assert_non_null(strstr(result.error.text, "orders/3"));
        assert_string_equal(picture(scene), before);
        draft_done(&draft);
    }
}

/* The projector lets no such number through; half a batch would be written if it did. */
static void a_sort_value_that_is_no_number_makes_nothing_happen(void **state)
{
    struct scene *scene = *state;
    const struct vf_index index = {.name = "by_amount", .sort = "amount"};
    const struct vf_index_entry entry = {.in = true, .sort = {.kind = VF_SORT_NUMBER, .number = nan("")}};
    struct draft draft;
    struct vf_commit_result result;
    draft_init(&draft, scene->view, 1);
    draft_document(&draft, VF_LITERAL("a"), 1, "{}")->next_entries = &entry;
    draft.commit.indexes = &index;
    draft.commit.index_count = 1;
    assert_int_equal(draft_run(&draft, scene->store, &result), VF_REFUSED);
    assert_int_equal(result.error.code, VF_E_BUG);
    assert_false(scene_exists(scene_key(scene, ":1:a")));
    draft_done(&draft);
}

static void what_cannot_be_read_on_the_side_is_named(void **state)
{
    struct scene *scene = *state;
    int port = redis_fixture_port();
    struct vf_view view = {scene->view, 1};
    struct vf_partition partition = {"orders", 3};
    struct vf_aside *asides;
    struct vf_aside_total total;
    struct vf_bytes list, *names;
    struct vf_error error;
    size_t count;
    bool there;
    static const char *const members[] = {"nothing", "0000000000000000001 card/1", "00000000000000000x1 card/1",
                                          "0000000000000000001 card/1 orders/3 7"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        scene_ask("DEL", scene_key(scene, "@1:aside:a/1"));
        redis_fixture_ask(port, "ZADD", scene_key(scene, "@1:aside:a/1"), "0", members[i], NULL);
        assert_int_equal(
            type->aside_load(scene->store, view, VF_LITERAL("a/1"), 0, 9, 9, scene->arena, &asides, &count, &error),
            VF_E_CONFIG);
        assert_non_null(strstr(error.text, "@1:aside:a/1: "));
    }
    redis_fixture_ask(port, "ZADD", scene_key(scene, "@1:aside@orders/3"), "0", "0000000000000000005 five", NULL);
    assert_int_equal(type->aside_at(scene->store, view, partition, 5, scene->arena, &there, &list, &error),
                     VF_E_CONFIG);
    assert_non_null(strstr(error.text, "@1:aside@orders/3: "));
    redis_fixture_ask(port, "HSET", scene_key(scene, "@1:aside_bytes"), "orders/3", "five", NULL);
    assert_int_equal(type->aside_total(scene->store, view, partition, &total, &error), VF_E_CONFIG);
    redis_fixture_ask(port, "RPUSH", scene_key(scene, "@1:drops"), "{}", NULL);
    struct vf_dropped *dropped;
    assert_int_equal(type->dropped(scene->store, view, 0, 9, scene->arena, &dropped, &count, &error), VF_E_CONFIG);
    assert_non_null(strstr(error.text, "@1:drops: "));
    static const char *const keys[] = {"@1:aside:a/1", "@1:aside@orders/3", "@1:draining", "@1:expires", "@1:held",
                                       "@1:gap",       "@1:drops"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        redis_fixture_ask(port, "SET", scene_key(scene, keys[i]), "mine", NULL);
    assert_int_equal(
        type->aside_load(scene->store, view, VF_LITERAL("a/1"), 0, 9, 9, scene->arena, &asides, &count, &error),
        VF_E_CONFIG);
    assert_int_equal(type->aside_at(scene->store, view, partition, 5, scene->arena, &there, &list, &error),
                     VF_E_CONFIG);
    assert_int_equal(type->aside_total(scene->store, view, partition, &total, &error), VF_E_CONFIG);
    assert_int_equal(type->draining(scene->store, view, 9, scene->arena, &names, &count, &error), VF_E_CONFIG);
    assert_int_equal(type->due(scene->store, view, VF_DUE_EXPIRED, 9, 9, scene->arena, &names, &count, &error),
                     VF_E_CONFIG);
    int64_t counts[VF_ASIDE_STATES];
    assert_int_equal(type->aside_aggregates(scene->store, view, VF_ASIDE_HELD, (struct vf_bytes){NULL, 0}, 9,
                                            scene->arena, &names, &count, &error),
                     VF_E_CONFIG);
    assert_int_equal(type->aside_counts(scene->store, view, counts, &error), VF_E_CONFIG);
    assert_int_equal(type->dropped(scene->store, view, 0, 9, scene->arena, &dropped, &count, &error), VF_E_CONFIG);
    assert_int_equal(type->aside_counts(scene->store, (struct vf_view){"other", 1}, counts, &error), VF_OK);
}

/* What is in a record that viewfold has not written so is named, never guessed. */
static void a_record_that_makes_no_sense_is_named(void **state)
{
    struct scene *scene = *state;
    static const char *const cases[][3] = {
        {"waiters_from", "1", "waiters_from and waiters_to are no places"},
        {"waiters_to", "-1", "waiters_from and waiters_to are no places"},
        {"early_count", "2", "early_count, early_from or early_last"},
        {"early_from", "x", "early_count, early_from or early_last"},
        {"parked", "no", "parked is no failure"},
        {"parked", "{\"at\":1}", "parked is no failure"},
        {"parked", "{\"error\":\"x\"}", "parked is no failure"},
        {"since", "soon", "since is no integer"},
        {"state", "lost", "state is none"},
        {"state", "", "state is none"},
        {"draining", "2", "draining is not 1"},
        {"future", "1", "it has a field of viewfold's that this build does not know"},
    };
    const char *key = scene_key(scene, "@1:aggregate:a/1");
    char name[256];
    snprintf(name, sizeof(name), "%s", key);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vf_bytes of = VF_LITERAL("a/1");
        struct vf_aggregate read;
        struct vf_error error;
        scene_ask("DEL", name);
        redis_fixture_ask(redis_fixture_port(), "HSET", name, "_stamp", "000000000000ab12", cases[i][0], cases[i][1],
                          NULL);
        assert_int_equal(type->load(scene->store, (struct vf_view){scene->view, 1}, NULL, 0, &of, 1, scene->arena, NULL,
                                    &read, &error),
                         VF_E_CONFIG);
        if (!strstr(error.text, cases[i][2]))
            fail_msg("%s=%s: %s", cases[i][0], cases[i][1], error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(husks_of_all_kinds_lie_there_as_FORMAT_shows),
        SCENE_TEST(a_document_goes_from_any_presence_to_any_other),
        SCENE_TEST(what_is_due_comes_in_its_order_and_not_before),
        SCENE_TEST(a_record_that_waits_lies_there_as_FORMAT_shows),
        SCENE_TEST(records_are_draining_as_long_as_they_say_so),
        SCENE_TEST(records_are_listed_by_state_as_long_as_they_say_so),
        SCENE_TEST(what_was_dropped_lies_there_as_FORMAT_shows),
        SCENE_TEST(a_record_that_makes_no_sense_is_named),
        SCENE_TEST(what_is_set_aside_lies_there_as_FORMAT_shows),
        SCENE_TEST(a_list_is_read_in_parts_of_any_size),
        SCENE_TEST(a_commit_that_does_not_fit_the_lists_changes_nothing),
        SCENE_TEST(a_wrong_type_at_any_key_on_the_side_makes_nothing_happen),
        SCENE_TEST(a_count_of_bytes_that_cannot_be_makes_nothing_happen),
        SCENE_TEST(a_sort_value_that_is_no_number_makes_nothing_happen),
        SCENE_TEST(what_cannot_be_read_on_the_side_is_named),
    };
    redis_fixture_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_fixture_end();
    return failed;
}
