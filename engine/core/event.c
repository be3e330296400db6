#include "core/event.h"

/* Inlined, because its state then has no ABI that a later library could break. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t vf_record_hash(const struct vf_record *record)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    if (!record->key_is_null && record->key.size)
        XXH64_update(&state, record->key.data, record->key.size);
    if (!record->value_is_null && record->value.size)
        XXH64_update(&state, record->value.data, record->value.size);
    return XXH64_digest(&state);
}
