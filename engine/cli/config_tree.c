#include "cli/config_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

struct reading {
    yaml_parser_t yaml;
    const char *folder;
    struct vf_arena *arena;
    struct vf_findings *findings;
    struct vf_bytes text;
    bool ascii; /* libyaml counts characters: only then are they bytes */
};

const struct vf_node *vf_node_member(const struct vf_node *map, const char *key)
{
    if (!map || map->kind != VF_NODE_MAP) {
        return NULL;
    }
    for (const struct vf_node *child = map->first; child; child = child->next) {
        if (strcmp(child->key, key) == 0) {
            return child;
        }
    }
    return NULL;
}

enum vf_code vf_config_file_read(const char *path, size_t bytes_max, struct vf_arena *arena, struct vf_bytes *ret_text,
                                 struct vf_error *error)
{
    enum vf_code code = VF_OK;
    FILE *file = fopen(path, "rbe");
    if (!file) {
        return vf_fail(error, errno == ENOENT || errno == ENOTDIR ? VF_E_NOT_FOUND : VF_E_DENIED, "cannot read %s: %s",
                       path, strerror(errno));
    }
    char *text = vf_arena_alloc(arena, bytes_max + 1);
    size_t size = fread(text, 1, bytes_max, file);
    if (ferror(file)) {
        code = vf_fail(error, VF_E_CONFIG, "cannot read %s: %s", path, strerror(errno));
    } else if (size == bytes_max && fgetc(file) != EOF) {
        code = vf_fail(error, VF_E_CONFIG, "%s is larger than %zu bytes", path, bytes_max);
    } else if (memchr(text, 0, size)) {
        code = vf_fail(error, VF_E_CONFIG, "%s holds a NUL byte", path);
    } else {
        text[size] = 0;
        *ret_text = vf_bytes(text, size);
    }
    fclose(file);
    return code;
}

static struct vf_place place_of(yaml_mark_t mark)
{
    return (struct vf_place){(int32_t)mark.line + 1, (int32_t)mark.column + 1};
}

/* One ${...}: appends what it stands for. False: a finding says why not. */
static bool add_reference(struct reading *reading, struct vf_place place, struct vf_bytes inner,
                          struct vf_buffer *value)
{
    struct vf_bytes env = VF_LITERAL("env:");
    struct vf_bytes file = VF_LITERAL("file:");
    if (inner.size > env.size && memcmp(inner.data, env.data, env.size) == 0) {
        const char *name = vf_arena_bytes(reading->arena, inner.data + env.size, inner.size - env.size).data;
        const char *found = getenv(name);
        if (!found) {
            vf_findings_add(reading->findings, place, "the environment variable %s is not set", name);
            return false;
        }
        vf_buffer_add_text(value, found);
        return true;
    }
    if (inner.size > file.size && memcmp(inner.data, file.data, file.size) == 0) {
        const char *path = vf_arena_bytes(reading->arena, inner.data + file.size, inner.size - file.size).data;
        struct vf_error error;
        struct vf_bytes text;
        if (path[0] != '/') {
            path = vf_arena_printf(reading->arena, "%s/%s", reading->folder, path).data;
        }
        if (vf_config_file_read(path, VF_CONFIG_VALUE_BYTES_MAX, reading->arena, &text, &error) != VF_OK) {
            vf_findings_add(reading->findings, place, "%s", error.text);
            return false;
        }
        /* Files of one line end with a line break that is not meant. */
        if (text.size > 0 && text.data[text.size - 1] == '\n') {
            text.size--;
            text.size -= text.size > 0 && text.data[text.size - 1] == '\r' ? 1 : 0;
        }
        vf_buffer_add_bytes(value, text);
        return true;
    }
    vf_findings_add(reading->findings, place, "${...} takes ${env:NAME} or ${file:PATH}, not ${%.*s}", (int)inner.size,
                    inner.data);
    return false;
}

static void interpolate(struct reading *reading, struct vf_node *node)
{
    const char *rest = node->text;
    if (!reading->folder || !strstr(rest, "${")) {
        return;
    }
    struct vf_buffer value;
    vf_buffer_init(&value);
    for (const char *begin; (begin = strstr(rest, "${")) != NULL;) {
        const char *end = strchr(begin, '}');
        vf_buffer_add(&value, rest, (size_t)(begin - rest));
        if (!end) {
            vf_findings_add(reading->findings, node->place, "${ without its }");
            node->bad = true;
            break;
        }
        if (!add_reference(reading, node->place, vf_bytes(begin + 2, (size_t)(end - begin - 2)), &value)) {
            node->bad = true;
        }
        rest = end + 1;
    }
    vf_buffer_add_text(&value, rest);
    node->text = vf_arena_bytes(reading->arena, value.data, value.size).data;
    vf_buffer_done(&value);
}

static struct vf_node *node_new(struct reading *reading, enum vf_node_kind kind, yaml_mark_t mark)
{
    struct vf_node *node = vf_arena_calloc(reading->arena, 1, sizeof *node);
    node->kind = kind;
    node->place = place_of(mark);
    node->text = node->source = "";
    return node;
}

static void refuse(struct reading *reading, struct vf_node *node, const char *what)
{
    vf_findings_add(reading->findings, node->place, "%s are not taken in this file", what);
    node->bad = true;
}

static bool next_event(struct reading *reading, yaml_event_t *event)
{
    if (yaml_parser_parse(&reading->yaml, event)) {
        return true;
    }
    const char *problem = reading->yaml.problem ? reading->yaml.problem : "it cannot be read";
    struct vf_place place = place_of(reading->yaml.problem_mark);
    size_t index = reading->yaml.problem_mark.index;
    if (reading->yaml.error == YAML_READER_ERROR) {
        place = place_of(reading->yaml.mark); /* libyaml only says the offset of what cannot be read */
        index = reading->yaml.problem_offset;
    }
    if (index < reading->text.size && reading->text.data[index] == '\t' && reading->ascii) {
        vf_findings_add(reading->findings, place, "a tab stands here: YAML is indented with spaces");
        return false;
    }
    vf_findings_add(reading->findings, place, "this is not YAML: %s%s%s", problem, reading->yaml.context ? ", " : "",
                    reading->yaml.context ? reading->yaml.context : "");
    return false;
}

static struct vf_node *read_node(struct reading *reading, const yaml_event_t *event, int depth);

static struct vf_node *read_scalar(struct reading *reading, const yaml_event_t *event)
{
    struct vf_node *node = node_new(reading, VF_NODE_SCALAR, event->start_mark);
    size_t length = event->data.scalar.length;
    node->text = node->source = vf_arena_bytes(reading->arena, event->data.scalar.value, length).data;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (event->data.scalar.anchor) {
        refuse(reading, node, "YAML anchors");
    } else if (event->data.scalar.tag) {
        refuse(reading, node, "YAML tags");
    } else if (strlen(node->text) != length) {
        vf_findings_add(reading->findings, node->place, "a NUL character is not taken");
        node->bad = true;
    }
    return node;
}

static bool read_list(struct reading *reading, struct vf_node *list, int depth)
{
    struct vf_node **end = &list->first;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reading, &event)) {
            return false;
        }
        bool last = event.type == YAML_SEQUENCE_END_EVENT;
        struct vf_node *item = last ? NULL : read_node(reading, &event, depth + 1);
        yaml_event_delete(&event);
        if (last || !item) {
            return last;
        }
        if (item->kind == VF_NODE_SCALAR && !item->bad) {
            interpolate(reading, item);
        }
        *end = item;
        end = &item->next;
    }
}

/* Whether this key may stand here; a finding says why not. */
static bool check_key(struct reading *reading, const struct vf_node *map, struct vf_node *key)
{
    if (key->bad) {
        return false;
    }
    if (key->kind != VF_NODE_SCALAR) {
        vf_findings_add(reading->findings, key->place, "a key must be plain text");
        return false;
    }
    if (reading->folder && key->text[0] == '\0') {
        vf_findings_add(reading->findings, key->place, "a key is empty");
        return false;
    }
    if (strcmp(key->text, "<<") == 0 && !key->quoted) {
        refuse(reading, key, "YAML merge keys");
        return false;
    }
    if (reading->folder && strstr(key->text, "${")) {
        vf_findings_add(reading->findings, key->place, "${...} is taken in values only, not in keys");
        return false;
    }
    const struct vf_node *before = vf_node_member(map, key->text);
    if (before) {
        vf_findings_add(reading->findings, key->place, "the key %s stands here twice, first in line %d", key->text,
                        (int)before->key_place.line);
        return false;
    }
    return true;
}

static bool read_map(struct reading *reading, struct vf_node *map, int depth)
{
    struct vf_node **end = &map->first;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reading, &event)) {
            return false;
        }
        bool last = event.type == YAML_MAPPING_END_EVENT;
        struct vf_node *key = last ? NULL : read_node(reading, &event, depth + 1);
        yaml_event_delete(&event);
        if (last || !key) {
            return last;
        }
        bool fits = check_key(reading, map, key);
        if (!next_event(reading, &event)) {
            return false;
        }
        struct vf_node *value = read_node(reading, &event, depth + 1);
        yaml_event_delete(&event);
        if (!value) {
            return false;
        }
        if (!fits) {
            continue;
        }
        if (value->kind == VF_NODE_SCALAR && !value->bad) {
            interpolate(reading, value);
        }
        value->key = key->text;
        value->key_place = key->place;
        *end = value;
        end = &value->next;
    }
}

/* The node that begins with this event; NULL where reading cannot go on (a finding says why). */
static struct vf_node *read_node(struct reading *reading, const yaml_event_t *event, int depth)
{
    if (depth > VF_CONFIG_DEPTH_MAX) {
        vf_findings_add(reading->findings, place_of(event->start_mark), "nested deeper than %d", VF_CONFIG_DEPTH_MAX);
        return NULL;
    }
    struct vf_node *node;
    switch (event->type) {
    case YAML_SCALAR_EVENT: return read_scalar(reading, event);
    case YAML_SEQUENCE_START_EVENT:
        node = node_new(reading, VF_NODE_LIST, event->start_mark);
        if (event->data.sequence_start.anchor) {
            refuse(reading, node, "YAML anchors");
        } else if (event->data.sequence_start.tag) {
            refuse(reading, node, "YAML tags");
        }
        return read_list(reading, node, depth) ? node : NULL;
    case YAML_MAPPING_START_EVENT:
        node = node_new(reading, VF_NODE_MAP, event->start_mark);
        if (event->data.mapping_start.anchor) {
            refuse(reading, node, "YAML anchors");
        } else if (event->data.mapping_start.tag) {
            refuse(reading, node, "YAML tags");
        }
        return read_map(reading, node, depth) ? node : NULL;
    default: /* an alias is all that is left inside a document */
        node = node_new(reading, VF_NODE_SCALAR, event->start_mark);
        refuse(reading, node, "YAML aliases");
        return node;
    }
}

/* The first byte that is no UTF-8 is a finding: libyaml would not say its line. False: there is one. */
static bool check_utf8(struct reading *reading)
{
    struct vf_place place = {1, 1};
    const char *at = reading->text.data;
    const char *end = at + reading->text.size;
    reading->ascii = true;
    while (at < end) {
        unsigned char first = (unsigned char)*at;
        size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        reading->ascii = reading->ascii && size == 1;
        if ((size_t)(end - at) < size || !vf_bytes_is_utf8(vf_bytes(at, size))) {
            vf_findings_add(reading->findings, place, "the byte 0x%02x is no UTF-8, which this file has to be", first);
            return false;
        }
        place.column = first == '\n' ? 1 : place.column + 1;
        place.line += first == '\n' ? 1 : 0;
        at += size;
    }
    return true;
}

struct vf_node *vf_config_tree_parse(struct vf_bytes text, const char *folder, struct vf_arena *arena,
                                     struct vf_findings *findings)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file with it */
    bool marked = text.size >= 3 && memcmp(text.data, mark, 3) == 0;
    struct reading reading = {.folder = folder,
                              .arena = arena,
                              .findings = findings,
                              .text = marked ? vf_bytes(text.data + 3, text.size - 3) : text};
    struct vf_node *root = NULL;
    if (!check_utf8(&reading)) {
        return NULL;
    }
    if (!yaml_parser_initialize(&reading.yaml)) {
        vf_out_of_memory(sizeof reading.yaml);
    }
    yaml_parser_set_input_string(&reading.yaml, (const unsigned char *)reading.text.data, reading.text.size);
    yaml_parser_set_encoding(&reading.yaml, YAML_UTF8_ENCODING);
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!next_event(&reading, &event)) {
            root = NULL;
            break;
        }
        if (event.type == YAML_STREAM_END_EVENT) {
            more = false;
            if (!root) {
                vf_findings_add(findings, (struct vf_place){0, 0}, "the file is empty");
            }
        } else if (event.type == YAML_DOCUMENT_START_EVENT && root) {
            vf_findings_add(findings, place_of(event.start_mark), "one YAML document is taken, a second begins here");
            more = false;
        } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                   event.type != YAML_DOCUMENT_END_EVENT) {
            root = read_node(&reading, &event, 0);
            more = root != NULL;
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&reading.yaml);
    return root;
}
