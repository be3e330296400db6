#include "cli/test_diff.h"

#include "core/body.h"

#include <stdio.h>
#include <stdlib.h>

/* Where the walk is. */
struct walk {
    struct vf_arena *arena;
    struct vf_test_differences *out;
    const char *document;
    struct vf_buffer path;
    bool expected;  /* the left side is what a test expects */
    bool probing;   /* only whether something differs is asked */
    bool different; /* then: it does */
};

static const char *type_name(const bson_iter_t *value)
{
    switch (bson_iter_type(value)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64: return "integer";
    case BSON_TYPE_DOUBLE: return "float";
    case BSON_TYPE_UTF8: return "text";
    case BSON_TYPE_BOOL: return "boolean";
    case BSON_TYPE_NULL: return "null";
    case BSON_TYPE_ARRAY: return "list";
    case BSON_TYPE_DATE_TIME: return "date";
    default: return "object";
    }
}

static const char *print(struct walk *walk, const bson_iter_t *value)
{
    struct vf_buffer text;
    struct vf_error error;
    vf_buffer_init(&text);
    if (vf_body_print_value(&text, value, &error) != VF_OK) {
        vf_buffer_printf(&text, "(%s)", error.text);
    }
    const char *kept = vf_arena_bytes(walk->arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return kept;
}

static const char *print_body(struct walk *walk, struct vf_bytes body)
{
    struct vf_buffer text;
    struct vf_error error;
    vf_buffer_init(&text);
    if (vf_body_print(&text, body, &error) != VF_OK) {
        vf_buffer_printf(&text, "(%s)", error.text);
    }
    const char *kept = vf_arena_bytes(walk->arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return kept;
}

static struct vf_test_difference *add(struct walk *walk)
{
    if (walk->probing) {
        walk->different = true;
        return NULL;
    }
    if (walk->out->count == VF_TEST_DIFFERENCES_MAX) {
        walk->out->more++;
        return NULL;
    }
    if (!walk->out->all) {
        walk->out->all = vf_arena_calloc(walk->arena, VF_TEST_DIFFERENCES_MAX, sizeof *walk->out->all);
    }
    struct vf_test_difference *difference = &walk->out->all[walk->out->count++];
    difference->document = walk->document;
    difference->path = walk->path.size ? vf_arena_bytes(walk->arena, walk->path.data, walk->path.size).data : "";
    return difference;
}

/* Either may be NULL: nothing is there. */
static void add_values(struct walk *walk, const bson_iter_t *left, const bson_iter_t *right)
{
    struct vf_test_difference *difference = add(walk);
    if (!difference) {
        return;
    }
    difference->left = left ? print(walk, left) : NULL;
    difference->right = right ? print(walk, right) : NULL;
    /* A null needs no explaining. */
    if (left && right && strcmp(type_name(left), type_name(right)) != 0) {
        difference->left_type = BSON_ITER_HOLDS_NULL(left) ? NULL : type_name(left);
        difference->right_type = BSON_ITER_HOLDS_NULL(right) ? NULL : type_name(right);
    }
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static void compare_objects(struct walk *walk, bson_iter_t left, bson_iter_t right);
static void compare_lists(struct walk *walk, bson_iter_t left, bson_iter_t right);

static struct vf_bytes text_of(const bson_iter_t *value)
{
    uint32_t size;
    const char *text = bson_iter_utf8(value, &size);
    return vf_bytes(text, size);
}

/* A test can only write a date as text. */
static bool is_that_date(const bson_iter_t *text, const bson_iter_t *date)
{
    int64_t ms;
    return bson_iter_type(text) == BSON_TYPE_UTF8 && bson_iter_type(date) == BSON_TYPE_DATE_TIME &&
           vf_time_parse(text_of(text), &ms) && ms == bson_iter_date_time(date);
}

static bool scalars_equal(const bson_iter_t *left, const bson_iter_t *right)
{
    double a, b;
    switch (bson_iter_type(left)) {
    case BSON_TYPE_INT64: return bson_iter_int64(left) == bson_iter_int64(right);
    case BSON_TYPE_DOUBLE: /* to the bit: 0.0 is not -0.0 */
        a = bson_iter_double(left);
        b = bson_iter_double(right);
        return memcmp(&a, &b, sizeof a) == 0;
    case BSON_TYPE_UTF8: return vf_bytes_equal(text_of(left), text_of(right));
    case BSON_TYPE_BOOL: return bson_iter_bool(left) == bson_iter_bool(right);
    case BSON_TYPE_DATE_TIME: return bson_iter_date_time(left) == bson_iter_date_time(right);
    default: return true;
    }
}

static void compare_values(struct walk *walk, const bson_iter_t *left, const bson_iter_t *right)
{
    bson_iter_t inner_left, inner_right;
    bson_type_t type = bson_iter_type(left);
    if (type != bson_iter_type(right)) {
        if (!walk->expected || !is_that_date(left, right)) {
            add_values(walk, left, right);
        }
    } else if (type == BSON_TYPE_DOCUMENT || type == BSON_TYPE_ARRAY) {
        bson_iter_recurse(left, &inner_left);
        bson_iter_recurse(right, &inner_right);
        if (type == BSON_TYPE_ARRAY) {
            compare_lists(walk, inner_left, inner_right);
        } else {
            compare_objects(walk, inner_left, inner_right);
        }
    } else if (!scalars_equal(left, right)) {
        add_values(walk, left, right);
    }
}

/* Appends a key or an index to the path; how long it was before. */
static size_t go_down(struct walk *walk, const char *key, bool list)
{
    size_t before = walk->path.size;
    if (walk->probing) {
        return before;
    }
    if (list) {
        vf_buffer_printf(&walk->path, "[%s]", key);
    } else if (!key[0] || strpbrk(key, ".[]\" ")) {
        vf_buffer_add_char(&walk->path, '[');
        vf_json_print_string(&walk->path, vf_bytes_from(key));
        vf_buffer_add_char(&walk->path, ']');
    } else {
        vf_buffer_printf(&walk->path, "%s%s", before ? "." : "", key);
    }
    return before;
}

static void go_up(struct walk *walk, size_t before)
{
    walk->path.size = before;
    if (walk->path.data) {
        walk->path.data[before] = 0;
    }
}

/* What stands at the key or index on either side; NULL: nothing does. */
static void compare_items(struct walk *walk, const char *key, bool list, const bson_iter_t *left,
                          const bson_iter_t *right)
{
    size_t before = go_down(walk, key, list);
    if (left && right) {
        compare_values(walk, left, right);
    } else {
        add_values(walk, left, right);
    }
    go_up(walk, before);
}

/* An iterator wants 128 bytes' alignment, and is smaller than that: an array of the bare type would be misaligned. */
struct place {
    bson_iter_t at;
};

/* The items' places; an arena aligns less than these want. */
static const bson_iter_t **list_items(struct walk *walk, bson_iter_t container, size_t *ret_count)
{
    bson_iter_t ahead = container;
    size_t count = 0;
    while (bson_iter_next(&ahead)) {
        count++;
    }
    const bson_iter_t **places = vf_arena_alloc(walk->arena, (count + 1) * sizeof *places);
    uintptr_t begin = (uintptr_t)vf_arena_alloc(walk->arena, (count + 1) * sizeof(struct place));
    struct place *items =
        (struct place *)((begin + _Alignof(struct place) - 1) & ~(uintptr_t)(_Alignof(struct place) - 1));
    for (size_t i = 0; i < count; i++) {
        bson_iter_next(&container);
        items[i].at = container;
        places[i] = &items[i].at;
    }
    *ret_count = count;
    return places;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(bson_iter_key(*(const bson_iter_t *const *)a), bson_iter_key(*(const bson_iter_t *const *)b));
}

/* A test's fields stand as its author wrote them. */
static const bson_iter_t **list_fields(struct walk *walk, bson_iter_t object, size_t *ret_count)
{
    const bson_iter_t **fields = list_items(walk, object, ret_count);
    qsort(fields, *ret_count, sizeof *fields, by_key);
    return fields;
}

static void compare_objects(struct walk *walk, bson_iter_t left, bson_iter_t right)
{
    size_t left_count, right_count, l = 0, r = 0;
    const bson_iter_t **ours = list_fields(walk, left, &left_count);
    const bson_iter_t **theirs = list_fields(walk, right, &right_count);
    while (l < left_count || r < right_count) {
        int order = l == left_count ? 1 : r == right_count ? -1 : by_key(&ours[l], &theirs[r]);
        const bson_iter_t *one = order <= 0 ? ours[l++] : NULL;
        const bson_iter_t *other = order >= 0 ? theirs[r++] : NULL;
        compare_items(walk, bson_iter_key(one ? one : other), false, one, other);
    }
}

static bool is_same(struct walk *walk, const bson_iter_t *left, const bson_iter_t *right)
{
    bool probing = walk->probing, different = walk->different;
    walk->probing = true;
    walk->different = false;
    compare_values(walk, left, right);
    bool same = !walk->different;
    walk->probing = probing;
    walk->different = different;
    return same;
}

/* What begins and ends alike is left out first, so that one item too much does not make all that follow differ. */
static void compare_lists(struct walk *walk, bson_iter_t left, bson_iter_t right)
{
    size_t left_count, right_count, front = 0, back = 0;
    const bson_iter_t **ours = list_items(walk, left, &left_count);
    const bson_iter_t **theirs = list_items(walk, right, &right_count);
    size_t shorter = left_count < right_count ? left_count : right_count;
    if (walk->probing && left_count != right_count) { /* that is an answer */
        walk->different = true;
        return;
    }
    while (!walk->probing && front < shorter && is_same(walk, ours[front], theirs[front])) {
        front++;
    }
    while (left_count != right_count && back < shorter - front &&
           is_same(walk, ours[left_count - 1 - back], theirs[right_count - 1 - back])) {
        back++;
    }
    size_t longer = left_count > right_count ? left_count : right_count;
    for (size_t i = front; i < longer - back; i++) {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        compare_items(walk, index, true, i + back < left_count ? ours[i] : NULL,
                      i + back < right_count ? theirs[i] : NULL);
    }
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

/* A side without a document has an empty `bytes`. */
static void compare_bodies(struct walk *walk, struct vf_bytes id, struct vf_bytes left, struct vf_bytes right)
{
    bson_t left_body, right_body;
    bson_iter_t one, other;
    walk->document = vf_arena_copy(walk->arena, id).data;
    if (left.size == 0 || right.size == 0) {
        struct vf_test_difference *difference = add(walk);
        if (difference) {
            difference->left = left.size ? print_body(walk, left) : NULL;
            difference->right = right.size ? print_body(walk, right) : NULL;
        }
    } else if (bson_init_static(&left_body, (const uint8_t *)left.data, left.size) &&
               bson_init_static(&right_body, (const uint8_t *)right.data, right.size) &&
               bson_iter_init(&one, &left_body) && bson_iter_init(&other, &right_body)) {
        compare_objects(walk, one, other);
    }
}

static struct vf_bytes body_of(const struct vf_test_result *result, struct vf_bytes id)
{
    for (size_t i = 0; i < result->document_count; i++) {
        if (vf_bytes_equal(result->documents[i].id, id)) {
            return result->documents[i].body;
        }
    }
    return (struct vf_bytes){0};
}

void vf_test_diff_expected(const struct vf_test_case *test, const struct vf_test_result *result, struct vf_arena *arena,
                           struct vf_test_differences *ret_differences)
{
    struct walk walk = {.arena = arena, .out = ret_differences, .expected = true};
    *ret_differences = (struct vf_test_differences){0};
    vf_buffer_init(&walk.path);
    for (size_t i = 0; i < test->expected_count; i++) {
        const struct vf_test_expected *expected = &test->expected[i];
        struct vf_bytes id = vf_bytes_from(expected->id);
        struct vf_bytes got = body_of(result, id);
        if (!expected->absent || got.size > 0) {
            compare_bodies(&walk, id, expected->body, got);
        }
    }
    for (size_t i = 0; i < result->document_count; i++) {
        bool named = false;
        for (size_t j = 0; !named && j < test->expected_count; j++) {
            named = vf_bytes_is(result->documents[i].id, test->expected[j].id);
        }
        if (!named) {
            compare_bodies(&walk, result->documents[i].id, (struct vf_bytes){0}, result->documents[i].body);
        }
    }
    vf_buffer_done(&walk.path);
}

void vf_test_diff_results(const struct vf_test_result *left, const struct vf_test_result *right, struct vf_arena *arena,
                          struct vf_test_differences *ret_differences)
{
    struct walk walk = {.arena = arena, .out = ret_differences};
    *ret_differences = (struct vf_test_differences){0};
    vf_buffer_init(&walk.path);
    for (size_t i = 0; i < left->document_count; i++) {
        compare_bodies(&walk, left->documents[i].id, left->documents[i].body, body_of(right, left->documents[i].id));
    }
    for (size_t i = 0; i < right->document_count; i++) {
        if (body_of(left, right->documents[i].id).size == 0) {
            compare_bodies(&walk, right->documents[i].id, (struct vf_bytes){0}, right->documents[i].body);
        }
    }
    vf_buffer_done(&walk.path);
}
