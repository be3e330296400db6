#include "cli/test_report.h"

#include "cli/output.h"
#include "cli/test_show.h"
#include "core/body.h"

#include <stdlib.h>

#define INDENT "          "

static const char *const kind_names[] = {[VF_TEST_UNEXPECTED] = "unexpected",
                                         [VF_TEST_NOT_TAKEN] = "not_taken",
                                         [VF_TEST_UNSTABLE] = "unstable",
                                         [VF_TEST_UNORDERED] = "unordered"};

struct vf_test_report {
    struct vf_cli *cli;
    enum vf_test_format format;
    char *path; /* NULL before the first file */
    char *projection;
    struct vf_buffer suites; /* JUnit's, whose counts come first */
    struct vf_buffer cases;  /* of the suite that is open */
    size_t suite_tests, suite_failures, suite_errors;
    int64_t suite_ms;
    size_t files, tests, failed, wrong, runs;
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

struct vf_test_report *vf_test_report_new(struct vf_cli *cli, enum vf_test_format format)
{
    struct vf_test_report *report = vf_calloc(1, sizeof *report);
    report->cli = cli;
    report->format = format;
    vf_buffer_init(&report->suites);
    vf_buffer_init(&report->cases);
    if (format == VF_TEST_TAP) {
        fputs("TAP version 14\n", cli->out);
    }
    return report;
}

size_t vf_test_report_failed(const struct vf_test_report *report)
{
    return report->failed;
}

size_t vf_test_report_tests(const struct vf_test_report *report)
{
    return report->tests;
}

static void print(struct vf_test_report *report, const struct vf_buffer *text)
{
    if (text->size) {
        fwrite(text->data, 1, text->size, report->cli->out);
    }
}

/* --- text --------------------------------------------------------------------------------------------------------- */

static void add_name(struct vf_buffer *out, const char *name)
{
    vf_output_plain(out, vf_bytes_from(name), 200, false);
}

static void text_test(struct vf_test_report *report, const struct vf_test_subject *subject,
                      const struct vf_test_case *test, const struct vf_test_outcome *outcome, int64_t ms)
{
    struct vf_buffer out;
    bool color = report->cli->color;
    vf_buffer_init(&out);
    vf_buffer_add_text(&out, "  ");
    vf_output_add(&out, color, outcome->failure ? VF_COLOR_RED : VF_COLOR_GREEN, outcome->failure ? "FAIL" : "ok  ");
    vf_buffer_add_text(&out, "    ");
    add_name(&out, test->name);
    if (outcome->failure) {
        vf_buffer_printf(&out, " (%s:%d)\n", report->path, (int)test->place.line);
        vf_test_show_failure(&out, color, INDENT, subject, test, outcome->failure);
    } else {
        struct vf_buffer cost;
        vf_buffer_init(&cost);
        vf_buffer_printf(&cost, "  %zu run%s, %zu order%s%s, %lld ms", outcome->runs, plural(outcome->runs),
                         outcome->interleavings, plural(outcome->interleavings),
                         outcome->all_orders && outcome->interleavings ? " (all)" : "", (long long)ms);
        vf_output_add(&out, color, VF_COLOR_DIM, cost.data);
        vf_buffer_add_char(&out, '\n');
        vf_buffer_done(&cost);
    }
    vf_test_show_log(&out, color, INDENT, subject, test);
    print(report, &out);
    vf_buffer_done(&out);
}

/* --- TAP ---------------------------------------------------------------------------------------------------------- */

/* A description may not hold '#' bare: it would begin a directive. */
static void add_tap_name(struct vf_buffer *out, const char *text)
{
    struct vf_buffer plain;
    vf_buffer_init(&plain);
    add_name(&plain, text);
    for (size_t i = 0; i < plain.size; i++) {
        if (plain.data[i] == '#' || plain.data[i] == '\\') {
            vf_buffer_add_char(out, '\\');
        }
        vf_buffer_add_char(out, plain.data[i]);
    }
    vf_buffer_done(&plain);
}

static void tap_point(struct vf_test_report *report, bool ok, const char *of, const char *name,
                      const struct vf_buffer *message, const struct vf_buffer *comments)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_printf(&out, "%sok %zu - ", ok ? "" : "not ", report->tests + report->wrong);
    add_tap_name(&out, of);
    vf_buffer_add_text(&out, ": ");
    add_tap_name(&out, name);
    vf_buffer_add_char(&out, '\n');
    if (!ok) {
        vf_buffer_add_text(&out, "  ---\n  message: |\n");
        vf_buffer_add_bytes(&out, vf_bytes(message->data, message->size));
        vf_buffer_add_text(&out, "  ...\n");
    }
    if (comments->size) {
        vf_buffer_add_bytes(&out, vf_bytes(comments->data, comments->size));
    }
    print(report, &out);
    vf_buffer_done(&out);
}

static void tap_test(struct vf_test_report *report, const struct vf_test_subject *subject,
                     const struct vf_test_case *test, const struct vf_test_outcome *outcome)
{
    struct vf_buffer message, comments;
    vf_buffer_init(&message);
    vf_buffer_init(&comments);
    if (outcome->failure) {
        vf_test_show_failure(&message, false, "    ", subject, test, outcome->failure);
    }
    vf_test_show_log(&comments, false, "# ", subject, test);
    tap_point(report, !outcome->failure, report->projection, test->name, &message, &comments);
    vf_buffer_done(&comments);
    vf_buffer_done(&message);
}

/* --- JUnit -------------------------------------------------------------------------------------------------------- */

static void add_xml(struct vf_buffer *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (vf_output_is_noncharacter(text)) {
            vf_buffer_add_char(out, '?');
            text += 2;
            continue;
        }
        switch (c) {
        case '<': vf_buffer_add_text(out, "&lt;"); break;
        case '>': vf_buffer_add_text(out, "&gt;"); break;
        case '&': vf_buffer_add_text(out, "&amp;"); break;
        case '"': vf_buffer_add_text(out, "&quot;"); break;
        case '\n': vf_buffer_add_text(out, "&#10;"); break;
        case '\t': vf_buffer_add_text(out, "&#9;"); break;
        default: vf_buffer_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c); break;
        }
    }
}

static void add_seconds(struct vf_buffer *out, int64_t ms)
{
    vf_buffer_printf(out, "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
}

/* Some readers want a type wherever a message is. */
static void add_xml_element(struct vf_buffer *out, const char *name, const char *type, const char *message,
                            const struct vf_buffer *text)
{
    if (text->size == 0) {
        return;
    }
    vf_buffer_printf(out, "      <%s", name);
    if (message) {
        vf_buffer_add_text(out, " message=\"");
        add_xml(out, message);
        vf_buffer_printf(out, "\" type=\"%s\"", type);
    }
    vf_buffer_add_char(out, '>');
    add_xml(out, text->data);
    vf_buffer_printf(out, "</%s>\n", name);
}

static void junit_case(struct vf_test_report *report, const char *name, int64_t ms, const char *kind, const char *type,
                       const char *message, const struct vf_buffer *text, const struct vf_buffer *log)
{
    struct vf_buffer *out = &report->cases;
    vf_buffer_add_text(out, "    <testcase classname=\"");
    add_xml(out, report->projection ? report->projection : "");
    vf_buffer_add_text(out, "\" name=\"");
    add_xml(out, name);
    vf_buffer_add_text(out, "\" time=\"");
    add_seconds(out, ms);
    vf_buffer_add_text(out, "\">\n");
    add_xml_element(out, kind, type, message, text);
    add_xml_element(out, "system-out", NULL, NULL, log);
    vf_buffer_add_text(out, "    </testcase>\n");
    report->suite_tests++;
    report->suite_ms += ms;
}

static void junit_test(struct vf_test_report *report, const struct vf_test_subject *subject,
                       const struct vf_test_case *test, const struct vf_test_outcome *outcome, int64_t ms)
{
    struct vf_buffer text, log;
    vf_buffer_init(&text);
    vf_buffer_init(&log);
    if (outcome->failure) {
        vf_test_show_failure(&text, false, "", subject, test, outcome->failure);
        report->suite_failures++;
    }
    vf_test_show_log(&log, false, "", subject, test);
    const struct vf_test_failure *failure = outcome->failure;
    junit_case(report, test->name, ms, "failure", failure ? kind_names[failure->kind] : NULL,
               failure ? failure->what : NULL, &text, &log);
    vf_buffer_done(&log);
    vf_buffer_done(&text);
}

static void junit_end_suite(struct vf_test_report *report)
{
    struct vf_buffer *out = &report->suites;
    if (!report->path || report->suite_tests == 0) {
        return;
    }
    vf_buffer_add_text(out, "  <testsuite name=\"");
    add_xml(out, report->path);
    vf_buffer_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"", report->suite_tests,
                     report->suite_failures, report->suite_errors);
    add_seconds(out, report->suite_ms);
    vf_buffer_add_text(out, "\">\n");
    vf_buffer_add_bytes(out, vf_bytes(report->cases.data, report->cases.size));
    vf_buffer_add_text(out, "  </testsuite>\n");
    vf_buffer_clear(&report->cases);
    report->suite_tests = report->suite_failures = report->suite_errors = 0;
    report->suite_ms = 0;
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static void add_member(struct vf_buffer *out, const char *key, const char *text)
{
    vf_json_print_string(out, vf_bytes_from(key));
    vf_buffer_add_char(out, ':');
    if (text) {
        vf_json_print_string(out, vf_bytes_from(text));
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void add_json_differences(struct vf_buffer *out, const struct vf_test_differences *differences)
{
    vf_buffer_add_text(out, "\"differences\":[");
    for (size_t i = 0; i < differences->count; i++) {
        const struct vf_test_difference *one = &differences->all[i];
        vf_buffer_add_text(out, i ? ",{" : "{");
        add_member(out, "document", one->document);
        vf_buffer_printf(out, ",\"left\":%s,", one->left ? one->left : "null");
        add_member(out, "path", one->path);
        vf_buffer_printf(out, ",\"right\":%s}", one->right ? one->right : "null");
    }
    vf_buffer_printf(out, "],\"differences_more\":%zu", differences->more);
}

static void add_json_order(struct vf_buffer *out, const struct vf_test_case *test,
                           const struct vf_test_failure *failure, const char *key, bool exchanged)
{
    vf_json_print_string(out, vf_bytes_from(key));
    vf_buffer_add_text(out, ":[");
    for (size_t i = 0; i < failure->order_count; i++) {
        size_t from = i;
        if (exchanged && (i == failure->pair || i == failure->pair + 1)) {
            from = 2 * failure->pair + 1 - i;
        }
        vf_buffer_add_text(out, i ? "," : "");
        vf_json_print_string(out, vf_bytes_from(test->events[failure->order[from]].notation));
    }
    vf_buffer_add_char(out, ']');
}

static void add_json_failure(struct vf_buffer *out, const struct vf_test_subject *subject,
                             const struct vf_test_case *test, const struct vf_test_failure *failure)
{
    struct vf_buffer error;
    vf_buffer_init(&error);
    if (failure->error) {
        vf_test_show_error(&error, subject, failure->error);
    }
    vf_buffer_add_char(out, '{');
    add_json_differences(out, &failure->differences);
    vf_buffer_add_char(out, ',');
    add_member(out, "error", failure->error ? error.data : NULL);
    vf_buffer_add_char(out, ',');
    add_member(out, "event", failure->event ? failure->event->notation : NULL);
    vf_buffer_add_char(out, ',');
    add_member(out, "kind", kind_names[failure->kind]);
    vf_buffer_add_char(out, ',');
    add_member(out, "left", failure->left_label);
    vf_buffer_add_char(out, ',');
    add_member(out, "message", failure->what);
    if (failure->order) {
        vf_buffer_add_char(out, ',');
        add_json_order(out, test, failure, "order_left", false);
        vf_buffer_add_char(out, ',');
        add_json_order(out, test, failure, "order_right", true);
    }
    vf_buffer_add_char(out, ',');
    add_member(out, "right", failure->right_label);
    vf_buffer_add_char(out, '}');
    vf_buffer_done(&error);
}

static void add_json_log(struct vf_buffer *out, const struct vf_test_subject *subject, const struct vf_test_case *test)
{
    vf_buffer_add_text(out, "\"log\":[");
    for (size_t i = 0; i < subject->watch.line_count; i++) {
        const struct vf_test_log_line *line = &subject->watch.lines[i];
        vf_buffer_add_text(out, i ? ",{" : "{");
        add_member(out, "event", vf_test_log_event(test, line));
        vf_buffer_add_char(out, ',');
        add_member(out, "text", line->text);
        vf_buffer_add_char(out, '}');
    }
    vf_buffer_add_char(out, ']');
}

static void json_test(struct vf_test_report *report, const struct vf_test_subject *subject,
                      const struct vf_test_case *test, const struct vf_test_outcome *outcome, int64_t ms)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    vf_buffer_printf(&out, "{\"all_orders\":%s,\"column\":%d,\"failure\":", outcome->all_orders ? "true" : "false",
                     (int)test->place.column);
    if (outcome->failure) {
        add_json_failure(&out, subject, test, outcome->failure);
    } else {
        vf_buffer_add_text(&out, "null");
    }
    vf_buffer_add_char(&out, ',');
    add_member(&out, "file", report->path);
    vf_buffer_printf(&out, ",\"line\":%d,", (int)test->place.line);
    add_json_log(&out, subject, test);
    vf_buffer_add_char(&out, ',');
    add_member(&out, "name", test->name);
    vf_buffer_printf(&out, ",\"ok\":%s,\"orders\":%zu,", outcome->failure ? "false" : "true", outcome->interleavings);
    add_member(&out, "projection", report->projection);
    vf_buffer_printf(&out, ",\"runs\":%zu,\"seconds\":", outcome->runs);
    add_seconds(&out, ms);
    vf_buffer_printf(&out, ",\"seed\":\"%016llx\"}\n", (unsigned long long)outcome->seed);
    print(report, &out);
    vf_buffer_done(&out);
}

/* --- all formats -------------------------------------------------------------------------------------------------- */

void vf_test_report_file(struct vf_test_report *report, const char *path, const char *projection)
{
    if (report->format == VF_TEST_JUNIT) {
        junit_end_suite(report);
    }
    free(report->path);
    free(report->projection);
    report->path = vf_strdup(path);
    report->projection = vf_strdup(projection);
    report->files++;
    if (report->format == VF_TEST_TEXT) {
        fprintf(report->cli->out, "%s\n", path);
    }
}

void vf_test_report_test(struct vf_test_report *report, const struct vf_test_subject *subject,
                         const struct vf_test_case *test, const struct vf_test_outcome *outcome, int64_t ms)
{
    report->tests++;
    report->failed += outcome->failure != NULL;
    report->runs += outcome->runs;
    switch (report->format) {
    case VF_TEST_TEXT: text_test(report, subject, test, outcome, ms); break;
    case VF_TEST_TAP: tap_test(report, subject, test, outcome); break;
    case VF_TEST_JUNIT: junit_test(report, subject, test, outcome, ms); break;
    case VF_TEST_JSON: json_test(report, subject, test, outcome, ms); break;
    }
}

void vf_test_report_wrong(struct vf_test_report *report, const char *path, const char *text,
                          const struct vf_findings *findings)
{
    struct vf_buffer message, none;
    vf_buffer_init(&message);
    vf_buffer_init(&none);
    report->wrong++;
    fprintf(report->cli->err, "%s", text);
    if (report->format == VF_TEST_TAP) {
        vf_buffer_add_text(&message, "    ");
        for (const char *c = text; *c; c++) {
            vf_buffer_add_char(&message, *c);
            if (*c == '\n' && c[1]) {
                vf_buffer_add_text(&message, "    ");
            }
        }
        tap_point(report, false, path, "its tests could not be run", &message, &none);
    } else if (report->format == VF_TEST_JUNIT) {
        vf_test_report_file(report, path, path);
        vf_buffer_add_text(&message, text);
        report->suite_errors++;
        junit_case(report, "its tests could not be run", 0, "error", "wrong", "its tests could not be run", &message,
                   &none);
    } else if (report->format == VF_TEST_JSON) {
        vf_findings_print_json(findings, &message);
        print(report, &message);
    }
    vf_buffer_done(&none);
    vf_buffer_done(&message);
}

void vf_test_report_end(struct vf_test_report *report, int64_t ms)
{
    struct vf_buffer line, out;
    vf_buffer_init(&line);
    vf_buffer_init(&out);
    vf_buffer_printf(&line, "%zu test%s passed, %zu failed", report->tests - report->failed,
                     plural(report->tests - report->failed), report->failed);
    if (report->wrong) {
        vf_buffer_printf(&line, ", %zu file%s could not be run", report->wrong, plural(report->wrong));
    }
    vf_buffer_printf(&line, " (%zu run%s, ", report->runs, plural(report->runs));
    add_seconds(&line, ms);
    vf_buffer_add_text(&line, " s)");
    if (report->format == VF_TEST_TEXT) {
        bool bad = report->failed || report->wrong;
        vf_output_add(&out, report->cli->color, bad ? VF_COLOR_RED : VF_COLOR_GREEN, line.data);
        vf_buffer_add_char(&out, '\n');
    } else {
        vf_cli_note(report->cli, "%s", line.data);
    }
    if (report->format == VF_TEST_TAP) {
        vf_buffer_printf(&out, "1..%zu\n", report->tests + report->wrong);
    } else if (report->format == VF_TEST_JUNIT) {
        junit_end_suite(report);
        vf_buffer_printf(&out,
                         "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\" "
                         "errors=\"%zu\" time=\"",
                         report->tests + report->wrong, report->failed, report->wrong);
        add_seconds(&out, ms);
        vf_buffer_add_text(&out, "\">\n");
        vf_buffer_add_bytes(&out, vf_bytes(report->suites.data, report->suites.size));
        vf_buffer_add_text(&out, "</testsuites>\n");
    }
    print(report, &out);
    vf_buffer_done(&out);
    vf_buffer_done(&line);
    vf_buffer_done(&report->suites);
    vf_buffer_done(&report->cases);
    free(report->path);
    free(report->projection);
    free(report);
}

/* --- coverage ----------------------------------------------------------------------------------------------------- */

struct covered {
    const char *what; /* "handler", "upcast", "kind", "link" */
    const char *kind; /* of one kind only, or NULL */
    const char *name;
    const char *field; /* where in the script it stands: key, on or upcast */
    bool met;
};

static size_t list_parts(const struct vf_test_subject *subject, const struct vf_test_coverage *coverage,
                         struct covered *parts)
{
    const struct vf_projection *projection = subject->projection;
    size_t count = 0;
    const size_t *link_runs = subject->watch.link_runs;
    for (size_t i = 0; i < projection->handler_count; i++) {
        const struct vf_handler *handler = &projection->handlers[i];
        parts[count++] =
            (struct covered){"handler", handler->kind, handler->type, "on", subject->watch.handler_runs[i] > 0};
    }
    for (size_t i = 0; i < projection->upcast_count; i++) {
        parts[count++] =
            (struct covered){"upcast", NULL, projection->upcast_types[i], "upcast", subject->watch.upcast_runs[i] > 0};
    }
    for (size_t i = 0; i < projection->route_count; i++) {
        const struct vf_route *route = &projection->routes[i];
        parts[count++] = (struct covered){"kind", NULL, route->kind, "key", coverage->kinds[i]};
        for (size_t j = 0; j < route->link_count; j++) {
            const char *type = route->links[j].type;
            parts[count++] = type ? (struct covered){"link", route->kind, type, "key", *link_runs > 0}
                                  : (struct covered){"link", NULL, route->kind, "key", *link_runs > 0};
            link_runs++;
        }
    }
    return count;
}

/* OrderCreated, or order.Created of a handler or link that only one kind has. */
static void add_part_name(struct vf_buffer *out, const struct covered *part)
{
    if (part->kind && strcmp(part->what, "handler") == 0) {
        add_name(out, part->kind);
        vf_buffer_add_char(out, '.');
    }
    add_name(out, part->name);
}

/* projections/customer_orders.lua:9 */
static void add_where(struct vf_buffer *out, const struct vf_test_subject *subject, const struct covered *part)
{
    int32_t line = 0, column;
    char field[VF_ID_BYTES_MAX + 20];
    snprintf(field, sizeof field, "%s%s%s", part->field, part->kind ? "." : "", part->kind ? part->kind : "");
    subject->projector_type->place(subject->projector, field, part->name, &line, &column);
    vf_buffer_add_text(out, subject->script);
    if (line > 0) {
        vf_buffer_printf(out, ":%d", (int)line);
    }
}

static void text_coverage(struct vf_test_report *report, const struct vf_test_subject *subject,
                          const struct covered *parts, size_t count)
{
    struct vf_buffer out;
    size_t met = 0;
    vf_buffer_init(&out);
    for (size_t i = 0; i < count; i++) {
        met += parts[i].met;
    }
    vf_buffer_printf(&out, "coverage of %s: %zu of %zu handlers, %skinds and links\n", subject->projection->name, met,
                     count, subject->projection->upcast_count > 0 ? "upcasts, " : "");
    for (size_t i = 0; i < count; i++) {
        if (!parts[i].met) {
            struct vf_buffer line;
            vf_buffer_init(&line);
            vf_buffer_printf(&line, "%-7s ", parts[i].what);
            add_part_name(&line, &parts[i]);
            vf_output_add(&out, report->cli->color, VF_COLOR_YELLOW, "  never met: ");
            vf_buffer_add_bytes(&out, vf_bytes(line.data, line.size));
            vf_buffer_add_text(&out, "  ");
            add_where(&out, subject, &parts[i]);
            vf_buffer_add_char(&out, '\n');
            vf_buffer_done(&line);
        }
    }
    if (report->format == VF_TEST_TEXT) {
        print(report, &out);
    } else {
        fwrite(out.data, 1, out.size, report->cli->err);
    }
    vf_buffer_done(&out);
}

static void json_coverage(struct vf_test_report *report, const struct vf_test_subject *subject,
                          const struct covered *parts, size_t count)
{
    struct vf_buffer out, where, name;
    vf_buffer_init(&out);
    vf_buffer_init(&where);
    vf_buffer_init(&name);
    vf_buffer_add_text(&out, "{\"coverage\":[");
    for (size_t i = 0; i < count; i++) {
        vf_buffer_clear(&where);
        add_where(&where, subject, &parts[i]);
        vf_buffer_printf(&out, "%s{\"met\":%s,", i ? "," : "", parts[i].met ? "true" : "false");
        vf_buffer_clear(&name);
        add_part_name(&name, &parts[i]);
        add_member(&out, "name", name.data);
        vf_buffer_add_char(&out, ',');
        add_member(&out, "what", parts[i].what);
        vf_buffer_add_char(&out, ',');
        add_member(&out, "where", where.data);
        vf_buffer_add_char(&out, '}');
    }
    vf_buffer_add_text(&out, "],");
    add_member(&out, "projection", subject->projection->name);
    vf_buffer_add_text(&out, "}\n");
    print(report, &out);
    vf_buffer_done(&name);
    vf_buffer_done(&where);
    vf_buffer_done(&out);
}

void vf_test_report_coverage(struct vf_test_report *report, const struct vf_test_subject *subject,
                             const struct vf_test_coverage *coverage)
{
    const struct vf_projection *projection = subject->projection;
    size_t most = projection->handler_count + projection->upcast_count + projection->route_count + 1;
    for (size_t i = 0; i < projection->route_count; i++) {
        most += projection->routes[i].link_count;
    }
    struct covered *parts = vf_calloc(most, sizeof *parts);
    size_t count = list_parts(subject, coverage, parts);
    if (report->format == VF_TEST_JSON) {
        json_coverage(report, subject, parts, count);
    } else {
        text_coverage(report, subject, parts, count);
    }
    free(parts);
}
