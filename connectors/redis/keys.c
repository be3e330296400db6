#include "connectors/redis/keys.h"

#define KEYS 21 /* of a generation, those with an id behind them once */

void vf_redis_keys_init(struct vf_redis_keys *keys)
{
    *keys = (struct vf_redis_keys){0};
    vf_buffer_init(&keys->text);
}

void vf_redis_keys_done(struct vf_redis_keys *keys)
{
    vf_buffer_done(&keys->text);
}

static struct vf_bytes key(struct vf_redis_keys *keys, const char *prefix, const char *view, const char *separator,
                           int32_t generation, const char *rest)
{
    size_t begin = keys->text.size;
    vf_buffer_add_text(&keys->text, prefix);
    vf_buffer_add_text(&keys->text, view);
    vf_buffer_add_text(&keys->text, separator);
    if (generation > 0)
        vf_buffer_add_int(&keys->text, generation);
    vf_buffer_add_text(&keys->text, rest);
    return vf_bytes(keys->text.data + begin, keys->text.size - begin);
}

void vf_redis_keys_set(struct vf_redis_keys *keys, const char *prefix, const char *view, int32_t generation)
{
    vf_buffer_clear(&keys->text);
    /* Room for all of them first, so that the buffer does not move under those that are made already. */
    (void)vf_buffer_reserve(&keys->text, KEYS * (strlen(prefix) + strlen(view) + 40));
    keys->pointer = key(keys, prefix, view, "", 0, "");
    keys->registry = key(keys, prefix, view, "@", 0, "generations");
    keys->channel = key(keys, prefix, view, "@", 0, "changes");
    keys->document = key(keys, prefix, view, ":", generation, ":");
    keys->husk = key(keys, prefix, view, "@", generation, ":husk:");
    keys->aggregate = key(keys, prefix, view, "@", generation, ":aggregate:");
    keys->progress = key(keys, prefix, view, "@", generation, ":progress");
    keys->stopped = key(keys, prefix, view, "@", generation, ":stopped");
    keys->script = key(keys, prefix, view, "@", generation, ":script");
    keys->side = key(keys, prefix, view, "@", generation, ":");
    keys->index = key(keys, prefix, view, "#", 0, "");
    keys->expires = key(keys, prefix, view, "@", generation, ":expires");
    keys->husks = key(keys, prefix, view, "@", generation, ":husks");
    keys->aside = key(keys, prefix, view, "@", generation, ":aside:");
    keys->aside_partition = key(keys, prefix, view, "@", generation, ":aside@");
    keys->aside_bytes = key(keys, prefix, view, "@", generation, ":aside_bytes");
    keys->draining = key(keys, prefix, view, "@", generation, ":draining");
    keys->drops = key(keys, prefix, view, "@", generation, ":drops");
    keys->states[VF_ASIDE_HELD] = key(keys, prefix, view, "@", generation, ":held");
    keys->states[VF_ASIDE_GAP] = key(keys, prefix, view, "@", generation, ":gap");
    keys->states[VF_ASIDE_PARKED] = key(keys, prefix, view, "@", generation, ":parked");
}

const char *vf_redis_state_name(enum vf_aside_state state)
{
    static const char *const names[] = {[VF_ASIDE_HELD] = "held", [VF_ASIDE_GAP] = "gap", [VF_ASIDE_PARKED] = "parked"};
    return names[state];
}

struct vf_bytes vf_redis_keys_index(const struct vf_redis_keys *keys, int32_t generation, const struct vf_index *index,
                                    struct vf_arena *arena)
{
    return vf_arena_printf(arena, "%.*s%s:%d%s", (int)keys->index.size, keys->index.data, index->name, (int)generation,
                           index->by ? ":" : "");
}

struct vf_bytes vf_redis_keys_partition(const struct vf_redis_keys *keys, struct vf_partition partition,
                                        struct vf_arena *arena)
{
    return vf_arena_printf(arena, "%.*s%s/%d", (int)keys->aside_partition.size, keys->aside_partition.data,
                           partition.topic, (int)partition.partition);
}
