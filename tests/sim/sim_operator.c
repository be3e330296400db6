#include "sim/sim_operator.h"

static const struct vf_store_type *const type = &vf_memory_store_type;

static uint64_t new_stamp(const struct sim_operator *operator)
{
    return operator->clock->random(operator->clock->self);
}

/* The store and the generation's entry as it is there; NULL where the store does not answer or has none. */
static struct vf_store *open_at_entry(const struct sim_operator *operator, struct vf_arena * arena,
                                      struct vf_generation *ret_entry)
{
    struct vf_store *store = NULL;
    struct vf_error error;
    if (vf_memory_store_open_on(operator->server, &store, &error))
        return NULL;
    if (type->generation(store, operator->view, arena, ret_entry, &error) == VF_OK)
        return store;
    type->close(store);
    return NULL;
}

void sim_operator_adopt(struct sim_operator *operator)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation entry;
    struct vf_error error;
    bool done = false;
    struct vf_generation next = *operator->proposed;
    next.stamp = new_stamp(operator);
    struct vf_store *store = open_at_entry(operator, arena, &entry);
    if (store && type->adopt(store, operator->view, entry.stamp, &next, &done, &error) == VF_OK)
        operator->adoptions += done;
    type->close(store);
    vf_arena_free(arena);
}

void sim_operator_drop(struct sim_operator *operator, size_t calls_max)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation entry;
    struct vf_error error;
    bool done = false;
    uint64_t stamp = new_stamp(operator);
    struct vf_store *store = open_at_entry(operator, arena, &entry);
    if (store && type->drop_begin(store, operator->view, entry.stamp, stamp, &done, &error) == VF_OK && done) {
        operator->drops_begun++;
        enum vf_drop drop = VF_DROP_MORE;
        for (size_t removed; drop == VF_DROP_MORE && calls_max; calls_max--)
            if (type->drop_more(store, operator->view, stamp, 1, &drop, &removed, &error))
                break;
        operator->drops += drop == VF_DROP_DONE;
    }
    type->close(store);
    vf_arena_free(arena);
}

void sim_operator_decide(struct sim_operator *operator)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_generation entry;
    struct vf_store *store = open_at_entry(operator, arena, &entry);
    bool dropping = store && strcmp(entry.state, VF_GENERATION_DROPPING) == 0;
    bool other = store && strcmp(entry.state, VF_GENERATION_ACTIVE) == 0 &&
                 strcmp(entry.script_hash, operator->proposed->script_hash) != 0;
    type->close(store);
    vf_arena_free(arena);
    if (dropping)
        sim_operator_drop(operator, SIZE_MAX);
    if (other)
        sim_operator_adopt(operator);
}

enum vf_code sim_operator_read(const struct sim_operator *operator, struct vf_error * error)
{
    struct vf_store *store;
    struct vf_view_state state;
    enum vf_code code = vf_memory_store_open_on(operator->server, &store, error);
    if (code)
        return vf_error_prefix(error, "a reader cannot ask");
    code = type->state(store, operator->view.name, &state, error);
    if (!code && state.active != operator->view.generation)
        code = vf_fail(error, VF_E_DATA, "readers see generation %d", (int)state.active);
    type->close(store);
    return code;
}

/* What the store holds may not be what lies on disk, or be half removed: a process does not start then, and says so. */
bool sim_operator_is_asked(const struct vf_error *error)
{
    return strstr(error->text, "differs from the script") || strstr(error->text, "is being dropped");
}
