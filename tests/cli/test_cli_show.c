/* `viewfold config`: what it prints is the configuration, is read back as the same one, and tells no secret. */
#include "cli/config_read.h"
#include "cli/config_show.h"
#include "core/preset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct vf_config_rules no_rules;

/* What `config` prints for a text; the caller frees it. */
static char *show(const char *text, bool defaults, bool json)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_findings *findings = vf_findings_new("/etc/vf/viewfold.yaml");
    const struct vf_node *root = vf_config_tree_read("/etc/vf/viewfold.yaml", vf_bytes_from(text), arena, findings);
    struct vf_buffer out;
    vf_buffer_init(&out);
    assert_int_equal(vf_findings_count(findings), 0);
    const struct vf_shown *shown = vf_config_show(root, defaults, arena);
    (json ? vf_config_show_json : vf_config_show_yaml)(shown, &out);
    char *printed = vf_strdup(out.data);
    vf_buffer_done(&out);
    vf_findings_free(findings);
    vf_arena_free(arena);
    return printed;
}

static struct vf_config *read_config(const char *text)
{
    struct vf_findings *findings = vf_findings_new("/etc/vf/viewfold.yaml");
    struct vf_config *config = vf_config_look("/etc/vf/viewfold.yaml", vf_bytes_from(text), &no_rules, findings);
    if (vf_findings_count(findings) > 0) {
        struct vf_buffer out;
        vf_buffer_init(&out);
        vf_findings_print(findings, VF_FINDINGS_SHOWN_MAX, false, &out);
        fprintf(stderr, "%s\nin:\n%s", out.data, text);
        fail();
    }
    vf_findings_free(findings);
    return config;
}

static void expect_shown(const char *text, bool defaults, bool json, const char *wanted)
{
    char *printed = show(text, defaults, json);
    if (strcmp(printed, wanted) != 0) {
        fprintf(stderr, "printed:\n%s\nwanted:\n%s", printed, wanted);
        fail();
    }
    free(printed);
}

#define LEAST                                  \
    "kafka: {brokers: \"k1:9092\"}\n"          \
    "stores: {c: {redis: \"redis://r1/0\"}}\n" \
    "projections: [{script: p.lua}]\n"

static void what_the_file_says_is_printed_in_the_tables_order(void **state)
{
    (void)state;
    expect_shown("projections: [{workers: 02, script: p.lua}]\nstores: {c: {redis: \"redis://r1/0\"}}\n"
                 "kafka: {brokers: \"k1:9092\"}\ndefaults: {drain: 60s}\n",
                 false, false,
                 "kafka:\n  brokers: [\"k1:9092\"]\n"
                 "stores:\n  c:\n    redis: \"redis://r1/0\"\n"
                 "projections:\n  - script: p.lua\n    workers: 2\n"
                 "defaults:\n  drain: 60s\n");
    expect_shown(LEAST "log: {level: warn}\n", false, true,
                 "{\"kafka\":{\"brokers\":[\"k1:9092\"]},\"log\":{\"level\":\"warn\"},"
                 "\"projections\":[{\"script\":\"p.lua\"}],\"stores\":{\"c\":{\"redis\":\"redis://r1/0\"}}}");
}

#define TAIL                                                                                                  \
    "defaults:\n  workers: 1\n  errors:\n    retries: 3\n    backoff: 100ms\n    then: park\n"                \
    "  batch:\n    events: 1000\n    bytes: 4MiB\n    written: 4MiB\n    wait: 5ms\n"                         \
    "  cache: 64MiB\n"                                                                                        \
    "  limits:\n    document: 8MiB\n    lua_memory: 64MiB\n    lua_instructions: 10000000\n    handler: 2s\n" \
    "    aside: 100000\n    aside_bytes: 1GiB\n"                                                              \
    "  drain: 20s\n  forget: never\n"                                                                         \
    "log:\n  level: info\n  format: logfmt\n"

static void every_default_is_printed_where_it_is_asked_for(void **state)
{
    (void)state;
    expect_shown(LEAST "topics: {o: {kind: order}}\ndefaults: {workers: 3, errors: {backoff: 2s}}\n", true, false,
                 "kafka:\n  brokers: [\"k1:9092\"]\n  group: viewfold\n"
                 "stores:\n  c:\n    redis: \"redis://r1/0\"\n    prefix: \"\"\n    emptied: rebuild\n"
                 "topics:\n  o:\n    topic: o\n    kind: order\n    history: complete\n    partitions_added: stop\n"
                 "projections:\n  - script: p.lua\n    stores: [c]\n    workers: 3\n"
                 "    errors:\n      retries: 3\n      backoff: 2s\n      then: park\n"
                 "defaults:\n  workers: 3\n  errors:\n    retries: 3\n    backoff: 2s\n    then: park\n"
                 "  batch:\n    events: 1000\n    bytes: 4MiB\n    written: 4MiB\n    wait: 5ms\n"
                 "  cache: 64MiB\n"
                 "  limits:\n    document: 8MiB\n    lua_memory: 64MiB\n    lua_instructions: 10000000\n"
                 "    handler: 2s\n    aside: 100000\n    aside_bytes: 1GiB\n"
                 "  drain: 20s\n  forget: never\n"
                 "log:\n  level: info\n  format: logfmt\n");
}

static void an_envelopes_defaults_are_printed_too(void **state)
{
    (void)state;
    expect_shown(
        "envelopes:\n"
        "  e: {data: {value: \"\"}, type: {header: t}, id: {value: /i}, version: {header: v}, time: {header: at},\n"
        "      schema: {value: /s}, event_id: {value: /e}, kind: {key: utf8}}\n"
        "  f: {id: {header: i}, type: {value: /t, as: int}, data: {value: /d}, time: {value: /a}, version: {header: v,\n"
        "      as: be64, numbers: ordered}, schema: {header: s, missing: 2}, unreadable: stop, tombstone: Gone}\n"
        "topics:\n"
        "  m: {envelope: e, override: {version: {value: /v}}}\n"
        "  o: {envelope: f, kind: k, override: {version: {numbers: sequence, first: 0}, time: {header: t}}}\n"
        "  p: {envelope: f, kind: k, override: {version: {value: /v}, tombstone: ignore}}\n",
        true, false,
        "kafka:\n  group: viewfold\n"
        "envelopes:\n"
        "  e:\n"
        "    kind:\n      key: utf8\n"
        "    id:\n      value: \"/i\"\n"
        "    version:\n      header: v\n      as: int\n      numbers: sequence\n      first: 1\n      gaps: park\n"
        "    event_id:\n      value: \"/e\"\n      as: utf8\n"
        "    type:\n      header: t\n      as: utf8\n"
        "    schema:\n      value: \"/s\"\n"
        "    time:\n      header: at\n      as: rfc3339\n"
        "    data:\n      value: \"\"\n"
        "    unreadable: park\n"
        "  f:\n"
        "    id:\n      header: i\n      as: utf8\n"
        "    version:\n      header: v\n      as: be64\n      numbers: ordered\n"
        "    type:\n      value: \"/t\"\n      as: int\n"
        "    schema:\n      header: s\n      as: int\n      missing: 2\n"
        "    time:\n      value: \"/a\"\n      as: rfc3339\n"
        "    data:\n      value: \"/d\"\n"
        "    tombstone: Gone\n"
        "    unreadable: stop\n"
        "topics:\n"
        "  m:\n    topic: m\n    envelope: e\n    history: complete\n    partitions_added: stop\n    override:\n"
        "      version:\n        value: \"/v\"\n        numbers: sequence\n        first: 1\n        gaps: park\n"
        "  o:\n    topic: o\n    kind: k\n    envelope: f\n    history: complete\n    partitions_added: stop\n    override:\n"
        "      version:\n        numbers: sequence\n        first: 0\n        gaps: park\n"
        "      time:\n        header: t\n        as: rfc3339\n"
        "  p:\n    topic: p\n    kind: k\n    envelope: f\n    history: complete\n    partitions_added: stop\n    override:\n"
        "      version:\n        value: \"/v\"\n        numbers: ordered\n"
        "      tombstone: ignore\n" TAIL);
}

static void a_built_in_envelope_is_printed_as_what_it_means(void **state)
{
    (void)state;
    static const char text[] =
        "topics:\n"
        "  a: {kind: k, envelope: cloudevents}\n"
        "  b: {kind: k, envelope: debezium-outbox, override: {tombstone: ignore, version: {header: "
        "v, numbers: ordered}}}\n"
        "  c: {envelope: eventuate-tram, override: {id: {key: utf8}, version: {numbers: offset}}}\n";
    expect_shown(
        text, true, false,
        "kafka:\n  group: viewfold\n"
        "topics:\n"
        "  a:\n    topic: a\n    kind: k\n    envelope: cloudevents\n    history: complete\n    partitions_added: stop\n    override:\n"
        "      id:\n        header: ce_subject\n        as: utf8\n"
        "      version:\n        numbers: offset\n"
        "      event_id:\n        header: ce_id\n        as: utf8\n"
        "      type:\n        header: ce_type\n        as: utf8\n"
        "      time:\n        header: ce_time\n        as: rfc3339\n        missing: timestamp\n"
        "      data:\n        value: \"\"\n"
        "      repeats: 64\n"
        "  b:\n    topic: b\n    kind: k\n    envelope: debezium-outbox\n    history: complete\n    partitions_added: stop\n    override:\n"
        "      id:\n        key: connect\n"
        "      version:\n        header: v\n        as: int\n        numbers: ordered\n"
        "      event_id:\n        header: id\n        as: connect\n"
        "      type:\n        header: eventType\n        as: connect\n"
        "      data:\n        value: \"\"\n        as: connect\n"
        "      tombstone: ignore\n"
        "  c:\n    topic: c\n    envelope: eventuate-tram\n    history: complete\n    partitions_added: stop\n    override:\n"
        "      kind:\n        value: \"/headers/event-aggregate-type\"\n        as: utf8\n"
        "      id:\n        key: utf8\n"
        "      version:\n        numbers: offset\n"
        "      event_id:\n        value: \"/headers/ID\"\n        as: utf8\n"
        "      type:\n        value: \"/headers/event-type\"\n        as: utf8\n"
        "      time:\n        value: \"/headers/DATE\"\n        as: rfc1123\n        missing: timestamp\n"
        "      data:\n        value: \"/payload\"\n        as: json\n"
        "      repeats: 64\n" TAIL);
    expect_shown("topics: {a: {kind: k, envelope: cloudevents}}\n", false, false,
                 "topics:\n  a:\n    kind: k\n    envelope: cloudevents\n");
}

/* A secret from outside is shown as where it comes from, one in the file as ***; whatever the value, never itself. */
static void no_secret_is_printed(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *wanted;
    } secrets[] = {
        {"password: hunter2", "password: \"***\""},
        {"password: \"${env:VF_TEST_SECRET}\"", "password: \"${env:VF_TEST_SECRET}\""},
        {"password: \"x${env:VF_TEST_SECRET}\"", "password: \"***\""},
        {"redis: \"redis://u:hunter2@h/0\"", "redis: \"redis://u:***@h/0\""},
        {"redis: \"redis://u:hun:ter@hunter2@h/0\"", "redis: \"redis://u:***@h/0\""},
        {"redis: \"redis://u:${env:VF_TEST_SECRET}@h/0\"", "redis: \"redis://u:${env:VF_TEST_SECRET}@h/0\""},
        {"redis: \"redis://u:hunter2@${env:VF_TEST_SECRET}/0\"", "redis: \"redis://u:***@${env:VF_TEST_SECRET}/0\""},
        {"redis: \"redis://:hunter2@h/0\"", "redis: \"redis://:***@h/0\""},
        {"redis: \"${env:VF_TEST_SECRET}\"", "redis: \"${env:VF_TEST_SECRET}\""},
        {"redis: \"redis://h/0\"", "redis: \"redis://h/0\""},
        {"mongodb: \"mongodb://u:p?hunter2@h/d\"", "mongodb: \"***\""},
        {"mongodb: \"mongodb://h/d?tlsCertificateKeyFilePassword=hunter2&w=1\"",
         "mongodb: \"mongodb://h/d?tlsCertificateKeyFilePassword=***&w=1\""},
        {"mongodb: \"mongodb://h/d?authMechanismProperties=AWS_SESSION_TOKEN:hunter2\"",
         "mongodb: \"mongodb://h/d?authMechanismProperties=***\""},
        {"username: \"${file:/etc/hostname}\"", "username: \"${file:/etc/hostname}\""},
    };
    setenv("VF_TEST_SECRET", "hunter2", 1);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        char text[512];
        char wanted[512];
        snprintf(text, sizeof text, "stores: {c: {%s}}\n", secrets[i].line);
        snprintf(wanted, sizeof wanted, "stores:\n  c:\n    %s\n", secrets[i].wanted);
        expect_shown(text, false, false, wanted);
        char *json = show(text, true, true);
        assert_null(strstr(json, "hunter2"));
        free(json);
    }
    static const char *const properties[] = {"sasl.password",
                                             "ssl.key.password",
                                             "ssl.keystore.password",
                                             "ssl.key.pem",
                                             "sasl.oauthbearer.client.secret",
                                             "SASL.Password",
                                             "sasl.oauthbearer.config"};
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "kafka: {properties: {%s: hunter2}}\n", properties[i]);
        char *printed = show(text, false, false);
        assert_null(strstr(printed, "hunter2"));
        assert_non_null(strstr(printed, ": \"***\"\n"));
        free(printed);
    }
    expect_shown("kafka: {properties: {sasl.username: \"${env:VF_TEST_SECRET}\", debug: all}}\n", false, false,
                 "kafka:\n  properties:\n    sasl.username: \"${env:VF_TEST_SECRET}\"\n    debug: all\n");
}

static void a_value_from_outside_is_shown_as_what_takes_effect(void **state)
{
    (void)state;
    setenv("VF_TEST_GROUP", "shop 7", 1);
    setenv("VF_TEST_NUMBER", "7", 1);
    setenv("VF_TEST_REFERENCE", "${env:HOME}", 1);
    setenv("VF_TEST_BYTES", "\xff\xfe", 1);
    expect_shown("kafka: {group: \"${env:VF_TEST_GROUP}\", instance: \"${env:VF_TEST_REFERENCE}\"}\n"
                 "stores: {c: {prefix: \"${env:VF_TEST_BYTES}\"}}\ndefaults: {workers: \"${env:VF_TEST_NUMBER}\"}\n",
                 false, false,
                 "kafka:\n  group: \"shop 7\"\n  instance: \"${env:VF_TEST_REFERENCE}\"\n"
                 "stores:\n  c:\n    prefix: \"${env:VF_TEST_BYTES}\"\ndefaults:\n  workers: 7\n");
}

static void an_envelopes_values_from_files_are_shown_as_their_source(void **state)
{
    (void)state;
    setenv("VF_TEST_HEADER_NAME", "event type", 1);
    expect_shown("envelopes: {e: {kind: {header: \"${file:/etc/hostname}\", missing: \"${file:/etc/hostname}\"},\n"
                 "  type: {header: \"${env:VF_TEST_HEADER_NAME}\"}, tombstone: \"${file:/etc/hostname}\"}}\n"
                 "topics: {o: {override: {data: {value: \"/${file:/etc/hostname}\"}}}}\n",
                 false, false,
                 "envelopes:\n  e:\n"
                 "    kind:\n      header: \"${file:/etc/hostname}\"\n      missing: \"${file:/etc/hostname}\"\n"
                 "    type:\n      header: \"event type\"\n"
                 "    tombstone: \"${file:/etc/hostname}\"\n"
                 "topics:\n  o:\n    override:\n      data:\n        value: \"/${file:/etc/hostname}\"\n");
}

/* --- random configurations ---------------------------------------------------------------------------------------- */

static uint64_t random_state;

static unsigned pick(unsigned count)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % count;
}

/* Texts that a careless printer gets wrong, each as YAML writes it. */
static const char *const texts[] = {
    "plain",
    "\"\\\"quoted\\\"\"",
    "'it''s'",
    "\"a: b\"",
    "\"#no comment\"",
    "\"tail \"",
    "\" lead\"",
    "\"*star\"",
    "\"&and\"",
    "\"!bang\"",
    "\"%percent\"",
    "\"@at\"",
    "\"`tick\"",
    "\"- dash\"",
    "\"? ask\"",
    "\"{a: 1}\"",
    "\"[x]\"",
    "\"|\"",
    "\">\"",
    "\"null\"",
    "\"true\"",
    "\"~\"",
    "\"12\"",
    "\"1e3\"",
    "\"0x1f\"",
    "\"2026-01-01\"",
    "\"line\\nbreak\"",
    "\"tab\\there\"",
    "\"bell\\x07\"",
    "\"del\\x7f\"",
    "\"next\\x85line\"",
    "\"sep\\u2028\\u2029\"",
    "\"bom\\ufeff\"",
    "h\xc3\xa9llo",
    "\"\xf0\x9f\x90\xa7\"",
    "\"back\\\\slash\"",
    "\"$dollar {}\"",
    "\"a,b\"",
    "\"---\"",
    "\"...\"",
    "\"\\u00a0nbsp\"",
    "<<",
    "\"=\"",
};
#define TEXTS (sizeof texts / sizeof texts[0])

static const char *text(void)
{
    return texts[pick((unsigned)TEXTS)];
}

static void add_number(struct vf_buffer *out, const char *key, unsigned least, unsigned most, const char *unit)
{
    if (pick(2)) {
        vf_buffer_printf(out, "%s: %u%s, ", key, least + pick(most - least + 1), unit);
    }
}

static void add_errors(struct vf_buffer *out)
{
    if (pick(2)) {
        vf_buffer_add_text(out, "errors: {");
        add_number(out, "retries", 0, 10, "");
        add_number(out, "backoff", 1, 10, "s");
        vf_buffer_add_text(out, pick(2) ? "then: stop}, " : "then: park}, ");
    }
}

static void add_stores(struct vf_buffer *out, unsigned count)
{
    vf_buffer_add_text(out, "stores:\n");
    for (unsigned i = 0; i < count; i++) {
        bool redis = pick(2);
        vf_buffer_printf(out, "  s%u: {%s, ", i,
                         redis ? "redis: \"redis://u@h:1/2\"" : "mongodb: \"mongodb://a,b/d?replicaSet=r\"");
        if (pick(2)) {
            vf_buffer_printf(out, "username: %s, ", text());
        }
        if (redis && pick(2)) {
            vf_buffer_printf(out, "prefix: %s, ", pick(4) ? text() : "\"\"");
        }
        vf_buffer_add_text(out, pick(2) ? "emptied: stop}\n" : "}\n");
    }
}

/* --- envelopes, by parts: all that goes together --- */

static const char *header_name(void)
{
    for (;;) {
        const char *name = text();
        if (name[1] != ' ' && !strstr(name, " \"")) { /* a blank at an end is refused */
            return pick(5) ? name : "\"${env:VF_TEST_HEADER}\"";
        }
    }
}

static const char *pointer(void)
{
    static const char *const pointers[] = {
        "\"\"",         "/",        "/a",        "/a~1b/~0",    "/list/0/-",
        "\"/a b: #c\"", "'/it''s'", "/\xc3\xa4", "\"/tab\\t\"", "\"${env:VF_TEST_POINTER}\""};
    return pointers[pick(sizeof pointers / sizeof pointers[0])];
}

enum kind_of_part { TEXT_PART, VERSION_PART, SCHEMA_PART, TIME_PART };

static const char *form(enum kind_of_part kind, bool in_value)
{
    static const char *const forms[][3] = {[TEXT_PART] = {"utf8", "int", "be64"},
                                           [VERSION_PART] = {"int", "int", "be64"},
                                           [SCHEMA_PART] = {"int", "int", "be64"},
                                           [TIME_PART] = {"rfc3339", "unix_ms", "be64"}};
    return forms[kind][pick(in_value ? 2 : 3)];
}

/* "name: {key: utf8", or from a header or the value; what else belongs to it follows, and a brace. */
static void add_place(struct vf_buffer *out, const char *name, enum kind_of_part kind)
{
    unsigned place = pick(3);
    vf_buffer_printf(out, "%s: {", name);
    if (place == 0) {
        vf_buffer_printf(out, "key: %s", form(kind, false));
    } else {
        vf_buffer_printf(out, place == 1 ? "header: %s" : "value: %s", place == 1 ? header_name() : pointer());
        if (pick(2)) {
            vf_buffer_printf(out, ", as: %s", form(kind, place == 2));
        }
    }
}

static void add_text_part(struct vf_buffer *out, const char *name, bool may_be_missing)
{
    add_place(out, name, TEXT_PART);
    if (may_be_missing && pick(2)) {
        vf_buffer_printf(out, ", missing: %s", pick(2) ? text() : "\"${env:VF_TEST_HEADER}\"");
    }
    vf_buffer_add_text(out, "}, ");
}

/* The numbers; `numbers` 0 to 3 as the table has them. */
static void add_version(struct vf_buffer *out, unsigned numbers, bool must_say)
{
    static const char *const names[] = {"sequence", "revision", "ordered", "offset"};
    if (numbers == 3) {
        vf_buffer_add_text(out, "version: {numbers: offset}, ");
        vf_buffer_add_text(out, pick(2) ? "repeats: 0012, " : "");
        return;
    }
    add_place(out, "version", VERSION_PART);
    if (must_say || numbers > 0 || pick(2)) {
        vf_buffer_printf(out, ", numbers: %s", names[numbers]);
    }
    if (numbers < 2 && pick(2)) {
        vf_buffer_printf(out, ", first: %s", pick(2) ? "0" : "\"${env:VF_TEST_FIRST}\"");
    }
    vf_buffer_add_text(out, numbers < 2 && pick(2) ? ", gaps: park}, " : "}, ");
    vf_buffer_add_text(out, !must_say && !pick(4) ? "repeats: 9, " : "");
}

/* Parts that may be left out anywhere. */
static void add_others(struct vf_buffer *out)
{
    if (pick(2)) {
        add_place(out, "schema", SCHEMA_PART);
        vf_buffer_add_text(out, pick(2) ? ", missing: 7}, " : "}, ");
    }
    if (pick(2)) {
        add_place(out, "time", TIME_PART);
        vf_buffer_add_text(out, pick(2) ? ", missing: timestamp}, " : "}, ");
    }
    vf_buffer_add_text(out, pick(2) ? "tombstone: ignore, " : "");
    vf_buffer_add_text(out, pick(3) ? "" : pick(2) ? "unreadable: stop, " : "unreadable: park, ");
}

static void add_envelopes(struct vf_buffer *out, unsigned count)
{
    vf_buffer_add_text(out, count ? "envelopes:\n" : "");
    for (unsigned i = 0; i < count; i++) {
        vf_buffer_printf(out, "  \"e %u\": {", i);
        add_text_part(out, "kind", true);
        add_text_part(out, "id", false);
        add_text_part(out, "event_id", false);
        add_text_part(out, "type", true);
        vf_buffer_printf(out, "data: {value: %s}, ", pointer());
        add_version(out, pick(4), false);
        add_others(out);
        vf_buffer_add_text(out, "}\n");
    }
}

static void add_override(struct vf_buffer *out)
{
    vf_buffer_add_text(out, "override: {");
    if (pick(2)) {
        add_text_part(out, "type", true);
    }
    if (pick(2)) {
        vf_buffer_printf(out, "data: {value: %s}, ", pointer());
    }
    switch (pick(3)) {
    case 0: add_version(out, pick(4), true); break; /* the envelope's may be such that `first` does not fit */
    case 1: vf_buffer_add_text(out, "version: {numbers: offset}, "); break;
    default: break;
    }
    add_others(out);
    vf_buffer_add_text(out, "}, ");
}

/* A topic in a built-in envelope, with any override that goes with all of them. */
static void add_preset_topic(struct vf_buffer *out, unsigned number)
{
    static const char *const overrides[] = {
        "id: {key: int}, ",       "version: {header: v, as: int, numbers: sequence, first: 0}, ",
        "kind: {value: /kind}, ", "data: {value: /x, as: json}, ",
        "repeats: 3, ",           "time: {header: ce_at, as: rfc1123, missing: timestamp}, ",
        "tombstone: ignore, ",    "event_id: {header: ce_id, as: connect}, ",
    };
    vf_buffer_printf(out, "  preset%u: {kind: k, envelope: %s", number, vf_presets[pick(3)]->name);
    if (pick(2)) {
        unsigned which = pick(8);
        vf_buffer_printf(out, which == 2 ? ", override: {%sunreadable: stop}" : ", override: {%s}",
                         which == 2 ? "" : overrides[which]);
    }
    vf_buffer_add_text(out, "}\n");
}

static void add_topics(struct vf_buffer *out, unsigned count, unsigned envelopes)
{
    vf_buffer_add_text(out, count ? "topics:\n" : "");
    for (unsigned i = 0; i < count; i++) {
        if (pick(4) == 0) {
            add_preset_topic(out, i);
            continue;
        }
        vf_buffer_printf(out, "  %s%u\": {", pick(2) ? "\"t " : "\"t.", i);
        vf_buffer_printf(out, "topic: k%u, ", i);
        if (pick(2)) {
            vf_buffer_printf(out, "kind: %s, ", text());
        }
        if (pick(2)) {
            vf_buffer_add_text(out, pick(2) ? "history: partial, " : "history: complete, ");
        }
        if (pick(2)) {
            vf_buffer_add_text(out, pick(2) ? "partitions_added: keys_stay, " : "partitions_added: stop, ");
        }
        if (envelopes && pick(4)) {
            vf_buffer_printf(out, "envelope: \"e %u\", ", pick(envelopes));
        }
        if (pick(2)) {
            add_override(out);
        }
        vf_buffer_add_text(out, "}\n");
    }
}

static void add_projections(struct vf_buffer *out, unsigned stores)
{
    unsigned count = 1 + pick(3);
    vf_buffer_add_text(out, "projections:\n");
    for (unsigned i = 0; i < count; i++) {
        unsigned store = pick(stores);
        vf_buffer_printf(out, "  - {script: %s, ", text());
        if (stores > 1 || pick(2)) {
            vf_buffer_printf(out, pick(2) ? "stores: s%u, " : "stores: [s%u], ", store);
            if (pick(2)) {
                vf_buffer_printf(out, "names: {s%u: view_%u}, ", store, i);
            }
        }
        add_number(out, "workers", 1, 256, "");
        add_errors(out);
        vf_buffer_add_text(out, "}\n");
    }
}

static char *random_config(uint64_t seed)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    random_state = seed;
    vf_buffer_printf(&out, "kafka: {brokers: [%s, k:1], ", text());
    vf_buffer_printf(&out, pick(2) ? "group: %s, " : "instance: %s, ", text());
    if (pick(2)) {
        vf_buffer_printf(&out, "properties: {client.rack: %s, \"odd: name\": %s, fetch.min.bytes: 1}", text(), text());
    }
    vf_buffer_add_text(&out, "}\n");
    unsigned stores = 1 + pick(3);
    add_stores(&out, stores);
    unsigned envelopes = pick(4);
    add_envelopes(&out, envelopes);
    add_topics(&out, pick(4), envelopes);
    add_projections(&out, stores);
    if (pick(2)) {
        vf_buffer_add_text(&out, "defaults: {");
        add_number(&out, "workers", 1, 256, "");
        add_errors(&out);
        add_number(&out, "cache", 1, 64, "GiB");
        add_number(&out, "drain", 0, 24, "h");
        vf_buffer_add_text(&out, "batch: {");
        add_number(&out, "events", 1, 100000, "");
        add_number(&out, "bytes", 1, 256, "MiB");
        add_number(&out, "written", 1, 1000, "KiB");
        add_number(&out, "wait", 0, 10000, "ms");
        vf_buffer_add_text(&out, "}, limits: {");
        add_number(&out, "document", 1, 15, "MiB");
        add_number(&out, "lua_memory", 1, 64, "GiB");
        add_number(&out, "lua_instructions", 1000, 99999999, "");
        add_number(&out, "handler", 1, 60, "m");
        vf_buffer_add_text(&out, "}}\n");
    }
    if (pick(2)) {
        vf_buffer_printf(&out, "log: {level: %s, format: %s}\n", pick(2) ? "debug" : "error",
                         pick(2) ? "json" : "logfmt");
    }
    return out.data; /* the caller frees it, as vf_buffer_done would */
}

static void assert_same_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a) {
        assert_string_equal(a, b);
    }
}

static void assert_same_errors(struct vf_errors_config a, struct vf_errors_config b)
{
    assert_int_equal(a.retries, b.retries);
    assert_int_equal(a.backoff_ms, b.backoff_ms);
    assert_int_equal(a.then, b.then);
}

/* A form that was left out, as --defaults shows it. */
static enum vf_as form_of(enum vf_part part, const struct vf_mapping *mapping)
{
    bool is_number = part == VF_PART_VERSION || part == VF_PART_SCHEMA;
    bool in_value = mapping->from == VF_FROM_VALUE;
    if (mapping->as != VF_AS_UNSAID || mapping->from == VF_FROM_NOWHERE || part == VF_PART_DATA ||
        (in_value && (is_number || part == VF_PART_ID))) {
        return mapping->as;
    }
    return is_number ? VF_AS_INT : part == VF_PART_TIME ? VF_AS_RFC3339 : VF_AS_UTF8;
}

static void assert_same_envelopes(const struct vf_envelope *a, const struct vf_envelope *b)
{
    const struct vf_envelope_plan *plan = a->plan ? a->plan : &vf_envelope_standard;
    const struct vf_envelope_plan *other = b->plan ? b->plan : &vf_envelope_standard;
    assert_same_text(a->kind, b->kind);
    assert_ptr_equal(a->preset, b->preset);
    assert_int_equal(plan->joins_source, other->joins_source);
    assert_int_equal(plan->data_form, other->data_form);
    assert_int_equal(plan->has_connect, other->has_connect);
    assert_int_equal(a->numbers, b->numbers);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->history_partial, b->history_partial);
    assert_int_equal(a->keys_stay, b->keys_stay);
    assert_int_equal(a->repeats, b->repeats);
    assert_int_equal(a->tombstone, b->tombstone);
    assert_same_text(a->tombstone_type, b->tombstone_type);
    for (int i = 0; i < VF_PART_COUNT; i++) {
        const struct vf_mapping *one = &plan->parts[i], *two = &other->parts[i];
        assert_int_equal(one->from, two->from);
        assert_int_equal(form_of((enum vf_part)i, one), form_of((enum vf_part)i, two));
        assert_same_text(one->name, two->name);
        assert_int_equal(one->has_missing, two->has_missing);
        assert_true(vf_bytes_equal(one->missing, two->missing));
        assert_int_equal(one->missing_number, two->missing_number);
    }
}

static void assert_same_sources(const struct vf_config *a, const struct vf_config *b)
{
    assert_string_equal(a->kafka.brokers, b->kafka.brokers);
    assert_string_equal(a->kafka.group, b->kafka.group);
    assert_same_text(a->kafka.instance, b->kafka.instance);
    assert_int_equal(a->kafka.property_count, b->kafka.property_count);
    for (size_t i = 0; i < a->kafka.property_count; i++) {
        assert_string_equal(a->kafka.properties[i].name, b->kafka.properties[i].name);
        assert_string_equal(a->kafka.properties[i].value, b->kafka.properties[i].value);
    }
    assert_int_equal(a->store_count, b->store_count);
    for (size_t i = 0; i < a->store_count; i++) {
        assert_string_equal(a->stores[i].name, b->stores[i].name);
        assert_string_equal(a->stores[i].type, b->stores[i].type);
        assert_string_equal(a->stores[i].url, b->stores[i].url);
        assert_same_text(a->stores[i].username, b->stores[i].username);
        assert_string_equal(a->stores[i].prefix, b->stores[i].prefix);
        assert_int_equal(a->stores[i].emptied_stop, b->stores[i].emptied_stop);
    }
    assert_int_equal(a->topic_count, b->topic_count);
    for (size_t i = 0; i < a->topic_count; i++) {
        assert_string_equal(a->topics[i].name, b->topics[i].name);
        assert_string_equal(a->topics[i].topic, b->topics[i].topic);
        assert_same_envelopes(&a->topics[i].envelope, &b->topics[i].envelope);
    }
}

static void assert_same(const struct vf_config *a, const struct vf_config *b)
{
    assert_same_sources(a, b);
    assert_int_equal(a->projection_count, b->projection_count);
    for (size_t i = 0; i < a->projection_count; i++) {
        assert_string_equal(a->projections[i].script, b->projections[i].script);
        assert_int_equal(a->projections[i].workers, b->projections[i].workers);
        assert_same_errors(a->projections[i].errors, b->projections[i].errors);
        assert_int_equal(a->projections[i].store_count, b->projections[i].store_count);
        assert_string_equal(a->projections[i].stores[0].store->name, b->projections[i].stores[0].store->name);
        assert_same_text(a->projections[i].stores[0].view_name, b->projections[i].stores[0].view_name);
    }
    assert_memory_equal(&a->batch, &b->batch, sizeof a->batch);
    assert_memory_equal(&a->limits, &b->limits, sizeof a->limits);
    assert_int_equal(a->cache_bytes, b->cache_bytes);
    assert_int_equal(a->drain_ms, b->drain_ms);
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->log_format, b->log_format);
}

static void what_is_printed_is_read_back_as_the_same(void **state)
{
    (void)state;
    setenv("VF_TEST_HEADER", "x: \"y\" \xc3\xa4", 1);
    setenv("VF_TEST_POINTER", "/from~1outside", 1);
    setenv("VF_TEST_FIRST", "1", 1);
    for (uint64_t seed = 1; seed <= 400; seed++) {
        char *written = random_config(seed);
        struct vf_config *first = read_config(written);
        for (int defaults = 0; defaults < 2; defaults++) {
            char *printed = show(written, defaults, false);
            struct vf_config *second = read_config(printed);
            assert_same(first, second);
            char *again = show(printed, defaults, false);
            assert_string_equal(again, printed); /* topics whole, too */
            free(again);
            free(printed);
            vf_config_free(second);
        }
        vf_config_free(first);
        free(written);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_file_says_is_printed_in_the_tables_order),
        cmocka_unit_test(every_default_is_printed_where_it_is_asked_for),
        cmocka_unit_test(an_envelopes_defaults_are_printed_too),
        cmocka_unit_test(a_built_in_envelope_is_printed_as_what_it_means),
        cmocka_unit_test(no_secret_is_printed),
        cmocka_unit_test(a_value_from_outside_is_shown_as_what_takes_effect),
        cmocka_unit_test(an_envelopes_values_from_files_are_shown_as_their_source),
        cmocka_unit_test(what_is_printed_is_read_back_as_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
