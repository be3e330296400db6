#include "cli/parked_show.h"

#include "cli/generations.h"
#include "cli/output.h"
#include "cli/test_show.h"
#include "core/body.h"
#include "core/event_data.h"

#define NAME_BYTES_MAX  1100
#define ERROR_BYTES_MAX 300
#define DATA_BYTES_MAX  400

const char *vf_parked_state_name(enum vf_aside_state state)
{
    switch (state) {
    case VF_ASIDE_PARKED: return "parked";
    case VF_ASIDE_GAP: return "gap";
    case VF_ASIDE_HELD: return "held";
    default: return "released";
    }
}

static const char *projection_of(const struct vf_parked_target *target)
{
    return target->entry ? target->entry->projection : NULL;
}

static struct vf_bytes first_line(struct vf_bytes text)
{
    const char *end = text.size > 0 ? memchr(text.data, '\n', text.size) : NULL;
    return end ? vf_bytes(text.data, (size_t)(end - text.data)) : text;
}

/* --- JSON: keys sorted, as everywhere ----------------------------------------------------------------------------- */

static void add_key(struct vf_buffer *out, const char *key, bool first)
{
    vf_buffer_printf(out, "%s\"%s\":", first ? "" : ",", key);
}

static void add_text(struct vf_buffer *out, const char *key, struct vf_bytes text)
{
    add_key(out, key, false);
    if (text.size > 0) {
        vf_json_print_string(out, text);
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void add_number(struct vf_buffer *out, const char *key, bool known, int64_t number)
{
    add_key(out, key, false);
    if (known) {
        vf_buffer_add_int(out, number);
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void add_time(struct vf_buffer *out, const char *key, int64_t unix_ms)
{
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, unix_ms);
    add_text(out, key, unix_ms > 0 ? vf_bytes_from(text) : (struct vf_bytes){0});
}

/* Bytes that may be no text. */
static void add_bytes(struct vf_buffer *out, const char *key, bool is_null, struct vf_bytes bytes)
{
    add_key(out, key, false);
    if (is_null) {
        vf_buffer_add_text(out, "null");
    } else if (vf_bytes_is_utf8(bytes)) {
        vf_json_print_string(out, bytes);
    } else {
        vf_buffer_add_text(out, "{\"hex\":\"");
        for (size_t i = 0; i < bytes.size; i++) {
            vf_buffer_printf(out, "%02x", (unsigned)(unsigned char)bytes.data[i]);
        }
        vf_buffer_add_text(out, "\"}");
    }
}

static void add_version(struct vf_buffer *out, const char *key, const struct vf_parked_event *event)
{
    if (!event || !event->readable) {
        add_number(out, key, false, 0);
    } else if (event->event.version_text.size > 0) {
        add_text(out, key, event->event.version_text);
    } else {
        add_number(out, key, true, event->event.version);
    }
}

static void add_at(struct vf_buffer *out, const char *key, const struct vf_parked_event *event)
{
    struct vf_buffer at;
    vf_buffer_init(&at);
    if (event) {
        vf_buffer_printf(&at, "%s/%d@%lld", event->aside.partition.topic, (int)event->aside.partition.partition,
                         (long long)event->aside.offset);
    }
    add_text(out, key, vf_bytes(at.data, at.size));
    vf_buffer_done(&at);
}

void vf_parked_print_json_begin(const struct vf_parked_row *row, struct vf_buffer *out)
{
    const struct vf_aggregate *record = row->record;
    struct vf_bytes none = {0};
    vf_buffer_add_char(out, '{');
    add_key(out, "aggregate", true);
    vf_json_print_string(out, record->aggregate);
    add_at(out, "at", row->ends.first);
    add_number(out, "count", true, vf_parked_count(record));
    add_text(out, "error", record->parked ? record->failure.error : none);
}

/* What came early may only be behind others of its aggregate that wait: then nothing is missing. */
static bool misses_numbers(const struct vf_aggregate *record)
{
    return record->early_count > 0 && !(record->has_seen && vf_early_number(record->early_from) - 1 <= record->seen);
}

void vf_parked_print_json_end(const struct vf_parked_row *row, struct vf_buffer *out)
{
    const struct vf_aggregate *record = row->record;
    struct vf_bytes none = {0};
    add_time(out, "failed", record->parked ? record->failure.failed_ms : 0);
    add_version(out, "first", row->ends.first);
    add_number(out, "generation", true, row->generation);
    add_version(out, "last", row->ends.last);
    add_number(out, "missing_before", misses_numbers(record), vf_early_number(record->early_from));
    add_text(out, "projection", vf_bytes_from(projection_of(row->target)));
    add_text(out, "script", record->parked ? record->failure.script : none);
    add_time(out, "since", record->since_ms);
    add_text(out, "state", vf_bytes_from(vf_parked_state_name(record->state)));
    add_text(out, "store", vf_bytes_from(row->target->store->name));
    add_text(out, "traceback", record->parked ? record->failure.traceback : none);
    add_text(out, "view", vf_bytes_from(row->target->view));
    add_number(out, "waiters", true, record->waiters_to - record->waiters_from);
    add_text(out, "waits_for", record->waits_for);
    vf_buffer_add_char(out, '}');
}

/* A parsed value as canonical JSON. False: it holds what no body does (an integer beyond 64 bits). */
static bool print_value(struct vf_buffer *out, struct vf_json value)
{
    bson_t *bson = bson_new();
    bson_iter_t at;
    struct vf_error ignored;
    size_t before = out->size;
    bool done = vf_body_append_json(bson, VF_LITERAL("v"), value, &ignored) == VF_OK && bson_iter_init(&at, bson) &&
                bson_iter_next(&at) && vf_body_print_value(out, &at, &ignored) == VF_OK;
    bson_destroy(bson);
    if (!done) {
        out->size = before;
    }
    return done;
}

/* The record's value: as JSON where it is some, else as it is. */
static void add_value(struct vf_buffer *out, const struct vf_record *record)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_buffer text;
    struct vf_json root;
    struct vf_error ignored;
    vf_buffer_init(&text);
    bool is_json = !record->value_is_null && record->value.size > 0 &&
                   vf_json_parse(parser, record->value, &root, &ignored) == VF_OK && print_value(&text, root);
    if (is_json) {
        add_key(out, "value", false);
        vf_buffer_add(out, text.data, text.size);
    } else {
        add_bytes(out, "value", record->value_is_null, record->value);
    }
    vf_buffer_done(&text);
    vf_json_parser_free(parser);
}

/* In the record's order, as a name may stand there twice. */
static void add_headers(struct vf_buffer *out, const struct vf_record *record)
{
    add_key(out, "headers", false);
    vf_buffer_add_char(out, '[');
    for (size_t i = 0; i < record->header_count; i++) {
        vf_buffer_add_text(out, i > 0 ? ",{" : "{");
        add_key(out, "name", true);
        vf_json_print_string(out, record->headers[i].name);
        add_bytes(out, "value", record->headers[i].is_null, record->headers[i].value);
        vf_buffer_add_char(out, '}');
    }
    vf_buffer_add_char(out, ']');
}

void vf_parked_print_event_json(const struct vf_parked_event *event, struct vf_buffer *out)
{
    struct vf_bytes none = {0};
    const struct vf_record *record = &event->record;
    vf_buffer_add_char(out, '{');
    add_key(out, "aggregate", true);
    vf_json_print_string(out, event->aside.aggregate);
    add_at(out, "at", event);
    add_number(out, "bytes", true, (int64_t)event->aside.record.size);
    add_text(out, "event_id", event->readable ? event->event.event_id : none);
    add_headers(out, record);
    add_bytes(out, "key", record->key_is_null, record->key);
    add_time(out, "time", event->readable ? event->event.time_ms : record->timestamp_ms);
    add_text(out, "type", event->readable ? event->event.type : none);
    add_text(out, "unreadable", vf_bytes_from(event->unreadable));
    add_value(out, record);
    add_version(out, "version", event);
    vf_buffer_add_char(out, '}');
}

/* --- for people --------------------------------------------------------------------------------------------------- */

static void add_plain(struct vf_buffer *out, struct vf_bytes text, size_t most)
{
    vf_output_plain(out, text, most, false);
}

static void add_when(struct vf_buffer *out, const char *before, int64_t unix_ms)
{
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, unix_ms);
    if (unix_ms > 0) {
        vf_buffer_printf(out, "%s%s", before, text);
    }
}

/* Text of several lines, each behind the indent. */
static void add_lines(struct vf_buffer *out, const char *indent, struct vf_bytes text, bool color, enum vf_color which)
{
    while (text.size > 0) {
        struct vf_bytes line = first_line(text);
        struct vf_buffer plain;
        vf_buffer_init(&plain);
        vf_output_plain(&plain, line, VF_FAILURE_BYTES_MAX, true);
        vf_buffer_add_text(out, indent);
        vf_output_add(out, color, which, plain.size ? plain.data : "");
        vf_buffer_add_char(out, '\n');
        vf_buffer_done(&plain);
        size_t size = line.size < text.size ? line.size + 1 : line.size;
        text = vf_bytes(text.data + size, text.size - size);
    }
}

void vf_parked_print_head(const struct vf_parked_target *target, int32_t generation, bool color, struct vf_buffer *out)
{
    struct vf_buffer head;
    vf_buffer_init(&head);
    vf_buffer_printf(&head, "%s in %s, generation %d", target->view, target->store->name, (int)generation);
    vf_output_add(out, color, VF_COLOR_BOLD, head.data);
    vf_buffer_add_char(out, '\n');
    vf_buffer_done(&head);
}

static enum vf_color color_of(enum vf_aside_state state)
{
    return state == VF_ASIDE_PARKED ? VF_COLOR_RED : VF_COLOR_YELLOW;
}

/* "the link of account/9", or what else it is waiting for. */
static void add_waits(struct vf_buffer *out, const struct vf_aggregate *record)
{
    if (record->early_count > 0 && record->state == VF_ASIDE_GAP) {
        vf_buffer_printf(out, ", waits for what is missing before number %lld%s",
                         (long long)vf_early_number(record->early_from),
                         vf_early_is_asked_for(record->early_from) ? ", and for a retry" : "");
    } else if (record->draining) {
        vf_buffer_add_text(out, ", its link is known and workers are taking it in");
    } else if (record->waits_for.size > 0) {
        vf_buffer_add_text(out, ", waits for the link of ");
        add_plain(out, record->waits_for, NAME_BYTES_MAX);
    } else if (record->state == VF_ASIDE_HELD) {
        vf_buffer_add_text(out, ", waits for its link");
    }
    int64_t waiters = record->waiters_to - record->waiters_from;
    if (waiters > 0) {
        vf_buffer_printf(out, "; %lld event%s of other aggregates wait%s for its link", (long long)waiters,
                         waiters == 1 ? "" : "s", waiters == 1 ? "s" : "");
    }
}

static void add_version_text(struct vf_buffer *out, const struct vf_parked_event *event)
{
    if (event->event.version_text.size > 0) {
        add_plain(out, event->event.version_text, NAME_BYTES_MAX);
    } else {
        vf_buffer_add_int(out, event->event.version);
    }
}

/* "3 events, versions 5 to 7, from orders/3@1042 on" */
static void add_extent(struct vf_buffer *out, const struct vf_parked_row *row)
{
    const struct vf_parked_event *first = row->ends.first, *last = row->ends.last;
    int64_t count = vf_parked_count(row->record);
    vf_buffer_printf(out, "%lld event%s", (long long)count, count == 1 ? "" : "s");
    if (first && first->readable && last && last->readable) {
        vf_buffer_add_text(out, count == 1 ? ", version " : ", versions ");
        add_version_text(out, first);
        if (count > 1) {
            vf_buffer_add_text(out, " to ");
            add_version_text(out, last);
        }
    }
    if (first) {
        vf_buffer_printf(out, ", %s%s/%d@%lld", count == 1 ? "at " : "from ", first->aside.partition.topic,
                         (int)first->aside.partition.partition, (long long)first->aside.offset);
    }
}

static void add_row_line(const struct vf_parked_row *row, bool color, struct vf_buffer *out)
{
    const struct vf_aggregate *record = row->record;
    char state[16];
    snprintf(state, sizeof state, "%-6s", vf_parked_state_name(record->state));
    vf_buffer_add_text(out, "  ");
    vf_output_add(out, color, color_of(record->state), state);
    vf_buffer_add_text(out, "  ");
    add_plain(out, record->aggregate, NAME_BYTES_MAX);
    vf_buffer_add_text(out, "  ");
    add_extent(out, row);
    add_when(out, ", since ", record->since_ms);
    add_waits(out, record);
    vf_buffer_add_char(out, '\n');
}

void vf_parked_print_row(const struct vf_parked_row *row, bool color, struct vf_buffer *out)
{
    const struct vf_aggregate *record = row->record;
    add_row_line(row, color, out);
    if (record->parked) {
        vf_buffer_add_text(out, "    ");
        add_plain(out, first_line(record->failure.error), ERROR_BYTES_MAX);
        vf_buffer_add_char(out, '\n');
    }
}

void vf_parked_print_place(const struct vf_parked_event *event, struct vf_buffer *out)
{
    add_plain(out, event->aside.aggregate, NAME_BYTES_MAX);
    if (event->readable) {
        vf_buffer_add_char(out, '@');
        add_version_text(out, event);
        vf_buffer_add_char(out, ' ');
        add_plain(out, event->event.type, NAME_BYTES_MAX);
    }
    vf_buffer_printf(out, ", at %s/%d@%lld", event->aside.partition.topic, (int)event->aside.partition.partition,
                     (long long)event->aside.offset);
}

void vf_parked_print_detail(const struct vf_parked_row *row, const char *runs, bool color, struct vf_buffer *out)
{
    const struct vf_aggregate *record = row->record;
    const struct vf_failure *failure = &record->failure;
    add_row_line(row, color, out);
    if (!record->parked) {
        return;
    }
    vf_buffer_add_text(out, "  failed");
    add_when(out, " ", failure->failed_ms);
    if (failure->script.size > 0) {
        vf_buffer_printf(out, " with the script %.*s", VF_HASH_SHOWN, failure->script.data);
        bool same = vf_bytes_is(failure->script, runs);
        vf_buffer_printf(out, same ? "" : ", and the generation runs %.*s now", VF_HASH_SHOWN, runs);
    }
    vf_buffer_add_text(out, ":\n");
    add_lines(out, "    ", failure->error, color, VF_COLOR_RED);
    add_lines(out, "    ", failure->traceback, color, VF_COLOR_DIM);
}

void vf_parked_print_event(const struct vf_parked_event *event, bool whole, bool color, struct vf_buffer *out)
{
    vf_buffer_add_text(out, "  ");
    vf_parked_print_place(event, out);
    if (event->readable) {
        add_when(out, ", ", event->event.time_ms);
    }
    vf_buffer_printf(out, ", %zu bytes\n", event->aside.record.size);
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_buffer text, shown;
    struct vf_error error;
    struct vf_json data;
    bool has = false;
    vf_buffer_init(&text);
    vf_buffer_init(&shown);
    if (!event->readable) {
        vf_buffer_add_text(&text, event->unreadable);
    } else if (vf_event_data(&event->event, parser, &has, &data, &error) != VF_OK) {
        vf_buffer_add_text(&text, error.text);
    } else if (has && !print_value(&text, data)) {
        vf_buffer_add_bytes(&text, event->record.value);
    }
    if (text.size > 0) {
        vf_output_plain(&shown, vf_bytes(text.data, text.size), whole ? SIZE_MAX : DATA_BYTES_MAX, false);
        vf_buffer_add_text(out, "    ");
        vf_output_add(out, color, VF_COLOR_DIM, shown.data);
        vf_buffer_add_char(out, '\n');
    }
    vf_buffer_done(&shown);
    vf_buffer_done(&text);
    vf_json_parser_free(parser);
}

void vf_parked_print_advice(const struct vf_parked_row *row, struct vf_buffer *out)
{
    struct vf_buffer name;
    vf_buffer_init(&name);
    add_plain(&name, row->record->aggregate, NAME_BYTES_MAX);
    switch (row->record->state) {
    case VF_ASIDE_PARKED:
        if (row->ends.first && row->ends.first->unreadable) {
            vf_buffer_printf(
                out,
                "  where the configuration reads it wrongly, mend that (topics, envelopes), then: viewfold "
                "parked retry %s\n  or leave the record out, for good: viewfold parked drop %s\n",
                name.data, name.data);
            break;
        }
        vf_buffer_printf(
            out,
            "  mend the projection, see what would come of it (viewfold parked retry %s --dry-run --script "
            "FILE), adopt it\n  (viewfold generations adopt %s), then: viewfold parked retry %s\n"
            "  or leave the event out that failed, for good: viewfold parked drop %s\n",
            name.data, row->target->view, name.data, name.data);
        break;
    case VF_ASIDE_GAP:
        if (vf_early_is_asked_for(row->record->early_from)) {
            vf_buffer_printf(out,
                             "  when all events of the missing revisions have come: viewfold parked retry %s; if they "
                             "never will:\n  viewfold parked drop %s goes on without them, for good\n",
                             name.data, name.data);
            break;
        }
        vf_buffer_printf(out,
                         "  it goes on by itself when what is missing comes; if that never will: viewfold parked drop "
                         "%s\n  goes on without it, for good\n",
                         name.data);
        break;
    case VF_ASIDE_HELD: vf_buffer_add_text(out, "  it goes on by itself when the link is known\n"); break;
    default: break;
    }
    vf_buffer_done(&name);
}

/* --- what became of it -------------------------------------------------------------------------------------------- */

static const char *result_name(enum vf_retried_state state)
{
    switch (state) {
    case VF_RETRIED_RELEASED: return "released";
    case VF_RETRIED_GONE: return "gone";
    case VF_RETRIED_PARKED: return "parked";
    case VF_RETRIED_GAP: return "gap";
    case VF_RETRIED_HELD: return "held";
    }
    return "";
}

/* "3 events taken in", "1 event left out" */
static void add_done(struct vf_buffer *out, const struct vf_retried *retried, bool tried)
{
    const char *separator = ": ";
    if (retried->dropped > 0) {
        vf_buffer_printf(out, ": %lld left out for good", (long long)retried->dropped);
        separator = ", ";
    }
    if (retried->given_up > 0) {
        vf_buffer_printf(out, ": %lld missing number%s given up for good", (long long)retried->given_up,
                         retried->given_up == 1 ? "" : "s");
        separator = ", ";
    }
    if (retried->taken > 0) {
        vf_buffer_printf(out, "%s%lld event%s %staken in", separator, (long long)retried->taken,
                         retried->taken == 1 ? "" : "s", tried ? "would be " : "");
    }
    const struct vf_aggregate *record = &retried->record;
    if (retried->drop_missed && record->early_count > 0 && vf_early_is_asked_for(record->early_from)) {
        vf_buffer_printf(out, ": nothing is missing before number %lld, and nothing was given up (retry takes it in)",
                         (long long)vf_early_number(record->early_from));
    } else if (retried->drop_missed) {
        vf_buffer_add_text(
            out, ": what had failed is not there any more (somebody else was faster), and nothing was left out");
    }
}

static void add_rest(struct vf_buffer *out, const struct vf_retried *retried, const struct vf_parked_event *first,
                     bool tried, bool color)
{
    struct vf_buffer error;
    bool done = retried->taken > 0 || retried->dropped > 0 || retried->given_up > 0 || retried->drop_missed;
    switch (retried->state) {
    case VF_RETRIED_RELEASED:
        if (vf_parked_count(&retried->record) > 0) {
            vf_buffer_printf(out, "; %lld more are behind them: what goes into one batch was tried",
                             (long long)vf_parked_count(&retried->record));
        }
        return;
    case VF_RETRIED_GONE: vf_buffer_add_text(out, ": nothing of it is set aside (any more)"); return;
    case VF_RETRIED_PARKED: break;
    case VF_RETRIED_GAP:
    case VF_RETRIED_HELD:
        vf_buffer_printf(out, "%s %s: ", done ? "; then it is" : " is",
                         retried->state == VF_RETRIED_GAP ? "behind a gap" : "held");
        vf_buffer_printf(out, "%lld event%s", (long long)vf_parked_count(&retried->record),
                         vf_parked_count(&retried->record) == 1 ? "" : "s");
        add_waits(out, &retried->record);
        if (retried->deed == VF_DROP && !done && retried->record.waits_for.size > 0) {
            vf_buffer_add_text(out, " (parked drop ");
            add_plain(out, retried->record.waits_for, NAME_BYTES_MAX);
            vf_buffer_add_text(out, " leaves out what waits for that)");
        }
        return;
    }
    vf_buffer_printf(out, "%s %s", done ? ";" : "", tried ? "would be parked" : "stays parked");
    if (first) {
        vf_buffer_add_text(out, " at ");
        vf_parked_print_place(first, out);
    }
    vf_buffer_add_char(out, '\n');
    vf_buffer_init(&error);
    add_plain(&error, first_line(vf_bytes_from(retried->error.text)), ERROR_BYTES_MAX);
    vf_buffer_add_text(out, "    ");
    vf_output_add(out, color, VF_COLOR_RED, error.size ? error.data : "");
    vf_buffer_done(&error);
}

void vf_parked_print_retried(const struct vf_parked_target *target, int32_t generation, struct vf_bytes aggregate,
                             const struct vf_retried *retried, const struct vf_parked_event *first, bool tried,
                             bool color, struct vf_buffer *out)
{
    (void)generation;
    vf_buffer_printf(out, "%s in %s: ", target->view, target->store->name);
    add_plain(out, aggregate, NAME_BYTES_MAX);
    add_done(out, retried, tried);
    add_rest(out, retried, first, tried, color);
    vf_buffer_add_char(out, '\n');
}

static enum vf_code add_body(struct vf_buffer *out, const char *key, const struct vf_document *document,
                             struct vf_error *error)
{
    add_key(out, key, false);
    if (document->presence != VF_PRESENT) {
        vf_buffer_add_text(out, "null");
        return VF_OK;
    }
    return vf_body_print(out, document->body, error);
}

/* {"after":...,"before":...,"id":...} */
static enum vf_code add_documents(struct vf_buffer *out, const struct vf_retried *retried, struct vf_error *error)
{
    enum vf_code code = VF_OK;
    add_key(out, "documents", false);
    vf_buffer_add_char(out, '[');
    for (size_t i = 0; code == VF_OK && i < retried->document_count; i++) {
        struct vf_buffer one;
        vf_buffer_init(&one);
        code = add_body(&one, "after", &retried->after[i], error);
        if (code == VF_OK) {
            code = add_body(&one, "before", &retried->before[i], error);
        }
        if (code == VF_OK) {
            add_text(&one, "id", retried->after[i].id);
            vf_buffer_printf(out, "%s{%s}", i > 0 ? "," : "", one.data + 1); /* without the first comma */
        }
        vf_buffer_done(&one);
    }
    vf_buffer_add_char(out, ']');
    return code;
}

enum vf_code vf_parked_print_retried_json(const struct vf_parked_target *target, int32_t generation,
                                          struct vf_bytes aggregate, const struct vf_retried *retried,
                                          const struct vf_parked_event *first, bool tried, struct vf_buffer *out,
                                          struct vf_error *error)
{
    bool parked = retried->state == VF_RETRIED_PARKED;
    enum vf_code code = VF_OK;
    vf_buffer_add_char(out, '{');
    add_key(out, "aggregate", true);
    vf_json_print_string(out, aggregate);
    add_at(out, "at", parked ? first : NULL);
    add_number(out, "count", true, vf_parked_count(&retried->record));
    if (tried) {
        code = add_documents(out, retried, error);
    }
    add_number(out, "dropped", true, retried->dropped);
    add_text(out, "error", parked ? vf_bytes_from(retried->error.text) : (struct vf_bytes){0});
    add_number(out, "generation", true, generation);
    add_number(out, "given_up", true, retried->given_up);
    add_text(out, "projection", vf_bytes_from(projection_of(target)));
    add_text(out, "result", vf_bytes_from(result_name(retried->state)));
    add_text(out, "store", vf_bytes_from(target->store->name));
    add_number(out, "taken", true, retried->taken);
    add_text(out, "view", vf_bytes_from(target->view));
    vf_buffer_add_char(out, '}');
    return code;
}

/* --- the documents of a rehearsal --------------------------------------------------------------------------------- */

/* Those that have a body, as a test's result. */
static struct vf_test_result result_of(struct vf_arena *arena, const struct vf_document *documents, size_t count)
{
    struct vf_document *present = vf_arena_calloc(arena, count, sizeof *present);
    struct vf_test_result result = {.documents = present};
    for (size_t i = 0; i < count; i++) {
        if (documents[i].presence == VF_PRESENT) {
            present[result.document_count++] = documents[i];
        }
    }
    return result;
}

void vf_parked_print_changes(const struct vf_retried *retried, bool color, struct vf_buffer *out)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_test_result before = result_of(arena, retried->before, retried->document_count);
    struct vf_test_result after = result_of(arena, retried->after, retried->document_count);
    struct vf_test_differences differences;
    vf_test_diff_results(&before, &after, arena, &differences);
    vf_test_show_differences(out, color, "  ", "now", "then", &differences);
    if (differences.count == 0) {
        vf_buffer_printf(out, "  no document's body would change%s\n",
                         retried->document_count > 0 ? " (versions and revisions would)" : "");
    }
    vf_arena_free(arena);
}
