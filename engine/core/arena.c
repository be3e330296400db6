#include "core/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif

#ifdef POISONS
#include <sanitizer/asan_interface.h>
#define RED_ZONE_BYTES 16 /* between allocations, so that running over one's end is found too */
#else
#define RED_ZONE_BYTES                          0
#define ASAN_POISON_MEMORY_REGION(data, size)   ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#endif

#define ALIGNMENT      alignof(max_align_t)
#define BLOCK_BYTES    ((size_t)64 * 1024)
#define KEPT_BYTES_MAX ((size_t)4 * 1024 * 1024) /* what a reset keeps for the next batch */

#define LARGER_MAX 2 /* times as large as wanted may a kept block be */

struct block {
    struct block *next;
    size_t capacity;
    alignas(max_align_t) char data[];
};

struct vf_arena {
    struct block *current; /* the newest first; only the first one is filled */
    size_t filled;         /* of the current block */
    struct block *spare;   /* kept from before the last reset */
    size_t used;
};

struct vf_arena *vf_arena_new(void)
{
    return vf_calloc(1, sizeof(struct vf_arena));
}

static void free_block(struct block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->data, block->capacity);
    free(block);
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free_block(block);
        block = next;
    }
}

void vf_arena_free(struct vf_arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->current);
    free_blocks(arena->spare);
    free(arena);
}

/* Large blocks are kept too: given back after each batch, they would leave holes in which what lives longer settles, and the
 * next batch's would have to be taken from the system again. Those that the last batch had no use for go. */
void vf_arena_reset(struct vf_arena *arena)
{
    size_t kept = 0;
    for (struct block **at = &arena->spare; *at;) {
        struct block *block = *at;
        if (block->capacity == BLOCK_BYTES) {
            kept += block->capacity;
            at = &block->next;
        } else {
            *at = block->next;
            free_block(block);
        }
    }

    struct block *block = arena->current;
    while (block) {
        struct block *next = block->next;
        if (kept + block->capacity <= KEPT_BYTES_MAX) {
            ASAN_POISON_MEMORY_REGION(block->data, block->capacity);
            block->next = arena->spare;
            arena->spare = block;
            kept += block->capacity;
        } else {
            free_block(block);
        }
        block = next;
    }
    arena->current = NULL;
    arena->filled = 0;
    arena->used = 0;
}

static struct block *new_block(struct vf_arena *arena, size_t capacity)
{
    struct block *block;
    for (struct block **at = &arena->spare; (block = *at); at = &block->next) {
        if (block->capacity == capacity ||
            (capacity > BLOCK_BYTES && block->capacity > capacity && block->capacity / LARGER_MAX <= capacity)) {
            *at = block->next;
            return block;
        }
    }
    if (capacity > BLOCK_BYTES)
        capacity += capacity / 4; /* the next batch may want a little more */
    block = vf_alloc(sizeof *block + capacity);
    block->capacity = capacity;
    ASAN_POISON_MEMORY_REGION(block->data, block->capacity);
    return block;
}

void *vf_arena_alloc(struct vf_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        vf_out_of_memory(size);
    size_t taken = (size + RED_ZONE_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!taken)
        taken = ALIGNMENT; /* size 0 gets an address of its own too */
    arena->used += size;

    if (taken > BLOCK_BYTES) {
        /* A large one gets a block of its own behind the current one, which can still be filled. */
        struct block *block = new_block(arena, taken);
        if (arena->current) {
            block->next = arena->current->next;
            arena->current->next = block;
        } else {
            block->next = NULL;
            arena->current = block;
            arena->filled = taken;
        }
        ASAN_UNPOISON_MEMORY_REGION(block->data, size);
        return block->data;
    }

    if (!arena->current || arena->current->capacity - arena->filled < taken) {
        struct block *block = new_block(arena, BLOCK_BYTES);
        block->next = arena->current;
        arena->current = block;
        arena->filled = 0;
    }
    char *data = arena->current->data + arena->filled;
    arena->filled += taken;
    ASAN_UNPOISON_MEMORY_REGION(data, size);
    return data;
}

void *vf_arena_calloc(struct vf_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        vf_out_of_memory(SIZE_MAX);
    void *data = vf_arena_alloc(arena, count * size);
    memset(data, 0, count * size);
    return data;
}

struct vf_bytes vf_arena_bytes(struct vf_arena *arena, const void *data, size_t size)
{
    if (size == SIZE_MAX)
        vf_out_of_memory(size);
    char *copy = vf_arena_alloc(arena, size + 1);
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return vf_bytes(copy, size);
}

struct vf_bytes vf_arena_copy(struct vf_arena *arena, struct vf_bytes bytes)
{
    return vf_arena_bytes(arena, bytes.data, bytes.size);
}

struct vf_bytes vf_arena_printf(struct vf_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) /* beyond INT_MAX bytes */
        vf_out_of_memory(SIZE_MAX);
    char *text = vf_arena_alloc(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return vf_bytes(text, (size_t)size);
}

size_t vf_arena_used(const struct vf_arena *arena)
{
    return arena->used;
}
