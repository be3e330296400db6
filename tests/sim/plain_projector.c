#include "sim/plain_projector.h"

#include "core/json.h"

#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
    char *aggregate;
    int64_t count;
    int64_t hash;
};

struct warm {
    struct entry *entries; /* sorted by name */
    size_t count;
    bool shared, unkept;
};

struct vf_projector {
    struct vf_json_parser *parser;
    struct warm **documents; /* by handle; [0] unused */
    size_t document_count;
    struct vf_file file;
    bool twice;
};

const struct vf_link vf_plain_links[VF_PLAIN_LINKS] = {
    {.type = "Created"}, {.type = "Misdirected"}, {.type = "Reassigned"}, {.type = "Removed"}, {.type = "Renoted"}};
int vf_plain_flaky;
bool vf_plain_mended;
char vf_plain_script[64];
static const struct vf_projection *described;

void vf_plain_describe(const struct vf_projection *projection)
{
    described = projection;
}

int64_t vf_plain_chain(int64_t hash, int64_t version, struct vf_bytes event_id, char type)
{
    uint64_t number = 0; /* of an event id like e17 */
    for (size_t i = 1; i < event_id.size; i++)
        number = number * 10 + (uint64_t)(event_id.data[i] - '0');
    return (int64_t)((uint64_t)hash * 1000003u + (uint64_t)version * 31u + number * 257u +
                     (uint64_t)(unsigned char)type);
}

static enum vf_code plain_open(const char *main_name, const struct vf_script_reader *reader,
                               const struct vf_projector_limits *limits, vf_projector_log *log, void *log_self,
                               struct vf_projector **ret_projector, struct vf_error *error)
{
    (void)limits, (void)log, (void)log_self;
    struct vf_bytes text;
    enum vf_code code = reader->read(reader->self, main_name, &text, error);
    if (code)
        return code;
    snprintf(vf_plain_script, sizeof vf_plain_script, "%.*s", (int)text.size, text.data);
    struct vf_projector *projector = vf_calloc(1, sizeof *projector);
    projector->parser = vf_json_parser_new();
    projector->document_count = 1;
    projector->documents = vf_calloc(1, sizeof *projector->documents);
    projector->file = (struct vf_file){.name = vf_bytes_from(main_name), .text = VF_LITERAL("plain")};
    projector->twice = vf_bytes_is(text, VF_PLAIN_TWICE);
    *ret_projector = projector;
    return VF_OK;
}

static void free_warm(struct warm *warm)
{
    if (!warm)
        return;
    for (size_t i = 0; i < warm->count; i++)
        free(warm->entries[i].aggregate);
    free(warm->entries);
    free(warm);
}

static void plain_close(struct vf_projector *projector)
{
    if (!projector)
        return;
    for (size_t i = 0; i < projector->document_count; i++)
        free_warm(projector->documents[i]);
    free(projector->documents);
    vf_json_parser_free(projector->parser);
    free(projector);
}

static const struct vf_projection *plain_describe(const struct vf_projector *projector)
{
    (void)projector;
    return described;
}

static void plain_files(const struct vf_projector *projector, const struct vf_file **ret_files, size_t *ret_count)
{
    *ret_files = &projector->file;
    *ret_count = 1;
}

static enum vf_code route_through(struct vf_json via, const char *kind, struct vf_arena *arena,
                                  struct vf_routed *ret_routed)
{
    struct vf_buffer name;
    vf_buffer_init(&name);
    struct vf_bytes id = vf_json_string(via);
    vf_buffer_printf(&name, "%s/%.*s", kind, (int)id.size, id.data);
    *ret_routed = (struct vf_routed){.through = vf_arena_copy(arena, vf_bytes(name.data, name.size))};
    vf_buffer_done(&name);
    return VF_OK;
}

static enum vf_code plain_route(struct vf_projector *projector, const struct vf_route *kind_route,
                                const struct vf_event *event, struct vf_arena *arena, struct vf_routed *ret_routed,
                                struct vf_error *error)
{
    struct vf_json root, to;
    if (vf_json_parse(projector->parser, event->record->value, &root, error))
        return error->code;
    const struct vf_link *link = vf_route_link(kind_route, event->type);
    if (link && link->through && vf_json_at(root, "/data/via", &to))
        return route_through(to, link->through, arena, ret_routed);
    if (!vf_json_at(root, "/data/to", &to))
        return vf_fail(error, VF_E_SCRIPT, "plain: data.to is missing");
    struct vf_bytes *ids = vf_arena_alloc(arena, 16 * sizeof *ids);
    size_t count = 0;
    if (vf_json_type(to) == VF_JSON_STRING) {
        ids[count++] = vf_arena_copy(arena, vf_json_string(to));
    } else if (vf_json_type(to) == VF_JSON_ARRAY) {
        struct vf_json item;
        for (struct vf_json_iterator i = vf_json_iterate(to); vf_json_next(&i, NULL, &item);)
            ids[count++] = vf_arena_copy(arena, vf_json_string(item));
    }
    *ret_routed = (struct vf_routed){.ids = ids, .count = count};
    return VF_OK;
}

static enum vf_code plain_upcast(struct vf_projector *projector, struct vf_event *event, struct vf_arena *arena,
                                 struct vf_error *error)
{
    (void)projector, (void)event, (void)arena, (void)error;
    return VF_OK;
}

static bool plain_handles(const struct vf_projector *projector, const struct vf_event *event)
{
    (void)projector;
    return !vf_bytes_is(event->type, "Noted") && !vf_bytes_is(event->type, "Renoted");
}

static enum vf_code plain_warm(struct vf_projector *projector, struct vf_bytes body, vf_warm *ret_document,
                               struct vf_error *error)
{
    (void)error;
    struct warm *warm = vf_calloc(1, sizeof *warm);
    bson_t bson;
    bson_iter_t field, inner;
    if (body.size && bson_init_static(&bson, (const uint8_t *)body.data, body.size) && bson_iter_init(&field, &bson)) {
        while (bson_iter_next(&field)) {
            if (!BSON_ITER_HOLDS_DOCUMENT(&field))
                continue; /* for indexes: counted anew */
            struct entry entry = {.aggregate = vf_strdup(bson_iter_key(&field))};
            if (bson_iter_recurse(&field, &inner)) {
                while (bson_iter_next(&inner)) {
                    if (bson_iter_key(&inner)[0] == 'h')
                        entry.hash = bson_iter_int64(&inner);
                    else
                        entry.count = bson_iter_int64(&inner);
                }
            }
            warm->entries = vf_realloc(warm->entries, (warm->count + 1) * sizeof entry);
            warm->entries[warm->count++] = entry;
        }
    }
    size_t place = 1;
    while (place < projector->document_count && projector->documents[place])
        place++;
    if (place == projector->document_count) {
        projector->documents = vf_realloc(projector->documents, ++projector->document_count * sizeof warm);
        projector->documents[place] = NULL;
    }
    projector->documents[place] = warm;
    *ret_document = (vf_warm)place;
    return VF_OK;
}

static void plain_cool(struct vf_projector *projector, vf_warm document)
{
    free_warm(projector->documents[document]);
    projector->documents[document] = NULL;
}

static size_t place_of(const struct warm *warm, struct vf_bytes aggregate, bool *ret_there)
{
    size_t place = 0;
    while (place < warm->count && vf_bytes_compare(vf_bytes_from(warm->entries[place].aggregate), aggregate) < 0)
        place++;
    *ret_there = place < warm->count && vf_bytes_is(aggregate, warm->entries[place].aggregate);
    return place;
}

static struct entry *entry_of(struct warm *warm, struct vf_bytes aggregate)
{
    bool there;
    size_t place = place_of(warm, aggregate, &there);
    if (there)
        return &warm->entries[place];
    warm->entries = vf_realloc(warm->entries, (warm->count + 1) * sizeof *warm->entries);
    memmove(warm->entries + place + 1, warm->entries + place, (warm->count - place) * sizeof *warm->entries);
    warm->entries[place] = (struct entry){.aggregate = vf_strndup(aggregate.data, aggregate.size)};
    warm->count++;
    return &warm->entries[place];
}

static bool has_customer(const struct warm *warm)
{
    for (size_t i = 0; i < warm->count; i++)
        if (strncmp(warm->entries[i].aggregate, "customer/", 9) == 0)
            return true;
    return false;
}

static int64_t version_of(const struct vf_event *event)
{
    return event->version_text.size ? strtoll(event->version_text.data, NULL, 16) /* the arena ends it with NUL */
                                    : event->version;
}

static void count(const struct vf_projector *projector, struct warm *warm, struct vf_bytes name,
                  const struct vf_event *event)
{
    struct entry *entry = entry_of(warm, name);
    entry->count += warm->shared || projector->twice ? 2 : 1;
    entry->hash = vf_plain_chain(entry->hash, version_of(event), event->event_id, event->type.data[0]);
}

/* The aggregate's entry goes along; what stays is that it has left. */
static void move(const struct vf_projector *projector, struct warm *from, struct warm *to, const struct vf_event *event)
{
    bool there;
    size_t place = place_of(from, event->aggregate, &there);
    if (there) {
        struct entry *entry = entry_of(to, event->aggregate);
        entry->count = from->entries[place].count;
        entry->hash = from->entries[place].hash;
        free(from->entries[place].aggregate);
        memmove(from->entries + place, from->entries + place + 1, (--from->count - place) * sizeof *from->entries);
    }
    struct vf_buffer name;
    vf_buffer_init(&name);
    vf_buffer_printf(&name, "left %.*s", (int)event->aggregate.size, event->aggregate.data);
    count(projector, from, vf_bytes(name.data, name.size), event);
    entry_of(to, event->aggregate)->hash += entry_of(from, vf_bytes(name.data, name.size))->count;
    vf_buffer_done(&name);
}

static enum vf_code plain_handle(struct vf_projector *projector, const struct vf_event *event, struct vf_bytes id,
                                 vf_warm document, vf_warm from, enum vf_handled *ret_handled, struct vf_error *error)
{
    (void)id;
    struct warm *warm = projector->documents[document];
    if (vf_bytes_is(event->type, "Needs") && !has_customer(warm))
        return vf_fail(error, VF_E_SCRIPT, "plain: no customer here");
    if (from)
        move(projector, projector->documents[from], warm, event);
    count(projector, warm, event->aggregate, event);
    warm->shared |= vf_bytes_is(event->type, "Shared");
    warm->unkept |= vf_bytes_is(event->type, "Unkept");
    /* A failing handler has left its mark in the document: whoever keeps it is found out. */
    bool is_failing = vf_bytes_is(event->type, "Broken") || vf_bytes_is(event->type, "Misdirected");
    if (is_failing && !vf_plain_mended)
        return vf_fail(error, VF_E_SCRIPT, "plain: broken");
    if (vf_bytes_is(event->type, "Flaky") && vf_plain_flaky > 0) {
        return --vf_plain_flaky % 2 ? vf_fail(error, VF_E_MEMORY, "plain: no memory")
                                    : vf_fail(error, VF_E_SCRIPT, "plain: flaky");
    }
    bool deletes = vf_bytes_is(event->type, "Deleted") || vf_bytes_is(event->type, "Removed");
    *ret_handled = deletes ? VF_DELETED : VF_HANDLED;
    return VF_OK;
}

static enum vf_code plain_body(struct vf_projector *projector, vf_warm document, struct vf_arena *arena,
                               struct vf_bytes *ret_bson, bool *ret_aliased, struct vf_error *error)
{
    const struct warm *warm = projector->documents[document];
    if (warm->unkept)
        return vf_fail(error, VF_E_SCRIPT, "plain: this cannot be kept");
    bson_t bson = BSON_INITIALIZER, inner;
    int64_t total = 0;
    for (size_t i = 0; i < warm->count; i++) {
        total += warm->entries[i].count;
        bson_append_document_begin(&bson, warm->entries[i].aggregate, -1, &inner);
        bson_append_int64(&inner, "h", 1, warm->entries[i].hash);
        bson_append_int64(&inner, "n", 1, warm->entries[i].count);
        bson_append_document_end(&bson, &inner);
    }
    if (described->index_count) {
        BSON_APPEND_BOOL(&bson, "x_odd", total % 2 == 1);
        BSON_APPEND_INT64(&bson, "x_third", total % 3);
        BSON_APPEND_INT64(&bson, "x_total", total);
    }
    *ret_bson = vf_arena_bytes(arena, bson_get_data(&bson), bson.len);
    *ret_aliased = warm->shared;
    bson_destroy(&bson);
    return VF_OK;
}

static size_t plain_memory_bytes(const struct vf_projector *projector)
{
    (void)projector;
    return 0;
}

static void plain_collect(struct vf_projector *projector)
{
    (void)projector;
}

const struct vf_projector_type vf_plain_projector_type = {
    .name = "plain",
    .open = plain_open,
    .close = plain_close,
    .describe = plain_describe,
    .files = plain_files,
    .route = plain_route,
    .upcast = plain_upcast,
    .handles = plain_handles,
    .warm = plain_warm,
    .cool = plain_cool,
    .handle = plain_handle,
    .body = plain_body,
    .memory_bytes = plain_memory_bytes,
    .collect = plain_collect,
};
