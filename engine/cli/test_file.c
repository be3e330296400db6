#include "cli/test_file.h"

#include "cli/config_tree.h"
#include "cli/suggest.h"
#include "cli/test_event.h"
#include "cli/test_yaml.h"
#include "core/body.h"
#include "core/json.h"

#include <stdlib.h>

#define FORM "a test file is a list of tests, each - name: ..., given: [events], expect: {id: body}"

static size_t count_items(const struct vf_node *node)
{
    size_t count = 0;
    for (const struct vf_node *item = node->first; item; item = item->next) {
        count++;
    }
    return count;
}

/* --- given -------------------------------------------------------------------------------------------------------- */

static bool same_aggregate(const struct vf_test_event *a, const struct vf_test_event *b)
{
    return vf_bytes_equal(a->kind, b->kind) && vf_bytes_equal(a->id, b->id);
}

/* Which aggregate the last event is of, and its partition: one for each aggregate in each topic, so that only the order of
 * an aggregate's own events is fixed, as it is in Kafka. */
static void number_aggregate(struct vf_test_event *events, size_t index, size_t *aggregate_count)
{
    struct vf_test_event *event = &events[index];
    int32_t partitions = 0;
    event->aggregate = *aggregate_count;
    event->partition = -1;
    for (size_t i = 0; i < index; i++) {
        bool topic = strcmp(events[i].topic, event->topic) == 0;
        if (same_aggregate(&events[i], event)) {
            event->aggregate = events[i].aggregate;
            event->partition = topic ? events[i].partition : event->partition;
        }
        if (topic && events[i].partition >= partitions) {
            partitions = events[i].partition + 1;
        }
    }
    if (event->partition < 0) {
        event->partition = partitions;
    }
    *aggregate_count += event->aggregate == *aggregate_count;
}

/* The first event of an aggregate has its first number, which some count from 0. */
static void check_first(const struct vf_test_reading *reading, const struct vf_test_event *events, size_t index)
{
    const struct vf_test_event *event = &events[index];
    for (size_t i = 0; i < index; i++) {
        if (events[i].aggregate == event->aggregate) {
            return;
        }
    }
    int64_t number;
    if (event->numbers != VF_NUMBERS_ORDERED && vf_test_event_number(event, &number) && number > 1 &&
        reading->projection->versions != VF_VERSIONS_NONE) {
        vf_findings_add(reading->findings, event->place,
                        "%s is the first event of its aggregate here: versions begin at 1 (or 0) and have no holes. "
                        "Give what came before, or number from 1",
                        event->notation);
    }
}

/* The same value; a map's fields in any order. */
static bool same_value(const struct vf_node *a, const struct vf_node *b)
{
    if (!a || !b || a->kind != b->kind) {
        return (!a || vf_test_yaml_is_null(a)) && (!b || vf_test_yaml_is_null(b));
    }
    if (a->kind == VF_NODE_SCALAR) {
        struct vf_findings *told = vf_findings_new(""); /* already, when the event was written */
        struct vf_buffer left, right;
        vf_buffer_init(&left);
        vf_buffer_init(&right);
        vf_test_yaml_json(a, told, &left);
        vf_test_yaml_json(b, told, &right);
        bool same = vf_bytes_equal(vf_bytes(left.data, left.size), vf_bytes(right.data, right.size));
        vf_buffer_done(&left);
        vf_buffer_done(&right);
        vf_findings_free(told);
        return same;
    }
    const struct vf_node *other = b->first;
    for (const struct vf_node *item = a->first; item; item = item->next) {
        const struct vf_node *match = a->kind == VF_NODE_MAP ? vf_node_member(b, item->key) : other;
        if (!match || !same_value(item, match)) {
            return false;
        }
        other = other ? other->next : NULL;
    }
    return !other;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_event(const struct vf_test_event *a, const struct vf_test_event *b)
{
    return strcmp(a->type, b->type) == 0 && same_text(a->event_id, b->event_id) && same_value(a->data, b->data);
}

static bool same_number(const struct vf_test_event *a, const struct vf_test_event *b)
{
    int64_t left, right;
    if (a->numbers == VF_NUMBERS_ORDERED || b->numbers == VF_NUMBERS_ORDERED) {
        return vf_bytes_equal(a->version, b->version);
    }
    return vf_test_event_number(a, &left) && vf_test_event_number(b, &right) && left == right &&
           (a->numbers != VF_NUMBERS_REVISION || same_text(a->event_id, b->event_id));
}

/* The engine tells events by their numbers, so the second of two with one number is dropped as a repeat. Where they are not
 * the same event, the author has forgotten to count on, and would only see that something is missing. */
static void check_repeat(const struct vf_test_reading *reading, const struct vf_test_event *events, size_t index)
{
    const struct vf_test_event *event = &events[index];
    for (size_t i = 0; i < index && reading->projection->versions != VF_VERSIONS_NONE; i++) {
        if (events[i].aggregate == event->aggregate && same_number(&events[i], event) &&
            !same_event(&events[i], event)) {
            vf_findings_add(reading->findings, event->place,
                            "%s has the version%s that %s (line %d, column %d) has, and is another event: it would be "
                            "dropped as a repeat. Give it %s, or write the same type, data and id where a "
                            "repeat is meant",
                            event->notation, event->numbers == VF_NUMBERS_REVISION ? " and the id" : "",
                            events[i].notation, (int)events[i].place.line, (int)events[i].place.column,
                            event->numbers == VF_NUMBERS_REVISION ? "an id of its own"
                            : event->event_id                     ? "a version of its own (of one revision: @1~its-id)"
                                                                  : "a version of its own");
            return;
        }
    }
}

/* What a topic's numbers are is seen in how they are written. */
static void number_events(const struct vf_test_reading *reading, struct vf_test_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct vf_test_event *event = &events[i];
        const struct vf_test_event *text = NULL, *revision = NULL;
        for (size_t j = 0; j < count; j++) {
            if (strcmp(events[j].topic, event->topic) == 0) {
                text = events[j].version_is_text ? &events[j] : text;
                revision = events[j].is_revision ? &events[j] : revision;
            }
        }
        event->numbers = text ? VF_NUMBERS_ORDERED : revision ? VF_NUMBERS_REVISION : VF_NUMBERS_SEQUENCE;
        if (text && event->is_revision) {
            vf_findings_add(
                reading->findings, event->place,
                "%s is of a revision, but %s (line %d) has a text for a version: numbers of one topic are of one "
                "sort",
                event->notation, text->notation, (int)text->place.line);
        } else if (revision && !text && !event->event_id) {
            vf_findings_add(reading->findings, event->place,
                            "%s has no event id: numbers of its topic are revisions, as line %d writes them, so that "
                            "each event needs one: @%s~e1",
                            event->notation, (int)revision->place.line, event->version.data);
        }
    }
}

static void read_given(const struct vf_test_reading *reading, const struct vf_node *given, struct vf_test_case *test)
{
    size_t count = count_items(given);
    if (given->kind != VF_NODE_LIST) {
        vf_findings_add(reading->findings, given->place,
                        "given is a list of events: - order/63-0@1 OrderCreated: {...}");
        return;
    }
    if (count > VF_TEST_EVENTS_MAX) {
        vf_findings_add(reading->findings, given->place, "given has %zu events; a test has %d at most", count,
                        VF_TEST_EVENTS_MAX);
        return;
    }
    struct vf_test_event *events = vf_arena_calloc(reading->arena, count, sizeof *events);
    size_t index = 0, read = 0;
    for (const struct vf_node *item = given->first; item; item = item->next, index++) {
        if (vf_test_event_read(reading, item, index, &events[read])) {
            number_aggregate(events, read, &test->aggregate_count);
            read++;
        }
    }
    number_events(reading, events, read);
    for (size_t i = 0; i < read; i++) {
        if (vf_test_event_write(reading, &events[i])) {
            check_first(reading, events, i);
            check_repeat(reading, events, i);
        }
    }
    test->events = events;
    test->event_count = read;
}

/* --- expect ------------------------------------------------------------------------------------------------------- */

static void read_body(const struct vf_test_reading *reading, const struct vf_node *node,
                      struct vf_test_expected *expected)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_buffer json;
    struct vf_json root;
    struct vf_error error;
    bson_t holder = BSON_INITIALIZER;
    bson_iter_t value;
    vf_buffer_init(&json);
    vf_test_yaml_json(node, reading->findings, &json);
    if (vf_json_parse(parser, vf_bytes(json.data, json.size), &root, &error) != VF_OK ||
        vf_body_append_json(&holder, VF_LITERAL("b"), root, &error) != VF_OK) {
        vf_findings_add(reading->findings, node->place, "this body cannot be kept: %s", error.text);
    } else if (bson_iter_init_find(&value, &holder, "b")) {
        uint32_t size;
        const uint8_t *data;
        bson_iter_document(&value, &size, &data);
        expected->body = vf_arena_bytes(reading->arena, data, size);
    }
    bson_destroy(&holder);
    vf_buffer_done(&json);
    vf_json_parser_free(parser);
}

static void read_expect(const struct vf_test_reading *reading, const struct vf_node *expect, struct vf_test_case *test)
{
    if (expect->kind != VF_NODE_MAP) {
        vf_findings_add(reading->findings, expect->place,
                        "expect is a map, the whole view: {id: {...}}; {} is a view without documents");
        return;
    }
    struct vf_test_expected *all = vf_arena_calloc(reading->arena, count_items(expect), sizeof *all);
    size_t count = 0;
    for (const struct vf_node *item = expect->first; item; item = item->next) {
        struct vf_test_expected *expected = &all[count];
        *expected = (struct vf_test_expected){.place = item->key_place, .id = item->key};
        if (item->bad) {
            continue;
        }
        if (item->kind == VF_NODE_SCALAR && !item->quoted && strcmp(item->text, "absent") == 0) {
            expected->absent = true;
        } else if (item->kind == VF_NODE_MAP) {
            read_body(reading, item, expected);
        } else {
            vf_findings_add(reading->findings, item->place,
                            "the document %s is a map of its fields, or the word absent where it must not be there",
                            item->key);
            continue;
        }
        count++;
    }
    test->expected = all;
    test->expected_count = count;
}

/* --- a test ------------------------------------------------------------------------------------------------------- */

static void check_keys(const struct vf_test_reading *reading, const struct vf_node *node)
{
    static const char *const keys[] = {"name", "given", "expect", NULL};
    for (const struct vf_node *member = node->first; member; member = member->next) {
        const char *near = NULL;
        bool known = false;
        for (size_t i = 0; keys[i]; i++) {
            known = known || strcmp(keys[i], member->key) == 0;
            vf_suggest_offer(member->key, keys[i], &near);
        }
        if (!known) {
            vf_findings_add(reading->findings, member->key_place,
                            "a test has no %s: it has name, given and expect%s%s%s", member->key,
                            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        }
    }
}

static void read_case(const struct vf_test_reading *reading, const struct vf_node *node, struct vf_test_case *test)
{
    test->place = node->place;
    test->name = "";
    if (node->bad) {
        return;
    }
    if (node->kind != VF_NODE_MAP) {
        vf_findings_add(reading->findings, node->place, "this is no test: " FORM);
        return;
    }
    check_keys(reading, node);
    const struct vf_node *name = vf_node_member(node, "name");
    const struct vf_node *given = vf_node_member(node, "given");
    const struct vf_node *expect = vf_node_member(node, "expect");
    if (!name || name->kind != VF_NODE_SCALAR || !name->text[0]) {
        vf_findings_add(reading->findings, name ? name->place : node->place, "name is missing: what holds, in words");
    } else {
        test->name = name->text;
    }
    if (!given) {
        vf_findings_add(reading->findings, node->place,
                        "given is missing: the events, as in given: [order/63-0@1 OrderShipped]");
    } else if (!given->bad) {
        read_given(reading, given, test);
    }
    if (!expect) {
        vf_findings_add(
            reading->findings, node->place,
            "expect is missing: the whole view, as in expect: {4b: {name: Fred}}; {} says that it is empty");
    } else if (!expect->bad) {
        read_expect(reading, expect, test);
    }
}

/* Two tests of one name could not be told apart in a report. */
static void check_names(const struct vf_test_reading *reading, const struct vf_test_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (cases[i].name[0] && strcmp(cases[i].name, cases[j].name) == 0) {
                vf_findings_add(reading->findings, cases[i].place, "a test of this name stands in line %d already: %s",
                                (int)cases[j].place.line, cases[i].name);
                break;
            }
        }
    }
}

static void read_cases(const struct vf_test_reading *reading, const struct vf_node *root, struct vf_test_file *file)
{
    if (root->kind != VF_NODE_LIST || root->bad) {
        if (!root->bad) {
            vf_findings_add(reading->findings, root->place, "this is no list of tests: " FORM);
        }
        return;
    }
    struct vf_test_case *cases = vf_arena_calloc(reading->arena, count_items(root), sizeof *cases);
    for (const struct vf_node *item = root->first; item; item = item->next) {
        cases[file->case_count].path = file->path;
        read_case(reading, item, &cases[file->case_count++]);
    }
    if (file->case_count == 0) {
        vf_findings_add(reading->findings, root->place, "there is no test in this file: " FORM);
    }
    check_names(reading, cases, file->case_count);
    file->cases = cases;
}

enum vf_code vf_test_file_read(const char *path, const struct vf_projection *projection, struct vf_findings *findings,
                               struct vf_test_file **ret_file, struct vf_error *error)
{
    struct vf_test_file *file = vf_calloc(1, sizeof *file);
    struct vf_test_reading reading = {.projection = projection, .arena = vf_arena_new(), .findings = findings};
    struct vf_bytes text;
    file->arena = reading.arena;
    file->path = vf_arena_bytes(file->arena, path, strlen(path)).data;
    enum vf_code code = vf_config_file_read(path, VF_TEST_FILE_BYTES_MAX, file->arena, &text, error);
    if (code == VF_OK) {
        const struct vf_node *root = vf_config_tree_parse(text, NULL, file->arena, findings);
        if (root) {
            read_cases(&reading, root, file);
        }
        if (vf_findings_count(findings) > 0) {
            code = vf_fail(error, VF_E_CONFIG, "%s: not all of it can be read", path);
        }
    }
    if (code != VF_OK) {
        vf_test_file_free(file);
        return code;
    }
    *ret_file = file;
    return VF_OK;
}

void vf_test_file_free(struct vf_test_file *file)
{
    if (file) {
        vf_arena_free(file->arena);
        free(file);
    }
}
