/*
 * The contract suite: a view's indexes. What a document's body says is what is found, in the same order in every store, and
 * nothing else: entries come, move and go in the commits that write their documents.
 */
#include "contract/scene.h"

#include <stdio.h>
#include <stdlib.h>

enum { AMOUNT, DAY, NAME, CITY, CITY_NAME, OPEN, OPEN_AMOUNT, INDEXES };
static const struct vf_index indexes[INDEXES] = {
    {.name = "amount", .sort = "amount"},
    {.name = "by_day", .sort = "day"},
    {.name = "by_name", .sort = "name"},
    {.name = "city", .by = "city"},
    {.name = "city_name", .sort = "name", .by = "city"},
    {.name = "open", .where = "open"},
    {.name = "open_amount", .sort = "amount", .by = "city", .where = "open"},
};

static int find_setup(void **state)
{
    scene_setup(state);
    scene_indexes(*state, indexes, INDEXES, false);
    return 0;
}

#define FIND_TEST(function) cmocka_unit_test_setup_teardown(function, find_setup, scene_teardown)

/* ---- documents ---- */

/* A body from JSON (with ' for "), whose integers are int64 as the engine's are; libbson's {'$date': milliseconds} is a date. */
static struct vf_document row(struct scene *scene, const char *id, const char *json)
{
    size_t size = strlen(json) + 1;
    char *text = vf_arena_alloc(scene->arena, size);
    for (size_t i = 0; i < size; i++)
        text[i] = json[i] == '\'' ? '"' : json[i];
    bson_error_t problem;
    bson_t read, body = BSON_INITIALIZER;
    if (!bson_init_from_json(&read, text, -1, &problem))
        fail_msg("%s: %s", text, problem.message);
    bson_iter_t field;
    assert_true(bson_iter_init(&field, &read));
    while (bson_iter_next(&field)) {
        if (BSON_ITER_HOLDS_INT32(&field))
            assert_true(bson_append_int64(&body, bson_iter_key(&field), -1, bson_iter_int32(&field)));
        else
            assert_true(bson_append_iter(&body, NULL, 0, &field));
    }
    bson_destroy(&read);
    return a_document(id, 1, body_from(scene, &body));
}

struct row {
    const char *id, *json;
};

static void write_rows(struct scene *scene, const struct row *rows, size_t count)
{
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++)
        draft_write(&draft, NULL, row(scene, rows[i].id, rows[i].json));
    draft_must_commit(&draft);
}

#define WRITE_ROWS(scene, rows) write_rows((scene), (rows), sizeof(rows) / sizeof((rows)[0]))

/* ---- questions ---- */

static struct vf_find all_of(int index)
{
    return (struct vf_find){.index = &indexes[index], .limit = 100000};
}

static struct vf_find where_by(int index, const char *by)
{
    struct vf_find find = all_of(index);
    find.by = vf_bytes_from(by);
    return find;
}

static struct vf_sort number(double value)
{
    return (struct vf_sort){.kind = VF_SORT_NUMBER, .number = value};
}

static struct vf_sort text(const char *value)
{
    return (struct vf_sort){.kind = VF_SORT_STRING, .text = vf_bytes_from(value)};
}

static struct vf_sort date(int64_t ms)
{
    return (struct vf_sort){.kind = VF_SORT_DATE, .number = (double)ms};
}

static struct vf_find between(int index, const struct vf_sort *from, const struct vf_sort *to)
{
    struct vf_find find = all_of(index);
    find.has_from = from != NULL;
    find.has_to = to != NULL;
    if (from)
        find.from = *from;
    if (to)
        find.to = *to;
    return find;
}

static struct vf_found *ask(struct scene *scene, struct vf_find find, size_t *ret_count)
{
    struct vf_error error = {0};
    struct vf_found *found;
    assert_ok(scene->type->find(scene->other, scene->view, &find, scene->arena, &found, ret_count, &error));
    return found;
}

static const char *joined(struct scene *scene, const struct vf_found *found, size_t count)
{
    struct vf_bytes all = VF_LITERAL("");
    for (size_t i = 0; i < count; i++)
        all = vf_arena_printf(scene->arena, "%s%.*s,", all.data, (int)found[i].id.size, found[i].id.data);
    return all.data;
}

/* The whole answer, then the same in pages of all sizes, each from where the one before ended, then all backwards. */
static void assert_found(struct scene *scene, struct vf_find find, const char *wanted)
{
    size_t count, all_count;
    struct vf_found *all = ask(scene, find, &all_count);
    assert_string_equal(joined(scene, all, all_count), wanted);
    for (size_t limit = 1; limit <= 3; limit++) {
        struct vf_find page = find;
        struct vf_found *paged = vf_arena_calloc(scene->arena, all_count + 3, sizeof(*paged));
        size_t seen = 0;
        page.limit = limit;
        do {
            struct vf_found *found = ask(scene, page, &count);
            assert_true(count <= limit);
            for (size_t i = 0; i < count && seen < all_count + 3; i++)
                paged[seen++] = found[i];
            if (count > 0) {
                page.has_after = true;
                page.after = found[count - 1].sort;
                page.after_id = found[count - 1].id;
            }
        } while (count > 0 && seen <= all_count);
        assert_string_equal(joined(scene, paged, seen), wanted);
    }
    if (find.reverse || find.has_after)
        return;
    find.reverse = true;
    struct vf_found *backwards = vf_arena_calloc(scene->arena, all_count, sizeof(*backwards));
    for (size_t i = 0; i < all_count; i++)
        backwards[i] = all[all_count - 1 - i];
    assert_found(scene, find, joined(scene, backwards, all_count));
}

/* ---- order ---- */

static void numbers_are_in_order_and_equal_ones_by_id(void **state)
{
    struct scene *scene = *state;
    static const struct row rows[] = {
        {"a", "{'amount': 5}"},
        {"b", "{'amount': -3}"},
        {"c", "{'amount': 5.0}"},
        {"d", "{'amount': 0}"},
        {"e", "{'amount': -0.0}"},
        {"f", "{'amount': 1e300}"},
        {"g", "{'amount': -1e300}"},
        {"h", "{'amount': 0.1}"},
        {"i", "{'amount': {'$numberLong': '9007199254740992'}}"},
        {"j", "{'amount': {'$numberLong': '9007199254740991'}}"},
        {"k", "{'amount': 5e-324}"},
        {"l", "{'amount': {'$numberLong': '-9007199254740992'}}"},
        {"m", "{'amount': null}"},
        {"n", "{'other': 5}"},
        {"aa", "{'amount': 5}"},
        {"B", "{'amount': 5}"},
        {"\xc3\xa9", "{'amount': 5}"},
        {"o", "{'amount': -3.5}"},
    };
    WRITE_ROWS(scene, rows);
    assert_found(scene, all_of(AMOUNT), "g,l,o,b,d,e,k,h,B,a,aa,c,\xc3\xa9,j,i,f,");
    size_t count;
    struct vf_found *found = ask(scene, all_of(AMOUNT), &count);
    static const double wanted[] = {
        -1e300, -9007199254740992.0, -3.5, -3, 0, 0, 5e-324, 0.1, 5, 5, 5, 5, 5, 9007199254740991.0, 9007199254740992.0,
        1e300};
    for (size_t i = 0; i < count; i++) /* a store that keeps scores cannot tell a number from a date */
        assert_true(found[i].sort.kind != VF_SORT_STRING && found[i].sort.number == wanted[i]);
}

static void dates_are_in_order(void **state)
{
    struct scene *scene = *state;
    static const struct row rows[] = {
        {"a", "{'day': {'$date': {'$numberLong': '1772359200123'}}}"},
        {"b", "{'day': {'$date': {'$numberLong': '-1'}}}"},
        {"c", "{'day': {'$date': {'$numberLong': '0'}}}"},
        {"d", "{'day': {'$date': {'$numberLong': '253402300799999'}}}"},
        {"e", "{'day': {'$date': {'$numberLong': '-62135596800000'}}}"},
        {"f", "{'day': {'$date': {'$numberLong': '1772359200124'}}}"},
        {"g", "{'day': {'$date': {'$numberLong': '1772359200123'}}}"},
    };
    WRITE_ROWS(scene, rows);
    assert_found(scene, all_of(DAY), "e,b,c,a,g,f,d,");
    struct vf_sort from = date(-1), to = date(1772359200123);
    assert_found(scene, between(DAY, &from, &to), "b,c,a,g,");
    assert_found(scene, between(DAY, &to, NULL), "a,g,f,d,");
}

static void strings_are_in_the_order_of_their_bytes(void **state)
{
    struct scene *scene = *state;
    static const struct row rows[] = {
        {"1", "{'name': 'b'}"},
        {"2", "{'name': ''}"},
        {"3", "{'name': 'a'}"},
        {"4", "{'name': 'A'}"},
        {"5", "{'name': 'aa'}"},
        {"6", "{'name': 'a b'}"},
        {"7", "{'name': 'a\\u0001'}"},
        {"8", "{'name': '\xc3\xa9'}"},
        {"9", "{'name': 'Z'}"},
        {"A", "{'name': '\xe6\x97\xa5'}"},
        {"B", "{'name': 'a'}"},
        {" ", "{'name': 'a'}"},
        {"C", "{'name': '10'}"},
        {"D", "{'name': '9'}"},
        {"E", "{'name': null}"},
        {"F", "{}"},
        {"G", "{'name': '\xf0\x9f\x98\x80'}"},
    };
    WRITE_ROWS(scene, rows);
    assert_found(scene, all_of(NAME), "2,C,D,4,9, ,3,B,7,6,5,1,8,A,G,");
    size_t count;
    struct vf_found *found = ask(scene, all_of(NAME), &count);
    assert_int_equal(found[8].sort.kind, VF_SORT_STRING);
    assert_true(vf_bytes_is(found[8].sort.text, "a\x01"));
    assert_int_equal(found[0].sort.text.size, 0);
}

static void long_texts_are_told_apart_to_their_end(void **state)
{
    struct scene *scene = *state;
    char longest[VF_INDEX_TEXT_BYTES_MAX + 1] = {0};
    memset(longest, 'x', VF_INDEX_TEXT_BYTES_MAX);
    struct draft draft = draft_new(scene);
    static const char last[] = {'x', 'w', '\0', 'y'};
    static const char *const ids[] = {"c", "b", "a", "d"};
    for (size_t i = 0; i < 4; i++) {
        longest[VF_INDEX_TEXT_BYTES_MAX - 1] = last[i];
        const char *json = vf_arena_printf(scene->arena, "{'name': '%s', 'city': '%s'}", longest, longest).data;
        draft_write(&draft, NULL, row(scene, ids[i], json));
    }
    draft_must_commit(&draft);
    assert_found(scene, all_of(NAME), "a,b,c,d,");
    longest[VF_INDEX_TEXT_BYTES_MAX - 1] = 'x';
    struct vf_sort bound = text(longest);
    assert_found(scene, between(NAME, &bound, NULL), "c,d,");
    assert_found(scene, between(NAME, NULL, &bound), "a,b,c,");
    assert_found(scene, where_by(CITY, longest), "c,");
    assert_found(scene, where_by(CITY_NAME, longest), "c,");
}

static void hostile_ids_and_texts_are_found(void **state)
{
    struct scene *scene = *state;
    size_t count, found_count;
    const char **names = hostile_names(scene, &count);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < count; i++) {
        bson_t body = BSON_INITIALIZER;
        assert_true(bson_append_utf8(&body, "city", -1, names[i], -1));
        assert_true(bson_append_utf8(&body, "name", -1, names[count - 1 - i], -1));
        assert_true(bson_append_int64(&body, "amount", -1, (int64_t)i / 4));
        assert_true(bson_append_bool(&body, "open", -1, true));
        draft_write(&draft, NULL, a_document(names[i], 1, body_from(scene, &body)));
    }
    draft_must_commit(&draft);
    static const int whole[] = {AMOUNT, NAME, OPEN};
    for (size_t w = 0; w < 3; w++) {
        struct vf_found *found = ask(scene, all_of(whole[w]), &found_count);
        assert_int_equal(found_count, count);
        for (size_t i = 1; i < count; i++) { /* in order: by what they are sorted by, then by id */
            int order = w == 0 ? (found[i - 1].sort.number > found[i].sort.number) -
                                     (found[i - 1].sort.number < found[i].sort.number)
                        : w == 1 ? vf_bytes_compare(found[i - 1].sort.text, found[i].sort.text)
                                 : 0;
            assert_true(order < 0 || (order == 0 && vf_bytes_compare(found[i - 1].id, found[i].id) < 0));
        }
    }
    static const int by[] = {CITY, CITY_NAME, OPEN_AMOUNT};
    for (size_t i = 0; i < count; i++) {
        for (int b = 0; b < 3; b++) {
            struct vf_found *found = ask(scene, where_by(by[b], names[i]), &found_count);
            assert_int_equal(found_count, 1);
            assert_true(vf_bytes_is(found[0].id, names[i]));
        }
        struct vf_sort same = text(names[count - 1 - i]);
        struct vf_found *found = ask(scene, between(NAME, &same, &same), &found_count);
        assert_int_equal(found_count, 1);
        assert_true(vf_bytes_is(found[0].id, names[i]));
    }
}

/* ---- bounds and places ---- */

static const struct row shops[] = {
    {"a", "{'amount': 1, 'name': 'b', 'city': 'Bonn', 'open': true}"},
    {"b", "{'amount': 2, 'name': 'ba', 'city': 'Bonn', 'open': false}"},
    {"c", "{'amount': 2, 'name': 'b', 'city': 'Ulm', 'open': true}"},
    {"d", "{'amount': 3, 'name': 'c', 'city': 'Bonn', 'open': true}"},
    {"e", "{'amount': -1, 'name': 'a', 'city': 'bonn', 'open': true}"},
    {"f", "{'amount': 2, 'name': 'd', 'city': 'Bonn:1', 'open': true}"},
    {"g", "{'amount': 2, 'name': 'bz', 'city': '', 'open': true}"},
    {"h", "{'amount': 2.5, 'name': 'd', 'city': 'Bonn', 'open': true}"},
};

static void bounds_are_inclusive(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    struct vf_sort one = number(1), two = number(2), below = number(1.9), high = number(2.4), far = number(1e9);
    assert_found(scene, between(AMOUNT, &two, &two), "b,c,f,g,");
    assert_found(scene, between(AMOUNT, &one, &two), "a,b,c,f,g,");
    assert_found(scene, between(AMOUNT, &two, NULL), "b,c,f,g,h,d,");
    assert_found(scene, between(AMOUNT, NULL, &one), "e,a,");
    assert_found(scene, between(AMOUNT, &below, &high), "b,c,f,g,");
    assert_found(scene, between(AMOUNT, &high, &below), "");
    assert_found(scene, between(AMOUNT, &far, NULL), "");
    struct vf_sort b = text("b"), c = text("c"), ba = text("ba"), none = text(""), d = text("d");
    assert_found(scene, between(NAME, &b, &b), "a,c,");
    assert_found(scene, between(NAME, &b, &c), "a,c,b,g,d,");
    assert_found(scene, between(NAME, &ba, &c), "b,g,d,");
    assert_found(scene, between(NAME, NULL, &b), "e,a,c,");
    assert_found(scene, between(NAME, &d, NULL), "f,h,");
    assert_found(scene, between(NAME, &none, NULL), "e,a,c,b,g,d,f,h,");
    assert_found(scene, between(NAME, NULL, &none), "");
    assert_found(scene, between(NAME, &c, &b), "");
    struct vf_find within = between(CITY_NAME, &b, &c);
    within.by = VF_LITERAL("Bonn");
    assert_found(scene, within, "a,b,d,");
    within = between(OPEN_AMOUNT, &two, NULL);
    within.by = VF_LITERAL("Bonn");
    assert_found(scene, within, "h,d,");
}

static void a_bound_of_another_kind_means_no_document(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    struct vf_sort low = number(-1e9), high = number(1e9), none = text(""), last = text("zzz");
    assert_found(scene, between(NAME, &low, &high), "");
    assert_found(scene, between(NAME, &low, NULL), "");
    assert_found(scene, between(NAME, NULL, &high), "");
    assert_found(scene, between(AMOUNT, &none, &last), "");
    assert_found(scene, between(AMOUNT, &none, NULL), "");
    assert_found(scene, between(AMOUNT, NULL, &last), "");
}

static void a_page_goes_on_behind_a_place_where_nothing_is_any_more(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    must_remove(scene, "c");
    struct vf_find find = all_of(AMOUNT);
    find.has_after = true;
    find.after = number(2);
    find.after_id = VF_LITERAL("c");
    assert_found(scene, find, "f,g,h,d,");
    find.reverse = true;
    assert_found(scene, find, "b,a,e,");
    find = all_of(NAME);
    find.has_after = true;
    find.after = text("b");
    find.after_id = VF_LITERAL("c");
    find.limit = 2;
    size_t count;
    struct vf_found *found = ask(scene, find, &count);
    assert_string_equal(joined(scene, found, count), "b,g,");
    struct vf_sort from = text("a"), to = text("bz");
    find = between(NAME, &from, &to);
    find.has_after = find.reverse = true;
    find.after = text("bb");
    find.after_id = VF_LITERAL("nobody");
    assert_found(scene, find, "b,a,e,");
    find = all_of(OPEN);
    find.has_after = true;
    find.after_id = VF_LITERAL("c");
    find.after = (struct vf_sort){.kind = VF_SORT_NONE};
    found = ask(scene, find, &count);
    assert_string_equal(joined(scene, found, count), "d,e,f,g,h,");
}

static void a_limit_takes_the_first(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    struct vf_find find = all_of(AMOUNT);
    size_t count;
    find.limit = 3;
    struct vf_found *found = ask(scene, find, &count);
    assert_string_equal(joined(scene, found, count), "e,a,b,");
    find.reverse = true;
    found = ask(scene, find, &count);
    assert_string_equal(joined(scene, found, count), "d,h,g,");
}

/* ---- by and where ---- */

static void by_is_equality(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    assert_found(scene, where_by(CITY, "Bonn"), "a,b,d,h,");
    assert_found(scene, where_by(CITY, "bonn"), "e,");
    assert_found(scene, where_by(CITY, "Bonn:1"), "f,");
    assert_found(scene, where_by(CITY, "Bon"), "");
    assert_found(scene, where_by(CITY, ""), "g,");
    assert_found(scene, where_by(CITY_NAME, "Bonn"), "a,b,d,h,");
    assert_found(scene, where_by(OPEN_AMOUNT, "Bonn"), "a,h,d,");
    assert_found(scene, where_by(OPEN_AMOUNT, "Ulm"), "c,");
}

/* A value by its text: a question knows no types. */
static void by_takes_integers_and_booleans_as_text(void **state)
{
    struct scene *scene = *state;
    static const struct row rows[] = {
        {"a", "{'city': 5, 'name': 'x'}"},
        {"b", "{'city': '5', 'name': 'w'}"},
        {"c", "{'city': -5, 'name': 'x'}"},
        {"d", "{'city': true, 'name': 'x'}"},
        {"e", "{'city': 'true', 'name': 'w'}"},
        {"f", "{'city': false, 'name': 'x'}"},
        {"g", "{'city': {'$numberLong': '9223372036854775807'}, 'name': 'x'}"},
        {"h", "{'city': null, 'name': 'x'}"},
        {"i", "{'city': '05', 'name': 'x'}"},
        {"j", "{'city': 5, 'name': 'v'}"},
        {"k", "{'city': '9223372036854775808', 'name': 'v'}"},
        {"l", "{'city': {'$numberLong': '9007199254740993'}, 'name': 'v'}"},
        {"m", "{'city': '', 'name': 'v'}"},
    };
    WRITE_ROWS(scene, rows);
    assert_found(scene, where_by(CITY, "5"), "a,b,j,");
    assert_found(scene, where_by(CITY_NAME, "5"), "j,b,a,");
    assert_found(scene, where_by(CITY, "-5"), "c,");
    assert_found(scene, where_by(CITY_NAME, "true"), "e,d,");
    assert_found(scene, where_by(CITY, "false"), "f,");
    assert_found(scene, where_by(CITY, "9223372036854775807"), "g,");
    assert_found(scene, where_by(CITY, "9223372036854775808"), "k,");
    assert_found(scene, where_by(CITY, "9007199254740992"), "");
    assert_found(scene, where_by(CITY, "05"), "i,");
    assert_found(scene, where_by(CITY, "5.0"), "");
    assert_found(scene, where_by(CITY, "null"), "");
    assert_found(scene, where_by(CITY, ""), "m,");
}

static void where_takes_only_what_is_true(void **state)
{
    struct scene *scene = *state;
    static const struct row rows[] = {
        {"d", "{'open': true}"},
        {"c", "{'open': false}"},
        {"b", "{'open': null}"},
        {"a", "{'open': true, 'amount': 1}"},
        {"e", "{'amount': 1, 'city': 'Bonn'}"},
        {"f", "{'amount': 1, 'city': 'Bonn', 'open': true}"},
        {"g", "{'amount': 1, 'city': 'Bonn', 'open': false}"},
    };
    WRITE_ROWS(scene, rows);
    assert_found(scene, all_of(OPEN), "a,d,f,");
    assert_found(scene, where_by(OPEN_AMOUNT, "Bonn"), "f,");
    assert_found(scene, all_of(AMOUNT), "a,e,f,g,");
}

/* ---- entries come, move and go ---- */

static void an_entry_moves_and_goes_with_its_field(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    must_write(scene, row(scene, "a", "{'amount': 9, 'name': 'zz', 'city': 'Ulm', 'open': true}")); /* all change */
    assert_found(scene, all_of(AMOUNT), "e,b,c,f,g,h,d,a,");
    assert_found(scene, all_of(NAME), "e,c,b,g,d,f,h,a,");
    assert_found(scene, where_by(CITY, "Bonn"), "b,d,h,");
    assert_found(scene, where_by(CITY, "Ulm"), "a,c,");
    assert_found(scene, where_by(OPEN_AMOUNT, "Bonn"), "h,d,");
    assert_found(scene, where_by(OPEN_AMOUNT, "Ulm"), "c,a,");
    must_write(scene, row(scene, "a", "{'amount': 9, 'name': 'zz', 'city': 'Ulm', 'open': true, 'more': 1}"));
    assert_found(scene, where_by(OPEN_AMOUNT, "Ulm"), "c,a,"); /* none changes */
    must_write(scene, row(scene, "a", "{'amount': 9, 'name': 'zz', 'city': 'Ulm', 'open': false}"));
    assert_found(scene, where_by(OPEN_AMOUNT, "Ulm"), "c,");
    assert_found(scene, all_of(OPEN), "c,d,e,f,g,h,");
    must_write(scene, row(scene, "a", "{'name': null, 'city': 'Ulm', 'open': true}"));
    assert_found(scene, all_of(AMOUNT), "e,b,c,f,g,h,d,");
    assert_found(scene, all_of(NAME), "e,c,b,g,d,f,h,");
    assert_found(scene, where_by(CITY, "Ulm"), "a,c,");
    assert_found(scene, where_by(CITY_NAME, "Ulm"), "c,");
    assert_found(scene, all_of(OPEN), "a,c,d,e,f,g,h,");
    must_write(scene, row(scene, "a", "{}"));
    assert_found(scene, where_by(CITY, "Ulm"), "c,");
    assert_found(scene, all_of(OPEN), "c,d,e,f,g,h,");
    must_write(scene, row(scene, "a", shops[0].json));
    assert_found(scene, all_of(AMOUNT), "e,a,b,c,f,g,h,d,");
    assert_found(scene, where_by(OPEN_AMOUNT, "Bonn"), "a,h,d,");
}

/* The sort value's kind may change as well. */
static void an_entry_goes_from_one_kind_to_another(void **state)
{
    struct scene *scene = *state;
    must_write(scene, row(scene, "a", "{'amount': 5}"));
    must_write(scene, row(scene, "a", "{'amount': 'five'}"));
    assert_found(scene, all_of(AMOUNT), "a,");
    struct vf_sort low = number(-1e9), five = text("five");
    assert_found(scene, between(AMOUNT, &low, NULL), "");
    assert_found(scene, between(AMOUNT, &five, NULL), "a,");
    must_write(scene, row(scene, "a", "{'amount': -5}"));
    assert_found(scene, between(AMOUNT, &low, NULL), "a,");
    assert_found(scene, between(AMOUNT, &five, NULL), "");
    must_write(scene, row(scene, "a", "{}"));
    assert_found(scene, all_of(AMOUNT), "");
}

static void husks_and_what_is_removed_are_in_no_index(void **state)
{
    struct scene *scene = *state;
    for (int how = 0; how < 4; how++) {
        struct draft draft = draft_new(scene);
        struct vf_document a = load_document(scene, "a");
        draft_write(&draft, a.presence == VF_ABSENT ? NULL : &a, with_expiry(row(scene, "a", shops[0].json), 5));
        draft_must_commit(&draft);
        assert_found(scene, all_of(AMOUNT), "a,"); /* its time has come, and it is not swept yet */
        assert_found(scene, where_by(OPEN_AMOUNT, "Bonn"), "a,");
        if (how == 0)
            must_write(scene, a_deleted_husk("a", 2, "order/1", 5));
        if (how == 1)
            must_write(scene, with_expiry(an_expired_husk("a", 2, 5), 5));
        if (how == 2)
            must_remove(scene, "a");
        if (how == 3)
            must_write(scene, a_husk("a", 2));
        for (int i = 0; i < INDEXES; i++)
            assert_found(scene, where_by(i, indexes[i].by ? "Bonn" : NULL), "");
    }
    must_remove(scene, "a"); /* a husk */
    assert_found(scene, all_of(AMOUNT), "");
}

static void a_commit_that_did_not_go_through_leaves_the_entries(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    struct vf_document a = load_document(scene, "a"), b = load_document(scene, "b"), c = load_document(scene, "c");
    for (int what = 0; what < 4; what++) {
        struct draft draft = draft_new(scene);
        draft_write(&draft, &a, row(scene, "a", "{'amount': 77, 'name': 'y', 'city': 'Ulm', 'open': true}"));
        draft_write(&draft, &b, a_deleted_husk("b", 2, "order/1", 5));
        draft_remove(&draft, &c);
        draft_write(&draft, NULL, row(scene, "new", shops[0].json));
        if (what == 0)
            draft_write(&draft, NULL, row(scene, "d", shops[0].json)); /* which is there */
        if (what == 1)
            draft_progress(&draft, "orders", 0, a_progress(5), a_progress(6));
        if (what == 2)
            draft.generation_stamp = 77;
        if (what == 3)
            scene_freeze(scene, true);
        static const enum vf_outcome outcomes[] = {VF_CONFLICT, VF_CONFLICT, VF_SUPERSEDED, VF_FROZEN};
        assert_int_equal(draft_send(&draft, scene->store), outcomes[what]);
        assert_found(scene, all_of(AMOUNT), "e,a,b,c,f,g,h,d,");
        assert_found(scene, all_of(NAME), "e,a,c,b,g,d,f,h,");
        assert_found(scene, where_by(CITY, "Bonn"), "a,b,d,h,");
        assert_found(scene, where_by(CITY, "Ulm"), "c,");
        assert_found(scene, where_by(OPEN_AMOUNT, "Bonn"), "a,h,d,");
    }
    scene_freeze(scene, false);
}

static void what_is_consulted_stays_in_its_indexes(void **state)
{
    struct scene *scene = *state;
    WRITE_ROWS(scene, shops);
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < sizeof(shops) / sizeof(shops[0]); i++) {
        struct vf_document base = load_document(scene, shops[i].id);
        draft_consult(&draft, shops[i].id, &base);
    }
    draft_progress(&draft, "orders", 0, no_progress, a_progress(1));
    draft_must_commit(&draft);
    assert_found(scene, all_of(AMOUNT), "e,a,b,c,f,g,h,d,");
    assert_found(scene, where_by(CITY_NAME, "Bonn"), "a,b,d,h,");
}

static void another_view_has_its_own_indexes(void **state)
{
    struct scene *scene = *state;
    const char *mine = scene->name, *others = vf_arena_printf(scene->arena, "%s_1", scene->name).data;
    WRITE_ROWS(scene, shops);
    scene_prepare(scene, others);
    scene->view.name = others;
    scene_indexes(scene, indexes, INDEXES, true);
    scene_indexes(scene, indexes, INDEXES, true); /* what is there is left alone */
    assert_found(scene, all_of(AMOUNT), "");
    must_write(scene, row(scene, "x", shops[0].json));
    assert_found(scene, all_of(AMOUNT), "x,");
    assert_found(scene, where_by(CITY, "Bonn"), "x,");
    scene->view.name = mine;
    assert_found(scene, where_by(CITY, "Bonn"), "a,b,d,h,");
    must_remove(scene, "a");
    scene->view.name = others;
    assert_found(scene, where_by(CITY, "Bonn"), "x,");
}

/* ---- many ---- */

enum { MANY = 600 };
struct sample {
    char id[16];
    bool there, open;
    int amount, city;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int compare_samples(const void *a, const void *b)
{
    const struct sample *left = *(const struct sample *const *)a, *right = *(const struct sample *const *)b;
    if (left->amount != right->amount)
        return left->amount < right->amount ? -1 : 1;
    return strcmp(left->id, right->id);
}

/* What the samples say that a question's answer is. Amounts are numbers from -10 to 9, questions have the bounds inclusive. */
static size_t expect(const struct sample *samples, const struct vf_find *find, int city, const struct sample **wanted)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < MANY; i++) {
        const struct sample *one = &samples[i];
        if (!one->there || !one->open || one->city != city || (find->has_from && one->amount < find->from.number) ||
            (find->has_to && one->amount > find->to.number))
            continue;
        wanted[count++] = one;
    }
    if (count > 0)
        qsort(wanted, count, sizeof(*wanted), compare_samples);
    for (size_t i = 0; find->reverse && i < count / 2; i++) {
        const struct sample *swapped = wanted[i];
        wanted[i] = wanted[count - 1 - i];
        wanted[count - 1 - i] = swapped;
    }
    struct sample after = {.amount = (int)find->after.number};
    if (find->has_after)
        memcpy(after.id, find->after_id.data, find->after_id.size);
    for (size_t i = 0; i < count; i++) {
        int order = find->has_after ? compare_samples(&wanted[i], &(const struct sample *){&after}) : 1;
        if (find->has_after && find->reverse)
            order = -order;
        if (order > 0)
            wanted[kept++] = wanted[i];
    }
    return kept < find->limit ? kept : find->limit;
}

static void change_some(struct scene *scene, struct sample *samples, uint32_t *seed)
{
    struct draft draft = draft_new(scene);
    for (size_t i = 0; i < MANY; i++) {
        struct sample *one = &samples[i];
        if (next_random(seed) % 3 == 0)
            continue;
        struct vf_document base = load_document(scene, one->id);
        one->there = next_random(seed) % 8 > 0;
        one->open = next_random(seed) % 4 > 0;
        one->amount = (int)(next_random(seed) % 20) - 10;
        one->city = (int)(next_random(seed) % 3);
        const char *json = vf_arena_printf(scene->arena, "{'amount': %d, 'city': 'c%d', 'open': %s}", one->amount,
                                           one->city, one->open ? "true" : "false")
                               .data;
        draft_write(&draft, base.presence == VF_ABSENT ? NULL : &base,
                    one->there ? row(scene, one->id, json) : a_deleted_husk(one->id, 1, "order/1", 5));
    }
    draft_must_commit(&draft);
}

static void of_many_documents_the_answer_is_that_of_a_plain_list(void **state)
{
    struct scene *scene = *state;
    static struct sample samples[MANY];
    static const struct sample *wanted[MANY];
    uint32_t seed = 42;
    memset(samples, 0, sizeof(samples));
    for (int i = 0; i < MANY; i++)
        snprintf(samples[i].id, sizeof(samples[i].id), "%x", (unsigned)i * 31);
    for (int round = 0; round < 3; round++) {
        change_some(scene, samples, &seed);
        for (int question = 0; question < 60; question++) {
            int city = (int)(next_random(&seed) % 3);
            struct vf_find find = where_by(OPEN_AMOUNT, vf_arena_printf(scene->arena, "c%d", city).data);
            find.has_from = next_random(&seed) % 2;
            find.from = number((int)(next_random(&seed) % 24) - 12);
            find.has_to = next_random(&seed) % 2;
            find.to = number((int)(next_random(&seed) % 24) - 12);
            find.reverse = next_random(&seed) % 2;
            find.has_after = next_random(&seed) % 2;
            find.after = number((int)(next_random(&seed) % 20) - 10);
            find.after_id = vf_bytes_from(samples[next_random(&seed) % MANY].id);
            find.limit = 1 + next_random(&seed) % 40;
            size_t wanted_count = expect(samples, &find, city, wanted), count;
            struct vf_found *found = ask(scene, find, &count);
            assert_int_equal(count, wanted_count);
            for (size_t i = 0; i < count; i++)
                assert_true(vf_bytes_is(found[i].id, wanted[i]->id));
        }
    }
}

int contract_find_run(const char *group)
{
    const struct CMUnitTest tests[] = {
        FIND_TEST(numbers_are_in_order_and_equal_ones_by_id),
        FIND_TEST(dates_are_in_order),
        FIND_TEST(strings_are_in_the_order_of_their_bytes),
        FIND_TEST(long_texts_are_told_apart_to_their_end),
        FIND_TEST(hostile_ids_and_texts_are_found),
        FIND_TEST(bounds_are_inclusive),
        FIND_TEST(a_bound_of_another_kind_means_no_document),
        FIND_TEST(a_page_goes_on_behind_a_place_where_nothing_is_any_more),
        FIND_TEST(a_limit_takes_the_first),
        FIND_TEST(by_is_equality),
        FIND_TEST(by_takes_integers_and_booleans_as_text),
        FIND_TEST(where_takes_only_what_is_true),
        FIND_TEST(an_entry_moves_and_goes_with_its_field),
        FIND_TEST(an_entry_goes_from_one_kind_to_another),
        FIND_TEST(husks_and_what_is_removed_are_in_no_index),
        FIND_TEST(a_commit_that_did_not_go_through_leaves_the_entries),
        FIND_TEST(what_is_consulted_stays_in_its_indexes),
        FIND_TEST(another_view_has_its_own_indexes),
        FIND_TEST(of_many_documents_the_answer_is_that_of_a_plain_list),
    };
    return cmocka_run_group_tests_name(group, tests, NULL, NULL);
}
