/*
 * `viewfold parked list|show|retry|drop`: what of a view's events is set aside, why, and what an operator decides about it. Each
 * view in each store is a case of its own: one that cannot be asked does not hold the others back. Everything streams, so that
 * memory does not depend on how much is set aside.
 */
#include "cli/parked.h"

#include "cli/output.h"
#include "cli/parked_show.h"
#include "cli/suggest.h"
#include "cli/verbs.h"

#include <stdlib.h>

#define PAGE         200
#define EVENTS_SHOWN 20

/* --- which views -------------------------------------------------------------------------------------------------- */

static void add_target(struct vf_parked *parked, struct vf_parked_target target)
{
    parked->targets = vf_realloc(parked->targets, (parked->target_count + 1) * sizeof *parked->targets);
    parked->targets[parked->target_count++] = target;
}

/* Those that `name` says, by projection or by view; NULL says all. A view whose script cannot be read here goes by its name, where
 * the configuration has it. */
static void add_targets(struct vf_parked *parked, const char *name, const struct vf_store_entry *only)
{
    const struct vf_views *views = parked->views;
    for (size_t i = 0; i < views->count; i++) {
        const struct vf_view_entry *entry = &views->entries[i];
        bool wanted = !name || strcmp(entry->projection, name) == 0 || strcmp(entry->view, name) == 0;
        if (wanted && (!only || only == entry->store)) {
            add_target(parked, (struct vf_parked_target){entry->view, entry->store, entry});
        }
    }
    for (size_t i = 0; i < views->unread_count; i++) {
        const struct vf_projection_entry *configured = views->unread[i].configured;
        for (size_t j = 0; j < configured->store_count; j++) {
            const struct vf_projection_store *made = &configured->stores[j];
            bool wanted = made->view_name && (!name || strcmp(made->view_name, name) == 0);
            if (wanted && (!only || only == made->store)) {
                add_target(parked, (struct vf_parked_target){made->view_name, made->store, NULL});
            }
        }
    }
}

static enum vf_code choose_targets(struct vf_parked *parked, struct vf_error *error)
{
    const char *name = vf_options_text(parked->cli->options, "projection");
    const char *store = vf_options_text(parked->cli->options, "store");
    const struct vf_store_entry *only = store ? vf_config_store(parked->config, store) : NULL;
    const char *near = NULL;
    if (store && !only) {
        for (size_t i = 0; i < parked->config->store_count; i++) {
            vf_suggest_offer(store, parked->config->stores[i].name, &near);
        }
        return vf_fail(error, VF_E_NOT_FOUND, "%s has no store %s%s%s%s", parked->config->path, store,
                       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    add_targets(parked, name, only);
    if (parked->target_count > 0 || !name) {
        return VF_OK;
    }
    for (size_t i = 0; i < parked->views->count; i++) {
        vf_suggest_offer(name, parked->views->entries[i].projection, &near);
    }
    vf_fail(error, VF_E_NOT_FOUND, "%s has no projection %s%s%s%s%s%s", parked->config->path, name,
            only ? " in the store " : "", only ? only->name : "", near ? "; did you mean " : "", near ? near : "",
            near ? "?" : "");
    return vf_views_doubt(parked->views, "", error);
}

/* --- shared ------------------------------------------------------------------------------------------------------- */

void vf_parked_find(struct vf_parked *parked, int status)
{
    /* Of findings the one that does not go away by itself. */
    if (parked->status == 0 || (parked->status == vf_code_exit_status(VF_E_TIMEOUT) && status == 1)) {
        parked->status = status;
    }
}

void vf_parked_fail(struct vf_parked *parked, const struct vf_parked_target *target, struct vf_error *error)
{
    vf_error_prefix(error, "%s in %s", target->view, target->store->name);
    int status = vf_cli_fail(parked->cli, error);
    if (parked->status == 0 || parked->status == 1 || parked->status == vf_code_exit_status(VF_E_TIMEOUT)) {
        parked->status = status;
    }
}

bool vf_parked_print(struct vf_parked *parked, struct vf_buffer *out)
{
    fwrite(out->data, 1, out->size, parked->cli->out);
    vf_buffer_clear(out);
    return !ferror(parked->cli->out);
}

/* --- an open view ------------------------------------------------------------------------------------------------- */

struct open {
    const struct vf_store_type *type;
    struct vf_store *store;
    struct vf_generation generation;
    bool there; /* there is a generation that readers see */
};

static void close_view(struct open *open)
{
    if (open->store) {
        open->type->close(open->store);
    }
    open->store = NULL;
}

/* False: it was said why not. */
static bool open_view(struct vf_parked *parked, const struct vf_parked_target *target, struct open *ret_open)
{
    struct vf_view_state state = {0};
    struct vf_error error;
    *ret_open = (struct open){0};
    enum vf_code code = vf_cli_open_store(parked->cli, target->store, &ret_open->type, &ret_open->store, &error);
    if (code != VF_OK) {
        ret_open->store = NULL;
    } else {
        code = ret_open->type->state(ret_open->store, target->view, &state, &error);
    }
    if (code == VF_OK && state.active > 0) {
        ret_open->there = true;
        code = ret_open->type->generation(ret_open->store, (struct vf_view){target->view, state.active}, parked->arena,
                                          &ret_open->generation, &error);
    }
    if (code != VF_OK) {
        vf_parked_fail(parked, target, &error);
        close_view(ret_open);
    }
    return code == VF_OK;
}

static struct vf_view view_of(const struct vf_parked_target *target, const struct open *open)
{
    return (struct vf_view){target->view, open->generation.number};
}

/* --- list --------------------------------------------------------------------------------------------------------- */

struct listing {
    struct vf_parked *parked;
    const struct vf_parked_target *target;
    struct open open;
    struct vf_arena *arena; /* a page's */
    bool headed;            /* for people: which view it is was said */
    size_t listed;
    bool unread; /* nobody reads any more */
};

static enum vf_code list_one(struct listing *listing, const struct vf_aggregate *record, struct vf_error *error)
{
    struct vf_parked *parked = listing->parked;
    struct vf_parked_row row = {
        .target = listing->target, .generation = listing->open.generation.number, .record = record};
    struct vf_buffer out;
    enum vf_code code =
        vf_parked_read_ends(parked, listing->target, listing->open.type, listing->open.store,
                            view_of(listing->target, &listing->open), record, listing->arena, &row.ends, error);
    if (code != VF_OK) {
        return code;
    }
    vf_buffer_init(&out);
    if (parked->cli->json) {
        vf_parked_print_json_begin(&row, &out);
        vf_parked_print_json_end(&row, &out);
        vf_buffer_add_char(&out, '\n');
    } else {
        if (!listing->headed) {
            vf_parked_print_head(listing->target, row.generation, parked->cli->color, &out);
        }
        vf_parked_print_row(&row, parked->cli->color, &out);
    }
    listing->headed = true;
    listing->listed++;
    listing->unread = !vf_parked_print(parked, &out);
    vf_buffer_done(&out);
    return VF_OK;
}

static enum vf_code list_page(struct listing *listing, const struct vf_bytes *aggregates, size_t count,
                              struct vf_error *error)
{
    struct vf_aggregate *records = vf_arena_calloc(listing->arena, count, sizeof *records);
    enum vf_code code = listing->open.type->load(listing->open.store, view_of(listing->target, &listing->open), NULL, 0,
                                                 aggregates, count, listing->arena, NULL, records, error);
    for (size_t i = 0; code == VF_OK && i < count && !listing->unread; i++) {
        const char *wanted = listing->parked->error;
        bool is_aside = records[i].exists && records[i].state != VF_ASIDE_NONE;
        if (is_aside && (!wanted || vf_parked_has_error(&records[i], wanted))) {
            code = list_one(listing, &records[i], error);
        }
    }
    return code;
}

static enum vf_code list_state(struct listing *listing, enum vf_aside_state state, struct vf_error *error)
{
    struct vf_buffer after;
    size_t count = PAGE;
    enum vf_code code = VF_OK;
    vf_buffer_init(&after);
    while (code == VF_OK && count == PAGE && !listing->unread) {
        struct vf_bytes *aggregates;
        vf_arena_reset(listing->arena);
        code = listing->open.type->aside_aggregates(listing->open.store, view_of(listing->target, &listing->open),
                                                    state, vf_bytes(after.data, after.size), PAGE, listing->arena,
                                                    &aggregates, &count, error);
        if (code == VF_OK && count > 0) {
            code = list_page(listing, aggregates, count, error);
            vf_buffer_clear(&after);
            vf_buffer_add_bytes(&after, aggregates[count - 1]);
        }
    }
    vf_buffer_done(&after);
    return code;
}

void vf_parked_say_unread(struct vf_parked *parked, const char *what)
{
    const struct vf_views *views = parked->views;
    if (vf_options_text(parked->cli->options, "projection")) {
        return;
    }
    fflush(parked->cli->out);
    for (size_t i = 0; i < views->unread_count; i++) {
        struct vf_error error;
        vf_fail(&error, VF_E_CONFIG, "%s; what of its views is set aside is %s, unless `names` names them",
                views->unread[i].why, what);
        int status = vf_cli_fail(parked->cli, &error);
        parked->status = parked->status == 0 ? status : parked->status;
    }
}

static void list(struct vf_parked *parked)
{
    static const enum vf_aside_state states[] = {VF_ASIDE_PARKED, VF_ASIDE_GAP, VF_ASIDE_HELD};
    size_t listed = 0;
    for (size_t i = 0; i < parked->target_count; i++) {
        struct listing listing = {.parked = parked, .target = &parked->targets[i], .arena = vf_arena_new()};
        struct vf_error error;
        enum vf_code code = VF_OK;
        bool is_open = open_view(parked, listing.target, &listing.open) && listing.open.there;
        for (size_t s = 0; is_open && code == VF_OK && s < (parked->error ? 1 : 3); s++) {
            code = list_state(&listing, states[s], &error);
        }
        if (code != VF_OK) {
            vf_parked_fail(parked, listing.target, &error);
        }
        listed += listing.listed;
        close_view(&listing.open);
        vf_arena_free(listing.arena);
    }
    vf_parked_say_unread(parked, "not listed");
    if (listed == 0 && parked->status == 0 && !parked->cli->json) {
        vf_cli_note(parked->cli, parked->error ? "nothing is parked with such an error" : "nothing is set aside");
    }
}

/* --- show --------------------------------------------------------------------------------------------------------- */

struct showing {
    struct vf_parked *parked;
    struct vf_buffer out;
    size_t shown;
};

static bool show_event(void *self, const struct vf_parked_event *event)
{
    struct showing *showing = self;
    const struct vf_cli *cli = showing->parked->cli;
    if (showing->shown == EVENTS_SHOWN && !cli->verbose) {
        return false;
    }
    if (cli->json) {
        vf_buffer_add_text(&showing->out, showing->shown > 0 ? "," : "");
        vf_parked_print_event_json(event, &showing->out);
    } else {
        vf_parked_print_event(event, cli->verbose, cli->color, &showing->out);
    }
    showing->shown++;
    return vf_parked_print(showing->parked, &showing->out);
}

/* All but the events is printed around them, which may be many. */
static enum vf_code show_record(struct vf_parked *parked, const struct vf_parked_walk *walk, const char *runs,
                                const struct vf_aggregate *record, struct vf_error *error)
{
    const struct vf_cli *cli = parked->cli;
    struct vf_parked_row row = {.target = walk->target, .generation = walk->view.generation, .record = record};
    struct showing showing = {.parked = parked};
    struct vf_parked_walk events = *walk;
    size_t all = (size_t)(vf_parked_count(record) + record->waiters_to - record->waiters_from);
    events.each = show_event;
    events.self = &showing;
    enum vf_code code = vf_parked_read_ends(parked, walk->target, walk->type, walk->store, walk->view, record,
                                            parked->arena, &row.ends, error);
    if (code != VF_OK) {
        return code;
    }
    vf_buffer_init(&showing.out);
    if (cli->json) {
        vf_parked_print_json_begin(&row, &showing.out);
        vf_buffer_add_text(&showing.out, ",\"events\":[");
        code = vf_parked_walk(&events, record, error);
        vf_buffer_add_char(&showing.out, ']');
        vf_parked_print_json_end(&row, &showing.out);
        vf_buffer_add_char(&showing.out, '\n');
    } else {
        vf_parked_print_head(walk->target, row.generation, cli->color, &showing.out);
        vf_parked_print_detail(&row, runs, cli->color, &showing.out);
        code = vf_parked_walk(&events, record, error);
        if (all > showing.shown) {
            vf_buffer_printf(&showing.out, "  and %zu more (-v: all)\n", all - showing.shown);
        }
        vf_parked_print_advice(&row, &showing.out);
    }
    vf_parked_print(parked, &showing.out);
    vf_buffer_done(&showing.out);
    return code;
}

/* *found[i]: of the i-th aggregate something is set aside. */
static void show_target(struct vf_parked *parked, const struct vf_parked_target *target, bool *found)
{
    struct open open;
    struct vf_error error;
    enum vf_code code = VF_OK;
    if (!open_view(parked, target, &open) || !open.there) {
        close_view(&open);
        return;
    }
    struct vf_parked_walk walk = {
        .parked = parked, .target = target, .type = open.type, .store = open.store, .view = view_of(target, &open)};
    for (size_t i = 0; code == VF_OK && i < parked->aggregate_count; i++) {
        struct vf_bytes aggregate = vf_bytes_from(parked->aggregates[i]);
        struct vf_aggregate record = {0};
        code = open.type->load(open.store, walk.view, NULL, 0, &aggregate, 1, parked->arena, NULL, &record, &error);
        if (code == VF_OK && record.exists && record.state != VF_ASIDE_NONE) {
            found[i] = true;
            code = show_record(parked, &walk, open.generation.script_hash, &record, &error);
        }
    }
    if (code != VF_OK) {
        vf_parked_fail(parked, target, &error);
    }
    close_view(&open);
}

static void show(struct vf_parked *parked)
{
    bool *found = vf_arena_calloc(parked->arena, parked->aggregate_count, sizeof *found);
    for (size_t i = 0; i < parked->target_count; i++) {
        show_target(parked, &parked->targets[i], found);
    }
    for (size_t i = 0; i < parked->aggregate_count; i++) {
        struct vf_error error;
        if (!found[i]) {
            fflush(parked->cli->out);
            vf_fail(&error, VF_E_NOT_FOUND, "nothing of %s is set aside", parked->aggregates[i]);
            int status = vf_cli_fail(parked->cli, &error);
            parked->status = parked->status == 0 ? status : parked->status;
        }
    }
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

struct deed {
    const char *name;
    const char *flags; /* those of the verb's that it takes, behind --projection and --store */
    bool wants_some;   /* aggregates, --all or --error */
    bool takes_some;   /* aggregates */
    void (*run)(struct vf_parked *parked);
};

static const struct deed deeds[] = {
    {"list", " error ", false, false, list},
    {"show", " ", true, true, show},
    {"retry", " error all dry-run script ", true, true, vf_parked_retry},
    {"drop", " error all yes ", true, true, vf_parked_drop},
};

static const struct deed *find_deed(const char *name, struct vf_error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (strcmp(deeds[i].name, name) == 0) {
            return &deeds[i];
        }
        vf_suggest_offer(name, deeds[i].name, &near);
    }
    vf_fail(error, VF_E_USAGE, "viewfold parked has no %s; %s%s%slist, show, retry or drop", name,
            near ? "did you mean " : "", near ? near : "", near ? "? It has " : "it has ");
    return NULL;
}

static enum vf_code check_flags(const struct vf_options *options, const struct deed *deed, struct vf_error *error)
{
    static const char *const flags[] = {"error", "all", "dry-run", "script", "yes"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, " %s ", flags[i]);
        if (vf_options_has(options, flags[i]) && !strstr(deed->flags, wanted)) {
            return vf_fail(error, VF_E_USAGE, "viewfold parked %s takes no --%s", deed->name, flags[i]);
        }
    }
    if (vf_options_has(options, "script") && !vf_options_has(options, "dry-run")) {
        return vf_fail(error, VF_E_USAGE,
                       "--script is for --dry-run: what is written is folded by the script that the generation runs; "
                       "`viewfold generations adopt` makes it the one at hand");
    }
    return VF_OK;
}

static enum vf_code read_arguments(struct vf_parked *parked, const struct deed **ret_deed, struct vf_error *error)
{
    const struct vf_options *options = parked->cli->options;
    const char *const *arguments = vf_options_arguments(options);
    size_t count = vf_options_argument_count(options);
    const struct deed *deed = find_deed(arguments[0], error);
    if (!deed || check_flags(options, deed, error) != VF_OK) {
        return VF_E_USAGE;
    }
    parked->aggregates = arguments + 1;
    parked->aggregate_count = count - 1;
    parked->error = vf_options_text(options, "error");
    bool all = parked->error || vf_options_has(options, "all");
    if (count > 1 && !deed->takes_some) {
        return vf_fail(error, VF_E_USAGE,
                       "viewfold parked %s takes no arguments; %s is too much: `viewfold parked show %s`?", deed->name,
                       arguments[1], arguments[1]);
    }
    if (count == 1 && deed->wants_some && !all) {
        return vf_fail(error, VF_E_USAGE, "viewfold parked %s wants AGGREGATE...%s; `viewfold parked list` shows them",
                       deed->name, strcmp(deed->name, "show") == 0 ? "" : ", --error TEXT or --all");
    }
    if (count > 1 && all) {
        return vf_fail(error, VF_E_USAGE, "%s names aggregates, and --%s means others: one of them", arguments[1],
                       parked->error ? "error" : "all");
    }
    *ret_deed = deed;
    return VF_OK;
}

/* Who names an aggregate twice means it once. */
static void leave_out_repeats(struct vf_parked *parked)
{
    const char **once = vf_arena_calloc(parked->arena, parked->aggregate_count, sizeof *once);
    size_t count = 0;
    for (size_t i = 0; i < parked->aggregate_count; i++) {
        size_t at = 0;
        while (at < count && strcmp(once[at], parked->aggregates[i]) != 0) {
            at++;
        }
        once[at] = parked->aggregates[i];
        count = at == count ? count + 1 : count;
    }
    parked->aggregates = once;
    parked->aggregate_count = count;
}

int vf_verb_parked(struct vf_cli *cli)
{
    struct vf_parked parked = {.cli = cli};
    const struct deed *deed = NULL;
    struct vf_error error;
    int status = 0;
    if (read_arguments(&parked, &deed, &error) != VF_OK) {
        return vf_cli_fail(cli, &error);
    }
    struct vf_config *config = vf_cli_config(cli, &status);
    if (!config) {
        return status;
    }
    parked.config = config;
    parked.arena = vf_arena_new();
    leave_out_repeats(&parked);
    if (vf_views_look(cli, config, &parked.views, &error) != VF_OK || choose_targets(&parked, &error) != VF_OK) {
        parked.status = vf_cli_fail(cli, &error);
    } else {
        deed->run(&parked);
    }
    free(parked.targets);
    vf_views_free(parked.views);
    vf_arena_free(parked.arena);
    vf_config_free(config);
    return parked.status;
}
