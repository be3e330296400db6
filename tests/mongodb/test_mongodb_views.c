/* What a view needs beyond plain documents, as it lies in a real MongoDB: husks, removal, aggregate records, lists of what is
 * set aside. What every store has to do is the store contract's. */
#include "mongodb/looking.h"

static enum vf_outcome outcome_of(struct scene *scene, struct vf_commit commit)
{
    struct vf_commit_result result;
    return commit_now(scene->store, &commit, &result);
}

#define SECONDS(n) ((int64_t)(n)*1000)

static struct vf_document a_deleted(const char *id, const char *by, int64_t since_ms)
{
    struct vf_document document = a_husk(id, 3);
    document.presence = VF_HUSK_DELETED;
    document.deleted_by = vf_bytes(by, strlen(by));
    document.since_ms = since_ms;
    return document;
}

static struct vf_document an_expired(const char *id, int64_t since_ms)
{
    struct vf_document document = a_husk(id, 3);
    document.presence = VF_HUSK_EXPIRED;
    document.since_ms = since_ms;
    document.has_expires = true;
    document.expires_ms = since_ms;
    return document;
}

static struct vf_document expiring(struct vf_document document, int64_t expires_ms)
{
    document.has_expires = true;
    document.expires_ms = expires_ms;
    return document;
}

/* ---- husks ---- */

static void husks_are_what_format_md_says(void **state)
{
    struct scene *scene = *state;
    struct vf_document written[] = {a_deleted("gone", "order/7", SECONDS(7)), an_expired("over", SECONDS(8)),
                                    expiring(a_husk("new", 3), SECONDS(9)),
                                    expiring(a_document("here", 3, a_body(scene, "n", 1)), SECONDS(10))};
    struct draft draft = draft_new(scene);
    draft.stamp = 0x00ab;
    for (size_t i = 0; i < 4; i++)
        draft_write(&draft, NULL, written[i]);
    draft_must_commit(&draft);
    for (size_t i = 0; i < 4; i++) {
        struct vf_document loaded = load_document(scene, written[i].id.data);
        assert_same_content(&loaded, &written[i]);
    }
#define REV "\"rev\": {\"$numberLong\": \"3\"}, \"stamp\": \"00000000000000ab\""
    assert_lies(scene, ".g1",
                "{\"_id\": \"gone\", \"_view\": {" REV ", \"husk\": \"deleted\", \"by\": \"order/7\", \"since\": "
                "{\"$date\": \"1970-01-01T00:00:07Z\"}}}");
    assert_lies(scene, ".g1",
                "{\"_id\": \"over\", \"_view\": {" REV ", \"husk\": \"expired\", \"since\": {\"$date\": "
                "\"1970-01-01T00:00:08Z\"}, \"expires\": {\"$date\": \"1970-01-01T00:00:08Z\"}}}");
    assert_lies(scene, ".g1",
                "{\"_id\": \"new\", \"_view\": {" REV ", \"husk\": \"new\", \"expires\": {\"$date\": "
                "\"1970-01-01T00:00:09Z\"}}}");
    assert_lies(scene, ".g1",
                "{\"_id\": \"here\", \"n\": 1, \"_view\": {" REV ", \"expires\": {\"$date\": "
                "\"1970-01-01T00:00:10Z\"}}}");
}

static void the_view_hides_every_husk_and_what_has_expired(void **state)
{
    struct scene *scene = *state;
    int64_t far_ms = (int64_t)1 << 43; /* 2248 */
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, a_deleted("a", "order/7", SECONDS(7)));
    draft_write(&draft, NULL, expiring(a_deleted("b", "order/7", SECONDS(7)), far_ms));
    draft_write(&draft, NULL, an_expired("c", SECONDS(8)));
    draft_write(&draft, NULL, expiring(a_husk("d", 1), far_ms));
    draft_write(&draft, NULL, expiring(a_document("e", 1, a_body(scene, "n", 1)), SECONDS(10)));
    draft_write(&draft, NULL, expiring(a_document("f", 1, a_body(scene, "n", 1)), far_ms));
    draft_write(&draft, NULL, a_document("g", 1, a_body(scene, "n", 1)));
    draft_must_commit(&draft);
    assert_int_equal(count_of(scene, "", "{}"), 2);
    assert_int_equal(count_of(scene, "", "{\"_id\": {\"$in\": [\"f\", \"g\"]}}"), 2);
    assert_int_equal(count_of(scene, ".g1", "{}"), 7);
}

/* ---- removal ---- */

static struct vf_document nothing(const char *id)
{
    return (struct vf_document){.id = vf_bytes(id, strlen(id)), .presence = VF_ABSENT};
}

static void what_is_removed_is_gone(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene), removal = draft_new(scene), again = draft_new(scene);
    draft_write(&draft, NULL, a_deleted("a", "order/7", SECONDS(7)));
    draft_write(&draft, NULL, a_document("b", 1, a_body(scene, "n", 1)));
    draft_must_commit(&draft);
    struct vf_document base = load_document(scene, "a");
    draft_write(&removal, &base, nothing("a"));
    draft_must_commit(&removal);
    assert_int_equal(load_document(scene, "a").presence, VF_ABSENT);
    assert_int_equal(count_of(scene, ".g1", "{}"), 1);
    draft_write(&again, NULL, nothing("a")); /* to remove what is absent is to see that it is */
    draft_must_commit(&again);
    assert_int_equal(count_of(scene, ".g1", "{}"), 1);
}

static void what_has_changed_since_is_not_removed(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene), back = draft_new(scene), removal = draft_new(scene);
    draft_write(&draft, NULL, a_deleted("a", "order/7", SECONDS(7)));
    draft_must_commit(&draft);
    struct vf_document base = load_document(scene, "a");
    draft_write(&back, &base, a_document("a", 4, a_body(scene, "n", 1)));
    draft_must_commit(&back);
    draft_write(&removal, &base, nothing("a"));
    assert_int_equal(draft_send(&removal, scene->store), VF_CONFLICT);
    assert_int_equal(load_document(scene, "a").revision, 4);
}

/* ---- aggregate records ---- */

static struct vf_aggregate an_order_that_failed(const char *aggregate)
{
    struct vf_aggregate parked = a_waiting(aggregate, 0, 1);
    parked.parked = true;
    parked.failure = (struct vf_failure){.error = VF_LITERAL("order.lua:3: $oops"),
                                         .traceback = VF_LITERAL("stack\ntraceback"),
                                         .script = VF_LITERAL("0f"),
                                         .failed_ms = SECONDS(6)};
    parked.since_ms = SECONDS(5);
    parked.state = VF_ASIDE_PARKED;
    return parked;
}

static void a_record_is_what_format_md_says(void **state)
{
    struct scene *scene = *state;
    struct vf_buffer packed;
    vf_buffer_init(&packed);
    vf_event_ids_add(&packed, VF_LITERAL("e7"));
    struct vf_version_more more = {.ids = vf_bytes(packed.data, packed.size), .id_count = 1};
    struct vf_aggregate full = a_link("card/1", "c1", 3), waiting = {.aggregate = VF_LITERAL("account/9"),
                                                                     .exists = true,
                                                                     .waiters_from = 2,
                                                                     .waiters_to = 3,
                                                                     .aside_from = 4,
                                                                     .aside_to = 6,
                                                                     .early_count = 2,
                                                                     .early_from = 9,
                                                                     .early_last = 12,
                                                                     .waits_for = VF_LITERAL("bank/1"),
                                                                     .has_seen = true,
                                                                     .seen = 7,
                                                                     .seen_more = &more,
                                                                     .since_ms = SECONDS(5),
                                                                     .state = VF_ASIDE_GAP,
                                                                     .draining = true};
    struct vf_aggregate parked = an_order_that_failed("order/1");
    struct draft draft = draft_new(scene);
    full.link_via = VF_LITERAL("account/9");
    draft.stamp = 0x00ab;
    draft_write_aggregate(&draft, NULL, full);
    draft_write_aggregate(&draft, NULL, waiting);
    draft_write_aggregate(&draft, NULL, parked);
    draft_must_commit(&draft);
    struct vf_aggregate loaded = load_aggregate(scene, "account/9"), linked = load_aggregate(scene, "card/1");
    assert_true(vf_bytes_is(linked.link_via, "account/9"));
    assert_int_equal(loaded.aside_from, 4);
    assert_int_equal(loaded.aside_to, 6);
    assert_int_equal(loaded.waiters_from, 2);
    assert_int_equal(loaded.waiters_to, 3);
    assert_int_equal(loaded.early_count, 2);
    assert_int_equal(loaded.early_from, 9);
    assert_int_equal(loaded.since_ms, SECONDS(5));
    assert_int_equal(loaded.state, VF_ASIDE_GAP);
    assert_true(vf_bytes_is(loaded.waits_for, "bank/1"));
    assert_true(loaded.has_seen && loaded.draining && !loaded.has_version && !loaded.has_link && !loaded.parked);
    assert_int_equal(loaded.seen, 7);
    assert_int_equal(loaded.seen_more->id_count, 1);
    assert_true(vf_bytes_equal(loaded.seen_more->ids, more.ids));
    loaded = load_aggregate(scene, "order/1");
    assert_true(loaded.parked && loaded.state == VF_ASIDE_PARKED && !loaded.draining);
    assert_true(vf_bytes_equal(loaded.failure.error, parked.failure.error));
    assert_true(vf_bytes_equal(loaded.failure.traceback, parked.failure.traceback));
    assert_true(vf_bytes_equal(loaded.failure.script, parked.failure.script));
    assert_int_equal(loaded.failure.failed_ms, parked.failure.failed_ms);
#define ABSENT "{\"$exists\": false}"
    assert_lies(scene, ".g1.aggregates",
                "{\"_id\": \"card/1\", \"link\": \"c1\", \"via\": \"account/9\", \"version\": 3, \"seen\": " ABSENT
                ", \"aside\": " ABSENT ", \"waiters\": " ABSENT ", \"early\": " ABSENT ", \"parked\": " ABSENT
                ", \"since\": " ABSENT ", \"state\": " ABSENT ", \"draining\": " ABSENT "}");
    assert_lies(scene, ".g1.aggregates",
                "{\"_id\": \"account/9\", \"stamp\": \"00000000000000ab\", \"aside\": [4, 6], \"waiters\": [2, 3], "
                "\"early\": [9, 12, 2], \"waits_for\": \"bank/1\", \"seen\": {\"v\": {\"$numberLong\": \"7\"}, \"ids\": "
                "[\"e7\"]}, \"parked\": " ABSENT ", \"since\": {\"$date\": \"1970-01-01T00:00:05Z\"}, \"draining\": "
                "true, \"state\": \"gap\"}");
    assert_lies(scene, ".g1.aggregates",
                "{\"_id\": \"order/1\", \"aside\": [0, 1], \"parked\": {\"error\": \"order.lua:3: $oops\", "
                "\"traceback\": \"stack\\ntraceback\", \"script\": \"0f\", \"at\": {\"$date\": "
                "\"1970-01-01T00:00:06Z\"}}, \"since\": {\"$date\": \"1970-01-01T00:00:05Z\"}, \"state\": \"parked\"}");
    vf_buffer_done(&packed);
}

static void a_record_that_is_not_ours_is_an_error_that_names_it(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_bytes id = VF_LITERAL("stray/1");
    struct vf_aggregate aggregate;
    static const char *const strays[] = {
        "\"parked\": 1",
        "\"aside\": [2, 1]",
        "\"aside\": [-1, 1]",
        "\"seen\": 7",
        "\"seen\": {}",
        "\"draining\": 1",
        "\"via\": 1",
        "\"waits_for\": 1",
        "\"draining\": false",
        "\"waiters\": [2, 1]",
        "\"waiters\": 2",
        "\"early\": [2, 3, 0]",
        "\"early\": [2]",
        "\"since\": 7",
        "\"state\": \"unheard\"",
        "\"state\": 1",
        "\"parked\": {}",
        "\"parked\": {\"error\": \"e\", \"script\": \"s\"}",
        "\"parked\": {\"error\": \"e\", \"script\": \"s\", \"at\": {\"$date\": \"1970-01-01T00:00:06Z\"}, \"more\": 1}"};
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
        bson_destroy(server_run(&server, server.database,
                                text(scene,
                                     "{\"update\": \"%s.g1.aggregates\", \"updates\": [{\"q\": {\"_id\": \"stray/1\"}, "
                                     "\"u\": {\"stamp\": \"00000000000000ab\", %s}, \"upsert\": true}]}",
                                     scene->name, strays[i])));
        if (scene->type->load(scene->store, scene->view, NULL, 0, &id, 1, scene->arena, NULL, &aggregate, &error) !=
            VF_E_CONFIG)
            fail_msg("%s was read", strays[i]);
        assert_non_null(strstr(error.text, "stray/1"));
    }
}

/* ---- lists ---- */

static struct vf_aside an_aside(struct scene *scene, const char *list, int64_t place, int64_t offset, size_t size)
{
    char *record = vf_arena_calloc(scene->arena, 1, size);
    for (size_t i = 0; i < size; i++)
        record[i] = (char)(place * 7 + (int64_t)i); /* any bytes, NUL too */
    return (struct vf_aside){.list = vf_bytes(list, strlen(list)),
                             .place = place,
                             .aggregate = VF_LITERAL("card/1"),
                             .partition = {"cards", 3},
                             .offset = offset,
                             .record = vf_bytes(record, size)};
}

static struct vf_aggregate a_list(const char *aggregate, int64_t from, int64_t to)
{
    return (struct vf_aggregate){.aggregate = vf_bytes(aggregate, strlen(aggregate)),
                                 .exists = true,
                                 .aside_from = from,
                                 .aside_to = to,
                                 .draining = from < to};
}

/* Puts `count` events of `size` bytes into the list of account/9, from place 0 and offset 100 on. */
static void fill_list(struct scene *scene, int64_t count, size_t size)
{
    struct draft draft = draft_new(scene);
    struct vf_aside *asides = vf_arena_calloc(scene->arena, (size_t)count, sizeof(*asides));
    for (int64_t i = 0; i < count; i++)
        asides[i] = an_aside(scene, "account/9", i, 100 + i, size);
    draft_write_aggregate(&draft, NULL, a_list("account/9", 0, count));
    struct vf_commit commit = draft_commit(&draft);
    commit.asides = asides;
    commit.aside_count = (size_t)count;
    assert_int_equal(outcome_of(scene, commit), VF_COMMITTED);
}

static void what_is_set_aside_is_what_format_md_says(void **state)
{
    struct scene *scene = *state;
    fill_list(scene, 2, 3);
    assert_lies(scene, ".g1.aside",
                "{\"_id\": {\"a\": \"account/9\", \"v\": {\"$numberLong\": \"1\"}}, \"of\": \"card/1\", \"tp\": "
                "\"cards/3\", \"offset\": 101, \"size\": 3, \"record\": {\"$binary\": {\"base64\": \"BwgJ\", "
                "\"subType\": \"00\"}}}");
}

static size_t load_list(struct scene *scene, const char *list, int64_t place, size_t count, size_t bytes_max,
                        struct vf_aside **ret_asides)
{
    struct vf_error error;
    size_t found;
    assert_ok(scene->type->aside_load(scene->other, scene->view, vf_bytes(list, strlen(list)), place, count, bytes_max,
                                      scene->arena, ret_asides, &found, &error));
    return found;
}

static void a_list_is_read_in_parts_and_in_order(void **state)
{
    struct scene *scene = *state;
    struct vf_aside *asides;
    fill_list(scene, 300, 10); /* more than MongoDB sends at once by itself; 10 is not behind 9 as texts are */
    assert_int_equal(load_list(scene, "account/9", 0, 1000, 1000000, &asides), 300);
    for (int64_t i = 0; i < 300; i++) {
        struct vf_aside expected = an_aside(scene, "account/9", i, 100 + i, 10);
        assert_int_equal(asides[i].place, i);
        assert_int_equal(asides[i].offset, 100 + i);
        assert_true(vf_bytes_is(asides[i].list, "account/9") && vf_bytes_is(asides[i].aggregate, "card/1"));
        assert_string_equal(asides[i].partition.topic, "cards");
        assert_int_equal(asides[i].partition.partition, 3);
        assert_true(vf_bytes_equal(asides[i].record, expected.record));
    }
    assert_int_equal(load_list(scene, "account/9", 290, 5, 1000000, &asides), 5);
    assert_int_equal(asides[0].place, 290);
    assert_int_equal(load_list(scene, "account/9", 0, 1000, 55, &asides), 6); /* about 55 bytes */
    assert_int_equal(load_list(scene, "account/9", 0, 1000, 0, &asides), 1);  /* one at least */
    assert_int_equal(load_list(scene, "account/9", 300, 10, 1000000, &asides), 0);
    assert_int_equal(load_list(scene, "account/90", 0, 10, 1000000, &asides), 0);
    assert_int_equal(load_list(scene, "account/", 0, 10, 1000000, &asides), 0);
}

static struct vf_aside_total total_of(struct scene *scene, const char *topic, int32_t partition)
{
    struct vf_error error;
    struct vf_aside_total total = {99, 99};
    assert_ok(
        scene->type->aside_total(scene->other, scene->view, (struct vf_partition){topic, partition}, &total, &error));
    return total;
}

static bool is_aside(struct scene *scene, int32_t partition, int64_t offset, const char *list)
{
    struct vf_error error;
    struct vf_bytes found;
    bool there;
    assert_ok(scene->type->aside_at(scene->other, scene->view, (struct vf_partition){"cards", partition}, offset,
                                    scene->arena, &there, &found, &error));
    assert_true(!there || vf_bytes_is(found, list));
    return there;
}

static void what_is_set_aside_is_counted_and_found(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(total_of(scene, "cards", 3).count, 0);
    fill_list(scene, 20, 10);
    assert_int_equal(total_of(scene, "cards", 3).count, 20);
    assert_int_equal(total_of(scene, "cards", 3).bytes, 200);
    assert_int_equal(total_of(scene, "cards", 30).count, 0);
    assert_int_equal(total_of(scene, "card", 3).bytes, 0);
    assert_true(is_aside(scene, 3, 119, "account/9"));
    assert_false(is_aside(scene, 3, 120, ""));
    assert_false(is_aside(scene, 2, 119, ""));
}

/* A commit that takes these places of account/9's list away, and says that the rest is [from, to). */
static enum vf_outcome take(struct scene *scene, const int64_t *places, size_t count, int64_t from, int64_t to)
{
    struct draft draft = draft_new(scene);
    struct vf_aggregate base = load_aggregate(scene, "account/9");
    struct vf_aside *taken = vf_arena_calloc(scene->arena, count, sizeof(*taken));
    for (size_t i = 0; i < count; i++) {
        taken[i] = an_aside(scene, "account/9", places[i], 100 + places[i], 0);
        taken[i].record = (struct vf_bytes){0};
    }
    draft_write_aggregate(&draft, &base, a_list("account/9", from, to));
    struct vf_commit commit = draft_commit(&draft);
    commit.taken = taken;
    commit.taken_count = count;
    return outcome_of(scene, commit);
}

static void what_is_taken_leaves_its_list(void **state)
{
    struct scene *scene = *state;
    struct vf_aside *asides;
    fill_list(scene, 3, 10);
    assert_int_equal(take(scene, (int64_t[]){0, 1}, 2, 2, 3), VF_COMMITTED);
    assert_int_equal(load_list(scene, "account/9", 0, 10, 1000, &asides), 1);
    assert_int_equal(asides[0].place, 2);
    assert_false(is_aside(scene, 3, 100, ""));
    assert_int_equal(total_of(scene, "cards", 3).bytes, 10);
}

static void what_is_not_there_cannot_be_taken(void **state)
{
    struct scene *scene = *state;
    fill_list(scene, 3, 10);
    assert_int_equal(take(scene, (int64_t[]){2, 3}, 2, 4, 4), VF_CONFLICT);
    assert_int_equal(load_aggregate(scene, "account/9").aside_from, 0);
    assert_int_equal(total_of(scene, "cards", 3).count, 3);
}

static void a_place_that_is_taken_takes_no_other_event(void **state)
{
    struct scene *scene = *state;
    struct draft draft = draft_new(scene);
    fill_list(scene, 3, 10);
    struct vf_aggregate base = load_aggregate(scene, "account/9");
    struct vf_aside asides[] = {an_aside(scene, "account/9", 3, 103, 10), an_aside(scene, "account/9", 2, 104, 10)};
    draft_write_aggregate(&draft, &base, a_list("account/9", 0, 4));
    struct vf_commit commit = draft_commit(&draft);
    commit.asides = asides;
    commit.aside_count = 2;
    assert_int_equal(outcome_of(scene, commit), VF_CONFLICT);
    assert_int_equal(load_aggregate(scene, "account/9").aside_to, 3);
    assert_int_equal(total_of(scene, "cards", 3).count, 3);
}

static void records_that_are_draining_are_found_by_their_index(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_bytes *aggregates;
    size_t count;
    struct draft draft = draft_new(scene);
    for (int i = 0; i < 5; i++)
        draft_write_aggregate(&draft, NULL, a_list(text(scene, "account/%d", i), i % 2, 1));
    draft_must_commit(&draft);
    assert_ok(scene->type->draining(scene->store, scene->view, 10, scene->arena, &aggregates, &count, &error));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_true(load_aggregate(scene, aggregates[i].data).draining);
    assert_ok(scene->type->draining(scene->store, scene->view, 2, scene->arena, &aggregates, &count, &error));
    assert_int_equal(count, 2);
}

static void records_that_wait_are_found_and_counted_by_their_index(void **state)
{
    struct scene *scene = *state;
    enum { EACH = 30 };
    struct vf_error error;
    struct vf_bytes *found;
    size_t count;
    int64_t counts[VF_ASIDE_STATES];
    struct draft draft = draft_new(scene);
    for (int i = 0; i < EACH; i++) {
        struct vf_aggregate gap = a_waiting(text(scene, "gap/%02d", i), 0, 1);
        gap.state = VF_ASIDE_GAP;
        draft_write_aggregate(&draft, NULL, gap);
        draft_write_aggregate(&draft, NULL, an_order_that_failed(text(scene, "parked/%02d", i)));
        draft_write_aggregate(&draft, NULL, a_link(text(scene, "plain/%02d", i), "c1", 1));
    }
    draft_must_commit(&draft);
    for (int i = 0; i < 2; i++) { /* the first time makes the index */
        if (i == 1)
            profile(2);
        assert_ok(scene->type->aside_aggregates(scene->store, scene->view, VF_ASIDE_PARKED, VF_LITERAL("parked/09"), 5,
                                                scene->arena, &found, &count, &error));
        assert_int_equal(count, 5);
        for (size_t at = 0; at < count; at++)
            assert_string_equal(found[at].data, text(scene, "parked/%d", (int)at + 10));
    }
    assert_int_equal(assert_plans(scene, 6), 1);
    profile(2);
    assert_ok(scene->type->aside_counts(scene->store, scene->view, counts, &error));
    assert_int_equal(counts[VF_ASIDE_GAP], EACH);
    assert_int_equal(counts[VF_ASIDE_PARKED], EACH);
    assert_int_equal(counts[VF_ASIDE_HELD], 0);
    assert_int_equal(counts[VF_ASIDE_NONE], 0);
    assert_int_equal(assert_plans(scene, 2 * EACH + 2), 1);
}

static void what_is_dropped_is_what_format_md_says(void **state)
{
    struct scene *scene = *state;
    struct vf_dropped dropped[] = {
        {.aggregate = VF_LITERAL("order/42"),
         .partition = {"orders", 3},
         .offset = 1042,
         .identity = 0x9f2c,
         .dropped_ms = SECONDS(7),
         .error = VF_LITERAL("no such customer")},
        {.aggregate = VF_LITERAL("order/43"), .missing_from = 4, .missing_to = 6, .dropped_ms = SECONDS(8)}};
    for (int64_t i = 0; i < 2; i++) {
        struct draft draft = draft_new(scene);
        struct vf_commit commit = draft_commit(&draft);
        commit.dropped = &dropped[i];
        commit.dropped_count = 1;
        assert_int_equal(outcome_of(scene, commit), VF_COMMITTED);
    }
    assert_lies(scene, ".g1.drops",
                "{\"_id\": 0, \"of\": \"order/42\", \"tp\": \"orders/3\", \"offset\": 1042, "
                "\"identity\": \"0000000000009f2c\", \"at\": {\"$date\": "
                "\"1970-01-01T00:00:07Z\"}, \"error\": \"no such customer\", \"missing\": " ABSENT "}");
    assert_lies(scene, ".g1.drops",
                "{\"_id\": 1, \"of\": \"order/43\", \"missing\": [4, 6], \"at\": {\"$date\": "
                "\"1970-01-01T00:00:08Z\"}, \"tp\": " ABSENT ", \"offset\": " ABSENT ", \"identity\": " ABSENT ", \"error\": " ABSENT "}");
}

static void more_set_aside_than_a_commit_takes_is_refused_before_it_is_sent(void **state)
{
    struct scene *scene = *state;
    enum { MEGABYTE = 1024 * 1024 };
    struct vf_aside whole = an_aside(scene, "account/9", 0, 100, 17 * MEGABYTE), many[7];
    for (int i = 0; i < 7; i++)
        many[i] = an_aside(scene, "account/9", i, 100 + i, 7 * MEGABYTE);
    for (int i = 0; i < 2; i++) {
        struct draft draft = draft_new(scene);
        struct vf_commit_result result;
        draft_write_aggregate(&draft, NULL, a_list("account/9", 0, i ? 7 : 1));
        struct vf_commit commit = draft_commit(&draft);
        commit.asides = i ? many : &whole;
        commit.aside_count = i ? 7 : 1;
        assert_int_equal(commit_now(scene->store, &commit, &result), VF_REFUSED);
        assert_int_equal(result.error.code, VF_E_LIMIT);
    }
    assert_false(load_aggregate(scene, "account/9").exists);
}

/* Several commands' worth of events in one transaction. */
static void many_large_events_are_set_aside_in_one_commit(void **state)
{
    struct scene *scene = *state;
    struct vf_aside *asides;
    fill_list(scene, 40, 1024 * 1024);
    assert_int_equal(total_of(scene, "cards", 3).count, 40);
    assert_int_equal(load_list(scene, "account/9", 0, 100, 20 * 1024 * 1024, &asides), 20);
}

/* ---- what is due ---- */

static const char *due_ids(struct scene *scene, enum vf_due due, int64_t limit_ms, size_t most)
{
    struct vf_error error;
    struct vf_bytes *ids;
    size_t count;
    const char *all = "";
    assert_ok(scene->type->due(scene->store, scene->view, due, limit_ms, most, scene->arena, &ids, &count, &error));
    for (size_t i = 0; i < count; i++)
        all = text(scene, "%s%s%s", all, i ? " " : "", ids[i].data);
    return all;
}

static void write_what_becomes_due(struct scene *scene)
{
    struct draft draft = draft_new(scene);
    draft_write(&draft, NULL, expiring(a_document("p3", 1, a_body(scene, "n", 1)), SECONDS(3)));
    draft_write(&draft, NULL, expiring(a_document("p1", 1, a_body(scene, "n", 1)), SECONDS(1)));
    draft_write(&draft, NULL, expiring(a_husk("n2", 1), SECONDS(2)));
    draft_write(&draft, NULL, expiring(a_document("p-1", 1, a_body(scene, "n", 1)), SECONDS(-1)));
    draft_write(&draft, NULL, a_document("never", 1, a_body(scene, "n", 1)));
    draft_write(&draft, NULL, a_husk("new", 1));
    draft_write(&draft, NULL, a_deleted("d2", "order/7", SECONDS(2)));
    draft_write(&draft, NULL, expiring(a_deleted("d1", "order/7", SECONDS(1)), SECONDS(3)));
    draft_write(&draft, NULL, an_expired("e3", SECONDS(3)));
    draft_must_commit(&draft);
}

static void what_is_due_comes_by_its_time(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    assert_ok(scene->type->make_indexes(scene->store, scene->view, NULL, 0, true, &error));
    write_what_becomes_due(scene);
    assert_string_equal(due_ids(scene, VF_DUE_EXPIRED, SECONDS(3), 10), "p-1 p1 n2 p3");
    assert_string_equal(due_ids(scene, VF_DUE_EXPIRED, SECONDS(3) - 1, 10), "p-1 p1 n2");
    assert_string_equal(due_ids(scene, VF_DUE_EXPIRED, SECONDS(3), 2), "p-1 p1");
    assert_string_equal(due_ids(scene, VF_DUE_EXPIRED, SECONDS(3), 0), "");
    assert_string_equal(due_ids(scene, VF_DUE_HUSK, SECONDS(3), 10), "d1 d2 e3");
    assert_string_equal(due_ids(scene, VF_DUE_HUSK, SECONDS(2), 10), "d1 d2");
    assert_string_equal(due_ids(scene, VF_DUE_HUSK, SECONDS(0), 10), "");
}

static void the_sweep_and_the_lists_go_by_indexes(void **state)
{
    struct scene *scene = *state;
    struct vf_error error;
    struct vf_aside *asides;
    struct vf_bytes *aggregates;
    size_t count;
    assert_ok(scene->type->make_indexes(scene->store, scene->view, NULL, 0, true, &error));
    write_what_becomes_due(scene);
    fill_list(scene, 50, 10);
    for (int i = 0; i < 2; i++) { /* the first time makes indexes */
        if (i == 1)
            profile(2);
        assert_string_equal(due_ids(scene, VF_DUE_HUSK, SECONDS(2), 10), "d1 d2");
        assert_ok(scene->type->draining(scene->store, scene->view, 10, scene->arena, &aggregates, &count, &error));
    }
    assert_string_equal(due_ids(scene, VF_DUE_EXPIRED, SECONDS(2), 10), "p-1 p1 n2");
    assert_int_equal(load_list(scene, "account/9", 10, 5, 1000, &asides), 5);
    assert_true(is_aside(scene, 3, 120, "account/9"));
    assert_int_equal(assert_plans(scene, 6), 5);
    profile(2);
    assert_int_equal(total_of(scene, "cards", 3).count, 50);
    assert_int_equal(assert_plans(scene, 51), 1);
}

/* ---- the order within a transaction ---- */

/* The collections that the last commit wrote to, in this order, each once in a row: "g1 aggregates aside progress". */
static const char *written_to(struct scene *scene)
{
    profile(0);
    bson_t *reply =
        server_run(&server, server.database,
                   "{\"find\": \"system.profile\", \"batchSize\": 10000, \"sort\": {\"$natural\": 1}, \"filter\": "
                   "{\"op\": {\"$in\": [\"update\", \"insert\", \"remove\"]}}}");
    bson_iter_t iter, batch, one, row;
    const char *all = "", *last = "";
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch));
    assert_true(bson_iter_recurse(&batch, &one));
    while (bson_iter_next(&one)) {
        assert_true(bson_iter_recurse(&one, &row) && bson_iter_find(&row, "ns"));
        const char *collection = strrchr(bson_iter_utf8(&row, NULL), '.') + 1;
        if (strcmp(collection, last) != 0)
            all = text(scene, "%s%s%s", all, *all ? " " : "", collection);
        last = text(scene, "%s", collection);
    }
    bson_destroy(reply);
    bson_destroy(server_run(&server, server.database, "{\"drop\": \"system.profile\"}"));
    return all;
}

/* Documents are what workers contend for: who loses there has not written anything else yet. Progress says that all is there. */
static void documents_come_first_and_progress_last(void **state)
{
    struct scene *scene = *state;
    struct draft first = draft_new(scene), draft = draft_new(scene);
    draft_write(&first, NULL, a_document("a", 1, a_body(scene, "n", 1)));
    draft_write(&first, NULL, a_document("b", 1, a_body(scene, "n", 1)));
    draft_write_aggregate(&first, NULL, a_link("order/1", "a", 1));
    draft_progress(&first, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&first);
    struct vf_document a = load_document(scene, "a"), b = load_document(scene, "b");
    struct vf_aggregate order = load_aggregate(scene, "order/1");
    draft_progress(&draft, "orders", 0, a_progress(1), a_progress(2));
    draft_aside(&draft, scene_aside(scene, "account/9", 0, 100));
    draft_write_aggregate(&draft, NULL, a_waiting("account/9", 0, 1));
    draft_write_aggregate(&draft, &order, a_link("order/1", "b", 2));
    draft_write(&draft, NULL, a_document("c", 1, a_body(scene, "n", 1)));
    draft_consult(&draft, "absent", NULL);
    draft_consult(&draft, "b", &b);
    draft_write(&draft, &a, a_document("a", 2, a_body(scene, "n", 2)));
    profile(2);
    draft_must_commit(&draft);
    assert_string_equal(written_to(scene), "g1 aggregates aside progress");
}

/* ---- what is believed ---- */

/* How the last question to a collection was asked, by the server's profiler. */
static void assert_asked(struct scene *scene, const char *collection, const char *level)
{
    profile(0);
    bson_t *reply = server_run(&server, server.database,
                               text(scene,
                                    "{\"count\": \"system.profile\", \"query\": {\"command.find\": \"%s\", "
                                    "\"command.readConcern.level\": \"%s\"}}",
                                    collection, level));
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, reply, "n"));
    if (bson_iter_as_int64(&iter) != 1)
        fail_msg("%s was not asked %s", collection, level);
    bson_destroy(reply);
    bson_destroy(server_run(&server, server.database, "{\"drop\": \"system.profile\"}"));
}

/* What only a primary has that has lost its majority is taken back by the next one (tests/faults/f17_mongodb_errors.py). */
static void workers_wait_for_a_majority_and_readers_see_no_more_than_it_has(void **state)
{
    struct scene *scene = *state;
    struct vf_store *readers = scene_open();
    struct vf_bytes id = VF_LITERAL("c1");
    struct vf_document document;
    struct vf_progress_row *rows;
    struct vf_error error;
    size_t count;
    for (int i = 0; i < 2; i++) {
        struct vf_store *store = i ? readers : scene->store; /* which has prepared the view, as a worker does */
        profile(2);
        assert_ok(scene->type->progress(store, scene->view, scene->arena, &rows, &count, &error));
        assert_asked(scene, "viewfold.progress", i ? "majority" : "linearizable");
        profile(2);
        assert_ok(scene->type->load(store, scene->view, &id, 1, NULL, 0, scene->arena, &document, NULL, &error));
        assert_asked(scene, text(scene, "%s.g1", scene->name), i ? "majority" : "local");
    }
    scene->type->close(readers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(husks_are_what_format_md_says),
        SCENE_TEST(the_view_hides_every_husk_and_what_has_expired),
        SCENE_TEST(what_is_removed_is_gone),
        SCENE_TEST(what_has_changed_since_is_not_removed),
        SCENE_TEST(a_record_is_what_format_md_says),
        SCENE_TEST(a_record_that_is_not_ours_is_an_error_that_names_it),
        SCENE_TEST(what_is_set_aside_is_what_format_md_says),
        SCENE_TEST(a_list_is_read_in_parts_and_in_order),
        SCENE_TEST(what_is_set_aside_is_counted_and_found),
        SCENE_TEST(what_is_taken_leaves_its_list),
        SCENE_TEST(what_is_not_there_cannot_be_taken),
        SCENE_TEST(a_place_that_is_taken_takes_no_other_event),
        SCENE_TEST(records_that_are_draining_are_found_by_their_index),
        SCENE_TEST(records_that_wait_are_found_and_counted_by_their_index),
        SCENE_TEST(what_is_dropped_is_what_format_md_says),
        SCENE_TEST(more_set_aside_than_a_commit_takes_is_refused_before_it_is_sent),
        SCENE_TEST(many_large_events_are_set_aside_in_one_commit),
        SCENE_TEST(what_is_due_comes_by_its_time),
        SCENE_TEST(the_sweep_and_the_lists_go_by_indexes),
        SCENE_TEST(documents_come_first_and_progress_last),
        SCENE_TEST(workers_wait_for_a_majority_and_readers_see_no_more_than_it_has),
    };
    return looking_run(tests);
}
