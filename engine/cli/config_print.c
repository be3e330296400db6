/* What `viewfold config` shows, as YAML and as JSON. */
#include "cli/config_show.h"
#include "core/body.h"

#include <stdlib.h>
#include <strings.h>

/* --- YAML --------------------------------------------------------------------------------------------------------- */

/* Whether every YAML reader takes the text for text when it stands without quotes. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", NULL};
    char first = text[0];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_';
    for (size_t i = 0; words[i]; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return letter && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == strlen(text);
}

/* Durations and sizes: 5ms. */
static bool is_quantity(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] && is_plain(text + digits) && !strpbrk(text + digits, "eExXoO_./-");
}

/* One character of UTF-8; how many bytes it has. The text is valid. */
static size_t read_character(const char *at, uint32_t *ret_code)
{
    unsigned char first = (unsigned char)*at;
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t code = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        code = code << 6 | ((unsigned char)at[i] & 0x3fu);
    }
    *ret_code = code;
    return size;
}

/* In double quotes. What YAML does not print, or would fold as a line break, is escaped. */
static void add_quoted(struct vf_buffer *out, const char *text)
{
    vf_buffer_add_char(out, '"');
    for (const char *at = text; *at;) {
        uint32_t code;
        size_t size = read_character(at, &code);
        if (code == '"' || code == '\\') {
            vf_buffer_printf(out, "\\%c", (char)code);
        } else if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            vf_buffer_printf(out, "\\x%02x", (unsigned)code);
        } else if (code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe || code == 0xffff) {
            vf_buffer_printf(out, "\\u%04x", (unsigned)code);
        } else {
            vf_buffer_add(out, at, size);
        }
        at += size;
    }
    vf_buffer_add_char(out, '"');
}

static void add_scalar(struct vf_buffer *out, const char *text, bool number)
{
    if (number || is_plain(text) || is_quantity(text)) {
        vf_buffer_add_text(out, text);
    } else {
        add_quoted(out, text);
    }
}

static void indent(struct vf_buffer *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        vf_buffer_add_text(out, "  ");
    }
}

/* The members of a map, one a line; the first one where the line has begun already. */
static void add_members(const struct vf_shown *map, size_t depth, bool begun, struct vf_buffer *out);

static void add_list(const struct vf_shown *list, size_t depth, struct vf_buffer *out)
{
    if (list->first && list->first->kind == VF_NODE_MAP) {
        vf_buffer_add_char(out, '\n');
        for (const struct vf_shown *item = list->first; item; item = item->next) {
            indent(out, depth);
            vf_buffer_add_text(out, "- ");
            add_members(item, depth + 1, true, out);
        }
        return;
    }
    vf_buffer_add_text(out, " [");
    for (const struct vf_shown *item = list->first; item; item = item->next) {
        add_scalar(out, item->text, item->number);
        vf_buffer_add_text(out, item->next ? ", " : "");
    }
    vf_buffer_add_text(out, "]\n");
}

static void add_members(const struct vf_shown *map, size_t depth, bool begun, struct vf_buffer *out)
{
    for (const struct vf_shown *child = map->first; child; child = child->next) {
        indent(out, begun ? 0 : depth);
        begun = false;
        add_scalar(out, child->key, false);
        vf_buffer_add_char(out, ':');
        if (child->kind == VF_NODE_SCALAR) {
            vf_buffer_add_char(out, ' ');
            add_scalar(out, child->text, child->number);
            vf_buffer_add_char(out, '\n');
        } else if (child->kind == VF_NODE_LIST) {
            add_list(child, depth + 1, out);
        } else if (!child->first) {
            vf_buffer_add_text(out, " {}\n");
        } else {
            vf_buffer_add_char(out, '\n');
            add_members(child, depth + 1, false, out);
        }
    }
    if (!map->first) {
        vf_buffer_add_text(out, "{}\n");
    }
}

void vf_config_show_yaml(const struct vf_shown *root, struct vf_buffer *out)
{
    add_members(root, 0, false, out);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static int compare_keys(const void *left, const void *right)
{
    const struct vf_shown *const *a = left;
    const struct vf_shown *const *b = right;
    return strcmp((*a)->key, (*b)->key);
}

void vf_config_show_json(const struct vf_shown *root, struct vf_buffer *out)
{
    size_t count = 0;
    bool map = root->kind == VF_NODE_MAP;
    if (root->kind == VF_NODE_SCALAR) {
        if (root->number) {
            vf_buffer_add_text(out, root->text);
        } else {
            vf_json_print_string(out, vf_bytes_from(root->text));
        }
        return;
    }
    for (const struct vf_shown *child = root->first; child; child = child->next) {
        count++;
    }
    const struct vf_shown **children = vf_alloc((count + 1) * sizeof *children);
    count = 0;
    for (const struct vf_shown *child = root->first; child; child = child->next) {
        children[count++] = child;
    }
    if (map) {
        qsort(children, count, sizeof *children, compare_keys);
    }
    vf_buffer_add_char(out, map ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        vf_buffer_add_text(out, i > 0 ? "," : "");
        if (map) {
            vf_json_print_string(out, vf_bytes_from(children[i]->key));
            vf_buffer_add_char(out, ':');
        }
        vf_config_show_json(children[i], out);
    }
    vf_buffer_add_char(out, map ? '}' : ']');
    free(children);
}
