#include "core/body.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What MongoDB takes (docs/protocol.md, MongoDB). Deeper BSON cannot have come from a view. */
#define DEPTH_MAX 178

/* Objects with at most this many members are looked through for repeated keys pair by pair. */
#define FEW_MEMBERS 16

/* ---- JSON out ---- */

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void print_escape(struct vf_buffer *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_forms[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    char escape[6] = {'\\', (char)c};
    if (c >= 0x20) {
        vf_buffer_add(out, escape, 2);
    } else if (short_forms[c]) {
        escape[1] = short_forms[c];
        vf_buffer_add(out, escape, 2);
    } else {
        memcpy(escape, "\\u00", 4);
        escape[4] = hex[c >> 4];
        escape[5] = hex[c & 15];
        vf_buffer_add(out, escape, 6);
    }
}

void vf_json_print_string(struct vf_buffer *out, struct vf_bytes text)
{
    /* Nearly every string needs no escape, and is written in one go. */
    char *start = vf_buffer_reserve(out, text.size + 2);
    size_t plain = 0;
    *start = '"';
    while (plain < text.size && !needs_escape((unsigned char)text.data[plain]))
        plain++;
    if (plain)
        memcpy(start + 1, text.data, plain);
    out->size += 1 + plain;

    for (size_t i = plain; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (needs_escape(c))
            print_escape(out, c);
        else
            vf_buffer_add_char(out, (char)c);
    }
    vf_buffer_add_char(out, '"');
}

void vf_json_print_double(struct vf_buffer *out, double number)
{
    assert(isfinite(number));
    char text[40];
    if (fabs(number) < 1e15 && number == (double)(int64_t)number) {
        /* A whole number, as %.15g would print it, without the search. */
        if (signbit(number))
            vf_buffer_add_char(out, '-');
        vf_buffer_add_int(out, (int64_t)fabs(number));
        vf_buffer_add_text(out, ".0");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        double back = strtod(text, NULL);
        if (back == number)
            break;
    }

    /* 1e+300 and 1e-07 become 1e300 and 1e-7: one way to write an exponent, and the shortest. */
    char *exponent = strchr(text, 'e');
    size_t size = exponent ? (size_t)(exponent - text) : strlen(text);
    bool shows_point = memchr(text, '.', size) != NULL;
    vf_buffer_add(out, text, size);
    if (exponent)
        vf_buffer_printf(out, "e%d", atoi(exponent + 1));
    else if (!shows_point)
        vf_buffer_add_text(out, ".0");
}

static enum vf_code damaged(struct vf_error *error)
{
    return vf_fail(error, VF_E_DATA, "the BSON is damaged");
}

/* A document's or array's own bytes. */
struct container {
    const uint8_t *data;
    size_t size;
    bool is_array;
};

static enum vf_code print_container(struct vf_buffer *out, struct container container, int depth,
                                    struct vf_error *error);

static enum vf_code print_nested(struct vf_buffer *out, const bson_iter_t *value, int depth, struct vf_error *error)
{
    struct container container = {.is_array = BSON_ITER_HOLDS_ARRAY(value)};
    uint32_t size = 0;
    if (depth >= DEPTH_MAX)
        return vf_fail(error, VF_E_DATA, "nested deeper than %d", DEPTH_MAX);
    if (container.is_array)
        bson_iter_array(value, &size, &container.data);
    else
        bson_iter_document(value, &size, &container.data);
    container.size = size;
    return print_container(out, container, depth + 1, error);
}

/* depth: how many containers the value is in; a date may stand in one at most (body.h). */
static enum vf_code print_value(struct vf_buffer *out, const bson_iter_t *value, int depth, struct vf_error *error)
{
    switch (bson_iter_type(value)) {
    case BSON_TYPE_INT64: vf_buffer_add_int(out, bson_iter_int64(value)); return VF_OK;
    case BSON_TYPE_DOUBLE: {
        double number = bson_iter_double(value);
        if (!isfinite(number))
            return vf_fail(error, VF_E_DATA, "%s is no number that JSON has", isnan(number) ? "NaN" : "infinity");
        vf_json_print_double(out, number);
        return VF_OK;
    }
    case BSON_TYPE_UTF8: {
        uint32_t size;
        const char *text = bson_iter_utf8(value, &size);
        if (!vf_bytes_is_utf8(vf_bytes(text, size)))
            return vf_fail(error, VF_E_DATA, "a string is not UTF-8");
        vf_json_print_string(out, vf_bytes(text, size));
        return VF_OK;
    }
    case BSON_TYPE_BOOL: vf_buffer_add_text(out, bson_iter_bool(value) ? "true" : "false"); return VF_OK;
    case BSON_TYPE_NULL: vf_buffer_add_text(out, "null"); return VF_OK;
    case BSON_TYPE_DATE_TIME: {
        char text[VF_TIME_TEXT_BYTES];
        if (depth > 1)
            return vf_fail(error, VF_E_DATA, "a date can stand in a top-level field only");
        vf_time_print(text, bson_iter_date_time(value));
        vf_json_print_string(out, vf_bytes_from(text));
        return VF_OK;
    }
    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY: return print_nested(out, value, depth, error);
    default:
        return vf_fail(error, VF_E_DATA, "BSON type 0x%02x cannot stand in a document's body",
                       (unsigned)bson_iter_type(value));
    }
}

static struct vf_bytes key_of(const bson_iter_t *child)
{
    return vf_bytes(bson_iter_key(child), bson_iter_key_len(child));
}

static enum vf_code print_member(struct vf_buffer *out, const bson_iter_t *child, bool is_first, int depth,
                                 struct vf_error *error)
{
    struct vf_bytes key = key_of(child);
    if (!vf_bytes_is_utf8(key))
        return vf_fail(error, VF_E_DATA, "a field's name is not UTF-8");
    if (!is_first)
        vf_buffer_add_char(out, ',');
    vf_json_print_string(out, key);
    vf_buffer_add_char(out, ':');
    enum vf_code code = print_value(out, child, depth, error);
    if (code)
        (void)vf_error_prefix(error, "%s", bson_iter_key(child));
    return code;
}

/* Where a member begins in its container. (An iterator itself wants 128-byte alignment, and is large.) */
struct place {
    struct vf_bytes key;
    uint32_t offset;
};

static int order_of_places(const void *a, const void *b)
{
    const struct place *left = a, *right = b;
    int order = vf_bytes_compare(left->key, right->key);
    if (order)
        return order;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Of repeated names the last one counts, as everywhere. */
static enum vf_code print_sorted(struct vf_buffer *out, struct container container, bson_iter_t *children, int depth,
                                 struct vf_error *error)
{
    size_t count = 0, capacity = 16;
    struct place *places = vf_alloc(capacity * sizeof *places);
    while (bson_iter_next(children)) {
        if (count == capacity) {
            capacity *= 2;
            places = vf_realloc(places, capacity * sizeof *places);
        }
        places[count++] = (struct place){key_of(children), bson_iter_offset(children)};
    }
    qsort(places, count, sizeof *places, order_of_places);

    enum vf_code code = VF_OK;
    bool is_first = true;
    for (size_t i = 0; i < count && !code; i++) {
        bson_iter_t child;
        if (i + 1 < count && vf_bytes_equal(places[i].key, places[i + 1].key))
            continue;
        if (!bson_iter_init_from_data_at_offset(&child, container.data, container.size, places[i].offset,
                                                (uint32_t)places[i].key.size))
            code = damaged(error);
        else
            code = print_member(out, &child, is_first, depth, error);
        is_first = false;
    }
    free(places);
    return code;
}

/* bson_iter_next has said no: because there is no more, at the closing NUL, or because something is wrong before it? */
static bool is_at_end(const bson_iter_t *children, struct container container)
{
    return children->err_off == 0 && children->off + (size_t)1 == container.size;
}

/* Whether the names rise strictly, as in what viewfold wrote, so that they can be printed as they come. */
static bool is_sorted(bson_iter_t *children)
{
    struct vf_bytes last = {0};
    bool sorted = true;
    for (bool is_first = true; bson_iter_next(children); is_first = false) {
        struct vf_bytes key = key_of(children);
        if (!is_first && vf_bytes_compare(last, key) >= 0)
            sorted = false;
        last = key;
    }
    return sorted;
}

static enum vf_code print_in_order(struct vf_buffer *out, struct container container, bson_iter_t *children, int depth,
                                   struct vf_error *error)
{
    enum vf_code code = VF_OK;
    for (bool is_first = true; !code && bson_iter_next(children); is_first = false) {
        if (!container.is_array) {
            code = print_member(out, children, is_first, depth, error);
            continue;
        }
        if (!is_first)
            vf_buffer_add_char(out, ',');
        code = print_value(out, children, depth, error);
    }
    if (!code && !is_at_end(children, container))
        return damaged(error);
    return code;
}

/* depth: that of the container's own values. */
static enum vf_code print_container(struct vf_buffer *out, struct container container, int depth,
                                    struct vf_error *error)
{
    bson_iter_t children;
    bool sorted = true;
    if (!container.size || !bson_iter_init_from_data(&children, container.data, container.size))
        return damaged(error);
    if (!container.is_array) {
        bson_iter_t ahead = children;
        sorted = is_sorted(&ahead);
        if (!is_at_end(&ahead, container))
            return damaged(error);
    }

    enum vf_code code;
    vf_buffer_add_char(out, container.is_array ? '[' : '{');
    if (sorted)
        code = print_in_order(out, container, &children, depth, error);
    else
        code = print_sorted(out, container, &children, depth, error);
    vf_buffer_add_char(out, container.is_array ? ']' : '}');
    return code;
}

/* Takes back what a failed print has added. */
static enum vf_code ended(struct vf_buffer *out, size_t size_before, enum vf_code code)
{
    if (code) {
        out->size = size_before;
        out->data[size_before] = '\0';
    }
    return code;
}

enum vf_code vf_body_print(struct vf_buffer *out, struct vf_bytes bson, struct vf_error *error)
{
    struct container container = {(const uint8_t *)bson.data, bson.size, false};
    size_t before = out->size;
    vf_buffer_reserve(out, bson.size); /* also: there is data to put the NUL into */
    return ended(out, before, print_container(out, container, 1, error));
}

enum vf_code vf_body_print_value(struct vf_buffer *out, const bson_iter_t *value, struct vf_error *error)
{
    size_t before = out->size;
    vf_buffer_reserve(out, 0);
    return ended(out, before, print_value(out, value, 1, error));
}

/* ---- JSON in ---- */

struct member {
    struct vf_bytes key;
    struct vf_json value;
    size_t position;
    bool repeated; /* a later one has the same key */
};

static int order_by_key(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = vf_bytes_compare(left->key, right->key);
    if (order)
        return order;
    return left->position < right->position ? -1 : left->position > right->position;
}

static int order_by_position(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    return left->position < right->position ? -1 : left->position > right->position;
}

static void mark_repeated(struct member *members, size_t count)
{
    if (count <= FEW_MEMBERS) {
        for (size_t i = 0; i < count; i++) {
            for (size_t j = i + 1; j < count && !members[i].repeated; j++)
                members[i].repeated = vf_bytes_equal(members[i].key, members[j].key);
        }
        return;
    }
    qsort(members, count, sizeof *members, order_by_key);
    for (size_t i = 0; i + 1 < count; i++)
        members[i].repeated = vf_bytes_equal(members[i].key, members[i + 1].key);
    qsort(members, count, sizeof *members, order_by_position);
}

static enum vf_code too_large(struct vf_error *error)
{
    return vf_fail(error, VF_E_DATA, "larger than BSON can be (2 GiB)");
}

static enum vf_code append_value(bson_t *bson, struct vf_bytes key, struct vf_json value, struct vf_error *error);

static enum vf_code append_members(bson_t *bson, struct vf_json object, struct vf_error *error)
{
    struct member few[FEW_MEMBERS];
    struct member *members = few;
    size_t count = 0, capacity = FEW_MEMBERS;
    struct vf_json_iterator iterator = vf_json_iterate(object);
    struct member member = {0};
    while (vf_json_next(&iterator, &member.key, &member.value)) {
        if (count == capacity) {
            capacity *= 2;
            struct member *more = vf_alloc(capacity * sizeof *more);
            memcpy(more, members, count * sizeof *more);
            if (members != few)
                free(members);
            members = more;
        }
        member.position = count;
        members[count++] = member;
    }
    mark_repeated(members, count);

    enum vf_code code = VF_OK;
    for (size_t i = 0; i < count && !code; i++) {
        if (!members[i].repeated)
            code = append_value(bson, members[i].key, members[i].value, error);
    }
    if (members != few)
        free(members);
    return code;
}

static enum vf_code append_elements(bson_t *bson, struct vf_json array, struct vf_error *error)
{
    struct vf_json_iterator iterator = vf_json_iterate(array);
    struct vf_json element;
    enum vf_code code = VF_OK;
    for (uint32_t i = 0; !code && vf_json_next(&iterator, NULL, &element); i++) {
        char buffer[16];
        const char *key;
        size_t size = bson_uint32_to_string(i, &key, buffer, sizeof buffer);
        code = append_value(bson, vf_bytes(key, size), element, error);
    }
    return code;
}

static enum vf_code append_container(bson_t *bson, struct vf_bytes key, struct vf_json value, bool is_array,
                                     struct vf_error *error)
{
    bson_t child;
    int key_size = (int)key.size;
    bool begun = is_array ? bson_append_array_begin(bson, key.data, key_size, &child)
                          : bson_append_document_begin(bson, key.data, key_size, &child);
    if (!begun)
        return too_large(error);
    enum vf_code code = is_array ? append_elements(&child, value, error) : append_members(&child, value, error);
    /* Ended in any case, so that the outer one can be destroyed. */
    bool ended = is_array ? bson_append_array_end(bson, &child) : bson_append_document_end(bson, &child);
    if (!code && !ended)
        return too_large(error);
    return code;
}

static enum vf_code append_value(bson_t *bson, struct vf_bytes key, struct vf_json value, struct vf_error *error)
{
    if (key.size > INT_MAX)
        return too_large(error);
    if (key.size && memchr(key.data, '\0', key.size))
        return vf_fail(error, VF_E_DATA, "a field's name holds NUL");
    const char *name = key.size ? key.data : "";
    int name_size = (int)key.size;
    bool done = false;
    switch (vf_json_type(value)) {
    case VF_JSON_NULL: done = bson_append_null(bson, name, name_size); break;
    case VF_JSON_BOOL: done = bson_append_bool(bson, name, name_size, vf_json_bool(value)); break;
    case VF_JSON_INT: done = bson_append_int64(bson, name, name_size, vf_json_int(value)); break;
    case VF_JSON_BIG: return vf_fail(error, VF_E_DATA, "the integer in %.*s does not fit in 64 bits", name_size, name);
    case VF_JSON_DOUBLE: done = bson_append_double(bson, name, name_size, vf_json_double(value)); break;
    case VF_JSON_STRING: {
        struct vf_bytes text = vf_json_string(value);
        done = text.size <= INT_MAX && bson_append_utf8(bson, name, name_size, text.data, (int)text.size);
        break;
    }
    case VF_JSON_ARRAY: return append_container(bson, vf_bytes(name, key.size), value, true, error);
    case VF_JSON_OBJECT: return append_container(bson, vf_bytes(name, key.size), value, false, error);
    }
    return done ? VF_OK : too_large(error);
}

enum vf_code vf_body_append_json(bson_t *bson, struct vf_bytes key, struct vf_json value, struct vf_error *error)
{
    return append_value(bson, key, value, error);
}
