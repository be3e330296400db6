#include "cli/test_run.h"

#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP "test"
/* Turns of the loop that an event and a partition may cost before the worker counts as one that never rests. */
#define TURNS_FREE     200
#define TURNS_AN_EVENT 20

/* --- time and chance ---------------------------------------------------------------------------------------------- */

struct test_clock {
    struct vf_clock clock;
    int64_t now_ms;
    uint64_t random;
};

static int64_t clock_monotonic_ms(void *self)
{
    return ((struct test_clock *)self)->now_ms;
}

static int64_t clock_wall_ms(void *self)
{
    return 1767225600000 + ((struct test_clock *)self)->now_ms; /* 2026-01-01T00:00:00Z */
}

static void clock_sleep_ms(void *self, int64_t duration_ms)
{
    ((struct test_clock *)self)->now_ms += duration_ms > 0 ? duration_ms : 0;
}

static uint64_t clock_random(void *self)
{
    /* splitmix64: its constants are its definition. */
    uint64_t mixed = ((struct test_clock *)self)->random += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static void clock_init(struct test_clock *clock)
{
    *clock = (struct test_clock){.clock = {.monotonic_ms = clock_monotonic_ms,
                                           .wall_ms = clock_wall_ms,
                                           .sleep_ms = clock_sleep_ms,
                                           .random = clock_random,
                                           .self = clock},
                                 .now_ms = 1000};
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

/* Every run lays the log out alike, whatever the order of delivery and whether events repeat: an aggregate's n-th event is
 * at offset 2n of its own partition, and behind it lies its repeat, or a hole. What a script sees of e.offset and
 * e.partition is thereby the same in all of them. */
static bool is_in(const struct vf_test_event *event, const char *topic, int32_t partition)
{
    return event->partition == partition && strcmp(event->topic, topic) == 0;
}

size_t vf_test_event_at(const struct vf_test_case *test, const char *topic, int32_t partition, int64_t offset)
{
    int64_t events = 0, turn = 0;
    for (size_t i = 0; i < test->event_count; i++) {
        events += is_in(&test->events[i], topic, partition);
    }
    /* Behind them all lie the repeats of a run that sends everything again, without holes. */
    int64_t wanted = offset < 2 * events ? offset / 2 : offset - 2 * events;
    for (size_t i = 0; i < test->event_count; i++) {
        if (is_in(&test->events[i], topic, partition) && turn++ == wanted) {
            return i;
        }
    }
    return SIZE_MAX;
}

struct run {
    struct vf_test_subject *subject;
    const struct vf_test_case *test;
    const struct vf_test_plan *plan;
    struct vf_arena *arena;
    struct vf_rehearsal *rehearsal;
    struct test_clock clock;
    struct vf_reading_topic *topics;
    struct vf_worker_setup setup;
    struct vf_worker *worker;
};

static void append(struct run *run, size_t index, bool hole)
{
    const struct vf_rehearsal_type *type = run->subject->rehearsal;
    const struct vf_test_event *event = &run->test->events[index];
    struct vf_partition partition = {event->topic, event->partition};
    struct vf_record record = {.key = event->id,
                               .value = event->record,
                               .timestamp_ms = event->time_ms,
                               .headers = event->headers,
                               .header_count = event->header_count};
    type->append(run->rehearsal, partition, &record);
    if (hole) {
        type->leave_hole(run->rehearsal, partition);
    }
}

static void make_topics(struct run *run)
{
    const struct vf_projection *projection = run->subject->projection;
    for (size_t t = 0; t < projection->topic_count; t++) {
        int32_t partitions = 1;
        for (size_t i = 0; i < run->test->event_count; i++) {
            const struct vf_test_event *event = &run->test->events[i];
            if (strcmp(event->topic, projection->topics[t]) == 0 && event->partition >= partitions) {
                partitions = event->partition + 1;
            }
        }
        run->subject->rehearsal->add_topic(run->rehearsal, projection->topics[t], partitions);
    }
}

/* --- the worker --------------------------------------------------------------------------------------------------- */

/* All events of a topic have numbers of one sort. */
static enum vf_numbers numbers_of(const struct vf_test_case *test, const char *topic)
{
    for (size_t i = 0; i < test->event_count; i++) {
        if (strcmp(test->events[i].topic, topic) == 0) {
            return test->events[i].numbers;
        }
    }
    return VF_NUMBERS_SEQUENCE;
}

static void set_up(struct run *run)
{
    struct vf_test_subject *subject = run->subject;
    const struct vf_projection *projection = subject->projection;
    /* The default envelope, and a schema number, which it has not. */
    struct vf_mapping mappings[VF_PART_COUNT];
    memcpy(mappings, vf_envelope_standard.parts, sizeof mappings);
    mappings[VF_PART_SCHEMA] =
        (struct vf_mapping){.from = VF_FROM_VALUE, .name = "/schema", .has_missing = true, .missing_number = 1};
    run->topics = vf_arena_calloc(run->arena, projection->topic_count, sizeof *run->topics);
    for (size_t i = 0; i < projection->topic_count; i++) {
        run->topics[i].topic = projection->topics[i];
        /* A test says an aggregate's first number itself: some count from 0, some from 1 (test_file.c looks at it). */
        run->topics[i].envelope = (struct vf_envelope){
            .numbers = numbers_of(run->test, projection->topics[i]), .first = 1, .history_partial = true};
        mappings[VF_PART_VERSION].as =
            run->topics[i].envelope.numbers == VF_NUMBERS_ORDERED ? VF_AS_UTF8 : VF_AS_UNSAID;
        vf_envelope_resolve(&run->topics[i].envelope, mappings, run->arena);
    }
    run->setup = (struct vf_worker_setup){
        .name = projection->name,
        .projection = projection->name,
        .view = projection->name,
        .clock = &run->clock.clock,
        .source_type = subject->rehearsal->source,
        .source = {.brokers = subject->rehearsal->brokers(run->rehearsal),
                   .group = GROUP,
                   .topics = projection->topics,
                   .topic_count = projection->topic_count},
        .store_type = subject->rehearsal->store,
        .store = {.name = "memory", .url = subject->rehearsal->url(run->rehearsal), .prefix = ""},
        .projector_type = vf_test_watch_type(&subject->watch, subject->projector_type),
        .projector_limits = subject->limits,
        .proposed = &subject->proposed,
        .topics = run->topics,
        .topic_count = projection->topic_count,
        .batch = subject->batch,
        .errors = {.then = VF_THEN_STOP},
        .cache_bytes = subject->cache_bytes,
    };
}

static enum vf_code open_worker(struct run *run, struct vf_error *error)
{
    enum vf_code code = vf_worker_open(&run->setup, &run->worker, error);
    if (code == VF_OK) {
        run->subject->rehearsal->rebalance(run->rehearsal, GROUP);
    }
    return code;
}

/* Everything that was appended is dealt with, or has stopped its partition. */
static enum vf_code come_to_rest(struct run *run, struct vf_error *error)
{
    struct vf_worker_report report;
    size_t turns = TURNS_FREE + TURNS_AN_EVENT * run->test->event_count;
    for (size_t turn = 0; turn < turns; turn++) {
        enum vf_step step = vf_worker_step(run->worker);
        vf_worker_report(run->worker, &report);
        if (step == VF_STEP_IDLE && report.caught_up) {
            return VF_OK;
        }
    }
    return vf_fail(error, VF_E_BUG, "the worker did not come to rest in %zu turns", turns);
}

static enum vf_code take_break(struct run *run, struct vf_error *error)
{
    enum vf_code code = come_to_rest(run, error);
    if (code != VF_OK) {
        return code;
    }
    if (run->plan->kind == VF_TEST_COLD) {
        vf_worker_drop_cache(run->worker);
    } else if (run->plan->kind == VF_TEST_RESTART) {
        vf_worker_close(run->worker);
        run->worker = NULL;
        code = open_worker(run, error);
    }
    return code;
}

static enum vf_code deliver(struct run *run, struct vf_error *error)
{
    const struct vf_test_plan *plan = run->plan;
    for (size_t i = 0; i < plan->count; i++) {
        bool here = i > 0 && (plan->at == VF_TEST_EVERYWHERE || plan->at == i);
        if (here && plan->kind != VF_TEST_NO_BREAK) {
            enum vf_code code = take_break(run, error);
            if (code != VF_OK) {
                return code;
            }
        }
        append(run, plan->order[i], !plan->repeat_each);
        if (plan->repeat_each) {
            append(run, plan->order[i], false);
        }
    }
    for (size_t i = 0; plan->repeat_all && i < plan->count; i++) {
        append(run, plan->order[i], false);
    }
    return come_to_rest(run, error);
}

/* --- what came of it ---------------------------------------------------------------------------------------------- */

/* The note that a stopping partition leaves in the store: {"at":"orders/0@2","error":"..."}. */
static void read_note(struct run *run, const struct vf_progress_row *row, struct vf_test_result *result)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root, at, text;
    struct vf_error ignored;
    if (vf_json_parse(parser, vf_bytes_from(row->stopped), &root, &ignored) == VF_OK &&
        vf_json_member(root, VF_LITERAL("at"), &at) && vf_json_member(root, VF_LITERAL("error"), &text)) {
        const char *place = vf_arena_copy(run->arena, vf_json_string(at)).data;
        const char *offset = strrchr(place, '@');
        size_t event = offset ? vf_test_event_at(run->test, row->partition.topic, row->partition.partition,
                                                 strtoll(offset + 1, NULL, 10))
                              : SIZE_MAX;
        if (!result->error || event < result->failed_event) {
            result->error = vf_arena_copy(run->arena, vf_json_string(text)).data;
            result->failed_event = event;
        }
    }
    vf_json_parser_free(parser);
}

/* As a reader would see it at the time of the test's newest event: with this machine's time a test would pass today only. */
static bool is_visible(const struct vf_document *document, int64_t now_ms)
{
    return document->presence == VF_PRESENT && (!document->has_expires || document->expires_ms > now_ms);
}

#define HELD_NAMED 3

/* Events whose link is not known at the end. (What is behind a gap has stopped its partition.) */
static void read_held(struct run *run, const struct vf_rehearsed *rehearsed, struct vf_test_result *result)
{
    struct vf_buffer text;
    size_t held = 0;
    vf_buffer_init(&text);
    for (size_t i = 0; i < rehearsed->aside_count; i++) {
        const struct vf_aside *aside = &rehearsed->asides[i];
        enum vf_list list;
        struct vf_bytes awaited = vf_list_aggregate(aside->list, &list);
        size_t event = vf_test_event_at(run->test, aside->partition.topic, aside->partition.partition, aside->offset);
        if (event == SIZE_MAX || list == VF_LIST_EARLY || held++ >= HELD_NAMED) {
            continue;
        }
        vf_buffer_printf(&text, "%s%s (%s:%d)", text.size > 0 ? "; " : "Not taken in, as a link is not known: ",
                         run->test->events[event].notation, run->test->path, (int)run->test->events[event].place.line);
        if (list == VF_LIST_WAITERS) {
            vf_buffer_printf(&text, ", which waits for that of %.*s", (int)awaited.size, awaited.data);
        }
    }
    if (held > 0) {
        if (held > HELD_NAMED) {
            vf_buffer_printf(&text, "; and %zu more", held - HELD_NAMED);
        }
        vf_buffer_add_char(&text, '.');
        result->held = vf_arena_bytes(run->arena, text.data, text.size).data;
    }
    vf_buffer_done(&text);
}

static void read_result(struct run *run, struct vf_test_result *result)
{
    struct vf_rehearsed rehearsed;
    struct vf_view view = {.name = run->subject->projection->name, .generation = run->subject->proposed.number};
    run->subject->rehearsal->read(run->rehearsal, view, run->arena, &rehearsed);
    *result = (struct vf_test_result){0};
    for (size_t i = 0; i < rehearsed.row_count; i++) {
        if (rehearsed.rows[i].stopped) {
            read_note(run, &rehearsed.rows[i], result);
        }
    }
    int64_t newest_ms = INT64_MIN;
    for (size_t i = 0; i < run->test->event_count; i++) {
        newest_ms = run->test->events[i].time_ms > newest_ms ? run->test->events[i].time_ms : newest_ms;
    }
    struct vf_document *documents = vf_arena_alloc(run->arena, rehearsed.document_count * sizeof *documents);
    for (size_t i = 0; i < rehearsed.document_count; i++) {
        if (is_visible(&rehearsed.documents[i], newest_ms)) {
            documents[result->document_count++] = rehearsed.documents[i];
        }
    }
    result->documents = documents;
    read_held(run, &rehearsed, result);
}

enum vf_code vf_test_run(struct vf_test_subject *subject, const struct vf_test_case *test,
                         const struct vf_test_plan *plan, struct vf_arena *arena, struct vf_test_result *ret_result,
                         struct vf_error *error)
{
    struct run run = {.subject = subject, .test = test, .plan = plan, .arena = arena};
    subject->runs++;
    subject->watch.recording = plan->record;
    run.rehearsal = subject->rehearsal->open();
    clock_init(&run.clock);
    make_topics(&run);
    set_up(&run);
    enum vf_code code = open_worker(&run, error);
    if (code == VF_OK) {
        code = deliver(&run, error);
    }
    if (code == VF_OK) {
        read_result(&run, ret_result);
    }
    vf_worker_close(run.worker);
    subject->rehearsal->close(run.rehearsal);
    subject->watch.recording = false;
    return code;
}

bool vf_test_result_equal(const struct vf_test_result *a, const struct vf_test_result *b)
{
    if (a->error || b->error) {
        return a->error && b->error && a->failed_event == b->failed_event && strcmp(a->error, b->error) == 0;
    }
    if (a->document_count != b->document_count) {
        return false;
    }
    for (size_t i = 0; i < a->document_count; i++) {
        if (!vf_bytes_equal(a->documents[i].id, b->documents[i].id) ||
            !vf_bytes_equal(a->documents[i].body, b->documents[i].body)) {
            return false;
        }
    }
    return true;
}
