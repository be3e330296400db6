#include "lua/heap.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SMALL_BYTES_MAX ((size_t)0)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SMALL_BYTES_MAX ((size_t)0)
#endif
#endif

#define STEP_BYTES ((size_t)16)
#ifndef SMALL_BYTES_MAX
#define SMALL_BYTES_MAX (VF_LUA_HEAP_SIZES * STEP_BYTES)
#endif

/* A chunk begins at a multiple of its size, so a block's address says which one it is in. */
#define CHUNK_BYTES      ((size_t)16 * 1024)
#define CHUNKS_IN_REGION ((size_t)64)

struct vf_lua_chunk {
    struct vf_lua_chunk *next, *previous; /* of those of its size that have room; spare ones use `next` */
    void *given_back;                     /* blocks, each with the next one's address in it */
    size_t block_bytes;
    size_t fresh; /* where the part begins that was never used */
    size_t live;
    bool has_room; /* is in its list */
};

#define FIRST_BLOCK ((sizeof(struct vf_lua_chunk) + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES)

/* Many chunks at once from the system. The first one's place is taken by this. */
struct vf_lua_region {
    struct vf_lua_region *next;
};

size_t vf_lua_heap_block_bytes(size_t size)
{
    if (size <= SMALL_BYTES_MAX)
        return (size + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    /* The answer of glibc's malloc, which is what the process really grows by. */
    size_t block = (size + 8 + 15) & ~(size_t)15;
    return block < 32 ? 32 : block;
}

static size_t index_of(size_t block_bytes)
{
    return block_bytes / STEP_BYTES - 1;
}

/* --- chunks ------------------------------------------------------------------------------------------------------- */

static void list(struct vf_lua_heap *heap, struct vf_lua_chunk *chunk)
{
    struct vf_lua_chunk **first = &heap->roomy[index_of(chunk->block_bytes)];
    chunk->previous = NULL;
    chunk->next = *first;
    if (*first)
        (*first)->previous = chunk;
    *first = chunk;
    chunk->has_room = true;
}

static void unlist(struct vf_lua_heap *heap, struct vf_lua_chunk *chunk)
{
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        heap->roomy[index_of(chunk->block_bytes)] = chunk->next;
    if (chunk->next)
        chunk->next->previous = chunk->previous;
    chunk->has_room = false;
}

static void add_region(struct vf_lua_heap *heap)
{
    char *memory = aligned_alloc(CHUNK_BYTES, CHUNKS_IN_REGION * CHUNK_BYTES);
    if (!memory)
        vf_out_of_memory(CHUNKS_IN_REGION * CHUNK_BYTES);
    struct vf_lua_region *region = (struct vf_lua_region *)(void *)memory;
    region->next = heap->regions;
    heap->regions = region;
    for (size_t i = CHUNKS_IN_REGION - 1; i > 0; i--) {
        struct vf_lua_chunk *chunk = (struct vf_lua_chunk *)(void *)(memory + i * CHUNK_BYTES);
        chunk->next = heap->spare;
        heap->spare = chunk;
    }
}

static struct vf_lua_chunk *begin_chunk(struct vf_lua_heap *heap, size_t block_bytes)
{
    if (!heap->spare)
        add_region(heap);
    struct vf_lua_chunk *chunk = heap->spare;
    heap->spare = chunk->next;
    *chunk = (struct vf_lua_chunk){.block_bytes = block_bytes, .fresh = FIRST_BLOCK};
    heap->chunk_bytes += CHUNK_BYTES;
    list(heap, chunk);
    return chunk;
}

void vf_lua_heap_done(struct vf_lua_heap *heap)
{
    while (heap->regions) {
        struct vf_lua_region *next = heap->regions->next;
        free(heap->regions);
        heap->regions = next;
    }
    *heap = (struct vf_lua_heap){0};
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

static void *take(struct vf_lua_heap *heap, size_t size)
{
    if (size > SMALL_BYTES_MAX) {
        void *large = malloc(size);
        if (!large)
            vf_out_of_memory(size);
        return large;
    }
    size_t block_bytes = vf_lua_heap_block_bytes(size);
    struct vf_lua_chunk *chunk = heap->roomy[index_of(block_bytes)];
    if (!chunk)
        chunk = begin_chunk(heap, block_bytes);
    void *block = chunk->given_back;
    if (block) {
        memcpy(&chunk->given_back, block, sizeof chunk->given_back);
    } else {
        block = (char *)chunk + chunk->fresh;
        chunk->fresh += block_bytes;
    }
    chunk->live++;
    if (!chunk->given_back && chunk->fresh + block_bytes > CHUNK_BYTES)
        unlist(heap, chunk);
    return block;
}

void vf_lua_heap_free(struct vf_lua_heap *heap, void *block, size_t size)
{
    if (size > SMALL_BYTES_MAX || !block) {
        free(block);
        return;
    }
    struct vf_lua_chunk *chunk = (struct vf_lua_chunk *)((uintptr_t)block & ~(uintptr_t)(CHUNK_BYTES - 1));
    memcpy(block, &chunk->given_back, sizeof chunk->given_back);
    chunk->given_back = block;
    chunk->live--;
    if (!chunk->has_room)
        list(heap, chunk);
    /* One that is empty stays where it is the only one of its size: it would be back at once. */
    if (chunk->live > 0 || (!chunk->next && !chunk->previous))
        return;
    unlist(heap, chunk);
    heap->chunk_bytes -= CHUNK_BYTES;
    chunk->next = heap->spare;
    heap->spare = chunk;
}

void *vf_lua_heap_move(struct vf_lua_heap *heap, void *block, size_t old_size, size_t new_size)
{
    if (!block)
        return take(heap, new_size);
    if (old_size > SMALL_BYTES_MAX && new_size > SMALL_BYTES_MAX) {
        void *large = realloc(block, new_size);
        if (!large)
            vf_out_of_memory(new_size);
        return large;
    }
    if (vf_lua_heap_block_bytes(old_size) == vf_lua_heap_block_bytes(new_size))
        return block;
    void *moved = take(heap, new_size);
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    vf_lua_heap_free(heap, block, old_size);
    return moved;
}
