/*
 * The files of `viewfold test`: what is read is read by the engine as the author wrote it: each event's record is, in the envelope
 * that tests run with, an event of the notation's kind, id, version and type, and its data the value that stands in the file; each
 * expected body is a document. What is not read has a finding with a place.
 *
 * An input is the file's text.
 */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz/fuzz.h"

#include "cli/test_event.h"
#include "cli/test_file.h"
#include "cli/test_yaml.h"
#include "core/body.h"
#include "core/envelope.h"
#include "core/event_data.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

static struct vf_json_parser *parser, *other_parser;
static int descriptor;
static char path[64];

static const char *const topics[] = {"orders", "customers", "t"};
static const struct vf_route routes[] = {{.kind = "order"}, {.kind = "customer"}, {.kind = "card"}};
static const struct vf_projection projection = {
    .name = "v", .version = 1, .topics = topics, .topic_count = 3, .routes = routes, .route_count = 3};

static void open_file(void)
{
    parser = vf_json_parser_new();
    other_parser = vf_json_parser_new();
    descriptor = memfd_create("input", MFD_CLOEXEC);
    FUZZ_WANT(descriptor >= 0, "no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
}

static void write_file(struct vf_bytes text)
{
    FUZZ_WANT(ftruncate(descriptor, 0) == 0, "truncating");
    FUZZ_WANT(pwrite(descriptor, text.data, text.size, 0) == (ssize_t)text.size, "writing");
}

/* As test_run.c makes it: the default envelope, and a schema number. */
static struct vf_envelope envelope_of(enum vf_numbers numbers, struct vf_arena *arena)
{
    struct vf_mapping mappings[VF_PART_COUNT];
    struct vf_envelope envelope = {.numbers = numbers, .first = 1, .history_partial = true};
    memcpy(mappings, vf_envelope_standard.parts, sizeof mappings);
    mappings[VF_PART_SCHEMA] =
        (struct vf_mapping){.from = VF_FROM_VALUE, .name = "/schema", .has_missing = true, .missing_number = 1};
    mappings[VF_PART_VERSION].as = numbers == VF_NUMBERS_ORDERED ? VF_AS_UTF8 : VF_AS_UNSAID;
    vf_envelope_resolve(&envelope, mappings, arena);
    return envelope;
}

/* Spelled canonically; false where BSON cannot hold it. */
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

static void want_data(const struct vf_event *event, const struct vf_test_event *written)
{
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_error error = {0};
    struct vf_json data, value;
    struct vf_buffer text, got, wanted;
    bool has;
    vf_buffer_init(&text);
    vf_buffer_init(&got);
    vf_buffer_init(&wanted);
    FUZZ_WANT(vf_event_data(event, parser, &has, &data, &error) == VF_OK, "%s", error.text);
    FUZZ_WANT(has == (written->data != NULL), "%s: there %s data", written->notation, has ? "is" : "is no");
    if (has) {
        vf_test_yaml_json(written->data, findings, &text);
        FUZZ_WANT(vf_json_parse(other_parser, fuzz_bytes(&text), &value, &error) == VF_OK, "%s: %s", error.text,
                  text.data);
        bool fits = spell(value, &wanted);
        FUZZ_WANT(fits == spell(data, &got) && (!fits || strcmp(got.data, wanted.data) == 0), "%s\nis %s", got.data,
                  wanted.data);
    }
    vf_buffer_done(&text);
    vf_buffer_done(&got);
    vf_buffer_done(&wanted);
    vf_findings_free(findings);
}

static void want_event(const struct vf_test_event *written, struct vf_arena *arena)
{
    struct vf_envelope envelope = envelope_of(written->numbers, arena);
    struct vf_record record = {.topic = written->topic,
                               .partition = written->partition,
                               .timestamp_ms = written->time_ms,
                               .value = written->record,
                               .headers = written->headers,
                               .header_count = written->header_count};
    struct vf_error error = {0};
    struct vf_event event;
    int64_t number = 0;
    enum vf_code code = vf_envelope_read(&envelope, &record, parser, arena, &event, &error);
    FUZZ_WANT(code == VF_OK, "%s: %s", written->notation, error.text);
    FUZZ_WANT(vf_bytes_equal(event.kind, written->kind) && vf_bytes_equal(event.id, written->id) &&
                  vf_bytes_is(event.type, written->type),
              "%s is %.*s %.*s", written->notation, FUZZ_TEXT(event.aggregate), FUZZ_TEXT(event.type));
    FUZZ_WANT(event.event_id.size == (written->event_id ? strlen(written->event_id) : 0) &&
                  (!written->event_id || vf_bytes_is(event.event_id, written->event_id)),
              "%s: the event's id is %.*s", written->notation, FUZZ_TEXT(event.event_id));
    FUZZ_WANT(event.time_ms == written->time_ms, "%s: another time", written->notation);
    if (written->numbers == VF_NUMBERS_ORDERED)
        FUZZ_WANT(vf_bytes_equal(event.version_text, written->version), "%s: version %.*s", written->notation,
                  FUZZ_TEXT(event.version_text));
    else
        FUZZ_WANT(vf_test_event_number(written, &number) && event.version == number, "%s: version %" PRId64,
                  written->notation, event.version);
    want_data(&event, written);
}

static void want_case(const struct vf_test_case *test, struct vf_arena *arena)
{
    struct vf_error error = {0};
    struct vf_buffer text;
    FUZZ_WANT(test->name[0], "a test without a name");
    for (size_t i = 0; i < test->event_count; i++) {
        FUZZ_WANT(test->events[i].aggregate < test->aggregate_count, "aggregate %zu", test->events[i].aggregate);
        want_event(&test->events[i], arena);
    }
    for (size_t i = 0; i < test->expected_count; i++) {
        vf_buffer_init(&text);
        if (!test->expected[i].absent)
            FUZZ_WANT(vf_body_print(&text, test->expected[i].body, &error) == VF_OK, "%s: %s", test->expected[i].id,
                      error.text);
        vf_buffer_done(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!parser)
        open_file();
    struct vf_arena *arena = vf_arena_new();
    struct vf_findings *findings = vf_findings_new(path);
    struct vf_test_file *file = NULL;
    struct vf_error error = {0};
    struct vf_buffer shown;
    vf_buffer_init(&shown);
    write_file(vf_bytes(data, size));
    enum vf_code code = vf_test_file_read(path, &projection, findings, &file, &error);
    vf_findings_print(findings, VF_FINDINGS_KEPT_MAX, false, &shown);
    vf_findings_print_json(findings, &shown);
    FUZZ_WANT(vf_bytes_is_utf8(fuzz_bytes(&shown)), "a finding that is no UTF-8");
    if (code == VF_OK) {
        FUZZ_WANT(vf_findings_count(findings) == 0 && file->case_count > 0, "%s", shown.data);
        for (size_t i = 0; i < file->case_count; i++)
            want_case(&file->cases[i], arena);
    } else {
        FUZZ_WANT(code == VF_E_CONFIG && error.text[0], "%d", (int)code);
    }
    vf_test_file_free(file);
    vf_buffer_done(&shown);
    vf_findings_free(findings);
    vf_arena_free(arena);
    return 0;
}
