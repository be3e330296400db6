/*
 * Documents by an index, or by their time.
 *
 * A question to an index is asked in steps, so that each is one range of the server's index in the order asked for: documents
 * whose sort value is of one kind (numbers, then dates, then strings), and where the answer begins behind some place, first
 * those that have the same sort value as that place.
 */
#include "connectors/mongodb/mongodb_internal.h"

#include <errno.h>
#include <stdlib.h>

/* A question on its way, and what has come so far. */
struct search {
    struct vf_store *store;
    const char *collection;
    const struct vf_find *find;
    struct vf_arena *arena;
    struct vf_found *found; /* on the heap */
    size_t count;
};

/* The documents of one step. */
struct step {
    enum vf_sort_kind kind;
    const struct vf_sort *same;   /* with this sort value, and behind the place's id; or NULL */
    const struct vf_sort *behind; /* with a sort value behind this one; or NULL */
};

/* --- the filter ------------------------------------------------------------------------------------------------------ */

/* Begins the next of $and's conditions. */
static void condition_begin(bson_t *all, uint32_t *count, bson_t *condition)
{
    char buffer[16];
    const char *key;
    size_t size = bson_uint32_to_string((*count)++, &key, buffer, sizeof(buffer));

    bson_append_document_begin(all, key, (int)size, condition);
}

static void append_sort_value(bson_t *into, const char *key, const struct vf_sort *sort)
{
    if (sort->kind == VF_SORT_STRING)
        vf_mongodb_append_text(into, key, sort->text);
    else if (sort->kind == VF_SORT_DATE)
        bson_append_date_time(into, key, -1, (int64_t)sort->number);
    else
        bson_append_double(into, key, -1, sort->number);
}

/* {field: {operator: value}}: of values of another kind none is meant, by the server's own rule. */
static void append_bound(bson_t *all, uint32_t *count, const char *field, const char *operator,
                         const struct vf_sort * sort)
{
    bson_t condition, range;

    condition_begin(all, count, &condition);
    bson_append_document_begin(&condition, field, -1, &range);
    append_sort_value(&range, operator, sort);
    bson_append_document_end(&condition, &range);
    bson_append_document_end(all, &condition);
}

static void append_kind(bson_t *all, uint32_t *count, const char *field, enum vf_sort_kind kind)
{
    static const char *const names[] = {
        [VF_SORT_NUMBER] = "number", [VF_SORT_DATE] = "date", [VF_SORT_STRING] = "string"};
    bson_t condition, type;

    condition_begin(all, count, &condition);
    bson_append_document_begin(&condition, field, -1, &type);
    BSON_APPEND_UTF8(&type, "$type", names[kind]);
    bson_append_document_end(&condition, &type);
    bson_append_document_end(all, &condition);
}

/* The integer whose decimal text this is, as an entry's text is printed: 42, and not 042. */
static bool is_integer(struct vf_bytes text, int64_t *ret_number)
{
    char digits[24], again[24];
    char *end;

    if (text.size == 0 || text.size >= sizeof(digits))
        return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = 0;
    errno = 0;
    *ret_number = strtoll(digits, &end, 10);
    snprintf(again, sizeof(again), "%lld", (long long)*ret_number);
    return errno == 0 && strcmp(digits, again) == 0;
}

/* {by: {$in: [...]}}: the string, and the integer or boolean of that text. */
static void append_by(bson_t *all, uint32_t *count, const char *field, struct vf_bytes by)
{
    bson_t condition, in, list;
    int64_t number;

    condition_begin(all, count, &condition);
    bson_append_document_begin(&condition, field, -1, &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
    vf_mongodb_append_text(&list, "0", by);
    if (is_integer(by, &number))
        BSON_APPEND_INT64(&list, "1", number);
    else if (vf_bytes_is(by, "true") || vf_bytes_is(by, "false"))
        BSON_APPEND_BOOL(&list, "1", vf_bytes_is(by, "true"));
    bson_append_array_end(&in, &list);
    bson_append_document_end(&condition, &in);
    bson_append_document_end(all, &condition);
}

/* Documents that are in the index. Husks have no fields, so with any of these they are out. */
static void append_in_index(bson_t *all, uint32_t *count, const struct vf_find *find)
{
    const struct vf_index *index = find->index;
    bson_t condition, exists;

    if (index->by)
        append_by(all, count, index->by, find->by);
    if (index->where) {
        condition_begin(all, count, &condition);
        bson_append_bool(&condition, index->where, -1, true);
        bson_append_document_end(all, &condition);
    }
    if (!index->by && !index->where && !index->sort) {
        condition_begin(all, count, &condition);
        BSON_APPEND_DOCUMENT_BEGIN(&condition, "_view.husk", &exists);
        BSON_APPEND_BOOL(&exists, "$exists", false);
        bson_append_document_end(&condition, &exists);
        bson_append_document_end(all, &condition);
    }
}

static void append_behind_id(bson_t *all, uint32_t *count, const struct vf_find *find)
{
    bson_t condition, range;

    condition_begin(all, count, &condition);
    BSON_APPEND_DOCUMENT_BEGIN(&condition, "_id", &range);
    vf_mongodb_append_text(&range, find->reverse ? "$lt" : "$gt", find->after_id);
    bson_append_document_end(&condition, &range);
    bson_append_document_end(all, &condition);
}

static void append_filter(bson_t *filter, const struct vf_find *find, const struct step *step)
{
    const char *sort = find->index->sort;
    uint32_t count = 0;
    bson_t all;

    BSON_APPEND_ARRAY_BEGIN(filter, "$and", &all);
    append_in_index(&all, &count, find);
    if (sort)
        append_kind(&all, &count, sort, step->kind);
    if (sort && find->has_from)
        append_bound(&all, &count, sort, "$gte", &find->from);
    if (sort && find->has_to)
        append_bound(&all, &count, sort, "$lte", &find->to);
    if (sort && step->behind)
        append_bound(&all, &count, sort, find->reverse ? "$lt" : "$gt", step->behind);
    if (sort && step->same)
        append_bound(&all, &count, sort, "$eq", step->same);
    if (step->same)
        append_behind_id(&all, &count, find);
    bson_append_array_end(filter, &all);
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

static bool read_sort(const bson_t *bson, const char *field, struct vf_arena *arena, struct vf_sort *ret_sort)
{
    struct vf_bytes text;
    bson_iter_t iter;

    if (!bson_iter_init_find(&iter, bson, field))
        return false;
    if (BSON_ITER_HOLDS_DATE_TIME(&iter)) {
        *ret_sort = (struct vf_sort){.kind = VF_SORT_DATE, .number = (double)bson_iter_date_time(&iter)};
    } else if (BSON_ITER_HOLDS_NUMBER(&iter)) {
        *ret_sort = (struct vf_sort){.kind = VF_SORT_NUMBER, .number = bson_iter_as_double(&iter) + 0.0};
    } else {
        if (!vf_mongodb_text_at(bson, field, &text))
            return false;
        *ret_sort = (struct vf_sort){.kind = VF_SORT_STRING, .text = vf_arena_copy(arena, text)};
    }
    return true;
}

static void take(struct search *search, const bson_t *bson)
{
    const char *field = search->find->index->sort;
    struct vf_found found = {0};

    if (!vf_mongodb_text_at(bson, "_id", &found.id) || (field && !read_sort(bson, field, search->arena, &found.sort)))
        return; /* by whose hand ever it came there, it is no document of this view */
    found.id = vf_arena_copy(search->arena, found.id);
    search->found = vf_mongodb_grow(search->found, search->count, sizeof(found));
    search->found[search->count++] = found;
}

static void append_options(bson_t *options, const struct search *search)
{
    const struct vf_find *find = search->find;
    const char *sort = find->index->sort;
    size_t left = find->limit - search->count;
    int64_t limit = left > INT32_MAX ? INT32_MAX : (int64_t)left;
    int32_t direction = find->reverse ? -1 : 1;
    bson_t order, fields;

    BSON_APPEND_DOCUMENT_BEGIN(options, "sort", &order);
    if (sort)
        bson_append_int32(&order, sort, -1, direction);
    BSON_APPEND_INT32(&order, "_id", direction);
    bson_append_document_end(options, &order);
    BSON_APPEND_DOCUMENT_BEGIN(options, "projection", &fields);
    BSON_APPEND_INT32(&fields, "_id", 1);
    if (sort)
        bson_append_int32(&fields, sort, -1, 1);
    bson_append_document_end(options, &fields);
    BSON_APPEND_INT64(options, "limit", limit);
    BSON_APPEND_INT64(options, "batchSize", limit);
}

static enum vf_code ask(struct search *search, const struct step *step, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *bson;

    append_filter(&filter, search->find, step);
    append_options(&options, search);
    cursor =
        vf_mongodb_find_with(search->store, search->collection, &filter, vf_mongodb_level(search->store), &options);
    while (search->count < search->find->limit && mongoc_cursor_next(cursor, &bson))
        take(search, bson);
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(search->store, &failure, NULL, "read an index", error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
    return code;
}

/* Those with sort values of one kind. */
static enum vf_code ask_kind(struct search *search, enum vf_sort_kind kind, struct vf_error *error)
{
    const struct vf_find *find = search->find;
    bool is_after = find->has_after && find->after.kind == kind;
    struct step same = {.kind = kind, .same = &find->after};
    struct step rest = {.kind = kind, .behind = is_after ? &find->after : NULL};
    enum vf_code code = VF_OK;

    if ((find->has_from && find->from.kind != kind) || (find->has_to && find->to.kind != kind))
        return VF_OK;
    if (find->has_after && !is_after && (find->after.kind > kind) != find->reverse)
        return VF_OK; /* all of them are before the place */
    if (is_after && search->count < find->limit)
        code = ask(search, &same, error);
    if (code == VF_OK && search->count < find->limit)
        code = ask(search, &rest, error);
    return code;
}

enum vf_code vf_mongodb_find_by_index(struct vf_store *store, struct vf_view view, const struct vf_find *find,
                                      struct vf_arena *arena, struct vf_found **ret_found, size_t *ret_count,
                                      struct vf_error *error)
{
    static const enum vf_sort_kind kinds[] = {VF_SORT_NUMBER, VF_SORT_DATE, VF_SORT_STRING};
    struct search search = {.store = store, .find = find, .arena = arena};
    struct step all = {.same = find->has_after ? &find->after : NULL};
    struct vf_mongodb_names names;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);
    size_t i;

    search.collection = names.documents;
    if (code == VF_OK && !find->index->sort && find->limit > 0)
        code = ask(&search, &all, error);
    for (i = 0; find->index->sort && i < 3 && code == VF_OK; i++)
        code = ask_kind(&search, kinds[find->reverse ? 2 - i : i], error);
    search.found = vf_mongodb_keep(arena, search.found, search.count, sizeof(*search.found));
    if (code == VF_OK) {
        *ret_found = search.found;
        *ret_count = search.count;
    }
    return code;
}

/* --- what is due ----------------------------------------------------------------------------------------------------- */

enum vf_code vf_mongodb_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms, size_t most,
                            struct vf_arena *arena, struct vf_bytes **ret_ids, size_t *ret_count,
                            struct vf_error *error)
{
    const char *field = due == VF_DUE_EXPIRED ? "_view.expires" : "_view.since";
    bson_t filter = BSON_INITIALIZER, options = BSON_INITIALIZER, range, order;
    struct vf_mongodb_names names;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    if (due == VF_DUE_EXPIRED)
        BSON_APPEND_NULL(&filter, "_view.since"); /* absent: what is gone already has one */
    bson_append_document_begin(&filter, field, -1, &range);
    BSON_APPEND_DATE_TIME(&range, "$lte", limit_ms);
    bson_append_document_end(&filter, &range);
    BSON_APPEND_DOCUMENT_BEGIN(&options, "sort", &order);
    bson_append_int32(&order, field, -1, 1);
    BSON_APPEND_INT32(&order, "_id", 1);
    bson_append_document_end(&options, &order);
    if (code == VF_OK && due == VF_DUE_HUSK)
        code = vf_mongodb_make_husks_index(store, &names, error);
    if (code == VF_OK)
        code = vf_mongodb_find_ids(store, names.documents, &filter, &options, most, arena, ret_ids, ret_count, error);
    bson_destroy(&options);
    bson_destroy(&filter);
    return code;
}
