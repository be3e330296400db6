#include "core/envelope.h"

#include "core/body.h"

#include <inttypes.h>
#include <stdio.h>

/* The members of the default envelope, in the order in which they are complained about. */
enum part { KIND, ID, VERSION, TYPE, TIME, EVENT_ID, DATA, PART_COUNT };

static const struct vf_bytes part_names[PART_COUNT] = {
    [KIND] = VF_LITERAL("kind"), [ID] = VF_LITERAL("id"),     [VERSION] = VF_LITERAL("version"),
    [TYPE] = VF_LITERAL("type"), [TIME] = VF_LITERAL("time"), [EVENT_ID] = VF_LITERAL("event_id"),
    [DATA] = VF_LITERAL("data"),
};

struct parts {
    bool there[PART_COUNT];
    struct vf_json value[PART_COUNT];
};

static const char *found(const struct parts *parts, enum part part)
{
    static const char *const names[] = {
        [VF_JSON_NULL] = "null",
        [VF_JSON_BOOL] = "a boolean",
        [VF_JSON_INT] = "an integer",
        [VF_JSON_BIG] = "an integer beyond 64 bits",
        [VF_JSON_DOUBLE] = "a number that is no integer",
        [VF_JSON_STRING] = "a string",
        [VF_JSON_ARRAY] = "an array",
        [VF_JSON_OBJECT] = "an object",
    };
    return parts->there[part] ? names[vf_json_type(parts->value[part])] : "missing";
}

static enum vf_code wrong(const struct parts *parts, enum part part, const char *wanted, struct vf_error *error)
{
    return vf_fail(error, VF_E_DATA, "/%s is %s, %s is wanted", part_names[part].data, found(parts, part), wanted);
}

static bool is(const struct parts *parts, enum part part, enum vf_json_type type)
{
    return parts->there[part] && vf_json_type(parts->value[part]) == type;
}

/* Missing, or null: many serializers write what is not there as null. */
static bool is_left_out(const struct parts *parts, enum part part)
{
    return !parts->there[part] || is(parts, part, VF_JSON_NULL);
}

static enum vf_code find_parts(const struct vf_record *record, struct vf_json_parser *parser, struct parts *parts,
                               struct vf_error *error)
{
    struct vf_json root, value;
    struct vf_bytes key;
    if (record->value_is_null)
        return vf_fail(error, VF_E_DATA, "the value is null (a tombstone), a JSON object is wanted");
    enum vf_code code = vf_json_parse(parser, record->value, &root, error);
    if (code) {
        (void)vf_error_prefix(error, "the value");
        return code;
    }
    if (vf_json_type(root) != VF_JSON_OBJECT)
        return vf_fail(error, VF_E_DATA, "the value is JSON, but no object");

    struct vf_json_iterator iterator = vf_json_iterate(root);
    while (vf_json_next(&iterator, &key, &value)) {
        for (int part = 0; part < PART_COUNT; part++) {
            if (vf_bytes_equal(key, part_names[part])) {
                parts->there[part] = true; /* of repeated keys the last counts */
                parts->value[part] = value;
            }
        }
    }
    return VF_OK;
}

static enum vf_code check_id(const char *what, struct vf_bytes id, struct vf_error *error)
{
    if (!id.size)
        return vf_fail(error, VF_E_DATA, "%s is empty", what);
    if (id.size > VF_ID_BYTES_MAX)
        return vf_fail(error, VF_E_DATA, "%s has %zu bytes, at most %d are allowed", what, id.size, VF_ID_BYTES_MAX);
    if (memchr(id.data, '\0', id.size))
        return vf_fail(error, VF_E_DATA, "%s holds NUL", what);
    return VF_OK;
}

static enum vf_code read_kind(const struct vf_envelope *envelope, const struct parts *parts, struct vf_bytes *ret_kind,
                              struct vf_error *error)
{
    if (envelope->kind) {
        *ret_kind = vf_bytes_from(envelope->kind);
        return VF_OK;
    }
    if (!is(parts, KIND, VF_JSON_STRING))
        return wrong(parts, KIND, "a string", error);
    struct vf_bytes kind = vf_json_string(parts->value[KIND]);
    enum vf_code code = check_id("/kind", kind, error);
    if (code)
        return code;
    if (memchr(kind.data, '/', kind.size))
        return vf_fail(error, VF_E_DATA, "/kind holds a '/': %.*s", (int)kind.size, kind.data);
    *ret_kind = kind;
    return VF_OK;
}

/* kind/id in one piece; the event's kind and id are its parts. */
static enum vf_code read_aggregate(const struct vf_envelope *envelope, const struct parts *parts,
                                   struct vf_arena *arena, struct vf_event *event, struct vf_error *error)
{
    struct vf_bytes kind = {0}, id;
    char digits[24];
    enum vf_code code = read_kind(envelope, parts, &kind, error);
    if (code)
        return code;
    if (is(parts, ID, VF_JSON_INT)) {
        int size = snprintf(digits, sizeof digits, "%" PRId64, vf_json_int(parts->value[ID]));
        id = vf_bytes(digits, (size_t)size);
    } else if (is(parts, ID, VF_JSON_STRING)) {
        id = vf_json_string(parts->value[ID]);
    } else {
        return wrong(parts, ID, "a string or an integer", error);
    }
    code = check_id("/id", id, error);
    if (code)
        return code;

    char *text = vf_arena_alloc(arena, kind.size + id.size + 2);
    memcpy(text, kind.data, kind.size);
    text[kind.size] = '/';
    memcpy(text + kind.size + 1, id.data, id.size);
    text[kind.size + 1 + id.size] = '\0';
    event->aggregate = vf_bytes(text, kind.size + 1 + id.size);
    event->kind = vf_bytes(text, kind.size);
    event->id = vf_bytes(text + kind.size + 1, id.size);
    return VF_OK;
}

static enum vf_code read_version(const struct vf_envelope *envelope, const struct vf_record *record,
                                 const struct parts *parts, struct vf_event *event, struct vf_error *error)
{
    event->numbers = envelope->numbers;
    event->first = envelope->first;
    event->first_any = envelope->history_partial;
    if (envelope->numbers == VF_NUMBERS_OFFSET) {
        event->version = record->offset + 1;
        return VF_OK;
    }
    if (!is(parts, VERSION, VF_JSON_INT))
        return wrong(parts, VERSION, "an integer", error);
    event->version = vf_json_int(parts->value[VERSION]);
    return VF_OK;
}

static enum vf_code read_type(const struct parts *parts, struct vf_arena *arena, struct vf_event *event,
                              struct vf_error *error)
{
    if (!is(parts, TYPE, VF_JSON_STRING))
        return wrong(parts, TYPE, "a string", error);
    struct vf_bytes type = vf_json_string(parts->value[TYPE]);
    if (!type.size)
        return vf_fail(error, VF_E_DATA, "/type is empty");
    event->type = vf_arena_copy(arena, type);
    event->schema = 1;
    return VF_OK;
}

static enum vf_code read_time(const struct vf_record *record, const struct parts *parts, struct vf_event *event,
                              struct vf_error *error)
{
    if (is_left_out(parts, TIME)) {
        if (record->timestamp_ms < 0)
            return vf_fail(error, VF_E_DATA, "/time is missing, and the record has no timestamp to stand in for it");
        event->time_ms = record->timestamp_ms;
        return VF_OK;
    }
    if (!is(parts, TIME, VF_JSON_STRING))
        return wrong(parts, TIME, "an RFC 3339 string", error);
    struct vf_bytes time = vf_json_string(parts->value[TIME]);
    if (!vf_time_parse(time, &event->time_ms))
        return vf_fail(error, VF_E_DATA, "/time is \"%.*s\", an RFC 3339 time like 2026-03-01T10:00:00.000Z is wanted",
                       time.size < 64 ? (int)time.size : 64, time.data);
    return VF_OK;
}

static enum vf_code read_event_id(const struct parts *parts, struct vf_arena *arena, struct vf_event *event,
                                  struct vf_error *error)
{
    if (is_left_out(parts, EVENT_ID))
        return VF_OK;
    if (!is(parts, EVENT_ID, VF_JSON_STRING))
        return wrong(parts, EVENT_ID, "a string", error);
    event->event_id = vf_arena_copy(arena, vf_json_string(parts->value[EVENT_ID]));
    return VF_OK;
}

enum vf_code vf_envelope_read(const struct vf_envelope *envelope, const struct vf_record *record,
                              struct vf_json_parser *parser, struct vf_arena *arena, struct vf_event *ret_event,
                              struct vf_error *error)
{
    struct parts parts = {0};
    struct vf_event event = {.record = record};
    enum vf_code code = find_parts(record, parser, &parts, error);
    if (!code)
        code = read_aggregate(envelope, &parts, arena, &event, error);
    if (!code)
        code = read_version(envelope, record, &parts, &event, error);
    if (!code)
        code = read_type(&parts, arena, &event, error);
    if (!code)
        code = read_time(record, &parts, &event, error);
    if (!code)
        code = read_event_id(&parts, arena, &event, error);
    if (code)
        return code;
    event.data_pointer = parts.there[DATA] ? "/data" : NULL;
    *ret_event = event;
    return VF_OK;
}
