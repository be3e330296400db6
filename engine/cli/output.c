#include "cli/output.h"

static const char *const codes[] = {
    [VF_COLOR_DIM] = "\033[2m",    [VF_COLOR_BOLD] = "\033[1m",    [VF_COLOR_RED] = "\033[31m",
    [VF_COLOR_GREEN] = "\033[32m", [VF_COLOR_YELLOW] = "\033[33m", [VF_COLOR_BLUE] = "\033[34m",
};

static void begin_color(struct vf_buffer *out, bool color, enum vf_color which)
{
    if (color) {
        vf_buffer_add_text(out, codes[which]);
    }
}

static void end_color(struct vf_buffer *out, bool color)
{
    if (color) {
        vf_buffer_add_text(out, "\033[0m");
    }
}

void vf_output_add(struct vf_buffer *out, bool color, enum vf_color which, const char *text)
{
    begin_color(out, color, which);
    vf_buffer_add_text(out, text);
    end_color(out, color);
}

/* C1 controls are 0xc2 0x80 to 0xc2 0x9f in UTF-8. */
static bool is_c1(const char *at, const char *end)
{
    return at + 1 < end && (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;
}

bool vf_output_is_noncharacter(const char *at)
{
    return strncmp(at, "\xef\xbf\xbe", 3) == 0 || strncmp(at, "\xef\xbf\xbf", 3) == 0;
}

/* Copies a JSON string with its quotes; answers where it ends. */
static const char *add_string(struct vf_buffer *out, const char *at, const char *end)
{
    vf_buffer_add_char(out, *at++);
    while (at < end && *at != '"') {
        if (*at == '\\' && at + 1 < end) {
            vf_buffer_add(out, at, 2);
            at += 2;
        } else if (*at == 0x7f) {
            vf_buffer_add_text(out, "\\u007f");
            at++;
        } else if (is_c1(at, end)) {
            vf_buffer_printf(out, "\\u%04x", (unsigned char)at[1]);
            at += 2;
        } else {
            vf_buffer_add_char(out, *at++);
        }
    }
    vf_buffer_add_char(out, '"');
    return at < end ? at + 1 : at;
}

static void add_line(struct vf_buffer *out, size_t depth)
{
    vf_buffer_add_char(out, '\n');
    for (size_t i = 0; i < depth; i++) {
        vf_buffer_add_text(out, "  ");
    }
}

void vf_output_json(struct vf_buffer *out, bool color, struct vf_bytes json)
{
    const char *at = json.data;
    const char *end = json.data + json.size;
    size_t depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '{' || c == '[') {
            bool empty = at + 1 < end && (at[1] == '}' || at[1] == ']');
            vf_buffer_add(out, at, empty ? 2 : 1);
            at += empty ? 2 : 1;
            if (!empty) {
                add_line(out, ++depth);
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0 ? 1 : 0;
            add_line(out, depth);
            vf_buffer_add_char(out, c);
            at++;
        } else if (c == ',') {
            vf_buffer_add_char(out, c);
            add_line(out, depth);
            at++;
        } else if (c == ':') {
            vf_buffer_add_text(out, ": ");
            at++;
        } else if (c == '"') {
            struct vf_buffer string;
            vf_buffer_init(&string);
            at = add_string(&string, at, end);
            vf_output_add(out, color, at < end && *at == ':' ? VF_COLOR_BLUE : VF_COLOR_GREEN, string.data);
            vf_buffer_done(&string);
        } else {
            const char *from = at;
            while (at < end && !strchr(",:{}[]\"", *at)) {
                at++;
            }
            begin_color(out, color, VF_COLOR_YELLOW);
            vf_buffer_add(out, from, (size_t)(at - from));
            end_color(out, color);
        }
    }
}

void vf_output_plain(struct vf_buffer *out, struct vf_bytes text, size_t size_max, bool lines)
{
    const char *end = text.data + text.size;
    size_t begin = out->size;
    for (const char *at = text.data; at < end; at++) {
        /* Cut between characters only. */
        if (out->size - begin >= size_max && ((unsigned char)*at & 0xc0) != 0x80) {
            vf_buffer_add_text(out, "...");
            return;
        }
        if (lines && (*at == '\n' || *at == '\t')) {
            vf_buffer_add_char(out, *at);
        } else if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            vf_buffer_add_char(out, '?');
        } else if (is_c1(at, end)) {
            vf_buffer_add_char(out, '?');
            at++;
        } else if (end - at >= 3 && vf_output_is_noncharacter(at)) {
            vf_buffer_add_char(out, '?');
            at += 2;
        } else {
            vf_buffer_add_char(out, *at);
        }
    }
}
