/*
 * `viewfold get VIEW ID...`: documents as a reader gets them, the same from either store, if need be not before the view is
 * fresh enough for the tokens (run/fresh.h).
 */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "cli/verbs.h"
#include "cli/views.h"
#include "core/body.h"
#include "core/token.h"
#include "run/fresh.h"
#include "run/generation.h"
#include "run/supervisor.h"

/* How often the store is asked while waiting: soon at first, then less. */
#define POLL_FIRST_MS 20
#define POLL_MAX_MS   100

struct get {
    struct vf_cli *cli;
    const char *view;
    const struct vf_store_entry *entry;
    const struct vf_store_type *type;
    struct vf_store *store;
    int32_t generation; /* 0: the active one */
    struct vf_bytes *ids;
    size_t id_count;
    struct vf_token *tokens;
    size_t token_count;
    struct vf_arena *arena;      /* lives as long as the command */
    struct vf_arena *look_arena; /* one look's */
    bool tokens_checked;
};

/* --- what was asked for ------------------------------------------------------------------------------------------- */

static enum vf_code read_arguments(struct get *get, struct vf_error *error)
{
    const struct vf_options *options = get->cli->options;
    const char *const *arguments = vf_options_arguments(options);
    size_t count = vf_options_argument_count(options);

    get->view = arguments[0];
    get->generation = (int32_t)vf_options_number(options, "generation", 0);
    get->ids = vf_arena_calloc(get->arena, count, sizeof *get->ids);
    for (size_t i = 1; i < count; i++) {
        struct vf_bytes id = vf_bytes_from(arguments[i]);
        bool repeated = false;
        for (size_t j = 0; j < get->id_count; j++) {
            repeated |= vf_bytes_equal(get->ids[j], id);
        }
        if (id.size == 0 || id.size > VF_ID_BYTES_MAX || !vf_bytes_is_utf8(id)) {
            return vf_fail(error, VF_E_USAGE, "an id has 1 to %d bytes of UTF-8", VF_ID_BYTES_MAX);
        }
        if (!repeated) {
            get->ids[get->id_count++] = id;
        }
    }
    const char *text;
    while ((text = vf_options_text_at(options, "min", get->token_count)) != NULL) {
        get->token_count++;
    }
    get->tokens = vf_arena_calloc(get->arena, get->token_count, sizeof *get->tokens);
    for (size_t i = 0; i < get->token_count; i++) {
        text = vf_options_text_at(options, "min", i);
        enum vf_code code = vf_token_parse(vf_bytes_from(text), get->arena, &get->tokens[i], error);
        if (code != VF_OK) {
            return code;
        }
    }
    return VF_OK;
}

/* Which one is not there, and which one (or NULL) was perhaps meant. */
static enum vf_code unknown(const struct vf_config *config, const char *what, const char *name, const char *near,
                            struct vf_error *error)
{
    return vf_fail(error, VF_E_NOT_FOUND, "%s has no %s %s%s%s%s", config->path, what, name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum vf_code named_store(struct get *get, const struct vf_config *config, const char *name,
                                struct vf_error *error)
{
    const char *near = NULL;
    get->entry = vf_config_store(config, name);
    if (get->entry) {
        return VF_OK;
    }
    for (size_t i = 0; i < config->store_count; i++) {
        vf_suggest_offer(name, config->stores[i].name, &near);
    }
    return unknown(config, "store", name, near, error);
}

/* The first store that has the view, or NULL. */
static const struct vf_store_entry *store_of(const struct vf_views *views, const char *view)
{
    for (size_t i = 0; i < views->count; i++) {
        if (strcmp(views->entries[i].view, view) == 0) {
            return views->entries[i].store;
        }
    }
    for (size_t i = 0; i < views->unread_count; i++) {
        const struct vf_projection_entry *configured = views->unread[i].configured;
        for (size_t j = 0; j < configured->store_count; j++) {
            const struct vf_projection_store *made = &configured->stores[j];
            if (made->view_name && strcmp(made->view_name, view) == 0) {
                return made->store;
            }
        }
    }
    return NULL;
}

static enum vf_code fail_no_view(const struct get *get, const struct vf_config *config, const struct vf_views *views,
                                 struct vf_error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < views->count; i++) {
        vf_suggest_offer(get->view, views->entries[i].view, &near);
    }
    unknown(config, "projection that makes a view", get->view, near, error);
    return vf_views_doubt(views, "; with --store none is needed", error);
}

/* --store, or the only one, or the first that the projection of that name writes to (this opens the scripts). */
static enum vf_code choose_store(struct get *get, const struct vf_config *config, struct vf_error *error)
{
    const char *named = vf_options_text(get->cli->options, "store");
    if (named) {
        return named_store(get, config, named, error);
    }
    if (config->store_count == 1) {
        get->entry = &config->stores[0];
        return VF_OK;
    }
    struct vf_views *views = NULL;
    enum vf_code code = vf_views_look(get->cli, config, &views, error);
    if (code != VF_OK) {
        return code;
    }
    get->entry = store_of(views, get->view);
    if (!get->entry) {
        code = fail_no_view(get, config, views, error);
    }
    vf_views_free(views);
    return code;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

static enum vf_code add_json(const struct get *get, int32_t generation, const struct vf_document *document,
                             struct vf_buffer *out, struct vf_error *error)
{
    vf_buffer_add_text(out, "{\"document\":");
    if (document->body.size == 0) {
        vf_buffer_add_text(out, "{}");
    } else {
        enum vf_code code = vf_body_print(out, document->body, error);
        if (code != VF_OK) {
            return code;
        }
    }
    vf_buffer_printf(out, ",\"generation\":%d,\"id\":", (int)generation);
    vf_json_print_string(out, document->id);
    vf_buffer_printf(out, ",\"revision\":%lld,\"store\":", (long long)document->revision);
    vf_json_print_string(out, vf_bytes_from(get->entry->name));
    vf_buffer_add_text(out, ",\"versions\":");
    vf_versions_print(out, document->versions, document->version_count);
    vf_buffer_add_text(out, ",\"view\":");
    vf_json_print_string(out, vf_bytes_from(get->view));
    vf_buffer_add_text(out, "}\n");
    return VF_OK;
}

#define SHOWN_BYTES_MAX 1024

/* As a token carries it behind its '@'. */
static void add_encoded(struct vf_buffer *text, struct vf_bytes part, const char *encoded)
{
    struct vf_buffer printed;
    vf_buffer_init(&printed);
    for (size_t i = 0; i < part.size; i++) {
        unsigned char c = (unsigned char)part.data[i];
        if (c <= ' ' || c == 0x7f || strchr(encoded, c)) {
            vf_buffer_printf(&printed, "%%%02X", c);
        } else {
            vf_buffer_add_char(&printed, (char)c);
        }
    }
    vf_output_plain(text, vf_bytes(printed.data, printed.size), SHOWN_BYTES_MAX, false);
    vf_buffer_done(&printed);
}

/* Of a revision with the id of its last event. */
static void add_version(struct vf_buffer *text, const struct vf_version *version)
{
    const struct vf_version_more *more = version->more;
    struct vf_bytes rest = more ? more->ids : (struct vf_bytes){0}, id = {0};
    vf_buffer_add_char(text, '@');
    if (more && more->text.size > 0) {
        add_encoded(text, more->text, "%@~");
        return;
    }
    vf_buffer_add_int(text, version->version);
    if (more && !more->is_window) {
        while (vf_event_ids_next(&rest, &id)) {
        }
        vf_buffer_add_char(text, '~');
        add_encoded(text, id, "%@");
    }
}

static enum vf_code add_readable(const struct get *get, int32_t generation, const struct vf_document *document,
                                 struct vf_buffer *out, struct vf_error *error)
{
    bool color = get->cli->color;
    struct vf_buffer text;
    enum vf_code code = VF_OK;
    vf_buffer_init(&text);
    vf_output_plain(&text, document->id, SHOWN_BYTES_MAX, false);
    vf_output_add(out, color, VF_COLOR_BOLD, text.data);
    vf_buffer_clear(&text);
    vf_buffer_printf(&text, "  %s in %s, generation %d, revision %lld\n", get->view, get->entry->name, (int)generation,
                     (long long)document->revision);
    for (size_t i = 0; i < document->version_count; i++) {
        vf_buffer_add_text(&text, i == 0 ? "  versions " : ", ");
        vf_output_plain(&text, document->versions[i].aggregate, SHOWN_BYTES_MAX, false);
        add_version(&text, &document->versions[i]);
    }
    vf_buffer_add_text(&text, document->version_count > 0 ? "\n" : "");
    vf_output_add(out, color, VF_COLOR_DIM, text.data);
    vf_buffer_clear(&text);
    if (document->body.size > 0) {
        code = vf_body_print(&text, document->body, error);
    } else {
        vf_buffer_add_text(&text, "{}");
    }
    if (code == VF_OK) {
        vf_output_json(out, color, vf_bytes(text.data, text.size));
        vf_buffer_add_char(out, '\n');
    }
    vf_buffer_done(&text);
    return code;
}

/* A husk is hidden from readers, and so is what has expired and has not been swept yet. */
static bool is_visible(const struct get *get, const struct vf_document *document)
{
    const struct vf_clock *clock = get->cli->registry->clock;
    /* GUARD get-expired: a document would be read beyond its time */
    return document->presence == VF_PRESENT &&
           (!document->has_expires || document->expires_ms > clock->wall_ms(clock->self));
}

/* Those that are there; then says which are not. */
static int print_documents(const struct get *get, int32_t generation, const struct vf_document *documents)
{
    struct vf_cli *cli = get->cli;
    struct vf_error error;
    int status = 0;
    struct vf_buffer out;
    vf_buffer_init(&out);
    for (size_t i = 0; i < get->id_count; i++) {
        if (!is_visible(get, &documents[i])) {
            continue;
        }
        vf_buffer_clear(&out);
        enum vf_code code = cli->json ? add_json(get, generation, &documents[i], &out, &error)
                                      : add_readable(get, generation, &documents[i], &out, &error);
        if (code != VF_OK) {
            status = vf_cli_fail(cli, &error);
            continue;
        }
        fwrite(out.data, 1, out.size, cli->out);
    }
    for (size_t i = 0; i < get->id_count; i++) {
        if (!is_visible(get, &documents[i])) {
            fflush(cli->out);
            vf_buffer_clear(&out);
            vf_output_plain(&out, get->ids[i], SHOWN_BYTES_MAX, false);
            vf_fail(&error, VF_E_NOT_FOUND, "%s in %s has no document %s", get->view, get->entry->name, out.data);
            int missing = vf_cli_fail(cli, &error);
            status = status == 0 ? missing : status;
        }
    }
    vf_buffer_done(&out);
    return status;
}

/* --- freshness ---------------------------------------------------------------------------------------------------- */

static enum vf_code find_generation(struct get *get, struct vf_view *view, struct vf_error *error)
{
    struct vf_view_state state;
    struct vf_generation ignored;
    view->name = get->view;
    view->generation = get->generation;
    if (get->generation > 0) {
        return get->type->generation(get->store, *view, get->look_arena, &ignored, error);
    }
    enum vf_code code = get->type->state(get->store, get->view, &state, error);
    if (code == VF_OK && state.active == 0) {
        return vf_fail(error, VF_E_NOT_FOUND, "the store %s (%s %s) has no view %s", get->entry->name, get->entry->type,
                       get->entry->address, get->view);
    }
    view->generation = code == VF_OK ? state.active : 0;
    return code;
}

static enum vf_code refuse_topic(const struct get *get, const struct vf_config *config,
                                 const struct vf_projection *projection, struct vf_bytes wanted, struct vf_error *error)
{
    struct vf_buffer reads;
    vf_buffer_init(&reads);
    for (size_t i = 0; i < projection->topic_count; i++) {
        const char *topic = vf_config_topic(config, projection->topics[i]).topic;
        if (vf_bytes_is(wanted, topic)) {
            vf_buffer_done(&reads);
            return VF_OK;
        }
        vf_buffer_printf(&reads, "%s%s", i > 0 ? ", " : "", topic);
    }
    vf_fail(error, VF_E_NOT_FOUND, "the view %s does not read topic %.*s; it reads %s", get->view, (int)wanted.size,
            wanted.data, reads.data);
    vf_buffer_done(&reads);
    return error->code;
}

static enum vf_code refuse_kind(const struct get *get, const struct vf_projection *projection,
                                struct vf_bytes aggregate, struct vf_error *error)
{
    const char *slash = aggregate.size > 0 ? memchr(aggregate.data, '/', aggregate.size) : NULL;
    struct vf_bytes kind = vf_bytes(aggregate.data, slash ? (size_t)(slash - aggregate.data) : aggregate.size);
    for (size_t i = 0; i < projection->route_count; i++) {
        if (vf_bytes_is(kind, projection->routes[i].kind)) {
            return VF_OK;
        }
    }
    return vf_fail(error, VF_E_NOT_FOUND, "no events of kind %.*s go to the view %s", (int)kind.size, kind.data,
                   get->view);
}

/* A token that waits for what never comes: a version that is not kept (`versions = "none"`), a kind or a topic that is not
 * for this view. */
static enum vf_code check_token(const struct get *get, const struct vf_config *config,
                                const struct vf_projection *projection, const struct vf_token *token,
                                struct vf_error *error)
{
    if (token->kind == VF_TOKEN_OFFSET) {
        return refuse_topic(get, config, projection, token->topic, error);
    }
    if (projection->versions == VF_VERSIONS_NONE) {
        return vf_fail(error, VF_E_USAGE,
                       "%s keeps no versions (versions = \"none\"), so it cannot tell about a version "
                       "token; an offset token works: o:TOPIC/PARTITION@OFFSET",
                       get->view);
    }
    return refuse_kind(get, projection, token->aggregate, error);
}

/* Whether tokens that are not fresh can become so. The script that the view is built with says, as the store holds it. */
static enum vf_code check_tokens(struct get *get, const struct vf_config *config, struct vf_view view,
                                 struct vf_error *error)
{
    const struct vf_projector_type *type = get->cli->registry->projector;
    struct vf_projector_limits limits = vf_projector_limits_of(config);
    struct vf_projector *projector = NULL;
    struct vf_generation generation;
    if (get->tokens_checked) {
        return VF_OK;
    }
    get->tokens_checked = true;
    enum vf_code code = get->type->generation(get->store, view, get->look_arena, &generation, error);
    if (code != VF_OK) {
        return code;
    }
    struct vf_script_reader reader = vf_script_stored_reader(&generation);
    code = type->open(generation.script, &reader, &limits, NULL, NULL, &projector, error);
    if (code != VF_OK) {
        return vf_error_prefix(error, "the script stored with %s generation %d", view.name, (int)view.generation);
    }
    for (size_t i = 0; code == VF_OK && i < get->token_count; i++) {
        code = check_token(get, config, type->describe(projector), &get->tokens[i], error);
    }
    type->close(projector);
    return code;
}

/* Looks until fresh, stopped, or the time is up. *ret_view is the generation that was looked at. */
static enum vf_code wait_fresh(struct get *get, const struct vf_config *config, struct vf_view *ret_view,
                               struct vf_fresh_look *ret_look, struct vf_error *error)
{
    const struct vf_clock *clock = get->cli->registry->clock;
    int64_t wait_ms = vf_options_number(get->cli->options, "wait", 0);
    int64_t end_ms = clock->monotonic_ms(clock->self) + wait_ms;
    int64_t pause_ms = POLL_FIRST_MS;
    for (;;) {
        vf_arena_reset(get->look_arena);
        /* The pointer is read anew each time: after a switch the next generation answers. */
        enum vf_code code = find_generation(get, ret_view, error);
        if (code == VF_OK) {
            code = vf_fresh_look(get->type, get->store, *ret_view, get->tokens, get->token_count, get->ids,
                                 get->id_count, get->look_arena, ret_look, error);
        }
        if (code != VF_OK || ret_look->freshness != VF_PENDING) {
            return code;
        }
        int64_t left_ms = end_ms - clock->monotonic_ms(clock->self);
        if (left_ms <= 0) {
            return VF_OK;
        }
        code = check_tokens(get, config, *ret_view, error);
        if (code != VF_OK) {
            return code;
        }
        clock->sleep_ms(clock->self, pause_ms < left_ms ? pause_ms : left_ms);
        pause_ms = pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS;
    }
}

static int get_and_print(struct get *get, const struct vf_config *config)
{
    struct vf_cli *cli = get->cli;
    struct vf_error error;
    struct vf_view view;
    struct vf_fresh_look look;
    enum vf_code code = choose_store(get, config, &error);
    if (code == VF_OK) {
        code = vf_cli_open_store(cli, get->entry, &get->type, &get->store, &error);
    }
    if (code == VF_OK) {
        code = wait_fresh(get, config, &view, &look, &error);
    }
    if (code == VF_OK && look.freshness == VF_PENDING) {
        code = check_tokens(get, config, view, &error);
    }
    if (code != VF_OK) {
        return vf_cli_fail(cli, &error);
    }
    if (look.freshness != VF_FRESH) {
        bool stopped = look.freshness == VF_STOPPED;
        const char *token = vf_options_text_at(cli->options, "min", look.token);
        vf_fail(&error, stopped ? VF_E_DATA : VF_E_TIMEOUT, "%s %s: %s", stopped ? "stopped" : "pending", token,
                look.why);
        vf_cli_fail(cli, &error);
        if (!vf_options_has(cli->options, "stale-ok")) {
            return stopped ? 1 : vf_code_exit_status(VF_E_TIMEOUT);
        }
    }
    return print_documents(get, view.generation, look.documents);
}

int vf_verb_get(struct vf_cli *cli)
{
    struct get get = {.cli = cli, .arena = vf_arena_new(), .look_arena = vf_arena_new()};
    struct vf_config *config = NULL;
    struct vf_error error;
    int status = 0;
    if (read_arguments(&get, &error) != VF_OK) {
        status = vf_cli_fail(cli, &error);
    } else {
        config = vf_cli_config(cli, &status);
    }
    if (config) {
        status = get_and_print(&get, config);
    }
    if (get.store) {
        get.type->close(get.store);
    }
    vf_config_free(config);
    vf_arena_free(get.look_arena);
    vf_arena_free(get.arena);
    return status;
}
