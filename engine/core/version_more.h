/*
 * What is remembered of an aggregate's last version beside an integer: the text of `ordered` strings, and event ids where
 * they decide (`revision` numbers, `offset` numbers with `repeats`). Most aggregates have nothing more: then it is NULL, and
 * costs its pointer. Immutable once made, and one block of memory: who wants another value makes another one. Any thread.
 */
#ifndef VF_CORE_VERSION_MORE_H
#define VF_CORE_VERSION_MORE_H

#include "core/arena.h"
#include "core/event.h"
#include "core/json.h"

struct vf_version_more {
    struct vf_bytes text; /* the version, where it is a string; else size 0 */
    struct vf_bytes ids;  /* packed, in the order in which they were taken in: vf_event_ids_next reads them */
    uint32_t id_count;
    bool
        is_window; /* the ids are the aggregate's last ones, whatever their versions (`offset`); else those that were taken
                       in at this very version (`revision`) */
};

/* Adds an id, of 1 to VF_ID_BYTES_MAX bytes, behind packed ones. */
void vf_event_ids_add(struct vf_buffer *packed, struct vf_bytes id);

/* Takes the first id off packed ones: false where there is none left. */
static inline bool vf_event_ids_next(struct vf_bytes *packed, struct vf_bytes *ret_id)
{
    if (packed->size == 0)
        return false;
    uint16_t size;
    memcpy(&size, packed->data, sizeof size);
    *ret_id = vf_bytes(packed->data + sizeof size, size);
    *packed = vf_bytes(packed->data + sizeof size + size, packed->size - sizeof size - size);
    return true;
}

/* Copies into the arena, or with NULL onto the heap, for free(). NULL for NULL, and where there is neither text nor id. */
struct vf_version_more *vf_version_more_copy(struct vf_arena *arena, const struct vf_version_more *more);

/* How many bytes such a copy takes; 0 for NULL. */
size_t vf_version_more_bytes(const struct vf_version_more *more);

/* Equal in all that counts; NULL equals NULL only. */
bool vf_version_more_equal(const struct vf_version_more *a, const struct vf_version_more *b);

/* A version as JSON: 7; "00ab" (a string); [7,"id",…] (a revision, with the ids taken in at it); [1043,["id",…]] (an offset,
 * with the last ids). And back; false where it is none of these, or beyond a limit of core/event.h. The parsed `more` lives in
 * the arena. */
void vf_version_print(struct vf_buffer *out, int64_t version, const struct vf_version_more *more);
VF_MUSTCHECK bool vf_version_read(struct vf_json json, struct vf_arena *arena, int64_t *ret_version,
                                  const struct vf_version_more **ret_more);

#endif
