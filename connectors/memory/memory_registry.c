#include "connectors/memory/memory_registry.h"

#include <stdlib.h>

/* Few, so that a removal takes several calls and can be interrupted between them. */
#define DROP_CHUNK 8

struct vf_memory_generation *vf_memory_by_stamp(struct vf_memory_data *data, struct vf_view view, uint64_t stamp)
{
    struct vf_memory_generation *generation = vf_memory_data_generation(data, view, false);
    /* GUARD memory-superseded: a worker goes on writing what was adopted or dropped meanwhile */
    if (!generation || !generation->registered || generation->entry.stamp != stamp)
        return NULL;
    return generation;
}

static bool is_in(const struct vf_memory_generation *generation, const char *state)
{
    return generation->registered && strcmp(generation->entry.state, state) == 0;
}

enum vf_code vf_memory_make(struct vf_memory_data *data, const char *view, const struct vf_generation *proposed,
                            struct vf_memory_generation **ret_generation, bool *ret_created, struct vf_error *error)
{
    struct vf_memory_generation *generation = vf_memory_data_generation(data, (struct vf_view){view, 1}, true);
    bool dropped = is_in(generation, VF_GENERATION_DROPPED);
    /* GUARD memory-drop-stays: a worker that had been running a dropped generation makes it again, with the script of then */
    bool created = !generation->registered || (dropped && !proposed->again);
    if (created) {
        struct vf_generation entry = *proposed;
        entry.number = 1;
        entry.again = false;
        entry.follows_drop = dropped;
        vf_memory_put_entry(generation, &entry);
    }
    if (generation->entry.format > VF_FORMAT)
        return vf_fail(error, VF_E_CONFIG, "view %s has format %d, this program knows %d: upgrade it", view,
                       generation->entry.format, VF_FORMAT);
    *ret_generation = generation;
    *ret_created = created;
    return VF_OK;
}

static int by_number(const void *a, const void *b)
{
    int32_t left = ((const struct vf_generation *)a)->number, right = ((const struct vf_generation *)b)->number;
    return (left > right) - (left < right);
}

void vf_memory_list(struct vf_memory_data *data, const char *view, struct vf_arena *arena,
                    struct vf_generation **ret_generations, size_t *ret_count)
{
    struct vf_generation *list = vf_arena_calloc(arena, HASH_COUNT(data->generations), sizeof(*list));
    size_t count = 0;
    for (struct vf_memory_generation *one = data->generations; one; one = one->hh.next) {
        size_t size = strlen(view);
        if (!one->registered || one->key.size <= size || memcmp(one->key.data, view, size) != 0 ||
            one->key.data[size] != '@')
            continue;
        vf_memory_copy_generation(arena, &one->entry, &list[count]);
        list[count].files = NULL;
        list[count++].file_count = 0;
    }
    if (count > 1)
        qsort(list, count, sizeof(*list), by_number);
    *ret_generations = list;
    *ret_count = count;
}

bool vf_memory_adopt(struct vf_memory_generation *generation, uint64_t base_stamp, const struct vf_generation *next)
{
    /* GUARD memory-adopt-once: of two operators at once one has not seen what the other did */
    if (generation->entry.stamp != base_stamp || !is_in(generation, VF_GENERATION_ACTIVE))
        return false;
    const struct vf_generation *base = &generation->entry;
    struct vf_reached *positions = vf_calloc(HASH_COUNT(generation->progress), sizeof(*positions));
    struct vf_adoption all[VF_ADOPTIONS_MAX], *last;
    size_t count = base->adoption_count < VF_ADOPTIONS_MAX ? base->adoption_count : VF_ADOPTIONS_MAX - 1;
    for (size_t i = 0; i < count; i++)
        all[i] = base->adoptions[base->adoption_count - count + i];
    last = &all[count];
    *last = (struct vf_adoption){.adopted_ms = next->created_ms, .positions = positions};
    memcpy(last->from_hash, base->script_hash, sizeof(last->from_hash));
    memcpy(last->to_hash, next->script_hash, sizeof(last->to_hash));
    for (struct vf_memory_progress *one = generation->progress; one; one = one->hh.next)
        if (one->value.progress.exists)
            positions[last->position_count++] = (struct vf_reached){one->value.partition, one->value.progress.next};
    struct vf_generation entry = *base;
    entry.stamp = next->stamp;
    entry.projection_version = next->projection_version;
    memcpy(entry.script_hash, next->script_hash, sizeof(entry.script_hash));
    entry.script = next->script;
    entry.files = next->files;
    entry.file_count = next->file_count;
    entry.adoptions = all;
    entry.adoption_count = count + 1;
    vf_memory_put_entry(generation, &entry);
    free(positions);
    return true;
}

bool vf_memory_drop_begin(struct vf_memory_data *data, struct vf_view view, uint64_t base_stamp, uint64_t stamp)
{
    struct vf_memory_generation *generation = vf_memory_data_generation(data, view, false);
    if (!generation || !generation->registered || generation->entry.stamp != base_stamp ||
        is_in(generation, VF_GENERATION_DROPPED))
        return false;
    struct vf_generation entry = generation->entry;
    entry.stamp = stamp;
    entry.state = VF_GENERATION_DROPPING;
    entry.file_count = 0;
    vf_memory_put_entry(generation, &entry);
    struct vf_memory_pointer *pointer = vf_memory_data_pointer(data, view.name, false);
    if (pointer && pointer->active == view.generation)
        vf_memory_remove_pointer(data, pointer);
    return true;
}

enum vf_drop vf_memory_drop_more(struct vf_memory_data *data, struct vf_view view, uint64_t stamp, int64_t now_ms,
                                 size_t *ret_removed)
{
    struct vf_memory_generation *generation = vf_memory_by_stamp(data, view, stamp);
    *ret_removed = 0;
    /* GUARD memory-drop-own: who was stopped while dropping removes what was built anew meanwhile */
    if (!generation || !is_in(generation, VF_GENERATION_DROPPING))
        return VF_DROP_SUPERSEDED;
    *ret_removed = vf_memory_remove_some(generation, DROP_CHUNK);
    if (*ret_removed > 0)
        return VF_DROP_MORE;
    vf_memory_remove_progress(generation);
    struct vf_generation entry = generation->entry;
    entry.state = VF_GENERATION_DROPPED;
    entry.created_ms = now_ms;
    vf_memory_put_entry(generation, &entry);
    return VF_DROP_DONE;
}
