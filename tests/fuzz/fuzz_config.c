/*
 * viewfold.yaml: what is read prints, with its defaults and without, and what was printed reads as the same configuration and
 * prints the same. What is not read has a finding with a place. What a ${file:...} holds is in no message and on no screen.
 *
 * An input is the file's text.
 */
#define _GNU_SOURCE /* memmem */
#include "fuzz/fuzz.h"

#include "cli/config_envelope.h"
#include "cli/config_read.h"
#include "cli/config_show.h"
#include "core/json.h"
#include "core/preset.h"

#include <inttypes.h>

#define PATH VIEWFOLD_SOURCE_DIR "/tests/fuzz/viewfold.yaml" /* nothing is there: relative paths begin beside it */

static const char file_secret[] = "s3cret-of-the-file"; /* tests/fuzz/secret.txt */
static const char mask[] = "***";

static const struct vf_config_rules no_rules;

/* --- a configuration as text, for comparing ---------------------------------------------------------------------------- */

static void add(struct vf_buffer *out, const char *name, const char *text)
{
    vf_buffer_printf(out, "%s=%s\n", name, text ? text : "(none)");
}

/* What may be masked, where something was. */
static void add_secret(struct vf_buffer *out, const char *name, const char *text, bool masked)
{
    add(out, name, !masked ? text : text ? "(some)" : NULL);
}

static void add_envelope(struct vf_buffer *out, const struct vf_envelope *envelope)
{
    add(out, "kind", envelope->kind);
    for (size_t i = 0; i < envelope->other_kind_count; i++)
        add(out, "other", envelope->other_kinds[i]);
    vf_buffer_printf(out, "numbers %d first %" PRId64 " partial %d repeats %d\n", (int)envelope->numbers,
                     envelope->first, envelope->history_partial, (int)envelope->repeats);
    vf_buffer_printf(out, "tombstone %d %s preset %s\n", (int)envelope->tombstone,
                     envelope->tombstone_type ? envelope->tombstone_type : "",
                     envelope->preset ? envelope->preset->name : "");
    const struct vf_envelope_plan *plan = envelope->plan ? envelope->plan : &vf_envelope_standard;
    for (int part = 0; part < VF_PART_COUNT; part++) {
        const struct vf_mapping *mapping = &plan->parts[part];
        /* A form that is not said may be the one that is meant by saying nothing. */
        bool is_data = part == VF_PART_DATA;
        bool is_number = part == VF_PART_VERSION || part == VF_PART_SCHEMA;
        enum vf_as as = mapping->as;
        if (as == VF_AS_UNSAID && !is_data && mapping->from == VF_FROM_HEADER)
            as = is_number ? VF_AS_INT : part == VF_PART_TIME ? VF_AS_RFC3339 : VF_AS_UTF8;
        if (as == VF_AS_UNSAID && mapping->from == VF_FROM_VALUE && part != VF_PART_ID && !is_data && !is_number)
            as = part == VF_PART_TIME ? VF_AS_RFC3339 : VF_AS_UTF8;
        vf_buffer_printf(out, "%s from %d as %d %s missing %d %.*s %" PRId64 "\n", vf_part_name((enum vf_part)part),
                         (int)mapping->from, (int)as, mapping->name ? mapping->name : "", mapping->has_missing,
                         FUZZ_TEXT(mapping->missing), mapping->missing_number);
    }
}

static void add_projection(struct vf_buffer *out, const struct vf_projection_entry *projection)
{
    add(out, "script", projection->script);
    add(out, "folder", projection->script_folder);
    add(out, "name", projection->script_name);
    vf_buffer_printf(out, "workers %d retries %d backoff %" PRId64 " then %d\n", (int)projection->workers,
                     (int)projection->errors.retries, projection->errors.backoff_ms, (int)projection->errors.then);
    for (size_t i = 0; i < projection->store_count; i++) {
        add(out, "store", projection->stores[i].store->name);
        add(out, "view", projection->stores[i].view_name);
    }
}

static void add_rest(struct vf_buffer *out, const struct vf_config *config)
{
    const struct vf_batch_config *batch = &config->batch;
    const struct vf_limits_config *limits = &config->limits;
    const int64_t numbers[] = {batch->events_max,
                               batch->bytes_max,
                               batch->written_bytes_max,
                               batch->wait_ms,
                               limits->document_bytes_max,
                               limits->lua_memory_bytes,
                               limits->lua_instructions_max,
                               limits->handler_ms_max,
                               limits->aside_max,
                               limits->aside_bytes_max,
                               config->cache_bytes,
                               config->drain_ms,
                               config->forget_ms,
                               config->log_level,
                               config->log_format};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        vf_buffer_printf(out, "%" PRId64 " ", numbers[i]);
}

static void add_config(struct vf_buffer *out, const struct vf_config *config, bool masked)
{
    const struct vf_kafka_config *kafka = &config->kafka;
    add(out, "brokers", kafka->brokers);
    add(out, "group", kafka->group);
    add(out, "instance", kafka->instance);
    for (size_t i = 0; i < kafka->property_count; i++)
        add_secret(out, kafka->properties[i].name, kafka->properties[i].value, masked);
    for (size_t i = 0; i < config->store_count; i++) {
        const struct vf_store_entry *store = &config->stores[i];
        vf_buffer_printf(out, "store %s %s prefix %s stop %d\n", store->name, store->type, store->prefix,
                         store->emptied_stop);
        add_secret(out, "url", store->url, masked);
        add_secret(out, "address", store->address, masked);
        add_secret(out, "username", store->username, masked);
        add_secret(out, "password", store->password, masked);
    }
    for (size_t i = 0; i < config->topic_count; i++) {
        vf_buffer_printf(out, "topic %s %s\n", config->topics[i].name, config->topics[i].topic);
        add_envelope(out, &config->topics[i].envelope);
    }
    for (size_t i = 0; i < config->projection_count; i++)
        add_projection(out, &config->projections[i]);
    add_rest(out, config);
}

/* --- what has to hold ------------------------------------------------------------------------------------------------ */

static void no_secrets(const char *what, const struct vf_buffer *shown, struct vf_bytes input)
{
    bool is_said = memmem(input.data, input.size, file_secret, sizeof file_secret - 1) != NULL;
    FUZZ_WANT(is_said || !shown->data || !strstr(shown->data, file_secret), "%s: %s", what, shown->data);
}

static void print(struct vf_bytes text, bool defaults, struct vf_buffer *yaml, struct vf_buffer *json)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_findings *findings = vf_findings_new(PATH);
    const struct vf_node *root = vf_config_tree_read(PATH, text, arena, findings);
    FUZZ_WANT(root, "what was read cannot be read");
    const struct vf_shown *shown = vf_config_show(root, defaults, arena);
    vf_config_show_yaml(shown, yaml);
    vf_config_show_json(shown, json);
    vf_findings_free(findings);
    vf_arena_free(arena);
}

/* NULL where something is wrong in it; *shown says what. */
static struct vf_config *read(struct vf_bytes text, struct vf_buffer *shown)
{
    struct vf_findings *findings = vf_findings_new(PATH);
    struct vf_config *config = NULL;
    struct vf_error error = {0};
    enum vf_code code = vf_config_read_text(PATH, text, &no_rules, findings, &config, &error);
    FUZZ_WANT((code == VF_OK) == (vf_findings_count(findings) == 0), "%d, and %zu findings", (int)code,
              vf_findings_count(findings));
    FUZZ_WANT(code == VF_OK || code == VF_E_CONFIG, "%d", (int)code);
    vf_findings_print(findings, VF_FINDINGS_KEPT_MAX, false, shown);
    vf_findings_print_json(findings, shown);
    FUZZ_WANT(vf_bytes_is_utf8(fuzz_bytes(shown)), "a finding that is no UTF-8");
    vf_findings_free(findings);
    return config;
}

static void want_json(const struct vf_buffer *json)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root;
    struct vf_error error = {0};
    FUZZ_WANT(vf_json_parse(parser, fuzz_bytes(json), &root, &error) == VF_OK, "%s: %s", error.text, json->data);
    vf_json_parser_free(parser);
}

/* Prints, reads what was printed, and prints that. */
static void round_trip(struct vf_bytes input, const struct vf_config *config, bool defaults)
{
    struct vf_buffer yaml, json, again, json_again, found, was, is;
    struct vf_buffer *const all[] = {&yaml, &json, &again, &json_again, &found, &was, &is};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        vf_buffer_init(all[i]);
    print(input, defaults, &yaml, &json);
    no_secrets("printed", &yaml, input);
    want_json(&json);
    bool masked = strstr(yaml.data, mask) != NULL;
    struct vf_config *config_again = read(fuzz_bytes(&yaml), &found);
    FUZZ_WANT(config_again || masked, "what was printed cannot be read:\n%s%s", yaml.data, found.data);
    if (config_again) {
        add_config(&was, config, masked);
        add_config(&is, config_again, masked);
        FUZZ_WANT(strcmp(was.data, is.data) == 0, "printed:\n%s\nwas:\n%s\nis:\n%s", yaml.data, was.data, is.data);
        print(fuzz_bytes(&yaml), defaults, &again, &json_again);
        FUZZ_WANT(strcmp(yaml.data, again.data) == 0, "printed:\n%s\nand again:\n%s", yaml.data, again.data);
        FUZZ_WANT(strcmp(json.data, json_again.data) == 0, "printed:\n%s\nand again:\n%s", json.data, json_again.data);
    }
    vf_config_free(config_again);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        vf_buffer_done(all[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const variables[][2] = {{"VF_NAME", "orders"},
                                               {"VF_HOSTILE", "a: [b\n\"c}\\ ${env:VF_NAME} # \x07"},
                                               {"VF_EMPTY", ""},
                                               {"VF_PORT", "12"}};
    struct vf_bytes input = vf_bytes(data, size);
    struct vf_buffer found;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        setenv(variables[i][0], variables[i][1], 1);
    if (size && memmem(data, size, "file:/", 6))
        return 0; /* files of this machine are none of the input's */
    vf_buffer_init(&found);
    struct vf_config *config = read(input, &found);
    no_secrets("found", &found, input);
    if (config) {
        round_trip(input, config, true);
        round_trip(input, config, false);
    }
    vf_buffer_done(&found);
    vf_config_free(config);
    return 0;
}
