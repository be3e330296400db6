#include "cli/test_show.h"

#include "cli/output.h"

#define VALUE_BYTES_MAX    400 /* of one side of a difference */
#define VALUE_BYTES_BEFORE 40  /* of them, where long values begin alike, before they part */
#define WIDTH              100 /* advice is wrapped here */
#define HISTORY_MAX        20  /* events shown that come before a pair */

/* Appends text from outside, cut and without control characters. */
static void add_plain(struct vf_buffer *out, const char *text)
{
    vf_output_plain(out, vf_bytes_from(text), VALUE_BYTES_MAX, false);
}

/* A line of some text, in a colour. */
static void add_line(struct vf_buffer *out, bool color, enum vf_color which, const char *indent, const char *text)
{
    struct vf_buffer line;
    vf_buffer_init(&line);
    vf_output_plain(&line, vf_bytes_from(text), VF_ERROR_TEXT_BYTES, false);
    vf_buffer_add_text(out, indent);
    vf_output_add(out, color, which, line.size ? line.data : "");
    vf_buffer_add_char(out, '\n');
    vf_buffer_done(&line);
}

/* Text of several lines, each behind the indent. */
static void add_lines(struct vf_buffer *out, const char *indent, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        vf_buffer_add_text(out, indent);
        vf_output_plain(out, vf_bytes(text, size), VF_ERROR_TEXT_BYTES, true);
        vf_buffer_add_char(out, '\n');
        text += size + (text[size] == '\n');
    }
}

/* Wrapped at spaces. */
static void add_wrapped(struct vf_buffer *out, const char *indent, const char *text)
{
    while (*text) {
        size_t size = strlen(text), room = WIDTH - strlen(indent);
        if (size > room) {
            size = room;
            while (size > 1 && text[size] != ' ') {
                size--;
            }
        }
        vf_buffer_add_text(out, indent);
        vf_output_plain(out, vf_bytes(text, size), size, false);
        vf_buffer_add_char(out, '\n');
        text += size;
        text += strspn(text, " ");
    }
}

/* --- differences -------------------------------------------------------------------------------------------------- */

struct side {
    char sign;
    enum vf_color color;
    const char *label;
    const char *value;
    const char *type;
    size_t from; /* of the value, what is shown */
};

/* Where two long values that begin alike are shown from: a little before they part. */
static size_t shown_from(const char *left, const char *right)
{
    size_t same = 0;
    if (!left || !right || (strlen(left) <= VALUE_BYTES_MAX && strlen(right) <= VALUE_BYTES_MAX)) {
        return 0;
    }
    while (left[same] && left[same] == right[same]) {
        same++;
    }
    size_t from = same > VALUE_BYTES_MAX / 2 ? same - VALUE_BYTES_BEFORE : 0;
    while (from > 0 && ((unsigned char)left[from] & 0xc0) == 0x80) { /* a character begins here */
        from--;
    }
    return from;
}

static void add_side(struct vf_buffer *out, bool color, const char *indent, int width, const struct side *side)
{
    struct vf_buffer line;
    vf_buffer_init(&line);
    vf_buffer_printf(&line, "%c ", side->sign);
    add_plain(&line, side->label);
    vf_buffer_printf(&line, "%*s  ", width - (int)strlen(side->label), "");
    if (side->value) {
        vf_buffer_add_text(&line, side->from ? "..." : "");
        add_plain(&line, side->value + side->from);
    } else {
        vf_buffer_add_text(&line, "(nothing)");
    }
    if (side->type) {
        vf_buffer_printf(&line, "  (%s)", side->type);
    }
    vf_buffer_printf(out, "%s    ", indent);
    vf_output_add(out, color, side->color, line.data);
    vf_buffer_add_char(out, '\n');
    vf_buffer_done(&line);
}

void vf_test_show_differences(struct vf_buffer *out, bool color, const char *indent, const char *left_label,
                              const char *right_label, const struct vf_test_differences *differences)
{
    if (differences->count == 0) {
        return;
    }
    size_t left = strlen(left_label), right = strlen(right_label);
    int width = (int)(left > right ? left : right);
    const char *document = NULL;
    for (size_t i = 0; i < differences->count; i++) {
        const struct vf_test_difference *one = &differences->all[i];
        if (!document || strcmp(document, one->document) != 0) {
            document = one->document;
            vf_buffer_printf(out, "%sdocument ", indent);
            add_plain(out, document);
            vf_buffer_add_char(out, '\n');
        }
        if (one->path[0]) {
            vf_buffer_printf(out, "%s  ", indent);
            add_plain(out, one->path);
            vf_buffer_add_char(out, '\n');
        }
        size_t from = shown_from(one->left, one->right);
        const struct side sides[] = {
            {'-', VF_COLOR_RED, left_label, one->left, one->left_type, from},
            {'+', VF_COLOR_GREEN, right_label, one->right, one->right_type, from},
        };
        add_side(out, color, indent, width, &sides[0]);
        add_side(out, color, indent, width, &sides[1]);
    }
    if (differences->more) {
        vf_buffer_printf(out, "%sand %zu more differences\n", indent, differences->more);
    }
}

/* --- orders ------------------------------------------------------------------------------------------------------- */

/* order/63-0@1 OrderCreated (shop.test.yaml:4) */
static void add_event(struct vf_buffer *out, const struct vf_test_case *test, const struct vf_test_event *event)
{
    add_plain(out, event->notation);
    vf_buffer_printf(out, " (%s:%d)\n", test->path, (int)event->place.line);
}

static void add_event_line(struct vf_buffer *out, const char *indent, char sign, const struct vf_test_case *test,
                           size_t event)
{
    vf_buffer_printf(out, "%s  %c ", indent, sign);
    add_event(out, test, &test->events[event]);
}

/* The two orders as one: what is common once, of a long history only its ends, the pair in both orders. */
static void add_orders(struct vf_buffer *out, bool color, const char *indent, const struct vf_test_case *test,
                       const struct vf_test_failure *failure)
{
    const size_t *order = failure->order;
    struct vf_buffer lines;
    for (size_t i = 0; i < failure->pair; i++) {
        if (failure->pair > HISTORY_MAX && i == HISTORY_MAX / 2) {
            vf_buffer_printf(out, "%s    ... %zu more ...\n", indent, failure->pair - HISTORY_MAX);
            i += failure->pair - HISTORY_MAX;
        }
        add_event_line(out, indent, ' ', test, order[i]);
    }
    vf_buffer_init(&lines);
    add_event_line(&lines, indent, '-', test, order[failure->pair]);
    add_event_line(&lines, indent, '-', test, order[failure->pair + 1]);
    vf_output_add(out, color, VF_COLOR_RED, lines.data);
    vf_buffer_clear(&lines);
    add_event_line(&lines, indent, '+', test, order[failure->pair + 1]);
    add_event_line(&lines, indent, '+', test, order[failure->pair]);
    vf_output_add(out, color, VF_COLOR_GREEN, lines.data);
    vf_buffer_done(&lines);
    for (size_t i = failure->pair + 2; i < failure->order_count; i++) {
        add_event_line(out, indent, ' ', test, order[i]);
    }
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

void vf_test_show_error(struct vf_buffer *out, const struct vf_test_subject *subject, const char *error)
{
    size_t size = strlen(subject->script_name);
    bool named = strncmp(error, subject->script_name, size) == 0 && error[size] == ':';
    size_t folder = strlen(subject->script) - size; /* what stands before its name */
    if (named) {
        vf_buffer_add(out, subject->script, folder);
    }
    vf_buffer_add_text(out, error);
}

void vf_test_show_failure(struct vf_buffer *out, bool color, const char *indent, const struct vf_test_subject *subject,
                          const struct vf_test_case *test, const struct vf_test_failure *failure)
{
    add_line(out, color, VF_COLOR_BOLD, indent, failure->what);
    if (failure->order) {
        add_orders(out, color, indent, test, failure);
    }
    if (failure->event) {
        vf_buffer_printf(out, "%s%s", indent, failure->order ? "one of these orders fails at " : "");
        add_event(out, test, failure->event);
    }
    if (failure->error) {
        struct vf_buffer error, deeper;
        vf_buffer_init(&error);
        vf_buffer_init(&deeper);
        vf_buffer_printf(&deeper, "%s  ", indent);
        vf_test_show_error(&error, subject, failure->error);
        add_lines(out, deeper.data, error.data);
        vf_buffer_done(&deeper);
        vf_buffer_done(&error);
    }
    vf_test_show_differences(out, color, indent, failure->left_label, failure->right_label, &failure->differences);
    if (failure->advice) {
        add_wrapped(out, indent, failure->advice);
    }
}

const char *vf_test_log_event(const struct vf_test_case *test, const struct vf_test_log_line *line)
{
    size_t event = line->topic[0] ? vf_test_event_at(test, line->topic, line->partition, line->offset) : SIZE_MAX;
    return event == SIZE_MAX ? "" : test->events[event].notation;
}

void vf_test_show_log(struct vf_buffer *out, bool color, const char *indent, const struct vf_test_subject *subject,
                      const struct vf_test_case *test)
{
    const struct vf_test_watch *watch = &subject->watch;
    for (size_t i = 0; i < watch->line_count; i++) {
        struct vf_buffer line;
        const char *event = vf_test_log_event(test, &watch->lines[i]);
        vf_buffer_init(&line);
        vf_buffer_printf(&line, "log %s%s%s", event, event[0] ? ": " : "", watch->lines[i].text);
        add_line(out, color, VF_COLOR_DIM, indent, line.data);
        vf_buffer_done(&line);
    }
    if (watch->lines_dropped) {
        vf_buffer_printf(out, "%slog and %zu more lines\n", indent, watch->lines_dropped);
    }
}
