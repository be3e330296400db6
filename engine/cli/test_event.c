#include "cli/test_event.h"

#include "cli/suggest.h"
#include "cli/test_yaml.h"
#include "core/body.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* 2026-01-01T00:00:00Z: when a test's first event is, where it does not say. */
#define FIRST_EVENT_MS 1767225600000
#define EVENT_STEP_MS  1000

#define NOTATION "An event is written order/63-0@1 OrderCreated: {...}: kind/id@version, its type, and its data"
#define VERSION  "an integer, or a text with a digit in it"

/* --- kind/id@version Type ----------------------------------------------------------------------------------------- */

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text)) {
        text++;
    }
    return text;
}

/* Where the version that begins here ends: 12, 12~event-id, or a text like 01HV5 or 2026-01-02T03:04:05Z, which no space
 * and no '@' is in. NULL: none does. */
static const char *end_of_version(const char *text, bool *ret_integer)
{
    const char *end = text + strcspn(text, " @");
    const char *digits = skip_digits(text);
    *ret_integer = digits > text && (digits == end || (*digits == '~' && digits + 1 < end));
    bool is_text = isalnum((unsigned char)*text) && strcspn(text, "0123456789") < (size_t)(end - text) &&
                   !memchr(text, '~', (size_t)(end - text));
    return *end != '@' && (*ret_integer || is_text) ? end : NULL;
}

/* The last '@' that a version follows, one that is an integer if there is one: an id may hold '@' and spaces itself. */
static const char *find_version(const char *text, const char **ret_end)
{
    const char *found = NULL;
    bool found_integer = false;
    for (const char *at = strchr(text, '@'); at; at = strchr(at + 1, '@')) {
        bool integer;
        const char *end = end_of_version(at + 1, &integer);
        if (end && (integer || !found_integer)) {
            found = at;
            found_integer = integer;
            *ret_end = end;
        }
    }
    return found;
}

static bool check_id(const struct vf_test_reading *reading, struct vf_place place, const char *what,
                     struct vf_bytes bytes)
{
    if (bytes.size == 0 || bytes.size > VF_ID_BYTES_MAX) {
        vf_findings_add(reading->findings, place, "the %s has %zu bytes: 1 to %d go. " NOTATION, what, bytes.size,
                        VF_ID_BYTES_MAX);
        return false;
    }
    return true;
}

/* Kinds of other projections may stand in a test, as they do in a topic; one that nearly is ours is a slip. */
static bool check_kind(const struct vf_test_reading *reading, struct vf_place place, const char *kind)
{
    const struct vf_projection *projection = reading->projection;
    const char *near = NULL;
    for (size_t i = 0; i < projection->route_count; i++) {
        if (strcmp(projection->routes[i].kind, kind) == 0) {
            return true;
        }
        vf_suggest_offer(kind, projection->routes[i].kind, &near);
    }
    if (near) {
        vf_findings_add(reading->findings, place, "%s has no kind %s in its `key`; did you mean %s?", projection->name,
                        kind, near);
    }
    return !near;
}

/* Reads the notation; the type may be missing (NULL then). */
static bool read_notation(const struct vf_test_reading *reading, struct vf_place place, const char *text,
                          struct vf_test_event *event)
{
    const char *end = NULL;
    const char *slash = strchr(text, '/');
    const char *at = find_version(text, &end);
    if (!slash || !at || slash > at) {
        vf_findings_add(reading->findings, place, "%s%.100s%s is no event: %s", text[0] ? "" : "\"", text,
                        text[0] ? "" : "\"",
                        !slash ? "the '/' between kind and id is missing. " NOTATION
                               : "the @ with the version, " VERSION ", is missing. " NOTATION);
        return false;
    }
    event->kind = vf_arena_bytes(reading->arena, text, (size_t)(slash - text));
    event->id = vf_arena_bytes(reading->arena, slash + 1, (size_t)(at - slash - 1));
    const char *digits = skip_digits(at + 1);
    const char *version_end = *digits == '~' ? digits : end;
    event->version = vf_arena_bytes(reading->arena, at + 1, (size_t)(version_end - at - 1));
    event->version_is_text = digits != version_end || (at[1] == '0' && digits > at + 2);
    if (version_end != end) {
        event->event_id = vf_arena_bytes(reading->arena, version_end + 1, (size_t)(end - version_end - 1)).data;
        event->is_revision = true;
    }
    while (*end == ' ') {
        end++;
    }
    event->type = *end ? end : NULL;
    return check_id(reading, place, "kind", event->kind) && check_id(reading, place, "id", event->id) &&
           check_kind(reading, place, event->kind.data);
}

/* --- the record --------------------------------------------------------------------------------------------------- */

/* Which of the projection's topics a kind's events come from matters to nobody but a handler that looks at e.topic: the one
 * that is called like it, or like several of it, or else the first. */
static const char *topic_of(const struct vf_projection *projection, struct vf_bytes kind)
{
    for (size_t i = 0; i < projection->topic_count; i++) {
        const char *topic = projection->topics[i];
        bool begins = strncmp(topic, kind.data, kind.size) == 0;
        if (begins && (!topic[kind.size] || strcmp(topic + kind.size, "s") == 0)) {
            return topic;
        }
    }
    return projection->topics[0];
}

bool vf_test_event_number(const struct vf_test_event *event, int64_t *ret_number)
{
    errno = 0;
    *ret_number = strtoll(event->version.data, NULL, 10);
    return errno != ERANGE;
}

bool vf_test_event_write(const struct vf_test_reading *reading, struct vf_test_event *event)
{
    int64_t number;
    if (event->numbers != VF_NUMBERS_ORDERED && !vf_test_event_number(event, &number)) {
        vf_findings_add(reading->findings, event->place, "the version %s is beyond 64 bits", event->version.data);
        return false;
    }
    struct vf_buffer json;
    char time[VF_TIME_TEXT_BYTES];
    vf_buffer_init(&json);
    vf_buffer_add_text(&json, "{\"kind\":");
    vf_json_print_string(&json, event->kind);
    vf_buffer_add_text(&json, ",\"id\":");
    vf_json_print_string(&json, event->id);
    vf_buffer_add_text(&json, ",\"version\":");
    if (event->numbers == VF_NUMBERS_ORDERED) {
        vf_json_print_string(&json, event->version);
    } else {
        vf_buffer_add_int(&json, number);
    }
    vf_buffer_add_text(&json, ",\"type\":");
    vf_json_print_string(&json, vf_bytes_from(event->type));
    if (event->event_id) {
        vf_buffer_add_text(&json, ",\"event_id\":");
        vf_json_print_string(&json, vf_bytes_from(event->event_id));
    }
    if (event->schema) {
        vf_buffer_add_text(&json, ",\"schema\":");
        vf_test_yaml_json(event->schema, reading->findings, &json);
    }
    vf_time_print(time, event->time_ms);
    vf_buffer_printf(&json, ",\"time\":\"%s\"", time);
    if (event->data) {
        vf_buffer_add_text(&json, ",\"data\":");
        vf_test_yaml_json(event->data, reading->findings, &json);
    }
    vf_buffer_add_char(&json, '}');
    event->record = vf_arena_bytes(reading->arena, json.data, json.size);
    vf_buffer_done(&json);
    return true;
}

/* --- the long form ------------------------------------------------------------------------------------------------ */

static const char *const long_keys[] = {"event",    "type",   "data",  "time", "headers",
                                        "event_id", "schema", "topic", NULL};

static bool check_long_keys(const struct vf_test_reading *reading, const struct vf_node *node)
{
    bool fine = true;
    for (const struct vf_node *member = node->first; member; member = member->next) {
        const char *near = NULL;
        bool known = false;
        for (size_t i = 0; long_keys[i]; i++) {
            known = known || strcmp(long_keys[i], member->key) == 0;
            vf_suggest_offer(member->key, long_keys[i], &near);
        }
        if (!known) {
            vf_findings_add(
                reading->findings, member->key_place,
                "an event's long form has no %s: it has event, type, data, time, headers, event_id, schema and "
                "topic%s%s%s",
                member->key, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
            fine = false;
        }
    }
    return fine;
}

/* Text that is there and not empty; NULL with a finding otherwise, and NULL without one where it is missing. */
static const char *text_member(const struct vf_test_reading *reading, const struct vf_node *node, const char *key,
                               bool *fine)
{
    const struct vf_node *member = vf_node_member(node, key);
    if (!member) {
        return NULL;
    }
    if (member->kind != VF_NODE_SCALAR || !member->text[0]) {
        vf_findings_add(reading->findings, member->place, "%s is text, and not empty", key);
        *fine = false;
        return NULL;
    }
    return member->text;
}

static bool read_time(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_event *event)
{
    const struct vf_node *time = vf_node_member(node, "time");
    if (!time) {
        return true;
    }
    if (time->kind == VF_NODE_SCALAR && vf_time_parse(vf_bytes_from(time->text), &event->time_ms)) {
        return true;
    }
    vf_findings_add(reading->findings, time->place, "time is RFC 3339, as in 2026-03-01T10:00:00Z");
    return false;
}

static bool read_headers(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_event *event)
{
    const struct vf_node *map = vf_node_member(node, "headers");
    size_t count = 0;
    if (!map) {
        return true;
    }
    bool fine = map->kind == VF_NODE_MAP;
    for (const struct vf_node *header = map->first; fine && header; header = header->next) {
        fine = header->kind == VF_NODE_SCALAR;
        count++;
    }
    if (!fine) {
        vf_findings_add(reading->findings, map->place, "headers is a map of names to texts: {trace: abc}");
        return false;
    }
    struct vf_header *headers = vf_arena_calloc(reading->arena, count, sizeof *headers);
    size_t i = 0;
    for (const struct vf_node *header = map->first; header; header = header->next) {
        bool null = vf_test_yaml_is_null(header);
        headers[i++] = (struct vf_header){.name = vf_bytes_from(header->key),
                                          .value = null ? (struct vf_bytes){0} : vf_bytes_from(header->text),
                                          .is_null = null};
    }
    event->headers = headers;
    event->header_count = count;
    return true;
}

static bool read_topic(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_event *event)
{
    const struct vf_projection *projection = reading->projection;
    const char *near = NULL;
    bool fine = true;
    const char *topic = text_member(reading, node, "topic", &fine);
    for (size_t i = 0; topic && i < projection->topic_count; i++) {
        if (strcmp(projection->topics[i], topic) == 0) {
            event->topic = projection->topics[i];
            return true;
        }
        vf_suggest_offer(topic, projection->topics[i], &near);
    }
    if (topic) {
        vf_findings_add(reading->findings, vf_node_member(node, "topic")->place,
                        "%s does not read a topic %s: its `topics` name those that it reads%s%s%s", projection->name,
                        topic, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return fine && !topic;
}

static bool read_schema(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_event *event)
{
    event->schema = vf_node_member(node, "schema");
    if (!event->schema) {
        return true;
    }
    char *end = NULL;
    if (event->schema->kind == VF_NODE_SCALAR && !event->schema->quoted && event->schema->text[0]) {
        strtoll(event->schema->text, &end, 10);
    }
    if (!end || *end) {
        vf_findings_add(reading->findings, event->schema->place, "schema is an integer, the event's schema number");
        return false;
    }
    return true;
}

static bool read_long(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_event *event)
{
    bool fine = check_long_keys(reading, node);
    const struct vf_node *notation = vf_node_member(node, "event");
    const char *text = text_member(reading, node, "event", &fine);
    const char *type = text_member(reading, node, "type", &fine);
    if (!text || !read_notation(reading, notation->place, text, event)) {
        return false;
    }
    if (type && event->type) {
        vf_findings_add(reading->findings, node->place, "the type stands here twice: behind the version, and as type");
        return false;
    }
    event->type = type ? type : event->type;
    event->data = vf_node_member(node, "data");
    const char *event_id = text_member(reading, node, "event_id", &fine);
    if (event_id && event->event_id) {
        vf_findings_add(reading->findings, node->place,
                        "the event's id stands here twice: behind the '~', and as event_id");
        return false;
    }
    event->event_id = event_id ? event_id : event->event_id;
    event->topic = topic_of(reading->projection, event->kind);
    fine = read_time(reading, node, event) && fine;
    fine = read_headers(reading, node, event) && fine;
    if (vf_node_member(node, "topic")) {
        fine = read_topic(reading, node, event) && fine;
    }
    return read_schema(reading, node, event) && fine;
}

/* --- all forms ---------------------------------------------------------------------------------------------------- */

static bool read_short(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_event *event)
{
    const char *text = node->kind == VF_NODE_SCALAR ? node->text : node->first->key;
    if (node->kind == VF_NODE_MAP) {
        event->data = node->first;
    }
    if (!read_notation(reading, node->place, text, event)) {
        return false;
    }
    event->topic = topic_of(reading->projection, event->kind);
    return true;
}

/* Several keys and no `event` among them, a list, or nothing. */
static void refuse_event(const struct vf_test_reading *reading, const struct vf_node *node)
{
    const struct vf_node *first = node->kind == VF_NODE_MAP ? node->first : NULL;
    const char *near = NULL, *end;
    for (const struct vf_node *member = first; member; member = member->next) {
        vf_suggest_offer(member->key, "event", &near);
    }
    if (first && strchr(first->key, '/') && find_version(first->key, &end)) {
        vf_findings_add(reading->findings, first->next->key_place,
                        "%s stands beside the event, not in its data: indent the data deeper than %.100s, or write "
                        "{event: ..., data: ...}",
                        first->next->key, first->key);
        return;
    }
    vf_findings_add(reading->findings, node->place, "this is no event. " NOTATION ". The long form has an `event`%s",
                    near ? "; did you mean event?" : "");
}

bool vf_test_event_read(const struct vf_test_reading *reading, const struct vf_node *node, size_t index,
                        struct vf_test_event *ret_event)
{
    struct vf_test_event event = {.place = node->place, .time_ms = FIRST_EVENT_MS + (int64_t)index * EVENT_STEP_MS};
    bool fine;
    if (node->bad) {
        return false;
    }
    if (node->kind == VF_NODE_MAP && vf_node_member(node, "event")) {
        fine = read_long(reading, node, &event);
    } else if (node->kind == VF_NODE_LIST || (node->kind == VF_NODE_MAP && (!node->first || node->first->next))) {
        refuse_event(reading, node);
        return false;
    } else {
        fine = read_short(reading, node, &event);
    }
    if (!fine) {
        return false;
    }
    if (!event.type) {
        vf_findings_add(reading->findings, node->place, "%s/%s@%s has no type. " NOTATION, event.kind.data,
                        event.id.data, event.version.data);
        return false;
    }
    if (strstr(event.type, ": ")) {
        vf_findings_add(
            reading->findings, node->place,
            "the type is \"%.100s\": the quotes hold the data too; they go round kind/id@version and type only",
            event.type);
        return false;
    }
    if (!check_id(reading, node->place, "type", vf_bytes_from(event.type)) ||
        !check_id(reading, node->place, "version", event.version) ||
        (event.event_id && !check_id(reading, node->place, "event's id", vf_bytes_from(event.event_id)))) {
        return false;
    }
    event.notation =
        vf_arena_printf(reading->arena, "%s/%s@%s%s%s %s", event.kind.data, event.id.data, event.version.data,
                        event.is_revision ? "~" : "", event.is_revision ? event.event_id : "", event.type)
            .data;
    *ret_event = event;
    return true;
}
