#include "core/index.h"

#include <bson/bson.h>

/* Up to here a double tells all integers apart. */
#define EXACT_MAX 9007199254740992

/* So much of a field's value is shown in an error. */
#define SHOWN_MAX 40

/* A field of the body: false where it is missing or null. */
static bool find_field(const bson_t *body, const char *name, bson_iter_t *ret_field)
{
    return bson_iter_init_find(ret_field, body, name) && !BSON_ITER_HOLDS_NULL(ret_field);
}

static const char *type_name(const bson_iter_t *field)
{
    switch (bson_iter_type(field)) {
    case BSON_TYPE_UTF8: return "a string";
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64: return "an integer";
    case BSON_TYPE_DOUBLE: return "a float";
    case BSON_TYPE_BOOL: return "a boolean";
    case BSON_TYPE_DATE_TIME: return "a date";
    case BSON_TYPE_ARRAY: return "a list";
    default: return "a table";
    }
}

static enum vf_code wrong_type(const struct vf_index *index, const char *part, const bson_iter_t *field,
                               const char *wanted, struct vf_error *error)
{
    return vf_fail(error, VF_E_SCRIPT, "index `%s`: its %s is the field `%s`, which is %s, and %s is wanted",
                   index->name, part, bson_iter_key(field), type_name(field), wanted);
}

static enum vf_code check_text(const struct vf_index *index, const char *part, const bson_iter_t *field,
                               struct vf_bytes text, struct vf_error *error)
{
    if (text.size <= VF_INDEX_TEXT_BYTES_MAX && (text.size == 0 || !memchr(text.data, '\0', text.size)))
        return VF_OK;
    int shown = text.size > SHOWN_MAX ? SHOWN_MAX : (int)strnlen(text.data, text.size);
    return vf_fail(error, VF_E_SCRIPT, "index `%s`: its %s is the field `%s`, whose text \"%.*s…\" %s", index->name,
                   part, bson_iter_key(field), shown, text.data,
                   text.size > VF_INDEX_TEXT_BYTES_MAX ? "is longer than 1024 bytes" : "holds a NUL");
}

static struct vf_bytes text_of(const bson_iter_t *field)
{
    uint32_t size;
    const char *text = bson_iter_utf8(field, &size);
    return vf_bytes(text, size);
}

static enum vf_code read_sort(const struct vf_index *index, const bson_iter_t *field, struct vf_arena *arena,
                              struct vf_sort *ret_sort, struct vf_error *error)
{
    if (BSON_ITER_HOLDS_UTF8(field)) {
        struct vf_bytes text = text_of(field);
        ret_sort->kind = VF_SORT_STRING;
        ret_sort->text = vf_arena_copy(arena, text);
        return check_text(index, "sort", field, text, error);
    }
    if (BSON_ITER_HOLDS_DATE_TIME(field)) {
        ret_sort->kind = VF_SORT_DATE;
        ret_sort->number = (double)bson_iter_date_time(field);
        return VF_OK;
    }
    if (BSON_ITER_HOLDS_DOUBLE(field)) {
        ret_sort->kind = VF_SORT_NUMBER;
        ret_sort->number = bson_iter_double(field) + 0.0; /* one zero */
        return VF_OK;
    }
    if (!BSON_ITER_HOLDS_INT32(field) && !BSON_ITER_HOLDS_INT64(field))
        return wrong_type(index, "sort", field, "a number, date or string", error);
    int64_t number = bson_iter_as_int64(field);
    if (number < -EXACT_MAX || number > EXACT_MAX)
        return vf_fail(
            error, VF_E_SCRIPT,
            "index `%s`: its sort is the field `%s`, which is %lld: integers beyond 2^53 cannot be told apart "
            "in every store. Keep such a number as a string of one length",
            index->name, bson_iter_key(field), (long long)number);
    ret_sort->kind = VF_SORT_NUMBER;
    ret_sort->number = (double)number;
    return VF_OK;
}

static enum vf_code read_by(const struct vf_index *index, const bson_iter_t *field, struct vf_arena *arena,
                            struct vf_bytes *ret_by, struct vf_error *error)
{
    if (BSON_ITER_HOLDS_BOOL(field)) {
        *ret_by = bson_iter_bool(field) ? VF_LITERAL("true") : VF_LITERAL("false");
        return VF_OK;
    }
    if (BSON_ITER_HOLDS_INT32(field) || BSON_ITER_HOLDS_INT64(field)) {
        *ret_by = vf_arena_printf(arena, "%lld", (long long)bson_iter_as_int64(field));
        return VF_OK;
    }
    if (!BSON_ITER_HOLDS_UTF8(field))
        return wrong_type(index, "by", field, "a string, integer or boolean", error);
    struct vf_bytes text = text_of(field);
    *ret_by = vf_arena_copy(arena, text);
    return check_text(index, "by", field, text, error);
}

static enum vf_code read_entry(const struct vf_index *index, const bson_t *body, struct vf_arena *arena,
                               struct vf_index_entry *entry, struct vf_error *error)
{
    bson_iter_t field;
    enum vf_code code = VF_OK;
    /* Every field is looked at, also where another one leaves the document out: a wrong one is told at once. */
    entry->in = true;
    if (index->where) {
        bool there = find_field(body, index->where, &field);
        if (there && !BSON_ITER_HOLDS_BOOL(&field))
            return wrong_type(index, "where", &field, "a boolean", error);
        entry->in = there && bson_iter_bool(&field);
    }
    if (index->by) {
        bool there = find_field(body, index->by, &field);
        if (there)
            code = read_by(index, &field, arena, &entry->by, error);
        entry->in = entry->in && there;
    }
    if (code == VF_OK && index->sort) {
        bool there = find_field(body, index->sort, &field);
        if (there)
            code = read_sort(index, &field, arena, &entry->sort, error);
        entry->in = entry->in && there;
    }
    if (!entry->in)
        *entry = (struct vf_index_entry){.in = false};
    return code;
}

enum vf_code vf_index_entries(const struct vf_index *indexes, size_t count, struct vf_bytes body,
                              struct vf_arena *arena, struct vf_index_entry **ret_entries, struct vf_error *error)
{
    bson_t bson;
    if (!bson_init_static(&bson, (const uint8_t *)body.data, body.size))
        return vf_fail(error, VF_E_BUG, "a body is no BSON");
    struct vf_index_entry *entries = vf_arena_calloc(arena, count, sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        enum vf_code code = read_entry(&indexes[i], &bson, arena, &entries[i], error);
        if (code)
            return code;
    }
    *ret_entries = entries;
    return VF_OK;
}

int vf_sort_compare(const struct vf_sort *a, const struct vf_sort *b)
{
    if (a->kind == VF_SORT_STRING)
        return vf_bytes_compare(a->text, b->text);
    return (a->number > b->number) - (a->number < b->number);
}

bool vf_index_entry_equal(const struct vf_index_entry *a, const struct vf_index_entry *b)
{
    if (!a->in || !b->in)
        return a->in == b->in;
    return vf_bytes_equal(a->by, b->by) && a->sort.kind == b->sort.kind && vf_sort_compare(&a->sort, &b->sort) == 0;
}
