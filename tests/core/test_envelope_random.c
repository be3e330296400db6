/*
 * The reader against a generator: random envelopes, random events, and records that hold the one as the other says. What is read
 * has to be what was put in; and of the same records with random damage, every one is read or refused, and nothing is read that
 * an event must not have. Memory is exactly as large as it says, so that ASan sees a byte too many.
 *
 * test_core_envelope_random [RECORDS]; VF_TEST_SEED repeats a run.
 */
#include "random_record.h"

#include <inttypes.h>

#define HEADERS_MAX 32

/* --- an envelope ------------------------------------------------------------------------------------------------------ */

/* Where in the value the generator puts parts: a group of members each. */
static const char *const groups[] = {"", "/meta", "/x~1y", "/~0/list/1"};

static enum vf_as pick_as(enum vf_part part, enum vf_from from, enum vf_numbers numbers)
{
    static const enum vf_as text[] = {VF_AS_UNSAID, VF_AS_UTF8, VF_AS_INT, VF_AS_BE64};
    static const enum vf_as number[] = {VF_AS_UNSAID, VF_AS_INT, VF_AS_BE64, VF_AS_UTF8};
    static const enum vf_as time[] = {VF_AS_UNSAID, VF_AS_RFC3339, VF_AS_UNIX_MS, VF_AS_BE64};
    for (;;) {
        enum vf_as as = part == VF_PART_TIME                                ? time[pick(4)]
                        : part == VF_PART_VERSION || part == VF_PART_SCHEMA ? number[pick(4)]
                                                                            : text[pick(4)];
        bool fits = (as != VF_AS_BE64 || from != VF_FROM_VALUE) && (as != VF_AS_UTF8 || part != VF_PART_SCHEMA) &&
                    (as != VF_AS_UTF8 || part != VF_PART_VERSION || numbers == VF_NUMBERS_ORDERED);
        if (fits)
            return as;
    }
}

static struct vf_envelope random_envelope(struct vf_mapping mappings[VF_PART_COUNT])
{
    static const enum vf_numbers numbers[] = {VF_NUMBERS_SEQUENCE, VF_NUMBERS_OFFSET, VF_NUMBERS_REVISION,
                                              VF_NUMBERS_ORDERED};
    struct vf_envelope envelope = {.numbers = numbers[pick(4)], .first = (int64_t)pick(2)};
    bool key_is_taken = false;
    memset(mappings, 0, VF_PART_COUNT * sizeof *mappings);
    if (chance(3))
        envelope.kind = "fixed";
    for (int part = 0; part < VF_PART_COUNT; part++) {
        bool may_be_left_out = part == VF_PART_SCHEMA || part == VF_PART_TIME || part == VF_PART_DATA ||
                               (part == VF_PART_EVENT_ID && envelope.numbers != VF_NUMBERS_REVISION);
        struct vf_mapping *mapping = &mappings[part];
        if (may_be_left_out && chance(4))
            continue;
        mapping->from = part == VF_PART_DATA         ? VF_FROM_VALUE
                        : !key_is_taken && chance(5) ? VF_FROM_KEY
                        : chance(2)                  ? VF_FROM_HEADER
                                                     : VF_FROM_VALUE;
        key_is_taken |= mapping->from == VF_FROM_KEY;
        const char *name = vf_part_name((enum vf_part)part);
        if (mapping->from == VF_FROM_HEADER)
            mapping->name = vf_arena_printf(arena, "ev-%s", name).data;
        if (mapping->from == VF_FROM_VALUE)
            mapping->name = vf_arena_printf(arena, "%s/%s", groups[pick(COUNT_OF(groups))], name).data;
        if (part != VF_PART_DATA)
            mapping->as = pick_as((enum vf_part)part, mapping->from, envelope.numbers);
    }
    vf_envelope_resolve(&envelope, mappings, arena);
    return envelope;
}

/* --- an event, and the record that holds it --------------------------------------------------------------------------- */

/* A part as the event has it, and as bytes or JSON have it. */
struct truth {
    struct vf_bytes text;
    int64_t number;
};

static struct vf_bytes random_text(bool is_kind)
{
    static const char *const pieces[] = {
        "a",  "Z", "0", "-",    "\xc3\xa4", "\xf0\x9f\x98\x80", "$", ".", "{", "}", "\"", "\\", "@", "%", "~", "#",
        "\n", ":", " ", "\x7f", "/"};
    struct vf_buffer text;
    size_t count = chance(20) ? 200 : 1 + pick(8);
    vf_buffer_init(&text);
    for (size_t i = 0; i < count; i++)
        vf_buffer_add_text(&text, pieces[pick(COUNT_OF(pieces) - (is_kind ? 1 : 0))]);
    struct vf_bytes copy = vf_arena_bytes(arena, text.data, text.size);
    vf_buffer_done(&text);
    return copy;
}

static struct truth random_truth(enum vf_part part, enum vf_as as)
{
    struct truth truth = {.number = random_number()};
    if (part == VF_PART_TIME)
        truth.number = VF_TIME_MS_MIN + (int64_t)(next_random(&seed) % (uint64_t)(VF_TIME_MS_MAX - VF_TIME_MS_MIN + 1));
    truth.text = as == VF_AS_INT || as == VF_AS_BE64 ? vf_arena_printf(arena, "%" PRId64, truth.number)
                                                     : random_text(part == VF_PART_KIND);
    return truth;
}

static bool is_number(enum vf_part part, enum vf_as as)
{
    return as == VF_AS_INT || as == VF_AS_BE64 || as == VF_AS_UNIX_MS || part == VF_PART_SCHEMA ||
           (part == VF_PART_VERSION && as != VF_AS_UTF8);
}

/* As a key or a header holds it. */
static struct vf_bytes bytes_of(enum vf_part part, enum vf_as as, const struct truth *truth)
{
    unsigned char big_endian[8];
    char time[VF_TIME_TEXT_BYTES];
    if (as == VF_AS_BE64) {
        for (int i = 0; i < 8; i++)
            big_endian[i] = (unsigned char)((uint64_t)truth->number >> (56 - 8 * i));
        return vf_arena_bytes(arena, big_endian, 8);
    }
    if (is_number(part, as))
        return vf_arena_printf(arena, "%" PRId64, truth->number);
    if (part != VF_PART_TIME)
        return truth->text;
    vf_time_print(time, truth->number);
    return vf_arena_bytes(arena, time, strlen(time));
}

/* As JSON holds it: what may be digits in a string sometimes is. */
static void add_json(struct vf_buffer *out, enum vf_part part, enum vf_as as, const struct truth *truth)
{
    bool bare = is_number(part, as) && (as == VF_AS_UNSAID || chance(2));
    if (bare)
        vf_buffer_add_int(out, truth->number);
    else
        vf_json_print_string(out, bytes_of(part, as, truth));
}

static void add_noise(struct vf_buffer *out)
{
    static const char *const noise[] = {"\"n\":1,", "\"typ\":{\"id\":[]},", "\"\":null,", "\"kind \":\"no\",",
                                        "\"meta2\":{\"id\":5},"};
    while (chance(2))
        vf_buffer_add_text(out, noise[pick(COUNT_OF(noise))]);
}

/* The members of one group, each perhaps after others that it overrules; ends without a comma. */
static void add_group(struct vf_buffer *out, const char *group, const struct vf_envelope *envelope,
                      const struct truth truths[VF_PART_COUNT])
{
    size_t size = strlen(group);
    add_noise(out);
    for (int i = 0; i < VF_PART_COUNT; i++) {
        enum vf_part part = (enum vf_part)i;
        const struct vf_mapping *mapping = &envelope->plan->parts[part];
        if (mapping->from != VF_FROM_VALUE || strncmp(mapping->name, group, size) != 0 ||
            strcmp(mapping->name + size + 1, vf_part_name(part)) != 0)
            continue;
        if (chance(8))
            vf_buffer_printf(out, "\"%s\":[\"overruled\"],", vf_part_name(part));
        vf_buffer_printf(out, "\"%s\":", vf_part_name(part));
        if (part == VF_PART_DATA)
            vf_buffer_add_text(out, chance(3) ? "null" : "{\"a\":[1,2.5,\"x\"]}");
        else
            add_json(out, part, mapping->as, &truths[part]);
        vf_buffer_add_char(out, ',');
        add_noise(out);
    }
    vf_buffer_add_text(out, "\"end\":true");
}

static struct vf_bytes value_of(const struct vf_envelope *envelope, const struct truth truths[VF_PART_COUNT])
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_add_char(&out, '{');
    if (chance(8))
        vf_buffer_add_text(&out, "\"meta\":{\"id\":\"overruled\"},\"x/y\":0,\"~\":7,");
    vf_buffer_add_text(&out, "\"meta\":{");
    add_group(&out, groups[1], envelope, truths);
    vf_buffer_add_text(&out, "},\"x/y\":{");
    add_group(&out, groups[2], envelope, truths);
    vf_buffer_add_text(&out, "},\"~\":{\"list\":[{\"id\":\"no\"},{");
    add_group(&out, groups[3], envelope, truths);
    vf_buffer_add_text(&out, "}]},");
    add_group(&out, groups[0], envelope, truths);
    vf_buffer_add_char(&out, '}');
    struct vf_bytes value = vf_arena_bytes(arena, out.data, out.size);
    vf_buffer_done(&out);
    return value;
}

static struct vf_record record_of(const struct vf_envelope *envelope, const struct truth truths[VF_PART_COUNT])
{
    struct vf_header *headers = vf_arena_calloc(arena, HEADERS_MAX, sizeof *headers);
    struct vf_record record = {.topic = "t", .offset = (int64_t)(next_random(&seed) >> 2), .timestamp_ms = 777};
    record.key = VF_LITERAL("\xff not read");
    record.key_is_null = chance(4);
    for (int i = 0; i < VF_PART_COUNT; i++) {
        enum vf_part part = (enum vf_part)i;
        const struct vf_mapping *mapping = &envelope->plan->parts[part];
        if (mapping->from == VF_FROM_KEY) {
            record.key = bytes_of(part, mapping->as, &truths[part]);
            record.key_is_null = false;
        }
        if (mapping->from != VF_FROM_HEADER)
            continue;
        if (chance(4))
            headers[record.header_count++] = (struct vf_header){
                .name = vf_bytes_from(mapping->name), .value = VF_LITERAL("\xff"), .is_null = chance(2)};
        if (chance(4))
            headers[record.header_count++] = (struct vf_header){.name = VF_LITERAL("EV-ID"), .value = VF_LITERAL("no")};
        headers[record.header_count++] = (struct vf_header){.name = vf_bytes_from(mapping->name),
                                                            .value = bytes_of(part, mapping->as, &truths[part])};
    }
    record.headers = headers;
    record.value = value_of(envelope, truths);
    return record;
}

/* --- judging ------------------------------------------------------------------------------------------------------------ */

static bool is_mapped(const struct vf_envelope *envelope, enum vf_part part)
{
    return envelope->plan->parts[part].from != VF_FROM_NOWHERE;
}

static void check_version(const struct vf_envelope *envelope, const struct vf_event *event, const struct truth *truth)
{
    assert_int_equal(event->numbers, envelope->numbers);
    assert_int_equal(event->first, envelope->first);
    if (envelope->numbers == VF_NUMBERS_OFFSET) {
        assert_true(event->version == event->record->offset + 1);
    } else if (envelope->plan->parts[VF_PART_VERSION].as == VF_AS_UTF8) {
        assert_true(vf_bytes_equal(event->version_text, truth->text));
        assert_true(event->version == 0);
    } else {
        assert_true(event->version == truth->number);
        assert_int_equal(event->version_text.size, 0);
    }
}

static void check_event(const struct vf_envelope *envelope, const struct vf_event *event,
                        const struct truth truths[VF_PART_COUNT])
{
    struct vf_bytes kind = envelope->kind ? vf_bytes_from(envelope->kind) : truths[VF_PART_KIND].text;
    assert_true(vf_bytes_equal(event->kind, kind));
    assert_true(vf_bytes_equal(event->id, truths[VF_PART_ID].text));
    assert_int_equal(event->aggregate.size, kind.size + 1 + event->id.size);
    assert_true(vf_bytes_equal(event->type, truths[VF_PART_TYPE].text));
    check_version(envelope, event, &truths[VF_PART_VERSION]);
    assert_true(event->schema == (is_mapped(envelope, VF_PART_SCHEMA) ? truths[VF_PART_SCHEMA].number : 1));
    assert_true(event->time_ms == (is_mapped(envelope, VF_PART_TIME) ? truths[VF_PART_TIME].number : 777));
    if (is_mapped(envelope, VF_PART_EVENT_ID))
        assert_true(vf_bytes_equal(event->event_id, truths[VF_PART_EVENT_ID].text));
    else
        assert_int_equal(event->event_id.size, 0);
    if (is_mapped(envelope, VF_PART_DATA))
        assert_string_equal(event->data_pointer, envelope->plan->parts[VF_PART_DATA].name);
    else
        assert_null(event->data_pointer);
}

static void what_is_read_is_what_was_put_in_and_damage_is_survived(void **state)
{
    (void)state;
    long read = 0, refused = 0;
    for (long i = 0; i < record_count; i++) {
        struct vf_mapping mappings[VF_PART_COUNT];
        struct truth truths[VF_PART_COUNT];
        struct vf_error error;
        struct vf_event event;
        vf_arena_reset(arena);
        struct vf_envelope envelope = random_envelope(mappings);
        for (int part = 0; part < VF_PART_COUNT; part++)
            truths[part] = random_truth((enum vf_part)part, mappings[part].as);
        struct vf_record record = record_of(&envelope, truths);
        enum vf_code code = vf_envelope_read(&envelope, &record, parser, arena, &event, &error);
        if (code)
            fail_msg("record %ld: %s, of %.*s", i, error.text, (int)record.value.size, record.value.data);
        check_event(&envelope, &event, truths);
        check_sane(&event);
        for (int times = 0; times < 4; times++)
            survive(&envelope, record) ? read++ : refused++;
    }
    printf("%ld records; damaged ones: %ld read, %ld refused\n", record_count, read, refused);
    assert_true(read > record_count / 4 && refused > record_count / 4);
}

int main(int argument_count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_read_is_what_was_put_in_and_damage_is_survived)};
    return run_random_test(tests, COUNT_OF(tests), argument_count, arguments);
}
