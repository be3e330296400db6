/*
 * The registry of a memory server: generations made, listed, adopted and dropped. Works on plain tables (memory_data.h);
 * whoever calls holds the server's lock. Internal to connectors/memory.
 */
#ifndef VF_MEMORY_REGISTRY_H
#define VF_MEMORY_REGISTRY_H

#include "connectors/memory/memory_data.h"

/* What engine/store.h says of the calls of the same names. */
VF_MUSTCHECK enum vf_code vf_memory_make(struct vf_memory_data *data, const char *view,
                                         const struct vf_generation *proposed,
                                         struct vf_memory_generation **ret_generation, bool *ret_created,
                                         struct vf_error *error);
void vf_memory_list(struct vf_memory_data *data, const char *view, struct vf_arena *arena,
                    struct vf_generation **ret_generations, size_t *ret_count);
bool vf_memory_adopt(struct vf_memory_generation *generation, uint64_t base_stamp, const struct vf_generation *next);
bool vf_memory_drop_begin(struct vf_memory_data *data, struct vf_view view, uint64_t base_stamp, uint64_t stamp);
enum vf_drop vf_memory_drop_more(struct vf_memory_data *data, struct vf_view view, uint64_t stamp, int64_t now_ms,
                                 size_t *ret_removed);

/* The generation's tables where its entry has this stamp, else NULL: who has read another entry writes nothing. */
struct vf_memory_generation *vf_memory_by_stamp(struct vf_memory_data *data, struct vf_view view, uint64_t stamp);

#endif
