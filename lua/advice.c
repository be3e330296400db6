/* Notes of lint about a script that loads: what its text does with the event, the documents and the indexed fields. */
#include "core/body.h"
#include "lua/saying.h"
#include "lua/scan.h"

#include <bson/bson.h>
#include <stdio.h>

/* Where a function of the script is defined. */
struct defined {
    const char *file;
    int line;
    int parameter_count;
};

struct advising {
    lua_State *L;
    struct vf_projector *projector;
    const struct vf_file *file;
    bool *fields_met; /* of the indexes: sort, by, where, one index behind the other */
    bool any_field;
};

static struct defined place_of(lua_State *L, const struct vf_lua_handler *handler)
{
    lua_Debug info;
    lua_rawgeti(L, LUA_REGISTRYINDEX, handler->function);
    lua_pushvalue(L, -1);
    lua_getinfo(L, ">Su", &info);
    lua_pop(L, 1); /* the registry keeps the function, and its source */
    return (struct defined){info.source[0] == '@' ? info.source + 1 : info.source, info.linedefined, info.nparams};
}

static bool is_at(const struct advising *advising, const struct defined *defined,
                  const struct vf_scanned_parameter *parameter)
{
    return vf_bytes_is(advising->file->name, defined->file) && defined->line == parameter->function_line &&
           defined->parameter_count == parameter->parameter_count;
}

/* --- from --------------------------------------------------------------------------------------------------------- */

static void look_at_from(struct advising *advising, const struct vf_scanned_name *name)
{
    const struct vf_scanned_parameter *parameter = name->parameter;
    const struct vf_lua_handlers *handlers = &advising->projector->handlers;
    char message[300];
    if (parameter->position != 3 || parameter->passed || !parameter->field_line)
        return;
    for (size_t i = 0; i < handlers->count; i++) {
        struct defined defined = place_of(advising->L, &handlers->list[i]);
        if (!is_at(advising, &defined, parameter))
            continue;
        snprintf(
            message, sizeof message,
            "`%.*s` is used without a look whether it is nil, as it is for an event that moves nothing: the first link, "
            "and one to the document in which the aggregate already is",
            name->name.size > 60 ? 60 : (int)name->name.size, name->name.data);
        vf_lua_lint_add(advising->projector, advising->file->name.data,
                        (struct vf_lua_place){parameter->field_line, parameter->field_column}, true, message);
        return;
    }
}

/* --- upcasts ------------------------------------------------------------------------------------------------------ */

static void remark_upcast(struct advising *advising, const struct vf_lua_handler *upcast,
                          const struct vf_scanned_parameter *parameter)
{
    const char *type = upcast->type.data;
    struct vf_bytes set = parameter->set_type;
    bool is_same = set.data && vf_bytes_equal(set, upcast->type);
    if (!parameter->passed && !parameter->uses_data && !parameter->sets_other_type && (!set.data || is_same))
        vf_lua_remark(advising->L, "upcast", type,
                      "upcast.%.100s leaves the event as it is: it sets e.type to no other type, and nothing of e.data",
                      type);
    for (size_t i = 0; set.data && !is_same && i < advising->projector->upcasts.count; i++)
        if (vf_bytes_equal(advising->projector->upcasts.list[i].type, set))
            vf_lua_remark(
                advising->L, "upcast", type,
                "upcast.%.100s makes it %.*s, which is not upcast again: an upcast is chosen by the type that the "
                "event came with, and runs once",
                type, (int)(set.size > 100 ? 100 : set.size), set.data);
}

static void look_at_upcast(struct advising *advising, const struct vf_scanned_name *name)
{
    const struct vf_lua_handlers *upcasts = &advising->projector->upcasts;
    if (name->parameter->position != 1)
        return;
    for (size_t i = 0; i < upcasts->count; i++) {
        struct defined defined = place_of(advising->L, &upcasts->list[i]);
        if (is_at(advising, &defined, name->parameter))
            remark_upcast(advising, &upcasts->list[i], name->parameter);
    }
}

/* One that takes no event cannot change it. */
static void look_at_blind_upcasts(struct advising *advising)
{
    const struct vf_lua_handlers *upcasts = &advising->projector->upcasts;
    for (size_t i = 0; i < upcasts->count; i++)
        if (place_of(advising->L, &upcasts->list[i]).parameter_count == 0)
            remark_upcast(advising, &upcasts->list[i], &(struct vf_scanned_parameter){0});
}

/* --- indexes ------------------------------------------------------------------------------------------------------ */

enum { PARTS = 3 };

static const char *part_of(const struct vf_index *index, size_t part, const char **ret_name)
{
    static const char *const names[PARTS] = {"sort", "by", "where"};
    const char *const fields[PARTS] = {index->sort, index->by, index->where};
    *ret_name = names[part];
    return fields[part];
}

static void meet_field(struct advising *advising, struct vf_bytes field)
{
    const struct vf_projection *projection = &advising->projector->projection;
    const char *ignored;
    for (size_t i = 0; i < projection->index_count * PARTS; i++) {
        const char *wanted = part_of(&projection->indexes[i / PARTS], i % PARTS, &ignored);
        if (wanted && vf_bytes_is(field, wanted))
            advising->fields_met[i] = true;
    }
}

static void meet_initial(struct advising *advising)
{
    struct vf_bytes initial = advising->projector->initial;
    bson_t bson;
    bson_iter_t field;
    if (initial.size == 0 || !bson_init_static(&bson, (const uint8_t *)initial.data, initial.size))
        return;
    for (bool more = bson_iter_init(&field, &bson); more && bson_iter_next(&field);)
        meet_field(advising, vf_bytes_from(bson_iter_key(&field)));
}

/* `initial` as the first document would be indexed. */
static void look_at_initial(struct advising *advising)
{
    const struct vf_projector *projector = advising->projector;
    struct vf_arena *arena = vf_arena_new();
    for (size_t i = 0; projector->initial.size > 0 && i < projector->projection.index_count; i++) {
        struct vf_index_entry *entries;
        struct vf_error error;
        const struct vf_index *index = &projector->projection.indexes[i];
        struct vf_lua_place place = vf_lua_place_in(projector, "indexes", index->name);
        if (vf_index_entries(index, 1, projector->initial, arena, &entries, &error) == VF_OK)
            continue;
        (void)vf_error_prefix(
            &error, "`initial` does not fit the index, and no document goes into it unless a handler sets it");
        vf_lua_lint_add(advising->projector, projector->main_name, place, true, error.text);
    }
    vf_arena_free(arena);
}

static void look_at_indexes(struct advising *advising)
{
    const struct vf_projection *projection = &advising->projector->projection;
    for (size_t i = 0; !advising->any_field && i < projection->index_count * PARTS; i++) {
        const struct vf_index *index = &projection->indexes[i / PARTS];
        const char *part;
        const char *field = part_of(index, i % PARTS, &part);
        char parents[120];
        snprintf(parents, sizeof parents, "indexes.%.100s", index->name);
        if (field && !advising->fields_met[i])
            vf_lua_remark(
                advising->L, parents, part,
                "indexes.%.100s: no handler sets the field `%.100s`, nor does `initial`: no document is in this "
                "index",
                index->name, field);
    }
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void found_use(void *self, const struct vf_scanned_name *name)
{
    struct advising *advising = self;
    switch (name->what) {
    case VF_SCANNED_FIELD: meet_field(advising, name->member); return;
    case VF_SCANNED_ANY_FIELD: advising->any_field = true; return;
    case VF_SCANNED_PARAMETER:
        look_at_from(advising, name);
        look_at_upcast(advising, name);
        return;
    default: return;
    }
}

int vf_lua_run_advice(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct advising advising = {.L = L, .projector = projector};
    vf_lua_check_stack(L, 20);
    advising.fields_met = lua_newuserdatauv(L, projector->projection.index_count * PARTS + 1, 0);
    memset(advising.fields_met, 0, projector->projection.index_count * PARTS + 1);
    for (size_t i = 0; i < projector->file_count; i++) {
        advising.file = &projector->files[i];
        vf_lua_scan(advising.file->text, found_use, &advising);
    }
    meet_initial(&advising);
    look_at_blind_upcasts(&advising);
    look_at_indexes(&advising);
    look_at_initial(&advising);
    return 0;
}
