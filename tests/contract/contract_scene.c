#include "contract/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

const struct vf_store_contract *contract_under_test;
const struct vf_progress no_progress;

uint64_t random_bits(void)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
        abort();
    return bits;
}

void assert_ok_at(enum vf_code code, const struct vf_error *error, const char *what, const char *file, int line)
{
    if (code == VF_OK)
        return;
    print_error("%s: code %d: %s\n", what, (int)code, error->text);
    _fail(file, line);
}

void scene_unique_name(char *name, size_t size)
{
    snprintf(name, size, "contract_%016llx", (unsigned long long)random_bits());
}

struct vf_store *scene_open(void)
{
    struct vf_error error = {0};
    struct vf_store *store = contract_under_test->open(contract_under_test->self, &error);
    if (!store)
        fail_msg("no store: %s", error.text);
    return store;
}

void scene_reopen(struct scene *scene, struct vf_store **store)
{
    scene->type->close(*store);
    *store = NULL;
    *store = scene_open();
}

void scene_prepare(struct scene *scene, const char *name)
{
    struct vf_file file = {VF_LITERAL("contract.lua"), VF_LITERAL("return {}\n")};
    struct vf_generation proposed = {.number = 1,
                                     .state = "active",
                                     .projection_version = 1,
                                     .script = "contract.lua",
                                     .files = &file,
                                     .file_count = 1,
                                     .created_ms = 1772359200000,
                                     .format = VF_FORMAT};
    memset(proposed.script_hash, 'a', 64);
    struct vf_generation held;
    bool created;
    struct vf_error error = {0};
    assert_ok(scene->type->prepare(scene->store, name, &proposed, scene->arena, &held, &created, &error));
}

int scene_setup(void **state)
{
    struct scene *scene = vf_calloc(1, sizeof(*scene));
    *state = scene;
    scene->type = contract_under_test->type;
    scene->arena = vf_arena_new();
    scene->store = scene_open();
    scene->other = scene_open();
    scene_unique_name(scene->name, sizeof(scene->name));
    scene->view = (struct vf_view){scene->name, 1};
    scene_prepare(scene, scene->name);
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *scene = *state;
    scene->type->close(scene->store);
    scene->type->close(scene->other);
    vf_arena_free(scene->arena);
    free(scene);
    return 0;
}

/* ---- commits ---- */

struct draft draft_new(struct scene *scene)
{
    return (struct draft){.scene = scene, .view = scene->view, .stamp = random_bits()};
}

/* Grows at each power of two. */
void *draft_grow(struct draft *draft, void *items, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return items;
    void *bigger = vf_arena_alloc(draft->scene->arena, (count ? 2 * count : 1) * size);
    if (count)
        memcpy(bigger, items, count * size);
    return bigger;
}

void draft_progress(struct draft *draft, const char *topic, int32_t partition, struct vf_progress from,
                    struct vf_progress to)
{
    draft->progress = draft_grow(draft, draft->progress, draft->progress_count, sizeof(*draft->progress));
    draft->progress[draft->progress_count++] = (struct vf_progress_change){{topic, partition}, from, to};
}

static const struct vf_index_entry *entries_of(struct draft *draft, const struct vf_document *document)
{
    struct scene *scene = draft->scene;
    struct vf_index_entry *entries = NULL;
    struct vf_error error = {0};
    if (document && document->presence == VF_PRESENT && scene->index_count > 0)
        assert_ok(vf_index_entries(scene->indexes, scene->index_count, document->body, scene->arena, &entries, &error));
    return entries;
}

static void add_document(struct draft *draft, enum vf_intent intent, const struct vf_document *base,
                         struct vf_document next)
{
    draft->documents = draft_grow(draft, draft->documents, draft->document_count, sizeof(*draft->documents));
    draft->documents[draft->document_count++] = (struct vf_document_change){
        .intent = intent,
        .base = base ? base->presence : VF_ABSENT,
        .base_stamp = base ? base->stamp : 0,
        .next = next,
        .base_entries = entries_of(draft, base),
        .next_entries = entries_of(draft, &next),
        .base_has_expires = base && base->has_expires,
        .base_has_since = base && (base->presence == VF_HUSK_DELETED || base->presence == VF_HUSK_EXPIRED),
    };
}

void draft_write(struct draft *draft, const struct vf_document *base, struct vf_document next)
{
    add_document(draft, VF_WRITE, base, next);
}

void draft_consult(struct draft *draft, const char *id, const struct vf_document *base)
{
    add_document(draft, VF_CONSULT, base, (struct vf_document){.id = vf_bytes_from(id)});
}

static void add_aggregate(struct draft *draft, enum vf_intent intent, const struct vf_aggregate *base,
                          struct vf_aggregate next)
{
    draft->aggregates = draft_grow(draft, draft->aggregates, draft->aggregate_count, sizeof(*draft->aggregates));
    draft->aggregates[draft->aggregate_count++] = (struct vf_aggregate_change){
        .intent = intent,
        .base_exists = base && base->exists,
        .base_stamp = base ? base->stamp : 0,
        .base_state = base ? base->state : VF_ASIDE_NONE,
        .base_draining = base && base->draining,
        .next = next,
    };
}

void draft_write_aggregate(struct draft *draft, const struct vf_aggregate *base, struct vf_aggregate next)
{
    add_aggregate(draft, VF_WRITE, base, next);
}

void draft_remove_aggregate(struct draft *draft, const struct vf_aggregate *base)
{
    add_aggregate(draft, VF_WRITE, base, (struct vf_aggregate){.aggregate = base->aggregate});
}

void draft_consult_aggregate(struct draft *draft, enum vf_intent intent, const char *aggregate,
                             const struct vf_aggregate *base)
{
    add_aggregate(draft, intent, base, (struct vf_aggregate){.aggregate = vf_bytes_from(aggregate)});
}

struct vf_commit draft_commit(const struct draft *draft)
{
    return (struct vf_commit){
        .view = draft->view,
        .generation_stamp = draft->generation_stamp,
        .stamp = draft->stamp,
        .progress = draft->progress,
        .progress_count = draft->progress_count,
        .documents = draft->documents,
        .document_count = draft->document_count,
        .aggregates = draft->aggregates,
        .aggregate_count = draft->aggregate_count,
        .asides = draft->asides,
        .aside_count = draft->aside_count,
        .taken = draft->taken,
        .taken_count = draft->taken_count,
        .dropped = draft->dropped,
        .dropped_count = draft->dropped_count,
        .indexes = draft->scene->indexes,
        .index_count = draft->scene->index_count,
    };
}

enum vf_outcome commit_now(struct vf_store *store, const struct vf_commit *commit, struct vf_commit_result *ret_result)
{
    const struct vf_store_type *type = contract_under_test->type;
    type->commit_send(store, commit);
    type->commit_wait(store, ret_result);
    return ret_result->outcome;
}

enum vf_outcome draft_send(const struct draft *draft, struct vf_store *store)
{
    struct vf_commit commit = draft_commit(draft);
    struct vf_commit_result result = {0};
    enum vf_outcome outcome = commit_now(store, &commit, &result);
    if (outcome == VF_UNKNOWN || outcome == VF_REFUSED)
        print_message("commit: outcome %d: %s\n", (int)outcome, result.error.text);
    return outcome;
}

void draft_must_commit(const struct draft *draft)
{
    assert_int_equal(draft_send(draft, draft->scene->store), VF_COMMITTED);
}

/* ---- values ---- */

struct vf_document a_document(const char *id, int64_t revision, struct vf_bytes body)
{
    return (struct vf_document){.id = vf_bytes_from(id), .presence = VF_PRESENT, .revision = revision, .body = body};
}

struct vf_document a_husk(const char *id, int64_t revision)
{
    return (struct vf_document){.id = vf_bytes_from(id), .presence = VF_HUSK_NEW, .revision = revision};
}

struct vf_aggregate a_link(const char *aggregate, const char *to, int64_t version)
{
    return (struct vf_aggregate){
        .aggregate = vf_bytes_from(aggregate),
        .exists = true,
        .has_link = true,
        .link_is_none = to == NULL,
        .link = vf_bytes_from(to),
        .has_version = version >= 0,
        .version = version >= 0 ? version : 0,
    };
}

struct vf_progress a_progress(int64_t next)
{
    if (next == 0) /* the end of an empty partition: no record has been dealt with */
        return (struct vf_progress){.exists = true, .of = 7, .stamp = 7};
    return (struct vf_progress){
        .exists = true,
        .next = next,
        .of = 7,
        .has_last = true,
        .last_offset = next - 1,
        .last_timestamp_ms = 1772359200000 + next,
        .last_hash = 0x9f2c000000000000u + (uint64_t)next,
        .aside = 0,
        .had = next % 3 == 0 ? next + 1000 : 0, /* of some, the store had lost what came before */
        .stamp = 0xfedcba9800000000u + (uint64_t)next,
    };
}

struct vf_bytes body_from(struct scene *scene, bson_t *bson)
{
    struct vf_bytes body = vf_arena_bytes(scene->arena, bson_get_data(bson), bson->len);
    bson_destroy(bson);
    return body;
}

struct vf_bytes a_body(struct scene *scene, const char *field, int64_t number)
{
    bson_t bson = BSON_INITIALIZER;
    assert_true(bson_append_int64(&bson, field, (int)strlen(field), number));
    return body_from(scene, &bson);
}

/* ---- looking ---- */

struct vf_document load_document(struct scene *scene, const char *id)
{
    struct vf_bytes ids = vf_bytes_from(id);
    struct vf_document document;
    struct vf_error error = {0};
    assert_ok(scene->type->load(scene->other, scene->view, &ids, 1, NULL, 0, scene->arena, &document, NULL, &error));
    if (document.presence != VF_ABSENT)
        assert_true(vf_bytes_equal(document.id, ids));
    return document;
}

struct vf_aggregate load_aggregate(struct scene *scene, const char *name)
{
    struct vf_bytes names = vf_bytes_from(name);
    struct vf_aggregate aggregate;
    struct vf_error error = {0};
    assert_ok(scene->type->load(scene->other, scene->view, NULL, 0, &names, 1, scene->arena, NULL, &aggregate, &error));
    if (aggregate.exists)
        assert_true(vf_bytes_equal(aggregate.aggregate, names));
    return aggregate;
}

static int compare_rows(const void *a, const void *b)
{
    const struct vf_partition *left = &((const struct vf_progress_row *)a)->partition;
    const struct vf_partition *right = &((const struct vf_progress_row *)b)->partition;
    int order = strcmp(left->topic, right->topic);
    return order ? order : (left->partition > right->partition) - (left->partition < right->partition);
}

static void load_rows(struct scene *scene, struct vf_progress_row **ret_rows, size_t *ret_count)
{
    struct vf_error error = {0};
    assert_ok(scene->type->progress(scene->other, scene->view, scene->arena, ret_rows, ret_count, &error));
    if (*ret_count > 0)
        qsort(*ret_rows, *ret_count, sizeof(**ret_rows), compare_rows);
}

struct vf_progress_row load_row(struct scene *scene, const char *topic, int32_t partition)
{
    struct vf_progress_row *rows, found = {{topic, partition}, {0}, NULL};
    size_t count;
    load_rows(scene, &rows, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].partition.partition == partition && strcmp(rows[i].partition.topic, topic) == 0)
            found = rows[i];
    }
    return found;
}

/* Whether the draft changes this aggregate's list. */
static bool concerns_list(const struct draft *draft, struct vf_bytes list)
{
    for (size_t i = 0; i < draft->aside_count; i++) {
        if (vf_bytes_equal(draft->asides[i].list, list))
            return true;
    }
    for (size_t i = 0; i < draft->taken_count; i++) {
        if (vf_bytes_equal(draft->taken[i].list, list))
            return true;
    }
    return false;
}

static void take_lists(struct scene *scene, const struct draft *of, struct picture *picture)
{
    struct draft lists = draft_new(scene); /* only to gather them */
    for (size_t i = 0; i < picture->aggregate_count; i++) {
        const struct vf_aggregate *one = &picture->aggregates[i];
        const bool full[] = {[VF_LIST_OWN] = one->exists && one->aside_from < one->aside_to,
                             [VF_LIST_WAITERS] = one->exists && one->waiters_from < one->waiters_to,
                             [VF_LIST_EARLY] = one->exists && one->early_count > 0};
        for (enum vf_list list = VF_LIST_OWN; list <= VF_LIST_EARLY; list++) {
            struct vf_bytes key = vf_list_key(scene->arena, list, of->aggregates[i].next.aggregate);
            if (!concerns_list(of, key) && !full[list])
                continue;
            size_t count;
            struct vf_aside *asides = scene_load_list(scene, key.data, &count);
            for (size_t a = 0; a < count; a++)
                draft_aside(&lists, asides[a]);
        }
    }
    picture->asides = lists.asides;
    picture->aside_count = lists.aside_count;
}

struct picture picture_take(struct scene *scene, const struct draft *of)
{
    struct vf_arena *arena = scene->arena;
    struct picture picture = {.document_count = of->document_count, .aggregate_count = of->aggregate_count};
    struct vf_bytes *ids = vf_arena_calloc(arena, of->document_count, sizeof(*ids));
    struct vf_bytes *names = vf_arena_calloc(arena, of->aggregate_count, sizeof(*names));
    for (size_t i = 0; i < of->document_count; i++)
        ids[i] = of->documents[i].next.id;
    for (size_t i = 0; i < of->aggregate_count; i++)
        names[i] = of->aggregates[i].next.aggregate;
    picture.documents = vf_arena_calloc(arena, of->document_count, sizeof(*picture.documents));
    picture.aggregates = vf_arena_calloc(arena, of->aggregate_count, sizeof(*picture.aggregates));
    struct vf_error error = {0};
    assert_ok(scene->type->load(scene->other, of->view, ids, of->document_count, names, of->aggregate_count, arena,
                                picture.documents, picture.aggregates, &error));
    load_rows(scene, &picture.rows, &picture.row_count);
    take_lists(scene, of, &picture);
    picture.dropped = scene_load_dropped(scene, 0, 1000000, &picture.dropped_count);
    return picture;
}

static void assert_same_row(const struct vf_progress_row *a, const struct vf_progress_row *b)
{
    assert_string_equal(a->partition.topic, b->partition.topic);
    assert_int_equal(a->partition.partition, b->partition.partition);
    assert_same_progress(&a->progress, &b->progress);
    assert_int_equal(a->stopped != NULL, b->stopped != NULL);
    if (a->stopped)
        assert_string_equal(a->stopped, b->stopped);
}

void assert_same_picture(const struct picture *a, const struct picture *b)
{
    for (size_t i = 0; i < a->document_count; i++)
        assert_same_document(&a->documents[i], &b->documents[i]);
    for (size_t i = 0; i < a->aggregate_count; i++)
        assert_same_aggregate(&a->aggregates[i], &b->aggregates[i]);
    assert_int_equal(a->row_count, b->row_count);
    for (size_t i = 0; i < a->row_count; i++)
        assert_same_row(&a->rows[i], &b->rows[i]);
    assert_int_equal(a->aside_count, b->aside_count);
    for (size_t i = 0; i < a->aside_count; i++)
        assert_same_aside(&a->asides[i], &b->asides[i]);
    assert_int_equal(a->dropped_count, b->dropped_count);
    for (size_t i = 0; i < a->dropped_count; i++)
        assert_same_dropped(&a->dropped[i], &b->dropped[i]);
}

void assert_same_progress(const struct vf_progress *a, const struct vf_progress *b)
{
    assert_int_equal(a->exists, b->exists);
    if (!a->exists)
        return;
    assert_int_equal(a->next, b->next);
    assert_int_equal(a->of, b->of);
    assert_int_equal(a->aside, b->aside);
    assert_int_equal(a->had, b->had);
    assert_true(a->stamp == b->stamp);
    assert_int_equal(a->has_last, b->has_last);
    if (!a->has_last)
        return;
    assert_int_equal(a->last_offset, b->last_offset);
    assert_int_equal(a->last_timestamp_ms, b->last_timestamp_ms);
    assert_true(a->last_hash == b->last_hash);
}

static bool same_fields(const bson_t *a, const bson_t *b, bool ordered);

static bool same_value(const bson_iter_t *a, const bson_iter_t *b)
{
    if (bson_iter_type(a) != bson_iter_type(b))
        return false;
    if (BSON_ITER_HOLDS_DOCUMENT(a) || BSON_ITER_HOLDS_ARRAY(a)) {
        uint32_t size_a, size_b;
        const uint8_t *data_a, *data_b;
        if (BSON_ITER_HOLDS_ARRAY(a)) {
            bson_iter_array(a, &size_a, &data_a);
            bson_iter_array(b, &size_b, &data_b);
        } else {
            bson_iter_document(a, &size_a, &data_a);
            bson_iter_document(b, &size_b, &data_b);
        }
        bson_t inner_a, inner_b;
        return bson_init_static(&inner_a, data_a, size_a) && bson_init_static(&inner_b, data_b, size_b) &&
               same_fields(&inner_a, &inner_b, BSON_ITER_HOLDS_ARRAY(a));
    }
    if (BSON_ITER_HOLDS_DOUBLE(a)) {
        double left = bson_iter_double(a), right = bson_iter_double(b);
        return memcmp(&left, &right, sizeof(left)) == 0; /* -0.0 is not 0.0 */
    }
    if (BSON_ITER_HOLDS_UTF8(a)) {
        uint32_t size_a, size_b;
        const char *text_a = bson_iter_utf8(a, &size_a), *text_b = bson_iter_utf8(b, &size_b);
        return size_a == size_b && memcmp(text_a, text_b, size_a) == 0;
    }
    if (BSON_ITER_HOLDS_INT64(a))
        return bson_iter_int64(a) == bson_iter_int64(b);
    if (BSON_ITER_HOLDS_DATE_TIME(a))
        return bson_iter_date_time(a) == bson_iter_date_time(b);
    if (BSON_ITER_HOLDS_BOOL(a))
        return bson_iter_bool(a) == bson_iter_bool(b);
    return BSON_ITER_HOLDS_NULL(a); /* anything else is no type of a body */
}

static bool same_fields(const bson_t *a, const bson_t *b, bool ordered)
{
    bson_iter_t at_a, at_b;
    if (bson_count_keys(a) != bson_count_keys(b) || !bson_iter_init(&at_a, a) || !bson_iter_init(&at_b, b))
        return false;
    while (bson_iter_next(&at_a)) {
        const char *key = bson_iter_key(&at_a);
        bool found;
        if (ordered)
            found = bson_iter_next(&at_b);
        else
            found = bson_iter_init(&at_b, b) && bson_iter_find(&at_b, key);
        if (!found || !same_value(&at_a, &at_b)) {
            print_error("field \"%s\" differs\n", key);
            return false;
        }
    }
    return true;
}

void assert_same_body(struct vf_bytes a, struct vf_bytes b)
{
    if (a.size == 0 || b.size == 0) {
        assert_int_equal(a.size, b.size);
        return;
    }
    bson_t left, right;
    assert_true(bson_init_static(&left, (const uint8_t *)a.data, a.size));
    assert_true(bson_init_static(&right, (const uint8_t *)b.data, b.size));
    if (!same_fields(&left, &right, false))
        fail_msg("bodies differ");
}

void assert_same_content(const struct vf_document *a, const struct vf_document *b)
{
    assert_int_equal(a->presence, b->presence);
    if (a->presence == VF_ABSENT)
        return;
    assert_true(vf_bytes_equal(a->id, b->id));
    assert_int_equal(a->revision, b->revision);
    assert_int_equal(a->version_count, b->version_count);
    for (size_t i = 0; i < a->version_count; i++) {
        assert_true(vf_bytes_equal(a->versions[i].aggregate, b->versions[i].aggregate));
        assert_int_equal(a->versions[i].version, b->versions[i].version);
        assert_true(vf_version_more_equal(a->versions[i].more, b->versions[i].more));
    }
    assert_int_equal(a->has_expires, b->has_expires);
    assert_true(!a->has_expires || a->expires_ms == b->expires_ms);
    if (a->presence == VF_HUSK_DELETED || a->presence == VF_HUSK_EXPIRED)
        assert_int_equal(a->since_ms, b->since_ms);
    if (a->presence == VF_HUSK_DELETED)
        assert_true(vf_bytes_equal(a->deleted_by, b->deleted_by));
    assert_same_body(a->body, b->body);
}

void assert_same_document(const struct vf_document *a, const struct vf_document *b)
{
    assert_same_content(a, b);
    if (a->presence != VF_ABSENT)
        assert_true(a->stamp == b->stamp);
}

void assert_same_aggregate(const struct vf_aggregate *a, const struct vf_aggregate *b)
{
    assert_int_equal(a->exists, b->exists);
    if (!a->exists)
        return;
    assert_true(vf_bytes_equal(a->aggregate, b->aggregate));
    assert_true(a->stamp == b->stamp);
    assert_int_equal(a->has_link, b->has_link);
    assert_int_equal(a->has_link && a->link_is_none, b->has_link && b->link_is_none);
    assert_true(!a->has_link || vf_bytes_equal(a->link, b->link));
    assert_int_equal(a->has_version, b->has_version);
    assert_true(!a->has_version ||
                (a->version == b->version && vf_version_more_equal(a->version_more, b->version_more)));
    assert_true(vf_bytes_equal(a->link_via, b->link_via));
    assert_int_equal(a->waiters_from, b->waiters_from);
    assert_int_equal(a->waiters_to, b->waiters_to);
    assert_int_equal(a->aside_from, b->aside_from);
    assert_int_equal(a->aside_to, b->aside_to);
    assert_true(vf_bytes_equal(a->waits_for, b->waits_for));
    assert_int_equal(a->has_seen, b->has_seen);
    assert_true(!a->has_seen || (a->seen == b->seen && vf_version_more_equal(a->seen_more, b->seen_more)));
    assert_int_equal(a->early_count, b->early_count);
    assert_true(a->early_count == 0 || (a->early_from == b->early_from && a->early_last == b->early_last));
    assert_int_equal(a->parked, b->parked);
    if (a->parked) {
        assert_true(vf_bytes_equal(a->failure.error, b->failure.error));
        assert_true(vf_bytes_equal(a->failure.traceback, b->failure.traceback));
        assert_true(vf_bytes_equal(a->failure.script, b->failure.script));
        assert_int_equal(a->failure.failed_ms, b->failure.failed_ms);
    }
    assert_int_equal(a->since_ms, b->since_ms);
    assert_int_equal(a->draining, b->draining);
    assert_int_equal(a->state, b->state);
}
