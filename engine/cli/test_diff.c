#include "cli/test_diff.h"

#include "core/body.h"

/* Where the walk is. */
struct walk {
    struct vf_arena *arena;
    struct vf_test_differences *out;
    const char *document;
    struct vf_buffer path;
    bool expected; /* the left side is what a test expects */
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
    if (left && right && strcmp(type_name(left), type_name(right)) != 0) {
        difference->left_type = type_name(left);
        difference->right_type = type_name(right);
    }
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static void compare_containers(struct walk *walk, bson_iter_t left, bson_iter_t right, bool list);

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
        compare_containers(walk, inner_left, inner_right, type == BSON_TYPE_ARRAY);
    } else if (!scalars_equal(left, right)) {
        add_values(walk, left, right);
    }
}

/* Appends a key or an index to the path; how long it was before. */
static size_t go_down(struct walk *walk, const char *key, bool list)
{
    size_t before = walk->path.size;
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

/* Items that one side has and the other lacks, and those that both have. */
static void compare_containers(struct walk *walk, bson_iter_t left, bson_iter_t right, bool list)
{
    bson_iter_t one = left, other;
    while (bson_iter_next(&one)) {
        size_t before = go_down(walk, bson_iter_key(&one), list);
        other = right;
        if (bson_iter_find(&other, bson_iter_key(&one))) {
            compare_values(walk, &one, &other);
        } else {
            add_values(walk, &one, NULL);
        }
        go_up(walk, before);
    }
    one = right;
    while (bson_iter_next(&one)) {
        other = left;
        if (!bson_iter_find(&other, bson_iter_key(&one))) {
            size_t before = go_down(walk, bson_iter_key(&one), list);
            add_values(walk, NULL, &one);
            go_up(walk, before);
        }
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
        compare_containers(walk, one, other, false);
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
