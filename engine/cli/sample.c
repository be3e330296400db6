#include "cli/sample.h"

#include "cli/suggest.h"

#include <endian.h>
#include <stdio.h>

/* What a line may say. kcat's others are of no use here. */
static const char *const names[] = {"topic", "partition", "offset", "timestamp", "ts",
                                    "key",   "headers",   "value",  "payload",   NULL};
static const char *const passed_over[] = {"tstype",        "broker", "key_schema_id", "value_schema_id", "key_error",
                                          "payload_error", NULL};

/* One line while it is read. */
struct reading {
    struct vf_bytes line;
    struct vf_arena *arena;
    struct vf_record record;
    bool has_value;
    struct vf_error *error;
};

static bool is_one_of(struct vf_bytes name, const char *const *list)
{
    for (; *list; list++) {
        if (vf_bytes_is(name, *list)) {
            return true;
        }
    }
    return false;
}

/* --- a member as it is written --------------------------------------------------------------------------------------- */

/* Behind the value that begins at `at`: at a comma or brace of the object that it is in. The text is JSON. */
static const char *behind_value(const char *at)
{
    int depth = 0;
    bool in_string = false;
    for (;; at++) {
        if (in_string) {
            in_string = *at != '"';
            at += *at == '\\' ? 1 : 0;
        } else if (*at == '"') {
            in_string = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (depth > 0 && (*at == '}' || *at == ']')) {
            depth--;
        } else if (depth == 0 && (*at == ',' || *at == '}')) {
            return at;
        }
    }
}

/* The value of the member `name` just as it stands in an object that is valid JSON and has it; of several the last. */
static struct vf_bytes written(struct vf_bytes object, const char *name)
{
    static const char blanks[] = " \t\r\n";
    struct vf_bytes found = {0};
    for (const char *at = (const char *)memchr(object.data, '{', object.size) + 1; *at && *at != '}';) {
        at += strspn(at, blanks);
        const char *key = at + 1;
        const char *colon = key;
        for (; *colon != '"'; colon++) {
            colon += *colon == '\\' ? 1 : 0;
        }
        struct vf_bytes this = vf_bytes(key, (size_t)(colon - key));
        colon++;
        colon += strspn(colon, blanks);
        const char *value = colon + 1;
        value += strspn(value, blanks);
        const char *end = behind_value(value);
        if (vf_bytes_is(this, name)) {
            found = vf_bytes(value, (size_t)(end - value));
        }
        at = *end == ',' ? end + 1 : end;
    }
    while (found.size > 0 && strchr(blanks, found.data[found.size - 1])) {
        found.size--;
    }
    return found;
}

/* --- parts ----------------------------------------------------------------------------------------------------------- */

/* A text, null, or {"be64": 7}. */
static enum vf_code read_bytes(struct reading *reading, const char *what, struct vf_json json,
                               struct vf_bytes *ret_bytes, bool *ret_null)
{
    struct vf_json number;
    switch (vf_json_type(json)) {
    case VF_JSON_NULL: *ret_null = true; return VF_OK;
    case VF_JSON_STRING:
        *ret_bytes = vf_arena_copy(reading->arena, vf_json_string(json));
        *ret_null = false;
        return VF_OK;
    case VF_JSON_OBJECT:
        if (vf_json_member(json, VF_LITERAL("be64"), &number) && vf_json_type(number) == VF_JSON_INT) {
            uint64_t bytes = htobe64((uint64_t)vf_json_int(number));
            *ret_bytes = vf_arena_bytes(reading->arena, &bytes, sizeof bytes);
            *ret_null = false;
            return VF_OK;
        }
        break;
    default: break;
    }
    return vf_fail(reading->error, VF_E_DATA, "%s is a text, null, or {\"be64\": 7} for 8 bytes", what);
}

static enum vf_code read_headers(struct reading *reading, struct vf_json json)
{
    struct vf_json_iterator count_them = vf_json_iterate(json), headers = count_them;
    bool is_list = vf_json_type(json) == VF_JSON_ARRAY;
    struct vf_bytes name;
    struct vf_json value;
    size_t count = 0;
    enum vf_code code = VF_OK;
    if (!is_list && vf_json_type(json) != VF_JSON_OBJECT) {
        return vf_fail(reading->error, VF_E_DATA,
                       "headers are {\"name\": \"text\"}, or a list of names and texts in turn, as kcat prints them");
    }
    while (vf_json_next(&count_them, NULL, &value)) {
        count++;
    }
    struct vf_header *list = vf_arena_calloc(reading->arena, count + 1, sizeof *list);
    reading->record.headers = list;
    reading->record.header_count = 0;
    while (code == VF_OK && vf_json_next(&headers, &name, &value)) {
        struct vf_header *header = &list[reading->record.header_count++];
        if (is_list && vf_json_type(value) != VF_JSON_STRING) {
            return vf_fail(reading->error, VF_E_DATA, "headers: a name is a text");
        }
        header->name = vf_arena_copy(reading->arena, is_list ? vf_json_string(value) : name);
        if (is_list && !vf_json_next(&headers, NULL, &value)) {
            return vf_fail(reading->error, VF_E_DATA, "headers: the last name has no value");
        }
        char what[128];
        snprintf(what, sizeof what, "the header %.60s", header->name.data);
        code = read_bytes(reading, what, value, &header->value, &header->is_null);
    }
    return code;
}

static enum vf_code read_number(struct reading *reading, const char *name, struct vf_json json, int64_t max,
                                int64_t *ret_number)
{
    if (vf_json_type(json) != VF_JSON_INT || vf_json_int(json) < 0 || vf_json_int(json) > max) {
        return vf_fail(reading->error, VF_E_DATA, "%s is an integer from 0 on", name);
    }
    *ret_number = vf_json_int(json);
    return VF_OK;
}

/* The value as JSON, just as it stands, or as the text that kcat prints. */
static enum vf_code read_value(struct reading *reading, bool as_text, struct vf_json json)
{
    struct vf_record *record = &reading->record;
    if (reading->has_value) {
        return vf_fail(reading->error, VF_E_DATA, "value and payload say the same: leave one out");
    }
    reading->has_value = true;
    record->value_is_null = vf_json_type(json) == VF_JSON_NULL;
    if (record->value_is_null) {
        return VF_OK;
    }
    if (!as_text) {
        record->value = written(reading->line, "value");
        if (record->value.size == 0) {
            return vf_fail(reading->error, VF_E_DATA, "value is written with escapes in its name");
        }
    } else if (vf_json_type(json) == VF_JSON_STRING) {
        record->value = vf_arena_copy(reading->arena, vf_json_string(json));
    } else {
        return vf_fail(reading->error, VF_E_DATA, "payload is the value as a text; JSON goes into value");
    }
    return VF_OK;
}

static enum vf_code read_member(struct reading *reading, struct vf_bytes name, struct vf_json json)
{
    struct vf_record *record = &reading->record;
    int64_t number;
    enum vf_code code;
    if (vf_bytes_is(name, "topic")) {
        if (vf_json_type(json) != VF_JSON_STRING) {
            return vf_fail(reading->error, VF_E_DATA, "topic is a text");
        }
        record->topic = vf_arena_copy(reading->arena, vf_json_string(json)).data;
        return VF_OK;
    }
    if (vf_bytes_is(name, "partition")) {
        code = read_number(reading, "partition", json, INT32_MAX, &number);
        record->partition = code == VF_OK ? (int32_t)number : 0;
        return code;
    }
    if (vf_bytes_is(name, "offset")) {
        return read_number(reading, "offset", json, INT64_MAX - 1, &record->offset);
    }
    if (vf_bytes_is(name, "timestamp") || vf_bytes_is(name, "ts")) {
        return read_number(reading, "timestamp (in Unix milliseconds)", json, INT64_MAX, &record->timestamp_ms);
    }
    if (vf_bytes_is(name, "key")) {
        return read_bytes(reading, "key", json, &record->key, &record->key_is_null);
    }
    if (vf_bytes_is(name, "headers")) {
        return read_headers(reading, json);
    }
    return read_value(reading, vf_bytes_is(name, "payload"), json);
}

static enum vf_code refuse_name(struct reading *reading, struct vf_bytes name)
{
    const char *near = NULL;
    const char *text = vf_arena_copy(reading->arena, name).data;
    for (size_t i = 0; names[i]; i++) {
        vf_suggest_offer(text, names[i], &near);
    }
    return vf_fail(reading->error, VF_E_DATA, "a record has no %.60s%s%s%s", text, near ? "; did you mean " : "",
                   near ? near : "",
                   near ? "?" : ": it has topic, partition, offset, timestamp, key, headers, and value or payload");
}

enum vf_code vf_sample_read(struct vf_bytes line, struct vf_json_parser *parser, struct vf_arena *arena,
                            struct vf_record *ret_record, struct vf_error *error)
{
    struct reading reading = {.line = line, .arena = arena, .record = *ret_record, .error = error};
    struct vf_json root, json;
    struct vf_bytes name;
    enum vf_code code = vf_json_parse(parser, line, &root, error);
    if (code == VF_OK && vf_json_type(root) != VF_JSON_OBJECT) {
        code = vf_fail(error, VF_E_DATA,
                       "a record is an object: {\"topic\": …, \"key\": …, \"headers\": {…}, \"value\": …}");
    }
    if (code != VF_OK) {
        return code;
    }
    reading.record.key_is_null = reading.record.value_is_null = true;
    struct vf_json_iterator members = vf_json_iterate(root);
    while (code == VF_OK && vf_json_next(&members, &name, &json)) {
        if (is_one_of(name, names)) {
            code = read_member(&reading, name, json);
        } else if (!is_one_of(name, passed_over)) {
            code = refuse_name(&reading, name);
        }
    }
    if (code == VF_OK && !reading.record.topic) {
        code = vf_fail(error, VF_E_DATA, "the record's topic is missing");
    }
    if (code == VF_OK) {
        *ret_record = reading.record;
    }
    return code;
}
