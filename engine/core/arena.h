/*
 * Memory that lives as long as a batch: allocated by moving a pointer, released all at once.
 *
 * One thread uses an arena. Memory is aligned for any type and not cleared. Running out of memory ends the process with a
 * message (vf_out_of_memory): a worker without memory has nothing useful left to do, and the store guarantees that nothing
 * is half done. After a reset, bytes are poisoned under AddressSanitizer, so that a use after the batch is found.
 */
#ifndef VF_CORE_ARENA_H
#define VF_CORE_ARENA_H

#include "core/bytes.h"

#include <stddef.h>

struct vf_arena;

struct vf_arena *vf_arena_new(void);
void vf_arena_free(struct vf_arena *arena); /* NULL is fine */

/* Forgets everything allocated; keeps up to 1 MiB of blocks for the next batch. */
void vf_arena_reset(struct vf_arena *arena);

void *vf_arena_alloc(struct vf_arena *arena, size_t size);                /* never NULL; size 0 is fine */
void *vf_arena_calloc(struct vf_arena *arena, size_t count, size_t size); /* cleared */
/* Copies, with a NUL behind. */
struct vf_bytes vf_arena_bytes(struct vf_arena *arena, const void *data, size_t size);
struct vf_bytes vf_arena_copy(struct vf_arena *arena, struct vf_bytes bytes);
struct vf_bytes vf_arena_printf(struct vf_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes handed out since the last reset. */
size_t vf_arena_used(const struct vf_arena *arena);

#endif
