#include "core/envelope_reading.h"
#include "core/event_data.h"
#include "core/framing.h"

#include <inttypes.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* How much of a value a message shows. */
#define SHOWN_BYTES_MAX 64

/* How much of a text a message shows: whole characters. */
int vf_envelope_shown(struct vf_bytes text)
{
    size_t size = text.size;
    if (size > SHOWN_BYTES_MAX)
        for (size = SHOWN_BYTES_MAX; size > 0 && ((unsigned char)text.data[size] & 0xC0) == 0x80;)
            size--;
    return (int)size;
}

/* Of a CloudEvent: whether its attributes are in the value, and no headers. */
static bool is_structured(const struct vf_envelope_reading *reading)
{
    return reading->envelope->plan && reading->plan == reading->envelope->plan->structured;
}

const char *vf_preset_advice(const struct vf_envelope_reading *reading, enum vf_part part)
{
    const struct vf_preset *preset = reading->plan->preset;
    const struct vf_mapping *mapping = &reading->plan->parts[part];
    if (!preset || !preset->advice[part] || !mapping->name)
        return NULL;
    const char *own = preset->parts[part].name, *name = mapping->name;
    bool is_own = is_structured(reading) ? strcmp(name + 1, own + 3) == 0 : strcmp(name, own) == 0; /* /x for ce_x */
    return is_own ? preset->advice[part] : NULL;
}

/* What is in a text as Kafka Connect's converters write one: bare, or as JSON, with its schema or without. What it wraps lives
 * in the arena; of what is no text or integer, only the type is kept. */
static struct vf_found unwrap(const struct vf_envelope_reading *reading, struct vf_json_parser *parser,
                              struct vf_found found)
{
    bool is_json =
        found.what == FOUND_BYTES && found.bytes.size > 0 && (found.bytes.data[0] == '"' || found.bytes.data[0] == '{');
    struct vf_error reason;
    struct vf_json json;
    if (!is_json || vf_json_parse(parser, found.bytes, &json, &reason) != VF_OK)
        return found;
    (void)vf_connect_payload(json, &json);
    enum vf_json_type type = vf_json_type(json);
    switch (type) {
    case VF_JSON_NULL: return (struct vf_found){.what = FOUND_NULL};
    case VF_JSON_STRING:
        return (struct vf_found){.what = FOUND_BYTES, .bytes = vf_arena_copy(reading->arena, vf_json_string(json))};
    case VF_JSON_INT:
        return (struct vf_found){.what = FOUND_BYTES,
                                 .bytes = vf_arena_printf(reading->arena, "%" PRId64, vf_json_int(json))};
    default: return (struct vf_found){.what = FOUND_JSON, .type = type};
    }
}

static enum vf_code is_stranger(const struct vf_envelope_reading *reading)
{
    const struct vf_preset *preset = reading->plan->preset;
    return vf_fail(reading->error, VF_E_DATA, "%s. Is %s the right envelope for the topic %s?", preset->stranger,
                   preset->name, reading->record->topic);
}

/* Whether a content-type is one of CloudEvents' formats, and whether it is the one that is read. */
static bool is_cloudevents_type(struct vf_found type, bool *ret_is_json)
{
    static const char media[] = "application/cloudevents", json[] = "+json";
    if (type.what != FOUND_BYTES || type.bytes.size < sizeof media - 1 ||
        strncasecmp(type.bytes.data, media, sizeof media - 1) != 0)
        return false;
    struct vf_bytes rest = vf_bytes(type.bytes.data + sizeof media - 1, type.bytes.size - (sizeof media - 1));
    if (rest.size >= sizeof json - 1 && strncasecmp(rest.data, json, sizeof json - 1) == 0)
        rest = vf_bytes(rest.data + sizeof json - 1, rest.size - (sizeof json - 1));
    *ret_is_json = rest.size == 0 || rest.data[0] == ';' || rest.data[0] == ' ';
    return true;
}

/* Which of a CloudEvent's two modes this record is in: the content-type says so (Kafka protocol binding, 3). What has neither it
 * nor ce_ headers may still be an event whose writer sets no headers. */
static enum vf_code choose_mode(struct vf_envelope_reading *reading, struct vf_json_parser *parser)
{
    const struct vf_record *record = reading->record;
    struct vf_found type = vf_found_header(record, "content-type");
    struct vf_error reason;
    struct vf_json version;
    bool is_json;
    if (is_cloudevents_type(type, &is_json)) {
        if (!is_json)
            return vf_fail(reading->error, VF_E_DATA,
                           "the content-type is %.*s: of CloudEvents' formats, application/cloudevents+json is read",
                           vf_envelope_shown(type.bytes), type.bytes.data);
        reading->plan = reading->plan->structured;
        return VF_OK;
    }
    if (record->value_is_null || vf_found_header(record, "ce_specversion").what == FOUND_BYTES)
        return VF_OK;
    if (vf_json_parse(parser, record->value, &reading->root, &reason) != VF_OK ||
        !vf_json_member(reading->root, VF_LITERAL("specversion"), &version)) {
        reading->root.document = NULL;
        return is_stranger(reading);
    }
    reading->plan = reading->plan->structured;
    return VF_OK;
}

/* An attribute of a CloudEvent that is no part of an event here; a text of any length. */
static enum vf_code read_attribute(const struct vf_envelope_reading *reading, const char *name,
                                   struct vf_bytes *ret_text)
{
    struct vf_found found = {.what = FOUND_NOTHING};
    struct vf_json json;
    if (!is_structured(reading))
        found = vf_found_header(reading->record, vf_arena_printf(reading->arena, "ce_%s", name).data);
    else if (vf_json_member(reading->root, vf_bytes_from(name), &json) && vf_json_type(json) == VF_JSON_STRING)
        found = (struct vf_found){.what = FOUND_BYTES, .bytes = vf_json_string(json)};
    if (found.what != FOUND_BYTES || found.bytes.size == 0)
        return vf_fail(reading->error, VF_E_DATA, "%s%s is missing, a string is wanted: every CloudEvent has it",
                       is_structured(reading) ? "/" : "the header ce_", name);
    *ret_text = found.bytes;
    return VF_OK;
}

/* What every CloudEvent has, and its id within its source: producers may give the same id to events of other sources. */
static enum vf_code read_cloudevent(const struct vf_envelope_reading *reading, struct vf_event *event)
{
    struct vf_bytes version = {0}, source = {0};
    struct vf_json binary;
    if (is_structured(reading) && vf_json_member(reading->root, VF_LITERAL("data_base64"), &binary))
        event->data_pointer = reading->plan->parts[VF_PART_DATA].name; /* so that who asks for the data is told */
    enum vf_code code = read_attribute(reading, "specversion", &version);
    if (code)
        return code;
    if (version.size < 2 || version.data[0] != '1' || version.data[1] != '.')
        return vf_fail(reading->error, VF_E_DATA, "specversion is %.*s, and CloudEvents of version 1.0 are read",
                       vf_envelope_shown(version), version.data);
    if (!reading->plan->joins_source || reading->envelope->repeats == 0)
        return VF_OK;
    code = read_attribute(reading, "source", &source);
    if (!code)
        /* GUARD cloudevents-source: two sources' events with one id would pass for one that was sent twice, and be lost */
        event->repeat_id = vf_arena_printf(reading->arena, "%.*s@%016" PRIx64, (int)event->event_id.size,
                                           event->event_id.data, XXH64(source.data, source.size, 0));
    return code;
}

void vf_envelope_read_bare(struct vf_envelope_reading *reading, struct vf_json_parser *parser)
{
    for (int part = 0; part < VF_PART_COUNT; part++) {
        const struct vf_mapping *mapping = &reading->plan->parts[part];
        if (mapping->as == VF_AS_CONNECT && (mapping->from == VF_FROM_KEY || mapping->from == VF_FROM_HEADER))
            reading->bare[part] = unwrap(reading, parser, vf_found_bytes(reading, mapping));
    }
    /* GUARD parsed-since: places in a value that was parsed before would be looked up in what was parsed since */
    reading->root.document = NULL; /* of a value that was parsed before: the parser has parsed something else since */
}

/* Whether a record that could not be read is nothing that the preset is for. */
static bool is_of_another_make(const struct vf_envelope_reading *reading, struct vf_json_parser *parser)
{
    const struct vf_preset *preset = reading->plan->preset;
    const struct vf_mapping *event_id = &reading->plan->parts[VF_PART_EVENT_ID];
    struct vf_error reason;
    struct vf_json root, member;
    switch (preset->wire) {
    case VF_WIRE_CLOUDEVENTS: break; /* choose_mode has looked */
    case VF_WIRE_EVENTUATE:
        return vf_json_parse(parser, reading->record->value, &root, &reason) != VF_OK ||
               !vf_json_member(root, VF_LITERAL("payload"), &member) ||
               !vf_json_member(root, VF_LITERAL("headers"), &member) || vf_json_type(member) != VF_JSON_OBJECT;
    case VF_WIRE_OUTBOX:
        return event_id->from == VF_FROM_HEADER && strcmp(event_id->name, "id") == 0 &&
               vf_found_header(reading->record, "id").what != FOUND_BYTES;
    }
    return false;
}

/* A null value that is no tombstone: its headers say that it is an event, which has no data. */
static bool is_event_without_data(const struct vf_envelope_reading *reading)
{
    const struct vf_mapping *type = &reading->plan->parts[VF_PART_TYPE];
    return reading->plan->preset->null_is_event && type->from == VF_FROM_HEADER &&
           vf_found_bytes(reading, type).what == FOUND_BYTES;
}

enum vf_code vf_preset_begin(struct vf_envelope_reading *reading, struct vf_json_parser *parser)
{
    enum vf_code code = VF_OK;
    /* GUARD framed: a value whose frame nobody takes off would be told to be broken JSON, or not be looked at */
    if (!reading->record->value_is_null)
        code = vf_framing_check(reading->record->value, "the value", reading->error);
    if (!code && reading->plan->preset->wire == VF_WIRE_CLOUDEVENTS)
        code = choose_mode(reading, parser);
    if (code)
        return vf_error_prefix(reading->error, "%s", reading->plan->preset->name);
    /* GUARD event-without-data: `tombstone: ignore` would lose the events that have none */
    reading->is_tombstone = reading->is_tombstone && !is_event_without_data(reading);
    return VF_OK;
}

enum vf_code vf_preset_end(struct vf_envelope_reading *reading, struct vf_json_parser *parser, enum vf_code code,
                           struct vf_event *event)
{
    const struct vf_preset *preset = reading->plan->preset;
    if (!code && preset->wire == VF_WIRE_CLOUDEVENTS)
        code = read_cloudevent(reading, event);
    else if (code && !reading->record->value_is_null && is_of_another_make(reading, parser))
        code = is_stranger(reading);
    return code ? vf_error_prefix(reading->error, "%s", preset->name) : VF_OK;
}
