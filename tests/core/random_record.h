/* What the tests that read random records share: dice, what every event is whatever it was made of, and records with damage. */
#ifndef VF_RANDOM_RECORD_H
#define VF_RANDOM_RECORD_H

#include "core_test.h"

#include "core/body.h"
#include "core/event_data.h"
#include "core/preset.h"

static uint64_t seed;
static long record_count = 4000;
static struct vf_json_parser *parser;
static struct vf_arena *arena;

static inline size_t pick(size_t count)
{
    return (size_t)(next_random(&seed) % count);
}

static inline bool chance(size_t of)
{
    return pick(of) == 0;
}

static inline int64_t random_number(void)
{
    static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, 9007199254740993};
    return chance(4) ? edges[pick(COUNT_OF(edges))] : (int64_t)(next_random(&seed) >> pick(64));
}

/* --- an event -------------------------------------------------------------------------------------------------------- */

static inline void check_text(struct vf_bytes text, bool may_be_empty)
{
    assert_true(text.size > 0 || may_be_empty);
    assert_true(text.size <= VF_ID_BYTES_MAX);
    assert_true(text.size == 0 || !memchr(text.data, '\0', text.size));
    assert_true(vf_bytes_is_utf8(text));
}

/* What every event is, whatever it was made of. */
static inline void check_sane(const struct vf_event *event)
{
    check_text(event->kind, false);
    check_text(event->id, false);
    check_text(event->type, false);
    check_text(event->event_id, event->numbers != VF_NUMBERS_REVISION);
    check_text(event->version_text, true);
    assert_null(memchr(event->kind.data, '/', event->kind.size));
    assert_true(event->time_ms >= VF_TIME_MS_MIN && event->time_ms <= VF_TIME_MS_MAX);
}

/* --- damage ---------------------------------------------------------------------------------------------------------- */

/* A copy on the heap, of exactly its size, with some bytes changed, taken out or put in. */
static inline struct vf_bytes damaged(struct vf_bytes bytes, size_t times)
{
    static const char likely[] = "{}[]\",:\\/\0\xff-0e";
    size_t size = bytes.size;
    char *text = vf_alloc(size + times + 1);
    if (size)
        memcpy(text, bytes.data, size);
    for (size_t i = 0; i < times; i++) {
        size_t at = size ? pick(size) : 0;
        char c = chance(2) ? likely[pick(sizeof likely - 1)] : (char)pick(256);
        switch (pick(4)) {
        case 0:
            memmove(text + at + 1, text + at, size - at);
            text[at] = c;
            size++;
            break;
        case 1:
            if (size) {
                memmove(text + at, text + at + 1, size - at - 1);
                size--;
            }
            break;
        case 2: size = chance(8) ? at : size; break;
        default:
            if (size)
                text[at] = c;
        }
    }
    char *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    if (size)
        memcpy(exact, text, size);
    free(text);
    return vf_bytes(exact, size);
}

static inline size_t damage_once(size_t of)
{
    return chance(of) ? 1 + pick(4) : 0;
}

/* Reads the record with damage, and its data; answers whether the envelope was read. */
static inline bool survive(const struct vf_envelope *envelope, struct vf_record record)
{
    struct vf_header *headers = vf_calloc(record.header_count + 1, sizeof *headers);
    struct vf_error error = {0};
    struct vf_event event;
    record.key = damaged(record.key, damage_once(3));
    record.value = damaged(record.value, damage_once(2));
    record.key_is_null |= chance(20);
    record.value_is_null |= chance(20);
    record.timestamp_ms = chance(10) ? random_number() : record.timestamp_ms;
    for (size_t i = 0; i < record.header_count; i++)
        headers[i] = (struct vf_header){.name = damaged(record.headers[i].name, damage_once(10)),
                                        .value = damaged(record.headers[i].value, damage_once(4)),
                                        .is_null = chance(30)};
    record.headers = headers;
    enum vf_code code = vf_envelope_read(envelope, &record, parser, arena, &event, &error);
    if (code) {
        assert_int_equal(code, VF_E_DATA);
        assert_true(strlen(error.text) > 10);
    } else {
        struct vf_json data;
        bool has;
        if (event.kind.size > 0 || !record.value_is_null || envelope->tombstone != VF_TOMBSTONE_IGNORED)
            check_sane(&event);
        if (vf_event_data(&event, parser, &has, &data, &error) != VF_OK)
            assert_true(strlen(error.text) > 10);
    }
    for (size_t i = 0; i < record.header_count; i++) {
        free((char *)(uintptr_t)headers[i].name.data);
        free((char *)(uintptr_t)headers[i].value.data);
    }
    free(headers);
    free((char *)(uintptr_t)record.key.data);
    free((char *)(uintptr_t)record.value.data);
    return code == VF_OK;
}

/* The test's main: as many records as its argument says. */
static inline int run_random_test(const struct CMUnitTest *tests, size_t count, int argument_count, char **arguments)
{
    record_count = argument_count > 1 ? strtol(arguments[1], NULL, 10) : record_count;
    seed = test_seed();
    parser = vf_json_parser_new();
    arena = vf_arena_new();
    int failed = _cmocka_run_group_tests("random records", tests, count, NULL, NULL);
    vf_json_parser_free(parser);
    vf_arena_free(arena);
    return failed;
}

#endif
