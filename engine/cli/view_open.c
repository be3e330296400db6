#include "cli/view_open.h"

#include "cli/suggest.h"
#include "cli/views.h"

/* Which one is not there, and which one (or NULL) was perhaps meant. */
static enum vf_code unknown(const struct vf_config *config, const char *what, const char *name, const char *near,
                            struct vf_error *error)
{
    return vf_fail(error, VF_E_NOT_FOUND, "%s has no %s %s%s%s%s", config->path, what, name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum vf_code named_store(struct vf_open_view *view, const struct vf_config *config, const char *name,
                                struct vf_error *error)
{
    const char *near = NULL;
    view->entry = vf_config_store(config, name);
    if (view->entry) {
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

static enum vf_code fail_no_view(const struct vf_open_view *view, const struct vf_config *config,
                                 const struct vf_views *views, struct vf_error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < views->count; i++) {
        vf_suggest_offer(view->name, views->entries[i].view, &near);
    }
    unknown(config, "projection that makes a view", view->name, near, error);
    return vf_views_doubt(views, "; with --store none is needed", error);
}

/* --store, or the only one, or the first that the projection of that name writes to (this opens the scripts). */
static enum vf_code choose_store(struct vf_open_view *view, const struct vf_config *config, struct vf_error *error)
{
    const char *named = vf_options_text(view->cli->options, "store");
    if (named) {
        return named_store(view, config, named, error);
    }
    if (config->store_count == 1) {
        view->entry = &config->stores[0];
        return VF_OK;
    }
    struct vf_views *views = NULL;
    enum vf_code code = vf_views_look(view->cli, config, &views, error);
    if (code != VF_OK) {
        return code;
    }
    view->entry = store_of(views, view->name);
    if (!view->entry) {
        code = fail_no_view(view, config, views, error);
    }
    vf_views_free(views);
    return code;
}

enum vf_code vf_open_view(struct vf_cli *cli, const struct vf_config *config, const char *name,
                          struct vf_open_view *ret_view, struct vf_error *error)
{
    *ret_view = (struct vf_open_view){.cli = cli, .name = name};
    enum vf_code code = choose_store(ret_view, config, error);
    return code ? code : vf_open_view_again(ret_view, error);
}

enum vf_code vf_open_view_again(struct vf_open_view *view, struct vf_error *error)
{
    vf_open_view_close(view);
    enum vf_code code = vf_cli_open_store(view->cli, view->entry, &view->type, &view->store, error);
    if (code) {
        view->store = NULL;
    }
    return code;
}

void vf_open_view_close(struct vf_open_view *view)
{
    if (view->store) {
        view->type->close(view->store);
    }
    view->store = NULL;
}

enum vf_code vf_open_view_generation(const struct vf_open_view *view, int32_t wanted, struct vf_arena *arena,
                                     struct vf_view *ret_view, struct vf_error *error)
{
    struct vf_view_state state;
    struct vf_generation ignored;
    ret_view->name = view->name;
    ret_view->generation = wanted;
    if (wanted > 0) {
        return view->type->generation(view->store, *ret_view, arena, &ignored, error);
    }
    enum vf_code code = view->type->state(view->store, view->name, &state, error);
    if (code == VF_OK && state.active == 0) {
        return vf_fail(error, VF_E_NOT_FOUND, "the store %s (%s %s) has no view %s", view->entry->name,
                       view->entry->type, view->entry->address, view->name);
    }
    ret_view->generation = code == VF_OK ? state.active : 0;
    return code;
}

void vf_open_view_say_rebuilding(const struct vf_open_view *view, const struct vf_rebuilding *rebuilding)
{
    struct vf_buffer text;
    if (rebuilding->partitions == 0) {
        return;
    }
    vf_buffer_init(&text);
    vf_rebuilding_print(rebuilding, &text);
    vf_cli_note(view->cli, "viewfold: %s in %s %s: until then documents may be missing, or old", view->name,
                view->entry->name, text.data);
    vf_buffer_done(&text);
}
