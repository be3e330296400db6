/*
 * The blocks of one Lua heap. Lua makes and drops hundreds of small ones for an event, and says the size of what it gives
 * back, so those are cut from chunks of one size each, which takes a fraction of what malloc takes; large ones are malloc's.
 *
 * A chunk that is empty again serves blocks of any size, so a heap that was full of small tables can become one of strings.
 * Chunks go back to the system only with the whole heap. Under AddressSanitizer every block is malloc's, so that it sees each.
 *
 * One projector owns a heap; one thread. Out of memory ends the process (core/bytes.h).
 */
#ifndef VF_LUA_HEAP_H
#define VF_LUA_HEAP_H

#include "core/bytes.h"

#define VF_LUA_HEAP_SIZES 32 /* of small blocks: 16, 32, .. 512 bytes */

struct vf_lua_chunk;
struct vf_lua_region;

struct vf_lua_heap {
    struct vf_lua_chunk *roomy[VF_LUA_HEAP_SIZES]; /* chunks of each size that have room */
    struct vf_lua_chunk *spare;                    /* empty ones, for any size */
    struct vf_lua_region *regions;
    size_t chunk_bytes; /* of chunks that are in use, wholly or not */
};

/* Zeroed memory is an empty heap. */
void vf_lua_heap_done(struct vf_lua_heap *heap);

/* What a block of this size takes. */
size_t vf_lua_heap_block_bytes(size_t size);

/* As Lua's allocator: `block` NULL is a new one (old_size then says nothing), new_size is not 0. */
void *vf_lua_heap_move(struct vf_lua_heap *heap, void *block, size_t old_size, size_t new_size);
void vf_lua_heap_free(struct vf_lua_heap *heap, void *block, size_t size); /* NULL is fine */

#endif
