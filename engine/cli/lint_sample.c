/* `viewfold lint --sample`: what the configuration's envelopes make of some records, and where its projections take them. */
#include "cli/lint.h"
#include "cli/sample.h"
#include "cli/suggest.h"
#include "core/body.h"
#include "core/event_data.h"
#include "run/generation.h"
#include "run/supervisor.h"

#include <inttypes.h>
#include <stdlib.h>

#define SHOWN_IDS_MAX 5

/* As `viewfold test` has it: events a second apart from 2026-01-01T00:00:00Z on. */
#define FIRST_TIME_MS INT64_C(1767225600000)

struct looking {
    struct vf_lint *lint;
    const struct vf_config *config;
    const struct vf_projector_type *type;
    struct vf_projector *const *projectors; /* opened for work; NULL where a script could not be */
    struct vf_json_parser *parser;
    struct vf_arena *arena; /* a record's */
    struct vf_place place;  /* the record's line */
};

static void say(struct looking *looking, enum vf_finding_level level, const char *hint, const char *text)
{
    vf_lint_say(looking->lint, looking->lint->sample, looking->place, level, hint, "%s", text);
}

/* --- topics ---------------------------------------------------------------------------------------------------------- */

static bool reads(const struct vf_projection *projection, const char *name)
{
    for (size_t i = 0; i < projection->topic_count; i++) {
        if (strcmp(projection->topics[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Every name that projections or the file know a topic by, each once; the list lives in the arena. */
static const char **all_topics(const struct looking *looking, struct vf_arena *arena, size_t *ret_count)
{
    size_t room = looking->config->topic_count, count = 0;
    for (size_t i = 0; i < looking->config->projection_count; i++) {
        room += looking->projectors[i] ? looking->type->describe(looking->projectors[i])->topic_count : 0;
    }
    const char **names = vf_arena_calloc(arena, room + 1, sizeof *names);
    for (size_t i = 0; i < looking->config->topic_count; i++) {
        names[count++] = looking->config->topics[i].name;
    }
    for (size_t i = 0; i < looking->config->projection_count; i++) {
        const struct vf_projection *projection =
            looking->projectors[i] ? looking->type->describe(looking->projectors[i]) : NULL;
        for (size_t j = 0; projection && j < projection->topic_count; j++) {
            bool known = false;
            for (size_t k = 0; k < count; k++) {
                known = known || strcmp(names[k], projection->topics[j]) == 0;
            }
            if (!known) {
                names[count++] = projection->topics[j];
            }
        }
    }
    *ret_count = count;
    return names;
}

/* --- an event -------------------------------------------------------------------------------------------------------- */

static void add_event(struct vf_buffer *out, const struct vf_event *event, bool has_data)
{
    char time[VF_TIME_TEXT_BYTES];
    vf_time_print(time, event->time_ms);
    vf_buffer_add_bytes(out, event->aggregate);
    if (event->version_text.size > 0) {
        vf_buffer_printf(out, "@%.*s", (int)event->version_text.size, event->version_text.data);
    } else {
        vf_buffer_printf(out, "@%" PRId64, event->version);
    }
    vf_buffer_printf(out, " %.*s, %.*s", (int)event->type.size, event->type.data, VF_TIME_TEXT_BYTES, time);
    if (event->schema != 1) {
        vf_buffer_printf(out, ", schema %" PRId64, event->schema);
    }
    if (event->event_id.size > 0) {
        vf_buffer_printf(out, ", event id %.*s", (int)event->event_id.size, event->event_id.data);
    }
    vf_buffer_add_text(out, has_data ? "" : ", no data");
}

static const struct vf_route *route_of(const struct vf_projection *projection, struct vf_bytes kind)
{
    for (size_t i = 0; i < projection->route_count; i++) {
        if (vf_bytes_is(kind, projection->routes[i].kind)) {
            return &projection->routes[i];
        }
    }
    return NULL;
}

static void add_documents(struct vf_buffer *out, const struct vf_routed *routed)
{
    vf_buffer_printf(out, "document%s ", routed->count == 1 ? "" : "s");
    for (size_t i = 0; i < routed->count && i < SHOWN_IDS_MAX; i++) {
        vf_buffer_printf(out, "%s%.*s", i > 0 ? ", " : "", (int)routed->ids[i].size, routed->ids[i].data);
    }
    if (routed->count > SHOWN_IDS_MAX) {
        vf_buffer_printf(out, " and %zu more", routed->count - SHOWN_IDS_MAX);
    }
}

/* The event's handler, or that there is none, which is right for many types and a slip for some. */
static void add_handler(struct vf_buffer *out, const struct looking *looking, const struct vf_projection *projection,
                        const struct vf_event *event)
{
    const char *near = NULL;
    const char *type = vf_arena_copy(looking->arena, event->type).data;
    size_t found = vf_projection_handler(projection, event->kind, event->type);
    if (found < projection->handler_count) {
        const char *kind = projection->handlers[found].kind;
        vf_buffer_printf(out, ", on.%s%s%s", kind ? kind : "", kind ? "." : "", type);
        return;
    }
    for (size_t i = 0; i < projection->handler_count; i++) {
        const struct vf_handler *handler = &projection->handlers[i];
        if (!handler->kind || vf_bytes_is(event->kind, handler->kind)) {
            vf_suggest_offer(type, handler->type, &near);
        }
    }
    vf_buffer_printf(out, ", no handler for %s%s%s%s", type, near ? " (did you mean " : "", near ? near : "",
                     near ? "?)" : "");
}

static bool say_failed(struct looking *looking, const struct vf_projection *projection, const struct vf_error *error)
{
    char text[VF_ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "%s: %.*s", projection->name, (int)strcspn(error->text, "\n"), error->text);
    say(looking, VF_FINDING_ERROR, NULL, text);
    return false;
}

/* Appends where a projection takes the event, and what it calls; false: its route fails, and a finding says so. */
static bool add_projection(struct vf_buffer *out, struct looking *looking, struct vf_projector *projector,
                           const struct vf_event *read)
{
    const struct vf_projection *projection = looking->type->describe(projector);
    struct vf_event upcast = *read;
    const struct vf_event *event = &upcast;
    const struct vf_route *route = route_of(projection, event->kind);
    struct vf_routed routed = {0};
    struct vf_error error;
    if (!route) {
        vf_buffer_printf(out, "; %s: not for this view, which has no route for the kind %.*s", projection->name,
                         (int)event->kind.size, event->kind.data);
        return true;
    }
    if (looking->type->upcast(projector, &upcast, looking->arena, &error) != VF_OK) {
        return say_failed(looking, projection, &error);
    }
    if (route->route == VF_ROUTE_LINK && !vf_route_link(route, event->type)) {
        vf_buffer_printf(out, "; %s: the document of its link", projection->name);
    } else if (looking->type->route(projector, route, event, looking->arena, &routed, &error) != VF_OK) {
        return say_failed(looking, projection, &error);
    } else if (routed.through.size > 0) {
        vf_buffer_printf(out, "; %s: the document that %.*s is linked to", projection->name, (int)routed.through.size,
                         routed.through.data);
    } else if (routed.count == 0) {
        vf_buffer_printf(out, "; %s: not for this view, as its route names no document", projection->name);
        return true;
    } else {
        vf_buffer_printf(out, "; %s: ", projection->name);
        add_documents(out, &routed);
    }
    add_handler(out, looking, projection, event);
    if (!vf_bytes_equal(read->type, event->type)) {
        vf_buffer_printf(out, ", upcast from %.*s", (int)read->type.size, read->type.data);
    }
    return true;
}

/* Whether there is data, where the envelope has not looked; false: a finding says that handlers could not read it. */
static bool look_at_data(struct looking *looking, const struct vf_event *event, bool *ret_has_data)
{
    struct vf_json data;
    struct vf_error error;
    if (vf_event_data(event, looking->parser, ret_has_data, &data, &error) != VF_OK) {
        (void)vf_error_prefix(&error, "a handler that reads e.data would fail");
        say(looking, VF_FINDING_ERROR, NULL, error.text);
        return false;
    }
    return true;
}

/* The record as the topic `name` has it. */
static void look_at_record(struct looking *looking, const char *name, const struct vf_topic_entry *topic,
                           const struct vf_record *record)
{
    struct vf_event event;
    struct vf_error error;
    bool has_data;
    if (vf_envelope_read(&topic->envelope, record, looking->parser, looking->arena, &event, &error) != VF_OK) {
        (void)vf_error_prefix(&error, "%s", name);
        say(looking, VF_FINDING_ERROR, NULL, error.text);
        return;
    }
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_printf(&out, "%s: ", name);
    if (event.kind.size == 0) {
        vf_buffer_add_text(&out, "no event (tombstone: ignore)");
    } else if (!look_at_data(looking, &event, &has_data)) {
        vf_buffer_done(&out);
        return;
    } else {
        add_event(&out, &event, has_data);
    }
    for (size_t i = 0; event.kind.size > 0 && i < looking->config->projection_count; i++) {
        struct vf_projector *projector = looking->projectors[i];
        if (projector && reads(looking->type->describe(projector), name)) {
            (void)add_projection(&out, looking, projector, &event);
        }
    }
    say(looking, VF_FINDING_NOTE, NULL, out.data);
    vf_buffer_done(&out);
}

/* --- the file -------------------------------------------------------------------------------------------------------- */

static void look_at_line(struct looking *looking, struct vf_bytes line, const char *const *topics, size_t topic_count)
{
    struct vf_record record = {.offset = looking->place.line - 1,
                               .timestamp_ms = FIRST_TIME_MS + 1000 * (int64_t)(looking->place.line - 1)};
    struct vf_error error;
    const char *near = NULL;
    char hint[300];
    bool found = false;
    if (vf_sample_read(line, looking->parser, looking->arena, &record, &error) != VF_OK) {
        say(looking, VF_FINDING_ERROR, NULL, error.text);
        return;
    }
    for (size_t i = 0; i < topic_count; i++) {
        struct vf_topic_entry topic = vf_config_topic(looking->config, topics[i]);
        if (strcmp(topic.topic, record.topic) == 0 || strcmp(topics[i], record.topic) == 0) {
            struct vf_record of_topic = record;
            of_topic.topic = topic.topic;
            look_at_record(looking, topics[i], &topic, &of_topic);
            found = true;
        }
        vf_suggest_offer(record.topic, topic.topic, &near);
        vf_suggest_offer(record.topic, topics[i], &near);
    }
    if (!found) {
        snprintf(hint, sizeof hint, "did you mean %s?", near ? near : "");
        vf_lint_say(looking->lint, looking->lint->sample, looking->place, VF_FINDING_ERROR, near ? hint : NULL,
                    "neither %s nor a projection has a topic %s", looking->config->path, record.topic);
    }
}

static void look_at_lines(struct looking *looking, struct vf_bytes text)
{
    struct vf_arena *arena = vf_arena_new();
    size_t topic_count;
    const char **topics = all_topics(looking, arena, &topic_count);
    for (const char *at = text.data, *end = text.data + text.size; at < end;) {
        size_t size = strcspn(at, "\n");
        looking->place.line++;
        if (strspn(at, " \t\r") < size) {
            vf_arena_reset(looking->arena);
            look_at_line(looking, vf_bytes(at, size), topics, topic_count);
            looking->lint->records++;
        }
        at += size + (at[size] ? 1 : 0);
    }
    vf_arena_free(arena);
}

/* The projection's script, opened for work; NULL where it does not open: lint has said why. */
static struct vf_projector *open_script(const struct vf_lint *lint, const struct vf_config *config,
                                        const struct vf_projection_entry *entry, struct vf_arena *arena)
{
    struct vf_script_folder folder = {.path = entry->script_folder, .arena = arena};
    struct vf_script_reader reader = vf_script_folder_reader(&folder);
    struct vf_projector_limits limits = vf_projector_limits_of(config);
    struct vf_projector *projector = NULL;
    struct vf_error error;
    if (lint->cli->registry->projector->open(entry->script_name, &reader, &limits, NULL, NULL, &projector, &error) !=
        VF_OK) {
        vf_cli_note(lint->cli, "%s: it was not asked about the records", entry->script);
        return NULL;
    }
    return projector;
}

void vf_lint_sample(struct vf_lint *lint, const struct vf_config *config)
{
    struct vf_arena *arena = vf_arena_new(), *scripts = vf_arena_new();
    struct vf_projector **projectors = vf_calloc(config->projection_count + 1, sizeof *projectors);
    struct looking looking = {.lint = lint,
                              .config = config,
                              .type = lint->cli->registry->projector,
                              .projectors = projectors,
                              .parser = vf_json_parser_new(),
                              .arena = arena};
    for (size_t i = 0; i < config->projection_count; i++) {
        projectors[i] = open_script(lint, config, &config->projections[i], scripts);
    }
    look_at_lines(&looking, lint->sample_text);
    for (size_t i = 0; i < config->projection_count; i++) {
        looking.type->close(projectors[i]);
    }
    vf_json_parser_free(looking.parser);
    vf_arena_free(arena);
    vf_arena_free(scripts);
    free(projectors);
}
