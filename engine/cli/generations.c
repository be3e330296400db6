/*
 * `viewfold generations list|adopt|drop`: which builds of a view there are, and what an operator decides about them. Each store
 * of a projection is a case of its own: one that cannot be asked does not hold the others back.
 */
#include "cli/generations.h"

#include "cli/cli.h"
#include "cli/generations_change.h"
#include "cli/suggest.h"
#include "cli/verbs.h"

#include <stdlib.h>

/* --- what is meant ------------------------------------------------------------------------------------------------ */

static void add_target(struct vf_generations *generations, struct vf_generations_target target)
{
    struct vf_generations_target *targets = generations->targets;
    targets = vf_realloc(targets, (generations->target_count + 1) * sizeof *targets);
    targets[generations->target_count++] = target;
    generations->targets = targets;
}

/* Those of the configuration's views that `name` says, by projection or by view; NULL says all. */
static void add_configured(struct vf_generations *generations, const char *name, bool by_projection)
{
    for (size_t i = 0; i < generations->views->count; i++) {
        const struct vf_view_entry *entry = &generations->views->entries[i];
        bool wanted = !name || strcmp(by_projection ? entry->projection : entry->view, name) == 0;
        if (wanted && (!generations->only || generations->only == entry->store)) {
            add_target(generations,
                       (struct vf_generations_target){.view = entry->view, .store = entry->store, .entry = entry});
        }
    }
}

static bool is_view_name(const char *name)
{
    return name[0] >= 'a' && name[0] <= 'z' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
           strlen(name) < 200;
}

/* Views whose script cannot be read, where the configuration names them. */
static void add_unread(struct vf_generations *generations)
{
    for (size_t i = 0; i < generations->views->unread_count; i++) {
        const struct vf_projection_entry *configured = generations->views->unread[i].configured;
        for (size_t j = 0; j < configured->store_count; j++) {
            const struct vf_projection_store *made = &configured->stores[j];
            if (made->view_name && (!generations->only || generations->only == made->store)) {
                add_target(generations, (struct vf_generations_target){.view = made->view_name, .store = made->store});
            }
        }
    }
}

/* A view whose projection has left the configuration (or whose script cannot be read, so that nobody knows) is still in its
 * stores, and has to be got rid of. */
static void add_left(struct vf_generations *generations, const char *name)
{
    const struct vf_config *config = generations->config;
    for (size_t i = 0; i < config->store_count && is_view_name(name); i++) {
        struct vf_generations_target target = {.view = name, .store = &config->stores[i]};
        const struct vf_store_type *type;
        struct vf_generation *all;
        size_t count = 0;
        struct vf_error error;
        if (generations->only && generations->only != target.store) {
            continue;
        }
        struct vf_store *store = vf_generations_store(generations, &target, &type);
        if (!store) {
            continue;
        }
        if (type->generations(store, name, generations->arena, &all, &count, &error) != VF_OK) {
            vf_generations_fail(generations, &target, &error);
        } else if (count > 0) {
            add_target(generations, target);
        }
    }
}

static enum vf_code fail_unknown(const struct vf_generations *generations, const char *name, struct vf_error *error)
{
    const struct vf_views *views = generations->views;
    const char *near = NULL;
    const char *only = generations->only ? generations->only->name : NULL;
    struct vf_buffer known;
    for (size_t i = 0; i < views->count; i++) {
        vf_suggest_offer(name, views->entries[i].projection, &near);
        vf_suggest_offer(name, views->entries[i].view, &near);
    }
    vf_buffer_init(&known);
    for (size_t i = 0; i < views->count; i++) {
        bool said = false;
        for (size_t j = 0; j < i; j++) {
            said |= strcmp(views->entries[j].projection, views->entries[i].projection) == 0;
        }
        vf_buffer_printf(&known, "%s%s",
                         said             ? ""
                         : known.size > 0 ? ", "
                                          : "",
                         said ? "" : views->entries[i].projection);
    }
    vf_fail(error, VF_E_NOT_FOUND, "%s has no projection %s%s%s%s%s%s", generations->config->path, name,
            only ? " in the store " : "", only ? only : "", near ? "; did you mean " : "; it has ",
            near             ? near
            : known.size > 0 ? known.data
                             : "none",
            near ? "?" : "");
    vf_buffer_done(&known);
    return vf_views_doubt(views, "", error);
}

static enum vf_code choose_targets(struct vf_generations *generations, const char *name, struct vf_error *error)
{
    const char *store = vf_options_text(generations->cli->options, "store");
    if (store) {
        generations->only = vf_config_store(generations->config, store);
        if (!generations->only) {
            return vf_fail(error, VF_E_NOT_FOUND, "%s has no store %s", generations->config->path, store);
        }
    }
    add_configured(generations, name, true);
    if (!name) {
        add_unread(generations);
    }
    if (generations->target_count == 0 && name) {
        add_configured(generations, name, false);
    }
    if (generations->target_count == 0 && name) {
        add_left(generations, name);
    }
    if (generations->target_count > 0 || generations->code != VF_OK) {
        return VF_OK; /* what could not be asked was said */
    }
    if (name) {
        return fail_unknown(generations, name, error);
    }
    if (generations->views->unread_count > 0) {
        return VF_OK; /* says which they are */
    }
    return vf_fail(error, VF_E_NOT_FOUND, "%s has no projection in the store %s", generations->config->path, store);
}

/* --- shared with generations_change.c ----------------------------------------------------------------------------- */

void vf_generations_fail(struct vf_generations *generations, const struct vf_generations_target *target,
                         struct vf_error *error)
{
    vf_error_prefix(error, "%s in %s", target->view, target->store->name);
    int status = vf_cli_fail(generations->cli, error);
    if (generations->code == VF_OK) {
        generations->code = error->code;
        generations->status = status;
    }
}

struct vf_store *vf_generations_store(struct vf_generations *generations, const struct vf_generations_target *target,
                                      const struct vf_store_type **ret_type)
{
    size_t index = (size_t)(target->store - generations->config->stores);
    struct vf_generations_open *open = &generations->open[index];
    struct vf_error error;
    if (!open->store && !open->tried) {
        open->tried = true;
        if (vf_cli_open_store(generations->cli, target->store, &open->type, &open->store, &error) != VF_OK) {
            open->store = NULL;
            vf_generations_fail(generations, target, &error);
        }
    }
    *ret_type = open->type;
    return open->store;
}

/* --- list --------------------------------------------------------------------------------------------------------- */

struct rows {
    struct vf_generations_row *items;
    size_t count;
};

static void add_row(struct rows *rows, struct vf_generations_row row)
{
    rows->items = vf_realloc(rows->items, (rows->count + 1) * sizeof *rows->items);
    rows->items[rows->count++] = row;
}

static void list_target(struct vf_generations *generations, const struct vf_generations_target *target,
                        struct rows *rows)
{
    const struct vf_view_entry *entry = target->entry;
    struct vf_generations_row row = {.projection = entry ? entry->projection : NULL,
                                     .view = target->view,
                                     .store = target->store,
                                     .here = entry ? entry->script_hash : NULL};
    const struct vf_store_type *type;
    struct vf_view_state state;
    struct vf_generation *all;
    struct vf_error error;
    size_t count;
    struct vf_store *store = vf_generations_store(generations, target, &type);
    if (!store) {
        return;
    }
    enum vf_code code = type->state(store, target->view, &state, &error);
    if (code == VF_OK) {
        code = type->generations(store, target->view, generations->arena, &all, &count, &error);
    }
    if (code != VF_OK) {
        vf_generations_fail(generations, target, &error);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        row.there = true;
        row.generation = all[i];
        row.served = all[i].number == state.active;
        add_row(rows, row);
    }
    if (count == 0) {
        add_row(rows, row);
    }
}

/* What the list may lack, behind it: each script that cannot be read. */
static void say_unread(struct vf_generations *generations)
{
    for (size_t i = 0; i < generations->views->unread_count; i++) {
        struct vf_error error;
        vf_fail(&error, VF_E_CONFIG, "%s; its views are not listed, unless `names` names them",
                generations->views->unread[i].why);
        int status = vf_cli_fail(generations->cli, &error);
        if (generations->code == VF_OK) {
            generations->code = error.code;
            generations->status = status;
        }
    }
}

static void list(struct vf_generations *generations)
{
    struct vf_cli *cli = generations->cli;
    struct rows rows = {0};
    struct vf_buffer out;
    for (size_t i = 0; i < generations->target_count; i++) {
        list_target(generations, &generations->targets[i], &rows);
    }
    vf_buffer_init(&out);
    if (cli->json) {
        vf_generations_print_json(rows.items, rows.count, &out);
    } else {
        vf_generations_print_table(rows.items, rows.count, cli->color, &out);
    }
    fwrite(out.data, 1, out.size, cli->out);
    vf_buffer_done(&out);
    free(rows.items);
    if (!generations->named) {
        fflush(cli->out);
        say_unread(generations);
    }
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

struct deed {
    const char *name;
    bool wants_projection;
    void (*run)(struct vf_generations *generations);
};

static const struct deed deeds[] = {
    {"list", false, list},
    {"adopt", true, vf_generations_adopt},
    {"drop", true, vf_generations_drop},
};

static const struct deed *find_deed(const char *name, struct vf_error *error)
{
    const char *near = NULL;
    if (strcmp(name, "activate") == 0) {
        vf_fail(error, VF_E_USAGE, "viewfold generations activate: not built yet");
        return NULL;
    }
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (strcmp(deeds[i].name, name) == 0) {
            return &deeds[i];
        }
        vf_suggest_offer(name, deeds[i].name, &near);
    }
    vf_fail(error, VF_E_USAGE, "viewfold generations has no %s; %s%s%slist, adopt or drop", name,
            near ? "did you mean " : "", near ? near : "", near ? "? It has " : "it has ");
    return NULL;
}

/* PROJECTION [G] */
static enum vf_code read_arguments(struct vf_generations *generations, const struct deed **ret_deed,
                                   const char **ret_name, struct vf_error *error)
{
    const struct vf_options *options = generations->cli->options;
    const char *const *arguments = vf_options_arguments(options);
    size_t count = vf_options_argument_count(options);
    const struct deed *deed = find_deed(arguments[0], error);
    if (!deed) {
        return VF_E_USAGE;
    }
    if (deed->wants_projection && count < 2) {
        return vf_fail(error, VF_E_USAGE,
                       "viewfold generations %s wants PROJECTION [G]; `viewfold generations list` shows them",
                       deed->name);
    }
    if (count > 2 && !deed->wants_projection) {
        return vf_fail(error, VF_E_USAGE, "viewfold generations %s takes [PROJECTION]; %s is too much", deed->name,
                       arguments[2]);
    }
    if (vf_options_has(options, "yes") && deed->run != vf_generations_drop) {
        return vf_fail(error, VF_E_USAGE, "--yes is for `viewfold generations drop`: %s asks nothing", deed->name);
    }
    if (count > 2) {
        char *end;
        long number = strtol(arguments[2], &end, 10);
        if (*end || arguments[2][0] < '1' || arguments[2][0] > '9' || number > INT32_MAX) {
            return vf_fail(error, VF_E_USAGE, "%s is no generation's number: 1, 2, ...", arguments[2]);
        }
        generations->number = (int32_t)number;
    }
    *ret_deed = deed;
    *ret_name = count > 1 ? arguments[1] : NULL;
    return VF_OK;
}

static int run_deed(struct vf_generations *generations, const struct deed *deed, const char *name)
{
    struct vf_error error;
    enum vf_code code = vf_views_look(generations->cli, generations->config, &generations->views, &error);
    generations->open = vf_calloc(generations->config->store_count, sizeof *generations->open);
    generations->named = name != NULL;
    if (code == VF_OK) {
        code = choose_targets(generations, name, &error);
    }
    if (code == VF_OK) {
        deed->run(generations);
    } else {
        generations->status = vf_cli_fail(generations->cli, &error);
    }
    for (size_t i = 0; i < generations->config->store_count; i++) {
        if (generations->open[i].store) {
            generations->open[i].type->close(generations->open[i].store);
        }
    }
    free(generations->open);
    free(generations->targets);
    vf_views_free(generations->views);
    return generations->status;
}

int vf_verb_generations(struct vf_cli *cli)
{
    struct vf_generations generations = {.cli = cli};
    const struct deed *deed = NULL;
    const char *name = NULL;
    struct vf_error error;
    int status = 0;
    if (read_arguments(&generations, &deed, &name, &error) != VF_OK) {
        return vf_cli_fail(cli, &error);
    }
    struct vf_config *config = vf_cli_config(cli, &status);
    if (!config) {
        return status;
    }
    generations.config = config;
    generations.arena = vf_arena_new();
    status = run_deed(&generations, deed, name);
    vf_arena_free(generations.arena);
    vf_config_free(config);
    return status;
}
