#include "cli/config_envelope.h"

#include "cli/config_keys.h"
#include "cli/suggest.h"
#include "core/body.h"
#include "core/preset.h"

#include <stdarg.h>
#include <stdio.h>

/* An envelope as far as it has been read: the default's or a named one's, then what a topic overrides. */
struct mapped {
    const char *name;
    const struct vf_preset *preset; /* that it is, or NULL */
    struct vf_mapping parts[VF_PART_COUNT];
    enum vf_numbers numbers;
    int64_t first;
    bool gaps_allowed;
    int64_t gaps_wait_ms;
    bool unreadable_stops;
    int32_t repeats; /* as written: it acts where numbers are offsets */
    enum vf_tombstone tombstone;
    const char *tombstone_type;
    const char *tombstone_source; /* as it was written, for messages */
    bool is_mapped;               /* some part is not the default's */
    bool is_wrong;                /* a finding says why: nobody needs to hear more about it */
};

struct vf_config_envelopes {
    struct mapped *all;
    size_t count;
};

/* One map of the file that is being read: an envelope, or an override. */
struct level {
    const char *path; /* as people read it: "envelopes.ours", "topics.orders.override" */
    const struct vf_node *map;
    struct vf_findings *findings;
    struct mapped *mapped;
    bool is_override;
};

static const char *const unbuilt[] = {"axon", "debezium-cdc", "wolverine"};

static const char *const sources[] = {"key", "header", "value"};

static void wrong(struct level *level, struct vf_place place, const char *format, ...) VF_PRINTF(3, 4);

static void wrong(struct level *level, struct vf_place place, const char *format, ...)
{
    char text[VF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    vf_findings_add(level->findings, place, "%s.%s", level->path, text);
    level->mapped->is_wrong = true;
}

/* --- values that the table of keys has checked already --------------------------------------------------------------- */

static bool is_text(const struct vf_node *node)
{
    return node && node->kind == VF_NODE_SCALAR && !node->bad && (node->text[0] || node->quoted);
}

/* The number or choice of a node whose key is `path` in the table. False: it is not there, or was found wrong. */
static bool number_of(const struct vf_node *node, const char *path, int64_t *ret_number)
{
    struct vf_error error;
    return is_text(node) && vf_key_read(vf_key_find(path), node->text, node->source, ret_number, &error) == VF_OK;
}

/* --- one part -------------------------------------------------------------------------------------------------------- */

const char *vf_config_as_name(enum vf_as as)
{
    static const char *const names[] = {
        [VF_AS_UNSAID] = "",         [VF_AS_UTF8] = "utf8",       [VF_AS_INT] = "int",
        [VF_AS_BE64] = "be64",       [VF_AS_RFC3339] = "rfc3339", [VF_AS_UNIX_MS] = "unix_ms",
        [VF_AS_RFC1123] = "rfc1123", [VF_AS_JSON] = "json",       [VF_AS_CONNECT] = "connect",
    };
    return names[as];
}

/* What to say instead of this form for this part, or NULL: it fits. */
static const char *as_refusal(enum vf_part part, enum vf_from from, enum vf_as as)
{
    if (as == VF_AS_UNSAID) {
        return NULL;
    }
    if (part == VF_PART_DATA) {
        return as == VF_AS_JSON || as == VF_AS_CONNECT
                   ? NULL
                   : "data is JSON, and has no `as` but json (a string holds it) and connect";
    }
    if (as == VF_AS_JSON) {
        return "that is for data";
    }
    if (as == VF_AS_CONNECT && from == VF_FROM_VALUE) {
        return "connect is for keys, headers and data: in the value, a pointer leads into what is wrapped";
    }
    if (as == VF_AS_BE64 && from == VF_FROM_VALUE) {
        return "be64 is for keys and headers: JSON holds no bytes";
    }
    if (part == VF_PART_TIME) {
        return as == VF_AS_INT ? "a time has a unit: say unix_ms"
               : as == VF_AS_UTF8 || as == VF_AS_CONNECT
                   ? "a time is rfc3339, rfc1123, unix_ms, or be64 for Unix milliseconds in 8 bytes"
                   : NULL;
    }
    if (as == VF_AS_RFC3339 || as == VF_AS_UNIX_MS || as == VF_AS_RFC1123) {
        return "that is for time; utf8, int and be64 are for the rest";
    }
    return part == VF_PART_SCHEMA && as == VF_AS_UTF8 ? "a schema is a number: int, or be64" : NULL;
}

static bool pointer_is_valid(const char *pointer)
{
    if (pointer[0] && pointer[0] != '/') {
        return false;
    }
    for (const char *at = pointer; *at; at++) {
        if (*at == '~' && at[1] != '0' && at[1] != '1') {
            return false;
        }
    }
    return true;
}

/* Where the part is: fills `from`, `name` and, of a key, `as`. `source` is the node of key, header or value. */
static void read_source(struct level *level, const char *part, const struct vf_node *source, struct vf_mapping *mapping)
{
    int64_t as = 0;
    mapping->name = source->text;
    if (strcmp(source->key, "key") == 0) {
        mapping->from = VF_FROM_KEY;
        mapping->name = NULL;
        if (number_of(source, "envelopes.*.id.key", &as)) {
            mapping->as = (enum vf_as)(VF_AS_UTF8 + as);
        } else {
            level->mapped->is_wrong = true;
        }
    } else if (strcmp(source->key, "header") == 0) {
        size_t size = strlen(source->text);
        mapping->from = VF_FROM_HEADER;
        if (!is_text(source) || size == 0) {
            level->mapped->is_wrong = true;
        } else if (source->text[0] == ' ' || source->text[size - 1] == ' ') {
            wrong(level, source->place, "%s.header: a header's name neither begins nor ends with a space", part);
        }
    } else {
        mapping->from = VF_FROM_VALUE;
        if (!is_text(source)) {
            level->mapped->is_wrong = true;
        } else if (!pointer_is_valid(source->text)) {
            wrong(
                level, source->place,
                "%s.value: %s is no JSON pointer: it is \"\" (the whole value) or begins with '/', as in /order/id; a '/' or "
                "'~' in a name is written ~1, ~0",
                part, source->source);
        }
    }
}

static void read_as(struct level *level, enum vf_part part, const struct vf_node *node, const struct vf_node *as_node,
                    struct vf_mapping *mapping)
{
    const char *name = vf_part_name(part);
    int64_t as = 0;
    if (as_node && mapping->from == VF_FROM_KEY) {
        wrong(level, as_node->key_place, "%s.as: a key says its form itself: {key: %s}", name,
              is_text(as_node) ? as_node->source : "utf8");
        return;
    }
    if (as_node && !number_of(as_node, "envelopes.*.id.as", &as)) {
        level->mapped->is_wrong = true;
        return;
    }
    if (as_node) {
        mapping->as = (enum vf_as)(VF_AS_UTF8 + as);
    }
    const char *refusal = as_refusal(part, mapping->from, mapping->as);
    const struct vf_node *said = as_node ? as_node : vf_node_member(node, "key");
    if (refusal) {
        wrong(level, said ? said->place : node->place, "%s: %s does not fit: %s", name, vf_config_as_name(mapping->as),
              refusal);
    }
    const struct vf_preset *preset = level->mapped->preset;
    if (preset && preset->wire == VF_WIRE_CLOUDEVENTS && mapping->from == VF_FROM_HEADER && mapping->as == VF_AS_BE64 &&
        strncmp(mapping->name, "ce_", 3) == 0) {
        wrong(level, said ? said->place : node->place, "%s: be64 does not fit: a CloudEvent's attributes are text",
              name);
    }
}

static void read_missing(struct level *level, enum vf_part part, const struct vf_node *node, struct vf_mapping *mapping)
{
    static const char *const refusals[VF_PART_COUNT] = {
        [VF_PART_ID] = "an event without an id belongs to no aggregate",
        [VF_PART_VERSION] = "a number cannot be made up; where events carry none, say numbers: offset",
        [VF_PART_EVENT_ID] = "an id that several events have tells none of them apart",
        [VF_PART_DATA] = "an event without data has none: e.data is nil",
    };
    const char *name = vf_part_name(part);
    if (!is_text(node) || !node->text[0]) {
        level->mapped->is_wrong = true; /* the table has said why */
        return;
    }
    if (refusals[part]) {
        wrong(level, node->key_place, "%s has no `missing`: %s", name, refusals[part]);
        return;
    }
    mapping->has_missing = true;
    mapping->missing = vf_bytes_from(node->text); /* of a time it is `timestamp`, the table's only choice */
    if (part == VF_PART_SCHEMA && !number_of(node, "envelopes.*.schema.missing", &mapping->missing_number)) {
        level->mapped->is_wrong = true;
    }
    if (mapping->missing.size > VF_ID_BYTES_MAX || (part == VF_PART_KIND && strchr(node->text, '/'))) {
        wrong(level, node->place, "%s.missing: at most %d bytes%s", name, VF_ID_BYTES_MAX,
              part == VF_PART_KIND ? ", and a kind has no '/'" : "");
    }
}

/* The part's place in the record, where this level says one. */
static void read_part(struct level *level, enum vf_part part)
{
    const char *name = vf_part_name(part);
    const struct vf_node *node = vf_node_member(level->map, name);
    const struct vf_node *source = NULL;
    if (!node) {
        return;
    }
    if (node->kind != VF_NODE_MAP || node->bad) {
        level->mapped->is_wrong = true;
        return;
    }
    for (const struct vf_node *child = node->first; child; child = child->next) {
        bool is_source = false;
        for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
            is_source |= strcmp(child->key, sources[i]) == 0;
        }
        if (is_source && source) {
            wrong(level, child->key_place, "%s: one of key, header and value is wanted, not %s and %s", name,
                  source->key, child->key);
            return;
        }
        source = is_source ? child : source;
    }
    const struct vf_node *as = vf_node_member(node, "as"), *missing = vf_node_member(node, "missing");
    if (!source) {
        if (part != VF_PART_VERSION || as || missing || !node->first) {
            wrong(level, node->key_place, "%s: one of key, header and value is wanted", name);
        }
        return; /* a version without a place: only what its numbers are */
    }
    struct vf_mapping mapping = {.from = VF_FROM_NOWHERE};
    read_source(level, name, source, &mapping);
    if (part == VF_PART_DATA && mapping.from != VF_FROM_VALUE) {
        wrong(level, source->key_place, "data: an event's data is in the value: {value: \"\"} is all of it");
    }
    read_as(level, part, node, as, &mapping);
    if (missing) {
        read_missing(level, part, missing, &mapping);
    }
    level->mapped->parts[part] = mapping;
    level->mapped->is_mapped = true;
}

/* --- numbers --------------------------------------------------------------------------------------------------------- */

static bool has_source(const struct vf_node *node)
{
    return vf_node_member(node, "key") || vf_node_member(node, "header") || vf_node_member(node, "value");
}

static bool are_counted(enum vf_numbers numbers)
{
    return numbers == VF_NUMBERS_SEQUENCE || numbers == VF_NUMBERS_REVISION;
}

static bool read_gaps(const struct vf_node *gaps, struct mapped *mapped)
{
    static const char wait[] = "wait ";
    if (!is_text(gaps))
        return false;
    mapped->gaps_wait_ms = 0;
    mapped->gaps_allowed = strcmp(gaps->text, "allow") == 0;
    if (strncmp(gaps->text, wait, sizeof wait - 1) == 0)
        return vf_duration_parse(gaps->text + sizeof wait - 1, &mapped->gaps_wait_ms) && mapped->gaps_wait_ms > 0;
    return mapped->gaps_allowed || strcmp(gaps->text, "park") == 0;
}

static void read_numbers(struct level *level)
{
    static const enum vf_numbers choices[] = {VF_NUMBERS_SEQUENCE, VF_NUMBERS_REVISION, VF_NUMBERS_ORDERED,
                                              VF_NUMBERS_OFFSET};
    const struct vf_node *version = vf_node_member(level->map, "version");
    const struct vf_node *numbers = vf_node_member(version, "numbers"), *first = vf_node_member(version, "first");
    const struct vf_node *gaps = vf_node_member(version, "gaps"), *repeats = vf_node_member(level->map, "repeats");
    struct mapped *mapped = level->mapped;
    int64_t number;
    if (number_of(numbers, "envelopes.*.version.numbers", &number)) {
        mapped->numbers = choices[number];
    } else if (numbers) {
        mapped->is_wrong = true;
        return;
    }
    if (number_of(first, "envelopes.*.version.first", &number)) {
        mapped->first = number;
    }
    if (first && !are_counted(mapped->numbers)) {
        wrong(level, first->key_place, "version.first is for numbers: sequence and revision; others begin anywhere");
    }
    if (gaps && !are_counted(mapped->numbers)) {
        wrong(level, gaps->key_place, "version.gaps is for numbers: sequence and revision; others have none");
    }
    if (gaps && !read_gaps(gaps, mapped))
        wrong(level, gaps->place, "version.gaps: one of park, allow, or wait with a duration (wait 30s)");
    if (number_of(repeats, "envelopes.*.repeats", &number)) {
        mapped->repeats = (int32_t)number;
    }
    if (repeats && level->is_override &&
        mapped->numbers != VF_NUMBERS_OFFSET) { /* an envelope's may be for another topic */
        wrong(level, repeats->key_place, "repeats is for numbers: offset; where numbers grow, they tell repeats apart");
    }
    if (has_source(version) && mapped->numbers == VF_NUMBERS_OFFSET) {
        wrong(
            level, version->key_place,
            "version: numbers: offset takes the record's offset; leave out where a number is, or say what those numbers are");
    }
}

static void read_rest(struct level *level)
{
    const struct vf_node *tombstone = vf_node_member(level->map, "tombstone");
    struct mapped *mapped = level->mapped;
    int64_t unreadable;
    if (number_of(vf_node_member(level->map, "unreadable"), "envelopes.*.unreadable", &unreadable))
        mapped->unreadable_stops = unreadable == 1;
    if (!tombstone) {
        return;
    }
    if (!is_text(tombstone) || !tombstone->text[0]) {
        mapped->is_wrong = true;
    } else if (strcmp(tombstone->text, "delete") == 0) {
        wrong(level, tombstone->place, "tombstone: delete is not built yet: say ignore, or the name of an event type");
    } else if (strlen(tombstone->text) > VF_ID_BYTES_MAX) {
        wrong(level, tombstone->place, "tombstone: an event type has at most %d bytes", VF_ID_BYTES_MAX);
    } else {
        bool ignored = strcmp(tombstone->text, "ignore") == 0;
        mapped->tombstone = ignored ? VF_TOMBSTONE_IGNORED : VF_TOMBSTONE_TYPE;
        mapped->tombstone_type = ignored ? NULL : tombstone->text;
        mapped->tombstone_source = tombstone->source;
    }
}

/* --- what does not go together --------------------------------------------------------------------------------------- */

/* Where a level said something about one of these, the most telling first; else where its map is. */
static struct vf_place place_of(const struct level *level, const char *first, const char *second)
{
    const struct vf_node *node = vf_node_member(level->map, first);
    node = node ? node : vf_node_member(level->map, second);
    return node ? node->key_place : level->map->key_place;
}

/* How many event ids are remembered: where numbers grow, none. */
static int32_t repeats_of(const struct mapped *mapped)
{
    return mapped->numbers == VF_NUMBERS_OFFSET ? mapped->repeats : 0;
}

static void check_version(struct level *level)
{
    struct mapped *mapped = level->mapped;
    struct vf_mapping *version = &mapped->parts[VF_PART_VERSION];
    bool has_event_id = mapped->parts[VF_PART_EVENT_ID].from != VF_FROM_NOWHERE;
    if (mapped->numbers == VF_NUMBERS_OFFSET) {
        *version = (struct vf_mapping){.from = VF_FROM_NOWHERE};
    } else if (version->from == VF_FROM_NOWHERE) {
        wrong(level, place_of(level, "version", "id"),
              "version is missing: where the events' numbers are; {numbers: offset} where they carry none");
    } else if (version->as == VF_AS_UTF8 && mapped->numbers != VF_NUMBERS_ORDERED) {
        wrong(level, place_of(level, "version", "id"),
              "version: utf8 does not fit: numbers that are text are for numbers: ordered; else int, or be64");
    }
    if (mapped->numbers == VF_NUMBERS_REVISION && !has_event_id) {
        wrong(level, place_of(level, "version", "event_id"),
              "version: numbers: revision needs event_id: it tells a repeat from another event of the same revision");
    }
    if (repeats_of(mapped) > 0 && !has_event_id) {
        wrong(level, place_of(level, "repeats", "version"), "repeats needs event_id: it is what is remembered");
    }
}

/* A tombstone has no value to look into: what its event cannot be without is elsewhere. */
static void check_tombstone(struct level *level, bool kind_is_fixed)
{
    const struct mapped *mapped = level->mapped;
    struct vf_place place = place_of(level, "tombstone", "version");
    bool needs_event_id = mapped->numbers == VF_NUMBERS_REVISION || repeats_of(mapped) > 0;
    if (mapped->tombstone != VF_TOMBSTONE_TYPE) {
        return;
    }
    for (int part = 0; part < VF_PART_COUNT; part++) {
        bool needed = part == VF_PART_ID || (part == VF_PART_KIND && !kind_is_fixed) ||
                      (part == VF_PART_EVENT_ID && needs_event_id);
        if (needed && mapped->parts[part].from == VF_FROM_VALUE) {
            wrong(level, place,
                  "tombstone: %s: a null value cannot hold the event's %s: map it to the key or a header, or say "
                  "tombstone: ignore",
                  mapped->tombstone_source, vf_part_name((enum vf_part)part));
            return;
        }
    }
    if (mapped->parts[VF_PART_VERSION].from == VF_FROM_VALUE) {
        wrong(
            level, place,
            "tombstone: %s: its version would have to be the next one, which is not built yet: map version to a header, "
            "or say numbers: offset or tombstone: ignore",
            mapped->tombstone_source);
    }
}

static void read_level(struct level *level)
{
    for (int part = 0; part < VF_PART_COUNT; part++) {
        read_part(level, (enum vf_part)part);
    }
    read_numbers(level);
    read_rest(level);
}

/* --- envelopes by name ----------------------------------------------------------------------------------------------- */

static bool is_unbuilt(const char *name)
{
    for (size_t i = 0; i < sizeof unbuilt / sizeof unbuilt[0]; i++) {
        if (strcmp(name, unbuilt[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void check_is_whole(struct level *level)
{
    static const struct {
        enum vf_part part;
        const char *what;
    } needed[] = {
        {VF_PART_ID, "where the aggregate's id is, as in {key: utf8}"},
        {VF_PART_TYPE, "where the event's type is, as in {header: event-type}"},
        {VF_PART_DATA, "where the event's data is; {value: \"\"} is the whole value"},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (!vf_node_member(level->map, vf_part_name(needed[i].part))) {
            wrong(level, level->map->key_place, "%s is missing: %s", vf_part_name(needed[i].part), needed[i].what);
        }
    }
}

const struct vf_config_envelopes *vf_config_envelopes_read(const struct vf_node *envelopes, struct vf_arena *arena,
                                                           struct vf_findings *findings)
{
    struct vf_config_envelopes *read = vf_arena_calloc(arena, 1, sizeof *read);
    const struct vf_node *first = envelopes && envelopes->kind == VF_NODE_MAP ? envelopes->first : NULL;
    for (const struct vf_node *node = first; node; node = node->next) {
        read->count++;
    }
    read->all = vf_arena_calloc(arena, read->count, sizeof *read->all);
    struct mapped *mapped = read->all;
    for (const struct vf_node *node = first; node; node = node->next, mapped++) {
        *mapped = (struct mapped){.name = node->key, .numbers = VF_NUMBERS_SEQUENCE, .first = 1};
        struct level level = {.path = vf_arena_printf(arena, "envelopes.%s", node->key).data,
                              .map = node,
                              .findings = findings,
                              .mapped = mapped};
        if (is_unbuilt(node->key) || vf_preset_find(node->key)) {
            vf_findings_add(findings, node->key_place,
                            "%s is the name of an envelope that %s built in: call this one otherwise", level.path,
                            is_unbuilt(node->key) ? "will be" : "is");
        }
        if (node->kind != VF_NODE_MAP || node->bad) {
            mapped->is_wrong = true;
            continue;
        }
        read_level(&level);
        check_is_whole(&level);
        if (!mapped->is_wrong) {
            check_version(&level);
        }
        if (!mapped->is_wrong) {
            check_tombstone(&level, true); /* whether the kind is fixed, each topic says */
        }
    }
    return read;
}

/* --- a topic's ------------------------------------------------------------------------------------------------------- */

static struct mapped mapped_preset(const struct vf_preset *preset)
{
    struct mapped mapped = {.name = preset->name,
                            .preset = preset,
                            .numbers = preset->numbers,
                            .first = 1,
                            .repeats = preset->repeats,
                            .is_mapped = true};
    memcpy(mapped.parts, preset->parts, sizeof mapped.parts);
    return mapped;
}

/* The envelope that the topic names, or the default's. False: a finding says why there is none. */
static bool find_named(const struct vf_config_envelopes *envelopes, const struct vf_node *topic,
                       struct vf_findings *findings, struct mapped *mapped)
{
    const struct vf_node *node = vf_node_member(topic, "envelope");
    const char *near = NULL;
    if (!node) {
        *mapped = (struct mapped){.numbers = VF_NUMBERS_SEQUENCE, .first = 1};
        memcpy(mapped->parts, vf_envelope_standard.parts, sizeof mapped->parts);
        return true;
    }
    if (!is_text(node) || !node->text[0]) {
        return false;
    }
    if (vf_preset_find(node->text)) {
        *mapped = mapped_preset(vf_preset_find(node->text));
        return true;
    }
    for (size_t i = 0; i < envelopes->count; i++) {
        if (strcmp(envelopes->all[i].name, node->text) == 0) {
            *mapped = envelopes->all[i];
            return !mapped->is_wrong;
        }
        vf_suggest_offer(node->text, envelopes->all[i].name, &near);
    }
    for (size_t i = 0; i < vf_preset_count; i++) {
        vf_suggest_offer(node->text, vf_presets[i]->name, &near);
    }
    if (is_unbuilt(node->text)) {
        vf_findings_add(
            findings, node->place,
            "topics.%s.envelope: %s is not built yet: map it under envelopes (docs/envelopes.md has its parts)",
            topic->key, node->source);
        return false;
    }
    vf_findings_add(findings, node->place, "topics.%s.envelope: there is no %s under envelopes%s%s%s", topic->key,
                    node->source, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return false;
}

/* "debezium-outbox carries none; outbox.event.loan has its kind in its name: kind: loan" */
static const char *what_carries_none(const struct vf_node *topic, const struct vf_preset *preset,
                                     struct vf_arena *arena)
{
    static const char routed[] = "outbox.event.";
    const struct vf_node *said = vf_node_member(topic, "topic");
    const char *name = is_text(said) ? said->text : topic->key;
    bool in_name =
        preset->wire == VF_WIRE_OUTBOX && strncmp(name, routed, sizeof routed - 1) == 0 && name[sizeof routed - 1];
    return vf_arena_printf(arena, "%s carries none%s%s%s%s", preset->name, in_name ? "; " : "", in_name ? name : "",
                           in_name ? " has it in its name, so kind: " : "", in_name ? name + sizeof routed - 1 : "")
        .data;
}

static void read_override(struct level *level, bool kind_is_fixed)
{
    const struct vf_node *kind = vf_node_member(level->map, "kind");
    if (kind && kind_is_fixed) {
        wrong(level, kind->key_place, "kind: the topic fixes its kind, so it is not read: say one of the two");
    }
    read_level(level);
    if (!level->mapped->is_wrong) {
        check_version(level);
    }
}

struct vf_envelope vf_config_envelope_of(const struct vf_config_envelopes *envelopes, const struct vf_node *topic,
                                         struct vf_arena *arena, struct vf_findings *findings)
{
    const struct vf_node *kind = vf_node_member(topic, "kind"), *override = vf_node_member(topic, "override");
    const char *fixed = is_text(kind) && kind->text[0] ? kind->text : NULL;
    struct vf_envelope envelope = {.kind = fixed, .numbers = VF_NUMBERS_SEQUENCE, .first = 1};
    struct mapped mapped;
    struct level level = {.path = vf_arena_printf(arena, "topics.%s.override", topic->key).data,
                          .map = override,
                          .findings = findings,
                          .mapped = &mapped,
                          .is_override = true};
    if (!find_named(envelopes, topic, findings, &mapped)) {
        return envelope;
    }
    if (override && override->kind == VF_NODE_MAP && !override->bad) {
        read_override(&level, fixed != NULL);
    }
    if (!mapped.is_wrong && !fixed && mapped.parts[VF_PART_KIND].from == VF_FROM_NOWHERE) {
        vf_findings_add(findings, topic->key_place,
                        "topics.%s: the events' kind is missing: say `kind` here, or map it in the %s %s", topic->key,
                        mapped.preset ? "override;" : "envelope",
                        mapped.preset ? what_carries_none(topic, mapped.preset, arena) : mapped.name);
        return envelope;
    }
    if (!mapped.is_wrong) {
        /* Where the override does not say it, the topic's own place tells which topic it is about. */
        level.path = override && override->kind == VF_NODE_MAP ? level.path
                                                               : vf_arena_printf(arena, "topics.%s", topic->key).data;
        level.map = override && override->kind == VF_NODE_MAP ? override : topic;
        check_tombstone(&level, fixed != NULL);
    }
    if (mapped.is_wrong) {
        return envelope;
    }
    envelope.preset = mapped.preset;
    envelope.numbers = mapped.numbers;
    envelope.first = mapped.first;
    envelope.gaps_allowed = mapped.gaps_allowed;
    envelope.gaps_wait_ms = mapped.gaps_wait_ms;
    envelope.unreadable_stops = mapped.unreadable_stops;
    envelope.repeats = repeats_of(&mapped);
    envelope.tombstone = mapped.tombstone;
    envelope.tombstone_type = mapped.tombstone_type;
    if (mapped.is_mapped) {
        vf_envelope_resolve(&envelope, mapped.parts, arena);
    }
    return envelope;
}
