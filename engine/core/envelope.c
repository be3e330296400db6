#include "core/body.h"
#include "core/envelope_reading.h"
#include "core/framing.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

/* How much room the name of a place takes in a message. */
#define PLACE_BYTES 192

/* --- finding ------------------------------------------------------------------------------------------------------ */

/* Parses the value and finds the plan's members in one pass. */
static enum vf_code open_value(struct vf_envelope_reading *reading, struct vf_json_parser *parser)
{
    const struct vf_envelope_plan *plan = reading->plan;
    enum vf_code code = VF_OK;
    if (!reading->root.document)
        code = vf_json_parse(parser, reading->record->value, &reading->root, reading->error);
    if (code) {
        reading->root.document = NULL;
        (void)vf_error_prefix(reading->error, "the value");
        vf_framing_explain(reading->record, reading->error);
        return code;
    }
    if (plan->member_count == 0)
        return VF_OK;
    if (vf_json_type(reading->root) != VF_JSON_OBJECT)
        return vf_fail(reading->error, VF_E_DATA, "the value is JSON, but no object");
    vf_json_members(reading->root, plan->members, (size_t)plan->member_count, plan->member_sizes, reading->members);
    return VF_OK;
}

static struct vf_found find_in_value(const struct vf_envelope_reading *reading, const struct vf_mapping *mapping)
{
    struct vf_json json =
        mapping->member < 0 || !reading->root.document ? reading->root : reading->members[mapping->member];
    if (!json.document || (mapping->member >= 0 && mapping->rest[0] && !vf_json_at(json, mapping->rest, &json)))
        return (struct vf_found){.what = FOUND_NOTHING};
    enum vf_json_type type = vf_json_type(json);
    return (struct vf_found){.what = type == VF_JSON_NULL ? FOUND_NULL : FOUND_JSON, .type = type, .json = json};
}

static struct vf_found find(const struct vf_envelope_reading *reading, const struct vf_mapping *mapping)
{
    switch (mapping->from) {
    case VF_FROM_VALUE: return find_in_value(reading, mapping);
    case VF_FROM_KEY:
    case VF_FROM_HEADER:
        return mapping->as == VF_AS_CONNECT ? reading->bare[mapping - reading->plan->parts]
                                            : vf_found_bytes(reading, mapping);
    case VF_FROM_NOWHERE: break;
    }
    return (struct vf_found){.what = FOUND_NOTHING};
}

/* --- saying what is wrong ------------------------------------------------------------------------------------------- */

/* "/id", "/meta/order (id)", "the header event-type (type)", "the key (id)" */
static const char *place_of(const struct vf_envelope_reading *reading, enum vf_part part, char text[PLACE_BYTES])
{
    const struct vf_mapping *mapping = &reading->plan->parts[part];
    const char *name = vf_part_name(part);
    if (mapping->from == VF_FROM_KEY)
        snprintf(text, PLACE_BYTES, "the key (%s)", name);
    else if (mapping->from == VF_FROM_HEADER)
        snprintf(text, PLACE_BYTES, "the header %.128s (%s)", mapping->name, name);
    else if (!mapping->name[0])
        snprintf(text, PLACE_BYTES, "the value (%s)", name);
    else if (strcmp(mapping->name + 1, name) == 0)
        snprintf(text, PLACE_BYTES, "%s", mapping->name);
    else
        snprintf(text, PLACE_BYTES, "%.128s (%s)", mapping->name, name);
    return text;
}

static const char *name_json(enum vf_json_type type)
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
    return names[type];
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A header that has the name but for its case: "; there is a header Event-Type, and names are exact". */
static void hint_header(const struct vf_envelope_reading *reading, const struct vf_mapping *mapping,
                        char hint[PLACE_BYTES])
{
    hint[0] = '\0';
    if (mapping->from != VF_FROM_HEADER)
        return;
    struct vf_bytes wanted = vf_bytes_from(mapping->name);
    for (size_t i = 0; i < reading->record->header_count; i++) {
        struct vf_bytes name = reading->record->headers[i].name;
        bool same = name.size == wanted.size;
        for (size_t j = 0; same && j < name.size; j++)
            same = lower(name.data[j]) == lower(wanted.data[j]);
        if (same) {
            snprintf(hint, PLACE_BYTES, "; there is a header %.*s, and names are exact", vf_envelope_shown(name),
                     name.data);
            return;
        }
    }
}

static enum vf_code wrong(const struct vf_envelope_reading *reading, enum vf_part part, const struct vf_found *found,
                          const char *wanted)
{
    char place[PLACE_BYTES], hint[PLACE_BYTES] = "";
    const char *what = "missing", *advice = NULL;
    place_of(reading, part, place);
    switch (found->what) {
    case FOUND_NOTHING:
        hint_header(reading, &reading->plan->parts[part], hint);
        advice = hint[0] ? NULL : vf_preset_advice(reading, part);
        break;
    case FOUND_NULL:
        what = "null";
        advice = vf_preset_advice(reading, part);
        break;
    case FOUND_JSON: what = name_json(found->type); break;
    case FOUND_BYTES:
        if (vf_bytes_is_utf8(found->bytes))
            return vf_fail(reading->error, VF_E_DATA, "%s is \"%.*s\", %s is wanted", place,
                           vf_envelope_shown(found->bytes), found->bytes.size ? found->bytes.data : "", wanted);
        what = "not UTF-8";
        break;
    }
    return vf_fail(reading->error, VF_E_DATA, "%s is %s, %s is wanted%s%s%s", place, what, wanted, hint,
                   advice ? ": " : "", advice ? advice : "");
}

/* --- numbers -------------------------------------------------------------------------------------------------------- */

enum decimal { DECIMAL_FINE, DECIMAL_NONE, DECIMAL_BEYOND };

/* Digits with a '-' before them at most. */
static enum decimal parse_decimal(struct vf_bytes text, int64_t *ret_number)
{
    size_t at = text.size > 0 && text.data[0] == '-' ? 1 : 0;
    bool negative = at > 0, beyond = false;
    int64_t number = 0;
    if (at == text.size)
        return DECIMAL_NONE;
    for (; at < text.size; at++) {
        int digit = text.data[at] - '0';
        if (digit < 0 || digit > 9)
            return DECIMAL_NONE;
        beyond = beyond || __builtin_mul_overflow(number, 10, &number) ||
                 __builtin_add_overflow(number, negative ? -digit : digit, &number);
    }
    *ret_number = number;
    return beyond ? DECIMAL_BEYOND : DECIMAL_FINE;
}

static enum vf_code read_decimal(const struct vf_envelope_reading *reading, enum vf_part part,
                                 const struct vf_found *found, struct vf_bytes text, const char *wanted,
                                 int64_t *ret_number)
{
    char place[PLACE_BYTES];
    switch (parse_decimal(text, ret_number)) {
    case DECIMAL_FINE: return VF_OK;
    case DECIMAL_NONE: return wrong(reading, part, found, wanted);
    case DECIMAL_BEYOND: break;
    }
    return vf_fail(reading->error, VF_E_DATA, "%s is an integer beyond 64 bits, %s is wanted",
                   place_of(reading, part, place), wanted);
}

static enum vf_code read_be64(const struct vf_envelope_reading *reading, enum vf_part part, struct vf_bytes bytes,
                              int64_t *ret_number)
{
    char place[PLACE_BYTES];
    uint64_t number;
    if (bytes.size != sizeof number)
        return vf_fail(reading->error, VF_E_DATA, "%s has %zu bytes, and be64 has 8", place_of(reading, part, place),
                       bytes.size);
    memcpy(&number, bytes.data, sizeof number);
    *ret_number = (int64_t)be64toh(number);
    return VF_OK;
}

/* An integer from anywhere: JSON's own, decimal digits, or 8 bytes. */
static enum vf_code read_integer(const struct vf_envelope_reading *reading, enum vf_part part,
                                 const struct vf_found *found, const char *wanted, int64_t *ret_number)
{
    enum vf_as as = reading->plan->parts[part].as;
    if (found->what == FOUND_BYTES)
        return as == VF_AS_BE64 ? read_be64(reading, part, found->bytes, ret_number)
                                : read_decimal(reading, part, found, found->bytes, wanted, ret_number);
    if (found->what == FOUND_JSON && found->type == VF_JSON_INT) {
        *ret_number = vf_json_int(found->json);
        return VF_OK;
    }
    /* A string of digits is an integer where that was asked for: serializers of maps of strings write them so. */
    if (found->what == FOUND_JSON && found->type == VF_JSON_STRING && as != VF_AS_UNSAID)
        return read_decimal(reading, part, found, vf_json_string(found->json), wanted, ret_number);
    return wrong(reading, part, found, wanted);
}

/* --- texts ---------------------------------------------------------------------------------------------------------- */

/* What every text of an envelope has to be; what came from JSON is known to be UTF-8. */
static enum vf_code check_text(const struct vf_envelope_reading *reading, enum vf_part part,
                               const struct vf_found *found, struct vf_bytes text)
{
    char place[PLACE_BYTES];
    if (!text.size)
        return vf_fail(reading->error, VF_E_DATA, "%s is empty", place_of(reading, part, place));
    if (text.size > VF_ID_BYTES_MAX)
        return vf_fail(reading->error, VF_E_DATA, "%s has %zu bytes, at most %d are allowed",
                       place_of(reading, part, place), text.size, VF_ID_BYTES_MAX);
    bool has_nul = memchr(text.data, '\0', text.size) != NULL;
    if (!has_nul && (found->what != FOUND_BYTES || vf_bytes_is_utf8(text)))
        return VF_OK;
    if (reading->plan->parts[part].from == VF_FROM_KEY) {
        enum vf_code code = vf_framing_check(text, place_of(reading, part, place), reading->error);
        if (code)
            return code;
    }
    return vf_fail(reading->error, VF_E_DATA, "%s %s", place_of(reading, part, place),
                   has_nul ? "holds NUL" : "is not UTF-8");
}

/* A text, borrowed from the record, the parser, the envelope or `digits`. */
static enum vf_code read_text(const struct vf_envelope_reading *reading, enum vf_part part, const char *wanted,
                              char digits[24], struct vf_bytes *ret_text)
{
    const struct vf_mapping *mapping = &reading->plan->parts[part];
    struct vf_found found = find(reading, mapping);
    struct vf_bytes text;
    int64_t number;
    if (mapping->has_missing && (found.what == FOUND_NOTHING || found.what == FOUND_NULL)) {
        *ret_text = mapping->missing;
        return VF_OK;
    }
    bool is_json = found.what == FOUND_JSON;
    bool is_integer = mapping->as == VF_AS_INT || mapping->as == VF_AS_BE64 ||
                      (is_json && part == VF_PART_ID && mapping->as == VF_AS_UNSAID && found.type == VF_JSON_INT);
    if (is_integer) {
        enum vf_code code = read_integer(reading, part, &found, "an integer", &number);
        if (code)
            return code;
        text = vf_bytes(digits, (size_t)snprintf(digits, 24, "%" PRId64, number));
    } else if (is_json && found.type == VF_JSON_STRING) {
        text = vf_json_string(found.json);
    } else if (found.what == FOUND_BYTES) {
        text = found.bytes;
    } else {
        return wrong(reading, part, &found, wanted);
    }
    enum vf_code code = check_text(reading, part, &found, text);
    if (!code)
        *ret_text = text;
    return code;
}

/* --- the parts ------------------------------------------------------------------------------------------------------ */

static enum vf_code read_kind(const struct vf_envelope_reading *reading, char digits[24], struct vf_bytes *ret_kind)
{
    char place[PLACE_BYTES];
    struct vf_bytes kind;
    if (reading->envelope->kind) {
        *ret_kind = vf_bytes_from(reading->envelope->kind);
        return VF_OK;
    }
    enum vf_code code = read_text(reading, VF_PART_KIND, "a string", digits, &kind);
    if (code)
        return code;
    if (memchr(kind.data, '/', kind.size))
        return vf_fail(reading->error, VF_E_DATA, "%s holds a '/': %.*s", place_of(reading, VF_PART_KIND, place),
                       vf_envelope_shown(kind), kind.data);
    for (size_t i = 0; i < reading->envelope->other_kind_count; i++)
        /* GUARD other-kinds: offsets of this topic would be compared with those of the topic whose kind it is */
        if (vf_bytes_is(kind, reading->envelope->other_kinds[i]))
            return vf_fail(reading->error, VF_E_DATA,
                           "%s is %s, and another topic in viewfold.yaml has that kind: offsets of two topics are not "
                           "comparable, so such a kind comes from one topic only",
                           place_of(reading, VF_PART_KIND, place), reading->envelope->other_kinds[i]);
    *ret_kind = kind;
    return VF_OK;
}

/* kind/id in one piece; the event's kind and id are its parts. */
static enum vf_code read_aggregate(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    bool either =
        reading->plan->parts[VF_PART_ID].as == VF_AS_UNSAID && reading->plan->parts[VF_PART_ID].from == VF_FROM_VALUE;
    char kind_digits[24], id_digits[24];
    struct vf_bytes kind = {0}, id = {0};
    enum vf_code code = read_kind(reading, kind_digits, &kind);
    if (!code)
        code = read_text(reading, VF_PART_ID, either ? "a string or an integer" : "a string", id_digits, &id);
    if (code)
        return code;
    char *text = vf_arena_alloc(reading->arena, kind.size + id.size + 2);
    memcpy(text, kind.data, kind.size);
    text[kind.size] = '/';
    memcpy(text + kind.size + 1, id.data, id.size);
    text[kind.size + 1 + id.size] = '\0';
    event->aggregate = vf_bytes(text, kind.size + 1 + id.size);
    event->kind = vf_bytes(text, kind.size);
    event->id = vf_bytes(text + kind.size + 1, id.size);
    return VF_OK;
}

static enum vf_code read_version(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    const struct vf_envelope *envelope = reading->envelope;
    event->numbers = envelope->numbers;
    event->first = envelope->first;
    event->first_any = envelope->history_partial;
    event->repeats = envelope->repeats;
    if (envelope->numbers == VF_NUMBERS_OFFSET) {
        event->version = reading->record->offset + 1;
        return VF_OK;
    }
    if (reading->plan->parts[VF_PART_VERSION].as == VF_AS_UTF8) {
        char digits[24];
        struct vf_bytes text = {0};
        enum vf_code code = read_text(reading, VF_PART_VERSION, "a string", digits, &text);
        if (!code)
            event->version_text = vf_arena_copy(reading->arena, text);
        return code;
    }
    struct vf_found found = find(reading, &reading->plan->parts[VF_PART_VERSION]);
    return read_integer(reading, VF_PART_VERSION, &found, "an integer", &event->version);
}

static enum vf_code read_type(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    char digits[24];
    struct vf_bytes type = {0};
    if (reading->is_tombstone && reading->envelope->tombstone == VF_TOMBSTONE_TYPE) {
        event->type = vf_bytes_from(reading->envelope->tombstone_type);
        return VF_OK;
    }
    enum vf_code code = read_text(reading, VF_PART_TYPE, "a string", digits, &type);
    if (!code)
        event->type = vf_arena_copy(reading->arena, type);
    return code;
}

static enum vf_code read_schema(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    const struct vf_mapping *mapping = &reading->plan->parts[VF_PART_SCHEMA];
    event->schema = 1;
    if (mapping->from == VF_FROM_NOWHERE)
        return VF_OK;
    struct vf_found found = find(reading, mapping);
    bool is_left_out = found.what == FOUND_NOTHING || found.what == FOUND_NULL;
    if (is_left_out && mapping->has_missing) {
        event->schema = mapping->missing_number;
        return VF_OK;
    }
    if (is_left_out && reading->record->value_is_null && mapping->from == VF_FROM_VALUE)
        return VF_OK; /* a tombstone that is an event has no value to look into */
    return read_integer(reading, VF_PART_SCHEMA, &found, "an integer", &event->schema);
}

static enum vf_code read_text_time(const struct vf_envelope_reading *reading, const struct vf_found *found,
                                   int64_t *ret_time_ms)
{
    bool is_rfc1123 = reading->plan->parts[VF_PART_TIME].as == VF_AS_RFC1123;
    const char *wanted = is_rfc1123 ? "an RFC 1123 time like Sun, 01 Mar 2026 10:00:00 GMT"
                                    : "an RFC 3339 time like 2026-03-01T10:00:00.000Z";
    char place[PLACE_BYTES];
    bool is_string = found->what == FOUND_JSON && found->type == VF_JSON_STRING;
    if (found->what != FOUND_BYTES && !is_string)
        return wrong(reading, VF_PART_TIME, found, is_rfc1123 ? "an RFC 1123 string" : "an RFC 3339 string");
    struct vf_bytes text = is_string ? vf_json_string(found->json) : found->bytes;
    if (is_rfc1123 ? vf_time_parse_rfc1123(text, ret_time_ms) : vf_time_parse(text, ret_time_ms))
        return VF_OK;
    if (!is_string)
        return wrong(reading, VF_PART_TIME, found, wanted);
    return vf_fail(reading->error, VF_E_DATA, "%s is \"%.*s\", %s is wanted", place_of(reading, VF_PART_TIME, place),
                   vf_envelope_shown(text), text.size ? text.data : "", wanted);
}

/* The time where it is not mapped, or missing as it may be. */
static enum vf_code stand_in_timestamp(const struct vf_envelope_reading *reading, int64_t *ret_time_ms)
{
    char place[PLACE_BYTES];
    *ret_time_ms = reading->record->timestamp_ms;
    if (*ret_time_ms >= 0)
        return VF_OK;
    if (reading->plan->parts[VF_PART_TIME].from == VF_FROM_NOWHERE)
        return vf_fail(reading->error, VF_E_DATA, "the time is mapped to the record's timestamp, and it has none");
    return vf_fail(reading->error, VF_E_DATA, "%s is missing, and the record has no timestamp to stand in for it",
                   place_of(reading, VF_PART_TIME, place));
}

static enum vf_code read_time(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    const struct vf_mapping *mapping = &reading->plan->parts[VF_PART_TIME];
    struct vf_found found = find(reading, mapping);
    bool is_left_out = found.what == FOUND_NOTHING || found.what == FOUND_NULL;
    bool may_be_left_out = mapping->has_missing || mapping->from == VF_FROM_NOWHERE ||
                           (mapping->from == VF_FROM_VALUE && reading->record->value_is_null);
    char place[PLACE_BYTES];
    int64_t time_ms = 0;
    enum vf_code code;
    if (is_left_out && may_be_left_out)
        code = stand_in_timestamp(reading, &time_ms);
    else if (mapping->as == VF_AS_UNIX_MS || mapping->as == VF_AS_BE64)
        code = read_integer(reading, VF_PART_TIME, &found, "a time in Unix milliseconds", &time_ms);
    else
        code = read_text_time(reading, &found, &time_ms);
    if (code)
        return code;
    if (time_ms < VF_TIME_MS_MIN || time_ms > VF_TIME_MS_MAX)
        return vf_fail(reading->error, VF_E_DATA,
                       "%s is %" PRId64 " in Unix milliseconds, which is no time between the years 0 and 9999",
                       is_left_out ? "the record's timestamp" : place_of(reading, VF_PART_TIME, place), time_ms);
    event->time_ms = time_ms;
    return VF_OK;
}

/* Nothing, null or "": many serializers write what is not there so. */
static bool is_empty(struct vf_found found)
{
    if (found.what == FOUND_JSON)
        return found.type == VF_JSON_STRING && vf_json_string(found.json).size == 0;
    return found.what != FOUND_BYTES || found.bytes.size == 0;
}

static enum vf_code read_event_id(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    const struct vf_mapping *mapping = &reading->plan->parts[VF_PART_EVENT_ID];
    bool is_needed = reading->envelope->numbers == VF_NUMBERS_REVISION || reading->envelope->repeats > 0;
    char digits[24];
    struct vf_bytes text = {0};
    if (mapping->from == VF_FROM_NOWHERE)
        return VF_OK;
    if (!is_needed && is_empty(find(reading, mapping)))
        return VF_OK;
    enum vf_code code = read_text(reading, VF_PART_EVENT_ID, "a string", digits, &text);
    if (!code)
        event->event_id = vf_arena_copy(reading->arena, text);
    return code;
}

static const char *find_data(const struct vf_envelope_reading *reading)
{
    const struct vf_mapping *mapping = &reading->plan->parts[VF_PART_DATA];
    if (mapping->from == VF_FROM_NOWHERE || reading->record->value_is_null)
        return NULL;
    return !reading->root.document || find_in_value(reading, mapping).what != FOUND_NOTHING ? mapping->name : NULL;
}

enum vf_code vf_envelope_read(const struct vf_envelope *envelope, const struct vf_record *record,
                              struct vf_json_parser *parser, struct vf_arena *arena, struct vf_event *ret_event,
                              struct vf_error *error)
{
    struct vf_envelope_reading reading; /* not cleared: its members are set where there are any */
    reading.envelope = envelope;
    reading.plan = envelope->plan ? envelope->plan : &vf_envelope_standard;
    reading.record = record;
    reading.arena = arena;
    reading.error = error;
    reading.root.document = NULL;
    reading.is_tombstone = record->value_is_null;
    static const struct vf_event nothing; /* copied: to clear as many bytes, the compiler takes what costs 25 ns */
    struct vf_event event = nothing;
    event.record = record;
    enum vf_code code = VF_OK;
    const struct vf_preset *preset = reading.plan->preset;
    if (preset) {
        code = vf_preset_begin(&reading, parser);
        if (code)
            return code;
    }
    if (reading.plan->has_connect)
        vf_envelope_read_bare(&reading, parser);
    if (reading.is_tombstone && envelope->tombstone == VF_TOMBSTONE_IGNORED) {
        *ret_event = event;
        return VF_OK;
    }
    if (reading.is_tombstone && envelope->tombstone == VF_TOMBSTONE_UNREADABLE)
        code = vf_fail(error, VF_E_DATA,
                       "the value is null (a tombstone), and the topic's envelope does not say what that means: "
                       "`tombstone: ignore`, or the name of an event type");
    if (!code && reading.plan->parses_value && !record->value_is_null)
        code = open_value(&reading, parser);
    if (!code)
        code = read_aggregate(&reading, &event);
    if (!code)
        code = read_version(&reading, &event);
    if (!code)
        code = read_type(&reading, &event);
    if (!code)
        code = read_schema(&reading, &event);
    if (!code)
        code = read_time(&reading, &event);
    if (!code)
        code = read_event_id(&reading, &event);
    if (!code) {
        event.data_pointer = find_data(&reading);
        event.data_form = reading.plan->data_form;
    }
    if (preset)
        code = vf_preset_end(&reading, parser, code, &event);
    if (!code) {
        *ret_event = event;
    } else {
        ret_event->aggregate = event.aggregate;
        ret_event->kind = event.kind;
        ret_event->id = event.id;
    }
    return code;
}
