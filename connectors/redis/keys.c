#include "connectors/redis/keys.h"

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
    /* Room for all ten first, so that the buffer does not move under those that are made already. */
    (void)vf_buffer_reserve(&keys->text, 10 * (strlen(prefix) + strlen(view) + 40));
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
}
