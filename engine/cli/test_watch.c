#include "cli/test_watch.h"

#include <stdlib.h>

/* The one in front, and what it stands in front of. */
static _Thread_local struct vf_test_watch *current;
static _Thread_local const struct vf_projector_type *real;

struct vf_projector {
    struct vf_projector *real; /* the real projector's own struct */
};

void vf_test_watch_init(struct vf_test_watch *watch, const struct vf_projection *projection)
{
    size_t links = 0;
    for (size_t i = 0; i < projection->route_count; i++) {
        links += projection->routes[i].link_count;
    }
    *watch = (struct vf_test_watch){.handler_runs = vf_calloc(projection->handler_count + 1, sizeof(size_t)),
                                    .upcast_runs = vf_calloc(projection->upcast_count + 1, sizeof(size_t)),
                                    .link_runs = vf_calloc(links + 1, sizeof(size_t))};
}

static void free_line(struct vf_test_log_line *line)
{
    free(line->topic);
    free(line->document);
    free(line->text);
}

void vf_test_watch_forget_lines(struct vf_test_watch *watch)
{
    for (size_t i = 0; i < watch->line_count; i++) {
        free_line(&watch->lines[i]);
    }
    watch->line_count = watch->lines_dropped = 0;
}

void vf_test_watch_done(struct vf_test_watch *watch)
{
    vf_test_watch_forget_lines(watch);
    free(watch->lines);
    free(watch->handler_runs);
    free(watch->upcast_runs);
    free(watch->link_runs);
    *watch = (struct vf_test_watch){0};
}

/* --- log(...) ----------------------------------------------------------------------------------------------------- */

static bool is_at(const struct vf_test_log_line *line, const struct vf_record *record, const char *document)
{
    return line->offset == record->offset && line->partition == record->partition &&
           strcmp(line->topic, record->topic) == 0 && strcmp(line->document, document) == 0;
}

/* The event is tried (again): what it logged before does not count. */
static void forget_try(const struct vf_record *record, const char *document)
{
    size_t kept = 0;
    for (size_t i = 0; i < current->line_count; i++) {
        if (is_at(&current->lines[i], record, document)) {
            free_line(&current->lines[i]);
        } else {
            current->lines[kept++] = current->lines[i];
        }
    }
    current->line_count = kept;
}

static void take_line(void *self, const struct vf_event *event, struct vf_bytes text)
{
    (void)self;
    if (!current->recording) {
        return;
    }
    if (current->line_count == VF_TEST_LOG_LINES_MAX) {
        current->lines_dropped++;
        return;
    }
    if (!current->lines) {
        current->lines = vf_calloc(VF_TEST_LOG_LINES_MAX, sizeof *current->lines);
    }
    size_t size = text.size < VF_TEST_LOG_LINE_BYTES_MAX ? text.size : VF_TEST_LOG_LINE_BYTES_MAX;
    char *kept = vf_strndup(size ? text.data : "", size);
    for (char *c = kept; !vf_bytes_is_utf8(vf_bytes_from(kept)) && *c; c++) { /* reports are UTF-8 */
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    }
    current->lines[current->line_count++] =
        (struct vf_test_log_line){.topic = vf_strdup(event ? event->record->topic : ""),
                                  .partition = event ? event->record->partition : 0,
                                  .offset = event ? event->record->offset : 0,
                                  .document = vf_strdup(event && current->document ? current->document : ""),
                                  .text = kept};
}

/* --- the seam ----------------------------------------------------------------------------------------------------- */

static enum vf_code watch_open(const char *main_name, const struct vf_script_reader *reader,
                               const struct vf_projector_limits *limits, vf_projector_log *log, void *log_self,
                               struct vf_projector **ret_projector, struct vf_error *error)
{
    (void)log;
    (void)log_self;
    struct vf_projector *inner = NULL;
    enum vf_code code = real->open(main_name, reader, limits, take_line, NULL, &inner, error);
    if (code == VF_OK) {
        *ret_projector = vf_calloc(1, sizeof **ret_projector);
        (*ret_projector)->real = inner;
    }
    return code;
}

static void watch_close(struct vf_projector *projector)
{
    if (projector) {
        real->close(projector->real);
        free(projector);
    }
}

static const struct vf_projection *watch_describe(const struct vf_projector *projector)
{
    return real->describe(projector->real);
}

static void watch_files(const struct vf_projector *projector, const struct vf_file **ret_files, size_t *ret_count)
{
    real->files(projector->real, ret_files, ret_count);
}

static enum vf_code watch_upcast(struct vf_projector *projector, struct vf_event *event, struct vf_arena *arena,
                                 struct vf_error *error)
{
    const struct vf_projection *projection = real->describe(projector->real);
    for (size_t i = 0; current->recording && i < projection->upcast_count; i++) {
        current->upcast_runs[i] += vf_bytes_is(event->type, projection->upcast_types[i]);
    }
    return real->upcast(projector->real, event, arena, error);
}

static void count_link(const struct vf_projector *projector, const struct vf_route *kind_route,
                       const struct vf_event *event)
{
    const struct vf_link *link = vf_route_link(kind_route, event->type);
    size_t before = 0;
    for (const struct vf_route *route = real->describe(projector->real)->routes; route < kind_route; route++) {
        before += route->link_count;
    }
    if (link) {
        current->link_runs[before + (size_t)(link - kind_route->links)]++;
    }
}

static enum vf_code watch_route(struct vf_projector *projector, const struct vf_route *kind_route,
                                const struct vf_event *event, struct vf_arena *arena, struct vf_routed *ret_routed,
                                struct vf_error *error)
{
    if (current->recording) {
        forget_try(event->record, "");
        count_link(projector, kind_route, event);
    }
    return real->route(projector->real, kind_route, event, arena, ret_routed, error);
}

static bool watch_handles(const struct vf_projector *projector, const struct vf_event *event)
{
    return real->handles(projector->real, event);
}

static enum vf_code watch_warm(struct vf_projector *projector, struct vf_bytes body, vf_warm *ret_document,
                               struct vf_error *error)
{
    return real->warm(projector->real, body, ret_document, error);
}

static void watch_cool(struct vf_projector *projector, vf_warm document)
{
    real->cool(projector->real, document);
}

static void count_run(const struct vf_projector *projector, const struct vf_event *event)
{
    const struct vf_projection *projection = real->describe(projector->real);
    size_t handler = vf_projection_handler(projection, event->kind, event->type);
    if (handler < projection->handler_count) {
        current->handler_runs[handler]++;
    }
}

static enum vf_code watch_handle(struct vf_projector *projector, const struct vf_event *event, struct vf_bytes id,
                                 vf_warm document, vf_warm from, enum vf_handled *ret_handled, struct vf_error *error)
{
    char name[VF_ID_BYTES_MAX + 1];
    if (!current->recording) {
        return real->handle(projector->real, event, id, document, from, ret_handled, error);
    }
    if (id.size > 0) {                  /* none, where what the handler makes is thrown away */
        memcpy(name, id.data, id.size); /* an id has at most so many bytes, and no NUL */
    }
    name[id.size] = 0;
    forget_try(event->record, name);
    count_run(projector, event);
    current->document = name;
    enum vf_code code = real->handle(projector->real, event, id, document, from, ret_handled, error);
    current->document = NULL;
    return code;
}

static enum vf_code watch_body(struct vf_projector *projector, vf_warm document, struct vf_arena *arena,
                               struct vf_bytes *ret_bson, bool *ret_aliased, struct vf_error *error)
{
    return real->body(projector->real, document, arena, ret_bson, ret_aliased, error);
}

static size_t watch_memory_bytes(const struct vf_projector *projector)
{
    return real->memory_bytes(projector->real);
}

static void watch_collect(struct vf_projector *projector)
{
    real->collect(projector->real);
}

static void watch_lint(const char *main_name, const struct vf_script_reader *reader,
                       const struct vf_projector_limits *limits, vf_script_found *found, void *self,
                       struct vf_projector **ret_projector)
{
    real->lint(main_name, reader, limits, found, self, ret_projector);
}

static void watch_place(const struct vf_projector *projector, const char *field, const char *word, int32_t *ret_line,
                        int32_t *ret_column)
{
    real->place(projector->real, field, word, ret_line, ret_column);
}

static const struct vf_projector_type watching_type = {
    .name = "watch",
    .open = watch_open,
    .close = watch_close,
    .describe = watch_describe,
    .files = watch_files,
    .route = watch_route,
    .upcast = watch_upcast,
    .handles = watch_handles,
    .warm = watch_warm,
    .cool = watch_cool,
    .handle = watch_handle,
    .body = watch_body,
    .memory_bytes = watch_memory_bytes,
    .collect = watch_collect,
    .lint = watch_lint,
    .place = watch_place,
};

const struct vf_projector_type *vf_test_watch_type(struct vf_test_watch *watch,
                                                   const struct vf_projector_type *projector)
{
    current = watch;
    real = projector;
    return &watching_type;
}
