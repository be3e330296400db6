#include "core/event_data.h"

#include "core/framing.h"

#include <stdlib.h>

bool vf_connect_payload(struct vf_json json, struct vf_json *ret_payload)
{
    struct vf_json schema, payload, type;
    struct vf_json_iterator members = vf_json_iterate(json);
    size_t count = 0;
    if (vf_json_type(json) != VF_JSON_OBJECT)
        return false;
    for (struct vf_json any; count < 3 && vf_json_next(&members, NULL, &any);)
        count++;
    if (count != 2 || !vf_json_member(json, VF_LITERAL("schema"), &schema) ||
        !vf_json_member(json, VF_LITERAL("payload"), &payload))
        return false;
    if (vf_json_type(schema) != VF_JSON_NULL && !vf_json_member(schema, VF_LITERAL("type"), &type))
        return false;
    *ret_payload = payload;
    return true;
}

/* Where the data is in the value as it stands. */
static enum vf_code find_in_value(const struct vf_event *event, struct vf_json_parser *parser, bool *ret_has,
                                  struct vf_json *ret_data, struct vf_error *error)
{
    struct vf_json root, binary;
    enum vf_code code = vf_json_parse(parser, event->record->value, &root, error);
    if (code) {
        (void)vf_error_prefix(error, "the value");
        vf_framing_explain(event->record, error);
        return code;
    }
    *ret_has = vf_json_at(root, event->data_pointer, ret_data);
    if (event->data_form == VF_DATA_CLOUDEVENT && !*ret_has &&
        vf_json_member(root, VF_LITERAL("data_base64"), &binary) && vf_json_type(binary) != VF_JSON_NULL)
        return vf_fail(error, VF_E_DATA, "the CloudEvent's data is binary (data_base64), and JSON in data is wanted");
    if (event->data_form == VF_DATA_CONNECT && *ret_has)
        (void)vf_connect_payload(*ret_data, ret_data);
    return VF_OK;
}

/* Whether a text can be meant as an object or a list. */
static bool is_opened(struct vf_bytes text)
{
    static const char blanks[] = " \t\r\n";
    size_t at = 0;
    while (at < text.size && memchr(blanks, text.data[at], sizeof blanks - 1))
        at++;
    return at < text.size && (text.data[at] == '{' || text.data[at] == '[');
}

enum vf_code vf_event_data(const struct vf_event *event, struct vf_json_parser *parser, bool *ret_has,
                           struct vf_json *ret_data, struct vf_error *error)
{
    struct vf_error reason;
    struct vf_json data;
    bool has = false;
    if (event->data_text.size > 0) { /* an upcast has made it: nothing is around it any more */
        enum vf_code code = vf_json_parse(parser, event->data_text, ret_data, error);
        *ret_has = code == VF_OK;
        return code;
    }
    if (!event->data_pointer) {
        *ret_has = false;
        return VF_OK;
    }
    enum vf_code code = find_in_value(event, parser, &has, &data, error);
    bool unwraps = event->data_form == VF_DATA_IN_STRING || event->data_form == VF_DATA_CONNECT;
    if (!code && has && unwraps && vf_json_type(data) == VF_JSON_STRING &&
        (event->data_form == VF_DATA_IN_STRING || is_opened(vf_json_string(data)))) {
        /* A copy: the parser may move its memory before it reads what lies in it. */
        struct vf_bytes text = vf_json_string(data);
        char *copy = memcpy(vf_alloc(text.size + 1), text.data, text.size);
        code = vf_json_parse(parser, vf_bytes(copy, text.size), &data, &reason);
        free(copy);
        if (code && event->data_form == VF_DATA_CONNECT)
            code = find_in_value(event, parser, &has, &data, error); /* a text that only begins as JSON does */
        else if (code)
            code = vf_fail(error, VF_E_DATA, "the string at %s, which holds the data: %s", event->data_pointer,
                           reason.text);
    }
    if (code)
        return code;
    *ret_has = has;
    if (has)
        *ret_data = data;
    return VF_OK;
}
