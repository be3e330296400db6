#include "cli/test_yaml.h"

#include "core/body.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static const char *skip_digits(const char *text)
{
    while (isdigit((unsigned char)*text)) {
        text++;
    }
    return text;
}

static const char *skip_sign(const char *text)
{
    return *text == '+' || *text == '-' ? text + 1 : text;
}

/* [-+]?[0-9]+, 0o[0-7]+ or 0x[0-9a-fA-F]+: the base, or 0 where it is none. */
static int integer_base(const char *text)
{
    const char *digits = skip_sign(text);
    if (isdigit((unsigned char)*digits) && !*skip_digits(digits)) {
        return 10;
    }
    if (text[0] != '0' || (text[1] != 'o' && text[1] != 'x') || !text[2]) {
        return 0;
    }
    const char *allowed = text[1] == 'o' ? "01234567" : "0123456789abcdefABCDEF";
    return text[2 + strspn(text + 2, allowed)] ? 0 : text[1] == 'o' ? 8 : 16;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
    const char *at = skip_sign(text);
    if (*at == '.') {
        if (!isdigit((unsigned char)at[1])) {
            return false;
        }
        at = skip_digits(at + 1);
    } else {
        if (!isdigit((unsigned char)*at)) {
            return false;
        }
        at = skip_digits(at);
        at = *at == '.' ? skip_digits(at + 1) : at;
    }
    if (*at == 'e' || *at == 'E') {
        at = skip_sign(at + 1);
        if (!isdigit((unsigned char)*at)) {
            return false;
        }
        at = skip_digits(at);
    }
    return !*at;
}

static void add_integer(const struct vf_node *node, int base, struct vf_findings *findings, struct vf_buffer *out)
{
    errno = 0;
    long long number = strtoll(base == 10 ? node->text : node->text + 2, NULL, base);
    if (errno == ERANGE) {
        vf_findings_add(findings, node->place,
                        "%s is beyond 64 bits: no event can carry such an integer and no document can keep it; quote "
                        "it where text is meant",
                        node->text);
        number = 0;
    }
    vf_buffer_add_int(out, number);
}

static void add_float(const struct vf_node *node, struct vf_findings *findings, struct vf_buffer *out)
{
    double number = strtod(node->text, NULL);
    if (!isfinite(number)) {
        vf_findings_add(findings, node->place,
                        "%s is no finite number: JSON has none such; quote it where text is meant", node->text);
        number = 0;
    }
    vf_json_print_double(out, number);
}

bool vf_test_yaml_is_null(const struct vf_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    return node->kind == VF_NODE_SCALAR && !node->quoted && is_one_of(node->text, nulls);
}

static void add_scalar(const struct vf_node *node, struct vf_findings *findings, struct vf_buffer *out)
{
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const beyond[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                         "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
    int base = node->quoted ? 0 : integer_base(node->text);
    if (node->quoted) {
        vf_json_print_string(out, vf_bytes_from(node->text));
    } else if (vf_test_yaml_is_null(node)) {
        vf_buffer_add_text(out, "null");
    } else if (is_one_of(node->text, trues)) {
        vf_buffer_add_text(out, "true");
    } else if (is_one_of(node->text, falses)) {
        vf_buffer_add_text(out, "false");
    } else if (base) {
        add_integer(node, base, findings, out);
    } else if (is_float(node->text)) {
        add_float(node, findings, out);
    } else if (is_one_of(node->text, beyond)) {
        vf_findings_add(findings, node->place,
                        "%s cannot be kept in a document and is no JSON; quote it where text is meant", node->text);
        vf_buffer_add_text(out, "null");
    } else {
        vf_json_print_string(out, vf_bytes_from(node->text));
    }
}

void vf_test_yaml_json(const struct vf_node *node, struct vf_findings *findings, struct vf_buffer *out)
{
    if (node->kind == VF_NODE_SCALAR) {
        add_scalar(node, findings, out);
        return;
    }
    bool map = node->kind == VF_NODE_MAP;
    vf_buffer_add_char(out, map ? '{' : '[');
    for (const struct vf_node *item = node->first; item; item = item->next) {
        if (item != node->first) {
            vf_buffer_add_char(out, ',');
        }
        if (map) {
            vf_json_print_string(out, vf_bytes_from(item->key));
            vf_buffer_add_char(out, ':');
        }
        vf_test_yaml_json(item, findings, out);
    }
    vf_buffer_add_char(out, map ? '}' : ']');
}
