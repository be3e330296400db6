/*
 * `viewfold get VIEW ID...`: documents as a reader gets them, the same from either store, if need be not before the view is
 * fresh enough for the tokens (run/fresh.h).
 */
#include "cli/cli.h"
#include "cli/document_show.h"
#include "cli/output.h"
#include "cli/verbs.h"
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
    struct vf_open_view opened;
    int32_t generation; /* 0: the active one */
    struct vf_bytes *ids;
    size_t id_count;
    struct vf_token *tokens;
    size_t token_count;
    struct vf_fresh_kind *kinds; /* of the configuration's topics */
    size_t kind_count;
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

/* --- printing ----------------------------------------------------------------------------------------------------- */

/* Those that are there; then says which are not. */
static int print_documents(const struct get *get, int32_t generation, const struct vf_document *documents)
{
    struct vf_cli *cli = get->cli;
    struct vf_error error;
    int status = 0;
    struct vf_buffer out;
    vf_buffer_init(&out);
    for (size_t i = 0; i < get->id_count; i++) {
        if (!vf_document_is_visible(&get->opened, &documents[i])) {
            continue;
        }
        vf_buffer_clear(&out);
        enum vf_code code = cli->json ? vf_document_show_json(&get->opened, generation, &documents[i], &out, &error)
                                      : vf_document_show(&get->opened, generation, &documents[i], &out, &error);
        if (code != VF_OK) {
            status = vf_cli_fail(cli, &error);
            continue;
        }
        fwrite(out.data, 1, out.size, cli->out);
    }
    for (size_t i = 0; i < get->id_count; i++) {
        if (!vf_document_is_visible(&get->opened, &documents[i])) {
            fflush(cli->out);
            vf_buffer_clear(&out);
            vf_output_plain(&out, get->ids[i], VF_SHOWN_BYTES_MAX, false);
            vf_fail(&error, VF_E_NOT_FOUND, "%s in %s has no document %s", get->view, get->opened.entry->name,
                    out.data);
            int missing = vf_cli_fail(cli, &error);
            status = status == 0 ? missing : status;
        }
    }
    vf_buffer_done(&out);
    return status;
}

/* --- freshness ---------------------------------------------------------------------------------------------------- */

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
    /* GUARD tokens-again: a token that never comes would be waited for, where the store was lost before that was seen */
    if (get->tokens_checked) {
        return VF_OK;
    }
    enum vf_code code = get->opened.type->generation(get->opened.store, view, get->look_arena, &generation, error);
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
    get->tokens_checked = code == VF_OK;
    return code;
}

static void list_kinds(struct get *get, const struct vf_config *config)
{
    get->kinds = vf_arena_calloc(get->arena, config->topic_count, sizeof *get->kinds);
    get->kind_count = config->topic_count;
    for (size_t i = 0; i < config->topic_count; i++) {
        get->kinds[i] = (struct vf_fresh_kind){config->topics[i].topic, config->topics[i].envelope.kind};
    }
}

static bool may_come(enum vf_freshness freshness)
{
    return freshness == VF_PENDING || freshness == VF_REBUILDING;
}

/* Looks until fresh, stopped, or the time is up. *ret_view is the generation that was looked at. */
static enum vf_code wait_fresh(struct get *get, const struct vf_config *config, struct vf_view *ret_view,
                               struct vf_fresh_look *ret_look, struct vf_error *error)
{
    const struct vf_clock *clock = get->cli->registry->clock;
    int64_t wait_ms = vf_options_number(get->cli->options, "wait", 0);
    int64_t end_ms = clock->monotonic_ms(clock->self) + wait_ms;
    int64_t pause_ms = POLL_FIRST_MS;
    list_kinds(get, config);
    struct vf_fresh_question question = {.tokens = get->tokens,
                                         .token_count = get->token_count,
                                         .ids = get->ids,
                                         .id_count = get->id_count,
                                         .kinds = get->kinds,
                                         .kind_count = get->kind_count};
    for (;;) {
        vf_arena_reset(get->look_arena);
        /* The pointer is read anew each time: after a switch the next generation answers. */
        enum vf_code code = get->opened.store ? VF_OK : vf_open_view_again(&get->opened, error);
        if (code == VF_OK) {
            code = vf_open_view_generation(&get->opened, get->generation, get->look_arena, ret_view, error);
        }
        if (code == VF_OK) {
            code = vf_fresh_look(get->opened.type, get->opened.store, *ret_view, &question, get->look_arena, ret_look,
                                 error);
        }
        int64_t left_ms = end_ms - clock->monotonic_ms(clock->self);
        if (code == VF_OK && !may_come(ret_look->freshness)) {
            return VF_OK;
        }
        if (code == VF_OK && left_ms > 0) {
            code = check_tokens(get, config, *ret_view, error);
        }
        if ((code != VF_OK && code != VF_E_UNAVAILABLE) || left_ms <= 0) {
            return code;
        }
        if (code != VF_OK) { /* the store was lost, and may be there again before the time is up */
            vf_open_view_close(&get->opened);
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
    enum vf_code code = vf_open_view(cli, config, get->view, &get->opened, &error);
    if (code == VF_OK) {
        code = wait_fresh(get, config, &view, &look, &error);
    }
    if (code == VF_OK && may_come(look.freshness)) {
        code = check_tokens(get, config, view, &error);
    }
    if (code != VF_OK) {
        return vf_cli_fail(cli, &error);
    }
    if (look.freshness != VF_FRESH) {
        bool stopped = look.freshness == VF_STOPPED;
        const char *reason = stopped ? "stopped" : look.freshness == VF_REBUILDING ? "rebuilding" : "pending";
        const char *token = vf_options_text_at(cli->options, "min", look.token);
        vf_fail(&error, stopped ? VF_E_DATA : VF_E_TIMEOUT, "%s %s: %s", reason, token, look.why);
        vf_cli_fail(cli, &error);
        if (!vf_options_has(cli->options, "stale-ok")) {
            return stopped ? 1 : vf_code_exit_status(VF_E_TIMEOUT);
        }
    }
    if (look.freshness != VF_REBUILDING) {
        vf_open_view_say_rebuilding(&get->opened, &look.rebuilding);
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
    vf_open_view_close(&get.opened);
    vf_config_free(config);
    vf_arena_free(get.look_arena);
    vf_arena_free(get.arena);
    return status;
}
