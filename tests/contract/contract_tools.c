#include "contract/scene.h"

/* ---- names ---- */

static const char long_unicode[] = "\xe6\x97\xa5";

/* To some store, shell or parser. NULL ends. Two more are made: 1,024 bytes each. */
static const char *const names_that_mean_something[] = {
    "a:b",
    ":",
    "a#b",
    "#",
    "a@b",
    "@",
    "a@1:progress",
    "{a}",
    "}{",
    "{",
    "$set",
    "$",
    "$$ROOT",
    "a.b",
    ".",
    "..",
    "a/b",
    "/",
    " ",
    "a ",
    "a",
    "A",
    "a b",
    "\"",
    "\"a\"",
    "'",
    "`",
    "\n",
    "a\nb",
    "\r\n",
    "\t",
    "\\",
    "\\n",
    "%",
    "%s%n",
    "%40",
    "*",
    "?",
    "[a]",
    "\x01",
    "\x7f",
    "null",
    "true",
    "0",
    "00",
    "-1",
    "1",
    "1.0",
    "_id",
    "_view",
    "_rev",
    "_stamp",
    "id",
    "progress",
    "frozen",
    "1:progress",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xc3\xa9",
    "e\xcc\x81",
    "\xf0\x9f\x98\x80",
    "\xe2\x80\xae",
    "\xef\xbf\xbf",
    "order/42",
    "a,b",
    "a;b",
    "<a>",
    "&",
    "~",
    "^",
    "|",
    NULL,
};

static const char *long_name(struct scene *scene, bool unicode)
{
    char *name = vf_arena_calloc(scene->arena, 1, VF_ID_BYTES_MAX + 1);
    memset(name, 'x', VF_ID_BYTES_MAX);
    for (size_t i = 0; unicode && i + 3 <= VF_ID_BYTES_MAX; i += 3)
        memcpy(name + i, long_unicode, 3);
    return name;
}

const char **hostile_names(struct scene *scene, size_t *ret_count)
{
    size_t count = 0;
    const char **names = vf_arena_calloc(
        scene->arena, sizeof(names_that_mean_something) / sizeof(names_that_mean_something[0]) + 2, sizeof(*names));
    while (names_that_mean_something[count]) {
        names[count] = names_that_mean_something[count];
        count++;
    }
    names[count++] = long_name(scene, false);
    names[count++] = long_name(scene, true);
    *ret_count = count;
    return names;
}

/* ---- what is set aside ---- */

struct vf_aside scene_aside(struct scene *scene, const char *list, int64_t place, int64_t offset)
{
    struct vf_buffer buffer;
    vf_buffer_init(&buffer);
    struct vf_record record = {.topic = "orders",
                               .offset = offset,
                               .timestamp_ms = 1772359200000 + offset % 1000000,
                               .key = vf_bytes_from(list),
                               .value = vf_arena_printf(scene->arena, "{\"offset\":%lld}", (long long)offset)};
    vf_record_encode(&buffer, &record);
    struct vf_aside aside = {.list = vf_bytes_from(list),
                             .place = place,
                             .aggregate = vf_bytes_from(list),
                             .partition = {"orders", 0},
                             .offset = offset,
                             .record = vf_arena_bytes(scene->arena, buffer.data, buffer.size)};
    vf_buffer_done(&buffer);
    return aside;
}

struct vf_bytes all_bytes(struct scene *scene, size_t size)
{
    char *data = vf_arena_alloc(scene->arena, size);
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7 + i / 256);
    return vf_bytes(data, size);
}

void draft_aside(struct draft *draft, struct vf_aside aside)
{
    draft->asides = draft_grow(draft, draft->asides, draft->aside_count, sizeof(*draft->asides));
    draft->asides[draft->aside_count++] = aside;
}

void draft_take(struct draft *draft, const struct vf_aside *held)
{
    draft->taken = draft_grow(draft, draft->taken, draft->taken_count, sizeof(*draft->taken));
    struct vf_aside *taken = &draft->taken[draft->taken_count++];
    *taken = *held;
    taken->record = (struct vf_bytes){NULL, 0};
}

struct vf_aggregate a_waiting(const char *aggregate, int64_t from, int64_t to)
{
    return (struct vf_aggregate){.aggregate = vf_bytes_from(aggregate),
                                 .exists = true,
                                 .aside_from = from,
                                 .aside_to = to,
                                 .has_seen = from < to,
                                 .seen = from < to ? to : 0,
                                 .state = from < to ? VF_ASIDE_HELD : VF_ASIDE_NONE};
}

struct vf_aggregate a_parked(const char *aggregate, int64_t from, int64_t to)
{
    struct vf_aggregate record = a_waiting(aggregate, from, to);
    record.parked = true;
    record.failure =
        (struct vf_failure){.error = VF_LITERAL("customer_orders.lua:7: attempt to index a nil value (field 'to')"),
                            .traceback = VF_LITERAL("stack traceback:\n\tcustomer_orders.lua:7: in function <5>"),
                            .script = VF_LITERAL("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
                            .failed_ms = 1772359200123};
    record.since_ms = 1772359200100;
    record.state = VF_ASIDE_PARKED;
    return record;
}

const char *scene_list(struct scene *scene, enum vf_list list, const char *aggregate)
{
    return vf_list_key(scene->arena, list, vf_bytes_from(aggregate)).data;
}

void scene_fill_list(struct scene *scene, const char *list, int64_t first_offset, int64_t count)
{
    struct draft draft = draft_new(scene);
    draft_write_aggregate(&draft, NULL, a_waiting(list, 0, count));
    for (int64_t i = 0; i < count; i++)
        draft_aside(&draft, scene_aside(scene, list, i, first_offset + i));
    draft_must_commit(&draft);
}

struct vf_aside *scene_load_part(struct scene *scene, const char *list, int64_t place, size_t count, size_t bytes_max,
                                 size_t *ret_count)
{
    struct vf_error error = {0};
    struct vf_aside *asides;
    assert_ok(scene->type->aside_load(scene->other, scene->view, vf_bytes_from(list), place, count, bytes_max,
                                      scene->arena, &asides, ret_count, &error));
    return asides;
}

struct vf_aside *scene_load_list(struct scene *scene, const char *list, size_t *ret_count)
{
    return scene_load_part(scene, list, 0, 1000000, SIZE_MAX / 2, ret_count);
}

void assert_same_aside(const struct vf_aside *a, const struct vf_aside *b)
{
    assert_true(vf_bytes_equal(a->list, b->list));
    assert_int_equal(a->place, b->place);
    assert_true(vf_bytes_equal(a->aggregate, b->aggregate));
    assert_string_equal(a->partition.topic, b->partition.topic);
    assert_int_equal(a->partition.partition, b->partition.partition);
    assert_int_equal(a->offset, b->offset);
    assert_true(vf_bytes_equal(a->record, b->record));
}

void assert_same_list(struct scene *scene, const char *list, const struct vf_aside *wanted, size_t wanted_count)
{
    size_t count;
    struct vf_aside *asides = scene_load_list(scene, list, &count);
    assert_int_equal(count, wanted_count);
    for (size_t i = 0; i < count; i++)
        assert_same_aside(&asides[i], &wanted[i]);
}

struct vf_aside_total scene_load_total(struct scene *scene, const char *topic, int32_t partition)
{
    struct vf_error error = {0};
    struct vf_aside_total total;
    struct vf_partition of = {topic, partition};
    assert_ok(scene->type->aside_total(scene->other, scene->view, of, &total, &error));
    return total;
}

const char *scene_list_at(struct scene *scene, const char *topic, int32_t partition, int64_t offset)
{
    struct vf_error error = {0};
    struct vf_bytes list = {NULL, 0};
    struct vf_partition of = {topic, partition};
    bool there;
    assert_ok(scene->type->aside_at(scene->other, scene->view, of, offset, scene->arena, &there, &list, &error));
    return there ? vf_arena_copy(scene->arena, list).data : NULL;
}

/* ---- decisions ---- */

void draft_drop(struct draft *draft, struct vf_dropped dropped)
{
    draft->dropped = draft_grow(draft, draft->dropped, draft->dropped_count, sizeof(*draft->dropped));
    draft->dropped[draft->dropped_count++] = dropped;
}

struct vf_dropped *scene_load_dropped(struct scene *scene, size_t first, size_t most, size_t *ret_count)
{
    struct vf_error error = {0};
    struct vf_dropped *dropped;
    assert_ok(scene->type->dropped(scene->other, scene->view, first, most, scene->arena, &dropped, ret_count, &error));
    return dropped;
}

void assert_same_dropped(const struct vf_dropped *a, const struct vf_dropped *b)
{
    assert_true(vf_bytes_equal(a->aggregate, b->aggregate));
    assert_int_equal(a->partition.topic != NULL, b->partition.topic != NULL);
    if (a->partition.topic) {
        assert_string_equal(a->partition.topic, b->partition.topic);
        assert_int_equal(a->partition.partition, b->partition.partition);
        assert_int_equal(a->offset, b->offset);
    } else {
        assert_int_equal(a->missing_from, b->missing_from);
        assert_int_equal(a->missing_to, b->missing_to);
    }
    assert_int_equal(a->dropped_ms, b->dropped_ms);
    assert_int_equal(a->timestamp_ms, b->timestamp_ms);
    assert_true(a->identity == b->identity);
    assert_true(vf_bytes_equal(a->error, b->error));
}

/* ---- husks, expiry, indexes ---- */

struct vf_document a_deleted_husk(const char *id, int64_t revision, const char *by, int64_t since_ms)
{
    return (struct vf_document){.id = vf_bytes_from(id),
                                .presence = VF_HUSK_DELETED,
                                .revision = revision,
                                .since_ms = since_ms,
                                .deleted_by = vf_bytes_from(by)};
}

struct vf_document an_expired_husk(const char *id, int64_t revision, int64_t since_ms)
{
    return (struct vf_document){
        .id = vf_bytes_from(id), .presence = VF_HUSK_EXPIRED, .revision = revision, .since_ms = since_ms};
}

struct vf_document with_expiry(struct vf_document document, int64_t expires_ms)
{
    document.has_expires = true;
    document.expires_ms = expires_ms;
    return document;
}

void scene_indexes(struct scene *scene, const struct vf_index *indexes, size_t count, bool expires)
{
    struct vf_error error = {0};
    scene->indexes = indexes;
    scene->index_count = count;
    if (scene->type->make_indexes)
        assert_ok(scene->type->make_indexes(scene->store, scene->view, indexes, count, expires, &error));
}

void draft_remove(struct draft *draft, const struct vf_document *base)
{
    draft_write(draft, base, (struct vf_document){.id = base->id, .presence = VF_ABSENT});
}

void must_write(struct scene *scene, struct vf_document next)
{
    struct draft draft = draft_new(scene);
    struct vf_document base = load_document(scene, vf_arena_copy(scene->arena, next.id).data);
    draft_write(&draft, base.presence == VF_ABSENT ? NULL : &base, next);
    draft_must_commit(&draft);
}

void must_remove(struct scene *scene, const char *id)
{
    struct draft draft = draft_new(scene);
    struct vf_document base = load_document(scene, id);
    draft_remove(&draft, &base);
    draft_must_commit(&draft);
}

void scene_freeze(struct scene *scene, bool frozen)
{
    struct vf_error error = {0};
    const struct vf_partition partition = {"orders", 0};
    assert_ok(scene->type->freeze(scene->other, scene->view, &partition, 1, frozen ? 600000 : 0, &error));
}
