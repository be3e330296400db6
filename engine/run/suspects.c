#include "run/suspects.h"

#include <stdlib.h>
#include <uthash.h>

#define FORGOTTEN_MS 60000
/* More types than that fail at once only where everything does; whichever goes has its retries anew. */
#define TYPES_MAX 1000
#define KEY_BYTES (2 * VF_ID_BYTES_MAX + 1)

struct suspect {
    char *key;
    size_t key_size;
    int32_t failures;
    bool is_condemned;
    int64_t failed_ms;
    UT_hash_handle hh;
};

struct vf_suspects {
    struct suspect *all; /* the one that was taken up first comes first */
};

struct vf_suspects *vf_suspects_new(void)
{
    return vf_calloc(1, sizeof(struct vf_suspects));
}

static void forget(struct vf_suspects *suspects, struct suspect *suspect)
{
    HASH_DEL(suspects->all, suspect);
    free(suspect->key);
    free(suspect);
}

void vf_suspects_free(struct vf_suspects *suspects)
{
    if (!suspects)
        return;
    struct suspect *suspect, *next;
    HASH_ITER (hh, suspects->all, suspect, next)
        forget(suspects, suspect);
    free(suspects);
}

struct vf_bytes vf_suspect_key(struct vf_arena *arena, const struct vf_event *event)
{
    return vf_arena_printf(arena, "%.*s/%.*s", (int)event->kind.size, event->kind.size ? event->kind.data : "",
                           (int)event->type.size, event->type.size ? event->type.data : "");
}

static struct suspect *find(const struct vf_suspects *suspects, struct vf_bytes key)
{
    struct suspect *found;
    HASH_FIND(hh, suspects->all, key.data, key.size, found);
    return found;
}

static struct suspect *find_type(const struct vf_suspects *suspects, const struct vf_event *event)
{
    char key[KEY_BYTES];
    if (!suspects || !suspects->all || event->kind.size + event->type.size + 1 > sizeof key)
        return NULL;
    if (event->kind.size)
        memcpy(key, event->kind.data, event->kind.size);
    key[event->kind.size] = '/';
    if (event->type.size)
        memcpy(key + event->kind.size + 1, event->type.data, event->type.size);
    return find(suspects, vf_bytes(key, event->kind.size + 1 + event->type.size));
}

bool vf_suspects_has(const struct vf_suspects *suspects, const struct vf_event *event)
{
    return find_type(suspects, event) != NULL;
}

bool vf_suspects_is_condemned(const struct vf_suspects *suspects, const struct vf_event *event)
{
    const struct suspect *found = find_type(suspects, event);
    return found && found->is_condemned;
}

static struct suspect *take_up(struct vf_suspects *suspects, struct vf_bytes key, int64_t now_ms)
{
    struct suspect *suspect = find(suspects, key);
    if (!suspect) {
        if (HASH_COUNT(suspects->all) >= TYPES_MAX)
            forget(suspects, suspects->all);
        suspect = vf_calloc(1, sizeof *suspect);
        suspect->key = vf_strndup(key.data, key.size);
        suspect->key_size = key.size;
        HASH_ADD_KEYPTR(hh, suspects->all, suspect->key, suspect->key_size, suspect);
    }
    suspect->failed_ms = now_ms;
    return suspect;
}

int32_t vf_suspects_add(struct vf_suspects *suspects, struct vf_bytes key, int64_t now_ms)
{
    return ++take_up(suspects, key, now_ms)->failures;
}

void vf_suspects_condemn(struct vf_suspects *suspects, struct vf_bytes key, int64_t now_ms)
{
    take_up(suspects, key, now_ms)->is_condemned = true;
}

void vf_suspects_keep(struct vf_suspects *suspects, int64_t now_ms)
{
    for (struct suspect *suspect = suspects->all; suspect; suspect = suspect->hh.next)
        if (suspect->is_condemned)
            suspect->failed_ms = now_ms;
}

void vf_suspects_age(struct vf_suspects *suspects, int64_t now_ms)
{
    struct suspect *suspect, *next;
    HASH_ITER (hh, suspects->all, suspect, next)
        if (now_ms - suspect->failed_ms > FORGOTTEN_MS)
            forget(suspects, suspect);
}
