/*
 * A random envelope × a random record: what is read is an event as an event has to be; it is the same event however the JSON of
 * its value is spelled, whether its record was set aside meanwhile, and when it is written anew in the default envelope. What is
 * not read is refused with a text.
 *
 * An input is its choices, then parts between separators: the key, the value, a name and a value for each header.
 */
#include "fuzz/fuzz.h"

#include "core/body.h"
#include "core/envelope.h"
#include "core/event_data.h"
#include "core/framing.h"
#include "core/preset.h"
#include "core/versions.h"

#define COUNT_OF(list) (sizeof(list) / sizeof *(list))
#define HEADERS_MAX    8

static struct vf_json_parser *parser, *data_parser;

/* --- an envelope, of those that viewfold.yaml can say ------------------------------------------------------------------ */

static const char *const pointers[] = {
    "",      "/kind",     "/id",      "/version",      "/type",       "/schema",
    "/time", "/event_id", "/data",    "/meta/id",      "/meta/type",  "/x~1y",
    "/~0/1", "/a/b/c",    "/headers", "/meta/version", "/meta/when/", "/payload/data"};
static const char *const header_names[] = {"kind", "id", "version", "type", "ce_id", "ce_type", "h"};

static enum vf_as pick_as(enum vf_part part, enum vf_from from, enum vf_numbers numbers, size_t choice)
{
    static const enum vf_as text[] = {VF_AS_UNSAID, VF_AS_UTF8, VF_AS_INT, VF_AS_BE64, VF_AS_CONNECT};
    static const enum vf_as number[] = {VF_AS_UNSAID, VF_AS_INT, VF_AS_BE64};
    static const enum vf_as time[] = {VF_AS_UNSAID, VF_AS_RFC3339, VF_AS_UNIX_MS, VF_AS_BE64, VF_AS_RFC1123};
    static const enum vf_as form[] = {VF_AS_UNSAID, VF_AS_JSON, VF_AS_CONNECT};
    if (part == VF_PART_DATA)
        return form[choice % COUNT_OF(form)];
    enum vf_as as = part == VF_PART_TIME ? time[choice % COUNT_OF(time)]
                    : part == VF_PART_SCHEMA || (part == VF_PART_VERSION && numbers != VF_NUMBERS_ORDERED)
                        ? number[choice % COUNT_OF(number)]
                        : text[choice % COUNT_OF(text)];
    bool bytes_only = as == VF_AS_BE64 || as == VF_AS_CONNECT;
    return bytes_only && from == VF_FROM_VALUE ? VF_AS_UNSAID : as;
}

static void pick_mapping(struct vf_bytes *input, enum vf_part part, enum vf_numbers numbers, struct vf_mapping *mapping)
{
    size_t choice = fuzz_choice(input, 256), missing = fuzz_choice(input, 4);
    bool may_be_left_out =
        part == VF_PART_SCHEMA || part == VF_PART_TIME || (part == VF_PART_EVENT_ID && numbers != VF_NUMBERS_REVISION);
    *mapping = (struct vf_mapping){.from = (enum vf_from)(choice % 4)};
    if (mapping->from == VF_FROM_NOWHERE && !may_be_left_out)
        mapping->from = VF_FROM_HEADER;
    if (part == VF_PART_DATA)
        mapping->from = VF_FROM_VALUE;
    if (mapping->from == VF_FROM_VALUE)
        mapping->name = pointers[choice / 4 % COUNT_OF(pointers)];
    if (mapping->from == VF_FROM_HEADER)
        mapping->name = header_names[choice / 4 % COUNT_OF(header_names)];
    if (mapping->from != VF_FROM_NOWHERE)
        mapping->as = pick_as(part, mapping->from, numbers, fuzz_choice(input, 60));
    mapping->has_missing = missing == 0 && (part == VF_PART_KIND || part == VF_PART_TYPE || part == VF_PART_TIME ||
                                            part == VF_PART_SCHEMA);
    if (mapping->has_missing) {
        mapping->missing = VF_LITERAL("stand-in");
        mapping->missing_number = 3;
    }
}

static struct vf_envelope pick_envelope(struct vf_bytes *input, struct vf_arena *arena)
{
    static const enum vf_numbers numbers[] = {VF_NUMBERS_SEQUENCE, VF_NUMBERS_OFFSET, VF_NUMBERS_REVISION,
                                              VF_NUMBERS_ORDERED};
    static const char *const other_kinds[] = {"order", "customer"};
    struct vf_mapping mappings[VF_PART_COUNT];
    struct vf_envelope envelope = {.first = 1};
    size_t which = fuzz_choice(input, vf_preset_count + 3), choice = fuzz_choice(input, 256);
    if (which < vf_preset_count) {
        const struct vf_preset *preset = vf_presets[which];
        memcpy(mappings, preset->parts, sizeof mappings);
        envelope.preset = preset;
        envelope.numbers = preset->numbers;
        envelope.repeats = preset->repeats;
        /* An override: other numbers, and a part that is elsewhere. */
        if (choice & 16) {
            size_t part = fuzz_choice(input, VF_PART_COUNT);
            pick_mapping(input, (enum vf_part)part, envelope.numbers, &mappings[part]);
        }
    } else {
        envelope.numbers = numbers[choice % 4];
        envelope.first = choice / 4 % 2;
        envelope.repeats = envelope.numbers == VF_NUMBERS_OFFSET && (choice & 16) ? 64 : 0;
    }
    if (which == vf_preset_count) { /* the default, which any numbers go with */
        envelope.numbers = VF_NUMBERS_SEQUENCE;
        envelope.repeats = 0;
        return envelope;
    }
    if (which > vf_preset_count)
        for (int part = 0; part < VF_PART_COUNT; part++)
            pick_mapping(input, (enum vf_part)part, envelope.numbers, &mappings[part]);
    if (mappings[VF_PART_KIND].from == VF_FROM_NOWHERE || (choice & 32))
        envelope.kind = "order";
    if (envelope.numbers == VF_NUMBERS_OFFSET && !envelope.kind && (choice & 64)) {
        envelope.other_kinds = other_kinds;
        envelope.other_kind_count = 2;
    }
    envelope.tombstone = (enum vf_tombstone)(fuzz_choice(input, 3));
    envelope.tombstone_type = envelope.tombstone == VF_TOMBSTONE_TYPE ? "Gone" : NULL;
    vf_envelope_resolve(&envelope, mappings, arena);
    return envelope;
}

/* --- a record -------------------------------------------------------------------------------------------------------- */

static struct vf_record pick_record(struct vf_bytes *input, struct vf_arena *arena)
{
    struct vf_header *headers = vf_arena_calloc(arena, HEADERS_MAX, sizeof *headers);
    size_t choice = fuzz_choice(input, 256);
    struct vf_record record = {.topic = "orders",
                               .partition = 3,
                               .offset = choice & 1 ? 1042 : INT64_MAX - 1,
                               .timestamp_ms = choice & 2   ? 1772359200000
                                               : choice & 4 ? -1
                                                            : INT64_MAX,
                               .key_is_null = choice & 8,
                               .value_is_null = (choice & 48) == 48,
                               .headers = headers};
    record.key = fuzz_part(input, arena);
    record.value = fuzz_part(input, arena);
    if (record.key_is_null)
        record.key = vf_bytes(NULL, 0);
    if (record.value_is_null)
        record.value = vf_bytes(NULL, 0);
    while (input->size > 0 && record.header_count < HEADERS_MAX) {
        struct vf_header *header = &headers[record.header_count++];
        header->name = fuzz_part(input, arena);
        header->is_null = input->size > 0 && input->data[0] == '\0';
        header->value = fuzz_part(input, arena);
        if (header->is_null)
            header->value = vf_bytes(NULL, 0);
    }
    return record;
}

/* --- what has to hold ------------------------------------------------------------------------------------------------ */

static void want_text(struct vf_bytes text, bool may_be_empty)
{
    FUZZ_WANT(text.size > 0 || may_be_empty, "a part is empty");
    FUZZ_WANT(text.size <= VF_ID_BYTES_MAX, "%zu bytes", text.size);
    FUZZ_WANT(text.size == 0 || !memchr(text.data, '\0', text.size), "a part holds NUL");
    FUZZ_WANT(vf_bytes_is_utf8(text), "a part is no UTF-8");
}

static void want_sound(const struct vf_event *event)
{
    want_text(event->kind, false);
    want_text(event->id, false);
    want_text(event->type, false);
    want_text(event->event_id, event->numbers != VF_NUMBERS_REVISION);
    want_text(event->version_text, true);
    FUZZ_WANT(!memchr(event->kind.data, '/', event->kind.size), "%.*s", FUZZ_TEXT(event->kind));
    FUZZ_WANT(event->time_ms >= VF_TIME_MS_MIN && event->time_ms <= VF_TIME_MS_MAX, "%lld", (long long)event->time_ms);
    FUZZ_WANT(event->aggregate.size == event->kind.size + 1 + event->id.size &&
                  memcmp(event->aggregate.data, event->kind.data, event->kind.size) == 0 &&
                  event->aggregate.data[event->kind.size] == '/' &&
                  memcmp(event->aggregate.data + event->kind.size + 1, event->id.data, event->id.size) == 0,
              "%.*s", FUZZ_TEXT(event->aggregate));
    FUZZ_WANT(event->version_text.size == 0 || event->version == 0, "a version is text, and a number too");
    /* Its number alone has to be taken in where nothing was before, if it is the first one. */
    struct vf_last last = {0};
    enum vf_order order = vf_version_order(event, &last);
    FUZZ_WANT(order != VF_DUPLICATE, "a duplicate of nothing");
    FUZZ_WANT(event->numbers == VF_NUMBERS_SEQUENCE || order != VF_GAP || event->numbers == VF_NUMBERS_REVISION,
              "a gap where there are none");
}

static void want_same(const char *what, const struct vf_event *a, const struct vf_event *b)
{
    FUZZ_WANT(vf_bytes_equal(a->kind, b->kind) && vf_bytes_equal(a->id, b->id) && vf_bytes_equal(a->type, b->type) &&
                  vf_bytes_equal(a->event_id, b->event_id) && vf_bytes_equal(a->version_text, b->version_text),
              "%s: %.*s %.*s, and %.*s %.*s", what, FUZZ_TEXT(a->aggregate), FUZZ_TEXT(a->type),
              FUZZ_TEXT(b->aggregate), FUZZ_TEXT(b->type));
    FUZZ_WANT(a->version == b->version && a->schema == b->schema && a->time_ms == b->time_ms,
              "%s: %lld %lld %lld, and %lld %lld %lld", what, (long long)a->version, (long long)a->schema,
              (long long)a->time_ms, (long long)b->version, (long long)b->schema, (long long)b->time_ms);
}

/* A JSON value in another spelling: sorted members, the last one of repeated ones, no blanks, no needless escapes. False where
 * what it holds cannot be kept in BSON. */
static bool spell(struct vf_json json, struct vf_buffer *out)
{
    struct vf_error ignored;
    bson_t bson;
    bson_iter_t iter;
    bson_init(&bson);
    bool fine = vf_body_append_json(&bson, VF_LITERAL("v"), json, &ignored) == VF_OK &&
                bson_iter_init_find(&iter, &bson, "v") && vf_body_print_value(out, &iter, &ignored) == VF_OK;
    bson_destroy(&bson);
    return fine;
}

/* The data, spelled; *ret_has. False where it cannot be read or spelled. */
static bool data_of(const struct vf_event *event, struct vf_buffer *out, bool *ret_has)
{
    struct vf_json data;
    struct vf_error error = {0};
    if (vf_event_data(event, data_parser, ret_has, &data, &error) != VF_OK) {
        FUZZ_WANT(strlen(error.text) > 10, "%s", error.text);
        return false;
    }
    return !*ret_has || spell(data, out);
}

static void want_same_data(const char *what, const struct vf_event *a, const struct vf_event *b)
{
    struct vf_buffer left, right;
    bool has_left = false, has_right = false;
    vf_buffer_init(&left);
    vf_buffer_init(&right);
    if (data_of(a, &left, &has_left)) {
        FUZZ_WANT(data_of(b, &right, &has_right), "%s: the data cannot be read any more", what);
        FUZZ_WANT(has_left == has_right && vf_bytes_equal(fuzz_bytes(&left), fuzz_bytes(&right)),
                  "%s: the data is %.*s, and %.*s", what, FUZZ_TEXT(fuzz_bytes(&left)), FUZZ_TEXT(fuzz_bytes(&right)));
    }
    vf_buffer_done(&left);
    vf_buffer_done(&right);
}

/* The same record with its value spelled otherwise is the same event. */
static void respell(const struct vf_envelope *envelope, const struct vf_event *event, struct vf_arena *arena)
{
    struct vf_record record = *event->record;
    struct vf_error error = {0};
    struct vf_event again;
    struct vf_json root;
    struct vf_buffer value;
    vf_buffer_init(&value);
    if (!record.value_is_null && vf_json_parse(parser, record.value, &root, &error) == VF_OK && spell(root, &value)) {
        record.value = fuzz_bytes(&value);
        enum vf_code code = vf_envelope_read(envelope, &record, parser, arena, &again, &error);
        FUZZ_WANT(code == VF_OK, "spelled otherwise: %s", error.text);
        want_same("spelled otherwise", event, &again);
        want_same_data("spelled otherwise", event, &again);
    }
    vf_buffer_done(&value);
}

/* What was set aside and taken up again is the same record, so the same event. */
static void set_aside(const struct vf_envelope *envelope, const struct vf_event *event, struct vf_arena *arena)
{
    struct vf_error error = {0};
    struct vf_record record;
    struct vf_event again;
    struct vf_buffer bytes;
    vf_buffer_init(&bytes);
    vf_record_encode(&bytes, event->record);
    enum vf_code code = vf_record_decode(fuzz_bytes(&bytes), arena, &record, &error);
    FUZZ_WANT(code == VF_OK, "set aside: %s", error.text);
    FUZZ_WANT(vf_record_hash(&record) == vf_record_hash(event->record), "set aside: another hash");
    code = vf_envelope_read(envelope, &record, parser, arena, &again, &error);
    FUZZ_WANT(code == VF_OK, "set aside: %s", error.text);
    want_same("set aside", event, &again);
    want_same_data("set aside", event, &again);
    vf_buffer_done(&bytes);
}

static void add_member(struct vf_buffer *out, const char *head, struct vf_bytes text)
{
    vf_buffer_add_text(out, head);
    vf_json_print_string(out, text);
}

/* Written anew as the default envelope has it, and read by that. */
static void write_anew(const struct vf_event *event, struct vf_arena *arena)
{
    struct vf_envelope standard = {.numbers = event->numbers, .first = 1};
    struct vf_record record = *event->record;
    struct vf_error error = {0};
    struct vf_event again;
    struct vf_buffer value;
    char time[VF_TIME_TEXT_BYTES];
    vf_buffer_init(&value);
    add_member(&value, "{\"kind\":", event->kind);
    add_member(&value, ",\"id\":", event->id);
    add_member(&value, ",\"type\":", event->type);
    if (event->event_id.size)
        add_member(&value, ",\"event_id\":", event->event_id);
    vf_time_print(time, event->time_ms);
    add_member(&value, ",\"time\":", vf_bytes_from(time));
    vf_buffer_printf(&value, ",\"version\":%lld}", (long long)event->version);
    record.value = fuzz_bytes(&value);
    record.value_is_null = false;
    if (event->version_text.size == 0) {
        enum vf_code code = vf_envelope_read(&standard, &record, parser, arena, &again, &error);
        FUZZ_WANT(code == VF_OK, "%s: %s", value.data, error.text);
        again.schema = event->schema;
        want_same("in the default envelope", event, &again);
    }
    vf_buffer_done(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!parser) {
        parser = vf_json_parser_new();
        data_parser = vf_json_parser_new();
    }
    struct vf_bytes input = vf_bytes(data, size);
    struct vf_arena *arena = vf_arena_new();
    struct vf_envelope envelope = pick_envelope(&input, arena);
    struct vf_record record = pick_record(&input, arena);
    struct vf_error error = {0};
    struct vf_event event;
    enum vf_code code = vf_envelope_read(&envelope, &record, parser, arena, &event, &error);
    if (code) {
        FUZZ_WANT(code == VF_E_DATA && error.code == code && strlen(error.text) > 10, "%d %s", (int)code, error.text);
        FUZZ_WANT(vf_bytes_is_utf8(vf_bytes_from(error.text)), "a message that is no UTF-8");
        code = vf_framing_check(record.value, "the value", &error);
        FUZZ_WANT(code == VF_OK || vf_framing_is_likely(record.value), "%s", error.text);
        FUZZ_WANT(vf_bytes_is_utf8(vf_bytes_from(error.text)), "a message that is no UTF-8");
    } else if (event.kind.size > 0) {
        want_sound(&event);
        respell(&envelope, &event, arena);
        set_aside(&envelope, &event, arena);
        write_anew(&event, arena);
    }
    vf_arena_free(arena);
    return 0;
}
