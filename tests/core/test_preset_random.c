/*
 * The built-in envelopes against a generator: random events, written as each specification lets a producer write them, are read as
 * what they are, data included; and of the same records with random damage, every one is read or refused.
 *
 * test_core_preset_random [RECORDS]; VF_TEST_SEED repeats a run.
 */
#include "random_record.h"

#include <inttypes.h>

#define HEADERS_MAX 16

/* An event as its producer means it. */
struct truth {
    struct vf_bytes kind, id, type, event_id, text;
    int64_t time_ms, number;
    bool has_data, has_time;
};

/* A text that every wire can carry; never one that Kafka Connect's own forms would be taken for. */
static struct vf_bytes random_text(void)
{
    static const char *const pieces[] = {"a", "B", "7", "-", ".", "\xc3\xa4", "\"", "\\", "\n", "{", "\xf0\x9f\x90\x98",
                                         " "};
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_add_text(&text, "t");
    for (size_t i = pick(8); i > 0; i--)
        vf_buffer_add_text(&text, pieces[pick(COUNT_OF(pieces))]);
    struct vf_bytes copy = vf_arena_bytes(arena, text.data, text.size);
    vf_buffer_done(&text);
    return copy;
}

static struct truth random_truth(void)
{
    int64_t span_s = (VF_TIME_MS_MAX - VF_TIME_MS_MIN) / 1000;
    return (struct truth){.kind = random_text(),
                          .id = random_text(),
                          .type = random_text(),
                          .event_id = random_text(),
                          .text = random_text(),
                          .number = random_number(),
                          .time_ms = VF_TIME_MS_MIN + 1000 * (int64_t)(next_random(&seed) % (uint64_t)span_s),
                          .has_time = !chance(4),
                          .has_data = !chance(6)};
}

/* --- writing ----------------------------------------------------------------------------------------------------------- */

static struct vf_bytes taken(struct vf_buffer *out)
{
    struct vf_bytes copy = vf_arena_bytes(arena, out->data, out->size);
    vf_buffer_done(out);
    return copy;
}

static struct vf_bytes quoted(struct vf_bytes text)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_json_print_string(&out, text);
    return taken(&out);
}

static struct vf_bytes data_json(const struct truth *truth)
{
    struct vf_bytes text = quoted(truth->text);
    return vf_arena_printf(arena,
                           chance(2) ? "{\"n\":%" PRId64 ",\"t\":%s}" : " {\"t\":1, \"n\":%" PRId64 ",\"t\":%s} ",
                           truth->number, text.data);
}

static struct vf_bytes connect_wrapped(struct vf_bytes json)
{
    static const char *const forms[] = {
        "{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":%s}", "{\"payload\":%s,\"schema\":null}",
        " {\"schema\" : {\"version\":1,\"type\":\"struct\",\"fields\":[]},\"payload\":%s}"};
    struct vf_buffer out;
    const char *form = forms[pick(COUNT_OF(forms))], *at = strstr(form, "%s");
    vf_buffer_init(&out);
    vf_buffer_add(&out, form, (size_t)(at - form));
    vf_buffer_add_bytes(&out, json);
    vf_buffer_add_text(&out, at + 2);
    return taken(&out);
}

/* A key or header in one of the forms of Connect's converters. */
static struct vf_bytes connect_text(struct vf_bytes text)
{
    switch (pick(3)) {
    case 0: return text;
    case 1: return quoted(text);
    default: {
        struct vf_bytes wrapped = connect_wrapped(quoted(text));
        return wrapped.data[0] == ' ' ? vf_bytes(wrapped.data + 1, wrapped.size - 1) : wrapped;
    }
    }
}

static void add_header(struct vf_record *record, struct vf_header *headers, const char *name, struct vf_bytes value)
{
    if (chance(6)) /* overruled by the next one */
        headers[record->header_count++] = (struct vf_header){vf_bytes_from(name), VF_LITERAL("\xff"), chance(2)};
    headers[record->header_count++] = (struct vf_header){vf_bytes_from(name), value, false};
}

static struct vf_bytes iso(int64_t time_ms)
{
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, time_ms);
    return vf_arena_bytes(arena, text, strlen(text));
}

static void write_cloudevent(const struct truth *truth, struct vf_record *record, struct vf_header *headers)
{
    static const char *const types[] = {"application/json", "application/vnd.x+json; charset=utf-8", "text/json"};
    static const char *const structured[] = {"application/cloudevents+json",
                                             "Application/CloudEvents+JSON;charset=UTF-8"};
    if (chance(2)) {
        add_header(record, headers, "ce_specversion", VF_LITERAL("1.0"));
        add_header(record, headers, "ce_subject", truth->id);
        add_header(record, headers, "ce_type", truth->type);
        add_header(record, headers, "ce_id", truth->event_id);
        add_header(record, headers, "ce_source", VF_LITERAL("/source"));
        if (truth->has_time)
            add_header(record, headers, "ce_time", iso(truth->time_ms));
        if (chance(2))
            add_header(record, headers, "content-type", vf_bytes_from(types[pick(COUNT_OF(types))]));
        record->value_is_null = !truth->has_data;
        record->value = truth->has_data ? data_json(truth) : (struct vf_bytes){0};
        return;
    }
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_printf(&out, "{\"specversion\":\"1.0\",\"source\":\"/source\",\"subject\":%s,\"type\":%s,\"id\":%s",
                     quoted(truth->id).data, quoted(truth->type).data, quoted(truth->event_id).data);
    if (truth->has_time)
        vf_buffer_printf(&out, ",\"time\":\"%s\"", iso(truth->time_ms).data);
    else if (chance(2))
        vf_buffer_add_text(&out, ",\"time\":null");
    if (truth->has_data)
        vf_buffer_printf(&out, ",\"data\":%s", data_json(truth).data);
    vf_buffer_add_text(&out, chance(2) ? ",\"extension\":5}" : "}");
    record->value = taken(&out);
    if (chance(3))
        return; /* a writer that sets no headers */
    add_header(record, headers, "content-type", vf_bytes_from(structured[pick(COUNT_OF(structured))]));
    if (chance(4)) /* a writer may add those of the binary mode */
        add_header(record, headers, "ce_id", VF_LITERAL("not read"));
}

/* "Sun, 1 Mar 2026 10:00:00 GMT" by the C library */
static struct vf_bytes http_date(int64_t time_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    return vf_arena_printf(
        arena, chance(2) ? "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT" : "%.3s, %d %.3s %04d %02d:%02d:%02d GMT",
        days + 3 * (size_t)tm.tm_wday, tm.tm_mday, months + 3 * (size_t)tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
        tm.tm_min, tm.tm_sec);
}

static void write_eventuate(const struct truth *truth, struct vf_record *record)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_printf(&out,
                     "{\"payload\":%s,\"headers\":{\"ID\":%s,\"event-type\":%s,\"event-aggregate-type\":%s,"
                     "\"event-aggregate-id\":%s,\"PARTITION_ID\":\"x\"",
                     truth->has_data ? quoted(data_json(truth)).data : "null", quoted(truth->event_id).data,
                     quoted(truth->type).data, quoted(truth->kind).data, quoted(truth->id).data);
    if (truth->has_time)
        vf_buffer_printf(&out, ",\"DATE\":\"%s\"", http_date(truth->time_ms).data);
    vf_buffer_add_text(&out, "}}");
    record->value = taken(&out);
}

static void write_outbox(const struct truth *truth, struct vf_record *record, struct vf_header *headers)
{
    record->key = connect_text(truth->id);
    record->key_is_null = false;
    add_header(record, headers, "id", connect_text(truth->event_id));
    add_header(record, headers, "eventType", connect_text(truth->type));
    record->timestamp_ms = truth->time_ms > 0 ? truth->time_ms : 777; /* Kafka has none before 1970 */
    record->value_is_null = !truth->has_data;
    if (!truth->has_data)
        return;
    record->value = data_json(truth);
    if (chance(2))
        record->value = quoted(record->value);
    if (chance(2))
        record->value = connect_wrapped(record->value);
}

/* --- judging ----------------------------------------------------------------------------------------------------------- */

static void check_data(const struct truth *truth, const struct vf_event *event)
{
    struct vf_error error;
    struct vf_json data, member;
    bool has;
    must(vf_event_data(event, parser, &has, &data, &error), &error);
    if (!truth->has_data) {
        assert_true(!has || vf_json_type(data) == VF_JSON_NULL);
        return;
    }
    assert_true(has && vf_json_member(data, VF_LITERAL("n"), &member));
    assert_true(vf_json_int(member) == truth->number);
    assert_true(vf_json_member(data, VF_LITERAL("t"), &member));
    assert_true(vf_bytes_equal(vf_json_string(member), truth->text));
}

static void check_event(const struct truth *truth, const struct vf_envelope *envelope, const struct vf_event *event)
{
    bool is_outbox = envelope->preset->wire == VF_WIRE_OUTBOX;
    assert_true(vf_bytes_equal(event->kind, envelope->kind ? vf_bytes_from(envelope->kind) : truth->kind));
    assert_true(vf_bytes_equal(event->id, truth->id));
    assert_true(vf_bytes_equal(event->type, truth->type));
    assert_true(vf_bytes_equal(event->event_id, truth->event_id));
    assert_true(event->time_ms == (is_outbox || !truth->has_time ? event->record->timestamp_ms : truth->time_ms));
    assert_true(event->version == event->record->offset + 1);
    assert_true((event->repeat_id.size > 0) == (envelope->preset->wire == VF_WIRE_CLOUDEVENTS));
    check_data(truth, event);
}

static void what_is_read_is_what_was_meant_and_damage_is_survived(void **state)
{
    (void)state;
    long read[8] = {0}, refused[8] = {0};
    for (long i = 0; i < record_count; i++) {
        vf_arena_reset(arena);
        size_t which = pick(vf_preset_count);
        const struct vf_preset *preset = vf_presets[which];
        struct vf_envelope envelope = {
            .preset = preset, .numbers = preset->numbers, .repeats = preset->repeats, .first = 1};
        envelope.kind = preset->parts[VF_PART_KIND].from == VF_FROM_NOWHERE || chance(3) ? "fixed" : NULL;
        envelope.tombstone = (enum vf_tombstone)pick(3);
        envelope.tombstone_type = "Gone";
        struct vf_mapping parts[VF_PART_COUNT];
        memcpy(parts, preset->parts, sizeof parts);
        vf_envelope_resolve(&envelope, parts, arena);

        struct truth truth = random_truth();
        struct vf_header *headers = vf_arena_calloc(arena, HEADERS_MAX, sizeof *headers);
        struct vf_record record = {.topic = "t", .offset = (int64_t)(next_random(&seed) >> 2), .timestamp_ms = 777};
        record.key = VF_LITERAL("\xff not read");
        record.headers = headers;
        switch (preset->wire) {
        case VF_WIRE_CLOUDEVENTS: write_cloudevent(&truth, &record, headers); break;
        case VF_WIRE_EVENTUATE: write_eventuate(&truth, &record); break;
        case VF_WIRE_OUTBOX: write_outbox(&truth, &record, headers); break;
        }
        assert_true(record.header_count <= HEADERS_MAX);

        struct vf_error error;
        struct vf_event event;
        if (vf_envelope_read(&envelope, &record, parser, arena, &event, &error) != VF_OK)
            fail_msg("record %ld: %s, of %.*s", i, error.text, (int)record.value.size, record.value.data);
        check_event(&truth, &envelope, &event);
        check_sane(&event);
        for (int times = 0; times < 4; times++)
            survive(&envelope, record) ? read[which]++ : refused[which]++;
    }
    for (size_t i = 0; i < vf_preset_count; i++) {
        printf("%s, damaged: %ld read, %ld refused\n", vf_presets[i]->name, read[i], refused[i]);
        assert_true(read[i] > record_count / 20 && refused[i] > record_count / 20);
    }
}

int main(int argument_count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_read_is_what_was_meant_and_damage_is_survived)};
    return run_random_test(tests, COUNT_OF(tests), argument_count, arguments);
}
