/* envelopes:, topics.*.envelope and topics.*.override: what they make of a record, and every refusal with its place. */
#include "cli/config_read.h"
#include "core/preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LEAST                                           \
    "kafka: {brokers: k1:9092}\n"                       \
    "stores: {cache: {redis: \"redis://r1:6379/0\"}}\n" \
    "projections: [{script: projections/orders.lua}]\n"

static struct vf_config *read_text(const char *text, struct vf_buffer *found)
{
    struct vf_findings *findings = vf_findings_new("f");
    struct vf_config *config = NULL;
    struct vf_error error;
    (void)!vf_config_read_text("f", vf_bytes_from(text), &(struct vf_config_rules){0}, findings, &config, &error);
    vf_buffer_init(found);
    vf_buffer_add_text(found, "");
    vf_findings_print(findings, 20, false, found);
    vf_findings_free(findings);
    return config;
}

static struct vf_config *read_good(const char *added)
{
    struct vf_buffer text, found;
    vf_buffer_init(&text);
    vf_buffer_printf(&text, "%s%s", LEAST, added);
    struct vf_config *config = read_text(text.data, &found);
    assert_string_equal(found.data, "");
    vf_buffer_done(&text);
    vf_buffer_done(&found);
    return config;
}

static const struct vf_mapping *part_of(const struct vf_config *config, const char *topic, enum vf_part part)
{
    struct vf_topic_entry entry = vf_config_topic(config, topic);
    return &(entry.envelope.plan ? entry.envelope.plan : &vf_envelope_standard)->parts[part];
}

static void expect_part(const struct vf_config *config, const char *topic, enum vf_part part, enum vf_from from,
                        const char *name, enum vf_as as)
{
    const struct vf_mapping *found = part_of(config, topic, part);
    assert_int_equal(found->from, from);
    assert_int_equal(found->as, as);
    if (name) {
        assert_string_equal(found->name, name);
    } else {
        assert_null(found->name);
    }
}

#define OURS                                                                                        \
    "envelopes:\n"                                                                                  \
    "  ours:\n"                                                                                     \
    "    kind:     {value: /kind, missing: thing}\n"                                                \
    "    id:       {key: utf8}\n"                                                                   \
    "    version:  {header: aggregate-version, as: int, numbers: sequence, first: 0, gaps: park}\n" \
    "    event_id: {header: event-id}\n"                                                            \
    "    type:     {header: event-type, missing: Changed}\n"                                        \
    "    schema:   {header: event-schema, as: int, missing: 4}\n"                                   \
    "    time:     {header: event-time, as: rfc3339, missing: timestamp}\n"                         \
    "    data:     {value: \"\"}\n"                                                                 \
    "    tombstone: ignore\n"                                                                       \
    "    unreadable: park\n"

static void every_part_of_an_envelope_is_read(void **state)
{
    (void)state;
    struct vf_config *config =
        read_good(OURS "topics: {orders: {envelope: ours}, customers: {envelope: ours, kind: c}}\n");
    expect_part(config, "orders", VF_PART_KIND, VF_FROM_VALUE, "/kind", VF_AS_UNSAID);
    expect_part(config, "orders", VF_PART_ID, VF_FROM_KEY, NULL, VF_AS_UTF8);
    expect_part(config, "orders", VF_PART_VERSION, VF_FROM_HEADER, "aggregate-version", VF_AS_INT);
    expect_part(config, "orders", VF_PART_EVENT_ID, VF_FROM_HEADER, "event-id", VF_AS_UNSAID);
    expect_part(config, "orders", VF_PART_TYPE, VF_FROM_HEADER, "event-type", VF_AS_UNSAID);
    expect_part(config, "orders", VF_PART_SCHEMA, VF_FROM_HEADER, "event-schema", VF_AS_INT);
    expect_part(config, "orders", VF_PART_TIME, VF_FROM_HEADER, "event-time", VF_AS_RFC3339);
    expect_part(config, "orders", VF_PART_DATA, VF_FROM_VALUE, "", VF_AS_UNSAID);
    assert_true(part_of(config, "orders", VF_PART_KIND)->has_missing);
    assert_true(vf_bytes_is(part_of(config, "orders", VF_PART_KIND)->missing, "thing"));
    assert_true(vf_bytes_is(part_of(config, "orders", VF_PART_TYPE)->missing, "Changed"));
    assert_int_equal(part_of(config, "orders", VF_PART_SCHEMA)->missing_number, 4);
    assert_true(part_of(config, "orders", VF_PART_TIME)->has_missing);
    assert_false(part_of(config, "orders", VF_PART_EVENT_ID)->has_missing);
    struct vf_envelope orders = vf_config_topic(config, "orders").envelope;
    assert_null(orders.kind);
    assert_int_equal(orders.numbers, VF_NUMBERS_SEQUENCE);
    assert_int_equal(orders.first, 0);
    assert_int_equal(orders.repeats, 0);
    assert_int_equal(orders.tombstone, VF_TOMBSTONE_IGNORED);
    assert_true(orders.plan->parses_value);
    struct vf_envelope customers = vf_config_topic(config, "customers").envelope;
    assert_string_equal(customers.kind, "c");
    assert_false(customers.plan->parses_value); /* the kind was all that was read from it */
    vf_config_free(config);
}

static void gaps_and_unreadable_records_are_read_level_by_level(void **state)
{
    (void)state;
    struct vf_config *config = read_good(
        "envelopes: {e: {kind: {value: /kind}, id: {key: utf8}, version: {header: v, gaps: wait 90s}, type: {header: t}, data: {value: \"\"}, "
        "unreadable: stop}}\n"
        "topics: {a: {envelope: e}, b: {envelope: e, override: {version: {gaps: allow}, unreadable: park}}, "
        "c: {envelope: e, override: {version: {gaps: park}}}, d: {kind: k}}\n");
    static const struct {
        const char *topic;
        bool allowed;
        int64_t wait_ms;
        bool stops;
    } wanted[] = {{"a", false, 90000, true}, {"b", true, 0, false}, {"c", false, 0, true}, {"d", false, 0, false}};
    for (size_t i = 0; i < 4; i++) {
        struct vf_envelope envelope = vf_config_topic(config, wanted[i].topic).envelope;
        assert_int_equal(envelope.gaps_allowed, wanted[i].allowed);
        assert_int_equal(envelope.gaps_wait_ms, wanted[i].wait_ms);
        assert_int_equal(envelope.unreadable_stops, wanted[i].stops);
    }
    vf_config_free(config);
}

static void every_form_is_read(void **state)
{
    (void)state;
    struct vf_config *config = read_good("envelopes:\n"
                                         "  a:\n"
                                         "    id: {key: be64}\n"
                                         "    version: {header: v, as: be64, numbers: ordered}\n"
                                         "    type: {value: /t, as: int}\n"
                                         "    schema: {value: /s}\n"
                                         "    time: {header: t, as: be64}\n"
                                         "    data: {value: /a~1b/~0}\n"
                                         "    tombstone: Gone\n"
                                         "    unreadable: stop\n"
                                         "  b:\n"
                                         "    id: {key: int}\n"
                                         "    version: {numbers: offset}\n"
                                         "    type: {key: utf8}\n"
                                         "    event_id: {value: /e, as: utf8}\n"
                                         "    time: {value: /t, as: unix_ms}\n"
                                         "    data: {value: /}\n"
                                         "    repeats: 64\n"
                                         "topics: {x: {envelope: a, kind: k}, y: {envelope: b, kind: k}}\n");
    struct vf_envelope x = vf_config_topic(config, "x").envelope, y = vf_config_topic(config, "y").envelope;
    expect_part(config, "x", VF_PART_ID, VF_FROM_KEY, NULL, VF_AS_BE64);
    expect_part(config, "x", VF_PART_VERSION, VF_FROM_HEADER, "v", VF_AS_BE64);
    expect_part(config, "x", VF_PART_TYPE, VF_FROM_VALUE, "/t", VF_AS_INT);
    expect_part(config, "x", VF_PART_SCHEMA, VF_FROM_VALUE, "/s", VF_AS_UNSAID);
    expect_part(config, "x", VF_PART_TIME, VF_FROM_HEADER, "t", VF_AS_BE64);
    assert_int_equal(x.numbers, VF_NUMBERS_ORDERED);
    assert_int_equal(x.tombstone, VF_TOMBSTONE_TYPE);
    assert_string_equal(x.tombstone_type, "Gone");
    expect_part(config, "y", VF_PART_ID, VF_FROM_KEY, NULL, VF_AS_INT);
    expect_part(config, "y", VF_PART_VERSION, VF_FROM_NOWHERE, NULL, VF_AS_UNSAID);
    expect_part(config, "y", VF_PART_TIME, VF_FROM_VALUE, "/t", VF_AS_UNIX_MS);
    expect_part(config, "y", VF_PART_DATA, VF_FROM_VALUE, "/", VF_AS_UNSAID);
    assert_int_equal(y.numbers, VF_NUMBERS_OFFSET);
    assert_int_equal(y.repeats, 64);
    assert_int_equal(y.tombstone, VF_TOMBSTONE_UNREADABLE);
    vf_config_free(config);
}

static void an_override_replaces_whole_parts_and_only_those(void **state)
{
    (void)state;
    struct vf_config *config = read_good(OURS "topics:\n"
                                              "  orders:\n"
                                              "    envelope: ours\n"
                                              "    override:\n"
                                              "      version:  {value: /revision, as: int, numbers: revision}\n"
                                              "      event_id: {value: /eventId}\n"
                                              "      type:     {value: /type}\n"
                                              "  customers: {envelope: ours}\n");
    expect_part(config, "orders", VF_PART_VERSION, VF_FROM_VALUE, "/revision", VF_AS_INT);
    expect_part(config, "orders", VF_PART_EVENT_ID, VF_FROM_VALUE, "/eventId", VF_AS_UNSAID);
    expect_part(config, "orders", VF_PART_TYPE, VF_FROM_VALUE, "/type", VF_AS_UNSAID);
    assert_false(part_of(config, "orders", VF_PART_TYPE)->has_missing); /* the envelope's went with its place */
    expect_part(config, "orders", VF_PART_ID, VF_FROM_KEY, NULL, VF_AS_UTF8);
    assert_int_equal(part_of(config, "orders", VF_PART_SCHEMA)->missing_number, 4);
    struct vf_envelope orders = vf_config_topic(config, "orders").envelope;
    assert_int_equal(orders.numbers, VF_NUMBERS_REVISION);
    assert_int_equal(orders.first, 0); /* the envelope's */
    assert_int_equal(orders.tombstone, VF_TOMBSTONE_IGNORED);
    expect_part(config, "customers", VF_PART_VERSION, VF_FROM_HEADER, "aggregate-version", VF_AS_INT);
    assert_int_equal(vf_config_topic(config, "customers").envelope.numbers, VF_NUMBERS_SEQUENCE);
    vf_config_free(config);
}

static void an_override_of_numbers_keeps_the_place_and_drops_what_no_longer_fits(void **state)
{
    (void)state;
    struct vf_config *config =
        read_good(OURS "  window:\n"
                       "    id: {key: utf8}\n"
                       "    version: {numbers: offset}\n"
                       "    event_id: {header: e}\n"
                       "    type: {header: t}\n"
                       "    data: {value: \"\"}\n"
                       "    repeats: 5\n"
                       "topics:\n"
                       "  a: {envelope: ours, override: {version: {numbers: ordered}}}\n"
                       "  b: {envelope: ours, override: {version: {numbers: offset}}}\n"
                       "  c: {envelope: ours, override: {version: {first: 9}}}\n"
                       "  d: {envelope: window, kind: k, override: {repeats: 7}}\n"
                       "  e: {envelope: window, kind: k, override: {version: {numbers: sequence, value: /v}}}\n"
                       "  f: {override: {version: {numbers: offset}}}\n"
                       "  g: {override: {version: {numbers: offset}, repeats: 3}}\n"
                       "  h: {override: {time: {value: /at, as: unix_ms}}}\n");
    expect_part(config, "a", VF_PART_VERSION, VF_FROM_HEADER, "aggregate-version", VF_AS_INT);
    assert_int_equal(vf_config_topic(config, "a").envelope.numbers, VF_NUMBERS_ORDERED);
    expect_part(config, "b", VF_PART_VERSION, VF_FROM_NOWHERE, NULL, VF_AS_UNSAID);
    assert_int_equal(vf_config_topic(config, "b").envelope.numbers, VF_NUMBERS_OFFSET);
    expect_part(config, "c", VF_PART_VERSION, VF_FROM_HEADER, "aggregate-version", VF_AS_INT);
    assert_int_equal(vf_config_topic(config, "c").envelope.first, 9);
    assert_int_equal(vf_config_topic(config, "d").envelope.repeats, 7);
    assert_int_equal(vf_config_topic(config, "e").envelope.repeats, 0);
    expect_part(config, "e", VF_PART_VERSION, VF_FROM_VALUE, "/v", VF_AS_UNSAID);
    assert_null(vf_config_topic(config, "f").envelope.plan); /* the default's, by its constant */
    assert_int_equal(vf_config_topic(config, "g").envelope.repeats, 3);
    expect_part(config, "h", VF_PART_TIME, VF_FROM_VALUE, "/at", VF_AS_UNIX_MS);
    expect_part(config, "h", VF_PART_TYPE, VF_FROM_VALUE, "/type", VF_AS_UNSAID);
    vf_config_free(config);
}

/* --- refusals --------------------------------------------------------------------------------------------------------- */

/* An envelope `e` in line 4 of which one part is in question; the others are fine. The text begins in column 18. */
static const char *const fine[][2] = {{"id", "id: {key: utf8}"},
                                      {"version", "version: {header: v}"},
                                      {"type", "type: {header: t}"},
                                      {"data", "data: {value: \"\"}"}};

struct refusal {
    const char *added;
    const char *wanted; /* "line:column: message" lines; the first line of `added` is the fourth */
};

static void expect_refusal(const char *added, const char *wanted)
{
    struct vf_buffer text, found, lines;
    vf_buffer_init(&text);
    vf_buffer_init(&lines);
    vf_buffer_printf(&text, "%s%s", LEAST, added);
    vf_buffer_printf(&lines, "f:%s\n", wanted);
    struct vf_config *config = read_text(text.data, &found);
    if (config || strcmp(found.data, lines.data) != 0) {
        fprintf(stderr, "of:\n%sfound:\n%swanted:\n%s", added, found.data, lines.data);
        fail();
    }
    vf_buffer_done(&text);
    vf_buffer_done(&found);
    vf_buffer_done(&lines);
}

/* What is refused in an envelope. `text` says one part, in line 4 from column 17 on; the parts that it does not say are fine. */
static const struct refusal in_envelope[] = {
    {"id: {as: int}", "4:17: envelopes.e.id: one of key, header and value is wanted"},
    {"id: {}", "4:17: envelopes.e.id: one of key, header and value is wanted"},
    {"id: {key: utf8, header: h}", "4:33: envelopes.e.id: one of key, header and value is wanted, not key and header"},
    {"type: {header: h, value: /t}",
     "4:35: envelopes.e.type: one of key, header and value is wanted, not header and value"},
    {"id: {value: id}",
     "4:29: envelopes.e.id.value: id is no JSON pointer: it is \"\" (the whole value) or begins with '/', as in /order/id; "
     "a '/' or '~' in a name is written ~1, ~0"},
    {"id: {value: /a~b}",
     "4:29: envelopes.e.id.value: /a~b is no JSON pointer: it is \"\" (the whole value) or begins with '/', as in "
     "/order/id; a '/' or '~' in a name is written ~1, ~0"},
    {"id: {value: }", "4:29: envelopes.e.id.value is empty"},
    {"id: {header: \"\"}", "4:30: envelopes.e.id.header is empty"},
    {"id: {header: \" id\"}", "4:30: envelopes.e.id.header: a header's name neither begins nor ends with a space"},
    {"id: {hedaer: id}",
     "4:17: envelopes.e.id: one of key, header and value is wanted\nf:4:22: unknown key hedaer in envelopes.e.id; did you "
     "mean header?"},
    {"id: [key]", "4:21: envelopes.e.id: a map is wanted: the aggregate's id"},
    {"id: {key: utf-8}",
     "4:27: envelopes.e.id.key: utf-8 is none of: utf8, int, be64, rfc3339, unix_ms, rfc1123, json, connect; did you mean utf8?"},
    {"id: {key: utf8, as: utf8}", "4:33: envelopes.e.id.as: a key says its form itself: {key: utf8}"},
    {"id: {value: /id, as: be64}",
     "4:38: envelopes.e.id: be64 does not fit: be64 is for keys and headers: JSON holds no bytes"},
    {"id: {key: unix_ms}",
     "4:27: envelopes.e.id: unix_ms does not fit: that is for time; utf8, int and be64 are for the rest"},
    {"type: {header: t, as: rfc3339}",
     "4:39: envelopes.e.type: rfc3339 does not fit: that is for time; utf8, int and be64 are for the rest"},
    {"schema: {header: s, as: utf8}",
     "4:41: envelopes.e.schema: utf8 does not fit: a schema is a number: int, or be64"},
    {"time: {header: t, as: int}", "4:39: envelopes.e.time: int does not fit: a time has a unit: say unix_ms"},
    {"time: {header: t, as: utf8}",
     "4:39: envelopes.e.time: utf8 does not fit: a time is rfc3339, rfc1123, unix_ms, or be64 for Unix milliseconds in 8 bytes"},
    {"time: {header: t, as: connect}",
     "4:39: envelopes.e.time: connect does not fit: a time is rfc3339, rfc1123, unix_ms, or be64 for Unix milliseconds in 8 bytes"},
    {"data: {value: \"\", as: utf8}",
     "4:39: envelopes.e.data: utf8 does not fit: data is JSON, and has no `as` but json (a string holds it) and connect"},
    {"id: {key: json}", "4:27: envelopes.e.id: json does not fit: that is for data"},
    {"id: {key: rfc1123}",
     "4:27: envelopes.e.id: rfc1123 does not fit: that is for time; utf8, int and be64 are for the rest"},
    {"type: {value: /t, as: connect}",
     "4:39: envelopes.e.type: connect does not fit: connect is for keys, headers and data: in the value, a pointer leads into "
     "what is wrapped"},
    {"data: {header: d}", "4:24: envelopes.e.data: an event's data is in the value: {value: \"\"} is all of it"},
    {"id: {key: utf8, missing: x}",
     "4:33: envelopes.e.id has no `missing`: an event without an id belongs to no aggregate"},
    {"version: {header: v, missing: 1}",
     "4:38: envelopes.e.version has no `missing`: a number cannot be made up; where events carry none, say numbers: offset"},
    {"event_id: {header: e, missing: x}",
     "4:39: envelopes.e.event_id has no `missing`: an id that several events have tells none of them apart"},
    {"data: {value: /d, missing: x}",
     "4:35: envelopes.e.data has no `missing`: an event without data has none: e.data is nil"},
    {"time: {header: t, missing: now}", "4:44: envelopes.e.time.missing: now is none of: timestamp"},
    {"schema: {header: s, missing: one}", "4:46: envelopes.e.schema.missing: one is no whole number"},
    {"kind: {header: k, missing: a/b}", "4:44: envelopes.e.kind.missing: at most 1024 bytes, and a kind has no '/'"},

    {"version: {header: v, numbers: offset}",
     "4:17: envelopes.e.version: numbers: offset takes the record's offset; leave out where a number is, or say what those "
     "numbers are"},
    {"version: {numbers: sequence}",
     "4:17: envelopes.e.version is missing: where the events' numbers are; {numbers: offset} where they carry none"},
    {"version: {}", "4:17: envelopes.e.version: one of key, header and value is wanted"},
    {"version: {as: int}", "4:17: envelopes.e.version: one of key, header and value is wanted"},
    {"version: {header: v, as: utf8}",
     "4:17: envelopes.e.version: utf8 does not fit: numbers that are text are for numbers: ordered; else int, or be64"},
    {"version: {header: v, as: unix_ms}",
     "4:42: envelopes.e.version: unix_ms does not fit: that is for time; utf8, int and be64 are for the rest"},
    {"version: {header: v, numbers: ordered, first: 1}",
     "4:56: envelopes.e.version.first is for numbers: sequence and revision; others begin anywhere"},
    {"version: {header: v, numbers: ordered, gaps: park}",
     "4:56: envelopes.e.version.gaps is for numbers: sequence and revision; others have none"},
    {"version: {header: v, numbers: revision}",
     "4:17: envelopes.e.version: numbers: revision needs event_id: it tells a repeat from another event of the same revision"},
    {"version: {header: v, numbers: growing}",
     "4:47: envelopes.e.version.numbers: growing is none of: sequence, revision, ordered, offset"},
    {"version: {header: v, gaps: wait}",
     "4:44: envelopes.e.version.gaps: one of park, allow, or wait with a duration (wait 30s)"},
    {"version: {header: v, gaps: wait 30}",
     "4:44: envelopes.e.version.gaps: one of park, allow, or wait with a duration (wait 30s)"},
    {"version: {header: v, first: -1}",
     "4:45: envelopes.e.version.first: -1 is out of range: 0 to 9223372036854775806"},
    {"repeats: 1025", "4:26: envelopes.e.repeats: 1025 is out of range: 1 to 1024"},
    {"version: {numbers: offset}, repeats: 4", "4:45: envelopes.e.repeats needs event_id: it is what is remembered"},

    {"tombstone: delete",
     "4:28: envelopes.e.tombstone: delete is not built yet: say ignore, or the name of an event type"},
    {"tombstone: \"\"", "4:28: envelopes.e.tombstone is empty"},
    {"tombstone: Gone, id: {value: /id}",
     "4:17: envelopes.e.tombstone: Gone: a null value cannot hold the event's id: map it to the key or a header, or say "
     "tombstone: ignore"},
    {"tombstone: Gone, version: {value: /v}",
     "4:17: envelopes.e.tombstone: Gone: its version would have to be the next one, which is not built yet: map version to a "
     "header, or say numbers: offset or tombstone: ignore"},
    {"tombstone: Gone, version: {header: v, numbers: revision}, event_id: {value: /e}",
     "4:17: envelopes.e.tombstone: Gone: a null value cannot hold the event's event_id: map it to the key or a header, or "
     "say tombstone: ignore"},
    {"unreadable: skip", "4:29: envelopes.e.unreadable: skip is none of: park, stop"},
    {"knid: {header: k}", "4:17: unknown key knid in envelopes.e; did you mean kind?"},
};

static void what_does_not_go_together_in_an_envelope_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof in_envelope / sizeof in_envelope[0]; i++) {
        struct vf_buffer text;
        vf_buffer_init(&text);
        vf_buffer_printf(&text, "envelopes: {e: {%s", in_envelope[i].added);
        for (size_t j = 0; j < sizeof fine / sizeof fine[0]; j++) {
            char named[32], behind[32];
            snprintf(named, sizeof named, "%s:", fine[j][0]);
            snprintf(behind, sizeof behind, ", %s:", fine[j][0]);
            if (strncmp(in_envelope[i].added, named, strlen(named)) != 0 && !strstr(in_envelope[i].added, behind)) {
                vf_buffer_printf(&text, ", %s", fine[j][1]);
            }
        }
        vf_buffer_add_text(&text,
                           "}}\ntopics: {o: {envelope: e, kind: k}}\n"); /* the topic adds nothing to what is said */
        expect_refusal(text.data, in_envelope[i].wanted);
        vf_buffer_done(&text);
    }
}

/* An envelope may be for topics whose numbers grow and for some whose don't. */
static void repeats_act_where_no_number_grows(void **state)
{
    (void)state;
    struct vf_config *config =
        read_good(OURS "    repeats: 64\n"
                       "topics:\n"
                       "  grows: {envelope: ours}\n"
                       "  ordered: {envelope: ours, override: {version: {numbers: ordered}}}\n"
                       "  not: {envelope: ours, override: {version: {numbers: offset}}}\n"
                       "  fewer: {envelope: ours, override: {version: {numbers: offset}, repeats: 3}}\n");
    assert_int_equal(vf_config_topic(config, "grows").envelope.repeats, 0);
    assert_int_equal(vf_config_topic(config, "ordered").envelope.repeats, 0);
    assert_int_equal(vf_config_topic(config, "not").envelope.repeats, 64);
    assert_int_equal(vf_config_topic(config, "fewer").envelope.repeats, 3);
    vf_config_free(config);
}

#define GOOD "envelopes: {ours: {id: {key: utf8}, version: {header: v}, type: {header: t}, data: {value: \"\"}}}\n"

static const struct refusal elsewhere[] = {
    {"envelopes: {}\n", "4:12: envelopes is empty: where the parts of an event are"},
    {"envelopes: {ours: axon}\n", "4:19: envelopes.ours: a map is wanted: one envelope"},
    {"envelopes: {ours: {kind: {header: k}}}\n",
     "4:13: envelopes.ours.id is missing: where the aggregate's id is, as in {key: utf8}\n"
     "f:4:13: envelopes.ours.type is missing: where the event's type is, as in {header: event-type}\n"
     "f:4:13: envelopes.ours.data is missing: where the event's data is; {value: \"\"} is the whole value"},
    {"envelopes: {ours: {id: {key: utf8}, type: {header: t}, data: {value: \"\"}}}\n",
     "4:20: envelopes.ours.version is missing: where the events' numbers are; {numbers: offset} where they carry none"},
    {GOOD "topics: {o: {envelope: ours}}\n",
     "5:10: topics.o: the events' kind is missing: say `kind` here, or map it in the envelope ours"},
    {GOOD "topics: {o: {kind: k, envelope: our}}\n",
     "5:33: topics.o.envelope: there is no our under envelopes; did you mean ours?"},
    {"topics: {o: {envelope: ours}}\n", "4:24: topics.o.envelope: there is no ours under envelopes"},
    {"topics: {o: {envelope: }}\n", "4:24: topics.o.envelope is empty"},
    {"topics: {o: {override: {kind: {header: k}}, kind: k}}\n",
     "4:25: topics.o.override.kind: the topic fixes its kind, so it is not read: say one of the two"},
    {"topics: {o: {override: {version: {numbers: revision}, event_id: {as: int}}}}\n",
     "4:55: topics.o.override.event_id: one of key, header and value is wanted"},
    {GOOD "topics: {o: {kind: k, envelope: ours, override: {version: {numbers: revision}}}}\n",
     "5:50: topics.o.override.version: numbers: revision needs event_id: it tells a repeat from another event of the same "
     "revision"},
    {GOOD "topics: {o: {kind: k, envelope: ours, override: {version: {numbers: offset}, repeats: 3}}}\n",
     "5:78: topics.o.override.repeats needs event_id: it is what is remembered"},
    {GOOD "topics: {o: {kind: k, envelope: ours, override: {version: {numbers: offset, value: /v}}}}\n",
     "5:50: topics.o.override.version: numbers: offset takes the record's offset; leave out where a number is, or say what "
     "those numbers are"},
    {"topics: {o: {override: {version: {numbers: offset, first: 1}}}}\n",
     "4:52: topics.o.override.version.first is for numbers: sequence and revision; others begin anywhere"},
    {"topics: {o: {override: {version: {as: be64}}}}\n",
     "4:25: topics.o.override.version: one of key, header and value is wanted"},
    {"topics: {o: {override: {repeats: 3}}}\n",
     "4:25: topics.o.override.repeats is for numbers: offset; where numbers grow, they tell repeats apart"},
    {"topics: {o: {override: {tombstone: delete}}}\n",
     "4:36: topics.o.override.tombstone: delete is not built yet: say ignore, or the name of an event type"},
    {"topics: {o: {override: {tombstone: Gone}}}\n",
     "4:25: topics.o.override.tombstone: Gone: a null value cannot hold the event's kind: map it to the key or a header, or "
     "say tombstone: ignore"},
    {"topics: {o: {kind: k, override: {tombstone: Gone, id: {key: utf8}}}}\n",
     "4:34: topics.o.override.tombstone: Gone: its version would have to be the next one, which is not built yet: map version "
     "to a header, or say numbers: offset or tombstone: ignore"},
    {"envelopes: {e: {kind: {value: /k}, id: {key: utf8}, version: {header: v}, type: {header: t}, data: {value: \"\"}, "
     "tombstone: Gone}}\ntopics: {o: {envelope: e}}\n",
     "5:10: topics.o.tombstone: Gone: a null value cannot hold the event's kind: map it to the key or a header, or say "
     "tombstone: ignore"},
    {"topics: {o: {override: {version: {gaps: wait 0s}}}}\n",
     "4:41: topics.o.override.version.gaps: one of park, allow, or wait with a duration (wait 30s)"},
    {"topics: {o: {override: {version: {gaps: stop}}}}\n",
     "4:41: topics.o.override.version.gaps: one of park, allow, or wait with a duration (wait 30s)"},
    {"topics: {o: {override: {verison: {numbers: offset}}}}\n",
     "4:25: unknown key verison in topics.o.override; did you mean version?"},
};

static void what_does_not_go_together_elsewhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        expect_refusal(elsewhere[i].added, elsewhere[i].wanted);
    }
}

static void envelopes_that_will_be_built_in_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"axon", "debezium-cdc", "wolverine"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[512], wanted[512];
        snprintf(text, sizeof text, "topics: {o: {envelope: %s}}\n", names[i]);
        snprintf(
            wanted, sizeof wanted,
            "4:24: topics.o.envelope: %s is not built yet: map it under envelopes (docs/envelopes.md has its parts)",
            names[i]);
        expect_refusal(text, wanted);
        snprintf(text, sizeof text,
                 "envelopes: {%s: {id: {key: utf8}, version: {header: v}, type: {header: t}, data: {value: \"\"}}}\n",
                 names[i]);
        snprintf(wanted, sizeof wanted,
                 "4:13: envelopes.%s is the name of an envelope that will be built in: call this one otherwise",
                 names[i]);
        expect_refusal(text, wanted);
    }
}

static void built_in_envelopes_are_what_their_names_say(void **state)
{
    (void)state;
    struct vf_config *config =
        read_good("topics:\n"
                  "  a: {kind: account, envelope: cloudevents}\n"
                  "  l: {kind: loan, envelope: debezium-outbox, override: {version: {header: n, "
                  "numbers: sequence, first: 0}, data: {value: /d, as: json}}}\n"
                  "  c: {envelope: eventuate-tram, override: {tombstone: ignore, repeats: 3}}\n");
    struct vf_envelope a = vf_config_topic(config, "a").envelope, l = vf_config_topic(config, "l").envelope;
    struct vf_envelope c = vf_config_topic(config, "c").envelope;
    assert_string_equal(a.preset->name, "cloudevents");
    assert_int_equal(a.numbers, VF_NUMBERS_OFFSET);
    assert_int_equal(a.repeats, 64);
    assert_int_equal(a.tombstone, VF_TOMBSTONE_UNREADABLE);
    expect_part(config, "a", VF_PART_ID, VF_FROM_HEADER, "ce_subject", VF_AS_UNSAID);
    expect_part(config, "l", VF_PART_ID, VF_FROM_KEY, NULL, VF_AS_CONNECT);
    expect_part(config, "l", VF_PART_VERSION, VF_FROM_HEADER, "n", VF_AS_UNSAID);
    expect_part(config, "l", VF_PART_DATA, VF_FROM_VALUE, "/d", VF_AS_JSON);
    assert_int_equal(l.plan->data_form, VF_DATA_IN_STRING);
    assert_int_equal(l.numbers, VF_NUMBERS_SEQUENCE);
    assert_int_equal(l.first, 0);
    assert_int_equal(l.repeats, 0); /* numbers that grow need none */
    expect_part(config, "c", VF_PART_KIND, VF_FROM_VALUE, "/headers/event-aggregate-type", VF_AS_UNSAID);
    assert_int_equal(c.repeats, 3);
    assert_int_equal(c.tombstone, VF_TOMBSTONE_IGNORED);
    vf_config_free(config);
}

static void what_a_built_in_envelope_cannot_be_is_refused(void **state)
{
    (void)state;
    expect_refusal(
        "topics: {o: {envelope: cloudevents}}\n",
        "4:10: topics.o: the events' kind is missing: say `kind` here, or map it in the override; cloudevents "
        "carries none");
    expect_refusal(
        "topics: {o: {topic: outbox.event.loan, envelope: debezium-outbox}}\n",
        "4:10: topics.o: the events' kind is missing: say `kind` here, or map it in the override; debezium-outbox "
        "carries none; outbox.event.loan has it in its name, so kind: loan");
    expect_refusal("topics: {o: {kind: k, envelope: cloudevent}}\n",
                   "4:33: topics.o.envelope: there is no cloudevent under envelopes; did you mean cloudevents?");
    expect_refusal(
        "topics: {o: {kind: k, envelope: cloudevents, override: {version: {header: ce_seq, as: be64, numbers: "
        "ordered}}}}\n",
        "4:87: topics.o.override.version: be64 does not fit: a CloudEvent's attributes are text");
    expect_refusal(
        "topics: {o: {kind: k, envelope: debezium-outbox, override: {version: {header: aggregateVersion}}}}\n",
        "4:61: topics.o.override.version: numbers: offset takes the record's offset; leave out where a number is, "
        "or say what those numbers are");
    expect_refusal(
        "topics: {o: {kind: k, envelope: eventuate-tram, override: {tombstone: Gone}}}\n",
        "4:60: topics.o.override.tombstone: Gone: a null value cannot hold the event's id: map it to the key or a "
        "header, or say tombstone: ignore");
    expect_refusal("envelopes: {cloudevents: {id: {key: utf8}, version: {header: v}, type: {header: t}, data: {value: "
                   "\"\"}}}\n",
                   "4:13: envelopes.cloudevents is the name of an envelope that is built in: call this one otherwise");
}

static void a_faulty_envelope_is_told_once_however_many_topics_use_it(void **state)
{
    (void)state;
    expect_refusal("envelopes: {e: {id: {}, version: {header: v}, type: {header: t}, data: {value: \"\"}}}\n"
                   "topics: {a: {envelope: e}, b: {envelope: e, override: {version: {numbers: offset}}}}\n",
                   "4:17: envelopes.e.id: one of key, header and value is wanted");
}

/* --- everything that was decided --- */

/* A configuration with every key that there will be: what this build does not take is refused by name, and nothing else. */
static const char whole[] =
    "kafka:\n"
    "  brokers: [kafka-1:9093, kafka-2:9093]\n"
    "  group: shop\n"
    "  instance: host-1\n"
    "  properties:\n"
    "    security.protocol: SASL_SSL\n"
    "    sasl.mechanism: SCRAM-SHA-512\n"
    "    sasl.username: viewfold\n"
    "    sasl.password: secret\n"
    "stores:\n"
    "  cache:\n"
    "    redis: rediss://redis-1:6380/0\n"
    "    username: viewfold\n"
    "    password: secret\n"
    "    prefix: \"shop:\"\n"
    "    emptied: rebuild\n"
    "  documents:\n"
    "    mongodb: mongodb://mongo-1,mongo-2/shop?replicaSet=rs0&tls=true\n"
    "    username: viewfold\n"
    "    password: secret\n"
    "envelopes:\n"
    "  ours:\n"
    "    kind:     {value: /kind}\n"
    "    id:       {key: utf8}\n"
    "    version:  {header: aggregate-version, as: int, numbers: sequence, first: 1, gaps: park}\n"
    "    event_id: {header: event-id}\n"
    "    type:     {header: event-type}\n"
    "    schema:   {header: event-schema, as: int, missing: 1}\n"
    "    time:     {header: event-time, as: rfc3339, missing: timestamp}\n"
    "    data:     {value: \"\"}\n"
    "    tombstone: delete\n"
    "    unreadable: park\n"
    "    repeats: 64\n"
    "topics:\n"
    "  customers: {topic: shop.customers.v1, kind: customer, envelope: ours}\n"
    "  orders:\n"
    "    topic: shop.orders.v1\n"
    "    kind: order\n"
    "    envelope: ours\n"
    "    history: complete\n"
    "    override:\n"
    "      version:  {value: /revision, as: int, numbers: revision}\n"
    "      event_id: {value: /eventId}\n"
    "      data:     {value: /data}\n"
    "  accounts: {topic: bank.accounts, kind: account, envelope: cloudevents}\n"
    "  loans:    {topic: outbox.event.loan, kind: loan, envelope: debezium-outbox}\n"
    "  cards:    {topic: bank.cards, envelope: eventuate-tram}\n"
    "projections:\n"
    "  - script: projections/customer_orders.lua\n"
    "    stores: [cache, documents]\n"
    "    workers: 2\n"
    "  - script: projections/customer_bank_view.lua\n"
    "    stores: [documents]\n"
    "    names: {documents: bank_portal}\n"
    "    errors: {retries: 5, backoff: 200ms, then: park}\n"
    "  - {script: projections/recent_customers.lua, stores: [cache, documents]}\n"
    "defaults:\n"
    "  workers: 1\n"
    "  errors: {retries: 3, backoff: 100ms, then: park}\n"
    "  batch:  {events: 1000, bytes: 4MiB, written: 4MiB, wait: 5ms}\n"
    "  cache:  64MiB\n"
    "  limits: {document: 8MiB, lua_memory: 64MiB, lua_instructions: 10000000, handler: 2s, aside: 100000, aside_bytes: 1GiB}\n"
    "  drain:  20s\n"
    "  forget: never\n"
    "admin: {listen: \"127.0.0.1:9180\"}\n"
    "serve:\n"
    "  listen: 0.0.0.0:8480\n"
    "  tls: {certificate: /etc/viewfold/tls.crt, key: /etc/viewfold/tls.key}\n"
    "  bearer_token: secret\n"
    "  store: {customer_orders: cache}\n"
    "  wait:  {default: 0s, max: 10s, readers: 5000}\n"
    "log: {level: info, format: logfmt}\n";

static void of_all_that_was_decided_only_what_is_not_built_is_refused(void **state)
{
    (void)state;
    struct vf_buffer found;
    struct vf_config *config = read_text(whole, &found);
    assert_null(config);
    size_t count = 0;
    for (const char *at = found.data; *at; count++) {
        size_t size = strcspn(at, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)size, at);
        if (!strstr(line, " is not built yet")) {
            fail_msg("%s", line);
        }
        at += size + 1;
    }
    assert_int_equal(count, 3);
    vf_buffer_done(&found);
}

/* --- the docs --------------------------------------------------------------------------------------------------------- */

static void every_envelope_in_the_page_is_taken(void **state)
{
    (void)state;
    static char page[1 << 17];
    FILE *file = fopen(VIEWFOLD_SOURCE_DIR "/docs/envelopes.md", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    int count = 0;
    for (char *at = page; (at = strstr(at, "```yaml\n")) != NULL; count++) {
        at += strlen("```yaml\n");
        char *end = strstr(at, "```");
        assert_non_null(end);
        *end = 0;
        struct vf_buffer text;
        vf_buffer_init(&text);
        vf_buffer_printf(&text, "%s%s", at[0] == ' ' ? "envelopes:\n" : "", at);
        vf_config_free(read_good(text.data));
        vf_buffer_done(&text);
        at = end + 1;
    }
    assert_int_equal(count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_an_envelope_is_read),
        cmocka_unit_test(gaps_and_unreadable_records_are_read_level_by_level),
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(an_override_replaces_whole_parts_and_only_those),
        cmocka_unit_test(an_override_of_numbers_keeps_the_place_and_drops_what_no_longer_fits),
        cmocka_unit_test(what_does_not_go_together_in_an_envelope_is_refused),
        cmocka_unit_test(repeats_act_where_no_number_grows),
        cmocka_unit_test(what_does_not_go_together_elsewhere_is_refused),
        cmocka_unit_test(envelopes_that_will_be_built_in_are_refused_by_name),
        cmocka_unit_test(built_in_envelopes_are_what_their_names_say),
        cmocka_unit_test(what_a_built_in_envelope_cannot_be_is_refused),
        cmocka_unit_test(a_faulty_envelope_is_told_once_however_many_topics_use_it),
        cmocka_unit_test(of_all_that_was_decided_only_what_is_not_built_is_refused),
        cmocka_unit_test(every_envelope_in_the_page_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
