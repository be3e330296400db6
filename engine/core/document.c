#include "core/document.h"

#include "core/arena.h"
#include "core/body.h"
#include "core/json.h"

#include <stdlib.h>

/* ---- stamps: 16 lower-case hex digits ---- */

static void print_hex(char text[VF_STAMP_TEXT_BYTES], uint64_t number)
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--) {
        text[i] = hex[number & 15];
        number >>= 4;
    }
    text[16] = '\0';
}

static bool parse_hex(struct vf_bytes text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (text.size != 16)
        return false;
    for (size_t i = 0; i < 16; i++) {
        char c = text.data[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else
            return false;
        number = number << 4 | digit;
    }
    *ret_number = number;
    return true;
}

void vf_stamp_print(char text[VF_STAMP_TEXT_BYTES], uint64_t stamp)
{
    print_hex(text, stamp);
}

bool vf_stamp_parse(struct vf_bytes text, uint64_t *ret_stamp)
{
    return parse_hex(text, ret_stamp);
}

/* ---- versions ---- */

void vf_versions_print(struct vf_buffer *out, const struct vf_version *versions, size_t count)
{
    vf_buffer_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            vf_buffer_add_char(out, ',');
        vf_json_print_string(out, versions[i].aggregate);
        vf_buffer_add_char(out, ':');
        vf_version_print(out, versions[i].version, versions[i].more);
    }
    vf_buffer_add_char(out, '}');
}

static int order_of_versions(const void *a, const void *b)
{
    const struct vf_version *left = a, *right = b;
    return vf_bytes_compare(left->aggregate, right->aggregate);
}

static enum vf_code read_versions(struct vf_json object, struct vf_arena *arena, struct vf_version *versions,
                                  struct vf_error *error)
{
    struct vf_json_iterator iterator = vf_json_iterate(object);
    struct vf_bytes key;
    struct vf_json value;
    for (size_t i = 0; vf_json_next(&iterator, &key, &value); i++) {
        if (!vf_version_read(value, arena, &versions[i].version, &versions[i].more))
            return vf_fail(error, VF_E_DATA, "the version of %.*s is none that viewfold writes",
                           key.size < 200 ? (int)key.size : 200, key.data);
        versions[i].aggregate = vf_arena_copy(arena, key);
    }
    return VF_OK;
}

enum vf_code vf_versions_parse(struct vf_bytes json, struct vf_json_parser *parser, struct vf_arena *arena,
                               const struct vf_version **ret_versions, size_t *ret_count, struct vf_error *error)
{
    struct vf_json root, value;
    enum vf_code code = vf_json_parse(parser, json, &root, error);
    if (code) {
        (void)vf_error_prefix(error, "a document's versions");
        return code;
    }
    if (vf_json_type(root) != VF_JSON_OBJECT)
        return vf_fail(error, VF_E_DATA, "a document's versions are no JSON object");

    size_t count = 0;
    struct vf_json_iterator iterator = vf_json_iterate(root);
    while (vf_json_next(&iterator, NULL, &value))
        count++;
    struct vf_version *versions = vf_arena_alloc(arena, count * sizeof *versions);
    code = read_versions(root, arena, versions, error);
    if (code) {
        (void)vf_error_prefix(error, "a document's versions");
        return code;
    }

    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = order_of_versions(&versions[i - 1], &versions[i]) < 0;
    if (!sorted) {
        qsort(versions, count, sizeof *versions, order_of_versions);
        /* viewfold writes each aggregate once. Twice, nobody can say which number is right: a guess could skip events. */
        for (size_t i = 1; i < count; i++) {
            if (order_of_versions(&versions[i - 1], &versions[i]) == 0)
                return vf_fail(error, VF_E_DATA, "a document's versions name an aggregate twice");
        }
    }
    *ret_versions = versions;
    *ret_count = count;
    return VF_OK;
}

/* ---- lists ---- */

static const char *const list_prefixes[] = {
    [VF_LIST_OWN] = "", [VF_LIST_WAITERS] = "/waiters/", [VF_LIST_EARLY] = "/early/"};

struct vf_bytes vf_list_key(struct vf_arena *arena, enum vf_list list, struct vf_bytes aggregate)
{
    return vf_arena_printf(arena, "%s%.*s", list_prefixes[list], (int)aggregate.size, aggregate.data);
}

bool vf_is_nobodys(struct vf_bytes aggregate)
{
    size_t size = strlen(VF_UNREADABLE_PREFIX);
    return aggregate.size > size && memcmp(aggregate.data, VF_UNREADABLE_PREFIX, size) == 0;
}

struct vf_bytes vf_list_aggregate(struct vf_bytes key, enum vf_list *ret_list)
{
    for (enum vf_list list = VF_LIST_EARLY; list > VF_LIST_OWN; list--) {
        size_t size = strlen(list_prefixes[list]);
        if (key.size > size && memcmp(key.data, list_prefixes[list], size) == 0) {
            *ret_list = list;
            return vf_bytes(key.data + size, key.size - size);
        }
    }
    *ret_list = VF_LIST_OWN;
    return key;
}

int64_t vf_early_place_of_revision(int64_t number, int64_t index)
{
    return VF_EARLY_SEQUENCE_MAX + 1 + (number - VF_EARLY_REVISION_MIN) * VF_EARLY_SIBLINGS_MAX + index;
}

int64_t vf_early_number(int64_t place)
{
    int64_t above = place - VF_EARLY_SEQUENCE_MAX - 1;
    return above >= 0 ? above / VF_EARLY_SIBLINGS_MAX + VF_EARLY_REVISION_MIN : place;
}

bool vf_early_is_asked_for(int64_t place)
{
    return place > VF_EARLY_SEQUENCE_MAX;
}

/* ---- progress ---- */

bool vf_progress_equal(const struct vf_progress *a, const struct vf_progress *b)
{
    if (a->exists != b->exists)
        return false;
    if (!a->exists)
        return true;
    if (a->next != b->next || a->of != b->of || a->aside != b->aside || a->had != b->had || a->has_last != b->has_last)
        return false;
    /* GUARD progress-stamp: what was read before a rewind, or during one, would be written where others are up to here again */
    if (a->stamp != b->stamp)
        return false;
    return !a->has_last || (a->last_offset == b->last_offset && a->last_timestamp_ms == b->last_timestamp_ms &&
                            a->last_hash == b->last_hash);
}

void vf_progress_print(struct vf_buffer *out, const struct vf_progress *progress)
{
    vf_buffer_reserve(out, 0);
    if (!progress->exists)
        return; /* absent progress compares as empty (docs/protocol.md) */
    vf_buffer_add_text(out, "{\"next\":");
    vf_buffer_add_int(out, progress->next);
    vf_buffer_add_text(out, ",\"of\":");
    vf_buffer_add_int(out, progress->of);
    if (progress->has_last) {
        char hash[VF_STAMP_TEXT_BYTES];
        print_hex(hash, progress->last_hash);
        vf_buffer_add_text(out, ",\"last\":[");
        vf_buffer_add_int(out, progress->last_offset);
        vf_buffer_add_char(out, ',');
        vf_buffer_add_int(out, progress->last_timestamp_ms);
        vf_buffer_add_text(out, ",\"");
        vf_buffer_add_text(out, hash);
        vf_buffer_add_text(out, "\"]");
    }
    vf_buffer_add_text(out, ",\"aside\":");
    vf_buffer_add_int(out, progress->aside);
    if (progress->had > 0) {
        vf_buffer_add_text(out, ",\"had\":");
        vf_buffer_add_int(out, progress->had);
    }
    char stamp[VF_STAMP_TEXT_BYTES];
    vf_stamp_print(stamp, progress->stamp);
    vf_buffer_add_text(out, ",\"stamp\":\"");
    vf_buffer_add_text(out, stamp);
    vf_buffer_add_text(out, "\"}");
}

static bool read_int(struct vf_json object, const char *pointer, int64_t low, int64_t high, int64_t *ret_number)
{
    struct vf_json value;
    if (!vf_json_at(object, pointer, &value) || vf_json_type(value) != VF_JSON_INT)
        return false;
    int64_t number = vf_json_int(value);
    if (number < low || number > high)
        return false;
    *ret_number = number;
    return true;
}

static bool read_progress(struct vf_json root, struct vf_progress *progress)
{
    int64_t of;
    if (!read_int(root, "/next", 0, INT64_MAX, &progress->next) || !read_int(root, "/of", 0, INT32_MAX, &of) ||
        !read_int(root, "/aside", 0, INT64_MAX, &progress->aside))
        return false;
    progress->of = (int32_t)of;

    struct vf_json had, last, hash, stamp;
    if (vf_json_at(root, "/had", &had) && !read_int(root, "/had", 1, INT64_MAX, &progress->had))
        return false;
    if (!vf_json_at(root, "/stamp", &stamp) || vf_json_type(stamp) != VF_JSON_STRING ||
        !vf_stamp_parse(vf_json_string(stamp), &progress->stamp))
        return false;
    progress->has_last = vf_json_at(root, "/last", &last);
    if (!progress->has_last)
        return true;
    return read_int(last, "/0", 0, INT64_MAX, &progress->last_offset) &&
           read_int(last, "/1", INT64_MIN, INT64_MAX, &progress->last_timestamp_ms) && vf_json_at(last, "/2", &hash) &&
           vf_json_type(hash) == VF_JSON_STRING && parse_hex(vf_json_string(hash), &progress->last_hash);
}

enum vf_code vf_progress_parse(struct vf_bytes json, struct vf_json_parser *parser, struct vf_progress *ret_progress,
                               struct vf_error *error)
{
    struct vf_json root;
    struct vf_progress progress = {.exists = true};
    enum vf_code code = vf_json_parse(parser, json, &root, error);
    if (code) {
        (void)vf_error_prefix(error, "a partition's progress");
        return code;
    }

    bool readable = read_progress(root, &progress);
    if (readable) {
        /* Commits compare the text. One that viewfold would print in another way could never be matched again. */
        struct vf_buffer canonical;
        vf_buffer_init(&canonical);
        vf_progress_print(&canonical, &progress);
        readable = vf_bytes_equal(vf_bytes(canonical.data, canonical.size), json);
        vf_buffer_done(&canonical);
    }
    if (!readable)
        return vf_fail(error, VF_E_DATA, "a partition's progress is not as viewfold writes it: %.*s",
                       json.size < 200 ? (int)json.size : 200, json.data);
    *ret_progress = progress;
    return VF_OK;
}
